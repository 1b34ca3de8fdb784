//! How a program starts: what it is, which loader the kernel would run for it,
//! and what the kernel refuses (fs/binfmt_elf.c; loader.md §1.3).

use std::rc::Rc;
use std::sync::Arc;

use super::runtime::NoRuntime;
use super::search::Budget;
use super::session::Seen;
use super::soundness::{self, is_for_exec};
use super::{
    Closure, Death, Edge, Found, How, LDSO, Miss, Object, Outcome, PROGRAM, Role, Runtime, Session, Slot,
    Want,
};
use super::{findings, glibc, musl};
use crate::elf::{Class, ET_DYN, Facts, Kind, Unfit};
use crate::finding::{Finding, Severity};
use crate::loader::{Family, Launch, Target, glibc as rules, machine};

/// A file that somebody named as a program or library to look at.
#[derive(Debug, Clone)]
pub struct Program {
    /// The path as given, absolute or relative to the working directory.
    pub path: Vec<u8>,
    pub found: Found,
}

/// Why a named file cannot be closed over.
#[derive(Debug, Clone)]
pub enum NotAProgram {
    Seen(Seen),
    Unfit(Unfit),
    /// `ET_REL`, `ET_CORE`.
    NotLoadable,
}

/// Opens a program by its path.
pub fn open_program(session: &mut Session<'_>, path: &[u8]) -> Result<Program, NotAProgram> {
    match session.look(b"", path) {
        Seen::File(found) => match &found.file.elf {
            Ok(facts) if facts.kind() == Kind::Other => Err(NotAProgram::NotLoadable),
            Ok(_) => Ok(Program { path: path.to_vec(), found }),
            Err(unfit) => Err(NotAProgram::Unfit(unfit.clone())),
        },
        seen @ (Seen::Error { .. } | Seen::Directory | Seen::Special(_) | Seen::Unreadable(_)) => {
            Err(NotAProgram::Seen(seen))
        }
    }
}

/// What one start of a program loads; nothing, if this process could not look.
pub fn close(session: &mut Session<'_>, program: &Program) -> Closure {
    let mut closure = close_as_seen(session, program);
    soundness::check(session, &mut closure);
    match session.root.trouble() {
        None => closure,
        Some(cause) => {
            let mut nothing = Closure::of_program(program, closure.is_secure);
            nothing.findings.push(findings::trouble(program, &cause));
            nothing
        }
    }
}

fn close_as_seen(session: &mut Session<'_>, program: &Program) -> Closure {
    let mut closure = Closure::of_program(program, program.is_secure(session.settings.launch));
    session.budget = Budget::whole(session.settings);
    session.varies = false;
    let facts = program.found.facts();
    if facts.bad_interp && session.settings.launch == Launch::Exec && is_for_exec(facts) {
        closure.findings.push(findings::bad_interp(program));
        return closure;
    }
    let by_name =
        (session.settings.launch == Launch::LdSo).then(|| session.settings.loader.clone()).flatten();
    let started = match (by_name.as_deref().or(facts.interp()), facts.kind()) {
        (Some(interp), _) => session.runtime(interp).map_err(|no| (interp.to_vec(), no)),
        (None, Kind::Static | Kind::StaticPie | Kind::Loader) => return closure,
        (None, Kind::Library) if is_a_loader(session, program) => return closure,
        (None, _) => match loader_for_library(session, program) {
            Some(runtime) => Ok(runtime),
            None => {
                closure.findings.push(findings::no_loader(session, program));
                return closure;
            }
        },
    };
    match started.and_then(|runtime| suits(&runtime, facts)) {
        Ok(runtime) => match unmappable(session, &runtime, facts) {
            Some(words) => do_not_map(&mut closure, program, &runtime, words),
            None => walk(session, &runtime, &mut closure),
        },
        Err((interp, no)) => refuse(&mut closure, program, &interp, &no),
    }
    closure
}

