//! Where the links of a directory lead that is taken as it is: a file outside
//! it is taken along, or the link would lead nowhere in the image. Another
//! directory is not, as nobody knows how large it is.

use super::tree::{Item, Walked, is_mounted};
use crate::path::{ImagePath, RealPath};
use crate::plan::Excluded;
use crate::root::{DirId, Opened, Resolved, Root, resolve};

/// The paths of files that are reached only by leaving the directory. With
/// `is_moved` it goes elsewhere, and only absolute links lead where they led.
pub(super) fn files(root: &dyn Root, walked: &Walked, is_moved: bool, excluded: &Excluded) -> Vec<Vec<u8>> {
    let path = |(at, item): &(ImagePath, Item)| match item {
        Item::Link(_) if excluded.has_path(at.as_bytes()) => None,
        Item::Link(target) if is_moved => Some(target.clone()).filter(|target| target.starts_with(b"/")),
        Item::Link(_) => Some(at.as_bytes().to_vec()),
        Item::Dir(_) | Item::File(_) => None,
    };
    let paths = walked.items.iter().filter_map(path);
    let leads_out = |path: &Vec<u8>| {
        let Ok(resolved) = resolve(root, DirId::TOP, path) else { return false };
        let real = resolved.real_path(root);
        matches!(resolved.opened, Opened::File(_))
            && (is_moved || leaves(root, &resolved, &real, &walked.top))
            && !is_mounted(real.as_bytes())
            && !excluded.has_path(real.as_bytes())
    };
    paths.filter(leads_out).collect()
}

fn leaves(root: &dyn Root, resolved: &Resolved, real: &RealPath, top: &RealPath) -> bool {
    let is_below =
        |path: &RealPath| ImagePath::from(path.clone()).below(&ImagePath::from(top.clone())).is_some();
    !is_below(real) || resolved.links.iter().any(|(dir, ..)| !is_below(&root.real_path(*dir)))
}
