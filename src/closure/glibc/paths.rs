//! Path lists of a process: each object's RPATH and RUNPATH, split and expanded
//! (elf/dl-load.c `fillin_rpath`, `_dl_dst_substitute`), and what `$ORIGIN` is.

use super::{LDSO, PROGRAM, Walk};
use crate::closure::ObjectId;
use crate::closure::lists::{self, Lists};
use crate::closure::session::{ChainNo, ListNo, ProgramOrigin};
use crate::loader::{Dir, Launch, Version, token};

/// The path lists of objects, in this walk.
impl Walk<'_, '_> {
    pub(super) fn lists_of(&mut self, id: ObjectId) -> Lists {
        let found = self.closure.object(id).found.clone();
        let facts = found.facts();
        let (rpath, runpath) = (facts.rpath(), facts.runpath());
        let is_inhibited = self.session.settings.inhibit_rpath.iter().any(|name| *name == self.l_name(id));
        if id == LDSO || is_inhibited || rpath.is_none() && runpath.is_none() {
            return Lists::default();
        }
        let origin = self.origin_of(id);
        // An object that has both tags has no RPATH.
        let rpath =
            rpath.filter(|_| runpath.is_none()).map(|list| self.split(id, list, b":", origin.as_deref()));
        let runpath = runpath.map(|list| self.split(id, list, b":", origin.as_deref()));
        Lists { rpath: rpath.unwrap_or_default(), runpath, ..Lists::default() }
    }

    /// ld.so calls the program by the empty string.
    pub(super) fn l_name(&self, id: ObjectId) -> &[u8] {
        if id == PROGRAM { b"" } else { &self.closure.object(id).path }
    }

    pub(super) fn library_path(&mut self) -> ListNo {
        let list = self.session.settings.library_path.clone().filter(|_| !self.secure).unwrap_or_default();
        let origin = self.origin_of(PROGRAM);
        let dirs = self.split(PROGRAM, &list, b":;", origin.as_deref());
        self.session.list_no(dirs)
    }

    /// `fillin_rpath`: an empty element is the working directory, one that
    /// becomes empty by expansion is dropped, an empty list is no list.
    fn split(&mut self, of: ObjectId, list: &[u8], separators: &[u8], origin: Option<&[u8]>) -> Vec<Dir> {
        let mut dirs: Vec<Dir> = Vec::new();
        if list.is_empty() {
            return dirs;
        }
        for element in list.split(|b| separators.contains(b)) {
            let Some(dir) = self.element(of, element, origin) else { continue };
            let dir = Dir::from(dir);
            if !dirs.contains(&dir) {
                dirs.push(dir);
            }
        }
        dirs
    }

    fn element(&mut self, of: ObjectId, element: &[u8], origin: Option<&[u8]>) -> Option<Vec<u8>> {
        if element.is_empty() {
            return Some(Vec::new());
        }
        let must_be_trusted = self.secure && of == PROGRAM && token::has_origin(element);
        let mut dir = self.expand(element, origin, must_be_trusted)?;
        while dir.len() > 1 && dir.ends_with(b"/") {
            dir.pop();
        }
        match dir.last() {
            None => None,
            Some(b'/') => Some(dir),
            Some(_) => {
                dir.push(b'/');
                Some(dir)
            }
        }
    }

    pub(super) fn expand(
        &mut self,
        text: &[u8],
        origin: Option<&[u8]>,
        must_be_trusted: bool,
    ) -> Option<Vec<u8>> {
        if !token::has_token(text) {
            return Some(text.to_vec());
        }
        let about = token::needs_loader(text).then(|| self.runtime.about(self.session.root));
        let tokens = token::Tokens {
            origin,
            lib: about.as_ref().map(|about| about.lib.as_slice()),
            platform: about.as_ref().and_then(|_| self.runtime.cpu.platform.as_deref()),
            secure: self.secure,
        };
        let expanded = token::expand(text, &tokens)?;
        (!must_be_trusted || self.is_trusted(&expanded)).then_some(expanded)
    }

    /// `is_trusted_path_normalize`: below a system directory, without looking at
    /// the file system.
    fn is_trusted(&self, path: &[u8]) -> bool {
        let mut parts: Vec<&[u8]> = Vec::new();
        for part in path.split(|&b| b == b'/') {
            match part {
                b"" | b"." => {}
                b".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        let mut whole = vec![b'/'];
        for part in parts {
            whole.extend_from_slice(part);
            whole.push(b'/');
        }
        let (_, dirs) = self.runtime.system_dirs(self.session.root);
        path.starts_with(b"/") && dirs.iter().any(|dir| whole.starts_with(dir))
    }

    /// `$ORIGIN`: for the program as the kernel starts it, the directory of the
    /// real file; for anything else, of its path as spelled. `None`: not known.
    pub(super) fn origin_of(&self, id: ObjectId) -> Option<Vec<u8>> {
        let object = self.closure.object(id);
        let is_program = id == PROGRAM && !self.closure.is_apart;
        let path = match (is_program, self.launch) {
            (true, Launch::Exec) => match &self.session.settings.origin {
                ProgramOrigin::RealFile => object.found.real_path(self.session.root).as_bytes().to_vec(),
                ProgramOrigin::NoProc(given) => return given.clone().filter(|_| !self.secure),
            },
            (true, Launch::LdSo) if self.runtime.about(self.session.root).version >= Version(2, 42) => {
                object.found.real_path(self.session.root).as_bytes().to_vec()
            }
            (_, Launch::Exec | Launch::LdSo) => self.session.absolute(&object.path),
        };
        Some(crate::path::dirname(&path).unwrap_or(b"/").to_vec())
    }

    pub(super) fn chain_of(&mut self, from: ObjectId) -> ChainNo {
        let own = &self.lists[from.0 as usize];
        if let Some(known) = own.chain.get() {
            return *known;
        }
        let links = lists::chain(&self.lists, from, |id| self.closure.object(id).wanted_by);
        let number = self.session.chain_no(links);
        *self.lists[from.0 as usize].chain.get_or_init(|| number)
    }
}
