//! Pages that are made out of the arguments themselves: manuals, and what makes
//! a shell complete words.

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, roman};

use super::args::Whole;

const NAME: &str = "depcollect";

/// A row of a table: a term, and what it means.
type Term = (&'static str, &'static str);

const EXIT_STATUS: [Term; 4] = [
    ("0", "Nothing is wrong."),
    (
        "1",
        "A library is missing, the loader would stop, a version is not provided, or the tree would not load.",
    ),
    (
        "2",
        "It could not be done: usage, a conflict, a file that cannot be read or written or is no ELF file.",
    ),
    ("130, 143", "Interrupted or terminated; what DIST held before is there."),
];

const ENVIRONMENT: [Term; 3] = [
    (
        "LD_LIBRARY_PATH, LD_PRELOAD, LD_BIND_NOW",
        "Count as they do for the loader, in the machine's own root only. Nothing is preloaded in a collection.",
    ),
    ("SOURCE_DATE_EPOCH", "Nothing that is written is newer, directories included."),
    ("NO_COLOR", "No colour, unless --color says so."),
];

/// A page of section 1: of a command, or of the whole.
pub(super) fn manual(command: Option<&str>) -> Vec<u8> {
    let mut whole = Whole::command();
    whole.build();
    let page = match command {
        Some(name) => titled(whole.find_subcommand(name).expect("clap knows the commands")),
        None => whole,
    };
    let mut roff = Vec::new();
    write_page(&page, &mut roff).expect("memory takes it");
    roff
}

/// A command under the name of its page.
fn titled(command: &Command) -> Command {
    command.clone().display_name(format!("{NAME}-{}", command.get_name()))
}

fn write_page(page: &Command, roff: &mut Vec<u8>) -> std::io::Result<()> {
    let man = Man::new(page.clone());
    man.render_title(roff)?;
    man.render_name_section(roff)?;
    man.render_synopsis_section(roff)?;
    man.render_description_section(roff)?;
    man.render_options_section(roff)?;
    if page.has_subcommands() {
        man.render_subcommands_section(roff)?;
    }
    terms("EXIT STATUS", &EXIT_STATUS).to_writer(roff)?;
    terms("ENVIRONMENT", &ENVIRONMENT).to_writer(roff)?;
    if let Some(examples) = page.get_after_help() {
        verbatim(&examples.to_string()).to_writer(roff)?;
    }
    Ok(())
}

fn terms(title: &str, terms: &[Term]) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [title]);
    for (term, meaning) in terms {
        roff.control("TP", []);
        roff.text([Inline::Bold((*term).into())]);
        roff.text([roman(*meaning)]);
    }
    roff
}

/// `Examples:` and lines that stay as they are.
fn verbatim(examples: &str) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]);
    roff.control("nf", []);
    for line in examples.lines().skip(1) {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff
}

pub(super) fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Whole::command(), NAME, &mut script);
    script
}
