//! Data frames and their JSON.
//!
//! Times are whole milliseconds, rounded down, with the rest in `data.nanos`; what JSON has no number for is null with its
//! row in `data.entities`; integers keep all their digits.

use super::json::Json;
use crate::dialect::json::{JsonWriter, write_string};
use crate::number::{write_i64, write_json_float, write_u64};

/// Columns of one length, and what is to be known of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct DataFrame {
    pub(crate) name: String,
    pub(crate) ref_id: String,
    pub(crate) meta: Option<Meta>,
    pub(crate) fields: Vec<Field>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Meta {
    pub(crate) kind: &'static str,
    pub(crate) version: [u8; 2],
    pub(crate) custom: Option<Json>,
    /// Severity and text.
    pub(crate) notices: Vec<(&'static str, String)>,
    pub(crate) visualisation: &'static str,
    pub(crate) executed: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) labels: Option<Labels>,
    pub(crate) config: Config,
    pub(crate) nullable: bool,
    pub(crate) values: Values,
}

/// In the order of their names.
pub(crate) type Labels = Vec<(String, String)>;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Config {
    pub(crate) display_name_from_ds: String,
    /// Milliseconds.
    pub(crate) interval: Option<i64>,
    /// Texts of an enumeration.
    pub(crate) texts: Vec<&'static str>,
    /// Free members for panels.
    pub(crate) hidden: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Values {
    Time(Times),
    Float(Vec<Option<f64>>),
    Int(Vec<Option<i64>>),
    Uint(Vec<Option<u64>>),
    Bool(Vec<Option<bool>>),
    Text(Vec<Option<String>>),
    /// Places in the field's `config.texts`.
    Enum(Vec<u16>),
    /// JSON as it stands.
    Raw(Vec<String>),
}

/// Instants since the epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Times {
    pub(crate) millis: Vec<Option<i64>>,
    /// Nanoseconds above the millisecond, one a row; empty when there are none.
    pub(crate) nanos: Vec<u32>,
}

impl Default for Values {
    fn default() -> Self {
        Self::Float(Vec::new())
    }
}

impl Times {
    pub(crate) fn push(&mut self, millis: Option<i64>, nanos: u32) {
        if nanos > 0 && self.nanos.is_empty() {
            self.nanos.resize(self.millis.len(), 0);
        }
        if nanos > 0 || !self.nanos.is_empty() {
            self.nanos.push(nanos);
        }
        self.millis.push(millis);
    }

    pub(crate) fn push_nanos(&mut self, nanos: i64) {
        self.push(Some(nanos.div_euclid(1_000_000)), nanos.rem_euclid(1_000_000) as u32);
    }
}

impl From<Vec<i64>> for Times {
    fn from(millis: Vec<i64>) -> Self {
        Self { millis: millis.into_iter().map(Some).collect(), nanos: Vec::new() }
    }
}

impl Values {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Time(times) => times.millis.len(),
            Self::Float(values) => values.len(),
            Self::Int(values) => values.len(),
            Self::Uint(values) => values.len(),
            Self::Bool(values) => values.len(),
            Self::Text(values) => values.len(),
            Self::Enum(values) => values.len(),
            Self::Raw(values) => values.len(),
        }
    }

    /// `type` and `typeInfo.frame`.
    fn names(&self) -> (&'static str, &'static str) {
        match self {
            Self::Time(_) => ("time", "time.Time"),
            Self::Float(_) => ("number", "float64"),
            Self::Int(_) => ("number", "int64"),
            Self::Uint(_) => ("number", "uint64"),
            Self::Bool(_) => ("boolean", "bool"),
            Self::Text(_) => ("string", "string"),
            Self::Enum(_) => ("enum", "enum"),
            Self::Raw(_) => ("other", "json.RawMessage"),
        }
    }

    fn write(&self, at: usize, out: &mut Vec<u8>) {
        fn or_null<T>(value: Option<T>, out: &mut Vec<u8>, write: impl FnOnce(T, &mut Vec<u8>)) {
            match value {
                Some(value) => write(value, out),
                None => out.extend_from_slice(b"null"),
            }
        }
        match self {
            Self::Time(times) => or_null(times.millis[at], out, write_i64),
            Self::Float(values) => or_null(values[at], out, write_json_float),
            Self::Int(values) => or_null(values[at], out, write_i64),
            Self::Uint(values) => or_null(values[at], out, write_u64),
            Self::Bool(values) => {
                or_null(values[at], out, |value, out| out.extend_from_slice(if value { b"true" } else { b"false" }));
            }
            Self::Text(values) => or_null(values[at].as_deref(), out, write_string),
            Self::Enum(values) => write_u64(u64::from(values[at]), out),
            Self::Raw(values) => out.extend_from_slice(values[at].as_bytes()),
        }
    }

    /// Rows that are not a number, infinite, infinite below zero.
    fn entities(&self) -> Option<[Vec<usize>; 3]> {
        let Self::Float(values) = self else { return None };
        let mut rows = [Vec::new(), Vec::new(), Vec::new()];
        for (row, value) in values.iter().enumerate() {
            match value {
                Some(value) if value.is_nan() => rows[0].push(row),
                Some(value) if value.is_infinite() => rows[1 + usize::from(*value < 0.0)].push(row),
                _ => {}
            }
        }
        if rows.iter().all(Vec::is_empty) { None } else { Some(rows) }
    }
}

