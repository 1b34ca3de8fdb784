//! What a collection did, as a log and as `depcollect/1`.

use super::edges::size;
use super::escape::{escaped, is_plain};
use super::findings::note;
use super::json_writer::Writer;
use super::needs::{Needed, for_run_time, one_need};
use super::plan::{origin, reason, reason_id};
use super::style::Style;
use crate::finding::Finding;
use crate::loader::Family;
use crate::path::ImagePath;
use crate::plan::{Content, Entry, Node, Plan, Source};

/// The outcome of a collection, as far as a reader wants to know it.
#[derive(Debug)]
pub struct Collection<'a> {
    pub dist: &'a [u8],
    pub programs: Vec<Program>,
    pub needs: Vec<Needed<'a>>,
    pub plan: &'a Plan,
    /// There is no base that it was made for.
    pub is_for_scratch: bool,
    /// `None`: a dry run.
    pub written: Option<Written>,
    /// What the image starts, if that is one thing.
    pub entry: Option<Vec<u8>>,
    /// Lines for a Dockerfile, beside those that follow from the programs.
    pub lines: Vec<Vec<u8>>,
}

/// A program of the tree, and what comes along for it.
#[derive(Debug)]
pub struct Program {
    pub path: Vec<u8>,
    /// `None`: it needs no loader.
    pub family: Option<Family>,
    pub files: usize,
    /// The loader is one of them.
    pub has_loader: bool,
    /// So many of them are not in the tree, as the base has its own.
    pub of_base: usize,
    /// Processor levels with files of their own.
    pub levels: Vec<&'static str>,
}

/// How much was written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Written {
    pub files: usize,
    pub bytes: u64,
    pub unchanged: usize,
}

/// Appends the summary: a line for each program, one for the tree, and lines to paste.
pub fn collection(out: &mut String, collection: &Collection<'_>, verbose: bool, style: Style) {
    for program in &collection.programs {
        note(out, &one_program(program), style);
    }
    if let Some(line) = for_run_time(&collection.needs, collection.plan, collection.is_for_scratch) {
        note(out, &line, style);
    }
    let counts = Counts::of(collection.plan);
    if verbose {
        for (at, entry) in collection.plan.entries() {
            let reasons: Vec<String> = entry.reasons.iter().map(reason).collect();
            note(out, &format!("{}: {}", escaped(at.as_bytes()), reasons.join("; ")), style);
        }
    }
    note(out, &total(collection, &counts), style);
    for line in lines_to_paste(collection) {
        out.push_str(&format!("    {line}\n"));
    }
}

fn one_program(program: &Program) -> String {
    let loads = match (program.family, program.files) {
        (Some(_), 0) => files(0),
        (Some(_), n) if program.of_base == n => format!("{}, all of the base", files(n)),
        (Some(_), n) if program.of_base > 0 => format!("{}, {} of the base", files(n), program.of_base),
        (None, _) => "static, loads nothing".to_owned(),
        (Some(_), n) if !program.has_loader => files(n),
        (Some(Family::Glibc), n) => format!("{}, glibc's loader among them", files(n)),
        (Some(Family::Musl), n) => format!("{}, musl's loader among them", files(n)),
    };
    let levels = match &program.levels[..] {
        [] => String::new(),
        levels => format!("; variants for {}", levels.join(", ")),
    };
    format!("{}: {loads}{levels}", escaped(&program.path))
}

fn files(n: usize) -> String {
    if n == 1 { "1 file".into() } else { format!("{n} files") }
}

/// What is being written, without an end of line: something else will stand there.
pub fn progress(plan: &Plan) -> String {
    let counts = Counts::of(plan);
    format!("depcollect: writing {}, {} …", files(counts.files), size(counts.bytes))
}

struct Counts {
    files: usize,
    bytes: u64,
    links: usize,
    dirs: usize,
}

impl Counts {
    fn of(plan: &Plan) -> Counts {
        let mut counts = Counts { files: 0, bytes: 0, links: 0, dirs: 0 };
        for (_, entry) in plan.entries() {
            match &entry.node {
                Node::File(_) => counts.files += 1,
                Node::Link(_) => counts.links += 1,
                Node::Dir(_) => counts.dirs += 1,
            }
        }
        counts.bytes = plan.contents().map(|(_, content)| content.len).sum();
        counts
    }
}

