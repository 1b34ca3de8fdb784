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
use self::log::{Log, Told};
use self::needs::{Gathered, Satisfied};
use self::planning::plan_of;
use self::tree::{Piece, What};
use super::problem::Problem;
use super::{Failure, Scene, Streams};
use crate::finding::{Exit, Finding, Severity};
use crate::job::{CollectTask, Job, Output};
use crate::output::{self, Options};
use crate::path::{ImagePath, dirname};
use crate::plan::{self, Excluded, Plan, Reason, Source, Sources, Start, kept};
use crate::report::{Collected, Written};
use crate::root::dir::DirRoot;
use crate::root::{DirId, Root, resolve};

mod base;
mod closing;
mod data;
mod findings;
mod image;
mod inputs;
mod log;
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

    let named = Named { starts: &starts, pieces: &inputs.pieces, excluded: &excluded };
    let mut told = Told {
        programs: programs_of(scene.root, &starts, &excluded),
        entry: entry_of(scene.root, &starts, &inputs.pieces),
        needs: &needs,
    };
    let mut plan = Plan::default();
    match carry_out(scene, &named, &mut log, &mut told, &mut plan) {
        Ok(Done::Refused) => log.refuse(told, &plan),
        Ok(Done::Shown) => log.end(told, &plan, None),
        Ok(Done::Written(written)) => log.end(told, &plan, Some(written)),
        Err(Stop::Unplanned(error)) => log.cannot_plan(told, &plan, &error),
        Err(Stop::Failed(failure)) => log.fail(told, &plan, failure),
    }
}

/// Everything that was named, and what that loads.
#[derive(Clone, Copy)]
struct Named<'a> {
    starts: &'a [Start],
    pieces: &'a [Piece],
    excluded: &'a Excluded,
}

/// How far a collection came.
enum Done {
    /// Findings tell why it went no further.
    Refused,
    /// It was a dry run.
    Shown,
    Written(Written),
}

/// Why it went no further.
enum Stop {
    Unplanned(plan::Error),
    Failed(Failure),
}

impl From<plan::Error> for Stop {
    fn from(error: plan::Error) -> Stop {
        Stop::Unplanned(error)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Failed(failure)
    }
}

/// Everything is known; nothing was written, and nothing is if something is wrong.
fn carry_out(
    scene: &Scene<'_>,
    named: &Named<'_>,
    log: &mut Log<'_, '_>,
    told: &mut Told<'_>,
    plan: &mut Plan,
) -> Result<Done, Stop> {
    let (job, task) = (log.job, log.task);
    *plan = plan_of(scene.root, task, named.starts, named.pieces, named.excluded)?;
    if log.exit != Exit::Fine {
        return Ok(Done::Refused);
    }
    let dist = Dist::of(job, task, &sources_of(job, plan))?;
    let below = Below { dist: dist.earlier()?, base: base_of(job, task)? };
    log.add(image::settle(plan, &below.ground(scene, task, named))?);
    if log.exit != Exit::Fine {
        return Ok(Done::Refused);
    }
    if below.base.is_some() {
        note_base(&mut told.programs, scene.root, named, plan);
    }
    if let Some(dist) = &below.dist {
        plan.keep_times(dist);
    }
    log.add(remarks::of_plan(scene.root, task, named.starts, plan));
    if task.dry_run {
        log.show(plan)?;
        return Ok(Done::Shown);
    }
    log.progress(plan);
    let options = Options { force: task.force, epoch: task.epoch, threads: (job.threads)() };
    let done = dist.write(plan, Sources { root: scene.root }, options, log.streams.out);
    log.end_progress();
    let done = done?;
    log.add(dropped(&done));
    Ok(Done::Written(Written {
        files: done.files_written,
        bytes: done.bytes_written,
        unchanged: done.unchanged,
    }))
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
    fn ground<'a>(&'a self, scene: &Scene<'a>, task: &'a CollectTask, named: &'a Named<'a>) -> Ground<'a> {
        let root = |tree: &'a Option<DirRoot>| tree.as_ref().map(|tree| tree as &dyn Root);
        let (dist, base) = (root(&self.dist), root(&self.base));
        Ground {
            task,
            starts: named.starts,
            excluded: named.excluded,
            root: scene.root,
            files: scene.files,
            dist,
            base,
        }
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
fn note_base(programs: &mut [Collected], root: &dyn Root, named: &Named<'_>, plan: &Plan) {
    for (program, start) in programs.iter_mut().zip(named.starts.iter().filter(is_named)) {
        let (_, closure) = &start.closures[0];
        let loaded =
            kept(root, closure, named.excluded).into_iter().skip(1).map(|(id, _)| closure.object(id));
        program.of_base = loaded.filter(|object| !plan.holds(object.found.file.stat.id)).count();
    }
}
