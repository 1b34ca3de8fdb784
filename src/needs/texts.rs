//! Texts of the rules among the constants of a program. A program of Go or Rust
//! calls no library for what it opens: its own strings say what that is.

use super::engine;
use super::rules::{self, Trigger};
use crate::closure::{Found, Session};

/// So many places are compared at once.
const CHUNK: usize = 64;

/// The texts of the rules that a program holds.
pub(super) fn held(session: &Session<'_>, program: &Found) -> Vec<&'static str> {
    let triggers = rules::all().iter().flat_map(|rule| &rule.triggers);
    let mut missing: Vec<&'static str> = triggers
        .filter_map(|trigger| match trigger {
            Trigger::Holds(text) => Some(*text),
            Trigger::Named(_) | Trigger::Loads(_) | Trigger::Calls(_) | Trigger::AnyCalls(_) => None,
        })
        .collect();
    let mut held = Vec::new();
    engine::constants(session, program, |bytes| {
        held.extend(missing.extract_if(.., |text| contains(bytes, text.as_bytes())));
        missing.is_empty()
    });
    held
}

/// Both ends of the text are looked for first: the compiler makes of that a
/// comparison of many places at once, and few are left.
fn contains(bytes: &[u8], text: &[u8]) -> bool {
    let (Some(&first), Some(&last)) = (text.first(), text.last()) else { return true };
    let Some(ends) = bytes.get(text.len() - 1..) else { return false };
    let chunks = bytes.chunks(CHUNK).zip(ends.chunks(CHUNK));
    chunks.enumerate().any(|(number, (starts, ends))| {
        let both = starts.iter().zip(ends);
        both.fold(false, |any, (start, end)| any | ((*start == first) & (*end == last)))
            && (0..ends.len()).any(|at| bytes[number * CHUNK + at..].starts_with(text))
    })
}

#[cfg(test)]
mod tests {
    use super::contains;

    #[test]
    fn a_text_is_found_wherever_it_begins() {
        let text = b"/etc/passwd";
        for at in 0..200 {
            let mut bytes = vec![b'/'; at];
            bytes.extend_from_slice(text);
            assert!(contains(&bytes, text), "at the end, {at}");
            assert!(!contains(&bytes[..bytes.len() - 1], text), "cut, {at}");
            bytes.resize(300, b'd');
            assert!(contains(&bytes, text), "within, {at}");
        }
        assert!(!contains(b"", text) && !contains(b"/etc/passw", text) && contains(b"x", b"x"));
        assert!(!contains(&[b'/'; 1000], text) && !contains(b"/etc/pbsswd", text));
    }
}
