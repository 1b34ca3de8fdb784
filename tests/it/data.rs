//! What an image needs beside programs, for the layout of each distribution:
//! the whole list of wants as text.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use depcollect::finding::Finding;
use depcollect::job::{CaCerts, User, Zones};
use depcollect::needs::{Asked, Refusal, Want, Wanted, ca, dirs, locale, nss, tz, users};
use depcollect::root::Access;
use depcollect::root::mem::MemRoot;

const PEM: &str = "# Some CA\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
const ZONE: &str = "TZif2 and so on";
const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

fn release(id: &str) -> MemRoot {
    let mut root = MemRoot::new();
    root.file("/usr/lib/os-release", format!("NAME=x\nID={id}\n"))
        .link("/etc/os-release", "../usr/lib/os-release");
    root
}

/// Without the package `openssl`, which has the links of `/usr/lib/ssl`.
fn debian() -> MemRoot {
    let mut root = release("debian");
    root.file(BUNDLE, PEM).file("/etc/ssl/certs/Some_CA.pem", PEM).link("/etc/ssl/certs/1.0", "Some_CA.pem");
    root
}

fn alpine() -> MemRoot {
    let mut root = release("alpine");
    root.file(BUNDLE, PEM).link("/etc/ssl/cert.pem", "certs/ca-certificates.crt");
    root
}

fn fedora() -> MemRoot {
    let mut root = release("fedora");
    root.file("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", PEM);
    root.link("/etc/pki/tls/certs/ca-bundle.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem");
    root.link("/etc/pki/tls/cert.pem", "/etc/pki/tls/certs/ca-bundle.crt");
    root.link("/etc/ssl/certs", "../pki/tls/certs");
    root
}

fn suse() -> MemRoot {
    let mut root = release("\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"");
    root.file("/var/lib/ca-certificates/ca-bundle.pem", PEM);
    root.link("/etc/ssl/ca-bundle.pem", "/var/lib/ca-certificates/ca-bundle.pem");
    root.dir("/var/lib/ca-certificates/pem").link("/etc/ssl/certs", "/var/lib/ca-certificates/pem");
    root
}

fn access(access: &Access) -> String {
    format!("{:o} {}:{}", access.mode, access.uid, access.gid)
}

fn show_want(out: &mut String, want: &Want) {
    match want {
        Want::Path(path) => writeln!(out, "path {}", path.escape_ascii()),
        Want::Host { at, path } => {
            writeln!(out, "host {} <- {}", at.escape_ascii(), path.file_name().unwrap().to_string_lossy())
        }
        Want::Made { at, bytes, access: of, merge } => {
            writeln!(out, "made {} {} {merge:?}", at.escape_ascii(), access(of)).unwrap();
            String::from_utf8_lossy(bytes).lines().try_for_each(|line| writeln!(out, "  {line}"))
        }
        Want::Dir { at, access: of } => writeln!(out, "dir {} {}", at.escape_ascii(), access(of)),
        Want::Link { at, target } => writeln!(out, "link {} -> {}", at.escape_ascii(), target.escape_ascii()),
    }
    .unwrap();
}

fn show_finding(out: &mut String, finding: &Finding) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (subject, message) = (text(&finding.subject), text(&finding.message));
    writeln!(out, "{} {}: {subject}: {message}", finding.severity.word(), finding.code).unwrap();
    if let Some(hint) = &finding.hint {
        writeln!(out, "hint {}", text(hint)).unwrap();
    }
}

pub(crate) fn show(wanted: &Wanted) -> String {
    let mut out = String::new();
    wanted.wants.iter().for_each(|want| show_want(&mut out, want));
    wanted.findings.iter().for_each(|finding| show_finding(&mut out, finding));
    out
}

fn said(result: Result<Wanted, Refusal>) -> String {
    result.map_or_else(|refusal| format!("{refusal}\n"), |wanted| show(&wanted))
}

