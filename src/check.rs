//! Is a tree loadable as `/`? Closes over the tree itself, as the loader would
//! see it, and compares with what was planned: every request must find the
//! very file that it found in the root.

use std::collections::{BTreeMap, BTreeSet};

use crate::closure::{
    Closure, Edge, Files, NotAProgram, Object, Outcome, Runtime, Seen, Session, Settings, Want, close,
    glibc_words, musl_words, open_program,
};
use crate::finding::{Finding, Severity};
use crate::intern::Map;
use crate::loader::{Family, Rule};
use crate::path::dirname;
use crate::plan::search::{Search, Unfound, variant};
use crate::root::{FileId, Root};

mod expected;
mod file;
mod links;
mod tree;

pub use expected::{Expected, Load, Wanted};
pub use links::{links, spelled};
pub use tree::{Look, Started, Tree, tree};

use expected::Requests;

/// Something that the loader does otherwise than planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discrepancy {
    /// The program, by its path in the image.
    pub program: Vec<u8>,
    /// In the loader's words.
    pub finding: Finding,
    /// What would cure it, if it can be cured by where the loader looks.
    pub unfound: Option<Unfound>,
}

/// Starts everything in the image, with no environment and without ld.so.conf,
/// which no loader reads.
pub fn check(root: &dyn Root, files: &Files, expected: &[Expected]) -> Vec<Discrepancy> {
    each(root, files, expected, |start| start.compare()).into_iter().flatten().collect()
}

/// The names that a program does not find in the image, by the program.
pub type Unmet = BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>;

/// Of every program that can be started there.
pub fn unmet(root: &dyn Root, files: &Files, expected: &[Expected]) -> Unmet {
    let mut unmet = Unmet::new();
    for (program, names) in each(root, files, expected, |start| start.unmet()).into_iter().flatten() {
        unmet.entry(program).or_default().extend(names);
    }
    unmet
}

/// Every library of these starts, to be listed for those who read a cache, one
/// for a name: rather one that no path list of somebody's own was needed for.
pub fn libraries(root: &dyn Root, files: &Files, expected: &[Expected]) -> Vec<Unfound> {
    let lists = each(root, files, expected, |start| start.libraries());
    let (common, own): (Vec<_>, Vec<_>) = lists.into_iter().flatten().partition(|(_, is_common)| *is_common);
    let mut known = Map::default();
    let all = common.into_iter().chain(own).map(|(library, _)| library);
    all.filter(|library| known.insert(slot(library), ()).is_none()).collect()
}

/// What one entry of a cache answers for: a name, on a processor, to a loader.
fn slot(library: &Unfound) -> (Vec<u8>, Option<Vec<u8>>, Option<u32>) {
    let loader = match &library.search {
        Search::Cache { abi, .. } => Some(abi.flags.own),
        Search::PathFile { .. } => None,
    };
    (library.name.clone(), variant(&library.path).map(<[u8]>::to_vec), loader)
}

/// One start after the other. Those with the same settings share a memory.
fn each<T>(
    root: &dyn Root,
    files: &Files,
    expected: &[Expected],
    mut act: impl FnMut(&mut Start<'_, '_>) -> T,
) -> Vec<T> {
    let mut settings: Vec<Settings> = Vec::new();
    let mut numbers = Vec::new();
    for start in expected {
        let known =
            |known: &Settings| known.levels.as_ref() == Some(&start.levels) && known.loader == start.loader;
        let number = settings.iter().position(known).unwrap_or_else(|| {
            settings.push(settings_of(start));
            settings.len() - 1
        });
        numbers.push(number);
    }
    let mut sessions: Vec<Session<'_>> =
        settings.iter().map(|settings| Session::new(root, files, settings)).collect();
    let starts = expected.iter().zip(numbers);
    starts.map(|(expected, number)| act(&mut Start { session: &mut sessions[number], expected })).collect()
}

fn settings_of(start: &Expected) -> Settings {
    Settings {
        cwd: b"/".to_vec(),
        levels: Some(start.levels.clone()),
        loader: start.loader.clone(),
        ..Settings::default()
    }
}

