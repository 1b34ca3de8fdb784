//! `openssl.cnf`: providers that are active, and engines (config(5)).
//!
//! `openssl_conf` names a section, its `providers` a list, and each of the list a
//! section again, which says whether it counts and where its module lies.

use std::collections::BTreeSet;

use super::{Line, Said, What};
use crate::needs::config::parse::words;

/// They need no module.
const BUILT_IN: [&[u8]; 3] = [b"default", b"base", b"null"];

/// What refers to sections is looked up in all others: no file has more than this.
const MOST_ENTRIES: usize = 4000;

/// `KEY = VALUE`, in its section.
struct Entry<'l> {
    line: usize,
    section: &'l [u8],
    key: &'l [u8],
    value: &'l [u8],
}

pub(super) fn includes(line: &[u8]) -> Vec<Vec<u8>> {
    let rest = line.trim_ascii().strip_prefix(b".include");
    let rest =
        rest.filter(|rest| rest.starts_with(b" ") || rest.starts_with(b"\t") || rest.starts_with(b"="));
    let path = rest.map(|rest| rest.trim_ascii().strip_prefix(b"=").unwrap_or(rest).trim_ascii());
    path.filter(|path| !path.is_empty()).map(<[u8]>::to_vec).into_iter().collect()
}

pub(super) fn names(lines: &[Line]) -> Vec<Said> {
    let mut said = Vec::new();
    let entries = entries(lines, &mut said);
    let tops = of(&entries, b"").filter(|entry| entry.key.ends_with(b"_conf")).map(|entry| entry.value);
    let lists = tops.collect::<BTreeSet<_>>().into_iter().flat_map(|top| of(&entries, top));
    let lists = lists.filter(|list| matches!(list.key, b"providers" | b"engines"));
    let lists = lists.map(|list| (list.key == b"providers", list.value));
    // A section that is named twice is one list.
    for (has_providers, list) in lists.collect::<BTreeSet<_>>() {
        for one in of(&entries, list) {
            let what: Vec<&Entry<'_>> = of(&entries, one.value).collect();
            said.extend(if has_providers { provider(one, &what) } else { engine(one, &what) });
        }
    }
    said.sort_by_key(|said| said.line);
    said
}

fn of<'e, 'l>(entries: &'e [Entry<'l>], section: &'e [u8]) -> impl Iterator<Item = &'e Entry<'l>> {
    entries.iter().filter(move |entry| entry.section == section)
}

fn provider(one: &Entry<'_>, entries: &[&Entry<'_>]) -> Option<Said> {
    let get = |key: &[u8]| entries.iter().find(|entry| entry.key == key);
    let is_off = |value: &[u8]| [&b"0"[..], b"no", b"false", b"off"].contains(&value);
    if get(b"activate").is_none_or(|active| is_off(active.value)) {
        return None;
    }
    match get(b"module") {
        Some(module) => Some(path(module.line, module.value)),
        None if BUILT_IN.contains(&one.key) => None,
        None => Some(Said { line: one.line, what: What::Module([one.key, b".so"].concat()) }),
    }
}

/// One without a path may be built in.
fn engine(one: &Entry<'_>, entries: &[&Entry<'_>]) -> Option<Said> {
    let get = |key: &[u8]| entries.iter().find(|entry| entry.key == key);
    match get(b"dynamic_path") {
        Some(at) => Some(path(at.line, at.value)),
        None => {
            let id = get(b"engine_id").map_or(one.key, |id| id.value);
            Some(Said { line: one.line, what: What::Optional([id, b".so"].concat()) })
        }
    }
}

fn path(line: usize, value: &[u8]) -> Said {
    let what = match value.contains(&b'$') {
        true => What::Fault("a variable in the path of a module is not followed"),
        false => What::Module(value.to_vec()),
    };
    Said { line, what }
}

fn entries<'l>(lines: &'l [Line], said: &mut Vec<Said>) -> Vec<Entry<'l>> {
    let mut entries = Vec::new();
    let mut section: &[u8] = b"";
    for (line, text) in words(lines, b"#").take(MOST_ENTRIES) {
        if text.starts_with(b".") {
            continue;
        }
        let equals = text.iter().position(|&b| b == b'=');
        match (text.strip_prefix(b"[").map(|rest| rest.strip_suffix(b"]")), equals) {
            (Some(Some(name)), _) => {
                // The first section has a name too.
                section = Some(name.trim_ascii()).filter(|name| *name != b"default").unwrap_or_default();
            }
            (None, Some(at)) => {
                let (key, value) = (text[..at].trim_ascii(), text[at + 1..].trim_ascii());
                entries.push(Entry { line, section, key, value });
            }
            (Some(None), _) | (None, None) => {
                said.push(Said { line, what: What::Fault("neither a [section] nor KEY = VALUE") });
            }
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::needs::config::tests::said;

    const HEAD: &str = "openssl_conf = init\n[init]\nproviders = list\nengines=elist\n";

    #[test]
    fn what_is_active_has_a_module() {
        for (text, expected) in [
            ("[list]\ndefault = d\n[d]\nactivate = 1", ""),
            ("[list]\nlegacy = l # old\n[l]\nactivate = 1", "6 legacy.so"),
            ("[list]\nlegacy = l\n[l]\n# activate = 1", ""),
            ("[list]\nlegacy = l\n[l]\nactivate = no", ""),
            ("[list]\nmine = m\n[ m ]\nmodule = /opt/m.so\nactivate=1", "8 /opt/m.so"),
            ("[other]\nmine = m\n[m]\nmodule = /opt/m.so\nactivate=1", ""),
            (
                "[list]\nmine = m\n[m]\nmodule = $dir/m.so\nactivate=1",
                "8: a variable in the path of a module is not followed",
            ),
            ("[elist]\npkcs11 = p\n[p]\nengine_id = pk\ndynamic_path = /e/p.so", "9 /e/p.so"),
            ("[elist]\npkcs11 = p\n[p]\nengine_id = pk", "6 pk.so?"),
            // The list refers to itself, and to nothing.
            ("[list]\nlist = list\nx = nowhere", ""),
            (
                "[list\nword\n[list]\nlegacy = l\n[l]\nactivate = 1",
                "5: neither a [section] nor KEY = VALUE\n6: neither a [section] nor KEY = VALUE\n8 legacy.so",
            ),
        ] {
            assert_eq!(said(names, &format!("{HEAD}{text}")), expected, "{text}");
        }
        let text = "providers = list\n[list]\nlegacy = l\n[l]\nactivate = 1";
        assert_eq!(said(names, text), "", "no openssl_conf leads there");
    }

    #[test]
    fn a_file_is_included() {
        for (line, expected) in [
            (".include /etc/ssl/x.cnf", "/etc/ssl/x.cnf"),
            (" .include = x.cnf ", "x.cnf"),
            (".include", ""),
            (".included x", ""),
            ("# .include x", ""),
        ] {
            let found = includes(line.as_bytes()).concat();
            assert_eq!(found, expected.as_bytes(), "{line}");
        }
    }
}
