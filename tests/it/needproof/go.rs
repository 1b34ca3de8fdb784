//! Programs of Go, which call no library for what they open. Its compiler is large,
//! so they are built only where it is there already.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::built::APP;
use super::{NOBODY, Says, Stage, judge, root, typed};

/// Rule, imports, code, failure and success.
pub const GO: [(&str, &str, &str, &str, &str); 4] = [
    (
        "ca",
        "\"crypto/x509\"",
        "pool, _ := x509.SystemCertPool(); println(len(pool.Subjects()) > 0)",
        "false\n",
        "true\n",
    ),
    (
        "users-static",
        "\"os/user\"",
        "found, err := user.Lookup(\"root\"); if err != nil { println(err.Error()) } else { println(found.HomeDir) }",
        "open /etc/passwd: no such file or directory\n",
        "/root\n",
    ),
    (
        "tz",
        "\"time\"",
        "zone, err := time.LoadLocation(\"Europe/Berlin\"); if err != nil { println(err.Error()) } else { println(zone.String()) }",
        "unknown time zone Europe/Berlin\n",
        "Europe/Berlin\n",
    ),
    ("mime-types", "\"mime\"", "println(mime.TypeByExtension(\".mp4\") + \".\")", "\n.\n", "video/mp4.\n"),
];

#[test]
fn programs_of_go_open_what_their_rules_bring() {
    let is_able = Command::new("go").arg("version").output().is_ok() && rustix::process::geteuid().is_root();
    let Some(root) = root("needs-amd64").filter(|_| is_able) else {
        eprintln!("skipped: only where there are go and the root needs-amd64");
        return;
    };
    let temp = tempfile::tempdir().expect("a directory");
    let stage = Stage { root: &root, scratch: temp.path() };
    let mut wrong = Vec::new();
    for (rule, imports, code, fails, says) in GO {
        // The runtime prints nothing first: an empty line marks the beginning.
        let (code, says) = match rule {
            "mime-types" => (format!("println(); {code}"), Says::Has(says)),
            _ => (code.to_owned(), Says::Is(says)),
        };
        build(temp.path(), imports, &code);
        let said: Vec<String> =
            typed(rule, &[]).iter().map(|args| stage.said(args, APP, &[], NOBODY)).collect();
        wrong.extend(judge(rule, fails, says, &said));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn build(dir: &Path, imports: &str, code: &str) {
    fs::write(dir.join("app.go"), format!("package main\nimport {imports}\nfunc main() {{ {code} }}\n"))
        .expect("a source");
    let mut go = Command::new("go");
    go.current_dir(dir).args(["build", "-o", "app", "app.go"]);
    go.envs([("CGO_ENABLED", "0"), ("GO111MODULE", "off"), ("GOPROXY", "off"), ("HOME", "/tmp")]);
    let built = go.output().expect("go");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}
