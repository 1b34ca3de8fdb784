//! depcollect itself as one more judge: a world in memory is closed over, and
//! the closure is put into the words of the loader.

use depcollect::closure::{
    Closure, Files, NotAProgram, Outcome, Seen, Session, Settings, Want, close, open_program, symbols,
};
use depcollect::finding::{Finding, Severity};
use depcollect::loader::{Cpu, Family, Launch as Start, Obstacle};
use depcollect::report;
use depcollect::root::Root;

use crate::judge::{Answer, Judge};
use crate::world::{Launch, What, World};

pub const MODEL: Judge = Judge { name: "the model", answers_for_all: true, answer: model };

fn model(world: &World) -> Answer {
    let mut world = world.clone();
    let is_root = world.uid == 0;
    for entry in &mut world.entries {
        as_user(entry.what == What::Dir, is_root, &mut entry.mode);
    }
    answer_in(&world, &world.to_mem())
}

/// Root reads everything, and gains nothing by setuid.
fn as_user(is_dir: bool, is_root: bool, mode: &mut Option<u32>) {
    if let Some(mode) = mode.as_mut().filter(|_| is_root) {
        *mode = *mode & 0o1777 | if is_dir { 0o555 } else { 0o444 };
    }
}

/// The model's answer for a world that stands in some root.
pub fn answer_in(world: &World, root: &dyn Root) -> Answer {
    let files = Files::default();
    let settings = settings(world);
    let mut session = Session::new(root, &files, &settings);
    let path = world.program.clone();
    match open_program(&mut session, &path) {
        Ok(program) if cannot_exec(world, program.found.file.stat.mode) => kernel("Permission denied"),
        Ok(program) => {
            let mut closure = close(&mut session, &program);
            symbols::check(&mut session, &mut closure);
            answer(world, &closure)
        }
        Err(no) => refused(world, &no),
    }
}

fn cannot_exec(world: &World, mode: u32) -> bool {
    matches!(world.launch, Launch::Exec | Launch::Run) && mode & 0o111 == 0
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
        // `ld.so FILE` of what is no program is a question that the tool answers
        // in its own words.
        _ => Answer { fatal: Some("not a program".into()), status: 127, ..Answer::default() },
    }
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

fn answer(world: &World, closure: &Closure) -> Answer {
    let mut answer = Answer::default();
    if let Some(refused) = refused_interp(closure) {
        return refused;
    }
    if closure.family == Some(Family::Musl) {
        musl(world, closure, &mut answer);
    } else {
        glibc(world, closure, &mut answer);
    }
    answer
}

/// The kernel's error for an interpreter that it cannot use.
fn refused_interp(closure: &Closure) -> Option<Answer> {
    let finding = closure.findings.iter().find(|f| f.code == "interpreter")?;
    let text = String::from_utf8_lossy(&finding.message).into_owned();
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

fn glibc(world: &World, closure: &Closure, answer: &mut Answer) {
    for edge in &closure.edges {
        let words = match &edge.outcome {
            Outcome::Missing(miss) if miss.other_class => "wrong ELF class: ELFCLASS32".to_owned(),
            Outcome::Missing(_) => "cannot open shared object file".to_owned(),
            Outcome::Dies(death) => death.words.clone(),
            _ => continue,
        };
        let name = String::from_utf8_lossy(&edge.name).into_owned();
        match edge.want {
            Want::PreloadEnv | Want::PreloadFile | Want::Audit => {
                answer.ignored.push(format!("{name}: {words}"))
            }
            Want::Needed | Want::Filter if matches!(edge.outcome, Outcome::Dies(_)) => {
                let Outcome::Dies(death) = &edge.outcome else { continue };
                answer.fatal = Some(format!("{}: {}", String::from_utf8_lossy(&death.subject), death.words));
            }
            // A start ends at the first name that is missing, and so does --list.
            Want::Needed | Want::Filter if matches!(world.launch, Launch::Run | Launch::List) => {
                let dots = if words.ends_with("file") { errno_words(&edge.outcome, &name) } else { "" };
                answer.fatal = answer.fatal.take().or(Some(format!("{name}: {words}{dots}")));
            }
            _ => {}
        }
    }
    if answer.fatal.is_some() {
        answer.status = 127;
        return;
    }
    of_checks(closure, answer);
    if answer.fatal.is_some() {
        return;
    }
    if world.launch == Launch::Run {
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
    answer.lines = text.lines().map(|line| line.trim_start_matches('\t').to_owned()).collect();
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

/// ld.so has words for few errors.
fn errno_words(outcome: &Outcome, name: &str) -> &'static str {
    let Outcome::Missing(miss) = outcome else { return "" };
    match miss.tried.last().map(|tried| tried.obstacle).filter(|_| name.contains('/')) {
        Some(Obstacle::Unreadable) => ": Permission denied",
        Some(Obstacle::NotDirectory | Obstacle::NoDirectory) => ": Error 20",
        _ => ": No such file or directory",
    }
}

/// What is said when everything is loaded.
fn of_checks(closure: &Closure, answer: &mut Answer) {
    for finding in &closure.findings {
        let subject = String::from_utf8_lossy(&finding.subject);
        let message = String::from_utf8_lossy(&finding.message);
        let program = String::from_utf8_lossy(&closure.program);
        match (finding.code, finding.severity) {
            ("version", _) => {
                answer.said.push(format!("{program}: {subject}: {message}"));
                answer.status = 1;
            }
            ("no-version-information" | "weak-version", _) => {
                answer.said.push(format!("{program}: {subject}: {message}"));
            }
            ("isa-level", Severity::Error) => {
                answer.fatal = Some(format!("{subject}: {message}"));
                answer.status = 127;
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

/// What is in the process, in its order: the loader is where it is first asked for.
fn musl_list(closure: &Closure) -> Vec<String> {
    let mut lines = Vec::new();
    for edge in closure.edges.iter().filter(|edge| edge.want != Want::Interp) {
        let Outcome::Found { to, .. } = &edge.outcome else { continue };
        let path = String::from_utf8_lossy(&closure.object(*to).path).into_owned();
        if to.0 != 0 && !lines.contains(&path) {
            lines.push(path);
        }
    }
    lines
}

fn musl(world: &World, closure: &Closure, answer: &mut Answer) {
    let mut text = String::new();
    report::ldd(&mut text, closure);
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| line.trim_start_matches('\t').to_owned())
        .filter(|l| !l.ends_with("not found"))
        .collect();
    if world.launch == Launch::Run {
        lines = musl_list(closure);
    }
    let mut missing = Vec::new();
    for edge in closure.edges.iter().filter(|edge| edge.want == Want::Needed) {
        if let Outcome::Missing(miss) = &edge.outcome {
            let why = report::musl_words(miss);
            let by = String::from_utf8_lossy(&closure.object(edge.from).path).into_owned();
            missing.push(format!(
                "{} => not found: {why} (needed by {by})",
                String::from_utf8_lossy(&edge.name)
            ));
        }
    }
    // musl tells of all; the last one is kept.
    answer.fatal = unresolved(closure).last().filter(|_| missing.is_empty());
    if !missing.is_empty() || answer.fatal.is_some() {
        answer.status = 127;
        if world.launch == Launch::Run {
            lines.clear();
        }
    }
    lines.extend(missing);
    answer.lines = lines;
}
