//! Files cut short: whatever is left of them, a start that dies of it is told.

#![expect(clippy::disallowed_methods, reason = "what is cut here are copies of the machine's own files")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

use crate::need;

const PROGRAM: &str = "/bin/true";
const LIBRARY: &str = "/lib/x86_64-linux-gnu/libc.so.6";

/// What is left of a file, at every `step`.
fn lengths(whole: usize, step: usize) -> impl Iterator<Item = usize> {
    (0..).map(move |i| i * step).take_while(move |len| *len < whole).chain([whole])
}

fn status(program: &Path, words: &[&Path], library_path: Option<&Path>) -> ExitStatus {
    loop {
        let mut command = Command::new(program);
        command.env_clear().args(words).envs(library_path.map(|dir| ("LD_LIBRARY_PATH", dir)));
        match command.output() {
            Ok(output) => return output.status,
            // Another thread's child still holds it open for writing.
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {}
            // The kernel takes it for no program: a status that is not 0.
            Err(_) => return std::os::unix::process::ExitStatusExt::from_raw(126 << 8),
        }
    }
}

/// How many starts died, all of them foretold; the whole file starts.
fn deaths(file: &str, step: usize, place: &Path, start: &dyn Fn() -> (ExitStatus, ExitStatus)) -> usize {
    let bytes = fs::read(file).expect("it was there");
    let mut deaths = 0;
    for len in lengths(bytes.len(), step) {
        fs::write(place, &bytes[..len]).expect("a copy");
        fs::set_permissions(place, PermissionsExt::from_mode(0o755)).expect("a mode");
        let (real, ours) = start();
        assert!(real.success() || !ours.success(), "{file} cut to {len} bytes: {real:?} was not foretold");
        deaths += usize::from(!real.success());
        assert!(len < bytes.len() || real.success() && ours.success(), "{file} as it is: {ours:?}");
    }
    deaths
}

#[test]
fn a_start_that_dies_of_a_cut_file_is_told() {
    if !Path::new(PROGRAM).exists() || !Path::new(LIBRARY).exists() {
        return need::skip("there is no glibc of x86_64, or no /bin/true");
    }
    let tool = Path::new(env!("CARGO_BIN_EXE_depcollect"));
    let list = Path::new("list");
    let place = tempfile::tempdir().expect("a directory");
    let program = place.path().join("true");
    let of_program = deaths(PROGRAM, 1000, &program, &|| {
        (status(&program, &[], None), status(tool, &[list, &program], None))
    });
    let dir = Some(place.path());
    let library = place.path().join("libc.so.6");
    let of_library = deaths(LIBRARY, 50_001, &library, &|| {
        (status(&program, &[], dir), status(tool, &[list, &program], dir))
    });
    assert!(of_program > 10 && of_library > 10, "{of_program} and {of_library} died");
}
