//! The cases of the side by side: programs of a machine that is made for them,
//! collected by a tool and started in a root that holds nothing else. The tables
//! are benches/peers/cases.txt and tools.txt, where each word is explained.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::enter::starting;
use crate::overlay::Overlay;

const CASES: &str = include_str!("../../benches/peers/cases.txt");
const TOOLS: &str = include_str!("../../benches/peers/tools.txt");

/// Where in the overlay the tools write to.
const DIST: &str = "/collected/dist";

/// An empty place, as it is before each tool.
const CLEAR: &str =
    "rm -rf /collected \"$1\"; umask 022; mkdir -p /collected/dist; exec rm -f /tmp/bundle.tgz";

/// What a container engine gives: places, a name for itself and no name server.
const FURNISH: &str = "cd /collected/dist && mkdir -p dev proc etc && \
    printf '127.0.0.1 localhost\\n' >etc/hosts && printf 'nameserver 127.0.0.1\\n' >etc/resolv.conf";

pub struct Case {
    pub id: &'static str,
    pub about: &'static str,
    pub packages: Vec<&'static str>,
    make: String,
    builder: Vec<(&'static str, &'static str)>,
    start: Vec<String>,
    env: Vec<(&'static str, &'static str)>,
    pub with: Vec<&'static str>,
    wanted: Wanted,
}

enum Wanted {
    Start {
        exit: i32,
        says: Option<&'static str>,
        holds: Option<&'static str>,
    },
    Refusal,
    /// No such file.
    Unharmed(&'static str),
}

pub struct Tool {
    pub id: &'static str,
    pub name: &'static str,
    /// A registry, and what it is called there.
    pub from: (&'static str, &'static str),
    pub how: &'static str,
    pub list: Option<&'static str>,
    pub every: Option<&'static str>,
    pub paths: Option<&'static str>,
    pub collect: String,
    starts: Option<&'static str>,
}

/// Where the tools are.
pub struct Places {
    pub depcollect: PathBuf,
    pub peers: PathBuf,
}

/// Why not, in somebody's own words.
pub type Verdict = Result<(), String>;

/// The lines below `== ID NAME`: a key, and the rest of the line.
struct Paragraph {
    id: &'static str,
    name: &'static str,
    lines: Vec<(&'static str, &'static str)>,
}

impl Paragraph {
    fn all(text: &'static str) -> Vec<Paragraph> {
        let mut found: Vec<Paragraph> = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(head) = line.strip_prefix("== ") {
                let (id, name) = head.split_once(' ').unwrap_or((head, ""));
                found.push(Paragraph { id, name, lines: Vec::new() });
            } else {
                let line = line.split_once(' ').unwrap_or((line, ""));
                found.last_mut().expect("a head comes first").lines.push(line);
            }
        }
        found
    }

    fn has(&self, known: &[&str]) {
        for (key, _) in &self.lines {
            assert!(known.contains(key), "{}: `{key}` is no word of the table", self.id);
        }
    }

    fn each<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'static str> + 'a {
        self.lines.iter().filter(move |(one, _)| *one == key).map(|(_, rest)| *rest)
    }

    fn one(&self, key: &str) -> Option<&'static str> {
        self.each(key).next()
    }

    fn script(&self, key: &str) -> String {
        self.each(key).map(|line| format!("{line}\n")).collect()
    }

    fn variables(&self, key: &str) -> Vec<(&'static str, &'static str)> {
        self.each(key).map(|line| line.split_once('=').expect("NAME=VALUE")).collect()
    }
}

pub fn cases() -> Vec<Case> {
    Paragraph::all(CASES).iter().map(Case::new).collect()
}

pub fn tools() -> Vec<Tool> {
    Paragraph::all(TOOLS).iter().map(Tool::new).collect()
}

/// Words between blanks; '...' is one.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for (n, part) in line.split('\'').enumerate() {
        if n % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

impl Case {
    fn new(row: &Paragraph) -> Case {
        row.has(&[
            "packages", "make", "builder", "start", "env", "with", "exit", "says", "holds", "refused",
            "unharmed",
        ]);
        let start = words(row.one("start").unwrap_or_else(|| panic!("{}: nothing is started", row.id)));
        Case {
            id: row.id,
            about: row.name,
            packages: row.each("packages").flat_map(str::split_whitespace).collect(),
            make: row.script("make"),
            builder: row.variables("builder"),
            start,
            env: row.variables("env"),
            with: row.each("with").collect(),
            wanted: Wanted::new(row),
        }
    }

    fn program(&self) -> &Path {
        Path::new(&self.start[0])
    }

    /// As dpkg knows them: a package of one architecture has that in its name.
    pub fn is_possible(&self) -> bool {
        let is_there = |file: String| Path::new("/var/lib/dpkg/info").join(file).exists();
        let is_installed =
            |name: &str| ["", ":amd64"].iter().any(|arch| is_there(format!("{name}{arch}.list")));
        self.packages.iter().copied().all(is_installed)
    }

    /// A machine on which the program is made.
    pub fn made(&self, places: &Places) -> Result<Overlay, String> {
        let depcollect = places.depcollect.parent().expect("a file is in a directory");
        let overlay = Overlay::new(&[depcollect, &places.peers])?;
        let script = format!("mkdir -p /opt/{0}\ncd /opt/{0}\numask 022\n{1}", self.id, self.make);
        let made = self.shell(&overlay, &script, &[]).output().expect("nsenter");
        if made.status.success() { Ok(overlay) } else { Err(format!("not made: {}", said(&made))) }
    }