impl Field {
    pub(crate) fn new(name: impl Into<String>, values: Values) -> Self {
        Self { name: name.into(), values, ..Self::default() }
    }

    pub(crate) fn nullable(self) -> Self {
        Self { nullable: true, ..self }
    }

    pub(crate) fn labelled(self, labels: Labels) -> Self {
        Self { labels: Some(labels), ..self }
    }

    pub(crate) fn time(name: &str, times: impl Into<Times>) -> Self {
        Self::new(name, Values::Time(times.into()))
    }

    pub(crate) fn floats(name: &str, values: Vec<Option<f64>>) -> Self {
        Self::new(name, Values::Float(values)).nullable()
    }
}

impl DataFrame {
    pub(crate) fn new(name: impl Into<String>, fields: Vec<Field>) -> Self {
        Self { name: name.into(), fields, ..Self::default() }
    }

    pub(crate) fn rows(&self) -> usize {
        self.fields.first().map_or(0, |field| field.values.len())
    }

    pub(crate) fn write(&self, json: &mut JsonWriter) {
        json.begin_object();
        json.key("schema");
        self.write_schema(json);
        json.key("data");
        json.begin_object();
        json.key("values");
        json.begin_array();
        for field in &self.fields {
            json.with(|out| {
                out.push(b'[');
                for at in 0..field.values.len() {
                    if at > 0 {
                        out.push(b',');
                    }
                    field.values.write(at, out);
                }
                out.push(b']');
            });
        }
        json.end_array();
        self.write_entities(json);
        self.write_nanos(json);
        json.end_object();
        json.end_object();
    }

    fn write_schema(&self, json: &mut JsonWriter) {
        let text = |json: &mut JsonWriter, key: &str, text: &str| {
            if !text.is_empty() {
                json.key(key);
                json.string(text);
            }
        };
        json.begin_object();
        text(json, "name", &self.name);
        text(json, "refId", &self.ref_id);
        if let Some(meta) = &self.meta {
            json.key("meta");
            json.begin_object();
            text(json, "type", meta.kind);
            json.key("typeVersion");
            json.raw(&format!("[{},{}]", meta.version[0], meta.version[1]));
            if let Some(custom) = &meta.custom {
                json.key("custom");
                json.with(|out| custom.write(out));
            }
            if !meta.notices.is_empty() {
                json.key("notices");
                json.begin_array();
                for (severity, notice) in &meta.notices {
                    json.begin_object();
                    text(json, "severity", severity);
                    text(json, "text", notice);
                    json.end_object();
                }
                json.end_array();
            }
            text(json, "preferredVisualisationType", meta.visualisation);
            text(json, "executedQueryString", &meta.executed);
            json.end_object();
        }
        json.key("fields");
        json.begin_array();
        for field in &self.fields {
            let (kind, frame) = field.values.names();
            json.begin_object();
            text(json, "name", &field.name);
            text(json, "type", kind);
            json.key("typeInfo");
            json.begin_object();
            text(json, "frame", frame);
            if field.nullable {
                json.key("nullable");
                json.bool(true);
            }
            json.end_object();
            if let Some(labels) = &field.labels {
                json.key("labels");
                json.begin_object();
                for (name, value) in labels {
                    json.key(name);
                    json.string(value);
                }
                json.end_object();
            }
            if field.config != Config::default() {
                json.key("config");
                field.config.write(json);
            }
            json.end_object();
        }
        json.end_array();
        json.end_object();
    }

