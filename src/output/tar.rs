//! A plan as a tar archive: the same bytes for the same plan. For builders
//! that may not give files their owners.
//!
//! ustar as in POSIX.1-1988, with the extended headers of POSIX.1-2001 only
//! where a field is too small or a name is no ASCII; attributes as
//! `SCHILY.xattr.*`, as GNU tar and the container engines read them. Times are
//! whole seconds: a fraction would cost each entry two more blocks.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use self::header::{BLOCK, Header, Kind};
use super::dir::vacancy;
use super::fresh::Vacancy;
use super::lock::{Lock, is_ours, lock};
use super::meta::Clock;
use super::{Done, Failure, Options, Sources, open_source, signal};
use crate::bytes::ReadAt;
use crate::path::ImagePath;
use crate::plan::{Content, ContentId, Node, Plan, Source};
use crate::root::{Access, FileId, host};

mod header;

const BUFFER: usize = 128 * 1024;

/// Writes the archive to a stream.
pub fn write(
    plan: &Plan,
    sources: Sources<'_>,
    out: &mut dyn Write,
    options: Options,
) -> Result<Done, Failure> {
    signal::watch();
    Archive::new(plan, sources, Path::new("-"), out, options).write()
}

/// Writes the archive to a file. It has its name when it is whole; what is no
/// file, such as a FIFO, is written to as it is.
pub fn write_file(plan: &Plan, sources: Sources<'_>, path: &Path, options: Options) -> Result<Done, Failure> {
    signal::watch();
    match look(plan, path, options)? {
        None => write_beside(plan, sources, path, options),
        Some(FileType::RegularFile) => {
            // A link stays, and what it leads to is replaced.
            let path = host::real_path(path).map_err(|cause| Failure::io("write", path, cause))?;
            write_beside(plan, sources, &path, options)
        }
        Some(_) => write_into(plan, sources, path, options),
    }
}

/// What would be refused, and what stands there: for a dry run that is all.
pub fn look(plan: &Plan, path: &Path, options: Options) -> Result<Option<FileType>, Failure> {
    let look = |flags| retry_on_intr(|| fs::statat(CWD, path, flags));
    if look(AtFlags::SYMLINK_NOFOLLOW).is_err_and(|errno| errno == Errno::NOENT) {
        return vacancy(path).map(|_| None);
    }
    let stat = look(AtFlags::empty()).map_err(|errno| Failure::io("write", path, errno))?;
    spare(plan, &stat, path, options)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind == FileType::Directory { Err(Failure::io("write", path, Errno::ISDIR)) } else { Ok(Some(kind)) }
}

/// Refuses what is no archive, and what is in the plan.
fn spare(plan: &Plan, stat: &fs::Stat, path: &Path, options: Options) -> Result<(), Failure> {
    let id = FileId { dev: stat.st_dev as _, ino: stat.st_ino as _ };
    if plan.holds(id) {
        let hint = "the last word is the archive to write";
        return Err(Failure::refused(path, "it is to be collected", Some(hint)));
    }
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    if is_file && !options.force && stat.st_size > 0 && !is_archive(path)? {
        return Err(Failure::refused(path, "it is a file, and no tar archive", Some("--force replaces it")));
    }
    Ok(())
}

/// The magic of ustar, which GNU's form has too.
fn is_archive(path: &Path) -> Result<bool, Failure> {
    const MAGIC: (u64, &[u8]) = (257, b"ustar");
    let failed = |errno: Errno| Failure::io("read", path, errno);
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = retry_on_intr(|| fs::openat(CWD, path, flags, Mode::empty())).map_err(failed)?;
    let mut magic = [0; MAGIC.1.len()];
    let len = retry_on_intr(|| rustix::io::pread(&file, &mut magic, MAGIC.0)).map_err(failed)?;
    Ok(magic[..len] == *MAGIC.1)
}

fn write_into(plan: &Plan, sources: Sources<'_>, path: &Path, options: Options) -> Result<Done, Failure> {
    let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = retry_on_intr(|| fs::openat(CWD, path, flags, Mode::empty()));
    let file = file.map_err(|errno| Failure::io("write", path, errno))?;
    write_to(file, plan, sources, path, options)
}

fn write_beside(plan: &Plan, sources: Sources<'_>, path: &Path, options: Options) -> Result<Done, Failure> {
    let vacancy = vacancy(path)?;
    let failed = |errno: Errno| Failure::io("write", path, errno);
    let file = claim(&vacancy, path)?;
    let written = write_to(file, plan, sources, path, options).and_then(|done| {
        retry_on_intr(|| fs::renameat(&vacancy.parent, vacancy.stage(), &vacancy.parent, &vacancy.name[..]))
            .map_err(failed)?;
        Ok(done)
    });
    if written.is_err() {
        // What went wrong first is what is told.
        let _ = retry_on_intr(|| fs::unlinkat(&vacancy.parent, vacancy.stage(), AtFlags::empty()));
    }
    written
}

