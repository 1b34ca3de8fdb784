//! Symbol versions, checked when everything is loaded (elf/dl-version.c,
//! `_dl_check_all_versions`), and the oldest glibc that would do.

use std::ops::Range;
use std::rc::Rc;

use super::names::{FileNames, Naming};
use super::{Closure, ObjectId, Outcome, Runtime, Session, Slot};
use crate::elf::Facts;
use crate::finding::{Finding, Severity};
use crate::intern::{Marks, Name};

mod oldest;
mod relr;

pub use oldest::OldestGlibc;
pub(super) use oldest::oldest_glibc;

pub(super) fn check(session: &mut Session<'_>, runtime: &Runtime, closure: &mut Closure, mut naming: Naming) {
    let died =
        closure.edges.iter().any(|edge| matches!(&edge.outcome, Outcome::Dies(death) if !death.is_forgiven));
    if !died {
        let providers = providers(session, closure, std::mem::take(&mut naming.called));
        // Whoever holds the findings apart may look at the objects where they are.
        let mut findings = std::mem::take(&mut closure.findings);
        let check = Check { closure, files: &naming.files, providers: &providers };
        for id in closure.loaded() {
            check.object(session, id, &mut findings);
            if let Some(finding) = relr::of_object(session, runtime, closure, id) {
                findings.push(finding);
                break;
            }
        }
        closure.findings = findings;
        session.marks = providers;
    }
}

/// In place of an object: a name that was asked for and not found.
const FAKED: u32 = u32::MAX;

/// Who answers to a name here: of several objects the first.
fn providers(session: &mut Session<'_>, closure: &Closure, mut called: Vec<(ObjectId, Name)>) -> Marks {
    let mut marks = std::mem::take(&mut session.marks);
    marks.clear();
    called.sort_by_key(|(id, _)| *id);
    let missing = closure.order.iter().filter_map(|slot| match slot {
        Slot::Missing(edge) => Some((FAKED, session.names.intern(&closure.edges[*edge].name))),
        Slot::Object(_) => None,
    });
    for (value, name) in called.into_iter().map(|(id, name)| (id.0, name)).chain(missing) {
        if marks.get(name).is_none() {
            marks.set(name, value);
        }
    }
    marks
}

struct Check<'c> {
    closure: &'c Closure,
    /// The names in each object.
    files: &'c [Rc<FileNames>],
    providers: &'c Marks,
}

impl Check<'_> {
    fn object(&self, session: &mut Session<'_>, id: ObjectId, findings: &mut Vec<Finding>) {
        let closure = self.closure;
        if closure.object(id).found.facts().has_bad_needs {
            findings.push(damaged(closure, id));
        }
        for (file, needs) in &self.files[id.0 as usize].versions {
            match self.providers.get(*file) {
                Some(FAKED) => {}
                None => findings.push(inconsistent(closure, id, session.names.bytes(*file))),
                Some(provider) => {
                    let provider = ObjectId(provider);
                    for &need in self.unmet_of_pair(session, id, provider, *file, needs).iter() {
                        findings.push(not_found(closure, id, provider, need));
                    }
                    if !closure.object(provider).found.facts().has_verdef {
                        findings.push(unversioned(closure, id, provider));
                    }
                }
            }
        }
    }

    /// What one object needs of one other, and does not get: the same two files
    /// always agree.
    fn unmet_of_pair(
        &self,
        session: &mut Session<'_>,
        id: ObjectId,
        provider: ObjectId,
        file: Name,
        needs: &Range<usize>,
    ) -> Rc<[usize]> {
        let number = |id: ObjectId| self.files[id.0 as usize].file;
        let key = (number(id), file, number(provider));
        if let Some(known) = session.version_pairs.get(&key) {
            return Rc::clone(known);
        }
        let facts = |id| self.closure.object(id).found.facts();
        let unmet = unmet(facts(id), needs.clone(), facts(provider));
        session.version_pairs.insert(key, Rc::clone(&unmet));
        unmet
    }
}

fn damaged(closure: &Closure, id: ObjectId) -> Finding {
    Finding {
        severity: Severity::Error,
        code: "version-table",
        subject: closure.object(id).path.to_vec(),
        message: b"its table of needed versions (DT_VERNEED) is damaged".to_vec(),
        hint: None,
    }
}

/// The needs of a range that the provider does not define. One that defines
/// nothing at all is only warned about.
fn unmet(facts: &Facts, range: Range<usize>, provider: &Facts) -> Rc<[usize]> {
    if !provider.has_verdef {
        return Rc::from([]);
    }
    let is_met = |at: &usize| {
        let need = &facts.version_needs[*at];
        let name = facts.str(need.name);
        let mut defs = provider.version_defs.iter();
        defs.any(|def| def.hash == need.hash && provider.str(def.name) == name)
    };
    range.filter(|at| !is_met(at)).collect()
}

fn not_found(closure: &Closure, id: ObjectId, provider: ObjectId, need: usize) -> Finding {
    let object = closure.object(id);
    let facts = object.found.facts();
    let need = facts.version_needs[need];
    let version = facts.str(need.name);
    if need.weak {
        return Finding {
            severity: Severity::Note,
            code: "weak-version",
            subject: closure.object(provider).path.to_vec(),
            message: [b"weak version `", version, b"' not found (required by ", &object.path, b")"].concat(),
            hint: None,
        };
    }
    Finding {
        severity: Severity::Error,
        code: "version",
        subject: closure.object(provider).path.to_vec(),
        message: [b"version `", version, b"' not found (required by ", &object.path, b")"].concat(),
        hint: version.starts_with(b"GLIBC_").then(|| {
            b"it was built against a newer glibc: build it on the older system, or run it on a newer one"
                .to_vec()
        }),
    }
}

fn unversioned(closure: &Closure, id: ObjectId, provider: ObjectId) -> Finding {
    Finding {
        severity: Severity::Warning,
        code: "no-version-information",
        subject: closure.object(provider).path.to_vec(),
        message: [b"no version information available (required by ", &closure.object(id).path[..], b")"]
            .concat(),
        hint: None,
    }
}

/// Typical of a binary whose NEEDED was edited and whose version needs were not.
fn inconsistent(closure: &Closure, id: ObjectId, file: &[u8]) -> Finding {
    Finding {
        severity: Severity::Error,
        code: "inconsistent",
        subject: closure.object(id).path.to_vec(),
        message: [
            b"the loader stops with \"dl-version.c: Assertion `needed != NULL' failed\": it needs versions of `",
            file,
            b"`, which nothing loads",
        ]
        .concat(),
        hint: Some(b"its NEEDED was changed and its version needs were not; build it again".to_vec()),
    }
}
