//! The header, the program headers, and where an address lies in the file.

use object::elf::{self, FileHeader32, FileHeader64};
use object::endian::Endianness;
use object::pod;
use object::read::elf::{FileHeader, ProgramHeader};

use super::window::{Read, Stop, Windows, damaged};
use super::{CUT_IN_HEADERS, Class, Header, Order, Unfit};
use crate::bytes::ReadAt;

/// The kernel stops at 64 KiB of them, glibc at 65,535.
const MAX_SEGMENTS: u16 = 4096;
const NO_HEADERS: Stop = Stop::Bad(CUT_IN_HEADERS);

/// One program header, of the types that somebody asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub(super) kind: SegmentKind,
    pub(super) offset: u64,
    pub(super) vaddr: u64,
    pub(super) filesz: u64,
    pub(super) memsz: u64,
    pub(super) align: u64,
    pub(super) executable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SegmentKind {
    Load,
    Dynamic,
    Interp,
    Note,
    Property,
}

/// A part of the file: where it starts and how far what is mapped there goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) left: u64,
}

impl Place {
    /// The place `by` bytes further on, if `len` bytes are left there.
    pub(super) fn skip(self, by: u64, len: u64) -> Option<Place> {
        let left = self.left.checked_sub(by).filter(|left| *left >= len)?;
        Some(Place { offset: self.offset.checked_add(by)?, left })
    }
}

/// What the first bytes say, and where the program headers are.
pub(super) struct Start {
    pub(super) header: Header,
    pub(super) class: Class,
    pub(super) order: Order,
    phoff: u64,
}

impl Order {
    pub(super) fn endianness(self) -> Endianness {
        match self {
            Order::Little => Endianness::Little,
            Order::Big => Endianness::Big,
        }
    }
}

/// Reads the header out of the first 64 bytes, or all bytes if there are fewer.
///
/// The order is glibc's: a short file is short before it is something else.
pub(super) fn start(head: &[u8]) -> Result<Start, Unfit> {
    let short = Unfit::TooShort { len: head.len() };
    let Some(ident) = head.first_chunk::<16>() else { return Err(short) };
    if ident[..4] != elf::ELFMAG {
        let first = [ident[0], ident[1], ident[2], ident[3]];
        return Err(if head.len() < size_of::<FileHeader64<Endianness>>() {
            short
        } else {
            Unfit::NotElf { first }
        });
    }
    let order = if ident[5] == 2 { Order::Big } else { Order::Little };
    let decoded = match ident[4] {
        1 => decode::<FileHeader32<Endianness>>(head, ident, order),
        _ => decode::<FileHeader64<Endianness>>(head, ident, order),
    };
    let Some((header, phoff)) = decoded else { return Err(short) };
    match (header.class(), header.order()) {
        (Some(class), Some(order)) => Ok(Start { header, class, order, phoff }),
        _ => Err(Unfit::BadIdent(header)),
    }
}

fn decode<H: FileHeader<Endian = Endianness>>(
    head: &[u8],
    ident: &[u8; 16],
    order: Order,
) -> Option<(Header, u64)> {
    let (raw, _) = pod::from_bytes::<H>(head).ok()?;
    let end = order.endianness();
    let header = Header {
        ident: *ident,
        e_type: raw.e_type(end).0,
        machine: raw.e_machine(end).0,
        version: raw.e_version(end),
        flags: raw.e_flags(end).0,
        entry: raw.e_entry(end).into(),
        phentsize: raw.e_phentsize(end),
        phnum: raw.e_phnum(end),
    };
    Some((header, raw.e_phoff(end).into()))
}

/// All segments of interest, in file order.
pub(super) fn segments<R: ReadAt>(windows: &mut Windows<'_, R>, start: &Start) -> Read<Vec<Segment>> {
    match start.class {
        Class::Elf32 => table::<FileHeader32<Endianness>, R>(windows, start),
        Class::Elf64 => table::<FileHeader64<Endianness>, R>(windows, start),
    }
}

fn table<H: FileHeader<Endian = Endianness>, R: ReadAt>(
    windows: &mut Windows<'_, R>,
    start: &Start,
) -> Read<Vec<Segment>> {
    let count = start.header.phnum;
    let size = size_of::<H::ProgramHeader>();
    // An object file has none, and no size of one.
    if count == 0 {
        return Ok(Vec::new());
    }
    if usize::from(start.header.phentsize) != size {
        return Err(damaged!("the size of a program header"));
    }
    if count > MAX_SEGMENTS {
        return Err(damaged!("the number of program headers"));
    }
    let mut found = Vec::with_capacity(usize::from(count).min(16));
    let mut left = u64::from(count);
    let mut at = Some(start.phoff);
    while left > 0 {
        let from = at.ok_or(NO_HEADERS)?;
        let some = windows.some::<H::ProgramHeader>(from, left)?;
        if some.is_empty() {
            return Err(NO_HEADERS);
        }
        found.extend(some.iter().filter_map(|raw| segment(raw, start.order.endianness())));
        left -= some.len() as u64;
        at = from.checked_add(size_of_val(some) as u64);
    }
    Ok(found)
}

fn segment<P: ProgramHeader<Endian = Endianness>>(raw: &P, end: Endianness) -> Option<Segment> {
    let kind = match raw.p_type(end) {
        elf::PT_LOAD => SegmentKind::Load,
        elf::PT_DYNAMIC => SegmentKind::Dynamic,
        elf::PT_INTERP => SegmentKind::Interp,
        elf::PT_NOTE => SegmentKind::Note,
        elf::PT_GNU_PROPERTY => SegmentKind::Property,
        _ => return None,
    };
    Some(Segment {
        kind,
        offset: raw.p_offset(end).into(),
        vaddr: raw.p_vaddr(end).into(),
        filesz: raw.p_filesz(end).into(),
        memsz: raw.p_memsz(end).into(),
        align: raw.p_align(end).into(),
        executable: raw.p_flags(end).0 & elf::PF_X.0 != 0,
    })
}

/// Where an address lies in the file, through the segments that are mapped.
pub(super) fn place(segments: &[Segment], addr: u64) -> Option<Place> {
    let load = segments.iter().find(|s| {
        s.kind == SegmentKind::Load && addr.checked_sub(s.vaddr).is_some_and(|into| into < s.filesz)
    })?;
    Place { offset: load.offset, left: load.filesz }.skip(addr - load.vaddr, 1)
}
