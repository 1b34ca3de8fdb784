//! musl's walk: breadth first over NEEDED, everything else of the file is
//! ignored (ldso/dynlink.c, `load_deps`).

use std::rc::Rc;
use std::sync::Arc;

use super::runtime::with_file;
use super::search::{Answer, SearchKey};
use super::session::{ChainNo, ListNo, ProgramOrigin, Seen};
use super::{
    Closure, Edge, How, LDSO, Miss, Object, ObjectId, Outcome, PROGRAM, Role, Runtime, Session, Slot, Tried,
    Want,
};
use crate::elf::{self, ET_EXEC, Facts};
use crate::intern::Map;
use crate::loader::{Launch, Obstacle, PathTag, musl, token};
use crate::root::FileId;

pub(super) fn walk(session: &mut Session<'_>, runtime: &Rc<Runtime>, closure: &mut Closure) {
    let mut walk = Walk::new(session, runtime, closure);
    walk.start();
    walk.preloads();
    let mut next = 0;
    while next < walk.closure.objects.len() {
        walk.needed_of(ObjectId(next as u32));
        next += 1;
    }
}

struct Walk<'w, 'a> {
    session: &'w mut Session<'a>,
    closure: &'w mut Closure,
    runtime: Rc<Runtime>,
    runtime_no: u32,
    library_path: ListNo,
    secure: bool,
    launch: Launch,
    /// What a search found, by the base name it was found under.
    shortnames: Map<Arc<[u8]>, ObjectId>,
    inodes: Map<FileId, ObjectId>,
    has_shortname: Vec<bool>,
    chains: Vec<ChainNo>,
    preload_chain: ChainNo,
}

impl<'w, 'a> Walk<'w, 'a> {
    fn new(session: &'w mut Session<'a>, runtime: &Rc<Runtime>, closure: &'w mut Closure) -> Self {
        let launch = session.settings.launch;
        let secure = closure.is_secure;
        let list = session.settings.library_path.clone().filter(|_| !secure).unwrap_or_default();
        Walk {
            library_path: session.list_no(musl::split(&list)),
            runtime_no: session.runtime_no(runtime),
            session,
            closure,
            runtime: Rc::clone(runtime),
            secure,
            launch,
            shortnames: Map::default(),
            inodes: Map::default(),
            has_shortname: Vec::new(),
            chains: Vec::new(),
            preload_chain: ChainNo::EMPTY,
        }
    }

    /// The program and the loader, which is libc as well.
    fn start(&mut self) {
        self.closure.add_loader(&self.runtime, Arc::clone(&self.runtime.path));
        self.session.begin_with(&self.closure.object(PROGRAM).found.file, self.runtime.found.dir);
        self.has_shortname = vec![false, true];
        self.shortnames.insert(Arc::from(&b"libc.so"[..]), LDSO);
        let own = self.chain_of(PROGRAM);
        self.chains = vec![own, ChainNo::EMPTY];
    }

    /// Bare names are looked up without a requester: no path list but the
    /// environment's counts. One that is missing is ignored.
    fn preloads(&mut self) {
        let list = self.session.settings.preload.clone().filter(|_| !self.secure).unwrap_or_default();
        let is_separator = |b: &u8| b.is_ascii_whitespace() || *b == 0x0b || *b == b':';
        for name in list.split(is_separator).filter(|name| !name.is_empty()) {
            let chain = self.preload_chain;
            self.request(PROGRAM, Want::PreloadEnv, name, chain);
        }
    }

    fn needed_of(&mut self, from: ObjectId) {
        let found = self.closure.object(from).found.clone();
        if from == LDSO {
            return;
        }
        let chain = self.chains[from.0 as usize];
        for name in found.facts().needed() {
            self.request(from, Want::Needed, name, chain);
        }
    }

    fn request(&mut self, from: ObjectId, want: Want, name: &[u8], chain: ChainNo) {
        let name_no = self.session.names.intern(name);
        let text = self.session.names.text(name_no);
        let outcome = if name.is_empty() {
            Outcome::Missing(Arc::default())
        } else if musl::is_builtin(name) || *name == *self.runtime.path {
            Outcome::Found { to: LDSO, how: How::Builtin }
        } else if let Some(&to) = self.shortnames.get(name).filter(|_| !name.contains(&b'/')) {
            Outcome::Found { to, how: How::AlreadyLoaded }
        } else {
            let key = SearchKey {
                runtime: self.runtime_no,
                name: name_no,
                chain,
                library_path: self.library_path,
                nodeflib: false,
                trusted_only: false,
            };
            self.open(from, want, &text, key)
        };
        // It goes to the end of the list when it is first asked for.
        if matches!(outcome, Outcome::Found { to: LDSO, .. }) && !self.closure.loaded().any(|id| id == LDSO) {
            self.closure.order.push(Slot::Object(LDSO));
        }
        if let Outcome::Found { to, .. } = outcome {
            let names = &mut self.closure.objects[to.0 as usize].names;
            if !names.contains(&text) {
                names.push(Arc::clone(&text));
            }
        }
        self.closure.edges.push(Edge { from, want, name: text, outcome });
    }

