//! glibc's search for one name, after `_dl_map_object`, `open_path` and
//! `open_verify` (elf/dl-load.c). Source read at 2.17 to 2.43, rules asked of
//! 2.31, 2.36, 2.41 and 2.43.

use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;

use super::{
    About, Candidate, Dir, Obstacle, PathTag, Request, Rule, Sight, Step, Target, Verdict, Version, WAITS,
    World, machine, obstacle_of_errno,
};
use crate::elf::{CUT_IN_HEADERS, Class, ET_DYN, ET_EXEC, Facts, Flaw, Header, Odd, Order, Unfit};

/// The whole search for a name. RPATH goes before `LD_LIBRARY_PATH`, RUNPATH
/// behind it, and a requester with a RUNPATH has no RPATH, neither its own nor
/// anybody's above it.
pub(super) fn search(request: &Request<'_>, world: &mut impl World) -> Verdict {
    let mut search = Search { name: request.name, world, other_class: false };
    match search.stages(request) {
        Break(verdict) => verdict,
        Continue(()) => Verdict::Missing { other_class: search.other_class },
    }
}

struct Search<'a, W> {
    name: &'a [u8],
    world: &'a mut W,
    other_class: bool,
}

impl<W: World> Search<'_, W> {
    fn stages(&mut self, request: &Request<'_>) -> ControlFlow<Verdict> {
        if request.name.contains(&b'/') {
            return self.as_given();
        }
        let runpath = request.chain.first().filter(|own| own.tag == PathTag::Runpath && own.above == 0);
        if runpath.is_none() {
            for link in request.chain {
                let above = link.above;
                let rule = match link.tag {
                    PathTag::Rpath => Rule::Rpath { above },
                    PathTag::Runpath => Rule::Runpath { above },
                };
                self.list(&link.dirs, rule)?;
            }
        }
        self.list(request.library_path, Rule::LibraryPath)?;
        self.list(runpath.map_or(&[], |own| &own.dirs), Rule::Runpath { above: 0 })?;
        self.cache(request.nodeflib)?;
        if request.nodeflib {
            return Continue(());
        }
        let (rule, dirs) = self.world.system_dirs();
        self.list(&dirs, rule)
    }

    /// No search, no subdirectories; whatever stands in the way, it is missing.
    fn as_given(&mut self) -> ControlFlow<Verdict> {
        self.try_one(Candidate { dir: b"", name: self.name, rule: Rule::AsGiven }).map_continue(|_| ())
    }

    /// One list of directories. `open_path` looks at errno only behind the plain
    /// name, which comes last in each directory: what stands in a subdirectory
    /// never ends the list, unless it kills the process.
    fn list(&mut self, dirs: &[Dir], rule: Rule) -> ControlFlow<Verdict> {
        if dirs.is_empty() {
            return Continue(());
        }
        let subdirs = self.world.subdirs();
        for dir in dirs {
            self.subdirs(dir, &subdirs, rule)?;
            if self.try_one(Candidate { dir, name: self.name, rule })? == Step::LeaveRule {
                break;
            }
        }
        Continue(())
    }

    fn subdirs(&mut self, dir: &[u8], subdirs: &[Vec<u8>], rule: Rule) -> ControlFlow<Verdict> {
        let mut whole = dir.to_vec();
        for subdir in subdirs {
            whole.truncate(dir.len());
            whole.extend_from_slice(subdir);
            self.try_one(Candidate { dir: &whole, name: self.name, rule })?;
        }
        Continue(())
    }

    /// At most one file. It is discarded for a NODEFLIB requester if a system
    /// directory is a prefix of it, as a string.
    fn cache(&mut self, nodeflib: bool) -> ControlFlow<Verdict> {
        let Some(path) = self.world.cached(self.name) else { return Continue(()) };
        if nodeflib {
            let (_, dirs) = self.world.system_dirs();
            if dirs.iter().any(|dir| path.starts_with(dir)) {
                let candidate = Candidate { dir: b"", name: &path, rule: Rule::Cache };
                self.world.pass_over(candidate, Obstacle::Discarded);
                return Continue(());
            }
        }
        self.try_one(Candidate { dir: b"", name: &path, rule: Rule::Cache }).map_continue(|_| ())
    }

    fn try_one(&mut self, candidate: Candidate<'_>) -> ControlFlow<Verdict, Step> {
        let Some(obstacle) = self.world.probe(candidate) else {
            return Break(Verdict::Found(candidate.rule));
        };
        self.other_class |= obstacle == Obstacle::OtherClass;
        match step(obstacle, &mut || self.world.about().version) {
            Step::Die(words) => Break(Verdict::Dies(words)),
            Step::GiveUp => Break(Verdict::Missing { other_class: self.other_class }),
            step @ (Step::TryNext | Step::LeaveRule) => Continue(step),
        }
    }
}

