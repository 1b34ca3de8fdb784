//! The tree to be written, as sorted data.
//!
//! An entry is a directory, a link, or a name of a content; what was one inode
//! is one content with several names. Each entry carries all its reasons.
//! Nothing here writes, and nothing is overwritten: two different things for
//! one place are a conflict, found when the second one is put there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::closure::Found;
use crate::intern::Map;
use crate::needs::Merge;
use crate::path::{ImagePath, RealPath};
use crate::root::{Access, FileId, Stat};

mod conflict;
mod glob;
mod injected;
mod layout;
pub mod merge;
mod onto;
mod reasons;
pub mod search;
pub mod seen;
mod sources;
mod start;

pub use conflict::Conflict;
pub use glob::Glob;
pub use onto::Used;
pub use reasons::Reasons;
pub use seen::PlanRoot;
pub use sources::Sources;
pub use start::{Error, Excluded, Place, Start, content_of, content_of_open, kept};

/// So many links may one path pass, as in a kernel.
const MAX_LINKS: usize = 40;

#[derive(Debug, Clone, Default)]
pub struct Plan {
    entries: BTreeMap<ImagePath, Entry>,
    contents: Vec<Content>,
    /// Contents that are files, by inode.
    known: Map<FileId, ContentId>,
    /// By which paths things are asked for: what is reached by way of a
    /// directory link has to be reached without it too.
    spelled: BTreeSet<ImagePath>,
}

/// One place of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub node: Node,
    pub reasons: Reasons,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    Dir(Dir),
    File(ContentId),
    Link(Vec<u8>),
}

/// An index into [`Plan::contents`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentId(u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dir {
    pub access: Access,
    /// Nobody asked for it: it is on the way to something. Whoever asks decides its access.
    pub is_implied: bool,
}

/// What a file holds, and where that comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub source: Source,
    pub access: Access,
    pub len: u64,
    /// Seconds and nanoseconds. What is written by us is as new as the newest of
    /// the sources; this is when an earlier run wrote it, if one did.
    pub mtime: Option<(i64, i64)>,
    /// `security.capability` and `user.*`, sorted by name.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// How it meets another file of its place.
    pub merge: Merge,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file of the root, and what it was when it was looked at.
    Root { path: RealPath, stat: Stat },
    /// A file of the host, outside the root.
    Host { path: PathBuf, stat: Stat },
    /// Written by us.
    Made(Arc<[u8]>),
}

/// Why something is in the tree. The order is the order in which they are shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Named on the command line.
    Program,
    /// Behind `#!` of a script.
    ScriptInterpreter { script: Vec<u8> },
    /// `PT_INTERP`.
    Loader { of: Vec<u8> },
    /// A request of an object's.
    Library { name: Vec<u8>, of: Vec<u8> },
    /// It lies in a directory that was named, or was named by `--include`.
    Included { word: Vec<u8> },
    /// A data option, as typed: `--ca-certs`.
    Option { option: String },
    /// A rule of what is needed at run time, and what set it off.
    Need { rule: String, trigger: Vec<u8> },
    /// Without it the loader would not find these.
    Search { names: Vec<u8> },
    /// A link or a directory that something else is reached by.
    Way,
}

impl Plan {
    /// All entries, parents first.
    pub fn entries(&self) -> impl Iterator<Item = (&ImagePath, &Entry)> {
        self.entries.iter()
    }

    pub fn get(&self, at: &ImagePath) -> Option<&Entry> {
        self.entries.get(at)
    }

    pub fn content(&self, id: ContentId) -> &Content {
        &self.contents[id.0 as usize]
    }

    pub fn contents(&self) -> impl Iterator<Item = (ContentId, &Content)> {
        (0..).map(ContentId).zip(&self.contents)
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What directly lies in a directory of the plan, sorted by name.
    pub fn children<'a>(&'a self, dir: &'a ImagePath) -> impl Iterator<Item = (&'a ImagePath, &'a Entry)> {
        let below = self.entries.range(dir.clone()..).take_while(|(at, _)| at.below(dir).is_some());
        below.filter(|(at, _)| at.below(dir).is_some_and(|rest| !rest.is_empty() && !rest.contains(&b'/')))
    }

