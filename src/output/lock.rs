//! One run at a time writes a tree.

use std::os::fd::OwnedFd;

use rustix::fs::{self, FlockOperation};
use rustix::io::{Errno, retry_on_intr};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    Held,
    /// Another run has it.
    Taken,
    /// This file system has none.
    None,
}

/// Takes the lock of a directory, until it is given up or its descriptor is closed.
pub(super) fn lock(top: &OwnedFd) -> rustix::io::Result<Lock> {
    match retry_on_intr(|| fs::flock(top, FlockOperation::NonBlockingLockExclusive)) {
        Ok(()) => Ok(Lock::Held),
        Err(Errno::WOULDBLOCK) => Ok(Lock::Taken),
        Err(Errno::NOLCK | Errno::NOTSUP | Errno::NOSYS) => Ok(Lock::None),
        Err(errno) => Err(errno),
    }
}

/// Gives the lock up. To close the descriptor is not enough: a child that was
/// just forked has it too, until it runs something else.
pub(super) fn unlock(top: &OwnedFd) {
    // Without a lock there is none to give up.
    let _ = retry_on_intr(|| fs::flock(top, FlockOperation::Unlock));
}

/// Whether we have made it: what somebody else left there is not believed.
pub(super) fn is_ours(top: &OwnedFd) -> bool {
    let owner = retry_on_intr(|| fs::fstat(top)).map(|stat| stat.st_uid);
    owner.is_ok_and(|uid| uid == rustix::process::geteuid().as_raw())
}
