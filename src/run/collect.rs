//! `collect`: what was named, what that loads, a plan of it, the plan checked,
//! the tree written.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use self::closing::Closer;
use self::findings::of_starts;
use self::image::Ground;
use self::inputs::{Input, Inputs};
use self::planning::plan_of;
use super::inputs::Problem;
use super::{Failure, Scene, Streams};
use crate::finding::{Exit, Finding, Severity};
use crate::job::{CollectTask, Job, Output};
use crate::output::{self, Options};
use crate::plan::{self, Excluded, Glob, Plan, Reason, Sources, Start, kept};
use crate::report::{self, Collected, Collection, Style, Written};
use crate::root::Root;
use crate::root::dir::DirRoot;

mod closing;
mod data;
mod findings;
mod image;
mod inputs;
mod planning;
mod remarks;
mod script;
mod tree;

pub(super) fn collect(
    job: &Job,
    task: &CollectTask,
    scene: &Scene<'_>,
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    let mut log = Log { job, task, streams, findings: Vec::new(), exit: Exit::Fine };
    let mut closer = Closer::new(scene);
    let inputs = Inputs::of(job, task, scene, closer.session());
    log.problems(&inputs.problems);
    log.add(inputs.findings.clone());

    let excluded = Excluded { globs: task.exclude.iter().map(|glob| Glob::new(glob)).collect() };
    let starts: Vec<Start> = inputs.starts.iter().map(|input| start_of(&mut closer, input)).collect();
    log.add(of_starts(scene.root, &starts, &excluded, task.allow_missing));

    // Everything is known; nothing was written, and nothing is if something is wrong.
    let mut plan = match plan_of(scene.root, task, &starts, &inputs.pieces, &excluded) {
        Ok(plan) => plan,
        Err(error) => return log.cannot_plan(&error),
    };
    let programs = programs_of(scene.root, &starts, &excluded);
    if log.exit == Exit::Fine {
        let below = Below::of(job, task)?;
        match image::settle(&mut plan, &starts, &excluded, task, &below.ground(scene)) {
            Ok(findings) => log.add(findings),
            Err(error) => return log.cannot_plan(&error),
        }
    }
    if log.exit != Exit::Fine {
        return log.refuse(programs, &plan);
    }
    log.add(remarks::of_plan(scene.root, task, &plan));
    if task.dry_run {
        log.show(&plan)?;
        return log.end(programs, &plan, None);
    }
    let done = write(job, task, scene, &plan).map_err(Failure::Write)?;
    let written = Written { files: done.files_written, bytes: done.bytes_written, unchanged: done.unchanged };
    log.end(programs, &plan, Some(written))
}

/// The trees that the new one lies over.
struct Below {
    dist: Option<DirRoot>,
    base: Option<DirRoot>,
}

impl Below {
    fn of(job: &Job, task: &CollectTask) -> Result<Below, Failure> {
        let open = |path: &PathBuf| {
            let path = job.cwd.join(path);
            DirRoot::open(&path).map_err(|cause| Failure::Root { path, cause })
        };
        let base = task.onto.as_ref().map(open).transpose()?;
        let dist = match task.output {
            Output::Dir => output::dir::existing(&job.cwd.join(&task.dist)).map_err(Failure::Write)?,
            Output::Tar => None,
        };
        Ok(Below { dist, base })
    }

    fn ground<'a>(&'a self, scene: &Scene<'a>) -> Ground<'a> {
        let root = |tree: &'a Option<DirRoot>| tree.as_ref().map(|tree| tree as &dyn Root);
        Ground { root: scene.root, files: scene.files, dist: root(&self.dist), base: root(&self.base) }
    }
}

fn start_of(closer: &mut Closer<'_>, input: &Input) -> Start {
    Start {
        closures: closer.close(&input.program),
        place: input.place.clone(),
        reason: input.reason.clone(),
        is_module: input.is_module,
    }
}

