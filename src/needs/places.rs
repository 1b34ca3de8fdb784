//! Where the files of a rule are: patterns with placeholders, and paths that a
//! file holds among its constants.

use std::collections::BTreeSet;

use super::engine::Scene;
use super::{Want, look};
use crate::closure::{Found, Object};
use crate::loader::conf::matches;
use crate::path::basename;
use crate::root::{DirId, ItemKind, Opened, Root, resolve, resolve_dir};

/// Stands for a version in the name of a file: digits, and dots between them.
const VERSION: &str = "{v}";

/// Stands for the name of the program: it may have files that are called after it.
const PROGRAM: &str = "{program}";

/// Longer strings are no paths.
const PATH_MAX: usize = 4096;

/// What set a rule off.
pub(super) struct Cause {
    pub(super) words: Vec<u8>,
    /// The program or the library, if the rule asked for its name.
    file: Option<Found>,
    /// The part of that name that stands for [`VERSION`].
    version: Option<Vec<u8>>,
}

impl Cause {
    pub(super) fn of_words(words: Vec<u8>) -> Cause {
        Cause { words, file: None, version: None }
    }

    /// The path of the file that was asked for its name; empty if none was.
    pub(super) fn path(&self) -> &[u8] {
        if self.file.is_some() { &self.words } else { b"" }
    }

    /// `None`: its name does not fit.
    pub(super) fn of_file(object: &Object, pattern: &str, name: &[u8]) -> Option<Cause> {
        let version = fit(pattern, name)?;
        let file = Some(object.found.clone());
        Some(Cause { words: object.path.to_vec(), file, version: (!version.is_empty()).then_some(version) })
    }
}

/// The version in a name that fits a pattern; none if the pattern asks for none.
fn fit(pattern: &str, name: &[u8]) -> Option<Vec<u8>> {
    let Some((before, behind)) = pattern.split_once(VERSION) else {
        return matches(pattern.as_bytes(), name).then(Vec::new);
    };
    let rest = name.strip_prefix(before.as_bytes())?;
    let len = rest.iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
    let len = rest[..len].iter().rposition(|b| *b != b'.')? + 1;
    matches(behind.as_bytes(), &rest[len..]).then(|| rest[..len].to_vec())
}

/// What the patterns of a rule are about.
pub(super) struct Places<'p> {
    pub(super) loader: &'p [u8],
    pub(super) cause: &'p Cause,
    /// Names that are left where they are, in a directory that is wanted.
    pub(super) except: &'p [&'static str],
}

