//! `Dockerfile` at the top, and what it makes: used by other Dockerfiles as a
//! user would, where there is glibc and where there is nothing but musl.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::containers::{Engine, engine};
use crate::need;

const SOURCE: &str = env!("CARGO_MANIFEST_DIR");

/// Of glibc: a program of the base, in an image that holds nothing else.
const ON_DEBIAN: &str = "
FROM debian:12-slim AS build
COPY --from=depcollect-shipped /depcollect /usr/local/bin/
RUN depcollect /usr/bin/id --user /dist && depcollect check /dist

FROM scratch
COPY --from=build /dist /
USER 65532:65532
ENTRYPOINT [\"/usr/bin/id\"]
";

/// A base without glibc: a shell that needs no library, and musl's loader.
const ON_MUSL: &str = "
FROM scratch AS base
COPY root/ /

FROM base AS build
COPY --from=depcollect-shipped /depcollect /bin/
RUN [\"/bin/sh\", \"-c\", \"/bin/depcollect /app /dist && /bin/depcollect check /dist\"]

FROM scratch
COPY --from=build /dist /
USER 65532:65532
ENTRYPOINT [\"/app\"]
";

fn build(engine: &Engine, tag: &str, context: &Path) -> Result<String, String> {
    let context = context.to_str().expect("a path of ours");
    engine.must(&["build", "--progress=plain", "--network=host", "-t", tag, context])
}

/// What `docker run` prints of an image that somebody made with ours.
fn made_with_it(engine: &Engine, dockerfile: &str, tag: &str, context: &Path) -> Result<String, String> {
    fs::write(context.join("Dockerfile"), dockerfile).expect("a file");
    build(engine, tag, context)?;
    engine.must(&["run", "--rm", "--network=none", "--read-only", "--cap-drop=ALL", tag])
}

/// The files of a base that knows musl alone.
fn plant_musl(root: &Path) -> Result<(), &'static str> {
    for dir in ["bin", "lib", "tmp"] {
        fs::create_dir_all(root.join(dir)).expect("a directory");
    }
    fs::copy("/bin/busybox", root.join("bin/busybox")).map_err(|_| "no busybox-static")?;
    symlink("busybox", root.join("bin/sh")).expect("a link");
    let loader = "lib/ld-musl-x86_64.so.1";
    fs::copy(Path::new("/").join(loader), root.join(loader)).map_err(|_| "no musl")?;
    let source = root.with_file_name("app.c");
    fs::write(&source, "#include <stdio.h>\nint main(void) { puts(\"from musl\"); }\n").expect("a file");
    let made = Command::new("musl-gcc").arg("-o").arg(root.join("app")).arg(&source).status();
    if made.is_ok_and(|status| status.success()) { Ok(()) } else { Err("no musl-gcc") }
}

#[test]
fn the_image_holds_one_file_and_serves_any_base() {
    let Some(engine) = engine() else { return };
    build(&engine, "depcollect-shipped", Path::new(SOURCE)).unwrap();
    let run = |args: &[&str]| {
        engine.must(&[&["run", "--rm", "--network=none", "depcollect-shipped"], args].concat())
    };
    assert_eq!(run(&["--version"]).unwrap(), concat!("depcollect ", env!("CARGO_PKG_VERSION"), "\n"));
    assert_eq!(run(&["list", "/depcollect"]).unwrap(), "\tstatically linked\n");

    let context = tempfile::tempdir().expect("a directory");
    let said = made_with_it(&engine, ON_DEBIAN, "shipped-debian", context.path());
    assert_eq!(said.unwrap(), "uid=65532(nonroot) gid=65532(nonroot) groups=65532(nonroot)\n");

    let context = tempfile::tempdir().expect("a directory");
    if let Err(why) = plant_musl(&context.path().join("root")) {
        return need::skip(why);
    }
    let said = made_with_it(&engine, ON_MUSL, "shipped-musl", context.path());
    assert_eq!(said.unwrap(), "from musl\n");
}
