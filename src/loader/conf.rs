//! `ld.so.conf`, which only ldconfig reads, and `ld.so.preload`.
//!
//! Rules from glibc's `elf/ldconfig.c` (`parse_conf`, `add_dir_1`) and
//! `elf/rtld.c`. Bytes become data here; `closure::ldconfig` follows it.

use super::Version;

mod pattern;

pub use pattern::{is_pattern, matches};

/// What one line says. Blank lines and comments say nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Patterns of files that are read in its place.
    Include(Vec<Vec<u8>>),
    Dir(Dir),
    /// A `hwcap` directive, which 2.32 and newer report and ignore.
    Hwcap,
}

/// A directory, without the white space and slashes at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dir {
    pub path: Vec<u8>,
    pub kind: LibType,
}

/// What `=TYPE` behind a directory says of its libraries (up to 2.36).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LibType {
    /// Nothing said, or nothing known.
    Any,
    Libc4,
    Libc5,
    Libc6,
}

/// The lines of a file, as ldconfig of `version` understands them.
pub fn parse(bytes: &[u8], version: Version) -> Vec<Line> {
    bytes.split(|&b| b == b'\n').filter_map(|line| parse_line(line, version)).collect()
}

/// There is no quoting: a `#` ends a line wherever it stands, and so does a NUL.
fn parse_line(line: &[u8], version: Version) -> Option<Line> {
    let end = line.iter().position(|&b| b == b'#' || b == 0).unwrap_or(line.len());
    let text = &line[..end];
    let start = text.iter().position(|&b| !is_space(b))?;
    let text = &text[start..];
    if let Some(patterns) = directive(text, b"include", |word| word == b"include") {
        return Some(Line::Include(
            patterns.split(is_blank).filter(|p| !p.is_empty()).map(<[u8]>::to_vec).collect(),
        ));
    }
    if directive(text, b"hwcap", |word| word.eq_ignore_ascii_case(b"hwcap")).is_some() {
        return Some(Line::Hwcap);
    }
    parse_dir(text, version).map(Line::Dir)
}

/// What stands behind a word and the blank after it.
fn directive<'t>(text: &'t [u8], word: &[u8], is: impl Fn(&[u8]) -> bool) -> Option<&'t [u8]> {
    let (head, rest) = text.split_at_checked(word.len())?;
    let (first, rest) = rest.split_first()?;
    (is(head) && is_blank(first)).then_some(rest)
}

/// A directory as the configuration, the command line or the built-in list
/// names it. The top directory cannot be named: nothing is left of `/`.
pub fn parse_dir(text: &[u8], version: Version) -> Option<Dir> {
    let typed = version <= Version(2, 36);
    let equals = text.iter().position(|&b| typed && b == b'=');
    let (path, kind) = match equals {
        Some(at) => (&text[..at], lib_type(&text[at + 1..])),
        None => (text, LibType::Any),
    };
    let path = trim_end(path, is_space);
    let path = trim_end(path, |b| b == b'/');
    (!path.is_empty()).then(|| Dir { path: path.to_vec(), kind })
}

fn lib_type(word: &[u8]) -> LibType {
    match word {
        b"libc4" => LibType::Libc4,
        b"libc5" => LibType::Libc5,
        b"libc6" | b"glibc2" => LibType::Libc6,
        _ => LibType::Any,
    }
}

/// The names in an `ld.so.preload`, in order.
///
/// glibc looks for the next `#` from the front of the file again, but only as
/// far as what is left behind the last comment (elf/rtld.c, `dl_main`): a
/// comment near the end is not always seen, and its words count as names. They
/// are C strings: behind a NUL nothing counts but a name that ends the file,
/// which is copied before.
pub fn parse_preload(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut text = bytes.to_vec();
    let mut rest = text.len();
    while let Some(mut comment) = text[..rest].iter().position(|&b| b == b'#') {
        rest -= comment;
        loop {
            text[comment] = b' ';
            rest -= 1;
            comment += 1;
            if rest == 0 || text[comment] == b'\n' {
                break;
            }
        }
    }
    let ends_name = |b: &u8| matches!(b, b' ' | b'\t' | b'\n' | b':');
    let (front, last) = text.split_at(text.iter().rposition(ends_name).map_or(0, |end| end + 1));
    let names = c_string(front).split(ends_name).chain([c_string(last)]);
    names.filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect()
}

fn c_string(bytes: &[u8]) -> &[u8] {
    bytes.split(|&b| b == 0).next().unwrap_or_default()
}

/// C's `isspace`.
fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t'..=b'\r')
}

fn is_blank(b: &u8) -> bool {
    matches!(b, b' ' | b'\t')
}

fn trim_end(text: &[u8], drop: impl Fn(u8) -> bool) -> &[u8] {
    let end = text.iter().rposition(|&b| !drop(b)).map_or(0, |last| last + 1);
    &text[..end]
}

#[cfg(test)]
mod tests;
