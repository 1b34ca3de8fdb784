//! Audit modules: DT_AUDIT and DT_DEPAUDIT of the program, from 2.32 on, each in a
//! namespace of its own (elf/rtld.c `load_audit_module`). ld.so asks for them, as
//! `dlopen` would; one that cannot be loaded is reported and ignored.

use super::{LDSO, Lists, PROGRAM, Walk, death};
use crate::closure::search::{Answer, SearchKey};
use crate::closure::session::ChainNo;
use crate::closure::{Closure, Edge, ObjectId, Outcome, Program, Want, findings, start};
use crate::intern::Name;
use crate::loader::{Launch, Version, WAITS};
use crate::path::dirname;

/// `SECURE_NAME_LIMIT`: longer names are passed over.
const LONGEST: usize = 254;

impl Walk<'_, '_> {
    pub(super) fn audits(&mut self) {
        let found = self.closure.object(PROGRAM).found.clone();
        let facts = found.facts();
        let spans = [facts.audit, facts.depaudit];
        if spans == [None, None] || self.version() < Version(2, 32) {
            return;
        }
        for list in spans.into_iter().flatten() {
            for name in facts.str(list).split(|&b| b == b':') {
                let is_path = name.contains(&b'/');
                if (1..=LONGEST).contains(&name.len()) && !(self.secure && is_path) {
                    self.audit(name);
                }
            }
        }
    }

    fn audit(&mut self, name: &[u8]) {
        let number = self.session.names.intern(name);
        let outcome = match self.name_to_open(PROGRAM, Want::Audit, number) {
            Some(opened) => self.open_audit(name, opened),
            None => Outcome::Missing(std::sync::Arc::default()),
        };
        let text = self.session.names.text(number);
        self.edge(PROGRAM, Want::Audit, text, outcome);
    }

    fn open_audit(&mut self, name: &[u8], opened: Name) -> Outcome {
        let lists = Lists { chain: self.chain_for_audits(), library_path: self.library_path };
        let key = SearchKey {
            runtime: self.runtime_no,
            name: opened,
            chain: lists.chain,
            library_path: lists.library_path,
            nodeflib: false,
            trusted_only: self.secure,
        };
        match &*self.session.search(key) {
            Answer::Found { path, found, .. } => match self.refusal(found.facts()) {
                Some(words) => death(name, words, true),
                None => self.close_apart(name, &Program { path: path.to_vec(), found: found.clone() }, lists),
            },
            Answer::Missing(miss) => Outcome::Missing(self.session.with_tried(&key, miss)),
            Answer::Dies { path, words } => death(path, words, *words != WAITS),
        }
    }

    fn close_apart(&mut self, name: &[u8], module: &Program, lists: Lists) -> Outcome {
        let mut apart = start::close_apart(self.session, module, name, &self.runtime, self.closure, lists);
        self.closure.findings.extend(findings::of_audit(name, &mut apart));
        let waits = apart.edges.iter().find_map(|edge| match &edge.outcome {
            Outcome::Dies(death) if death.words == WAITS => Some(edge.outcome.clone()),
            Outcome::Found { .. }
            | Outcome::Vdso
            | Outcome::Missing(_)
            | Outcome::Dies(_)
            | Outcome::Apart => None,
        });
        match waits {
            Some(death) => death,
            None => {
                self.closure.audits.push(apart);
                Outcome::Apart
            }
        }
    }

    /// The program's RPATH counts in every namespace, and from 2.35 on its RUNPATH
    /// does for audit modules and all that they load (`__RTLD_AUDIT` in
    /// elf/dl-load.c), in the place of an RPATH.
    fn chain_for_audits(&mut self) -> ChainNo {
        let chains = self.chains[PROGRAM.0 as usize];
        let chain = if self.version() >= Version(2, 35) { chains.own } else { chains.inherited };
        self.session.one_down(chain)
    }

    /// Of whoever asks for an audit module: `/proc/self/exe`.
    pub(super) fn origin_of_ldso(&self) -> Option<Vec<u8>> {
        match self.launch {
            Launch::Exec => self.origin_of(PROGRAM),
            Launch::LdSo => {
                let real = self.runtime.found.real_path(self.session.root);
                Some(dirname(real.as_bytes()).unwrap_or(b"/").to_vec())
            }
        }
    }

    /// In another namespace ld.so is searched for like anything else; what is found
    /// for one of its names stands for it.
    pub(super) fn is_mirror_of_ldso(&self, name: Name) -> bool {
        let is_its_name = |(id, known): &(ObjectId, Name)| *id == LDSO && *known == name;
        self.closure.is_apart() && self.naming.called.iter().any(is_its_name)
    }

    fn version(&self) -> Version {
        self.runtime.about(self.session.root).version
    }
}

impl Closure {
    /// What the request for an audit module loaded.
    pub fn apart(&self, edge: &Edge) -> Option<&Closure> {
        let mut apart = self.edges.iter().filter(|edge| matches!(edge.outcome, Outcome::Apart));
        self.audits.get(apart.position(|known| std::ptr::eq(known, edge))?)
    }

    /// An audit module, in a namespace of its own.
    pub(in crate::closure) fn is_apart(&self) -> bool {
        self.apart_from.is_some()
    }
}
