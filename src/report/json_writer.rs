//! JSON, written as it goes: objects keep the order of their fields, and a
//! report on ten thousand programs is never held in memory as a value.

use super::escape::{escape, is_plain};

/// Appends one value; commas and nesting are kept by the calls.
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) text: String,
    needs_comma: bool,
}

impl Writer {
    pub(super) fn object(&mut self, fields: impl FnOnce(&mut Writer)) {
        self.nested('{', '}', fields);
    }

    pub(super) fn array<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Writer, T),
    ) {
        self.nested('[', ']', |w| items.into_iter().for_each(|item| each(w, item)));
    }

    fn nested(&mut self, open: char, close: char, inner: impl FnOnce(&mut Writer)) {
        self.comma();
        self.text.push(open);
        self.needs_comma = false;
        inner(self);
        self.text.push(close);
        self.needs_comma = true;
    }

    pub(super) fn key(&mut self, key: &str) -> &mut Writer {
        self.comma();
        self.string(key);
        self.text.push(':');
        self.needs_comma = false;
        self
    }

    pub(super) fn str(&mut self, value: &str) {
        self.comma();
        self.string(value);
        self.needs_comma = true;
    }

    pub(super) fn number(&mut self, value: u64) {
        self.comma();
        self.text.push_str(&value.to_string());
        self.needs_comma = true;
    }

    /// A name from a file. One that cannot be shown as it is is escaped, and its
    /// bytes follow in a field of their own.
    pub(super) fn name(&mut self, key: &str, bytes: &[u8]) {
        let mut text = String::new();
        escape(&mut text, bytes);
        self.key(key).str(&text);
        if !is_plain(bytes) {
            self.key(&format!("{key}_bytes")).array(bytes, |w, byte| w.number(u64::from(*byte)));
        }
    }

    fn comma(&mut self) {
        if self.needs_comma {
            self.text.push(',');
        }
        self.needs_comma = false;
    }

    fn string(&mut self, value: &str) {
        self.text.push('"');
        for c in value.chars() {
            match c {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                c if c.is_control() => self.text.push_str(&format!("\\u{:04x}", c as u32)),
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_no_text_are_given_as_bytes_too() {
        let mut w = Writer::default();
        w.object(|w| {
            w.name("path", b"/a \"b\"\\");
            w.name("odd", b"x\xff");
            w.key("list").array([1, 2], |w, n| w.number(n));
            w.key("none").array(std::iter::empty::<u64>(), |w, n| w.number(n));
        });
        assert_eq!(
            w.text,
            r#"{"path":"/a \"b\"\\","odd":"x\\xff","odd_bytes":[120,255],"list":[1,2],"none":[]}"#
        );
    }
}
