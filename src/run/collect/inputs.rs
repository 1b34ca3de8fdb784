//! From words to what is to be in the tree: programs, scripts, directories and
//! globs, in the root or, with a foreign root, on the host.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::io::Errno;

use super::tree::{self, Piece, What};
use super::{data, outside};
use crate::closure::{Found, NotAProgram, Program, Seen, Session, not_executable, open_program};
use crate::elf::Kind;
use crate::finding::{Finding, Severity};
use crate::job::{CollectTask, Job, Placed};
use crate::needs::{self, Want, rules};
use crate::path::{ImagePath, basename, dirname};
use crate::plan::{Excluded, Glob, Place, Reason};
use crate::report;
use crate::root::dir::DirRoot;
use crate::root::{Child, DirId, FileId, Links, Root, resolve, resolve_dir};
use crate::run::inputs;
use crate::run::problem::{Problem, Where};
use crate::run::{Scene, words};

mod scripts;

use scripts::MOST_SCRIPTS;

/// A file that is started or loaded, and where it goes.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) program: Program,
    pub(super) place: Place,
    pub(super) reason: Reason,
    pub(super) is_module: bool,
}

/// Everything that was named.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    pub(super) starts: Vec<Input>,
    /// What is taken as it is.
    pub(super) pieces: Vec<Piece>,
    pub(super) findings: Vec<Finding>,
    /// What was named and cannot be taken. Exit status 2.
    pub(super) problems: Vec<Problem>,
    pub(super) excluded: Excluded,
    /// What `--exclude` kept from being gathered, by its place in the image.
    pub(super) left_out: Vec<Vec<u8>>,
}

/// So many special files are named; of the others there is a count.
const MOST_NAMED: usize = 3;

const EXECUTE: u32 = 0o111;

impl Inputs {
    pub(super) fn of(job: &Job, task: &CollectTask, scene: &Scene<'_>, session: &mut Session<'_>) -> Inputs {
        let has_dist = !task.dist.as_os_str().is_empty();
        let dist = has_dist.then(|| DirRoot::open(&job.cwd.join(&task.dist)).ok()).flatten();
        let dist = dist.and_then(|dist| dist.dir_stat(DirId::TOP).ok()).map(|stat| stat.id);
        let excluded = Excluded { globs: task.exclude.iter().map(|glob| Glob::new(glob)).collect() };
        let inputs = Inputs { excluded, ..Inputs::default() };
        let mut gather = Gather { job, root: scene.root, session, dist, inputs };
        for placed in &task.programs {
            gather.program(placed);
        }
        for placed in &task.include {
            gather.include(placed);
        }
        gather.data(task);
        gather.inputs
    }

    /// Whether somebody has put something of his own there.
    pub(super) fn placed_at(&self, path: &[u8]) -> bool {
        let Some(path) = ImagePath::parse(path) else { return false };
        let has = |piece: &Piece| match &piece.what {
            What::File { dest, .. } => dest.as_ref() == Some(&path),
            What::Tree { items, stays, .. } => !stays && items.iter().any(|(at, _)| *at == path),
            What::Host { at, .. } | What::Made { at, .. } | What::Link { at, .. } => *at == path,
            What::Dir { .. } => false,
        };
        let is_start = |input: &Input| match &input.place {
            Place::Moved(at) | Place::Host { at, .. } => *at == path,
            Place::AsFound | Place::Planned(_) => false,
        };
        self.pieces.iter().any(has) || self.starts.iter().any(is_start)
    }

    /// Whether somebody has put a file of this name anywhere.
    pub(super) fn has_name(&self, name: &[u8]) -> bool {
        let is_it = |at: &ImagePath| at.name() == name;
        let has = |piece: &Piece| match &piece.what {
            What::File { path, dest, .. } => dest.as_ref().map_or_else(|| basename(path) == name, is_it),
            What::Tree { items, .. } => items.iter().any(|(at, _)| is_it(at)),
            What::Host { at, .. } | What::Made { at, .. } | What::Link { at, .. } => is_it(at),
            What::Dir { .. } => false,
        };
        let is_start = |input: &Input| match &input.place {
            Place::AsFound => *input.program.found.name == *name,
            Place::Moved(at) | Place::Host { at, .. } | Place::Planned(at) => is_it(at),
        };
        self.pieces.iter().any(has) || self.starts.iter().any(is_start)
    }

