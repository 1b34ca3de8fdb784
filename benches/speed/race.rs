//! Whole processes, timed from outside: from before the start until the child
//! is reaped. Rivals run in turn, so that a machine whose speed drifts slows
//! all of them, and ratios are taken round by round.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What is run in one go: a command, or one after the other.
pub struct Rival {
    pub name: String,
    pub commands: Vec<Vec<String>>,
}

impl Rival {
    pub fn once(name: &str, words: &[&str]) -> Rival {
        Rival { name: name.into(), commands: vec![words.iter().map(|w| (*w).to_owned()).collect()] }
    }

    /// One call with all files behind the words.
    pub fn with_all(name: &str, words: &[&str], files: &[String]) -> Rival {
        let words = words.iter().map(|w| (*w).to_owned());
        Rival { name: name.into(), commands: vec![words.chain(files.iter().cloned()).collect()] }
    }

    /// One call for each file: the cheapest loop there is, without a shell.
    pub fn with_each(name: &str, words: &[&str], files: &[String]) -> Rival {
        let each =
            |file: &String| words.iter().map(|w| (*w).to_owned()).chain([file.clone()]).collect::<Vec<_>>();
        Rival { name: name.into(), commands: files.iter().map(each).collect() }
    }

    fn run(&self) -> Duration {
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
