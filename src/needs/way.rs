//! Where something made by us stands: at the place to which its path leads in
//! the root. A path that passes a link of the root then passes it in the image
//! too, whatever else is taken along, and in whichever order.

use super::Want;
use crate::path::ImagePath;
use crate::root::{Access, Child, DirId, Root};

/// So many links may one path pass, as in a kernel.
const MAX_LINKS: usize = 40;

/// A place, and the links that a path to it passes.
pub(super) struct Way {
    pub(super) at: ImagePath,
    pub(super) links: Vec<Want>,
}

/// Follows all of `path`. What the root does not have is taken as it stands.
pub(super) fn follow(root: &dyn Root, path: &ImagePath) -> Way {
    let mut way = Way { at: ImagePath::top(), links: Vec::new() };
    let mut dir = Some(DirId::TOP);
    let mut rest: Vec<Vec<u8>> = names(path.as_bytes());
    while let Some(name) = rest.pop() {
        if name == b".." {
            way.at = way.at.parent().unwrap_or(way.at);
            dir = dir.map(|dir| root.parent(dir));
            continue;
        }
        let next = way.at.join(&name);
        match dir.map(|dir| root.child(dir, &name)) {
            Some(Ok(Child::Link(target))) if way.links.len() < MAX_LINKS => {
                if target.starts_with(b"/") {
                    (way.at, dir) = (ImagePath::top(), Some(DirId::TOP));
                }
                rest.extend(names(&target));
                way.links.push(Want::Link { at: next.as_bytes().to_vec(), target });
            }
            Some(Ok(Child::Dir(id))) => (way.at, dir) = (next, Some(id)),
            Some(Ok(Child::Link(_) | Child::Leaf) | Err(_)) | None => (way.at, dir) = (next, None),
        }
    }
    way
}

/// Follows all of `path` but its last name.
pub(super) fn follow_parent(root: &dyn Root, path: &ImagePath) -> Way {
    let parent = path.parent().unwrap_or_else(ImagePath::top);
    let way = follow(root, &parent);
    Way { at: way.at.join(path.name()), links: way.links }
}

/// The wants that put something at `path`, a path of our own: the links on the way, then itself.
pub(super) fn put(root: &dyn Root, path: &str, make: impl FnOnce(Vec<u8>) -> Want) -> Vec<Want> {
    let path = ImagePath::parse(path.as_bytes()).expect("our own paths are absolute");
    follow_parent(root, &path).then(make)
}

/// The wants that make a directory: the links on the way, and it where they lead.
pub(super) fn dir(root: &dyn Root, path: &ImagePath, access: Access) -> Vec<Want> {
    follow(root, path).then(|at| Want::Dir { at, access })
}

impl Way {
    pub(super) fn then(self, make: impl FnOnce(Vec<u8>) -> Want) -> Vec<Want> {
        let mut wants = self.links;
        wants.push(make(self.at.as_bytes().to_vec()));
        wants
    }
}

/// The components of a path, the last one first.
fn names(path: &[u8]) -> Vec<Vec<u8>> {
    let names = path.split(|&b| b == b'/').filter(|name| !matches!(*name, b"" | b"."));
    names.rev().map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::mem::MemRoot;

    #[test]
    fn what_is_made_stands_where_its_path_leads() {
        let mut root = MemRoot::new();
        root.dir("/run").link("/var/run", "/run").link("/var/lock", "../run/lock").dir("/usr/lib");
        root.link("/lib", "usr/lib").link("/loop", "loop").file("/file", "");
        for (path, expected) in [
            ("/etc/passwd", "/etc/passwd"),
            ("/var/run/app", "/var/run->/run /run/app"),
            ("/var/lock/a/b", "/var/lock->../run/lock /run/lock/a/b"),
            ("/lib/app", "/lib->usr/lib /usr/lib/app"),
            ("/file/x", "/file/x"),
            ("/", "/"),
        ] {
            let way = follow(&root, &ImagePath::parse(path.as_bytes()).unwrap());
            let mut shown = String::new();
            for link in &way.links {
                let Want::Link { at, target } = link else { panic!("a link") };
                shown += &format!("{}->{} ", at.escape_ascii(), target.escape_ascii());
            }
            assert_eq!(format!("{shown}{:?}", way.at), expected, "{path}");
        }
        let way = follow(&root, &ImagePath::parse(b"/loop/x").unwrap());
        assert_eq!((way.links.len(), way.at.as_bytes()), (MAX_LINKS, &b"/loop/x"[..]));
        let last = follow_parent(&root, &ImagePath::parse(b"/var/run").unwrap());
        assert_eq!((last.links.len(), last.at.as_bytes()), (0, &b"/var/run"[..]));
    }
}
