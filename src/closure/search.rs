//! A search, carried out: the loader says what to try, the root says what
//! stands there. The answer depends on the request alone and is remembered.

use std::rc::Rc;
use std::sync::Arc;

use super::names::FileNames;
use super::session::{ChainNo, ListNo, Seen};
use super::{Found, Miss, Runtime, Session, Settings, Tried};
use crate::intern::Name;
use crate::loader::{About, Candidate, Dir, Family, Obstacle, Request, Rule, Sight, Verdict, World};

/// Everything that the answer of a search depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SearchKey {
    /// The runtime, by its number in the session.
    pub(super) runtime: u32,
    pub(super) name: Name,
    pub(super) chain: ChainNo,
    pub(super) library_path: ListNo,
    pub(super) nodeflib: bool,
    /// Preloads of a setuid program skip the cache.
    pub(super) trusted_only: bool,
}

/// What a search ended with.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    Found {
        path: Arc<[u8]>,
        path_no: Name,
        found: Found,
        names: Rc<FileNames>,
        rule: Rule,
    },
    /// The list of what was tried is left out: [`Session::with_tried`].
    Missing(Arc<Miss>),
    Dies {
        path: Vec<u8>,
        words: &'static str,
    },
}

/// What the searches of one program may take. Its files choose how many there
/// are, and how long each is: a small file can ask for a thousand names in a
/// thousand directories.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// For paths to try; see [`cost_of`].
    probes: usize,
    /// Bytes for lists of what was tried.
    tried: usize,
}

/// Two million files looked for, which takes seconds; a program of five hundred
/// libraries with fifty directories each takes 1 % of it.
const MOST_PROBES: usize = 16_000_000;
const MOST_TRIED: usize = 8 << 20;
/// Of one name: about a thousand paths.
const MOST_TRIED_OF_ONE: usize = 128 << 10;

/// An answer, and what is to be known of how it came about.
#[derive(Debug, Clone)]
pub(super) struct Known {
    answer: Rc<Answer>,
    cost: usize,
    /// Another processor level might have another answer.
    varies: bool,
}

impl Budget {
    pub(super) fn whole(settings: &Settings) -> Budget {
        Budget { probes: settings.most_probes.unwrap_or(MOST_PROBES), tried: MOST_TRIED }
    }
}

