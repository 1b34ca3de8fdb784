//! Roots of other machines and other releases, judged by their own loaders: as
//! they are where this processor runs them, under qemu-user where it does not.
//!
//! `DEPCOLLECT_ROOTS` names them, colon separated; `tests/make-roots.sh` makes
//! them. Their caches are the tests': removed, and written by the root's own
//! ldconfig.

#![expect(clippy::disallowed_methods, reason = "what is read here is the test's own roots")]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use depcollect::check::{self, Expected};
use depcollect::closure::{Files, ProgramOrigin, Session, Settings, close, open_program};
use depcollect::loader::Launch as Start;
use depcollect::plan::search::{Around, Unfound, repair};
use depcollect::plan::{Plan, Source};
use depcollect::root::dir::DirRoot;

use crate::sweep::{Place, elf_files};
use crate::synth::Elf;
use crate::{judge, need, worldelf};

const DIRS: [&str; 8] = ["bin", "lib", "lib32", "lib64", "libx32", "sbin", "opt", "usr"];

/// Where libraries are put that only the cache is to find, with a list of
/// where they came from; and the file that names the place to ldconfig.
const ASIDE: &[u8] = b"/opt/depcollect-tests";
const ORIGINS: &[u8] = b"/opt/depcollect-tests/origins";
const CONF: &[u8] = b"/etc/ld.so.conf.d/00-depcollect-tests.conf";
const CACHE: &[u8] = b"/etc/ld.so.cache";
const MOVED: [&str; 3] = ["libpcre2", "libselinux.", "libexpat."];
const COPIED: [&str; 2] = ["libz.", "libtinfo."];

/// Held by whoever moves files of the roots, and by whoever starts programs of them.
pub static ROOTS: Mutex<()> = Mutex::new(());

struct Foreign {
    top: PathBuf,
    root: DirRoot,
    loader: Vec<u8>,
    /// At the root's top, where one is needed.
    qemu: Option<Vec<u8>>,
}

impl Foreign {
    fn open(top: &Path) -> Foreign {
        let root = DirRoot::open(top).unwrap_or_else(|error| panic!("{}: {error}", top.display()));
        let loader = loader_of(&root).unwrap_or_else(|| panic!("{}: its shell has no loader", top.display()));
        let names = fs::read_dir(top).expect("a root can be listed").flatten().map(|entry| entry.file_name());
        let mut qemu = names.filter(|name| {
            let name = name.as_bytes();
            name.starts_with(b"qemu-") && name.ends_with(b"-static")
        });
        let qemu = qemu.next().map(|name| [b"/", name.as_bytes()].concat());
        Foreign { top: top.to_owned(), root, loader, qemu }
    }

    fn place<'a>(&'a self, start: &'a (dyn Fn(&[&[u8]]) -> Command + Sync)) -> Place<'a> {
        // Nobody mounted /proc; qemu answers for it.
        let origin = if self.qemu.is_some() { ProgramOrigin::RealFile } else { ProgramOrigin::NoProc(None) };
        let settings = Settings { cwd: b"/".to_vec(), origin, ..Settings::default() };
        Place { root: &self.root, top: &self.top, loader: &self.loader, settings, start }
    }

    /// `words` with this root as theirs.
    fn command(&self, words: &[&[u8]]) -> Command {
        let words: Vec<&[u8]> = self.qemu.as_deref().into_iter().chain(words.iter().copied()).collect();
        let mut command = judge::bench().expect("it was asked for").within(&self.top);
        command.arg(OsStr::from_bytes(words[0])).args(words.iter().map(|word| OsStr::from_bytes(word)));
        command.env("LD_TRACE_LOADED_OBJECTS", "1");
        command
    }

    fn at(&self, path: &[u8]) -> PathBuf {
        self.top.join(OsStr::from_bytes(path.strip_prefix(b"/").unwrap_or(path)))
    }

    /// Puts back what this or an earlier run moved.
    fn clean(&self) {
        let origins = fs::read(self.at(ORIGINS)).unwrap_or_default();
        for path in origins.split(|&b| b == b'\n').filter(|path| !path.is_empty()) {
            ok_if_absent(fs::rename(self.at(&aside(path)), self.at(path)));
        }
        ok_if_absent(fs::remove_dir_all(self.at(ASIDE)));
        ok_if_absent(fs::remove_file(self.at(CONF)));
        ok_if_absent(fs::remove_file(self.at(CACHE)));
    }

