//! The hash tables of the dynamic symbols.

use std::io;

use object::elf::{self, Machine};

use super::tables::{MAX_SYMBOLS, RawSymbol, Tables};
use super::{Class, Facts};
use crate::bytes::ReadAt;

/// How far a chain of `DT_HASH` is followed; it may lead in a circle.
const MAX_CHAIN: u64 = 1 << 16;

/// `DT_GNU_HASH`: its header, and where its parts begin.
struct Gnu {
    buckets: u32,
    first: u32,
    bloom_words: u32,
    shift: u32,
    bloom_at: u64,
    buckets_at: u64,
    chains_at: u64,
}

impl Gnu {
    fn read<R: ReadAt>(tables: &mut Tables<'_, '_, R>) -> io::Result<Option<Gnu>> {
        let Some(at) = tables.facts.dynamic.gnu_hash else { return Ok(None) };
        let mut head = [0; 4];
        for (index, word) in (0..).zip(&mut head) {
            let Some(value) = tables.word(at, index)? else { return Ok(None) };
            *word = value;
        }
        let [buckets, first, bloom_words, shift] = head;
        let width = u64::from(tables.class_bits() / 8);
        let bloom_at = at.saturating_add(16);
        let buckets_at = bloom_at.saturating_add(u64::from(bloom_words) * width);
        let chains_at = buckets_at.saturating_add(u64::from(buckets) * 4);
        Ok(Some(Gnu { buckets, first, bloom_words, shift, bloom_at, buckets_at, chains_at }))
    }

    /// After musl's `gnu_lookup_filtered`.
    fn lookup<R: ReadAt>(
        &self,
        tables: &mut Tables<'_, '_, R>,
        name: &[u8],
    ) -> io::Result<Option<RawSymbol>> {
        let hash = gnu_hash(name);
        if self.buckets == 0 || !self.may_hold(tables, hash)? {
            return Ok(None);
        }
        let bucket = tables.word(self.buckets_at, u64::from(hash % self.buckets))?;
        let Some(start) = bucket.filter(|start| *start >= self.first && *start != 0) else { return Ok(None) };
        for index in u64::from(start)..u64::from(start).saturating_add(MAX_SYMBOLS) {
            let Some(found) = tables.word(self.chains_at, index - u64::from(self.first))? else { break };
            if found | 1 == hash | 1 && !tables.hidden(index)? {
                let symbol = tables.symbol(index)?;
                if let Some(symbol) = symbol
                    && tables.is_named(symbol.name, name)?
                {
                    return Ok(Some(symbol));
                }
            }
            if found & 1 != 0 {
                break;
            }
        }
        Ok(None)
    }

    /// The filter spares most lookups the rest of the table.
    fn may_hold<R: ReadAt>(&self, tables: &mut Tables<'_, '_, R>, hash: u32) -> io::Result<bool> {
        let bits = tables.class_bits();
        let index = (hash / bits) & self.bloom_words.wrapping_sub(1);
        let Some(word) = tables.class_word(self.bloom_at, index.into())? else { return Ok(false) };
        let second = hash.checked_shr(self.shift).unwrap_or(0);
        Ok(word >> (hash % bits) & 1 != 0 && word >> (second % bits) & 1 != 0)
    }

    /// One more than the last symbol of the last chain.
    fn count<R: ReadAt>(&self, tables: &mut Tables<'_, '_, R>) -> io::Result<u64> {
        let mut last = 0;
        for index in 0..u64::from(self.buckets).min(MAX_SYMBOLS) {
            let Some(start) = tables.word(self.buckets_at, index)? else { break };
            last = last.max(start);
        }
        // A file that exports nothing may say anything about its first symbol.
        if last < self.first || last == 0 {
            return Ok(0);
        }
        let mut index = u64::from(last);
        while index < MAX_SYMBOLS {
            match tables.word(self.chains_at, index - u64::from(self.first))? {
                Some(word) if word & 1 == 0 => index += 1,
                Some(_) => return Ok(index + 1),
                None => return Ok(index),
            }
        }
        Ok(index)
    }
}

/// The first symbol that `DT_GNU_HASH` can find. Those before it are not defined
/// here. `None`: there is no such table, or it finds nothing.
pub(super) fn first_defined<R: ReadAt>(tables: &mut Tables<'_, '_, R>) -> io::Result<Option<u32>> {
    let Some(gnu) = Gnu::read(tables)? else { return Ok(None) };
    for index in 0..u64::from(gnu.buckets).min(MAX_SYMBOLS) {
        match tables.word(gnu.buckets_at, index)? {
            Some(0) => {}
            Some(start) => return Ok((start >= gnu.first).then_some(gnu.first)),
            None => break,
        }
    }
    Ok(None)
}

