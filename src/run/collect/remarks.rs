//! What a plan tells that somebody will want to know before the image is built.

use rustix::process::geteuid;

use crate::finding::{Finding, Severity};
use crate::job::{CollectTask, Layout, Output};
use crate::path::ImagePath;
use crate::plan::{Entry, Node, Plan, Reason, Start};
use crate::root::{Access, DirId, FileId, Opened, Root, resolve};

/// So many places are named; of the others there is a count.
const MOST_NAMED: usize = 3;

const READ: u32 = 4;
const EXECUTE: u32 = 1;

pub(super) fn of_plan(root: &dyn Root, task: &CollectTask, starts: &[Start], plan: &Plan) -> Vec<Finding> {
    let mut remarks = Vec::new();
    remarks.extend(preload_stays(root));
    remarks.extend(closed_to_others(task, starts, plan));
    remarks.extend(privileged(task, plan));
    if task.layout == Layout::AsFound && task.onto.is_none() {
        remarks.extend(form_of_the_top(plan));
    }
    // Of a base its own database tells.
    if task.onto.is_none() {
        remarks.extend(no_packages(root, plan));
    }
    remarks
}

fn note(code: &'static str, subject: &[u8], message: &str, hint: Option<&str>) -> Finding {
    Finding {
        severity: Severity::Note,
        code,
        subject: subject.to_vec(),
        message: message.as_bytes().to_vec(),
        hint: hint.map(|hint| hint.as_bytes().to_vec()),
    }
}

/// T19: what a builder preloads is a matter of the builder's.
fn preload_stays(root: &dyn Root) -> Option<Finding> {
    const FILE: &[u8] = b"/etc/ld.so.preload";
    match resolve(root, DirId::TOP, FILE).ok()?.opened {
        Opened::File(open) if open.stat.len > 0 => {
            Some(note("preload", FILE, "not taken along, nor what it names", None))
        }
        Opened::File(_) | Opened::Dir(_) | Opened::Link(_) | Opened::Special(_) => None,
    }
}

/// T22: an image that runs as any user has no use for what that user can neither
/// read nor start.
fn closed_to_others(task: &CollectTask, starts: &[Start], plan: &Plan) -> Vec<Finding> {
    let user = task.data.user.as_ref().map(|user| (user.uid, user.gid));
    if user.is_some_and(|(uid, _)| uid == 0) {
        return Vec::new();
    }
    let libraries = named_libraries(starts);
    let allowed = |entry: &Entry, of_dir, of_file| match &entry.node {
        Node::Dir(dir) => allows(dir.access, user, of_dir),
        Node::File(id) => allows(plan.content(*id).access, user, of_file),
        Node::Link(_) => true,
    };
    let is_closed = |entry: &Entry| !allowed(entry, READ | EXECUTE, READ);
    let is_unstarted = |entry: &Entry| {
        !is_closed(entry) && is_started(plan, entry, &libraries) && !allowed(entry, 0, EXECUTE)
    };
    // A home is its owner's, and setuid programs are made to be closed.
    let counts = |entry: &Entry| !entry.reasons.iter().any(|why| matches!(why, Reason::Option { .. }));
    let names = |is_meant: &dyn Fn(&Entry) -> bool| {
        some_of(plan.entries().filter(|(_, entry)| counts(entry) && is_meant(entry)).map(|(at, _)| at))
    };
    let told = |verb: &str, names: Vec<u8>| closed(verb, user, names);
    let unread = names(&is_closed).map(|names| told("read", names));
    unread.into_iter().chain(names(&is_unstarted).map(|names| told("executed", names))).collect()
}

fn closed(verb: &str, user: Option<(u32, u32)>, subject: Vec<u8>) -> Finding {
    let message = match user {
        Some((uid, gid)) => format!("cannot be {verb} by {uid}:{gid}, the user of --user"),
        None => format!("can be {verb} by their owner only: a container run as another user fails there"),
    };
    Finding {
        severity: Severity::Warning,
        code: "closed",
        subject,
        message: message.into_bytes(),
        hint: Some(b"chmod them in the builder, or run the image as their owner".to_vec()),
    }
}

