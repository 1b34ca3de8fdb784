//! Data of a root that the options read: os-release, passwd, nsswitch.conf, the
//! rules of time zones, certificates, an archive of locales.

#![no_main]

use depcollect::job::{CaCerts, User, Zones};
use depcollect::needs::{Asked, Wanted, ca, locale, nss, tz, users};
use depcollect::plan::merge::by_name::by_name;
use depcollect::root::mem::MemRoot;
use depcollect_fuzz::parts;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [release, passwd, nsswitch, zones, certificates, archive] = parts(input);
    let mut root = MemRoot::new();
    root.file("/etc/os-release", release).file("/etc/passwd", passwd).file("/etc/nsswitch.conf", nsswitch);
    root.file("/usr/share/zoneinfo/tzdata.zi", zones).file("/usr/share/zoneinfo/Asia/Kolkata", "TZif2");
    root.file("/etc/ssl/certs/ca-certificates.crt", certificates);
    root.file("/usr/lib/locale/locale-archive", archive);
    let user = User { name: b"app".to_vec(), uid: 1000, gid: 1000 };
    let zone = |name: &str| tz::wanted(&root, &Zones::Named(vec![name.into()]), Asked::Typed);
    let of = |name: &str| locale::wanted(&root, &[name.into()], Asked::Typed);
    let said: [Wanted; 7] = [
        users::wanted(&root, &user),
        nss::wanted(&root),
        zone("Asia/Calcutta"),
        zone("Asia"),
        of("de_DE.UTF-8"),
        of("C.UTF-8"),
        ca::wanted(&root, &CaCerts::OfRoot, Asked::Typed).expect("it is not refused"),
    ];
    assert!(said.iter().all(|wanted| wanted.wants.len() < 100 && wanted.findings.len() < 10));
    let ours = b"root:x:0:0::/root:/sbin/nologin\napp:x:1000:1000::/home/app:/sbin/nologin\n";
    if let Ok(merged) = by_name(passwd, ours) {
        assert!(merged.starts_with(passwd));
        assert_eq!(by_name(&merged, ours).expect("they agree now"), merged);
    }
});
