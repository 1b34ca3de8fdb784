//! Where the directories are that one release has at the top and another in
//! `usr`. `COPY` stops where a tree has a directory and the base a link, or the
//! other way round: so a tree can be given the form of what it goes over.

use std::collections::BTreeSet;

use super::{Conflict, Dir, Entry, Node, Plan, Reason, Reasons};
use crate::path::ImagePath;

/// What a merged `/usr` has taken in.
const TOPS: [&str; 7] = ["bin", "lib", "lib32", "lib64", "libo32", "libx32", "sbin"];

impl Plan {
    /// What the plan has at these places.
    pub fn usr_tops(&self) -> impl Iterator<Item = (&ImagePath, &Entry)> {
        let is_top = |at: &ImagePath| TOPS.iter().any(|top| at.components().eq([top.as_bytes()]));
        self.entries.iter().filter(move |(at, _)| is_top(at))
    }

    /// Every directory of the top that `/usr` has taken in elsewhere becomes a link.
    pub fn merge_usr(&mut self) -> Result<(), Conflict> {
        for top in TOPS {
            let at = ImagePath::top().join(top.as_bytes());
            let into = ImagePath::top().join(b"usr").join(top.as_bytes());
            self.merge_dir(&at, &into)?;
        }
        Ok(())
    }

    /// Every link of the top into `usr` becomes a directory.
    pub fn split_usr(&mut self) -> Result<(), Conflict> {
        TOPS.iter().try_for_each(|top| self.split_dir(&ImagePath::top().join(top.as_bytes())))
    }

    /// The directory `at` becomes a link to `into`, which takes in what it holds.
    pub fn merge_dir(&mut self, at: &ImagePath, into: &ImagePath) -> Result<(), Conflict> {
        if !matches!(self.entries.get(at), Some(Entry { node: Node::Dir(_), .. })) {
            return Ok(());
        }
        let held = self.take_below(at);
        self.link(at, &relative(at, into), Reason::Way)?;
        for (old, entry) in held {
            let below = old.below(at).expect("it was taken from below");
            let new =
                below.split(|&b| b == b'/').filter(|n| !n.is_empty()).fold(into.clone(), |p, n| p.join(n));
            let node = match entry.node {
                Node::Link(target) => Node::Link(moved_target(&old, &new, target)),
                node @ (Node::Dir(_) | Node::File(_)) => node,
            };
            let new = self.way_to(&new)?;
            for reason in entry.reasons {
                self.put(new.clone(), node.clone(), reason)?;
            }
        }
        Ok(())
    }

