//! What there is to say about a closure, in the words of whoever would say it:
//! the kernel, ld.so, musl.

use std::rc::Rc;

use rustix::io::Errno;

use super::runtime::NoRuntime;
use super::session::Seen;
use super::{Closure, Edge, How, Miss, Outcome, Program, Runtime, Session, Want, hints};
use crate::elf::Class;
use crate::finding::{Finding, Severity};
use crate::loader::{Family, Obstacle, Rule, WAITS};

/// Adds the findings of every edge to those of the walk.
pub(super) fn of_walk(session: &mut Session<'_>, runtime: &Rc<Runtime>, closure: &mut Closure) {
    let mut findings = Vec::new();
    for edge in &closure.edges {
        findings.extend(of_edge(session, runtime, closure, edge));
    }
    if session.settings.library_path_from_environment {
        findings.extend(library_path_mattered(closure));
    }
    // What was loaded is said before what was checked when all was loaded.
    findings.append(&mut closure.findings);
    findings.dedup();
    closure.findings = findings;
}

fn of_edge(
    session: &mut Session<'_>,
    runtime: &Rc<Runtime>,
    closure: &Closure,
    edge: &Edge,
) -> Option<Finding> {
    match &edge.outcome {
        Outcome::Missing(miss) => Some(missing(session, runtime, closure, edge, miss)),
        Outcome::Dies(death) => Some(Finding {
            severity: if death.is_forgiven { severity_of(edge.want) } else { Severity::Error },
            code: "dies",
            subject: death.subject.clone(),
            message: death.words.clone().into_bytes(),
            hint: what_for(closure, edge),
        }),
        Outcome::Found { to, how: How::Opened(Rule::Conf) } => Some(Finding {
            severity: Severity::Warning,
            code: "not-in-cache",
            subject: closure.object(*to).path.to_vec(),
            message: b"found through ld.so.conf; the loader does not find it before ldconfig has run"
                .to_vec(),
            hint: None,
        }),
        Outcome::Found { .. } | Outcome::Vdso | Outcome::Apart => None,
    }
}

/// A preload, an audit module and an auxiliary filtee may be absent.
fn severity_of(want: Want) -> Severity {
    match want {
        Want::Interp | Want::Needed | Want::Filter => Severity::Error,
        Want::PreloadEnv | Want::PreloadFile | Want::Audit => Severity::Warning,
        Want::Auxiliary => Severity::Note,
    }
}

fn missing(
    session: &mut Session<'_>,
    runtime: &Rc<Runtime>,
    closure: &Closure,
    edge: &Edge,
    miss: &Miss,
) -> Finding {
    let asker: [&[u8]; 2] = match edge.want {
        Want::PreloadEnv => [b"named in ", b"LD_PRELOAD"],
        Want::PreloadFile => [b"named in ", b"/etc/ld.so.preload"],
        Want::Interp | Want::Needed | Want::Auxiliary | Want::Filter | Want::Audit => {
            [b"needed by ", &closure.object(edge.from).path]
        }
    };
    let words: &[u8] = match (edge.want, runtime.family) {
        (Want::PreloadEnv | Want::PreloadFile, Family::Musl) => {
            b"cannot be preloaded: musl goes on without it, and says nothing"
        }
        (Want::PreloadEnv | Want::PreloadFile, Family::Glibc) => {
            b"cannot be preloaded (cannot open shared object file): ignored"
        }
        (Want::Audit, _) => b"cannot be loaded as audit interface: cannot open shared object file; ignored",
        (_, Family::Glibc) => glibc_words(&edge.name, miss, runtime.target.class).as_bytes(),
        (_, Family::Musl) => musl_words(&edge.name, miss).as_bytes(),
    };
    Finding {
        severity: severity_of(edge.want),
        code: "missing",
        subject: edge.name.to_vec(),
        message: [words, b" (", asker[0], asker[1], b")"].concat(),
        hint: hints::for_missing(session, runtime, closure, edge, miss),
    }
}

/// What ld.so says of an audit module: the first error in its namespace ends the
/// module, and the program starts all the same.
pub(super) fn of_audit(name: &[u8], apart: &mut Closure) -> Option<Finding> {
    // Of what is opened at run time ld.so says only what ends it.
    apart.findings.retain(|finding| !matches!(finding.code, "no-version-information" | "weak-version"));
    let first = apart.findings.iter().find(|finding| finding.severity == Severity::Error)?.clone();
    if first.code == "inconsistent" || first.message == WAITS.as_bytes() {
        return Some(first);
    }
    apart.findings.iter_mut().for_each(|finding| finding.severity = finding.severity.min(Severity::Warning));
    let words = b"cannot be loaded as audit interface: ";
    Some(Finding {
        severity: Severity::Warning,
        code: "audit",
        subject: name.to_vec(),
        message: [words, &first.subject[..], b": ", &first.message, b"; ignored"].concat(),
        hint: first.hint,
    })
}

/// Who asked for what kills the process.
fn what_for(closure: &Closure, edge: &Edge) -> Option<Vec<u8>> {
    let by = &closure.object(edge.from).path;
    Some([b"it stands in the way of `", &edge.name[..], b"`, needed by `", by, b"`"].concat())
}

fn library_path_mattered(closure: &Closure) -> Option<Finding> {
    let by_path = |edge: &Edge| {
        matches!(
            edge.outcome,
            Outcome::Found { how: How::Opened(Rule::LibraryPath) | How::SameFile(Rule::LibraryPath), .. }
        )
    };
    let count = closure.edges.iter().filter(|edge| by_path(edge)).count();
    (count > 0).then(|| Finding {
        severity: Severity::Note,
        code: "library-path",
        subject: closure.program.clone(),
        message: match count {
            1 => b"1 of its libraries was found through LD_LIBRARY_PATH".to_vec(),
            _ => format!("{count} of its libraries were found through LD_LIBRARY_PATH").into_bytes(),
        },
        hint: None,
    })
}

