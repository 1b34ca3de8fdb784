//! The answer ldconfig would give: which libraries the cache would name if it
//! were written now.
//!
//! The loader never reads `ld.so.conf`. Somebody who has written a directory
//! into it means that directory, though, and an image gets a cache of its own.
//! Rules from glibc's `elf/ldconfig.c`; the differential test asks the real one.

use std::sync::Mutex;

use crate::elf;
use crate::finding::{Finding, Severity};
use crate::intern::Map;
use crate::loader::cache::{self, Ask, Cache, LoaderAbi};
use crate::loader::conf::{Dir, parse_dir};
use crate::loader::{Target, Version};
use crate::root::{DirId, FileId, Item, Root, resolve, resolve_dir};

mod config;
mod library;
mod scan;

use library::Known;

/// Which ldconfig, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'a> {
    pub version: Version,
    pub target: Target,
    /// `/etc/ld.so.conf`, or what `-f` names.
    pub conf: &'a [u8],
    /// The directories built into ldconfig ([`builtin_dirs`]).
    pub builtin: &'a [Vec<u8>],
}

/// The cache that would be written, and what stood in the way.
#[derive(Debug)]
pub struct Answer {
    /// Sorted as in the file.
    pub entries: Vec<Provided>,
    pub findings: Vec<Finding>,
    /// The same as bytes, so that one search answers for both.
    cache: Cache,
    /// Entry numbers by value.
    by_value: Map<Vec<u8>, usize>,
}

/// An entry, and the file that is behind it. The value's own name may not
/// exist: ldconfig makes a link of it, and not with `-X`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provided {
    pub entry: cache::Entry,
    pub dir: DirId,
    pub file: Vec<u8>,
}

/// A directory on the list.
#[derive(Debug, Clone)]
struct Place {
    /// As it was spelled: entries are written with it.
    dir: Dir,
    id: DirId,
    /// The name of a `glibc-hwcaps` subdirectory.
    level: Option<Vec<u8>>,
}

/// Everything of one run.
struct Run<'a> {
    root: &'a dyn Root,
    setup: &'a Setup<'a>,
    places: Vec<Place>,
    /// Index into `places`: a directory is read once, by its first spelling.
    seen: Map<DirId, usize>,
    /// One inode may stand in many directories.
    read: Mutex<Map<FileId, Option<Known>>>,
    findings: Vec<Finding>,
}

/// Reads the configuration and every directory that it leads to.
pub fn answer(root: &dyn Root, setup: &Setup<'_>) -> Answer {
    let mut run = Run::new(root, setup);
    for dir in config::dirs(&mut run) {
        run.add_dir(dir);
    }
    for path in setup.builtin {
        if let Some(dir) = parse_dir(path, setup.version) {
            run.add_dir(dir);
        }
    }
    let found = run.search_all();
    Answer::of(found, run.findings, LoaderAbi::of(&setup.target, setup.version))
}

impl Answer {
    fn of(mut entries: Vec<Provided>, findings: Vec<Finding>, abi: LoaderAbi) -> Answer {
        entries.sort_by(|a, b| cache::order(&a.entry, &b.entry, abi.chars));
        let plain: Vec<cache::Entry> = entries.iter().map(|provided| provided.entry.clone()).collect();
        let cache = Cache::parse(cache::write(&plain, &abi), abi).expect("what we write can be read");
        let mut by_value = Map::default();
        for (n, entry) in plain.into_iter().enumerate() {
            by_value.insert(entry.value, n);
        }
        Answer { entries, findings, cache, by_value }
    }

    /// What the loader would take, had ldconfig run.
    pub fn lookup(&self, name: &[u8], ask: &Ask<'_>) -> Option<&Provided> {
        let value = self.cache.lookup(name, ask)?;
        self.by_value.get(value).map(|&n| &self.entries[n])
    }

    pub fn cache(&self) -> &Cache {
        &self.cache
    }
}

impl<'a> Run<'a> {
    fn new(root: &'a dyn Root, setup: &'a Setup<'a>) -> Run<'a> {
        Run {
            root,
            setup,
            places: Vec::new(),
            seen: Map::default(),
            read: Mutex::default(),
            findings: Vec::new(),
        }
    }

    /// Puts a directory on the list, and its `glibc-hwcaps` subdirectories.
    fn add_dir(&mut self, dir: Dir) {
        // What is not there, or no directory, holds nothing.
        let Ok((id, _)) = resolve_dir(self.root, DirId::TOP, &dir.path) else { return };
        let path = dir.path.clone();
        let knows_levels = self.setup.version >= Version(2, 33);
        if self.add_place(Place { dir, id, level: None }) && knows_levels {
            self.add_levels(&path, id);
        }
    }

    /// Says whether it is new. A repetition only changes the type.
    fn add_place(&mut self, place: Place) -> bool {
        if let Some(&n) = self.seen.get(&place.id) {
            self.places[n].dir.kind = place.dir.kind;
            return false;
        }
        self.seen.insert(place.id, self.places.len());
        self.places.push(place);
        true
    }

    fn add_levels(&mut self, path: &[u8], id: DirId) {
        let Ok((levels, _)) = resolve_dir(self.root, id, b"glibc-hwcaps") else { return };
        let kind = self.places[self.places.len() - 1].dir.kind;
        for item in self.list(levels, path) {
            // A colon cannot be asked for.
            if item.name.starts_with(b".") || item.name.contains(&b':') {
                continue;
            }
            let Ok((id, _)) = resolve_dir(self.root, levels, &item.name) else { continue };
            let path = [path, b"/glibc-hwcaps/".as_slice(), &item.name].concat();
            self.add_place(Place { dir: Dir { path, kind }, id, level: Some(item.name) });
        }
    }

    /// What cannot be listed is as good as empty, but somebody should know.
    fn list(&mut self, id: DirId, path: &[u8]) -> Vec<Item> {
        match self.root.list(id) {
            Ok(items) => items,
            Err(error) => {
                self.report(path, &format!("cannot list the directory: {error}"));
                Vec::new()
            }
        }
    }

    fn report(&mut self, subject: &[u8], message: &str) {
        self.findings.push(Finding {
            severity: Severity::Warning,
            code: "ldconfig",
            subject: subject.to_vec(),
            message: message.as_bytes().to_vec(),
            hint: None,
        });
    }
}

/// The directories that ldconfig adds to those of the configuration, from the
/// loader's own. Upstream adds the siblings of `lib`; Debian's does not.
pub fn builtin_dirs(target: &Target, system: &[&[u8]], debian: bool) -> Vec<Vec<u8>> {
    system
        .iter()
        .flat_map(|dir| if debian { vec![dir.to_vec()] } else { config::siblings(target, dir) })
        .collect()
}

#[cfg(test)]
mod tests;
