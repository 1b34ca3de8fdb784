//! A search, carried out: the loader says what to try, the root says what
//! stands there. The answer depends on the request alone and is remembered.

use std::rc::Rc;
use std::sync::Arc;

use super::session::{ChainNo, ListNo, Seen};
use super::{Found, Miss, Runtime, Session, Tried};
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
    Found { path: Arc<[u8]>, found: Found, rule: Rule },
    Missing(Arc<Miss>),
    Dies { path: Vec<u8>, words: &'static str },
}

impl Session<'_> {
    pub(super) fn search(&mut self, key: SearchKey) -> Rc<Answer> {
        if let Some(known) = self.answers.get(&key) {
            return Rc::clone(known);
        }
        let answer = Rc::new(self.search_afresh(&key));
        self.answers.insert(key, Rc::clone(&answer));
        answer
    }

    fn search_afresh(&mut self, key: &SearchKey) -> Answer {
        let runtime = Rc::clone(&self.runtimes[key.runtime as usize]);
        let (verdict, eye) = self.run(key, &runtime, false);
        match verdict {
            Verdict::Found(rule) => {
                let (path, found) = (Arc::from(eye.path), eye.found);
                Answer::Found { path, found: found.expect("what fits was found"), rule }
            }
            Verdict::Dies(words) => Answer::Dies { path: eye.path, words },
            // Only now, for a name that is missing, is a list of what was tried
            // worth its allocations.
            Verdict::Missing { other_class } => {
                let (_, eye) = self.run(key, &runtime, true);
                let miss = Miss { tried: eye.tried, other_class, by_conf: None };
                self.where_ldconfig_looks(key, &runtime, miss)
            }
        }
    }

    fn run(&mut self, key: &SearchKey, runtime: &Rc<Runtime>, keep: bool) -> (Verdict, Sighting) {
        let name = self.names.text(key.name);
        let chain = self.chain(key.chain);
        let library_path = self.list(key.library_path);
        let request =
            Request { name: &name, chain: &chain, library_path: &library_path, nodeflib: key.nodeflib };
        let no_cache = self.settings.no_cache || key.trusted_only;
        let mut eye = Eye {
            session: self,
            runtime: Rc::clone(runtime),
            keep,
            no_cache,
            trusted_only: key.trusted_only,
            last: Sighting::default(),
        };
        let verdict = runtime.family.search(&request, &mut eye);
        (verdict, eye.last)
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
            return Answer::Found { path, found, rule: Rule::Conf };
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
    tried: Vec<Tried>,
}

struct Eye<'s, 'a> {
    session: &'s mut Session<'a>,
    runtime: Rc<Runtime>,
    keep: bool,
    no_cache: bool,
    trusted_only: bool,
    last: Sighting,
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
        // A refused candidate is spelled out only if somebody will read it: in
        // a list, or as the subject of the loader's last words.
        if obstacle.is_none() || self.keep || is_grave(obstacle) {
            self.last.path = [candidate.dir, candidate.name].concat();
        }
        match (obstacle, seen) {
            (None, Seen::File(found)) => self.last.found = Some(found),
            (Some(obstacle), _) if self.keep => {
                let path = self.last.path.clone();
                self.last.tried.push(Tried { path, rule: candidate.rule, obstacle });
            }
            _ => {}
        }
        obstacle
    }

    fn cached(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        if self.no_cache {
            return None;
        }
        self.runtime.cached(self.session.root, name)
    }

    fn system_dirs(&mut self) -> (Rule, Arc<[Dir]>) {
        self.runtime.system_dirs(self.session.root)
    }

    fn subdirs(&mut self) -> Arc<[Vec<u8>]> {
        self.runtime.subdirs(self.session.root)
    }

    fn about(&mut self) -> Arc<About> {
        self.runtime.about(self.session.root)
    }
}

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
