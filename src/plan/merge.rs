//! A file written by us meets one that is already there.

pub mod by_name;