impl Places<'_> {
    /// The paths of the root that patterns with placeholders stand for.
    pub(super) fn of(&self, scene: &mut Scene<'_, '_>, patterns: &[&str]) -> Vec<Want> {
        let paths = self.paths(scene, patterns);
        self.wants(scene.session.root, paths)
    }

    pub(super) fn paths(&self, scene: &mut Scene<'_, '_>, patterns: &[&str]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        for pattern in patterns {
            let spelled = self.spelled(scene, pattern);
            let root = scene.session.root;
            let mut paths = first(root, &spelled);
            if pattern.ends_with('/') {
                paths.retain(|path| look::is_dir(root, path));
            }
            found.extend(paths);
        }
        found
    }

    /// The pattern without its placeholders, for each directory that one may stand for.
    fn spelled(&self, scene: &mut Scene<'_, '_>, pattern: &str) -> Vec<Vec<u8>> {
        let root = scene.session.root;
        let Some(pattern) = self.versioned(pattern) else { return Vec::new() };
        let below = |dir: &[u8], rest: &[u8]| normal(&[dir, rest].concat());
        if let Some(rest) = pattern.strip_prefix(b"{lib}") {
            return below_lib(scene, self.loader, rest);
        }
        match pattern.strip_prefix(b"{dir}") {
            Some(rest) => {
                let dirs = self.cause.file.iter().map(|file| root.real_path(file.dir));
                dirs.map(|dir| below(&[dir.as_bytes(), b"/"].concat(), rest)).collect()
            }
            None => of_program(scene, pattern).into_iter().collect(),
        }
    }

    fn versioned(&self, pattern: &str) -> Option<Vec<u8>> {
        let Some((before, behind)) = pattern.split_once(VERSION) else { return Some(pattern.into()) };
        let version = self.cause.version.as_ref()?;
        Some([before.as_bytes(), version, behind.as_bytes()].concat())
    }

    /// The paths of the root that the file holds, of those that fit a pattern.
    pub(super) fn constants(&self, scene: &mut Scene<'_, '_>, patterns: &[&str]) -> Vec<Want> {
        let held = self.held(scene, patterns);
        self.wants(scene.session.root, held)
    }

    pub(super) fn held(&self, scene: &mut Scene<'_, '_>, patterns: &[&str]) -> Vec<Vec<u8>> {
        let root = scene.session.root;
        let Some(file) = &self.cause.file else { return Vec::new() };
        let patterns: Vec<Vec<u8>> = patterns.iter().filter_map(|pattern| self.versioned(pattern)).collect();
        let fits = |path: &&[u8]| patterns.iter().any(|pattern| matches(pattern, path));
        let paths = paths_in(scene.constants(file).bytes());
        let held: BTreeSet<Vec<u8>> = paths.filter(fits).map(<[u8]>::to_vec).collect();
        held.into_iter().filter(|path| resolve(root, DirId::TOP, path).is_ok()).collect()
    }

    /// A directory with exceptions is wanted name by name, without links that lead nowhere.
    fn wants(&self, root: &dyn Root, paths: impl IntoIterator<Item = Vec<u8>>) -> Vec<Want> {
        let mut wants = Vec::new();
        for path in paths {
            match resolve_dir(root, DirId::TOP, &path) {
                Ok((dir, _)) if !self.except.is_empty() => {
                    let items = root.list(dir).unwrap_or_default();
                    let items = items.iter().filter(|item| !self.is_excepted(&item.name));
                    let leads = |path: &[u8]| resolve(root, DirId::TOP, path).is_ok();
                    let items = items.map(|item| (item.kind, [&path[..], b"/", &item.name].concat()));
                    let items = items.filter(|(kind, path)| *kind != ItemKind::Link || leads(path));
                    wants.extend(items.map(|(_, path)| path));
                }
                Ok(_) | Err(_) => wants.push(path),
            }
        }
        wants.into_iter().map(Want::Path).collect()
    }

    fn is_excepted(&self, name: &[u8]) -> bool {
        self.except.iter().any(|pattern| matches(pattern.as_bytes(), name))
    }
}

/// The files of a name or pattern in the first directory of the loader that has any.
pub(super) fn in_lib(scene: &mut Scene<'_, '_>, loader: &[u8], pattern: &[u8]) -> Vec<Vec<u8>> {
    let spelled = below_lib(scene, loader, pattern);
    first(scene.session.root, &spelled)
}

fn below_lib(scene: &mut Scene<'_, '_>, loader: &[u8], rest: &[u8]) -> Vec<Vec<u8>> {
    let root = scene.session.root;
    let dirs = scene.session.loader(loader).map(|runtime| runtime.system_dirs(root).1);
    dirs.iter().flat_map(|dirs| dirs.iter()).map(|dir| [dir, rest].concat()).collect()
}

/// `/lib` and `/usr/lib` may be one directory: it is wanted once.
fn first(root: &dyn Root, spelled: &[Vec<u8>]) -> Vec<Vec<u8>> {
    spelled.iter().map(|path| look::expand(root, path)).find(|paths| !paths.is_empty()).unwrap_or_default()
}

/// A path with the program's name in it. A name is no pattern.
fn of_program(scene: &Scene<'_, '_>, pattern: Vec<u8>) -> Option<Vec<u8>> {
    let at = pattern.windows(PROGRAM.len()).position(|part| part == PROGRAM.as_bytes());
    let Some(at) = at else { return Some(pattern) };
    let name = basename(&scene.closure.program);
    let is_plain = name.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(b));
    is_plain.then(|| [&pattern[..at], name, &pattern[at + PROGRAM.len()..]].concat())
}

