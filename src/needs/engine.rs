//! Closures met with the rules: what each program needs beyond what it loads.

use std::collections::BTreeSet;
use std::io;
use std::sync::OnceLock;

use super::constants::Constants;
use super::places::{self, Cause, Places};
use super::rules::{self, Action, Data, Libc, Rule, Take, Trigger};
use super::{
    Asked, NO_DATA, Refusal, Want, Wanted, ca, config, dirs, distro, dlopen, finding, literals, locale, nss,
    opened, php, users, way,
};
use crate::closure::{Closure, Found, Object, Role, Seen, Session};
use crate::elf::{self, Kind};
use crate::finding::{Finding, Severity};
use crate::intern::Map;
use crate::job::{CaCerts, DlopenLevel, NeedsMode, NeedsTask};
use crate::path::{ImagePath, dirname};
use crate::root::{DirId, FileId, Root, resolve_dir};

/// glibc's own parts and the runtimes of compilers import what the rules look
/// for, and use it on behalf of others only.
const RUNTIMES: [&[u8]; 9] = [
    b"libc.so.6",
    b"libm.so.6",
    b"libpthread.so.0",
    b"libdl.so.2",
    b"librt.so.1",
    b"libresolv.so.2",
    b"libstdc++.so.6",
    b"libgcc_s.so.1",
    b"libgomp.so.1",
];

/// So many lines about one program say what its libraries may open.
const MOST_HINTS: usize = 4;

/// A rule that was set off.
#[derive(Debug)]
pub struct Need {
    pub rule: &'static str,
    pub action: Action,
    /// The file that set it off, and by what.
    pub trigger: Vec<u8>,
    pub prevents: String,
    /// The option that takes it, where it is not taken.
    pub cure: String,
    pub wanted: Wanted,
}

/// Which rules count, and how.
#[derive(Debug)]
pub struct Engine {
    task: NeedsTask,
    /// Options that were typed: what they bring no rule has to.
    given: Vec<&'static str>,
    /// Functions of the rules that a file imports.
    calls: Map<FileId, Vec<&'static str>>,
    /// What the rules take along.
    taken: Vec<Want>,
    /// What each suggestion is about.
    suggested: Vec<Vec<Want>>,
    /// A rule counts once for each loader, and once for each file that it asks what it wants.
    done: BTreeSet<(&'static str, Vec<u8>, Vec<u8>)>,
    /// Directories of what the rules want.
    covered: BTreeSet<Vec<u8>>,
    /// Files whose own notes and constants were looked at.
    read: BTreeSet<FileId>,
}

/// What a rule is asked about.
pub(super) struct Scene<'s, 'a> {
    pub(super) session: &'s mut Session<'a>,
    pub(super) closure: &'s Closure,
    /// Somebody named it: what it imports counts as the program's.
    is_named: bool,
    /// Of the file that was asked for them last.
    pub(super) constants: Constants,
}

impl<'s> Scene<'s, '_> {
    /// What the file that is started holds.
    pub(super) fn of_program(&mut self) -> &Constants {
        let closure: &'s Closure = self.closure;
        self.constants(&closure.objects[0].found)
    }

    pub(super) fn constants(&mut self, found: &Found) -> &Constants {
        if !self.constants.are_of(found) {
            self.constants.read(self.session.opener(), found);
        }
        &self.constants
    }
}

impl Engine {
    /// `given`: the data options that were typed.
    pub fn new(task: NeedsTask, given: Vec<&'static str>) -> Result<Engine, Refusal> {
        let own = [opened::PATH, opened::DIR, opened::NAME];
        let ids = || rules::all().iter().map(|rule| rule.id).chain(own);
        let unknown = |id: &&Vec<u8>| !ids().any(|known| known.as_bytes() == &id[..]);
        if let Some(id) = task.with.iter().chain(&task.without).find(unknown) {
            return Err(Refusal {
                verb: "use the rule",
                subject: id.clone(),
                cause: "there is none of that name".into(),
                hint: Some(match id.as_slice() == dlopen::RULE.as_bytes() {
                    true => "`--dlopen none|required|recommended|suggested` chooses that".into(),
                    false => format!("the rules are {}", ids().collect::<Vec<_>>().join(", ")),
                }),
            });
        }
        Ok(Engine {
            task,
            given,
            calls: Map::default(),
            taken: Vec::new(),
            suggested: Vec::new(),
            done: BTreeSet::new(),
            covered: BTreeSet::new(),
            read: BTreeSet::new(),
        })
    }

