//! glibc's walk: preloads, then breadth first over NEEDED, with filtees put
//! before their owners (elf/rtld.c `dl_main`, elf/dl-deps.c
//! `_dl_map_object_deps`). The first name that kills the process ends it; a
//! missing one does not, as in ld.so's own trace mode.

use std::rc::Rc;
use std::sync::Arc;

mod audits;
mod paths;

use super::lists::Chains;
use super::names::Naming;
use super::search::{Answer, SearchKey};
use super::session::{ChainNo, ListNo};
use super::start::USUAL;
use super::{
    Closure, Death, Edge, How, LDSO, Object, ObjectId, Outcome, PROGRAM, Role, Runtime, Session, Slot, Want,
    versions,
};
use crate::elf::{AskKind, Facts};
use crate::finding::{Finding, Severity};
use crate::intern::{Marks, Name};
use crate::loader::{Launch, Version, WAITS, glibc, machine, token};

/// In the table of names: the kernel's object, which has no file.
const VDSO: u32 = u32::MAX;
/// In the same table: whoever answered to it was forgotten.
const NOBODY: u32 = u32::MAX - 1;
/// More loads of files that were loaded before are no program's: where filters go
/// round in circles, ld.so itself does not end.
const MOST_RELOADS: u32 = 4000;

pub(super) fn walk(session: &mut Session<'_>, runtime: &Rc<Runtime>, closure: &mut Closure) {
    let mut walk = Walk::new(session, runtime, closure);
    walk.start();
    walk.library_path = walk.library_path();
    walk.audits();
    walk.preloads();
    walk.finish();
}

/// An audit module and what it loads: nobody preloads anything into its namespace.
pub(super) fn walk_apart(
    session: &mut Session<'_>,
    runtime: &Rc<Runtime>,
    closure: &mut Closure,
    lists: Lists,
) {
    let mut walk = Walk::new(session, runtime, closure);
    walk.above_program = lists.chain;
    walk.library_path = lists.library_path;
    walk.start();
    walk.finish();
}

/// The path lists of a process, as its audit modules find them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lists {
    chain: ChainNo,
    library_path: ListNo,
}

struct Walk<'w, 'a> {
    session: &'w mut Session<'a>,
    closure: &'w mut Closure,
    runtime: Rc<Runtime>,
    runtime_no: u32,
    library_path: ListNo,
    /// What an audit module inherits.
    above_program: ChainNo,
    secure: bool,
    launch: Launch,
    /// Who answers to a name: the first of ld.so's list that has it.
    known: Marks,
    /// Which object a file is.
    files: Marks,
    naming: Naming,
    /// What was reached, in the order of symbol look-up.
    reached: Vec<ObjectId>,
    is_reached: Vec<bool>,
    /// Its own requests were made.
    is_done: Vec<bool>,
    chains: Vec<Chains>,
    is_dead: bool,
    /// It stands before the program, where ld.so does not know it any more: asked
    /// for again, it is loaded again.
    is_forgotten: Vec<bool>,
    /// How often that has happened.
    reloads: u32,
}

impl<'w, 'a> Walk<'w, 'a> {
    fn new(session: &'w mut Session<'a>, runtime: &Rc<Runtime>, closure: &'w mut Closure) -> Self {
        let launch = session.settings.launch;
        let mut known = std::mem::take(&mut session.marks);
        known.clear();
        let files = std::mem::take(&mut session.file_marks);
        Walk {
            runtime_no: session.runtime_no(runtime),
            secure: closure.is_secure,
            session,
            closure,
            runtime: Rc::clone(runtime),
            library_path: ListNo::EMPTY,
            above_program: ChainNo::EMPTY,
            launch,
            known,
            files,
            naming: Naming::with_room(),
            reached: Vec::with_capacity(USUAL),
            is_reached: Vec::with_capacity(USUAL),
            is_done: Vec::with_capacity(USUAL),
            chains: Vec::with_capacity(USUAL),
            is_dead: false,
            is_forgotten: Vec::with_capacity(USUAL),
            reloads: 0,
        }
    }

    fn finish(mut self) {
        self.breadth_first();
        self.assert_program_first();
        self.place_ldso();
        let Walk { session, closure, naming, .. } = self;
        session.marks = self.known;
        session.file_marks = self.files;
        versions::check(session, &self.runtime, closure, naming);
    }

