//! Places that are hard to write to, and runs that meet.

use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

use super::*;
use crate::need::skip;

const BINARY: &str = env!("CARGO_BIN_EXE_depcollect");

const NOBODY: u32 = 65534;

/// A root with one directory of data, and the program that collects it.
struct Source {
    temp: tempfile::TempDir,
}

impl Source {
    fn new(files: &[(&[u8], usize)]) -> Source {
        let temp = tempfile::tempdir().unwrap();
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let data = temp.path().join("root/data");
        fs::create_dir_all(&data).unwrap();
        for (name, len) in files {
            fs::write(data.join(std::ffi::OsStr::from_bytes(name)), vec![7; *len]).unwrap();
        }
        Source { temp }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    fn command(&self, dist: &Path) -> Command {
        let mut command = Command::new(BINARY);
        command.arg("--quiet").arg("--root").arg(self.path("root")).args(["--include", "/data"]).arg(dist);
        command
    }

    fn collect(&self, dist: &Path) -> Output {
        self.command(dist).output().unwrap()
    }
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        skip("not root");
    }
    is_root
}

/// A small file system of its own, gone with its name space.
fn in_mount(options: &str, at: &Path, script: &str) -> Option<Output> {
    if !is_root() {
        return None;
    }
    fs::create_dir_all(at).unwrap();
    let script = format!("mount -t tmpfs -o {options} none {0} && cd {0} && {script}", at.display());
    let mut command = Command::new("unshare");
    let output = command.args(["--mount", "sh", "-ec", &script]).output();
    let output = output.ok().filter(|output| !told(output).contains("unshare"));
    if output.is_none() {
        skip("no mount name space");
    }
    output
}

#[test]
fn a_full_disk_keeps_what_it_held() {
    let source = Source::new(&[(b"big", 3 << 20), (b"small", 10)]);
    let collect = format!("{BINARY} -q --root {} --include /data", source.path("root").display());
    let script = format!(
        "mkdir dist; echo mine > dist/mine; {collect} --force dist && exit 9; {collect} new && exit 9; \
         find . | sort; rm dist/mine"
    );
    let Some(output) = in_mount("size=1m", &source.path("mount"), &script) else { return };
    assert_eq!(String::from_utf8_lossy(&output.stdout), ".\n./dist\n./dist/mine\n", "{}", told(&output));
    assert_eq!(
        told(&output),
        "depcollect: error: cannot write `dist/data/big`: No space left on device\n\
         depcollect: error: cannot write `new/data/big`: No space left on device\n"
            .replace("`dist", &format!("`{}/dist", source.path("mount").display()))
            .replace("`new", &format!("`{}/new", source.path("mount").display()))
    );
}

#[test]
fn a_disk_that_is_only_read_is_told() {
    let source = Source::new(&[(b"a", 10)]);
    let collect = format!("{BINARY} -q --root {} --include /data", source.path("root").display());
    let script =
        format!("mkdir dist; mount -o remount,ro .; {collect} dist || echo $?; {collect} new || echo $?");
    let Some(output) = in_mount("size=1m", &source.path("mount"), &script) else { return };
    assert_eq!(String::from_utf8_lossy(&output.stdout), "2\n2\n");
    let told = told(&output);
    assert!(told.contains("dist/.depcollect-stage`: Read-only file system"), "{told}");
    assert!(told.contains("/.new.depcollect-stage`: Read-only file system"), "{told}");
}

#[test]
fn another_file_system_gets_the_same_tree() {
    let source = Source::new(&[(b"a", 10), (b"b", 200_000)]);
    let here = source.path("here");
    assert!(source.collect(&here).status.success());
    let collect = format!("{BINARY} -q --root {} --include /data", source.path("root").display());
    let script = format!("{collect} dist; diff -r dist {}; stat -c '%y %a' dist/data/b", here.display());
    let Some(output) = in_mount("size=10m", &source.path("mount"), &script) else { return };
    let stat = Command::new("stat").args(["-c", "%y %a"]).arg(here.join("data/b")).output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(output.stdout, stat.stdout);
}

