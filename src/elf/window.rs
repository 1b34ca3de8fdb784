//! A few small windows on a file, so that neighbouring reads cost one `pread`.
//!
//! The file is never mapped: a page fault costs more than a read here, and a
//! file that is cut short meanwhile would raise SIGBUS.

use std::io;

use object::pod::{self, Pod};

use crate::bytes::ReadAt;

/// More than a file system can hold, and still an offset that `pread` takes.
const LAST_OFFSET: u64 = i64::MAX as u64 - (1 << 32);

/// How many windows there are at most.
const SLOTS: usize = 4;

/// What keeps something from being read.
#[derive(Debug)]
pub(super) enum Stop {
    Io(io::Error),
    /// Something is wrong with the file; the text names the part.
    Bad(&'static str),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::Io(error)
    }
}

pub(super) type Read<T> = Result<T, Stop>;

/// A [`Stop::Bad`]: one wording for all parts of a file, whoever tells it.
macro_rules! damaged {
    ($part:literal) => {
        crate::elf::window::Stop::Bad(concat!("it is damaged or cut short: ", $part))
    };
}
pub(super) use damaged;

/// Separates what is wrong with the file from a read that failed.
pub(super) fn split<T>(read: Read<T>) -> io::Result<Result<T, &'static str>> {
    match read {
        Ok(value) => Ok(Ok(value)),
        Err(Stop::Bad(what)) => Ok(Err(what)),
        Err(Stop::Io(error)) => Err(error),
    }
}

/// The windows. Whatever lies in one of them is served from it; else the one
/// that was not used for the longest time moves.
pub(super) struct Windows<'a, R: ?Sized> {
    file: &'a R,
    /// Divided into as many windows as there are `slots` in use.
    buf: &'a mut [u8],
    size: usize,
    slots: [Slot; SLOTS],
    used: usize,
    /// The window that served the latest read, most likely the next one's too.
    last: usize,
    clock: u32,
    /// Where the file ends, once a read has fallen short.
    end: u64,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    start: u64,
    len: usize,
    touched: u32,
}

impl<'a, R: ReadAt + ?Sized> Windows<'a, R> {
    /// Windows of `size` bytes each, as many as fit in `buf`.
    pub(super) fn new(file: &'a R, buf: &'a mut [u8], size: usize) -> Self {
        let used = (buf.len() / size).min(SLOTS);
        assert!(used > 0, "there is room for a window");
        let slots = [Slot::default(); SLOTS];
        Windows { file, buf, size, slots, used, last: 0, clock: 0, end: u64::MAX }
    }

    /// Bytes from `offset` on: at least `want`, which is not more than a window
    /// holds, or fewer where the file ends.
    #[inline]
    pub(super) fn from(&mut self, offset: u64, want: usize) -> io::Result<&[u8]> {
        debug_assert!(want <= self.size);
        // Most reads are neighbours of the one before.
        let Slot { start, len, .. } = self.slots[self.last];
        let base = self.last * self.size;
        match usize::try_from(offset.wrapping_sub(start)) {
            Ok(skip) if skip < len && want <= len - skip => Ok(&self.buf[base + skip..base + len]),
            _ => self.move_to(offset, want),
        }
    }

    /// Up to `most` whole structures from `offset` on, as many as one window
    /// shows: none where the file ends before the first one does.
    pub(super) fn some<T: Pod>(&mut self, offset: u64, most: u64) -> io::Result<&[T]> {
        let bytes = self.from(offset, size_of::<T>())?;
        let count = bytes.len() / size_of::<T>();
        let count = usize::try_from(most).unwrap_or(usize::MAX).min(count);
        Ok(pod::slice_from_bytes::<T>(bytes, count).map_or(&[], |(some, _)| some))
    }

    /// A structure at `offset`, or `None` where the file ends before it does.
    pub(super) fn get<T: Pod>(&mut self, offset: u64) -> io::Result<Option<T>> {
        let bytes = self.from(offset, size_of::<T>())?;
        Ok(pod::from_bytes::<T>(bytes).ok().map(|(value, _)| *value))
    }

    /// Past the end of the file, in its last page: zeros for who maps it.
    pub(super) fn reads_as_zeros(&mut self, offset: u64) -> io::Result<bool> {
        const PAGE: u64 = 4096;
        Ok(!self.from(offset / PAGE * PAGE, 1)?.is_empty())
    }

    fn move_to(&mut self, offset: u64, want: usize) -> io::Result<&[u8]> {
        if offset >= self.end {
            return Ok(&[]);
        }
        let index = match self.holding(offset, want) {
            Some(index) => index,
            None => self.fill(offset)?,
        };
        if index != self.last {
            self.clock += 1;
            self.slots[self.last].touched = self.clock;
            self.last = index;
        }
        let slot = self.slots[index];
        let skip = (offset - slot.start) as usize;
        let base = index * self.size;
        Ok(&self.buf[base + skip.min(slot.len)..base + slot.len])
    }

