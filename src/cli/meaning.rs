//! What the arguments mean, here and now: checked, with the environment captured.

#![expect(
    clippy::disallowed_methods,
    reason = "the edge where the environment and the working directory are read, and the two roots compared"
)]

use std::env;
use std::ffi::OsString;
use std::io::{IsTerminal, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Usage;
use super::args::{self, Cli, Command, Search};
use super::collecting::{self, Rules};
use super::pages;
use crate::job::{
    CollectTask, Colours, Format, Job, LEVELS, Levels, LibraryPath, ListTask, NeedsFormat, NeedsMode,
    NeedsReport, Output, Task,
};

/// Where a foreign root has its programs.
const USUAL_PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the words ask for.
#[derive(Debug)]
pub enum Meant {
    Job(Box<Job>),
    /// A text about the command line itself.
    Page(Vec<u8>),
}

/// What is to be done.
pub fn meant(cli: Cli) -> Result<Meant, Usage> {
    let (task, search, output) = match cli.command {
        Command::Man(man) => return Ok(Meant::Page(pages::manual(man.command.as_deref()))),
        Command::Completions(asked) => return Ok(Meant::Page(pages::completions(asked.shell))),
        Command::List(list) => {
            let format = format_of(&list)?;
            let files = list.files.into_iter().map(OsString::into_vec).collect();
            (Task::List(ListTask { files, format, unresolved: list.unresolved }), list.search, list.output)
        }
        Command::Why(why) => {
            let (program, library) = (why.program.into_vec(), why.library.into_vec());
            (Task::Why { program, library, all: why.all }, why.search, why.output)
        }
        Command::Collect(args) => {
            let listed = args.from.map(|from| programs_of(&from, args.null)).transpose()?;
            let task = collecting::collect(args.words, listed, args.contents, args.tree, epoch()?)?;
            for_an_archive(&task)?;
            (Task::Collect(Box::new(task)), args.search, args.output)
        }
        Command::Needs(args) => {
            (Task::Needs(needs_of(args.programs, &args.rules, args.format)), args.search, args.output)
        }
        Command::Check(args) => {
            let search = Search { root: Some(args.tree.clone()), ..Search::default() };
            (
                Task::Check(collecting::check(args.tree, args.programs, args.strict, args.format)),
                search,
                args.output,
            )
        }
    };
    let collects = matches!(task, Task::Collect(_) | Task::Needs(_));
    let is_own_root = search.root.as_deref().is_none_or(is_own);
    let levels = match levels_of(search.hwcaps)? {
        // An image is for more than the builder's processor.
        Levels::Default if collects => Levels::All,
        levels @ (Levels::Default | Levels::None | Levels::All | Levels::Named(_)) => levels,
    };
    if matches!(task, Task::Why { .. }) && levels == Levels::All {
        return Err(Usage::new("`why` tells of one processor level at a time", one_of_levels()));
    }
    let from_env = |name: &str| env::var_os(name).filter(|value| is_own_root && !value.is_empty());
    let library_path = match search.library_path {
        Some(list) => Some(LibraryPath::Typed(list.into_vec())),
        None => from_env("LD_LIBRARY_PATH").map(|list| LibraryPath::Environment(list.into_vec())),
    };
    let job = Job {
        task,
        root: search.root.unwrap_or_else(|| PathBuf::from("/")),
        is_own_root,
        cwd: working_directory()?,
        path: from_env("PATH").map_or_else(|| USUAL_PATH.to_vec(), OsString::into_vec),
        library_path,
        // An image is not started with the builder's preloads.
        preload: from_env("LD_PRELOAD").filter(|_| !collects).map(OsString::into_vec),
        bind_now: from_env("LD_BIND_NOW").is_some(),
        levels,
        conf: !search.no_conf,
        loader: search.loader.map(OsString::into_vec),
        verbose: output.verbose > 0,
        quiet: output.quiet,
        colour: colours(output.color),
        is_watched: std::io::stderr().is_terminal(),
        threads,
    };
    Ok(Meant::Job(Box::new(job)))
}

fn needs_of(programs: Vec<OsString>, rules: &Rules, format: args::NeedsFormat) -> NeedsReport {
    NeedsReport {
        programs: programs.into_iter().map(OsString::into_vec).collect(),
        needs: rules.in_mode(NeedsMode::Auto),
        format: match format {
            args::NeedsFormat::Text => NeedsFormat::Text,
            args::NeedsFormat::Tree => NeedsFormat::Tree,
            args::NeedsFormat::Json => NeedsFormat::Json,
        },
    }
}

/// Whoever reads stdout gets the archive, and nothing else.
fn for_an_archive(task: &CollectTask) -> Result<(), Usage> {
    if task.output != Output::Tar || task.dist.as_os_str() != "-" || task.dry_run {
        return Ok(());
    }
    if task.json {
        let cause = "`--output tar -` and `--format json` both write to stdout";
        return Err(Usage::new(cause, "name a file for the archive"));
    }
    if std::io::stdout().is_terminal() {
        return Err(Usage::new(
            "an archive is not written to a terminal",
            "name a file, or go on with `| tar -t`",
        ));
    }
    Ok(())
}

/// The programs of `--from`: one a line.
fn programs_of(from: &Path, nul: bool) -> Result<Vec<Vec<u8>>, Usage> {
    let read = match from.as_os_str().as_encoded_bytes() {
        b"-" => {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
        }
        _ => std::fs::read(from),
    };
    let bytes = read.map_err(|error| {
        let words = error.to_string();
        format!("cannot read `{}`: {}", from.display(), words.split(" (os error").next().unwrap_or_default())
    })?;
    let end = if nul { 0 } else { b'\n' };
    Ok(bytes.split(|&b| b == end).filter(|word| !word.is_empty()).map(<[u8]>::to_vec).collect())
}

fn epoch() -> Result<Option<i64>, Usage> {
    let Some(value) = env::var_os("SOURCE_DATE_EPOCH").filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let seconds = value.to_str().and_then(|text| text.parse::<i64>().ok()).filter(|&n| n >= 0);
    let wrong =
        || Usage::from(format!("SOURCE_DATE_EPOCH is no number of seconds: `{}`", value.to_string_lossy()));
    seconds.map(Some).ok_or_else(wrong)
}

/// One that was removed has a name still, below which nothing is found: so it is
/// for a loader that is started there.
fn working_directory() -> Result<PathBuf, String> {
    env::current_dir().or_else(|error| {
        std::fs::read_link("/proc/self/cwd")
            .map_err(|_| format!("cannot tell the working directory: {error}"))
    })
}

/// `//`, `/.` and `/proc/self/root` are `/` as well.
fn is_own(root: &Path) -> bool {
    let id = |path: &Path| path.metadata().map(|meta| (meta.dev(), meta.ino())).ok();
    id(root).is_some_and(|root| Some(root) == id(Path::new("/")))
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(MOST_THREADS))
}

