//! A plan seen as a root: what the image will be, before a byte of it is written.
//!
//! The plan lies over lower roots, as a tree lies over what DIST holds already
//! and over the base image. A directory in both is one directory; a file or a
//! link of the plan hides what is below. A directory of the plan over a link
//! goes through it, as whatever copies a tree onto another one does.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::{Content, ContentId, Dir, Entry, Node, Plan, Source, Sources};
use crate::intern::Map;
use crate::path::{ImagePath, RealPath};
use crate::root::{Child, DirId, FileId, Item, ItemKind, Links, OpenFile, Opened, Root, Stat, resolve_dir};

const NAME_MAX: usize = 255;

/// What is not on any disk: no file system has these numbers.
const MADE_FILES: u64 = u64::MAX;
const MADE_DIRS: u64 = u64::MAX - 1;

/// The plan over `below`, nearest first.
pub struct PlanRoot<'a> {
    plan: &'a Plan,
    sources: Sources<'a>,
    below: &'a [&'a dyn Root],
    /// Directories of the plan that stand where a lower root has a link, and
    /// where they lie therefore.
    detours: Vec<(ImagePath, ImagePath)>,
    places: Mutex<Places>,
}

/// The directories reached so far.
#[derive(Default)]
struct Places {
    known: Map<ImagePath, DirId>,
    list: Vec<Arc<Place>>,
}

/// A directory of the image.
struct Place {
    at: ImagePath,
    parent: DirId,
    /// The directories of the plan that are here. More than one: a detour.
    planned: Vec<ImagePath>,
    /// The lower directories that are here, by the number of their root.
    below: Vec<(usize, DirId)>,
}

impl fmt::Debug for PlanRoot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlanRoot").field("detours", &self.detours).finish_non_exhaustive()
    }
}

