//! Links of the plan that lead nowhere in the image, by whose doing: a copy of a
//! link that led nowhere before is a faithful one, another is a hole.

use super::image::Ground;
use super::tree::{Piece, What, is_mounted};
use crate::check;
use crate::finding::{Finding, Severity};
use crate::path::ImagePath;
use crate::plan::{Entry, Node, Plan, Reason};
use crate::root::{DirId, Opened, Root, resolve};

/// What there is to say about every link of the image that `root` shows.
pub(super) fn findings(plan: &Plan, image: &dyn Root, ground: &Ground<'_>) -> Vec<Finding> {
    check::links(plan, image).into_iter().filter_map(|link| judged(plan, ground, link)).collect()
}

fn judged(plan: &Plan, ground: &Ground<'_>, link: Finding) -> Option<Finding> {
    let entry = ImagePath::parse(&link.subject).and_then(|at| Some((plan.get(&at)?, at)));
    let Some((Entry { node: Node::Link(target), reasons }, at)) = entry.filter(|_| link.code == "dangling")
    else {
        return Some(link);
    };
    let Ok(found) = resolve(ground.root, DirId::TOP, &source_of(ground.pieces, &at)) else {
        // A rule's link that leads no further in the root is nobody's concern.
        return (!reasons.iter().all(|reason| matches!(reason, Reason::Need { .. }))).then_some(link);
    };
    let (spelled, real) = (check::spelled(at.as_bytes(), target), found.real_path(ground.root));
    if is_mounted(real.as_bytes()) {
        return None;
    }
    if [&spelled[..], real.as_bytes()].iter().any(|path| ground.excluded.has_path(path)) {
        let message = [b"a link to `", &target[..], b"`, which --exclude leaves out: it comes at run time"];
        return Some(Finding { severity: Severity::Note, message: message.concat(), ..link });
    }
    let what: &[u8] = match found.opened {
        Opened::Dir(_) => b" takes the directory along, and --exclude ",
        Opened::File(_) => b" takes the file along, and --exclude ",
        Opened::Special(_) | Opened::Link(_) => return Some(link),
    };
    let is_there =
        resolve(ground.root, DirId::TOP, &spelled).is_ok_and(|there| there.real_path(ground.root) == real);
    let word = if is_there { spelled.clone() } else { [real.as_bytes(), b":", &spelled].concat() };
    let hint = [b"--include ", &word[..], what, &spelled, b" says that it comes at run time"].concat();
    let severity = if reasons.iter().all(is_unasked) { Severity::Warning } else { Severity::Error };
    Some(Finding { severity, hint: Some(hint), ..link })
}

/// Where the root has a link that may have been placed elsewhere.
fn source_of(pieces: &[Piece], at: &ImagePath) -> Vec<u8> {
    let source = |piece: &Piece| match &piece.what {
        What::Tree { items, from, stays: false, .. } => {
            let (top, _) = items.first()?;
            let below = at.below(top).filter(|_| items.iter().any(|(item, _)| item == at))?;
            Some(if below.is_empty() { from.to_vec() } else { [from, &b"/"[..], below].concat() })
        }
        What::Tree { .. }
        | What::File { .. }
        | What::Host { .. }
        | What::Made { .. }
        | What::Dir { .. }
        | What::Link { .. } => None,
    };
    pieces.iter().find_map(source).unwrap_or_else(|| at.as_bytes().to_vec())
}

/// A rule or an option brought it, and nobody who could be asked to say more.
fn is_unasked(reason: &Reason) -> bool {
    matches!(reason, Reason::Need { .. } | Reason::Option { .. })
}
