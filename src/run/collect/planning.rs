//! The plan, from what was named and what that loads.

use super::tree::{Item, Piece};
use crate::job::{CollectTask, Layout};
use crate::path::ImagePath;
use crate::plan::{Content, Error, Excluded, Plan, Reason, Source, Start, content_of};
use crate::root::{Access, Root, dir};
use crate::run::Scene;

pub(super) fn plan_of(
    scene: &Scene<'_>,
    task: &CollectTask,
    starts: &[Start],
    pieces: &[Piece],
    excluded: &Excluded,
) -> Result<Plan, Error> {
    let mut plan = Plan::default();
    let root: &dyn Root = scene.root;
    let (stay, move_along): (Vec<&Piece>, Vec<&Piece>) = pieces.iter().partition(|piece| piece.stays());
    stay.into_iter().try_for_each(|piece| add_piece(&mut plan, root, piece, excluded))?;
    plan.add_starts(root, starts, excluded)?;
    move_along.into_iter().try_for_each(|piece| add_piece(&mut plan, root, piece, excluded))?;
    add_typed(&mut plan, task)?;
    plan.settle_dirs(root);
    match task.layout {
        Layout::AsFound => {}
        Layout::Merged => plan.merge_usr()?,
        Layout::Split => plan.split_usr()?,
    }
    Ok(plan)
}

fn add_piece(plan: &mut Plan, root: &dyn Root, piece: &Piece, excluded: &Excluded) -> Result<(), Error> {
    match piece {
        Piece::File { path, found, dest: None, reason } => plan.add_found(root, path, found, reason.clone()),
        Piece::File { found, dest: Some(at), reason, .. } => {
            Ok(plan.file(at, content_of(root, found)?, reason.clone())?)
        }
        Piece::Host { path, at, reason } => {
            let io_error = |cause| Error::Io { path: path.as_os_str().as_encoded_bytes().to_vec(), cause };
            let open = dir::open_host_file(path).map_err(io_error)?;
            let xattrs = open.xattrs().map_err(io_error)?;
            let source = Source::Host { path: path.clone(), stat: open.stat };
            Ok(plan.file(at, Content::of(source, &open.stat, xattrs), reason.clone())?)
        }
        Piece::Tree { path, items, links, word, .. } => {
            plan.add_links(root, links)?;
            plan.spell(path);
            let reason = Reason::Included { word: word.clone() };
            let kept = items.iter().filter(|(at, _)| !excluded.has_path(at.as_bytes()));
            kept.into_iter().try_for_each(|(at, item)| add_item(plan, at, item, &reason))
        }
    }
}

fn add_item(plan: &mut Plan, at: &ImagePath, item: &Item, reason: &Reason) -> Result<(), Error> {
    match item {
        Item::Dir(access) => plan.dir(at, *access, reason.clone())?,
        Item::Link(target) => plan.link(at, target, reason.clone())?,
        Item::File(content) => plan.file(at, content.clone(), reason.clone())?,
    }
    Ok(())
}

/// `--mkdir` and `--symlink`.
fn add_typed(plan: &mut Plan, task: &CollectTask) -> Result<(), Error> {
    for typed in &task.mkdir {
        if let Some(at) = ImagePath::parse(typed) {
            let mode = if matches!(at.as_bytes(), b"/tmp" | b"/var/tmp") { 0o1777 } else { 0o755 };
            plan.dir(&at, Access::of_root(mode), Reason::Option { option: "--mkdir".into() })?;
        }
    }
    for (link, target) in &task.symlink {
        if let Some(at) = ImagePath::parse(link) {
            plan.link(&at, target, Reason::Option { option: "--symlink".into() })?;
        }
    }
    Ok(())
}
