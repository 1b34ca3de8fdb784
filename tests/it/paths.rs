//! Random paths through random link forests, and the kernel as the judge:
//! `openat2` with `RESOLVE_IN_ROOT` has to open the same inode or to fail with
//! the same error. The same forest in memory has to give the same answers.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use depcollect::root::dir::DirRoot;
use depcollect::root::mem::MemRoot;
use depcollect::root::{DirId, Links, Opened, Resolved, Root, resolve, resolve_dir};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, mknodat, openat, openat2};
use rustix::io::Errno;

use crate::need;

const PATHS_PER_FOREST: usize = 64;

#[test]
fn paths_lead_where_the_kernel_leads() {
    let wanted = std::env::var("DEPCOLLECT_PATHS").map_or(5_000, |n| n.parse().unwrap());
    let mut rng = Rng(0x9e37_79b9_7f4a_7c15);
    for round in 0..usize::div_ceil(wanted, PATHS_PER_FOREST) {
        let forest = Forest::random(&mut rng);
        let planted = Planted::new(&forest, round);
        for _ in 0..PATHS_PER_FOREST {
            let path = forest.random_path(&mut rng);
            match planted.compare(&path) {
                Ok(()) => {}
                Err(Difference::NoJudge(errno)) => {
                    return need::skip(&format!("openat2 is refused here: {errno}"));
                }
                Err(Difference::Found(what)) => {
                    panic!("{}\n{what}\nforest {round}:\n{}", path.escape_ascii(), forest.show())
                }
            }
        }
    }
}

#[derive(Debug, Clone)]
pub enum Tree {
    Dir,
    File,
    Link(Vec<u8>),
    Special(FileType, &'static str),
}

/// What stands at each path; parents come before their children.
pub struct Forest {
    pub entries: BTreeMap<Vec<u8>, Tree>,
    dirs: Vec<Vec<u8>>,
}

impl Forest {
    pub fn random(rng: &mut Rng) -> Forest {
        let mut forest = Forest { entries: BTreeMap::new(), dirs: vec![Vec::new()] };
        for _ in 0..rng.between(4, 24) {
            let path = forest.random_place(rng);
            let what = match rng.below(20) {
                0..7 => Tree::Dir,
                7..9 => Tree::File,
                9 => Tree::Special(FileType::Fifo, "FIFO"),
                10 => Tree::Special(FileType::Socket, "socket"),
                _ => Tree::Link(forest.random_target(rng)),
            };
            forest.plant(path, what);
        }
        if rng.below(3) == 0 {
            forest.plant_chain(rng);
        }
        forest
    }

    /// A chain about as long as the kernel goes.
    fn plant_chain(&mut self, rng: &mut Rng) {
        let dir = rng.pick(&self.dirs).clone();
        for n in 0..rng.between(38, 44) {
            let target = match n {
                0 => self.random_target(rng),
                n => format!("k{}{}", n - 1, if rng.below(8) == 0 { "/" } else { "" }).into_bytes(),
            };
            self.plant(join(&dir, format!("k{n}").as_bytes()), Tree::Link(target));
        }
    }

    fn plant(&mut self, path: Vec<u8>, what: Tree) {
        if self.entries.contains_key(&path) {
            return;
        }
        if matches!(what, Tree::Dir) {
            self.dirs.push(path.clone());
        }
        self.entries.insert(path, what);
    }

    fn random_place(&self, rng: &mut Rng) -> Vec<u8> {
        join(rng.pick::<Vec<u8>>(&self.dirs), &random_name(rng))
    }

    fn random_target(&self, rng: &mut Rng) -> Vec<u8> {
        let mut target = self.random_words(rng, 4);
        target.truncate(1000);
        target
    }

    pub fn random_path(&self, rng: &mut Rng) -> Vec<u8> {
        match rng.below(40) {
            0 => Vec::new(),
            // Around the longest path there may be.
            1 => {
                let mut path = self.random_words(rng, 3);
                let filler: &[u8] = rng.pick::<&[u8]>(&[b"/", b"/.", b"/./"]);
                while path.len() < rng.between(4092, 4099) {
                    path.splice(0..0, filler.iter().copied());
                }
                path
            }
            _ => self.random_words(rng, 7),
        }
    }

