//! `--ca-certs`: the bundle of certificates that TLS libraries trust, and the
//! other names by which they look for it.
//!
//! Every library has one path built in and says nothing if it is not there:
//! the handshake fails. Only bundles are taken. The directory of links by hash
//! beside them is for those who add a single certificate to a running system.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::distro::{self, Family};
use super::{Asked, NO_DATA, Refusal, Want, Wanted, finding, look, way};
use crate::bytes::ReadAt;
use crate::finding::Severity;
use crate::job::CaCerts;
use crate::root::dir::open_host_file;
use crate::root::{OpenFile, Root};

const OPTION: &str = "--ca-certs";

/// A path that some library has built in.
struct Place {
    path: &'static str,
    /// Whose libraries look here: a link is made if the root has none.
    made: Made,
}

enum Made {
    Always,
    For(Family),
    /// It is only taken if the root has it.
    Never,
}

/// In the order in which a bundle is looked for; the first one is also where a
/// file of the user's is placed. A tree of no known release gets every link.
const PLACES: [Place; 8] = [
    // Debian, Alpine, Arch: GnuTLS and curl; Go and Rust look here first.
    Place { path: "/etc/ssl/certs/ca-certificates.crt", made: Made::Always },
    // OpenSSL, with OPENSSLDIR=/etc/ssl: Alpine, SUSE, Arch, and builds of no distribution.
    Place { path: "/etc/ssl/cert.pem", made: Made::Always },
    // OpenSSL of Debian. There the link belongs to the package of the command, not of the library.
    Place { path: "/usr/lib/ssl/cert.pem", made: Made::For(Family::Debian) },
    // Fedora: curl, Python's requests.
    Place { path: "/etc/pki/tls/certs/ca-bundle.crt", made: Made::For(Family::Fedora) },
    // OpenSSL of Fedora.
    Place { path: "/etc/pki/tls/cert.pem", made: Made::For(Family::Fedora) },
    // SUSE: curl, GnuTLS.
    Place { path: "/etc/ssl/ca-bundle.pem", made: Made::For(Family::Suse) },
    Place { path: "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", made: Made::Never },
    Place { path: "/var/lib/ca-certificates/ca-bundle.pem", made: Made::Never },
];

/// A larger file is no bundle: those of Mozilla's certificates have 220 KiB.
const LARGEST: u64 = 16 << 20;

const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";

pub fn wanted(root: &dyn Root, certs: &CaCerts, asked: Asked) -> Result<Wanted, Refusal> {
    match certs {
        CaCerts::OfRoot => Ok(of_root(root, asked)),
        CaCerts::File(path) => of_file(root, path),
    }
}

fn of_root(root: &dyn Root, asked: Asked) -> Wanted {
    let mut wanted = Wanted::default();
    let seen: Vec<Seen> = PLACES.iter().map(|place| Seen::at(root, place.path)).collect();
    let Some(first) = seen.iter().position(|seen| matches!(seen, Seen::Bundle)) else {
        wanted.findings.push(missing(root, &seen, asked));
        return wanted;
    };
    let bundle = PLACES[first].path;
    for (place, seen) in PLACES.iter().zip(&seen) {
        match seen {
            // Names of the root's own, whether of this bundle or of another.
            Seen::Bundle if !matches!(place.made, Made::Never) || place.path == bundle => {
                wanted.want([Want::Path(place.path.into())]);
            }
            Seen::Bundle => {}
            Seen::Absent | Seen::Empty | Seen::Unread(_) => wanted.want(link(root, place, bundle)),
        }
    }
    wanted
}

