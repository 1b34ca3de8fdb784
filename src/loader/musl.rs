//! musl's search for one name, after `load_library` and `path_open`
//! (ldso/dynlink.c). Source read at 1.2.3 and 1.2.5, rules asked of 1.2.3.

use std::ops::ControlFlow::{self, Break, Continue};

use super::{
    Candidate, Dir, Obstacle, PathTag, Request, Rule, Sight, Step, Target, Verdict, WAITS, World,
    obstacle_of_errno,
};
use crate::elf::{ET_DYN, ET_EXEC, Facts, Unfit};

/// `path_open` composes paths in a buffer of this size, with the NUL.
const BUFFER: usize = 2 * 255 + 2;

/// The whole search: the environment first, then RPATH or RUNPATH of the
/// requester and everybody above it, then the system path. The first file that
/// opens is it, for better or worse.
pub(super) fn search(request: &Request<'_>, world: &mut impl World) -> Verdict {
    match stages(request, world) {
        Break(verdict) => verdict,
        Continue(()) => Verdict::Missing { other_class: false },
    }
}

fn stages(request: &Request<'_>, world: &mut impl World) -> ControlFlow<Verdict> {
    if request.name.contains(&b'/') {
        return try_one(world, Candidate { dir: b"", name: request.name, rule: Rule::AsGiven });
    }
    if request.name.len() > 255 {
        return Continue(());
    }
    list(world, request, request.library_path, Rule::LibraryPath)?;
    for link in request.chain {
        let rule = match link.tag {
            PathTag::Runpath => Rule::Runpath { above: link.above },
            PathTag::Rpath => Rule::Rpath { above: link.above },
        };
        list(world, request, &link.dirs, rule)?;
    }
    if let Some(fifo) = world.endless_path_file() {
        try_one(world, Candidate { dir: b"", name: &fifo, rule: Rule::PathFile })?;
    }
    let (rule, dirs) = world.system_dirs();
    list(world, request, &dirs, rule)
}

fn list(world: &mut impl World, request: &Request<'_>, dirs: &[Dir], rule: Rule) -> ControlFlow<Verdict> {
    for dir in dirs.iter().filter(|dir| dir.len() + request.name.len() < BUFFER) {
        try_one(world, Candidate { dir, name: request.name, rule })?;
    }
    Continue(())
}

fn try_one(world: &mut impl World, candidate: Candidate<'_>) -> ControlFlow<Verdict> {
    let Some(obstacle) = world.probe(candidate) else {
        return Break(Verdict::Found(candidate.rule));
    };
    match step(obstacle) {
        Step::TryNext | Step::LeaveRule => Continue(()),
        Step::GiveUp => Break(Verdict::Missing { other_class: false }),
        Step::Die(words) => Break(Verdict::Dies(words)),
    }
}

/// What musl does about an obstacle: any error but these four inhibits further
/// search, and so does a file that cannot be mapped.
pub fn step(obstacle: Obstacle) -> Step {
    match obstacle {
        Obstacle::Absent
        | Obstacle::NoDirectory(_)
        | Obstacle::Unreadable
        | Obstacle::NotDirectory
        | Obstacle::NameTooLong => Step::TryNext,
        Obstacle::Special("FIFO") => Step::Die(WAITS),
        Obstacle::LinkLoop
        | Obstacle::Errno(_)
        | Obstacle::Directory
        | Obstacle::Special(_)
        | Obstacle::TooShort
        | Obstacle::NotElf
        | Obstacle::OtherClass
        | Obstacle::OtherMachine
        | Obstacle::OtherOrder(_)
        | Obstacle::BadHeader(_)
        | Obstacle::NotLoadable
        | Obstacle::OtherAbi
        | Obstacle::Forbidden
        | Obstacle::Discarded => Step::GiveUp,
    }
}

