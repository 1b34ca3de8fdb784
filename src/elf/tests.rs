//! Rows: a file made by hand, and what is read of it.

use super::handmade::{self, BASE, DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME, Hash, Made, note, words};
use super::window::Windows;
use super::*;

fn all_kinds() -> impl Iterator<Item = Made> {
    let hashes = [Hash::Gnu, Hash::Sysv, Hash::None];
    let kinds = [(false, false), (false, true), (true, false), (true, true)];
    kinds.into_iter().flat_map(move |(narrow, big)| hashes.map(|hash| Made::everything(narrow, big, hash)))
}

fn facts(bytes: &[u8]) -> Facts {
    super::read(&bytes).unwrap().unwrap()
}

fn unfit(bytes: &[u8]) -> Unfit {
    super::read(&bytes).unwrap().expect_err("no facts")
}

fn damage(bytes: &[u8]) -> &'static str {
    match unfit(bytes) {
        Unfit::Damaged { what, .. } => {
            what.strip_prefix("it is damaged or cut short: ").expect("one wording")
        }
        other @ (Unfit::TooShort { .. } | Unfit::NotElf { .. } | Unfit::BadIdent(_)) => panic!("{other:?}"),
    }
}

/// What a person would call the facts, in one text.
fn told(facts: &Facts) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let option = |bytes: Option<&[u8]>| bytes.map_or("-".to_owned(), text);
    let asks: Vec<String> =
        facts.asks.iter().map(|a| format!("{:?} {}", a.kind, text(facts.str(a.name)))).collect();
    let need =
        |v: &VersionNeed| format!("{}({})#{}", text(facts.str(v.file)), text(facts.str(v.name)), v.index);
    let needs: Vec<String> = facts.version_needs.iter().map(need).collect();
    let def = |v: &VersionDef| {
        format!("{}#{}{}", text(facts.str(v.name)), v.index, if v.base { " base" } else { "" })
    };
    let defs: Vec<String> = facts.version_defs.iter().map(def).collect();
    let notes: Vec<String> = facts.dlopen_notes.iter().map(|n| text(facts.str(*n))).collect();
    [
        format!("interp {} soname {}", option(facts.interp()), option(facts.soname())),
        format!("rpath {} runpath {}", option(facts.rpath()), option(facts.runpath())),
        format!("asks {}", asks.join(", ")),
        format!("needs {}", needs.join(", ")),
        format!("defs {}", defs.join(", ")),
        format!("flags {:#x} {:#x} debug {}", facts.flags, facts.flags_1, facts.has_debug_tag),
        format!("abi {:?} isa {:?}", facts.abi_tag.map(|t| (t.os, t.kernel)), facts.isa_needed),
        format!("build-id {}", option(facts.build_id.map(|id| facts.str(id)))),
        format!("dlopen {}", notes.join(", ")),
    ]
    .join("\n")
}

