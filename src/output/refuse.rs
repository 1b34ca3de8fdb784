//! Directories that no tree is written to.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{self, CWD, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use super::Failure;

const WALK: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// No tree is as deep as that.
const DEEPEST: usize = 4096;

type Id = (u64, u64);

/// Refuses the root of the machine, and what is or holds an input. By whatever
/// name: it is the directory that counts.
pub(super) fn refuse(top: &OwnedFd, path: &Path, inputs: &[PathBuf]) -> Result<(), Failure> {
    let failed = |errno| Failure::io("look at", path, errno);
    let top = id(top).map_err(failed)?;
    let root = open(Path::new("/")).and_then(|root| id(&root)).map_err(failed)?;
    if top == root {
        let hint = "name a directory that is to become the root of an image";
        return Err(Failure::refused(path, "it is the root of this machine", Some(hint)));
    }
    for input in inputs {
        if is_at_or_above(top, root, input).map_err(failed)? {
            let cause = format!("it is or holds `{}`, which is to be collected", super::shown(input));
            return Err(Failure::refused(path, cause, Some("name another directory")));
        }
    }
    Ok(())
}

/// Refuses what is, holds or lies in the base that the tree is to lie over. In
/// the root of the machine lies everything.
pub fn apart(dist: &Path, base: &Path) -> Result<(), Failure> {
    let id_of = |path: &Path| open(path).and_then(|dir| id(&dir));
    let root = id_of(Path::new("/")).map_err(|errno| Failure::io("look at", "/", errno))?;
    let id = id_of(base).map_err(|errno| Failure::io("look at", base, errno))?;
    let failed = |errno| Failure::io("look at", dist, errno);
    let refused = |how: &str| {
        let cause = format!("it {how} `{}`, the base of --onto", super::shown(base));
        Err(Failure::refused(dist, cause, Some("name another directory")))
    };
    if let Ok(dist) = id_of(dist)
        && is_at_or_above(dist, root, base).map_err(failed)?
    {
        return refused("is or holds");
    }
    if id != root && is_at_or_above(id, root, dist).map_err(failed)? { refused("lies in") } else { Ok(()) }
}

/// What cannot be opened is not held by anything; whoever reads it will say so.
fn is_at_or_above(top: Id, root: Id, input: &Path) -> rustix::io::Result<bool> {
    let parent = input.parent().filter(|parent| !parent.as_os_str().is_empty());
    let opened = open(input).or_else(|_| open(parent.unwrap_or(Path::new("."))));
    let Ok(mut dir) = opened else { return Ok(false) };
    for _ in 0..DEEPEST {
        let here = id(&dir)?;
        if here == top {
            return Ok(true);
        }
        if here == root {
            return Ok(false);
        }
        dir = match retry_on_intr(|| fs::openat(&dir, c"..", WALK, Mode::empty())) {
            Err(Errno::ACCESS) => return Ok(false),
            above => above?,
        };
    }
    Ok(false)
}

fn open(path: &Path) -> rustix::io::Result<OwnedFd> {
    retry_on_intr(|| fs::openat(CWD, path, WALK, Mode::empty()))
}

fn id(dir: &OwnedFd) -> rustix::io::Result<Id> {
    let stat = retry_on_intr(|| fs::fstat(dir))?;
    Ok((stat.st_dev as _, stat.st_ino as _))
}
