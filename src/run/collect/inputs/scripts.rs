//! Scripts among what was named: whoever runs them comes along.

use super::{Gather, Wanted};
use crate::closure::{NotAProgram, open_program};
use crate::plan::Reason;
use crate::root::{DirId, Opened, resolve};
use crate::run::inputs;
use crate::shebang::{self, Shebang};

/// Scripts whose interpreters are scripts: the kernel stops at the fifth.
pub(super) const MOST_SCRIPTS: usize = 5;

impl Gather<'_, '_> {
    /// Whether it is one; then it is taken, and who runs it.
    pub(super) fn script(&mut self, wanted: &Wanted, reason: Reason, left: usize) -> bool {
        let Some(shebang) = self.shebang(&wanted.path) else { return false };
        self.file(wanted, reason);
        let script = wanted.path.clone();
        if left == 0 {
            self.error(&script, "bad-interpreter", "the kernel gives up: too many interpreters are scripts");
            return true;
        }
        self.interpreter(&script, &shebang.interpreter, left);
        if let Some(name) = shebang.by_env {
            match self.session_path(&name) {
                Some(path) => self.interpreter(&script, &path, left),
                None => {
                    let mut words = b"`env` finds no `".to_vec();
                    words.extend_from_slice(&name);
                    words.extend_from_slice(b"` in PATH");
                    self.error_bytes(&script, "bad-interpreter", words);
                }
            }
        }
        true
    }

    fn interpreter(&mut self, script: &[u8], path: &[u8], left: usize) {
        let reason = Reason::ScriptInterpreter { script: script.to_vec() };
        let wanted = Wanted { path: path.to_vec(), is_host: false, dest: None };
        match open_program(self.session, path) {
            Ok(program) => self.start(program, &wanted, reason),
            Err(NotAProgram::Unfit(_)) if self.script(&wanted, reason, left - 1) => {}
            Err(_) => {
                let words = [b"its interpreter `", path, b"` is not in the root or is no program"].concat();
                self.error_bytes(script, "bad-interpreter", words);
            }
        }
    }

    fn shebang(&mut self, path: &[u8]) -> Option<Shebang> {
        let path = self.session.absolute(path);
        let resolved = resolve(self.root, DirId::TOP, &path).ok()?;
        match resolved.opened {
            Opened::File(open) => shebang::shebang(&open).ok().flatten(),
            Opened::Dir(_) | Opened::Link(_) | Opened::Special(_) => None,
        }
    }

    fn session_path(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        if name.contains(&b'/') {
            return Some(name.to_vec());
        }
        inputs::in_path(self.job, self.session, name)
    }
}
