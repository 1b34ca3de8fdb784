//! `--locale`: what `setlocale` of glibc reads for a name.
//!
//! Without it a program stays in `C`, silently: its character set is ASCII.
//! `C.UTF-8` is no exception, it is a directory as any other (glibc 2.35 has
//! only its source). musl has UTF-8 built in and reads nothing.

use std::io;

use super::distro::{self, Family};
use super::{Asked, Merge, NO_DATA, Want, Wanted, finding, look, way};
use crate::finding::Finding;
use crate::path::ImagePath;
use crate::root::{Access, DirId, ItemKind, Root, resolve_dir};

mod archive;

const OPTION: &str = "--locale";
const TOP: &str = "/usr/lib/locale";
const ARCHIVE: &str = "/usr/lib/locale/locale-archive";

/// glibc and musl have them built in.
const BUILT_IN: [&[u8]; 2] = [b"C", b"POSIX"];

pub fn wanted(root: &dyn Root, names: &[Vec<u8>], asked: Asked) -> Wanted {
    let mut wanted = Wanted::default();
    let before = wanted.findings.len();
    for name in names {
        one(root, name, asked, &mut wanted);
    }
    if let (Some(first), true) = (names.first(), wanted.findings.len() == before) {
        wanted.paste(OPTION, [b"ENV LANG=", &first[..]].concat());
    }
    wanted
}

/// A locale, if the root has it. Nothing is said where it has not.
pub(super) fn of_root(root: &dyn Root, name: &[u8]) -> Vec<Want> {
    match directory(root, name) {
        Some(path) => with_targets(root, &path),
        None => packed(root, name).ok().flatten().unwrap_or_default(),
    }
}

fn one(root: &dyn Root, name: &[u8], asked: Asked, wanted: &mut Wanted) {
    if BUILT_IN.contains(&name) {
        return;
    }
    if name.is_empty() || name.iter().any(|b| matches!(b, b'/' | 0)) || name.starts_with(b".") {
        let message = format!("`{}` is no name of a locale", name.escape_ascii());
        wanted.findings.push(finding(asked.severity(), NO_DATA, OPTION, message, None));
        return;
    }
    if let Some(path) = directory(root, name) {
        return wanted.want(with_targets(root, &path));
    }
    match packed(root, name) {
        Ok(Some(wants)) => wanted.want(wants),
        Ok(None) if is_musl(root) => {}
        Ok(None) => wanted.findings.push(missing(root, name, asked)),
        Err(error) => {
            let message = format!("cannot read `{ARCHIVE}`: {}", look::words(&error));
            wanted.findings.push(finding(asked.severity(), NO_DATA, OPTION, message, None));
        }
    }
}

/// A locale of the archive, as a directory: the archive is of all locales there are.
fn packed(root: &dyn Root, name: &[u8]) -> io::Result<Option<Vec<Want>>> {
    let archive = match look::open(root, ARCHIVE.as_bytes()) {
        Err(error) if look::is_absent(&error) => return Ok(None),
        archive => archive?,
    };
    let plain = normalized(name);
    let Some(parts) = archive::files(&archive, &plain)? else { return Ok(None) };
    let top = ImagePath::parse(TOP.as_bytes()).expect("our own paths are absolute");
    let top = way::follow(root, &top);
    let mut wants = top.links;
    for (part, bytes) in parts {
        let at = [top.at.as_bytes(), b"/", &plain, b"/", part.as_bytes()].concat();
        wants.push(Want::Made { at, bytes, access: Access::of_root(0o644), merge: Merge::Never });
    }
    Ok(Some(wants))
}

/// glibc tries a name as it is, then with its character set in plain letters.
fn directory(root: &dyn Root, name: &[u8]) -> Option<Vec<u8>> {
    let at = |name: &[u8]| [TOP.as_bytes(), b"/", name].concat();
    let paths = [at(name), at(&normalized(name))];
    paths.into_iter().find(|path| look::open(root, &[path, &b"/LC_CTYPE"[..]].concat()).is_ok())
}

