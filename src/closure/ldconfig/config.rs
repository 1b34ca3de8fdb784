//! Following `ld.so.conf` and what it includes (`parse_conf`,
//! `parse_conf_include`), and the directories built in (`add_system_dir`).

use std::io;
use std::ops::Range;

use super::{Run, resolve, resolve_dir};
use crate::bytes::ReadAt;
use crate::elf::Class;
use crate::intern::{Map, Name, Names};
use crate::loader::Target;
use crate::loader::conf::{Dir, LibType, Line, is_pattern, matches, parse};
use crate::loader::machine::{EM_AARCH64, EM_MIPS, EM_PPC64, EM_RISCV, EM_S390, EM_X86_64};
use crate::path::dirname;
use crate::root::{DirId, OpenFile, Opened};

/// ldconfig itself knows no limits: it recurses until it runs out of files,
/// and then overlooks what it cannot open.
const MAX_DEPTH: usize = 32;
const MAX_FILES: usize = 2_000;
const MAX_DIRS: usize = 20_000;
const MAX_MATCHES: usize = 10_000;
const MAX_BYTES: usize = 4 << 20;

/// A line that names a directory.
#[derive(Clone, Copy)]
struct Mention {
    path: Name,
    kind: LibType,
}

#[derive(Default)]
struct Reading {
    paths: Names,
    mentions: Vec<Mention>,
    /// By spelling, which mentions a file made, with what it includes: none
    /// before its end. Included again it may change the types of directories
    /// (up to 2.36), never their order.
    seen: Map<Vec<u8>, Range<usize>>,
    full: bool,
}

/// The directories in the order of the configuration.
pub(super) fn dirs(run: &mut Run<'_>) -> Vec<Dir> {
    let mut reading = Reading::default();
    let conf = run.setup.conf.to_vec();
    read_file(run, &mut reading, conf, 0);
    if reading.full {
        run.report(run.setup.conf, "too many files are included; the rest was left out");
    }
    reading.into_dirs()
}

fn read_file(run: &mut Run<'_>, reading: &mut Reading, path: Vec<u8>, depth: usize) {
    let (files, start) = (reading.seen.len(), reading.mentions.len());
    reading.full |= depth > MAX_DEPTH || files >= MAX_FILES || start >= MAX_DIRS;
    if reading.full {
        return;
    }
    if let Some(made) = reading.seen.get(&path) {
        return reading.mentions.extend_from_within(made.clone());
    }
    let bytes = match open(run, &path) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return,
        Err(error) => return run.report(&path, &format!("cannot read the configuration: {error}")),
    };
    reading.seen.insert(path.clone(), start..start);
    for line in parse(&bytes, run.setup.version) {
        match line {
            Line::Dir(dir) => reading.mention(&dir),
            Line::Hwcap => {}
            Line::Include(patterns) => include(run, reading, &path, &patterns, depth),
        }
    }
    reading.seen.insert(path, start..reading.mentions.len());
}

impl Reading {
    fn mention(&mut self, dir: &Dir) {
        let path = self.paths.intern(&dir.path);
        self.mentions.push(Mention { path, kind: dir.kind });
    }

    /// Of one spelling the first mention has the place and the last one the
    /// type; what stands between them says nothing.
    fn into_dirs(self) -> Vec<Dir> {
        let (mut first, mut last) = (Map::default(), Map::default());
        for (n, mention) in self.mentions.iter().enumerate() {
            last.insert(mention.path, n);
        }
        let mut dirs = Vec::new();
        for (n, Mention { path, kind }) in self.mentions.into_iter().enumerate() {
            let is_first = first.insert(path, n).is_none();
            if is_first || last.get(&path) == Some(&n) {
                dirs.push(Dir { path: self.paths.text(path).to_vec(), kind });
            }
        }
        dirs
    }
}

fn include(run: &mut Run<'_>, reading: &mut Reading, conf: &[u8], patterns: &[Vec<u8>], depth: usize) {
    for pattern in patterns {
        for file in expand(run, &absolute(conf, pattern)) {
            read_file(run, reading, file, depth + 1);
        }
    }
}

/// `None` for what is not there, or is no file.
fn open(run: &Run<'_>, path: &[u8]) -> io::Result<Option<Vec<u8>>> {
    match resolve(run.root, DirId::TOP, path) {
        Ok(found) => match found.opened {
            Opened::File(file) => read_all(&file).map(Some),
            Opened::Dir(_) | Opened::Link(_) | Opened::Special(_) => Ok(None),
        },
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn read_all(file: &OpenFile) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut window = [0; 4096];
    loop {
        let n = file.read_at(&mut window, bytes.len() as u64)?;
        bytes.extend_from_slice(&window[..n]);
        if n < window.len() || bytes.len() >= MAX_BYTES {
            return Ok(bytes);
        }
    }
}

/// A pattern is relative to the directory of the file that names it.
fn absolute(conf: &[u8], pattern: &[u8]) -> Vec<u8> {
    match dirname(conf) {
        Some(dir) if !pattern.starts_with(b"/") => [dir, b"/", pattern].concat(),
        Some(_) | None => pattern.to_vec(),
    }
}

/// The paths that a pattern matches, sorted by bytes as in the C locale. One
/// without a wildcard stands for itself, whether it is there or not.
fn expand(run: &Run<'_>, pattern: &[u8]) -> Vec<Vec<u8>> {
    // Only a directory has a slash behind its name.
    if pattern.ends_with(b"/") {
        return Vec::new();
    }
    let mut paths = vec![Vec::new()];
    for component in pattern.split(|&b| b == b'/').filter(|c| !c.is_empty()) {
        let mut next = Vec::new();
        for path in paths {
            for name in names(run, &path, component) {
                next.push([path.as_slice(), b"/", &name].concat());
            }
        }
        next.truncate(MAX_MATCHES);
        paths = next;
    }
    paths.sort();
    paths
}

fn names(run: &Run<'_>, dir: &[u8], component: &[u8]) -> Vec<Vec<u8>> {
    if !is_pattern(component) {
        return vec![component.to_vec()];
    }
    let dir = if dir.is_empty() { b"/" } else { dir };
    // What cannot be listed matches nothing, as for glob(3).
    let items = resolve_dir(run.root, DirId::TOP, dir).and_then(|(id, _)| run.root.list(id));
    let names = items.unwrap_or_default().into_iter().map(|item| item.name);
    names.filter(|name| matches(component, name)).collect()
}

/// What `add_system_dir` of `sysdeps/unix/sysv/linux/*/ldconfig.h` makes of a
/// directory.
pub(super) fn siblings(target: &Target, dir: &[u8]) -> Vec<Vec<u8>> {
    let dir = dir.strip_suffix(b"/").unwrap_or(dir);
    let endings: &[&str] = match (target.machine, target.class) {
        (EM_X86_64, _) => &["", "64", "x32"],
        (EM_AARCH64 | EM_PPC64 | EM_S390, Class::Elf64) => &["", "64"],
        (EM_MIPS, _) => &["", "32", "64"],
        (EM_RISCV, Class::Elf64) => &["", "32/ilp32", "32/ilp32d", "64/lp64", "64/lp64d"],
        _ => return vec![dir.to_vec()],
    };
    let is_of = |end: &&&str| dir.ends_with([b"/lib", end.as_bytes()].concat().as_slice());
    let Some(own) = endings.iter().rfind(is_of) else { return vec![dir.to_vec()] };
    let base = &dir[..dir.len() - own.len()];
    endings.iter().map(|end| [base, end.as_bytes()].concat()).collect()
}
