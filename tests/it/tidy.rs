//! The shape of the source: which module may use which, and how long a file and
//! a function may be. A new arrow is a change of the design and is made here first.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// In the order in which data flows; a module uses itself and what is listed.
const LAYERS: [(&str, &[&str]); 20] = [
    ("bytes", &[]),
    ("escape", &[]),
    ("finding", &[]),
    ("intern", &[]),
    ("job", &[]),
    ("path", &[]),
    ("shebang", &["bytes", "path"]),
    ("parallel", &[]),
    ("slip", &[]),
    ("elf", &["bytes"]),
    ("root", &["bytes", "intern", "path"]),
    ("loader", &["bytes", "elf", "intern", "path"]),
    ("closure", &["bytes", "elf", "finding", "intern", "loader", "parallel", "path", "root"]),
    (
        "needs",
        &[
            "bytes", "closure", "elf", "finding", "intern", "job", "loader", "parallel", "path", "root",
            "slip",
        ],
    ),
    ("plan", &["bytes", "closure", "elf", "finding", "intern", "job", "loader", "needs", "path", "root"]),
    ("check", &["bytes", "closure", "elf", "finding", "intern", "loader", "path", "plan", "root", "shebang"]),
    ("output", &["bytes", "escape", "intern", "needs", "path", "plan", "root"]),
    (
        "report",
        &[
            "check", "closure", "elf", "escape", "finding", "intern", "loader", "needs", "path", "plan",
            "root",
        ],
    ),
    ("cli", &["job", "loader", "slip"]),
    (
        "run",
        &[
            "bytes", "check", "cli", "closure", "elf", "finding", "intern", "job", "loader", "needs",
            "output", "parallel", "path", "plan", "report", "root", "shebang",
        ],
    ),
];

const LONGEST_FILE: usize = 600;
const LONGEST_FUNCTION: usize = 70;

/// Functions that are one flat table or match.
const FLAT: [&str; 0] = [];

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    for dir in ["src", "tests/it"] {
        collect(&top.join(dir), &mut found);
    }
    found.sort();
    found
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a source file");
            (path.strip_prefix(top).expect("below the top").to_owned(), text)
        })
        .collect()
}

fn collect(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

/// `src/loader/cache/abi.rs` is of the module `loader`.
fn module_of(path: &Path) -> Option<String> {
    let inside = path.strip_prefix("src").ok()?;
    let first = inside.iter().next()?.to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(name, "lib" | "main")).then(|| name.to_owned())
}

/// The modules named behind `crate::`, also in braces.
fn used(text: &str) -> Vec<String> {
    let code =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut used = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(inner) => inner.split('}').next().unwrap_or("").split(',').collect(),
            None => vec![rest],
        };
        for name in names {
            let name: String = name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            used.push(name);
        }
    }
    used
}

#[test]
fn data_flows_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = LAYERS.into_iter().collect();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some(module) = module_of(&path) else { continue };
        let Some(may_use) = allowed.get(module.as_str()) else {
            wrong.push(format!("{}: the module `{module}` has no place in LAYERS", path.display()));
            continue;
        };
        for name in used(&text) {
            let is_module = allowed.contains_key(name.as_str());
            if is_module && name != module && !may_use.contains(&name.as_str()) {
                wrong.push(format!("{}: `{module}` must not use `{name}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_can_be_held_in_the_head() {
    let long: Vec<String> = sources()
        .iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .map(|(path, lines)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "over {LONGEST_FILE} lines:\n{}", long.join("\n"));
}

#[test]
fn functions_are_short() {
    let mut long = Vec::new();
    for (path, text) in sources() {
        for (name, lines) in functions(&text) {
            if lines > LONGEST_FUNCTION && !FLAT.contains(&name.as_str()) {
                long.push(format!("{}: {name} has {lines} lines", path.display()));
            }
        }
    }
    assert!(long.is_empty(), "over {LONGEST_FUNCTION} lines:\n{}", long.join("\n"));
}

/// Each function with its length, from its signature to the brace that closes it.
fn functions(text: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let signature = code.split("fn ").nth(1).filter(|_| is_signature(code));
        let Some(signature) = signature else { continue };
        let close = format!("{}}}", " ".repeat(indent));
        let len = lines[start..].iter().position(|l| **l == close || l.ends_with(" }") && l.contains(code));
        let name = signature.split(['(', '<']).next().unwrap_or("").to_owned();
        found.push((name, len.unwrap_or(0) + 1));
    }
    found
}

fn is_signature(code: &str) -> bool {
    ["fn ", "pub fn ", "pub(crate) fn ", "pub(super) fn ", "const fn ", "pub const fn "]
        .iter()
        .any(|s| code.starts_with(s))
}

/// Rules and obstacles are closed sets: a new one must visit every match.
#[test]
fn the_loaders_answer_every_obstacle() {
    for (path, text) in sources() {
        let is_rule = path.starts_with("src/loader/glibc.rs") || path.starts_with("src/loader/musl.rs");
        let step = text.split("pub fn step").nth(1).and_then(|rest| rest.split("\n}\n").next());
        if let Some(step) = step.filter(|_| is_rule) {
            assert!(!step.contains("_ =>"), "{}: `step` has an arm for whatever comes", path.display());
        }
    }
}
