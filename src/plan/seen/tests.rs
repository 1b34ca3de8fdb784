use super::*;
use crate::bytes::ReadAt;
use crate::needs::Merge;
use crate::plan::Reason;
use crate::root::mem::MemRoot;
use crate::root::{Access, Resolved, resolve};

const OPEN: Access = Access::of_root(0o755);

fn image(text: &str) -> ImagePath {
    ImagePath::parse(text.as_bytes()).unwrap()
}

/// A plan of lines: `/a text`, `/l -> target`, `/d/`.
fn plan(text: &str) -> Plan {
    let mut plan = Plan::default();
    for line in text.split(", ").filter(|line| !line.is_empty()) {
        let put = match (line.split_once(" -> "), line.split_once(' ')) {
            (Some((at, target)), _) => plan.link(&image(at), target.as_bytes(), Reason::Way),
            (None, Some((at, bytes))) => {
                let content = Content::made(bytes.as_bytes().to_vec(), OPEN, Merge::Never);
                plan.file(&image(at), content, Reason::Program)
            }
            (None, None) => plan.dir(&image(line), Access::of_root(0o700), Reason::Program),
        };
        put.unwrap();
    }
    plan
}

/// The same as a root in memory.
fn lower(text: &str) -> MemRoot {
    let mut root = MemRoot::new();
    for line in text.split(", ").filter(|line| !line.is_empty()) {
        match (line.split_once(" -> "), line.split_once(' ')) {
            (Some((at, target)), _) => root.link(at, target),
            (None, Some((at, bytes))) => root.file(at, bytes),
            (None, None) => root.dir(line),
        };
    }
    root
}

/// Every name with what stands there, seen from the top without following a link.
fn tree(root: &PlanRoot<'_>) -> String {
    let (mut lines, mut left) = (Vec::new(), vec![DirId::TOP]);
    while let Some(dir) = left.pop() {
        let at = root.real_path(dir);
        for item in root.list(dir).unwrap() {
            let path = String::from_utf8(at.join(&item.name).as_bytes().to_vec()).unwrap();
            let child = root.child(dir, &item.name).unwrap();
            lines.push(match (root.open(dir, &item.name).unwrap(), item.kind, child) {
                (Opened::File(open), ItemKind::File, Child::Leaf) => format!("{path} {}", text(&open)),
                (Opened::Link(target), ItemKind::Link, Child::Link(same)) if target == same => {
                    format!("{path} -> {}", target.escape_ascii())
                }
                (Opened::Dir(below), ItemKind::Dir, Child::Dir(same)) if below == same => {
                    left.push(below);
                    format!("{path}/")
                }
                other => panic!("{path}: {other:?}"),
            });
        }
    }
    lines.sort();
    lines.join(", ")
}

fn text(open: &OpenFile) -> String {
    let mut bytes = vec![0; open.stat.len as usize];
    let n = open.read_at(&mut bytes, 0).unwrap();
    String::from_utf8(bytes[..n].to_vec()).unwrap()
}

fn read(root: &PlanRoot<'_>, path: &str) -> String {
    match resolve(root, DirId::TOP, path.as_bytes()) {
        Ok(Resolved { opened: Opened::File(open), .. }) => text(&open),
        Ok(resolved) => format!("{:?}", resolved.opened),
        Err(error) => format!("{:?}", Errno::from_io_error(&error).unwrap()),
    }
}

