//! The rules of `src/needs/rules.txt` on small roots: what each brings, of what
//! the root has.

use std::fmt::Write;

use depcollect::closure::{Files, Session, Settings, close, open_program};
use depcollect::job::{DlopenLevel, NeedsMode, NeedsTask};
use depcollect::needs::{Engine, Need, Want};

use crate::cli::Bench;
use crate::world::World;

const LIB: &str = "/lib/x86_64-linux-gnu";

fn loader(version: &str) -> String {
    format!(
        "no-loader\n/lib64/ld-linux-x86-64.so.2: SONAME ld-linux-x86-64.so.2; \
         GLIBC {version}-1 Debian {LIB}/ /usr/lib/x86_64-linux-gnu/ /lib/ /usr/lib/; EXPORT x\n"
    )
}

fn needs_of(world: &str, task: NeedsTask) -> Vec<Need> {
    let root = World::parse(&world.replace("LIB/", &format!("{LIB}/"))).to_mem();
    let settings = Settings { cwd: b"/".to_vec(), levels: Some(Vec::new()), ..Settings::default() };
    let files = Files::default();
    let mut session = Session::new(&root, &files, &settings);
    let program = open_program(&mut session, b"/app").expect("a program");
    let closure = close(&mut session, &program);
    Engine::new(task, Vec::new()).unwrap().needs(&mut session, &closure, true)
}

/// Each need: its rule, then the places of what it wants, without the libraries' directory.
fn show(needs: &[Need]) -> String {
    let mut text = String::new();
    for need in needs {
        let wants: Vec<String> = need.wanted.wants.iter().map(place_of).collect();
        let findings: Vec<&str> = need.wanted.findings.iter().map(|finding| finding.code).collect();
        let parts = [wants.join(" "), findings.join(" ")].join(" ");
        writeln!(text, "{} {:?}: {}", need.rule, need.action, parts.trim()).unwrap();
    }
    text.replace(&format!("{LIB}/"), "")
}

fn place_of(want: &Want) -> String {
    match want {
        Want::Path(at) | Want::Host { at, .. } | Want::Made { at, .. } | Want::Dir { at, .. } => {
            String::from_utf8(at.clone()).unwrap()
        }
        Want::Link { at, target } => format!("{}->{}", at.escape_ascii(), target.escape_ascii()),
    }
}

