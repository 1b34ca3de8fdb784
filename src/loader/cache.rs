//! `ld.so.cache`: what the loader reads, as it reads it, and what we write.
//!
//! Rules from glibc's `elf/dl-cache.c` and `sysdeps/generic/dl-cache.h`. The
//! bytes are kept and entries are decoded when they are looked at, so that a
//! look-up allocates nothing. A cache comes from a file that nobody vouches
//! for: every offset is checked where it is used, and what would have sent
//! the real loader out of its mapping counts as absent.

use std::fmt;

use super::{Cpu, Target, Version};
use crate::elf::Order;

mod abi;
mod compare;
mod extension;
mod image;
mod legacy;
mod search;
mod write;

pub use abi::{Chars, ELF, Flags, LIBC6, LoaderAbi, ldconfig_takes, library_mark};
pub use compare::libcmp;
pub use legacy::{is_legacy_subdir, legacy_bit, legacy_field};
pub use write::{Entry, Hwcap, order, write};

use extension::Names;
use image::{Image, until_nul};

const OLD_MAGIC: &[u8] = b"ld.so-1.7.0";
const OLD_HEADER: usize = 16;
const OLD_ENTRY: usize = 12;
const NEW_MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const NEW_HEADER: usize = 48;
const NEW_ENTRY: usize = 24;

/// Set in the hwcap field of an entry from a `glibc-hwcaps` subdirectory.
const HWCAP_EXTENSION: u64 = 1 << 62;
const ISA_LEVEL_MASK: u64 = (1 << 10) - 1;

/// A cache as one loader reads it.
#[derive(Debug, Clone)]
pub struct Cache {
    image: Image,
    abi: LoaderAbi,
    table: Table,
    names: Names,
}

/// Where the entries of a cache are, and what their offsets count from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Table {
    layout: Layout,
    /// The file offset of the first entry.
    entries: usize,
    count: usize,
    /// The file offset that key and value count from.
    strings: usize,
}

/// Which of the three layouts a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `ld.so-1.7.0`, without hwcap fields.
    Old,
    New,
    /// The new one behind an old one: what ldconfig wrote up to 2.31.
    Compat,
}

/// Why the loader does as if there were no cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// Not longer than the header.
    TooShort { len: usize },
    /// Neither magic number.
    NotACache,
    /// More entries announced than the file has room for.
    TooMany { count: u32, room: usize },
    /// The byte order flag names another order, or none.
    OtherOrder { flag: u8 },
}

/// One look-up's circumstances: the loader's version and the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'a> {
    pub version: Version,
    /// The active `glibc-hwcaps` names, most preferred first.
    pub hwcaps: &'a [Vec<u8>],
    /// x86 only: bit n says that the processor reaches ISA level n.
    pub isa_levels: u32,
    /// Up to 2.36: the hwcap bits of `AT_HWCAP` that count, the platform's bit
    /// and [`TLS_BIT`].
    pub legacy: u64,
    /// Up to 2.35: the kernel, as `major << 16 | minor << 8 | patch`; 0 for any.
    pub kernel: u32,
}

impl<'a> Ask<'a> {
    pub fn of(target: &Target, version: Version, cpu: &'a Cpu) -> Ask<'a> {
        let names = cpu.legacy.iter().chain(&cpu.platform);
        let legacy = names.filter_map(|name| legacy_bit(target, name)).fold(TLS_BIT, |bits, bit| bits | bit);
        Ask { version, hwcaps: &cpu.levels, isa_levels: cpu.isa_bits(), legacy, kernel: 0 }
    }
}

/// The hwcap bit of a `tls` directory. Every loader that looks at it has TLS.
pub const TLS_BIT: u64 = 1 << 63;

/// An entry as it stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed<'a> {
    pub key: &'a [u8],
    pub value: &'a [u8],
    pub flags: u32,
    pub osversion: u32,
    pub hwcap: u64,
    /// The `glibc-hwcaps` subdirectory, where the entry is of one.
    pub hwcap_name: Option<&'a [u8]>,
}

/// What is wrong with a cache that the loader reads nevertheless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// Entries whose key or value lies outside the file.
    pub wild: usize,
    /// The first entry that stands before a greater one: a binary search
    /// misses keys around it.
    pub unsorted: Option<usize>,
    /// The extension directory is malformed: no `glibc-hwcaps` entry is used.
    pub extension: bool,
}

/// The fields of one entry, still as offsets.
#[derive(Debug, Clone, Copy)]
struct Raw {
    flags: u32,
    key: u32,
    value: u32,
    osversion: u32,
    hwcap: u64,
}

impl Cache {
    /// Reads the header, as the loader of `abi` does.
    pub fn parse(bytes: Vec<u8>, abi: LoaderAbi) -> Result<Cache, Unusable> {
        let image = Image::new(bytes, abi.order);
        let table = if image.has(0, NEW_MAGIC) {
            new_table(&image, 0)?
        } else if image.has(0, OLD_MAGIC) {
            old_table(&image, &abi)?
        } else {
            return Err(Unusable::NotACache);
        };
        let names = match table.layout {
            Layout::Old => Names::default(),
            Layout::New | Layout::Compat => Names::read(&image, table.strings),
        };
        Ok(Cache { image, abi, table, names })
    }

    /// The path the loader takes for `name`, with the flags of its own ABI.
    pub fn lookup(&self, name: &[u8], ask: &Ask<'_>) -> Option<&[u8]> {
        search::lookup(self, name, ask)
    }

