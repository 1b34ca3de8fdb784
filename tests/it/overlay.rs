//! The machine as it is, on which anything may be changed: an overlay over its
//! root, in a mount namespace that goes away with the process that holds it.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// What is written lies on a file system of its own: none may be above itself.
const HOLD: &str = "\
    mount -t tmpfs -o mode=755 none \"$0\" && mkdir \"$0/upper\" \"$0/work\" \"$0/root\" && \
    mount -t overlay -o \"lowerdir=/,upperdir=$0/upper,workdir=$0/work\" overlay \"$0/root\" && \
    mount --rbind /dev \"$0/root/dev\" && mount -t proc proc \"$0/root/proc\" && \
    for dir; do mkdir -p \"$0/root$dir\" && mount --rbind \"$dir\" \"$0/root$dir\" || exit; done && \
    exec chroot \"$0/root\" sh -c 'echo ready; exec cat'";

pub struct Overlay {
    holder: Child,
    _place: tempfile::TempDir,
}

impl Overlay {
    /// `shown` are directories of other file systems that have to be in it.
    pub fn new(shown: &[&Path]) -> Result<Overlay, String> {
        let place = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut hold = Command::new("unshare");
        hold.args(["-m", "sh", "-c", HOLD]).arg(place.path()).args(shown);
        let hold = hold.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut overlay = Overlay { holder: hold.spawn().map_err(|error| error.to_string())?, _place: place };
        let mut line = String::new();
        let said = overlay.holder.stdout.take().expect("it is piped");
        let read = BufReader::new(said).read_line(&mut line);
        match read {
            Ok(_) if line == "ready\n" => Ok(overlay),
            _ => Err(overlay.complaint()),
        }
    }

    fn complaint(&mut self) -> String {
        let mut words = String::new();
        let read = self.holder.stderr.take().expect("it is piped").read_to_string(&mut words);
        read.map_or_else(|error| error.to_string(), |_| words)
    }

    /// A program of it, in it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.holder.id().to_string(), "-m", "-r", "-w", program]);
        command
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        // It has ended, or is told to: nothing is left to be done about either.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
