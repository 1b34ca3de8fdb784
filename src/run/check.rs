//! `check`: is a tree loadable as `/`?

use std::os::unix::ffi::OsStrExt;

use super::{Failure, Streams};
use crate::check::{Look, Started, Tree, tree};
use crate::finding::{Exit, Severity};
use crate::job::{CheckTask, Job};
use crate::report::{self, Style};
use crate::root::{DirId, Root, resolve};

pub(super) fn check(
    job: &Job,
    task: &CheckTask,
    root: &dyn Root,
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    let programs = task.programs.iter().map(|word| program(job, root, word)).collect();
    let look = Look { programs, path: job.path.clone(), strict: task.strict };
    let tree = tree(root, &look);
    let exit = exit_of(&tree);
    // From here on everything is known.
    let (mut out, mut err) = (String::new(), String::new());
    if task.json {
        out = report::check_json(&tree, task.tree.as_os_str().as_bytes(), exit.status());
    } else {
        let lowest = if job.quiet { Severity::Error } else { Severity::Note };
        let style = Style { colour: job.colour.stderr };
        report::check_findings(&mut err, &tree, lowest, job.verbose, style);
        if job.verbose {
            report::check_programs(&mut out, &tree);
        }
        if !job.quiet {
            report::check_summary(&mut out, &tree);
        }
    }
    // If nobody listens to stderr, the answer still counts.
    let _ = streams.err.write_all(err.as_bytes());
    streams.out.write_all(out.as_bytes()).and_then(|()| streams.out.flush()).map_err(Failure::Output)?;
    Ok(exit)
}

fn exit_of(tree: &Tree) -> Exit {
    let of_program = |program: &Started| Exit::of(&program.findings);
    tree.programs.iter().map(of_program).fold(Exit::of(&tree.findings), Exit::and)
}

/// A path of the tree for a word of the command line: absolute as it is, a
/// bare name looked up in PATH, a path of the host where it lies in the tree.
fn program(job: &Job, root: &dyn Root, word: &[u8]) -> Vec<u8> {
    if word.starts_with(b"/") {
        return word.to_vec();
    }
    if !word.contains(&b'/') {
        let there = |dir: &[u8]| {
            let path = [dir, b"/", word].concat();
            resolve(root, DirId::TOP, &path).is_ok().then_some(path)
        };
        let mut dirs = job.path.split(|&b| b == b':').filter(|dir| dir.starts_with(b"/"));
        return dirs.find_map(there).unwrap_or_else(|| [b"/", word].concat());
    }
    let whole = job.cwd.join(std::ffi::OsStr::from_bytes(word));
    let inside = whole.strip_prefix(job.cwd.join(&job.root)).ok();
    let inside = inside.map_or(word, |inside| inside.as_os_str().as_bytes());
    [b"/", inside].concat()
}
