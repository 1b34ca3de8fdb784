//! A plan fitted to the base image that it goes over.

use std::collections::BTreeSet;

use super::{Conflict, ContentId, Entry, Node, Plan, Reason};
use crate::intern::Map;
use crate::path::ImagePath;
use crate::root::{Child, DirId, FileId, Root, resolve_dir};

/// What the programs still open in the tree when they find the base's files first.
#[derive(Debug, Clone, Default)]
pub struct Used {
    pub files: BTreeSet<FileId>,
    pub links: BTreeSet<ImagePath>,
}

impl Plan {
    /// Where the base has a directory and the plan a link, or the other way
    /// round, the plan gives way.
    pub fn fit(&mut self, base: &dyn Root) -> Result<(), Conflict> {
        let places: Vec<ImagePath> = self.entries.keys().cloned().collect();
        for at in places {
            let Some(theirs) = stands(base, &at) else { continue };
            match (self.entries.get(&at).map(|entry| &entry.node), theirs) {
                (Some(Node::Link(_)), Child::Dir(_)) => {
                    if !self.entries[&at].reasons.iter().any(is_typed) {
                        self.split_dir(&at)?;
                    }
                    self.no_other_kind(&at, "a directory of the base", |node| matches!(node, Node::Link(_)))?;
                }
                (Some(Node::File(_)), Child::Dir(_)) => {
                    self.no_other_kind(&at, "a directory of the base", |_| true)?;
                }
                (Some(Node::Dir(_)), Child::Leaf) => {
                    return Err(self.against_base(&at, "a file of the base"));
                }
                (Some(Node::Dir(_)), Child::Link(target)) => {
                    let Ok((into, _)) = resolve_dir(base, DirId::TOP, at.as_bytes()) else {
                        let have = [b"a link of the base to `", &target[..], b"`, which is no directory,"];
                        return Err(self.against_base(&at, have.concat()));
                    };
                    self.merge_dir(&at, &ImagePath::from(base.real_path(into)))?;
                    // The base has that link.
                    self.entries.remove(&at);
                }
                (Some(Node::Dir(_) | Node::Link(_) | Node::File(_)) | None, _) => {}
            }
        }
        Ok(())
    }

    /// Nothing but a library could still be left out.
    fn no_other_kind(&self, at: &ImagePath, have: &str, is_wrong: fn(&Node) -> bool) -> Result<(), Conflict> {
        let wrong = self.entries.get(at).filter(|entry| is_wrong(&entry.node) && !is_for_the_loader(entry));
        wrong.map_or(Ok(()), |_| Err(self.against_base(at, have)))
    }

    fn against_base(&self, at: &ImagePath, have: impl Into<Vec<u8>>) -> Conflict {
        Conflict::with_base(self, at.clone(), have, &self.entries[at].node)
    }

    /// What is in it whatever the base has: it lies over the base, and the base
    /// over the rest.
    pub fn named(&self) -> Plan {
        let mut named = self.clone();
        named.entries.retain(|_, entry| matches!(entry.node, Node::Dir(_)) || !is_for_the_loader(entry));
        named.drop_empty_dirs();
        named
    }

    /// Leaves out what was there for the loader alone and is not used any more,
    /// links that the base has too, and directories that nothing is in then.
    pub fn leave_out(&mut self, base: &dyn Root, used: &Used) {
        let contents = &self.contents;
        self.entries.retain(|at, entry| match &entry.node {
            Node::File(id) => {
                let identity = contents[id.0 as usize].source.identity();
                !is_for_the_loader(entry) || identity.is_some_and(|identity| used.files.contains(&identity))
            }
            Node::Link(target) => match stands(base, at) {
                // Who passes here passes the base's.
                Some(theirs) => {
                    !is_for_the_loader(entry) && !matches!(theirs, Child::Link(theirs) if theirs == *target)
                }
                None => !is_for_the_loader(entry) || used.links.contains(at),
            },
            Node::Dir(_) => true,
        });
        self.drop_empty_dirs();
        self.drop_unused_contents();
    }

    /// Without the links, there for the loader alone, that lead to nothing of the plan.
    pub fn without_ways_out(&self) -> Plan {
        let leads_out = |at: &ImagePath| self.follow(at).is_ok_and(|to| !self.entries.contains_key(&to));
        let mut lean = self.clone();
        lean.entries.retain(|at, entry| {
            !matches!(entry.node, Node::Link(_)) || !is_for_the_loader(entry) || !leads_out(at)
        });
        lean.drop_empty_dirs();
        lean
    }

    /// Contents are numbered afresh, in their order.
    fn drop_unused_contents(&mut self) {
        let mut files: Vec<&mut ContentId> = self.entries.values_mut().filter_map(file_of).collect();
        files.sort();
        let old = std::mem::take(&mut self.contents);
        let mut last = None;
        for id in files {
            if last != Some(*id) {
                last = Some(*id);
                self.contents.push(old[id.0 as usize].clone());
            }
            id.0 = u32::try_from(self.contents.len() - 1).expect("there were as many before");
        }
        self.known = Map::default();
        for (id, content) in (0..).map(ContentId).zip(&self.contents) {
            content.source.identity().map(|identity| self.known.insert(identity, id));
        }
    }

