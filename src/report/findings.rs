//! Findings and errors as lines of a log: what, where, why, and the cure.

use super::escape::escape;
use super::style::Style;
use crate::finding::{Finding, Severity};

/// Appends one finding about a program.
pub fn finding(out: &mut String, program: Option<&[u8]>, finding: &Finding, style: Style) {
    head(out, finding.severity, style);
    if let Some(program) = program.filter(|program| *program != finding.subject) {
        escape(out, program);
        out.push_str(": ");
    }
    escape(out, &finding.subject);
    out.push_str(": ");
    escape(out, &finding.message);
    out.push('\n');
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

fn head(out: &mut String, severity: Severity, style: Style) {
    out.push_str("depcollect: ");
    let word = severity.word();
    out.push_str(&match severity {
        Severity::Error => style.bad(word),
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