impl<'a> PlanRoot<'a> {
    pub fn new(plan: &'a Plan, sources: Sources<'a>, below: &'a [&'a dyn Root]) -> PlanRoot<'a> {
        let mut root = PlanRoot { plan, sources, below, detours: Vec::new(), places: Mutex::default() };
        root.forget();
        if !below.is_empty() {
            root.find_detours();
        }
        root
    }

    /// Parents stand before what is in them: a detour is known when what lies
    /// below it is looked at.
    fn find_detours(&mut self) {
        let is_dir = |entry: &Entry| matches!(entry.node, Node::Dir(_));
        for (at, _) in self.plan.entries().filter(|(_, entry)| is_dir(entry)) {
            let Some(lands) = self.lands(at) else { continue };
            self.detours.push((at.clone(), lands));
            self.forget();
        }
    }

    /// Where a directory of the plan lies, if not at its place or with its parent.
    fn lands(&self, at: &ImagePath) -> Option<ImagePath> {
        let (dir, _): (DirId, Links) = resolve_dir(self, DirId::TOP, at.as_bytes()).ok()?;
        let place = self.place(dir);
        (!place.planned.contains(at)).then(|| place.at.clone())
    }

    /// Starts again with the top.
    fn forget(&mut self) {
        let top = Place {
            at: ImagePath::top(),
            parent: DirId::TOP,
            planned: std::iter::once(ImagePath::top()).chain(self.detours_to(&ImagePath::top())).collect(),
            below: (0..self.below.len()).map(|layer| (layer, DirId::TOP)).collect(),
        };
        let mut places = Places::default();
        places.known.insert(ImagePath::top(), DirId::TOP);
        places.list.push(Arc::new(top));
        self.places = Mutex::new(places);
    }

    /// Directories of the plan that lie there and not at their own places.
    fn detours_to(&self, at: &ImagePath) -> impl Iterator<Item = ImagePath> {
        self.detours.iter().filter(move |(_, lands)| lands == at).map(|(from, _)| from.clone())
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, dir: DirId) -> Arc<Place> {
        Arc::clone(&self.places().list[dir.0 as usize])
    }

    /// What the plan has there.
    fn planned(&self, place: &Place, name: &[u8]) -> Option<&'a Node> {
        place.planned.iter().find_map(|dir| self.plan.get(&dir.join(name))).map(|entry| &entry.node)
    }

    /// What the nearest lower root has there.
    fn below(&self, place: &Place, name: &[u8]) -> io::Result<Option<Child>> {
        for (layer, dir) in &place.below {
            match self.below[*layer].child(*dir, name) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                child => return child.map(Some),
            }
        }
        Ok(None)
    }

    /// A directory that the plan has, unless it has to go through a link. What
    /// leads to none is no way, and replaced if it may be.
    fn planned_dir(&self, dir: DirId, place: &Place, name: &[u8]) -> io::Result<Child> {
        match self.below(place, name)? {
            Some(Child::Link(target)) if self.leads_to_dir(place, name) => Ok(Child::Link(target)),
            Some(Child::Link(_) | Child::Dir(_) | Child::Leaf) | None => {
                Ok(Child::Dir(self.enter(dir, place, name)))
            }
        }
    }

    /// In the nearest lower root that has the name.
    fn leads_to_dir(&self, place: &Place, name: &[u8]) -> bool {
        let has_it = |(layer, dir): &&(usize, DirId)| self.below[*layer].child(*dir, name).is_ok();
        let nearest = place.below.iter().find(has_it);
        nearest.is_some_and(|(layer, dir)| resolve_dir(self.below[*layer], *dir, name).is_ok())
    }

    /// The number of a directory that is there.
    fn enter(&self, parent: DirId, place: &Place, name: &[u8]) -> DirId {
        let at = place.at.join(name);
        if let Some(known) = self.places().known.get(&at) {
            return *known;
        }
        let is_dir = |at: &ImagePath| matches!(self.plan.get(at), Some(Entry { node: Node::Dir(_), .. }));
        let mut planned: Vec<ImagePath> =
            place.planned.iter().map(|dir| dir.join(name)).filter(is_dir).collect();
        planned.extend(self.detours_to(&at));
        let below = self.dirs_below(place, name);
        let mut places = self.places();
        // Another thread may have been here meanwhile.
        if let Some(known) = places.known.get(&at) {
            return *known;
        }
        let id = DirId(u32::try_from(places.list.len()).expect("fewer directories than 2^32 fit in memory"));
        places.known.insert(at.clone(), id);
        places.list.push(Arc::new(Place { at, parent, planned, below }));
        id
    }

    /// A lower directory counts as long as no nearer root has something else there.
    fn dirs_below(&self, place: &Place, name: &[u8]) -> Vec<(usize, DirId)> {
        let mut dirs = Vec::new();
        for (layer, dir) in &place.below {
            match self.below[*layer].child(*dir, name) {
                Ok(Child::Dir(dir)) => dirs.push((*layer, dir)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Ok(Child::Link(_) | Child::Leaf) | Err(_) => break,
            }
        }
        dirs
    }

    fn open_content(&self, id: ContentId) -> io::Result<OpenFile> {
        let content = self.plan.content(id);
        match &content.source {
            Source::Made(bytes) => {
                Ok(OpenFile::in_memory(made(id, content), Arc::clone(bytes), Arc::from([])))
            }
            Source::Root { .. } | Source::Host { .. } => self.sources.open(content),
        }
    }

    fn open_below(&self, dir: DirId, place: &Place, name: &[u8]) -> io::Result<Opened> {
        for (layer, below) in &place.below {
            match self.below[*layer].open(*below, name) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Ok(Opened::Dir(_)) => return Ok(Opened::Dir(self.enter(dir, place, name))),
                opened => return opened,
            }
        }
        Err(Errno::NOENT.into())
    }

    /// Who may do what in a directory of the plan, if somebody asked for it.
    fn asked_for(&self, place: &Place) -> Option<Dir> {
        let dir = |at: &ImagePath| match self.plan.get(at)?.node {
            Node::Dir(dir) => Some(dir).filter(|dir| !dir.is_implied),
            Node::File(_) | Node::Link(_) => None,
        };
        place.planned.iter().find_map(dir)
    }
}

