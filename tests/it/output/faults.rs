//! The real program, with its n-th system call failing, or killed at it, for
//! every n. `strace` injects the faults.

use std::process::{Command, Output};

use super::*;
use crate::need::skip;

/// Every call that changes something. Each is followed to its last occurrence.
const WRITES: [&str; 15] = [
    "mkdirat",
    "fchmod",
    "fchown",
    "utimensat",
    "copy_file_range",
    "pwrite64",
    "ftruncate",
    "fallocate",
    "linkat",
    "symlinkat",
    "renameat",
    "renameat2",
    "unlinkat",
    "fsetxattr",
    "flock",
];

/// Those that may fail as well. To be killed at one is to be killed before the
/// next that writes.
const READS: [&str; 4] = ["openat", "newfstatat", "fstat", "getdents64"];

const ERRORS: [&str; 3] = ["EIO", "ENOSPC", "EACCES"];

/// A root, and what DIST holds before.
struct Scene {
    temp: tempfile::TempDir,
    earlier: Earlier,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Earlier {
    Nothing,
    /// Another tree: some of it is replaced, some moved away, some stays.
    Other,
}

impl Scene {
    fn new(earlier: Earlier) -> Scene {
        let temp = tempfile::tempdir().unwrap();
        let data = temp.path().join("root/data");
        fs::create_dir_all(data.join("sub")).unwrap();
        fs::write(data.join("a"), "one").unwrap();
        fs::hard_link(data.join("a"), data.join("b")).unwrap();
        fs::write(data.join("sub/c"), vec![7; 300_000]).unwrap();
        fs::write(data.join("same"), "same").unwrap();
        symlink("a", data.join("l")).unwrap();
        Scene { temp, earlier }
    }

    fn dist(&self) -> PathBuf {
        self.temp.path().join("there/dist")
    }

    /// What DIST holds before a run.
    fn prepare(&self) {
        let _ = fs::remove_dir_all(self.temp.path().join("there"));
        fs::create_dir(self.temp.path().join("there")).unwrap();
        if self.earlier == Earlier::Nothing {
            return;
        }
        let (root, dist) = (self.temp.path().join("root"), self.dist());
        let mut wish = Wish::new();
        wish.host("/data/same", &root.join("data/same")).made("/data/a", b"other", 0o600);
        wish.made("/data/sub", b"a file", 0o644).made("/data/l/deep", b"below", 0o644);
        wish.made("/mine", b"mine", 0o644).dir("/tmp", 0o700);
        wish.write(&dist).unwrap();
    }

    fn command(&self, program: &mut Command) -> Output {
        program.arg("--root").arg(self.temp.path().join("root"));
        program.args(["--include", "/data", "--mkdir", "/tmp", "--symlink", "/bin=usr/bin", "--force"]);
        program.arg(self.dist()).output().unwrap()
    }

    fn run(&self) -> Output {
        self.command(&mut Command::new(BINARY))
    }

    fn run_with(&self, inject: &str) -> Output {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o", "/dev/null", "-e"]).arg(format!("inject={inject}")).arg(BINARY);
        self.command(&mut strace)
    }

    /// How often a run makes a call.
    fn count(&self, call: &str) -> usize {
        let log = self.temp.path().join("log");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o"]).arg(&log).args(["-e", &format!("trace={call}")]).arg(BINARY);
        self.prepare();
        assert!(self.command(&mut strace).status.success());
        let text = fs::read_to_string(log).unwrap();
        text.lines().filter(|line| line.contains(&format!("{call}("))).count()
    }

    fn dump(&self) -> String {
        let there = self.temp.path().join("there");
        // The directory above is none of ours.
        let lines: Vec<String> = dump(&there).lines().skip(1).map(str::to_owned).collect();
        [lines, vec![self.mark()]].concat().join("\n")
    }

    /// What DIST says of itself.
    fn mark(&self) -> String {
        let mut value = [0_u8; 64];
        let len = rustix::fs::getxattr(self.dist(), "user.depcollect", &mut value[..]);
        len.map_or_else(|errno| errno.to_string(), |len| value[..len].escape_ascii().to_string())
    }

