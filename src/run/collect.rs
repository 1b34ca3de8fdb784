//! `collect`: what is wanted, a plan of it, the plan checked, the tree written.

use super::{Failure, Scene, Streams};
use crate::finding::Exit;
use crate::job::{CollectTask, Job};

pub(super) fn collect(
    _job: &Job,
    _task: &CollectTask,
    _scene: &Scene<'_>,
    _streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    Err(Failure::Usage("`collect` is not built yet".into()))
}
