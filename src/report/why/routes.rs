//! Ways from the program to whoever asks, that pass no object twice.

use std::collections::VecDeque;

use crate::closure::{Closure, Edge, ObjectId, Outcome, Want};

/// Who wants whom, as far as it leads to somebody who asks.
#[derive(Debug)]
pub(super) struct Routes<'a> {
    /// What each object wants, each once, in order.
    wants: Vec<Vec<ObjectId>>,
    /// Steps to the nearest object that asks; none if no way leads to one.
    distance: Vec<Option<usize>>,
    /// Who first wanted an object, breadth first: no way is shorter.
    parents: Vec<Option<ObjectId>>,
    /// The requests of each object that asks.
    asking: Vec<Vec<&'a Edge>>,
}

/// How many chains there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) chains: u64,
    /// If not, there are more.
    pub(super) is_exact: bool,
}

const MOST_COUNTED: u64 = 1_000_000_000;
/// In a graph with cycles, chains are counted by walking them.
const MOST_STEPS: usize = 1_000_000;

const PROGRAM: ObjectId = ObjectId(0);

impl<'a> Routes<'a> {
    pub(super) fn of(closure: &Closure, edges: &[&'a Edge]) -> Routes<'a> {
        let mut asking = vec![Vec::new(); closure.objects.len()];
        edges.iter().for_each(|edge| asking[edge.from.0 as usize].push(*edge));
        let mut wants = wants(closure);
        let distance = distances(&wants, &asking);
        wants.iter_mut().for_each(|wants| wants.retain(|to| distance[to.0 as usize].is_some()));
        let parents = parents(&wants);
        Routes { wants, distance, parents, asking }
    }

    pub(super) fn shortest(&self, to: ObjectId) -> Vec<ObjectId> {
        let up = std::iter::successors(Some(to), |id| self.parents[id.0 as usize]);
        let mut route: Vec<ObjectId> = up.collect();
        route.reverse();
        route
    }

    /// Exact where nothing goes round in a circle, or where all can be walked.
    pub(super) fn count(&self) -> Count {
        let (straight, has_cycle) = self.straight();
        if !has_cycle {
            return Count { chains: straight, is_exact: straight < MOST_COUNTED };
        }
        let mut walked = 0;
        let is_exact = self.shortest_first(usize::MAX, &mut |_, _| walked += 1);
        Count { chains: if is_exact { walked } else { walked.max(straight) }, is_exact }
    }

    /// The chains that never go back in a topological order, and whether some do.
    fn straight(&self) -> (u64, bool) {
        let order = self.finished_last_first();
        let mut place = vec![0; self.wants.len()];
        order.iter().enumerate().for_each(|(n, id)| place[id.0 as usize] = n);
        let mut counts = vec![0u64; self.wants.len()];
        counts[0] = 1;
        let (mut total, mut has_cycle) = (0u64, false);
        for id in &order {
            let at = id.0 as usize;
            let count = counts[at];
            let asked = count.saturating_mul(self.asking[at].len() as u64);
            total = total.saturating_add(asked).min(MOST_COUNTED);
            for to in &self.wants[at] {
                if place[to.0 as usize] > place[at] {
                    let sum = &mut counts[to.0 as usize];
                    *sum = sum.saturating_add(count).min(MOST_COUNTED);
                } else {
                    has_cycle = true;
                }
            }
        }
        (total, has_cycle)
    }

    /// By a depth-first walk without recursion: the depth is the files' choice.
    fn finished_last_first(&self) -> Vec<ObjectId> {
        let mut finished = Vec::new();
        let mut is_seen = vec![false; self.wants.len()];
        let mut stack = vec![(PROGRAM, 0)];
        is_seen[0] = true;
        while let Some((id, next)) = stack.pop() {
            match self.wants[id.0 as usize].get(next) {
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

    /// Shows chains, those of one length after those of the length before.
    /// `true`: there are no others.
    pub(super) fn shortest_first(&self, most: usize, show: &mut dyn FnMut(&Edge, &[ObjectId])) -> bool {
        let mut walk = Walk { routes: self, show, left: most, steps: MOST_STEPS, is_cut: false };
        for len in 1..=self.wants.len() {
            walk.is_cut = false;
            walk.of_length(len);
            if walk.left == 0 || walk.steps == 0 || !walk.is_cut {
                break;
            }
        }
        !walk.is_cut && walk.left > 0 && walk.steps > 0
    }
}

/// A walk over all ways of one length.
struct Walk<'w, 'a> {
    routes: &'w Routes<'a>,
    show: &'w mut dyn FnMut(&Edge, &[ObjectId]),
    left: usize,
    steps: usize,
    /// Some way is longer.
    is_cut: bool,
}

impl Walk<'_, '_> {
    fn of_length(&mut self, len: usize) {
        let mut is_passed = vec![false; self.routes.wants.len()];
        let (mut route, mut next) = (Vec::new(), Vec::new());
        if self.may_enter(PROGRAM, 1, len) {
            self.enter(PROGRAM, len, &mut route, &mut next, &mut is_passed);
        }
        while let (Some(at), Some(n)) = (route.last().copied(), next.last_mut()) {
            if self.left == 0 || self.steps == 0 {
                return;
            }
            let to = self.routes.wants[at.0 as usize].get(*n).copied();
            *n += 1;
            match to {
                Some(to) if is_passed[to.0 as usize] => {}
                Some(to) if self.may_enter(to, route.len() + 1, len) => {
                    self.enter(to, len, &mut route, &mut next, &mut is_passed);
                }
                Some(_) => {}
                None => {
                    is_passed[at.0 as usize] = false;
                    route.pop();
                    next.pop();
                }
            }
        }
    }

    /// Somebody who asks is near enough.
    fn may_enter(&mut self, to: ObjectId, depth: usize, len: usize) -> bool {
        self.steps = self.steps.saturating_sub(1);
        let fits = self.routes.distance[to.0 as usize].is_some_and(|distance| depth + distance <= len);
        self.is_cut |= !fits;
        fits
    }

    fn enter(
        &mut self,
        to: ObjectId,
        len: usize,
        route: &mut Vec<ObjectId>,
        next: &mut Vec<usize>,
        is_passed: &mut [bool],
    ) {
        is_passed[to.0 as usize] = true;
        route.push(to);
        next.push(0);
        if route.len() == len {
            for edge in self.routes.asking[to.0 as usize].iter().take(self.left) {
                (self.show)(edge, route);
                self.left -= 1;
            }
        }
    }
}

fn wants(closure: &Closure) -> Vec<Vec<ObjectId>> {
    let mut wants: Vec<Vec<ObjectId>> = vec![Vec::new(); closure.objects.len()];
    // Who was last seen to want it: the requests of one object stand together.
    let mut wanted_by = vec![None; closure.objects.len()];
    for edge in closure.edges.iter().filter(|edge| edge.want != Want::Interp) {
        if let Outcome::Found { to, .. } = edge.outcome
            && to != edge.from
            && wanted_by[to.0 as usize].replace(edge.from) != Some(edge.from)
        {
            wants[edge.from.0 as usize].push(to);
        }
    }
    wants
}

fn distances(wants: &[Vec<ObjectId>], asking: &[Vec<&Edge>]) -> Vec<Option<usize>> {
    let mut wanted_by = vec![Vec::new(); wants.len()];
    for (by, wants) in wants.iter().enumerate() {
        wants.iter().for_each(|to| wanted_by[to.0 as usize].push(by));
    }
    let mut distance = vec![None; wants.len()];
    let mut queue: VecDeque<usize> = (0..wants.len()).filter(|at| !asking[*at].is_empty()).collect();
    queue.iter().for_each(|at| distance[*at] = Some(0));
    while let Some(at) = queue.pop_front() {
        for by in &wanted_by[at] {
            if distance[*by].is_none() {
                distance[*by] = distance[at].map(|steps: usize| steps + 1);
                queue.push_back(*by);
            }
        }
    }
    distance
}

fn parents(wants: &[Vec<ObjectId>]) -> Vec<Option<ObjectId>> {
    let mut parents = vec![None; wants.len()];
    let mut queue = VecDeque::from([PROGRAM]);
    while let Some(at) = queue.pop_front() {
        for to in &wants[at.0 as usize] {
            if *to != PROGRAM && parents[to.0 as usize].is_none() {
                parents[to.0 as usize] = Some(at);
                queue.push_back(*to);
            }
        }
    }
    parents
}