impl Root for PlanRoot<'_> {
    fn child(&self, dir: DirId, name: &[u8]) -> io::Result<Child> {
        fits(name)?;
        let place = self.place(dir);
        match self.planned(&place, name) {
            Some(Node::File(_)) => Ok(Child::Leaf),
            Some(Node::Link(target)) => Ok(Child::Link(target.clone())),
            Some(Node::Dir(_)) => self.planned_dir(dir, &place, name),
            None => match self.below(&place, name)?.ok_or(Errno::NOENT)? {
                Child::Dir(_) => Ok(Child::Dir(self.enter(dir, &place, name))),
                child @ (Child::Link(_) | Child::Leaf) => Ok(child),
            },
        }
    }

    fn open(&self, dir: DirId, name: &[u8]) -> io::Result<Opened> {
        fits(name)?;
        let place = self.place(dir);
        match self.planned(&place, name) {
            Some(Node::File(id)) => Ok(Opened::File(self.open_content(*id)?)),
            Some(Node::Link(target)) => Ok(Opened::Link(target.clone())),
            Some(Node::Dir(_)) => Ok(match self.planned_dir(dir, &place, name)? {
                Child::Dir(dir) => Opened::Dir(dir),
                Child::Link(target) => Opened::Link(target),
                Child::Leaf => unreachable!("a directory of the plan is no file"),
            }),
            None => self.open_below(dir, &place, name),
        }
    }

    fn list(&self, dir: DirId) -> io::Result<Vec<Item>> {
        let place = self.place(dir);
        let mut kinds: BTreeMap<Vec<u8>, ItemKind> = BTreeMap::new();
        for (layer, below) in &place.below {
            for item in self.below[*layer].list(*below)? {
                kinds.entry(item.name).or_insert(item.kind);
            }
        }
        for planned in &place.planned {
            for (at, entry) in self.plan.children(planned) {
                let kind = match entry.node {
                    Node::File(_) => ItemKind::File,
                    Node::Link(_) => ItemKind::Link,
                    Node::Dir(_)
                        if kinds.get(at.name()) == Some(&ItemKind::Link)
                            && self.leads_to_dir(&place, at.name()) =>
                    {
                        ItemKind::Link
                    }
                    Node::Dir(_) => ItemKind::Dir,
                };
                kinds.insert(at.name().to_vec(), kind);
            }
        }
        Ok(kinds.into_iter().map(|(name, kind)| Item { name, kind }).collect())
    }

    fn parent(&self, dir: DirId) -> DirId {
        self.place(dir).parent
    }

    fn real_path(&self, dir: DirId) -> RealPath {
        RealPath::top().join_all(self.place(dir).at.components())
    }

    fn dir_stat(&self, dir: DirId) -> io::Result<Stat> {
        let place = self.place(dir);
        let asked_for = self.asked_for(&place);
        if let (None, Some((layer, below))) = (asked_for, place.below.first()) {
            return self.below[*layer].dir_stat(*below);
        }
        let mode = asked_for.map_or(0o755, |dir| dir.access.mode);
        let (uid, gid) = asked_for.map_or((0, 0), |dir| (dir.access.uid, dir.access.gid));
        let id = FileId { dev: MADE_DIRS, ino: u64::from(dir.0) };
        Ok(Stat { id, mode, uid, gid, len: 0, times: [0; 4] })
    }

    /// Of a directory that the plan alone has, its owner decides: that is us.
    fn search(&self, dir: DirId) -> io::Result<()> {
        let place = self.place(dir);
        match place.below.first() {
            Some((layer, below)) if self.asked_for(&place).is_none() => self.below[*layer].search(*below),
            Some(_) | None => Ok(()),
        }
    }
}

fn fits(name: &[u8]) -> io::Result<()> {
    if name.len() > NAME_MAX { Err(Errno::NAMETOOLONG.into()) } else { Ok(()) }
}

/// What `fstat` would say of a file that is only made.
fn made(id: ContentId, content: &Content) -> Stat {
    let access = content.access;
    Stat {
        id: FileId { dev: MADE_FILES, ino: u64::from(id.0) },
        mode: access.mode,
        uid: access.uid,
        gid: access.gid,
        len: content.len,
        times: [0; 4],
    }
}

#[cfg(test)]
mod tests;
