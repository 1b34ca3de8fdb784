//! Carries out a plan: the only module that writes.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::path::ImagePath;

pub use crate::plan::Sources;

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

pub mod dir;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
