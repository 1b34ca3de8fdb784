//! The formats, each a function from lines to what they say.

use super::{Line, Said, What};
use crate::needs::json::{self, Value};
use crate::path::basename;

/// Services that glibc has itself, and those of systemd, whose answers come from
/// daemons that no container has.
const LOCAL: [&[u8]; 8] =
    [b"files", b"dns", b"compat", b"db", b"systemd", b"mymachines", b"myhostname", b"resolve"];

pub(super) fn no_includes(_: &[u8]) -> Vec<Vec<u8>> {
    Vec::new()
}

/// The lines that hold something, without comments and blanks around it.
pub(super) fn words<'l>(
    lines: &'l [Line],
    comment: &'static [u8],
) -> impl Iterator<Item = (usize, &'l [u8])> {
    let bare = |line: &'l Line| {
        let end = line.text.iter().position(|b| comment.contains(b)).unwrap_or(line.text.len());
        line.text[..end].trim_ascii()
    };
    lines.iter().map(bare).enumerate().filter(|(_, text)| !text.is_empty())
}

/// Drivers of Vulkan and EGL: `{"ICD": {"library_path": "libX.so"}}`; layers likewise.
pub(super) fn icd(lines: &[Line]) -> Vec<Said> {
    let mut said = Vec::new();
    let mut first = 0;
    for file in lines.chunk_by(|a, b| a.file == b.file) {
        let text = file.iter().map(|line| &line.text[..]).collect::<Vec<_>>().join(&b'\n');
        match json::parse(&text) {
            Ok(value) => match paths_in(&value)[..] {
                [] => said.push(Said { line: first, what: What::Fault("it names no library_path") }),
                ref paths => {
                    said.extend(
                        paths.iter().map(|path| Said { line: first, what: What::Module(path.to_vec()) }),
                    );
                }
            },
            Err(at) => {
                let line = first + text[..at].iter().filter(|&&b| b == b'\n').count();
                said.push(Said { line, what: What::Fault("it is no JSON") });
            }
        }
        first += file.len();
    }
    said
}

fn paths_in(value: &Value) -> Vec<&[u8]> {
    let one = |value: &'_ Value| value.get("library_path").and_then(Value::text).is_some();
    let single = ["ICD", "layer"].into_iter().filter_map(|key| value.get(key));
    let several = value.get("layers").map(Value::list).unwrap_or_default();
    let all = single.chain(several).filter(|value| one(value));
    all.filter_map(|value| value.get("library_path")?.text()).collect()
}

/// Drivers of OpenCL: a name in each file.
pub(super) fn names(lines: &[Line]) -> Vec<Said> {
    let name = |(line, text): (usize, &[u8])| {
        let is_name = text.iter().all(|b| b.is_ascii_graphic());
        let what =
            if is_name { What::Module(text.to_vec()) } else { What::Fault("it is no name of a library") };
        Said { line, what }
    };
    words(lines, b"#").map(name).collect()
}

/// Drivers of ODBC: `Driver = NAME`. In odbc.ini a driver may be called by its section.
pub(super) fn odbc(lines: &[Line]) -> Vec<Said> {
    let mut said = Vec::new();
    for (line, text) in words(lines, b"#;") {
        match text.iter().position(|&b| b == b'=') {
            Some(at) => {
                let key = text[..at].trim_ascii().to_ascii_lowercase();
                let value = text[at + 1..].trim_ascii();
                let is_file = value.windows(3).any(|part| part == b".so");
                if is_file && matches!(&key[..], b"driver" | b"driver64") {
                    said.push(Said { line, what: What::Module(value.to_vec()) });
                }
            }
            None if text.starts_with(b"[") && text.ends_with(b"]") => {}
            None => said.push(Said { line, what: What::Fault("neither a [section] nor KEY = VALUE") }),
        }
    }
    said
}

/// Modules of p11-kit: `module: NAME`.
pub(super) fn p11(lines: &[Line]) -> Vec<Said> {
    let one = |(line, text): (usize, &[u8])| match text.iter().position(|&b| b == b':') {
        Some(at) => {
            let name = text[at + 1..].trim_ascii();
            (text[..at].trim_ascii() == b"module").then(|| Said { line, what: What::Module(name.to_vec()) })
        }
        None => Some(Said { line, what: What::Fault("it is no KEY: VALUE") }),
    };
    words(lines, b"#").filter_map(one).collect()
}

/// `TYPE CONTROL MODULE ARGUMENT...` (pam.conf(5)).
pub(super) fn pam(lines: &[Line]) -> Vec<Said> {
    words(lines, b"#").filter_map(|(line, text)| Some(Said { line, what: pam_line(text)? })).collect()
}

