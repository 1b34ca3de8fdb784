//! Data for images from this machine's own files, and from damaged ones.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use depcollect::bytes::ReadAt;
use depcollect::finding::Severity;
use depcollect::job::{CaCerts, User, Zones};
use depcollect::needs::{Asked, Want, Wanted, ca, dirs, locale, nss, tz, users};
use depcollect::plan::merge::by_name::by_name;
use depcollect::root::dir::DirRoot;
use depcollect::root::mem::MemRoot;
use depcollect::root::{DirId, Opened, Root, resolve};

use crate::data::show;
use crate::need::skip;
use crate::rng::Rng;

fn machine() -> DirRoot {
    DirRoot::open(Path::new("/")).unwrap()
}

fn read(root: &dyn Root, path: &str) -> Option<Vec<u8>> {
    let Opened::File(file) = resolve(root, DirId::TOP, path.as_bytes()).ok()?.opened else { return None };
    let mut bytes = vec![0; usize::try_from(file.stat.len).unwrap()];
    let len = file.read_at(&mut bytes, 0).unwrap();
    bytes.truncate(len);
    Some(bytes)
}

/// Each path that is wanted is there, each link made leads to something
/// wanted, and nothing is an error.
fn is_whole(root: &dyn Root, wanted: &Wanted) {
    assert!(wanted.findings.iter().all(|finding| finding.severity < Severity::Error), "{}", show(wanted));
    let paths: Vec<&[u8]> = wanted.wants.iter().filter_map(path_of).collect();
    assert!(!paths.is_empty());
    for path in &paths {
        assert!(resolve(root, DirId::TOP, path).is_ok(), "{}", path.escape_ascii());
    }
    for want in &wanted.wants {
        let Want::Link { at, target } = want else { continue };
        let leads = paths.contains(&&target[..]) || resolve(root, DirId::TOP, at).is_ok();
        assert!(leads, "{}", at.escape_ascii());
    }
}

fn path_of(want: &Want) -> Option<&[u8]> {
    match want {
        Want::Path(path) => Some(path),
        _ => None,
    }
}

#[test]
fn this_machine_has_certificates() {
    let root = machine();
    if read(&root, "/etc/ssl/certs/ca-certificates.crt").is_none() {
        return skip("no package ca-certificates of Debian's or Alpine's");
    }
    let wanted = ca::wanted(&root, &CaCerts::OfRoot, Asked::Typed).unwrap();
    is_whole(&root, &wanted);
    assert!(wanted.wants.contains(&Want::Path(b"/etc/ssl/certs/ca-certificates.crt".into())));
}

/// Every zone that the tables of the machine name is reached by what is wanted.
#[test]
fn this_machine_has_all_its_time_zones() {
    let root = machine();
    let Some(table) = read(&root, "/usr/share/zoneinfo/tzdata.zi") else {
        return skip("no package tzdata");
    };
    let wanted = tz::wanted(&root, &Zones::All, Asked::Typed);
    is_whole(&root, &wanted);
    let paths: Vec<&[u8]> = wanted.wants.iter().filter_map(path_of).collect();
    let reached = |path: &str| {
        let whole = paths.contains(&path.as_bytes());
        whole
            || paths.iter().any(|dir| path.as_bytes().strip_prefix(*dir).is_some_and(|r| r.starts_with(b"/")))
    };
    let mut zones = 0;
    for line in String::from_utf8(table).unwrap().lines() {
        let mut words = line.split(' ');
        let name = match words.next() {
            Some("Z") => words.next(),
            Some("L") => words.nth(1),
            _ => None,
        };
        let Some(path) = name.map(|name| format!("/usr/share/zoneinfo/{name}")) else { continue };
        // Old names may be in a package of their own.
        if read(&root, &path).is_some() {
            assert!(reached(&path), "{path}");
            let one = tz::wanted(&root, &Zones::Named(vec![name.unwrap().into()]), Asked::Typed);
            is_whole(&root, &one);
            zones += 1;
        }
    }
    assert!(zones > 300, "{zones} zones");
}

#[test]
fn this_machine_has_a_locale() {
    let root = machine();
    if read(&root, "/usr/lib/locale/C.utf8/LC_CTYPE").is_none() {
        return skip("no locale C.utf8 of glibc's");
    }
    is_whole(&root, &locale::wanted(&root, &[b"C.UTF-8".to_vec()], Asked::Typed));
}

