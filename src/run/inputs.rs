//! From words to files: PATH, foreign roots, whole directories.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;

use super::problem::{COMMAND, Problem, Where};
use super::{Scene, words};
use crate::closure::{File, Found, NotAProgram, Program, Seen, Session, open_program};
use crate::elf::Kind;
use crate::finding::{Finding, Severity};
use crate::job::Job;
use crate::path::ImagePath;
use crate::root::walk::{self, Visit};
use crate::root::{DirId, host, resolve_dir};

/// Something to be looked at.
#[derive(Debug)]
pub(super) enum Input {
    Program(Program),
    /// It was named and cannot be looked at. Exit status 2.
    Problem(Problem),
    /// It lies in a named directory, says it is ELF, and is none that can be read.
    Oddity(Problem),
}

/// What directories held.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) files_read: usize,
    /// How many of them are programs or libraries.
    pub(super) programs_read: usize,
}

impl Walked {
    /// Adds every ELF file below a directory, sorted by path.
    pub(super) fn directory(
        &mut self,
        job: &Job,
        scene: &Scene<'_>,
        session: &mut Session<'_>,
        path: &[u8],
    ) -> Vec<Input> {
        let start = match resolve_dir(scene.root, session.cwd(), path) {
            Ok((start, _)) => start,
            Err(error) => return vec![Input::Problem(Problem::new(path, "open", words(&error)))],
        };
        let gathered = gather(scene, start, (job.threads)());
        self.files_read += gathered.files_read;
        let real_start = crate::root::Root::real_path(scene.root, start);
        let mut found = gathered.found;
        found.sort_unstable_by(|a, b| a.path().cmp(b.path()));
        let mut inputs = Vec::with_capacity(found.len());
        for entry in found {
            let shown = respell(path, real_start.as_bytes(), entry.path());
            let input = entry.into_input(session, shown);
            self.programs_read += usize::from(matches!(input, Some(Input::Program(_))));
            inputs.extend(input);
        }
        inputs
    }
}

/// The one program of a command that takes no directory.
pub(super) fn program(job: &Job, session: &mut Session<'_>, word: &[u8]) -> Input {
    match named(job, session, word).0 {
        Named::Input(input) => input,
        Named::Directory(path) => Input::Problem(Problem::new(&path, "read", "it is a directory".into())),
    }
}

/// What a word of the command line came to, and what may surprise about it.
type Word = (Named, Option<Finding>);

pub(super) enum Named {
    Input(Input),
    Directory(Vec<u8>),
}

impl Named {
    fn program(program: Program) -> Named {
        Named::Input(Input::Program(program))
    }

    fn problem(problem: Problem) -> Named {
        Named::Input(Input::Problem(problem))
    }
}

/// One word of the command line. What this process could not look for is not absent.
pub(super) fn named(job: &Job, session: &mut Session<'_>, word: &[u8]) -> Word {
    match (looked_up(job, session, word), session.root.trouble()) {
        ((Named::Input(Input::Problem(_)), _), Some(cause)) => {
            (Named::problem(Problem::new(word, "open", words(&cause))), None)
        }
        (found, _) => found,
    }
}

fn looked_up(job: &Job, session: &mut Session<'_>, word: &[u8]) -> Word {
    if let Some(path) = in_path(job, session, word) {
        return (in_root(session, &path), shadowed(job, session, word, &path));
    }
    if job.is_own_root || word.starts_with(b"/") || word.is_empty() {
        return (in_root(session, word), None);
    }
    let whole = job.cwd.join(OsStr::from_bytes(word));
    match host::path_in_root(&job.root, &whole) {
        Some(path) => (in_root(session, &path), None),
        None => on_host(session, word, &whole),
    }
}

fn in_root(session: &mut Session<'_>, path: &[u8]) -> Named {
    match open_program(session, path) {
        Ok(program) => match Problem::of_file(path, &program.found.file, &Where::Root(session)) {
            Some(problem) => Named::problem(problem),
            None => Named::program(program),
        },
        Err(NotAProgram::Seen(Seen::Directory)) => Named::Directory(path.to_vec()),
        Err(no) => Named::problem(Problem::of_no_program(path, &no, &Where::Root(session))),
    }
}

/// A word without a slash: the first executable of that name in PATH.
pub(super) fn in_path(job: &Job, session: &mut Session<'_>, word: &[u8]) -> Option<Vec<u8>> {
    if word.contains(&b'/') || word.is_empty() {
        return None;
    }
    job.path.split(|&b| b == b':').filter(|dir| dir.starts_with(b"/")).find_map(|dir| {
        let dir = [dir.strip_suffix(b"/").unwrap_or(dir), b"/"].concat();
        match session.look(&dir, word) {
            Seen::File(found) if found.file.stat.mode & 0o111 != 0 => Some([&dir[..], word].concat()),
            Seen::File(_) | Seen::Error { .. } | Seen::Directory | Seen::Special(_) | Seen::Unreadable(_) => {
                None
            }
        }
    })
}

/// Something of that name stands in the working directory, and is not meant.
fn shadowed(job: &Job, session: &mut Session<'_>, word: &[u8], path: &[u8]) -> Option<Finding> {
    let here = job.cwd.join(OsStr::from_bytes(word));
    let is_other = match session.look_at_host(&here) {
        Ok(file) => {
            !matches!(session.look(b"", path), Seen::File(found) if found.file.stat.id == file.stat.id)
        }
        Err(error) => Errno::from_io_error(&error) == Some(Errno::ISDIR),
    };
    is_other.then(|| Finding {
        severity: Severity::Note,
        code: "found-in-path",
        subject: word.to_vec(),
        message: [b"taken from PATH: `", path, b"`"].concat(),
        hint: Some([b"`./", word, b"` is the one in the working directory"].concat()),
    })
}

