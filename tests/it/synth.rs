//! ELF files to order, for trees that a real loader is asked about.
//!
//! There are no section headers and two segments: the headers with what only
//! the kernel reads, and everything that the loader reads, mapped 64 KiB above
//! its file offset so that a reader that mixes up the two is found out. A
//! program of x86-64 really runs: it prints the path of each loaded object.

use crate::symbols::Symbols;
use depcollect::elf::{Class, Facts, Order};

pub const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const PT_NOTE: u32 = 4;
const PT_PHDR: u32 = 6;
const PT_GNU_STACK: u32 = 0x6474_e551;
const PT_GNU_PROPERTY: u32 = 0x6474_e553;

pub const DT_NEEDED: u64 = 1;
pub const DT_SONAME: u64 = 14;
pub const DT_RPATH: u64 = 15;
pub const DT_RUNPATH: u64 = 29;
pub const DT_DEPAUDIT: u64 = 0x6fff_fefb;
pub const DT_AUDIT: u64 = 0x6fff_fefc;
pub const DT_AUXILIARY: u64 = 0x7fff_fffd;
pub const DT_FILTER: u64 = 0x7fff_ffff;
const DT_FLAGS: u64 = 30;
const DT_FLAGS_1: u64 = 0x6fff_fffb;
const DT_DEBUG: u64 = 21;

/// How far the second segment is mapped above its file offset.
const SHIFT: u64 = 0x1_0000;
/// Where an `ET_EXEC` is mapped.
const EXEC_BASE: u64 = 0x40_0000;

/// A file as ordered. The default is a library of x86-64 that needs nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elf {
    pub is_64: bool,
    pub big_endian: bool,
    pub machine: u16,
    pub e_type: u16,
    pub e_flags: u32,
    pub e_version: u32,
    pub phentsize: Option<u16>,
    pub osabi: u8,
    pub abiversion: u8,
    pub pad: u8,
    pub interp: Option<Vec<u8>>,
    /// Tags with a string (`DT_NEEDED`, `DT_RPATH`, …), written in this order.
    pub strings: Vec<(u64, Vec<u8>)>,
    pub flags: u64,
    pub flags_1: u64,
    /// More tags, with their values.
    pub tags: Vec<(u64, u64)>,
    pub symbols: Symbols,
    /// Owner, type, contents, alignment.
    pub notes: Vec<Note>,
    /// Bytes that nothing points to, in the first segment.
    pub constants: Vec<u8>,
    pub exec_stack: bool,
    /// `DT_RELR`, an empty table.
    pub relr: bool,
    pub no_dynamic: bool,
    /// `PT_DYNAMIC` with `p_filesz` 0, as in a file of debug information.
    pub empty_dynamic: bool,
    pub no_load: bool,
    /// Bytes set last, wherever they fall.
    pub patches: Vec<(usize, Vec<u8>)>,
    pub truncate: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub owner: &'static [u8],
    pub kind: u32,
    pub desc: NoteDesc,
}

/// Words follow the byte order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoteDesc {
    Words(Vec<u32>),
    Bytes(Vec<u8>),
    /// `GNU_PROPERTY_X86_ISA_1_NEEDED`, in its own segment.
    Isa(u32),
}

impl Default for Elf {
    fn default() -> Self {
        Elf {
            is_64: true,
            big_endian: false,
            machine: 62,
            e_type: 3,
            e_flags: 0,
            e_version: 1,
            phentsize: None,
            osabi: 0,
            abiversion: 0,
            pad: 0,
            interp: None,
            strings: Vec::new(),
            flags: 0,
            flags_1: 0,
            tags: Vec::new(),
            symbols: Symbols::default(),
            notes: Vec::new(),
            constants: Vec::new(),
            exec_stack: false,
            relr: false,
            no_dynamic: false,
            empty_dynamic: false,
            no_load: false,
            patches: Vec::new(),
            truncate: None,
        }
    }
}

