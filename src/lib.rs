//! `depcollect` predicts what the dynamic loader opens for a program, and makes
//! a tree of it that works as the root of an image.
//!
//! The modules stand in the order in which data flows through them; a module
//! uses only those above it (`tests/it/tidy.rs` rejects any other arrow).

pub mod bytes;
pub mod escape;
pub mod finding;
pub mod intern;
pub mod job;
pub(crate) mod parallel;
pub mod path;
pub(crate) mod shebang;
pub mod slip;

pub mod elf;

pub mod root;

pub mod loader;

pub mod closure;

pub mod needs;

pub mod plan;

pub mod check;

pub mod output;

pub mod report;

pub mod cli;

pub mod run;
