//! The order in which a loader relocates what it has loaded, and so the order
//! of what it complains about.

use super::{Closure, ObjectId, Outcome, PROGRAM, Want};
use crate::loader::Family;

/// The program comes last: it copies what the others define.
pub(super) fn order(closure: &Closure, family: Family) -> Vec<ObjectId> {
    let mut order = match family {
        Family::Glibc => dependencies_first(closure),
        Family::Musl => closure.loaded().collect(),
    };
    order.retain(|id| *id != PROGRAM);
    order.push(PROGRAM);
    order
}

/// From the last object on, each behind what it needs: the reverse of
/// `l_initfini` as `_dl_sort_maps` leaves it (since glibc 2.35). The program's
/// own needs do not count there.
fn dependencies_first(closure: &Closure) -> Vec<ObjectId> {
    let mut needs = vec![Vec::new(); closure.objects.len()];
    for edge in &closure.edges {
        let is_need = matches!(edge.want, Want::Needed | Want::Auxiliary | Want::Filter);
        if let Outcome::Found { to, .. } = &edge.outcome
            && is_need
            && edge.from != PROGRAM
        {
            needs[edge.from.0 as usize].push(*to);
        }
    }
    let loaded: Vec<ObjectId> = closure.loaded().collect();
    let mut is_new = vec![false; closure.objects.len()];
    loaded.iter().for_each(|id| is_new[id.0 as usize] = true);
    let mut order = Vec::with_capacity(loaded.len());
    for id in loaded.into_iter().rev() {
        visit(id, &needs, &mut is_new, &mut order);
    }
    order
}

/// Depth first, without recursion: the depth is the files' choice.
fn visit(id: ObjectId, needs: &[Vec<ObjectId>], is_new: &mut [bool], order: &mut Vec<ObjectId>) {
    let mut stack = Vec::new();
    if std::mem::take(&mut is_new[id.0 as usize]) {
        stack.push((id, 0));
    }
    while let Some((id, next)) = stack.last_mut() {
        match needs[id.0 as usize].get(*next) {
            Some(need) => {
                *next += 1;
                if std::mem::take(&mut is_new[need.0 as usize]) {
                    stack.push((*need, 0));
                }
            }
            None => {
                order.push(*id);
                stack.pop();
            }
        }
    }
}
