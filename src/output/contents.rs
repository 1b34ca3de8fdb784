//! Files as a whole: whether one is as it should be, and making one.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use super::copy::{Trouble, Ways, write_at};
use super::meta::{self, Clock, Rights, Wanted};
use super::survey::{Changes, Put, Work};
use super::tree::{Cursor, Tree};
use super::{Done, Failure, Options, Sources, bytes_path, open_source, signal, source_name};
use crate::bytes::ReadAt;
use crate::path::ImagePath;
use crate::plan::{Content, ContentId, Plan, Source};
use crate::root::dir::DirRoot;
use crate::root::{DirId, FileId, OpenFile, Opened, Root};

/// Two of them stay in the nearest caches.
const BLOCK: usize = 64 * 1024;

const CREATE: OFlags =
    OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What all steps of a run share.
pub(super) struct Scene<'p> {
    pub plan: &'p Plan,
    pub sources: Sources<'p>,
    pub options: Options,
    pub clock: Clock,
    pub rights: Rights,
    /// DIST, as it is looked at and as messages name it.
    pub tree: &'p Tree,
}

/// Two blocks to be compared.
pub(super) struct Buffers(Vec<u8>, Vec<u8>);

impl Default for Buffers {
    fn default() -> Self {
        Buffers(vec![0; BLOCK], vec![0; BLOCK])
    }
}

/// What stands at a place that a content is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Here {
    Nothing,
    Same(FileId),
    /// Its bytes are right, but not its mode, owner, time or attributes.
    Undressed,
    Other(&'static str),
    Dir,
}

impl<'p> Scene<'p> {
    pub(super) fn wanted(&self, content: ContentId) -> Wanted<'p> {
        self.rights.wanted(self.plan.content(content), self.clock)
    }
}

/// Items that are taken from both ends. Neighbours lie in one directory, in which
/// the kernel lets one thread at a time make a file.
struct Ends {
    count: usize,
    taken: AtomicUsize,
    /// How many were taken from the front, and from the back.
    ends: [AtomicUsize; 2],
}

impl Ends {
    fn of(count: usize) -> Ends {
        Ends { count, taken: AtomicUsize::new(0), ends: Default::default() }
    }

    /// `None`: all are taken.
    fn take(&self, thread: usize) -> Option<usize> {
        let is_left = self.taken.fetch_add(1, Ordering::Relaxed) < self.count;
        let end = thread % 2;
        is_left.then(|| match (end, self.ends[end].fetch_add(1, Ordering::Relaxed)) {
            (0, at) => at,
            (_, at) => self.count - 1 - at,
        })
    }
}

