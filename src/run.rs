//! The story of a run, told top-down: what is to be looked at, what each start
//! of it loads, how that is shown.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::os::unix::ffi::OsStrExt;

use crate::cli;
use crate::closure::{Files, Session, Settings};
use crate::finding::Exit;
use crate::job::{Job, LEVELS, Levels, LibraryPath, Task};
use crate::loader::Launch;
use crate::report;
use crate::root::dir::DirRoot;
use crate::root::{DirId, Opened, host, resolve, resolve_dir};

mod check;
mod collect;
mod failure;
mod inputs;
mod list;
mod needs;
mod problem;
mod remarks;
mod render;
mod why;

pub use failure::Failure;

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
    let (root, loader) = match open(job) {
        Ok(opened) => opened,
        Err(failure) => return unanswered(job, failure, out),
    };
    // The end of the process closes and frees it all, and is quicker at it.
    let (root, files) = (ManuallyDrop::new(root), ManuallyDrop::new(Files::default()));
    let settings = settings(job, loader);
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

/// The root, and what `--loader` names in it.
fn open(job: &Job) -> Result<(DirRoot, Option<Vec<u8>>), Failure> {
    let root = DirRoot::open(&job.root).map_err(|cause| {
        let path = job.root.as_os_str().as_bytes();
        Failure::Open { path: path.to_vec(), cause: words(&cause), hint: None }
    })?;
    let loader = loader_in_root(job, &root)?;
    Ok((root, loader))
}

/// A script that asked for JSON gets JSON, whatever became of it.
fn unanswered(job: &Job, failure: Failure, out: &mut dyn Write) -> Result<Exit, Failure> {
    if let Some(command) = job.task.json_of() {
        let text = report::failure_json(command, &failure.findings(), failure.status());
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Output)?;
    }
    Err(failure)
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

/// The system's own words, without Rust's number behind them.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
