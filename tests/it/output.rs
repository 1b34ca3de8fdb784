//! Plans carried out: whole trees as text, and what a run does with what is
//! there already.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use depcollect::needs::Merge;
use depcollect::output::{self, Done, Failure, Options, Sources};
use depcollect::path::ImagePath;
use depcollect::plan::{Content, Plan, Reason, Source};
use depcollect::root::dir::open_host_file;
use depcollect::root::mem::MemRoot;
use depcollect::root::{Access, DirId, Opened, Root, resolve};

mod changing;
mod dir;
pub mod faults;
mod places;
mod random;
mod tar;

pub fn at(path: &str) -> ImagePath {
    ImagePath::parse(path.as_bytes()).unwrap()
}

/// A plan, and the root that its files come from.
#[derive(Debug)]
pub struct Wish {
    pub root: MemRoot,
    pub plan: Plan,
}

pub const NEWEST: i64 = 1_600_000_000;

impl Wish {
    pub fn new() -> Wish {
        Wish { root: MemRoot::new(), plan: Plan::default() }
    }

    /// Bytes of our own.
    pub fn made(&mut self, path: &str, bytes: &[u8], mode: u32) -> &mut Self {
        self.merged(path, bytes, mode, Merge::Never)
    }

    pub fn merged(&mut self, path: &str, bytes: &[u8], mode: u32, merge: Merge) -> &mut Self {
        let content = Content::made(bytes.to_vec(), Access::of_root(mode), merge);
        self.plan.file(&at(path), content, Reason::Program).unwrap();
        self
    }

    /// A file of the host.
    pub fn host(&mut self, path: &str, file: &Path) -> &mut Self {
        let open = open_host_file(file).unwrap();
        let source = Source::Host { path: file.to_owned(), stat: open.stat };
        let content = Content::of(source, &open.stat, open.xattrs().unwrap());
        self.plan.file(&at(path), content, Reason::Program).unwrap();
        self
    }

    /// A file of a root in memory.
    pub fn rooted(&mut self, path: &str, bytes: &[u8]) -> &mut Self {
        self.root.file(path, bytes);
        let Opened::File(open) = resolve(&self.root, DirId::TOP, path.as_bytes()).unwrap().opened else {
            panic!("no file")
        };
        let source = Source::Root { path: real(path), stat: open.stat };
        let mut content = Content::of(source, &open.stat, Vec::new());
        content.mtime = Some((NEWEST, 5));
        self.plan.file(&at(path), content, Reason::Program).unwrap();
        self
    }

    pub fn dir(&mut self, path: &str, mode: u32) -> &mut Self {
        self.plan.dir(&at(path), Access::of_root(mode), Reason::Program).unwrap();
        self
    }

    pub fn link(&mut self, path: &str, target: &str) -> &mut Self {
        self.plan.link(&at(path), target.as_bytes(), Reason::Program).unwrap();
        self
    }

    pub fn write(&self, dist: &Path) -> Result<Done, Failure> {
        self.write_with(dist, Options { threads: 2, ..Options::default() })
    }

    pub fn force(&self, dist: &Path) -> Result<Done, Failure> {
        self.write_with(dist, Options { threads: 2, force: true, ..Options::default() })
    }

    pub fn tar(&self, options: Options) -> Vec<u8> {
        let mut bytes = Vec::new();
        output::tar::write(&self.plan, Sources { root: &self.root }, &mut bytes, options).unwrap();
        bytes
    }

    pub fn write_with(&self, dist: &Path, options: Options) -> Result<Done, Failure> {
        output::dir::write(&self.plan, Sources { root: &self.root }, dist, &[], options)
    }
}

fn real(path: &str) -> depcollect::path::RealPath {
    let mut root = MemRoot::new();
    root.dir(path);
    let (dir, _) = depcollect::root::resolve_dir(&root, DirId::TOP, path.as_bytes()).unwrap();
    root.real_path(dir)
}

/// `path kind mode uid:gid mtime size xattrs content` of all that is in a tree.
pub fn dump(top: &Path) -> String {
    let mut lines = vec![line(top, top)];
    let mut todo = vec![top.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            lines.push(line(top, &path));
            if fs::symlink_metadata(&path).unwrap().is_dir() {
                todo.push(path);
            }
        }
    }
    lines.sort();
    lines.join("\n")
}

fn line(top: &Path, path: &Path) -> String {
    let meta = fs::symlink_metadata(path).unwrap();
    let name = path.strip_prefix(top).unwrap().as_os_str().as_bytes();
    let mut line = format!("/{}", name.escape_ascii());
    let kind = match () {
        () if meta.is_dir() => "dir",
        () if meta.is_symlink() => "link",
        () if meta.is_file() => "file",
        () => "special",
    };
    let mode = meta.mode() & 0o7777;
    let (uid, gid) = (meta.uid(), meta.gid());
    write!(line, " {kind} {mode:o} {uid}:{gid} {}.{:09}", meta.mtime(), meta.mtime_nsec()).unwrap();
    if meta.is_symlink() {
        let target = fs::read_link(path).unwrap();
        write!(line, " -> {}", target.as_os_str().as_bytes().escape_ascii()).unwrap();
    } else if meta.is_file() {
        write!(line, " x{} {}", meta.nlink(), brief(&fs::read(path).unwrap_or_default())).unwrap();
        for (name, value) in open_host_file(path).unwrap().xattrs().unwrap() {
            write!(line, " {}={}", name.escape_ascii(), value.escape_ascii()).unwrap();
        }
    }
    line
}

fn brief(bytes: &[u8]) -> String {
    if bytes.len() <= 32 {
        return format!("\"{}\"", bytes.escape_ascii());
    }
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    format!("{} bytes {hash:016x}", bytes.len())
}

/// What lies beside a tree: nothing may be left there.
pub fn beside(dist: &Path) -> Vec<String> {
    let entries = fs::read_dir(dist.parent().unwrap()).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

pub fn temp() -> (tempfile::TempDir, PathBuf) {
    let temp = tempfile::tempdir().unwrap();
    let dist = temp.path().join("dist");
    (temp, dist)
}
