//! Constants of a program, which the rules search for names of data: the first
//! byte says what kind of program holds them. The second part is a list of
//! character sets, the third a note of what it opens.

#![no_main]

use depcollect_fuzz::elf::Plain;
use depcollect_fuzz::world::{INTERP, LIB, needs, with_loader};
use depcollect_fuzz::{choose, parts};
use libfuzzer_sys::fuzz_target;

/// Names of the program's file. The first is linked statically.
const NAMES: [&str; 6] = ["go", "c", "python3.11", "perl", "php8.2", "ruby3.1"];

const CALLS: [&str; 7] =
    ["dlopen", "iconv_open", "setlocale", "localtime", "execv", "getpwnam", "getaddrinfo"];

const RULES: [&str; 4] = ["charsets", "locales", "zones", "exec"];

fuzz_target!(|input: &[u8]| {
    let Some((rest, number)) = choose(input, &NAMES) else { return };
    let [texts, charsets, note] = parts(rest);
    let is_static = number == 0;
    let program = Plain {
        interp: (!is_static).then_some(INTERP),
        calls: if is_static { &[] } else { &CALLS },
        texts: &[texts],
        dlopen: (!note.is_empty()).then_some(note),
        is_static,
        ..Plain::default()
    };
    let (path, program) = (format!("/usr/bin/{}", NAMES[number]), program.bytes());
    let mut root = with_loader();
    root.file("/usr/bin/other", &program[..]).mode("/usr/bin/other", 0o755);
    root.file(&path, program).mode(&path, 0o755).link("/app", &path[1..]);
    root.file(format!("{LIB}/gconv/gconv-modules"), charsets).file(format!("{LIB}/gconv/UTF-16.so"), "");
    root.file("/usr/share/zoneinfo/Europe/Berlin", "TZif2").file("/usr/lib/locale/de_DE.utf8/LC_CTYPE", "");
    root.file("/usr/lib/python3.11/os.py", "").file("/usr/share/perl/5.36/x.pm", "");
    root.file("/etc/ssl/certs/ca-certificates.crt", "-----BEGIN CERTIFICATE-----\n");
    root.file("/etc/php/8.2/cli/conf.d/a.ini", "extension=a").file("/usr/lib/ruby/3.1.0/set.rb", "");
    needs(&root, &RULES);
});
