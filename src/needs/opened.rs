//! What an object that opens libraries names among its constants: a library by its
//! whole path, which it opens; a directory that holds libraries, or a library by
//! its name, which it may open.
//!
//! Of fifty programs most plug-ins were loaded from a directory that such an
//! object names, and one name in thirty was loaded: the first is a good hint, the
//! second a weak one.

use std::collections::BTreeSet;

use super::constants::{Room, each_word};
use super::engine::{self, Need, Scene};
use super::rules::Action;
use super::{Want, Wanted, places};
use crate::closure::{Found, Object, Seen};
use crate::elf::Kind;
use crate::loader::conf::matches;
use crate::parallel;
use crate::root::{DirId, FileId, resolve_dir};

pub(super) const PATH: &str = "dlopen-path";
pub(super) const DIR: &str = "dlopen-dir";
pub(super) const NAME: &str = "dlopen-name";

/// Functions that open a library by what they are given.
pub(super) const OPENERS: [&str; 11] = [
    "PR_LoadLibrary",
    "PR_LoadLibraryWithFlags",
    "SDL_LoadObject",
    "apr_dso_load",
    "dlmopen",
    "dlopen",
    "g_module_open",
    "g_module_open_full",
    "lt_dlopen",
    "lt_dlopenadvise",
    "lt_dlopenext",
];

/// Longer strings are no paths.
const PATH_MAX: usize = 4096;

/// So many directories or names of one object are shown.
const MOST_SHOWN: usize = 3;

/// So many files of a directory are looked at: the first library will do.
const MOST_LISTED: usize = 64;

/// Directories of programs, of data and of what is not opened by dlopen; and those
/// that rules know.
const NO_PLUGINS: [&[u8]; 13] = [
    b"bin",
    b"debug",
    b"include",
    b"libexec",
    b"sbin",
    b"share",
    b"systemd",
    b"tmp",
    b"dri",
    b"engines-1.1",
    b"engines-3",
    b"gconv",
    b"ossl-modules",
];

/// What libraries of nearly every program name, for machines that boot: policies of
/// SELinux, verified disks of libmount, the mouse of a console.
const OF_MACHINES: [&[u8]; 4] = [b"libsepol.so.*", b"libcryptsetup.so.*", b"libgpm.so.*", b"libaudit.so.*"];

/// So many files are worth a thread.
const MANY: usize = 8;

/// The texts of each object that may name what it opens.
pub(super) fn texts(scene: &Scene<'_, '_>, objects: &[&Object]) -> Vec<BTreeSet<Vec<u8>>> {
    let (opener, last) = (scene.session.opener(), &scene.constants);
    let files: Vec<&Found> = objects.iter().map(|object| &object.found).collect();
    parallel::map(&files, MANY, |room: &mut Room, found| {
        let mut texts = BTreeSet::new();
        let mut take = |word: &[u8]| {
            if is_of_interest(word) {
                texts.insert(word.to_vec());
            }
        };
        match last.are_of(found) {
            true => last.words().for_each(take),
            false => each_word(room, opener, found, &mut take),
        }
        texts
    })
}

/// What one object names, without what it loads anyway and what rules have met.
pub(super) fn of_object(
    scene: &mut Scene<'_, '_>,
    loader: &[u8],
    object: &Object,
    texts: &BTreeSet<Vec<u8>>,
    covered: &BTreeSet<Vec<u8>>,
) -> Vec<Need> {
    let facts = object.found.facts();
    let is_searched = |text: &[u8]| [facts.rpath(), facts.runpath()].contains(&Some(text));
    let texts = texts.iter().filter(|text| !is_searched(text));
    // Lists of directories are written as in PATH.
    let parts: BTreeSet<&[u8]> = texts.flat_map(|text| text.split(|&b| b == b':')).collect();
    let (libraries, others): (Vec<&[u8]>, Vec<&[u8]>) = parts.into_iter().partition(|text| is_library(text));
    let (paths, names): (Vec<&[u8]>, Vec<&[u8]>) =
        libraries.into_iter().partition(|text| text.starts_with(b"/"));
    let paths = paths.into_iter().filter_map(|path| of_path(scene, object, path));
    let path = need(PATH, object, paths.collect());
    // Who has notes says there what its names mean.
    let has_notes = !object.found.facts().dlopen_notes.is_empty();
    let names = names.into_iter().filter(|_| !has_notes);
    let names = names.filter_map(|name| of_name(scene, loader, object, name));
    let name = need(NAME, object, names.collect());
    // `/usr/bin/../lib/plugins` is `/usr/lib/plugins` once more.
    let mut met = BTreeSet::new();
    let dirs = others.into_iter().filter_map(|dir| of_dir(scene, loader, object, dir, covered, &mut met));
    let dir = need(DIR, object, dirs.collect());
    [path, dir, name].into_iter().flatten().collect()
}