    /// A fault at every place, with `DEPCOLLECT_FULL=1` each at each. `check` gets what was before and what a
    /// whole run makes.
    fn faults(&self, calls: &[&str], faults: &[&str], check: impl Fn(&str, &Output, &str, &str)) {
        self.prepare();
        let before = self.dump();
        assert!(self.run().status.success());
        let whole = self.dump();
        for call in calls {
            for n in 1..=self.count(call) {
                for fault in faults_at(n, faults) {
                    self.prepare();
                    let inject = format!("{call}:{fault}:when={n}");
                    let output = self.run_with(&inject);
                    check(&inject, &output, &before, &whole);
                }
            }
        }
    }
}

/// One in turn, or all.
fn faults_at<'f>(n: usize, faults: &'f [&'f str]) -> &'f [&'f str] {
    let nth = n % faults.len();
    if std::env::var_os("DEPCOLLECT_FULL").is_some() { faults } else { &faults[nth..=nth] }
}

pub const BINARY: &str = env!("CARGO_BIN_EXE_depcollect");

pub fn has_strace() -> bool {
    let works = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    let works = works.is_ok_and(|status| status.success());
    if !works {
        skip("no strace that may trace");
    }
    works
}

/// The times of directories apart: those that hold DIST's are changed by a stage.
fn undated(dump: &str) -> String {
    let undate = |line: &str| {
        let is_dir = line.split(' ').nth(1) == Some("dir");
        let words = line.split(' ').enumerate();
        let keep = words.filter(|(n, _)| !(is_dir && *n == 4)).map(|(_, word)| word);
        keep.collect::<Vec<_>>().join(" ")
    };
    dump.lines().map(undate).collect::<Vec<_>>().join("\n")
}

fn fails(earlier: Earlier) {
    if !has_strace() {
        return;
    }
    let scene = Scene::new(earlier);
    let errors = ERRORS.map(|error| format!("error={error}"));
    let calls = [&WRITES[..], &READS[..]].concat();
    scene.faults(&calls, &errors.each_ref().map(String::as_str), |inject, output, before, whole| {
        let stderr = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            assert_eq!(scene.dump(), whole, "{inject}: {stderr}");
        } else {
            assert_eq!(scene.dump(), before, "{inject}: {stderr}");
            let is_told = stderr.contains("error: cannot ") || output.status.code() == Some(127);
            assert!(is_told, "{inject}: {:?} {stderr}", output.status);
        }
    });
}

#[test]
fn a_call_that_fails_leaves_no_new_tree() {
    fails(Earlier::Nothing);
}

#[test]
fn a_call_that_fails_leaves_the_earlier_tree() {
    fails(Earlier::Other);
}

fn killed(earlier: Earlier) {
    if !has_strace() {
        return;
    }
    let scene = Scene::new(earlier);
    scene.faults(&WRITES, &["signal=KILL"], |inject, _, before, whole| {
        let left = scene.dump();
        if earlier == Earlier::Other {
            drop(output::dir::existing(&scene.dist()).unwrap());
            let now = undated(&scene.dump());
            assert!(now == undated(before) || now == undated(whole), "{inject}: {now}\nleft:\n{left}");
        }
        let output = scene.run();
        assert!(output.status.success(), "{inject}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(scene.dump(), whole, "{inject}: left:\n{left}");
    });
}

#[test]
fn the_next_run_clears_up_where_nothing_was() {
    killed(Earlier::Nothing);
}

#[test]
fn the_next_run_undoes_what_a_killed_one_began() {
    killed(Earlier::Other);
}

#[test]
fn a_signal_ends_a_run_and_leaves_nothing() {
    if !has_strace() {
        return;
    }
    for earlier in [Earlier::Nothing, Earlier::Other] {
        let scene = Scene::new(earlier);
        scene.faults(&WRITES, &["signal=TERM"], |inject, output, before, whole| {
            let expected = if output.status.success() { whole } else { before };
            assert_eq!(scene.dump(), expected, "{inject}: {}", String::from_utf8_lossy(&output.stderr));
        });
    }
}
