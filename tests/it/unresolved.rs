//! Undefined symbols of the machine's own programs and libraries: ours against
//! those that the real loader names, as `ldd -r` asks it.
//!
//! Nothing is started: the loader ends behind its trace. `DEPCOLLECT_FULL=1`
//! asks about everything, not about a sample.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the machine is looked at as it is, and how much of it is said"
)]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use depcollect::cli;
use depcollect::closure::{Closure, Files, Session, Settings, Slot, close, open_program, symbols};
use depcollect::finding::Finding;
use depcollect::root::dir::DirRoot;

use crate::need;

const LDSO: &str = "/lib64/ld-linux-x86-64.so.2";
const PROGRAMS: [&str; 2] = ["/usr/bin", "/usr/sbin"];
const LIBRARIES: &str = "/usr/lib";
const SAMPLE: usize = 40;

#[test]
fn undefined_symbols_are_those_of_the_real_loader() {
    if std::fs::metadata(LDSO).is_err() {
        return need::skip("the loader of x86-64 is not installed");
    }
    let root = DirRoot::open(Path::new("/")).expect("the machine's root");
    let files = Files::default();
    let settings = Settings { bind_now: true, cpu: cli::this_machine(), ..Settings::default() };
    let mut session = Session::new(&root, &files, &settings);
    let (mut asked, mut differ, mut lines) = (0, Vec::new(), 0);
    for path in paths() {
        let Some(real) = real(&path) else { continue };
        let Some(ours) = ours(&mut session, &path, &real) else { continue };
        asked += 1;
        lines += real.len();
        if ours != real {
            differ.push(difference(&path, &real, &ours));
        }
    }
    println!("{asked} files, {lines} undefined symbols");
    assert!(asked > 10, "there is something to compare: {asked}");
    assert!(differ.is_empty(), "{}\n{} of {asked} files differ", differ.join("\n"), differ.len());
}

fn ours(session: &mut Session<'_>, path: &Path, real: &[String]) -> Option<Vec<String>> {
    let program = open_program(session, path.as_os_str().as_bytes()).ok()?;
    let mut closure: Closure = close(session, &program);
    symbols::check(session, &mut closure);
    closure.family?;
    let is_whole = !closure.order.iter().any(|slot| matches!(slot, Slot::Missing(_)));
    let found = closure.findings.iter().filter(|f| f.code == "undefined-symbol");
    let line = |f: &Finding| {
        let (message, subject) = (String::from_utf8_lossy(&f.message), String::from_utf8_lossy(&f.subject));
        // In a trace ld.so has no room for the last versions that a missing file
        // was to provide (`ndx_high` of `_dl_check_map_versions`).
        let plain = format!("{}\t({subject})", message.split(", version ").next().unwrap_or_default());
        let is_forgotten = !is_whole && real.contains(&plain);
        if is_forgotten { plain } else { format!("{message}\t({subject})") }
    };
    Some(found.map(line).collect())
}

/// What the loader says, each line once: a symbol that two relocations want is
/// missed twice. `None`: it does not take the file.
fn real(path: &Path) -> Option<Vec<String>> {
    let mut command = Command::new(LDSO);
    command.env_clear().env("LD_TRACE_LOADED_OBJECTS", "1").env("LD_WARN", "yes").env("LD_BIND_NOW", "1");
    let output = command.arg(path).output().expect("the loader");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if !output.status.success() && !text.contains("undefined symbol: ") {
        return None;
    }
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("undefined symbol: ")) {
        if !lines.iter().any(|known| known == line) {
            lines.push(line.to_owned());
        }
    }
    Some(lines)
}

fn difference(path: &Path, real: &[String], ours: &[String]) -> String {
    let lacks = |a: &[String], b: &[String], sign: &str| {
        let lines: Vec<String> = a.iter().filter(|l| !b.contains(l)).map(|l| format!("{sign} {l}")).collect();
        lines
    };
    let mut lines = lacks(real, ours, "-");
    lines.extend(lacks(ours, real, "+"));
    if lines.is_empty() {
        let at = real.iter().zip(ours).position(|(a, b)| a != b).unwrap_or(0);
        lines.push(format!("another order from {at} on: {} | {}", real[at], ours[at]));
    }
    let total = lines.len();
    lines.truncate(6);
    format!("{}: {total}\n{}", path.display(), lines.join("\n"))
}

/// ELF files to ask about: programs, then libraries.
fn paths() -> Vec<PathBuf> {
    let is_full = std::env::var_os("DEPCOLLECT_FULL").is_some_and(|v| v == "1");
    let mut programs = Vec::new();
    for dir in PROGRAMS {
        collect(Path::new(dir), &|_| true, &mut programs);
    }
    let mut libraries = Vec::new();
    let is_library = |name: &OsStr| {
        let name = name.to_string_lossy();
        name.ends_with(".so") || name.contains(".so.")
    };
    let deep = if is_full { LIBRARIES } else { "/usr/lib/x86_64-linux-gnu" };
    collect(Path::new(deep), &is_library, &mut libraries);
    let mut paths = if is_full { programs } else { spread(&programs) };
    paths.extend(if is_full { libraries } else { spread(&libraries) });
    paths
}

fn spread(all: &[PathBuf]) -> Vec<PathBuf> {
    all.iter().step_by((all.len() / SAMPLE).max(1)).cloned().collect()
}

fn collect(dir: &Path, is_asked: &dyn Fn(&OsStr) -> bool, out: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            collect(&entry.path(), is_asked, out);
        } else if kind.is_file() && is_asked(&entry.file_name()) && is_elf(&entry.path()) {
            out.push(entry.path());
        }
    }
}

fn is_elf(path: &Path) -> bool {
    use std::io::Read;
    let mut magic = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && magic == *b"\x7fELF"
}
