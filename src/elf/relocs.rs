//! Which symbols the relocations refer to.

use std::io;

use object::elf::{self, Machine, Rel32, Rel64, Rela32, Rela64};
use object::endian::Endianness;
use object::read::elf::{Rel, Rela};

use super::tables::{MAX_SYMBOLS, Tables};
use super::{Class, Facts, Order};
use crate::bytes::ReadAt;

/// As many entries of a table as are looked at, relative ones at its start not counted.
const MAX_ENTRIES: u64 = 4 << 20;

/// A symbol that some relocation refers to, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reference {
    pub(super) symbol: u32,
    /// False sorts before true: one that is not lazy decides.
    pub(super) lazy: bool,
    /// The first of its table that refers to the symbol.
    pub(super) at: u32,
    /// It copies what another file defines.
    pub(super) copy: bool,
}

/// A table: where, how long, with addends or not.
struct Table {
    start: u64,
    len: u64,
    addends: bool,
    lazy: bool,
}

/// All symbols that are referred to, sorted, each once.
pub(super) fn references<R: ReadAt>(tables: &mut Tables<'_, '_, R>) -> io::Result<Vec<Reference>> {
    let info = tables.facts.dynamic;
    let mut found = Vec::new();
    if let Some((start, len)) = info.jmprel {
        let table = Table { start, len, addends: info.jmprel_is_rela, lazy: true };
        collect(tables, &table, None, &mut found)?;
    }
    // On some machines these tables enclose the one above.
    if let Some((start, len)) = info.rela {
        let relative = info.relacount.saturating_mul(entry_size(tables.facts.class, true)).min(len);
        let table =
            Table { start: start.saturating_add(relative), len: len - relative, addends: true, lazy: false };
        collect(tables, &table, info.jmprel, &mut found)?;
    }
    if let Some((start, len)) = info.rel {
        let table = Table { start, len, addends: false, lazy: false };
        collect(tables, &table, info.jmprel, &mut found)?;
    }
    found.sort_unstable();
    found.dedup_by(|next, kept| {
        kept.copy |= next.symbol == kept.symbol && next.copy;
        next.symbol == kept.symbol
    });
    Ok(found)
}

/// A table is longer than is looked at.
pub(super) fn exceed(facts: &Facts) -> bool {
    let info = facts.dynamic;
    let tables =
        [(info.jmprel, info.jmprel_is_rela, 0), (info.rela, true, info.relacount), (info.rel, false, 0)];
    let is_long = |(table, addends, relative): (Option<(u64, u64)>, bool, u64)| {
        let entries = table.map_or(0, |(_, len)| len / entry_size(facts.class, addends));
        entries.saturating_sub(relative) > MAX_ENTRIES
    };
    tables.into_iter().any(is_long)
}

/// Adds what one table refers to, but for the part of it in `except`.
fn collect<R: ReadAt>(
    tables: &mut Tables<'_, '_, R>,
    table: &Table,
    except: Option<(u64, u64)>,
    found: &mut Vec<Reference>,
) -> io::Result<()> {
    let size = entry_size(tables.facts.class, table.addends);
    let end = table.start.saturating_add(table.len.min(MAX_ENTRIES * size));
    let mut at = table.start;
    while end.saturating_sub(at) >= size {
        if let Some((start, len)) = except
            && (start..start.saturating_add(len)).contains(&at)
        {
            at = start.saturating_add(len);
            continue;
        }
        let Some((symbol, kind)) = entry_at(tables, at, table.addends)? else { break };
        if symbol != 0 && u64::from(symbol) < MAX_SYMBOLS {
            let index = u32::try_from((at - table.start) / size).unwrap_or(u32::MAX);
            let copy = Some(kind) == tables.copies;
            found.push(Reference { symbol, lazy: table.lazy, at: index, copy });
        }
        at += size;
    }
    Ok(())
}

/// Symbol and type of one relocation.
fn entry_at<R: ReadAt>(
    tables: &mut Tables<'_, '_, R>,
    at: u64,
    addends: bool,
) -> io::Result<Option<(u32, u32)>> {
    let facts = tables.facts;
    let mips = Machine(facts.header.machine) == elf::EM_MIPS;
    let mips64el = mips && facts.class == Class::Elf64 && facts.order == Order::Little;
    let end = tables.order;
    let windows = &mut tables.windows;
    let rela = |r: Rela64<Endianness>| (Rela::r_sym(&r, end, mips64el), Rela::r_type(&r, end, mips64el).0);
    Ok(match (facts.class, addends) {
        (Class::Elf32, false) => {
            windows.get::<Rel32<Endianness>>(at)?.map(|r| (Rel::r_sym(&r, end), Rel::r_type(&r, end).0))
        }
        (Class::Elf32, true) => windows
            .get::<Rela32<Endianness>>(at)?
            .map(|r| (Rela::r_sym(&r, end, false), Rela::r_type(&r, end, false).0)),
        // The halves of `r_info` are where an addend does not matter.
        (Class::Elf64, false) => windows.get::<Rel64<Endianness>>(at)?.map(|r| rela(Rela64::from(r))),
        (Class::Elf64, true) => windows.get::<Rela64<Endianness>>(at)?.map(rela),
    })
}

/// The type of a relocation that copies data into the program, where the machine has one.
pub(super) fn copies(machine: u16) -> Option<u32> {
    let kind = match Machine(machine) {
        elf::EM_X86_64 => elf::R_X86_64_COPY,
        elf::EM_386 => elf::R_386_COPY,
        elf::EM_AARCH64 => elf::R_AARCH64_COPY,
        elf::EM_ARM => elf::R_ARM_COPY,
        elf::EM_PPC => elf::R_PPC_COPY,
        elf::EM_PPC64 => elf::R_PPC64_COPY,
        elf::EM_S390 => elf::R_390_COPY,
        elf::EM_RISCV => elf::R_RISCV_COPY,
        elf::EM_LOONGARCH => elf::R_LARCH_COPY,
        elf::EM_MIPS => elf::R_MIPS_COPY,
        elf::EM_SPARC | elf::EM_SPARC32PLUS | elf::EM_SPARCV9 => elf::R_SPARC_COPY,
        elf::EM_68K => elf::R_68K_COPY,
        elf::EM_SH => elf::R_SH_COPY,
        _ => return None,
    };
    Some(kind.0)
}

fn entry_size(class: Class, addends: bool) -> u64 {
    let size = match (class, addends) {
        (Class::Elf32, false) => size_of::<Rel32<Endianness>>(),
        (Class::Elf32, true) => size_of::<Rela32<Endianness>>(),
        (Class::Elf64, false) => size_of::<Rel64<Endianness>>(),
        (Class::Elf64, true) => size_of::<Rela64<Endianness>>(),
    };
    size as u64
}
