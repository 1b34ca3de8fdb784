//! The plan, from what was named and what that loads.

use super::tree::{Item, Piece, What};
use crate::job::{CollectTask, Layout};
use crate::path::ImagePath;
use crate::plan::{Content, Error, Excluded, Plan, Reason, Source, Start, content_of};
use crate::root::{Root, dir};

/// What stays where it is comes first, so that what is placed goes through the
/// links of the root.
pub(super) fn plan_of(
    root: &dyn Root,
    task: &CollectTask,
    starts: &[Start],
    pieces: &[Piece],
    excluded: &Excluded,
) -> Result<Plan, Error> {
    let mut plan = Plan::default();
    let (stay, placed): (Vec<&Piece>, Vec<&Piece>) = pieces.iter().partition(|piece| piece.stays());
    stay.into_iter().try_for_each(|piece| add(&mut plan, root, piece, excluded))?;
    plan.add_starts(root, starts, excluded)?;
    for piece in placed {
        if !is_taken(&plan, piece)? {
            add(&mut plan, root, piece, excluded)?;
        }
    }
    plan.settle_dirs(root);
    match task.layout {
        Layout::AsFound => {}
        Layout::Merged => plan.merge_usr()?,
        Layout::Split => plan.split_usr()?,
    }
    Ok(plan)
}

/// A rule makes nothing where somebody has put something of his own.
fn is_taken(plan: &Plan, piece: &Piece) -> Result<bool, Error> {
    let (What::Made { at, .. } | What::Link { at, .. }) = &piece.what else { return Ok(false) };
    Ok(matches!(piece.reason, Reason::Need { .. }) && plan.get(&plan.follow(at)?).is_some())
}

fn add(plan: &mut Plan, root: &dyn Root, piece: &Piece, excluded: &Excluded) -> Result<(), Error> {
    let reason = piece.reason.clone();
    match &piece.what {
        What::File { path, found, dest: None } => plan.add_found(root, path, found, reason),
        What::File { found, dest: Some(at), .. } => Ok(plan.file(at, content_of(root, found)?, reason)?),
        What::Host { path, at } => {
            let io_error = |cause| Error::Io { path: path.as_os_str().as_encoded_bytes().to_vec(), cause };
            let open = dir::open_host_file(path).map_err(io_error)?;
            let xattrs = open.xattrs().map_err(io_error)?;
            let source = Source::Host { path: path.clone(), stat: open.stat };
            Ok(plan.file(at, Content::of(source, &open.stat, xattrs), reason)?)
        }
        What::Tree { path, items, links, .. } => {
            plan.add_links(root, links)?;
            plan.spell(path);
            let kept = items.iter().filter(|(at, _)| !excluded.has_path(at.as_bytes()));
            kept.into_iter().try_for_each(|(at, item)| add_item(plan, at, item, &reason))
        }
        What::Made { at, bytes, access, merge } => {
            Ok(plan.file(at, Content::made(bytes.clone(), *access, *merge), reason)?)
        }
        What::Dir { at, access } => Ok(plan.dir(at, *access, reason)?),
        What::Link { at, target } => Ok(plan.link(at, target, reason)?),
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
