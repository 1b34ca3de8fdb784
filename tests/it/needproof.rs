//! Programs of Debian's packages that start in their closure alone and then fail,
//! and work with what the rules bring. One row is one program; the root is
//! `needs-amd64` of `tests/make-roots.sh`.

#![expect(clippy::disallowed_methods, reason = "the root is found by the environment")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::need;
use crate::starts::start_in;

mod built;
mod interpreters;
mod packages;

/// One program, started twice.
pub struct Proof {
    /// Of the root, as `depcollect --root` takes it.
    pub program: &'static str,
    /// Behind the program.
    pub words: &'static [&'static str],
    /// What it says in its closure alone, in these words among others.
    pub fails: &'static str,
    /// All that it says with what the rules bring.
    pub says: &'static str,
}

/// A root by the last part of its path.
pub fn root(name: &str) -> Option<PathBuf> {
    let roots = std::env::var_os("DEPCOLLECT_ROOTS").unwrap_or_default();
    std::env::split_paths(&roots).find(|path| path.ends_with(name))
}

/// All rows of a table, with a root of this name. `args` ask for rules.
#[track_caller]
pub fn prove(name: &str, args: &[&str], table: &[Proof]) {
    prove_with(name, args, &[], table);
}

/// The same, with files at the top of the tree: their names and what is in them.
#[track_caller]
pub fn prove_with(name: &str, args: &[&str], files: &[(&str, &[u8])], table: &[Proof]) {
    let Some(root) = root(name).filter(|_| rustix::process::geteuid().is_root()) else {
        return need::skip(&format!("no root {name} in DEPCOLLECT_ROOTS, or it cannot be entered"));
    };
    let temp = tempfile::tempdir().expect("a directory");
    fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    for (name, text) in files {
        fs::write(temp.path().join(name), text).expect("a file");
    }
    let placed: Vec<String> = files.iter().map(|(name, _)| format!("--include=./{name}:/{name}")).collect();
    let placed: Vec<&str> = placed.iter().map(String::as_str).collect();
    let (alone, whole) =
        ([&["--needs", "off"], &placed[..]].concat(), [&["--needs", "auto"], args, &placed].concat());
    let wrong: Vec<String> =
        table.iter().filter_map(|row| row.wrong(&root, temp.path(), &alone, &whole)).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), table.len(), wrong.join("\n"));
}

impl Proof {
    fn wrong(&self, root: &Path, scratch: &Path, alone: &[&str], whole: &[&str]) -> Option<String> {
        let shown = format!("{} {}", self.program, self.words.join(" "));
        let alone = self.said(root, scratch, alone);
        if !alone.contains(self.fails) {
            return Some(format!("{shown}: in its closure alone: {alone}"));
        }
        let whole = self.said(root, scratch, whole);
        (whole != self.says).then(|| format!("{shown}: with what it needs: {whole}"))
    }

    fn said(&self, root: &Path, scratch: &Path, args: &[&str]) -> String {
        said(root, scratch, args, self.program, self.words)
    }
}

/// Both streams of `PROGRAM` or `SOURCE:PROGRAM`, started in a tree of its own.
fn said(root: &Path, scratch: &Path, args: &[&str], program: &str, words: &[&str]) -> String {
    let dist = scratch.join("dist");
    let mut collect = Command::new(assert_cmd::cargo::cargo_bin!("depcollect"));
    collect
        .current_dir(scratch)
        .arg("--root")
        .arg(root)
        .args(args)
        .args(["--mkdir", "/proc", "--mkdir", "/dev"]);
    let collected = collect.arg(program).arg(&dist).env_remove("SOURCE_DATE_EPOCH").output();
    let collected = collected.expect("the binary runs");
    if !collected.status.success() {
        return String::from_utf8_lossy(&collected.stderr).into_owned();
    }
    let placed = program.rsplit(':').next().expect("a word");
    let ran = start_in(&dist, Path::new(placed), words);
    fs::remove_dir_all(&dist).expect("the tree goes away again");
    format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr))
}
