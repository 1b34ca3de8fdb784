//! The binary as a user meets it: what it prints, where, and its exit status.
//! Each row runs it on a small root made for the row, with a loader made for it
//! as well, so that no machine makes a difference.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::place::Store;
use crate::world::World;

const LOADER: &str = "no-loader
/lib64/ld-linux-x86-64.so.2: SONAME ld-linux-x86-64.so.2; \
    GLIBC 2.40-1 Debian /lib/x86_64-linux-gnu/ /usr/lib/x86_64-linux-gnu/ /lib/ /usr/lib/
";

/// A program with a shared library, a missing one and one that only ld.so.conf names.
const TREE: &str = "
/t/m: NEEDED libA.so libB.so libno.so libconf.so; RUNPATH /t/l
/t/l/libA.so: NEEDED libB.so
/t/l/libB.so:
/opt/x/libconf.so:
conf: /opt/x
/usr/local/lib/deep/libno.so:
";

pub struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    pub fn of(text: &str) -> Bench {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().join("root");
        std::fs::create_dir(&root).expect("a directory");
        let text = format!("{LOADER}{text}").replace(";     GLIBC", "; GLIBC");
        World::parse(&text).write_to(&root, &Store::new(&dir.path().join("loaders")));
        Bench { dir }
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("depcollect"));
        command.args(args).args(["--root", "root"]).current_dir(self.dir.path());
        command.env_remove("LD_LIBRARY_PATH").env("NO_COLOR", "1").output().expect("the binary runs")
    }

    /// Status, stdout and stderr as one text.
    pub fn says(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let status = output.status.code().expect("it ends by itself");
        format!("{}-- {status}\n{}", text(&output.stdout), text(&output.stderr))
    }
}

fn check(text: &str, args: &[&str], expected: &str) {
    let said = Bench::of(text).says(args);
    let expected = expected.trim_start_matches('\n');
    assert!(said == expected, "{args:?}\n-- expected\n{expected}\n-- said\n{said}");
}

#[test]
fn list_prints_ldds_own_lines_and_says_what_is_missing() {
    check(
        TREE,
        &["list", "/t/m"],
        "
\tlibA.so => /t/l/libA.so
\tlibB.so => /t/l/libB.so
\tlibno.so => not found
\tlibconf.so => /opt/x/libconf.so
-- 1
depcollect: error: /t/m: libno.so: cannot open shared object file: No such file or directory (needed by /t/m)
hint: it exists in `/usr/local/lib/deep`: --library-path /usr/local/lib/deep would find it
depcollect: warning: /t/m: /opt/x/libconf.so: found through ld.so.conf; the loader does not find it before ldconfig has run
",
    );
}

#[test]
fn without_conf_it_says_exactly_what_the_loader_finds() {
    check(
        "/t/m: NEEDED libconf.so\n/opt/x/libconf.so:\nconf: /opt/x",
        &["list", "--no-conf", "/t/m"],
        "
\tlibconf.so => not found
-- 1
depcollect: error: /t/m: libconf.so: cannot open shared object file: No such file or directory (needed by /t/m)
hint: ld.so.conf names its directory: `/opt/x/libconf.so` is found once ldconfig has run
",
    );
}

#[test]
fn the_tree_marks_what_is_shared_missing_and_why() {
    check(
        TREE,
        &["list", "--format", "tree", "-q", "/t/m"],
        "
/t/m
├── /lib64/ld-linux-x86-64.so.2 [interpreter]
├── libA.so => /t/l/libA.so [RUNPATH]
│   └┄┄ shared: libB.so
├── libB.so => /t/l/libB.so [RUNPATH]
├── libno.so => not found
│   · /t/l/libno.so: absent [RUNPATH]
│   · /lib/x86_64-linux-gnu/libno.so: no such directory [default directory]
│   · /usr/lib/x86_64-linux-gnu/libno.so: no such directory [default directory]
│   · /lib/libno.so: no such directory [default directory]
│   · /usr/lib/libno.so: no such directory [default directory]
│   · ld.so.cache: off, the root has none
└── libconf.so => /opt/x/libconf.so [ld.so.conf, not in the cache]
-- 1
depcollect: error: /t/m: libno.so: cannot open shared object file: No such file or directory (needed by /t/m)
hint: it exists in `/usr/local/lib/deep`: --library-path /usr/local/lib/deep would find it
",
    );
}

