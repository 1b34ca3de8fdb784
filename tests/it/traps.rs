//! The traps that broke people's images, each as a small machine made for it,
//! collected from and started as an image. T1, T2 and so on are the names under
//! which they are known here; a trap that needs no image of its own is a row of
//! `testdata/collect`.

#![expect(clippy::print_stderr, reason = "what was said belongs to a failure")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::enter::start_in;
use crate::need;

/// A root with the C library of this machine, and what is built into it.
pub struct Machine {
    pub dir: tempfile::TempDir,
}

pub const LIBC: [&str; 2] = ["lib64/ld-linux-x86-64.so.2", "lib/x86_64-linux-gnu/libc.so.6"];

/// Says which library of a name it has found, by what that returns.
pub const ASKS: &str =
    "int f(void); int printf(const char *, ...); int main(void) { printf(\"%d\\n\", f()); return 0; }";

impl Machine {
    /// `None`: this machine cannot build or enter one.
    pub fn new() -> Option<Machine> {
        let is_able = rustix::process::geteuid().is_root()
            && cfg!(target_arch = "x86_64")
            && Command::new("gcc").arg("--version").output().is_ok();
        if !is_able {
            need::skip("a trap is built by gcc for x86-64 and entered by chroot, as root");
            return None;
        }
        let dir = tempfile::tempdir().expect("a directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
        let machine = Machine { dir };
        for path in LIBC {
            let to = machine.at(path);
            fs::copy(Path::new("/").join(path), &to).expect("the machine's own C library");
        }
        Some(machine)
    }

    /// A path in the root; what it lies in is made.
    pub fn at(&self, path: &str) -> PathBuf {
        let at = self.dir.path().join("root").join(path.trim_start_matches('/'));
        fs::create_dir_all(at.parent().expect("it lies in something")).expect("a directory");
        at
    }

    pub fn library(&self, path: &str, soname: &str, returns: u32) {
        let code = format!("int f(void) {{ return {returns}; }}");
        let soname = format!("-Wl,-soname,{soname}");
        self.build(path, &code, &["-shared", "-fPIC", &soname]);
    }

    /// Asks the library for its number. The library is given to the linker as a file.
    pub fn asks(&self, path: &str, library: &str, flags: &[&str]) {
        let library = self.at(library);
        let mut all = vec![library.to_str().expect("a plain path")];
        all.extend(flags);
        self.build(path, ASKS, &all);
    }

    pub fn build(&self, path: &str, code: &str, flags: &[&str]) {
        self.build_with("gcc", path, code, flags);
    }

    pub fn build_with(&self, compiler: &str, path: &str, code: &str, flags: &[&str]) {
        let source = self.dir.path().join("source.c");
        fs::write(&source, code).expect("a source");
        let built =
            Command::new(compiler).arg("-w").arg(&source).arg("-o").arg(self.at(path)).args(flags).output();
        let built = built.expect("a compiler");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    }

    pub fn dist(&self) -> PathBuf {
        self.dir.path().join("dist")
    }

    pub fn collect(&self, args: &[&str]) -> Output {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("depcollect"));
        command.arg("--root").arg(self.dir.path().join("root"));
        command.args(["--mkdir", "/proc", "--mkdir", "/dev"]).args(args).arg(self.dist());
        command
            .env_remove("LD_LIBRARY_PATH")
            .env_remove("SOURCE_DATE_EPOCH")
            .output()
            .expect("the binary runs")
    }

    /// Collects, starts, and says what the program said.
    pub fn says(&self, args: &[&str], program: &str) -> String {
        let collected = self.collect(args);
        let told = String::from_utf8_lossy(&collected.stderr).into_owned();
        assert_eq!(collected.status.code(), Some(0), "{told}");
        let ran = start_in(&self.dist(), Path::new(program), &[]);
        eprintln!("{told}");
        format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr))
    }
}

macro_rules! machine {
    () => {
        match Machine::new() {
            Some(machine) => machine,
            None => return,
        }
    };
}

#[test]
fn t1_the_interpreter_stands_where_the_kernel_looks() {
    let machine = machine!();
    fs::rename(machine.at("lib64"), machine.at("usr/lib64")).unwrap();
    symlink("usr/lib64", machine.at("lib64")).unwrap();
    machine.library("lib/x86_64-linux-gnu/libf.so.1", "libf.so.1", 1);
    machine.asks("app", "lib/x86_64-linux-gnu/libf.so.1", &[]);
    assert_eq!(machine.says(&["/app"], "/app"), "1\n");
    assert!(machine.dist().join("lib64").is_symlink());
}

