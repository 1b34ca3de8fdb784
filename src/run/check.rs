//! `check`: is a tree loadable as `/`?

use super::{Failure, Streams};
use crate::finding::Exit;
use crate::job::{CheckTask, Job};

pub(super) fn check(_job: &Job, _task: &CheckTask, _streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    Err(Failure::Usage(String::from("`check` is not built yet").into()))
}
