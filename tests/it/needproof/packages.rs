//! Programs of packages, whose outputs are long: what they say in their closure
//! alone, and with what the rules bring, in these words among others.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::{Proof, root};
use crate::need;

const ROOT: &str = "needs-amd64";

/// A row: the rules that are asked for, the program with its words, the words of
/// its failure, and of its success.
type Row = (&'static [&'static str], &'static str, &'static [&'static str], &'static str, &'static str);

const COUNTED: [Row; 13] = [
    (
        &[],
        "/usr/bin/openssl",
        &[
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "/dev/null",
            "-subj",
            "/CN=x",
            "-noout",
            "-subject",
        ],
        "Can't open \"/usr/lib/ssl/openssl.cnf\"",
        "subject=CN = x",
    ),
    (
        &[],
        "/usr/bin/certutil",
        &["-N", "--empty-password", "-d", "sql:/none"],
        "PR_LOAD_LIBRARY_ERROR",
        "SEC_ERROR_BAD_DATABASE",
    ),
    (
        &[],
        "/usr/sbin/saslpluginviewer",
        &["-c"],
        "mechanisms are:\n  EXTERNAL\n",
        "Plugin \"scram\" [loaded]",
    ),
    (&[], "/usr/sbin/rpcinfo", &["-T", "tcp", "127.0.0.1", "100000"], "Could not find tcp", "RPC: "),
    (&[], "/usr/bin/tput", &["-T", "xterm", "cols"], "unknown terminal \"xterm\"", "80\n"),
    (
        &[],
        "/usr/bin/file",
        &["--mime-type", "-b", "/usr/bin/file"],
        "could not find any valid magic files!",
        "application/x-pie-executable\n",
    ),
    (
        &[],
        "/usr/bin/convert-im6.q16",
        &["-size", "1x1", "xc:red", "txt:-"],
        "NoDecodeDelegateForThisImageFormat",
        "0,0: (65535,0,0)",
    ),
    (
        &[],
        "/usr/bin/projinfo",
        &["-o", "PROJ", "-q", "EPSG:4326"],
        "Cannot find proj.db",
        "+proj=longlat +datum=WGS84 +no_defs",
    ),
    (&[], "/usr/bin/aplay", &["-L"], "Cannot access file /usr/share/alsa/alsa.conf", "null\n"),
    (&[], "/usr/bin/gsettings", &["list-schemas"], "No schemas installed", "org.gnome.desktop.a11y\n"),
    (
        &[],
        "/usr/bin/gs",
        &["-q", "-dNODISPLAY", "-dNOSAFER", "-dBATCH", "-c", "3 4 add = quit"],
        "Can't find initialization file gs_init.ps.",
        "7\n",
    ),
    (
        &[],
        "/usr/bin/ssh",
        &["-o", "BatchMode=yes", "127.0.0.1"],
        "No user exists for uid 65534",
        "connect to host 127.0.0.1 port 22",
    ),
    (
        &[],
        "/usr/bin/fc-conflist",
        &[],
        "Fontconfig error: Cannot load default config file",
        "/etc/fonts/fonts.conf",
    ),
];

const ASKED: [Row; 10] = [
    (
        &["--with=openssl-legacy"],
        "/usr/bin/openssl",
        &["dgst", "-md4", "-provider", "legacy", "-provider", "default", "/dev/null"],
        "could not load the shared library",
        "MD4(/dev/null)= 31d6cfe0",
    ),
    (
        &["--with=pam"],
        "/usr/bin/pamtester",
        &["-v", "other", "nobody", "authenticate"],
        "Initialization failure",
        "performing operation - authenticate",
    ),
    (
        &["--with=odbc"],
        "/usr/bin/isql",
        &["-v", "-k", "Driver={PostgreSQL Unicode};Server=127.0.0.1"],
        "Can't open lib 'PostgreSQL Unicode' : file not found",
        "connection to server at \"127.0.0.1\"",
    ),
    (&["--with=fonts"], "/usr/bin/fc-list", &[], "Cannot load default config file", "DejaVuSans.ttf"),
    (
        &["--with=hunspell"],
        "/usr/bin/hunspell",
        &["-d", "en_US", "-D"],
        "Can't open affix or dictionary files",
        "LOADED DICTIONARY",
    ),
    (
        &["--with=git"],
        "/usr/bin/git",
        &["ls-remote", "https://127.0.0.1/"],
        "git: 'remote-https' is not a git command",
        "unable to access 'https://127.0.0.1/'",
    ),
    (
        &["--with=nginx"],
        "/usr/sbin/nginx",
        &["-t"],
        "open() \"/etc/nginx/nginx.conf\" failed",
        "/etc/nginx/nginx.conf syntax is ok",
    ),
    (
        &["--with=xtables"],
        "/usr/sbin/iptables-legacy",
        &["-m", "conntrack", "--help"],
        "Couldn't load match `conntrack'",
        "conntrack match options",
    ),
    (
        &["--with=gstreamer"],
        "/usr/bin/gst-inspect-1.0",
        &["videotestsrc"],
        "No such element or plugin 'videotestsrc'",
        "Video test source",
    ),
    (
        &["--with=gconv-all"],
        "/usr/bin/iconv",
        &["-f", "EUC-JP", "-t", "SJIS", "/dev/null", "--verbose"],
        "conversion",
        "/dev/null:\n",
    ),
];

#[track_caller]
fn prove(name: &str, table: &[Row]) {
    let Some(root) = root(name).filter(|_| rustix::process::geteuid().is_root()) else {
        return need::skip(&format!("no root {name} in DEPCOLLECT_ROOTS, or it cannot be entered"));
    };
    let temp = tempfile::tempdir().expect("a directory");
    fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    let mut wrong = Vec::new();
    for &(args, program, words, fails, says) in table {
        let proof = Proof { program, words, fails, says };
        let alone = proof.said(&root, temp.path(), &["--needs", "off"]);
        let whole = proof.said(&root, temp.path(), &[&["--needs", "auto"], args].concat());
        if !alone.contains(fails) || alone.contains(says) {
            wrong.push(format!("{program} {words:?}: in its closure alone: {alone}"));
        }
        if !whole.contains(says) || whole.contains(fails) {
            wrong.push(format!("{program} {words:?}: with what it needs: {whole}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), table.len(), wrong.join("\n"));
}

#[test]
fn rules_that_count_by_themselves() {
    prove(ROOT, &COUNTED);
}

#[test]
fn rules_that_are_asked_for() {
    prove(ROOT, &ASKED);
}

/// Releases of other glibcs.
#[test]
fn other_releases() {
    let converts: Row = (
        &["--with=gconv-all"],
        "/usr/bin/iconv",
        &["-f", "EUC-JP", "-t", "SJIS", "/dev/null", "--verbose"],
        "conversion",
        "/dev/null:\n",
    );
    let knows: Row = (&[], "/usr/bin/id", &["-un"], "cannot find name for user ID 65534", "nobody\n");
    prove("trixie-amd64", &[converts, knows]);
    prove("bullseye-amd64", &[converts, knows]);
    // The users alone are not enough for 2.31.
    let without: Row = (&["--without=nss"], knows.1, knows.2, "user", "user ID 65534");
    if let Some(root) = root("bullseye-amd64") {
        let temp = tempfile::tempdir().expect("a directory");
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
        let proof = Proof { program: without.1, words: without.2, fails: without.3, says: without.4 };
        let said = proof.said(&root, temp.path(), &["--needs", "auto", "--without=nss"]);
        assert!(said.contains("cannot find name for user ID 65534"), "{said}");
    }
}

/// libsystemd of Debian 13 says what it opens: zstd is recommended, lzma suggested.
#[test]
fn a_note_of_a_package_is_followed() {
    let Some(root) = root("trixie-amd64") else {
        return need::skip("DEPCOLLECT_ROOTS has no root trixie-amd64");
    };
    let mut collect = Command::new(assert_cmd::cargo::cargo_bin!("depcollect"));
    collect.arg("--root").arg(root).args(["--dry-run", "/usr/lib/x86_64-linux-gnu/libsystemd.so.0", "dist"]);
    let collected = collect.env_remove("SOURCE_DATE_EPOCH").output().expect("the binary runs");
    let plan = String::from_utf8(collected.stdout).expect("names of Debian are ASCII");
    let told = String::from_utf8(collected.stderr).expect("names of Debian are ASCII");
    assert!(plan.contains("dlopen, because of libzstd.so.1 in "), "{plan}");
    assert!(told.contains("for: Support lzma compression") && !plan.contains("liblzma"), "{told}{plan}");
}
