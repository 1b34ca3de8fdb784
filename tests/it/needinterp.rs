//! Interpreters and static programs on small roots: what their names, their places
//! and their texts bring, and what they do not.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::cli::Bench;
use crate::need;
use crate::needs::by_rules;

fn said(world: &str, program: &str) -> String {
    Bench::of(world).says(&["--dry-run", "--needs", "auto", program, "dist"])
}

/// What the rule of this name brings, without what is on the way.
#[track_caller]
fn brings(world: &str, program: &str, rule: &str, expected: &[&str]) {
    let said = said(world, program);
    let suffix = format!(" {rule}");
    let brought: Vec<String> =
        by_rules(&said).into_iter().filter_map(|line| Some(line.strip_suffix(&suffix)?.to_owned())).collect();
    assert_eq!(brought, expected, "{said}");
}

#[test]
fn python_is_known_by_its_name_and_its_place() {
    let library = "
        lib/python3.12/os.py \"x\"
        lib/python3.12/cgi.py \"#!/usr/bin/none\"
        lib/python3.12/json/tool.py \"#!/usr/bin/none\"
        lib/python3.12/json/__pycache__/tool.cpython-312.pyc \"x\"
        lib/python3.12/json/__pycache__/tool.cpython-312.opt-1.pyc \"x\"
        lib/python3.12/json/__pycache__/tool.cpython-312.opt-2.pyc \"x\"
        lib/python3.12/test/x.py \"x\"
        lib/python3.12/site-packages/pip/x.py \"x\"
        lib/python3.12/lib-dynload/_ssl.so: NEEDED libx.so
        lib/python3.12/lib-dynload/_testcapi.so: SONAME t
        lib/python3.11/os.py \"x\"";
    let at = |top: &str| library.replace("        lib/", top);
    let debian = at("/usr/lib/")
        + "\n/usr/bin/python3.12: PROG\n/usr/bin/python3 -> python3.12\n/lib/x86_64-linux-gnu/libx.so: SONAME libx.so\n";
    brings(
        &debian,
        "/usr/bin/python3",
        "python",
        &[
            "/lib/x86_64-linux-gnu/libx.so",
            "/usr/lib/python3.12/cgi.py",
            "/usr/lib/python3.12/json/",
            "/usr/lib/python3.12/json/__pycache__/",
            "/usr/lib/python3.12/json/__pycache__/tool.cpython-312.pyc",
            "/usr/lib/python3.12/json/tool.py",
            "/usr/lib/python3.12/lib-dynload/_ssl.so",
            "/usr/lib/python3.12/os.py",
        ],
    );
    // A program that Python is linked into is not called so; the library is.
    let embedded = at("/usr/local/lib/")
        + "\n/app: PROG; NEEDED libpython3.12.so.1.0; RUNPATH /usr/local/lib\n/usr/local/lib/libpython3.12.so.1.0: SONAME libpython3.12.so.1.0\n";
    let said = said(&embedded, "/app");
    assert!(said.contains("python, because of /usr/local/lib/libpython3.12.so.1.0"), "{said}");
    assert!(!said.contains("python3.11") && !said.contains("site-packages"), "{said}");
}

