//! `--onto`: trees for a base, laid over it as `COPY` does and started there.
//!
//! Bases of releases are those of `DEPCOLLECT_ROOTS` that are named `amd64`
//! (Debian 12, `/lib` a directory), `trixie-amd64` (a link) and `bullseye-amd64`
//! (glibc 2.31); the others are made here.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::PoisonError;

use crate::collect_foreign::{everything, musl_machine, roots};
use crate::enter::start_in;
use crate::need;
use crate::traps::{LIBC, Machine};

const CODE: &str = "int f(void); int printf(const char *, ...); double pow(double, double); \
    const char *zlibVersion(void); int stat(const char *, void *); \
    int main(int n, char **v) { char s[999]; \
        printf(\"%d %d %d\\n\", f(), !!*zlibVersion(), (int)pow(n, 2) + stat(\"/\", s)); return 3; }";

const LIBM: &str = "lib/x86_64-linux-gnu/libm.so.6";
const LIBZ: &str = "lib/x86_64-linux-gnu/libz.so.1";

const LIBZ_FILE: &str = "lib/x86_64-linux-gnu/libz.so.1.own";

/// A root with a program that loads a library of its own, zlib and libm.
fn machine() -> Option<Machine> {
    let machine = Machine::new()?;
    for path in [LIBM, LIBZ] {
        fs::copy(Path::new("/").join(path), machine.at(path)).expect("a library of this machine");
    }
    // A link, as distributions have it, to a name that no base has.
    fs::rename(machine.at(LIBZ), machine.at(LIBZ_FILE)).expect("a library can be renamed");
    symlink("libz.so.1.own", machine.at(LIBZ)).expect("a link");
    machine.library("opt/app/libf.so.1", "libf.so.1", 7);
    let libraries = [machine.at("opt/app/libf.so.1"), machine.at(LIBM), machine.at(LIBZ)];
    let mut flags: Vec<&str> = libraries.iter().map(|path| path.to_str().expect("a plain path")).collect();
    flags.push("-Wl,-rpath,$ORIGIN");
    machine.build("opt/app/app", CODE, &flags);
    Some(machine)
}

/// As `COPY` of BuildKit does it: a directory goes onto a directory, a file or a
/// link replaces a file or a link, and nothing else is possible.
fn lay_over(dist: &Path, base: &Path) -> io::Result<()> {
    for from in everything(dist) {
        let to = base.join(from.strip_prefix(dist).expect("it is below"));
        let meta = fs::symlink_metadata(&from)?;
        let there = fs::symlink_metadata(&to).map(|meta| meta.is_dir());
        match (meta.is_dir(), there) {
            (true, Ok(true)) => {}
            (true, Ok(false)) => {
                return Err(io::Error::other(format!("cannot copy to non-directory: {to:?}")));
            }
            (false, Ok(true)) => {
                return Err(io::Error::other(format!("cannot replace to directory {to:?} with file")));
            }
            (true, Err(_)) => {
                fs::create_dir(&to)?;
                fs::set_permissions(&to, meta.permissions())?;
            }
            (false, there) => {
                if there.is_ok() {
                    fs::remove_file(&to)?;
                }
                if meta.is_symlink() {
                    symlink(fs::read_link(&from)?, &to)?;
                } else {
                    // By another process: a file that a child of another thread's still
                    // has open for writing cannot be started.
                    let copied = Command::new("cp").arg("-p").arg(&from).arg(&to).status()?;
                    assert!(copied.success(), "cp {from:?}");
                }
            }
        }
    }
    Ok(())
}

