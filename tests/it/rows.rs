//! The rows: what the loaders do, one scenario at a time, as text that every
//! judge is asked about. The ids are those of the reference.
//!
//! A file of `testdata/rows/` holds rows of this form; `+=` repeats the world of the
//! last `==` and adds lines to it. Marks in brackets say when the machine's
//! own loader cannot be asked: `model: WHY` (never; `loader: WHY` is for it alone), `2.36` and `debian` (of
//! another glibc), `cpu NAME` (a hwcaps subdirectory that is not active),
//! `platform NAME` (another `$PLATFORM`), `root`.
//!
//! ```text
//! == G01 [mark, mark] the walk is breadth first
//! /t/m: NEEDED libA.so; RPATH /t/l
//! /t/l/libA.so:
//! --
//! libA.so => /t/l/libA.so
//! += G01 and so on
//! env LD_LIBRARY_PATH=/t
//! --
//! libA.so => /t/l/libA.so
//! ```
//!
//! `DEPCOLLECT_UPDATE=1` writes the real loader's answers into the files.

use std::process::Command;
use std::sync::OnceLock;

use crate::judge::{self, Judge, REAL};
use crate::model::MODEL;
use crate::need;
use crate::world::World;

#[derive(Debug, Clone)]
pub struct Row {
    pub file: &'static str,
    pub id: String,
    pub marks: Vec<String>,
    pub says: String,
    pub world: String,
    pub expect: String,
}

const FILES: [(&str, &str); 11] = [
    ("walk.txt", include_str!("../../testdata/rows/walk.txt")),
    ("walk_extra.txt", include_str!("../../testdata/rows/walk_extra.txt")),
    ("lists.txt", include_str!("../../testdata/rows/lists.txt")),
    ("lists_extra.txt", include_str!("../../testdata/rows/lists_extra.txt")),
    ("obstacles.txt", include_str!("../../testdata/rows/obstacles.txt")),
    ("hwcaps.txt", include_str!("../../testdata/rows/hwcaps.txt")),
    ("cache.txt", include_str!("../../testdata/rows/cache.txt")),
    ("musl.txt", include_str!("../../testdata/rows/musl.txt")),
    ("musl_lists.txt", include_str!("../../testdata/rows/musl_lists.txt")),
    ("start.txt", include_str!("../../testdata/rows/start.txt")),
    ("foreign.txt", include_str!("../../testdata/rows/foreign.txt")),
];

/// Everybody who is asked about every row. The model goes here:
/// `Judge { name: "the model", answers_for_all: true, answer: model }`.
pub fn judges() -> Vec<Judge> {
    vec![REAL, MODEL]
}

pub fn all() -> Vec<Row> {
    FILES.iter().flat_map(|(name, text)| read(name, text)).collect()
}

pub fn read(file: &'static str, text: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut base = String::new();
    let mut in_world = false;
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("== ").or_else(|| line.strip_prefix("+= ")) {
            let is_more = line.starts_with('+');
            if is_more && rows.last().is_some_and(|r| base.is_empty() && !r.world.is_empty()) {
                base = rows.last().expect("a row before +=").world.clone();
            }
            base = if is_more { base } else { String::new() };
            rows.push(headed(file, head, base.clone()));
            in_world = true;
        } else if line == "--" {
            in_world = false;
        } else if let Some(row) = rows.last_mut() {
            let part = if in_world { &mut row.world } else { &mut row.expect };
            if in_world || !(line.is_empty() || line.starts_with('#')) {
                *part += &format!("{line}\n");
            }
        }
    }
    rows
}

fn headed(file: &'static str, head: &str, world: String) -> Row {
    let (id, rest) = head.split_once(' ').expect("an id and a sentence");
    let (marks, says) = match rest.strip_prefix('[').and_then(|r| r.split_once("] ")) {
        Some((marks, says)) => (marks.split(", ").map(str::to_owned).collect(), says),
        None => (Vec::new(), rest),
    };
    Row { file, id: id.to_owned(), marks, says: says.to_owned(), world, expect: String::new() }
}

/// What the machine's own glibc says of itself.
#[derive(Debug, Default)]
pub struct Machine {
    version: String,
    help: String,
}

