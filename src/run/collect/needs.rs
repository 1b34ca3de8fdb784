//! What programs open at run time, taken along: rules, and the closures of the
//! modules that they bring, until there is nothing new.

use super::closing::Closer;
use super::findings::of_starts;
use super::inputs::Inputs;
use super::start_of;
use crate::finding::{Finding, Severity};
use crate::job::{CollectTask, Job};
use crate::needs::rules::{self, Action, Data, Take};
use crate::needs::{Engine, Need, Refusal, Want};
use crate::plan::{Excluded, Reason, Start};
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

/// Adds to what is gathered, and says what was added and what was not.
pub(super) fn satisfy(
    job: &Job,
    task: &CollectTask,
    scene: &Scene<'_>,
    gathered: &mut Gathered<'_, '_>,
) -> Result<Vec<Finding>, Refusal> {
    let mut engine = Engine::new(task.needs.clone(), given(task))?;
    let mut said = Vec::new();
    if engine.is_idle() {
        return Ok(said);
    }
    let mut taken = Vec::new();
    let mut next = 0;
    for _ in 0..MOST_ROUNDS {
        let first = next;
        next = gathered.starts.len();
        if first == next {
            break;
        }
        for at in first..next {
            for need in needs_of(&mut engine, gathered, at) {
                match need.action {
                    Action::Suggest if need.wanted.wants.is_empty() => said.extend(need.wanted.findings),
                    Action::Suggest => said.push(suggestion(need)),
                    Action::Collect => {
                        let rule = need.rule;
                        if take(job, scene, gathered, need, &mut said) && !taken.contains(&rule) {
                            taken.push(rule);
                        }
                    }
                }
            }
        }
        close_new(scene, gathered, &mut said);
    }
    said.extend(task.needs.with.iter().filter_map(|id| engine.unasked(id)));
    said.extend(summary(&taken));
    said.extend(hides_base(task, &taken));
    Ok(said)
}

/// One line: the entries say more.
fn summary(taken: &[&str]) -> Option<Finding> {
    let note = |message: String, hint: &str| Finding {
        severity: Severity::Note,
        code: "needs",
        subject: b"opened at run time".to_vec(),
        message: message.into_bytes(),
        hint: Some(hint.as_bytes().to_vec()),
    };
    let hint = "`-v` says which files, and why; `--without RULE` leaves them out";
    (!taken.is_empty()).then(|| note(format!("taken along by the rules {}", taken.join(", ")), hint))
}

/// Who copies a tree over a base replaces what the base has there.
fn hides_base(task: &CollectTask, taken: &[&str]) -> Option<Finding> {
    let is_generated = |rule: &&str| {
        let rule = rules::all().iter().find(|one| one.id == *rule);
        let hides = |take: &Take| matches!(take, Take::Data(Data::Users | Data::Nsswitch));
        rule.is_some_and(|rule| rule.takes.iter().any(hides))
    };
    let hiding = taken.iter().copied().filter(is_generated).collect::<Vec<_>>().join(", ");
    (task.onto.is_none() && !hiding.is_empty()).then(|| Finding {
        severity: Severity::Note,
        code: "hides-base",
        subject: hiding.into_bytes(),
        message: b"files of /etc are made: COPY over a base replaces its own".to_vec(),
        hint: Some(b"FROM scratch has none; for a base, --onto BASE keeps them".to_vec()),
    })
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
    let is_named = !matches!(start.reason, Reason::Need { .. });
    let session = gathered.closer.session();
    let closures = start.closures.iter();
    closures.flat_map(|(_, closure)| engine.needs(session, closure, is_named)).collect()
}

/// Whether something of it was left to be taken.
fn take(
    job: &Job,
    scene: &Scene<'_>,
    gathered: &mut Gathered<'_, '_>,
    need: Need,
    said: &mut Vec<Finding>,
) -> bool {
    let reason = Reason::Need { rule: need.rule.into(), trigger: need.trigger };
    said.extend(need.wanted.findings);
    let mut is_taken = false;
    for want in need.wanted.wants {
        let is_wanted = |at: &[u8]| !gathered.excluded.has_path(at) && !gathered.inputs.placed_at(at);
        if is_wanted(place_of(&want)) {
            gathered.inputs.need(job, scene, gathered.closer.session(), want, &reason);
            is_taken = true;
        }
    }
    is_taken
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

fn suggestion(need: Need) -> Finding {
    let message = match &need.prevents[..] {
        "" => "not taken along".to_owned(),
        prevents => format!("not taken along; without it: {prevents}"),
    };
    let subject = [need.rule.as_bytes(), b", because of ", &need.trigger].concat();
    let hint = Some(format!("`{}` takes it along", need.cure).into_bytes());
    Finding { severity: Severity::Note, code: "suggest", subject, message: message.into_bytes(), hint }
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
    let errors: Vec<Finding> = errors.into_iter().filter(|one| one.severity == Severity::Error).collect();
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
