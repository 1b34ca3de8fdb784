//! Path lists of a process: each object's RPATH and RUNPATH, split and expanded
//! (elf/dl-load.c `fillin_rpath`, `_dl_dst_substitute`), and what `$ORIGIN` is.

use super::{PROGRAM, Walk};
use crate::closure::ObjectId;
use crate::closure::lists::Chains;
use crate::closure::session::{ChainNo, ListNo, ProgramOrigin};
use crate::loader::{Dir, Launch, PathTag, Version, token};

/// The path lists of objects, in this walk.
impl Walk<'_, '_> {
    /// What counts for a requester: its RUNPATH and nothing else, or the RPATH of
    /// itself, of whoever wanted it, and so on up to the program. The chain goes on
    /// *through* an object with RUNPATH, which adds nothing.
    pub(super) fn chains_of(&mut self, id: ObjectId) -> Chains {
        let above = match self.closure.object(id).wanted_by {
            Some(by) => self.session.one_down(self.chains[by.0 as usize].inherited),
            None => self.above_program,
        };
        let found = self.closure.object(id).found.clone();
        let facts = found.facts();
        let (rpath, runpath) = (facts.rpath(), facts.runpath());
        let is_inhibited = self.session.settings.inhibit_rpath.iter().any(|name| *name == self.l_name(id));
        // An object that has both tags has no RPATH.
        let tag = if runpath.is_some() { PathTag::Runpath } else { PathTag::Rpath };
        let Some(list) = runpath.or(rpath).filter(|_| !is_inhibited) else {
            return Chains { own: above, inherited: above };
        };
        let origin = self.origin_of(id);
        let dirs = self.split(id, list, b":", origin.as_deref());
        match tag {
            PathTag::Runpath => {
                Chains { own: self.session.chain_with(tag, dirs, ChainNo::EMPTY), inherited: above }
            }
            PathTag::Rpath if dirs.is_empty() => Chains { own: above, inherited: above },
            PathTag::Rpath => {
                let own = self.session.chain_with(tag, dirs, above);
                Chains { own, inherited: own }
            }
        }
    }

    /// ld.so calls the program by the empty string.
    pub(super) fn l_name(&self, id: ObjectId) -> &[u8] {
        if id == PROGRAM && !self.closure.is_apart() { b"" } else { &self.closure.object(id).path }
    }

    pub(super) fn library_path(&mut self) -> ListNo {
        let Some(list) = self.session.settings.library_path.clone().filter(|_| !self.secure) else {
            return ListNo::EMPTY;
        };
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
        let must_be_trusted =
            self.secure && of == PROGRAM && !self.closure.is_apart() && token::has_origin(element);
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
        let is_program = id == PROGRAM && !self.closure.is_apart();
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
}
