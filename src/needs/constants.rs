//! What a file holds that is no code, read once for all that is asked of it.
//!
//! A program of Go or Rust calls no library for what it opens: its own strings say
//! what that is.

use std::ops::Range;

use crate::bytes::ReadAt;
use crate::closure::{Found, Opener};
use crate::elf;
use crate::root::{FileId, OpenFile};

/// So much of one segment is looked at.
const MOST: u64 = 64 << 20;

/// So much of a file is read at a time, and so much of a text that goes on is kept:
/// more than a path has.
const PIECE: usize = 64 * 1024;
const LONGEST: usize = 4096;

/// Shorter texts name nothing.
const SHORTEST: usize = 3;

/// So much is searched for one text after the other: it stays in the nearest cache.
const BLOCK: usize = 16 * 1024;

/// So many places are compared at once, for a text and for the end of any.
const CHUNK: usize = 256;
const WINDOW: usize = 64;

/// The constants of the file that was read last.
#[derive(Debug, Default)]
pub(super) struct Constants {
    file: Option<FileId>,
    /// More than `len`, where a longer file was read before.
    room: Vec<u8>,
    len: usize,
    words: Vec<Range<usize>>,
}

impl Constants {
    pub(super) fn are_of(&self, found: &Found) -> bool {
        self.file == Some(found.file.stat.id)
    }

    /// Reads a file. What cannot be read holds nothing.
    pub(super) fn read(&mut self, opener: Opener<'_>, found: &Found) {
        (self.file, self.len) = (Some(found.file.stat.id), 0);
        if let Ok(open) = opener.open(found) {
            parts(&open).into_iter().for_each(|(offset, len)| self.add(&open, offset, len));
        }
        self.words = words(self.bytes());
    }

    /// No text goes on from one segment into the next: a NUL stands between them.
    fn add(&mut self, open: &impl ReadAt, offset: u64, len: u64) {
        let end = self.len + usize::try_from(len).unwrap_or(0);
        if self.room.len() <= end {
            self.room.resize(end + 1, 0);
        }
        self.len += open.read_at(&mut self.room[self.len..end], offset).unwrap_or(0);
        self.room[self.len] = 0;
        self.len += 1;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.room[..self.len]
    }

    /// Texts between NULs, of printed characters without a blank.
    pub(super) fn words(&self) -> impl Iterator<Item = &[u8]> {
        self.words.iter().map(|range| &self.room[range.clone()])
    }

    /// Whether one of the texts is among them, wherever it begins.
    pub(super) fn holds(&self, texts: &[&str]) -> bool {
        let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
        let bytes = self.bytes();
        let mut blocks = (0..bytes.len()).step_by(BLOCK);
        blocks.any(|at| {
            let block = &bytes[at..bytes.len().min(at + BLOCK + longest)];
            texts.iter().any(|text| contains(block, text.as_bytes()))
        })
    }
}

/// Room for [`each_word`], used again from file to file.
#[derive(Default)]
pub(super) struct Room(Vec<u8>);

/// Shows the words of a file that are no longer than a path. It is read piece by
/// piece: new memory for all of it would take longer than the search.
pub(super) fn each_word(room: &mut Room, opener: Opener<'_>, found: &Found, mut show: impl FnMut(&[u8])) {
    let Ok(open) = opener.open(found) else { return };
    room.0.resize(LONGEST + PIECE, 0);
    for (offset, len) in parts(&open) {
        in_pieces(&mut room.0, &open, offset, len, &mut show);
    }
}

fn in_pieces(room: &mut [u8], file: &impl ReadAt, offset: u64, len: u64, show: &mut impl FnMut(&[u8])) {
    // So much at the start of the room belongs to a text that goes on.
    let (mut at, mut kept) = (0, 0);
    while at < len {
        let most = PIECE.min(usize::try_from(len - at).unwrap_or(PIECE));
        let read = file.read_at(&mut room[kept..kept + most], offset + at).unwrap_or(0);
        let end = kept + read;
        at = if read < most { len } else { at + read as u64 };
        let last = room[..end].iter().rposition(|&b| b == 0);
        let whole = if at < len { last.map_or(0, |nul| nul + 1) } else { end };
        words(&room[..whole]).into_iter().for_each(|word| show(&room[word]));
        let rest = whole.max(end.saturating_sub(LONGEST))..end;
        kept = rest.len();
        room.copy_within(rest, 0);
    }
}

/// Where a file holds no code: offsets and lengths.
fn parts(open: &OpenFile) -> Vec<(u64, u64)> {
    let loads = elf::loads(open).unwrap_or_default();
    // Before binutils 2.31 one segment held code and constants.
    let is_mixed = loads.iter().filter(|load| !load.executable).count() < 2;
    let parts = loads.iter().filter(|load| !load.executable || is_mixed);
    parts.map(|load| (load.offset, load.len.min(MOST).min(open.stat.len))).collect()
}

