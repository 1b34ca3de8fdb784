//! Interpreters, and their standard libraries.

use super::{Proof, prove};

const ROOT: &str = "needs-amd64";

#[test]
fn interpreters_import_their_standard_libraries() {
    prove(
        ROOT,
        &[],
        &[
            Proof {
                program: "/usr/bin/python3",
                words: &["-c", "import ssl, sqlite3, ctypes, json, decimal, lzma; print('imported')"],
                fails: "Could not find platform independent libraries <prefix>",
                says: "imported\n",
            },
            Proof {
                program: "/usr/bin/tclsh",
                words: &["-encoding", "utf-8", "/dev/null"],
                fails: "Can't find a usable init.tcl",
                says: "",
            },
        ],
    );
}
