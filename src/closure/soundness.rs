//! What kills a start that no request is to blame for: the program as the kernel
//! sees it (fs/binfmt_elf.c), and files of which a part is not there.

use super::{Closure, LDSO, Object, PROGRAM, Session};
use crate::elf::{ET_EXEC, Facts, Flaw, Kind, PAGE};
use crate::finding::{Finding, Severity};
use crate::loader::{Family, Launch, Version, glibc};

const EXECUTE: u32 = 0o111;

/// Adds to the findings, in the order in which a start would notice.
pub(super) fn check(session: &mut Session<'_>, closure: &mut Closure) {
    let program = closure.object(PROGRAM);
    let facts = program.found.facts();
    let mut early = Vec::new();
    if session.settings.launch == Launch::Exec && is_started(facts) {
        early.extend(by_kernel(program, facts));
    }
    if closure.family == Some(Family::Glibc) && early.is_empty() && !facts.asks.is_empty() {
        let words = glibc::inconsistency(facts, version_of(session, closure, facts));
        early.extend(words.map(|words| dies(program, words.into())));
    }
    let audited = closure.audits.iter().flat_map(|audit| &audit.objects);
    let cut: Vec<Finding> = closure.objects.iter().chain(audited).filter_map(cut_short).collect();
    closure.findings.extend(cut);
    closure.findings.splice(0..0, early);
}

/// Read only where it matters.
fn version_of(session: &mut Session<'_>, closure: &Closure, facts: &Facts) -> Version {
    let loader = closure.objects.get(LDSO.0 as usize).filter(|_| facts.odd.is_some());
    let runtime = loader.and_then(|loader| session.runtime(&loader.path).ok());
    runtime.map_or(Version(2, 36), |runtime| runtime.about(session.root).version)
}

/// A library may be loaded whatever its `PT_INTERP` holds.
pub(super) fn is_for_exec(facts: &Facts) -> bool {
    facts.header.e_type == ET_EXEC
        || facts.is_pie_flagged()
        || (facts.has_debug_tag && facts.soname.is_none())
}

fn is_started(facts: &Facts) -> bool {
    is_for_exec(facts) || matches!(facts.kind(), Kind::Static | Kind::StaticPie)
}

fn by_kernel(program: &Object, facts: &Facts) -> Option<Finding> {
    if program.found.file.stat.mode & EXECUTE == 0 {
        return Some(not_executable(&program.path));
    }
    if let Some(flaw) = facts.mapping.kernel {
        return Some(dies(program, format!("the kernel kills what it cannot map: {}", words_of(flaw))));
    }
    let is_alone = facts.interp.is_none() && !facts.bad_interp && facts.needed().next().is_some();
    is_alone.then(|| Finding {
        severity: Severity::Error,
        code: "no-interpreter",
        subject: program.path.to_vec(),
        message: b"it needs libraries and has no PT_INTERP: the kernel starts it without a loader".to_vec(),
        hint: Some(b"the linker was told to leave it out (`--no-dynamic-linker`, `-static`)".to_vec()),
    })
}

/// Even root may not execute what nobody may.
pub fn not_executable(path: &[u8]) -> Finding {
    Finding {
        severity: Severity::Error,
        code: "not-executable",
        subject: path.to_vec(),
        message: b"cannot be executed: Permission denied".to_vec(),
        hint: Some(b"`chmod +x` it in the builder".to_vec()),
    }
}

fn dies(object: &Object, words: String) -> Finding {
    Finding {
        severity: Severity::Error,
        code: "dies",
        subject: object.path.to_vec(),
        message: words.into_bytes(),
        hint: None,
    }
}

fn words_of(flaw: Flaw) -> &'static str {
    match flaw {
        Flaw::Misaligned => "a PT_LOAD whose address and offset differ within a page",
        Flaw::Shrinks => "a PT_LOAD of more bytes in the file than in memory",
        Flaw::TooLarge | Flaw::Outside | Flaw::ZerosOutside => "its PT_LOADs take more than there is",
    }
}

/// Behind the last page of a file there is nothing to map. What lacks inside of
/// it reads as zeros, which is no better, but may be no harm.
fn cut_short(object: &Object) -> Option<Finding> {
    let (len, end) = (object.found.file.stat.len, object.found.facts().mapping.end);
    if end <= len {
        return None;
    }
    let is_fatal = end > len.next_multiple_of(PAGE);
    let (severity, then) = match is_fatal {
        true => (Severity::Error, "who touches the rest dies of SIGBUS"),
        false => (Severity::Warning, "the rest reads as zeros"),
    };
    Some(Finding {
        severity,
        code: "cut-short",
        subject: object.path.to_vec(),
        message: format!("it is cut short: it ends at byte {len}, its segments at byte {end}; {then}")
            .into_bytes(),
        hint: Some(b"the file was not copied or downloaded whole".to_vec()),
    })
}
