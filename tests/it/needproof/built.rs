//! Libraries of packages, asked by a program of a few lines that is built against
//! them: of these no package has a program that says as much.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use super::{NOBODY, Says, Stage, judge, root, typed};
use crate::need;

const LIB: &str = "usr/lib/x86_64-linux-gnu";

/// What was built, and where it goes.
pub const APP: &str = "./app:/app";

pub struct Built {
    pub rule: &'static str,
    /// As of a [`super::Proof`].
    also: &'static [&'static str],
    user: &'static str,
    libraries: &'static [&'static str],
    code: &'static str,
    fails: &'static str,
    says: &'static str,
}

pub const LIBRARIES: [Built; 10] = [
    Built {
        rule: "mariadb",
        also: &[],
        user: NOBODY,
        libraries: &["libmariadb.so.3"],
        code: "void *mysql_init(void *), *mysql_client_find_plugin(void *, const char *, int); const char *mysql_error(void *);
            int main(void) { void *m = mysql_init(0);
            puts(mysql_client_find_plugin(m, \"caching_sha2_password\", 2) ? \"found\" : mysql_error(m)); }",
        fails: "Plugin caching_sha2_password could not be loaded",
        says: "found\n",
    },
    Built {
        rule: "gio-tls",
        also: &[],
        user: NOBODY,
        libraries: &["libgio-2.0.so.0"],
        code: "void *g_tls_backend_get_default(void); int g_tls_backend_supports_tls(void *);
            int main(void) { puts(g_tls_backend_supports_tls(g_tls_backend_get_default()) ? \"TLS\" : \"TLS support is not available\"); }",
        fails: "TLS support is not available",
        says: "TLS\n",
    },
    Built {
        rule: "mime",
        also: &[],
        user: NOBODY,
        libraries: &["libgdk_pixbuf-2.0.so.0"],
        code: "void *gdk_pixbuf_loader_new(void); int gdk_pixbuf_loader_write(void *, const char *, long, void *), gdk_pixbuf_loader_close(void *, void *);
            int main(void) { struct { int domain, code; char *message; } *e = 0; void *l = gdk_pixbuf_loader_new();
            gdk_pixbuf_loader_write(l, \"\\x89PNG\\r\\n\\x1a\\n\", 8, 0); gdk_pixbuf_loader_close(l, &e);
            puts(e && strstr(e->message, \"recognized image\") ? \"Unrecognized image file format\" : \"a PNG, cut off\"); }",
        fails: "Unrecognized image file format",
        says: "a PNG, cut off\n",
    },
    Built {
        rule: "pixbuf",
        also: &["mime"],
        user: NOBODY,
        libraries: &["libgdk_pixbuf-2.0.so.0"],
        code: "void *gdk_pixbuf_loader_new(void); int gdk_pixbuf_loader_write(void *, const char *, long, void *), gdk_pixbuf_loader_close(void *, void *);
            int main(void) { struct { int domain, code; char *message; } *e = 0; void *l = gdk_pixbuf_loader_new();
            const char *s = \"<svg xmlns='http://www.w3.org/2000/svg' width='1' height='1'></svg>\";
            gdk_pixbuf_loader_write(l, s, strlen(s), 0); gdk_pixbuf_loader_close(l, &e);
            puts(e ? \"Couldn't recognize the image file format\" : \"an SVG\"); }",
        fails: "Couldn't recognize the image file format",
        says: "an SVG\n",
    },
    Built {
        rule: "tls",
        also: &[],
        user: NOBODY,
        libraries: &["libgnutls.so.30"],
        code: "int gnutls_certificate_allocate_credentials(void **), gnutls_certificate_set_x509_system_trust(void *);
            int main(void) { void *c; gnutls_certificate_allocate_credentials(&c);
            puts(gnutls_certificate_set_x509_system_trust(c) > 0 ? \"trusts\" : \"trusts nobody\"); }",
        fails: "trusts nobody",
        says: "trusts\n",
    },
    Built {
        rule: "ldap",
        also: &[],
        user: NOBODY,
        libraries: &["libldap-2.5.so.0"],
        code: "int ldap_get_option(void *, int, void *);
            int main(void) { char *s = 0; ldap_get_option(0, 0x6002, &s); puts(s ? s : \"TLS_CACERTFILE is not set\"); }",
        fails: "TLS_CACERTFILE is not set",
        says: "/etc/ssl/certs/ca-certificates.crt\n",
    },
    Built {
        rule: "users",
        also: &[],
        user: NOBODY,
        libraries: &["libpq.so.5"],
        code: "void *PQconnectdb(const char *); const char *PQerrorMessage(void *);
            int main(void) { puts(strstr(PQerrorMessage(PQconnectdb(\"host=/none\")), \"could not look up local user ID\") ? \"could not look up local user ID\" : \"no server\"); }",
        fails: "could not look up local user ID",
        says: "no server\n",
    },
    Built {
        rule: "idn",
        also: &[],
        user: NOBODY,
        libraries: &[],
        code: "#include <netdb.h>
            #include <locale.h>
            int main(void) { struct addrinfo h = { .ai_flags = 0x40 }, *r; setlocale(LC_ALL, \"C.UTF-8\");
            puts(getaddrinfo(\"b\\xc3\\xbc\" \"cher.invalid\", 0, &h, &r) == -105 ? gai_strerror(-105) : \"no such host\"); }",
        fails: "Parameter string not correctly encoded",
        says: "no such host\n",
    },
    Built {
        rule: "x11",
        also: &["utf8"],
        user: NOBODY,
        libraries: &["libX11.so.6"],
        code: "#include <locale.h>
            int XSupportsLocale(void);
            int main(void) { setlocale(LC_ALL, \"C.UTF-8\"); printf(\"XSupportsLocale returns %d\\n\", XSupportsLocale()); }",
        fails: "XSupportsLocale returns 0\n",
        says: "XSupportsLocale returns 1\n",
    },
    Built {
        rule: "gpgme",
        also: &[],
        user: NOBODY,
        libraries: &["libgpgme.so.11"],
        code: "const char *gpgme_check_version(const char *), *gpgme_strerror(unsigned); unsigned gpgme_engine_check_version(int);
            int main(void) { gpgme_check_version(0); puts(gpgme_strerror(gpgme_engine_check_version(0))); }",
        fails: "Invalid crypto engine\n",
        says: "Success\n",
    },
];

/// Drivers of hardware: too large to be unpacked each time.
pub const LARGE: [Built; 6] = [
    Built {
        rule: "qt",
        also: &["tmp"],
        user: NOBODY,
        libraries: &["libQt5Gui.so.5"],
        code: "#include <stdlib.h>
            #include <sys/stat.h>
            void _ZN15QGuiApplicationC1ERiPPci(void *, int *, char **, int);
            int main(int n, char **v) { static void *app[99]; mkdir(\"/tmp/r\", 0700);
            setenv(\"XDG_RUNTIME_DIR\", \"/tmp/r\", 1); setenv(\"QT_QPA_PLATFORM\", \"offscreen\", 1);
            _ZN15QGuiApplicationC1ERiPPci(app, &n, v, 0x50f00); puts(\"started\"); fflush(stdout); _Exit(0); }",
        fails: "Could not find the Qt platform plugin \"offscreen\" in \"\"",
        says: "started\n",
    },
    Built {
        rule: "qt-sql",
        also: &[],
        user: NOBODY,
        libraries: &["libQt5Sql.so.5", "libQt5Core.so.5"],
        code: "void _ZN7QString15fromUtf8_helperEPKci(void *, const char *, int); int _ZN12QSqlDatabase17isDriverAvailableERK7QString(void *);
            int main(void) { void *name; _ZN7QString15fromUtf8_helperEPKci(&name, \"QSQLITE\", 7);
            puts(_ZN12QSqlDatabase17isDriverAvailableERK7QString(&name) & 1 ? \"driver loaded\" : \"driver not loaded\"); }",
        fails: "driver not loaded",
        says: "driver loaded\n",
    },
    Built {
        rule: "mpi",
        also: &["tmp"],
        user: "0:0",
        libraries: &["libmpi.so.40"],
        code: "#include <stdlib.h>
            #include <sys/socket.h>
            #include <sys/ioctl.h>
            #include <net/if.h>
            int MPI_Init(void *, void *), MPI_Finalize(void);
            int main(void) { struct ifreq lo = {\"lo\"}; lo.ifr_flags = IFF_UP | IFF_RUNNING;
            ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFFLAGS, &lo);
            const char *set[] = {\"OMPI_MCA_plm\", \"isolated\", \"OMPI_MCA_btl\", \"self\", \"OMPI_MCA_pml\", \"ob1\",
            \"OMPI_MCA_mca_base_component_show_load_errors\", \"0\", \"HWLOC_HIDE_ERRORS\", \"2\"};
            for (int i = 0; i < 10; i += 2) setenv(set[i], set[i + 1], 1);
            MPI_Init(0, 0); puts(\"initialized\"); MPI_Finalize(); }",
        fails: "Sorry!  You were supposed to get help about",
        says: "initialized\n",
    },
    Built {
        rule: "vulkan",
        also: &[],
        user: NOBODY,
        libraries: &["libvulkan.so.1"],
        code: "int vkCreateInstance(void *, void *, void *);
            int main(void) { void *v; struct { int type; void *next; int flags; void *app; int n; void *l; int m; void *x; } i = {1};
            printf(\"vkCreateInstance returns %d\\n\", vkCreateInstance(&i, 0, &v)); }",
        fails: "vkCreateInstance returns -9\n",
        says: "vkCreateInstance returns 0\n",
    },
    Built {
        rule: "egl",
        also: &[],
        user: NOBODY,
        libraries: &["libEGL.so.1"],
        code: "#include <stdlib.h>
            void *eglGetDisplay(void *), *eglGetPlatformDisplay(int, void *, void *); int eglInitialize(void *, int *, int *); const char *eglQueryString(void *, int);
            int main(void) { setenv(\"LIBGL_ALWAYS_SOFTWARE\", \"1\", 1); void *d = eglGetPlatformDisplay(0x31DD, 0, 0); int a, b;
            if (!d || !eglInitialize(d, &a, &b)) puts(\"no display\"); else puts(eglQueryString(d, 0x3053)); }",
        fails: "no display",
        says: "Mesa Project\n",
    },
    Built {
        rule: "opencl",
        also: &[],
        user: NOBODY,
        libraries: &["libOpenCL.so.1"],
        code: "int clGetPlatformIDs(int, void *, int *);
            int main(void) { int n = 0; int r = clGetPlatformIDs(0, 0, &n); printf(\"clGetPlatformIDs returns %d\\n\", r); }",
        fails: "clGetPlatformIDs returns -1001\n",
        says: "clGetPlatformIDs returns 0\n",
    },
];

#[track_caller]
fn prove(name: &str, table: &[Built]) {
    let is_able =
        rustix::process::geteuid().is_root() && Command::new("gcc").arg("--version").output().is_ok();
    let Some(root) = root(name).filter(|_| is_able) else {
        return need::skip(&format!("no root {name} in DEPCOLLECT_ROOTS, or no gcc, or not root"));
    };
    let temp = tempfile::tempdir().expect("a directory");
    fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    let stage = Stage { root: &root, scratch: temp.path() };
    let wrong: Vec<String> = table.iter().filter_map(|row| row.wrong(&stage)).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), table.len(), wrong.join("\n"));
}

impl Built {
    fn wrong(&self, stage: &Stage<'_>) -> Option<String> {
        build(stage, self.libraries, self.code);
        let said: Vec<String> =
            typed(self.rule, self.also).iter().map(|args| stage.said(args, APP, &[], self.user)).collect();
        judge(&format!("{}: {:?}", self.rule, self.libraries), self.fails, Says::Is(self.says), &said)
    }
}

/// `app` in a directory, linked against libraries of a root.
pub fn build(stage: &Stage<'_>, libraries: &[&str], code: &str) {
    let Stage { root, scratch } = stage;
    fs::write(scratch.join("app.c"), format!("#include <stdio.h>\n#include <string.h>\n{code}"))
        .expect("a source");
    let libraries: Vec<PathBuf> = libraries.iter().map(|name| root.join(LIB).join(name)).collect();
    let mut gcc = Command::new("gcc");
    gcc.current_dir(scratch).args(["-w", "app.c", "-o", "app"]).args(libraries);
    let built = gcc.args(["-Wl,--unresolved-symbols=ignore-in-shared-libs"]).output().expect("gcc");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}

#[test]
fn libraries_open_what_their_rules_bring() {
    prove("needs-amd64", &LIBRARIES);
}

#[test]
fn large_libraries_open_what_their_configuration_names() {
    if root("needs-large-amd64").is_none() {
        eprintln!("skipped: only where DEPCOLLECT_ROOTS has needs-large-amd64");
        return;
    }
    prove("needs-large-amd64", &LARGE);
}
