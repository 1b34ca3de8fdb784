//! What only the loader's own file tells: its version, whose build it is, the
//! directories compiled into it (loader.md §4.1, §5.3).

use memchr::{memchr, memchr2, memmem, memrchr};

use super::{Dir, Family, Target, Version, hwcaps, machine, musl};
use crate::elf::Facts;

/// A loader's own constants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    pub version: Version,
    /// Debian's and Ubuntu's patches are in.
    pub debian: bool,
    pub system_dirs: Vec<Dir>,
    /// They were read out of the file, not out of the table.
    pub read_dirs: bool,
    /// What `$LIB` stands for.
    pub lib: Vec<u8>,
    /// Names below `glibc-hwcaps/` that it knows, most preferred first.
    pub levels: Vec<Vec<u8>>,
    /// `/etc/ld.so.cache`, elsewhere on NixOS and Guix.
    pub cache_path: Vec<u8>,
    /// musl: its name of the machine, as in the name of its path file.
    pub arch: Vec<u8>,
}

pub const CACHE_PATH: &[u8] = b"/etc/ld.so.cache";

/// Which loader a file is, by what it exports. A fake `ld-linux-x86-64.so.2`
/// (gcompat) defines no `GLIBC_PRIVATE`, which glibc's libraries define as well;
/// `defines` looks a symbol up.
pub fn family(facts: &Facts, defines: impl FnOnce(&[u8]) -> bool) -> Option<Family> {
    let is_glibc = facts.version_defs.iter().any(|def| facts.str(def.name) == b"GLIBC_PRIVATE");
    if is_glibc && facts.soname().is_none_or(|name| !name.starts_with(b"lib")) {
        return Some(Family::Glibc);
    }
    defines(b"__dls3").then_some(Family::Musl)
}

impl About {
    /// Reads glibc's constants out of the bytes of its segments. `real_name` is
    /// the file's own name, which says the version of 2.33 and older (`ld-2.31.so`).
    pub fn of_glibc(bytes: &[u8], real_name: &[u8], target: &Target) -> About {
        let banner = banner(bytes);
        let version = banner.and_then(version_of_banner).or_else(|| version_of_name(real_name));
        let found = system_dirs(bytes);
        let has_tuple = found.first().is_some_and(|dir| contains(dir, b"-linux-"));
        let debian =
            banner.map_or(has_tuple, |b| contains(b, b"Debian GLIBC") || contains(b, b"Ubuntu GLIBC"));
        let read_dirs = !found.is_empty();
        let system_dirs = if read_dirs { found } else { fallback_dirs(target) };
        About {
            // No banner: 2.32 or older. 2.31 is the newest of those still about.
            version: version.unwrap_or(Version(2, 31)),
            debian,
            lib: lib_token(&system_dirs, debian),
            read_dirs,
            system_dirs: system_dirs.into_iter().map(Dir::from).collect(),
            levels: levels(bytes, target),
            cache_path: path_ending(bytes, b"/ld.so.cache").unwrap_or(CACHE_PATH).to_vec(),
            arch: Vec::new(),
        }
    }

    pub fn of_musl(bytes: &[u8], target: &Target) -> About {
        let scanned = between(bytes, b"/etc/ld-musl-", b".path");
        let arch = scanned.or_else(|| machine::musl_arch(target).map(str::as_bytes)).unwrap_or_default();
        let compiled = strings_from(bytes, b"/lib:").next().unwrap_or(musl::DEFAULT_PATH);
        About {
            version: Version(0, 0),
            debian: false,
            system_dirs: musl::split(compiled),
            read_dirs: true,
            lib: Vec::new(),
            levels: Vec::new(),
            cache_path: Vec::new(),
            arch: arch.to_vec(),
        }
    }
}

/// `ld.so (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36.`
fn banner(bytes: &[u8]) -> Option<&[u8]> {
    strings_from(bytes, b"ld.so (").find(|line| contains(line, b" release version "))
}

fn version_of_banner(banner: &[u8]) -> Option<Version> {
    let marker = b" release version ";
    let at = memmem::find(banner, marker)?;
    version_at(&banner[at + marker.len()..])
}

/// `ld-2.31.so`.
fn version_of_name(name: &[u8]) -> Option<Version> {
    version_at(name.strip_prefix(b"ld-")?)
}

fn version_at(text: &[u8]) -> Option<Version> {
    let (major, rest) = number(text)?;
    let (minor, _) = number(rest.strip_prefix(b".")?)?;
    Some(Version(major, minor))
}

