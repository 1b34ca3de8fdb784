//! A tree seen as `/`: the reading edge.
//!
//! Absolute links restart at the top, `..` cannot leave it, forty links are
//! the most one path may pass. The walk is our own, on directory handles, and
//! yields every link passed: a copy of a file is only reachable with them.
//! Nothing here needs `/proc` or `openat2`.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use crate::bytes::ReadAt;
use crate::path::RealPath;

pub mod dir;
pub mod host;
pub mod mem;
mod resolve;
mod slab;
pub mod walk;
mod xattr;

pub use resolve::{Links, Resolved, open_in, resolve, resolve_dir};

/// A directory of a root that has been reached, without links in its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DirId(pub u32);

impl DirId {
    pub const TOP: DirId = DirId(0);
}

/// What was one inode stays one inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId {
    pub dev: u64,
    pub ino: u64,
}

/// What `fstat` says of an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    pub id: FileId,
    /// Permission bits, with setuid, setgid and sticky.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub len: u64,
    /// Modification and change time, to notice a file that changes meanwhile.
    pub times: [i64; 4],
}

/// Whose something is, and who may do what with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Permission bits, with setuid, setgid and sticky.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
}

/// What stands at one name of a directory, as a walk sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Child {
    Dir(DirId),
    Link(Vec<u8>),
    /// A file, a device, a socket, a FIFO: the walk ends here.
    Leaf,
}

/// What stands at the last name of a path, opened.
#[derive(Debug)]
pub enum Opened {
    File(OpenFile),
    Dir(DirId),
    Link(Vec<u8>),
    /// A FIFO, device or socket. It was not read.
    Special(&'static str),
}

/// An open file: what it is, and its bytes.
#[derive(Debug)]
pub struct OpenFile {
    pub stat: Stat,
    data: Data,
}

#[derive(Debug)]
enum Data {
    Fd(OwnedFd),
    Bytes { bytes: Arc<[u8]>, capabilities: Arc<[u8]> },
}

/// One name of a directory listing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    pub name: Vec<u8>,
    pub kind: ItemKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ItemKind {
    File,
    Dir,
    Link,
    Special,
}

/// A tree to read. No method follows a link; errors are the kernel's own
/// (`ENOENT`, `EACCES`, `ENOTDIR`, `ENAMETOOLONG`, …).
///
/// Directories are numbered and kept; a root is shared between threads.
pub trait Root: Sync {
    /// Looks at `name` in `dir` as a step on the way to something below it.
    fn child(&self, dir: DirId, name: &[u8]) -> io::Result<Child>;

    /// Opens `name` in `dir` for reading, as the last step of a path. A FIFO
    /// or a device does not block and is not read.
    fn open(&self, dir: DirId, name: &[u8]) -> io::Result<Opened>;

    /// What a directory holds, sorted by name.
    fn list(&self, dir: DirId) -> io::Result<Vec<Item>>;

    /// The directory that holds `dir`; the top holds itself.
    fn parent(&self, dir: DirId) -> DirId;

    fn real_path(&self, dir: DirId) -> RealPath;

    /// Whose a directory is, and who may do what in it.
    fn dir_stat(&self, dir: DirId) -> io::Result<Stat>;

    /// Whether names may be looked up in `dir`. The kernel asks this before
    /// `.` and `..` too.
    fn search(&self, _dir: DirId) -> io::Result<()> {
        Ok(())
    }

    /// What has kept this process from looking, whatever stands there: it has too
    /// many files open. From then on no answer about the root can be relied on.
    fn trouble(&self) -> Option<io::Error> {
        None
    }
}

impl Access {
    pub const fn of_root(mode: u32) -> Access {
        Access { mode, uid: 0, gid: 0 }
    }
}

impl Stat {
    /// Seconds and nanoseconds.
    pub fn mtime(&self) -> (i64, i64) {
        (self.times[0], self.times[1])
    }

    pub fn access(&self) -> Access {
        Access { mode: self.mode, uid: self.uid, gid: self.gid }
    }
}

impl OpenFile {
    pub(crate) fn on_disk(stat: Stat, fd: OwnedFd) -> Self {
        OpenFile { stat, data: Data::Fd(fd) }
    }

    pub(crate) fn in_memory(stat: Stat, bytes: Arc<[u8]>, capabilities: Arc<[u8]>) -> Self {
        OpenFile { stat, data: Data::Bytes { bytes, capabilities } }
    }

    /// The attribute `security.capability`. Empty: it has none that can be read.
    pub(crate) fn capabilities(&self) -> Vec<u8> {
        match &self.data {
            Data::Fd(fd) => dir::capabilities(fd),
            Data::Bytes { capabilities, .. } => capabilities.to_vec(),
        }
    }

    /// What it is now: a file may change while it is read.
    pub fn restat(&self) -> io::Result<Stat> {
        match &self.data {
            Data::Fd(fd) => Ok(dir::stat(fd)?.1),
            Data::Bytes { .. } => Ok(self.stat),
        }
    }

    /// The descriptor, for copies that stay in the kernel. A file in memory has none.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.data {
            Data::Fd(fd) => Some(fd.as_fd()),
            Data::Bytes { .. } => None,
        }
    }
}

impl ReadAt for OpenFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        match &self.data {
            Data::Fd(fd) => dir::pread_full(fd, buf, offset),
            Data::Bytes { bytes, .. } => bytes.read_at(buf, offset),
        }
    }
}
