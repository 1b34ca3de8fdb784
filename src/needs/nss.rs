//! `--nsswitch`: which databases answer for users and hosts.
//!
//! The builder's own file is not taken: it names services of that machine, and
//! each needs a library with a closure. glibc before 2.35 without the file asks
//! DNS before /etc/hosts, and Go reads it too.

use super::{Merge, Want, Wanted, finding, look, way};
use crate::finding::Severity;
use crate::root::{Access, Root};

const OPTION: &str = "--nsswitch";
const PATH: &str = "/etc/nsswitch.conf";

const MINIMAL: &str = "\
passwd: files
group: files
shadow: files
hosts: files dns
networks: files
protocols: files
services: files
";

/// The databases that a program asks for users and hosts.
const DATABASES: [&[u8]; 5] = [b"passwd", b"group", b"shadow", b"initgroups", b"hosts"];

/// Services on which somebody may rely: users, groups or hosts of a network.
const REMOTE: [&[u8]; 6] = [b"sss", b"ldap", b"winbind", b"nis", b"extrausers", b"libvirt"];

pub fn wanted(root: &dyn Root) -> Wanted {
    let mut wanted = Wanted::default();
    let made = |at| Want::Made {
        at,
        bytes: MINIMAL.into(),
        access: Access::of_root(0o644),
        merge: Merge::KeepTheirs,
    };
    wanted.want(way::put(root, PATH, made));
    let text = look::text(root, PATH);
    let remote: Vec<&[u8]> = REMOTE.into_iter().filter(|service| names(&text, service)).collect();
    if !remote.is_empty() {
        let list = remote.join(&b", "[..]);
        let message = [b"the root's `/etc/nsswitch.conf` also asks ", &list[..], b"; the image does not"];
        let hint =
            b"`--include` its libnss_ library and `/etc/nsswitch.conf`, if the program needs it".to_vec();
        wanted.findings.push(finding(Severity::Note, "nsswitch", OPTION, message.concat(), Some(hint)));
    }
    wanted
}

/// Whether a line asks a service: `passwd: files sss`.
fn names(text: &[u8], service: &[u8]) -> bool {
    text.split(|&b| b == b'\n').any(|line| {
        let line = line.split(|&b| b == b'#').next().unwrap_or_default();
        let mut parts = line.splitn(2, |&b| b == b':');
        let database = parts.next().unwrap_or_default().trim_ascii();
        let services = parts.next().unwrap_or_default();
        DATABASES.contains(&database) && services.split(u8::is_ascii_whitespace).any(|word| word == service)
    })
}
