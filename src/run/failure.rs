//! Why a run could not be carried out, in words and as findings.

use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::words;
use crate::cli;
use crate::finding::{Finding, Severity};
use crate::output;
use crate::path::ImagePath;
use crate::report;

/// Why a run could not be carried out at all.
#[derive(Debug)]
pub enum Failure {
    Usage(cli::Usage),
    /// The root or the loader that an option names.
    Open {
        path: Vec<u8>,
        cause: String,
        hint: Option<&'static str>,
    },
    /// Output could not be written.
    Output(io::Error),
    /// The tree could not be written.
    Write(output::Failure),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(usage) => f.write_str(&shown(usage.cause.as_bytes())),
            Failure::Open { path, cause, .. } => write!(f, "cannot open `{}`: {cause}", shown(path)),
            Failure::Write(failure) => failure.fmt(f),
            Failure::Output(cause) => write!(f, "cannot write the answer: {}", words(cause)),
        }
    }
}

impl Failure {
    /// What the process ends with: as a shell tells of a signal, or 2.
    pub fn status(&self) -> u8 {
        match self {
            Failure::Write(output::Failure::Interrupted(signal)) => u8::try_from(128 + signal).unwrap_or(2),
            Failure::Usage(_) | Failure::Open { .. } | Failure::Output(_) | Failure::Write(_) => 2,
        }
    }

    /// The cure, where it is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Failure::Usage(usage) => usage.hint.as_ref().map(|hint| shown(hint.as_bytes())),
            Failure::Open { hint, .. } => hint.map(str::to_owned),
            Failure::Write(failure) => failure.hint().map(str::to_owned),
            Failure::Output(_) => None,
        }
    }

    /// For a report that scripts read. Who cannot be written to is told nothing.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let hint = self.hint().map(String::into_bytes);
        let finding = |code, subject: &[u8], message: String| Finding {
            severity: Severity::Error,
            code,
            subject: subject.to_vec(),
            message: message.into_bytes(),
            hint: hint.clone(),
        };
        let failure = match self {
            Failure::Output(_) => return Vec::new(),
            Failure::Usage(usage) => return vec![finding("usage", b"", usage.cause.clone())],
            Failure::Open { path, cause, .. } => {
                return vec![finding("cannot", path, format!("cannot open: {cause}"))];
            }
            Failure::Write(failure) => failure,
        };
        match failure {
            output::Failure::Io { verb, path, cause } => {
                vec![finding("cannot", bytes_of(path), format!("cannot {verb}: {}", words(cause)))]
            }
            output::Failure::Changed { source, .. } => {
                vec![finding("changed", source, "it changed while it was being copied".into())]
            }
            output::Failure::Conflicts(places) => {
                let conflict = |(at, what): &(ImagePath, &str)| {
                    finding("conflict", at.as_bytes(), format!("cannot write in DIST: {what}"))
                };
                places.iter().map(conflict).collect()
            }
            output::Failure::Refused { path, cause, .. } => {
                vec![finding("refused", bytes_of(path), format!("cannot write: {cause}"))]
            }
            output::Failure::Interrupted(_) => vec![finding("interrupted", b"", failure.to_string())],
        }
    }
}

fn bytes_of(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// Typed words may hold anything.
fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    report::escape(&mut text, bytes);
    text
}
