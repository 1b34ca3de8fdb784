//! Whose release a root is, by its os-release (freedesktop.org, os-release(5)).

use super::look;
use crate::path::basename;
use crate::root::Root;

/// Distributions that keep their data in the same places and install it in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Debian,
    Alpine,
    Fedora,
    Suse,
    Arch,
}

/// `ID` first, then what it is like, nearest first.
pub(super) fn family(root: &dyn Root) -> Option<Family> {
    ["/etc/os-release", "/usr/lib/os-release"].into_iter().find_map(|path| of_text(&look::text(root, path)))
}

fn of_text(text: &[u8]) -> Option<Family> {
    let values = [&b"ID="[..], b"ID_LIKE="].into_iter().flat_map(|key| {
        text.split(|&b| b == b'\n').filter_map(move |line| line.trim_ascii().strip_prefix(key)).take(1)
    });
    let words = values.flat_map(|value| value.split(|b| matches!(b, b' ' | b'"' | b'\'')));
    words.filter_map(Family::of_word).next()
}

impl Family {
    /// As in os-release.
    pub(super) fn of_word(word: &[u8]) -> Option<Family> {
        Some(match word {
            b"debian" | b"ubuntu" => Family::Debian,
            b"alpine" | b"wolfi" | b"chainguard" => Family::Alpine,
            b"fedora" | b"rhel" | b"centos" => Family::Fedora,
            b"suse" | b"opensuse" | b"sles" => Family::Suse,
            b"arch" => Family::Arch,
            _ => return None,
        })
    }
}

/// What brings a package into the root; `names` are its names by family, where they differ.
pub(super) fn install(root: &dyn Root, usual: &str, names: &[(Family, &str)]) -> String {
    let Some(family) = family(root) else {
        return format!("install the package `{usual}` in the build stage");
    };
    let name = names.iter().find(|(of, _)| *of == family).map_or(usual, |(_, name)| name);
    let command = match family {
        Family::Debian => "apt-get install",
        Family::Alpine => "apk add",
        Family::Fedora => "dnf install",
        Family::Suse => "zypper install",
        Family::Arch => "pacman -S",
    };
    format!("`{command} {name}` in the build stage")
}

/// The same of a rule. Nothing where its name is not known.
pub(super) fn of_packages(root: &dyn Root, packages: &[(Family, &str)]) -> Option<String> {
    let family = family(root)?;
    let (_, name) = packages.iter().find(|(of, _)| *of == family)?;
    Some(install(root, name, &[]))
}

/// Who knows which package has a file of this name. The lists of packages that are
/// not installed are no part of a root.
pub(super) fn provider(root: &dyn Root, name: &[u8]) -> Vec<u8> {
    let name = basename(name);
    // apk knows libraries by their sonames, and no other files.
    let has_version = name.windows(4).any(|part| part == b".so.");
    let name = name.escape_ascii();
    let command = match family(root) {
        Some(Family::Debian) => format!("apt-file search /{name}"),
        Some(Family::Alpine) if has_version => format!("apk search so:{name}"),
        Some(Family::Fedora) => format!("dnf provides '*/{name}'"),
        Some(Family::Suse) => format!("zypper search --file-list {name}"),
        Some(Family::Arch) => format!("pacman -F {name}"),
        Some(Family::Alpine) | None => {
            let hint = "install the package that has it in the build stage, or place the file by `--include`";
            return hint.into();
        }
    };
    let hint = "names the package that has it, for the build stage; `--include` places a file";
    format!("`{command}` {hint}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_belongs_to_a_family() {
        for (text, expected) in [
            ("NAME=x\nID=debian\n", Some(Family::Debian)),
            ("ID_LIKE=debian\nID=ubuntu", Some(Family::Debian)),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", Some(Family::Debian)),
            ("ID=alpine", Some(Family::Alpine)),
            ("ID=wolfi", Some(Family::Alpine)),
            ("ID=\"rocky\"\r\nID_LIKE=\"rhel centos fedora\"\r\n", Some(Family::Fedora)),
            ("ID='opensuse-leap'\nID_LIKE='suse opensuse'", Some(Family::Suse)),
            ("ID=manjaro\nID_LIKE=arch", Some(Family::Arch)),
            ("VERSION_ID=debian\n#ID=debian\n", None),
            ("ID=\nID_LIKE=", None),
            ("", None),
        ] {
            assert_eq!(of_text(text.as_bytes()), expected, "{text:?}");
        }
    }
}
