//! depcollect itself as one more judge: a world in memory is closed over, and
//! the closure is put into the words of the loader.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use depcollect::closure::{
    Closure, Edge, Files, NotAProgram, Outcome, Program, Seen, Session, Settings, Want, close, glibc_words,
    musl_words, open_program, scout, symbols,
};
use depcollect::elf::Class;
use depcollect::finding::{Finding, Severity};
use depcollect::loader::{Cpu, Family, Launch as Start};
use depcollect::report;
use depcollect::root::{DirId, Root, resolve};

use crate::judge::{Answer, Judge};
use crate::world::{Launch, What, World};

pub const MODEL: Judge = Judge { name: "the model", answers_for_all: true, answer: model };

fn model(world: &World) -> Answer {
    let mut world = world.clone();
    let is_root = world.uid == 0;
    for entry in &mut world.entries {
        let is_owner = entry.owner == world.uid;
        as_user(entry.what == What::Dir, is_root, is_owner, &mut entry.mode);
        // Root has them all.
        entry.caps = entry.caps.take().filter(|_| !is_root);
    }
    let root = world.to_mem();
    let answer = answer_in(&world, &root);
    let files = Files::default();
    files.share_places();
    let ahead = |program: &Program| {
        let facts = program.found.facts();
        let Some(Ok(loader)) = facts.interp().map(|path| resolve(&root, DirId::TOP, path)) else { return };
        let start = scout::Start { program: Arc::clone(&program.found.file), dir: loader.dir };
        scout::scout(&root, &files, &start, &AtomicBool::new(false));
    };
    let scouted = answer_with(&world, &root, &files, &ahead);
    assert_eq!(scouted, answer, "whoever opens libraries ahead changes nothing");
    answer
}

/// Root reads everything; setuid gives nobody what he has.
fn as_user(is_dir: bool, is_root: bool, is_owner: bool, mode: &mut Option<u32>) {
    let Some(mode) = mode.as_mut() else { return };
    if is_root {
        *mode |= if is_dir { 0o555 } else { 0o444 };
    }
    if is_owner {
        *mode &= 0o1777;
    }
}

/// The model's answer for a world that stands in some root.
pub fn answer_in(world: &World, root: &dyn Root) -> Answer {
    answer_with(world, root, &Files::default(), &|_| ())
}

fn answer_with(world: &World, root: &dyn Root, files: &Files, before: &dyn Fn(&Program)) -> Answer {
    let settings = settings(world);
    let mut session = Session::new(root, files, &settings);
    let path = world.program.clone();
    match open_program(&mut session, &path) {
        Ok(program) => {
            before(&program);
            let mut closure = close(&mut session, &program);
            symbols::check(&mut session, &mut closure);
            answer(world, &closure)
        }
        Err(no) => refused(world, &no),
    }
}

fn refused(world: &World, no: &NotAProgram) -> Answer {
    let by_kernel = matches!(world.launch, Launch::Exec | Launch::Run);
    match no {
        NotAProgram::Seen(Seen::Error { errno, .. }) if by_kernel => {
            let error = std::io::Error::from_raw_os_error(*errno).to_string();
            kernel(error.split(" (os").next().expect("words"))
        }
        NotAProgram::Seen(_) if by_kernel => kernel("Permission denied"),
        NotAProgram::Unfit(_) | NotAProgram::NotLoadable if by_kernel => kernel("Exec format error"),
        // The tool answers these in its own words.
        NotAProgram::Unfit(_) | NotAProgram::NotLoadable => ld_so(world, "invalid ELF header"),
        NotAProgram::Seen(_) => ld_so(world, "cannot open shared object file: No such file or directory"),
    }
}