    /// Nothing is to be looked for.
    pub fn is_idle(&self) -> bool {
        self.task.mode == NeedsMode::Off && self.task.with.is_empty() && self.task.dlopen.is_none()
    }

    /// What a closure needs that no closure before it did.
    pub fn needs(&mut self, session: &mut Session<'_>, closure: &Closure, is_named: bool) -> Vec<Need> {
        let is_static = is_static(closure);
        if closure.family.is_none() && !is_static {
            return Vec::new();
        }
        let loader = closure.objects.iter().find(|object| object.role == Role::Interpreter);
        let loader = loader.map_or(Vec::new(), |object| object.path.to_vec());
        let mut scene = Scene { session, closure, is_named, constants: Constants::default() };
        let mut needs = Vec::new();
        for rule in rules::all() {
            if !self.counts(rule) {
                continue;
            }
            if rule.is_static && !is_static || !rule.libc.is_none_or(|libc| suits(&mut scene, &loader, libc))
            {
                continue;
            }
            let Some(cause) = self.cause(&mut scene, rule) else { continue };
            let turn = (rule.id, loader.clone(), asked(&scene, rule, &cause).to_vec());
            if self.done.contains(&turn) || !rule.texts.is_empty() && !scene.of_program().holds(&rule.texts) {
                continue;
            }
            self.done.insert(turn);
            let need = self.need(&mut scene, &loader, rule, cause);
            needs.extend(need.filter(|need| self.is_new(need)));
        }
        self.covered.extend(needs.iter().flat_map(|need| covered_by(scene.session.root, need)));
        needs.extend(self.opened(&mut scene, &loader));
        needs
    }

    /// What files say themselves. A level that was typed counts in every mode.
    fn opened(&mut self, scene: &mut Scene<'_, '_>, loader: &[u8]) -> Vec<Need> {
        let (most, is_on) = match (self.task.dlopen, self.task.mode) {
            (Some(most), _) => (most, most != DlopenLevel::None),
            (None, mode) => (DlopenLevel::Recommended, mode != NeedsMode::Off),
        };
        let (mut notes, mut named) = (Vec::new(), Vec::new());
        let closure = scene.closure;
        let objects = closure.loaded().map(|id| closure.object(id)).filter(|object| !is_runtime(object));
        let new: Vec<&Object> =
            objects.filter(|object| self.read.insert(object.found.file.stat.id)).collect();
        for object in new.iter().filter(|_| is_on) {
            notes.extend(dlopen::of_notes(scene, loader, object, most));
        }
        let opens = |object: &&Object| opened::OPENERS.iter().any(|name| self.imports(scene, object, name));
        let openers: Vec<&Object> = new.into_iter().filter(opens).collect();
        for (object, texts) in openers.iter().zip(opened::texts(scene, &openers)) {
            let needs = opened::of_object(scene, loader, object, &texts, &self.covered);
            named.extend(needs.into_iter().filter_map(|need| self.chosen(need, is_on)));
        }
        self.done.extend(named.iter().map(|need| (need.rule, loader.to_vec(), Vec::new())));
        if self.task.dlopen.is_none() && self.task.mode == NeedsMode::Warn {
            notes.iter_mut().for_each(|need| need.action = Action::Suggest);
        }
        let (hints, taken): (Vec<Need>, Vec<Need>) =
            named.into_iter().partition(|need| need.action == Action::Suggest);
        notes.into_iter().chain(taken).chain(hints.into_iter().take(MOST_HINTS)).collect()
    }

    /// What an object names, as `--with`, `--without` and the mode have it.
    fn chosen(&self, need: Need, is_on: bool) -> Option<Need> {
        let action = match self.task.mode {
            _ if is_listed(&self.task.with, need.rule) => Action::Collect,
            NeedsMode::Warn if self.task.dlopen.is_none() => Action::Suggest,
            NeedsMode::Auto | NeedsMode::Warn | NeedsMode::Off => need.action,
        };
        let is_wanted = is_on && !is_listed(&self.task.without, need.rule);
        (is_wanted || is_listed(&self.task.with, need.rule)).then_some(Need { action, ..need })
    }

