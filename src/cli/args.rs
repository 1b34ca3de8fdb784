//! What was typed: plain data, no environment, no system calls.

use std::ffi::OsString;
use std::path::PathBuf;

use super::collecting::{CHECK_EXAMPLES, COLLECT_EXAMPLES, Check, Collect, Rules};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// The words of a call, the command first.
#[derive(Debug, Parser)]
#[command(name = "depcollect", version, about = ABOUT, long_about = LONG_ABOUT, max_term_width = 100)]
#[command(override_usage = FORMS, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// The whole of it, for pages about it: `collect` needs no word of its own.
#[derive(Debug, Parser)]
#[command(name = "depcollect", version, about = ABOUT, long_about = LONG_ABOUT)]
#[command(args_conflicts_with_subcommands = true, override_usage = FORMS, after_help = EXAMPLES)]
pub(super) struct Whole {
    #[command(flatten)]
    collect: Collect,

    #[command(subcommand)]
    command: Option<Command>,
}

const ABOUT: &str = "Copies programs with all that they load into a tree for an image";

const LONG_ABOUT: &str = "Copies programs with all that they load into a tree that works as the root of an image, \
                          proves that it does, and says what the dynamic loader would open, glibc's or musl's, on \
                          any architecture. It never runs what it looks at.";

const FORMS: &str = "depcollect [OPTIONS] PROGRAM[:DEST]... DIST
       depcollect COMMAND [OPTIONS] ...";

const EXAMPLES: &str = "Examples:
  depcollect /usr/local/bin/app /dist             into a tree for `FROM scratch`
  depcollect /usr/bin/curl --user /dist
  depcollect list /usr/bin/git                    what ldd would say
  depcollect check /dist                          whether a tree works as /
  depcollect needs /usr/bin/curl                  what it opens at run time, and why

`depcollect collect --help` tells the options of the main form.";

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Command {
    /// Copy programs with all they load into a tree (the word `collect` may be left out).
    #[command(after_help = COLLECT_EXAMPLES)]
    Collect(Box<Collect>),
    /// List what the loader opens for a program, as ldd does, but without running it.
    #[command(after_help = LIST_EXAMPLES)]
    List(List),
    /// Tell who asks for a library, and by which chain.
    #[command(after_help = WHY_EXAMPLES)]
    Why(Why),
    /// Tell whether a tree is loadable as `/`.
    #[command(after_help = CHECK_EXAMPLES)]
    Check(Check),
    /// Tell what programs open at run time that the loader does not, and what of it is taken along.
    #[command(after_help = NEEDS_EXAMPLES)]
    Needs(Needs),
    /// Print a manual page: of depcollect, or of one of its commands.
    #[command(after_help = MAN_EXAMPLES)]
    Man(Man),
    /// Print what makes a shell complete the words of a command line.
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(Completions),
}

const MAN_EXAMPLES: &str = "Examples:
  depcollect man | man -l -
  depcollect man list >/usr/local/share/man/man1/depcollect-list.1";

const COMPLETIONS_EXAMPLES: &str = "Examples:
  depcollect completions bash >/etc/bash_completion.d/depcollect
  depcollect completions zsh >/usr/local/share/zsh/site-functions/_depcollect
  depcollect completions fish >~/.config/fish/completions/depcollect.fish";

const LIST_EXAMPLES: &str = "Examples:
  depcollect list /usr/bin/git
  depcollect list --format tree -v ./target/release/app
  depcollect list --root sysroot-arm64 /usr/bin/git
  depcollect list --format paths -0 /app | xargs -0 ls -lL
  depcollect list /usr/lib/postgresql";

const WHY_EXAMPLES: &str = "Examples:
  depcollect why /usr/bin/git libz.so.1
  depcollect why --all /usr/bin/curl libcrypto.so.3";

const NEEDS_EXAMPLES: &str = "Examples:
  depcollect needs /usr/bin/curl
  depcollect needs --format tree -v /usr/bin/vlc
  depcollect needs --root sysroot-arm64 /usr/bin/git
  depcollect needs --with sh --without utf8 /usr/bin/psql";

#[derive(Debug, Args)]
pub struct Man {
    /// The command; the page of depcollect itself if none is named.
    #[arg(value_name = "COMMAND", value_parser = ["collect", "list", "why", "check", "needs", "man", "completions"])]
    pub command: Option<String>,
}

#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

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

#[derive(Debug, Args)]
pub struct Needs {
    /// Programs, scripts and directories; a word without a slash is looked up in PATH.
    #[arg(required = true, value_name = "PROGRAM")]
    pub programs: Vec<OsString>,

    /// How to print it.
    #[arg(long, value_enum, default_value_t = NeedsFormat::Text)]
    pub format: NeedsFormat,

    #[command(flatten)]
    pub rules: Rules,

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

    /// Variants for which processor: none, names such as x86-64-v3, or all (not for why).
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
    /// Say more: rules, sizes, every candidate tried. JSON holds them anyway.
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
pub enum NeedsFormat {
    /// A line for each need, its files below it.
    Text,
    /// The same as a drawing.
    Tree,
    /// Everything, as `depcollect/1`.
    Json,
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
