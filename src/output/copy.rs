//! The bytes of one file into another, by the shortest way that the kernel has.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{self, FallocateFlags, SeekFrom};
use rustix::io::{Errno, retry_on_intr};

use super::{Failure, signal};
use crate::bytes::ReadAt;
use crate::root::OpenFile;

/// A signal waits no longer than for so many bytes.
const CHUNK: u64 = 64 << 20;

/// Writing so much is quicker if the file system knows the end beforehand.
const LARGE: u64 = 256 * 1024;

const BUFFER: usize = 128 * 1024;

/// Holes of smaller files are not worth a question.
const SPARSE: u64 = 64 * 1024;

/// What was learned about the devices that are copied from.
#[derive(Debug, Default)]
pub(super) struct Ways {
    /// Extents cannot be shared with these.
    unshared: Mutex<BTreeSet<u64>>,
}

/// Why bytes did not arrive.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The source ended early.
    Short,
    Read(io::Error),
    Write(Errno),
    Interrupted(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Trouble::Interrupted(failure)
    }
}

impl Ways {
    /// Copies the whole of `from` into an empty file.
    pub(super) fn copy(&self, from: &OpenFile, to: BorrowedFd<'_>) -> Result<(), Trouble> {
        let len = from.stat.len;
        let Some(fd) = from.fd() else { return by_hand(from, to, 0, len) };
        if len == 0 || self.share(from, fd, to) {
            return Ok(());
        }
        if len < SPARSE || !has_hole(fd, len) {
            return span(from, fd, to, 0, len);
        }
        let mut at = 0;
        while let Some((start, end)) = data(fd, at, len).map_err(|errno| Trouble::Read(errno.into()))? {
            span(from, fd, to, start, end)?;
            at = end;
        }
        retry_on_intr(|| fs::ftruncate(to, len)).map_err(Trouble::Write)
    }

    /// Whether both files hold the same extents now.
    fn share(&self, from: &OpenFile, fd: BorrowedFd<'_>, to: BorrowedFd<'_>) -> bool {
        let unshared = || self.unshared.lock().unwrap_or_else(PoisonError::into_inner);
        if unshared().contains(&from.stat.id.dev) {
            return false;
        }
        let shared = retry_on_intr(|| fs::ioctl_ficlone(to, fd)).is_ok();
        if !shared {
            unshared().insert(from.stat.id.dev);
        }
        shared
    }
}

/// A hole before the end, where the file system can tell.
fn has_hole(fd: BorrowedFd<'_>, len: u64) -> bool {
    retry_on_intr(|| fs::seek(fd, SeekFrom::Hole(0))).is_ok_and(|hole| hole < len)
}

/// The next stretch that is no hole. `None`: none is left.
fn data(fd: BorrowedFd<'_>, at: u64, len: u64) -> rustix::io::Result<Option<(u64, u64)>> {
    if at >= len {
        return Ok(None);
    }
    let start = match retry_on_intr(|| fs::seek(fd, SeekFrom::Data(at))) {
        Err(Errno::NXIO) => return Ok(None),
        start => start?,
    };
    let end = retry_on_intr(|| fs::seek(fd, SeekFrom::Hole(start)))?.min(len);
    Ok((start < end).then_some((start, end)))
}

/// Copies what lies between two offsets to the same place.
fn span(
    from: &OpenFile,
    fd: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    start: u64,
    end: u64,
) -> Result<(), Trouble> {
    if end - start >= LARGE {
        let room = retry_on_intr(|| fs::fallocate(to, FallocateFlags::empty(), start, end - start));
        // A file system that cannot do this can still be written to.
        if let Err(errno @ (Errno::NOSPC | Errno::DQUOT)) = room {
            return Err(Trouble::Write(errno));
        }
    }
    let (mut read, mut written) = (start, start);
    while read < end {
        signal::go_on()?;
        let want = usize::try_from((end - read).min(CHUNK)).expect("a chunk fits");
        let copied = retry_on_intr(|| fs::copy_file_range(fd, Some(&mut read), to, Some(&mut written), want));
        match copied {
            // Some file systems end early that way, with more to come.
            Ok(0) => return by_hand(from, to, read, end),
            Ok(_) => {}
            Err(errno) if is_no_way(errno) => return by_hand(from, to, read, end),
            Err(errno) => return Err(Trouble::Write(errno)),
        }
    }
    Ok(())
}

/// The kernel cannot copy between these two files; reading and writing may do.
fn is_no_way(errno: Errno) -> bool {
    let no_way =
        [Errno::XDEV, Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP, Errno::PERM, Errno::BADF, Errno::TXTBSY];
    no_way.contains(&errno)
}

fn by_hand(from: &OpenFile, to: BorrowedFd<'_>, start: u64, end: u64) -> Result<(), Trouble> {
    let mut buffer = vec![0; BUFFER.min(usize::try_from(end - start).unwrap_or(BUFFER))];
    let mut at = start;
    while at < end {
        signal::go_on()?;
        let want = buffer.len().min(usize::try_from(end - at).unwrap_or(BUFFER));
        let n = from.read_at(&mut buffer[..want], at).map_err(Trouble::Read)?;
        if n == 0 {
            return Err(Trouble::Short);
        }
        write_at(to, &buffer[..n], at).map_err(Trouble::Write)?;
        at += n as u64;
    }
    Ok(())
}

pub(super) fn write_at(to: BorrowedFd<'_>, bytes: &[u8], offset: u64) -> rustix::io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match retry_on_intr(|| rustix::io::pwrite(to, &bytes[done..], offset + done as u64))? {
            0 => return Err(Errno::IO),
            n => done += n,
        }
    }
    Ok(())
}
