use std::io;
use crate::bytes::ReadAt;
use super::Facts;
pub fn defines(_f: &impl ReadAt, _x: &Facts, _n: &[u8]) -> io::Result<bool> { Ok(false) }
