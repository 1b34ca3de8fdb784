//! Each of `examples/` is built by a container engine as its Dockerfile says and
//! started as a careful host would: not root, a root that nobody can write, no
//! capability. A server is asked over loopback, in the container's own network.
//!
//! `DEPCOLLECT_ENGINE` is the directory of an engine that `tests/containers/engine`
//! started and `tests/containers/images` filled.

#![expect(clippy::disallowed_methods, reason = "what is read here is the test's own setting")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::need;

struct Example {
    /// Of `examples/`.
    folder: &'static str,
    /// One of several images of the folder.
    variant: &'static str,
    build: &'static [&'static str],
    run: &'static [&'static str],
    does: Does,
    /// All that is in the image, where that is told; of the time zones only the top.
    holds: Option<&'static str>,
}

enum Does {
    /// With these arguments it prints all of this, and ends.
    Prints(&'static [&'static str], &'static [&'static str]),
    /// On port 8080: a path, and what is in the answer.
    Answers(&'static [(&'static str, &'static str)]),
}

use Does::{Answers, Prints};

const EXAMPLES_DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");

const HELLO: Example = Example {
    folder: "go-hello",
    variant: "",
    build: &[],
    run: &[],
    does: Prints(&[], &["hello, world"]),
    holds: None,
};

const THE_PROGRAM: &str = "\
-rwxr-xr-x 0/0 app
";

const LOADER_AND_LIBC: &str = "\
-rwxr-xr-x 0/0 app
lrwxrwxrwx 0/0 lib -> usr/lib
lrwxrwxrwx 0/0 lib64 -> usr/lib64
drwxr-xr-x 0/0 usr/
drwxr-xr-x 0/0 usr/lib/
drwxr-xr-x 0/0 usr/lib/x86_64-linux-gnu/
-rwxr-xr-x 0/0 usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2
-rwxr-xr-x 0/0 usr/lib/x86_64-linux-gnu/libc.so.6
drwxr-xr-x 0/0 usr/lib64/
lrwxrwxrwx 0/0 usr/lib64/ld-linux-x86-64.so.2 -> /lib/x86_64-linux-gnu/ld-linux-x86-64.so.2
";

const WHAT_DISTROLESS_HAS: &str = "\
-rwxr-xr-x 0/0 app
drwxr-xr-x 0/0 etc/
-rw-r--r-- 0/0 etc/group
-rw-r--r-- 0/0 etc/passwd
drwxr-xr-x 0/0 etc/ssl/
lrwxrwxrwx 0/0 etc/ssl/cert.pem -> /etc/ssl/certs/ca-certificates.crt
drwxr-xr-x 0/0 etc/ssl/certs/
-rw-r--r-- 0/0 etc/ssl/certs/ca-certificates.crt
drwxr-xr-x 0/0 home/
drwxr-xr-x 65532/65532 home/nonroot/
drwx------ 0/0 root/
drwxrwxrwt 0/0 tmp/
drwxr-xr-x 0/0 usr/
drwxr-xr-x 0/0 usr/lib/
drwxr-xr-x 0/0 usr/lib/ssl/
lrwxrwxrwx 0/0 usr/lib/ssl/cert.pem -> /etc/ssl/certs/ca-certificates.crt
drwxr-xr-x 0/0 usr/share/
drwxr-xr-x 0/0 usr/share/zoneinfo/
";

const SECURE: Does = Answers(&[
    ("/", "zone: 1970-01-01 01:00:00 +0100 CET\n"),
    ("/", "certificates: some\n"),
    ("/", "user: nonroot 65532 /home/nonroot\n"),
]);

const DIGEST_OF_SLASH: &str = "8a5edab282632443219e051e4ade2d1d5bbc671c781051bf1437897cbdfea0f1\n";