fn number(text: &[u8]) -> Option<(u32, &[u8])> {
    let len = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let digits = std::str::from_utf8(&text[..len]).ok()?;
    Some((digits.parse().ok()?, &text[len..]))
}

/// Debian sets `$LIB` to the whole of the first directory, upstream to its last part.
fn lib_token(dirs: &[Vec<u8>], debian: bool) -> Vec<u8> {
    let first = dirs.first().map_or(&b"/lib/"[..], Vec::as_slice);
    let inner = &first[1..first.len() - 1];
    if debian { inner.to_vec() } else { crate::path::basename(inner).to_vec() }
}

fn levels(bytes: &[u8], target: &Target) -> Vec<Vec<u8>> {
    let known = hwcaps::known_levels(target);
    let Some(last) = known.last() else { return Vec::new() };
    // The list is one string, `x86-64-v4:x86-64-v3:x86-64-v2`; which names it
    // starts with depends on the version.
    let compiled = known.iter().find_map(|first| {
        let whole = |s: &&[u8]| s[first.len()..].starts_with(b":") && s.ends_with(last.as_bytes());
        strings_from(bytes, first.as_bytes()).find(whole)
    });
    compiled.map_or(Vec::new(), |list| list.split(|&b| b == b':').map(<[u8]>::to_vec).collect())
}

/// The run of NUL-terminated absolute directories, each with a slash at its
/// end, that glibc keeps as `system_dirs`. All loaders tried hold just one such
/// run, once or twice; of several, the longer and the more frequent is taken.
fn system_dirs(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut runs: Vec<(Vec<Vec<u8>>, usize)> = Vec::new();
    let mut at = 0;
    while let Some(slash) = memchr(b'/', &bytes[at..]) {
        let start = at + slash;
        let (run, end) = run_at(bytes, start);
        at = end.max(start + 1);
        if !is_system_dirs(&run) {
            continue;
        }
        match runs.iter_mut().find(|(known, _)| *known == run) {
            Some((_, copies)) => *copies += 1,
            None => runs.push((run, 1)),
        }
    }
    runs.into_iter()
        .rev()
        .max_by_key(|(run, copies)| (run.len(), *copies))
        .map(|(run, _)| run)
        .unwrap_or_default()
}

fn run_at(bytes: &[u8], start: usize) -> (Vec<Vec<u8>>, usize) {
    let mut run = Vec::new();
    let mut end = start;
    while let Some(len) = directory_at(&bytes[end..]) {
        run.push(bytes[end..end + len].to_vec());
        end += len + 1;
    }
    (run, end)
}

/// The length of `(/(segment/)+)` if a NUL follows it.
fn directory_at(bytes: &[u8]) -> Option<usize> {
    const LONGEST: usize = 256;
    let is_path_char = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'+' | b'-' | b'/');
    let len = bytes.iter().take(LONGEST).position(|b| !is_path_char(b))?;
    let text = &bytes[..len];
    let whole = len > 2 && bytes[len] == 0 && text.starts_with(b"/") && text.ends_with(b"/");
    (whole && !contains(text, b"//")).then_some(len)
}

fn is_system_dirs(run: &[Vec<u8>]) -> bool {
    const NEVER: [&[u8]; 7] = [b"/proc/", b"/dev/", b"/var/", b"/tmp/", b"/etc/", b"/sys/", b"/run/"];
    let has_lib = |dir: &Vec<u8>| dir.split(|&b| b == b'/').any(|part| part.starts_with(b"lib"));
    !run.is_empty() && run.iter().all(has_lib) && !NEVER.iter().any(|never| run[0].starts_with(never))
}

/// Where the file could not be read for them: Debian's layout where it has a
/// name for the machine, behind it what upstream and Fedora compile in.
fn fallback_dirs(target: &Target) -> Vec<Vec<u8>> {
    let wide = target.class == crate::elf::Class::Elf64;
    let mut dirs: Vec<String> = Vec::new();
    if let Some(tuple) = machine::debian_tuple(target) {
        dirs.extend([format!("/lib/{tuple}/"), format!("/usr/lib/{tuple}/")]);
    }
    if wide {
        dirs.extend(["/lib64/".into(), "/usr/lib64/".into()]);
    }
    dirs.extend(["/lib/".into(), "/usr/lib/".into()]);
    dirs.into_iter().map(String::into_bytes).collect()
}

