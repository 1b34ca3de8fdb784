//! What a file itself says that it opens: `.note.dlopen`
//! (uapi-group.org, specification 12).

use super::engine::{self, Need, Scene};
use super::json::{self, Value};
use super::rules::Action;
use super::{MISSING, NO_DATA, Wanted, distro, finding};
use crate::closure::Object;
use crate::finding::{Finding, Severity};
use crate::job::DlopenLevel;
use crate::root::Root;

pub(super) const RULE: &str = "dlopen";

/// More entries than this nobody writes into one file.
const MOST_ENTRIES: usize = 256;

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
    need(object, Vec::new(), Wanted { wants: Vec::new(), findings: vec![said] })
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
        None if is_taken => wanted.findings.push(absent(scene.session.root, object, entry)),
        None => return None,
    }
    let action = if is_taken { Action::Collect } else { Action::Suggest };
    let names = entry.sonames.join(&b" or "[..]);
    let prevents = String::from_utf8_lossy(entry.feature).into_owned();
    let need = need(object, names, wanted);
    Some(Need { action, prevents, cure: format!("--dlopen {}", word(entry.level)), ..need })
}

/// As the option takes it.
fn word(level: DlopenLevel) -> &'static str {
    match level {
        DlopenLevel::None => "none",
        DlopenLevel::Required => "required",
        DlopenLevel::Recommended => "recommended",
        DlopenLevel::Suggested => "suggested",
    }
}

fn need(object: &Object, name: Vec<u8>, wanted: Wanted) -> Need {
    let trigger = match name.is_empty() {
        true => object.path.to_vec(),
        false => [&name[..], b" in ", &object.path].concat(),
    };
    let cure = "--needs auto".into();
    Need { rule: RULE, action: Action::Collect, trigger, prevents: String::new(), cure, wanted }
}

fn absent(root: &dyn Root, object: &Object, entry: &Entry<'_>) -> Finding {
    let feature = match entry.feature {
        b"" => Vec::new(),
        feature => [b", for: ", feature].concat(),
    };
    match entry.level {
        DlopenLevel::Required => missing(root, object, &entry.sonames, &feature),
        DlopenLevel::None | DlopenLevel::Recommended | DlopenLevel::Suggested => {
            let names = entry.sonames.join(&b", nor "[..]);
            let message =
                [&object.path[..], b" opens it by dlopen: the root has no ", &names, &feature].concat();
            let hint = b"install what provides it in the build stage; `--dlopen none` looks at no notes";
            finding(Severity::Note, NO_DATA, RULE, message, Some(hint.to_vec()))
        }
    }
}

/// That is not left to be found out by who starts the image.
fn missing(root: &dyn Root, object: &Object, names: &[&[u8]], feature: &[u8]) -> Finding {
    let others: Vec<u8> = names[1..].iter().flat_map(|name| [b", nor ", *name].concat()).collect();
    let has_none = [&b"the root has none"[..], &others].concat();
    let hint = [&distro::provider(root, names[0])[..], b"; `--dlopen none` looks at no notes"].concat();
    Finding {
        severity: Severity::Error,
        code: MISSING,
        subject: names[0].to_vec(),
        message: [&has_none[..], b"; ", &object.path, b" requires it and opens it by dlopen", feature]
            .concat(),
        hint: Some(hint),
    }
}
