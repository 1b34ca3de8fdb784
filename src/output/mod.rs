//! Carries out a plan: the only module that writes.

use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::escape::escaped;
use crate::path::ImagePath;
use crate::plan::{Content, Source};
use crate::root::{DirId, OpenFile, Opened, dir as host, resolve};

mod clean;
mod contents;
mod copy;
pub mod dir;
mod fresh;
mod journal;
mod lock;
pub mod look;
mod meta;
mod refuse;
mod signal;
mod survey;
pub mod tar;
mod tree;
mod update;

pub use refuse::apart;
pub use signal::interrupted;

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
    /// Places that got a file, further names of one included.
    pub files_written: usize,
    /// What was copied for them; a further name costs nothing.
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
    /// Files copied at a time. None is taken as one.
    pub threads: usize,
}

/// Opens a content that is a file, if it is still the one that was planned.
fn open_source(sources: Sources<'_>, at: &ImagePath, content: &Content) -> Result<OpenFile, Failure> {
    let unopened = |path: &[u8], cause| Failure::io("open", bytes_path(path), cause);
    let (open, stat) = match &content.source {
        Source::Root { path, stat } => {
            let resolved = resolve(sources.root, DirId::TOP, path.as_bytes());
            match resolved.map_err(|cause| unopened(path.as_bytes(), cause))?.opened {
                Opened::File(open) => (open, stat),
                Opened::Dir(_) | Opened::Link(_) | Opened::Special(_) => {
                    return Err(Failure::changed(at, content));
                }
            }
        }
        Source::Host { path, stat } => {
            let open = host::open_host_file(path);
            (open.map_err(|cause| unopened(path.as_os_str().as_bytes(), cause))?, stat)
        }
        Source::Made(_) => unreachable!("its bytes are at hand"),
    };
    if open.stat == *stat { Ok(open) } else { Err(Failure::changed(at, content)) }
}

impl Failure {
    fn io(verb: &'static str, path: impl Into<PathBuf>, cause: impl Into<io::Error>) -> Failure {
        Failure::Io { verb, path: path.into(), cause: cause.into() }
    }

    fn changed(at: &ImagePath, content: &Content) -> Failure {
        Failure::Changed { at: at.clone(), source: source_name(&content.source).to_vec() }
    }

    fn refused(path: &Path, cause: impl Into<String>, hint: Option<&str>) -> Failure {
        Failure::Refused { path: path.to_owned(), cause: cause.into(), hint: hint.map(str::to_owned) }
    }

    /// The cure, where one is known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Failure::Refused { hint, .. } => hint.as_deref(),
            Failure::Conflicts(places) if places.iter().any(|(_, what)| *what == survey::TWICE) => {
                Some("an empty DIST, or --layout merged where DIST has links such as /lib")
            }
            Failure::Conflicts(_) => Some("--force replaces what DIST holds"),
            Failure::Changed { .. } => Some("run it again when nothing writes to the source"),
            Failure::Io { .. } | Failure::Interrupted(_) => None,
        }
    }
}

/// So many conflicts say what is the matter.
const FEW: usize = 10;

/// The part behind `depcollect: error: `. Conflicts take a line each.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Io { verb, path, cause } => {
                write!(f, "cannot {verb} `{}`: {}", shown(path), words(cause))
            }
            Failure::Changed { source, .. } => {
                write!(f, "cannot copy `{}`: it changed while it was being copied", escaped(source))
            }
            Failure::Conflicts(places) => {
                for (n, (at, what)) in places.iter().take(FEW).enumerate() {
                    let line = if n == 0 { "" } else { "\n" };
                    write!(f, "{line}cannot write `{}` in DIST: {what}", escaped(at.as_bytes()))?;
                }
                let more = places.len().saturating_sub(FEW);
                if more > 0 { write!(f, "\ncannot write {more} more places in DIST") } else { Ok(()) }
            }
            Failure::Refused { path, cause, .. } => write!(f, "cannot write `{}`: {cause}", shown(path)),
            Failure::Interrupted(signal) => write!(f, "interrupted by signal {signal}"),
        }
    }
}

fn shown(path: &Path) -> String {
    escaped(path.as_os_str().as_bytes())
}

/// The system's own words, without Rust's number behind them.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

fn bytes_path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

fn source_name(source: &Source) -> &[u8] {
    match source {
        Source::Root { path, .. } => path.as_bytes(),
        Source::Host { path, .. } => path.as_os_str().as_bytes(),
        Source::Made(_) => b"what depcollect made",
    }
}
