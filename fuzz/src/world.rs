//! Small roots, with glibc's loader and what the rules of needs look for.

use std::sync::OnceLock;

use depcollect::closure::{Files, Session, Settings, close, open_program};
use depcollect::job::{DlopenLevel, NeedsTask};
use depcollect::needs::{Engine, Need, Want};
use depcollect::root::mem::MemRoot;

use crate::elf::Plain;

pub const LIB: &str = "/lib/x86_64-linux-gnu";
pub const INTERP: &[u8] = b"/lib64/ld-linux-x86-64.so.2";

/// Where modules are looked for.
const LIBRARIES: [&str; 9] = [
    "/lib/x86_64-linux-gnu/liba.so",
    "/lib/x86_64-linux-gnu/libnss_sss.so.2",
    "/lib/x86_64-linux-gnu/odbc/a.so",
    "/lib/x86_64-linux-gnu/ossl-modules/a.so",
    "/lib/x86_64-linux-gnu/pkcs11/a.so",
    "/lib/x86_64-linux-gnu/plugins/a.so",
    "/lib/x86_64-linux-gnu/security/pam_a.so",
    "/usr/lib/php/20220829/a.so",
    "/usr/share/nginx/modules/a.so",
];

/// A root with a loader, and one library under several names.
pub fn with_loader() -> MemRoot {
    static FILES: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    let [loader, library] = FILES.get_or_init(|| {
        let loader = Plain {
            soname: Some("ld-linux-x86-64.so.2"),
            defs: &["ld-linux-x86-64.so.2", "GLIBC_PRIVATE"],
            texts: &[b"ld.so (Debian GLIBC 2.36-9) stable release version 2.36."],
            ..Plain::default()
        };
        [loader.bytes(), Plain { soname: Some("liba.so"), ..Plain::default() }.bytes()]
    });
    let mut root = MemRoot::new();
    root.file(INTERP, &loader[..]).mode(INTERP, 0o755);
    for path in LIBRARIES {
        root.file(path, &library[..]);
    }
    root
}

/// What `/app` needs there. Whatever the bytes, it is paths of the root, and not many.
pub fn needs(root: &MemRoot, with: &[&str]) -> Vec<Need> {
    let settings = Settings { cwd: b"/".to_vec(), levels: Some(Vec::new()), ..Settings::default() };
    let files = Files::default();
    let mut session = Session::new(root, &files, &settings);
    let program = open_program(&mut session, b"/app").expect("it is a program");
    let closure = close(&mut session, &program);
    let with = with.iter().map(|rule| rule.as_bytes().to_vec()).collect();
    let task = NeedsTask { with, dlopen: Some(DlopenLevel::Suggested), ..NeedsTask::default() };
    let needs =
        Engine::new(task, Vec::new()).expect("rules of the table").needs(&mut session, &closure, true);
    check(&needs);
    needs
}

pub fn check(needs: &[Need]) {
    for need in needs {
        let wanted = &need.wanted;
        assert!(wanted.wants.len() + wanted.findings.len() < 5000, "{} wants too much", need.rule);
        for want in &wanted.wants {
            let at = match want {
                Want::Path(at) | Want::Host { at, .. } | Want::Made { at, .. } => at,
                Want::Dir { at, .. } | Want::Link { at, .. } => at,
            };
            assert!(at.starts_with(b"/"), "{} wants {}", need.rule, at.escape_ascii());
        }
    }
}
