//! A plan that is checked before it is written: what the loader would do in
//! the image, what cures it, and what nothing cures.

use depcollect::check;
use depcollect::closure::Files;
use depcollect::plan::{PlanRoot, Sources};

use crate::plancase::{Case, show};
use crate::{judge, need};

fn row(text: &str, expected: &str) {
    let (said, _) = Case::parse(text).judged();
    let expected: String =
        expected.lines().map(str::trim_end).filter(|l| !l.is_empty()).map(|l| format!("{l}\n")).collect();
    assert!(said == expected, "{text}\n-- expected\n{expected}\n-- said\n{said}");
}

#[test]
fn a_plan_that_holds_everything_is_as_good_as_the_root() {
    row(
        "
/t/m: NEEDED libA.so /t/l/libB.so; RUNPATH $ORIGIN/l
/t/l -> ../opt/l
/opt/l/libA.so -> libA.so.1
/opt/l/libA.so.1: NEEDED libC.so
/opt/l/libB.so:
/lib -> usr/lib
/usr/lib/libC.so:
",
        "",
    );
}

#[test]
fn what_a_plan_lacks_is_said_in_the_loaders_words() {
    row(
        "
/t/m: NEEDED libA.so
/lib/libA.so: NEEDED libB.so
/lib/libB.so:
< /lib/libB.so
",
        "
error missing: libB.so: cannot open shared object file: No such file or directory (needed by /lib/libA.so)
error missing: libB.so: cannot open shared object file: No such file or directory (needed by /lib/libA.so)
",
    );
}

// peers.md, T23: LD_LIBRARY_PATH of the builder found it, the image has none.
#[test]
fn t23_a_library_of_the_environment_gets_a_cache() {
    row(
        "
/t/m: NEEDED libA.so libB.so
/opt/x/libA.so -> libA.so.1
/opt/x/libA.so.1: NEEDED libB.so
/opt/x/libB.so:
library-path> /opt/x
",
        "
error missing: libA.so: cannot open shared object file: No such file or directory (needed by /t/m)
  the tree has it as `/opt/x/libA.so`, where this loader does not look: `ENV LD_LIBRARY_PATH=/opt/x` would cure it
error missing: libB.so: cannot open shared object file: No such file or directory (needed by /t/m)
  the tree has it as `/opt/x/libB.so`, where this loader does not look: `ENV LD_LIBRARY_PATH=/opt/x` would cure it
/etc/ld.so.cache
  libB.so 303 /opt/x/libB.so
  libA.so 303 /opt/x/libA.so
",
    );
}

// T2: the builder has it in ld.so.conf or in the cache.
#[test]
fn t2_a_library_of_the_cache_or_of_ld_so_conf_gets_a_cache() {
    row(
        "
/t/m: NEEDED libA.so libB.so libC.so
/opt/x/libA.so: SONAME libA.so
/opt/y/libB.so:
/lib/libC.so:
conf: /opt/x
cache: libB.so 303 /opt/y/libB.so
",
        "
error missing: libA.so: cannot open shared object file: No such file or directory (needed by /t/m)
  the tree has it as `/opt/x/libA.so`, where this loader does not look: `ENV LD_LIBRARY_PATH=/opt/x` would cure it
error missing: libB.so: cannot open shared object file: No such file or directory (needed by /t/m)
  the tree has it as `/opt/y/libB.so`, where this loader does not look: `ENV LD_LIBRARY_PATH=/opt/y` would cure it
/etc/ld.so.cache
  libB.so 303 /opt/y/libB.so
  libA.so 303 /opt/x/libA.so
",
    );
}

// T4: only the variant of the builder's processor was copied, or under its own name.
#[test]
fn t4_every_variant_is_found_on_its_processor() {
    row(
        "
/t/m: NEEDED libA.so
/opt/x/libA.so:
/opt/x/glibc-hwcaps/x86-64-v3/libA.so: ISA 7
library-path> /opt/x
start> /t/m
start> /t/m x86-64-v3
start> /t/m x86-64-v2
",
        "
error missing: libA.so: cannot open shared object file: No such file or directory (needed by /t/m)
  the tree has it as `/opt/x/libA.so`, where this loader does not look: `ENV LD_LIBRARY_PATH=/opt/x` would cure it
error missing: libA.so: cannot open shared object file: No such file or directory (needed by /t/m)
  the tree has it as `/opt/x/glibc-hwcaps/x86-64-v3/libA.so`, where this loader does not look: `ENV LD_LIBRARY_PATH=/opt/x` would cure it
error missing: libA.so: cannot open shared object file: No such file or directory (needed by /t/m)
  the tree has it as `/opt/x/libA.so`, where this loader does not look: `ENV LD_LIBRARY_PATH=/opt/x` would cure it
/etc/ld.so.cache
  libA.so 303 /opt/x/glibc-hwcaps/x86-64-v3/libA.so [x86-64-v3]
  libA.so 303 /opt/x/libA.so
",
    );
}

