//! A loader as it stands in the root: which one it is, and what its own file,
//! its cache and its configuration say. Each is read when it is first asked for.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use super::session::{LazyCpu, Seen};
use super::{CacheState, Found, Session, ldconfig};
use crate::bytes::ReadAt;
use crate::elf;
use crate::loader::cache::{Ask, Cache, LoaderAbi};
use crate::loader::{About, Cpu, Dir, Family, Rule, Target, Version, about, conf, machine, musl};
use crate::root::{Opened, Root, resolve};

/// A loader file, by the path under which it is started.
#[derive(Debug)]
pub struct Runtime {
    pub family: Family,
    pub target: Target,
    /// As spelled: PT_INTERP of the program, or the loader chosen for a library.
    pub path: Arc<[u8]>,
    pub found: Found,
    pub(super) cpu: LazyCpu,
    about: OnceCell<Arc<About>>,
    cache: OnceCell<Result<Rc<Cache>, CacheState>>,
    dirs: OnceCell<(Rule, Arc<[Dir]>)>,
    subdirs: OnceCell<Arc<[Vec<u8>]>>,
    preload_file: OnceCell<Arc<[Vec<u8>]>>,
    endless_path_file: OnceCell<Vec<u8>>,
    ldconfig: OnceCell<Rc<ldconfig::Answer>>,
}

/// An interpreter that no program can be started by.
#[derive(Debug, Clone)]
pub(super) enum NoRuntime {
    Seen(Seen),
    NotExecutable,
    /// A loader of a family that is not modelled.
    Unknown,
    /// Of another machine or class than the program: the kernel refuses it.
    OtherTarget,
}

/// Stands for any version, where none of its rules is in question.
const NEWEST: Version = Version(2, 43);

/// A kernel is taken to be new enough for whatever was built when 2.35 and older
/// still looked at it, but not for a number that no kernel has.
const NEWEST_KERNEL: u32 = 0x0006_ffff;

/// A configuration or cache file is small; what is larger is not read.
const LARGEST_FILE: u64 = 64 << 20;
/// More than any loader's segments take.
const LARGEST_LOADER: u64 = 8 << 20;

impl<'a> Session<'a> {
    /// The loader at `path`, if there is one that is known.
    pub fn loader(&mut self, path: &[u8]) -> Option<Rc<Runtime>> {
        self.runtime(path).ok()
    }

    /// The loader at `path`, with what is known of it.
    pub(super) fn runtime(&mut self, path: &[u8]) -> Result<Rc<Runtime>, NoRuntime> {
        if let Some(known) = self.runtimes.iter().find(|r| *r.path == *path) {
            return Ok(Rc::clone(known));
        }
        let found = match self.look(b"", path) {
            Seen::File(found) => found,
            seen @ (Seen::Error { .. } | Seen::Directory | Seen::Special(_) | Seen::Unreadable(_)) => {
                return Err(NoRuntime::Seen(seen));
            }
        };
        let Ok(facts) = &found.file.elf else {
            return Err(NoRuntime::Seen(Seen::File(found.clone())));
        };
        if found.file.stat.mode & 0o111 == 0 {
            return Err(NoRuntime::NotExecutable);
        }
        let target = Target::of(&facts.header, facts.class, facts.order);
        let defines = |name: &[u8]| with_file(self.root, path, |open| elf::defines(open, facts, name));
        let family = about::family(facts, |name| defines(name).unwrap_or(false)).ok_or(NoRuntime::Unknown)?;
        let runtime = Rc::new(Runtime {
            family,
            target,
            path: Arc::from(path),
            cpu: self.cpu(&target),
            found: found.clone(),
            about: OnceCell::new(),
            cache: OnceCell::new(),
            dirs: OnceCell::new(),
            subdirs: OnceCell::new(),
            preload_file: OnceCell::new(),
            endless_path_file: OnceCell::new(),
            ldconfig: OnceCell::new(),
        });
        self.runtimes.push(Rc::clone(&runtime));
        Ok(runtime)
    }
}

impl Runtime {
    pub fn about(&self, root: &dyn Root) -> Arc<About> {
        let read = || {
            let facts = self.found.facts();
            match self.family {
                Family::Glibc => {
                    let quick = self.segments(root, false);
                    let about = About::of_glibc(&quick, &self.found.name, &self.target);
                    match about.read_dirs {
                        true => about,
                        // One segment for code and constants, as before binutils 2.31.
                        false => About::of_glibc(&self.segments(root, true), &self.found.name, &self.target),
                    }
                }
                Family::Musl => {
                    debug_assert!(facts.has_load, "musl was told by its symbols");
                    About::of_musl(&self.segments(root, true), &self.target)
                }
            }
        };
        Arc::clone(self.about.get_or_init(|| Arc::new(read())))
    }

