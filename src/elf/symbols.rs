//! The dynamic symbols of a file: what it wants and what it offers.
//!
//! Without section headers nobody says how many there are: the hash tables and
//! the relocations imply it.

use std::ffi::CStr;
use std::io;

use object::elf::{self, SymbolBind, SymbolType};
use object::endian::{Endianness, U16};

use super::relocs::{self, Reference};
use super::tables::{MAX_SYMBOLS, RawSymbol, Tables};
use super::window::bulk;
use super::{Facts, Span, hash};
use crate::bytes::ReadAt;

/// C++ makes long names, but not so long.
const MAX_NAME: usize = 64 << 10;
/// What is read of a string table at most: holes of a file cost memory too.
const MAX_NAMES: u64 = 64 << 20;
const CHUNK: usize = 32 << 10;

/// What a file imports and exports, in the order of its symbol table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Symbols {
    pub imports: Vec<Import>,
    pub exports: Vec<Export>,
    /// A table was damaged or too large, and symbols may be missing above.
    pub partial: bool,
    /// All names above.
    pub text: Vec<u8>,
}

/// An undefined symbol that a relocation refers to.
///
/// Or one that the program defines only to copy there what a library defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Import {
    pub name: Span,
    /// Its absence is no error.
    pub weak: bool,
    pub kind: SymbolKind,
    /// Only calls refer to it, so glibc may look it up as late as at the first
    /// of them. Anything else is looked up before the program starts.
    pub lazy: bool,
    /// Its first place in the table of relocations, in whose order the loader complains.
    pub at: u32,
    /// A copy relocation's: the program's own definition is not what it looks for.
    pub copy: bool,
    /// Which of [`Facts::version_needs`] it wants.
    pub need: Option<u32>,
}

/// A symbol that others can find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Export {
    pub name: Span,
    pub binding: Binding,
    pub kind: SymbolKind,
    /// Which of [`Facts::version_defs`] it has.
    pub def: Option<u32>,
    /// Its version in `DT_VERSYM`, 1 where there is no such table. What a program
    /// copies has one of its needs.
    pub version: u16,
    /// An old version: found only by who asks for it (`name@V`, not `name@@V`).
    pub hidden: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SymbolKind {
    Untyped,
    Data,
    /// Also an indirect one.
    Function,
    Tls,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Binding {
    Global,
    Weak,
    Unique,
}

impl Symbols {
    pub fn str(&self, span: Span) -> &[u8] {
        &self.text[span.start as usize..][..span.len as usize]
    }
}

impl Import {
    /// The version and the name of the file that is to provide it.
    pub fn version<'f>(&self, facts: &'f Facts) -> Option<(&'f [u8], &'f [u8])> {
        let need = facts.version_needs.get(self.need? as usize)?;
        Some((facts.str(need.name), facts.str(need.file)))
    }
}

impl Export {
    pub fn version<'f>(&self, facts: &'f Facts) -> Option<&'f [u8]> {
        Some(facts.str(facts.version_defs.get(self.def? as usize)?.name))
    }
}

/// Reads all dynamic symbols. `facts` are those of the same file.
pub fn symbols(file: &impl ReadAt, facts: &Facts) -> io::Result<Symbols> {
    let mut buf = vec![0; CHUNK];
    let mut tables = Tables::new(file, facts, &mut buf, CHUNK);
    let (Some(symtab), Some(strtab)) = (facts.dynamic.symtab, facts.dynamic.strtab) else {
        return Ok(Symbols::default());
    };
    let references = relocs::references(&mut tables)?;
    let above = references.last().map_or(0, |last| u64::from(last.symbol) + 1);
    let count = hash::count(&mut tables)?.max(above);
    let size = RawSymbol::size(facts.class) as u64;
    let raw = bulk(file, symtab, count.min(MAX_SYMBOLS) * size)?;
    let read = raw.len() as u64 / size;
    let versym = match facts.dynamic.versym {
        Some(at) => bulk(file, at, read * 2)?,
        None => Vec::new(),
    };
    let mut sorter = Sorter::new(facts, versym, &references);
    sorter.sort(&raw);
    let starts: Vec<u32> = sorter.picks.iter().map(|pick| pick.name).collect();
    let (start, text) = names(file, strtab, facts.dynamic.strsz, &starts)?;
    let mut symbols = sorter.named(start, text);
    symbols.partial |= read < count || relocs::exceed(facts);
    Ok(symbols)
}

/// Names of symbols, all in one text: a file may give one long name to a million.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SymbolNames {
    spans: Vec<Span>,
    text: Vec<u8>,
}

impl SymbolNames {
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.spans.iter().map(|span| &self.text[span.start as usize..][..span.len as usize])
    }
}