/// What glibc does about an obstacle.
pub fn step(obstacle: Obstacle, version: &mut dyn FnMut() -> Version) -> Step {
    match obstacle {
        Obstacle::Absent
        | Obstacle::NoDirectory(_)
        | Obstacle::Unreadable
        | Obstacle::OtherClass
        | Obstacle::OtherMachine
        | Obstacle::OtherAbi
        | Obstacle::Forbidden
        | Obstacle::Discarded => Step::TryNext,
        Obstacle::NotDirectory if version() >= Version(2, 39) => Step::TryNext,
        Obstacle::NotDirectory | Obstacle::NameTooLong | Obstacle::LinkLoop | Obstacle::Errno(_) => {
            Step::LeaveRule
        }
        // ld.so has words for a handful of errors only; this is EISDIR.
        Obstacle::Directory => Step::Die("cannot read file data: Error 21"),
        Obstacle::Special("socket") => Step::LeaveRule,
        Obstacle::Special("FIFO") => Step::Die(WAITS),
        Obstacle::Special(_) | Obstacle::TooShort => Step::Die("file too short"),
        Obstacle::NotElf => Step::Die("invalid ELF header"),
        Obstacle::OtherOrder(Order::Little) => Step::Die("ELF file data encoding not little-endian"),
        Obstacle::OtherOrder(Order::Big) => Step::Die("ELF file data encoding not big-endian"),
        Obstacle::BadHeader(words) => Step::Die(words),
        Obstacle::NotLoadable => Step::Die("only ET_DYN and ET_EXEC can be loaded"),
    }
}

/// What `open_verify` makes of what stands at a path.
pub(super) fn judge(
    sight: Sight<'_>,
    target: &Target,
    about: &mut dyn FnMut() -> Arc<About>,
) -> Option<Obstacle> {
    match sight {
        Sight::Error { errno, dir_exists } => Some(obstacle_of_errno(errno, dir_exists)),
        Sight::Directory => Some(Obstacle::Directory),
        Sight::Special(what) => Some(Obstacle::Special(what)),
        Sight::File(Ok(facts)) => verify(&facts.header, target, about).or_else(|| abi_tag(facts, about)),
        Sight::File(Err(unfit)) => Some(judge_unfit(unfit, target, about)),
    }
}

fn judge_unfit(unfit: &Unfit, target: &Target, about: &mut dyn FnMut() -> Arc<About>) -> Obstacle {
    match unfit {
        Unfit::TooShort { .. } => Obstacle::TooShort,
        Unfit::NotElf { .. } => Obstacle::NotElf,
        Unfit::BadIdent(header) => {
            verify(header, target, about).unwrap_or(Obstacle::BadHeader("invalid ELF header"))
        }
        Unfit::Damaged { header, what } => {
            // Cut off in its program headers: a read that falls short.
            let words = if *what == CUT_IN_HEADERS { "cannot read file data" } else { what };
            verify(header, target, about).unwrap_or(Obstacle::BadHeader(words))
        }
    }
}

/// The header's fields in the order in which glibc looks at them.
fn verify(header: &Header, target: &Target, about: &mut dyn FnMut() -> Arc<About>) -> Option<Obstacle> {
    let (osabi, abiversion) = (header.ident[7], header.ident[8]);
    let same_class = header.class() == Some(target.class);
    let same_order = header.order() == Some(target.order);
    let same_machine = machine::matches(target, header);
    if !same_class {
        return Some(Obstacle::OtherClass);
    }
    // Debian and Ubuntu compare the machine before the byte order.
    if !same_order && !same_machine && about().debian {
        return Some(Obstacle::OtherMachine);
    }
    if !same_order {
        return Some(Obstacle::OtherOrder(target.order));
    }
    if !same_machine && about().debian {
        return Some(Obstacle::OtherMachine);
    }
    if header.ident[6] != 1 {
        return Some(Obstacle::BadHeader("ELF file version ident does not match current one"));
    }
    if !osabi_fits(osabi, target) {
        return Some(Obstacle::BadHeader("ELF file OS ABI invalid"));
    }
    if !abiversion_fits(osabi, abiversion, target) {
        return Some(Obstacle::BadHeader("ELF file ABI version invalid"));
    }
    if header.ident[9..].iter().any(|&b| b != 0) {
        return Some(Obstacle::BadHeader("nonzero padding in e_ident"));
    }
    if header.version != 1 {
        return Some(Obstacle::BadHeader("ELF file version does not match current one"));
    }
    if !same_machine {
        return Some(Obstacle::OtherMachine);
    }
    if header.e_type != ET_DYN && header.e_type != ET_EXEC {
        return Some(Obstacle::NotLoadable);
    }
    if header.phentsize != if target.class == Class::Elf64 { 56 } else { 32 } {
        return Some(Obstacle::BadHeader("ELF file's phentsize not the expected size"));
    }
    None
}

