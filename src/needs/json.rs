//! As much of JSON as a note in a file holds: values, read without trust.

/// Deeper than any note is.
const MAX_DEPTH: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Numbers and words: nobody asks for them.
    Other,
    Text(Vec<u8>),
    List(Vec<Value>),
    Object(Vec<(Vec<u8>, Value)>),
}

impl Value {
    pub(super) fn list(&self) -> &[Value] {
        match self {
            Value::List(list) => list,
            Value::Other | Value::Text(_) | Value::Object(_) => &[],
        }
    }

    pub(super) fn text(&self) -> Option<&[u8]> {
        match self {
            Value::Text(text) => Some(text),
            Value::Other | Value::List(_) | Value::Object(_) => None,
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Object(fields) => fields.iter().find(|(name, _)| name == key.as_bytes()).map(|(_, v)| v),
            Value::Other | Value::Text(_) | Value::List(_) => None,
        }
    }
}

/// `Err` is where it is no JSON any more.
pub(super) fn parse(text: &[u8]) -> Result<Value, usize> {
    let mut reader = Reader { rest: text };
    let value = reader.value(0);
    match (value, reader.peek()) {
        (Some(value), None) => Ok(value),
        (Some(_) | None, _) => Err(text.len() - reader.rest.len()),
    }
}

struct Reader<'t> {
    rest: &'t [u8],
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Option<Value> {
        match self.peek()? {
            _ if depth > MAX_DEPTH => None,
            b'"' => self.string().map(Value::Text),
            b'[' => self.items(b']', |reader| reader.value(depth + 1)).map(Value::List),
            b'{' => self.items(b'}', |reader| reader.field(depth + 1)).map(Value::Object),
            _ => self.word(),
        }
    }

    fn field(&mut self, depth: usize) -> Option<(Vec<u8>, Value)> {
        self.peek().filter(|first| *first == b'"')?;
        let name = self.string()?;
        self.take(b':')?;
        Some((name, self.value(depth)?))
    }

    fn items<T>(&mut self, close: u8, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.rest = &self.rest[1..];
        let mut items = Vec::new();
        if self.take(close).is_some() {
            return Some(items);
        }
        loop {
            items.push(item(self)?);
            if self.take(close).is_some() {
                return Some(items);
            }
            self.take(b',')?;
        }
    }

    /// Escapes stand for bytes; one by number is kept if it is ASCII.
    fn string(&mut self) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        let mut rest = &self.rest[1..];
        loop {
            match *rest {
                [b'"', ref after @ ..] => {
                    self.rest = after;
                    return Some(text);
                }
                [b'\\', b'u', a, b, c, d, ref after @ ..] => {
                    let digits = [a, b, c, d];
                    let number = u32::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?;
                    text.push(u8::try_from(number).ok().filter(u8::is_ascii).unwrap_or(b'?'));
                    rest = after;
                }
                [b'\\', b'u', ..] => return None,
                [b'\\', escaped, ref after @ ..] => {
                    text.push(match escaped {
                        b'n' => b'\n',
                        b't' => b'\t',
                        b'r' => b'\r',
                        b'b' => 8,
                        b'f' => 12,
                        b'"' | b'\\' | b'/' => escaped,
                        _ => return None,
                    });
                    rest = after;
                }
                [byte, ref after @ ..] if byte >= b' ' => {
                    text.push(byte);
                    rest = after;
                }
                _ => return None,
            }
        }
    }

    fn word(&mut self) -> Option<Value> {
        let is_part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.');
        let len = self.rest.iter().position(|b| !is_part(b)).unwrap_or(self.rest.len());
        self.rest = &self.rest[len..];
        (len > 0).then_some(Value::Other)
    }

    fn peek(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_ascii_start();
        self.rest.first().copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.rest = &self.rest[1..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read() {
        let note = br#" [{"feature" : "zstd","priority":"recommended","n":-1.5e3,"x":null,
            "soname":["libzstd.so.1", "lib\"\u0041\u20ac\/"]}, {}] "#;
        let value = parse(note).expect("it is JSON");
        let first = &value.list()[0];
        let sonames: Vec<_> = first.get("soname").unwrap().list().iter().filter_map(Value::text).collect();
        assert_eq!(sonames, [&b"libzstd.so.1"[..], b"lib\"A?/"]);
        assert_eq!(first.get("priority").and_then(Value::text), Some(&b"recommended"[..]));
        assert_eq!((first.get("n"), first.get("none")), (Some(&Value::Other), None));
        assert_eq!(parse(b"[]"), Ok(Value::List(Vec::new())));
    }

    #[test]
    fn what_is_no_json_is_none() {
        let deep = [b'['; 5000];
        for text in [
            &b""[..],
            b"[",
            b"[1",
            b"[1,]",
            b"{\"a\"}",
            b"{\"a\":}",
            b"{a:1}",
            b"\"",
            b"\"\\u12\"",
            b"\"\\",
            b"\"\\x\"",
            b"\"\n\"",
            b"[] []",
            b"\x00",
            &deep,
        ] {
            assert!(parse(text).is_err(), "{}", text.escape_ascii());
        }
        // Cut at any byte it is none, and nothing worse.
        let whole = br#"[{"soname":["a\u0041"],"b":{"c":[1]}}]"#;
        assert!((0..whole.len()).all(|end| parse(&whole[..end]).is_err()));
        for (text, at) in [("[1, x y]", 6), ("{\n \"a\": }", 8), ("", 0), (" [] 1", 4)] {
            assert_eq!(parse(text.as_bytes()), Err(at), "{text}");
        }
    }
}
