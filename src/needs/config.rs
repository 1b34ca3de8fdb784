//! Modules that configuration names: the files of a format with those that they
//! include, and what of the root their lines stand for. A directory may hold a
//! hundred modules of which the configuration names two.

use std::collections::BTreeSet;

use super::engine::{self, Scene};
use super::rules::Format;
use super::{CONFIG, MISSING, Want, Wanted, distro, look, places};
use crate::finding::{Finding, Severity};
use crate::path::{basename, dirname};
use crate::root::{FileId, Root};

mod openssl;
mod parse;

/// No configuration that somebody wrote has more files.
const MOST_FILES: usize = 500;

/// All of its files together hold no more than this.
const MOST_TEXT: usize = 1 << 20;

/// Nor does one name more modules: a search for each takes its time.
const MOST_MODULES: usize = 1000;

/// So many lines are named that are wrong; of the others there is a count.
const MOST_FAULTS: usize = 8;

/// What a line includes: patterns, relative to the directory of the first file.
type Includes = fn(&[u8]) -> Vec<Vec<u8>>;

/// What the lines of all files say.
type Names = fn(&[Line]) -> Vec<Said>;

/// How the files of one format are read.
struct Grammar {
    includes: Includes,
    names: Names,
    /// Where a name lies that is no whole path, before dlopen is asked for it.
    dirs: &'static [&'static str],
}

/// A line, whichever file it came from.
#[derive(Debug)]
struct Line {
    file: usize,
    /// From 1.
    number: usize,
    text: Vec<u8>,
}

/// What the line of this index says.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    line: usize,
    what: What,
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    /// A module.
    Module(Vec<u8>),
    /// A module without which nothing of it works.
    Required(Vec<u8>),
    /// A module that may be absent.
    Optional(Vec<u8>),
    /// It does not belong there.
    Fault(&'static str),
}

fn grammar(format: Format) -> Grammar {
    let (includes, names, dirs): (Includes, Names, &[&str]) = match format {
        Format::Icd => (parse::no_includes, parse::icd, &[]),
        Format::Names => (parse::no_includes, parse::names, &[]),
        Format::Nginx => (parse::nginx_includes, parse::nginx, &["/usr/share/nginx/", "/usr/lib/nginx/"]),
        Format::Nsswitch => (parse::no_includes, parse::nsswitch, &[]),
        Format::Odbc => (parse::no_includes, parse::odbc, &["{lib}odbc/"]),
        Format::Openssl => (
            openssl::includes,
            openssl::names,
            &["{lib}ossl-modules/", "{lib}engines-3/", "{lib}engines-1.1/"],
        ),
        Format::P11 => (parse::no_includes, parse::p11, &["{lib}pkcs11/"]),
        Format::Pam => (parse::pam_includes, parse::pam, &["{lib}security/"]),
        Format::Pixbuf => (parse::no_includes, parse::pixbuf, &[]),
    };
    Grammar { includes, names, dirs }
}

/// The files at `tops`, with those that they include, and the modules that they name.
pub(super) fn wanted(scene: &mut Scene<'_, '_>, loader: &[u8], format: Format, tops: &[Vec<u8>]) -> Wanted {
    let grammar = grammar(format);
    let mut reading = Reading::new(scene.session.root, grammar.includes);
    tops.iter().for_each(|top| reading.file(top, dirname(top).unwrap_or_default()));
    let Reading { files, lines, findings, .. } = reading;
    let mut wanted = Wanted { wants: Vec::new(), findings };
    for Said { line, what } in (grammar.names)(&lines).into_iter().take(MOST_MODULES) {
        let Line { file, number, .. } = lines[line];
        let file = &files[file][..];
        let found = |scene: &mut _, name: &[u8]| module(scene, loader, grammar.dirs, file, name);
        match what {
            What::Optional(name) => wanted.want(found(scene, &name).unwrap_or_default()),
            What::Module(name) => match found(scene, &name) {
                Some(wants) => wanted.want(wants),
                None => wanted.findings.push(absent(scene.session.root, file, number, &name)),
            },
            What::Required(name) => match found(scene, &name) {
                Some(wants) => wanted.want(wants),
                None => wanted.findings.push(missing(scene.session.root, file, number, &name)),
            },
            What::Fault(cause) => wanted.findings.push(fault(file, number, cause)),
        }
    }
    let more = wanted.findings.len().saturating_sub(MOST_FAULTS);
    wanted.findings.truncate(MOST_FAULTS);
    if let (Some(top), 1..) = (tops.first(), more) {
        wanted
            .findings
            .push(finding(top.clone(), format!("{more} more lines are as wrong, or name what is not there")));
    }
    // Without modules it names none to anybody.
    if !wanted.wants.is_empty() {
        wanted.want(files.into_iter().map(Want::Path));
    }
    wanted
}

/// The files of a configuration in the order in which they are read, as one text.
struct Reading<'r> {
    root: &'r dyn Root,
    includes: Includes,
    files: Vec<Vec<u8>>,
    /// What was met, readable or not: nothing is included twice, and no loop goes round.
    met: BTreeSet<Vec<u8>>,
    /// What was opened: two paths may lead to one file.
    read: BTreeSet<FileId>,
    lines: Vec<Line>,
    findings: Vec<Finding>,
    /// So much may still be read.
    left: usize,
}

