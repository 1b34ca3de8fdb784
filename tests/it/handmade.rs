//! ELF files made by hand, of either class and byte order.
//!
//! The unit tests of `elf` use them as well, so this knows nothing of the crate.

/// What to make. All of it lies in one segment that starts at [`BASE`].
#[derive(Clone, Default)]
pub(crate) struct Made {
    pub(crate) narrow: bool,
    pub(crate) big: bool,
    pub(crate) machine: u16,
    pub(crate) e_type: u16,
    pub(crate) interp: Option<&'static [u8]>,
    /// Tag and string, in file order.
    pub(crate) names: Vec<(u64, &'static str)>,
    /// Tag and value, after the names.
    pub(crate) values: Vec<(u64, u64)>,
    /// File and its versions.
    pub(crate) needs: Vec<(&'static str, Vec<&'static str>)>,
    pub(crate) defs: Vec<&'static str>,
    /// Alignment of the segment, and its bytes.
    pub(crate) notes: Vec<(u64, Vec<u8>)>,
    pub(crate) symbols: Vec<Symbol>,
    pub(crate) hash: Hash,
    /// Bytes between the headers and the rest, to move it.
    pub(crate) gap: usize,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Symbol {
    pub(crate) name: &'static str,
    pub(crate) defined: bool,
    pub(crate) bind: u8,
    pub(crate) kind: u8,
    pub(crate) versym: u16,
    /// 0 no relocation, 1 a jump slot, 2 another one, 3 both.
    pub(crate) relocs: u8,
}

#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum Hash {
    #[default]
    Gnu,
    Sysv,
    None,
}

pub(crate) const BASE: u64 = 0x10000;

pub(crate) const DT_NEEDED: u64 = 1;
pub(crate) const DT_SONAME: u64 = 14;
pub(crate) const DT_RPATH: u64 = 15;
pub(crate) const DT_RUNPATH: u64 = 29;

impl Made {
    /// A library with a bit of everything.
    pub(crate) fn everything(narrow: bool, big: bool, hash: Hash) -> Made {
        let symbol =
            |name, defined, bind, kind, versym, relocs| Symbol { name, defined, bind, kind, versym, relocs };
        Made {
            narrow,
            big,
            machine: 62,
            e_type: 3,
            interp: Some(b"/lib/ld.so\0"),
            names: vec![
                (DT_NEEDED, "liba.so.1"),
                (0x7fff_fffd, "libaux.so"),
                (DT_NEEDED, "libb.so.2"),
                (DT_RPATH, "/first"),
                (DT_SONAME, "libme.so.3"),
                (DT_RPATH, "/second"),
                (DT_RUNPATH, "$ORIGIN/../lib"),
            ],
            values: vec![(30, 8), (0x6fff_fffb, 0x800), (21, 0)],
            needs: vec![("liba.so.1", vec!["A_1.0", "A_2.0"]), ("libb.so.2", vec!["B_1"])],
            defs: vec!["libme.so.3", "ME_1.0"],
            notes: vec![
                (4, note(big, 4, *b"GNU\0", 1, &words(big, &[0, 3, 2, 0]))),
                (4, note(big, 4, *b"GNU\0", 3, b"0123456789abcdefghij")),
                (8, note(big, 8, *b"GNU\0", 5, &words(big, &[0xc000_8002, 4, 5, 0]))),
                (4, note(big, 4, *b"FDO\0", 0x407c_0c0a, b"[{\"soname\":[\"libx.so\"]}]\0")),
            ],
            symbols: vec![
                symbol("wanted_call", false, 1, 2, 2, 1),
                symbol("wanted_data", false, 1, 1, 3, 2),
                symbol("wanted_both", false, 1, 2, 0, 3),
                symbol("wanted_weakly", false, 2, 0, 4, 2),
                symbol("not_referred_to", false, 1, 2, 0, 0),
                symbol("offered", true, 1, 2, 5, 0),
                symbol("offered_once", true, 10, 1, 5, 0),
                symbol("stdin", true, 2, 1, 1, 0),
                symbol("hidden_version", true, 1, 2, 0x8005, 0),
            ],
            hash,
            gap: 0,
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut file = Writer { bytes: Vec::new(), wide: !self.narrow, big: self.big };
        let segments = 2 + usize::from(self.interp.is_some()) + self.notes.len();
        let (head, entry) = if self.narrow { (52, 32) } else { (64, 56) };
        file.bytes.resize(head + entry * segments + self.gap, 0);
        let mut table = Vec::new();
        if let Some(interp) = self.interp {
            table.push((3, file.put(interp), interp.len() as u64, 1));
        }
        for (align, note) in &self.notes {
            file.align(*align as usize);
            table.push((4, file.put(note), note.len() as u64, *align));
        }
        let dynamic = self.tables(&mut file);
        file.align(8);
        let at = file.here();
        for (tag, value) in &dynamic {
            file.word(*tag);
            file.word(*value);
        }
        table.push((2, at, file.here() - at, 8));
        table.push((1, 0, file.here(), 4096));
        let body = std::mem::take(&mut file.bytes);
        self.head(&mut file, &table);
        let len = file.bytes.len();
        file.bytes.extend_from_slice(&body[len..]);
        file.bytes
    }

    fn head(&self, file: &mut Writer, segments: &[(u32, u64, u64, u64)]) {
        let class = if self.narrow { 1 } else { 2 };
        let data = if self.big { 2 } else { 1 };
        file.bytes.extend_from_slice(&[0x7f, b'E', b'L', b'F', class, data, 1]);
        file.bytes.resize(16, 0);
        file.half(self.e_type);
        file.half(self.machine);
        file.int(1);
        file.word(BASE + 0x40);
        file.word(if self.narrow { 52 } else { 64 });
        file.word(0);
        file.int(0);
        for half in
            [if self.narrow { 52 } else { 64 }, if self.narrow { 32 } else { 56 }, segments.len(), 0, 0, 0]
        {
            file.half(half as u16);
        }
        for (kind, offset, size, align) in segments {
            file.int(*kind);
            if file.wide {
                file.int(4);
            }
            for value in [*offset, BASE + offset, BASE + offset, *size, *size] {
                file.word(value);
            }
            if !file.wide {
                file.int(4);
            }
            file.word(*align);
        }
    }

    /// Writes what the dynamic section points to, and returns its entries.
    fn tables(&self, file: &mut Writer) -> Vec<(u64, u64)> {
        let mut strings = Strings(vec![0]);
        let mut dynamic: Vec<(u64, u64)> =
            self.names.iter().map(|(tag, name)| (*tag, strings.add(name))).collect();
        dynamic.extend(&self.values);
        let names: Vec<u64> = self.symbols.iter().map(|s| strings.add(s.name)).collect();
        if !self.symbols.is_empty() {
            self.symbol_tables(file, &names, &mut dynamic);
        }
        if !self.needs.is_empty() {
            dynamic.push((0x6fff_fffe, BASE + self.verneed(file, &mut strings)));
        }
        if !self.defs.is_empty() {
            dynamic.push((0x6fff_fffc, BASE + self.verdef(file, &mut strings)));
        }
        dynamic.push((5, BASE + file.put(&strings.0)));
        dynamic.push((10, strings.0.len() as u64));
        dynamic.push((0, 0));
        dynamic
    }

    fn symbol_tables(&self, file: &mut Writer, names: &[u64], dynamic: &mut Vec<(u64, u64)>) {
        file.align(8);
        dynamic.push((6, BASE + file.here()));
        file.bytes.resize(file.bytes.len() + if self.narrow { 16 } else { 24 }, 0);
        for (symbol, name) in self.symbols.iter().zip(names) {
            let value = if symbol.defined { BASE } else { 0 };
            file.int(*name as u32);
            if self.narrow {
                file.word(value);
                file.int(0);
            }
            file.bytes.extend_from_slice(&[symbol.bind << 4 | symbol.kind, 0]);
            file.half(symbol.defined.into());
            if !self.narrow {
                file.word(value);
                file.word(0);
            }
        }
        dynamic.push((0x6fff_fff0, BASE + file.here()));
        file.half(0);
        self.symbols.iter().for_each(|s| file.half(s.versym));
        file.align(8);
        match self.hash {
            Hash::Gnu => dynamic.push((0x6fff_fef5, BASE + self.gnu_hash(file))),
            Hash::Sysv => dynamic.push((4, BASE + self.sysv_hash(file))),
            Hash::None => {}
        }
        for (bit, tag, size_tag) in [(1, 23, 2), (2, 7, 8)] {
            let at = file.here();
            for (index, _) in self.symbols.iter().enumerate().filter(|(_, s)| s.relocs & bit != 0) {
                let symbol = index as u64 + 1;
                file.word(BASE);
                file.word(if self.narrow { symbol << 8 | 7 } else { symbol << 32 | 7 });
                file.word(0);
            }
            dynamic.push((tag, BASE + at));
            dynamic.push((size_tag, file.here() - at));
        }
        dynamic.push((20, 7));
    }

    /// One bucket, a filter that lets everything pass; the undefined ones first.
    fn gnu_hash(&self, file: &mut Writer) -> u64 {
        let at = file.here();
        let first = self.symbols.iter().position(|s| s.defined).unwrap_or(0) + 1;
        [1, first as u32, 1, 5].into_iter().for_each(|word| file.int(word));
        file.word(u64::MAX);
        file.int(first as u32);
        for (index, symbol) in self.symbols.iter().enumerate().skip(first - 1) {
            let hash = symbol.name.bytes().fold(5381u32, |h, b| h.wrapping_mul(33).wrapping_add(b.into()));
            file.int(hash & !1 | u32::from(index + 1 == self.symbols.len()));
        }
        at
    }

    /// One bucket, and a chain from the last symbol to the first.
    fn sysv_hash(&self, file: &mut Writer) -> u64 {
        let at = file.here();
        let count = self.symbols.len() as u32;
        [1, count + 1, count, 0].into_iter().for_each(|word| file.int(word));
        (0..count).for_each(|index| file.int(index));
        at
    }

    fn verneed(&self, file: &mut Writer, strings: &mut Strings) -> u64 {
        file.align(4);
        let at = file.here();
        let mut index = 2;
        for (i, (name, versions)) in self.needs.iter().enumerate() {
            file.half(1);
            file.half(versions.len() as u16);
            file.int(strings.add(name) as u32);
            file.int(16);
            file.int(if i + 1 < self.needs.len() { 16 + 16 * versions.len() as u32 } else { 0 });
            for (k, version) in versions.iter().enumerate() {
                file.int(0x1234);
                file.half(0);
                file.half(index);
                file.int(strings.add(version) as u32);
                file.int(if k + 1 < versions.len() { 16 } else { 0 });
                index += 1;
            }
        }
        at
    }

    fn verdef(&self, file: &mut Writer, strings: &mut Strings) -> u64 {
        file.align(4);
        let at = file.here();
        let needed: usize = self.needs.iter().map(|(_, versions)| versions.len()).sum();
        for (i, name) in self.defs.iter().enumerate() {
            file.half(1);
            file.half(u16::from(i == 0));
            file.half(if i == 0 { 1 } else { (needed + 1 + i) as u16 });
            file.half(1);
            file.int(0x5678);
            file.int(20);
            file.int(if i + 1 < self.defs.len() { 28 } else { 0 });
            file.int(strings.add(name) as u32);
            file.int(0);
        }
        at
    }
}

/// A note, padded.
pub(crate) fn note(big: bool, align: usize, owner: [u8; 4], kind: u32, desc: &[u8]) -> Vec<u8> {
    let mut bytes = words(big, &[4, desc.len() as u32, kind]);
    bytes.extend_from_slice(&owner);
    bytes.resize(bytes.len().next_multiple_of(align), 0);
    bytes.extend_from_slice(desc);
    bytes.resize(bytes.len().next_multiple_of(align), 0);
    bytes
}

pub(crate) fn words(big: bool, words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|w| if big { w.to_be_bytes() } else { w.to_le_bytes() }).collect()
}

struct Strings(Vec<u8>);

impl Strings {
    fn add(&mut self, name: &str) -> u64 {
        let at = self.0.len() as u64;
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(0);
        at
    }
}

struct Writer {
    bytes: Vec<u8>,
    wide: bool,
    big: bool,
}

impl Writer {
    fn here(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn put(&mut self, bytes: &[u8]) -> u64 {
        let at = self.here();
        self.bytes.extend_from_slice(bytes);
        at
    }

    fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    fn half(&mut self, value: u16) {
        let bytes = if self.big { value.to_be_bytes() } else { value.to_le_bytes() };
        self.bytes.extend_from_slice(&bytes);
    }

    fn int(&mut self, value: u32) {
        let bytes = if self.big { value.to_be_bytes() } else { value.to_le_bytes() };
        self.bytes.extend_from_slice(&bytes);
    }

    fn word(&mut self, value: u64) {
        let bytes = if self.big { value.to_be_bytes() } else { value.to_le_bytes() };
        match (self.wide, self.big) {
            (true, _) => self.bytes.extend_from_slice(&bytes),
            (false, true) => self.bytes.extend_from_slice(&bytes[4..]),
            (false, false) => self.bytes.extend_from_slice(&bytes[..4]),
        }
    }
}
