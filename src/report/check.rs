//! What `check` found in a tree.

use super::escape::escape;
use super::findings::finding;
use super::json::one_finding;
use super::json_writer::Writer;
use super::style::Style;
use crate::check::{Started, Tree};
use crate::finding::{Finding, Severity};
use crate::loader::Family;
use crate::path::dirname;

/// Appends what is wrong, as lines of a log.
pub fn check_findings(out: &mut String, tree: &Tree, lowest: Severity, verbose: bool, style: Style) {
    for program in &tree.programs {
        for one in program.findings.iter().filter(|one| one.severity >= lowest) {
            finding(out, Some(&program.path), one, style);
        }
    }
    for one in alike(&tree.findings, verbose).iter().filter(|one| one.severity >= lowest) {
        finding(out, None, one, style);
    }
    // With --strict each is an error of its own.
    let is_told = tree.findings.iter().any(|one| one.code == "unreached");
    if lowest <= Severity::Note && !is_told {
        for one in unreached(&tree.unreached, verbose) {
            finding(out, None, &one, style);
        }
    }
}

/// A hundred scripts without a shell are one thing that is wrong.
fn alike(findings: &[Finding], verbose: bool) -> Vec<Finding> {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    let is_like = |a: &Finding, b: &Finding| {
        b.code == "interpreter" && a.code == b.code && (a.severity, &a.message) == (b.severity, &b.message)
    };
    for one in findings {
        match groups.iter_mut().find(|group| is_like(group[0], one)) {
            Some(group) if !verbose => group.push(one),
            Some(_) | None => groups.push(vec![one]),
        }
    }
    let shown = |group: Vec<&Finding>| {
        if group.len() <= FEW {
            return group.into_iter().cloned().collect();
        }
        let subjects: Vec<Vec<u8>> = group.iter().map(|one| one.subject.clone()).collect();
        let count = format!("{} scripts, of each: ", group.len());
        let message = [count.as_bytes(), &group[0].message].concat();
        vec![Finding { subject: common_dir(&subjects), message, ..group[0].clone() }]
    };
    groups.into_iter().flat_map(shown).collect()
}

/// So many are named without being asked for: a distribution has hundreds of modules.
const FEW: usize = 8;

/// No fault: programs load modules when they run. A library that was forgotten
/// looks the same.
fn unreached(paths: &[Vec<u8>], verbose: bool) -> Vec<Finding> {
    let line = |subject: &[u8], message: String| Finding {
        severity: Severity::Note,
        code: "unreached",
        subject: subject.to_vec(),
        message: message.into(),
        hint: None,
    };
    if paths.len() > FEW && !verbose {
        let message = format!(
            "{} libraries that no program of the tree loads at its start; -v names them",
            paths.len()
        );
        return vec![line(&common_dir(paths), message)];
    }
    let one = |path: &Vec<u8>| line(path, "no program of the tree loads it at its start".to_owned());
    paths.iter().map(one).collect()
}

/// The directory that all of them are below.
fn common_dir(paths: &[Vec<u8>]) -> Vec<u8> {
    let Some(mut dir) = paths.first().and_then(|first| dirname(first)) else { return b"/".to_vec() };
    while let Some(above) = dirname(dir).filter(|_| dir.len() > 1) {
        let inside = |path: &Vec<u8>| path.strip_prefix(dir).is_some_and(|rest| rest.starts_with(b"/"));
        if paths.iter().all(inside) {
            break;
        }
        dir = above;
    }
    dir.to_vec()
}

/// Appends how much was looked at, and what came of it.
pub fn check_summary(out: &mut String, tree: &Tree) {
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let libraries =
        if tree.libraries == 1 { "1 library".to_owned() } else { format!("{} libraries", tree.libraries) };
    let (programs, scripts) = (count(tree.programs.len(), "program"), count(tree.scripts, "script"));
    out.push_str(&format!("{programs}, {scripts}, {libraries} in {}: ", count(tree.files, "file")));
    let of = |test: fn(&Severity) -> bool| all(tree).filter(|one| test(&one.severity)).count();
    match (of(|one| *one >= Severity::Error), of(|one| *one == Severity::Warning)) {
        (0, 0) => out.push_str("nothing is wrong\n"),
        (0, warnings) => out.push_str(&format!("everything starts, {}\n", count(warnings, "warning"))),
        (errors, _) => out.push_str(&format!("{}\n", count(errors, "error"))),
    }
}

fn all(tree: &Tree) -> impl Iterator<Item = &Finding> {
    tree.programs.iter().flat_map(|program| &program.findings).chain(&tree.findings)
}

/// The whole answer as JSON.
pub fn check_json(tree: &Tree, path: &[u8], status: u8) -> String {
    let mut writer = Writer::default();
    writer.object(|w| {
        w.key("schema").str("depcollect/1");
        w.key("command").str("check");
        w.name("tree", path);
        w.key("programs").array(&tree.programs, |w, program| w.object(|w| started(w, program)));
        for (key, count) in [("scripts", tree.scripts), ("libraries", tree.libraries), ("files", tree.files)]
        {
            w.key(key).number(count as u64);
        }
        w.key("unreached").array(&tree.unreached, |w, path| w.object(|w| w.name("path", path)));
        w.key("findings").array(&tree.findings, one_finding);
        w.key("status").number(u64::from(status));
    });
    writer.text.push('\n');
    writer.text
}

fn started(w: &mut Writer, program: &Started) {
    w.name("path", &program.path);
    if let Some(family) = program.family {
        w.key("loader").str(match family {
            Family::Glibc => "glibc",
            Family::Musl => "musl",
        });
    }
    w.key("loads").number(program.loads as u64);
    w.key("findings").array(&program.findings, one_finding);
}

/// Appends a line for each program.
pub fn check_programs(out: &mut String, tree: &Tree) {
    for program in &tree.programs {
        escape(out, &program.path);
        let worst = program.findings.iter().map(|one| one.severity).max();
        let words = match (worst, program.loads) {
            (Some(Severity::Trouble), _) => "could not be looked at".to_owned(),
            (Some(Severity::Error), _) => "does not start".to_owned(),
            (_, 0) => "starts, and loads nothing".to_owned(),
            (_, 1) => "starts, and loads 1 file".to_owned(),
            (_, loads) => format!("starts, and loads {loads} files"),
        };
        out.push_str(&format!(": {words}\n"));
    }
}