    /// The newest time among the sources: what is made carries it.
    pub fn newest(&self) -> (i64, i64) {
        let sources = self.contents.iter().filter(|content| content.source.made().is_none());
        sources.filter_map(|content| content.mtime).max().unwrap_or((0, 0))
    }

    /// Notes a content. A file is one content, by whatever name it comes.
    pub fn add_content(&mut self, content: Content) -> ContentId {
        let identity = content.source.identity();
        if let Some(known) = identity.and_then(|id| self.known.get(&id)) {
            return *known;
        }
        let id =
            ContentId(u32::try_from(self.contents.len()).expect("fewer contents than 2^32 fit in memory"));
        self.contents.push(content);
        if let Some(identity) = identity {
            self.known.insert(identity, id);
        }
        id
    }

    /// Gives a generated file other bytes. Its names stay.
    pub fn remake(&mut self, id: ContentId, bytes: Vec<u8>) {
        let content = &mut self.contents[id.0 as usize];
        content.len = bytes.len() as u64;
        content.source = Source::Made(bytes.into());
    }

    pub fn file(&mut self, at: &ImagePath, content: Content, reason: Reason) -> Result<(), Conflict> {
        let at = self.way_to(at)?;
        let content = self.add_content(content);
        self.put(at, Node::File(content), reason)
    }

    pub fn link(&mut self, at: &ImagePath, target: &[u8], reason: Reason) -> Result<(), Conflict> {
        let at = self.way_to(at)?;
        self.put(at, Node::Link(target.to_vec()), reason)
    }

    /// A directory. Where a link to a directory stands, that one is meant.
    pub fn dir(&mut self, at: &ImagePath, access: Access, reason: Reason) -> Result<(), Conflict> {
        let at = self.follow(at)?;
        let at = self.way_to(&at)?;
        self.put(at, Node::Dir(Dir { access, is_implied: false }), reason)
    }

    /// A directory that has to be there, whoever it belongs to.
    pub fn way_to_dir(&mut self, at: &ImagePath) -> Result<(), Conflict> {
        let at = self.follow(at)?;
        self.imply(&at)
    }

    /// Notes that an entry has another reason.
    pub fn add_reason(&mut self, at: &ImagePath, reason: Reason) {
        if let Some(entry) = self.entries.get_mut(at) {
            entry.reasons.add(reason);
        }
    }

    /// Notes that somebody asks for this path. One that climbs is not noted: it
    /// goes by way of the directories that it leaves.
    pub fn spell(&mut self, path: &[u8]) {
        self.spelled.extend(ImagePath::parse(path));
    }

    /// Whether this very file is planned somewhere.
    pub fn holds(&self, file: FileId) -> bool {
        self.known.contains(&file)
    }

    /// Whether this very file is planned there.
    fn has_source(&self, at: &ImagePath, found: &Found) -> bool {
        match self.entries.get(at).map(|entry| &entry.node) {
            Some(Node::File(id)) => self.content(*id).source.identity() == Some(found.file.stat.id),
            Some(Node::Dir(_) | Node::Link(_)) | None => false,
        }
    }

    fn implied_dirs(&mut self) -> impl Iterator<Item = (&ImagePath, &mut Dir)> {
        self.entries.iter_mut().filter_map(|(at, entry)| match &mut entry.node {
            Node::Dir(dir) if dir.is_implied => Some((at, dir)),
            Node::Dir(_) | Node::File(_) | Node::Link(_) => None,
        })
    }

    /// Where `at` really lies, with the directories on the way to it made.
    fn way_to(&mut self, at: &ImagePath) -> Result<ImagePath, Conflict> {
        let Some(parent) = at.parent() else { return Ok(at.clone()) };
        // A directory that is planned has no link on its way, and nothing is amiss there.
        if matches!(self.entries.get(&parent), Some(Entry { node: Node::Dir(_), .. })) {
            return Ok(at.clone());
        }
        let parent = self.follow(&parent)?;
        self.imply(&parent)?;
        Ok(if at.name().is_empty() { parent } else { parent.join(at.name()) })
    }

