//! Modes, owners, times and attributes: what something is to have, and what
//! we are able to give it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, AtFlags, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::{Errno, retry_on_intr};

use super::Options;
use super::tree::open_dir;
use crate::path::ImagePath;
use crate::plan::{Content, Plan, Source};
use crate::root::{Access, Stat};

const SETUID: u32 = 0o4000;
const SETGID: u32 = 0o2000;

const CAPABILITY: &[u8] = b"security.capability";

/// What marks the top of a tree as ours.
pub(super) const MARK: &[u8] = b"user.depcollect";

pub(super) const NO_OWNER: &str = "its owner could not be kept";
pub(super) const NOT_OURS_TO_GIVE: &str =
    "it is ours, though another user is to own it: only root can set that, or --output tar";
const NO_SETID: &str = "setuid and setgid were dropped: its owner could not be kept";
const NO_CAPABILITY: &str = "its capabilities could not be kept";
const NO_XATTRS: &str = "its extended attributes could not be kept";
pub(super) const NO_MARK: &str =
    "this file system keeps no extended attributes: a next run needs --force to write into the tree";

/// What we are able to give.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rights {
    uid: u32,
    gid: u32,
    is_root: bool,
    /// The file system keeps attributes.
    user_xattrs: bool,
    /// What we make is ours at once, and need not be made so.
    is_ours: bool,
}

/// How a file is to be, as far as we are able.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted<'p> {
    pub access: Access,
    pub mtime: (i64, i64),
    pub xattrs: Vec<&'p (Vec<u8>, Vec<u8>)>,
    pub dropped: Vec<&'static str>,
}

/// The times of a run, and of those before it: what several runs make is as new
/// as the newest of their sources, in whatever order they come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    pub newest: (i64, i64),
    epoch: Option<i64>,
    /// The newest source of all earlier runs. Nothing that they made is newer;
    /// what is was touched by somebody else, or by a run that was killed.
    earlier: Option<(i64, i64)>,
}

impl Clock {
    pub(super) fn new(plan: &Plan, options: Options) -> Clock {
        let clock = Clock { newest: plan.newest(), epoch: options.epoch, earlier: None };
        Clock { newest: clock.clamp(clock.newest), ..clock }
    }

    /// In a tree that says of its earlier runs what they have left in its mark.
    pub(super) fn after(self, mark: Option<&[u8]>) -> Clock {
        Clock { earlier: mark.and_then(time_in), ..self }
    }

    /// Of a directory or link that is made, or was by an earlier run.
    pub(super) fn again(self, had: Option<(i64, i64)>) -> (i64, i64) {
        let by_us = had.filter(|had| self.earlier.is_some_and(|earlier| *had <= earlier));
        by_us.map_or(self.newest, |had| self.clamp(had.max(self.newest)))
    }

    /// Of the top, in which every run makes something.
    pub(super) fn top(self) -> (i64, i64) {
        self.earlier.map_or(self.newest, |earlier| self.clamp(earlier.max(self.newest)))
    }

    /// Of a directory, by what it is.
    pub(super) fn dir(self, place: &ImagePath, had: Option<&Stat>) -> (i64, i64) {
        if *place == ImagePath::top() { self.top() } else { self.again(had.map(Stat::mtime)) }
    }

    /// What the tree says of itself when this run is over.
    pub(super) fn mark(self) -> Vec<u8> {
        let (seconds, nanoseconds) = self.top();
        format!("1 {seconds} {nanoseconds}").into_bytes()
    }

    /// When a content was written to last.
    pub(super) fn of(self, content: &Content) -> (i64, i64) {
        match content.source {
            Source::Made(_) => {
                self.clamp(content.mtime.map_or(self.newest, |before| before.max(self.newest)))
            }
            Source::Root { .. } | Source::Host { .. } => self.clamp(content.mtime.unwrap_or(self.newest)),
        }
    }

    fn clamp(self, time: (i64, i64)) -> (i64, i64) {
        self.epoch.map_or(time, |epoch| time.min((epoch, 0)))
    }
}

impl Rights {
    /// In the file system of this directory.
    pub(super) fn new(top: &OwnedFd) -> Rights {
        let (euid, egid) = (rustix::process::geteuid(), rustix::process::getegid());
        let user_xattrs = !matches!(mark(top), Err(Errno::NOTSUP));
        let (uid, gid) = (euid.as_raw(), egid.as_raw());
        Rights { uid, gid, is_root: euid.is_root(), user_xattrs, is_ours: false }
    }