const EXAMPLES: [Example; 13] = [
    Example { holds: Some(THE_PROGRAM), ..HELLO },
    Example {
        folder: "go-http",
        does: Answers(&[("/", "hello from a scratch image\n")]),
        holds: Some(LOADER_AND_LIBC),
        ..HELLO
    },
    Example { folder: "small-and-secure", does: SECURE, ..HELLO },
    Example {
        folder: "small-and-secure",
        variant: "static",
        build: &["--build-arg", "CGO_ENABLED=0"],
        does: SECURE,
        ..HELLO
    },
    Example {
        folder: "go-musl",
        variant: "static",
        build: &["--target", "static"],
        does: Prints(&[], &["hello from C to Go"]),
        ..HELLO
    },
    Example {
        folder: "go-musl",
        variant: "dynamic",
        build: &["--target", "dynamic"],
        does: Prints(&[], &["hello from C to Go"]),
        ..HELLO
    },
    Example {
        folder: "distroless",
        // Over the image's own /tmp, whose mode it takes.
        run: &["--tmpfs", "/tmp"],
        does: Prints(
            &[],
            &[
                "zone: 1970-01-01 09:00:00 +0900 JST\n",
                "certificates: true\n",
                "user: nonroot 65532 65532 /home/nonroot\n",
                "file: true\n",
            ],
        ),
        holds: Some(WHAT_DISTROLESS_HAS),
        ..HELLO
    },
    Example {
        folder: "cpp",
        does: Answers(&[("/Bjarne", "hello from C++, Bjarne\n"), ("/%", "this is no request\n")]),
        ..HELLO
    },
    Example {
        folder: "rust-openssl",
        does: Answers(&[("/", DIGEST_OF_SLASH), ("/", "OpenSSL 3."), ("/", "trusted: true\n")]),
        ..HELLO
    },
    Example {
        folder: "nginx",
        run: &["--tmpfs", "/tmp"],
        does: Answers(&[("/", "hello from nginx"), ("/", "Content-Type: text/html")]),
        ..HELLO
    },
    Example {
        folder: "postgres-client",
        // Nothing listens; it comes as far as that, and knows its user.
        does: Prints(
            &["-h", "127.0.0.1", "-c", "select 1"],
            &["connection to server at \"127.0.0.1\", port 5432 failed: Connection refused"],
        ),
        ..HELLO
    },
    Example { folder: "python", does: Answers(&[("/[1,%202.5,%20yes]", "[1, 2.5, true]\n")]), ..HELLO },
    Example {
        folder: "nodejs",
        does: Answers(&[("/", DIGEST_OF_SLASH), ("/squeezed", "/squeezed\n"), ("/", "jeudi\n")]),
        ..HELLO
    },
];

pub struct Engine {
    dir: PathBuf,
}

impl Engine {
    /// Of Debian, since what stands first in the PATH may lack BuildKit.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("/usr/bin/docker");
        command.args(args).env("DOCKER_HOST", format!("unix://{}/socket", self.dir.display()));
        command.env("DOCKER_CONFIG", self.dir.join("config")).env("DOCKER_BUILDKIT", "1");
        command
    }

    fn docker(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("docker.io is installed")
    }

    pub fn must(&self, args: &[&str]) -> Result<String, String> {
        let output = self.docker(args);
        if output.status.success() {
            Ok(text(&output))
        } else {
            Err(format!("docker {args:?}\n{}", text(&output)))
        }
    }

    fn inspect(&self, format: &str, what: &str) -> Result<String, String> {
        Ok(self.must(&["inspect", "--format", format, what])?.trim().to_owned())
    }
}

fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

impl Example {
    fn tag(&self) -> String {
        let dash = if self.variant.is_empty() { "" } else { "-" };
        format!("example-{}{dash}{}", self.folder, self.variant)
    }

    fn check(&self, engine: &Engine) -> Result<(), String> {
        let tag = self.tag();
        self.build(engine, &["-t", &tag])?;
        self.is_as_large_as_told(engine)?;
        self.holds_nothing_else(engine)?;
        let user = engine.inspect("{{.Config.User}}", &tag)?;
        if ["", "0", "0:0", "root"].contains(&user.as_str()) {
            return Err("it would run as root".into());
        }
        match self.does {
            Prints(args, expected) => self.prints(engine, args, expected),
            Answers(expected) => self.answers(engine, expected),
        }
    }

    fn folder(&self) -> PathBuf {
        Path::new(EXAMPLES_DIR).join(self.folder)
    }

    fn build(&self, engine: &Engine, what: &[&str]) -> Result<(), String> {
        let folder = self.folder();
        let mut args = vec!["build", "--progress=plain", "--network=host"];
        args.extend(what);
        args.extend(self.build);
        args.push(folder.to_str().expect("a path of ours"));
        engine.must(&args).map(drop)
    }

