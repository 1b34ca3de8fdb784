//! Which tool lists what the loader opens, for ELF files of all of /usr that the
//! loader of this machine takes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::cases::{Places, Tool, tools};
use crate::elves::elf_files;
use crate::{race, row};

const LDSO: &str = "/lib64/ld-linux-x86-64.so.2";

/// Of the sorted files, so that the slowest of the tools end some day.
const EVERY: usize = 7;

/// Each tool, how many files it agreed about, and of how many.
pub fn agreement(places: &Places) -> String {
    let some: Vec<String> = elf_files(&["/usr"]).into_iter().step_by(EVERY).collect();
    let known: Vec<(String, BTreeSet<PathBuf>)> = in_turn(&some, |file| Some((file.clone(), loaded(file)?)));
    let all = known.len().to_string();
    let judged = |tool: &Tool| {
        let paths = tool.paths?;
        let right = in_turn(&known, |(file, real)| (listed(paths, file, places) == *real).then_some(()));
        eprintln!("{} {} of {all}", tool.id, right.len());
        Some(row(&[tool.id, &right.len().to_string(), &all]))
    };
    tools().iter().filter_map(judged).collect()
}

/// What `of` gives for each, by as many at a time as there are processors.
fn in_turn<T: Sync, U: Send>(all: &[T], of: impl Fn(&T) -> Option<U> + Sync) -> Vec<U> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Some(one) = of(one) {
                        found.lock().unwrap().push(one);
                    }
                }
            });
        }
    });
    found.into_inner().unwrap()
}

/// By the loader itself, if it finds everything.
fn loaded(file: &str) -> Option<BTreeSet<PathBuf>> {
    let output = race::quiet(LDSO).args(["--list", file]).output().unwrap();
    let text = String::from_utf8(output.stdout).ok()?;
    let is_whole = output.status.success() && !text.contains("not found") && !text.contains("statically");
    is_whole.then(|| real(text.split_whitespace(), file))
}

fn listed(paths: &str, file: &str, places: &Places) -> BTreeSet<PathBuf> {
    let mut shell = Command::new("sh");
    shell.args(["-c", paths]).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("PROGRAM", file);
    shell.env("DEPCOLLECT", &places.depcollect).env("PEERS", &places.peers);
    let output = shell.output().unwrap();
    real(String::from_utf8_lossy(&output.stdout).lines(), file)
}

/// The files behind the names, without the file itself and the loader, which not
/// all of them count.
fn real<'a>(names: impl Iterator<Item = &'a str>, file: &str) -> BTreeSet<PathBuf> {
    let own = [file, LDSO].map(|path| Path::new(path).canonicalize().unwrap());
    let names = names.filter(|name| name.starts_with('/'));
    let real = names.map(|name| Path::new(name).canonicalize().unwrap_or_else(|_| PathBuf::from(name)));
    real.filter(|path| !own.contains(path)).collect()
}
