//! Programs of Debian's packages that start in their closure alone and then fail,
//! and work with what the rules bring. One row is one program, and is about one rule:
//! with all others and without that one the program fails in the same words. The
//! root is `needs-amd64` of `tests/make-roots.sh`.

#![expect(clippy::disallowed_methods, reason = "the root is found by the environment")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use depcollect::needs::rules::{self, Action};

use crate::enter::start_as;
use crate::need;

mod built;
mod go;
mod here;
mod interpreters;
mod made;
mod packages;
mod table;

/// One program, started three times.
pub struct Proof {
    pub rule: &'static str,
    /// Other rules, without which it does not come so far.
    pub also: &'static [&'static str],
    /// Of the root, as `depcollect --root` takes it.
    pub program: &'static str,
    /// Behind the program.
    pub words: &'static [&'static str],
    /// What it says in its closure alone, in these words among others.
    pub fails: &'static str,
    pub says: Says,
    /// And group: nobody, but where the network is to be changed.
    pub user: &'static str,
}

/// With what the rules bring.
#[derive(Clone, Copy)]
pub enum Says {
    /// That and nothing else.
    Is(&'static str),
    /// These words among others.
    Has(&'static str),
}

impl Says {
    fn fits(self, said: &str) -> bool {
        match self {
            Says::Is(words) => said == words,
            Says::Has(words) => said.contains(words),
        }
    }
}

/// Who is nobody, and his group.
pub const NOBODY: &str = "65534:65534";

/// A root by the last part of its path.
pub fn root(name: &str) -> Option<PathBuf> {
    let roots = std::env::var_os("DEPCOLLECT_ROOTS").unwrap_or_default();
    std::env::split_paths(&roots).find(|path| path.ends_with(name))
}

/// What is typed for a tree without the rule, with no other than these; with it; and,
/// if it counts by itself, without it and with all others.
pub fn typed(rule: &str, also: &[&str]) -> Vec<Vec<String>> {
    let is_taken = rules::all().iter().any(|one| one.id == rule && one.action == Action::Collect);
    let with = |rule: &str| format!("--with={rule}");
    let others = || also.iter().map(|rule| with(rule));
    let alone = ["--needs=off".to_owned()].into_iter().chain(others()).collect();
    let typed = others().chain((!is_taken).then(|| with(rule)));
    let without = is_taken.then(|| others().chain([format!("--without={rule}")]).collect());
    [alone, typed.collect()].into_iter().chain(without).collect()
}

/// All rows of a table, with a root of this name.
#[track_caller]
pub fn prove(name: &str, table: &[Proof]) {
    prove_with(name, &[], table);
}

/// The same, with files at the top of the tree: their names and what is in them.
#[track_caller]
pub fn prove_with(name: &str, files: &[(&str, &[u8])], table: &[Proof]) {
    let Some(root) = root(name).filter(|_| rustix::process::geteuid().is_root()) else {
        return need::skip(&format!("no root {name} in DEPCOLLECT_ROOTS, or it cannot be entered"));
    };
    let temp = tempfile::tempdir().expect("a directory");
    fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    for (name, text) in files {
        let path = temp.path().join(name);
        fs::create_dir_all(path.parent().expect("below it")).expect("a directory");
        fs::write(path, text).expect("a file");
    }
    let placed: Vec<String> = files.iter().map(|(name, _)| format!("--include=./{name}:/{name}")).collect();
    let stage = Stage { root: &root, scratch: temp.path() };
    let wrong: Vec<String> = table.iter().filter_map(|row| row.wrong(&stage, &placed)).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), table.len(), wrong.join("\n"));
}

impl Proof {
    fn wrong(&self, stage: &Stage<'_>, placed: &[String]) -> Option<String> {
        let start = |args: Vec<String>| {
            stage.said(&[&args[..], placed].concat(), self.program, self.words, self.user)
        };
        let said: Vec<String> = typed(self.rule, self.also).into_iter().map(start).collect();
        let shown = format!("{}: {} {}", self.rule, self.program, self.words.join(" "));
        judge(&shown, self.fails, self.says, &said)
    }
}

/// Where programs come from, and a directory in which their trees stand.
pub struct Stage<'s> {
    pub root: &'s Path,
    pub scratch: &'s Path,
}

impl Stage<'_> {
    /// Both streams of `PROGRAM` or `SOURCE:PROGRAM`, started in a tree of its own.
    pub fn said(&self, args: &[String], program: &str, words: &[&str], user: &str) -> String {
        if let Err(refused) = self.collect(args, program) {
            return refused;
        }
        let placed = program.rsplit(':').next().expect("a word");
        let ran = start_as(user, &self.dist(), Path::new(placed), words);
        fs::remove_dir_all(self.dist()).expect("the tree goes away again");
        format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr))
    }

    pub fn dist(&self) -> PathBuf {
        self.scratch.join("dist")
    }

    /// The error is what it says.
    pub fn collect(&self, args: &[String], program: &str) -> Result<(), String> {
        let mut collect = Command::new(assert_cmd::cargo::cargo_bin!("depcollect"));
        collect.current_dir(self.scratch).arg("--root").arg(self.root).args(args);
        collect.args(["--mkdir", "/proc", "--mkdir", "/dev", program]).arg(self.dist());
        let collected = collect.env_remove("SOURCE_DATE_EPOCH").output().expect("the binary runs");
        let told = String::from_utf8_lossy(&collected.stderr).into_owned();
        if collected.status.success() { Ok(()) } else { Err(told) }
    }
}

/// What was said with what was [`typed`]: the first and the last are to fail.
pub fn judge(shown: &str, fails: &str, says: Says, said: &[String]) -> Option<String> {
    // Who fails without a word says nothing at all.
    let is_met = |said: &str| if fails.is_empty() { said.is_empty() } else { said.contains(fails) };
    let has_failed = |said: &str| is_met(said) && !says.fits(said);
    let [alone, whole, without @ ..] = said else { panic!("two trees at least") };
    if !has_failed(alone) {
        return Some(format!("{shown}: in its closure alone: {alone}"));
    }
    if !says.fits(whole) || is_met(whole) {
        return Some(format!("{shown}: with what it needs: {whole}"));
    }
    let without = without.iter().find(|said| !has_failed(said))?;
    Some(format!("{shown}: without this rule: {without}"))
}
