//! How fast `depcollect` is, as ratios to others on the same files in the same
//! minutes. `benches/run.sh` builds what is needed and starts this; it prints
//! Markdown. Nothing here is a test: no ratio makes it fail.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a program of its own, which measures")]
#![expect(dead_code, reason = "the writer of ELF files is the tests', and writes more than is needed here")]
#![expect(clippy::unwrap_used, unreachable_pub, reason = "whoever measures reads the panic")]

mod bare;
mod copying;
mod elves;
mod growth;
mod race;
#[path = "../../tests/it/symbols.rs"]
mod symbols;
#[path = "../../tests/it/synth.rs"]
mod synth;

use std::fs;
use std::path::Path;

use elves::elf_files;
use growth::Shape;
use race::{Rival, race};

const LDSO: &str = "/lib64/ld-linux-x86-64.so.2";

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| *word != "--bench").collect();
    match words[..] {
        ["bare", dir] => {
            let (files, elf) = bare::walk(dir, threads());
            println!("{files} files, {elf} of them ELF");
        }
        ["race", rounds, ours, other] => one_race(rounds.parse().unwrap(), ours, other),
        [binary, ref parts @ ..] => table(binary, parts),
        [] => println!("usage: speed DEPCOLLECT [one|bin|tree|growth|calls|copy|check]..."),
    }
}

