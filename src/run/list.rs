//! `list`: every word named, closed over and shown, in the order of the words,
//! whoever of several workers was faster.

use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use super::inputs::{self, Input, Named, Walked};
use super::render::{Rendered, Renderer};
use super::{Failure, Scene, Streams};
use crate::closure::scout;
use crate::finding::Exit;
use crate::intern::Names;
use crate::job::{Format, Job, ListTask};
use crate::report::{Json, counted};

pub(super) fn list(
    job: &Job,
    task: &ListTask,
    scene: &Scene<'_>,
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    let with_headers = task.files.len() > 1;
    let renderer = || Renderer::new(job, task, *scene).with_headers(with_headers);
    let mut answer = Answer::start(task.format, streams);
    let word = |renderer: &mut Renderer<'_>, word: &Vec<u8>| of_word(job, renderer, word);
    let crew = Crew { job, scene, renderer: &renderer, each: &word };
    let left = crew.work(&task.files, &mut answer)?;
    if left.is_empty() {
        return answer.end();
    }
    let walked = directories(job, scene, &|| renderer().with_headers(true), left, &mut answer)?;
    if !job.quiet {
        answer.say(&walked);
    }
    answer.end()
}

/// What comes of one item of a list.
enum Part {
    Done(Rendered),
    /// A directory's answers come later: everybody works on them.
    Directory(Vec<u8>),
}

fn of_word(job: &Job, renderer: &mut Renderer<'_>, word: &[u8]) -> Part {
    let (named, note) = inputs::named(job, renderer.session(), word);
    match named {
        Named::Input(input) => Part::Done(renderer.word(&input, note.as_ref())),
        Named::Directory(path) => Part::Directory(path),
    }
}

/// From the first directory on: what is in it, and what was done and waits behind it.
fn directories<'a>(
    job: &'a Job,
    scene: &'a Scene<'a>,
    renderer: &(dyn Fn() -> Renderer<'a> + Sync),
    parts: Vec<Part>,
    answer: &mut Answer<'_, '_>,
) -> Result<String, Failure> {
    let mut walked = Walked::default();
    let input = |renderer: &mut Renderer<'_>, input: &Input| Part::Done(renderer.input(input));
    let crew = Crew { job, scene, renderer, each: &input };
    // Freed by the end of the process, which is near, and quicker at it.
    let mut namer = ManuallyDrop::new(renderer());
    for part in parts {
        match part {
            Part::Done(rendered) => answer.add(rendered)?,
            Part::Directory(path) => {
                let inputs = walked.directory(job, scene, namer.session(), &path);
                crew.work(&ManuallyDrop::new(inputs), answer)?;
            }
        }
    }
    let files = counted(walked.files_read, "file");
    Ok(match walked.programs_read {
        1 => format!("depcollect: read {files} in directories: 1 program or library\n"),
        count => format!("depcollect: read {files} in directories: {count} programs or libraries\n"),
    })
}

/// A worker takes so many at a time.
const BATCH: usize = 16;

/// Who works through a list, and how.
struct Crew<'c, 'a, T> {
    job: &'c Job,
    scene: &'c Scene<'a>,
    renderer: &'c (dyn Fn() -> Renderer<'a> + Sync),
    each: &'c (dyn Fn(&mut Renderer<'_>, &T) -> Part + Sync),
}

impl<T: Sync> Crew<'_, '_, T> {
    /// Answers for all items up to the first directory, and gives back the rest.
    fn work(&self, items: &[T], answer: &mut Answer<'_, '_>) -> Result<Vec<Part>, Failure> {
        let threads = if items.len() < super::MANY { 1 } else { (self.job.threads)() };
        let mut order = Order { waiting: BTreeMap::new(), due: 0, left: Vec::new() };
        if threads < 2 {
            self.alone(items, &mut order, answer)
        } else {
            self.together(threads, items, &mut order, answer)
        }?;
        Ok(order.left)
    }

    /// One program that needs much is half done by whoever opens its libraries
    /// ahead. Of several the first one leaves the others little to open.
    fn alone(&self, items: &[T], order: &mut Order, answer: &mut Answer<'_, '_>) -> Result<(), Failure> {
        let is_enough = AtomicBool::new(false);
        let (root, files, is_enough) = (self.scene.root, self.scene.files, &is_enough);
        std::thread::scope(|scope| {
            let send = |start: scout::Start| {
                scope.spawn(move || scout::scout(root, files, &start, is_enough));
            };
            let mut renderer = ManuallyDrop::new((self.renderer)());
            renderer.session().send_scout_by(&send);
            let mut one = |item| order.add((order.due, vec![(self.each)(&mut renderer, item)]), answer);
            let done = items.iter().try_for_each(&mut one);
            is_enough.store(true, Ordering::Relaxed);
            done
        })
    }

