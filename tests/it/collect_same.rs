//! The same input gives the same tree, byte for byte: whatever the order of the
//! arguments and of the directories, the umask, the zone, the name of DIST; and
//! what was said of a plan before it is written is true of the tree.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::Bench;
use crate::collect_foreign::everything;

/// Two programs that share libraries, one of which only ld.so.conf names; data,
/// links, users, a directory.
const WORLD: &str = "
/usr/bin/one: PROG; NEEDED libz.so.1 libx.so.1
/usr/bin/two: PROG; NEEDED libz.so.1 liby.so.1
/usr/lib/x86_64-linux-gnu/libz.so.1 -> libz.so.1.2
/usr/lib/x86_64-linux-gnu/libz.so.1.2:
/lib -> usr/lib
/opt/x/libx.so.1: SONAME libx.so.1
/opt/y/liby.so.1: SONAME liby.so.1
conf: /opt/x
conf: /opt/y
/srv/data/b \"b\"
/srv/data/a \"a\"
/srv/data/sub/c -> ../a
";

const ARGS: [&str; 8] = [
    "/usr/bin/one",
    "/usr/bin/two",
    "/srv/data",
    "--include=/srv/data/a:/etc/a",
    "--mkdir=/var/log/x",
    "--user=web:1000",
    "--nsswitch",
    "--symlink=/run=var/run",
];

/// Every path with what it is, and each file with its bytes.
fn listing(tree: &Path) -> String {
    let mut text = String::new();
    for path in everything(tree) {
        let meta = fs::symlink_metadata(&path).unwrap();
        let name = path.strip_prefix(tree).unwrap();
        let what = match meta.is_symlink() {
            true => format!("{:?}", fs::read_link(&path).unwrap()),
            false if meta.is_file() => format!("{:?}", fs::read(&path).unwrap()),
            false => "/".into(),
        };
        let (mode, links) = (meta.mode(), if meta.is_dir() { 0 } else { meta.nlink() });
        let owner = (meta.uid(), meta.gid());
        let time = (meta.mtime(), meta.mtime_nsec());
        writeln!(text, "{name:?} {mode:o} {links} {owner:?} {time:?} {what}").unwrap();
    }
    text
}

struct Run<'a> {
    bench: &'a Bench,
    root: PathBuf,
    umask: &'a str,
    zone: &'a str,
}

impl Run<'_> {
    fn collect(&self, args: &[&str], dist: &str) -> PathBuf {
        let output = Command::new("sh")
            .args(["-c", "umask $0; exec \"$@\"", self.umask])
            .arg(assert_cmd::cargo::cargo_bin!("depcollect"))
            .args(["collect", "--root"])
            .arg(&self.root)
            .args(args)
            .arg(dist)
            .current_dir(self.bench.dir.path())
            .env_remove("LD_LIBRARY_PATH")
            .env_remove("SOURCE_DATE_EPOCH")
            .env("TZ", self.zone)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {said}");
        self.bench.dir.path().join(dist)
    }
}

fn plain(bench: &Bench) -> Run<'_> {
    Run { bench, root: bench.dir.path().join("root"), umask: "022", zone: "UTC" }
}

#[track_caller]
fn assert_same(one: &str, other: &str) {
    let differ = one.lines().zip(other.lines()).find(|(a, b)| a != b);
    assert!(one == other, "{differ:?}\n-- one\n{one}\n-- other\n{other}");
}

#[test]
fn the_order_of_the_arguments_changes_nothing() {
    let bench = Bench::of(WORLD);
    let first = listing(&plain(&bench).collect(&ARGS, "dist"));
    for turn in 1..ARGS.len() {
        let mut args = ARGS;
        args.rotate_left(turn);
        if turn % 2 == 0 {
            args.reverse();
        }
        assert_same(&first, &listing(&plain(&bench).collect(&args, &format!("turn-{turn}"))));
    }
}

#[test]
fn neither_umask_nor_zone_nor_the_name_of_the_tree_changes_it() {
    let bench = Bench::of(WORLD);
    let first = listing(&plain(&bench).collect(&ARGS, "dist"));
    for (umask, zone, dist) in
        [("000", "UTC", "a"), ("077", "Asia/Tokyo", "a rather longer name"), ("777", "", "b/c")]
    {
        fs::create_dir_all(bench.dir.path().join("b")).unwrap();
        let run = Run { umask, zone, ..plain(&bench) };
        assert_same(&first, &listing(&run.collect(&ARGS, dist)));
    }
}