    /// The link `at` becomes a directory, with a link in it for every name that
    /// somebody spells by way of it.
    pub fn split_dir(&mut self, at: &ImagePath) -> Result<(), Conflict> {
        if !matches!(self.entries.get(at), Some(Entry { node: Node::Link(_), .. })) {
            return Ok(());
        }
        let into = self.follow(at)?;
        let Some(Entry { node: Node::Dir(target), .. }) = self.entries.get(&into) else { return Ok(()) };
        let dir = Dir { access: target.access, is_implied: true };
        let names = self.names_below(at);
        self.entries.insert(at.clone(), Entry { node: Node::Dir(dir), reasons: Reasons::of(Reason::Way) });
        for name in names {
            let below = name.below(at).expect("it was asked for");
            let real =
                below.split(|&b| b == b'/').filter(|n| !n.is_empty()).fold(into.clone(), |p, n| p.join(n));
            // Whatever is spelled by way of a link further down is found by way of that one.
            if !self.entries.contains_key(&real) {
                continue;
            }
            match self.entries.get(&real).map(|entry| &entry.node) {
                Some(Node::Dir(dir)) => {
                    let dir = Dir { is_implied: true, ..*dir };
                    let new = self.way_to(&name)?;
                    self.put(new, Node::Dir(dir), Reason::Way)?;
                }
                Some(Node::File(_) | Node::Link(_)) => {
                    self.link(&name, &relative(&name, &real), Reason::Way)?
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Everything below `at` that is spelled by a loader, a user or a link.
    fn names_below(&self, at: &ImagePath) -> BTreeSet<ImagePath> {
        let links = self.entries.iter().filter_map(|(place, entry)| match &entry.node {
            Node::Link(target) => target_of(place, target),
            Node::Dir(_) | Node::File(_) => None,
        });
        let spelled = self.spelled.iter().cloned();
        spelled.chain(links).filter(|path| path.below(at).is_some_and(|below| !below.is_empty())).collect()
    }

    fn take_below(&mut self, at: &ImagePath) -> Vec<(ImagePath, Entry)> {
        let names: Vec<ImagePath> = self
            .entries
            .range(at.clone()..)
            .map(|(path, _)| path.clone())
            .take_while(|path| path.below(at).is_some())
            .collect();
        let taken = names.into_iter().filter_map(|path| self.entries.remove_entry(&path));
        taken.filter(|(path, _)| path != at).collect()
    }
}

/// Where a link's text leads, if links on the way are not counted.
fn target_of(at: &ImagePath, target: &[u8]) -> Option<ImagePath> {
    let start = if target.starts_with(b"/") { ImagePath::top() } else { at.parent()? };
    let names = target.split(|&b| b == b'/').filter(|name| !matches!(*name, b"" | b"."));
    Some(names.fold(start, |path, name| match name {
        b".." => path.parent().unwrap_or(path),
        name => path.join(name),
    }))
}

/// A relative link in a directory that has moved leads where it led: only what
/// climbs out of the directory counts its steps anew.
fn moved_target(old: &ImagePath, new: &ImagePath, target: Vec<u8>) -> Vec<u8> {
    if target.starts_with(b"/") {
        return target;
    }
    let climbs = target.split(|&b| b == b'/').take_while(|name| matches!(*name, b"" | b"." | b".."));
    let climbs = climbs.filter(|name| *name == b"..").count();
    let depth = old.components().count() - 1;
    match target_of(old, &target) {
        Some(to) if climbs >= depth => relative(new, &to),
        Some(_) | None => target,
    }
}

/// The text of a link at `at` that leads to `to`.
fn relative(at: &ImagePath, to: &ImagePath) -> Vec<u8> {
    let from: Vec<&[u8]> = at.components().collect();
    let to: Vec<&[u8]> = to.components().collect();
    let dir = &from[..from.len().saturating_sub(1)];
    let common = dir.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let ups = std::iter::repeat_n(&b".."[..], dir.len() - common);
    let text = ups.chain(to[common..].iter().copied()).collect::<Vec<_>>().join(&b'/');
    if text.is_empty() { b".".to_vec() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{file, path, show};

    /// As Debian 12 without a merged `/usr`.
    fn unmerged() -> Plan {
        let mut plan = Plan::default();
        plan.file(&path("/bin/sh"), file(1), Reason::Program).unwrap();
        plan.file(&path("/lib/x/libc.so.6"), file(2), Reason::Program).unwrap();
        plan.file(&path("/usr/lib/x/libz.so.1.2"), file(3), Reason::Program).unwrap();
        plan.link(&path("/usr/lib/x/libz.so.1"), b"libz.so.1.2", Reason::Way).unwrap();
        plan.link(&path("/lib/x/near"), b"libc.so.6", Reason::Way).unwrap();
        plan.link(&path("/lib/x/far"), b"../../usr/lib/x/libz.so.1", Reason::Way).unwrap();
        plan.link(&path("/lib64/ld.so"), b"/lib/x/ld.so", Reason::Way).unwrap();
        plan.file(&path("/lib/x/ld.so"), file(4), Reason::Program).unwrap();
        plan
    }

    #[test]
    fn a_merged_tree_has_links_at_the_top() {
        let mut plan = unmerged();
        plan.merge_usr().unwrap();
        let expected = "\
/bin -> usr/bin
/lib -> usr/lib
/lib64 -> usr/lib64
/usr/
/usr/bin/
/usr/bin/sh #0
/usr/lib/
/usr/lib/x/
/usr/lib/x/far -> libz.so.1
/usr/lib/x/ld.so #3
/usr/lib/x/libc.so.6 #1
/usr/lib/x/libz.so.1 -> libz.so.1.2
/usr/lib/x/libz.so.1.2 #2
/usr/lib/x/near -> libc.so.6
/usr/lib64/
/usr/lib64/ld.so -> /lib/x/ld.so";
        assert_eq!(show(&plan), expected);
        // Once more changes nothing.
        plan.merge_usr().unwrap();
        assert_eq!(show(&plan), expected);
    }

    #[test]
    fn a_split_tree_has_directories_at_the_top() {
        let mut plan = Plan::default();
        plan.link(&path("/lib"), b"usr/lib", Reason::Way).unwrap();
        plan.link(&path("/lib64"), b"usr/lib64", Reason::Way).unwrap();
        plan.file(&path("/usr/lib/x/libc.so.6"), file(1), Reason::Program).unwrap();
        plan.file(&path("/usr/lib/x/ld.so"), file(2), Reason::Program).unwrap();
        plan.link(&path("/usr/lib64/ld.so"), b"/lib/x/ld.so", Reason::Way).unwrap();
        plan.file(&path("/usr/lib/python/os.py"), file(3), Reason::Program).unwrap();
        for spelled in ["/lib/x/libc.so.6", "/lib64/ld.so", "/usr/lib/python/os.py"] {
            plan.spell(spelled.as_bytes());
        }
        plan.split_usr().unwrap();
        assert_eq!(
            show(&plan),
            "\
/lib/
/lib/x/
/lib/x/ld.so -> ../../usr/lib/x/ld.so
/lib/x/libc.so.6 -> ../../usr/lib/x/libc.so.6
/lib64/
/lib64/ld.so -> ../usr/lib64/ld.so
/usr/
/usr/lib/
/usr/lib/python/
/usr/lib/python/os.py #2
/usr/lib/x/
/usr/lib/x/ld.so #1
/usr/lib/x/libc.so.6 #0
/usr/lib64/
/usr/lib64/ld.so -> /lib/x/ld.so"
        );
    }

    #[test]
    fn two_files_that_merging_brings_together_are_a_conflict() {
        let mut plan = Plan::default();
        plan.file(&path("/lib/a"), file(1), Reason::Program).unwrap();
        plan.file(&path("/usr/lib/a"), file(2), Reason::Program).unwrap();
        assert_eq!(plan.merge_usr().unwrap_err().at, path("/usr/lib/a"));
    }
}
