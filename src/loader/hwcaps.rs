//! Which subdirectories a CPU selects: glibc-hwcaps (2.33 and newer) and the
//! legacy power set (2.36 and older), after `_dl_important_hwcaps`
//! (elf/dl-hwcaps.c).

use super::machine::{EM_386, EM_AARCH64, EM_ARM, EM_PPC64, EM_S390, EM_X86_64};
use super::{Target, Version};
use crate::elf::{Class, Order};

/// What the loader's choice depends on, of a CPU.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cpu {
    /// Names below `glibc-hwcaps/`, most preferred first.
    pub levels: Vec<Vec<u8>>,
    /// `AT_PLATFORM`, as glibc overrides it on x86.
    pub platform: Option<Vec<u8>>,
    /// Legacy names of important hwcap bits, highest bit first.
    pub legacy: Vec<Vec<u8>>,
}

/// How the user chose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Choice {
    /// This machine's CPU in its own root, the baseline in a foreign one.
    #[default]
    Default,
    /// The baseline: no variant.
    None,
    /// Every level in turn.
    All,
    /// These names; a known level stands for those below it as well.
    List(Vec<Vec<u8>>),
}

/// `EF_ARM_ABI_FLOAT_HARD`.
const ARM_HARD: u32 = 0x400;

pub const X86_LEVELS: [&str; 3] = ["x86-64-v4", "x86-64-v3", "x86-64-v2"];
const POWER_LEVELS: [&str; 2] = ["power10", "power9"];
const S390_LEVELS: [&str; 5] = ["z17", "z16", "z15", "z14", "z13"];

/// The levels that a loader of this machine knows, most preferred first.
pub fn known_levels(target: &Target) -> &'static [&'static str] {
    match target.machine {
        EM_X86_64 => &X86_LEVELS,
        EM_PPC64 if target.order == Order::Little => &POWER_LEVELS,
        EM_S390 => &S390_LEVELS,
        _ => &[],
    }
}

/// Is this the machine that the tool itself runs on? A 32-bit x86 loader is
/// served by the same CPU, but has no levels and a platform of its own.
pub fn is_native(target: &Target) -> bool {
    let own = if cfg!(target_arch = "x86_64") { EM_X86_64 } else { 0 };
    target.machine == own && target.class == Class::Elf64
}

impl Cpu {
    /// The CPU that every machine of this kind is at least. Where `AT_PLATFORM`
    /// tells generations apart (arm, powerpc, s390) nobody knows the platform.
    pub fn baseline(target: &Target) -> Cpu {
        let (platform, legacy): (Option<&str>, &[&str]) = match target.machine {
            EM_X86_64 => (Some("x86_64"), &["x86_64"]),
            EM_386 => (Some("i686"), &["sse2"]),
            EM_AARCH64 => (Some("aarch64"), &[]),
            // Its calls pass numbers in registers of the unit.
            EM_ARM if target.flags & ARM_HARD != 0 => (None, &["vfp"]),
            EM_PPC64 if target.order == Order::Little => (None, &["altivec", "dfp"]),
            EM_S390 if target.class == Class::Elf64 => (None, &["zarch"]),
            _ => (None, &[]),
        };
        Cpu {
            levels: Vec::new(),
            platform: platform.map(|p| p.as_bytes().to_vec()),
            legacy: legacy.iter().map(|l| l.as_bytes().to_vec()).collect(),
        }
    }

    /// The baseline with the names of a list: a level brings those below it,
    /// any other name is preferred to them, as `--glibc-hwcaps-prepend` has it.
    pub fn with_levels(target: &Target, names: &[Vec<u8>]) -> Cpu {
        let known = known_levels(target);
        let is_known = |name: &Vec<u8>| known.iter().any(|k| k.as_bytes() == name.as_slice());
        let mut levels: Vec<Vec<u8>> = names.iter().filter(|n| !is_known(n)).cloned().collect();
        let best = known.iter().position(|k| names.iter().any(|n| n == k.as_bytes()));
        levels.extend(known[best.unwrap_or(known.len())..].iter().map(|k| k.as_bytes().to_vec()));
        Cpu { levels, ..Cpu::baseline(target) }
    }

