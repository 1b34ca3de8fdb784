//! What of a file is mapped, and what keeps it from that: after the kernel's
//! `load_elf_binary` and glibc's `_dl_map_object_from_fd`.

use super::Class;
use super::layout::{Segment, SegmentKind};

/// The smallest page of all machines: what is not aligned to it is to none.
pub(crate) const PAGE: u64 = 4096;

/// What the program headers ask to be mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mapping {
    /// Where in the file the last byte is that is mapped.
    pub end: u64,
    /// For who starts the file as a program.
    pub kernel: Option<Flaw>,
    /// For who loads it as a library.
    pub loader: Option<Flaw>,
    /// The address of the dynamic section lies in no segment.
    pub is_dynamic_outside: bool,
}

/// What is wrong with a `PT_LOAD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Its offset and its address lie differently in a page.
    Misaligned,
    /// More than an address space or a file holds.
    TooLarge,
    /// The kernel: more of it is in the file than in memory.
    Shrinks,
    /// Its bytes of the file lie outside of what the first and the last one span.
    Outside,
    /// So do the zeros behind them.
    ZerosOutside,
}

/// Of 128 TiB the other half is taken, of 4 GiB the last.
fn address_space(class: Class) -> u64 {
    match class {
        Class::Elf64 => 1 << 46,
        Class::Elf32 => 3 << 30,
    }
}

pub(super) fn of(segments: &[Segment], class: Class) -> Mapping {
    let loads = || segments.iter().filter(|s| s.kind == SegmentKind::Load);
    let is_misaligned = loads().any(|s| s.vaddr.wrapping_sub(s.offset) % PAGE != 0);
    let early = is_misaligned.then_some(Flaw::Misaligned);
    let room = address_space(class);
    let dynamic = segments.iter().rfind(|s| s.kind == SegmentKind::Dynamic && s.filesz != 0);
    let holds = |s: &Segment, addr: u64| addr.wrapping_sub(s.vaddr) < s.memsz.max(s.filesz);
    Mapping {
        end: loads().map(|s| s.offset.saturating_add(s.filesz)).max().unwrap_or(0),
        kernel: early.or_else(|| for_kernel(loads(), room)),
        loader: early.or_else(|| for_loader(loads(), room)),
        is_dynamic_outside: dynamic.is_some_and(|d| !loads().any(|s| holds(s, d.vaddr))),
    }
}

fn for_kernel<'s>(loads: impl Iterator<Item = &'s Segment>, room: u64) -> Option<Flaw> {
    let (mut low, mut high) = (u64::MAX, 0);
    for load in loads {
        if load.filesz > load.memsz {
            return Some(Flaw::Shrinks);
        }
        if is_beyond_files(load) {
            return Some(Flaw::TooLarge);
        }
        low = low.min(load.vaddr);
        high = high.max(load.vaddr.saturating_add(load.memsz));
    }
    (high.saturating_sub(low) > room).then_some(Flaw::TooLarge)
}

/// What the first and the last one span is reserved, then each is mapped into it.
fn for_loader<'s>(mut loads: impl Iterator<Item = &'s Segment> + Clone, room: u64) -> Option<Flaw> {
    let all = loads.clone();
    let first = loads.next()?;
    let last = loads.last().unwrap_or(first);
    let start = first.vaddr / PAGE * PAGE;
    let span = last.vaddr.wrapping_add(last.memsz).wrapping_sub(start);
    let widest = all.clone().map(|s| s.align).filter(|align| align.is_power_of_two()).max().unwrap_or(0);
    if span == 0 || span.saturating_add(widest) > room {
        return Some(Flaw::TooLarge);
    }
    let reserved = span.next_multiple_of(PAGE);
    all.into_iter().find_map(|load| {
        // What lies before the first one is mapped there, and may do no harm.
        let at = load.vaddr.checked_sub(start)?;
        match () {
            () if is_beyond_files(load) => Some(Flaw::TooLarge),
            () if at.saturating_add(load.filesz) > reserved => Some(Flaw::Outside),
            () if at.saturating_add(load.memsz) > reserved => Some(Flaw::ZerosOutside),
            () => None,
        }
    })
}

fn is_beyond_files(load: &Segment) -> bool {
    i64::try_from(load.offset.saturating_add(load.filesz)).is_err()
}
