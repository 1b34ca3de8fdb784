//! How often the rules are set off, and how much that brings: over every program
//! of this machine. With `DEPCOLLECT_UPDATE` the tables of docs/needs.md are written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::json_of;
use crate::json::Value;
use crate::need;
use crate::starts::elf_programs;

/// Of what is taken along for a program of many libraries, half is less.
const MOST_OF_MEDIAN: u64 = 1_000_000;

/// The programs with the most libraries.
const MOST_LINKED: usize = 200;

/// Without `DEPCOLLECT_FULL`, so many programs, and a quarter of them.
const SAMPLE: usize = 40;

/// What the rules say of one program.
struct Told {
    loads: u64,
    /// Rule, and whether it is taken along.
    rules: BTreeSet<(String, bool)>,
    /// Each file that is taken along, with its size.
    files: BTreeMap<String, u64>,
}

impl Told {
    fn of(program: &Value) -> Told {
        let needs = program.list("needs");
        let is_taken = |need: &&Value| need.text("action") == Some("collect");
        let rule = |need: &Value| (need.text("rule").expect("a name").to_owned(), is_taken(&need));
        let entries = needs.iter().filter(is_taken).flat_map(|need| need.list("entries"));
        let size = |entry: &Value| Some((entry.text("path")?.to_owned(), number(entry, "size")?));
        let loads = number(program, "loads").expect("a number");
        Told { loads, rules: needs.iter().map(rule).collect(), files: entries.filter_map(size).collect() }
    }

    fn extra(&self) -> u64 {
        self.files.values().sum()
    }
}

fn number(value: &Value, key: &str) -> Option<u64> {
    if let Some(Value::Number(number)) = value.get(key) { Some(*number as u64) } else { None }
}

fn told(programs: &[PathBuf]) -> Vec<Told> {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("depcollect"));
    command.args(["needs", "--format", "json"]).args(programs).env_remove("LD_LIBRARY_PATH");
    let value = json_of(&command.output().expect("the binary runs"));
    value.list("programs").iter().filter(|one| one.get("error").is_none()).map(Told::of).collect()
}

#[test]
fn the_rules_bring_little_to_most_programs() {
    let is_full = std::env::var_os("DEPCOLLECT_FULL").is_some();
    let mut programs = elf_programs();
    if programs.len() < 2 * MOST_LINKED {
        return need::skip("a machine of few programs");
    }
    let most_linked = if is_full { MOST_LINKED } else { SAMPLE / 4 };
    if !is_full {
        programs = programs.iter().step_by(programs.len() / SAMPLE).cloned().collect();
    }
    let mut told = told_of_all(&programs);
    told.sort_by_key(|one| std::cmp::Reverse(one.loads));
    let extras = extras(&told[..most_linked]);
    let text = format!("{}\n{}", rules(&told), sizes(&told[..most_linked], &extras));
    eprintln!("{text}");
    if is_full && std::env::var_os("DEPCOLLECT_UPDATE").is_some() {
        write_down(&text);
    }
    let median = extras[extras.len() / 2];
    assert!(median < MOST_OF_MEDIAN, "{median} bytes");
}

/// By two processes at a time.
fn told_of_all(programs: &[PathBuf]) -> Vec<Told> {
    let (one, other) = programs.split_at(programs.len() / 2);
    let half = |programs: &[PathBuf]| programs.chunks(100).flat_map(told).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| half(other));
        let mut told = half(one);
        told.extend(other.join().expect("it ends"));
        told
    })
}

fn extras(told: &[Told]) -> Vec<u64> {
    let mut extras: Vec<u64> = told.iter().map(Told::extra).collect();
    extras.sort_unstable();
    extras
}

fn rules(told: &[Told]) -> String {
    let mut counts: BTreeMap<&(String, bool), usize> = BTreeMap::new();
    told.iter().flat_map(|one| &one.rules).for_each(|rule| *counts.entry(rule).or_default() += 1);
    let mut rows: Vec<_> = counts.into_iter().collect();
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let all = told.len();
    let mut text = format!("| rule | | of {all} programs | |\n|---|---|--:|--:|\n");
    for ((rule, is_taken), count) in rows {
        let what = if *is_taken { "taken along" } else { "named" };
        let percent = count as f64 * 100.0 / all as f64;
        writeln!(text, "| `{rule}` | {what} | {count} | {percent:.1} % |")
            .expect("a String takes everything");
    }
    text
}

fn sizes(told: &[Told], extras: &[u64]) -> String {
    let (most, fewest) = (told[0].loads, told[told.len() - 1].loads);
    let all = told.len();
    let mut text = format!(
        "| of the {all} programs that load most files ({fewest} to {most}) | extra kB |\n|---|--:|\n"
    );
    for (name, percent) in [
        ("least", 0),
        ("a quarter has less than", 25),
        ("half have less than", 50),
        ("three quarters have less than", 75),
        ("nine in ten have less than", 90),
        ("most", 100),
    ] {
        let at = (extras.len() * percent / 100).min(extras.len() - 1);
        writeln!(text, "| {name} | {} |", extras[at] / 1000).expect("a String takes everything");
    }
    text
}

/// Between the lines that say so.
fn write_down(tables: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/needs.md");
    let page = fs::read_to_string(&path).expect("the page");
    let (before, rest) = page.split_once("<!-- measured -->\n").expect("where the tables are");
    let (_, after) = rest.split_once("<!-- end of measured -->").expect("where they end");
    let page = format!("{before}<!-- measured -->\n\n{tables}\n<!-- end of measured -->{after}");
    fs::write(path, page).expect("the page is written");
}
