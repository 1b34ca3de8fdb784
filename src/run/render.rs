//! One program's answer as text for both streams.

use super::inputs::Input;
use super::problem::Problem;
use super::{Scene, remarks};
use crate::closure::{Closure, Program, Session, close};
use crate::finding::{Exit, Finding, Severity};
use crate::job::{Format, Job, ListTask};
use crate::loader::{Target, hwcaps};
use crate::report::{self, Json, Style};

/// What there is to write for one input.
#[derive(Debug, Default)]
pub(super) struct Rendered {
    /// One after the other; in JSON each is a value.
    pub(super) answers: Vec<Vec<u8>>,
    pub(super) remarks: Vec<Remark>,
    pub(super) exit: Exit,
}

/// Something to be said beside the answer.
#[derive(Debug, Default)]
pub(super) struct Remark {
    pub(super) text: String,
    /// The file it is about. Of many programs that lack it each says so, and the
    /// first one what would help.
    pub(super) subject: Vec<u8>,
    pub(super) cure: String,
}

impl Rendered {
    fn say(&mut self, text: String) {
        self.remarks.push(Remark { text, ..Remark::default() });
    }

    fn finding(&mut self, program: Option<&[u8]>, finding: &Finding, style: Style) {
        let mut remark = Remark { subject: finding.subject.clone(), ..Remark::default() };
        report::fault(&mut remark.text, program, finding, style);
        report::cure(&mut remark.cure, finding, style);
        self.remarks.push(remark);
    }
}

/// What a level comes to, whatever its name.
#[derive(PartialEq, Eq)]
struct Answer {
    body: Vec<u8>,
    findings: Vec<Finding>,
}

/// Of what is said of an object, about so many bytes.
const LINE: usize = 80;

/// Answers for one input after the other, with the memory of one worker.
pub(super) struct Renderer<'a> {
    job: &'a Job,
    task: &'a ListTask,
    scene: Scene<'a>,
    /// One for each processor level.
    sessions: Vec<Session<'a>>,
    with_headers: bool,
}

impl<'a> Renderer<'a> {
    pub(super) fn new(job: &'a Job, task: &'a ListTask, scene: Scene<'a>) -> Self {
        let session = |(_, settings): &'a (_, _)| Session::new(scene.root, scene.files, settings);
        let sessions = scene.settings.iter().map(session).collect();
        Renderer { job, task, scene, sessions, with_headers: false }
    }

    /// ldd names each file if there are several.
    pub(super) fn with_headers(self, with_headers: bool) -> Self {
        Renderer { with_headers, ..self }
    }

