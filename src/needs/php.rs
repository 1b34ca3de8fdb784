//! The extensions of PHP: files of configuration in the directories that the
//! interpreter was built with, and the libraries that they name.

use super::{NO_DATA, Want, Wanted, finding, look};
use crate::finding::{Finding, Severity};
use crate::root::{DirId, Opened, Root, resolve, resolve_dir};

const RULE: &str = "php";

/// `dirs`: those of configuration, and that of the extensions.
pub(super) fn wanted(root: &dyn Root, dirs: &[Vec<u8>]) -> Wanted {
    let mut wanted = Wanted::default();
    for ini in dirs.iter().flat_map(|dir| files_of_configuration(root, dir)) {
        for (line, name) in extensions(&look::text_of(root, &ini)) {
            match dirs.iter().flat_map(|dir| spellings(dir, &name)).find(|path| is_file(root, path)) {
                Some(path) => wanted.want([Want::Path(path)]),
                None => wanted.findings.push(absent(&ini, line, &name)),
            }
        }
        wanted.want([Want::Path(ini)]);
    }
    wanted
}

fn files_of_configuration(root: &dyn Root, dir: &[u8]) -> Vec<Vec<u8>> {
    let Ok((id, _)) = resolve_dir(root, DirId::TOP, dir) else { return Vec::new() };
    let items = root.list(id).unwrap_or_default();
    let inis = items.iter().filter(|item| item.name.ends_with(b".ini"));
    inis.map(|item| [dir, b"/", &item.name].concat()).collect()
}

/// `extension=NAME` and `zend_extension=NAME`, each with the number of its line.
fn extensions(ini: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let lines = ini.split(|&b| b == b'\n').zip(1..);
    let named = lines.filter_map(|(line, number)| {
        let at = line.iter().position(|&b| b == b'=')?;
        let is_extension = matches!(line[..at].trim_ascii(), b"extension" | b"zend_extension");
        let value = line[at + 1..].split(|&b| b == b';').next().unwrap_or_default().trim_ascii();
        let name = value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value);
        (is_extension && !name.is_empty()).then(|| (number, name.to_vec()))
    });
    named.collect()
}

/// As php_load_extension does (ext/standard/dl.c): a path, a file of the directory, or its name alone.
fn spellings(dir: &[u8], name: &[u8]) -> Vec<Vec<u8>> {
    if name.contains(&b'/') {
        return vec![name.to_vec()];
    }
    vec![[dir, b"/", name].concat(), [dir, b"/", name, b".so"].concat()]
}

fn is_file(root: &dyn Root, path: &[u8]) -> bool {
    resolve(root, DirId::TOP, path).is_ok_and(|resolved| matches!(resolved.opened, Opened::File(_)))
}

fn absent(ini: &[u8], line: usize, name: &[u8]) -> Finding {
    let number = line.to_string();
    let message = [ini, b", line ", number.as_bytes(), b": the root has no extension `", name, b"`"].concat();
    let hint = b"install it in the build stage, or leave the file out by `--exclude`".to_vec();
    finding(Severity::Warning, NO_DATA, RULE, message, Some(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::mem::MemRoot;

    #[test]
    fn extensions_are_named_line_by_line() {
        let ini = b"; extension=no\nextension=xml.so\n zend_extension = \"/opt/x.so\" ; c\r\n[PHP]\nextension_dir = x\nextension=\nextension=y";
        let names: Vec<_> =
            extensions(ini).into_iter().map(|(n, name)| format!("{n} {}", name.escape_ascii())).collect();
        assert_eq!(names, ["2 xml.so", "3 /opt/x.so", "7 y"]);
        assert_eq!(extensions(b"\xff\0=\n====\nextension"), []);
    }

    #[test]
    fn what_is_enabled_comes_along_and_nothing_else() {
        let mut root = MemRoot::new();
        root.link("/etc/php/conf.d/20-a.ini", "/etc/php/mods/a.ini")
            .file("/etc/php/mods/a.ini", "extension=a.so");
        root.file("/etc/php/conf.d/30-b.ini", "\nextension=b\nextension=none.so")
            .file("/etc/php/conf.d/README", "");
        root.file("/usr/lib/php/1/a.so", "").file("/usr/lib/php/1/b.so", "").file("/usr/lib/php/1/c.so", "");
        let dirs = ["/etc/php/conf.d", "/usr/lib/php/1", "/none"].map(Vec::from);
        let wanted = wanted(&root, &dirs);
        let path = |want: &Want| {
            if let Want::Path(path) = want { String::from_utf8(path.clone()).ok() } else { None }
        };
        let paths: Vec<String> = wanted.wants.iter().filter_map(path).collect();
        let expected = [
            "/usr/lib/php/1/a.so",
            "/etc/php/conf.d/20-a.ini",
            "/usr/lib/php/1/b.so",
            "/etc/php/conf.d/30-b.ini",
        ];
        assert_eq!(paths, expected);
        let [finding] = &wanted.findings[..] else { panic!("one is not there: {:?}", wanted.findings) };
        let message = b"/etc/php/conf.d/30-b.ini, line 3: the root has no extension `none.so`";
        assert_eq!(finding.message, message);
    }
}
