//! Archives, as others read them.

use std::process::Command;

use super::*;
use crate::need::skip;

/// Everything that a header has trouble with.
fn hard() -> Wish {
    let long = |n: usize| "d".repeat(n);
    let mut wish = Wish::new();
    wish.rooted("/usr/bin/app", &[7; 1000]).rooted("/empty", b"").rooted("/block", &[1; 512]);
    wish.made(&format!("/{}/{}", long(90), long(95)), b"split", 0o644);
    wish.made(&format!("/{}/{}", long(90), long(101)), b"long name", 0o755);
    wish.made(&format!("/{}/{}", long(160), long(95)), b"long prefix", 0o755);
    wish.made("/opt/größe", b"UTF-8", 0o644).made("/new\nline", b"newline", 0o644);
    wish.link("/short", "usr/bin").link("/long", &format!("/{}", long(120)));
    wish.dir(&format!("/a/{}", long(99)), 0o750).dir("/tmp", 0o1777).made("/bin/su", b"su", 0o4755);
    let binary = ImagePath::parse(b"/bad\xff").unwrap();
    let content = Content::made(b"no UTF-8".to_vec(), Access::of_root(0o600), Merge::Never);
    wish.plan.file(&binary, content, Reason::Program).unwrap();
    wish.plan.link(&ImagePath::parse(b"/worse").unwrap(), &[0xff; 130], Reason::Way).unwrap();
    wish
}

fn unpack(tar: &[u8], into: &Path) -> bool {
    fs::create_dir(into).unwrap();
    let archive = into.with_extension("tar");
    fs::write(&archive, tar).unwrap();
    let mut command = Command::new("tar");
    command.args(["--extract", "--preserve-permissions", "--numeric-owner", "--xattrs", "--file"]);
    let Ok(out) = command.arg(&archive).arg("--directory").arg(into).output() else {
        skip("no tar");
        return false;
    };
    // It knows POSIX' word for names that are no text by its effect alone.
    let said = String::from_utf8_lossy(&out.stderr);
    let said = said.replace("tar: Ignoring unknown extended header keyword 'hdrcharset'\n", "");
    assert!(out.status.success() && said.is_empty(), "{said}");
    true
}

/// Without the fractions, and without the top, which is not in an archive.
fn coarse(dump: &str) -> String {
    let lines = dump.lines().filter(|line| !line.starts_with("/ dir"));
    lines.map(|line| line.replace(".000000005", ".000000000") + "\n").collect()
}

#[test]
fn unpacked_it_is_the_tree_that_is_written_otherwise() {
    let (temp, dist) = temp();
    let file = temp.path().join("file");
    fs::write(&file, "twice").unwrap();
    fs::File::open(&file).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let mut wish = hard();
    wish.host("/first", &file).host("/z/second", &file);
    wish.write(&dist).unwrap();
    let unpacked = temp.path().join("unpacked");
    if unpack(&wish.tar(Options::default()), &unpacked) {
        assert_eq!(coarse(&dump(&unpacked)), coarse(&dump(&dist)));
    }
}

#[test]
fn the_same_plan_gives_the_same_bytes() {
    let bytes = hard().tar(Options::default());
    assert_eq!(bytes, hard().tar(Options { threads: 2, ..Options::default() }));
    assert_eq!(bytes.len() % 512, 0);
    let clamped = hard().tar(Options { epoch: Some(5), ..Options::default() });
    assert_eq!(clamped.len(), bytes.len());
    assert_ne!(clamped, bytes);
}

/// What Python's reader makes of it: it knows all that a header can say.
const LIST: &str = "
import os, sys, tarfile
for t in tarfile.open(sys.argv[1]):
    name, link = os.fsencode(t.name), os.fsencode(t.linkname)
    attributes = {k: v for k, v in t.pax_headers.items() if k.startswith('SCHILY')}
    print(name, t.type, oct(t.mode), t.uid, t.gid, t.size, int(t.mtime), link, attributes)
";

