//! A whole tree that stands somewhere: can everything in it be started, with
//! the tree as `/`?

use std::cell::OnceCell;
use std::sync::Arc;

use super::file::{What, what};
use super::links::of_link;
use super::{env_line, error};
use crate::closure::{
    Closure, Edge, Elsewhere, File, Files, Found, Outcome, Program, Session, Settings, close,
};
use crate::finding::{Finding, Severity};
use crate::intern::Map;
use crate::loader::Family;
use crate::path::{basename, dirname};
use crate::root::{Child, DirId, FileId, ItemKind, Opened, Root, resolve};
use crate::shebang::Shebang;

/// What is to be looked at, and how.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// Those to be started; everything if there is none.
    pub programs: Vec<Vec<u8>>,
    /// Where `env` looks for a program.
    pub path: Vec<u8>,
    /// A library that no program reaches is an error.
    pub strict: bool,
}

/// What a tree holds, and what is wrong with it.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    pub programs: Vec<Started>,
    pub libraries: usize,
    pub scripts: usize,
    pub files: usize,
    /// Libraries that no program loads at its start, sorted.
    pub unreached: Vec<Vec<u8>>,
    /// What is wrong beside programs.
    pub findings: Vec<Finding>,
}

/// One program, started.
#[derive(Debug, Clone)]
pub struct Started {
    pub path: Vec<u8>,
    pub family: Option<Family>,
    /// How many files it loads.
    pub loads: usize,
    pub findings: Vec<Finding>,
}

/// Looks at everything in `root`.
pub fn tree(root: &dyn Root, look: &Look) -> Tree {
    let files = Files::default();
    let mut survey = Survey::new(root, &files, look);
    survey.walk();
    survey.named();
    survey.judge()
}

struct Survey<'a> {
    root: &'a dyn Root,
    files: &'a Files,
    look: &'a Look,
    programs: Vec<Program>,
    libraries: Vec<Program>,
    /// Names of variants that are in the tree.
    levels: Vec<Vec<u8>>,
    elsewhere: OnceCell<Elsewhere>,
    tree: Tree,
}

/// Trees at the top of a running machine that hold no files.
const KERNEL_TREES: [&[u8]; 3] = [b"proc", b"sys", b"dev"];

const ABSENT: &str = "is not in the tree";
const AS_IF_ABSENT: &str = "the kernel reports this as if the script itself did not exist";

impl<'a> Survey<'a> {
    fn new(root: &'a dyn Root, files: &'a Files, look: &'a Look) -> Self {
        Survey {
            root,
            files,
            look,
            programs: Vec::new(),
            libraries: Vec::new(),
            levels: Vec::new(),
            elsewhere: OnceCell::new(),
            tree: Tree::default(),
        }
    }

    fn walk(&mut self) {
        let mut waiting = vec![DirId::TOP];
        while let Some(dir) = waiting.pop() {
            let at = self.root.real_path(dir);
            let items = match self.root.list(dir) {
                Ok(items) => items,
                Err(cause) => {
                    self.unread(at.as_bytes(), &cause);
                    continue;
                }
            };
            let is_variants = basename(at.as_bytes()) == b"glibc-hwcaps";
            for item in items {
                let path = at.join(&item.name);
                match item.kind {
                    ItemKind::Dir if dir == DirId::TOP && KERNEL_TREES.contains(&&item.name[..]) => {}
                    ItemKind::Dir => {
                        if let Ok(Child::Dir(below)) = self.root.child(dir, &item.name) {
                            waiting.push(below);
                        }
                        if is_variants && !self.levels.contains(&item.name) {
                            self.levels.push(item.name);
                        }
                    }
                    ItemKind::File => self.file(dir, &item.name, path.as_bytes()),
                    ItemKind::Link => self.link(dir, &item.name, path.as_bytes()),
                    ItemKind::Special => {}
                }
            }
        }
        self.levels.sort();
    }

    fn link(&mut self, dir: DirId, name: &[u8], path: &[u8]) {
        if let Ok(Child::Link(target)) = self.root.child(dir, name) {
            self.tree.findings.extend(of_link(self.root, path, &target));
        }
    }

    fn file(&mut self, dir: DirId, name: &[u8], path: &[u8]) {
        self.tree.files += 1;
        let open = match self.root.open(dir, name) {
            Ok(Opened::File(open)) => open,
            Ok(Opened::Dir(_) | Opened::Link(_) | Opened::Special(_)) => return,
            Err(cause) => return self.unread(path, &cause),
        };
        match what(&open, self.files) {
            Ok(what) => self.sort(what, dir, name, path),
            Err(cause) => self.unread(path, &cause),
        }
    }