fn ld_so(world: &World, words: &str) -> Answer {
    if world.musl {
        let program = String::from_utf8_lossy(&world.program);
        let line = format!("/lib/ld-musl-x86_64.so.1: cannot load {program}: No such file or directory");
        return Answer { lines: vec![line], status: 1, ..Answer::default() };
    }
    let fatal = format!("{}: {words}", String::from_utf8_lossy(&world.program));
    Answer { fatal: Some(fatal), status: 127, ..Answer::default() }
}

fn kernel(words: &str) -> Answer {
    let status = if words == "No such file or directory" { 127 } else { 126 };
    Answer { fatal: Some(words.to_owned()), status, ..Answer::default() }
}

fn env(world: &World, name: &str) -> Option<Vec<u8>> {
    world.env.iter().find(|(n, _)| n == name.as_bytes()).map(|(_, v)| v.clone())
}

fn settings(world: &World) -> Settings {
    let env = |name: &str| env(world, name);
    let option = |name: &str| {
        let at = world.options.iter().position(|o| o == name.as_bytes())?;
        world.options.get(at + 1).cloned()
    };
    let join = |a: Option<Vec<u8>>, b: Option<Vec<u8>>| match (a, b) {
        (Some(a), Some(b)) => Some([a, b].join(&b':')),
        (a, b) => a.or(b),
    };
    Settings {
        launch: if matches!(world.launch, Launch::Exec | Launch::Run) { Start::Exec } else { Start::LdSo },
        library_path: option("--library-path").or_else(|| env("LD_LIBRARY_PATH")),
        preload: join(env("LD_PRELOAD"), option("--preload")),
        bind_now: env("LD_BIND_NOW").is_some_and(|value| !value.is_empty()),
        cwd: world.cwd.clone(),
        cpu: cpu(option("--glibc-hwcaps-mask"), option("--glibc-hwcaps-prepend")),
        no_cache: world.options.iter().any(|o| o == b"--inhibit-cache"),
        origin: match (world.has_proc, env("LD_ORIGIN_PATH")) {
            (true, _) => Default::default(),
            (false, path) => depcollect::closure::ProgramOrigin::NoProc(path),
        },
        inhibit_rpath: option("--inhibit-rpath")
            .map(|list| list.split(|&b| b == b':').map(<[u8]>::to_vec).collect())
            .unwrap_or_default(),
        loader: (world.launch == Launch::LdSo).then(|| world.default_loader().to_vec()),
        ..Settings::default()
    }
}

fn cpu(mask: Option<Vec<u8>>, prepend: Option<Vec<u8>>) -> Option<Cpu> {
    let mut cpu = depcollect::cli::this_machine()?;
    if let Some(mask) = mask {
        cpu.levels.retain(|level| mask.split(|&b| b == b':').any(|name| name == level));
    }
    if let Some(names) = prepend {
        cpu.levels.splice(0..0, names.split(|&b| b == b':').map(<[u8]>::to_vec));
    }
    Some(cpu)
}

/// A closure in the words of the loader.
pub fn answer(world: &World, closure: &Closure) -> Answer {
    let mut answer = Answer::default();
    if let Some(refused) = refused_program(closure).or_else(|| refused_interp(world, closure)) {
        return refused;
    }
    if closure.family == Some(Family::Musl) {
        musl(world, closure, &mut answer);
    } else {
        glibc(world, closure, &mut answer);
    }
    answer
}

/// What the kernel does about the program itself, and about any page that is not there.
fn refused_program(closure: &Closure) -> Option<Answer> {
    let of_error = |f: &&Finding| f.severity == Severity::Error;
    closure.findings.iter().filter(of_error).find_map(|finding| match finding.code {
        "not-executable" => Some(kernel("Permission denied")),
        "cut-short" => Some(Answer { status: -7, ..Answer::default() }),
        "no-interpreter" => Some(Answer { status: -11, ..Answer::default() }),
        "dies" if finding.message.starts_with(b"the kernel kills") => {
            Some(Answer { status: -11, ..Answer::default() })
        }
        "dies" if finding.subject == closure.program => inconsistency("./", &text(&finding.message)),
        _ => None,
    })
}

