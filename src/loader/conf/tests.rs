use super::*;

/// One line as text: what ldconfig makes of it.
fn shown(line: &[u8], version: Version) -> String {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    match parse(line, version).as_slice() {
        [] => "-".into(),
        [Line::Include(patterns)] => {
            format!("include {}", patterns.iter().map(|p| text(p)).collect::<Vec<_>>().join(" | "))
        }
        [Line::Hwcap] => "hwcap".into(),
        [Line::Dir(dir)] => format!("dir {} {:?}", text(&dir.path), dir.kind),
        more => format!("{} lines", more.len()),
    }
}

#[test]
fn each_line_of_a_configuration() {
    let (old, new) = (Version(2, 36), Version(2, 37));
    #[rustfmt::skip]
    let rows: &[(&[u8], Version, &str)] = &[
        (b"", new, "-"),
        (b" \t\r", new, "-"),
        (b"# /a", new, "-"),
        (b"  #", new, "-"),
        (b"/a", new, "dir /a Any"),
        (b"\t /a/// \t\r", new, "dir /a Any"),
        (b"/a / ", new, "dir /a  Any"),
        (b"/six dir", new, "dir /six dir Any"),
        (b"/a#b", new, "dir /a Any"),
        (b"/a\0b", new, "dir /a Any"),
        (b"/", new, "-"),
        (b"//", new, "-"),
        (b"relative/x", new, "dir relative/x Any"),
        (b"/x=libc6", new, "dir /x=libc6 Any"),
        (b"/x=libc6", old, "dir /x Libc6"),
        (b"/x =glibc2", old, "dir /x Libc6"),
        (b"/x/=libc5", old, "dir /x Libc5"),
        (b"/x=libc4", old, "dir /x Libc4"),
        (b"/x=y=libc6", old, "dir /x Any"),
        (b"/x=libc6 ", old, "dir /x Any"),
        (b"=libc6", old, "-"),
        (b"include a", new, "include a"),
        (b"include\ta b\t\tc # d", new, "include a | b | c"),
        (b" include /e/*.conf\r", new, "include /e/*.conf\\r"),
        (b"include ", new, "include "),
        (b"include", new, "dir include Any"),
        (b"includes a", new, "dir includes a Any"),
        (b"Include a", new, "dir Include a Any"),
        (b"hwcap 1 x", new, "hwcap"),
        (b"HWCAP\t1", new, "hwcap"),
        (b"hwcap", new, "dir hwcap Any"),
        (b"/a\n\n/b", new, "2 lines"),
    ];
    for &(line, version, expected) in rows {
        assert_eq!(shown(line, version), expected, "{}", line.escape_ascii());
    }
}

#[test]
fn a_pattern_and_the_names_it_matches() {
    #[rustfmt::skip]
    let rows: &[(&[u8], &[u8], bool)] = &[
        (b"", b"", true),
        (b"a", b"a", true),
        (b"a", b"ab", false),
        (b"ab", b"a", false),
        (b"*", b"", true),
        (b"*", b"abc", true),
        (b"*", b".abc", false),
        (b".*", b".abc", true),
        (b"\\.*", b".abc", true),
        (b"?abc", b".abc", false),
        (b"[.]abc", b".abc", false),
        (b"a*.conf", b"a.b.conf", true),
        (b"a*.conf", b"a.conf.d", false),
        (b"*a*b*c", b"xaxbxcxc", true),
        (b"*a*b*c", b"xaxbxcx", false),
        (b"**", b"x", true),
        (b"a?c", b"abc", true),
        (b"a?c", b"ac", false),
        (b"[a-c]x", b"bx", true),
        (b"[a-c]x", b"dx", false),
        (b"[!a-c]x", b"dx", true),
        (b"[^a-c]x", b"bx", false),
        (b"[]]", b"]", true),
        (b"[!]]", b"]", false),
        (b"[!]]", b"a", true),
        (b"[a-]", b"-", true),
        (b"[-a]", b"-", true),
        (b"[\\]]", b"]", true),
        (b"[\\a-\\c]", b"b", true),
        (b"[c-a]", b"b", false),
        (b"[[:digit:]x]", b"7", true),
        (b"[[:digit:]x]", b"x", true),
        (b"[[:digit:]x]", b"y", false),
        (b"[ab", b"[ab", true),
        (b"[ab", b"a", false),
        (b"\\*", b"*", true),
        (b"\\*", b"x", false),
        (b"\\a", b"a", true),
        (b"a\\", b"a", false),
    ];
    for &(pattern, name, expected) in rows {
        let case = format!("{} {}", pattern.escape_ascii(), name.escape_ascii());
        assert_eq!(matches(pattern, name), expected, "{case}");
    }
}

#[test]
fn a_preload_file_names_objects() {
    #[rustfmt::skip]
    let rows: &[(&[u8], &[&[u8]])] = &[
        (b"", &[]),
        (b"/a.so", &[b"/a.so"]),
        (b"/a.so /b.so\n/c.so:/d.so\t:\n", &[b"/a.so", b"/b.so", b"/c.so", b"/d.so"]),
        (b"# all\n/a.so # /b.so\n/c.so", &[b"/a.so", b"/c.so"]),
        (b"/a.so\0x /b.so\n", &[b"/a.so"]),
        (b"/a.so\0x /b.so\0y", &[b"/a.so", b"/b.so"]),
        (b"/a.so\0x", &[b"/a.so"]),
        (b"# all\n/a.so # /b.so\n#\n/c.so#x", &[b"/a.so", b"#", b"/c.so#x"]),
    ];
    for &(bytes, expected) in rows {
        assert_eq!(parse_preload(bytes), expected, "{}", bytes.escape_ascii());
    }
}
