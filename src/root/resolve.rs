//! Following a path through links, inside a root.

use std::io;

use super::{DirId, Opened, Root};
use crate::path::RealPath;

/// A link that was passed: the directory it stands in, its name, its target.
pub type Links = Vec<(DirId, Vec<u8>, Vec<u8>)>;

/// Where a path led.
#[derive(Debug)]
pub struct Resolved {
    /// The directory that really holds it.
    pub dir: DirId,
    /// Its name there; empty for the top itself.
    pub name: Vec<u8>,
    pub links: Links,
    pub opened: Opened,
}

/// Follows `path` from `start` (`cwd` of a relative path) to its end.
pub fn resolve(_root: &dyn Root, _start: DirId, _path: &[u8]) -> io::Result<Resolved> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Follows `path` to a directory.
pub fn resolve_dir(_root: &dyn Root, _start: DirId, _path: &[u8]) -> io::Result<(DirId, Links)> {
    Err(io::ErrorKind::Unsupported.into())
}

impl Resolved {
    pub fn real_path(&self, root: &dyn Root) -> RealPath {
        let dir = root.real_path(self.dir);
        if self.name.is_empty() { dir } else { dir.join(&self.name) }
    }
}