    fn sort(&mut self, what: What, dir: DirId, name: &[u8], path: &[u8]) {
        let program = |file: Arc<File>| {
            let found = Found { file, dir, name: name.into(), links: Arc::default() };
            Program { path: path.to_vec(), found }
        };
        match what {
            What::Program(file) if self.look.programs.is_empty() => self.programs.push(program(file)),
            What::Library(file) => self.libraries.push(program(file)),
            What::Script(script) if self.look.programs.is_empty() => {
                self.script(path, &script, is_command(path))
            }
            What::NotExecutable if is_command(path) => {
                self.warn("not-executable", path, "is a program, and nobody may execute it");
            }
            What::Foreign(format) => self.warn("format", path, &format!("is {format}, and may be executed")),
            What::Damaged(words) => self.warn("damaged", path, words),
            What::Program(_) | What::Script(_) | What::NotExecutable | What::Data => {}
        }
    }

    /// Those that were named, and have to be there.
    fn named(&mut self) {
        for path in &self.look.programs {
            let resolved = match resolve(self.root, DirId::TOP, path) {
                Ok(resolved) => resolved,
                Err(cause) => {
                    let words = format!("cannot be opened in the tree: {}", words(&cause));
                    self.tree.findings.push(error("program", path.clone(), words.into(), None));
                    continue;
                }
            };
            let Opened::File(open) = &resolved.opened else {
                self.no_program(path, "is no file");
                continue;
            };
            match what(open, self.files) {
                Ok(What::Program(file) | What::Library(file)) => {
                    let links = Arc::new(resolved.links);
                    let found = Found { file, dir: resolved.dir, name: resolved.name.into(), links };
                    self.programs.push(Program { path: path.clone(), found });
                }
                Ok(What::Script(script)) => self.script(path, &script, true),
                Ok(What::NotExecutable) => self.no_program(path, "cannot be executed: Permission denied"),
                Ok(What::Foreign(_) | What::Damaged(_) | What::Data) => {
                    self.no_program(path, "is no program: Exec format error");
                }
                Err(cause) => self.unread(path, &cause),
            }
        }
    }

    fn no_program(&mut self, path: &[u8], words: &str) {
        self.tree.findings.push(error("program", path.to_vec(), words.into(), None));
    }

    fn warn(&mut self, code: &'static str, path: &[u8], words: &str) {
        let (severity, subject) = (Severity::Warning, path.to_vec());
        self.tree.findings.push(Finding { severity, code, subject, message: words.into(), hint: None });
    }

    fn unread(&mut self, path: &[u8], cause: &std::io::Error) {
        self.warn("unread", path, &format!("cannot be read: {}", words(cause)));
    }

    /// A script in a directory of commands is there to be started.
    fn script(&mut self, path: &[u8], script: &Shebang, is_command: bool) {
        self.tree.scripts += 1;
        let severity = if is_command { Severity::Error } else { Severity::Warning };
        let interpreter = &script.interpreter[..];
        let (missing, words, hint) = match (self.may_execute(interpreter), script.looked_up()) {
            (None, _) => (interpreter, ABSENT, Some(AS_IF_ABSENT)),
            (Some(false), _) => (interpreter, "cannot be executed: Permission denied", None),
            (Some(true), Some(name)) if !self.is_in_path(name) => (name, ABSENT, None),
            (Some(true), Some(_) | None) => return,
        };
        self.tree.findings.push(Finding {
            severity,
            code: "interpreter",
            subject: path.to_vec(),
            message: [b"its interpreter `", missing, b"` ", words.as_bytes()].concat(),
            hint: hint.map(|hint| hint.as_bytes().to_vec()),
        });
    }

    /// Whether anybody may execute the file; `None` if there is none.
    fn may_execute(&self, path: &[u8]) -> Option<bool> {
        match resolve(self.root, DirId::TOP, path).ok()?.opened {
            Opened::File(open) => Some(open.stat.mode & 0o111 != 0),
            Opened::Dir(_) | Opened::Link(_) | Opened::Special(_) => None,
        }
    }

    fn is_in_path(&self, name: &[u8]) -> bool {
        let mut dirs = self.look.path.split(|&b| b == b':').filter(|dir| dir.starts_with(b"/"));
        // As `env` does, which goes on past what it may not execute.
        dirs.any(|dir| self.may_execute(&[dir, b"/", name].concat()) == Some(true))
    }