fn lines(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

#[track_caller]
pub fn check(version: &str, world: &str, expected: &str) {
    let shown = show(&needs_of(&(loader(version) + &lines(world)), NeedsTask::default()));
    assert_eq!(lines(&shown), lines(expected), "{world}");
}

#[track_caller]
pub fn check_musl(world: &str, expected: &str) {
    let shown = show(&needs_of(&format!("musl\n{}", lines(world)), NeedsTask::default()));
    assert_eq!(lines(&shown), lines(expected), "{world}");
}

#[test]
fn name_services_are_files_of_their_own_before_2_34() {
    let world = "
        /app: PROG; CALL getaddrinfo
        LIB/libnss_files.so.2: SONAME libnss_files.so.2
        LIB/libnss_dns.so.2: SONAME libnss_dns.so.2";
    let both = "nss Collect: libnss_files.so.2 libnss_dns.so.2\nnsswitch Collect: /etc/nsswitch.conf";
    check("2.31", world, both);
    check("2.33", world, both);
    check("2.34", world, "nsswitch Collect: /etc/nsswitch.conf");
    check("2.35", world, "");
    let by_library = world.replace("CALL", "NEEDED libk.so\nLIB/libk.so: CALL");
    check("2.31", &by_library, both);
    check("2.35", &by_library, "");
    check(
        "2.31",
        "/app: PROG; CALL getaddrinfo",
        "nss Collect: no-data no-data\nnsswitch Collect: /etc/nsswitch.conf",
    );
}

#[test]
fn a_thread_that_is_ended_needs_libgcc_s_of_glibc_only() {
    let world = "/app: PROG; NEEDED libk.so\nLIB/libk.so: CALL backtrace";
    let gcc = "LIB/libgcc_s.so.1: SONAME libgcc_s.so.1";
    check("2.36", &format!("{world}\n{gcc}"), "gccs Collect: libgcc_s.so.1");
    check("2.36", world, "gccs Collect: no-data");
    // It is linked, or a library of the compiler's own calls it.
    check("2.36", &format!("/app: PROG; NEEDED libgcc_s.so.1; CALL pthread_exit\n{gcc}"), "");
    check(
        "2.36",
        &format!(
            "/app: PROG; NEEDED libgomp.so.1\nLIB/libgomp.so.1: SONAME libgomp.so.1; CALL pthread_exit\n{gcc}"
        ),
        "",
    );
    // What may be absent is asked for by whoever was built with threads in mind.
    check("2.36", &format!("/app: PROG; WEAK pthread_cancel\n{gcc}"), "");
    check_musl("/app: PROG; CALL pthread_exit", "");
}

#[test]
fn a_library_brings_its_own() {
    for (soname, files, expected) in [
        (
            "libnss3.so",
            "LIB/libsoftokn3.so LIB/nss/libfreebl3.so LIB/nss/libnssckbi.so",
            "nss3 Collect: libsoftokn3.so nss/libfreebl3.so nss/libnssckbi.so",
        ),
        (
            "libmariadb.so.3",
            "LIB/libmariadb3/plugin/dialog.so LIB/libmariadb3/plugin/caching_sha2_password.so",
            "mariadb Collect: libmariadb3/plugin/caching_sha2_password.so libmariadb3/plugin/dialog.so",
        ),
        ("libtirpc.so.3", "/etc/netconfig", "tirpc Collect: /etc/netconfig"),
        ("libldap-2.5.so.0", "/etc/ldap/ldap.conf", "ldap Collect: /etc/ldap/ldap.conf"),
        ("libldap.so.2", "/etc/openldap/ldap.conf", "ldap Collect: /etc/openldap/ldap.conf"),
        (
            "libmagic.so.1",
            "/usr/share/misc/magic.mgc /usr/share/file/magic.mgc",
            "magic Collect: /usr/share/misc/magic.mgc",
        ),
        (
            "libMagickCore-6.Q16.so.6",
            "LIB/ImageMagick-6.9.11/modules-Q16/coders/png.so LIB/ImageMagick-6.9.11/config-Q16/configure.xml /etc/ImageMagick-6/policy.xml",
            "magick Collect: ImageMagick-6.9.11/modules-Q16/coders ImageMagick-6.9.11/config-Q16 /etc/ImageMagick-6",
        ),
        (
            "libproj.so.25",
            "/usr/share/proj/proj.db /usr/share/proj/other",
            "proj Collect: /usr/share/proj/proj.db",
        ),
        ("libasound.so.2", "/usr/share/alsa/alsa.conf", "alsa Collect: /usr/share/alsa"),
        (
            "libpam.so.0",
            "/sbin/unix_chkpwd /etc/security/limits.conf /etc/security/opasswd",
            "pam Suggest: /etc/security/limits.conf /sbin/unix_chkpwd",
        ),
        ("libtinfo.so.6", "/lib/terminfo/x/xterm", "terminfo Collect: /lib/terminfo/x/xterm"),
        (
            "libsasl2.so.2",
            "LIB/sasl2/libplain.so LIB/sasl2/libplain.so.2",
            "sasl2 Collect: sasl2/libplain.so",
        ),
        // None of them is in the root: there is nothing to take, and nothing to say.
        ("libtirpc.so.3", "", ""),
    ] {
        let mut world = format!("/app: PROG; NEEDED {soname}\nLIB/{soname}: SONAME {soname}\n");
        files
            .split(' ')
            .filter(|file| !file.is_empty())
            .for_each(|file| writeln!(world, "{file} \"x\"").unwrap());
        check("2.36", &world, expected);
    }
}

/// The program is thin: what the rules ask of a program is in its library.
#[test]
fn an_interpreter_may_be_a_library() {
    let files = "/etc/services \"x\"\n/usr/share/zoneinfo/UTC \"x\"\n/bin/sh \"x\"\n\
                 /usr/lib/locale/C.utf8/LC_CTYPE \"x\"";
    let of_all = "utf8 Collect: /usr/lib/locale/C.utf8 paste";
    let of_most = "services Collect: /etc/services";
    let named = "tz Suggest: /usr/share/zoneinfo\nsh Suggest: /bin/sh";
    let named_of_python = named.replace("tz ", "python-zones ");
    let users = "users Collect: /etc/passwd /etc/group";
    for (soname, expected) in [
        ("libpython3.11.so.1.0", vec![users, of_most, of_all, &named_of_python]),
        ("libperl.so.5.36", vec![users, of_most, of_all, named]),
        ("libruby-3.1.so.3.1", vec![users, of_most, of_all, named]),
        ("libnode.so.108", vec![users, of_all]),
        ("libjli.so", vec![users, of_all]),
        ("libother.so", vec![]),
    ] {
        let world = format!("/app: PROG; NEEDED {soname}\nLIB/{soname}: SONAME {soname}\n{files}");
        let shown = show(&needs_of(&(loader("2.36") + &lines(&world)), NeedsTask::default()));
        let has_own = |line: &&str| !line.starts_with("java ");
        let shown: Vec<&str> = shown.lines().filter(has_own).collect();
        assert_eq!(shown.join("\n"), expected.join("\n"), "{soname}");
    }
}

#[test]
fn a_program_is_known_by_its_name() {
    for (program, files, expected) in [
        ("/usr/bin/git", "/usr/lib/git-core/git-remote-https \"x\"", "git Suggest: /usr/lib/git-core"),
        (
            "/opt/bin/git",
            "/opt/libexec/git-core/git-remote-https \"x\"",
            "git Suggest: /opt/libexec/git-core",
        ),
        ("/opt/bin/other", "/opt/libexec/git-core/git-remote-https \"x\"", ""),
        ("/usr/bin/gdb", "/usr/share/gdb/python/gdb/__init__.py \"x\"", "gdb Collect: /usr/share/gdb"),
        (
            "/bin/zsh",
            "LIB/zsh/5.9/zsh/zle.so: SONAME t\n/usr/share/zsh/functions/Misc/zed \"x\"",
            "zsh Suggest: zsh /usr/share/zsh/functions",
        ),
        (
            "/usr/bin/gpg",
            "/usr/bin/gpg-agent \"x\"\n/usr/lib/gnupg/keyboxd \"x\"",
            "gpg Suggest: /usr/bin/gpg-agent /usr/lib/gnupg/keyboxd",
        ),
    ] {
        let world = format!("{program}: PROG\n/app -> {program}\n{files}");
        check("2.36", &world, expected);
    }
}

const NOTED: &str = "
/app: PROG; NEEDED libn.so
LIB/libn.so: SONAME libn.so; \
    DLOPEN [{\"soname\":[\"libreq.so.1\"],\"priority\":\"required\"},{\"soname\":[\"libnew.so\",\"libold.so\"]},{\"soname\":[\"libsug.so\"],\"priority\":\"suggested\"},{\"soname\":[\"libno.so\"],\"feature\":\"x\"}]
LIB/libreq.so.1: SONAME libreq.so.1
LIB/libold.so: SONAME libold.so
LIB/libsug.so: SONAME libsug.so
";

#[test]
fn a_note_says_what_is_opened() {
    let of = |dlopen, mode| {
        let world = loader("2.41") + &NOTED.replace(" \\\n   ", "");
        show(&needs_of(&world, NeedsTask { dlopen, mode, ..NeedsTask::default() }))
    };
    let (required, recommended) = ("dlopen Collect: libreq.so.1\n", "dlopen Collect: libold.so\n");
    let usual = [required, recommended, "dlopen Suggest: libsug.so\n", "dlopen Collect: no-data\n"].concat();
    assert_eq!(of(None, NeedsMode::Auto), usual);
    assert_eq!(of(Some(DlopenLevel::Recommended), NeedsMode::Off), usual);
    assert_eq!(of(None, NeedsMode::Off), "");
    assert_eq!(of(Some(DlopenLevel::None), NeedsMode::Auto), "");
    let less = "dlopen Collect: libreq.so.1\ndlopen Suggest: libold.so\ndlopen Suggest: libsug.so\n";
    assert_eq!(of(Some(DlopenLevel::Required), NeedsMode::Auto), less);
    let all = usual.replace("Suggest", "Collect");
    assert_eq!(of(Some(DlopenLevel::Suggested), NeedsMode::Auto), all);
    assert_eq!(of(None, NeedsMode::Warn), usual.replace("Collect", "Suggest"));
}

#[test]
fn what_a_note_requires_has_to_be_there() {
    let world = "/app: PROG; DLOPEN [{\"soname\":[\"liba.so\",\"libb.so\"],\"priority\":\"required\"}]\n\
                 /bad: PROG; DLOPEN [{\"soname\"\n";
    let said = Bench::of(world).says(&["/app", "dist"]);
    let words = "error: liba.so: the root has none, nor libb.so; /app requires it and opens it by dlopen\n\
                 hint: install the package that has it in the build stage, or place the file by `--include`; \
                 `--dlopen none` looks at no notes\n";
    assert!(said.contains(words) && said.contains("-- 1\n"), "{said}");
    for args in [&["--dlopen", "none"][..], &["--exclude", "liba.so"], &["--include", "/bad:/opt/liba.so"]] {
        let said = Bench::of(world).says(&[&["/app", "dist"], args].concat());
        assert!(said.contains("-- 0\n") && !said.contains("liba.so: "), "{args:?}: {said}");
    }
    let said = Bench::of(world).says(&["/app", "--allow-missing", "dist"]);
    assert!(said.contains("-- 0\n") && said.contains("warning: liba.so: the root has none"), "{said}");
    let said = Bench::of(world).says(&["/bad", "dist"]);
    assert!(said.contains("-- 0\n"), "{said}");
    assert!(
        said.contains("warning: dlopen: /bad: its .note.dlopen is no list in JSON (at byte 10)\n"),
        "{said}"
    );
}
