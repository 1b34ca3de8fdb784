//! The plan as an image: fitted to the base, merged with what is there, checked
//! as its loader will see it, and repaired once.

use std::collections::BTreeSet;

use super::findings::judged;
use super::tree::Piece;
use super::{base, links};
use crate::check::{self, Discrepancy, Expected, Unmet};
use crate::closure::{Closure, Edge, Files, Object, Outcome};
use crate::finding::Finding;
use crate::job::{CollectTask, LdCache};
use crate::plan::search::{Around, Unfound, repair};
use crate::plan::{Conflict, Error, Excluded, Place, Plan, PlanRoot, Sources, Start, kept};
use crate::root::Root;

/// What a plan is held to: what is to work, what that was taken from, and what
/// the tree lies over.
pub(super) struct Ground<'a> {
    pub(super) task: &'a CollectTask,
    pub(super) starts: &'a [Start],
    pub(super) pieces: &'a [Piece],
    pub(super) excluded: &'a Excluded,
    pub(super) root: &'a dyn Root,
    pub(super) files: &'a Files,
    /// DIST's earlier content.
    pub(super) dist: Option<&'a dyn Root>,
    pub(super) base: Option<&'a dyn Root>,
}

impl Ground<'_> {
    fn below(&self) -> Vec<&dyn Root> {
        self.dist.into_iter().chain(self.base).collect()
    }

    fn around(&self) -> Around<'_> {
        Around { root: self.root, dist: self.dist, base: self.base }
    }

    /// A name that the root has no library for may be missing in the image, if
    /// that is allowed.
    fn told(&self, found: Vec<Discrepancy>) -> Vec<Finding> {
        let closures = self.starts.iter().flat_map(|start| &start.closures);
        let lost: BTreeSet<&[u8]> = closures.flat_map(|(_, closure)| missing_in(closure)).collect();
        let as_allowed = |one: Discrepancy| match lost.contains(&one.finding.subject[..]) {
            true => judged(&one.finding, self.task.allow_missing),
            false => Some(one.finding),
        };
        found.into_iter().filter_map(as_allowed).collect()
    }

    /// A closure of `start` in `root`, as it is to be in the image.
    pub(super) fn expect(
        &self,
        root: &dyn Root,
        closure: &Closure,
        start: &Start,
        level: Option<&'static str>,
    ) -> Expected {
        let kept: Vec<_> = kept(root, closure, self.excluded).into_iter().map(|(id, _)| id).collect();
        let stays = |object: &Object| kept.iter().any(|id| std::ptr::eq(closure.object(*id), object));
        let at_run_time = |edge: &Edge, object: Option<&Object>| {
            self.excluded.has_name(&edge.name) || !object.is_none_or(stays) || !kept.contains(&edge.from)
        };
        let levels = level.iter().map(|level| level.as_bytes().to_vec()).collect();
        Expected::of(closure, place_of(start), levels, &at_run_time)
    }
}

/// What came of a plan that was made to fit.
pub(super) struct Settled {
    /// What will not work. Errors mean that it is not to be written.
    pub(super) findings: Vec<Finding>,
    expected: Vec<Expected>,
}

impl Settled {
    pub(super) fn unmet(&self, plan: &Plan, ground: &Ground<'_>) -> Unmet {
        looked_at(plan, ground, |image| check::unmet(image, ground.files, &self.expected))
    }
}

/// Makes the plan fit, and says what will not work.
pub(super) fn settle(plan: &mut Plan, ground: &Ground<'_>) -> Result<Settled, Error> {
    let mut findings = Vec::new();
    plan.meet(&ground.below())?;
    let expected = match ground.base {
        None => expected_of(ground),
        Some(base) => {
            plan.fit(base)?;
            let over = base::settle(plan, ground, base);
            findings.extend(over.findings);
            over.expected
        }
    };
    if ground.task.ld_cache == LdCache::Always {
        let all = looked_at(plan, ground, |image| check::libraries(image, ground.files, &expected));
        findings.extend(repair(plan, &all, &ground.around())?);
    }
    findings.extend(checked(plan, &expected, ground)?);
    findings.extend(looked_at(plan, ground, |image| links::findings(plan, image, ground)));
    Ok(Settled { findings, expected })
}

/// The plan as a root, over what is there.
pub(super) fn looked_at<T>(plan: &Plan, ground: &Ground<'_>, look: impl FnOnce(&dyn Root) -> T) -> T {
    let below = ground.below();
    look(&PlanRoot::new(plan, Sources { root: ground.root }, &below))
}

/// Plan, check, repair, check: once.
fn checked(plan: &mut Plan, expected: &[Expected], ground: &Ground<'_>) -> Result<Vec<Finding>, Conflict> {
    let check = |plan: &Plan| looked_at(plan, ground, |image| check::check(image, ground.files, expected));
    let found = check(plan);
    let unfound: Vec<Unfound> = found.iter().filter_map(|one| one.unfound.clone()).collect();
    if unfound.is_empty() || ground.task.ld_cache == LdCache::Never {
        return Ok(ground.told(found));
    }
    let mut findings = repair(plan, &unfound, &ground.around())?;
    findings.extend(ground.told(check(plan)));
    findings.dedup();
    Ok(findings)
}

fn missing_in(closure: &Closure) -> impl Iterator<Item = &[u8]> {
    let missing = closure.edges.iter().filter(|edge| matches!(edge.outcome, Outcome::Missing(_)));
    missing.map(|edge| &edge.name[..])
}

/// What every start loads in the root is what it is to load in the image.
fn expected_of(ground: &Ground<'_>) -> Vec<Expected> {
    let expect = |start: &Start| -> Vec<Expected> {
        let closures = start.closures.iter();
        closures.map(|(level, closure)| ground.expect(ground.root, closure, start, *level)).collect()
    };
    ground.starts.iter().flat_map(expect).collect()
}

/// The path by which it is started in the image.
pub(super) fn place_of(start: &Start) -> Vec<u8> {
    match &start.place {
        Place::AsFound => start.closures[0].1.program.clone(),
        Place::Moved(at) | Place::Host { at, .. } | Place::Planned(at) => at.as_bytes().to_vec(),
    }
}
