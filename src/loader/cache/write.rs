//! The new format, as ldconfig 2.33 and newer write it.

use std::cmp::Ordering;

use super::extension::{MAGIC, TAG_GENERATOR, TAG_HWCAPS};
use super::{
    Chars, HWCAP_EXTENSION, ISA_LEVEL_MASK, Listed, LoaderAbi, NEW_ENTRY, NEW_HEADER, NEW_MAGIC, libcmp,
};
use crate::elf::Order;
use crate::intern::Map;

const GENERATOR: &[u8] = b"depcollect";

/// An entry to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    pub flags: u32,
    pub hwcap: Hwcap,
}

/// For which processors an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hwcap {
    Any,
    /// From `glibc-hwcaps/NAME`.
    Named {
        name: Vec<u8>,
        isa_level: u32,
    },
    /// The bits of legacy subdirectories (up to 2.36).
    Legacy(u64),
}

/// The order of a table, as ldconfig sorts it. Of equal entries the loader
/// takes the first: a sort by this has to be a stable one.
pub fn order(a: &Entry, b: &Entry, chars: Chars) -> Ordering {
    // The table descends.
    libcmp(&b.key, &a.key, chars)
        .cmp(&0)
        .then_with(|| b.flags.cast_signed().cmp(&a.flags.cast_signed()))
        .then_with(|| by_hwcap(&a.hwcap, &b.hwcap))
}

/// Named ones first, by name; then more legacy bits before fewer.
fn by_hwcap(a: &Hwcap, b: &Hwcap) -> Ordering {
    let bits = |hwcap: &Hwcap| match hwcap {
        Hwcap::Legacy(bits) => (bits.count_ones(), *bits),
        Hwcap::Any | Hwcap::Named { .. } => (0, 0),
    };
    match (a, b) {
        (Hwcap::Named { name: a, .. }, Hwcap::Named { name: b, .. }) => a.cmp(b),
        (Hwcap::Named { .. }, Hwcap::Any | Hwcap::Legacy(_)) => Ordering::Less,
        (Hwcap::Any | Hwcap::Legacy(_), Hwcap::Named { .. }) => Ordering::Greater,
        (Hwcap::Any | Hwcap::Legacy(_), Hwcap::Any | Hwcap::Legacy(_)) => bits(b).cmp(&bits(a)),
    }
}

/// The bytes of a cache with these entries, sorted for the loader of `abi`.
pub fn write(entries: &[Entry], abi: &LoaderAbi) -> Vec<u8> {
    let mut entries = entries.to_vec();
    entries.sort_by(|a, b| order(a, b, abi.chars));
    let names = hwcap_names(&entries);
    let mut strings = Strings::after(NEW_HEADER + entries.len() * NEW_ENTRY);
    let mut table = Words { bytes: Vec::new(), order: abi.order };
    for entry in &entries {
        table.put(entry.flags);
        table.put(strings.offset(&entry.key));
        table.put(strings.offset(&entry.value));
        table.put(0);
        table.put_wide(hwcap_field(&entry.hwcap, &names));
    }
    let name_offsets: Vec<u32> = names.iter().map(|name| strings.offset(name)).collect();
    let extension_at = (strings.start + strings.bytes.len()).next_multiple_of(4);

    let mut file = Words { bytes: NEW_MAGIC.to_vec(), order: abi.order };
    file.put(fits(entries.len()));
    file.put(fits(strings.bytes.len()));
    let order_flag = if abi.order == Order::Little { 2 } else { 3 };
    file.bytes.extend_from_slice(&[order_flag, 0, 0, 0]);
    file.put(fits(extension_at));
    file.bytes.resize(NEW_HEADER, 0);
    file.bytes.append(&mut table.bytes);
    file.bytes.append(&mut strings.bytes);
    file.bytes.resize(extension_at, 0);
    put_extension(&mut file, &name_offsets);
    file.bytes
}

fn put_extension(file: &mut Words, names: &[u32]) {
    let sections = if names.is_empty() { 1 } else { 2 };
    let names_at = file.bytes.len() + 8 + 16 * sections;
    file.put(MAGIC);
    file.put(fits(sections));
    file.put_section(TAG_GENERATOR, names_at + 4 * names.len(), GENERATOR.len());
    if !names.is_empty() {
        file.put_section(TAG_HWCAPS, names_at, 4 * names.len());
    }
    for &name in names {
        file.put(name);
    }
    file.bytes.extend_from_slice(GENERATOR);
}

/// Each name once, ascending: the loader merges them with its own.
fn hwcap_names(entries: &[Entry]) -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = entries
        .iter()
        .filter_map(|entry| match &entry.hwcap {
            Hwcap::Named { name, .. } => Some(name.clone()),
            Hwcap::Any | Hwcap::Legacy(_) => None,
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

fn hwcap_field(hwcap: &Hwcap, names: &[Vec<u8>]) -> u64 {
    match hwcap {
        Hwcap::Any => 0,
        Hwcap::Legacy(bits) => *bits,
        Hwcap::Named { name, isa_level } => {
            let index = names.binary_search(name).expect("every name of an entry is listed");
            HWCAP_EXTENSION | (u64::from(*isa_level) & ISA_LEVEL_MASK) << 32 | index as u64
        }
    }
}

/// Strings behind the table, each stored once.
struct Strings {
    start: usize,
    bytes: Vec<u8>,
    known: Map<Vec<u8>, u32>,
}

impl Strings {
    fn after(start: usize) -> Strings {
        Strings { start, bytes: Vec::new(), known: Map::default() }
    }

    /// The file offset of `text`, with its NUL.
    fn offset(&mut self, text: &[u8]) -> u32 {
        debug_assert!(!text.contains(&0), "names and paths hold no NUL");
        if let Some(&known) = self.known.get(text) {
            return known;
        }
        let offset = fits(self.start + self.bytes.len());
        self.bytes.extend_from_slice(text);
        self.bytes.push(0);
        self.known.insert(text.to_vec(), offset);
        offset
    }
}

fn fits(n: usize) -> u32 {
    u32::try_from(n).expect("a cache is far below 4 GiB")
}

/// Bytes with integers in the target's order.
struct Words {
    bytes: Vec<u8>,
    order: Order,
}

impl Words {
    fn put(&mut self, word: u32) {
        let bytes = match self.order {
            Order::Little => word.to_le_bytes(),
            Order::Big => word.to_be_bytes(),
        };
        self.bytes.extend_from_slice(&bytes);
    }

    fn put_wide(&mut self, word: u64) {
        let bytes = match self.order {
            Order::Little => word.to_le_bytes(),
            Order::Big => word.to_be_bytes(),
        };
        self.bytes.extend_from_slice(&bytes);
    }

    fn put_section(&mut self, tag: u32, offset: usize, size: usize) {
        self.put(tag);
        self.put(0);
        self.put(fits(offset));
        self.put(fits(size));
    }
}

impl From<&Listed<'_>> for Entry {
    /// The same entry, to be written again.
    fn from(listed: &Listed<'_>) -> Entry {
        let hwcap = match (listed.hwcap_name, listed.hwcap) {
            (Some(name), bits) => {
                let isa_level = (bits >> 32 & ISA_LEVEL_MASK) as u32;
                Hwcap::Named { name: name.to_vec(), isa_level }
            }
            (None, 0) => Hwcap::Any,
            (None, bits) => Hwcap::Legacy(bits),
        };
        Entry { key: listed.key.to_vec(), value: listed.value.to_vec(), flags: listed.flags, hwcap }
    }
}
