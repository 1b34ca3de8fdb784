//! Directories taken as they are, and patterns.

use std::io;
use std::path::PathBuf;

use crate::bytes::ReadAt;
use crate::closure::Found;
use crate::loader::conf::matches;
use crate::needs::Merge;
use crate::parallel;
use crate::path::{ImagePath, RealPath};
use crate::plan::{Content, Reason, content_of_open};
use crate::root::{self, Access, DirId, FileId, ItemKind, Links, Opened, Root, resolve_dir};

/// Something that is taken as it is, and why.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) what: What,
    pub(super) reason: Reason,
}

#[derive(Debug)]
pub(super) enum What {
    File {
        path: Vec<u8>,
        found: Found,
        dest: Option<ImagePath>,
    },
    /// A file of the host.
    Host {
        path: PathBuf,
        at: ImagePath,
    },
    /// A directory, with the links on the way to it.
    Tree {
        path: Vec<u8>,
        items: Vec<(ImagePath, Item)>,
        links: Links,
        /// Where the root has it.
        from: Vec<u8>,
        stays: bool,
    },
    /// Written by us.
    Made {
        at: ImagePath,
        bytes: Vec<u8>,
        access: Access,
        merge: Merge,
    },
    Dir {
        at: ImagePath,
        access: Access,
    },
    Link {
        at: ImagePath,
        target: Vec<u8>,
    },
}

impl Piece {
    /// It is where the root has it.
    pub(super) fn stays(&self) -> bool {
        match &self.what {
            What::File { dest, .. } => dest.is_none(),
            What::Tree { stays, .. } => *stays,
            What::Host { .. } | What::Made { .. } | What::Dir { .. } | What::Link { .. } => false,
        }
    }
}

#[derive(Debug)]
pub(super) enum Item {
    Dir(Access),
    File(Content),
    Link(Vec<u8>),
}

/// What a directory holds.
#[derive(Debug)]
pub(super) struct Walked {
    /// Where it really is in the root.
    pub(super) top: RealPath,
    pub(super) items: Vec<(ImagePath, Item)>,
    pub(super) links: Links,
    /// Places in the image of files that say they are ELF, and their paths in the root.
    pub(super) elf: Vec<(ImagePath, Vec<u8>)>,
    /// What cannot be copied, and what it is.
    pub(super) skipped: Vec<(Vec<u8>, &'static str)>,
}

type Trouble = (Vec<u8>, io::Error);

/// So many files are worth a thread.
const MANY: usize = 100;

/// Whoever starts a container makes these: what is in them is no file.
const KERNEL_TREES: [&[u8]; 3] = [b"/dev", b"/proc", b"/sys"];

pub(super) fn is_in_kernel_tree(path: &[u8]) -> bool {
    KERNEL_TREES
        .iter()
        .any(|tree| path.strip_prefix(*tree).is_some_and(|rest| matches!(rest, [] | [b'/', ..])))
}

/// What a running system makes, whatever an image holds there.
pub(super) fn is_mounted(path: &[u8]) -> bool {
    is_in_kernel_tree(path) || path.starts_with(b"/run/")
}

/// Everything below a directory of the root, to be at `dest` or where it is,
/// but for the directory `without`.
pub(super) fn walk(
    root: &dyn Root,
    path: &[u8],
    dest: Option<&ImagePath>,
    without: Option<FileId>,
) -> Result<Walked, Trouble> {
    let (dir, links) = resolve_dir(root, DirId::TOP, path).map_err(|error| (path.to_vec(), error))?;
    let at = dest.cloned().unwrap_or_else(|| ImagePath::from(root.real_path(dir)));
    let links = if dest.is_some() { Links::new() } else { links };
    let top = root.real_path(dir);
    let mut walked = Walked { top, items: Vec::new(), links, elf: Vec::new(), skipped: Vec::new() };
    let mut waiting = vec![(dir, at)];
    while let Some((dir, at)) = waiting.pop() {
        let real = root.real_path(dir);
        let failed = |error| (real.as_bytes().to_vec(), error);
        let stat = root.dir_stat(dir).map_err(failed)?;
        if without == Some(stat.id) && !walked.items.is_empty() {
            continue;
        }
        walked.items.push((at.clone(), Item::Dir(stat.access())));
        if is_in_kernel_tree(real.as_bytes()) {
            continue;
        }
        let items = root.list(dir).map_err(failed)?;
        let looked = parallel::map(&items, MANY, |_: &mut (), item| look(root, dir, &real, item));
        for (item, thing) in items.into_iter().zip(looked) {
            let here = at.join(&item.name);
            if let Some(below) = walked.take(real.join(&item.name), here.clone(), thing?) {
                waiting.push((below, here));
            }
        }
    }
    Ok(walked)
}

/// What stands at one name of a directory.
enum Thing {
    Dir(DirId),
    File { content: Content, is_elf: bool },
    Link(Vec<u8>),
    Special(&'static str),
}

fn look(root: &dyn Root, dir: DirId, real: &RealPath, item: &root::Item) -> Result<Thing, Trouble> {
    if item.kind == ItemKind::Special {
        return Ok(Thing::Special("special file"));
    }
    let path = real.join(&item.name);
    let failed = |error| (path.as_bytes().to_vec(), error);
    Ok(match root.open(dir, &item.name).map_err(failed)? {
        Opened::Dir(below) => Thing::Dir(below),
        Opened::Link(target) => Thing::Link(target),
        Opened::Special(what) => Thing::Special(what),
        Opened::File(open) => {
            let mut head = [0; 4];
            let len = open.read_at(&mut head, 0).map_err(failed)?;
            let content = content_of_open(path.clone(), &open).map_err(failed)?;
            Thing::File { content, is_elf: &head[..len] == b"\x7fELF" }
        }
    })
}

impl Walked {
    /// But for files of these names.
    pub(super) fn without(mut self, skips: &[&str]) -> Walked {
        let is_skipped = |at: &ImagePath| skips.iter().any(|name| matches(name.as_bytes(), at.name()));
        if !skips.is_empty() {
            self.items.retain(|(at, item)| matches!(item, Item::Dir(_)) || !is_skipped(at));
        }
        self
    }

    /// One name of a directory. A directory is walked by the caller.
    fn take(&mut self, path: RealPath, at: ImagePath, thing: Thing) -> Option<DirId> {
        match thing {
            Thing::Dir(below) => return Some(below),
            Thing::Link(target) => self.items.push((at, Item::Link(target))),
            Thing::Special(what) => self.skipped.push((path.as_bytes().to_vec(), what)),
            Thing::File { content, is_elf } => {
                if is_elf {
                    self.elf.push((at.clone(), path.as_bytes().to_vec()));
                }
                self.items.push((at, Item::File(content)));
            }
        }
        None
    }
}
