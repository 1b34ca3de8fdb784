//! The tables that the dynamic section points to, entry by entry.

use std::io;

use object::elf::{self, Sym32, Sym64, SymbolBind, SymbolSection, SymbolType, SymbolVisibility};
use object::endian::{Endianness, U16, U32, U64};
use object::pod;
use object::read::elf::Sym;

use super::window::Windows;
use super::{Class, Facts, Order, relocs};
use crate::bytes::ReadAt;

/// As many symbols as are looked at; the largest libraries have a tenth.
pub(super) const MAX_SYMBOLS: u64 = 4 << 20;

/// A file with its facts, and windows on it.
pub(super) struct Tables<'f, 'a, R> {
    pub(super) facts: &'f Facts,
    pub(super) windows: Windows<'a, R>,
    pub(super) order: Endianness,
    /// The type of a relocation that copies.
    pub(super) copies: Option<u32>,
}

/// One symbol, of either class.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawSymbol {
    pub(super) name: u32,
    pub(super) bind: SymbolBind,
    pub(super) kind: SymbolType,
    visibility: SymbolVisibility,
    section: SymbolSection,
    pub(super) has_value: bool,
}

impl RawSymbol {
    pub(super) fn size(class: Class) -> usize {
        match class {
            Class::Elf32 => size_of::<Sym32<Endianness>>(),
            Class::Elf64 => size_of::<Sym64<Endianness>>(),
        }
    }

    pub(super) fn decode(bytes: &[u8], class: Class, order: Order) -> Option<RawSymbol> {
        let end = order.endianness();
        match class {
            Class::Elf32 => pod::from_bytes::<Sym32<Endianness>>(bytes).ok().map(|(s, _)| Self::of(s, end)),
            Class::Elf64 => pod::from_bytes::<Sym64<Endianness>>(bytes).ok().map(|(s, _)| Self::of(s, end)),
        }
    }

    fn of<S: Sym<Endian = Endianness>>(raw: &S, end: Endianness) -> RawSymbol {
        RawSymbol {
            name: raw.st_name(end),
            bind: raw.st_bind(),
            kind: raw.st_type(),
            visibility: raw.st_visibility(),
            section: raw.st_shndx(end),
            has_value: raw.st_value(end).into() != 0,
        }
    }

    pub(super) fn undefined(&self) -> bool {
        self.section == elf::SHN_UNDEF
    }

    pub(super) fn absolute(&self) -> bool {
        self.section == elf::SHN_ABS
    }

    pub(super) fn binds_locally(&self) -> bool {
        matches!(self.visibility, elf::STV_HIDDEN | elf::STV_INTERNAL)
    }
}

impl<'f, 'a, R: ReadAt> Tables<'f, 'a, R> {
    /// Windows of `size` bytes, which is room for any entry of any table.
    pub(super) fn new(file: &'a R, facts: &'f Facts, buf: &'a mut [u8], size: usize) -> Self {
        let copies = relocs::copies(facts.header.machine);
        Tables { facts, windows: Windows::new(file, buf, size), order: facts.order.endianness(), copies }
    }

    /// The `index`th word of 32 bits from `base`.
    pub(super) fn word(&mut self, base: u64, index: u64) -> io::Result<Option<u32>> {
        let at = base.saturating_add(index.saturating_mul(4));
        Ok(self.windows.get::<U32<Endianness>>(at)?.map(|word| word.get(self.order)))
    }

    pub(super) fn wide_word(&mut self, base: u64, index: u64) -> io::Result<Option<u64>> {
        let at = base.saturating_add(index.saturating_mul(8));
        Ok(self.windows.get::<U64<Endianness>>(at)?.map(|word| word.get(self.order)))
    }

    /// The word at `index` of a table whose words are as wide as an address.
    pub(super) fn class_word(&mut self, base: u64, index: u64) -> io::Result<Option<u64>> {
        match self.facts.class {
            Class::Elf32 => Ok(self.word(base, index)?.map(u64::from)),
            Class::Elf64 => self.wide_word(base, index),
        }
    }

    pub(super) fn symbol(&mut self, index: u64) -> io::Result<Option<RawSymbol>> {
        let Some(symtab) = self.facts.dynamic.symtab else { return Ok(None) };
        let (class, order) = (self.facts.class, self.facts.order);
        let size = RawSymbol::size(class);
        let at = symtab.saturating_add(index.saturating_mul(size as u64));
        Ok(RawSymbol::decode(self.windows.from(at, size)?, class, order))
    }

    /// Whether the version of a symbol hides it from who asks for none.
    pub(super) fn hidden(&mut self, index: u64) -> io::Result<bool> {
        let Some(versym) = self.facts.dynamic.versym else { return Ok(false) };
        let at = versym.saturating_add(index.saturating_mul(2));
        Ok(self.windows.get::<U16<Endianness>>(at)?.is_some_and(|word| word.get(self.order) & 0x8000 != 0))
    }

    /// Whether `name` and a NUL stand in the string table at `at`.
    pub(super) fn is_named(&mut self, at: u32, name: &[u8]) -> io::Result<bool> {
        let Some(strtab) = self.facts.dynamic.strtab else { return Ok(false) };
        let mut at = strtab.saturating_add(at.into());
        for part in name.chunks(128) {
            if !self.windows.from(at, part.len())?.starts_with(part) {
                return Ok(false);
            }
            at = at.saturating_add(part.len() as u64);
        }
        Ok(self.windows.from(at, 1)?.first() == Some(&0))
    }
}
