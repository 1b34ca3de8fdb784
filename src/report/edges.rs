//! Words for rules, outcomes and obstacles: one word for one thing, the same in
//! every report.

use crate::closure::{Closure, How, Object, ObjectId, Outcome, Role, Want};
use crate::loader::{Obstacle, Rule};

/// Short and stable, for JSON.
pub(super) fn rule_id(rule: Rule) -> &'static str {
    match rule {
        Rule::AsGiven => "as-given",
        Rule::Rpath { .. } => "rpath",
        Rule::Runpath { .. } => "runpath",
        Rule::LibraryPath => "library-path",
        Rule::Cache => "cache",
        Rule::SystemDir => "system-directory",
        Rule::PathFile => "path-file",
        Rule::Conf => "conf",
    }
}

/// For people; says whose list it was.
pub(super) fn rule_words(closure: &Closure, requester: ObjectId, rule: Rule) -> String {
    match rule {
        Rule::AsGiven => "path as given".into(),
        Rule::Rpath { above: 0 } => "RPATH".into(),
        Rule::Rpath { above } => format!("RPATH of {}", owner(closure, requester, above)),
        Rule::Runpath { above: 0 } => "RUNPATH".into(),
        Rule::Runpath { above } => format!("RUNPATH of {}", owner(closure, requester, above)),
        Rule::LibraryPath => "library path".into(),
        Rule::Cache => "ld.so.cache".into(),
        Rule::SystemDir => "default directory".into(),
        Rule::PathFile => "ld-musl path file".into(),
        Rule::Conf => "ld.so.conf, not in the cache".into(),
    }
}

/// Who stands so many steps above: whoever wanted it, and at last the program, which
/// for an audit module is that of the process.
fn owner(closure: &Closure, requester: ObjectId, above: u32) -> String {
    let mut at = requester;
    for _ in 0..above {
        match (closure.object(at).wanted_by, &closure.apart_from) {
            (Some(by), _) => at = by,
            (None, Some(process)) => return super::escape::escaped(crate::path::basename(process)),
            (None, None) => at = ObjectId(0),
        }
    }
    display_name(closure.object(at))
}

/// The shortest name that a reader recognises.
pub(super) fn display_name(object: &Object) -> String {
    let name = match object.role {
        Role::Program => crate::path::basename(&object.path),
        Role::Interpreter | Role::Preload | Role::Library | Role::Filtee => {
            object.names.first().map_or(&object.path[..], |name| name)
        }
    };
    super::escape::escaped(name)
}

pub(super) fn want_id(want: Want) -> &'static str {
    match want {
        Want::Interp => "interpreter",
        Want::Needed => "needed",
        Want::Auxiliary => "auxiliary",
        Want::Filter => "filter",
        Want::PreloadEnv => "preload",
        Want::PreloadFile => "preload-file",
        Want::Audit => "audit",
    }
}

/// What asked, unless it is the usual thing.
pub(super) fn special_want(want: Want) -> Option<&'static str> {
    match want {
        Want::Interp | Want::Needed => None,
        Want::Auxiliary => Some("DT_AUXILIARY"),
        Want::Filter => Some("DT_FILTER"),
        Want::PreloadEnv => Some("LD_PRELOAD"),
        Want::PreloadFile => Some("ld.so.preload"),
        Want::Audit => Some("DT_AUDIT"),
    }
}

pub(super) fn role_id(role: Role) -> &'static str {
    match role {
        Role::Program => "program",
        Role::Interpreter => "interpreter",
        Role::Preload => "preload",
        Role::Library => "library",
        Role::Filtee => "filtee",
    }
}

pub(super) fn outcome_id(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Found { how: How::Opened(_), .. } => "opened",
        Outcome::Found { how: How::SameFile(_), .. } => "same-file",
        Outcome::Found { how: How::AlreadyLoaded, .. } => "already-loaded",
        Outcome::Found { how: How::Builtin, .. } => "loader",
        Outcome::Vdso => "vdso",
        Outcome::Missing(_) => "missing",
        Outcome::Dies(_) => "dies",
        Outcome::Apart => "own-namespace",
    }
}

/// What stood in the way of a candidate.
pub(super) fn obstacle_words(obstacle: Obstacle) -> String {
    let words = match obstacle {
        Obstacle::Absent => "absent",
        Obstacle::NoDirectory(_) => "no such directory",
        Obstacle::Unreadable => "not readable",
        Obstacle::NotDirectory => "a part of it is no directory",
        Obstacle::NameTooLong => "the name is too long",
        Obstacle::LinkLoop => "a loop of links",
        Obstacle::Errno(errno) => return std::io::Error::from_raw_os_error(errno).to_string(),
        Obstacle::Directory => "a directory",
        Obstacle::Special(what) => what,
        Obstacle::TooShort => "too short for an ELF file",
        Obstacle::NotElf => "no ELF file",
        Obstacle::OtherClass => "of the other ELF class",
        Obstacle::OtherMachine => "for another machine",
        Obstacle::OtherOrder(_) => "of the other byte order",
        Obstacle::BadHeader(words) => words,
        Obstacle::NotLoadable => "neither a library nor a program",
        Obstacle::OtherAbi => "for another system or a newer kernel",
        Obstacle::Discarded => "not taken: default directories are off",
        Obstacle::Forbidden => "not setuid, as a setuid program demands",
    };
    words.into()
}

/// `1 file`, `2 files`.
pub fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// Human sizes, as `ls -h` has them.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if value < 9.95 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_short() {
        let rows = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (9_949, "9.9 kB"),
            (10_400, "10 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (150_000_000, "150 MB"),
            (7_130_000_000, "7.1 GB"),
        ];
        for (bytes, expected) in rows {
            assert_eq!(super::size(bytes), expected);
        }
    }
}
