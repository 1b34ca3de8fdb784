//! The dynamic section.
//!
//! Tags are collected before any is used, so their order does not matter, and
//! of a tag that names one thing the last one counts: after glibc's
//! `elf_get_dynamic_info` and musl's `decode_dyn`.

use object::elf::{self, Dyn32, Dyn64, DynamicTag, Machine};
use object::endian::Endianness;
use object::read::elf::Dyn;

use super::layout::{self, Place, Segment, SegmentKind};
use super::window::{Read, Stop, Windows};
use super::{AskKind, Class, DynamicInfo};
use crate::bytes::ReadAt;

const MAX_ENTRIES: u64 = 1 << 16;
const MAX_ASKS: usize = 1 << 14;
const BAD: Stop = Stop::Bad("the dynamic section");

/// The values of the tags, as they stand.
#[derive(Default)]
pub(super) struct Tags {
    pub(super) asks: usize,
    pub(super) soname: Option<u64>,
    pub(super) rpath: Option<u64>,
    pub(super) runpath: Option<u64>,
    pub(super) audit: Option<u64>,
    pub(super) depaudit: Option<u64>,
    pub(super) flags: u64,
    pub(super) flags_1: u64,
    /// `DT_BIND_NOW`, as older linkers say it.
    pub(super) bind_now: bool,
    pub(super) debug: bool,
    pub(super) verneed: Option<u64>,
    pub(super) verdef: Option<u64>,
    pub(super) strtab: Option<u64>,
    strsz: u64,
    symtab: Option<u64>,
    hash: Option<u64>,
    gnu_hash: Option<u64>,
    versym: Option<u64>,
    rela: Table,
    rel: Table,
    jmprel: Table,
    pltrel: u64,
    relacount: u64,
    mips_symtabno: Option<u64>,
    mips_gotsym: Option<u64>,
}

#[derive(Default)]
struct Table {
    addr: Option<u64>,
    size: u64,
}

/// Where the dynamic section is. A loader finds it at the address; what has no
/// address in the file is read where the program header says, as `ldconfig` does.
pub(super) fn find(segments: &[Segment]) -> Option<Place> {
    let last = segments.iter().rfind(|s| s.kind == SegmentKind::Dynamic && s.filesz != 0)?;
    let fallback = Place { offset: last.offset, left: last.filesz };
    Some(layout::place(segments, last.vaddr).unwrap_or(fallback))
}

/// How to read the entries.
#[derive(Clone, Copy)]
pub(super) struct Section {
    pub(super) place: Place,
    pub(super) class: Class,
    pub(super) order: Endianness,
}

