//! `--format json` where something goes wrong: one value on stdout, with what went
//! wrong among its findings, and the status of the process in it.

use std::fs;
use std::process::Command;

use crate::cli::{Bench, json_of};
use crate::json::Value;

const ROOT: &str = "
/t/m: PROG; NEEDED libA.so
/lib/libA.so:
/t/none: NEEDED libno.so
/srv/a \"a\"
/srv/b \"b\"
";

/// The status, each finding with its code and subject, and how many entries are told.
fn told(report: &Value) -> String {
    let findings = report.list("findings").iter();
    let errors = findings.filter(|one| one.text("severity") == Some("error"));
    let shown: Vec<String> = errors
        .map(|one| {
            format!("{} {}", one.text("code").unwrap_or_default(), one.text("subject").unwrap_or_default())
        })
        .collect();
    let Some(Value::Number(status)) = report.get("status") else { panic!("no status: {report:?}") };
    format!("{status} {}, {} entries", shown.join(", "), report.list("entries").len())
}

#[test]
fn what_goes_wrong_is_in_the_report() {
    let rows: [(&[&str], &str); 9] = [
        (&["/t/gone", "dist"], "2 cannot /t/gone, 0 entries"),
        (&["/t/none", "dist"], "1 missing /t/none, 4 entries"),
        (&["--include", "/srv/a:/x", "--include", "/srv/b:/x", "dist"], "2 conflict /x, 0 entries"),
        (&["--with", "nonsense", "/t/m", "dist"], "2 cannot nonsense, 6 entries"),
        (&["/t/m", "--onto", "base", "dist"], "2 conflict /t/m, 6 entries"),
        (&["/t/m", "--onto", "none", "dist"], "2 cannot none, 6 entries"),
        (&["/t/m", "--loader", "/none", "dist"], "2 cannot /none, 0 entries"),
        (&["/t/m", "full"], "2 refused full, 6 entries"),
        (&["/t/m", "--force", "--output", "tar", "full"], "2 cannot full, 6 entries"),
    ];
    for (args, expected) in rows {
        let bench = Bench::of(ROOT);
        let dir = bench.dir.path();
        fs::create_dir_all(dir.join("base/t/m")).unwrap();
        fs::create_dir(dir.join("full")).unwrap();
        fs::write(dir.join("full/file"), "").unwrap();
        let output = bench.run(&[&["collect", "--format", "json"], args].concat());
        let said = told(&json_of(&output));
        assert_eq!(said.replace(&format!("{}/", dir.display()), ""), expected, "{args:?}");
        assert_eq!(output.status.code(), expected[..1].parse().ok(), "{args:?}");
        assert!(!dir.join("dist").exists(), "{args:?}");
    }
}

/// Every place is told, and not only the first few.
#[test]
fn what_dist_holds_is_in_the_report() {
    let files: String = (10..40).map(|n| format!("/srv/d/{n} \"x\"\n")).collect();
    let bench = Bench::of(&files);
    assert_eq!(bench.run(&["collect", "/srv/d", "dist"]).status.code(), Some(0));
    for n in 10..40 {
        fs::write(bench.dir.path().join(format!("dist/srv/d/{n}")), "y").unwrap();
    }
    let report = json_of(&bench.run(&["collect", "--format", "json", "/srv/d", "dist"]));
    let places: Vec<String> = (10..40).map(|n| format!("conflict /srv/d/{n}")).collect();
    assert_eq!(told(&report), format!("2 {}, 32 entries", places.join(", ")));
    let hint = report.list("findings").last().and_then(|one| one.text("hint"));
    assert_eq!(hint, Some("--force replaces what DIST holds"));
}

#[test]
fn what_cannot_be_opened_is_a_report_of_every_command() {
    let rows: [&[&str]; 4] = [
        &["list", "--root", "gone", "/t/m"],
        &["needs", "--root", "gone", "/t/m"],
        &["check", "gone"],
        &["collect", "--root", "gone", "/t/m", "dist"],
    ];
    for args in rows {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("depcollect"));
        let output = command.args(args).args(["--format", "json"]).output().expect("the binary runs");
        let report = json_of(&output);
        assert_eq!(told(&report), "2 cannot gone, 0 entries");
        assert_eq!(report.text("command"), Some(args[0]));
        assert!(String::from_utf8_lossy(&output.stderr).contains("cannot open `gone`"));
    }
}