/// One start in the image, and what is expected of it.
struct Start<'s, 'a> {
    session: &'s mut Session<'a>,
    expected: &'s Expected,
}

impl Start<'_, '_> {
    fn compare(&mut self) -> Vec<Discrepancy> {
        let path = &self.expected.program;
        let program = match open_program(self.session, path) {
            Ok(program) if program.found.file.stat.id == self.expected.id => program,
            Ok(_) => return vec![self.of_program("another file stands in its place".into())],
            Err(no) => return vec![self.of_program(words_of(&no))],
        };
        let closure = close(self.session, &program);
        if closure.family.is_none() && self.expected.is_loader_at_run_time() {
            return Vec::new();
        }
        let mut found = self.edges(&closure);
        found.extend(self.others(&closure));
        if found.is_empty() && !self.expected.is_over_base {
            found.extend(self.order(&closure));
        }
        found
    }

    fn unmet(&mut self) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
        let path = &self.expected.program;
        let program = open_program(self.session, path).ok()?;
        let closure = close(self.session, &program);
        let missing = closure.edges.iter().filter(|edge| matches!(edge.outcome, Outcome::Missing(_)));
        Some((path.clone(), missing.map(|edge| edge.name.to_vec()).collect()))
    }

    fn discrepancy(&self, finding: Finding, unfound: Option<Unfound>) -> Discrepancy {
        Discrepancy { program: self.expected.program.clone(), finding, unfound }
    }

    fn of_program(&self, words: String) -> Discrepancy {
        let subject = self.expected.program.clone();
        let finding = error("program", subject, words.into_bytes(), None);
        self.discrepancy(finding, None)
    }

    /// Request by request.
    fn edges(&mut self, closure: &Closure) -> Vec<Discrepancy> {
        let mut requests = Requests::default();
        let mut found = Vec::new();
        for edge in &closure.edges {
            let by = closure.object(edge.from).found.file.stat.id;
            let load = self.expected.load(requests.next(by, edge.want));
            found.extend(self.edge(closure, edge, load));
        }
        found
    }

    fn edge(&mut self, closure: &Closure, edge: &Edge, load: Option<&Load>) -> Option<Discrepancy> {
        let wanted = load.map(|load| &load.wanted);
        match (&edge.outcome, wanted) {
            // The findings of the closure tell of a program that the kernel or the loader ends.
            (Outcome::Dies(_), _) | (Outcome::Missing(_), _) if edge.want == Want::Interp => None,
            (_, Some(Wanted::AtRunTime | Wanted::Nothing)) => None,
            (Outcome::Found { to, .. }, Some(Wanted::File { id, path, .. })) => {
                let object = closure.object(*to);
                let is_right = self.expected.is_over_base || object.found.file.stat.id == *id;
                (!is_right).then(|| self.another(closure, edge, object, *id, path))
            }
            (Outcome::Missing(miss), _) => {
                let is_error = matches!(edge.want, Want::Needed | Want::Filter);
                let runtime = self.runtime(closure)?;
                let words = match runtime.family {
                    Family::Glibc => glibc_words(&edge.name, miss, runtime.target.class),
                    Family::Musl => musl_words(&edge.name, miss),
                };
                is_error.then(|| self.missing(closure, edge, words, wanted, &runtime))
            }
            (Outcome::Found { .. } | Outcome::Vdso | Outcome::Apart | Outcome::Dies(_), _) => None,
        }
    }

    fn runtime(&mut self, closure: &Closure) -> Option<std::rc::Rc<Runtime>> {
        let path = closure.objects.get(LOADER).map(|object| object.path.clone())?;
        self.session.loader(&path)
    }

    fn missing(
        &mut self,
        closure: &Closure,
        edge: &Edge,
        words: &str,
        wanted: Option<&Wanted>,
        runtime: &Runtime,
    ) -> Discrepancy {
        let by = &closure.object(edge.from).path;
        let message = [words.as_bytes(), b" (needed by ", by, b")"].concat();
        let file = match wanted {
            Some(Wanted::File { id, path, isa_level, .. }) => Some((*id, path, *isa_level)),
            Some(Wanted::AtRunTime | Wanted::Nothing) | None => None,
        };
        let stands = file.filter(|(id, path, _)| self.stands(path, *id));
        let hint = stands.map(|(_, path, _)| not_looked_at(path));
        let unfound = file.filter(|_| !edge.name.contains(&b'/')).map(|(id, path, isa_level)| Unfound {
            name: edge.name.to_vec(),
            path: path.clone(),
            id,
            isa_level,
            is_shadowed: false,
            search: self.search(runtime),
        });
        self.discrepancy(error("missing", edge.name.to_vec(), message, hint), unfound)
    }

    /// A file of that name is found, but not the one that was found in the root.
    fn another(
        &mut self,
        closure: &Closure,
        edge: &Edge,
        object: &Object,
        id: FileId,
        path: &[u8],
    ) -> Discrepancy {
        let by = &closure.object(edge.from).path;
        let rule = edge.rule();
        let stands = self.stands(path, id);
        let instead = if stands {
            [b" and not `", path, b"`"].concat()
        } else {
            b", another file than in the root".to_vec()
        };
        let message = [
            b"the loader takes `",
            &object.path[..],
            b"`",
            rule_words(rule),
            &instead,
            b" (needed by ",
            by,
            b")",
        ];
        let runtime = self.runtime(closure);
        let family = runtime.as_ref().map(|runtime| runtime.family);
        let unfound = runtime.filter(|_| gives_way(rule)).map(|runtime| Unfound {
            name: edge.name.to_vec(),
            path: path.to_vec(),
            id,
            isa_level: self.expected.isa_level(id),
            is_shadowed: true,
            search: self.search(&runtime),
        });
        let hint = match (rule, family) {
            (Some(Rule::Rpath { .. }), Some(Family::Glibc)) | (Some(Rule::AsGiven) | None, _) => None,
            (Some(_), _) => stands.then(|| [&env_line(path)[..], b" would cure it"].concat()),
        };
        self.discrepancy(error("another-file", edge.name.to_vec(), message.concat(), hint), unfound)
    }

    /// What the loader of the image has to say beyond single requests: versions,
    /// its own absence. What it says in the root as well is known already.
    fn others(&self, closure: &Closure) -> Vec<Discrepancy> {
        let is_told = |finding: &&Finding| {
            let by_edge = matches!(finding.code, "missing" | "not-in-cache" | "library-path");
            let known = &self.expected.findings;
            !by_edge && !known.contains(&(finding.code, finding.message.clone()))
        };
        closure.findings.iter().filter(is_told).map(|f| self.discrepancy(f.clone(), None)).collect()
    }

    /// The same files, and the same one first: symbols are looked up in this order.
    fn order(&self, closure: &Closure) -> Option<Discrepancy> {
        let ids: Vec<FileId> = closure.loaded().map(|id| closure.object(id).found.file.stat.id).collect();
        let planned: Vec<FileId> =
            self.expected.order.iter().filter(|id| ids.contains(id)).copied().collect();
        let loaded: Vec<FileId> = ids.into_iter().filter(|id| planned.contains(id)).collect();
        let at = planned.iter().zip(&loaded).position(|(planned, loaded)| planned != loaded)?;
        let path_of = |id: &FileId| {
            let object = closure.objects.iter().find(|object| object.found.file.stat.id == *id);
            object.map_or(&b"?"[..], |object| &object.path)
        };
        let message = [
            b"`",
            path_of(&loaded[at]),
            b"` is loaded before `",
            path_of(&planned[at]),
            b"`, unlike in the root",
        ]
        .concat();
        let finding = Finding {
            severity: Severity::Warning,
            code: "order",
            subject: self.expected.program.clone(),
            message,
            hint: None,
        };
        Some(self.discrepancy(finding, None))
    }

    /// Whether this very file is at this path of the image.
    fn stands(&mut self, path: &[u8], id: FileId) -> bool {
        matches!(self.session.look(b"", path), Seen::File(found) if found.file.stat.id == id)
    }

    fn search(&self, runtime: &Runtime) -> Search {
        let root = self.session.root;
        match runtime.family {
            Family::Glibc => Search::Cache { at: runtime.cache_path(root), abi: runtime.cache_abi(root) },
            Family::Musl => {
                let (_, dirs) = runtime.system_dirs(root);
                Search::PathFile { at: runtime.path_file(root), dirs: dirs.to_vec() }
            }
        }
    }

    /// Its libraries that glibc loads by a bare name, and whether others find them too.
    fn libraries(&mut self) -> Vec<(Unfound, bool)> {
        let Some(runtime) = self.expected.runtime.as_ref().and_then(|path| self.session.loader(path)) else {
            return Vec::new();
        };
        if runtime.family != Family::Glibc {
            return Vec::new();
        }
        let search = self.search(&runtime);
        let expected = self.expected;
        let library = |load: &Load| match &load.wanted {
            Wanted::File { id, path, isa_level, rule } if !load.name.contains(&b'/') => {
                let is_own = matches!(rule, Some(Rule::Rpath { .. } | Rule::Runpath { .. }));
                let library = Unfound {
                    name: load.name.clone(),
                    path: path.clone(),
                    id: *id,
                    isa_level: *isa_level,
                    is_shadowed: false,
                    search: search.clone(),
                };
                Some((library, !is_own))
            }
            Wanted::File { .. } | Wanted::AtRunTime | Wanted::Nothing => None,
        };
        expected.loads.iter().filter_map(library).collect()
    }
}

