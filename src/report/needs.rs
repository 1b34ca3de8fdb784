//! What programs open at run time: a line in the log of a collection, and its
//! part of a report for scripts.

use std::collections::{BTreeMap, BTreeSet};

use super::edges::{counted, size};
use super::escape::escaped;
use super::json_writer::Writer;
use crate::needs::rules::Action;
use crate::needs::{Merge, Need};
use crate::path::ImagePath;
use crate::plan::{Entry, Node, Plan};

/// A rule that was set off, and what of the plan is there for it.
#[derive(Debug)]
pub struct Needed<'p> {
    pub need: &'p Need,
    pub entries: Vec<(&'p ImagePath, &'p Entry)>,
}

/// How many files, and what they hold together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Weight {
    files: usize,
    bytes: u64,
}

impl Weight {
    /// Two needs may want one file, and one file may have two names.
    fn of<'p>(plan: &Plan, entries: impl IntoIterator<Item = &'p (&'p ImagePath, &'p Entry)>) -> Weight {
        let files: BTreeMap<_, _> =
            entries.into_iter().filter_map(|(at, entry)| Some((*at, file(entry)?))).collect();
        let contents: BTreeSet<_> = files.values().collect();
        Weight { files: files.len(), bytes: contents.into_iter().map(|id| plan.content(*id).len).sum() }
    }
}

/// One line about all that is taken along.
pub(super) fn for_run_time(needs: &[Needed<'_>], plan: &Plan, is_for_scratch: bool) -> Option<String> {
    let taken: Vec<&Needed<'_>> = needs.iter().filter(|one| one.is_taken()).collect();
    let mut rules: Vec<&str> = Vec::new();
    taken.iter().map(|one| one.need.rule).for_each(|rule| {
        if !rules.contains(&rule) {
            rules.push(rule)
        }
    });
    let Weight { files, bytes } = Weight::of(plan, taken.iter().flat_map(|one| &one.entries));
    let base = if is_for_scratch { replaced(&taken, plan) } else { String::new() };
    let (files, bytes, rules) = (counted(files, "file"), size(bytes), rules.join(", "));
    (!taken.is_empty()).then(|| format!("for run time: {files}, {bytes}, by the rules {rules}{base}"))
}

/// Who copies a tree over a base replaces what the base has there.
fn replaced(taken: &[&Needed<'_>], plan: &Plan) -> String {
    let is_of_all = |entry: &Entry| {
        file(entry).is_some_and(|id| matches!(plan.content(id).merge, Merge::ByName | Merge::KeepTheirs))
    };
    let entries = taken.iter().flat_map(|one| &one.entries).filter(|(_, entry)| is_of_all(entry));
    let paths: Vec<String> = entries.map(|(at, _)| escaped(at.as_bytes())).collect();
    if paths.is_empty() {
        String::new()
    } else {
        format!("; COPY over a base replaces its {}", paths.join(", "))
    }
}

impl Needed<'_> {
    fn is_taken(&self) -> bool {
        self.need.action == Action::Collect
    }
}

fn file(entry: &Entry) -> Option<crate::plan::ContentId> {
    match entry.node {
        Node::File(id) => Some(id),
        Node::Dir(_) | Node::Link(_) => None,
    }
}

/// The fields of one rule that was set off.
pub(super) fn one_need(w: &mut Writer, needed: &Needed<'_>, plan: &Plan) {
    let need = needed.need;
    w.key("rule").str(need.rule);
    w.key("action").str(if needed.is_taken() { "collect" } else { "suggest" });
    w.name("trigger", &need.trigger);
    w.key("prevents").str(&need.prevents);
    w.key("option").str(&need.option());
    let weight = Weight::of(plan, &needed.entries);
    w.key("files").number(weight.files as u64);
    w.key("size").number(weight.bytes);
}