/// What a file wants from others and cannot do without. Of a library it reads a part
/// of what [`symbols`] reads, and no relocation. A program is not so simple: a function
/// of others whose address it takes has a place in it, and so in its hash table.
pub fn imported(file: &impl ReadAt, facts: &Facts) -> io::Result<SymbolNames> {
    let mut buf = vec![0; CHUNK];
    let mut tables = Tables::new(file, facts, &mut buf, CHUNK);
    let first = match facts.interp {
        None => hash::first_defined(&mut tables)?,
        Some(_) => None,
    };
    let (Some(symtab), Some(strtab), Some(first)) = (facts.dynamic.symtab, facts.dynamic.strtab, first)
    else {
        let symbols = symbols(file, facts)?;
        let needed = symbols.imports.iter().filter(|import| !import.weak);
        return Ok(SymbolNames { spans: needed.map(|import| import.name).collect(), text: symbols.text });
    };
    let size = RawSymbol::size(facts.class);
    let raw = bulk(file, symtab, u64::from(first).min(MAX_SYMBOLS) * size as u64)?;
    let wanted = raw.chunks_exact(size).skip(1).filter_map(|bytes| {
        let symbol = RawSymbol::decode(bytes, facts.class, facts.order)?;
        (symbol.undefined() && symbol.bind == elf::STB_GLOBAL).then_some(symbol.name)
    });
    let wanted: Vec<u32> = wanted.collect();
    let (start, text) = names(file, strtab, facts.dynamic.strsz, &wanted)?;
    let spans = wanted.iter().filter_map(|at| name_at(&text, at - start)).collect();
    Ok(SymbolNames { spans, text })
}

/// Says which symbols are of interest, before their names are known.
struct Sorter<'a> {
    facts: &'a Facts,
    versym: Vec<u8>,
    references: std::slice::Iter<'a, Reference>,
    needs: Vec<u32>,
    defs: Vec<u32>,
    picks: Vec<Pick>,
}

/// A symbol and where its name is; the `name` in it is yet to come.
struct Pick {
    name: u32,
    what: What,
}

enum What {
    Import(Import),
    Export(Export),
}

impl<'a> Sorter<'a> {
    fn new(facts: &'a Facts, versym: Vec<u8>, references: &'a [Reference]) -> Self {
        let needs = by_index(facts.version_needs.iter().map(|v| v.index));
        let defs = by_index(facts.version_defs.iter().map(|v| v.index));
        Sorter { facts, versym, references: references.iter(), needs, defs, picks: Vec::new() }
    }

    /// Looks at every symbol but the first, which is none.
    fn sort(&mut self, raw: &[u8]) {
        let size = RawSymbol::size(self.facts.class);
        for (index, bytes) in raw.chunks_exact(size).enumerate().skip(1) {
            let Some(symbol) = RawSymbol::decode(bytes, self.facts.class, self.facts.order) else { break };
            let index = u32::try_from(index).expect("there are at most 4 Mi symbols");
            let reference = self.reference(index);
            let pick = |what| Pick { name: symbol.name, what };
            let copied = reference.filter(|reference| reference.copy);
            if symbol.undefined() || copied.is_some() {
                self.picks.extend(self.import(index, &symbol, reference).map(What::Import).map(pick));
            }
            if !symbol.undefined() {
                self.picks.extend(self.export(index, &symbol).map(What::Export).map(pick));
            }
        }
    }

    /// The references are sorted as the symbols are.
    fn reference(&mut self, index: u32) -> Option<Reference> {
        let found = *self.references.as_slice().first().filter(|r| r.symbol == index)?;
        self.references.next();
        Some(found)
    }

    fn import(&self, index: u32, symbol: &RawSymbol, reference: Option<Reference>) -> Option<Import> {
        let reference = reference.or_else(|| self.through_mips_got(index, symbol))?;
        if symbol.bind == elf::STB_LOCAL {
            return None;
        }
        Some(Import {
            name: Span::default(),
            weak: symbol.bind == elf::STB_WEAK,
            kind: kind(symbol.kind),
            lazy: reference.lazy,
            at: reference.at,
            copy: reference.copy,
            need: self.version(index, &self.needs),
        })
    }

    /// From `DT_MIPS_GOTSYM` on, every symbol has an entry in the GOT. A function
    /// with an address has a stub there, and is bound at its first call.
    fn through_mips_got(&self, index: u32, symbol: &RawSymbol) -> Option<Reference> {
        let first = self.facts.dynamic.mips_gotsym?;
        let lazy = symbol.kind == elf::STT_FUNC && symbol.has_value;
        (u64::from(index) >= first).then_some(Reference { symbol: index, lazy, at: 0, copy: false })
    }

