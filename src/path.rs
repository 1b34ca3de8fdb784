//! Three kinds of place: two inside a root, one in the image to be made. A path of
//! the host is std's `Path` and never meets these.
//!
//! Both are bytes: a file system and an ELF file know no encoding. They are
//! escaped once, when shown (`escape`).

use std::cmp::Ordering;
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

/// An absolute path in an image, without `.`, `..`, `//` or NUL. It may pass
/// links of the image: the plan follows them when something is put there.
/// Ordered by components: what lies in a directory stands directly behind it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ImagePath(Vec<u8>);

impl Ord for ImagePath {
    fn cmp(&self, other: &Self) -> Ordering {
        // No component holds a NUL: a slash counts as less than any byte of one.
        let weight = |b: &u8| if *b == b'/' { 0 } else { *b };
        // Neighbours have long beginnings in common: these are passed by the word.
        let (ours, theirs) = (self.0.as_chunks::<8>().0, other.0.as_chunks::<8>().0);
        let same = 8 * ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
        self.0[same..].iter().map(weight).cmp(other.0[same..].iter().map(weight))
    }
}

impl PartialOrd for ImagePath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl ImagePath {
    pub fn top() -> Self {
        ImagePath(b"/".to_vec())
    }

    /// `None` for what is relative or would go up.
    pub fn parse(path: &[u8]) -> Option<Self> {
        if path.first() != Some(&b'/') || path.contains(&0) {
            return None;
        }
        let mut names = path.split(|&b| b == b'/').filter(|name| !matches!(*name, b"" | b"."));
        names.try_fold(ImagePath::top(), |at, name| (name != b"..").then(|| at.join(name)))
    }

    /// The entry `name` of this directory. `name` is a single component.
    pub fn join(&self, name: &[u8]) -> Self {
        ImagePath(RealPath(self.0.clone()).join(name).0)
    }

    /// The directory that holds it. The top is in none.
    pub fn parent(&self) -> Option<Self> {
        if self.0.len() == 1 { None } else { dirname(&self.0).map(|dir| ImagePath(dir.to_vec())) }
    }

    /// The last component; nothing for the top.
    pub fn name(&self) -> &[u8] {
        basename(&self.0)
    }

    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|&b| b == b'/').filter(|name| !name.is_empty())
    }

    /// What is left of it below `dir`, without a slash in front. `None`: it is not there.
    pub fn below(&self, dir: &ImagePath) -> Option<&[u8]> {
        let rest = self.0.strip_prefix(&dir.0[..])?;
        match (dir.0.len(), rest) {
            (1, rest) => Some(rest),
            (_, [b'/', rest @ ..]) => Some(rest),
            (_, []) => Some(b""),
            (_, _) => None,
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<RealPath> for ImagePath {
    fn from(path: RealPath) -> Self {
        ImagePath(path.0)
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

impl fmt::Debug for ImagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for RealPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

/// A word as a shell takes it: in quotes where it has to be.
pub fn shell_word(bytes: &[u8]) -> Vec<u8> {
    let is_plain = |b: &u8| b.is_ascii_alphanumeric() || b"%+,-./:=@_".contains(b) || !b.is_ascii();
    if !bytes.is_empty() && bytes.iter().all(is_plain) {
        return bytes.to_vec();
    }
    let parts: Vec<&[u8]> = bytes.split(|&b| b == b'\'').collect();
    [b"'", &parts.join(&br"'\''"[..])[..], b"'"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_a_word_as_one() {
        let rows: [(&[u8], &[u8]); 5] = [
            (b"/opt/a-1.2_x86/lib", b"/opt/a-1.2_x86/lib"),
            (b"/opt/My App", b"'/opt/My App'"),
            (b"/opt/$x", b"'/opt/$x'"),
            (b"it's", br"'it'\''s'"),
            (b"", b"''"),
        ];
        for (bytes, expected) in rows {
            assert_eq!(shell_word(bytes), expected);
        }
    }

    #[test]
    fn a_place_in_an_image_is_absolute_and_does_not_go_up() {
        let rows: [(&str, Option<&str>); 8] = [
            ("/usr/lib", Some("/usr/lib")),
            ("//usr/./lib/", Some("/usr/lib")),
            ("/", Some("/")),
            ("/...", Some("/...")),
            ("usr", None),
            ("", None),
            ("/usr/../etc", None),
            ("/a\0b", None),
        ];
        for (text, expected) in rows {
            let parsed = ImagePath::parse(text.as_bytes());
            assert_eq!(parsed.as_ref().map(ImagePath::as_bytes), expected.map(str::as_bytes), "{text:?}");
        }
    }

    #[test]
    fn what_lies_in_a_directory_stands_directly_behind_it() {
        let sorted = [
            "/",
            "/usr",
            "/usr/lib",
            "/usr/lib/a/b",
            "/usr/lib/abcdefgh",
            "/usr/lib/abcdefgh/x",
            "/usr/lib/abcdefgh-x",
            "/usr/lib-x",
            "/usr/lib.x/abcdefgh",
            "/var",
        ];
        let places = sorted.map(|text| ImagePath::parse(text.as_bytes()).unwrap());
        for (n, one) in places.iter().enumerate() {
            for (m, other) in places.iter().enumerate() {
                assert_eq!(one.cmp(other), n.cmp(&m), "{one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn below_is_counted_in_components() {
        let path = |text: &str| ImagePath::parse(text.as_bytes()).unwrap();
        for (whole, dir, expected) in [
            ("/usr/lib/x", "/usr", Some("lib/x")),
            ("/usr/lib/x", "/", Some("usr/lib/x")),
            ("/usr", "/usr", Some("")),
            ("/usrlib", "/usr", None),
            ("/usr", "/usr/lib", None),
        ] {
            assert_eq!(path(whole).below(&path(dir)), expected.map(str::as_bytes), "{whole} in {dir}");
        }
    }
}
