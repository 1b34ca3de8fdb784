//! Which files a loader takes for its own machine: `elf_machine_matches_host`
//! of each port (sysdeps/*/dl-machine.h, dl-machine-reject-phdr.h).

use super::Target;
use crate::elf::{Class, Header, Order};

pub const EM_386: u16 = 3;
pub const EM_MIPS: u16 = 8;
pub const EM_MIPS_RS3_LE: u16 = 10;
pub const EM_PPC: u16 = 20;
pub const EM_PPC64: u16 = 21;
pub const EM_S390: u16 = 22;
pub const EM_ARM: u16 = 40;
pub const EM_X86_64: u16 = 62;
pub const EM_AARCH64: u16 = 183;
pub const EM_RISCV: u16 = 243;
pub const EM_LOONGARCH: u16 = 258;
pub const EM_SPARC: u16 = 2;
pub const EM_68K: u16 = 4;
pub const EM_SPARCV9: u16 = 43;
pub const EM_IA_64: u16 = 50;
const EM_ALPHA: u16 = 0x9026;
const EM_S390_OLD: u16 = 0xa390;

const ARM_EABI5: u32 = 5;
pub const ARM_SOFT: u32 = 0x200;
pub const ARM_HARD: u32 = 0x400;
/// n32.
pub const MIPS_ABI2: u32 = 0x20;
pub const MIPS_NAN2008: u32 = 0x400;
const MIPS_FP64_OLD: u32 = 0x200;
pub const RISCV_FLOAT: u32 = 6;

/// Does a loader for `target` take a file with this header? Its class is
/// compared before, its byte order elsewhere.
pub fn matches(target: &Target, header: &Header) -> bool {
    let machine = as_read_by(target.order, header);
    match target.machine {
        EM_S390 | EM_S390_OLD => matches!(machine, EM_S390 | EM_S390_OLD),
        EM_MIPS | EM_MIPS_RS3_LE => {
            matches!(machine, EM_MIPS | EM_MIPS_RS3_LE) && mips_flags(target.flags, header.flags)
        }
        EM_ARM => machine == EM_ARM && arm_flags(target.flags, header.flags),
        EM_PPC64 => machine == EM_PPC64 && ppc64_flags(target, header.flags),
        EM_RISCV => machine == EM_RISCV && target.flags & RISCV_FLOAT == header.flags & RISCV_FLOAT,
        own => machine == own,
    }
}

/// `e_machine` as a loader of this byte order sees it, whatever the file's own.
fn as_read_by(order: Order, header: &Header) -> u16 {
    // A header whose order is unknown was read as little-endian.
    if header.order().unwrap_or(Order::Little) == order {
        header.machine
    } else {
        header.machine.swap_bytes()
    }
}

/// Float ABI: only EABI5 says one, and a file that says none goes with both.
fn arm_flags(loader: u32, file: u32) -> bool {
    let foreign = if loader & ARM_HARD != 0 { ARM_SOFT } else { ARM_HARD };
    file >> 24 != ARM_EABI5 || file & foreign == 0
}

/// ELFv1 or ELFv2; a file that does not say goes with both.
fn ppc64_flags(target: &Target, file: u32) -> bool {
    let own = if target.order == Order::Little { 2 } else { 1 };
    file & 3 == 0 || file & 3 == own
}

fn mips_flags(loader: u32, file: u32) -> bool {
    let same = MIPS_ABI2 | MIPS_NAN2008;
    loader & same == file & same && file & MIPS_FP64_OLD == 0
}

