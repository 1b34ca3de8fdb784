//! The only test binary: one program, so that it links once.

#![expect(unreachable_pub, reason = "one binary: `pub` is what its modules share")]

mod cachefile;
mod elf;
mod foreign;
mod garble;
mod handmade;
mod judge;
mod ldcache;
mod ldconfig;
mod ldtree;
mod model;
mod need;
mod paths;
mod place;
mod random;
mod rng;
mod roots;
mod rows;
mod shrink;
mod sweep;
mod symbols;
mod synth;
mod tidy;
mod trees;
mod world;
mod worldelf;
