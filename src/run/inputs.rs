//! From words to files: PATH, foreign roots, whole directories.

use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Scene, words};
use crate::closure::{File, Found, NotAProgram, Program, Seen, Session, open_program};
use crate::elf::{Kind, Unfit};
use crate::job::Job;
use crate::path::ImagePath;
use crate::root::walk::{self, Visit};
use crate::root::{DirId, resolve_dir};

/// Something to be looked at.
#[derive(Debug)]
pub(super) enum Input {
    Program(Program),
    /// It was named and cannot be looked at. Exit status 2.
    Problem(Problem),
    /// It lies in a named directory, says it is ELF, and is none that can be read.
    Oddity(Problem),
}

#[derive(Debug)]
pub(super) struct Problem {
    pub(super) path: Vec<u8>,
    pub(super) verb: &'static str,
    pub(super) cause: String,
    pub(super) hint: Option<String>,
}

/// All inputs, in the order in which they are shown.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    pub(super) list: Vec<Input>,
    /// Files read below directories.
    pub(super) files_read: usize,
    /// A directory was named.
    pub(super) walked: bool,
}

impl Inputs {
    pub(super) fn of(job: &Job, scene: &Scene<'_>, session: &mut Session<'_>, files: &[Vec<u8>]) -> Inputs {
        let mut inputs = Inputs::default();
        for named in all_named(job, scene, session, files) {
            match named {
                Named::Program(program) => inputs.list.push(Input::Program(program)),
                Named::Problem(problem) => inputs.list.push(Input::Problem(problem)),
                Named::Directory(path) => inputs.walk(job, scene, session, &path),
            }
        }
        inputs
    }

    /// Every ELF file below a directory, sorted by path.
    fn walk(&mut self, job: &Job, scene: &Scene<'_>, session: &mut Session<'_>, path: &[u8]) {
        self.walked = true;
        let start = match resolve_dir(scene.root, session.cwd(), path) {
            Ok((start, _)) => start,
            Err(error) => return self.list.push(Input::Problem(Problem::new(path, "open", words(&error)))),
        };
        let gathered = gather(scene, start, (job.threads)());
        self.files_read += gathered.files_read;
        let real_start = crate::root::Root::real_path(scene.root, start);
        let mut found = gathered.found;
        found.sort_unstable_by(|a, b| a.path().cmp(b.path()));
        for entry in found {
            let shown = respell(path, real_start.as_bytes(), entry.path());
            self.list.extend(entry.into_input(session, shown));
        }
    }
}

/// The one program of a command that takes no directory.
pub(super) fn program(job: &Job, session: &mut Session<'_>, word: &[u8]) -> Input {
    match named(job, session, word) {
        Named::Program(program) => Input::Program(program),
        Named::Problem(problem) => Input::Problem(problem),
        Named::Directory(path) => Input::Problem(Problem::new(&path, "read", "it is a directory".into())),
    }
}

enum Named {
    Program(Program),
    Directory(Vec<u8>),
    Problem(Problem),
}

/// All words of the command line, in their order. Many are looked at by all
/// processors: most of that time is spent in the kernel, opening files.
fn all_named(job: &Job, scene: &Scene<'_>, session: &mut Session<'_>, words: &[Vec<u8>]) -> Vec<Named> {
    let threads = if words.len() < super::MANY { 1 } else { (job.threads)() };
    if threads < 2 {
        return words.iter().map(|word| named(job, session, word)).collect();
    }
    let part = |words: &[Vec<u8>]| {
        let mut session = Session::new(scene.root, scene.files, &scene.settings[0].1);
        words.iter().map(|word| named(job, &mut session, word)).collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let parts = words.chunks(words.len().div_ceil(threads));
        let workers: Vec<_> = parts.map(|words| scope.spawn(move || part(words))).collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, Vec<Named>>| match worker.join() {
            Ok(named) => named,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        workers.into_iter().flat_map(join).collect()
    })
}

/// One word of the command line.
fn named(job: &Job, session: &mut Session<'_>, word: &[u8]) -> Named {
    if !job.is_own_root && !word.starts_with(b"/") && word.contains(&b'/') {
        return from_host(job, session, word);
    }
    let path = in_path(job, session, word).unwrap_or_else(|| word.to_vec());
    match open_program(session, &path) {
        Ok(program) if program.found.facts().is_debug_file() => {
            let cause = "it is a debug file: there is nothing to load in it";
            Named::Problem(Problem::new(&path, "list", cause.into()))
        }
        Ok(program) => Named::Program(program),
        Err(NotAProgram::Seen(Seen::Directory)) => Named::Directory(path),
        Err(no) => Named::Problem(problem_of(session, &path, &no)),
    }
}

