//! Modules that configuration names, and data that texts of a program name: what
//! of a small root comes along.

use crate::cli::Bench;
use crate::needrules::{check, check_musl};

/// A program that loads a library, which has files.
fn world(soname: &str, files: &str) -> String {
    format!("/app: PROG; NEEDED {soname}\nLIB/{soname}: SONAME {soname}\n{files}")
}

#[test]
fn a_configuration_brings_the_modules_that_it_names() {
    for (soname, files, expected) in [
        (
            "libvulkan.so.1",
            "/usr/share/vulkan/icd.d/a.json \"{\\x22ICD\\x22:{\\x22library_path\\x22:\\x22libvk.so.1\\x22}}\"
             /etc/vulkan/icd.d/b.json \"{\\x22ICD\\x22:{\\x22library_path\\x22:\\x22../drivers/b.so\\x22}}\"
             LIB/libvk.so.1: SONAME libvk.so.1
             LIB/libvk_other.so: SONAME libvk_other.so
             /etc/vulkan/drivers/b.so: SONAME b.so",
            "vulkan Suggest: libvk.so.1 /etc/vulkan/icd.d/../drivers/b.so \
             /usr/share/vulkan/icd.d/a.json /etc/vulkan/icd.d/b.json",
        ),
        (
            "libOpenCL.so.1",
            "/etc/OpenCL/vendors/p.icd \"libpocl.so.2.10.0\\n\"
             /opt/libpocl.so.2.10.0: SONAME libpocl.so.2
             LIB/libpocl.so.2.10.0: SONAME libpocl.so.2",
            "opencl Suggest: libpocl.so.2.10.0 /etc/OpenCL/vendors/p.icd",
        ),
        (
            "libodbc.so.2",
            "/etc/odbcinst.ini \"[Pg]\\nDriver\\s=\\spg.so\\n[My]\\nDriver=/opt/my.so\\n\"
             LIB/odbc/pg.so: NEEDED libno.so
             LIB/odbc/other.so: NEEDED libno.so
             /opt/my.so: SONAME my.so",
            "odbc Suggest: odbc/pg.so /opt/my.so /etc/odbcinst.ini",
        ),
        (
            "libgdk_pixbuf-2.0.so.0",
            "LIB/gdk-pixbuf-2.0/2.10.0/loaders.cache \"#\\n\\x22/opt/svg.so\\x22\\n\\x22svg\\x22\\s1\\n\"
             /opt/svg.so: SONAME svg.so
             /usr/share/mime/mime.cache \"x\"",
            "mime Collect: /usr/share/mime/mime.cache
             pixbuf Suggest: /opt/svg.so gdk-pixbuf-2.0/2.10.0/loaders.cache",
        ),
        (
            "libpam.so.0",
            "/etc/pam.d/app \"@include\\scommon\\nauth\\srequired\\spam_a.so\\n-auth\\soptional\\spam_no.so\\n\"
             /etc/pam.d/app-l \"auth\\ssubstack\\sapp\\n\"
             /etc/pam.d/apple \"auth\\srequired\\spam_c.so\\n\"
             /etc/pam.d/common \"@include\\sapp\\nauth\\s[a=1\\sb=2]\\spam_b.so\\n\"
             LIB/security/pam_a.so: SONAME a
             LIB/security/pam_b.so: SONAME b
             LIB/security/pam_c.so: SONAME c",
            "pam Suggest: security/pam_b.so security/pam_a.so /etc/pam.d/app /etc/pam.d/common /etc/pam.d/app-l",
        ),
        (
            "libssl.so.3",
            "/etc/ssl/openssl.cnf \"openssl_conf=i\\n.include\\s/etc/ssl/x\\n.include\\s/etc/ssl/openssl.cnf\\n[i]\\nproviders=l\\n\"
             /etc/ssl/x/a.cnf \"[l]\\nlegacy=s\\n\"
             /etc/ssl/x/b.cnf \"[s]\\nactivate=1\\n\"
             LIB/ossl-modules/legacy.so: SONAME l
             LIB/ossl-modules/other.so: SONAME o",
            "tls Collect: no-data
             openssl Collect: /etc/ssl/openssl.cnf ossl-modules/legacy.so /etc/ssl/x/a.cnf /etc/ssl/x/b.cnf",
        ),
        // Two paths of one file: what is wrong in it is said once.
        (
            "libssl.so.3",
            "/etc/ssl/openssl.cnf \".include\\s/none\\n\"
             /usr/lib/ssl/openssl.cnf -> /etc/ssl/openssl.cnf",
            "tls Collect: no-data
             openssl Collect: /usr/lib/ssl/openssl.cnf /etc/ssl/openssl.cnf config",
        ),
    ] {
        check("2.36", &world(soname, files), expected);
    }
}

