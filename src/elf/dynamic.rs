//! The dynamic section.
//!
//! Tags are collected before any is used, so their order does not matter, and
//! of a tag that names one thing the last one counts: after glibc's
//! `elf_get_dynamic_info` and musl's `decode_dyn`.

use object::elf::{self, Dyn32, Dyn64, DynamicTag, Machine};
use object::endian::Endianness;
use object::read::elf::Dyn;

use super::layout::{self, Place, Segment, SegmentKind};
use super::window::{Read, Stop, Windows, damaged};
use super::{AskKind, Class, DynamicInfo, Odd};
use crate::bytes::ReadAt;

const RELA: u64 = elf::DT_RELA.0 as u64;
const REL: u64 = elf::DT_REL.0 as u64;
const MAX_ENTRIES: u64 = 1 << 16;
const BAD: Stop = damaged!("the dynamic section");

/// The values of the tags, as they stand.
#[derive(Default)]
pub(super) struct Tags {
    /// What is asked for, and where in the string table its name is.
    pub(super) asks: Vec<(AskKind, u64)>,
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
    pltrel: Option<u64>,
    pub(super) relr: Option<u64>,
    relrent: Option<u64>,
    relacount: u64,
    mips_symtabno: Option<u64>,
    mips_gotsym: Option<u64>,
}

#[derive(Default)]
struct Table {
    addr: Option<u64>,
    size: u64,
    entry: Option<u64>,
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
    fn walk<R: ReadAt>(
        &self,
        windows: &mut Windows<'_, R>,
        each: impl FnMut(DynamicTag, u64) -> Read<()>,
    ) -> Read<()> {
        match self.class {
            Class::Elf32 => self.entries::<Dyn32<Endianness>, R>(windows, each),
            Class::Elf64 => self.entries::<Dyn64<Endianness>, R>(windows, each),
        }
    }

    fn entries<D: Dyn<Endian = Endianness>, R: ReadAt>(
        &self,
        windows: &mut Windows<'_, R>,
        mut each: impl FnMut(DynamicTag, u64) -> Read<()>,
    ) -> Read<()> {
        let size = size_of::<D>() as u64;
        let mut index = 0;
        while index < MAX_ENTRIES {
            let Some(place) = self.place.skip(index * size, size) else { return Ok(()) };
            let entries = windows.some::<D>(place.offset, (place.left / size).min(MAX_ENTRIES - index))?;
            for entry in entries {
                match entry.tag(self.order) {
                    elf::DT_NULL => return Ok(()),
                    tag => each(tag, entry.val(self.order))?,
                }
            }
            if entries.is_empty() {
                // The file is cut short, but what is mapped is not.
                return if windows.reads_as_zeros(place.offset)? { Ok(()) } else { Err(BAD) };
            }
            index += entries.len() as u64;
        }
        Err(BAD)
    }

    /// Everything it says, names still as offsets.
    pub(super) fn tags<R: ReadAt>(&self, windows: &mut Windows<'_, R>, machine: u16) -> Read<Tags> {
        let mut tags = Tags::default();
        self.walk(windows, |tag, value| {
            tags.note(tag, value);
            if Machine(machine) == elf::EM_MIPS {
                tags.note_mips(tag, value);
            }
            Ok(())
        })?;
        Ok(tags)
    }
}

impl Tags {
    fn note(&mut self, tag: DynamicTag, value: u64) {
        match tag {
            elf::DT_NEEDED => self.asks.push((AskKind::Needed, value)),
            elf::DT_AUXILIARY => self.asks.push((AskKind::Auxiliary, value)),
            elf::DT_FILTER => self.asks.push((AskKind::Filter, value)),
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
            elf::DT_RELAENT => self.rela.entry = Some(value),
            elf::DT_RELACOUNT => self.relacount = value,
            elf::DT_REL => self.rel.addr = Some(value),
            elf::DT_RELSZ => self.rel.size = value,
            elf::DT_RELENT => self.rel.entry = Some(value),
            elf::DT_RELR => self.relr = Some(value),
            elf::DT_RELRENT => self.relrent = Some(value),
            elf::DT_JMPREL => self.jmprel.addr = Some(value),
            elf::DT_PLTRELSZ => self.jmprel.size = value,
            elf::DT_PLTREL => self.pltrel = Some(value),
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

    pub(super) fn has_versym(&self) -> bool {
        self.versym.is_some()
    }

    /// After glibc's `elf_get_dynamic_info`, in its order.
    pub(super) fn odd(&self, class: Class, machine: u16) -> Option<Odd> {
        let word = if class == Class::Elf64 { 8 } else { 4 };
        let is_plain = class == Class::Elf64 && Machine(machine) != elf::EM_MIPS;
        let lacks = |table: &Table| table.addr.is_some() && table.entry.is_none();
        let is_one = |kind: u64| kind == RELA || kind == REL && !is_plain;
        match () {
            () if self.pltrel.is_some_and(|kind| !is_one(kind)) => Some(Odd::Pltrel),
            () if lacks(&self.rela) || !is_plain && lacks(&self.rel) => Some(Odd::NoEntry),
            () if self.rela.addr.is_some() && self.rela.entry != Some(3 * word) => Some(Odd::Relaent),
            () if !is_plain && self.rel.addr.is_some() && self.rel.entry != Some(2 * word) => {
                Some(Odd::Relent)
            }
            () if self.relr.is_some() && self.relrent != Some(word) => Some(Odd::Relrent),
            () => None,
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
            jmprel_is_rela: self.pltrel == Some(RELA),
            mips_symtabno: self.mips_symtabno,
            mips_gotsym: self.mips_gotsym,
        }
    }
}
