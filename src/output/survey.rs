//! What has to change in a tree so that it holds a plan. Nothing is written
//! here; a tree that holds it already needs no change.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::contents::{Buffers, Here, Scene, compare, each};
use super::meta::NOT_OURS_TO_GIVE;
use super::update::STAGE;
use super::{Failure, tree};
use crate::needs::Merge;
use crate::path::ImagePath;
use crate::plan::{ContentId, Dir, Node};
use crate::root::dir::DirRoot;
use crate::root::{Access, Child, DirId, Root, Stat, resolve_dir};

const A_DIRECTORY: &str = "a directory stands there";
const NO_DIRECTORY: &str = "what stands there is no directory";
const NO_WAY: &str = "a link that leads to no directory stands there";
const A_FILE: &str = "a file stands there";
const OTHER_LINK: &str = "another link stands there";
pub(super) const TWICE: &str = "by the links that stand there, two things of the plan come to this place";
const OUR_NAME: &str = "depcollect keeps this name for itself";

/// Larger files come first, so that no thread is left alone with one.
const LARGE: u64 = 1 << 20;

/// What has to be done, each list in the order of places. A place is real:
/// no link of the tree is in its path.
#[derive(Debug, Default)]
pub(super) struct Changes<'p> {
    /// To be moved away, for `--force`: directories, and what a directory replaces.
    pub clear: Vec<Put>,
    pub make: Vec<ImagePath>,
    pub links: Vec<(Put, &'p [u8])>,
    pub files: Vec<Work>,
    /// Directories that get another access or time, those made included.
    pub dirs: Vec<DirWork>,
    pub unchanged: usize,
    pub conflicts: Vec<(ImagePath, &'static str)>,
    pub dropped: Vec<(ImagePath, &'static str)>,
}

/// A name that is given to something new.
#[derive(Debug)]
pub(super) struct Put {
    pub place: ImagePath,
    /// Among all names of a run: under it the thing is staged.
    pub number: usize,
    /// Something else has the name, and is no directory.
    pub replaces: bool,
}

/// One content and the names that it gets.
#[derive(Debug)]
pub(super) struct Work {
    pub content: ContentId,
    /// A place of the tree where it is as it should be: the names are further ones of it.
    pub from: Option<ImagePath>,
    pub puts: Vec<Put>,
}

#[derive(Debug)]
pub(super) struct DirWork {
    pub place: ImagePath,
    /// `None`: it stays what it is.
    pub access: Option<Access>,
    /// What it is now. `None`: it is made.
    pub had: Option<Stat>,
}

impl Changes<'_> {
    /// Only directories change, and of them only what `stat` shows.
    pub(super) fn is_meta(&self) -> bool {
        self.clear.is_empty() && self.make.is_empty() && self.links.is_empty() && self.files.is_empty()
    }

    pub(super) fn puts(&self) -> impl Iterator<Item = &Put> {
        let files = self.files.iter().flat_map(|work| &work.puts);
        self.links.iter().map(|(put, _)| put).chain(files)
    }
}

/// Where a directory of the plan is in the tree. `None`: it is to be made.
#[derive(Debug, Clone)]
struct Spot {
    place: ImagePath,
    id: Option<DirId>,
}

struct Survey<'a, 'p> {
    scene: &'a Scene<'p>,
    earlier: Option<&'a DirRoot>,
    spots: BTreeMap<ImagePath, Spot>,
    taken: BTreeMap<ImagePath, &'p Node>,
    /// Links of the tree by which places of the plan are reached.
    passed: BTreeSet<ImagePath>,
    names: BTreeMap<ContentId, Vec<(ImagePath, Option<DirId>)>>,
    changes: Changes<'p>,
    numbers: usize,
}

/// Compares a tree with the plan. `earlier` is none where nothing is there yet.
pub(super) fn survey<'p>(scene: &Scene<'p>, earlier: Option<&DirRoot>) -> Result<Changes<'p>, Failure> {
    let mut survey = Survey {
        scene,
        earlier,
        spots: BTreeMap::new(),
        taken: BTreeMap::new(),
        passed: BTreeSet::new(),
        names: BTreeMap::new(),
        changes: Changes::default(),
        numbers: 0,
    };
    survey.top()?;
    for (at, entry) in scene.plan.entries() {
        match &entry.node {
            Node::Dir(dir) => survey.dir(at, *dir, &entry.node)?,
            Node::Link(target) => survey.link(at, target, &entry.node)?,
            Node::File(content) => survey.file(at, *content, &entry.node),
        }
    }
    survey.files()?;
    survey.ways();
    survey.changes.conflicts.sort();
    survey.changes.conflicts.dedup();
    if survey.changes.conflicts.is_empty() {
        survey.touched()?;
    }
    Ok(survey.changes)
}

