//! Arguments twice: `args` is what was typed, `job` is what it means. The
//! environment and the working directory are read here and nowhere else.

mod args;
mod cpu;
mod meaning;
mod usage;

pub use args::Cli;
pub use cpu::this_machine;
pub use meaning::job;
pub use usage::Usage;
