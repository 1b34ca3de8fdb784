//! Programs of this machine, each collected and started in a directory that
//! holds nothing else: it has to end as it does on the machine itself.
//!
//! They run as nobody, in namespaces of their own, without input, without a
//! network and for a few seconds at most; `--version` is asked of all.
//! `DEPCOLLECT_FULL=1` takes every program, otherwise a sample.

#![expect(clippy::print_stderr, reason = "what a sweep saw is said at its end")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::enter::start_in;
use crate::need;

/// Programs that need more than what the loader opens and a rule knows, and what
/// that is: a part of the real path, and of what they say.
const NEED_MORE: [(&str, &str); 8] = [
    ("/usr/bin/apt", "/etc/apt/apt.conf.d"),
    ("/usr/bin/groff", "can't find 'DESC' file"),
    ("/usr/bin/valgrind.bin", "failed to start tool"),
    ("/usr/bin/x86_64-linux-gnu-gcc-ar-12", "liblto_plugin.so"),
    ("/usr/bin/x86_64-linux-gnu-gcc-nm-12", "liblto_plugin.so"),
    ("/usr/bin/x86_64-linux-gnu-gcc-ranlib-12", "liblto_plugin.so"),
    ("/usr/lib/systemd/systemd", "/sys"),
    ("/usr/sbin/chmem", "/sys/devices/system/memory"),
];

/// Programs whose `--version` depends on where or when they run.
const UNSTEADY: [&str; 0] = [];

const SAMPLE: usize = 60;

/// The programs of this machine, each once.
pub fn elf_programs() -> Vec<PathBuf> {
    let mut found = BTreeMap::new();
    for dir in ["/usr/bin", "/usr/sbin"] {
        for entry in fs::read_dir(dir).expect("a directory of programs").flatten() {
            let Ok(real) = entry.path().canonicalize() else { continue };
            let Ok(meta) = real.metadata() else { continue };
            let is_program = meta.is_file() && meta.permissions().mode() & 0o111 != 0;
            let is_privileged = meta.permissions().mode() & 0o6000 != 0;
            if is_program && !is_privileged && is_elf(&real) {
                found.entry(real).or_insert_with(|| entry.path());
            }
        }
    }
    found.into_values().collect()
}

fn is_elf(path: &Path) -> bool {
    use std::io::Read;
    let mut head = [0; 4];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && &head == b"\x7fELF"
}

fn collect(program: &Path, dist: &Path) -> Output {
    Command::new(assert_cmd::cargo::cargo_bin!("depcollect"))
        .args(["--mkdir", "/proc", "--mkdir", "/dev"])
        .arg(program)
        .arg(dist)
        .env_remove("LD_LIBRARY_PATH")
        .output()
        .expect("the binary runs")
}

fn check(dist: &Path) -> Output {
    Command::new(assert_cmd::cargo::cargo_bin!("depcollect"))
        .arg("check")
        .arg(dist)
        .env_remove("LD_LIBRARY_PATH")
        .output()
        .expect("the binary runs")
}

/// Who made use of the list of those that need more.
type Excused = Mutex<BTreeSet<&'static str>>;

/// What went wrong with one program.
fn difference(program: &Path, scratch: &Path, excused: &Excused) -> Option<String> {
    let dist = scratch.join("dist");
    let collected = collect(program, &dist);
    if collected.status.code() != Some(0) {
        return Some(format!("not collected: {}", String::from_utf8_lossy(&collected.stderr)));
    }
    let here = start_in(Path::new("/"), program, &["--version"]);
    let there = start_in(&dist, program, &["--version"]);
    let checked = check(&dist);
    if checked.status.code() != Some(0) {
        return Some(format!("not passed by check: {}", String::from_utf8_lossy(&checked.stderr)));
    }
    fs::remove_dir_all(&dist).expect("the tree goes away again");
    let real = program.canonicalize().expect("it is there");
    let said = String::from_utf8_lossy(&there.stderr);
    let is_known = |(part, words): &&(&str, &str)| {
        real.to_str().is_some_and(|real| real.contains(part)) && said.contains(words)
    };
    let same = here.status.code() == there.status.code();
    match (same, NEED_MORE.iter().find(is_known)) {
        (true, _) => None,
        (false, Some((part, _))) => {
            excused.lock().unwrap().insert(part);
            None
        }
        (false, None) => Some(format!(
            "{:?} here, {:?} there: {}",
            here.status.code(),
            there.status.code(),
            said.lines().take(3).collect::<Vec<_>>().join(" | ")
        )),
    }
}

#[test]
fn every_tree_starts() {
    if !rustix::process::geteuid().is_root() {
        return need::skip("a tree is entered by chroot, which only root may do");
    }
    let mut programs = elf_programs();
    // A virtual machine of its own for each word: two of them tell as much as forty.
    let mut java = 0;
    programs.retain(|path| {
        !path.canonicalize().is_ok_and(|real| real.starts_with("/usr/lib/jvm")) || {
            java += 1;
            java <= 2
        }
    });
    programs.retain(|path| !UNSTEADY.iter().any(|name| path.ends_with(name)));
    let is_full = std::env::var_os("DEPCOLLECT_FULL").is_some();
    if !is_full {
        let step = programs.len().div_ceil(SAMPLE).max(1);
        programs = programs.into_iter().step_by(step).collect();
    }
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let excused = Excused::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let scratch = tempfile::tempdir().expect("a directory");
                fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
                while let Some(program) = programs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Some(what) = difference(program, scratch.path(), &excused) {
                        failures.lock().unwrap().push(format!("{}: {what}", program.display()));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap();
    let reals: Vec<PathBuf> = programs.iter().flat_map(|path| path.canonicalize()).collect();
    let excused = excused.into_inner().unwrap();
    for (part, _) in NEED_MORE.iter().filter(|(part, _)| is_full && !excused.contains(part)) {
        if reals.iter().any(|real| real.to_str().is_some_and(|real| real.contains(part))) {
            failures.push(format!("{part}: it needs no more, and leaves the list"));
        }
    }
    failures.sort();
    eprintln!("{} programs collected and started", programs.len());
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), programs.len(), failures.join("\n"));
}
