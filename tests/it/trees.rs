//! Random worlds through all judges. `DEPCOLLECT_TREES` is how many per
//! loader, `DEPCOLLECT_SEED` the first of them.

use std::collections::BTreeMap;

use crate::judge::{self, Answer, REAL};
use crate::shrink::shrink;
use crate::world::World;
use crate::{need, random, rows};

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().map_or(usual, |v| v.parse().expect("a number"))
}

/// How often something was seen, for somebody who tunes the generator.
#[derive(Debug, Default)]
struct Census(BTreeMap<&'static str, u32>);

impl Census {
    fn count(&mut self, what: &'static str, is_so: bool) {
        *self.0.entry(what).or_default() += u32::from(is_so);
    }

    fn add(&mut self, text: &str, answer: &Answer) {
        let found = answer.lines.iter().filter(|l| !l.contains("not found")).count();
        let is_resolved = answer.fatal.is_none() && found >= 2;
        self.count("worlds", true);
        self.count("fatal", answer.fatal.is_some());
        self.count("crash", answer.status < 0);
        self.count("hang", answer.status == -14);
        // -14: it hangs, and each attempt to shrink that takes five seconds.
        if answer.status < 0 && answer.status != -14 && std::env::var_os("DEPCOLLECT_CENSUS").is_some() {
            let small = shrink(text, &|text| (REAL.answer)(&World::parse(text)).status == answer.status);
            eprintln!("the loader itself crashed:\n{small}{answer}");
        }
        self.count("two or more found", is_resolved);
        self.count("five or more found", found >= 5);
        self.count("something missing", answer.lines.iter().any(|l| l.contains("not found")));
        self.count("ignored", !answer.ignored.is_empty());
        if !is_resolved {
            return;
        }
        let any = |part: &str| answer.lines.iter().any(|l| l.contains(part));
        let relative = |l: &String| {
            l.split_once(" => ").is_some_and(|(_, p)| !p.starts_with('/') && !p.starts_with("not found"))
        };
        self.count("found: hwcaps", any("/glibc-hwcaps/"));
        self.count("found: legacy subdirectory", any("/tls/") || any("/x86_64/"));
        self.count("found: through a directory link", any(" /t/x/") || any(" /t/y/") || any(" /v/"));
        self.count("found: default directory", any(" /lib/") || any(" /usr/"));
        self.count("found: unusual spelling", any("//") || any("/../") || any("/./"));
        self.count("found: relative", answer.lines.iter().any(relative));
        for part in WORDS {
            self.count(part, text.contains(part));
        }
    }
}

/// Features of a world's text that are counted where it resolves.
const WORDS: [&str; 21] = [
    "AUX ",
    "FILTER ",
    "NODEFLIB",
    "RPATH ",
    "RUNPATH ",
    "$ORIGIN",
    "$LIB",
    "$PLATFORM",
    "SONAME ",
    "cache: ",
    "preload-file: ",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    " = /",
    " -> ",
    "COPY ",
    "I386",
    "AARCH64",
    "cwd ",
    "program /u/link",
    "musl-path",
];

/// Where filters go round in circles, ld.so goes on until its memory or its
/// time has run out, and says what happens to be the last thing that failed.
fn are_both_lost(said: &Answer, real: &Answer) -> bool {
    let is_circle = said.fatal.as_deref().is_some_and(|why| why.ends_with("filters go round in circles"));
    is_circle && real.status != 0
}

fn run(musl: bool) {
    if let Err(why) = judge::bench() {
        return need::skip(why);
    }
    if !judge::has_loader(musl) {
        return need::skip("the loader is not installed");
    }
    let first = number("DEPCOLLECT_SEED", 1);
    let mut census = Census::default();
    for seed in first..first + number("DEPCOLLECT_TREES", 60) {
        let text = random::world(seed, musl);
        let world = World::parse(&text);
        let real = (REAL.answer)(&world);
        census.add(&text, &real);
        if real.status < 0 {
            // glibc itself crashes or hangs on one tree in a thousand, where filters go
            // round in circles: there is no answer.
            continue;
        }
        // The auditors of worlds are none, and are unloaded again, which glibc does not
        // survive if they have filtees.
        if real.fatal.as_deref().is_some_and(|why| why.contains("_dl_close_worker: Assertion")) {
            continue;
        }
        // An older release (`DEPCOLLECT_LOADER`) takes a newer option for the program.
        if real.fatal.as_deref().is_some_and(|why| why.starts_with("--")) {
            continue;
        }
        // Started for real beside ld.so and without a libc, ld.so misses `calloc`.
        // The libraries of these worlds define nothing at all.
        if real.fatal.as_deref().is_some_and(|why| why.contains("undefined symbol: calloc")) {
            continue;
        }
        for judge in rows::judges().iter().filter(|j| j.answers_for_all) {
            let differs = |text: &str| {
                let world = World::parse(text);
                let (said, real) = ((judge.answer)(&world), (REAL.answer)(&world));
                said != real && !are_both_lost(&said, &real)
            };
            if differs(&text) {
                let small = shrink(&text, &differs);
                let world = World::parse(&small);
                let (real, said) = ((REAL.answer)(&world), (judge.answer)(&world));
                panic!("seed {seed}\n{small}-- the real loader\n{real}-- {} says\n{said}", judge.name);
            }
        }
    }
    if std::env::var_os("DEPCOLLECT_CENSUS").is_some() {
        eprintln!("{census:#?}");
    }
}

#[test]
fn glibc() {
    run(false);
}

#[test]
fn musl() {
    run(true);
}
