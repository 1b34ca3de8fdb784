//! A source that changes while it is copied. `strace` stops the program at its
//! n-th call, for every n, and something is written to the source meanwhile.

use std::os::unix::fs::FileExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::faults::{BINARY, has_strace};
use super::*;

/// Every call between the first look at a source and the last one at its copy.
const CALLS: [&str; 13] = [
    "openat",
    "fstat",
    "statx",
    "flistxattr",
    "lseek",
    "ioctl",
    "fallocate",
    "copy_file_range",
    "pread64",
    "pwrite64",
    "fchmod",
    "utimensat",
    "renameat2",
];

const LEN: usize = 300_000;

/// What is done to the source while the program stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// The same length, other bytes.
    Rewritten,
    Truncated,
    Longer,
    /// Another file takes its name.
    Replaced,
}

const CHANGES: [Change; 4] = [Change::Rewritten, Change::Truncated, Change::Longer, Change::Replaced];

impl Change {
    fn make(self, source: &Path) {
        let file = || fs::OpenOptions::new().write(true).open(source).unwrap();
        match self {
            Change::Rewritten => file().write_all_at(&self.bytes(), 0).unwrap(),
            Change::Truncated => file().set_len(10_000).unwrap(),
            Change::Longer => file().write_all_at(b"more", LEN as u64).unwrap(),
            Change::Replaced => {
                let other = source.with_file_name("other");
                fs::write(&other, self.bytes()).unwrap();
                fs::rename(&other, source).unwrap();
            }
        }
    }

    /// What the source holds then.
    fn bytes(self) -> Vec<u8> {
        match self {
            Change::Rewritten | Change::Replaced => vec![b'n'; LEN],
            Change::Truncated => original()[..10_000].to_vec(),
            Change::Longer => [&original()[..], b"more"].concat(),
        }
    }
}

fn original() -> Vec<u8> {
    vec![b'o'; LEN]
}

/// How the bytes are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Kernel,
    /// Between two file systems, on an old kernel.
    ByHand,
}

struct Stop {
    temp: tempfile::TempDir,
    before: String,
}

impl Stop {
    fn new() -> Stop {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir_all(temp.path().join("root/data")).unwrap();
        let mut stop = Stop { temp, before: String::new() };
        stop.prepare();
        stop.before = stop.dump();
        stop
    }

    fn source(&self) -> PathBuf {
        self.temp.path().join("root/data/file")
    }

    fn dist(&self) -> PathBuf {
        self.temp.path().join("there/dist")
    }

    /// The source as it was, and DIST with another tree.
    fn prepare(&self) {
        let _ = fs::remove_dir_all(self.temp.path().join("there"));
        fs::create_dir(self.temp.path().join("there")).unwrap();
        let _ = fs::remove_file(self.source());
        fs::write(self.source(), original()).unwrap();
        let mut wish = Wish::new();
        wish.made("/data/file", b"earlier", 0o644).made("/mine", b"mine", 0o644);
        wish.write(&self.dist()).unwrap();
    }

    fn dump(&self) -> String {
        dump(&self.temp.path().join("there")).lines().skip(1).collect::<Vec<_>>().join("\n")
    }

    fn start(&self, call: &str, n: usize, way: Way) -> Child {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o"]).arg(self.log());
        let (own, other) = match way {
            Way::Kernel => ("", None),
            Way::ByHand if call == "copy_file_range" => ("error=EXDEV:", None),
            Way::ByHand => ("", Some("inject=copy_file_range:error=EXDEV")),
        };
        strace.args(["-e", &format!("inject={call}:{own}signal=STOP:when={n}")]);
        strace.args(other.iter().flat_map(|other| ["-e", other]));
        strace.arg(BINARY).arg("--root").arg(self.temp.path().join("root"));
        strace.args(["--include", "/data", "--force"]).arg(self.dist());
        strace.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn log(&self) -> PathBuf {
        self.temp.path().join("log")
    }

    /// Who stands still. `None`: the program has ended without such a call.
    fn stopped(&self, child: &mut Child) -> Option<Pid> {
        let started = Instant::now();
        loop {
            let has_ended = child.try_wait().unwrap().is_some();
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            if let Some(line) = log.lines().find(|line| line.contains("--- stopped by SIGSTOP ---")) {
                let pid = line.split(' ').next().unwrap().parse().unwrap();
                return Some(Pid::from_raw(pid).unwrap());
            }
            if has_ended {
                return None;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "neither stopped nor ended:\n{log}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The program, with the source changed at this call.
    fn run(&self, call: &str, n: usize, change: Change, way: Way) -> Option<Output> {
        self.prepare();
        let _ = fs::remove_file(self.log());
        let mut child = self.start(call, n, way);
        let pid = self.stopped(&mut child)?;
        change.make(&self.source());
        kill_process(pid, Signal::CONT).unwrap();
        Some(child.wait_with_output().unwrap())
    }

    /// Whether the change was noticed. The tree has the file of before or that of
    /// after it, and nothing in between.
    fn judge(&self, output: &Output, change: Change, what: &str) -> bool {
        let stderr = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            let have = fs::read(self.dist().join("data/file")).unwrap();
            assert!(have == original() || have == change.bytes(), "{what}: a mixture\n{stderr}");
            assert_eq!(beside(&self.dist()), ["dist"], "{what}");
            return false;
        }
        assert_eq!(output.status.code(), Some(2), "{what}: {stderr}");
        assert!(stderr.contains("cannot copy `/data/file`: it changed while"), "{what}: {stderr}");
        assert_eq!(self.dump(), self.before, "{what}: {stderr}");
        true
    }
}

/// A sample takes one change for each call, but for those that read.
fn changes_at(call: &str, n: usize, is_full: bool) -> &'static [Change] {
    let nth = n % CHANGES.len();
    match call {
        "copy_file_range" | "pread64" => &CHANGES,
        _ if is_full => &CHANGES,
        _ => &CHANGES[nth..=nth],
    }
}

/// How often each change was noticed.
fn noticed(way: Way, is_full: bool) -> [usize; 4] {
    let stop = Stop::new();
    let mut noticed = [0; 4];
    for call in CALLS {
        let stops = (1..).flat_map(|n| changes_at(call, n, is_full).iter().map(move |change| (n, *change)));
        for (n, change) in stops {
            let Some(output) = stop.run(call, n, change, way) else { break };
            let what = format!("{change:?} at {call} {n}, {way:?}");
            noticed[change as usize] += usize::from(stop.judge(&output, change, &what));
        }
    }
    noticed
}

#[test]
fn a_source_that_changes_while_it_is_copied_is_noticed() {
    if !has_strace() {
        return;
    }
    let is_full = std::env::var_os("DEPCOLLECT_FULL").is_some();
    for way in [Way::Kernel, Way::ByHand] {
        let noticed = noticed(way, is_full);
        assert!(noticed.iter().all(|n| *n > 0), "{way:?}: {CHANGES:?} {noticed:?}");
    }
}