const EVERYTHING: &str = "\
interp /lib/ld.so soname libme.so.3
rpath /second runpath $ORIGIN/../lib
asks Needed liba.so.1, Auxiliary libaux.so, Needed libb.so.2
needs liba.so.1(A_1.0)#2, liba.so.1(A_2.0)#3, libb.so.2(B_1)#4
defs libme.so.3#1 base, ME_1.0#5
flags 0x8 0x800 debug true
abi Some((0, [3, 2, 0])) isa Some(5)
build-id 0123456789abcdefghij
dlopen [{\"soname\":[\"libx.so\"]}]";

#[test]
fn every_class_and_byte_order_tells_the_same() {
    for made in all_kinds() {
        assert_eq!(told(&facts(&made.bytes())), EVERYTHING, "narrow {} big {}", made.narrow, made.big);
    }
}

#[test]
fn the_size_of_the_windows_does_not_matter() {
    for made in all_kinds() {
        for gap in [0, 1, 63, 4000, 70_000] {
            let bytes = Made { gap, ..made.clone() }.bytes();
            let whole = facts(&bytes);
            for (size, count) in [(64, 1), (64, 4), (65, 2), (128, 1), (512, 3), (1000, 2), (4096, 4)] {
                let mut buf = vec![0; size * count];
                let read = read::facts_through(&mut Windows::new(&&bytes[..], &mut buf, size));
                assert_eq!(read.unwrap().unwrap(), whole, "windows {count} x {size}, gap {gap}");
            }
        }
    }
}

#[test]
fn unfit_files_say_what_they_are() {
    let made = Made::everything(false, false, Hash::Gnu).bytes();
    let narrow = Made::everything(true, true, Hash::Gnu).bytes();
    let text = b"#!/bin/sh\nexec something else entirely, with many arguments, 64+\n";
    let short = |len| Unfit::TooShort { len };
    for (bytes, expected) in [
        (&b""[..], short(0)),
        (&text[..10], short(10)),
        (&text[..63], short(63)),
        (&text[..], Unfit::NotElf { first: *b"#!/b" }),
        (&made[..15], short(15)),
        (&made[..63], short(63)),
        (&narrow[..51], short(51)),
    ] {
        assert_eq!(unfit(bytes), expected, "{}", bytes.len());
    }
    for (at, value) in [(4, 0), (4, 3), (5, 0), (5, 3)] {
        let mut bytes = made.clone();
        bytes[at] = value;
        let Unfit::BadIdent(header) = unfit(&bytes) else { panic!("byte {at} is {value}") };
        assert_eq!((header.ident[at], header.e_type), (value, ET_DYN));
    }
}

#[test]
fn object_files_have_no_segments_and_no_damage() {
    let mut bytes = vec![0; 64];
    bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    bytes[16] = 1;
    let read = facts(&bytes);
    assert_eq!((read.has_load, read.has_dynamic, read.kind()), (false, false, Kind::Other));
    // A size of the headers that do not exist matters to nobody but the loader.
    bytes[54] = 99;
    assert_eq!(facts(&bytes).header.phentsize, 99);
}

#[test]
fn what_a_loader_reads_must_be_there() {
    let made = Made::everything(false, false, Hash::Gnu);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = made.bytes();
        change(&mut bytes);
        damage(&bytes)
    };
    assert_eq!(with(&|b| b[54] = 55), "the size of a program header");
    assert_eq!(with(&|b| b[57] = 0x11), "the number of program headers");
    assert_eq!(with(&|b| b[57] = 0x0f), "the program headers");
    assert_eq!(with(&|b| b[39] = 0x80), "the program headers");
    let asking = |tag, value| Made { values: vec![(tag, value)], ..made.clone() }.bytes();
    assert_eq!(damage(&asking(DT_NEEDED, 1 << 20)), "a string of the dynamic section");
    assert_eq!(damage(&asking(DT_SONAME, u64::MAX)), "a string of the dynamic section");
    assert_eq!(damage(&asking(DT_RPATH, 1 << 40)), "a string of the dynamic section");
    // Only glibc looks at this one, and only in a program.
    assert_eq!(facts(&asking(0x6fff_fefc, 1 << 40)).audit, None);
}

#[test]
fn a_list_of_directories_may_be_longer_than_a_path() {
    for (len, good) in [(4095, true), (4097, true), (1 << 20, true), ((1 << 20) + 1, false)] {
        let name: &'static str = "n".repeat(len).leak();
        let bytes =
            Made { names: vec![(DT_NEEDED, name)], machine: 62, e_type: 3, ..Made::default() }.bytes();
        match good {
            true => assert_eq!(facts(&bytes).needed().next().unwrap().len(), len),
            false => assert_eq!(damage(&bytes), "a string of the dynamic section", "{len}"),
        }
    }
}

#[test]
fn a_dynamic_section_cut_off_in_its_page_ends_there() {
    // Asked of ld.so: what is mapped behind the end of the file is zeros.
    let mut bytes = Made::everything(false, false, Hash::Gnu).bytes();
    bytes.truncate(bytes.len() - 16);
    assert_eq!(facts(&bytes).soname(), Some(&b"libme.so.3"[..]));
}

#[test]
fn the_string_table_ends_where_the_segment_does() {
    // ld.so and musl do not look at DT_STRSZ: this is read as if it were right.
    let mut bytes = Made { values: vec![], ..Made::everything(false, false, Hash::None) }.bytes();
    let tag = 10u64.to_le_bytes();
    let at = (0..bytes.len() - 8).rev().find(|i| bytes[*i..*i + 8] == tag).unwrap();
    bytes[at + 8..at + 16].copy_from_slice(&1u64.to_le_bytes());
    let read = facts(&bytes);
    assert_eq!((read.dynamic.strsz, read.soname()), (1, Some(&b"libme.so.3"[..])));
}

#[test]
fn an_interpreter_is_a_string_the_kernel_takes() {
    type Row = (&'static [u8], Option<&'static [u8]>, bool);
    let rows: [Row; 6] = [
        (b"/lib/ld.so\0", Some(b"/lib/ld.so"), false),
        (b"/lib/ld.so\0\0", Some(b"/lib/ld.so"), false),
        (b"\0\0", Some(b""), false),
        (b"/lib/ld.so", None, true),
        (b"\0", None, true),
        (b"", None, true),
    ];
    for (interp, expected, bad) in rows {
        let bytes = Made { interp: Some(interp), ..Made::everything(false, false, Hash::Gnu) }.bytes();
        let read = facts(&bytes);
        assert_eq!((read.interp(), read.bad_interp), (expected, bad), "{interp:?}");
    }
}

#[test]
fn damaged_notes_are_no_notes() {
    let isa = |align, desc: &[u32]| (align, note(false, align as usize, *b"GNU\0", 5, &words(false, desc)));
    let rows = [
        (isa(8, &[0xc000_8002, 4, 3, 0]), Some(3)),
        (isa(8, &[0xc000_0002, 4, 9, 0, 0xc000_8002, 4, 3, 0]), Some(3)),
        (isa(4, &[0xc000_0002, 4, 9, 0xc000_8002, 4, 3]), Some(3)),
        (isa(8, &[0xc000_8002, 8, 3, 0]), None),
        (isa(8, &[0xc000_0002, 0xffff_fff0, 9, 0]), None),
        (isa(8, &[0xc000_8002]), None),
        ((4, words(false, &[4, 0xffff_fff0, 5, 0x0055_4e47])), None),
        ((4, words(false, &[0xffff_ffff, 16, 5])), None),
        ((4, vec![0; 7]), None),
    ];
    for (index, (bad, expected)) in rows.into_iter().enumerate() {
        let made = Made { notes: vec![bad], ..Made::everything(false, false, Hash::Gnu) };
        assert_eq!(facts(&made.bytes()).isa_needed, expected, "row {index}");
    }
    let arm = Made { machine: 183, ..Made::everything(false, false, Hash::Gnu) };
    assert_eq!(facts(&arm.bytes()).isa_needed, None);
}

#[test]
fn damaged_version_tables_are_empty() {
    let made = Made { needs: vec![], defs: vec![], ..Made::everything(false, false, Hash::None) };
    for (tag, value) in
        [(0x6fff_fffe, 1 << 40), (0x6fff_fffc, 1 << 40), (0x6fff_fffe, BASE), (0x6fff_fffc, BASE)]
    {
        let read = facts(&Made { values: vec![(tag, value)], ..made.clone() }.bytes());
        assert_eq!(read.version_fault, Some("a version table"), "{tag:#x} {value:#x}");
        assert_eq!((read.version_needs.len(), read.version_defs.len()), (0, 0));
        assert_eq!(read.soname(), Some(&b"libme.so.3"[..]));
    }
}

#[test]
fn a_dynamic_section_without_bytes_is_none() {
    // As `objcopy --only-keep-debug` leaves it.
    let mut bytes = Made { interp: None, notes: vec![], ..Made::everything(false, false, Hash::Gnu) }.bytes();
    bytes[64 + 32..64 + 40].fill(0);
    let read = facts(&bytes);
    assert_eq!((read.has_dynamic, read.has_load, read.asks.len()), (false, true, 0));
}

#[test]
fn the_dynamic_section_is_where_its_address_says_up_to_its_end() {
    // Asked of ld.so and musl: an offset elsewhere and a size too small change nothing.
    let plain = Made { interp: None, notes: vec![], ..Made::everything(false, false, Hash::Gnu) }.bytes();
    for (at, value) in [(72, 0x10), (72, u64::MAX), (96, 16), (96, 1), (96, u64::MAX)] {
        let mut bytes = plain.clone();
        bytes[at..at + 8].copy_from_slice(&u64::to_le_bytes(value));
        assert_eq!(facts(&bytes), facts(&plain), "{at} {value:#x}");
    }
    // ldconfig would go by the offset; a loader dies here.
    let mut bytes = plain.clone();
    bytes[80..88].fill(0x7f);
    let mut outside = facts(&bytes);
    assert!(std::mem::take(&mut outside.mapping.is_dynamic_outside));
    assert_eq!(outside, facts(&plain));
}

#[test]
fn runpath_of_nothing_is_empty_and_not_absent() {
    let made = Made { names: vec![(DT_RUNPATH, "")], machine: 62, e_type: 3, ..Made::default() };
    assert_eq!(facts(&made.bytes()).runpath(), Some(&b""[..]));
}

fn told_symbols(bytes: &[u8]) -> String {
    let facts = facts(bytes);
    let symbols = symbols(&bytes, &facts).unwrap();
    assert!(!symbols.partial);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut lines = Vec::new();
    for i in &symbols.imports {
        let version = i.version(&facts).map_or(String::new(), |(v, f)| format!("@{}({})", text(v), text(f)));
        let lazy = if i.lazy { " lazy" } else { "" };
        let weak = if i.weak { " weak" } else { "" };
        lines.push(format!("< {}{version} {:?}{lazy}{weak}", text(symbols.str(i.name)), i.kind));
    }
    for e in &symbols.exports {
        let at = if e.hidden { "@" } else { "@@" };
        let version = e.version(&facts).map_or(String::new(), |v| format!("{at}{}", text(v)));
        lines.push(format!("> {}{version} {:?} {:?}", text(symbols.str(e.name)), e.binding, e.kind));
    }
    lines.join("\n")
}

const IMPORTED: &str = "\
< wanted_call@A_1.0(liba.so.1) Function lazy
< wanted_data@A_2.0(liba.so.1) Data
< wanted_both Function
< wanted_weakly@B_1(libb.so.2) Untyped weak";

const EXPORTED: &str = "
> offered@@ME_1.0 Global Function
> offered_once@@ME_1.0 Unique Data
> stdin@@libme.so.3 Weak Data
> hidden_version@ME_1.0 Global Function";

#[test]
fn symbols_are_those_the_loader_binds() {
    for made in all_kinds() {
        let expected = match made.hash {
            Hash::Gnu | Hash::Sysv => IMPORTED.to_owned() + EXPORTED,
            Hash::None => IMPORTED.to_owned(),
        };
        assert_eq!(told_symbols(&made.bytes()), expected, "narrow {} big {}", made.narrow, made.big);
    }
}

#[test]
fn defines_asks_as_musl_asks() {
    for made in all_kinds() {
        let bytes = made.bytes();
        let facts = facts(&bytes);
        for (name, expected) in [
            ("stdin", true),
            ("offered", true),
            ("wanted_call", false),
            ("hidden_version", false),
            ("", false),
        ] {
            let found = defines(&&bytes[..], &facts, name.as_bytes()).unwrap();
            assert_eq!(found, expected && made.hash != handmade::Hash::None, "{name}");
        }
    }
}