fn suits(runtime: &Rc<Runtime>, facts: &Facts) -> Result<Rc<Runtime>, (Vec<u8>, NoRuntime)> {
    let target = Target::of(&facts.header, facts.class, facts.order);
    let own = &runtime.target;
    if (own.class, own.order) == (target.class, target.order) && machine::matches(own, &facts.header) {
        return Ok(Rc::clone(runtime));
    }
    Err((runtime.path.to_vec(), NoRuntime::OtherTarget))
}

fn walk(session: &mut Session<'_>, runtime: &Rc<Runtime>, closure: &mut Closure) {
    closure.family = Some(runtime.family);
    match runtime.family {
        Family::Glibc => glibc::walk(session, runtime, closure),
        Family::Musl => musl::walk(session, runtime, closure),
    }
    super::isa::check(session, runtime, closure);
    closure.cache = runtime.cache_state();
    findings::of_walk(session, runtime, closure);
}

/// An audit module and what it loads, in a namespace of its own.
pub(super) fn close_apart(
    session: &mut Session<'_>,
    module: &Program,
    name: &[u8],
    runtime: &Rc<Runtime>,
    process: &Closure,
    lists: glibc::Lists,
) -> Closure {
    let mut closure = Closure::of_program(module, process.is_secure);
    closure.apart_from = Some(Arc::from(&process.program[..]));
    closure.family = Some(runtime.family);
    closure.objects[0].names.push(Arc::from(name));
    glibc::walk_apart(session, runtime, &mut closure, lists);
    super::isa::check(session, runtime, &mut closure);
    findings::of_walk(session, runtime, &mut closure);
    closure
}

