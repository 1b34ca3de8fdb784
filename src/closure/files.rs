//! The table of files looked at, shared by all threads of a run. Each is read
//! once, whatever the number of its names and of the programs that load it.

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustix::io::Errno;

use super::session::errno_of;
use super::{Elsewhere, File, Seen};
use crate::elf;
use crate::intern::Map;
use crate::root::{DirId, FileId, Links, OpenFile, Opened, Root, open_in};

#[derive(Debug, Default)]
pub struct Files {
    known: Mutex<Map<FileId, Arc<File>>>,
    pub(super) elsewhere: OnceLock<Elsewhere>,
    /// What stands at a name of a directory. One worker alone remembers it by himself.
    places: OnceLock<Mutex<Map<Box<[u8]>, Place>>>,
}

/// Where a name of a directory led.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) dir: DirId,
    pub(super) name: Arc<[u8]>,
    /// Those of the name itself.
    pub(super) links: Arc<Links>,
    pub(super) file: Arc<File>,
}

impl Files {
    pub fn known(&self, id: FileId) -> Option<Arc<File>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// The facts of an open file, read now unless they are known.
    pub fn look(&self, open: &OpenFile) -> io::Result<Arc<File>> {
        match self.known(open.stat.id) {
            Some(known) => Ok(known),
            None => self.read(open),
        }
    }

    /// From here on several workers open files: none opens what another has.
    pub fn share_places(&self) {
        self.places.get_or_init(Mutex::default);
    }

    /// The file behind a name of a directory. `Err` is what stands there, if it
    /// is none that can be read.
    pub(super) fn place(&self, root: &dyn Root, dir: DirId, name: &[u8]) -> Result<Place, Seen> {
        let Some(places) = self.places.get() else { return self.open(root, dir, name) };
        let places = || places.lock().unwrap_or_else(PoisonError::into_inner);
        let key = [&dir.0.to_le_bytes()[..], name].concat();
        let known = places().get(&key[..]).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let place = self.open(root, dir, name)?;
        places().insert(key.into(), place.clone());
        Ok(place)
    }

    fn open(&self, root: &dyn Root, dir: DirId, name: &[u8]) -> Result<Place, Seen> {
        let error = |errno| Seen::Error { errno, dir_exists: true };
        let resolved = open_in(root, dir, name).map_err(|cause| error(errno_of(&cause)))?;
        let file = match resolved.opened {
            Opened::File(open) => self.look(&open).map_err(|cause| Seen::Unreadable(Arc::new(cause)))?,
            Opened::Dir(_) => return Err(Seen::Directory),
            Opened::Special(what) => return Err(Seen::Special(what)),
            Opened::Link(_) => return Err(error(Errno::LOOP.raw_os_error())),
        };
        let (dir, name, links) = (resolved.dir, Arc::from(resolved.name), Arc::new(resolved.links));
        Ok(Place { dir, name, links, file })
    }

    fn read(&self, open: &OpenFile) -> io::Result<Arc<File>> {
        let elf = elf::read(open)?;
        if open.restat()?.times != open.stat.times {
            return Err(io::Error::other("it changed while it was read"));
        }
        // Asked of programs only: of a library it has no meaning.
        let is_program = elf.as_ref().is_ok_and(|facts| facts.interp().is_some());
        let gains_capabilities = is_program && are_granted(&open.capabilities());
        let file = Arc::new(File { stat: open.stat, gains_capabilities, elf });
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(open.stat.id, Arc::clone(&file));
        Ok(file)
    }
}

/// Whether whoever has no capabilities starts a program with this attribute with
/// more than he had (security/commoncap.c: some are permitted, or the flag
/// "effective" is set, for whatever). What is inheritable only adds nothing.
fn are_granted(attribute: &[u8]) -> bool {
    let word = |at: usize| {
        let bytes = attribute.get(at..at + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().expect("four bytes")))
    };
    let Some(magic) = word(0) else { return false };
    let permitted: &[usize] = match (magic >> 24, attribute.len()) {
        (1, 12) => &[4],
        (2, 20) | (3, 24) => &[4, 12],
        _ => return false,
    };
    magic & 1 != 0 || permitted.iter().any(|at| word(*at) != Some(0))
}

#[cfg(test)]
mod tests {
    use super::are_granted;

    #[test]
    fn what_is_permitted_or_effective_is_granted() {
        let attribute = |magic: u32, words: &[u32]| {
            std::iter::once(&magic).chain(words).flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>()
        };
        let rows = [
            ("none", vec![], false),
            ("cap_net_raw=p", attribute(0x0200_0000, &[1 << 13, 0, 0, 0]), true),
            ("cap_net_raw=i", attribute(0x0200_0000, &[0, 1 << 13, 0, 0]), false),
            ("cap_net_raw=ei", attribute(0x0200_0001, &[0, 1 << 13, 0, 0]), true),
            ("cap_bpf=p", attribute(0x0200_0000, &[0, 0, 1 << 7, 0]), true),
            ("the first revision", attribute(0x0100_0000, &[1 << 13, 0]), true),
            ("of a user namespace", attribute(0x0300_0001, &[1 << 13, 0, 0, 0, 1000]), true),
            ("cut short", attribute(0x0200_0001, &[1 << 13, 0, 0]), false),
        ];
        for (row, attribute, expected) in rows {
            assert_eq!(are_granted(&attribute), expected, "{row}");
        }
    }
}
