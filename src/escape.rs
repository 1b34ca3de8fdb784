//! Names from files, made fit to be shown: a name may hold newlines, escape
//! sequences for the terminal, and no UTF-8.

use std::fmt::Write;

/// Appends `bytes` as text. Control characters and what is no UTF-8 become
/// `\n`, `\t`, `\xNN`; a backslash stays, since file names rarely mean one.
pub fn escape(out: &mut String, bytes: &[u8]) {
    if let Some(text) = plain_ascii(bytes) {
        return out.push_str(text);
    }
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                c if is_unprintable(c) => out.extend(c.escape_unicode()),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
}

/// Nearly every name there is.
fn plain_ascii(bytes: &[u8]) -> Option<&str> {
    let is_plain = bytes.iter().fold(true, |plain, b| plain & matches!(b, b' '..=b'~'));
    if is_plain { std::str::from_utf8(bytes).ok() } else { None }
}

/// Control characters, and those that turn the direction of text.
fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Nothing needs escaping.
pub fn is_plain(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| !text.chars().any(is_unprintable))
}

pub fn escaped(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    escape(&mut out, bytes);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_move_the_cursor_is_spelled_out() {
        let rows: [(&[u8], &str); 6] = [
            (b"/usr/lib/libz.so.1", "/usr/lib/libz.so.1"),
            ("/opt/größe".as_bytes(), "/opt/größe"),
            (b"a\nb\tc", "a\\nb\\tc"),
            (b"\x1b[31mred", "\\u{1b}[31mred"),
            (b"bad\xff\xfe", "bad\\xff\\xfe"),
            ("a\u{202e}b".as_bytes(), "a\\u{202e}b"),
        ];
        for (bytes, expected) in rows {
            assert_eq!(escaped(bytes), expected);
            assert_eq!(is_plain(bytes), escaped(bytes).as_bytes() == bytes);
        }
    }
}