    /// What a rule wants. What cannot be taken is left out, with a warning.
    pub(super) fn need(
        &mut self,
        job: &Job,
        scene: &Scene<'_>,
        session: &mut Session<'_>,
        want: Want,
        reason: &Reason,
    ) {
        let problems = std::mem::take(&mut self.problems);
        let inputs = std::mem::take(self);
        let mut gather = Gather { job, root: scene.root, session, dist: None, inputs };
        gather.want(want, reason);
        *self = gather.inputs;
        let unmet = std::mem::replace(&mut self.problems, problems);
        self.findings.extend(unmet.into_iter().map(left_out));
    }
}

/// What a rule brings is read: that it could be started as well, as modules of
/// Python can, brings nobody who starts it.
fn is_asked(reason: &Reason) -> bool {
    !matches!(reason, Reason::Need { .. })
}

/// What a rule leaves where it is.
fn skips(reason: &Reason) -> &'static [&'static str] {
    if let Reason::Need { rule, .. } = reason { rules::skips(rule) } else { &[] }
}

fn left_out(problem: Problem) -> Finding {
    Finding {
        severity: Severity::Warning,
        code: "left-out",
        message: format!("left out: cannot {}: {}", problem.verb, problem.cause).into_bytes(),
        subject: problem.path,
        hint: None,
    }
}

struct Gather<'g, 'a> {
    job: &'g Job,
    root: &'g dyn Root,
    session: &'g mut Session<'a>,
    /// It may lie in a directory that is taken, and is not taken itself.
    dist: Option<FileId>,
    inputs: Inputs,
}

/// A word taken apart: a path, and where that is to go.
struct Wanted {
    path: Vec<u8>,
    /// A path of the host, outside a foreign root.
    is_host: bool,
    dest: Option<ImagePath>,
}

impl Wanted {
    /// Where it is to be in the image.
    fn place(&self) -> &[u8] {
        self.dest.as_ref().map_or(&self.path, ImagePath::as_bytes)
    }
}

impl Gather<'_, '_> {
    fn program(&mut self, placed: &Placed) {
        let Some(wanted) = self.parse(placed) else { return };
        if self.is_excluded(&wanted, true) {
            return self.contradiction(&wanted, "collect");
        }
        if wanted.is_host {
            return self.host_file(&wanted, Reason::Program);
        }
        match open_program(self.session, &wanted.path) {
            Ok(program) => self.start(program, &wanted, Reason::Program),
            Err(NotAProgram::Seen(Seen::Directory)) => {
                self.directory(&wanted, &Reason::Included { word: placed.word.clone() })
            }
            Err(NotAProgram::Unfit(_)) if self.script(&wanted, Reason::Program, MOST_SCRIPTS) => {}
            Err(no) => self.not_a_program(&wanted.path, &no),
        }
    }

    /// A file, a directory or a glob, as it is; ELF files bring what they load.
    fn include(&mut self, placed: &Placed) {
        let Some(wanted) = self.parse(placed) else { return };
        if wanted.is_host {
            return self.host_file(&wanted, Reason::Included { word: placed.word.clone() });
        }
        if !is_glob(&wanted.path) || self.exists(&wanted.path) {
            if self.is_excluded(&wanted, false) {
                return self.contradiction(&wanted, "include");
            }
            return self.included(&wanted, &Reason::Included { word: placed.word.clone() });
        }
        let matches = needs::expand(self.root, &self.session.absolute(&wanted.path));
        if matches.is_empty() {
            let cause = "no file of the root matches the pattern".into();
            self.problem(Problem::new(&placed.word, "include", cause));
        }
        let mut skipped = Vec::new();
        for path in matches {
            let dest = wanted.dest.as_ref().map(|dest| dest.join(basename(&path)));
            let reason = Reason::Included { word: placed.word.clone() };
            let one = Wanted { path, is_host: false, dest };
            if self.is_excluded(&one, false) {
                self.inputs.left_out.extend([one.place().to_vec(), self.real(&one.path)]);
                continue;
            }
            match self.session.look(b"", &one.path) {
                Seen::Special(what) => skipped.push((one.path, what)),
                Seen::Error { errno, .. } if is_nowhere(errno) && self.link(&one, &reason) => {}
                Seen::Error { .. } | Seen::File(_) | Seen::Directory | Seen::Unreadable(_) => {
                    self.included(&one, &reason);
                }
            }
        }
        self.skipped(skipped, &wanted.path);
    }