fn pam_line(text: &[u8]) -> Option<What> {
    let (kind, control, module) = pam_words(text);
    let (is_optional, kind) = kind.strip_prefix(b"-").map_or((false, kind), |kind| (true, kind));
    match kind.to_ascii_lowercase().as_slice() {
        b"@include" => None,
        b"auth" | b"account" | b"password" | b"session" => {
            match (&control.to_ascii_lowercase()[..], module) {
                (_, b"") => Some(What::Fault("it names no module")),
                (b"include" | b"substack", _) => None,
                (_, module) if is_optional => Some(What::Optional(of_isa(module))),
                (b"required" | b"requisite", module) => Some(What::Required(of_isa(module))),
                (_, module) => Some(What::Module(of_isa(module))),
            }
        }
        _ => Some(What::Fault("it starts with no type of PAM")),
    }
}

/// `/lib/security/$ISA/pam_unix.so`: libpam has a directory of its own for `$ISA`, and
/// that is the one of its modules.
fn of_isa(module: &[u8]) -> Vec<u8> {
    let has_isa = module.windows(6).any(|part| part == b"/$ISA/");
    if has_isa { basename(module).to_vec() } else { module.to_vec() }
}

pub(super) fn pam_includes(line: &[u8]) -> Vec<Vec<u8>> {
    let line = line.split(|&b| b == b'#').next().unwrap_or_default();
    let (kind, control, name) = pam_words(line.trim_ascii());
    let name = match (kind, control) {
        (b"@include", name) => name,
        (_, b"include" | b"substack") => name,
        _ => b"",
    };
    Some(name).filter(|name| !name.is_empty()).map(<[u8]>::to_vec).into_iter().collect()
}

/// The first three words; one in brackets holds blanks.
fn pam_words(text: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let (kind, rest) = word(text);
    let close = rest.iter().position(|&b| b == b']').filter(|_| rest.starts_with(b"["));
    let (control, rest) = close.map_or_else(|| word(rest), |at| rest.split_at(at + 1));
    (kind, control, word(rest.trim_ascii_start()).0)
}

fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim_ascii_start())
}

/// `load_module PATH;`
pub(super) fn nginx(lines: &[Line]) -> Vec<Said> {
    let mut said = Vec::new();
    for (line, text) in words(lines, b"#") {
        for path in directives(text, b"load_module") {
            let what =
                if path.is_empty() { What::Fault("load_module of nothing") } else { What::Required(path) };
            said.push(Said { line, what });
        }
    }
    said
}

/// `include PATTERN;`
pub(super) fn nginx_includes(line: &[u8]) -> Vec<Vec<u8>> {
    let line = line.split(|&b| b == b'#').next().unwrap_or_default();
    directives(line, b"include").into_iter().filter(|path| !path.is_empty()).collect()
}

fn directives(text: &[u8], name: &[u8]) -> Vec<Vec<u8>> {
    let parts = text.split(|b| matches!(b, b';' | b'{' | b'}')).map(|part| word(part.trim_ascii()));
    let values = parts.filter(|(first, _)| *first == name).map(|(_, value)| value);
    values.map(|value| value.iter().copied().filter(|b| !matches!(b, b'"' | b'\'')).collect()).collect()
}

/// `DATABASE: SERVICE... [ACTION]`: a service is a library.
pub(super) fn nsswitch(lines: &[Line]) -> Vec<Said> {
    let mut said = Vec::new();
    for (line, text) in words(lines, b"#") {
        let Some(at) = text.iter().position(|&b| b == b':') else {
            said.push(Said { line, what: What::Fault("it is no DATABASE: SERVICE") });
            continue;
        };
        let services = text[at + 1..].split(u8::is_ascii_whitespace);
        let is_service =
            |word: &&[u8]| word.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        for service in services.filter(|word| !word.is_empty()).filter(is_service) {
            if !LOCAL.contains(&service) {
                let library = [b"libnss_", service, b".so.2"].concat();
                said.push(Said { line, what: What::Optional(library) });
            }
        }
    }
    said
}

