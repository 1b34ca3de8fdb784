//! `--mkdir` and `--symlink`.

use super::{Refusal, Want, Wanted, users, way};
use crate::job::User;
use crate::path::ImagePath;
use crate::root::{Access, Root};

/// Directories with a mode of their own, by tradition. Into the first two
/// everybody may write, and nobody may remove what is another's.
const MODES: [(&[u8], u32); 3] = [(b"/tmp", 0o1777), (b"/var/tmp", 0o1777), (b"/root", 0o700)];

/// The directories and links that were typed. What lies in the user's home is the user's.
pub fn wanted(
    root: &dyn Root,
    mkdir: &[Vec<u8>],
    symlink: &[(Vec<u8>, Vec<u8>)],
    user: Option<&User>,
) -> Result<Wanted, Refusal> {
    let mut wanted = Wanted::default();
    for word in mkdir {
        wanted.want(dir(root, &place("make", word)?, user));
    }
    for (at, target) in symlink {
        wanted.want(link(root, at, target)?);
    }
    Ok(wanted)
}

fn dir(root: &dyn Root, path: &ImagePath, user: Option<&User>) -> Vec<Want> {
    let own_mode = MODES.iter().find(|(at, _)| *at == path.as_bytes()).map(|(_, mode)| *mode);
    let home = user.and_then(|user| Some((ImagePath::parse(&users::home(user))?, users::home_access(user))));
    match home.filter(|(home, _)| own_mode.is_none() && path.below(home).is_some()) {
        Some((home, access)) => below_home(root, path, home, access),
        None => way::dir(root, path, Access::of_root(own_mode.unwrap_or(0o755))),
    }
}

/// Those on the way belong to the user too: otherwise nothing can be made beside it.
fn below_home(root: &dyn Root, path: &ImagePath, home: ImagePath, access: Access) -> Vec<Want> {
    if *path == home {
        return way::dir(root, path, access);
    }
    let mut wants = Vec::new();
    let mut at = home;
    for name in path.components().skip(at.components().count()) {
        at = at.join(name);
        wants.extend(way::dir(root, &at, access));
    }
    wants
}

fn link(root: &dyn Root, at: &[u8], target: &[u8]) -> Result<Vec<Want>, Refusal> {
    let path = place("make the link", at)?;
    let refuse = |cause: &str| Refusal {
        verb: "make the link",
        subject: at.to_vec(),
        cause: cause.into(),
        hint: None,
    };
    if path == ImagePath::top() {
        return Err(refuse("it is the top of the image"));
    }
    // As the kernel: the text of a link is shorter than a page.
    if target.is_empty() || target.contains(&0) || target.len() >= 4096 {
        return Err(refuse("its target is no path"));
    }
    Ok(way::follow_parent(root, &path).then(|at| Want::Link { at, target: target.to_vec() }))
}

fn place(verb: &'static str, word: &[u8]) -> Result<ImagePath, Refusal> {
    ImagePath::parse(word).ok_or_else(|| {
        let cause = "a path in the image starts with `/` and has no `..`".into();
        Refusal { verb, subject: word.to_vec(), cause, hint: None }
    })
}
