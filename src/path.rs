//! Two kinds of place inside a root. A third one, a path of the host, is std's
//! `Path` and never meets these.
//!
//! Both are bytes: a file system and an ELF file know no encoding. They are
//! escaped once, when shown (`report::escape`).

use std::fmt;

/// A path as somebody wrote it, relative or absolute. It may hold `..`, `//`
/// and links. The loader's spelling of an object is one of these.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RawPath(pub Vec<u8>);

/// An absolute path inside a root without `.`, `..`, `//` or any link.
/// Only a root's walk makes one from input.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RealPath(Vec<u8>);

impl RawPath {
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn is_absolute(&self) -> bool {
        self.0.first() == Some(&b'/')
    }
}

impl From<&[u8]> for RawPath {
    fn from(bytes: &[u8]) -> Self {
        RawPath(bytes.to_vec())
    }
}

impl From<&str> for RawPath {
    fn from(text: &str) -> Self {
        RawPath(text.as_bytes().to_vec())
    }
}

impl RealPath {
    /// The root itself.
    pub fn top() -> Self {
        RealPath(b"/".to_vec())
    }

    /// The entry `name` of this directory. `name` is a single component.
    pub(crate) fn join(&self, name: &[u8]) -> Self {
        self.clone().join_all(std::iter::once(name))
    }

    /// What these components lead to from here, outermost first.
    pub(crate) fn join_all<'a>(mut self, names: impl Iterator<Item = &'a [u8]>) -> Self {
        for name in names {
            debug_assert!(!name.is_empty() && !name.contains(&b'/'), "a component has no slash");
            if self.0.last() != Some(&b'/') {
                self.0.push(b'/');
            }
            self.0.extend_from_slice(name);
        }
        self
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The part before the last slash, as `dirname` counts it: `/` for `/x`, and
/// nothing for a bare name.
pub fn dirname(path: &[u8]) -> Option<&[u8]> {
    let slash = path.iter().rposition(|&b| b == b'/')?;
    Some(if slash == 0 { b"/" } else { &path[..slash] })
}

/// The part behind the last slash.
pub fn basename(path: &[u8]) -> &[u8] {
    path.rsplit(|&b| b == b'/').next().unwrap_or(path)
}

impl fmt::Debug for RawPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for RealPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}
