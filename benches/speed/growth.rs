//! Programs with many libraries, made to order.

use std::path::{Path, PathBuf};

use crate::synth::{DT_NEEDED, DT_RPATH, DT_SONAME, Elf};

const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

#[derive(Clone, Copy)]
pub enum Shape {
    /// Each library needs the next one.
    Chain,
    /// The program needs them all.
    Star,
    /// The program needs them all, and each needs the next twenty.
    Dense,
}

impl Shape {
    pub const ALL: [Shape; 3] = [Shape::Chain, Shape::Star, Shape::Dense];

    pub fn name(self) -> &'static str {
        match self {
            Shape::Chain => "chain",
            Shape::Star => "star",
            Shape::Dense => "dense",
        }
    }

    fn needed_by_program(self, count: usize) -> std::ops::Range<usize> {
        match self {
            Shape::Chain => 0..1,
            Shape::Star | Shape::Dense => 0..count,
        }
    }

    fn needed_by_library(self, n: usize, count: usize) -> std::ops::Range<usize> {
        match self {
            Shape::Chain => n + 1..(n + 2).min(count),
            Shape::Star => 0..0,
            Shape::Dense => n + 1..(n + 21).min(count),
        }
    }

    /// Writes a program and its `count` libraries; returns the program.
    pub fn write(self, dir: &Path, count: usize) -> PathBuf {
        let dir = dir.join(format!("{}-{count}", self.name()));
        std::fs::create_dir_all(&dir).expect("the temporary directory can be written to");
        let write = |name: &str, elf: &Elf| {
            std::fs::write(dir.join(name), elf.bytes()).expect("the temporary directory can be written to");
        };
        for n in 0..count {
            let mut strings = vec![(DT_SONAME, library(n).into_bytes())];
            strings.extend(self.needed_by_library(n, count).map(|m| (DT_NEEDED, library(m).into_bytes())));
            write(&library(n), &Elf { strings, ..Elf::default() });
        }
        let mut strings = vec![(DT_RPATH, b"$ORIGIN".to_vec())];
        strings.extend(self.needed_by_program(count).map(|n| (DT_NEEDED, library(n).into_bytes())));
        write("program", &Elf { interp: Some(LOADER.into()), strings, ..Elf::default() });
        dir.join("program")
    }
}

fn library(n: usize) -> String {
    format!("libn{n}.so")
}