#[test]
fn a_run_path_of_the_image_wins_over_a_cache() {
    row(
        "
/t/m: NEEDED libA.so; RUNPATH /opt/run
/opt/env/libA.so:
library-path> /opt/env
base> /opt/run/libA.so:
",
        "
error another-file: libA.so: the loader takes `/opt/run/libA.so` by a RUNPATH and not `/opt/env/libA.so` (needed by /t/m)
  `ENV LD_LIBRARY_PATH=/opt/env` would cure it
",
    );
    row(
        "
/t/m: NEEDED libA.so; RPATH /opt/none:/opt/own
/opt/own/libA.so:
base> /opt/none/libA.so:
",
        "
error another-file: libA.so: the loader takes `/opt/none/libA.so` by an RPATH and not `/opt/own/libA.so` (needed by /t/m)
",
    );
}

#[test]
fn a_library_of_the_base_gives_way_to_a_cache() {
    row(
        "
/t/m: NEEDED libA.so
/opt/x/libA.so:
library-path> /opt/x
base> /lib/libA.so:
base> cache: libA.so 303 /lib/libA.so
base> cache: libZ.so 3 /lib/libZ.so
base> cache: libZ.so 303 /lib/libZ.so sub=x86-64-v2 isa=1
dist> cache: libQ.so 303 /q/libQ.so
",
        "
error another-file: libA.so: the loader takes `/lib/libA.so` of a system directory and not `/opt/x/libA.so` (needed by /t/m)
  `ENV LD_LIBRARY_PATH=/opt/x` would cure it
warning two-libraries: libA.so: programs of the base find `/lib/libA.so`, and would find `/opt/x/libA.so`
/etc/ld.so.cache
  libZ.so 303 /lib/libZ.so [x86-64-v2]
  libZ.so 3 /lib/libZ.so
  libQ.so 303 /q/libQ.so
  libA.so 303 /opt/x/libA.so
  libA.so 303 /lib/libA.so
",
    );
}

#[test]
fn two_libraries_of_one_name_need_no_cache_if_their_programs_know_them() {
    row(
        "
/t/m: NEEDED libA.so; RPATH /opt/x
/t/n: NEEDED libA.so; RPATH /opt/y; PROG
/opt/x/libA.so:
/opt/y/libA.so:
start> /t/m
start> /t/n
",
        "",
    );
}

#[test]
fn one_cache_names_one_library() {
    row(
        "
/t/m: NEEDED libA.so
/opt/x/libA.so:
library-path> /opt/x
dist> cache: libA.so 303 /opt/w/libA.so
dist> /opt/w/libA.so:
",
        "
error another-file: libA.so: the loader takes `/opt/w/libA.so` by ld.so.cache and not `/opt/x/libA.so` (needed by /t/m)
  `ENV LD_LIBRARY_PATH=/opt/x` would cure it
error two-libraries: libA.so: earlier programs of DIST find `/opt/w/libA.so`, and would find `/opt/x/libA.so`
/etc/ld.so.cache
  libA.so 303 /opt/x/libA.so
  libA.so 303 /opt/w/libA.so
",
    );
}