/// What glibc, started as `ld.so FILE`, says of a file that it cannot map, or that
/// holds nothing to load, as the files of debuggers do (elf/dl-load.c,
/// `_dl_map_object_from_fd`). A library is mapped by nobody else.
fn unmappable(session: &Session<'_>, runtime: &Runtime, facts: &Facts) -> Option<&'static str> {
    if runtime.family != Family::Glibc {
        return None;
    }
    if session.settings.launch == Launch::Exec {
        return rules::flaw(facts).filter(|_| !is_for_exec(facts));
    }
    if let Some(words) = rules::flaw(facts) {
        return Some(words);
    }
    if !facts.has_load {
        return Some("object file has no loadable segments");
    }
    (facts.header.e_type == ET_DYN && !facts.has_dynamic).then_some("object file has no dynamic section")
}

fn do_not_map(closure: &mut Closure, program: &Program, runtime: &Runtime, words: &str) {
    closure.family = Some(runtime.family);
    let death = Death { subject: program.path.clone(), words: words.to_owned(), is_forgiven: false };
    let name = Arc::from(&program.path[..]);
    let outcome = Outcome::Dies(Arc::new(death));
    closure.edges.push(Edge { from: PROGRAM, want: Want::Interp, name, outcome });
    closure.findings.push(Finding {
        severity: Severity::Error,
        code: "dies",
        subject: program.path.clone(),
        message: words.into(),
        hint: None,
    });
}

/// The kernel would not start it.
fn refuse(closure: &mut Closure, program: &Program, interp: &[u8], no: &NoRuntime) {
    let name: Arc<[u8]> = Arc::from(interp);
    let outcome = match no {
        NoRuntime::Seen(Seen::Error { .. }) => Outcome::Missing(Arc::new(Miss::default())),
        NoRuntime::Seen(_) | NoRuntime::NotExecutable | NoRuntime::Unknown | NoRuntime::OtherTarget => {
            Outcome::Dies(Arc::new(Death {
                subject: interp.to_vec(),
                words: findings::words_of(no),
                is_forgiven: false,
            }))
        }
    };
    closure.edges.push(Edge { from: PROGRAM, want: Want::Interp, name, outcome });
    closure.findings.push(Finding {
        severity: Severity::Error,
        code: "interpreter",
        subject: program.path.clone(),
        message: [b"its interpreter `", interp, b"` ", findings::words_of(no).as_bytes()].concat(),
        hint: findings::cure_of(no),
    });
}

/// musl's is a library like others, but for what it defines.
fn is_a_loader(session: &mut Session<'_>, program: &Program) -> bool {
    let facts = program.found.facts();
    let may_be = facts.asks.is_empty() && facts.header.entry != 0 && session.settings.loader.is_none();
    may_be && session.runtime(&program.path).is_ok_and(|runtime| runtime.family == Family::Musl)
}

/// The loader of a library without PT_INTERP: the one that its NEEDED points
/// to, else the one that the root has. `--loader` decides before all.
fn loader_for_library(session: &mut Session<'_>, program: &Program) -> Option<Rc<Runtime>> {
    let facts = program.found.facts();
    let target = Target::of(&facts.header, facts.class, facts.order);
    let chosen = session.settings.loader.clone();
    let paths = match chosen {
        Some(path) => vec![path],
        None => usual_loaders(facts, &target),
    };
    let fitting = |path: Vec<u8>| session.runtime(&path).ok().filter(|runtime| suits(runtime, facts).is_ok());
    paths.into_iter().find_map(fitting)
}

fn usual_loaders(facts: &Facts, target: &Target) -> Vec<Vec<u8>> {
    let glibc = machine::glibc_loaders(target).iter().map(|p| p.as_bytes().to_vec());
    let musl = machine::musl_arch(target).map(|arch| format!("/lib/ld-musl-{arch}.so.1").into_bytes());
    let needs = |prefix: &[u8]| facts.needed().any(|name| name.starts_with(prefix));
    let is_musl = needs(b"libc.musl-") || facts.needed().any(|name| name == b"libc.so");
    if is_musl { musl.into_iter().chain(glibc).collect() } else { glibc.chain(musl).collect() }
}

/// Most programs load no more than so many objects.
pub(super) const USUAL: usize = 16;

impl Closure {
    /// The loader is there before anything is asked for.
    pub(super) fn add_loader(&mut self, runtime: &Runtime, name: Arc<[u8]>) {
        self.objects.push(Object {
            role: Role::Interpreter,
            path: Arc::clone(&runtime.path),
            found: runtime.found.clone(),
            names: vec![Arc::clone(&name)],
            wanted_by: Some(PROGRAM),
            rule: None,
            also: Vec::new(),
        });
        // An audit module is asked for by the loader that runs.
        if !self.is_apart() {
            let outcome = Outcome::Found { to: LDSO, how: How::Builtin };
            self.edges.push(Edge { from: PROGRAM, want: Want::Interp, name, outcome });
        }
    }

    fn of_program(program: &Program, is_secure: bool) -> Closure {
        let object = Object {
            role: Role::Program,
            path: Arc::from(program.path.as_slice()),
            found: program.found.clone(),
            names: Vec::new(),
            wanted_by: None,
            rule: None,
            also: Vec::new(),
        };
        let mut objects = Vec::with_capacity(USUAL);
        objects.push(object);
        let mut order = Vec::with_capacity(USUAL);
        order.push(Slot::Object(PROGRAM));
        Closure {
            program: program.path.clone(),
            apart_from: None,
            is_secure,
            family: None,
            objects,
            edges: Vec::with_capacity(2 * USUAL),
            order,
            audits: Vec::new(),
            cache: super::CacheState::Unasked,
            findings: Vec::new(),
        }
    }
}

impl Program {
    /// Started by an ordinary user, it gains rights: the loader is careful then.
    pub fn is_secure(&self, launch: Launch) -> bool {
        const SETUID_OR_SETGID: u32 = 0o6000;
        let file = &self.found.file;
        launch == Launch::Exec && (file.stat.mode & SETUID_OR_SETGID != 0 || file.gains_capabilities)
    }

    pub fn class(&self) -> Class {
        self.found.facts().class
    }
}
