//! Any bytes as ld.so.cache, behind the name that is looked up in it. The first
//! byte chooses the loader.

#![no_main]

use depcollect::elf::{Class, Order};
use depcollect::loader::cache::{Ask, Cache, LoaderAbi};
use depcollect::loader::{Target, Version};
use depcollect_fuzz::{choose, parts};
use libfuzzer_sys::fuzz_target;

const LOADERS: [(Class, Order, u16, u32); 6] = [
    (Class::Elf64, Order::Little, 62, 36),
    (Class::Elf32, Order::Little, 3, 36),
    (Class::Elf64, Order::Big, 22, 36),
    (Class::Elf64, Order::Little, 62, 31),
    (Class::Elf32, Order::Little, 3, 31),
    (Class::Elf64, Order::Big, 22, 43),
];

fuzz_target!(|input: &[u8]| {
    let Some((rest, number)) = choose(input, &LOADERS) else { return };
    let [name, bytes] = parts(rest);
    let (class, order, machine, minor) = LOADERS[number];
    let target = Target { class, order, machine, flags: 0 };
    let version = Version(2, minor);
    let Ok(cache) = Cache::parse(bytes.to_vec(), LoaderAbi::of(&target, version)) else { return };
    let hwcaps = [b"x86-64-v3".to_vec(), b"x86-64-v2".to_vec()];
    let ask = Ask { version, hwcaps: &hwcaps, isa_levels: 7, legacy: 2, kernel: 0x06_0000 };
    cache.lookup(name, &ask);
    assert_eq!(cache.entries().count() + cache.faults().wild, cache.len());
});
