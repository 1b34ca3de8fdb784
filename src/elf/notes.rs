//! `PT_NOTE`: what the file says about itself.
//!
//! A note that does not fit is none: no loader refuses a file for it.

use object::elf::{self, Machine, NoteHeader32};
use object::endian::{Endianness, U32};

use super::layout::{Place, Segment, SegmentKind};
use super::read::Reader;
use super::window::{Read, split};
use super::{AbiTag, Facts, Span};
use crate::bytes::ReadAt;

/// Of one segment; core dumps have larger ones, and nothing for us in them.
const MAX_SEGMENT: u64 = 64 << 10;
/// Of all segments together.
const MAX_NOTES: usize = 1 << 10;
/// `NT_FDO_DLOPEN_METADATA`, UAPI.12.
const FDO_DLOPEN: u32 = 0x407c_0c0a;
/// `NT_FDO_PACKAGING_METADATA`.
const FDO_PACKAGE: u32 = 0xcafe_1a7e;

/// One note: whose, what, and where its content is.
struct Note {
    owner: [u8; 4],
    kind: u32,
    desc: Place,
}

pub(super) fn read<R: ReadAt>(reader: &mut Reader<'_, '_, R>, facts: &mut Facts) -> Read<()> {
    let mut budget = MAX_NOTES;
    for index in 0..reader.segments.len() {
        let segment = reader.segments[index];
        // The same notes may be in a PT_NOTE and in the PT_GNU_PROPERTY.
        let wanted = match segment.kind {
            SegmentKind::Note => true,
            SegmentKind::Property => facts.isa_needed.is_none(),
            SegmentKind::Load | SegmentKind::Dynamic | SegmentKind::Interp => false,
        };
        if wanted {
            segment_notes(reader, facts, segment, &mut budget)?;
        }
    }
    Ok(())
}

fn segment_notes<R: ReadAt>(
    reader: &mut Reader<'_, '_, R>,
    facts: &mut Facts,
    segment: Segment,
    budget: &mut usize,
) -> Read<()> {
    let align = if segment.align == 8 { 8 } else { 4 };
    let mut rest = Place { offset: segment.offset, left: segment.filesz.min(MAX_SEGMENT) };
    while let Some((note, used)) = next(reader, rest, align)? {
        take(reader, facts, &note, align)?;
        *budget = budget.saturating_sub(1);
        match rest.skip(used, 1) {
            Some(after) if *budget > 0 => rest = after,
            Some(_) | None => break,
        }
    }
    Ok(())
}

/// The note at `rest`, and how many bytes it and its padding are.
fn next<R: ReadAt>(reader: &mut Reader<'_, '_, R>, rest: Place, align: u64) -> Read<Option<(Note, u64)>> {
    let head_size = size_of::<NoteHeader32<Endianness>>() as u64;
    if rest.left < head_size {
        return Ok(None);
    }
    let Some(head) = reader.windows.get::<NoteHeader32<Endianness>>(rest.offset)? else { return Ok(None) };
    let name_size = u64::from(head.n_namesz.get(reader.order));
    let desc_size = u64::from(head.n_descsz.get(reader.order));
    let desc_at = (head_size + name_size).next_multiple_of(align);
    let Some(desc) = rest.skip(desc_at, desc_size) else { return Ok(None) };
    // Every owner of interest is three letters and a NUL.
    let owner = match name_size {
        4 => reader.windows.get::<[u8; 4]>(rest.offset.saturating_add(head_size))?.unwrap_or_default(),
        _ => [0; 4],
    };
    let note = Note { owner, kind: head.n_type.get(reader.order).0, desc: Place { left: desc_size, ..desc } };
    Ok(Some((note, (desc_at + desc_size).next_multiple_of(align))))
}

fn take<R: ReadAt>(reader: &mut Reader<'_, '_, R>, facts: &mut Facts, note: &Note, align: u64) -> Read<()> {
    match (&note.owner, note.kind) {
        (b"GNU\0", 1) if facts.abi_tag.is_none() => facts.abi_tag = abi_tag(reader, note)?,
        (b"GNU\0", 3) if facts.build_id.is_none() => facts.build_id = content(reader, note)?,
        (b"GNU\0", 5) if facts.isa_needed.is_none() => {
            facts.isa_needed = isa_needed(reader, facts.header.machine, note, align)?;
        }
        (b"FDO\0", FDO_DLOPEN) => {
            if let Some(json) = content(reader, note)? {
                facts.dlopen_notes.push(unpadded(reader, json));
            }
        }
        (b"FDO\0", FDO_PACKAGE) if facts.package_note.is_none() => {
            facts.package_note = content(reader, note)?.map(|json| unpadded(reader, json));
        }
        _ => {}
    }
    Ok(())
}

fn content<R: ReadAt>(reader: &mut Reader<'_, '_, R>, note: &Note) -> Read<Option<Span>> {
    Ok(split(reader.blob(note.desc, note.desc.left))?.ok())
}

/// Without the NULs at its end.
fn unpadded<R>(reader: &Reader<'_, '_, R>, json: Span) -> Span {
    let bytes = &reader.text[json.start as usize..][..json.len as usize];
    let len = bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
    Span { start: json.start, len: u32::try_from(len).expect("it is a part of the span") }
}

/// After glibc 2.35's `open_verify`, which knows it by its size as well.
fn abi_tag<R: ReadAt>(reader: &mut Reader<'_, '_, R>, note: &Note) -> Read<Option<AbiTag>> {
    if note.desc.left != 16 {
        return Ok(None);
    }
    let words = reader.windows.get::<[U32<Endianness>; 4]>(note.desc.offset)?;
    let end = reader.order;
    Ok(words.map(|[os, a, b, c]| AbiTag { os: os.get(end), kernel: [a.get(end), b.get(end), c.get(end)] }))
}

/// The properties are sorted by type, and padded as the note is.
fn isa_needed<R: ReadAt>(
    reader: &mut Reader<'_, '_, R>,
    machine: u16,
    note: &Note,
    align: u64,
) -> Read<Option<u32>> {
    if !matches!(Machine(machine), elf::EM_X86_64 | elf::EM_386) {
        return Ok(None);
    }
    let end = reader.order;
    let mut rest = note.desc;
    while rest.left >= 8 {
        let Some([kind, size]) = reader.windows.get::<[U32<Endianness>; 2]>(rest.offset)? else { break };
        let Some(data) = rest.skip(8, size.get(end).into()) else { break };
        if kind.get(end) == elf::GNU_PROPERTY_X86_ISA_1_NEEDED.0 {
            let bits = reader.windows.get::<U32<Endianness>>(data.offset)?;
            return Ok(bits.filter(|_| size.get(end) == 4).map(|bits| bits.get(end)));
        }
        match data.skip(u64::from(size.get(end)).next_multiple_of(align), 1) {
            Some(after) => rest = after,
            None => break,
        }
    }
    Ok(None)
}
