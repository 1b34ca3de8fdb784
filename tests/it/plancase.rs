//! A root, programs of it, and the image that they become: the bench on which
//! plans are checked.

use depcollect::check::{self, Discrepancy, Expected};
use depcollect::closure::{Closure, Edge, Files, Session, Settings, close, open_program};
use depcollect::finding::Finding;
use depcollect::loader::cache::{Cache, LoaderAbi};
use depcollect::path::ImagePath;
use depcollect::plan::search::{Around, Unfound, repair};
use depcollect::plan::{Content, Plan, PlanRoot, Reason, Source, Sources};
use depcollect::root::mem::MemRoot;
use depcollect::root::{DirId, Opened, Root, resolve};

use crate::world::World;

pub const GLIBC: &str = "no-loader
/lib64/ld-linux-x86-64.so.2: SONAME ld-linux-x86-64.so.2; \
    GLIBC 2.40-1 Debian /lib/x86_64-linux-gnu/ /usr/lib/x86_64-linux-gnu/ /lib/ /usr/lib/; EXPORT x
";

/// A root, the programs that are taken out of it, and what the image lacks.
pub struct Case {
    pub source: MemRoot,
    programs: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
    settings: Settings,
    lacks: Vec<Vec<u8>>,
    dist: MemRoot,
    base: MemRoot,
    over_base: bool,
    /// What the image need not have.
    at_run_time: Vec<u8>,
}

impl Case {
    /// Lines that start with a sign are about the image: `< PATH` is left out of
    /// it, `dist> ` and `base> ` say what it lies over, `start> PROGRAM LEVEL...` is
    /// started (`/t/m`, if nothing is).
    pub fn parse(text: &str) -> Case {
        let (mut world, mut dist, mut base) =
            (text_of(text), String::from("no-loader\n"), String::from("no-loader\n"));
        let mut case = Case {
            source: MemRoot::new(),
            programs: Vec::new(),
            settings: Settings {
                cwd: b"/".to_vec(),
                levels: Some(Vec::new()),
                conf: true,
                ..Settings::default()
            },
            lacks: Vec::new(),
            dist: MemRoot::new(),
            base: MemRoot::new(),
            over_base: text.contains("over-base"),
            at_run_time: Vec::new(),
        };
        for line in text.lines().map(str::trim) {
            if let Some(path) = line.strip_prefix("< ") {
                case.lacks.push(path.into());
            } else if let Some(line) = line.strip_prefix("dist> ") {
                dist += &format!("{line}\n");
            } else if let Some(line) = line.strip_prefix("base> ") {
                base += &format!("{line}\n");
            } else if let Some(line) = line.strip_prefix("start> ") {
                let mut words = line.split(' ').map(|word| word.as_bytes().to_vec());
                case.programs.push((words.next().unwrap(), words.collect()));
            } else if let Some(name) = line.strip_prefix("at-run-time> ") {
                case.at_run_time = name.into();
            } else if let Some(list) = line.strip_prefix("library-path> ") {
                case.settings.library_path = Some(list.into());
            }
        }
        if case.programs.is_empty() {
            case.programs.push((b"/t/m".to_vec(), Vec::new()));
        }
        world.insert_str(0, if text.contains("musl") { "" } else { GLIBC });
        case.source = World::parse(&world).to_mem();
        case.dist = World::parse(&dist).to_mem().on_device(2);
        case.base = World::parse(&base).to_mem().on_device(3);
        case
    }

    pub fn closures(&self, files: &Files) -> Vec<(Closure, Vec<Vec<u8>>)> {
        let close = |(path, levels): &(Vec<u8>, Vec<Vec<u8>>)| {
            let settings = Settings { levels: Some(levels.clone()), ..self.settings.clone() };
            let mut session = Session::new(&self.source, files, &settings);
            let program = open_program(&mut session, path).expect("a program of the root");
            (close(&mut session, &program), levels.clone())
        };
        self.programs.iter().map(close).collect()
    }

    /// Every file that is loaded at its real place, with the links on the way.
    pub fn plan(&self, closures: &[(Closure, Vec<Vec<u8>>)]) -> Plan {
        let mut plan = Plan::default();
        for object in closures.iter().flat_map(|(closure, _)| &closure.objects) {
            if !self.lacks.contains(&object.path.to_vec()) {
                for path in [&object.path[..], object.found.real_path(&self.source).as_bytes()] {
                    put(&mut plan, &self.source, path);
                }
            }
        }
        plan
    }

