//! A tree that is there: what it lacks is staged inside it, moved into place,
//! and what stood there is kept until all is done.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, AtFlags};
use rustix::io::{Errno, retry_on_intr};

use super::contents::{Scene, Site, lay};
use super::fresh::{dress_dirs, make_dirs, rename_new};
use super::journal::{self, Stage, Step, spot, steps};
use super::lock::is_ours;
use super::meta::{self, Clock, Rights};
use super::survey::{Changes, Put, survey};
use super::tree::{Cursor, Tree, open_dir};
use super::{Done, Failure, Options, Sources, clean, signal};
use crate::path::ImagePath;
use crate::plan::Plan;
use crate::root::dir::DirRoot;

/// The directory inside DIST in which things are staged.
pub(super) const STAGE: &[u8] = b".depcollect-stage";

/// Makes a tree hold the plan. Its lock is ours.
pub(super) fn update(
    tree: &Tree,
    plan: &Plan,
    sources: Sources<'_>,
    options: Options,
) -> Result<Done, Failure> {
    let rights = Rights::new(&tree.top);
    let clock = Clock::new(plan, options).after(marked(tree).as_deref());
    let mut scene = Scene { plan, sources, options, clock, rights, tree };
    let earlier = as_root(tree)?;
    let changes = survey(&scene, Some(&earlier))?;
    drop(earlier);
    if !changes.conflicts.is_empty() {
        return Err(Failure::Conflicts(changes.conflicts));
    }
    let mut done = if changes.is_meta() {
        dress_only(&scene, &changes)?
    } else {
        let staged = open_stage(tree).and_then(|stage| {
            let seen = rights.seen_on(&stage.tree.top).map_err(stage_failed(tree))?;
            Ok((stage, seen))
        });
        match staged {
            Ok((stage, seen)) => {
                scene.rights = seen;
                rebuild(&scene, &changes, &stage)?
            }
            Err(failure) => {
                // What went wrong first is what is told.
                let _ = close_stage(tree, steps(&changes));
                return Err(failure);
            }
        }
    };
    done.dropped.sort();
    Ok(done)
}

/// The tree as something to read. It is the directory that was opened, by
/// whatever name it goes now.
pub(super) fn as_root(tree: &Tree) -> Result<DirRoot, Failure> {
    // Not a duplicate: that would keep the lock.
    let top =
        open_dir(tree.top.as_fd(), b".").map_err(|errno| tree.failed("open", &ImagePath::top(), errno))?;
    Ok(DirRoot::of(top))
}

/// Undoes what a killed run has begun, and removes what it left.
pub(super) fn recover(tree: &Tree) -> Result<(), Failure> {
    let Some(top) = left_over(tree)? else { return Ok(()) };
    let (new, old) = (open_dir(top.as_fd(), b"new"), open_dir(top.as_fd(), b"old"));
    let mut steps = Vec::new();
    if let (Ok(new), Ok(old)) = (new, old) {
        let path = stage_path(tree);
        let [top, new, old] = [top, new, old].map(|dir| Tree::new(dir, &path));
        let stage = Stage { tree: top, new, old };
        steps = stage.noted()?.unwrap_or_default();
        stage.undo(tree, &steps)?;
        stage.forget()?;
    }
    close_stage(tree, steps)
}

/// The stage that a killed run has left.
pub(super) fn left_over(tree: &Tree) -> Result<Option<OwnedFd>, Failure> {
    let top = match open_dir(tree.top.as_fd(), STAGE) {
        Err(Errno::NOENT) => return Ok(None),
        top => top.map_err(stage_failed(tree))?,
    };
    if !is_ours(&top) {
        let hint = Some("remove it if no other run of depcollect is at work there");
        return Err(Failure::refused(&stage_path(tree), "it is left over from somebody else's run", hint));
    }
    Ok(Some(top))
}

fn tops(mut steps: Vec<Step>) -> Vec<Step> {
    steps.retain(|step| *step.place() == ImagePath::top());
    steps
}

fn stage_path(tree: &Tree) -> std::path::PathBuf {
    tree.path.join(super::bytes_path(STAGE))
}

fn stage_failed(tree: &Tree) -> impl Fn(Errno) -> Failure {
    let path = stage_path(tree);
    move |errno| Failure::io("create", &path, errno)
}

fn open_stage(tree: &Tree) -> Result<Stage, Failure> {
    let path = stage_path(tree);
    let top = Tree::make(tree.top.as_fd(), STAGE, &path)?;
    let below = |name: &[u8]| Tree::make(top.top.as_fd(), name, &path);
    let (new, old) = (below(b"new")?, below(b"old")?);
    Ok(Stage { tree: top, new, old })
}

/// Leaves no stage. Its coming and going changed the time of the top.
fn close_stage(tree: &Tree, steps: Vec<Step>) -> Result<(), Failure> {
    clean::remove(tree.top.as_fd(), STAGE, &stage_path(tree))?;
    journal::restore_dirs(tree, &tops(steps))
}

