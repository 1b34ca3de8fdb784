//! Inputs that nobody means well: each is taken, refused or left out, and said.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::cli::Bench;

#[test]
fn a_tree_inside_what_is_collected_is_not_collected() {
    let bench = Bench::of("/srv/app/data \"d\"\n");
    for expected in ["1 file, 1 B, written to root/srv/app/dist", "nothing was changed"] {
        let said = bench.says(&["collect", "/srv/app", "root/srv/app/dist"]);
        assert!(said.starts_with("-- 0\n") && said.contains(expected), "{said}");
    }
    assert!(!bench.dir.path().join("root/srv/app/dist/srv/app/dist").exists());
    // But it is refused to write into the very directory.
    let said = bench.says(&["collect", "/srv/app", "root/srv/app"]);
    assert!(said.starts_with("-- 2\n") && said.contains("which is to be collected"), "{said}");
}

#[test]
fn trees_of_a_kernel_are_not_copied() {
    let bench = Bench::of("/proc/\n/proc/1 \"x\"\n/dev/fd \"x\"\n/srv/x \"x\"\n");
    for path in ["/proc", "/proc/1", "/dev", "/srv/../proc"] {
        let said = bench.says(&["collect", "--include", path, "dist"]);
        let is_refused = said.contains("what starts a container makes it");
        assert_eq!(is_refused, path != "/proc/1", "{path}: {said}");
    }
    let _ = fs::remove_dir_all(bench.dir.path().join("dist"));
    let said = bench.says(&["collect", "--include", "/", "all"]);
    assert!(said.starts_with("-- 0\n"), "{said}");
    let all = bench.dir.path().join("all");
    assert!(all.join("srv/x").is_file() && all.join("proc").is_dir());
    assert_eq!(fs::read_dir(all.join("proc")).unwrap().count(), 0);
}

#[test]
fn links_that_go_round_are_taken_as_they_are() {
    let bench = Bench::of("/srv/l/a -> b\n/srv/l/b -> a\n/srv/l/self -> ../l\n/srv/l/me -> me\n");
    let said = bench.says(&["collect", "/srv/l", "dist"]);
    assert!(said.starts_with("-- 0\n") && said.contains("goes round in circles"), "{said}");
    assert!(said.contains("0 files and 4 links, 0 B, in dist"), "{said}");
    assert!(bench.dir.path().join("dist/srv/l/me").is_symlink());
}

#[test]
fn many_special_files_are_one_line() {
    let pipes: String = (0..50).map(|n| format!("/srv/p/{n} |\n")).collect();
    let bench = Bench::of(&pipes);
    let said = bench.says(&["collect", "/srv/p", "dist"]);
    assert!(said.contains("/srv/p: 47 more special files are not taken along"), "{said}");
    assert_eq!(said.matches("special file").count(), 4, "{said}");
}

#[test]
fn a_link_that_leads_nowhere_is_no_program() {
    let bench = Bench::of("/srv/x \"x\"\n");
    symlink("/nowhere", bench.dir.path().join("root/srv/gone")).unwrap();
    let said = bench.says(&["collect", "/srv/gone", "dist"]);
    assert!(said.starts_with("-- 2\n") && said.contains("cannot open `/srv/gone`: No such file"), "{said}");
    assert!(!bench.dir.path().join("dist").exists());
}