    /// Some libraries move to where only ldconfig's cache finds them; others
    /// get a second copy there, which the cache prefers.
    fn put_aside(&self, files: &[Vec<u8>]) {
        fs::create_dir_all(self.at(ASIDE)).expect("a directory");
        fs::write(self.at(CONF), [ASIDE, b"\n"].concat()).expect("a configuration");
        let moved: BTreeSet<Vec<u8>> = files
            .iter()
            .filter(|path| is_one_of(path, &MOVED))
            .flat_map(|path| self.with_links(path))
            .collect();
        let moved: Vec<Vec<u8>> = moved.into_iter().collect();
        fs::write(self.at(ORIGINS), moved.join(&b'\n')).expect("a list");
        for path in moved {
            fs::rename(self.at(&path), self.at(&aside(&path))).expect("a library can be moved");
        }
        for path in files.iter().filter(|path| is_one_of(path, &COPIED)) {
            fs::copy(self.at(path), self.at(&aside(path))).expect("a copy");
        }
    }

    /// A file and the links beside it that lead to it: ldconfig removes those
    /// that lead nowhere, for good.
    fn with_links(&self, path: &[u8]) -> Vec<Vec<u8>> {
        let dir = path.strip_suffix(basename(path)).expect("a path ends in its name");
        let beside =
            fs::read_dir(self.at(dir)).expect("a directory").flatten().map(|entry| entry.file_name());
        let beside = beside.map(|name| [dir, name.as_bytes()].concat());
        let leads_here =
            |other: &Vec<u8>| fs::canonicalize(self.at(other)).ok() == fs::canonicalize(self.at(path)).ok();
        beside.filter(leads_here).collect()
    }

    /// A cache that was written by us, for a program that finds its library by
    /// that alone.
    fn assert_reads_our_cache(&self) {
        let name = self.top.file_name().unwrap_or_default().to_string_lossy();
        let (files, settings) = (Files::default(), Settings::default());
        let loader = open_program(&mut Session::new(&self.root, &files, &settings), &self.loader);
        let loader = loader.expect("a loader").found;
        let mut program = worldelf::parse("NEEDED libproof.so.10 libproof.so.9", b"");
        program.interp = Some(self.loader.clone());
        fs::create_dir_all(self.at(ASIDE)).expect("a directory");
        for (path, elf) in [
            (&b"/opt/depcollect-tests/m"[..], program),
            (b"/opt/depcollect-tests/libproof.so.9", Elf::default()),
            (b"/opt/depcollect-tests/libproof.so.10", Elf::default()),
        ] {
            fs::write(self.at(path), elf.like(loader.facts()).bytes()).expect("a file");
            fs::set_permissions(self.at(path), fs::Permissions::from_mode(0o755)).expect("a mode");
        }
        let output = || {
            let output = self.command(&[b"/opt/depcollect-tests/m", b"/opt/depcollect-tests/m"]).output();
            String::from_utf8_lossy(&output.expect("the helper").stdout).into_owned()
        };
        assert_eq!(output().matches("not found").count(), 2, "{name}: {}", output());
        fs::write(self.at(CACHE), self.our_cache()).expect("a cache");
        for file in ["libproof.so.9", "libproof.so.10"] {
            let line = format!("{file} => /opt/depcollect-tests/{file} ");
            assert!(output().contains(&line), "{name}: {}", output());
        }
        self.clean();
    }

    /// What is written for `/opt/depcollect-tests/m` of a root seen afresh.
    fn our_cache(&self) -> Vec<u8> {
        let root = DirRoot::open(&self.top).expect("a root");
        let files = Files::default();
        let settings = Settings { library_path: Some(ASIDE.to_vec()), ..Settings::default() };
        let mut session = Session::new(&root, &files, &settings);
        let program = open_program(&mut session, b"/opt/depcollect-tests/m").expect("a program");
        let closure = close(&mut session, &program);
        let expected = [Expected::of(&closure, closure.program.clone(), Vec::new(), &|_, _| false)];
        let found = check::check(&root, &files, &expected);
        let unfound: Vec<Unfound> = found.into_iter().filter_map(|found| found.unfound).collect();
        let mut plan = Plan::default();
        let around = Around { root: &root, dist: None, base: Some(&root) };
        let findings = repair(&mut plan, &unfound, &around).expect("nothing stands in the way");
        assert_eq!(findings, []);
        let made = plan.contents().map(|(_, content)| match &content.source {
            Source::Made(bytes) => bytes.to_vec(),
            Source::Root { .. } | Source::Host { .. } => panic!("only a cache is made"),
        });
        made.last().expect("a cache")
    }

