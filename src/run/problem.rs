//! What cannot be looked at, and in which words that is told.

use std::path::Path;

use rustix::io::Errno;

use super::words;
use crate::bytes::ReadAt;
use crate::closure::{File, NotAProgram, Seen, Session};
use crate::elf::{Kind, Unfit};
use crate::finding::{Finding, Severity};
use crate::needs::Refusal;
use crate::root::{OpenFile, Opened, dir, resolve};

/// What was to be done with a file, where that is what it is no good for. Other
/// commands than `list` have a verb of their own: [`Problem::of_command`].
pub(super) const COMMAND: &str = "list";

#[derive(Debug)]
pub(super) struct Problem {
    pub(super) path: Vec<u8>,
    pub(super) verb: &'static str,
    pub(super) cause: String,
    pub(super) hint: Option<String>,
}

/// Where a file lies that was looked at.
pub(super) enum Where<'a> {
    /// At its path in the root.
    Root(&'a Session<'a>),
    Host(&'a Path),
}

impl Problem {
    pub(super) fn new(path: &[u8], verb: &'static str, cause: String) -> Problem {
        Problem { path: path.to_vec(), verb, cause, hint: None }
    }

    pub(super) fn of_refusal(refusal: Refusal) -> Problem {
        Problem { hint: refusal.hint, ..Problem::new(&refusal.subject, refusal.verb, refusal.cause) }
    }

    /// For a report that scripts read.
    pub(super) fn to_finding(&self) -> Finding {
        Finding {
            severity: Severity::Error,
            code: "cannot",
            subject: self.path.clone(),
            message: format!("cannot {}: {}", self.verb, self.cause).into_bytes(),
            hint: self.hint.as_ref().map(|hint| hint.clone().into_bytes()),
        }
    }

    pub(super) fn of_command(self, verb: &'static str) -> Problem {
        let verb = if self.verb == COMMAND { verb } else { self.verb };
        Problem { verb, ..self }
    }

    pub(super) fn with_hint(self, hint: &str) -> Problem {
        Problem { hint: Some(hint.to_owned()), ..self }
    }

    /// Why a file that was named cannot be closed over, if so.
    pub(super) fn of_file(path: &[u8], file: &File, place: &Where<'_>) -> Option<Problem> {
        match &file.elf {
            Ok(facts) if facts.kind() == Kind::Other => {
                Some(Problem::of_no_program(path, &NotAProgram::NotLoadable, place))
            }
            Ok(facts) if facts.is_debug_file() => {
                let cause = "it is a debug file: there is nothing to load in it";
                Some(Problem::new(path, COMMAND, cause.into()))
            }
            Ok(_) => None,
            Err(unfit) => Some(of_unfit(path, unfit, place)),
        }
    }

    pub(super) fn of_no_program(path: &[u8], no: &NotAProgram, place: &Where<'_>) -> Problem {
        match no {
            NotAProgram::Seen(Seen::Error { errno, .. }) => {
                let problem = Problem::new(path, "open", words(&std::io::Error::from_raw_os_error(*errno)));
                if path.contains(&b'/') || path.is_empty() || *errno != Errno::NOENT.raw_os_error() {
                    return problem;
                }
                problem.with_hint("it is neither in PATH nor in the working directory")
            }
            NotAProgram::Seen(Seen::Unreadable(error)) => Problem::new(path, "read", words(error)),
            NotAProgram::Seen(Seen::Special(what)) => Problem::new(path, "read", format!("it is a {what}")),
            NotAProgram::Seen(Seen::Directory | Seen::File(_)) => {
                Problem::new(path, "read", "it is a directory".into())
            }
            NotAProgram::NotLoadable => {
                Problem::new(path, COMMAND, "an object or core file is not loaded by a loader".into())
            }
            NotAProgram::Unfit(unfit) => of_unfit(path, unfit, place),
        }
    }
}

fn of_unfit(path: &[u8], unfit: &Unfit, place: &Where<'_>) -> Problem {
    let head = || head(path, place);
    let cause = match unfit {
        Unfit::TooShort { len: 0 } => "it is empty".into(),
        Unfit::TooShort { len } => {
            let words = match len {
                1 => "1 byte is too little for an ELF file".into(),
                len => format!("{len} bytes are too few for an ELF file"),
            };
            return of_stranger(path, &head(), words);
        }
        Unfit::NotElf { .. } => return of_stranger(path, &head(), "it is no ELF file".into()),
        Unfit::BadIdent(_) => "its ELF header has a class or byte order of no meaning".into(),
        Unfit::Damaged { what, .. } => (*what).into(),
    };
    Problem::new(path, COMMAND, cause)
}

/// A file of another format, by its first bytes.
fn of_stranger(path: &[u8], head: &[u8], otherwise: String) -> Problem {
    if let Some(interpreter) = script_interpreter(head) {
        let mut hint = String::from("its interpreter is `");
        crate::report::escape(&mut hint, interpreter);
        hint.push_str("`; name that");
        return Problem::new(path, COMMAND, "it is a script".into()).with_hint(&hint);
    }
    let cause = foreign_format(head).map_or(otherwise, |format| format!("it is {format}"));
    Problem::new(path, COMMAND, cause)
}

/// What the kernel reads of a script.
const HEAD: usize = 256;

fn head(path: &[u8], place: &Where<'_>) -> Vec<u8> {
    let read = |file: &OpenFile| {
        let mut head = vec![0; HEAD];
        let len = file.read_at(&mut head, 0).unwrap_or(0);
        head.truncate(len);
        head
    };
    match place {
        Where::Host(path) => dir::open_host_file(path).ok().map(|file| read(&file)),
        Where::Root(session) => match resolve(session.root, session.cwd(), path).map(|end| end.opened) {
            Ok(Opened::File(file)) => Some(read(&file)),
            Ok(Opened::Dir(_) | Opened::Link(_) | Opened::Special(_)) | Err(_) => None,
        },
    }
    .unwrap_or_default()
}

/// What stands behind `#!`.
fn script_interpreter(head: &[u8]) -> Option<&[u8]> {
    let line = head.strip_prefix(b"#!")?.split(|&b| b == b'\n').next()?;
    line.split(|&b| b == b' ' || b == b'\t').find(|word| !word.is_empty())
}

/// Formats that people hand to such a tool by mistake.
fn foreign_format(head: &[u8]) -> Option<&'static str> {
    match head {
        [0x7f, b'E', b'L', b'F', ..] => Some("an ELF file cut short"),
        [b'M', b'Z', ..] => Some("a PE file, of Windows or UEFI"),
        [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] | [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..] => {
            Some("a Mach-O file, of macOS")
        }
        [0xca, 0xfe, 0xba, 0xbe, ..] => Some("a Java class or a universal Mach-O file"),
        [b'!', b'<', b'a', b'r', ..] => Some("an archive of object files"),
        [0, b'a', b's', b'm', ..] => Some("a WebAssembly module"),
        _ => None,
    }
}