    /// The program, then ld.so, then the kernel's object: all three answer to
    /// names before any file is searched for.
    fn start(&mut self) {
        // Started as `ld.so PROG` it has its own path, and answers to PT_INTERP.
        let interp = self.closure.object(PROGRAM).found.facts().interp().map(Arc::from);
        let name: Arc<[u8]> = interp.unwrap_or_else(|| Arc::clone(&self.runtime.path));
        self.closure.add_loader(&self.runtime, name);
        self.call_the_first_two();
        self.session.begin_with(&self.closure.object(PROGRAM).found.file, self.runtime.found.dir);
        self.reached.push(PROGRAM);
        self.is_reached.extend([true, false]);
        self.is_done.extend([false, true]);
        self.learn_loaded();
        let chains = self.chains_of(PROGRAM);
        self.chains.extend([chains, Chains::EMPTY]);
    }

    /// The program, and ld.so by all its names.
    fn call_the_first_two(&mut self) {
        let (program, loader) = (self.closure.object(PROGRAM), self.closure.object(LDSO));
        self.naming.files.extend([program, loader].map(|object| self.session.names_in(&object.found.file)));
        let names = &mut self.session.names;
        self.naming.called.push((PROGRAM, names.intern(&program.path)));
        let of_loader = [&loader.path].into_iter().chain(&loader.names).map(|name| &name[..]);
        let soname = loader.found.facts().soname().unwrap_or_default();
        self.naming.called.extend(of_loader.chain([soname]).map(|name| (LDSO, names.intern(name))));
    }

    /// Fills the tables of names and files anew, in the order of ld.so's list,
    /// which begins with the program.
    fn learn_loaded(&mut self) {
        self.known.clear();
        self.files.clear();
        self.is_forgotten.clear();
        self.is_forgotten.resize(self.closure.objects.len(), false);
        let before: Vec<ObjectId> = self.closure.loaded().take_while(|id| *id != PROGRAM).collect();
        let loaded: Vec<ObjectId> = self.closure.loaded().skip(before.len()).collect();
        before.iter().for_each(|id| self.is_forgotten[id.0 as usize] = true);
        self.learn(PROGRAM);
        if !self.closure.is_apart() {
            self.learn(LDSO);
            let vdso = self.session.names.intern(machine::vdso_name(&self.runtime.target).as_bytes());
            self.learn_name(vdso, VDSO);
        }
        for id in loaded {
            self.learn(id);
            if id != LDSO && (id != PROGRAM || self.closure.is_apart()) {
                self.files.set(self.naming.files[id.0 as usize].file, id.0);
            }
        }
    }

    fn learn(&mut self, id: ObjectId) {
        for name in self.names_of(id) {
            self.learn_name(name, id.0);
        }
    }

    fn names_of(&mut self, id: ObjectId) -> Vec<Name> {
        let object = self.closure.object(id);
        let own = self.l_name(id).to_vec();
        let mut names = vec![self.session.names.intern(&own)];
        names.extend(object.names.iter().map(|name| self.session.names.intern(name)));
        names.extend(object.found.facts().soname().map(|name| self.session.names.intern(name)));
        names
    }

    fn answers_to(&self, id: ObjectId, name: &[u8]) -> bool {
        let object = self.closure.object(id);
        self.l_name(id) == name
            || object.names.iter().any(|known| **known == *name)
            || object.found.facts().soname() == Some(name)
    }

    fn learn_name(&mut self, name: Name, value: u32) {
        if self.owner_of(name).is_none() {
            self.known.set(name, value);
        }
    }

    fn owner_of(&self, name: Name) -> Option<u32> {
        self.known.get(name).filter(|owner| *owner != NOBODY)
    }

    fn breadth_first(&mut self) {
        let mut at = 0;
        while at < self.reached.len() && !self.is_dead {
            let id = self.reached[at];
            if self.is_done[id.0 as usize] {
                at += 1;
            } else {
                self.is_done[id.0 as usize] = true;
                self.requests_of(id, at);
            }
        }
    }

    /// `at` is the place of the object in `reached`; filtees push it back.
    fn requests_of(&mut self, id: ObjectId, mut at: usize) {
        let found = self.closure.object(id).found.clone();
        let names = Rc::clone(&self.naming.files[id.0 as usize]);
        for (ask, &name) in found.facts().asks.iter().zip(&names.asks) {
            if self.is_dead {
                return;
            }
            match ask.kind {
                AskKind::Needed => {
                    if let Some(to) = self.request(id, Want::Needed, name) {
                        self.reach(to);
                    }
                }
                AskKind::Auxiliary => self.filtee(id, Want::Auxiliary, name, &mut at),
                AskKind::Filter => self.filtee(id, Want::Filter, name, &mut at),
            }
        }
    }

