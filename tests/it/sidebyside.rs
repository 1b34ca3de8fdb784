//! The tables of the side by side are whole, and depcollect does what they ask.
//! The others are run by `benches/peers.sh` alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::cases::{Case, Places, Tool, cases, tools};
use crate::need;
use crate::overlay::Overlay;

#[test]
fn every_case_and_every_tool_is_one_row() {
    let cases = cases();
    let ids: BTreeSet<&str> = cases.iter().map(|case| case.id).collect();
    assert_eq!(ids.len(), cases.len(), "an id is there twice");
    assert!(cases.len() >= 30, "{} cases", cases.len());
    assert!(cases.iter().all(|case| !case.about.is_empty() && !case.packages.is_empty()));
    let tools = tools();
    let ids: BTreeSet<&str> = tools.iter().map(|tool| tool.id).collect();
    assert_eq!(ids.len(), tools.len(), "an id is there twice");
    for tool in &tools {
        let is_known = ["here", "deb", "crate", "pypi"].contains(&tool.from.0) && !tool.from.1.is_empty();
        assert!(is_known && !tool.name.is_empty() && !tool.how.is_empty(), "{}", tool.id);
        assert!(!tool.collect.is_empty(), "{}: collects nothing", tool.id);
        assert_eq!(tool.list.is_some(), tool.paths.is_some(), "{}: lists, and is not compared", tool.id);
        assert!(tool.every.is_none() || tool.list.is_some(), "{}: lists many, but not one", tool.id);
    }
    assert_eq!(tools[0].id, "depcollect");
}

#[test]
fn depcollect_passes_every_case() {
    if !rustix::process::geteuid().is_root() || !cfg!(target_arch = "x86_64") {
        return need::skip(
            "a tree is entered by chroot, which only root may do, and the cases are of x86-64",
        );
    }
    if let Err(why) = Overlay::new(&[]) {
        return need::skip(&format!("no overlay over the machine's root: {why}"));
    }
    let depcollect = assert_cmd::cargo::cargo_bin!("depcollect").to_owned();
    let peers = Path::new(env!("CARGO_TARGET_TMPDIR")).to_owned();
    let places = Places { depcollect, peers };
    let tool = &tools()[0];
    let (possible, left): (Vec<Case>, Vec<Case>) = cases().into_iter().partition(Case::is_possible);
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(case) = possible.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(why) = passed(case, tool, &places) {
                        failures.lock().unwrap().push(format!("{}: {why}", case.id));
                    }
                }
            });
        }
    });
    let left: Vec<&str> = left.iter().map(|case| case.id).collect();
    eprintln!("{} cases; without their packages: {}", possible.len(), left.join(" "));
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), possible.len(), failures.join("\n"));
    if possible.len() < 30 {
        need::skip(&format!("too few packages for {}", left.join(" ")));
    }
}

fn passed(case: &Case, tool: &Tool, places: &Places) -> Result<(), String> {
    let machine = case.made(places)?;
    case.named(&machine, places)?;
    case.verdict(&machine, tool, places)
}

/// The fields of each row of the table whose first one has this title.
fn table(page: &str, title: &str) -> Vec<Vec<String>> {
    let fields =
        |line: &str| line.trim_matches('|').split(" | ").map(|field| field.trim().to_owned()).collect();
    let head = page.lines().skip_while(|line| !line.starts_with(title));
    head.skip(2).take_while(|line| line.starts_with('|')).map(fields).collect()
}

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("a page of ours")
}

#[test]
fn the_pages_show_every_case_and_every_tool() {
    let (cases, tools) = (cases(), tools());
    let matrix = table(&page("docs/compare.md"), "| case | what it is about |");
    let shown: Vec<&str> = matrix.iter().map(|row| row[0].trim_matches('`')).collect();
    assert_eq!(
        shown,
        cases.iter().map(|case| case.id).collect::<Vec<_>>(),
        "benches/peers.sh writes it anew"
    );
    let summary = table(&page("README.md"), "|  | version | cases passed");
    let shown: Vec<&str> = summary.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(shown, tools.iter().map(|tool| tool.name).collect::<Vec<_>>());
    for (row, case) in matrix.iter().zip(&cases) {
        assert_eq!(row.len(), 2 + tools.len(), "{}", case.id);
        assert!(row[2..].iter().all(|cell| cell == "pass" || cell == "FAIL"), "{row:?}");
    }
    for (n, (row, tool)) in summary.iter().zip(&tools).enumerate() {
        let passed = matrix.iter().filter(|row| row[2 + n] == "pass").count();
        assert_eq!(row[2], passed.to_string(), "{}", tool.id);
        assert!(!row[1].is_empty(), "{} has no version", tool.id);
    }
    assert_eq!(summary[0][2], cases.len().to_string(), "depcollect passes all");
}
