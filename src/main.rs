//! The command line: what was typed, what came of it, as an exit status.

use std::io::Write;
use std::process::ExitCode;

use depcollect::cli;
use depcollect::run::{self, Failure};

fn main() -> ExitCode {
    let cli = cli::parse();
    let mut stdout = std::io::stdout().lock();
    let mut stderr = std::io::stderr().lock();
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
