//! What one file of a tree is to somebody who starts it.

use std::io;
use std::sync::Arc;

use crate::bytes::ReadAt;
use crate::closure::{File, Files};
use crate::elf::{Kind, Unfit};
use crate::root::OpenFile;

/// As far as the kernel reads a `#!` line.
const LINE: usize = 256;

const EXECUTE: u32 = 0o111;

/// A file, by how it starts.
#[derive(Debug)]
pub(super) enum What {
    /// The kernel starts it.
    Program(Arc<File>),
    /// A program by its headers, and nobody may execute it.
    NotExecutable,
    Library(Arc<File>),
    Script(Script),
    /// It may be executed, and Linux has nothing to execute it with.
    Foreign(&'static str),
    /// ELF, and none that can be read.
    Damaged(&'static str),
    Data,
}

/// The first line of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script {
    pub(super) interpreter: Vec<u8>,
    /// All that follows is one word.
    pub(super) argument: Option<Vec<u8>>,
}

pub(super) fn what(open: &OpenFile, files: &Files) -> io::Result<What> {
    let mut head = [0; LINE];
    let len = open.read_at(&mut head, 0)?;
    let head = &head[..len];
    let may_execute = open.stat.mode & EXECUTE != 0;
    if head.starts_with(b"\x7fELF") {
        return Ok(of_elf(files.look(open)?, may_execute));
    }
    Ok(match Script::parse(head) {
        Some(script) if may_execute => What::Script(script),
        Some(_) | None => foreign(head).filter(|_| may_execute).map_or(What::Data, What::Foreign),
    })
}

fn of_elf(file: Arc<File>, may_execute: bool) -> What {
    let facts = match &file.elf {
        Ok(facts) => facts,
        Err(Unfit::Damaged { what, .. }) => return What::Damaged(what),
        Err(Unfit::TooShort { .. }) => return What::Damaged("it is cut short"),
        Err(Unfit::NotElf { .. } | Unfit::BadIdent(_)) => {
            return What::Damaged("its class or byte order has no meaning");
        }
    };
    if facts.is_debug_file() {
        return What::Data;
    }
    match facts.kind() {
        Kind::Executable | Kind::Pie | Kind::Static | Kind::StaticPie if may_execute => What::Program(file),
        Kind::Executable | Kind::Pie | Kind::Static | Kind::StaticPie => What::NotExecutable,
        Kind::Library => What::Library(file),
        // The loader is there for others.
        Kind::Loader | Kind::Other => What::Data,
    }
}

impl Script {
    /// After `load_script` in Linux' fs/binfmt_script.c: blanks around both words do not count.
    pub(super) fn parse(head: &[u8]) -> Option<Script> {
        let line = head.strip_prefix(b"#!")?.split(|&b| b == b'\n').next()?;
        let is_blank = |b: &u8| matches!(b, b' ' | b'\t');
        let start = line.iter().position(|b| !is_blank(b))?;
        let line = &line[start..];
        let end = line.iter().position(is_blank).unwrap_or(line.len());
        let argument = line[end..].trim_ascii();
        let argument = (!argument.is_empty()).then(|| argument.to_vec());
        Some(Script { interpreter: line[..end].to_vec(), argument })
    }

    /// The program that `env NAME` looks up in PATH.
    pub(super) fn looked_up(&self) -> Option<&[u8]> {
        if crate::path::basename(&self.interpreter) != b"env" {
            return None;
        }
        let argument = self.argument.as_deref()?;
        let rest =
            argument.strip_prefix(b"-S").or(argument.strip_prefix(b"--split-string=")).unwrap_or(argument);
        let mut words = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        words
            .find(|word| !word.starts_with(b"-") && !word.contains(&b'='))
            .filter(|name| !name.contains(&b'/'))
    }
}

/// Formats of other systems.
fn foreign(head: &[u8]) -> Option<&'static str> {
    match head.get(..4)? {
        [b'M', b'Z', ..] => Some("a PE file, of Windows or UEFI"),
        [0xfe, 0xed, 0xfa, 0xce | 0xcf] | [0xce | 0xcf, 0xfa, 0xed, 0xfe] => Some("a Mach-O file, of macOS"),
        [0xca, 0xfe, 0xba, 0xbe] => Some("a Java class or a universal Mach-O file"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_names_its_interpreter() {
        let rows: [(&[u8], &str); 8] = [
            (b"#!/bin/sh\n", "/bin/sh - -"),
            (b"#! \t/bin/sh -e \nexit", "/bin/sh -e -"),
            (b"#!/usr/bin/env python3\n", "/usr/bin/env python3 python3"),
            (b"#!/usr/bin/env -S A=1 python3 -u\n", "/usr/bin/env -S A=1 python3 -u python3"),
            (b"#!/usr/bin/env /bin/sh", "/usr/bin/env /bin/sh -"),
            (b"#!/bin/sh", "/bin/sh - -"),
            (b"#!\n", "none"),
            (b"echo", "none"),
        ];
        for (head, expected) in rows {
            let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or(b"-")).into_owned();
            let shown = Script::parse(head).map(|script| {
                let (argument, looked_up) = (text(script.argument.as_deref()), text(script.looked_up()));
                format!("{} {argument} {looked_up}", text(Some(&script.interpreter)))
            });
            assert_eq!(shown.as_deref().unwrap_or("none"), expected, "{}", head.escape_ascii());
        }
    }
}
