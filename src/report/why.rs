//! Who asks for a library: each object that does, by its shortest chain from
//! the program, and how many chains there are in all.

use super::edges::{display_name, outcome_id, rule_of, rule_words};
use super::escape::escaped;
use super::style::Style;
use crate::closure::{Closure, Edge, ObjectId, Outcome, Want};
use crate::path::basename;

/// All requests for one library in one closure.
#[derive(Debug)]
pub struct Chains<'a> {
    closure: &'a Closure,
    /// The requests, in load order.
    asking: Vec<&'a Edge>,
}

/// More are counted as "more than".
const MOST_COUNTED: u64 = 1_000_000_000;
/// `--all` prints no more than these.
const MOST_SHOWN: usize = 1000;

impl<'a> Chains<'a> {
    /// The requests whose name, file name, path or SONAME is `library`.
    pub fn of(closure: &'a Closure, library: &[u8]) -> Chains<'a> {
        let is_it = |edge: &&Edge| edge.want != Want::Interp && answers_to(closure, edge, library);
        Chains { closure, asking: closure.edges.iter().filter(is_it).collect() }
    }

    pub fn is_empty(&self) -> bool {
        self.asking.is_empty()
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

/// Appends the answer. `all`: every chain, not only the shortest ones.
pub fn why(out: &mut String, chains: &Chains<'_>, all: bool, style: Style) {
    let counts = counts(chains.closure);
    let mut total: u64 = 0;
    let mut shown = 0;
    for edge in &chains.asking {
        total = total.saturating_add(counts[edge.from.0 as usize]).min(MOST_COUNTED);
        let routes = if all {
            all_chains(chains.closure, edge.from)
        } else {
            vec![shortest(chains.closure, edge.from)]
        };
        for route in routes {
            if shown < MOST_SHOWN {
                chain(out, chains.closure, &route, edge, style);
            }
            shown += 1;
        }
    }
    let askers = chains.asking.len();
    let more = if total == MOST_COUNTED { "more than " } else { "" };
    let objects = if askers == 1 { "1 object asks".into() } else { format!("{askers} objects ask") };
    let ways = if total == 1 { "1 chain".into() } else { format!("{more}{total} chains") };
    out.push_str(&style.dim(&format!("{objects} for it, by {ways} in all")));
    if shown > MOST_SHOWN {
        out.push_str(&format!("; {MOST_SHOWN} are shown"));
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
    let why = match rule_of(edge) {
        Some(rule) => rule_words(closure, edge.from, rule),
        None => words_of(closure, edge),
    };
    out.push_str(&style.dim(&format!(" [{why}]")));
    out.push('\n');
}

fn words_of(closure: &Closure, edge: &Edge) -> String {
    match edge.outcome {
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
        out.extend(std::iter::repeat_n("   ", depth - 1));
        out.push_str("└─ ");
    }
}

/// The chain of first requests: breadth first, so none is shorter.
fn shortest(closure: &Closure, from: ObjectId) -> Vec<ObjectId> {
    let parents = parents(closure);
    let mut route: Vec<ObjectId> = std::iter::successors(Some(from), |id| parents[id.0 as usize]).collect();
    route.reverse();
    route
}

fn parents(closure: &Closure) -> Vec<Option<ObjectId>> {
    let edges_of = edges_of(closure);
    let mut parents = vec![None; closure.objects.len()];
    let mut is_seen = vec![false; closure.objects.len()];
    is_seen[0] = true;
    let mut queue = std::collections::VecDeque::from([ObjectId(0)]);
    while let Some(at) = queue.pop_front() {
        for to in &edges_of[at.0 as usize] {
            if !std::mem::replace(&mut is_seen[to.0 as usize], true) {
                parents[to.0 as usize] = Some(at);
                queue.push_back(*to);
            }
        }
    }
    parents
}

fn edges_of(closure: &Closure) -> Vec<Vec<ObjectId>> {
    let mut edges_of = vec![Vec::new(); closure.objects.len()];
    for edge in closure.edges.iter().filter(|edge| edge.want != Want::Interp) {
        if let Outcome::Found { to, .. } = edge.outcome {
            let known: &mut Vec<ObjectId> = &mut edges_of[edge.from.0 as usize];
            if !known.contains(&to) {
                known.push(to);
            }
        }
    }
    edges_of
}

/// How many chains lead from the program to each object, without going round
/// a cycle: counted backwards, each object once.
fn counts(closure: &Closure) -> Vec<u64> {
    let edges_of = edges_of(closure);
    let order = finished_last_first(&edges_of);
    let mut place = vec![usize::MAX; edges_of.len()];
    for (n, id) in order.iter().enumerate() {
        place[id.0 as usize] = n;
    }
    let mut counts = vec![0u64; edges_of.len()];
    counts[0] = 1;
    for id in &order {
        let count = counts[id.0 as usize];
        for to in &edges_of[id.0 as usize] {
            // An arrow backwards closes a cycle.
            if place[to.0 as usize] > place[id.0 as usize] {
                let sum = &mut counts[to.0 as usize];
                *sum = sum.saturating_add(count).min(MOST_COUNTED);
            }
        }
    }
    counts
}

/// Topological order from the program, by a depth-first walk without recursion.
fn finished_last_first(edges_of: &[Vec<ObjectId>]) -> Vec<ObjectId> {
    let mut finished = Vec::new();
    let mut is_seen = vec![false; edges_of.len()];
    let mut stack = vec![(ObjectId(0), 0)];
    is_seen[0] = true;
    while let Some((id, next)) = stack.pop() {
        match edges_of[id.0 as usize].get(next) {
            Some(to) => {
                stack.push((id, next + 1));
                if !std::mem::replace(&mut is_seen[to.0 as usize], true) {
                    stack.push((*to, 0));
                }
            }
            None => finished.push(id),
        }
    }
    finished.reverse();
    finished
}

/// Every chain from the program, shortest first as far as they are shown.
fn all_chains(closure: &Closure, target: ObjectId) -> Vec<Vec<ObjectId>> {
    let edges_of = edges_of(closure);
    let mut found = Vec::new();
    let mut steps = 0;
    let mut stack = vec![vec![ObjectId(0)]];
    // A dense graph has more chains than anybody reads.
    while let Some(route) = stack.pop().filter(|_| found.len() <= MOST_SHOWN && steps < 1_000_000) {
        steps += 1;
        let last = *route.last().expect("a chain starts with the program");
        if last == target {
            found.push(route);
            continue;
        }
        for to in edges_of[last.0 as usize].iter().rev().filter(|to| !route.contains(to)) {
            stack.push([route.as_slice(), &[*to]].concat());
        }
    }
    found.sort_by_key(Vec::len);
    found
}
