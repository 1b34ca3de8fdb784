//! Whole machines against their own loaders: every ELF file, started through
//! the loader and, where it is a program, by the kernel. Names, paths, order,
//! versions and last words are compared, not only the set of files.
//!
//! `DEPCOLLECT_FULL=1` takes every file below `/usr`, otherwise a sample.
//! Nothing is ever run: the loader is told to trace, and files that would not
//! listen (static ones, and those that gain rights) are not started at all.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "what is read here is the machine's own files"
)]

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use depcollect::closure::{
    CacheState, Files, NotAProgram, Program, ProgramOrigin, Session, Settings, close, open_program,
};
use depcollect::elf::{Class, Facts, Kind};
use depcollect::loader::Launch as Start;
use depcollect::root::dir::DirRoot;

use crate::judge::{self, Answer};
use crate::world::{GLIBC, Launch, World};
use crate::{model, need};

/// A tree, its loader, and how that is asked.
pub struct Place<'a> {
    pub root: &'a DirRoot,
    /// Where it stands.
    pub top: &'a Path,
    /// As programs of the tree name it.
    pub loader: &'a [u8],
    /// What the model is to assume; the kind of start is added.
    pub settings: Settings,
    /// `words` started in the tree with both streams to be read, without
    /// variables but the loader's order to trace.
    pub start: &'a (dyn Fn(&[&[u8]]) -> Command + Sync),
}

/// What a sweep saw.
#[derive(Debug, Default)]
pub struct Tally {
    pub compared: usize,
    /// Files with at least two libraries, all found.
    pub resolved: usize,
    pub missing: usize,
    pub fatal: usize,
    pub static_ones: usize,
    /// Answers for which the loader's cache was used.
    pub cached: usize,
    /// Answers with a library below `/opt`.
    pub aside: usize,
    pub differences: Vec<String>,
}

/// The ELF files below `dirs` of the tree at `top`, as paths of the tree.
pub fn elf_files(top: &Path, dirs: &[&str]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for dir in dirs {
        let below = top.join(dir.trim_start_matches('/'));
        if below.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
            walk(&below, &mut found);
        }
    }
    let prefix = top.as_os_str().as_bytes().strip_suffix(b"/").unwrap_or(top.as_os_str().as_bytes()).len();
    found.iter_mut().for_each(|path| drop(path.drain(..prefix)));
    found.sort();
    found
}

fn walk(dir: &Path, found: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        let path = entry.path();
        if kind.is_dir() {
            walk(&path, found);
        } else if kind.is_file() && has_magic(&path) {
            found.push(path.into_os_string().into_encoded_bytes());
        }
    }
}

fn has_magic(path: &Path) -> bool {
    let mut magic = [0; 4];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *b"\x7fELF"
}

/// `count` of them, evenly spread.
pub fn sample(files: Vec<Vec<u8>>, count: usize) -> Vec<Vec<u8>> {
    let step = files.len().div_ceil(count).max(1);
    files.into_iter().step_by(step).collect()
}

impl Place<'_> {
    /// Both kinds of start for every file of the loader's own machine.
    pub fn sweep(&self, files: &[Vec<u8>]) -> [Tally; 2] {
        [Start::LdSo, Start::Exec].map(|start| self.sweep_by(start, files))
    }

    pub fn sweep_by(&self, start: Start, files: &[Vec<u8>]) -> Tally {
        let settings = Settings {
            launch: start,
            loader: (start == Start::LdSo).then(|| self.loader.to_vec()),
            ..self.settings.clone()
        };
        let (shared, next, whole) = (Files::default(), AtomicUsize::new(0), Mutex::new(Tally::default()));
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let mut session = Session::new(self.root, &shared, &settings);
                    let mut tally = Tally::default();
                    while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                        self.compare(&mut session, path, &mut tally);
                    }
                    whole.lock().expect("no thread panicked").add(tally);
                });
            }
        });
        whole.into_inner().expect("no thread panicked")
    }

    fn compare(&self, session: &mut Session<'_>, path: &[u8], tally: &mut Tally) {
        let start = session.settings.launch;
        let program = open_program(session, path);
        let world = World {
            program: path.to_vec(),
            launch: if start == Start::LdSo { Launch::LdSo } else { Launch::Exec },
            cwd: b"/".to_vec(),
            ..World::parse("")
        };
        let said = match &program {
            Ok(program) if !self.is_to_start(session, program) => return,
            Ok(program) => {
                let closure = close(session, program);
                tally.cached += usize::from(closure.cache == CacheState::Used);
                model::answer(&world, &closure)
            }
            // Of these it is only sure that they do not start.
            Err(NotAProgram::NotLoadable | NotAProgram::Unfit(_)) if start == Start::LdSo => {
                Answer { fatal: Some(UNFIT.to_owned()), status: 127, ..Answer::default() }
            }
            Err(NotAProgram::NotLoadable | NotAProgram::Unfit(_)) => return,
            Err(NotAProgram::Seen(seen)) => panic!("{}: {seen:?}", String::from_utf8_lossy(path)),
        };
        let mut real = self.ask(&world);
        let own_words = format!("{}: ", String::from_utf8_lossy(path));
        if said.fatal.as_deref() == Some(UNFIT)
            && real.fatal.as_ref().is_some_and(|words| words.starts_with(&own_words))
        {
            real.fatal = Some(UNFIT.to_owned());
        }
        tally.count(&real);
        if real.status == -SIGSEGV && said.lines == ["statically linked"] {
            // ld.so itself crashes on a static program at a fixed address.
            return;
        }
        if real != said {
            let name = String::from_utf8_lossy(path);
            tally.differences.push(format!("{name} ({start:?})\n-- the loader\n{real}-- the model\n{said}"));
        }
    }

    /// Is it for this loader, and can it be started without being run?
    fn is_to_start(&self, session: &mut Session<'_>, program: &Program) -> bool {
        let own = open_program(session, self.loader).expect("the loader can be read");
        let (own, facts) = (own.found.facts(), program.found.facts());
        if machine_of(own) != machine_of(facts) {
            return false;
        }
        if session.settings.launch == Start::LdSo {
            return true;
        }
        let is_dynamic = matches!(facts.kind(), Kind::Executable | Kind::Pie) && facts.has_dynamic;
        let mode = program.found.file.stat.mode;
        let names_loader = facts.interp() == Some(self.loader);
        is_dynamic && names_loader && mode & 0o111 != 0 && mode & 0o6000 == 0 && !self.has_capability(program)
    }

    /// A program that gains rights may not listen to the order to trace.
    fn has_capability(&self, program: &Program) -> bool {
        let path = program.path.strip_prefix(b"/").expect("paths of a sweep are absolute");
        let host = self.top.join(OsStr::from_bytes(path));
        rustix::fs::lgetxattr(host, "security.capability", &mut [0_u8; 64][..]).is_ok()
    }

    fn ask(&self, world: &World) -> Answer {
        let words: &[&[u8]] = match world.launch {
            Launch::LdSo => &[self.loader, &world.program],
            _ => &[&world.program],
        };
        let mut output = (self.start)(words).stdin(Stdio::null()).output().expect("the loader starts");
        output.stdout.append(&mut output.stderr);
        let mut answer = judge::parse(world, &output);
        answer.lines.retain(|line| !is_vdso(line));
        answer
    }
}