#[test]
fn somebody_else_owns_what_he_writes() {
    if !is_root() {
        return;
    }
    let source = Source::new(&[(b"a", 10), (b"setuid", 10)]);
    let data = source.path("root/data");
    fs::set_permissions(data.join("setuid"), fs::Permissions::from_mode(0o4755)).unwrap();
    let mine = source.path("mine");
    fs::create_dir(&mine).unwrap();
    let run = |dist: &Path| {
        let mut command = source.command(dist);
        command.uid(NOBODY).gid(NOBODY).current_dir("/").output().unwrap()
    };
    // In a directory of root's nothing can be made.
    let output = run(&mine.join("dist"));
    assert_eq!(output.status.code(), Some(2));
    let stage = mine.join(".dist.depcollect-stage");
    assert!(told(&output).contains(&format!("cannot create `{}`: Permission denied", stage.display())));
    std::os::unix::fs::chown(&mine, Some(NOBODY), Some(NOBODY)).unwrap();
    let output = run(&mine.join("dist"));
    assert!(output.status.success(), "{}", told(&output));
    let dump = dump(&mine.join("dist"));
    let lines: Vec<&str> = dump.lines().filter(|line| line.contains(" file ")).collect();
    assert!(lines[0].starts_with("/data/a file 644 65534:65534 "), "{dump}");
    assert!(lines[1].starts_with("/data/setuid file 755 65534:65534 "), "{dump}");
    assert!(!dump.contains(" 0:0 "), "{dump}");
    // A second run has nothing to do, although root's bits are not there.
    let inode = || fs::metadata(mine.join("dist/data/setuid")).unwrap().ino();
    let before = inode();
    assert!(run(&mine.join("dist")).status.success());
    assert_eq!(inode(), before);
}

#[test]
fn a_home_that_only_root_can_give_away_is_told() {
    if !is_root() {
        return;
    }
    let source = Source::new(&[(b"a", 10)]);
    let mine = source.path("mine");
    fs::create_dir(&mine).unwrap();
    std::os::unix::fs::chown(&mine, Some(NOBODY), Some(NOBODY)).unwrap();
    let run = |args: &[&str], uid: u32| {
        let mut command = Command::new(BINARY);
        command.arg("--root").arg(source.path("root")).args(["--include", "/data", "--user=web:1000"]);
        told(&command.args(args).current_dir(&mine).uid(uid).gid(uid).output().unwrap())
    };
    let line = "depcollect: warning: /home/web: it is ours, though another user is to own it: \
        only root can set that, or --output tar\n";
    // Each run says so, also one that finds everything there.
    for _ in 0..2 {
        let said = run(&["dist"], NOBODY);
        assert_eq!(said.matches("/home/web").count(), 1, "{said}");
        assert!(said.contains(line), "{said}");
    }
    let said = [run(&["--output", "tar", "archive"], NOBODY), run(&["other"], 0)];
    assert!(said.iter().all(|said| !said.contains("/home/web") && said.contains("written to")), "{said:?}");
}

#[test]
fn one_run_at_a_time_writes_a_tree() {
    let source = Source::new(&[(b"a", 10)]);
    let dist = source.path("dist");
    let refused = |output: &Output| {
        assert_eq!(output.status.code(), Some(2));
        let expected = format!("cannot write `{}`: another depcollect is writing it", dist.display());
        assert!(told(output).contains(&expected), "{}", told(output));
    };
    // Where nothing is, the directory beside it is locked.
    let stage = source.path(".dist.depcollect-stage");
    fs::create_dir(&stage).unwrap();
    let lock = fs::File::open(&stage).unwrap();
    lock.lock().unwrap();
    refused(&source.collect(&dist));
    assert!(stage.is_dir());
    drop(lock);
    assert!(source.collect(&dist).status.success());
    assert!(!stage.exists());
    let lock = fs::File::open(&dist).unwrap();
    lock.lock().unwrap();
    refused(&source.collect(&dist));
}

#[test]
fn names_may_be_any_bytes() {
    let names: [&[u8]; 4] = [b"new\nline", b"bad\xff\xfe", b"-rf", "größe".as_bytes()];
    let source = Source::new(&names.map(|name| (name, 10)));
    let dist = source.path("dist");
    for _ in 0..2 {
        assert!(source.collect(&dist).status.success());
        for name in names {
            let path = dist.join("data").join(std::ffi::OsStr::from_bytes(name));
            assert_eq!(fs::read(path).unwrap(), [7; 10]);
        }
    }
    let bad = dist.join("data").join(std::ffi::OsStr::from_bytes(names[0]));
    fs::write(bad, "other").unwrap();
    let output = source.collect(&dist);
    assert!(told(&output).contains("cannot write `/data/new\\nline` in DIST: another file stands there"));
}

