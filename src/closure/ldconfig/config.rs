//! Following `ld.so.conf` and what it includes (`parse_conf`,
//! `parse_conf_include`), and the directories built in (`add_system_dir`).

use std::io;

use super::{Run, resolve, resolve_dir};
use crate::bytes::ReadAt;
use crate::elf::Class;
use crate::intern::Map;
use crate::loader::Target;
use crate::loader::conf::{Dir, Line, is_pattern, matches, parse};
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

struct Reading {
    dirs: Vec<Dir>,
    /// By spelling, what a file itself names. One that is included again may
    /// only change the types of directories (up to 2.36).
    seen: Map<Vec<u8>, Vec<Dir>>,
    full: bool,
}

/// The directories in the order of the configuration.
pub(super) fn dirs(run: &mut Run<'_>) -> Vec<Dir> {
    let mut reading = Reading { dirs: Vec::new(), seen: Map::default(), full: false };
    let conf = run.setup.conf.to_vec();
    read_file(run, &mut reading, conf, 0);
    if reading.full {
        run.report(run.setup.conf, "too many files are included; the rest was left out");
    }
    reading.dirs
}

fn read_file(run: &mut Run<'_>, reading: &mut Reading, path: Vec<u8>, depth: usize) {
    let (files, dirs) = (reading.seen.len(), reading.dirs.len());
    reading.full |= depth > MAX_DEPTH || files >= MAX_FILES || dirs >= MAX_DIRS;
    if reading.full {
        return;
    }
    if let Some(dirs) = reading.seen.get(&path) {
        return reading.dirs.extend_from_slice(dirs);
    }
    let bytes = match open(run, &path) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return,
        Err(error) => return run.report(&path, &format!("cannot read the configuration: {error}")),
    };
    let lines = parse(&bytes, run.setup.version);
    let own = lines.iter().filter_map(|line| match line {
        Line::Dir(dir) => Some(dir.clone()),
        Line::Include(_) | Line::Hwcap => None,
    });
    reading.seen.insert(path.clone(), own.collect());
    for line in lines {
        match line {
            Line::Dir(dir) => reading.dirs.push(dir),
            Line::Hwcap => {}
            Line::Include(patterns) => include(run, reading, &path, &patterns, depth),
        }
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
