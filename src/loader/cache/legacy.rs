//! Bits of the hwcap field for legacy subdirectories (2.36 and older), after
//! `path_hwcap` and `is_hwcap_platform` in `elf/ldconfig.c` and
//! `sysdeps/*/dl-procinfo.*`. Each table was asked of the ldconfig of that
//! machine's Debian, but for sparc's, which has none: that one is as the source of
//! 2.34 says (`sysdeps/sparc/dl-procinfo.{c,h}`).

use super::TLS_BIT;
use crate::loader::Target;
use crate::loader::machine::{
    EM_386, EM_AARCH64, EM_ARM, EM_MIPS, EM_MIPS_RS3_LE, EM_PPC, EM_PPC64, EM_S390, EM_SPARC, EM_SPARCV9,
    EM_X86_64,
};

/// The names of one architecture.
struct Known {
    /// By bit. One without a name has the empty one, which stands between two
    /// slashes of a path.
    hwcaps: &'static [&'static str],
    /// Those that are looked for as subdirectories.
    important: &'static [&'static str],
    /// The bit of the first platform, and their names: all are looked for.
    platforms: (u32, &'static [&'static str]),
}

const NONE: Known = Known { hwcaps: &[], important: &[], platforms: (0, &[]) };

const X86: Known = Known {
    hwcaps: &["sse2", "x86_64", "avx512_1"],
    important: &["sse2", "x86_64", "avx512_1"],
    platforms: (48, &["i586", "i686", "haswell", "xeon_phi"]),
};

#[rustfmt::skip]
const S390: Known = Known {
    hwcaps: &[
        "esan3", "zarch", "stfle", "msa", "ldisp", "eimm", "dfp", "edat", "etf3eh", "highgprs", "te", "vx",
        "vxd", "vxe", "gs", "vxe2", "vxp", "sort", "dflt", "vxp2", "nnpa", "pcimio", "sie",
    ],
    important: &["zarch", "ldisp", "eimm", "dfp", "vx", "vxe", "vxe2"],
    platforms: (32, &["g5", "z900", "z990", "z9-109", "z10", "z196", "zEC12", "z13", "z14", "z15", "z16"]),
};

#[rustfmt::skip]
const POWER: Known = Known {
    hwcaps: &[
        "ppcle", "true_le", "", "", "", "", "archpmu", "vsx", "arch_2_06", "power6x", "dfp", "pa6t",
        "arch_2_05", "ic_snoop", "smt", "booke", "cellbe", "power5+", "power5", "power4", "notb",
        "efpdouble", "efpsingle", "spe", "ucache", "4xxmac", "mmu", "fpu", "altivec", "ppc601", "ppc64",
        "ppc32", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "mma", "arch_3_1",
        "htm-no-suspend", "scv", "darn", "ieee128", "arch_3_00", "htm-nosc", "vcrypto", "tar", "isel", "ebb",
        "dscr", "htm", "arch_2_07",
    ],
    important: &["altivec", "dfp"],
    platforms: (32, &[
        "power4", "ppc970", "power5", "power5+", "power6", "ppc-cell-be", "power6x", "power7", "ppca2",
        "ppc405", "ppc440", "ppc464", "ppc476", "power8", "power9", "power10",
    ]),
};

#[rustfmt::skip]
const ARM: Known = Known {
    hwcaps: &[
        "swp", "half", "thumb", "26bit", "fastmult", "fpa", "vfp", "edsp", "java", "iwmmxt", "crunch",
        "thumbee", "neon", "vfpv3", "vfpv3d16", "tls", "vfpv4", "idiva", "idivt", "vfpd32", "lpae",
        "evtstrm", "aes", "pmull", "sha1", "sha2", "crc32",
    ],
    important: &["vfp", "neon"],
    platforms: (0, &[]),
};

#[rustfmt::skip]
const AARCH64: Known = Known {
    hwcaps: &[
        "fp", "asimd", "evtstrm", "aes", "pmull", "sha1", "sha2", "crc32", "atomics", "fphp", "asimdhp",
        "cpuid", "asimdrdm", "jscvt", "fcma", "lrcpc", "dcpop", "sha3", "sm3", "sm4", "asimddp", "sha512",
        "sve", "asimdfhm", "dit", "uscat", "ilrcpc", "flagm", "ssbs", "sb", "paca", "pacg",
    ],
    important: &["atomics"],
    platforms: (0, &[]),
};

const MIPS: Known = Known { platforms: (0, &["loongson2e", "loongson2f", "octeon", "octeon2"]), ..NONE };

#[rustfmt::skip]
const SPARC64: Known = Known {
    hwcaps: &[
        "flush", "stbar", "swap", "muldiv", "v9", "ultra3", "v9v", "v9v2", "mul32", "div32", "fsmuld",
        "v8plus", "popc", "vis", "vis2", "ASIBlkInit", "fmaf", "vis3", "hpc", "random", "trans", "fjfmau",
        "ima", "cspare", "pause", "cbcond", "crypto", "adp",
    ],
    important: &["ultra3", "v9v", "v9v2"],
    ..NONE
};

const SPARC32: Known = Known { important: &["v9", "ultra3", "v9v", "v9v2"], ..SPARC64 };

impl Known {
    fn of(target: &Target) -> &'static Known {
        match target.machine {
            EM_386 | EM_X86_64 => &X86,
            EM_S390 => &S390,
            EM_PPC | EM_PPC64 => &POWER,
            EM_ARM => &ARM,
            EM_AARCH64 => &AARCH64,
            EM_MIPS | EM_MIPS_RS3_LE => &MIPS,
            EM_SPARC => &SPARC32,
            EM_SPARCV9 => &SPARC64,
            _ => &NONE,
        }
    }
}

/// The bit of a directory's name.
pub fn legacy_bit(target: &Target, name: &[u8]) -> Option<u64> {
    let known = Known::of(target);
    let (first, platforms) = known.platforms;
    let bit = place(known.hwcaps, name).or_else(|| Some(first + place(platforms, name)?));
    let tls = (name == b"tls").then_some(TLS_BIT);
    bit.map(|bit| 1 << bit).or(tls)
}

/// Whether ldconfig descends into a subdirectory of this name.
pub fn is_legacy_subdir(target: &Target, name: &[u8]) -> bool {
    let known = Known::of(target);
    let is_known = |names| place(names, name).is_some();
    is_known(known.important) || is_known(known.platforms.1) || name == b"tls"
}

fn place(names: &[&str], name: &[u8]) -> Option<u32> {
    let n = names.iter().position(|known| known.as_bytes() == name)?;
    Some(u32::try_from(n).expect("a table of names is short"))
}

/// The hwcap field for a directory: the sum over the names at its end.
pub fn legacy_field(target: &Target, dir: &[u8]) -> u64 {
    let bits = dir.rsplit(|&b| b == b'/').map_while(|name| legacy_bit(target, name));
    // A relative path's first component has no slash before it and is not seen.
    let components = dir.iter().filter(|&&b| b == b'/').count();
    bits.take(components).fold(0, u64::wrapping_add)
}