    /// The first session, for what is looked up before anything is closed over.
    pub(super) fn session(&mut self) -> &mut Session<'a> {
        &mut self.sessions[0]
    }

    /// What a word of the command line named, after what may surprise about that.
    pub(super) fn word(&mut self, input: &Input, note: Option<&Finding>) -> Rendered {
        let mut rendered = Rendered::default();
        if let Some(note) = note.filter(|note| is_shown(self.job, note)) {
            rendered.finding(None, note, Style { colour: self.job.colour.stderr });
        }
        self.add(rendered, input)
    }

    pub(super) fn input(&mut self, input: &Input) -> Rendered {
        self.add(Rendered::default(), input)
    }

    fn add(&mut self, mut rendered: Rendered, input: &Input) -> Rendered {
        match input {
            Input::Program(program) => {
                let mut before = None;
                for level in self.levels_of(program) {
                    let mut closure = close(&mut self.sessions[level], program);
                    if self.task.unresolved {
                        crate::closure::symbols::check(&mut self.sessions[level], &mut closure);
                    }
                    remarks::denied(&mut self.sessions[level], &mut closure);
                    remarks::secure(self.job, program, &mut closure);
                    self.one(&mut rendered, &closure, level, &mut before);
                }
            }
            Input::Problem(problem) => {
                rendered.exit = Exit::Trouble;
                self.problem(&mut rendered, problem);
            }
            Input::Oddity(problem) => self.oddity(&mut rendered, problem),
        }
        rendered
    }

    /// The levels to be shown: a loader knows none of another machine.
    fn levels_of(&self, program: &Program) -> Vec<usize> {
        let facts = program.found.facts();
        let known = hwcaps::known_levels(&Target::of(&facts.header, facts.class, facts.order));
        let counts = |level: &usize| self.level(*level).is_none_or(|name| known.contains(&name));
        (0..self.sessions.len()).filter(counts).collect()
    }

    /// A level that changes nothing is not shown again.
    fn one(&self, rendered: &mut Rendered, closure: &Closure, level: usize, before: &mut Option<Answer>) {
        let answer = Answer { body: self.body(closure, None), findings: closure.findings.clone() };
        if before.as_ref() == Some(&answer) {
            return;
        }
        let with_level = match (self.task.format, self.level(level)) {
            (Format::Json, Some(level)) => Some(self.body(closure, Some(level))),
            _ => None,
        };
        let body = with_level.as_ref().unwrap_or(&answer.body);
        rendered.answers.push([self.header(closure, level).as_bytes(), body].concat());
        *before = Some(answer);
        self.findings(rendered, closure);
        rendered.exit = rendered.exit.and(Exit::of(&closure.findings));
    }

    fn body(&self, closure: &Closure, level: Option<&str>) -> Vec<u8> {
        let style = Style { colour: self.job.colour.stdout };
        let mut text = String::with_capacity(closure.objects.len() * LINE);
        match self.task.format {
            Format::Ldd => report::ldd(&mut text, closure),
            Format::Tree => report::tree(&mut text, closure, style, self.job.verbose),
            Format::Json => text = Json::program(closure, level, self.scene.root),
            Format::Dot => report::dot(&mut text, std::slice::from_ref(closure)),
            Format::Paths { end } => {
                let mut paths = Vec::new();
                report::paths(&mut paths, closure, self.scene.root, end);
                return paths;
            }
        }
        text.into_bytes()
    }

    fn level(&self, level: usize) -> Option<&'static str> {
        self.scene.settings[level].0
    }

    fn header(&self, closure: &Closure, level: usize) -> String {
        let wanted = self.task.format == Format::Ldd && (self.with_headers || self.level(level).is_some());
        let level = self.level(level).map_or(String::new(), |level| format!(" [{level}]"));
        let tree_level = self.task.format == Format::Tree && !level.is_empty();
        let mut text = String::new();
        if wanted || tree_level {
            report::escape(&mut text, &closure.program);
            text.push_str(&format!("{level}:\n"));
        }
        text
    }

    fn findings(&self, rendered: &mut Rendered, closure: &Closure) {
        let style = Style { colour: self.job.colour.stderr };
        let shown = |finding: &&Finding| is_shown(self.job, finding) && self.task.format != Format::Json;
        for finding in closure.findings.iter().filter(shown) {
            rendered.finding(Some(&closure.program), finding, style);
        }
        let says_it_all = matches!(self.task.format, Format::Tree | Format::Json);
        if self.job.verbose && !says_it_all {
            let mut text = String::new();
            report::details(&mut text, closure);
            rendered.say(text);
        }
    }

    fn problem(&self, rendered: &mut Rendered, problem: &Problem) {
        let style = Style { colour: self.job.colour.stderr };
        let (mut text, hint) = (String::new(), problem.hint.as_deref());
        report::problem(&mut text, problem.verb, &problem.path, &problem.cause, hint, style);
        rendered.say(text);
        if self.task.format == Format::Json {
            rendered.answers.push(Json::problem(&problem.path, &problem.cause, hint).into_bytes());
        }
    }

    /// Damaged files in a directory are worth a line, but no failure.
    fn oddity(&self, rendered: &mut Rendered, problem: &Problem) {
        if self.job.quiet {
            return;
        }
        let finding = Finding {
            severity: Severity::Warning,
            code: "damaged",
            subject: problem.path.clone(),
            message: problem.cause.clone().into_bytes(),
            hint: None,
        };
        rendered.finding(None, &finding, Style { colour: self.job.colour.stderr });
    }
}

/// `-q` leaves the errors.
pub(super) fn is_shown(job: &Job, finding: &Finding) -> bool {
    !job.quiet || finding.severity >= Severity::Error
}