#[test]
fn services_are_taken_on_request() {
    let files = "/etc/nsswitch.conf \"passwd:\\sfiles\\ssystemd\\ssss\\nhosts:\\sfiles\\sdns\\n\"
        LIB/libnss_sss.so.2: SONAME libnss_sss.so.2
        LIB/libnss_systemd.so.2: SONAME libnss_systemd.so.2";
    let app = "/app: PROG; CALL getpwnam";
    let users = "users Collect: /etc/passwd /etc/group";
    let sss = "nss-modules Suggest: libnss_sss.so.2 /etc/nsswitch.conf";
    check("2.36", &format!("{app}\n{files}"), &format!("{users}\n{sss}"));
    // Nobody is reminded of daemons of a machine.
    let local = files.replace("\\ssss", "");
    check("2.36", &format!("{app}\n{local}"), users);
}

#[test]
fn services_that_are_asked_for_are_those_of_the_root() {
    let world = "no-loader
        /lib64/ld-linux-x86-64.so.2: SONAME ld-linux-x86-64.so.2; GLIBC 2.31-1 Debian /lib/; EXPORT x
        /app: PROG; CALL getaddrinfo
        /etc/nsswitch.conf \"hosts:\\sfiles\\smdns\\n\"
        /lib/libnss_mdns.so.2: SONAME libnss_mdns.so.2";
    let say = |args: &[&str]| Bench::of(world).says(&[args, &["--dry-run", "/app", "dist"]].concat());
    let made = say(&[]);
    assert!(made.contains(" B  nsswitch, because of ") && !made.contains("/libnss_mdns.so.2 "), "{made}");
    let asked = say(&["--with", "nss-modules"]);
    assert!(asked.contains("/lib/libnss_mdns.so.2 ") && asked.contains("-- 0\n"), "{asked}");
    assert!(asked.contains("/etc/nsswitch.conf ") && !asked.contains(" nsswitch, because of "), "{asked}");
}

/// musl has character sets, locales and name services built in.
#[test]
fn musl_needs_less() {
    let world = "/app: PROG; NEEDED libpam.so.0; CALL iconv_open setlocale getpwnam getaddrinfo tzset; \\
        TEXT Europe/Berlin de_DE.UTF-8 EUC-JP UTF-16
        /usr/lib/libpam.so.0: SONAME libpam.so.0
        /lib/security/pam_a.so: SONAME a
        /etc/pam.d/app \"auth\\srequired\\spam_a.so\\n\"
        /etc/nsswitch.conf \"passwd:\\ssss\\n\"
        /usr/lib/libnss_sss.so.2: SONAME s
        /usr/lib/gconv/gconv-modules \"module\\sEUC-JP//\\sINTERNAL\\sEUC-JP\\s1\\n\"
        /usr/lib/gconv/EUC-JP.so: SONAME e
        /usr/lib/locale/de_DE.utf8/LC_CTYPE \"x\"
        /usr/share/zoneinfo/Europe/Berlin \"TZif2\""
        .replace("\\\n        ", "");
    check_musl(
        &world,
        "users Collect: /etc/passwd /etc/group
         zones Collect: /usr/share/zoneinfo/Europe/Berlin
         tz Suggest: /usr/share/zoneinfo
         pam Suggest: /lib/security/pam_a.so /etc/pam.d/app",
    );
}

