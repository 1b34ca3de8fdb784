//! `check` of a tree that stands somewhere: what it says of each fault, and that
//! the real loader says the same.

use std::process::Command;

use depcollect::check::{self, Look};
use depcollect::path::ImagePath;
use depcollect::plan::{Content, Plan, PlanRoot, Reason, Sources};
use depcollect::root::Root;
use depcollect::root::mem::MemRoot;

use crate::judge::{self, REAL};
use crate::need;
use crate::plancase::{GLIBC, one};
use crate::world::World;

/// What `check` says of a whole tree.
fn looked(text: &str, programs: &[&str], strict: bool) -> String {
    let world = World::parse(text).to_mem();
    let programs = programs.iter().map(|path| path.as_bytes().to_vec()).collect();
    let tree = check::tree(&world, &Look { programs, path: b"/usr/bin:/bin".to_vec(), strict });
    let mut said = String::new();
    for program in &tree.programs {
        said += &format!("{} loads {}\n", String::from_utf8_lossy(&program.path), program.loads);
        said += &program.findings.iter().map(one).collect::<String>();
    }
    said += &tree.findings.iter().map(one).collect::<String>();
    for path in &tree.unreached {
        said += &format!("unreached {}\n", String::from_utf8_lossy(path));
    }
    said
}

fn tree_row(text: &str, programs: &[&str], strict: bool, expected: &str) {
    let said = looked(&format!("{GLIBC}{text}"), programs, strict);
    let expected = expected.trim_start();
    assert!(said == expected, "{text}\n-- expected\n{expected}\n-- said\n{said}");
}

const TREE: &str = "
/bin/m: NEEDED libA.so; PROG
/bin/n: NEEDED libB.so libno.so; PROG
/bin/s: EXEC; NODYNAMIC
/lib/libA.so -> libA.so.1
/lib/libA.so.1:
/opt/lib/libB.so:
/lib/plugin.so: NEEDED libC.so
/etc/gone -> ../usr/share/gone
/etc/mtab -> ../proc/self/mounts
/etc/out -> ../../../lib/libA.so.1
/bin/hello \"#!/bin/sh\\n\"
/bin/env:
/bin/data \"#!/bin/none\\n\"
/usr/bin/py \"#!/bin/env\\spython3\\n\"
/usr/share/example \"#!/bin/m\\n\"
mode /bin/hello 755
mode /usr/bin/py 755
mode /usr/share/example 755
";

#[test]
fn a_tree_is_started_whole() {
    tree_row(
        TREE,
        &[],
        false,
        "
/bin/m loads 2
/bin/n loads 1
error missing: libB.so: cannot open shared object file: No such file or directory (needed by /bin/n)
  it is there as `/opt/lib/libB.so`, where the loader does not look: `ENV LD_LIBRARY_PATH=/opt/lib` would cure it
error missing: libno.so: cannot open shared object file: No such file or directory (needed by /bin/n)
/bin/s loads 0
error interpreter: /bin/hello: its interpreter `/bin/sh` is not in the tree
  the kernel reports this as if the script itself did not exist
warning dangling: /etc/gone: a link to `../usr/share/gone`, which leads nowhere in the tree
warning leads-out: /etc/out: a link to `../../../lib/libA.so.1`, which goes above the top: right in an image, and out of the tree anywhere else
warning missing: /lib/plugin.so: libC.so: cannot open shared object file: No such file or directory (needed by /lib/plugin.so)
error interpreter: /usr/bin/py: its interpreter `python3` is not in the tree
unreached /bin/env
unreached /lib/plugin.so
unreached /opt/lib/libB.so
",
    );
}

#[test]
fn named_programs_are_started_alone() {
    tree_row(
        TREE,
        &["/bin/m", "/bin/hello", "/bin/gone", "/etc"],
        true,
        "
/bin/m loads 2
error unreached: /bin/env: no program of the tree loads it
error program: /bin/gone: cannot be opened in the tree: No such file or directory
error interpreter: /bin/hello: its interpreter `/bin/sh` is not in the tree
  the kernel reports this as if the script itself did not exist
error program: /etc: is no file
warning dangling: /etc/gone: a link to `../usr/share/gone`, which leads nowhere in the tree
warning leads-out: /etc/out: a link to `../../../lib/libA.so.1`, which goes above the top: right in an image, and out of the tree anywhere else
error missing: /lib/plugin.so: libC.so: cannot open shared object file: No such file or directory (needed by /lib/plugin.so)
error unreached: /lib/plugin.so: no program of the tree loads it
error unreached: /opt/lib/libB.so: no program of the tree loads it
unreached /bin/env
unreached /lib/plugin.so
unreached /opt/lib/libB.so
",
    );
}

