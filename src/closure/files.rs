//! The table of files looked at, shared by all threads of a run. Each is read
//! once, whatever the number of its names and of the programs that load it.

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::{Elsewhere, File};
use crate::elf;
use crate::intern::Map;
use crate::root::{FileId, OpenFile};

#[derive(Debug, Default)]
pub struct Files {
    known: Mutex<Map<FileId, Arc<File>>>,
    pub(super) elsewhere: OnceLock<Elsewhere>,
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

    fn read(&self, open: &OpenFile) -> io::Result<Arc<File>> {
        let elf = elf::read(open)?;
        if open.restat()?.times != open.stat.times {
            return Err(io::Error::other("it changed while it was read"));
        }
        let file = Arc::new(File { stat: open.stat, elf });
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(open.stat.id, Arc::clone(&file));
        Ok(file)
    }
}
