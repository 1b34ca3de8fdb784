//! Symbols that nothing in the process defines (elf/dl-lookup.c; `ldd -r`).

use std::rc::Rc;

use super::symtab::{SymbolTables, Table, Want};
use super::{Closure, Edge, ObjectId, Outcome, Role, Session, Want as Asked, relocation};
use crate::finding::{Finding, Severity};
use crate::loader::Family;

const PROGRAM: ObjectId = ObjectId(0);

/// Adds a finding for each of them, in the order in which the loader notices.
pub fn check(session: &mut Session<'_>, closure: &mut Closure) {
    let Some(family) = closure.family else { return };
    if closure.edges.iter().any(is_the_end) {
        return;
    }
    let mut tables = std::mem::take(&mut session.symbols);
    tables.trim();
    let findings = match scope(session, &mut tables, closure, family) {
        Ok(scope) => unresolved(session, &mut tables, closure, &scope, family),
        Err(unread) => vec![unread],
    };
    session.symbols = tables;
    closure.findings.extend(findings);
}

/// Nothing is bound in a process that ended while it was loaded.
fn is_the_end(edge: &Edge) -> bool {
    let is_vital = matches!(edge.want, Asked::Interp | Asked::Needed | Asked::Filter);
    is_vital && matches!(edge.outcome, Outcome::Dies(_))
}

/// An object of the look-up scope, with its symbols.
type Member = (ObjectId, Rc<Table>);

/// What is searched. A file that cannot be read is an answer of its own: anything
/// may be defined there.
fn scope(
    session: &Session<'_>,
    tables: &mut SymbolTables,
    closure: &Closure,
    family: Family,
) -> Result<Vec<Member>, Finding> {
    let asked_for = |id: ObjectId| {
        closure.edges.iter().any(|edge| {
            edge.want != Asked::Interp && matches!(edge.outcome, Outcome::Found { to, .. } if to == id)
        })
    };
    // musl's loader is in its own list always, but in scope only as a library.
    let is_in = |id: &ObjectId| !is_ldso(closure, *id) || family == Family::Glibc || asked_for(*id);
    let read = |id: ObjectId| {
        let found = &closure.object(id).found;
        match tables.of_file(session.root, found) {
            Ok(Some(table)) => Ok((id, table)),
            Ok(None) => Err(unread(closure, id, "its symbol tables are damaged")),
            Err(error) => Err(unread(closure, id, &format!("its symbols cannot be read: {error}"))),
        }
    };
    closure.loaded().filter(is_in).map(read).collect()
}

fn unread(closure: &Closure, id: ObjectId, why: &str) -> Finding {
    Finding {
        severity: Severity::Warning,
        code: "symbols-unread",
        subject: closure.object(id).path.to_vec(),
        message: format!("{why}; undefined symbols are not looked for").into_bytes(),
        hint: None,
    }
}

fn is_ldso(closure: &Closure, id: ObjectId) -> bool {
    closure.object(id).role == Role::Interpreter
}

fn unresolved(
    session: &Session<'_>,
    tables: &mut SymbolTables,
    closure: &Closure,
    scope: &[Member],
    family: Family,
) -> Vec<Finding> {
    let missing = missing(tables, closure, scope, family);
    let mut findings = Vec::new();
    for (id, want) in missing {
        findings.push(match family {
            Family::Glibc => by_glibc(session, tables, closure, id, &want),
            Family::Musl => by_musl(tables, closure, id, &want),
        });
    }
    let is_fatal = findings.iter().chain(&closure.findings).any(|f| f.severity == Severity::Error);
    if let Some(last) = findings.last_mut().filter(|_| !is_fatal) {
        last.hint = Some(b"it starts all the same, and ends where it first calls such a function".to_vec());
    }
    findings
}

