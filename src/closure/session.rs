//! One worker's memory: what stands where, what searches found, which loaders
//! there are. It outlives a program, never a run, and is not shared: only
//! directories, places and facts are, by the root and by [`Files`].

use std::cell::LazyCell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use super::lists::Link;
use super::names::{FileNames, FileNo};
use super::search::{Budget, Known, SearchKey};
use super::symtab::SymbolTables;
use super::{Elsewhere, File, Files, Found, Runtime, scout};
use crate::intern::{Map, Marks, Name, Names};
use crate::loader::{Cpu, Dir, Launch, hwcaps};
use crate::path::basename;
use crate::root::{DirId, FileId, Links, OpenFile, Opened, Root, dir, resolve_dir};

/// What every program of a run is started with.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub launch: Launch,
    /// `--library-path`, or `LD_LIBRARY_PATH` of the environment.
    pub library_path: Option<Vec<u8>>,
    /// It was the environment's: whoever reads the answer may not know of it.
    pub library_path_from_environment: bool,
    /// `LD_PRELOAD`.
    pub preload: Option<Vec<u8>>,
    /// `LD_BIND_NOW`: calls are bound at the start too.
    pub bind_now: bool,
    /// The working directory, as a path of the root.
    pub cwd: Vec<u8>,
    /// Names below glibc-hwcaps and the CPU that a run is for. `None`: the baseline.
    pub cpu: Option<Cpu>,
    /// Where to ask for the CPU, if it is not given and an answer depends on it.
    pub processor: Option<fn() -> Option<Cpu>>,
    /// `--hwcaps LIST`: names to use instead.
    pub levels: Option<Vec<Vec<u8>>>,
    /// Look where ldconfig would have looked.
    pub conf: bool,
    pub no_cache: bool,
    /// `/etc/ld.so.preload` is not taken along.
    pub no_preload_file: bool,
    pub origin: ProgramOrigin,
    /// `--inhibit-rpath` of ld.so: objects whose lists do not count, by l_name.
    pub inhibit_rpath: Vec<Vec<u8>>,
    /// What the searches of one program may cost, if not the usual.
    pub most_probes: Option<usize>,
    /// `--loader`: the loader of everything that names none.
    pub loader: Option<Vec<u8>>,
    /// Find out, too, whether another processor level could load something else.
    pub watch_levels: bool,
}

/// Where `$ORIGIN` of the program comes from when the kernel starts it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ProgramOrigin {
    /// The real file, as `/proc/self/exe` names it.
    #[default]
    RealFile,
    /// `/proc` is not mounted: `LD_ORIGIN_PATH` or nothing.
    NoProc(Option<Vec<u8>>),
}

/// What stands at a path.
#[derive(Debug, Clone)]
pub enum Seen {
    Error {
        errno: i32,
        dir_exists: bool,
    },
    Directory,
    Special(&'static str),
    File(Found),
    /// It is there and could not be read: the one thing that no loader has a rule for.
    Unreadable(Arc<io::Error>),
}

/// A list of directories, interned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ListNo(u32);

/// A chain of path lists, interned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ChainNo(u32);

impl ListNo {
    pub(super) const EMPTY: ListNo = ListNo(0);
}

impl ChainNo {
    pub(super) const EMPTY: ChainNo = ChainNo(0);
}

/// A directory as somebody spells it.
type Spot = Result<(DirId, Arc<Links>), i32>;

/// Values that are numbered in the order in which they were first met.
#[derive(Debug)]
struct Table<T> {
    known: Map<T, u32>,
    values: Vec<T>,
}

impl<T: Clone + Eq + std::hash::Hash> Table<T> {
    fn starting_with(first: T) -> Self {
        let mut table = Table { known: Map::default(), values: Vec::new() };
        table.number(first);
        table
    }

    fn number(&mut self, value: T) -> u32 {
        if let Some(&known) = self.known.get(&value) {
            return known;
        }
        let number = u32::try_from(self.values.len()).expect("fewer values than 2^32 fit in memory");
        self.known.insert(value.clone(), number);
        self.values.push(value);
        number
    }
}

pub struct Session<'a> {
    pub root: &'a dyn Root,
    pub settings: &'a Settings,
    pub(super) files: &'a Files,
    pub(super) names: Names,
    pub(super) cwd: DirId,
    /// Files of the host that were looked at, outside the root.
    hosts: Map<FileId, PathBuf>,
    spots: Map<Box<[u8]>, u32>,
    spot_table: Vec<Spot>,
    seen: Map<(u32, Name), Seen>,
    lists: Table<Arc<[Dir]>>,
    /// The first one is the empty chain.
    chains: Table<Option<Link>>,
    pub(super) answers: Map<SearchKey, Known>,
    pub(super) budget: Budget,
    /// Of the program that was closed over last: see [`Session::varies`].
    pub(super) varies: bool,
    pub(super) runtimes: Vec<Rc<Runtime>>,
    pub(super) file_names: Map<FileId, Rc<FileNames>>,
    /// Reused by every walk: of names, and of files.
    pub(super) marks: Marks,
    pub(super) file_marks: Marks,
    /// musl: which files are a libc of their own.
    pub(super) libcs: Map<FileId, bool>,
    /// Which versions one file asks another for, and does not get.
    pub(super) version_pairs: Map<(FileNo, Name, FileNo), Rc<[usize]>>,
    pub(super) symbols: SymbolTables,
    /// Who may be told that much is going to be opened.
    pub(super) scout: Option<scout::Send<'a>>,
    /// For hints: what lies beside programs, by their directory.
    pub(super) besides: Map<DirId, Rc<Elsewhere>>,
}

