//! A walk over every regular file below a directory, on several threads.
//!
//! A directory is the unit of work. Files are opened relative to the
//! descriptor of their directory, so that their paths are never walked again,
//! and nothing but a regular file is opened. Links are not followed.
//!
//! The directories get no `DirId`: there are too many. One that still has
//! children to be visited keeps its descriptor, but only the newest few do;
//! an older one is opened again from the nearest ancestor that has one. So
//! neither a wide nor a deep tree runs out of descriptors, and no path grows
//! too long for the kernel.

use std::collections::VecDeque;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use rustix::fs::{FileType, RawDir};
use rustix::io::{Errno, retry_on_intr};

use super::dir::{self, DirRoot};
use super::{DirId, OpenFile, Root};
use crate::path::RealPath;

/// So many directories with children to come keep their descriptors.
const KEEP: usize = 128;

const ENTRIES: usize = 32 * 1024;

/// How much of a file the visitor is given: enough to know what it is.
pub const HEAD: usize = 64;

/// What a walk comes upon, in no order.
#[derive(Debug)]
pub enum Visit<'a> {
    File(Found<'a>),
    /// A file or directory that is there and cannot be read.
    Unread {
        path: RealPath,
        error: io::Error,
    },
}

/// A regular file, open, and how it starts.
#[derive(Debug)]
pub struct Found<'a> {
    pub name: &'a [u8],
    /// The first `HEAD` bytes, or fewer if the file is shorter.
    pub head: &'a [u8],
    dir: &'a Place,
    fd: OwnedFd,
}

/// A directory on the walk.
#[derive(Debug)]
pub struct Place {
    up: Up,
    name: Box<[u8]>,
    fd: Mutex<Option<Arc<OwnedFd>>>,
}

#[derive(Debug)]
enum Up {
    /// The walk starts here: the real path of the start.
    Start(RealPath),
    In(Arc<Place>),
    /// Only while it is dropped.
    Gone,
}

/// Which directories a walk goes into, by the directory and the name in it.
pub type Enter<'a> = &'a (dyn Fn(&Place, &[u8]) -> bool + Sync);

/// Goes everywhere.
pub fn everywhere(_dir: &Place, _name: &[u8]) -> bool {
    true
}

/// Stays out of the trees at the top of a running machine that hold no files.
pub fn except_kernel_trees(dir: &Place, name: &[u8]) -> bool {
    !(dir.is_top() && matches!(name, b"proc" | b"sys" | b"dev"))
}

/// Visits every regular file below `start`.
pub fn walk(
    root: &DirRoot,
    start: DirId,
    threads: usize,
    enter: Enter<'_>,
    visit: &(dyn Fn(Visit<'_>) + Sync),
) {
    let up = Up::Start(root.real_path(start));
    let top = Place { up, name: Box::default(), fd: Mutex::new(None) };
    let fd = match root.open_dir(start) {
        Ok(fd) => fd,
        Err(error) => return visit(Visit::Unread { path: top.path(), error }),
    };
    *top.fd() = Some(Arc::new(fd));
    let top = Arc::new(top);
    let state = State { waiting: vec![Arc::clone(&top)], busy: 0, idle: 0, open: VecDeque::new() };
    let work = Work { top, state: Mutex::new(state), changed: Condvar::new(), enter, visit };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| work.run());
        }
        work.run();
    });
}

/// What the threads share.
struct Work<'a> {
    /// Its descriptor is never given up.
    top: Arc<Place>,
    state: Mutex<State>,
    changed: Condvar,
    enter: Enter<'a>,
    visit: &'a (dyn Fn(Visit<'_>) + Sync),
}

struct State {
    /// The newest is taken first: the tree is walked into its depth, and few
    /// directories wait.
    waiting: Vec<Arc<Place>>,
    /// Threads that may still add to it.
    busy: usize,
    /// Threads that wait for it. A call to wake nobody is a system call too.
    idle: usize,
    /// Directories that hold a descriptor, oldest first; or did.
    open: VecDeque<Weak<Place>>,
}