/// Every symbol that is not found, of every object in the order of relocation.
fn missing(
    tables: &mut SymbolTables,
    closure: &Closure,
    scope: &[Member],
    family: Family,
) -> Vec<(ObjectId, Want)> {
    tables.clear_scope();
    scope.iter().filter(|(id, _)| *id != PROGRAM).for_each(|(_, table)| tables.add_to_scope(table));
    // What the program copies it does not define itself.
    let mut of_program = Vec::new();
    for (_, table) in scope.iter().filter(|(id, _)| *id == PROGRAM) {
        of_program = not_found(tables, table, family, true);
        tables.add_to_scope(table);
    }
    let mut missing = Vec::new();
    for id in relocation::order(closure, family).into_iter().filter(|id| !is_ldso(closure, *id)) {
        let Some((_, table)) = scope.iter().find(|(member, _)| *member == id) else { continue };
        let mut wants = not_found(tables, table, family, false);
        wants.append(&mut if id == PROGRAM { std::mem::take(&mut of_program) } else { Vec::new() });
        // musl binds calls before data, glibc after it.
        wants.sort_by_key(|want| ((family == Family::Glibc) == want.lazy, want.at));
        missing.extend(wants.into_iter().map(|want| (id, want)));
    }
    missing
}

fn not_found(tables: &mut SymbolTables, table: &Table, family: Family, copies: bool) -> Vec<Want> {
    let mut wants = Vec::new();
    for want in table.wants.iter().filter(|want| want.copy == copies) {
        let is_found = tables.is_defined(want, family) || family == Family::Musl && is_lfs64(tables, want);
        if !is_found {
            wants.push(*want);
        }
    }
    wants
}

fn by_glibc(
    session: &Session<'_>,
    tables: &SymbolTables,
    closure: &Closure,
    id: ObjectId,
    want: &Want,
) -> Finding {
    let object = closure.object(id);
    let at_start = !want.lazy || session.settings.bind_now || object.found.facts().binds_now();
    let mut message = [b"undefined symbol: ", &tables.text(want.name)[..]].concat();
    if let Some(version) = want.version {
        message.extend_from_slice(b", version ");
        message.extend_from_slice(&tables.text(version.name));
    }
    Finding {
        severity: if at_start { Severity::Error } else { Severity::Warning },
        code: "undefined-symbol",
        subject: object.path.to_vec(),
        message,
        hint: None,
    }
}

/// musl binds everything at the start.
fn by_musl(tables: &SymbolTables, closure: &Closure, id: ObjectId, want: &Want) -> Finding {
    Finding {
        severity: Severity::Error,
        code: "undefined-symbol",
        subject: closure.object(id).path.to_vec(),
        message: [&tables.text(want.name)[..], b": symbol not found"].concat(),
        hint: None,
    }
}

/// Since 1.2.4 musl's libc has these names no more, and its loader knows what
/// they stand for (`get_lfs64`).
fn is_lfs64(tables: &mut SymbolTables, want: &Want) -> bool {
    let name = tables.text(want.name);
    let plain = match &name[..] {
        b"readdir64_r" => b"readdir_r",
        name => match name.strip_suffix(b"64") {
            Some(plain) if LFS64.iter().any(|known| known.as_bytes() == plain) => plain,
            _ => return false,
        },
    };
    tables.musl_defines(plain)
}

const LFS64: [&str; 59] = [
    "aio_cancel",
    "aio_error",
    "aio_fsync",
    "aio_read",
    "aio_return",
    "aio_suspend",
    "aio_write",
    "alphasort",
    "creat",
    "fallocate",
    "fgetpos",
    "fopen",
    "freopen",
    "fseeko",
    "fsetpos",
    "fstat",
    "fstatat",
    "fstatfs",
    "fstatvfs",
    "ftello",
    "ftruncate",
    "ftw",
    "getdents",
    "getrlimit",
    "glob",
    "globfree",
    "lio_listio",
    "lockf",
    "lseek",
    "lstat",
    "mkostemp",
    "mkostemps",
    "mkstemp",
    "mkstemps",
    "mmap",
    "nftw",
    "open",
    "openat",
    "posix_fadvise",
    "posix_fallocate",
    "pread",
    "preadv",
    "prlimit",
    "pwrite",
    "pwritev",
    "readdir",
    "scandir",
    "sendfile",
    "setrlimit",
    "stat",
    "statfs",
    "statvfs",
    "tmpfile",
    "truncate",
    "versionsort",
    "__fxstat",
    "__fxstatat",
    "__lxstat",
    "__xstat",
];
