use super::*;
use crate::elf::Class;

const X86_64: LoaderAbi = LoaderAbi {
    order: Order::Little,
    cache_align: 8,
    chars: Chars::Signed,
    flags: Flags { own: 0x0303, also: None },
    checks_isa_level: true,
};
const S390X: LoaderAbi = LoaderAbi {
    order: Order::Big,
    cache_align: 8,
    chars: Chars::Unsigned,
    flags: Flags { own: 0x0403, also: None },
    checks_isa_level: false,
};
const I386: LoaderAbi = LoaderAbi {
    order: Order::Little,
    cache_align: 4,
    chars: Chars::Signed,
    flags: Flags { own: 0x0003, also: Some(0x0001) },
    checks_isa_level: true,
};

const PLAIN: Ask<'static> = Ask { version: Version(2, 36), hwcaps: &[], isa_levels: 0, legacy: 0, kernel: 0 };

#[test]
fn names_are_compared_as_the_loader_does() {
    #[rustfmt::skip]
    let rows: &[(&[u8], &[u8], i32, i32)] = &[
        (b"", b"", 0, 0),
        (b"a", b"", 1, 1),
        (b"", b"a", -1, -1),
        (b"a", b"b", -1, -1),
        (b"lib.so.9", b"lib.so.10", -1, -1),
        (b"lib.so.01", b"lib.so.1", 0, 0),
        (b"lib.so.1", b"lib.so.1.0", -1, -1),
        (b"lib1a", b"lib01b", -1, -1),
        (b"libA", b"lib1", -1, -1),
        (b"lib1", b"libA", 1, 1),
        (b"lib", b"lib1", -1, -1),
        (b"lib1", b"lib", 1, 1),
        (b"4294967297", b"1", 0, 0),
        (b"2147483648", b"0", -1, -1),
        (b"2147483648", b"1", 1, 1),
        (b"x\0y", b"x\0z", 0, 0),
        (b"libabcdefg.so.12", b"libabcdefg.so.123", -1, -1),
        (b"libabcdefg.so.19", b"libabcdefg.so.2", 1, 1),
        (b"libabcde12", b"libabcde1x", 1, 1),
        (b"libabcd\0xxxxxxxx1", b"libabcd\0xxxxxxxx2", 0, 0),
        (b"lib\0\0\0\0\0\0\0\0\0a", b"lib\0\0\0\0\0\0\0\0\0b", 0, 0),
        (b"\xc3", b"a", -1, 1),
        (b"\xc3", b"", -1, 1),
    ];
    for &(a, b, signed, unsigned) in rows {
        let found = [Chars::Signed, Chars::Unsigned].map(|chars| libcmp(a, b, chars).signum());
        assert_eq!(found, [signed, unsigned], "{} {}", a.escape_ascii(), b.escape_ascii());
    }
}

fn entry(key: &str, value: &str, flags: u32) -> Entry {
    Entry { key: key.into(), value: value.into(), flags, hwcap: Hwcap::Any }
}

fn some_entries(own: u32) -> Vec<Entry> {
    (0..20).map(|n| entry(&format!("libx.so.{n}"), &format!("/d/libx.so.{n}"), own)).collect()
}

#[test]
fn what_is_written_is_found_in_both_byte_orders() {
    for abi in [X86_64, S390X, I386] {
        let cache = Cache::parse(write(&some_entries(abi.flags.own), &abi), abi).unwrap();
        for n in 0..20 {
            let (key, value) = (format!("libx.so.{n}"), format!("/d/libx.so.{n}"));
            assert_eq!(cache.lookup(key.as_bytes(), &PLAIN), Some(value.as_bytes()), "{key} {abi:?}");
        }
        assert_eq!(cache.lookup(b"libx.so.20", &PLAIN), None);
        assert_eq!(cache.lookup(b"", &PLAIN), None);
        assert_eq!(cache.lookup(b"libx.so.007", &PLAIN), Some(b"/d/libx.so.7".as_slice()));
        assert_eq!((cache.len(), cache.faults()), (20, Faults::default()));
    }
    let foreign = write(&some_entries(3), &S390X);
    assert_eq!(Cache::parse(foreign, X86_64).unwrap_err(), Unusable::OtherOrder { flag: 3 });
}