    /// The bytes of the loader's segments, one after the other.
    fn segments(&self, root: &dyn Root, with_code: bool) -> Vec<u8> {
        let read = |open: &crate::root::OpenFile| {
            let mut bytes = Vec::new();
            for load in elf::loads(open)? {
                let len = load.len.min(LARGEST_LOADER.saturating_sub(bytes.len() as u64));
                if with_code || !load.executable {
                    let start = bytes.len();
                    bytes.resize(start + len as usize, 0);
                    let n = open.read_at(&mut bytes[start..], load.offset)?;
                    bytes.truncate(start + n);
                }
            }
            Ok(bytes)
        };
        // A loader that cannot be read again is described by the table.
        with_file(root, &self.path, read).unwrap_or_default()
    }

    /// Debian's, Fedora's and everybody's cache is in `/etc`; a loader that
    /// stands elsewhere (NixOS, Guix) says where its own is.
    pub fn cache_path(&self, root: &dyn Root) -> Vec<u8> {
        let usual = [&b"/lib"[..], b"/usr/lib"].iter().any(|prefix| self.path.starts_with(prefix));
        if usual { about::CACHE_PATH.to_vec() } else { self.about(root).cache_path.clone() }
    }

    fn cache(&self, root: &dyn Root) -> Option<&Cache> {
        let read = || {
            let bytes = read_cache(root, &self.cache_path(root))?;
            let cache = Cache::parse(bytes, self.cache_abi(root));
            cache.map(Rc::new).map_err(|unusable| CacheState::Unusable(unusable.to_string()))
        };
        self.cache.get_or_init(read).as_deref().ok()
    }

    /// What became of the cache, without looking at it for this.
    pub(super) fn cache_state(&self) -> CacheState {
        match self.cache.get() {
            None => CacheState::Unasked,
            Some(Ok(_)) => CacheState::Used,
            Some(Err(state)) => state.clone(),
        }
    }

    /// What the cache answers for a name. Sets `varies` if the processor may have a say.
    pub fn cached(&self, root: &dyn Root, name: &[u8], varies: &mut bool) -> Option<Vec<u8>> {
        // To learn the version, the loader's own file is read.
        let ask = || {
            *varies = true;
            self.ask(root)
        };
        let found = self.cache(root).map(|cache| cache.lookup_asking(name, ask));
        match found {
            Some(found) => found.map(<[u8]>::to_vec),
            // It is opened like a library, and what stands there has the same effect.
            None if self.cache_state() == CacheState::Unusable(IS_A_FIFO.into()) => {
                Some(self.cache_path(root))
            }
            None => None,
        }
    }

    fn ask(&self, root: &dyn Root) -> Ask<'_> {
        let version = self.about(root).version;
        Ask { kernel: NEWEST_KERNEL, ..Ask::of(&self.target, version, &self.cpu) }
    }

    /// The file that ldconfig would name for a library, had it run: the path in
    /// the cache, and the file behind it.
    pub(super) fn ldconfig_answer(
        &self,
        root: &dyn Root,
        name: &[u8],
    ) -> Option<(Vec<u8>, crate::root::DirId, Vec<u8>)> {
        let answer = self.ldconfig.get_or_init(|| {
            let about = self.about(root);
            let system: Vec<&[u8]> = about.system_dirs.iter().map(|dir| &dir[..]).collect();
            let builtin = ldconfig::builtin_dirs(&self.target, &system, about.debian);
            let setup = ldconfig::Setup {
                version: about.version,
                target: self.target,
                conf: b"/etc/ld.so.conf",
                builtin: &builtin,
            };
            Rc::new(ldconfig::answer(root, &setup))
        });
        let provided = answer.lookup(name, &self.ask(root))?;
        Some((provided.entry.value.clone(), provided.dir, provided.file.clone()))
    }

    /// Directories compiled in; for musl, the path file's if there is one.
    pub fn system_dirs(&self, root: &dyn Root) -> (Rule, Arc<[Dir]>) {
        let read = || match self.family {
            Family::Glibc => (Rule::SystemDir, Arc::from(self.about(root).system_dirs.clone())),
            Family::Musl => self.musl_dirs(root),
        };
        self.dirs.get_or_init(read).clone()
    }

    /// Where musl's path file is, or would be.
    pub fn path_file(&self, root: &dyn Root) -> Vec<u8> {
        musl::path_file(&self.path, &self.about(root).arch)
    }

    /// The path file, where it is a FIFO.
    pub(super) fn endless_path_file(&self, root: &dyn Root) -> Option<Vec<u8>> {
        self.system_dirs(root);
        self.endless_path_file.get().cloned()
    }

    /// How it reads a cache.
    pub fn cache_abi(&self, root: &dyn Root) -> LoaderAbi {
        // Before 2.38 LoongArch had no flag of its own.
        let version =
            if self.target.machine == machine::EM_LOONGARCH { self.about(root).version } else { NEWEST };
        LoaderAbi::of(&self.target, version)
    }

    /// A path file that is there replaces the default whole, even an empty one;
    /// one that cannot be read leaves no path at all.
    fn musl_dirs(&self, root: &dyn Root) -> (Rule, Arc<[Dir]>) {
        let about = self.about(root);
        let path = self.path_file(root);
        match resolve(root, crate::root::DirId::TOP, &path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                (Rule::SystemDir, Arc::from(about.system_dirs.clone()))
            }
            found => {
                if let Ok(Opened::Special("FIFO")) = found.map(|end| end.opened) {
                    self.endless_path_file.get_or_init(|| path.clone());
                }
                let text = read_file(root, &path).unwrap_or_default();
                let text = text.split(|&b| b == 0).next().unwrap_or_default();
                (Rule::PathFile, Arc::from(musl::split(text)))
            }
        }
    }

    pub fn subdirs(&self, root: &dyn Root) -> Arc<[Vec<u8>]> {
        let read = || {
            let about = self.about(root);
            // A loader searches no level that it does not know itself.
            let mut cpu = Cpu::clone(&self.cpu);
            let known = crate::loader::hwcaps::known_levels(&self.target);
            let unknown_to_it = |level: &Vec<u8>| {
                known.iter().any(|k| k.as_bytes() == level.as_slice()) && !about.levels.contains(level)
            };
            if !about.levels.is_empty() {
                cpu.levels.retain(|level| !unknown_to_it(level));
            }
            Arc::from(cpu.subdirs(about.version))
        };
        Arc::clone(self.subdirs.get_or_init(read))
    }

    /// The names in `/etc/ld.so.preload`.
    pub fn preload_file(&self, root: &dyn Root) -> Arc<[Vec<u8>]> {
        let read = || match self.family {
            Family::Glibc => Arc::from(read_preload(root)),
            Family::Musl => Arc::from([]),
        };
        Arc::clone(self.preload_file.get_or_init(read))
    }
}