/// A part of the table: its name, and what measures it.
type Section = (&'static str, fn(&str));

fn table(binary: &str, parts: &[&str]) {
    let wanted = |part: &str| parts.is_empty() || parts.contains(&part);
    let sections: [Section; 7] = [
        ("one", one_program),
        ("bin", all_programs),
        ("tree", whole_tree),
        ("growth", growth),
        ("calls", calls),
        ("copy", copying::collecting),
        ("check", copying::checking),
    ];
    for (name, section) in sections {
        if wanted(name) {
            section(binary);
        }
    }
}

/// For whoever tunes: two commands, words split at blanks.
fn one_race(rounds: usize, ours: &str, other: &str) {
    let rival = |line: &str| Rival::once("", &line.split_whitespace().collect::<Vec<_>>());
    let times = race(&[rival(ours), rival(other)], rounds);
    println!("{:.3} ms | {:.3} ms | ratio {:.3}", times.of(0), times.of(1), times.ratio(0, 1));
}

fn one_program(binary: &str) {
    println!("\n### One program\n");
    println!(
        "| program | libraries | depcollect | `libtree` | `ld.so --list` | ldd | to libtree | to ld.so | to ldd |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    for name in ["ls", "git", "python3", "curl", "gdb", "ffmpeg"] {
        let path = format!("/usr/bin/{name}");
        if !Path::new(&path).exists() {
            continue;
        }
        let rivals = [
            Rival::once("depcollect", &[binary, "list", &path]),
            Rival::once("libtree", &["libtree", &path]),
            Rival::once("ld.so", &[LDSO, "--list", &path]),
            Rival::once("ldd", &["ldd", &path]),
        ];
        let times = race(&rivals, 101);
        let listed = race::quiet(binary).args(["list", &path]).output().unwrap();
        let libraries = listed.stdout.iter().filter(|&&b| b == b'\n').count();
        print!("| {name} | {libraries} |");
        (0..4).for_each(|who| print!(" {:.2} ms |", times.of(who)));
        (1..4).for_each(|who| print!(" {:.2} |", times.ratio(0, who)));
        println!();
    }
    let rivals = [Rival::once("", &[binary, "--version"]), Rival::once("", &["/bin/true"])];
    let times = race(&rivals, 101);
    println!(
        "\nFor comparison: `depcollect --version` {:.2} ms, `/bin/true` {:.2} ms.",
        times.of(0),
        times.of(1)
    );
}

fn all_programs(binary: &str) {
    let files = elf_files(&["/usr/bin"]);
    println!("\n### Every ELF program of /usr/bin ({} files)\n", files.len());
    let rivals = [
        Rival::with_all("`depcollect list FILE...`", &[binary, "list"], &files),
        Rival::with_all("`libtree FILE...`", &["libtree"], &files),
        Rival::with_each("`ld.so --list` for each", &[LDSO, "--list"], &files),
        Rival::with_each("`libtree` for each", &["libtree"], &files),
        Rival::with_each("`depcollect list` for each", &[binary, "list"], &files),
    ];
    let times = race(&rivals, 7);
    println!("| | time | times ours |\n|---|--:|--:|");
    for (who, rival) in rivals.iter().enumerate() {
        println!("| {} | {:.1} ms | {:.2} |", rival.name, times.of(who), times.ratio(who, 0));
    }
}

fn whole_tree(binary: &str) {
    let own = std::env::current_exe().unwrap();
    let bare = race::quiet(own.to_str().unwrap()).args(["bare", "/usr"]).output().unwrap();
    println!("\n### All of /usr ({})\n", String::from_utf8_lossy(&bare.stdout).trim_end());
    let rivals = [
        Rival::once("`depcollect list /usr`", &[binary, "list", "/usr"]),
        Rival::once("bare walk, four bytes of each", &[own.to_str().unwrap(), "bare", "/usr"]),
    ];
    let times = race(&rivals, 15);
    println!("| | time | times bare | peak memory |\n|---|--:|--:|--:|");
    for (who, rival) in rivals.iter().enumerate() {
        let peak = peak_kib(&rival.commands[0]).map_or("?".into(), |kib| format!("{:.1} MiB", kib / 1024.0));
        println!("| {} | {:.0} ms | {:.2} | {peak} |", rival.name, times.of(who), times.ratio(who, 1));
    }
    println!("\n{} threads each.", threads());
}

fn growth(binary: &str) {
    println!("\n### Growth: so many files in one call\n\n| files | time | per file |\n|--:|--:|--:|");
    let files = elf_files(&["/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec", "/usr/local"]);
    for count in [1, 10, 100, 1000, 3000, files.len()].into_iter().filter(|count| *count <= files.len()) {
        let some: Vec<String> = (0..count).map(|n| files[n * files.len() / count].clone()).collect();
        let times = race(&[Rival::with_all("", &[binary, "list"], &some)], if count > 100 { 11 } else { 51 });
        println!("| {count} | {:.2} ms | {:.1} µs |", times.of(0), times.of(0) * 1e3 / count as f64);
    }
    println!("\n### Growth: one program with so many libraries\n");
    println!(
        "| shape | libraries | depcollect | per library | `ld.so --list` | to ld.so |\n|---|--:|--:|--:|--:|--:|"
    );
    let dir = std::env::temp_dir().join(format!("depcollect-bench-{}", std::process::id()));
    for shape in Shape::ALL {
        for count in [250, 500, 1000, 2000] {
            let program = shape.write(&dir, count);
            let path = program.to_str().unwrap();
            let rivals = [Rival::once("", &[binary, "list", path]), Rival::once("", &[LDSO, "--list", path])];
            let times = race(&rivals, 7);
            let (own, other) = (times.of(0), times.of(1));
            let (each, ratio) = (own * 1e3 / count as f64, times.ratio(0, 1));
            println!(
                "| {} | {count} | {own:.2} ms | {each:.1} µs | {other:.1} ms | {ratio:.2} |",
                shape.name()
            );
        }
    }
    fs::remove_dir_all(&dir).unwrap();
}

fn calls(binary: &str) {
    println!("\n### System calls\n");
    println!(
        "| program | depcollect | `libtree` | `ld.so --list` | page faults: depcollect | libtree | ld.so |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for name in ["ls", "git", "python3", "curl", "gdb", "ffmpeg"] {
        let path = format!("/usr/bin/{name}");
        let commands = [vec![binary, "list", &path], vec!["libtree", &path], vec![LDSO, "--list", &path]];
        let shown = |n: Option<f64>| n.map_or("?".into(), |n| format!("{n}"));
        print!("| {name} |");
        commands.iter().for_each(|command| print!(" {} |", shown(count_calls(command))));
        commands.iter().for_each(|command| print!(" {} |", shown(resource(command, "%R"))));
        println!();
    }
}

fn count_calls(command: &[&str]) -> Option<f64> {
    let output =
        race::quiet("strace").args(["-f", "-c", "-U", "calls,name", "--"]).args(command).output().ok()?;
    let text = String::from_utf8(output.stderr).ok()?;
    let total = text.lines().find(|line| line.trim_end().ends_with("total"))?;
    total.split_whitespace().next()?.parse().ok()
}

fn peak_kib(command: &[String]) -> Option<f64> {
    resource(&command.iter().map(String::as_str).collect::<Vec<_>>(), "%M")
}

/// What GNU time says of a run.
fn resource(command: &[&str], format: &str) -> Option<f64> {
    let mut time = race::quiet("/usr/bin/time");
    let output = time.args(["-q", "-f", format, "--"]).args(command).output().ok()?;
    String::from_utf8_lossy(&output.stderr).lines().last()?.trim().parse().ok()
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(8))
}
