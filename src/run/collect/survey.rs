//! What one word of the command line needs: found as a collection finds it, and
//! written nowhere.

use super::closing::Closer;
use super::findings::of_starts;
use super::inputs::Inputs;
use super::needs::{self, Gathered, Satisfied};
use super::planning::plan_of;
use super::start_of;
use crate::closure::Closure;
use crate::finding::Finding;
use crate::job::{CollectTask, Job};
use crate::needs::{PASTE, Refusal};
use crate::plan::{Error, Excluded, Plan, Start};
use crate::report::{NeedsOf, NeedsStarted};
use crate::run::problem::Problem;
use crate::run::{Scene, words};

/// Surveys one word after the other, and remembers the files.
pub(in crate::run) struct Surveyor<'a> {
    scene: &'a Scene<'a>,
    closer: Closer<'a>,
}

/// What there is to tell about a word.
#[derive(Default)]
pub(in crate::run) struct Survey {
    starts: Vec<Start>,
    needs: Satisfied,
    plan: Plan,
    pub(in crate::run) findings: Vec<Finding>,
    /// It cannot be looked at.
    pub(in crate::run) problems: Vec<Problem>,
}

impl<'a> Surveyor<'a> {
    pub(in crate::run) fn new(scene: &'a Scene<'a>) -> Self {
        Surveyor { scene, closer: Closer::new(scene) }
    }

    pub(in crate::run) fn survey(&mut self, job: &Job, task: &CollectTask) -> Result<Survey, Refusal> {
        let scene = self.scene;
        let mut inputs = Inputs::of(job, task, scene, self.closer.session());
        let mut starts: Vec<Start> =
            inputs.starts.iter().map(|input| start_of(&mut self.closer, input)).collect();
        let excluded = Excluded::default();
        let mut gathered = Gathered {
            closer: &mut self.closer,
            inputs: &mut inputs,
            starts: &mut starts,
            excluded: &excluded,
        };
        let mut needs = needs::satisfy(job, task, scene, &mut gathered)?;
        let mut findings = of_starts(scene.root, gathered.starts, &excluded, false);
        findings.append(&mut needs.findings);
        // So that each is shown with its files.
        needs.gather_suggested(job, scene, &mut gathered);
        let mut problems = std::mem::take(&mut inputs.problems);
        findings.append(&mut inputs.findings);
        // A line for a Dockerfile stands with its rule.
        findings.retain(|one| one.code != PASTE);
        let plan = plan_of(scene.root, task, &starts, &inputs.pieces, &excluded).unwrap_or_else(|error| {
            problems.push(of_plan(&error));
            Plan::default()
        });
        Ok(Survey { starts, needs, plan, findings, problems })
    }
}

impl Survey {
    pub(in crate::run) fn of_problem(problem: Problem) -> Survey {
        Survey { problems: vec![problem], ..Survey::default() }
    }

    pub(in crate::run) fn report<'s>(&'s self, program: &'s [u8]) -> NeedsOf<'s> {
        let named =
            self.starts.iter().filter(|start| !start.is_by_rule()).flat_map(|start| start.closures.first());
        let closures: Vec<&Closure> = named.map(|(_, closure)| closure).collect();
        let started = match closures.iter().any(|closure| closure.family.is_some()) {
            true => NeedsStarted::ByLoader,
            false if closures.is_empty() => NeedsStarted::Never,
            false => NeedsStarted::Static,
        };
        let loads = closures.iter().map(|closure| closure.objects.len() - 1).sum();
        let needs = needs::in_plan(&self.plan, &self.needs);
        NeedsOf { program, started, loads, needs, plan: &self.plan, findings: &self.findings }
    }
}

fn of_plan(error: &Error) -> Problem {
    match error {
        Error::Io { path, cause } => Problem::new(path, "read", words(cause)),
        Error::Conflict(conflict) => {
            let both = [&conflict.want[..], b" and ", &conflict.have].concat().escape_ascii().to_string();
            Problem::new(conflict.at.as_bytes(), "place", format!("{both} are to be there"))
        }
    }
}