/// Those that somebody named, with how much each brings.
fn programs_of(root: &dyn Root, starts: &[Start], excluded: &Excluded) -> Vec<Collected> {
    let is_named =
        |start: &&Start| matches!(start.reason, Reason::Program | Reason::ScriptInterpreter { .. });
    let program = |start: &Start| {
        let (_, closure) = &start.closures[0];
        Collected {
            path: closure.program.clone(),
            family: closure.family,
            files: kept(root, closure, excluded).len() - 1,
            levels: start.closures.iter().filter_map(|(level, _)| *level).collect(),
        }
    };
    starts.iter().filter(is_named).map(program).collect()
}

fn write(
    job: &Job,
    task: &CollectTask,
    scene: &Scene<'_>,
    plan: &Plan,
) -> Result<output::Done, output::Failure> {
    let options = Options { force: task.force, epoch: task.epoch, threads: (job.threads)() };
    let sources = Sources { root: scene.root };
    output::dir::write(plan, sources, &job.cwd.join(&task.dist), options)
}

/// What is said on the way, and what the process will say at its end.
struct Log<'l, 'w> {
    job: &'l Job,
    task: &'l CollectTask,
    streams: &'l mut Streams<'w>,
    findings: Vec<Finding>,
    exit: Exit,
}

impl Log<'_, '_> {
    fn style(&self) -> Style {
        Style { colour: self.job.colour.stderr }
    }

    fn say(&mut self, text: &str) {
        // If nobody listens to stderr, the tree still counts.
        let _ = self.streams.err.write_all(text.as_bytes());
    }

    fn problems(&mut self, problems: &[Problem]) {
        for problem in problems {
            let mut text = String::new();
            let hint = problem.hint.as_deref();
            report::problem(&mut text, problem.verb, &problem.path, &problem.cause, hint, self.style());
            self.say(&text);
            self.exit = Exit::Trouble;
        }
    }

    fn add(&mut self, findings: Vec<Finding>) {
        let lowest = if self.job.quiet { Severity::Error } else { Severity::Note };
        for finding in findings {
            if finding.severity >= lowest && !self.task.json {
                let mut text = String::new();
                report::finding(&mut text, None, &finding, self.style());
                self.say(&text);
            }
            self.exit = self.exit.and(Exit::of(std::slice::from_ref(&finding)));
            self.findings.push(finding);
        }
    }

    fn cannot_plan(&mut self, error: &plan::Error) -> Result<Exit, Failure> {
        let mut text = String::new();
        match error {
            plan::Error::Conflict(conflict) => {
                report::conflict(
                    &mut text,
                    conflict.at.as_bytes(),
                    &conflict.have,
                    &conflict.want,
                    self.style(),
                );
            }
            plan::Error::Io { path, cause } => {
                report::problem(&mut text, "read", path, &super::words(cause), None, self.style());
            }
        }
        self.say(&text);
        Ok(Exit::Trouble)
    }

    fn show(&mut self, plan: &Plan) -> Result<(), Failure> {
        if self.task.json {
            return Ok(());
        }
        let mut text = String::new();
        report::plan(&mut text, plan, self.job.verbose);
        self.streams.out.write_all(text.as_bytes()).map_err(Failure::Output)
    }

    /// Something is wrong: what would have been written is of interest to nobody.
    fn refuse(&mut self, programs: Vec<Collected>, plan: &Plan) -> Result<Exit, Failure> {
        if self.task.json {
            return self.end(programs, plan, None);
        }
        self.say("depcollect: nothing was written\n");
        Ok(self.exit)
    }

    fn end(
        &mut self,
        programs: Vec<Collected>,
        plan: &Plan,
        written: Option<Written>,
    ) -> Result<Exit, Failure> {
        let user = self.task.data.user.as_ref().map(|user| (user.uid, user.gid));
        let dist = self.task.dist.as_os_str().as_bytes();
        let collection = Collection { dist, programs, plan, written, user, lines: Vec::new() };
        if self.task.json {
            let text = report::collection_json(&collection, &self.findings, self.exit.status());
            self.streams.out.write_all(text.as_bytes()).map_err(Failure::Output)?;
        } else if !self.job.quiet {
            let mut text = String::new();
            report::collection(&mut text, &collection, self.job.verbose, self.style());
            self.say(&text);
        }
        Ok(self.exit)
    }
}
