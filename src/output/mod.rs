//! Carries out a plan: the only module that writes.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::path::ImagePath;
use crate::plan::{Content, Source};
use crate::root::{self, DirId, OpenFile, Opened, Root, resolve};

/// Where contents come from.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    pub root: &'a dyn Root,
}

/// Why a plan was not carried out. Nothing that was there before is lost.
#[derive(Debug)]
pub enum Failure {
    /// A step on the way to the tree: `cannot VERB PATH: CAUSE`.
    Io { verb: &'static str, path: PathBuf, cause: io::Error },
    /// The source of this place is not what it was when it was looked at.
    Changed { at: ImagePath, source: Vec<u8> },
    /// DIST holds something else at these places.
    Conflicts(Vec<(ImagePath, &'static str)>),
    /// DIST will not do, and why.
    Refused { path: PathBuf, cause: String, hint: Option<String> },
    /// By a signal.
    Interrupted(i32),
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    pub files_written: usize,
    pub bytes_written: u64,
    /// Places where everything was as it should be.
    pub unchanged: usize,
    /// What could not be kept: owners, setuid, capabilities, as ready sentences by place.
    pub dropped: Vec<(ImagePath, &'static str)>,
}

/// How a plan is carried out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Replace what stands in the way.
    pub force: bool,
    /// Nothing is newer than this, in seconds.
    pub epoch: Option<i64>,
    pub threads: usize,
}

impl fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

impl Sources<'_> {
    /// Opens a content that is a file, if it is still the one that was planned.
    pub fn open(&self, content: &Content) -> io::Result<OpenFile> {
        let (open, stat) = match &content.source {
            Source::Root { path, stat } => match resolve(self.root, DirId::TOP, path.as_bytes())?.opened {
                Opened::File(open) => (open, stat),
                Opened::Dir(_) | Opened::Link(_) | Opened::Special(_) => return Err(changed()),
            },
            Source::Host { path, stat } => (root::dir::open_host_file(path)?, stat),
            Source::Made(_) => unreachable!("its bytes are at hand"),
        };
        if open.stat == *stat { Ok(open) } else { Err(changed()) }
    }
}

fn changed() -> io::Error {
    io::Error::other("it changed while it was being copied")
}

pub mod dir;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
