//! What we say that ldconfig would write, put to the machine's own ldconfig.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may stop, and look at the disk and the environment"
)]

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use depcollect::closure::ldconfig::{Answer, Setup, answer};
use depcollect::elf::{self, Class, Order};
use depcollect::loader::cache::{Ask, Cache, Listed, LoaderAbi, Unusable, write};
use depcollect::loader::{Cpu, Target, Version};
use depcollect::root::dir::DirRoot;
use depcollect::root::mem::MemRoot;
use depcollect::root::{Opened, Root, open_in};

use crate::ldtree::{Listing, Tree};
use crate::need::skip;
use crate::rng::Rng;
use crate::synth::{DT_SONAME, Elf};

pub const X86_64: Target = Target { class: Class::Elf64, order: Order::Little, machine: 62, flags: 0 };

fn count(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// An ldconfig that can be asked.
pub struct Real {
    /// How it is started: by qemu where this processor does not run it.
    pub words: Vec<OsString>,
    pub version: Version,
    pub target: Target,
}

impl Real {
    fn new(words: Vec<OsString>) -> Option<Real> {
        let output = Command::new(&words[0]).args(&words[1..]).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (major, minor) = text.lines().next()?.split_whitespace().last()?.split_once('.')?;
        let version = Version(major.parse().ok()?, minor.parse().ok()?);
        let facts = elf::read(&fs::read(words.last()?).ok()?.as_slice()).ok()?.ok()?;
        let header = &facts.header;
        let target =
            Target { class: facts.class, order: facts.order, machine: header.machine, flags: header.flags };
        Some(Real { words, version, target })
    }

    pub fn of_machine() -> Option<Real> {
        let is_root = rustix::process::geteuid().is_root();
        Real::new(vec!["/sbin/ldconfig".into()]).filter(|real| is_root && real.target == X86_64)
    }

    /// Those of the roots that the tests were given.
    pub fn of_roots() -> Vec<Real> {
        let roots = std::env::var_os("DEPCOLLECT_ROOTS").unwrap_or_default();
        std::env::split_paths(&roots)
            .filter(|top| !top.as_os_str().is_empty())
            .map(|top| {
                let names = fs::read_dir(&top).unwrap().map(|entry| entry.unwrap().path());
                let is_qemu = |path: &PathBuf| path.file_name().unwrap().as_bytes().starts_with(b"qemu-");
                let words = names.filter(is_qemu).chain([top.join("sbin/ldconfig")]);
                Real::new(words.map(PathBuf::into_os_string).collect()).unwrap()
            })
            .collect()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]);
        command
    }

    /// The directories built in, as it lists them in an empty tree.
    pub fn builtin_dirs(&self, scratch: &Path) -> Vec<Vec<u8>> {
        let root = scratch.join("empty");
        let all = ["lib", "lib64", "libx32"].into_iter().map(str::to_owned);
        for dir in all.chain(TUPLES.map(|tuple| format!("lib/{tuple}"))) {
            fs::create_dir_all(root.join(&dir)).unwrap();
            fs::create_dir_all(root.join("usr").join(&dir)).unwrap();
        }
        let output = self.command().arg("-vNX").arg("-r").arg(&root).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        // 2.31 does not say where it has a directory from.
        text.lines()
            .filter(|line| line.starts_with('/'))
            .filter_map(|line| line.split_once(':'))
            .map(|(dir, _)| dir.as_bytes().to_vec())
            .collect()
    }

    /// Runs it; the bytes of its cache.
    fn cache_of(&self, root: &Path) -> Vec<u8> {
        let mut command = self.command();
        command.args(["-X", "-f", "/etc/ld.so.conf", "-C", "/etc/ld.so.cache", "-r"]).arg(root);
        let output = command.output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{} {message}", root.display());
        fs::read(root.join("etc/ld.so.cache")).unwrap()
    }

    /// What is in its cache.
    pub fn ask(&self, root: &Path) -> Vec<String> {
        match Cache::parse(self.cache_of(root), LoaderAbi::of(&self.target, self.version)) {
            Ok(cache) => shown(&cache),
            // 2.31 writes an empty one so short that no loader takes it.
            Err(Unusable::TooShort { len: 48 }) => Vec::new(),
            Err(error) => panic!("{error}"),
        }
    }
}

const TUPLES: [&str; 7] = [
    "x86_64-linux-gnu",
    "i386-linux-gnu",
    "aarch64-linux-gnu",
    "arm-linux-gnueabihf",
    "powerpc64le-linux-gnu",
    "s390x-linux-gnu",
    "mipsel-linux-gnu",
];

