//! The only test binary: one program, so that it links once.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a test may stop, look at the disk and say what it skips"
)]

mod cachefile;
mod elf;
mod judge;
mod ldconfig;
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
mod world;
mod worldelf;
