//! How long each takes, as times of what depcollect takes in the same rounds.

use std::path::{Path, PathBuf};

use crate::cases::{Places, Tool, tools};
use crate::elves::elf_files;
use crate::race::{Ground, Rival, race};
use crate::row;

const PROGRAMS: [&str; 4] = ["ls", "git", "python3", "gdb"];

/// What is listed, the tool, and how many times as long as depcollect it takes.
pub fn listing(places: &Places) -> String {
    let mut rows = String::new();
    for name in PROGRAMS {
        let files = [format!("/usr/bin/{name}")];
        rows += &raced(name, 21, |tool| tool.list, &files, places);
    }
    let all = elf_files(&["/usr"]);
    rows += &raced("/usr", 1, |tool| tool.every, &all, places);
    rows
}

fn raced(
    what: &str,
    rounds: usize,
    line: fn(&Tool) -> Option<&'static str>,
    files: &[String],
    places: &Places,
) -> String {
    let rival = |tool: &Tool| {
        let words = line(tool)?.split_whitespace();
        let words: Vec<String> = words.flat_map(|word| meant(word, files, places)).collect();
        Some(Rival::once(tool.id, &words.iter().map(String::as_str).collect::<Vec<_>>()))
    };
    let rivals: Vec<Rival> = tools().iter().filter_map(rival).collect();
    against_the_first(what, rivals, rounds)
}

/// Each alone with the first one: after a large program the processor has
/// forgotten more of one rival than of another.
fn against_the_first(what: &str, rivals: Vec<Rival>, rounds: usize) -> String {
    let mut rivals = rivals.into_iter();
    let mut pair = [rivals.next().unwrap(), Rival::once("", &[])];
    let mut rows = row(&[what, &pair[0].name, "1.00"]);
    for rival in rivals {
        pair[1] = rival;
        let ratio = race(&pair, rounds).ratio(1, 0);
        rows += &row(&[what, &pair[1].name, &format!("{ratio:.2}")]);
    }
    rows
}

fn meant(word: &str, files: &[String], places: &Places) -> Vec<String> {
    match word {
        "$PROGRAM" | "$FILES" => files.to_vec(),
        _ => {
            let peers = word.replace("$PEERS", places.peers.to_str().unwrap());
            vec![peers.replace("$DEPCOLLECT", places.depcollect.to_str().unwrap())]
        }
    }
}

/// gdb into a tree: the tool, and how many times as long as depcollect it takes
/// that brings what the loader opens and nothing else, as all others do.
pub fn copying(places: &Places) -> String {
    let dir = std::env::temp_dir().join(format!("depcollect-peers-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let tools = tools();
    let alone = Copy { id: "alone", tool: &tools[0], options: "--needs off" };
    let each = tools.iter().map(|tool| Copy { id: tool.id, tool, options: "" });
    let copies: Vec<Copy<'_>> = std::iter::once(alone).chain(each).collect();
    let rivals: Vec<Rival> = copies.iter().map(|copy| copy.rival(&dir, places)).collect();
    let rows = against_the_first("gdb", rivals, 5);
    std::fs::remove_dir_all(&dir).unwrap();
    rows
}

struct Copy<'a> {
    id: &'a str,
    tool: &'a Tool,
    options: &'a str,
}

impl Copy<'_> {
    fn rival(&self, dir: &Path, places: &Places) -> Rival {
        let dist: PathBuf = dir.join(self.id);
        let variables = [
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            "HOME=/root".to_owned(),
            "PROGRAM=/usr/bin/gdb".to_owned(),
            format!("DIST={}", dist.display()),
            format!("OPTIONS={}", self.options),
            format!("DEPCOLLECT={}", places.depcollect.display()),
            format!("PEERS={}", places.peers.display()),
        ];
        let mut words = vec!["env", "-i"];
        words.extend(variables.iter().map(String::as_str));
        words.extend(["sh", "-euc", &self.tool.collect, "sh", "--version"]);
        Rival::once(self.id, &words).on(Ground::Empty(dist))
    }
}
