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
    /// stderr is a terminal.
    pub is_watched: bool,
    /// How many threads are worth starting. Asked only if there is work for
    /// several: the answer costs a tenth of a whole short run.
    pub threads: fn() -> usize,
}

#[derive(Debug, Clone)]
pub enum Task {
    List(ListTask),
    Why { program: Vec<u8>, library: Vec<u8>, all: bool },
    Collect(Box<CollectTask>),
    Needs(NeedsReport),
    Check(CheckTask),
}

/// What `collect` is to bring together, and where to.
#[derive(Debug, Clone, Default)]
pub struct CollectTask {
    pub programs: Vec<Placed>,
    /// Empty: nothing is written.
    pub dist: PathBuf,
    pub include: Vec<Placed>,
    /// Anchored globs on a path in the image or a name that is asked for.
    pub exclude: Vec<Vec<u8>>,
    pub mkdir: Vec<Vec<u8>>,
    /// Where it stands, and its text.
    pub symlink: Vec<(Vec<u8>, Vec<u8>)>,
    pub data: Data,
    pub needs: NeedsTask,
    pub layout: Layout,
    /// The unpacked base image that the tree goes over.
    pub onto: Option<PathBuf>,
    pub ld_cache: LdCache,
    pub allow_missing: bool,
    pub force: bool,
    pub dry_run: bool,
    pub output: Output,
    /// The report as `depcollect/1` on stdout.
    pub json: bool,
    /// No file is newer than this, in seconds.
    pub epoch: Option<i64>,
}

impl Task {
    /// The command whose report goes to stdout as `depcollect/1`, if it does.
    pub fn json_of(&self) -> Option<&'static str> {
        let (command, is_json) = match self {
            Task::List(list) => ("list", list.format == Format::Json),
            Task::Why { .. } => ("why", false),
            Task::Collect(task) => ("collect", task.json),
            Task::Needs(needs) => ("needs", needs.format == NeedsFormat::Json),
            Task::Check(task) => ("check", task.json),
        };
        is_json.then_some(command)
    }
}

/// `SRC` or `SRC:DEST`, as typed: whether a colon parts it shows when a file of
/// the whole name is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    pub word: Vec<u8>,
}

/// What an image needs beside programs, as far as it was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Data {
    pub ca_certs: Option<CaCerts>,
    pub tz: Option<Zones>,
    pub user: Option<User>,
    /// Names of locales.
    pub locales: Vec<Vec<u8>>,
    pub nsswitch: bool,
}

/// What is done about what programs open at run time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NeedsTask {
    pub mode: NeedsMode,
    /// Rules that take what they want, whatever the mode is.
    pub with: Vec<Vec<u8>>,
    /// Rules that do not count.
    pub without: Vec<Vec<u8>>,
    /// If it was typed.
    pub dlopen: Option<DlopenLevel>,
}

/// What `needs` is to tell of, and how.
#[derive(Debug, Clone)]
pub struct NeedsReport {
    pub programs: Vec<Vec<u8>>,
    pub needs: NeedsTask,
    pub format: NeedsFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeedsFormat {
    Text,
    Tree,
    Json,
}

/// How far the notes are followed in which files say what they open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DlopenLevel {
    None,
    Required,
    Recommended,
    Suggested,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NeedsMode {
    /// What is small and certain is taken, the rest is named.
    #[default]
    Auto,
    /// All is named, nothing taken.
    Warn,
    Off,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaCerts {
    /// The bundle of the root.
    OfRoot,
    /// A file of the host: a company's own.
    File(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Zones {
    All,
    Named(Vec<Vec<u8>>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub name: Vec<u8>,
    pub uid: u32,
    pub gid: u32,
}

/// Where the directories go that one release has at the top and another in `usr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    #[default]
    AsFound,
    /// `/lib` is a link to `usr/lib`.
    Merged,
    /// `/lib` is a directory.
    Split,
}

/// Whether an `ld.so.cache` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LdCache {
    /// If something would not be found otherwise, with just that.
    #[default]
    Auto,
    /// With every library.
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Output {
    #[default]
    Dir,
    Tar,
}

/// What `check` is to look at.
#[derive(Debug, Clone)]
pub struct CheckTask {
    pub tree: PathBuf,
    /// Those to be started; all of the tree if there is none.
    pub programs: Vec<Vec<u8>>,
    /// A library that no program reaches is an error.
    pub strict: bool,
    pub json: bool,
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