impl<'p> Survey<'_, 'p> {
    fn top(&mut self) -> Result<(), Failure> {
        let top = ImagePath::top();
        let id = self.earlier.map(|_| DirId::TOP);
        self.spots.insert(top.clone(), Spot { place: top.clone(), id });
        if self.scene.plan.get(&top).is_none() {
            let dir = Dir { access: Access::of_root(0o755), is_implied: true };
            self.dress(&top, id, dir)?;
        }
        Ok(())
    }

    fn dir(&mut self, at: &ImagePath, dir: Dir, node: &'p Node) -> Result<(), Failure> {
        let spot = match at.parent() {
            Some(parent) => self.dir_spot(at, &self.spots[&parent].clone())?,
            None => self.spots[at].clone(),
        };
        self.spots.insert(at.clone(), spot.clone());
        match self.taken.insert(spot.place.clone(), node) {
            None => self.dress(&spot.place, spot.id, dir),
            Some(Node::Dir(_)) => Ok(()),
            Some(Node::Link(_) | Node::File(_)) => {
                self.conflict(&spot.place, TWICE);
                Ok(())
            }
        }
    }

    /// Where a directory is, or is to be made.
    fn dir_spot(&mut self, at: &ImagePath, parent: &Spot) -> Result<Spot, Failure> {
        let place = parent.place.join(at.name());
        let id = match self.child(parent, at)? {
            None => None,
            Some(Child::Dir(id)) => Some(id),
            Some(Child::Link(_)) => match self.behind_link(&place) {
                Some((place, id)) => return Ok(Spot { place, id: Some(id) }),
                None => self.in_the_way(&place, NO_WAY),
            },
            Some(Child::Leaf) => self.in_the_way(&place, NO_DIRECTORY),
        };
        if id.is_none() && !self.taken.contains_key(&place) {
            self.changes.make.push(place.clone());
        }
        Ok(Spot { place, id })
    }

    fn in_the_way(&mut self, place: &ImagePath, what: &'static str) -> Option<DirId> {
        if self.scene.options.force {
            self.clear(place);
        } else {
            self.conflict(place, what);
        }
        None
    }

    fn child(&self, parent: &Spot, at: &ImagePath) -> Result<Option<Child>, Failure> {
        let (Some(earlier), Some(id)) = (self.earlier, parent.id) else { return Ok(None) };
        match earlier.child(id, at.name()) {
            Ok(child) => Ok(Some(child)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.scene.tree.failed("look at", &parent.place.join(at.name()), error)),
        }
    }

    /// The directory of the tree that a link of it leads to.
    fn behind_link(&mut self, place: &ImagePath) -> Option<(ImagePath, DirId)> {
        let earlier = self.earlier?;
        let (id, links) = resolve_dir(earlier, DirId::TOP, place.as_bytes()).ok()?;
        let place = |dir, name: &[u8]| ImagePath::from(earlier.real_path(dir)).join(name);
        self.passed.extend(links.iter().map(|(dir, name, _)| place(*dir, name)));
        Some((earlier.real_path(id).into(), id))
    }

    /// Notes what a directory is to have, if that is not what it has.
    fn dress(&mut self, place: &ImagePath, id: Option<DirId>, dir: Dir) -> Result<(), Failure> {
        let (scene, want) = (self.scene, self.scene.rights.dir(dir.access));
        if !dir.is_implied && scene.rights.is_owner_lost(dir.access) {
            self.changes.dropped.push((place.clone(), NOT_OURS_TO_GIVE));
        }
        let (Some(earlier), Some(id)) = (self.earlier, id) else {
            self.changes.dirs.push(DirWork { place: place.clone(), access: Some(want), had: None });
            return Ok(());
        };
        let had = earlier.dir_stat(id).map_err(|error| scene.tree.failed("look at", place, error))?;
        // A directory that is only on the way stays as whoever asked for it wanted it.
        let keeps = dir.is_implied || scene.rights.is_same(had.access(), want);
        let access = (!keeps).then_some(want);
        if access.is_some() || had.mtime() != scene.clock.dir(place, Some(&had)) {
            self.changes.dirs.push(DirWork { place: place.clone(), access, had: Some(had) });
        } else {
            self.changes.unchanged += 1;
        }
        Ok(())
    }

    fn link(&mut self, at: &ImagePath, target: &'p [u8], node: &'p Node) -> Result<(), Failure> {
        let Some((parent, place)) = self.claim(at, node) else { return Ok(()) };
        let here = self.child(&parent, at)?;
        let replaces = match &here {
            None => false,
            Some(Child::Link(text)) if text == target => {
                let had = self.date_of(&place)?;
                if had == Some(self.scene.clock.again(had)) {
                    self.changes.unchanged += 1;
                    return Ok(());
                }
                true
            }
            Some(Child::Link(_)) => self.replaces(&place, OTHER_LINK),
            Some(Child::Leaf) => self.replaces(&place, A_FILE),
            Some(Child::Dir(_)) => self.replaces(&place, A_DIRECTORY),
        };
        let put = self.put(place, replaces);
        self.changes.links.push((put, target));
        Ok(())
    }

    /// When a link was made.
    fn date_of(&self, place: &ImagePath) -> Result<Option<(i64, i64)>, Failure> {
        let failed = |errno| self.scene.tree.failed("look at", place, errno);
        let mut cursor = self.scene.tree.cursor();
        let parent = cursor.parent(place).map_err(failed)?;
        let stat = tree::look(parent, place.name()).map_err(failed)?;
        Ok(stat.map(|stat| (stat.st_mtime as _, stat.st_mtime_nsec as _)))
    }

    fn file(&mut self, at: &ImagePath, content: ContentId, node: &'p Node) {
        if let Some((parent, place)) = self.claim(at, node) {
            self.names.entry(content).or_default().push((place, parent.id));
        }
    }

    /// The place of an entry, unless another has it.
    fn claim(&mut self, at: &ImagePath, node: &'p Node) -> Option<(Spot, ImagePath)> {
        let parent = self.spots[&at.parent().expect("the top is a directory")].clone();
        let place = parent.place.join(at.name());
        if place.as_bytes().strip_prefix(b"/") == Some(STAGE) {
            self.conflict(&place, OUR_NAME);
        }
        match self.taken.insert(place.clone(), node) {
            None => Some((parent, place)),
            Some(other) if other == node => None,
            Some(_) => {
                self.conflict(&place, TWICE);
                None
            }
        }
    }

    /// Looks at every file that is there, and decides.
    fn files(&mut self) -> Result<(), Failure> {
        let (scene, earlier) = (self.scene, self.earlier);
        let mut names: Vec<_> = std::mem::take(&mut self.names).into_iter().collect();
        let large = |content: ContentId| Some(scene.plan.content(content).len).filter(|len| *len >= LARGE);
        names.sort_by_key(|(content, _)| std::cmp::Reverse(large(*content)));
        let here = each(scene.options.threads, &names, Buffers::default, |buffers, (content, places)| {
            compare(scene, earlier, *content, places, buffers)
        })?;
        for ((content, places), here) in names.into_iter().zip(here) {
            self.content(content, places.into_iter().map(|(place, _)| place).zip(here));
        }
        Ok(())
    }

    fn content(&mut self, content: ContentId, places: impl Iterator<Item = (ImagePath, Here)>) {
        let is_merged = self.scene.plan.content(content).merge != Merge::Never;
        let mut work = Work { content, from: None, puts: Vec::new() };
        let mut anchor = None;
        let wanted = self.scene.wanted(content);
        for (place, here) in places {
            self.changes.dropped.extend(wanted.dropped.iter().map(|what| (place.clone(), *what)));
            let replaces = match here {
                Here::Nothing => false,
                Here::Same(id) if *anchor.get_or_insert(id) == id => {
                    self.changes.unchanged += 1;
                    work.from.get_or_insert(place);
                    continue;
                }
                // What was one inode stays one inode.
                Here::Same(_) | Here::Undressed => true,
                Here::Other(_) if is_merged => true,
                Here::Other(what) => self.replaces(&place, what),
                Here::Dir => self.replaces(&place, A_DIRECTORY),
            };
            let put = self.put(place, replaces);
            work.puts.push(put);
        }
        if !work.puts.is_empty() {
            self.changes.files.push(work);
        }
    }

    /// Something else is there. Says whether a new name simply takes its place.
    fn replaces(&mut self, place: &ImagePath, what: &'static str) -> bool {
        if !self.scene.options.force {
            self.conflict(place, what);
            return true;
        }
        if what == A_DIRECTORY {
            self.clear(place);
        }
        what != A_DIRECTORY
    }

    fn clear(&mut self, place: &ImagePath) {
        let put = self.put(place.clone(), true);
        self.changes.clear.push(put);
    }

    fn put(&mut self, place: ImagePath, replaces: bool) -> Put {
        self.numbers += 1;
        Put { place, number: self.numbers, replaces }
    }

    fn conflict(&mut self, place: &ImagePath, what: &'static str) {
        self.changes.conflicts.push((place.clone(), what));
    }

    /// A link that something is reached by must not be replaced by it.
    fn ways(&mut self) {
        let replaced = self.changes.clear.iter().chain(self.changes.puts()).map(|put| &put.place);
        let lost: Vec<_> = replaced.filter(|place| self.passed.contains(place)).cloned().collect();
        self.changes.conflicts.extend(lost.into_iter().map(|place| (place, TWICE)));
    }

    /// A directory that gets another entry has its time changed by that.
    fn touched(&mut self) -> Result<(), Failure> {
        let Some(earlier) = self.earlier else { return Ok(()) };
        let changes = &self.changes;
        let names = changes.clear.iter().chain(changes.puts()).map(|put| &put.place).chain(&changes.make);
        let mut touched: BTreeSet<ImagePath> = names.filter_map(ImagePath::parent).collect();
        // The stage stands in the top.
        if !changes.is_meta() {
            touched.insert(ImagePath::top());
        }
        let known: BTreeSet<_> = changes.dirs.iter().map(|work| work.place.clone()).collect();
        let spots = self.spots.values().filter_map(|spot| Some((spot.place.clone(), spot.id?)));
        let spots: BTreeMap<_, _> = spots.collect();
        for place in touched.difference(&known) {
            let id = spots.get(place).expect("a directory that is not made is there");
            let had =
                earlier.dir_stat(*id).map_err(|error| self.scene.tree.failed("look at", place, error))?;
            self.changes.unchanged -= 1;
            self.changes.dirs.push(DirWork { place: place.clone(), access: None, had: Some(had) });
        }
        self.changes.dirs.sort_by(|a, b| a.place.cmp(&b.place));
        Ok(())
    }
}
