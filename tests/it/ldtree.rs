//! Random trees for ldconfig: configurations and directories of libraries.
//!
//! ldconfig takes names as the file system lists them, and of two names for one
//! directory, or two files of one key and number, the first counts. So a tree is
//! written in such an order that the file system lists it by bytes.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may stop, and look at the disk and the environment"
)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use depcollect::elf::{Class, Order};
use depcollect::loader::Target;

use crate::rng::Rng;
use crate::synth::{DT_NEEDED, DT_SONAME, Elf, Note, NoteDesc};

fn index(rng: &mut Rng, limit: usize) -> usize {
    rng.below(limit as u64) as usize
}

fn once_in(rng: &mut Rng, n: u64) -> bool {
    rng.below(n) == 0
}

fn pick<'a>(rng: &mut Rng, list: &[&'a str]) -> &'a str {
    list[index(rng, list.len())]
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    File(Vec<u8>),
    Link(Vec<u8>),
    Dir,
}

/// Which of its names a directory lists first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    NewestFirst,
    OldestFirst,
}

impl Listing {
    /// Of the directories below `scratch`, if it is one of the two: a tmpfs of
    /// any kernel does either.
    pub fn of(scratch: &Path) -> Option<Listing> {
        let made = ["q", "b", "x", "a", "z", "c", "k", "d"];
        let probe = tempfile::tempdir_in(scratch).ok()?;
        made.iter().for_each(|name| fs::write(probe.path().join(name), name).unwrap());
        let names = fs::read_dir(probe.path()).ok()?.flatten().map(|entry| entry.file_name());
        let listed: Vec<_> = names.collect();
        if listed.iter().eq(made.iter()) {
            return Some(Listing::OldestFirst);
        }
        listed.iter().eq(made.iter().rev()).then_some(Listing::NewestFirst)
    }
}

/// Paths without a slash at the start, and what stands there. Names in them
/// that mean something on x86-64 become those of the tree's own machine.
#[derive(Debug)]
pub struct Tree {
    entries: BTreeMap<Vec<u8>, What>,
    target: Target,
}

/// Names of platforms and hwcaps, in place of those in the first row.
const LEGACY: [(u16, [&str; 4]); 6] = [
    (62, ["haswell", "x86_64", "avx512_1", "sse2"]),
    (22, ["z13", "vx", "zarch", "esan3"]),
    (21, ["power9", "altivec", "power6x", "arch_2_07"]),
    (40, ["neon", "vfp", "half", "thumb"]),
    (183, ["atomics", "sve", "fp", "aarch64"]),
    (8, ["octeon", "octeon2", "loongson2e", "mips"]),
];

/// `x86_64` in a tuple stays.
fn local(text: &[u8], target: &Target) -> Vec<u8> {
    let mut text = text.to_vec();
    let names = LEGACY.iter().find(|(machine, _)| *machine == target.machine);
    for (from, to) in LEGACY[0].1.iter().zip(names.map_or(LEGACY[0].1, |(_, names)| *names)) {
        let mut at = 0;
        while let Some(n) = text[at..].windows(from.len()).position(|w| w == from.as_bytes()) {
            let (start, end) = (at + n, at + n + from.len());
            let is_word = !matches!(text.get(end), Some(b'-' | b'_'));
            let new = if is_word { to } else { from };
            text.splice(start..end, new.bytes());
            at = start + new.len();
        }
    }
    text
}

