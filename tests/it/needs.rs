//! What programs open at run time: each rule is shown to be needed, by a program
//! that fails in its closure alone, and to be enough, by the same one with what
//! the rule brings. The words of a failure are those by which people search.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::cli::Bench;
use crate::need;
use crate::starts::start_in;

/// A program built here, with the libraries of this machine.
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
        fs::write(&source, format!("#define _GNU_SOURCE\n{HEADERS}\n{code}")).expect("a source");
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
        eprintln!("{told}");
        let ran = start_in(&self.dist(), Path::new("/app"), &[]);
        format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr))
    }

    /// What it says in its closure alone, with a rule, and without that very rule.
    #[track_caller]
    fn shows(&self, rule: &str, fails: &str, works: &str) {
        for args in [&["--needs", "off"][..], &["--needs", "warn"], &["--without", rule]] {
            let said = self.says(args);
            assert!(said.contains(fails), "{args:?}: {said}");
        }
        for args in [&[][..], &["--needs", "off", "--with", rule]] {
            let said = self.says(args);
            assert!(said.contains(works) && !said.contains(fails), "{args:?}: {said}");
        }
    }
}

const HEADERS: &str = "#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <locale.h>
#include <langinfo.h>
#include <iconv.h>
#include <pthread.h>
#include <pwd.h>
#include <netdb.h>";

macro_rules! app {
    ($code:expr, $flags:expr, $asks_for:expr) => {
        match App::new($code, $flags, $asks_for) {
            Some(app) => app,
            None => return,
        }
    };
}

