//! What one start of a program loads: objects in load order, and every request
//! with its outcome and rule.
//!
//! *Search* (which file opens for a name, by which rule) is remembered across
//! programs by a [`Session`]; *scope* (which names and inodes are loaded
//! already) belongs to one program and lives in the walk.

use std::sync::Arc;

use crate::elf::{Facts, Unfit};
use crate::finding::Finding;
use crate::loader::{Family, Obstacle, Rule};
use crate::path::RealPath;
use crate::root::{DirId, Links, Root, Stat};

mod files;
mod findings;
mod glibc;
mod hints;
mod isa;
pub mod ldconfig;
mod lists;
mod musl;
mod names;
mod relocation;
mod runtime;
pub mod scout;
mod search;
mod session;
mod soundness;
mod start;
pub mod symbols;
mod symtab;
mod versions;

pub use files::Files;
pub use findings::{glibc_words, musl_words};
pub use hints::Elsewhere;
pub use runtime::Runtime;
pub use session::{Opener, ProgramOrigin, Seen, Session, Settings};
pub use soundness::not_executable;
pub use start::{NotAProgram, Program, close, open_program};
pub use versions::OldestGlibc;

/// A file that was opened and looked at, once for all its names.
#[derive(Debug)]
pub struct File {
    pub stat: Stat,
    /// A program that starts with capabilities of its own.
    pub gains_capabilities: bool,
    pub elf: Result<Facts, Unfit>,
}

/// A file as one path reached it.
#[derive(Debug, Clone)]
pub struct Found {
    pub file: Arc<File>,
    /// The directory that really holds it, and its name there.
    pub dir: DirId,
    pub name: Arc<[u8]>,
    /// Links passed on the way, in order: those of its directory, then its own.
    pub links: Arc<Links>,
}

/// An index into [`Closure::objects`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId(pub u32);

/// Every closure's first object, and the loader that a walk puts behind it.
const PROGRAM: ObjectId = ObjectId(0);
const LDSO: ObjectId = ObjectId(1);

/// What an object is in a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    Program,
    Interpreter,
    Preload,
    Library,
    /// Wanted by `DT_AUXILIARY` or `DT_FILTER`.
    Filtee,
}

/// A loaded file.
#[derive(Debug, Clone)]
pub struct Object {
    pub role: Role,
    /// The loader's spelling (`l_name`); of the program, the path it was given.
    pub path: Arc<[u8]>,
    pub found: Found,
    /// All names it was asked for, the first one first.
    pub names: Vec<Arc<[u8]>>,
    /// The object that first caused it to load.
    pub wanted_by: Option<ObjectId>,
    pub rule: Option<Rule>,
    /// Other paths that searches found it by: hard links, and links of other names.
    pub also: Vec<Spelling>,
}

/// A path by which a file is opened, as the loader spells it.
#[derive(Debug, Clone)]
pub struct Spelling {
    pub path: Arc<[u8]>,
    pub found: Found,
    pub rule: Option<Rule>,
}

impl Object {
    /// Every path that it is opened by, the one that it goes by first.
    pub fn spellings(&self) -> impl Iterator<Item = Spelling> {
        let own = Spelling { path: Arc::clone(&self.path), found: self.found.clone(), rule: self.rule };
        std::iter::once(own).chain(self.also.iter().cloned())
    }

    /// A search came to it by this path too.
    fn spell(&mut self, path: &Arc<[u8]>, found: &Found, rule: Rule) {
        if self.path != *path && !self.also.iter().any(|also| also.path == *path) {
            self.also.push(Spelling { path: Arc::clone(path), found: found.clone(), rule: Some(rule) });
        }
    }
}

/// Why something was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Want {
    Interp,
    Needed,
    Auxiliary,
    Filter,
    /// `LD_PRELOAD`.
    PreloadEnv,
    /// `/etc/ld.so.preload`.
    PreloadFile,
    /// `DT_AUDIT` or `DT_DEPAUDIT` of the program: a namespace of its own.
    Audit,
}

/// One request. `from` is the program for what nobody's tag asks for.
#[derive(Debug, Clone)]
pub struct Edge {
    pub from: ObjectId,
    pub want: Want,
    /// The name as asked for, tokens expanded.
    pub name: Arc<[u8]>,
    pub outcome: Outcome,
}

