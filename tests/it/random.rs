//! Random worlds, from a seed: libraries in several directories that ask for
//! one another under many spellings, with every kind of list, and with things
//! in the way. A world is made as text, so that one that fails is a row already.

use crate::rng::Rng;

/// Where libraries lie. All of them are real directories.
const DIRS: [&str; 9] =
    ["/t/a", "/t/a", "/t/a", "/t/b", "/t/b", "/t/a/c", "/u", "/t/lib/x86_64-linux-gnu", "/t"];
const SYSTEM: [&str; 4] = ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib", "/usr/lib"];
const MUSL_SYSTEM: [&str; 3] = ["/lib", "/usr/local/lib", "/usr/lib"];
/// What the machine may search below a directory, and what it never does.
const SUBDIRS: [&str; 10] = [
    "glibc-hwcaps/x86-64-v2",
    "glibc-hwcaps/x86-64-v3",
    "glibc-hwcaps/x86-64-v4",
    "glibc-hwcaps/x86-64-v5",
    "tls",
    "x86_64",
    "tls/x86_64",
    "x86_64/x86_64",
    "haswell",
    "tls/x86_64/x86_64",
];
const GLIBC_CWDS: [&str; 4] = ["/", "/t", "/t/a", "/u"];

/// A world's text while it grows.
struct Maker {
    rng: Rng,
    musl: bool,
    names: Vec<String>,
    /// All that is placed: paths of files, in order.
    placed: Vec<String>,
    links: Vec<String>,
    text: String,
}

/// One world for a seed, as text.
pub fn world(seed: u64, musl: bool) -> String {
    let mut maker = Maker {
        rng: Rng::new(seed),
        musl,
        names: Vec::new(),
        placed: Vec::new(),
        links: Vec::new(),
        text: if musl { "musl\n".to_owned() } else { String::new() },
    };
    maker.name_libraries();
    maker.launch();
    maker.dir_links();
    maker.libraries();
    maker.file_links();
    maker.obstacles();
    maker.program();
    maker.files_of_the_system();
    maker.environment();
    maker.text
}

impl Maker {
    fn line(&mut self, line: &str) {
        self.text += line;
        self.text.push('\n');
    }