impl Section {
    /// Calls `each` for all entries before the `DT_NULL`. Where the segment ends
    /// zeros follow, so that is an end as well.
    pub(super) fn walk<R: ReadAt>(
        &self,
        windows: &mut Windows<'_, R>,
        mut each: impl FnMut(&mut Windows<'_, R>, DynamicTag, u64) -> Read<()>,
    ) -> Read<()> {
        let size = match self.class {
            Class::Elf32 => size_of::<Dyn32<Endianness>>(),
            Class::Elf64 => size_of::<Dyn64<Endianness>>(),
        } as u64;
        for index in 0..MAX_ENTRIES {
            let Some(place) = self.place.skip(index * size, size) else { return Ok(()) };
            let (tag, value) = match self.entry(windows, place.offset) {
                // The file is cut short, but what is mapped is not.
                Err(Stop::Bad(_)) if windows.reads_as_zeros(place.offset)? => return Ok(()),
                entry => entry?,
            };
            if tag == elf::DT_NULL {
                return Ok(());
            }
            each(windows, tag, value)?;
        }
        Err(BAD)
    }

    fn entry<R: ReadAt>(&self, windows: &mut Windows<'_, R>, at: u64) -> Read<(DynamicTag, u64)> {
        match self.class {
            Class::Elf32 => {
                windows.get::<Dyn32<Endianness>>(at)?.map(|d| (d.tag(self.order), d.val(self.order)))
            }
            Class::Elf64 => {
                windows.get::<Dyn64<Endianness>>(at)?.map(|d| (d.tag(self.order), d.val(self.order)))
            }
        }
        .ok_or(BAD)
    }

    /// Everything but the names of what is asked for.
    pub(super) fn tags<R: ReadAt>(&self, windows: &mut Windows<'_, R>, machine: u16) -> Read<Tags> {
        let mut tags = Tags::default();
        self.walk(windows, |_, tag, value| {
            tags.note(tag, value);
            if Machine(machine) == elf::EM_MIPS {
                tags.note_mips(tag, value);
            }
            if tags.asks > MAX_ASKS { Err(BAD) } else { Ok(()) }
        })?;
        Ok(tags)
    }
}

pub(super) fn ask_kind(tag: DynamicTag) -> Option<AskKind> {
    match tag {
        elf::DT_NEEDED => Some(AskKind::Needed),
        elf::DT_AUXILIARY => Some(AskKind::Auxiliary),
        elf::DT_FILTER => Some(AskKind::Filter),
        _ => None,
    }
}

impl Tags {
    fn note(&mut self, tag: DynamicTag, value: u64) {
        match tag {
            elf::DT_NEEDED | elf::DT_AUXILIARY | elf::DT_FILTER => self.asks += 1,
            elf::DT_SONAME => self.soname = Some(value),
            elf::DT_RPATH => self.rpath = Some(value),
            elf::DT_RUNPATH => self.runpath = Some(value),
            elf::DT_AUDIT => self.audit = Some(value),
            elf::DT_DEPAUDIT => self.depaudit = Some(value),
            elf::DT_FLAGS => self.flags = value,
            elf::DT_BIND_NOW => self.bind_now = true,
            elf::DT_FLAGS_1 => self.flags_1 = value,
            elf::DT_DEBUG => self.debug = true,
            elf::DT_VERNEED => self.verneed = Some(value),
            elf::DT_VERDEF => self.verdef = Some(value),
            elf::DT_STRTAB => self.strtab = Some(value),
            elf::DT_STRSZ => self.strsz = value,
            elf::DT_SYMTAB => self.symtab = Some(value),
            elf::DT_HASH => self.hash = Some(value),
            elf::DT_GNU_HASH => self.gnu_hash = Some(value),
            elf::DT_VERSYM => self.versym = Some(value),
            elf::DT_RELA => self.rela.addr = Some(value),
            elf::DT_RELASZ => self.rela.size = value,
            elf::DT_RELACOUNT => self.relacount = value,
            elf::DT_REL => self.rel.addr = Some(value),
            elf::DT_RELSZ => self.rel.size = value,
            elf::DT_JMPREL => self.jmprel.addr = Some(value),
            elf::DT_PLTRELSZ => self.jmprel.size = value,
            elf::DT_PLTREL => self.pltrel = value,
            _ => {}
        }
    }

    /// MIPS keeps `_r_debug` elsewhere, and its imports also in the GOT.
    fn note_mips(&mut self, tag: DynamicTag, value: u64) {
        match tag {
            elf::DT_MIPS_SYMTABNO => self.mips_symtabno = Some(value),
            elf::DT_MIPS_GOTSYM => self.mips_gotsym = Some(value),
            elf::DT_MIPS_RLD_MAP | elf::DT_MIPS_RLD_MAP_REL => self.debug = true,
            _ => {}
        }
    }

    /// The tables, as file offsets.
    pub(super) fn info(&self, segments: &[Segment]) -> DynamicInfo {
        let at = |addr: Option<u64>| Some(layout::place(segments, addr?)?.offset);
        let table = |t: &Table| Some((at(t.addr)?, t.size)).filter(|(_, size)| *size > 0);
        DynamicInfo {
            strtab: at(self.strtab),
            strsz: self.strsz,
            symtab: at(self.symtab),
            hash: at(self.hash),
            gnu_hash: at(self.gnu_hash),
            versym: at(self.versym),
            rela: table(&self.rela),
            relacount: self.relacount,
            rel: table(&self.rel),
            jmprel: table(&self.jmprel),
            jmprel_is_rela: self.pltrel == elf::DT_RELA.0 as u64,
            mips_symtabno: self.mips_symtabno,
            mips_gotsym: self.mips_gotsym,
        }
    }
}
