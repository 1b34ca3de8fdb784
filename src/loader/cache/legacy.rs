//! Bits of the hwcap field for legacy subdirectories (2.36 and older), after
//! `sysdeps/x86/dl-procinfo.c` and `path_hwcap` in `elf/ldconfig.c`.

use super::TLS_BIT;
use crate::loader::Target;
use crate::loader::machine::{EM_386, EM_X86_64};

const X86: [(&[u8], u64); 7] = [
    (b"sse2", 1 << 0),
    (b"x86_64", 1 << 1),
    (b"avx512_1", 1 << 2),
    (b"i586", 1 << 48),
    (b"i686", 1 << 49),
    (b"haswell", 1 << 50),
    (b"xeon_phi", 1 << 51),
];

/// The bit of a subdirectory's name. FIXME: of x86 only, beside `tls`; the
/// names that ldconfig knows on arm, powerpc, s390 and sparc have no bit here.
pub fn legacy_bit(target: &Target, name: &[u8]) -> Option<u64> {
    if name == b"tls" {
        return Some(TLS_BIT);
    }
    let is_x86 = matches!(target.machine, EM_386 | EM_X86_64);
    X86.iter().find(|(known, _)| is_x86 && *known == name).map(|(_, bit)| *bit)
}

/// The hwcap field for a directory: the sum over the names at its end.
pub fn legacy_field(target: &Target, dir: &[u8]) -> u64 {
    let bits = dir.rsplit(|&b| b == b'/').map_while(|name| legacy_bit(target, name));
    // A relative path's first component has no slash before it and is not seen.
    let components = dir.iter().filter(|&&b| b == b'/').count();
    bits.take(components).fold(0, u64::wrapping_add)
}
