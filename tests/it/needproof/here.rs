//! Programs of a few lines, built here with the libraries of this machine: each
//! fails in its closure alone, and works with what one rule brings.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use depcollect::needs::rules::{self, Action};

use crate::enter::start_in;
use crate::need;

/// One program.
pub struct Small {
    pub rule: &'static str,
    code: &'static str,
    flags: &'static [&'static str],
    /// Files that it is about.
    asks_for: &'static [&'static str],
    fails: &'static str,
    works: &'static str,
}

const fn small(rule: &'static str, code: &'static str, fails: &'static str, works: &'static str) -> Small {
    Small { rule, code, flags: &[], asks_for: &[], fails, works }
}

const CONVERTS: &str = "/usr/lib/x86_64-linux-gnu/gconv";
const COMPRESSES: &str = "/usr/lib/x86_64-linux-gnu/libz.so.1";
const CANNOT_OPEN: &str = "cannot open shared object file: No such file or directory";

pub const ALL: [Small; 18] = [
    Small {
        flags: &["-pthread"],
        ..small(
            "gccs",
            r#"void *end(void *x) { pthread_exit(x); }
            int main(void) { pthread_t t; pthread_create(&t, 0, end, 0); pthread_join(t, 0); puts("joined"); }"#,
            "libgcc_s.so.1 must be installed for pthread_exit to work",
            "joined",
        )
    },
    small(
        "users",
        r#"int main(void) { struct passwd *p = getpwuid(0); puts(p ? p->pw_name : "uid not found: 0"); }"#,
        "uid not found: 0",
        "root\n",
    ),
    Small {
        flags: &["-static"],
        ..small(
            "users-static",
            r#"int main(void) { struct passwd *p = getpwnam("root"); puts(p ? p->pw_name : "unknown user root"); }"#,
            "unknown user root",
            "root\n",
        )
    },
    Small {
        asks_for: &["/etc/services"],
        ..small(
            "services",
            r#"int main(void) { struct servent *s = getservbyname("https", "tcp");
            if (s) printf("port %d\n", ntohs(s->s_port)); else puts("Servname not supported"); }"#,
            "Servname not supported",
            "port 443\n",
        )
    },
    Small {
        flags: &["/usr/lib/x86_64-linux-gnu/libssl.so.3", "/usr/lib/x86_64-linux-gnu/libcrypto.so.3"],
        asks_for: &["/etc/ssl/certs/ca-certificates.crt"],
        ..small(
            "tls",
            r#"void *SSL_CTX_new(void *); void *TLS_client_method(void); void *SSL_CTX_get_cert_store(void *);
            int SSL_CTX_set_default_verify_paths(void *); void *X509_STORE_get0_objects(void *);
            int OPENSSL_sk_num(void *);
            int main(void) { void *c = SSL_CTX_new(TLS_client_method()); SSL_CTX_set_default_verify_paths(c);
            int n = OPENSSL_sk_num(X509_STORE_get0_objects(SSL_CTX_get_cert_store(c)));
            puts(n > 0 ? "trusts" : "trusts nobody"); }"#,
            "trusts nobody\n",
            "trusts\n",
        )
    },
    Small {
        asks_for: &[CONVERTS],
        ..small(
            "gconv",
            r#"int main(int n, char **v) { char s[20]; sprintf(s, "ISO-8859-%d", n); iconv_t c = iconv_open("UTF-8", s);
            puts(c == (iconv_t)-1 ? strerror(errno) : "converts"); }"#,
            "Invalid argument\n",
            "converts\n",
        )
    },
    Small {
        asks_for: &[CONVERTS],
        ..small(
            "charsets",
            r#"int main(void) { iconv_t c = iconv_open("UTF-8", "EUC-JP");
            puts(c == (iconv_t)-1 ? strerror(errno) : "converts"); }"#,
            "Invalid argument\n",
            "converts\n",
        )
    },
    Small {
        asks_for: &["/usr/share/zoneinfo/Asia/Tokyo"],
        ..small(
            "zones",
            r#"int main(void) { setenv("TZ", "Asia/Tokyo", 1); time_t t = 0; puts(localtime(&t)->tm_hour == 9 ? "nine" : "midnight"); }"#,
            "midnight\n",
            "nine\n",
        )
    },
    // No text names the zone.
    Small {
        asks_for: &["/usr/share/zoneinfo/Asia/Tokyo"],
        ..small(
            "tz",
            r#"int main(int n, char **v) { char z[20]; sprintf(z, "%sokyo", n ? "Asia/T" : "t"); setenv("TZ", z, 1);
            time_t t = 0; puts(localtime(&t)->tm_hour == 9 ? "nine" : "midnight"); }"#,
            "midnight\n",
            "nine\n",
        )
    },
    Small {
        asks_for: &["/usr/lib/locale/C.utf8"],
        ..small(
            "utf8",
            r#"int main(void) { char *l = setlocale(LC_ALL, "C.UTF-8"); puts(l ? nl_langinfo(CODESET) : "no locale"); }"#,
            "no locale\n",
            "UTF-8\n",
        )
    },
    small(
        "tmp",
        r#"int main(void) { char name[] = "/tmp/fXXXXXX"; puts(mkstemp(name) < 0 ? strerror(errno) : "made"); }"#,
        "No such file or directory\n",
        "made\n",
    ),
    Small {
        flags: &["/lib/x86_64-linux-gnu/libtinfo.so.6"],
        asks_for: &["/lib/terminfo/x/xterm"],
        ..small(
            "terminfo",
            r#"int setupterm(const char *, int, int *);
            int main(void) { int e; puts(setupterm("xterm", 1, &e) ? "Error opening terminal" : "opened"); }"#,
            "Error opening terminal\n",
            "opened\n",
        )
    },
    Small {
        flags: &["/usr/lib/x86_64-linux-gnu/libsasl2.so.2"],
        asks_for: &["/usr/lib/x86_64-linux-gnu/sasl2/libplain.so"],
        ..small(
            "sasl2",
            r#"int sasl_client_init(void *); const char **sasl_global_listmech(void);
            int main(void) { sasl_client_init(0); int n = 0; const char **m = sasl_global_listmech();
            while (m && m[n]) n++; puts(n > 1 ? "has some" : "No worthy mechs found"); }"#,
            "No worthy mechs found\n",
            "has some\n",
        )
    },
    small(
        "sh",
        r#"int main(void) { printf("system() returns %d\n", system("exit 7") >> 8); }"#,
        "system() returns 127\n",
        "system() returns 7\n",
    ),
    Small {
        asks_for: &["/usr/bin/echo"],
        ..small(
            "exec",
            r#"int main(void) { execl("/usr/bin/echo", "echo", "started", (char *)0); puts(strerror(errno)); }"#,
            "No such file or directory\n",
            "started\n",
        )
    },
    Small {
        asks_for: &[COMPRESSES],
        ..small(
            "dlopen-path",
            r#"int main(void) { puts(dlopen("/usr/lib/x86_64-linux-gnu/libz.so.1", RTLD_NOW) ? "opened" : dlerror()); }"#,
            CANNOT_OPEN,
            "opened\n",
        )
    },
    Small {
        asks_for: &[COMPRESSES],
        ..small(
            "dlopen-name",
            r#"int main(void) { puts(dlopen("libz.so.1", RTLD_NOW) ? "opened" : dlerror()); }"#,
            CANNOT_OPEN,
            "opened\n",
        )
    },
    Small {
        asks_for: &["/usr/lib/x86_64-linux-gnu/sasl2/libplain.so"],
        ..small(
            "dlopen-dir",
            r#"const char dir[] = "/usr/lib/x86_64-linux-gnu/sasl2";
            int main(void) { char s[99]; sprintf(s, "%s/%s.so", dir, "libplain"); puts(dlopen(s, RTLD_NOW) ? "opened" : dlerror()); }"#,
            CANNOT_OPEN,
            "opened\n",
        )
    },
];

