//! What ldconfig makes of one file (`process_file`, `process_elf_file` in
//! `elf/readelflib.c`), and which names it looks at.

use super::{Setup, elf};
use crate::elf::{ET_DYN, Facts};
use crate::loader::cache::{ELF, LIBC6, ldconfig_takes, library_mark};
use crate::loader::machine::{EM_386, EM_ARM, EM_MIPS, EM_MIPS_RS3_LE, EM_PPC, EM_PPC64, EM_S390, EM_X86_64};
use crate::loader::{Target, Version};

/// "libc5", which nobody loads.
pub(super) const LIBC5: u32 = 0x0002;

/// A library, by its contents.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) soname: Option<Vec<u8>>,
    pub(super) flags: u32,
    /// x86: the highest level that the file says it needs.
    pub(super) isa_level: u32,
}

impl Known {
    /// `None` for what ldconfig warns about or passes over.
    pub(super) fn of(facts: &Facts, setup: &Setup<'_>) -> Option<Known> {
        let header = &facts.header;
        let own =
            Target { class: facts.class, order: facts.order, machine: header.machine, flags: header.flags };
        let usable = header.e_type == ET_DYN && facts.has_dynamic && facts.dynamic.strtab.is_some();
        let taken = ldconfig_takes(&setup.target, &own).filter(|_| usable)?;
        let mark = library_mark(&taken, setup.version);
        // A silent library for ARM may be of either float ABI.
        let unmarked = mark == 0 && taken.machine != EM_ARM && setup.version <= Version(2, 36);
        Some(Known {
            soname: facts.soname().map(<[u8]>::to_vec),
            flags: if unmarked { by_what_it_needs(facts, &setup.target) } else { mark | LIBC6 },
            isa_level: facts.isa_needed.and_then(u32::checked_ilog2).unwrap_or(0),
        })
    }
}

/// The interpreters that tell the type of an unmarked library, as the ldconfig
/// of this machine knows them (`SYSDEP_KNOWN_INTERPRETER_NAMES`).
fn interpreters(target: &Target) -> &'static [(&'static str, u32)] {
    match target.machine {
        EM_386 => &[("/lib/ld-linux.so.2", LIBC6), ("/lib/ld-linux.so.1", LIBC5)],
        EM_X86_64 => &[
            ("/lib/ld-linux.so.2", LIBC6),
            ("/lib/ld-linux-x86-64.so.2", LIBC6),
            ("/lib64/ld-linux-x86-64.so.2", LIBC6),
            ("/libx32/ld-linux-x32.so.2", LIBC6),
        ],
        EM_PPC | EM_PPC64 => &[
            ("/lib/ld.so.1", LIBC6),
            ("/lib/ld64.so.2", LIBC6),
            ("/lib64/ld64.so.1", LIBC6),
            ("/lib64/ld64.so.2", LIBC6),
        ],
        EM_S390 => &[("/lib/ld.so.1", LIBC6), ("/lib/ld64.so.1", LIBC6)],
        EM_MIPS | EM_MIPS_RS3_LE => &[("/lib/ld.so.1", LIBC6)],
        _ => &[],
    }
}

/// Up to 2.36, where the header tells no more: the interpreter decides, else
/// the libc.
fn by_what_it_needs(facts: &Facts, target: &Target) -> u32 {
    let interp = facts.interp().unwrap_or_default();
    if let Some((_, flags)) = interpreters(target).iter().find(|(known, _)| interp == known.as_bytes()) {
        return *flags;
    }
    let libc = |name: &[u8]| match name {
        b"libc.so.6" | b"libm.so.6" | b"libc.so.6.1" | b"libm.so.6.1" => Some(LIBC6),
        b"libc.so.5" | b"libm.so.5" if target.machine == EM_386 => Some(LIBC5),
        _ => None,
    };
    facts.needed().find_map(libc).unwrap_or(ELF)
}

/// Whether a name looks like a shared object (`elf/dl-is_dso.h`).
pub(super) fn is_library_name(name: &[u8], version: Version) -> bool {
    let has_so = name.windows(3).any(|w| w == b".so");
    let is_library = (name.starts_with(b"lib") || name.starts_with(b"ld-")) && has_so;
    let is_loader = name.starts_with(b"ld.so.") || name.starts_with(b"ld64.so.");
    is_library || is_loader && version >= Version(2, 34)
}

/// Files under way, of prelink and of dpkg.
pub(super) fn is_temporary(name: &[u8], version: Version) -> bool {
    let prelink = b".#prelink#";
    let with_suffix = name.len().checked_sub(prelink.len() + ".XXXXXX".len());
    let is_prelink =
        name.ends_with(prelink) || with_suffix.is_some_and(|at| name[at..].starts_with(b".#prelink#."));
    let is_dpkg = name.contains(&b';') || name.ends_with(b".dpkg-new") || name.ends_with(b".dpkg-tmp");
    is_prelink || is_dpkg && version >= Version(2, 39)
}

/// The facts of an open file. What is no ELF file, or cannot be read, has none.
pub(super) fn facts(file: &crate::root::OpenFile) -> Option<Facts> {
    elf::read(file).ok()?.ok()
}
