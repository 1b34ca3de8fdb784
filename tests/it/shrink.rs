//! Makes a failing world small: lines, then attributes of a line, are left out
//! as long as it still fails.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};

/// The smallest text found for which `fails` holds, as it does for `text`.
pub fn shrink(text: &str, fails: &dyn Fn(&str) -> bool) -> String {
    // Without a line another one may make no sense: then reading it panics.
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let still_fails = |text: &str| catch_unwind(AssertUnwindSafe(|| fails(text))).unwrap_or(false);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..4 {
        let before = lines.concat().len();
        drop_parts(&mut lines, "\n", &still_fails);
        for at in 0..lines.len() {
            let (head, tail) = lines[at].split_once(": ").unwrap_or((&lines[at], ""));
            let head = format!("{head}: ");
            let mut parts: Vec<String> = tail.split("; ").map(str::to_owned).collect();
            let with = |parts: &str| {
                let mut all = lines.clone();
                all[at] = format!("{head}{parts}");
                still_fails(&all.join("\n"))
            };
            if !tail.is_empty() && head.starts_with('/') {
                drop_parts(&mut parts, "; ", &with);
                lines[at] = head.clone() + &parts.join("; ");
            }
        }
        if lines.concat().len() == before {
            break;
        }
    }
    set_hook(hook);
    lines.join("\n") + "\n"
}

fn drop_parts(parts: &mut Vec<String>, between: &str, still_fails: &dyn Fn(&str) -> bool) {
    let mut at = 0;
    while at < parts.len() {
        let part = parts.remove(at);
        if !still_fails(&parts.join(between)) {
            parts.insert(at, part);
            at += 1;
        }
    }
}
