//! `collect`: what was named, what that loads, a plan of it, the plan checked,
//! the tree written.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use self::closing::Closer;
use self::findings::of_starts;
use self::image::Ground;
use self::inputs::{Input, Inputs};
use self::needs::{Gathered, Satisfied};
use self::planning::plan_of;
use self::tree::{Piece, What};
use super::problem::Problem;
use super::{Failure, Scene, Streams};
use crate::finding::{Exit, Finding, Severity};
use crate::job::{CollectTask, Job, Output};
use crate::needs::PASTE;
use crate::output::{self, Options};
use crate::path::{ImagePath, dirname};
use crate::plan::{self, Excluded, Plan, Reason, Source, Sources, Start, kept};
use crate::report::{self, Collected, Collection, Style, Written};
use crate::root::dir::DirRoot;
use crate::root::{DirId, Root, resolve};

mod base;
mod closing;
mod data;
mod findings;
mod image;
mod inputs;
mod needs;
mod outside;
mod planning;
mod remarks;
mod survey;
mod tree;

pub(super) use self::survey::{Survey, Surveyor};

pub(super) fn collect(
    job: &Job,
    task: &CollectTask,
    scene: &Scene<'_>,
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    let mut log = Log { job, task, streams, findings: Vec::new(), paste: Vec::new(), exit: Exit::Fine };
    let mut closer = Closer::new(scene);
    let mut inputs = Inputs::of(job, task, scene, closer.session());
    log.problems(&inputs.problems);

    let excluded = inputs.excluded.clone();
    let mut starts: Vec<Start> = inputs.starts.iter().map(|input| start_of(&mut closer, input)).collect();
    let mut gathered =
        Gathered { closer: &mut closer, inputs: &mut inputs, starts: &mut starts, excluded: &excluded };
    let mut needs = needs::satisfy(job, task, scene, &mut gathered).unwrap_or_else(|refusal| {
        log.problems(&[Problem::of_refusal(refusal)]);
        Satisfied::default()
    });
    log.add(std::mem::take(&mut inputs.findings));
    log.add(std::mem::take(&mut needs.findings));
    log.add(std::mem::take(&mut needs.unasked));
    log.add(needs.suggestions());
    log.add(of_starts(scene.root, &starts, &excluded, task.allow_missing));

    // Everything is known; nothing was written, and nothing is if something is wrong.
    let mut plan = match plan_of(scene.root, task, &starts, &inputs.pieces, &excluded) {
        Ok(plan) => plan,
        Err(error) => return log.cannot_plan(&error),
    };
    let mut told = Told {
        programs: programs_of(scene.root, &starts, &excluded),
        entry: entry_of(scene.root, &starts, &inputs.pieces),
        needs: &needs,
    };
    if log.exit != Exit::Fine {
        return log.refuse(told, &plan);
    }
    let dist = Dist::of(job, task, &sources_of(job, &plan))?;
    let below = Below { dist: dist.earlier()?, base: base_of(job, task)? };
    match image::settle(&mut plan, &starts, &excluded, task, &below.ground(scene)) {
        Ok(findings) => log.add(findings),
        Err(error) => return log.cannot_plan(&error),
    }
    if log.exit != Exit::Fine {
        return log.refuse(told, &plan);
    }
    if below.base.is_some() {
        note_base(&mut told.programs, scene.root, &starts, &excluded, &plan);
    }
    if let Some(dist) = &below.dist {
        plan.keep_times(dist);
    }
    log.add(remarks::of_plan(scene.root, task, &starts, &plan));
    if task.dry_run {
        log.show(&plan)?;
        return log.end(told, &plan, None);
    }
    log.progress(&plan);
    let options = Options { force: task.force, epoch: task.epoch, threads: (job.threads)() };
    let done = dist.write(&plan, Sources { root: scene.root }, options, log.streams.out);
    log.end_progress();
    let done = done?;
    log.add(dropped(&done));
    let written = Written { files: done.files_written, bytes: done.bytes_written, unchanged: done.unchanged };
    log.end(told, &plan, Some(written))
}

/// Where the tree goes. Until it is written nobody else may write there.
enum Dist {
    Dir(output::dir::Target),
    /// An archive, into a file.
    Archive(PathBuf),
    /// An archive, to stdout.
    Stream,
    /// What is there is only looked at.
    DryRun(PathBuf),
}

