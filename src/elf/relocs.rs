//! Which symbols the relocations refer to.

use std::io;

use object::elf::{self, Machine, Rel32, Rel64, Rela32, Rela64};
use object::endian::Endianness;
use object::read::elf::{Rel, Rela};

use super::tables::{MAX_SYMBOLS, Tables};
use super::{Class, Order};
use crate::bytes::ReadAt;

/// A symbol that some relocation refers to, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reference {
    pub(super) symbol: u32,
    /// False sorts before true: one that is not lazy decides.
    pub(super) lazy: bool,
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
    found.dedup_by_key(|reference| reference.symbol);
    Ok(found)
}

/// Adds what one table refers to, but for the part of it in `except`.
fn collect<R: ReadAt>(
    tables: &mut Tables<'_, '_, R>,
    table: &Table,
    except: Option<(u64, u64)>,
    found: &mut Vec<Reference>,
) -> io::Result<()> {
    let size = entry_size(tables.facts.class, table.addends);
    let end = table.start.saturating_add(table.len);
    let mut at = table.start;
    while end.saturating_sub(at) >= size {
        if let Some((start, len)) = except
            && (start..start.saturating_add(len)).contains(&at)
        {
            at = start.saturating_add(len);
            continue;
        }
        let Some(symbol) = symbol_at(tables, at, table.addends)? else { break };
        if symbol != 0 && u64::from(symbol) < MAX_SYMBOLS {
            found.push(Reference { symbol, lazy: table.lazy });
        }
        at += size;
    }
    Ok(())
}

fn symbol_at<R: ReadAt>(tables: &mut Tables<'_, '_, R>, at: u64, addends: bool) -> io::Result<Option<u32>> {
    let facts = tables.facts;
    let mips = Machine(facts.header.machine) == elf::EM_MIPS;
    let mips64el = mips && facts.class == Class::Elf64 && facts.order == Order::Little;
    let end = tables.order;
    let windows = &mut tables.windows;
    Ok(match (facts.class, addends) {
        (Class::Elf32, false) => windows.get::<Rel32<Endianness>>(at)?.map(|r| Rel::r_sym(&r, end)),
        (Class::Elf32, true) => windows.get::<Rela32<Endianness>>(at)?.map(|r| Rela::r_sym(&r, end, false)),
        // The halves of `r_info` are where an addend does not matter.
        (Class::Elf64, false) if mips64el => {
            windows.get::<Rel64<Endianness>>(at)?.map(|r| Rela::r_sym(&Rela64::from(r), end, true))
        }
        (Class::Elf64, false) => windows.get::<Rel64<Endianness>>(at)?.map(|r| Rel::r_sym(&r, end)),
        (Class::Elf64, true) => {
            windows.get::<Rela64<Endianness>>(at)?.map(|r| Rela::r_sym(&r, end, mips64el))
        }
    })
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
