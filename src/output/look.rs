//! DIST for a dry run: what would be refused, without a step towards writing.
//! No lock is taken, and what a killed run has left stays.

use std::path::{Path, PathBuf};

use super::contents::Scene;
use super::dir::{State, find, is_empty, refuse_strangers};
use super::meta::{Clock, Rights};
use super::survey::survey;
use super::tree::Tree;
use super::{Failure, Options, Sources, refuse, update};
use crate::plan::Plan;
use crate::root::dir::DirRoot;

/// DIST, or the directory it would be in.
#[derive(Debug)]
pub struct Look {
    tree: Tree,
    is_there: bool,
    /// A killed run has left something that the next one undoes first.
    pub is_unfinished: bool,
}

impl Look {
    /// As [`super::dir::Target::open`], which refuses the same.
    pub fn open(dist: &Path, inputs: &[PathBuf], force: bool) -> Result<Look, Failure> {
        let tree = match find(dist)? {
            State::Vacant(vacancy) => {
                let tree = Tree::new(vacancy.parent, dist);
                return Ok(Look { tree, is_there: false, is_unfinished: false });
            }
            State::There(tree) => tree,
        };
        refuse::refuse(&tree.top, &tree.path, inputs)?;
        let is_unfinished = update::left_over(&tree)?.is_some();
        if !force && !is_unfinished {
            refuse_strangers(&tree)?;
        }
        Ok(Look { tree, is_there: true, is_unfinished })
    }

    /// What DIST holds already.
    pub fn earlier(&self) -> Result<Option<DirRoot>, Failure> {
        if self.is_there && !is_empty(&self.tree)? { update::as_root(&self.tree).map(Some) } else { Ok(None) }
    }

    /// Whether the plan would meet something else in DIST.
    pub fn compare(&self, plan: &Plan, sources: Sources<'_>, options: Options) -> Result<(), Failure> {
        if self.is_unfinished {
            return Ok(());
        }
        let mark = if self.is_there { update::marked(&self.tree) } else { None };
        let clock = Clock::new(plan, options).after(mark.as_deref());
        let rights = Rights::new(&self.tree.top);
        let scene = Scene { plan, sources, options, clock, rights, tree: &self.tree };
        let changes = survey(&scene, self.earlier()?.as_ref())?;
        if changes.conflicts.is_empty() { Ok(()) } else { Err(Failure::Conflicts(changes.conflicts)) }
    }
}