/// `execve` of a script whose interpreter nobody may execute says EACCES, and
/// `env` looks further.
#[test]
fn an_interpreter_has_to_be_executable() {
    let scripts = "/bin/a \"#!/opt/closed\\n\"\n/bin/b \"#!/bin/env\\sclosed\\n\"\n/bin/c \"#!/bin/env\\sopen\\n\"\n\
        /opt/closed: PROG\nmode /opt/closed 644\n/bin/env: PROG\n/usr/bin/closed: PROG\nmode /usr/bin/closed 644\n\
        /usr/bin/open: PROG\nmode /usr/bin/open 644\n/bin/open: PROG\n\
        mode /bin/a 755\nmode /bin/b 755\nmode /bin/c 755\n";
    tree_row(
        scripts,
        &["/bin/a", "/bin/b", "/bin/c"],
        false,
        "
error interpreter: /bin/a: its interpreter `/opt/closed` cannot be executed: Permission denied
error interpreter: /bin/b: its interpreter `closed` is not in the tree
warning not-executable: /usr/bin/closed: is a program, and nobody may execute it
warning not-executable: /usr/bin/open: is a program, and nobody may execute it
unreached /lib64/ld-linux-x86-64.so.2
",
    );
}

/// A good tree, damaged once: the message is the one of the real loader.
#[test]
fn a_damaged_tree_is_told_in_the_words_of_the_loader() {
    if let Err(why) = judge::bench() {
        return need::skip(why);
    }
    let good = "launch run
/t/m: NEEDED libA.so libB.so; VERNEED libB.so V1
/lib/libA.so -> libA.so.1
/lib/libA.so.1: NEEDED libC.so
/lib/libB.so: VERDEF libB.so V1
/lib/libC.so:
";
    assert_eq!((REAL.answer)(&World::parse(good)).status, 0);
    for damage in [
        "- /lib/libC.so",
        "- /lib/libA.so.1",
        "- /lib/libA.so\n/lib/libA.so -> libA.so.2",
        "- /lib/libC.so\n/lib/libC.so: CLASS32; MACHINE 3",
        "- /lib/libC.so\n/lib/libC.so: CUT 100",
        "- /lib/libC.so\n/lib/libC.so \"text\"",
        "- /lib/libB.so\n/lib/libB.so: VERDEF libB.so V2",
        "no-loader\n/lib64/ld-linux-x86-64.so.2: LOADER\nmode /lib64/ld-linux-x86-64.so.2 644",
        "no-loader",
    ] {
        let text = format!("{good}{damage}\n");
        let world = World::parse(&text);
        let real = (REAL.answer)(&world);
        assert_ne!(real.status, 0, "{damage}: it harms nobody");
        let words =
            real.fatal.clone().into_iter().chain(real.said.iter().cloned()).next().expect("last words");
        let tree =
            check::tree(&world.to_mem(), &Look { programs: vec![b"/t/m".to_vec()], ..Look::default() });
        let findings = tree.programs.iter().flat_map(|program| &program.findings).chain(&tree.findings);
        let ours: String = findings.map(one).collect();
        let is_said =
            |line: &str| words.split(": ").filter(|part| *part != "/t/m").all(|part| line.contains(part));
        assert!(
            ours.lines().any(|line| line.starts_with("error") && is_said(line)),
            "{damage}\n-- the loader\n{words}\n-- ours\n{ours}"
        );
    }
}

/// The command on a tree on the disk: status, stdout and stderr.
fn command(text: &str, args: &[&str]) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    let tree = dir.path().join("tree");
    std::fs::create_dir(&tree).expect("a directory");
    let store = crate::place::Store::new(&dir.path().join("loaders"));
    World::parse(&format!("{GLIBC}{text}")).write_to(&tree, &store);
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("depcollect"));
    // What the environment says is not what the image will have.
    command.env("LD_LIBRARY_PATH", "/opt/x").env("NO_COLOR", "1").current_dir(dir.path());
    let output = command.arg("check").args(args).output().expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let status = output.status.code().expect("it ends by itself");
    format!("{}-- {status}\n{}", text(&output.stdout), text(&output.stderr))
}

const FINE: &str = "
/bin/m: NEEDED libA.so; PROG
/lib/libA.so:
";
const LACKING: &str = "
/bin/m: NEEDED libA.so; PROG
/opt/x/libA.so:
";