/// One line for each entry.
pub fn shown(cache: &Cache) -> Vec<String> {
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
    real: Real,
    builtin: Vec<Vec<u8>>,
    scratch: tempfile::TempDir,
    listing: Listing,
}

impl Bench {
    fn of_machine() -> Result<Bench, &'static str> {
        Bench::new(Real::of_machine().ok_or("no ldconfig of x86-64 that may chroot")?)
    }

    fn new(real: Real) -> Result<Bench, &'static str> {
        let places = [PathBuf::from("/dev/shm"), std::env::temp_dir()];
        let listing = |place: PathBuf| Some((Listing::of(&place)?, place));
        let found = places.into_iter().find_map(listing);
        let (listing, place) = found.ok_or("no file system that lists names as they were made")?;
        let scratch = tempfile::tempdir_in(place).unwrap();
        let builtin = real.builtin_dirs(scratch.path());
        Ok(Bench { real, builtin, scratch, listing })
    }

    fn abi(&self) -> LoaderAbi {
        LoaderAbi::of(&self.real.target, self.real.version)
    }

    fn ours(&self, root: &dyn Root) -> Answer {
        let Real { version, target, .. } = self.real;
        answer(root, &Setup { version, target, conf: b"/etc/ld.so.conf", builtin: &self.builtin })
    }

    /// A random tree on the disk.
    fn tree(&self, seed: u64) -> PathBuf {
        let root = self.scratch.path().join(seed.to_string());
        Tree::random(&mut Rng::new(seed), &self.real.target).write_to(&root, self.listing);
        root
    }

    /// How many entries the tree of this seed has.
    fn compare(&self, seed: u64) -> usize {
        let root = self.tree(seed);
        let ours = self.ours(&DirRoot::open(&root).unwrap());
        let (expected, found) = (self.real.ask(&root), shown(ours.cache()));
        if expected != found {
            let lines = |list: &[String], other: &[String]| {
                list.iter().filter(|line| !other.contains(line)).cloned().collect::<Vec<_>>().join("\n  ")
            };
            let (only_real, only_ours) = (lines(&expected, &found), lines(&found, &expected));
            let who = &self.real.words;
            panic!("{who:?}: seed {seed}\nreal:\n  {only_real}\nours:\n  {only_ours}");
        }
        fs::remove_dir_all(root).unwrap();
        expected.len()
    }
}

#[test]
fn ldconfig_writes_what_we_say() {
    let bench = match Bench::of_machine() {
        Ok(bench) => bench,
        Err(why) => return skip(why),
    };
    let trees = count("DEPCOLLECT_CONFS", 60);
    let total: usize = (0..trees).map(|seed| bench.compare(seed)).sum();
    assert!(total > 60, "the trees hold libraries");
}

/// Those of other releases and machines, with libraries of theirs.
#[test]
fn other_ldconfigs_write_what_we_say() {
    let reals = Real::of_roots();
    if reals.is_empty() || Real::of_machine().is_none() {
        return skip("no ldconfig of another root: set DEPCOLLECT_ROOTS, as root");
    }
    for real in reals {
        let bench = match Bench::new(real) {
            Ok(bench) => bench,
            Err(why) => return skip(why),
        };
        let total: usize = (0..count("DEPCOLLECT_CONFS", 60) / 10).map(|seed| bench.compare(seed)).sum();
        assert!(total > 20, "the trees hold libraries");
    }
}

/// The real one lists what we wrote, in our order.
#[test]
fn ldconfig_reads_what_we_write() {
    let bench = match Bench::of_machine() {
        Ok(bench) => bench,
        Err(why) => return skip(why),
    };
    for seed in 0..10 {
        let root = DirRoot::open(&bench.tree(seed)).unwrap();
        let ours = bench.ours(&root);
        let entries: Vec<_> = ours.entries.iter().map(|provided| provided.entry.clone()).collect();
        let file = bench.scratch.path().join("cache");
        fs::write(&file, write(&entries, &bench.abi())).unwrap();
        let output = bench.real.command().arg("-p").arg("-C").arg(&file).output().unwrap();
        let listed: Vec<Vec<u8>> = output
            .stdout
            .split(|&b| b == b'\n')
            .filter_map(|line| line.windows(4).position(|w| w == b" => ").map(|at| line[at + 4..].to_vec()))
            .collect();
        let values: Vec<Vec<u8>> = entries.into_iter().map(|entry| entry.value).collect();
        assert_eq!(listed, values, "seed {seed}");
        assert_providers_answer(&root, &ours, bench.real.version);
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
