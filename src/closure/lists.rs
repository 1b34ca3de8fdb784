//! RPATH and RUNPATH of a process: each object's own lists, and the chain of
//! them that counts for a requester.

use std::cell::OnceCell;

use super::ObjectId;
use super::session::ChainNo;
use crate::loader::{ChainLink, Dir};

/// The lists of one object, expanded.
#[derive(Debug, Clone, Default)]
pub(super) struct Lists {
    /// Effective DT_RPATH: none for an object that has DT_RUNPATH as well.
    pub(super) rpath: Vec<Dir>,
    pub(super) runpath: Option<Vec<Dir>>,
    pub(super) chain: OnceCell<ChainNo>,
}

/// What counts for a requester of glibc: its RUNPATH and nothing else, or the
/// RPATH of itself, of whoever wanted it, and so on, and at last the program's.
/// The chain goes on *through* an object with RUNPATH, which adds nothing.
pub(super) fn chain(
    lists: &[Lists],
    requester: ObjectId,
    wanted_by: impl Fn(ObjectId) -> Option<ObjectId>,
) -> Vec<ChainLink> {
    let own = &lists[requester.0 as usize];
    if own.runpath.is_some() {
        return vec![ChainLink { above: 0, rpath: Vec::new(), runpath: own.runpath.clone() }];
    }
    let mut links = Vec::new();
    let mut at = Some(requester);
    let mut above = 0;
    let mut last = requester;
    while let Some(id) = at {
        push(&mut links, above, &lists[id.0 as usize].rpath);
        (last, at) = (id, wanted_by(id));
        above += 1;
    }
    if last != ObjectId(0) {
        push(&mut links, above, &lists[0].rpath);
    }
    links
}

fn push(links: &mut Vec<ChainLink>, above: u32, rpath: &[Dir]) {
    if !rpath.is_empty() {
        links.push(ChainLink { above, rpath: rpath.to_vec(), runpath: None });
    }
}
