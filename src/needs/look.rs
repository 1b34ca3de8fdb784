//! Small questions to a root.

use std::io;

use crate::bytes::ReadAt;
use crate::loader::conf::matches;
use crate::root::{DirId, ItemKind, OpenFile, Opened, Root, resolve, resolve_dir};

/// What is read whole is smaller: a list of users, a release's name.
const SMALL: u64 = 1 << 20;

/// More names than this in one tree of data are not what we take it for.
const MAX_NAMES: usize = 20_000;

/// Directories in directories, at most.
const MAX_DEPTH: usize = 8;

/// The regular file at a path. Something else there is an error.
pub(super) fn open(root: &dyn Root, path: &[u8]) -> io::Result<OpenFile> {
    match resolve(root, DirId::TOP, path)?.opened {
        Opened::File(file) => Ok(file),
        Opened::Dir(_) => Err(io::ErrorKind::IsADirectory.into()),
        Opened::Link(_) | Opened::Special(_) => Err(io::Error::other("it is no regular file")),
    }
}

/// The contents of a small file. Nothing if it is not there, or not small.
pub(super) fn text(root: &dyn Root, path: &str) -> Vec<u8> {
    text_of(root, path.as_bytes())
}

pub(super) fn text_of(root: &dyn Root, path: &[u8]) -> Vec<u8> {
    bytes(root, path).unwrap_or_default()
}

/// The contents of a small file.
pub(super) fn bytes(root: &dyn Root, path: &[u8]) -> io::Result<Vec<u8>> {
    whole(&open(root, path)?)
}

/// The contents of an open one.
pub(super) fn whole(file: &OpenFile) -> io::Result<Vec<u8>> {
    if file.stat.len > SMALL {
        return Err(io::Error::other("it is too large for what it should be"));
    }
    let mut bytes = vec![0; usize::try_from(file.stat.len).unwrap_or(0)];
    let len = file.read_at(&mut bytes, 0)?;
    bytes.truncate(len);
    Ok(bytes)
}

pub(super) fn is_dir(root: &dyn Root, path: &[u8]) -> bool {
    resolve_dir(root, DirId::TOP, path).is_ok()
}

/// It is not there: any other error is worth telling.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The system's own words, without Rust's number behind them.
pub(super) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// A name below a directory, relative to it, and what it is.
pub(super) struct Name {
    pub(super) path: Vec<u8>,
    pub(super) kind: ItemKind,
}

/// Every name below a directory, sorted within each directory. Links are not
/// followed. At the top only what `take` takes.
pub(super) fn names(root: &dyn Root, top: DirId, take: impl Fn(&[u8]) -> bool) -> io::Result<Vec<Name>> {
    let mut found = Vec::new();
    let mut open = vec![(top, Vec::new(), 0)];
    while let Some((dir, prefix, depth)) = open.pop() {
        for item in root.list(dir)? {
            if (depth == 0 && !take(&item.name)) || found.len() == MAX_NAMES {
                continue;
            }
            let path = [&prefix[..], &item.name[..]].concat();
            if item.kind == ItemKind::Dir && depth < MAX_DEPTH {
                let (below, _) = resolve_dir(root, dir, &item.name)?;
                open.push((below, [&path[..], b"/"].concat(), depth + 1));
            }
            found.push(Name { path, kind: item.kind });
        }
    }
    Ok(found)
}

/// The paths of the root that a pattern fits, sorted. `**` is not special here,
/// as it is not to a shell.
pub fn expand(root: &dyn Root, pattern: &[u8]) -> Vec<Vec<u8>> {
    let mut found = vec![Vec::new()];
    for part in pattern.split(|&b| b == b'/').filter(|part| !part.is_empty()) {
        found = found.iter().flat_map(|dir| fitting(root, dir, part)).collect();
    }
    found.retain(|path| !path.is_empty());
    found.sort();
    found
}

fn fitting(root: &dyn Root, dir: &[u8], part: &[u8]) -> Vec<Vec<u8>> {
    let dir_path = if dir.is_empty() { b"/" } else { dir };
    let Ok((id, _)) = resolve_dir(root, DirId::TOP, dir_path) else { return Vec::new() };
    if !part.iter().any(|b| matches!(b, b'*' | b'?' | b'[' | b'\\')) {
        return root.child(id, part).map(|_| [dir, b"/", part].concat()).into_iter().collect();
    }
    let items = root.list(id).unwrap_or_default();
    let fits = items.into_iter().filter(|item| matches(part, &item.name));
    fits.map(|item| [dir, b"/", &item.name].concat()).collect()
}