const DIRS: [&str; 18] = [
    "opt/a",
    "opt/b",
    "opt/b/c",
    "six dir",
    "usr/local/lib",
    "lib",
    "usr/lib",
    "lib/x86_64-linux-gnu",
    "usr/lib/x86_64-linux-gnu",
    "opt/tls",
    "opt/a/haswell",
    "opt/a/tls",
    "opt/b/x86_64",
    "opt/a/tls/avx512_1",
    "opt/x=libc6",
    "lib64",
    "haswell",
    "haswell/tls",
];
const LEVELS: [&str; 6] = ["x86-64-v2", "x86-64-v3", "x86-64-v4", "odd", ".hid", "a:b"];
/// Links to directories, and what a configuration may name beside those.
const DIR_LINKS: [(&str, &str); 6] = [
    ("ln", "opt/a"),
    ("opt/ln", "/opt/b"),
    ("opt/up", "../opt/b/c"),
    ("round", "round"),
    ("gone", "nowhere"),
    ("deep", "opt/ln/c"),
];
const STEMS: [&str; 6] = ["liba", "libb", "libab", "lib", "ld-x", "lib\u{e9}"];
const ENDS: [&str; 14] = [
    ".so",
    ".so.1",
    ".so.2",
    ".so.10",
    ".so.1.2",
    ".so.1.10",
    ".so.9",
    ".so.bak",
    "-1.so",
    ".so.1.2.3",
    ".so.",
    ".so.4294967297",
    ".soup",
    ".so.1-x",
];
const NAMES: [&str; 16] = [
    "ld.so.1",
    "ld64.so.2",
    "ld.so",
    "xliba.so.1",
    ".liba.so.1",
    "liba.a",
    "tls",
    "haswell",
    "README",
    "liba.so.1.#prelink#",
    "libb.so.1.#prelink#.aB3xYz",
    "liba.so.1;5f",
    "libb.so.2.dpkg-new",
    "libLIBA.SO",
    "libm.so.6",
    "sse2",
];

impl Tree {
    pub fn random(rng: &mut Rng, target: &Target) -> Tree {
        let mut tree = Tree { entries: BTreeMap::new(), target: *target };
        for dir in ["etc/d", "etc/sub/d", "var/cache/ldconfig"].into_iter().chain(DIRS) {
            tree.put(dir, What::Dir);
        }
        for (path, target) in DIR_LINKS {
            tree.put(path, What::Link(target.into()));
        }
        for dir in DIRS {
            tree.libraries(dir, rng);
            tree.levels(dir, rng);
        }
        tree.configuration(rng);
        tree
    }

    fn put(&mut self, path: impl AsRef<[u8]>, what: What) {
        let path = local(path.as_ref(), &self.target);
        let what = match what {
            What::Link(target) => What::Link(local(&target, &self.target)),
            What::File(_) | What::Dir => what,
        };
        self.entries.entry(path).or_insert(what);
    }

    fn put_conf(&mut self, path: &str, text: &[u8]) {
        self.put(path, What::File(local(text, &self.target)));
    }

    fn levels(&mut self, dir: &str, rng: &mut Rng) {
        for level in LEVELS {
            if once_in(rng, 5) {
                self.libraries(&format!("{dir}/glibc-hwcaps/{level}"), rng);
            }
        }
        if once_in(rng, 16) {
            self.put(format!("{dir}/glibc-hwcaps/file"), What::File(b"x".to_vec()));
            self.put(format!("{dir}/glibc-hwcaps/linked"), What::Link(b"/opt/b/c".to_vec()));
        }
    }

    fn libraries(&mut self, dir: &str, rng: &mut Rng) {
        self.put(dir, What::Dir);
        let mut names = Vec::new();
        for _ in 0..index(rng, 9) {
            let name = if once_in(rng, 5) {
                pick(rng, &NAMES).to_string()
            } else {
                format!("{}{}", pick(rng, &STEMS), pick(rng, &ENDS))
            };
            if once_in(rng, 8)
                && let Some(dot) = name.rfind('.')
            {
                self.put(format!("{dir}/{}", &name[..dot]), What::Link(name.clone().into_bytes()));
            }
            let what = thing(dir, &name, &names, &self.target, rng);
            self.put(format!("{dir}/{name}"), what);
            names.push(name);
        }
    }

