//! JSON written piece by piece, so that an answer never sits in memory whole. Texts are escaped and layout is made as
//! Go's `encoding/json` makes them, which is what three of the four APIs are known by.

/// Writes one document after another into a buffer that the caller drains with [`take`](Self::take) when it likes.
///
/// Commas, indentation and the blank after a key are the writer's; the caller opens, names, fills and closes.
#[derive(Debug, Default)]
pub struct JsonWriter {
    out: Vec<u8>,
    /// Four blanks a level, one element a line.
    pretty: bool,
    depth: usize,
    /// The next value is the first of its object or array.
    first: bool,
    /// A key was written: its value follows on the same line.
    keyed: bool,
}

impl JsonWriter {
    pub fn new(pretty: bool) -> Self {
        Self { pretty, ..Self::default() }
    }

    pub const fn is_pretty(&self) -> bool {
        self.pretty
    }

    pub fn len(&self) -> usize {
        self.out.len()
    }

    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// What was written since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Forgets what was not taken and every open bracket.
    pub fn reset(&mut self) {
        *self = Self::new(self.pretty);
    }

    pub fn begin_object(&mut self) {
        self.begin(b'{');
    }

    pub fn end_object(&mut self) {
        self.end(b'}');
    }

    pub fn begin_array(&mut self) {
        self.begin(b'[');
    }

    pub fn end_array(&mut self) {
        self.end(b']');
    }

    pub fn key(&mut self, key: &str) {
        self.separate();
        write_string(key, &mut self.out);
        self.out.push(b':');
        if self.pretty {
            self.out.push(b' ');
        }
        self.keyed = true;
    }

    pub fn string(&mut self, text: &str) {
        self.separate();
        write_string(text, &mut self.out);
    }

    pub fn bool(&mut self, value: bool) {
        self.raw(if value { "true" } else { "false" });
    }

    pub fn null(&mut self) {
        self.raw("null");
    }

    /// A value that is JSON already.
    pub fn raw(&mut self, json: &str) {
        self.separate();
        self.out.extend_from_slice(json.as_bytes());
    }

    /// A value that `write` appends.
    pub fn with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.separate();
        write(&mut self.out);
    }

    /// After a document.
    pub fn line_feed(&mut self) {
        self.out.push(b'\n');
    }

    fn begin(&mut self, bracket: u8) {
        self.separate();
        self.out.push(bracket);
        self.depth += 1;
        self.first = true;
    }

    fn end(&mut self, bracket: u8) {
        self.depth -= 1;
        if !self.first {
            self.indent();
        }
        self.first = false;
        self.out.push(bracket);
    }

    fn separate(&mut self) {
        if std::mem::take(&mut self.keyed) || self.depth == 0 {
            return;
        }
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.indent();
    }

    fn indent(&mut self) {
        if self.pretty {
            self.out.push(b'\n');
            self.out.extend(std::iter::repeat_n(b' ', 4 * self.depth));
        }
    }
}

/// Appends a text in quotes: `"`, `\`, control characters, `<`, `>`, `&` and U+2028/2029 escaped, all else as it is.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut plain = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let escape: Option<&[u8]> = match byte {
            b'"' => Some(b"\\\""),
            b'\\' => Some(b"\\\\"),
            b'\n' => Some(b"\\n"),
            b'\r' => Some(b"\\r"),
            b'\t' => Some(b"\\t"),
            0xe2 if bytes[at..].starts_with(b"\xe2\x80\xa8") => Some(b"\\u2028"),
            0xe2 if bytes[at..].starts_with(b"\xe2\x80\xa9") => Some(b"\\u2029"),
            ..0x20 | b'<' | b'>' | b'&' => None,
            _ => continue,
        };
        out.extend_from_slice(&bytes[plain..at]);
        plain = at + 1;
        match escape {
            Some(escape) => {
                out.extend_from_slice(escape);
                plain += if *byte == 0xe2 { 2 } else { 0 };
            }
            None => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[plain..]);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(pretty: bool) -> String {
        let mut json = JsonWriter::new(pretty);
        json.begin_object();
        json.key("a");
        json.begin_array();
        json.raw("1");
        json.string("x");
        json.begin_array();
        json.end_array();
        json.end_array();
        json.key("b");
        json.null();
        json.end_object();
        json.line_feed();
        String::from_utf8(json.take()).unwrap()
    }

    #[test]
    fn layout_is_gos() {
        assert_eq!(sample(false), "{\"a\":[1,\"x\",[]],\"b\":null}\n");
        assert_eq!(
            sample(true),
            "{\n    \"a\": [\n        1,\n        \"x\",\n        []\n    ],\n    \"b\": null\n}\n"
        );
    }

    #[test]
    fn texts_are_escaped_as_go_escapes_them() {
        let mut out = Vec::new();
        write_string("q\"\\ \n\r\t\u{1}\u{1f}<>& é \u{2028}x\u{2029} \u{7f}â", &mut out);
        let expected = r#""q\"\\ \n\r\t\u0001\u001f\u003c\u003e\u0026 é \u2028x\u2029 "#.to_owned() + "\u{7f}â\"";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
