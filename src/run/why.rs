//! `why`: the chains to one library.

use super::inputs::{self, Input};
use super::render::is_shown;
use super::{Failure, Streams};
use crate::closure::{Seen, Session, close};
use crate::finding::Exit;
use crate::job::Job;
use crate::report::{self, Chains, Style};
use crate::root::FileId;

pub(super) fn why(
    job: &Job,
    session: &mut Session<'_>,
    program: &[u8],
    library: &[u8],
    all: bool,
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    let mut err = String::new();
    let style = Style { colour: job.colour.stderr };
    let exit = match inputs::program(job, session, program) {
        Input::Problem(problem) | Input::Oddity(problem) => {
            let problem = problem.of_command("explain");
            report::problem(
                &mut err,
                problem.verb,
                &problem.path,
                &problem.cause,
                problem.hint.as_deref(),
                style,
            );
            Exit::Trouble
        }
        Input::Program(program) => {
            let closure = close(session, &program);
            for finding in closure.findings.iter().filter(|finding| is_shown(job, finding)) {
                report::finding(&mut err, Some(&closure.program), finding, style);
            }
            let file = file_at(session, library);
            let apart = closure.audits.iter().map(|apart| Chains::of(apart, library, file));
            let chains = std::iter::once(Chains::of(&closure, library, file)).chain(apart);
            let chains: Vec<Chains<'_>> = chains.filter(|chains| !chains.is_empty()).collect();
            if job.verbose {
                chains.iter().for_each(|chains| chains.details(&mut err));
            }
            let mut out = String::new();
            if chains.is_empty() {
                report::nobody_asks(&mut err, &closure.program, library, style);
            }
            for chains in &chains {
                report::why(&mut out, chains, all, Style { colour: job.colour.stdout });
            }
            streams
                .out
                .write_all(out.as_bytes())
                .and_then(|()| streams.out.flush())
                .map_err(Failure::Output)?;
            if chains.is_empty() { Exit::Findings } else { Exit::of(&closure.findings) }
        }
    };
    // If nobody listens to stderr, the answer still counts.
    let _ = streams.err.write_all(err.as_bytes());
    Ok(exit)
}

/// The file at a path: a loader spells it in one way of many.
fn file_at(session: &mut Session<'_>, library: &[u8]) -> Option<FileId> {
    if !library.contains(&b'/') {
        return None;
    }
    match session.look(b"", library) {
        Seen::File(found) => Some(found.file.stat.id),
        Seen::Error { .. } | Seen::Directory | Seen::Special(_) | Seen::Unreadable(_) => None,
    }
}
