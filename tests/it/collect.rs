//! `collect` as a user meets it. Each file of `testdata/collect` holds a root, in
//! the language of `world.rs`, and what a dry run on it says: lines that start
//! with `$` are arguments, what follows up to the next one is the answer. `needs`
//! as the first of them is that command.
//! `DEPCOLLECT_UPDATE=1` writes down what it says now.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::Bench;

fn cases() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/collect");
    let mut files: Vec<PathBuf> =
        fs::read_dir(dir).expect("the cases").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// The text of a case with what is said now.
fn answered(text: &str) -> String {
    let (world, calls) = text.split_once("\n$ ").expect("a case has a call");
    let bench = Bench::of(world);
    let mut now = format!("{world}\n");
    for call in calls.split("\n$ ") {
        let args = call.lines().next().expect("a call has arguments");
        let words: Vec<&str> = args.split_whitespace().collect();
        let said = match words[0] {
            "needs" => bench.says(&words),
            _ => bench.says(&[&["collect", "--dry-run"], &words[..], &["dist"]].concat()),
        };
        write!(now, "$ {args}\n{said}\n").expect("a String takes everything");
    }
    now
}

#[test]
fn a_dry_run_says_what_would_be_written_and_why() {
    let mut wrong = String::new();
    for file in cases() {
        let text = fs::read_to_string(&file).expect("a case");
        let now = answered(text.trim_end_matches('\n'));
        let now = now.trim_end_matches('\n').to_owned() + "\n";
        if now == text {
            continue;
        }
        if std::env::var_os("DEPCOLLECT_UPDATE").is_some() {
            fs::write(&file, &now).expect("the case is written");
        }
        let lines = text.lines().map(Some).chain(std::iter::repeat(None));
        let (n, (new, old)) =
            now.lines().zip(lines).enumerate().find(|(_, (a, b))| Some(*a) != *b).unwrap_or_default();
        writeln!(wrong, "{}:{}:\n  expected {old:?}\n  said     {new:?}", file.display(), n + 1).unwrap();
    }
    assert!(wrong.is_empty(), "{wrong}");
}