    fn random_words(&self, rng: &mut Rng, most: usize) -> Vec<u8> {
        let mut path = Vec::new();
        if rng.below(2) == 0 && !self.entries.is_empty() {
            let nth = rng.below(self.entries.len());
            path.extend(self.entries.keys().nth(nth).unwrap());
            if rng.below(3) == 0 {
                path.remove(0);
            }
        } else if rng.below(2) == 0 {
            path.push(b'/');
        }
        for _ in 0..rng.below(most) {
            if !path.is_empty() {
                path.extend_from_slice(if rng.below(8) == 0 { b"//" } else { b"/" });
            }
            path.extend(self.random_component(rng));
        }
        if path.is_empty() || rng.below(6) == 0 {
            path.extend_from_slice(rng.pick::<&[u8]>(&[b"/", b"//", b"/.", b"/.."]));
        }
        path
    }

    fn random_component(&self, rng: &mut Rng) -> Vec<u8> {
        match rng.below(12) {
            0..3 => b"..".to_vec(),
            3 => b".".to_vec(),
            4 => format!("k{}", rng.between(30, 44)).into_bytes(),
            5..8 if !self.entries.is_empty() => {
                let nth = rng.below(self.entries.len());
                let path = self.entries.keys().nth(nth).unwrap();
                path.rsplit(|&b| b == b'/').next().unwrap().to_vec()
            }
            _ => random_name(rng),
        }
    }

    pub fn show(&self) -> String {
        let line = |(path, what): (&Vec<u8>, &Tree)| {
            let what = match what {
                Tree::Link(target) => format!("-> {}", target.escape_ascii()),
                Tree::Dir | Tree::File | Tree::Special(..) => format!("{what:?}"),
            };
            format!("{} {what}\n", path.escape_ascii())
        };
        self.entries.iter().map(line).collect()
    }
}

/// Few names, so that paths meet.
fn random_name(rng: &mut Rng) -> Vec<u8> {
    match rng.below(24) {
        0 => vec![b'x'; 255],
        1 => vec![b'x'; 256],
        2 => b"new\nline".to_vec(),
        3 => b"\xff\xfe".to_vec(),
        4 => b"...".to_vec(),
        n => vec![b'a' + (n % 5) as u8],
    }
}

fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    [dir, b"/", name].concat()
}

/// A forest on disk and in memory.
struct Planted {
    temp: tempfile::TempDir,
    top: OwnedFd,
    disk: DirRoot,
    memory: MemRoot,
}

enum Difference {
    NoJudge(Errno),
    Found(String),
}

/// Where a path led, in terms that both roots share.
pub type Answer = Result<(Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>), Errno>;