    /// No file includes itself: the real one then goes on until it may open no
    /// more files, and overlooks directories from there on.
    fn configuration(&mut self, rng: &mut Rng) {
        let deepest = lines(rng, 3, &[]);
        self.put_conf("etc/sub/d/a.conf", &deepest);
        for file in ["etc/d/a.conf", "etc/d/B.conf", "etc/d/.hid.conf", "etc/d/z.conf"] {
            if !once_in(rng, 4) {
                let text = lines(rng, 3, &INNER_INCLUDES);
                self.put_conf(file, &text);
            }
        }
        let target = pick(rng, &["/etc/sub/d/a.conf", "z.conf", "none", "../d"]);
        self.put("etc/d/l.conf", What::Link(target.into()));
        let text = lines(rng, 8, &INCLUDES);
        self.put_conf("etc/ld.so.conf", &text);
    }

    /// Every directory lists its names by bytes.
    pub fn write_to(&self, root: &Path, listing: Listing) {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_by_key(|(path, _)| path.split(|&b| b == b'/').collect::<Vec<_>>());
        if listing == Listing::NewestFirst {
            entries.reverse();
        }
        for (path, what) in entries {
            let path = root.join(OsStr::from_bytes(path));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match what {
                What::Dir => fs::create_dir_all(path).unwrap(),
                What::File(bytes) => fs::write(path, bytes).unwrap(),
                What::Link(target) => symlink(OsStr::from_bytes(target), path).unwrap(),
            }
        }
    }
}

/// Something by the name of a library. `others` are names of its directory.
fn thing(dir: &str, name: &str, others: &[String], own: &Target, rng: &mut Rng) -> What {
    // A file without a SONAME has that of its link, and its own type.
    let stem = name.split('.').next().unwrap_or(name);
    let twins: Vec<&str> =
        others.iter().map(String::as_str).filter(|n| n.split('.').next() == Some(stem)).collect();
    if ["tls", "haswell", "sse2"].contains(&name) {
        let target = pick(rng, &["/opt/a", "/opt/b", "/six dir"]);
        return if once_in(rng, 2) { What::Link(target.into()) } else { What::Dir };
    }
    match index(rng, 24) {
        0 => What::File(b"/* GNU ld script */ INPUT(x)\n".to_vec()),
        1 => What::File(Vec::new()),
        2 => What::Dir,
        3 => What::Link(pick(rng, &["nowhere", name, "/opt/a", "/etc/ld.so.conf", "/"]).into()),
        4..8 if !twins.is_empty() => What::Link(pick(rng, &twins).into()),
        8..10 => What::Link(format!("/{}/{stem}.so.1", pick(rng, &DIRS)).into_bytes()),
        _ => What::File(library(dir, name, own, rng).bytes()),
    }
}

fn library(dir: &str, name: &str, own: &Target, rng: &mut Rng) -> Elf {
    let soname = (!once_in(rng, 5)).then(|| match index(rng, 3) {
        0 => name.to_owned(),
        1 => format!("{}.so.{}", name.split('.').next().unwrap_or(name), index(rng, 3)),
        _ => format!("{}{}", pick(rng, &STEMS), pick(rng, &ENDS)),
    });
    let soname = soname.filter(|soname| !soname.is_empty());
    let mut elf = machine(rng, own);
    if once_in(rng, 3) {
        elf.strings.push((
            DT_NEEDED,
            pick(rng, &["libc.so.6", "libm.so.6", "libc.so.5", "liba.so.1"]).as_bytes().to_vec(),
        ));
    }
    if let Some(soname) = &soname {
        elf.strings.push((DT_SONAME, soname.as_bytes().to_vec()));
    }
    if dir.contains("hwcaps") && elf.is_64 && once_in(rng, 2) {
        let isa = Note { owner: b"GNU", kind: 5, desc: NoteDesc::Isa(1 << index(rng, 4) | 1) };
        elf.notes.push(isa);
    }
    if once_in(rng, 8) {
        elf.notes.push(Note { owner: b"GNU", kind: 1, desc: NoteDesc::Words(vec![0, 3, 2, 0]) });
    }
    match index(rng, 16) {
        0 => elf.e_type = 2,
        1 => elf.no_dynamic = true,
        2 => elf.interp = Some(b"/lib64/ld-linux-x86-64.so.2".to_vec()),
        3 => elf.truncate = Some(40),
        _ => {}
    }
    elf
}

