//! What the project stands on, asked of cargo: licences, sources, crates that
//! come twice, and that README has a reason for each.

use std::collections::BTreeMap;
use std::process::Command;

use crate::json::{self, Value};
use crate::need;

/// Ours is `MIT OR Apache-2.0`: what is given away under these goes with it.
const LICENCES: [&str; 5] =
    ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0", "Unlicense"];

/// Crates for others are not fetched.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Whether each part of an expression offers one of them.
fn is_free(licence: &str) -> bool {
    let alternative = |word: &str| LICENCES.contains(&word.trim_matches(['(', ')', ' ']));
    licence.split(" AND ").all(|part| part.replace('/', " OR ").split(" OR ").any(alternative))
}

#[test]
fn licences_are_read_by_their_words() {
    for (licence, expected) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("GPL-3.0-only OR MIT", true),
        ("MIT/Apache-2.0", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(MIT OR Apache-2.0) AND OpenSSL", false),
        ("", false),
    ] {
        assert_eq!(is_free(licence), expected, "{licence}");
    }
}

/// `None`, with a word, where cargo knows the crates by name only.
fn packages() -> Option<Vec<Value>> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", PLATFORM]);
    cargo.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
    let output = match cargo.output() {
        Ok(output) if output.status.success() => output,
        Ok(_) | Err(_) => {
            need::skip("cargo metadata cannot be had without a network");
            return None;
        }
    };
    let metadata = json::parse(&String::from_utf8(output.stdout).expect("text")).expect("JSON");
    Some(metadata.list("packages").to_vec())
}

#[test]
fn crates_are_free_from_the_registry_and_come_once() {
    let Some(packages) = packages() else { return };
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in &packages {
        let name = package.text("name").expect("a name");
        let licence = package.text("license").unwrap_or_default();
        assert!(is_free(licence), "{name}: {licence}");
        let source = package.text("source");
        assert!(name == "depcollect" || source == Some(CRATES_IO), "{name}: {source:?}");
        versions.entry(name).or_default().push(package.text("version").expect("a version"));
    }
    versions.retain(|_, versions| versions.len() > 1);
    assert_eq!(versions, BTreeMap::new());
}

#[test]
fn readme_has_a_reason_for_each() {
    let Some(packages) = packages() else { return };
    let readme = include_str!("../../README.md");
    let ours = packages.iter().find(|package| package.text("name") == Some("depcollect")).expect("ours");
    let missing: Vec<&str> = ours
        .list("dependencies")
        .iter()
        .map(|dependency| dependency.text("name").expect("a name"))
        .filter(|name| !readme.contains(&format!("[{name}](https://crates.io/crates/{name})")))
        .collect();
    assert_eq!(missing, [""; 0]);
}