/// A company's own: it alone is trusted.
fn of_file(root: &dyn Root, path: &Path) -> Result<Wanted, Refusal> {
    let refuse = |cause: String, hint| Refusal {
        verb: "use as certificates",
        subject: path.as_os_str().as_bytes().to_vec(),
        cause,
        hint,
    };
    let file = open_host_file(path).map_err(|error| refuse(look::words(&error), None))?;
    if file.stat.len > LARGEST {
        return Err(refuse(format!("it is larger than any bundle, {} bytes", file.stat.len), None));
    }
    let bytes = whole(&file).map_err(|error| refuse(look::words(&error), None))?;
    if !contains(&bytes, CERTIFICATE) {
        return Err(refuse("it holds no certificate in PEM form".into(), converter(&bytes)));
    }
    let bundle = PLACES[0].path;
    let mut wanted = Wanted::default();
    wanted.want(way::put(root, bundle, |at| Want::Host { at, path: path.to_owned() }));
    for place in &PLACES[1..] {
        wanted.want(link(root, place, bundle));
    }
    if contains(&bytes, b"PRIVATE KEY-----") {
        let message = [b"`", path.as_os_str().as_bytes(), b"` holds a private key, and so will the image"];
        let hint = Some(b"leave only the certificates in it".to_vec());
        wanted.findings.push(finding(Severity::Warning, "secret", OPTION, message.concat(), hint));
    }
    Ok(wanted)
}

/// A link to the bundle, if somebody's library looks there.
fn link(root: &dyn Root, place: &Place, bundle: &str) -> Vec<Want> {
    let is_made = match place.made {
        Made::Always => true,
        Made::For(family) => distro::family(root).is_none_or(|of| of == family),
        Made::Never => false,
    };
    if !is_made {
        return Vec::new();
    }
    way::put(root, place.path, |at| Want::Link { at, target: bundle.into() })
}

/// What stands at a place of the root.
enum Seen {
    Bundle,
    Absent,
    /// A file without a certificate: the package is there and was never set up.
    Empty,
    Unread(String),
}

impl Seen {
    fn at(root: &dyn Root, path: &str) -> Seen {
        let bytes = look::open(root, path.as_bytes()).and_then(|file| whole(&file));
        match bytes {
            Ok(bytes) if contains(&bytes, CERTIFICATE) => Seen::Bundle,
            Ok(_) => Seen::Empty,
            Err(error) if look::is_absent(&error) => Seen::Absent,
            Err(error) => Seen::Unread(look::words(&error)),
        }
    }
}

fn missing(root: &dyn Root, seen: &[Seen], asked: Asked) -> crate::finding::Finding {
    let of = |wanted: fn(&Seen) -> bool| {
        seen.iter().zip(&PLACES).find(|(seen, _)| wanted(seen)).map(|(seen, place)| (seen, place.path))
    };
    let (message, hint) = if let Some((Seen::Unread(cause), path)) = of(|s| matches!(s, Seen::Unread(_))) {
        (format!("cannot read `{path}`: {cause}"), None)
    } else if let Some((_, path)) = of(|seen| matches!(seen, Seen::Empty)) {
        let hint = "`update-ca-certificates` (on Fedora `update-ca-trust`) in the build stage fills it";
        (format!("`{path}` holds no certificate"), Some(hint.to_owned()))
    } else {
        let package = distro::install(root, "ca-certificates", &[(Family::Suse, "ca-certificates-mozilla")]);
        let hint = format!("{package}, or `--ca-certs=FILE`");
        ("the root has no bundle of certificates".to_owned(), Some(hint))
    };
    finding(asked.severity(), NO_DATA, OPTION, message, hint.map(String::into_bytes))
}

/// All of a file, up to what a bundle may be.
fn whole(file: &OpenFile) -> std::io::Result<Vec<u8>> {
    let len = usize::try_from(file.stat.len.min(LARGEST)).unwrap_or(0);
    let mut bytes = vec![0; len];
    let read = file.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// The cure for a certificate in binary form: an ASN.1 sequence with a long length.
fn converter(bytes: &[u8]) -> Option<String> {
    let hint = "`openssl x509 -inform DER -in FILE -out FILE.pem` makes PEM of a certificate in DER form";
    bytes.starts_with(&[0x30, 0x82]).then(|| hint.to_owned())
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    // A line of its own: text may speak of it.
    bytes.split(|&b| b == b'\n').any(|line| line.trim_ascii().ends_with(part))
}