/// A real path with `..` in it, without.
pub(super) fn normal(path: &[u8]) -> Vec<u8> {
    let mut names: Vec<&[u8]> = Vec::new();
    for name in path.split(|&b| b == b'/').filter(|name| !name.is_empty()) {
        match name {
            b"." => {}
            b".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    [b"/", &names.join(&b'/')[..]].concat()
}

/// Absolute paths among constants: whole strings, and parts of lists of paths.
fn paths_in(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_part = |b: &u8| b.is_ascii_alphanumeric() || b"/._+-".contains(b);
    let words = bytes.split(move |b| !is_part(b));
    let words = words.filter(|word| word.first() == Some(&b'/') && word.len() < PATH_MAX);
    words.map(|word| word.strip_suffix(b"/").unwrap_or(word)).filter(|word| !word.is_empty())
}

/// What links below wanted directories lead to, if that is a file outside: a tree
/// with a link into /etc is of no use without it.
pub(super) fn linked(root: &dyn Root, wants: &[Want]) -> Vec<Want> {
    let mut found = Vec::new();
    for want in wants {
        let Want::Path(top) = want else { continue };
        let Ok((dir, _)) = resolve_dir(root, DirId::TOP, top) else { continue };
        let names = look::names(root, dir, |_| true).unwrap_or_default();
        for link in names.iter().filter(|name| name.kind == ItemKind::Link) {
            let path = [top, &b"/"[..], &link.path].concat();
            if leads_out(root, dir, &path) {
                found.push(Want::Path(path));
            }
        }
    }
    found
}

/// It ends there, or passes a link there.
fn leads_out(root: &dyn Root, top: DirId, path: &[u8]) -> bool {
    let Ok(resolved) = resolve(root, DirId::TOP, path) else { return false };
    let top = root.real_path(top);
    let is_outside = |dir: DirId| {
        let dir = root.real_path(dir);
        !dir.as_bytes().strip_prefix(top.as_bytes()).is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
    };
    // The way to the directory itself may lead over links.
    let links = resolved.links.iter().skip_while(|(dir, ..)| is_outside(*dir));
    matches!(resolved.opened, Opened::File(_))
        && (is_outside(resolved.dir) || links.map(|(dir, ..)| *dir).any(is_outside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_out_of_a_name() {
        for (pattern, name, expected) in [
            ("python{v}", "python3.11", Some("3.11")),
            ("python{v}", "python3", Some("3")),
            ("python{v}", "python", None),
            ("python{v}", "python3.11d", None),
            ("python{v}", "ipython3", None),
            ("libpython{v}.so.*", "libpython3.11.so.1.0", Some("3.11")),
            ("libruby-{v}.so.*", "libruby-3.1.so.3.1", Some("3.1")),
            ("libtcl{v}.so*", "libtcl8.6.so", Some("8.6")),
            ("lua{v}", "lua..", None),
            ("perl", "perl", Some("")),
            ("perl", "perl5.36.0", None),
            ("perl5*", "perl5.36.0", Some("")),
        ] {
            let expected = expected.map(|version| version.as_bytes().to_vec());
            assert_eq!(fit(pattern, name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn paths_stand_in_lists_too() {
        let bytes = b"x\0/etc/perl\0.:/usr/share/awk\0/usr/lib/?.so;./?.so;/opt/l/?/init.lua\0//\0/a b /c/\0";
        let found: Vec<_> = paths_in(bytes).map(|path| String::from_utf8_lossy(path)).collect();
        assert_eq!(
            found,
            ["/etc/perl", "/usr/share/awk", "/usr/lib", "/opt/l", "/init.lua", "/", "/a", "/c"]
        );
    }

    #[test]
    fn a_path_without_dots() {
        for (path, expected) in [("/a/b/../c", "/a/c"), ("/a/./b/", "/a/b"), ("/../x", "/x"), ("/a/..", "/")]
        {
            assert_eq!(normal(path.as_bytes()), expected.as_bytes(), "{path}");
        }
    }
}
