//! From what a program loads to entries: each file at its real place, each link
//! on the way to it where the root has it. So every path that the loader spells
//! leads in the image where it leads in the root.

use std::collections::BTreeSet;
use std::io;

use super::injected::INJECTED;
use super::{Conflict, Content, Glob, Plan, Reason, Source};
use crate::closure::{Closure, Edge, Found, Object, ObjectId, Outcome, Spelling, Want};
use crate::elf::Facts;
use crate::loader::conf::matches;
use crate::loader::{Rule, token};
use crate::path::{ImagePath, RealPath};
use crate::root::{DirId, FileId, Links, OpenFile, Opened, Root, resolve_dir};

/// A program or module, and what it loads at each processor level that differs.
#[derive(Debug, Clone)]
pub struct Start {
    pub closures: Vec<(Option<&'static str>, Closure)>,
    pub place: Place,
    pub reason: Reason,
    /// It is loaded by a program, not started by the kernel.
    pub is_module: bool,
}

/// Where the started file itself goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Where the root has it, links included.
    AsFound,
    /// Elsewhere: a file of the root. Libraries that it finds by `$ORIGIN` move along.
    Moved(ImagePath),
    /// A file of the host, outside the root.
    Host { path: std::path::PathBuf, at: ImagePath },
    /// It is planned already, as part of a directory.
    Planned(ImagePath),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    Stays,
    Moves,
}

/// Why an entry could not be planned.
#[derive(Debug)]
pub enum Error {
    Conflict(Conflict),
    /// A file of the root could not be looked at.
    Io {
        path: Vec<u8>,
        cause: io::Error,
    },
}

impl From<Conflict> for Error {
    fn from(conflict: Conflict) -> Error {
        Error::Conflict(conflict)
    }
}

/// What is left out, with what only it needs.
#[derive(Debug, Clone, Default)]
pub struct Excluded {
    pub globs: Vec<Glob>,
}

impl Excluded {
    /// Expected from elsewhere at run time: the user says so, or it is a driver's.
    pub fn has_name(&self, name: &[u8]) -> bool {
        self.globs.iter().any(|glob| glob.matches_name(name)) || Excluded::is_injected(name)
    }

    pub fn is_injected(name: &[u8]) -> bool {
        INJECTED.iter().any(|pattern| matches(pattern.as_bytes(), name))
    }

    pub fn has_path(&self, path: &[u8]) -> bool {
        self.globs.iter().any(|glob| glob.matches_path(path))
    }

    /// The object that an edge leads to is provided at run time.
    fn has_object(&self, root: &dyn Root, edge: &Edge, object: &Object) -> bool {
        self.has_name(&edge.name)
            || object.found.facts().soname().is_some_and(|soname| self.has_name(soname))
            || self.has_name(&object.found.name)
            || self.has_path(&object.path)
            || self.has_path(object.found.real_path(root).as_bytes())
    }
}

/// The objects that are left when the excluded ones are gone: those that the
/// program still reaches, each with the edge that reached it first.
pub fn kept<'a>(
    root: &dyn Root,
    closure: &'a Closure,
    excluded: &Excluded,
) -> Vec<(ObjectId, Option<&'a Edge>)> {
    let mut reached = vec![false; closure.objects.len()];
    let mut kept = vec![(ObjectId(0), None)];
    reached[0] = true;
    let mut by_asker: Vec<Vec<&Edge>> = vec![Vec::new(); closure.objects.len()];
    for edge in &closure.edges {
        by_asker[edge.from.0 as usize].push(edge);
    }
    let mut next = 0;
    while let Some(&(from, _)) = kept.get(next) {
        next += 1;
        for &edge in &by_asker[from.0 as usize] {
            let Outcome::Found { to, .. } = edge.outcome else { continue };
            if !reached[to.0 as usize] && !excluded.has_object(root, edge, closure.object(to)) {
                reached[to.0 as usize] = true;
                kept.push((to, Some(edge)));
            }
        }
    }
    kept
}

impl Plan {
    /// Everything that the starts load, at every level. What stays where it is
    /// comes first, so that what is moved goes through the links of the root.
    pub fn add_starts(
        &mut self,
        root: &dyn Root,
        starts: &[Start],
        excluded: &Excluded,
    ) -> Result<(), Error> {
        let asked = loaded_by_asked(starts);
        for pass in [Pass::Stays, Pass::Moves] {
            starts.iter().try_for_each(|start| self.add_start(root, start, excluded, &asked, pass))?;
        }
        Ok(())
    }

