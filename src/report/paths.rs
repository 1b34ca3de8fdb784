//! Every file that is opened, one a line or ended by NUL: as bytes, for
//! `xargs` and `rsync --files-from`.

use crate::closure::{Closure, Object, Spelling};
use crate::loader::Rule;
use crate::path::basename;
use crate::root::Root;

/// Appends the program and all that is loaded with it, under the names by which
/// they are opened, then the real files behind those that are links.
/// `end` is a newline or NUL.
pub fn paths(out: &mut Vec<u8>, closure: &Closure, root: &dyn Root, end: u8) {
    let mut paths: Vec<Vec<u8>> = Vec::new();
    let mut collect = |closure: &Closure| {
        for spelling in closure.objects.iter().flat_map(Object::spellings) {
            if is_there(&spelling) {
                paths.push(spelling.path.to_vec());
            }
            paths.push(spelling.found.real_path(root).as_bytes().to_vec());
        }
    };
    collect(closure);
    closure.audits.iter().for_each(&mut collect);
    let mut seen = crate::intern::Names::default();
    for path in paths {
        if seen.is_new(&path) {
            out.extend_from_slice(&path);
            out.push(end);
        }
    }
}

/// The link that ldconfig would make may be all that is missing.
fn is_there(spelling: &Spelling) -> bool {
    let found = &spelling.found;
    spelling.rule != Some(Rule::Conf) || !found.links.is_empty() || *found.name == *basename(&spelling.path)
}