/// Compared line by line, without the indent of the source.
#[track_caller]
fn same(got: &str, expected: &str) {
    let lines = |text: &str| {
        let lines: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
        lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(lines(got), lines(expected));
}

fn certs(root: &MemRoot) -> String {
    said(ca::wanted(root, &CaCerts::OfRoot, Asked::Typed))
}

/// T11: certificates that are there, and not where the library looks.
#[test]
fn t11_the_bundle_has_every_name_by_which_it_is_looked_for() {
    same(
        &certs(&debian()),
        "path /etc/ssl/certs/ca-certificates.crt
         link /etc/ssl/cert.pem -> /etc/ssl/certs/ca-certificates.crt
         link /usr/lib/ssl/cert.pem -> /etc/ssl/certs/ca-certificates.crt",
    );
    let mut with_openssl = debian();
    with_openssl.link("/usr/lib/ssl/cert.pem", BUNDLE);
    same(
        &certs(&with_openssl),
        "path /etc/ssl/certs/ca-certificates.crt
         link /etc/ssl/cert.pem -> /etc/ssl/certs/ca-certificates.crt
         path /usr/lib/ssl/cert.pem",
    );
    same(&certs(&alpine()), "path /etc/ssl/certs/ca-certificates.crt\npath /etc/ssl/cert.pem");
    same(
        &certs(&fedora()),
        "link /etc/ssl/certs -> ../pki/tls/certs
         link /etc/pki/tls/certs/ca-certificates.crt -> /etc/pki/tls/certs/ca-bundle.crt
         link /etc/ssl/cert.pem -> /etc/pki/tls/certs/ca-bundle.crt
         path /etc/pki/tls/certs/ca-bundle.crt
         path /etc/pki/tls/cert.pem",
    );
    same(
        &certs(&suse()),
        "link /etc/ssl/certs -> /var/lib/ca-certificates/pem
         link /var/lib/ca-certificates/pem/ca-certificates.crt -> /etc/ssl/ca-bundle.pem
         link /etc/ssl/cert.pem -> /etc/ssl/ca-bundle.pem
         path /etc/ssl/ca-bundle.pem",
    );
    let mut unknown = MemRoot::new();
    unknown.file("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", PEM);
    same(
        &certs(&unknown),
        "link /etc/ssl/certs/ca-certificates.crt -> /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem
         link /etc/ssl/cert.pem -> /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem
         link /usr/lib/ssl/cert.pem -> /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem
         link /etc/pki/tls/certs/ca-bundle.crt -> /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem
         link /etc/pki/tls/cert.pem -> /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem
         link /etc/ssl/ca-bundle.pem -> /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem
         path /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    );
}

#[test]
fn without_certificates_the_package_is_named() {
    for (id, cure) in [
        ("debian", "`apt-get install ca-certificates` in the build stage"),
        ("alpine", "`apk add ca-certificates` in the build stage"),
        ("fedora", "`dnf install ca-certificates` in the build stage"),
        (
            "opensuse-tumbleweed\nID_LIKE=\"opensuse suse\"",
            "`zypper install ca-certificates-mozilla` in the build stage",
        ),
        ("arch", "`pacman -S ca-certificates` in the build stage"),
        ("other", "install the package `ca-certificates` in the build stage"),
    ] {
        let expected = format!(
            "error no-data: --ca-certs: the root has no bundle of certificates\nhint {cure}, or `--ca-certs=FILE`"
        );
        same(&certs(&release(id)), &expected);
    }
    let by_rule = said(ca::wanted(&MemRoot::new(), &CaCerts::OfRoot, Asked::Rule));
    assert!(by_rule.starts_with("warning no-data: "), "{by_rule}");
    let mut empty = release("debian");
    empty.file(BUNDLE, "").file("/etc/ssl/cert.pem", "a text about -----BEGIN CERTIFICATE----- lines");
    same(
        &certs(&empty),
        "error no-data: --ca-certs: `/etc/ssl/certs/ca-certificates.crt` holds no certificate
         hint `update-ca-certificates` (on Fedora `update-ca-trust`) in the build stage fills it",
    );
    let mut shut = debian();
    shut.mode(BUNDLE, 0);
    same(
        &certs(&shut),
        "error no-data: --ca-certs: cannot read `/etc/ssl/certs/ca-certificates.crt`: Permission denied",
    );
}

#[test]
fn a_company_has_its_own_certificates() {
    let temp = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = temp.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let of = |root: &MemRoot, path: PathBuf| {
        let dir = format!("{}/", temp.path().display());
        said(ca::wanted(root, &CaCerts::File(path), Asked::Typed)).replace(&dir, "")
    };
    same(
        &of(&debian(), file("ours.pem", PEM.replace('\n', "\r\n").as_bytes())),
        "host /etc/ssl/certs/ca-certificates.crt <- ours.pem
         link /etc/ssl/cert.pem -> /etc/ssl/certs/ca-certificates.crt
         link /usr/lib/ssl/cert.pem -> /etc/ssl/certs/ca-certificates.crt",
    );
    same(
        &of(&fedora(), file("ours.pem", PEM.as_bytes())),
        "link /etc/ssl/certs -> ../pki/tls/certs
         host /etc/pki/tls/certs/ca-certificates.crt <- ours.pem
         link /etc/ssl/cert.pem -> /etc/ssl/certs/ca-certificates.crt
         link /etc/pki/tls/certs/ca-bundle.crt -> /etc/ssl/certs/ca-certificates.crt
         link /etc/pki/tls/cert.pem -> /etc/ssl/certs/ca-certificates.crt",
    );
    same(
        &of(&alpine(), file("both.pem", format!("{PEM}-----BEGIN RSA PRIVATE KEY-----\n").as_bytes())),
        "host /etc/ssl/certs/ca-certificates.crt <- both.pem
         link /etc/ssl/cert.pem -> /etc/ssl/certs/ca-certificates.crt
         warning secret: --ca-certs: `both.pem` holds a private key, and so will the image
         hint leave only the certificates in it",
    );
    same(
        &of(&debian(), file("der", &[0x30, 0x82, 3, 0x30])),
        "cannot use as certificates `der`: it holds no certificate in PEM form
         hint: `openssl x509 -inform DER -in FILE -out FILE.pem` makes PEM of a certificate in DER form",
    );
    same(
        &of(&debian(), file("text", b"hello")),
        "cannot use as certificates `text`: it holds no certificate in PEM form",
    );
    same(
        &of(&debian(), temp.path().join("gone")),
        "cannot use as certificates `gone`: No such file or directory",
    );
    same(
        &of(&debian(), temp.path().into()).replace(&temp.path().display().to_string(), "."),
        "cannot use as certificates `.`: Is a directory",
    );
    let large = temp.path().join("large");
    fs::File::create(&large).unwrap().set_len(1 << 40).unwrap();
    same(
        &of(&debian(), large),
        "cannot use as certificates `large`: it is larger than any bundle, 1099511627776 bytes",
    );
}

fn zones() -> MemRoot {
    let mut root = release("debian");
    for zone in ["America/Los_Angeles", "America/Argentina/Buenos_Aires", "Europe/Paris", "Etc/UTC"] {
        for below in ["", "posix/", "right/"] {
            root.file(format!("/usr/share/zoneinfo/{below}{zone}"), ZONE);
        }
    }
    root.link("/usr/share/zoneinfo/America/Buenos_Aires", "Argentina/Buenos_Aires");
    root.link("/usr/share/zoneinfo/UTC", "Etc/UTC").link("/usr/share/zoneinfo/localtime", "/etc/localtime");
    root.hard_link("/usr/share/zoneinfo/Europe/Monaco", "/usr/share/zoneinfo/Europe/Paris");
    root.file("/usr/share/zoneinfo/zone.tab", "# table\n");
    root.file("/usr/share/zoneinfo/tzdata.zi", "# version x\nL America/Los_Angeles US/Pacific\nL Gone Old\n");
    root.link("/usr/share/zoneinfo/America/Lima", "../posix/America/Los_Angeles");
    root.link("/usr/share/zoneinfo/Dangling", "Nowhere");
    root
}

fn zone(root: &MemRoot, names: &str) -> String {
    let names = names.split_whitespace().map(|name| name.as_bytes().to_vec()).collect();
    show(&tz::wanted(root, &Zones::Named(names), Asked::Typed))
}

#[test]
fn t11_all_time_zones_are_all_that_a_program_names() {
    same(
        &show(&tz::wanted(&zones(), &Zones::All, Asked::Typed)),
        "path /usr/share/zoneinfo/America
         path /usr/share/zoneinfo/Etc
         path /usr/share/zoneinfo/Europe
         path /usr/share/zoneinfo/UTC
         path /usr/share/zoneinfo/tzdata.zi
         path /usr/share/zoneinfo/zone.tab
         path /usr/share/zoneinfo/America/Lima",
    );
    let mut only_tables = release("alpine");
    only_tables.file("/usr/share/zoneinfo/zone.tab", "# table\n");
    let missing = "error no-data: --tz: the root has no time zones\nhint `apk add tzdata` in the build stage";
    same(&show(&tz::wanted(&only_tables, &Zones::All, Asked::Typed)), missing);
    same(&zone(&release("alpine"), "UTC"), missing);
    let none = show(&tz::wanted(&suse(), &Zones::All, Asked::Rule));
    same(
        &none,
        "warning no-data: --tz: the root has no time zones\nhint `zypper install timezone` in the build stage",
    );
    let mut shut = zones();
    shut.mode("/usr/share/zoneinfo", 0);
    let shut = show(&tz::wanted(&shut, &Zones::All, Asked::Typed));
    same(&shut, "error no-data: --tz: cannot open `/usr/share/zoneinfo`: Permission denied");
}

#[test]
fn t11_a_zone_that_is_named_is_there_or_an_error() {
    let utc = "path /usr/share/zoneinfo/UTC\npath /usr/share/zoneinfo/Etc/UTC";
    for (typed, expected) in [
        ("Europe/Paris", format!("path /usr/share/zoneinfo/Europe/Paris\n{utc}\nnote paste: --tz: ENV TZ=Europe/Paris")),
        (
            "Europe/Monaco America/Buenos_Aires",
            format!("path /usr/share/zoneinfo/Europe/Monaco\npath /usr/share/zoneinfo/America/Buenos_Aires\n{utc}"),
        ),
        ("right/Etc/UTC", format!("path /usr/share/zoneinfo/right/Etc/UTC\n{utc}\nnote paste: --tz: ENV TZ=right/Etc/UTC")),
        ("UTC", format!("{utc}\nnote paste: --tz: ENV TZ=UTC")),
        (
            "US/Pacific",
            format!(
                "{utc}\nerror no-data: --tz: the root has no time zone `US/Pacific`
                 hint it is an old name of `America/Los_Angeles`; `apt-get install tzdata-legacy` in the build stage brings the old names"
            ),
        ),
        ("Old", format!("{utc}\nerror no-data: --tz: the root has no time zone `Old`")),
        (
            "europe/paris",
            format!("{utc}\nerror no-data: --tz: the root has no time zone `europe/paris`\nhint did you mean `Europe/Paris`?"),
        ),
        (
            "Europe",
            format!(
                "{utc}\nerror no-data: --tz: `Europe` is a directory of time zones
                 hint `--tz` without names takes all; `--tz=Europe/NAME` one of these"
            ),
        ),
        ("zone.tab", format!("{utc}\nerror no-data: --tz: the root has no time zone `zone.tab`")),
        ("../zoneinfo/UTC", format!("{utc}\nerror no-data: --tz: the root has no time zone `../zoneinfo/UTC`\nhint did you mean `Etc/UTC` or `UTC`?")),
        ("/UTC", format!("{utc}\nerror no-data: --tz: the root has no time zone `/UTC`\nhint did you mean `Etc/UTC` or `UTC`?")),
    ] {
        same(&zone(&zones(), typed), &expected);
    }
}

fn user(name: &str, uid: u32, gid: u32) -> User {
    User { name: name.into(), uid, gid }
}

fn shown_user(root: &MemRoot, name: &str, uid: u32, gid: u32) -> String {
    show(&users::wanted(root, &user(name, uid, gid)))
}

/// T9: no passwd, T22: a home that a user whom nobody foresaw cannot enter.
#[test]
fn t9_t22_there_are_users_and_the_home_can_be_entered() {
    same(
        &shown_user(&MemRoot::new(), "nonroot", 65532, 65532),
        "made /etc/passwd 644 0:0 ByName
           root:x:0:0:root:/root:/sbin/nologin
           nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
           nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin
         made /etc/group 644 0:0 ByName
           root:x:0:
           nobody:x:65534:
           nonroot:x:65532:
         dir /root 700 0:0
         dir /home/nonroot 755 65532:65532
         note paste: --user: USER 65532:65532",
    );
    // Group 0 is the one of a user that a cluster makes up.
    same(
        &shown_user(&MemRoot::new(), "app", 1000, 0),
        "made /etc/passwd 644 0:0 ByName
           root:x:0:0:root:/root:/sbin/nologin
           nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
           app:x:1000:0:app:/home/app:/sbin/nologin
         made /etc/group 644 0:0 ByName
           root:x:0:
           nobody:x:65534:
         dir /root 700 0:0
         dir /home/app 775 1000:0
         note paste: --user: USER 1000:0",
    );
}

#[test]
fn a_number_or_name_is_given_once() {
    let nobody = "made /etc/passwd 644 0:0 ByName
           root:x:0:0:root:/root:/sbin/nologin
           nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
         made /etc/group 644 0:0 ByName
           root:x:0:
           nobody:x:65534:
         dir /root 700 0:0
         note paste: --user: USER 65534:65534";
    same(&shown_user(&MemRoot::new(), "nobody", 65534, 65534), nobody);
    same(
        &shown_user(&MemRoot::new(), "root", 0, 0),
        "made /etc/passwd 644 0:0 ByName
           nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
           root:x:0:0:root:/root:/sbin/nologin
         made /etc/group 644 0:0 ByName
           root:x:0:
           nobody:x:65534:
         dir /root 700 0:0
         note paste: --user: USER 0:0",
    );
    same(
        &shown_user(&MemRoot::new(), "app", 65534, 65534),
        "made /etc/passwd 644 0:0 ByName
           root:x:0:0:root:/root:/sbin/nologin
           app:x:65534:65534:app:/nonexistent:/sbin/nologin
         made /etc/group 644 0:0 ByName
           root:x:0:
           app:x:65534:
         dir /root 700 0:0
         note paste: --user: USER 65534:65534",
    );
    same(
        &shown_user(&MemRoot::new(), "root", 1, 1),
        "error user: --user: root is user 0, not 1\nhint `--user=root:0:0`, or another name",
    );
    let admin = shown_user(&MemRoot::new(), "admin", 0, 0);
    assert!(admin.contains("warning user: --user: `admin` is user 0: programs see it as root\n"), "{admin}");
}

#[test]
fn a_user_of_the_root_with_other_numbers_is_worth_a_note() {
    let mut root = MemRoot::new();
    root.file("/etc/passwd", "bad\napp:x:1000:1001:::\n")
        .link("/home", "var/home")
        .link("/root", "var/roothome");
    same(
        &shown_user(&root, "app", 65532, 65532),
        "made /etc/passwd 644 0:0 ByName
           root:x:0:0:root:/root:/sbin/nologin
           nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
           app:x:65532:65532:app:/home/app:/sbin/nologin
         made /etc/group 644 0:0 ByName
           root:x:0:
           nobody:x:65534:
           app:x:65532:
         link /root -> var/roothome
         dir /var/roothome 700 0:0
         link /home -> var/home
         dir /var/home/app 755 65532:65532
         note user: --user: the root has app as 1000:1001, the image as 65532:65532
         hint `--user=app:1000:1001`, if they are to be the same
         note paste: --user: USER 65532:65532",
    );
    assert!(!shown_user(&root, "app", 1000, 1001).contains("note user"));
}

fn shown_locale(root: &MemRoot, names: &str) -> String {
    let names: Vec<Vec<u8>> = names.split_whitespace().map(|name| name.into()).collect();
    show(&locale::wanted(root, &names, Asked::Typed))
}

/// T12: `setlocale` fails, and nobody is told.
#[test]
fn t12_a_locale_is_its_directory_and_what_its_links_lead_to() {
    let mut root = release("debian");
    root.file("/usr/lib/locale/C.utf8/LC_CTYPE", "")
        .file("/usr/lib/locale/C.utf8/LC_MESSAGES/SYS_LC_MESSAGES", "");
    root.link("/usr/lib/locale/de_DE.utf8/LC_CTYPE", "../C.utf8/LC_CTYPE");
    root.link(
        "/usr/lib/locale/de_DE.utf8/LC_MESSAGES/SYS_LC_MESSAGES",
        "../../C.utf8/LC_MESSAGES/SYS_LC_MESSAGES",
    );
    root.file("/usr/lib/locale/old.UTF-8/LC_CTYPE", "").file("/usr/lib/locale/en_US/LC_CTYPE", "");
    for (names, expected) in [
        ("C.UTF-8", "path /usr/lib/locale/C.utf8\nnote paste: --locale: ENV LANG=C.UTF-8"),
        ("C.utf8", "path /usr/lib/locale/C.utf8\nnote paste: --locale: ENV LANG=C.utf8"),
        ("old.UTF-8", "path /usr/lib/locale/old.UTF-8\nnote paste: --locale: ENV LANG=old.UTF-8"),
        ("C", "note paste: --locale: ENV LANG=C"),
        (
            "de_DE.UTF-8 en_US",
            "path /usr/lib/locale/de_DE.utf8
             path /usr/lib/locale/de_DE.utf8/LC_CTYPE
             path /usr/lib/locale/de_DE.utf8/LC_MESSAGES/SYS_LC_MESSAGES
             path /usr/lib/locale/en_US
             note paste: --locale: ENV LANG=de_DE.UTF-8",
        ),
        (
            "fr_FR.UTF-8",
            "error no-data: --locale: the root has no locale `fr_FR.UTF-8`
             hint `apt-get install locales-all` in the build stage",
        ),
        ("../x", "error no-data: --locale: `../x` is no name of a locale"),
    ] {
        same(&shown_locale(&root, names), expected);
    }
    root.file("/usr/share/i18n/locales/fr_FR", "");
    same(
        &shown_locale(&root, "fr_FR.UTF-8"),
        "error no-data: --locale: the root has no locale `fr_FR.UTF-8`
         hint `localedef --no-archive -i fr_FR -f UTF-8 /usr/lib/locale/fr_FR.utf8` in the build stage makes it",
    );
    let fedora = shown_locale(&fedora(), "fr_FR.UTF-8");
    assert!(fedora.contains("hint `dnf install glibc-langpack-fr` in the build stage\n"), "{fedora}");
}

#[test]
fn t12_musl_needs_no_locale() {
    let mut root = release("alpine");
    root.file("/lib/ld-musl-x86_64.so.1", "");
    same(&shown_locale(&root, "de_DE.UTF-8"), "note paste: --locale: ENV LANG=de_DE.UTF-8");
    // Both loaders: nobody knows which one it is for.
    root.file("/lib64/ld-linux-x86-64.so.2", "");
    assert!(shown_locale(&root, "de_DE.UTF-8").starts_with("error no-data: "));
}

const NSSWITCH: &str = "made /etc/nsswitch.conf 644 0:0 KeepTheirs
    passwd: files
    group: files
    shadow: files
    hosts: files dns
    networks: files
    protocols: files
    services: files\n";

/// T8: the builder's file names services whose libraries are not there.
#[test]
fn t8_the_nsswitch_conf_is_minimal() {
    let mut root = MemRoot::new();
    same(&show(&nss::wanted(&root)), NSSWITCH);
    root.file(
        "/etc/nsswitch.conf",
        "# ldap\npasswd:\tfiles sss # winbind\nhosts: files mymachines\nnetgroup: nis\n",
    );
    same(
        &show(&nss::wanted(&root)),
        &format!(
            "{NSSWITCH}note nsswitch: --nsswitch: the root's `/etc/nsswitch.conf` also asks sss; the image does not
             hint `--include` its libnss_ library and `/etc/nsswitch.conf`, if the program needs it"
        ),
    );
}

fn made_dirs(root: &MemRoot, mkdir: &str, symlink: &[(&str, &str)], user: Option<&User>) -> String {
    let mkdir: Vec<Vec<u8>> = mkdir.split_whitespace().map(|word| word.into()).collect();
    let symlink: Vec<_> = symlink.iter().map(|(at, target)| ((*at).into(), (*target).into())).collect();
    said(dirs::wanted(root, &mkdir, &symlink, user))
}

/// T10: no /tmp, or one into which only root may write.
#[test]
fn t10_everybody_may_write_into_tmp() {
    let app = user("app", 1000, 1000);
    let mut root = MemRoot::new();
    root.dir("/run").link("/var/run", "/run");
    for (mkdir, expected) in [
        ("/tmp", "dir /tmp 1777 0:0"),
        ("/tmp/", "dir /tmp 1777 0:0"),
        ("/var/tmp", "dir /var/tmp 1777 0:0"),
        ("/var/log/app", "dir /var/log/app 755 0:0"),
        ("/var/run/app", "link /var/run -> /run\ndir /run/app 755 0:0"),
        ("/home/app/.cache/x", "dir /home/app/.cache 755 1000:1000\ndir /home/app/.cache/x 755 1000:1000"),
        ("/home/apple", "dir /home/apple 755 0:0"),
        ("/home", "dir /home 755 0:0"),
        ("tmp", "cannot make `tmp`: a path in the image starts with `/` and has no `..`"),
        ("/a/../b", "cannot make `/a/../b`: a path in the image starts with `/` and has no `..`"),
    ] {
        same(&made_dirs(&root, mkdir, &[], Some(&app)), expected);
    }
    same(&made_dirs(&root, "/home/app/x", &[], None), "dir /home/app/x 755 0:0");
    let homes = [
        ("app", 1000, "/home/app", "755 1000:1000"),
        ("nobody", 65534, "/nonexistent", "755 65534:65534"),
        ("root", 0, "/root", "700 0:0"),
    ];
    for (name, id, home, expected) in homes {
        same(&made_dirs(&root, home, &[], Some(&user(name, id, id))), &format!("dir {home} {expected}"));
    }
    same(&made_dirs(&root, "/root", &[], Some(&app)), "dir /root 700 0:0");
}

#[test]
fn links_stand_where_they_were_typed() {
    let mut root = MemRoot::new();
    root.dir("/usr/bin").link("/bin", "usr/bin").link("/lib64", "usr/lib64");
    for ((at, target), expected) in [
        (("/bin/sh", "busybox"), "link /bin -> usr/bin\nlink /usr/bin/sh -> busybox"),
        (("/lib64", "lib"), "link /lib64 -> lib"),
        (("/", "x"), "cannot make the link `/`: it is the top of the image"),
        (("x", "y"), "cannot make the link `x`: a path in the image starts with `/` and has no `..`"),
        (("/x", "a\0b"), "cannot make the link `/x`: its target is no path"),
    ] {
        same(&made_dirs(&root, "", &[(at, target)], None), expected);
    }
}
