//! The blocks in front of an entry.

use crate::path::ImagePath;
use crate::root::Access;

pub(super) const BLOCK: usize = 512;

const NAME: usize = 100;
const PREFIX: usize = 155;

/// The largest numbers of seven and of eleven octal digits.
const SEVEN: u64 = 0o777_7777;
const ELEVEN: u64 = 0o777_7777_7777;

pub(super) struct Header<'a> {
    pub at: &'a ImagePath,
    pub kind: Kind<'a>,
    pub access: Access,
    pub mtime: i64,
    pub xattrs: &'a [(Vec<u8>, Vec<u8>)],
}

#[derive(Clone, Copy)]
pub(super) enum Kind<'a> {
    File(u64),
    /// Another name of a file that stands before it.
    Again(&'a ImagePath),
    Link(&'a [u8]),
    Dir,
}

impl Header<'_> {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let name = self.name();
        let target = self.target();
        let mut records = Records::default();
        let fields = split(&name);
        let is_path = fields.is_none() || is_other_text(&name);
        let is_linkpath = target.len() > NAME || is_other_text(target);
        let is_binary = |name: &[u8]| std::str::from_utf8(name).is_err();
        if is_path && is_binary(&name) || is_linkpath && is_binary(target) {
            records.add(b"hdrcharset", b"BINARY");
        }
        if is_path {
            records.add(b"path", &name);
        }
        if is_linkpath {
            records.add(b"linkpath", target);
        }
        let size = records.number("size", self.len(), ELEVEN);
        let uid = records.number("uid", self.access.uid.into(), SEVEN);
        let gid = records.number("gid", self.access.gid.into(), SEVEN);
        let mtime = u64::try_from(self.mtime).ok().filter(|time| *time <= ELEVEN);
        if mtime.is_none() {
            records.add(b"mtime", self.mtime.to_string().as_bytes());
        }
        for (name, value) in self.xattrs {
            records.add(&[b"SCHILY.xattr.", &name[..]].concat(), value);
        }
        let mut bytes = records.to_blocks(&name);
        let (prefix, name) = fields.unwrap_or_else(|| (&[], cut(&name)));
        let mut block = Block::new(name, prefix, self.kind.flag());
        block.octal(100, 8, u64::from(self.access.mode));
        block.octal(108, 8, uid);
        block.octal(116, 8, gid);
        block.octal(124, 12, size);
        block.octal(136, 12, mtime.unwrap_or(0));
        block.text(157, cut(target));
        bytes.extend(block.sealed());
        bytes
    }

    /// Without the slash in front; a directory's ends with one.
    fn name(&self) -> Vec<u8> {
        let mut name = inside(self.at).to_vec();
        if matches!(self.kind, Kind::Dir) {
            name.push(b'/');
        }
        name
    }

    fn target(&self) -> &[u8] {
        match self.kind {
            Kind::Again(first) => inside(first),
            Kind::Link(target) => target,
            Kind::File(_) | Kind::Dir => &[],
        }
    }

    fn len(&self) -> u64 {
        match self.kind {
            Kind::File(len) => len,
            Kind::Again(_) | Kind::Link(_) | Kind::Dir => 0,
        }
    }
}

impl Kind<'_> {
    fn flag(self) -> u8 {
        match self {
            Kind::File(_) => b'0',
            Kind::Again(_) => b'1',
            Kind::Link(_) => b'2',
            Kind::Dir => b'5',
        }
    }
}

fn inside(at: &ImagePath) -> &[u8] {
    at.below(&ImagePath::top()).unwrap_or_default()
}

/// A name as `(prefix, name)`, with a slash between them, if both fit.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= NAME {
        return Some((&[], name));
    }
    // The name keeps something behind its slash.
    let from = name.len() - NAME - 1;
    let slash = name[from..name.len() - 1].iter().position(|&b| b == b'/')? + from;
    let (prefix, name) = (&name[..slash], &name[slash + 1..]);
    (prefix.len() <= PREFIX && !prefix.is_empty()).then_some((prefix, name))
}

fn cut(name: &[u8]) -> &[u8] {
    &name[..name.len().min(NAME)]
}

/// The fields hold ASCII; UTF-8 goes into a record. What is neither is best
/// left as it is, as long as it fits.
fn is_other_text(name: &[u8]) -> bool {
    !name.is_ascii() && std::str::from_utf8(name).is_ok()
}

/// The records of an extended header.
#[derive(Default)]
struct Records(Vec<u8>);

impl Records {
    /// What the field of the block is to hold.
    fn number(&mut self, key: &str, value: u64, most: u64) -> u64 {
        if value <= most {
            return value;
        }
        self.add(key.as_bytes(), value.to_string().as_bytes());
        0
    }

    /// `LEN KEY=VALUE\n`; the length counts its own digits.
    fn add(&mut self, key: &[u8], value: &[u8]) {
        let rest = key.len() + value.len() + 3;
        let mut len = rest;
        while len != rest + len.to_string().len() {
            len = rest + len.to_string().len();
        }
        self.0.extend_from_slice(format!("{len} ").as_bytes());
        self.0.extend_from_slice(key);
        self.0.push(b'=');
        self.0.extend_from_slice(value);
        self.0.push(b'\n');
    }

    fn to_blocks(&self, name: &[u8]) -> Vec<u8> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let name = [b"PaxHeaders/", name].concat();
        let mut block = Block::new(cut(&name).strip_suffix(b"/").unwrap_or(cut(&name)), &[], b'x');
        block.octal(100, 8, 0o644);
        block.octal(108, 8, 0);
        block.octal(116, 8, 0);
        block.octal(124, 12, self.0.len() as u64);
        block.octal(136, 12, 0);
        let mut bytes = block.sealed().to_vec();
        bytes.extend_from_slice(&self.0);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes
    }
}

struct Block([u8; BLOCK]);

impl Block {
    fn new(name: &[u8], prefix: &[u8], flag: u8) -> Block {
        let mut block = Block([0; BLOCK]);
        block.text(0, name);
        block.0[156] = flag;
        block.text(257, b"ustar\x0000");
        block.text(345, prefix);
        block
    }

    fn text(&mut self, at: usize, text: &[u8]) {
        self.0[at..at + text.len()].copy_from_slice(text);
    }

    /// Digits to the last byte but one, which is NUL.
    fn octal(&mut self, at: usize, width: usize, value: u64) {
        let digits = format!("{value:0width$o}", width = width - 1);
        self.text(at, digits.as_bytes());
    }

    /// With the sum of its bytes, its own field counted as spaces.
    fn sealed(mut self) -> [u8; BLOCK] {
        self.text(148, b"        ");
        let sum: u32 = self.0.iter().map(|&b| u32::from(b)).sum();
        self.text(148, format!("{sum:06o}\0 ").as_bytes());
        self.0
    }
}