/// Where a text may end is asked of many places at once, and few are left.
fn words(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    for at in (0..bytes.len()).step_by(WINDOW) {
        let mut window = [0; WINDOW + SHORTEST];
        let part = &bytes[at..bytes.len().min(at + window.len())];
        window[..part.len()].copy_from_slice(part);
        let ends = ends(&window);
        if ends.iter().fold(false, |any, end| any | end) {
            for (place, _) in ends.iter().enumerate().filter(|(_, is_end)| **is_end) {
                words.extend(word(bytes, at + place + SHORTEST));
            }
        }
    }
    words
}

/// Before which places of a window a NUL stands behind printed characters. The
/// compiler makes comparisons of many places of this.
fn ends(window: &[u8; WINDOW + SHORTEST]) -> [bool; WINDOW] {
    std::array::from_fn(|at| {
        let (first, last) = (window[at], window[at + SHORTEST - 1]);
        first.is_ascii_graphic() & last.is_ascii_graphic() & (window[at + SHORTEST] == 0)
    })
}

/// The text that ends there, if it is one word.
fn word(bytes: &[u8], end: usize) -> Option<Range<usize>> {
    let before = bytes[..end].iter().rposition(|b| !b.is_ascii_graphic());
    let start = before.map_or(0, |at| at + 1);
    let is_whole = before.is_none_or(|at| bytes[at] == 0);
    (is_whole && end - start >= SHORTEST).then_some(start..end)
}

/// Both ends of the text are looked for first: the compiler makes of that a
/// comparison of many places at once, and few are left.
fn contains(bytes: &[u8], text: &[u8]) -> bool {
    let (Some(&first), Some(&last)) = (text.first(), text.last()) else { return true };
    let Some(ends) = bytes.get(text.len() - 1..) else { return false };
    let is_one = |start: &u8, end: &u8| (*start == first) & (*end == last);
    let chunks = bytes.chunks(CHUNK).zip(ends.chunks(CHUNK));
    chunks.enumerate().any(|(number, (starts, ends))| {
        starts.iter().zip(ends).fold(false, |any, (start, end)| any | is_one(start, end))
            && (0..ends.len())
                .any(|at| is_one(&starts[at], &ends[at]) && bytes[number * CHUNK + at..].starts_with(text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_wherever_it_begins() {
        let text = b"/etc/passwd";
        for at in 0..2 * CHUNK {
            let mut bytes = vec![b'/'; at];
            bytes.extend_from_slice(text);
            assert!(contains(&bytes, text), "at the end, {at}");
            assert!(!contains(&bytes[..bytes.len() - 1], text), "cut, {at}");
            bytes.resize(3 * CHUNK, b'd');
            assert!(contains(&bytes, text), "within, {at}");
        }
        assert!(!contains(b"", text) && !contains(b"/etc/passw", text) && contains(b"x", b"x"));
        assert!(!contains(&[b'/'; 1000], text) && !contains(b"/etc/pbsswd", text));
    }

    #[test]
    fn a_text_may_lie_across_two_blocks() {
        for at in BLOCK - 12..BLOCK + 2 {
            let mut room = vec![b'/'; 2 * BLOCK];
            room[at..at + 11].copy_from_slice(b"/etc/passwd");
            let constants = Constants { len: room.len(), room, ..Constants::default() };
            assert!(constants.holds(&["no", "/etc/passwd"]), "{at}");
            assert!(!constants.holds(&["no", "/etc/passwe"]), "{at}");
        }
        assert!(!Constants::default().holds(&["x"]));
    }

    #[test]
    fn a_word_may_lie_across_two_pieces() {
        let mut room = vec![0; LONGEST + PIECE];
        for len in [3, 100, LONGEST - 1, LONGEST, PIECE, 2 * PIECE] {
            for at in [0, PIECE - 101, PIECE - 100, PIECE - 3, PIECE - 2, PIECE, 2 * PIECE - 1] {
                let bytes = [&b"/".repeat(at)[..], b"\0", &b"w".repeat(len), b"\0end"].concat();
                let mut found = Vec::new();
                in_pieces(&mut room, &&bytes[..], 1, bytes.len() as u64 + 9, &mut |word: &[u8]| {
                    if word.len() < LONGEST {
                        found.push(word.to_vec());
                    }
                });
                let expected = words(&bytes[1..]).into_iter().map(|word| bytes[1..][word].to_vec());
                assert!(found.into_iter().eq(expected.filter(|word| word.len() < LONGEST)), "{len} at {at}");
            }
        }
    }

    #[test]
    fn words_are_whole_texts() {
        for (bytes, expected) in [
            (&b""[..], ""),
            (b"\0\0", ""),
            (b"abc\0", "abc"),
            (b"ab\0bcd\0def g\0/h/\0", "bcd|/h/"),
            (b"a bcd\0c\tdef\0\xc3\xa4bcd\0abc\xff\0xyz\0", "xyz"),
            (b" abc\0abc \0~-!\0a\0b\0cut", "~-!|cut"),
        ] {
            for before in 0..2 * WINDOW {
                let bytes = [&vec![0; before], bytes].concat();
                let found: Vec<&[u8]> = words(&bytes).into_iter().map(|range| &bytes[range]).collect();
                assert_eq!(found.join(&b'|'), expected.as_bytes(), "{}", bytes.escape_ascii());
            }
        }
    }
}