    fn reach(&mut self, to: ObjectId) {
        if !std::mem::replace(&mut self.is_reached[to.0 as usize], true) {
            self.reached.push(to);
        }
    }

    /// A filtee goes before its owner, also one that stands behind it already;
    /// one that stands before it stays there.
    fn filtee(&mut self, owner: ObjectId, want: Want, name: Name, at: &mut usize) {
        let Some(to) = self.request(owner, want, name) else { return };
        if std::mem::replace(&mut self.is_reached[to.0 as usize], true) {
            let Some(behind) = self.reached[*at..].iter().position(|id| *id == to) else { return };
            if behind == 0 {
                return;
            }
            self.reached.remove(*at + behind);
        }
        self.reached.insert(*at, to);
        *at += 1;
        if to != LDSO {
            self.put_before(to, owner);
        }
    }

    /// In ld.so's list.
    fn put_before(&mut self, to: ObjectId, owner: ObjectId) {
        let order = &mut self.closure.order;
        order.retain(|slot| *slot != Slot::Object(to));
        let before = order.iter().position(|slot| *slot == Slot::Object(owner)).unwrap_or(order.len());
        order.insert(before, Slot::Object(to));
        let is_before_program = order[before..].contains(&Slot::Object(PROGRAM));
        match to {
            PROGRAM => self.learn_loaded(),
            _ if is_before_program => self.forget(to),
            _ => self.move_up(to),
        }
    }

    /// It went before the program: its names are those of the next that has them.
    fn forget(&mut self, to: ObjectId) {
        self.is_forgotten[to.0 as usize] = true;
        for name in self.names_of(to) {
            if self.known.get(name) == Some(to.0) {
                let text = self.session.names.text(name);
                let next = self
                    .closure
                    .loaded()
                    .find(|id| !self.is_forgotten[id.0 as usize] && self.answers_to(*id, &text));
                self.known.set(name, next.map_or(NOBODY, |id| id.0));
            }
        }
    }

    /// It stands earlier in the list now: of its names it may be the first.
    fn move_up(&mut self, to: ObjectId) {
        for name in self.names_of(to) {
            let owner = self.owner_of(name).unwrap_or(to.0);
            let is_first = |id: &ObjectId| id.0 == owner || *id == to;
            let is_always_first = [PROGRAM.0, LDSO.0, VDSO].contains(&owner);
            if !is_always_first && self.closure.loaded().find(is_first) == Some(to) {
                self.known.set(name, to.0);
            }
        }
    }

    /// Of the order of symbol look-up, until BZ #16272 was mended in 2.32.
    fn assert_program_first(&mut self) {
        // A walk without an end does not get there; one that an error ended does.
        let is_endless = self.reloads > MOST_RELOADS;
        if is_endless
            || self.reached[0] == PROGRAM
            || self.runtime.about(self.session.root).version >= Version(2, 32)
        {
            return;
        }
        self.is_dead = true;
        self.closure.findings.push(Finding {
            severity: Severity::Error,
            code: "filter-assertion",
            subject: self.closure.program.clone(),
            message: b"Assertion `map->l_searchlist.r_list[0] == map' failed!".to_vec(),
            hint: Some(b"before 2.32, ld.so starts no program that is a filter itself".to_vec()),
        });
    }

    /// Where ld.so was asked for, behind what precedes it in look-up order.
    /// Nobody asked: it is in the process, but not in its own list.
    fn place_ldso(&mut self) {
        let Some(at) = self.place_of_ldso() else { return };
        let before = at.checked_sub(1).map(|before| Slot::Object(self.reached[before]));
        let order = &mut self.closure.order;
        let place = order.iter().position(|slot| Some(*slot) == before).map_or(0, |place| place + 1);
        order.insert(place, Slot::Object(LDSO));
    }

    /// Where it was first reached. From 2.41 on it stands behind everything else
    /// if nothing asks for it, and not at all before.
    fn place_of_ldso(&self) -> Option<usize> {
        let reached = self.reached.iter().position(|id| *id == LDSO);
        let is_always_there =
            || !self.closure.is_apart() && self.runtime.about(self.session.root).version >= Version(2, 41);
        reached.or_else(|| is_always_there().then_some(self.reached.len()))
    }

