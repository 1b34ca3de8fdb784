//! Interpreters, and their standard libraries.

use super::{Proof, prove, prove_with};

const ROOT: &str = "needs-amd64";

#[test]
fn interpreters_import_their_standard_libraries() {
    prove(
        ROOT,
        &[],
        &[
            Proof {
                program: "/usr/bin/python3",
                words: &[
                    "-c",
                    "import ssl, sqlite3, ctypes, json, decimal, lzma, asyncio, curses, readline
print(len(ssl.create_default_context().get_ca_certs()) > 100)",
                ],
                fails: "Could not find platform independent libraries <prefix>",
                says: "True\n",
            },
            Proof {
                program: "/usr/bin/perl",
                words: &["-e", "use POSIX; use List::Util 'sum'; use Encode; use Socket; print sum(1, 2), floor(2.5)"],
                fails: "Can't locate POSIX.pm in @INC",
                says: "32",
            },
            Proof {
                program: "/usr/bin/ruby",
                words: &["-e", "require 'json'; require 'openssl'; require 'yaml'; puts Gem::VERSION[0], JSON.generate([1])"],
                fails: "`RubyGems' were not loaded.",
                says: "3\n[1]\n",
            },
            Proof {
                program: "/usr/bin/php",
                words: &[
                    "-r",
                    "echo json_encode([1, mb_strlen('x')]), (new PDO('sqlite::memory:'))->query('select 2')->fetchColumn();
date_default_timezone_set('Europe/Berlin'); echo date('T', 0);",
                ],
                fails: "Invalid date.timezone value 'UTC'",
                says: "[1,1]2CET",
            },
            Proof {
                program: "/usr/bin/node",
                words: &["-e", "require('crypto').createHash('sha1'); console.log(1)"],
                fails: "Cannot load externalized builtin: \"internal/deps/",
                says: "1\n",
            },
            // What looks up users is in their libraries, not in the programs.
            Proof {
                program: "/usr/bin/node",
                words: &["-e", "console.log(os.userInfo().username)"],
                fails: "Cannot load externalized builtin: \"internal/deps/",
                says: "nobody\n",
            },
            Proof {
                program: "/usr/bin/ruby",
                words: &["-retc", "-e", "puts Etc.getpwuid(0).name"],
                fails: "`RubyGems' were not loaded.",
                says: "root\n",
            },
            Proof {
                program: "/usr/bin/gawk",
                words: &["@load \"filefuncs\"; @include \"ord\"; BEGIN { print chdir(\"/\"), ord(\"a\") }"],
                fails: "cannot open shared library `filefuncs' for reading",
                says: "0 97\n",
            },
        ],
    );
}

#[test]
fn java_has_its_runtime() {
    prove_with(
        ROOT,
        &[],
        &[("Hello.class", include_bytes!("../../../testdata/java/Hello.class"))],
        &[Proof {
            program: "/usr/bin/java",
            words: &["-cp", "/", "Hello"],
            fails: "Error: could not find libjava.so",
            says: "hello Default\n",
        }],
    );
}

#[test]
fn tcl_has_its_scripts() {
    prove_with(
        ROOT,
        &[],
        &[("x.tcl", b"package require http; puts [clock format 0 -timezone :UTC]")],
        &[Proof {
            program: "/usr/bin/tclsh",
            words: &["/x.tcl"],
            fails: "Can't find a usable init.tcl",
            says: "Thu Jan 01 00:00:00 UTC 1970\n",
        }],
    );
}

/// What packages install is the choice of whoever uses it.
#[test]
fn packages_come_along_on_request() {
    prove(
        ROOT,
        &["--with", "lua-packages"],
        &[Proof {
            program: "/usr/bin/lua5.4",
            words: &["-e", "print(require('cjson').encode({1}))"],
            fails: "module 'cjson' not found",
            says: "[1]\n",
        }],
    );
}

/// Who runs a script brings the same.
#[test]
fn a_script_brings_its_interpreter_with_its_library() {
    prove(
        ROOT,
        &[],
        &[Proof { program: "/usr/bin/shasum", words: &["--version"], fails: "in @INC", says: "6.02\n" }],
    );
}
