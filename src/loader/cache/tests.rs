use super::*;

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
