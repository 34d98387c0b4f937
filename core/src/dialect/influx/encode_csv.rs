//! Answers as CSV. Columns `name`, `tags`, then those of the series; a header whenever a statement begins or the
//! columns change, after an empty line. Errors of statements and messages have no place in it.

use super::answer::{Encoder, Epoch, Part};
use crate::number;
use crate::value::Value;
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Csv {
    out: Vec<u8>,
    unit: i64,
    statement: usize,
    /// Statement and columns of the last header.
    header: Option<(usize, Arc<[String]>)>,
    /// `name,tags,` of the series, ready to print.
    prefix: Vec<u8>,
}

impl Csv {
    pub(super) fn new(epoch: Epoch) -> Self {
        let unit = match epoch {
            Epoch::Rfc3339 => 1,
            Epoch::Unit(unit) => unit,
        };
        Self { out: Vec::new(), unit, statement: 0, header: None, prefix: Vec::new() }
    }
}

impl Encoder for Csv {
    fn begin_document(&mut self) {}

    fn begin_result(&mut self, statement: usize, _messages: &[String]) {
        self.statement = statement;
    }

    fn begin_series(&mut self, part: &Part) {
        if self
            .header
            .as_ref()
            .is_none_or(|(statement, columns)| *statement != self.statement || **columns != *part.columns)
        {
            if self.header.is_some() {
                self.out.push(b'\n');
            }
            self.out.extend_from_slice(b"name,tags");
            for column in &*part.columns {
                self.out.push(b',');
                write_cell(column, &mut self.out);
            }
            self.out.push(b'\n');
            self.header = Some((self.statement, Arc::clone(&part.columns)));
        }
        self.prefix.clear();
        write_cell(&part.name, &mut self.prefix);
        self.prefix.push(b',');
        write_cell(&tags_text(&part.tags), &mut self.prefix);
    }

    fn row(&mut self, part: &Part, row: usize) {
        self.out.extend_from_slice(&self.prefix);
        if let Some(times) = &part.times {
            self.out.push(b',');
            number::write_i64(times[row] / self.unit, &mut self.out);
        }
        for value in part.row(row) {
            self.out.push(b',');
            match value {
                None => {}
                Some(Value::Float(value)) => number::write_plain_float(value, &mut self.out),
                Some(Value::Integer(value)) => number::write_i64(value, &mut self.out),
                Some(Value::Unsigned(value)) => number::write_u64(value, &mut self.out),
                Some(Value::Boolean(value)) => self.out.extend_from_slice(if value { b"true" } else { b"false" }),
                Some(Value::String(value)) => write_cell(value, &mut self.out),
            }
        }
        if let Some(list) = part.lists.as_ref().and_then(|lists| lists.get(row)) {
            self.out.push(b',');
            write_cell(&list.join(","), &mut self.out);
        }
        self.out.push(b'\n');
    }

    fn end_series(&mut self, _partial: bool) {}

    fn end_result(&mut self, _partial: bool, _error: Option<&str>) {}

    fn end_document(&mut self) {}

    fn error_document(&mut self, text: &str) {
        self.out.extend_from_slice(b"error\n");
        write_cell(text, &mut self.out);
        self.out.push(b'\n');
    }

    fn len(&self) -> usize {
        self.out.len()
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    fn discard(&mut self) {
        self.out.clear();
    }
}

/// `k=v,k2=v2`, commas, blanks and equals signs escaped; tags without a value are left out.
fn tags_text(tags: &[(String, String)]) -> String {
    let mut text = String::new();
    for (key, value) in tags.iter().filter(|(_, value)| !value.is_empty()) {
        if !text.is_empty() {
            text.push(',');
        }
        for (part, end) in [(key, "="), (value, "")] {
            for char in part.chars() {
                if matches!(char, ',' | ' ' | '=') {
                    text.push('\\');
                }
                text.push(char);
            }
            text.push_str(end);
        }
    }
    text
}

/// A cell, quoted where Go's `encoding/csv` quotes: a comma, quote or line break inside, a blank in front, or `\.`.
fn write_cell(text: &str, out: &mut Vec<u8>) {
    let quoted =
        text == "\\." || text.contains([',', '"', '\r', '\n']) || text.chars().next().is_some_and(char::is_whitespace);
    if !quoted {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    for byte in text.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_and_tags_are_escaped() {
        let cell = |text: &str| {
            let mut out = Vec::new();
            write_cell(text, &mut out);
            String::from_utf8(out).unwrap()
        };
        let cells = ["", "a b", " a", "a,b", "say \"x\"", "\\."].map(cell);
        assert_eq!(cells, ["", "a b", "\" a\"", "\"a,b\"", "\"say \"\"x\"\"\"", "\"\\.\""]);
        let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(tags_text(&[tag("a", "1,2"), tag("b", ""), tag("c d", "=")]), "a=1\\,2,c\\ d=\\=");
    }
}
