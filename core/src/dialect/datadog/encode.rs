//! The answer of `GET /api/v1/query`, written series by series.

use super::compile::{Missing, Operand};
use super::evaluate::{Outline, Series, union_of_times};
use super::query::Parameters;
use super::units;
use crate::dialect::json::JsonWriter;
use crate::number::{write_i64, write_json_float};
use crate::plan::ReachMethod;
use crate::time::NANOS_PER_SEC;

/// Bytes of an answer that leave together.
const CHUNK_BYTES: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Answer {
    parameters: Parameters,
    group_by: Vec<String>,
    outline: Outline,
    series: Vec<Series>,
    /// What all series share.
    times: Vec<i64>,
    now_secs: i64,
    json: JsonWriter,
    /// The series that is written next; `None` before the first and after the last.
    next: Option<usize>,
    begun: bool,
}

impl Answer {
    pub(super) fn new(
        parameters: Parameters,
        group_by: Vec<String>,
        outline: Outline,
        series: Vec<Series>,
        now_secs: i64,
    ) -> Self {
        let times = union_of_times(&series);
        let json = JsonWriter::new(false);
        Self { parameters, group_by, outline, series, times, now_secs, json, next: Some(0), begun: false }
    }

    pub(super) fn missing(&self) -> &[Missing] {
        &self.outline.missing
    }

    pub(super) fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// The next bytes of the answer; `None` after the last.
    pub(super) fn next_chunk(&mut self) -> Option<Vec<u8>> {
        while self.json.len() < CHUNK_BYTES && self.write_next() {}
        Some(self.json.take()).filter(|bytes| !bytes.is_empty())
    }

    /// False when all is written.
    fn write_next(&mut self) -> bool {
        if !std::mem::replace(&mut self.begun, true) {
            self.write_begin();
            return true;
        }
        let Some(at) = self.next else { return false };
        let mut json = std::mem::take(&mut self.json);
        match self.series.get(at) {
            Some(series) => {
                self.write_series(series, &mut json);
                self.next = Some(at + 1);
            }
            None => {
                self.write_end(&mut json);
                self.next = None;
            }
        }
        self.json = json;
        true
    }

    fn write_begin(&mut self) {
        let json = &mut self.json;
        json.begin_object();
        for (name, text) in [("status", "ok"), ("res_type", "time_series")] {
            json.key(name);
            json.string(text);
        }
        json.key("resp_version");
        json.raw("1");
        json.key("query");
        json.string(&self.parameters.query);
        for (name, secs) in [("from_date", self.parameters.from), ("to_date", self.parameters.to)] {
            json.key(name);
            json.with(|out| write_i64(secs.saturating_mul(1000), out));
        }
        json.key("series");
        json.begin_array();
    }

    fn write_end(&self, json: &mut JsonWriter) {
        json.end_array();
        for name in ["values", "times"] {
            json.key(name);
            json.begin_array();
            json.end_array();
        }
        json.key("message");
        json.string("");
        json.key("group_by");
        json.begin_array();
        self.group_by.iter().for_each(|key| json.string(key));
        json.end_array();
        json.end_object();
    }

    fn write_series(&self, series: &Series, json: &mut JsonWriter) {
        let operand = &self.outline.operands[series.query];
        let group = &operand.groups[series.group];
        let whole = |json: &mut JsonWriter, name: &str, value: i64| {
            json.key(name);
            json.with(|out| write_i64(value, out));
        };
        json.begin_object();
        json.key("unit");
        units::write_pair(operand.units[0], operand.units[1], json);
        whole(json, "query_index", series.query as i64);
        json.key("aggr");
        match &operand.aggregator {
            Some(name) => json.string(name),
            None => json.null(),
        }
        json.key("metric");
        json.string(&operand.label);
        json.key("tag_set");
        json.begin_array();
        let mut tags: Vec<String> = group.tags.iter().map(|(key, value)| format!("{key}:{value}")).collect();
        crate::order::sort_few(&mut tags);
        tags.iter().for_each(|tag| json.string(tag));
        json.end_array();
        json.key("expression");
        json.string(&group.expression);
        json.key("scope");
        json.string(&group.scope);
        whole(json, "interval", operand.grid.interval);
        whole(json, "length", self.times.len() as i64);
        whole(json, "start", self.times.first().copied().unwrap_or(0).saturating_mul(1000));
        let last = series.times.last().copied().unwrap_or(0);
        let end = series.until.unwrap_or_else(|| operand.grid.end_of(last));
        whole(json, "end", (end - 1).saturating_mul(1000));
        json.key("pointlist");
        json.begin_array();
        self.each_time(series, &series.values, |time, value| {
            json.with(|out| {
                out.push(b'[');
                write_i64(time.saturating_mul(1000), out);
                out.extend_from_slice(b".0,");
                write_number(value, out);
                out.push(b']');
            });
        });
        json.end_array();
        json.key("display_name");
        json.string(&operand.label);
        json.key("attributes");
        self.write_attributes(operand, series, end, json);
        json.end_object();
    }

    /// Calls with every time of the answer and the series' value there.
    fn each_time(&self, series: &Series, values: &[f64], mut each: impl FnMut(i64, f64)) {
        let mut at = 0;
        for time in &self.times {
            let own = series.times.get(at) == Some(time);
            each(*time, if own { values.get(at).copied().unwrap_or(f64::NAN) } else { f64::NAN });
            at += usize::from(own);
        }
    }

    /// How the values came about: ours, where Datadog's own service has nothing.
    fn write_attributes(&self, operand: &Operand, series: &Series, end: i64, json: &mut JsonWriter) {
        json.begin_object();
        json.key("interval");
        json.with(|out| write_i64(operand.grid.interval, out));
        json.key("method");
        json.string(operand.method);
        json.key("sources");
        json.with(|out| write_i64(operand.sources as i64, out));
        json.key("fill");
        let method = match operand.reach.method {
            ReachMethod::None => "null",
            ReachMethod::Linear => "linear",
            ReachMethod::Last => "last",
            ReachMethod::Zero => "zero",
        };
        json.string(method);
        if operand.reach.method != ReachMethod::None {
            json.key("fill_limit");
            json.with(|out| write_i64(operand.reach.limit / NANOS_PER_SEC, out));
        }
        // The last bucket still fills, or reaches beyond the window.
        json.key("partial");
        json.bool(end > self.parameters.to || end > self.now_secs);
        for (name, band) in [("lower", &series.lower), ("upper", &series.upper)] {
            if let Some(band) = band {
                json.key(name);
                json.begin_array();
                self.each_time(series, band, |_, value| json.with(|out| write_number(value, out)));
                json.end_array();
            }
        }
        if let Some(outlier) = series.outlier {
            json.key("outlier");
            json.bool(outlier);
        }
        json.end_object();
    }
}

/// A number that is always a float to who reads types from text; `null` for none.
pub(super) fn write_number(value: f64, out: &mut Vec<u8>) {
    let start = out.len();
    write_json_float(value, out);
    let plain = |byte: &u8| byte.is_ascii_digit() || *byte == b'-';
    if out[start..].iter().all(plain) {
        out.extend_from_slice(b".0");
    }
}