/// Makes the file that becomes the archive. One that a killed run has left is removed.
fn claim(vacancy: &Vacancy, path: &Path) -> Result<OwnedFd, Failure> {
    let failed = |errno: Errno| Failure::io("write", path, errno);
    let name = vacancy.stage();
    let open = |flags: OFlags| {
        let flags = flags | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        retry_on_intr(|| fs::openat(&vacancy.parent, &name[..], flags, Mode::from_raw_mode(0o666)))
    };
    if let Ok(left) = open(OFlags::empty()) {
        if lock(&left).map_err(failed)? == Lock::Taken {
            return Err(Failure::refused(path, "another depcollect is writing it", None));
        }
        if is_ours(&left) {
            retry_on_intr(|| fs::unlinkat(&vacancy.parent, &name[..], AtFlags::empty())).map_err(failed)?;
        }
    }
    let file = open(OFlags::CREATE | OFlags::EXCL).map_err(failed)?;
    lock(&file).map_err(failed)?;
    Ok(file)
}

fn write_to(
    file: OwnedFd,
    plan: &Plan,
    sources: Sources<'_>,
    path: &Path,
    options: Options,
) -> Result<Done, Failure> {
    let mut out = BufWriter::with_capacity(BUFFER, File::from(file));
    let done = Archive::new(plan, sources, path, &mut out, options).write()?;
    out.flush().map_err(|cause| Failure::io("write", path, cause))?;
    Ok(done)
}

struct Archive<'a> {
    plan: &'a Plan,
    sources: Sources<'a>,
    clock: Clock,
    /// For messages.
    path: &'a Path,
    out: &'a mut dyn Write,
    /// Under which name a content is in the archive already.
    known: BTreeMap<ContentId, &'a ImagePath>,
    done: Done,
}

impl<'a> Archive<'a> {
    fn new(
        plan: &'a Plan,
        sources: Sources<'a>,
        path: &'a Path,
        out: &'a mut dyn Write,
        options: Options,
    ) -> Self {
        let clock = Clock::new(plan, options);
        Archive { plan, sources, clock, path, out, known: BTreeMap::new(), done: Done::default() }
    }

    fn write(mut self) -> Result<Done, Failure> {
        for (at, entry) in self.plan.entries() {
            signal::go_on()?;
            match &entry.node {
                // Whoever unpacks it has the top already.
                Node::Dir(_) if at.name().is_empty() => {}
                Node::Dir(dir) => self.head(at, Kind::Dir, dir.access, self.clock.newest.0)?,
                Node::Link(target) => {
                    self.head(at, Kind::Link(target), Access::of_root(0o777), self.clock.newest.0)?;
                }
                Node::File(id) => self.file(at, *id)?,
            }
        }
        self.put(&[0; 2 * BLOCK])?;
        Ok(self.done)
    }

    fn head(&mut self, at: &ImagePath, kind: Kind<'_>, access: Access, mtime: i64) -> Result<(), Failure> {
        let header = Header { at, kind, access, mtime, xattrs: &[] };
        self.put(&header.to_bytes())
    }

    fn file(&mut self, at: &'a ImagePath, id: ContentId) -> Result<(), Failure> {
        let content = self.plan.content(id);
        let mtime = self.clock.of(content).0;
        self.done.files_written += 1;
        if let Some(first) = self.known.get(&id) {
            return self.head(at, Kind::Again(first), content.access, mtime);
        }
        self.known.insert(id, at);
        let kind = Kind::File(content.len);
        self.put(&Header { at, kind, access: content.access, mtime, xattrs: &content.xattrs }.to_bytes())?;
        self.done.bytes_written += content.len;
        match &content.source {
            Source::Made(bytes) => self.put(bytes)?,
            Source::Root { .. } | Source::Host { .. } => self.copy(at, content)?,
        }
        let rest = usize::try_from(content.len % BLOCK as u64).unwrap_or(0);
        self.put(&[0; BLOCK][..(BLOCK - rest) % BLOCK])
    }

    fn copy(&mut self, at: &ImagePath, content: &Content) -> Result<(), Failure> {
        let source = open_source(self.sources, at, content)?;
        let mut buffer = vec![0; BUFFER];
        let mut offset = 0;
        while offset < content.len {
            signal::go_on()?;
            let want = usize::try_from(content.len - offset).unwrap_or(BUFFER).min(BUFFER);
            let n = source
                .read_at(&mut buffer[..want], offset)
                .map_err(|cause| super::contents::unread(content, cause))?;
            if n < want {
                return Err(Failure::changed(at, content));
            }
            self.put(&buffer[..n])?;
            offset += n as u64;
        }
        super::contents::unchanged_since(at, content, &source)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written: io::Result<()> = self.out.write_all(bytes);
        written.map_err(|cause| Failure::io("write", self.path, cause))
    }
}