/// The loader in a closure that has one.
const LOADER: usize = 1;

fn error(code: &'static str, subject: Vec<u8>, message: Vec<u8>, hint: Option<Vec<u8>>) -> Finding {
    Finding { severity: Severity::Error, code, subject, message, hint }
}

fn words_of(no: &NotAProgram) -> String {
    match no {
        NotAProgram::Seen(Seen::Error { errno, .. }) => {
            let error = std::io::Error::from_raw_os_error(*errno).to_string();
            let words = error.split(" (os error").next().unwrap_or_default();
            format!("cannot be opened in the tree: {words}")
        }
        NotAProgram::Seen(Seen::Unreadable(error)) => format!("cannot be read in the tree: {error}"),
        NotAProgram::Seen(Seen::Directory) => "is a directory in the tree".into(),
        NotAProgram::Seen(Seen::Special(what)) => format!("is a {what} in the tree"),
        NotAProgram::Seen(Seen::File(_)) | NotAProgram::Unfit(_) | NotAProgram::NotLoadable => {
            "is no program in the tree".into()
        }
    }
}

/// Rules that come behind the cache, or behind the front of a path file.
fn gives_way(rule: Option<Rule>) -> bool {
    match rule {
        Some(Rule::Cache | Rule::SystemDir | Rule::PathFile) => true,
        Some(Rule::AsGiven | Rule::Rpath { .. } | Rule::Runpath { .. } | Rule::LibraryPath | Rule::Conf)
        | None => false,
    }
}