/// What `map_library` makes of a file. It looks at `e_type` and the program
/// headers only: a file of another machine is mapped.
pub(super) fn judge(sight: Sight<'_>, target: &Target) -> Option<Obstacle> {
    match sight {
        // A path whose directory is missing gives the same errors.
        Sight::Error { errno, .. } => Some(obstacle_of_errno(errno, true)),
        Sight::Directory => Some(Obstacle::Directory),
        Sight::Special(what) => Some(Obstacle::Special(what)),
        Sight::File(Ok(facts)) => mappable(facts, target),
        Sight::File(Err(Unfit::TooShort { .. })) => Some(Obstacle::TooShort),
        Sight::File(Err(Unfit::NotElf { .. })) => Some(Obstacle::NotElf),
        Sight::File(Err(Unfit::BadIdent(_))) => Some(Obstacle::BadHeader("Exec format error")),
        Sight::File(Err(Unfit::Damaged { .. })) => Some(Obstacle::BadHeader("Exec format error")),
    }
}

fn mappable(facts: &Facts, target: &Target) -> Option<Obstacle> {
    if facts.class != target.class {
        return Some(Obstacle::OtherClass);
    }
    if facts.order != target.order {
        return Some(Obstacle::OtherOrder(target.order));
    }
    if facts.header.e_type != ET_DYN && facts.header.e_type != ET_EXEC {
        return Some(Obstacle::NotLoadable);
    }
    if !facts.has_dynamic {
        return Some(Obstacle::BadHeader("Exec format error"));
    }
    // Nothing to map: mmap of no bytes fails.
    (!facts.has_load).then_some(Obstacle::BadHeader("Out of memory"))
}

/// Names that musl answers with itself: a prefix up to and with the dot.
pub fn is_builtin(name: &[u8]) -> bool {
    const RESERVED: [&[u8]; 7] = [b"c.", b"pthread.", b"rt.", b"m.", b"dl.", b"util.", b"xnet."];
    name.strip_prefix(b"lib").is_some_and(|rest| RESERVED.iter().any(|r| rest.starts_with(r)))
}

/// Splits a path list: at `:` and newline only, empty elements are skipped.
pub fn split(list: &[u8]) -> Vec<Dir> {
    let elements = list.split(|&b| b == b':' || b == b'\n').filter(|e| !e.is_empty());
    elements.map(|e| Dir::from([e, b"/"].concat())).collect()
}

/// The default path, if there is no path file.
pub const DEFAULT_PATH: &[u8] = b"/lib:/usr/local/lib:/usr/lib";

/// Where the path file lies: beside the loader's directory, `/etc` instead of
/// `lib`. A loader that is not spelled absolutely has no prefix.
pub fn path_file(interp: &[u8], arch: &[u8]) -> Vec<u8> {
    let mut slashes = interp.iter().enumerate().rev().filter(|(_, b)| **b == b'/').map(|(i, _)| i);
    let prefix = match (interp.first(), slashes.next(), slashes.next()) {
        (Some(b'/'), Some(_), Some(second)) => &interp[..second],
        _ => b"",
    };
    [prefix, b"/etc/ld-musl-", arch, b".path"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserved_names_are_prefixes_with_their_dot() {
        for name in ["libc.so", "libc.musl-x86_64.so.1", "libm.so.6", "librt.foo", "libpthread.so.0"] {
            assert!(is_builtin(name.as_bytes()), "{name}");
        }
        for name in ["libcrypt.so.1", "libmath.so", "libresolv.so.2", "libc", "c.so", ""] {
            assert!(!is_builtin(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn the_path_file_lies_beside_the_loaders_directory() {
        let rows = [
            ("/lib/ld-musl-x86_64.so.1", "/etc/ld-musl-x86_64.path"),
            ("/opt/musl/lib/ld-musl-x86_64.so.1", "/opt/musl/etc/ld-musl-x86_64.path"),
            ("/ld.so", "/etc/ld-musl-x86_64.path"),
            ("lib/ld.so", "/etc/ld-musl-x86_64.path"),
        ];
        for (interp, expected) in rows {
            assert_eq!(path_file(interp.as_bytes(), b"x86_64"), expected.as_bytes(), "{interp}");
        }
    }

    #[test]
    fn a_list_is_split_at_colons_and_newlines() {
        let dirs: Vec<String> =
            split(b":/a:\n/b c;/d::e\n").iter().map(|d| String::from_utf8_lossy(d).into()).collect();
        assert_eq!(dirs, ["/a/", "/b c;/d/", "e/"]);
    }
}