/// Files and links of a tree.
fn names(tree: &Path) -> BTreeSet<String> {
    let files = everything(tree).into_iter().filter(|path| path.is_symlink() || path.is_file());
    files.map(|path| path.strip_prefix(tree).expect("it is below").to_string_lossy().into_owned()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn collect(machine: &Machine, base: &Path, args: &[&str]) -> Output {
    let onto = ["--onto", base.to_str().expect("a plain path")];
    machine.collect(&[args, &onto].concat())
}

/// Collects for a base, lays the tree over it, starts the program there.
fn says_over(machine: &Machine, base: &Path, args: &[&str], program: &str) -> Output {
    let collected = collect(machine, base, args);
    let told = String::from_utf8_lossy(&collected.stderr);
    assert_eq!(collected.status.code(), Some(0), "{}: {told}", base.display());
    lay_over(&machine.dist(), base).unwrap_or_else(|error| panic!("{}: {error}", base.display()));
    start_in(base, Path::new(program), &[])
}

fn assert_said(output: &Output, status: i32, text: &str) {
    assert_eq!(String::from_utf8_lossy(&output.stdout), text, "{output:?}");
    assert_eq!(output.status.code(), Some(status), "{output:?}");
}

/// A copy of a base of this name, to be written to; `None` if there is none.
fn base_named(machine: &Machine, name: &str) -> Option<PathBuf> {
    let root = roots().ok()?.into_iter().find(|root| root.ends_with(name))?;
    let base = machine.dir.path().join("base");
    // Nobody writes into a file of it: they are replaced.
    for options in ["-al", "-a"] {
        let status = Command::new("cp").arg(options).arg(&root).arg(&base).status().expect("cp");
        if status.success() {
            return Some(base);
        }
        let _ = fs::remove_dir_all(&base);
    }
    panic!("{}: it cannot be copied", root.display());
}

macro_rules! machine {
    () => {
        match machine() {
            Some(machine) => machine,
            None => return,
        }
    };
}

macro_rules! base_named {
    ($machine:expr, $name:expr) => {{
        let _alone = crate::foreign::ROOTS.lock().unwrap_or_else(PoisonError::into_inner);
        match base_named(&$machine, $name) {
            Some(base) => base,
            None => return need::skip(concat!("DEPCOLLECT_ROOTS has no root named ", $name)),
        }
    }};
}

const OWN: [&str; 2] = ["opt/app/app", "opt/app/libf.so.1"];

#[test]
fn a_base_keeps_what_it_has_its_usr_not_merged() {
    let machine = machine!();
    let base = base_named!(machine, "amd64");
    let output = says_over(&machine, &base, &["/opt/app/app"], "/opt/app/app");
    assert_said(&output, 3, "7 1 1\n");
    assert_eq!(names(&machine.dist()), set(&OWN));
}

#[test]
fn a_base_keeps_what_it_has_its_usr_merged() {
    let machine = machine!();
    let base = base_named!(machine, "trixie-amd64");
    let output = says_over(&machine, &base, &["/opt/app/app"], "/opt/app/app");
    assert_said(&output, 3, "7 1 1\n");
    assert_eq!(names(&machine.dist()), set(&OWN));
}

/// The root's `/lib` is a link and the base's is not: links that the other form
/// takes do not come along for what the base has.
#[test]
fn another_form_of_the_base_needs_no_links_to_its_own_files() {
    let machine = machine!();
    let base = small_base(&machine, &[LIBC[0], LIBC[1], LIBM, LIBZ]);
    fs::create_dir_all(base.join("usr")).unwrap();
    fs::rename(base.join("lib"), base.join("usr/lib")).unwrap();
    fs::create_dir(base.join("lib")).unwrap();
    fs::create_dir_all(machine.at("usr/x").parent().unwrap()).unwrap();
    fs::rename(machine.at("lib"), machine.at("usr/lib")).unwrap();
    symlink("usr/lib", machine.at("lib")).unwrap();
    let output = says_over(&machine, &base, &["/opt/app/app"], "/opt/app/app");
    assert_said(&output, 3, "7 1 1\n");
    assert_eq!(names(&machine.dist()), set(&OWN));
}

/// The loader spelled the library from the directory of the run, which no image has.
#[test]
fn a_library_of_a_relative_search_path_comes_along() {
    let machine = machine!();
    let libraries = [machine.at("opt/app/libf.so.1"), machine.at(LIBM), machine.at(LIBZ)];
    let flags: Vec<&str> = libraries.iter().map(|path| path.to_str().expect("a plain path")).collect();
    machine.build("opt/plain", CODE, &flags);
    let base = small_base(&machine, &[LIBC[0], LIBC[1], LIBM, LIBZ]);
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("depcollect"));
    command.current_dir(machine.at("")).args(["--needs", "off", "--library-path", "opt/app", "--onto"]);
    let output =
        command.arg(&base).arg("opt/plain:/opt/plain").arg(machine.dist()).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    lay_over(&machine.dist(), &base).expect("it lies over");
    assert_said(&start_in(&base, Path::new("/opt/plain"), &[]), 3, "7 1 1\n");
}

#[test]
fn a_base_that_is_too_old_is_told_in_the_loaders_words() {
    let machine = machine!();
    let base = base_named!(machine, "bullseye-amd64");
    let output = collect(&machine, &base, &["/opt/app/app"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("version `GLIBC_2.34' not found (required by /opt/app/app)"), "{said}");
    assert!(
        said.lines().all(|line| !line.contains("leads nowhere") && !line.contains("interpreter")),
        "{said}"
    );
    assert!(!machine.dist().exists());
}

/// A base with these files of the machine.
fn small_base(machine: &Machine, files: &[&str]) -> PathBuf {
    let base = machine.dir.path().join("base");
    for path in files {
        let to = base.join(path);
        fs::create_dir_all(to.parent().expect("it lies in something")).expect("a directory");
        fs::copy(Path::new("/").join(path), to).expect("a file of this machine");
    }
    for dir in ["proc", "dev", "etc"] {
        fs::create_dir_all(base.join(dir)).expect("a directory");
    }
    base
}

#[test]
fn t17_a_part_of_glibc_of_the_same_build_comes_along() {
    let machine = machine!();
    let base = small_base(&machine, &LIBC);
    let output = says_over(&machine, &base, &["/opt/app/app"], "/opt/app/app");
    assert_said(&output, 3, "7 1 1\n");
    assert_eq!(names(&machine.dist()), set(&[LIBM, LIBZ, LIBZ_FILE, OWN[0], OWN[1]]));
}

#[test]
fn t17_glibc_is_not_mixed_from_two_builds() {
    let machine = machine!();
    let trixie = base_named!(machine, "trixie-amd64");
    let libm = trixie.join("usr").join(LIBM);
    fs::remove_file(&libm).unwrap_or_else(|error| panic!("{}: {error}", libm.display()));
    let output = collect(&machine, &trixie, &["/opt/app/app"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("libm.so.6 of the tree and "), "{said}");
    assert!(said.contains(" of the base are of two builds of glibc"), "{said}");
    assert!(!machine.dist().exists());
}

#[test]
fn a_program_of_the_tree_hides_that_of_the_base() {
    let machine = machine!();
    let base = small_base(&machine, &LIBC);
    machine.build("opt/app/other", "int main(void) { return 9; }", &[]);
    fs::create_dir_all(base.join("opt/app")).unwrap();
    fs::rename(machine.at("opt/app/other"), base.join("opt/app/app")).unwrap();
    let output = says_over(&machine, &base, &["/opt/app/app"], "/opt/app/app");
    assert_said(&output, 3, "7 1 1\n");
    assert!(machine.dist().join(LIBZ).is_file());
}

#[test]
fn t2_a_cache_is_written_over_a_base_too() {
    let machine = machine!();
    let base = small_base(&machine, &[LIBC[0], LIBC[1], LIBM, LIBZ]);
    machine.library("srv/l/libg.so.1", "libg.so.1", 8);
    machine.asks("asks", "srv/l/libg.so.1", &[]);
    let output = says_over(&machine, &base, &["/asks", "--library-path", "/srv/l"], "/asks");
    assert_said(&output, 0, "8\n");
    assert!(machine.dist().join("etc/ld.so.cache").is_file());
}

#[test]
fn a_base_of_musl_keeps_its_loader() {
    let Some(machine) = musl_machine() else { return };
    let base = small_base(&machine, &["lib/ld-musl-x86_64.so.1"]);
    fs::create_dir_all(base.join("bin")).unwrap();
    let output = says_over(&machine, &base, &["/app", "--library-path", "/opt/l"], "/app");
    assert_said(&output, 0, "7\n");
    assert_eq!(names(&machine.dist()), set(&["app", "etc/ld-musl-x86_64.path", "opt/l/libf.so.1"]));
}

#[test]
fn users_of_the_base_keep_their_lines() {
    let machine = machine!();
    let base = small_base(&machine, &LIBC);
    let passwd = "root:x:0:0:the base's own:/root:/bin/sh\nold:x:77:77::/:/none\n";
    fs::write(base.join("etc/passwd"), passwd).unwrap();
    fs::write(base.join("etc/group"), "root:x:0:\nold:x:77:\n").unwrap();
    fs::set_permissions(base.join("etc/passwd"), fs::Permissions::from_mode(0o644)).unwrap();
    says_over(&machine, &base, &["/opt/app/app", "--user=app:1234"], "/opt/app/app");
    let now = fs::read_to_string(base.join("etc/passwd")).unwrap();
    assert!(now.starts_with(passwd), "{now}");
    assert!(now.lines().any(|line| line.starts_with("app:x:1234:1234:")), "{now}");
    assert_eq!(now.matches("root:x:").count(), 1, "{now}");
    let group = fs::read_to_string(base.join("etc/group")).unwrap();
    assert!(group.starts_with("root:x:0:\nold:x:77:\n") && group.contains("\napp:x:1234:"), "{group}");
}

#[test]
fn the_test_lays_over_as_strictly_as_copy_does() {
    let temp = tempfile::tempdir().unwrap();
    let (dist, base) = (temp.path().join("dist"), temp.path().join("base"));
    fs::create_dir_all(dist.join("lib")).unwrap();
    fs::create_dir_all(base.join("usr/lib")).unwrap();
    symlink("usr/lib", base.join("lib")).unwrap();
    assert!(lay_over(&dist, &base).unwrap_err().to_string().contains("non-directory"));
    assert!(lay_over(&base, &dist).unwrap_err().to_string().contains("cannot replace"));
}
