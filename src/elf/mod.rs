//! What a dynamic loader looks at in a file, from program headers alone.
//!
//! Section headers may be stripped, wrong or hostile; the loader never looks
//! at them and neither does this module.

use std::io;

use crate::bytes::ReadAt;

/// Class, from `e_ident[EI_CLASS]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    Elf32,
    Elf64,
}

/// Byte order, from `e_ident[EI_DATA]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Order {
    Little,
    Big,
}

/// The header as it stands, also where nothing else of the file is usable: the
/// loader refuses or skips a candidate by these fields, in its own order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// `e_ident`, all sixteen bytes: class, data, version, ABI and padding.
    pub ident: [u8; 16],
    /// `e_type`, in the file's own byte order (little if that is unknown).
    pub e_type: u16,
    pub machine: u16,
    pub version: u32,
    pub flags: u32,
    pub entry: u64,
    pub phentsize: u16,
    pub phnum: u16,
}

/// A span of [`Facts::text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    pub start: u32,
    pub len: u32,
}

/// One entry of the dynamic section that asks for an object, in file order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    pub kind: AskKind,
    pub name: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AskKind {
    Needed,
    Auxiliary,
    Filter,
}

/// One version that must be provided by the object called `file`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionNeed {
    pub file: Span,
    pub name: Span,
    pub hash: u32,
    /// What `DT_VERSYM` calls it.
    pub index: u16,
    /// `VER_FLG_WEAK`: its absence is no error.
    pub weak: bool,
}

/// One version that this object provides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionDef {
    pub name: Span,
    pub hash: u32,
    /// What `DT_VERSYM` calls it.
    pub index: u16,
    /// `VER_FLG_BASE`: the name of the file itself.
    pub base: bool,
}

/// `NT_GNU_ABI_TAG`: the kernel a file was built for. glibc 2.35 and older enforce it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbiTag {
    pub os: u32,
    pub kernel: [u32; 3],
}

/// Where the dynamic section points to, as file offsets; for the symbol tables,
/// which are read on demand (`elf::symbols`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DynamicInfo {
    pub strtab: Option<u64>,
    pub strsz: u64,
    pub symtab: Option<u64>,
    pub hash: Option<u64>,
    pub gnu_hash: Option<u64>,
    pub versym: Option<u64>,
    pub rela: Option<(u64, u64)>,
    /// So many of them, at the start, name no symbol.
    pub relacount: u64,
    pub rel: Option<(u64, u64)>,
    pub jmprel: Option<(u64, u64)>,
    pub jmprel_is_rela: bool,
    pub mips_symtabno: Option<u64>,
    pub mips_gotsym: Option<u64>,
}

/// Everything a loader looks at before it maps a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub header: Header,
    pub class: Class,
    pub order: Order,
    /// `PT_INTERP`, up to its first NUL.
    pub interp: Option<Span>,
    /// There is a `PT_INTERP` that the kernel refuses (ENOEXEC): shorter than two
    /// bytes, longer than a path, or without a NUL at its end. Such a program
    /// does not start; to a library it does not matter.
    pub bad_interp: bool,
    pub has_load: bool,
    /// There is a `PT_DYNAMIC` that holds something.
    pub has_dynamic: bool,
    pub mapping: Mapping,
    /// A tag with a value that glibc asserts away.
    pub odd: Option<Odd>,
    pub soname: Option<Span>,
    /// The last one counts, as for every single-valued tag.
    pub rpath: Option<Span>,
    pub runpath: Option<Span>,
    /// `DT_NEEDED`, `DT_AUXILIARY` and `DT_FILTER` in file order.
    pub asks: Vec<Ask>,
    pub audit: Option<Span>,
    pub depaudit: Option<Span>,
    /// `DT_BIND_NOW` is in them.
    pub flags: u64,
    pub flags_1: u64,
    pub has_debug_tag: bool,
    /// `DT_VERDEF` is there, even if it says nothing.
    pub has_verdef: bool,
    /// `DT_RELR` is there: relative relocations are packed.
    pub has_relr: bool,
    pub version_needs: Vec<VersionNeed>,
    pub version_defs: Vec<VersionDef>,
    /// What is wrong with a version table, which is empty then. glibc notices
    /// after everything is loaded, musl never.
    pub version_fault: Option<&'static str>,
    /// It is that of `DT_VERNEED`, or no symbol says which of its versions it needs:
    /// glibc does not survive that.
    pub has_bad_needs: bool,
    pub abi_tag: Option<AbiTag>,
    /// `GNU_PROPERTY_X86_ISA_1_NEEDED`, as a bit mask.
    pub isa_needed: Option<u32>,
    pub build_id: Option<Span>,
    /// The JSON of each `.note.dlopen`, without its trailing NULs.
    pub dlopen_notes: Vec<Span>,
    /// The JSON of `.note.package`.
    pub package_note: Option<Span>,
    pub dynamic: DynamicInfo,
    /// All strings above, in one allocation.
    pub text: Vec<u8>,
}

/// A tag of the dynamic section that says of relocations what is not so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Odd {
    /// The size of an entry is not said.
    NoEntry,
    Pltrel,
    Relaent,
    Relent,
    Relrent,
}

/// What a file is to somebody who reads a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `ET_EXEC` without an interpreter.
    Static,
    /// A position-independent program that needs no loader.
    StaticPie,
    /// `ET_EXEC` with an interpreter.
    Executable,
    /// A position-independent program.
    Pie,
    Library,
    Loader,
    /// `ET_REL`, `ET_CORE` or a type of its own.
    Other,
}

