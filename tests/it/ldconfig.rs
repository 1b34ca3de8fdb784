//! What we say that ldconfig would write, put to the machine's own ldconfig.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may stop, and look at the disk and the environment"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use depcollect::closure::ldconfig::{Answer, Setup, answer};
use depcollect::elf::{Class, Order};
use depcollect::loader::cache::{Ask, Cache, Listed, LoaderAbi, write};
use depcollect::loader::{Cpu, Target, Version};
use depcollect::root::dir::DirRoot;
use depcollect::root::mem::MemRoot;
use depcollect::root::{Opened, open_in};

use crate::ldtree::{Listing, Tree};
use crate::need::skip;
use crate::rng::Rng;
use crate::synth::{DT_SONAME, Elf};

const X86_64: Target = Target { class: Class::Elf64, order: Order::Little, machine: 62, flags: 0 };

fn count(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// The version of an ldconfig that may chroot, if there is one.
fn ldconfig_version() -> Option<Version> {
    let output = Command::new("ldconfig").arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (major, minor) = text.lines().next()?.split_whitespace().last()?.split_once('.')?;
    let is_root = Command::new("id").arg("-u").output().ok()?.stdout == b"0\n";
    (is_root && cfg!(target_arch = "x86_64")).then_some(Version(major.parse().ok()?, minor.parse().ok()?))
}

/// The directories built in, as the real one lists them in an empty tree.
fn builtin_dirs(scratch: &Path) -> Vec<Vec<u8>> {
    let root = scratch.join("empty");
    let all = ["lib", "lib64", "libx32", "lib/x86_64-linux-gnu"];
    for dir in all.iter().flat_map(|dir| [dir.to_string(), format!("usr/{dir}")]) {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    let mut command = Command::new("ldconfig");
    let output = command.arg("-vNX").arg("-r").arg(&root).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter_map(|line| line.split_once(": (from <builtin>"))
        .map(|(dir, _)| dir.as_bytes().to_vec())
        .collect()
}

/// Runs the real one; the bytes of its cache.
fn real(root: &Path) -> Vec<u8> {
    let mut command = Command::new("ldconfig");
    command.args(["-X", "-f", "/etc/ld.so.conf", "-C", "/etc/ld.so.cache", "-r"]).arg(root);
    let output = command.output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{} {message}", root.display());
    fs::read(root.join("etc/ld.so.cache")).unwrap()
}

/// One line for each entry.
fn shown(cache: &Cache) -> Vec<String> {
    let line = |entry: Listed<'_>| {
        let hwcap = match entry.hwcap_name {
            Some(name) => format!("{} level {:x}", name.escape_ascii(), entry.hwcap >> 32),
            None => format!("{:x}", entry.hwcap),
        };
        let (key, value) = (entry.key.escape_ascii(), entry.value.escape_ascii());
        format!("{key} {:x} {:x} {hwcap} => {value}", entry.flags, entry.osversion)
    };
    cache.entries().map(line).collect()
}

struct Bench {
    version: Version,
    builtin: Vec<Vec<u8>>,
    scratch: tempfile::TempDir,
    listing: Listing,
}

impl Bench {
    fn new() -> Result<Bench, &'static str> {
        let version = ldconfig_version().ok_or("no ldconfig of x86-64 that may chroot")?;
        let places = [PathBuf::from("/dev/shm"), std::env::temp_dir()];
        let listing = |place: PathBuf| Some((Listing::of(&place)?, place));
        let found = places.into_iter().find_map(listing);
        let (listing, place) = found.ok_or("no file system that lists names as they were made")?;
        let scratch = tempfile::tempdir_in(place).unwrap();
        let builtin = builtin_dirs(scratch.path());
        Ok(Bench { version, builtin, scratch, listing })
    }

    fn abi(&self) -> LoaderAbi {
        LoaderAbi::of(&X86_64, self.version)
    }

    fn ours(&self, root: &DirRoot) -> Answer {
        let builtin = &self.builtin;
        let setup = Setup { version: self.version, target: X86_64, conf: b"/etc/ld.so.conf", builtin };
        answer(root, &setup)
    }

    /// A random tree on the disk.
    fn tree(&self, seed: u64) -> PathBuf {
        let root = self.scratch.path().join(seed.to_string());
        Tree::random(&mut Rng::new(seed)).write_to(&root, self.listing);
        root
    }
}

#[test]
fn ldconfig_writes_what_we_say() {
    let bench = match Bench::new() {
        Ok(bench) => bench,
        Err(why) => return skip(why),
    };
    let mut total = 0;
    for seed in 0..count("DEPCOLLECT_CONFS", 60) {
        let root = bench.tree(seed);
        let ours = bench.ours(&DirRoot::open(&root).unwrap());
        let real = Cache::parse(real(&root), bench.abi()).unwrap();
        let (expected, found) = (shown(&real), shown(ours.cache()));
        if expected != found {
            let root = bench.scratch.keep();
            let lines = |list: Vec<String>, other: &[String]| {
                list.into_iter().filter(|line| !other.contains(line)).collect::<Vec<_>>().join("\n  ")
            };
            let (only_real, only_ours) = (lines(expected.clone(), &found), lines(found, &expected));
            panic!("seed {seed} in {}\nreal:\n  {only_real}\nours:\n  {only_ours}", root.display());
        }
        total += expected.len();
        fs::remove_dir_all(root).unwrap();
    }
    assert!(total > 60, "the trees hold libraries");
}

