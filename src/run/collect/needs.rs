//! What programs open at run time, taken along: rules, and the closures of the
//! modules that they bring, until there is nothing new.

use super::closing::Closer;
use super::findings::{judged, of_starts};
use super::inputs::Inputs;
use super::start_of;
use crate::finding::{Finding, Severity};
use crate::job::{CollectTask, Job};
use crate::needs::rules::Action;
use crate::needs::{CONFIG, Engine, MISSING, Need, Refusal, Want};
use crate::path::ImagePath;
use crate::plan::{Entry, Excluded, Plan, Reason, Start};
use crate::report::Needed;
use crate::run::Scene;

/// A module brings modules, and those bring others: no chain of them is longer.
const MOST_ROUNDS: usize = 8;

/// Everything that is to be started or loaded, and what it was made of.
pub(super) struct Gathered<'g, 'a> {
    pub(super) closer: &'g mut Closer<'a>,
    pub(super) inputs: &'g mut Inputs,
    pub(super) starts: &'g mut Vec<Start>,
    pub(super) excluded: &'g Excluded,
}

/// What came of the rules.
#[derive(Debug, Default)]
pub(super) struct Satisfied {
    /// What they want is gathered.
    pub(super) taken: Vec<Need>,
    /// It is left where it is.
    pub(super) suggested: Vec<Need>,
    pub(super) findings: Vec<Finding>,
    /// Rules that were typed, and nothing sets off.
    pub(super) unasked: Vec<Finding>,
}

/// Adds to what is gathered, until nothing of it needs more.
pub(super) fn satisfy(
    job: &Job,
    task: &CollectTask,
    scene: &Scene<'_>,
    gathered: &mut Gathered<'_, '_>,
) -> Result<Satisfied, Refusal> {
    let mut engine = Engine::new(task.needs.clone(), given(task))?;
    let mut satisfied = Satisfied::default();
    if engine.is_idle() {
        return Ok(satisfied);
    }
    let mut next = 0;
    for _ in 0..MOST_ROUNDS {
        let first = next;
        next = gathered.starts.len();
        if first == next {
            break;
        }
        for at in first..next {
            for mut need in needs_of(&mut engine, gathered, at) {
                need.wanted.findings.retain(|one| !is_met(one, gathered));
                let said = need.wanted.findings.iter().filter_map(|one| judged(one, task.allow_missing));
                need.wanted.findings = said.collect();
                satisfied.add(job, scene, gathered, need);
            }
        }
        close_new(scene, gathered, &mut satisfied.findings);
    }
    satisfied.unasked = task.needs.with.iter().filter_map(|id| engine.unasked(id)).collect();
    Ok(satisfied)
}

impl Satisfied {
    fn add(&mut self, job: &Job, scene: &Scene<'_>, gathered: &mut Gathered<'_, '_>, mut need: Need) {
        // An option that nobody has typed is not what it is about.
        let of_option = need.wanted.findings.iter_mut().filter(|one| one.subject.starts_with(b"--"));
        of_option.for_each(|one| one.subject = need.rule.into());
        let has_wants = !need.wanted.wants.is_empty();
        match need.action {
            Action::Suggest if has_wants => {
                self.findings.extend(need.wanted.findings.iter().filter(is_of_files).map(of_suggested));
                self.suggested.push(need);
            }
            Action::Suggest => self.findings.extend(need.wanted.findings.iter().map(of_suggested)),
            Action::Collect => {
                self.findings.extend(need.wanted.findings.iter().cloned());
                if take(job, scene, gathered, &mut need) {
                    self.taken.push(need);
                }
            }
        }
    }

    /// Suggestions with what they want, as if it were taken; of what that needs
    /// in turn nobody is told.
    pub(super) fn gather_suggested(&mut self, job: &Job, scene: &Scene<'_>, gathered: &mut Gathered<'_, '_>) {
        self.suggested.retain_mut(|need| take(job, scene, gathered, need));
        close_new(scene, gathered, &mut Vec::new());
    }

    /// A line for each that is left where it is.
    pub(super) fn suggestions(&self) -> Vec<Finding> {
        self.suggested.iter().map(suggestion).collect()
    }
}

/// Somebody has put there what is missing, or expects it from elsewhere.
fn is_met(finding: &Finding, gathered: &Gathered<'_, '_>) -> bool {
    let name = &finding.subject;
    finding.code == MISSING && (gathered.excluded.has_name(name) || gathered.inputs.has_name(name))
}

