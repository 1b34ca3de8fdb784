//! Arguments twice: `args` is what was typed, `job` is what it means. The
//! environment and the working directory are read here and nowhere else.

mod args;
mod collecting;
mod cpu;
mod meaning;
mod usage;
mod words;

use clap::Parser;

pub use args::Cli;
pub use cpu::this_machine;
pub use meaning::job;
pub use usage::Usage;

/// The arguments of this process, or what clap says of them.
pub fn parse() -> Result<Cli, clap::Error> {
    Cli::try_parse_from(words::with_command(std::env::args_os().collect()))
}
