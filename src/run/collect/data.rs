//! The data options, each with what it wants.

use crate::job::CollectTask;
use crate::needs::{Asked, Refusal, Wanted, ca, dirs, locale, nss, tz, users};
use crate::root::Root;

/// In the order in which they are shown.
pub(super) fn wanted(root: &dyn Root, task: &CollectTask) -> Vec<(&'static str, Result<Wanted, Refusal>)> {
    let data = &task.data;
    let user = data.user.as_ref();
    let mut wanted = Vec::new();
    if let Some(certs) = &data.ca_certs {
        wanted.push(("--ca-certs", ca::wanted(root, certs, Asked::Typed)));
    }
    if let Some(zones) = &data.tz {
        wanted.push(("--tz", Ok(tz::wanted(root, zones, Asked::Typed))));
    }
    if let Some(user) = user {
        wanted.push(("--user", Ok(users::wanted(root, user))));
    }
    if !data.locales.is_empty() {
        wanted.push(("--locale", Ok(locale::wanted(root, &data.locales, Asked::Typed))));
    }
    if data.nsswitch {
        wanted.push(("--nsswitch", Ok(nss::wanted(root))));
    }
    wanted.push(("--mkdir", dirs::wanted(root, &task.mkdir, &[], user)));
    wanted.push(("--symlink", dirs::wanted(root, &[], &task.symlink, user)));
    wanted
}