/// A file of the host outside the root. It is taken as if it stood at the root's top.
fn on_host(session: &mut Session<'_>, word: &[u8], path: &Path) -> Word {
    let file = match session.look_at_host(path) {
        Ok(file) => file,
        Err(error) => return (Named::problem(not_on_host(word, &error)), None),
    };
    if let Some(problem) = Problem::of_file(word, &file, &Where::Host(path)) {
        return (Named::problem(problem), None);
    }
    let name = crate::path::basename(word).into();
    let found = Found { file, dir: DirId::TOP, name, links: Default::default() };
    let note = Finding {
        severity: Severity::Note,
        code: "host-file",
        subject: word.to_vec(),
        message: b"it lies outside the root, and is taken as if it stood at the root's top".to_vec(),
        hint: None,
    };
    (Named::program(Program { path: word.to_vec(), found }), Some(note))
}

/// A file of the host as if it stood at `at` in the root.
pub(super) fn placed_from_host(session: &Session<'_>, at: &ImagePath, file: Arc<File>) -> Program {
    let parent = at.parent().unwrap_or(ImagePath::top());
    let dir = resolve_dir(session.root, DirId::TOP, parent.as_bytes()).map_or(DirId::TOP, |(dir, _)| dir);
    let found = Found { file, dir, name: at.name().into(), links: Arc::default() };
    Program { path: at.as_bytes().to_vec(), found }
}

fn not_on_host(word: &[u8], error: &std::io::Error) -> Problem {
    match Errno::from_io_error(error) {
        Some(Errno::ISDIR) => {
            let hint = "a path of the root starts with a slash; of the host, name the files";
            Problem::new(word, COMMAND, "it is a directory outside the root".into()).with_hint(hint)
        }
        Some(Errno::INVAL) => Problem::new(word, "read", "it is no regular file".into()),
        Some(Errno::NOENT) if !word.contains(&b'/') => Problem::new(word, "open", words(error))
            .with_hint("it is neither in the root's usual PATH nor in the working directory"),
        _ => Problem::new(word, "open", words(error)),
    }
}

/// What one walk came upon.
#[derive(Default)]
struct Gathered {
    found: Vec<Entry>,
    files_read: usize,
}

enum Entry {
    Elf { dir: Vec<u8>, name: Vec<u8>, path: Vec<u8>, file: Arc<File> },
    Unread { path: Vec<u8>, cause: String },
}

fn gather(scene: &Scene<'_>, start: DirId, threads: usize) -> Gathered {
    let gathered: Mutex<Gathered> = Mutex::default();
    let lock = || gathered.lock().unwrap_or_else(PoisonError::into_inner);
    let read = std::sync::atomic::AtomicUsize::new(0);
    walk::walk(scene.root, start, threads, &walk::except_kernel_trees, &|visit| match visit {
        Visit::File(found) => {
            read.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if found.head.starts_with(b"\x7fELF") {
                let (dir, name, path) = (found.dir(), found.name.to_vec(), found.path());
                let path = path.as_bytes().to_vec();
                let entry = match found.open().and_then(|open| scene.files.look(&open)) {
                    Ok(file) => Entry::Elf { dir: dir.as_bytes().to_vec(), name, path, file },
                    Err(error) => Entry::Unread { path, cause: words(&error) },
                };
                lock().found.push(entry);
            }
        }
        Visit::Unread { path, error } => {
            lock().found.push(Entry::Unread { path: path.as_bytes().to_vec(), cause: words(&error) });
        }
    });
    let mut gathered = gathered.into_inner().unwrap_or_else(PoisonError::into_inner);
    gathered.files_read = read.into_inner();
    gathered
}

impl Entry {
    fn path(&self) -> &[u8] {
        match self {
            Entry::Elf { path, .. } | Entry::Unread { path, .. } => path,
        }
    }

    /// Object files and cores are not loaded by anybody: they are passed over.
    fn into_input(self, session: &mut Session<'_>, shown: Vec<u8>) -> Option<Input> {
        match self {
            Entry::Unread { cause, .. } => Some(Input::Problem(Problem::new(&shown, "read", cause))),
            Entry::Elf { dir, name, file, .. } => match &file.elf {
                Ok(facts) if facts.kind() == Kind::Other || facts.is_debug_file() => None,
                Ok(_) => match session.adopt(&dir, &name, file) {
                    Ok(found) => Some(Input::Program(Program { path: shown, found })),
                    Err(errno) if errno == Errno::NOENT.raw_os_error() => None,
                    Err(errno) => {
                        let cause = words(&std::io::Error::from_raw_os_error(errno));
                        Some(Input::Problem(Problem::new(&shown, "open", cause)))
                    }
                },
                Err(_) => Problem::of_file(&shown, &file, &Where::Root(session)).map(Input::Oddity),
            },
        }
    }
}

/// A path below a directory, spelled as the directory was.
fn respell(typed: &[u8], real_start: &[u8], path: &[u8]) -> Vec<u8> {
    let below = path.strip_prefix(real_start).unwrap_or(path);
    let below = below.strip_prefix(b"/").unwrap_or(below);
    let typed = if typed.len() > 1 { typed.strip_suffix(b"/").unwrap_or(typed) } else { typed };
    let slash: &[u8] = if typed.ends_with(b"/") { b"" } else { b"/" };
    [typed, slash, below].concat()
}

/// The working directory as a path of the root: in a foreign one, its top.
pub(super) fn cwd_in_root(job: &Job) -> Vec<u8> {
    if job.is_own_root { job.cwd.as_os_str().as_bytes().to_vec() } else { b"/".to_vec() }
}