const HEADERS: &str = "#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <dlfcn.h>
#include <locale.h>
#include <langinfo.h>
#include <iconv.h>
#include <pthread.h>
#include <pwd.h>
#include <netdb.h>
#include <time.h>
#include <unistd.h>";

/// It stands in a directory that is removed with it.
struct App {
    dir: tempfile::TempDir,
}

impl App {
    /// `None`: it cannot be built or entered here, or a file that it is about is missing.
    fn new(code: &str, flags: &[&str], asks_for: &[&str]) -> Option<App> {
        let is_able = rustix::process::geteuid().is_root()
            && Command::new("gcc").arg("--version").output().is_ok()
            && flags.iter().filter(|flag| flag.starts_with('/')).all(|path| Path::new(path).exists());
        if !is_able {
            need::skip("a program is built by gcc and entered by chroot, as root");
            return None;
        }
        if let Some(missing) = asks_for.iter().find(|path| !Path::new(path).exists()) {
            need::skip(&format!("this machine has no {missing}"));
            return None;
        }
        let dir = tempfile::tempdir().expect("a directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
        let source = dir.path().join("app.c");
        fs::write(&source, format!("{HEADERS}\n{code}")).expect("a source");
        let mut gcc = Command::new("gcc");
        gcc.arg("-w").arg(&source).arg("-o").arg(dir.path().join("app")).args(flags);
        let built = gcc.output().expect("gcc");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Some(App { dir })
    }

    fn dist(&self) -> PathBuf {
        self.dir.path().join("dist")
    }

    fn collect(&self, args: &[&str]) -> Output {
        if self.dist().exists() {
            fs::remove_dir_all(self.dist()).expect("each collection starts from nothing");
        }
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("depcollect"));
        command.arg(format!("{}:/app", self.dir.path().join("app").display()));
        command.args(["--mkdir", "/proc", "--mkdir", "/dev"]).args(args).arg(self.dist());
        command.env_remove("LD_LIBRARY_PATH").env_remove("SOURCE_DATE_EPOCH").output().expect("it runs")
    }

