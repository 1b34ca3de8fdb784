//! Texts of a program that say which data it means: a time zone beside `tzset`, a
//! locale beside `setlocale`, a character set beside `iconv_open`, a program
//! beside `exec`.
//!
//! Only whole texts count, and only those that the root has. Who holds many of
//! a kind holds a table, and none of it says what will be asked for.

use std::collections::{BTreeMap, BTreeSet};

use super::engine::Scene;
use super::rules::Literal;
use super::{Want, locale, look, places, tz};
use crate::closure::Seen;
use crate::elf::Kind;

/// What each text stands for.
pub(super) type Named = Vec<(Vec<u8>, Vec<Want>)>;

/// More than these are a table.
const MOST: usize = 8;

/// Longer texts are no names.
const LONG: usize = 128;

/// What the texts of the program stand for, and these.
pub(super) fn wanted(scene: &mut Scene<'_, '_>, loader: &[u8], literal: Literal) -> Named {
    let named = match literal {
        Literal::Charsets => charsets(scene, loader),
        Literal::Locales => locales(scene),
        Literal::Programs => programs(scene),
        Literal::Zones => zones(scene),
    };
    if named.len() > MOST { Named::new() } else { named }
}

fn of_program(scene: &mut Scene<'_, '_>, is_one: impl Fn(&[u8]) -> bool) -> BTreeSet<Vec<u8>> {
    let words = scene.of_program().words().filter(|word| word.len() < LONG);
    words.filter(|word| is_one(word)).map(<[u8]>::to_vec).collect()
}

/// `Europe/Berlin`. A word alone may be anything: `Cuba`, `EST`, `Navajo`.
fn zones(scene: &mut Scene<'_, '_>) -> Named {
    let root = scene.session.root;
    let is_plain = |text: &[u8]| text.iter().all(|b| b.is_ascii_alphanumeric() || b"_-+/".contains(b));
    let is_one = |text: &[u8]| text[0].is_ascii_uppercase() && text.contains(&b'/') && is_plain(text);
    let names = of_program(scene, is_one).into_iter();
    names.filter_map(|name| tz::zone(root, &name).map(|want| (name, vec![want]))).collect()
}

/// `de_DE.UTF-8`, `en_US`.
fn locales(scene: &mut Scene<'_, '_>) -> Named {
    let root = scene.session.root;
    let names = of_program(scene, is_locale).into_iter();
    let named = names.map(|name| (locale::of_root(root, &name), name)).map(|(wants, name)| (name, wants));
    named.filter(|(_, wants)| !wants.is_empty()).collect()
}

fn is_locale(text: &[u8]) -> bool {
    let end = text.iter().position(|b| matches!(b, b'.' | b'@')).unwrap_or(text.len());
    let Some(at) = text[..end].iter().position(|&b| b == b'_') else { return false };
    let (language, country) = (&text[..at], &text[at + 1..end]);
    matches!(language.len(), 2 | 3)
        && country.len() == 2
        && language.iter().all(u8::is_ascii_lowercase)
        && country.iter().all(u8::is_ascii_uppercase)
        && text[end..].iter().all(|b| b.is_ascii_alphanumeric() || b".@-".contains(b))
}

/// What starts a container makes these.
const GIVEN: [&[u8]; 4] = [b"/dev/", b"/etc/", b"/proc/", b"/sys/"];

/// Programs by their whole path, without the loader.
fn programs(scene: &mut Scene<'_, '_>) -> Named {
    let own = scene.closure.objects[0].found.file.stat.id;
    let is_path = |text: &[u8]| {
        let is_plain = || !text.iter().any(|b| b"%*:;,".contains(b));
        text.starts_with(b"/") && is_plain() && !GIVEN.iter().any(|top| text.starts_with(top))
    };
    let paths = of_program(scene, is_path);
    let is_program = |path: &Vec<u8>| match scene.session.look(b"", path) {
        Seen::File(found) => {
            let kind = found.file.elf.as_ref().map(|facts| facts.kind());
            let is_none = matches!(kind, Ok(Kind::Library | Kind::Loader | Kind::Other));
            found.file.stat.mode & 0o111 != 0 && !is_none && found.file.stat.id != own
        }
        Seen::Error { .. } | Seen::Directory | Seen::Special(_) | Seen::Unreadable(_) => false,
    };
    paths.into_iter().filter(is_program).map(|path| (path.clone(), vec![Want::Path(path)])).collect()
}

