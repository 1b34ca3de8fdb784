//! The command line: what was typed, what came of it, as an exit status.

use std::io::Write;
use std::process::ExitCode;

use depcollect::cli::{self, Meant, Usage};
use depcollect::finding::Exit;
use depcollect::run::{self, Failure};

fn main() -> ExitCode {
    let cli = cli::parse();
    let mut stdout = std::io::stdout().lock();
    // Not locked: a worker that panics has to be able to say so.
    let mut stderr = std::io::stderr();
    let meant = match cli {
        Ok(cli) => cli::meant(cli).map_err(Failure::Usage),
        Err(error) => match Usage::of(&error) {
            Some(usage) => Err(Failure::Usage(usage)),
            None => return help(&error),
        },
    };
    let done = meant.and_then(|meant| match meant {
        Meant::Job(job) => run::run(&job, &mut stdout, &mut stderr),
        Meant::Page(page) => {
            let written = stdout.write_all(&page).and_then(|()| stdout.flush());
            written.map(|()| Exit::Fine).map_err(Failure::Output)
        }
    });
    match done {
        Ok(exit) => ExitCode::from(exit.status()),
        // Whoever read us has what he wanted.
        Err(Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            // If stderr is closed there is nobody to tell.
            for line in failure.to_string().lines() {
                let _ = writeln!(stderr, "depcollect: error: {line}");
            }
            if let Some(hint) = failure.hint() {
                let _ = writeln!(stderr, "hint: {hint}");
            }
            ExitCode::from(failure.status())
        }
    }
}

/// The help or the version; to stderr if it was not asked for.
fn help(text: &clap::Error) -> ExitCode {
    match text.print() {
        Ok(()) if !text.use_stderr() => ExitCode::SUCCESS,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Ok(()) | Err(_) => ExitCode::from(2),
    }
}
