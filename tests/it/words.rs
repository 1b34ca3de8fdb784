//! The words of the command line: which are none, which file each means.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::cli::{Bench, json_of};

#[test]
fn usage_errors_are_status_two_and_name_the_cure() {
    let bench = Bench::of("/t/m:");
    let list = "the form is `depcollect list FILE...`";
    let why = "the form is `depcollect why PROGRAM LIBRARY`";
    let levels =
        "levels are x86-64-v2, x86-64-v3, x86-64-v4, power9, power10, z13, z14, z15, z16, z17; or none";
    let all_levels = format!("{levels}, all");
    let rows: [(&[&str], &str, &str); 23] = [
        (&["lst"], "there is no command `lst`", "there is `depcollect list`"),
        (
            &["git"],
            "`git` is one word, and DIST is missing",
            "the form is `depcollect git DIST`; to list what it loads: `depcollect list git`",
        ),
        (
            &["\x1b[31m\n"],
            "`\\u{1b}[31m\\n` is one word, and DIST is missing",
            "the form is `depcollect \\u{1b}[31m\\n DIST`; \
             to list what it loads: `depcollect list \\u{1b}[31m\\n`",
        ),
        (&["list"], "FILE... is missing", list),
        (&["why"], "PROGRAM and LIBRARY are missing", why),
        (&["needs"], "PROGRAM... is missing", "the form is `depcollect needs PROGRAM...`"),
        (&["need"], "there is no command `need`", "there is `depcollect needs`"),
        (&["--color", "never"], "there is nothing to collect", "the form is `depcollect PROGRAM... DIST`"),
        (&["why", "/t/m"], "LIBRARY is missing", why),
        (&["why", "/t/m", "a", "b"], "`b` is one word too many", why),
        (&["list", "--fromat", "x", "y"], "there is no option `--fromat`", "there is `--format`"),
        (&["--root", "x", "list", "/t/m"], "cannot open `x`: No such file or directory", ""),
        (
            &["list", "--no-conf=yes", "/t/m"],
            "`--no-conf` takes no `yes`",
            "the form is `depcollect list --no-conf FILE...`",
        ),
        (&["list", "-x"], "there is no option `-x`", "`depcollect list --help` names the options"),
        (
            &["list", "--format", "yaml", "/t/m"],
            "`--format` does not take `yaml`",
            "it takes ldd, tree, paths, json, dot",
        ),
        (&["list", "-q", "-v", "/t/m"], "`--quiet` and `--verbose` exclude each other", ""),
        (&["list", "--no-conf", "--no-conf", "/t/m"], "`--no-conf` is given twice", ""),
        (&["list", "-0", "--format", "tree", "/t/m"], "`-0` goes with `--format paths` only", ""),
        (
            &["list", "--hwcaps", "x86-64-v3,nonsense", "/t/m"],
            "`--hwcaps` knows no level `nonsense`",
            &all_levels,
        ),
        (&["why", "--hwcaps", "all", "/t/m", "a"], "`why` tells of one processor level at a time", levels),
        (&["", "/dist"], "one of the words is empty", "a variable that is not set?"),
        (&["--include", "", "/dist"], "one of the words is empty", "a variable that is not set?"),
        (&["list", "/t/m", "--format"], "`--format` wants a value", "it takes ldd, tree, paths, json, dot"),
    ];
    rows.iter().for_each(|row| refused(&bench, row));
}

fn refused(bench: &Bench, (args, cause, hint): &(&[&str], &str, &str)) {
    let hint = if hint.is_empty() { String::new() } else { format!("hint: {hint}\n") };
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("depcollect"));
    let output = command.args(*args).current_dir(bench.dir.path().join("root")).output().expect("it runs");
    let said = String::from_utf8(output.stderr).expect("escaped");
    assert_eq!(said, format!("depcollect: error: {cause}\n{hint}"), "{args:?}");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{args:?}");
}

#[test]
fn what_names_nothing_or_contradicts_itself_is_refused() {
    let rows: [(&[&str], &str, &str); 9] = [
        (&["/t/m", "--mkdir=", "/dist"], "one of the words is empty", "a variable that is not set?"),
        (
            &["/t/m", "--tz=", "/dist"],
            "`--tz=` names nothing",
            "`--tz` alone is another thing; a variable that is not set?",
        ),
        (
            &["/t/m", "--tz=,", "/dist"],
            "`--tz=` names nothing",
            "`--tz` alone is another thing; a variable that is not set?",
        ),
        (
            &["/t/m", "--user=", "/dist"],
            "`--user=` names nothing",
            "`--user` alone is another thing; a variable that is not set?",
        ),
        (
            &["/t/m", "--ca-certs=", "/dist"],
            "`--ca-certs=` names nothing",
            "`--ca-certs` alone is another thing; a variable that is not set?",
        ),
        (
            &["/t/m", "--locale=", "/dist"],
            "`--locale` is given no name",
            "such as C.UTF-8; a variable that is not set?",
        ),
        (&["--from", "-", "/dist"], "there is nothing to collect", "--from names no program, one a line"),
        (
            &["/t/m", "--layout", "merged", "--onto", "/", "/dist"],
            "`--layout` and `--onto` exclude each other",
            "",
        ),
        (
            &["/t/m", "--output", "tar", "--format", "json", "-"],
            "`--output tar -` and `--format json` both write to stdout",
            "name a file for the archive",
        ),
    ];
    let bench = Bench::of("/t/m:");
    rows.iter().for_each(|row| refused(&bench, row));
}