/// What is linked for one function of many does not bring what the others need.
#[test]
fn who_merely_links_a_library_gets_no_half_of_a_system() {
    let files = "LIB/libglib-2.0.so.0: SONAME libglib-2.0.so.0; CALL pthread_exit getpwnam iconv_open setlocale localtime mkstemp execve
        LIB/libgio-2.0.so.0: SONAME libgio-2.0.so.0; CALL getaddrinfo dlopen g_settings_new; TEXT /lib/x86_64-linux-gnu/gio/modules
        LIB/libkrb5.so.3: SONAME libkrb5.so.3; CALL getaddrinfo getservbyname getpwnam dlopen; TEXT /lib/x86_64-linux-gnu/krb5/plugins/preauth
        LIB/libgcc_s.so.1: SONAME libgcc_s.so.1
        LIB/gio/modules/libgiognutls.so: SONAME g
        LIB/krb5/plugins/preauth/spake.so: SONAME s
        LIB/gconv/UTF-16.so: SONAME u
        /etc/krb5.conf \"x\"
        /etc/services \"x\"
        /usr/lib/locale/C.utf8/LC_CTYPE \"x\"
        /usr/share/glib-2.0/schemas/gschemas.compiled \"x\"
        /usr/share/zoneinfo/Europe/Berlin \"TZif2\"";
    check(
        "2.36",
        &format!("/app: PROG; NEEDED libglib-2.0.so.0 libgio-2.0.so.0 libkrb5.so.3\n{files}"),
        "gccs Collect: libgcc_s.so.1
         tmp Collect: /tmp
         gio Suggest: gio/modules
         dlopen-dir Suggest: krb5/plugins/preauth",
    );
    check(
        "2.36",
        &format!("/app: PROG; NEEDED libkrb5.so.3\n{files}"),
        "dlopen-dir Suggest: krb5/plugins/preauth",
    );
}

/// What sets a rule off may say little, and what it wants may not be for an image.
#[test]
fn some_rules_take_nothing_by_themselves() {
    let bus = "/app: PROG; CALL dbus_bus_get\n/etc/machine-id \"x\"";
    check("2.36", bus, "machine-id Suggest: suggest");
    let hosts = "/app: PROG; CALL getaddrinfo\nLIB/libidn2.so.0: SONAME libidn2.so.0";
    check("2.36", hosts, "");
    let world = format!(
        "no-loader\n/lib64/ld-linux-x86-64.so.2: SONAME ld-linux-x86-64.so.2; GLIBC 2.36-1 Debian /lib/; EXPORT x\n{}",
        hosts.replace("LIB", "/lib")
    );
    let said = Bench::of(&world).says(&["--with", "idn", "--dry-run", "/app", "dist"]);
    assert!(said.contains("idn, because of getaddrinfo in /app"), "{said}");
}

#[test]
fn a_server_brings_the_modules_that_it_loads() {
    let files = "/etc/nginx/nginx.conf \"include\\smodules-enabled/*.conf;\\nhttp\\s{\\n\\sinclude\\smime.types;\\n}\\n\"
        /etc/nginx/mime.types \"types\\s{}\"
        /etc/nginx/modules-enabled/1.conf -> /usr/share/nginx/modules-available/1.conf
        /usr/share/nginx/modules-available/1.conf \"load_module\\smodules/a.so;\"
        /usr/share/nginx/modules -> ../../lib/nginx/modules
        /usr/lib/nginx/modules/a.so: SONAME a
        /usr/lib/nginx/modules/b.so: SONAME b";
    let app = "/app: PROG; CALL dlopen; TEXT /etc/nginx/nginx.conf";
    let expected = "nginx Suggest: /usr/share/nginx/modules/a.so /etc/nginx/nginx.conf \
        /etc/nginx/modules-enabled/1.conf /etc/nginx/mime.types /etc/nginx /usr/share/nginx/modules-available";
    check("2.36", &format!("{app}\n{files}"), expected);
    check("2.36", &format!("/app: PROG; CALL dlopen\n{files}"), "");
}