fn rule_words(rule: Option<Rule>) -> &'static [u8] {
    match rule {
        Some(Rule::Rpath { .. }) => b" by an RPATH",
        Some(Rule::Runpath { .. }) => b" by a RUNPATH",
        Some(Rule::Cache) => b" by ld.so.cache",
        Some(Rule::SystemDir) => b" of a system directory",
        Some(Rule::PathFile) => b" by its path file",
        Some(Rule::AsGiven | Rule::LibraryPath | Rule::Conf) | None => b"",
    }
}

/// Of a library that the tree has.
pub fn not_looked_at(path: &[u8]) -> Vec<u8> {
    let cure = env_line(path);
    [b"the tree has it as `", path, b"`, where this loader does not look: ", &cure, b" would cure it"]
        .concat()
}

/// The line of a Dockerfile by which a loader looks where a file is.
fn env_line(path: &[u8]) -> Vec<u8> {
    let dir = dirname(path).unwrap_or(b"/");
    let plain = match dir.windows(VARIANT.len()).position(|part| part == VARIANT) {
        Some(at) => &dir[..at],
        None => dir,
    };
    [b"`ENV LD_LIBRARY_PATH=", plain, b"`"].concat()
}

const VARIANT: &[u8] = b"/glibc-hwcaps/";
