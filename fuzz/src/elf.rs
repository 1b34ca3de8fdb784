//! ELF files around any bytes: one segment that holds everything, tables where
//! the dynamic section says, notes.

const EHDR: [u16; 2] = [52, 64];
const PHDR: [u16; 2] = [32, 56];
const SEGMENTS: usize = 4;

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const PT_NOTE: u32 = 4;

pub const DT_NEEDED: u64 = 1;
pub const DT_HASH: u64 = 4;
pub const DT_STRTAB: u64 = 5;
pub const DT_SYMTAB: u64 = 6;
pub const DT_RELA: u64 = 7;
pub const DT_RELASZ: u64 = 8;
pub const DT_STRSZ: u64 = 10;
pub const DT_SONAME: u64 = 14;
pub const DT_PLTREL: u64 = 20;
pub const DT_JMPREL: u64 = 23;
pub const DT_PLTRELSZ: u64 = 2;
pub const DT_GNU_HASH: u64 = 0x6fff_fef5;
pub const DT_VERSYM: u64 = 0x6fff_fff0;
pub const DT_FLAGS_1: u64 = 0x6fff_fffb;
pub const DT_VERDEF: u64 = 0x6fff_fffc;
pub const DT_VERNEED: u64 = 0x6fff_fffe;

pub const DF_1_PIE: u64 = 0x0800_0000;

/// A file that is being made. Addresses are offsets.
pub struct Elf {
    wide: bool,
    big: bool,
    machine: u16,
    bytes: Vec<u8>,
    interp: Option<(u64, u64)>,
    note: Option<(u64, u64, u64)>,
    dynamic: Vec<(u64, u64)>,
}

impl Elf {
    pub fn new(wide: bool, big: bool, machine: u16) -> Elf {
        let len = usize::from(EHDR[usize::from(wide)]) + SEGMENTS * usize::from(PHDR[usize::from(wide)]);
        Elf { wide, big, machine, bytes: vec![0; len], interp: None, note: None, dynamic: Vec::new() }
    }

    /// As most are.
    pub fn x86_64() -> Elf {
        Elf::new(true, false, 62)
    }

    pub fn put(&mut self, bytes: &[u8]) -> u64 {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let at = self.bytes.len() as u64;
        self.bytes.extend_from_slice(bytes);
        at
    }

    pub fn tag(&mut self, tag: u64, value: u64) {
        self.dynamic.push((tag, value));
    }

    pub fn table(&mut self, tag: u64, bytes: &[u8]) {
        let at = self.put(bytes);
        self.tag(tag, at);
    }

    /// With the tag of its size.
    pub fn sized(&mut self, tag: u64, size: u64, bytes: &[u8]) {
        self.table(tag, bytes);
        self.tag(size, bytes.len() as u64);
    }

    pub fn interp(&mut self, path: &[u8]) {
        let at = self.put(&[path, b"\0"].concat());
        self.interp = Some((at, path.len() as u64 + 1));
    }

    /// The segment of all notes.
    pub fn notes(&mut self, align: u64, bytes: &[u8]) {
        self.note = Some((self.put(bytes), bytes.len() as u64, align));
    }

    pub fn bytes(mut self) -> Vec<u8> {
        let mut dynamic = Vec::new();
        for (tag, value) in self.dynamic.clone().into_iter().chain([(0, 0)]) {
            self.word(&mut dynamic, tag);
            self.word(&mut dynamic, value);
        }
        let at = self.put(&dynamic);
        let mut segments = vec![(PT_LOAD, 0, self.bytes.len() as u64, 4096)];
        if !self.dynamic.is_empty() {
            segments.push((PT_DYNAMIC, at, dynamic.len() as u64, 8));
        }
        segments.extend(self.interp.map(|(at, len)| (PT_INTERP, at, len, 1)));
        segments.extend(self.note.map(|(at, len, align)| (PT_NOTE, at, len, align)));
        let head = self.head(&segments);
        self.bytes[..head.len()].copy_from_slice(&head);
        self.bytes
    }

