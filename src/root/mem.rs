//! A tree in memory as a root.
