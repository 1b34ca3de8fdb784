//! glibc's and musl's rules as data: which paths are tried for a name, in
//! which order, and what each obstacle does. Nothing here opens a file.
//!
//! A search is told in `glibc::search` and `musl::search`; it asks a [`World`]
//! what stands at a path and decides what comes next by `step`. So a rule is
//! testable without files, and "what was tried" is the same data.

use std::sync::Arc;

use crate::elf::{Class, Facts, Header, Order, Unfit};

pub mod about;
pub mod cache;
pub mod conf;
pub mod glibc;
pub mod hwcaps;
pub mod machine;
pub mod musl;
pub mod token;

pub use about::About;
pub use hwcaps::Cpu;

/// A glibc version, `Version(2, 36)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u32, pub u32);

/// The two loaders that are modelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    Glibc,
    Musl,
}

/// What a loader compares a candidate with: itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    pub class: Class,
    pub order: Order,
    pub machine: u16,
    pub flags: u32,
}

/// Who starts the program. The kernel gives `$ORIGIN` of the real file and
/// honours setuid; `ld.so PROG` does neither (loader.md §2.4, §2.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Launch {
    #[default]
    Exec,
    LdSo,
}

/// Why a path is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// The name has a slash: it is opened as it stands.
    AsGiven,
    /// `DT_RPATH`, of the requester (0) or of whoever wanted it, so many steps up.
    Rpath { above: u32 },
    /// `DT_RUNPATH`, of the requester; with musl also of those above it.
    Runpath { above: u32 },
    /// `LD_LIBRARY_PATH` or `--library-path`.
    LibraryPath,
    /// `/etc/ld.so.cache`.
    Cache,
    /// A directory compiled into the loader.
    SystemDir,
    /// musl: a directory that `/etc/ld-musl-ARCH.path` names.
    PathFile,
    /// Not a rule of the loader: `ld.so.conf` names the directory, the cache does not know the file.
    Conf,
}

/// A path to be tried: `dir` ends in a slash, or is empty (the working
/// directory, or a name with a slash of its own).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate<'a> {
    pub dir: &'a [u8],
    pub name: &'a [u8],
    pub rule: Rule,
}

/// What stands at a candidate's path, as the file system says.
#[derive(Debug, Clone, Copy)]
pub enum Sight<'a> {
    /// `open` failed. `dir_exists` tells whether the directory is one.
    Error {
        errno: i32,
        dir_exists: bool,
    },
    Directory,
    /// A FIFO, socket or device, by name.
    Special(&'static str),
    File(&'a Result<Facts, Unfit>),
}

/// What a candidate turned out to be, if not what was wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    Absent,
    /// Its directory does not exist, or is none; the error number of `open`.
    NoDirectory(i32),
    Unreadable,
    /// A component on the way is no directory.
    NotDirectory,
    NameTooLong,
    LinkLoop,
    /// Any other error number.
    Errno(i32),
    Directory,
    Special(&'static str),
    TooShort,
    NotElf,
    OtherClass,
    OtherMachine,
    /// Not of this byte order, the loader's own.
    OtherOrder(Order),
    /// A header field with a value that the loader refuses, in its words.
    BadHeader(&'static str),
    /// `ET_REL`, `ET_CORE` and the like.
    NotLoadable,
    /// The ABI note asks for another system (glibc 2.35 and older).
    OtherAbi,
    /// A setuid program's preload must be setuid itself.
    Forbidden,
    /// Named by the cache, in a default directory, for a requester that has none.
    Discarded,
}

/// Our own words for the one thing that stops a process without any of its own.
pub const WAITS: &str = "waits for ever on a FIFO";

/// What the loader does about an obstacle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    TryNext,
    /// The rest of this list is skipped, the next rule is tried.
    LeaveRule,
    /// The search ends: the library counts as missing.
    GiveUp,
    /// The process ends with these words.
    Die(&'static str),
}

/// Who asks for a name, and the lists that count for it, expanded.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub name: &'a [u8],
    /// The path lists from the requester up to the program, nearest first.
    pub chain: &'a [ChainLink],
    /// `LD_LIBRARY_PATH` or `--library-path`, split and expanded.
    pub library_path: &'a [Dir],
    /// The requester has `DF_1_NODEFLIB`.
    pub nodeflib: bool,
}

/// A directory to search: ends in a slash, or is empty for the working directory.
pub type Dir = Arc<[u8]>;

/// What one object of a chain contributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainLink {
    /// How many steps above the requester.
    pub above: u32,
    pub tag: PathTag,
    pub dirs: Arc<[Dir]>,
}