impl<'r> Reading<'r> {
    fn new(root: &'r dyn Root, includes: Includes) -> Reading<'r> {
        let (files, lines, findings) = (Vec::new(), Vec::new(), Vec::new());
        let (met, read) = (BTreeSet::new(), BTreeSet::new());
        Reading { root, includes, files, met, read, lines, findings, left: MOST_TEXT }
    }

    fn file(&mut self, path: &[u8], base: &[u8]) {
        if self.met.len() == MOST_FILES || !self.met.insert(path.to_vec()) {
            return;
        }
        let bytes = match look::open(self.root, path) {
            Ok(file) if !self.read.insert(file.stat.id) => return,
            Ok(file) => look::whole(&file),
            Err(error) => Err(error),
        };
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) => return self.findings.push(finding(path.to_vec(), look::words(&error))),
        };
        let Some(left) = self.left.checked_sub(bytes.len()) else {
            return self.findings.push(finding(path.to_vec(), "with what was read before it is too large"));
        };
        self.left = left;
        let file = self.files.len();
        self.files.push(path.to_vec());
        for (number, text) in lines_of(&bytes) {
            for pattern in (self.includes)(&text) {
                self.include(&pattern, base, (file, number));
            }
            self.lines.push(Line { file, number, text });
        }
    }

    fn include(&mut self, pattern: &[u8], base: &[u8], (file, number): (usize, usize)) {
        let whole = if pattern.starts_with(b"/") { pattern.to_vec() } else { [base, b"/", pattern].concat() };
        let mut paths = look::expand(self.root, &whole);
        if paths.is_empty() && !whole.contains(&b'*') {
            let cause = [b"it includes ", pattern, b", which is not there"].concat();
            self.findings.push(fault(&self.files[file], number, cause));
        }
        if let [dir] = &paths[..]
            && look::is_dir(self.root, dir)
        {
            let of_dir = |end: &[u8]| look::expand(self.root, &[dir, end].concat());
            paths = [of_dir(b"/*.cnf"), of_dir(b"/*.conf")].concat();
        }
        paths.iter().for_each(|path| self.file(path, base));
    }
}

/// Each with its number. A line that ends with `\` goes on in the next.
fn lines_of(bytes: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let mut lines: Vec<(usize, Vec<u8>)> = Vec::new();
    let mut goes_on = false;
    for (at, line) in bytes.split(|&b| b == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = line.strip_suffix(b"\\").unwrap_or(line);
        match lines.last_mut() {
            Some((_, whole)) if goes_on => whole.extend_from_slice(text),
            Some(_) | None => lines.push((at + 1, text.to_vec())),
        }
        goes_on = text.len() < line.len();
    }
    lines
}

/// Where a module lies: below a directory of the format, beside the file that
/// names it, or where dlopen finds it.
fn module(
    scene: &mut Scene<'_, '_>,
    loader: &[u8],
    dirs: &[&str],
    file: &[u8],
    name: &[u8],
) -> Option<Vec<Want>> {
    if !name.starts_with(b"/") {
        for dir in dirs {
            let below = |dir: &str| [dir.as_bytes(), name].concat();
            let found = match dir.strip_prefix("{lib}") {
                Some(rest) => places::in_lib(scene, loader, &below(rest)),
                None => look::expand(scene.session.root, &below(dir)),
            };
            if let Some(path) = found.into_iter().next() {
                return Some(vec![Want::Path(path)]);
            }
        }
        if name.contains(&b'/') {
            let beside = [dirname(file).unwrap_or_default(), b"/", name].concat();
            return engine::library(scene, loader, &beside);
        }
    }
    engine::library(scene, loader, name)
}

fn absent(root: &dyn Root, file: &[u8], number: usize, name: &[u8]) -> Finding {
    let said = fault(file, number, [b"the root has no ", name, b", which it names"].concat());
    Finding { hint: Some(distro::provider(root, name)), ..said }
}

/// What names it does not work without it.
fn missing(root: &dyn Root, file: &[u8], number: usize, name: &[u8]) -> Finding {
    let place = [file, b":", number.to_string().as_bytes()].concat();
    Finding {
        severity: Severity::Error,
        code: MISSING,
        subject: basename(name).to_vec(),
        message: [b"the root has none, and ", &place[..], b" requires it"].concat(),
        hint: Some(distro::provider(root, name)),
    }
}

fn fault(file: &[u8], number: usize, cause: impl Into<Vec<u8>>) -> Finding {
    finding([file, b":", number.to_string().as_bytes()].concat(), cause)
}

fn finding(subject: Vec<u8>, message: impl Into<Vec<u8>>) -> Finding {
    Finding { severity: Severity::Warning, code: CONFIG, subject, message: message.into(), hint: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line that says something: its number, and what it says.
    pub(super) fn said(names: fn(&[Line]) -> Vec<Said>, text: &str) -> String {
        let lines = lines_of(text.as_bytes());
        let lines: Vec<Line> =
            lines.into_iter().map(|(number, text)| Line { file: 0, number, text }).collect();
        let show = |said: Said| {
            let number = lines[said.line].number;
            match said.what {
                What::Module(name) => format!("{number} {}", name.escape_ascii()),
                What::Required(name) => format!("{number} {}!", name.escape_ascii()),
                What::Optional(name) => format!("{number} {}?", name.escape_ascii()),
                What::Fault(cause) => format!("{number}: {cause}"),
            }
        };
        names(&lines).into_iter().map(show).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_line_may_go_on() {
        let lines = lines_of(b"a\\\nb\r\nc\\");
        assert_eq!(lines, [(1, b"ab".to_vec()), (3, b"c".to_vec())]);
    }
}