/// Walking a tree does not get faster with more.
const MOST_THREADS: usize = 8;

fn format_of(list: &args::List) -> Result<Format, Usage> {
    let format = match list.format {
        Some(args::Format::Ldd) => Format::Ldd,
        Some(args::Format::Tree) => Format::Tree,
        Some(args::Format::Paths) => Format::Paths { end: if list.nul { 0 } else { b'\n' } },
        Some(args::Format::Json) => Format::Json,
        Some(args::Format::Dot) => Format::Dot,
        None if list.nul => Format::Paths { end: 0 },
        None if std::io::stdout().is_terminal() => Format::Tree,
        None => Format::Ldd,
    };
    if list.nul && !matches!(format, Format::Paths { .. }) {
        return Err("`-0` goes with `--format paths` only".to_owned().into());
    }
    Ok(format)
}

fn levels_of(typed: Option<OsString>) -> Result<Levels, Usage> {
    let Some(typed) = typed.map(OsString::into_vec) else { return Ok(Levels::Default) };
    match typed.as_slice() {
        b"all" => return Ok(Levels::All),
        b"none" | b"" => return Ok(Levels::None),
        _ => {}
    }
    let names = typed.split(|b| matches!(b, b',' | b':')).filter(|name| !name.is_empty());
    let names: Vec<Vec<u8>> = names.map(<[u8]>::to_vec).collect();
    match names.iter().find(|name| !LEVELS.iter().any(|level| level.as_bytes() == name.as_slice())) {
        Some(strange) => {
            let strange = String::from_utf8_lossy(strange);
            Err(Usage::new(format!("`--hwcaps` knows no level `{strange}`"), one_of_levels() + ", all"))
        }
        None => Ok(Levels::Named(names)),
    }
}

fn one_of_levels() -> String {
    format!("levels are {}; or none", LEVELS.join(", "))
}

fn colours(when: args::Colour) -> Colours {
    let wanted = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && env::var_os("TERM").is_none_or(|term| term != "dumb");
    match when {
        args::Colour::Always => Colours { stdout: true, stderr: true },
        args::Colour::Never => Colours { stdout: false, stderr: false },
        args::Colour::Auto => Colours {
            stdout: wanted && std::io::stdout().is_terminal(),
            stderr: wanted && std::io::stderr().is_terminal(),
        },
    }
}