/// Which of the two tags a path list is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PathTag {
    Rpath,
    /// For glibc it is there even if it names no directory: its presence matters.
    Runpath,
}

/// What a search ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The last candidate probed is it.
    Found(Rule),
    /// Nothing fits. `other_class`: something of the other ELF class was seen.
    Missing { other_class: bool },
    /// The last candidate probed ends the process.
    Dies(&'static str),
}

/// What a search may ask of its surroundings. An implementation may be lazy: the
/// cache and the system directories are asked for only when their turn has come.
pub trait World {
    /// What stands at this path? `None`: a file that this loader takes.
    fn probe(&mut self, candidate: Candidate<'_>) -> Option<Obstacle>;

    /// A candidate that is not looked at.
    fn pass_over(&mut self, _candidate: Candidate<'_>, _obstacle: Obstacle) {}

    /// What `ld.so.cache` says of a name.
    fn cached(&mut self, name: &[u8]) -> Option<Vec<u8>>;

    /// The directories compiled into the loader, or those of musl's path file.
    fn system_dirs(&mut self) -> (Rule, Arc<[Dir]>);

    /// The file that musl reads its directories from, if it would wait for ever on it.
    fn endless_path_file(&mut self) -> Option<Vec<u8>> {
        None
    }

    /// Subdirectories tried in every directory, most preferred first, each
    /// ending in a slash, without the empty one that comes last.
    fn subdirs(&mut self) -> Arc<[Vec<u8>]>;

    fn about(&mut self) -> Arc<About>;
}

impl Target {
    pub fn of(header: &Header, class: Class, order: Order) -> Target {
        Target { class, order, machine: header.machine, flags: header.flags }
    }
}

impl Family {
    /// What this loader makes of what stands at a path. `None`: it takes it.
    pub fn judge(
        self,
        sight: Sight<'_>,
        target: &Target,
        about: &mut dyn FnMut() -> Arc<About>,
    ) -> Option<Obstacle> {
        match self {
            Family::Glibc => glibc::judge(sight, target, about),
            Family::Musl => musl::judge(sight, target),
        }
    }

    pub fn search(self, request: &Request<'_>, world: &mut impl World) -> Verdict {
        match self {
            Family::Glibc => glibc::search(request, world),
            Family::Musl => musl::search(request, world),
        }
    }
}

/// Errors of `open`, as both loaders tell them apart.
pub(crate) fn obstacle_of_errno(errno: i32, dir_exists: bool) -> Obstacle {
    if !dir_exists && errno != libc_errno::EACCES {
        return Obstacle::NoDirectory(errno);
    }
    match errno {
        libc_errno::ENOENT => Obstacle::Absent,
        libc_errno::EACCES => Obstacle::Unreadable,
        libc_errno::ENOTDIR => Obstacle::NotDirectory,
        libc_errno::ENAMETOOLONG => Obstacle::NameTooLong,
        libc_errno::ELOOP => Obstacle::LinkLoop,
        other => Obstacle::Errno(other),
    }
}

/// The few error numbers that rules speak of. They are Linux's own, the same
/// for every machine but the last two on MIPS, alpha, parisc and sparc, where
/// `rustix` knows the host's.
pub(crate) mod libc_errno {
    use rustix::io::Errno;
    pub(crate) const ENOENT: i32 = Errno::NOENT.raw_os_error();
    pub(crate) const EACCES: i32 = Errno::ACCESS.raw_os_error();
    pub(crate) const ENOTDIR: i32 = Errno::NOTDIR.raw_os_error();
    pub(crate) const ENAMETOOLONG: i32 = Errno::NAMETOOLONG.raw_os_error();
    pub(crate) const ELOOP: i32 = Errno::LOOP.raw_os_error();
}