    fn says(&self, args: &[&str]) -> String {
        let collected = self.collect(args);
        let told = String::from_utf8_lossy(&collected.stderr).into_owned();
        assert_eq!(collected.status.code(), Some(0), "{told}");
        let ran = start_in(&self.dist(), Path::new("/app"), &[]);
        format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr))
    }

    /// In its closure alone, with the rule, and without that very rule.
    fn wrong(&self, row: &Small) -> Option<String> {
        let is_named = rules::all().iter().any(|rule| rule.id == row.rule && rule.action == Action::Suggest)
            || ["dlopen-name", "dlopen-dir"].contains(&row.rule);
        let by_itself: &[&str] = if is_named { &["--with", row.rule] } else { &[] };
        for args in [&["--needs", "off"][..], &["--needs", "warn"], &["--without", row.rule]] {
            let said = self.says(args);
            if !said.contains(row.fails) {
                return Some(format!("{}: {args:?}: {said}", row.rule));
            }
        }
        for args in [by_itself, &["--needs", "off", "--with", row.rule]] {
            let said = self.says(args);
            if !said.contains(row.works) || said.contains(row.fails) {
                return Some(format!("{}: {args:?}: {said}", row.rule));
            }
        }
        None
    }
}

#[test]
fn small_programs_work_with_what_their_rules_bring() {
    let wrong = |rows: &[Small]| -> Vec<String> {
        let app = |row: &Small| App::new(row.code, row.flags, row.asks_for)?.wrong(row);
        rows.iter().filter_map(app).collect()
    };
    let (one, other) = ALL.split_at(ALL.len() / 2);
    let wrong = std::thread::scope(|scope| {
        let other = scope.spawn(|| wrong(other));
        [wrong(one), other.join().expect("it ends")].concat()
    });
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), ALL.len(), wrong.join("\n"));
}

#[test]
fn one_who_is_named_stands_for_all() {
    let users = &ALL[1];
    let Some(app) = App::new(users.code, &[], &[]) else { return };
    assert_eq!(app.says(&["--user=app:1000"]), "root\n");
    assert!(fs::read_to_string(app.dist().join("etc/passwd")).unwrap().contains("app:x:1000:"));
}

#[test]
fn text_is_not_converted_by_a_program_that_names_no_character_set() {
    let code = "int main(int n, char **v) { return iconv_open(v[1], v[1]) == (iconv_t)-1; }";
    let Some(app) = App::new(code, &[], &[CONVERTS]) else { return };
    let told = String::from_utf8(app.collect(&["--dry-run"]).stderr).unwrap();
    let line = "note: gconv-all: not taken along (`--with gconv-all`); without it: iconv_open: Invalid argument, for other character sets\n";
    assert!(told.contains(line) && !told.contains("for run time"), "{told}");
}

/// The program itself says what it opens.
#[test]
fn a_note_is_followed() {
    let code = r#"__asm__(".pushsection .note.dlopen,\"a\",%note\n.p2align 2\n.long 4, 2f-1f, 0x407c0c0a\n.asciz \"FDO\"\n"
        "1: .asciz \"[{\\\"soname\\\":[\\\"libno.so\\\",\\\"libz.so.1\\\"]}]\"\n2: .p2align 2\n.popsection");
        int main(void) { puts(dlopen("libz.so.1", RTLD_NOW) ? "opened" : dlerror()); }"#;
    let Some(app) = App::new(code, &[], &[COMPRESSES]) else { return };
    for args in [&["--needs", "off"][..], &["--dlopen", "none"]] {
        let said = app.says(args);
        assert!(said.contains(CANNOT_OPEN), "{args:?}: {said}");
    }
    assert_eq!(app.says(&[]), "opened\n");
}