    fn imply(&mut self, dir: &ImagePath) -> Result<(), Conflict> {
        let mut at = ImagePath::top();
        for name in dir.components() {
            at = at.join(name);
            match self.entries.get(&at) {
                None => {
                    let node = Node::Dir(Dir { access: Access::of_root(0o755), is_implied: true });
                    self.entries.insert(at.clone(), Entry { node, reasons: Reasons::of(Reason::Way) });
                }
                Some(Entry { node: Node::Dir(_), .. }) => {}
                Some(entry) => return Err(Conflict::in_the_way(self, at, entry)),
            }
        }
        Ok(())
    }

    /// Follows the links of the plan. What is not planned yet is taken as it stands.
    pub fn follow(&self, path: &ImagePath) -> Result<ImagePath, Conflict> {
        let mut at = ImagePath::top();
        let mut rest: Vec<Vec<u8>> = path.components().rev().map(<[u8]>::to_vec).collect();
        let mut links = 0;
        while let Some(name) = rest.pop() {
            match &name[..] {
                b"." => continue,
                b".." => {
                    at = at.parent().unwrap_or(at);
                    continue;
                }
                _ => {}
            }
            let next = at.join(&name);
            match self.entries.get(&next) {
                Some(Entry { node: Node::Link(_), .. }) if links == MAX_LINKS => {
                    return Err(Conflict::of_loop(path.clone()));
                }
                Some(Entry { node: Node::Link(target), .. }) => {
                    links += 1;
                    if target.starts_with(b"/") {
                        at = ImagePath::top();
                    }
                    let names = target.split(|&b| b == b'/').filter(|name| !name.is_empty());
                    rest.extend(names.rev().map(<[u8]>::to_vec));
                }
                Some(_) | None => at = next,
            }
        }
        Ok(at)
    }

    /// The same thing for one place is one entry with both reasons.
    fn put(&mut self, at: ImagePath, node: Node, reason: Reason) -> Result<(), Conflict> {
        let Some(entry) = self.entries.get_mut(&at) else {
            // The top has an entry only if somebody asks for its access.
            self.entries.insert(at, Entry { node, reasons: Reasons::of(reason) });
            return Ok(());
        };
        match (&mut entry.node, &node) {
            (Node::Dir(have), Node::Dir(_)) if have.is_implied => entry.node = node,
            (Node::Dir(_), Node::Dir(_)) => {}
            (Node::File(have), Node::File(want)) if have == want => {}
            (Node::Link(have), Node::Link(want)) if have == want => {}
            (Node::Dir(_) | Node::File(_) | Node::Link(_), _) => {
                let have = entry.node.clone();
                return Err(Conflict::between(self, at, &have, &node));
            }
        }
        entry.reasons.add(reason);
        Ok(())
    }
}

impl Source {
    /// The bytes of what is written by us.
    fn made(&self) -> Option<&[u8]> {
        match self {
            Source::Made(bytes) => Some(bytes),
            Source::Root { .. } | Source::Host { .. } => None,
        }
    }

    pub fn identity(&self) -> Option<FileId> {
        match self {
            Source::Root { stat, .. } | Source::Host { stat, .. } => Some(stat.id),
            Source::Made(_) => None,
        }
    }
}

impl Content {
    /// A file that is written by us.
    pub fn made(bytes: Vec<u8>, access: Access, merge: Merge) -> Content {
        Content {
            len: bytes.len() as u64,
            source: Source::Made(bytes.into()),
            access,
            mtime: None,
            xattrs: Vec::new(),
            merge,
        }
    }

    /// A file that is there.
    pub fn of(source: Source, stat: &Stat, xattrs: Vec<(Vec<u8>, Vec<u8>)>) -> Content {
        let mtime = Some((stat.times[0], stat.times[1]));
        Content { source, access: stat.access(), len: stat.len, mtime, xattrs, merge: Merge::Never }
    }
}

#[cfg(test)]
mod tests;
