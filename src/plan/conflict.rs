//! Two different things for one place.

use std::fmt::Write as _;

use super::{Entry, Node, Plan, Source};
use crate::path::ImagePath;

/// `at` is wanted to be `want`, and is `have`. Both are ready to be shown:
/// names in them are bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    pub at: ImagePath,
    pub have: Vec<u8>,
    pub want: Vec<u8>,
}

impl Conflict {
    pub(super) fn between(plan: &Plan, at: ImagePath, have: &Node, want: &Node) -> Conflict {
        Conflict { at, have: describe(plan, have), want: describe(plan, want) }
    }

    /// `have` is not the plan's own.
    pub(super) fn with_base(plan: &Plan, at: ImagePath, have: impl Into<Vec<u8>>, want: &Node) -> Conflict {
        Conflict { at, have: have.into(), want: describe(plan, want) }
    }

    /// Something is to lie below what is no directory.
    pub(super) fn in_the_way(plan: &Plan, at: ImagePath, entry: &Entry) -> Conflict {
        Conflict { at, have: describe(plan, &entry.node), want: b"a directory".to_vec() }
    }

    pub(super) fn of_loop(at: ImagePath) -> Conflict {
        Conflict { at, have: b"a loop of links".to_vec(), want: b"a directory".to_vec() }
    }
}

fn describe(plan: &Plan, node: &Node) -> Vec<u8> {
    match node {
        Node::Dir(_) => b"a directory".to_vec(),
        Node::Link(target) => [b"a link to `", &target[..], b"`"].concat(),
        Node::File(id) => match &plan.content(*id).source {
            Source::Root { path, .. } => [b"the file `", path.as_bytes(), b"`"].concat(),
            Source::Host { path, .. } => [b"the file `", path.as_os_str().as_encoded_bytes(), b"`"].concat(),
            Source::Made(bytes) => {
                let mut text = String::from("a file of ");
                write!(text, "{} bytes made by depcollect", bytes.len()).expect("a String takes everything");
                text.into_bytes()
            }
        },
    }
}