/// The warnings of a run, each with its file and line.
fn warnings(world: &str, rule: &str) -> String {
    let said = Bench::of(world).says(&["--needs", "off", "--with", rule, "--dry-run", "/app", "dist"]);
    assert!(said.contains("-- 0\n"), "{said}");
    let lines = said.lines().filter(|line| line.contains("warning: "));
    lines.map(|line| line.split("warning: ").nth(1).unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_malformed_is_named_and_the_rest_goes_on() {
    let lib = "/lib/x86_64-linux-gnu";
    for (soname, rule, files, expected) in [
        (
            "libvulkan.so.1",
            "vulkan",
            "/etc/vulkan/icd.d/a.json \"{\\n\\s\\x22ICD\\x22:\\n}\"
             /etc/vulkan/icd.d/b.json \"{\\x22ICD\\x22:{\\x22library_path\\x22:\\x22libvk.so.1\\x22}}\"
             /etc/vulkan/icd.d/c.json |
             LIB/libvk.so.1: SONAME libvk.so.1",
            "/etc/vulkan/icd.d/c.json: it is no regular file\n/etc/vulkan/icd.d/a.json:3: it is no JSON",
        ),
        (
            "libodbc.so.2",
            "odbc",
            "/etc/odbcinst.ini \"[a]\\nDriver=no.so\\nword\\nDriver=a.so\\n\"\nLIB/odbc/a.so: SONAME a",
            "/etc/odbcinst.ini:2: the root has no no.so, which it names\n\
             /etc/odbcinst.ini:3: neither a [section] nor KEY = VALUE",
        ),
        (
            "libpam.so.0",
            "pam",
            "/etc/pam.d/app \"author\\sx\\sy\\n@include\\sno\\nauth\\srequired\\sa.so\\n\"\nLIB/security/a.so: SONAME a",
            "/etc/pam.d/app:2: it includes no, which is not there\n\
             /etc/pam.d/app:1: it starts with no type of PAM",
        ),
    ] {
        let world = world(soname, files).replace("LIB/", &format!("{lib}/"));
        assert_eq!(warnings(&world, rule), expected, "{files}");
    }
}

/// A stack of PAM that requires what is not there, and one line that is none.
const STACK: &str = "/app: PROG; NEEDED libpam.so.0
    LIB/libpam.so.0: SONAME libpam.so.0
    LIB/security/pam_a.so: SONAME a
    /etc/pam.d/app \"author\\sx\\sy\\nauth\\srequired\\spam_a.so\\nauth\\soptional\\spam_b.so\\nauth\\srequired\\spam_no.so\\n\"";

#[test]
fn a_module_that_is_required_is_an_error_where_it_is_taken() {
    let world = STACK.replace("LIB/", "/lib/x86_64-linux-gnu/");
    let with_release = |id: &str| format!("{world}\n/etc/os-release \"ID={id}\"");
    let said =
        |world: &str, args: &[&str]| Bench::of(world).says(&[args, &["--dry-run", "/app", "dist"]].concat());
    for (id, command) in [
        ("debian", "apt-file search /pam_no.so"),
        ("rocky\\nID_LIKE=fedora", "dnf provides '*/pam_no.so'"),
        ("opensuse", "zypper search --file-list pam_no.so"),
        ("arch", "pacman -F pam_no.so"),
    ] {
        let said = said(&with_release(id), &["--with", "pam"]);
        let words = format!(
            "error: pam_no.so: the root has none, and /etc/pam.d/app:4 requires it\n\
             hint: `{command}` names the package that has it, for the build stage; `--include` places a file\n"
        );
        assert!(said.contains(&words) && said.contains("-- 1\n"), "{said}");
    }
    let line = "warning: /etc/pam.d/app:3: the root has no pam_b.so, which it names\n";
    let placed =
        said(&world, &["--with", "pam", "--include", "/app:/lib/x86_64-linux-gnu/security/pam_no.so"]);
    assert!(
        placed.contains("-- 0\n") && !placed.contains("pam_no.so: ") && placed.contains(line),
        "{placed}"
    );
    let allowed = said(&world, &["--with", "pam", "--allow-missing"]);
    assert!(
        allowed.contains("-- 0\n") && allowed.contains("warning: pam_no.so: the root has none"),
        "{allowed}"
    );
}

/// What is only suggested was read as well.
#[test]
fn what_is_malformed_is_named_whether_it_is_taken_or_not() {
    let world = STACK.replace("LIB/", "/lib/x86_64-linux-gnu/");
    let lines = [
        "warning: /etc/pam.d/app:1: it starts with no type of PAM\n",
        "warning: /etc/pam.d/app:3: the root has no pam_b.so, which it names\n",
        "warning: pam_no.so: the root has none, and /etc/pam.d/app:4 requires it\n",
    ];
    for args in [&["needs", "/app"][..], &["--dry-run", "/app", "dist"]] {
        let said = Bench::of(&world).says(args);
        assert!(said.contains("-- 0\n") && lines.iter().all(|line| said.contains(line)), "{said}");
    }
    // Of one file all lines are wrong, of the other one is.
    for (cache, count) in [("word\\n", 1), ("word\\n\\n\\x22/opt/svg.so\\x22\\n", 1)] {
        let world = format!(
            "/app: PROG; NEEDED libgdk_pixbuf-2.0.so.0\n/opt/svg.so: SONAME s\n\
             /lib/x86_64-linux-gnu/libgdk_pixbuf-2.0.so.0: SONAME libgdk_pixbuf-2.0.so.0\n\
             /lib/x86_64-linux-gnu/gdk-pixbuf-2.0/2.10.0/loaders.cache \"{cache}\""
        );
        let said = Bench::of(&world).says(&["needs", "/app"]);
        assert_eq!(said.matches("loaders.cache:1: it is no path of a loader\n").count(), count, "{said}");
    }
}

#[test]
fn of_many_wrong_lines_there_is_a_count() {
    let world = world("libodbc.so.2", &format!("/etc/odbcinst.ini \"{}\"", "word\\n".repeat(20)))
        .replace("LIB/", "/lib/x86_64-linux-gnu/");
    let said = warnings(&world, "odbc");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 9, "{said}");
    assert_eq!(lines[7], "/etc/odbcinst.ini:8: neither a [section] nor KEY = VALUE");
    assert_eq!(lines[8], "/etc/odbcinst.ini: 12 more lines are as wrong, or name what is not there");
}

#[test]
fn a_text_names_data() {
    let gconv = "LIB/gconv/gconv-modules \"alias\\sSJIS//\\sMS_KANJI//\\nmodule\\sMS_KANJI//\\sINTERNAL\\sSJIS\\s1\\nmodule\\sEUC-JP//\\sINTERNAL\\sEUC-JP\\s1\\n\"
        LIB/gconv/SJIS.so: SONAME s
        LIB/gconv/EUC-JP.so: SONAME e";
    let all = "gconv-all Suggest: gconv";
    for (app, files, expected) in [
        (
            "CALL localtime; TEXT Europe/Berlin Europe/Nowhere Cuba",
            "/usr/share/zoneinfo/Europe/Berlin \"TZif2\"\n/usr/share/zoneinfo/Cuba \"TZif2\"",
            "zones Collect: /usr/share/zoneinfo/Europe/Berlin\ntz Suggest: /usr/share/zoneinfo",
        ),
        // Without tzset it may mean anything.
        ("TEXT Europe/Berlin", "/usr/share/zoneinfo/Europe/Berlin \"TZif2\"", ""),
        (
            "CALL setlocale; TEXT de_DE.UTF-8 fr_FR.UTF-8",
            "/usr/lib/locale/de_DE.utf8/LC_CTYPE \"x\"\n/usr/lib/locale/C.utf8/LC_CTYPE \"x\"",
            "utf8 Collect: /usr/lib/locale/C.utf8 paste\nlocales Collect: /usr/lib/locale/de_DE.utf8",
        ),
        (
            "CALL iconv_open; TEXT sjis//TRANSLIT UTF-8",
            gconv,
            &format!("charsets Collect: gconv/SJIS.so gconv/gconv-modules\n{all}"),
        ),
        ("CALL iconv_open; TEXT an\\sEUC-JP", gconv, all),
        (
            "CALL execve; TEXT /usr/bin/tool /usr/bin/none /etc",
            "/usr/bin/tool: PROG\nmode /usr/bin/tool 755\n/etc/x \"x\"",
            "exec Suggest: /usr/bin/tool",
        ),
    ] {
        check("2.36", &format!("/app: PROG; {app}\n{files}"), expected);
    }
}

/// Who holds many names holds a table.
#[test]
fn a_table_names_nothing() {
    let zones = (0..9).map(|n| format!("Area/Z{n}")).collect::<Vec<_>>();
    let files =
        zones.iter().map(|zone| format!("/usr/share/zoneinfo/{zone} \"TZif2\"\n")).collect::<String>();
    let app = |n: usize| format!("/app: PROG; CALL tzset; TEXT {}\n{files}", zones[..n].join(" "));
    check("2.36", &app(9), "tz Suggest: /usr/share/zoneinfo");
    let two = "zones Collect: /usr/share/zoneinfo/Area/Z0 /usr/share/zoneinfo/Area/Z1\n\
        tz Suggest: /usr/share/zoneinfo";
    check("2.36", &app(2), two);
}

#[test]
fn what_is_opened_by_a_name_is_named() {
    let files = "LIB/libk.so: SONAME libk.so; CALL dlopen; TEXT LIBk/plug:/usr/lib/k/x /usr/bin /opt/one.so libtwo.so libno.so libk.so %s.so
        LIBk/plug/a.so: SONAME a
        /usr/lib/k/x/readme \"x\"
        /usr/bin/b.so: SONAME b
        /opt/one.so: SONAME one
        LIB/libtwo.so: SONAME libtwo.so"
        .replace("LIBk", "/usr/lib/k");
    let files = files.as_str();
    let all = "dlopen-path Collect: /opt/one.so
        dlopen-dir Suggest: /usr/lib/k/plug
        dlopen-name Suggest: libtwo.so";
    check("2.36", &format!("/app: PROG; NEEDED libk.so\n{files}"), all);
    // What is in the process already is not opened.
    check(
        "2.36",
        &format!("/app: PROG; NEEDED libk.so libtwo.so /opt/one.so\n{files}"),
        "dlopen-dir Suggest: /usr/lib/k/plug",
    );
    // As an option takes it.
    let dots = files.replace("TEXT /usr/lib/k/plug", "TEXT /usr/bin/../lib/./k/plug");
    let said =
        Bench::of(&format!("/app: PROG; NEEDED libk.so\n{}", dots.replace("LIB/", "/lib/x86_64-linux-gnu/")))
            .says(&["--dry-run", "/app", "dist"]);
    assert!(said.contains("note: dlopen-dir: not taken along (`--include /usr/lib/k/plug`)"), "{said}");
    // Only who opens libraries means them.
    check("2.36", &format!("/app: PROG; NEEDED libk.so\n{}", files.replace("; CALL dlopen", "")), "");
    // A note says more.
    let noted = "/app: PROG; CALL dlopen; TEXT libtwo.so; DLOPEN [{\"soname\":[\"libtwo.so\"],\"priority\":\"suggested\"}]";
    check("2.36", &format!("{noted}\nLIB/libtwo.so: SONAME libtwo.so"), "dlopen Suggest: libtwo.so");
    // A rule has taken what lies there.
    let sasl = "/app: PROG; NEEDED libsasl2.so.2
        LIB/libsasl2.so.2: SONAME libsasl2.so.2; CALL dlopen; TEXT /lib/x86_64-linux-gnu/sasl2
        LIB/sasl2/libplain.so: SONAME p";
    check("2.36", sasl, "sasl2 Collect: sasl2/libplain.so");
}
