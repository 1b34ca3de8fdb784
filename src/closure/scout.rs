//! A second thread that opens libraries ahead of the walk over one program.
//!
//! It knows no rule: it looks for every NEEDED beside the loader, where nearly
//! all libraries are, and what it learns of a name in a directory is true
//! whoever asks. The walk starts at the front of what is needed, so this starts
//! at the end, and they meet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{File, Files, Session};
use crate::elf::Facts;
use crate::intern::Names;
use crate::root::{DirId, Root};

/// A program that asks for so much that a thread is worth its start: of curl, which
/// asks for three libraries and loads thirty, it is not.
#[derive(Debug)]
pub struct Start {
    pub program: Arc<File>,
    /// Of the loader.
    pub dir: DirId,
}

/// Whoever sends a scout out, once told from where.
pub type Send<'a> = &'a dyn Fn(Start);

impl Session<'_> {
    /// A walk is about to ask for what a program needs.
    pub(super) fn begin_with(&mut self, program: &Arc<File>, dir: DirId) {
        const MANY: usize = 6;
        let is_worth_it = |facts: &Facts| facts.asks.len() >= MANY;
        if program.elf.as_ref().is_ok_and(is_worth_it)
            && let Some(send) = self.scout.take()
        {
            self.files.share_places();
            send(Start { program: Arc::clone(program), dir });
        }
    }
}

/// Goes on until nothing is left, or somebody says that it is enough.
pub fn scout(root: &dyn Root, files: &Files, start: &Start, is_enough: &AtomicBool) {
    let mut known = Names::default();
    let mut ahead: Vec<Vec<u8>> = Vec::new();
    let mut remember = |ahead: &mut Vec<Vec<u8>>, file: &File| {
        let Ok(facts) = &file.elf else { return };
        let names = facts.needed().filter(|name| !name.contains(&b'/') && known.is_new(name));
        ahead.extend(names.map(<[u8]>::to_vec));
    };
    remember(&mut ahead, &start.program);
    while let Some(name) = ahead.pop()
        && !is_enough.load(Ordering::Relaxed)
    {
        if let Ok(place) = files.place(root, start.dir, &name) {
            remember(&mut ahead, &place.file);
        }
    }
}
