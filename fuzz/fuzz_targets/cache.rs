#![no_main]

use depcollect::elf::{Class, Order};
use depcollect::loader::cache::{Ask, Cache, LoaderAbi};
use depcollect::loader::{Target, Version};
use libfuzzer_sys::fuzz_target;

// The first byte chooses the loader.
fuzz_target!(|input: (u8, &[u8], Vec<u8>)| {
    let (choice, name, bytes) = input;
    let (class, order, machine) = match choice % 3 {
        0 => (Class::Elf64, Order::Little, 62),
        1 => (Class::Elf32, Order::Little, 3),
        _ => (Class::Elf64, Order::Big, 22),
    };
    let target = Target { class, order, machine, flags: 0 };
    let version = Version(2, 30 + u32::from(choice / 3 % 14));
    let Ok(cache) = Cache::parse(bytes, LoaderAbi::of(&target, version)) else { return };
    let hwcaps = [b"x86-64-v3".to_vec(), b"x86-64-v2".to_vec()];
    let ask = Ask { version, hwcaps: &hwcaps, isa_levels: 7, legacy: 2, kernel: 0x06_0000 };
    cache.lookup(name, &ask);
    assert_eq!(cache.entries().count() + cache.faults().wild, cache.len());
});
