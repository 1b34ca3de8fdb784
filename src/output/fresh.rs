//! A tree that is not there yet: built in a directory beside it, which then
//! gets its name.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, Mode, RenameFlags};
use rustix::io::{Errno, retry_on_intr};

use super::contents::{Scene, Site, lay};
use super::lock::{Lock, is_ours, lock, unlock};
use super::meta::{self, Clock, Rights};
use super::survey::{Changes, survey};
use super::tree::{Tree, look, open_dir};
use super::{Done, Failure, Options, Sources, clean, signal};
use crate::path::ImagePath;
use crate::plan::Plan;

const SUFFIX: &[u8] = b".depcollect-stage";

const NAME_MAX: usize = 255;

/// Where a tree is to be.
#[derive(Debug)]
pub(super) struct Vacancy {
    pub parent: OwnedFd,
    pub name: Vec<u8>,
}

impl Vacancy {
    /// What a killed run has left, unless one that lives works in it.
    pub(super) fn clean(&self, path: &Path) -> Result<(), Failure> {
        let name = self.stage();
        let Ok(top) = open_dir(self.parent.as_fd(), &name) else { return Ok(()) };
        if is_ours(&top) && lock(&top).is_ok_and(|lock| lock != Lock::Taken) {
            clean::remove(self.parent.as_fd(), &name, &path.with_file_name(super::bytes_path(&name)))?;
        }
        Ok(())
    }

    /// The name of the directory beside DIST. A long name of DIST is cut: the
    /// lock keeps two such apart.
    pub(super) fn stage(&self) -> Vec<u8> {
        let name = &self.name[..self.name.len().min(NAME_MAX - SUFFIX.len() - 1)];
        [b".", name, SUFFIX].concat()
    }

    /// Builds the tree and gives it its name.
    pub(super) fn build(
        &self,
        path: &Path,
        plan: &Plan,
        sources: Sources<'_>,
        options: Options,
    ) -> Result<Done, Failure> {
        let tree = self.claim(path)?;
        let built = fill(&tree, plan, sources, options).and_then(|done| {
            signal::go_on()?;
            self.publish(path)?;
            Ok(done)
        });
        if built.is_err() {
            // What went wrong first is what is told.
            let _ = clean::remove(self.parent.as_fd(), &self.stage(), path);
        }
        unlock(&tree.top);
        built
    }

    /// An empty directory that nobody else works in as long as we hold its lock.
    fn claim(&self, path: &Path) -> Result<Tree, Failure> {
        let name = self.stage();
        let shown = path.with_file_name(super::bytes_path(&name));
        loop {
            let made = retry_on_intr(|| fs::mkdirat(&self.parent, &name[..], Mode::RWXU));
            if let Err(errno) = made.or_else(|errno| (errno == Errno::EXIST).then_some(()).ok_or(errno)) {
                return Err(Failure::io("create", &shown, errno));
            }
            match self.take(path, &shown) {
                Ok(Some(tree)) => return Ok(tree),
                Ok(None) => {}
                Err(failure) => {
                    if made.is_ok() {
                        // It is empty, or somebody else's by now.
                        let _ = clean::rmdir(self.parent.as_fd(), &name);
                    }
                    return Err(failure);
                }
            }
        }
    }

    /// Takes the directory beside DIST. `None`: it was a killed run's, or has
    /// become DIST, and is gone.
    fn take(&self, path: &Path, shown: &Path) -> Result<Option<Tree>, Failure> {
        let (name, failed) = (self.stage(), |errno| Failure::io("create", shown, errno));
        let top = open_dir(self.parent.as_fd(), &name).map_err(failed)?;
        if lock(&top).map_err(|errno| Failure::io("lock", shown, errno))? == Lock::Taken {
            return Err(Failure::refused(path, "another depcollect is writing it", None));
        }
        if !is_ours(&top) {
            return Err(Failure::refused(shown, "it is somebody else's", None));
        }
        if !self.is(&name, &top).map_err(failed)? {
            return Ok(None);
        }
        if !clean::names(&top).map_err(failed)?.is_empty() {
            clean::remove(self.parent.as_fd(), &name, shown)?;
            return Ok(None);
        }
        // A directory in one that hands down its group would do so too.
        retry_on_intr(|| fs::fchmod(&top, Mode::RWXU)).map_err(failed)?;
        Ok(Some(Tree::new(top, path)))
    }

