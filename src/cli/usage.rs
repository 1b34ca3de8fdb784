//! What is wrong with the words typed, in our own form: a cause, and the cure
//! where it is known.

#![expect(clippy::wildcard_enum_match_arm, reason = "clap keeps its enums open")]

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Names from the command line are in it as they were typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    pub cause: String,
    pub hint: Option<String>,
}

/// A cause without a cure.
impl From<String> for Usage {
    fn from(cause: String) -> Usage {
        Usage { cause, hint: None }
    }
}

impl Usage {
    pub(super) fn new(cause: impl Into<String>, hint: impl Into<String>) -> Usage {
        Usage { cause: cause.into(), hint: Some(hint.into()) }
    }

    /// What clap found wrong. `None`: it is no error, or best told by the whole help.
    pub fn of(error: &Error) -> Option<Usage> {
        let text = |kind| of_context(error, kind).unwrap_or_default();
        let argument = text(ContextKind::InvalidArg);
        let option = argument.split([' ', '=']).next().unwrap_or_default();
        let value = text(ContextKind::InvalidValue);
        Some(match error.kind() {
            ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => return None,
            ErrorKind::InvalidSubcommand => no_command(error, &text(ContextKind::InvalidSubcommand)),
            ErrorKind::UnknownArgument if argument.starts_with('-') => no_option(error, &argument),
            ErrorKind::UnknownArgument => {
                Usage { cause: format!("`{argument}` is one word too many"), hint: usage(error) }
            }
            ErrorKind::InvalidValue if value.is_empty() => Usage {
                cause: format!("`{option}` wants a value"),
                hint: values(error).or_else(|| usage(error)),
            },
            ErrorKind::InvalidValue => {
                Usage { cause: format!("`{option}` does not take `{value}`"), hint: values(error) }
            }
            ErrorKind::TooManyValues => {
                Usage { cause: format!("`{option}` takes no `{value}`"), hint: usage(error) }
            }
            ErrorKind::ArgumentConflict if text(ContextKind::PriorArg) == argument => {
                Usage::from(format!("`{option}` is given twice"))
            }
            ErrorKind::ArgumentConflict => {
                let other = text(ContextKind::PriorArg);
                let other = other.split([' ', '=']).next().unwrap_or_default();
                let (option, other) = (option.trim_end_matches('.'), other.trim_end_matches('.'));
                Usage::from(format!("`{option}` and `{other}` exclude each other"))
            }
            ErrorKind::MissingRequiredArgument => {
                let verb = if argument.contains(", ") { "are" } else { "is" };
                let missing = plain(&argument).replace(", ", " and ");
                Usage { cause: format!("{missing} {verb} missing"), hint: usage(error) }
            }
            _ => Usage { cause: first_line(error), hint: usage(error) },
        })
    }
}

fn no_option(error: &Error, argument: &str) -> Usage {
    let cause = format!("there is no option `{argument}`");
    let command = command(error).unwrap_or_default();
    match of_context(error, ContextKind::SuggestedArg) {
        Some(known) => Usage::new(cause, format!("there is `{known}`")),
        None if command == "depcollect" => {
            let cause = format!("`{argument}` stands before the command");
            Usage::new(cause, format!("options follow it, as in `depcollect list {argument}`"))
        }
        None => Usage::new(cause, format!("`{command} --help` names the options")),
    }
}

/// A word where a command is due: most likely a program.
fn no_command(error: &Error, word: &str) -> Usage {
    if word == "help" {
        return Usage::new("there is no command `help`", "there is `depcollect --help`");
    }
    // clap takes `git` for `list`.
    let is_near = |known: &String| known.chars().next() == word.chars().next();
    let hint = match of_context(error, ContextKind::SuggestedSubcommand).filter(is_near) {
        Some(known) => format!("there is `depcollect {known}`"),
        None => format!("to list what a program loads: `depcollect list {word}`"),
    };
    Usage::new(format!("there is no command `{word}`"), hint)
}

fn of_context(error: &Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => Some(texts.join(", ")),
        _ => None,
    }
}

fn values(error: &Error) -> Option<String> {
    of_context(error, ContextKind::ValidValue)
        .filter(|values| !values.is_empty())
        .map(|v| format!("it takes {v}"))
}

fn usage(error: &Error) -> Option<String> {
    form(error).map(|form| format!("the form is `{form}`"))
}

/// clap's own line, `Usage: depcollect list [OPTIONS] <FILE>...`.
fn form(error: &Error) -> Option<String> {
    let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else { return None };
    let line = usage.to_string();
    line.trim().strip_prefix("Usage: ")?.lines().next().map(plain)
}

/// What a form begins with, before arguments and options.
fn command(error: &Error) -> Option<String> {
    let form = form(error)?;
    let is_name = |word: &&str| word.bytes().all(|b| b.is_ascii_lowercase());
    Some(form.split(' ').take_while(is_name).collect::<Vec<_>>().join(" "))
}

fn plain(form: &str) -> String {
    form.replace(['<', '>'], "").replace("[OPTIONS] ", "")
}

fn first_line(error: &Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}
