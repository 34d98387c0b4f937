//! JSON values as they come in: integers keep all digits, members their order, and a document is bounded in depth.

use crate::dialect::json::write_string;
use crate::number::{Decimal, write_i64, write_json_float};
use crate::sorted::SortedMap;

/// Arrays and objects inside each other, at most.
const MAX_DEPTH: usize = 128;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Json {
    #[default]
    Null,
    Bool(bool),
    /// A number without point and exponent that fits.
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Self>),
    /// In the order sent. Of equal names the last counts.
    Object(Vec<(String, Self)>),
}

/// The text is no JSON document, or too deep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotJson;

impl Json {
    /// One document and nothing behind it.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, NotJson> {
        let mut parser = Parser { text, at: 0 };
        let value = parser.value(0)?;
        parser.skip_blanks();
        if parser.at == text.len() { Ok(value) } else { Err(NotJson) }
    }

    /// A member that is there and not null.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        let found = members.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value);
        found.filter(|value| **value != Self::Null)
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Float(value) if value.trunc() == *value && value.abs() < 9e15 => Some(*value as i64),
            _ => None,
        }
    }

    pub(crate) fn float(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// The elements; none when it is no list.
    pub(crate) fn list(&self) -> &[Self] {
        match self {
            Self::List(elements) => elements,
            _ => &[],
        }
    }

    /// The members; none when it is no object.
    pub(crate) fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    /// The text of a member, empty when there is none.
    pub(crate) fn text_of(&self, name: &str) -> &str {
        self.get(name).and_then(Self::text).unwrap_or_default()
    }

    /// An integer member; also when it is sent as text.
    pub(crate) fn int_of(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Self::Text(text) => text.trim().parse().ok(),
            value => value.int().or_else(|| value.float().map(|value| value as i64)),
        }
    }

    /// Sets a member, in the place it has or else behind the others. A value that is no object becomes one.
    pub(crate) fn set(&mut self, name: &str, value: Self) {
        if !matches!(self, Self::Object(_)) {
            *self = Self::Object(Vec::new());
        }
        let Self::Object(members) = self else { return };
        match members.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => members.push((name.to_owned(), value)),
        }
    }

    /// Changes this value as an RFC 7396 merge patch says: objects member by member, null takes away.
    pub(crate) fn merge(&mut self, patch: &Self) {
        let Self::Object(changes) = patch else {
            *self = patch.clone();
            return;
        };
        for (name, change) in changes {
            if *change == Self::Null {
                if let Self::Object(members) = self {
                    members.retain(|(key, _)| key != name);
                }
                continue;
            }
            let mut value = self.get(name).cloned().unwrap_or_default();
            value.merge(change);
            self.set(name, value);
        }
        if !matches!(self, Self::Object(_)) {
            *self = Self::Object(Vec::new());
        }
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Self::Int(value) => write_i64(*value, out),
            Self::Float(value) => write_json_float(*value, out),
            Self::Text(text) => write_string(text, out),
            Self::List(elements) => {
                out.push(b'[');
                for (at, element) in elements.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    element.write(out);
                }
                out.push(b']');
            }
            Self::Object(members) => {
                out.push(b'{');
                for (at, (name, value)) in members.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    write_string(name, out);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Json {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

/// An object of these members.
pub(crate) fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    Json::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn skip_blanks(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// The next byte that is no blank, taken if it is this one.
    fn take(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        let there = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(there);
        there
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, NotJson> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(NotJson);
        }
        self.at += word.len();
        Ok(value)
    }

    fn value(&mut self, depth: usize) -> Result<Json, NotJson> {
        if depth > MAX_DEPTH {
            return Err(NotJson);
        }
        self.skip_blanks();
        match self.text.get(self.at).ok_or(NotJson)? {
            b'{' => self.object(depth),
            b'[' => self.list(depth),
            b'"' => self.string().map(Json::Text),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'n' => self.word("null", Json::Null),
            _ => self.number(),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, NotJson> {
        self.at += 1;
        let mut elements = Vec::new();
        if self.take(b']') {
            return Ok(Json::List(elements));
        }
        loop {
            elements.push(self.value(depth + 1)?);
            if self.take(b']') {
                return Ok(Json::List(elements));
            }
            if !self.take(b',') {
                return Err(NotJson);
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, NotJson> {
        self.at += 1;
        let mut members = Vec::new();
        if self.take(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_blanks();
            let name = self.string()?;
            if !self.take(b':') {
                return Err(NotJson);
            }
            members.push((name, self.value(depth + 1)?));
            if self.take(b'}') {
                return Ok(Json::Object(last_of_each(members)));
            }
            if !self.take(b',') {
                return Err(NotJson);
            }
        }
    }

    fn number(&mut self) -> Result<Json, NotJson> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let number = Decimal::scan(rest).ok_or(NotJson)?;
        let text = rest.get(..number.text_len()).ok_or(NotJson)?;
        let digits = text.strip_prefix(b"-").unwrap_or(text);
        let zero_first = matches!(digits, [b'0', next, ..] if next.is_ascii_digit());
        let bare_point = digits.first() == Some(&b'.') || {
            let whole = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
            digits.get(whole) == Some(&b'.') && !digits.get(whole + 1).is_some_and(u8::is_ascii_digit)
        };
        if zero_first || bare_point {
            return Err(NotJson);
        }
        self.at += number.text_len();
        match number.to_i64(rest) {
            // The one whole number that an integer cannot say.
            Some(0) if text.starts_with(b"-") => Ok(Json::Float(-0.0)),
            Some(value) => Ok(Json::Int(value)),
            None => number.to_f64(rest).map(Json::Float).ok_or(NotJson),
        }
    }

    fn string(&mut self) -> Result<String, NotJson> {
        if self.text.get(self.at) != Some(&b'"') {
            return Err(NotJson);
        }
        self.at += 1;
        let mut out = Vec::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).ok_or(NotJson)?;
            out.extend_from_slice(&rest[..plain]);
            self.at += plain + 1;
            match rest[plain] {
                b'"' => break,
                b'\\' => self.escape(&mut out)?,
                _ => return Err(NotJson),
            }
        }
        Ok(String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// What follows a backslash.
    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), NotJson> {
        let letter = *self.text.get(self.at).ok_or(NotJson)?;
        self.at += 1;
        out.push(match letter {
            b'"' | b'\\' | b'/' => letter,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let mut code = self.hex()?;
                if (0xd800..0xdc00).contains(&code)
                    && self.text.get(self.at..).is_some_and(|rest| rest.starts_with(b"\\u"))
                {
                    let before = self.at;
                    self.at += 2;
                    match self.hex()? {
                        low @ 0xdc00..0xe000 => code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00),
                        _ => self.at = before,
                    }
                }
                let char = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err(NotJson),
        });
        Ok(())
    }

    fn hex(&mut self) -> Result<u32, NotJson> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(NotJson)?;
        self.at += 4;
        let mut code = 0;
        for digit in digits {
            code = code << 4 | char::from(*digit).to_digit(16).ok_or(NotJson)?;
        }
        Ok(code)
    }
}

/// Drops all but the last of members with one name.
fn last_of_each(members: Vec<(String, Json)>) -> Vec<(String, Json)> {
    let mut last = SortedMap::new();
    let mut repeated = false;
    for (at, (name, _)) in members.iter().enumerate() {
        repeated |= last.insert(name.clone(), at).is_some();
    }
    if !repeated {
        return members;
    }
    let mut kept = Vec::new();
    for (at, (name, value)) in members.into_iter().enumerate() {
        if last.get(&name) == Some(&at) {
            kept.push((name, value));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let written = Json::parse(text.as_bytes()).map(|value| String::from_utf8(value.to_bytes()).unwrap());
        assert_eq!(written.as_deref().unwrap_or("none"), expected, "{text}");
    }

    #[test]
    fn documents_come_back() {
        check(
            " {\"a\" : [1, -2.5e0 ,true,null, \"x\\u00e9\\ud83d\\ude00\\n\"] , \"b\":{}} ",
            "{\"a\":[1,-2.5,true,null,\"xé😀\\n\"],\"b\":{}}",
        );
        check("9223372036854775807", "9223372036854775807");
        check("0.1", "0.1");
        check("-0", "-0");
        check("{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2,\"a\":3}");
        for broken in [
            "",
            "{",
            "[1,]",
            "{\"a\"}",
            "01",
            "1.",
            ".5",
            "\"\\x\"",
            "\"a",
            "nul",
            "1 2",
            "{\"a\":1,}",
            "\"\u{1}\"",
            "1e999",
        ] {
            check(broken, "none");
        }
        check(&format!("{}{}", "[".repeat(200), "]".repeat(200)), "none");
    }

    #[test]
    fn a_cut_document_is_refused() {
        let text = b"{\"a\":[1,{\"b\":\"\\u00e9\"},false],\"c\":-1.5e3}";
        (0..text.len()).for_each(|end| assert!(Json::parse(&text[..end]).is_err()));
    }

    #[test]
    fn a_merge_patch_changes_what_it_names() {
        let mut value = Json::parse(b"{\"a\":{\"b\":1,\"c\":2},\"d\":3}").unwrap();
        value.merge(&Json::parse(b"{\"a\":{\"b\":null,\"e\":[1]},\"d\":null,\"f\":{\"g\":null}}").unwrap());
        assert_eq!(value, Json::parse(b"{\"a\":{\"c\":2,\"e\":[1]},\"f\":{}}").unwrap());
    }
}
