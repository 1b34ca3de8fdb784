//! Lines of `passwd` and `group`.
//!
//! What is there stays as it is, byte for byte, whatever it is. Lines of ours
//! whose name is not there yet are added at the end, in their order: of two
//! names for one number programs see the first, and that is whoever came first.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

/// They are on every system, with numbers of its own: nobody is 99 on an old
/// one. Those are not worth a clash.
const EVERYWHERE: [&[u8]; 2] = [b"root", b"nobody"];

/// Two lines give one name to different numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    pub name: Vec<u8>,
    /// The numbers as written: `1000:1000` of a user, `1000` of a group.
    pub have: Vec<u8>,
    pub want: Vec<u8>,
}

/// Adds to `theirs` the lines of `ours` whose names it lacks.
pub fn by_name(theirs: &[u8], ours: &[u8]) -> Result<Vec<u8>, Clash> {
    let mut known: BTreeMap<&[u8], &[u8]> = BTreeMap::new();
    for (name, line) in named_lines(theirs) {
        // A second line of the same name is never read.
        known.entry(name).or_insert(line);
    }
    let mut merged = theirs.to_vec();
    for (name, line) in named_lines(ours) {
        match known.entry(name) {
            Entry::Occupied(_) if EVERYWHERE.contains(&name) => {}
            Entry::Occupied(there) => agree(name, there.get(), line)?,
            Entry::Vacant(free) => {
                free.insert(line);
                if merged.last().is_some_and(|&b| b != b'\n') {
                    merged.push(b'\n');
                }
                merged.extend_from_slice(line);
                merged.push(b'\n');
            }
        }
    }
    Ok(merged)
}

/// Lines with a name, without their ends. Comments and empty lines have none.
fn named_lines(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.split(|&b| b == b'\n').filter_map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // As glibc: blanks in front of a name are no part of it.
        let start = line.trim_ascii_start();
        let colon = start.iter().position(|&b| b == b':')?;
        (colon > 0 && !start.starts_with(b"#")).then(|| (&start[..colon], line))
    })
}

fn agree(name: &[u8], have: &[u8], want: &[u8]) -> Result<(), Clash> {
    // As many numbers as the wanted line has: theirs may be cut short.
    let count = if want.iter().filter(|&&b| b == b':').count() > 3 { 2 } else { 1 };
    let numbers = |line| numbers(line, count);
    if numbers(have).map(value).eq(numbers(want).map(value)) {
        return Ok(());
    }
    let show = |line| numbers(line).collect::<Vec<_>>().join(&b':');
    Err(Clash { name: name.to_vec(), have: show(have), want: show(want) })
}

fn numbers(line: &[u8], count: usize) -> impl Iterator<Item = &[u8]> {
    line.split(|&b| b == b':').skip(2).take(count)
}

/// `010` is 10. What is no number is itself.
fn value(field: &[u8]) -> Result<u32, &[u8]> {
    std::str::from_utf8(field).ok().and_then(|text| text.parse().ok()).ok_or(field)
}

impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, have) = (self.name.escape_ascii(), self.have.escape_ascii());
        write!(f, "`{name}` is {have} there and {} here", self.want.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "root:x:0:0:root:/root:/bin/sh";
    const APP: &str = "app:x:1000:1000:app:/home/app:/sbin/nologin";

    fn merge(theirs: &str, ours: &str) -> String {
        match by_name(theirs.as_bytes(), ours.as_bytes()) {
            Ok(merged) => String::from_utf8(merged).unwrap(),
            Err(clash) => format!("clash: {clash}"),
        }
    }

    #[test]
    fn what_is_there_stays() {
        let app = format!("{APP}\n");
        for (theirs, ours, expected) in [
            ("", "", String::new()),
            ("", &app[..], app.clone()),
            (ROOT, &app, format!("{ROOT}\n{APP}\n")),
            ("root:x:0:0::/:\n", &format!("{ROOT}\n{APP}\n"), format!("root:x:0:0::/:\n{APP}\n")),
            ("# app:x:1:1:\n\nrubbish\n", &app, format!("# app:x:1:1:\n\nrubbish\n{APP}\n")),
            ("root:x:0:0:root:/root:/bin/sh\r\n", &app, format!("{ROOT}\r\n{APP}\n")),
            ("+::::::\n", &app, format!("+::::::\n{APP}\n")),
            (" app:x:1000:1000:::\n", &app, " app:x:1000:1000:::\n".into()),
            ("app:x:01000:1000:::", &app, "app:x:01000:1000:::".into()),
            ("app:x:1000:1000:::\napp:x:2:2:::\n", &app, "app:x:1000:1000:::\napp:x:2:2:::\n".into()),
            ("app:x:1001:1000:::\n", &app, "clash: `app` is 1001:1000 there and 1000:1000 here".into()),
            ("app:x:1000\n", &app, "clash: `app` is 1000 there and 1000:1000 here".into()),
            ("app:x\n", &app, "clash: `app` is  there and 1000:1000 here".into()),
            ("nobody:x:99:99:::\n", "nobody:x:65534:65534:::\n", "nobody:x:99:99:::\n".into()),
            ("www:x:33:a,b\r\n", "www:x:33:\n", "www:x:33:a,b\r\n".into()),
            ("www:x:33:a\n", "www:x:34:\n", "clash: `www` is 33 there and 34 here".into()),
        ] {
            assert_eq!(merge(theirs, ours), expected, "{theirs:?} and {ours:?}");
        }
    }

    #[test]
    fn runs_into_one_tree_may_come_in_any_order_and_again() {
        let parts = [format!("{ROOT}\n"), format!("{ROOT}\n{APP}\n"), "web:x:33:33::/:\n".to_owned()];
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let all = parts.iter().fold(String::new(), |merged, part| merge(&merged, part));
        assert_eq!(sorted(&all).len(), 3);
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let merged = order.iter().fold(String::new(), |merged, &n| merge(&merged, &parts[n]));
            assert_eq!(sorted(&merged), sorted(&all), "{order:?}");
            for part in &parts {
                assert_eq!(merge(&merged, part), merged, "{order:?} again");
            }
        }
    }
}