impl std::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl<'a> Session<'a> {
    pub fn new(root: &'a dyn Root, files: &'a Files, settings: &'a Settings) -> Session<'a> {
        let cwd = resolve_dir(root, DirId::TOP, &settings.cwd).map_or(DirId::TOP, |(dir, _)| dir);
        Session {
            root,
            settings,
            files,
            names: Names::default(),
            cwd,
            hosts: Map::default(),
            spots: Map::default(),
            spot_table: Vec::new(),
            seen: Map::default(),
            lists: Table::starting_with(Arc::from([])),
            chains: Table::starting_with(None),
            answers: Map::default(),
            budget: Budget::whole(settings),
            varies: false,
            runtimes: Vec::new(),
            file_names: Map::default(),
            marks: Marks::default(),
            file_marks: Marks::default(),
            libcs: Map::default(),
            version_pairs: Map::default(),
            symbols: SymbolTables::default(),
            scout: None,
            besides: Map::default(),
        }
    }

    /// Has a scout sent out where one is worth it.
    pub fn send_scout_by(&mut self, send: scout::Send<'a>) {
        self.scout = Some(send);
    }

    pub(super) fn runtime_no(&self, runtime: &Rc<Runtime>) -> u32 {
        let at = self.runtimes.iter().position(|known| Rc::ptr_eq(known, runtime));
        at.expect("a runtime is made by the session") as u32
    }

    /// A path made absolute with the working directory, as a string.
    pub fn absolute(&self, path: &[u8]) -> Vec<u8> {
        if path.starts_with(b"/") {
            return path.to_vec();
        }
        let mut whole = if self.settings.cwd.is_empty() { b"/".to_vec() } else { self.settings.cwd.clone() };
        if !whole.ends_with(b"/") {
            whole.push(b'/');
        }
        whole.extend_from_slice(path);
        whole
    }

    pub fn cwd(&self) -> DirId {
        self.cwd
    }

    /// A file that a walk has come upon, at its real place; or the error of whoever
    /// goes there by its path, which may be gone by now, or too long.
    pub fn adopt(&mut self, dir: &[u8], name: &[u8], file: Arc<File>) -> Result<Found, i32> {
        let spot = self.spot(dir);
        let (dir, links) = self.spot_table[spot as usize].as_ref().map_err(|errno| *errno)?;
        Ok(Found { file, dir: *dir, name: Arc::from(name), links: Arc::clone(links) })
    }

    /// A file of the host, outside the root.
    pub fn look_at_host(&mut self, path: &Path) -> io::Result<Arc<File>> {
        let file = self.files.look(&dir::open_host_file(path)?)?;
        self.hosts.insert(file.stat.id, path.to_owned());
        Ok(file)
    }

    /// The bytes of what was found.
    pub fn open(&self, found: &Found) -> io::Result<OpenFile> {
        self.opener().open(found)
    }

    pub fn opener(&self) -> Opener<'_> {
        Opener { root: self.root, hosts: &self.hosts }
    }

    /// Whether another processor level could load something else for the program
    /// that was closed over last: not if no directory that was searched has
    /// variants, and no entry of the cache a condition. Up to the first variant a
    /// level tries the same paths. Only told where it is watched for.
    pub fn varies(&self) -> bool {
        self.varies
    }

    /// Whether a directory that is searched has variants for some processors.
    pub(super) fn has_variants(&mut self, dir: &[u8], seen: &Seen) -> bool {
        if !self.settings.watch_levels || matches!(seen, Seen::Error { dir_exists: false, .. }) {
            return false;
        }
        let variants = self.spot(&[dir, b"glibc-hwcaps"].concat());
        self.spot_table[variants as usize].is_ok()
    }

