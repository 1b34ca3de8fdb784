//! A directory of this machine as a root.
//!
//! Every step is an `openat` of one name with `O_NOFOLLOW`, relative to the
//! descriptor of its directory: the kernel never follows a link for us, so
//! nothing leads out of the root. rustix makes plain system calls; std is not
//! used for files here.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags, RawDir};
use rustix::io::{Errno, retry_on_intr};
use rustix::path::Arg;
use rustix::process::{Resource, getrlimit};

use super::slab::Slab;
use super::{Child, DirId, FileId, Item, ItemKind, OpenFile, Opened, Root, Stat};
use crate::intern::Map;
use crate::path::RealPath;

/// So many directories are held open at most; the others are opened again
/// when they are needed.
const KEEP: usize = 4096;
/// Left for others: the standard streams, a file, what is on the way to it.
const LEAVE: u64 = 8;

const STEP: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// `O_NONBLOCK` keeps a FIFO from waiting for its writer, `O_NOCTTY` a terminal
/// from becoming ours.
pub(super) const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

pub(super) const READ_DIR: OFlags = READ.union(OFlags::DIRECTORY);

/// A directory of this machine, seen as `/`.
#[derive(Debug)]
pub struct DirRoot {
    dirs: Slab<Node>,
    /// How many more directories may be held open.
    to_keep: AtomicUsize,
    trouble: OnceLock<Errno>,
}

#[derive(Debug)]
struct Node {
    parent: DirId,
    name: Box<[u8]>,
    fd: Option<OwnedFd>,
    /// A name was looked up here before.
    searchable: AtomicBool,
    /// What was learned about its names. The lock is held during the system
    /// calls, so that each name costs them once.
    steps: Mutex<Map<Box<[u8]>, Step>>,
}

#[derive(Debug, Clone)]
enum Step {
    Dir(DirId),
    Link(Vec<u8>),
    Leaf,
    Refused(Errno),
}

/// A descriptor from the table, or one opened for the occasion.
pub(super) enum Handle<'a> {
    Kept(BorrowedFd<'a>),
    Again(OwnedFd),
}

impl AsFd for Handle<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Handle::Kept(fd) => *fd,
            Handle::Again(fd) => fd.as_fd(),
        }
    }
}

/// So many directories may be held open, with room for others.
fn keepable() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(limit.saturating_sub(LEAVE) / 2).unwrap_or(usize::MAX).min(KEEP)
}

impl DirRoot {
    /// Opens the host's directory `path`, through links if need be.
    pub fn open(path: &Path) -> io::Result<DirRoot> {
        DirRoot::open_keeping(path, keepable())
    }

    /// The same with another number of directories that are held open, besides the top.
    pub fn open_keeping(path: &Path, directories: usize) -> io::Result<DirRoot> {
        let flags = STEP.difference(OFlags::NOFOLLOW);
        let top = retry_on_intr(|| fs::openat(CWD, path, flags, Mode::empty()))?;
        Ok(DirRoot::at(top, directories))
    }

    /// A directory that is open, by whatever name it goes.
    pub fn of(top: OwnedFd) -> DirRoot {
        DirRoot::at(top, keepable())
    }

    fn at(top: OwnedFd, directories: usize) -> DirRoot {
        let root =
            DirRoot { dirs: Slab::new(), to_keep: AtomicUsize::new(directories), trouble: OnceLock::new() };
        root.dirs.push(Node::new(DirId::TOP, b"", Some(top)));
        root
    }

    fn node(&self, dir: DirId) -> &Node {
        self.dirs.get(dir.0)
    }