impl Work<'_> {
    fn run(&self) {
        let mut entries = vec![MaybeUninit::uninit(); ENTRIES];
        let mut below = Vec::new();
        while let Some(turn) = self.next() {
            let place = &turn.place;
            if let Err(error) = self.visit_dir(place, &mut entries, &mut below)
                && !is_gone(error)
            {
                (self.visit)(Visit::Unread { path: place.path(), error: error.into() });
            }
            if below.is_empty() {
                // Nothing will be opened by way of it.
                if !Arc::ptr_eq(place, &self.top) {
                    *place.fd() = None;
                }
            } else {
                self.add(place, &mut below);
            }
        }
    }

    /// Takes a directory, or waits until there is one. `None` when all is done.
    fn next(&self) -> Option<Turn<'_>> {
        let mut state = self.state();
        loop {
            if let Some(place) = state.waiting.pop() {
                state.busy += 1;
                return Some(Turn { state: &self.state, changed: &self.changed, place });
            }
            if state.busy == 0 {
                return None;
            }
            state.idle += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    fn add(&self, place: &Arc<Place>, below: &mut Vec<Arc<Place>>) {
        let added = below.len();
        let mut state = self.state();
        // Reversed, as the last one is taken first.
        state.waiting.extend(below.drain(..).rev());
        let old = self.keep(&mut state, place);
        let wake = added.min(state.idle);
        drop(state);
        drop(old);
        for _ in 0..wake {
            self.changed.notify_one();
        }
    }

    /// Notes that `place` holds a descriptor, and takes it from the oldest
    /// that does. The caller drops that one without the lock.
    fn keep(&self, state: &mut State, place: &Arc<Place>) -> Option<Arc<Place>> {
        if Arc::ptr_eq(place, &self.top) {
            return None;
        }
        state.open.push_back(Arc::downgrade(place));
        if state.open.len() <= KEEP {
            return None;
        }
        let oldest = state.open.pop_front()?.upgrade()?;
        if !Arc::ptr_eq(&oldest, place) {
            *oldest.fd() = None;
        }
        Some(oldest)
    }

    fn visit_dir(
        &self,
        place: &Arc<Place>,
        entries: &mut [MaybeUninit<u8>],
        below: &mut Vec<Arc<Place>>,
    ) -> rustix::io::Result<()> {
        let fd = self.open(place)?;
        let mut entries = RawDir::new(&*fd, entries);
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Err(Errno::INTR) => continue,
                entry => entry?,
            };
            let name = entry.file_name();
            let kind = dir::kind_at(&fd, name, entry.file_type())?;
            if kind == Some(FileType::RegularFile) {
                self.visit_file(place, &fd, name);
            } else if kind == Some(FileType::Directory)
                && !dir::is_dots(name.to_bytes())
                && (self.enter)(place, name.to_bytes())
            {
                below.push(Arc::new(Place::below(place, name.to_bytes())));
            }
        }
        Ok(())
    }

    fn visit_file(&self, place: &Arc<Place>, dir: &OwnedFd, name: &std::ffi::CStr) {
        let mut head = [0; HEAD];
        let read = dir::openat(dir.as_fd(), name, dir::READ)
            .and_then(|fd| Ok((retry_on_intr(|| rustix::io::pread(&fd, &mut head, 0))?, fd)));
        let name = name.to_bytes();
        match read {
            Ok((n, fd)) => (self.visit)(Visit::File(Found { name, head: &head[..n], dir: place, fd })),
            Err(errno) if is_gone(errno) => {}
            Err(errno) => {
                (self.visit)(Visit::Unread { path: place.path().join(name), error: errno.into() });
            }
        }
    }

    /// A directory's descriptor; it is opened from the nearest one above it
    /// that is open. Those between are kept as well, as others may be waiting
    /// below them.
    fn open(&self, place: &Arc<Place>) -> rustix::io::Result<Arc<OwnedFd>> {
        let mut closed = Vec::new();
        let mut at = place;
        let mut fd = loop {
            if let Some(fd) = &*at.fd() {
                break Arc::clone(fd);
            }
            closed.push(at);
            match &at.up {
                Up::In(up) => at = up,
                Up::Start(_) | Up::Gone => unreachable!("the start stays open"),
            }
        };
        for (left, above) in closed.into_iter().enumerate().rev() {
            fd = Arc::new(dir::openat(fd.as_fd(), &above.name[..], dir::READ_DIR)?);
            *above.fd() = Some(Arc::clone(&fd));
            if left > 0 {
                let old = self.keep(&mut self.state(), above);
                drop(old);
            }
        }
        Ok(fd)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A directory that is being visited. The walk ends when nobody has one, also
/// after a panic.
struct Turn<'a> {
    state: &'a Mutex<State>,
    changed: &'a Condvar,
    place: Arc<Place>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.busy -= 1;
        if state.busy == 0 && state.idle > 0 {
            self.changed.notify_all();
        }
    }
}

/// It was there a moment ago, or it was something else: not worth a word.
fn is_gone(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::SPIPE | Errno::NXIO | Errno::ISDIR)
}

impl Found<'_> {
    /// The real path of the directory that holds it.
    pub fn dir(&self) -> RealPath {
        self.dir.path()
    }

    pub fn path(&self) -> RealPath {
        self.dir.path().join(self.name)
    }

    /// The file, with what `fstat` says of it.
    pub fn open(self) -> io::Result<OpenFile> {
        let (_, stat) = dir::stat(&self.fd)?;
        Ok(OpenFile::on_disk(stat, self.fd))
    }
}

impl Place {
    fn below(up: &Arc<Place>, name: &[u8]) -> Self {
        Place { up: Up::In(Arc::clone(up)), name: name.into(), fd: Mutex::new(None) }
    }

    /// Its real path. Costs its depth.
    pub fn path(&self) -> RealPath {
        let mut names = Vec::new();
        let mut at = self;
        let start = loop {
            match &at.up {
                Up::Start(path) => break path.clone(),
                Up::In(up) => {
                    names.push(&at.name[..]);
                    at = up;
                }
                Up::Gone => unreachable!("nobody asks while it is dropped"),
            }
        };
        start.join_all(names.into_iter().rev())
    }

    /// Whether it is the top of its root.
    pub fn is_top(&self) -> bool {
        match &self.up {
            Up::Start(path) => *path == RealPath::top(),
            Up::In(_) | Up::Gone => false,
        }
    }

    fn fd(&self) -> MutexGuard<'_, Option<Arc<OwnedFd>>> {
        self.fd.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Step by step: a chain of ten thousand directories must not drop itself in
/// as many nested calls.
impl Drop for Place {
    fn drop(&mut self) {
        let mut up = std::mem::replace(&mut self.up, Up::Gone);
        while let Up::In(place) = up {
            match Arc::into_inner(place) {
                Some(mut last) => up = std::mem::replace(&mut last.up, Up::Gone),
                None => break,
            }
        }
    }
}
