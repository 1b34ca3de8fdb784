//! No rule without a proof, or without a reason why there is none.

use std::collections::BTreeSet;

use depcollect::needs::rules::{self, Action};

use super::{built, go, here, interpreters, made, packages};

/// Rules that only name something, and what keeps them from being shown.
const REASONS: [(&str, &str); 15] = [
    ("espeak", "it asks for a device that speaks"),
    ("fuse", "it asks for a device of the kernel"),
    ("gio", "its modules are shown one by one: `gio-tls`, `schemas`"),
    ("glx", "it asks for a display"),
    ("gphoto2", "it asks for a device"),
    ("heif", "Debian 12 has its codecs linked"),
    ("hwdata", "it asks for the devices of a machine"),
    ("machine-id", "it takes nothing"),
    ("openssl-static", "no package has such a program; `tls` takes the same"),
    ("sane", "it asks for a device"),
    ("tesseract", "it reads a picture: the file that it misses is named in its message"),
    ("video", "it asks for a device"),
    ("vlc", "it asks for a display"),
    ("qt-network", "it asks another machine"),
    ("gtk", "it asks for a display"),
];

fn proved() -> BTreeSet<&'static str> {
    let proofs = packages::COUNTED.iter().chain(&packages::ASKED).chain(&packages::OLD).chain(&made::OLD);
    let proofs = proofs.chain(&interpreters::IMPORTS).chain(&interpreters::JAVA).chain(&interpreters::TCL);
    let built = built::LIBRARIES.iter().chain(&built::LARGE).map(|row| row.rule);
    let others =
        here::ALL.iter().map(|row| row.rule).chain(go::GO.iter().map(|row| row.0)).chain(made::RULES);
    proofs.map(|row| row.rule).chain(built).chain(others).collect()
}

#[test]
fn every_rule_has_a_proof_or_a_reason() {
    let proved = proved();
    let named = |id: &str| REASONS.iter().any(|(rule, _)| *rule == id);
    for rule in rules::all() {
        let may_be_named = rule.action == Action::Suggest && named(rule.id);
        assert!(proved.contains(rule.id) != may_be_named, "{} has neither, or both", rule.id);
    }
    let own = ["dlopen-dir", "dlopen-name", "dlopen-path"];
    let is_rule = |id: &str| own.contains(&id) || rules::all().iter().any(|rule| rule.id == id);
    for id in proved.iter().chain(&own).copied().chain(REASONS.iter().map(|(rule, _)| *rule)) {
        assert!(is_rule(id) && (proved.contains(id) || named(id)), "{id}");
    }
}