    /// By its place in the image. A program is excluded by its name too, if that
    /// is typed as it is.
    fn is_excluded(&self, wanted: &Wanted, is_program: bool) -> bool {
        let excluded = &self.inputs.excluded;
        let stays = || wanted.dest.is_none() && !wanted.is_host;
        let name = basename(wanted.place());
        excluded.has_path(wanted.place())
            || (is_program && excluded.globs.iter().any(|glob| glob.as_bytes() == name))
            || (!excluded.globs.is_empty() && stays() && excluded.has_path(&self.real(&wanted.path)))
    }

    /// Where a path leads; itself, if that is nowhere.
    fn real(&self, path: &[u8]) -> Vec<u8> {
        let found = resolve(self.root, DirId::TOP, path);
        found.map_or(path.to_vec(), |found| found.real_path(self.root).as_bytes().to_vec())
    }

    fn contradiction(&mut self, wanted: &Wanted, verb: &'static str) {
        let cause = "--exclude leaves it out".into();
        self.problem(Problem::new(wanted.place(), verb, cause));
    }

    /// A link that leads nowhere is taken as it is, as in a directory. Whether
    /// there is one.
    fn link(&mut self, wanted: &Wanted, reason: &Reason) -> bool {
        let Some((dir, name)) = dirname(&wanted.path).map(|dir| (dir, basename(&wanted.path))) else {
            return false;
        };
        let Ok((dir, links)) = resolve_dir(self.root, DirId::TOP, dir) else { return false };
        let Ok(Child::Link(target)) = self.root.child(dir, name) else { return false };
        let found = ImagePath::from(self.root.real_path(dir)).join(name);
        let links = if wanted.dest.is_some() { Links::new() } else { links };
        let from = found.as_bytes().to_vec();
        let at = wanted.dest.clone().unwrap_or(found);
        let path = wanted.dest.as_ref().map_or(&wanted.path[..], ImagePath::as_bytes).to_vec();
        let items = vec![(at, tree::Item::Link(target))];
        let what = What::Tree { path, items, links, from, stays: wanted.dest.is_none() };
        self.inputs.pieces.push(Piece { what, reason: reason.clone() });
        true
    }

    /// The link is there that a path names, and what it leads to is not.
    fn dangling(&self, path: &[u8]) -> Option<Problem> {
        let (dir, _) = resolve_dir(self.root, DirId::TOP, dirname(path)?).ok()?;
        let Child::Link(target) = self.root.child(dir, basename(path)).ok()? else { return None };
        resolve(self.root, DirId::TOP, path).err()?.raw_os_error().filter(|errno| is_nowhere(*errno))?;
        let (mut cause, mut cure) = (String::from("it is a link that leads nowhere, to `"), String::new());
        report::escape(&mut cause, &target);
        report::escape(&mut cure, &[b"--symlink ", path, b"=", &target, b" makes the same"].concat());
        Some(Problem::new(path, "include", cause + "`").with_hint(&cure))
    }