/// The kernel's error for an interpreter that it cannot use.
fn refused_interp(world: &World, closure: &Closure) -> Option<Answer> {
    let finding = closure.findings.iter().find(|f| f.code == "interpreter")?;
    let text = String::from_utf8_lossy(&finding.message).into_owned();
    let facts = closure.objects[0].found.facts();
    match (world.launch, facts.class) {
        (Launch::LdSo | Launch::List, Class::Elf32) => {
            return Some(ld_so(world, "wrong ELF class: ELFCLASS32"));
        }
        (Launch::LdSo | Launch::List, Class::Elf64) => {
            return Some(ld_so(world, "cannot open shared object file: No such file or directory"));
        }
        (Launch::Exec | Launch::Run, _) if facts.header.machine != 62 => {
            return Some(kernel("Exec format error"));
        }
        (Launch::Exec | Launch::Run, _) => {}
    }
    let words = [
        "No such file or directory",
        "Permission denied",
        "Too many levels of symbolic links",
        "Not a directory",
    ]
    .into_iter()
    .find(|words| text.contains(words));
    Some(kernel(words.unwrap_or(match () {
        () if text.contains("directory") => "Permission denied",
        () => "Accessing a corrupted shared library",
    })))
}

/// ld.so asserts away what a dynamic section says; it was compiled twice.
fn inconsistency(place: &str, words: &str) -> Option<Answer> {
    let line = match words.split_once("Assertion `info[")?.1.split_once(']')?.0 {
        "DT_PLTREL" => 115,
        "DT_RELAENT" => 123,
        _ => 130,
    };
    let assertion = &words[words.find("Assertion")?..];
    let fatal = format!("{place}get-dynamic-info.h: {line}: elf_get_dynamic_info: {assertion}");
    Some(Answer { fatal: Some(fatal), status: 127, ..Answer::default() })
}

/// Of ours, and the signal that stands for them.
const SIGNALS: [(&str, i32); 2] = [("it is damaged or cut short", 7), ("Segmentation fault", 11)];

fn glibc(world: &World, closure: &Closure, answer: &mut Answer) {
    for edge in &closure.edges {
        if let Outcome::Dies(death) = &edge.outcome
            && !death.is_forgiven
        {
            let words = format!("{}: {}", String::from_utf8_lossy(&death.subject), death.words);
            answer.fatal = answer.fatal.take().or(Some(words));
            continue;
        }
        let words = match &edge.outcome {
            Outcome::Apart => of_auditor(closure, edge),
            Outcome::Missing(miss) => glibc_words(&edge.name, miss, Class::Elf64).to_owned(),
            Outcome::Dies(death) => death.words.clone(),
            _ => continue,
        };
        let name = String::from_utf8_lossy(&edge.name).into_owned();
        match edge.want {
            Want::PreloadEnv | Want::PreloadFile | Want::Audit => {
                // Without the error.
                let errors = [
                    ": Error 21",
                    ": Error 20",
                    ": Error 40",
                    ": Permission denied",
                    ": No such file or directory",
                ];
                let words = errors.iter().find_map(|error| words.strip_suffix(error)).unwrap_or(&words);
                answer.ignored.push(format!("{name}: {words}"));
            }
            // A start ends at the first name that is missing, and so does --list.
            Want::Needed | Want::Filter if matches!(world.launch, Launch::Run | Launch::List) => {
                answer.fatal = answer.fatal.take().or(Some(format!("{name}: {words}")));
            }
            _ => {}
        }
    }
    answer.fatal = filter_assertion(world, closure).or(answer.fatal.take());
    if let Some(killed) = answer.fatal.as_deref().and_then(killed) {
        *answer = killed;
        return;
    }
    if answer.fatal.is_some() {
        answer.status = 127;
        return;
    }
    of_checks(world, closure, answer);
    if answer.fatal.is_some() {
        return;
    }
    if world.launch == Launch::Run {
        run(closure, answer);
        return;
    }
    if env(world, "LD_WARN").is_some_and(|value| !value.is_empty()) {
        let said = |f: &Finding| format!("{} ({})", text(&f.message), text(&f.subject));
        answer.said.extend(of_symbols(closure).map(said));
        answer.fatal = assertion(closure);
        answer.status = if answer.fatal.is_some() { 127 } else { answer.status };
    }
    let mut text = String::new();
    report::ldd(&mut text, closure);
    answer.lines = text.lines().map(loaders_own).collect();
}