    pub fn expected(&self, closures: &[(Closure, Vec<Vec<u8>>)]) -> Vec<Expected> {
        let at_run_time = |edge: &Edge, _: Option<&_>| *edge.name == self.at_run_time[..];
        let of = |(closure, levels): &(Closure, Vec<Vec<u8>>)| {
            let expected = Expected::of(closure, closure.program.clone(), levels.clone(), &at_run_time);
            if self.over_base { expected.over_base() } else { expected }
        };
        closures.iter().map(of).collect()
    }

    /// What is said before and after the repair, and the plan then.
    pub fn judged(&self) -> (String, Plan) {
        let files = Files::default();
        let closures = self.closures(&files);
        let mut plan = self.plan(&closures);
        let expected = self.expected(&closures);
        let below: [&dyn Root; 2] = [&self.dist, &self.base];
        let check = |plan: &Plan| {
            let root = PlanRoot::new(plan, Sources { root: &self.source }, &below);
            check::check(&root, &files, &expected)
        };
        let found = check(&plan);
        let mut said = show(&found);
        let unfound: Vec<Unfound> = found.into_iter().filter_map(|found| found.unfound).collect();
        if unfound.is_empty() {
            return (said, plan);
        }
        let around = Around { root: &self.source, dist: Some(&self.dist), base: Some(&self.base) };
        for finding in repair(&mut plan, &unfound, &around).expect("nothing stands in the way") {
            said += &one(&finding);
        }
        said += &generated(&plan);
        said += &show(&check(&plan));
        (said, plan)
    }
}

/// The lines that are a world's.
pub fn text_of(text: &str) -> String {
    let is_ours = |line: &&str| {
        *line != "over-base" && !line.contains("> ") && !line.starts_with("< ") || line.contains("->")
    };
    text.lines().map(str::trim).filter(is_ours).map(|line| format!("{line}\n")).collect()
}

fn put(plan: &mut Plan, root: &dyn Root, path: &[u8]) {
    let resolved = resolve(root, DirId::TOP, path).expect("a loaded file");
    for (dir, name, target) in &resolved.links {
        let at = root.real_path(*dir);
        let at = ImagePath::from(at).join(name);
        plan.link(&at, target, Reason::Way).expect("one link for one place");
    }
    let real = resolved.real_path(root);
    let Opened::File(open) = resolved.opened else { panic!("a loaded file") };
    let content = Content::of(Source::Root { path: real.clone(), stat: open.stat }, &open.stat, Vec::new());
    plan.file(&real.into(), content, Reason::Program).expect("one file for one place");
}

pub fn show(found: &[Discrepancy]) -> String {
    found.iter().map(|found| one(&found.finding)).collect()
}

pub fn one(finding: &Finding) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut line = format!(
        "{} {}: {}: {}\n",
        finding.severity.word(),
        finding.code,
        text(&finding.subject),
        text(&finding.message)
    );
    if let Some(hint) = &finding.hint {
        line += &format!("  {}\n", text(hint));
    }
    line
}

/// What was written for the loaders.
pub fn generated(plan: &Plan) -> String {
    let mut shown = String::new();
    for (at, entry) in plan.entries() {
        let depcollect::plan::Node::File(id) = entry.node else { continue };
        let Source::Made(bytes) = &plan.content(id).source else { continue };
        shown += &format!("{at:?}\n");
        match Cache::parse(bytes.to_vec(), AMD64) {
            Ok(cache) => {
                for e in cache.entries() {
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    let of = e.hwcap_name.map(|name| format!(" [{}]", text(name))).unwrap_or_default();
                    shown += &format!("  {} {:x} {}{of}\n", text(e.key), e.flags, text(e.value));
                }
            }
            Err(_) => {
                shown +=
                    &String::from_utf8_lossy(bytes).lines().map(|l| format!("  {l}\n")).collect::<String>();
            }
        }
    }
    shown
}

const AMD64: LoaderAbi = LoaderAbi {
    order: depcollect::elf::Order::Little,
    cache_align: 8,
    chars: depcollect::loader::cache::Chars::Signed,
    flags: depcollect::loader::cache::Flags { own: 0x303, also: None },
    checks_isa_level: true,
};
