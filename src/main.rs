//! The command line: what was typed, what came of it, as an exit status.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use depcollect::cli::{self, Cli};
use depcollect::run::{self, Failure};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut stdout = std::io::stdout().lock();
    // Not locked: a worker that panics has to be able to say so.
    let mut stderr = std::io::stderr();
    let job = cli::job(cli).map_err(Failure::Usage);
    match job.and_then(|job| run::run(&job, &mut stdout, &mut stderr)) {
        Ok(exit) => ExitCode::from(exit.status()),
        // Whoever read us has what he wanted.
        Err(Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            // If stderr is closed there is nobody to tell.
            let _ = writeln!(stderr, "depcollect: error: {failure}");
            ExitCode::from(2)
        }
    }
}
