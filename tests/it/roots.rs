//! What a root does with things that are no plain files, that are forbidden,
//! too many, too deep, or gone.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use depcollect::bytes::ReadAt;
use depcollect::root::dir::DirRoot;
use depcollect::root::mem::MemRoot;
use depcollect::root::walk::{HEAD, Visit, everywhere, except_kernel_trees, walk};
use depcollect::root::{DirId, ItemKind, Opened, Root, resolve, resolve_dir};
use rustix::fs::{CWD, FileType, Mode, OFlags, mkdirat, mknodat, openat};
use rustix::io::Errno;
use rustix::process::{Gid, Uid, geteuid};

fn read(root: &dyn Root, path: &str) -> Vec<u8> {
    let resolved = resolve(root, DirId::TOP, path.as_bytes()).unwrap();
    let Opened::File(file) = resolved.opened else { panic!("{path} is no file") };
    let mut bytes = vec![0; 100];
    let n = file.read_at(&mut bytes, 0).unwrap();
    bytes.truncate(n);
    bytes
}

fn errno<T: std::fmt::Debug>(result: std::io::Result<T>) -> Errno {
    Errno::from_io_error(&result.unwrap_err()).unwrap()
}

#[test]
fn a_directory_beyond_the_limit_is_opened_again() {
    let temp = tempfile::tempdir().unwrap();
    for n in 0..20 {
        let dir = temp.path().join(format!("{n}/a/b/c/d"));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("file"), n.to_string()).unwrap();
        symlink(format!("../../{n}/./a"), temp.path().join(format!("{n}/link"))).unwrap();
    }
    for keep in [0, 1, 7, 1000] {
        let root = DirRoot::open_keeping(temp.path(), keep).unwrap();
        for n in (0..20).chain(0..20) {
            assert_eq!(read(&root, &format!("{n}/link/b/../b/c/d/file")), n.to_string().as_bytes());
            let (dir, _) = resolve_dir(&root, DirId::TOP, format!("{n}/a/b/c").as_bytes()).unwrap();
            assert_eq!(root.list(dir).unwrap()[0].name, b"d");
            assert_eq!(root.real_path(dir).as_bytes(), format!("/{n}/a/b/c").as_bytes());
        }
    }
}

#[test]
fn threads_agree_on_the_directories() {
    let temp = tempfile::tempdir().unwrap();
    let paths: Vec<_> = (0..200).map(|n| format!("{}/{}/{n}", n % 3, n % 7)).collect();
    for path in &paths {
        fs::create_dir_all(temp.path().join(path)).unwrap();
    }
    let root = DirRoot::open_keeping(temp.path(), 20).unwrap();
    let all = || -> Vec<DirId> {
        paths.iter().map(|path| resolve_dir(&root, DirId::TOP, path.as_bytes()).unwrap().0).collect()
    };
    let ids = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(all)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(ids.iter().all(|one| *one == ids[0]));
    assert_eq!(ids[0].iter().collect::<BTreeSet<_>>().len(), paths.len());
}

#[test]
fn nothing_waits_for_a_fifo() {
    let temp = tempfile::tempdir().unwrap();
    for (name, kind) in [("fifo", FileType::Fifo), ("socket", FileType::Socket)] {
        mknodat(CWD, temp.path().join(name), kind, Mode::from(0o600), 0).unwrap();
    }
    let root = DirRoot::open(temp.path()).unwrap();
    for (name, expected) in [("fifo", "FIFO"), ("socket", "socket")] {
        let opened = resolve(&root, DirId::TOP, name.as_bytes()).unwrap().opened;
        assert!(matches!(opened, Opened::Special(what) if what == expected), "{name}: {opened:?}");
    }
    let dev = DirRoot::open(Path::new("/dev")).unwrap();
    let opened = resolve(&dev, DirId::TOP, b"null").unwrap().opened;
    assert!(matches!(opened, Opened::Special("character device")), "{opened:?}");

    assert!(root.list(DirId::TOP).unwrap().iter().all(|item| item.kind == ItemKind::Special));
    walk(&root, DirId::TOP, 1, &everywhere, &|found| panic!("{found:?}"));
}

#[test]
fn names_are_bytes() {
    let temp = tempfile::tempdir().unwrap();
    let names: [&[u8]; 4] = [b"\xff\x80", b"a\nb", b" ", b"\x1b[31m"];
    for name in names {
        fs::write(temp.path().join(OsStr::from_bytes(name)), name).unwrap();
    }
    let root = DirRoot::open(temp.path()).unwrap();
    let listed: Vec<_> = root.list(DirId::TOP).unwrap().into_iter().map(|item| item.name).collect();
    assert_eq!(listed, [&b"\x1b[31m"[..], b" ", b"a\nb", b"\xff\x80"]);
    for name in names {
        let resolved = resolve(&root, DirId::TOP, name).unwrap();
        assert_eq!(resolved.real_path(&root).as_bytes(), [b"/", name].concat());
    }
    assert_eq!(errno(resolve(&root, DirId::TOP, b"a\0b")), Errno::INVAL);
}

