//! What a start in the root loads, kept to be compared with the same start in
//! the image.

use crate::closure::{Closure, Edge, Object, Outcome, Role, Want};
use crate::intern::Map;
use crate::loader::Rule;
use crate::root::FileId;

/// One start, as it was in the root.
#[derive(Debug, Clone)]
pub struct Expected {
    /// Its path in the image.
    pub program: Vec<u8>,
    pub id: FileId,
    /// The names below `glibc-hwcaps` that this start is for.
    pub levels: Vec<Vec<u8>>,
    /// The loader of what names none itself: a library that somebody opens.
    pub loader: Option<Vec<u8>>,
    /// The loader that it is started by, as spelled.
    pub runtime: Option<Vec<u8>>,
    pub loads: Vec<Load>,
    numbers: Map<Request, usize>,
    /// What is in the process, in the order of symbol look-up.
    pub order: Vec<FileId>,
    /// Libraries of the base are taken instead of those of the root.
    pub is_over_base: bool,
    /// What its loader has to say in the root already: code and message.
    pub findings: Vec<(&'static str, Vec<u8>)>,
}

/// One request and its answer.
#[derive(Debug, Clone)]
pub struct Load {
    pub name: Vec<u8>,
    pub wanted: Wanted,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// This very file, unless the image lies over a base that has its own.
    File {
        id: FileId,
        /// As the loader spells it in the root.
        path: Vec<u8>,
        /// The x86 level that it was built for.
        isa_level: u32,
        rule: Option<Rule>,
    },
    /// Whatever runs the image brings it.
    AtRunTime,
    /// It is not found in the root either, or is no file.
    Nothing,
}

/// Who asks, how, and for the how-manieth time: a name may differ by where its
/// requester stands (`$ORIGIN`), the order of requests does not.
pub(super) type Request = (FileId, Want, usize);

/// Counts the requests of every object.
#[derive(Debug, Default)]
pub(super) struct Requests {
    made: Map<(FileId, Want), usize>,
}

impl Requests {
    pub(super) fn next(&mut self, by: FileId, want: Want) -> Request {
        let number = self.made.get(&(by, want)).copied().unwrap_or(0);
        self.made.insert((by, want), number + 1);
        (by, want, number)
    }
}

impl Expected {
    /// `program` is its path in the image. `at_run_time` says of a request and
    /// what it found whether the image need not have it.
    pub fn of(
        closure: &Closure,
        program: Vec<u8>,
        levels: Vec<Vec<u8>>,
        at_run_time: &dyn Fn(&Edge, Option<&Object>) -> bool,
    ) -> Expected {
        let start = &closure.objects[0].found;
        let runtime = closure.objects.iter().find(|object| object.role == Role::Interpreter);
        let runtime = runtime.map(|object| object.path.to_vec());
        let names_none = start.facts().interp().is_none();
        let mut expected = Expected {
            program,
            id: start.file.stat.id,
            levels,
            loader: runtime.clone().filter(|_| names_none),
            runtime,
            loads: Vec::new(),
            numbers: Map::default(),
            order: order(closure),
            is_over_base: false,
            findings: closure.findings.iter().map(|f| (f.code, f.message.clone())).collect(),
        };
        let mut requests = Requests::default();
        for edge in &closure.edges {
            let by = closure.object(edge.from).found.file.stat.id;
            let request = requests.next(by, edge.want);
            expected.numbers.insert(request, expected.loads.len());
            let wanted = wanted(closure, edge, at_run_time);
            expected.loads.push(Load { name: edge.name.to_vec(), wanted });
        }
        expected
    }

    /// The same on a base whose libraries go before those of the root: any
    /// file is right then that the loader is content with.
    pub fn over_base(self) -> Expected {
        Expected { is_over_base: true, ..self }
    }

    /// Then nobody can say now what it will find.
    pub(super) fn is_loader_at_run_time(&self) -> bool {
        let load = self.load((self.id, Want::Interp, 0));
        load.is_some_and(|load| load.wanted == Wanted::AtRunTime)
    }

    pub(super) fn load(&self, request: Request) -> Option<&Load> {
        self.numbers.get(&request).map(|number| &self.loads[*number])
    }

    pub(super) fn isa_level(&self, wanted: FileId) -> u32 {
        let level = |load: &Load| match &load.wanted {
            Wanted::File { id, isa_level, .. } if *id == wanted => Some(*isa_level),
            Wanted::File { .. } | Wanted::AtRunTime | Wanted::Nothing => None,
        };
        self.loads.iter().find_map(level).unwrap_or(0)
    }
}

fn wanted(closure: &Closure, edge: &Edge, at_run_time: &dyn Fn(&Edge, Option<&Object>) -> bool) -> Wanted {
    let object = match &edge.outcome {
        Outcome::Found { to, .. } => Some(closure.object(*to)),
        Outcome::Vdso | Outcome::Missing(_) | Outcome::Dies(_) | Outcome::Apart => None,
    };
    if at_run_time(edge, object) {
        return Wanted::AtRunTime;
    }
    match object {
        Some(object) => Wanted::File {
            id: object.found.file.stat.id,
            path: object.path.to_vec(),
            isa_level: isa_level(object),
            rule: object.rule,
        },
        None => Wanted::Nothing,
    }
}

/// What ldconfig writes: the highest level, counted from 0 for the baseline.
fn isa_level(object: &Object) -> u32 {
    object.found.facts().isa_needed.and_then(u32::checked_ilog2).unwrap_or(0)
}

/// A preload of the root does not come along, and nobody can tell what the
/// order would be without it.
fn order(closure: &Closure) -> Vec<FileId> {
    if closure.objects.iter().any(|object| object.role == Role::Preload) {
        return Vec::new();
    }
    closure.loaded().map(|id| closure.object(id).found.file.stat.id).collect()
}