/// The real one lists what we wrote, in our order.
#[test]
fn ldconfig_reads_what_we_write() {
    let bench = match Bench::new() {
        Ok(bench) => bench,
        Err(why) => return skip(why),
    };
    for seed in 0..10 {
        let root = DirRoot::open(&bench.tree(seed)).unwrap();
        let ours = bench.ours(&root);
        let entries: Vec<_> = ours.entries.iter().map(|provided| provided.entry.clone()).collect();
        let file = bench.scratch.path().join("cache");
        fs::write(&file, write(&entries, &bench.abi())).unwrap();
        let output = Command::new("ldconfig").arg("-p").arg("-C").arg(&file).output().unwrap();
        let listed: Vec<Vec<u8>> = output
            .stdout
            .split(|&b| b == b'\n')
            .filter_map(|line| line.windows(4).position(|w| w == b" => ").map(|at| line[at + 4..].to_vec()))
            .collect();
        let values: Vec<Vec<u8>> = entries.into_iter().map(|entry| entry.value).collect();
        assert_eq!(listed, values, "seed {seed}");
        assert_providers_answer(&root, &ours, bench.version);
        let generator = b"Cache generated by: depcollect\n";
        assert!(output.stdout.ends_with(generator), "{}", output.stdout.escape_ascii());
    }
}

/// What a look-up says is the file that the link of that name would lead to.
fn assert_providers_answer(root: &DirRoot, answer: &Answer, version: Version) {
    let cpu = Cpu::baseline(&X86_64);
    let ask = Ask::of(&X86_64, version, &cpu);
    for provided in answer.entries.iter().filter(|p| p.entry.flags == 0x303) {
        let found = answer.lookup(&provided.entry.key, &ask);
        assert!(found.is_none_or(|found| found.entry.flags == 0x303));
        let opened = open_in(root, provided.dir, &provided.file).unwrap().opened;
        assert!(matches!(opened, Opened::File(_)), "{provided:?}");
    }
}

/// `NAME SONAME` of files and `NAME -> TARGET` of links in `dir`: the entries,
/// each with the file behind it.
fn provided(dir: &str, files: &[&str]) -> String {
    let mut root = MemRoot::new();
    root.file("/etc/ld.so.conf", "/d");
    for file in files {
        match file.split_once(" -> ") {
            Some((name, target)) => root.link(format!("{dir}/{name}"), target),
            None => {
                let (name, soname) = file.split_once(' ').expect("a name and a SONAME");
                let strings = vec![(DT_SONAME, soname.as_bytes().to_vec())];
                root.file(format!("{dir}/{name}"), Elf { strings, ..Elf::default() }.bytes())
            }
        };
    }
    let setup = Setup { version: Version(2, 36), target: X86_64, conf: b"/etc/ld.so.conf", builtin: &[] };
    let entries = answer(&root, &setup).entries;
    let shown =
        entries.iter().map(|p| format!("{} by {}", p.entry.key.escape_ascii(), p.file.escape_ascii()));
    shown.collect::<Vec<_>>().join(", ")
}

#[test]
fn the_file_behind_a_key() {
    #[rustfmt::skip]
    let rows: &[(&[&str], &str)] = &[
        (&["libx.so.1.2 libx.so.1"], "libx.so.1 by libx.so.1.2"),
        (&["libx.so.1.9 libx.so.1", "libx.so.1.10 libx.so.1"], "libx.so.1 by libx.so.1.10"),
        // A link by the name of the key stands behind any file.
        (&["libx.so.1.2 libx.so.1", "libx.so.1 -> libx.so.1.2"], "libx.so.1 by libx.so.1.2"),
        (&["liba.so libx.so.1", "libx.so.1 -> /e/libx.so.2"], "libx.so.1 by liba.so"),
        (&["libx.so.1 libx.so.1", "libx.so -> libx.so.1"], "libx.so.1 by libx.so.1, libx.so by libx.so"),
        // No dev link: it counts as one more file of that SONAME.
        (&["libx.so.1.2 libx.so.1.2", "libx.so.1 -> libx.so.1.2"], "libx.so.1.2 by libx.so.1.2"),
        (&["libx.so.1 libx.so.1", "liby.so -> libx.so.1"], "libx.so.1 by liby.so"),
        (&["libx.so.1 -> nowhere"], ""),
    ];
    for (files, expected) in rows {
        assert_eq!(provided("/d", files), *expected, "{files:?}");
    }
    // Below glibc-hwcaps a link needs no name of a library.
    let odd = ["libx.so.1 libx.so.1", "odd -> libx.so.1"];
    assert_eq!(provided("/d/glibc-hwcaps/v", &odd), "libx.so.1 by odd");
    assert_eq!(provided("/d", &odd), "libx.so.1 by libx.so.1");
}
