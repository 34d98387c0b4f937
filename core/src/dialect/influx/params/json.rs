//! JSON as far as bind parameters need it, with the errors of Go's decoder.

use std::fmt;

/// A JSON value as far as parameters need it: what is inside an array is checked and dropped.
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    /// Its text, which is well-formed.
    Number(&'a str),
    String(String),
    Array,
    /// Without earlier entries of an equal name.
    Object(Vec<(String, Self)>),
}

impl<'a> Json<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, JsonError> {
        let mut reader = JsonReader { text, at: 0, depth: 0 };
        reader.skip_blanks();
        if reader.at == text.len() {
            return Err(JsonError::Empty);
        }
        reader.value()
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Array => "array",
            Self::Object(_) => "object",
        }
    }
}

/// What is wrong with a JSON text, in the words of Go's decoder.
pub(super) enum JsonError {
    Empty,
    Cut,
    Deep,
    /// A byte that cannot stand there, and where that is.
    Unexpected(u8, &'static str),
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("EOF"),
            Self::Cut => f.write_str("unexpected EOF"),
            Self::Deep => f.write_str("exceeded max depth"),
            Self::Unexpected(byte, place) => {
                f.write_str("invalid character '")?;
                match byte {
                    b'\'' => f.write_str("\\'")?,
                    b'\\' => f.write_str("\\\\")?,
                    0x07 => f.write_str("\\a")?,
                    0x08 => f.write_str("\\b")?,
                    b'\t' => f.write_str("\\t")?,
                    b'\n' => f.write_str("\\n")?,
                    0x0b => f.write_str("\\v")?,
                    0x0c => f.write_str("\\f")?,
                    b'\r' => f.write_str("\\r")?,
                    0..0x20 | 0x7f => write!(f, "\\x{byte:02x}")?,
                    // Go takes the byte for a code point.
                    0x80..=0xa0 | 0xad => write!(f, "\\u{:04x}", u32::from(*byte))?,
                    &byte => fmt::Write::write_char(f, char::from(byte))?,
                }
                f.write_str("' ")?;
                f.write_str(place)
            }
        }
    }
}

struct JsonReader<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
}

/// How deep arrays and objects may nest.
const MAX_DEPTH: u32 = 100;