#[test]
fn check_says_what_is_wrong_and_ends_with_its_status() {
    let scripts: String = (0..9).map(|n| format!("/bin/{n} \"#!/bin/sh\\n\"\nmode /bin/{n} 755\n")).collect();
    let rows = [
        (
            scripts.as_str(),
            &["tree"][..],
            "0 programs, 9 scripts, 1 library in 10 files: 9 errors\n-- 1\n\
             depcollect: error: /bin: 9 scripts, of each: its interpreter `/bin/sh` is not in the tree\n\
             hint: the kernel reports this as if the script itself did not exist\n\
             depcollect: note: /lib64/ld-linux-x86-64.so.2: no program of the tree loads it at its start\n",
        ),
        (FINE, &["tree"][..], "1 program, 0 scripts, 2 libraries in 3 files: nothing is wrong\n-- 0\n"),
        (FINE, &["-q", "tree"], "-- 0\n"),
        (FINE, &["tree", "m"], "1 program, 0 scripts, 2 libraries in 3 files: nothing is wrong\n-- 0\n"),
        (
            FINE,
            &["tree", "tree/bin/m"],
            "1 program, 0 scripts, 2 libraries in 3 files: nothing is wrong\n-- 0\n",
        ),
        (
            LACKING,
            &["-v", "tree"],
            "/bin/m: does not start\n1 program, 0 scripts, 2 libraries in 3 files: 1 error\n-- 1\n\
             depcollect: error: /bin/m: libA.so: cannot open shared object file: No such file or directory (needed by /bin/m)\n\
             hint: it is there as `/opt/x/libA.so`, where the loader does not look: `ENV LD_LIBRARY_PATH=/opt/x` would cure it\n\
             depcollect: note: /opt/x/libA.so: no program of the tree loads it at its start\n",
        ),
        (
            FINE,
            &["--format", "json", "tree"],
            "{\"schema\":\"depcollect/1\",\"command\":\"check\",\"tree\":\"tree\",\"programs\":[{\"path\":\"/bin/m\",\
             \"loader\":\"glibc\",\"loads\":2,\"findings\":[]}],\"scripts\":0,\"libraries\":2,\"files\":3,\
             \"unreached\":[],\"findings\":[],\"status\":0}\n-- 0\n",
        ),
        (FINE, &["none"], "-- 2\ndepcollect: error: cannot open `none`: No such file or directory\n"),
    ];
    for (text, args, expected) in rows {
        let said = command(text, args);
        assert!(said == expected, "{args:?}\n-- expected\n{expected}\n-- said\n{said}");
    }
}

#[test]
fn links_of_a_plan_lead_somewhere() {
    let mut plan = Plan::default();
    let image = |text: &str| ImagePath::parse(text.as_bytes()).unwrap();
    for (at, target) in [
        ("/a", "/b"),
        ("/b", "usr/c"),
        ("/usr/c", "../d"),
        ("/d", "d"),
        ("/usr/e", "../../lib/f"),
        ("/usr/g", "../lib/f"),
        ("/etc/mtab", "/proc/self/mounts"),
        ("/etc/h", "/none"),
        ("/etc/i", "../base/j"),
    ] {
        plan.link(&image(at), target.as_bytes(), Reason::Way).unwrap();
    }
    let typed = Reason::Option { option: "--symlink".into() };
    plan.link(&image("/k"), b"nowhere", typed).unwrap();
    let content = Content::made(vec![1], depcollect::root::Access::of_root(0o644), Default::default());
    plan.file(&image("/lib/f"), content, Reason::Program).unwrap();
    let (source, base) = (MemRoot::new(), World::parse("no-loader\n/base/j:").to_mem());
    let below: [&dyn Root; 1] = [&base];
    let root = PlanRoot::new(&plan, Sources { root: &source }, &below);
    let said: String = check::links(&plan, &root).iter().map(one).collect();
    let round = "which goes round in circles";
    assert_eq!(
        said,
        format!(
            "warning dangling: /a: a link to `/b`, {round}
warning dangling: /b: a link to `usr/c`, {round}
warning dangling: /d: a link to `d`, {round}
warning dangling: /etc/h: a link to `/none`, which leads nowhere in the tree
warning dangling: /usr/c: a link to `../d`, {round}
warning leads-out: /usr/e: a link to `../../lib/f`, which goes above the top: right in an image, and out of the tree anywhere else
"
        )
    );
}
