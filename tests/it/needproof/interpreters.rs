//! Interpreters, and their standard libraries.

use super::packages::{has, is};
use super::{Proof, prove, prove_with};

const ROOT: &str = "needs-amd64";

pub const IMPORTS: [Proof; 13] = [
    is(
        "python",
        "/usr/bin/python3",
        &[
            "-c",
            "import ssl, sqlite3, ctypes, json, decimal, lzma, asyncio, curses, readline
print(len(ssl.create_default_context().get_ca_certs()) > 100)",
        ],
        "Could not find platform independent libraries <prefix>",
        "True\n",
    ),
    Proof {
        also: &["python"],
        ..is(
            "python-zones",
            "/usr/bin/python3",
            &["-c", "import zoneinfo; print(zoneinfo.ZoneInfo('Europe/Berlin'))"],
            "ZoneInfoNotFoundError: 'No time zone found with key",
            "Europe/Berlin\n",
        )
    },
    is(
        "perl",
        "/usr/bin/perl",
        &["-e", "use POSIX; use List::Util 'sum'; use Encode; use Socket; print sum(1, 2), floor(2.5)"],
        "Can't locate POSIX.pm in @INC",
        "32",
    ),
    // Who runs a script brings the same.
    is("perl", "/usr/bin/shasum", &["--version"], "in @INC", "6.02\n"),
    is(
        "ruby",
        "/usr/bin/ruby",
        &[
            "-e",
            "require 'json'; require 'openssl'; require 'yaml'; require 'irb'; puts Gem::VERSION[0], JSON.generate([1])",
        ],
        "`RubyGems' were not loaded.",
        "3\n[1]\n",
    ),
    Proof {
        also: &["ruby"],
        ..has("ruby-packages", "/usr/bin/irb", &["--version"], "cannot load such file", "irb 1.4.1")
    },
    is(
        "php",
        "/usr/bin/php",
        &[
            "-r",
            "echo json_encode([1, mb_strlen('x')]), (new PDO('sqlite::memory:'))->query('select 2')->fetchColumn();",
        ],
        "Call to undefined function mb_strlen()",
        "[1,1]2",
    ),
    Proof {
        also: &["php"],
        ..is(
            "php-zones",
            "/usr/bin/php",
            &["-r", "date_default_timezone_set('Europe/Berlin'); echo date('T', 0);"],
            "Invalid date.timezone value 'UTC'",
            "CET",
        )
    },
    is(
        "node",
        "/usr/bin/node",
        &["-e", "require('crypto').createHash('sha1'); console.log(1)"],
        "Cannot load externalized builtin: \"internal/deps/",
        "1\n",
    ),
    // What looks up users is in their libraries, not in the programs.
    Proof {
        also: &["node"],
        ..is(
            "users",
            "/usr/bin/node",
            &["-e", "console.log(os.userInfo().username)"],
            "uv_os_get_passwd returned ENOENT",
            "nobody\n",
        )
    },
    Proof {
        also: &["ruby"],
        ..is(
            "users",
            "/usr/bin/ruby",
            &["-retc", "-e", "puts Etc.getpwuid(0).name"],
            "can't find user for 0",
            "root\n",
        )
    },
    is(
        "gawk",
        "/usr/bin/gawk",
        &["@load \"filefuncs\"; @include \"ord\"; BEGIN { print chdir(\"/\"), ord(\"a\") }"],
        "cannot open shared library `filefuncs' for reading",
        "0 97\n",
    ),
    // What packages install is the choice of whoever uses it.
    is(
        "lua-packages",
        "/usr/bin/lua5.4",
        &["-e", "print(require('cjson').encode({1}))"],
        "module 'cjson' not found",
        "[1]\n",
    ),
];

pub const JAVA: [Proof; 1] = [is(
    "java",
    "/usr/bin/java",
    &["-cp", "/", "Hello"],
    "Error: could not find libjava.so",
    "hello Default\n",
)];

pub const TCL: [Proof; 1] = [is(
    "tcl",
    "/usr/bin/tclsh",
    &["/x.tcl"],
    "Can't find a usable init.tcl",
    "Thu Jan 01 00:00:00 UTC 1970\n",
)];

#[test]
fn interpreters_import_their_standard_libraries() {
    prove(ROOT, &IMPORTS);
}

#[test]
fn java_has_its_runtime() {
    prove_with(ROOT, &[("Hello.class", include_bytes!("../../../testdata/java/Hello.class"))], &JAVA);
}

#[test]
fn tcl_has_its_scripts() {
    let script = b"package require http; puts [clock format 0 -timezone :UTC]";
    prove_with(ROOT, &[("x.tcl", script)], &TCL);
}
