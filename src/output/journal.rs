//! What a run is about to do to a tree that is there, so that it can be undone:
//! by itself after an error, by the next run after a kill.
//!
//! It is complete before the first step and not written to after it: what was
//! done shows in the stage. A staged thing is moved to its place, and what
//! stood there is kept as `old` under the same number.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use super::clean::rmdir;
use super::copy::write_at;
use super::survey::Changes;
use super::tree::{Cursor, Tree, look};
use super::{Failure, meta};
use crate::path::ImagePath;
use crate::root::{FileId, Stat};

const HEAD: &[u8] = b"depcollect-journal 1";
const END: &[u8] = b"end";

pub(super) const JOURNAL: &[u8] = b"journal";
const UNFINISHED: &[u8] = b"journal-to-be";

/// More than a plan of a million places needs.
const LONGEST: u64 = 1 << 30;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Something is moved away.
    Clear { place: ImagePath, number: usize },
    /// A directory is made.
    Make { place: ImagePath },
    /// Something staged is moved to its place.
    Put { place: ImagePath, number: usize, replaces: bool },
    /// A directory that had this gets something else.
    Dress { place: ImagePath, had: Stat },
    /// The top, which had this mark, gets another. An empty one is none.
    Mark { place: ImagePath, had: Vec<u8> },
}

/// The directories that things come from and go to.
pub(super) struct Stage {
    pub tree: Tree,
    pub new: Tree,
    pub old: Tree,
}

/// In the order in which they are done.
pub(super) fn steps(changes: &Changes<'_>) -> Vec<Step> {
    let clear = changes.clear.iter().map(|put| Step::Clear { place: put.place.clone(), number: put.number });
    let make = changes.make.iter().map(|place| Step::Make { place: place.clone() });
    let put = changes.puts().map(|put| Step::Put {
        place: put.place.clone(),
        number: put.number,
        replaces: put.replaces,
    });
    let dress = changes
        .dirs
        .iter()
        .rev()
        .filter_map(|work| Some(Step::Dress { place: work.place.clone(), had: work.had? }));
    clear.chain(make).chain(put).chain(dress).collect()
}

pub(super) fn spot(number: usize) -> ImagePath {
    ImagePath::top().join(number.to_string().as_bytes())
}

impl Stage {
    /// Writes down what is going to be done. It has its name only when it is whole.
    pub(super) fn note(&self, steps: &[Step]) -> Result<(), Failure> {
        let failed = |errno| Failure::io("write", self.tree.path.join("journal"), errno);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let top = &self.tree.top;
        let file = retry_on_intr(|| fs::openat(top, UNFINISHED, flags, Mode::RUSR | Mode::WUSR));
        let file = file.map_err(failed)?;
        write_at(file.as_fd(), &to_bytes(steps), 0).map_err(failed)?;
        retry_on_intr(|| fs::renameat(top, UNFINISHED, top, JOURNAL)).map_err(failed)
    }

    /// From here on nothing is undone.
    pub(super) fn forget(&self) -> Result<(), Failure> {
        match retry_on_intr(|| fs::unlinkat(&self.tree.top, JOURNAL, AtFlags::empty())) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(Failure::io("remove", self.tree.path.join("journal"), errno)),
        }
    }

    /// What a killed run was doing. `None`: it had not begun, or was done.
    pub(super) fn noted(&self) -> Result<Option<Vec<Step>>, Failure> {
        let path = self.tree.path.join("journal");
        let failed = |errno: Errno| Failure::io("read", &path, errno);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match retry_on_intr(|| fs::openat(&self.tree.top, JOURNAL, flags, Mode::empty())) {
            Err(Errno::NOENT) => return Ok(None),
            file => file.map_err(failed)?,
        };
        let bytes = read(file.as_fd()).map_err(failed)?;
        let hint = "what it held before is in the directory `old`, by number";
        let damaged = || Failure::refused(&path, "it does not tell how to undo what was begun", Some(hint));
        parse(&bytes).map(Some).ok_or_else(damaged)
    }

    /// Makes a tree what it was before these steps, whichever of them were done.
    /// What is undone already stays so.
    pub(super) fn undo(&self, tree: &Tree, steps: &[Step]) -> Result<(), Failure> {
        // A directory may have been closed to us.
        restore_dirs(tree, steps)?;
        let (mut cursor, failed) = (tree.cursor(), |place, errno| tree.failed("restore", place, errno));
        for place in steps.iter().filter_map(Step::made) {
            let open = cursor.parent(place).and_then(|dir| super::tree::open_dir(dir, place.name()));
            if let Ok(dir) = open {
                retry_on_intr(|| fs::fchmod(&dir, Mode::RWXU)).map_err(|errno| failed(place, errno))?;
            }
        }
        let mut cursor = tree.cursor();
        for step in steps.iter().rev() {
            let undone = match step {
                Step::Clear { place, number } => self.put_back(&mut cursor, place, *number).map(drop),
                Step::Make { place } => unmake(&mut cursor, place),
                Step::Put { place, number, replaces } => self.take(&mut cursor, place, *number, *replaces),
                Step::Dress { .. } => Ok(()),
                Step::Mark { had, .. } => meta::restore_mark(&tree.top, had),
            };
            undone.map_err(|errno| failed(step.place(), errno))?;
        }
        restore_dirs(tree, steps)
    }

    /// Moves what stood at a place back to it, if it was moved away.
    fn put_back(
        &self,
        cursor: &mut Cursor<'_>,
        place: &ImagePath,
        number: usize,
    ) -> rustix::io::Result<bool> {
        let name = number.to_string();
        if look(self.old.top.as_fd(), name.as_bytes())?.is_none() {
            return Ok(false);
        }
        let dir = cursor.parent(place)?;
        retry_on_intr(|| fs::renameat(&self.old.top, &name[..], dir, place.name()))?;
        Ok(true)
    }

    /// Takes a thing back from its place, if it was put there.
    fn take(
        &self,
        cursor: &mut Cursor<'_>,
        place: &ImagePath,
        number: usize,
        replaces: bool,
    ) -> rustix::io::Result<()> {
        let name = number.to_string();
        if self.put_back(cursor, place, number)? || replaces {
            return Ok(());
        }
        if look(self.new.top.as_fd(), name.as_bytes())?.is_some() {
            return Ok(());
        }
        let moved = cursor
            .parent(place)
            .and_then(|dir| retry_on_intr(|| fs::renameat(dir, place.name(), &self.new.top, &name[..])));
        match moved {
            // An earlier attempt has removed the directory.
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno),
        }
    }
}

