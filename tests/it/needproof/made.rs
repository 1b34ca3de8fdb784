//! Rules about what Debian's packages do not have by themselves: a root is made in
//! which a program needs it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use goblin::elf::Elf;

use super::built::{APP, build};
use super::packages::is;
use super::{NOBODY, Proof, Says, Stage, judge, prove_with, root, typed};
use crate::need;

/// The rules of this page that are about a root of their own.
pub const RULES: [&str; 4] = ["icu", "krb5", "locales", "nss-modules"];

/// A name server that knows nobody, and a file that knows him.
pub const OLD: [Proof; 1] = [Proof {
    also: &["python", "nss"],
    user: "0:0",
    ..is("nsswitch", "/usr/bin/python3", &["-c", ASKS], "Name or service not known", "10.0.0.7\n")
}];

const ASKS: &str = r"
import fcntl, os, socket, struct
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(server, 0x8914, struct.pack('16sH14x', b'lo', 0x41))
server.bind(('127.0.0.1', 53))
if os.fork() == 0:
    while True:
        asked, by = server.recvfrom(512)
        server.sendto(asked[:2] + b'\x81\x83' + asked[4:], by)
try:
    print(socket.getaddrinfo('app.example', None, socket.AF_INET)[0][4][0])
except OSError as error:
    print(error)
";

#[test]
fn hosts_are_read_where_a_name_server_answers() {
    let files: [(&str, &[u8]); 2] =
        [("etc/hosts", b"10.0.0.7 app.example\n"), ("etc/resolv.conf", b"nameserver 127.0.0.1\n")];
    prove_with("bullseye-amd64", &files, &OLD);
}

/// A program in a root that has nothing but what it loads.
struct Made {
    temp: tempfile::TempDir,
}

impl Made {
    fn new(root: &Path, libraries: &[&str], code: &str) -> Made {
        let temp = tempfile::tempdir().expect("a directory");
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
        let stage = Stage { root, scratch: temp.path() };
        build(&stage, libraries, code);
        stage.collect(&["--needs=off".into()], APP).expect("it is collected");
        fs::rename(stage.dist(), temp.path().join("root")).expect("a root");
        Made { temp }
    }

    fn root(&self) -> PathBuf {
        self.temp.path().join("root")
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().expect("below the root")).expect("a directory");
        fs::write(path, text).expect("a file");
    }

    #[track_caller]
    fn proves(&self, rule: &str, also: &[&str], fails: &str, says: &'static str) {
        let stage = Stage { root: &self.root(), scratch: self.temp.path() };
        let said: Vec<String> =
            typed(rule, also).iter().map(|args| stage.said(args, APP, &[], NOBODY)).collect();
        assert_eq!(judge(rule, fails, Says::Is(says), &said), None);
    }
}

fn is_able() -> bool {
    rustix::process::geteuid().is_root() && Command::new("gcc").arg("--version").output().is_ok()
}

