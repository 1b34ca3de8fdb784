//! The only test binary: one program, so that it links once.

mod elf;
mod garble;
mod handmade;
mod judge;
mod ldconfig;
mod need;
mod paths;
mod rows;
mod synth;
mod world;