impl Planted {
    fn new(forest: &Forest, round: usize) -> Planted {
        let temp = tempfile::tempdir().unwrap();
        let mut memory = MemRoot::new();
        // The map sorts `/a/b` behind `/a`. A name that is too long is on no disk.
        for (path, what) in forest.entries.iter().filter(|(path, _)| !has_long_name(path)) {
            let host = host(temp.path(), path);
            match what {
                Tree::Dir => {
                    fs::create_dir(&host).unwrap();
                    memory.dir(path);
                }
                Tree::File => {
                    fs::write(&host, path).unwrap();
                    memory.file(path, &path[..]);
                }
                Tree::Link(target) => {
                    symlink(OsStr::from_bytes(target), &host).unwrap();
                    memory.link(path, target);
                }
                Tree::Special(kind, what) => {
                    mknodat(CWD, &host, *kind, Mode::from(0o644), 0).unwrap();
                    memory.special(path, what);
                }
            }
        }
        let top = openat(CWD, temp.path(), OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        let disk = match round % 3 {
            0 => DirRoot::open_keeping(temp.path(), 1),
            1 | 2.. => DirRoot::open(temp.path()),
        };
        Planted { temp, top, disk: disk.unwrap(), memory }
    }

    fn compare(&self, path: &[u8]) -> Result<(), Difference> {
        let judged = self.judge(path, OFlags::PATH)?;
        let resolved = resolve(&self.disk, DirId::TOP, path);
        self.check_links(&resolved)?;
        let ours = answer(&self.disk, &resolved);
        self.same(&ours, &judged)?;
        let memory = answer(&self.memory, &resolve(&self.memory, DirId::TOP, path));
        expect(&memory, &ours, "in memory and on disk")?;

        let judged = self.judge(path, OFlags::PATH | OFlags::DIRECTORY)?;
        let ours = dir_answer(&self.disk, resolve_dir(&self.disk, DirId::TOP, path));
        self.same(&ours, &judged)?;
        let memory = dir_answer(&self.memory, resolve_dir(&self.memory, DirId::TOP, path));
        expect(&memory, &ours, "directories in memory and on disk")
    }

    /// The inode the kernel finds, or its error.
    fn judge(&self, path: &[u8], flags: OFlags) -> Result<Result<(u64, u64), Errno>, Difference> {
        let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        loop {
            match openat2(&self.top, path, flags | OFlags::CLOEXEC, Mode::empty(), how) {
                // Something was renamed meanwhile, somewhere on the machine.
                Err(Errno::AGAIN) => {}
                Err(errno @ (Errno::NOSYS | Errno::PERM | Errno::INVAL | Errno::TOOBIG)) => {
                    return Err(Difference::NoJudge(errno));
                }
                Err(errno) => return Ok(Err(errno)),
                Ok(fd) => {
                    let stat = fstat(&fd).unwrap();
                    return Ok(Ok((stat.st_dev, stat.st_ino)));
                }
            }
        }
    }

    fn same(&self, ours: &Answer, judged: &Result<(u64, u64), Errno>) -> Result<(), Difference> {
        let ours = ours.as_ref().map_err(|errno| *errno).map(|(path, _)| {
            let meta = fs::symlink_metadata(host(self.temp.path(), path)).unwrap();
            (meta.dev(), meta.ino())
        });
        expect(&ours, judged, "ours and the kernel's")
    }

    /// An open file is the one at its real path, and each link is on disk.
    fn check_links(&self, resolved: &io::Result<Resolved>) -> Result<(), Difference> {
        let Ok(resolved) = resolved else { return Ok(()) };
        if let Opened::File(file) = &resolved.opened {
            let real = resolved.real_path(&self.disk);
            let meta = fs::symlink_metadata(host(self.temp.path(), real.as_bytes())).unwrap();
            expect(&(file.stat.id.dev, file.stat.id.ino), &(meta.dev(), meta.ino()), "inodes")?;
        }
        for (at, target) in links(&self.disk, &resolved.links) {
            let on_disk = fs::read_link(host(self.temp.path(), &at)).unwrap();
            expect(&target[..], on_disk.as_os_str().as_bytes(), "link targets")?;
        }
        Ok(())
    }
}

fn expect<T: PartialEq + std::fmt::Debug + ?Sized>(
    left: &T,
    right: &T,
    what: &str,
) -> Result<(), Difference> {
    if left == right {
        return Ok(());
    }
    Err(Difference::Found(format!("{what} differ:\n  {left:?}\n  {right:?}")))
}

pub fn answer(root: &dyn Root, resolved: &io::Result<Resolved>) -> Answer {
    match resolved {
        Ok(found) => Ok((found.real_path(root).as_bytes().to_vec(), links(root, &found.links))),
        Err(error) => Err(Errno::from_io_error(error).unwrap()),
    }
}

pub fn dir_answer(root: &dyn Root, found: io::Result<(DirId, Links)>) -> Answer {
    match found {
        Ok((dir, passed)) => Ok((root.real_path(dir).as_bytes().to_vec(), links(root, &passed))),
        Err(error) => Err(Errno::from_io_error(&error).unwrap()),
    }
}

fn links(root: &dyn Root, links: &Links) -> Vec<(Vec<u8>, Vec<u8>)> {
    let at = |(dir, name, target): &(DirId, Vec<u8>, Vec<u8>)| {
        (join(root.real_path(*dir).as_bytes(), name), target.clone())
    };
    links.iter().map(at).collect()
}

pub fn has_long_name(path: &[u8]) -> bool {
    path.split(|&b| b == b'/').any(|name| name.len() > 255)
}

fn host(top: &Path, path: &[u8]) -> PathBuf {
    let inside = path.iter().position(|&b| b != b'/').map_or(&b""[..], |at| &path[at..]);
    top.join(OsStr::from_bytes(inside))
}

/// Marsaglia's xorshift: the same forests on every machine.
pub struct Rng(pub u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 11) as usize % n
    }

    fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