impl Step {
    fn made(&self) -> Option<&ImagePath> {
        match self {
            Step::Make { place } => Some(place),
            Step::Clear { .. } | Step::Put { .. } | Step::Dress { .. } | Step::Mark { .. } => None,
        }
    }

    pub(super) fn place(&self) -> &ImagePath {
        match self {
            Step::Clear { place, .. }
            | Step::Make { place }
            | Step::Put { place, .. }
            | Step::Dress { place, .. }
            | Step::Mark { place, .. } => place,
        }
    }
}

fn unmake(cursor: &mut Cursor<'_>, place: &ImagePath) -> rustix::io::Result<()> {
    match cursor.parent(place).and_then(|dir| rmdir(dir, place.name())) {
        // Not made yet, nor its parent; or somebody put something there.
        Err(Errno::NOENT | Errno::NOTEMPTY | Errno::NOTDIR) => Ok(()),
        done => done,
    }
}

pub(super) fn restore_dirs(tree: &Tree, steps: &[Step]) -> Result<(), Failure> {
    let mut cursor = tree.cursor();
    for step in steps.iter().rev() {
        if let Step::Dress { place, had } = step {
            let done = cursor.parent(place).and_then(|dir| meta::restore_dir(dir, place.name(), had));
            done.map_err(|errno| tree.failed("restore", place, errno))?;
        }
    }
    Ok(())
}

fn to_bytes(steps: &[Step]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut fields = |fields: &[&[u8]]| {
        for field in fields {
            bytes.extend_from_slice(field);
            bytes.push(0);
        }
    };
    fields(&[HEAD]);
    for step in steps {
        let place = step.place().as_bytes();
        match step {
            Step::Clear { number, .. } => fields(&[b"clear", number.to_string().as_bytes(), place]),
            Step::Make { .. } => fields(&[b"make", place]),
            Step::Mark { had, .. } => fields(&[b"mark", had, place]),
            Step::Put { number, replaces, .. } => {
                fields(&[if *replaces { b"over" } else { b"put" }, number.to_string().as_bytes(), place]);
            }
            Step::Dress { had, .. } => {
                let [sec, nsec, ..] = had.times;
                let had = format!("{} {} {} {sec} {nsec}", had.mode, had.uid, had.gid);
                fields(&[b"dress", had.as_bytes(), place]);
            }
        }
    }
    fields(&[END]);
    bytes
}

/// `None`: no whole journal.
fn parse(bytes: &[u8]) -> Option<Vec<Step>> {
    let mut fields = bytes.strip_suffix(b"\0")?.split(|&b| b == 0);
    if fields.next()? != HEAD {
        return None;
    }
    let mut steps = Vec::new();
    loop {
        let kind = fields.next()?;
        if kind == END {
            return fields.next().is_none().then_some(steps);
        }
        let value = if kind == b"make" { "" } else { std::str::from_utf8(fields.next()?).ok()? };
        let place = ImagePath::parse(fields.next()?)?;
        steps.push(match kind {
            b"make" => Step::Make { place },
            b"mark" => Step::Mark { place, had: value.into() },
            b"clear" => Step::Clear { place, number: value.parse().ok()? },
            b"put" => Step::Put { place, number: value.parse().ok()?, replaces: false },
            b"over" => Step::Put { place, number: value.parse().ok()?, replaces: true },
            b"dress" => Step::Dress { place, had: parse_stat(value)? },
            _ => return None,
        });
    }
}

fn parse_stat(text: &str) -> Option<Stat> {
    let numbers: Vec<i64> = text.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [mode, uid, gid, sec, nsec] = numbers[..] else { return None };
    let [mode, uid, gid] = [mode, uid, gid].map(u32::try_from);
    let id = FileId { dev: 0, ino: 0 };
    Some(Stat { id, mode: mode.ok()?, uid: uid.ok()?, gid: gid.ok()?, len: 0, times: [sec, nsec, 0, 0] })
}

fn read(file: BorrowedFd<'_>) -> rustix::io::Result<Vec<u8>> {
    let len = u64::try_from(retry_on_intr(|| fs::fstat(file))?.st_size).unwrap_or(0);
    if len > LONGEST {
        return Err(Errno::FBIG);
    }
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    let mut done = 0;
    while done < bytes.len() {
        match retry_on_intr(|| rustix::io::pread(file, &mut bytes[done..], done as u64))? {
            0 => break,
            n => done += n,
        }
    }
    bytes.truncate(done);
    Ok(bytes)
}
