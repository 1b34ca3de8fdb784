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

/// The first object that asks for so much that a thread is worth its start.
#[derive(Debug)]
pub struct Start {
    pub object: Arc<File>,
    /// Of the loader.
    pub dir: DirId,
}

/// Whoever sends a scout out, once told from where.
pub type Send<'a> = &'a dyn Fn(Start);

impl Session<'_> {
    /// The walk is about to ask for what an object needs.
    pub(super) fn asks_for_all_of(&mut self, object: &Arc<File>, dir: DirId) {
        const MANY: usize = 6;
        let is_worth_it = |facts: &Facts| facts.asks.len() >= MANY;
        if self.scout.is_some() && object.elf.as_ref().is_ok_and(is_worth_it) {
            let send = self.scout.take().expect("there is one");
            send(Start { object: Arc::clone(object), dir });
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
    remember(&mut ahead, &start.object);
    while let Some(name) = ahead.pop()
        && !is_enough.load(Ordering::Relaxed)
    {
        if let Ok(place) = files.place(root, start.dir, &name) {
            remember(&mut ahead, &place.file);
        }
    }
}