/// Its status is 1 if it only warns, as it does of the locale POSIX.
fn locale_def(args: &[&str]) -> bool {
    let done = Command::new("localedef").arg("--force").args(args).output();
    done.is_ok_and(|output| matches!(output.status.code(), Some(0 | 1)))
}

/// An archive of glibc's own with two locales in it, and one of them as a directory.
fn packed() -> Option<(Vec<u8>, tempfile::TempDir)> {
    let temp = tempfile::tempdir().unwrap();
    let to = |name: &str| temp.path().join(name).display().to_string();
    fs::create_dir_all(to("usr/lib/locale")).unwrap();
    let prefix = format!("--prefix={}", temp.path().display());
    let made = locale_def(&[&prefix, "-i", "POSIX", "-f", "ANSI_X3.4-1968", "xx"])
        && locale_def(&[&prefix, "-i", "de_DE", "-f", "ISO-8859-15", "de_DE.ISO-8859-15"])
        && locale_def(&["--no-archive", "-i", "de_DE", "-f", "ISO-8859-15", &to("de_DE")]);
    let archive = fs::read(to("usr/lib/locale/locale-archive")).ok().filter(|_| made);
    archive.map(|archive| (archive, temp))
}

fn of_archive(archive: Vec<u8>, name: &str) -> Wanted {
    let mut root = MemRoot::new();
    root.file("/usr/lib/locale/locale-archive", archive);
    locale::wanted(&root, &[name.into()], Asked::Rule)
}

/// The same files as `localedef --no-archive` writes, byte for byte.
#[test]
fn t12_a_locale_is_taken_out_of_the_archive() {
    let Some((archive, temp)) = packed() else {
        return skip("no localedef of glibc's with the sources of locales");
    };
    let wanted = of_archive(archive.clone(), "de_DE.ISO-8859-15");
    assert_eq!(wanted.wants.len(), 12, "{:?}", wanted.findings);
    for want in &wanted.wants {
        let Want::Made { at, bytes, .. } = want else { panic!("a file") };
        let part = at.strip_prefix(b"/usr/lib/locale/de_DE.iso885915/").unwrap();
        let expected = fs::read(temp.path().join("de_DE").join(OsStr::from_bytes(part))).unwrap();
        assert!(*bytes == expected, "{}", part.escape_ascii());
    }
    let other = show(&of_archive(archive, "fr_FR.UTF-8"));
    assert!(
        other.starts_with("warning no-data: --locale: the root has no locale `fr_FR.UTF-8`\n"),
        "{other}"
    );
}

/// Words of four bytes, in either order, as a file that is just large enough.
fn small_archive(is_big: bool, change: impl FnOnce(&mut [u32])) -> Vec<u8> {
    let mut words = vec![0; 14 + 3 + 27];
    // One name, its hash of no matter; the table, the strings, the record.
    words[..8].copy_from_slice(&[0xde02_0109, 1, 56, 1, 1, 176, 8, 8]);
    words[14..17].copy_from_slice(&[7, 176, 68]);
    for category in 0..13 {
        words[18 + 2 * category..][..2].copy_from_slice(&[184, 4]);
    }
    change(&mut words);
    let order = |word: u32| if is_big { word.to_be_bytes() } else { word.to_le_bytes() };
    let mut bytes: Vec<u8> = words.into_iter().flat_map(order).collect();
    bytes.extend(b"xx.utf8\0DATA");
    bytes
}

#[test]
fn an_archive_of_another_machine_is_read_and_a_damaged_one_is_not_believed() {
    let damaged = "warning no-data: --locale: cannot read `/usr/lib/locale/locale-archive`: it is damaged";
    let of = |archive: Vec<u8>| show(&of_archive(archive, "xx.UTF-8"));
    for is_big in [false, true] {
        let whole = of(small_archive(is_big, |_| {}));
        assert!(
            whole.starts_with("made /usr/lib/locale/xx.utf8/LC_CTYPE 644 0:0 Never\n  DATA\n"),
            "{whole}"
        );
        assert_eq!(whole.matches("DATA").count(), 12, "{whole}");
        // The magic, the table's place and size, a record's place, a category's place and length.
        for (word, value) in [(0, 1), (2, 200), (4, u32::MAX), (16, 170), (18, 190), (19, u32::MAX)] {
            let answer = of(small_archive(is_big, |words| words[word] = value));
            assert!(answer.starts_with(damaged), "word {word}: {answer}");
        }
        let other = of(small_archive(is_big, |words| words[15] = u32::MAX));
        assert!(other.starts_with("warning no-data: --locale: the root has no locale"), "{other}");
        // Each category by itself would be in order.
        let mut large = small_archive(is_big, |words| {
            (0..13).for_each(|category| words[19 + 2 * category] = 3 << 20);
        });
        large.resize(4 << 20, b'x');
        assert!(of(large).starts_with(damaged));
        for len in 0..small_archive(is_big, |_| {}).len() {
            let mut cut = small_archive(is_big, |_| {});
            cut.truncate(len);
            assert!(of(cut).starts_with("warning "), "{len} bytes");
        }
    }
}

