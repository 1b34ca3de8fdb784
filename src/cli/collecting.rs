//! The arguments of `collect` and `check`, as typed and as meant.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::args::{Output, Search};
use super::{Usage, words};
use crate::job::{
    self, CaCerts, CheckTask, CollectTask, Data, DlopenLevel, LdCache, NeedsMode, NeedsTask, Placed, User,
    Zones,
};

pub(super) const COLLECT_EXAMPLES: &str = "Examples:
  depcollect /usr/local/bin/app /dist
  depcollect ./app:/app --ca-certs --tz=Europe/Paris --user /dist
  depcollect --include /etc/nginx --mkdir /var/log/nginx /usr/sbin/nginx /dist
  depcollect --root sysroot-arm64 /usr/bin/git /dist
  depcollect --dry-run /usr/bin/curl /dist";

pub(super) const CHECK_EXAMPLES: &str = "Examples:
  depcollect check /dist
  depcollect check /dist /usr/local/bin/app";

#[derive(Debug, Args)]
pub struct Collect {
    /// Programs, scripts and directories, each with an optional :DEST, and last
    /// the directory to write.
    #[arg(value_name = "PROGRAM[:DEST]... DIST")]
    pub words: Vec<OsString>,

    /// Read programs from FILE, one a line; `-` is stdin.
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,

    /// Programs of --from end with NUL instead of a newline.
    #[arg(short = '0', long = "null", requires = "from")]
    pub null: bool,

    #[command(flatten)]
    pub contents: Contents,

    #[command(flatten)]
    pub tree: Tree,

    #[command(flatten)]
    pub search: Search,

    #[command(flatten)]
    pub output: Output,
}

// What else is in the tree.
#[derive(Debug, Args)]
#[command(next_help_heading = "Contents")]
pub struct Contents {
    /// Take a file, a directory or a glob along, with what its ELF files load.
    #[arg(long, value_name = "PATH[:DEST]")]
    pub include: Vec<OsString>,

    /// Leave out what has this path in the image or this name, and what only it needs.
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<OsString>,

    /// Make a directory.
    #[arg(long, value_name = "DIR")]
    pub mkdir: Vec<OsString>,

    /// Make a link.
    #[arg(long, value_name = "LINK=TARGET")]
    pub symlink: Vec<OsString>,

    /// The certificates that TLS libraries trust, or FILE as theirs.
    #[arg(long, value_name = "FILE", require_equals = true)]
    pub ca_certs: Option<Option<OsString>>,

    /// Time zones: all, or those named.
    #[arg(long, value_name = "ZONE,...", require_equals = true)]
    pub tz: Option<Option<OsString>>,

    /// A user to run as, in passwd and group, with a home; bare: nonroot:65532:65532.
    #[arg(long, value_name = "NAME[:UID[:GID]]", require_equals = true)]
    pub user: Option<Option<OsString>>,

    /// A locale, such as C.UTF-8.
    #[arg(long, value_name = "NAME")]
    pub locale: Vec<OsString>,

    /// A minimal nsswitch.conf.
    #[arg(long)]
    pub nsswitch: bool,

    /// What programs open at run time, as far as a rule knows it: take what is small and
    /// certain and name the rest, name all of it, or do nothing.
    #[arg(long, value_enum, default_value_t = Needs::Auto, value_name = "WHEN")]
    pub needs: Needs,

    #[command(flatten)]
    pub rules: Rules,
}

// Which rules count.
#[derive(Debug, Args)]
#[command(next_help_heading = "Contents")]
pub struct Rules {
    /// Take what this rule wants too, if a program sets it off.
    #[arg(long, value_name = "RULE")]
    pub with: Vec<OsString>,

    /// Do as if there were no such rule.
    #[arg(long, value_name = "RULE")]
    pub without: Vec<OsString>,

    /// How far to follow the notes in which files say what they open: recommended,
    /// if it is not given.
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub dlopen: Option<Dlopen>,
}

// How the tree is made.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tree")]
pub struct Tree {
    /// Where /bin and /lib are: as the root has them, links into usr, or directories.
    #[arg(long, value_enum, default_value_t = Layout::AsFound, conflicts_with = "onto")]
    pub layout: Layout,

    /// The unpacked base image that the tree goes over: what it has is left out.
    #[arg(long, value_name = "DIR")]
    pub onto: Option<PathBuf>,

    /// Write an ld.so.cache: if needed, with every library, or not at all.
    #[arg(long, value_enum, default_value_t = Cache::Auto, value_name = "WHEN")]
    pub ld_cache: Cache,

    /// Write the tree although libraries are missing.
    #[arg(long)]
    pub allow_missing: bool,

    /// Replace other files in DIST, and write into a directory that holds something else.
    #[arg(long)]
    pub force: bool,

    /// Print what would be written, and why.
    #[arg(long)]
    pub dry_run: bool,

    /// Write a directory, or a tar archive into DIST (`-` is stdout).
    #[arg(long = "output", value_enum, default_value_t = Form::Dir, value_name = "FORM")]
    pub form: Form,

    /// The report on stdout.
    #[arg(long, value_enum, default_value_t = Report::Text)]
    pub format: Report,
}