/// A file by hand: entries as given, in the new format, little-endian.
struct Made {
    entries: Vec<Row>,
    names: Vec<&'static [u8]>,
    order: Order,
}

/// Flags, key, value, osversion, hwcap.
type Row = (u32, &'static [u8], &'static [u8], u32, u64);

const NAMED: u64 = HWCAP_EXTENSION;

impl Made {
    fn of(rows: &[(u32, &'static str, &'static str)]) -> Made {
        let entries = rows.iter().map(|&(flags, key, value)| (flags, key.as_bytes(), value.as_bytes(), 0, 0));
        Made { entries: entries.collect(), names: Vec::new(), order: Order::Little }
    }

    fn with(rows: &[(&'static str, u32, u64)], names: &[&'static [u8]]) -> Made {
        let entries =
            rows.iter().map(|&(value, os, hwcap)| (0x303, b"k".as_slice(), value.as_bytes(), os, hwcap));
        Made { entries: entries.collect(), names: names.to_vec(), order: Order::Little }
    }

    fn word(&self, n: u32) -> [u8; 4] {
        if self.order == Order::Little { n.to_le_bytes() } else { n.to_be_bytes() }
    }

    fn wide(&self, n: u64) -> [u8; 8] {
        if self.order == Order::Little { n.to_le_bytes() } else { n.to_be_bytes() }
    }

    /// The new part, for a place `base` bytes into the file.
    fn as_new(&self, base: usize) -> Vec<u8> {
        let mut strings = Vec::new();
        let mut table = Vec::new();
        let start = 48 + 24 * self.entries.len();
        for &(flags, key, value, osversion, hwcap) in &self.entries {
            table.extend(self.word(flags));
            for text in [key, value] {
                table.extend(self.word((start + strings.len()) as u32));
                strings.extend([text, b"\0"].concat());
            }
            table.extend(self.word(osversion));
            table.extend(self.wide(hwcap));
        }
        let names: Vec<u32> = self
            .names
            .iter()
            .map(|name| {
                strings.extend([name, b"\0".as_slice()].concat());
                (start + strings.len() - name.len() - 1) as u32
            })
            .collect();
        let end = (base + start + strings.len()).next_multiple_of(4);
        let mut file = b"glibc-ld.so.cache1.1".to_vec();
        file.extend(self.word(self.entries.len() as u32));
        file.extend(self.word(strings.len() as u32));
        file.extend([if self.order == Order::Little { 2 } else { 3 }, 0, 0, 0]);
        file.extend(self.word(if names.is_empty() { 0 } else { end as u32 }));
        file.resize(48, 0);
        file.extend(table);
        file.extend(strings);
        if !names.is_empty() {
            file.resize(end - base, 0);
            for word in [0xeaa4_2174, 1, 1, 0, end as u32 + 24, 4 * names.len() as u32].iter().chain(&names) {
                file.extend(self.word(*word));
            }
        }
        file
    }

    fn as_old(&self) -> Vec<u8> {
        let (mut table, mut strings) = (Vec::new(), Vec::new());
        for &(flags, key, value, ..) in &self.entries {
            table.extend(self.word(flags));
            for text in [key, value] {
                table.extend(self.word(strings.len() as u32));
                strings.extend([text, b"\0"].concat());
            }
        }
        let mut file = b"ld.so-1.7.0\0".to_vec();
        file.extend(self.word(self.entries.len() as u32));
        file.extend(table);
        file.extend(strings);
        file
    }

    /// The old header alone, `count` empty entries, then the new part.
    fn as_compat(&self, count: u32, align: usize) -> Vec<u8> {
        let mut file = b"ld.so-1.7.0\0".to_vec();
        file.extend(self.word(count));
        file.resize((16 + 12 * count as usize).next_multiple_of(align), 0);
        let new = self.as_new(file.len());
        file.extend(new);
        file
    }
}

fn found(file: Vec<u8>, abi: LoaderAbi, name: &str) -> String {
    match Cache::parse(file, abi) {
        Err(why) => why.to_string(),
        Ok(cache) => {
            cache.lookup(name.as_bytes(), &PLAIN).map_or("-".into(), |v| v.escape_ascii().to_string())
        }
    }
}

#[test]
fn each_layout_in_each_order() {
    let rows = [(0x303, "b", "/b"), (0x303, "a", "/a")];
    let own = |abi: LoaderAbi| rows.map(|(_, key, value)| (abi.flags.own, key, value));
    for abi in [X86_64, S390X, I386] {
        let made = Made { order: abi.order, ..Made::of(&own(abi)) };
        for file in [made.as_new(0), made.as_old(), made.as_compat(0, 8), made.as_compat(3, abi.cache_align)]
        {
            for (name, expected) in [("a", "/a"), ("b", "/b"), ("c", "-"), ("A", "-")] {
                assert_eq!(found(file.clone(), abi, name), expected, "{abi:?}");
            }
        }
    }
    let layout = |file| Cache::parse(file, X86_64).unwrap().layout();
    let made = Made::of(&rows);
    assert_eq!(
        [made.as_new(0), made.as_old(), made.as_compat(1, 8)].map(layout),
        [Layout::New, Layout::Old, Layout::Compat]
    );
    // Aligned for i386, the new part is not where x86-64 looks for it.
    assert_eq!(found(made.as_compat(1, 4), I386, "a"), "-");
    assert_eq!(layout(made.as_compat(1, 4)), Layout::Old);
}

#[test]
fn what_the_loader_ignores() {
    let file = Made::of(&[(0x303, "a", "/a")]).as_new(0);
    let patched = |at: usize, bytes: &[u8]| {
        let mut file = file.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        found(file, X86_64, "a")
    };
    let rows = [
        (patched(0, b"g"), "/a"),
        (patched(0, b"x"), "it does not begin as a cache does"),
        (patched(17, b"1.2"), "it does not begin as a cache does"),
        (patched(20, &2u32.to_le_bytes()), "2 entries announced, room for 1"),
        (patched(20, &0u32.to_le_bytes()), "-"),
        (patched(28, &[0]), "/a"),
        (patched(28, &[6]), "/a"),
        (patched(28, &[1]), "written in another byte order"),
        (patched(28, &[3]), "written in another byte order"),
        (patched(28, &[4]), "written in another byte order"),
        (patched(52, &u32::MAX.to_le_bytes()), "-"),
        (patched(56, &u32::MAX.to_le_bytes()), "-"),
        (found(Vec::new(), X86_64, "a"), "it does not begin as a cache does"),
        (found(Made::of(&[]).as_new(0), X86_64, "a"), "48 bytes are too short for a cache"),
        (found(file[..file.len() - 1].to_vec(), X86_64, "a"), "/a"),
        (found(file[..file.len() - 3].to_vec(), X86_64, "a"), "-"),
    ];
    for (n, (found, expected)) in rows.into_iter().enumerate() {
        assert_eq!(found, expected, "row {n}");
    }
}

/// Behind the end of a file, the rest of its last page reads as zeros.
#[test]
fn a_name_without_an_end_runs_out_of_a_full_page_only() {
    let file = Made::of(&[(0x303, "a", "/a")]).as_new(0);
    let value = file.len() - 3;
    for (len, is_found) in [(4095, true), (4096, false), (4097, true)] {
        let mut file = file.clone();
        file.pop();
        file.resize(len, b'x');
        let cache = Cache::parse(file, X86_64).unwrap();
        let expected = is_found.then_some(len - value);
        assert_eq!(cache.lookup(b"a", &PLAIN).map(<[u8]>::len), expected, "{len}");
    }
}

#[test]
fn the_flags_of_an_entry() {
    let of = |flags: u32, abi| found(Made::of(&[(flags, "a", "/a")]).as_new(0), abi, "a");
    let accepted = |abi| [1, 2, 3, 0x303, 0x803, 0x903, 0xa03, 0x1_0303].map(|flags| of(flags, abi) == "/a");
    assert_eq!(accepted(X86_64), [false, false, false, true, false, false, false, false]);
    assert_eq!(accepted(I386), [true, false, true, false, false, false, false, false]);
    let armhf = LoaderAbi { flags: Flags { own: 0x903, also: Some(3) }, ..X86_64 };
    assert_eq!(accepted(armhf), [false, false, true, false, false, true, false, false]);
    // In the old format a later entry that is exactly right wins.
    let both = Made::of(&[(1, "a", "/1"), (3, "a", "/3"), (3, "a", "/4")]);
    assert_eq!(
        (found(both.as_old(), I386, "a"), found(both.as_new(0), I386, "a")),
        ("/3".into(), "/1".into())
    );
}

#[test]
fn the_flags_of_an_architecture() {
    let row = |wide, machine, flags| Target {
        class: if wide { Class::Elf64 } else { Class::Elf32 },
        order: Order::Little,
        machine,
        flags,
    };
    #[rustfmt::skip]
    let rows = [
        (row(true, 62, 0), Version(2, 36), 0x303, None),
        (row(false, 62, 0), Version(2, 36), 0x803, None),
        (row(false, 3, 0), Version(2, 36), 3, Some(1)),
        (row(true, 183, 0), Version(2, 36), 0xa03, None),
        (row(false, 40, 0x0500_0400), Version(2, 36), 0x903, Some(3)),
        (row(false, 40, 0x0500_0200), Version(2, 36), 0xb03, Some(3)),
        (row(true, 21, 2), Version(2, 36), 0x503, None),
        (row(false, 20, 0), Version(2, 36), 3, Some(1)),
        (row(true, 22, 0), Version(2, 36), 0x403, None),
        (row(false, 22, 0), Version(2, 36), 3, Some(1)),
        (row(false, 8, 0x1000), Version(2, 36), 3, Some(1)),
        (row(false, 8, 0x20), Version(2, 36), 0x603, None),
        (row(true, 8, 0), Version(2, 36), 0x703, None),
        (row(false, 8, 0x400), Version(2, 36), 0xc03, None),
        (row(false, 8, 0x420), Version(2, 36), 0xd03, None),
        (row(true, 8, 0x400), Version(2, 36), 0xe03, None),
        (row(true, 243, 0x5), Version(2, 36), 0x1003, None),
        (row(true, 243, 0x1), Version(2, 36), 0xf03, None),
        (row(true, 258, 0x3), Version(2, 37), 3, Some(1)),
        (row(true, 258, 0x3), Version(2, 38), 0x1203, None),
        (row(true, 258, 0x1), Version(2, 38), 0x1103, None),
        (row(true, 43, 0), Version(2, 36), 0x103, None),
        (row(true, 50, 0), Version(2, 36), 0x203, None),
    ];
    for (target, version, own, also) in rows {
        assert_eq!(LoaderAbi::of(&target, version).flags, Flags { own, also }, "{target:?}");
    }
}

#[test]
fn variants_are_chosen_by_name_level_and_version() {
    let names: &[&[u8]] = &[b"odd", b"x86-64-v2", b"x86-64-v3"];
    let (odd, v2, v3) = (NAMED, NAMED | 1 << 32 | 1, NAMED | 2 << 32 | 2);
    let file = Made::with(&[("/odd", 0, odd), ("/v2", 0, v2), ("/v3", 0, v3), ("/plain", 0, 0)], names);
    let active = |list: &[&str]| list.iter().map(|name| name.as_bytes().to_vec()).collect::<Vec<_>>();
    #[rustfmt::skip]
    let rows: &[(Version, &[&str], u32, &str)] = &[
        (Version(2, 36), &[], 0b1111, "/plain"),
        (Version(2, 36), &["x86-64-v3", "x86-64-v2"], 0b111, "/v3"),
        (Version(2, 36), &["x86-64-v2", "x86-64-v3"], 0b111, "/v2"),
        (Version(2, 36), &["x86-64-v3", "x86-64-v2"], 0b011, "/v2"),
        (Version(2, 36), &["x86-64-v3", "x86-64-v2"], 0b001, "/plain"),
        (Version(2, 36), &["odd", "x86-64-v3"], 0b111, "/odd"),
        (Version(2, 36), &["unknown"], 0b111, "/plain"),
        (Version(2, 33), &["x86-64-v2"], 0b011, "/v2"),
        (Version(2, 31), &["x86-64-v2"], 0b011, "/plain"),
        (Version(2, 41), &["x86-64-v2"], 0b011, "/v2"),
    ];
    let cache = Cache::parse(file.as_new(0), X86_64).unwrap();
    let elsewhere = Cache::parse(file.as_new(0), LoaderAbi { checks_isa_level: false, ..X86_64 }).unwrap();
    for &(version, list, isa_levels, expected) in rows {
        let ask = Ask { version, hwcaps: &active(list), isa_levels, ..PLAIN };
        assert_eq!(
            cache.lookup(b"k", &ask),
            Some(expected.as_bytes()),
            "{version:?} {list:?} {isa_levels:b}"
        );
    }
    let ask = Ask { hwcaps: &active(&["x86-64-v3"]), ..PLAIN };
    assert_eq!(elsewhere.lookup(b"k", &ask), Some(b"/v3".as_slice()));
}

#[test]
fn names_out_of_order_are_not_matched() {
    let names: &[&[u8]] = &[b"b", b"a", b"c", b"c"];
    let all: Vec<Vec<u8>> = names[..3].iter().map(|name| name.to_vec()).collect();
    for (index, expected) in [(0, "/n"), (1, "/plain"), (2, "/n"), (3, "/plain"), (4, "/plain")] {
        let file = Made::with(&[("/n", 0, NAMED | index), ("/plain", 0, 0)], names);
        let cache = Cache::parse(file.as_new(0), S390X_LITTLE).unwrap();
        let ask = Ask { hwcaps: &all, ..PLAIN };
        assert_eq!(cache.lookup(b"k", &ask), Some(expected.as_bytes()), "{index}");
    }
}

const S390X_LITTLE: LoaderAbi = LoaderAbi { checks_isa_level: false, ..X86_64 };

/// ldconfig writes the names' offsets from the new header, the loader counts
/// from the start of the file.
#[test]
fn a_compat_file_has_its_names_elsewhere() {
    let all = [b"odd".to_vec()];
    let ask = Ask { hwcaps: &all, ..PLAIN };
    let file = Made::with(&[("/n", 0, NAMED), ("/plain", 0, 0)], &[b"odd"]);
    for (bytes, expected) in [(file.as_new(0), "/n"), (file.as_compat(0, 8), "/plain"), (file.as_old(), "/n")]
    {
        let cache = Cache::parse(bytes, S390X_LITTLE).unwrap();
        assert_eq!(cache.lookup(b"k", &ask), Some(expected.as_bytes()));
    }
}

#[test]
fn legacy_bits_and_kernel_versions() {
    let avx = 1 << 2;
    let rows = [
        (avx, 0, Version(2, 36), "/first"),
        (avx | TLS_BIT, 0, Version(2, 36), "/first"),
        (1 << 3, 0, Version(2, 36), "/plain"),
        (1 << 50, 0, Version(2, 36), "/plain"),
        (avx, 0, Version(2, 37), "/plain"),
        (0, 0x63_0000, Version(2, 35), "/plain"),
        (0, 0x05_0000, Version(2, 35), "/first"),
        (0, 0x63_0000, Version(2, 36), "/first"),
    ];
    for (hwcap, os, version, expected) in rows {
        let file = Made::with(&[("/first", os, hwcap), ("/plain", 0, 0)], &[]);
        let cache = Cache::parse(file.as_new(0), X86_64).unwrap();
        let ask = Ask { version, legacy: avx | TLS_BIT, kernel: 0x06_0100, ..PLAIN };
        assert_eq!(cache.lookup(b"k", &ask), Some(expected.as_bytes()), "{hwcap:x} {os:x} {version:?}");
    }
}

#[test]
fn a_table_that_is_not_sorted_is_searched_all_the_same() {
    let file = Made::of(&[(0x303, "a", "/a"), (0x303, "b", "/b"), (0x303, "c", "/c")]).as_new(0);
    let cache = Cache::parse(file, X86_64).unwrap();
    let found = ["a", "b", "c"].map(|name| cache.lookup(name.as_bytes(), &PLAIN).is_some());
    assert_eq!(found, [false, true, false]);
    assert_eq!(cache.faults(), Faults { unsorted: Some(0), ..Faults::default() });
}

#[test]
fn entries_are_listed_with_their_variant() {
    let file = Made::with(&[("/n", 0, NAMED), ("/plain", 0, 0)], &[b"odd"]);
    let cache = Cache::parse(file.as_new(0), X86_64).unwrap();
    let listed: Vec<_> = cache.entries_of(b"k").map(|entry| (entry.value, entry.hwcap_name)).collect();
    assert_eq!(listed, [(b"/n".as_slice(), Some(b"odd".as_slice())), (b"/plain", None)]);
    assert_eq!(cache.entries_of(b"x").count(), 0);
}

#[test]
fn a_written_cache_has_its_variants_first() {
    let named = |name: &str, value: &str| Entry {
        hwcap: Hwcap::Named { name: name.into(), isa_level: 0 },
        ..entry("k", value, 0x303)
    };
    let legacy = |bits, value| Entry { hwcap: Hwcap::Legacy(bits), ..entry("k", value, 0x303) };
    let entries = [
        entry("k", "/plain", 0x303),
        entry("k", "/again", 0x303),
        legacy(4, "/one"),
        legacy(5, "/two"),
        entry("k", "/x32", 0x803),
        named("b", "/b"),
        named("a", "/a"),
        entry("k", "/i386", 3),
    ];
    let bytes = write(&entries, &X86_64);
    let cache = Cache::parse(bytes.clone(), X86_64).unwrap();
    let values: Vec<_> = cache.entries().map(|e| e.value.escape_ascii().to_string()).collect();
    assert_eq!(values, ["/x32", "/a", "/b", "/two", "/one", "/plain", "/again", "/i386"]);
    let names: Vec<_> = cache.entries().filter_map(|e| e.hwcap_name).collect();
    assert_eq!(names, [b"a", b"b"]);
    let mut reversed = entries.to_vec();
    reversed[2..].reverse();
    assert_eq!(write(&reversed, &X86_64), bytes);
}

#[test]
fn the_bits_of_a_directory() {
    let x86 = Target { class: Class::Elf64, order: Order::Little, machine: 62, flags: 0 };
    let rows = [
        ("/opt/x", 0),
        ("/opt/tls", TLS_BIT),
        ("/opt/tls/haswell", TLS_BIT | 1 << 50),
        ("/tls/x/avx512_1", 1 << 2),
        ("/sse2", 1),
        // The first component has no slash before it.
        ("sse2", 0),
        ("sse2/x86_64", 1 << 1),
    ];
    for (dir, bits) in rows {
        assert_eq!(legacy_field(&x86, dir.as_bytes()), bits, "{dir}");
    }
}

/// Which bit a name is, and whether it is looked for as a subdirectory, as the
/// ldconfig of Debian 12 for each machine says.
#[test]
fn the_legacy_names_of_each_machine() {
    const NO: Option<u32> = None;
    let rows: [(u16, &str, Option<u32>, bool); 29] = [
        (62, "tls", Some(63), true),
        (62, "haswell", Some(50), true),
        (62, "z13", NO, false),
        (22, "esan3", Some(0), false),
        (22, "vx", Some(11), true),
        (22, "vxp", Some(16), false),
        (22, "z16", Some(42), true),
        (22, "haswell", NO, false),
        (21, "altivec", Some(28), true),
        (20, "dfp", Some(10), true),
        (21, "vsx", Some(7), false),
        // A hwcap by its bit, looked for because it is a platform as well.
        (21, "power6x", Some(9), true),
        (21, "power9", Some(46), true),
        (21, "arch_2_07", Some(63), false),
        // The first bit without a name: `//power9` has it.
        (21, "", Some(2), false),
        (22, "", NO, false),
        (40, "neon", Some(12), true),
        // A hwcap of that name comes first.
        (40, "tls", Some(15), true),
        (40, "half", Some(1), false),
        (183, "atomics", Some(8), true),
        (183, "sve", Some(22), false),
        (8, "octeon2", Some(3), true),
        (10, "loongson2e", Some(0), true),
        (243, "tls", Some(63), true),
        (43, "ultra3", Some(5), true),
        (43, "v9", Some(4), false),
        (2, "v9", Some(4), true),
        (2, "v9v2", Some(7), true),
        (43, "adp", Some(27), false),
    ];
    for (machine, name, bit, is_subdir) in rows {
        let target = Target { class: Class::Elf64, order: Order::Little, machine, flags: 0 };
        let found = (legacy_bit(&target, name.as_bytes()), is_legacy_subdir(&target, name.as_bytes()));
        assert_eq!(found, (bit.map(|bit| 1 << bit), is_subdir), "{machine} {name}");
    }
}
