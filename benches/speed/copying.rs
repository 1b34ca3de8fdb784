//! Trees that are written, and looked at. What was there before is removed untimed.
//!
//! Programs are copied to the file system of the temporary directory. The many
//! small files lie in memory, as do their copies: ext4 avoids the number of a file
//! for minutes after it was removed, and whoever writes after fifty thousand were
//! would be measured looking for others.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::race::{Ground, Rival, quiet, race};
use crate::{peak_kib, threads};

const DRACUT: &str = "/usr/lib/dracut/dracut-install";

/// The loop of many Dockerfiles, with the loader's own line.
const LOOP: &str = "for p in \"$@\"; do cp --parents \"$p\" \"$0\"; \
    ldd \"$p\" | grep -o '/[^ ]*' | xargs -I{} cp --parents {} \"$0\"; done";

const MANY: usize = 50_000;

const ROUNDS: usize = 15;

pub fn collecting(binary: &str) {
    let dir = std::env::temp_dir().join(format!("depcollect-bench-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let in_memory = Path::new("/dev/shm").join(dir.file_name().unwrap());
    fs::create_dir_all(&in_memory).unwrap();
    println!("\n### Collecting\n");
    println!("| what | files | MB | | time | to `cp -a` |\n|---|--:|--:|---|--:|--:|");
    programs(binary, &dir, &["/usr/bin/gdb"]);
    programs(binary, &dir, &["/usr/bin/ffmpeg", "/usr/bin/gdb", "/usr/bin/git", "/usr/bin/curl"]);
    included(binary, &in_memory);
    fs::remove_dir_all(&dir).unwrap();
    fs::remove_dir_all(&in_memory).unwrap();
}

/// A tree that was written.
struct Written {
    /// Files and links, by their paths in it.
    leaves: Vec<String>,
    bytes: u64,
}

impl Written {
    fn of(top: &Path) -> Written {
        let mut written = Written { leaves: Vec::new(), bytes: 0 };
        let mut dirs = vec![top.to_owned()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
                let (path, stat) = (entry.path(), entry.path().symlink_metadata().unwrap());
                if stat.is_dir() {
                    dirs.push(path);
                    continue;
                }
                if stat.is_file() {
                    written.bytes += stat.size();
                }
                let below = path.strip_prefix(top).unwrap();
                written.leaves.push(below.to_str().unwrap().to_owned());
            }
        }
        written.leaves.sort();
        written
    }
}

fn programs(binary: &str, dir: &Path, programs: &[&str]) {
    let to = |who: &str| dir.join(who).to_str().unwrap().to_owned();
    let words = |before: &[&str], after: &[&str]| -> Vec<String> {
        before.iter().chain(programs).chain(after).map(|word| (*word).to_owned()).collect()
    };
    let (ours, again) = (to("ours"), to("again"));
    run(&words(&[binary, "-q"], &[&again]));
    let written = Written::of(Path::new(&again));
    // What we have made is nobody else's to copy.
    let is_in_root = |leaf: &&String| Path::new("/").join(leaf).symlink_metadata().is_ok();
    let leaves: Vec<String> = written.leaves.iter().filter(is_in_root).cloned().collect();
    let (cp, loops, lddtree, dracut) = (to("cp"), to("loop"), to("lddtree"), to("dracut"));
    let mut rivals = vec![
        Rival::with_all(
            "`cp -a --parents`",
            &["env", "-C", "/", "cp", "-a", "--parents", "-t", &cp],
            &leaves,
        )
        .on(Ground::Empty(cp.into())),
        rival("depcollect", words(&[binary, "-q"], &[&ours]), Ground::Nothing(ours.clone().into())),
        rival("the same again", words(&[binary, "-q"], &[&again]), Ground::AsItIs),
        rival(
            "`dracut-install`",
            words(&[DRACUT, "-D", &dracut, "-l", "-a"], &[]),
            Ground::Empty(dracut.clone().into()),
        ),
        rival(
            "`ldd`, `grep`, `xargs cp`",
            words(&["sh", "-c", LOOP, &loops], &[]),
            Ground::Empty(loops.clone().into()),
        ),
        rival(
            "`lddtree --copy-to-tree`",
            words(&["/usr/bin/python3", "/usr/bin/lddtree", "--copy-to-tree", &lddtree], &[]),
            Ground::Empty(lddtree.clone().into()),
        ),
    ];
    rivals.retain(|rival| {
        Path::new(&rival.commands[0][0]).is_relative() || Path::new(&rival.commands[0][0]).exists()
    });
    let names: Vec<&str> = programs.iter().filter_map(|path| path.rsplit('/').next()).collect();
    show(&names.join(", "), &written, &rivals);
}

/// Small files of somebody's own, a hundred to a directory.
fn included(binary: &str, dir: &Path) {
    let many = dir.join("many");
    for n in 0..MANY {
        let below = many.join(format!("d{}", n / 100));
        if n % 100 == 0 {
            fs::create_dir_all(&below).unwrap();
        }
        fs::write(below.join(format!("f{n}")), vec![b'a' + (n % 26) as u8; n % 8192]).unwrap();
    }
    let many = many.to_str().unwrap();
    let to = |who: &str| dir.join(who).to_str().unwrap().to_owned();
    let (cp, ours, again) = (to("cp"), to("ours"), to("again2"));
    let words = |dist: &str| -> Vec<String> {
        [binary, "-q", "collect", "--include", many, dist].map(str::to_owned).to_vec()
    };
    run(&words(&again));
    let written = Written::of(Path::new(&again));
    let rivals = [
        Rival::once("`cp -a`", &["cp", "-a", many, &cp]).on(Ground::Empty(cp.clone().into())),
        rival("depcollect", words(&ours), Ground::Nothing(ours.clone().into())),
        rival("the same again", words(&again), Ground::AsItIs),
    ];
    show("`--include` of a directory", &written, &rivals);
    Ground::Nothing(ours.clone().into()).prepare();
    if let Some(kib) = peak_kib(&words(&ours)) {
        println!("\nPeak memory of the first one: {:.0} MiB.", kib / 1024.0);
    }
}

/// The first rival is what the others are compared with.
fn show(what: &str, written: &Written, rivals: &[Rival]) {
    let times = race(rivals, ROUNDS);
    let megabytes = written.bytes as f64 / 1e6;
    for (who, rival) in rivals.iter().enumerate() {
        let (what, files, size) = match who {
            0 => (what, written.leaves.len().to_string(), format!("{megabytes:.0}")),
            _ => ("", String::new(), String::new()),
        };
        let (time, ratio) = (times.of(who), times.ratio(who, 0));
        println!("| {what} | {files} | {size} | {} | {time:.1} ms | {ratio:.2} |", rival.name);
    }
    println!("| | | | *again, to the first time* | | {:.2} |", times.ratio(2, 1));
}

fn rival(name: &str, words: Vec<String>, ground: Ground) -> Rival {
    Rival { name: name.into(), commands: vec![words], ground }
}

fn run(words: &[String]) {
    let status = quiet(&words[0]).args(&words[1..]).status().unwrap();
    assert!(status.success(), "{words:?} ended with {status}");
}

/// A Debian root that `benches/run.sh` has unpacked.
pub fn checking(binary: &str) {
    let Some(root) = std::env::var_os("DEPCOLLECT_BENCH_ROOT").map(PathBuf::from) else { return };
    let root = root.to_str().unwrap();
    let own = std::env::current_exe().unwrap();
    let own = own.to_str().unwrap();
    let bare = quiet(own).args(["bare", root]).output().unwrap();
    println!("\n### Checking a Debian root ({})\n", String::from_utf8_lossy(&bare.stdout).trim_end());
    let rivals = [
        Rival::once("`depcollect check`", &[binary, "check", root]),
        Rival::once("`depcollect list`", &[binary, "--root", root, "list", "/"]),
        Rival::once("bare walk, four bytes of each", &[own, "bare", root]),
    ];
    let times = race(&rivals, 31);
    println!("| | time | times bare | peak memory |\n|---|--:|--:|--:|");
    for (who, rival) in rivals.iter().enumerate() {
        let peak = peak_kib(&rival.commands[0]).map_or("?".into(), |kib| format!("{:.1} MiB", kib / 1024.0));
        println!("| {} | {:.1} ms | {:.2} | {peak} |", rival.name, times.of(who), times.ratio(who, 2));
    }
    println!("\n{} threads each.", threads());
}
