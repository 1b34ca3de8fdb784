//! What is said of a collection: findings as they come, and a report at its end.

use std::os::unix::ffi::OsStrExt;

use super::needs::{self, Satisfied};
use crate::finding::{Exit, Finding, Severity};
use crate::job::{CollectTask, Job};
use crate::needs::PASTE;
use crate::path::ImagePath;
use crate::plan::{self, Conflict, Plan};
use crate::report::{self, Collected, Collection, Style, Written};
use crate::run::problem::Problem;
use crate::run::{Failure, Streams, words};

/// What is said on the way, and what the process will say at its end.
pub(super) struct Log<'l, 'w> {
    pub(super) job: &'l Job,
    pub(super) task: &'l CollectTask,
    pub(super) streams: &'l mut Streams<'w>,
    pub(super) findings: Vec<Finding>,
    /// Lines for a Dockerfile.
    pub(super) paste: Vec<Vec<u8>>,
    pub(super) exit: Exit,
    /// What is missing in the root. Whether the image has it shows only when that
    /// is looked at; if nobody comes as far, it is told.
    pub(super) held: Vec<Finding>,
}

/// What there is to tell about a tree, beside the tree itself.
pub(super) struct Told<'t> {
    pub(super) programs: Vec<Collected>,
    /// What the image starts, if that is one thing.
    pub(super) entry: Option<Vec<u8>>,
    pub(super) needs: &'t Satisfied,
}

impl<'l, 'w> Log<'l, 'w> {
    pub(super) fn new(job: &'l Job, task: &'l CollectTask, streams: &'l mut Streams<'w>) -> Self {
        let (findings, paste, held) = (Vec::new(), Vec::new(), Vec::new());
        Log { job, task, streams, findings, paste, exit: Exit::Fine, held }
    }

    fn release(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.add(held);
    }
    fn style(&self) -> Style {
        Style { colour: self.job.colour.stderr }
    }

    fn say(&mut self, text: &str) {
        // If nobody listens to stderr, the tree still counts.
        let _ = self.streams.err.write_all(text.as_bytes());
    }

    /// For whoever watches a terminal; the summary takes its place.
    pub(super) fn progress(&mut self, plan: &Plan) {
        if self.job.is_watched && !self.job.quiet {
            let text = report::progress(plan);
            self.say(&text);
        }
    }

    pub(super) fn end_progress(&mut self) {
        if self.job.is_watched && !self.job.quiet {
            self.say("\r\x1b[K");
        }
    }

    pub(super) fn problems(&mut self, problems: &[Problem]) {
        for problem in problems {
            let mut text = String::new();
            let hint = problem.hint.as_deref();
            report::problem(&mut text, problem.verb, &problem.path, &problem.cause, hint, self.style());
            self.say(&text);
            self.findings.push(problem.to_finding());
            self.exit = Exit::Trouble;
        }
    }

    pub(super) fn add(&mut self, findings: Vec<Finding>) {
        let lowest = if self.job.quiet { Severity::Error } else { Severity::Note };
        let mut findings = findings.into_iter().peekable();
        while let Some(finding) = findings.next() {
            if finding.code == PASTE {
                self.paste.push(finding.message);
                continue;
            }
            if finding.severity >= lowest && !self.task.json {
                // What cures several is said once, behind the last of them.
                let is_told = findings.peek().is_some_and(|next| next.hint == finding.hint);
                let hint = finding.hint.clone().filter(|_| !is_told);
                let mut text = String::new();
                report::finding(&mut text, None, &Finding { hint, ..finding.clone() }, self.style());
                self.say(&text);
            }
            self.exit = self.exit.and(Exit::of(std::slice::from_ref(&finding)));
            self.findings.push(finding);
        }
    }

    pub(super) fn cannot_plan(
        &mut self,
        told: Told<'_>,
        plan: &Plan,
        error: &plan::Error,
    ) -> Result<Exit, Failure> {
        self.release();
        match error {
            plan::Error::Conflict(Conflict { at, have, want }) => {
                let mut text = String::new();
                report::conflict(&mut text, at.as_bytes(), have, want, self.style());
                self.say(&text);
                self.findings.push(of_conflict(at, have, want));
                self.exit = Exit::Trouble;
            }
            plan::Error::Io { path, cause } => {
                self.problems(&[Problem::new(path, "read", words(cause))]);
            }
        }
        self.refuse(told, plan)
    }

    pub(super) fn show(&mut self, plan: &Plan) -> Result<(), Failure> {
        if self.task.json {
            return Ok(());
        }
        let mut text = String::new();
        report::plan(&mut text, plan, self.job.verbose);
        self.streams.out.write_all(text.as_bytes()).map_err(Failure::Output)
    }

    /// Something is wrong: what would have been written is of interest to nobody.
    pub(super) fn refuse(&mut self, told: Told<'_>, plan: &Plan) -> Result<Exit, Failure> {
        self.release();
        if self.task.json {
            return self.end(told, plan, None);
        }
        self.say("depcollect: nothing was written\n");
        Ok(self.exit)
    }

    /// The tree could not be written: whoever reads the report reads why.
    pub(super) fn fail(&mut self, told: Told<'_>, plan: &Plan, failure: Failure) -> Result<Exit, Failure> {
        self.release();
        if self.task.json {
            self.findings.extend(failure.findings());
            self.report(told, plan, None, failure.status())?;
        }
        Err(failure)
    }

    pub(super) fn end(
        &mut self,
        told: Told<'_>,
        plan: &Plan,
        written: Option<Written>,
    ) -> Result<Exit, Failure> {
        self.report(told, plan, written, self.exit.status())?;
        Ok(self.exit)
    }

    fn report(
        &mut self,
        told: Told<'_>,
        plan: &Plan,
        written: Option<Written>,
        status: u8,
    ) -> Result<(), Failure> {
        let dist = self.task.dist.as_os_str().as_bytes();
        let lines = self.paste.clone();
        let needs = needs::in_plan(plan, told.needs);
        let Told { programs, entry, .. } = told;
        let is_for_scratch = self.task.onto.is_none();
        let collection = Collection { dist, programs, needs, plan, is_for_scratch, written, entry, lines };
        if self.task.json {
            let text = report::collection_json(&collection, &self.findings, status);
            self.streams.out.write_all(text.as_bytes()).map_err(Failure::Output)?;
        } else if !self.job.quiet {
            let mut text = String::new();
            report::collection(&mut text, &collection, self.job.verbose, self.style());
            self.say(&text);
        }
        Ok(())
    }
}

fn of_conflict(at: &ImagePath, have: &[u8], want: &[u8]) -> Finding {
    Finding {
        severity: Severity::Error,
        code: "conflict",
        subject: at.as_bytes().to_vec(),
        message: [b"cannot place ", want, b": ", have, b" is to be there too"].concat(),
        hint: None,
    }
}
