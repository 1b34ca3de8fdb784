//! Any bytes as a file of a tree that somebody may start: its `#!` line is read,
//! and what stands behind that.

#![no_main]

use depcollect::check::{Look, tree};
use depcollect::root::mem::MemRoot;
use depcollect_fuzz::parts;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [script, other] = parts(input);
    let mut root = MemRoot::new();
    for (path, bytes) in
        [("/s", script), ("/bin/t", other), ("/usr/bin/env", b"MZ"), ("/bin/sh", b"#!/bin/t")]
    {
        root.file(path, bytes).mode(path, 0o755);
    }
    let look = Look { programs: vec![b"/s".to_vec()], path: b"/usr/bin:/bin".to_vec(), strict: true };
    for look in [look, Look::default()] {
        let seen = tree(&root, &look);
        assert!(seen.scripts <= 4 && seen.findings.len() < 20);
    }
});