#[test]
fn t7_a_thread_ends_with_libgcc_s() {
    let app = app!(
        "void *end(void *x) { pthread_exit(x); }
        int main(void) { pthread_t t; pthread_create(&t, 0, end, 0); pthread_join(t, 0); puts(\"joined\"); }",
        &["-pthread"],
        &[]
    );
    app.shows("gccs", "libgcc_s.so.1 must be installed for pthread_exit to work", "joined");
}

#[test]
fn t8_users_are_known() {
    let app = app!(
        "int main(void) { struct passwd *p = getpwuid(0); puts(p ? p->pw_name : \"uid not found: 0\"); }",
        &[],
        &[]
    );
    app.shows("users", "uid not found: 0", "root\n");
    // One who is named stands for all.
    let said = app.says(&["--user=app:1000"]);
    assert_eq!(said, "root\n");
    assert!(fs::read_to_string(app.dist().join("etc/passwd")).unwrap().contains("app:x:1000:"));
}

#[test]
fn services_have_names() {
    let app = app!(
        "int main(void) { struct servent *s = getservbyname(\"https\", \"tcp\");
        if (s) printf(\"port %d\\n\", ntohs(s->s_port)); else puts(\"Servname not supported\"); }",
        &[],
        &["/etc/services"]
    );
    app.shows("services", "Servname not supported", "port 443\n");
}

#[test]
fn t11_tls_trusts_somebody() {
    let app = app!(
        "void *SSL_CTX_new(void *); void *TLS_client_method(void); void *SSL_CTX_get_cert_store(void *);
        int SSL_CTX_set_default_verify_paths(void *); void *X509_STORE_get0_objects(void *);
        int OPENSSL_sk_num(void *);
        int main(void) { void *c = SSL_CTX_new(TLS_client_method()); SSL_CTX_set_default_verify_paths(c);
        int n = OPENSSL_sk_num(X509_STORE_get0_objects(SSL_CTX_get_cert_store(c)));
        puts(n > 0 ? \"trusts\" : \"trusts nobody\"); }",
        &["/usr/lib/x86_64-linux-gnu/libssl.so.3", "/usr/lib/x86_64-linux-gnu/libcrypto.so.3"],
        &["/etc/ssl/certs/ca-certificates.crt"]
    );
    app.shows("tls", "trusts nobody\n", "trusts\n");
}

#[test]
fn t12_text_is_converted() {
    let app = app!(
        "int main(int n, char **v) { char s[20]; sprintf(s, \"ISO-8859-%d\", n); iconv_t c = iconv_open(\"UTF-8\", s);
        puts(c == (iconv_t)-1 ? strerror(errno) : \"converts\"); }",
        &[],
        &["/usr/lib/x86_64-linux-gnu/gconv"]
    );
    app.shows("gconv", "Invalid argument\n", "converts\n");
}

#[test]
fn a_character_set_that_is_named_is_converted() {
    let app = app!(
        "int main(void) { iconv_t c = iconv_open(\"UTF-8\", \"EUC-JP\");
        puts(c == (iconv_t)-1 ? strerror(errno) : \"converts\"); }",
        &[],
        &["/usr/lib/x86_64-linux-gnu/gconv"]
    );
    app.shows("charsets", "Invalid argument\n", "converts\n");
    assert!(!app.dist().join("usr/lib/x86_64-linux-gnu/gconv/UTF-16.so").exists());
}

#[test]
fn a_time_zone_that_is_named_is_there() {
    let app = app!(
        "#include <time.h>
        int main(void) { setenv(\"TZ\", \"Asia/Tokyo\", 1); time_t t = 0; puts(localtime(&t)->tm_hour == 9 ? \"nine\" : \"midnight\"); }",
        &[],
        &["/usr/share/zoneinfo/Asia/Tokyo"]
    );
    app.shows("zones", "midnight\n", "nine\n");
}

#[test]
fn text_is_not_converted_by_a_program_that_names_no_character_set() {
    let app = app!(
        "int main(int n, char **v) { return iconv_open(v[1], v[1]) == (iconv_t)-1; }",
        &[],
        &["/usr/lib/x86_64-linux-gnu/gconv"]
    );
    let told = String::from_utf8(app.collect(&["--dry-run"]).stderr).unwrap();
    let line = "note: gconv-all: not taken along (`--with gconv-all`); without it: iconv_open: Invalid argument, for other character sets\n";
    assert!(told.contains(line) && !told.contains("for run time"), "{told}");
}

#[test]
fn a_locale_of_many_characters_is_there() {
    let app = app!(
        "int main(void) { char *l = setlocale(LC_ALL, \"C.UTF-8\"); puts(l ? nl_langinfo(CODESET) : \"no locale\"); }",
        &[],
        &["/usr/lib/locale/C.utf8"]
    );
    app.shows("utf8", "no locale\n", "UTF-8\n");
}

#[test]
fn a_place_for_temporary_files_is_there() {
    let app = app!(
        "int main(void) { char name[] = \"/tmp/fXXXXXX\"; puts(mkstemp(name) < 0 ? strerror(errno) : \"made\"); }",
        &[],
        &[]
    );
    app.shows("tmp", "No such file or directory\n", "made\n");
}

#[test]
fn a_terminal_can_be_opened() {
    let app = app!(
        "int setupterm(const char *, int, int *);
        int main(void) { int e; puts(setupterm(\"xterm\", 1, &e) ? \"Error opening terminal\" : \"opened\"); }",
        &["/lib/x86_64-linux-gnu/libtinfo.so.6"],
        &["/lib/terminfo/x/xterm"]
    );
    app.shows("terminfo", "Error opening terminal\n", "opened\n");
}

#[test]
fn sasl_has_mechanisms() {
    let app = app!(
        "int sasl_client_init(void *); const char **sasl_global_listmech(void);
        int main(void) { sasl_client_init(0); int n = 0; const char **m = sasl_global_listmech();
        while (m && m[n]) n++; puts(n > 1 ? \"has some\" : \"No worthy mechs found\"); }",
        &["/usr/lib/x86_64-linux-gnu/libsasl2.so.2"],
        &["/usr/lib/x86_64-linux-gnu/sasl2/libplain.so"]
    );
    app.shows("sasl2", "No worthy mechs found\n", "has some\n");
}

#[test]
fn a_library_that_is_named_by_its_whole_path_comes_along() {
    let app = app!(
        "#include <dlfcn.h>
        int main(void) { puts(dlopen(\"/usr/lib/x86_64-linux-gnu/libz.so.1\", RTLD_NOW) ? \"opened\" : dlerror()); }",
        &[],
        &["/usr/lib/x86_64-linux-gnu/libz.so.1"]
    );
    let said = app.says(&["--needs", "off"]);
    assert!(said.contains("libz.so.1: cannot open shared object file: No such file or directory"), "{said}");
    assert_eq!(app.says(&[]), "opened\n");
}

/// Rules on small roots: what sets one off, and what does not.
const WORLD: &str = "
/app: PROG; NEEDED libssl.so.3 libk.so.1 libsasl2.so.2; CALL getpwuid
/lib/x86_64-linux-gnu/libssl.so.3: SONAME libssl.so.3
/lib/x86_64-linux-gnu/libk.so.1: SONAME libk.so.1; CALL pthread_exit getgrnam mkstemp
/lib/x86_64-linux-gnu/libsasl2.so.2: SONAME libsasl2.so.2
/lib/x86_64-linux-gnu/libgcc_s.so.1: SONAME libgcc_s.so.1
/lib/x86_64-linux-gnu/sasl2/libgood.so: NEEDED libssl.so.3
/lib/x86_64-linux-gnu/sasl2/libbad.so: NEEDED libno.so
/etc/ssl/openssl.cnf \"of\\sthe\\sroot\"
/own.cnf \"own\"
/plain: PROG; NEEDED libk.so.1
";

fn said(args: &[&str]) -> String {
    let words = ["collect", "--dry-run", "--allow-missing"].into_iter().chain(args.iter().copied());
    Bench::of(WORLD).says(&words.chain(["dist"]).collect::<Vec<_>>())
}

/// The entries that are there for a rule: path and rule.
pub fn by_rules(said: &str) -> Vec<String> {
    let lines = said.lines().filter(|line| line.starts_with('/'));
    let rule = |line: &str| {
        let (before, _) = line.split_once(", because of ")?;
        Some(format!("{} {}", line.split(' ').next()?, before.rsplit(' ').next()?))
    };
    lines.filter_map(rule).collect()
}

#[test]
fn a_rule_is_set_off_by_what_it_names() {
    let expected = [
        "/etc/group users",
        "/etc/passwd users",
        "/etc/ssl/openssl.cnf openssl",
        "/lib/x86_64-linux-gnu/libgcc_s.so.1 gccs",
        "/lib/x86_64-linux-gnu/sasl2/libgood.so sasl2",
        "/tmp/ tmp",
    ];
    let all = said(&["/app"]);
    assert_eq!(by_rules(&all), expected, "{all}");
    assert!(all.contains("gccs, because of pthread_exit in /lib/x86_64-linux-gnu/libk.so.1"), "{all}");
    assert!(all.contains("libbad.so: left out: "), "{all}");
    // libssl is what a rule is set off by, and what another one's module loads.
    let line = "depcollect: for run time: 5 files, ";
    let rules = ", by the rules gccs, users, tmp, openssl, sasl2; COPY over a base replaces its /etc/group, /etc/passwd\n";
    assert!(all.contains(line) && all.contains(rules), "{all}");
    // A library asks for groups: that is not the program's own concern.
    let plain = said(&["/plain"]);
    assert_eq!(by_rules(&plain), ["/lib/x86_64-linux-gnu/libgcc_s.so.1 gccs", "/tmp/ tmp"], "{plain}");
}

#[test]
fn rules_can_be_chosen() {
    for args in [["--needs", "off"], ["--needs", "warn"]] {
        let none = said(&["/app", args[0], args[1]]);
        assert_eq!(by_rules(&none), [""; 0], "{none}");
        assert_eq!(none.contains("gccs"), args[1] == "warn", "{none}");
    }
    let one = said(&["/app", "--needs", "off", "--with", "gccs"]);
    assert_eq!(by_rules(&one), ["/lib/x86_64-linux-gnu/libgcc_s.so.1 gccs"], "{one}");
    let others = said(&["/app", "--without", "gccs", "--without", "users", "--without=sasl2"]);
    assert_eq!(by_rules(&others), ["/etc/ssl/openssl.cnf openssl", "/tmp/ tmp"], "{others}");
    let unasked = said(&["/plain", "--with", "magic"]);
    assert!(unasked.contains("warning: --with: no program sets off the rule `magic`"), "{unasked}");
    let unknown = said(&["/app", "--with", "nothing"]);
    assert!(
        unknown.contains(
            "cannot use the rule `nothing`: there is none of that name\nhint: the rules are gccs, "
        )
    );
    assert!(unknown.contains("-- 2\n"), "{unknown}");
    let unknown = Bench::of(WORLD).says(&["needs", "--with", "nothing", "/app", "/plain"]);
    let words = "-- 2\ndepcollect: error: cannot use the rule `nothing`: there is none of that name\nhint: the rules are gccs, ";
    assert!(unknown.starts_with(words) && unknown.lines().count() == 3, "{unknown}");
    let hint = "\nhint: `--dlopen none|required|recommended|suggested` chooses that\n";
    for option in ["--with", "--without"] {
        let dlopen = Bench::of(WORLD).says(&["needs", option, "dlopen", "/app"]);
        assert!(dlopen.ends_with(hint), "{dlopen}");
    }
    let unasked = Bench::of(WORLD).says(&["needs", "--with", "magic", "/plain"]);
    assert!(unasked.starts_with("/plain\n") && unasked.ends_with("-- 0\n"), "{unasked}");
}

/// The words of the failure are the same whatever the program starts or opens.
#[test]
fn a_suggestion_says_what_it_is_about() {
    let world = "
        /app: PROG; CALL execve krb5_init_context; TEXT /usr/bin/less; DLOPEN [{\"soname\":[\"liba.so\"]},{\"soname\":[\"libb.so\"],\"priority\":\"suggested\",\"description\":\"things\"}]
        /usr/bin/less: PROG
        /etc/krb5.conf \"x\"
        /lib/x86_64-linux-gnu/liba.so: SONAME liba.so
        /lib/x86_64-linux-gnu/libb.so: SONAME libb.so";
    let said = Bench::of(world).says(&["--dry-run", "--dlopen", "required", "/app", "dist"]);
    let notes: Vec<&str> = said.lines().filter(|line| line.contains(": not taken along (")).collect();
    let expected = "\
depcollect: note: exec: /usr/bin/less beside execve in /app: not taken along (`--with exec`); without it: No such file or directory, for a program that it starts
depcollect: note: krb5: krb5_init_context in /app: not taken along (`--with krb5`); without it: Cannot find KDC for realm
depcollect: note: dlopen: liba.so in /app: not taken along (`--dlopen recommended`)
depcollect: note: dlopen: libb.so in /app: not taken along (`--dlopen suggested`); for: things";
    assert_eq!(notes.join("\n"), expected, "{said}");
}

#[test]
fn what_an_option_brings_no_rule_brings() {
    let world = format!("{WORLD}/tz: PROG; CALL tzset getpwuid\n/usr/share/zoneinfo/UTC \"TZif2\"\n");
    let say = |args: &[&str]| Bench::of(&world).says(&[&["--dry-run"], args, &["/tz", "dist"]].concat());
    let rules = say(&[]);
    let line =
        "note: tz: not taken along (`--tz`); without it: another time zone than UTC is taken for UTC\n";
    assert!(rules.contains(line) && rules.contains("users, because"), "{rules}");
    let options = say(&["--tz=UTC", "--user"]);
    assert!(options.contains("-- 0\n") && !options.contains("because of"), "{options}");
}

#[test]
fn what_somebody_names_goes_before_a_rule() {
    let own = said(&["/app", "--include", "/own.cnf:/etc/ssl/openssl.cnf"]);
    assert!(own.contains("-- 0\n") && !by_rules(&own).iter().any(|line| line.contains("openssl")), "{own}");
    let link = said(&["/app", "--symlink", "/etc/passwd=/data/passwd"]);
    assert!(link.contains("-- 0\n") && link.contains("/etc/passwd -> /data/passwd"), "{link}");
    let excluded =
        said(&["/app", "--exclude", "/lib/x86_64-linux-gnu/libgcc_s.so.1", "--exclude", "/etc/passwd"]);
    assert!(!excluded.contains("/etc/passwd ") && !excluded.contains("gccs"), "{excluded}");
}

#[test]
fn a_library_that_only_the_cache_knows_gets_a_link() {
    let world = "/app: PROG; CALL pthread_exit
/opt/x/libgcc_s.so.1: SONAME libgcc_s.so.1
conf: /opt/x";
    let said = Bench::of(world).says(&["--dry-run", "/app", "dist"]);
    let expected = ["/lib/x86_64-linux-gnu/libgcc_s.so.1 gccs", "/opt/x/libgcc_s.so.1 gccs"];
    assert_eq!(by_rules(&said), expected, "{said}");
    let link = "/lib/x86_64-linux-gnu/libgcc_s.so.1 -> /opt/x/libgcc_s.so.1 ";
    assert!(said.contains(link) && said.contains("-- 0\n"), "{said}");
    // One that lies where the loader looks without a cache goes first.
    let both = format!("{world}\n/usr/lib/libgcc_s.so.1: SONAME libgcc_s.so.1");
    let said = Bench::of(&both).says(&["--dry-run", "/app", "dist"]);
    assert_eq!(by_rules(&said), ["/usr/lib/libgcc_s.so.1 gccs"], "{said}");
}
