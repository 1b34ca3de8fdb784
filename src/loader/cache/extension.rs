//! The extension directory behind the strings: the names of `glibc-hwcaps`
//! subdirectories (2.33 and newer).

use super::image::{Image, until_nul};
use super::{Ask, Raw};

pub(super) const MAGIC: u32 = 0xeaa4_2174;
pub(super) const TAG_GENERATOR: u32 = 0;
pub(super) const TAG_HWCAPS: u32 = 1;
const HEADER: usize = 8;
const SECTION: usize = 16;

/// The subdirectory names by index, as file offsets.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    offsets: Vec<Slot>,
    damaged: bool,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    offset: u32,
    /// The loader merges these names with its own sorted list: one that is
    /// not greater than all before it is never matched.
    ascending: bool,
}

impl Names {
    /// Reads the directory that the new header at `start` points to. The
    /// pointer, like everything in the directory, counts from the start of
    /// the *file*.
    pub(super) fn read(image: &Image, start: usize) -> Names {
        match image.word(start + 32) {
            0 => Names::default(),
            at => match hwcaps_section(image, at as usize) {
                Some((offset, size)) => Names::of(image, offset, size),
                None => Names { offsets: Vec::new(), damaged: true },
            },
        }
    }

    fn of(image: &Image, offset: usize, size: usize) -> Names {
        let mut greatest: &[u8] = b"";
        let mut names = Names::default();
        for n in 0..size / 4 {
            let offset = image.word(offset + 4 * n);
            let Some(name) = image.text(offset as usize).map(until_nul) else {
                // 2.33 and newer run out of their array here.
                return Names { offsets: Vec::new(), damaged: true };
            };
            let ascending = n == 0 || name > greatest;
            greatest = greatest.max(name);
            names.offsets.push(Slot { offset, ascending });
        }
        names
    }

    pub(super) fn damaged(&self) -> bool {
        self.damaged
    }

    pub(super) fn name<'a>(&self, image: &'a Image, raw: &Raw) -> Option<&'a [u8]> {
        let slot = self.slot(raw)?;
        image.text(slot.offset as usize).map(until_nul)
    }

    /// Where an entry's name stands in the list of active ones; the least is
    /// the most preferred.
    pub(super) fn rank(&self, image: &Image, raw: &Raw, ask: &Ask<'_>) -> Option<usize> {
        let slot = self.slot(raw)?;
        let name = image.text(slot.offset as usize).map(until_nul)?;
        ask.hwcaps.iter().position(|active| slot.ascending && active == name)
    }

    fn slot(&self, raw: &Raw) -> Option<&Slot> {
        if !raw.is_named() {
            return None;
        }
        self.offsets.get((raw.hwcap & 0xffff_ffff) as usize)
    }
}

/// Offset and size of the array of names; both 0 if there is none. `None` if
/// the directory is malformed.
fn hwcaps_section(image: &Image, at: usize) -> Option<(usize, usize)> {
    let body = at.checked_add(HEADER).filter(|&end| at.is_multiple_of(4) && end <= image.len())?;
    let count = image.word(at + 4) as usize;
    if image.word(at) != MAGIC || count > (image.len() - body) / SECTION {
        return None;
    }
    let mut found = (0, 0);
    for n in 0..count {
        let section = body + n * SECTION;
        let (offset, size) = (image.word(section + 8) as usize, image.word(section + 12) as usize);
        if offset.checked_add(size).is_none_or(|end| end > image.len()) {
            return None;
        }
        if image.word(section) == TAG_HWCAPS {
            found = (offset, size);
        }
    }
    let (offset, size) = found;
    let usable = offset.is_multiple_of(4) && size.is_multiple_of(4);
    Some(if usable { (offset, size) } else { (0, 0) })
}