fn total(collection: &Collection<'_>, counts: &Counts) -> String {
    let links = match counts.links {
        0 => String::new(),
        1 => " and 1 link".into(),
        n => format!(" and {n} links"),
    };
    let tree = format!("{}{links}, {}", files(counts.files), size(counts.bytes));
    let dist = escaped(collection.dist);
    match collection.written {
        None => format!("{tree}; nothing was written"),
        // Links and directories are not counted when they are written.
        Some(Written { files: 0, unchanged: 0, .. }) => format!("{tree}, in {dist}"),
        Some(Written { files: 0, .. }) => format!("{tree}; {dist} holds them already, nothing was changed"),
        Some(Written { unchanged: 0, .. }) => format!("{tree}, written to {dist}"),
        Some(written) => format!("{tree}; {} written to {dist}, the rest was there", files(written.files)),
    }
}

/// What belongs into the Dockerfile's last stage.
fn lines_to_paste(collection: &Collection<'_>) -> Vec<String> {
    let mut lines: Vec<String> = collection.lines.iter().map(|line| escaped(line)).collect();
    // JSON has no word for a name that is no text.
    let entry = collection.entry.as_deref().and_then(|path| std::str::from_utf8(path).ok());
    if let Some(entry) = entry {
        let mut list = Writer::default();
        list.array([entry], |w, path| w.str(path));
        lines.push(format!("ENTRYPOINT {}", fit_to_be_shown(&list.text)));
    }
    lines
}

/// JSON leaves characters as they are that turn the direction of a terminal's
/// text; all of those have four digits.
fn fit_to_be_shown(json: &str) -> String {
    let shown = |c: char| match is_plain(c.encode_utf8(&mut [0; 4]).as_bytes()) {
        true => c.to_string(),
        false => format!("\\u{:04x}", u32::from(c)),
    };
    json.chars().map(shown).collect()
}

/// The report of a collection, for scripts.
pub fn collection_json(collection: &Collection<'_>, findings: &[Finding], status: u8) -> String {
    let mut writer = Writer::default();
    writer.object(|w| {
        w.key("schema").str("depcollect/1");
        w.key("command").str("collect");
        w.name("dist", collection.dist);
        w.key("programs").array(&collection.programs, |w, program| {
            w.object(|w| {
                w.name("path", &program.path);
                w.key("files").number(program.files as u64);
                w.key("files_of_base").number(program.of_base as u64);
                w.key("hwcaps").array(&program.levels, |w, level| w.str(level));
            });
        });
        w.key("needs")
            .array(&collection.needs, |w, needed| w.object(|w| one_need(w, needed, collection.plan)));
        w.key("entries").array(collection.plan.entries(), |w, (at, entry)| {
            w.object(|w| one_entry(w, collection.plan, at, entry));
        });
        if let Some(written) = collection.written {
            w.key("files_written").number(written.files as u64);
            w.key("bytes_written").number(written.bytes);
            w.key("unchanged").number(written.unchanged as u64);
        }
        w.key("paste").array(lines_to_paste(collection), |w, line| w.str(&line));
        w.key("findings").array(findings, super::json::one_finding);
        w.key("status").number(u64::from(status));
    });
    writer.text + "\n"
}

fn one_entry(w: &mut Writer, plan: &Plan, at: &ImagePath, entry: &Entry) {
    w.name("path", at.as_bytes());
    match &entry.node {
        Node::Dir(dir) => {
            w.key("type").str("directory");
            w.key("mode").str(&format!("{:04o}", dir.access.mode));
        }
        Node::Link(target) => {
            w.key("type").str("link");
            w.name("target", target);
        }
        Node::File(id) => one_file(w, at, plan.content(*id)),
    }
    w.key("reasons").array(&entry.reasons, |w, why| {
        w.object(|w| {
            w.key("kind").str(reason_id(why));
            w.key("text").str(&reason(why));
        });
    });
}

fn one_file(w: &mut Writer, at: &ImagePath, content: &Content) {
    w.key("type").str("file");
    w.key("mode").str(&format!("{:04o}", content.access.mode));
    w.key("uid").number(u64::from(content.access.uid));
    w.key("gid").number(u64::from(content.access.gid));
    w.key("size").number(content.len);
    if let Some(source) = origin(at, &content.source) {
        w.name("source", source);
    }
    if matches!(content.source, Source::Made(_)) {
        w.key("source").str("made by depcollect");
    }
}
