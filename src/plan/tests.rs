use super::*;

pub(super) fn path(text: &str) -> ImagePath {
    ImagePath::parse(text.as_bytes()).unwrap()
}

const OPEN: Access = Access::of_root(0o755);

pub(super) fn file(ino: u64) -> Content {
    let stat = Stat {
        id: FileId { dev: 1, ino },
        mode: 0o644,
        uid: 0,
        gid: 0,
        len: 3,
        times: [ino as i64, 0, 0, 0],
    };
    let source = Source::Root { path: RealPath::top().join(format!("f{ino}").as_bytes()), stat };
    Content::of(source, &stat, Vec::new())
}

/// `path kind` of every entry.
pub(super) fn show(plan: &Plan) -> String {
    let line = |(at, entry): (&ImagePath, &Entry)| match &entry.node {
        Node::Dir(dir) => format!("{at:?}/{}", if dir.is_implied { "" } else { " asked" }),
        Node::File(id) => format!("{at:?} #{}", id.0),
        Node::Link(target) => format!("{at:?} -> {}", target.escape_ascii()),
    };
    plan.entries().map(line).collect::<Vec<_>>().join("\n")
}

fn clash(result: Result<(), Conflict>) -> String {
    let conflict = result.unwrap_err();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{:?}: {}, {}", conflict.at, text(&conflict.have), text(&conflict.want))
}

#[test]
fn directories_on_the_way_are_implied() {
    let mut plan = Plan::default();
    plan.file(&path("/usr/bin/app"), file(1), Reason::Program).unwrap();
    plan.dir(&path("/usr"), OPEN, Reason::Program).unwrap();
    assert_eq!(show(&plan), "/usr/ asked\n/usr/bin/\n/usr/bin/app #0");
}

#[test]
fn what_was_one_inode_is_one_content() {
    let mut plan = Plan::default();
    plan.file(&path("/a"), file(1), Reason::Program).unwrap();
    plan.file(&path("/b"), file(1), Reason::Program).unwrap();
    plan.file(&path("/c"), file(2), Reason::Program).unwrap();
    assert_eq!(show(&plan), "/a #0\n/b #0\n/c #1");
    assert_eq!(plan.newest(), (2, 0));
}

#[test]
fn a_place_is_reached_by_the_links_that_are_planned() {
    let mut plan = Plan::default();
    plan.link(&path("/lib"), b"usr/lib", Reason::Way).unwrap();
    plan.link(&path("/usr/lib/now"), b"/opt/../opt/v1/", Reason::Way).unwrap();
    plan.file(&path("/lib/now/x"), file(1), Reason::Program).unwrap();
    plan.dir(&path("/lib"), OPEN, Reason::Program).unwrap();
    assert_eq!(
        show(&plan),
        "/lib -> usr/lib\n/opt/\n/opt/v1/\n/opt/v1/x #0\n/usr/\n/usr/lib/ asked\n/usr/lib/now -> /opt/../opt/v1/"
    );
}

#[test]
fn two_things_for_one_place_are_a_conflict() {
    let mut plan = Plan::default();
    plan.file(&path("/a"), file(1), Reason::Program).unwrap();
    plan.link(&path("/l"), b"a", Reason::Way).unwrap();
    plan.dir(&path("/d"), OPEN, Reason::Program).unwrap();
    plan.link(&path("/x"), b"y", Reason::Way).unwrap();
    plan.link(&path("/y"), b"x", Reason::Way).unwrap();
    assert_eq!(clash(plan.file(&path("/a"), file(2), Reason::Program)), "/a: the file `/f1`, the file `/f2`");
    assert_eq!(clash(plan.link(&path("/l"), b"b", Reason::Way)), "/l: a link to `a`, a link to `b`");
    assert_eq!(clash(plan.link(&path("/d"), b"b", Reason::Way)), "/d: a directory, a link to `b`");
    assert_eq!(clash(plan.file(&path("/a/b"), file(2), Reason::Program)), "/a: the file `/f1`, a directory");
    assert_eq!(clash(plan.dir(&path("/l"), OPEN, Reason::Program)), "/a: the file `/f1`, a directory");
    assert_eq!(clash(plan.file(&path("/x/b"), file(2), Reason::Program)), "/x: a loop of links, a directory");
    // The same again is none.
    plan.file(&path("/a"), file(1), Reason::Program).unwrap();
    plan.link(&path("/l"), b"a", Reason::Way).unwrap();
}

#[test]
fn children_are_those_directly_below() {
    let mut plan = Plan::default();
    for at in ["/a/b/c", "/a/d", "/a-b/e"] {
        plan.file(&path(at), file(1), Reason::Program).unwrap();
    }
    let names = |dir: &str| {
        plan.children(&path(dir))
            .map(|(at, _)| String::from_utf8_lossy(at.name()).into_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("/"), ["a", "a-b"]);
    assert_eq!(names("/a"), ["b", "d"]);
    assert_eq!(names("/a/d"), [""; 0]);
}