impl Session<'_> {
    /// A remembered answer costs as much as a fresh one: what a program may take
    /// does not depend on those before it.
    pub(super) fn search(&mut self, key: SearchKey) -> Rc<Answer> {
        if self.budget.probes == 0 {
            let words = "is not searched for: too many paths were tried for other names";
            return Rc::new(Answer::Dies { path: self.names.text(key.name).to_vec(), words });
        }
        let known = match self.answers.get(&key) {
            Some(known) => known.clone(),
            None => {
                let known = self.search_afresh(&key);
                self.answers.insert(key, known.clone());
                known
            }
        };
        self.budget.probes = self.budget.probes.saturating_sub(known.cost);
        self.varies |= known.varies;
        known.answer
    }

    fn search_afresh(&mut self, key: &SearchKey) -> Known {
        let runtime = Rc::clone(&self.runtimes[key.runtime as usize]);
        let (verdict, eye) = self.run(key, &runtime, 0);
        let is_missing = matches!(verdict, Verdict::Missing { .. });
        let answer = match verdict {
            Verdict::Found(rule) => {
                let found = eye.found.expect("what fits was found");
                self.found(Arc::from(eye.path), found, rule)
            }
            Verdict::Dies(words) => Answer::Dies { path: eye.path, words },
            Verdict::Missing { other_class } => {
                let miss = Miss { more: eye.probes, last: eye.last, other_class, ..Miss::default() };
                self.where_ldconfig_looks(key, &runtime, miss)
            }
        };
        // What ldconfig would list may be of a level too.
        Known { answer: Rc::new(answer), cost: eye.cost, varies: eye.varies || is_missing }
    }

    fn found(&mut self, path: Arc<[u8]>, found: Found, rule: Rule) -> Answer {
        let (path_no, names) = (self.names.intern(&path), self.names_in(&found.file));
        Answer::Found { path, path_no, found, names, rule }
    }

    /// Where a name is found that an object without path lists asks for, as `dlopen`
    /// does. The directories of the loader go first: whatever lies there is found in an
    /// image too, where no cache is.
    pub fn library(&mut self, loader: &[u8], name: &[u8]) -> Option<Vec<u8>> {
        let runtime = self.loader(loader)?;
        if let Some(path) = self.in_system_dirs(&runtime, name) {
            return Some(path);
        }
        let key = SearchKey {
            runtime: self.runtime_no(&runtime),
            name: self.names.intern(name),
            chain: ChainNo::EMPTY,
            library_path: ListNo::EMPTY,
            nodeflib: false,
            trusted_only: false,
        };
        match &*self.search(key) {
            Answer::Found { path, .. } => Some(path.to_vec()),
            Answer::Missing(_) | Answer::Dies { .. } => None,
        }
    }

    fn in_system_dirs(&mut self, runtime: &Rc<Runtime>, name: &[u8]) -> Option<Vec<u8>> {
        let (_, dirs) = runtime.system_dirs(self.root);
        let root = self.root;
        let dir = dirs.iter().find(|dir| {
            let seen = self.look(dir, name);
            let judged = runtime.family.judge(sight_of(&seen), &runtime.target, &mut || runtime.about(root));
            judged.is_none()
        })?;
        Some([dir, name].concat())
    }

    /// Only for a name that is missing is a list of what was tried worth its
    /// allocations, and no list is kept longer than somebody could read it.
    pub(super) fn with_tried(&mut self, key: &SearchKey, miss: &Arc<Miss>) -> Arc<Miss> {
        let room = self.budget.tried.min(MOST_TRIED_OF_ONE);
        if room == 0 || miss.more == 0 {
            return Arc::clone(miss);
        }
        let runtime = Rc::clone(&self.runtimes[key.runtime as usize]);
        let (_, eye) = self.run(key, &runtime, room);
        self.budget.tried = self.budget.tried.saturating_sub(room - eye.room);
        let more = miss.more - eye.tried.len();
        Arc::new(Miss { tried: eye.tried, more, ..Miss::clone(miss) })
    }

    /// `room`: for how many bytes of what was tried.
    fn run(&mut self, key: &SearchKey, runtime: &Rc<Runtime>, room: usize) -> (Verdict, Sighting) {
        let name = self.names.text(key.name);
        let chain = self.chain(key.chain);
        let library_path = self.list(key.library_path);
        let request =
            Request { name: &name, chain: &chain, library_path: &library_path, nodeflib: key.nodeflib };
        let no_cache = self.settings.no_cache || key.trusted_only;
        let mut eye = Eye {
            session: self,
            runtime: Rc::clone(runtime),
            keep: room > 0,
            no_cache,
            trusted_only: key.trusted_only,
            seen: Sighting { room, ..Sighting::default() },
        };
        let verdict = runtime.family.search(&request, &mut eye);
        (verdict, eye.seen)
    }

    /// No rule of the loader found it. A builder that has not run ldconfig still
    /// means what its ld.so.conf says (design: answers that carry their own rule).
    fn where_ldconfig_looks(&mut self, key: &SearchKey, runtime: &Rc<Runtime>, mut miss: Miss) -> Answer {
        let name = self.names.text(key.name);
        if runtime.family != Family::Glibc || key.nodeflib || name.contains(&b'/') {
            return Answer::Missing(Arc::new(miss));
        }
        let Some((path, found)) = self.ldconfig_answer(runtime, &name) else {
            return Answer::Missing(Arc::new(miss));
        };
        if self.settings.conf {
            return self.found(path, found, Rule::Conf);
        }
        miss.by_conf = Some(path);
        Answer::Missing(Arc::new(miss))
    }
}

impl Session<'_> {
    /// What ldconfig would put into the cache for a name. The link that it would
    /// make may not exist yet; the file does.
    fn ldconfig_answer(&mut self, runtime: &Rc<Runtime>, name: &[u8]) -> Option<(Arc<[u8]>, Found)> {
        let (path, dir, file) = runtime.ldconfig_answer(self.root, name)?;
        if let Seen::File(found) = self.look(b"", &path) {
            return Some((Arc::from(path), found));
        }
        let real = self.root.real_path(dir).as_bytes().to_vec();
        match self.look(&[&real[..], b"/"].concat(), &file) {
            Seen::File(found) => Some((Arc::from(path), found)),
            Seen::Error { .. } | Seen::Directory | Seen::Special(_) | Seen::Unreadable(_) => None,
        }
    }
}

