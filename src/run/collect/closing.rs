//! Closures of one program at each processor level that changes something.

use crate::closure::{Closure, Outcome, Program, Session, close};
use crate::loader::{Target, hwcaps};
use crate::run::Scene;

/// One memory for each level.
pub(super) struct Closer<'a> {
    sessions: Vec<(Option<&'static str>, Session<'a>)>,
}

impl<'a> Closer<'a> {
    pub(super) fn new(scene: &Scene<'a>) -> Self {
        let session =
            |(level, settings): &'a (_, _)| (*level, Session::new(scene.root, scene.files, settings));
        Closer { sessions: scene.settings.iter().map(session).collect() }
    }

    /// The session of the baseline, for what is looked up by name.
    pub(super) fn session(&mut self) -> &mut Session<'a> {
        &mut self.sessions[0].1
    }

    /// The baseline first; a level that loads the same files says nothing new,
    /// and none is asked where the baseline met nothing that depends on one.
    pub(super) fn close(&mut self, program: &Program) -> Vec<(Option<&'static str>, Closure)> {
        let facts = program.found.facts();
        let known = hwcaps::known_levels(&Target::of(&facts.header, facts.class, facts.order));
        let (name, baseline) = &mut self.sessions[0];
        let mut closures = vec![(*name, close(baseline, program))];
        if !baseline.varies() {
            return closures;
        }
        for (level, session) in &mut self.sessions[1..] {
            if level.is_some_and(|level| !known.contains(&level)) {
                continue;
            }
            let closure = close(session, program);
            if closures.last().is_none_or(|(_, before)| !loads_the_same(before, &closure)) {
                closures.push((*level, closure));
            }
        }
        closures
    }
}

fn loads_the_same(a: &Closure, b: &Closure) -> bool {
    let objects = |closure: &Closure| -> Vec<_> {
        closure.objects.iter().map(|object| (object.path.clone(), object.found.file.stat.id)).collect()
    };
    let missing = |closure: &Closure| {
        closure
            .edges
            .iter()
            .filter(|edge| matches!(edge.outcome, Outcome::Missing(_) | Outcome::Dies(_)))
            .count()
    };
    objects(a) == objects(b) && missing(a) == missing(b)
}
