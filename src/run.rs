//! The story of a run, told top-down: what is to be looked at, what each start
//! of it loads, how that is shown.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::cli;
use crate::closure::{Files, Session, Settings};
use crate::finding::Exit;
use crate::job::{Job, Levels, LibraryPath, Task};
use crate::loader::Launch;
use crate::output;
use crate::root::dir::DirRoot;

mod check;
mod collect;
mod inputs;
mod list;
mod render;
mod why;

/// Why a run could not be carried out at all.
#[derive(Debug)]
pub enum Failure {
    Usage(String),
    Root {
        path: PathBuf,
        cause: io::Error,
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
    let root = DirRoot::open(&job.root).map_err(|cause| Failure::Root { path: job.root.clone(), cause })?;
    let files = Files::default();
    let settings = settings(job);
    let mut streams = Streams { out, err };
    // From here on nothing asks the environment, and nothing in the root changes
    // what is to be done.
    match &job.task {
        Task::List(list) => {
            list::list(job, list, &Scene { root: &root, files: &files, settings: &settings }, &mut streams)
        }
        Task::Why { program, library, all } => {
            let mut session = Session::new(&root, &files, &settings[0].1);
            why::why(job, &mut session, program, library, *all, &mut streams)
        }
        Task::Collect(task) => {
            let scene = Scene { root: &root, files: &files, settings: &settings };
            collect::collect(job, task, &scene, &mut streams)
        }
        Task::Check(task) => check::check(job, task, &mut streams),
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

fn settings(job: &Job) -> Vec<(Option<&'static str>, Settings)> {
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
        no_preload_file: matches!(job.task, Task::Collect(_)),
        loader: job.loader.clone(),
        ..Settings::default()
    };
    let with = |levels: Vec<Vec<u8>>| Settings { levels: Some(levels), ..base.clone() };
    match &job.levels {
        Levels::Default => vec![(None, base)],
        Levels::None => vec![(None, with(Vec::new()))],
        Levels::Named(names) => vec![(None, with(names.clone()))],
        Levels::All => {
            let named = ALL_LEVELS.iter().map(|level| (Some(*level), with(vec![level.as_bytes().to_vec()])));
            std::iter::once((None, with(Vec::new()))).chain(named).collect()
        }
    }
}

/// Every level of every machine; a loader knows those of its own.
const ALL_LEVELS: [&str; 10] =
    ["x86-64-v2", "x86-64-v3", "x86-64-v4", "power9", "power10", "z13", "z14", "z15", "z16", "z17"];

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(text) => f.write_str(text),
            Failure::Root { path, cause } => write!(f, "cannot open `{}`: {}", path.display(), words(cause)),
            Failure::Write(failure) => {
                failure.fmt(f)?;
                failure.hint().map_or(Ok(()), |hint| write!(f, "\nhint: {hint}"))
            }
            Failure::Output(cause) => write!(f, "cannot write the answer: {}", words(cause)),
        }
    }
}

/// The system's own words, without Rust's number behind them.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
