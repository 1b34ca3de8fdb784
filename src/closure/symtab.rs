//! Which symbols a file offers and wants, read once for a session, with names
//! as numbers; and the names that one process knows, as marks on those numbers.
//!
//! Whether a look-up succeeds does not depend on the order of the scope, so the
//! marks of all its files together answer it.

use std::io;
use std::rc::Rc;

use super::Found;
use crate::elf::{self, Facts, Symbols};
use crate::intern::{Map, Marks, Name, Names};
use crate::loader::Family;
use crate::root::{FileId, Opened, Root};

/// With so many symbols in it, the memory starts anew at the next program.
const MOST_SYMBOLS: usize = 1 << 19;

/// What a session knows of the symbols of files.
#[derive(Debug, Default)]
pub(super) struct SymbolTables {
    names: Names,
    pairs: Map<(Name, Name), Name>,
    files: Map<FileId, Option<Rc<Table>>>,
    size: usize,
    /// What the scope at hand defines: bits of [`Fits`] by name.
    by_name: Marks,
    /// And by name and version.
    by_pair: Marks,
}

/// The symbols of one file.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) wants: Box<[Want]>,
    offers: Box<[Offer]>,
    /// It has no versions that glibc looks at, so all it defines is of any.
    pub(super) is_unversioned: bool,
}

impl Table {
    /// Whether glibc, that has come to this file in its scope, looks no further.
    pub(super) fn ends_search(&self, want: &Want) -> bool {
        let pair = want.version.map(|version| version.pair);
        let mut same_name = self.offers.iter().filter(|offer| offer.name == want.name);
        same_name.any(|offer| offer.fits.meets(Fits::ANY) || pair.is_some() && offer.pair == pair)
    }
}

/// A symbol that is needed: its absence is an error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Want {
    pub(super) name: Name,
    pub(super) version: Option<Version>,
    pub(super) lazy: bool,
    pub(super) copy: bool,
    /// Its place in the table of relocations.
    pub(super) at: u32,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Version {
    pub(super) name: Name,
    /// The file that was to have it.
    pub(super) file: Name,
    /// The number of symbol and version together.
    pair: Name,
}

#[derive(Debug, Clone, Copy)]
struct Offer {
    name: Name,
    pair: Option<Name>,
    fits: Fits,
}

/// Whose look-up a definition satisfies, beside that for its very version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fits(u32);

impl Fits {
    /// Any version, and none.
    const ANY: Fits = Fits(1);
    /// Who asks for no version.
    const PLAIN: Fits = Fits(2);
    /// musl, which knows no versions, only that some are hidden.
    const MUSL: Fits = Fits(4);
    /// Who asks for no version, if there is no second one of these in the file.
    const DEFAULT: Fits = Fits(8);

    fn when(self, condition: bool) -> Fits {
        if condition { self } else { Fits(0) }
    }

    fn and(self, other: Fits) -> Fits {
        Fits(self.0 | other.0)
    }

    fn meets(self, other: Fits) -> bool {
        self.0 & other.0 != 0
    }
}

impl SymbolTables {
    /// Called between programs: forgets everything once it has become much.
    pub(super) fn trim(&mut self) {
        if self.size > MOST_SYMBOLS {
            *self = SymbolTables::default();
        }
    }

    pub(super) fn text(&self, name: Name) -> std::sync::Arc<[u8]> {
        self.names.text(name)
    }

    /// The symbols of a file. `None`: its tables are damaged.
    pub(super) fn of_file(&mut self, root: &dyn Root, found: &Found) -> io::Result<Option<Rc<Table>>> {
        let id = found.file.stat.id;
        if let Some(known) = self.files.get(&id) {
            return Ok(known.clone());
        }
        let symbols = read(root, found)?;
        let table = (!symbols.partial).then(|| Rc::new(self.table(&symbols, found.facts())));
        self.files.insert(id, table.clone());
        Ok(table)
    }

    fn table(&mut self, symbols: &Symbols, facts: &Facts) -> Table {
        let versions = Versions::new(&mut self.names, facts);
        let needed = symbols.imports.iter().filter(|import| !import.weak);
        let wants: Box<[Want]> = needed.map(|import| self.want(symbols, import, &versions)).collect();
        let exports = if is_searched(facts) { &symbols.exports[..] } else { &[] };
        let mut offers: Vec<Offer> = exports.iter().map(|e| self.offer(symbols, e, &versions)).collect();
        self.settle_defaults(&mut offers);
        self.size += wants.len() + offers.len();
        Table { wants, offers: offers.into(), is_unversioned: !versions.count }
    }

    fn want(&mut self, symbols: &Symbols, import: &elf::Import, versions: &Versions) -> Want {
        let name = self.names.intern(symbols.str(import.name));
        let version = import.need.map(|need| versions.needs[need as usize]);
        let version =
            version.map(|(version, file)| Version { name: version, file, pair: self.pair(name, version) });
        Want { name, version, lazy: import.lazy, copy: import.copy, at: import.at }
    }

