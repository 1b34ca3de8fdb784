//! Trees collected from roots of other machines and releases, and of musl, each
//! started in a directory that holds nothing else: under qemu-user where this
//! processor cannot run them. `DEPCOLLECT_ROOTS` names the roots, as in `foreign.rs`.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::PoisonError;

use crate::enter::start_in;
use crate::need;
use crate::traps::Machine;

const PROGRAMS: [&str; 11] = [
    "/bin/bash",
    "/bin/cat",
    "/bin/ls",
    "/usr/bin/env",
    "/usr/bin/getconf",
    "/usr/bin/git",
    "/usr/bin/iconv",
    "/usr/bin/perl",
    "/usr/bin/python3",
    "/usr/bin/sort",
    "/usr/bin/tail",
];

/// Fewer than these in a root, and the test sees too little.
const FEWEST: usize = 8;

/// The roots, or why there are none.
pub fn roots() -> Result<Vec<PathBuf>, &'static str> {
    if !rustix::process::geteuid().is_root() {
        return Err("a tree is entered by chroot, which only root may do");
    }
    let roots = std::env::var_os("DEPCOLLECT_ROOTS").ok_or("no foreign roots: set DEPCOLLECT_ROOTS")?;
    Ok(std::env::split_paths(&roots).collect())
}

fn collect(root: &Path, program: &str, dist: &Path) {
    let output = Command::new(assert_cmd::cargo::cargo_bin!("depcollect"))
        .arg("--root")
        .arg(root)
        .args(["--mkdir", "/proc", "--mkdir", "/dev", program])
        .arg(dist)
        .env_remove("LD_LIBRARY_PATH")
        .output()
        .expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{}: {program}: {said}", root.display());
    assert_checks(dist);
}

/// What we wrote is what we would let pass.
pub fn assert_checks(dist: &Path) {
    let output = Command::new(assert_cmd::cargo::cargo_bin!("depcollect"))
        .arg("check")
        .arg(dist)
        .env_remove("LD_LIBRARY_PATH")
        .output()
        .expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "check {}: {said}", dist.display());
}

/// The static qemu that stands at a root's top.
fn qemu_of(root: &Path) -> Option<PathBuf> {
    let names = fs::read_dir(root).expect("a root can be listed").flatten().map(|entry| entry.file_name());
    let mut qemu =
        names.filter(|name| name.as_bytes().starts_with(b"qemu-") && name.as_bytes().ends_with(b"-static"));
    qemu.next().map(PathBuf::from)
}

/// `program --version` in a tree; `qemu` is brought along where one is needed.
fn version_in(tree: &Path, program: &str, qemu: Option<&Path>) -> Output {
    let Some(qemu) = qemu else { return start_in(tree, Path::new(program), &["--version"]) };
    let at = tree.join(qemu.file_name().expect("a file"));
    if !at.exists() {
        // Not by us: a file that another thread's child still has open for writing cannot be started.
        assert!(Command::new("cp").arg(qemu).arg(&at).status().expect("cp").success(), "qemu is copied");
    }
    start_in(tree, &Path::new("/").join(at.file_name().expect("a file")), &[program, "--version"])
}

fn assert_same(what: &str, here: &Output, there: &Output) {
    let said = String::from_utf8_lossy(&there.stderr);
    assert_eq!(here.status.code(), there.status.code(), "{what}: {said}");
    assert_eq!(here.stdout, there.stdout, "{what}: {said}");
}

fn scratch() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    dir
}

#[test]
fn programs_of_other_machines_start() {
    let roots = match roots() {
        Ok(roots) => roots,
        Err(why) => return need::skip(why),
    };
    let _alone = crate::foreign::ROOTS.lock().unwrap_or_else(PoisonError::into_inner);
    for root in roots {
        let qemu = qemu_of(&root).map(|name| root.join(name));
        let there_are: Vec<&str> =
            PROGRAMS.into_iter().filter(|program| root.join(&program[1..]).exists()).collect();
        assert!(there_are.len() >= FEWEST, "{}: {there_are:?}", root.display());
        for program in there_are {
            let scratch = scratch();
            let dist = scratch.path().join("dist");
            collect(&root, program, &dist);
            let here = version_in(&root, program, qemu.as_deref());
            assert_eq!(here.status.code(), Some(0), "{}: {program}: {here:?}", root.display());
            let there = version_in(&dist, program, qemu.as_deref());
            assert_same(&format!("{}: {program}", root.display()), &here, &there);
        }
    }
}

