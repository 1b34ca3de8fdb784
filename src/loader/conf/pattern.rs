//! `glob(3)` on one component of a path, as ldconfig calls it: no flags, so a
//! backslash quotes and a dot at the start is matched only by a dot.

/// Whether a component has to be compared with a directory's names. What has
/// a backslash only counts, too: the name is written without it.
pub fn is_pattern(component: &[u8]) -> bool {
    component.iter().copied().any(is_special)
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'*' | b'?' | b'[' | b'\\')
}

/// Whether `name` fits. Neither holds a slash.
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && !matches!(pattern, [b'.', ..] | [b'\\', b'.', ..]) {
        return false;
    }
    // Most names are none from the start on.
    let same = pattern.iter().zip(name).take_while(|(p, n)| p == n && !is_special(**p)).count();
    let (mut p, mut n) = (same, same);
    // Behind the last star, and how much of the name it has swallowed so far:
    // an earlier star need never take more.
    let mut star: Option<(usize, usize)> = None;
    loop {
        if p < pattern.len() && pattern[p] == b'*' {
            p += 1;
            star = Some((p, n));
            continue;
        }
        let step = name.get(n).and_then(|&byte| one(&pattern[p..], byte));
        match (step, star) {
            (Some(used), _) => (p, n) = (p + used, n + 1),
            (None, _) if p == pattern.len() && n == name.len() => return true,
            (None, Some((behind, swallowed))) if swallowed < name.len() => {
                star = Some((behind, swallowed + 1));
                (p, n) = (behind, swallowed + 1);
            }
            (None, _) => return false,
        }
    }
}

/// How many bytes of the pattern match `byte`, if they do.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match *pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', ref set @ ..] => match bracket(set, byte) {
            Some((inside, used)) => inside.then_some(used + 1),
            // Without an end it is an ordinary character.
            None => (byte == b'[').then_some(1),
        },
        [b'\\', quoted, ..] => (quoted == byte).then_some(2),
        // A backslash at the end matches nothing.
        [b'\\'] => None,
        [plain, ..] => (plain == byte).then_some(1),
    }
}

/// What stands behind `[`: whether `byte` is in the set, and the length of the
/// set with its `]`. `None` if it does not end.
fn bracket(set: &[u8], byte: u8) -> Option<(bool, usize)> {
    let negated = matches!(set, [b'!' | b'^', ..]);
    let start = usize::from(negated);
    let (mut at, mut found) = (start, false);
    loop {
        match *set.get(at..)? {
            [] => return None,
            [b']', ..] if at > start => return Some((found != negated, at + 1)),
            [b'[', b':', ref rest @ ..] if class(rest).is_some() => {
                let (is_in, len) = class(rest)?;
                found |= is_in(&byte);
                at += 2 + len;
            }
            _ => {
                let (low, used) = member(&set[at..])?;
                at += used;
                let (high, used) = match set.get(at..)? {
                    [b'-', next, ..] if *next != b']' => member(&set[at + 1..]).map(|(m, n)| (m, n + 1))?,
                    _ => (low, 0),
                };
                at += used;
                found |= (low..=high).contains(&byte);
            }
        }
    }
}

/// One character of a set, and how it is spelled.
fn member(set: &[u8]) -> Option<(u8, usize)> {
    match *set {
        [] => None,
        [b'\\', quoted, ..] => Some((quoted, 2)),
        [plain, ..] => Some((plain, 1)),
    }
}

type InClass = fn(&u8) -> bool;

/// `alpha:]` and so on, with its length.
fn class(text: &[u8]) -> Option<(InClass, usize)> {
    let classes: [(&[u8], InClass); 8] = [
        (b"alnum:]", u8::is_ascii_alphanumeric),
        (b"alpha:]", u8::is_ascii_alphabetic),
        (b"digit:]", u8::is_ascii_digit),
        (b"lower:]", u8::is_ascii_lowercase),
        (b"upper:]", u8::is_ascii_uppercase),
        (b"punct:]", u8::is_ascii_punctuation),
        (b"xdigit:]", u8::is_ascii_hexdigit),
        (b"space:]", |b| super::is_space(*b)),
    ];
    classes.into_iter().find(|(name, _)| text.starts_with(name)).map(|(name, is_in)| (is_in, name.len()))
}
