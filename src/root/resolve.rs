//! Following a path through links, inside a root.
//!
//! After `link_path_walk` in Linux' fs/namei.c, as `openat2` behaves with
//! `RESOLVE_IN_ROOT`. `tests/it/paths.rs` compares the two.

use std::io;
use std::ops::Range;

use rustix::io::Errno;

use super::{Child, DirId, Opened, Root};
use crate::path::{RealPath, basename};

/// A path and the text of a link must be shorter than this.
const PATH_MAX: usize = 4096;

/// So many links may one path pass; the next one is `ELOOP`.
const MAX_LINKS: usize = 40;

/// A link that was passed: the directory it stands in, its name, its target.
pub type Links = Vec<(DirId, Vec<u8>, Vec<u8>)>;

/// Where a path led.
#[derive(Debug)]
pub struct Resolved {
    /// The directory that really holds it.
    pub dir: DirId,
    /// Its name there; empty for the top itself.
    pub name: Vec<u8>,
    pub links: Links,
    pub opened: Opened,
}

/// Follows `path` from `start` (`cwd` of a relative path) to its end.
///
/// A directory reached by `.`, `..` or a trailing slash is not asked whether
/// it may be read; everything else at the end of a path is opened for reading.
pub fn resolve(root: &dyn Root, start: DirId, path: &[u8]) -> io::Result<Resolved> {
    Walk::new(root, start, path)?.run()
}

/// Follows `path` to a directory.
pub fn resolve_dir(root: &dyn Root, start: DirId, path: &[u8]) -> io::Result<(DirId, Links)> {
    let mut walk = Walk::new(root, start, path)?;
    while let Some(piece) = walk.next_piece() {
        walk.step(&piece)?;
    }
    Ok((walk.dir, walk.links))
}

/// Follows `name` in a directory that was resolved before. For a file this is
/// one open. The caller sees to the length of the whole path.
pub fn open_in(root: &dyn Root, dir: DirId, name: &[u8]) -> io::Result<Resolved> {
    debug_assert!(!name.contains(&b'/'), "a component has no slash");
    match name {
        b"" => Ok(Resolved::at_dir(root, dir, Links::new())),
        b"." | b".." => resolve(root, dir, name),
        _ => {
            let opened = root.open(dir, name)?;
            Walk::at(root, dir, name).finish(name.to_vec(), opened)
        }
    }
}

/// A path on its way.
struct Walk<'a> {
    root: &'a dyn Root,
    dir: DirId,
    path: &'a [u8],
    /// The links passed. Their targets are also the texts still to be walked.
    links: Links,
    /// What is left of the innermost text, and of those that it interrupts,
    /// outermost first. Each holds a component.
    rest: Option<Rest>,
    outer: Vec<Rest>,
    must_be_dir: bool,
}

#[derive(Clone, Copy)]
struct Rest {
    text: Text,
    at: usize,
}

#[derive(Clone, Copy)]
enum Text {
    Path,
    Link(usize),
}

/// One component.
struct Piece {
    text: Text,
    range: Range<usize>,
    /// Nothing is left behind it, except slashes.
    last: bool,
}

impl<'a> Walk<'a> {
    fn new(root: &'a dyn Root, start: DirId, path: &'a [u8]) -> io::Result<Self> {
        let mut walk = Walk::at(root, start, path);
        walk.enter(Text::Path)?;
        Ok(walk)
    }

    fn at(root: &'a dyn Root, dir: DirId, path: &'a [u8]) -> Self {
        Walk { root, dir, path, links: Links::new(), rest: None, outer: Vec::new(), must_be_dir: false }
    }

    fn run(mut self) -> io::Result<Resolved> {
        while let Some(piece) = self.next_piece() {
            if piece.last && !self.must_be_dir && !is_dots(self.bytes(&piece)) {
                let opened = self.root.open(self.dir, self.bytes(&piece))?;
                let name = self.bytes(&piece).to_vec();
                return self.finish(name, opened);
            }
            self.step(&piece)?;
        }
        Ok(Resolved::at_dir(self.root, self.dir, self.links))
    }

    /// Ends at what was opened, or goes on if it is a link.
    fn finish(mut self, name: Vec<u8>, opened: Opened) -> io::Result<Resolved> {
        match opened {
            Opened::Link(target) => {
                self.follow(name, target)?;
                self.run()
            }
            opened @ (Opened::File(_) | Opened::Dir(_) | Opened::Special(_)) => {
                Ok(Resolved { dir: self.dir, name, links: self.links, opened })
            }
        }
    }

