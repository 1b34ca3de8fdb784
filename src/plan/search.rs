//! Where the loader looks in the image, written down: an `ld.so.cache` with
//! just the names that need one, or musl's path file.
//!
//! Both are shared by all programs of an image. What DIST or the base has of
//! them stays; two different files for one name are told, not decided.

use std::fmt;

use crate::bytes::ReadAt;
use crate::finding::{Finding, Severity};
use crate::loader::Dir;
use crate::loader::cache::{Cache, Entry, Hwcap, LoaderAbi, write};
use crate::loader::musl;
use crate::needs::Merge;
use crate::path::{ImagePath, basename, dirname};
use crate::root::{Access, DirId, FileId, OpenFile, Opened, Root, resolve};

use super::{Conflict, Content, ContentId, Node, Plan, Reason, Source, Sources};

/// A library that the image has, where its loader does not look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfound {
    /// As it is asked for, without a slash.
    pub name: Vec<u8>,
    /// As the loader spells it in the root.
    pub path: Vec<u8>,
    pub id: FileId,
    /// The x86 level that it was built for.
    pub isa_level: u32,
    /// Another file is found in its place.
    pub is_shadowed: bool,
    pub search: Search,
}

/// How a loader is told where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Search {
    /// glibc's, by this file.
    Cache { at: Vec<u8>, abi: LoaderAbi },
    /// musl's, by this file. `dirs` is where it looks as the image is now.
    PathFile { at: Vec<u8>, dirs: Vec<Dir> },
}

/// What the image lies over, and what it was taken from.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// The root that the programs were found in.
    pub root: &'a dyn Root,
    /// DIST's earlier content.
    pub dist: Option<&'a dyn Root>,
    pub base: Option<&'a dyn Root>,
}

impl Around<'_> {
    fn below(&self) -> impl Iterator<Item = &dyn Root> {
        self.dist.into_iter().chain(self.base)
    }
}

impl fmt::Debug for Around<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Around").finish_non_exhaustive()
    }
}

/// Lets the loaders find these: one file of each kind is put into the plan.
pub fn repair(plan: &mut Plan, unfound: &[Unfound], around: &Around<'_>) -> Result<Vec<Finding>, Conflict> {
    let mut findings = Vec::new();
    let in_image = |one: &Unfound| Some(Unfound { path: place_of(plan, one, around)?, ..one.clone() });
    let unfound: Vec<Unfound> = unfound.iter().filter_map(in_image).collect();
    for group in groups(&unfound) {
        match &group[0].search {
            Search::Cache { at, abi } => cache(plan, at, abi, &group, around, &mut findings)?,
            Search::PathFile { at, dirs } => path_file(plan, at, dirs, &group, around)?,
        }
    }
    Ok(findings)
}

