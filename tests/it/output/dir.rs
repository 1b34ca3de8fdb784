//! Directories.

use super::*;

fn small() -> Wish {
    let mut wish = Wish::new();
    wish.rooted("/usr/lib/libx.so.1", b"library").link("/lib", "usr/lib");
    wish.made("/etc/passwd", b"root:x:0:0\n", 0o644).dir("/tmp", 0o1777);
    wish
}

const SMALL: &str = "\
/ dir 755 0:0 1600000000.000000005
/etc dir 755 0:0 1600000000.000000005
/etc/passwd file 644 0:0 1600000000.000000005 x1 \"root:x:0:0\\n\"
/lib link 777 0:0 1600000000.000000005 -> usr/lib
/tmp dir 1777 0:0 1600000000.000000005
/usr dir 755 0:0 1600000000.000000005
/usr/lib dir 755 0:0 1600000000.000000005
/usr/lib/libx.so.1 file 644 0:0 1600000000.000000005 x1 \"library\"";

/// Owners are what we are.
fn owned(text: &str) -> String {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    text.replace(" 0:0 ", &format!(" {uid}:{gid} "))
}

#[test]
fn a_tree_that_was_not_there_is_there_at_once() {
    let (_temp, dist) = temp();
    let done = small().write(&dist).unwrap();
    assert_eq!(dump(&dist), owned(SMALL));
    assert_eq!((done.files_written, done.bytes_written, done.unchanged), (2, 18, 0));
    assert_eq!(beside(&dist), ["dist"]);
}

#[test]
fn an_empty_directory_becomes_the_same_tree() {
    let (_temp, dist) = temp();
    fs::create_dir(&dist).unwrap();
    small().write(&dist).unwrap();
    assert_eq!(dump(&dist), owned(SMALL));
}

#[test]
fn a_second_run_changes_nothing() {
    let (_temp, dist) = temp();
    small().write(&dist).unwrap();
    let times = |path: &str| {
        let meta = fs::symlink_metadata(dist.join(path)).unwrap();
        (meta.ino(), meta.ctime(), meta.ctime_nsec())
    };
    let all = || ["", "etc", "etc/passwd", "lib", "tmp", "usr/lib/libx.so.1"].map(times);
    let before = all();
    let done = small().write(&dist).unwrap();
    assert_eq!(all(), before);
    assert_eq!(done, Done { unchanged: 8, ..Done::default() });
}

fn conflicts(result: Result<Done, Failure>) -> String {
    match result {
        Err(Failure::Conflicts(places)) => {
            let line = |(at, what): (ImagePath, &str)| format!("{at:?}: {what}");
            places.into_iter().map(line).collect::<Vec<_>>().join("\n")
        }
        other => panic!("no conflict: {other:?}"),
    }
}

