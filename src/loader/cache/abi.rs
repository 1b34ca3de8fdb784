//! What differs between loaders: byte order, C's `char`, the flags word.
//! From glibc's `sysdeps/*/dl-cache.h` and `sysdeps/generic/ldconfig.h`.

use crate::elf::{Class, Header, Order};
use crate::loader::Version;

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
pub(super) const ELF: u32 = 0x0001;
/// "libc6" without a further mark.
pub(super) const LIBC6: u32 = 0x0003;

const EM_SPARC: u16 = 2;
const EM_386: u16 = 3;
const EM_68K: u16 = 4;
const EM_MIPS: u16 = 8;
const EM_MIPS_RS3_LE: u16 = 10;
const EM_PPC: u16 = 20;
const EM_PPC64: u16 = 21;
const EM_S390: u16 = 22;
const EM_ARM: u16 = 40;
const EM_SPARCV9: u16 = 43;
const EM_IA_64: u16 = 50;
const EM_X86_64: u16 = 62;
const EM_AARCH64: u16 = 183;
const EM_RISCV: u16 = 243;
const EM_LOONGARCH: u16 = 258;

const ARM_SOFT: u32 = 0x200;
const ARM_HARD: u32 = 0x400;
const MIPS_N32: u32 = 0x20;
const MIPS_NAN2008: u32 = 0x400;
const RISCV_FLOAT: u32 = 0x6;
const RISCV_DOUBLE: u32 = 0x4;
const LOONGARCH_FLOAT: u32 = 0x7;
const LOONGARCH_SOFT: u32 = 0x1;

impl LoaderAbi {
    /// From the header of the loader itself (or of a program for it), where
    /// class and byte order have a meaning.
    pub fn of(header: &Header, version: Version) -> Option<LoaderAbi> {
        let machine = header.machine;
        Some(LoaderAbi {
            order: header.order()?,
            // `uint64_t` is aligned by its size but on these.
            cache_align: match machine {
                EM_386 => 4,
                EM_68K => 2,
                _ => 8,
            },
            chars: chars_of(machine),
            flags: Flags::of(header.class()?, machine, header.flags, version),
            checks_isa_level: matches!(machine, EM_386 | EM_X86_64),
        })
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
    /// The flags of a loader by its own header.
    pub fn of(class: Class, machine: u16, e_flags: u32, version: Version) -> Flags {
        let own = Flags::own(class, machine, e_flags, version);
        let also = match own {
            LIBC6 => Some(ELF),
            _ if machine == EM_ARM => Some(LIBC6),
            _ => None,
        };
        Flags { own, also }
    }

    pub fn accepts(&self, flags: u32) -> bool {
        flags == self.own || self.also == Some(flags)
    }

    fn own(class: Class, machine: u16, e_flags: u32, version: Version) -> u32 {
        let wide = class == Class::Elf64;
        let mark = match machine {
            EM_X86_64 if wide => 0x0300,
            EM_X86_64 => 0x0800,
            EM_AARCH64 => 0x0a00,
            EM_ARM if e_flags & ARM_HARD != 0 => 0x0900,
            EM_ARM => 0x0b00,
            EM_PPC64 => 0x0500,
            EM_S390 if wide => 0x0400,
            EM_MIPS | EM_MIPS_RS3_LE => mips_mark(class, e_flags),
            EM_RISCV if e_flags & RISCV_FLOAT == RISCV_DOUBLE => 0x1000,
            EM_RISCV => 0x0f00,
            EM_LOONGARCH if version < Version(2, 38) => 0,
            EM_LOONGARCH if e_flags & LOONGARCH_FLOAT == LOONGARCH_SOFT => 0x1100,
            EM_LOONGARCH => 0x1200,
            EM_SPARCV9 => 0x0100,
            EM_IA_64 => 0x0200,
            // i386, 32-bit powerpc, s390 and sparc, alpha, hppa, m68k, sh and others.
            _ => 0,
        };
        mark | LIBC6
    }

    /// What ldconfig writes for a library with this header. It differs from
    /// its loader's own flags only where the library does not say its ABI.
    pub fn of_library(class: Class, machine: u16, e_flags: u32, version: Version) -> u32 {
        let is_silent = machine == EM_ARM && e_flags & (ARM_HARD | ARM_SOFT) == 0;
        if is_silent { LIBC6 } else { Flags::own(class, machine, e_flags, version) }
    }
}

fn mips_mark(class: Class, e_flags: u32) -> u32 {
    let nan2008 = e_flags & MIPS_NAN2008 != 0;
    match (class, e_flags & MIPS_N32 != 0) {
        (Class::Elf64, _) if nan2008 => 0x0e00,
        (Class::Elf64, _) => 0x0700,
        (Class::Elf32, true) if nan2008 => 0x0d00,
        (Class::Elf32, true) => 0x0600,
        (Class::Elf32, false) if nan2008 => 0x0c00,
        (Class::Elf32, false) => 0,
    }
}

/// The machines whose libraries a loader of `machine` may share a cache with:
/// what ldconfig of that architecture takes up.
pub fn ldconfig_knows(own: u16, class: Class, library: u16) -> bool {
    let pair = |a, b| (own == a || own == b) && (library == a || library == b);
    match (library, class) {
        (EM_386, Class::Elf64) => false,
        _ => {
            own == library
                || pair(EM_386, EM_X86_64)
                || pair(EM_ARM, EM_AARCH64)
                || pair(EM_PPC, EM_PPC64)
                || pair(EM_SPARC, EM_SPARCV9)
                || pair(EM_MIPS, EM_MIPS_RS3_LE)
        }
    }
}
