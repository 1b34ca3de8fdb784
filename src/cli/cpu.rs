//! This machine's processor, as glibc sees it (sysdeps/x86/cpu-features.c,
//! sysdeps/x86/get-isa-level.h).

use crate::loader::Cpu;

#[cfg(not(target_arch = "x86_64"))]
pub fn this_machine() -> Option<Cpu> {
    None
}

#[cfg(target_arch = "x86_64")]
pub fn this_machine() -> Option<Cpu> {
    let levels = ["x86-64-v4", "x86-64-v3", "x86-64-v2"].into_iter().zip([v4(), v3(), v2()]);
    let levels = levels.filter(|(_, has)| *has).map(|(name, _)| name.as_bytes().to_vec()).collect();
    let mut legacy = vec![b"x86_64".to_vec()];
    let mut platform = b"x86_64".to_vec();
    if is_intel() {
        if is_x86_feature_detected!("avx512cd") && has_avx512_1() {
            legacy.insert(0, b"avx512_1".to_vec());
        }
        if is_haswell() {
            platform = b"haswell".to_vec();
        }
    }
    Some(Cpu { levels, platform: Some(platform), legacy })
}

#[cfg(target_arch = "x86_64")]
fn v2() -> bool {
    is_x86_feature_detected!("cmpxchg16b")
        && is_x86_feature_detected!("popcnt")
        && is_x86_feature_detected!("sse3")
        && is_x86_feature_detected!("ssse3")
        && is_x86_feature_detected!("sse4.1")
        && is_x86_feature_detected!("sse4.2")
}

#[cfg(target_arch = "x86_64")]
fn v3() -> bool {
    v2() && is_x86_feature_detected!("avx")
        && is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("f16c")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("movbe")
}

#[cfg(target_arch = "x86_64")]
fn v4() -> bool {
    v3() && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512cd") && has_avx512_1()
}

#[cfg(target_arch = "x86_64")]
fn has_avx512_1() -> bool {
    is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

#[cfg(target_arch = "x86_64")]
fn is_haswell() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("movbe")
        && is_x86_feature_detected!("popcnt")
}

#[cfg(target_arch = "x86_64")]
fn is_intel() -> bool {
    let vendor = core::arch::x86_64::__cpuid(0);
    [vendor.ebx, vendor.edx, vendor.ecx]
        == [u32::from_le_bytes(*b"Genu"), u32::from_le_bytes(*b"ineI"), u32::from_le_bytes(*b"ntel")]
}