    fn head(&self, segments: &[(u32, u64, u64, u64)]) -> Vec<u8> {
        let (ehdr, phdr) = (EHDR[usize::from(self.wide)], PHDR[usize::from(self.wide)]);
        let mut head = b"\x7fELF".to_vec();
        head.extend([1 + u8::from(self.wide), 1 + u8::from(self.big), 1]);
        head.resize(16, 0);
        self.half(&mut head, 3);
        self.half(&mut head, self.machine);
        self.int(&mut head, 1);
        for word in [64, u64::from(ehdr), 0] {
            self.word(&mut head, word);
        }
        self.int(&mut head, 0);
        for half in [ehdr, phdr, segments.len() as u16, 0, 0, 0] {
            self.half(&mut head, half);
        }
        for (kind, at, len, align) in segments {
            self.int(&mut head, *kind);
            if self.wide {
                self.int(&mut head, 4);
            }
            for word in [*at, *at, *at, *len, *len] {
                self.word(&mut head, word);
            }
            if !self.wide {
                self.int(&mut head, 4);
            }
            self.word(&mut head, *align);
        }
        head
    }

    fn half(&self, to: &mut Vec<u8>, value: u16) {
        to.extend(if self.big { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    pub fn int(&self, to: &mut Vec<u8>, value: u32) {
        to.extend(if self.big { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    pub fn word(&self, to: &mut Vec<u8>, value: u64) {
        match self.wide {
            true => to.extend(if self.big { value.to_be_bytes() } else { value.to_le_bytes() }),
            false => self.int(to, value as u32),
        }
    }
}

/// A library or a program as the rules of needs look at it.
#[derive(Default)]
pub struct Plain<'p> {
    pub interp: Option<&'p [u8]>,
    pub soname: Option<&'p str>,
    pub needed: &'p [&'p str],
    pub calls: &'p [&'p str],
    /// The second of them is a version that it defines.
    pub defs: &'p [&'p str],
    /// Constants, each of which ends with NUL.
    pub texts: &'p [&'p [u8]],
    /// `.note.dlopen`
    pub dlopen: Option<&'p [u8]>,
    pub is_static: bool,
}

impl Plain<'_> {
    pub fn bytes(&self) -> Vec<u8> {
        let mut elf = Elf::x86_64();
        let mut strings = vec![0];
        let mut name = |text: &str| {
            strings.extend_from_slice(text.as_bytes());
            strings.push(0);
            (strings.len() - text.len() - 1) as u32
        };
        self.needed.iter().for_each(|needed| elf.tag(DT_NEEDED, name(needed).into()));
        self.soname.iter().for_each(|soname| elf.tag(DT_SONAME, name(soname).into()));
        let calls: Vec<u32> = self.calls.iter().map(|call| name(call)).collect();
        let defs: Vec<u32> = self.defs.iter().map(|def| name(def)).collect();
        elf.sized(DT_STRTAB, DT_STRSZ, &strings);
        self.interp.iter().for_each(|interp| elf.interp(interp));
        for text in self.texts {
            elf.put(&[text, &b"\0"[..]].concat());
        }
        if let Some(json) = self.dlopen {
            let head = [4_u32, json.len() as u32, 0x407c_0c0a].map(u32::to_le_bytes).concat();
            elf.notes(4, &[&head[..], b"FDO\0", json].concat());
        }
        if self.is_static {
            elf.tag(DT_FLAGS_1, DF_1_PIE);
        }
        if !calls.is_empty() {
            imports(&mut elf, &calls);
        }
        if !defs.is_empty() {
            elf.table(DT_VERDEF, &definitions(&defs));
        }
        elf.bytes()
    }
}

/// Functions that are called, by their names in the table of strings.
fn imports(elf: &mut Elf, names: &[u32]) {
    let mut symbols = vec![0; 24];
    let mut hash = [1, names.len() as u32 + 1].map(u32::to_le_bytes).concat();
    hash.resize(4 * (names.len() + 4), 0);
    let mut relocations = Vec::new();
    for (name, number) in names.iter().zip(1_u64..) {
        symbols.extend(name.to_le_bytes());
        symbols.extend([0x12, 0]);
        symbols.resize(symbols.len() + 18, 0);
        relocations.extend([8, number << 32 | 7, 0].map(u64::to_le_bytes).concat());
    }
    elf.table(DT_SYMTAB, &symbols);
    elf.table(DT_HASH, &hash);
    elf.sized(DT_JMPREL, DT_PLTRELSZ, &relocations);
    elf.tag(DT_PLTREL, DT_RELA);
}

fn definitions(names: &[u32]) -> Vec<u8> {
    let mut table = Vec::new();
    for (name, number) in names.iter().zip(1_u16..) {
        let next = if usize::from(number) < names.len() { 28 } else { 0 };
        let halves = [1, u16::from(number == 1), number, 1].map(u16::to_le_bytes).concat();
        table.extend(halves);
        table.extend([0, 20, next, *name, 0].map(u32::to_le_bytes).concat());
    }
    table
}
