//! What one file of a tree is to somebody who starts it.

use std::io;
use std::sync::Arc;

use crate::bytes::ReadAt;
use crate::closure::{File, Files};
use crate::elf::{Kind, Unfit};
use crate::root::OpenFile;
use crate::shebang::{self, Shebang};

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
    Script(Shebang),
    /// It may be executed, and Linux has nothing to execute it with.
    Foreign(&'static str),
    /// ELF, and none that can be read.
    Damaged(&'static str),
    Data,
}

pub(super) fn what(open: &OpenFile, files: &Files) -> io::Result<What> {
    let mut head = [0; LINE];
    let len = open.read_at(&mut head, 0)?;
    let head = &head[..len];
    let may_execute = open.stat.mode & EXECUTE != 0;
    if head.starts_with(b"\x7fELF") {
        return Ok(of_elf(files.look(open)?, may_execute));
    }
    Ok(match shebang::parse(head) {
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

/// Formats of other systems.
fn foreign(head: &[u8]) -> Option<&'static str> {
    match head.get(..4)? {
        [b'M', b'Z', ..] => Some("a PE file, of Windows or UEFI"),
        [0xfe, 0xed, 0xfa, 0xce | 0xcf] | [0xce | 0xcf, 0xfa, 0xed, 0xfe] => Some("a Mach-O file, of macOS"),
        [0xca, 0xfe, 0xba, 0xbe] => Some("a Java class or a universal Mach-O file"),
        _ => None,
    }
}