/// A line without what is ours in it: the mark of an answer of ld.so.conf.
fn loaders_own(line: &str) -> String {
    let line = line.trim_start_matches('\t');
    line.strip_suffix(" (ld.so.conf, not in the cache)").unwrap_or(line).to_owned()
}

/// A start that nothing stands in the way of any more but symbols.
fn run(closure: &Closure, answer: &mut Answer) {
    answer.fatal = unresolved(closure).next().or(assertion(closure)).filter(|_| answer.status == 0);
    if answer.fatal.is_some() {
        answer.status = 127;
    } else if answer.status == 0 {
        answer.lines = closure
            .loaded()
            .skip_while(|id| id.0 != 0)
            .skip(1)
            .map(|id| String::from_utf8_lossy(&closure.object(id).path).into_owned())
            .collect();
    }
}

/// It has no words for what it does not survive.
fn killed(words: &str) -> Option<Answer> {
    let signal = SIGNALS.iter().find(|(part, _)| words.contains(part)).map(|(_, signal)| *signal);
    let by_signal = signal.map(|signal| Answer { status: -signal, ..Answer::default() });
    by_signal.or_else(|| inconsistency("", words))
}

/// The first error in an auditor's namespace; without one it is unloaded again, as
/// the auditors of worlds define nothing.
fn of_auditor(closure: &Closure, edge: &Edge) -> String {
    let apart = closure.apart(edge).expect("its closure");
    let first = apart.findings.iter().find(|f| f.severity == Severity::Warning);
    let Some(first) = first else { return "undefined symbol: la_version".to_owned() };
    let words = text(&first.message).into_owned();
    match first.code {
        "missing" => words.split(" (needed by").next().expect("words").to_owned(),
        _ => words,
    }
}

