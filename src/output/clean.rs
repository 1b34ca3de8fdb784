//! Removes what a run has left over, however deep it is.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, AtFlags, Mode, RawDir};
use rustix::io::{Errno, retry_on_intr};

use super::Failure;
use super::tree::{READ_DIR, open_dir};

/// Removes `name` with all that is in it. What is not there is removed already.
/// A second attempt is made: nobody is helped by half of it.
pub(super) fn remove(parent: BorrowedFd<'_>, name: &[u8], path: &Path) -> Result<(), Failure> {
    remove_once(parent, name)
        .or_else(|_| remove_once(parent, name))
        .map_err(|errno| Failure::io("remove", path, errno))
}

/// A directory on the way down, and what is still to be removed from it.
struct Level {
    name: Vec<u8>,
    id: (u64, u64),
    dirs: Vec<Vec<u8>>,
}

fn remove_once(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<()> {
    if unlink(parent, name)? {
        return Ok(());
    }
    let (mut dir, level) = enter(parent, name)?;
    let mut levels = vec![level];
    while let Some(level) = levels.last_mut() {
        if let Some(name) = level.dirs.pop() {
            let (below, level) = enter(dir.as_fd(), &name)?;
            dir = below;
            levels.push(level);
            continue;
        }
        let done = levels.pop().expect("it was looked at");
        match levels.last() {
            Some(above) => {
                dir = retry_on_intr(|| fs::openat(&dir, c"..", READ_DIR, Mode::empty()))?;
                // Somebody moved the directory: what lies above is none of ours.
                if id(&dir)? != above.id {
                    return Err(Errno::XDEV);
                }
                rmdir(dir.as_fd(), &done.name)?;
            }
            None => rmdir(parent, &done.name)?,
        }
    }
    Ok(())
}

/// Opens a directory and removes from it all that is none.
fn enter(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<(OwnedFd, Level)> {
    let dir = match open_dir(parent, name) {
        // Ours, but closed to us.
        Err(Errno::ACCESS) => {
            retry_on_intr(|| fs::chmodat(parent, name, Mode::RWXU, AtFlags::empty()))?;
            open_dir(parent, name)?
        }
        dir => dir?,
    };
    let writable = retry_on_intr(|| fs::fchmod(&dir, Mode::RWXU));
    let mut dirs = Vec::new();
    for name in names(&dir)? {
        if !unlink(dir.as_fd(), &name).map_err(|errno| writable.err().unwrap_or(errno))? {
            dirs.push(name);
        }
    }
    let level = Level { name: name.to_vec(), id: id(&dir)?, dirs };
    Ok((dir, level))
}

/// Whether the name is gone now. A directory stays.
fn unlink(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<bool> {
    match retry_on_intr(|| fs::unlinkat(parent, name, AtFlags::empty())) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::ISDIR) => Ok(false),
        Err(errno) => Err(errno),
    }
}

pub(super) fn rmdir(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<()> {
    match retry_on_intr(|| fs::unlinkat(parent, name, AtFlags::REMOVEDIR)) {
        Err(Errno::NOENT) => Ok(()),
        done => done,
    }
}

fn id(dir: &OwnedFd) -> rustix::io::Result<(u64, u64)> {
    let stat = retry_on_intr(|| fs::fstat(dir))?;
    Ok((stat.st_dev as _, stat.st_ino as _))
}

/// What a directory holds, in no order.
pub(super) fn names(dir: &OwnedFd) -> rustix::io::Result<Vec<Vec<u8>>> {
    let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
    let mut entries = RawDir::new(dir, &mut buffer);
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        match entry {
            Err(Errno::INTR) => {}
            entry => match entry?.file_name().to_bytes() {
                b"." | b".." => {}
                name => names.push(name.to_vec()),
            },
        }
    }
    Ok(names)
}
