//! Symbols that nothing in the process defines (elf/dl-lookup.c; `ldd -r`).

use std::rc::Rc;

use super::symtab::{SymbolTables, Table, Want};
use super::{Closure, Edge, ObjectId, Outcome, Role, Session, Want as Asked, relocation};
use crate::finding::{Finding, Severity};
use crate::loader::{Family, Version};

mod assertions;

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
    let mut missing = missing(tables, closure, scope, family);
    if asserts_versions(session, closure, family) {
        assertions::add(session, tables, closure, scope, &mut missing);
    }
    let told = |fault: &Fault| match (family, fault.is_assertion) {
        (Family::Musl, _) => by_musl(tables, closure, fault),
        (Family::Glibc, false) => by_glibc(session, tables, closure, fault),
        (Family::Glibc, true) => assertions::finding(session, tables, closure, fault),
    };
    let mut findings: Vec<Finding> = missing.iter().map(told).collect();
    let is_fatal = findings.iter().chain(&closure.findings).any(|f| f.severity >= Severity::Error);
    if let Some(last) = findings.last_mut().filter(|_| !is_fatal) {
        last.hint = Some(b"it starts all the same, and ends where it first calls such a function".to_vec());
    }
    findings
}

/// A look-up that fails.
struct Fault {
    id: ObjectId,
    want: Want,
    is_assertion: bool,
}

/// Up to 2.40 a version that is asked of a file without any stops the loader.
fn asserts_versions(session: &Session<'_>, closure: &Closure, family: Family) -> bool {
    let is_suspect = closure.findings.iter().any(|finding| finding.code == "no-version-information");
    let path = closure.objects.get(1).map(|loader| &loader.path);
    let mut runtimes = session.runtimes.iter();
    family == Family::Glibc
        && is_suspect
        && runtimes
            .find(|runtime| Some(&runtime.path) == path)
            .is_some_and(|runtime| runtime.about(session.root).version <= Version(2, 40))
}

/// Every symbol that is not found, of every object in the order of relocation.
fn missing(tables: &mut SymbolTables, closure: &Closure, scope: &[Member], family: Family) -> Vec<Fault> {
    tables.clear_scope();
    scope.iter().filter(|(id, _)| *id != PROGRAM).for_each(|(_, table)| tables.add_to_scope(table));
    // What the program copies it does not define itself.
    let mut of_program = Vec::new();
    for (_, table) in scope.iter().filter(|(id, _)| *id == PROGRAM) {
        of_program = not_found(tables, table, family, true);
        tables.add_to_scope(table);
    }
    let mut missing = Vec::new();
    for (id, table) in relocated(closure, scope, family) {
        let mut wants = not_found(tables, table, family, false);
        if id == PROGRAM {
            wants.append(&mut of_program);
        }
        // musl binds calls before data, glibc after it.
        wants.sort_by_key(|want| ((family == Family::Glibc) == want.lazy, want.at));
        missing.extend(wants.into_iter().map(|want| Fault { id, want, is_assertion: false }));
    }
    missing
}

/// The loader itself was relocated long ago.
fn relocated<'s>(
    closure: &Closure,
    scope: &'s [Member],
    family: Family,
) -> impl Iterator<Item = (ObjectId, &'s Table)> {
    let order = relocation::order(closure, family).into_iter().filter(|id| !is_ldso(closure, *id));
    let tables: Vec<_> = order
        .filter_map(|id| scope.iter().find(|(member, _)| *member == id))
        .map(|(id, table)| (*id, &**table))
        .collect();
    tables.into_iter()
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

fn by_glibc(session: &Session<'_>, tables: &SymbolTables, closure: &Closure, fault: &Fault) -> Finding {
    let want = &fault.want;
    let mut message = [b"undefined symbol: ", &tables.text(want.name)[..]].concat();
    if let Some(version) = want.version {
        message.extend_from_slice(b", version ");
        message.extend_from_slice(&tables.text(version.name));
    }
    Finding {
        severity: severity(session, closure, fault),
        code: "undefined-symbol",
        subject: closure.object(fault.id).path.to_vec(),
        message,
        hint: None,
    }
}

/// What is looked up when it is first called may never be.
fn severity(session: &Session<'_>, closure: &Closure, fault: &Fault) -> Severity {
    let binds_now = session.settings.bind_now || closure.object(fault.id).found.facts().binds_now();
    if fault.want.lazy && !binds_now { Severity::Warning } else { Severity::Error }
}

/// musl binds everything at the start.
fn by_musl(tables: &SymbolTables, closure: &Closure, fault: &Fault) -> Finding {
    Finding {
        severity: Severity::Error,
        code: "undefined-symbol",
        subject: closure.object(fault.id).path.to_vec(),
        message: [&tables.text(fault.want.name)[..], b": symbol not found"].concat(),
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
