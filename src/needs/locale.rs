//! `--locale`: what `setlocale` of glibc reads for a name.
//!
//! Without it a program stays in `C`, silently: its character set is ASCII.
//! `C.UTF-8` is no exception, it is a directory as any other (glibc 2.35 has
//! only its source). musl has UTF-8 built in and reads nothing.

use super::distro::{self, Family};
use super::{Asked, NO_DATA, Want, Wanted, finding, look};
use crate::finding::Finding;
use crate::root::{DirId, ItemKind, Root, resolve_dir};

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

fn one(root: &dyn Root, name: &[u8], asked: Asked, wanted: &mut Wanted) {
    if BUILT_IN.contains(&name) {
        return;
    }
    if name.is_empty() || name.iter().any(|b| matches!(b, b'/' | 0)) || name.starts_with(b".") {
        let message = format!("`{}` is no name of a locale", name.escape_ascii());
        wanted.findings.push(finding(asked.severity(), NO_DATA, OPTION, message, None));
        return;
    }
    match directory(root, name) {
        Some(path) => wanted.want(with_targets(root, &path)),
        None if is_musl(root) => {}
        None => wanted.findings.push(missing(root, name, asked)),
    }
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
    let shown = name.escape_ascii();
    let source = name.split(|&b| matches!(b, b'.' | b'@')).next().unwrap_or_default().escape_ascii();
    let localedef = format!(
        "`localedef --no-archive -i {source} -f UTF-8 {TOP}/{}` in the build stage",
        normalized(name).escape_ascii()
    );
    if look::open(root, ARCHIVE.as_bytes()).is_ok() {
        let message = format!("`{shown}` has no directory in `{TOP}`, and `locale-archive` cannot be cut");
        return finding(asked.severity(), NO_DATA, OPTION, message, Some(localedef.into_bytes()));
    }
    let is_c = name.starts_with(b"C.");
    let language: String = source.to_string().split('_').next().unwrap_or_default().to_owned();
    let fedora = if is_c { "glibc-minimal-langpack".into() } else { format!("glibc-langpack-{language}") };
    let debian = if is_c { "libc-bin" } else { "locales-all" };
    let packages =
        [(Family::Debian, debian), (Family::Fedora, &fedora[..]), (Family::Suse, "glibc-locale-base")];
    let install = distro::install(root, "glibc-locales", &packages);
    let message = format!("the root has no locale `{shown}`");
    finding(asked.severity(), NO_DATA, OPTION, message, Some(install.into_bytes()))
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
