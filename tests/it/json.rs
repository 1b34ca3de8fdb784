//! JSON as its readers see it (RFC 8259): a second opinion on what `--format json` writes.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Value>),
    Object(BTreeMap<String, Value>),
}

/// The one value of a text, or where it stops being JSON.
pub fn parse(text: &str) -> Result<Value, String> {
    let mut reader = Reader { rest: text.chars().peekable(), read: 0 };
    let value = reader.value()?;
    reader.blanks();
    match reader.next() {
        None => Ok(value),
        Some(c) => Err(reader.wrong(&format!("`{c}` behind the value"))),
    }
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    read: usize,
}

impl Value {
    pub fn get(&self, key: &str) -> Option<&Value> {
        if let Value::Object(fields) = self { fields.get(key) } else { None }
    }

    pub fn list(&self, key: &str) -> &[Value] {
        if let Some(Value::List(items)) = self.get(key) { items } else { &[] }
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        if let Some(Value::Text(text)) = self.get(key) { Some(text) } else { None }
    }
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        self.read += 1;
        self.rest.next()
    }

    fn wrong(&self, what: &str) -> String {
        format!("{what}, at character {}", self.read)
    }

    fn blanks(&mut self) {
        while self.rest.next_if(|c| matches!(c, ' ' | '\n' | '\r' | '\t')).is_some() {
            self.read += 1;
        }
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        self.blanks();
        match self.next() {
            Some(c) if c == wanted => Ok(()),
            other => Err(self.wrong(&format!("{other:?} in place of `{wanted}`"))),
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        self.blanks();
        match self.rest.peek() {
            Some('{') => self.object(),
            Some('[') => self.items('[', ']', Reader::value).map(Value::List),
            Some('"') => self.string().map(Value::Text),
            Some('-' | '0'..='9') => self.number(),
            _ => self.word(),
        }
    }

    fn object(&mut self) -> Result<Value, String> {
        let fields = self.items('{', '}', |reader| {
            reader.blanks();
            let key = reader.string()?;
            reader.expect(':')?;
            Ok((key, reader.value()?))
        })?;
        let count = fields.len();
        let fields: BTreeMap<String, Value> = fields.into_iter().collect();
        if fields.len() == count { Ok(Value::Object(fields)) } else { Err(self.wrong("a key stands twice")) }
    }

    fn items<T>(
        &mut self,
        open: char,
        close: char,
        item: impl Fn(&mut Self) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        let mut items = Vec::new();
        self.expect(open)?;
        self.blanks();
        if self.rest.peek() == Some(&close) {
            self.next();
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            self.blanks();
            match self.next() {
                Some(',') => {}
                Some(c) if c == close => return Ok(items),
                other => return Err(self.wrong(&format!("{other:?} in a list"))),
            }
        }
    }

    fn string(&mut self) -> Result<String, String> {
        self.expect('"')?;
        let mut text = String::new();
        loop {
            match self.next() {
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escaped()?),
                Some(c) if c >= ' ' => text.push(c),
                other => return Err(self.wrong(&format!("{other:?} in a string"))),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, String> {
        match self.next() {
            Some(c @ ('"' | '\\' | '/')) => Ok(c),
            Some('n') => Ok('\n'),
            Some('t') => Ok('\t'),
            Some('u') => {
                let digits: String = (0..4).filter_map(|_| self.next()).collect();
                let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                code.ok_or_else(|| self.wrong(&format!("\\u{digits}")))
            }
            other => Err(self.wrong(&format!("\\{other:?}"))),
        }
    }

    fn number(&mut self) -> Result<Value, String> {
        let mut digits = String::new();
        while let Some(c) = self.rest.next_if(|c| c.is_ascii_digit() || "+-.eE".contains(*c)) {
            self.read += 1;
            digits.push(c);
        }
        digits.parse().map(Value::Number).map_err(|_| self.wrong(&digits))
    }

    fn word(&mut self) -> Result<Value, String> {
        let mut word = String::new();
        while let Some(c) = self.rest.next_if(char::is_ascii_alphabetic) {
            self.read += 1;
            word.push(c);
        }
        match word.as_str() {
            "null" => Ok(Value::Null),
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(self.wrong("no value")),
        }
    }
}

#[test]
fn it_takes_json_and_nothing_else() {
    let value = parse(" {\"a\": [1, -2.5e1, true, null], \"b\":{\"c\":\"x\\u0009\\\"\"}, \"d\": []}\n")
        .expect("JSON");
    assert_eq!(value.list("a").len(), 4);
    assert_eq!(value.get("b").and_then(|b| b.text("c")), Some("x\t\""));
    for wrong in ["", "{}{}", "{\"a\":1,}", "[1 2]", "{\"a\":1,\"a\":2}", "\"\n\"", "nul", "[1"] {
        assert!(parse(wrong).is_err(), "{wrong:?}");
    }
}
