//! Where a missing library exists elsewhere in the root, and which option would
//! find it there. Looked up only if something is missing.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use super::search::sight_of;
use super::{Closure, Edge, Miss, Runtime, Seen, Session};
use crate::elf::Facts;
use crate::intern::Map;
use crate::loader::{Family, Obstacle};
use crate::path::{dirname, shell_word};
use crate::root::{Child, DirId, ItemKind, Root, resolve_dir};

/// Every name that looks like a library's, with its directory: what a walk has
/// seen.
#[derive(Debug, Default)]
pub struct Elsewhere {
    sorted: Vec<(Vec<u8>, Arc<[u8]>)>,
    /// `/lib` is often another name of `/usr/lib`.
    visited: Map<DirId, ()>,
    /// Directories that could not be read.
    unread: Vec<Vec<u8>>,
}

/// Where libraries are installed by people and packages.
const PLACES: [&[u8]; 8] =
    [b"/lib", b"/lib32", b"/lib64", b"/opt", b"/usr/lib", b"/usr/lib32", b"/usr/lib64", b"/usr/local"];
/// Enough for `/usr/local/lib/python3.11/dist-packages/numpy.libs` and for a JVM. A
/// hint must not cost more than the answer: trees of data go much deeper.
const DEEPEST: usize = 4;
const MOST_NAMES: usize = 200_000;
const MOST_DIRS: usize = 20_000;

impl Elsewhere {
    /// The usual places, the same for every program.
    pub fn of_places(root: &dyn Root) -> Elsewhere {
        let mut found = Elsewhere::default();
        for place in PLACES {
            match resolve_dir(root, DirId::TOP, place) {
                Ok((dir, _)) => found.collect(root, dir, DEEPEST),
                Err(error) => found.cannot_read(place.to_vec(), &error),
            }
        }
        found.sorted.sort_unstable();
        found
    }

    /// The directory of a program, and those called `lib…` next to that.
    pub fn beside(root: &dyn Root, dir: DirId) -> Elsewhere {
        let mut found = Elsewhere::default();
        found.collect(root, dir, DEEPEST);
        let above = root.parent(dir);
        for item in root.list(above).unwrap_or_default() {
            if item.name.starts_with(b"lib")
                && let Ok((lib, _)) = resolve_dir(root, above, &item.name)
            {
                found.collect(root, lib, DEEPEST);
            }
        }
        found.sorted.sort_unstable();
        found
    }

    fn collect(&mut self, root: &dyn Root, dir: DirId, depth: usize) {
        if self.visited.len() >= MOST_DIRS || self.visited.insert(dir, ()).is_some() {
            return;
        }
        let path: Arc<[u8]> = Arc::from(root.real_path(dir).as_bytes());
        let items = match root.list(dir) {
            Ok(items) => items,
            Err(error) => return self.cannot_read(path.to_vec(), &error),
        };
        for item in items {
            let looks_like_one = item.name.windows(3).any(|part| part == b".so");
            match item.kind {
                ItemKind::File | ItemKind::Link if looks_like_one && self.sorted.len() < MOST_NAMES => {
                    self.sorted.push((item.name, Arc::clone(&path)));
                }
                ItemKind::Dir if depth > 0 => match root.child(dir, &item.name) {
                    Ok(Child::Dir(below)) => self.collect(root, below, depth - 1),
                    Ok(Child::Link(_) | Child::Leaf) => {}
                    Err(error) => self.cannot_read([&path[..], b"/", &item.name].concat(), &error),
                },
                ItemKind::File | ItemKind::Link | ItemKind::Dir | ItemKind::Special => {}
            }
        }
    }

    fn cannot_read(&mut self, path: Vec<u8>, error: &io::Error) {
        if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
            self.unread.push(path);
        }
    }

    /// The directories that hold a name, sorted.
    pub fn of(&self, name: &[u8]) -> impl Iterator<Item = Arc<[u8]>> {
        let start = self.sorted.partition_point(|(known, _)| known.as_slice() < name);
        let end = self.sorted.partition_point(|(known, _)| known.as_slice() <= name);
        self.sorted[start..end].iter().map(|(_, dir)| Arc::clone(dir))
    }
}

