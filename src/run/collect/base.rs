//! A base image: what it has is left out of the tree, where its loader finds it.

use std::collections::BTreeSet;

use super::findings::{MISSING, judged};
use super::image::{Ground, looked_at, place_of};
use crate::check::{self, Expected};
use crate::closure::{Closure, Edge, Object, Outcome, Session, Settings, close, open_program};
use crate::finding::{Finding, Severity};
use crate::path::{ImagePath, dirname};
use crate::plan::{Excluded, Plan, PlanRoot, Sources, Start, Used};
use crate::root::Root;

/// What the programs load over the base.
#[derive(Default)]
pub(super) struct Over {
    pub(super) expected: Vec<Expected>,
    pub(super) findings: Vec<Finding>,
    used: Used,
}

/// Over a base its own files come first, but for what was named: what the
/// programs find there is left out of the tree, and they are held to what they
/// find then.
pub(super) fn settle(plan: &mut Plan, ground: &Ground<'_>, base: &dyn Root) -> Over {
    let over = close_over(plan, ground, base);
    plan.leave_out(base, &over.used);
    let findings = |plan: &Plan| -> Vec<Finding> {
        let found = looked_at(plan, ground, |image| check::check(image, ground.files, &over.expected));
        found.into_iter().map(|one| one.finding).collect()
    };
    // A link that leads to a file of the base may have been tried first, and no
    // more than that.
    let lean = plan.without_ways_out();
    if findings(&lean) == findings(plan) {
        *plan = lean;
    }
    over
}

fn close_over(plan: &Plan, ground: &Ground<'_>, base: &dyn Root) -> Over {
    let named = plan.named();
    let whole = PlanRoot::new(plan, Sources { root: ground.root }, &[]);
    let layers: [&dyn Root; 2] = [base, &whole];
    let image = PlanRoot::new(&named, Sources { root: ground.root }, &layers);
    let mut over = Over::default();
    for start in ground.starts {
        for (level, in_root) in &start.closures {
            let settings = Settings { levels: Some(levels_of(*level)), ..Settings::default() };
            let Some(closure) = close_as_repaired(&image, ground, settings, start, in_root) else {
                continue;
            };
            note_used(&mut over.used, &image, &closure);
            let told = closure.findings.iter().filter(|one| is_of_the_base(one, in_root, ground.excluded));
            let said = told.filter_map(|finding| judged(finding, ground.task.allow_missing));
            for finding in said.chain(of_two_builds(plan, &closure, in_root)) {
                if !over.findings.contains(&finding) {
                    over.findings.push(finding);
                }
            }
            over.expected.push(ground.expect(&image, &closure, start, *level).over_base());
        }
    }
    over
}

/// What is missing in the root already is told as that, if it is missing here too.
fn is_of_the_base(finding: &Finding, in_root: &Closure, excluded: &Excluded) -> bool {
    let name = &finding.subject[..];
    let is_missing = |edge: &&Edge| matches!(edge.outcome, Outcome::Missing(_)) && edge.name[..] == *name;
    finding.code != MISSING
        || !(excluded.has_name(name) || in_root.edges.iter().any(|edge| is_missing(&edge)))
}

fn levels_of(level: Option<&'static str>) -> Vec<Vec<u8>> {
    level.iter().map(|level| level.as_bytes().to_vec()).collect()
}

/// What the loader does not find by itself it will find by a cache, if the root
/// has it: it is looked for where the root has it.
fn close_as_repaired(
    image: &PlanRoot<'_>,
    ground: &Ground<'_>,
    settings: Settings,
    start: &Start,
    in_root: &Closure,
) -> Option<Closure> {
    let mut dirs: BTreeSet<Vec<u8>> = BTreeSet::new();
    loop {
        let path = dirs.iter().map(Vec::as_slice).collect::<Vec<&[u8]>>().join(&b':');
        let library_path = (!dirs.is_empty()).then_some(path);
        let settings = Settings { cwd: b"/".to_vec(), library_path, ..settings.clone() };
        let mut session = Session::new(image, ground.files, &settings);
        let program = open_program(&mut session, &place_of(start)).ok()?;
        let closure = close(&mut session, &program);
        let before = dirs.len();
        let missing = closure.edges.iter().filter(|edge| matches!(edge.outcome, Outcome::Missing(_)));
        dirs.extend(missing.filter_map(|edge| dir_of(ground.root, in_root, &edge.name)));
        if dirs.len() == before {
            return Some(closure);
        }
    }
}

