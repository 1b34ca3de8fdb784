//! A tree in memory as a root.
//!
//! It refuses what the kernel refuses to a user without privileges: a file or
//! a listing without `r`, names in a directory without `x`.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use rustix::io::Errno;

use super::{Child, DirId, FileId, Item, ItemKind, OpenFile, Opened, Root, Stat};
use crate::path::{RealPath, basename, dirname};

const NAME_MAX: usize = 255;
const READ: u32 = 0o444;
const SEARCH: u32 = 0o111;

/// A tree built by hand. A path is absolute, whether it starts with a slash or
/// not, and names no link on its way; its parents are made as needed.
#[derive(Debug)]
pub struct MemRoot {
    /// A directory's `DirId` is its index here; the top is the first.
    nodes: Vec<Node>,
    /// Two roots of one test are two devices.
    dev: u64,
}

#[derive(Debug)]
struct Node {
    mode: u32,
    /// The attribute `security.capability`.
    capabilities: Arc<[u8]>,
    what: What,
}

#[derive(Debug)]
enum What {
    Dir { parent: DirId, name: Vec<u8>, entries: BTreeMap<Vec<u8>, usize> },
    File(Arc<[u8]>),
    Link(Vec<u8>),
    Special(&'static str),
}

impl Node {
    fn new(mode: u32, what: What) -> Node {
        Node { mode, capabilities: Arc::from([]), what }
    }
}

impl Default for MemRoot {
    fn default() -> Self {
        MemRoot::new()
    }
}

impl MemRoot {
    pub fn new() -> Self {
        MemRoot { nodes: vec![Node::new(0o755, What::dir(DirId::TOP, b""))], dev: 1 }
    }

    pub fn on_device(self, dev: u64) -> Self {
        MemRoot { dev, ..self }
    }

    pub fn dir(&mut self, path: impl AsRef<[u8]>) -> &mut Self {
        self.make_dir(path.as_ref());
        self
    }

    pub fn file(&mut self, path: impl AsRef<[u8]>, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.add(path.as_ref(), 0o644, What::File(bytes.into().into()))
    }

    pub fn link(&mut self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> &mut Self {
        self.add(path.as_ref(), 0o777, What::Link(target.as_ref().to_vec()))
    }

    pub fn special(&mut self, path: impl AsRef<[u8]>, what: &'static str) -> &mut Self {
        self.add(path.as_ref(), 0o644, What::Special(what))
    }

    /// Gives the file `old` a second name.
    pub fn hard_link(&mut self, new: impl AsRef<[u8]>, old: impl AsRef<[u8]>) -> &mut Self {
        let node = self.find(old.as_ref());
        assert!(!matches!(self.nodes[node].what, What::Dir { .. }), "a directory has one name");
        self.put(new.as_ref(), node);
        self
    }

    pub fn mode(&mut self, path: impl AsRef<[u8]>, mode: u32) -> &mut Self {
        let node = self.find(path.as_ref());
        self.nodes[node].mode = mode;
        self
    }

    pub fn capabilities(&mut self, path: impl AsRef<[u8]>, value: &[u8]) -> &mut Self {
        let node = self.find(path.as_ref());
        self.nodes[node].capabilities = value.into();
        self
    }

    fn add(&mut self, path: &[u8], mode: u32, what: What) -> &mut Self {
        let node = self.nodes.len();
        self.nodes.push(Node::new(mode, what));
        self.put(path, node);
        self
    }

    /// Enters `node` at `path`, in place of a file that was there.
    fn put(&mut self, path: &[u8], node: usize) {
        let dir = self.make_dir(dirname(path).unwrap_or_default());
        let name = basename(path).to_vec();
        assert!(!matches!(&name[..], b"" | b"." | b".."), "a tree is built from plain names");
        let old = self.entries_mut(dir).insert(name, node);
        let was_dir = old.is_some_and(|old| matches!(self.nodes[old].what, What::Dir { .. }));
        assert!(!was_dir, "a directory stands at {}", path.escape_ascii());
    }

    fn make_dir(&mut self, path: &[u8]) -> usize {
        path.split(|&b| b == b'/').filter(|name| !name.is_empty()).fold(0, |dir, name| {
            assert!(!matches!(name, b"." | b".."), "a tree is built from plain names");
            let next = self.nodes.len();
            let node = *self.entries_mut(dir).entry(name.to_vec()).or_insert(next);
            if node == next {
                self.nodes.push(Node::new(0o755, What::dir(dir_id(dir), name)));
            }
            node
        })
    }

    fn find(&mut self, path: &[u8]) -> usize {
        path.split(|&b| b == b'/')
            .filter(|name| !name.is_empty())
            .fold(0, |dir, name| *self.entries_mut(dir).get(name).expect("the path was built before"))
    }

    fn entries_mut(&mut self, dir: usize) -> &mut BTreeMap<Vec<u8>, usize> {
        match &mut self.nodes[dir].what {
            What::Dir { entries, .. } => entries,
            What::File(_) | What::Link(_) | What::Special(_) => panic!("a file or link stands in the way"),
        }
    }

    fn dir_of(&self, dir: DirId) -> (u32, DirId, &[u8], &BTreeMap<Vec<u8>, usize>) {
        let node = &self.nodes[dir.0 as usize];
        match &node.what {
            What::Dir { parent, name, entries } => (node.mode, *parent, name, entries),
            What::File(_) | What::Link(_) | What::Special(_) => panic!("only directories have a DirId"),
        }
    }

    fn look_up(&self, dir: DirId, name: &[u8]) -> io::Result<usize> {
        self.search(dir)?;
        if name.len() > NAME_MAX {
            return Err(Errno::NAMETOOLONG.into());
        }
        self.dir_of(dir).3.get(name).copied().ok_or_else(|| Errno::NOENT.into())
    }

    fn stat(&self, node: usize, len: usize) -> Stat {
        let id = FileId { dev: self.dev, ino: node as u64 + 1 };
        Stat { id, mode: self.nodes[node].mode, uid: 0, gid: 0, len: len as u64, times: [0; 4] }
    }
}

impl Root for MemRoot {
    fn child(&self, dir: DirId, name: &[u8]) -> io::Result<Child> {
        let node = self.look_up(dir, name)?;
        Ok(match &self.nodes[node].what {
            What::Dir { .. } => Child::Dir(dir_id(node)),
            What::Link(target) => Child::Link(target.clone()),
            What::File(_) | What::Special(_) => Child::Leaf,
        })
    }

