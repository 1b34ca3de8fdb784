//! Rules that did not count for a request, and why: what a reader of a list of
//! candidates would otherwise look for in vain.

use crate::closure::{CacheState, Closure, Edge, ObjectId};
use crate::loader::Family;

/// One line for each rule that was off.
pub(super) fn rules_off(closure: &Closure, edge: &Edge) -> Vec<String> {
    let mut off = Vec::new();
    if closure.family != Some(Family::Glibc) || edge.name.contains(&b'/') {
        return off;
    }
    let requester = closure.object(edge.from);
    let facts = requester.found.facts();
    let name = super::edges::display_name(requester);
    if facts.runpath().is_some() && rpath_above(closure, edge.from) {
        off.push(format!("RPATH: off, because {name} has a RUNPATH"));
    }
    if facts.runpath().is_none() && runpath_above(closure, edge.from) {
        off.push(format!(
            "RUNPATH of others: it counts for an object's own libraries only, not for those of {name}"
        ));
    }
    if closure.is_secure && above(closure, edge.from).any(|id| asks_for_origin(closure, id)) {
        let of_what = "the program is setuid or setgid, or has file capabilities";
        off.push(format!("$ORIGIN: off outside the default directories, because {of_what}"));
    }
    match &closure.cache {
        CacheState::Absent => off.push("ld.so.cache: off, the root has none".into()),
        CacheState::Unusable(why) => off.push(format!("ld.so.cache: off, {why}")),
        CacheState::Used | CacheState::Unasked => {}
    }
    if facts.nodeflib() {
        off.push(format!("default directories: off, because {name} is linked with -z nodefaultlib"));
    }
    off
}

fn asks_for_origin(closure: &Closure, id: ObjectId) -> bool {
    let facts = closure.object(id).found.facts();
    let mut lists = facts.runpath().into_iter().chain(facts.rpath());
    lists.any(|list| list.windows(6).any(|part| part == b"ORIGIN"))
}

/// Somebody on the way up to the program has an RPATH that would have counted.
fn rpath_above(closure: &Closure, from: ObjectId) -> bool {
    above(closure, from).any(|id| closure.object(id).found.facts().rpath().is_some())
}

fn runpath_above(closure: &Closure, from: ObjectId) -> bool {
    above(closure, from).skip(1).any(|id| closure.object(id).found.facts().runpath().is_some())
}

/// The object itself and whoever wanted it, up to the program.
fn above(closure: &Closure, from: ObjectId) -> impl Iterator<Item = ObjectId> {
    std::iter::successors(Some(from), |id| closure.object(*id).wanted_by)
}