    fn is(&mut self, percent: u64) -> bool {
        self.rng.below(100) < percent
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.rng.below(from.len() as u64) as usize]
    }

    fn name(&mut self) -> String {
        let at = self.rng.below(self.names.len() as u64) as usize;
        self.names[at].clone()
    }

    fn system_dir(&mut self) -> &'static str {
        if self.musl { self.pick(&MUSL_SYSTEM) } else { self.pick(&SYSTEM) }
    }

    fn name_libraries(&mut self) {
        let count = 5 + self.rng.below(8);
        for i in 0..count {
            let letter = char::from(b'A' + i as u8);
            let ending = self.pick(&[".so", ".so", ".so.1", ".so.2", ".so.10"]);
            self.names.push(format!("lib{letter}{ending}"));
        }
    }

    fn launch(&mut self) {
        let launch = match (self.musl, self.rng.below(100)) {
            (false, 0..50) => "launch exec",
            (false, 50..60) => "launch run",
            (false, 60..85) => "launch ldso",
            (false, 85..90) => "launch ldso --inhibit-cache",
            (false, 90..95) => "launch ldso --library-path /t/b:$ORIGIN/a",
            (false, _) => "launch ldso --glibc-hwcaps-mask x86-64-v2",
            (true, 0..70) => "launch list",
            (true, _) => "launch run",
        };
        self.line(launch);
        if self.is(40) {
            let cwd = self.pick(&GLIBC_CWDS);
            self.line(&format!("cwd {cwd}"));
        }
    }

    fn dir_links(&mut self) {
        for name in ["/t/x", "/t/y", "/v"] {
            if self.is(60) {
                let to = self
                    .pick(&["/t/a", "/t/a", "/t/b", "../t/b", "/u", "/t/a/c", "/t/a/..", "/t/x", "/nosuch"]);
                self.line(&format!("{name} -> {to}"));
                self.links.push(name.to_owned());
            }
        }
    }

    /// One element of a path list.
    fn element(&mut self) -> String {
        match self.rng.below(100) {
            0..40 => {
                let dir = self.pick(&DIRS).to_owned();
                dir + self.pick(&["", "", "", "", "/", "//", "/.", "/../a"])
            }
            40..52 => self.pick(&["$ORIGIN", "${ORIGIN}", "$ORIGIN/a", "$ORIGIN/..", "$ORIGIN/c"]).to_owned(),
            52..58 if !self.musl || self.rng.below(4) == 0 => self
                .pick(&["/t/$LIB", "/t/${LIB}", "/$LIB", "/t/a/$PLATFORM", "/t/$PLATFORMx", "/t/a/$"])
                .to_owned(),
            58..73 => self.pick(&["/t/x", "/t/x", "/t/y", "/v", "/v/c", "/t/x/../b"]).to_owned(),
            73..78 => self.pick(&["a", "./b", ".", "../t/a", "t/b"]).to_owned(),
            78..83 => self.pick(&["", "/nosuch", "/t/m", "/", "/t/a;/t/b"]).to_owned(),
            83..87 => self.system_dir().to_owned(),
            _ => self.pick(&DIRS).to_owned(),
        }
    }

    fn list(&mut self) -> String {
        let count = 1 + self.rng.below(3);
        let elements: Vec<String> = (0..count).map(|_| self.element()).collect();
        let list = elements.join(":");
        if list.is_empty() { "\\e".to_owned() } else { list }
    }

    /// How an object asks for another one.
    fn request(&mut self) -> String {
        let name = self.name();
        match self.rng.below(100) {
            0..86 => name,
            86..89 => format!("{}/{name}", self.pick(&DIRS)),
            89..91 => format!("$ORIGIN/{name}"),
            91..93 => format!("./{name}"),
            93..95 if !self.placed.is_empty() => {
                let at = self.rng.below(self.placed.len() as u64) as usize;
                self.placed[at].clone()
            }
            95..96 => "libnone.so".to_owned(),
            96..97 if self.musl => "libc.so".to_owned(),
            96..97 => "ld-linux-x86-64.so.2".to_owned(),
            97..98 => "libsoname.so".to_owned(),
            _ => name,
        }
    }

    fn attributes(&mut self, file: &str, needs: u64) -> String {
        let mut list: Vec<String> = Vec::new();
        for _ in 0..needs {
            let kind = match self.rng.below(100) {
                0..2 => "AUX",
                2..3 => "FILTER",
                _ => "NEEDED",
            };
            list.push(format!("{kind} {}", self.request()));
        }
        match self.rng.below(100) {
            0..45 => {}
            45..65 => list.push(format!("SONAME {file}")),
            65..80 => list.push(format!("SONAME {}", self.name())),
            80..84 => list.push("SONAME libsoname.so".to_owned()),
            _ => {}
        }
        if self.is(30) {
            list.push(format!("RPATH {}", self.list()));
        }
        if self.is(22) {
            list.push(format!("RUNPATH {}", self.list()));
        }
        if self.is(2) {
            list.push(format!("RUNPATH {}", self.list()));
        }
        if self.is(4) {
            list.push("NODEFLIB".to_owned());
        }
        if self.is(4) {
            list.push(
                self.pick(&["OSABI 3", "EXECSTACK", "ABINOTE 0 99 0 0", "ISA 1", "FLAGS_1 0x80"]).to_owned(),
            );
        }
        list.join("; ")
    }

    fn place(&mut self, path: String, what: &str) {
        if self.placed.contains(&path) || self.links.contains(&path) {
            return;
        }
        self.line(&format!("{path}{what}"));
        self.placed.push(path);
    }

    fn library(&mut self, dir: &str, name: &str) {
        let needs = self.rng.below(4);
        let attributes = self.attributes(name, needs);
        self.place(format!("{dir}/{name}"), &format!(": {attributes}"));
    }

    fn libraries(&mut self) {
        for name in self.names.clone() {
            let copies = 1 + self.rng.below(4);
            for _ in 0..copies {
                let dir = if self.is(25) { self.system_dir() } else { self.pick(&DIRS) };
                let below = if self.is(if self.musl { 3 } else { 22 }) {
                    format!("{dir}/{}", self.pick(&SUBDIRS))
                } else {
                    dir.to_owned()
                };
                self.library(&below, &name);
            }
        }
    }

    fn file_links(&mut self) {
        for _ in 0..self.rng.below(4) {
            let at = self.rng.below(self.placed.len() as u64) as usize;
            let target = self.placed[at].clone();
            let path = format!("{}/{}", self.pick(&DIRS), self.name());
            if self.placed.contains(&path) {
                continue;
            }
            match self.rng.below(10) {
                0..4 => self.place(path, &format!(" = {target}")),
                4..9 => {
                    self.line(&format!("{path} -> {target}"));
                    self.links.push(path);
                }
                _ => self.place(path, &format!(": COPY {target}")),
            }
        }
    }

    fn obstacles(&mut self) {
        let count = [0, 0, 1, 1, 2][self.rng.below(5) as usize];
        for _ in 0..count {
            let path = format!("{}/{}", self.pick(&DIRS), self.name());
            if self.placed.contains(&path) || self.links.contains(&path) {
                continue;
            }
            // What ends a start is rarer than what is passed over.
            let what = match self.rng.below(100) {
                0..20 => ": I386",
                20..36 if !self.musl => ": AARCH64",
                36..44 if !self.musl => ": S390X",
                44..60 => " -> /nosuch/x",
                60..76 => " -> ../../t/../loop",
                76..79 => {
                    " \"GROUP ( /lib/libX.so.6 ) and what else a linker script of some length may hold\""
                }
                79..82 => " \"short\"",
                82..85 => "/",
                85..88 => ": REL",
                88..91 => ": EXEC",
                91..94 => ": PIE",
                94..96 => ": OSABI 9",
                96..98 => ": BE",
                98..99 => " \"\"",
                _ => ": ABIVERSION 1",
            };
            if what.contains("loop") && !self.links.iter().any(|l| l == "/loop") {
                self.line("/loop -> loop");
                self.links.push("/loop".to_owned());
            }
            self.place(path, what);
        }
    }

    fn program(&mut self) {
        let needs = 2 + self.rng.below(4);
        let mut attributes = self.attributes("m", needs);
        if !attributes.contains("PATH") {
            let first = self.pick(&["/t/a", "$ORIGIN/a", "/t/x", "/t/b", "$ORIGIN"]);
            attributes += &format!("; {} {first}:{}", self.pick(&["RPATH", "RPATH", "RUNPATH"]), self.list());
            attributes = attributes.replace(":\\e", ":");
        }
        if self.is(10) {
            attributes += "; PIE";
        }
        if self.is(5) {
            attributes += "; EXEC";
        }
        self.line(&format!("/t/m: {attributes}"));
        if self.is(15) {
            self.line("/u/link -> ../t/m");
            self.line("program /u/link");
        } else if self.is(8) && self.text.contains("cwd /t\n") {
            self.line("program ./m");
        }
    }

    fn files_of_the_system(&mut self) {
        if self.is(45) {
            for _ in 0..1 + self.rng.below(4) {
                let name = self.name();
                let flags = self.pick(&["303", "303", "303", "303", "3", "a03"]);
                let value = match self.rng.below(10) {
                    0..7 => {
                        let at = self.rng.below(self.placed.len() as u64) as usize;
                        self.placed[at].clone()
                    }
                    7 => format!("/nosuch/{name}"),
                    8 => format!("t/a/{name}"),
                    _ => format!("/t/x/{name}"),
                };
                let option =
                    self.pick(&["", "", "", "", " sub=x86-64-v2", " sub=x86-64-v3 isa=2", " sub=other"]);
                self.line(&format!("cache: {name} {flags} {value}{option}"));
            }
            if self.is(10) {
                let what = self.pick(&["compat", "order=0", "order=3", "as-given", "cut=70"]);
                self.line(&format!("cache-is {what}"));
            }
        }
        if self.is(12) {
            let names = format!("{} {}", self.request(), self.name());
            self.line(&format!("preload-file: {names}"));
        }
        if self.is(10) {
            self.line("conf: /t/b");
        }
        if self.musl && self.is(30) {
            let list = self.list();
            self.line(&format!("musl-path: {list}"));
        }
    }

    fn environment(&mut self) {
        if self.is(45) {
            let list = self.list().replace("\\e", "");
            self.line(&format!("env LD_LIBRARY_PATH={list}"));
        }
        if self.is(12) {
            let names = format!("{}:{}", self.request(), self.name());
            self.line(&format!("env LD_PRELOAD={names}"));
        }
    }
}
