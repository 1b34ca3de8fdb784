//! A plan as a directory.
//!
//! All or nothing: a tree that is not there is built beside its place and
//! renamed; one that is there keeps what it held until everything is staged,
//! and a journal undoes what an error or a kill interrupted. A loss of power
//! is not covered: that would take a flush of the whole file system before the
//! first move and another before the journal goes, and a build that loses its
//! machine is done again from what was there before it.
//!
//! A tree of ours carries the attribute `user.depcollect`, which says when the
//! newest source of all its runs was written to. Without it only an empty
//! directory is written to, unless by `--force`.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, CWD, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use super::fresh::Vacancy;
use super::lock::{Lock, lock, unlock};
use super::tree::{Tree, look};
use super::{Done, Failure, Options, Sources, clean, refuse, signal, update};
use crate::path::ImagePath;
use crate::plan::Plan;
use crate::root::dir::DirRoot;

/// DIST, opened once; nobody else writes to it as long as this lives.
#[derive(Debug)]
pub struct Target {
    path: PathBuf,
    state: State,
}

#[derive(Debug)]
pub(super) enum State {
    Vacant(Vacancy),
    There(Tree),
}

/// Writes a plan to `dist`. `inputs` are the real paths on the host of what
/// was asked for: no tree is written over those.
pub fn write(
    plan: &Plan,
    sources: Sources<'_>,
    dist: &Path,
    inputs: &[PathBuf],
    options: Options,
) -> Result<Done, Failure> {
    Target::open(dist, inputs, options.force)?.write(plan, sources, options)
}

/// What an earlier run has written to `dist`. `None`: nothing is there.
pub fn existing(dist: &Path) -> Result<Option<DirRoot>, Failure> {
    Target::open(dist, &[], true)?.earlier()
}

impl Target {
    /// Opens DIST or the directory it is to be in, and undoes what a killed run
    /// has left there. With `force` it may hold something else.
    pub fn open(dist: &Path, inputs: &[PathBuf], force: bool) -> Result<Target, Failure> {
        signal::watch();
        let state = match find(dist)? {
            State::There(tree) => State::There(claim(tree, inputs, force)?),
            vacant @ State::Vacant(_) => vacant,
        };
        Ok(Target { path: dist.to_owned(), state })
    }

    /// What it holds already. `None`: nothing.
    pub fn earlier(&self) -> Result<Option<DirRoot>, Failure> {
        match &self.state {
            State::There(tree) if !is_empty(tree)? => update::as_root(tree).map(Some),
            State::There(_) | State::Vacant(_) => Ok(None),
        }
    }

    pub fn write(&self, plan: &Plan, sources: Sources<'_>, options: Options) -> Result<Done, Failure> {
        match &self.state {
            State::Vacant(vacancy) => vacancy.build(&self.path, plan, sources, options),
            State::There(tree) => update::update(tree, plan, sources, options),
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        match &self.state {
            State::There(tree) => unlock(&tree.top),
            State::Vacant(_) => {}
        }
    }
}

/// What is at DIST. Nothing is done to it.
pub(super) fn find(dist: &Path) -> Result<State, Failure> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match retry_on_intr(|| fs::openat(CWD, dist, flags, Mode::empty())) {
        Ok(top) => Ok(State::There(Tree::new(top, dist))),
        Err(Errno::NOENT) => vacancy(dist).map(State::Vacant),
        Err(Errno::NOTDIR) => Err(Failure::refused(dist, "it is no directory", None)),
        Err(errno) => Err(Failure::io("open", dist, errno)),
    }
}

fn claim(tree: Tree, inputs: &[PathBuf], force: bool) -> Result<Tree, Failure> {
    refuse::refuse(&tree.top, &tree.path, inputs)?;
    let top = ImagePath::top();
    if lock(&tree.top).map_err(|errno| tree.failed("lock", &top, errno))? == Lock::Taken {
        return Err(Failure::refused(&tree.path, "another depcollect is writing it", None));
    }
    update::recover(&tree)?;
    if !force {
        refuse_strangers(&tree)?;
    }
    if let Ok(vacancy) = vacancy(&tree.path) {
        vacancy.clean(&tree.path)?;
    }
    Ok(tree)
}

/// What depcollect did not write is nothing to write into.
pub(super) fn refuse_strangers(tree: &Tree) -> Result<(), Failure> {
    if update::marked(tree).is_some() || is_empty(tree)? {
        return Ok(());
    }
    let cause = "it holds what depcollect did not write";
    Err(Failure::refused(&tree.path, cause, Some("--force writes into it nevertheless")))
}

pub(super) fn is_empty(tree: &Tree) -> Result<bool, Failure> {
    let failed = |errno| tree.failed("list", &ImagePath::top(), errno);
    let again = super::tree::open_dir(tree.top.as_fd(), b".").map_err(failed)?;
    Ok(clean::names(&again).map_err(failed)?.is_empty())
}

/// Where a tree is to be that is not there yet.
pub(super) fn vacancy(dist: &Path) -> Result<Vacancy, Failure> {
    let Some(name) = dist.file_name() else {
        return Err(Failure::io("open", dist, Errno::NOENT));
    };
    let parent = match dist.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new(OsStr::from_bytes(b".")),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened: rustix::io::Result<OwnedFd> = retry_on_intr(|| fs::openat(CWD, parent, flags, Mode::empty()));
    let parent = opened.map_err(|errno| match errno {
        Errno::NOENT => {
            let hint = "make the directory that it is to be in";
            Failure::refused(dist, format!("there is no `{}`", super::shown(parent)), Some(hint))
        }
        errno => Failure::io("open", parent, errno),
    })?;
    let name = name.as_bytes().to_vec();
    match look(parent.as_fd(), &name) {
        Ok(Some(stat)) if super::tree::is_link(&stat) => {
            Err(Failure::refused(dist, "it is a link that leads nowhere", None))
        }
        _ => Ok(Vacancy { parent, name }),
    }
}
