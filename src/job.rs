//! What is to be done, as plain data: options that were checked, names that
//! are bytes, nothing that still has to be looked up in an environment.

use std::path::PathBuf;

/// The whole of one run.
#[derive(Debug, Clone)]
pub struct Job {
    pub task: Task,
    /// The tree taken for `/`.
    pub root: PathBuf,
    /// It is this machine's own.
    pub is_own_root: bool,
    /// The working directory, as a path of the host.
    pub cwd: PathBuf,
    /// Where a word without a slash is looked up.
    pub path: Vec<u8>,
    pub library_path: Option<LibraryPath>,
    pub preload: Option<Vec<u8>>,
    pub bind_now: bool,
    pub levels: Levels,
    pub conf: bool,
    pub loader: Option<Vec<u8>>,
    pub verbose: bool,
    pub quiet: bool,
    pub colour: Colours,
    /// How many threads are worth starting. Asked only if there is work for
    /// several: the answer costs a tenth of a whole short run.
    pub threads: fn() -> usize,
}

#[derive(Debug, Clone)]
pub enum Task {
    List(ListTask),
    Why { program: Vec<u8>, library: Vec<u8>, all: bool },
}

/// What `list` is to show, and how.
#[derive(Debug, Clone)]
pub struct ListTask {
    pub files: Vec<Vec<u8>>,
    pub format: Format,
    /// Look for symbols that nothing defines.
    pub unresolved: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Ldd,
    Tree,
    /// Each path ends with this byte.
    Paths {
        end: u8,
    },
    Json,
    Dot,
}

/// Where a library path came from: it is worth a note only if it was not typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LibraryPath {
    Typed(Vec<u8>),
    Environment(Vec<u8>),
}

/// Which variants of libraries are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Levels {
    /// This machine's processor; in a foreign root the baseline.
    Default,
    None,
    All,
    Named(Vec<Vec<u8>>),
}

/// Every level of every machine; a loader knows those of its own.
pub const LEVELS: [&str; 10] =
    ["x86-64-v2", "x86-64-v3", "x86-64-v4", "power9", "power10", "z13", "z14", "z15", "z16", "z17"];

#[derive(Debug, Clone, Copy, Default)]
pub struct Colours {
    pub stdout: bool,
    pub stderr: bool,
}

impl LibraryPath {
    pub fn list(&self) -> &[u8] {
        match self {
            LibraryPath::Typed(list) | LibraryPath::Environment(list) => list,
        }
    }
}