/// Those that are written to the same file.
fn groups(unfound: &[Unfound]) -> Vec<Vec<&Unfound>> {
    let mut groups: Vec<Vec<&Unfound>> = Vec::new();
    for one in unfound {
        match groups.iter_mut().find(|group| group[0].search.at() == one.search.at()) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}

impl Search {
    fn at(&self) -> &[u8] {
        match self {
            Search::Cache { at, .. } | Search::PathFile { at, .. } => at,
        }
    }
}

/// The entries of one cache: what the image needs, then what is there already.
/// Of equal ones the loader takes the first.
fn cache(
    plan: &mut Plan,
    at: &[u8],
    abi: &LoaderAbi,
    group: &[&Unfound],
    around: &Around<'_>,
    findings: &mut Vec<Finding>,
) -> Result<(), Conflict> {
    let mut entries: Vec<Entry> = Vec::new();
    for one in group {
        let entry = entry_of(one, &one.path);
        if !one.is_for(abi) {
            findings.push(two_orders(at, &one.name));
        } else if let Some(other) = entries.iter().find(|known| is_rival(known, &entry)) {
            findings.push(two_libraries(other, &entry));
        } else if !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    let own = entries.len();
    let planned = planned_file(plan, at)?.map(|id| plan.content(id).clone());
    let planned = planned.and_then(|content| bytes_of(&content, around.root));
    for (bytes, whose) in [
        (planned, Whose::Plan),
        (around.dist.and_then(|root| read(root, at)), Whose::Dist),
        (around.base.and_then(|root| read(root, at)), Whose::Base),
    ] {
        let Some(bytes) = bytes else { continue };
        // What no loader can use is replaced.
        let Ok(cache) = Cache::parse(bytes, *abi) else { continue };
        for listed in cache.entries() {
            let entry = Entry::from(&listed);
            let rival = entries[..own].iter().find(|known| is_rival(known, &entry));
            let is_there = || around.below().any(|root| identity_at(root, &entry.value).is_some());
            let rival = rival.filter(|_| is_there());
            findings.extend(rival.and_then(|rival| rivalry(whose, rival, &entry)));
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
    }
    put(plan, at, write(&entries, abi), Merge::LdCache, group)
}

#[derive(Clone, Copy)]
enum Whose {
    Plan,
    Dist,
    Base,
}

impl Unfound {
    fn is_for(&self, abi: &LoaderAbi) -> bool {
        matches!(&self.search, Search::Cache { abi: own, .. } if own.order == abi.order)
    }
}

fn entry_of(one: &Unfound, value: &[u8]) -> Entry {
    let flags = match &one.search {
        Search::Cache { abi, .. } => abi.flags.own,
        Search::PathFile { .. } => unreachable!("a path file has no entries"),
    };
    let hwcap = match variant(value) {
        Some(name) => Hwcap::Named { name: name.to_vec(), isa_level: one.isa_level },
        None => Hwcap::Any,
    };
    Entry { key: one.name.clone(), value: value.to_vec(), flags, hwcap }
}

/// The name of the variant that a path is of: `DIR/glibc-hwcaps/NAME/FILE`.
pub fn variant(path: &[u8]) -> Option<&[u8]> {
    let dir = dirname(path)?;
    let above = dirname(dir)?;
    (basename(above) == b"glibc-hwcaps").then(|| basename(dir))
}

/// Its path in the image, as the loader spells it if that leads to it. `None`:
/// the image does not have it, and no search would help.
fn place_of(plan: &Plan, one: &Unfound, around: &Around<'_>) -> Option<Vec<u8>> {
    let is_it = |node: &Node| match node {
        Node::File(id) => plan.content(*id).source.identity() == Some(one.id),
        Node::Dir(_) | Node::Link(_) => false,
    };
    let at = ImagePath::parse(&one.path).and_then(|path| plan.follow(&path).ok());
    let is_planned = at.and_then(|at| plan.get(&at)).is_some_and(|entry| is_it(&entry.node));
    if is_planned || around.below().any(|root| identity_at(root, &one.path) == Some(one.id)) {
        return Some(one.path.clone());
    }
    let elsewhere = plan.entries().find(|(_, entry)| is_it(&entry.node));
    elsewhere.map(|(at, _)| at.as_bytes().to_vec())
}

/// The loader would have to choose between them.
fn is_rival(a: &Entry, b: &Entry) -> bool {
    (&a.key, a.flags, &a.hwcap) == (&b.key, b.flags, &b.hwcap) && a.value != b.value
}

fn two_libraries(a: &Entry, b: &Entry) -> Finding {
    let message = [
        b"some programs need `",
        &a.value[..],
        b"` and others `",
        &b.value,
        b"`, and ld.so.cache can name one",
    ];
    Finding {
        severity: Severity::Error,
        code: "two-libraries",
        subject: a.key.clone(),
        message: message.concat(),
        hint: Some(b"give one of them a RUNPATH, or an image of its own".to_vec()),
    }
}

fn two_orders(at: &[u8], name: &[u8]) -> Finding {
    Finding {
        severity: Severity::Error,
        code: "byte-order",
        subject: at.to_vec(),
        message: [b"programs of two byte orders need it, and it has one: `", name, b"` is not found"]
            .concat(),
        hint: None,
    }
}

/// Our entry goes before one of theirs.
fn rivalry(whose: Whose, ours: &Entry, theirs: &Entry) -> Option<Finding> {
    let (severity, who): (_, &[u8]) = match whose {
        Whose::Plan => return None,
        Whose::Dist => (Severity::Error, b"earlier programs of DIST"),
        Whose::Base => (Severity::Warning, b"programs of the base"),
    };
    Some(Finding {
        severity,
        code: "two-libraries",
        subject: ours.key.clone(),
        message: [who, b" find `", &theirs.value, b"`, and would find `", &ours.value, b"`"].concat(),
        hint: None,
    })
}

/// musl's list: what stands in the way of another file goes to the front, the
/// rest behind what is searched anyway.
fn path_file(
    plan: &mut Plan,
    at: &[u8],
    dirs: &[Dir],
    group: &[&Unfound],
    around: &Around<'_>,
) -> Result<(), Conflict> {
    let needed = |is_shadowed: bool| {
        let those = group.iter().filter(move |one| one.is_shadowed == is_shadowed);
        those.map(|one| [dirname(&one.path).unwrap_or_default(), b"/"].concat()).collect::<Vec<_>>()
    };
    let of_root = read(around.root, at).map(|text| musl::split(&text)).unwrap_or_default();
    let all = needed(true).into_iter().chain(of_root.iter().chain(dirs).map(|dir| dir.to_vec()));
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for dir in all.chain(needed(false)) {
        let line = dir.strip_suffix(b"/").filter(|line| !line.is_empty()).unwrap_or(b"/").to_vec();
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let text = lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect();
    put(plan, at, text, Merge::MuslPath, group)
}

fn planned_file(plan: &Plan, at: &[u8]) -> Result<Option<ContentId>, Conflict> {
    let Some(at) = ImagePath::parse(at) else { return Ok(None) };
    Ok(match plan.get(&plan.follow(&at)?).map(|entry| &entry.node) {
        Some(Node::File(id)) => Some(*id),
        Some(Node::Dir(_) | Node::Link(_)) | None => None,
    })
}

fn put(plan: &mut Plan, at: &[u8], bytes: Vec<u8>, merge: Merge, group: &[&Unfound]) -> Result<(), Conflict> {
    let mut names: Vec<&[u8]> = group.iter().map(|one| &one.name[..]).collect();
    names.sort_unstable();
    names.dedup();
    let reason = Reason::Search { names: names.join(&b' ') };
    if let Some(id) = planned_file(plan, at)? {
        plan.remake(id, bytes);
        let content = &mut plan.contents[id.0 as usize];
        (content.merge, content.mtime) = (merge, None);
        return Ok(());
    }
    let Some(at) = ImagePath::parse(at) else { return Ok(()) };
    let at = plan.follow(&at)?;
    plan.file(&at, Content::made(bytes, Access::of_root(0o644), merge), reason)
}

/// More than a cache of a whole distribution takes.
const LARGEST: u64 = 64 << 20;

fn identity_at(root: &dyn Root, at: &[u8]) -> Option<FileId> {
    match resolve(root, DirId::TOP, at).ok()?.opened {
        Opened::File(open) => Some(open.stat.id),
        Opened::Dir(_) | Opened::Link(_) | Opened::Special(_) => None,
    }
}

fn read(root: &dyn Root, at: &[u8]) -> Option<Vec<u8>> {
    match resolve(root, DirId::TOP, at).ok()?.opened {
        Opened::File(open) => read_whole(&open),
        Opened::Dir(_) | Opened::Link(_) | Opened::Special(_) => None,
    }
}

fn read_whole(open: &OpenFile) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(open.stat.len.min(LARGEST)).ok()?];
    let n = open.read_at(&mut bytes, 0).ok()?;
    bytes.truncate(n);
    Some(bytes)
}

fn bytes_of(content: &Content, root: &dyn Root) -> Option<Vec<u8>> {
    match &content.source {
        Source::Made(bytes) => Some(bytes.to_vec()),
        Source::Root { .. } | Source::Host { .. } => read_whole(&Sources { root }.open(content).ok()?),
    }
}

#[cfg(test)]
mod tests;