    /// Goes through a component that has to be a directory.
    fn step(&mut self, piece: &Piece) -> io::Result<()> {
        let name = self.bytes(piece);
        if is_dots(name) {
            let up = name == b"..";
            self.root.search(self.dir)?;
            if up {
                self.dir = self.root.parent(self.dir);
            }
            return Ok(());
        }
        match self.root.child(self.dir, name)? {
            Child::Dir(dir) => self.dir = dir,
            Child::Link(target) => self.follow(name.to_vec(), target)?,
            Child::Leaf => return Err(Errno::NOTDIR.into()),
        }
        Ok(())
    }

    fn follow(&mut self, name: Vec<u8>, target: Vec<u8>) -> io::Result<()> {
        if self.links.len() == MAX_LINKS {
            return Err(Errno::LOOP.into());
        }
        self.links.push((self.dir, name, target));
        self.enter(Text::Link(self.links.len() - 1))
    }

    /// Puts a text on top of those that are left.
    fn enter(&mut self, text: Text) -> io::Result<()> {
        let bytes = self.text(text);
        let len = bytes.len();
        if len == 0 {
            return Err(Errno::NOENT.into());
        }
        if len >= PATH_MAX {
            return Err(Errno::NAMETOOLONG.into());
        }
        let at = skip_slashes(bytes, 0);
        if at > 0 {
            self.dir = DirId::TOP;
        }
        if at < len {
            self.outer.extend(self.rest.replace(Rest { text, at }));
        }
        Ok(())
    }

    /// Takes the next component. A text is dropped with its last one, so that
    /// a chain of links at the end of a path does not pile up.
    fn next_piece(&mut self) -> Option<Piece> {
        let Rest { text, at } = self.rest.take().or_else(|| self.outer.pop())?;
        let bytes = self.text(text);
        let end = bytes[at..].iter().position(|&b| b == b'/').map_or(bytes.len(), |n| at + n);
        let next = skip_slashes(bytes, end);
        if next < bytes.len() {
            self.rest = Some(Rest { text, at: next });
        }
        let last = self.rest.is_none() && self.outer.is_empty();
        self.must_be_dir |= last && next > end;
        Some(Piece { text, range: at..end, last })
    }

    fn text(&self, text: Text) -> &[u8] {
        match text {
            Text::Path => self.path,
            Text::Link(n) => &self.links[n].2,
        }
    }

    fn bytes(&self, piece: &Piece) -> &[u8] {
        &self.text(piece.text)[piece.range.clone()]
    }
}

fn is_dots(name: &[u8]) -> bool {
    matches!(name, b"." | b"..")
}

fn skip_slashes(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().take_while(|&&b| b == b'/').count()
}

impl Resolved {
    fn at_dir(root: &dyn Root, dir: DirId, links: Links) -> Self {
        let name = basename(root.real_path(dir).as_bytes()).to_vec();
        Resolved { dir: root.parent(dir), name, links, opened: Opened::Dir(dir) }
    }