#[test]
fn paths_are_what_is_opened_and_the_files_behind() {
    check(
        "/t/m: NEEDED libA.so; RUNPATH /t/l\n/t/real/libA.so.1:\n/t/l/libA.so -> ../real/libA.so.1",
        &["list", "--format", "paths", "/t/m"],
        "
/t/m
/lib64/ld-linux-x86-64.so.2
/t/l/libA.so
/t/real/libA.so.1
-- 0
",
    );
}

#[test]
fn json_carries_its_schema_and_everything_tried() {
    let bench = Bench::of("/t/m: NEEDED libA.so; RUNPATH /t/l\n/t/l/");
    let output = bench.run(&["list", "--format", "json", "/t/m"]);
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    assert!(text.starts_with("{\"schema\":\"depcollect/1\",\"command\":\"list\",\"programs\":[\n"), "{text}");
    assert!(text.ends_with("\n],\"status\":1}\n"), "{text}");
    let tried = "{\"path\":\"/t/l/libA.so\",\"rule\":\"runpath\",\"obstacle\":\"absent\"}";
    assert!(text.contains(tried), "{text}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn why_tells_the_shortest_chain_of_each_that_asks() {
    check(
        TREE,
        &["why", "-q", "/t/m", "libB.so"],
        "
/t/m
└─ libB.so => /t/l/libB.so [RUNPATH]
/t/m
└─ libA.so
   └─ libB.so => /t/l/libB.so [loaded already: RUNPATH for m]
2 objects ask for it, by 2 chains in all
-- 1
",
    );
    check(
        TREE,
        &["why", "-q", "/t/m", "libz.so"],
        "-- 1\ndepcollect: error: nothing that `/t/m` loads asks for `libz.so`\n",
    );
}

#[test]
fn several_files_and_directories_get_headers_and_a_count() {
    check(
        "/t/m: NEEDED libA.so; RUNPATH /t/l\n/t/l/libA.so:\n/t/l/readme \"no ELF file, and no word about it\"",
        &["list", "/t"],
        "
/t/l/libA.so:
\tstatically linked
/t/m:
\tlibA.so => /t/l/libA.so
-- 0
depcollect: read 3 files, 2 of them ELF
",
    );
}

#[test]
fn what_cannot_be_looked_at_is_named_with_its_cause() {
    let long = "x".repeat(100);
    let world = format!(
        "/t/script \"#!/bin/sh\"\n/t/empty \"\"\n/t/text \"{long}\"\n/t/pe \"MZ{long}\"\n/t/fifo |\n/t/loop -> loop\n\
         /t/macho \"\\xcf\\xfa\\xed\\xfe{long}\"\n/t/cut: NEEDED libA.so; CUT 100\n/t/rel: REL\n/t/debug: NODYNAMIC\n/t/n\\n\\x1b[31m\\xff \"{long}\""
    );
    let bench = Bench::of(&world);
    let rows = [
        (
            "/t/script",
            "cannot list `/t/script`: it is a script\nhint: its interpreter is `/bin/sh`; list that\n",
        ),
        ("/t/empty", "cannot list `/t/empty`: it is empty\n"),
        ("/t/text", "cannot list `/t/text`: it is no ELF file\n"),
        ("/t/pe", "cannot list `/t/pe`: it is a PE file, of Windows or UEFI\n"),
        ("/t/macho", "cannot list `/t/macho`: it is a Mach-O file, of macOS\n"),
        ("/t/fifo", "cannot read `/t/fifo`: it is a FIFO\n"),
        ("/t/loop", "cannot open `/t/loop`: Too many levels of symbolic links\n"),
        ("/t/cut", "cannot list `/t/cut`: it is damaged or cut short: the program headers\n"),
        ("/t/rel", "cannot list `/t/rel`: an object or core file is not loaded by a loader\n"),
        ("/t/debug", "cannot list `/t/debug`: it is a debug file: there is nothing to load in it\n"),
        ("/t/none", "cannot open `/t/none`: No such file or directory\n"),
        ("none", "cannot open `none`: No such file or directory\n"),
    ];
    for (path, expected) in rows {
        assert_eq!(bench.says(&["list", path]), format!("-- 2\ndepcollect: error: {expected}"), "{path}");
    }
    let odd = std::ffi::OsStr::from_bytes(b"/t/n\n\x1b[31m\xff").to_owned();
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("depcollect"));
    let output = command.args(["list", "--root", "root"]).arg(odd).current_dir(bench.dir.path()).output();
    let said = String::from_utf8(output.expect("the binary runs").stderr).expect("escaped");
    assert_eq!(said, "depcollect: error: cannot list `/t/n\\n\\u{1b}[31m\\xff`: it is no ELF file\n");
}