    fn drop_empty_dirs(&mut self) {
        let places: Vec<ImagePath> = self.entries.keys().rev().cloned().collect();
        for at in places {
            let is_implied =
                matches!(self.entries.get(&at), Some(Entry { node: Node::Dir(dir), .. }) if dir.is_implied);
            if is_implied && self.children(&at).next().is_none() {
                self.entries.remove(&at);
            }
        }
    }
}

/// What stands at a place of the base, if no link leads there.
fn stands(base: &dyn Root, at: &ImagePath) -> Option<Child> {
    let (dir, links) = resolve_dir(base, DirId::TOP, at.parent()?.as_bytes()).ok()?;
    if links.is_empty() { base.child(dir, at.name()).ok() } else { None }
}

fn file_of(entry: &mut Entry) -> Option<&mut ContentId> {
    match &mut entry.node {
        Node::File(id) => Some(id),
        Node::Dir(_) | Node::Link(_) => None,
    }
}

/// A link that was asked for is a link.
fn is_typed(reason: &Reason) -> bool {
    matches!(reason, Reason::Option { .. })
}

fn is_for_the_loader(entry: &Entry) -> bool {
    entry.reasons.iter().all(|reason| match reason {
        Reason::Loader { .. } | Reason::Library { .. } | Reason::Way => true,
        Reason::Program
        | Reason::ScriptInterpreter { .. }
        | Reason::Included { .. }
        | Reason::Option { .. }
        | Reason::Need { .. }
        | Reason::Search { .. } => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{file, path, show};
    use crate::root::mem::MemRoot;

    fn library(name: &str) -> Reason {
        Reason::Library { name: name.into(), of: b"/app".to_vec() }
    }

    #[test]
    fn the_plan_takes_the_form_of_the_base() {
        let mut base = MemRoot::new();
        base.dir("/usr/lib").link("/lib", "usr/lib").dir("/opt/v1").dir("/bin");
        let mut plan = Plan::default();
        plan.file(&path("/lib/libz.so"), file(1), library("libz.so")).unwrap();
        plan.link(&path("/bin"), b"usr/bin", Reason::Way).unwrap();
        plan.file(&path("/usr/bin/app"), file(2), Reason::Program).unwrap();
        plan.spell(b"/bin/app");
        plan.link(&path("/opt/now"), b"v1", Reason::Way).unwrap();
        plan.fit(&base).unwrap();
        assert_eq!(
            show(&plan),
            "\
/bin/
/bin/app -> ../usr/bin/app
/opt/
/opt/now -> v1
/usr/
/usr/bin/
/usr/bin/app #1
/usr/lib/
/usr/lib/libz.so #0"
        );
    }

    #[test]
    fn what_is_of_another_kind_in_the_base_is_a_conflict() {
        let mut base = MemRoot::new();
        base.dir("/app").file("/data", "").dir("/opt/now").dir("/lib/z");
        let refused = |make: fn(&mut Plan)| {
            let mut plan = Plan::default();
            make(&mut plan);
            let conflict = plan.fit(&base).err();
            conflict.map_or("none".to_owned(), |c| {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                format!("{}: {} against {}", text(c.at.as_bytes()), text(&c.want), text(&c.have))
            })
        };
        let program = |plan: &mut Plan| plan.file(&path("/app"), file(1), Reason::Program).unwrap();
        assert_eq!(refused(program), "/app: the file `/f1` against a directory of the base");
        let below = |plan: &mut Plan| plan.file(&path("/data/x"), file(1), Reason::Program).unwrap();
        assert_eq!(refused(below), "/data: a directory against a file of the base");
        let typed = |plan: &mut Plan| {
            plan.link(&path("/opt/now"), b"/usr", Reason::Option { option: "--symlink".into() }).unwrap();
        };
        assert_eq!(refused(typed), "/opt/now: a link to `/usr` against a directory of the base");
        let library = |plan: &mut Plan| plan.file(&path("/lib/z"), file(1), library("z")).unwrap();
        assert_eq!(refused(library), "none");
    }

    #[test]
    fn what_nobody_opens_any_more_is_left_out() {
        let mut base = MemRoot::new();
        base.dir("/usr/lib").link("/lib", "usr/lib").link("/usr/lib/libz.so", "libz.so.2");
        let mut plan = Plan::default();
        plan.file(&path("/app"), file(1), Reason::Program).unwrap();
        plan.link(&path("/lib"), b"usr/lib", Reason::Way).unwrap();
        plan.link(&path("/usr/lib/libz.so"), b"libz.so.1", Reason::Way).unwrap();
        plan.file(&path("/usr/lib/libz.so.1"), file(2), library("libz.so")).unwrap();
        plan.link(&path("/usr/lib/liby.so"), b"sub/liby.so.1", Reason::Way).unwrap();
        plan.file(&path("/usr/lib/sub/liby.so.1"), file(3), library("liby.so")).unwrap();
        plan.file(&path("/usr/lib/libx.so"), file(4), library("libx.so")).unwrap();
        plan.file(&path("/usr/lib/data"), file(5), Reason::Included { word: b"/usr/lib/data".to_vec() })
            .unwrap();
        let id = |ino| FileId { dev: 1, ino };
        let used = Used { files: BTreeSet::from([id(1), id(4)]), links: BTreeSet::new() };
        plan.leave_out(&base, &used);
        assert_eq!(show(&plan), "/app #0\n/usr/\n/usr/lib/\n/usr/lib/data #2\n/usr/lib/libx.so #1");
        assert_eq!(plan.contents().count(), 3);
    }
}