/// Directories get another access or time; nothing is moved.
fn dress_only(scene: &Scene<'_>, changes: &Changes<'_>) -> Result<Done, Failure> {
    let mut done = Done { unchanged: changes.unchanged, dropped: changes.dropped.clone(), ..Done::default() };
    let dressed = dress_dirs(scene, changes, &mut done).and_then(|()| set_mark(scene, &mut done));
    if let Err(failure) = dressed {
        let _ = journal::restore_dirs(scene.tree, &steps(changes));
        return Err(failure);
    }
    Ok(done)
}

/// What an earlier run has said of the tree, if it is ours.
pub(super) fn marked(tree: &Tree) -> Option<Vec<u8>> {
    meta::mark(&tree.top).ok().flatten()
}

fn set_mark(scene: &Scene<'_>, done: &mut Done) -> Result<(), Failure> {
    let (top, tree) = (ImagePath::top(), scene.tree);
    let failed = |errno| tree.failed("mark", &top, errno);
    let mark = scene.clock.mark();
    if marked(tree).as_ref() == Some(&mark) {
        return Ok(());
    }
    if !meta::set_mark(&tree.top, &mark).map_err(failed)? {
        done.dropped.push((top, meta::NO_MARK));
    }
    Ok(())
}

fn rebuild(scene: &Scene<'_>, changes: &Changes<'_>, stage: &Stage) -> Result<Done, Failure> {
    let tree = scene.tree;
    let mut steps = steps(changes);
    steps.push(Step::Mark { place: ImagePath::top(), had: marked(tree).unwrap_or_default() });
    let site = Site { tree: &stage.new, spot: &|put: &Put| spot(put.number), old: tree };
    let mut noted = false;
    let made = lay(scene, changes, &site).and_then(|mut done| {
        stage.note(&steps)?;
        noted = true;
        commit(scene, changes, stage)?;
        dress_dirs(scene, changes, &mut done)?;
        set_mark(scene, &mut done)?;
        signal::go_on()?;
        stage.forget()?;
        Ok(done)
    });
    match made {
        Ok(done) => {
            clean::remove(tree.top.as_fd(), STAGE, &stage_path(tree))?;
            twice(|| meta::date(tree.top.as_fd(), scene.clock.top()))
                .map_err(|errno| tree.failed("change", &ImagePath::top(), errno))?;
            Ok(done)
        }
        Err(failure) => {
            // What went wrong first is what is told. If this fails too, the
            // next run tries again.
            let _ =
                undo(tree, stage, if noted { &steps } else { &[] }).and_then(|()| close_stage(tree, steps));
            Err(failure)
        }
    }
}

fn undo(tree: &Tree, stage: &Stage, steps: &[Step]) -> Result<(), Failure> {
    stage.undo(tree, steps)?;
    stage.forget()
}

/// There is no way back any more, and one fault need not be the end of it.
fn twice(step: impl Fn() -> rustix::io::Result<()>) -> rustix::io::Result<()> {
    step().or_else(|_| step())
}

/// Moves all that is staged to its place.
fn commit(scene: &Scene<'_>, changes: &Changes<'_>, stage: &Stage) -> Result<(), Failure> {
    let tree = scene.tree;
    let mut cursor = tree.cursor();
    for put in &changes.clear {
        let failed = |errno| tree.failed("move", &put.place, errno);
        let dir = cursor.parent(&put.place).map_err(failed)?;
        move_away(dir, put, stage).map_err(failed)?;
    }
    make_dirs(tree, &changes.make)?;
    let mut cursor = tree.cursor();
    for put in changes.puts() {
        signal::go_on()?;
        place(&mut cursor, put, stage).map_err(|errno| tree.failed("write", &put.place, errno))?;
    }
    Ok(())
}

fn move_away(dir: BorrowedFd<'_>, put: &Put, stage: &Stage) -> rustix::io::Result<()> {
    let number = put.number.to_string();
    retry_on_intr(|| fs::renameat(dir, put.place.name(), &stage.old.top, &number[..]))
}

/// At no moment does the place hold nothing, if it held something.
fn place(cursor: &mut Cursor<'_>, put: &Put, stage: &Stage) -> rustix::io::Result<()> {
    let (dir, number) = (cursor.parent(&put.place)?, put.number.to_string());
    let name = put.place.name();
    if !put.replaces {
        return rename_new(stage.new.top.as_fd(), number.as_bytes(), dir, name);
    }
    let kept = retry_on_intr(|| fs::linkat(dir, name, &stage.old.top, &number[..], AtFlags::empty()));
    match kept {
        Ok(()) => {}
        // A file system without hard links.
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::MLINK) => move_away(dir, put, stage)?,
        Err(errno) => return Err(errno),
    }
    retry_on_intr(|| fs::renameat(&stage.new.top, &number[..], dir, name))
}