    fn included(&mut self, wanted: &Wanted, reason: &Reason) {
        match open_program(self.session, &wanted.path) {
            Ok(program) if program.found.facts().kind() != Kind::Other => {
                self.start(program, wanted, reason.clone())
            }
            Err(NotAProgram::Seen(Seen::Directory)) => self.directory(wanted, reason),
            Err(NotAProgram::Unfit(_))
                if is_asked(reason) && self.script(wanted, reason.clone(), MOST_SCRIPTS) => {}
            Ok(_) | Err(NotAProgram::Unfit(_) | NotAProgram::NotLoadable) => {
                self.file(wanted, reason.clone())
            }
            Err(no @ NotAProgram::Seen(_)) => {
                let problem = Problem::of_no_program(&wanted.path, &no, &Where::Root(self.session));
                let problem = self.dangling(&wanted.path).unwrap_or(problem);
                self.problem(Problem { verb: "include", ..problem });
            }
        }
    }

    /// What the data options want.
    fn data(&mut self, task: &CollectTask) {
        for (option, wanted) in data::wanted(self.root, task) {
            match wanted {
                Ok(wanted) => {
                    self.inputs.findings.extend(wanted.findings);
                    let reason = Reason::Option { option: option.into() };
                    wanted.wants.into_iter().for_each(|want| self.want(want, &reason));
                }
                Err(refusal) => self.problem(Problem::of_refusal(refusal)),
            }
        }
    }

    fn want(&mut self, want: Want, reason: &Reason) {
        let place = |at: Vec<u8>| ImagePath::parse(&at).expect("a want has a place in the image");
        let what = match want {
            Want::Path(path) => return self.included(&Wanted { path, is_host: false, dest: None }, reason),
            Want::Host { at, path } => What::Host { path: self.job.cwd.join(path), at: place(at) },
            Want::Made { at, bytes, access, merge } => What::Made { at: place(at), bytes, access, merge },
            Want::Dir { at, access } => What::Dir { at: place(at), access },
            Want::Link { at, target } => What::Link { at: place(at), target },
        };
        self.inputs.pieces.push(Piece { what, reason: reason.clone() });
    }

    fn start(&mut self, program: Program, wanted: &Wanted, reason: Reason) {
        self.executed(&wanted.path, &program.found, &reason);
        let is_module = matches!(program.found.facts().kind(), Kind::Library);
        let place = wanted.dest.clone().map_or(Place::AsFound, Place::Moved);
        self.inputs.starts.push(Input { program, place, reason, is_module });
    }

    /// What is named to be started, and what the kernel starts for it, has to be
    /// executable: even root may not execute what nobody may.
    fn executed(&mut self, path: &[u8], found: &Found, reason: &Reason) {
        let is_started = match reason {
            Reason::Program => !matches!(&found.file.elf, Ok(facts) if is_loaded_only(facts.kind())),
            Reason::ScriptInterpreter { .. } => true,
            Reason::Loader { .. }
            | Reason::Library { .. }
            | Reason::Included { .. }
            | Reason::Option { .. }
            | Reason::Need { .. }
            | Reason::Search { .. }
            | Reason::Way => false,
        };
        if is_started && found.file.stat.mode & EXECUTE == 0 {
            self.inputs.findings.push(not_executable(path));
        }
    }

    /// A file that nobody loads.
    fn file(&mut self, wanted: &Wanted, reason: Reason) {
        match self.session.look(b"", &wanted.path) {
            Seen::File(found) => {
                self.executed(&wanted.path, &found, &reason);
                let path = wanted.path.clone();
                let what = What::File { path, found, dest: wanted.dest.clone() };
                self.inputs.pieces.push(Piece { what, reason });
            }
            seen @ (Seen::Error { .. } | Seen::Directory | Seen::Special(_) | Seen::Unreadable(_)) => {
                self.not_a_program(&wanted.path, &NotAProgram::Seen(seen));
            }
        }
    }

    fn directory(&mut self, wanted: &Wanted, reason: &Reason) {
        let path = self.session.absolute(&wanted.path);
        let walked = tree::walk(self.root, &path, wanted.dest.as_ref(), self.dist);
        match walked.map(|walked| walked.without(skips(reason))) {
            Ok(walked) if tree::is_in_kernel_tree(walked.top.as_bytes()) => {
                let problem = Problem::new(&path, "include", "what starts a container makes it".into());
                self.problem(Problem { hint: Some("--mkdir makes an empty one".into()), ..problem });
            }
            Ok(walked) => {
                let outside = self.outside(&walked, wanted, reason);
                self.walked(walked, wanted, reason);
                for path in outside {
                    self.led_to(Wanted { path, is_host: false, dest: None }, reason);
                }
            }
            Err((path, error)) => self.problem(Problem::new(&path, "read", words(&error))),
        }
    }

