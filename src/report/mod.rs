//! Renderings of a closure. None of them does any I/O: each appends to a buffer.

mod check;
mod dot;
mod edges;
mod escape;
mod findings;
mod json;
mod json_writer;
mod ldd;
mod off;
mod paths;
mod style;
mod tree;
mod why;

pub use check::{check_findings, check_json, check_programs, check_summary};
pub use dot::dot;
pub use escape::{escape, is_plain};
pub use findings::{details, finding, nobody_asks, problem};
pub use json::Json;
pub use ldd::ldd;
pub use paths::paths;
pub use style::Style;
pub use tree::tree;
pub use why::{Chains, why};
