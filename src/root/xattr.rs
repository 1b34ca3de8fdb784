//! Extended attributes of an open file.

use std::io;

use rustix::fs::{fgetxattr, flistxattr, flistxattr_query};
use rustix::io::{Errno, retry_on_intr};

use super::OpenFile;

/// Linux holds no more of either.
const LIST_MAX: usize = 64 * 1024;
const VALUE_MAX: usize = 64 * 1024;

impl OpenFile {
    /// Those that go along with a copy: `security.capability` and `user.*`,
    /// sorted by name. A file system without any has none.
    pub fn xattrs(&self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let Some(fd) = self.fd() else { return Ok(Vec::new()) };
        // Most files have none: then one question is enough.
        match retry_on_intr(|| flistxattr_query(fd)) {
            Ok(0) | Err(Errno::NOTSUP) => return Ok(Vec::new()),
            Ok(_) => {}
            Err(errno) => return Err(errno.into()),
        }
        let mut list = vec![0_u8; LIST_MAX];
        let len = retry_on_intr(|| flistxattr(fd, &mut list[..]))?;
        let names = list[..len].split(|&b| b == 0).filter(|name| goes_along(name));
        let mut found =
            names.map(|name| Ok((name.to_vec(), self.xattr(name)?))).collect::<io::Result<Vec<_>>>()?;
        found.sort();
        Ok(found)
    }

    fn xattr(&self, name: &[u8]) -> io::Result<Vec<u8>> {
        let Some(fd) = self.fd() else { return Ok(Vec::new()) };
        let mut value = vec![0_u8; VALUE_MAX];
        let len = retry_on_intr(|| fgetxattr(fd, name, &mut value[..]))?;
        value.truncate(len);
        Ok(value)
    }
}

fn goes_along(name: &[u8]) -> bool {
    name == b"security.capability" || name.starts_with(b"user.")
}
