//! What a file itself says that it opens: `.note.dlopen`
//! (uapi-group.org, specification 12), and paths of libraries among its constants.

use std::collections::BTreeSet;

use super::engine::{self, Need, Scene};
use super::json::{self, Value};
use super::rules::Action;
use super::{NO_DATA, Want, Wanted, finding};
use crate::closure::{Object, Seen};
use crate::elf::Kind;
use crate::finding::{Finding, Severity};
use crate::job::DlopenLevel;
use crate::root::FileId;

pub(super) const RULE: &str = "dlopen";
const PATH_RULE: &str = "dlopen-path";

/// More entries than this nobody writes into one file.
const MOST_ENTRIES: usize = 256;

/// Longer strings are no paths.
const PATH_MAX: usize = 4096;

/// One feature of a file, and what it opens for it.
struct Entry<'v> {
    level: DlopenLevel,
    feature: &'v [u8],
    /// The first one that exists is opened.
    sonames: Vec<&'v [u8]>,
}

impl<'v> Entry<'v> {
    fn of(value: &'v Value) -> Option<Entry<'v>> {
        let text = |key| value.get(key).and_then(Value::text);
        let level = match text("priority") {
            Some(b"required") => DlopenLevel::Required,
            Some(b"suggested") => DlopenLevel::Suggested,
            // That is what the absence of it means too.
            Some(_) | None => DlopenLevel::Recommended,
        };
        let sonames: Vec<&[u8]> = value.get("soname")?.list().iter().filter_map(Value::text).collect();
        let feature = text("description").or_else(|| text("feature")).unwrap_or_default();
        (!sonames.is_empty()).then_some(Entry { level, feature, sonames })
    }
}

/// What the notes of one object want. `most` is how far they are followed.
pub(super) fn of_notes(
    scene: &mut Scene<'_, '_>,
    loader: &[u8],
    object: &Object,
    most: DlopenLevel,
) -> Vec<Need> {
    let facts = object.found.facts();
    let mut needs = Vec::new();
    for note in &facts.dlopen_notes {
        match json::parse(facts.str(*note)) {
            Ok(Value::List(entries)) => {
                let entries = entries.iter().take(MOST_ENTRIES).filter_map(Entry::of);
                needs.extend(entries.filter_map(|entry| of_entry(scene, loader, object, &entry, most)));
            }
            Ok(Value::Other | Value::Text(_) | Value::Object(_)) => needs.push(bad_note(object, "")),
            Err(at) => needs.push(bad_note(object, &format!(" (at byte {at})"))),
        }
    }
    needs
}

fn bad_note(object: &Object, place: &str) -> Need {
    let message = [&object.path[..], b": its .note.dlopen is no list in JSON", place.as_bytes()].concat();
    let said = finding(Severity::Warning, "bad-note", RULE, message, None);
    need(object, RULE, Vec::new(), Wanted { wants: Vec::new(), findings: vec![said] })
}

fn of_entry(
    scene: &mut Scene<'_, '_>,
    loader: &[u8],
    object: &Object,
    entry: &Entry<'_>,
    most: DlopenLevel,
) -> Option<Need> {
    if most == DlopenLevel::None || entry.sonames.iter().any(|name| engine::is_loaded(scene.closure, name)) {
        return None;
    }
    let found = entry.sonames.iter().find_map(|name| engine::library(scene, loader, name));
    let is_taken = entry.level <= most;
    let mut wanted = Wanted::default();
    match found {
        Some(wants) => wanted.want(wants),
        None if is_taken => wanted.findings.push(absent(object, entry)),
        None => return None,
    }
    let action = if is_taken { Action::Collect } else { Action::Suggest };
    let names = entry.sonames.join(&b" or "[..]);
    let need = need(object, RULE, names, wanted);
    let prevents = String::from_utf8_lossy(entry.feature).into_owned();
    Some(Need { action, prevents, cure: "--dlopen suggested".into(), ..need })
}

fn need(object: &Object, rule: &'static str, name: Vec<u8>, wanted: Wanted) -> Need {
    let trigger = match name.is_empty() {
        true => object.path.to_vec(),
        false => [&name[..], b" in ", &object.path].concat(),
    };
    let cure = "--needs auto".into();
    Need { rule, action: Action::Collect, trigger, prevents: String::new(), cure, wanted }
}

/// What is required is not left to be found out by who starts the image.
fn absent(object: &Object, entry: &Entry<'_>) -> Finding {
    let severity = match entry.level {
        DlopenLevel::Required => Severity::Error,
        DlopenLevel::None | DlopenLevel::Recommended | DlopenLevel::Suggested => Severity::Note,
    };
    let names = entry.sonames.join(&b", nor "[..]);
    let mut message = [&object.path[..], b" opens it by dlopen: the root has no ", &names].concat();
    if !entry.feature.is_empty() {
        message.extend_from_slice(b", for: ");
        message.extend_from_slice(entry.feature);
    }
    let hint =
        Some(b"install what provides it in the build stage; `--dlopen none` looks at no notes".to_vec());
    finding(severity, NO_DATA, RULE, message, hint)
}

/// Libraries that an object which calls dlopen names by their whole path.
pub(super) fn of_paths(scene: &mut Scene<'_, '_>, object: &Object) -> Option<Need> {
    let loaded: BTreeSet<FileId> =
        scene.closure.objects.iter().map(|object| object.found.file.stat.id).collect();
    let facts = object.found.facts();
    let (class, machine) = (facts.class, facts.header.machine);
    let mut wanted = Wanted::default();
    let mut paths = Vec::new();
    for text in constants_of(scene, object) {
        let Seen::File(found) = scene.session.look(b"", &text) else { continue };
        let fits = found.file.elf.as_ref().is_ok_and(|facts| {
            facts.kind() == Kind::Library && (facts.class, facts.header.machine) == (class, machine)
        });
        if fits && !loaded.contains(&found.file.stat.id) {
            paths.push(text.clone());
            wanted.want([Want::Path(text)]);
        }
    }
    (!paths.is_empty()).then(|| need(object, PATH_RULE, paths.join(&b" "[..]), wanted))
}

fn constants_of(scene: &Scene<'_, '_>, object: &Object) -> BTreeSet<Vec<u8>> {
    let mut found = BTreeSet::new();
    engine::constants(scene.session.root, &object.found, |bytes| {
        let texts = bytes.split(|&b| b == 0).filter(|text| is_path_of_library(text));
        found.extend(texts.map(<[u8]>::to_vec));
        false
    });
    found
}

fn is_path_of_library(text: &[u8]) -> bool {
    let is_plain = |text: &[u8]| text.iter().all(|b| b.is_ascii_graphic() && *b != b'%');
    let is_library = |text: &[u8]| text.ends_with(b".so") || text.windows(4).any(|part| part == b".so.");
    text.starts_with(b"/") && text.len() < PATH_MAX && is_library(text) && is_plain(text)
}