/// `$LIB` and the first system directory where the loader itself cannot be
/// read for them: Debian's multiarch name of a machine.
pub(super) fn debian_tuple(target: &Target) -> Option<&'static str> {
    let little = target.order == Order::Little;
    let wide = target.class == Class::Elf64;
    Some(match target.machine {
        EM_X86_64 if wide => "x86_64-linux-gnu",
        EM_X86_64 => "x86_64-linux-gnux32",
        EM_386 => "i386-linux-gnu",
        EM_AARCH64 if little => "aarch64-linux-gnu",
        EM_ARM if target.flags & ARM_HARD != 0 => "arm-linux-gnueabihf",
        EM_ARM => "arm-linux-gnueabi",
        EM_PPC64 if little => "powerpc64le-linux-gnu",
        EM_PPC64 => "powerpc64-linux-gnu",
        EM_PPC => "powerpc-linux-gnu",
        EM_S390 if wide => "s390x-linux-gnu",
        EM_MIPS if wide && little => "mips64el-linux-gnuabi64",
        EM_MIPS if little => "mipsel-linux-gnu",
        EM_RISCV if wide => "riscv64-linux-gnu",
        EM_LOONGARCH if wide => "loongarch64-linux-gnu",
        _ => return None,
    })
}

/// Where glibc's loader of a machine stands, by PT_INTERP of its programs.
pub fn glibc_loaders(target: &Target) -> &'static [&'static str] {
    let little = target.order == Order::Little;
    let wide = target.class == Class::Elf64;
    match target.machine {
        EM_X86_64 if wide => &["/lib64/ld-linux-x86-64.so.2"],
        EM_X86_64 => &["/libx32/ld-linux-x32.so.2"],
        EM_386 => &["/lib/ld-linux.so.2"],
        EM_AARCH64 if little => &["/lib/ld-linux-aarch64.so.1"],
        EM_AARCH64 => &["/lib/ld-linux-aarch64_be.so.1"],
        EM_ARM if target.flags & ARM_HARD != 0 => &["/lib/ld-linux-armhf.so.3"],
        EM_ARM if target.flags & ARM_SOFT != 0 => &["/lib/ld-linux.so.3"],
        EM_ARM => &["/lib/ld-linux-armhf.so.3", "/lib/ld-linux.so.3"],
        EM_PPC64 if little => &["/lib64/ld64.so.2"],
        EM_PPC64 => &["/lib64/ld64.so.1"],
        EM_PPC => &["/lib/ld.so.1"],
        EM_S390 if wide => &["/lib/ld64.so.1"],
        EM_S390 => &["/lib/ld.so.1"],
        EM_MIPS | EM_MIPS_RS3_LE => mips_loaders(target),
        EM_RISCV if wide && target.flags & RISCV_FLOAT == 0 => &["/lib/ld-linux-riscv64-lp64.so.1"],
        EM_RISCV if wide => &["/lib/ld-linux-riscv64-lp64d.so.1"],
        EM_RISCV => &["/lib/ld-linux-riscv32-ilp32d.so.1"],
        EM_LOONGARCH => &["/lib64/ld-linux-loongarch-lp64d.so.1"],
        EM_SPARCV9 => &["/lib64/ld-linux.so.2"],
        EM_ALPHA | EM_SPARC => &["/lib/ld-linux.so.2"],
        _ => &[],
    }
}

fn mips_loaders(target: &Target) -> &'static [&'static str] {
    let nan2008 = target.flags & MIPS_NAN2008 != 0;
    let n32 = target.flags & MIPS_ABI2 != 0;
    match (target.class, n32, nan2008) {
        (Class::Elf64, _, false) => &["/lib64/ld.so.1"],
        (Class::Elf64, _, true) => &["/lib64/ld-linux-mipsn8.so.1"],
        (Class::Elf32, true, false) => &["/lib32/ld.so.1"],
        (Class::Elf32, true, true) => &["/lib32/ld-linux-mipsn8.so.1"],
        (Class::Elf32, false, false) => &["/lib/ld.so.1"],
        (Class::Elf32, false, true) => &["/lib/ld-linux-mipsn8.so.1"],
    }
}

/// The SONAME of the kernel's own object.
pub fn vdso_name(target: &Target) -> &'static str {
    let wide = target.class == Class::Elf64;
    match target.machine {
        EM_386 => "linux-gate.so.1",
        EM_PPC | EM_PPC64 | EM_S390 if wide => "linux-vdso64.so.1",
        EM_PPC | EM_PPC64 | EM_S390 => "linux-vdso32.so.1",
        _ => "linux-vdso.so.1",
    }
}

