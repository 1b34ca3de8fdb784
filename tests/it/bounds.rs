//! Worlds too long to be written as rows: what is large and honest is answered,
//! what has no end is said to have none.

use std::fmt::Write;
use std::process::Command;

use depcollect::closure::{Files, Session, Settings, close, open_program};
use depcollect::finding::Severity;

use crate::judge::{self, REAL};
use crate::model::MODEL;
use crate::need;
use crate::place::Store;
use crate::world::World;

/// `count` names, `liba0.so liba1.so …`.
fn names(stem: &str, count: usize) -> String {
    (0..count).fold(String::new(), |mut text, n| {
        write!(text, " lib{stem}{n}.so").expect("a string");
        text
    })
}

/// The same libraries as files of `/t/l`, each with these properties.
fn files(stem: &str, count: usize, properties: &str) -> String {
    (0..count).fold(String::new(), |mut text, n| {
        writeln!(text, "/t/l/lib{stem}{n}.so: {properties}").expect("a string");
        text
    })
}

/// The model answers as the real loader does, where that is there.
fn agree(text: &str, lines: usize) {
    let world = World::parse(text);
    let said = (MODEL.answer)(&world);
    assert_eq!((said.lines.len(), said.fatal.as_deref()), (lines, None), "{text}");
    if let Err(why) = judge::bench() {
        return need::skip(why);
    }
    assert_eq!(said, (REAL.answer)(&world), "{text}");
}

#[test]
fn many_filtees_of_the_program_are_no_circle() {
    let libraries = [names("f", 249), files("f", 249, "")];
    agree(&format!("/t/m: AUX{}; NEEDED libf0.so; RPATH /t/l\n{}", libraries[0], libraries[1]), 1);
    // One file, asked for and put before the program again and again.
    let again = " libf0.so".repeat(300);
    agree(&format!("/t/m: AUX{again}; RPATH /t/l\n/t/l/libf0.so:"), 1);
}

#[test]
fn a_program_may_need_as_much_as_it_likes() {
    let needed = " libf0.so".repeat(20_000);
    agree(&format!("/t/m: NEEDED{needed}; RPATH /t/l\n/t/l/libf0.so:"), 1);
}

#[test]
fn filters_that_go_round_in_circles_end() {
    let world = World::parse(
        "/t/m: AUX liba.so; RPATH /t/l\n/t/l/liba.so: FILTER libb.so libb.so\n/t/l/libb.so: AUX liba.so liba.so",
    );
    let said = (MODEL.answer)(&world).fatal.expect("it dies");
    assert!(said.ends_with("is loaded for ever: filters go round in circles"), "{said}");
}

const LOADER: &str = "no-loader
/lib64/ld-linux-x86-64.so.2: SONAME ld-linux-x86-64.so.2; GLIBC 2.40-1 Debian /lib/
";

/// What the binary says of `/t/m` on both streams, and its status, with no more
/// memory than this.
fn list_within(kilobytes: u32, text: &str) -> (String, String, Option<i32>) {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("root");
    std::fs::create_dir(&root).expect("a directory");
    World::parse(&format!("{LOADER}{text}")).write_to(&root, &Store::new(&dir.path().join("loaders")));
    let script = format!("ulimit -v {kilobytes}; exec \"$0\" list -v --root \"$1\" /t/m");
    let binary = assert_cmd::cargo::cargo_bin!("depcollect");
    let output = Command::new("sh").args(["-c", &script]).arg(binary).arg(&root).output().expect("a shell");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

/// `count` directories, `/d/0:/d/1:…`.
fn dirs(above: &str, count: usize) -> String {
    (0..count).map(|n| format!("{above}/{n}")).collect::<Vec<_>>().join(":")
}

#[test]
fn what_was_tried_for_many_names_takes_no_memory_to_speak_of() {
    let world = format!("/t/m: NEEDED{}; RUNPATH {}", names("a", 600), dirs("/d", 600));
    let (out, err, status) = list_within(100_000, &world);
    assert_eq!((out.lines().count(), status), (600, Some(1)), "{err}");
    assert!(err.contains("tried `/d/0/liba0.so` for `liba0.so`: no such directory [RUNPATH]\n"));
    assert!(err.contains(" more for `liba599.so`\n"));
}

#[test]
fn a_search_without_end_is_said_to_be_cut_short() {
    let world = format!("/t/m: NEEDED{}; RUNPATH {}\n", names("a", 30), dirs("/d", 30));
    let root = World::parse(&world).to_mem();
    let files = Files::default();
    let settings = Settings { most_probes: Some(20), ..Settings::default() };
    let mut session = Session::new(&root, &files, &settings);
    // What the first one found is remembered, and costs the second one as much.
    for _ in 0..2 {
        let program = open_program(&mut session, b"/t/m").expect("a program");
        let closure = close(&mut session, &program);
        let last = closure.findings.last().expect("a finding");
        assert_eq!(
            (&last.subject[..], last.code, last.severity),
            (&b"liba1.so"[..], "dies", Severity::Error)
        );
        assert_eq!(last.message, b"is not searched for: too many paths were tried for other names");
    }
}

#[test]
fn a_long_chain_of_path_lists_takes_no_memory_to_speak_of() {
    let mut world = format!("/t/m: NEEDED libc0.so; RPATH /t/l:{}\n", dirs("/m", 20));
    for n in 0..900 {
        let lists = dirs(&format!("/{n}"), 20);
        writeln!(world, "/t/l/libc{n}.so: NEEDED libc{}.so; RPATH {lists}", n + 1).expect("a string");
    }
    writeln!(world, "/t/l/libc900.so:").expect("a string");
    let (out, err, status) = list_within(100_000, &world);
    assert_eq!((out.lines().count(), status), (901, Some(0)), "{err}");
}