    /// Every readable entry, in the file's order and of every ABI.
    pub fn entries(&self) -> impl Iterator<Item = Listed<'_>> {
        (0..self.table.count).filter_map(|n| self.listed(n))
    }

    /// The entries whose key is exactly `name`, of every ABI: for a hint.
    pub fn entries_of<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = Listed<'a>> {
        self.entries().filter(move |entry| entry.key == name)
    }

    /// The same, where the circumstances cost something to find out: they are
    /// asked for only if an entry of this name has a condition.
    pub fn lookup_asking<'a>(&self, name: &[u8], ask: impl FnOnce() -> Ask<'a>) -> Option<&[u8]> {
        search::lookup_asking(self, name, ask)
    }

    pub fn layout(&self) -> Layout {
        self.table.layout
    }

    /// How many entries the header announces.
    pub fn len(&self) -> usize {
        self.table.count
    }

    pub fn is_empty(&self) -> bool {
        self.table.count == 0
    }

    /// Looks through the whole table. The loader does not.
    pub fn faults(&self) -> Faults {
        let readable = |n: usize| self.listed(n).is_some();
        Faults {
            wild: (0..self.table.count).filter(|&n| !readable(n)).count(),
            unsorted: (1..self.table.count).find(|&n| self.is_out_of_order(n)).map(|n| n - 1),
            extension: self.names.damaged(),
        }
    }

    fn is_out_of_order(&self, n: usize) -> bool {
        match (self.text(self.raw(n - 1).key), self.text(self.raw(n).key)) {
            (Some(before), Some(after)) => libcmp(before, after, self.abi.chars) < 0,
            (None, _) | (_, None) => false,
        }
    }

    fn listed(&self, n: usize) -> Option<Listed<'_>> {
        let raw = self.raw(n);
        Some(Listed {
            key: until_nul(self.text(raw.key)?),
            value: until_nul(self.text(raw.value)?),
            flags: raw.flags,
            osversion: raw.osversion,
            hwcap: raw.hwcap,
            hwcap_name: self.names.name(&self.image, &raw),
        })
    }

    /// Entry `n`, which is below `count`; `parse` made sure that it is there.
    fn raw(&self, n: usize) -> Raw {
        let word = |at| self.image.word(at);
        match self.table.layout {
            Layout::Old => {
                let at = self.table.entries + n * OLD_ENTRY;
                Raw { flags: word(at), key: word(at + 4), value: word(at + 8), osversion: 0, hwcap: 0 }
            }
            Layout::New | Layout::Compat => {
                let at = self.table.entries + n * NEW_ENTRY;
                Raw {
                    flags: word(at),
                    key: word(at + 4),
                    value: word(at + 8),
                    osversion: word(at + 12),
                    hwcap: self.image.wide(at + 16),
                }
            }
        }
    }

    /// The key of entry `n` alone, for a search.
    fn key(&self, n: usize) -> Option<&[u8]> {
        let size = if self.table.layout == Layout::Old { OLD_ENTRY } else { NEW_ENTRY };
        self.text(self.image.word(self.table.entries + n * size + 4))
    }

    fn text(&self, offset: u32) -> Option<&[u8]> {
        self.image.text(self.table.strings.checked_add(offset as usize)?)
    }
}

/// The table of the new header at `start`.
fn new_table(image: &Image, start: usize) -> Result<Table, Unusable> {
    let len = image.len();
    if len <= start + NEW_HEADER {
        return Err(Unusable::TooShort { len });
    }
    // Before 2.33 nobody looked at the flag; with another order the count is
    // absurd then.
    let flag = image.byte(start + 28);
    let own = if image.order() == Order::Little { 2 } else { 3 };
    if flag != 0 && flag & 3 != own {
        return Err(Unusable::OtherOrder { flag });
    }
    let room = (len - start - NEW_HEADER) / NEW_ENTRY;
    let layout = if start == 0 { Layout::New } else { Layout::Compat };
    let table = Table { layout, entries: start + NEW_HEADER, count: 0, strings: start };
    checked(image.word(start + 20), room, table)
}

/// The table of a file that starts with the old header. If a new one follows
/// it, that is used instead.
fn old_table(image: &Image, abi: &LoaderAbi) -> Result<Table, Unusable> {
    let len = image.len();
    if len <= OLD_HEADER {
        return Err(Unusable::TooShort { len });
    }
    let room = (len - OLD_HEADER) / OLD_ENTRY;
    let old = Table { layout: Layout::Old, entries: OLD_HEADER, count: 0, strings: 0 };
    let old = checked(image.word(12), room, old)?;
    let end = OLD_HEADER + old.count * OLD_ENTRY;
    let new = end.next_multiple_of(abi.cache_align);
    if len >= new + NEW_HEADER && image.has(new, NEW_MAGIC) {
        return new_table(image, new);
    }
    Ok(Table { strings: end, ..old })
}

fn checked(count: u32, room: usize, table: Table) -> Result<Table, Unusable> {
    if count as usize > room {
        return Err(Unusable::TooMany { count, room });
    }
    Ok(Table { count: count as usize, ..table })
}

impl Raw {
    /// Of a `glibc-hwcaps` subdirectory.
    fn is_named(&self) -> bool {
        self.hwcap & !(ISA_LEVEL_MASK << 32) & !0xffff_ffff == HWCAP_EXTENSION
    }

    fn isa_level(&self) -> u64 {
        self.hwcap >> 32 & ISA_LEVEL_MASK
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unusable::TooShort { len } => write!(f, "{len} bytes are too short for a cache"),
            Unusable::NotACache => f.write_str("it does not begin as a cache does"),
            Unusable::TooMany { count, room } => write!(f, "{count} entries announced, room for {room}"),
            Unusable::OtherOrder { .. } => f.write_str("written in another byte order"),
        }
    }
}

#[cfg(test)]
mod tests;