/// `de_DE.UTF-8@euro` as `de_DE.utf8@euro` (`_nl_normalize_codeset` in intl/l10nflist.c).
fn normalized(name: &[u8]) -> Vec<u8> {
    let Some(dot) = name.iter().position(|&b| b == b'.') else { return name.to_vec() };
    let (language, rest) = name.split_at(dot + 1);
    let end = rest.iter().position(|&b| b == b'@').unwrap_or(rest.len());
    let (codeset, modifier) = rest.split_at(end);
    let plain: Vec<u8> = codeset.iter().filter(|b| b.is_ascii_alphanumeric()).copied().collect();
    let iso = if !plain.is_empty() && plain.iter().all(u8::is_ascii_digit) { &b"iso"[..] } else { b"" };
    [language, iso, &plain.to_ascii_lowercase(), modifier].concat()
}

/// A locale of Debian's `locales-all` consists mostly of links into others.
fn with_targets(root: &dyn Root, path: &[u8]) -> Vec<Want> {
    let names = resolve_dir(root, DirId::TOP, path).and_then(|(dir, _)| look::names(root, dir, |_| true));
    let links = names.unwrap_or_default().into_iter().filter(|name| name.kind == ItemKind::Link);
    let links = links.map(|link| Want::Path([path, b"/", &link.path[..]].concat()));
    std::iter::once(Want::Path(path.to_vec())).chain(links).collect()
}

/// Its only loader is musl's.
fn is_musl(root: &dyn Root) -> bool {
    let has = |dir: &str, start: &[u8]| {
        let names = resolve_dir(root, DirId::TOP, dir.as_bytes()).and_then(|(dir, _)| root.list(dir));
        names.unwrap_or_default().iter().any(|item| item.name.starts_with(start))
    };
    has("/lib", b"ld-musl-")
        && !["/lib", "/lib64"].into_iter().any(|dir| has(dir, b"ld-linux") || has(dir, b"ld64.so"))
}

fn missing(root: &dyn Root, name: &[u8], asked: Asked) -> Finding {
    let message = format!("the root has no locale `{}`", name.escape_ascii());
    let hint = localedef(root, name).unwrap_or_else(|| package(root, name));
    finding(asked.severity(), NO_DATA, OPTION, message, Some(hint.into_bytes()))
}

/// Makes the locale, if the root has its source.
fn localedef(root: &dyn Root, name: &[u8]) -> Option<String> {
    let (source, codeset) = (language(name), codeset(name)?);
    let path = [b"/usr/share/i18n/locales/", source].concat();
    look::open(root, &path).ok()?;
    let (source, codeset) = (source.escape_ascii(), codeset.escape_ascii());
    let to = normalized(name);
    let to = to.escape_ascii();
    Some(format!("`localedef --no-archive -i {source} -f {codeset} {TOP}/{to}` in the build stage makes it"))
}

fn package(root: &dyn Root, name: &[u8]) -> String {
    let is_c = language(name) == b"C";
    let short = name.split(|b| matches!(b, b'_' | b'.' | b'@')).next().unwrap_or_default();
    let langpack = format!("glibc-langpack-{}", short.escape_ascii());
    let fedora = if is_c { "glibc-minimal-langpack" } else { &langpack };
    let debian = if is_c { "libc-bin" } else { "locales-all" };
    let packages = [(Family::Debian, debian), (Family::Fedora, fedora), (Family::Suse, "glibc-locale-base")];
    distro::install(root, "glibc-locales", &packages)
}

/// `de_DE` of `de_DE.UTF-8@euro`.
fn language(name: &[u8]) -> &[u8] {
    name.split(|b| matches!(b, b'.' | b'@')).next().unwrap_or_default()
}

fn codeset(name: &[u8]) -> Option<&[u8]> {
    let behind = name.splitn(2, |&b| b == b'.').nth(1)?;
    behind.split(|&b| b == b'@').next().filter(|codeset| !codeset.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_set_is_written_in_plain_letters() {
        for (name, expected) in [
            ("C.UTF-8", "C.utf8"),
            ("de_DE.UTF-8@euro", "de_DE.utf8@euro"),
            ("ja_JP.EUC-JP", "ja_JP.eucjp"),
            ("en_US.8859-1", "en_US.iso88591"),
            ("en_US", "en_US"),
            ("en_US.", "en_US."),
        ] {
            assert_eq!(normalized(name.as_bytes()), expected.as_bytes(), "{name}");
        }
    }
}