#[test]
fn an_interpreter_says_where_its_library_is() {
    let perl = "
/usr/bin/perl: PROG; TEXT /etc/perl /usr/share/perl5 /usr/lib/x86_64-linux-gnu/perl-base /usr/share/perl/5.36 /usr/share/perl/5.34
/usr/lib/x86_64-linux-gnu/perl-base/strict.pm \"x\"
/usr/share/perl/5.36.0/Env.pm \"x\"
/usr/share/perl/5.36.0/pod/perl.pod \"x\"
/usr/share/perl/5.36 -> 5.36.0
/usr/share/perl/5.32/Env.pm \"x\"
/usr/share/perl5/Other.pm \"x\"
";
    brings(
        perl,
        "/usr/bin/perl",
        "perl",
        &["/usr/lib/x86_64-linux-gnu/perl-base/strict.pm", "/usr/share/perl/5.36.0/Env.pm"],
    );
    assert!(
        said(perl, "/usr/bin/perl").contains("note: perl-packages: not taken along (`--with perl-packages`)")
    );
    let gawk = "
/usr/bin/gawk: PROG; TEXT .:/usr/share/awk /usr/lib/gawk
/usr/bin/awk -> gawk
/usr/share/awk/ord.awk \"x\"
/usr/lib/gawk/time.so: SONAME t
";
    brings(
        gawk,
        "/usr/bin/awk",
        "gawk",
        &["/usr/lib/gawk/", "/usr/lib/gawk/time.so", "/usr/share/awk/", "/usr/share/awk/ord.awk"],
    );
    // Another program may hold the same text.
    let other =
        gawk.replace("/usr/bin/gawk: PROG", "/usr/bin/other: PROG").replace("awk -> gawk", "awk -> other");
    brings(&other, "/usr/bin/awk", "gawk", &[]);
}

#[test]
fn a_link_out_of_a_directory_brings_what_it_leads_to() {
    let java = "
/opt/jdk/bin/java: PROG; NEEDED libjli.so; RUNPATH $ORIGIN/../lib
/opt/jdk/lib/libjli.so: SONAME libjli.so
/opt/jdk/lib/server/libjvm.so: SONAME libjvm.so
/opt/jdk/lib/src.zip \"x\"
/opt/jdk/conf/a -> /etc/java/a
/opt/jdk/conf/b -> c
/opt/jdk/conf/c \"x\"
/opt/jdk/conf/s/d -> /etc/java/d
/opt/jdk/conf/s/e -> /etc/java/e
/etc/java/d -> /opt/jdk/conf/s/f
/opt/jdk/conf/s/f \"x\"
/etc/java/e \"x\"
/opt/jdk/conf/none -> /etc/java/none
/etc/java/a \"x\"
/opt/jdk/jmods/x \"x\"
";
    brings(
        java,
        "/opt/jdk/bin/java",
        "java",
        &[
            "/etc/java/a",
            "/etc/java/e",
            "/opt/jdk/conf/c",
            "/opt/jdk/conf/s/",
            "/opt/jdk/conf/s/d",
            "/opt/jdk/conf/s/e",
            "/opt/jdk/conf/s/f",
            "/opt/jdk/lib/libjli.so",
            "/opt/jdk/lib/server/",
            "/opt/jdk/lib/server/libjvm.so",
        ],
    );
    // A link that leads nowhere is left where it is; one outside may lead back in.
    let said = said(java, "/opt/jdk/bin/java");
    assert!(!said.contains("left out") && said.contains("/etc/java/d -> /opt/jdk/conf/s/f "), "{said}");
}

#[test]
fn two_versions_have_two_libraries() {
    let world = "
/usr/bin/python3.11: PROG
/usr/bin/python3.12: PROG
/usr/lib/python3.11/os.py \"x\"
/usr/lib/python3.12/os.py \"x\"
";
    let words = ["--dry-run", "--needs", "auto", "/usr/bin/python3.11", "/usr/bin/python3.12", "dist"];
    let expected = ["/usr/lib/python3.11/os.py python", "/usr/lib/python3.12/os.py python"];
    assert_eq!(by_rules(&Bench::of(world).says(&words)), expected);
}

#[test]
fn two_copies_have_two_libraries() {
    let of = |top: &str| {
        format!(
            "{top}/bin/java: PROG; NEEDED libjli.so; RUNPATH $ORIGIN/../lib\n\
             {top}/lib/libjli.so: SONAME libjli.so\n{top}/conf/net \"x\"\n"
        )
    };
    let world = of("/opt/jdk") + &of("/usr/lib/jvm/17");
    let words = ["--dry-run", "--needs", "auto", "/usr/lib/jvm/17/bin/java", "/opt/jdk/bin/java", "dist"];
    let said = Bench::of(&world).says(&words);
    let conf: Vec<String> = by_rules(&said).into_iter().filter(|line| line.contains("/conf/net")).collect();
    assert_eq!(conf, ["/opt/jdk/conf/net java", "/usr/lib/jvm/17/conf/net java"], "{said}");
}