impl Dist {
    fn of(job: &Job, task: &CollectTask, inputs: &[PathBuf]) -> Result<Dist, Failure> {
        let path = job.cwd.join(&task.dist);
        if task.dry_run {
            return Ok(Dist::DryRun(path));
        }
        match task.output {
            Output::Tar if task.dist.as_os_str() == "-" => Ok(Dist::Stream),
            Output::Tar => Ok(Dist::Archive(path)),
            Output::Dir => {
                output::dir::Target::open(&path, inputs, task.force).map(Dist::Dir).map_err(Failure::Write)
            }
        }
    }

    fn earlier(&self) -> Result<Option<DirRoot>, Failure> {
        match self {
            Dist::Dir(target) => target.earlier().map_err(Failure::Write),
            Dist::DryRun(path) => Ok(DirRoot::open(path).ok()),
            Dist::Archive(_) | Dist::Stream => Ok(None),
        }
    }

    fn write(
        &self,
        plan: &Plan,
        sources: Sources<'_>,
        options: Options,
        out: &mut dyn Write,
    ) -> Result<output::Done, Failure> {
        match self {
            Dist::Dir(target) => target.write(plan, sources, options),
            Dist::Archive(path) => output::tar::write_file(plan, sources, path, options),
            Dist::Stream => output::tar::write(plan, sources, out, options),
            Dist::DryRun(_) => Ok(output::Done::default()),
        }
        .map_err(Failure::Write)
    }
}

/// What a user without rights, or a file system, could not keep.
fn dropped(done: &output::Done) -> Vec<Finding> {
    let finding = |(at, what): &(ImagePath, &'static str)| Finding {
        severity: Severity::Warning,
        code: "dropped",
        subject: at.as_bytes().to_vec(),
        message: what.as_bytes().to_vec(),
        hint: None,
    };
    done.dropped.iter().map(finding).collect()
}

/// The directories of the host that are copied from.
fn sources_of(job: &Job, plan: &Plan) -> Vec<PathBuf> {
    let top = job.cwd.join(&job.root);
    let (mut below, mut dirs) = (BTreeSet::new(), BTreeSet::new());
    for (_, content) in plan.contents() {
        match &content.source {
            Source::Root { path, .. } => below.extend(dirname(path.as_bytes())),
            Source::Host { path, .. } => dirs.extend(path.parent().map(Path::to_owned)),
            Source::Made(_) => {}
        }
    }
    let in_top = |dir: &[u8]| top.join(OsStr::from_bytes(dir.strip_prefix(b"/").unwrap_or(dir)));
    dirs.extend(below.into_iter().map(in_top));
    dirs.into_iter().collect()
}

fn base_of(job: &Job, task: &CollectTask) -> Result<Option<DirRoot>, Failure> {
    let open = |path: &PathBuf| {
        let path = job.cwd.join(path);
        DirRoot::open(&path).map_err(|cause| Failure::Open {
            path: path.into_os_string().into_vec(),
            cause: super::words(&cause),
            hint: None,
        })
    };
    task.onto.as_ref().map(open).transpose()
}

/// The trees that the new one lies over.
struct Below {
    dist: Option<DirRoot>,
    base: Option<DirRoot>,
}