    /// The README's figure is of this image, give or take an update of Debian.
    fn is_as_large_as_told(&self, engine: &Engine) -> Result<(), String> {
        let tag = self.tag();
        let bytes: f64 = engine.inspect("{{.Size}}", &tag)?.parse().expect("a number of bytes");
        let row = sizes().into_iter().find(|row| row[2] == tag).ok_or("sizes.tsv does not know it")?;
        let readme = fs::read_to_string(self.folder().join("README.md")).expect("a README");
        let told =
            told(&readme, &row[1]).ok_or("there is no size in its README: run tests/containers/sizes")?;
        let ratio = told * 1e6 / bytes;
        if (0.95..1.05).contains(&ratio) {
            Ok(())
        } else {
            Err(format!("{bytes} bytes, its README says {told} MB"))
        }
    }

    fn holds_nothing_else(&self, engine: &Engine) -> Result<(), String> {
        let Some(expected) = self.holds else { return Ok(()) };
        let file = tempfile::NamedTempFile::new().expect("a file");
        self.build(engine, &["--output", &format!("type=tar,dest={}", file.path().display())])?;
        let listed = listed(file.path());
        if listed == expected { Ok(()) } else { Err(format!("it holds\n{listed}-- expected\n{expected}")) }
    }

    fn start(&self, engine: &Engine, how: &str, args: &[&str]) -> Output {
        let tag = self.tag();
        let mut all = vec!["run", how, "--network=none", "--read-only", "--cap-drop=ALL"];
        all.push("--security-opt=no-new-privileges");
        all.extend(self.run);
        all.push(&tag);
        all.extend(args);
        engine.docker(&all)
    }

    fn prints(&self, engine: &Engine, args: &[&str], expected: &[&str]) -> Result<(), String> {
        let said = text(&self.start(engine, "--rm", args));
        match expected.iter().find(|part| !said.contains(**part)) {
            Some(part) => Err(format!("`{part}` is not in what it prints:\n{said}")),
            None => Ok(()),
        }
    }

    fn answers(&self, engine: &Engine, expected: &[(&str, &str)]) -> Result<(), String> {
        let output = self.start(engine, "--detach", &[]);
        if !output.status.success() {
            return Err(text(&output));
        }
        let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let result = ask_all(engine, &name, expected);
        let log = engine.docker(&["logs", &name]);
        engine.must(&["rm", "--force", &name])?;
        result.map_err(|error| format!("{error}\n-- its log\n{}", text(&log)))
    }
}

/// Mode, owner and name of all in an archive, but for the time zones.
fn listed(archive: &Path) -> String {
    let output = Command::new("tar").args(["--numeric-owner", "-tvf"]).arg(archive).output().expect("tar");
    let text = text(&output);
    let lines = text.lines().filter(|line| line.split("zoneinfo/").nth(1).is_none_or(str::is_empty));
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        format!("{} {} {}\n", words[0], words[1], words[5..].join(" "))
    };
    lines.map(line).collect()
}

fn ask_all(engine: &Engine, name: &str, expected: &[(&str, &str)]) -> Result<(), String> {
    let pid = engine.inspect("{{.State.Pid}}", name)?;
    for (path, part) in expected {
        let answer = ask(&pid, path)?;
        if !answer.contains(part) {
            return Err(format!("`{part}` is not in the answer to {path}:\n{answer}"));
        }
    }
    Ok(())
}

