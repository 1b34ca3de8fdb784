//! What was typed: plain data, no environment, no system calls.

use std::ffi::OsString;
use std::path::PathBuf;

use super::collecting::{CHECK_EXAMPLES, COLLECT_EXAMPLES, Check, Collect};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

/// Says what the dynamic loader would open, without running anything.
#[derive(Debug, Parser)]
#[command(name = "depcollect", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Command {
    /// List what the loader opens for a program, as ldd does, but without running it.
    #[command(after_help = LIST_EXAMPLES)]
    List(List),
    /// Tell who asks for a library, and by which chain.
    #[command(after_help = WHY_EXAMPLES)]
    Why(Why),
    /// Copy programs with all they load into a tree that works as the root of an
    /// image. The word `collect` may be left out.
    #[command(after_help = COLLECT_EXAMPLES)]
    Collect(Box<Collect>),
    /// Tell whether a tree is loadable as `/`.
    #[command(after_help = CHECK_EXAMPLES)]
    Check(Check),
}

const LIST_EXAMPLES: &str = "Examples:
  depcollect list /usr/bin/git
  depcollect list --format tree -v ./target/release/app
  depcollect list --root sysroot-arm64 /usr/bin/git
  depcollect list --format paths -0 /app | xargs -0 ls -lL
  depcollect list /usr/lib/postgresql";

const WHY_EXAMPLES: &str = "Examples:
  depcollect why /usr/bin/git libz.so.1
  depcollect why --all /usr/bin/curl libcrypto.so.3";

#[derive(Debug, Args)]
pub struct List {
    /// Programs, libraries and directories; a word without a slash is looked up in PATH.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<OsString>,

    /// How to print it; `tree` on a terminal and `ldd` otherwise.
    #[arg(long, value_enum)]
    pub format: Option<Format>,

    /// End paths with NUL instead of a newline; goes with --format paths.
    #[arg(short = '0', long = "null")]
    pub nul: bool,

    /// Look for symbols that nothing defines, as ldd -r does.
    #[arg(short = 'r', long = "unresolved")]
    pub unresolved: bool,

    #[command(flatten)]
    pub search: Search,

    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Why {
    /// The program to start from.
    #[arg(value_name = "PROGRAM")]
    pub program: OsString,

    /// A library, by the name asked for, its file name, its path or its SONAME.
    #[arg(value_name = "LIBRARY")]
    pub library: OsString,

    /// Print every chain, not only the shortest of each object that asks.
    #[arg(long)]
    pub all: bool,

    #[command(flatten)]
    pub search: Search,

    #[command(flatten)]
    pub output: Output,
}

// What decides which file is found.
// No doc comment: clap would take it for the command's own.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Search")]
pub struct Search {
    /// Take DIR for `/`: an unpacked image or sysroot, of any architecture.
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,

    /// Directories to search, separated by colons, in place of LD_LIBRARY_PATH.
    #[arg(long, value_name = "LIST")]
    pub library_path: Option<OsString>,

    /// Variants for which processor: all, none, or names such as x86-64-v3.
    #[arg(long, value_name = "LIST")]
    pub hwcaps: Option<OsString>,

    /// Do not look where ldconfig would: exactly what the loader finds today.
    #[arg(long)]
    pub no_conf: bool,

    /// Look there, which is the default.
    #[arg(long, conflicts_with = "no_conf")]
    pub conf: bool,

    /// The loader of libraries that name none, a file of the root.
    #[arg(long, value_name = "PATH")]
    pub loader: Option<OsString>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// Say more: rules, sizes, every candidate tried.
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,

    /// Say nothing but what was asked for and errors.
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,

    /// When to use colour.
    #[arg(long, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub color: Colour,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// ldd's own lines, without addresses.
    Ldd,
    /// Each object once, below whoever made it load.
    Tree,
    /// Every file opened, and the real file behind it.
    Paths,
    /// Everything, as `depcollect/1`.
    Json,
    /// A graph for Graphviz.
    Dot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    Auto,
    Always,
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_well_formed() {
        Cli::command().debug_assert();
    }
}