/// Another library of the same rule, and what that wants has no place of its own.
#[test]
fn what_lies_in_one_place_is_wanted_once() {
    let world = "
/a: PROG; NEEDED libtinfo.so.6
/b: PROG; NEEDED libncursesw.so.6
/lib/x86_64-linux-gnu/libtinfo.so.6: SONAME libtinfo.so.6
/lib/x86_64-linux-gnu/libncursesw.so.6: SONAME libncursesw.so.6
/lib/terminfo/x/xterm \"x\"
";
    let said = Bench::of(world).says(&["--dry-run", "--needs", "auto", "/a", "/b", "dist"]);
    assert!(!said.contains("because of /lib/x86_64-linux-gnu/libncursesw.so.6"), "{said}");
    assert!(said.contains("because of /lib/x86_64-linux-gnu/libtinfo.so.6"), "{said}");
}

#[test]
fn what_one_rule_takes_no_other_suggests() {
    let world = |text: &str| {
        format!("/usr/bin/php8.2: PROG; CALL localtime; TEXT {text}\n/usr/share/zoneinfo/zone.tab \"x\"\n")
    };
    let own = said(&world("/usr/share/zoneinfo/zone.tab"), "/usr/bin/php8.2");
    assert!(own.contains("php-zones, because of /usr/bin/php8.2") && !own.contains("note: tz: "), "{own}");
    let none = said(&world("none"), "/usr/bin/php8.2");
    assert!(none.contains("note: tz: not taken along (`--tz`)") && !none.contains("php-zones"), "{none}");
}

#[test]
fn zones_are_suggested_once() {
    let world = "
/usr/bin/python3.12: PROG; CALL tzset
/usr/lib/python3.12/os.py \"x\"
/usr/share/zoneinfo/zone.tab \"x\"
";
    let said = said(world, "/usr/bin/python3.12");
    let note = "note: python-zones: not taken along (`--tz`); without it: ZoneInfoNotFoundError: ";
    assert!(said.contains(note) && !said.contains("note: tz: "), "{said}");
}

/// Where packages that ask for it come without.
#[test]
fn what_a_rule_has_nothing_of_a_package_has() {
    for (id, command) in [
        ("debian", "`apt-get install netbase` in the build stage; "),
        ("alpine", "`apk add alpine-baselayout-data` in the build stage; "),
        ("arch", ""),
    ] {
        let world = format!("/app: PROG; CALL getservbyname\n/etc/os-release \"ID={id}\"\n");
        let words = format!(
            "note: services: the root has nothing of it; asked for by getservbyname in /app\n\
             hint: {command}without it: Servname not supported for ai_socktype\n"
        );
        let said = said(&world, "/app");
        assert!(said.contains(&words) && said.contains("-- 0\n"), "{said}");
    }
    // A library of the rule is there; another rule's data belong to the library itself.
    let gccs =
        "/app: PROG; NEEDED libgcc_s.so.1; CALL pthread_exit\n/lib/libgcc_s.so.1: SONAME libgcc_s.so.1\n";
    assert!(!said(gccs, "/app").contains("the root has nothing"), "{gccs}");
}

/// A rule brings a directory as the root has it.
#[test]
fn a_link_of_the_root_that_leads_nowhere_is_none_of_a_rule() {
    let world = "/app: PROG; NEEDED libgs.so.10\n/lib/x86_64-linux-gnu/libgs.so.10: SONAME libgs.so.10\n\
        /usr/share/ghostscript/font.ttf -> ../fonts/none.ttf\n/usr/share/ghostscript/gs_init.ps \"x\"\n";
    let by_rule = said(world, "/app");
    assert!(
        by_rule.contains("font.ttf -> ../fonts/none.ttf") && !by_rule.contains("leads nowhere"),
        "{by_rule}"
    );
    let named = Bench::of(world).says(&["--dry-run", "--include", "/usr/share/ghostscript", "/app", "dist"]);
    assert!(named.contains("leads nowhere in the tree"), "{named}");
}

