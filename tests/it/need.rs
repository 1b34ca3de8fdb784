//! What a test does on a machine that lacks something.

#![expect(clippy::disallowed_methods, clippy::print_stderr, reason = "a test that is skipped says so")]

pub(crate) fn skip(why: &str) {
    eprintln!("skipped: {why}");
    assert!(std::env::var_os("DEPCOLLECT_REQUIRE_ALL").is_none_or(|v| v != "1"), "skipped: {why}");
}