fn read_preload(root: &dyn Root) -> Vec<Vec<u8>> {
    const PATH: &[u8] = b"/etc/ld.so.preload";
    match resolve(root, crate::root::DirId::TOP, PATH).map(|resolved| resolved.opened) {
        Ok(Opened::File(open)) => conf::parse_preload(&read_whole(&open).unwrap_or_default()),
        // It is opened like a library, and waited for like one.
        Ok(Opened::Special("FIFO")) => vec![PATH.to_vec()],
        Ok(Opened::Dir(_) | Opened::Special(_) | Opened::Link(_)) | Err(_) => Vec::new(),
    }
}

const IS_A_FIFO: &str = "it is a FIFO";

fn read_cache(root: &dyn Root, path: &[u8]) -> Result<Vec<u8>, CacheState> {
    let unusable = |why: &str| Err(CacheState::Unusable(why.to_owned()));
    let unread = |error: std::io::Error| CacheState::Unusable(format!("it cannot be read: {error}"));
    match resolve(root, crate::root::DirId::TOP, path).map(|resolved| resolved.opened) {
        Ok(Opened::File(open)) => read_whole(&open).map_err(unread),
        Ok(Opened::Dir(_)) => unusable("it is a directory"),
        Ok(Opened::Special("FIFO")) => unusable(IS_A_FIFO),
        Ok(Opened::Special(what)) => unusable(&format!("it is a {what}")),
        Ok(Opened::Link(_)) => unusable("it is a loop of links"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(CacheState::Absent),
        Err(error) => Err(unread(error)),
    }
}

/// Opens a file again by its path, for what is read of it on demand.
pub(super) fn with_file<T>(
    root: &dyn Root,
    path: &[u8],
    read: impl FnOnce(&crate::root::OpenFile) -> std::io::Result<T>,
) -> std::io::Result<T> {
    match resolve(root, crate::root::DirId::TOP, path)?.opened {
        Opened::File(open) => read(&open),
        Opened::Dir(_) | Opened::Link(_) | Opened::Special(_) => Err(std::io::ErrorKind::InvalidInput.into()),
    }
}

/// A whole small file. `None`: it is not there, not readable, or no such file.
pub(super) fn read_file(root: &dyn Root, path: &[u8]) -> Option<Vec<u8>> {
    with_file(root, path, read_whole).ok()
}

fn read_whole(open: &crate::root::OpenFile) -> std::io::Result<Vec<u8>> {
    let len = open.stat.len.min(LARGEST_FILE);
    let mut bytes = vec![0; len as usize];
    let n = open.read_at(&mut bytes, 0)?;
    bytes.truncate(n);
    Ok(bytes)
}
