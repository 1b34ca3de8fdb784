//! Names as small numbers, and a fast map that cannot be iterated.

#![expect(clippy::disallowed_types, reason = "the one place that wraps std's map; it hides iteration")]

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

/// A multiply-and-rotate hash. The keys come from files, but every table is
/// bounded by the files read, and nothing is ordered by it.
#[derive(Debug, Default, Clone, Copy)]
pub struct FastHasher(u64);

const SEED: u64 = 0x51_7c_c1_b7_27_22_0a_95;

impl FastHasher {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(SEED);
    }
}

impl Hasher for FastHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.add(u64::from_le_bytes(word.try_into().expect("chunks of eight")));
        }
        let rest = words.remainder();
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.add(u64::from_le_bytes(word) ^ ((rest.len() as u64) << 56));
        }
    }

    fn write_u8(&mut self, n: u8) {
        self.add(u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.add(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.add(n);
    }

    fn write_usize(&mut self, n: usize) {
        self.add(n as u64);
    }

    fn finish(&self) -> u64 {
        // The table takes the top bits, the multiplication stirs those best.
        self.0.rotate_left(26)
    }
}

/// A hash map whose order nobody can see.
#[derive(Debug, Clone)]
pub struct Map<K, V>(HashMap<K, V, BuildHasherDefault<FastHasher>>);

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Map(HashMap::default())
    }
}

impl<K: Hash + Eq, V> Map<K, V> {
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    pub fn contains<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// An interned byte string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(pub u32);

impl From<Name> for u32 {
    fn from(name: Name) -> u32 {
        name.0
    }
}

/// The table of interned names.
#[derive(Debug, Default)]
pub struct Names {
    known: Map<Arc<[u8]>, Name>,
    text: Vec<Arc<[u8]>>,
}

impl Names {
    pub fn intern(&mut self, name: &[u8]) -> Name {
        if let Some(&known) = self.known.get(name) {
            return known;
        }
        let number = Name(u32::try_from(self.text.len()).expect("fewer names than 2^32 fit in memory"));
        let text: Arc<[u8]> = name.into();
        self.known.insert(Arc::clone(&text), number);
        self.text.push(text);
        number
    }

    /// Interns a name and says whether it was not known before.
    pub fn is_new(&mut self, name: &[u8]) -> bool {
        let before = self.text.len();
        self.intern(name);
        self.text.len() > before
    }

    pub fn bytes(&self, name: Name) -> &[u8] {
        &self.text[name.0 as usize]
    }

    pub fn text(&self, name: Name) -> Arc<[u8]> {
        Arc::clone(&self.text[name.0 as usize])
    }
}

/// A table from small numbers, of names or whatever else, to others that is emptied in no time: one for
/// each program of many.
#[derive(Debug, Default)]
pub struct Marks {
    epoch: u32,
    slots: Vec<(u32, u32)>,
}

impl Marks {
    pub fn clear(&mut self) {
        self.epoch += 1;
    }

    pub fn get(&self, key: impl Into<u32>) -> Option<u32> {
        let (epoch, value) = *self.slots.get(key.into() as usize)?;
        (epoch == self.epoch).then_some(value)
    }

    pub fn set(&mut self, key: impl Into<u32>, value: u32) {
        let at = key.into() as usize;
        if at >= self.slots.len() {
            self.slots.resize(at + 1, (0, 0));
        }
        self.slots[at] = (self.epoch, value);
    }
}
