//! What the loader would say about the programs, as it counts for a collection.

use std::collections::BTreeSet;

use super::image::{Ground, place_of};
use crate::check::{self, Unmet};
use crate::closure::{Closure, Outcome};
use crate::finding::{Finding, Severity};
use crate::plan::{Excluded, Node, Plan, Start, kept};
use crate::root::Root;

/// The findings of all starts at all levels, each once.
pub(super) fn of_starts(
    root: &dyn Root,
    starts: &[Start],
    excluded: &Excluded,
    allow_missing: bool,
) -> Vec<Finding> {
    chosen(root, starts, excluded, allow_missing, &|_, finding| Some(finding.clone()))
}

pub(super) const MISSING: &str = "missing";

/// Those of libraries that are missing in the root, and in the image too.
pub(super) fn still_missing(plan: &Plan, ground: &Ground<'_>, unmet: &Unmet) -> Vec<Finding> {
    let choose = |start: &Start, finding: &Finding| {
        let names = unmet.get(&place_of(start));
        let is_unmet = names.is_none_or(|names| names.contains(&finding.subject));
        (finding.code == MISSING && is_unmet).then(|| with_place(plan, finding))
    };
    chosen(ground.root, ground.starts, ground.excluded, ground.task.allow_missing, &choose)
}

/// The tree may have it all the same.
fn with_place(plan: &Plan, finding: &Finding) -> Finding {
    let mut entries = plan.entries();
    let placed =
        entries.find(|(at, entry)| at.name() == finding.subject && !matches!(entry.node, Node::Dir(_)));
    let hint = placed.map(|(at, _)| check::not_looked_at(at.as_bytes()));
    Finding { hint: hint.or(finding.hint.clone()), ..finding.clone() }
}

fn chosen(
    root: &dyn Root,
    starts: &[Start],
    excluded: &Excluded,
    allow_missing: bool,
    choose: &dyn Fn(&Start, &Finding) -> Option<Finding>,
) -> Vec<Finding> {
    let names = names_of(starts);
    let mut found: Vec<Finding> = injected(starts);
    for start in starts {
        for (_, closure) in &start.closures {
            let missed = missed(root, closure, excluded);
            let told = closure.findings.iter().filter(|one| is_told(one, start, &missed, &names));
            for finding in told.filter_map(|one| choose(start, one)) {
                let Some(finding) = judged(&finding, allow_missing) else { continue };
                let finding = about(finding, &closure.program);
                if !found.contains(&finding) {
                    found.push(finding);
                }
            }
        }
    }
    found
}

fn is_told(finding: &Finding, start: &Start, missed: &BTreeSet<&[u8]>, names: &BTreeSet<&[u8]>) -> bool {
    // Whoever loads a module has loaded the library of that name before.
    let is_known = start.is_module && names.contains(&finding.subject[..]);
    finding.code != MISSING || (missed.contains(&finding.subject[..]) && !is_known)
}

/// A finding about a program as it counts for a tree.
pub(super) fn judged(finding: &Finding, allow_missing: bool) -> Option<Finding> {
    match finding.code {
        // In the image it is found: that is what the cache is written for.
        "not-in-cache" => None,
        // Said of what is named, a script too, when it is taken.
        "not-executable" => None,
        MISSING if allow_missing => {
            Some(Finding { severity: finding.severity.min(Severity::Warning), ..finding.clone() })
        }
        _ => Some(finding.clone()),
    }
}

/// What is missing that something kept asks for, and that is not expected from
/// somebody else at run time.
fn missed<'c>(root: &dyn Root, closure: &'c Closure, excluded: &Excluded) -> BTreeSet<&'c [u8]> {
    let kept: BTreeSet<_> = kept(root, closure, excluded).into_iter().map(|(id, _)| id).collect();
    let edges = closure.edges.iter().filter(|edge| kept.contains(&edge.from));
    let missing = edges.filter(|edge| matches!(edge.outcome, Outcome::Missing(_)));
    missing
        .map(|edge| &edge.name[..])
        .filter(|name| !excluded.has_name(name) && !excluded.has_path(name))
        .collect()
}

/// Libraries of a driver are left out without having been asked to.
fn injected(starts: &[Start]) -> Vec<Finding> {
    let edges = starts.iter().flat_map(|start| &start.closures).flat_map(|(_, closure)| &closure.edges);
    let names: BTreeSet<&[u8]> =
        edges.map(|edge| &edge.name[..]).filter(|name| Excluded::is_injected(name)).collect();
    let note = |name: &[u8]| Finding {
        severity: Severity::Note,
        code: "injected",
        subject: name.to_vec(),
        message: b"left out: the host of a container with its driver provides it".to_vec(),
        hint: Some(b"--include PATH takes it along all the same".to_vec()),
    };
    names.into_iter().map(note).collect()
}

/// By what names the files of the tree may be known when a module is loaded.
fn names_of(starts: &[Start]) -> BTreeSet<&[u8]> {
    let closures = starts.iter().flat_map(|start| &start.closures);
    let objects = closures.flat_map(|(_, closure)| &closure.objects);
    objects
        .flat_map(|object| object.found.facts().soname().into_iter().chain([&object.found.name[..]]))
        .collect()
}

/// A log of several programs names the one it is about.
fn about(finding: Finding, program: &[u8]) -> Finding {
    if finding.subject == program {
        return finding;
    }
    let message = [&finding.subject[..], b": ", &finding.message].concat();
    Finding { subject: program.to_vec(), message, ..finding }
}
