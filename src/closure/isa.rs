//! The processor level that a file asks for (`GNU_PROPERTY_X86_ISA_1_NEEDED`),
//! enforced when everything is loaded (sysdeps/x86/dl-prop.h). It never changes
//! which file is chosen.

use super::{Closure, Runtime, Session};
use crate::finding::{Finding, Severity};
use crate::loader::hwcaps;

/// A foreign root is for a machine that is not known: nothing is said there.
pub(super) fn check(session: &Session<'_>, runtime: &Runtime, closure: &mut Closure) {
    let is_known = session.settings.cpu.is_some() || session.settings.levels.is_some();
    if !is_known || hwcaps::known_levels(&runtime.target) != hwcaps::X86_LEVELS {
        return;
    }
    let loaded: Vec<_> = closure.loaded().collect();
    for id in loaded {
        let object = closure.object(id);
        // The baseline is what every machine has.
        let needed = object.found.facts().isa_needed.unwrap_or(0) & !1;
        if needed != 0 && needed & !runtime.cpu.isa_bits() != 0 {
            let subject = object.path.to_vec();
            closure.findings.push(too_low(subject, needed));
        }
    }
}

fn too_low(subject: Vec<u8>, needed: u32) -> Finding {
    // The bit above that of the baseline is that of level 2.
    let level = needed.ilog2() + 1;
    Finding {
        severity: Severity::Error,
        code: "isa-level",
        subject,
        message: b"CPU ISA level is lower than required".to_vec(),
        hint: Some(format!("it was built for a newer processor (-march=x86-64-v{level})").into_bytes()),
    }
}
