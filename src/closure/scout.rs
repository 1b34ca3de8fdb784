//! A second thread that opens libraries ahead of the walk over one program.
//!
//! It knows no rule: it looks for every NEEDED beside the loader, where nearly
//! all libraries are, and what it learns of a name in a directory is true
//! whoever asks. The walk starts at the front of what the program needs, so
//! this starts at the end, and they meet.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Files, Program};
use crate::elf::Facts;
use crate::intern::Names;
use crate::root::{DirId, Root, resolve};

/// Whether a program asks for so much that a thread is worth its start.
pub fn is_worth_it(program: &Program) -> bool {
    const MANY: usize = 6;
    program.found.facts().needed().count() >= MANY
}

/// Goes on until nothing is left, or somebody says that it is enough.
pub fn scout(root: &dyn Root, files: &Files, program: &Program, is_enough: &AtomicBool) {
    let facts = program.found.facts();
    let Some(Ok(loader)) = facts.interp().map(|path| resolve(root, DirId::TOP, path)) else { return };
    let mut known = Names::default();
    let mut ahead: Vec<Vec<u8>> = Vec::new();
    let mut remember = |ahead: &mut Vec<Vec<u8>>, facts: &Facts| {
        let names = facts.needed().filter(|name| !name.contains(&b'/') && known.is_new(name));
        ahead.extend(names.map(<[u8]>::to_vec));
    };
    remember(&mut ahead, facts);
    while let Some(name) = ahead.pop()
        && !is_enough.load(Ordering::Relaxed)
    {
        if let Ok(place) = files.place(root, loader.dir, &name)
            && let Ok(facts) = &place.file.elf
        {
            remember(&mut ahead, facts);
        }
    }
}
