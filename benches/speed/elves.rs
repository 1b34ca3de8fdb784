//! Which files are worth listing.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Regular files that start as ELF and are no object files, sorted.
pub fn elf_files(tops: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut dirs: Vec<PathBuf> = tops.iter().map(PathBuf::from).collect();
    while let Some(dir) = dirs.pop() {
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        for entry in entries.map_while(Result::ok) {
            let kind = entry.file_type().unwrap();
            let path = entry.path();
            if kind.is_dir() {
                dirs.push(path);
            } else if kind.is_file() && is_loaded_elf(&path) {
                found.extend(path.into_os_string().into_string());
            }
        }
    }
    found.sort();
    found
}

fn is_loaded_elf(path: &Path) -> bool {
    let mut head = [0; 18];
    let read = fs::File::open(path).and_then(|mut file| {
        // A setuid program is started with more rights by its loader.
        let setuid = file.metadata()?.permissions().mode() & 0o6000 != 0;
        file.read_exact(&mut head).map(|()| !setuid)
    });
    // ET_EXEC and ET_DYN.
    matches!(read, Ok(true)) && head.starts_with(b"\x7fELF") && matches!(head[16], 2 | 3)
}