fn refused(result: Result<Done, Failure>) -> String {
    match result {
        Err(Failure::Refused { cause, .. }) => cause,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn other_things_are_conflicts_all_told_and_nothing_changes() {
    let (_temp, dist) = temp();
    let mut other = Wish::new();
    other.made("/etc/passwd", b"other", 0o644).made("/usr/lib/libx.so.1", b"LIBRARY", 0o644);
    other.link("/lib", "usr/lib64").made("/tmp", b"", 0o644);
    other.write(&dist).unwrap();
    let before = dump(&dist);
    assert_eq!(
        conflicts(small().write(&dist)),
        "/etc/passwd: another file stands there\n/lib: another link stands there\n\
         /tmp: what stands there is no directory\n/usr/lib/libx.so.1: another file stands there"
    );
    assert_eq!(dump(&dist), before);
    assert_eq!(small().force(&dist).unwrap().files_written, 2);
    assert_eq!(dump(&dist), owned(SMALL));
}

#[test]
fn with_force_a_directory_gives_way_to_a_file_and_a_link() {
    let (_temp, dist) = temp();
    let mut other = Wish::new();
    other.made("/etc/passwd/deep/er", b"other", 0o644).made("/lib/a/b", b"x", 0o644);
    other.write(&dist).unwrap();
    assert_eq!(
        conflicts(small().write(&dist)),
        "/etc/passwd: a directory stands there\n/lib: a directory stands there"
    );
    small().force(&dist).unwrap();
    assert_eq!(dump(&dist), owned(SMALL));
}

#[test]
fn what_is_merged_replaces_what_it_was_merged_from() {
    let (_temp, dist) = temp();
    small().write(&dist).unwrap();
    let mut wish = Wish::new();
    wish.merged("/etc/passwd", b"root:x:0:0\napp:x:1:1\n", 0o644, Merge::ByName);
    wish.rooted("/newer", b"");
    assert_eq!(wish.write(&dist).unwrap().files_written, 2);
    assert_eq!(fs::read(dist.join("etc/passwd")).unwrap(), b"root:x:0:0\napp:x:1:1\n");
    let earlier = output::dir::existing(&dist).unwrap().unwrap();
    assert!(resolve(&earlier, DirId::TOP, b"/lib/libx.so.1").is_ok());
}

#[test]
fn other_modes_and_times_are_put_right() {
    let (_temp, dist) = temp();
    small().write(&dist).unwrap();
    fs::set_permissions(dist.join("etc/passwd"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(dist.join("tmp"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::File::open(dist.join("usr")).unwrap().set_modified(std::time::SystemTime::now()).unwrap();
    small().write(&dist).unwrap();
    assert_eq!(dump(&dist), owned(SMALL));
}

#[test]
fn links_of_the_tree_are_followed_inside_it() {
    let (temp, dist) = temp();
    let outside = temp.path().join("outside");
    fs::create_dir_all(outside.join("lib")).unwrap();
    fs::create_dir_all(dist.join("real/lib")).unwrap();
    symlink("/real", dist.join("usr")).unwrap();
    let mut wish = Wish::new();
    wish.rooted("/usr/lib/x", b"x").rooted("/usr/share/y", b"y");
    wish.force(&dist).unwrap();
    assert_eq!(fs::read(dist.join("real/lib/x")).unwrap(), b"x");
    assert_eq!(fs::read(dist.join("real/share/y")).unwrap(), b"y");

    // One that leads out on this machine leads nowhere in the tree.
    fs::remove_file(dist.join("usr")).unwrap();
    symlink(&outside, dist.join("usr")).unwrap();
    assert_eq!(conflicts(wish.write(&dist)), "/usr: a link that leads to no directory stands there");
    fs::remove_file(dist.join("usr")).unwrap();
    symlink("../../outside", dist.join("usr")).unwrap();
    assert_eq!(conflicts(wish.write(&dist)), "/usr: a link that leads to no directory stands there");
    wish.force(&dist).unwrap();
    assert!(fs::symlink_metadata(dist.join("usr")).unwrap().is_dir());
    assert_eq!(fs::read_dir(outside.join("lib")).unwrap().count(), 0);
}

#[test]
fn two_things_that_links_bring_to_one_place_are_a_conflict() {
    let (_temp, dist) = temp();
    fs::create_dir_all(dist.join("usr/lib")).unwrap();
    symlink("usr/lib", dist.join("lib")).unwrap();
    let mut wish = Wish::new();
    wish.made("/lib/x", b"1", 0o644).made("/usr/lib/x", b"2", 0o644);
    assert!(conflicts(wish.force(&dist)).starts_with("/usr/lib/x: by the links"));
    let mut wish = Wish::new();
    wish.rooted("/lib/x", b"1").made("/usr/lib/y", b"2", 0o644);
    wish.force(&dist).unwrap();
    assert_eq!(fs::read(dist.join("usr/lib/x")).unwrap(), b"1");
}

#[test]
fn a_directory_that_is_not_ours_is_refused() {
    let (temp, dist) = temp();
    fs::create_dir(&dist).unwrap();
    fs::write(dist.join("theirs"), "x").unwrap();
    assert_eq!(refused(small().write(&dist)), "it holds what depcollect did not write");
    small().force(&dist).unwrap();
    // It is marked now.
    small().write(&dist).unwrap();
    assert_eq!(fs::read(dist.join("theirs")).unwrap(), b"x");
    assert_eq!(refused(small().write(Path::new("/"))), "it is the root of this machine");
    assert_eq!(refused(small().write(&temp.path().join("dist/theirs"))), "it is no directory");
    symlink("nowhere", temp.path().join("link")).unwrap();
    assert_eq!(refused(small().write(&temp.path().join("link"))), "it is a link that leads nowhere");
    let none = temp.path().join("no/dist");
    assert_eq!(refused(small().write(&none)), format!("there is no `{}`", none.parent().unwrap().display()));
}

#[test]
fn no_tree_is_written_over_an_input() {
    let (temp, dist) = temp();
    fs::create_dir_all(dist.join("bin")).unwrap();
    let link = temp.path().join("link");
    symlink("dist", &link).unwrap();
    for input in ["bin", "bin/app", "."] {
        let inputs = [dist.join(input)];
        let wish = small();
        let sources = Sources { root: &wish.root };
        let result = output::dir::write(&wish.plan, sources, &link, &inputs, Options::default());
        assert!(refused(result).starts_with("it is or holds `"), "{input}");
    }
    assert_eq!(fs::read_dir(&dist).unwrap().count(), 1);
}

#[test]
fn one_inode_stays_one_inode() {
    let (temp, dist) = temp();
    let file = temp.path().join("file");
    fs::write(&file, "one").unwrap();
    let wish = |paths: &[&str]| {
        let mut wish = Wish::new();
        paths.iter().for_each(|path| _ = wish.host(path, &file));
        wish
    };
    let inode = |path: &str| fs::metadata(dist.join(path)).unwrap().ino();
    let all = wish(&["/a", "/b/c", "/d"]);
    all.write(&dist).unwrap();
    assert!(inode("a") == inode("b/c") && inode("a") == inode("d"));
    let before = dump(&dist);
    // A name that is lost, and one that became a file of its own.
    fs::remove_file(dist.join("a")).unwrap();
    fs::remove_file(dist.join("d")).unwrap();
    fs::write(dist.join("d"), "one").unwrap();
    let done = all.write(&dist).unwrap();
    assert_eq!((done.files_written, done.bytes_written), (2, 0));
    assert_eq!(dump(&dist), before);
    wish(&["/b/c", "/e"]).write(&dist).unwrap();
    assert_eq!(inode("e"), inode("a"));
}