/// Where the root has the library of a name. A relative path was spelled from
/// the directory of this run, which the image does not have.
fn dir_of(root: &dyn Root, in_root: &Closure, name: &[u8]) -> Option<Vec<u8>> {
    let found = |edge: &Edge| match edge.outcome {
        Outcome::Found { to, .. } if &edge.name[..] == name => Some(to),
        Outcome::Found { .. } | Outcome::Missing(_) | Outcome::Dies(_) | Outcome::Vdso | Outcome::Apart => {
            None
        }
    };
    let object = in_root.object(in_root.edges.iter().find_map(found)?);
    let spelled = dirname(&object.path).filter(|dir| dir.starts_with(b"/"));
    Some(spelled.map_or_else(|| root.real_path(object.found.dir).as_bytes().to_vec(), <[u8]>::to_vec))
}

fn note_used(used: &mut Used, image: &dyn Root, closure: &Closure) {
    for object in &closure.objects {
        used.files.insert(object.found.file.stat.id);
        for (dir, name, _) in object.found.links.iter() {
            used.links.insert(ImagePath::from(image.real_path(*dir)).join(name));
        }
    }
    closure.audits.iter().for_each(|audit| note_used(used, image, audit));
}

/// T17: glibc's files use what is private to them, which every build may change.
fn of_two_builds(plan: &Plan, closure: &Closure, in_root: &Closure) -> Option<Finding> {
    let is_ours = |object: &Object| plan.holds(object.found.file.stat.id);
    let (object, other) = closure.objects.iter().find_map(|object| {
        let others = private_needs(object).filter_map(|name| known_as(closure, name));
        let mut apart = others.filter(|other| is_ours(object) != is_ours(other));
        let other = apart.find(|other| {
            let theirs = if is_ours(object) { other } else { object };
            !is_same_build(theirs, in_root)
        })?;
        Some((object, other))
    })?;
    let (ours, theirs) = if is_ours(object) { (object, other) } else { (other, object) };
    let message =
        [&ours.path, &b" of the tree and "[..], &theirs.path, b" of the base are of two builds of glibc"];
    Some(Finding {
        severity: Severity::Error,
        code: "two-builds",
        subject: closure.program.clone(),
        message: message.concat(),
        hint: Some(b"install the base's own there, or collect without --onto".to_vec()),
    })
}

/// The libraries of which an object wants what is theirs alone.
fn private_needs(object: &Object) -> impl Iterator<Item = &[u8]> {
    let facts = object.found.facts();
    let private = facts.version_needs.iter().filter(|need| facts.str(need.name) == b"GLIBC_PRIVATE");
    private.map(|need| facts.str(need.file))
}

fn known_as<'c>(closure: &'c Closure, soname: &[u8]) -> Option<&'c Object> {
    closure.objects.iter().find(|object| object.found.facts().soname() == Some(soname))
}

/// The root has a file of that name from the same build.
fn is_same_build(theirs: &Object, in_root: &Closure) -> bool {
    let build_id = |object: &Object| {
        let facts = object.found.facts();
        facts.build_id.map(|id| facts.str(id).to_vec())
    };
    let soname = theirs.found.facts().soname();
    let same = soname.and_then(|soname| known_as(in_root, soname));
    same.is_some_and(|same| build_id(same).is_some() && build_id(same) == build_id(theirs))
}