pub fn machine() -> &'static Machine {
    static MACHINE: OnceLock<Machine> = OnceLock::new();
    MACHINE.get_or_init(|| {
        let ask = |option| {
            let output = Command::new("/lib64/ld-linux-x86-64.so.2").arg(option).output();
            output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default()
        };
        Machine { version: ask("--version"), help: ask("--help") }
    })
}

impl Machine {
    fn has_cpu(&self, name: &str) -> bool {
        self.help.contains(&format!("  {name} (supported, searched)"))
    }

    pub fn is_platform(&self, name: &str) -> bool {
        self.help.contains(&format!("  {name} (AT_PLATFORM;"))
    }
}

impl Row {
    pub fn world(&self) -> World {
        World::parse(&self.world)
    }

    /// Why the machine's own loader cannot be asked, if so.
    fn is_beyond_machine(&self, musl: bool) -> Option<&str> {
        if !judge::has_loader(musl) {
            return Some("the loader is not installed");
        }
        self.marks.iter().map(String::as_str).find(|mark| match mark.split_once([' ', ':']) {
            Some(("model", _)) => true,
            Some(("loader", _)) => false,
            Some(("cpu", name)) => !machine().has_cpu(name),
            Some(("platform", name)) => !machine().is_platform(name),
            _ if *mark == "debian" => !machine().version.contains("(Debian GLIBC"),
            _ if *mark == "root" => !rustix::process::geteuid().is_root(),
            _ => !machine().version.contains(&format!("release version {mark}.")),
        })
    }
}

/// Compares one judge's answer with the row.
fn check(row: &Row, judge: &Judge) -> Result<(), String> {
    let world = row.world();
    if !judge.answers_for_all && row.is_beyond_machine(world.musl).is_some() {
        return Ok(());
    }
    if judge.answers_for_all && row.marks.iter().any(|m| m.starts_with("loader:")) {
        return Ok(());
    }
    let answer = (judge.answer)(&world).to_string();
    if answer == row.expect {
        return Ok(());
    }
    let Row { file, id, says, expect, .. } = row;
    let world = &world.text;
    Err(format!("{file}: {id} {says}\n{world}\n-- expected\n{expect}-- {} says\n{answer}", judge.name))
}

/// Every row is a world that also stands in memory.
#[test]
fn in_memory() {
    for row in all() {
        let world = row.world();
        let root = world.to_mem();
        let items = depcollect::root::Root::list(&root, depcollect::root::DirId::TOP);
        assert!(!items.expect("the top").is_empty());
    }
}

#[test]
fn rows() {
    if let Err(why) = judge::bench() {
        return need::skip(why);
    }
    if std::env::var_os("DEPCOLLECT_UPDATE").is_some() {
        return update();
    }
    let rows = all();
    let failures: Vec<String> = judges()
        .iter()
        .flat_map(|judge| rows.iter().filter_map(|row| check(row, judge).err()).collect::<Vec<_>>())
        .collect();
    assert!(failures.is_empty(), "{}\n{} of {} rows", failures.join("\n"), failures.len(), rows.len());
}

fn update() {
    for (name, text) in FILES {
        update_file(name, text, |row| {
            let is_real = row.is_beyond_machine(row.world().musl).is_none();
            is_real.then(|| (REAL.answer)(&row.world()).to_string())
        });
    }
}

/// Rewrites what the rows of a file expect; where nobody answers it stays.
pub fn update_file(name: &'static str, text: &str, answer: impl Fn(&Row) -> Option<String>) {
    let mut rows = read(name, text).into_iter();
    let mut out = String::new();
    let mut in_world = true;
    for line in text.lines() {
        in_world |= line.starts_with("== ") || line.starts_with("+= ");
        if line == "--" {
            in_world = false;
            let row = rows.next().expect("as many rows as separators");
            out += &format!("--\n{}", answer(&row).unwrap_or(row.expect));
        } else if in_world || line.is_empty() || line.starts_with('#') {
            out += &format!("{line}\n");
        }
    }
    let path = format!("{}/testdata/rows/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::write(path, out).expect("the file of rows");
}
