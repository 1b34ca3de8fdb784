//! Symbol versions, checked when everything is loaded (elf/dl-version.c,
//! `_dl_check_all_versions`), and the oldest glibc that would do.

use std::ops::Range;
use std::rc::Rc;

use super::{Closure, ObjectId, Outcome, Session, Slot};
use crate::elf::Facts;
use crate::finding::{Finding, Severity};
use crate::intern::{Marks, Name};
use crate::loader::Version;

pub(super) fn check(session: &mut Session<'_>, closure: &mut Closure) {
    let died =
        closure.edges.iter().any(|edge| matches!(&edge.outcome, Outcome::Dies(death) if !death.is_forgiven));
    if !died {
        let providers = providers(session, closure);
        // Whoever holds the findings apart may look at the objects where they are.
        let mut findings = std::mem::take(&mut closure.findings);
        for id in closure.loaded() {
            check_object(session, closure, &providers, id, &mut findings);
        }
        closure.findings = findings;
        session.marks = providers;
    }
}

/// In place of an object: a name that was asked for and not found.
const FAKED: u32 = u32::MAX;

/// Who answers to a name here: by path and by the names asked for. A SONAME
/// alone does not count.
fn providers(session: &mut Session<'_>, closure: &Closure) -> Marks {
    let mut marks = std::mem::take(&mut session.marks);
    marks.clear();
    let mut learn = |session: &mut Session<'_>, name: &[u8], value: u32| {
        let number = session.names.intern(name);
        if marks.get(number).is_none() {
            marks.set(number, value);
        }
    };
    for (id, object) in closure.objects.iter().enumerate() {
        let id = id as u32;
        learn(session, &object.path, id);
        for name in &object.names {
            learn(session, name, id);
        }
        if id == 1 {
            learn(session, object.found.facts().soname().unwrap_or_default(), id);
        }
    }
    for slot in &closure.order {
        if let Slot::Missing(edge) = slot {
            learn(session, &closure.edges[*edge].name, FAKED);
        }
    }
    marks
}

fn check_object(
    session: &mut Session<'_>,
    closure: &Closure,
    providers: &Marks,
    id: ObjectId,
    findings: &mut Vec<Finding>,
) {
    let facts = closure.object(id).found.facts();
    let mut at = 0;
    while let Some(need) = facts.version_needs.get(at) {
        let len = facts.version_needs[at..].iter().take_while(|n| n.file == need.file).count();
        let file = session.names.intern(facts.str(need.file));
        match providers.get(file) {
            Some(FAKED) => {}
            None => findings.push(inconsistent(closure, id, facts.str(need.file))),
            Some(provider) => {
                let provider = ObjectId(provider);
                for &need in unmet_of_pair(session, closure, id, provider, file, at..at + len).iter() {
                    findings.push(not_found(closure, id, provider, need));
                }
                if !closure.object(provider).found.facts().has_verdef {
                    findings.push(unversioned(closure, id, provider));
                }
            }
        }
        at += len;
    }
}

/// What one object needs of one other, and does not get: the same two files
/// always agree.
fn unmet_of_pair(
    session: &mut Session<'_>,
    closure: &Closure,
    id: ObjectId,
    provider: ObjectId,
    file: Name,
    needs: Range<usize>,
) -> Rc<[usize]> {
    let (from, to) = (&closure.object(id).found, &closure.object(provider).found);
    let key = (from.file.stat.id, file, to.file.stat.id);
    if let Some(known) = session.version_pairs.get(&key) {
        return Rc::clone(known);
    }
    let unmet = unmet(from.facts(), needs, to.facts());
    session.version_pairs.insert(key, Rc::clone(&unmet));
    unmet
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

/// The highest `GLIBC_x` that anything outside glibc itself needs.
pub(super) fn oldest_glibc(closure: &Closure) -> Option<Version> {
    let of_glibc =
        |facts: &Facts| facts.version_defs.iter().any(|def| facts.str(def.name).starts_with(b"GLIBC_"));
    let mut oldest = None;
    for id in closure.loaded() {
        let facts = closure.object(id).found.facts();
        if !of_glibc(facts) {
            let needed = facts.version_needs.iter().filter_map(|need| glibc_version(facts.str(need.name)));
            oldest = oldest.max(needed.max());
        }
    }
    oldest
}

/// `GLIBC_2.34` and `GLIBC_2.2.5`; not `GLIBC_PRIVATE`, not `GLIBC_ABI_DT_RELR`.
fn glibc_version(name: &[u8]) -> Option<Version> {
    let text = std::str::from_utf8(name.strip_prefix(b"GLIBC_")?).ok()?;
    let mut numbers = text.split('.').map(|part| part.parse().ok());
    Some(Version(numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbered_versions_say_how_old_a_glibc_may_be() {
        let rows = [
            ("GLIBC_2.34", Some(Version(2, 34))),
            ("GLIBC_2.2.5", Some(Version(2, 2))),
            ("GLIBC_PRIVATE", None),
            ("GLIBC_ABI_DT_RELR", None),
            ("GLIBCXX_3.4.30", None),
            ("GLIBC_2", None),
        ];
        for (name, expected) in rows {
            assert_eq!(glibc_version(name.as_bytes()), expected, "{name}");
        }
    }
}
