//! A locale out of `locale-archive`, as the files of which a directory would
//! consist (glibc's locale/locarchive.h; `localedef` packs them unchanged).
//!
//! The archive holds every locale of a machine, up to 220 MB, and only the few
//! records of one are read. Its byte order is that of the root's machine.

use std::io;

use crate::bytes::ReadAt;
use crate::root::OpenFile;

const MAGIC: u32 = 0xde02_0109;

/// The header is so many words.
const HEAD: usize = 14;
/// A name's place in the table: its hash, where it stands, where its record stands.
const ENTRY: usize = 12;
/// How often a record is named, then offset and length for each category.
const RECORD: usize = 4 + 8 * CATEGORIES.len();

/// By their number; the seventh is `LC_ALL`, which has no file.
const CATEGORIES: [&str; 13] = [
    "LC_CTYPE",
    "LC_NUMERIC",
    "LC_TIME",
    "LC_COLLATE",
    "LC_MONETARY",
    "LC_MESSAGES/SYS_LC_MESSAGES",
    "",
    "LC_PAPER",
    "LC_NAME",
    "LC_ADDRESS",
    "LC_TELEPHONE",
    "LC_MEASUREMENT",
    "LC_IDENTIFICATION",
];

/// No table of names is larger, and no locale: the largest have 3 MB.
const LARGEST: usize = 16 << 20;

/// A file of a locale: its path in the directory, and what it holds.
pub(super) type Part = (&'static str, Vec<u8>);

/// The files of a locale, by the name under which it is packed. `None`: it is
/// not in there. An archive that makes no sense is an error.
pub(super) fn files(archive: &OpenFile, name: &[u8]) -> io::Result<Option<Vec<Part>>> {
    let Some(archive) = Archive::open(archive)? else { return Err(damaged()) };
    let Some(record) = archive.record_of(name)? else { return Ok(None) };
    let spans = archive.words(&archive.bytes(record, RECORD)?).into_iter().skip(1).collect::<Vec<_>>();
    let mut parts = Vec::new();
    let mut left = LARGEST;
    for (category, span) in CATEGORIES.into_iter().zip(spans.chunks(2)) {
        if !category.is_empty() {
            let len = usize::try_from(span[1]).unwrap_or(usize::MAX);
            // Damaged records may overlap.
            left = left.checked_sub(len).ok_or_else(damaged)?;
            parts.push((category, archive.bytes(span[0], len)?));
        }
    }
    Ok(Some(parts))
}

struct Archive<'a> {
    file: &'a OpenFile,
    is_big: bool,
}

impl Archive<'_> {
    fn open(file: &OpenFile) -> io::Result<Option<Archive<'_>>> {
        let little = Archive { file, is_big: false };
        let magic = little.bytes(0, 4)?;
        Ok(match little.words(&magic)[0] {
            MAGIC => Some(little),
            other if other.swap_bytes() == MAGIC => Some(Archive { file, is_big: true }),
            _ => None,
        })
    }

    /// Where the record of a name stands. The table is read from end to end:
    /// its order by hash is of no use for one question.
    fn record_of(&self, name: &[u8]) -> io::Result<Option<u32>> {
        let head = self.words(&self.bytes(0, HEAD * 4)?);
        let (table, size) = (head[2], usize::try_from(head[4]).unwrap_or(usize::MAX));
        let table = self.bytes(table, size.saturating_mul(ENTRY))?;
        let wanted = [name, b"\0"].concat();
        for entry in self.words(&table).chunks(ENTRY / 4) {
            if entry[2] != 0 && self.bytes(entry[1], wanted.len()).is_ok_and(|bytes| bytes == wanted) {
                return Ok(Some(entry[2]));
            }
        }
        Ok(None)
    }

    /// So many bytes, no fewer.
    fn bytes(&self, at: u32, len: usize) -> io::Result<Vec<u8>> {
        if len > LARGEST || u64::from(at) + len as u64 > self.file.stat.len {
            return Err(damaged());
        }
        let mut bytes = vec![0; len];
        let read = self.file.read_at(&mut bytes, at.into())?;
        if read < len { Err(damaged()) } else { Ok(bytes) }
    }

    fn words(&self, bytes: &[u8]) -> Vec<u32> {
        let (words, _) = bytes.as_chunks::<4>();
        let word =
            |word: &[u8; 4]| if self.is_big { u32::from_be_bytes(*word) } else { u32::from_le_bytes(*word) };
        words.iter().map(word).collect()
    }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is damaged or cut short")
}