    /// As if it lay in the directory: an ELF file is loaded, a script is a file.
    fn led_to(&mut self, wanted: Wanted, reason: &Reason) {
        match open_program(self.session, &wanted.path) {
            Ok(program) if program.found.facts().kind() != Kind::Other => {
                self.start(program, &wanted, reason.clone());
            }
            Ok(_) | Err(_) => self.file(&wanted, reason.clone()),
        }
    }

    /// What was named is to work in the image; a rule or an option knows what it wants.
    fn outside(&self, walked: &tree::Walked, wanted: &Wanted, reason: &Reason) -> Vec<Vec<u8>> {
        let Reason::Included { .. } = reason else { return Vec::new() };
        outside::files(self.root, walked, wanted.dest.is_some(), &self.inputs.excluded)
    }

    /// What a directory holds: everything as it is, and its ELF files loaded.
    fn walked(&mut self, walked: tree::Walked, wanted: &Wanted, reason: &Reason) {
        for (at, path) in walked.elf {
            if let Ok(program) = open_program(self.session, &path)
                && !matches!(program.found.facts().kind(), Kind::Other)
                && !program.found.facts().is_debug_file()
            {
                let is_module = program.found.facts().interp().is_none();
                let reason = reason.clone();
                self.inputs.starts.push(Input { program, place: Place::Planned(at), reason, is_module });
            }
        }
        self.skipped(walked.skipped, &wanted.path);
        let path = self.session.absolute(wanted.dest.as_ref().map_or(&wanted.path[..], ImagePath::as_bytes));
        let stays = wanted.dest.is_none();
        let from = walked.top.as_bytes().to_vec();
        let what = What::Tree { path, items: walked.items, links: walked.links, from, stays };
        self.inputs.pieces.push(Piece { what, reason: reason.clone() });
    }