/// What is suggested of a program that holds these texts.
fn suggested(attributes: &str) -> (String, Vec<String>) {
    let world = format!(
        "/app: {attributes}\n/etc/ssl/certs/ca-certificates.crt \"-----BEGIN\\sCERTIFICATE-----\\nMIIB\\n-----END\\sCERTIFICATE-----\\n\"\n/usr/share/zoneinfo/UTC \"TZif2\"\n/etc/mime.types \"x\"\n"
    );
    let said = said(&world, "/app");
    let rule =
        |line: &str| Some(line.split_once("note: ")?.1.split_once(": not taken along (")?.0.to_owned());
    let rules = said.lines().filter_map(rule).collect();
    (said, rules)
}

#[test]
fn texts_of_a_static_program_say_what_it_opens() {
    for (attributes, expected) in [
        ("EXEC; NODYNAMIC; TEXT hello", &[][..]),
        ("EXEC; NODYNAMIC; TEXT x/etc/ssl/certs/ca-certificates.crt3552", &["ca"]),
        ("EXEC; NODYNAMIC; TEXT OPENSSLDIR:", &["openssl-static"]),
        // What the one suggests the other need not.
        ("EXEC; NODYNAMIC; TEXT OPENSSLDIR:/etc/ssl/certs/ca-certificates.crt", &["ca"]),
        ("EXEC; NODYNAMIC; TEXT not/etc/passwdfound", &["users-static"]),
        ("EXEC; NODYNAMIC; TEXT time.LoadLocation time.LoadLocationFromTZData", &[]),
        ("EXEC; NODYNAMIC; TEXT time.LoadLocation.func1", &["tz"]),
        ("EXEC; NODYNAMIC; TEXT mime.TypeByExtension", &["mime-types"]),
        ("PROG; TEXT /etc/ssl/certs/ca-certificates.crt", &["ca"]),
        ("PROG; TEXT /etc/passwd OPENSSLDIR:", &[]),
    ] {
        let (said, rules) = suggested(attributes);
        assert_eq!(rules, expected, "{attributes}: {said}");
    }
}

/// Programs of a compiler: `hello` holds nothing of what a libc could.
#[test]
fn a_static_program_is_suggested_what_it_uses() {
    let temp = tempfile::tempdir().expect("a directory");
    for (compiler, code, expected) in [
        ("gcc", "puts(\"hello\")", None),
        ("gcc", "puts(ctime(&(time_t){0}))", Some("tz")),
        ("gcc", "puts(getpwuid(0)->pw_name)", Some("users-static")),
        ("musl-gcc", "puts(\"hello\")", None),
        ("musl-gcc", "puts(ctime(&(time_t){0}))", Some("tz")),
        ("musl-gcc", "puts(getpwuid(0)->pw_name)", Some("users-static")),
    ] {
        let app = temp.path().join("app");
        let Some(()) = compile(compiler, code, &app) else {
            return need::skip(&format!("no {compiler} that links statically"));
        };
        let mut collect = Command::new(assert_cmd::cargo::cargo_bin!("depcollect"));
        collect.args(["--dry-run", "--needs", "auto"]).arg(format!("{}:/app", app.display()));
        let said = collect.arg(temp.path().join("dist")).output().expect("the binary runs").stderr;
        let said = String::from_utf8_lossy(&said);
        for rule in ["ca", "openssl-static", "users-static", "mime-types", "tz"] {
            let is_said = said.contains(&format!("note: {rule}: not taken along ("));
            assert_eq!(is_said, expected == Some(rule), "{compiler} {code}: {said}");
        }
    }
}

fn compile(compiler: &str, code: &str, app: &Path) -> Option<()> {
    let source = app.with_extension("c");
    let text =
        format!("#include <stdio.h>\n#include <time.h>\n#include <pwd.h>\nint main(void) {{ {code}; }}\n");
    fs::write(&source, text).expect("a source");
    let built =
        Command::new(compiler).args(["-w", "-static"]).arg(&source).arg("-o").arg(app).output().ok()?;
    built.status.success().then_some(())
}
