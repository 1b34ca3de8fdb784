//! From bytes to facts.

use std::io;

use super::{Facts, Unfit};
use crate::bytes::ReadAt;

pub(super) fn facts(_file: &impl ReadAt) -> io::Result<Result<Facts, Unfit>> {
    Ok(Err(Unfit::TooShort { len: 0 }))
}
