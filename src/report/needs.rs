//! What programs open at run time: a line in the log of a collection, and all of
//! it as text, as a tree and as `depcollect/1`.

use std::collections::{BTreeMap, BTreeSet};

use self::rows::{Row, rows};
use super::edges::{counted, size};
use super::escape::escaped;
use super::json_writer::Writer;
use super::style::Style;
use crate::finding::Finding;
use crate::needs::rules::Action;
use crate::needs::{Merge, Need};
use crate::path::ImagePath;
use crate::plan::{ContentId, Entry, Node, Plan};

mod rows;

/// A line of words is no longer, beside the names and sizes.
const WIDEST: usize = 100;

/// A rule that was set off, and what of the plan is there for it.
#[derive(Debug)]
pub struct Needed<'p> {
    pub need: &'p Need,
    pub entries: Vec<(&'p ImagePath, &'p Entry)>,
}

/// All that one program needs, or all programs of a directory.
#[derive(Debug)]
pub struct NeedsOf<'p> {
    pub program: &'p [u8],
    pub started: Started,
    /// So many files are loaded at the start, beside the program itself.
    pub loads: usize,
    pub needs: Vec<Needed<'p>>,
    pub plan: &'p Plan,
    /// What is wrong with it; for scripts only, as a log has told it.
    pub findings: &'p [Finding],
}

/// How it comes to run: a rule goes by what is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    ByLoader,
    Static,
    /// There is no program.
    Never,
}

/// How many files, and what they hold together.
#[derive(Debug, Clone, Copy)]
struct Weight {
    files: usize,
    bytes: u64,
}

impl Weight {
    /// Two needs may want one file, and one file may have two names.
    fn of<'p>(plan: &Plan, needs: &[&Needed<'p>]) -> Weight {
        let entries = needs.iter().flat_map(|one| &one.entries);
        let files: BTreeMap<_, _> = entries.filter_map(|(at, entry)| Some((*at, file(entry)?))).collect();
        let contents: BTreeSet<_> = files.values().collect();
        Weight { files: files.len(), bytes: contents.into_iter().map(|id| plan.content(*id).len).sum() }
    }

    fn words(self) -> String {
        format!("{}, {}", counted(self.files, "file"), size(self.bytes))
    }
}

impl Needed<'_> {
    fn is_taken(&self) -> bool {
        self.need.action == Action::Collect
    }

    /// Empty where nothing but a directory or a link is made.
    fn size(&self, plan: &Plan) -> String {
        let weight = Weight::of(plan, &[self]);
        if weight.files == 0 { String::new() } else { size(weight.bytes) }
    }
}

fn file(entry: &Entry) -> Option<ContentId> {
    match entry.node {
        Node::File(id) => Some(id),
        Node::Dir(_) | Node::Link(_) => None,
    }
}