    pub fn real_path(&self, root: &dyn Root) -> RealPath {
        let dir = root.real_path(self.dir);
        if self.name.is_empty() { dir } else { dir.join(&self.name) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::mem::MemRoot;

    fn tree() -> MemRoot {
        let mut root = MemRoot::new();
        root.file("/usr/lib/libc.so.6", "libc").file("/usr/bin/sh", "sh").file("/top", "");
        root.link("/lib", "usr/lib").link("/bin", "/usr/bin/").link("/usr/lib/libz.so", "libz.so.1");
        root.link("/usr/lib/libz.so.1", "../../../../lib/./libz.so.1.3").file("/usr/lib/libz.so.1.3", "z");
        root.link("/self", "self").link("/ping", "pong").link("/pong", "/ping").link("/gone", "nowhere");
        root.link("/here", "/").link("/up", "..").link("/file", "top").link("/file-dir", "top/");
        root.special("/fifo", "FIFO").dir("/shut/in").mode("/shut", 0o600).file("/dark", "").mode("/dark", 0);
        root.dir("/blind").mode("/blind", 0o311);
        for n in 0..41 {
            root.link(format!("/chain/{n}"), if n == 0 { "/top".into() } else { format!("{}", n - 1) });
        }
        root
    }

    /// `path -> real path [links passed]`, or the error.
    fn show(root: &MemRoot, resolved: io::Result<Resolved>) -> String {
        let resolved = match resolved {
            Ok(resolved) => resolved,
            Err(error) => return format!("{:?}", Errno::from_io_error(&error).unwrap()),
        };
        let mut shown = format!("{:?}", resolved.real_path(root));
        for (dir, name, target) in &resolved.links {
            let at = root.real_path(*dir).join(name);
            shown += &format!(" {at:?}->{}", target.escape_ascii());
        }
        shown
    }

    #[test]
    fn paths_lead_where_the_kernel_leads() {
        let (noent, notdir) = (format!("{:?}", Errno::NOENT), format!("{:?}", Errno::NOTDIR));
        let (loops, access) = (format!("{:?}", Errno::LOOP), format!("{:?}", Errno::ACCESS));
        let long = format!("{:?}", Errno::NAMETOOLONG);
        let max = "/".repeat(4094);
        let rows: &[(&str, &str)] = &[
            ("/usr/lib/libc.so.6", "/usr/lib/libc.so.6"),
            ("usr//lib/./libc.so.6", "/usr/lib/libc.so.6"),
            ("/lib/libc.so.6", "/usr/lib/libc.so.6 /lib->usr/lib"),
            ("/bin/sh", "/usr/bin/sh /bin->/usr/bin/"),
            ("/bin", "/usr/bin /bin->/usr/bin/"),
            (
                "/lib/libz.so",
                "/usr/lib/libz.so.1.3 /lib->usr/lib /usr/lib/libz.so->libz.so.1 \
                 /usr/lib/libz.so.1->../../../../lib/./libz.so.1.3 /lib->usr/lib",
            ),
            ("/", "/"),
            ("//.", "/"),
            ("../../top", "/top"),
            ("/usr/lib/..", "/usr"),
            ("/lib/..", "/usr /lib->usr/lib"),
            ("/here/here/top", "/top /here->/ /here->/"),
            ("/here", "/ /here->/"),
            ("/up/up/usr", "/usr /up->.. /up->.."),
            ("/usr/", "/usr"),
            ("/fifo", "/fifo"),
            ("/file", "/top /file->top"),
            ("", &noent),
            ("/gone", &noent),
            ("/gone/", &noent),
            ("/usr/no/../lib", &noent),
            ("/top/", &notdir),
            ("/top/.", &notdir),
            ("/top/..", &notdir),
            ("/top/x", &notdir),
            ("/file/", &notdir),
            ("/file-dir", &notdir),
            ("/fifo/x", &notdir),
            ("/self", &loops),
            ("/self/x", &loops),
            ("/ping", &loops),
            ("/chain/40", &loops),
            ("/shut/in", &access),
            ("/shut/.", &access),
            ("/shut/..", &access),
            ("/shut/", "/shut"),
            ("/dark", &access),
            ("/blind", &access),
            ("/blind/x", &noent),
            (&format!("{max}x"), &noent),
            (&format!("{max}/x"), &long),
            (&"x".repeat(255), &noent),
            (&"x".repeat(256), &long),
            (&format!("/top/{}", "x".repeat(256)), &notdir),
            (&format!("/shut/{}", "x".repeat(256)), &access),
        ];
        let root = tree();
        for (path, expected) in rows {
            assert_eq!(show(&root, resolve(&root, DirId::TOP, path.as_bytes())), *expected, "{path}");
        }
    }

    #[test]
    fn forty_links_are_passed() {
        let root = tree();
        let resolved = resolve(&root, DirId::TOP, b"/chain/39").unwrap();
        assert_eq!(resolved.links.len(), 40);
        assert_eq!(resolved.real_path(&root).as_bytes(), b"/top");
    }

    #[test]
    fn a_directory_is_a_start() {
        let root = tree();
        let (lib, links) = resolve_dir(&root, DirId::TOP, b"/lib").unwrap();
        assert_eq!((root.real_path(lib).as_bytes(), links.len()), (&b"/usr/lib"[..], 1));
        assert_eq!(show(&root, resolve(&root, lib, b"../bin/sh")), "/usr/bin/sh");
        assert_eq!(show(&root, resolve(&root, lib, b"/top")), "/top");
        assert!(resolve_dir(&root, DirId::TOP, b"/top").is_err());
        // Only a listing needs to read it.
        assert!(resolve_dir(&root, DirId::TOP, b"/blind").is_ok());
    }

    #[test]
    fn one_name_in_a_directory() {
        let root = tree();
        let (lib, _) = resolve_dir(&root, DirId::TOP, b"/usr/lib").unwrap();
        for name in [&b"libc.so.6"[..], b"libz.so", b"", b".", b"..", b"none", &[b'x'; 256]] {
            let path = [b"/usr/lib/", name].concat();
            let whole = show(&root, resolve(&root, DirId::TOP, &path));
            assert_eq!(show(&root, open_in(&root, lib, name)), whole, "{}", name.escape_ascii());
        }
    }
}
