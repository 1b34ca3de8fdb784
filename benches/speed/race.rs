//! Whole processes, timed from outside: from before the start until the child
//! is reaped. Rivals run in turn, so that a machine whose speed drifts slows
//! all of them, and ratios are taken round by round.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What is run in one go: a command, or one after the other.
pub struct Rival {
    pub name: String,
    pub commands: Vec<Vec<String>>,
    /// What is not timed: how the place is made that it writes to.
    pub ground: Ground,
}

/// A tree that is written.
#[derive(Default)]
pub enum Ground {
    /// It writes nothing, or is to find what it has written.
    #[default]
    AsItIs,
    /// Nothing is there.
    Nothing(PathBuf),
    /// An empty directory is there.
    Empty(PathBuf),
}

impl Rival {
    pub fn once(name: &str, words: &[&str]) -> Rival {
        Rival::of(name, vec![words.iter().map(|w| (*w).to_owned()).collect()])
    }

    /// One call with all files behind the words.
    pub fn with_all(name: &str, words: &[&str], files: &[String]) -> Rival {
        let words = words.iter().map(|w| (*w).to_owned());
        Rival::of(name, vec![words.chain(files.iter().cloned()).collect()])
    }

    /// One call for each file: the cheapest loop there is, without a shell.
    pub fn with_each(name: &str, words: &[&str], files: &[String]) -> Rival {
        let each =
            |file: &String| words.iter().map(|w| (*w).to_owned()).chain([file.clone()]).collect::<Vec<_>>();
        Rival::of(name, files.iter().map(each).collect())
    }

    fn of(name: &str, commands: Vec<Vec<String>>) -> Rival {
        Rival { name: name.into(), commands, ground: Ground::AsItIs }
    }

    pub fn on(self, ground: Ground) -> Rival {
        Rival { ground, ..self }
    }

    fn run(&self) -> Duration {
        self.ground.prepare();
        let start = Instant::now();
        for command in &self.commands {
            let mut child = quiet(&command[0]);
            child.args(&command[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            // What it thinks of the files is not what is measured here.
            child.status().unwrap_or_else(|error| panic!("cannot start {}: {error}", command[0]));
        }
        start.elapsed()
    }
}

impl Ground {
    pub fn prepare(&self) {
        let clear = |dir: &Path| {
            if dir.exists() {
                fs::remove_dir_all(dir).expect("what a rival wrote can be removed");
            }
        };
        match self {
            Ground::AsItIs => {}
            Ground::Nothing(dir) => clear(dir),
            Ground::Empty(dir) => {
                clear(dir);
                fs::create_dir_all(dir).expect("the temporary directory can be written to");
            }
        }
    }
}

/// A command as its user starts it: cargo sets LD_LIBRARY_PATH, which makes all
/// of them search more.
pub fn quiet(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_remove("LD_LIBRARY_PATH").env_remove("LD_PRELOAD");
    command
}

/// The times of each rival, in the order of the rounds.
pub struct Times(Vec<Vec<f64>>);

/// Two rounds warm up. The order changes from round to round.
pub fn race(rivals: &[Rival], rounds: usize) -> Times {
    let mut times = vec![Vec::with_capacity(rounds); rivals.len()];
    for round in 0..rounds + 2 {
        for turn in 0..rivals.len() {
            let who = (turn + round) % rivals.len();
            let took = rivals[who].run().as_secs_f64() * 1e3;
            if round >= 2 {
                times[who].push(took);
            }
        }
    }
    Times(times)
}

impl Times {
    /// Milliseconds, the median.
    pub fn of(&self, who: usize) -> f64 {
        median(self.0[who].clone())
    }

    /// How many times as long as `than` one took, the median of all rounds.
    pub fn ratio(&self, who: usize, than: usize) -> f64 {
        median(self.0[who].iter().zip(&self.0[than]).map(|(a, b)| a / b).collect())
    }
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { (values[half - 1] + values[half]) / 2.0 }
}
