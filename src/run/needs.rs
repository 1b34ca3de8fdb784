//! `needs`: what programs open at run time, as a collection would take it along.

use super::collect::{Survey, Surveyor};
use super::problem::Problem;
use super::render::is_shown;
use super::{Failure, Scene, Streams};
use crate::finding::{Exit, Finding};
use crate::job::{CollectTask, Job, NeedsFormat, NeedsReport, Placed};
use crate::report::{self, Json, Style};

pub(super) fn needs(
    job: &Job,
    task: &NeedsReport,
    scene: &Scene<'_>,
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    let mut surveyor = Surveyor::new(scene);
    let mut answer = Answer { job, format: task.format, exit: Exit::Fine, json: None, streams };
    answer.start();
    for word in &task.programs {
        let programs = vec![Placed { word: word.clone() }];
        let collect = CollectTask { programs, needs: task.needs.clone(), ..CollectTask::default() };
        match surveyor.survey(job, &collect) {
            Ok(survey) => answer.add(word, &survey)?,
            // It is not about this word: the next one would get the same answer.
            Err(refusal) => {
                answer.add(word, &Survey::of_problem(Problem::of_refusal(refusal)))?;
                break;
            }
        }
    }
    answer.end()
}

struct Answer<'n, 'w> {
    job: &'n Job,
    format: NeedsFormat,
    exit: Exit,
    json: Option<Json>,
    streams: &'n mut Streams<'w>,
}

impl Answer<'_, '_> {
    fn start(&mut self) {
        self.json = (self.format == NeedsFormat::Json).then(|| Json::start("needs"));
    }

    fn add(&mut self, word: &[u8], survey: &Survey) -> Result<(), Failure> {
        let mut out = String::new();
        self.log(survey);
        let style = Style { colour: self.job.colour.stdout };
        let report = survey.report(word);
        match (&mut self.json, self.format, survey.problems.first()) {
            (Some(json), _, Some(Problem { path, cause, hint, .. })) => {
                json.add(&Json::problem(path, cause, hint.as_deref()));
            }
            (Some(json), _, None) => json.add(&report::needs_json(&report)),
            (None, _, Some(_)) => {}
            (None, NeedsFormat::Tree, None) => report::needs_tree(&mut out, &report, self.job.verbose, style),
            (None, NeedsFormat::Text | NeedsFormat::Json, None) => {
                report::needs(&mut out, &report, self.job.verbose, style);
            }
        }
        out.extend(self.json.as_mut().map(Json::take));
        self.write(&out)
    }

    /// What is wrong, ahead of the answer that it is about.
    fn log(&mut self, survey: &Survey) {
        let mut err = String::new();
        let style = Style { colour: self.job.colour.stderr };
        for Problem { path, verb, cause, hint } in &survey.problems {
            let verb = if *verb == "collect" { "look into" } else { verb };
            report::problem(&mut err, verb, path, cause, hint.as_deref(), style);
            self.exit = self.exit.and(Exit::Trouble);
        }
        self.exit = self.exit.and(Exit::of(&survey.findings));
        let shown = |one: &&Finding| is_shown(self.job, one) && self.json.is_none();
        survey.findings.iter().filter(shown).for_each(|one| report::finding(&mut err, None, one, style));
        // If nobody listens to stderr, the answer still counts.
        let _ = self.streams.err.write_all(err.as_bytes());
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        let out = &mut self.streams.out;
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Output)
    }

    fn end(mut self) -> Result<Exit, Failure> {
        if let Some(json) = self.json.take() {
            self.write(&json.end(self.exit.status()))?;
        }
        Ok(self.exit)
    }
}