    /// Bit `1 << isa_level` for each level that a cache entry may ask for; the
    /// baseline is level 0.
    pub fn isa_bits(&self) -> u32 {
        let level = |name: &Vec<u8>| X86_LEVELS.iter().rev().position(|l| l.as_bytes() == name.as_slice());
        self.levels.iter().filter_map(level).fold(1, |bits, level| bits | 2 << level)
    }

    /// Subdirectories in the order of a search, each ending in a slash, without
    /// the empty one that comes last.
    pub fn subdirs(&self, version: Version) -> Vec<Vec<u8>> {
        let mut subdirs = Vec::new();
        if version >= Version(2, 33) {
            subdirs.extend(self.levels.iter().map(|l| [b"glibc-hwcaps/", l.as_slice(), b"/"].concat()));
        }
        if version <= Version(2, 36) {
            subdirs.extend(self.legacy_subdirs());
        }
        subdirs
    }

    /// All combinations of `tls`, the platform and the hwcap names, counted
    /// downwards with `tls` as the highest bit. Each is searched once.
    fn legacy_subdirs(&self) -> Vec<Vec<u8>> {
        let mut names: Vec<&[u8]> = vec![b"tls"];
        names.extend(self.platform.iter().map(Vec::as_slice));
        names.extend(self.legacy.iter().map(Vec::as_slice));
        let mut subdirs: Vec<Vec<u8>> = Vec::new();
        for set in (1..1u32 << names.len()).rev() {
            let chosen = |i: &usize| set >> (names.len() - 1 - i) & 1 == 1;
            let parts: Vec<&[u8]> = (0..names.len()).filter(chosen).map(|i| names[i]).collect();
            let subdir = [parts.join(&b'/').as_slice(), b"/"].concat();
            if !subdirs.contains(&subdir) {
                subdirs.push(subdir);
            }
        }
        subdirs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMD64: Target = Target { class: Class::Elf64, order: Order::Little, machine: EM_X86_64, flags: 0 };

    fn text(subdirs: &[Vec<u8>]) -> Vec<String> {
        subdirs.iter().map(|s| String::from_utf8_lossy(s).into_owned()).collect()
    }

    #[test]
    fn each_version_searches_its_own_subdirectories() {
        let cpu = Cpu::with_levels(&AMD64, &[b"x86-64-v3".to_vec()]);
        let levels = ["glibc-hwcaps/x86-64-v3/", "glibc-hwcaps/x86-64-v2/"];
        let legacy = ["tls/x86_64/x86_64/", "tls/x86_64/", "tls/", "x86_64/x86_64/", "x86_64/"];
        assert_eq!(text(&cpu.subdirs(Version(2, 31))), legacy);
        assert_eq!(text(&cpu.subdirs(Version(2, 36))), [&levels[..], &legacy[..]].concat());
        assert_eq!(text(&cpu.subdirs(Version(2, 37))), levels);
    }

    #[test]
    fn an_intel_machine_counts_its_names_down_from_tls() {
        let legacy = vec![b"avx512_1".to_vec(), b"x86_64".to_vec()];
        let cpu = Cpu { levels: vec![], platform: Some(b"haswell".to_vec()), legacy };
        let subdirs = text(&cpu.subdirs(Version(2, 31)));
        assert_eq!(subdirs[0], "tls/haswell/avx512_1/x86_64/");
        assert_eq!(subdirs[7], "tls/");
        assert_eq!(subdirs[14], "x86_64/");
        assert_eq!(subdirs.len(), 15);
    }

    #[test]
    fn a_level_brings_the_ones_below_and_a_strange_name_goes_first() {
        let cpu = Cpu::with_levels(&AMD64, &[b"x86-64-v2".to_vec(), b"mine".to_vec()]);
        assert_eq!(text(&cpu.levels), ["mine", "x86-64-v2"]);
        assert_eq!(cpu.isa_bits(), 0b11);
        assert_eq!(Cpu::baseline(&AMD64).isa_bits(), 1);
    }
}
