//! What `--exclude` says that is not likely to be meant.

use super::inputs::Inputs;
use super::tree::{Item, Piece, What};
use crate::check::spelled;
use crate::closure::{Closure, Object};
use crate::finding::{Finding, Severity};
use crate::path::ImagePath;
use crate::plan::{Glob, Start};
use crate::report::Collected;
use crate::root::{DirId, Root, resolve};

/// Patterns that leave nothing out: a slip, or a name that has changed.
pub(super) fn unmatched(root: &dyn Root, starts: &[Start], inputs: &Inputs) -> Vec<Finding> {
    let is_idle = |glob: &&Glob| {
        let closures = starts.iter().flat_map(|start| &start.closures);
        !closures.into_iter().any(|(_, closure)| meets_closure(root, glob, closure))
            && !inputs.pieces.iter().any(|piece| meets_piece(root, glob, piece))
            && !inputs.left_out.iter().any(|path| glob.matches_path(path))
    };
    let told = |glob: &Glob| Finding {
        severity: Severity::Warning,
        code: "unmatched",
        subject: b"--exclude".to_vec(),
        message: [b"`", glob.as_bytes(), b"` matches nothing that would be taken"].concat(),
        hint: None,
    };
    inputs.excluded.globs.iter().filter(is_idle).map(told).collect()
}

fn meets_closure(root: &dyn Root, glob: &Glob, closure: &Closure) -> bool {
    let meets = |object: &Object| {
        let names = object.found.facts().soname().into_iter().chain([&object.found.name[..]]);
        let real = object.found.real_path(root);
        names.into_iter().any(|name| glob.matches_name(name))
            || [&object.path[..], real.as_bytes()].iter().any(|path| glob.matches_path(path))
    };
    let edges = &closure.edges;
    edges.iter().any(|edge| glob.matches_name(&edge.name) || glob.matches_path(&edge.name))
        || closure.objects.iter().skip(1).any(meets)
        || closure.audits.iter().any(|audit| meets_closure(root, glob, audit))
}

fn meets_piece(root: &dyn Root, glob: &Glob, piece: &Piece) -> bool {
    match &piece.what {
        What::Tree { items, .. } => items.iter().any(|(at, item)| meets_item(root, glob, at, item)),
        What::Link { at, target } => meets_link(root, glob, at, target),
        What::File { .. } | What::Host { .. } | What::Made { .. } | What::Dir { .. } => false,
    }
}

fn meets_item(root: &dyn Root, glob: &Glob, at: &ImagePath, item: &Item) -> bool {
    let is_led_to = match item {
        Item::Link(target) => meets_link(root, glob, at, target),
        Item::Dir(_) | Item::File(_) => false,
    };
    is_led_to || glob.matches_path(at.as_bytes())
}

/// It says of what a link leads to that it comes at run time.
fn meets_link(root: &dyn Root, glob: &Glob, at: &ImagePath, target: &[u8]) -> bool {
    let real = || resolve(root, DirId::TOP, at.as_bytes()).map(|found| found.real_path(root));
    glob.matches_path(&spelled(at.as_bytes(), target))
        || real().is_ok_and(|real| glob.matches_path(real.as_bytes()))
}

/// Without its loader a program starts over some base at best.
pub(super) fn without_loader(programs: &[Collected]) -> Vec<Finding> {
    let finding = |program: &Collected| Finding {
        severity: Severity::Warning,
        code: "no-loader",
        subject: program.path.clone(),
        message: b"its loader is left out by --exclude: it starts only over a base that has it".to_vec(),
        hint: Some(b"--onto BASE leaves out what a base has, and proves that it starts there".to_vec()),
    };
    let lacks_it = |program: &&Collected| program.family.is_some() && !program.has_loader;
    programs.iter().filter(lacks_it).map(finding).collect()
}
