//! Answers as JSON, byte for byte as Go's encoder writes them.

use super::answer::{Encoder, Epoch, Part};
use crate::dialect::json::{JsonWriter, write_string};
use crate::number;
use crate::time::{Zone, write_rfc3339};
use crate::value::Value;
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Json {
    json: JsonWriter,
    epoch: Epoch,
    messages: Vec<String>,
    /// The document has a result.
    results: bool,
    /// The result has a series.
    series: bool,
    /// The series has a row.
    values: bool,
    unprintable: Option<&'static str>,
    zone: Option<Arc<Zone>>,
}

impl Json {
    pub(super) fn new(epoch: Epoch, pretty: bool) -> Self {
        Self {
            json: JsonWriter::new(pretty),
            epoch,
            messages: Vec::new(),
            results: false,
            series: false,
            values: false,
            unprintable: None,
            zone: None,
        }
    }

    /// A row without what a reader needs to find it beautiful: nearly all of an answer is rows.
    fn dense_row(&mut self, part: &Part, row: usize) {
        let Self { json, epoch, zone, unprintable, .. } = self;
        json.with(|out| {
            out.push(b'[');
            if let Some(times) = &part.times {
                write_time(times[row], *epoch, zone.as_deref(), out);
                out.push(b',');
            }
            for value in part.row(row) {
                write_value(value, unprintable, out);
                out.push(b',');
            }
            if let Some(list) = part.lists.as_ref().and_then(|lists| lists.get(row)) {
                out.push(b'[');
                for text in list {
                    write_string(text, out);
                    out.push(b',');
                }
                close(out);
                out.push(b',');
            }
            close(out);
        });
    }
}

/// Closes an array after whose every value stands a comma.
fn close(out: &mut Vec<u8>) {
    if out.last() == Some(&b',') {
        out.pop();
    }
    out.push(b']');
}

fn write_time(time: i64, epoch: Epoch, zone: Option<&Zone>, out: &mut Vec<u8>) {
    match epoch {
        Epoch::Rfc3339 => {
            out.push(b'"');
            write_rfc3339(time, zone.map_or(0, |zone| zone.offset(time)), out);
            out.push(b'"');
        }
        Epoch::Unit(unit) => number::write_i64(time / unit, out),
    }
}

fn write_value(value: Option<Value<'_>>, unprintable: &mut Option<&'static str>, out: &mut Vec<u8>) {
    match value {
        None => out.extend_from_slice(b"null"),
        Some(Value::Float(value)) => {
            if value.is_infinite() {
                *unprintable = Some(if value > 0.0 { "+Inf" } else { "-Inf" });
            }
            number::write_json_float(value, out);
        }
        Some(Value::Integer(value)) => number::write_i64(value, out),
        Some(Value::Unsigned(value)) => number::write_u64(value, out),
        Some(Value::Boolean(value)) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Some(Value::String(value)) => write_string(value, out),
    }
}

impl Encoder for Json {
    fn begin_document(&mut self) {
        self.json.begin_object();
        self.results = false;
    }

    fn begin_result(&mut self, statement: usize, messages: &[String]) {
        if !std::mem::replace(&mut self.results, true) {
            self.json.key("results");
            self.json.begin_array();
        }
        self.json.begin_object();
        self.json.key("statement_id");
        self.json.with(|out| number::write_u64(statement as u64, out));
        self.messages = messages.to_vec();
        self.series = false;
    }

    fn begin_series(&mut self, part: &Part) {
        if !std::mem::replace(&mut self.series, true) {
            self.json.key("series");
            self.json.begin_array();
        }
        self.json.begin_object();
        if !part.name.is_empty() {
            self.json.key("name");
            self.json.string(&part.name);
        }
        if !part.tags.is_empty() {
            self.json.key("tags");
            self.json.begin_object();
            for (key, value) in &part.tags {
                self.json.key(key);
                self.json.string(value);
            }
            self.json.end_object();
        }
        self.json.key("columns");
        self.json.begin_array();
        for column in &*part.columns {
            self.json.string(column);
        }
        self.json.end_array();
        self.values = false;
    }

    fn row(&mut self, part: &Part, row: usize) {
        if !std::mem::replace(&mut self.values, true) {
            self.json.key("values");
            self.json.begin_array();
        }
        if !self.json.is_pretty() {
            return self.dense_row(part, row);
        }
        self.json.begin_array();
        let Self { json, epoch, zone, unprintable, .. } = self;
        if let Some(times) = &part.times {
            json.with(|out| write_time(times[row], *epoch, zone.as_deref(), out));
        }
        for value in part.row(row) {
            json.with(|out| write_value(value, unprintable, out));
        }
        if let Some(list) = part.lists.as_ref().and_then(|lists| lists.get(row)) {
            self.json.begin_array();
            list.iter().for_each(|text| self.json.string(text));
            self.json.end_array();
        }
        self.json.end_array();
    }

    fn end_series(&mut self, partial: bool) {
        if self.values {
            self.json.end_array();
        }
        if partial {
            self.json.key("partial");
            self.json.bool(true);
        }
        self.json.end_object();
    }

    fn end_result(&mut self, partial: bool, error: Option<&str>) {
        if self.series {
            self.json.end_array();
        }
        if !self.messages.is_empty() {
            self.json.key("messages");
            self.json.begin_array();
            for text in std::mem::take(&mut self.messages) {
                self.json.begin_object();
                self.json.key("level");
                self.json.string("warning");
                self.json.key("text");
                self.json.string(&text);
                self.json.end_object();
            }
            self.json.end_array();
        }
        if partial {
            self.json.key("partial");
            self.json.bool(true);
        }
        if let Some(error) = error {
            self.json.key("error");
            self.json.string(error);
        }
        self.json.end_object();
    }

    fn end_document(&mut self) {
        if self.results {
            self.json.end_array();
        }
        self.json.end_object();
        self.json.line_feed();
    }

    fn error_document(&mut self, text: &str) {
        self.json.begin_object();
        self.json.key("error");
        self.json.string(text);
        self.json.end_object();
        self.json.line_feed();
    }

    fn len(&self) -> usize {
        self.json.len()
    }

    fn take(&mut self) -> Vec<u8> {
        self.json.take()
    }

    fn discard(&mut self) {
        self.json.reset();
        self.unprintable = None;
    }

    fn in_zone(&mut self, zone: Option<Arc<Zone>>) {
        self.zone = zone;
    }

    fn unprintable(&self) -> Option<&'static str> {
        self.unprintable
    }
}