#[test]
fn a_plan_lies_over_what_is_there() {
    let rows = [
        ("nothing below", "/a/f 1, /l -> a", &[][..], "/a/, /a/f 1, /l -> a"),
        ("a directory in both is one", "/d/a 1", &["/d/b 2, /e 3"], "/d/, /d/a 1, /d/b 2, /e 3"),
        ("the nearest lower root wins", "", &["/d/a 1, /x 1", "/d/b 2, /x 2"], "/d/, /d/a 1, /d/b 2, /x 1"),
        ("a file hides a file", "/f 1", &["/f 2"], "/f 1"),
        ("a link hides a file", "/f -> g", &["/f 2, /g 3"], "/f -> g, /g 3"),
        ("a link hides a directory", "/d -> e", &["/d/f 2, /e/f 3"], "/d -> e, /e/, /e/f 3"),
        ("a file hides a directory", "/d 1", &["/d/f 2"], "/d 1"),
        ("a file hides a link", "/f 1", &["/f -> g"], "/f 1"),
        ("a directory hides a file", "/d/f 1", &["/d 2"], "/d/, /d/f 1"),
        (
            "a directory goes through a link",
            "/lib/a 1, /lib/x/b 2",
            &["/lib -> usr/lib, /usr/lib/c 3, /usr/lib/x/d 4"],
            "/lib -> usr/lib, /usr/, /usr/lib/, /usr/lib/a 1, /usr/lib/c 3, /usr/lib/x/, /usr/lib/x/b 2, /usr/lib/x/d 4",
        ),
        (
            "two directories meet at the end of a link",
            "/lib/a 1, /usr/lib/b 2",
            &["/lib -> /usr/lib, /usr/lib/c 3"],
            "/lib -> /usr/lib, /usr/, /usr/lib/, /usr/lib/a 1, /usr/lib/b 2, /usr/lib/c 3",
        ),
        (
            "a link behind a link",
            "/lib/x/a 1",
            &["/lib -> usr/lib, /usr/lib/x -> ../../opt, /opt/b 2"],
            "/lib -> usr/lib, /opt/, /opt/a 1, /opt/b 2, /usr/, /usr/lib/, /usr/lib/x -> ../../opt",
        ),
        (
            "a link of the base that DIST hides",
            "/d/a 1",
            &["/d/b 2", "/d -> e, /e/c 3"],
            "/d/, /d/a 1, /d/b 2, /e/, /e/c 3",
        ),
        (
            "a link that leads to no directory is no way",
            "/lib/a 1, /l/a 2",
            &["/lib -> usr/lib, /l -> f, /f 3"],
            "/f 3, /l/, /l/a 2, /lib/, /lib/a 1",
        ),
    ];
    let nothing = MemRoot::new();
    for (row, planned, below, expected) in rows {
        let (plan, lowers) = (plan(planned), below.iter().map(|text| lower(text)).collect::<Vec<_>>());
        let lowers: Vec<&dyn Root> = lowers.iter().map(|root| root as &dyn Root).collect();
        let root = PlanRoot::new(&plan, Sources { root: &nothing }, &lowers);
        assert_eq!(tree(&root), expected, "{row}");
    }
}

#[test]
fn a_path_leads_through_links_of_all_layers() {
    let plan = plan("/bin/sh 1, /usr/lib/a.so -> /lib/b.so");
    let base = lower("/lib -> usr/lib, /usr/lib/b.so -> b.so.1, /usr/lib/b.so.1 2");
    let below: [&dyn Root; 1] = [&base];
    let nothing = MemRoot::new();
    let root = PlanRoot::new(&plan, Sources { root: &nothing }, &below);
    let errno = |errno: Errno| format!("{errno:?}");
    for (path, expected) in [
        ("/bin/sh", "1".into()),
        ("/lib/a.so", "2".into()),
        ("/lib/../../bin/sh", "1".into()),
        ("/bin/sh/x", errno(Errno::NOTDIR)),
        ("/bin/none", errno(Errno::NOENT)),
        (&"x".repeat(256), errno(Errno::NAMETOOLONG)),
    ] {
        assert_eq!(read(&root, path), expected, "{path}");
    }
}

#[test]
fn a_file_is_the_inode_that_it_is_copied_from() {
    let source = lower("/opt/a 1");
    let there = resolve(&source, DirId::TOP, b"/opt/a").unwrap();
    let path = there.real_path(&source);
    let Opened::File(open) = there.opened else { panic!("it is a file") };
    let mut plan = plan("/made 2, /other 2");
    let content = Content::of(Source::Root { path, stat: open.stat }, &open.stat, Vec::new());
    plan.file(&image("/b"), content.clone(), Reason::Program).unwrap();
    plan.file(&image("/c"), content, Reason::Program).unwrap();
    let root = PlanRoot::new(&plan, Sources { root: &source }, &[]);
    let stat = |name: &[u8]| match root.open(DirId::TOP, name).unwrap() {
        Opened::File(open) => open.stat,
        Opened::Dir(_) | Opened::Link(_) | Opened::Special(_) => panic!("it is a file"),
    };
    assert_eq!(stat(b"b"), open.stat);
    assert_eq!(stat(b"c"), open.stat);
    assert_eq!(stat(b"made").id.dev, stat(b"other").id.dev);
    assert_ne!(stat(b"made").id, stat(b"other").id);
}

#[test]
fn a_directory_is_as_it_was_asked_for() {
    let plan = plan("/d/, /e/f 1");
    let mut base = lower("/d/, /e/, /g/");
    base.mode("/d", 0o711).mode("/e", 0o751).mode("/g", 0o731);
    let below: [&dyn Root; 1] = [&base];
    let nothing = MemRoot::new();
    let root = PlanRoot::new(&plan, Sources { root: &nothing }, &below);
    let mode = |path: &[u8]| {
        let (dir, _) = resolve_dir(&root, DirId::TOP, path).unwrap();
        format!("{:o}", root.dir_stat(dir).unwrap().mode)
    };
    assert_eq!([mode(b"/d"), mode(b"/e"), mode(b"/g"), mode(b"/")], ["700", "751", "731", "755"]);
}