    fn open(&self, dir: DirId, name: &[u8]) -> io::Result<Opened> {
        let node = self.look_up(dir, name)?;
        if let What::Link(target) = &self.nodes[node].what {
            return Ok(Opened::Link(target.clone()));
        }
        allows(self.nodes[node].mode, READ)?;
        Ok(match &self.nodes[node].what {
            What::Dir { .. } => Opened::Dir(dir_id(node)),
            What::Link(target) => Opened::Link(target.clone()),
            What::Special(what) => Opened::Special(what),
            What::File(bytes) => {
                let capabilities = Arc::clone(&self.nodes[node].capabilities);
                let stat = self.stat(node, bytes.len());
                Opened::File(OpenFile::in_memory(stat, Arc::clone(bytes), capabilities))
            }
        })
    }

    fn list(&self, dir: DirId) -> io::Result<Vec<Item>> {
        let (mode, _, _, entries) = self.dir_of(dir);
        allows(mode, READ)?;
        let item = |(name, &node): (&Vec<u8>, &usize)| {
            let kind = match self.nodes[node].what {
                What::Dir { .. } => ItemKind::Dir,
                What::File(_) => ItemKind::File,
                What::Link(_) => ItemKind::Link,
                What::Special(_) => ItemKind::Special,
            };
            Item { name: name.clone(), kind }
        };
        Ok(entries.iter().map(item).collect())
    }

    fn parent(&self, dir: DirId) -> DirId {
        self.dir_of(dir).1
    }

    fn real_path(&self, dir: DirId) -> RealPath {
        let mut names = Vec::new();
        let mut at = dir;
        while at != DirId::TOP {
            let (_, parent, name, _) = self.dir_of(at);
            names.push(name);
            at = parent;
        }
        RealPath::top().join_all(names.into_iter().rev())
    }

    fn dir_stat(&self, dir: DirId) -> io::Result<Stat> {
        Ok(self.stat(dir.0 as usize, 0))
    }

    fn search(&self, dir: DirId) -> io::Result<()> {
        allows(self.dir_of(dir).0, SEARCH)
    }
}

impl What {
    fn dir(parent: DirId, name: &[u8]) -> Self {
        What::Dir { parent, name: name.to_vec(), entries: BTreeMap::new() }
    }
}

fn dir_id(node: usize) -> DirId {
    DirId(u32::try_from(node).expect("fewer nodes than 2^32 fit in memory"))
}

fn allows(mode: u32, any: u32) -> io::Result<()> {
    if mode & any == 0 { Err(Errno::ACCESS.into()) } else { Ok(()) }
}
