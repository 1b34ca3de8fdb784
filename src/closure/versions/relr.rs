//! Packed relative relocations (`DT_RELR`): glibc applies them from 2.36 on, and
//! refuses a file that needs libc and does not say so in its version needs.

use crate::closure::{Closure, ObjectId, Runtime, Session};
use crate::elf::Facts;
use crate::finding::{Finding, Severity};
use crate::loader::Version;

pub(super) fn of_object(
    session: &Session<'_>,
    runtime: &Runtime,
    closure: &Closure,
    id: ObjectId,
) -> Option<Finding> {
    let object = closure.object(id);
    let facts = object.found.facts();
    if !facts.has_relr || says_so(facts) {
        return None;
    }
    let is_known = runtime.about(session.root).version >= Version(2, 36);
    let (code, message, hint): (_, &[u8], &[u8]) = match is_known {
        true if !needs_libc(facts) => return None,
        true => (
            "relr",
            b"DT_RELR without GLIBC_ABI_DT_RELR dependency",
            b"link it again with a linker whose -z pack-relative-relocs adds that version need, or without the option",
        ),
        false => (
            "relr-unknown",
            b"its relative relocations are packed (DT_RELR), and glibc before 2.36 does not apply them",
            b"link it without -z pack-relative-relocs",
        ),
    };
    Some(Finding {
        severity: Severity::Error,
        code,
        subject: object.path.to_vec(),
        message: message.to_vec(),
        hint: Some(hint.to_vec()),
    })
}

fn says_so(facts: &Facts) -> bool {
    facts.version_needs.iter().any(|need| facts.str(need.name) == b"GLIBC_ABI_DT_RELR")
}

/// As elf/dl-version.c asks it: any version need, and any `libc.so.` of DT_NEEDED.
fn needs_libc(facts: &Facts) -> bool {
    !facts.version_needs.is_empty() && facts.needed().any(|name| name.starts_with(b"libc.so."))
}