#[derive(Debug, Args)]
pub struct Check {
    /// The tree to look at, as if it were `/`.
    #[arg(value_name = "DIST")]
    pub tree: PathBuf,

    /// The programs that are started; all of the tree if none is named.
    #[arg(value_name = "PROGRAM")]
    pub programs: Vec<OsString>,

    /// A library that no program reaches is an error.
    #[arg(long)]
    pub strict: bool,

    /// The report on stdout.
    #[arg(long, value_enum, default_value_t = Report::Text)]
    pub format: Report,

    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Needs {
    Auto,
    Warn,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Dlopen {
    None,
    Required,
    Recommended,
    Suggested,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    AsFound,
    Merged,
    Split,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Cache {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    Dir,
    Tar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Report {
    Text,
    Json,
}

/// What is to be collected. `listed` are the programs of `--from`.
pub(super) fn collect(
    mut words: Vec<OsString>,
    listed: Option<Vec<Vec<u8>>>,
    contents: Contents,
    tree: Tree,
    epoch: Option<i64>,
) -> Result<CollectTask, Usage> {
    let Some(dist) = words.pop() else {
        return Err(Usage::new("there is nothing to collect", "the form is `depcollect PROGRAM... DIST`"));
    };
    let is_bare = words.is_empty() && contents.include.is_empty() && !contents.has_data();
    match &listed {
        None if is_bare => return Err(lonely(&dist)),
        Some(listed) if is_bare && listed.is_empty() => {
            return Err(Usage::new("there is nothing to collect", "--from names no program, one a line"));
        }
        Some(_) | None => {}
    }
    if words
        .iter()
        .chain(&contents.include)
        .chain(&contents.exclude)
        .chain(&contents.mkdir)
        .chain([&dist])
        .any(|word| word.is_empty())
    {
        // The directory of the build would be meant by it.
        return Err(Usage::new("one of the words is empty", "a variable that is not set?"));
    }
    let data = contents.data()?;
    let needs = contents.rules.in_mode(match contents.needs {
        Needs::Auto => NeedsMode::Auto,
        Needs::Warn => NeedsMode::Warn,
        Needs::Off => NeedsMode::Off,
    });
    let bytes = |list: Vec<OsString>| list.into_iter().map(OsString::into_vec).collect::<Vec<_>>();
    let placed = |words: Vec<Vec<u8>>| words.into_iter().map(|word| Placed { word }).collect();
    Ok(CollectTask {
        programs: placed(bytes(words).into_iter().chain(listed.into_iter().flatten()).collect()),
        dist: PathBuf::from(dist),
        include: placed(bytes(contents.include)),
        exclude: bytes(contents.exclude),
        mkdir: bytes(contents.mkdir),
        symlink: contents.symlink.into_iter().map(link).collect::<Result<_, _>>()?,
        data,
        needs,
        layout: match tree.layout {
            Layout::AsFound => job::Layout::AsFound,
            Layout::Merged => job::Layout::Merged,
            Layout::Split => job::Layout::Split,
        },
        onto: tree.onto,
        ld_cache: match tree.ld_cache {
            Cache::Auto => LdCache::Auto,
            Cache::Always => LdCache::Always,
            Cache::Never => LdCache::Never,
        },
        allow_missing: tree.allow_missing,
        force: tree.force,
        dry_run: tree.dry_run,
        output: match tree.form {
            Form::Dir => job::Output::Dir,
            Form::Tar => job::Output::Tar,
        },
        json: tree.format == Report::Json,
        epoch,
    })
}

pub(super) fn check(tree: PathBuf, programs: Vec<OsString>, strict: bool, format: Report) -> CheckTask {
    let programs = programs.into_iter().map(OsString::into_vec).collect();
    CheckTask { tree, programs, strict, json: format == Report::Json }
}

/// One word is a program without a DIST far more often than a DIST alone.
fn lonely(word: &OsString) -> Usage {
    let word = word.to_string_lossy();
    if let Some(known) = words::nearest(&word) {
        return Usage::new(format!("there is no command `{word}`"), format!("there is `depcollect {known}`"));
    }
    let hint =
        format!("the form is `depcollect {word} DIST`; to list what it loads: `depcollect list {word}`");
    Usage::new(format!("`{word}` is one word, and DIST is missing"), hint)
}

fn link(typed: OsString) -> Result<(Vec<u8>, Vec<u8>), Usage> {
    let bytes = typed.into_vec();
    match bytes.iter().position(|&b| b == b'=') {
        Some(at) if at > 0 && at + 1 < bytes.len() => Ok((bytes[..at].to_vec(), bytes[at + 1..].to_vec())),
        _ => Err(Usage::from(format!("--symlink wants LINK=TARGET, not `{}`", bytes.escape_ascii()))),
    }
}

impl Contents {
    fn has_data(&self) -> bool {
        self.ca_certs.is_some()
            || self.tz.is_some()
            || self.user.is_some()
            || self.nsswitch
            || !(self.locale.is_empty() && self.mkdir.is_empty() && self.symlink.is_empty())
    }

    fn data(&self) -> Result<Data, Usage> {
        let certs = value_of("--ca-certs", &self.ca_certs)?;
        let zones = value_of("--tz", &self.tz)?;
        let user = value_of("--user", &self.user)?;
        if self.locale.iter().any(|name| name.is_empty()) {
            return Err(Usage::new(
                "`--locale` is given no name",
                "such as C.UTF-8; a variable that is not set?",
            ));
        }
        Ok(Data {
            ca_certs: certs.map(|file| match file {
                None => CaCerts::OfRoot,
                Some(file) => CaCerts::File(PathBuf::from(OsString::from_vec(file))),
            }),
            tz: zones.map(|zones| zones.map_or(Ok(Zones::All), |zones| zones_of(&zones))).transpose()?,
            user: user.map(|user| user_of(&user.unwrap_or_default())).transpose()?,
            locales: self.locale.iter().map(|name| name.clone().into_vec()).collect(),
            nsswitch: self.nsswitch,
        })
    }
}

impl Rules {
    pub(super) fn in_mode(&self, mode: NeedsMode) -> NeedsTask {
        let ids = |list: &[OsString]| list.iter().map(|id| id.clone().into_vec()).collect();
        NeedsTask {
            mode,
            with: ids(&self.with),
            without: ids(&self.without),
            dlopen: self.dlopen.map(|level| match level {
                Dlopen::None => DlopenLevel::None,
                Dlopen::Required => DlopenLevel::Required,
                Dlopen::Recommended => DlopenLevel::Recommended,
                Dlopen::Suggested => DlopenLevel::Suggested,
            }),
        }
    }
}

/// An option that may stand alone: what is behind its `=`.
fn value_of(option: &str, typed: &Option<Option<OsString>>) -> Result<Option<Option<Vec<u8>>>, Usage> {
    match typed {
        Some(Some(value)) if value.is_empty() => Err(nothing_behind(option)),
        typed => Ok(typed.clone().map(|value| value.map(OsString::into_vec))),
    }
}

fn nothing_behind(option: &str) -> Usage {
    let hint = format!("`{option}` alone is another thing; a variable that is not set?");
    Usage::new(format!("`{option}=` names nothing"), hint)
}

fn zones_of(typed: &[u8]) -> Result<Zones, Usage> {
    let names: Vec<Vec<u8>> =
        typed.split(|&b| b == b',').filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect();
    if names.is_empty() { Err(nothing_behind("--tz")) } else { Ok(Zones::Named(names)) }
}

/// The user of the images that are called distroless.
const NONROOT: u32 = 65532;

/// The number of a name that was typed alone.
fn usual_id(name: &[u8]) -> u32 {
    match name {
        b"root" => 0,
        b"nobody" => 65534,
        _ => NONROOT,
    }
}

fn user_of(typed: &[u8]) -> Result<User, Usage> {
    let wrong = |why: &str| {
        Usage::from(format!("--user wants NAME[:UID[:GID]], not `{}`: {why}", typed.escape_ascii()))
    };
    let mut parts = typed.split(|&b| b == b':');
    let name = parts.next().unwrap_or_default();
    let name = if name.is_empty() { b"nonroot" } else { name };
    let first = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_uppercase() || *b == b'_';
    let rest = |b: &u8| first(b) || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    if !name.first().is_some_and(first) || !name.iter().all(rest) {
        return Err(wrong("a name starts with a letter and has letters, digits, `-`, `_` and `.`"));
    }
    let number = |part: &[u8]| {
        let number = std::str::from_utf8(part).ok().and_then(|text| text.parse::<u32>().ok());
        number.filter(|&n| n < u32::MAX).ok_or_else(|| wrong("UID and GID are numbers"))
    };
    let uid = parts.next().map_or(Ok(usual_id(name)), number)?;
    let gid = parts.next().map_or(Ok(uid), number)?;
    if parts.next().is_some() {
        return Err(wrong("there is more than three parts"));
    }
    Ok(User { name: name.to_vec(), uid, gid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_a_name_and_numbers() {
        let show = |typed: &str| match user_of(typed.as_bytes()) {
            Ok(user) => format!("{}:{}:{}", user.name.escape_ascii(), user.uid, user.gid),
            Err(why) => why.cause.rsplit(": ").next().unwrap_or_default().to_owned(),
        };
        for (typed, expected) in [
            ("", "nonroot:65532:65532"),
            ("app", "app:65532:65532"),
            ("app:1000", "app:1000:1000"),
            ("app:1000:0", "app:1000:0"),
            ("root:0:0", "root:0:0"),
            ("root", "root:0:0"),
            ("nobody", "nobody:65534:65534"),
            ("a:b", "UID and GID are numbers"),
            ("a:1:", "UID and GID are numbers"),
            ("a:1:2:3", "there is more than three parts"),
            ("a:4294967295", "UID and GID are numbers"),
            ("1a", "a name starts with a letter and has letters, digits, `-`, `_` and `.`"),
            ("a\nb", "a name starts with a letter and has letters, digits, `-`, `_` and `.`"),
        ] {
            assert_eq!(show(typed), expected, "{typed:?}");
        }
    }
}
