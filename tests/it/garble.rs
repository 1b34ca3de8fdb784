//! Damaged files: whatever the bytes, an answer and no more memory than they are worth.

#![expect(clippy::disallowed_methods, reason = "seeds are also taken from the machine's own files")]

use depcollect::elf::{self, Facts, Unfit};

use crate::handmade::{Hash, Made};

/// Marsaglia's xorshift64*: the same rounds everywhere, and no crate.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n.max(1)
    }
}

fn rounds() -> usize {
    let rounds = std::env::var("DEPCOLLECT_ROUNDS").ok().and_then(|v| v.parse().ok());
    rounds.unwrap_or(20_000)
}

/// Valid files to start from: made by hand, and small real ones if there are any.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for hash in [Hash::Gnu, Hash::Sysv, Hash::None] {
        for (narrow, big) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut made = Made::everything(narrow, big, hash);
            made.machine = if hash == Hash::Sysv && big { 8 } else { made.machine };
            seeds.push(made.bytes());
        }
    }
    let dir = std::fs::read_dir("/usr/lib/x86_64-linux-gnu/gconv").into_iter().flatten().flatten();
    let mut paths: Vec<_> = dir.map(|entry| entry.path()).collect();
    paths.sort();
    let real = paths.iter().filter_map(|path| std::fs::read(path).ok());
    seeds.extend(real.filter(|b| b.starts_with(b"\x7fELF") && b.len() < 20_000).take(2));
    seeds
}

/// Where damage hurts most: the headers, what they point to, anywhere.
fn spot(random: &mut Random, len: usize, dynamic: usize) -> usize {
    let at = match random.below(5) {
        0 => random.below(64),
        1 => 64 + random.below(56 * 8),
        2 => dynamic + random.below(400),
        3 => len.saturating_sub(1 + random.below(600)),
        _ => random.below(len),
    };
    at.min(len.saturating_sub(1))
}

fn damage(random: &mut Random, bytes: &mut Vec<u8>, dynamic: usize) {
    if random.below(8) == 0 {
        bytes.truncate(random.below(bytes.len()));
    }
    if bytes.is_empty() {
        return;
    }
    let at = spot(random, bytes.len(), dynamic);
    match random.below(4) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.next() as u8,
        2 => put(bytes, at & !3, &(random.next() as u32 >> random.below(32)).to_le_bytes()),
        _ => {
            let huge = [1 << 31, u64::from(u32::MAX), 1 << 40, 1 << 62, 1 << 63, u64::MAX, i64::MAX as u64];
            put(bytes, at & !7, &huge[random.below(huge.len())].to_ne_bytes());
        }
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    let len = value.len().min(bytes.len() - at);
    bytes[at..at + len].copy_from_slice(&value[..len]);
}

/// The dynamic section, roughly: of a seed the first of its tags is enough.
fn dynamic_of(bytes: &[u8]) -> usize {
    bytes.len().saturating_sub(if bytes.len() > 8000 { 4000 } else { 500 })
}

/// Everything that can be asked, is.
fn ask(bytes: &[u8]) -> Option<Facts> {
    let facts = match elf::read(&bytes).expect("memory can be read") {
        Ok(facts) => facts,
        Err(Unfit::TooShort { len }) => {
            assert_eq!(len, bytes.len());
            return None;
        }
        Err(Unfit::NotElf { .. } | Unfit::BadIdent(_) | Unfit::Damaged { .. }) => return None,
    };
    assert!(facts.text.len() <= 4 << 20);
    assert!(facts.asks.len() <= bytes.len() / 8);
    assert!(facts.version_needs.len() <= 1 << 14 && facts.version_defs.len() <= 1 << 14);
    let asks = facts.asks.iter().map(|a| a.name);
    let needs = facts.version_needs.iter().flat_map(|v| [v.file, v.name]);
    let lone = [facts.interp, facts.soname, facts.rpath, facts.runpath, facts.audit, facts.build_id];
    let all = asks.chain(needs).chain(lone.into_iter().flatten()).chain(facts.dlopen_notes.iter().copied());
    assert!(all.map(|span| facts.str(span).len()).sum::<usize>() < 1 << 26);
    let symbols = elf::symbols(&bytes, &facts).expect("memory can be read");
    elf::imported(&bytes, &facts).expect("memory can be read");
    assert!(symbols.text.len() <= bytes.len());
    assert!(symbols.imports.len() + symbols.exports.len() <= bytes.len() / 16);
    for import in &symbols.imports {
        assert!(symbols.str(import.name).len() < bytes.len());
        import.version(&facts);
    }
    for export in &symbols.exports {
        assert!(symbols.str(export.name).len() < bytes.len());
        export.version(&facts);
    }
    for name in [&b"stdin"[..], b"__libc_start_main", b""] {
        elf::defines(&bytes, &facts, name).expect("memory can be read");
    }
    Some(facts)
}

/// So many files, each with damage to a valid one.
pub fn damaged(count: usize) -> Vec<Vec<u8>> {
    let seeds = seeds();
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let one = |number: usize| {
        let seed = &seeds[number % seeds.len()];
        let mut bytes = seed.clone();
        (0..1 + random.below(3)).for_each(|_| damage(&mut random, &mut bytes, dynamic_of(seed)));
        bytes
    };
    (0..count).map(one).collect()
}

#[test]
fn no_damage_is_fatal() {
    let seeds = seeds();
    for seed in &seeds {
        assert!(ask(seed).is_some_and(|facts| facts.has_dynamic));
    }
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut fit, mut unfit) = (0, 0);
    for _ in 0..rounds() {
        let seed = &seeds[random.below(seeds.len())];
        let mut bytes = seed.clone();
        for _ in 0..1 + random.below(3) {
            damage(&mut random, &mut bytes, dynamic_of(seed));
        }
        match ask(&bytes) {
            Some(_) => fit += 1,
            None => unfit += 1,
        }
    }
    let some = rounds() / 10;
    assert!(fit > some && unfit > some, "{fit} of the files were fit, {unfit} were not");
}