#[test]
fn an_entrypoint_is_the_name_of_the_file_or_none() {
    let bench = Bench::of(
        "/opt/a\\nb: PROG\n/opt/caf\\xc3\\xa9: PROG\n/opt/\\xff: PROG\n/opt/a\\xe2\\x80\\xaeb: PROG\n/opt/libA.so:\n",
    );
    let rows: [(&[u8], &str); 6] = [
        (b"/opt/a\nb", "    ENTRYPOINT [\"/opt/a\\u000ab\"]\n"),
        (b"/opt/caf\xc3\xa9", "    ENTRYPOINT [\"/opt/caf\u{e9}\"]\n"),
        (b"/opt/a\xe2\x80\xaeb", "    ENTRYPOINT [\"/opt/a\\u202eb\"]\n"),
        (b"/opt/\xff", ""),
        (b"/opt/libA.so", ""),
        (b"/opt/libA.so\0/opt/caf\xc3\xa9", "    ENTRYPOINT [\"/opt/caf\u{e9}\"]\n"),
    ];
    for (names, expected) in rows {
        fs::write(bench.dir.path().join("names"), names).unwrap();
        let said = bench.says(&["collect", "--dry-run", "--from", "names", "-0", "dist"]);
        let lines: String = said.split_inclusive('\n').filter(|line| line.contains("ENTRYPOINT")).collect();
        assert!(said.contains("\n-- 0\n") && lines == expected, "{said}");
    }
}

/// Without rights nothing of setuid is kept in a directory, and an archive keeps it.
#[test]
fn who_has_no_rights_is_not_told_that_setuid_is_kept() {
    let bench = Bench::of("/usr/bin/su: PROG\nmode /usr/bin/su 4755\n");
    let (dir, program) = (bench.dir.path(), bench.dir.path().join("depcollect"));
    // Where it was built may be closed to others.
    let copied = Command::new("cp").arg(assert_cmd::cargo::cargo_bin!("depcollect")).arg(&program).status();
    assert!(copied.is_ok_and(|status| status.success()), "a copy");
    fs::create_dir(dir.join("out")).unwrap();
    for (at, mode) in [("", 0o755), ("out", 0o777)] {
        fs::set_permissions(dir.join(at), fs::Permissions::from_mode(mode)).unwrap();
    }
    for (form, dist, is_kept) in [("dir", "out/tree", false), ("tar", "out/tar", true)] {
        let mut command = Command::new(&program);
        command.args(["collect", "--root", "root", "--output", form, "/usr/bin/su", dist]).current_dir(dir);
        let is_root = rustix::process::geteuid().is_root();
        if is_root {
            command.uid(65534).gid(65534);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert_eq!(said.contains("are kept"), is_kept, "{said}");
        // Without root the file is the user's own, and keeps its owner.
        assert_eq!(said.contains("dropped"), is_root && !is_kept, "{said}");
    }
}

/// The loader is not to blame: what stands in the way is named.
#[test]
fn a_link_below_that_leads_to_no_directory_is_named() {
    for target in ["gone", "etc/file", "lib64"] {
        let bench = Bench::of("/t/m: PROG; NEEDED libA.so\n/lib/libA.so:\n/etc/file \"f\"\n");
        let dir = bench.dir.path();
        assert!(bench.says(&["collect", "--include", "/etc/file", "dist"]).starts_with("-- 0\n"));
        symlink(target, dir.join("dist/lib64")).unwrap();
        let said = bench.says(&["collect", "-q", "/t/m", "dist"]);
        let words = "cannot write `/lib64` in DIST: a link that leads to no directory stands there\n";
        assert_eq!(said, format!("-- 2\ndepcollect: error: {words}hint: --force replaces what DIST holds\n"));
        assert!(bench.says(&["collect", "--force", "/t/m", "dist"]).starts_with("-- 0\n"));
        assert!(dir.join("dist/lib64/ld-linux-x86-64.so.2").is_file());

        fs::create_dir_all(dir.join("base/etc")).unwrap();
        fs::write(dir.join("base/etc/file"), "").unwrap();
        symlink(target, dir.join("base/lib64")).unwrap();
        let said = bench.says(&["collect", "/t/m", "--onto", "base", "other"]);
        let link = format!("a link of the base to `{target}`, which is no directory");
        let words = format!("cannot place a directory at `/lib64`: {link}, is to be there too\n");
        assert_eq!(said, format!("-- 2\ndepcollect: error: {words}depcollect: nothing was written\n"));
    }
}