    /// One name, asked for by one object. `Some`: an object of this process.
    fn request(&mut self, from: ObjectId, want: Want, written: Name) -> Option<ObjectId> {
        let number = match self.expand_name(from, want, written) {
            Ok(name) => name?,
            Err(words) => {
                // Said outside of what a filtee that may be absent is forgiven.
                let text = self.session.names.text(written);
                let death = death(&text, words, false);
                self.edge(from, want, text, death);
                return None;
            }
        };
        let text = self.session.names.text(number);
        let outcome = match self.owner_of(number) {
            Some(VDSO) => Outcome::Vdso,
            Some(LDSO_NUMBER) => Outcome::Found { to: LDSO, how: How::Builtin },
            Some(to) => Outcome::Found { to: ObjectId(to), how: How::AlreadyLoaded },
            None => self.open(from, want, number),
        };
        let found = match &outcome {
            Outcome::Found { to, .. } => Some(*to),
            Outcome::Vdso | Outcome::Missing(_) | Outcome::Dies(_) | Outcome::Apart => None,
        };
        if let Some(to) = found {
            self.add_name(to, number, &text);
        }
        self.edge(from, want, text, outcome);
        found
    }

    fn add_name(&mut self, to: ObjectId, number: Name, text: &Arc<[u8]>) {
        self.learn_name(number, to.0);
        let object = &mut self.closure.objects[to.0 as usize];
        let is_new = *object.path != **text && !object.names.contains(text);
        if is_new || object.names.is_empty() {
            self.naming.called.push((to, number));
            object.names.push(Arc::clone(text));
        }
    }

    fn edge(&mut self, from: ObjectId, want: Want, name: Arc<[u8]>, outcome: Outcome) {
        match &outcome {
            // Only NEEDED and filters are faked in ld.so's list.
            Outcome::Missing(_) if want == Want::Needed => {
                self.closure.order.push(Slot::Missing(self.closure.edges.len()));
            }
            Outcome::Missing(_) if matches!(want, Want::Auxiliary | Want::Filter) => {
                let order = &mut self.closure.order;
                let before = order.iter().position(|slot| *slot == Slot::Object(from)).unwrap_or(order.len());
                order.insert(before, Slot::Missing(self.closure.edges.len()));
            }
            Outcome::Dies(death) => self.is_dead |= !death.is_forgiven,
            Outcome::Missing(_) | Outcome::Found { .. } | Outcome::Vdso | Outcome::Apart => {}
        }
        self.closure.edges.push(Edge { from, want, name, outcome });
    }