#[test]
fn t2_a_library_that_ld_so_conf_names_is_found_in_the_image() {
    let machine = machine!();
    fs::write(machine.at("etc/ld.so.conf"), "/opt/x/lib\n").unwrap();
    machine.library("opt/x/lib/libf.so.1", "libf.so.1", 2);
    machine.asks("app", "opt/x/lib/libf.so.1", &[]);
    assert_eq!(machine.says(&["/app"], "/app"), "2\n");
    assert!(machine.dist().join("etc/ld.so.cache").is_file());
    // What is there already counts: this one starts from nothing.
    fs::remove_dir_all(machine.dist()).unwrap();
    let never = machine.collect(&["/app", "--ld-cache", "never"]);
    assert_eq!(never.status.code(), Some(1), "{}", String::from_utf8_lossy(&never.stderr));
    assert!(!machine.dist().exists());
}

#[test]
fn t4_the_baseline_and_every_variant_come_along() {
    let machine = machine!();
    let base = "lib/x86_64-linux-gnu";
    for (dir, number) in [("", 1), ("glibc-hwcaps/x86-64-v2/", 2), ("glibc-hwcaps/x86-64-v4/", 4)] {
        machine.library(&format!("{base}/{dir}libf.so.1"), "libf.so.1", number);
    }
    machine.asks("app", "lib/x86_64-linux-gnu/libf.so.1", &[]);
    let said = machine.says(&["/app"], "/app");
    assert!(matches!(said.as_str(), "1\n" | "2\n" | "4\n"), "{said}");
    for dir in ["", "glibc-hwcaps/x86-64-v2/", "glibc-hwcaps/x86-64-v4/"] {
        assert!(machine.dist().join(base).join(dir).join("libf.so.1").is_file(), "{dir}");
    }
}

#[test]
fn t5_a_library_through_alternatives_keeps_the_name_that_is_searched() {
    let machine = machine!();
    machine.library("opt/real/libf-own.so.3", "libf.so.1", 5);
    symlink("/opt/real/libf-own.so.3", machine.at("etc/alternatives/libf")).unwrap();
    symlink("/etc/alternatives/libf", machine.at("lib/x86_64-linux-gnu/libf.so.1")).unwrap();
    machine.asks("app", "opt/real/libf-own.so.3", &[]);
    assert_eq!(machine.says(&["/app"], "/app"), "5\n");
}

#[test]
fn t6_a_tree_takes_either_form() {
    for (layout, is_link) in [("merged", true), ("split", false), ("as-found", false)] {
        let machine = machine!();
        machine.library("lib/x86_64-linux-gnu/libf.so.1", "libf.so.1", 6);
        machine.asks("app", "lib/x86_64-linux-gnu/libf.so.1", &[]);
        assert_eq!(machine.says(&["/app", "--layout", layout], "/app"), "6\n");
        assert_eq!(machine.dist().join("lib").is_symlink(), is_link, "{layout}");
    }
}

#[test]
fn t6b_a_merged_root_can_be_split() {
    let machine = machine!();
    fs::rename(machine.at("lib"), machine.at("usr/lib")).unwrap();
    symlink("usr/lib", machine.at("lib")).unwrap();
    machine.library("usr/lib/x86_64-linux-gnu/libf.so.1", "libf.so.1", 6);
    machine.asks("app", "usr/lib/x86_64-linux-gnu/libf.so.1", &[]);
    assert_eq!(machine.says(&["/app", "--layout", "split"], "/app"), "6\n");
    assert!(machine.dist().join("lib").is_dir() && !machine.dist().join("lib").is_symlink());
}

#[test]
fn t14_origin_is_that_of_the_real_file() {
    let machine = machine!();
    machine.library("opt/foo/lib/libf.so.1", "libf.so.1", 14);
    machine.asks("opt/foo/bin/foo", "opt/foo/lib/libf.so.1", &["-Wl,-rpath,$ORIGIN/../lib"]);
    fs::create_dir_all(machine.at("usr/bin")).unwrap();
    symlink("/opt/foo/bin/foo", machine.at("usr/bin/foo")).unwrap();
    assert_eq!(machine.says(&["/usr/bin/foo"], "/usr/bin/foo"), "14\n");
}