#[test]
fn the_base_is_too_old() {
    let text = "
/t/m: NEEDED libc.so.6 libA.so; VERNEED libc.so.6 GLIBC_2.38
/lib/libc.so.6: VERDEF libc.so.6 GLIBC_2.38
/lib/libA.so:
< /lib/libc.so.6
< /lib/libA.so
base> /lib/libc.so.6: VERDEF libc.so.6 GLIBC_2.36
";
    let version = "
error missing: libA.so: cannot open shared object file: No such file or directory (needed by /t/m)
error version: /lib/libc.so.6: version `GLIBC_2.38' not found (required by /t/m)
  it was built against a newer glibc: build it on the older system, or run it on a newer one
";
    let other = "
error another-file: libc.so.6: the loader takes `/lib/libc.so.6` of a system directory, another file than in the root (needed by /t/m)
";
    row(&format!("{text}over-base\n"), &version.repeat(2));
    row(text, &[other, version].concat().repeat(2));
}

// A cache that is left over from a library that is gone stands in nobody's way.
#[test]
fn a_stale_entry_gives_way() {
    row(
        "
/t/m: NEEDED libA.so
/opt/x/libA.so:
library-path> /opt/x
dist> cache: libA.so 303 /opt/w/libA.so
",
        "
error missing: libA.so: cannot open shared object file: No such file or directory (needed by /t/m)
  the tree has it as `/opt/x/libA.so`, where this loader does not look: `ENV LD_LIBRARY_PATH=/opt/x` would cure it
/etc/ld.so.cache
  libA.so 303 /opt/x/libA.so
  libA.so 303 /opt/w/libA.so
",
    );
}

#[test]
fn musl_gets_a_path_file_that_repeats_its_defaults() {
    if !judge::has_loader(true) {
        return need::skip("no musl");
    }
    row(
        "
musl
/t/m: NEEDED libA.so libB.so
/opt/x/libA.so:
/usr/lib/libB.so:
library-path> /opt/x
",
        "
error missing: libA.so: No such file or directory (needed by /t/m)
  the tree has it as `/opt/x/libA.so`, where this loader does not look: `ENV LD_LIBRARY_PATH=/opt/x` would cure it
/etc/ld-musl-x86_64.path
  /lib
  /usr/local/lib
  /usr/lib
  /opt/x
",
    );
    row(
        "
musl
/t/m: NEEDED libA.so
/opt/x/libA.so:
library-path> /opt/x
base> /usr/lib/libA.so:
",
        "
error another-file: libA.so: the loader takes `/usr/lib/libA.so` of a system directory and not `/opt/x/libA.so` (needed by /t/m)
  `ENV LD_LIBRARY_PATH=/opt/x` would cure it
/etc/ld-musl-x86_64.path
  /opt/x
  /lib
  /usr/local/lib
  /usr/lib
",
    );
    row(
        "
musl
/t/m: NEEDED libA.so
/lib/x86_64-linux-musl/libA.so:
musl-path: /lib/x86_64-linux-musl
dist> musl-path: /opt/d:/lib
",
        "
error missing: libA.so: No such file or directory (needed by /t/m)
  the tree has it as `/lib/x86_64-linux-musl/libA.so`, where this loader does not look: `ENV LD_LIBRARY_PATH=/lib/x86_64-linux-musl` would cure it
/etc/ld-musl-x86_64.path
  /lib/x86_64-linux-musl
  /opt/d
  /lib
",
    );
}

// T1: the kernel says "no such file", and means the interpreter.
#[test]
fn t1_the_interpreter_is_missing_or_cannot_be_started() {
    row(
        "
/t/m: NEEDED libA.so
/lib/libA.so:
< /lib64/ld-linux-x86-64.so.2
",
        "
error interpreter: /t/m: its interpreter `/lib64/ld-linux-x86-64.so.2` cannot be opened: No such file or directory
  the kernel reports this as if the program itself did not exist; install the loader's package, or build the program for this root
",
    );
}

#[test]
fn a_program_that_is_not_there() {
    row(
        "
/t/m:
< /t/m
",
        "
error program: /t/m: cannot be opened in the tree: No such file or directory
",
    );
}

#[test]
fn another_library_of_the_same_name_is_none() {
    row(
        "
/t/m: NEEDED libA.so; RPATH /opt/a:/opt/b
/t/n: NEEDED libA.so; RPATH /opt/b; PROG
/opt/a/libA.so:
/opt/b/libA.so:
< /opt/a/libA.so
start> /t/m
start> /t/n
",
        "
error another-file: libA.so: the loader takes `/opt/b/libA.so` by an RPATH, another file than in the root (needed by /t/m)
",
    );
}

#[test]
fn what_the_host_brings_may_be_missing() {
    row(
        "
/t/m: NEEDED libcuda.so.1 libA.so
/lib/libcuda.so.1: NEEDED libB.so
/lib/libA.so:
/lib/libB.so:
< /lib/libcuda.so.1
< /lib/libB.so
at-run-time> libcuda.so.1
",
        "",
    );
}

// A library of another name of the same file would be loaded twice, or at another time.
#[test]
fn libraries_are_loaded_in_the_order_of_the_root() {
    let case = Case::parse(
        "
/t/m: NEEDED libA.so libB.so
/lib/libA.so:
/lib/libB.so:
",
    );
    let files = Files::default();
    let closures = case.closures(&files);
    let plan = case.plan(&closures);
    let mut expected = case.expected(&closures);
    let root = PlanRoot::new(&plan, Sources { root: &case.source }, &[]);
    assert_eq!(show(&check::check(&root, &files, &expected)), "");
    expected[0].order.swap(1, 2);
    assert_eq!(
        show(&check::check(&root, &files, &expected)),
        "warning order: /t/m: `/lib/libA.so` is loaded before `/lib/libB.so`, unlike in the root\n"
    );
}