    /// `made` is a directory that we have made: a server may have taken us for
    /// nobody, and a mount may give each file the group of its directory.
    pub(super) fn seen_on(self, made: &OwnedFd) -> rustix::io::Result<Rights> {
        let stat = retry_on_intr(|| fs::fstat(made))?;
        Ok(Rights { is_ours: (stat.st_uid, stat.st_gid) == (self.uid, self.gid), ..self })
    }

    pub(super) fn wanted<'p>(&self, content: &'p Content, clock: Clock) -> Wanted<'p> {
        let mut dropped = Vec::new();
        let mut access = content.access;
        if !self.is_root {
            let lost = self.unkept(access);
            if lost != 0 {
                dropped.push(NO_SETID);
            }
            access = Access { mode: access.mode & !lost, uid: self.uid, gid: self.gid };
        }
        let keeps = |name: &[u8]| if name == CAPABILITY { self.is_root } else { self.user_xattrs };
        let (xattrs, lost): (Vec<_>, Vec<_>) = content.xattrs.iter().partition(|(name, _)| keeps(name));
        dropped.extend(words(lost.iter().map(|(name, _)| &name[..])));
        let mtime = clock.of(content);
        Wanted { access, mtime, xattrs, dropped }
    }

    pub(super) fn dir(&self, access: Access) -> Access {
        if self.is_root {
            return access;
        }
        Access { mode: access.mode & !self.unkept(access), uid: self.uid, gid: self.gid }
    }

    /// Somebody is to own it, as a home, who will not. That files become ours is
    /// known to whoever is not root.
    pub(super) fn is_owner_lost(&self, access: Access) -> bool {
        !self.is_root && access.uid != 0 && access.uid != self.uid
    }

    /// The bits that mean something else with another owner.
    fn unkept(&self, access: Access) -> u32 {
        let bit = |bit: u32, is_lost: bool| if is_lost { access.mode & bit } else { 0 };
        bit(SETUID, access.uid != self.uid) | bit(SETGID, access.gid != self.gid)
    }

    /// Whether something that is there has the access that is wanted.
    pub(super) fn is_same(&self, have: Access, want: Access) -> bool {
        // Without privileges the owner is not ours to choose.
        have.mode == want.mode && (!self.is_root || (have.uid, have.gid) == (want.uid, want.gid))
    }
}

/// `1 SECONDS NANOSECONDS`
fn time_in(mark: &[u8]) -> Option<(i64, i64)> {
    let mut words = std::str::from_utf8(mark).ok()?.split(' ').skip(1);
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

fn words<'n>(lost: impl Iterator<Item = &'n [u8]>) -> Vec<&'static str> {
    let mut said: Vec<_> =
        lost.map(|name| if name == CAPABILITY { NO_CAPABILITY } else { NO_XATTRS }).collect();
    said.sort_unstable();
    said.dedup();
    said
}

/// Gives a new file all that it is to have. Returns what could not be kept.
///
/// The order matters: a new owner takes setuid and capabilities away, and an
/// attribute is refused once the file may not be written to.
pub(super) fn dress(
    file: BorrowedFd<'_>,
    wanted: &Wanted<'_>,
    rights: Rights,
) -> rustix::io::Result<Vec<&'static str>> {
    let mut dropped = Vec::new();
    let mut mode = wanted.access.mode;
    if rights.is_root && !chown(file, wanted.access, rights)? {
        dropped.push(if mode & (SETUID | SETGID) == 0 { NO_OWNER } else { NO_SETID });
        mode &= !(SETUID | SETGID);
    }
    let set = |(name, value): &(Vec<u8>, Vec<u8>)| {
        retry_on_intr(|| fs::fsetxattr(file, &name[..], value, XattrFlags::empty()))
    };
    let mut lost = Vec::new();
    let (last, first): (Vec<_>, Vec<_>) = wanted.xattrs.iter().partition(|(name, _)| name == CAPABILITY);
    for attribute in first {
        if !is_kept(set(attribute))? {
            lost.push(&attribute.0[..]);
        }
    }
    retry_on_intr(|| fs::fchmod(file, Mode::from_raw_mode(mode)))?;
    for attribute in last {
        if !is_kept(set(attribute))? {
            lost.push(&attribute.0[..]);
        }
    }
    retry_on_intr(|| fs::futimens(file, &times(wanted.mtime)))?;
    dropped.extend(words(lost.into_iter()));
    Ok(dropped)
}

