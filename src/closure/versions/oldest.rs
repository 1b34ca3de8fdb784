//! The oldest glibc that would do, by the names of the versions that are needed.

use std::fmt;

use crate::closure::Closure;
use crate::elf::Facts;

/// `2.34`, `2.3.4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OldestGlibc {
    numbers: [u32; 3],
}

impl fmt::Display for OldestGlibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}")?;
        if patch > 0 { write!(f, ".{patch}") } else { Ok(()) }
    }
}

/// Versions without a number, and the release that has them first: glibc's files
/// called `Versions` (elf/, sysdeps/x86/, sysdeps/x86_64/, sysdeps/i386/).
const FIRST: [(&[u8], u32); 4] = [
    (b"GLIBC_ABI_DT_RELR", 36),
    (b"GLIBC_ABI_DT_X86_64_PLT", 43),
    (b"GLIBC_ABI_GNU2_TLS", 43),
    (b"GLIBC_ABI_GNU_TLS", 43),
];

/// The highest version that anything outside glibc itself needs.
pub(in crate::closure) fn oldest_glibc(closure: &Closure) -> Option<OldestGlibc> {
    let of_glibc =
        |facts: &Facts| facts.version_defs.iter().any(|def| facts.str(def.name).starts_with(b"GLIBC_"));
    let mut oldest = None;
    for id in closure.loaded() {
        let facts = closure.object(id).found.facts();
        if !of_glibc(facts) {
            let needed = facts.version_needs.iter().filter_map(|need| glibc_version(facts.str(need.name)));
            oldest = oldest.max(needed.max());
        }
    }
    oldest
}

/// Not of `GLIBC_PRIVATE`.
fn glibc_version(name: &[u8]) -> Option<OldestGlibc> {
    if let Some((_, minor)) = FIRST.iter().find(|(known, _)| *known == name) {
        return Some(OldestGlibc { numbers: [2, *minor, 0] });
    }
    let text = std::str::from_utf8(name.strip_prefix(b"GLIBC_")?).ok()?;
    let mut numbers = text.split('.').map(|part| part.parse().ok());
    let (major, minor) = (numbers.next()??, numbers.next()??);
    Some(OldestGlibc { numbers: [major, minor, numbers.next().flatten().unwrap_or(0)] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_a_version_says_how_old_a_glibc_may_be() {
        let rows = [
            ("GLIBC_2.34", Some("2.34")),
            ("GLIBC_2.2.5", Some("2.2.5")),
            ("GLIBC_2.3.4", Some("2.3.4")),
            ("GLIBC_PRIVATE", None),
            ("GLIBC_ABI_DT_RELR", Some("2.36")),
            ("GLIBC_ABI_GNU2_TLS", Some("2.43")),
            ("GLIBC_ABI_OTHER", None),
            ("GLIBCXX_3.4.30", None),
            ("GLIBC_2", None),
        ];
        for (name, expected) in rows {
            let version = glibc_version(name.as_bytes()).map(|version| version.to_string());
            assert_eq!(version.as_deref(), expected, "{name}");
        }
        let sorted = ["GLIBC_2.2.5", "GLIBC_2.3", "GLIBC_2.3.4", "GLIBC_2.17"];
        assert!(sorted.map(|name| glibc_version(name.as_bytes())).is_sorted());
    }
}