#[test]
fn t14b_what_a_moved_program_finds_by_origin_moves_along() {
    let machine = machine!();
    machine.library("build/lib/libf.so.1", "libf.so.1", 15);
    machine.asks("build/bin/foo", "build/lib/libf.so.1", &["-Wl,-rpath,$ORIGIN/../lib"]);
    assert_eq!(machine.says(&["/build/bin/foo:/srv/app/bin/"], "/srv/app/bin/foo"), "15\n");
    assert!(!machine.dist().join("build").exists());
}

/// Above the top is the top, to the loader as well.
#[test]
fn t14c_what_is_moved_to_the_top_finds_its_libraries_there() {
    let machine = machine!();
    machine.library("build/lib/libf.so.1", "libf.so.1", 16);
    machine.asks("build/bin/foo", "build/lib/libf.so.1", &["-Wl,-rpath,$ORIGIN/../lib"]);
    assert_eq!(machine.says(&["/build/bin/foo:/foo"], "/foo"), "16\n");
    assert!(!machine.dist().join("build").exists() && !machine.dist().join("etc/ld.so.cache").exists());
}

/// The builder has it nowhere that its loader looks.
#[test]
fn t14d_a_library_that_is_placed_where_the_loader_looks_is_found() {
    let machine = machine!();
    machine.library("build/libf.so.1", "libf.so.1", 17);
    machine.asks("app", "build/libf.so.1", &["-Wl,-rpath,/opt/x/lib"]);
    let args = ["/app", "--include", "/build/libf.so.1:/opt/x/lib/"];
    assert_eq!(machine.says(&args, "/app"), "17\n");
}

#[test]
fn t18_owner_mode_time_and_hard_links_are_kept() {
    let machine = machine!();
    machine.library("lib/x86_64-linux-gnu/libf.so.1", "libf.so.1", 18);
    machine.asks("app", "lib/x86_64-linux-gnu/libf.so.1", &[]);
    let app = machine.at("app");
    fs::hard_link(&app, machine.at("second")).unwrap();
    std::os::unix::fs::chown(&app, Some(1000), Some(1001)).unwrap();
    fs::set_permissions(&app, fs::Permissions::from_mode(0o4755)).unwrap();
    assert_eq!(machine.says(&["/app", "/second"], "/app"), "18\n");
    let (old, new) = (app.metadata().unwrap(), machine.dist().join("app").metadata().unwrap());
    let facts = |meta: &fs::Metadata| {
        (meta.mode(), meta.uid(), meta.gid(), meta.mtime(), meta.mtime_nsec(), meta.nlink())
    };
    assert_eq!(facts(&new), facts(&old));
    assert_eq!(machine.dist().join("second").metadata().unwrap().ino(), new.ino());
}

#[test]
fn t19_what_the_builder_preloads_stays_there() {
    let machine = machine!();
    machine.library("lib/x86_64-linux-gnu/libf.so.1", "libf.so.1", 19);
    machine.library("usr/lib/libpre.so", "libpre.so", 20);
    fs::write(machine.at("etc/ld.so.preload"), "/usr/lib/libpre.so\n").unwrap();
    machine.asks("app", "lib/x86_64-linux-gnu/libf.so.1", &[]);
    assert_eq!(machine.says(&["/app"], "/app"), "19\n");
    assert!(!machine.dist().join("usr/lib/libpre.so").exists());
}

#[test]
fn t20_a_static_program_needs_nothing_and_that_is_no_failure() {
    let machine = machine!();
    let code = "int puts(const char *); int main(void) { puts(\"static\"); return 0; }";
    machine.build("plain", code, &["-static"]);
    machine.build("pie", code, &["-static-pie"]);
    assert_eq!(machine.says(&["/plain", "/pie"], "/plain"), "static\n");
    let ran = start_in(&machine.dist(), Path::new("/pie"), &[]);
    assert_eq!(ran.stdout, b"static\n");
    assert!(!machine.dist().join("lib64").exists());
}

#[test]
fn t23_a_library_path_of_the_builder_does_not_leave_the_image_without() {
    let machine = machine!();
    machine.library("srv/private/libf.so.1", "libf.so.1", 23);
    machine.asks("app", "srv/private/libf.so.1", &[]);
    assert_eq!(machine.says(&["/app", "--library-path", "/srv/private"], "/app"), "23\n");
}
