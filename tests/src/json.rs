//! JSON with its numbers as they are written: two answers are compared digit for digit where it matters.

use std::fmt::{self, Write as _};

/// A JSON value. Of two equal names in an object the later one counts; the order of names is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Null,
    Bool(bool),
    /// The text of the number.
    Number(String),
    Text(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
}

impl Value {
    /// Reads one document and nothing after it.
    pub fn parse(text: &str) -> Result<Self, String> {
        match Self::parse_all(text)?.as_mut_slice() {
            [one] => Ok(std::mem::replace(one, Self::Null)),
            several => Err(format!("{} documents where one was expected", several.len())),
        }
    }

    /// Reads documents one after another until the text ends, as a chunked answer of InfluxDB has them.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, String> {
        let mut parser = Parser { text, at: 0 };
        let mut documents = Vec::new();
        loop {
            parser.skip_space();
            if parser.at == text.len() {
                return Ok(documents);
            }
            documents.push(parser.value(0)?);
        }
    }

    pub fn number(number: impl ToString) -> Self {
        Self::Number(number.to_string())
    }

    /// The member of an object.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    pub fn as_object(&self) -> Option<&[(String, Self)]> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(yes) => Some(*yes),
            _ => None,
        }
    }

    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => number.parse().ok(),
            _ => None,
        }
    }

    /// The first 160 characters or so of the text, for messages.
    pub fn brief(&self) -> String {
        brief(&self.to_string(), 160)
    }
}

/// `text`, cut after `most` characters.
pub fn brief(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Compact text.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(yes) => write!(f, "{yes}"),
            Self::Number(number) => f.write_str(number),
            Self::Text(text) => write_text(text, f),
            Self::List(items) => {
                f.write_char('[')?;
                for (at, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if at == 0 { "" } else { "," })?;
                }
                f.write_char(']')
            }
            Self::Object(members) => {
                f.write_char('{')?;
                for (at, (name, value)) in members.iter().enumerate() {
                    f.write_str(if at == 0 { "" } else { "," })?;
                    write_text(name, f)?;
                    write!(f, ":{value}")?;
                }
                f.write_char('}')
            }
        }
    }
}

fn write_text(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c < ' ' => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

/// Deep enough for any answer, shallow enough for any stack.
const MAX_DEPTH: usize = 200;

impl Parser<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return self.fail("too deep");
        }
        self.skip_space();
        for (word, value) in [("null", Value::Null), ("true", Value::Bool(true)), ("false", Value::Bool(false))] {
            if self.take(word) {
                return Ok(value);
            }
        }
        match self.peek() {
            Some(b'"') => self.string().map(Value::Text),
            Some(b'[') => self.list(depth),
            Some(b'{') => self.object(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.fail("no value"),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, String> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.skip_space();
            if self.take("]") {
                return Ok(Value::List(items));
            }
            if !items.is_empty() && !self.take(",") {
                return self.fail("no `,` or `]`");
            }
            items.push(self.value(depth + 1)?);
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, String> {
        self.at += 1;
        let mut members: Vec<(String, Value)> = Vec::new();
        loop {
            self.skip_space();
            if self.take("}") {
                return Ok(Value::Object(members));
            }
            if !members.is_empty() && !self.take(",") {
                return self.fail("no `,` or `}`");
            }
            self.skip_space();
            if self.peek() != Some(b'"') {
                return self.fail("no name");
            }
            let name = self.string()?;
            self.skip_space();
            if !self.take(":") {
                return self.fail("no `:`");
            }
            let value = self.value(depth + 1)?;
            match members.iter_mut().find(|(key, _)| *key == name) {
                Some(member) => member.1 = value,
                None => members.push((name, value)),
            }
        }
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        self.take("-");
        if !self.take("0") && self.digits() == 0 {
            return self.fail("no digit");
        }
        if self.take(".") && self.digits() == 0 {
            return self.fail("no digit");
        }
        if self.take("e") || self.take("E") {
            let _ = self.take("+") || self.take("-");
            if self.digits() == 0 {
                return self.fail("no digit");
            }
        }
        Ok(Value::Number(self.text[start..self.at].to_owned()))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    fn string(&mut self) -> Result<String, String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let Some(c) = self.text[self.at..].chars().next() else { return self.fail("no closing quote") };
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(out),
                '\\' => out.push(self.escape()?),
                c if c < ' ' => return self.fail("a control character"),
                c => out.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let Some(byte) = self.peek() else { return self.fail("no escape") };
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                let high = self.hex()?;
                let code = if (0xd800..0xdc00).contains(&high) && self.take("\\u") {
                    let low = self.hex()?;
                    0x1_0000 + ((high - 0xd800) << 10) + low.wrapping_sub(0xdc00)
                } else {
                    high
                };
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return self.fail("an unknown escape"),
        })
    }

    fn hex(&mut self) -> Result<u32, String> {
        let digits = self.text.get(self.at..self.at + 4).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at += 4;
        digits.map_or_else(|| self.fail("no four hex digits"), Ok)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, word: &str) -> bool {
        let there = self.text.as_bytes()[self.at.min(self.text.len())..].starts_with(word.as_bytes());
        if there {
            self.at += word.len();
        }
        there
    }

    fn fail<T>(&self, why: &str) -> Result<T, String> {
        Err(format!("JSON: {why} at byte {}", self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_text_and_documents_follow_each_other() {
        let documents = Value::parse_all("{\"a\":[1.50,-0,1e+9]}\n {\"b\":\"\\u00b5\\ud83d\\ude00\\n\"}").unwrap();
        assert_eq!(documents[0].to_string(), "{\"a\":[1.50,-0,1e+9]}");
        assert_eq!(documents[1].get("b"), Some(&Value::Text("µ😀\n".to_owned())));
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in ["{", "[1,]", "[1 2]", "{\"a\" 1}", "01", "1.", "-", "nul", "\"\n\"", "\"\\q\"", "[\"a]", "{,}"] {
            assert!(Value::parse(text).is_err(), "{text}");
        }
        assert!(Value::parse(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn the_later_of_two_equal_names_counts() {
        assert_eq!(Value::parse("{\"a\":1,\"b\":2,\"a\":3}").unwrap().to_string(), "{\"a\":3,\"b\":2}");
    }
}
