//! What differs between loaders: byte order, C's `char`, the flags word.
//! From glibc's `sysdeps/*/dl-cache.h` and `sysdeps/generic/ldconfig.h`.

use crate::elf::{Class, Order};
use crate::loader::machine::{
    ARM_HARD, ARM_SOFT, EM_68K, EM_386, EM_AARCH64, EM_ARM, EM_IA_64, EM_LOONGARCH, EM_MIPS, EM_MIPS_RS3_LE,
    EM_PPC, EM_PPC64, EM_RISCV, EM_S390, EM_SPARC, EM_SPARCV9, EM_X86_64, MIPS_ABI2, MIPS_NAN2008,
    RISCV_FLOAT,
};
use crate::loader::{Target, Version};

/// How one architecture's loader reads a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoaderAbi {
    pub order: Order,
    /// Where the new header of a compat file is aligned to.
    pub cache_align: usize,
    pub chars: Chars,
    pub flags: Flags,
    /// x86: a `glibc-hwcaps` entry is for processors of an ISA level.
    pub checks_isa_level: bool,
}

/// C's plain `char`, by which names are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chars {
    Signed,
    Unsigned,
}

/// The flags words of entries that a loader takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags {
    /// What ldconfig writes for a library of this ABI.
    pub own: u32,
    /// Taken as well, if nothing better comes.
    pub also: Option<u32>,
}

/// "ELF", what old versions of ldconfig wrote for a library that needs no libc.
pub const ELF: u32 = 0x0001;
/// "libc6" without a further mark.
pub const LIBC6: u32 = 0x0003;

const RISCV_DOUBLE: u32 = 0x4;
const LOONGARCH_FLOAT: u32 = 0x7;
const LOONGARCH_SOFT: u32 = 0x1;

impl LoaderAbi {
    /// Of the loader for `target`.
    pub fn of(target: &Target, version: Version) -> LoaderAbi {
        LoaderAbi {
            order: target.order,
            // `uint64_t` is aligned by its size but on these.
            cache_align: match target.machine {
                EM_386 => 4,
                EM_68K => 2,
                _ => 8,
            },
            chars: chars_of(target.machine),
            flags: Flags::of(target, version),
            checks_isa_level: matches!(target.machine, EM_386 | EM_X86_64),
        }
    }
}

/// The C ABIs with an unsigned `char` are fewer.
fn chars_of(machine: u16) -> Chars {
    match machine {
        EM_ARM | EM_AARCH64 | EM_PPC | EM_PPC64 | EM_S390 | EM_RISCV => Chars::Unsigned,
        _ => Chars::Signed,
    }
}

impl Flags {
    pub fn of(target: &Target, version: Version) -> Flags {
        let own = mark(target, version) | LIBC6;
        let also = match own {
            LIBC6 => Some(ELF),
            _ if target.machine == EM_ARM => Some(LIBC6),
            _ => None,
        };
        Flags { own, also }
    }

    pub fn accepts(&self, flags: u32) -> bool {
        flags == self.own || self.also == Some(flags)
    }
}

/// What ldconfig marks a library with this header with, beside [`LIBC6`]. It
/// differs from its loader's own mark only where the library is silent.
pub fn library_mark(library: &Target, version: Version) -> u32 {
    let silent = library.machine == EM_ARM && library.flags & (ARM_HARD | ARM_SOFT) == 0;
    if silent { 0 } else { mark(library, version) }
}

/// What tells apart the ABIs that may share a cache.
fn mark(target: &Target, version: Version) -> u32 {
    let (wide, e_flags) = (target.class == Class::Elf64, target.flags);
    match target.machine {
        EM_X86_64 if wide => 0x0300,
        EM_X86_64 => 0x0800,
        EM_AARCH64 => 0x0a00,
        EM_ARM if e_flags & ARM_HARD != 0 => 0x0900,
        EM_ARM => 0x0b00,
        EM_PPC64 => 0x0500,
        EM_S390 if wide => 0x0400,
        EM_MIPS | EM_MIPS_RS3_LE => mips_mark(target.class, e_flags),
        EM_RISCV if e_flags & RISCV_FLOAT == RISCV_DOUBLE => 0x1000,
        EM_RISCV => 0x0f00,
        EM_LOONGARCH if version < Version(2, 38) => 0,
        EM_LOONGARCH if e_flags & LOONGARCH_FLOAT == LOONGARCH_SOFT => 0x1100,
        EM_LOONGARCH => 0x1200,
        EM_SPARCV9 => 0x0100,
        EM_IA_64 => 0x0200,
        // i386, 32-bit powerpc, s390 and sparc, alpha, hppa, m68k, sh and others.
        _ => 0,
    }
}

fn mips_mark(class: Class, e_flags: u32) -> u32 {
    let nan2008 = e_flags & MIPS_NAN2008 != 0;
    match (class, e_flags & MIPS_ABI2 != 0) {
        (Class::Elf64, _) if nan2008 => 0x0e00,
        (Class::Elf64, _) => 0x0700,
        (Class::Elf32, true) if nan2008 => 0x0d00,
        (Class::Elf32, true) => 0x0600,
        (Class::Elf32, false) if nan2008 => 0x0c00,
        (Class::Elf32, false) => 0,
    }
}

/// What the ldconfig of `own`'s machine takes a library for. Most of them look
/// at the class and never at the machine (`process_elf_file`); the loader then
/// passes over what is not its own.
pub fn ldconfig_takes(own: &Target, library: &Target) -> Option<Target> {
    let wide = library.class == Class::Elf64;
    let machine = match own.machine {
        EM_386 | EM_X86_64 => Some(library.machine).filter(|&m| m == EM_X86_64 || m == EM_386 && !wide),
        EM_ARM | EM_AARCH64 if !wide => Some(EM_ARM),
        EM_ARM | EM_AARCH64 => Some(library.machine).filter(|&m| m == EM_AARCH64),
        EM_PPC | EM_PPC64 => Some(if wide { EM_PPC64 } else { EM_PPC }),
        EM_S390 => Some(EM_S390),
        EM_SPARC | EM_SPARCV9 => Some(library.machine).filter(|m| [EM_SPARC, EM_SPARCV9].contains(m)),
        EM_MIPS | EM_MIPS_RS3_LE => Some(EM_MIPS),
        _ => Some(library.machine).filter(|&m| m == own.machine),
    };
    machine.filter(|_| own.order == library.order).map(|machine| Target { machine, ..*library })
}
