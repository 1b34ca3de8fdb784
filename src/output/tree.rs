//! A tree that is written to: every step is one name in the descriptor of its
//! directory, with `O_NOFOLLOW`. No link leads out of it.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use super::Failure;
use crate::path::ImagePath;

/// So many directories above the one worked in are held open.
const KEEP: usize = 64;

const STEP: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

pub(super) const READ_DIR: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// DIST, or a directory in which it is made.
#[derive(Debug)]
pub(super) struct Tree {
    pub top: OwnedFd,
    /// For messages.
    pub path: PathBuf,
}

/// Walks from one directory of a tree to the next: what two paths share is
/// opened once.
pub(super) struct Cursor<'t> {
    tree: &'t Tree,
    open: Vec<(Vec<u8>, Option<OwnedFd>)>,
}

impl Tree {
    pub(super) fn new(top: OwnedFd, path: &Path) -> Tree {
        Tree { top, path: path.to_owned() }
    }

    /// Makes a directory that only we may enter, and opens it.
    pub(super) fn make(parent: BorrowedFd<'_>, name: &[u8], path: &Path) -> Result<Tree, Failure> {
        let failed = |errno: Errno| Failure::io("create", path, errno);
        retry_on_intr(|| fs::mkdirat(parent, name, Mode::RWXU)).map_err(failed)?;
        let top = open_dir(parent, name).map_err(failed)?;
        // A directory in one that hands down its group would do so too.
        retry_on_intr(|| fs::fchmod(&top, Mode::RWXU)).map_err(failed)?;
        Ok(Tree::new(top, path))
    }

    /// Where `at` is on the host.
    pub(super) fn host(&self, at: &ImagePath) -> PathBuf {
        self.path.join(OsStr::from_bytes(at.below(&ImagePath::top()).unwrap_or_default()))
    }

    pub(super) fn failed(&self, verb: &'static str, at: &ImagePath, cause: impl Into<io::Error>) -> Failure {
        Failure::io(verb, self.host(at), cause)
    }

    pub(super) fn cursor(&self) -> Cursor<'_> {
        Cursor { tree: self, open: Vec::new() }
    }
}

impl Cursor<'_> {
    /// The descriptor of a directory. It may be an `O_PATH` one.
    pub(super) fn dir(&mut self, at: &ImagePath) -> rustix::io::Result<BorrowedFd<'_>> {
        let same = at.components().zip(&self.open).take_while(|(name, (known, _))| name == known).count();
        self.open.truncate(same);
        while self.open.last().is_some_and(|(_, fd)| fd.is_none()) {
            self.open.pop();
        }
        for name in at.components().skip(self.open.len()) {
            let fd = retry_on_intr(|| fs::openat(self.last(), name, STEP, Mode::empty()))?;
            // One in the middle of a very deep path is opened again if need be.
            if let Some(above) = self.open.get_mut(KEEP..).and_then(<[_]>::last_mut) {
                above.1 = None;
            }
            self.open.push((name.to_vec(), Some(fd)));
        }
        Ok(self.last())
    }

    /// The directory that holds `at`. The top holds itself.
    pub(super) fn parent(&mut self, at: &ImagePath) -> rustix::io::Result<BorrowedFd<'_>> {
        self.dir(&at.parent().unwrap_or_else(ImagePath::top))
    }

    fn last(&self) -> BorrowedFd<'_> {
        self.open.last().and_then(|(_, fd)| fd.as_ref()).map_or(self.tree.top.as_fd(), AsFd::as_fd)
    }
}

pub(super) fn open_dir(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    retry_on_intr(|| fs::openat(parent, name, READ_DIR, Mode::empty()))
}

/// What a name itself is, a link not followed. `None`: nothing.
pub(super) fn look(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<Option<fs::Stat>> {
    match retry_on_intr(|| fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

pub(super) fn is_link(stat: &fs::Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Symlink
}
