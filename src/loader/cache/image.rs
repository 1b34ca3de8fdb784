//! The bytes of a cache, as they lie in memory for the loader.

use crate::elf::Order;

/// The loader cannot open what is longer, nor is anything asked for by it. It
/// also bounds what a table of offsets into one long string costs.
const LONGEST: usize = 4096;

#[derive(Debug, Clone)]
pub(super) struct Image {
    bytes: Vec<u8>,
    order: Order,
    /// A string that starts below has an end.
    strings_end: usize,
}

impl Image {
    pub(super) fn new(bytes: Vec<u8>, order: Order) -> Image {
        // Behind a file, the rest of its last page reads as zeros. There is no
        // rest where the page is full: a string may run out of the mapping.
        let strings_end = if bytes.len().is_multiple_of(4096) {
            bytes.iter().rposition(|&b| b == 0).map_or(0, |nul| nul + 1)
        } else {
            bytes.len()
        };
        Image { bytes, order, strings_end }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn order(&self) -> Order {
        self.order
    }

    pub(super) fn has(&self, at: usize, magic: &[u8]) -> bool {
        self.bytes.get(at..).is_some_and(|rest| rest.starts_with(magic))
    }

    /// The string at `at` with whatever comes behind it.
    pub(super) fn text(&self, at: usize) -> Option<&[u8]> {
        if at < self.strings_end { self.bytes.get(at..) } else { None }
    }

    pub(super) fn byte(&self, at: usize) -> u8 {
        self.bytes[at]
    }

    /// `at + 4` lies inside: the callers check a whole header or entry at once.
    pub(super) fn word(&self, at: usize) -> u32 {
        let word = self.bytes[at..at + 4].try_into().expect("a range of four");
        match self.order {
            Order::Little => u32::from_le_bytes(word),
            Order::Big => u32::from_be_bytes(word),
        }
    }

    pub(super) fn wide(&self, at: usize) -> u64 {
        let word = self.bytes[at..at + 8].try_into().expect("a range of eight");
        match self.order {
            Order::Little => u64::from_le_bytes(word),
            Order::Big => u64::from_be_bytes(word),
        }
    }
}

/// A string alone.
pub(super) fn until_nul(text: &[u8]) -> &[u8] {
    let text = &text[..text.len().min(LONGEST)];
    let end = text.iter().position(|&b| b == 0).unwrap_or(text.len());
    &text[..end]
}