pub(super) fn for_missing(
    session: &mut Session<'_>,
    runtime: &Runtime,
    closure: &Closure,
    edge: &Edge,
    miss: &Miss,
) -> Option<Vec<u8>> {
    if let Some(path) = &miss.by_conf {
        return Some(
            [b"ld.so.conf names its directory: `", &path[..], b"` is found once ldconfig has run"].concat(),
        );
    }
    if edge.name.contains(&b'/') {
        return None;
    }
    let mut dirs: Vec<Arc<[u8]>> = session.places().of(&edge.name).collect();
    let mut unread = session.places().unread.clone();
    for beside in session.beside(closure) {
        dirs.extend(beside.of(&edge.name));
        unread.extend_from_slice(&beside.unread);
    }
    dirs.sort_unstable();
    dirs.dedup();
    in_one_of(session, runtime, closure, &edge.name, &dirs).or_else(|| {
        let first = unread.first()?;
        Some([b"`", &first[..], b"` could not be read: it may be there"].concat())
    })
}

/// Of several places, the one that is nearest to the program.
fn in_one_of(
    session: &mut Session<'_>,
    runtime: &Runtime,
    closure: &Closure,
    name: &[u8],
    dirs: &[Arc<[u8]>],
) -> Option<Vec<u8>> {
    let program = session.absolute(&closure.program);
    let nearness = |dir: &[u8]| dir.iter().zip(&program).take_while(|(a, b)| a == b).count();
    let mut judged: Vec<(Verdict, &[u8])> =
        dirs.iter().map(|dir| (session.judge(runtime, dir, name), &dir[..])).collect();
    judged.sort_by_key(|(verdict, dir)| (*verdict != Ok(Libc::Fits), std::cmp::Reverse(nearness(dir))));
    let (verdict, dir) = *judged.first()?;
    let why_not: &[u8] = match verdict {
        Ok(Libc::Other) => b", but for another libc",
        Ok(Libc::Fits) if closure.is_secure => b", where a program with setuid or capabilities does not look",
        // A list of several directories is meant by these.
        Ok(Libc::Fits) if dir.iter().any(|b| matches!(b, b':' | b';' | b'\n')) => b"",
        Ok(Libc::Fits) => {
            let word = shell_word(dir);
            return Some([b"it exists in `", dir, b"`: --library-path ", &word, b" would find it"].concat());
        }
        Err(Obstacle::OtherClass) => b", but of the other ELF class",
        Err(Obstacle::OtherMachine | Obstacle::OtherOrder(_)) => b", but for another machine",
        Err(_) => return None,
    };
    Some([b"it exists in `", dir, b"`", why_not].concat())
}

/// Whether it asks for the libc of the loader. A loader does not look at that: the
/// process has two of them then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Libc {
    Fits,
    Other,
}

type Verdict = Result<Libc, Obstacle>;

/// glibc's is `libc.so.6`, or `.6.1` where it began later; musl's is `libc.so`, or
/// `libc.musl-x86_64.so.1`.
fn libc_of(family: Family, facts: &Facts) -> Libc {
    let is_others = |name: &[u8]| match family {
        Family::Glibc => name == b"libc.so" || name.starts_with(b"libc.musl-"),
        Family::Musl => name.starts_with(b"libc.so."),
    };
    if facts.needed().any(is_others) { Libc::Other } else { Libc::Fits }
}

impl Session<'_> {
    fn places(&self) -> &Elsewhere {
        self.files.elsewhere.get_or_init(|| Elsewhere::of_places(self.root))
    }

    /// What lies beside a program, where it was named and where it really is.
    fn beside(&mut self, closure: &Closure) -> Vec<Rc<Elsewhere>> {
        let named = dirname(&closure.program).unwrap_or(b".");
        let named = resolve_dir(self.root, self.cwd, named).ok().map(|(dir, _)| dir);
        let mut dirs: Vec<DirId> = named.into_iter().chain([closure.objects[0].found.dir]).collect();
        dirs.dedup();
        // Beside a program in `/` is everything.
        dirs.retain(|dir| *dir != DirId::TOP);
        dirs.into_iter().map(|dir| self.beside_dir(dir)).collect()
    }

    fn beside_dir(&mut self, dir: DirId) -> Rc<Elsewhere> {
        if let Some(known) = self.besides.get(&dir) {
            return Rc::clone(known);
        }
        let found = Rc::new(Elsewhere::beside(self.root, dir));
        self.besides.insert(dir, Rc::clone(&found));
        found
    }

    /// What the loader would make of a file, had it looked there.
    fn judge(&mut self, runtime: &Runtime, dir: &[u8], name: &[u8]) -> Verdict {
        let seen = self.look(&[dir, b"/"].concat(), name);
        let root = self.root;
        let obstacle = runtime.family.judge(sight_of(&seen), &runtime.target, &mut || runtime.about(root));
        match (obstacle, &seen) {
            (Some(obstacle), _) => Err(obstacle),
            (None, Seen::File(found)) => Ok(libc_of(runtime.family, found.facts())),
            (None, _) => Ok(Libc::Fits),
        }
    }
}
