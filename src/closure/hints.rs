//! Where a missing library exists elsewhere in the root, and which option would
//! find it there. Looked up once a run, and only if something is missing.

use super::{Closure, Edge, Miss, Session};
use crate::intern::Map;
use crate::path::dirname;
use crate::root::{DirId, ItemKind, Root, resolve_dir};

/// Every name that looks like a library's, with its directory: what a walk over
/// the usual places has seen.
#[derive(Debug, Default)]
pub struct Elsewhere {
    sorted: Vec<(Vec<u8>, Vec<u8>)>,
    /// `/lib` is often another name of `/usr/lib`.
    visited: Map<DirId, ()>,
}

/// Where libraries are installed by people and packages.
const PLACES: [&[u8]; 8] =
    [b"/lib", b"/lib32", b"/lib64", b"/opt", b"/usr/lib", b"/usr/lib32", b"/usr/lib64", b"/usr/local"];
/// Enough for `/usr/local/lib/python3.11/dist-packages/numpy.libs` and for a JVM. A
/// hint must not cost more than the answer: trees of data go much deeper.
const DEEPEST: usize = 4;
const MOST_NAMES: usize = 200_000;

impl Elsewhere {
    pub fn look(root: &dyn Root, also: Option<&[u8]>) -> Elsewhere {
        let mut found = Elsewhere::default();
        for place in PLACES.into_iter().chain(also) {
            if let Ok((dir, _)) = resolve_dir(root, DirId::TOP, place) {
                found.collect(root, dir, DEEPEST);
            }
        }
        found.sorted.sort_unstable();
        found
    }

    fn collect(&mut self, root: &dyn Root, dir: DirId, depth: usize) {
        if self.visited.insert(dir, ()).is_some() {
            return;
        }
        let Ok(items) = root.list(dir) else { return };
        let path = root.real_path(dir);
        for item in items {
            let looks_like_one = item.name.windows(3).any(|part| part == b".so");
            match item.kind {
                ItemKind::File | ItemKind::Link if looks_like_one && self.sorted.len() < MOST_NAMES => {
                    self.sorted.push((item.name, path.as_bytes().to_vec()));
                }
                ItemKind::Dir if depth > 0 => {
                    if let Ok(crate::root::Child::Dir(below)) = root.child(dir, &item.name) {
                        self.collect(root, below, depth - 1);
                    }
                }
                ItemKind::File | ItemKind::Link | ItemKind::Dir | ItemKind::Special => {}
            }
        }
    }

    /// The directories that hold a name, sorted.
    pub fn of(&self, name: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
        let start = self.sorted.partition_point(|(known, _)| known.as_slice() < name);
        let end = self.sorted.partition_point(|(known, _)| known.as_slice() <= name);
        self.sorted[start..end].iter().map(|(_, dir)| dir.as_slice())
    }
}

pub(super) fn for_missing(
    session: &mut Session<'_>,
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
    let beside = dirname(&closure.program).filter(|dir| dir.len() > 1);
    let elsewhere = session.files.elsewhere.get_or_init(|| Elsewhere::look(session.root, beside));
    let tried = |dir: &&[u8]| !miss.tried.iter().any(|t| dirname(&t.path) == Some(*dir));
    // Of several places, the one that is nearest to whoever asks.
    let nearness = |dir: &&[u8]| dir.iter().zip(&closure.program).take_while(|(a, b)| a == b).count();
    let dir = elsewhere.of(&edge.name).filter(tried).rev().max_by_key(nearness)?;
    Some([b"it exists in `", dir, b"`: --library-path ", dir, b" would find it"].concat())
}