    /// Starts everything, on every processor that the tree has variants for.
    fn judge(mut self) -> Tree {
        self.programs.sort_by(|a, b| a.path.cmp(&b.path));
        let base = Settings { cwd: b"/".to_vec(), ..Settings::default() };
        let with = |level: &Vec<u8>| Settings { levels: Some(vec![level.clone()]), ..base.clone() };
        let variants = self.levels.iter().map(with);
        let settings: Vec<Settings> = std::iter::once(base.clone()).chain(variants).collect();
        let mut sessions: Vec<Session<'_>> =
            settings.iter().map(|settings| Session::new(self.root, self.files, settings)).collect();
        let mut reached = Map::default();
        for program in std::mem::take(&mut self.programs) {
            let started = self.start(&mut sessions, &program, &mut reached);
            self.tree.programs.push(started);
        }
        self.libraries.sort_by(|a, b| a.path.cmp(&b.path));
        self.tree.libraries = self.libraries.len();
        for library in std::mem::take(&mut self.libraries) {
            if !reached.contains(&library.found.file.stat.id) {
                self.unreached(&mut sessions[0], &library);
            }
        }
        self.tree.findings.sort_by(|a, b| (&a.subject, a.code).cmp(&(&b.subject, b.code)));
        self.tree
    }

    fn start(
        &self,
        sessions: &mut [Session<'_>],
        program: &Program,
        reached: &mut Map<FileId, ()>,
    ) -> Started {
        let mut started =
            Started { path: program.path.clone(), family: None, loads: 0, findings: Vec::new() };
        for (level, session) in sessions.iter_mut().enumerate() {
            let closure = close(session, program);
            for object in &closure.objects {
                reached.insert(object.found.file.stat.id, ());
            }
            if level == 0 {
                started.family = closure.family;
                started.loads = closure.objects.len() - 1;
            }
            for finding in self.cured(&closure) {
                if !started.findings.contains(&finding) {
                    started.findings.push(finding);
                }
            }
        }
        started
    }

    /// A library that somebody may open at run time: what it lacks then, a
    /// program may have loaded for it.
    fn unreached(&mut self, session: &mut Session<'_>, library: &Program) {
        let severity = if self.look.strict { Severity::Error } else { Severity::Warning };
        let closure = close(session, library);
        for finding in self.cured(&closure).into_iter().filter(|f| f.severity >= Severity::Error) {
            let message = [&finding.subject[..], b": ", &finding.message].concat();
            self.tree.findings.push(Finding { severity, subject: library.path.clone(), message, ..finding });
        }
        if self.look.strict {
            let message = b"no program of the tree loads it".to_vec();
            self.tree.findings.push(error("unreached", library.path.clone(), message, None));
        }
        self.tree.unreached.push(library.path.clone());
    }

    /// The findings of a start, with what cures them in an image.
    fn cured(&self, closure: &Closure) -> Vec<Finding> {
        let of_finding = |finding: &Finding| {
            let edge = closure.edges.iter().find(|edge| {
                finding.code == "missing"
                    && *edge.name == *finding.subject
                    && matches!(edge.outcome, Outcome::Missing(_))
            });
            match edge {
                Some(edge) => Finding { hint: self.cure(closure, edge, finding), ..finding.clone() },
                None => finding.clone(),
            }
        };
        closure.findings.iter().map(of_finding).collect()
    }

    fn cure(&self, closure: &Closure, edge: &Edge, finding: &Finding) -> Option<Vec<u8>> {
        if matches!(&edge.outcome, Outcome::Missing(miss) if miss.by_conf.is_some()) {
            return finding.hint.clone();
        }
        if edge.name.contains(&b'/') {
            return None;
        }
        let elsewhere = self.elsewhere.get_or_init(|| Elsewhere::of_places(self.root));
        let beside = || Elsewhere::beside(self.root, closure.objects[0].found.dir).of(&edge.name).next();
        let dir = elsewhere.of(&edge.name).next().or_else(beside)?;
        let path = [&dir[..], b"/", &edge.name].concat();
        Some(
            [
                b"it is there as `",
                &path[..],
                b"`, where the loader does not look: ",
                &env_line(&path)[..],
                b" would cure it",
            ]
            .concat(),
        )
    }
}

/// It lies where a shell looks for commands.
fn is_command(path: &[u8]) -> bool {
    dirname(path).is_some_and(|dir| matches!(basename(dir), b"bin" | b"sbin"))
}

fn words(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
