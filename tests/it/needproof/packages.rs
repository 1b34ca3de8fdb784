//! Programs of packages: what they say in their closure alone, and with what the
//! rules bring.

use std::process::Command;

use super::{NOBODY, Proof, Says, prove, root};
use crate::need;

const ROOT: &str = "needs-amd64";

/// A row of a program that says much.
pub const fn has(
    rule: &'static str,
    program: &'static str,
    words: &'static [&'static str],
    fails: &'static str,
    says: &'static str,
) -> Proof {
    Proof { rule, also: &[], program, words, fails, says: Says::Has(says), user: NOBODY }
}

/// A row of one of which all is known.
pub const fn is(
    rule: &'static str,
    program: &'static str,
    words: &'static [&'static str],
    fails: &'static str,
    says: &'static str,
) -> Proof {
    Proof { says: Says::Is(says), ..has(rule, program, words, fails, "") }
}

/// They count by themselves.
pub const COUNTED: [Proof; 15] = [
    has(
        "openssl",
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
    has(
        "nss3",
        "/usr/bin/certutil",
        &["-N", "--empty-password", "-d", "sql:/none"],
        "PR_LOAD_LIBRARY_ERROR",
        "SEC_ERROR_BAD_DATABASE",
    ),
    has(
        "sasl2",
        "/usr/sbin/saslpluginviewer",
        &["-c"],
        "mechanisms are:\n  EXTERNAL\n",
        "Plugin \"scram\" [loaded]",
    ),
    has("tirpc", "/usr/sbin/rpcinfo", &["-T", "tcp", "127.0.0.1", "100000"], "Could not find tcp", "RPC: "),
    has("terminfo", "/usr/bin/tput", &["-T", "xterm", "cols"], "unknown terminal \"xterm\"", "80\n"),
    has(
        "magic",
        "/usr/bin/file",
        &["--mime-type", "-b", "/usr/bin/file"],
        "could not find any valid magic files!",
        "application/x-pie-executable\n",
    ),
    has(
        "magick",
        "/usr/bin/convert-im6.q16",
        &["-size", "1x1", "xc:red", "txt:-"],
        "NoDecodeDelegateForThisImageFormat",
        "0,0: (65535,0,0)",
    ),
    has(
        "proj",
        "/usr/bin/projinfo",
        &["-o", "PROJ", "-q", "EPSG:4326"],
        "Cannot find proj.db",
        "+proj=longlat +datum=WGS84 +no_defs",
    ),
    has("alsa", "/usr/bin/aplay", &["-L"], "Cannot access file /usr/share/alsa/alsa.conf", "null\n"),
    has(
        "schemas",
        "/usr/bin/gsettings",
        &["list-schemas"],
        "No schemas installed",
        "org.gnome.desktop.a11y\n",
    ),
    has(
        "ghostscript",
        "/usr/bin/gs",
        &["-q", "-dNODISPLAY", "-dNOSAFER", "-dBATCH", "-c", "3 4 add = quit"],
        "Can't find initialization file gs_init.ps.",
        "7\n",
    ),
    has(
        "users",
        "/usr/bin/ssh",
        &["-o", "BatchMode=yes", "127.0.0.1"],
        "No user exists for uid 65534",
        "connect to host 127.0.0.1 port 22",
    ),
    has(
        "fontconfig",
        "/usr/bin/fc-conflist",
        &[],
        "Fontconfig error: Cannot load default config file",
        "/etc/fonts/fonts.conf",
    ),
    // A template of drawings is among its data.
    Proof {
        also: &["tmp"],
        ..is(
            "gdal",
            "/usr/bin/ogr2ogr",
            &["-f", "DXF", "/tmp/x.dxf", "{\"type\":\"Point\",\"coordinates\":[1,2]}"],
            "is GDAL_DATA set properly?",
            "",
        )
    },
    Proof {
        also: &["python"],
        ..is(
            "gdb",
            "/usr/bin/gdb",
            &["-batch", "-ex", "python print(gdb.lookup_type)"],
            "Could not load the Python gdb module",
            "<built-in function lookup_type>\n",
        )
    },
];

/// They are asked for.
pub const ASKED: [Proof; 19] = [
    has(
        "openssl-engines",
        "/usr/bin/openssl",
        &["engine", "-t", "loader_attic"],
        "could not load the shared library",
        "[ available ]",
    ),
    Proof {
        also: &["python"],
        ..is(
            "python-packages",
            "/usr/bin/python3",
            &["-c", "import osgeo_utils; print(osgeo_utils.__name__)"],
            "ModuleNotFoundError: No module named",
            "osgeo_utils\n",
        )
    },
    Proof {
        also: &["perl"],
        ..is(
            "perl-packages",
            "/usr/bin/perl",
            &["-e", "use Debconf::Gettext; print \"found\\n\""],
            "Can't locate Debconf/Gettext.pm in @INC",
            "found\n",
        )
    },
    has(
        "openssl-legacy",
        "/usr/bin/openssl",
        &["dgst", "-md4", "-provider", "legacy", "-provider", "default", "/dev/null"],
        "could not load the shared library",
        "MD4(/dev/null)= 31d6cfe0",
    ),
    has(
        "pam",
        "/usr/bin/pamtester",
        &["-v", "other", "nobody", "authenticate"],
        "Initialization failure",
        "performing operation - authenticate",
    ),
    has(
        "odbc",
        "/usr/bin/isql",
        &["-v", "-k", "Driver={PostgreSQL Unicode};Server=127.0.0.1"],
        "Can't open lib 'PostgreSQL Unicode' : file not found",
        "connection to server at \"127.0.0.1\"",
    ),
    Proof { also: &["fontconfig"], ..has("fonts", "/usr/bin/fc-list", &[], "", "DejaVuSans.ttf") },
    has(
        "hunspell",
        "/usr/bin/hunspell",
        &["-d", "en_US", "-D"],
        "Can't open affix or dictionary files",
        "LOADED DICTIONARY",
    ),
    has(
        "git",
        "/usr/bin/git",
        &["ls-remote", "https://127.0.0.1/"],
        "git: 'remote-https' is not a git command",
        "unable to access 'https://127.0.0.1/'",
    ),
    has(
        "nginx",
        "/usr/sbin/nginx",
        &["-t"],
        "open() \"/etc/nginx/nginx.conf\" failed",
        "/etc/nginx/nginx.conf syntax is ok",
    ),
    has(
        "xtables",
        "/usr/sbin/iptables-legacy",
        &["-m", "conntrack", "--help"],
        "Couldn't load match `conntrack'",
        "conntrack match options",
    ),
    has(
        "gstreamer",
        "/usr/bin/gst-inspect-1.0",
        &["videotestsrc"],
        "No such element or plugin 'videotestsrc'",
        "Video test source",
    ),
    CONVERTS,
    is(
        "zsh",
        "/usr/bin/zsh",
        &["-fc", "zmodload zsh/zle && echo loaded"],
        "failed to load module `zsh/zle'",
        "loaded\n",
    ),
    Proof {
        also: &["tmp"],
        ..has(
            "gpg",
            "/usr/bin/gpg",
            &["--homedir", "/tmp", "--batch", "--passphrase", "", "--quick-gen-key", "x"],
            "gpg: can't connect to the agent",
            "gpg: revocation certificate stored as ",
        )
    },
    // Those of Debian ask for others, which are not free.
    has(
        "snmp",
        "/usr/bin/snmptranslate",
        &["-m", "UCD-DEMO-MIB", "-On", "UCD-DEMO-MIB::ucdDemoMIB"],
        "Cannot find module (UCD-DEMO-MIB)",
        "near line 7 of /usr/share/snmp/mibs/UCD-DEMO-MIB.txt",
    ),
    has(
        "aspell",
        "/usr/bin/aspell",
        &["-d", "en_US", "dump", "master"],
        "Error: The file \"/usr/lib/aspell/en_US\" can not be opened for reading.",
        "\nabandon",
    ),
    has("p11", "/usr/bin/p11-kit", &["list-modules"], "", "token: System Trust"),
    has("enchant", "/usr/bin/enchant-lsmod-2", &[], "", "hunspell (Hunspell Provider)"),
];

const CONVERTS: Proof = has(
    "gconv-all",
    "/usr/bin/iconv",
    &["-f", "EUC-JP", "-t", "SJIS", "/dev/null", "--verbose"],
    "conversion",
    "/dev/null:\n",
);

#[test]
fn rules_that_count_by_themselves() {
    prove(ROOT, &COUNTED);
}

#[test]
fn rules_that_are_asked_for() {
    prove(ROOT, &ASKED);
}

/// Before glibc 2.34 the users alone are not enough.
pub const OLD: [Proof; 1] = [Proof {
    also: &["users"],
    ..is("nss", "/usr/bin/id", &["-un"], "cannot find name for user ID 65534", "nobody\n")
}];

/// Releases of other glibcs.
#[test]
fn other_releases() {
    let knows = || is("users", "/usr/bin/id", &["-un"], "cannot find name for user ID 65534", "nobody\n");
    prove("trixie-amd64", &[CONVERTS, knows()]);
    prove("bullseye-amd64", &[CONVERTS, knows()]);
    prove("bullseye-amd64", &OLD);
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