    fn remove_copies(&self) {
        for entry in fs::read_dir(self.at(ASIDE)).expect("a directory").flatten() {
            if is_one_of(entry.path().as_os_str().as_bytes(), &COPIED) {
                fs::remove_file(entry.path()).expect("a copy or a link to it");
            }
        }
    }

    fn run_ldconfig(&self) {
        let words =
            self.qemu.iter().map(|qemu| OsStr::from_bytes(qemu)).chain([OsStr::new("/sbin/ldconfig")]);
        let mut chroot = Command::new("/usr/sbin/chroot");
        let output = chroot.arg(&self.top).args(words).env_clear().output().expect("chroot");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: ldconfig: {said}", self.top.display());
    }

    fn sweep(&self) {
        let name = self.top.file_name().unwrap_or_default().to_string_lossy();
        self.clean();
        self.assert_reads_our_cache();
        let files = elf_files(&self.top, &DIRS);
        let start = |words: &[&[u8]]| self.command(words);
        let place = self.place(&start);

        for (tally, how) in place.sweep(&files).into_iter().zip(["ld.so", "exec"]) {
            assert_eq!(tally.cached, 0, "{name}: it has no cache");
            tally.assert_agreed(&format!("{name}, {how}, without a cache"), 100);
        }

        self.put_aside(&files);
        self.run_ldconfig();
        // What stood where is remembered by a root: this one is seen afresh.
        let after = Foreign::open(&self.top);
        let files = elf_files(&self.top, &DIRS);
        let tally = after.place(&start).sweep_by(Start::LdSo, &files);
        assert!(tally.cached > 100, "{name}: the cache was used for {} files only", tally.cached);
        assert!(tally.aside > 20, "{name}: the cache decided for {} files only", tally.aside);
        tally.assert_agreed(&format!("{name}, ld.so, with its own cache"), 100);

        // Now the loader has a cache, and the model has to foretell it.
        self.remove_copies();
        self.run_ldconfig();
        let after = Foreign::open(&self.top);
        let files = elf_files(&self.top, &DIRS);
        let mut place = after.place(&start);
        place.settings.no_cache = true;
        place.settings.conf = true;
        let tally = place.sweep_by(Start::LdSo, &files);
        assert_eq!(tally.cached, 0, "{name}: nobody was to look at the cache");
        assert!(tally.aside > 10, "{name}: ld.so.conf decided for {} files only", tally.aside);
        tally.assert_agreed(&format!("{name}, ld.so, with its cache foretold"), 100);
        self.clean();
    }
}

fn ok_if_absent(result: io::Result<()>) {
    if let Err(error) = result {
        assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
    }
}

fn aside(path: &[u8]) -> Vec<u8> {
    [ASIDE, b"/", basename(path)].concat()
}

fn basename(path: &[u8]) -> &[u8] {
    path.rsplit(|&b| b == b'/').next().expect("at least one part")
}

fn is_one_of(path: &[u8], names: &[&str]) -> bool {
    names.iter().any(|name| basename(path).starts_with(name.as_bytes()))
}

/// The interpreter of the root's own shell.
fn loader_of(root: &DirRoot) -> Option<Vec<u8>> {
    let (files, settings) = (Files::default(), Settings::default());
    let mut session = Session::new(root, &files, &settings);
    let shell = open_program(&mut session, b"/bin/bash").ok()?;
    shell.found.facts().interp().map(<[u8]>::to_vec)
}

#[test]
fn every_file() {
    let Some(roots) = std::env::var_os("DEPCOLLECT_ROOTS") else {
        return need::skip("no foreign roots: set DEPCOLLECT_ROOTS");
    };
    if let Err(why) = judge::bench() {
        return need::skip(why);
    }
    let _alone = ROOTS.lock().unwrap_or_else(PoisonError::into_inner);
    for top in std::env::split_paths(&roots) {
        Foreign::open(&top).sweep();
    }
}