    /// A rule was typed, and nothing needs it.
    pub fn unasked(&self, id: &[u8]) -> Option<Finding> {
        let is_met = self.done.iter().any(|(rule, ..)| rule.as_bytes() == id);
        let message = [b"no program sets off the rule `", id, b"`"].concat();
        (!is_met).then(|| finding(Severity::Warning, "unasked", "--with", message, None))
    }

    fn counts(&self, rule: &Rule) -> bool {
        let named = |list: &[Vec<u8>]| is_listed(list, rule.id);
        let is_given = rule.instead.is_some_and(|option| self.given.contains(&option));
        let is_on = self.task.mode != NeedsMode::Off || named(&self.task.with);
        let is_silent = rule.on_request && !named(&self.task.with);
        let is_outdone = rule.unless.is_some_and(|other| is_listed(&self.task.with, other));
        is_on && !named(&self.task.without) && !is_given && !is_silent && !is_outdone
    }

    fn action(&self, rule: &Rule) -> Action {
        let is_asked = is_listed(&self.task.with, rule.id);
        match (is_asked, self.task.mode) {
            (true, _) => Action::Collect,
            (false, NeedsMode::Auto) => rule.action,
            (false, NeedsMode::Warn | NeedsMode::Off) => Action::Suggest,
        }
    }

    /// What sets the rule off.
    fn cause(&mut self, scene: &mut Scene<'_, '_>, rule: &Rule) -> Option<Cause> {
        let closure = scene.closure;
        let objects = || closure.loaded().map(|id| closure.object(id));
        let program = objects().next()?;
        rule.triggers.iter().find_map(|trigger| match *trigger {
            Trigger::Named(pattern) => Cause::of_file(program, pattern, &program.found.name),
            Trigger::Loads(pattern) => {
                objects().skip(1).find_map(|object| Cause::of_file(object, pattern, name_of(object)))
            }
            Trigger::Calls(name) => (scene.is_named && self.imports(scene, program, name))
                .then(|| Cause::of_words(imported(name, program))),
            Trigger::Holds(text) => (scene.is_named && scene.of_program().holds(&[text]))
                .then(|| Cause::of_words([b"`", text.as_bytes(), b"` in ", &program.path].concat())),
            Trigger::AnyCalls(name) => {
                let mut objects = objects().filter(|object| !is_runtime(object));
                let object = objects.find(|object| self.imports(scene, object, name))?;
                Some(Cause::of_words(imported(name, object)))
            }
        })
    }

    /// What one rule takes along no other has to suggest, nor what one suggests.
    fn is_new(&mut self, need: &Need) -> bool {
        let wants = &need.wanted.wants;
        if need.action == Action::Collect {
            self.taken.extend(wants.iter().cloned());
            return true;
        }
        let is_known = wants.iter().all(|want| self.taken.contains(want)) || self.suggested.contains(wants);
        if !is_known {
            self.suggested.push(wants.clone());
        }
        wants.is_empty() || !is_known
    }

    fn imports(&mut self, scene: &Scene<'_, '_>, object: &Object, name: &str) -> bool {
        let id = object.found.file.stat.id;
        if let Some(calls) = self.calls.get(&id) {
            return calls.contains(&name);
        }
        // What cannot be read sets nothing off: the copy will tell.
        let calls = calls_of(scene.session, &object.found).unwrap_or_default();
        let is_called = calls.contains(&name);
        self.calls.insert(id, calls);
        is_called
    }