impl Edge {
    /// The rule by which it opened a file.
    pub fn rule(&self) -> Option<Rule> {
        match self.outcome {
            Outcome::Found { how: How::Opened(rule) | How::SameFile(rule), .. } => Some(rule),
            Outcome::Found { how: How::AlreadyLoaded | How::Builtin, .. }
            | Outcome::Vdso
            | Outcome::Missing(_)
            | Outcome::Dies(_)
            | Outcome::Apart => None,
        }
    }
}

/// How an edge found its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum How {
    /// A file was searched for, found and loaded.
    Opened(Rule),
    /// A search found a file that is loaded already, under another name.
    SameFile(Rule),
    /// The name was known: no search.
    AlreadyLoaded,
    /// The loader is its own answer (musl's reserved names, ld.so's own).
    Builtin,
}

#[derive(Debug, Clone)]
pub enum Outcome {
    Found {
        to: ObjectId,
        how: How,
    },
    /// The kernel's own object, which has no file.
    Vdso,
    Missing(Arc<Miss>),
    /// The process ends here.
    Dies(Arc<Death>),
    /// Loaded into a namespace of its own: see [`Closure::audits`].
    Apart,
}

/// What was tried for a name that was not found.
#[derive(Debug, Clone, Default)]
pub struct Miss {
    /// In order; of a long list the first ones.
    pub tried: Vec<Tried>,
    /// So many more were tried.
    pub more: usize,
    /// What the last one turned out to be.
    pub last: Option<Obstacle>,
    /// Something of the other ELF class stood in the way.
    pub other_class: bool,
    /// Where the answer of ldconfig would be, were it asked: `--no-conf` was given.
    pub by_conf: Option<Arc<[u8]>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    pub path: Vec<u8>,
    pub rule: Rule,
    pub obstacle: Obstacle,
}

/// The loader's last words: `error while loading shared libraries: SUBJECT: WORDS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death {
    pub subject: Vec<u8>,
    pub words: String,
    /// Of a preload or a filtee that may be absent it is forgiven.
    pub is_forgiven: bool,
}

/// What became of `ld.so.cache`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum CacheState {
    /// Not looked at, or of no meaning to this loader.
    #[default]
    Unasked,
    Used,
    Absent,
    /// It is there, and the loader does as if it were not.
    Unusable(String),
}

/// What one place of ld.so's list holds: an object, or a name that was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    Object(ObjectId),
    /// An index into [`Closure::edges`].
    Missing(usize),
}

/// What one start of a program loads.
#[derive(Debug, Clone)]
pub struct Closure {
    /// The path that was given.
    pub program: Vec<u8>,
    /// It is an audit module of this program, in a namespace of its own.
    pub apart_from: Option<Arc<[u8]>>,
    /// Started by an ordinary user the program gains rights: the loader is careful then.
    pub is_secure: bool,
    /// Which loader it is started by. `None`: it needs none, or has none that is known.
    pub family: Option<Family>,
    pub objects: Vec<Object>,
    pub edges: Vec<Edge>,
    /// ld.so's list, in its order, the program first.
    pub order: Vec<Slot>,
    /// Audit modules, each closed over in its own namespace.
    pub audits: Vec<Closure>,
    /// What the loader makes of `ld.so.cache`, if it has one.
    pub cache: CacheState,
    pub findings: Vec<Finding>,
}

impl Found {
    pub fn real_path(&self, root: &dyn Root) -> RealPath {
        root.real_path(self.dir).join(&self.name)
    }

    /// The facts of a file that is known to have some.
    pub fn facts(&self) -> &Facts {
        self.file.elf.as_ref().expect("a loaded object has facts: the loader judged them")
    }
}

impl Closure {
    pub fn object(&self, id: ObjectId) -> &Object {
        &self.objects[id.0 as usize]
    }

    /// The highest `GLIBC_x` that anything in it needs.
    pub fn oldest_glibc(&self) -> Option<OldestGlibc> {
        (self.family == Some(Family::Glibc)).then(|| versions::oldest_glibc(self)).flatten()
    }

    /// Everything that is in the process, in the loader's order.
    pub fn loaded(&self) -> impl Iterator<Item = ObjectId> {
        self.order.iter().filter_map(|slot| match slot {
            Slot::Object(id) => Some(*id),
            Slot::Missing(_) => None,
        })
    }
}