impl<'a> JsonReader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Result<u8, JsonError> {
        let byte = self.peek().ok_or(JsonError::Cut)?;
        self.at += 1;
        Ok(byte)
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// The next byte that is not blank.
    fn next_solid(&mut self) -> Result<u8, JsonError> {
        self.skip_blanks();
        self.next()
    }

    fn value(&mut self) -> Result<Json<'a>, JsonError> {
        self.skip_blanks();
        let start = self.at;
        match self.next()? {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => self.string().map(Json::String),
            b't' => self.word("true").map(|()| Json::Bool(true)),
            b'f' => self.word("false").map(|()| Json::Bool(false)),
            b'n' => self.word("null").map(|()| Json::Null),
            first @ (b'-' | b'0'..=b'9') => {
                self.number(first)?;
                Ok(Json::Number(self.text.get(start..self.at).unwrap_or("")))
            }
            byte => Err(JsonError::Unexpected(byte, "looking for beginning of value")),
        }
    }

    fn enter(&mut self) -> Result<(), JsonError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(JsonError::Deep) } else { Ok(()) }
    }

    fn object(&mut self) -> Result<Json<'a>, JsonError> {
        self.enter()?;
        let mut entries: Vec<(String, Json<'a>)> = Vec::new();
        let mut byte = self.next_solid()?;
        let mut first = true;
        while !(first && byte == b'}') {
            first = false;
            if byte != b'"' {
                return Err(JsonError::Unexpected(byte, "looking for beginning of object key string"));
            }
            let name = self.string()?;
            match self.next_solid()? {
                b':' => {}
                byte => return Err(JsonError::Unexpected(byte, "after object key")),
            }
            let value = self.value()?;
            match entries.iter_mut().find(|(known, _)| *known == name) {
                Some(entry) => entry.1 = value,
                None => entries.push((name, value)),
            }
            match self.next_solid()? {
                b',' => byte = self.next_solid()?,
                b'}' => break,
                byte => return Err(JsonError::Unexpected(byte, "after object key:value pair")),
            }
        }
        self.depth -= 1;
        Ok(Json::Object(entries))
    }

    fn array(&mut self) -> Result<Json<'a>, JsonError> {
        self.enter()?;
        self.skip_blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                self.value()?;
                match self.next_solid()? {
                    b',' => {}
                    b']' => break,
                    byte => return Err(JsonError::Unexpected(byte, "after array element")),
                }
            }
        }
        self.depth -= 1;
        Ok(Json::Array)
    }

    /// The rest of `word`, whose first letter was read.
    fn word(&mut self, word: &'static str) -> Result<(), JsonError> {
        for (at, expected) in word.bytes().enumerate().skip(1) {
            let byte = self.next()?;
            if byte != expected {
                return Err(JsonError::Unexpected(byte, wrong_letter(word, at)));
            }
        }
        Ok(())
    }

    fn number(&mut self, mut byte: u8) -> Result<(), JsonError> {
        if byte == b'-' {
            byte = self.next()?;
            if !byte.is_ascii_digit() {
                return Err(JsonError::Unexpected(byte, "in numeric literal"));
            }
        }
        if byte != b'0' {
            self.skip_digits();
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits("in exponent of numeric literal")?;
        }
        Ok(())
    }

    fn some_digits(&mut self, place: &'static str) -> Result<(), JsonError> {
        let byte = self.next()?;
        if !byte.is_ascii_digit() {
            return Err(JsonError::Unexpected(byte, place));
        }
        self.skip_digits();
        Ok(())
    }

    fn skip_digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    /// The string whose opening quote was read. Half a surrogate pair is U+FFFD.
    fn string(&mut self) -> Result<String, JsonError> {
        let mut out = String::new();
        let mut plain = self.at;
        loop {
            let byte = self.next()?;
            match byte {
                b'"' | b'\\' => {
                    out.push_str(self.text.get(plain..self.at - 1).unwrap_or(""));
                    if byte == b'"' {
                        return Ok(out);
                    }
                    out.push(self.escape()?);
                    plain = self.at;
                }
                0..0x20 => return Err(JsonError::Unexpected(byte, "in string literal")),
                _ => {}
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        Ok(match self.next()? {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            byte @ (b'"' | b'\\' | b'/') => char::from(byte),
            b'u' => {
                let unit = self.hex()?;
                if let Some(ch) = char::from_u32(unit) {
                    return Ok(ch);
                }
                // Perhaps the first half of a pair.
                let after = self.at;
                if unit < 0xdc00 && self.text.get(after..after + 2) == Some("\\u") {
                    self.at += 2;
                    let low = self.hex()?;
                    if (0xdc00..0xe000).contains(&low) {
                        let code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                        return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    self.at = after;
                }
                char::REPLACEMENT_CHARACTER
            }
            byte => return Err(JsonError::Unexpected(byte, "in string escape code")),
        })
    }

    fn hex(&mut self) -> Result<u32, JsonError> {
        let mut unit = 0;
        for _ in 0..4 {
            let byte = self.next()?;
            let Some(digit) = char::from(byte).to_digit(16) else {
                return Err(JsonError::Unexpected(byte, "in \\u hexadecimal character escape"));
            };
            unit = unit << 4 | digit;
        }
        Ok(unit)
    }
}

/// The place of a wrong letter in `true`, `false` or `null`.
fn wrong_letter(word: &'static str, at: usize) -> &'static str {
    match (word, at) {
        ("true", 1) => "in literal true (expecting 'r')",
        ("true", 2) => "in literal true (expecting 'u')",
        ("true", _) => "in literal true (expecting 'e')",
        ("false", 1) => "in literal false (expecting 'a')",
        ("false", 2) => "in literal false (expecting 'l')",
        ("false", 3) => "in literal false (expecting 's')",
        ("false", _) => "in literal false (expecting 'e')",
        (_, 1) => "in literal null (expecting 'u')",
        (_, _) => "in literal null (expecting 'l')",
    }
}