fn chown(file: BorrowedFd<'_>, access: Access, rights: Rights) -> rustix::io::Result<bool> {
    if rights.is_ours && (access.uid, access.gid) == (rights.uid, rights.gid) {
        return Ok(true);
    }
    is_kept(retry_on_intr(|| fs::fchown(file, uid(access.uid), gid(access.gid))))
}

/// Not every file system has every attribute, and not every root may give it:
/// in a container some owners do not exist.
fn is_kept(done: rustix::io::Result<()>) -> rustix::io::Result<bool> {
    match done {
        Ok(()) => Ok(true),
        Err(Errno::NOTSUP | Errno::PERM | Errno::INVAL) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Gives a directory its access, if any is meant, and its time. Returns
/// whether its owner could be kept.
pub(super) fn dress_dir(
    dir: BorrowedFd<'_>,
    access: Option<Access>,
    mtime: (i64, i64),
    rights: Rights,
) -> rustix::io::Result<bool> {
    let mut kept = true;
    if let Some(access) = access {
        if rights.is_root {
            kept = is_kept(retry_on_intr(|| fs::fchown(dir, uid(access.uid), gid(access.gid))))?;
        }
        retry_on_intr(|| fs::fchmod(dir, Mode::from_raw_mode(access.mode)))?;
    }
    retry_on_intr(|| fs::futimens(dir, &times(mtime)))?;
    Ok(kept)
}

/// Gives a directory back what it had. Its name is opened for it.
pub(super) fn restore_dir(parent: BorrowedFd<'_>, name: &[u8], had: &Stat) -> rustix::io::Result<()> {
    let name = if name.is_empty() { b"." } else { name };
    let dir = open_dir(parent, name)?;
    let stat = retry_on_intr(|| fs::fstat(&dir))?;
    if (stat.st_uid, stat.st_gid) != (had.uid, had.gid) {
        retry_on_intr(|| fs::fchown(&dir, uid(had.uid), gid(had.gid)))?;
    }
    if stat.st_mode & 0o7777 != had.mode {
        retry_on_intr(|| fs::fchmod(&dir, Mode::from_raw_mode(had.mode)))?;
    }
    retry_on_intr(|| fs::futimens(&dir, &times((had.times[0], had.times[1]))))
}

pub(super) fn date_link(parent: BorrowedFd<'_>, name: &[u8], mtime: (i64, i64)) -> rustix::io::Result<()> {
    retry_on_intr(|| fs::utimensat(parent, name, &times(mtime), AtFlags::SYMLINK_NOFOLLOW))
}

/// Gives an open directory its time alone.
pub(super) fn date(dir: BorrowedFd<'_>, mtime: (i64, i64)) -> rustix::io::Result<()> {
    retry_on_intr(|| fs::futimens(dir, &times(mtime)))
}

/// What stands in the mark of a directory. `None`: it has none.
pub(super) fn mark(top: &OwnedFd) -> rustix::io::Result<Option<Vec<u8>>> {
    let mut value = [0_u8; 64];
    match retry_on_intr(|| fs::fgetxattr(top.as_fd(), MARK, &mut value[..])) {
        Ok(len) => Ok(Some(value[..len].to_vec())),
        Err(Errno::NODATA) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Marks a tree as ours. `false`: the file system keeps no such mark.
pub(super) fn set_mark(top: &OwnedFd, mark: &[u8]) -> rustix::io::Result<bool> {
    is_kept(retry_on_intr(|| fs::fsetxattr(top, MARK, mark, XattrFlags::empty())))
}

/// Gives a tree back the mark that it had. An empty one is none.
pub(super) fn restore_mark(top: &OwnedFd, had: &[u8]) -> rustix::io::Result<()> {
    if had.is_empty() {
        // It is missing where nobody had come so far.
        let _ = retry_on_intr(|| fs::fremovexattr(top, MARK));
        return Ok(());
    }
    retry_on_intr(|| fs::fsetxattr(top, MARK, had, XattrFlags::empty()))
}

fn times(mtime: (i64, i64)) -> Timestamps {
    let time = Timespec { tv_sec: mtime.0 as _, tv_nsec: mtime.1 as _ };
    // The time of access would tell when it was collected.
    Timestamps { last_access: time, last_modification: time }
}

fn uid(raw: u32) -> Option<Uid> {
    Some(Uid::from_raw(raw))
}

fn gid(raw: u32) -> Option<Gid> {
    Some(Gid::from_raw(raw))
}
