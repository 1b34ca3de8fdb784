//! Trees as text: a small language in which a row or a random world is
//! written, read and shown. One line, one thing:
//!
//! ```text
//! /t/m: NEEDED liba.so libb.so; RUNPATH /t/a     an ELF file (see `worldelf.rs`)
//! /t/ld.so: LOADER                               a copy of the machine's own loader
//! /t/c.so: COPY /t/b.so                          a copy of another file
//! /t/h.so = /t/a/libA.so                         a hard link
//! /t/x -> ../t/a                                 a symbolic link
//! /t/txt "text"   /t/dir/   /t/fifo |            a text, a directory, a FIFO
//! - /t/a/libA.so                                 takes an earlier line back
//! mode /t/dir 000   owner /t/m 65534
//! caps /t/m p                                    CAP_NET_RAW, permitted; also `i`, `e`
//! cache: libfoo.so.1 303 /odd/libfoo.so.1        an entry of ld.so.cache (see `cachefile.rs`)
//! conf: /odd   preload-file: liba.so             lines of ld.so.conf, ld.so.preload
//! musl-path: /a:/b                               lines of ld-musl-x86_64.path
//! env A=b   cwd /t   program /t/m   arg0 m   uid 65534
//! launch exec|run|ldso|list [OPTION]...          how the program is started (see `Launch`)
//! no-proc                                        /proc/self/exe is not there
//! musl                                           its loader is musl's, not glibc's
//! ```
//!
//! Words are split at blanks; `\s`, `\n`, `\t`, `\\`, `\xNN` stand for a byte,
//! `\e` for nothing at all and `\{a*300}` for three hundred `a`. `#` starts a comment line.
//! `/t/m`, and the program if it is another, ask for the usual loader unless they
//! say otherwise. The loader itself is placed where the program's `PT_INTERP` expects it
//! unless the world says `no-loader`.

use crate::cachefile::CacheSpec;
use crate::synth::Elf;
use crate::worldelf;

pub const GLIBC: &[u8] = b"/lib64/ld-linux-x86-64.so.2";
pub const MUSL: &[u8] = b"/lib/ld-musl-x86_64.so.1";

/// What a program is started in, and how.
#[derive(Debug, Clone)]
pub struct World {
    /// As it was written.
    pub text: String,
    pub musl: bool,
    pub entries: Vec<Entry>,
    pub program: Vec<u8>,
    pub arg0: Option<Vec<u8>>,
    pub env: Vec<(Vec<u8>, Vec<u8>)>,
    pub cwd: Vec<u8>,
    pub uid: u32,
    pub launch: Launch,
    /// Options of `ld.so`, before the program.
    pub options: Vec<Vec<u8>>,
    /// `/proc/self/exe` can be read.
    pub has_proc: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub path: Vec<u8>,
    pub what: What,
    pub mode: Option<u32>,
    pub owner: u32,
    /// `security.capability`.
    pub caps: Option<Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Elf(Box<Elf>),
    /// A copy of the machine's own loader: glibc's, or musl's if true.
    Loader(bool),
    Text(Vec<u8>),
    Dir,
    Link(Vec<u8>),
    Hard(Vec<u8>),
    Copy(Vec<u8>),
    Fifo,
}

/// How the program is started, and so what an answer looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Launch {
    /// By the kernel, with glibc's trace of what is loaded: `NAME => PATH`.
    Exec,
    /// By the kernel, for real: the paths of what is loaded.
    Run,
    /// As an argument of glibc's loader, with its trace.
    LdSo,
    /// With the loader's `--list`.
    List,
}

impl World {
    /// Reads a world. A mistake in it is a mistake in a test: it panics.
    pub fn parse(text: &str) -> World {
        let lines = || text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
        let musl = lines().any(|l| l == "musl");
        let mut reader = Reader::new(text, musl);
        for line in lines() {
            reader.line(line);
        }
        reader.finish()
    }

