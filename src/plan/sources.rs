//! Where the contents of a plan are read.

use std::fmt;
use std::io;

use super::{Content, Source};
use crate::root::{DirId, OpenFile, Opened, Root, dir, resolve};

/// Where contents come from.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    pub root: &'a dyn Root,
}

impl fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

impl Sources<'_> {
    /// Opens a content that is a file, if it is still the one that was planned.
    pub fn open(&self, content: &Content) -> io::Result<OpenFile> {
        let (open, stat) = match &content.source {
            Source::Root { path, stat } => match resolve(self.root, DirId::TOP, path.as_bytes())?.opened {
                Opened::File(open) => (open, stat),
                Opened::Dir(_) | Opened::Link(_) | Opened::Special(_) => return Err(changed()),
            },
            Source::Host { path, stat } => (dir::open_host_file(path)?, stat),
            Source::Made(_) => unreachable!("its bytes are at hand"),
        };
        if open.stat == *stat { Ok(open) } else { Err(changed()) }
    }
}

fn changed() -> io::Error {
    io::Error::other("it changed while it was being copied")
}