#[test]
fn a_locale_that_is_named_is_there() {
    if !is_able() {
        return need::skip("a program is built by gcc and entered by chroot, as root");
    }
    let code = "#include <locale.h>
        int main(void) { puts(setlocale(LC_ALL, \"de_DE.UTF-8\") ? localeconv()->decimal_point : \"setlocale returns NULL\"); }";
    let made = Made::new(Path::new("/"), &[], code);
    let dir = made.root().join("usr/lib/locale/de_DE.utf8");
    fs::create_dir_all(dir.parent().expect("below the root")).expect("a directory");
    let localedef =
        Command::new("localedef").args(["--no-archive", "-i", "de_DE", "-f", "UTF-8"]).arg(&dir).output();
    if !localedef.is_ok_and(|output| output.status.success()) {
        return need::skip("no localedef that knows de_DE (package locales)");
    }
    made.proves("locales", &[], "setlocale returns NULL\n", ",\n");
}

/// Debian's packages ask at their installation what is to be in it.
#[test]
fn a_realm_that_is_configured_is_asked() {
    let Some(root) = root("needs-amd64").filter(|_| is_able()) else {
        return need::skip("no root needs-amd64 in DEPCOLLECT_ROOTS, or no gcc, or not root");
    };
    let code = "const char *krb5_get_error_message(void *, int);
        int krb5_init_context(void *), krb5_parse_name(void *, const char *, void *), krb5_get_init_creds_password();
        int main(void) { static char creds[999]; void *c, *p; krb5_init_context(&c); krb5_parse_name(c, \"who@SOME\", &p);
        puts(krb5_get_error_message(c, krb5_get_init_creds_password(c, creds, p, \"x\", 0, 0, 0, 0, 0))); }";
    let made = Made::new(&root, &["libkrb5.so.3"], code);
    made.write("etc/krb5.conf", "[realms]\nSOME = {\n kdc = 127.0.0.1\n}\n");
    made.proves(
        "krb5",
        &["tmp"],
        "Cannot find KDC for realm \"SOME\"\n",
        "Cannot contact any KDC for realm 'SOME'\n",
    );
}

/// A service of names that glibc does not have itself.
#[test]
fn a_service_that_is_configured_is_asked() {
    if !is_able() {
        return need::skip("a program is built by gcc and entered by chroot, as root");
    }
    let code = "#include <pwd.h>
        int main(void) { struct passwd *p = getpwnam(\"who\"); puts(p ? p->pw_dir : \"nobody is called who\"); }";
    let made = Made::new(Path::new("/"), &[], code);
    made.write("etc/nsswitch.conf", "passwd: files some\n");
    let service = "#include <pwd.h>
        int _nss_some_getpwnam_r(const char *name, struct passwd *p) { *p = (struct passwd){\"who\", \"x\", 7, 7, \"\", \"/who\", \"\"}; return 1; }";
    made.write("usr/lib/x86_64-linux-gnu/libnss_some.c", service);
    let mut gcc = Command::new("gcc");
    gcc.current_dir(made.root().join("usr/lib/x86_64-linux-gnu"));
    let built = gcc.args(["-shared", "-fPIC", "libnss_some.c", "-o", "libnss_some.so.2"]).status();
    assert!(built.expect("gcc").success());
    made.proves("nss-modules", &["users"], "nobody is called who\n", "/who\n");
}

/// As in Alpine: the library is empty, and the data are a file. Debian's has no
/// directory built in, so the program names that of Alpine's.
#[test]
fn icu_has_its_data_in_a_file() {
    let Some(root) = root("needs-amd64").filter(|_| is_able()) else {
        return need::skip("no root needs-amd64 in DEPCOLLECT_ROOTS, or no gcc, or not root");
    };
    let code = "#include <stdlib.h>
        void u_init_72(int *); const char *u_errorName_72(int);
        int main(void) { int e = 0; setenv(\"ICU_DATA\", \"/usr/share/icu/72.1\", 1); u_init_72(&e); puts(u_errorName_72(e)); }";
    let made = Made::new(&root, &["libicuuc.so.72"], code);
    let library = made.root().join("usr/lib/x86_64-linux-gnu/libicudata.so.72");
    let data = data_of(&library);
    made.write("usr/share/icu/72.1/icudt72l.dat", &data);
    empty_library(made.temp.path(), &library);
    made.proves("icu", &[], "U_FILE_ACCESS_ERROR\n", "U_ZERO_ERROR\n");
}

/// Up to the end of the segment: what is behind the data is not looked at.
fn data_of(library: &Path) -> Vec<u8> {
    let bytes = fs::read(library).expect("libicudata");
    let elf = Elf::parse(&bytes).expect("an ELF file");
    let symbol = elf.dynsyms.iter().find(|one| elf.dynstrtab.get_at(one.st_name) == Some("icudt72_dat"));
    let symbol = symbol.expect("the data");
    let section = &elf.section_headers[symbol.st_shndx];
    let start = (symbol.st_value - section.sh_addr + section.sh_offset) as usize;
    bytes[start..start + symbol.st_size as usize].to_vec()
}

/// As ICU's `stubdata.cpp` has it: a table of contents, with nothing in it.
fn empty_library(scratch: &Path, library: &Path) {
    let code = "const struct { short size; unsigned char magic[2]; short info, none; char order, family, unit, zero;
        char format[4], version[4], data[4], padding[8]; int count, reserved, names[4]; }
        icudt72_dat = { 32, {0xda, 0x27}, 20, 0, 0, 0, 2, 0, {'T', 'o', 'C', 'P'}, {1}, {0}, {0}, 0, 0, {0} };";
    fs::write(scratch.join("stub.c"), code).expect("a source");
    fs::remove_file(library).expect("a link to the one with the data");
    let mut gcc = Command::new("gcc");
    gcc.current_dir(scratch).args(["-shared", "-Wl,-soname,libicudata.so.72", "stub.c", "-o"]).arg(library);
    assert!(gcc.status().expect("gcc").success());
}