/// The same modes on disk, as somebody who is not root, and in memory.
#[test]
fn what_is_forbidden_is_an_error() {
    let temp = tempfile::tempdir().unwrap();
    let mut memory = MemRoot::new();
    let chmod = |path: &str, mode| {
        fs::set_permissions(temp.path().join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    chmod("", 0o755);
    let modes = [("shut", 0o000), ("names", 0o444), ("blind", 0o111), ("open", 0o755)];
    for (dir, mode) in modes {
        for file in ["f", "sub/g"] {
            let path = temp.path().join(dir).join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "text").unwrap();
            memory.file(format!("{dir}/{file}"), "text");
        }
        memory.mode(dir, mode);
        chmod(dir, mode);
    }
    fs::write(temp.path().join("open/dark"), "").unwrap();
    chmod("open/dark", 0);
    memory.file("open/dark", "").mode("open/dark", 0);

    std::thread::scope(|scope| {
        scope.spawn(|| {
            become_nobody();
            let disk = DirRoot::open(temp.path()).unwrap();
            for (dir, _) in modes {
                same_refusals(&disk, &memory, dir);
            }
            assert_eq!(unread(&disk), ["/blind", "/names/f", "/names/sub", "/open/dark", "/shut"]);
        });
    });
    for (dir, _) in modes {
        chmod(dir, 0o755);
    }
}

fn same_refusals(disk: &DirRoot, memory: &MemRoot, dir: &str) {
    for below in ["", "/", "/.", "/..", "/f", "/f/", "/sub", "/sub/g", "/none", "/dark", "/../open/f"] {
        let path = format!("{dir}{below}");
        let ask = |root: &dyn Root| {
            let resolved = resolve(root, DirId::TOP, path.as_bytes());
            resolved.map(|r| r.real_path(root)).map_err(|e| Errno::from_io_error(&e).unwrap())
        };
        assert_eq!(ask(disk), ask(memory), "{path}");
    }
    let list = |root: &dyn Root| {
        let (id, _) = resolve_dir(root, DirId::TOP, dir.as_bytes()).unwrap();
        root.list(id).map_err(|e| Errno::from_io_error(&e).unwrap())
    };
    assert_eq!(list(disk), list(memory), "{dir}");
}

/// This thread, not the process, gives up its privileges.
fn become_nobody() {
    if geteuid().is_root() {
        let (uid, gid) = (Uid::from_raw(65534), Gid::from_raw(65534));
        rustix::thread::set_thread_res_gid(gid, gid, gid).unwrap();
        rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
    }
}

/// What a walk could not read; all of it is forbidden.
fn unread(root: &DirRoot) -> Vec<String> {
    let paths = Mutex::new(BTreeSet::new());
    walk(root, DirId::TOP, 1, &everywhere, &|found| {
        if let Visit::Unread { path, error } = found {
            assert_eq!(Errno::from_io_error(&error), Some(Errno::ACCESS), "{path:?}");
            paths.lock().unwrap().insert(format!("{path:?}"));
        }
    });
    paths.into_inner().unwrap().into_iter().collect()
}

/// `path head` of everything a walk finds.
fn walked(root: &DirRoot, start: DirId, threads: usize) -> Vec<String> {
    let found = Mutex::new(Vec::new());
    walk(root, start, threads, &everywhere, &|visit| {
        let Visit::File(file) = visit else { panic!("{visit:?}") };
        let line = format!("{:?} {}", file.path(), file.head.escape_ascii());
        assert_eq!(file.path().as_bytes(), [file.dir().as_bytes(), file.name].join(&b'/'));
        let head = file.head.len();
        assert_eq!(file.open().unwrap().stat.len.min(HEAD as u64), head as u64);
        found.lock().unwrap().push(line);
    });
    let mut found = found.into_inner().unwrap();
    found.sort();
    found
}

#[test]
fn a_walk_finds_every_file_once() {
    let temp = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for n in 0..400 {
        let dir = format!("top/{}/{}/{}", n % 2, n % 5, n % 31);
        fs::create_dir_all(temp.path().join(&dir)).unwrap();
        fs::write(temp.path().join(format!("{dir}/{n}")), n.to_string()).unwrap();
        expected.push(format!("/{dir}/{n} {n}"));
    }
    expected.push(format!("/top/long {}", "x".repeat(HEAD)));
    expected.sort();
    fs::write(temp.path().join("top/long"), "x".repeat(HEAD + 1)).unwrap();
    fs::write(temp.path().join("beside"), "").unwrap();
    symlink("..", temp.path().join("top/up")).unwrap();
    symlink("long", temp.path().join("top/link")).unwrap();

    let root = DirRoot::open(temp.path()).unwrap();
    let (top, _) = resolve_dir(&root, DirId::TOP, b"top").unwrap();
    for threads in [0, 1, 2, 5] {
        assert_eq!(walked(&root, top, threads), expected, "{threads} threads");
    }
}

#[test]
fn a_walk_stays_out_of_kernel_trees() {
    let temp = tempfile::tempdir().unwrap();
    for file in ["proc/f", "sys/f", "usr/proc/f"] {
        fs::create_dir_all(temp.path().join(file).parent().unwrap()).unwrap();
        fs::write(temp.path().join(file), "").unwrap();
    }
    let root = DirRoot::open(temp.path()).unwrap();
    let found = Mutex::new(Vec::new());
    walk(&root, DirId::TOP, 2, &except_kernel_trees, &|visit| {
        let Visit::File(file) = visit else { panic!("{visit:?}") };
        found.lock().unwrap().push(file.path());
    });
    assert_eq!(format!("{:?}", found.into_inner().unwrap()), "[/usr/proc/f]");
}

/// One directory in the other, with a file in the last one. With `beside`, a
/// directory with a file stands beside each.
fn plant_levels(top: &Path, levels: usize, beside: bool) {
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    let plant =
        |dir: &OwnedFd| drop(openat(dir, "file", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap());
    let mut level = openat(CWD, top, flags, Mode::empty()).unwrap();
    for n in 0..levels {
        // A listing is in some order of the names: let both kinds come first.
        let (one, other) = if n % 2 == 0 { ("a", "b") } else { ("b", "a") };
        if beside {
            mkdirat(&level, other, Mode::RWXU).unwrap();
            plant(&openat(&level, other, flags, Mode::empty()).unwrap());
        }
        mkdirat(&level, one, Mode::RWXU).unwrap();
        level = openat(&level, one, flags, Mode::empty()).unwrap();
    }
    plant(&level);
}

/// How many files a walk finds, and how many descriptors there were at most.
fn count(top: &Path, threads: usize) -> (usize, usize) {
    let root = DirRoot::open(top).unwrap();
    let (files, most_open) = (AtomicUsize::new(0), AtomicUsize::new(0));
    walk(&root, DirId::TOP, threads, &everywhere, &|visit| {
        let Visit::File(_) = visit else { panic!("{visit:?}") };
        if files.fetch_add(1, Ordering::Relaxed) % 50 == 0 {
            most_open.fetch_max(open_below(top), Ordering::Relaxed);
        }
    });
    (files.into_inner(), most_open.into_inner())
}

/// Descriptors below `top`; other tests of this process have theirs, any number.
fn open_below(top: &Path) -> usize {
    let below = |descriptor: &PathBuf| match fs::read_link(descriptor) {
        Ok(path) => path.starts_with(top),
        // Too deep to have a name; only such trees are.
        Err(e) => e.kind() == ErrorKind::InvalidFilename,
    };
    let descriptors = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
    descriptors.filter(below).count()
}

#[test]
fn a_walk_into_the_depth_needs_no_stack() {
    let temp = tempfile::tempdir().unwrap();
    plant_levels(temp.path(), 10_000, false);
    assert_eq!(count(temp.path(), 1).0, 1);
    remove(temp.path());
}

#[test]
fn directories_that_wait_need_few_descriptors() {
    let temp = tempfile::tempdir().unwrap();
    plant_levels(temp.path(), 2_000, true);
    for threads in [1, 3] {
        let (files, most_open) = count(temp.path(), threads);
        assert_eq!(files, 2_001);
        assert!((1..300).contains(&most_open), "{most_open} descriptors");
    }
    remove(temp.path());
}

/// std's would need a descriptor per level.
fn remove(tree: &Path) {
    assert!(std::process::Command::new("rm").arg("-rf").arg(tree).status().unwrap().success());
}

#[test]
fn what_vanishes_meanwhile_is_no_error() {
    let temp = tempfile::tempdir().unwrap();
    for dir in ["gone", "file", "stays"] {
        fs::create_dir(temp.path().join(dir)).unwrap();
        fs::write(temp.path().join(dir).join("f"), "").unwrap();
    }
    let root = DirRoot::open(temp.path()).unwrap();
    let found = Mutex::new(Vec::new());
    let enter = |_: &_, name: &[u8]| {
        let path = temp.path().join(OsStr::from_bytes(name));
        if name != b"stays" {
            fs::remove_dir_all(&path).unwrap();
        }
        if name == b"file" {
            fs::write(path, "").unwrap();
        }
        true
    };
    walk(&root, DirId::TOP, 1, &enter, &|visit| {
        let Visit::File(file) = visit else { panic!("{visit:?}") };
        found.lock().unwrap().push(file.path());
    });
    let found = format!("{:?}", found.into_inner().unwrap());
    assert!(found.contains("/stays/f"), "{found}");
}

#[test]
fn a_walk_ends_after_a_panic() {
    let temp = tempfile::tempdir().unwrap();
    fs::create_dir_all(temp.path().join("a/b/c")).unwrap();
    fs::write(temp.path().join("a/f"), "").unwrap();
    let root = DirRoot::open(temp.path()).unwrap();
    let ended = std::panic::catch_unwind(|| {
        walk(&root, DirId::TOP, 3, &everywhere, &|_| panic!("as expected"));
    });
    assert!(ended.is_err());
}
