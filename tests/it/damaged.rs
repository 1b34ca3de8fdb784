//! Damaged and hostile files met by the binary itself, which has 256 MB of
//! address space: it answers, and ends by itself.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output};

use crate::cli::Bench;
use crate::garble;
use crate::handmade::{BASE, Made};

const KILOBYTES: u32 = 256 << 10;

/// More than any machine has, and holes only.
const VAST: u64 = 1 << 36;

const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// A program beside them, which needs one of them.
const TREE: &str = "
/t/m: PROG; NEEDED libd0.so libvast0.so; RUNPATH /d:/v
/t/s \"#!/d/libd1.so\\n\"
mode /t/s 755
/d/
/v/
";

/// What is asked of all of them.
const ASKED: [&[&str]; 6] = [
    &["list", "-v", "/t/m", "/d", "/v"],
    &["list", "--format", "json", "--hwcaps", "all", "/d", "/v"],
    &["why", "/t/m", "libc.so.6"],
    &["collect", "--dry-run", "--needs", "off", "--allow-missing", "/d", "/v", "/t/s", "dist"],
    &["collect", "--allow-missing", "/d", "/t/m", "dist"],
    &["collect", "--allow-missing", "--output", "tar", "/d", "dist.tar"],
];

/// A run that has no more memory than this.
fn run(dir: &Path, args: &[&str]) -> Output {
    let script = format!("ulimit -v {KILOBYTES}; exec \"$0\" \"$@\"");
    let mut sh = Command::new("sh");
    sh.args(["-c", &script]).arg(assert_cmd::cargo::cargo_bin!("depcollect")).args(args);
    sh.current_dir(dir).env_remove("LD_LIBRARY_PATH").output().expect("a shell")
}

/// It says something, and it is no signal that ends it.
fn check(dir: &Path, args: &[&str]) {
    let output = run(dir, args);
    let said = String::from_utf8_lossy(&output.stderr);
    let is_told = !said.contains("panicked") && !said.contains("memory allocation");
    assert!(matches!(output.status.code(), Some(0..=2)) && is_told, "{args:?}: {}\n{said}", output.status);
    assert!(!output.stdout.is_empty() || !said.is_empty(), "{args:?}: not a word");
}

fn check_all(dir: &Path) {
    // What is there already would be compared, holes included.
    let _ = fs::remove_dir_all(dir.join("dist"));
    for args in ASKED {
        check(dir, &[args, &["--root", "root"]].concat());
    }
    check(dir, &["check", "root"]);
}

/// What looks at symbols and constants.
fn check_contents(dir: &Path, top: &str) {
    check(dir, &["list", "-r", top, "--root", "root"]);
    for entry in fs::read_dir(dir.join("root").join(&top[1..])).unwrap() {
        let path = format!("{top}/{}", entry.unwrap().file_name().to_str().unwrap());
        check(dir, &["needs", &path, "--root", "root"]);
    }
}

