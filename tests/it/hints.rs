//! Where a missing library is said to exist: the same for a program whatever was
//! looked at before it, and only if the loader would take it.

use depcollect::closure::{Files, Session, Settings, close, open_program};

use crate::cli::check;
use crate::world::World;

/// The first hint about each program, one after the other in one run.
fn hints(world: &str, cwd: &str, programs: &[&str]) -> Vec<String> {
    let mut world = World::parse(world);
    // Nobody who asks is root here.
    world.uid = 1;
    let root = world.to_mem();
    let files = Files::default();
    let settings = Settings { cwd: cwd.into(), ..Settings::default() };
    let mut session = Session::new(&root, &files, &settings);
    let mut hint = |path: &&str| {
        let program = open_program(&mut session, path.as_bytes()).expect("a program");
        let closure = close(&mut session, &program);
        let hint = closure.findings.iter().find_map(|finding| finding.hint.clone());
        String::from_utf8(hint.unwrap_or_default()).expect("text")
    };
    programs.iter().map(&mut hint).collect()
}

#[test]
fn what_lies_beside_a_program_is_a_hint_for_that_one() {
    let world = "/a/m: NEEDED libx.so\n/b/m: NEEDED libx.so\n/a/p/libx.so:\n/c/m -> ../a/m";
    let hint = "it exists in `/a/p`: --library-path /a/p would find it";
    assert_eq!(hints(world, "/", &["/a/m", "/b/m"]), [hint, ""]);
    assert_eq!(hints(world, "/", &["/b/m", "/a/m", "/c/m"]), ["", hint, hint]);
    // A relative program is beside what is beside it, not below the top.
    assert_eq!(hints(world, "/a", &["m", "./m", "../b/m"]), [hint, hint, ""]);
}

#[test]
fn the_lib_directory_next_to_a_program_is_looked_into() {
    let world = "/o/p/bin/m: NEEDED libx.so\n/o/p/lib64/y/libx.so:\n/o/p/share/libx.so:";
    let hint = "it exists in `/o/p/lib64/y`: --library-path /o/p/lib64/y would find it";
    assert_eq!(hints(world, "/", &["/o/p/bin/m"]), [hint]);
}

#[test]
fn a_hint_promises_nothing_that_the_loader_refuses() {
    let m = "/a/m: NEEDED libx.so";
    let rows = [
        ("/opt/libx.so: I386", "it exists in `/opt`, but of the other ELF class"),
        ("/opt/libx.so: AARCH64", "it exists in `/opt`, but for another machine"),
        (
            "/opt/libx.so \"INPUT(libx.so.1) and what else a linker script of some length may hold to be no ELF\"",
            "",
        ),
        ("/opt/libx.so:\n/a/libx.so: I386", "it exists in `/opt`: --library-path /opt would find it"),
        ("/opt/x:y/libx.so:", "it exists in `/opt/x:y`"),
        (r"/opt/x\sy/libx.so:", "it exists in `/opt/x y`: --library-path '/opt/x y' would find it"),
        ("/opt/libx.so: NEEDED libc.musl-x86_64.so.1", "it exists in `/opt`, but for another libc"),
        (
            "/opt/libx.so: NEEDED libc.so\n/usr/lib/p/libx.so: NEEDED libc.so.6",
            "it exists in `/usr/lib/p`: --library-path /usr/lib/p would find it",
        ),
        ("musl\n/opt/libx.so: NEEDED libc.so.6", "it exists in `/opt`, but for another libc"),
        ("musl\n/opt/libx.so: NEEDED libc.so", "it exists in `/opt`: --library-path /opt would find it"),
        (
            "/opt/libx.so:\nmode /a/m 4755",
            "it exists in `/opt`, where a program with setuid or capabilities does not look",
        ),
        ("/opt/s/\nmode /opt/s 000", "`/opt/s` could not be read: it may be there"),
    ];
    for (more, hint) in rows {
        assert_eq!(hints(&format!("{m}\n{more}"), "/", &["/a/m"]), [hint], "{more}");
    }
}

#[test]
fn what_would_help_is_said_once_for_each_name() {
    check(
        "/t/m: NEEDED liba.so libb.so\n/t/n: NEEDED libb.so\n/opt/liba.so:\n/opt/libb.so:",
        &["list", "/t/m", "/t/n"],
        "
/t/m:
\tliba.so => not found
\tlibb.so => not found
/t/n:
\tlibb.so => not found
-- 1
depcollect: error: /t/m: liba.so: cannot open shared object file: No such file or directory (needed by /t/m)
hint: it exists in `/opt`: --library-path /opt would find it
depcollect: error: /t/m: libb.so: cannot open shared object file: No such file or directory (needed by /t/m)
hint: it exists in `/opt`: --library-path /opt would find it
depcollect: error: /t/n: libb.so: cannot open shared object file: No such file or directory (needed by /t/n)
",
    );
}

/// glibc before 2.36 passes packed relocations over, and what is said of them.
#[test]
fn list_says_what_an_older_glibc_does_not_relocate() {
    let world = "no-loader\n/lib64/ld-linux-x86-64.so.2: SONAME ld-linux-x86-64.so.2; \
        GLIBC 2.31-13 Debian /lib/x86_64-linux-gnu/ /usr/lib/x86_64-linux-gnu/ /lib/ /usr/lib/\n\
        /t/m: PROG; NEEDED libA.so; RPATH /t; TAG 36 0 37 5\n/t/libA.so:\n";
    check(
        world,
        &["list", "/t/m"],
        "
\tlibA.so => /t/libA.so
-- 1
depcollect: error: /t/m: its relative relocations are packed (DT_RELR), and glibc before 2.36 does not apply them
hint: link it without -z pack-relative-relocs
",
    );
}
