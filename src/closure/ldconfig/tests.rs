use super::*;
use crate::elf::{Class, Order};
use crate::root::mem::MemRoot;

const X86_64: Target = Target { class: Class::Elf64, order: Order::Little, machine: 62, flags: 0 };

/// The directories of a configuration, joined; files as `PATH`, text.
fn dirs(files: &[(&str, &str)]) -> String {
    let mut root = MemRoot::new();
    root.dir("/a").dir("/b").dir("/c");
    for (path, text) in files {
        root.file(path, *text);
    }
    let setup = Setup { version: Version(2, 36), target: X86_64, conf: b"/etc/ld.so.conf", builtin: &[] };
    let mut run = Run::new(&root, &setup);
    let dirs: Vec<String> =
        config::dirs(&mut run).iter().map(|dir| dir.path.escape_ascii().to_string()).collect();
    let messages = run.findings.iter().map(|f| f.message.escape_ascii().to_string());
    dirs.into_iter().chain(messages).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_configuration_is_read_depth_first() {
    let conf = "/etc/ld.so.conf";
    #[rustfmt::skip]
    let rows: &[(&[(&str, &str)], &str)] = &[
        (&[], ""),
        (&[(conf, "/a\n/b\n/a")], "/a /b /a"),
        (&[(conf, "/a\ninclude d/*.conf\n/b"), ("/etc/d/2.conf", "/2"), ("/etc/d/10.conf", "/10")], "/a /10 /2 /b"),
        (&[(conf, "include d/x"), ("/etc/d/x", "include y"), ("/etc/d/y", "/y"), ("/etc/y", "/no")], "/y"),
        (&[(conf, "include nowhere /etc/d/* /etc/d"), ("/etc/d/.x", "/no")], ""),
        (&[(conf, "include */x"), ("/etc/b/x", "/b"), ("/etc/a/x", "/a"), ("/etc/a/y", "/no")], "/a /b"),
        (&[(conf, "include */x"), ("/etc/b/x", "/b"), ("/etc/b.c/x", "/c")], "/c /b"),
        (&[(conf, "include d/x/"), ("/etc/d/x", "/no")], ""),
    ];
    for (n, (files, expected)) in rows.iter().enumerate() {
        assert_eq!(dirs(files), *expected, "row {n}");
    }
}

/// The real one goes on until it may open no more files; the directories are
/// the same.
#[test]
fn a_configuration_that_includes_itself_comes_to_an_end() {
    let conf = "/etc/ld.so.conf";
    assert_eq!(dirs(&[(conf, "/a\ninclude ld.so.conf\n/b")]), "/a /b");
    let each = "include /etc/d/*\n/b";
    let files = [(conf, each), ("/etc/d/1", each), ("/etc/d/2", each), ("/etc/d/3", each)];
    assert!(dirs(&files).ends_with("/b"));
    let spelled = dirs(&[(conf, "/a\ninclude ../etc/ld.so.conf\n/b")]);
    assert!(spelled.contains("too many files"), "{spelled}");
}

#[test]
fn the_siblings_of_a_system_directory() {
    let shown = |target: Target, dir: &str, debian| {
        let dirs = builtin_dirs(&target, &[dir.as_bytes()], debian);
        dirs.iter().map(|dir| dir.escape_ascii().to_string()).collect::<Vec<_>>().join(" ")
    };
    let of = |machine, class| Target { machine, class, ..X86_64 };
    #[rustfmt::skip]
    let rows = [
        (X86_64, "/lib64/", false, "/lib /lib64 /libx32"),
        (X86_64, "/usr/lib", false, "/usr/lib /usr/lib64 /usr/libx32"),
        (X86_64, "/libx32", false, "/lib /lib64 /libx32"),
        (X86_64, "/lib64", true, "/lib64"),
        (X86_64, "/gnu/store/x/lib", false, "/gnu/store/x/lib /gnu/store/x/lib64 /gnu/store/x/libx32"),
        (X86_64, "/opt/x", false, "/opt/x"),
        (of(183, Class::Elf64), "/lib64", false, "/lib /lib64"),
        (of(3, Class::Elf32), "/lib", false, "/lib"),
        (of(243, Class::Elf64), "/lib64/lp64d", false, "/lib /lib32/ilp32 /lib32/ilp32d /lib64/lp64 /lib64/lp64d"),
    ];
    for (target, dir, debian, expected) in rows {
        assert_eq!(shown(target, dir, debian), expected, "{dir}");
    }
}

#[test]
fn names_that_are_looked_at() {
    let rows = [
        ("libx.so", true),
        ("libx.so.1", true),
        ("libG.so.bak", true),
        ("ld-2.31.so", true),
        ("ld.so.1", true),
        ("ld64.so.2", true),
        ("mylibB.so", false),
        (".libI.so", false),
        ("libx.a", false),
        ("ld.so", false),
        ("libx.so.#prelink#", false),
        ("libx.so.#prelink#.a1B2c3", false),
        ("libx.so.#prelink#.a1B2c", true),
    ];
    for (name, expected) in rows {
        let name = name.as_bytes();
        let version = Version(2, 36);
        let found = library::is_library_name(name, version) && !library::is_temporary(name, version);
        assert_eq!(found, expected, "{}", name.escape_ascii());
    }
    for name in [b"libx.so;5f".as_slice(), b"libx.so.dpkg-new", b"libx.so.dpkg-tmp"] {
        assert_eq!([Version(2, 38), Version(2, 39)].map(|v| library::is_temporary(name, v)), [false, true]);
    }
    assert!(!library::is_library_name(b"ld.so.1", Version(2, 31)));
}

#[test]
fn two_files_of_one_key_and_their_types() {
    // Unmarked, libc5, libc6, x86-64.
    for (old, new, expected) in [(1, 3, 3), (3, 1, 1), (1, 2, 2), (2, 3, 2), (3, 0x303, 3), (0x303, 1, 0x303)]
    {
        assert_eq!(scan::merged(old, new), expected, "{old:x} {new:x}");
    }
}
