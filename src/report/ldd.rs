//! ldd's own lines, without addresses and without the kernel's object.

use super::edges::rule_words;
use super::escape::escape;
use crate::closure::{Closure, How, ObjectId, Outcome, Slot, Want};
use crate::loader::{Family, Rule, musl};

/// Appends the lines of one program.
pub fn ldd(out: &mut String, closure: &Closure) {
    match closure.family {
        Some(Family::Musl) => musl_lines(out, closure),
        Some(Family::Glibc) if has_requests(closure) => glibc_lines(out, closure),
        None if is_refused(closure) => refused_lines(out, closure),
        Some(Family::Glibc) | None => out.push_str("\tstatically linked\n"),
    }
}

/// ld.so says "statically linked" of whatever has no DT_NEEDED, whatever else
/// is loaded with it.
fn has_requests(closure: &Closure) -> bool {
    closure.objects[0].found.facts().needed().next().is_some()
}

/// It needs a loader and there is none that would do.
fn is_refused(closure: &Closure) -> bool {
    let facts = closure.objects[0].found.facts();
    facts.interp().is_some() || facts.bad_interp || facts.needed().next().is_some()
}

fn refused_lines(out: &mut String, closure: &Closure) {
    for edge in &closure.edges {
        if matches!(edge.outcome, Outcome::Missing(_)) {
            not_found(out, &edge.name);
        }
    }
}

fn glibc_lines(out: &mut String, closure: &Closure) {
    // Filtees of the program stand before it, where ldd does not look.
    let behind_program = closure.order.iter().skip_while(|slot| **slot != Slot::Object(ObjectId(0)));
    for slot in behind_program.skip(1) {
        match slot {
            Slot::Object(id) => {
                let object = closure.object(*id);
                let name = object.names.first().unwrap_or(&object.path);
                line(out, name, &object.path);
                if object.rule == Some(Rule::Conf) {
                    // Where ldd has an address.
                    out.pop();
                    out.push_str(&format!(" ({})\n", rule_words(closure, *id, Rule::Conf)));
                }
            }
            Slot::Missing(edge) => not_found(out, &closure.edges[*edge].name),
        }
    }
}

/// musl prints a line when something is loaded, and each of its own names once.
fn musl_lines(out: &mut String, closure: &Closure) {
    let mut reported: Vec<&[u8]> = Vec::new();
    for edge in &closure.edges {
        match &edge.outcome {
            Outcome::Found { to, .. } if edge.want == Want::Interp => {
                let path = &closure.object(*to).path;
                line(out, path, path);
            }
            Outcome::Found { to, how: How::Opened(_) } => arrow(out, &edge.name, &closure.object(*to).path),
            Outcome::Found { to, how: How::Builtin } => {
                let path = &closure.object(*to).path;
                let name: &[u8] = match () {
                    () if musl::is_builtin(&edge.name) => &edge.name,
                    () if edge.name == *path => continue,
                    // A C library that was asked for by another name is replaced.
                    () => b"libc.so",
                };
                let prefix = name.split(|&b| b == b'.').next().unwrap_or_default();
                if !reported.contains(&prefix) {
                    reported.push(prefix);
                    arrow(out, name, path);
                }
            }
            Outcome::Missing(_) if edge.want == Want::Needed => not_found(out, &edge.name),
            Outcome::Found { .. }
            | Outcome::Missing(_)
            | Outcome::Dies(_)
            | Outcome::Vdso
            | Outcome::Apart => {}
        }
    }
}

fn arrow(out: &mut String, name: &[u8], path: &[u8]) {
    out.push('\t');
    escape(out, name);
    out.push_str(" => ");
    escape(out, path);
    out.push('\n');
}

fn line(out: &mut String, name: &[u8], path: &[u8]) {
    out.push('\t');
    escape(out, name);
    if name != path {
        out.push_str(" => ");
        escape(out, path);
    }
    out.push('\n');
}

fn not_found(out: &mut String, name: &[u8]) {
    out.push('\t');
    escape(out, name);
    out.push_str(" => not found\n");
}
