//! A tree for people: each object once, at the request that loaded it; what is
//! shared is named in one line below whoever asks for it.

use std::collections::BTreeSet;

use super::edges::{counted, display_name, obstacle_words, rule_words, size, special_want};
use super::escape::{escape, escaped};
use super::off::rules_off;
use super::style::Style;
use crate::closure::{Closure, Edge, How, ObjectId, Outcome, Want};
use crate::elf::Kind;
use crate::path::{basename, dirname};

struct Tree<'a> {
    closure: &'a Closure,
    style: Style,
    verbose: bool,
    /// The edges of each object, in order.
    edges_of: Vec<Vec<&'a Edge>>,
}

/// Appends the tree of one program.
pub fn tree(out: &mut String, closure: &Closure, style: Style, verbose: bool) {
    let tree = Tree::of(closure, style, verbose);
    out.push_str(&style.bold(&escaped(&closure.program)));
    out.push_str(&style.dim(&tree.about_program()));
    out.push('\n');
    tree.draw(out, Vec::new());
    if verbose {
        tree.total(out);
    }
}

impl<'a> Tree<'a> {
    fn of(closure: &'a Closure, style: Style, verbose: bool) -> Self {
        let mut edges_of = vec![Vec::new(); closure.objects.len()];
        for edge in &closure.edges {
            edges_of[edge.from.0 as usize].push(edge);
        }
        Tree { closure, style, verbose, edges_of }
    }

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

    /// Libraries nest as deep as their chain is long, so this does not recurse.
    /// `guides`: for each level, whether more follows there.
    fn draw(&self, out: &mut String, mut guides: Vec<bool>) {
        let mut levels = vec![self.below(ObjectId(0))];
        while let Some(level) = levels.last_mut() {
            let Some(edge) = level.edges.next() else {
                self.shared(out, &level.shared, &guides);
                levels.pop();
                guides.pop();
                continue;
            };
            let is_last = level.edges.len() == 0 && level.shared.is_empty();
            self.branch(out, &guides, if is_last { "└── " } else { "├── " });
            guides.push(!is_last);
            self.edge(out, edge, &guides);
            match edge.outcome {
                Outcome::Found { to, .. } => levels.push(self.below(to)),
                Outcome::Apart => {
                    if let Some(apart) = self.closure.apart(edge) {
                        Tree::of(apart, self.style, self.verbose).draw(out, guides.clone());
                    }
                    guides.pop();
                }
                Outcome::Missing(_) | Outcome::Dies(_) | Outcome::Vdso => _ = guides.pop(),
            }
        }
    }

    fn below(&self, id: ObjectId) -> Level<'_> {
        let (shared, own): (Vec<&Edge>, Vec<&Edge>) =
            self.edges_of[id.0 as usize].iter().partition(is_shared);
        Level { edges: own.into_iter(), shared: self.shared_names(&shared) }
    }

    fn shared(&self, out: &mut String, names: &[String], guides: &[bool]) {
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
        for more in guides.iter().take(DEEPEST) {
            out.push_str(if *more { "│   " } else { "    " });
        }
        out.push_str(last);
    }

    /// A line, and what there is to say below it.
    fn edge(&self, out: &mut String, edge: &Edge, guides: &[bool]) {
        let is_flat = guides.len() > DEEPEST + 1;
        match &edge.outcome {
            Outcome::Found { to, how } => self.found(out, edge, *to, *how, is_flat),
            Outcome::Missing(miss) => {
                self.title(out, edge, &self.style.bad("not found"), is_flat);
                let dirs = miss.tried.iter().filter_map(|tried| dirname(&tried.path)).collect();
                for tried in miss.tried.iter().filter(|t| self.verbose || !is_variant(&dirs, &t.path)) {
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
                self.title(out, edge, &self.style.bad(&words), is_flat);
            }
            Outcome::Vdso => self.title(out, edge, "the kernel's own", is_flat),
            Outcome::Apart => self.title(out, edge, &self.about_apart(edge), is_flat),
        }
    }

    fn about_apart(&self, edge: &Edge) -> String {
        let path = self.closure.apart(edge).map(|apart| escaped(&apart.program) + " ").unwrap_or_default();
        path + "in a namespace of its own"
    }

    fn found(&self, out: &mut String, edge: &Edge, to: ObjectId, how: How, is_flat: bool) {
        let object = self.closure.object(to);
        escape(out, &edge.name);
        if *edge.name != *object.path {
            out.push_str(" => ");
            escape(out, &object.path);
        }
        let why = match how {
            How::Opened(rule) | How::SameFile(rule) => rule_words(self.closure, edge.from, rule),
            How::Builtin if edge.want == Want::Interp => self.who_starts().into(),
            How::Builtin => "the loader itself".into(),
            How::AlreadyLoaded => format!("loaded as {}", display_name(object)),
        };
        self.remark(out, edge, Some(why), is_flat);
        if self.verbose {
            out.push_str(&self.style.dim(&format!(" {}", size(object.found.file.stat.len))));
        }
        out.push('\n');
    }

    /// What the kernel does not start is a loader that we have chosen.
    fn who_starts(&self) -> &'static str {
        let program = self.closure.objects[0].found.facts();
        if program.interp.is_some() { "interpreter" } else { "the loader of its machine" }
    }

    fn title(&self, out: &mut String, edge: &Edge, words: &str, is_flat: bool) {
        escape(out, &edge.name);
        out.push_str(" => ");
        out.push_str(words);
        self.remark(out, edge, None, is_flat);
        out.push('\n');
    }

    /// Why it is there; where the drawing is flat, also for whom.
    fn remark(&self, out: &mut String, edge: &Edge, why: Option<String>, is_flat: bool) {
        let want = special_want(edge.want).map(str::to_owned);
        let whose = is_flat.then(|| format!("for {}", display_name(self.closure.object(edge.from))));
        let words: Vec<String> = [want, why, whose].into_iter().flatten().collect();
        if !words.is_empty() {
            out.push_str(&self.style.dim(&format!(" [{}]", words.join(", "))));
        }
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
        let mut text =
            format!("{} beside the program, {} in all", counted(libraries.len(), "file"), size(bytes));
        if let Some(version) = closure.oldest_glibc() {
            text.push_str(&format!("; starts on glibc {version} or newer"));
        }
        out.push_str(&self.style.dim(&text));
        out.push('\n');
    }
}

/// What is still to be drawn below an object.
struct Level<'a> {
    edges: std::vec::IntoIter<&'a Edge>,
    /// Named in one line at the end.
    shared: Vec<String>,
}

/// From here on all is drawn at one indentation: a chain of thousands would
/// take lines of thousands.
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

/// Names of subdirectories for processors: those of `Cpu::baseline` and of the
/// machine's own processor (`cli/cpu.rs`).
const PROCESSORS: [&[u8]; 7] = [b"aarch64", b"avx512_1", b"haswell", b"i686", b"sse2", b"tls", b"x86_64"];

/// A subdirectory for processors of a directory that was tried as well is rarely
/// what a reader is after.
fn is_variant(tried: &BTreeSet<&[u8]>, path: &[u8]) -> bool {
    let mut dir = dirname(path).unwrap_or_default();
    while let Some(above) = dirname(dir) {
        dir = match (basename(above), basename(dir)) {
            (b"glibc-hwcaps", _) => dirname(above).unwrap_or_default(),
            (_, name) if PROCESSORS.contains(&name) => above,
            _ => return false,
        };
        if tried.contains(dir) {
            return true;
        }
    }
    false
}
