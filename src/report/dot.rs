//! A graph for Graphviz: objects are nodes, requests are arrows.

use super::edges::{display_name, rule_words};
use super::escape::escaped;
use crate::closure::{Closure, Edge, Outcome, Want};

/// Appends one graph that holds all programs.
pub fn dot(out: &mut String, closures: &[Closure]) {
    out.push_str("digraph depcollect {\n    node [shape=box];\n");
    for (n, closure) in closures.iter().enumerate() {
        one(out, closure, n);
    }
    out.push_str("}\n");
}

fn one(out: &mut String, closure: &Closure, n: usize) {
    for (id, object) in closure.objects.iter().enumerate() {
        let label = format!("{}\n{}", display_name(object), escaped(&object.path));
        out.push_str(&format!("    p{n}o{id} [label={}];\n", quoted(&label)));
    }
    for (e, edge) in closure.edges.iter().enumerate().filter(|(_, edge)| edge.want != Want::Interp) {
        let from = format!("p{n}o{}", edge.from.0);
        match &edge.outcome {
            Outcome::Found { to, .. } => {
                out.push_str(&format!("    {from} -> p{n}o{}{};\n", to.0, label(closure, edge)));
            }
            Outcome::Missing(_) | Outcome::Dies(_) => {
                let name = quoted(&escaped(&edge.name));
                out.push_str(&format!("    p{n}m{e} [label={name}, style=dashed, color=red];\n"));
                out.push_str(&format!(
                    "    {from} -> p{n}m{e} [style=dashed, color=red, label=\"not found\"];\n"
                ));
            }
            Outcome::Vdso | Outcome::Apart => {}
        }
    }
}

fn label(closure: &Closure, edge: &Edge) -> String {
    let rule = edge.rule().map(|rule| quoted(&rule_words(closure, edge.from, rule)));
    rule.map_or(String::new(), |rule| format!(" [label={rule}]"))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
