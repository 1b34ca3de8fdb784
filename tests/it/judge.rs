//! The judges: whoever can say what a program of a world loads. The first one
//! is the machine's own loader, started inside the world's directory.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::place::Store;
use crate::world::{Launch, World};

/// What a loader did. Its `Display` is what rows expect.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// In the loader's order: `NAME => PATH`, `NAME => not found` or `PATH`
    /// (where name and path are the same, or for [`Launch::Run`]); musl's
    /// failures as `NAME => not found: WHY (needed by OBJECT)`.
    pub lines: Vec<String>,
    /// Preloads and auditors that could not be loaded, which did no harm:
    /// `NAME: WHY`.
    pub ignored: Vec<String>,
    /// What the loader says of versions and symbols.
    pub said: Vec<String>,
    /// Why the program did not start.
    pub fatal: Option<String>,
    pub status: i32,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        self.ignored.iter().try_for_each(|line| writeln!(f, "ignored: {line}"))?;
        self.said.iter().try_for_each(|line| writeln!(f, "said: {line}"))?;
        if let Some(fatal) = &self.fatal {
            writeln!(f, "fatal: {fatal}")?;
        }
        if self.status != 0 {
            writeln!(f, "exit {}", self.status)?;
        }
        Ok(())
    }
}

/// Somebody who answers for a world. The model becomes one more of these:
/// `Judge { name: "the model", answer: model }` in [`crate::rows::judges`].
#[derive(Debug, Clone, Copy)]
pub struct Judge {
    pub name: &'static str,
    /// Whether this judge can answer for rows that only concern the model.
    pub answers_for_all: bool,
    pub answer: fn(&World) -> Answer,
}

/// The machine's own loaders.
pub const REAL: Judge = Judge { name: "the real loader", answers_for_all: false, answer: real };

/// The directory in which trees are made, with what is needed to ask loaders.
#[derive(Debug)]
pub struct Bench {
    helper: PathBuf,
    dir: tempfile::TempDir,
    store: Store,
}

/// What this machine cannot do, if anything.
pub fn bench() -> Result<&'static Bench, &'static str> {
    static BENCH: OnceLock<Result<Bench, String>> = OnceLock::new();
    BENCH.get_or_init(Bench::new).as_ref().map_err(String::as_str)
}

/// Whether the real loader of a world is on this machine.
pub fn has_loader(musl: bool) -> bool {
    fs::metadata(OsStr::from_bytes(World::default_interp(musl))).is_ok()
}

impl Bench {
    fn new() -> Result<Bench, String> {
        let place = memory_dir().unwrap_or_else(std::env::temp_dir);
        clear_up(&place);
        let prefix = format!("{PREFIX}{}-", std::process::id());
        let dir = tempfile::Builder::new().prefix(&prefix).tempdir_in(place).map_err(|e| e.to_string())?;
        let helper = dir.path().join("judge_helper");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/judge_helper.c");
        let compiler = Command::new("cc").args(["-static", "-O1", "-o"]).arg(&helper).arg(source).output();
        if !compiler.is_ok_and(|o| o.status.success()) {
            return Err("there is no C compiler with a static libc".to_owned());
        }
        let bench = Bench { helper, store: Store::new(&dir.path().join("loaders")), dir };
        let trial = bench.ask(&World::parse("/t/m: PROG\nlaunch run"));
        if trial.status == 0 { Ok(bench) } else { Err(format!("a chroot does not work here: {trial}")) }
    }