#[test]
fn numbers_that_no_field_holds_are_told() {
    let (temp, _) = temp();
    let mut wish = Wish::new();
    wish.root.file("/owned", b"x");
    let Opened::File(open) = resolve(&wish.root, DirId::TOP, b"/owned").unwrap().opened else {
        panic!("no file")
    };
    let source = Source::Root { path: real("/owned"), stat: open.stat };
    let mut content = Content::of(source, &open.stat, vec![(b"user.note".to_vec(), b"a=b\nc".to_vec())]);
    content.access = Access { mode: 0o644, uid: 3_000_000, gid: 2_097_151 };
    content.mtime = Some((-5, 999));
    wish.plan.file(&at("/owned"), content, Reason::Program).unwrap();
    let archive = temp.path().join("archive");
    fs::write(&archive, wish.tar(Options::default())).unwrap();
    let Ok(out) = Command::new("python3").args(["-c", LIST]).arg(&archive).output() else {
        return skip("no python3");
    };
    assert_eq!(String::from_utf8_lossy(&out.stderr), "");
    assert_eq!(
        String::from_utf8_lossy(&out.stdout),
        "b'owned' b'0' 0o644 3000000 2097151 1 -5 b'' {'SCHILY.xattr.user.note': 'a=b\\nc'}\n"
    );
}

#[test]
fn an_archive_has_its_name_when_it_is_whole() {
    let (temp, _) = temp();
    let path = temp.path().join("image.tar");
    let earlier = Wish::new().made("/earlier", b"one", 0o644).tar(Options::default());
    fs::write(&path, &earlier).unwrap();
    let (wish, gone) = (hard(), temp.path().join("gone"));
    let write = |wish: &Wish| {
        output::tar::write_file(&wish.plan, Sources { root: &wish.root }, &path, Options::default())
    };
    fs::write(&gone, "x").unwrap();
    let mut fails = hard();
    fails.host("/zz", &gone);
    fs::write(&gone, "yy").unwrap();
    assert!(matches!(write(&fails), Err(Failure::Changed { .. })));
    assert_eq!(fs::read(&path).unwrap(), earlier);
    // What a killed run has left is in nobody's way.
    fs::write(temp.path().join(".image.tar.depcollect-stage"), "left").unwrap();
    write(&wish).unwrap();
    assert_eq!(fs::read(&path).unwrap(), wish.tar(Options::default()));
    assert_eq!(beside(&path), ["gone", "image.tar"]);
    // A device stays one.
    output::tar::write_file(
        &wish.plan,
        Sources { root: &wish.root },
        Path::new("/dev/null"),
        Options::default(),
    )
    .unwrap();
    assert!(fs::metadata("/dev/null").unwrap().file_type() != fs::metadata(&path).unwrap().file_type());
}

/// A word was forgotten, and the last one is a program.
#[test]
fn what_is_no_archive_is_spared() {
    let (temp, _) = temp();
    let at = |name: &str| temp.path().join(name);
    fs::write(at("input"), "to be collected").unwrap();
    fs::write(at("other"), "no archive").unwrap();
    fs::write(at("empty"), "").unwrap();
    symlink("other", at("link")).unwrap();
    let mut wish = hard();
    wish.host("/input", &at("input"));
    let write = |name: &str, force: bool| {
        let options = Options { force, ..Options::default() };
        let done = output::tar::write_file(&wish.plan, Sources { root: &wish.root }, &at(name), options);
        done.map_or_else(
            |failure| failure.to_string().replace(&format!("{}", temp.path().display()), ""),
            |_| "written".into(),
        )
    };
    for (name, force, expected) in [
        ("input", false, "cannot write `/input`: it is to be collected"),
        ("input", true, "cannot write `/input`: it is to be collected"),
        ("other", false, "cannot write `/other`: it is a file, and no tar archive"),
        ("link", false, "cannot write `/link`: it is a file, and no tar archive"),
        ("empty", false, "written"),
        ("empty", false, "written"),
        ("link", true, "written"),
    ] {
        assert_eq!(write(name, force), expected, "{name}, {force}");
    }
    assert_eq!(fs::read(at("input")).unwrap(), b"to be collected");
    // The link stays one.
    assert_eq!(fs::read_link(at("link")).unwrap(), Path::new("other"));
    assert_eq!(fs::read(at("other")).unwrap(), wish.tar(Options::default()));
}
