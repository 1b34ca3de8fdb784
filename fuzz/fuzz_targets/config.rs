//! Configuration that names modules, of each format: the first byte chooses it.
//! The first part is the file at its top, the second is what it may include.

#![no_main]

use depcollect_fuzz::elf::Plain;
use depcollect_fuzz::world::{INTERP, LIB, needs, with_loader};
use depcollect_fuzz::{choose, parts};
use libfuzzer_sys::fuzz_target;

struct Format {
    rule: &'static str,
    top: &'static str,
    included: &'static str,
    /// What sets the rule off.
    loads: &'static str,
    calls: &'static [&'static str],
    name: &'static str,
}

const fn loads(rule: &'static str, loads: &'static str, top: &'static str, included: &'static str) -> Format {
    Format { rule, top, included, loads, calls: &[], name: "app" }
}

const fn calls(rule: &'static str, calls: &'static [&'static str], top: &'static str) -> Format {
    Format { rule, top, included: "", loads: "", calls, name: "app" }
}

const FORMATS: [Format; 10] = [
    loads("vulkan", "libvulkan.so.1", "/usr/share/vulkan/icd.d/a.json", "/etc/vulkan/icd.d/b.json"),
    loads("opencl", "libOpenCL.so.1", "/etc/OpenCL/vendors/a.icd", "/etc/OpenCL/vendors/b.icd"),
    Format { included: "/etc/nginx/conf.d/a.conf", ..calls("nginx", &["dlopen"], "/etc/nginx/nginx.conf") },
    calls("nss-modules", &["getpwnam"], "/etc/nsswitch.conf"),
    loads("odbc", "libodbc.so.2", "/etc/odbcinst.ini", "/etc/odbc.ini"),
    loads("openssl", "libssl.so.3", "/etc/ssl/openssl.cnf", "/etc/ssl/conf.d/a.cnf"),
    Format {
        included: "/etc/pkcs11/modules/b.module",
        ..calls("p11", &["p11_kit_modules_load"], "/usr/share/p11-kit/modules/a.module")
    },
    loads("pam", "libpam.so.0", "/etc/pam.d/app", "/etc/pam.d/common"),
    loads(
        "pixbuf",
        "libgdk_pixbuf-2.0.so.0",
        "/lib/x86_64-linux-gnu/gdk-pixbuf-2.0/2.10.0/loaders.cache",
        "",
    ),
    Format {
        rule: "php",
        top: "/etc/php/a.ini",
        included: "/etc/php/b.ini",
        loads: "",
        calls: &[],
        name: "php",
    },
];

fuzz_target!(|input: &[u8]| {
    let Some((rest, number)) = choose(input, &FORMATS) else { return };
    let format = &FORMATS[number];
    let [top, included] = parts(rest);
    let mut root = with_loader();
    let library = Plain { soname: Some(format.loads), ..Plain::default() }.bytes();
    let needed: &[&str] = if format.loads.is_empty() { &[] } else { &[format.loads] };
    let program = Plain {
        interp: Some(INTERP),
        needed,
        calls: format.calls,
        texts: &[b"/etc/nginx/nginx.conf", b"/etc/php", b"/usr/lib/php/20220829"],
        ..Plain::default()
    };
    for name in needed {
        root.file(format!("{LIB}/{name}"), &library[..]);
    }
    let path = format!("/bin/{}", format.name);
    root.file(&path, program.bytes()).mode(&path, 0o755).link("/app", &path[1..]);
    root.file(format.top, top);
    if !format.included.is_empty() {
        root.file(format.included, included);
    }
    needs(&root, &[format.rule]);
});