/// A name, and what it stands for.
type Named = (Vec<u8>, Vec<Want>);

fn need(rule: &'static str, object: &Object, named: Vec<Named>) -> Option<Need> {
    let shown: Vec<&[u8]> = named.iter().take(MOST_SHOWN).map(|(name, _)| &name[..]).collect();
    let mut trigger = shown.join(&b" "[..]);
    if named.len() > MOST_SHOWN {
        trigger.extend_from_slice(format!(" and {} more", named.len() - MOST_SHOWN).as_bytes());
    }
    let prevents = format!("{} does not find {}", object.path.escape_ascii(), trigger.escape_ascii());
    let trigger = [&trigger, &b" in "[..], &object.path].concat();
    let cure = match &named[..] {
        [] => return None,
        [(name, _)] if rule == DIR => format!("--include {}", name.escape_ascii()),
        _ => format!("--with {rule}"),
    };
    let mut wanted = Wanted::default();
    named.into_iter().for_each(|(_, wants)| wanted.want(wants));
    let action = if rule == PATH { Action::Collect } else { Action::Suggest };
    Some(Need { rule, action, trigger, prevents, cure, wanted })
}

fn of_path(scene: &mut Scene<'_, '_>, object: &Object, path: &[u8]) -> Option<Named> {
    is_new_library(scene, object, path).then(|| (path.to_vec(), vec![Want::Path(path.to_vec())]))
}

fn of_name(scene: &mut Scene<'_, '_>, loader: &[u8], object: &Object, name: &[u8]) -> Option<Named> {
    if engine::is_loaded(scene.closure, name) || OF_MACHINES.iter().any(|known| matches(known, name)) {
        return None;
    }
    let path = scene.session.library(loader, name)?;
    let wants = is_new_library(scene, object, &path).then(|| engine::library(scene, loader, name))??;
    Some((name.to_vec(), wants))
}

/// It is a library for the same process, and not in it.
fn is_new_library(scene: &mut Scene<'_, '_>, object: &Object, path: &[u8]) -> bool {
    let is_loaded = |id: FileId| scene.closure.objects.iter().any(|one| one.found.file.stat.id == id);
    let facts = object.found.facts();
    let Seen::File(found) = scene.session.look(b"", path) else { return false };
    let fits = found.file.elf.as_ref().is_ok_and(|elf| {
        elf.kind() == Kind::Library && (elf.class, elf.header.machine) == (facts.class, facts.header.machine)
    });
    fits && !is_loaded(found.file.stat.id)
}

fn of_dir(
    scene: &mut Scene<'_, '_>,
    loader: &[u8],
    object: &Object,
    dir: &[u8],
    covered: &BTreeSet<Vec<u8>>,
    met: &mut BTreeSet<DirId>,
) -> Option<Named> {
    let root = scene.session.root;
    let (id, _) = resolve_dir(root, DirId::TOP, dir).ok()?;
    if !met.insert(id) {
        return None;
    }
    let real = root.real_path(id);
    let (_, system) = scene.session.loader(loader)?.system_dirs(root);
    let is_real = |dir: &[u8]| resolve_dir(root, DirId::TOP, dir).is_ok_and(|(dir, _)| dir == id);
    let is_noise = real.as_bytes().split(|&b| b == b'/').any(|part| NO_PLUGINS.contains(&part));
    if is_noise || covered.contains(real.as_bytes()) || system.iter().any(|dir| is_real(dir)) {
        return None;
    }
    let items = root.list(id).ok()?;
    let mut names = items.iter().map(|item| &item.name[..]).filter(|name| matches(b"*.so", name));
    let has_library = names
        .by_ref()
        .take(MOST_LISTED)
        .any(|name| is_new_library(scene, object, &[dir, b"/", name].concat()));
    let plain = places::normal(dir);
    // Behind a link `..` leads elsewhere.
    let shown = if is_real(&plain) { plain } else { real.as_bytes().to_vec() };
    has_library.then(|| (shown, vec![Want::Path(dir.to_vec())]))
}

/// A path, a list of paths, or the name of a library.
fn is_of_interest(text: &[u8]) -> bool {
    let is_path = text.starts_with(b"/") && text[1..].contains(&b'/');
    (is_path || is_library(text)) && text.len() < PATH_MAX && !text.contains(&b'%')
}

fn is_library(text: &[u8]) -> bool {
    text.len() > 3 && (text.ends_with(b".so") || text.windows(4).any(|part| part == b".so."))
}