    /// Whether the name still is that of this directory: the run that had the
    /// lock before may have renamed it.
    fn is(&self, name: &[u8], top: &OwnedFd) -> rustix::io::Result<bool> {
        let stat = retry_on_intr(|| fs::fstat(top))?;
        let named = look(self.parent.as_fd(), name)?;
        Ok(named.is_some_and(|named| (named.st_dev, named.st_ino) == (stat.st_dev, stat.st_ino)))
    }

    fn publish(&self, path: &Path) -> Result<(), Failure> {
        match rename_new(self.parent.as_fd(), &self.stage(), self.parent.as_fd(), &self.name) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {
                Err(Failure::refused(path, "something was put there meanwhile", None))
            }
            Err(errno) => Err(Failure::io("write", path, errno)),
        }
    }
}

/// Renames to a name that nothing has. Where the file system cannot promise
/// that, it still replaces no directory that holds something.
pub(super) fn rename_new(
    from: BorrowedFd<'_>,
    name: &[u8],
    to: BorrowedFd<'_>,
    new: &[u8],
) -> rustix::io::Result<()> {
    match retry_on_intr(|| fs::renameat_with(from, name, to, new, RenameFlags::NOREPLACE)) {
        Err(Errno::INVAL | Errno::NOSYS) => retry_on_intr(|| fs::renameat(from, name, to, new)),
        done => done,
    }
}

fn fill(tree: &Tree, plan: &Plan, sources: Sources<'_>, options: Options) -> Result<Done, Failure> {
    let top = ImagePath::top();
    let rights =
        Rights::new(&tree.top).seen_on(&tree.top).map_err(|errno| tree.failed("write", &top, errno))?;
    let scene = Scene { plan, sources, options, clock: Clock::new(plan, options), rights, tree };
    let changes = survey(&scene, None)?;
    if !changes.conflicts.is_empty() {
        return Err(Failure::Conflicts(changes.conflicts));
    }
    make_dirs(tree, &changes.make)?;
    let mut done = lay(&scene, &changes, &Site { tree, spot: &|put| put.place.clone(), old: tree })?;
    if !meta::set_mark(&tree.top, &scene.clock.mark()).map_err(|errno| tree.failed("write", &top, errno))? {
        done.dropped.push((top, meta::NO_MARK));
    }
    dress_dirs(&scene, &changes, &mut done)?;
    done.dropped.sort();
    Ok(done)
}

/// Makes directories that only we may enter for now.
pub(super) fn make_dirs(tree: &Tree, places: &[ImagePath]) -> Result<(), Failure> {
    let mut cursor = tree.cursor();
    for place in places {
        signal::go_on()?;
        let made =
            cursor.parent(place).and_then(|dir| retry_on_intr(|| fs::mkdirat(dir, place.name(), Mode::RWXU)));
        made.map_err(|errno| tree.failed("create", place, errno))?;
    }
    Ok(())
}

/// Gives directories what they are to have, the deepest first: some will be
/// closed to us then.
pub(super) fn dress_dirs(scene: &Scene<'_>, changes: &Changes<'_>, done: &mut Done) -> Result<(), Failure> {
    let mut cursor = scene.tree.cursor();
    for work in changes.dirs.iter().rev() {
        signal::go_on()?;
        let name = if work.place.name().is_empty() { b"." } else { work.place.name() };
        let mtime = scene.clock.dir(&work.place, work.had.as_ref());
        let kept = cursor
            .parent(&work.place)
            .and_then(|dir| open_dir(dir, name))
            .and_then(|dir| meta::dress_dir(dir.as_fd(), work.access, mtime, scene.rights));
        if !kept.map_err(|errno| scene.tree.failed("change", &work.place, errno))? {
            done.dropped.push((work.place.clone(), meta::NO_OWNER));
        }
    }
    Ok(())
}