/// All paths below a directory, parents first. Links are not followed.
pub fn everything(tree: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![tree.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(&dir).expect("a tree can be read") {
            let entry = entry.expect("an entry");
            found.push(entry.path());
            if entry.file_type().expect("a type").is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

/// Moves every file of a name that begins so to another directory of the tree.
fn put_aside(tree: &Path, start: &str, to: &str) -> usize {
    let to = tree.join(to);
    fs::create_dir_all(&to).expect("a directory");
    let mut found = everything(tree);
    found.retain(|path| {
        !path.is_dir() && path.file_name().is_some_and(|name| name.as_bytes().starts_with(start.as_bytes()))
    });
    for path in &found {
        fs::rename(path, to.join(path.file_name().expect("a file"))).expect("a library can be moved");
    }
    found.len()
}

#[test]
fn t2_the_loaders_of_other_machines_read_our_cache() {
    let roots = match roots() {
        Ok(roots) => roots,
        Err(why) => return need::skip(why),
    };
    let _alone = crate::foreign::ROOTS.lock().unwrap_or_else(PoisonError::into_inner);
    for root in roots {
        let program = "/usr/bin/python3";
        let qemu = qemu_of(&root).map(|name| root.join(name));
        let scratch = scratch();
        let (small, dist) = (scratch.path().join("root"), scratch.path().join("dist"));
        collect(&root, program, &small);
        let here = version_in(&small, program, qemu.as_deref());
        assert_eq!(here.status.code(), Some(0), "{}: {here:?}", root.display());

        assert!(put_aside(&small, "libexpat.so", "opt/aside") > 0, "{}", root.display());
        fs::create_dir_all(small.join("etc")).expect("a directory");
        fs::write(small.join("etc/ld.so.conf"), "/opt/aside\n").expect("a configuration");
        let without = version_in(&small, program, qemu.as_deref());
        assert_eq!(without.status.code(), Some(127), "{}: {without:?}", root.display());

        collect(&small, program, &dist);
        assert!(dist.join("etc/ld.so.cache").is_file(), "{}", root.display());
        let there = version_in(&dist, program, qemu.as_deref());
        assert_same(&root.display().to_string(), &here, &there);
    }
}

/// A machine with musl's loader in place of glibc.
pub fn musl_machine() -> Option<Machine> {
    let machine = Machine::new()?;
    if Command::new("musl-gcc").arg("--version").output().is_err() {
        need::skip("musl-gcc is not installed");
        return None;
    }
    for dir in ["lib", "lib64"] {
        fs::remove_dir_all(machine.at(dir)).expect("glibc goes");
    }
    fs::copy("/lib/ld-musl-x86_64.so.1", machine.at("lib/ld-musl-x86_64.so.1")).expect("musl's loader");
    machine.build_with(
        "musl-gcc",
        "opt/l/libf.so.1",
        "int f(void) { return 7; }",
        &["-shared", "-fPIC", "-Wl,-soname,libf.so.1"],
    );
    let library = machine.at("opt/l/libf.so.1");
    machine.build_with("musl-gcc", "app", crate::traps::ASKS, &[library.to_str().expect("a plain path")]);
    Some(machine)
}

#[test]
fn a_program_of_musl_starts() {
    let Some(machine) = musl_machine() else { return };
    fs::write(machine.at("etc/ld-musl-x86_64.path"), "/lib:/opt/l\n").expect("a path file");
    assert_eq!(machine.says(&["/app"], "/app"), "7\n");
    assert_checks(&machine.dist());
    // The builder's own path file is not needed when the loader is told otherwise.
    fs::remove_file(machine.at("etc/ld-musl-x86_64.path")).expect("it goes");
    fs::remove_dir_all(machine.dist()).expect("the tree goes");
    assert_eq!(machine.says(&["/app", "--library-path", "/opt/l"], "/app"), "7\n");
    let text = fs::read_to_string(machine.dist().join("etc/ld-musl-x86_64.path")).expect("a path file");
    assert!(text.lines().any(|line| line == "/lib") && text.lines().last() == Some("/opt/l"), "{text}");
}
