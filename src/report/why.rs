//! Who asks for a library: each object that does, by its shortest chain from
//! the program, and how many chains there are in all.

mod routes;

use self::routes::Routes;
use super::edges::{display_name, outcome_id, rule_words, special_want};
use super::escape::escaped;
use super::findings::tried;
use super::style::Style;
use crate::closure::{Closure, Edge, ObjectId, Outcome, Want};
use crate::path::basename;
use crate::root::FileId;

/// All requests for one library in one closure.
#[derive(Debug)]
pub struct Chains<'a> {
    closure: &'a Closure,
    /// The requests, in load order; the same one twice is one.
    asking: Vec<&'a Edge>,
}

/// More chains are not printed.
const MOST_SHOWN: usize = 1000;
/// Chains may be thousands of objects long as well.
const MOST_TEXT: usize = 16 << 20;
/// From here on a chain is drawn flat.
const DEEPEST: usize = 64;

impl<'a> Chains<'a> {
    /// The requests whose name, file name, path or SONAME is `library`, or whose
    /// answer is the file that it is a path of.
    pub fn of(closure: &'a Closure, library: &[u8], file: Option<FileId>) -> Chains<'a> {
        let is_file = |edge: &Edge| file.is_some() && file_of(closure, edge) == file;
        let is_it = |edge: &&Edge| answers_to(closure, edge, library) || is_file(edge);
        let mut asking: Vec<&Edge> = Vec::new();
        for edge in closure.edges.iter().filter(is_it) {
            // The requests of one object stand together.
            let own = asking.iter().rev().take_while(|known| known.from == edge.from);
            if !own.into_iter().any(|known| known.name == edge.name) {
                asking.push(edge);
            }
        }
        Chains { closure, asking }
    }

    pub fn is_empty(&self) -> bool {
        self.asking.is_empty()
    }

    /// Appends what was tried where the library is missing: what `-v` adds.
    pub fn details(&self, out: &mut String) {
        for edge in &self.asking {
            tried(out, self.closure, edge);
        }
    }
}

fn answers_to(closure: &Closure, edge: &Edge, library: &[u8]) -> bool {
    if *edge.name == *library || basename(&edge.name) == library {
        return true;
    }
    let Outcome::Found { to, .. } = edge.outcome else { return false };
    let object = closure.object(to);
    let soname = object.found.facts().soname();
    *object.path == *library
        || basename(&object.path) == library
        || *object.found.name == *library
        || soname == Some(library)
}

fn file_of(closure: &Closure, edge: &Edge) -> Option<FileId> {
    match edge.outcome {
        Outcome::Found { to, .. } => Some(closure.object(to).found.file.stat.id),
        Outcome::Vdso | Outcome::Missing(_) | Outcome::Dies(_) | Outcome::Apart => None,
    }
}

/// Appends the answer. `all`: every chain, not only the shortest ones.
pub fn why(out: &mut String, chains: &Chains<'_>, all: bool, style: Style) {
    let routes = Routes::of(chains.closure, &chains.asking);
    let count = routes.count();
    let mut shown = 0;
    let mut show = |edge: &Edge, route: &[ObjectId]| {
        if out.len() < MOST_TEXT {
            chain(out, chains.closure, route, edge, style);
            shown += 1;
        }
    };
    if all {
        routes.shortest_first(MOST_SHOWN, &mut show);
    } else {
        for edge in chains.asking.iter().take(MOST_SHOWN) {
            show(edge, &routes.shortest(edge.from));
        }
    }
    let mut askers: Vec<ObjectId> = chains.asking.iter().map(|edge| edge.from).collect();
    askers.sort_unstable();
    askers.dedup();
    let objects =
        if askers.len() == 1 { "1 object asks".into() } else { format!("{} objects ask", askers.len()) };
    let at_least = if count.is_exact { "" } else { "at least " };
    let ways = if count.chains == 1 { "1 chain".into() } else { format!("{} chains", count.chains) };
    out.push_str(&style.dim(&format!("{objects} for it, by {at_least}{ways} in all")));
    let wanted = if all { count.chains } else { chains.asking.len() as u64 };
    if wanted > shown {
        out.push_str(&format!("; {shown} are shown"));
    }
    out.push('\n');
}

fn chain(out: &mut String, closure: &Closure, route: &[ObjectId], edge: &Edge, style: Style) {
    for (depth, id) in route.iter().enumerate() {
        indent(out, depth);
        let object = closure.object(*id);
        let name = if depth == 0 { escaped(&object.path) } else { display_name(object) };
        out.push_str(&name);
        out.push('\n');
    }
    indent(out, route.len());
    out.push_str(&style.bold(&escaped(&edge.name)));
    match &edge.outcome {
        Outcome::Found { to, .. } => {
            let path = &closure.object(*to).path;
            if *path != edge.name {
                out.push_str(&format!(" => {}", escaped(path)));
            }
        }
        Outcome::Missing(_) => out.push_str(&style.bad(" => not found")),
        Outcome::Dies(death) => out.push_str(&style.bad(&format!(" => {}", death.words))),
        Outcome::Vdso | Outcome::Apart => {}
    }
    let why = match edge.rule() {
        Some(rule) => rule_words(closure, edge.from, rule),
        None => words_of(closure, edge),
    };
    let words: Vec<&str> = special_want(edge.want).into_iter().chain([&why[..]]).collect();
    out.push_str(&style.dim(&format!(" [{}]", words.join(", "))));
    out.push('\n');
}

fn words_of(closure: &Closure, edge: &Edge) -> String {
    match edge.outcome {
        Outcome::Found { .. } if edge.want == Want::Interp => "interpreter".into(),
        Outcome::Found { to, .. } => match closure.object(to).rule {
            Some(rule) => {
                let first = closure.object(to).wanted_by.unwrap_or(ObjectId(0));
                let by = display_name(closure.object(first));
                format!("loaded already: {} for {by}", rule_words(closure, first, rule))
            }
            None => "the loader itself".into(),
        },
        Outcome::Vdso | Outcome::Missing(_) | Outcome::Dies(_) | Outcome::Apart => {
            outcome_id(&edge.outcome).replace('-', " ")
        }
    }
}

fn indent(out: &mut String, depth: usize) {
    if depth > 0 {
        out.extend(std::iter::repeat_n("   ", depth.min(DEEPEST) - 1));
        out.push_str("└─ ");
    }
}