/// `loaders.cache`: a paragraph for each module, of which the first line is its path.
pub(super) fn pixbuf(lines: &[Line]) -> Vec<Said> {
    let mut said = Vec::new();
    let mut is_inside = false;
    for (line, text) in lines.iter().map(|line| line.text.trim_ascii()).enumerate() {
        if text.is_empty() || text.starts_with(b"#") {
            is_inside = false;
        } else if !is_inside {
            is_inside = true;
            let quoted = text.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
            let what = match quoted {
                Some(path) if !path.contains(&b'"') => What::Module(path.to_vec()),
                Some(_) | None => What::Fault("it is no path of a loader"),
            };
            said.push(Said { line, what });
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::needs::config::tests::said;

    #[test]
    fn drivers_are_read() {
        for (text, expected) in [
            (r#"{"ICD": {"api_version": "1.3", "library_path": "libvk.so.1"}}"#, "1 libvk.so.1"),
            (r#"{"layer": {"library_path": "../l.so"}}"#, "1 ../l.so"),
            (r#"{"layers": [{"library_path": "a.so"}, 1, {"library_path": "b.so"}]}"#, "1 a.so\n1 b.so"),
            ("{}", "1: it names no library_path"),
            ("[]", "1: it names no library_path"),
            ("{\"ICD\": {\n \"library_path\": 7\n}}", "1: it names no library_path"),
            ("{\n\"ICD\": oops\n x", "3: it is no JSON"),
            ("", "1: it is no JSON"),
        ] {
            assert_eq!(said(icd, text), expected, "{text}");
        }
        for (text, expected) in [
            ("libpocl.so.2.10.0\n", "1 libpocl.so.2.10.0"),
            ("\n /opt/cl.so \n", "2 /opt/cl.so"),
            ("\x7fELF\x01", "1: it is no name of a library"),
            ("", ""),
        ] {
            assert_eq!(said(names, text), expected, "{text}");
        }
    }

    #[test]
    fn keys_and_values_are_read() {
        for (text, expected) in [
            ("[PostgreSQL]\nDriver=psqlodbcw.so\nSetup = libodbcpsqlS.so\nDebug=0", "2 psqlodbcw.so"),
            ("[x]\n driver64 = /opt/x.so ; mine", "2 /opt/x.so"),
            ("[dsn]\nDriver = PostgreSQL Unicode", ""),
            ("word\n[x]\nDriver=a.so", "1: neither a [section] nor KEY = VALUE\n3 a.so"),
        ] {
            assert_eq!(said(odbc, text), expected, "{text}");
        }
        let text = "# trust\nmodule: p11-kit-trust.so\npriority: 1\nword";
        assert_eq!(said(p11, text), "2 p11-kit-trust.so\n4: it is no KEY: VALUE");
        let text = "hosts: files mdns4_minimal [NOTFOUND=return] dns\npasswd: files sss # ldap\nword\ngroup: systemd";
        assert_eq!(
            said(nsswitch, text),
            "1 libnss_mdns4_minimal.so.2?\n2 libnss_sss.so.2?\n3: it is no DATABASE: SERVICE"
        );
    }

    #[test]
    fn a_stack_of_pam_is_read() {
        for (text, includes, expected) in [
            ("auth required pam_unix.so nullok", "", "1 pam_unix.so!"),
            ("auth REQUISITE /lib/security/$ISA/pam_a.so", "", "1 pam_a.so!"),
            ("session optional pam_b.so", "", "1 pam_b.so"),
            ("auth [success=1 default=ignore] pam_unix.so", "", "1 pam_unix.so"),
            ("-session\toptional\tpam_systemd.so", "", "1 pam_systemd.so?"),
            ("@include common-auth", "common-auth", ""),
            ("session include other-stack # all", "other-stack", ""),
            ("auth substack sub", "sub", ""),
            ("# auth required pam_no.so", "", ""),
            ("auth required", "", "1: it names no module"),
            ("auth [success=1 pam_unix.so", "", "1 pam_unix.so"),
            ("author required pam_x.so", "", "1: it starts with no type of PAM"),
            ("auth required \\\n pam_deny.so", "", "1 pam_deny.so!"),
        ] {
            assert_eq!(said(pam, text), expected, "{text}");
            let found = pam_includes(text.as_bytes()).concat();
            assert_eq!(found, includes.as_bytes(), "{text}");
        }
    }

    #[test]
    fn modules_of_nginx_are_read() {
        for (text, includes, expected) in [
            ("load_module modules/ngx_x.so;", "", "1 modules/ngx_x.so!"),
            (
                "events { } include /etc/nginx/conf.d/*.conf; include mime.types;",
                "/etc/nginx/conf.d/*.conf mime.types",
                "",
            ),
            ("  load_module \"/opt/m.so\"; # include x;", "", "1 /opt/m.so!"),
            ("load_module ;", "", "1: load_module of nothing"),
            ("include;", "", ""),
            ("included x;", "", ""),
        ] {
            assert_eq!(said(nginx, text), expected, "{text}");
            let found = nginx_includes(text.as_bytes()).join(&b' ');
            assert_eq!(found, includes.as_bytes(), "{text}");
        }
    }

    #[test]
    fn loaders_of_images_are_read() {
        let cache =
            "# LoaderDir = /x\n\n\"/lib/loader-svg.so\"\n\"svg\" 6 \"gdk-pixbuf\"\n\"\"\n\n\"/lib/b.so\"\n";
        assert_eq!(said(pixbuf, cache), "3 /lib/loader-svg.so\n7 /lib/b.so");
        let bad = "\"svg\" 6 \"x\"\n\n/lib/b.so\n";
        assert_eq!(said(pixbuf, bad), "1: it is no path of a loader\n3: it is no path of a loader");
    }
}
