//! The only test binary: one program, so that it links once.

#![expect(unreachable_pub, reason = "one binary: `pub` is what its modules share")]

mod cachefile;
mod elf;
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
mod symbols;
mod synth;
mod trees;
mod unresolved;
mod world;
mod worldelf;
