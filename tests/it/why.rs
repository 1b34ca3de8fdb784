//! `why` as a user meets it: the chains, and how many there are.

use crate::cli::{Bench, TREE, check};

#[test]
fn why_tells_the_shortest_chain_of_each_that_asks() {
    check(
        TREE,
        &["why", "-q", "/t/m", "libB.so"],
        "
/t/m
└─ libB.so => /t/l/libB.so [RUNPATH]
/t/m
└─ libA.so
   └─ libB.so => /t/l/libB.so [loaded already: RUNPATH for m]
2 objects ask for it, by 2 chains in all
-- 1
depcollect: error: /t/m: libno.so: cannot open shared object file: No such file or directory (needed by /t/m)
hint: it exists in `/usr/local/lib/deep`: --library-path /usr/local/lib/deep would find it
",
    );
    check(
        TREE,
        &["why", "-q", "/t/m", "libz.so"],
        "-- 1
depcollect: error: /t/m: libno.so: cannot open shared object file: No such file or directory (needed by /t/m)
hint: it exists in `/usr/local/lib/deep`: --library-path /usr/local/lib/deep would find it
depcollect: error: nothing that `/t/m` loads asks for `libz.so`\n",
    );
}

#[test]
fn why_takes_any_path_of_the_file() {
    let world = "/t/m: NEEDED libA.so; RUNPATH /t/l\n/t/l/libA.so -> ../real/libA.so.1\n/t/real/libA.so.1:\n\
        /t/other -> real\n/t/real/libB.so:";
    let said = "
/t/m
└─ libA.so => /t/l/libA.so [RUNPATH]
1 object asks for it, by 1 chain in all
-- 0
";
    for path in ["/t/l/libA.so", "/t/real/libA.so.1", "/t/other/libA.so.1"] {
        check(world, &["why", "/t/m", path], said);
    }
    let nobody = "-- 1\ndepcollect: error: nothing that `/t/m` loads asks for `/t/real/libB.so`\n";
    check(world, &["why", "/t/m", "/t/real/libB.so"], nobody);
}

#[test]
fn why_tells_what_was_tried_if_asked_to_say_more() {
    check(
        "/t/m: NEEDED libA.so libno.so; RUNPATH /t/l\n/t/l/libA.so: NEEDED libmore.so",
        &["why", "-v", "/t/m", "libno.so"],
        "
/t/m
└─ libno.so => not found [missing]
1 object asks for it, by 1 chain in all
-- 1
depcollect: error: /t/m: libno.so: cannot open shared object file: No such file or directory (needed by /t/m)
depcollect: error: /t/m: libmore.so: cannot open shared object file: No such file or directory (needed by /t/l/libA.so)
tried `/t/l/libno.so` for `libno.so`: absent [RUNPATH]
tried `/lib/x86_64-linux-gnu/libno.so` for `libno.so`: no such directory [default directory]
tried `/usr/lib/x86_64-linux-gnu/libno.so` for `libno.so`: no such directory [default directory]
tried `/lib/libno.so` for `libno.so`: no such directory [default directory]
tried `/usr/lib/libno.so` for `libno.so`: no such directory [default directory]
ld.so.cache: off, the root has none
",
    );
}

#[test]
fn why_counts_chains_also_where_libraries_need_each_other() {
    let circle = "/t/m: NEEDED libA.so libB.so; RPATH /t/l\n/t/l/libA.so: NEEDED libB.so libC.so /t/l/libC.so\n\
        /t/l/libB.so: NEEDED libA.so libC.so libC.so\n/t/l/libC.so:";
    check(
        circle,
        &["why", "/t/m", "libC.so"],
        "
/t/m
└─ libA.so
   └─ libC.so => /t/l/libC.so [RPATH of m]
/t/m
└─ libA.so
   └─ /t/l/libC.so [loaded already: RPATH of m for libA.so]
/t/m
└─ libB.so
   └─ libC.so => /t/l/libC.so [loaded already: RPATH of m for libA.so]
2 objects ask for it, by 6 chains in all
-- 0
",
    );
    let said = Bench::of(circle).says(&["why", "--all", "/t/m", "libC.so"]);
    let depths: Vec<usize> = said
        .lines()
        .filter(|line| line.contains("libC.so"))
        .map(|line| line.find('└').unwrap_or(0))
        .collect();
    assert_eq!(depths, [3, 3, 3, 6, 6, 6], "{said}");
}

#[test]
fn why_ends_where_there_are_more_chains_than_can_be_counted() {
    let mut dense = String::from("/t/m: NEEDED lib0.so; RPATH /t/l\n");
    let all: String = (0..40).map(|n| format!(" lib{n}.so")).collect();
    (0..40).for_each(|n| dense += &format!("/t/l/lib{n}.so: NEEDED{all}\n"));
    let bench = Bench::of(&dense);
    let said = bench.says(&["why", "/t/m", "lib39.so"]);
    assert!(said.contains("\n40 objects ask for it, by at least "), "{said}");
    let said = bench.says(&["why", "--all", "/t/m", "lib39.so"]);
    assert!(said.contains(" chains in all; 1000 are shown\n"), "{said}");
    let depths: Vec<usize> = said
        .lines()
        .filter(|line| line.contains("lib39.so =>"))
        .map(|line| line.find('└').unwrap_or(0))
        .collect();
    assert!(depths.len() == 1000 && depths.is_sorted(), "{depths:?}");
}

#[test]
fn what_cannot_be_explained_is_not_said_to_be_no_list() {
    let text = "A text of some length, or it would be called too short to be an ELF file at all.";
    let said = "-- 2\ndepcollect: error: cannot explain `/t/text`: it is no ELF file\n";
    check(&format!("/t/text \"{text}\""), &["why", "/t/text", "libA.so"], said);
}

#[test]
fn why_says_who_asks_that_is_no_needed() {
    let said = "
/t/m
└─ /lib64/ld-linux-x86-64.so.2 [interpreter]
1 object asks for it, by 1 chain in all
-- 0
";
    check("/t/m: PROG", &["why", "/t/m", "ld-linux-x86-64.so.2"], said);
    let said = "
/t/m
└─ libA.so
   └─ libF.so => /t/l/libF.so [DT_AUXILIARY, RUNPATH]
1 object asks for it, by 1 chain in all
-- 0
";
    let world = "/t/m: NEEDED libA.so; RUNPATH /t/l\n/t/l/libA.so: AUX libF.so; RUNPATH /t/l\n/t/l/libF.so:";
    check(world, &["why", "/t/m", "libF.so"], said);
}
