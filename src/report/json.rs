//! The whole answer as JSON, `"schema": "depcollect/1"`. Fields are only ever added.

use super::edges::{obstacle_words, outcome_id, role_id, rule_id, want_id};
use super::json_writer::Writer;
use super::off::rules_off;
use crate::closure::{Closure, Edge, Object, Outcome};
use crate::elf::{Class, Facts, Kind, Order};
use crate::finding::Finding;
use crate::loader::Family;
use crate::root::Root;

/// A report that grows by a program at a time.
#[derive(Debug)]
pub struct Json {
    writer: Writer,
    is_empty: bool,
}

impl Json {
    pub fn start(command: &str) -> Json {
        let mut writer = Writer::default();
        writer.text.push_str("{\"schema\":\"depcollect/1\",\"command\":\"");
        writer.text.push_str(command);
        writer.text.push_str("\",\"programs\":[\n");
        Json { writer, is_empty: true }
    }

    /// One program on its own, to be put into a report by [`Json::add`].
    pub fn program(closure: &Closure, level: Option<&str>, root: &dyn Root) -> String {
        let mut writer = Writer::default();
        writer.object(|w| {
            if let Some(level) = level {
                w.key("hwcaps").str(level);
            }
            program(w, closure, root);
        });
        writer.text
    }

    /// A file that could not be looked at.
    pub fn problem(path: &[u8], cause: &str, hint: Option<&str>) -> String {
        let mut writer = Writer::default();
        writer.object(|w| {
            w.name("path", path);
            w.key("error").str(cause);
            if let Some(hint) = hint {
                w.key("hint").str(hint);
            }
        });
        writer.text
    }

    pub fn add(&mut self, program: &str) {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.writer.text.push_str(",\n");
        }
        self.writer.text.push_str(program);
    }

    /// What was added since the last call.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.writer.text)
    }

    pub fn end(mut self, status: u8) -> String {
        self.writer.text.push_str(&format!("\n],\"status\":{status}}}\n"));
        self.writer.text
    }
}

fn program(w: &mut Writer, closure: &Closure, root: &dyn Root) {
    let facts = closure.objects[0].found.facts();
    w.name("path", &closure.program);
    about(w, facts);
    if let Some(interp) = facts.interp() {
        w.name("interpreter", interp);
    }
    if let Some(family) = closure.family {
        w.key("loader").str(match family {
            Family::Glibc => "glibc",
            Family::Musl => "musl",
        });
    }
    if let Some(version) = closure.oldest_glibc() {
        w.key("oldest_glibc").str(&version.to_string());
    }
    w.key("objects")
        .array(closure.objects.iter().enumerate(), |w, (id, object)| one_object(w, id, object, root));
    w.key("edges").array(&closure.edges, |w, edge| one_edge(w, closure, edge));
    w.key("load_order").array(closure.loaded(), |w, id| w.number(u64::from(id.0)));
    if !closure.audits.is_empty() {
        w.key("audits").array(&closure.audits, |w, audit| w.object(|w| program(w, audit, root)));
    }
    w.key("findings").array(&closure.findings, one_finding);
}

fn about(w: &mut Writer, facts: &Facts) {
    w.key("kind").str(match facts.kind() {
        Kind::Static => "static",
        Kind::StaticPie => "static-pie",
        Kind::Executable => "executable",
        Kind::Pie => "pie",
        Kind::Library => "library",
        Kind::Loader => "loader",
        Kind::Other => "other",
    });
    w.key("class").number(if facts.class == Class::Elf64 { 64 } else { 32 });
    w.key("byte_order").str(if facts.order == Order::Little { "little" } else { "big" });
    w.key("machine").number(u64::from(facts.header.machine));
}

fn one_object(w: &mut Writer, id: usize, object: &Object, root: &dyn Root) {
    w.object(|w| {
        w.key("id").number(id as u64);
        w.key("role").str(role_id(object.role));
        w.name("path", &object.path);
        w.name("real_path", object.found.real_path(root).as_bytes());
        if !object.also.is_empty() {
            w.key("also").array(&object.also, |w, also| w.object(|w| w.name("path", &also.path)));
        }
        w.key("names").array(&object.names, |w, name| w.object(|w| w.name("name", name)));
        if let Some(id) = object.wanted_by {
            w.key("wanted_by").number(u64::from(id.0));
        }
        if let Some(rule) = object.rule {
            w.key("rule").str(rule_id(rule));
        }
        w.key("size").number(object.found.file.stat.len);
        let facts = object.found.facts();
        if let Some(soname) = facts.soname() {
            w.name("soname", soname);
        }
        for (key, list) in [("rpath", facts.rpath()), ("runpath", facts.runpath())] {
            if let Some(list) = list {
                w.name(key, list);
            }
        }
        if let Some(build_id) = facts.build_id {
            let hex: String = facts.str(build_id).iter().map(|byte| format!("{byte:02x}")).collect();
            w.key("build_id").str(&hex);
        }
        w.key("links").array(object.found.links.iter(), |w, (dir, name, target)| {
            w.object(|w| {
                w.name("at", root.real_path(*dir).join(name).as_bytes());
                w.name("target", target);
            });
        });
    });
}

fn one_edge(w: &mut Writer, closure: &Closure, edge: &Edge) {
    w.object(|w| {
        w.key("from").number(u64::from(edge.from.0));
        w.key("want").str(want_id(edge.want));
        w.name("name", &edge.name);
        w.key("outcome").str(outcome_id(&edge.outcome));
        match &edge.outcome {
            Outcome::Found { to, .. } => w.key("to").number(u64::from(to.0)),
            Outcome::Missing(miss) => {
                w.key("tried").array(&miss.tried, |w, tried| {
                    w.object(|w| {
                        w.name("path", &tried.path);
                        w.key("rule").str(rule_id(tried.rule));
                        w.key("obstacle").str(&obstacle_words(tried.obstacle));
                    });
                });
                if miss.more > 0 {
                    w.key("tried_more").number(miss.more as u64);
                }
                w.key("rules_off").array(rules_off(closure, edge), |w, line| w.str(&line));
            }
            Outcome::Dies(death) => {
                w.name("subject", &death.subject);
                w.key("words").str(&death.words);
            }
            Outcome::Vdso | Outcome::Apart => {}
        }
        if let Some(rule) = edge.rule() {
            w.key("rule").str(rule_id(rule));
        }
    });
}

/// The report of a run that could not look at anything.
pub fn failure_json(command: &str, findings: &[Finding], status: u8) -> String {
    let mut writer = Writer::default();
    writer.object(|w| {
        w.key("schema").str("depcollect/1");
        w.key("command").str(command);
        w.key("programs").array(std::iter::empty::<()>(), |_, ()| {});
        w.key("findings").array(findings, one_finding);
        w.key("status").number(u64::from(status));
    });
    writer.text + "\n"
}

pub(super) fn one_finding(w: &mut Writer, finding: &Finding) {
    w.object(|w| {
        w.key("severity").str(finding.severity.word());
        w.key("code").str(finding.code);
        w.name("subject", &finding.subject);
        w.name("message", &finding.message);
        if let Some(hint) = &finding.hint {
            w.name("hint", hint);
        }
    });
}