/// What is read of a root, each as a seed.
const SEEDS: [(&str, &str); 5] = [
    ("/etc/os-release", "NAME=x\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n"),
    ("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n"),
    ("/etc/nsswitch.conf", "passwd: files sss\nhosts: files mdns4_minimal [NOTFOUND=return] dns\n"),
    ("/usr/share/zoneinfo/tzdata.zi", "# version x\nZ Europe/Paris 0 - LMT\nL Europe/Paris Old/Paris\n"),
    ("/etc/ssl/cert.pem", "# x\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
];

fn damage(random: &mut Rng, bytes: &mut Vec<u8>) {
    for _ in 0..=random.below(4) {
        let at = usize::try_from(random.below(bytes.len() as u64 + 1)).unwrap();
        let byte = *b"\0\n\r:\"'= ./-\xffL0".get(usize::try_from(random.below(14)).unwrap()).unwrap();
        match random.below(4) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, byte),
            2 if at < bytes.len() => bytes[at] = byte,
            _ => {
                let copy = bytes[..at].to_vec();
                bytes.extend(copy);
            }
        }
    }
}

/// Whatever the bytes: an answer, only plain places, and the same one again.
#[test]
fn damaged_files_of_a_root_are_survived() {
    for seed in 0..2_000 {
        let mut random = Rng::new(seed);
        let mut root = MemRoot::new();
        root.file("/usr/share/zoneinfo/Europe/Paris", "TZif2")
            .link("/usr/share/zoneinfo/UTC", "Europe/Paris");
        for (path, text) in SEEDS {
            let mut bytes = text.as_bytes().to_vec();
            damage(&mut random, &mut bytes);
            root.file(path, bytes);
        }
        let mut name = b"Old/Paris".to_vec();
        damage(&mut random, &mut name);
        let user = User { name: b"app".into(), uid: 1, gid: 2 };
        let all = || {
            let mut wanted = ca::wanted(&root, &CaCerts::OfRoot, Asked::Rule).unwrap();
            wanted.add(tz::wanted(&root, &Zones::Named(vec![name.clone()]), Asked::Rule));
            wanted.add(locale::wanted(&root, std::slice::from_ref(&name), Asked::Rule));
            wanted.add(users::wanted(&root, &user));
            wanted.add(nss::wanted(&root));
            if let Ok(dirs) = dirs::wanted(&root, std::slice::from_ref(&name), &[], Some(&user)) {
                wanted.add(dirs);
            }
            wanted
        };
        let wanted = all();
        assert_eq!(show(&wanted), show(&all()), "seed {seed}");
        for path in wanted.wants.iter().filter_map(path_of) {
            assert!(path.starts_with(b"/usr/") || path.starts_with(b"/etc/"), "seed {seed}");
            assert!(!path.split(|&b| b == b'/').any(|part| part == b".."), "seed {seed}");
            assert!(resolve(&root, DirId::TOP, path).is_ok(), "seed {seed}");
        }
    }
}

/// What is there is never touched, a second time changes nothing, and every
/// name of ours is there afterwards.
#[test]
fn damaged_lines_of_users_are_merged_or_refused() {
    let mut merges = 0;
    for seed in 0..5_000 {
        let mut random = Rng::new(seed);
        let ours = b"root:x:0:0::/root:\napp:x:1000:1000::/:\n";
        let mut theirs = SEEDS[1].1.as_bytes().to_vec();
        damage(&mut random, &mut theirs);
        let Ok(merged) = by_name(&theirs, ours) else { continue };
        merges += 1;
        assert!(merged.starts_with(&theirs), "seed {seed}");
        assert_eq!(by_name(&merged, ours).as_ref(), Ok(&merged), "seed {seed}");
        for name in [&b"root:"[..], b"app:"] {
            let has = merged.split(|&b| b == b'\n').any(|line| line.trim_ascii_start().starts_with(name));
            assert!(has, "seed {seed}");
        }
    }
    assert!((500..4_900).contains(&merges), "{merges} of 5000 were merged");
}
