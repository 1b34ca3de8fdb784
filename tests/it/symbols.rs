//! The symbols, versions and relocations of a made ELF file.

use crate::synth::{Out, intern};

/// What a file defines and asks for. `NAME@VERSION` names a version that the
/// file defines or needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Symbols {
    pub exports: Vec<Vec<u8>>,
    /// Functions, through `DT_JMPREL`: bound when called.
    pub calls: Vec<Vec<u8>>,
    /// Data, through `DT_RELA` (`DT_REL` on machines that use it): bound at start.
    pub data: Vec<Vec<u8>>,
    /// As `data`, but weak.
    pub weak: Vec<Vec<u8>>,
    /// Data of others of which the program has the only copy (x86-64).
    pub copied: Vec<Vec<u8>>,
    /// File name and versions; a `?` behind a version makes it weak.
    pub needs: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
    /// The first is the base version, which names the file.
    pub defs: Vec<Vec<u8>>,
    /// Leave `DT_HASH` out, as linkers do that write `DT_GNU_HASH` only.
    pub no_hash: bool,
}

const SHN_UNDEF: u16 = 0;
const SHN_DEFINED: u16 = 1;

struct Symbol<'a> {
    name: &'a [u8],
    /// Binding and type.
    info: u8,
    section: u16,
    version: u16,
}

pub fn elf_hash(name: &[u8]) -> u32 {
    name.iter().fold(0u32, |h, &c| {
        let h = (h << 4).wrapping_add(c.into());
        let g = h & 0xf000_0000;
        (h ^ (g >> 24)) & !g
    })
}

/// `NAME@VERSION` in two.
fn split(name: &[u8]) -> (&[u8], Option<&[u8]>) {
    match name.iter().position(|&c| c == b'@') {
        Some(at) => (&name[..at], Some(&name[at + 1..])),
        None => (name, None),
    }
}

impl Symbols {
    /// Writes all tables and says which tags lead to them. `shift` is what
    /// makes an address of a file offset.
    pub fn write(
        &self,
        out: &mut Out,
        strings: &mut Vec<u8>,
        shift: u64,
        code: u64,
        machine: u16,
    ) -> Vec<(u64, u64)> {
        let list = self.list();
        let mut tags = vec![(6, out.len() + shift), (11, if out.is_64 { 24 } else { 16 })];
        write_symbol(out, 0, &Symbol { name: b"", info: 0, section: SHN_UNDEF, version: 0 }, 0);
        for symbol in &list {
            let name = intern(strings, symbol.name);
            let value = if symbol.section == SHN_UNDEF { 0 } else { code };
            write_symbol(out, name, symbol, value);
        }
        if !self.no_hash {
            tags.push((4, out.len() + shift));
            write_hash(out, &list, machine);
        }
        if !self.needs.is_empty() || !self.defs.is_empty() {
            tags.push((0x6fff_fff0, out.len() + shift));
            out.u16(0);
            list.iter().for_each(|s| out.u16(s.version));
            out.align(8);
        }
        self.write_needs(out, strings, shift, &mut tags);
        self.write_defs(out, strings, shift, &mut tags);
        self.write_relocations(out, shift, machine, &mut tags);
        out.align(8);
        tags
    }

