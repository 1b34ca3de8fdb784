//! glibc's and musl's rules as data: which paths are tried for a name, in
//! which order, and what each obstacle does. Nothing here opens a file.

pub mod cache;
pub mod conf;

/// A glibc version, `Version(2, 36)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u32, pub u32);
