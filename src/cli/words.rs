//! Which command is meant. The first word that is no option is a command only
//! if it is a command word; else the whole is a collection.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::slip::distance;

const COMMANDS: [&str; 8] = ["collect", "list", "why", "check", "needs", "completions", "man", "help"];

/// Options whose value is the next word. A test compares them with clap's.
const VALUED: [&str; 20] = [
    "color",
    "dlopen",
    "exclude",
    "format",
    "from",
    "hwcaps",
    "include",
    "layout",
    "ld-cache",
    "library-path",
    "loader",
    "locale",
    "mkdir",
    "needs",
    "onto",
    "output",
    "root",
    "symlink",
    "with",
    "without",
];

/// The arguments with the command first, as clap wants it.
pub(super) fn with_command(mut args: Vec<OsString>) -> Vec<OsString> {
    let Some(at) = first_word(&args) else {
        let is_alone = |arg: &OsString| matches!(arg.as_bytes(), b"-h" | b"--help" | b"-V" | b"--version");
        if args.len() > 1 && !args[1..].iter().any(is_alone) {
            args.insert(1, "collect".into());
        }
        return args;
    };
    let is_command = COMMANDS.iter().any(|command| args[at] == *command);
    let command = if is_command { args.remove(at) } else { "collect".into() };
    args.insert(1, command);
    args
}

/// The command that a word is likely meant to be.
pub(super) fn nearest(word: &str) -> Option<&'static str> {
    let near = |command: &&&str| {
        let is_short = distance(command.as_bytes(), word.as_bytes()) <= 2;
        command.starts_with(&word[..word.len().min(1)]) && is_short
    };
    COMMANDS.iter().filter(|_| word.is_ascii()).find(near).copied()
}

fn first_word(args: &[OsString]) -> Option<usize> {
    let mut at = 1;
    loop {
        let word = args.get(at)?.as_bytes();
        match word {
            // A command word behind it is none; `collect` goes in front.
            b"--" => return args.get(at + 1).map(|_| at),
            [b'-', b'-', option @ ..] if takes_next(option) => at += 1,
            [b'-', _, ..] => {}
            _ => return Some(at),
        }
        at += 1;
    }
}

fn takes_next(option: &[u8]) -> bool {
    VALUED.iter().any(|valued| OsStr::from_bytes(option) == *valued)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory;

    #[test]
    fn a_command_is_the_first_word_if_it_is_one() {
        for (typed, expected) in [
            ("/app /dist", "collect /app /dist"),
            ("list /app", "list /app"),
            ("needs /app", "needs /app"),
            ("--with sh needs /app", "needs --with sh /app"),
            ("./list /dist", "collect ./list /dist"),
            ("collect list /dist", "collect list /dist"),
            ("--root /r list /app", "list --root /r /app"),
            ("--root=/r list /app", "list --root=/r /app"),
            ("--root list /app /dist", "collect --root list /app /dist"),
            ("-v --tz list x", "list -v --tz x"),
            ("-v /app list", "collect -v /app list"),
            ("-- list /dist", "collect -- list /dist"),
            ("- /dist", "collect - /dist"),
            ("--version", "--version"),
            ("--root", "collect --root"),
            ("", ""),
        ] {
            let words = ["depcollect"].into_iter().chain(typed.split_whitespace());
            let got = with_command(words.map(OsString::from).collect());
            let got: Vec<String> = got[1..].iter().map(|word| word.to_string_lossy().into_owned()).collect();
            assert_eq!(got.join(" "), expected, "{typed}");
        }
    }

    #[test]
    fn the_options_with_a_value_are_known() {
        let cli = Cli::command();
        let mut valued: Vec<String> = Vec::new();
        for command in cli.get_subcommands() {
            let mut command = command.clone();
            command.build();
            for option in command.get_arguments().filter(|arg| arg.get_action().takes_values()) {
                let Some(long) = option.get_long() else { continue };
                if !option.is_require_equals_set() {
                    valued.push(long.to_owned());
                }
            }
        }
        valued.sort();
        valued.dedup();
        assert_eq!(valued, VALUED);
    }
}