    fn need(
        &self,
        scene: &mut Scene<'_, '_>,
        loader: &[u8],
        rule: &'static Rule,
        cause: Cause,
    ) -> Option<Need> {
        let mut wanted = Wanted::default();
        let (mut absent, mut named) = (Vec::new(), Vec::new());
        let places = Places { loader, cause: &cause, except: &rule.except };
        for take in &rule.takes {
            match take {
                Take::Library(name) if is_loaded(scene.closure, name.as_bytes()) => {}
                Take::Library(name) => match library(scene, loader, name.as_bytes()) {
                    Some(wants) => wanted.want(wants),
                    None => absent.push(*name),
                },
                Take::Paths(patterns) => wanted.want(places.of(scene, patterns)),
                Take::First(patterns) => wanted.want(places.of(scene, patterns).into_iter().take(1)),
                Take::Constants(patterns) => wanted.want(places.constants(scene, patterns)),
                Take::Extensions(patterns) => {
                    wanted.add(php::wanted(scene.session.root, &places.held(scene, patterns)));
                }
                Take::Modules(format, patterns) => {
                    let files = places.paths(scene, patterns);
                    wanted.add(config::wanted(scene, loader, *format, &files));
                }
                Take::Literals(literal) => {
                    for (name, wants) in literals::wanted(scene, loader, *literal) {
                        named.push(name);
                        wanted.want(wants);
                    }
                }
                Take::Data(data) => wanted.add(of_option(scene.session.root, *data)),
                Take::Note(cure) => wanted.findings.push(to_do(rule, &cause.words, cure)),
            }
        }
        let root = scene.session.root;
        wanted.findings.extend(absent.into_iter().map(|name| missing(root, rule, name, &cause.words)));
        if wanted.wants.is_empty() && wanted.findings.is_empty() && self.action(rule) == Action::Collect {
            wanted.findings.extend(none_of(root, rule, &cause.words));
        }
        if wanted.wants.is_empty() && wanted.findings.is_empty() {
            return None;
        }
        let cure = rule.instead.map_or_else(|| format!("--with {}", rule.id), str::to_owned);
        let (action, prevents) = (self.action(rule), rule.prevents.to_owned());
        if action == Action::Collect {
            wanted.want(places::linked(scene.session.root, &wanted.wants));
        }
        let trigger = match &named[..] {
            [] => cause.words,
            _ => [&named.join(&b" "[..]), &b" beside "[..], &cause.words].concat(),
        };
        Some(Need { rule: rule.id, action, trigger, prevents, cure, wanted })
    }
}

/// The program or library on which it depends what a rule wants; empty if on none.
fn asked<'c>(scene: &Scene<'c, '_>, rule: &Rule, cause: &'c Cause) -> &'c [u8] {
    if scene.is_named && rule.asks_program() {
        &scene.closure.program[..]
    } else if rule.asks_file() {
        cause.path()
    } else {
        b""
    }
}

/// The directories of what is wanted, by their real paths.
fn covered_by(root: &dyn Root, need: &Need) -> Vec<Vec<u8>> {
    let real =
        |dir: &[u8]| Some(root.real_path(resolve_dir(root, DirId::TOP, dir).ok()?.0).as_bytes().to_vec());
    let of_want = |want: &Want| match want {
        Want::Path(path) => [real(path), dirname(path).and_then(real)],
        Want::Host { .. } | Want::Made { .. } | Want::Dir { .. } | Want::Link { .. } => [None, None],
    };
    need.wanted.wants.iter().flat_map(of_want).flatten().collect()
}

fn is_listed(list: &[Vec<u8>], id: &str) -> bool {
    list.iter().any(|one| &one[..] == id.as_bytes())
}

/// A library by its name. If it lies where only a cache leads, a link in a directory
/// of the loader leads there in the image.
pub(super) fn library(scene: &mut Scene<'_, '_>, loader: &[u8], name: &[u8]) -> Option<Vec<Want>> {
    let root = scene.session.root;
    if name.contains(&b'/') {
        let is_there = name.starts_with(b"/") && matches!(scene.session.look(b"", name), Seen::File(_));
        return is_there.then(|| vec![Want::Path(name.to_vec())]);
    }
    let path = scene.session.library(loader, name)?;
    let (_, dirs) = scene.session.loader(loader)?.system_dirs(root);
    let mut wants = Vec::new();
    if !dirs.iter().any(|dir| path == [dir, name].concat())
        && let Some(link) = dirs.first().and_then(|dir| ImagePath::parse(&[dir, name].concat()))
    {
        let target = path.clone();
        wants = way::follow_parent(root, &link).then(|at| Want::Link { at, target });
    }
    wants.push(Want::Path(path));
    Some(wants)
}

fn is_static(closure: &Closure) -> bool {
    let program = closure.objects.first().map(|object| object.found.facts().kind());
    matches!(program, Some(Kind::Static | Kind::StaticPie))
}

