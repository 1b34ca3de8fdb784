//! `--user`: who there is in the image: root, nobody, and who it runs as.
//!
//! Lines are made, not taken: those of the builder are of its own services.
//! Numbers and texts are those of the images that are called distroless.

use super::{Merge, Want, Wanted, finding, look, way};
use crate::finding::Severity;
use crate::job::User;
use crate::path::ImagePath;
use crate::root::{Access, Root};

const OPTION: &str = "--user";
const NOBODY: u32 = 65534;

/// A line of passwd.
struct Line {
    name: Vec<u8>,
    uid: u32,
    gid: u32,
    home: Vec<u8>,
}

pub fn wanted(root: &dyn Root, user: &User) -> Wanted {
    let mut wanted = Wanted::default();
    if user.name == b"root" && user.uid != 0 {
        let message = format!("root is user 0, not {}", user.uid);
        let hint = Some(b"`--user=root:0:0`, or another name".to_vec());
        wanted.findings.push(finding(Severity::Error, "user", OPTION, message, hint));
        return wanted;
    }
    let file = |bytes| |at| Want::Made { at, bytes, access: Access::of_root(0o644), merge: Merge::ByName };
    wanted.want(way::put(root, "/etc/passwd", file(passwd(user))));
    wanted.want(way::put(root, "/etc/group", file(group(user))));
    wanted.want(dir(root, b"/root", Access::of_root(0o700)));
    if user.uid != 0 && user.uid != NOBODY {
        wanted.want(dir(root, &home(user), home_access(user)));
    }
    wanted.findings.extend(remarks(root, user));
    wanted.paste(OPTION, format!("USER {}:{}", user.uid, user.gid));
    wanted
}

fn dir(root: &dyn Root, path: &[u8], access: Access) -> Vec<Want> {
    ImagePath::parse(path).map_or_else(Vec::new, |path| way::dir(root, &path, access))
}

/// Where a user is at home. Root and nobody have theirs by tradition.
pub(super) fn home(user: &User) -> Vec<u8> {
    match user.uid {
        0 => b"/root".to_vec(),
        NOBODY => b"/nonexistent".to_vec(),
        _ => [b"/home/", &user.name[..]].concat(),
    }
}

/// Open to be entered: an image is also run as a user that nobody foresaw, and
/// such a one belongs to group 0, which may then write as the owner may.
pub(super) fn home_access(user: &User) -> Access {
    let mode = if user.gid == 0 { 0o775 } else { 0o755 };
    Access { mode, uid: user.uid, gid: user.gid }
}

/// Root first: of two names for one number, programs see the first. A name or
/// number that the user takes is not given to nobody as well.
fn passwd(user: &User) -> Vec<u8> {
    let own = Line { name: user.name.clone(), uid: user.uid, gid: user.gid, home: home(user) };
    let root = Line { name: b"root".into(), uid: 0, gid: 0, home: b"/root".into() };
    let nobody = Line { name: b"nobody".into(), uid: NOBODY, gid: NOBODY, home: b"/nonexistent".into() };
    let mut lines = vec![];
    if own.name != b"root" {
        lines.push(root);
    }
    if own.name != b"nobody" && own.uid != NOBODY {
        lines.push(nobody);
    }
    lines.push(own);
    lines.iter().flat_map(Line::bytes).collect()
}

fn group(user: &User) -> Vec<u8> {
    let mut groups: Vec<(&[u8], u32)> = vec![(b"root", 0)];
    let is_root = user.gid == 0 || user.name == b"root";
    if is_root || (user.name != b"nobody" && user.gid != NOBODY) {
        groups.push((b"nobody", NOBODY));
    }
    if !is_root {
        groups.push((&user.name, user.gid));
    }
    groups.iter().flat_map(|(name, gid)| [name, format!(":x:{gid}:\n").as_bytes()].concat()).collect()
}

impl Line {
    fn bytes(&self) -> Vec<u8> {
        let ids = format!(":x:{}:{}:", self.uid, self.gid);
        [&self.name[..], ids.as_bytes(), &self.name, b":", &self.home, b":/sbin/nologin\n"].concat()
    }
}

/// What may not be what was meant.
fn remarks(root: &dyn Root, user: &User) -> Vec<crate::finding::Finding> {
    let mut found = Vec::new();
    if user.uid == 0 && user.name != b"root" {
        let message = [b"`", &user.name[..], b"` is user 0: programs see it as root"].concat();
        found.push(finding(Severity::Warning, "user", OPTION, message, None));
    }
    let text = look::text(root, "/etc/passwd");
    if let Some((uid, gid)) = ids_in(&text, &user.name).filter(|ids| *ids != (user.uid, user.gid)) {
        let name = user.name.escape_ascii();
        let message = format!("the root has {name} as {uid}:{gid}, the image as {}:{}", user.uid, user.gid);
        let hint = format!("`--user={name}:{uid}:{gid}`, if they are to be the same");
        found.push(finding(Severity::Note, "user", OPTION, message, Some(hint.into_bytes())));
    }
    found
}

fn ids_in(passwd: &[u8], name: &[u8]) -> Option<(u32, u32)> {
    let number = |field: &[u8]| std::str::from_utf8(field).ok()?.parse().ok();
    passwd.split(|&b| b == b'\n').find_map(|line| {
        let fields: Vec<&[u8]> = line.split(|&b| b == b':').collect();
        let [has, _, uid, gid, ..] = fields[..] else { return None };
        if has == name { Some((number(uid)?, number(gid)?)) } else { None }
    })
}
