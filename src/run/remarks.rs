//! What a closure does not say by itself: what this user may not look into, and
//! what does not count for a program that gains rights.

use std::collections::BTreeMap;

use rustix::io::Errno;

use crate::closure::{Closure, Outcome, Program, Seen, Session};
use crate::finding::{Finding, Severity};
use crate::job::{Job, LibraryPath};
use crate::loader::{Launch, Obstacle};
use crate::path::dirname;

/// Adds a warning for each directory or file that was passed by on the way to
/// a library that is missing. A loader passes it by as well, so it is no error of
/// the answer; but run as another user it finds more.
pub(super) fn denied(session: &mut Session<'_>, closure: &mut Closure) {
    let mut denied: BTreeMap<Vec<u8>, &'static str> = BTreeMap::new();
    for edge in &closure.edges {
        let Outcome::Missing(miss) = &edge.outcome else { continue };
        for tried in miss.tried.iter().filter(|tried| tried.obstacle == Obstacle::Unreadable) {
            let (path, verb) = match outermost(session, &tried.path) {
                Some(dir) => (dir, "searched"),
                None => (&tried.path[..], "read"),
            };
            if !denied.contains_key(path) {
                denied.insert(path.to_vec(), verb);
            }
        }
    }
    closure.findings.extend(denied.into_iter().map(|(path, verb)| Finding {
        severity: Severity::Warning,
        code: "denied",
        subject: path,
        message: format!("cannot be {verb}: Permission denied").into_bytes(),
        hint: Some(b"a loader run by another user may find more here; so may depcollect".to_vec()),
    }));
}

/// Adds that lists of the user's have no effect on a program that gains rights.
pub(super) fn secure(job: &Job, program: &Program, closure: &mut Closure) {
    if closure.family.is_none() || !program.is_secure(Launch::Exec) {
        return;
    }
    let library_path = job.library_path.as_ref().map(|list| match list {
        LibraryPath::Typed(_) => "--library-path",
        LibraryPath::Environment(_) => "LD_LIBRARY_PATH",
    });
    closure.findings.extend(library_path.map(|name| Finding {
        severity: Severity::Note,
        code: "secure",
        subject: closure.program.clone(),
        message: format!("{name} does not count: {}", of_what(program)).into_bytes(),
        hint: None,
    }));
}

/// How it gains rights.
fn of_what(program: &Program) -> &'static str {
    if program.found.file.gains_capabilities { "it has file capabilities" } else { "it is setuid or setgid" }
}

/// The directory that keeps others from being searched.
fn outermost<'a>(session: &mut Session<'_>, path: &'a [u8]) -> Option<&'a [u8]> {
    let is_denied = |dir: &&[u8]| {
        let seen = session.look(&[dir, &b"/"[..]].concat(), b".");
        matches!(seen, Seen::Error { errno, .. } if errno == Errno::ACCESS.raw_os_error())
    };
    let above = |dir: &&'a [u8]| dirname(dir).filter(|above| above.len() < dir.len());
    std::iter::successors(dirname(path), above).take_while(is_denied).last()
}