pub(super) fn no_loader(session: &Session<'_>, program: &Program) -> Finding {
    let (message, hint) = match &session.settings.loader {
        Some(path) => ([b"`", &path[..], b"` of --loader is no loader for its machine"].concat(), None),
        None => (
            b"it names no interpreter, and the root has no loader for its machine".to_vec(),
            Some(b"--loader PATH names the one to ask".to_vec()),
        ),
    };
    Finding { severity: Severity::Error, code: "no-loader", subject: program.path.clone(), message, hint }
}

/// Not an answer about the program.
pub(super) fn trouble(program: &Program, cause: &std::io::Error) -> Finding {
    let text = cause.to_string();
    let words = text.split(" (os error").next().unwrap_or_default();
    Finding {
        severity: Severity::Trouble,
        code: "cannot",
        subject: program.path.clone(),
        message: format!("cannot be closed over: {words}").into_bytes(),
        hint: (Errno::from_io_error(cause) == Some(Errno::MFILE))
            .then(|| b"`ulimit -n` says how many files a process may have open".to_vec()),
    }
}

pub(super) fn bad_interp(program: &Program) -> Finding {
    Finding {
        severity: Severity::Error,
        code: "interpreter",
        subject: program.path.clone(),
        message: b"its PT_INTERP holds no path that the kernel takes: Exec format error".to_vec(),
        hint: None,
    }
}

/// The kernel's words, or ours where it has none.
pub(super) fn words_of(no: &NoRuntime) -> String {
    match no {
        NoRuntime::Seen(Seen::Error { errno, .. }) => {
            let error = std::io::Error::from_raw_os_error(*errno).to_string();
            let words = error.split(" (os error").next().unwrap_or_default();
            format!("cannot be opened: {words}")
        }
        NoRuntime::Seen(Seen::Directory) => "is a directory".into(),
        NoRuntime::Seen(Seen::Special(what)) => format!("is a {what}"),
        NoRuntime::Seen(Seen::Unreadable(error)) => format!("cannot be read: {error}"),
        NoRuntime::Seen(Seen::File(_)) => "is no ELF file that can be loaded".into(),
        NoRuntime::NotExecutable => "is not executable: Permission denied".into(),
        NoRuntime::Unknown => "is neither glibc's loader nor musl's".into(),
        NoRuntime::OtherTarget => "is for another machine than the program".into(),
    }
}

pub(super) fn cure_of(no: &NoRuntime) -> Option<Vec<u8>> {
    let cure: &[u8] = match no {
        NoRuntime::Seen(Seen::Error { .. }) => {
            b"the kernel reports this as if the program itself did not exist; install the loader's package, or build the program for this root"
        }
        NoRuntime::NotExecutable => b"chmod +x it: the kernel demands it even of root",
        NoRuntime::Unknown => b"uClibc, bionic and others follow rules of their own, which are not modelled",
        NoRuntime::Seen(_) | NoRuntime::OtherTarget => return None,
    };
    Some(cure.to_vec())
}

/// ld.so's words for a library that it could not find. It knows few errors by
/// name, and the last one counts only where a single path was opened.
pub fn glibc_words(name: &[u8], miss: &Miss, class: Class) -> &'static str {
    match class {
        Class::Elf64 if miss.other_class => return "wrong ELF class: ELFCLASS32",
        Class::Elf32 if miss.other_class => return "wrong ELF class: ELFCLASS64",
        Class::Elf64 | Class::Elf32 => {}
    }
    match miss.last.filter(|_| name.contains(&b'/')) {
        Some(Obstacle::Unreadable) => "cannot open shared object file: Permission denied",
        Some(Obstacle::NotDirectory | Obstacle::NoDirectory(20)) => {
            "cannot open shared object file: Error 20"
        }
        Some(Obstacle::LinkLoop | Obstacle::NoDirectory(40)) => "cannot open shared object file: Error 40",
        Some(_) | None => "cannot open shared object file: No such file or directory",
    }
}

/// musl's words for a library that it could not load: the last obstacle's error.
pub fn musl_words(name: &[u8], miss: &Miss) -> &'static str {
    match name.len() {
        0 => return "Invalid argument",
        256.. if !name.contains(&b'/') => return "No error information",
        _ => {}
    }
    match miss.last {
        Some(Obstacle::Directory) => "Is a directory",
        Some(Obstacle::LinkLoop) => "Symbolic link loop",
        Some(Obstacle::Unreadable) => "Permission denied",
        Some(
            Obstacle::TooShort
            | Obstacle::NotElf
            | Obstacle::OtherClass
            | Obstacle::OtherMachine
            | Obstacle::OtherOrder(_)
            | Obstacle::NotLoadable
            | Obstacle::OtherAbi,
        ) => "Exec format error",
        Some(Obstacle::BadHeader(words)) => words,
        Some(Obstacle::NotDirectory) => "Not a directory",
        Some(Obstacle::NameTooLong) => "Filename too long",
        Some(
            Obstacle::Absent
            | Obstacle::NoDirectory(_)
            | Obstacle::Errno(_)
            | Obstacle::Special(_)
            | Obstacle::Forbidden
            | Obstacle::Discarded,
        )
        | None => "No such file or directory",
    }
}