fn osabi_fits(osabi: u8, target: &Target) -> bool {
    matches!(osabi, 0 | 3) || target.machine == machine::EM_ARM && osabi == 64
}

/// `LIBC_ABI_MAX` is 4 on x86; MIPS counts its own versions below 6.
fn abiversion_fits(osabi: u8, abiversion: u8, target: &Target) -> bool {
    let is_mips = matches!(target.machine, machine::EM_MIPS | machine::EM_MIPS_RS3_LE);
    abiversion == 0 || osabi == 3 && abiversion < 4 || is_mips && abiversion < 6
}

/// Enforced by 2.35 and older only; the kernel is taken to be new enough for
/// anything that was built before 2022, as long as it is Linux.
fn abi_tag(facts: &Facts, about: &mut dyn FnMut() -> Arc<About>) -> Option<Obstacle> {
    let tag = facts.abi_tag?;
    let foreign = tag.os != 0 || tag.kernel[0] > 6;
    (foreign && about().version <= Version(2, 35)).then_some(Obstacle::OtherAbi)
}

/// Looked at only when a file is about to be mapped, behind the test of its
/// inode: an object that is loaded already is never refused for these.
/// The words name the requested name rather than the path.
pub fn refusal(facts: &Facts, version: Version) -> Option<&'static str> {
    let flaw = flaw(facts);
    if facts.mapping.loader == Some(Flaw::Misaligned) {
        return flaw;
    }
    if facts.header.e_type == ET_EXEC {
        return Some("cannot dynamically load executable");
    }
    if !facts.has_load {
        return Some("object file has no loadable segments");
    }
    if flaw.is_some() {
        return flaw;
    }
    if !facts.has_dynamic {
        return Some("object file has no dynamic section");
    }
    if let Some(words) = inconsistency(facts, version) {
        return Some(words);
    }
    (facts.is_pie_flagged() && version >= Version(2, 30))
        .then_some("cannot dynamically load position-independent executable")
}

/// What is wrong with what it asks to be mapped.
pub fn flaw(facts: &Facts) -> Option<&'static str> {
    match facts.mapping.loader? {
        Flaw::Misaligned => Some("ELF load command address/offset not page-aligned"),
        Flaw::TooLarge | Flaw::Outside | Flaw::Shrinks => Some("failed to map segment from shared object"),
        Flaw::ZerosOutside => Some("cannot map zero-fill pages"),
    }
}

/// What kills ld.so when it first looks into a dynamic section, also the program's.
pub fn inconsistency(facts: &Facts, version: Version) -> Option<&'static str> {
    if facts.mapping.is_dynamic_outside {
        return Some("its dynamic section is in no segment: Segmentation fault");
    }
    match facts.odd? {
        Odd::NoEntry => Some("its relocations have no size (DT_RELAENT): Segmentation fault"),
        Odd::Pltrel => Some("Assertion `info[DT_PLTREL]->d_un.d_val == DT_RELA' failed!"),
        Odd::Relaent => Some("Assertion `info[DT_RELAENT]->d_un.d_val == sizeof (ElfW(Rela))' failed!"),
        Odd::Relent => Some("Assertion `info[DT_RELENT]->d_un.d_val == sizeof (ElfW(Rel))' failed!"),
        Odd::Relrent if version < Version(2, 36) => None,
        Odd::Relrent => Some("Assertion `info[DT_RELRENT]->d_un.d_val == sizeof (ElfW(Relr))' failed!"),
    }
}
