//! `collect`: what was named, what that loads, a plan of it, the plan checked,
//! the tree written.

use std::collections::BTreeSet;

use self::closing::Closer;
use self::dist::{Dist, base_of, dropped, sources_of};
use self::findings::{MISSING, of_starts, still_missing};
use self::image::Ground;
use self::inputs::{Input, Inputs};
use self::log::{Log, Told};
use self::needs::{Gathered, Satisfied};
use self::planning::plan_of;
use self::tree::{Piece, What};
use super::problem::Problem;
use super::{Failure, Scene, Streams};
use crate::closure::{Edge, Want};
use crate::finding::{Exit, Finding};
use crate::job::{CollectTask, Job};
use crate::output::Options;
use crate::path::ImagePath;
use crate::plan::{self, Excluded, Plan, Reason, Sources, Start, kept};
use crate::report::{Collected, Written};
use crate::root::dir::DirRoot;
use crate::root::{DirId, Root, resolve};

mod base;
mod closing;
mod data;
mod dist;
mod excluded;
mod findings;
mod image;
mod inputs;
mod links;
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
    let mut log = Log::new(job, task, streams);
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
    let (missing, said): (Vec<Finding>, Vec<Finding>) =
        of_starts(scene.root, &starts, &excluded, task.allow_missing)
            .into_iter()
            .partition(|finding| finding.code == MISSING);
    log.add(said);
    log.held = missing;

    let programs = programs_of(scene.root, &starts, &excluded);
    if log.exit == Exit::Fine {
        log.add(excluded::unmatched(scene.root, &starts, &inputs));
        log.add(if task.onto.is_none() { excluded::without_loader(&programs) } else { Vec::new() });
    }

    let named = Named { starts: &starts, pieces: &inputs.pieces, excluded: &excluded };
    let mut told = Told { programs, entry: entry_of(scene.root, &starts, &inputs.pieces), needs: &needs };
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
    let base = base_of(job, task)?;
    let dist = Dist::of(job, task, &sources_of(job, plan))?;
    let below = Below { dist: dist.earlier()?, base };
    let ground = below.ground(scene, task, named);
    let settled = image::settle(plan, &ground)?;
    if !log.held.is_empty() {
        log.held.clear();
        log.add(still_missing(plan, &ground, &settled.unmet(plan, &ground)));
    }
    log.add(settled.findings);
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
    let sources = Sources { root: scene.root };
    let options = Options { force: task.force, epoch: task.epoch, threads: (job.threads)() };
    if task.dry_run {
        log.show(plan)?;
        log.add(dist.compare(plan, sources, options)?.into_iter().collect());
        return Ok(Done::Shown);
    }
    log.progress(plan);
    let done = dist.write(plan, sources, options, log.streams.out);
    log.end_progress();
    let done = done?;
    log.add(dropped(&done));
    Ok(Done::Written(Written {
        files: done.files_written,
        bytes: done.bytes_written,
        unchanged: done.unchanged,
    }))
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
            pieces: named.pieces,
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
        let kept = kept(root, closure, excluded);
        let is_loader = |(_, edge): &(_, Option<&Edge>)| edge.is_some_and(|edge| edge.want == Want::Interp);
        Collected {
            path: closure.program.clone(),
            family: closure.family,
            files: kept.len() - 1,
            has_loader: kept.iter().any(is_loader),
            of_base: 0,
            levels: start.closures.iter().filter_map(|(level, _)| *level).collect(),
        }
    };
    named_once(starts).into_iter().map(program).collect()
}

/// A program that was named twice is told once.
fn named_once(starts: &[Start]) -> Vec<&Start> {
    let mut known = BTreeSet::new();
    let is_named =
        |start: &&Start| matches!(start.reason, Reason::Program | Reason::ScriptInterpreter { .. });
    starts.iter().filter(is_named).filter(|start| known.insert(&start.closures[0].1.program)).collect()
}

/// How much of that the base has.
fn note_base(programs: &mut [Collected], root: &dyn Root, named: &Named<'_>, plan: &Plan) {
    for (program, start) in programs.iter_mut().zip(named_once(named.starts)) {
        let (_, closure) = &start.closures[0];
        let loaded =
            kept(root, closure, named.excluded).into_iter().skip(1).map(|(id, _)| closure.object(id));
        program.of_base = loaded.filter(|object| !plan.holds(object.found.file.stat.id)).count();
    }
}
