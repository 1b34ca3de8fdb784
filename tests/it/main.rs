//! The only test binary: one program, so that it links once.

mod elf;
mod judge;
mod ldconfig;
mod paths;
mod rows;
mod synth;
mod world;