/// Bytes under construction, in the class and byte order of one file.
#[derive(Debug, Clone)]
pub struct Out {
    pub bytes: Vec<u8>,
    pub is_64: bool,
    pub big_endian: bool,
}

impl Out {
    fn number(&mut self, value: u64, size: usize) {
        let all = value.to_le_bytes();
        let mut bytes = all[..size].to_vec();
        if self.big_endian {
            bytes.reverse();
        }
        self.bytes.extend(bytes);
    }

    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub fn u16(&mut self, value: u16) {
        self.number(value.into(), 2);
    }

    pub fn u32(&mut self, value: u32) {
        self.number(value.into(), 4);
    }

    pub fn u64(&mut self, value: u64) {
        self.number(value, 8);
    }

    /// An address, offset or size: as wide as the class.
    pub fn word(&mut self, value: u64) {
        self.number(value, if self.is_64 { 8 } else { 4 });
    }

    pub fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    pub fn len(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// One program header.
struct Segment {
    kind: u32,
    flags: u32,
    offset: u64,
    addr: u64,
    size: u64,
    align: u64,
}

/// Where things of the first segment ended up, as file offsets.
#[derive(Default)]
struct Places {
    interp: (u64, u64),
    notes: (u64, u64),
    property: (u64, u64),
    code: u64,
    /// Where the second segment starts.
    data: u64,
    dynamic: (u64, u64),
    /// The value of `DT_DEBUG`.
    debug: u64,
}

impl Elf {
    /// For the machine of another file.
    pub fn like(mut self, other: &Facts) -> Elf {
        (self.is_64, self.big_endian) = (other.class == Class::Elf64, other.order == Order::Big);
        (self.machine, self.e_flags) = (other.header.machine, other.header.flags);
        self
    }

    fn base(&self) -> u64 {
        if self.e_type == 2 { EXEC_BASE } else { 0 }
    }

    fn out(&self) -> Out {
        Out { bytes: Vec::new(), is_64: self.is_64, big_endian: self.big_endian }
    }

    /// How large the ELF header and one program header are.
    fn sizes(&self) -> (u64, u64) {
        if self.is_64 { (64, 56) } else { (52, 32) }
    }

    fn segment_count(&self) -> u64 {
        let has = |b: bool| u64::from(b);
        let property = self.notes.iter().any(|n| matches!(n.desc, NoteDesc::Isa(_)));
        let plain = self.notes.iter().any(|n| !matches!(n.desc, NoteDesc::Isa(_)));
        has(self.interp.is_some()) * 2
            + has(!self.no_load) * 2
            + has(!self.no_dynamic)
            + has(plain)
            + has(property) * 2
            + 1
    }

    pub fn bytes(&self) -> Vec<u8> {
        let (header, entry) = self.sizes();
        let mut out = self.out();
        let mut at = Places::default();
        out.bytes.resize((header + self.segment_count() * entry) as usize, 0);
        self.write_first_segment(&mut out, &mut at);
        self.write_second_segment(&mut out, &mut at);
        let code = program_code(at.code, at.debug);
        let from = at.code as usize;
        out.bytes[from..from + code.len()].copy_from_slice(&code);
        let mut head = self.out();
        self.write_header(&mut head, &at);
        for segment in self.segments(&at, out.len()) {
            write_segment(&mut head, &segment);
        }
        out.bytes[..head.bytes.len()].copy_from_slice(&head.bytes);
        for (offset, patch) in &self.patches {
            out.bytes[*offset..offset + patch.len()].copy_from_slice(patch);
        }
        out.bytes.truncate(self.truncate.unwrap_or(usize::MAX));
        out.bytes
    }

    fn write_first_segment(&self, out: &mut Out, at: &mut Places) {
        if let Some(interp) = &self.interp {
            at.interp = (out.len(), interp.len() as u64 + 1);
            out.bytes.extend(interp);
            out.u8(0);
        }
        out.align(8);
        at.notes.0 = out.len();
        for note in self.notes.iter().filter(|n| !matches!(n.desc, NoteDesc::Isa(_))) {
            self.write_note(out, note);
        }
        at.notes.1 = out.len() - at.notes.0;
        out.align(8);
        at.property.0 = out.len();
        for note in self.notes.iter().filter(|n| matches!(n.desc, NoteDesc::Isa(_))) {
            self.write_note(out, note);
        }
        at.property.1 = out.len() - at.property.0;
        out.bytes.extend(&self.constants);
        out.align(16);
        at.code = out.len();
        out.bytes.resize(out.bytes.len() + 128, 0xc3);
        at.data = out.len();
    }

    fn write_note(&self, out: &mut Out, note: &Note) {
        let mut desc = self.out();
        match &note.desc {
            NoteDesc::Words(words) => words.iter().for_each(|w| desc.u32(*w)),
            NoteDesc::Bytes(bytes) => desc.bytes.extend(bytes),
            NoteDesc::Isa(bits) => {
                [0xc000_8002, 4, *bits].into_iter().for_each(|w| desc.u32(w));
                desc.align(if self.is_64 { 8 } else { 4 });
            }
        }
        out.u32(note.owner.len() as u32);
        out.u32(desc.bytes.len() as u32);
        out.u32(note.kind);
        out.bytes.extend(note.owner);
        out.align(4);
        out.bytes.extend(desc.bytes);
        out.align(4);
    }

    fn write_second_segment(&self, out: &mut Out, at: &mut Places) {
        let shift = SHIFT + self.base();
        let mut strings = vec![0u8];
        let mut tags: Vec<(u64, u64)> =
            self.strings.iter().map(|(tag, text)| (*tag, intern(&mut strings, text))).collect();
        let code = at.code + self.base();
        tags.extend(self.symbols.write(out, &mut strings, shift, code, self.machine));
        if self.flags != 0 {
            tags.push((DT_FLAGS, self.flags));
        }
        if self.flags_1 != 0 {
            tags.push((DT_FLAGS_1, self.flags_1));
        }
        tags.extend(&self.tags);
        if self.relr {
            // The table, its size and that of an entry.
            tags.extend([(36, out.len() + shift), (35, 0), (37, if self.is_64 { 8 } else { 4 })]);
        }
        tags.push((5, out.len() + shift));
        tags.push((10, strings.len() as u64));
        out.bytes.extend(&strings);
        out.align(8);
        if self.interp.is_some() {
            tags.push((DT_DEBUG, 0));
        }
        tags.push((0, 0));
        at.dynamic.0 = out.len();
        for (tag, value) in tags {
            out.word(tag);
            if tag == DT_DEBUG {
                at.debug = out.len() + SHIFT;
            }
            out.word(value);
        }
        at.dynamic.1 = out.len() - at.dynamic.0;
    }

    fn write_header(&self, head: &mut Out, at: &Places) {
        let (size, entry) = self.sizes();
        head.bytes.extend(b"\x7fELF");
        head.u8(if self.is_64 { 2 } else { 1 });
        head.u8(if self.big_endian { 2 } else { 1 });
        head.bytes.extend([1, self.osabi, self.abiversion, self.pad, 0, 0, 0, 0, 0, 0]);
        head.u16(self.e_type);
        head.u16(self.machine);
        head.u32(self.e_version);
        head.word(if self.interp.is_some() { at.code + self.base() } else { 0 });
        head.word(size);
        head.word(0);
        head.u32(self.e_flags);
        head.u16(size as u16);
        head.u16(self.phentsize.unwrap_or(entry as u16));
        head.u16(self.segment_count() as u16);
        [0, 0, 0].into_iter().for_each(|v| head.u16(v));
    }

    fn segments(&self, at: &Places, end: u64) -> Vec<Segment> {
        let base = self.base();
        let (header, entry) = self.sizes();
        let segment = |kind, flags, (offset, size): (u64, u64), shift: u64, align| Segment {
            kind,
            flags,
            offset,
            addr: offset + shift + base,
            size,
            align,
        };
        let mut list = Vec::new();
        if self.interp.is_some() {
            list.push(segment(PT_PHDR, 4, (header, self.segment_count() * entry), 0, 8));
            list.push(segment(PT_INTERP, 4, at.interp, 0, 1));
        }
        if !self.no_load {
            list.push(segment(PT_LOAD, 5, (0, at.data), 0, 0x1000));
            list.push(segment(PT_LOAD, 6, (at.data, end - at.data), SHIFT, 0x1000));
        }
        if !self.no_dynamic {
            let size = if self.empty_dynamic { 0 } else { at.dynamic.1 };
            list.push(segment(PT_DYNAMIC, 6, (at.dynamic.0, size), SHIFT, 8));
        }
        if at.notes.1 > 0 {
            list.push(segment(PT_NOTE, 4, at.notes, 0, 4));
        }
        if at.property.1 > 0 {
            let align = if self.is_64 { 8 } else { 4 };
            list.push(segment(PT_NOTE, 4, at.property, 0, align));
            list.push(segment(PT_GNU_PROPERTY, 4, at.property, 0, align));
        }
        let stack = if self.exec_stack { 7 } else { 6 };
        list.push(Segment { kind: PT_GNU_STACK, flags: stack, offset: 0, addr: 0, size: 0, align: 16 });
        list
    }
}

/// Adds a string to the table and says where.
pub fn intern(strings: &mut Vec<u8>, text: &[u8]) -> u64 {
    let at = strings.len() as u64;
    strings.extend(text);
    strings.push(0);
    at
}

fn write_segment(out: &mut Out, s: &Segment) {
    out.u32(s.kind);
    if out.is_64 {
        out.u32(s.flags);
    }
    out.word(s.offset);
    out.word(s.addr);
    out.word(s.addr);
    out.word(s.size);
    out.word(s.size);
    if !out.is_64 {
        out.u32(s.flags);
    }
    out.word(s.align);
}

/// x86-64: walks the list that `DT_DEBUG` leads to, writes each name and a
/// newline to stdout, and exits with 0.
fn program_code(code: u64, debug: u64) -> Vec<u8> {
    let mut bytes = vec![0x48, 0x8b, 0x1d];
    bytes.extend(((debug.wrapping_sub(code + 7)) as u32).to_le_bytes()); // mov rbx, [rip+debug]
    bytes.extend([
        0x48, 0x85, 0xdb, 0x74, 0x43, // test rbx, rbx; jz exit
        0x48, 0x8b, 0x5b, 0x08, // mov rbx, [rbx+8]: r_map
        0x48, 0x85, 0xdb, 0x74, 0x3a, // next: test rbx, rbx; jz exit
        0x48, 0x8b, 0x73, 0x08, // mov rsi, [rbx+8]: l_name
        0x31, 0xd2, // xor edx, edx
        0x80, 0x3c, 0x16, 0x00, // length: cmp byte [rsi+rdx], 0
        0x74, 0x04, 0xff, 0xc2, 0xeb, 0xf6, // je write; inc edx; jmp length
        0xbf, 1, 0, 0, 0, 0xb8, 1, 0, 0, 0, 0x0f, 0x05, // write: write(1, rsi, rdx)
        0x48, 0x8d, 0x35, 0x20, 0, 0, 0, // lea rsi, [rip+newline]
        0xba, 1, 0, 0, 0, 0xbf, 1, 0, 0, 0, 0xb8, 1, 0, 0, 0, 0x0f, 0x05, // write(1, rsi, 1)
        0x48, 0x8b, 0x5b, 0x18, // mov rbx, [rbx+24]: l_next
        0xeb, 0xc1, // jmp next
        0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05, // exit: exit(0)
        b'\n',
    ]);
    bytes
}