    /// After glibc's `do_lookup_x` and `check_match`.
    fn export(&self, index: u32, symbol: &RawSymbol) -> Option<Export> {
        let binding = match symbol.bind {
            elf::STB_GLOBAL => Binding::Global,
            elf::STB_WEAK => Binding::Weak,
            elf::STB_GNU_UNIQUE => Binding::Unique,
            _ => return None,
        };
        if !symbol.can_be_found() {
            return None;
        }
        Some(Export {
            name: Span::default(),
            binding,
            kind: kind(symbol.kind),
            def: self.version(index, &self.defs),
            version: self.versym_of(index).map_or(1, |v| v & 0x7fff),
            hidden: self.versym_of(index).is_some_and(|v| v & 0x8000 != 0),
        })
    }

    fn version(&self, index: u32, table: &[u32]) -> Option<u32> {
        let version = self.versym_of(index)? & 0x7fff;
        table.get(usize::from(version)).copied().filter(|position| *position != u32::MAX)
    }

    fn versym_of(&self, index: u32) -> Option<u16> {
        let bytes = self.versym.get(index as usize * 2..)?;
        let (word, _) = object::pod::from_bytes::<U16<Endianness>>(bytes).ok()?;
        Some(word.get(self.facts.order.endianness()))
    }

    /// Puts the names to the symbols; `text` is what stands at `start` in the
    /// string table.
    fn named(self, start: u32, text: Vec<u8>) -> Symbols {
        let mut symbols = Symbols::default();
        for pick in self.picks {
            let Some(name) = name_at(&text, pick.name - start) else {
                symbols.partial = true;
                continue;
            };
            match pick.what {
                What::Import(import) => symbols.imports.push(Import { name, ..import }),
                What::Export(export) => symbols.exports.push(Export { name, ..export }),
            }
        }
        symbols.text = text;
        symbols
    }
}

/// The part of the string table that holds all names, and where it starts.
fn names(file: &impl ReadAt, strtab: u64, strsz: u64, starts: &[u32]) -> io::Result<(u32, Vec<u8>)> {
    let Some(&first) = starts.iter().min() else { return Ok((0, Vec::new())) };
    let last = *starts.iter().max().unwrap_or(&first);
    let mut len = u64::from(last - first) + MAX_NAME as u64;
    // The loaders do not look at the size, but it saves reading what follows.
    if strsz > u64::from(last) {
        len = len.min(strsz - u64::from(first));
    }
    let text = bulk(file, strtab.saturating_add(first.into()), len.min(MAX_NAMES))?;
    Ok((first, text))
}

fn name_at(text: &[u8], at: u32) -> Option<Span> {
    let rest = text.get(at as usize..)?;
    let name = CStr::from_bytes_until_nul(&rest[..rest.len().min(MAX_NAME)]).ok()?;
    Some(Span { start: at, len: u32::try_from(name.count_bytes()).ok()? })
}

/// Which entry has which version index; `u32::MAX` where none has.
fn by_index(indices: impl Iterator<Item = u16>) -> Vec<u32> {
    let mut table = Vec::new();
    for (position, index) in indices.enumerate() {
        let index = usize::from(index);
        if table.len() <= index {
            table.resize(index + 1, u32::MAX);
        }
        table[index] = u32::try_from(position).expect("a version table is bounded");
    }
    table
}

fn kind(raw: SymbolType) -> SymbolKind {
    match raw {
        elf::STT_NOTYPE => SymbolKind::Untyped,
        elf::STT_OBJECT | elf::STT_COMMON => SymbolKind::Data,
        elf::STT_FUNC | elf::STT_GNU_IFUNC => SymbolKind::Function,
        elf::STT_TLS => SymbolKind::Tls,
        _ => SymbolKind::Other,
    }
}

impl RawSymbol {
    fn can_be_found(&self) -> bool {
        let typed = kind(self.kind) != SymbolKind::Other;
        let placed = self.has_value || self.absolute() || self.kind == elf::STT_TLS;
        typed && placed && !self.binds_locally()
    }
}

/// Bindings and types by which musl's `find_sym` takes a symbol.
fn musl_takes(bind: SymbolBind, kind: SymbolType) -> bool {
    let bind_ok = matches!(bind, elf::STB_GLOBAL | elf::STB_WEAK | elf::STB_GNU_UNIQUE);
    let kinds =
        matches!(kind, elf::STT_NOTYPE | elf::STT_OBJECT | elf::STT_FUNC | elf::STT_COMMON | elf::STT_TLS);
    bind_ok && kinds
}

/// Whether the file defines `name`, asked as musl's `find_sym` asks: through
/// `DT_GNU_HASH`, else `DT_HASH`, and reading little more than it looks at.
pub fn defines(file: &impl ReadAt, facts: &Facts, name: &[u8]) -> io::Result<bool> {
    let mut buf = [0; 4 * 512];
    let mut tables = Tables::new(file, facts, &mut buf, 512);
    let Some(symbol) = hash::lookup(&mut tables, name)? else { return Ok(false) };
    let placed = symbol.has_value || symbol.kind == elf::STT_TLS;
    Ok(!symbol.undefined() && placed && musl_takes(symbol.bind, symbol.kind))
}
