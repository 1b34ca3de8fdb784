//! How a tree is entered: as the root of a program that is alone in it, with what
//! a container gives every image.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// `/proc`, and a few devices.
const ENTER: &str = "\
    mount -t proc proc \"$0/proc\" && mount --bind /dev \"$0/dev\" && \
    exec chroot --userspec=USER --groups= \"$0\" \"$@\"";

const NOBODY: &str = "65534:65534";

/// A program in a root, as nobody, alone.
pub fn start_in(root: &Path, program: &Path, args: &[&str]) -> Output {
    start_as(NOBODY, root, program, args)
}

/// The same, as somebody else.
pub fn start_as(user: &str, root: &Path, program: &Path, args: &[&str]) -> Output {
    let mut start = command(Command::new("timeout"), user, root, program, args);
    start.output().expect("timeout, unshare, mount and chroot")
}

/// As nobody, by a `timeout` of another world.
pub fn starting(timeout: Command, root: &Path, program: &Path, args: &[&str]) -> Command {
    command(timeout, NOBODY, root, program, args)
}

fn command(mut timeout: Command, user: &str, root: &Path, program: &Path, args: &[&str]) -> Command {
    timeout
        .args(["-k", "1", "10", "unshare", "-m", "-n", "-i", "-u", "-p", "--fork", "sh", "-c"])
        .arg(ENTER.replace("USER", user))
        .arg(root)
        .arg(program)
        .args(args)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/")
        .stdin(Stdio::null());
    timeout
}
