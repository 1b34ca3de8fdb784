//! Our reader of `ld.so.cache`, put to the machine's own loader, and damaged
//! files that nobody may stumble over.

#![expect(clippy::disallowed_methods, reason = "a test may stop, and look at the disk and the environment")]

use std::process::Command;

use depcollect::elf::{Class, Order};
use depcollect::loader::cache::{Ask, Cache, LoaderAbi, TLS_BIT, libcmp};
use depcollect::loader::{Target, Version, conf};

use crate::judge::{self, REAL};
use crate::need::skip;
use crate::rng::Rng;
use crate::world::World;

const X86_64: Target = Target { class: Class::Elf64, order: Order::Little, machine: 62, flags: 0 };
const I386: Target = Target { class: Class::Elf32, order: Order::Little, machine: 3, flags: 0 };
const S390X: Target = Target { class: Class::Elf64, order: Order::Big, machine: 22, flags: 0 };

fn count(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

fn pick<'a>(rng: &mut Rng, list: &[&'a str]) -> &'a str {
    list[rng.below(list.len() as u64) as usize]
}

const PIECES: [&str; 16] = [
    "a",
    "b",
    "1",
    "01",
    "9",
    "10",
    ".",
    ".so",
    ".so.",
    "-",
    "_",
    "4294967297",
    "2147483648",
    "99999999999",
    "x",
    "~",
];
const LEVELS: [&str; 6] = ["odd", "x86-64-v2", "x86-64-v3", "x86-64-v4", "even", "zz"];

fn name(rng: &mut Rng) -> String {
    let pieces = 1 + rng.below(3);
    (0..pieces).fold("lib".to_owned(), |name, _| name + pick(rng, &PIECES))
}

/// A world whose program asks for names of a random cache.
fn world(seed: u64) -> String {
    let mut rng = Rng::new(seed);
    let mut text = "launch ldso --glibc-hwcaps-prepend odd:even\n".to_owned();
    for setting in
        ["old", "compat", "as-given", "order=0", "order=1", "order=3", "swapped", "count=1", "count=ff"]
    {
        if rng.below(12) == 0 {
            text += &format!("cache-is {setting}\n");
        }
    }
    let mut asked: Vec<String> = Vec::new();
    for n in 0..1 + rng.below(24) {
        let key = if rng.below(3) == 0 && !asked.is_empty() {
            asked[rng.below(asked.len() as u64) as usize].clone()
        } else {
            name(&mut rng)
        };
        // A key with a letter beyond ASCII is only passed by.
        let odd = if rng.below(6) == 0 { "\\xc3\\xa9" } else { "" };
        let flags = pick(&mut rng, &["303", "303", "303", "303", "3", "1", "803"]);
        let option = match rng.below(10) {
            0..3 => format!("sub={} isa={}", pick(&mut rng, &LEVELS), rng.below(4)),
            3 => format!(
                "hwcap={}",
                pick(&mut rng, &["2", "8", "8000000000000000", "8000000000000002", "1000000000000"])
            ),
            4 => "osversion=63000000".to_owned(),
            _ => String::new(),
        };
        text += &format!("cache: {key}{odd} {flags} /l/{n} {option}\n/l/{n}:\n");
        for name in [key, name(&mut rng)] {
            if !asked.contains(&name) {
                asked.push(name);
            }
        }
    }
    text + &format!("/t/m: NEEDED {}\n", asked.join(" "))
}

/// What the machine's loader calls supported, most preferred first.
fn levels() -> Option<Vec<Vec<u8>>> {
    let output = Command::new("/lib64/ld-linux-x86-64.so.2").arg("--help").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let supported = text.lines().filter(|line| line.contains("(supported, searched)"));
    Some(supported.filter_map(|line| Some(line.split_whitespace().next()?.as_bytes().to_vec())).collect())
}

#[test]
fn a_look_up_finds_what_the_loader_finds() {
    let (Ok(_), Some(mut active)) = (judge::bench(), levels()) else {
        return skip("no loader of x86-64 that says its levels, or no chroot");
    };
    let isa_levels = (2 << active.len()) - 1;
    active.splice(0..0, [b"odd".to_vec(), b"even".to_vec()]);
    let legacy = TLS_BIT | 1 << 1;
    let ask = Ask { version: Version(2, 36), hwcaps: &active, isa_levels, legacy, kernel: 0 };
    let mut found = 0;
    for seed in 0..count("DEPCOLLECT_TREES", 60) {
        let world = World::parse(&world(seed));
        let expected = (REAL.answer)(&world).lines;
        let ours = predicted(&world, &ask);
        assert_eq!(ours, expected, "seed {seed}\n{}", world.text);
        found += ours.iter().filter(|line| line.contains("/l/")).count();
    }
    assert!(found > 60, "the caches are used");
}