#[test]
fn help_is_no_error_and_no_words_at_all_are_one() {
    for (args, status, begins) in [
        (&["--help"][..], 0, "Copies programs with all that they load into a tree that works"),
        (&["-h"], 0, "Copies programs with all that they load into a tree for an image\n"),
        (&["list", "--help"], 0, "List what the loader opens"),
        (&["help", "why"], 0, "Tell who asks for a library"),
        (&["--version"], 0, "depcollect 0."),
        (&[], 2, "Copies programs"),
    ] {
        let output = Command::new(assert_cmd::cargo::cargo_bin!("depcollect")).args(args).output();
        let output = output.expect("it runs");
        assert_eq!(output.status.code(), Some(status), "{args:?}");
        let said = if status == 0 { &output.stdout } else { &output.stderr };
        assert!(said.starts_with(begins.as_bytes()), "{args:?}: {}", String::from_utf8_lossy(said));
    }
}

#[test]
fn help_that_cannot_be_written_is_trouble() {
    let Ok(full) = std::fs::File::create("/dev/full") else { return crate::need::skip("no /dev/full") };
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("depcollect"));
    let status = command.arg("--help").stdout(full).status().expect("it runs");
    assert_eq!(status.code(), Some(2));
}

#[test]
fn a_terminal_gets_no_archive() {
    let bench = Bench::of("/t/m: PROG\n");
    let binary = assert_cmd::cargo::cargo_bin!("depcollect").display().to_string();
    for (dist, status, says) in [
        (
            "-",
            2,
            "an archive is not written to a terminal\r\nhint: name a file, or go on with `| tar -t`\r\n",
        ),
        ("- | wc -c", 0, ""),
        ("--dry-run -", 0, "nothing was written"),
    ] {
        let line = format!("{binary} --root root /t/m --output tar {dist}");
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).current_dir(bench.dir.path()).stdin(Stdio::null());
        let Ok(output) = command.output() else { return crate::need::skip("script is not installed") };
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!((output.status.code(), said.contains(says)), (Some(status), true), "{dist}: {said}");
        assert!(!said.contains("ustar"), "{said}");
    }
}

#[test]
fn a_loader_that_is_none_is_named() {
    let bench = Bench::of(
        "/t/l/libA.so: NEEDED libB.so\n/t/i386.so: I386; SONAME ld-linux.so.2; GLIBC 2.40-1 Debian /lib/",
    );
    let hint = "hint: --loader takes a loader of the root\n";
    let rows = [
        ("/none", format!("cannot open `/none`: No such file or directory\n{hint}"), 2),
        ("/t", format!("cannot open `/t`: it is a directory\n{hint}"), 2),
        ("loaders", format!("cannot open `loaders`: it lies outside the root\n{hint}"), 2),
        ("/t/i386.so", "/t/l/libA.so: `/t/i386.so` of --loader is no loader for its machine\n".into(), 1),
        ("root/t/i386.so", "/t/l/libA.so: `/t/i386.so` of --loader is no loader for its machine\n".into(), 1),
    ];
    for (loader, expected, status) in rows {
        let said = bench.says(&["list", "--loader", loader, "/t/l/libA.so"]);
        let (_, said) = said.split_once("-- ").expect("a status");
        assert_eq!(said, format!("{status}\ndepcollect: error: {expected}"), "{loader}");
    }
}

/// A root, links to it and into it, and files beside it.
fn host_bench() -> Bench {
    let bench = Bench::of(
        "/t/m: NEEDED libA.so; RUNPATH $ORIGIN\n/t/libA.so:\n/t/abs -> /t/m\n/t/abs-dir -> /t\n/usr/bin/app: NEEDED libno.so",
    );
    let dir = bench.dir.path();
    for (target, at) in [("root", "link"), ("root/t", "into"), ("root/t/m", "file")] {
        std::os::unix::fs::symlink(target, dir.join(at)).expect("a link");
    }
    std::fs::copy(dir.join("root/t/m"), dir.join("h")).expect("a copy");
    std::fs::copy(dir.join("root/t/m"), dir.join("app")).expect("a copy");
    std::fs::write(dir.join("script"), "#! /bin/awk -f\n").expect("a script");
    std::fs::create_dir(dir.join("some")).expect("a directory");
    bench
}

