//! Renderings of a closure. None of them does any I/O: each appends to a buffer.

mod check;
mod collection;
mod dot;
mod edges;
mod findings;
mod json;
mod json_writer;
mod ldd;
mod needs;
mod off;
mod paths;
mod plan;
mod style;
mod tree;
mod why;

use crate::escape;

pub use crate::escape::{escape, is_plain};
pub use check::{check_findings, check_json, check_programs, check_summary};
pub use collection::{Collection, Program as Collected, Written, collection, collection_json, progress};
pub use dot::dot;
pub use edges::counted;
pub use findings::{conflict, cure, details, fault, finding, nobody_asks, problem};
pub use json::{Json, failure_json};
pub use ldd::ldd;
pub use needs::{Needed, NeedsOf, Started as NeedsStarted, needs, needs_json, needs_tree};
pub use paths::paths;
pub use plan::plan;
pub use style::Style;
pub use tree::tree;
pub use why::{Chains, why};