/// musl's name of a machine, as in `/lib/ld-musl-ARCH.so.1`.
pub fn musl_arch(target: &Target) -> Option<&'static str> {
    let little = target.order == Order::Little;
    let wide = target.class == Class::Elf64;
    Some(match target.machine {
        EM_X86_64 if wide => "x86_64",
        EM_X86_64 => "x32",
        EM_386 => "i386",
        EM_AARCH64 if little => "aarch64",
        EM_AARCH64 => "aarch64_be",
        EM_ARM if target.flags & ARM_HARD != 0 => "armhf",
        EM_ARM => "arm",
        EM_PPC64 if little => "powerpc64le",
        EM_PPC64 => "powerpc64",
        EM_PPC => "powerpc",
        EM_S390 if wide => "s390x",
        EM_MIPS if wide && little => "mips64el",
        EM_MIPS if wide => "mips64",
        EM_MIPS if little => "mipsel",
        EM_MIPS => "mips",
        EM_RISCV if wide => "riscv64",
        EM_RISCV => "riscv32",
        EM_LOONGARCH => "loongarch64",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(order: u8, machine: u16, flags: u32) -> Header {
        let mut ident = *b"\x7fELF\x02\x00\x01\0\0\0\0\0\0\0\0\0";
        ident[5] = order;
        Header { ident, e_type: 3, machine, version: 1, flags, entry: 0, phentsize: 56, phnum: 1 }
    }

    #[test]
    fn a_loader_takes_the_files_of_its_machine_and_float_abi() {
        let hard = 0x0500_0400;
        let soft = 0x0500_0200;
        let rows = [
            ("x86-64 takes itself", EM_X86_64, 0, EM_X86_64, 0, true),
            ("x86-64 skips aarch64", EM_X86_64, 0, EM_AARCH64, 0, false),
            ("armhf skips a soft-float file", EM_ARM, hard, EM_ARM, soft, false),
            ("armel skips a hard-float file", EM_ARM, soft, EM_ARM, hard, false),
            ("arm takes a file that says no float ABI", EM_ARM, hard, EM_ARM, 0x0500_0000, true),
            ("arm takes an old EABI whatever its bits", EM_ARM, hard, EM_ARM, 0x0400_0200, true),
            ("ppc64el takes ELFv2", EM_PPC64, 2, EM_PPC64, 2, true),
            ("ppc64el skips ELFv1", EM_PPC64, 2, EM_PPC64, 1, false),
            ("ppc64el takes a file that says none", EM_PPC64, 2, EM_PPC64, 0, true),
            ("riscv lp64d skips soft float", EM_RISCV, 5, EM_RISCV, 1, false),
            ("riscv lp64d takes itself, compressed or not", EM_RISCV, 5, EM_RISCV, 4, true),
            ("s390 takes the old number", EM_S390, 0, EM_S390_OLD, 0, true),
            ("mips skips n32", EM_MIPS, 0, EM_MIPS, MIPS_ABI2, false),
            ("mips skips nan2008", EM_MIPS, 0, EM_MIPS, MIPS_NAN2008, false),
            ("mips takes the little-endian number", EM_MIPS, 0, EM_MIPS_RS3_LE, 0, true),
        ];
        for (row, machine, flags, of_file, file_flags, expected) in rows {
            let target = Target { class: Class::Elf64, order: Order::Little, machine, flags };
            assert_eq!(matches(&target, &header(1, of_file, file_flags)), expected, "{row}");
        }
    }

    #[test]
    fn the_machine_is_compared_as_the_loader_reads_it() {
        let target = Target { class: Class::Elf64, order: Order::Little, machine: EM_X86_64, flags: 0 };
        assert!(!matches(&target, &header(2, EM_X86_64, 0)), "a true big-endian file");
        assert!(matches(&target, &header(2, EM_X86_64.swap_bytes(), 0)), "only EI_DATA says big");
    }
}