    fn write_entities(&self, json: &mut JsonWriter) {
        let entities: Vec<_> = self.fields.iter().map(|field| field.values.entities()).collect();
        if entities.iter().all(Option::is_none) {
            return;
        }
        json.key("entities");
        json.begin_array();
        for entity in &entities {
            let Some(rows) = entity else {
                json.null();
                continue;
            };
            json.begin_object();
            for (name, rows) in ["NaN", "Inf", "NegInf"].iter().zip(rows) {
                if rows.is_empty() {
                    continue;
                }
                json.key(name);
                json.begin_array();
                for row in rows {
                    json.with(|out| write_u64(*row as u64, out));
                }
                json.end_array();
            }
            json.end_object();
        }
        json.end_array();
    }

    fn write_nanos(&self, json: &mut JsonWriter) {
        let nanos = |field: &Field| match &field.values {
            Values::Time(times) if times.nanos.iter().any(|nanos| *nanos > 0) => Some(times.nanos.clone()),
            _ => None,
        };
        let fields: Vec<_> = self.fields.iter().map(nanos).collect();
        if fields.iter().all(Option::is_none) {
            return;
        }
        json.key("nanos");
        json.begin_array();
        for field in &fields {
            let Some(nanos) = field else {
                json.null();
                continue;
            };
            json.begin_array();
            for nanos in nanos {
                json.with(|out| write_u64(u64::from(*nanos), out));
            }
            json.end_array();
        }
        json.end_array();
    }
}

impl Config {
    fn write(&self, json: &mut JsonWriter) {
        json.begin_object();
        if !self.display_name_from_ds.is_empty() {
            json.key("displayNameFromDS");
            json.string(&self.display_name_from_ds);
        }
        if let Some(interval) = self.interval {
            json.key("interval");
            json.with(|out| write_i64(interval, out));
        }
        if !self.texts.is_empty() {
            json.key("type");
            json.begin_object();
            json.key("enum");
            json.begin_object();
            json.key("text");
            json.begin_array();
            self.texts.iter().for_each(|text| json.string(text));
            json.end_array();
            json.end_object();
            json.end_object();
        }
        if self.hidden {
            json.key("custom");
            json.raw("{\"hidden\":true}");
        }
        json.end_object();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_says_what_json_cannot() {
        let mut times = Times::default();
        times.push_nanos(-1);
        times.push_nanos(1_600_000_000_000_000_000);
        times.push(None, 0);
        let frame = DataFrame {
            ref_id: "A".into(),
            meta: Some(Meta::default()),
            ..DataFrame::new(
                "",
                vec![
                    Field::time("t", times).nullable(),
                    Field::floats("v", vec![Some(f64::NAN), Some(f64::NEG_INFINITY), Some(1.5)]).labelled(Vec::new()),
                    Field::new("i", Values::Int(vec![Some(i64::MAX), Some(i64::MIN), None])),
                ],
            )
        };
        let mut json = JsonWriter::new(false);
        frame.write(&mut json);
        let text = String::from_utf8(json.take()).unwrap();
        assert_eq!(
            text,
            "{\"schema\":{\"refId\":\"A\",\"meta\":{\"typeVersion\":[0,0]},\"fields\":[\
             {\"name\":\"t\",\"type\":\"time\",\"typeInfo\":{\"frame\":\"time.Time\",\"nullable\":true}},\
             {\"name\":\"v\",\"type\":\"number\",\"typeInfo\":{\"frame\":\"float64\",\"nullable\":true},\"labels\":{}},\
             {\"name\":\"i\",\"type\":\"number\",\"typeInfo\":{\"frame\":\"int64\"}}]},\
             \"data\":{\"values\":[[-1,1600000000000,null],[null,null,1.5],[9223372036854775807,-9223372036854775808,null]],\
             \"entities\":[null,{\"NaN\":[0],\"NegInf\":[1]},null],\"nanos\":[[999999,0,0],null,null]}}"
        );
    }
}