const SIGSEGV: i32 = 11;
/// Stands for the loader's words about a file that it cannot use.
const UNFIT: &str = "not a program";

fn machine_of(facts: &Facts) -> (u16, Class, u8) {
    (facts.header.machine, facts.class, facts.header.ident[5])
}

/// The kernel's own object; on aarch64 glibc prints it without a name.
fn is_vdso(line: &str) -> bool {
    line.is_empty() || line.starts_with("linux-vdso") || line.starts_with("linux-gate")
}

impl Tally {
    fn count(&mut self, real: &Answer) {
        let missing = real.lines.iter().any(|line| line.ends_with("not found"));
        self.compared += 1;
        self.missing += usize::from(missing);
        self.fatal += usize::from(real.fatal.is_some());
        self.static_ones += usize::from(real.status == -SIGSEGV || real.lines == ["statically linked"]);
        self.aside += usize::from(real.lines.iter().any(|line| line.contains(" => /opt/")));
        self.resolved += usize::from(!missing && real.lines.len() >= 2);
    }

    fn add(&mut self, other: Tally) {
        self.compared += other.compared;
        self.resolved += other.resolved;
        self.missing += other.missing;
        self.fatal += other.fatal;
        self.static_ones += other.static_ones;
        self.cached += other.cached;
        self.aside += other.aside;
        self.differences.extend(other.differences);
    }

    /// Everything agreed, and it was not for lack of files.
    pub fn assert_agreed(mut self, what: &str, at_least: usize) {
        let many = self.differences.len();
        self.differences.sort();
        let shown = self.differences.iter().take(20).map(|d| format!("\n{d}")).collect::<String>();
        assert!(many == 0, "{what}: {many} of {} differ, the first of them:\n{shown}", self.compared);
        eprintln!(
            "{what}: {} compared, no difference ({} resolved, {} with names missing, {} fatal, {} static)",
            self.compared, self.resolved, self.missing, self.fatal, self.static_ones
        );
        assert!(self.compared >= at_least, "{what}: only {} files were compared", self.compared);
        assert!(self.resolved * 4 > self.compared, "{what}: too few files resolve");
    }
}

#[test]
fn this_machine() {
    let loader = Path::new(OsStr::from_bytes(GLIBC));
    if !loader.exists() {
        return need::skip("there is no glibc of x86_64");
    }
    let full = std::env::var_os("DEPCOLLECT_FULL").is_some_and(|v| v == "1");
    let files = elf_files(Path::new("/"), &["usr"]);
    let (files, at_least) = if full { (files, 300) } else { (sample(files, 200), 20) };
    let root = DirRoot::open(Path::new("/")).expect("the machine's own root");
    let place = Place {
        root: &root,
        top: Path::new("/"),
        loader: GLIBC,
        settings: Settings {
            cwd: b"/".to_vec(),
            cpu: depcollect::cli::this_machine(),
            origin: ProgramOrigin::RealFile,
            ..Settings::default()
        },
        start: &|words| {
            let mut command = Command::new(OsStr::from_bytes(words[0]));
            command.args(words[1..].iter().map(|word| OsStr::from_bytes(word)));
            command.current_dir("/").env_clear().env("LD_TRACE_LOADED_OBJECTS", "1");
            command
        },
    };
    let [by_loader, by_kernel] = place.sweep(&files);
    by_loader.assert_agreed("this machine, through ld.so", at_least);
    by_kernel.assert_agreed("this machine, by exec", at_least / 2);
}
