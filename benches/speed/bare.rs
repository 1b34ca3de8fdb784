//! The least that a look at every file of a tree can cost: list each directory,
//! open each regular file in it, read four bytes, close it. Nothing is kept.

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use rustix::fs::{CWD, FileType, Mode, OFlags, RawDir, openat};

const DIR: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// Directories that wait, each with the open one that holds it, and how many
/// are being looked at.
type Work = (Mutex<(Vec<(Option<Arc<OwnedFd>>, CString)>, usize)>, Condvar);

/// Returns how many files were read, and how many of them are ELF.
pub fn walk(top: &str, threads: usize) -> (usize, usize) {
    let top = CString::new(top).expect("an argument holds no NUL");
    let work: Work = (Mutex::new((vec![(None, top)], 0)), Condvar::new());
    let (files, elf) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let (f, e) = worker(&work);
                files.fetch_add(f, Ordering::Relaxed);
                elf.fetch_add(e, Ordering::Relaxed);
            });
        }
    });
    (files.into_inner(), elf.into_inner())
}

fn worker((state, changed): &Work) -> (usize, usize) {
    let mut buffer = vec![MaybeUninit::uninit(); 32 * 1024];
    let mut counts = (0, 0);
    loop {
        let mut turn = state.lock().unwrap();
        let (above, name) = loop {
            match turn.0.pop() {
                Some(next) => break next,
                None if turn.1 == 0 => return counts,
                None => turn = changed.wait(turn).unwrap(),
            }
        };
        turn.1 += 1;
        drop(turn);
        let below = look(above.as_deref(), &name, &mut buffer, &mut counts);
        let mut turn = state.lock().unwrap();
        turn.0.extend(below);
        turn.1 -= 1;
        changed.notify_all();
    }
}

fn look(
    above: Option<&OwnedFd>,
    name: &CString,
    buffer: &mut [MaybeUninit<u8>],
    counts: &mut (usize, usize),
) -> Vec<(Option<Arc<OwnedFd>>, CString)> {
    let mut below = Vec::new();
    let at = above.map_or(CWD, AsFd::as_fd);
    let Ok(dir) = openat(at, name.as_c_str(), DIR, Mode::empty()) else { return below };
    let dir = Arc::new(dir);
    let mut entries = RawDir::new(&*dir, buffer);
    while let Some(Ok(entry)) = entries.next() {
        let name = entry.file_name();
        let kind = entry.file_type();
        if kind == FileType::RegularFile {
            let mut head = [0; 4];
            let Ok(file) = openat(&*dir, name, FILE, Mode::empty()) else { continue };
            let read = rustix::io::pread(&file, &mut head, 0);
            counts.0 += usize::from(read.is_ok());
            counts.1 += usize::from(head == *b"\x7fELF");
        } else if kind == FileType::Directory && !matches!(name.to_bytes(), b"." | b"..") {
            below.push((Some(Arc::clone(&dir)), name.to_owned()));
        }
    }
    below
}