#[test]
fn the_order_of_directories_changes_nothing() {
    let bench = Bench::of(WORLD);
    let first = listing(&plain(&bench).collect(&ARGS, "dist"));
    // Another file system, if there is one, has its own order.
    let elsewhere = match fs::metadata("/dev/shm") {
        Ok(meta) if meta.is_dir() => tempfile::tempdir_in("/dev/shm").unwrap(),
        Ok(_) | Err(_) => tempfile::tempdir().unwrap(),
    };
    let root = elsewhere.path().join("root");
    let status = Command::new("cp").arg("-a").arg(bench.dir.path().join("root")).arg(&root).status().unwrap();
    assert!(status.success());
    let run = Run { root, ..plain(&bench) };
    assert_same(&first, &listing(&run.collect(&ARGS, "copy")));
}

/// Gives each file of the root a time of its own.
fn date(bench: &Bench, path: &str, seconds: u64) {
    let file = fs::File::open(bench.dir.path().join("root").join(path)).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
}

#[test]
fn several_runs_fill_one_tree_in_any_order() {
    let bench = Bench::of(WORLD);
    let dated = ["usr/bin/one", "opt/y/liby.so.1", "srv/data/a", "usr/lib/x86_64-linux-gnu/libz.so.1.2"];
    for (path, seconds) in dated.into_iter().zip([3_000_000_000, 2_000_000_000, 2_500_000_000, 1_000]) {
        date(&bench, path, seconds);
    }
    let runs: [&[&str]; 3] = [&["/usr/bin/one"], &["/usr/bin/two"], &["/srv/data", "--nsswitch", "--user"]];
    let fill = |order: [usize; 3], dist: &str| {
        order.map(|run| plain(&bench).collect(runs[run], dist)).into_iter().next_back().unwrap()
    };
    let first = fill([0, 1, 2], "first");
    for (n, order) in [[1, 0, 2], [2, 1, 0], [0, 2, 1], [2, 0, 1], [1, 2, 0]].into_iter().enumerate() {
        assert_same(&listing(&first), &listing(&fill(order, &format!("order-{n}"))));
    }
    // And again: nothing changes, and what somebody has touched is put right.
    let before = listing(&first);
    fs::File::open(first.join("usr/lib")).unwrap().set_modified(std::time::SystemTime::now()).unwrap();
    fill([2, 0, 1], "first");
    assert_same(&before, &listing(&first));
    // At once, everything is as new as the newest of all.
    let at_once = plain(&bench).collect(&runs.concat(), "at-once");
    assert_same(&timeless(&first), &timeless(&at_once));
}

/// As a listing, without times.
fn timeless(tree: &Path) -> String {
    let strip = |line: &str| {
        let parts: Vec<&str> = line.splitn(2, ") (").collect();
        format!("{}{}\n", parts[0], parts[1].split_once(')').unwrap().1)
    };
    listing(tree).lines().map(strip).collect()
}

#[test]
fn a_closed_umask_leaves_no_part_of_a_tree_closed() {
    let bench = Bench::of(WORLD);
    let run = Run { umask: "777", ..plain(&bench) };
    let dist = run.collect(&ARGS, "dist");
    for path in everything(&dist) {
        let meta = fs::symlink_metadata(&path).unwrap();
        let is_open = meta.is_symlink() || meta.permissions().mode() & 0o444 == 0o444;
        assert!(is_open || path.ends_with("root"), "{}", path.display());
    }
    assert_eq!(fs::metadata(&dist).unwrap().permissions().mode() & 0o777, 0o755);
}

/// What a dry run says of each place, against what stands there then.
#[test]
fn a_tree_is_what_its_plan_said() {
    let bench = Bench::of(WORLD);
    let root = bench.dir.path().join("root");
    let said = Command::new(assert_cmd::cargo::cargo_bin!("depcollect"))
        .args(["collect", "--dry-run", "--format=json", "--root"])
        .arg(&root)
        .args(ARGS)
        .arg("dist")
        .current_dir(bench.dir.path())
        .env_remove("LD_LIBRARY_PATH")
        .output()
        .unwrap();
    let report = crate::cli::json_of(&said);
    let mut planned: Vec<String> = report
        .list("entries")
        .iter()
        .map(|entry| {
            let text = |key| entry.text(key).unwrap_or_default().to_owned();
            format!("{} {} {} {}", text("path"), text("type"), text("mode"), text("target"))
        })
        .collect();
    let dist = plain(&bench).collect(&ARGS, "dist");
    let mut written: Vec<String> = everything(&dist)
        .iter()
        .map(|path| {
            let meta = fs::symlink_metadata(path).unwrap();
            let name = path.strip_prefix(&dist).unwrap().display();
            let mode = meta.mode() & 0o7777;
            match meta.is_symlink() {
                true => format!("/{name} link  {}", fs::read_link(path).unwrap().display()),
                false if meta.is_file() => format!("/{name} file {mode:04o} "),
                false => format!("/{name} directory {mode:04o} "),
            }
        })
        .collect();
    planned.sort();
    written.sort();
    assert_eq!(planned, written);
    assert!(planned.len() > ARGS.len());
}