/// One line about all that a collection takes along.
pub(super) fn for_run_time(needs: &[Needed<'_>], plan: &Plan, is_for_scratch: bool) -> Option<String> {
    let taken: Vec<&Needed<'_>> = needs.iter().filter(|one| one.is_taken()).collect();
    let mut rules: Vec<&str> = Vec::new();
    for rule in taken.iter().map(|one| one.need.rule) {
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    let weight = Weight::of(plan, &taken).words();
    let base = if is_for_scratch { replaced(&taken, plan) } else { String::new() };
    (!taken.is_empty()).then(|| format!("for run time: {weight}, by the rules {}{base}", rules.join(", ")))
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

/// Appends a line for each need, and below it what fails otherwise and its files.
pub fn needs(out: &mut String, report: &NeedsOf<'_>, verbose: bool, style: Style) {
    head(out, report, style);
    let wide = report.needs.iter().map(|one| one.need.rule.len()).max().unwrap_or(0);
    for (title, is_taken) in [("taken along", true), ("not taken along", false)] {
        let needs: Vec<&Needed<'_>> = report.needs.iter().filter(|one| one.is_taken() == is_taken).collect();
        if needs.is_empty() {
            continue;
        }
        let weight = Weight::of(report.plan, &needs);
        let weight = if weight.files == 0 { String::new() } else { format!(": {}", weight.words()) };
        out.push_str(&style.dim(&format!("  {title}{weight}\n")));
        for one in needs {
            let mut line = |rule: &str, size: &str, text: &str| {
                out.push_str(&format!("    {rule:wide$}  {size:>7}  {text}\n"));
            };
            let (mut rule, mut size) = (one.need.rule, one.size(report.plan));
            for text in
                wrapped(&cause(one)).into_iter().chain(remarks(one).iter().flat_map(|text| wrapped(text)))
            {
                line(rule, &size, &text);
                (rule, size) = ("", String::new());
            }
            for Row { size, text } in rows(one, report.plan, verbose) {
                line("", &size, &text);
            }
        }
    }
}

/// Lines of a text, none of which ends within something that is quoted.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is one");
        let is_whole = line.matches('`').count().is_multiple_of(2);
        if !line.is_empty() && is_whole && line.len() + word.len() >= WIDEST {
            lines.push(format!("  {word}"));
        } else {
            let blank = if line.is_empty() { "" } else { " " };
            line.push_str(&format!("{blank}{word}"));
        }
    }
    lines
}

/// Appends the same as a drawing.
pub fn needs_tree(out: &mut String, report: &NeedsOf<'_>, verbose: bool, style: Style) {
    head(out, report, style);
    let mut left = report.needs.len();
    for one in &report.needs {
        left -= 1;
        let (branch, guide) = if left == 0 { ("└── ", "    ") } else { ("├── ", "│   ") };
        let why: Vec<String> = std::iter::once(cause(one)).chain(remarks(one)).collect();
        let why = style.dim(&format!("[{}]", why.join("; ")));
        let words = [one.need.rule, &one.size(report.plan), &why];
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        out.push_str(&format!("{branch}{}\n", words.join("  ")));
        let rows = rows(one, report.plan, verbose);
        for (n, Row { size, text }) in rows.iter().enumerate() {
            let branch = if n + 1 == rows.len() { "└── " } else { "├── " };
            out.push_str(format!("{guide}{branch}{text}  {size}").trim_end());
            out.push('\n');
        }
    }
}

fn head(out: &mut String, report: &NeedsOf<'_>, style: Style) {
    out.push_str(&style.bold(&escaped(report.program)));
    match (report.needs.is_empty(), report.started) {
        (false, _) => {}
        (true, Started::ByLoader) => out.push_str(": no rule knows of anything beside what the loader opens"),
        (true, Started::Static) => {
            out.push_str(": statically linked, and no rule knows of anything that it opens")
        }
        (true, Started::Never) => out.push_str(": there is no program to be started"),
    }
    out.push('\n');
}

fn cause(one: &Needed<'_>) -> String {
    let trigger = escaped(&one.need.trigger);
    if one.is_taken() { trigger } else { format!("{trigger}; `{}` takes it along", one.need.option()) }
}

fn remarks(one: &Needed<'_>) -> Vec<String> {
    let lines = one.need.lines().map(|line| format!("in the Dockerfile: {}", escaped(line)));
    one.need.remark().into_iter().chain(lines).collect()
}

/// The whole of it for scripts: one of the programs of a report.
pub fn needs_json(report: &NeedsOf<'_>) -> String {
    let mut writer = Writer::default();
    writer.object(|w| {
        w.name("path", report.program);
        w.key("loads").number(report.loads as u64);
        w.key("needs").array(&report.needs, |w, one| {
            w.object(|w| {
                one_need(w, one, report.plan);
                w.key("paste").array(one.need.lines(), |w, line| w.str(&escaped(line)));
                w.key("entries")
                    .array(&one.entries, |w, (at, entry)| w.object(|w| one_entry(w, report.plan, at, entry)));
            });
        });
        w.key("findings").array(report.findings, super::json::one_finding);
    });
    writer.text
}

/// The fields of one rule that was set off.
pub(super) fn one_need(w: &mut Writer, needed: &Needed<'_>, plan: &Plan) {
    let need = needed.need;
    w.key("rule").str(need.rule);
    w.key("action").str(if needed.is_taken() { "collect" } else { "suggest" });
    w.name("trigger", &need.trigger);
    w.key("prevents").str(&need.prevents);
    w.key("option").str(&need.option());
    let weight = Weight::of(plan, &[needed]);
    w.key("files").number(weight.files as u64);
    w.key("size").number(weight.bytes);
}

fn one_entry(w: &mut Writer, plan: &Plan, at: &ImagePath, entry: &Entry) {
    w.name("path", at.as_bytes());
    match &entry.node {
        Node::Dir(_) => w.key("type").str("directory"),
        Node::Link(target) => {
            w.key("type").str("link");
            w.name("target", target);
        }
        Node::File(id) => {
            w.key("type").str("file");
            w.key("size").number(plan.content(*id).len);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_wrapped_and_what_is_quoted_stays_whole() {
        let path = "/usr/lib/a/path/of/thirty/chars";
        assert_eq!(wrapped("short"), ["short"]);
        assert_eq!(
            wrapped(&format!("{path} {path} {path} {path}")),
            [format!("{path} {path} {path}"), format!("  {path}")]
        );
        let quoted = format!("{path} {path} `{path} {path} {path}` x");
        assert_eq!(wrapped(&quoted), [format!("{path} {path} `{path} {path} {path}`"), "  x".into()]);
    }
}