    /// After glibc's `check_match`.
    fn offer(&mut self, symbols: &Symbols, export: &elf::Export, versions: &Versions) -> Offer {
        let name = self.names.intern(symbols.str(export.name));
        let musl = Fits::MUSL.when(!export.hidden);
        if !versions.count {
            return Offer { name, pair: None, fits: Fits::ANY.and(musl) };
        }
        let pair = versions.of(export.version).map(|version| self.pair(name, version));
        let any = Fits::ANY.when(pair.is_none() && !export.hidden);
        // The oldest version answers who knows of none, hidden or not.
        let plain = if export.version < 3 { Fits::PLAIN } else { Fits::DEFAULT.when(!export.hidden) };
        Offer { name, pair, fits: any.and(plain).and(musl) }
    }

    /// Of two default versions of a symbol neither is taken (`num_versions` of
    /// `do_lookup_x`).
    fn settle_defaults(&mut self, offers: &mut [Offer]) {
        self.clear_scope();
        for offer in offers.iter().filter(|offer| offer.fits.meets(Fits::DEFAULT)) {
            let count = self.by_name.get(offer.name).unwrap_or(0);
            self.by_name.set(offer.name, count + 1);
        }
        for offer in offers.iter_mut().filter(|offer| offer.fits.meets(Fits::DEFAULT)) {
            let is_sole = self.by_name.get(offer.name) == Some(1);
            offer.fits = offer.fits.and(Fits::PLAIN.when(is_sole));
        }
    }

    fn pair(&mut self, name: Name, version: Name) -> Name {
        if let Some(&known) = self.pairs.get(&(name, version)) {
            return known;
        }
        let number = Name(u32::try_from(self.pairs.len()).expect("fewer pairs than 2^32 fit in memory"));
        self.pairs.insert((name, version), number);
        number
    }

    /// Forgets the scope of the last program.
    pub(super) fn clear_scope(&mut self) {
        self.by_name.clear();
        self.by_pair.clear();
    }

    pub(super) fn add_to_scope(&mut self, table: &Table) {
        for offer in &table.offers {
            let bits = self.by_name.get(offer.name).unwrap_or(0);
            self.by_name.set(offer.name, bits | offer.fits.0);
            if let Some(pair) = offer.pair {
                self.by_pair.set(pair, 1);
            }
        }
    }

    pub(super) fn is_defined(&self, want: &Want, family: Family) -> bool {
        let fits = Fits(self.by_name.get(want.name).unwrap_or(0));
        match (family, want.version) {
            (Family::Musl, _) => fits.meets(Fits::MUSL),
            (Family::Glibc, None) => fits.meets(Fits::ANY.and(Fits::PLAIN)),
            (Family::Glibc, Some(version)) => {
                fits.meets(Fits::ANY) || self.by_pair.get(version.pair).is_some()
            }
        }
    }

    /// Whether musl's scope has a name that was perhaps never asked for before.
    pub(super) fn musl_defines(&mut self, name: &[u8]) -> bool {
        let name = self.names.intern(name);
        Fits(self.by_name.get(name).unwrap_or(0)).meets(Fits::MUSL)
    }
}

/// The names of a file's versions.
struct Versions {
    /// glibc looks at `DT_VERSYM` only if there is another table to it.
    count: bool,
    /// Each with the name of its file.
    needs: Vec<(Name, Name)>,
    /// By what `DT_VERSYM` calls them. The base version is no name to bind by.
    by_index: Vec<Option<Name>>,
}

impl Versions {
    fn new(names: &mut Names, facts: &Facts) -> Versions {
        let mut need = |need: &elf::VersionNeed| {
            (names.intern(facts.str(need.name)), names.intern(facts.str(need.file)))
        };
        let needs: Vec<(Name, Name)> = facts.version_needs.iter().map(&mut need).collect();
        let defs = facts.version_defs.iter().filter(|def| !def.base);
        let defs = defs.map(|def| (def.index, names.intern(facts.str(def.name))));
        let mut by_index = Vec::new();
        let indices = facts.version_needs.iter().map(|need| need.index);
        for (index, name) in indices.zip(needs.iter().map(|(name, _)| *name)).chain(defs) {
            let index = usize::from(index);
            if by_index.len() <= index {
                by_index.resize(index + 1, None);
            }
            by_index[index] = Some(name);
        }
        let count = facts.dynamic.versym.is_some() && (facts.has_verdef || !needs.is_empty());
        Versions { count, needs, by_index }
    }

    fn of(&self, index: u16) -> Option<Name> {
        *self.by_index.get(usize::from(index))?
    }
}

/// Without a hash table nobody finds anything in a file.
fn is_searched(facts: &Facts) -> bool {
    let info = &facts.dynamic;
    info.hash.is_some() || info.gnu_hash.is_some() || info.mips_symtabno.is_some()
}

fn read(root: &dyn Root, found: &Found) -> io::Result<Symbols> {
    let Opened::File(open) = root.open(found.dir, &found.name)? else {
        return Err(io::Error::other("it is no file any more"));
    };
    if open.stat != found.file.stat {
        return Err(io::Error::other("it changed while it was read"));
    }
    elf::symbols(&open, found.facts())
}