impl Below {
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

/// The one program or script that was named, by its path in the image. A
/// library that was named starts nothing.
fn entry_of(root: &dyn Root, starts: &[Start], pieces: &[Piece]) -> Option<Vec<u8>> {
    let is_entry = |start: &&Start| start.reason == Reason::Program && !start.is_module;
    let started = starts.iter().filter(is_entry).map(image::place_of);
    let script = |piece: &Piece| match &piece.what {
        What::File { path, dest, .. } if piece.reason == Reason::Program => {
            Some(dest.as_ref().map_or(path.clone(), |dest| dest.as_bytes().to_vec()))
        }
        What::File { .. }
        | What::Host { .. }
        | What::Tree { .. }
        | What::Made { .. }
        | What::Dir { .. }
        | What::Link { .. } => None,
    };
    let mut named = started.chain(pieces.iter().filter_map(script));
    named.next().filter(|_| named.next().is_none()).map(|path| plainly(root, path))
}

/// Without `.`, `//` and `..`. What climbs is the file that it leads to.
fn plainly(root: &dyn Root, path: Vec<u8>) -> Vec<u8> {
    let real = || resolve(root, DirId::TOP, &path).ok().map(|found| ImagePath::from(found.real_path(root)));
    ImagePath::parse(&path).or_else(real).map_or_else(|| path.clone(), |at| at.as_bytes().to_vec())
}

/// Those that somebody named, with how much each brings.
fn programs_of(root: &dyn Root, starts: &[Start], excluded: &Excluded) -> Vec<Collected> {
    let program = |start: &Start| {
        let (_, closure) = &start.closures[0];
        Collected {
            path: closure.program.clone(),
            family: closure.family,
            files: kept(root, closure, excluded).len() - 1,
            of_base: 0,
            levels: start.closures.iter().filter_map(|(level, _)| *level).collect(),
        }
    };
    starts.iter().filter(is_named).map(program).collect()
}

fn is_named(start: &&Start) -> bool {
    matches!(start.reason, Reason::Program | Reason::ScriptInterpreter { .. })
}

/// How much of that the base has.
fn note_base(
    programs: &mut [Collected],
    root: &dyn Root,
    starts: &[Start],
    excluded: &Excluded,
    plan: &Plan,
) {
    for (program, start) in programs.iter_mut().zip(starts.iter().filter(is_named)) {
        let (_, closure) = &start.closures[0];
        let loaded = kept(root, closure, excluded).into_iter().skip(1).map(|(id, _)| closure.object(id));
        program.of_base = loaded.filter(|object| !plan.holds(object.found.file.stat.id)).count();
    }
}

/// What is said on the way, and what the process will say at its end.
struct Log<'l, 'w> {
    job: &'l Job,
    task: &'l CollectTask,
    streams: &'l mut Streams<'w>,
    findings: Vec<Finding>,
    /// Lines for a Dockerfile.
    paste: Vec<Vec<u8>>,
    exit: Exit,
}

/// What there is to tell about a tree, beside the tree itself.
struct Told<'t> {
    programs: Vec<Collected>,
    /// What the image starts, if that is one thing.
    entry: Option<Vec<u8>>,
    needs: &'t Satisfied,
}

impl Log<'_, '_> {
    fn style(&self) -> Style {
        Style { colour: self.job.colour.stderr }
    }

    fn say(&mut self, text: &str) {
        // If nobody listens to stderr, the tree still counts.
        let _ = self.streams.err.write_all(text.as_bytes());
    }

    /// For whoever watches a terminal; the summary takes its place.
    fn progress(&mut self, plan: &Plan) {
        if self.job.is_watched && !self.job.quiet {
            let text = report::progress(plan);
            self.say(&text);
        }
    }

    fn end_progress(&mut self) {
        if self.job.is_watched && !self.job.quiet {
            self.say("\r\x1b[K");
        }
    }

    fn problems(&mut self, problems: &[Problem]) {
        for problem in problems {
            let mut text = String::new();
            let hint = problem.hint.as_deref();
            report::problem(&mut text, problem.verb, &problem.path, &problem.cause, hint, self.style());
            self.say(&text);
            self.findings.push(problem.to_finding());
            self.exit = Exit::Trouble;
        }
    }

    fn add(&mut self, findings: Vec<Finding>) {
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
        self.say("depcollect: nothing was written\n");
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
    fn refuse(&mut self, told: Told<'_>, plan: &Plan) -> Result<Exit, Failure> {
        if self.task.json {
            return self.end(told, plan, None);
        }
        self.say("depcollect: nothing was written\n");
        Ok(self.exit)
    }

    fn end(&mut self, told: Told<'_>, plan: &Plan, written: Option<Written>) -> Result<Exit, Failure> {
        let dist = self.task.dist.as_os_str().as_bytes();
        let lines = self.paste.clone();
        let needs = needs::in_plan(plan, told.needs);
        let Told { programs, entry, .. } = told;
        let is_for_scratch = self.task.onto.is_none();
        let collection = Collection { dist, programs, needs, plan, is_for_scratch, written, entry, lines };
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
