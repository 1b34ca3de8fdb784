//! What a killed run left in DIST, as somebody else may have written it: it is
//! undone or refused, and nothing beside DIST is touched.

#![no_main]
#![expect(clippy::disallowed_methods, reason = "the trees are made and looked at by plain means")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use depcollect::output::dir::existing;
use libfuzzer_sys::fuzz_target;

/// In memory, if this machine has such a place.
fn place() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let above = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let place = above.join(format!("depcollect-fuzz-{}", std::process::id()));
        fs::create_dir_all(place.join("beside")).expect("a directory");
        fs::write(place.join("beside/file"), "beside").expect("a file");
        place
    })
}

fuzz_target!(|journal: &[u8]| {
    let dist = place().join("dist");
    let _ = fs::remove_dir_all(&dist);
    let stage = dist.join(".depcollect-stage");
    for dir in ["new", "old"] {
        fs::create_dir_all(stage.join(dir)).expect("a directory");
        fs::write(stage.join(dir).join("1"), dir).expect("a file");
    }
    fs::create_dir_all(dist.join("a/b")).expect("a directory");
    fs::write(dist.join("a/file"), "a").expect("a file");
    std::os::unix::fs::symlink("../beside", dist.join("out")).expect("a link");
    for dir in [&stage, &dist] {
        fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("a mode");
    }
    fs::write(stage.join("journal"), journal).expect("a file");
    let done = existing(&dist);
    assert!(done.is_err() || !stage.exists(), "what was undone is removed");
    let mut beside =
        fs::read_dir(place()).expect("a directory").map(|entry| entry.expect("an entry").file_name());
    assert!(beside.all(|name| name == "dist" || name == "beside"));
    assert_eq!(fs::read(place().join("beside/file")).expect("it is there"), b"beside");
});
