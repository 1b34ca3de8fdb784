//! Findings and errors as lines of a log: what, where, why, and the cure.

use super::edges::{counted, obstacle_words, rule_words, size};
use super::escape::{escape, escaped};
use super::off::rules_off;
use super::style::Style;
use crate::closure::{Closure, Edge, ObjectId, Outcome, Role};
use crate::finding::{Finding, Severity};

/// Appends one finding about a program.
pub fn finding(out: &mut String, program: Option<&[u8]>, finding: &Finding, style: Style) {
    fault(out, program, finding, style);
    cure(out, finding, style);
}

/// Appends a finding without its hint.
pub fn fault(out: &mut String, program: Option<&[u8]>, finding: &Finding, style: Style) {
    head(out, finding.severity, style);
    if let Some(program) = program.filter(|program| *program != finding.subject) {
        escape(out, program);
        out.push_str(": ");
    }
    escape(out, &finding.subject);
    out.push_str(": ");
    escape(out, &finding.message);
    out.push('\n');
}

/// Appends the hint of a finding, if it has one.
pub fn cure(out: &mut String, finding: &Finding, style: Style) {
    hint(out, finding.hint.as_deref(), style);
}

/// Appends what could not be done: ``depcollect: error: cannot VERB `PATH`: CAUSE``.
pub fn problem(out: &mut String, verb: &str, path: &[u8], cause: &str, cure: Option<&str>, style: Style) {
    head(out, Severity::Error, style);
    out.push_str("cannot ");
    out.push_str(verb);
    out.push_str(" `");
    escape(out, path);
    out.push_str("`: ");
    out.push_str(cause);
    out.push('\n');
    hint(out, cure.map(str::as_bytes), style);
}

/// Appends that a library is no part of a program's closure.
pub fn nobody_asks(out: &mut String, program: &[u8], library: &[u8], style: Style) {
    head(out, Severity::Error, style);
    out.push_str("nothing that `");
    escape(out, program);
    out.push_str("` loads asks for `");
    escape(out, library);
    out.push_str("`\n");
}

/// Appends what `-v` adds to ldd's lines: rule and size of each file, and what
/// was tried for a name that is missing. ldd's own lines stay as they are.
pub fn details(out: &mut String, closure: &Closure) {
    for (n, object) in closure.objects.iter().enumerate() {
        let rule = object.rule.map(|rule| rule_words(closure, object.wanted_by.unwrap_or(ObjectId(0)), rule));
        let rule = match object.role {
            _ if n == 0 => "the program".into(),
            Role::Interpreter => "interpreter".into(),
            Role::Program | Role::Preload | Role::Library | Role::Filtee => rule.unwrap_or_default(),
        };
        out.push_str(&format!("{} [{rule}] {}\n", escaped(&object.path), size(object.found.file.stat.len)));
    }
    for edge in &closure.edges {
        tried(out, closure, edge);
    }
    let bytes: u64 = closure.objects.iter().map(|object| object.found.file.stat.len).sum();
    out.push_str(&format!("{}, {}", counted(closure.objects.len(), "file"), size(bytes)));
    if let Some(version) = closure.oldest_glibc() {
        out.push_str(&format!("; starts on glibc {version} or newer"));
    }
    out.push('\n');
}

/// Appends a line that says how things stand.
pub(super) fn note(out: &mut String, text: &str, _style: Style) {
    out.push_str("depcollect: ");
    out.push_str(text);
    out.push('\n');
}

/// Appends that two things are wanted at one place.
pub fn conflict(out: &mut String, at: &[u8], have: &[u8], want: &[u8], style: Style) {
    head(out, Severity::Error, style);
    for (text, bytes) in [("cannot place ", want), (" at `", at), ("`: ", have)] {
        out.push_str(text);
        escape(out, bytes);
    }
    out.push_str(" is to be there too\n");
}

/// Appends what was tried for a name that is missing, and which rules were off.
pub(super) fn tried(out: &mut String, closure: &Closure, edge: &Edge) {
    let Outcome::Missing(miss) = &edge.outcome else { return };
    for tried in &miss.tried {
        let rule = rule_words(closure, edge.from, tried.rule);
        let (path, why) = (escaped(&tried.path), obstacle_words(tried.obstacle));
        out.push_str(&format!("tried `{path}` for `{}`: {why} [{rule}]\n", escaped(&edge.name)));
    }
    if miss.more > 0 {
        out.push_str(&format!("tried {} more for `{}`\n", miss.more, escaped(&edge.name)));
    }
    for line in rules_off(closure, edge) {
        out.push_str(&format!("{line}\n"));
    }
}

fn head(out: &mut String, severity: Severity, style: Style) {
    out.push_str("depcollect: ");
    let word = severity.word();
    out.push_str(&match severity {
        Severity::Error | Severity::Trouble => style.bad(word),
        Severity::Warning => style.careful(word),
        Severity::Note => style.bold(word),
    });
    out.push_str(": ");
}

fn hint(out: &mut String, hint: Option<&[u8]>, style: Style) {
    if let Some(hint) = hint {
        out.push_str(&style.dim("hint"));
        out.push_str(": ");
        escape(out, hint);
        out.push('\n');
    }
}
