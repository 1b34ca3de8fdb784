use super::Facts;
use crate::bytes::ReadAt;
use std::io;
pub fn defines(_f: &impl ReadAt, _x: &Facts, _n: &[u8]) -> io::Result<bool> {
    Ok(false)
}
