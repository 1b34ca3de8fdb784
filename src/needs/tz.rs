//! `--tz`: time zones, all or those named, and UTC.
//!
//! Without its file a zone is silently UTC in C, and an error in Go and Python.
//! All languages look in one directory. Of it, all is taken but three names:
//! `posix` is everything once more, `right` counts leap seconds as no program
//! expects, `localtime` leads to the builder's own zone. The tables are small
//! and are read: `tzdata.zi` and `leapseconds` by C++, `zone.tab` by PHP.

use super::distro::{self, Family};
use super::{Asked, NO_DATA, Want, Wanted, finding, look};
use crate::bytes::ReadAt;
use crate::finding::Finding;
use crate::job::Zones;
use crate::path::{ImagePath, basename};
use crate::root::{DirId, ItemKind, Root, resolve, resolve_dir};

mod nearest;

const OPTION: &str = "--tz";
const TOP: &str = "/usr/share/zoneinfo";
const LEFT_OUT: [&[u8]; 3] = [b"posix", b"right", b"localtime"];

/// Every compiled zone starts with it (RFC 8536).
const MAGIC: &[u8] = b"TZif";

pub fn wanted(root: &dyn Root, zones: &Zones, asked: Asked) -> Wanted {
    let mut wanted = Wanted::default();
    let top = match resolve_dir(root, DirId::TOP, TOP.as_bytes()) {
        Ok((top, _)) => top,
        Err(error) => {
            wanted.findings.push(no_zones(root, &error, asked));
            return wanted;
        }
    };
    match zones {
        Zones::All => all(root, top, asked, &mut wanted),
        Zones::Named(names) => named(root, top, names, asked, &mut wanted),
    }
    wanted
}

/// The zone of a name, if the root has it.
pub(super) fn zone(root: &dyn Root, name: &[u8]) -> Option<Want> {
    (is_plain(name) && is_zone(root, &at(name))).then(|| Want::Path(at(name)))
}

fn no_zones(root: &dyn Root, error: &std::io::Error, asked: Asked) -> Finding {
    if !look::is_absent(error) {
        let message = format!("cannot open `{TOP}`: {}", look::words(error));
        return finding(asked.severity(), NO_DATA, OPTION, message, None);
    }
    let hint = distro::install(root, "tzdata", &[(Family::Suse, "timezone")]).into_bytes();
    finding(asked.severity(), NO_DATA, OPTION, "the root has no time zones", Some(hint))
}

fn all(root: &dyn Root, top: DirId, asked: Asked, wanted: &mut Wanted) {
    let names = match look::names(root, top, takes) {
        Ok(names) => names,
        Err(error) => return wanted.findings.push(no_zones(root, &error, asked)),
    };
    let is_zone = |name: &look::Name| name.kind == ItemKind::File && is_zone(root, &at(&name.path));
    if !names.iter().any(is_zone) {
        return wanted.findings.push(no_zones(root, &std::io::ErrorKind::NotFound.into(), asked));
    }
    let paths = names.iter().filter(|name| is_wanted(root, top, name)).map(|name| Want::Path(at(&name.path)));
    wanted.wants.extend(paths);
}

fn takes(name: &[u8]) -> bool {
    !LEFT_OUT.contains(&name)
}

/// What is at the top brings all that is below it. A link below is wanted by
/// itself if its target does not come that way. One that leads nowhere is not.
fn is_wanted(root: &dyn Root, top: DirId, name: &look::Name) -> bool {
    let at_top = !name.path.contains(&b'/');
    if name.kind != ItemKind::Link {
        return at_top;
    }
    let Ok(resolved) = resolve(root, DirId::TOP, &at(&name.path)) else { return false };
    let (target, top) = (ImagePath::from(resolved.real_path(root)), ImagePath::from(root.real_path(top)));
    let first = target.below(&top).and_then(|rest| rest.split(|&b| b == b'/').next());
    at_top || !first.is_some_and(takes)
}

fn named(root: &dyn Root, top: DirId, names: &[Vec<u8>], asked: Asked, wanted: &mut Wanted) {
    let before = wanted.findings.len();
    for name in names {
        if is_plain(name) && is_zone(root, &at(name)) {
            wanted.want([Want::Path(at(name))]);
        } else {
            wanted.findings.push(unknown(root, top, name, asked));
        }
    }
    // What programs fall back to, and many name.
    for utc in [&b"UTC"[..], b"Etc/UTC"] {
        if is_zone(root, &at(utc)) {
            wanted.want([Want::Path(at(utc))]);
        }
    }
    if let ([name], true) = (names, wanted.findings.len() == before) {
        wanted.paste(OPTION, [b"ENV TZ=", &name[..]].concat());
    }
}

fn unknown(root: &dyn Root, top: DirId, name: &[u8], asked: Asked) -> Finding {
    let severity = asked.severity();
    let shown = name.escape_ascii();
    let (message, hint) = if let Some(now) = renamed(root, name) {
        let mut hint = format!("it is an old name of `{}`", now.escape_ascii());
        if distro::family(root) == Some(Family::Debian) {
            hint += "; `apt-get install tzdata-legacy` in the build stage brings the old names";
        }
        (format!("the root has no time zone `{shown}`"), Some(hint))
    } else if is_plain(name) && look::is_dir(root, &at(name)) {
        let hint = format!("`--tz` without names takes all; `--tz={shown}/NAME` one of these");
        (format!("`{shown}` is a directory of time zones"), Some(hint))
    } else {
        let names = look::names(root, top, takes).unwrap_or_default();
        let mut names: Vec<Vec<u8>> = names.into_iter().map(|name| name.path).collect();
        names.retain(|name| is_zone(root, &at(name)));
        (format!("the root has no time zone `{shown}`"), nearest::hint(name, &names))
    };
    finding(severity, NO_DATA, OPTION, message, hint.map(String::into_bytes))
}

/// What replaces an old name. The rules that all zones are made of list it
/// even where the file is packed elsewhere.
fn renamed(root: &dyn Root, name: &[u8]) -> Option<Vec<u8>> {
    let rules = look::text(root, "/usr/share/zoneinfo/tzdata.zi");
    rules.split(|&b| b == b'\n').find_map(|line| {
        let mut words = line.split(|&b| b == b' ');
        let (kind, target, link) = (words.next()?, words.next()?, words.next()?);
        let is_it = kind == b"L" && link == name && is_plain(target);
        (is_it && is_zone(root, &at(target))).then(|| target.to_vec())
    })
}

/// It stays below the directory, and is one path in one spelling.
fn is_plain(name: &[u8]) -> bool {
    !name.contains(&0) && name.split(|&b| b == b'/').all(|part| !matches!(part, b"" | b"." | b".."))
}

fn is_zone(root: &dyn Root, path: &[u8]) -> bool {
    let mut magic = [0; MAGIC.len()];
    let read = look::open(root, path).and_then(|file| file.read_at(&mut magic, 0));
    read.is_ok_and(|n| n == MAGIC.len()) && magic == MAGIC
}

fn at(name: &[u8]) -> Vec<u8> {
    debug_assert!(!basename(name).is_empty(), "a name is a path below the directory");
    [TOP.as_bytes(), b"/", name].concat()
}
