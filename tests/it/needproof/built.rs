//! Libraries of packages, asked by a program of a few lines that is built against
//! them: of these no package has a program that says as much.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{root, said};
use crate::need;

const LIB: &str = "usr/lib/x86_64-linux-gnu";

struct Built {
    /// What it is asked for, in addition to what counts by itself.
    args: &'static [&'static str],
    libraries: &'static [&'static str],
    code: &'static str,
    fails: &'static str,
    says: &'static str,
}

const LIBRARIES: [Built; 8] = [
    Built {
        args: &[],
        libraries: &["libmariadb.so.3"],
        code: "void *mysql_init(void *), *mysql_client_find_plugin(void *, const char *, int); const char *mysql_error(void *);
            int main(void) { void *m = mysql_init(0);
            puts(mysql_client_find_plugin(m, \"caching_sha2_password\", 2) ? \"found\" : mysql_error(m)); }",
        fails: "Plugin caching_sha2_password could not be loaded",
        says: "found\n",
    },
    Built {
        args: &[],
        libraries: &["libgio-2.0.so.0"],
        code: "void *g_tls_backend_get_default(void); int g_tls_backend_supports_tls(void *);
            int main(void) { puts(g_tls_backend_supports_tls(g_tls_backend_get_default()) ? \"TLS\" : \"TLS support is not available\"); }",
        fails: "TLS support is not available",
        says: "TLS\n",
    },
    Built {
        args: &[],
        libraries: &["libgdk_pixbuf-2.0.so.0"],
        code: "void *gdk_pixbuf_loader_new(void); int gdk_pixbuf_loader_write(void *, const char *, long, void *), gdk_pixbuf_loader_close(void *, void *);
            int main(void) { struct { int domain, code; char *message; } *e = 0; void *l = gdk_pixbuf_loader_new();
            gdk_pixbuf_loader_write(l, \"\\x89PNG\\r\\n\\x1a\\n\", 8, 0); gdk_pixbuf_loader_close(l, &e);
            puts(e && strstr(e->message, \"recognized image\") ? \"Unrecognized image file format\" : \"a PNG, cut off\"); }",
        fails: "Unrecognized image file format",
        says: "a PNG, cut off\n",
    },
    Built {
        args: &["--with=pixbuf"],
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
        args: &[],
        libraries: &["libgnutls.so.30"],
        code: "int gnutls_certificate_allocate_credentials(void **), gnutls_certificate_set_x509_system_trust(void *);
            int main(void) { void *c; gnutls_certificate_allocate_credentials(&c);
            puts(gnutls_certificate_set_x509_system_trust(c) > 0 ? \"trusts\" : \"trusts nobody\"); }",
        fails: "trusts nobody",
        says: "trusts\n",
    },
    Built {
        args: &[],
        libraries: &["libldap-2.5.so.0"],
        code: "int ldap_get_option(void *, int, void *);
            int main(void) { char *s = 0; ldap_get_option(0, 0x6002, &s); puts(s ? s : \"TLS_CACERTFILE is not set\"); }",
        fails: "TLS_CACERTFILE is not set",
        says: "/etc/ssl/certs/ca-certificates.crt\n",
    },
    Built {
        args: &[],
        libraries: &["libpq.so.5"],
        code: "void *PQconnectdb(const char *); const char *PQerrorMessage(void *);
            int main(void) { puts(strstr(PQerrorMessage(PQconnectdb(\"host=/none\")), \"could not look up local user ID\") ? \"could not look up local user ID\" : \"no server\"); }",
        fails: "could not look up local user ID",
        says: "no server\n",
    },
    Built {
        args: &["--with=idn"],
        libraries: &[],
        code: "#include <netdb.h>
            #include <locale.h>
            int main(void) { struct addrinfo h = { .ai_flags = 0x40 }, *r; setlocale(LC_ALL, \"C.UTF-8\");
            puts(getaddrinfo(\"b\\xc3\\xbc\" \"cher.invalid\", 0, &h, &r) == -105 ? gai_strerror(-105) : \"no such host\"); }",
        fails: "Parameter string not correctly encoded",
        says: "no such host\n",
    },
];

/// Drivers of hardware: too large to be unpacked each time.
const LARGE: [Built; 3] = [
    Built {
        args: &["--with=vulkan"],
        libraries: &["libvulkan.so.1"],
        code: "int vkCreateInstance(void *, void *, void *);
            int main(void) { void *v; struct { int type; void *next; int flags; void *app; int n; void *l; int m; void *x; } i = {1};
            printf(\"vkCreateInstance returns %d\\n\", vkCreateInstance(&i, 0, &v)); }",
        fails: "vkCreateInstance returns -9\n",
        says: "vkCreateInstance returns 0\n",
    },
    Built {
        args: &["--with=egl"],
        libraries: &["libEGL.so.1"],
        code: "#include <stdlib.h>
            void *eglGetDisplay(void *), *eglGetPlatformDisplay(int, void *, void *); int eglInitialize(void *, int *, int *); const char *eglQueryString(void *, int);
            int main(void) { setenv(\"LIBGL_ALWAYS_SOFTWARE\", \"1\", 1); void *d = eglGetPlatformDisplay(0x31DD, 0, 0); int a, b;
            if (!d || !eglInitialize(d, &a, &b)) puts(\"no display\"); else puts(eglQueryString(d, 0x3053)); }",
        fails: "no display",
        says: "Mesa Project\n",
    },
    Built {
        args: &["--with=opencl"],
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
    let wrong: Vec<String> = table.iter().filter_map(|row| row.wrong(&root, temp.path())).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), table.len(), wrong.join("\n"));
}

impl Built {
    fn wrong(&self, root: &Path, scratch: &Path) -> Option<String> {
        self.build(root, scratch);
        let alone = self.said(root, scratch, &["--needs", "off"]);
        let whole = self.said(root, scratch, &[&["--needs", "auto"], self.args].concat());
        let is_right = alone.contains(self.fails) && whole == self.says;
        (!is_right).then(|| format!("{:?}: alone: {alone}whole: {whole}", self.libraries))
    }

    fn said(&self, root: &Path, scratch: &Path, args: &[&str]) -> String {
        said(root, scratch, args, "./app:/app", &[])
    }

    fn build(&self, root: &Path, scratch: &Path) {
        fs::write(scratch.join("app.c"), format!("#include <stdio.h>\n#include <string.h>\n{}", self.code))
            .expect("a source");
        let libraries: Vec<PathBuf> = self.libraries.iter().map(|name| root.join(LIB).join(name)).collect();
        let mut gcc = Command::new("gcc");
        gcc.current_dir(scratch).args(["-w", "app.c", "-o", "app"]).args(libraries);
        let built = gcc.args(["-Wl,--unresolved-symbols=ignore-in-shared-libs"]).output().expect("gcc");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    }
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
