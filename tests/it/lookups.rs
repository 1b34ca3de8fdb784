//! A plan read as a root, against the tree that it becomes: random paths through
//! random links lead to the same place by the same links, or to the same error.
//! The second plan of a round is read over the tree of the first.

use std::collections::BTreeSet;
use std::path::Path;

use depcollect::needs::Merge;
use depcollect::output::{self, Failure, Options};
use depcollect::path::ImagePath;
use depcollect::plan::{Content, Plan, PlanRoot, Reason, Sources};
use depcollect::root::dir::DirRoot;
use depcollect::root::mem::MemRoot;
use depcollect::root::{Access, DirId, Opened, Root, resolve, resolve_dir};

use crate::paths::{Answer, Forest, Rng, Tree, answer, dir_answer, has_long_name};

const PATHS: usize = 64;

fn plan_of(forest: &Forest) -> Plan {
    let mut plan = Plan::default();
    for (path, what) in forest.entries.iter().filter(|(path, _)| !has_long_name(path)) {
        let at = ImagePath::parse(path).expect("a place of the forest");
        match what {
            Tree::Dir => plan.dir(&at, Access::of_root(0o755), Reason::Program),
            Tree::Link(target) => plan.link(&at, target, Reason::Program),
            Tree::File | Tree::Special(..) => {
                let content = Content::made(path.clone(), Access::of_root(0o644), Merge::Never);
                plan.file(&at, content, Reason::Program)
            }
        }
        .expect("one thing for one place");
    }
    plan
}

/// Where a path leads, what a file holds there, and what a directory lists.
type Seen = (Answer, Option<Vec<u8>>, Answer, Vec<String>);

fn look(root: &dyn Root, path: &[u8]) -> Seen {
    let resolved = resolve(root, DirId::TOP, path);
    let bytes = match resolved.as_ref().map(|found| &found.opened) {
        Ok(Opened::File(open)) => {
            let mut bytes = vec![0; 5000];
            let len = depcollect::bytes::ReadAt::read_at(open, &mut bytes, 0).expect("a file");
            bytes.truncate(len);
            Some(bytes)
        }
        Ok(Opened::Dir(_) | Opened::Link(_) | Opened::Special(_)) | Err(_) => None,
    };
    let dir = resolve_dir(root, DirId::TOP, path);
    let listed = match &dir {
        Ok((dir, _)) => {
            root.list(*dir).expect("a directory").iter().map(|item| format!("{item:?}")).collect()
        }
        Err(_) => Vec::new(),
    };
    (answer(root, &resolved), bytes, dir_answer(root, dir), listed)
}

fn looks(root: &dyn Root, paths: &BTreeSet<Vec<u8>>) -> Vec<Seen> {
    paths.iter().map(|path| look(root, path)).collect()
}

/// Writes the forest as a plan. What was seen in the plan before has to be seen
/// in the tree then. `false`: another thing stands in the way.
fn agrees(forest: &Forest, rng: &mut Rng, dist: &Path) -> bool {
    let before = if dist.exists() { crate::output::dump(dist) } else { String::new() };
    let (plan, nothing) = (plan_of(forest), MemRoot::new());
    let sources = Sources { root: &nothing };
    let earlier = output::dir::existing(dist).expect("what is there can be read");
    let below: Vec<&dyn Root> = earlier.iter().map(|earlier| earlier as &dyn Root).collect();
    let paths: BTreeSet<Vec<u8>> = (0..PATHS).map(|_| forest.random_path(rng)).collect();
    let planned = looks(&PlanRoot::new(&plan, sources, &below), &paths);
    match output::dir::write(&plan, sources, dist, &[], Options::default()) {
        Err(Failure::Conflicts(_)) => return false,
        done => _ = done.expect("a tree can be written"),
    }
    let written = looks(&DirRoot::open(dist).expect("the tree"), &paths);
    for ((path, planned), written) in paths.iter().zip(planned).zip(written) {
        assert_eq!(planned, written, "{}\n{}\nover\n{before}", path.escape_ascii(), forest.show());
    }
    true
}

#[test]
fn what_a_plan_shows_is_what_its_tree_has() {
    let wanted = std::env::var("DEPCOLLECT_PATHS").map_or(3_000, |n| n.parse().expect("a number"));
    let mut rng = Rng(0x2545_f491_4f6c_dd1d);
    let mut over = 0;
    for _ in 0..usize::div_ceil(wanted, 2 * PATHS) {
        let temp = tempfile::tempdir().expect("a directory");
        let dist = temp.path().join("dist");
        let forest = Forest::random(&mut rng);
        assert!(agrees(&forest, &mut rng, &dist), "nothing was there");
        // Most forests have another thing at some place of the first.
        over += usize::from((0..12).any(|_| agrees(&Forest::random(&mut rng), &mut rng, &dist)));
    }
    assert!(over * 4 > wanted / (2 * PATHS), "{over} of the second plans fitted over the first");
}
