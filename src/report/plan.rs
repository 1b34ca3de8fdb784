//! A plan as text: what would be written, and why each of it is there.

use super::edges::size;
use super::escape::escaped;
use crate::path::ImagePath;
use crate::plan::{Entry, Node, Plan, Reason, Source};

/// Paths up to here are padded, so that the rest stands in columns.
const WIDEST: usize = 56;
/// Of a size.
const WEIGHT: usize = 7;
/// So many reasons of one entry are shown; `-v` shows all.
const MOST_REASONS: usize = 2;

/// Appends one line for each entry of the plan.
pub fn plan(out: &mut String, plan: &Plan, verbose: bool) {
    let lines: Vec<(String, String, String)> = plan
        .entries()
        .filter(|(_, entry)| verbose || !is_only_a_way(entry))
        .map(|(at, entry)| (place(at, entry), weight(plan, entry), reasons(entry, verbose)))
        .collect();
    let wide = lines.iter().map(|(place, ..)| place.chars().count()).max().unwrap_or(0).min(WIDEST);
    for (place, weight, reasons) in lines {
        // A longer path takes the room of its size, if it has none, as links do.
        let least = if weight.is_empty() { 0 } else { weight.len() + 2 };
        let room = (wide + 2 + WEIGHT).saturating_sub(place.chars().count()).max(least);
        out.push_str(&format!("{place}{weight:>room$}  {reasons}\n"));
    }
}

/// Directories that are there for others say nothing of their own.
fn is_only_a_way(entry: &Entry) -> bool {
    matches!(&entry.node, Node::Dir(dir) if dir.is_implied)
}

fn place(at: &ImagePath, entry: &Entry) -> String {
    let path = escaped(at.as_bytes());
    match &entry.node {
        Node::Dir(_) if path == "/" => path,
        Node::Dir(_) => path + "/",
        Node::Link(target) => format!("{path} -> {}", escaped(target)),
        Node::File(_) => path,
    }
}

fn weight(plan: &Plan, entry: &Entry) -> String {
    match &entry.node {
        Node::File(id) => size(plan.content(*id).len),
        Node::Dir(dir) if dir.access.mode != 0o755 => format!("{:o}", dir.access.mode),
        Node::Dir(_) | Node::Link(_) => String::new(),
    }
}

fn reasons(entry: &Entry, verbose: bool) -> String {
    let most = if verbose { usize::MAX } else { MOST_REASONS };
    // What a rule brings has that rule among the reasons that are shown.
    let of_rule = |reason: &&Reason| matches!(reason, Reason::Need { .. });
    let (rules, others): (Vec<&Reason>, Vec<&Reason>) = entry.reasons.iter().partition(of_rule);
    let mut text: Vec<String> = rules.into_iter().chain(others).take(most).map(reason).collect();
    if entry.reasons.iter().len() > most {
        text.push(format!("and {} more", entry.reasons.iter().len() - most));
    }
    text.join("; ")
}

/// Why one entry is there, in a few words.
pub(super) fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Program => "program".into(),
        Reason::ScriptInterpreter { script } => format!("runs {}", escaped(script)),
        Reason::Loader { of } => format!("loader of {}", escaped(of)),
        Reason::Library { name, of } => format!("{} for {}", escaped(name), escaped(of)),
        Reason::Included { word } => format!("included by {}", escaped(word)),
        Reason::Option { option } => option.clone(),
        Reason::Need { rule, trigger } => format!("{rule}, because of {}", escaped(trigger)),
        Reason::Search { names } => format!("so that {} is found", escaped(names)),
        Reason::Way => "on the way".into(),
    }
}

/// For scripts: a word for each kind of reason.
pub(super) fn reason_id(reason: &Reason) -> &'static str {
    match reason {
        Reason::Program => "program",
        Reason::ScriptInterpreter { .. } => "script-interpreter",
        Reason::Loader { .. } => "loader",
        Reason::Library { .. } => "library",
        Reason::Included { .. } => "include",
        Reason::Option { .. } => "option",
        Reason::Need { .. } => "need",
        Reason::Search { .. } => "search",
        Reason::Way => "way",
    }
}

/// Where a file's bytes come from, if not from its own place.
pub(super) fn origin<'a>(at: &ImagePath, source: &'a Source) -> Option<&'a [u8]> {
    match source {
        Source::Root { path, .. } if path.as_bytes() == at.as_bytes() => None,
        Source::Root { path, .. } => Some(path.as_bytes()),
        Source::Host { path, .. } => Some(path.as_os_str().as_encoded_bytes()),
        Source::Made(_) => None,
    }
}
