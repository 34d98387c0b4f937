//! Answers as JSON, byte for byte as Go's encoder writes them.

use super::answer::{Encoder, Epoch, Part};
use crate::dialect::json::JsonWriter;
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

    fn time(&mut self, time: i64) {
        match self.epoch {
            Epoch::Rfc3339 => self.json.with(|out| {
                out.push(b'"');
                write_rfc3339(time, self.zone.as_ref().map_or(0, |zone| zone.offset(time)), out);
                out.push(b'"');
            }),
            Epoch::Unit(unit) => self.json.with(|out| number::write_i64(time / unit, out)),
        }
    }

    fn value(&mut self, value: Option<Value<'_>>) {
        match value {
            None => self.json.null(),
            Some(Value::Float(value)) => {
                if value.is_infinite() {
                    self.unprintable = Some(if value > 0.0 { "+Inf" } else { "-Inf" });
                }
                self.json.with(|out| number::write_json_float(value, out));
            }
            Some(Value::Integer(value)) => self.json.with(|out| number::write_i64(value, out)),
            Some(Value::Unsigned(value)) => self.json.with(|out| number::write_u64(value, out)),
            Some(Value::Boolean(value)) => self.json.bool(value),
            Some(Value::String(value)) => self.json.string(value),
        }
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
        self.json.begin_array();
        if let Some(times) = &part.times {
            self.time(times[row]);
        }
        for value in part.row(row) {
            self.value(value);
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