/// The lines of a trace. A file stands there once, by the first name.
fn predicted(world: &World, ask: &Ask<'_>) -> Vec<String> {
    let entry = world.entry(b"/etc/ld.so.cache").expect("every world has a cache");
    let bytes = world.bytes(&entry.what).expect("a file");
    let cache = Cache::parse(bytes, LoaderAbi::of(&X86_64, ask.version)).ok();
    let asked = world.text.rsplit("NEEDED ").next().expect("the last line");
    let mut lines: Vec<String> = Vec::new();
    for name in asked.split_whitespace() {
        match cache.as_ref().and_then(|cache| cache.lookup(name.as_bytes(), ask)) {
            None => lines.push(format!("{name} => not found")),
            Some(path) => {
                let arrow = format!(" => {}", path.escape_ascii());
                if !lines.iter().any(|line| line.ends_with(&arrow)) {
                    lines.push(format!("{name}{arrow}"));
                }
            }
        }
    }
    lines
}

/// Some bytes changed, and sometimes the end cut off.
fn damage(bytes: &mut Vec<u8>, rng: &mut Rng) {
    const NUMBERS: [u32; 8] = [0, 1, 2, 47, 48, 0x7fff_ffff, 0x8000_0000, u32::MAX];
    for _ in 0..=rng.below(4) {
        // The headers decide most.
        let limit = if rng.below(2) == 0 { 80 } else { bytes.len() as u64 };
        let at = rng.below(limit.min(bytes.len() as u64)) as usize;
        match rng.below(3) {
            0 => bytes[at] = rng.next() as u8,
            1 => bytes[at] = 0,
            _ => {
                let number = NUMBERS[rng.below(8) as usize].to_le_bytes();
                let end = bytes.len().min(at / 4 * 4 + 4);
                bytes[at / 4 * 4..end].copy_from_slice(&number[..end - at / 4 * 4]);
            }
        }
    }
    if rng.below(4) == 0 {
        bytes.truncate(rng.below(bytes.len() as u64) as usize + 1);
    }
    if rng.below(8) == 0 {
        bytes.resize(4096, b'0');
    }
}

#[test]
fn a_damaged_cache_does_no_harm() {
    let mut rng = Rng::new(1);
    let seeds: Vec<Vec<u8>> = (0..200)
        .map(|seed| World::parse(&world(seed)))
        .filter_map(|world| world.bytes(&world.entry(b"/etc/ld.so.cache")?.what))
        .collect();
    let hwcaps = ["odd", "x86-64-v3", "x86-64-v2"].map(|name| name.as_bytes().to_vec());
    let (mut read, mut refused) = (0, 0);
    for round in 0..count("DEPCOLLECT_ROUNDS", 20_000) {
        let mut bytes = seeds[rng.below(seeds.len() as u64) as usize].clone();
        damage(&mut bytes, &mut rng);
        let target = [X86_64, I386, S390X][rng.below(3) as usize];
        let version = [Version(2, 31), Version(2, 36), Version(2, 41)][rng.below(3) as usize];
        let len = bytes.len();
        let Ok(cache) = Cache::parse(bytes, LoaderAbi::of(&target, version)) else {
            refused += 1;
            continue;
        };
        read += 1;
        let ask = Ask { version, hwcaps: &hwcaps, isa_levels: 7, legacy: 2, kernel: 0x06_0000 };
        assert!(
            cache.lookup(name(&mut rng).as_bytes(), &ask).is_none_or(|v| v.len() <= len),
            "round {round}"
        );
        let faults = cache.faults();
        assert_eq!(cache.entries().count() + faults.wild, cache.len(), "round {round}");
    }
    assert!(read > 0 && refused > 0, "both happen: {read} {refused}");
}

#[test]
fn the_order_of_names_is_antisymmetric() {
    let mut rng = Rng::new(2);
    let chars = LoaderAbi::of(&X86_64, Version(2, 36)).chars;
    for _ in 0..count("DEPCOLLECT_ROUNDS", 20_000) {
        let (a, b) = (name(&mut rng), name(&mut rng));
        let (there, back) =
            (libcmp(a.as_bytes(), b.as_bytes(), chars), libcmp(b.as_bytes(), a.as_bytes(), chars));
        assert_eq!(there.signum(), -back.signum(), "{a} {b}");
    }
}

#[test]
fn no_configuration_does_harm() {
    const TOKENS: [&str; 20] = [
        "include ",
        "hwcap 1",
        "/a",
        "=libc6",
        "#",
        "\n",
        " ",
        "\t",
        "*",
        "?",
        "[",
        "]",
        "!",
        "-",
        "\\",
        "[:alpha:]",
        "\0",
        "a",
        "\u{e9}",
        "^",
    ];
    let mut rng = Rng::new(3);
    let mut text = |most: u64| (0..rng.below(most)).map(|_| pick(&mut rng, &TOKENS)).collect::<String>();
    let mut matched = 0;
    for _ in 0..count("DEPCOLLECT_ROUNDS", 20_000) {
        let (file, pattern, name) = (text(24), text(10), text(6));
        let lines = conf::parse(file.as_bytes(), Version(2, 36));
        assert!(lines.len() <= file.matches('\n').count() + 1);
        conf::parse_preload(file.as_bytes());
        matched += u32::from(conf::matches(pattern.as_bytes(), name.as_bytes()));
    }
    assert!(matched > 0);
}

/// Many stars cost their product, not their power.
#[test]
fn a_pattern_of_stars_is_cheap() {
    let pattern = b"a*".repeat(200);
    let name = b"a".repeat(250);
    assert!(!conf::matches(&[&pattern, b"b".as_slice()].concat(), &name));
    assert!(conf::matches(&pattern, &name));
}
