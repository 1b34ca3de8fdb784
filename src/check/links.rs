//! Links that lead nowhere, or above the top of the tree.

use rustix::io::Errno;

use crate::finding::{Finding, Severity};
use crate::path::ImagePath;
use crate::plan::{Entry, Node, Plan, Reason};
use crate::root::{DirId, Root, resolve};

/// What a running system mounts.
const MOUNTED: [&[u8]; 4] = [b"dev", b"proc", b"run", b"sys"];

/// Looks at every link of a plan, in the image that `root` shows.
pub fn links(plan: &Plan, root: &dyn Root) -> Vec<Finding> {
    let link = |(at, entry): (&ImagePath, &Entry)| match &entry.node {
        Node::Link(target) if !was_typed(entry) => of_link(root, at.as_bytes(), target),
        Node::Link(_) | Node::File(_) | Node::Dir(_) => None,
    };
    plan.entries().filter_map(link).collect()
}

/// By `--symlink`: somebody knows what it is for.
fn was_typed(entry: &Entry) -> bool {
    entry.reasons.iter().any(|reason| matches!(reason, Reason::Option { .. }))
}

/// What there is to say about one link.
pub(super) fn of_link(root: &dyn Root, at: &[u8], target: &[u8]) -> Option<Finding> {
    let finding = |code, words: &str| {
        let message = [b"a link to `", target, b"`, ", words.as_bytes()].concat();
        Some(Finding { severity: Severity::Warning, code, subject: at.to_vec(), message, hint: None })
    };
    match resolve(root, DirId::TOP, at).as_ref().err().and_then(Errno::from_io_error) {
        Some(Errno::LOOP) => finding("dangling", "which goes round in circles"),
        Some(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG) if !is_mounted(at, target) => {
            finding("dangling", "which leads nowhere in the tree")
        }
        // What may not be read is there.
        Some(_) => None,
        None if leads_out(at, target) => finding(
            "leads-out",
            "which goes above the top: right in an image, and out of the tree anywhere else",
        ),
        None => None,
    }
}

/// By its letters: `..` more often than there are directories above it.
fn leads_out(at: &[u8], target: &[u8]) -> bool {
    let mut depth = above(at, target).count();
    target.split(|&b| b == b'/').any(|name| {
        match name {
            b"" | b"." => {}
            b".." if depth == 0 => return true,
            b".." => depth -= 1,
            _ => depth += 1,
        }
        false
    })
}

/// It leads to what only a running system has.
fn is_mounted(at: &[u8], target: &[u8]) -> bool {
    names_of(at, target).first().is_some_and(|first| MOUNTED.contains(first))
}

/// Where a link leads by its letters: as if there were no other on its way.
pub fn spelled(at: &[u8], target: &[u8]) -> Vec<u8> {
    [b"/", &names_of(at, target).join(&b'/')[..]].concat()
}

fn names_of<'a>(at: &'a [u8], target: &'a [u8]) -> Vec<&'a [u8]> {
    let mut names: Vec<&[u8]> = Vec::new();
    for name in above(at, target).chain(target.split(|&b| b == b'/')) {
        match name {
            b"" | b"." => {}
            b".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    names
}

/// The directories that a target counts from.
fn above<'a>(at: &'a [u8], target: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    let dir = if target.starts_with(b"/") { b"/" } else { crate::path::dirname(at).unwrap_or(b"/") };
    dir.split(|&b| b == b'/').filter(|name| !name.is_empty())
}
