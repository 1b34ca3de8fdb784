//! A configuration of ldconfig, a list of preloads, then a pattern and a name.

#![no_main]

use depcollect::loader::{Version, conf};
use depcollect_fuzz::parts;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [file, pattern, name] = parts(input);
    for version in [Version(2, 36), Version(2, 37)] {
        conf::parse(file, version);
    }
    conf::parse_preload(file);
    // A component of a path is no longer than that.
    conf::matches(&pattern[..pattern.len().min(255)], &name[..name.len().min(255)]);
});
