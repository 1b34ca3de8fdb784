//! The extension directory behind the strings: the names of `glibc-hwcaps`
//! subdirectories (2.33 and newer).

use super::{Ask, Raw, text_at, u32_at, until_nul};
use crate::elf::Order;

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
    pub(super) fn read(bytes: &[u8], start: usize, order: Order) -> Names {
        match u32_at(bytes, start + 32, order) {
            0 => Names::default(),
            at => match hwcaps_section(bytes, at as usize, order) {
                Some((offset, size)) => Names::of(bytes, offset, size, order),
                None => Names { offsets: Vec::new(), damaged: true },
            },
        }
    }

    fn of(bytes: &[u8], offset: usize, size: usize, order: Order) -> Names {
        let mut greatest: &[u8] = b"";
        let mut names = Names::default();
        for n in 0..size / 4 {
            let offset = u32_at(bytes, offset + 4 * n, order);
            let Some(name) = text_at(bytes, offset as usize).map(until_nul) else {
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

    pub(super) fn name<'a>(&self, bytes: &'a [u8], raw: &Raw) -> Option<&'a [u8]> {
        let slot = self.slot(raw)?;
        text_at(bytes, slot.offset as usize).map(until_nul)
    }

    /// Where an entry's name stands in the list of active ones; the least is
    /// the most preferred.
    pub(super) fn rank(&self, bytes: &[u8], raw: &Raw, ask: &Ask<'_>) -> Option<usize> {
        let slot = self.slot(raw)?;
        let name = text_at(bytes, slot.offset as usize).map(until_nul)?;
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
fn hwcaps_section(bytes: &[u8], at: usize, order: Order) -> Option<(usize, usize)> {
    let body = at.checked_add(HEADER).filter(|&end| at.is_multiple_of(4) && end <= bytes.len())?;
    let count = u32_at(bytes, at + 4, order) as usize;
    if u32_at(bytes, at, order) != MAGIC || count > (bytes.len() - body) / SECTION {
        return None;
    }
    let mut found = (0, 0);
    for n in 0..count {
        let section = body + n * SECTION;
        let offset = u32_at(bytes, section + 8, order) as usize;
        let size = u32_at(bytes, section + 12, order) as usize;
        if offset.checked_add(size).is_none_or(|end| end > bytes.len()) {
            return None;
        }
        if u32_at(bytes, section, order) == TAG_HWCAPS {
            found = (offset, size);
        }
    }
    let (offset, size) = found;
    let usable = offset.is_multiple_of(4) && size.is_multiple_of(4);
    Some(if usable { (offset, size) } else { (0, 0) })
}
