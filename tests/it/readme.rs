//! The commands of README.md, run as they stand in a container of Debian: what
//! they print is what README shows, numbers and columns aside, which an update
//! of Debian may change. `DEPCOLLECT_UPDATE=1` writes down what they print.

#![expect(clippy::disallowed_methods, reason = "what is read here are the test's own files and settings")]

use std::fs;
use std::path::{Path, PathBuf};

use crate::containers::engine;
use crate::{collect_foreign, need};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

/// The programs that README names, and one that misses a library.
const DOCKERFILE: &str = "
FROM compiler AS app
RUN mkdir -p /opt/app/bin /opt/app/lib
RUN echo 'int foo(void) { return 0; }' | gcc -shared -Wl,-soname,libfoo.so.1 -o /opt/app/lib/libfoo.so.1 -xc -
RUN echo 'int foo(void); int main(void) { return foo(); }' >/app.c && gcc -o /opt/app/bin/app /app.c /opt/app/lib/libfoo.so.1

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl git python3 sqlite3
COPY --from=app /opt/app /opt/app
COPY --from=depcollect /depcollect /usr/local/bin/
WORKDIR /
";

/// A command, and the lines it is shown to print.
struct Shown<'a> {
    command: &'a str,
    /// As they stand in README, with their indent.
    lines: Vec<&'a str>,
}

/// The blocks that begin with a prompt.
fn shown(readme: &str) -> Vec<Shown<'_>> {
    let mut blocks: Vec<Shown<'_>> = Vec::new();
    let mut inside = false;
    for line in readme.lines() {
        if let Some(command) = line.strip_prefix("    $ ") {
            blocks.push(Shown { command, lines: Vec::new() });
            inside = true;
        } else if inside && line.starts_with("    ") {
            blocks.last_mut().expect("a block was begun").lines.push(line);
        } else {
            inside = false;
        }
    }
    blocks
}

/// Each prints a line that none of them would, and then what it prints.
const MARK: &str = "@@ next";

fn script(blocks: &[Shown<'_>]) -> String {
    blocks.iter().map(|block| format!("echo '{MARK}'\n{{ {}; }} 2>&1\n", block.command)).collect()
}

/// Numbers are one number, and blanks one blank.
fn masked(lines: &[String]) -> Vec<String> {
    let number = |line: &str| {
        let mut out = String::new();
        for c in line.chars() {
            match c {
                '0'..='9' if out.ends_with('0') => {}
                '0'..='9' => out.push('0'),
                ' ' if out.ends_with(' ') => {}
                c => out.push(c),
            }
        }
        out.replace("0.0", "0")
    };
    lines.iter().map(|line| number(line.trim())).collect()
}

fn indented(printed: &str) -> Vec<String> {
    printed.lines().map(|line| format!("    {line}")).collect()
}

fn foreign(name: &str) -> Option<PathBuf> {
    collect_foreign::roots().ok()?.into_iter().find(|root| root.ends_with(name))
}

#[test]
fn commands_print_what_readme_shows() {
    let Some(engine) = engine() else { return };
    let Some(s390x) = foreign("s390x") else { return need::skip("DEPCOLLECT_ROOTS has no root named s390x") };
    let readme = fs::read_to_string(README).expect("README");
    let blocks = shown(&readme);
    assert!(blocks.len() >= 8, "{}", blocks.len());
    let context = tempfile::tempdir().expect("a directory");
    fs::write(context.path().join("Dockerfile"), DOCKERFILE).expect("a file");
    let context = context.path().to_str().expect("a path of ours");
    engine.must(&["build", "--progress=plain", "--network=host", "-t", "readme", context]).unwrap();
    let mount = format!("{}:/rootfs-s390x:ro", s390x.display());
    let run = ["run", "--rm", "--network=none", "-v", &mount, "readme", "bash", "-c", &script(&blocks)];
    let printed = engine.must(&run).unwrap();
    let printed: Vec<Vec<String>> = printed.split(&format!("{MARK}\n")).skip(1).map(indented).collect();
    assert_eq!(printed.len(), blocks.len());
    if std::env::var_os("DEPCOLLECT_UPDATE").is_some() {
        return fs::write(Path::new(README), updated(&readme, &printed)).expect("README");
    }
    for (block, printed) in blocks.iter().zip(&printed) {
        let told: Vec<String> = block.lines.iter().map(|line| (*line).to_owned()).collect();
        assert_eq!(masked(&told), masked(printed), "{}\n{}", block.command, printed.join("\n"));
    }
}

/// README with other lines below its prompts.
fn updated(readme: &str, printed: &[Vec<String>]) -> String {
    let (mut out, mut printed, mut inside) = (String::new(), printed.iter(), false);
    for line in readme.lines() {
        let is_prompt = line.starts_with("    $ ");
        inside = is_prompt || inside && line.starts_with("    ");
        if !inside || is_prompt {
            out.push_str(line);
            out.push('\n');
        }
        if is_prompt {
            let lines = printed.next().expect("one for each prompt");
            lines.iter().for_each(|line| out.extend([line.as_str(), "\n"]));
        }
    }
    out
}

#[test]
fn numbers_are_one_number() {
    let lines = ["    /usr/bin/git    3.7 MB  program", "  12 files, 22 MB"].map(str::to_owned);
    assert_eq!(masked(&lines), ["/usr/bin/git 0 MB program", "0 files, 0 MB"]);
}