/// Mostly of the tree's own machine. Class and machine fit together but on
/// x86: there ldconfig looks at both.
fn machine(rng: &mut Rng, own: &Target) -> Elf {
    let own = Elf {
        is_64: own.class == Class::Elf64,
        big_endian: own.order == Order::Big,
        machine: own.machine,
        e_flags: own.flags,
        ..Elf::default()
    };
    let others: &[(bool, u16, u32)] = match own.machine {
        3 | 62 => {
            &[(false, 3, 0), (false, 3, 0), (false, 62, 0), (true, 62, 0), (true, 3, 0), (true, 183, 0)]
        }
        40 | 183 => {
            &[(true, 183, 0), (false, 40, 0x500_0200), (false, 40, 0x500_0400), (false, 40, 0x500_0000)]
        }
        20 | 21 => &[(false, 20, 0), (true, 21, 1), (true, 21, 2), (true, 62, 0)],
        22 => &[(false, 22, 0), (true, 62, 0), (false, 62, 0)],
        _ => &[(false, own.machine, 0x20), (true, own.machine, 0), (true, 62, 0), (false, 62, 0)],
    };
    match index(rng, 16) {
        0..5 => {
            let (is_64, machine, e_flags) = others[index(rng, others.len())];
            Elf { is_64, machine, e_flags, ..own }
        }
        5 => Elf { big_endian: !own.big_endian, ..own },
        _ => own,
    }
}

fn lines(rng: &mut Rng, most: usize, includes: &[&str]) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..=index(rng, most) {
        let is_include = !includes.is_empty() && once_in(rng, 3);
        text.extend(if is_include { pick(rng, includes).into() } else { line(rng) });
        text.push(b'\n');
    }
    if once_in(rng, 4) {
        text.pop();
    }
    text
}

const INCLUDES: [&str; 11] = [
    "include d/*.conf",
    "include /etc/d/*.conf",
    "include d/a.conf d/z.conf",
    "include\t/etc/sub/*/a.conf  none/*",
    "include sub/d/[ab].conf",
    "include /etc/d/[!a]*.conf /etc/d/.*.conf # x",
    "include /etc/?/\\a.conf",
    "include d",
    "include /etc/d/[[:upper:]]*",
    "include *b/?/*",
    "include d/a.conf\r",
];
const INNER_INCLUDES: [&str; 4] = [
    "include ../sub/d/*",
    "include ../*/d/a.conf",
    "include /etc/sub/d/a.conf",
    "include ../sub/[a-z]/?.conf",
];
const LINES: [&str; 18] = [
    "include",
    "Include /etc/d/*.conf",
    "hwcap 1 nosegneg",
    "# comment",
    "",
    "  \t",
    "/six dir  ",
    "/nonexistent",
    "relative/x",
    "haswell",
    "haswell/tls",
    "opt/a",
    "/",
    "/etc/ld.so.conf",
    "/opt/b=libc6",
    "/lib=libc5 # =",
    "/usr/lib=glibc2",
    "/six dir=libc4",
];

fn line(rng: &mut Rng) -> Vec<u8> {
    if once_in(rng, 4) {
        return pick(rng, &LINES).into();
    }
    let linked: Vec<&str> = DIR_LINKS.iter().map(|(path, _)| *path).collect();
    let dir = if once_in(rng, 4) { pick(rng, &linked) } else { pick(rng, &DIRS) };
    let before = pick(rng, &["/", "/", "/", " /", "\t//", "/opt/../", "/./"]);
    let behind = pick(rng, &["", "", "", "/", "//", " ", "/ ", " # x", "#/y", "\t", "\r", "=libc6", "=odd"]);
    let hwcaps = if once_in(rng, 12) { "/glibc-hwcaps/odd" } else { "" };
    format!("{before}{dir}{hwcaps}{behind}").into_bytes()
}
