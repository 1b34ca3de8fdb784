//! A table that only grows, and is read without a lock.

use std::sync::{Mutex, OnceLock, PoisonError};

/// The first chunk holds so many; each further one holds twice its predecessor.
const FIRST: usize = 64;
const CHUNKS: usize = 26;

#[derive(Debug)]
pub(super) struct Slab<T> {
    chunks: [OnceLock<Box<[OnceLock<T>]>>; CHUNKS],
    len: Mutex<usize>,
}

impl<T> Slab<T> {
    pub(super) fn new() -> Self {
        Slab { chunks: [const { OnceLock::new() }; CHUNKS], len: Mutex::new(0) }
    }

    /// Adds `item` and returns its number.
    pub(super) fn push(&self, item: T) -> u32 {
        let mut len = self.len.lock().unwrap_or_else(PoisonError::into_inner);
        let (chunk, slot) = place(*len);
        let slots = self.chunks[chunk].get_or_init(|| (0..FIRST << chunk).map(|_| OnceLock::new()).collect());
        let taken = slots[slot].set(item).is_err();
        assert!(!taken, "a new number has a free slot");
        *len += 1;
        u32::try_from(*len - 1).expect("the chunks hold fewer than 2^32")
    }

    pub(super) fn get(&self, number: u32) -> &T {
        let (chunk, slot) = place(number as usize);
        let slots = self.chunks[chunk].get().expect("a number was given out by push");
        slots[slot].get().expect("a number was given out by push")
    }
}

fn place(number: usize) -> (usize, usize) {
    let chunk = (number / FIRST + 1).ilog2() as usize;
    (chunk, number - FIRST * ((1 << chunk) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_valid() {
        let slab = Slab::new();
        for n in 0..5000 {
            assert_eq!(slab.push(n), n);
        }
        assert!((0..5000).all(|n| *slab.get(n) == n));
    }
}