/// Whether the kernel starts it. What nobody may execute is data that was named.
fn is_started(plan: &Plan, entry: &Entry, libraries: &[FileId]) -> bool {
    let Node::File(id) = &entry.node else { return false };
    let content = plan.content(*id);
    let is_library = content.source.identity().is_some_and(|id| libraries.contains(&id));
    let is_reason = |why: &Reason| match why {
        Reason::Program => !is_library,
        Reason::ScriptInterpreter { .. } | Reason::Loader { .. } => true,
        Reason::Library { .. }
        | Reason::Included { .. }
        | Reason::Option { .. }
        | Reason::Need { .. }
        | Reason::Search { .. }
        | Reason::Way => false,
    };
    content.access.mode & 0o111 != 0 && entry.reasons.iter().any(is_reason)
}

/// Programs by what was typed, and nobody starts them.
fn named_libraries(starts: &[Start]) -> Vec<FileId> {
    let named = starts.iter().filter(|start| start.is_module && start.reason == Reason::Program);
    named.map(|start| start.closures[0].1.objects[0].found.file.stat.id).collect()
}

fn allows(access: Access, user: Option<(u32, u32)>, wanted: u32) -> bool {
    let shift = match user {
        Some((uid, _)) if uid == access.uid => 6,
        Some((_, gid)) if gid == access.gid => 3,
        Some(_) | None => 0,
    };
    access.mode >> shift & wanted == wanted
}

/// T18: what a copy usually drops is kept, and that should not be a surprise. What
/// a user without rights cannot keep in a directory is told once it is written.
fn privileged(task: &CollectTask, plan: &Plan) -> Option<Finding> {
    if task.output == Output::Dir && !geteuid().is_root() {
        return None;
    }
    let gains = |entry: &Entry| match &entry.node {
        Node::File(id) => {
            let content = plan.content(*id);
            content.access.mode & 0o6000 != 0
                || content.xattrs.iter().any(|(name, _)| name == b"security.capability")
        }
        Node::Dir(_) | Node::Link(_) => false,
    };
    let names = some_of(plan.entries().filter(|(_, entry)| gains(entry)).map(|(at, _)| at))?;
    Some(note("privileged", &names, "setuid, setgid and capabilities are kept", None))
}

/// T6: `COPY` onto a base of the other form stops at these.
fn form_of_the_top(plan: &Plan) -> Option<Finding> {
    let tops = |wanted: fn(&Node) -> bool| {
        some_of(plan.usr_tops().filter(move |(_, entry)| wanted(&entry.node)).map(|(at, _)| at))
    };
    if let Some(names) = tops(|node| matches!(node, Node::Link(_))) {
        return Some(note("layout", &names, LINKS_AT_THE_TOP, None));
    }
    let names = tops(|node| matches!(node, Node::Dir(_)))?;
    Some(note("layout", &names, DIRS_AT_THE_TOP, None))
}

const LINKS_AT_THE_TOP: &str =
    "COPY onto a base that has a directory there, not a link into usr, needs --layout split or --onto BASE";
const DIRS_AT_THE_TOP: &str =
    "COPY onto a base that has a link into usr there, not a directory, needs --layout merged or --onto BASE";

/// T21: a scanner finds no package in a tree without a database, and says so by silence.
fn no_packages(root: &dyn Root, plan: &Plan) -> Option<Finding> {
    const DATABASES: [&str; 5] = [
        "/var/lib/dpkg/status",
        "/lib/apk/db/installed",
        "/usr/lib/apk/db/installed",
        "/var/lib/rpm",
        "/usr/lib/sysimage/rpm",
    ];
    let database = DATABASES.iter().find(|path| resolve(root, DirId::TOP, path.as_bytes()).is_ok())?;
    let has_one = ImagePath::parse(database.as_bytes()).is_some_and(|at| plan.get(&at).is_some());
    let has_library = plan.entries().any(|(_, entry)| {
        entry.reasons.iter().any(|why| matches!(why, Reason::Library { .. } | Reason::Loader { .. }))
    });
    (has_library && !has_one).then(|| {
        note("packages", database.as_bytes(), "not in the tree: to a scanner the image has no packages", None)
    })
}

/// The first few names, with a count of the others.
fn some_of<'a>(places: impl Iterator<Item = &'a ImagePath>) -> Option<Vec<u8>> {
    let places: Vec<&ImagePath> = places.collect();
    if places.is_empty() {
        return None;
    }
    let named: Vec<&[u8]> = places.iter().take(MOST_NAMED).map(|at| at.as_bytes()).collect();
    let mut text = named.join(&b", "[..]);
    if places.len() > MOST_NAMED {
        text.extend_from_slice(format!(" and {} more", places.len() - MOST_NAMED).as_bytes());
    }
    Some(text)
}
