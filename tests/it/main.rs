//! The only test binary: one program, so that it links once.

#![expect(unreachable_pub, reason = "`pub` is what the modules of this one binary share")]
#![expect(clippy::disallowed_methods, reason = "tests build trees and read the environment themselves")]
#![expect(clippy::unwrap_used, reason = "clippy excuses tests, but not the functions they share")]
#![expect(clippy::print_stderr, reason = "a skip says why")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it is about")]

mod bounds;
mod cachefile;
mod cases;
mod check;
mod checkcache;
mod checktree;
mod cli;
mod collect;
mod collect_dry;
mod collect_foreign;
mod collect_hostile;
mod collect_json;
mod collect_onto;
mod collect_same;
mod containers;
mod cutshort;
mod damaged;
mod data;
mod data_real;
mod dependencies;
mod elf;
mod enter;
mod foreign;
mod garble;
mod handmade;
mod hints;
mod ids;
mod json;
mod judge;
mod ldcache;
mod ldconfig;
mod ldrows;
mod ldtree;
mod lookups;
mod model;
mod need;
mod needconfig;
mod needinterp;
mod needproof;
mod needreport;
mod needrules;
mod needs;
mod never;
mod output;
mod overlay;
mod pages;
mod paths;
mod place;
mod plancase;
mod random;
mod readme;
mod rng;
mod roots;
mod rows;
mod shipped;
mod shrink;
mod sidebyside;
mod starts;
mod sweep;
mod symbols;
mod synth;
mod tidy;
mod traps;
mod trees;
mod unresolved;
mod why;
mod words;
mod world;
mod worldelf;