    /// What stands at `dir` + `name`, relative to the working directory.
    pub fn look(&mut self, dir: &[u8], name: &[u8]) -> Seen {
        if dir.len() + name.len() >= PATH_MAX {
            let errno = rustix::io::Errno::NAMETOOLONG.raw_os_error();
            let dir_exists = dir.len() < PATH_MAX && matches!(self.look(b"", dir), Seen::Directory);
            return Seen::Error { errno, dir_exists };
        }
        // No path is no file, not the working directory.
        if dir.is_empty() && name.is_empty() {
            return Seen::Error { errno: rustix::io::Errno::NOENT.raw_os_error(), dir_exists: true };
        }
        let leaf = basename(name);
        let above = &name[..name.len() - leaf.len()];
        let spot = if above.is_empty() { self.spot(dir) } else { self.spot(&[dir, above].concat()) };
        if leaf.is_empty() {
            return self.as_directory(spot);
        }
        if let Err(errno) = &self.spot_table[spot as usize] {
            return Seen::Error { errno: *errno, dir_exists: false };
        }
        let key = (spot, self.names.intern(leaf));
        if let Some(seen) = self.seen.get(&key) {
            return seen.clone();
        }
        let seen = self.look_afresh(spot, leaf);
        if self.seen.len() < MOST_SEEN {
            self.seen.insert(key, seen.clone());
        }
        seen
    }

    /// Forgets nothing but asks again only for what was never seen.
    fn look_afresh(&self, spot: u32, leaf: &[u8]) -> Seen {
        let (dir, dir_links) = match &self.spot_table[spot as usize] {
            Ok((dir, links)) => (*dir, Arc::clone(links)),
            Err(errno) => return Seen::Error { errno: *errno, dir_exists: false },
        };
        let place = match self.files.place(self.root, dir, leaf) {
            Ok(place) => place,
            Err(seen) => return seen,
        };
        let links = match place.links.is_empty() {
            true => dir_links,
            false => Arc::new(dir_links.iter().chain(place.links.iter()).cloned().collect()),
        };
        Seen::File(Found { file: place.file, dir: place.dir, name: place.name, links })
    }

    fn as_directory(&self, spot: u32) -> Seen {
        match &self.spot_table[spot as usize] {
            Ok(_) => Seen::Directory,
            Err(errno) => Seen::Error { errno: *errno, dir_exists: false },
        }
    }

    fn spot(&mut self, dir: &[u8]) -> u32 {
        if let Some(&known) = self.spots.get(dir) {
            return known;
        }
        let spot = match dir {
            b"" => Ok((self.cwd, Arc::new(Links::new()))),
            _ => resolve_dir(self.root, self.cwd, dir)
                .map(|(dir, links)| (dir, Arc::new(links)))
                .map_err(|error| errno_of(&error)),
        };
        let number = u32::try_from(self.spot_table.len()).expect("fewer directories than 2^32 fit in memory");
        self.spot_table.push(spot);
        self.spots.insert(dir.into(), number);
        number
    }

    pub(super) fn list_no(&mut self, dirs: Vec<Dir>) -> ListNo {
        if dirs.is_empty() { ListNo::EMPTY } else { ListNo(self.lists.number(Arc::from(dirs))) }
    }

    pub(super) fn list(&self, list: ListNo) -> Arc<[Dir]> {
        Arc::clone(&self.lists.values[list.0 as usize])
    }

    pub(super) fn chain_no(&mut self, link: Link) -> ChainNo {
        ChainNo(self.chains.number(Some(link)))
    }

    pub(super) fn link(&self, chain: ChainNo) -> Option<Link> {
        self.chains.values[chain.0 as usize]
    }

    /// The CPU that a loader of this machine is to run on.
    pub(super) fn cpu(&self, target: &crate::loader::Target) -> LazyCpu {
        let (levels, cpu) = (self.settings.levels.clone(), self.settings.cpu.clone());
        let (target, processor) = (*target, self.settings.processor);
        LazyCell::new(Box::new(move || match levels {
            Some(levels) => Cpu::with_levels(&target, &levels),
            None if hwcaps::is_native(&target) => {
                cpu.or_else(|| processor?()).unwrap_or_else(|| Cpu::baseline(&target))
            }
            None => Cpu::baseline(&target),
        }))
    }
}

/// Where the bytes are of what a session found; for any thread.
#[derive(Clone, Copy)]
pub struct Opener<'s> {
    root: &'s dyn Root,
    hosts: &'s Map<FileId, PathBuf>,
}

impl std::fmt::Debug for Opener<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opener").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

impl Opener<'_> {
    /// Opens the host's own file, if it came from there.
    pub fn open(self, found: &Found) -> io::Result<OpenFile> {
        if let Some(path) = self.hosts.get(&found.file.stat.id) {
            return dir::open_host_file(path);
        }
        match self.root.open(found.dir, &found.name)? {
            Opened::File(open) => Ok(open),
            Opened::Dir(_) | Opened::Link(_) | Opened::Special(_) => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// To ask the processor is slow: a virtual machine traps each question.
pub(super) type LazyCpu = LazyCell<Cpu, Box<dyn FnOnce() -> Cpu>>;

const PATH_MAX: usize = 4096;
/// What is not remembered is asked for again: the programs of a whole system
/// come upon some ten thousand names.
const MOST_SEEN: usize = 1 << 18;

pub(super) fn errno_of(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(rustix::io::Errno::IO.raw_os_error())
}
