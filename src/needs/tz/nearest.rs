//! What may have been meant by a name that is none.

use crate::path::basename;
use crate::slip::distance;

/// So many are suggested.
const MOST: usize = 3;

/// Names differ by so many characters at most.
const FAR: usize = 2;

/// A longer name is no slip of the finger.
const LONG: usize = 64;

pub(super) fn hint(typed: &[u8], names: &[Vec<u8>]) -> Option<String> {
    let near = nearest(typed, names);
    let quoted: Vec<String> = near.iter().map(|name| format!("`{}`", name.escape_ascii())).collect();
    (!quoted.is_empty()).then(|| format!("did you mean {}?", quoted.join(" or ")))
}

/// The nearest first; of equals, as they are sorted.
fn nearest<'a>(typed: &[u8], names: &'a [Vec<u8>]) -> Vec<&'a [u8]> {
    if typed.len() > LONG {
        return Vec::new();
    }
    let typed = plain(typed);
    let mut near: Vec<(usize, &[u8])> = Vec::new();
    for name in names.iter().filter(|name| name.len() <= LONG) {
        let whole = distance(&typed, &plain(name));
        // A city is often typed alone, or in the wrong continent.
        let last = distance(basename(&typed), &plain(basename(name)));
        near.push((whole.min(last + 1), name));
    }
    let far = FAR.min(typed.len() / 2);
    near.retain(|(distance, _)| *distance <= far);
    near.sort_unstable();
    let best = near.first().map_or(0, |(distance, _)| *distance);
    near.into_iter().filter(|(distance, _)| *distance == best).take(MOST).map(|(_, name)| name).collect()
}

/// As people type it.
fn plain(name: &[u8]) -> Vec<u8> {
    name.to_ascii_lowercase().into_iter().map(|b| if b == b' ' || b == b'-' { b'_' } else { b }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood() {
        let names: Vec<Vec<u8>> = [
            "America/New_York",
            "Asia/Tokyo",
            "Etc/GMT+1",
            "Etc/GMT-1",
            "Europe/Paris",
            "Europe/Rome",
            "UTC",
        ]
        .map(|name| name.as_bytes().to_vec())
        .into();
        for (typed, expected) in [
            ("europe/paris", "Europe/Paris"),
            ("Europe/Pari", "Europe/Paris"),
            ("Paris", "Europe/Paris"),
            ("america/new york", "America/New_York"),
            ("Asia/Rome", "Europe/Rome"),
            ("Etc/GMT1", "Etc/GMT+1 Etc/GMT-1"),
            ("utc", "UTC"),
            ("Europe/Atlantis", ""),
            ("x", ""),
            ("", ""),
        ] {
            let near = nearest(typed.as_bytes(), &names);
            assert_eq!(String::from_utf8(near.join(&b' ')).unwrap(), expected, "{typed}");
        }
        assert_eq!(nearest(&[b'a'; 5000], &names), Vec::<&[u8]>::new());
    }
}
