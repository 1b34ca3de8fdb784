//! What no `DT_NEEDED` says: data that an image needs, and where it comes from.
//!
//! Each option is a function from a root to [`Want`]s. Nothing is placed here:
//! the plan does that, and finds out whether two wants meet.

use std::path::PathBuf;

use crate::finding::Finding;
use crate::root::Access;

/// Something to be in the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// A path of the root as it is: a file, or a directory with all that is
    /// in it, with the links on the way to it. ELF files in it are modules.
    Path(Vec<u8>),
    /// A file of the host, placed at `at`.
    Host {
        at: Vec<u8>,
        path: PathBuf,
    },
    /// Written by us. `merge` says how it meets a file of the same place.
    Made {
        at: Vec<u8>,
        bytes: Vec<u8>,
        access: Access,
        merge: Merge,
    },
    Dir {
        at: Vec<u8>,
        access: Access,
    },
    Link {
        at: Vec<u8>,
        target: Vec<u8>,
    },
}

/// How a generated file meets one that is already in DIST or in the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Merge {
    /// It is a conflict unless the bytes are the same.
    #[default]
    Never,
    /// Lines of `passwd` and `group`: by name; those that are there stay.
    ByName,
    /// Entries of `ld.so.cache`.
    LdCache,
    /// Directories of `ld-musl-*.path`.
    MuslPath,
    /// A file that is there stays as it is.
    KeepTheirs,
}

/// What an option or a rule wants, and what there is to say about it.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub wants: Vec<Want>,
    pub findings: Vec<Finding>,
}