    /// Closures are independent of each other: each worker has a memory of its own
    /// and takes the next batch; the answers are put in order again. This thread is
    /// a worker too: one that only waited for the others would be woken at each
    /// batch, and take a processor from them.
    fn together(
        &self,
        threads: usize,
        items: &[T],
        order: &mut Order,
        answer: &mut Answer<'_, '_>,
    ) -> Result<(), Failure> {
        self.scene.files.share_places();
        let work =
            Work { batches: items.chunks(BATCH).collect(), next: AtomicUsize::new(0), each: self.each };
        let (sender, receiver) = mpsc::sync_channel::<(usize, Vec<Part>)>(threads * 4);
        std::thread::scope(|scope| {
            for _ in 1..threads {
                let (sender, work) = (sender.clone(), &work);
                scope.spawn(move || {
                    make_room();
                    let mut renderer = ManuallyDrop::new((self.renderer)());
                    // The receiver is gone if the output was closed: stop working.
                    while work.one(&mut renderer).is_some_and(|done| sender.send(done).is_ok()) {}
                });
            }
            drop(sender);
            let mut renderer = ManuallyDrop::new((self.renderer)());
            while let Some(done) = work.one(&mut renderer) {
                order.add(done, answer)?;
                receiver.try_iter().try_for_each(|done| order.add(done, answer))?;
            }
            receiver.into_iter().try_for_each(|done| order.add(done, answer))
        })
    }
}

/// Has the heap of this thread grow once. glibc's grows by what each request
/// lacks, a page and a call of mprotect at a time, and the other threads' page
/// faults wait for those. A block that was mapped and freed raises the size up
/// to which blocks come from the heap and freed ones stay in it.
fn make_room() {
    const ROOM: usize = 2 << 20;
    for size in [2 * ROOM, ROOM] {
        drop(std::hint::black_box(Vec::<u8>::with_capacity(size)));
    }
}

/// What the workers share.
struct Work<'i, T> {
    batches: Vec<&'i [T]>,
    next: AtomicUsize,
    each: &'i (dyn Fn(&mut Renderer<'_>, &T) -> Part + Sync),
}

impl<T> Work<'_, T> {
    /// Does the next batch, if there is one.
    fn one(&self, renderer: &mut Renderer<'_>) -> Option<(usize, Vec<Part>)> {
        let batch = self.next.fetch_add(1, Ordering::Relaxed);
        let items = self.batches.get(batch)?;
        Some((batch, items.iter().map(|item| (self.each)(renderer, item)).collect()))
    }
}

/// Batches are answered in their order, up to the first directory.
struct Order {
    waiting: BTreeMap<usize, Vec<Part>>,
    due: usize,
    left: Vec<Part>,
}

impl Order {
    fn add(&mut self, done: (usize, Vec<Part>), answer: &mut Answer<'_, '_>) -> Result<(), Failure> {
        self.waiting.insert(done.0, done.1);
        while let Some(parts) = self.waiting.remove(&self.due) {
            parts.into_iter().try_for_each(|part| self.one(part, answer))?;
            self.due += 1;
        }
        Ok(())
    }

    fn one(&mut self, part: Part, answer: &mut Answer<'_, '_>) -> Result<(), Failure> {
        match part {
            Part::Done(rendered) if self.left.is_empty() => answer.add(rendered),
            part @ (Part::Done(_) | Part::Directory(_)) => {
                self.left.push(part);
                Ok(())
            }
        }
    }
}

/// Both streams, written in large pieces.
struct Answer<'s, 'w> {
    streams: &'s mut Streams<'w>,
    out: Vec<u8>,
    err: String,
    /// Those that were said already.
    cures: Names,
    json: Option<Json>,
    /// Of paths alone: what ends one, and those that were named already.
    paths: Option<(u8, Names)>,
    exit: Exit,
}

/// So much is kept before it is written.
const PIECE: usize = 1 << 16;

impl<'s, 'w> Answer<'s, 'w> {
    fn start(format: Format, streams: &'s mut Streams<'w>) -> Self {
        let json = (format == Format::Json).then(|| Json::start("list"));
        let paths = match format {
            Format::Paths { end } => Some((end, Names::default())),
            Format::Ldd | Format::Tree | Format::Json | Format::Dot => None,
        };
        Answer {
            streams,
            out: Vec::new(),
            err: String::new(),
            cures: Names::default(),
            json,
            paths,
            exit: Exit::Fine,
        }
    }

    fn add(&mut self, rendered: Rendered) -> Result<(), Failure> {
        self.exit = self.exit.and(rendered.exit);
        for answer in &rendered.answers {
            match (&mut self.json, &mut self.paths) {
                (Some(json), _) => {
                    json.add(&String::from_utf8_lossy(answer));
                    self.out.extend_from_slice(json.take().as_bytes());
                }
                (None, Some((end, named))) => {
                    let paths = answer.split_inclusive(|byte| byte == end);
                    paths.filter(|path| named.is_new(path)).for_each(|path| self.out.extend_from_slice(path));
                }
                (None, None) => self.out.extend_from_slice(answer),
            }
        }
        for remark in &rendered.remarks {
            self.err.push_str(&remark.text);
            if self.cures.is_new(&[&remark.subject, remark.cure.as_bytes()].concat()) {
                self.err.push_str(&remark.cure);
            }
        }
        if self.out.len() > PIECE { self.flush() } else { Ok(()) }
    }

    fn say(&mut self, text: &str) {
        self.err.push_str(text);
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.streams
            .out
            .write_all(&self.out)
            .and_then(|()| self.streams.out.flush())
            .map_err(Failure::Output)?;
        self.out.clear();
        if !self.err.is_empty() {
            // If nobody listens to stderr, the answer still counts.
            let _ = self.streams.err.write_all(self.err.as_bytes());
            self.err.clear();
        }
        Ok(())
    }

    fn end(mut self) -> Result<Exit, Failure> {
        if let Some(json) = self.json.take() {
            self.out.extend_from_slice(json.end(self.exit.status()).as_bytes());
        }
        self.flush()?;
        Ok(self.exit)
    }
}
