//! The story of a run, told top-down: what is to be looked at, what each start
//! of it loads, how that is shown.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::os::unix::ffi::OsStrExt;

use crate::cli;
use crate::closure::{Files, Session, Settings};
use crate::finding::Exit;
use crate::job::{Job, LEVELS, Levels, LibraryPath, Task};
use crate::loader::Launch;
use crate::output;
use crate::report;
use crate::root::dir::DirRoot;
use crate::root::{DirId, Opened, host, resolve, resolve_dir};

mod check;
mod collect;
mod inputs;
mod list;
mod needs;
mod problem;
mod remarks;
mod render;
mod why;

/// Why a run could not be carried out at all.
#[derive(Debug)]
pub enum Failure {
    Usage(cli::Usage),
    /// The root or the loader that an option names.
    Open {
        path: Vec<u8>,
        cause: String,
        hint: Option<&'static str>,
    },
    /// Output could not be written.
    Output(io::Error),
    /// The tree could not be written.
    Write(output::Failure),
}

/// Fewer inputs are done before a thread has started.
const MANY: usize = 256;

/// The two streams of a run. What was asked for goes to `out`, what there is to
/// say about it to `err`.
struct Streams<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
}

/// Does what the job says.
pub fn run(job: &Job, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit, Failure> {
    let root = DirRoot::open(&job.root).map_err(|cause| {
        let path = job.root.as_os_str().as_bytes();
        Failure::Open { path: path.to_vec(), cause: words(&cause), hint: None }
    })?;
    // The end of the process closes and frees it all, and is quicker at it.
    let (root, files) = (ManuallyDrop::new(root), ManuallyDrop::new(Files::default()));
    let settings = settings(job, loader_in_root(job, &root)?);
    let mut streams = Streams { out, err };
    // From here on nothing asks the environment, and nothing in the root changes
    // what is to be done.
    match &job.task {
        Task::List(list) => {
            list::list(job, list, &Scene { root: &root, files: &files, settings: &settings }, &mut streams)
        }
        Task::Why { program, library, all } => {
            let mut session = Session::new(&*root, &files, &settings[0].1);
            why::why(job, &mut session, program, library, *all, &mut streams)
        }
        Task::Collect(task) => {
            let scene = Scene { root: &root, files: &files, settings: &settings };
            collect::collect(job, task, &scene, &mut streams)
        }
        Task::Needs(task) => {
            let scene = Scene { root: &root, files: &files, settings: &settings };
            needs::needs(job, task, &scene, &mut streams)
        }
        Task::Check(task) => check::check(job, task, &*root, &mut streams),
    }
}

/// What all parts of a run share, and none of them changes.
#[derive(Clone, Copy)]
struct Scene<'a> {
    root: &'a DirRoot,
    files: &'a Files,
    /// One for each processor level that is asked for, by name.
    settings: &'a [(Option<&'static str>, Settings)],
}

/// What `--loader` names, as a path of the root.
fn loader_in_root(job: &Job, root: &DirRoot) -> Result<Option<Vec<u8>>, Failure> {
    let Some(typed) = &job.loader else { return Ok(None) };
    let refuse = |cause: String| {
        let hint = Some("--loader takes a loader of the root");
        Err(Failure::Open { path: typed.clone(), cause, hint })
    };
    let path = match job.is_own_root || typed.starts_with(b"/") {
        true => Some(typed.clone()),
        false => host::path_in_root(&job.root, &job.cwd.join(OsStr::from_bytes(typed))),
    };
    let Some(path) = path else { return refuse("it lies outside the root".into()) };
    let cwd = resolve_dir(root, DirId::TOP, &inputs::cwd_in_root(job)).map_or(DirId::TOP, |(dir, _)| dir);
    match resolve(root, cwd, &path).map(|end| end.opened) {
        Ok(Opened::File(_)) => Ok(Some(path)),
        Ok(Opened::Dir(_)) => refuse("it is a directory".into()),
        Ok(Opened::Special(what)) => refuse(format!("it is a {what}")),
        Ok(Opened::Link(_)) => refuse("it is a link".into()),
        Err(error) => refuse(words(&error)),
    }
}

fn settings(job: &Job, loader: Option<Vec<u8>>) -> Vec<(Option<&'static str>, Settings)> {
    let base = Settings {
        launch: Launch::Exec,
        library_path: job.library_path.as_ref().map(|list| list.list().to_vec()),
        library_path_from_environment: matches!(job.library_path, Some(LibraryPath::Environment(_))),
        preload: job.preload.clone(),
        bind_now: job.bind_now,
        cwd: inputs::cwd_in_root(job),
        // Asked only if an answer depends on it: a virtual machine traps each question.
        processor: job.is_own_root.then_some(cli::this_machine),
        levels: None,
        conf: job.conf,
        no_cache: false,
        no_preload_file: matches!(job.task, Task::Collect(_) | Task::Needs(_)),
        loader,
        ..Settings::default()
    };
    let with = |levels: Vec<Vec<u8>>| Settings { levels: Some(levels), ..base.clone() };
    match &job.levels {
        Levels::Default => vec![(None, base)],
        Levels::None => vec![(None, with(Vec::new()))],
        Levels::Named(names) => vec![(None, with(names.clone()))],
        Levels::All => {
            let named = LEVELS.iter().map(|level| (Some(*level), with(vec![level.as_bytes().to_vec()])));
            let baseline = Settings { watch_levels: true, ..with(Vec::new()) };
            std::iter::once((None, baseline)).chain(named).collect()
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(usage) => f.write_str(&shown(usage.cause.as_bytes())),
            Failure::Open { path, cause, .. } => write!(f, "cannot open `{}`: {cause}", shown(path)),
            Failure::Write(failure) => failure.fmt(f),
            Failure::Output(cause) => write!(f, "cannot write the answer: {}", words(cause)),
        }
    }
}

impl Failure {
    /// What the process ends with: as a shell tells of a signal, or 2.
    pub fn status(&self) -> u8 {
        match self {
            Failure::Write(output::Failure::Interrupted(signal)) => u8::try_from(128 + signal).unwrap_or(2),
            Failure::Usage(_) | Failure::Open { .. } | Failure::Output(_) | Failure::Write(_) => 2,
        }
    }

    /// The cure, where it is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Failure::Usage(usage) => usage.hint.as_ref().map(|hint| shown(hint.as_bytes())),
            Failure::Open { hint, .. } => hint.map(str::to_owned),
            Failure::Write(failure) => failure.hint().map(str::to_owned),
            Failure::Output(_) => None,
        }
    }
}

/// Typed words may hold anything.
fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    report::escape(&mut text, bytes);
    text
}

/// The system's own words, without Rust's number behind them.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