/// It is about the files that were read to know what is wanted.
fn is_of_files(finding: &&Finding) -> bool {
    matches!(finding.code, CONFIG | MISSING)
}

/// Without what is not taken along nothing else of it matters to the tree.
fn of_suggested(finding: &Finding) -> Finding {
    Finding { severity: finding.severity.min(Severity::Warning), ..finding.clone() }
}

/// The data options that were typed.
fn given(task: &CollectTask) -> Vec<&'static str> {
    let data = &task.data;
    let given = [
        (data.ca_certs.is_some(), "--ca-certs"),
        (data.tz.is_some(), "--tz"),
        (data.user.is_some(), "--user"),
        (data.nsswitch, "--nsswitch"),
        (!data.locales.is_empty(), "--locale"),
    ];
    given.into_iter().filter(|(is_given, _)| *is_given).map(|(_, option)| option).collect()
}

fn needs_of(engine: &mut Engine, gathered: &mut Gathered<'_, '_>, at: usize) -> Vec<Need> {
    let start = &gathered.starts[at];
    let is_named = !start.is_by_rule();
    let session = gathered.closer.session();
    let closures = start.closures.iter();
    closures.flat_map(|(_, closure)| engine.needs(session, closure, is_named)).collect()
}

/// Whether something of it was left to be taken.
fn take(job: &Job, scene: &Scene<'_>, gathered: &mut Gathered<'_, '_>, need: &mut Need) -> bool {
    let reason = reason_of(need);
    let mut is_taken = false;
    for want in std::mem::take(&mut need.wanted.wants) {
        let at = place_of(&want);
        if gathered.excluded.has_path(at) {
            gathered.inputs.left_out.push(at.to_vec());
        } else if !gathered.inputs.placed_at(at) {
            gathered.inputs.need(job, scene, gathered.closer.session(), want, &reason);
            is_taken = true;
        }
    }
    is_taken
}

fn reason_of(need: &Need) -> Reason {
    Reason::Need { rule: need.rule.into(), trigger: need.trigger.clone() }
}

fn place_of(want: &Want) -> &[u8] {
    match want {
        Want::Path(at)
        | Want::Host { at, .. }
        | Want::Made { at, .. }
        | Want::Dir { at, .. }
        | Want::Link { at, .. } => at,
    }
}

fn suggestion(need: &Need) -> Finding {
    let remark = need.remark().map_or(String::new(), |remark| format!("; {remark}"));
    let said = format!("not taken along (`{}`){remark}", need.cure);
    let about = need.about().map_or(Vec::new(), |about| [about, b": "].concat());
    let (subject, message) = (need.rule.into(), [about, said.into_bytes()].concat());
    Finding { severity: Severity::Note, code: "suggest", subject, message, hint: None }
}

/// What of the plan is there for each need, beside what is there without it.
pub(super) fn in_plan<'p>(plan: &'p Plan, satisfied: &'p Satisfied) -> Vec<Needed<'p>> {
    let needed = |need: &'p Need| {
        let own_reason = reason_of(need);
        let is_own = |(_, entry): &(&ImagePath, &Entry)| entry.reasons.contains(&own_reason);
        Needed { need, entries: plan.entries().filter(is_own).collect() }
    };
    satisfied.taken.iter().chain(&satisfied.suggested).map(needed).collect()
}

/// The closures of new modules. One that would not load is left out again: the
/// program does without it, or says so itself.
fn close_new(scene: &Scene<'_>, gathered: &mut Gathered<'_, '_>, said: &mut Vec<Finding>) {
    let first = gathered.starts.len();
    for input in &gathered.inputs.starts[first..] {
        let start = start_of(gathered.closer, input);
        gathered.starts.push(start);
    }
    let errors = of_starts(scene.root, gathered.starts, gathered.excluded, false);
    let errors: Vec<Finding> = errors.into_iter().filter(|one| one.severity >= Severity::Error).collect();
    for at in (first..gathered.starts.len()).rev() {
        let program = &gathered.starts[at].closures[0].1.program;
        let Some(error) = errors.iter().find(|error| error.subject == *program) else { continue };
        said.push(Finding {
            severity: Severity::Note,
            code: "module",
            subject: program.clone(),
            message: [b"left out: ", &error.message[..]].concat(),
            hint: None,
        });
        gathered.starts.remove(at);
        gathered.inputs.starts.remove(at);
    }
}
