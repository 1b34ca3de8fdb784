//! A dry run says what the run would say that is not dry, and does nothing.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use crate::cli::Bench;

/// Every name below a directory, with what `stat` says of it that a step would change.
fn state(dir: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("it is there").path();
        let stat = fs::symlink_metadata(&path).expect("it is there");
        lines.push(format!("{} {:o} {}.{}", path.display(), stat.mode(), stat.ctime(), stat.ctime_nsec()));
        if stat.is_dir() {
            lines.extend(state(&path));
        }
    }
    lines.sort();
    lines
}

fn make_base(dir: &Path) {
    fs::create_dir_all(dir.join("up/base/own")).unwrap();
}

/// How DIST comes to be what it is.
type Make = fn(&Path);

#[test]
fn a_dry_run_refuses_what_the_run_would_refuse() {
    let rows: [(&[&str], &str, Make, &str); 15] = [
        (&[], "dist", |dir| fs::write(dir.join("dist"), "").unwrap(), "it is no directory"),
        (&[], "none/dist", |_| {}, "there is no `"),
        (&[], "dist", |dir| symlink("gone", dir.join("dist")).unwrap(), "it is a link that leads nowhere"),
        (&[], "dist", |dir| symlink("dist", dir.join("dist")).unwrap(), "Too many levels of symbolic links"),
        (&[], "root", |_| {}, "which is to be collected"),
        (&["--force"], "root/srv/d", |_| {}, "which is to be collected"),
        (
            &[],
            "dist",
            |dir| fs::create_dir_all(dir.join("dist/own")).unwrap(),
            "what depcollect did not write",
        ),
        (&["--force"], ".", |_| {}, "which is to be collected"),
        (&["--output", "tar"], "dist", |dir| fs::write(dir.join("dist"), "x").unwrap(), "and no tar archive"),
        (&["--output", "tar"], "root/srv/d/f", |_| {}, "it is to be collected"),
        (&["--output", "tar"], "root", |_| {}, "Is a directory"),
        (&["--onto", "up/base"], "up/base", make_base, "it is or holds `"),
        (&["--onto", "up/base", "--force"], "up", make_base, "it is or holds `"),
        (&["--onto", "up/base"], "up/base/dist", make_base, "it lies in `"),
        (&["--onto", "up/base", "--output", "tar"], "up/base/own/tar", make_base, "it lies in `"),
    ];
    for (options, dist, make, expected) in rows {
        let bench = Bench::of("/srv/d/f \"f\"\n");
        make(bench.dir.path());
        let before = state(bench.dir.path());
        let args = [&["collect", "/srv/d"], options, &[dist]].concat();
        let dry = bench.says(&[&["--dry-run"], &args[..]].concat());
        assert_eq!(state(bench.dir.path()), before, "{args:?}");
        let said = bench.says(&args);
        assert!(said.starts_with("-- 2\n") && said.contains(expected), "{args:?}: {said}");
        assert!(dry.ends_with(&said), "{args:?}: {dry}\n{said}");
    }
}

#[test]
fn a_dry_run_compares_with_what_dist_holds() {
    let bench = Bench::of("/srv/d/f \"f\"\n/srv/d/l -> f\n/srv/d/s/x \"x\"\n");
    let said = |args: &[&str]| bench.says(&[&["collect", "/srv/d"], args].concat());
    assert!(said(&["dist"]).starts_with("-- 0\n"));
    assert!(said(&["--dry-run", "dist"]).contains("\n-- 0\n"));
    let dist = bench.dir.path().join("dist/srv/d");
    fs::write(dist.join("f"), "other").unwrap();
    fs::remove_file(dist.join("l")).unwrap();
    symlink("s", dist.join("l")).unwrap();
    fs::remove_dir_all(dist.join("s")).unwrap();
    fs::write(dist.join("s"), "").unwrap();
    let before = state(bench.dir.path());
    let (dry, forced) = (said(&["--dry-run", "dist"]), said(&["--dry-run", "--force", "dist"]));
    assert_eq!(state(bench.dir.path()), before);
    let real = said(&["dist"]);
    assert!(real.starts_with("-- 2\n") && real.matches("in DIST: ").count() == 3, "{real}");
    assert!(dry.ends_with(&real), "{dry}\n{real}");
    assert!(forced.contains("\n-- 0\n"), "{forced}");
}

/// What a killed run has left is undone by a run that writes.
#[test]
fn a_dry_run_leaves_what_a_killed_run_has_left() {
    let bench = Bench::of("/srv/d/f \"f\"\n");
    let stage = bench.dir.path().join("dist/.depcollect-stage");
    fs::create_dir_all(stage.join("new")).unwrap();
    let said = bench.says(&["collect", "--dry-run", "/srv/d", "dist"]);
    assert!(said.contains("\n-- 0\n") && said.contains("nothing was compared"), "{said}");
    assert!(stage.join("new").exists());
    assert!(bench.says(&["collect", "/srv/d", "dist"]).starts_with("-- 0\n"));
    assert!(!stage.exists());
}
