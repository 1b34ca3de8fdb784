//! Scripts: what the kernel starts for `#!`, and what `env` starts then.

use crate::bytes::ReadAt;
use crate::path::basename;

/// So much of a script does the kernel look at (`BINPRM_BUF_SIZE`).
const LINE_MAX: usize = 256;

/// What stands behind `#!`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shebang {
    /// Started by the kernel.
    pub(crate) interpreter: Vec<u8>,
    /// Started by `env`: a name that is looked up in PATH, or a path.
    pub(crate) by_env: Option<Vec<u8>>,
}

impl Shebang {
    /// The program that `env NAME` looks up in PATH.
    pub(crate) fn looked_up(&self) -> Option<&[u8]> {
        self.by_env.as_deref().filter(|name| !name.contains(&b'/'))
    }
}

/// The first line of a file, if it makes a script of it.
pub(crate) fn shebang(file: &impl ReadAt) -> std::io::Result<Option<Shebang>> {
    let mut head = [0; LINE_MAX];
    let len = file.read_at(&mut head, 0)?;
    Ok(parse(&head[..len]))
}

/// As `load_script` does (fs/binfmt_script.c): one word, then the rest as one
/// argument. A carriage return is a letter like any other.
pub(crate) fn parse(head: &[u8]) -> Option<Shebang> {
    let line = head.strip_prefix(b"#!")?;
    let line = without_blanks(line.split(|&b| b == b'\n' || b == 0).next()?);
    let end = line.iter().position(is_blank).unwrap_or(line.len());
    let (interpreter, rest) = (&line[..end], without_blanks(&line[end..]));
    if interpreter.is_empty() {
        return None;
    }
    let by_env = (basename(interpreter) == b"env").then(|| started_by_env(rest)).flatten();
    Some(Shebang { interpreter: interpreter.to_vec(), by_env })
}

fn is_blank(b: &u8) -> bool {
    matches!(b, b' ' | b'\t')
}

fn without_blanks(mut line: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = line {
        line = rest;
    }
    line
}

/// The first word that is neither an option of env's nor an assignment. Without
/// `-S` the whole argument is one word.
fn started_by_env(argument: &[u8]) -> Option<Vec<u8>> {
    let split = [&b"-S"[..], b"--split-string=", b"-vS"];
    let Some(list) = split.iter().find_map(|option| argument.strip_prefix(*option)) else {
        return (!argument.is_empty() && argument[0] != b'-').then(|| argument.to_vec());
    };
    let mut words = list.split(is_blank).filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        match word {
            b"-u" | b"-C" | b"--unset" | b"--chdir" => drop(words.next()),
            [b'-', ..] => {}
            word if word.contains(&b'=') => {}
            word => return Some(word.iter().copied().filter(|b| !matches!(b, b'"' | b'\'')).collect()),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_names_who_is_started() {
        for (line, expected) in [
            ("#!/bin/sh\necho", Some(("/bin/sh", None))),
            ("#! /usr/bin/perl -w\n", Some(("/usr/bin/perl", None))),
            ("#!/usr/bin/env python3\n", Some(("/usr/bin/env", Some("python3")))),
            ("#!/usr/bin/env -S python3 -u\n", Some(("/usr/bin/env", Some("python3")))),
            ("#!/usr/bin/env -S -i A=b -u X /opt/x y", Some(("/usr/bin/env", Some("/opt/x")))),
            ("#!/usr/bin/env -S'node' --x", Some(("/usr/bin/env", Some("node")))),
            ("#!/usr/bin/env -i\n", Some(("/usr/bin/env", None))),
            ("#!/usr/bin/env\n", Some(("/usr/bin/env", None))),
            ("#!\t/bin/sh \n", Some(("/bin/sh", None))),
            ("#!/bin/sh\r\n", Some(("/bin/sh\r", None))),
            ("#!/usr/bin/env bash\r\n", Some(("/usr/bin/env", Some("bash\r")))),
            ("#!\n/bin/sh", None),
            ("# /bin/sh\n", None),
            ("", None),
        ] {
            let got = parse(line.as_bytes());
            let got = got.map(|s| {
                let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
                (text(s.interpreter), s.by_env.map(text))
            });
            let expected = expected.map(|(i, e)| (i.to_owned(), e.map(str::to_owned)));
            assert_eq!(got, expected, "{line:?}");
        }
    }
}