    /// What cannot be copied: the first few by name, the others by number.
    fn skipped(&mut self, skipped: Vec<(Vec<u8>, &'static str)>, within: &[u8]) {
        let special = |path: Vec<u8>, message: String| Finding {
            severity: Severity::Warning,
            code: "special",
            subject: path,
            message: message.into_bytes(),
            hint: None,
        };
        let more = skipped.len().saturating_sub(MOST_NAMED);
        for (path, what) in skipped.into_iter().take(MOST_NAMED) {
            self.inputs.findings.push(special(path, format!("a {what} is not taken along")));
        }
        if more > 0 {
            let message = format!("{more} more special files are not taken along");
            self.inputs.findings.push(special(within.to_vec(), message));
        }
    }

    /// A program or file of the host, with a foreign root.
    fn host_file(&mut self, wanted: &Wanted, reason: Reason) {
        let Some(at) = wanted.dest.clone() else {
            let problem =
                Problem::new(&wanted.path, "place", "it is a file of the host, outside the root".into());
            let hint = Some("say where it goes, as in PROGRAM:/usr/bin/PROGRAM".into());
            return self.problem(Problem { hint, ..problem });
        };
        let path: PathBuf = self.job.cwd.join(std::ffi::OsStr::from_bytes(&wanted.path));
        match self.session.look_at_host(&path) {
            Ok(file) => match &file.elf {
                Ok(facts) if facts.kind() != Kind::Other => {
                    let is_module = facts.kind() == Kind::Library;
                    let program = inputs::placed_from_host(self.session, &at, file);
                    self.executed(&wanted.path, &program.found, &reason);
                    self.inputs.starts.push(Input {
                        program,
                        place: Place::Host { path, at },
                        reason,
                        is_module,
                    });
                }
                Ok(_) | Err(_) => self.inputs.pieces.push(Piece { what: What::Host { path, at }, reason }),
            },
            Err(error) => self.problem(Problem::new(&wanted.path, "open", words(&error))),
        }
    }

    /// `SRC` or `SRC:DEST`. A file whose whole name exists is that file.
    fn parse(&mut self, placed: &Placed) -> Option<Wanted> {
        let word = &placed.word;
        let colon = word.iter().rposition(|&b| b == b':').filter(|_| !self.exists(word));
        let (src, dest) = match colon {
            Some(at) if at > 0 && word.get(at + 1) == Some(&b'/') => (&word[..at], Some(&word[at + 1..])),
            Some(at) if at > 0 && self.exists(&word[..at]) => {
                let cause = "a destination is absolute, as in PROGRAM:/usr/bin/PROGRAM".into();
                self.problem(Problem::new(word, "place", cause));
                return None;
            }
            Some(_) | None => (&word[..], None),
        };
        let is_word = !src.is_empty() && !src.contains(&b'/') && !is_glob(src);
        if is_word && !self.exists(src) && self.named(src).is_none() {
            let cause = "it is neither a file here nor a program in PATH".into();
            self.problem(Problem::new(src, "find", cause));
            return None;
        }
        let is_host = !self.job.is_own_root && !src.starts_with(b"/") && src.contains(&b'/');
        let path = if is_host { src.to_vec() } else { self.in_root(src) };
        let dest = match dest.map(|dest| place(dest, &path)) {
            None => None,
            Some(Some(dest)) => Some(dest),
            Some(None) => {
                let cause = "a destination is absolute and goes nowhere up".into();
                self.problem(Problem::new(word, "place", cause));
                return None;
            }
        };
        Some(Wanted { path, is_host, dest })
    }

    /// A path of the root, absolute. A word without a slash is looked up in PATH.
    fn in_root(&mut self, src: &[u8]) -> Vec<u8> {
        self.named(src).unwrap_or_else(|| self.session.absolute(plain(src)))
    }

    fn named(&mut self, src: &[u8]) -> Option<Vec<u8>> {
        inputs::in_path(self.job, self.session, src)
    }

    fn exists(&mut self, path: &[u8]) -> bool {
        matches!(self.session.look(b"", path), Seen::File(_) | Seen::Directory | Seen::Special(_))
    }

    fn not_a_program(&mut self, path: &[u8], no: &NotAProgram) {
        let problem = Problem::of_no_program(path, no, &Where::Root(self.session));
        self.problem(problem.of_command("collect"));
    }

    fn problem(&mut self, problem: Problem) {
        self.inputs.problems.push(problem);
    }

    fn error(&mut self, subject: &[u8], code: &'static str, message: &str) {
        self.error_bytes(subject, code, message.as_bytes().to_vec());
    }

    fn error_bytes(&mut self, subject: &[u8], code: &'static str, message: Vec<u8>) {
        let subject = subject.to_vec();
        self.inputs.findings.push(Finding { severity: Severity::Error, code, subject, message, hint: None });
    }
}

/// Named, they are taken for somebody who loads them.
fn is_loaded_only(kind: Kind) -> bool {
    matches!(kind, Kind::Library | Kind::Loader | Kind::Other)
}

/// `./app` is `app`.
fn plain(path: &[u8]) -> &[u8] {
    match path {
        [b'.', b'/', rest @ ..] if !rest.starts_with(b"/") && !rest.is_empty() => plain(rest),
        path => path,
    }
}

/// What a link that dangles, or goes round, ends in; another error is trouble.
fn is_nowhere(errno: i32) -> bool {
    [Errno::NOENT, Errno::LOOP, Errno::NOTDIR].map(Errno::raw_os_error).contains(&errno)
}

fn is_glob(path: &[u8]) -> bool {
    path.iter().any(|b| matches!(b, b'*' | b'?' | b'['))
}

/// A trailing slash means into.
fn place(dest: &[u8], src: &[u8]) -> Option<ImagePath> {
    let at = ImagePath::parse(dest)?;
    let name = basename(src);
    Some(if dest.ends_with(b"/") && !name.is_empty() { at.join(name) } else { at })
}
