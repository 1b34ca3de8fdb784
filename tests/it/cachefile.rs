//! A small writer of ld.so.cache, for worlds. It writes what it is told, also
//! nonsense; the one that matters is in the library and has its own tests.
//!
//! `cache: KEY FLAGS VALUE [hwcap=N] [osversion=N] [isa=N] [sub=NAME]`: numbers
//! are hexadecimal; `sub` names a subdirectory of glibc-hwcaps.
//! `cache-is old|compat`, `cache-is as-given` (not sorted), `cache-is order=N`
//! (the byte that says which byte order), `cache-is swapped`, `count=N`, `cut=N`,
//! `cache-is present` (a cache without entries).

use std::cmp::Ordering;

use crate::synth::Out;
use crate::world::unescape;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CacheSpec {
    entries: Vec<CacheEntry>,
    format: Format,
    is_present: bool,
    as_given: bool,
    swapped: bool,
    order: Option<u8>,
    count: Option<u32>,
    cut: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Format {
    #[default]
    New,
    Old,
    Compat,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct CacheEntry {
    key: Vec<u8>,
    value: Vec<u8>,
    flags: u32,
    osversion: u32,
    hwcap: u64,
    isa: u64,
    sub: Option<Vec<u8>>,
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("a hexadecimal number")
}

impl CacheSpec {
    pub fn entry(&mut self, text: &str) {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [key, flags, value, options @ ..] = &words[..] else { panic!("cache: KEY FLAGS VALUE") };
        let mut entry = CacheEntry {
            key: unescape(key),
            value: unescape(value),
            flags: hex(flags) as u32,
            ..CacheEntry::default()
        };
        for option in options {
            match option.split_once('=').expect("NAME=VALUE") {
                ("hwcap", n) => entry.hwcap = hex(n),
                ("osversion", n) => entry.osversion = hex(n) as u32,
                ("isa", n) => entry.isa = hex(n),
                ("sub", name) => entry.sub = Some(unescape(name)),
                _ => panic!("no option `{option}` of a cache entry"),
            }
        }
        self.is_present = true;
        self.entries.push(entry);
    }

    pub fn setting(&mut self, text: &str) {
        self.is_present = true;
        match text.split_once('=').unwrap_or((text, "")) {
            ("old", _) => self.format = Format::Old,
            ("compat", _) => self.format = Format::Compat,
            ("present", _) => {}
            ("as-given", _) => self.as_given = true,
            ("swapped", _) => self.swapped = true,
            ("order", n) => self.order = Some(hex(n) as u8),
            ("count", n) => self.count = Some(hex(n) as u32),
            ("cut", n) => self.cut = Some(n.parse().expect("a number")),
            _ => panic!("a cache cannot be `{text}`"),
        }
    }

    /// The file, if a world has one.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        if !self.is_present {
            return None;
        }
        let mut entries: Vec<&CacheEntry> = self.entries.iter().collect();
        if !self.as_given {
            entries.sort_by(|a, b| {
                let hwcaps_first = b.sub.is_some().cmp(&a.sub.is_some());
                let by_name = a.sub.cmp(&b.sub);
                lib_order(&b.key, &a.key).then(b.flags.cmp(&a.flags)).then(hwcaps_first).then(by_name)
            });
        }
        let mut out = Out { bytes: Vec::new(), is_64: true, big_endian: self.swapped };
        match self.format {
            Format::New => self.write_new(&mut out, &entries),
            Format::Old => self.write_old(&mut out, &entries, true),
            Format::Compat => {
                self.write_old(&mut out, &entries, false);
                out.align(8);
                self.write_new(&mut out, &entries);
            }
        }
        out.bytes.truncate(self.cut.unwrap_or(usize::MAX));
        Some(out.bytes)
    }

    fn write_old(&self, out: &mut Out, entries: &[&CacheEntry], with_strings: bool) {
        out.bytes.extend(b"ld.so-1.7.0\0");
        out.u32(self.count.unwrap_or(entries.len() as u32));
        let mut strings = Vec::new();
        for entry in entries {
            let key = add(&mut strings, &entry.key);
            let value = add(&mut strings, &entry.value);
            [entry.flags, key, value].into_iter().for_each(|w| out.u32(w));
        }
        if with_strings {
            out.bytes.extend(strings);
        }
    }

    /// Offsets count from the new header, but that of the extension counts from the file.
    fn write_new(&self, out: &mut Out, entries: &[&CacheEntry]) {
        let start = out.bytes.len();
        let names = self.names();
        let base = (48 + 24 * entries.len()) as u32;
        let mut strings = Vec::new();
        let name_offsets: Vec<u32> = names.iter().map(|n| base + add(&mut strings, n)).collect();
        out.bytes.extend(b"glibc-ld.so.cache1.1");
        out.u32(self.count.unwrap_or(entries.len() as u32));
        let length_at = out.bytes.len();
        out.u32(0);
        out.u8(self.order.unwrap_or(if self.swapped { 3 } else { 2 }));
        out.bytes.extend([0; 3]);
        let extension_at = out.bytes.len();
        out.bytes.extend([0; 16]);
        for entry in entries {
            out.u32(entry.flags);
            let key = base + add(&mut strings, &entry.key);
            let value = base + add(&mut strings, &entry.value);
            [key, value, entry.osversion].into_iter().for_each(|w| out.u32(w));
            let index = entry.sub.as_ref().and_then(|sub| names.iter().position(|n| n == sub));
            let named = index.map(|i| 1 << 62 | entry.isa << 32 | i as u64);
            out.u64(named.unwrap_or(entry.hwcap));
        }
        put(out, length_at, strings.len() as u32);
        out.bytes.extend(strings);
        if names.is_empty() {
            return;
        }
        out.align(4);
        let extension = out.bytes.len() as u32;
        put(out, extension_at, extension);
        [0xeaa4_2174, 1, 1, 0, extension + 24, 4 * names.len() as u32].into_iter().for_each(|w| out.u32(w));
        debug_assert_eq!(out.bytes.len() as u32, extension + 24);
        name_offsets.iter().for_each(|&o| out.u32(o));
        debug_assert!(start.is_multiple_of(8));
    }

    fn names(&self) -> Vec<Vec<u8>> {
        let mut names: Vec<Vec<u8>> = self.entries.iter().filter_map(|e| e.sub.clone()).collect();
        names.sort();
        names.dedup();
        names
    }
}