/// Does `work` for all items, some at a time, each thread with its own `S`.
pub(super) fn each<T: Sync, R: Send, S>(
    threads: usize,
    items: &[T],
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &T) -> Result<R, Failure> + Sync,
) -> Result<Vec<R>, Failure> {
    let (left, failed) = (Ends::of(items.len()), AtomicBool::new(false));
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let run = |thread: usize| {
        let mut state = state();
        while !failed.load(Ordering::Relaxed) {
            let Some(at) = left.take(thread) else { break };
            let result = signal::go_on().and_then(|()| work(&mut state, &items[at]));
            failed.fetch_or(result.is_err(), Ordering::Relaxed);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
        }
    };
    std::thread::scope(|scope| {
        let run = &run;
        for thread in 1..threads.min(items.len()) {
            scope.spawn(move || run(thread));
        }
        run(0);
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    // Of several failures the first one is told.
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// What stands at each place that a content is to have.
pub(super) fn compare(
    scene: &Scene<'_>,
    earlier: Option<&DirRoot>,
    content: ContentId,
    places: &[(ImagePath, Option<DirId>)],
    buffers: &mut Buffers,
) -> Result<Vec<Here>, Failure> {
    let mut look = |(place, dir): &(ImagePath, Option<DirId>)| match (earlier, dir) {
        (Some(earlier), Some(dir)) => look_at(scene, earlier, *dir, place, content, buffers),
        (None, _) | (_, None) => Ok(Here::Nothing),
    };
    places.iter().map(&mut look).collect()
}

fn look_at(
    scene: &Scene<'_>,
    earlier: &DirRoot,
    dir: DirId,
    place: &ImagePath,
    id: ContentId,
    buffers: &mut Buffers,
) -> Result<Here, Failure> {
    let failed = |cause| scene.tree.failed("read", place, cause);
    let file = match earlier.open(dir, place.name()) {
        Ok(Opened::File(file)) => file,
        Ok(Opened::Dir(_)) => return Ok(Here::Dir),
        Ok(Opened::Link(_)) => return Ok(Here::Other("a link stands there")),
        Ok(Opened::Special(_)) => return Ok(Here::Other("a special file stands there")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Here::Nothing),
        Err(error) => return Err(failed(error)),
    };
    let (content, wanted) = (scene.plan.content(id), scene.wanted(id));
    if file.stat.len != content.len || !is_equal(scene, place, content, &file, buffers)? {
        return Ok(Here::Other("another file stands there"));
    }
    let mtime = (file.stat.times[0], file.stat.times[1]);
    let is_dressed = scene.rights.is_same(file.stat.access(), wanted.access)
        && mtime == wanted.mtime
        && file.xattrs().map_err(failed)?.iter().eq(wanted.xattrs.iter().copied());
    Ok(if is_dressed { Here::Same(file.stat.id) } else { Here::Undressed })
}

/// Whether a file holds the bytes of a content. The lengths agree.
fn is_equal(
    scene: &Scene<'_>,
    place: &ImagePath,
    content: &Content,
    file: &OpenFile,
    buffers: &mut Buffers,
) -> Result<bool, Failure> {
    if let Source::Made(bytes) = &content.source {
        return blocks_agree(scene, place, content, &bytes[..], file, buffers);
    }
    let source = open_source(scene.sources, place, content)?;
    let agree = blocks_agree(scene, place, content, &source, file, buffers)?;
    unchanged_since(place, content, &source)?;
    Ok(agree)
}

fn blocks_agree(
    scene: &Scene<'_>,
    place: &ImagePath,
    content: &Content,
    source: &(impl ReadAt + ?Sized),
    file: &OpenFile,
    Buffers(ours, theirs): &mut Buffers,
) -> Result<bool, Failure> {
    let mut at = 0;
    while at < content.len {
        signal::go_on()?;
        let n = source.read_at(ours, at).map_err(|error| unread(content, error))?;
        if n == 0 {
            return Err(Failure::changed(place, content));
        }
        let m = file.read_at(theirs, at).map_err(|error| scene.tree.failed("read", place, error))?;
        if ours[..n] != theirs[..m] {
            return Ok(false);
        }
        at += n as u64;
    }
    Ok(true)
}

pub(super) fn unread(content: &Content, error: std::io::Error) -> Failure {
    Failure::io("read", bytes_path(source_name(&content.source)), error)
}

/// A file that was written to while we read it is one of neither time.
pub(super) fn unchanged_since(
    place: &ImagePath,
    content: &Content,
    source: &OpenFile,
) -> Result<(), Failure> {
    let now = source.restat().map_err(|error| unread(content, error))?;
    if now == source.stat { Ok(()) } else { Err(Failure::changed(place, content)) }
}

/// Where things are made, and what they are further names of.
pub(super) struct Site<'s> {
    pub tree: &'s Tree,
    /// Under which name in it something is made.
    pub spot: &'s (dyn Fn(&Put) -> ImagePath + Sync),
    /// The tree that holds the places of which there are to be further names.
    pub old: &'s Tree,
}

/// Makes every file and link of the changes.
pub(super) fn lay(scene: &Scene<'_>, changes: &Changes<'_>, site: &Site<'_>) -> Result<Done, Failure> {
    let mut done = Done { unchanged: changes.unchanged, dropped: changes.dropped.clone(), ..Done::default() };
    let ways = Ways::default();
    let fresh: Vec<&Work> = changes.files.iter().filter(|work| work.from.is_none()).collect();
    let lost = each(
        scene.options.threads,
        &fresh,
        || site.tree.cursor(),
        |cursor, work| make(scene, &ways, work.content, site, &work.puts[0], cursor),
    )?;
    for (work, lost) in fresh.iter().zip(lost) {
        done.bytes_written += scene.plan.content(work.content).len;
        for put in &work.puts {
            done.dropped.extend(lost.iter().map(|what| (put.place.clone(), *what)));
        }
    }
    let mut cursor = site.tree.cursor();
    for work in &changes.files {
        done.files_written += work.puts.len();
        done.bytes_written += further_names(scene, &ways, work, site, &mut cursor)?;
    }
    for (put, target) in &changes.links {
        signal::go_on()?;
        link(scene, site, put, target, &mut cursor)?;
    }
    done.dropped.sort();
    done.dropped.dedup();
    Ok(done)
}

/// Gives a file its further names. Returns what had to be copied for them.
fn further_names(
    scene: &Scene<'_>,
    ways: &Ways,
    work: &Work,
    site: &Site<'_>,
    cursor: &mut Cursor<'_>,
) -> Result<u64, Failure> {
    let (old, from, puts) = match &work.from {
        Some(place) => (site.old, place.clone(), &work.puts[..]),
        None => (site.tree, (site.spot)(&work.puts[0]), &work.puts[1..]),
    };
    let mut copied = 0;
    for put in puts {
        signal::go_on()?;
        let to = (site.spot)(put);
        if !name_again(old, &from, cursor, &to)
            .map_err(|errno| scene.tree.failed("link", &put.place, errno))?
        {
            make(scene, ways, work.content, site, put, cursor)?;
            copied += scene.plan.content(work.content).len;
        }
    }
    Ok(copied)
}

/// Makes a file with all that it is to have. Returns what it could not be given.
fn make(
    scene: &Scene<'_>,
    ways: &Ways,
    id: ContentId,
    site: &Site<'_>,
    put: &Put,
    cursor: &mut Cursor<'_>,
) -> Result<Vec<&'static str>, Failure> {
    let failed = |errno: Errno| scene.tree.failed("write", &put.place, errno);
    let content = scene.plan.content(id);
    let spot = (site.spot)(put);
    let mut create = || {
        let dir = cursor.parent(&spot)?;
        retry_on_intr(|| fs::openat(dir, spot.name(), CREATE, Mode::RUSR | Mode::WUSR))
    };
    let file = if let Source::Made(bytes) = &content.source {
        let file = create().map_err(failed)?;
        write_at(file.as_fd(), bytes, 0).map_err(failed)?;
        file
    } else {
        let source = open_source(scene.sources, &put.place, content)?;
        let file = create().map_err(failed)?;
        ways.copy(&source, file.as_fd()).map_err(|trouble| match trouble {
            Trouble::Short => Failure::changed(&put.place, content),
            Trouble::Read(error) => unread(content, error),
            Trouble::Write(errno) => failed(errno),
            Trouble::Interrupted(failure) => failure,
        })?;
        unchanged_since(&put.place, content, &source)?;
        file
    };
    meta::dress(file.as_fd(), &scene.wanted(id), scene.rights).map_err(failed)
}

/// Gives a file another name. `false`: this file system does not.
fn name_again(
    old: &Tree,
    from: &ImagePath,
    cursor: &mut Cursor<'_>,
    to: &ImagePath,
) -> rustix::io::Result<bool> {
    let mut old_cursor = old.cursor();
    let old_dir = old_cursor.parent(from)?;
    let dir = cursor.parent(to)?;
    match retry_on_intr(|| fs::linkat(old_dir, from.name(), dir, to.name(), AtFlags::empty())) {
        Ok(()) => Ok(true),
        Err(Errno::XDEV | Errno::MLINK | Errno::PERM | Errno::OPNOTSUPP) => Ok(false),
        Err(errno) => Err(errno),
    }
}

fn link(
    scene: &Scene<'_>,
    site: &Site<'_>,
    put: &Put,
    target: &[u8],
    cursor: &mut Cursor<'_>,
) -> Result<(), Failure> {
    let failed = |errno| scene.tree.failed("link", &put.place, errno);
    let spot = (site.spot)(put);
    let dir = cursor.parent(&spot).map_err(failed)?;
    retry_on_intr(|| fs::symlinkat(target, dir, spot.name())).map_err(failed)?;
    meta::date_link(dir, spot.name(), scene.clock.newest).map_err(failed)
}