    fn list(&self) -> Vec<Symbol<'_>> {
        let entry = |text, info, section| {
            let (name, version) = split(text);
            let version = version.map_or(1, |v| self.version_index(v));
            Symbol { name, info, section, version }
        };
        let defined = self.exports.iter().map(|n| entry(n, 0x11, SHN_DEFINED));
        let copied = self.copied.iter().map(|n| entry(n, 0x11, SHN_DEFINED));
        let calls = self.calls.iter().map(|n| entry(n, 0x12, SHN_UNDEF));
        let data = self.data.iter().map(|n| entry(n, 0x11, SHN_UNDEF));
        let weak = self.weak.iter().map(|n| entry(n, 0x21, SHN_UNDEF));
        defined.chain(calls).chain(data).chain(weak).chain(copied).collect()
    }

    /// Definitions are numbered from 1, needs behind them.
    fn version_index(&self, version: &[u8]) -> u16 {
        let needs = self.needs.iter().flat_map(|(_, versions)| versions);
        let mut all = self.defs.iter().chain(needs);
        let at = all.position(|v| v.strip_suffix(b"?").unwrap_or(v) == version);
        match at {
            Some(at) if self.defs.is_empty() => at as u16 + 2,
            Some(at) => at as u16 + 1,
            None => panic!("version {} is neither defined nor needed", String::from_utf8_lossy(version)),
        }
    }

    fn write_needs(&self, out: &mut Out, strings: &mut Vec<u8>, shift: u64, tags: &mut Vec<(u64, u64)>) {
        if self.needs.is_empty() {
            return;
        }
        tags.extend([(0x6fff_fffe, out.len() + shift), (0x6fff_ffff, self.needs.len() as u64)]);
        for (i, (file, versions)) in self.needs.iter().enumerate() {
            let is_last = i + 1 == self.needs.len();
            out.u16(1);
            out.u16(versions.len() as u16);
            out.u32(intern(strings, file) as u32);
            out.u32(16);
            out.u32(if is_last { 0 } else { 16 + 16 * versions.len() as u32 });
            for (k, version) in versions.iter().enumerate() {
                let name = version.strip_suffix(b"?").unwrap_or(version);
                out.u32(elf_hash(name));
                out.u16(if name.len() < version.len() { 2 } else { 0 });
                out.u16(self.version_index(name));
                out.u32(intern(strings, name) as u32);
                out.u32(if k + 1 == versions.len() { 0 } else { 16 });
            }
        }
    }

    fn write_defs(&self, out: &mut Out, strings: &mut Vec<u8>, shift: u64, tags: &mut Vec<(u64, u64)>) {
        if self.defs.is_empty() {
            return;
        }
        tags.extend([(0x6fff_fffc, out.len() + shift), (0x6fff_fffd, self.defs.len() as u64)]);
        for (i, name) in self.defs.iter().enumerate() {
            out.u16(1);
            out.u16(u16::from(i == 0));
            out.u16(i as u16 + 1);
            out.u16(1);
            out.u32(elf_hash(name));
            out.u32(20);
            out.u32(if i + 1 == self.defs.len() { 0 } else { 28 });
            out.u32(intern(strings, name) as u32);
            out.u32(0);
        }
    }

    fn write_relocations(&self, out: &mut Out, shift: u64, machine: u16, tags: &mut Vec<(u64, u64)>) {
        let (calls, plain) = (self.calls.len(), self.data.len() + self.weak.len());
        let data = plain + self.copied.len();
        if calls + data == 0 {
            return;
        }
        let word: u64 = if out.is_64 { 8 } else { 4 };
        out.align(8);
        let got = out.len() + shift;
        tags.push((3, got));
        out.bytes.resize(out.bytes.len() + (3 + calls + data) * word as usize, 0);
        let is_rela = !matches!(machine, 3 | 8 | 40);
        let size = word * if is_rela { 3 } else { 2 };
        let first = 1 + self.exports.len() as u64;
        let slot = |i: usize| got + (3 + i as u64) * word;
        let jmprel = out.len() + shift;
        for i in 0..calls {
            write_relocation(out, slot(i), first + i as u64, 7, is_rela);
        }
        let rel = out.len() + shift;
        for i in calls..calls + data {
            let kind = if i < calls + plain { 6 } else { 5 };
            write_relocation(out, slot(i), first + i as u64, kind, is_rela);
        }
        if calls > 0 {
            let kind = if is_rela { 7 } else { 17 };
            tags.extend([(23, jmprel), (2, calls as u64 * size), (20, kind)]);
        }
        if data > 0 {
            let tag = if is_rela { 7 } else { 17 };
            tags.extend([(tag, rel), (tag + 1, data as u64 * size), (tag + 2, size)]);
        }
    }
}

fn write_symbol(out: &mut Out, name: u64, symbol: &Symbol<'_>, value: u64) {
    out.u32(name as u32);
    if out.is_64 {
        out.u8(symbol.info);
        out.u8(0);
        out.u16(symbol.section);
        out.u64(value);
        out.u64(8);
    } else {
        out.u32(value as u32);
        out.u32(8);
        out.u8(symbol.info);
        out.u8(0);
        out.u16(symbol.section);
    }
}

/// One bucket with all symbols in one chain. 64-bit s390 and alpha have words
/// of eight bytes.
fn write_hash(out: &mut Out, list: &[Symbol<'_>], machine: u16) {
    let wide = out.is_64 && matches!(machine, 22 | 0x9026 | 0xa390);
    let count = list.len() as u64 + 1;
    let mut words = vec![1, count, u64::from(count > 1), 0];
    words.extend((2..=count).map(|next| if next < count { next } else { 0 }));
    words.truncate(3 + count as usize);
    for word in words {
        if wide { out.u64(word) } else { out.u32(word as u32) }
    }
    out.align(8);
}

fn write_relocation(out: &mut Out, at: u64, symbol: u64, kind: u64, is_rela: bool) {
    out.word(at);
    out.word(if out.is_64 { symbol << 32 | kind } else { symbol << 8 | kind });
    if is_rela {
        out.word(0);
    }
}
