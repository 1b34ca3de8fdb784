//! `list`: every input closed over and shown, in the order of the inputs,
//! whoever of several workers was faster.

use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use super::inputs::{Input, Inputs};
use super::render::{Rendered, Renderer};
use super::{Failure, Scene, Streams};
use crate::closure::{Program, scout};
use crate::finding::{Exit, Finding};
use crate::job::{Format, Job, ListTask};
use crate::report::{self, Json, Style, counted};

pub(super) fn list(
    job: &Job,
    task: &ListTask,
    scene: &Scene<'_>,
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    let mut first = Renderer::new(job, task, *scene);
    // What a run remembers is freed by the end of the process, which is near, and
    // quicker at it.
    let inputs = ManuallyDrop::new(Inputs::of(job, scene, first.session(), &task.files));
    let with_headers = task.files.len() > 1 || inputs.walked;
    // From here on the inputs are fixed, and so is the order of the answers.
    let mut answer = Answer::start(task.format, streams);
    for note in inputs.notes.iter().filter(|_| !job.quiet) {
        answer.note(note, Style { colour: job.colour.stderr });
    }
    let threads = if inputs.list.len() < super::MANY { 1 } else { (job.threads)() };
    if threads < 2 {
        alone_with_scout(scene, first.with_headers(with_headers), &inputs.list, &mut answer)?;
    } else {
        scene.files.share_places();
        let renderer = || Renderer::new(job, task, *scene).with_headers(with_headers);
        together(threads, first.with_headers(with_headers), &renderer, &inputs.list, &mut answer)?;
    }
    if inputs.walked && !job.quiet {
        answer.say(&walked(&inputs));
    }
    answer.end()
}

/// What the directories held; files that were named are not counted.
fn walked(inputs: &Inputs) -> String {
    let files = counted(inputs.files_read, "file");
    match inputs.programs_read {
        1 => format!("depcollect: read {files} in directories: 1 program or library\n"),
        count => format!("depcollect: read {files} in directories: {count} programs or libraries\n"),
    }
}

/// A worker takes so many at a time.
const BATCH: usize = 16;

fn alone(renderer: Renderer<'_>, inputs: &[Input], answer: &mut Answer<'_, '_>) -> Result<(), Failure> {
    let mut renderer = ManuallyDrop::new(renderer);
    for input in inputs {
        answer.add(renderer.input(input))?;
    }
    Ok(())
}

/// One program that needs much is half done by whoever opens its libraries
/// ahead. Of several the first ones leave the others little to open.
fn alone_with_scout(
    scene: &Scene<'_>,
    renderer: Renderer<'_>,
    inputs: &[Input],
    answer: &mut Answer<'_, '_>,
) -> Result<(), Failure> {
    let Some(program) = inputs.iter().find_map(worth_a_scout) else {
        return alone(renderer, inputs, answer);
    };
    scene.files.share_places();
    let is_enough = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| scout::scout(scene.root, scene.files, program, &is_enough));
        let done = alone(renderer, inputs, answer);
        is_enough.store(true, Ordering::Relaxed);
        done
    })
}

fn worth_a_scout(input: &Input) -> Option<&Program> {
    match input {
        Input::Program(program) => Some(program).filter(|program| scout::is_worth_it(program)),
        Input::Problem(_) | Input::Oddity(_) => None,
    }
}

/// Closures are independent of each other: each worker has a memory of its own
/// and takes the next batch; the answers are put in order again. This thread is
/// a worker too: one that only waited for the others would be woken at each
/// batch, and take a processor from them.
fn together<'a>(
    threads: usize,
    first: Renderer<'a>,
    renderer: &(dyn Fn() -> Renderer<'a> + Sync),
    inputs: &[Input],
    answer: &mut Answer<'_, '_>,
) -> Result<(), Failure> {
    let work = Work { batches: inputs.chunks(BATCH).collect(), next: AtomicUsize::new(0) };
    let (sender, receiver) = mpsc::sync_channel::<(usize, Vec<Rendered>)>(threads * 4);
    std::thread::scope(|scope| {
        for _ in 1..threads {
            let (sender, work) = (sender.clone(), &work);
            scope.spawn(move || {
                let mut renderer = ManuallyDrop::new(renderer());
                // The receiver is gone if the output was closed: stop working.
                while work.one(&mut renderer).is_some_and(|done| sender.send(done).is_ok()) {}
            });
        }
        drop(sender);
        let mut order = Order { waiting: BTreeMap::new(), due: 0 };
        let mut renderer = ManuallyDrop::new(first);
        while let Some(done) = work.one(&mut renderer) {
            order.add(done, answer)?;
            receiver.try_iter().try_for_each(|done| order.add(done, answer))?;
        }
        receiver.into_iter().try_for_each(|done| order.add(done, answer))
    })
}

/// What the workers share.
struct Work<'i> {
    batches: Vec<&'i [Input]>,
    next: AtomicUsize,
}

impl Work<'_> {
    /// Does the next batch, if there is one.
    fn one(&self, renderer: &mut Renderer<'_>) -> Option<(usize, Vec<Rendered>)> {
        let batch = self.next.fetch_add(1, Ordering::Relaxed);
        let inputs = self.batches.get(batch)?;
        Some((batch, inputs.iter().map(|input| renderer.input(input)).collect()))
    }
}

/// Batches are answered in their order.
struct Order {
    waiting: BTreeMap<usize, Vec<Rendered>>,
    due: usize,
}

impl Order {
    fn add(&mut self, done: (usize, Vec<Rendered>), answer: &mut Answer<'_, '_>) -> Result<(), Failure> {
        self.waiting.insert(done.0, done.1);
        while let Some(rendered) = self.waiting.remove(&self.due) {
            rendered.into_iter().try_for_each(|one| answer.add(one))?;
            self.due += 1;
        }
        Ok(())
    }
}

/// Both streams, written in large pieces.
struct Answer<'s, 'w> {
    streams: &'s mut Streams<'w>,
    out: Vec<u8>,
    err: String,
    json: Option<Json>,
    exit: Exit,
}

/// So much is kept before it is written.
const PIECE: usize = 1 << 16;

impl<'s, 'w> Answer<'s, 'w> {
    fn start(format: Format, streams: &'s mut Streams<'w>) -> Self {
        let json = (format == Format::Json).then(|| Json::start("list"));
        Answer { streams, out: Vec::new(), err: String::new(), json, exit: Exit::Fine }
    }

    fn add(&mut self, rendered: Rendered) -> Result<(), Failure> {
        self.exit = self.exit.and(rendered.exit);
        for answer in &rendered.answers {
            match &mut self.json {
                Some(json) => {
                    json.add(&String::from_utf8_lossy(answer));
                    self.out.extend_from_slice(json.take().as_bytes());
                }
                None => self.out.extend_from_slice(answer),
            }
        }
        self.err.push_str(&rendered.err);
        if self.out.len() > PIECE { self.flush() } else { Ok(()) }
    }

    fn note(&mut self, note: &Finding, style: Style) {
        report::finding(&mut self.err, None, note, style);
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
