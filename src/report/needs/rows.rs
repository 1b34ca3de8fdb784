//! The files of a need, a few rows of them: a directory stands for the many that
//! are below it.

use std::collections::BTreeMap;

use super::Needed;
use crate::path::ImagePath;
use crate::plan::{Entry, Node, Plan};
use crate::report::edges::{counted, size};
use crate::report::escape::escaped;

/// More rows than this are too many to be read.
const FEW: usize = 4;

pub(super) struct Row {
    pub(super) size: String,
    pub(super) text: String,
}

/// One row for each file, if they are few or all are asked for; else one for each
/// directory, at the depth at which they are few.
pub(super) fn rows(needed: &Needed<'_>, plan: &Plan, verbose: bool) -> Vec<Row> {
    let entries = leaves(&needed.entries);
    if verbose || entries.len() <= FEW {
        return entries.iter().map(|(at, entry)| row(plan, at, entry)).collect();
    }
    let deepest = entries.iter().map(|(at, _)| at.components().count()).max().unwrap_or(1);
    let groups = (1..deepest).rev().map(|depth| grouped(&entries, depth));
    let groups =
        groups.into_iter().find(|groups| groups.len() <= FEW).unwrap_or_else(|| grouped(&entries, 0));
    nested(groups).into_iter().map(|(dir, group)| one_group(plan, &dir, &group)).collect()
}

type Named<'p> = (&'p ImagePath, &'p Entry);

/// A directory that holds others of them says nothing of its own.
fn leaves<'p>(entries: &[Named<'p>]) -> Vec<Named<'p>> {
    let holds =
        |n: usize, at: &ImagePath| entries.get(n + 1).is_some_and(|(next, _)| next.below(at).is_some());
    let is_leaf =
        |(n, (at, entry)): &(usize, &Named<'p>)| !matches!(entry.node, Node::Dir(_)) || !holds(*n, at);
    entries.iter().enumerate().filter(is_leaf).map(|(_, named)| *named).collect()
}

/// By the directory that each lies in, cut off at a depth.
fn grouped<'p>(entries: &[Named<'p>], depth: usize) -> BTreeMap<ImagePath, Vec<Named<'p>>> {
    let mut groups: BTreeMap<ImagePath, Vec<Named<'p>>> = BTreeMap::new();
    for (at, entry) in entries {
        let dir = at.parent().unwrap_or(ImagePath::top());
        let dir = dir.components().take(depth).fold(ImagePath::top(), |dir, name| dir.join(name));
        groups.entry(dir).or_default().push((at, entry));
    }
    groups
}

/// One file in a directory of its own counts as one of the directory above.
fn nested<'p>(mut groups: BTreeMap<ImagePath, Vec<Named<'p>>>) -> BTreeMap<ImagePath, Vec<Named<'p>>> {
    let is_lonely = |group: &Vec<Named<'p>>| group.len() == 1;
    let dirs: Vec<ImagePath> =
        groups.iter().filter(|(_, g)| is_lonely(g)).map(|(dir, _)| dir.clone()).collect();
    for dir in dirs {
        if let Some(above) = dir.parent().filter(|above| groups.contains_key(above)) {
            let moved = groups.remove(&dir).unwrap_or_default();
            groups.entry(above).or_default().extend(moved);
        }
    }
    groups
}

fn one_group(plan: &Plan, dir: &ImagePath, group: &[Named<'_>]) -> Row {
    if let [(at, entry)] = group {
        return row(plan, at, entry);
    }
    let files = group.iter().filter_map(|(_, entry)| super::file(entry)).map(|id| plan.content(id).len);
    let slash = if dir.components().next().is_none() { "" } else { "/" };
    let files_of = counted(files.clone().count(), "file");
    let text = format!("{files_of} in {}{slash}", escaped(dir.as_bytes()));
    Row { size: size(files.sum()), text }
}

fn row(plan: &Plan, at: &ImagePath, entry: &Entry) -> Row {
    let path = escaped(at.as_bytes());
    match &entry.node {
        Node::File(id) => Row { size: size(plan.content(*id).len), text: path },
        Node::Dir(_) => Row { size: String::new(), text: path + "/" },
        Node::Link(target) => Row { size: String::new(), text: format!("{path} -> {}", escaped(target)) },
    }
}
