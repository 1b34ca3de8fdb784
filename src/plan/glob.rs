//! Patterns of `--exclude` and `--include`, anchored at both ends.

use crate::loader::conf::matches;

/// A pattern as typed. With a slash it is one of a path in the image, and what
/// lies below that counts too; without one it is one of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Vec<u8>);

impl Glob {
    pub fn new(pattern: &[u8]) -> Glob {
        Glob(pattern.to_vec())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn is_of_path(&self) -> bool {
        self.0.contains(&b'/')
    }

    /// A library, by what it is asked for or what it is called.
    pub fn matches_name(&self, name: &[u8]) -> bool {
        !self.is_of_path() && matches(&self.0, name)
    }

    /// A place, or a directory that it lies in.
    pub fn matches_path(&self, path: &[u8]) -> bool {
        self.is_of_path() && components_match(&parts(&self.0), &parts(path))
    }
}

/// `**` stands for any number of components, also none.
fn components_match(pattern: &[&[u8]], path: &[&[u8]]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, _) => true,
        (Some((&b"**", rest)), _) => (0..=path.len()).any(|n| components_match(rest, &path[n..])),
        (Some(_), None) => false,
        (Some((first, rest)), Some((name, below))) => matches(first, name) && components_match(rest, below),
    }
}

fn parts(path: &[u8]) -> Vec<&[u8]> {
    path.split(|&b| b == b'/').filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_anchored_at_both_ends() {
        for (pattern, path, expected) in [
            ("/usr/lib/libx.so", "/usr/lib/libx.so", true),
            ("/usr/lib/libx*", "/usr/lib/libx.so.1", true),
            ("/usr/lib/lib*", "/usr/lib/sub/libx.so", false),
            ("/usr/share/doc", "/usr/share/doc/a/b", true),
            ("/usr/share/doc/", "/usr/share/doc", true),
            ("/usr/share/do", "/usr/share/doc", false),
            ("/usr/*/doc", "/usr/share/doc/x", true),
            ("/**/*.py", "/usr/lib/python3/os.py", true),
            ("/**/*.py", "/os.py", true),
            ("/**/*.py", "/usr/os.pyc", false),
            ("libx.so", "/usr/lib/libx.so", false),
        ] {
            assert_eq!(
                Glob::new(pattern.as_bytes()).matches_path(path.as_bytes()),
                expected,
                "{pattern} {path}"
            );
        }
        for (pattern, name, expected) in [
            ("libglib*", "libglib-2.0.so.0", true),
            // snes9x#1095: one that was not anchored dropped this one.
            ("libglib-*", "libglibmm-2.4.so.1", false),
            ("libcuda.so*", "libcuda.so.1", true),
            ("libcuda.so*", "xlibcuda.so.1", false),
            ("/usr/lib/libx.so", "libx.so", false),
        ] {
            assert_eq!(
                Glob::new(pattern.as_bytes()).matches_name(name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        }
    }
}
