//! RPATH and RUNPATH of a process: the chain of path lists that counts for a
//! requester. What two objects inherit from the same one is held once.

use super::Session;
use super::session::{ChainNo, ListNo};
use crate::loader::{ChainLink, Dir, PathTag};

/// What counts for the requests of an object, and what those below it inherit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chains {
    pub(super) own: ChainNo,
    pub(super) inherited: ChainNo,
}

/// One link; those above it follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Link {
    /// How many steps above the last link, or the requester.
    steps: u32,
    tag: PathTag,
    dirs: ListNo,
    rest: ChainNo,
}

impl Chains {
    pub(super) const EMPTY: Chains = Chains { own: ChainNo::EMPTY, inherited: ChainNo::EMPTY };
}

impl Session<'_> {
    /// A requester's own list, in front of those above it. A list that names no
    /// directory is a link where its presence matters.
    pub(super) fn chain_with(&mut self, tag: PathTag, dirs: Vec<Dir>, rest: ChainNo) -> ChainNo {
        let link = Link { steps: 0, tag, dirs: self.list_no(dirs), rest };
        self.chain_no(link)
    }

    /// A chain as the object below sees it.
    pub(super) fn one_down(&mut self, chain: ChainNo) -> ChainNo {
        match self.link(chain) {
            Some(link) => self.chain_no(Link { steps: link.steps + 1, ..link }),
            None => ChainNo::EMPTY,
        }
    }

    /// The whole chain, nearest first.
    pub(super) fn chain(&self, chain: ChainNo) -> Vec<ChainLink> {
        let mut above = 0;
        let links = std::iter::successors(self.link(chain), |link| self.link(link.rest));
        let spelled = links.map(|Link { steps, tag, dirs, .. }| {
            above += steps;
            ChainLink { above, tag, dirs: self.list(dirs) }
        });
        spelled.collect()
    }
}