#[test]
fn many_files_are_no_trouble() {
    let temp = tempfile::tempdir().unwrap();
    let mut wish = Wish::new();
    let all = std::env::var_os("DEPCOLLECT_REQUIRE_ALL").is_some_and(|v| v == "1");
    let many: u32 = if all { 50_000 } else { 5_000 };
    for n in 0..many {
        wish.rooted(&format!("/d{}/e{}/f{n}", n % 7, n % 1000), n.to_string().as_bytes());
    }
    let dist = temp.path().join("dist");
    let done = wish.write(&dist).unwrap();
    assert_eq!(done.files_written, many as usize);
    for n in [0, 777, many - 1] {
        let path = dist.join(format!("d{}/e{}/f{n}", n % 7, n % 1000));
        assert_eq!(fs::read(path).unwrap(), n.to_string().as_bytes());
    }
    assert_eq!(wish.write(&dist).unwrap().files_written, 0);
}

#[test]
fn holes_stay_holes() {
    let temp = tempfile::tempdir().unwrap();
    let (file, dist) = (temp.path().join("file"), temp.path().join("dist"));
    let sparse = fs::File::create(&file).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"middle", 5 << 20).unwrap();
    sparse.set_len(10 << 20).unwrap();
    if sparse.metadata().unwrap().blocks() > 1000 {
        return skip("a file system without holes");
    }
    let mut wish = Wish::new();
    wish.host("/file", &file);
    wish.write(&dist).unwrap();
    let copy = fs::metadata(dist.join("file")).unwrap();
    assert_eq!(copy.blocks(), fs::metadata(&file).unwrap().blocks());
    assert!(fs::read(&file).unwrap() == fs::read(dist.join("file")).unwrap());
}

#[test]
fn a_source_that_changed_is_no_tree() {
    let (temp, dist) = temp();
    let file = temp.path().join("file");
    fs::write(&file, "before").unwrap();
    let mut wish = Wish::new();
    wish.host("/file", &file).made("/other", b"x", 0o644);
    fs::write(&file, "after that").unwrap();
    let failure = wish.write(&dist).unwrap_err();
    let expected = format!("cannot copy `{}`: it changed while it was being copied", file.display());
    assert_eq!(failure.to_string(), expected);
    assert_eq!(beside(&dist), ["file"]);
    fs::remove_file(&file).unwrap();
    let failure = wish.write(&dist).unwrap_err();
    assert_eq!(failure.to_string(), format!("cannot open `{}`: No such file or directory", file.display()));
}

#[test]
fn nothing_is_newer_than_the_epoch() {
    let (temp, dist) = temp();
    let (old, new) = (temp.path().join("old"), temp.path().join("new"));
    fs::write(&old, "old").unwrap();
    fs::write(&new, "new").unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::new(500, 7);
    fs::File::open(&old).unwrap().set_modified(time).unwrap();
    let mut wish = Wish::new();
    wish.host("/old", &old).host("/new", &new).made("/made", b"x", 0o644).link("/link", "old");
    wish.write_with(&dist, Options { epoch: Some(1000), ..Options::default() }).unwrap();
    let text = dump(&dist);
    let times: Vec<&str> = text.lines().map(|line| line.split(' ').nth(4).unwrap()).collect();
    assert_eq!(times[..4], ["1000.000000000"; 4]);
    assert_eq!(times[4], "500.000000007");
}

#[test]
fn attributes_and_capabilities_go_along() {
    let (temp, dist) = temp();
    let file = temp.path().join("file");
    fs::write(&file, "x").unwrap();
    let open = fs::File::open(&file).unwrap();
    let set = |name: &str, value: &[u8]| {
        rustix::fs::fsetxattr(&open, name, value, rustix::fs::XattrFlags::empty()).is_ok()
    };
    if !set("user.note", b"a note") {
        return skip("a file system without attributes");
    }
    // cap_net_bind_service=ep
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let is_capable = set("security.capability", &capability);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o4555)).unwrap();
    let mut wish = Wish::new();
    wish.host("/file", &file);
    assert_eq!(wish.write(&dist).unwrap().dropped, []);
    let line = |path: &Path| super::line(path.parent().unwrap(), path).split_once(' ').unwrap().1.to_owned();
    assert_eq!(line(&dist.join("file")), line(&file));
    assert_eq!(line(&file).contains("security.capability"), is_capable, "{}", line(&file));
    assert_eq!(wish.write(&dist).unwrap().files_written, 0);
}
