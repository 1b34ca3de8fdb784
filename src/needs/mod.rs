//! What no `DT_NEEDED` says: data that an image needs, and where it comes from.
//!
//! Each option is a function from a root to [`Want`]s, and [`rules`] says which
//! programs need something without having been asked. Nothing is placed here:
//! the plan does that, and finds out whether two wants meet.

use std::fmt;
use std::path::PathBuf;

use self::rules::Action;
use crate::finding::{Finding, Severity};
use crate::root::Access;

pub mod ca;
mod config;
mod constants;
pub mod dirs;
mod distro;
mod dlopen;
pub mod engine;
mod json;
mod literals;
pub mod locale;
mod look;
pub mod nss;
mod opened;
mod php;
mod places;
pub mod rules;
pub mod tz;
pub mod users;
mod way;

pub use engine::{Engine, Need};
pub use look::expand;

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

/// Who wants it: that decides how bad it is if the root has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// An option.
    Typed,
    /// A rule of what is needed at run time.
    Rule,
}

/// An option that cannot be carried out as typed: `cannot VERB SUBJECT: CAUSE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub verb: &'static str,
    pub subject: Vec<u8>,
    pub cause: String,
    pub hint: Option<String>,
}

/// The code of a note whose message is a line for a Dockerfile: `USER 65532:65532`.
pub const PASTE: &str = "paste";

/// The code of what is said when the root has no such data.
pub const NO_DATA: &str = "no-data";

/// The code of what is said of a file of configuration.
pub const CONFIG: &str = "config";

/// The code of a library that is required and not in the root: its name is the subject.
pub const MISSING: &str = "missing";

/// Rules that mean another thing in each program.
const VAGUE: [&str; 3] = [dlopen::RULE, "exec", "krb5"];

impl Asked {
    fn severity(self) -> Severity {
        match self {
            Asked::Typed => Severity::Error,
            Asked::Rule => Severity::Warning,
        }
    }
}

impl Need {
    /// What changes whether it is taken along.
    pub fn option(&self) -> String {
        match self.action {
            Action::Suggest => self.cure.clone(),
            Action::Collect if self.rule == dlopen::RULE => "--dlopen none".into(),
            Action::Collect => format!("--without {}", self.rule),
        }
    }

    /// What it is about, where the words of the failure leave that open.
    pub fn about(&self) -> Option<&[u8]> {
        VAGUE.contains(&self.rule).then_some(&self.trigger)
    }

    /// What a reader has from it: the words of the failure, or of the note.
    pub fn remark(&self) -> Option<String> {
        let lead = if self.rule == dlopen::RULE { "for" } else { "without it" };
        (!self.prevents.is_empty()).then(|| format!("{lead}: {}", self.prevents))
    }

    /// Lines for a Dockerfile that go with it.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.wanted.findings.iter().filter(|one| one.code == PASTE).map(|one| &one.message[..])
    }
}

impl Wanted {
    /// Adds what another option wants.
    pub fn add(&mut self, other: Wanted) {
        self.want(other.wants);
        self.findings.extend(other.findings);
    }

    /// Two files may be reached by the same link: that is one want.
    fn want(&mut self, wants: impl IntoIterator<Item = Want>) {
        for want in wants {
            if !self.wants.contains(&want) {
                self.wants.push(want);
            }
        }
    }

    fn paste(&mut self, option: &str, line: impl Into<Vec<u8>>) {
        self.findings.push(finding(Severity::Note, PASTE, option, line, None));
    }
}

fn finding(
    severity: Severity,
    code: &'static str,
    option: &str,
    message: impl Into<Vec<u8>>,
    hint: Option<Vec<u8>>,
) -> Finding {
    Finding { severity, code, subject: option.into(), message: message.into(), hint }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} `{}`: {}", self.verb, self.subject.escape_ascii(), self.cause)?;
        self.hint.iter().try_for_each(|hint| write!(f, "\nhint: {hint}"))
    }
}