/// A name that is missing ends a start: what was before it on the list counts.
fn filter_assertion(world: &World, closure: &Closure) -> Option<String> {
    let filters = |e: &Edge| matches!(e.want, Want::Auxiliary | Want::Filter) && e.from.0 == 0;
    let filtee = closure.edges.iter().position(|e| filters(e) && matches!(e.outcome, Outcome::Found { .. }));
    let ends =
        |e: &Edge| matches!(e.outcome, Outcome::Missing(_)) && matches!(e.want, Want::Needed | Want::Filter);
    let is_start = matches!(world.launch, Launch::Run | Launch::List);
    let end = closure.edges.iter().position(ends).filter(|_| is_start);
    let finding = closure.findings.iter().find(|f| f.code == "filter-assertion")?;
    let words = format!("dl-deps.c: 553: _dl_map_object_deps: {}", text(&finding.message));
    end.is_none_or(|end| Some(end) > filtee).then_some(words)
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Symbols that are missed at the start.
fn of_symbols(closure: &Closure) -> impl Iterator<Item = &Finding> {
    let is_fatal = |f: &&Finding| f.code == "undefined-symbol" && f.severity == Severity::Error;
    closure.findings.iter().filter(is_fatal)
}

/// It is the last that is heard of a loader.
fn assertion(closure: &Closure) -> Option<String> {
    let is_fatal = |f: &&Finding| f.code == "version-assertion" && f.severity == Severity::Error;
    closure.findings.iter().any(|f| is_fatal(&f)).then(|| {
        "dl-lookup.c: 107: check_match: Assertion `version->filename == NULL || \
         ! _dl_name_match_p (version->filename, map)' failed!"
            .to_owned()
    })
}

fn unresolved(closure: &Closure) -> impl Iterator<Item = String> {
    of_symbols(closure).map(|f| format!("{}: {}", text(&f.subject), text(&f.message)))
}

/// What is said when everything is loaded.
fn of_checks(world: &World, closure: &Closure, answer: &mut Answer) {
    for finding in &closure.findings {
        let subject = String::from_utf8_lossy(&finding.subject);
        let message = String::from_utf8_lossy(&finding.message);
        let program = String::from_utf8_lossy(&closure.program);
        match (finding.code, finding.severity) {
            ("version", _) => {
                answer.said.push(format!("{program}: {subject}: {message}"));
                // A trace says it and goes on.
                answer.status = i32::from(world.launch == Launch::Run);
            }
            ("no-version-information" | "weak-version", _) => {
                answer.said.push(format!("{program}: {subject}: {message}"));
            }
            ("isa-level", Severity::Error) if world.launch != Launch::List => {
                answer.fatal = Some(format!("{subject}: {message}"));
                answer.status = 127;
            }
            ("relr", _) => {
                answer.fatal = Some(format!("{subject}: {message}"));
                answer.status = 127;
                return;
            }
            ("inconsistent", _) => {
                answer.fatal = Some(
                    "dl-version.c: 204: _dl_check_map_versions: Assertion `needed != NULL' failed!"
                        .to_owned(),
                );
                answer.status = 127;
            }
            _ => {}
        }
    }
}

/// musl tried nothing: it prints what was the matter with its path file, if anything.
fn stale_errno(world: &World) -> &'static str {
    match world.entry(b"/etc/ld-musl-x86_64.path").map(|entry| &entry.what) {
        Some(What::Dir) => "Is a directory",
        Some(What::Link(_)) => "Symbolic link loop",
        _ => "No error information",
    }
}

fn musl(world: &World, closure: &Closure, answer: &mut Answer) {
    let mut missing = closure.edges.iter().filter_map(|edge| match &edge.outcome {
        Outcome::Missing(miss) if edge.want == Want::Needed => {
            let by = String::from_utf8_lossy(&closure.object(edge.from).path);
            let words = match miss.last.is_none() && !edge.name.is_empty() {
                true => stale_errno(world),
                false => musl_words(&edge.name, miss),
            };
            Some(format!("{words} (needed by {by})"))
        }
        _ => None,
    });
    let mut text = String::new();
    report::ldd(&mut text, closure);
    for line in text.lines().map(|line| line.trim_start_matches('\t')) {
        let more = line.ends_with("=> not found").then(|| missing.next().expect("a line for each"));
        answer.lines.push(more.map_or(line.to_owned(), |why| format!("{line}: {why}")));
    }
    for edge in &closure.edges {
        if let Outcome::Dies(death) = &edge.outcome {
            answer.fatal = Some(format!("{}: {}", String::from_utf8_lossy(&death.subject), death.words));
            answer.status = 127;
            return;
        }
    }
    if closure.edges.iter().any(|e| e.want == Want::Needed && matches!(e.outcome, Outcome::Missing(_))) {
        answer.status = 127;
        if world.launch == Launch::Run {
            answer.lines.retain(|line| line.contains("=> not found"));
        }
    } else if world.launch == Launch::Run {
        answer.lines = closure
            .loaded()
            .skip(1)
            .map(|id| String::from_utf8_lossy(&closure.object(id).path).into_owned())
            .collect();
    }
    // musl tells of all symbols; the last one is kept.
    if answer.status == 0
        && let Some(fatal) = unresolved(closure).last()
    {
        answer.fatal = Some(fatal);
        answer.status = 127;
        if world.launch == Launch::Run {
            answer.lines.clear();
        }
    }
}