/// Why a file has no facts. The header is given where it could be read, since
/// the loader's verdict depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// Shorter than an ELF header of its class (`len` bytes; 0 for an empty file),
    /// or without magic number and shorter than the larger header, 64 bytes: to a
    /// 32-bit loader 52 bytes are enough to see that this is no ELF file.
    TooShort { len: usize },
    /// The magic number is another. `first` says which (Mach-O and PE are named).
    NotElf { first: [u8; 4] },
    /// `EI_CLASS` or `EI_DATA` has no meaning.
    BadIdent(Header),
    /// Program headers, dynamic section or a string lie outside the file or are
    /// of an impossible size. `what` says so, and names the part.
    Damaged { header: Header, what: &'static str },
}

/// [`Unfit::Damaged`] of a file that ends before its program headers do.
pub const CUT_IN_HEADERS: &str = "it is damaged or cut short: the program headers";

#[cfg(test)]
#[path = "../../tests/it/handmade.rs"]
mod handmade;
#[cfg(test)]
mod tests;

mod dynamic;
mod hash;
mod layout;
mod mapping;
mod notes;
mod read;
mod relocs;
mod symbols;
mod tables;
mod versions;
mod window;

pub(crate) use mapping::PAGE;
pub use mapping::{Flaw, Mapping};
pub use symbols::{Binding, Export, Import, SymbolKind, SymbolNames, Symbols, defines, imported, symbols};

/// Reads the facts of a file: a few windows of it, whatever its size.
///
/// `Err` is for a read that failed; what is wrong with the file is data.
pub fn read(file: &impl ReadAt) -> io::Result<Result<Facts, Unfit>> {
    read::facts(file)
}

/// A part of the file that is mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    pub offset: u64,
    pub len: u64,
    pub executable: bool,
}

/// The mapped parts of a file that has facts, for who looks for constants in it.
pub fn loads(file: &impl ReadAt) -> io::Result<Vec<Load>> {
    read::loads(file)
}

/// `DF_BIND_NOW`.
pub const FLAG_BIND_NOW: u64 = 0x8;
/// `DF_1_NOW`.
pub const FLAG_1_NOW: u64 = 0x1;
/// `DF_1_NODEFLIB`.
pub const FLAG_1_NODEFLIB: u64 = 0x800;
/// `DF_1_PIE`.
pub const FLAG_1_PIE: u64 = 0x0800_0000;

pub const ET_REL: u16 = 1;
pub const ET_EXEC: u16 = 2;
pub const ET_DYN: u16 = 3;

impl Header {
    pub fn class(&self) -> Option<Class> {
        match self.ident[4] {
            1 => Some(Class::Elf32),
            2 => Some(Class::Elf64),
            _ => None,
        }
    }

    pub fn order(&self) -> Option<Order> {
        match self.ident[5] {
            1 => Some(Order::Little),
            2 => Some(Order::Big),
            _ => None,
        }
    }
}

impl Facts {
    pub fn str(&self, span: Span) -> &[u8] {
        &self.text[span.start as usize..(span.start + span.len) as usize]
    }

    pub fn interp(&self) -> Option<&[u8]> {
        self.interp.map(|s| self.str(s))
    }

    pub fn soname(&self) -> Option<&[u8]> {
        self.soname.map(|s| self.str(s))
    }

    pub fn rpath(&self) -> Option<&[u8]> {
        self.rpath.map(|s| self.str(s))
    }

    pub fn runpath(&self) -> Option<&[u8]> {
        self.runpath.map(|s| self.str(s))
    }

    pub fn needed(&self) -> impl Iterator<Item = &[u8]> {
        self.asks.iter().filter(|a| a.kind == AskKind::Needed).map(|a| self.str(a.name))
    }

    pub fn nodeflib(&self) -> bool {
        self.flags_1 & FLAG_1_NODEFLIB != 0
    }

    /// Calls are bound at the start too, whatever the environment says.
    pub fn binds_now(&self) -> bool {
        self.flags & FLAG_BIND_NOW != 0 || self.flags_1 & FLAG_1_NOW != 0
    }

    pub fn is_pie_flagged(&self) -> bool {
        self.flags_1 & FLAG_1_PIE != 0
    }

    /// What a debugger reads beside a stripped file: there is nothing to load.
    pub fn is_debug_file(&self) -> bool {
        self.header.e_type == ET_DYN && self.interp.is_none() && !self.has_dynamic
    }

    pub fn kind(&self) -> Kind {
        let has_names = self.soname.is_some() || !self.asks.is_empty();
        match (self.header.e_type, self.interp.is_some()) {
            (ET_EXEC, false) if !self.has_dynamic => Kind::Static,
            (ET_EXEC, _) => Kind::Executable,
            (ET_DYN, true) if self.is_pie_flagged() || self.soname.is_none() => Kind::Pie,
            (ET_DYN, false) if self.is_pie_flagged() && !has_names => Kind::StaticPie,
            (ET_DYN, false) if self.has_debug_tag && !has_names => Kind::StaticPie,
            (ET_DYN, _) if self.looks_like_a_loader() => Kind::Loader,
            (ET_DYN, _) => Kind::Library,
            _ => Kind::Other,
        }
    }

    /// No interpreter of its own, an entry point, and nothing needed: glibc's
    /// ld.so has a SONAME that starts with `ld`, musl's has none or `libc`.
    fn looks_like_a_loader(&self) -> bool {
        let named = self.soname().is_some_and(|s| s.starts_with(b"ld"));
        self.interp.is_none() && self.header.entry != 0 && self.asks.is_empty() && named
    }
}
