use super::*;
use crate::elf::Order;
use crate::loader::cache::{Chars, Flags};
use crate::path::RealPath;
use crate::root::Stat;
use crate::root::mem::MemRoot;

const AMD64: LoaderAbi = LoaderAbi {
    order: Order::Little,
    cache_align: 8,
    chars: Chars::Signed,
    flags: Flags { own: 0x303, also: None },
    checks_isa_level: true,
};
const I386: LoaderAbi = LoaderAbi { cache_align: 4, flags: Flags { own: 3, also: Some(1) }, ..AMD64 };
const S390X: LoaderAbi = LoaderAbi {
    order: Order::Big,
    chars: Chars::Unsigned,
    flags: Flags { own: 0x403, also: None },
    checks_isa_level: false,
    ..AMD64
};

fn id(ino: u64) -> FileId {
    FileId { dev: 1, ino }
}

fn unfound(name: &str, path: &str, ino: u64, abi: LoaderAbi) -> Unfound {
    let search = Search::Cache { at: b"/etc/ld.so.cache".to_vec(), abi };
    Unfound { name: name.into(), path: path.into(), id: id(ino), isa_level: 2, is_shadowed: false, search }
}

fn image(text: &str) -> ImagePath {
    ImagePath::parse(text.as_bytes()).unwrap()
}

/// A plan of files: place and inode.
fn plan(files: &[(&str, u64)]) -> Plan {
    let mut plan = Plan::default();
    for (at, ino) in files {
        let stat = Stat { id: id(*ino), mode: 0o644, uid: 0, gid: 0, len: 1, times: [0; 4] };
        let source = Source::Root { path: RealPath::top().join(b"x"), stat };
        plan.file(&image(at), Content::of(source, &stat, Vec::new()), Reason::Program).unwrap();
    }
    plan
}

/// The entries that one loader uses, then what was said.
fn repaired(plan: &mut Plan, unfound: &[Unfound], abi: LoaderAbi) -> String {
    let nothing = MemRoot::new();
    let findings = repair(plan, unfound, &Around { root: &nothing, dist: None, base: None }).unwrap();
    let mut lines = Vec::new();
    if let Some(entry) = plan.get(&image("/etc/ld.so.cache")) {
        let Node::File(id) = entry.node else { panic!("it is a file") };
        let cache = Cache::parse(bytes_of(plan.content(id), &nothing).unwrap(), abi);
        for entry in cache.iter().flat_map(|cache| cache.entries().collect::<Vec<_>>()) {
            let of = entry.hwcap_name.map_or(String::new(), |name| format!("[{}]", name.escape_ascii()));
            let (key, value) = (entry.key.escape_ascii(), entry.value.escape_ascii());
            lines.push(format!("{key} {:x} {value}{of}", entry.flags));
        }
    }
    lines.extend(
        findings.iter().map(|finding| format!("{} {}", finding.code, finding.subject.escape_ascii())),
    );
    lines.join("\n")
}

#[test]
fn what_the_image_does_not_have_is_not_listed() {
    let mut plan = plan(&[("/a", 1)]);
    assert_eq!(repaired(&mut plan, &[unfound("libz.so", "/x/libz.so", 2, AMD64)], AMD64), "");
    assert!(plan.get(&image("/etc")).is_none());
}

#[test]
fn what_was_moved_is_listed_at_its_place() {
    let mut plan = plan(&[("/app/libz.so", 2), ("/x/libz.so", 3)]);
    let unfound = [unfound("libz.so", "/x/libz.so", 2, AMD64)];
    assert_eq!(repaired(&mut plan, &unfound, AMD64), "libz.so 303 /app/libz.so");
}

#[test]
fn several_machines_share_a_cache_and_two_byte_orders_do_not() {
    let mut plan = plan(&[("/x/libz.so", 2), ("/y/libz.so", 3), ("/z/libz.so", 4)]);
    let unfound = [
        unfound("libz.so", "/x/libz.so", 2, AMD64),
        unfound("libz.so", "/y/libz.so", 3, I386),
        unfound("libz.so", "/z/libz.so", 4, S390X),
    ];
    assert_eq!(
        repaired(&mut plan, &unfound, AMD64),
        "libz.so 303 /x/libz.so\nlibz.so 3 /y/libz.so\nbyte-order /etc/ld.so.cache"
    );
}

#[test]
fn one_name_is_one_library_at_each_level() {
    let mut plan = plan(&[("/x/liba.so", 2), ("/x/glibc-hwcaps/v9/liba.so", 3), ("/y/liba.so", 4)]);
    let unfound = [
        unfound("liba.so", "/x/liba.so", 2, AMD64),
        unfound("liba.so", "/x/glibc-hwcaps/v9/liba.so", 3, AMD64),
        unfound("liba.so", "/x/liba.so", 2, AMD64),
        unfound("liba.so", "/y/liba.so", 4, AMD64),
    ];
    assert_eq!(
        repaired(&mut plan, &unfound, AMD64),
        "liba.so 303 /x/glibc-hwcaps/v9/liba.so[v9]\nliba.so 303 /x/liba.so\ntwo-libraries liba.so"
    );
}

#[test]
fn a_second_repair_adds_to_the_first() {
    let mut plan = plan(&[("/x/liba.so", 2), ("/x/libb.so", 3)]);
    repaired(&mut plan, &[unfound("liba.so", "/x/liba.so", 2, AMD64)], AMD64);
    let second = repaired(&mut plan, &[unfound("libb.so", "/x/libb.so", 3, AMD64)], AMD64);
    assert_eq!(second, "libb.so 303 /x/libb.so\nliba.so 303 /x/liba.so");
}