    fn open(&mut self, from: ObjectId, want: Want, name: &Arc<[u8]>, key: SearchKey) -> Outcome {
        let answer = self.session.search(key);
        let (path, found, rule) = match &*answer {
            Answer::Found { path, found, rule, .. } => (path, found, *rule),
            Answer::Missing(miss) => return Outcome::Missing(self.session.with_tried(&key, miss)),
            Answer::Dies { path, words } => {
                return Outcome::Dies(Arc::new(super::Death {
                    subject: path.clone(),
                    words: (*words).into(),
                    is_forgiven: false,
                }));
            }
        };
        let searched = !name.contains(&b'/');
        if let Some(&to) = self.inodes.get(&found.file.stat.id) {
            if searched && !self.has_shortname[to.0 as usize] {
                let path = Arc::clone(&self.closure.object(to).path);
                self.give_shortname(to, &path);
            }
            self.closure.objects[to.0 as usize].spell(path, found, rule);
            return Outcome::Found { to, how: How::SameFile(rule) };
        }
        if self.has_no_room(found.facts()) {
            let obstacle = Obstacle::BadHeader("Resource busy");
            let tried = vec![Tried { path: path.to_vec(), rule, obstacle }];
            return Outcome::Missing(Arc::new(Miss { tried, last: Some(obstacle), ..Miss::default() }));
        }
        // A second libc, reached by its path, is replaced by the loader.
        if self.is_a_libc(path) {
            return Outcome::Found { to: LDSO, how: How::Builtin };
        }
        let to = ObjectId(self.closure.objects.len() as u32);
        let role = if want == Want::Needed { Role::Library } else { Role::Preload };
        self.closure.objects.push(Object {
            role,
            path: Arc::clone(path),
            found: found.clone(),
            names: Vec::new(),
            wanted_by: (want == Want::Needed).then_some(from),
            rule: Some(rule),
            also: Vec::new(),
        });
        self.closure.order.push(Slot::Object(to));
        self.inodes.insert(found.file.stat.id, to);
        self.has_shortname.push(false);
        if searched {
            self.give_shortname(to, path);
        }
        let chain = self.chain_of(to);
        self.chains.push(chain);
        Outcome::Found { to, how: How::Opened(rule) }
    }

    /// musl maps an ET_EXEC file as a library, where its address is free. Two of
    /// them want the same one, the linker's default.
    fn has_no_room(&self, facts: &Facts) -> bool {
        let is_fixed = |facts: &Facts| facts.header.e_type == ET_EXEC;
        is_fixed(facts) && self.closure.objects.iter().any(|object| is_fixed(object.found.facts()))
    }

    fn give_shortname(&mut self, to: ObjectId, path: &[u8]) {
        let short: Arc<[u8]> = Arc::from(crate::path::basename(path));
        if !self.shortnames.contains(&short) {
            self.shortnames.insert(short, to);
        }
        self.has_shortname[to.0 as usize] = true;
    }

    fn is_a_libc(&mut self, path: &[u8]) -> bool {
        let Seen::File(found) = self.session.look(b"", path) else { return false };
        if let Some(&known) = self.session.libcs.get(&found.file.stat.id) {
            return known;
        }
        let both = |open: &crate::root::OpenFile| {
            let facts = found.facts();
            Ok(elf::defines(open, facts, b"__libc_start_main")? && elf::defines(open, facts, b"stdin")?)
        };
        let is_one = with_file(self.session.root, path, both).unwrap_or(false);
        self.session.libcs.insert(found.file.stat.id, is_one);
        is_one
    }

    /// The path lists of an object and of everybody above it: RUNPATH if there
    /// is one, else RPATH; both are inherited.
    fn chain_of(&mut self, id: ObjectId) -> ChainNo {
        let found = self.closure.object(id).found.clone();
        let facts = found.facts();
        let above = match self.closure.object(id).wanted_by {
            Some(by) => self.session.one_down(self.chains[by.0 as usize]),
            None => ChainNo::EMPTY,
        };
        let tag = if facts.runpath().is_some() { PathTag::Runpath } else { PathTag::Rpath };
        let list = facts.runpath().or(facts.rpath()).and_then(|list| self.expand(id, list));
        let dirs = list.map(|list| musl::split(&list)).unwrap_or_default();
        if dirs.is_empty() { above } else { self.session.chain_with(tag, dirs, above) }
    }

    fn expand(&self, id: ObjectId, list: &[u8]) -> Option<Vec<u8>> {
        if !list.contains(&b'$') {
            return Some(list.to_vec());
        }
        token::expand_musl(list, &self.origin_of(id)?)
    }

    /// What stands before the last slash of an object's path; of the program,
    /// of its real path, as `/proc/self/exe` gives it. `None`: a setuid program
    /// has none.
    fn origin_of(&self, id: ObjectId) -> Option<Vec<u8>> {
        let object = self.closure.object(id);
        let path = match (id, self.launch) {
            (PROGRAM, Launch::Exec) if self.secure => return None,
            (PROGRAM, Launch::Exec) if self.session.settings.origin != ProgramOrigin::RealFile => {
                return None;
            }
            (PROGRAM, Launch::Exec) => object.found.real_path(self.session.root).as_bytes().to_vec(),
            _ => object.path.to_vec(),
        };
        match path.iter().rposition(|&b| b == b'/') {
            Some(slash) => Some(path[..slash].to_vec()).filter(|o| !self.secure || o.starts_with(b"/")),
            None => Some(b".".to_vec()),
        }
    }
}
