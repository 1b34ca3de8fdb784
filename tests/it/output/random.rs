//! Random plans over random trees.

use super::*;
use crate::rng::Rng;

const NAMES: [&str; 4] = ["a", "b", "lib", "usr"];
const TARGETS: [&str; 9] = ["a", "b", "usr/lib", "/usr", "../a", "/", "../../outside", "/outside", "nowhere"];

fn one_of<'t, T: ?Sized>(rng: &mut Rng, all: &[&'t T]) -> &'t T {
    all[usize::try_from(rng.below(all.len() as u64)).unwrap()]
}

fn path(rng: &mut Rng) -> String {
    (0..=rng.below(3)).map(|_| format!("/{}", one_of(rng, &NAMES))).collect()
}

/// Whatever may have been put into a directory.
fn litter(rng: &mut Rng, dist: &Path) {
    for _ in 0..rng.below(9) {
        let to = dist.join(&path(rng)[1..]);
        // Links lead out, and the test must not.
        if to.ancestors().take_while(|up| *up != dist).any(Path::is_symlink) {
            continue;
        }
        // What does not fit is not there.
        let _ = match rng.below(4) {
            0 => fs::create_dir_all(&to),
            1 => symlink(one_of(rng, &TARGETS), &to),
            2 => fs::write(&to, "x"),
            _ => fs::create_dir_all(to.parent().unwrap()).and_then(|()| fs::write(&to, "one")),
        };
    }
}

fn wish(rng: &mut Rng, files: &[PathBuf]) -> Wish {
    let mut wish = Wish::new();
    for _ in 0..=rng.below(8) {
        let place = at(&path(rng));
        // What meets something else of the plan is not planned.
        let _ = match rng.below(5) {
            0 => wish.plan.dir(&place, Access::of_root(0o750), Reason::Program),
            1 => wish.plan.link(&place, one_of(rng, &TARGETS).as_bytes(), Reason::Program),
            2 => {
                let content = Content::made(b"one".to_vec(), Access::of_root(0o644), Merge::Never);
                wish.plan.file(&place, content, Reason::Program)
            }
            _ => {
                let file = one_of(rng, &[files[0].as_path(), files[1].as_path()]);
                let open = open_host_file(file).unwrap();
                let source = Source::Host { path: file.to_owned(), stat: open.stat };
                wish.plan.file(&place, Content::of(source, &open.stat, Vec::new()), Reason::Program)
            }
        };
    }
    wish
}

/// Every place of the plan leads to what was planned, as a program sees it.
fn holds(wish: &Wish, dist: &Path) {
    let root = depcollect::root::dir::DirRoot::open(dist).unwrap();
    for (place, entry) in wish.plan.entries() {
        let found = resolve(&root, DirId::TOP, place.as_bytes());
        match &entry.node {
            depcollect::plan::Node::Dir(_) => {
                assert!(matches!(found.unwrap().opened, Opened::Dir(_)), "{place:?}");
            }
            depcollect::plan::Node::File(id) => {
                let Opened::File(file) = found.unwrap().opened else { panic!("{place:?} is no file") };
                assert_eq!(file.stat.len, wish.plan.content(*id).len, "{place:?}");
            }
            depcollect::plan::Node::Link(target) => {
                let parent = place.parent().unwrap();
                let (dir, _) = depcollect::root::resolve_dir(&root, DirId::TOP, parent.as_bytes()).unwrap();
                let Opened::Link(text) = root.open(dir, place.name()).unwrap() else { panic!("{place:?}") };
                assert_eq!(text, *target, "{place:?}");
            }
        }
    }
}

/// What was there and is no place of the plan stays, whatever the plan does.
fn stays(wish: &Wish, before: &str, after: &str) {
    let root_of = |line: &str| line.split(' ').next().unwrap().to_owned();
    let after: std::collections::BTreeSet<&str> = after.lines().collect();
    for line in before.lines().filter(|line| line.contains(" file ")) {
        let name = root_of(line);
        let is_planned = wish.plan.entries().any(|(place, _)| {
            let place = String::from_utf8_lossy(place.as_bytes()).into_owned();
            name.ends_with(place.rsplit('/').next().unwrap())
        });
        assert!(is_planned || after.contains(line), "{line} was lost");
    }
}

#[test]
fn whatever_is_planned_and_whatever_is_there() {
    let (temp, dist) = temp();
    let outside = temp.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("theirs"), "theirs").unwrap();
    let files = ["one", "two"].map(|name| temp.path().join(name));
    for file in &files {
        fs::write(file, file.file_name().unwrap().as_bytes()).unwrap();
    }
    let out_there = dump(&outside);
    let (mut written, mut refused) = (0, 0);
    for seed in 0..600 {
        let mut rng = Rng::new(seed);
        let _ = fs::remove_dir_all(&dist);
        if rng.below(5) > 0 {
            fs::create_dir(&dist).unwrap();
            litter(&mut rng, &dist);
        }
        let is_there = dist.exists();
        let before = if is_there { dump(&dist) } else { String::new() };
        let wish = wish(&mut rng, &files);
        let force = rng.below(2) == 0;
        let options = Options { force, threads: 2, epoch: Some(NEWEST) };
        let write = || match output::dir::Target::open(&dist, &[], true) {
            Ok(target) => target.write(&wish.plan, Sources { root: &wish.root }, options),
            Err(failure) => Err(failure),
        };
        match write() {
            Ok(_) => {
                written += 1;
                holds(&wish, &dist);
                let after = dump(&dist);
                if !force {
                    stays(&wish, &before, &after);
                }
                let again = write().unwrap();
                assert_eq!(again.files_written, 0, "seed {seed}");
                assert_eq!(dump(&dist), after, "seed {seed}");
            }
            Err(Failure::Conflicts(places)) => {
                refused += 1;
                let only_twice = places.iter().all(|(_, what)| what.starts_with("by the links"));
                assert!(!force || only_twice, "seed {seed}: {places:?}");
                assert_eq!(if is_there { dump(&dist) } else { String::new() }, before, "seed {seed}");
            }
            Err(other) => panic!("seed {seed}: {other}"),
        }
        assert_eq!(dump(&outside), out_there, "seed {seed}");
    }
    // Both must happen, or nothing was tried.
    assert!(written > 200 && refused > 50, "{written} written, {refused} refused");
}
