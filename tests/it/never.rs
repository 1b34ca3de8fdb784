//! What is looked at is never executed, nor mapped as if it were to be: `strace`
//! sees every call by which that could be done.

use std::path::Path;
use std::process::Command;

use crate::cli::Bench;
use crate::output::faults::{BINARY, has_strace};

/// Starting a program, starting a process, making memory executable.
const CALLS: &str = "trace=execve,execveat,?fork,?vfork,clone,?clone3,mmap,mprotect,?pkey_mprotect,\
    ?remap_file_pages,personality,?uselib,ptrace";

/// Programs of every kind, and scripts. Only the first word of a line is one of `list`.
const TREE: &str = "
/t/m: NEEDED libA.so; RUNPATH /t/l; CALL execve dlopen; TEXT /t/other /t/l/libB.so
/t/l/libA.so: NEEDED libB.so
/t/l/libB.so:
/t/other: PROG
/t/setuid: PROG; NEEDED libB.so; RUNPATH /t/l
mode /t/setuid 4755
/t/script \"#!/usr/bin/env other\\n\"
mode /t/script 755
/t/direct \"#!/t/m -x\\n\"
mode /t/direct 755
/usr/bin/env: PROG
/usr/bin/other: PROG
/etc/ld.so.conf \"/t/l\\n\"
";

/// What is asked, and its status.
const ASKED: [(&str, i32); 12] = [
    ("list /t/m /t/setuid", 0),
    ("list --format json --hwcaps all -v -r /t", 0),
    ("list /t/script", 2),
    ("why /t/m libB.so", 0),
    ("needs /t/m /t/setuid /t/script", 0),
    ("collect --dry-run /t/m /t/script dist", 0),
    ("collect /t/m /t/setuid /t/script /t/direct --with exec dist", 0),
    ("collect /t/other dist", 0),
    ("collect --output tar /t/m tree.tar", 0),
    ("collect /t modules", 0),
    ("check dist", 0),
    ("check dist /t/script /t/setuid", 0),
];

/// What a run has started, and what it has mapped or made executable.
#[derive(Debug, PartialEq, Eq)]
struct Done {
    starts: Vec<String>,
    executable: Vec<String>,
}

impl Done {
    fn of(log: &str) -> Done {
        let calls: Vec<&str> = log.lines().filter_map(call).collect();
        let starts = calls.iter().filter(|call| is_start(call)).map(|call| call.to_string());
        let executable = calls.iter().filter(|call| call.contains("PROT_EXEC"));
        Done {
            starts: starts.collect(),
            executable: executable.map(|call| without_addresses(call)).collect(),
        }
    }
}

/// A line of strace's begins with the number of the thread. A call that another
/// one interrupts has its arguments in the first of its lines.
fn call(line: &str) -> Option<&str> {
    let call = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
    call.starts_with(|c: char| c.is_ascii_alphabetic()).then_some(call)
}

/// Anything but a thread, and memory.
fn is_start(call: &str) -> bool {
    let is_thread = call.starts_with("clone") && call.contains("CLONE_THREAD");
    let is_memory = ["mmap(", "mprotect(", "pkey_mprotect("].iter().any(|name| call.starts_with(name));
    !is_thread && !is_memory
}

/// The name of the call, and the file of its descriptor: `3</lib/libc.so.6>`.
fn without_addresses(call: &str) -> String {
    let name = call.split('(').next().unwrap_or_default();
    let file = call.split_once("</").and_then(|(_, rest)| rest.split('>').next());
    file.map_or_else(|| format!("{name} memory"), |file| format!("{name} /{file}"))
}

fn trace(dir: &Path, args: &[&str]) -> (Done, Option<i32>, String) {
    let log = dir.join("log");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-y", "-e", CALLS, "-o"]).arg(&log).arg(BINARY).args(args);
    let output = strace.current_dir(dir).env_remove("LD_LIBRARY_PATH").output().expect("strace runs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (Done::of(&std::fs::read_to_string(log).expect("a log")), output.status.code(), said)
}

#[test]
fn nothing_that_is_looked_at_is_executed_or_mapped_to_be() {
    if !has_strace() {
        return;
    }
    let bench = Bench::of(TREE);
    let dir = bench.dir.path();
    // Its own start is one execve, and maps its own libraries.
    let (own, status, said) = trace(dir, &["--version"]);
    assert_eq!((own.starts.len(), status), (1, Some(0)), "{said}");
    let starts = |done: &Done| {
        done.starts.iter().map(|call| call.split(',').next().map(str::to_owned)).collect::<Vec<_>>()
    };
    let expected = starts(&own);
    let check = |args: &[&str], wanted: i32| {
        let (done, status, said) = trace(dir, args);
        assert_eq!(status, Some(wanted), "{args:?}: {said}");
        assert_eq!((starts(&done), &done.executable), (expected.clone(), &own.executable), "{args:?}");
    };
    for (words, wanted) in ASKED {
        let words: Vec<&str> = words.split(' ').collect();
        let root: &[&str] = if words[0] == "check" { &[] } else { &["--root", "root"] };
        check(&[&words[..], root].concat(), wanted);
    }
    // With libraries that the run itself has mapped.
    for args in [&["list", BINARY][..], &["needs", BINARY], &["collect", BINARY, "own"], &["check", "own"]] {
        check(args, 0);
    }
}

#[test]
fn a_trace_is_read_as_strace_writes_it() {
    let log = "\
7     execve(\"/x/depcollect\", [\"depcollect\"], 0x7ffe /* 9 vars */) = 0
7     mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f01
7     mmap(0x7f02, 1396736, PROT_READ|PROT_EXEC, MAP_PRIVATE|MAP_FIXED, 3</lib/libc.so.6>, 0x26000) = 0x7f02
7     clone3({flags=CLONE_VM|CLONE_THREAD}, 88 <unfinished ...>
8     <... clone3 resumed> => {parent_tid=[8]}, 88) = 8
8     mprotect(0x7f03, 4096, PROT_READ|PROT_WRITE|PROT_EXEC <unfinished ...>
7     clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD) = 9
8     <... mprotect resumed>) = 0
9     execve(\"/t/m\", [\"/t/m\"], 0x7ffe /* 9 vars */) = -1 ENOENT (No such file or directory)
9     +++ exited with 1 +++
";
    let Done { starts, executable } = Done::of(log);
    let names: Vec<_> = starts.iter().map(|call| &call[..12]).collect();
    assert_eq!(names, ["execve(\"/x/d", "clone(child_", "execve(\"/t/m"]);
    assert_eq!(executable, ["mmap /lib/libc.so.6", "mprotect memory"]);
}
