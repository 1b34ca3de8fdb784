//! The rows about ldconfig: a tree, and the entries of its cache. The model is
//! asked as each of several versions, and every ldconfig of x86-64 that is here:
//! the machine's and those of `DEPCOLLECT_ROOTS`.
//!
//! `until 2.36` and `since 2.37` in brackets say which of them a row is about.
//! An entry is shown as `KEY FLAGS OSVERSION HWCAP => VALUE`.

use std::fs;
use std::path::Path;

use depcollect::closure::ldconfig::{Setup, answer};
use depcollect::loader::Version;

use crate::ldconfig::{Real, X86_64, shown};
use crate::need::skip;
use crate::place::Store;
use crate::rows::{self, Row};
use crate::world::World;

const NAME: &str = "ldconfig.txt";
const TEXT: &str = include_str!("../../testdata/rows/ldconfig.txt");

/// Those that differ, and the first and the last that is known.
const VERSIONS: [Version; 8] = [
    Version(2, 31),
    Version(2, 33),
    Version(2, 34),
    Version(2, 36),
    Version(2, 37),
    Version(2, 38),
    Version(2, 39),
    Version(2, 43),
];

/// The directories built into Debian's, on this machine.
const BUILTIN: [&str; 4] = ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib", "/usr/lib"];

pub fn all() -> Vec<Row> {
    rows::read(NAME, TEXT)
}

fn version(text: &str) -> Version {
    let (major, minor) = text.split_once('.').expect("a version");
    Version(major.parse().expect("a number"), minor.parse().expect("a number"))
}

fn is_about(row: &Row, asked: Version) -> bool {
    row.marks.iter().all(|mark| match mark.split_once(' ') {
        Some(("until", last)) => asked <= version(last),
        Some(("since", first)) => asked >= version(first),
        _ => panic!("no mark `{mark}`"),
    })
}

fn world(row: &Row) -> World {
    World::parse(&format!("{}\nno-loader", row.world))
}

fn lines(list: &[String]) -> String {
    list.iter().map(|line| format!("{line}\n")).collect()
}

fn model(row: &Row, version: Version) -> String {
    let builtin: Vec<Vec<u8>> = BUILTIN.map(|dir| dir.as_bytes().to_vec()).into();
    let setup = Setup { version, target: X86_64, conf: b"/etc/ld.so.conf", builtin: &builtin };
    lines(&shown(answer(&world(row).to_mem(), &setup).cache()))
}

fn real(row: &Row, real: &Real) -> String {
    let dir = tempfile::tempdir().expect("a place for a tree");
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("etc")).expect("a directory");
    world(row).write_to(&root, &Store::new(&dir.path().join("loaders")));
    lines(&real.ask(Path::new(&root)))
}

fn check(row: &Row, who: &str, answer: &str) -> Option<String> {
    let Row { id, says, world, expect, .. } = row;
    (answer != expect).then(|| format!("{id} {says}\n{world}-- expected\n{expect}-- {who} says\n{answer}"))
}

#[test]
fn the_model_agrees() {
    let mut failures = Vec::new();
    for row in all() {
        let versions: Vec<Version> = VERSIONS.into_iter().filter(|v| is_about(&row, *v)).collect();
        assert!(!versions.is_empty(), "{} is about no version", row.says);
        failures.extend(versions.into_iter().filter_map(|v| check(&row, &format!("{v:?}"), &model(&row, v))));
    }
    assert!(failures.is_empty(), "{}\n{} answers", failures.join("\n"), failures.len());
}

#[test]
fn every_ldconfig_agrees() {
    let scratch = tempfile::tempdir().expect("a place for a tree");
    let is_debian = |real: &Real| real.builtin_dirs(scratch.path()) == BUILTIN.map(str::as_bytes);
    let Some(machine) = Real::of_machine().filter(is_debian) else {
        return skip("no ldconfig of Debian on x86-64 that may chroot");
    };
    let others = Real::of_roots().into_iter().filter(|real| real.target == X86_64);
    let reals: Vec<Real> = std::iter::once(machine).chain(others).collect();
    let fit = |row: &Row| reals.iter().filter(|r| is_about(row, r.version)).collect::<Vec<_>>();
    if std::env::var_os("DEPCOLLECT_UPDATE").is_some() {
        return rows::update_file(NAME, TEXT, |row| Some(real(row, fit(row).first()?)));
    }
    let mut failures = Vec::new();
    for row in all() {
        let asked = fit(&row);
        failures.extend(asked.iter().filter_map(|r| check(&row, &format!("{:?}", r.words), &real(&row, r))));
    }
    assert!(failures.is_empty(), "{}\n{} answers", failures.join("\n"), failures.len());
}