#[test]
fn damaged_files_take_no_memory_to_speak_of() {
    let bench = Bench::of(TREE);
    let top = bench.dir.path().join("root/d");
    for (number, bytes) in garble::damaged(60).into_iter().enumerate() {
        let path = top.join(format!("libd{number}.so"));
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    check_all(bench.dir.path());
    check_contents(bench.dir.path(), "/d");
}

const DT_NEEDED: u64 = 1;
const DT_HASH: u64 = 4;
const DT_SYMTAB: u64 = 6;
const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;
const DT_STRSZ: u64 = 10;
const DT_SONAME: u64 = 14;
const DT_GNU_HASH: u64 = 0x6fff_fef5;
const DT_VERSYM: u64 = 0x6fff_fff0;
const DT_VERNEED: u64 = 0x6fff_fffe;

/// Where the tables of a vast file stand.
const SYMBOLS: u64 = 1 << 20;
const HASH: u64 = 1 << 30;

/// A file whose only segment is all of it, what its dynamic section says beside
/// the usual, and words in the holes.
type Vast = (&'static [(u64, u64)], &'static [(u64, u32)]);

const FAR: [(u64, u32); 8] = two_names(u32::MAX);
const NEARER: [(u64, u32); 8] = two_names(0x0fff_0000);

const VAST_FILES: [Vast; 8] = [
    (&[], &[]),
    // Two names, as far from each other as a number can say, and some less.
    (&[(DT_SYMTAB, SYMBOLS), (DT_HASH, HASH)], &FAR),
    (&[(DT_SYMTAB, SYMBOLS), (DT_HASH, HASH)], &NEARER),
    // As many symbols as a number can say.
    (&[(DT_SYMTAB, SYMBOLS), (DT_HASH, HASH), (DT_VERSYM, 1 << 32)], &[(HASH, 1), (HASH + 4, u32::MAX)]),
    (&[(DT_SYMTAB, SYMBOLS), (DT_GNU_HASH, HASH)], &[(HASH, u32::MAX), (HASH + 4, 1), (HASH + 8, u32::MAX)]),
    // A relocation of 24 bytes for each byte that there is.
    (&[(DT_SYMTAB, SYMBOLS), (DT_RELA, HASH), (DT_RELASZ, VAST)], &[(HASH + 12, 0xff_ffff)]),
    (&[(DT_STRSZ, u64::MAX), (DT_VERNEED, HASH)], &[(HASH, 0x10001), (HASH + 8, 16), (HASH + 12, 1)]),
    (&[(DT_NEEDED, HASH), (DT_NEEDED, 1 << 35), (DT_SONAME, HASH)], &[]),
];

/// Two symbols: the name of the first stands at 1, that of the second there.
const fn two_names(second: u32) -> [(u64, u32); 8] {
    [
        (HASH, 1),
        (HASH + 4, 3),
        (SYMBOLS + 24, 1),
        (SYMBOLS + 28, 0x10012),
        (SYMBOLS + 32, 1),
        (SYMBOLS + 48, second),
        (SYMBOLS + 52, 0x10012),
        (SYMBOLS + 56, 1),
    ]
}

fn vast(path: &Path, (tags, words): &Vast) {
    let is_place = |tag: u64| ![DT_STRSZ, DT_RELASZ, DT_NEEDED, DT_SONAME].contains(&tag);
    let values = tags.iter().map(|(tag, value)| (*tag, if is_place(*tag) { BASE + value } else { *value }));
    let made = Made { machine: 62, e_type: 3, values: values.collect(), ..Made::default() };
    let mut bytes = made.bytes();
    // The second of two program headers, p_filesz and p_memsz.
    for at in [64 + 56 + 32, 64 + 56 + 40] {
        bytes[at..at + 8].copy_from_slice(&VAST.to_le_bytes());
    }
    let file = File::create(path).unwrap();
    file.set_len(VAST).unwrap();
    file.write_all_at(&bytes, 0).unwrap();
    words.iter().for_each(|(at, word)| file.write_all_at(&word.to_le_bytes(), *at).unwrap());
    file.set_permissions(fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn vast_files_take_no_memory_to_speak_of() {
    let bench = Bench::of(TREE);
    let (dir, root) = (bench.dir.path(), bench.dir.path().join("root"));
    for (number, file) in VAST_FILES.iter().enumerate() {
        vast(&root.join(format!("v/libvast{number}.so")), file);
    }
    check_all(dir);
    // Constants of 64 MB are searched by many rules: too long for every day.
    match std::env::var_os("DEPCOLLECT_FULL") {
        Some(_) => check_contents(dir, "/v"),
        None => ["1", "3", "5"].iter().for_each(|n| {
            check(dir, &["list", "-r", &format!("/v/libvast{n}.so"), "--root", "root"]);
        }),
    }
    // What a run reads besides.
    fs::create_dir_all(root.join("etc")).unwrap();
    let hole = |path: &str| File::create(root.join(path)).unwrap().set_len(VAST).unwrap();
    hole("etc/ld.so.preload");
    check(dir, &["list", "-v", "/t/m", "--root", "root"]);
    fs::remove_file(root.join("etc/ld.so.preload")).unwrap();
    ["etc/ld.so.cache", "etc/ld.so.conf", "etc/os-release", "t/s"].into_iter().for_each(hole);
    check_all(dir);
    vast(&root.join(&LOADER[1..]), &VAST_FILES[0]);
    check_all(dir);
}