/// Every NUL-terminated string that starts with `prefix`.
fn strings_from<'a>(bytes: &'a [u8], prefix: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + memmem::find(&bytes[at..], prefix)?;
        let len = memchr2(0, b'\n', &bytes[start..]).unwrap_or(bytes.len() - start);
        at = start + len;
        Some(&bytes[start..start + len])
    })
}

/// What stands between the first `before` that is followed by a short text and `after`.
fn between<'a>(bytes: &'a [u8], before: &'a [u8], after: &[u8]) -> Option<&'a [u8]> {
    let text = |s: &'a [u8]| s[before.len()..].strip_suffix(after).filter(|t| !t.is_empty() && t.len() < 32);
    strings_from(bytes, before).find_map(text)
}

/// An absolute path that ends in `ending`.
fn path_ending<'a>(bytes: &'a [u8], ending: &[u8]) -> Option<&'a [u8]> {
    let at = memmem::find(bytes, ending)?;
    let start = memrchr(0, &bytes[..at]).map_or(0, |nul| nul + 1);
    let end = at + ending.len();
    let whole = bytes[start] == b'/' && bytes.get(end) == Some(&0);
    whole.then(|| &bytes[start..end])
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    memmem::find(bytes, wanted).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::{Class, Order};

    const AMD64: Target = Target { class: Class::Elf64, order: Order::Little, machine: 62, flags: 0 };

    fn dirs(about: &About) -> Vec<String> {
        about.system_dirs.iter().map(|d| String::from_utf8_lossy(d).into_owned()).collect()
    }

    #[test]
    fn debian_says_its_tuple_twice() {
        let bytes = b"\x00/etc/ld.so.cache\0\x01/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0\0\
            ld.so (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36.\n\0x86-64-v4:x86-64-v3:x86-64-v2\0\
            /lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0/proc/self/\0";
        let about = About::of_glibc(bytes, b"ld-linux-x86-64.so.2", &AMD64);
        assert_eq!(about.version, Version(2, 36));
        assert!(about.debian);
        assert_eq!(
            dirs(&about),
            ["/lib/x86_64-linux-gnu/", "/usr/lib/x86_64-linux-gnu/", "/lib/", "/usr/lib/"]
        );
        assert_eq!(about.lib, b"lib/x86_64-linux-gnu");
        assert_eq!(about.levels.len(), 3);
        assert_eq!(about.cache_path, b"/etc/ld.so.cache");
    }

    #[test]
    fn fedora_has_two_directories_and_arch_one() {
        let fedora = b"\0ld.so (GNU libc) stable release version 2.43.\n\0/lib64/\0/usr/lib64/\0";
        let about = About::of_glibc(fedora, b"", &AMD64);
        assert_eq!(
            (dirs(&about).join(" "), about.lib.as_slice()),
            ("/lib64/ /usr/lib64/".into(), &b"lib64"[..])
        );
        assert!(!about.debian);
        let arch = b"\0ld.so (GNU libc) stable release version 2.41.\n\0/usr/lib/\0";
        let about = About::of_glibc(arch, b"", &AMD64);
        assert_eq!((dirs(&about).join(" "), about.lib.as_slice()), ("/usr/lib/".into(), &b"lib"[..]));
    }

    #[test]
    fn an_old_loader_says_its_version_by_its_name() {
        let bytes = b"\0/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0";
        let about = About::of_glibc(bytes, b"ld-2.31.so", &AMD64);
        assert_eq!(about.version, Version(2, 31));
        assert!(about.debian, "no banner, but a multiarch directory");
    }

    #[test]
    fn a_cache_in_a_store_is_found() {
        let bytes = b"\0/nix/store/abc-glibc-2.38/etc/ld.so.cache\0/nix/store/abc-glibc-2.38/lib/\0";
        let about = About::of_glibc(bytes, b"", &AMD64);
        assert_eq!(about.cache_path, b"/nix/store/abc-glibc-2.38/etc/ld.so.cache");
        assert_eq!(dirs(&about), ["/nix/store/abc-glibc-2.38/lib/"]);
    }

    #[test]
    fn musl_names_its_machine_in_its_path_file() {
        let bytes = b"\0/lib:/usr/local/lib:/usr/lib\0%.*s/etc/ld-musl-riscv64.path\0";
        let about = About::of_musl(bytes, &AMD64);
        assert_eq!(about.arch, b"riscv64");
        assert_eq!(dirs(&about), ["/lib/", "/usr/local/lib/", "/usr/lib/"]);
        assert_eq!(About::of_musl(b"", &AMD64).arch, b"x86_64", "the table, where the file says nothing");
    }
}