    /// Writes the world, asks, removes it.
    fn ask(&self, world: &World) -> Answer {
        let tree = tempfile::Builder::new().prefix("tree").tempdir_in(self.dir.path()).expect("a directory");
        fs::set_permissions(tree.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("a mode");
        world.write_to(tree.path(), &self.store);
        loop {
            let output = self.command(world, tree.path()).output().expect("the helper");
            let answer = parse(world, &output);
            // Another thread's child still holds the program open for writing,
            // between its fork and its exec.
            if answer.fatal.as_deref() != Some("Text file busy") {
                return answer;
            }
        }
    }

    /// What comes next, the program and all its arguments from the name on, is
    /// started as root of this directory.
    pub fn within(&self, top: &Path) -> Command {
        let mut command = Command::new(&self.helper);
        command.env_clear().arg(top).args(["/", "0"]);
        command
    }

    fn command(&self, world: &World, tree: &Path) -> Command {
        let mut command = Command::new(&self.helper);
        command.env_clear();
        let os = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
        command.arg(tree).arg(os(&world.cwd)).arg(world.uid.to_string());
        let loader = world.default_loader();
        match world.launch {
            Launch::Exec | Launch::Run => {
                command.arg(os(&world.program)).arg(os(world.arg0.as_ref().unwrap_or(&world.program)));
                command.args(world.options.iter().map(|o| os(o)));
            }
            Launch::LdSo | Launch::List => {
                command.arg(os(loader)).arg(os(world.arg0.as_deref().unwrap_or(loader)));
                if world.launch == Launch::List {
                    command.arg("--list");
                }
                command.args(world.options.iter().map(|o| os(o))).arg(os(&world.program));
            }
        }
        command.envs(world.env.iter().map(|(k, v)| (os(k), os(v))));
        if !world.musl && matches!(world.launch, Launch::Exec | Launch::LdSo) {
            command.env("LD_TRACE_LOADED_OBJECTS", "1");
        }
        command
    }
}

const PREFIX: &str = "depcollect-";

/// Nothing drops a bench, as it lives to the end: what runs that are over have
/// left is removed by the next one. A name says whose it is.
fn clear_up(place: &Path) {
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-')).map(|(pid, _)| pid);
        if pid.is_some_and(|pid| pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists()) {
            // Another run may be at it too.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// `/dev/shm`, if programs may be started there, also setuid: thousands of
/// small trees are no work for a journal.
pub fn memory_dir() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let options = mounts.lines().find_map(|l| l.strip_prefix("tmpfs /dev/shm tmpfs ")?.split(' ').next())?;
    let is_fit = !options.split(',').any(|o| matches!(o, "noexec" | "nosuid" | "ro"));
    is_fit.then(|| PathBuf::from("/dev/shm"))
}

fn real(world: &World) -> Answer {
    bench().expect("asked for only where it works").ask(world)
}

/// What a loader that was asked to trace said, on both streams.
pub fn parse(world: &World, output: &Output) -> Answer {
    let mut answer = Answer {
        status: output.status.code().unwrap_or_else(|| -output.status.signal().unwrap_or(0)),
        ..Answer::default()
    };
    let text = String::from_utf8_lossy(&output.stdout);
    for line in text.lines() {
        read_line(world, line, &mut answer);
    }
    if world.launch == Launch::Run && !answer.lines.is_empty() && answer.fatal.is_none() && !world.musl {
        // The vDSO is the only name without a slash that the loader adds itself.
        answer.lines.retain(|l| !l.starts_with("linux-vdso"));
    }
    answer
}

fn read_line(world: &World, line: &str, answer: &mut Answer) {
    let after = |mark: &str| line.split_once(mark).map(|(_, rest)| rest.to_owned());
    if let Some(text) = after("error while loading shared libraries: ") {
        answer.fatal = Some(text);
    } else if let Some(text) = after("symbol lookup error: ").or_else(|| after("exec: ")) {
        answer.fatal = Some(text);
    } else if let Some(text) = after("Inconsistency detected by ld.so: ") {
        answer.fatal = Some(text);
    } else if let Some(rest) = line.strip_prefix("ERROR: ld.so: object '") {
        answer.ignored.push(ignored(rest));
    } else if let Some(rest) = line.strip_prefix("Error loading shared library ") {
        let (name, why) = rest.split_once(": ").unwrap_or((rest, ""));
        answer.lines.push(format!("{name} => not found: {why}"));
    } else if let Some(rest) = line.strip_prefix("Error relocating ") {
        answer.fatal = Some(rest.to_owned());
    } else if line.ends_with("CPU ISA level is lower than required") {
        answer.fatal = Some(line.to_owned());
    } else if line.starts_with("undefined symbol: ") || line.contains(" (required by ") {
        answer.said.push(line.replace('\t', " "));
    } else if let Some(rest) = line.strip_prefix('\t') {
        let shown = without_address(rest);
        if shown != "linux-vdso.so.1" {
            answer.lines.push(shown.to_owned());
        }
    } else if !(line.is_empty() || world.musl && world.is_program_name(line)) {
        answer.lines.push(line.to_owned());
    }
}

/// `libx.so' from LD_PRELOAD cannot be preloaded (WHY): ignored.`
fn ignored(text: &str) -> String {
    let (name, rest) = text.split_once('\'').unwrap_or((text, ""));
    let of_audit = rest.strip_prefix(" cannot be loaded as audit interface: ");
    let why = of_audit.unwrap_or_else(|| rest.split_once('(').map_or(rest, |(_, r)| r));
    let why = why.strip_suffix("; ignored.").or(why.strip_suffix("): ignored.")).unwrap_or(why);
    format!("{name}: {why}")
}

fn without_address(line: &str) -> &str {
    match line.rfind(" (0x").or_else(|| line.rfind(" (0)")) {
        Some(at) if line.ends_with(')') => &line[..at],
        _ => line,
    }
}

#[test]
fn what_a_run_has_left_the_next_one_removes() {
    let place = tempfile::tempdir().expect("a directory");
    let mut over = Command::new("true").spawn().expect("a process");
    over.wait().expect("it ends");
    let here = std::process::id();
    let names =
        [format!("depcollect-{}-a", over.id()), format!("depcollect-{here}-b"), "depcollect-c".to_owned()];
    for name in &names {
        fs::create_dir_all(place.path().join(name).join("tree")).expect("a directory");
    }
    clear_up(place.path());
    assert_eq!(names.map(|name| place.path().join(name).exists()), [false, true, true]);
}