    /// `Ok(None)`: the request is passed over. glibc has the flag the wrong way
    /// round: an empty expansion is fatal for DT_AUXILIARY alone.
    fn expand_name(
        &mut self,
        from: ObjectId,
        want: Want,
        written: Name,
    ) -> Result<Option<Name>, &'static str> {
        if !token::has_token(self.session.names.bytes(written))
            || !matches!(want, Want::Needed | Want::Auxiliary | Want::Filter)
        {
            return Ok(Some(written));
        }
        if self.secure {
            return Err("DST not allowed in SUID/SGID programs");
        }
        let origin = self.origin_of(from);
        let text = self.session.names.text(written);
        let expanded = self.expand(&text, origin.as_deref(), false).filter(|e| !e.is_empty());
        match (expanded, want) {
            (None, Want::Auxiliary) => Err("empty dynamic string token substitution"),
            (expanded, _) => Ok(expanded.map(|name| self.session.names.intern(&name))),
        }
    }

    fn open(&mut self, from: ObjectId, want: Want, number: Name) -> Outcome {
        let is_preload = matches!(want, Want::PreloadEnv | Want::PreloadFile);
        let is_forgiven = is_preload || want == Want::Auxiliary;
        let Some(name) = self.name_to_open(from, want, number) else {
            return Outcome::Missing(Arc::default());
        };
        let key = SearchKey {
            runtime: self.runtime_no,
            name,
            chain: self.chains[from.0 as usize].own,
            library_path: self.library_path,
            nodeflib: self.closure.object(from).found.facts().nodeflib(),
            trusted_only: self.secure && is_preload,
        };
        let answer = self.session.search(key);
        let (path, path_no, found, names, rule) = match &*answer {
            Answer::Found { path, path_no, found, names, rule } => (path, *path_no, found, names, *rule),
            Answer::Missing(miss) => return Outcome::Missing(self.session.with_tried(&key, miss)),
            Answer::Dies { path, words } => return death(path, words, is_forgiven && *words != WAITS),
        };
        if let Some(to) = self.files.get(names.file).map(ObjectId) {
            if !self.is_forgotten[to.0 as usize] {
                self.closure.objects[to.0 as usize].spell(path, found, rule);
                return Outcome::Found { to, how: How::SameFile(rule) };
            }
            self.reloads += 1;
        }
        let is_mirror = self.is_mirror_of_ldso(number);
        if let Some(words) = self.refusal(found.facts()).filter(|_| !is_mirror) {
            return death(&self.session.names.text(number), words, is_forgiven);
        }
        if self.reloads > MOST_RELOADS {
            return death(path, "is loaded for ever: filters go round in circles", false);
        }
        let to = ObjectId(self.closure.objects.len() as u32);
        let role = match want {
            Want::PreloadEnv | Want::PreloadFile => Role::Preload,
            Want::Auxiliary | Want::Filter => Role::Filtee,
            Want::Needed | Want::Interp | Want::Audit => Role::Library,
        };
        let wanted_by = Some(from);
        let (path, found) = (Arc::clone(path), found.clone());
        self.files.set(names.file, to.0);
        self.closure.objects.push(Object {
            role,
            path,
            found,
            names: Vec::new(),
            wanted_by,
            rule: Some(rule),
            also: Vec::new(),
        });
        self.closure.order.push(Slot::Object(to));
        self.is_reached.push(false);
        self.is_done.push(is_mirror);
        self.is_forgotten.push(false);
        let chains = self.chains_of(to);
        self.chains.push(chains);
        self.naming.called.push((to, path_no));
        self.naming.files.push(Rc::clone(names));
        let soname = names.soname.filter(|_| !is_mirror);
        [Some(path_no), soname].into_iter().flatten().for_each(|name| self.learn_name(name, to.0));
        Outcome::Found { to, how: How::Opened(rule) }
    }

    /// A preload is known by its name as written; tokens in a path are expanded
    /// when it is opened.
    fn name_to_open(&mut self, from: ObjectId, want: Want, number: Name) -> Option<Name> {
        let text = self.session.names.text(number);
        let is_written = matches!(want, Want::PreloadEnv | Want::PreloadFile | Want::Audit);
        if !is_written || !text.contains(&b'/') || !token::has_token(&text) {
            return Some(number);
        }
        let origin = if want == Want::Audit { self.origin_of_ldso() } else { self.origin_of(from) };
        let expanded = self.expand(&text, origin.as_deref(), false)?;
        Some(self.session.names.intern(&expanded))
    }

    /// The version is read only where it matters.
    fn refusal(&self, facts: &Facts) -> Option<&'static str> {
        let version = || self.runtime.about(self.session.root).version;
        let version = if facts.is_pie_flagged() || facts.odd.is_some() { version() } else { Version(2, 36) };
        glibc::refusal(facts, version)
    }

    /// `LD_PRELOAD`, then `/etc/ld.so.preload`; one that cannot be loaded is
    /// reported by ld.so and ignored.
    fn preloads(&mut self) {
        let environment = self.session.settings.preload.clone().unwrap_or_default();
        for name in environment.split(|b| matches!(b, b' ' | b':')).filter(|name| !name.is_empty()) {
            if !(self.secure && name.contains(&b'/')) {
                self.preload(Want::PreloadEnv, name);
            }
        }
        if self.session.settings.no_preload_file {
            return;
        }
        let file = self.runtime.preload_file(self.session.root);
        for name in file.iter() {
            self.preload(Want::PreloadFile, name);
        }
    }

    fn preload(&mut self, want: Want, name: &[u8]) {
        let name = self.session.names.intern(name);
        // Only what was mapped for it counts; ld.so is in the process anyway.
        if let Some(to) = self.request(PROGRAM, want, name).filter(|to| *to != LDSO) {
            self.reach(to);
        }
    }
}

const LDSO_NUMBER: u32 = LDSO.0;

fn death(subject: &[u8], words: &str, is_forgiven: bool) -> Outcome {
    Outcome::Dies(Arc::new(Death { subject: subject.to_vec(), words: words.into(), is_forgiven }))
}