    /// A script in an environment of a user's.
    fn shell(&self, overlay: &Overlay, script: &str, args: &[String]) -> Command {
        let mut shell = overlay.command("timeout");
        shell.args(["-k", "1", "300", "sh", "-euc", script, self.id]).args(args);
        shell.env_clear().stdin(Stdio::null());
        shell
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", "/root");
        shell
    }

    /// `depcollect needs` names each option that the row gives.
    pub fn named(&self, overlay: &Overlay, places: &Places) -> Verdict {
        let script = "exec \"$1\" needs \"$2\"".to_owned();
        let words = [&places.depcollect, self.program()].map(|path| path.display().to_string());
        let told = self.shell(overlay, &script, &words).output().expect("nsenter");
        let told = String::from_utf8_lossy(&told.stdout);
        for option in &self.with {
            if !told.contains(&format!("`{option}` takes it along")) {
                return Err(format!("`depcollect needs` does not name `{option}`:\n{told}"));
            }
        }
        Ok(())
    }

    /// Collected by a tool, and started.
    pub fn verdict(&self, overlay: &Overlay, tool: &Tool, places: &Places) -> Verdict {
        let witness = match self.wanted {
            Wanted::Unharmed(file) => file,
            Wanted::Start { .. } | Wanted::Refusal => "",
        };
        let cleared = self.shell(overlay, CLEAR, &[witness.to_owned()]).status().expect("nsenter");
        assert!(cleared.success(), "{}: what a tool wrote can be removed", self.id);
        let collected = self.collected(overlay, tool, places);
        match self.wanted {
            Wanted::Unharmed(file) => {
                let exists = self.shell(overlay, "test -e \"$1\"", &[file.to_owned()]).status();
                let is_harmed = exists.expect("nsenter").success();
                if is_harmed { Err("it was run".to_owned()) } else { Ok(()) }
            }
            Wanted::Refusal if collected.status.success() => Err("exit status 0".to_owned()),
            Wanted::Refusal => Ok(()),
            Wanted::Start { exit, says, holds } => {
                if !collected.status.success() {
                    return Err(format!("not collected: {}", said(&collected)));
                }
                let started = self.started(overlay, tool);
                let all = [started.stdout.as_slice(), &started.stderr].concat();
                let all = String::from_utf8_lossy(&all);
                let is_right = started.status.code() == Some(exit)
                    && says.is_none_or(|words| all.trim() == words)
                    && holds.is_none_or(|words| all.contains(words));
                if is_right { Ok(()) } else { Err(said(&started)) }
            }
        }
    }

    fn collected(&self, overlay: &Overlay, tool: &Tool, places: &Places) -> Output {
        let mut collect = self.shell(overlay, &tool.collect, &self.start[1..]);
        collect.env("PROGRAM", self.program()).env("DIST", DIST);
        collect.env("DEPCOLLECT", &places.depcollect).env("PEERS", &places.peers);
        collect.env("OPTIONS", self.with.join(" ")).envs(self.builder.iter().copied());
        // For those that start the program.
        collect.envs(self.env.iter().copied());
        collect.output().expect("nsenter")
    }

    fn started(&self, overlay: &Overlay, tool: &Tool) -> Output {
        let furnished = self.shell(overlay, FURNISH, &[]).output().expect("nsenter");
        if !furnished.status.success() {
            return furnished;
        }
        let name = self.program().file_name().expect("a file").to_str().expect("a name of ours");
        let program = tool.starts.map_or(self.start[0].clone(), |path| path.replace("{name}", name));
        let args: Vec<&str> = self.start[1..].iter().map(String::as_str).collect();
        let mut start = starting(overlay.command("timeout"), Path::new(DIST), Path::new(&program), &args);
        start.envs(self.env.iter().copied()).output().expect("nsenter")
    }
}

impl Wanted {
    fn new(row: &Paragraph) -> Wanted {
        if let Some(file) = row.one("unharmed") {
            return Wanted::Unharmed(file);
        }
        if row.one("refused").is_some() {
            return Wanted::Refusal;
        }
        let exit = row.one("exit").map_or(0, |status| status.parse().expect("a number"));
        let (says, holds) = (row.one("says"), row.one("holds"));
        assert!(says.is_some() || holds.is_some(), "{}: whatever it says would be right", row.id);
        Wanted::Start { exit, says, holds }
    }
}

impl Tool {
    fn new(row: &Paragraph) -> Tool {
        row.has(&["from", "how", "list", "every", "paths", "collect", "starts"]);
        let from = row.one("from").and_then(|from| from.split_once(' '));
        Tool {
            id: row.id,
            name: row.name,
            from: from.unwrap_or_else(|| panic!("{}: from nowhere", row.id)),
            how: row.one("how").unwrap_or(""),
            list: row.one("list"),
            every: row.one("every"),
            paths: row.one("paths"),
            collect: row.script("collect"),
            starts: row.one("starts"),
        }
    }
}

/// The line that says most, cut short: the last one of a traceback, else the
/// first that speaks of an error, else the first.
pub fn said(output: &Output) -> String {
    let all = [output.stderr.as_slice(), &output.stdout].concat();
    let all = String::from_utf8_lossy(&all);
    let mut lines = all.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = match all.contains("Traceback (most recent") {
        true => lines.next_back(),
        false => lines.clone().find(|line| line.contains("rror:")).or_else(|| lines.next()),
    };
    let line: String = line.unwrap_or("").chars().take(200).collect();
    match output.status.code() {
        _ if !line.is_empty() => line,
        Some(status) => format!("nothing, and exit status {status}"),
        None => "nothing, and a signal".to_owned(),
    }
}