#[test]
fn a_relative_path_that_leads_into_the_root_is_a_file_of_it() {
    let bench = host_bench();
    let found = "\tlibA.so => /t/libA.so\n-- 0\n";
    for word in [
        "root/t/m",
        "./root//t/./m",
        "link/t/m",
        "into/m",
        "file",
        "root/../root/t/m",
        "some/../link/t/../t/m",
        "root/t/abs-dir/m",
    ] {
        assert_eq!(bench.says(&["list", word]), found, "{word}");
    }
    let said = bench.says(&["list", "--format", "paths", "root//./t/./m"]);
    assert!(said.starts_with("/t/m\n/lib64/"), "{said}");
    // Only in the root does this link lead anywhere.
    assert_eq!(bench.says(&["list", "root/t/abs"]), found);
    let said = bench.says(&["list", "root/t"]);
    assert!(said.ends_with("depcollect: read 2 files in directories: 2 programs or libraries\n"), "{said}");
}

#[test]
fn another_relative_path_is_a_file_of_the_host() {
    let bench = host_bench();
    let note = "it lies outside the root, and is taken as if it stood at the root's top";
    for word in ["h", "./h", "root/../h", "link/../h"] {
        let said = bench.says(&["list", word]);
        assert!(said.starts_with("\tlibA.so => not found\n-- 1\n"), "{word}: {said}");
        assert!(said.contains(&format!("depcollect: note: {word}: {note}\n")), "{said}");
    }
    let rows = [
        ("script", "cannot list `script`: it is a script\nhint: its interpreter is `/bin/awk`; name that\n"),
        (
            "some",
            "cannot list `some`: it is a directory outside the root\nhint: a path of the root starts with a slash; of the host, name the files\n",
        ),
        ("", "cannot open ``: No such file or directory\n"),
        ("root/../none", "cannot open `root/../none`: No such file or directory\n"),
    ];
    for (word, expected) in rows {
        assert_eq!(bench.says(&["list", word]), format!("-- 2\ndepcollect: error: {expected}"), "{word}");
    }
}

#[test]
fn a_word_of_path_that_hides_a_file_says_so() {
    let said = host_bench().says(&["list", "app"]);
    let note = "depcollect: note: app: taken from PATH: `/usr/bin/app`\nhint: `./app` is the one in the working directory\n";
    assert!(said.starts_with("\tlibno.so => not found\n-- 1\n") && said.contains(note), "{said}");
    assert!(!host_bench().says(&["list", "-q", "app"]).contains("note"));
}

#[test]
fn every_spelling_of_the_own_root_is_the_own_root() {
    let bench = Bench::of("/t/m: NEEDED libA.so; RUNPATH /t/l\n/t/l/");
    for root in ["/", "//", "/.", "/../", "/proc/self/root"] {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("depcollect"));
        let command = command.args(["list", "--format", "json", "--root", root, "-q", "m"]);
        // Below a foreign root it would count for nothing.
        let command = command.env("PATH", bench.dir.path().join("root/t"));
        let output = command.output().expect("it runs");
        let value = json_of(&output);
        assert!(value.list("programs")[0].get("objects").is_some(), "{root}: {value:?}");
    }
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

#[test]
fn a_word_that_could_not_be_looked_up_is_not_said_to_be_absent() {
    let binary = assert_cmd::cargo::cargo_bin!("depcollect");
    let output = Command::new("sh").args(["-c", "ulimit -n 5 && exec \"$0\" list sh"]).arg(binary).output();
    let said = String::from_utf8_lossy(&output.expect("a shell").stderr).into_owned();
    assert_eq!(said, "depcollect: error: cannot open `sh`: Too many open files\n");
}

/// Too few descriptors are this process's trouble, and nothing about the program.
#[test]
fn what_could_not_be_looked_for_is_not_said_to_be_missing() {
    let bench =
        Bench::of("/t/m: NEEDED libA.so libB.so; RPATH /t/a:/t/b/c/d/e\n/t/a/libA.so:\n/t/b/c/d/e/libB.so:");
    let list = |descriptors: u32| {
        let script = format!("ulimit -n {descriptors} && exec \"$0\" list --root root /t/m");
        let binary = assert_cmd::cargo::cargo_bin!("depcollect");
        let run = Command::new("sh").args(["-c", &script]).arg(binary).current_dir(bench.dir.path()).output();
        let output = run.expect("a shell");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr), output.status.code())
    };
    let whole = list(100);
    assert_eq!(whole.2, Some(0), "{whole:?}");
    let mut troubled = 0;
    for descriptors in 5..20 {
        let said = list(descriptors);
        if said != whole {
            assert_eq!((&said.0[..], said.2), ("", Some(2)), "{descriptors}: {said:?}");
            assert!(said.1.contains("Too many open files"), "{descriptors}: {said:?}");
            troubled += 1;
        }
    }
    assert!(troubled > 0, "the limit is one");
}

#[test]
fn a_problem_in_json_has_its_hint() {
    let bench = Bench::of("/t/script \"#!/bin/sh\"");
    let value = json_of(&bench.run(&["list", "--format", "json", "/t/script"]));
    let problem = &value.list("programs")[0];
    let said = (problem.text("error"), problem.text("hint"));
    assert_eq!(said, (Some("it is a script"), Some("its interpreter is `/bin/sh`; name that")));
}