/// Until the server listens, for a quarter of a minute.
fn ask(pid: &str, path: &str) -> Result<String, String> {
    let begin = Instant::now();
    let request = r#"exec 3<>/dev/tcp/127.0.0.1/8080; printf 'GET %s HTTP/1.0\r\n\r\n' "$0" >&3; cat <&3"#;
    loop {
        let mut client = Command::new("nsenter");
        client.arg(format!("--net=/proc/{pid}/ns/net")).args(["bash", "-c", request, path]);
        let output = client.output().map_err(|error| format!("nsenter: {error}"))?;
        if output.status.success() && !output.stdout.is_empty() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        if begin.elapsed() > Duration::from_secs(15) {
            return Err(format!("no answer to {path}: {}", text(&output)));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// The rows of `examples/sizes.tsv`: folder, image, tag, the article's figure.
fn sizes() -> Vec<[String; 4]> {
    let text = fs::read_to_string(Path::new(EXAMPLES_DIR).join("sizes.tsv")).expect("examples/sizes.tsv");
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    let row = |line: &str| -> [String; 4] {
        line.split('\t').map(str::to_owned).collect::<Vec<_>>().try_into().expect("four columns")
    };
    rows.map(row).collect()
}

/// The MB of an image in a README's table.
fn told(readme: &str, image: &str) -> Option<f64> {
    let row = readme.lines().find_map(|line| line.strip_prefix(&format!("| {image} | ")))?;
    row.split_once(" MB |")?.0.parse().ok()
}

pub fn engine() -> Option<Engine> {
    let dir = std::env::var_os("DEPCOLLECT_ENGINE");
    if dir.is_none() {
        need::skip("no container engine: set DEPCOLLECT_ENGINE");
    }
    dir.map(|dir| Engine { dir: dir.into() })
}

#[test]
fn every_example_is_built_and_does_its_work() {
    let Some(engine) = engine() else { return };
    let (rows, wrong) = (Mutex::new(EXAMPLES.iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(example) = { rows.lock().unwrap().next() } {
                    if let Err(error) = example.check(&engine) {
                        wrong.lock().unwrap().push(format!("{}: {error}", example.tag()));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Compiled twice, at two times.
#[test]
fn one_date_gives_one_layer() {
    let Some(engine) = engine() else { return };
    let folder = format!("{EXAMPLES_DIR}/go-http");
    let layers = || {
        let date = "SOURCE_DATE_EPOCH=1700000000";
        let built =
            engine.docker(&["build", "-q", "--no-cache", "--network=none", "--build-arg", date, &folder]);
        assert!(built.status.success(), "{}", text(&built));
        let image = String::from_utf8(built.stdout).unwrap();
        engine.inspect("{{json .RootFS.Layers}}", image.trim()).unwrap()
    };
    assert_eq!(layers(), layers());
}

/// Made by somebody who may give no file away: the archive says whose it is.
#[test]
fn a_tar_stream_of_anybody_is_an_image() {
    let Some(engine) = engine() else { return };
    let program = format!("{}:/depcollect:ro", assert_cmd::cargo::cargo_bin!("depcollect").display());
    let collect = "/depcollect --output tar --user --mkdir /tmp /usr/bin/id /usr/bin/stat -";
    let run = ["run", "--rm", "--network=none", "--user=1000:1000"];
    let words = ["-v", &program, "debian:12-slim", "sh", "-c", collect];
    let archive = engine.docker(&[&run[..], &words].concat());
    assert!(archive.status.success(), "{}", String::from_utf8_lossy(&archive.stderr));
    let mut import = engine
        .command(&["import", "-", "example-tar"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    import.stdin.take().unwrap().write_all(&archive.stdout).unwrap();
    assert!(import.wait().unwrap().success());
    let says = |words: &[&str]| {
        let run = ["run", "--rm", "--network=none", "--read-only", "--user=nonroot", "example-tar"];
        text(&engine.docker(&[&run[..], words].concat()))
    };
    assert_eq!(says(&["/usr/bin/id"]), "uid=65532(nonroot) gid=65532(nonroot) groups=65532(nonroot)\n");
    assert_eq!(says(&["/usr/bin/stat", "-c%U %a", "/home/nonroot", "/tmp"]), "nonroot 755\nroot 1777\n");
}

/// What a README says is run is what its Dockerfile runs.
#[test]
fn a_readme_shows_the_line_of_its_dockerfile() {
    let mut shown = 0;
    for entry in fs::read_dir(EXAMPLES_DIR).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        let (readme, dockerfile) = (read("README.md"), read("Dockerfile"));
        for block in readme.split("\n\n").filter(|block| block.starts_with("    RUN ")) {
            let block = block.replace("\n    ", "\n");
            let line = block.trim_start();
            assert!(dockerfile.contains(&format!("\n{line}\n")), "{}: {line}", folder.display());
            shown += 1;
        }
    }
    assert!(shown >= 11, "{shown}");
}