    fn add_start(
        &mut self,
        root: &dyn Root,
        start: &Start,
        excluded: &Excluded,
        asked: &BTreeSet<FileId>,
        pass: Pass,
    ) -> Result<(), Error> {
        for (_, closure) in &start.closures {
            for (id, edge) in kept(root, closure, excluded) {
                let object = closure.object(id);
                let Some(edge) = edge else {
                    self.add_started(root, start, object, pass)?;
                    continue;
                };
                let is_brought = start.is_by_rule() && !asked.contains(&object.found.file.stat.id);
                let rule = is_brought.then(|| start.reason.clone());
                for reason in [Some(reason_of(closure, edge)), rule].into_iter().flatten() {
                    for spelling in object.spellings() {
                        let moved = start.moved(root, closure, object, &spelling);
                        self.add_library(root, &spelling, moved, reason.clone(), pass)?;
                    }
                }
            }
            for apart in &closure.audits {
                let reason = Reason::Library { name: apart.program.clone(), of: closure.program.clone() };
                let closures = vec![(None, apart.clone())];
                let audit = Start { closures, place: Place::AsFound, reason, is_module: true };
                self.add_start(root, &audit, excluded, asked, pass)?;
            }
        }
        Ok(())
    }

    fn add_started(
        &mut self,
        root: &dyn Root,
        start: &Start,
        object: &Object,
        pass: Pass,
    ) -> Result<(), Error> {
        if (pass == Pass::Stays) != (start.place == Place::AsFound) {
            return Ok(());
        }
        match &start.place {
            Place::AsFound => self.add_found(root, &object.path, &object.found, start.reason.clone()),
            Place::Moved(at) => {
                let content = content_of(root, &object.found)?;
                Ok(self.file(at, content, start.reason.clone())?)
            }
            Place::Host { path, at } => {
                let stat = object.found.file.stat;
                let source = Source::Host { path: path.clone(), stat };
                let open = crate::root::dir::open_host_file(path);
                let xattrs = open.and_then(|open| open.xattrs()).map_err(|cause| Error::Io {
                    path: path.as_os_str().as_encoded_bytes().to_vec(),
                    cause,
                })?;
                Ok(self.file(at, Content::of(source, &stat, xattrs), start.reason.clone())?)
            }
            Place::Planned(_) => Ok(()),
        }
    }

    fn add_library(
        &mut self,
        root: &dyn Root,
        library: &Spelling,
        moved: Option<ImagePath>,
        reason: Reason,
        pass: Pass,
    ) -> Result<(), Error> {
        match (moved, pass) {
            (Some(at), Pass::Moves) => Ok(self.file(&at, content_of(root, &library.found)?, reason)?),
            (None, Pass::Stays) => self.add_found(root, &library.path, &library.found, reason),
            (Some(_), Pass::Stays) | (None, Pass::Moves) => Ok(()),
        }
    }

    /// A file by the path that leads to it.
    pub fn add_found(
        &mut self,
        root: &dyn Root,
        path: &[u8],
        found: &Found,
        reason: Reason,
    ) -> Result<(), Error> {
        self.spell(path);
        self.add_links(root, &found.links)?;
        self.add_turns(root, DirId::TOP, path)?;
        let at = ImagePath::from(found.real_path(root));
        if self.has_source(&at, found) {
            self.add_reason(&at, reason);
            return Ok(());
        }
        Ok(self.file(&at, content_of(root, found)?, reason)?)
    }

    pub fn add_links(&mut self, root: &dyn Root, links: &Links) -> Result<(), Error> {
        for (dir, name, target) in links {
            let at = ImagePath::from(root.real_path(*dir)).join(name);
            self.link(&at, target, Reason::Way)?;
            self.add_turns(root, *dir, target)?;
        }
        Ok(())
    }

