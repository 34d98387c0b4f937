//! The answer's JSON, made piece by piece:
//!
//! ```text
//! {"start": "…", "end": "…",
//!  "series": [{"points": [[seconds, number | null], …] | null, "summary": {…}, "name": "…", "options": {…} | null}, …],
//!  "options": {"title": "…", …}}
//! ```

use super::compile::{Outline, Output};
use super::graph::Object;
use super::request::Window;
use super::summary::Summary;
use crate::dialect::json::JsonWriter;
use crate::model::Frame;
use crate::model::column::Values;
use crate::number::{write_i64, write_json_float, write_plain_float};
use crate::time::NANOS_PER_SEC;
use serde_json::Value;

/// Bytes of an answer that leave together.
const CHUNK_BYTES: usize = 64 << 10;
/// Points written in one go.
const PAGE: usize = 1024;

/// All of an answer, gathered frame by frame, then written chunk by chunk.
#[derive(Debug)]
pub(super) struct Answer {
    window: Window,
    series: Vec<Series>,
    percentiles: Vec<f64>,
    options: Object,
    json: JsonWriter,
    next: Next,
}

#[derive(Debug)]
struct Series {
    head: Output,
    /// Unix seconds.
    times: Vec<i64>,
    /// NaN is `null`.
    values: Vec<f64>,
}

/// What is written next.
#[derive(Clone, Copy, Debug)]
enum Next {
    Opening,
    Points { series: usize, row: usize },
    Nothing,
}

impl Answer {
    pub(super) fn new(outline: Outline) -> Self {
        let Outline { outputs, window, percentiles, options, .. } = outline;
        let series = outputs.into_iter().map(|head| Series { head, times: Vec::new(), values: Vec::new() }).collect();
        Self { window, series, percentiles, options, json: JsonWriter::new(false), next: Next::Opening }
    }

    /// Takes the rows of an output; gives how many points it has now if they are raw.
    pub(super) fn take(&mut self, frame: Frame) -> Option<usize> {
        let series = self.series.get_mut(frame.input).filter(|series| series.head.shown)?;
        let raw = !series.head.bucketed;
        // Buckets are labelled with the nearest second, halves up; points with the one they are in.
        let half = if raw { 0 } else { NANOS_PER_SEC / 2 };
        let to_seconds = |time: &i64| (i128::from(*time) + i128::from(half)).div_euclid(NANOS_PER_SEC.into()) as i64;
        series.times.extend(frame.times.iter().map(to_seconds));
        if let Some(column) = frame.columns.first().map(|column| &column.column)
            && let Values::Float(values) = &column.values
        {
            let value = |(row, value): (usize, &f64)| if column.is_present(row) { *value } else { f64::NAN };
            series.values.extend(values.iter().enumerate().map(value));
        }
        series.values.resize(series.times.len(), f64::NAN);
        raw.then_some(series.times.len())
    }

    /// The name of each series that is shown, its times in Unix seconds, and its values, NaN where there is none.
    pub(super) fn into_series(self) -> impl Iterator<Item = (String, Vec<i64>, Vec<f64>)> {
        let shown = self.series.into_iter().filter(|series| series.head.shown);
        shown.map(|series| (series.head.name, series.times, series.values))
    }

    /// The next bytes of the answer; `None` after the last.
    pub(super) fn next_chunk(&mut self) -> Option<Vec<u8>> {
        while self.json.len() < CHUNK_BYTES && self.write_next() {}
        Some(self.json.take()).filter(|bytes| !bytes.is_empty())
    }

    /// False when all is written.
    fn write_next(&mut self) -> bool {
        match self.next {
            Next::Opening => {
                self.json.begin_object();
                self.json.key("start");
                self.json.string(&self.window.start.to_text());
                self.json.key("end");
                self.json.string(&self.window.end.to_text());
                self.json.key("series");
                self.json.begin_array();
                self.series.retain(|series| series.head.shown);
                self.next = Next::Points { series: 0, row: 0 };
            }
            Next::Points { series, row } => match self.series.get_mut(series) {
                Some(at) => {
                    self.next = match at.write_points(row, &mut self.json) {
                        Some(row) => Next::Points { series, row },
                        None => {
                            at.write_rest(&self.percentiles, &mut self.json);
                            Next::Points { series: series + 1, row: 0 }
                        }
                    };
                }
                None => {
                    self.json.end_array();
                    self.json.key("options");
                    write_object(&self.options, &mut self.json);
                    self.json.end_object();
                    self.json.line_feed();
                    self.next = Next::Nothing;
                }
            },
            Next::Nothing => return false,
        }
        true
    }
}

impl Series {
    /// Writes points from a row on; gives where to go on, `None` after the last.
    fn write_points(&self, row: usize, json: &mut JsonWriter) -> Option<usize> {
        if row == 0 {
            json.begin_object();
            json.key("points");
            if self.times.is_empty() && !self.head.bucketed {
                json.null();
                return None;
            }
            json.begin_array();
        }
        let end = self.times.len().min(row + PAGE);
        for (time, value) in self.times[row..end].iter().zip(&self.values[row..end]) {
            json.with(|out| {
                out.push(b'[');
                write_i64(*time, out);
                out.push(b',');
                write_number(*value, out);
                out.push(b']');
            });
        }
        if end < self.times.len() {
            return Some(end);
        }
        json.end_array();
        None
    }

    /// Writes what follows the points and gives their memory back.
    fn write_rest(&mut self, percentiles: &[f64], json: &mut JsonWriter) {
        self.times = Vec::new();
        let summary = Summary::of(&std::mem::take(&mut self.values), percentiles);
        json.key("summary");
        json.begin_object();
        let fixed = [("min", summary.min), ("max", summary.max), ("avg", summary.avg), ("last", summary.last)];
        for (key, value) in fixed {
            json.key(key);
            json.with(|out| write_number(value, out));
        }
        for (percentile, value) in percentiles.iter().zip(&summary.percentiles) {
            let mut key = Vec::new();
            write_plain_float(*percentile, &mut key);
            key.extend(b"th");
            json.key(&key.into_iter().map(char::from).collect::<String>());
            json.with(|out| write_number(*value, out));
        }
        json.end_object();
        json.key("name");
        json.string(&self.head.name);
        json.key("options");
        match &self.head.options {
            Some(options) => write_object(options, json),
            None => json.null(),
        }
        json.end_object();
    }
}

/// What is no number, or infinite, is `null`; what is lost beside 1 is 0: Facette draws e^v = 1 so.
fn write_number(value: f64, out: &mut Vec<u8>) {
    write_json_float(if 1.0 + value == 1.0 { 0.0 } else { value }, out);
}

pub(super) fn write_object(object: &Object, json: &mut JsonWriter) {
    json.begin_object();
    for (key, value) in object {
        json.key(key);
        write_value(value, json);
    }
    json.end_object();
}

/// JSON as it came. Its depth was limited by the parser.
pub(super) fn write_value(value: &Value, json: &mut JsonWriter) {
    match value {
        Value::Null => json.null(),
        Value::Bool(value) => json.bool(*value),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => json.with(|out| write_json_float(float, out)),
            _ => json.raw(&number.to_string()),
        },
        Value::String(text) => json.string(text),
        Value::Array(values) => {
            json.begin_array();
            values.iter().for_each(|value| write_value(value, json));
            json.end_array();
        }
        Value::Object(object) => write_object(object, json),
    }
}
