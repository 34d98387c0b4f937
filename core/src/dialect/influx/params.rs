//! Bind parameters: the JSON object of `params=`, each entry one token of InfluxQL.
//!
//! The JSON is read here and not by a library because InfluxDB's answers show its decoder's words, and because a
//! number's text matters: with a point it is a float, without an integer. As there, what follows the first value is
//! ignored and the last of equal names counts.

use std::fmt;

use thiserror::Error;

use super::ast::{write_duration, write_plain_float};

/// The parameters of a request, by name.
#[derive(Clone, Debug, Default)]
pub struct Params {
    entries: Vec<(String, Param)>,
}

/// What `$name` stands for: a token with its text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Param {
    Ident(String),
    String(String),
    Regex(String),
    Number(String),
    Integer(String),
    Duration(String),
    Boolean(bool),
    /// The wrong kind of value, with the reason; an error only if it is used.
    Unusable(String),
}

/// Why `params` cannot be read; `Display` is InfluxDB's whole text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ParamsError(String);

impl Params {
    /// Reads the JSON object (or `null`) of a request.
    ///
    /// # Errors
    /// The JSON is broken or no object, or a number fits neither an integer nor a float.
    pub fn from_json(text: &str) -> Result<Self, ParamsError> {
        let unreadable =
            |why: &dyn fmt::Display| ParamsError(["error parsing query parameters: ", &why.to_string()].concat());
        let entries = match Json::read(text).map_err(|why| unreadable(&why))? {
            Json::Null => Vec::new(),
            Json::Object(entries) => entries,
            other => {
                let text = "json: cannot unmarshal ";
                let why = [text, other.kind(), " into Go value of type map[string]interface {}"].concat();
                return Err(unreadable(&why));
            }
        };
        let mut params = Self::default();
        for (name, value) in entries {
            if let Json::Number(text) = value {
                let param = number(text).map_err(|why| ParamsError(["error parsing json value: ", &why].concat()))?;
                params.entries.push((name, param));
            } else {
                params.entries.push((name, bind(value)));
            }
        }
        Ok(params)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Param> {
        self.entries.iter().find(|(known, _)| known == name && !name.is_empty()).map(|(_, param)| param)
    }
}

/// What a value that is no number stands for.
fn bind(value: Json<'_>) -> Param {
    match value {
        Json::String(text) => Param::String(text),
        Json::Bool(value) => Param::Boolean(value),
        Json::Object(entries) => match <[(String, Json<'_>); 1]>::try_from(entries) {
            Ok([(kind, value)]) => bind_as(&kind, value),
            Err(_) => unusable("bound object parameter value must have exactly one entry"),
        },
        Json::Null => unusable("unable to bind parameter with type <nil>"),
        Json::Array => unusable("unable to bind parameter with type []interface {}"),
        Json::Number(text) => number(text).unwrap_or_else(Param::Unusable),
    }
}

/// What `{kind: value}` stands for.
fn bind_as(kind: &str, value: Json<'_>) -> Param {
    let value = match value {
        Json::Number(text) => match number(text) {
            Ok(param) => Ok(param),
            Err(why) => return Param::Unusable(why),
        },
        other => Err(other),
    };
    match (kind, value) {
        ("ident" | "identifier", Err(Json::String(text))) => Param::Ident(text),
        ("ident" | "identifier", _) => unusable("identifier must be a string value"),
        ("regex", Err(Json::String(text))) => Param::Regex(text),
        ("regex", _) => unusable("regex literal must be a string value"),
        ("string", Err(Json::String(text))) => Param::String(text),
        ("string", _) => unusable("string literal must be a string value"),
        ("float" | "number", Ok(Param::Number(text))) => Param::Number(text),
        ("float" | "number", Ok(Param::Integer(text))) => match text.parse() {
            Ok(value) => Param::Number(plain(value)),
            Err(_) => unusable("number literal must be a float value"),
        },
        ("float" | "number", _) => unusable("number literal must be a float value"),
        ("int" | "integer", Ok(param @ Param::Integer(_))) => param,
        ("int" | "integer", _) => unusable("integer literal must be an integer value"),
        ("duration", Err(Json::String(text))) => Param::Duration(text),
        ("duration", Ok(Param::Integer(text))) => {
            let mut out = String::new();
            write_duration(text.parse().unwrap_or(0), &mut out);
            Param::Duration(out)
        }
        ("duration", _) => unusable("duration literal must be a string or integer value"),
        (kind, _) => Param::Unusable(["unknown bind object type: ", kind].concat()),
    }
}

fn unusable(why: &str) -> Param {
    Param::Unusable(why.to_owned())
}

/// A number with a point is a float, any other an integer.
fn number(text: &str) -> Result<Param, String> {
    let fails = |function, why| ["strconv.", function, ": parsing \"", text, "\": ", why].concat();
    if text.contains('.') {
        return match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Param::Number(plain(value))),
            _ => Err(fails("ParseFloat", "value out of range")),
        };
    }
    match text.parse::<i64>() {
        Ok(value) => Ok(Param::Integer(value.to_string())),
        Err(_) if text.contains(['e', 'E']) => Err(fails("ParseInt", "invalid syntax")),
        Err(_) => Err(fails("ParseInt", "value out of range")),
    }
}

/// Decimal digits without exponent.
fn plain(value: f64) -> String {
    let mut out = String::new();
    write_plain_float(value, &mut out);
    out
}

/// A JSON value as far as parameters need it: what is inside an array is checked and dropped.
enum Json<'a> {
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
    fn read(text: &'a str) -> Result<Self, JsonError> {
        let mut reader = JsonReader { text, at: 0, depth: 0 };
        reader.skip_blanks();
        if reader.at == text.len() {
            return Err(JsonError::Empty);
        }
        reader.value()
    }

    fn kind(&self) -> &'static str {
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
enum JsonError {
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
