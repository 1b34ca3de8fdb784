//! A tree for people: each object once, at the request that loaded it; what is
//! shared is named in one line below whoever asks for it.

use super::edges::{display_name, obstacle_words, rule_words, size};
use super::escape::{escape, escaped};
use super::off::rules_off;
use super::style::Style;
use crate::closure::{Closure, Edge, How, ObjectId, Outcome, Want};
use crate::elf::Kind;

struct Tree<'a> {
    closure: &'a Closure,
    style: Style,
    verbose: bool,
    /// The edges of each object, in order.
    edges_of: Vec<Vec<&'a Edge>>,
}

/// Appends the tree of one program.
pub fn tree(out: &mut String, closure: &Closure, style: Style, verbose: bool) {
    let mut edges_of = vec![Vec::new(); closure.objects.len()];
    for edge in &closure.edges {
        edges_of[edge.from.0 as usize].push(edge);
    }
    let tree = Tree { closure, style, verbose, edges_of };
    out.push_str(&style.bold(&escaped(&closure.program)));
    out.push_str(&style.dim(&tree.about_program()));
    out.push('\n');
    tree.children(out, ObjectId(0), &mut Vec::new());
    if verbose {
        tree.total(out);
    }
}

impl Tree<'_> {
    fn about_program(&self) -> String {
        let found = &self.closure.objects[0].found;
        let what = match found.facts().kind() {
            Kind::Static => "  statically linked",
            Kind::StaticPie => "  statically linked, position-independent",
            Kind::Loader => "  a loader",
            Kind::Executable | Kind::Pie | Kind::Library | Kind::Other => "",
        };
        let size = if self.verbose { format!("  {}", size(found.file.stat.len)) } else { String::new() };
        [what, &size].concat()
    }

    /// `guides` says for each level whether more follows there.
    fn children(&self, out: &mut String, id: ObjectId, guides: &mut Vec<bool>) {
        let edges = &self.edges_of[id.0 as usize];
        let (shared, own): (Vec<&Edge>, Vec<&Edge>) = edges.iter().partition(is_shared);
        let names = self.shared_names(&shared);
        for (n, edge) in own.iter().enumerate() {
            let is_last = n + 1 == own.len() && names.is_empty();
            self.branch(out, guides, if is_last { "└── " } else { "├── " });
            guides.push(!is_last);
            self.edge(out, edge, guides);
            guides.pop();
        }
        if !names.is_empty() {
            self.branch(out, guides, "└┄┄ ");
            out.push_str(&self.style.dim(&format!("shared: {}", names.join(", "))));
            out.push('\n');
        }
    }

    fn shared_names(&self, shared: &[&Edge]) -> Vec<String> {
        shared.iter().filter(|edge| edge.want != Want::Interp).map(|edge| escaped(&edge.name)).collect()
    }

    fn branch(&self, out: &mut String, guides: &[bool], last: &str) {
        for more in guides {
            out.push_str(if *more { "│   " } else { "    " });
        }
        out.push_str(last);
    }

    fn edge(&self, out: &mut String, edge: &Edge, guides: &mut Vec<bool>) {
        match &edge.outcome {
            Outcome::Found { to, how } => {
                self.found(out, edge, *to, *how);
                // Libraries nest as deep as their chain is long; a chain of
                // thousands is drawn flat from some depth on.
                if guides.len() < DEEPEST {
                    self.children(out, *to, guides);
                }
            }
            Outcome::Missing(miss) => {
                self.title(out, edge, &self.style.bad("not found"));
                for tried in miss.tried.iter().filter(|t| self.verbose || is_telling(&t.path)) {
                    let rule = rule_words(self.closure, edge.from, tried.rule);
                    self.note(
                        out,
                        guides,
                        &format!("{}: {} [{rule}]", escaped(&tried.path), obstacle_words(tried.obstacle)),
                    );
                }
                let more = (miss.more > 0).then(|| format!("and {} more", miss.more));
                for line in more.into_iter().chain(rules_off(self.closure, edge)) {
                    self.note(out, guides, &line);
                }
            }
            Outcome::Dies(death) => {
                let words = format!("{}: {}", escaped(&death.subject), death.words);
                self.title(out, edge, &self.style.bad(&words));
            }
            Outcome::Vdso => self.title(out, edge, "the kernel's own"),
            Outcome::Apart => self.title(out, edge, "in a namespace of its own"),
        }
    }

    fn found(&self, out: &mut String, edge: &Edge, to: ObjectId, how: How) {
        let object = self.closure.object(to);
        escape(out, &edge.name);
        if *edge.name != *object.path {
            out.push_str(" => ");
            escape(out, &object.path);
        }
        let why = match how {
            How::Opened(rule) | How::SameFile(rule) => rule_words(self.closure, edge.from, rule),
            How::Builtin if edge.want == Want::Interp => "interpreter".into(),
            How::Builtin => "the loader itself".into(),
            How::AlreadyLoaded => format!("loaded as {}", display_name(object)),
        };
        let why = if let Some(want) = special_want(edge.want) { format!("{want}, {why}") } else { why };
        out.push_str(&self.style.dim(&format!(" [{why}]")));
        if self.verbose {
            out.push_str(&self.style.dim(&format!(" {}", size(object.found.file.stat.len))));
        }
        out.push('\n');
    }

    fn title(&self, out: &mut String, edge: &Edge, words: &str) {
        escape(out, &edge.name);
        out.push_str(" => ");
        out.push_str(words);
        if let Some(want) = special_want(edge.want) {
            out.push_str(&self.style.dim(&format!(" [{want}]")));
        }
        out.push('\n');
    }

    fn note(&self, out: &mut String, guides: &[bool], text: &str) {
        self.branch(out, guides, "· ");
        out.push_str(&self.style.dim(text));
        out.push('\n');
    }

    fn total(&self, out: &mut String) {
        let closure = self.closure;
        let libraries = &closure.objects[1..];
        let bytes: u64 = closure.objects.iter().map(|object| object.found.file.stat.len).sum();
        let mut text = format!("{} files beside the program, {} in all", libraries.len(), size(bytes));
        if let Some(version) = closure.oldest_glibc() {
            text.push_str(&format!("; starts on glibc {}.{} or newer", version.0, version.1));
        }
        out.push_str(&self.style.dim(&text));
        out.push('\n');
    }
}

const DEEPEST: usize = 64;

/// A request that loaded nothing and needs no line of its own.
fn is_shared(edge: &&&Edge) -> bool {
    match edge.outcome {
        Outcome::Found { how: How::Opened(_), .. } => false,
        Outcome::Found { how: How::SameFile(_) | How::AlreadyLoaded, .. } => true,
        Outcome::Found { how: How::Builtin, .. } => edge.want != Want::Interp,
        Outcome::Vdso | Outcome::Missing(_) | Outcome::Dies(_) | Outcome::Apart => false,
    }
}

/// Subdirectories for other processors are rarely what a reader is after.
fn is_telling(path: &[u8]) -> bool {
    let is_variant =
        |part: &[u8]| part == b"glibc-hwcaps" || part == b"tls" || part == b"x86_64" || part == b"haswell";
    !path.split(|&b| b == b'/').any(is_variant)
}

fn special_want(want: Want) -> Option<&'static str> {
    match want {
        Want::Interp | Want::Needed => None,
        Want::Auxiliary => Some("DT_AUXILIARY"),
        Want::Filter => Some("DT_FILTER"),
        Want::PreloadEnv => Some("LD_PRELOAD"),
        Want::PreloadFile => Some("ld.so.preload"),
        Want::Audit => Some("DT_AUDIT"),
    }
}