fn add(strings: &mut Vec<u8>, text: &[u8]) -> u32 {
    crate::synth::intern(strings, text) as u32
}

fn put(out: &mut Out, at: usize, value: u32) {
    let bytes = if out.big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    out.bytes[at..at + 4].copy_from_slice(&bytes);
}

/// `_dl_cache_libcmp`: runs of digits compare as 32-bit numbers.
fn lib_order(mut a: &[u8], mut b: &[u8]) -> Ordering {
    let digits = |s: &[u8]| s.iter().take_while(|c| c.is_ascii_digit()).count();
    let value =
        |s: &[u8]| s.iter().fold(0u32, |n, c| n.wrapping_mul(10).wrapping_add(u32::from(c - b'0'))) as i32;
    while let (Some(&x), Some(&y)) = (a.first(), b.first()) {
        let order = match (x.is_ascii_digit(), y.is_ascii_digit()) {
            (true, true) => {
                let (m, n) = (digits(a), digits(b));
                let order = value(&a[..m]).cmp(&value(&b[..n]));
                (a, b) = (&a[m..], &b[n..]);
                order
            }
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                (a, b) = (&a[1..], &b[1..]);
                (x as i8).cmp(&(y as i8))
            }
        };
        if order.is_ne() {
            return order;
        }
    }
    a.len().cmp(&b.len())
}
