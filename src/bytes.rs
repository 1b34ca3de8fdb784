//! A window on a file: reads at an offset, no seek, no map, no whole file.

use std::io;

/// Something that can be read at an offset. A file, or bytes in memory.
pub trait ReadAt {
    /// Reads into `buf` from `offset` and returns how many bytes there were.
    /// Fewer than asked for means that the file ends there.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl ReadAt for [u8] {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let n = buf.len().min(self.len() - start);
        buf[..n].copy_from_slice(&self[start..start + n]);
        Ok(n)
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        (**self).read_at(buf, offset)
    }
}
