//! `DT_VERNEED` and `DT_VERDEF`, as glibc walks them in `dl-version.c`: along the
//! offsets from record to record, without a look at the counts.
//!
//! Offsets only lead forward, so a walk ends where the segment does.

use object::elf::{Verdaux, Verdef, Vernaux, Verneed};
use object::endian::Endianness;
use object::pod::Pod;

use super::dynamic::Tags;
use super::layout::{self, Place};
use super::read::Reader;
use super::window::{Read, Stop, split};
use super::{Facts, VersionDef, VersionNeed};
use crate::bytes::ReadAt;

const MAX_RECORDS: usize = 1 << 14;
const BAD: Stop = Stop::Bad("a version table");
/// `VER_FLG_BASE` and `VER_FLG_WEAK`.
const BASE: u16 = 1;
const WEAK: u16 = 2;

/// Reads both tables. One that is damaged is left empty, and said so: musl does
/// not look at it, and glibc only after everything is loaded.
pub(super) fn read<R: ReadAt>(reader: &mut Reader<'_, '_, R>, facts: &mut Facts, tags: &Tags) -> Read<()> {
    let strings = tags.strtab.and_then(|addr| layout::place(&reader.segments, addr));
    // Linkers put it before the other one: so one window often serves both.
    if let Some(addr) = tags.verdef {
        facts.version_defs =
            or_none(reader, facts, (tags, addr), |reader, table| defs(reader, table, strings))?;
    }
    if let Some(addr) = tags.verneed {
        facts.version_needs =
            or_none(reader, facts, (tags, addr), |reader, table| needs(reader, table, strings))?;
    }
    facts.has_bad_needs |= !facts.version_needs.is_empty() && !tags.has_versym();
    Ok(())
}

/// The table at `addr`, or an empty one and a word about it.
fn or_none<R: ReadAt, T>(
    reader: &mut Reader<'_, '_, R>,
    facts: &mut Facts,
    (tags, addr): (&Tags, u64),
    table: impl FnOnce(&mut Reader<'_, '_, R>, Place) -> Read<Vec<T>>,
) -> Read<Vec<T>> {
    let mark = reader.text.len();
    let place = layout::place(&reader.segments, addr).ok_or(BAD);
    match split(place.and_then(|place| table(reader, place)))? {
        Ok(records) => Ok(records),
        Err(what) => {
            reader.text.truncate(mark);
            facts.version_fault = Some(what);
            facts.has_bad_needs = tags.verneed == Some(addr);
            Ok(Vec::new())
        }
    }
}

fn needs<R: ReadAt>(
    reader: &mut Reader<'_, '_, R>,
    mut table: Place,
    strings: Option<Place>,
) -> Read<Vec<VersionNeed>> {
    let end = reader.order;
    let mut needs = Vec::with_capacity(8);
    loop {
        let record: Verneed<Endianness> = record(reader, table)?;
        if record.vn_version.get(end) != 1 {
            return Err(BAD);
        }
        let file = reader.name(strings, record.vn_file.get(end).into())?;
        let mut aux = skip(table, record.vn_aux.get(end))?;
        loop {
            let version: Vernaux<Endianness> = self::record(reader, aux)?;
            needs.push(VersionNeed {
                file,
                name: reader.name(strings, version.vna_name.get(end).into())?,
                hash: version.vna_hash.get(end),
                index: version.vna_other.get(end).0 & 0x7fff,
                weak: version.vna_flags.get(end).0 & WEAK != 0,
            });
            match version.vna_next.get(end) {
                0 => break,
                next => aux = skip(aux, next)?,
            }
            limit(needs.len())?;
        }
        limit(needs.len())?;
        match record.vn_next.get(end) {
            0 => return Ok(needs),
            next => table = skip(table, next)?,
        }
    }
}

fn defs<R: ReadAt>(
    reader: &mut Reader<'_, '_, R>,
    mut table: Place,
    strings: Option<Place>,
) -> Read<Vec<VersionDef>> {
    let end = reader.order;
    let mut defs = Vec::with_capacity(4);
    loop {
        let record: Verdef<Endianness> = record(reader, table)?;
        if record.vd_version.get(end) != 1 {
            return Err(BAD);
        }
        // The first name is the version's own; its parents follow.
        let first: Verdaux<Endianness> = self::record(reader, skip(table, record.vd_aux.get(end))?)?;
        defs.push(VersionDef {
            name: reader.name(strings, first.vda_name.get(end).into())?,
            hash: record.vd_hash.get(end),
            index: record.vd_ndx.get(end).0 & 0x7fff,
            base: record.vd_flags.get(end).0 & BASE != 0,
        });
        limit(defs.len())?;
        match record.vd_next.get(end) {
            0 => return Ok(defs),
            next => table = skip(table, next)?,
        }
    }
}

fn record<T: Pod, R: ReadAt>(reader: &mut Reader<'_, '_, R>, place: Place) -> Read<T> {
    let place = place.skip(0, size_of::<T>() as u64).ok_or(BAD)?;
    reader.windows.get(place.offset)?.ok_or(BAD)
}

fn skip(place: Place, by: u32) -> Read<Place> {
    place.skip(by.into(), 1).ok_or(BAD)
}

fn limit(count: usize) -> Read<()> {
    if count < MAX_RECORDS { Ok(()) } else { Err(BAD) }
}