/// A word without a slash: the first executable of that name in PATH.
pub(super) fn in_path(job: &Job, session: &mut Session<'_>, word: &[u8]) -> Option<Vec<u8>> {
    if word.contains(&b'/') {
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

/// A relative path, with a foreign root: a file of the host. One that lies below
/// the root is meant there; any other is taken as if it stood at the root's top.
fn from_host(job: &Job, session: &mut Session<'_>, word: &[u8]) -> Named {
    let whole = job.cwd.join(std::ffi::OsStr::from_bytes(word));
    let root = job.cwd.join(&job.root);
    if let Ok(inside) = whole.strip_prefix(&root) {
        let path = [b"/", inside.as_os_str().as_bytes()].concat();
        return named(job, session, &path);
    }
    match session.look_at_host(&whole) {
        Ok(file) => match &file.elf {
            Ok(facts) if facts.kind() != Kind::Other => Named::Program(Program {
                path: word.to_vec(),
                found: Found {
                    file,
                    dir: DirId::TOP,
                    name: crate::path::basename(word).into(),
                    links: Default::default(),
                },
            }),
            Ok(_) => Named::Problem(problem_of(session, word, &NotAProgram::NotLoadable)),
            Err(unfit) => Named::Problem(problem_of(session, word, &NotAProgram::Unfit(unfit.clone()))),
        },
        Err(error) => Named::Problem(Problem::new(word, "open", words(&error))),
    }
}

/// A file of the host as if it stood at `at` in the root.
pub(super) fn placed_from_host(session: &Session<'_>, at: &ImagePath, file: Arc<File>) -> Program {
    let parent = at.parent().unwrap_or(ImagePath::top());
    let dir = resolve_dir(session.root, DirId::TOP, parent.as_bytes()).map_or(DirId::TOP, |(dir, _)| dir);
    let found = Found { file, dir, name: at.name().into(), links: Arc::default() };
    Program { path: at.as_bytes().to_vec(), found }
}

pub(super) fn problem_of(session: &mut Session<'_>, path: &[u8], no: &NotAProgram) -> Problem {
    match no {
        NotAProgram::Seen(Seen::Error { errno, .. }) => {
            Problem::new(path, "open", words(&std::io::Error::from_raw_os_error(*errno)))
        }
        NotAProgram::Seen(Seen::Unreadable(error)) => Problem::new(path, "read", words(error)),
        NotAProgram::Seen(Seen::Special(what)) => Problem::new(path, "read", format!("it is a {what}")),
        NotAProgram::Seen(Seen::Directory | Seen::File(_)) => {
            Problem::new(path, "read", "it is a directory".into())
        }
        NotAProgram::NotLoadable => {
            Problem::new(path, "list", "an object or core file is not loaded by a loader".into())
        }
        NotAProgram::Unfit(unfit) => of_unfit(session, path, unfit),
    }
}

fn of_unfit(session: &mut Session<'_>, path: &[u8], unfit: &Unfit) -> Problem {
    let cause = match unfit {
        Unfit::TooShort { .. } | Unfit::NotElf { .. } if session.script_interpreter(path).is_some() => {
            return of_script(session, path);
        }
        Unfit::TooShort { len: 0 } => "it is empty".into(),
        Unfit::TooShort { len } => format!("{len} bytes are no ELF file"),
        Unfit::NotElf { first } => format!("it is {}", foreign_format(*first)),
        Unfit::BadIdent(_) => "its ELF header has a class or byte order of no meaning".into(),
        Unfit::Damaged { what, .. } => format!("it is damaged or cut short: {what}"),
    };
    Problem::new(path, "list", cause)
}

fn of_script(session: &mut Session<'_>, path: &[u8]) -> Problem {
    let mut hint = String::from("its interpreter is `");
    crate::report::escape(&mut hint, &session.script_interpreter(path).unwrap_or_default());
    hint.push_str("`; list that");
    Problem { hint: Some(hint), ..Problem::new(path, "list", "it is a script".into()) }
}

/// Formats that people hand to such a tool by mistake.
fn foreign_format(first: [u8; 4]) -> &'static str {
    match first {
        [b'M', b'Z', ..] => "a PE file, of Windows or UEFI",
        [0xfe, 0xed, 0xfa, 0xce | 0xcf] | [0xce | 0xcf, 0xfa, 0xed, 0xfe] => "a Mach-O file, of macOS",
        [0xca, 0xfe, 0xba, 0xbe] => "a Java class or a universal Mach-O file",
        [b'!', b'<', b'a', b'r'] => "an archive of object files",
        [0, b'a', b's', b'm'] => "a WebAssembly module",
        _ => "no ELF file",
    }
}

impl Problem {
    pub(super) fn new(path: &[u8], verb: &'static str, cause: String) -> Problem {
        Problem { path: path.to_vec(), verb, cause, hint: None }
    }
}

/// What one walk came upon.
#[derive(Default)]
struct Gathered {
    found: Vec<Entry>,
    files_read: usize,
}

enum Entry {
    Elf { dir: Vec<u8>, name: Vec<u8>, path: Vec<u8>, file: std::sync::Arc<crate::closure::File> },
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
                Ok(_) => {
                    let found = session.adopt(&dir, &name, file)?;
                    Some(Input::Program(Program { path: shown, found }))
                }
                Err(unfit) => Some(Input::Oddity(of_unfit(session, &shown, unfit))),
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
