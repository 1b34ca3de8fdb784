//! A directory of this machine as a root.

use std::io;
use std::os::fd::OwnedFd;

/// Reads until `buf` is full or the file ends.
pub(super) fn pread_full(_fd: &OwnedFd, _buf: &mut [u8], _offset: u64) -> io::Result<usize> {
    Ok(0)
}