/// The modules for the character sets that the program names, and what leads to them.
fn charsets(scene: &mut Scene<'_, '_>, loader: &[u8]) -> Named {
    let mut lib = |pattern: &[u8]| places::in_lib(scene, loader, &[b"gconv/", pattern].concat());
    let lists = [lib(b"gconv-modules"), lib(b"gconv-modules.d/*.conf")].concat();
    let index = lib(b"gconv-modules.cache");
    let root = scene.session.root;
    let texts = lists.iter().map(|list| look::text_of(root, list));
    let known = Charsets::of(&texts.collect::<Vec<_>>().join(&b'\n'));
    // Where there is an index, the lists are not read.
    let index: Vec<Want> = if index.is_empty() { lists } else { index }.into_iter().map(Want::Path).collect();
    let mut named = Named::new();
    for name in of_program(scene, is_charset) {
        let Some(file) = known.module(&name) else { continue };
        let module = places::in_lib(scene, loader, &[b"gconv/", file, b".so"].concat());
        if let [module] = &module[..] {
            named.push((name, [&[Want::Path(module.clone())], &index[..]].concat()));
        }
    }
    named
}

/// It has a digit or a hyphen, as few other words have.
fn is_charset(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 4] = [b"SJIS", b"GBK", b"UHC", b"JOHAB"];
    let text = bare(text);
    let has = |is_it: fn(&u8) -> bool| text.iter().any(is_it);
    let is_name = || text.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(b));
    let is_marked = || has(u8::is_ascii_alphabetic) && has(|b| b.is_ascii_digit() || b"-_".contains(b));
    text.len() > 2 && is_name() && (is_marked() || WORDS.iter().any(|word| word.eq_ignore_ascii_case(text)))
}

/// `gconv-modules` (iconvconfig(8)): sets, other names of them, and their modules.
#[derive(Debug, Default)]
struct Charsets {
    aliases: BTreeMap<Vec<u8>, Vec<u8>>,
    modules: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Charsets {
    fn of(text: &[u8]) -> Charsets {
        let mut known = Charsets::default();
        for line in text.split(|&b| b == b'\n') {
            let line = line.split(|&b| b == b'#').next().unwrap_or_default();
            let words: Vec<&[u8]> = line.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty()).collect();
            match words[..] {
                [b"alias", alias, set, ..] => {
                    known.aliases.insert(plain(alias), plain(set));
                }
                [b"module", from, to, file, ..] => {
                    let set = if from == b"INTERNAL" { to } else { from };
                    known.modules.entry(plain(set)).or_insert_with(|| file.to_vec());
                }
                _ => {}
            }
        }
        known
    }

    fn module(&self, name: &[u8]) -> Option<&[u8]> {
        let name = plain(name);
        let set = self.aliases.get(&name).unwrap_or(&name);
        self.modules.get(set).map(Vec::as_slice)
    }
}

/// `utf-16//TRANSLIT` as `UTF-16`: glibc compares in capital letters.
fn plain(name: &[u8]) -> Vec<u8> {
    bare(name).to_ascii_uppercase()
}

fn bare(name: &[u8]) -> &[u8] {
    let end = name.windows(2).position(|part| part == b"//").unwrap_or(name.len());
    &name[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_set_has_a_module() {
        let known = Charsets::of(
            b"# comment\nalias\tSJIS-WIN//\tCP932//\nmodule INTERNAL CP932// IBM943 1\n\
              module\tCP932//\tINTERNAL\tIBM943\t1\nmodule EUC-JP// INTERNAL EUC-JP 1\nalias X\nword\n",
        );
        for (name, expected) in [
            ("CP932", "IBM943"),
            ("cp932//TRANSLIT", "IBM943"),
            ("sjis-win", "IBM943"),
            ("EUC-JP", "EUC-JP"),
            ("UTF-8", ""),
        ] {
            let file = known.module(name.as_bytes()).unwrap_or_default();
            assert_eq!(file, expected.as_bytes(), "{name}");
        }
    }

    #[test]
    fn names_look_like_names() {
        for (text, locale, charset) in [
            ("de_DE.UTF-8", true, true),
            ("de_DE@euro", true, false),
            ("en_US", true, true),
            ("C.UTF-8", false, true),
            ("a_B", false, true),
            ("de_de", false, true),
            ("GB18030", false, true),
            ("sjis//TRANSLIT", false, true),
            ("GREEK", false, false),
            ("866", false, false),
            ("an error-text", false, false),
        ] {
            assert_eq!(is_locale(text.as_bytes()), locale, "{text}");
            assert_eq!(is_charset(text.as_bytes()), charset, "{text}");
        }
    }
}