/// `DT_HASH`: its two sizes.
struct Sysv {
    at: u64,
    wide: bool,
    buckets: u64,
    chains: u64,
}

impl Sysv {
    fn read<R: ReadAt>(tables: &mut Tables<'_, '_, R>) -> io::Result<Option<Sysv>> {
        let Some(at) = tables.facts.dynamic.hash else { return Ok(None) };
        let mut table = Sysv { at, wide: wide_words(tables.facts), buckets: 0, chains: 0 };
        let Some(buckets) = table.word(tables, 0)? else { return Ok(None) };
        let Some(chains) = table.word(tables, 1)? else { return Ok(None) };
        (table.buckets, table.chains) = (buckets, chains);
        Ok(Some(table))
    }

    fn word<R: ReadAt>(&self, tables: &mut Tables<'_, '_, R>, index: u64) -> io::Result<Option<u64>> {
        match self.wide {
            true => tables.wide_word(self.at, index),
            false => Ok(tables.word(self.at, index)?.map(u64::from)),
        }
    }

    /// After musl's `sysv_lookup`.
    fn lookup<R: ReadAt>(
        &self,
        tables: &mut Tables<'_, '_, R>,
        name: &[u8],
    ) -> io::Result<Option<RawSymbol>> {
        if self.buckets == 0 {
            return Ok(None);
        }
        let mut slot = 2 + u64::from(sysv_hash(name)) % self.buckets;
        for _ in 0..self.chains.min(MAX_CHAIN) {
            let index = match self.word(tables, slot)? {
                None | Some(0) => break,
                Some(index) => index,
            };
            let Some(symbol) = tables.symbol(index)? else { break };
            if tables.is_named(symbol.name, name)? && !tables.hidden(index)? {
                return Ok(Some(symbol));
            }
            slot = index.saturating_add(self.buckets).saturating_add(2);
        }
        Ok(None)
    }
}

/// The symbol called `name`, if a lookup without a version finds it.
pub(super) fn lookup<R: ReadAt>(
    tables: &mut Tables<'_, '_, R>,
    name: &[u8],
) -> io::Result<Option<RawSymbol>> {
    if let Some(gnu) = Gnu::read(tables)? {
        return gnu.lookup(tables, name);
    }
    match Sysv::read(tables)? {
        Some(sysv) => sysv.lookup(tables, name),
        None => Ok(None),
    }
}

/// How many symbols there are, as far as a table implies it. Those that only
/// relocations refer to may lie beyond.
pub(super) fn count<R: ReadAt>(tables: &mut Tables<'_, '_, R>) -> io::Result<u64> {
    if let Some(sysv) = Sysv::read(tables)? {
        return Ok(sysv.chains);
    }
    if let Some(count) = tables.facts.dynamic.mips_symtabno {
        return Ok(count);
    }
    match Gnu::read(tables)? {
        Some(gnu) => gnu.count(tables),
        // Without a hash table nobody finds anything in this file.
        None => Ok(0),
    }
}

/// glibc's `Elf_Symndx` is twice as wide in two places.
fn wide_words(facts: &Facts) -> bool {
    let machine = Machine(facts.header.machine);
    facts.class == Class::Elf64 && matches!(machine, elf::EM_S390 | elf::EM_ALPHA)
}

impl<R: ReadAt> Tables<'_, '_, R> {
    fn class_bits(&self) -> u32 {
        match self.facts.class {
            Class::Elf32 => 32,
            Class::Elf64 => 64,
        }
    }
}

fn gnu_hash(name: &[u8]) -> u32 {
    name.iter().fold(5381, |hash: u32, byte| hash.wrapping_mul(33).wrapping_add(u32::from(*byte)))
}

fn sysv_hash(name: &[u8]) -> u32 {
    name.iter().fold(0, |hash: u32, byte| {
        let hash = hash.wrapping_mul(16).wrapping_add(u32::from(*byte));
        (hash ^ (hash >> 24 & 0xf0)) & 0x0fff_ffff
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_tools() {
        // As they stand in the tables of libc.so.6.
        for (name, gnu, sysv) in [
            ("", 0x1505, 0),
            ("printf", 0x156b_2bb8, 0x0779_05a6),
            ("exit", 0x7c96_7e3f, 0x0006_cf04),
            ("syscall", 0xbac2_12a0, 0x0b09_985c),
        ] {
            assert_eq!((gnu_hash(name.as_bytes()), sysv_hash(name.as_bytes())), (gnu, sysv), "{name}");
        }
    }
}
