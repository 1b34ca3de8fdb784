//! Paths of the host, seen from a root.

use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs;
use rustix::io::retry_on_intr;

use super::FileId;

/// An absolute path of the host as a path of the root at `root`, if it leads into it.
///
/// What stands behind the root's own directory is a path of the root, whose
/// links start at its top. Only if the path has no such part, the host's links
/// are followed: one of them may lead into the root.
#[expect(clippy::disallowed_methods, reason = "a path of the host, as the host follows it")]
pub fn path_in_root(root: &Path, path: &Path) -> Option<Vec<u8>> {
    let top = id(&retry_on_intr(|| fs::stat(root)).ok()?);
    below(top, path).or_else(|| below(top, &std::fs::canonicalize(path).ok()?))
}

/// Where a path of the host really leads.
#[expect(clippy::disallowed_methods, reason = "a path of the host, as the host follows it")]
pub fn real_path(path: &Path) -> std::io::Result<PathBuf> {
    std::fs::canonicalize(path)
}

fn below(top: FileId, path: &Path) -> Option<Vec<u8>> {
    let is_top = |above: &&Path| retry_on_intr(|| fs::stat(*above)).is_ok_and(|stat| id(&stat) == top);
    let inside = path.strip_prefix(path.ancestors().find(is_top)?).ok()?;
    // Without `.` and empty names: the answer shows it.
    let inside: PathBuf = inside.components().collect();
    stays_below(&inside).then(|| [b"/", inside.as_os_str().as_bytes()].concat())
}

/// `..` does not lead out of it: in a root it would end at the top.
fn stays_below(path: &Path) -> bool {
    let depths = path.components().scan(0i64, |depth, part| {
        *depth += match part {
            Component::ParentDir => -1,
            Component::Normal(_) => 1,
            Component::CurDir | Component::RootDir | Component::Prefix(_) => 0,
        };
        Some(*depth)
    });
    depths.min().unwrap_or(0) >= 0
}

fn id(stat: &fs::Stat) -> FileId {
    FileId { dev: stat.st_dev as _, ino: stat.st_ino as _ }
}