    /// Which loader the program asks for, unless it says otherwise.
    pub fn default_interp(musl: bool) -> &'static [u8] {
        if musl { MUSL } else { GLIBC }
    }

    /// The loader that is named on the command line, where there is one.
    pub fn default_loader(&self) -> &'static [u8] {
        World::default_interp(self.musl)
    }

    /// Whether a line is the program's own entry in the list of what is loaded.
    pub fn is_program_name(&self, line: &str) -> bool {
        self.launch == Launch::Run && line.as_bytes() == self.program
    }

    pub fn entry(&self, path: &[u8]) -> Option<&Entry> {
        self.entries.iter().find(|e| e.path == path)
    }

    /// The bytes of a regular file, without the machine's loaders.
    pub fn bytes(&self, what: &What) -> Option<Vec<u8>> {
        match what {
            What::Elf(elf) => Some(elf.bytes()),
            What::Text(text) => Some(text.clone()),
            What::Copy(from) | What::Hard(from) => {
                self.bytes(&self.entry(from).expect("a copy of what is in the world").what)
            }
            What::Loader(_) | What::Dir | What::Link(_) | What::Fifo => None,
        }
    }
}

struct Reader {
    world: World,
    cache: CacheSpec,
    /// Generated files and their lines.
    files: [(&'static str, Vec<u8>); 3],
    interp: Option<Vec<u8>>,
    has_loader: bool,
}

impl Reader {
    fn new(text: &str, musl: bool) -> Reader {
        let world = World {
            text: text
                .lines()
                .map(|l| l.trim_start().to_owned() + "\n")
                .collect::<String>()
                .trim()
                .to_owned(),
            musl,
            entries: Vec::new(),
            program: b"/t/m".to_vec(),
            arg0: None,
            env: Vec::new(),
            cwd: b"/".to_vec(),
            uid: 0,
            launch: if musl { Launch::List } else { Launch::Exec },
            options: Vec::new(),
            has_proc: true,
        };
        Reader {
            world,
            cache: CacheSpec::default(),
            files: [
                ("/etc/ld.so.conf", Vec::new()),
                ("/etc/ld.so.preload", Vec::new()),
                ("/etc/ld-musl-x86_64.path", Vec::new()),
            ],
            interp: Some(World::default_interp(musl).to_vec()),
            has_loader: true,
        }
    }

    fn line(&mut self, line: &str) {
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        if line.starts_with('/') {
            return self.entry_line(line, first, rest);
        }
        match first {
            "musl" => {}
            "-" => {
                self.remove(rest.as_bytes());
                self.files.iter_mut().filter(|(path, _)| *path == rest).for_each(|(_, text)| text.clear());
                if rest == "/etc/ld.so.cache" {
                    self.cache = CacheSpec::default();
                }
            }
            "no-loader" => self.has_loader = false,
            "no-proc" => self.world.has_proc = false,
            "cache:" => self.cache.entry(rest),
            "cache-is" => self.cache.setting(rest),
            "conf:" => self.file_line(0, rest),
            "preload-file:" => self.file_line(1, rest),
            "musl-path:" => self.file_line(2, rest),
            "env" => {
                let (name, value) = rest.split_once('=').expect("env NAME=VALUE");
                self.world.env.retain(|(n, _)| n != name.as_bytes());
                self.world.env.push((unescape(name), unescape(value)));
            }
            "cwd" => self.world.cwd = unescape(rest),
            "arg0" => self.world.arg0 = Some(unescape(rest)),
            "program" => self.world.program = unescape(rest),
            "uid" => self.world.uid = rest.parse().expect("uid NUMBER"),
            "launch" => self.launch(rest),
            "mode" | "owner" | "caps" => self.attribute(first, rest),
            _ => panic!("cannot read `{line}`"),
        }
    }

    fn file_line(&mut self, file: usize, text: &str) {
        let text = unescape(text);
        let lines = &mut self.files[file].1;
        lines.extend(&text);
        // `\e` at the end of the last line leaves the newline out: see `finish`.
        lines.push(b'\n');
    }

    fn launch(&mut self, rest: &str) {
        let mut words = rest.split_whitespace();
        self.world.launch = match words.next().expect("launch HOW") {
            "exec" => Launch::Exec,
            "run" => Launch::Run,
            "ldso" => Launch::LdSo,
            "list" => Launch::List,
            other => panic!("no launch `{other}`"),
        };
        self.world.options = words.map(unescape).collect();
    }

    fn attribute(&mut self, what: &str, rest: &str) {
        let (path, value) = rest.split_once(' ').expect("mode PATH MODE, owner PATH UID");
        let path = unescape(path);
        let entry = self.world.entries.iter_mut().find(|e| e.path == path).expect("mode of what is there");
        match what {
            "mode" => entry.mode = Some(u32::from_str_radix(value, 8).expect("an octal mode")),
            "owner" => entry.owner = value.parse().expect("a number"),
            _ => entry.caps = Some(net_raw(value)),
        }
    }

    fn entry_line(&mut self, line: &str, first: &str, rest: &str) {
        if let Some(path) = first.strip_suffix(':') {
            let path = unescape(path);
            let what = self.elf_line(&path, rest);
            return self.add(path, what);
        }
        let path = unescape(first.trim_end_matches('/'));
        let what = if let Some(target) = rest.strip_prefix("-> ") {
            What::Link(unescape(target))
        } else if let Some(other) = rest.strip_prefix("= ") {
            What::Hard(unescape(other))
        } else if let Some(text) = rest.strip_prefix('"') {
            What::Text(unescape(text.strip_suffix('"').expect("a closing quote")))
        } else if rest == "|" {
            What::Fifo
        } else if rest.is_empty() && first.ends_with('/') {
            What::Dir
        } else {
            panic!("cannot read `{line}`")
        };
        self.add(path, what);
    }

    fn elf_line(&mut self, path: &[u8], rest: &str) -> What {
        if let Some(from) = rest.strip_prefix("COPY ") {
            return What::Copy(unescape(from));
        }
        match rest {
            "LOADER" => What::Loader(self.world.musl),
            "LOADER-GLIBC" => What::Loader(false),
            "LOADER-MUSL" => What::Loader(true),
            _ => {
                let mut elf = worldelf::parse(rest, World::default_interp(self.world.musl));
                let is_program = path == b"/t/m" || path == self.world.program;
                let has_interp = !rest.contains("NOINTERP") && !rest.contains("INTERP ");
                if is_program && has_interp {
                    elf.interp = Some(World::default_interp(self.world.musl).to_vec());
                }
                What::Elf(Box::new(elf))
            }
        }
    }

    /// A later line replaces an earlier one of the same path.
    fn add(&mut self, path: Vec<u8>, what: What) {
        self.remove(&path);
        self.world.entries.push(Entry { path, what, mode: None, owner: 0, caps: None });
    }

    fn remove(&mut self, path: &[u8]) {
        self.world.entries.retain(|e| e.path != path);
    }

    fn finish(mut self) -> World {
        if let Some(interp) = self.interp.take().filter(|_| self.has_loader)
            && self.world.entry(&interp).is_none()
        {
            let loader = What::Loader(self.world.musl);
            self.world
                .entries
                .insert(0, Entry { path: interp, what: loader, mode: None, owner: 0, caps: None });
        }
        for (path, mut text) in std::mem::take(&mut self.files) {
            if text.is_empty() {
                continue;
            }
            if text.ends_with(b"\x0b\n") {
                text.truncate(text.len() - 2);
            }
            self.add(path.as_bytes().to_vec(), What::Text(text));
        }
        if let Some(bytes) = self.cache.bytes() {
            self.add(b"/etc/ld.so.cache".to_vec(), What::Text(bytes));
        }
        self.world
    }
}

/// A word as bytes.
pub fn unescape(word: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = word.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let (&kind, tail) = rest.split_first().expect("a letter behind a backslash");
        rest = tail;
        match kind {
            b's' => out.push(b' '),
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'\\' => out.push(b'\\'),
            b'e' => {}
            // Only for a file whose last line has no newline.
            b'c' => out.push(0x0b),
            b'x' => {
                let digits = std::str::from_utf8(&rest[..2]).expect("two hexadecimal digits");
                out.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits"));
                rest = &rest[2..];
            }
            b'{' => rest = repeat(rest, &mut out),
            _ => panic!("cannot read the escape in `{word}`"),
        }
    }
    out
}

/// `TEXT*COUNT}`: the rest behind it is returned.
fn repeat<'a>(rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let end = rest.iter().position(|&b| b == b'}').expect("a closing brace");
    let inner = std::str::from_utf8(&rest[..end]).expect("text in braces");
    let (text, count) = inner.rsplit_once('*').expect("TEXT*COUNT in braces");
    out.extend(text.repeat(count.parse().expect("a count")).into_bytes());
    &rest[end + 1..]
}

/// CAP_NET_RAW, as setcap writes it.
fn net_raw(sets: &str) -> Vec<u8> {
    let word = |set: char, value: u32| if sets.contains(set) { value } else { 0 };
    let words = [0x0200_0000 | word('e', 1), word('p', 1 << 13), word('i', 1 << 13), 0, 0];
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
