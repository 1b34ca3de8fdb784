//! A symbol's version that is asked of the very file that was to have it, and
//! that has no versions at all: before 2.41 ld.so takes that for a bug of its
//! own (`check_match`).

use std::sync::Arc;

use super::{Fault, Member, PROGRAM, relocated, severity};
use crate::closure::symtab::{SymbolTables, Table, Want};
use crate::closure::{Closure, Object, ObjectId, Session};
use crate::finding::{Finding, Severity};
use crate::loader::Family;

const WORDS: &[u8] = b"the loader stops with \"dl-lookup.c: Assertion `version->filename == NULL || \
    ! _dl_name_match_p (version->filename, map)' failed\"";

/// Puts those look-ups among the others that fail, up to the one that ends it all.
pub(super) fn add(
    session: &Session<'_>,
    tables: &SymbolTables,
    closure: &Closure,
    scope: &[Member],
    faults: &mut Vec<Fault>,
) {
    let mut others = std::mem::take(faults).into_iter().peekable();
    for (id, table) in relocated(closure, scope, Family::Glibc) {
        let mut found: Vec<Fault> = std::iter::from_fn(|| others.next_if(|fault| fault.id == id)).collect();
        found.extend(of_object(tables, closure, scope, id, table));
        found.sort_by_key(|fault| (fault.want.lazy, fault.want.at));
        for fault in found {
            let is_end = fault.is_assertion && severity(session, closure, &fault) == Severity::Error;
            faults.push(fault);
            if is_end {
                return;
            }
        }
    }
}

/// One of them is enough.
fn of_object(
    tables: &SymbolTables,
    closure: &Closure,
    scope: &[Member],
    id: ObjectId,
    table: &Table,
) -> Option<Fault> {
    let mut wants: Vec<&Want> = table.wants.iter().collect();
    wants.sort_by_key(|want| (want.lazy, want.at));
    let first = wants.into_iter().find(|want| asserts(tables, closure, scope, want))?;
    Some(Fault { id, want: *first, is_assertion: true })
}

fn asserts(tables: &SymbolTables, closure: &Closure, scope: &[Member], want: &Want) -> bool {
    let Some(version) = want.version else { return false };
    let file = tables.text(version.file);
    let answers = |id: ObjectId| answers_to(closure.object(id), &file);
    if !scope.iter().any(|(id, table)| table.is_unversioned && answers(*id)) {
        return false;
    }
    let mut searched = scope.iter().filter(|(id, _)| !(want.copy && *id == PROGRAM));
    let first = searched.find(|(_, table)| table.ends_search(want));
    first.is_some_and(|(id, table)| table.is_unversioned && answers(*id))
}

fn answers_to(object: &Object, name: &Arc<[u8]>) -> bool {
    object.path == *name || object.names.contains(name)
}

pub(super) fn finding(
    session: &Session<'_>,
    tables: &SymbolTables,
    closure: &Closure,
    fault: &Fault,
) -> Finding {
    let name = tables.text(fault.want.name);
    let (version, file) =
        fault.want.version.map(|v| (tables.text(v.name), tables.text(v.file))).unwrap_or_default();
    Finding {
        severity: severity(session, closure, fault),
        code: "version-assertion",
        subject: closure.object(fault.id).path.to_vec(),
        message: [WORDS, b": it asks for `", &name, b"`, version ", &version, b", of `", &file, b"`"]
            .concat(),
        hint: Some(b"that file has no versions: it is not the one that this was linked with".to_vec()),
    }
}
