//! The table of what programs open at run time: `rules.txt`, which says itself
//! how it is read. It is a part of the binary; a test reads all of it.

use std::sync::OnceLock;

use super::distro;
use crate::loader::{Family, Version};

const TABLE: &str = include_str!("rules.txt");

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub id: &'static str,
    pub action: Action,
    /// Only who asks for it gets it, or hears of it.
    pub on_request: bool,
    /// Any of them sets it off.
    pub triggers: Vec<Trigger>,
    pub libc: Option<Libc>,
    /// Only a program that loads nothing.
    pub is_static: bool,
    /// The program holds one of these.
    pub texts: Vec<&'static str>,
    pub takes: Vec<Take>,
    /// Names that are left in the directories that are wanted.
    pub except: Vec<&'static str>,
    /// Files that are left in all that is below these.
    pub skips: Vec<&'static str>,
    /// What fails otherwise, verbatim.
    pub prevents: &'static str,
    /// It does not count where this rule is asked for.
    pub unless: Option<&'static str>,
    /// The option that does it better than `--with`.
    pub instead: Option<&'static str>,
    /// What installs it, where packages that ask for it come without.
    pub(super) packages: Vec<Package>,
}

/// The name of a package, in one kind of distribution.
pub(super) type Package = (distro::Family, &'static str);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Collect,
    Suggest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// The program, by the name of its file.
    Named(&'static str),
    /// A library by soname.
    Loads(&'static str),
    /// A function that the program imports.
    Calls(&'static str),
    /// A function that anything in the process imports.
    AnyCalls(&'static str),
    /// A text among the program's constants, wherever it begins: Go packs its strings.
    Holds(&'static str),
}

/// Only with this libc, older than `before`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Libc {
    pub family: Family,
    pub before: Option<Version>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Take {
    Library(&'static str),
    Paths(Vec<&'static str>),
    First(Vec<&'static str>),
    /// Paths that what set the rule off holds among its constants.
    Constants(Vec<&'static str>),
    /// Such directories: what the configuration of PHP in them enables.
    Extensions(Vec<&'static str>),
    /// Files of a format, and the modules that they name.
    Modules(Format, Vec<&'static str>),
    /// What texts of the program name.
    Literals(Literal),
    Data(Data),
    /// Nothing can be taken: this is to be done instead.
    Note(&'static str),
}

/// Configuration that names modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Icd,
    Names,
    Nginx,
    Nsswitch,
    Odbc,
    Openssl,
    P11,
    Pam,
    Pixbuf,
}

/// Data that a program may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Literal {
    Charsets,
    Locales,
    Programs,
    Zones,
}

/// What an option has too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    Certificates,
    Users,
    Nsswitch,
    Utf8,
    Tmp,
}

impl Take {
    fn patterns(&self) -> &[&'static str] {
        match self {
            Take::Paths(paths)
            | Take::First(paths)
            | Take::Constants(paths)
            | Take::Extensions(paths)
            | Take::Modules(_, paths) => paths,
            Take::Library(_) | Take::Literals(_) | Take::Data(_) | Take::Note(_) => &[],
        }
    }
}

impl Rule {
    /// What it wants depends on which program it is, not only on what that loads.
    pub fn asks_program(&self) -> bool {
        let asks = |path: &str| path.contains("{program}");
        self.takes
            .iter()
            .any(|take| matches!(take, Take::Literals(_)) || take.patterns().iter().any(|path| asks(path)))
    }

    /// What it wants depends on which file set it off: where that lies, its version,
    /// or its constants.
    pub fn asks_file(&self) -> bool {
        let asks = |path: &str| path.contains("{dir}") || path.contains("{v}");
        self.takes.iter().any(|take| {
            matches!(take, Take::Constants(_) | Take::Extensions(_))
                || take.patterns().iter().any(|path| asks(path))
        })
    }
}

/// All rules, in the order of the table.
pub fn all() -> &'static [Rule] {
    static RULES: OnceLock<Vec<Rule>> = OnceLock::new();
    RULES.get_or_init(|| parse(TABLE).expect("a test reads the table"))
}

/// The names of files that a rule leaves where they are, below what it takes.
pub fn skips(id: &str) -> &'static [&'static str] {
    all().iter().find(|rule| rule.id == id).map_or(&[], |rule| &rule.skips)
}

/// `Err` is the line that is none.
fn parse(table: &'static str) -> Result<Vec<Rule>, &'static str> {
    let mut rules: Vec<Rule> = Vec::new();
    for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (key, rest) = line.split_once(' ').ok_or(line)?;
        if key == "rule" {
            rules.push(head(rest).ok_or(line)?);
        } else {
            rules.last_mut().and_then(|rule| add(rule, key, rest)).ok_or(line)?;
        }
    }
    Ok(rules)
}

fn head(rest: &'static str) -> Option<Rule> {
    let (id, word) = rest.split_once(' ')?;
    let action = match word {
        "collect" => Action::Collect,
        "suggest" | "request" => Action::Suggest,
        _ => return None,
    };
    let on_request = word == "request";
    let (triggers, texts, takes) = (Vec::new(), Vec::new(), Vec::new());
    let rule = Rule {
        id,
        action,
        on_request,
        triggers,
        libc: None,
        is_static: false,
        texts,
        takes,
        except: Vec::new(),
        skips: Vec::new(),
        prevents: "",
        unless: None,
        instead: None,
        packages: Vec::new(),
    };
    Some(rule)
}

fn add(rule: &mut Rule, key: &str, rest: &'static str) -> Option<()> {
    let words = || rest.split(' ');
    match key {
        "named" => rule.triggers.extend(words().map(Trigger::Named)),
        "loads" => rule.triggers.extend(words().map(Trigger::Loads)),
        "calls" => rule.triggers.extend(words().map(Trigger::Calls)),
        "any-calls" => rule.triggers.extend(words().map(Trigger::AnyCalls)),
        "holds" => rule.triggers.extend(words().map(Trigger::Holds)),
        "only" if rest == "static" => rule.is_static = true,
        "text" => rule.texts.extend(words()),
        "libc" => rule.libc = Some(libc(rest)?),
        "library" => rule.takes.extend(words().map(Take::Library)),
        "path" => rule.takes.push(Take::Paths(words().collect())),
        "first" => rule.takes.push(Take::First(words().collect())),
        "constant" => rule.takes.push(Take::Constants(words().collect())),
        "extensions" => rule.takes.push(Take::Extensions(words().collect())),
        "except" => rule.except.extend(words()),
        "skip" => rule.skips.extend(words()),
        "modules" => {
            let (first, paths) = rest.split_once(' ')?;
            rule.takes.push(Take::Modules(format(first)?, paths.split(' ').collect()));
        }
        "literals" => rule.takes.push(Take::Literals(literal(rest)?)),
        "data" => rule.takes.push(Take::Data(data(rest)?)),
        "note" => rule.takes.push(Take::Note(rest)),
        "prevents" => rule.prevents = rest,
        "unless" => rule.unless = Some(rest),
        "instead" => rule.instead = Some(rest),
        "package" => {
            for word in words() {
                let (family, name) = word.split_once('=')?;
                rule.packages.push((distro::Family::of_word(family.as_bytes())?, name));
            }
        }
        _ => return None,
    }
    Some(())
}

fn libc(rest: &str) -> Option<Libc> {
    let mut words = rest.split(' ');
    let family = match words.next()? {
        "glibc" => Family::Glibc,
        "musl" => Family::Musl,
        _ => return None,
    };
    let before = match (words.next(), words.next()) {
        (None, _) => None,
        (Some("before"), Some(version)) => {
            let (major, minor) = version.split_once('.')?;
            Some(Version(major.parse().ok()?, minor.parse().ok()?))
        }
        (Some(_), _) => return None,
    };
    Some(Libc { family, before })
}

fn format(word: &str) -> Option<Format> {
    Some(match word {
        "icd" => Format::Icd,
        "names" => Format::Names,
        "nginx" => Format::Nginx,
        "nsswitch" => Format::Nsswitch,
        "odbc" => Format::Odbc,
        "openssl" => Format::Openssl,
        "p11" => Format::P11,
        "pam" => Format::Pam,
        "pixbuf" => Format::Pixbuf,
        _ => return None,
    })
}

fn literal(word: &str) -> Option<Literal> {
    Some(match word {
        "charsets" => Literal::Charsets,
        "locales" => Literal::Locales,
        "programs" => Literal::Programs,
        "zones" => Literal::Zones,
        _ => return None,
    })
}

fn data(word: &str) -> Option<Data> {
    Some(match word {
        "certificates" => Data::Certificates,
        "users" => Data::Users,
        "nsswitch" => Data::Nsswitch,
        "utf8" => Data::Utf8,
        "tmp" => Data::Tmp,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_of_the_table_has_its_form() {
        let rules = parse(TABLE).unwrap_or_else(|line| panic!("no row: {line}"));
        let ids: BTreeSet<&str> = rules.iter().map(|rule| rule.id).collect();
        assert_eq!(ids.len(), rules.len(), "an id stands for one rule");
        for rule in &rules {
            let id = rule.id;
            assert!(id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{id}");
            assert!(!rule.triggers.is_empty() && !rule.takes.is_empty(), "{id}");
            assert!(!rule.prevents.is_empty(), "{id} says what fails without it");
            let options = ["--ca-certs", "--tz", "--user", "--nsswitch", "--locale"];
            assert!(rule.instead.is_none_or(|option| options.contains(&option)), "{id}");
            assert!(rule.unless.is_none_or(|other| ids.contains(other)), "{id}");
            check_paths(rule);
        }
    }

    #[test]
    fn every_rule_is_documented() {
        let page = include_str!("../../docs/needs.md");
        for rule in all() {
            let row = format!("| `{}` | ", rule.id);
            let line = page.lines().find(|line| line.starts_with(&row));
            assert!(line.is_some_and(|line| line.contains(rule.prevents)), "{} in docs/needs.md", rule.id);
        }
    }

    fn check_paths(rule: &Rule) {
        let file = |trigger: &Trigger| match *trigger {
            Trigger::Named(name) | Trigger::Loads(name) => Some(name),
            Trigger::Calls(_) | Trigger::AnyCalls(_) | Trigger::Holds(_) => None,
        };
        let has_file = rule.triggers.iter().all(|trigger| file(trigger).is_some());
        let has_version = rule.triggers.iter().filter_map(file).any(|name| name.contains("{v}"));
        for take in &rule.takes {
            let (is_constant, paths) = match take {
                Take::Paths(paths) | Take::First(paths) | Take::Modules(_, paths) => (false, paths),
                Take::Constants(paths) | Take::Extensions(paths) => (true, paths),
                Take::Library(_) | Take::Literals(_) | Take::Data(_) | Take::Note(_) => continue,
            };
            for path in paths {
                let is_rooted = path.starts_with('/') || path.starts_with("{lib}");
                let is_beside = path.starts_with("{dir}") && has_file;
                let is_held = is_constant && path.starts_with('*');
                assert!(is_rooted || is_beside || is_held, "{}: {path}", rule.id);
                assert!(has_version || !path.contains("{v}"), "{}: {path}", rule.id);
                assert!(has_file || !is_constant, "{}: {path}", rule.id);
            }
        }
    }

    #[test]
    fn what_is_no_row_is_named() {
        for line in ["calls x", "rule a", "rule a never", "word"] {
            assert_eq!(parse(line), Err(line));
        }
        for (text, line) in [
            ("rule a collect\nlibc dietlibc", "libc dietlibc"),
            ("rule a collect\nlibc glibc since 2.1", "libc glibc since 2.1"),
            ("rule a collect\ndata money", "data money"),
            ("rule a collect\nliterals words", "literals words"),
            ("rule a collect\nmodules pam", "modules pam"),
            ("rule a collect\nmodules xml /a", "modules xml /a"),
            ("rule a collect\nwants x", "wants x"),
            ("rule a collect\npackage x", "package x"),
            ("rule a collect\npackage plan9=x", "package plan9=x"),
        ] {
            assert_eq!(parse(text), Err(line));
        }
    }
}