    /// `bin/../lib/x` leads nowhere without `bin`: every directory that a path
    /// leaves by `..` is there.
    fn add_turns(&mut self, root: &dyn Root, start: DirId, path: &[u8]) -> Result<(), Error> {
        let mut from = 0;
        while let Some(at) = find(&path[from..], b"/..").map(|at| from + at) {
            from = at + 3;
            if !matches!(path.get(from), None | Some(b'/')) || at == 0 {
                continue;
            }
            let Ok((dir, links)) = resolve_dir(root, start, &path[..at]) else { continue };
            for (dir, name, target) in links {
                self.link(&ImagePath::from(root.real_path(dir)).join(&name), &target, Reason::Way)?;
            }
            let at = ImagePath::from(root.real_path(dir));
            self.way_to_dir(&at)?;
        }
        Ok(())
    }

    /// Gives the directories on the way to something the access that the root's have.
    pub fn settle_dirs(&mut self, root: &dyn Root) {
        for (at, dir) in self.implied_dirs() {
            let Ok((id, links)) = resolve_dir(root, DirId::TOP, at.as_bytes()) else { continue };
            if links.is_empty()
                && let Ok(stat) = root.dir_stat(id)
            {
                dir.access = stat.access();
            }
        }
    }
}

/// What is loaded without any rule.
fn loaded_by_asked(starts: &[Start]) -> BTreeSet<FileId> {
    let asked = starts.iter().filter(|start| !start.is_by_rule());
    let closures = asked.flat_map(|start| &start.closures).flat_map(|(_, closure)| &closure.objects);
    closures.map(|object| object.found.file.stat.id).collect()
}

impl Start {
    /// Nobody named it: a rule wants it.
    pub fn is_by_rule(&self) -> bool {
        matches!(self.reason, Reason::Need { .. })
    }

    /// Where a library goes that the moved program finds by `$ORIGIN`: as far
    /// from it as before.
    fn moved(
        &self,
        root: &dyn Root,
        closure: &Closure,
        object: &Object,
        spelling: &Spelling,
    ) -> Option<ImagePath> {
        let at = match &self.place {
            Place::Moved(at) => at,
            Place::AsFound | Place::Host { .. } | Place::Planned(_) => return None,
        };
        if !matches!(spelling.rule, Some(Rule::Rpath { .. } | Rule::Runpath { .. })) {
            return None;
        }
        let asker = closure.object(object.wanted_by?);
        let program = closure.object(ObjectId(0));
        let askers_list =
            |facts: &Facts| [facts.rpath(), facts.runpath()].into_iter().flatten().any(token::has_origin);
        let by_origin = askers_list(asker.found.facts()) || askers_list(program.found.facts());
        let old = root.real_path(program.found.dir);
        let rest = spelling.path.strip_prefix(old.as_bytes())?;
        if !by_origin || rest.first() != Some(&b'/') {
            return None;
        }
        let dir = at.parent()?;
        Some(lexically(&[dir.as_bytes(), rest].concat()))
    }
}

/// `..` taken back in the text: the directories of a moved program are made new,
/// there are no links among them. Above the top is the top.
fn lexically(path: &[u8]) -> ImagePath {
    let names = path.split(|&b| b == b'/').filter(|name| !matches!(*name, b"" | b"."));
    names.fold(ImagePath::top(), |at, name| match name {
        b".." => at.parent().unwrap_or(at),
        name => at.join(name),
    })
}

fn reason_of(closure: &Closure, edge: &Edge) -> Reason {
    let of = closure.object(edge.from).path.to_vec();
    match edge.want {
        Want::Interp => Reason::Loader { of },
        Want::Needed
        | Want::Auxiliary
        | Want::Filter
        | Want::PreloadEnv
        | Want::PreloadFile
        | Want::Audit => Reason::Library { name: edge.name.to_vec(), of },
    }
}

/// A file of the root, with what goes along with it.
pub fn content_of(root: &dyn Root, found: &Found) -> Result<Content, Error> {
    let path = found.real_path(root);
    let io_error = |cause| Error::Io { path: path.as_bytes().to_vec(), cause };
    let open = match root.open(found.dir, &found.name).map_err(io_error)? {
        Opened::File(open) => open,
        Opened::Dir(_) | Opened::Link(_) | Opened::Special(_) => {
            return Err(io_error(io::Error::other("it changed while it was looked at")));
        }
    };
    content_of_open(path.clone(), &open).map_err(io_error)
}

/// The same of a file that is open.
pub fn content_of_open(path: RealPath, open: &OpenFile) -> io::Result<Content> {
    let xattrs = open.xattrs()?;
    Ok(Content::of(Source::Root { path, stat: open.stat }, &open.stat, xattrs))
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
