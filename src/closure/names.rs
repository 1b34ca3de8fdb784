//! The names in a file as numbers: made once for all programs that load it.

use std::ops::Range;
use std::rc::Rc;

use super::start::USUAL;
use super::{File, ObjectId, Session};
use crate::intern::Name;

/// A file, by the order in which a session met it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct FileNo(u32);

#[derive(Debug)]
pub(super) struct FileNames {
    pub(super) file: FileNo,
    pub(super) soname: Option<Name>,
    /// As written, one for each of [`crate::elf::Facts::asks`].
    pub(super) asks: Box<[Name]>,
    /// Of whom versions are needed, and which of the needs those are.
    pub(super) versions: Box<[(Name, Range<usize>)]>,
}

/// Of the objects of one process.
#[derive(Debug, Default)]
pub(super) struct Naming {
    /// By object.
    pub(super) files: Vec<Rc<FileNames>>,
    /// Who goes by which name, as it came to be: by path and by the names asked
    /// for. A SONAME alone does not count, but ld.so's.
    pub(super) called: Vec<(ObjectId, Name)>,
}

impl Naming {
    /// For a usual process: each object goes by its path and by the name asked for.
    pub(super) fn with_room() -> Naming {
        Naming { files: Vec::with_capacity(USUAL), called: Vec::with_capacity(2 * USUAL) }
    }
}

impl From<FileNo> for u32 {
    fn from(file: FileNo) -> u32 {
        file.0
    }
}

impl Session<'_> {
    /// The names in a file that has facts.
    pub(super) fn names_in(&mut self, file: &File) -> Rc<FileNames> {
        if let Some(known) = self.file_names.get(&file.stat.id) {
            return Rc::clone(known);
        }
        let number = u32::try_from(self.file_names.len()).expect("fewer files than 2^32 fit in memory");
        let names = Rc::new(self.read_names(file, FileNo(number)));
        self.file_names.insert(file.stat.id, Rc::clone(&names));
        names
    }

    fn read_names(&mut self, file: &File, number: FileNo) -> FileNames {
        let facts = file.elf.as_ref().expect("a loaded object has facts: the loader judged them");
        let names = &mut self.names;
        let mut versions = Vec::new();
        let mut at = 0;
        while let Some(need) = facts.version_needs.get(at) {
            let len = facts.version_needs[at..].iter().take_while(|n| n.file == need.file).count();
            versions.push((names.intern(facts.str(need.file)), at..at + len));
            at += len;
        }
        FileNames {
            file: number,
            soname: facts.soname().map(|name| names.intern(name)),
            asks: facts.asks.iter().map(|ask| names.intern(facts.str(ask.name))).collect(),
            versions: versions.into(),
        }
    }
}