/// What the last probe saw, and what was tried before it.
#[derive(Debug, Default)]
struct Sighting {
    path: Vec<u8>,
    found: Option<Found>,
    last: Option<Obstacle>,
    probes: usize,
    cost: usize,
    varies: bool,
    tried: Vec<Tried>,
    /// For more of them.
    room: usize,
}

struct Eye<'s, 'a> {
    session: &'s mut Session<'a>,
    runtime: Rc<Runtime>,
    keep: bool,
    no_cache: bool,
    trusted_only: bool,
    seen: Sighting,
}

impl World for Eye<'_, '_> {
    fn probe(&mut self, candidate: Candidate<'_>) -> Option<Obstacle> {
        let seen = self.session.look(candidate.dir, candidate.name);
        let root = self.session.root;
        let runtime = &self.runtime;
        let mut obstacle =
            runtime.family.judge(sight_of(&seen), &runtime.target, &mut || runtime.about(root));
        if let (None, Seen::File(found), true) =
            (obstacle, &seen, self.trusted_only && candidate.rule != Rule::AsGiven)
        {
            const SETUID: u32 = 0o4000;
            obstacle = (found.file.stat.mode & SETUID == 0).then_some(Obstacle::Forbidden);
        }
        self.seen.probes += 1;
        self.seen.cost += cost_of(&seen);
        if !matches!(candidate.rule, Rule::AsGiven | Rule::Cache) {
            self.seen.varies |= self.session.has_variants(candidate.dir, &seen);
        }
        self.seen.last = obstacle;
        // A refused candidate is spelled out only if somebody will read it, as the
        // subject of the loader's last words.
        if is_grave(obstacle) {
            self.seen.path = [candidate.dir, candidate.name].concat();
        }
        match (obstacle, seen) {
            (None, Seen::File(found)) => self.seen.found = Some(found),
            (Some(obstacle), _) if self.keep => return self.seen.keep(candidate, obstacle),
            _ => {}
        }
        obstacle
    }

    fn pass_over(&mut self, candidate: Candidate<'_>, obstacle: Obstacle) {
        self.seen.probes += 1;
        if self.keep {
            // Without room for it the search ends at the next one.
            let _ = self.seen.keep(candidate, obstacle);
        }
    }

    fn cached(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        if self.no_cache {
            return None;
        }
        self.runtime.cached(self.session.root, name, &mut self.seen.varies)
    }

    fn system_dirs(&mut self) -> (Rule, Arc<[Dir]>) {
        self.runtime.system_dirs(self.session.root)
    }

    fn endless_path_file(&mut self) -> Option<Vec<u8>> {
        self.runtime.endless_path_file(self.session.root)
    }

    fn subdirs(&mut self) -> Arc<[Vec<u8>]> {
        self.runtime.subdirs(self.session.root)
    }

    fn about(&mut self) -> Arc<About> {
        self.runtime.about(self.session.root)
    }
}

impl Sighting {
    /// `None`, which ends the search, if there is no room for one more.
    fn keep(&mut self, candidate: Candidate<'_>, obstacle: Obstacle) -> Option<Obstacle> {
        let path = [candidate.dir, candidate.name].concat();
        let taken = path.len() + size_of::<Tried>();
        self.room = self.room.checked_sub(taken)?;
        self.tried.push(Tried { path, rule: candidate.rule, obstacle });
        Some(obstacle)
    }
}

/// A directory that is not there is asked for once, whatever is looked for in it.
fn cost_of(seen: &Seen) -> usize {
    if matches!(seen, Seen::Error { dir_exists: false, .. }) { 1 } else { 8 }
}

/// Also `None`: a file that fits.
fn is_grave(obstacle: Option<Obstacle>) -> bool {
    !matches!(obstacle, Some(Obstacle::Absent | Obstacle::NoDirectory(_)))
}

pub(super) fn sight_of(seen: &Seen) -> Sight<'_> {
    match seen {
        Seen::Error { errno, dir_exists } => Sight::Error { errno: *errno, dir_exists: *dir_exists },
        Seen::Directory => Sight::Directory,
        Seen::Special(what) => Sight::Special(what),
        Seen::File(found) => Sight::File(&found.file.elf),
        Seen::Unreadable(error) => {
            let errno = error.raw_os_error().unwrap_or(rustix::io::Errno::IO.raw_os_error());
            Sight::Error { errno, dir_exists: true }
        }
    }
}
