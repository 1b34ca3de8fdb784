//! depcollect and its peers, side by side: what is collected starts, or does
//! not; what is listed is what the loader opens, or is not; and how long it
//! takes. `benches/peers.sh` installs them and starts this, which writes the
//! tables of docs/compare.md and of README.

#![expect(clippy::disallowed_methods, clippy::print_stderr, reason = "a program of its own, which measures")]
#![expect(dead_code, reason = "what is shared is used here in part")]
#![expect(clippy::unwrap_used, unreachable_pub, reason = "whoever measures reads the panic")]

#[path = "../../tests/it/cases.rs"]
mod cases;
#[path = "../speed/elves.rs"]
mod elves;
#[path = "../../tests/it/enter.rs"]
mod enter;
mod listing;
#[path = "../../tests/it/overlay.rs"]
mod overlay;
#[path = "../speed/race.rs"]
mod race;
mod render;
mod timing;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cases::{Case, Places, Tool};

/// A part of what is measured, the file of its rows, and what makes them.
type Part = (&'static str, fn(&Places) -> String);

const PARTS: [Part; 5] = [
    ("versions", versions),
    ("cases", matrix),
    ("agree", listing::agreement),
    ("list", timing::listing),
    ("copy", timing::copying),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [depcollect, peers, date, parts @ ..] = &words[..] else {
        return eprintln!("usage: peers DEPCOLLECT PEERS DATE [cases|agree|list|copy]...");
    };
    let places = Places { depcollect: PathBuf::from(depcollect), peers: PathBuf::from(peers) };
    let results = places.peers.join("results");
    fs::create_dir_all(&results).unwrap();
    fs::write(results.join("date"), date).unwrap();
    let is_wanted =
        |name: &str| name == "versions" || parts.is_empty() || parts.iter().any(|part| part == name);
    for (name, part) in PARTS.into_iter().filter(|(name, _)| is_wanted(name)) {
        eprintln!("{name}");
        fs::write(results.join(name), part(&places)).unwrap();
    }
    render::write(&results);
}

/// A line of a table: fields between tabs.
fn row(fields: &[&str]) -> String {
    let clean = |field: &&str| field.replace(['\t', '\n'], " ");
    format!("{}\n", fields.iter().map(clean).collect::<Vec<_>>().join("\t"))
}

/// Each case, and each tool for it.
fn matrix(places: &Places) -> String {
    cases::cases().iter().map(|case| one_case(case, places)).collect()
}

fn one_case(case: &Case, places: &Places) -> String {
    assert!(case.is_possible(), "{}: packages are missing: {:?}", case.id, case.packages);
    let machine = case.made(places).unwrap_or_else(|why| panic!("{}: {why}", case.id));
    case.named(&machine, places).unwrap_or_else(|why| panic!("{}: {why}", case.id));
    let judged = |tool: &Tool| {
        let verdict = case.verdict(&machine, tool, places);
        eprintln!("{} {} {verdict:?}", case.id, tool.id);
        let words = verdict.err().map(|words| words.replace(&places.peers.display().to_string(), ""));
        row(&[
            case.id,
            tool.id,
            if words.is_none() { "pass" } else { "FAIL" },
            words.as_deref().unwrap_or(""),
        ])
    };
    cases::tools().iter().map(judged).collect()
}

fn versions(places: &Places) -> String {
    let version = |tool: &Tool| row(&[tool.id, version(tool.from, places).trim()]);
    cases::tools().iter().map(version).collect()
}

/// As whoever installed it says.
fn version((registry, name): (&str, &str), places: &Places) -> String {
    let peers = places.peers.to_str().unwrap();
    match registry {
        "deb" => printed("dpkg-query", &["-W", "-f", "${Version}", name]),
        "crate" => word_behind(&printed("cargo", &["install", "--list", "--root", peers]), name),
        "pypi" => {
            word_behind(&printed(&format!("{peers}/venv/bin/pip"), &["list", "--format", "freeze"]), name)
        }
        _ => word_behind(&printed(places.depcollect.to_str().unwrap(), &["--version"]), name),
    }
}

fn word_behind(text: &str, name: &str) -> String {
    let behind = |line: &str| {
        let rest = line.strip_prefix(name)?.trim_start_matches([' ', '=', 'v']);
        Some(rest.trim_end_matches(':').to_owned())
    };
    text.lines().find_map(behind).unwrap_or_else(|| panic!("no version of {name}"))
}

fn printed(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Where README and docs/ are.
fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