    /// The descriptor of a directory. It may be an `O_PATH` one.
    pub(super) fn fd(&self, dir: DirId) -> io::Result<Handle<'_>> {
        let mut names = Vec::new();
        let mut node = self.node(dir);
        let kept = loop {
            match &node.fd {
                Some(fd) => break fd.as_fd(),
                None => names.push(&node.name),
            }
            node = self.node(node.parent);
        };
        names
            .iter()
            .rev()
            .try_fold(Handle::Kept(kept), |fd, name| Ok(Handle::Again(openat(fd.as_fd(), &name[..], STEP)?)))
    }

    /// Opens a directory for a listing.
    pub(super) fn open_dir(&self, dir: DirId) -> io::Result<OwnedFd> {
        if dir == DirId::TOP {
            return Ok(openat(self.fd(dir)?.as_fd(), c".", READ_DIR)?);
        }
        // Not by way of `.`, which would ask for `x` besides `r`.
        let node = self.node(dir);
        Ok(openat(self.fd(node.parent)?.as_fd(), &node.name[..], READ_DIR)?)
    }

    fn add(&self, parent: DirId, name: &[u8], fd: OwnedFd) -> DirId {
        let less = |left: usize| left.checked_sub(1);
        let keep = self.to_keep.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok();
        DirId(self.dirs.push(Node::new(parent, name, keep.then_some(fd))))
    }

    /// Looks at one name for the first time.
    fn step(&self, dir: DirId, name: &[u8]) -> io::Result<Step> {
        let fd = self.fd(dir)?;
        match openat(fd.as_fd(), name, STEP) {
            Ok(child) => Ok(Step::Dir(self.add(dir, name, child))),
            Err(Errno::NOTDIR | Errno::LOOP) => match read_link(fd.as_fd(), name) {
                Ok(target) => Ok(Step::Link(target)),
                Err(Errno::INVAL) => Ok(Step::Leaf),
                Err(errno) => Err(errno.into()),
            },
            Err(errno @ (Errno::NOENT | Errno::ACCESS | Errno::NAMETOOLONG)) => Ok(Step::Refused(errno)),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Remembers an error that is this process's own.
    fn noting<T>(&self, answer: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &answer
            && let Some(errno @ (Errno::MFILE | Errno::NFILE)) = Errno::from_io_error(error)
        {
            self.trouble.get_or_init(|| errno);
        }
        answer
    }

    fn open_afresh(&self, fd: BorrowedFd<'_>, dir: DirId, name: &[u8]) -> io::Result<Opened> {
        match openat(fd, name, READ) {
            Ok(file) => self.opened(dir, name, file),
            Err(Errno::LOOP) => Ok(Opened::Link(read_link(fd, name)?)),
            Err(errno @ (Errno::NXIO | Errno::NODEV | Errno::NOMEDIUM | Errno::BUSY)) => {
                special_at(fd, name, errno)
            }
            Err(errno) => Err(errno.into()),
        }
    }

    fn opened(&self, dir: DirId, name: &[u8], fd: OwnedFd) -> io::Result<Opened> {
        let (kind, stat) = stat(&fd)?;
        Ok(match special(kind) {
            Some(what) => Opened::Special(what),
            None if kind == FileType::Directory => Opened::Dir(self.adopt(dir, name, fd)),
            None => Opened::File(OpenFile::on_disk(stat, fd)),
        })
    }

    /// The number of a directory that was opened as the end of a path.
    fn adopt(&self, parent: DirId, name: &[u8], fd: OwnedFd) -> DirId {
        let mut steps = self.node(parent).steps();
        if let Some(Step::Dir(known)) = steps.get(name) {
            return *known;
        }
        let dir = self.add(parent, name, fd);
        steps.insert(name.into(), Step::Dir(dir));
        dir
    }
}

impl Root for DirRoot {
    fn child(&self, dir: DirId, name: &[u8]) -> io::Result<Child> {
        let node = self.node(dir);
        let mut steps = node.steps();
        if let Some(step) = steps.get(name) {
            return step.answer();
        }
        let step = self.noting(self.step(dir, name))?;
        let answer = step.answer();
        node.looked_up(&answer);
        steps.insert(name.into(), step);
        answer
    }

    fn open(&self, dir: DirId, name: &[u8]) -> io::Result<Opened> {
        let fd = self.noting(self.fd(dir))?;
        let opened = match is_mostly_a_link(name).then(|| read_link(fd.as_fd(), name)) {
            Some(Ok(target)) => Ok(Opened::Link(target)),
            Some(Err(Errno::NOENT)) => Err(Errno::NOENT.into()),
            Some(Err(_)) | None => self.noting(self.open_afresh(fd.as_fd(), dir, name)),
        };
        self.node(dir).looked_up(&opened);
        opened
    }

    fn list(&self, dir: DirId) -> io::Result<Vec<Item>> {
        let fd = self.noting(self.open_dir(dir))?;
        let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
        let mut entries = RawDir::new(&fd, &mut buffer);
        let mut items = Vec::new();
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Err(Errno::INTR) => continue,
                entry => entry?,
            };
            let name = entry.file_name();
            if is_dots(name.to_bytes()) {
                continue;
            }
            // A name that vanished since belongs to no listing.
            if let Some(kind) = kind_at(&fd, name, entry.file_type())? {
                items.push(Item { name: name.to_bytes().to_vec(), kind: item_kind(kind) });
            }
        }
        items.sort_unstable();
        Ok(items)
    }

    fn parent(&self, dir: DirId) -> DirId {
        self.node(dir).parent
    }

    fn real_path(&self, dir: DirId) -> RealPath {
        let mut names = Vec::new();
        let mut at = dir;
        while at != DirId::TOP {
            let node = self.node(at);
            names.push(&node.name[..]);
            at = node.parent;
        }
        RealPath::top().join_all(names.into_iter().rev())
    }

    fn dir_stat(&self, dir: DirId) -> io::Result<Stat> {
        // fstat answers for an `O_PATH` descriptor too.
        let fd = self.fd(dir)?;
        Ok(stat_of(&retry_on_intr(|| fs::fstat(fd.as_fd()))?))
    }

    fn trouble(&self) -> Option<io::Error> {
        self.trouble.get().map(|errno| io::Error::from(*errno))
    }

    fn search(&self, dir: DirId) -> io::Result<()> {
        let node = self.node(dir);
        if !node.searchable.load(Ordering::Relaxed) {
            let fd = self.noting(self.fd(dir))?;
            retry_on_intr(|| fs::statat(fd.as_fd(), c".", AtFlags::empty()))?;
            node.searchable.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Node {
    fn new(parent: DirId, name: &[u8], fd: Option<OwnedFd>) -> Self {
        let steps = Mutex::default();
        Node { parent, name: name.into(), fd, searchable: AtomicBool::new(false), steps }
    }

    fn steps(&self) -> std::sync::MutexGuard<'_, Map<Box<[u8]>, Step>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// That a name is missing is an answer too.
    fn looked_up<T>(&self, answer: &io::Result<T>) {
        if answer.as_ref().map_or_else(|e| e.kind() == io::ErrorKind::NotFound, |_| true) {
            self.searchable.store(true, Ordering::Relaxed);
        }
    }
}

impl Step {
    fn answer(&self) -> io::Result<Child> {
        match self {
            Step::Dir(dir) => Ok(Child::Dir(*dir)),
            Step::Link(target) => Ok(Child::Link(target.clone())),
            Step::Leaf => Ok(Child::Leaf),
            Step::Refused(errno) => Err((*errno).into()),
        }
    }
}

/// Reads until `buf` is full or the file ends.
pub(super) fn pread_full(fd: &OwnedFd, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buf.len() {
        let Some(at) = offset.checked_add(done as u64) else { break };
        match retry_on_intr(|| rustix::io::pread(fd, &mut buf[done..], at)) {
            Ok(0) => break,
            Ok(n) => done += n,
            // An offset above 2^63 is behind the end of any file.
            Err(Errno::INVAL) if i64::try_from(at).is_err() => break,
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(done)
}

pub(super) fn openat(
    dir: BorrowedFd<'_>,
    name: impl Arg + Copy,
    flags: OFlags,
) -> rustix::io::Result<OwnedFd> {
    retry_on_intr(|| fs::openat(dir, name, flags, Mode::empty()))
}

pub(super) fn stat(fd: &OwnedFd) -> io::Result<(FileType, Stat)> {
    let s = retry_on_intr(|| fs::fstat(fd))?;
    Ok((FileType::from_raw_mode(s.st_mode), stat_of(&s)))
}

fn stat_of(s: &fs::Stat) -> Stat {
    Stat {
        id: FileId { dev: s.st_dev as _, ino: s.st_ino as _ },
        mode: s.st_mode & 0o7777,
        uid: s.st_uid,
        gid: s.st_gid,
        len: u64::try_from(s.st_size).unwrap_or(0),
        times: [s.st_mtime as _, s.st_mtime_nsec as _, s.st_ctime as _, s.st_ctime_nsec as _],
    }
}

/// What a directory entry is, where the file system left it open. `None` if
/// it is gone.
pub(super) fn kind_at(
    dir: &OwnedFd,
    name: &std::ffi::CStr,
    kind: FileType,
) -> rustix::io::Result<Option<FileType>> {
    if kind != FileType::Unknown {
        return Ok(Some(kind));
    }
    match retry_on_intr(|| fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)) {
        Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

pub(super) fn is_dots(name: &[u8]) -> bool {
    matches!(name, b"." | b"..")
}

/// `libz.so.1`: what is asked for by such a name leads to `libz.so.1.2.13`.
/// To try and open it first would cost a call more.
fn is_mostly_a_link(name: &[u8]) -> bool {
    let mut parts = name.rsplit(|&b| b == b'.');
    parts.next().is_some_and(|last| last.iter().all(u8::is_ascii_digit)) && parts.next() == Some(b"so")
}

fn read_link(dir: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<Vec<u8>> {
    // Linux keeps no longer text than `PATH_MAX`.
    let mut buffer = [MaybeUninit::uninit(); 4096];
    retry_on_intr(|| fs::readlinkat_raw(dir, name, &mut buffer[..]).map(|(target, _)| target.to_vec()))
}

/// A socket cannot be opened, and a device may have nothing behind it.
fn special_at(dir: BorrowedFd<'_>, name: &[u8], errno: Errno) -> io::Result<Opened> {
    let stat = retry_on_intr(|| fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW))?;
    special(FileType::from_raw_mode(stat.st_mode)).map(Opened::Special).ok_or(errno.into())
}

fn special(kind: FileType) -> Option<&'static str> {
    match kind {
        FileType::RegularFile | FileType::Directory | FileType::Symlink => None,
        FileType::Fifo => Some("FIFO"),
        FileType::Socket => Some("socket"),
        FileType::CharacterDevice => Some("character device"),
        FileType::BlockDevice => Some("block device"),
        FileType::Unknown => Some("special file"),
    }
}

fn item_kind(kind: FileType) -> ItemKind {
    match kind {
        FileType::RegularFile => ItemKind::File,
        FileType::Directory => ItemKind::Dir,
        FileType::Symlink => ItemKind::Link,
        FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => ItemKind::Special,
    }
}

/// An attribute of this name is never longer than the kernel's third revision.
pub(super) fn capabilities(fd: &OwnedFd) -> Vec<u8> {
    let mut value = [0; 24];
    let len = fs::fgetxattr(fd, c"security.capability", &mut value).unwrap_or(0);
    value[..len].to_vec()
}

/// A regular file of the host, outside any root: followed as the kernel does.
pub fn open_host_file(path: &Path) -> io::Result<OpenFile> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let fd = retry_on_intr(|| fs::open(path, flags, Mode::empty()))?;
    match stat(&fd)? {
        (FileType::RegularFile, stat) => Ok(OpenFile::on_disk(stat, fd)),
        (FileType::Directory, _) => Err(Errno::ISDIR.into()),
        _ => Err(Errno::INVAL.into()),
    }
}
