//! DIST, and where what is written to it comes from.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::finding::{Finding, Severity};
use crate::job::{CollectTask, Job, Output};
use crate::output::dir::Target;
use crate::output::look::Look;
use crate::output::{self, Options};
use crate::path::{ImagePath, dirname};
use crate::plan::{Plan, Source, Sources};
use crate::root::dir::DirRoot;
use crate::run::{Failure, words};

/// Where the tree goes. Until it is written nobody else may write there.
pub(super) enum Dist {
    Dir(Target),
    /// An archive, into a file.
    Archive(PathBuf),
    /// An archive, to stdout.
    Stream,
    /// What is there is only looked at.
    Looked(Look),
}

impl Dist {
    pub(super) fn of(job: &Job, task: &CollectTask, inputs: &[PathBuf]) -> Result<Dist, Failure> {
        let path = job.cwd.join(&task.dist);
        let is_stream = task.output == Output::Tar && task.dist.as_os_str() == "-";
        if let Some(base) = task.onto.as_ref().filter(|_| !is_stream) {
            output::apart(&path, &job.cwd.join(base)).map_err(Failure::Write)?;
        }
        match task.output {
            Output::Tar if is_stream => Ok(Dist::Stream),
            Output::Tar => Ok(Dist::Archive(path)),
            Output::Dir if task.dry_run => Look::open(&path, inputs, task.force).map(Dist::Looked),
            Output::Dir => Target::open(&path, inputs, task.force).map(Dist::Dir),
        }
        .map_err(Failure::Write)
    }

    pub(super) fn earlier(&self) -> Result<Option<DirRoot>, Failure> {
        match self {
            Dist::Dir(target) => target.earlier().map_err(Failure::Write),
            Dist::Looked(look) => look.earlier().map_err(Failure::Write),
            Dist::Archive(_) | Dist::Stream => Ok(None),
        }
    }

    /// What would keep the plan from being written there.
    pub(super) fn compare(
        &self,
        plan: &Plan,
        sources: Sources<'_>,
        options: Options,
    ) -> Result<Option<Finding>, Failure> {
        match self {
            Dist::Looked(look) => look.compare(plan, sources, options).map(|()| unfinished(look)),
            Dist::Archive(path) => output::tar::look(plan, path, options).map(|_| None),
            Dist::Dir(_) | Dist::Stream => Ok(None),
        }
        .map_err(Failure::Write)
    }

    pub(super) fn write(
        &self,
        plan: &Plan,
        sources: Sources<'_>,
        options: Options,
        out: &mut dyn Write,
    ) -> Result<output::Done, Failure> {
        match self {
            Dist::Dir(target) => target.write(plan, sources, options),
            Dist::Archive(path) => output::tar::write_file(plan, sources, path, options),
            Dist::Stream => output::tar::write(plan, sources, out, options),
            Dist::Looked(_) => Ok(output::Done::default()),
        }
        .map_err(Failure::Write)
    }
}

/// In a dry run nothing is undone.
fn unfinished(look: &Look) -> Option<Finding> {
    look.is_unfinished.then(|| Finding {
        severity: Severity::Note,
        code: "unfinished",
        subject: b"DIST".to_vec(),
        message:
            b"a run that was killed has left its work there, which is undone first: nothing was compared"
                .to_vec(),
        hint: None,
    })
}

/// What a user without rights, or a file system, could not keep.
pub(super) fn dropped(done: &output::Done) -> Vec<Finding> {
    let finding = |(at, what): &(ImagePath, &'static str)| Finding {
        severity: Severity::Warning,
        code: "dropped",
        subject: at.as_bytes().to_vec(),
        message: what.as_bytes().to_vec(),
        hint: None,
    };
    done.dropped.iter().map(finding).collect()
}

/// The directories of the host that are copied from.
pub(super) fn sources_of(job: &Job, plan: &Plan) -> Vec<PathBuf> {
    let top = job.cwd.join(&job.root);
    let (mut below, mut dirs) = (BTreeSet::new(), BTreeSet::new());
    for (_, content) in plan.contents() {
        match &content.source {
            Source::Root { path, .. } => below.extend(dirname(path.as_bytes())),
            Source::Host { path, .. } => dirs.extend(path.parent().map(Path::to_owned)),
            Source::Made(_) => {}
        }
    }
    let in_top = |dir: &[u8]| top.join(OsStr::from_bytes(dir.strip_prefix(b"/").unwrap_or(dir)));
    dirs.extend(below.into_iter().map(in_top));
    dirs.into_iter().collect()
}

pub(super) fn base_of(job: &Job, task: &CollectTask) -> Result<Option<DirRoot>, Failure> {
    let open = |path: &PathBuf| {
        let path = job.cwd.join(path);
        DirRoot::open(&path).map_err(|cause| Failure::Open {
            path: path.into_os_string().into_vec(),
            cause: words(&cause),
            hint: None,
        })
    };
    task.onto.as_ref().map(open).transpose()
}