    fn holding(&self, offset: u64, want: usize) -> Option<usize> {
        let until = offset.saturating_add(want as u64).min(self.end);
        let holds = |s: &Slot| s.start <= offset && until <= s.start + s.len as u64;
        self.slots[..self.used].iter().position(holds)
    }

    fn fill(&mut self, offset: u64) -> io::Result<usize> {
        let slots = self.slots[..self.used].iter().enumerate();
        let stale = slots.filter(|(i, _)| self.used == 1 || *i != self.last).min_by_key(|(_, s)| s.touched);
        let (index, _) = stale.expect("there is a window");
        let target = &mut self.buf[index * self.size..][..self.size];
        // Empty while the read may fail: what is in the buffer then is nothing.
        self.slots[index].len = 0;
        let len = read_at(self.file, target, offset)?;
        if len < self.size {
            self.end = self.end.min(offset + len as u64);
        }
        self.slots[index] = Slot { start: offset, len, touched: 0 };
        Ok(index)
    }
}

/// Reads up to `len` bytes into one allocation. It grows with what the file
/// holds, not with what a header claims.
pub(super) fn bulk<R: ReadAt + ?Sized>(file: &R, offset: u64, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut step = 1 << 16;
    while (bytes.len() as u64) < len {
        let old = bytes.len();
        let want = usize::try_from(len - old as u64).unwrap_or(usize::MAX).min(step);
        bytes.resize(old + want, 0);
        let got = read_at(file, &mut bytes[old..], offset.saturating_add(old as u64))?;
        if got < want {
            bytes.truncate(old + got);
            break;
        }
        step *= 2;
    }
    Ok(bytes)
}

/// An offset that no file reaches is past its end, not an error of `pread`.
fn read_at<R: ReadAt + ?Sized>(file: &R, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    if offset > LAST_OFFSET {
        return Ok(0);
    }
    file.read_at(buf, offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_in_the_last_page_reads_as_zeros() {
        let bytes = vec![1u8; 5000];
        let mut buf = [0; 256];
        let mut windows = Windows::new(&bytes[..], &mut buf, 64);
        for (offset, expected) in
            [(0, true), (4999, true), (5000, true), (8191, true), (8192, false), (1 << 40, false)]
        {
            assert_eq!(windows.reads_as_zeros(offset).unwrap(), expected, "{offset}");
        }
    }

    #[test]
    fn any_span_of_any_window_size_is_as_in_memory() {
        let file: Vec<u8> = (0..3000u32).map(|i| (i % 251) as u8).collect();
        for (size, windows) in [(64, 1), (64, 4), (100, 3), (1024, 2), (4096, 1)] {
            let mut buf = vec![0; size * windows];
            let mut view = Windows::new(&file[..], &mut buf, size);
            let mut seed = 1u64;
            for _ in 0..2000 {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let offset = (seed >> 33) % 3100;
                let want = (seed >> 20) as usize % 65;
                let got = view.from(offset, want).unwrap();
                let rest = file.get(offset as usize..).unwrap_or(&[]);
                assert!(got.len() >= want.min(rest.len()), "{size} {offset} {want}");
                assert_eq!(got, &rest[..got.len()], "{size} {offset} {want}");
            }
        }
    }

    #[test]
    fn offsets_beyond_any_file_are_its_end() {
        let mut buf = [0; 64];
        let mut view = Windows::new(&b"abc"[..], &mut buf, 64);
        for offset in [3, 4, 1 << 40, i64::MAX as u64, 1 << 63, u64::MAX] {
            assert_eq!(view.from(offset, 8).unwrap(), b"", "{offset}");
            assert_eq!(bulk(&b"abc"[..], offset, u64::MAX).unwrap(), b"", "{offset}");
        }
        assert_eq!(bulk(&b"abc"[..], 1, u64::MAX).unwrap(), b"bc");
    }

    /// A file of which nothing may be asked beyond the offsets of a real one.
    struct Strict;

    impl ReadAt for Strict {
        fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
            assert!(i64::try_from(offset.saturating_add(buf.len() as u64)).is_ok());
            Ok(0)
        }
    }

    #[test]
    fn no_offset_overflows_what_pread_takes() {
        for offset in [0, i64::MAX as u64 - 1, i64::MAX as u64, u64::MAX] {
            let mut buf = [0; 64];
            assert!(Windows::new(&Strict, &mut buf, 64).from(offset, 8).unwrap().is_empty());
        }
    }
}
