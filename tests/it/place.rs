//! A world as a directory on the disk, and as a root in memory.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use depcollect::root::mem::MemRoot;

use crate::world::{Launch, What, World};

/// Where the machine's own loaders are copied to once; trees get hard links,
/// which the loaders cannot tell from copies.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
}

impl Store {
    /// `dir` is on the file system of the trees.
    pub fn new(dir: &Path) -> Store {
        fs::create_dir_all(dir).expect("a directory for the loaders");
        Store { dir: dir.to_owned() }
    }

    fn loader(&self, musl: bool) -> PathBuf {
        let from = loader_file(musl);
        let to = self.dir.join(if musl { "musl" } else { "glibc" });
        if fs::symlink_metadata(&to).is_err() {
            fs::copy(from, &to).expect("the machine's own loader");
        }
        to
    }
}

/// `path` of a world, below `dir`.
fn below(dir: &Path, path: &[u8]) -> PathBuf {
    let path = path.strip_prefix(b"/").expect("paths of a world are absolute");
    dir.join(OsStr::from_bytes(path))
}

impl World {
    /// Writes the tree into `dir`, which is empty or not there.
    pub fn write_to(&self, dir: &Path, store: &Store) {
        let mut made = BTreeSet::new();
        let mut used_loaders = BTreeSet::new();
        for entry in self.entries.iter().filter(|e| !matches!(e.what, What::Hard(_))) {
            let to = below(dir, &entry.path);
            self.make_parents(dir, &entry.path, &mut made);
            match &entry.what {
                What::Elf(_) | What::Text(_) | What::Copy(_) => {
                    fs::write(&to, self.bytes(&entry.what).expect("a file has bytes")).expect("a file");
                    if !matches!(entry.what, What::Text(_)) {
                        fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).expect("a mode");
                    }
                }
                What::Loader(musl) if used_loaders.insert(*musl) && entry.mode.is_none() => {
                    fs::hard_link(store.loader(*musl), &to).expect("a loader");
                }
                What::Loader(musl) => drop(fs::copy(store.loader(*musl), &to).expect("a loader")),
                What::Dir => fs::create_dir_all(&to).expect("a directory"),
                What::Link(target) => symlink(OsStr::from_bytes(target), &to).expect("a link"),
                What::Fifo => {
                    assert!(Command::new("mkfifo").arg(&to).status().expect("mkfifo").success());
                }
                What::Hard(_) => unreachable!("hard links are made last"),
            }
        }
        for entry in &self.entries {
            if let What::Hard(other) = &entry.what {
                self.make_parents(dir, &entry.path, &mut made);
                fs::hard_link(below(dir, other), below(dir, &entry.path)).expect("a hard link");
            }
        }
        fs::create_dir_all(below(dir, &self.cwd)).expect("the working directory");
        self.write_proc(dir);
        self.set_modes(dir);
    }

    /// The tree as a root, without `/proc`. The machine's own loaders are left
    /// out where the machine has none; owners are not kept.
    pub fn to_mem(&self) -> MemRoot {
        let mut root = MemRoot::new();
        root.dir(&self.cwd);
        for entry in &self.entries {
            let path = &entry.path;
            match &entry.what {
                What::Elf(_) | What::Copy(_) => {
                    root.file(path, self.bytes(&entry.what).expect("a file has bytes")).mode(path, 0o755);
                }
                What::Text(text) => _ = root.file(path, text.clone()),
                What::Loader(musl) => {
                    if let Some(bytes) = loader_bytes(*musl) {
                        root.file(path, bytes).mode(path, 0o755);
                    }
                }
                What::Dir => _ = root.dir(path),
                What::Link(target) => _ = root.link(path, target),
                What::Fifo => _ = root.special(path, "FIFO"),
                What::Hard(_) => {}
            }
        }
        for entry in &self.entries {
            if let What::Hard(other) = &entry.what {
                root.hard_link(&entry.path, other);
            }
        }
        for (path, mode) in self.entries.iter().filter_map(|e| Some((&e.path, e.mode?))) {
            root.mode(path, mode);
        }
        for (path, caps) in self.entries.iter().filter_map(|e| Some((&e.path, e.caps.as_ref()?))) {
            root.capabilities(path, caps);
        }
        root
    }

    fn make_parents(&self, dir: &Path, path: &[u8], made: &mut BTreeSet<Vec<u8>>) {
        let parent = &path[..path.iter().rposition(|&b| b == b'/').expect("an absolute path")];
        if !made.insert(parent.to_vec()) {
            return;
        }
        for (at, _) in parent.iter().enumerate().skip(1).filter(|(_, b)| **b == b'/') {
            self.assert_no_link(&parent[..at]);
        }
        self.assert_no_link(parent);
        fs::create_dir_all(below(dir, if parent.is_empty() { b"/" } else { parent })).expect("a directory");
    }

    /// A link on the way could lead out of the tree.
    fn assert_no_link(&self, path: &[u8]) {
        let is_link = self.entry(path).is_some_and(|e| matches!(e.what, What::Link(_)));
        assert!(!is_link, "an entry is written below a link: {}", String::from_utf8_lossy(path));
    }

    fn set_modes(&self, dir: &Path) {
        for entry in self.entries.iter().rev() {
            let path = below(dir, &entry.path);
            if entry.owner != 0 {
                chown(&path, Some(entry.owner), None).expect("an owner");
            }
            if let Some(mode) = entry.mode {
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
            }
            if let Some(caps) = &entry.caps {
                let none = rustix::fs::XattrFlags::empty();
                rustix::fs::setxattr(&path, c"security.capability", caps, none).expect("an attribute");
            }
        }
    }

    /// The link that the kernel would show: `$ORIGIN` works without `/proc`.
    fn write_proc(&self, dir: &Path) {
        let is_exec = matches!(self.launch, Launch::Exec | Launch::Run);
        if self.has_proc
            && is_exec
            && let Some(real) = self.real_path(&self.program)
        {
            fs::create_dir_all(dir.join("proc/self")).expect("a directory");
            symlink(OsStr::from_bytes(&real), dir.join("proc/self/exe")).expect("a link");
        }
    }

    /// `path` without links, as the kernel walks it, if it leads to something.
    pub fn real_path(&self, path: &[u8]) -> Option<Vec<u8>> {
        let mut todo: Vec<Vec<u8>> = split(path);
        let mut done = if path.starts_with(b"/") { Vec::new() } else { split(&self.cwd) };
        done.reverse();
        for _ in 0..400 {
            let Some(name) = todo.pop() else { return Some(join(&done)) };
            match &name[..] {
                b"." | b"" => {}
                b".." => drop(done.pop()),
                _ => {
                    done.push(name);
                    if let Some(What::Link(target)) = self.entry(&join(&done)).map(|e| &e.what) {
                        done.pop();
                        if target.starts_with(b"/") {
                            done.clear();
                        }
                        todo.extend(split(target));
                    }
                }
            }
        }
        None
    }
}

/// The machine's own loader, or glibc's of another release: `DEPCOLLECT_LOADER`.
fn loader_file(musl: bool) -> PathBuf {
    let other = std::env::var_os("DEPCOLLECT_LOADER").filter(|_| !musl);
    other.map_or_else(|| OsStr::from_bytes(World::default_interp(musl)).into(), PathBuf::from)
}

/// The machine's own loader, read once.
fn loader_bytes(musl: bool) -> Option<Vec<u8>> {
    static LOADERS: [OnceLock<Option<Vec<u8>>>; 2] = [const { OnceLock::new() }; 2];
    let read = || fs::read(loader_file(musl)).ok();
    LOADERS[usize::from(musl)].get_or_init(read).clone()
}

/// The parts of a path, the first one last.
fn split(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|&b| b == b'/').filter(|p| !p.is_empty()).rev().map(<[u8]>::to_vec).collect()
}

fn join(parts: &[Vec<u8>]) -> Vec<u8> {
    parts.iter().flat_map(|p| [b"/", &p[..]].concat()).collect()
}