fn suits(scene: &mut Scene<'_, '_>, loader: &[u8], libc: Libc) -> bool {
    let root = scene.session.root;
    let version = |scene: &mut Scene<'_, '_>| Some(scene.session.loader(loader)?.about(root).version);
    scene.closure.family == Some(libc.family)
        && libc.before.is_none_or(|before| version(scene).is_some_and(|version| version < before))
}

fn name_of(object: &Object) -> &[u8] {
    object.found.facts().soname().unwrap_or(&object.found.name)
}

fn is_runtime(object: &Object) -> bool {
    let is_listed = object.found.facts().soname().is_some_and(|soname| RUNTIMES.contains(&soname));
    object.role == Role::Interpreter || is_listed
}

pub(super) fn is_loaded(closure: &Closure, name: &[u8]) -> bool {
    closure.objects.iter().any(|object| object.names.iter().any(|known| **known == *name))
}

fn imported(name: &str, object: &Object) -> Vec<u8> {
    [name.as_bytes(), b" in ", &object.path].concat()
}

/// The functions of the rules that a file imports.
fn calls_of(session: &Session<'_>, found: &Found) -> io::Result<Vec<&'static str>> {
    let open = session.open(found)?;
    let imported = elf::imported(&open, found.facts())?;
    Ok(imported.iter().filter_map(|name| known_calls().get(name).copied()).collect())
}

/// The functions of all rules, by their names.
fn known_calls() -> &'static Map<&'static [u8], &'static str> {
    static KNOWN: OnceLock<Map<&[u8], &str>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let triggers = rules::all().iter().flat_map(|rule| &rule.triggers);
        let names = triggers.filter_map(|trigger| match trigger {
            Trigger::Calls(name) | Trigger::AnyCalls(name) => Some(*name),
            Trigger::Named(_) | Trigger::Loads(_) | Trigger::Holds(_) => None,
        });
        let mut known = Map::default();
        for name in names.chain(opened::OPENERS) {
            known.insert(name.as_bytes(), name);
        }
        known
    })
}

fn of_option(root: &dyn Root, data: Data) -> Wanted {
    let wanted = match data {
        Data::Certificates => ca::wanted(root, &CaCerts::OfRoot, Asked::Rule),
        Data::Users => Ok(users::by_rule(root)),
        Data::Nsswitch => Ok(nss::wanted(root)),
        Data::Utf8 => Ok(locale::wanted(root, &[b"C.UTF-8".to_vec()], Asked::Rule)),
        Data::Tmp => dirs::wanted(root, &[b"/tmp".to_vec()], &[], None),
    };
    wanted.expect("what the table asks for is not refused")
}

fn to_do(rule: &Rule, trigger: &[u8], cure: &str) -> Finding {
    let subject = [rule.id.as_bytes(), b", because of ", trigger].concat();
    let message = format!("not taken along; without it: {}", rule.prevents).into_bytes();
    let hint = Some(cure.as_bytes().to_vec());
    Finding { severity: Severity::Note, code: "suggest", subject, message, hint }
}

fn missing(root: &dyn Root, rule: &Rule, name: &str, trigger: &[u8]) -> Finding {
    let message = [b"the root has no ", name.as_bytes(), b", which ", trigger, b" opens"].concat();
    finding(Severity::Warning, NO_DATA, rule.id, message, Some(how_to_get(root, rule)))
}

/// Nothing is there of what a package brings that others ask for and come without.
fn none_of(root: &dyn Root, rule: &Rule, trigger: &[u8]) -> Option<Finding> {
    let message = [b"the root has nothing of it; asked for by ", trigger].concat();
    let hint = Some(how_to_get(root, rule));
    // A library of it may be loaded already.
    let is_data = !rule.takes.iter().any(|take| matches!(take, Take::Library(_)));
    (is_data && !rule.packages.is_empty()).then(|| finding(Severity::Note, NO_DATA, rule.id, message, hint))
}

fn how_to_get(root: &dyn Root, rule: &Rule) -> Vec<u8> {
    let package = distro::of_packages(root, &rule.packages).map(|install| install + "; ");
    format!("{}without it: {}", package.unwrap_or_default(), rule.prevents).into_bytes()
}