#[test]
fn a_death_is_told_in_the_loaders_words() {
    check(
        "/t/m: NEEDED libA.so; RPATH /t/a:/t/b\n/t/a/libA.so \"GROUP ( /lib/libA.so.6 ) and what else a linker script of some length may hold\"\n/t/b/libA.so:",
        &["list", "/t/m"],
        "
-- 1
depcollect: error: /t/m: /t/a/libA.so: invalid ELF header
hint: it stands in the way of `libA.so`, needed by `/t/m`
",
    );
}

#[test]
fn an_interpreter_that_is_missing_or_strange_is_a_finding() {
    check(
        "/t/m: INTERP /lib/nosuch.so.2; NEEDED libA.so",
        &["list", "/t/m"],
        "
\t/lib/nosuch.so.2 => not found
-- 1
depcollect: error: /t/m: its interpreter `/lib/nosuch.so.2` cannot be opened: No such file or directory
hint: the kernel reports this as if the program itself did not exist; install the loader's package, or build the program for this root
",
    );
    check(
        "/t/m: INTERP /t/ld.so; NEEDED libA.so\n/t/ld.so: SONAME ld-uClibc.so.0",
        &["list", "/t/m"],
        "
-- 1
depcollect: error: /t/m: its interpreter `/t/ld.so` is neither glibc's loader nor musl's
hint: uClibc, bionic and others follow rules of their own, which are not modelled
",
    );
}

#[test]
fn usage_errors_are_status_two_and_suggest() {
    let bench = Bench::of("");
    for args in [
        &["lst"][..],
        &["list"],
        &["list", "-0", "--format", "tree", "/t/m"],
        &["list", "--fromat", "x", "y"],
    ] {
        let output = bench.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
    let said = bench.says(&["lst"]);
    assert!(said.contains("a similar subcommand exists: 'list'"), "{said}");
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let bench = Bench::of(TREE);
    let program = assert_cmd::cargo::cargo_bin!("depcollect");
    let script =
        format!("{} list --root root /t 2>/dev/null | true; exit ${{PIPESTATUS[0]}}", program.display());
    let output = Command::new("bash").args(["-c", &script]).current_dir(bench.dir.path()).output();
    let Ok(output) = output else { return };
    let status = output.status.code().expect("bash ends by itself");
    assert!(status == 0 || status == 1, "{status}");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_directory_that_is_no_root_is_named() {
    let said = Command::new(assert_cmd::cargo::cargo_bin!("depcollect"))
        .args(["list", "--root", "/nonexistent", "/t/m"])
        .current_dir(Path::new("/"))
        .output()
        .expect("the binary runs");
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_eq!(text, "depcollect: error: cannot open `/nonexistent`: No such file or directory\n");
    assert_eq!(said.status.code(), Some(2));
}
