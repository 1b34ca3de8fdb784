//! Arguments twice: `args` is what was typed, `meaning` is what it means. The
//! environment and the working directory are read here and nowhere else.

mod args;
mod collecting;
mod cpu;
mod meaning;
mod pages;
mod usage;
mod words;

use clap::Parser;

pub use args::Cli;
pub use cpu::this_machine;
pub use meaning::{Meant, meant};
pub use usage::Usage;

/// The arguments of this process, or what clap says of them.
pub fn parse() -> Result<Cli, clap::Error> {
    Cli::try_parse_from(words::with_command(std::env::args_os().collect()))
}
