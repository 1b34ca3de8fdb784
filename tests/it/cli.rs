//! The binary as a user meets it: what it prints, where, and its exit status.
//! Each row runs it on a small root made for the row, with a loader made for it
//! as well, so that no machine makes a difference.

use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

use rustix::fs::{Mode, OFlags};

use crate::json;
use crate::place::Store;
use crate::world::World;

const LOADER: &str = "no-loader
/lib64/ld-linux-x86-64.so.2: SONAME ld-linux-x86-64.so.2; \
    GLIBC 2.40-1 Debian /lib/x86_64-linux-gnu/ /usr/lib/x86_64-linux-gnu/ /lib/ /usr/lib/
";

/// A program with a shared library, a missing one and one that only ld.so.conf names.
pub const TREE: &str = "
/t/m: NEEDED libA.so libB.so libno.so libconf.so; RUNPATH /t/l
/t/l/libA.so: NEEDED libB.so
/t/l/libB.so:
/opt/x/libconf.so:
conf: /opt/x
/usr/local/lib/deep/libno.so:
";

pub struct Bench {
    pub dir: tempfile::TempDir,
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

    pub fn run(&self, args: &[&str]) -> Output {
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

pub fn check(text: &str, args: &[&str], expected: &str) {
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
\tlibconf.so => /opt/x/libconf.so (ld.so.conf, not in the cache)
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
fn what_stands_in_the_place_of_the_cache_is_said() {
    let rows = [
        ("", "the root has none"),
        ("/", "it is a directory"),
        (" \"text\"", "it does not begin as a cache does"),
    ];
    for (what, words) in rows {
        let cache = if what.is_empty() { String::new() } else { format!("\n/etc/ld.so.cache{what}") };
        let said = Bench::of(&format!("/t/m: NEEDED libA.so{cache}")).says(&["list", "-v", "/t/m"]);
        assert!(said.contains(&format!("\nld.so.cache: off, {words}\n")), "{said}");
    }
    // ld.so opens it like anything else.
    let fifo = "/t/m: NEEDED libB.so libA.so; RPATH /t\n/t/libB.so:\n/etc/ld.so.cache |";
    check(
        fifo,
        &["list", "/t/m"],
        "
\tlibB.so => /t/libB.so
-- 1
depcollect: error: /t/m: /etc/ld.so.cache: waits for ever on a FIFO
hint: it stands in the way of `libA.so`, needed by `/t/m`
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

/// A chain of libraries, the last of which lacks one.
fn chain(length: usize) -> String {
    let line = |n: usize| format!("/t/l/lib{n}.so: NEEDED lib{}.so; RUNPATH /t/l\n", n + 1);
    let lines: String = (1..=length).map(line).collect();
    format!("/t/m: NEEDED lib1.so; RUNPATH /t/l\n{lines}")
}

#[test]
fn a_tree_loses_nothing_however_deep_it_is() {
    let said = Bench::of(&chain(300)).says(&["list", "--format", "tree", "-q", "/t/m"]);
    for n in 1..=300 {
        assert!(said.contains(&format!("└── lib{n}.so => /t/l/lib{n}.so [RUNPATH")), "lib{n}.so");
    }
    let indent = |n: usize| said.lines().find(|l| l.contains(&format!("/lib{n}.so"))).map(|l| l.find('└'));
    assert_eq!(indent(65), indent(66));
    assert_ne!(indent(64), indent(65));
    assert!(said.contains("[RUNPATH]\n") && !said.contains("lib65.so [RUNPATH, for"), "{said}");
    assert!(said.contains("lib66.so => /t/l/lib66.so [RUNPATH, for lib65.so]"), "{said}");
    assert!(said.contains("lib301.so => not found [for lib300.so]"), "{said}");
    assert!(said.contains("· /t/l/lib301.so: absent [RUNPATH]"), "{said}");
}

#[test]
fn only_what_is_a_variant_of_a_tried_directory_is_left_out() {
    let world = "/t/m: INTERP /t/ld.so; NEEDED libno.so; RUNPATH /opt/x86_64/lib:/t/tls\n\
                 /t/ld.so: SONAME ld-linux-x86-64.so.2; GLIBC 2.35-1 Debian /lib/\n\
                 /opt/x86_64/lib/tls/x86_64/\n/opt/x86_64/lib/x86_64/\n/opt/x86_64/lib/glibc-hwcaps/x86-64-v2/\n/t/tls/";
    let bench = Bench::of(world);
    let tried = |args: &[&str]| {
        let said = bench.says(&[&["list", "--format", "tree", "--hwcaps", "x86-64-v2"], args].concat());
        let lines = said.lines().filter(|line| line.contains("[RUNPATH]"));
        lines.map(|line| line.trim_start_matches([' ', '·']).to_owned()).collect::<Vec<_>>()
    };
    let line = |dir: &str| format!("{dir}/libno.so: absent [RUNPATH]");
    assert_eq!(tried(&["/t/m"]), [line("/opt/x86_64/lib"), line("/t/tls")]);
    let all = tried(&["-v", "/t/m"]);
    for dir in ["glibc-hwcaps/x86-64-v2", "tls/x86_64", "x86_64"] {
        assert!(all.contains(&line(&format!("/opt/x86_64/lib/{dir}"))), "{all:?}");
    }
}

#[test]
fn verbose_tells_rule_and_size_of_every_file() {
    let bench = Bench::of("/t/m: NEEDED libA.so; RUNPATH /t/l\n/t/l/libA.so:");
    let said = bench.says(&["list", "-v", "/t/m"]);
    let lines: Vec<&str> = said.lines().collect();
    let about = |path: &str, rule: &str| {
        let size = std::fs::metadata(bench.dir.path().join(format!("root{path}"))).expect("a file").len();
        format!("{path} [{rule}] {size} B")
    };
    assert_eq!(lines[..2], ["\tlibA.so => /t/l/libA.so", "-- 0"]);
    let expected = [
        about("/t/m", "the program"),
        about("/lib64/ld-linux-x86-64.so.2", "interpreter"),
        about("/t/l/libA.so", "RUNPATH"),
    ];
    for line in expected {
        assert!(lines.contains(&line.as_str()), "{line}\n{said}");
    }
    assert!(lines.last().is_some_and(|line| line.starts_with("3 files, ")), "{said}");
}

#[test]
fn one_file_is_one_file() {
    let bench = Bench::of("/t/m: NEEDED libA.so; RUNPATH /t/l\n/t/l/libA.so:\n/t/l/x \"y\"");
    let said = bench.says(&["list", "--format", "tree", "-v", "/t/m"]);
    assert!(said.contains("\n2 files beside the program, "), "{said}");
    let said = bench.says(&["list", "--format", "tree", "-v", "/t/l/libA.so"]);
    assert!(said.contains("\n1 file beside the program, "), "{said}");
}

#[test]
fn what_does_not_count_for_a_setuid_program_is_said() {
    check(
        "/t/m: NEEDED libA.so; RUNPATH $ORIGIN\nmode /t/m 4755",
        &["list", "--format", "tree", "--library-path", "/t", "/t/m"],
        "
/t/m
├── /lib64/ld-linux-x86-64.so.2 [interpreter]
└── libA.so => not found
    · /lib/x86_64-linux-gnu/libA.so: no such directory [default directory]
    · /usr/lib/x86_64-linux-gnu/libA.so: no such directory [default directory]
    · /lib/libA.so: no such directory [default directory]
    · /usr/lib/libA.so: no such directory [default directory]
    · $ORIGIN: off outside the default directories, because the program is setuid or setgid, or has file capabilities
    · ld.so.cache: off, the root has none
-- 1
depcollect: error: /t/m: libA.so: cannot open shared object file: No such file or directory (needed by /t/m)
depcollect: note: /t/m: --library-path does not count: it is setuid or setgid
",
    );
}

#[test]
fn colour_is_put_around_words_only() {
    let said = Bench::of(TREE).says(&["list", "--format", "tree", "--color", "always", "/t/m"]);
    assert!(
        said.starts_with("\x1b[1m/t/m\x1b[0m\n├── /lib64/ld-linux-x86-64.so.2\x1b[2m [interpreter]\x1b[0m\n"),
        "{said}"
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
fn paths_are_named_once_and_by_every_name_that_is_opened() {
    check(
        "/t/m: NEEDED libA.so libB.so libconf.so; RUNPATH /t/l\n/t/n: NEEDED libA.so; RUNPATH /t/l\n\
            /t/l/libA.so:\n/t/l/libB.so -> libA.so\nconf: /opt/x\n/opt/x/libconf.so.1: SONAME libconf.so",
        &["list", "-q", "--format", "paths", "/t/m", "/t/n"],
        "
/t/m
/lib64/ld-linux-x86-64.so.2
/t/l/libA.so
/t/l/libB.so
/opt/x/libconf.so.1
/t/n
-- 0
",
    );
}

/// A library with a variant for one level; the program is the same for all others.
const VARIANT: &str = "
/t/m: NEEDED libA.so; RUNPATH /t/l
/t/l/libA.so:
/t/l/glibc-hwcaps/x86-64-v3/libA.so:
";

/// The one JSON value that it printed.
pub fn json_of(output: &Output) -> json::Value {
    let text = String::from_utf8(output.stdout.clone()).expect("JSON is UTF-8");
    json::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn json_holds_each_level_that_changes_something_as_a_value_of_its_own() {
    let bench = Bench::of(VARIANT);
    let value =
        json_of(&bench.run(&["list", "--hwcaps", "all", "--format", "json", "/t/m", "/t/none", "/t/m"]));
    let shown: Vec<_> =
        value.list("programs").iter().map(|p| (p.text("path"), p.text("hwcaps"), p.text("error"))).collect();
    let program = |level| (Some("/t/m"), level, None);
    let both = [program(None), program(Some("x86-64-v3"))];
    let none = (Some("/t/none"), None, Some("No such file or directory"));
    assert_eq!(shown, [&both[..], &[none], &both[..]].concat());
}

#[test]
fn a_level_that_changes_only_the_findings_is_shown() {
    check(
        "/t/m: NEEDED libA.so; RUNPATH /t/l\n/t/l/libA.so: ISA 4",
        &["list", "--hwcaps", "all", "/t/m"],
        "
\tlibA.so => /t/l/libA.so
/t/m [x86-64-v3]:
\tlibA.so => /t/l/libA.so
-- 1
depcollect: error: /t/m: /t/l/libA.so: CPU ISA level is lower than required
hint: it was built for a newer processor (-march=x86-64-v3)
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
fn a_library_of_glibc_is_no_loader() {
    let loader = "GLIBC 2.40-1 Debian /lib/x86_64-linux-gnu/ /usr/lib/x86_64-linux-gnu/ /lib/ /usr/lib/";
    check(
        &format!("/t/m: NEEDED libA.so; INTERP /t/libc.so.6\n/t/libc.so.6: SONAME libc.so.6; {loader}"),
        &["list", "/t/m"],
        "-- 1
depcollect: error: /t/m: its interpreter `/t/libc.so.6` is neither glibc's loader nor musl's
hint: uClibc, bionic and others follow rules of their own, which are not modelled
",
    );
}

#[test]
fn a_working_directory_that_was_removed_is_one_without_files() {
    let bench = Bench::of("/t/m: NEEDED libA.so; RUNPATH /t/l\n/t/l/libA.so:");
    let binary = assert_cmd::cargo::cargo_bin!("depcollect");
    let gone = "mkdir gone && cd gone && rmdir ../gone && exec \"$0\" list --root \"$1\" /t/m ./m";
    let mut command = Command::new("sh");
    command.args(["-c", gone]).arg(binary).arg(bench.dir.path().join("root")).current_dir(bench.dir.path());
    let output = command.output().expect("a shell");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.starts_with("/t/m:\n\tlibA.so => /t/l/libA.so\n"), "{said}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, "depcollect: error: cannot open `./m`: No such file or directory\n");
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
depcollect: read 3 files in directories: 2 programs or libraries
",
    );
}

#[test]
fn files_that_are_named_are_not_counted_with_those_of_a_directory() {
    let bench = Bench::of("/t/m:\n/t/l/libA.so:\n/t/l/a.o: REL");
    let said = bench.says(&["list", "/t/m", "/t/l", "/t/m"]);
    assert!(
        said.ends_with("-- 0\ndepcollect: read 2 files in directories: 1 program or library\n"),
        "{said}"
    );
}

#[test]
fn what_cannot_be_looked_at_is_named_with_its_cause() {
    let long = "x".repeat(100);
    let world = format!(
        "/t/script \"#!/bin/sh\"\n/t/empty \"\"\n/t/text \"{long}\"\n/t/pe \"MZ{long}\"\n/t/fifo |\n/t/loop -> loop\n\
         /t/macho \"\\xcf\\xfa\\xed\\xfe{long}\"\n/t/cut: NEEDED libA.so; CUT 100\n/t/rel: REL\n/t/debug: NODYNAMIC\n/t/n\\n\\x1b[31m\\xff \"{long}\"\n\
         /t/spe \"MZ\"\n/t/smacho \"\\xcf\\xfa\\xed\\xfe\"\n/t/self \"\\x7fELF\"\n/t/one \"x\"\n/t/short \"hello\""
    );
    let bench = Bench::of(&world);
    let rows = [
        (
            "/t/script",
            "cannot list `/t/script`: it is a script\nhint: its interpreter is `/bin/sh`; name that\n",
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
        (
            "none",
            "cannot open `none`: No such file or directory\nhint: it is neither in the root's usual PATH nor in the working directory\n",
        ),
        ("/t/spe", "cannot list `/t/spe`: it is a PE file, of Windows or UEFI\n"),
        ("/t/smacho", "cannot list `/t/smacho`: it is a Mach-O file, of macOS\n"),
        ("/t/self", "cannot list `/t/self`: it is an ELF file cut short\n"),
        ("/t/one", "cannot list `/t/one`: 1 byte is too little for an ELF file\n"),
        ("/t/short", "cannot list `/t/short`: 5 bytes are too few for an ELF file\n"),
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
fn more_is_said_beside_every_format_that_does_not_hold_it() {
    let bench = Bench::of("/t/m: NEEDED liba.so; RPATH /t/l");
    let tried = "tried `/t/l/liba.so` for `liba.so`: no such directory [RPATH]";
    for (format, is_beside) in [("ldd", true), ("paths", true), ("dot", true), ("json", false)] {
        let said = bench.says(&["list", "-v", "--format", format, "/t/m"]);
        assert_eq!(said.contains(tried), is_beside, "{format}: {said}");
    }
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
fn what_may_not_be_searched_is_a_warning_in_every_format() {
    let bench = Bench::of(
        "/t/m: NEEDED libA.so; RUNPATH /t/l/deep:/t/k\n/t/l/deep/libA.so:\n/t/k/libA.so:\n/t/l/\nmode /t/l 000\nmode /t/k/libA.so 000",
    );
    let program = bench.dir.path().join("depcollect");
    // Not by a descriptor of ours, which a test beside this one may inherit: a
    // file that is open for writing cannot be executed.
    let copied = Command::new("cp").arg(assert_cmd::cargo::cargo_bin!("depcollect")).arg(&program).status();
    assert!(copied.is_ok_and(|status| status.success()), "a copy");
    std::fs::set_permissions(bench.dir.path(), std::fs::Permissions::from_mode(0o755)).expect("a mode");
    for format in ["ldd", "tree", "paths", "dot", "json"] {
        let mut command = Command::new(&program);
        command.args(["list", "--root", "root", "--format", format, "/t/m"]).current_dir(bench.dir.path());
        if rustix::process::geteuid().is_root() {
            command.uid(65534);
        }
        let output = command.output().expect("it runs");
        let warned: Vec<(String, String)> = if format == "json" {
            let value = json_of(&output);
            let findings = value.list("programs")[0].list("findings");
            let text = |f: &json::Value, key| f.text(key).expect("a text").to_owned();
            findings.iter().map(|f| (text(f, "subject"), text(f, "message"))).skip(1).collect()
        } else {
            let said = String::from_utf8(output.stderr).expect("text");
            let lines = said.lines().filter_map(|line| line.strip_prefix("depcollect: warning: /t/m: "));
            lines.filter_map(|line| line.split_once(": ")).map(|(a, b)| (a.into(), b.into())).collect()
        };
        let row = |path: &str, words: &str| (path.to_owned(), words.to_owned());
        let expected = [
            row("/t/k/libA.so", "cannot be read: Permission denied"),
            row("/t/l", "cannot be searched: Permission denied"),
        ];
        assert_eq!(warned, expected, "{format}");
    }
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
fn an_interpreter_that_is_no_path_keeps_a_program_from_starting() {
    let long = "a".repeat(5000);
    let said = "-- 1\ndepcollect: error: /t/m: its PT_INTERP holds no path that the kernel takes: Exec format error\n";
    for kind in ["PIE", "EXEC"] {
        check(&format!("/t/m: {kind}; NEEDED libA.so; INTERP /{long}"), &["list", "/t/m"], said);
        check(&format!("/t/m: {kind}; INTERP /{long}"), &["list", "/t/m"], said);
    }
    let library =
        format!("/t/l/libm.so: SONAME libm.so; NEEDED libA.so; INTERP /{long}; RUNPATH /t/l\n/t/l/libA.so:");
    check(&library, &["list", "/t/l/libm.so"], "\tlibA.so => /t/l/libA.so\n-- 0\n");
}

#[test]
fn a_program_with_file_capabilities_is_not_called_setuid() {
    if !rustix::process::geteuid().is_root() {
        return crate::need::skip("only root may give a file capabilities");
    }
    let bench = Bench::of("/t/m: NEEDED libA.so; RUNPATH $ORIGIN\ncaps /t/m pe");
    let said = bench.says(&["list", "-v", "--library-path", "/t", "/t/m"]);
    let note = "note: /t/m: --library-path does not count: it has file capabilities\n";
    assert!(said.contains(note), "{said}");
    assert!(said.contains("$ORIGIN: off outside the default directories, because the program is "), "{said}");
}

#[test]
fn what_is_preloaded_is_named_with_the_list_that_names_it() {
    check(
        "/t/m:\n/etc/ld.so.preload \"libno.so\"",
        &["list", "/t/m"],
        "\tstatically linked
-- 0
depcollect: warning: /t/m: libno.so: cannot be preloaded (cannot open shared object file): ignored (named in /etc/ld.so.preload)
",
    );
}

#[test]
fn a_program_below_too_long_a_path_is_not_passed_over() {
    let bench = Bench::of("/t/m:");
    let name = "d".repeat(200);
    let top = bench.dir.path().join("root/t");
    let program = std::fs::read(top.join("m")).expect("a program");
    let mut dir = rustix::fd::OwnedFd::from(File::open(top).expect("a directory"));
    for _ in 0..25 {
        rustix::fs::mkdirat(&dir, &name, Mode::RWXU).expect("a directory");
        dir = rustix::fs::openat(&dir, &name, OFlags::DIRECTORY, Mode::empty()).expect("a directory");
    }
    let copy = rustix::fs::openat(&dir, "m", OFlags::CREATE | OFlags::WRONLY, Mode::RWXU).expect("a file");
    File::from(copy).write_all(&program).expect("a copy");
    let said = bench.says(&["list", "/t"]);
    let long = format!("/t/{}m", format!("{name}/").repeat(25));
    let expected = format!(
        "/t/m:\n\tstatically linked\n-- 2\ndepcollect: error: cannot open `{long}`: File name too long\n\
        depcollect: read 2 files in directories: 1 program or library\n"
    );
    assert_eq!(said, expected);
}
