//! What is known of a metric besides its points: type, interval, units, words. Documents of one space, by metric name;
//! a metric without one is a gauge.

use super::units::{self, Unit};
use crate::dialect::json::JsonWriter;
use crate::store::Snapshot;
use bytes::Bytes;
use serde_json::{Map, Value};

/// The space that the documents are in.
pub(super) const SPACE: &str = "datadog.metrics";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Type {
    #[default]
    Gauge,
    Count,
    Rate,
    Distribution,
}

impl Type {
    /// Also `counter`, which old clients say.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "gauge" => Self::Gauge,
            "count" | "counter" => Self::Count,
            "rate" => Self::Rate,
            "distribution" => Self::Distribution,
            _ => return None,
        })
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Count => "count",
            Self::Rate => "rate",
            Self::Distribution => "distribution",
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Metadata {
    pub(super) kind: Type,
    /// The type was set by hand: submissions no longer change it.
    pub(super) kind_pinned: bool,
    /// Seconds that a point of a count or rate stands for.
    pub(super) interval: Option<i64>,
    pub(super) unit: Option<String>,
    pub(super) per_unit: Option<String>,
    pub(super) description: Option<String>,
    pub(super) short_name: Option<String>,
}

impl Metadata {
    /// What is known; a gauge if nothing is.
    pub(super) fn of(snapshot: &Snapshot, metric: &str) -> Self {
        snapshot.documents.space(SPACE).documents.get(metric).map(|body| Self::decode(body)).unwrap_or_default()
    }

    /// A document that is none of ours is as if there were none.
    pub(super) fn decode(body: &[u8]) -> Self {
        let Ok(Value::Object(members)) = serde_json::from_slice(body) else { return Self::default() };
        let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            kind: members.get("type").and_then(Value::as_str).and_then(Type::from_name).unwrap_or_default(),
            kind_pinned: members.get("pinned").and_then(Value::as_bool).unwrap_or(false),
            interval: members.get("interval").and_then(Value::as_i64),
            unit: text("unit"),
            per_unit: text("per_unit"),
            description: text("description"),
            short_name: text("short_name"),
        }
    }

    pub(super) fn encode(&self) -> Bytes {
        let mut members = Map::new();
        members.insert("type".to_owned(), self.kind.name().into());
        if self.kind_pinned {
            members.insert("pinned".to_owned(), true.into());
        }
        if let Some(interval) = self.interval {
            members.insert("interval".to_owned(), interval.into());
        }
        let texts = [
            ("unit", &self.unit),
            ("per_unit", &self.per_unit),
            ("description", &self.description),
            ("short_name", &self.short_name),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                members.insert(name.to_owned(), text.as_str().into());
            }
        }
        Value::Object(members).to_string().into()
    }

    pub(super) fn units(&self) -> [Option<Unit>; 2] {
        [&self.unit, &self.per_unit].map(|name| name.as_deref().and_then(units::find))
    }

    /// The object of `/api/v1/metrics/{name}`.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut json = JsonWriter::new(false);
        json.begin_object();
        json.key("type");
        json.string(self.kind.name());
        let texts = [("description", &self.description), ("short_name", &self.short_name)];
        for (name, text) in texts {
            json.key(name);
            write_text(text.as_deref(), &mut json);
        }
        json.key("integration");
        json.null();
        json.key("statsd_interval");
        match self.interval {
            Some(interval) => json.raw(&interval.to_string()),
            None => json.null(),
        }
        for (name, text) in [("unit", &self.unit), ("per_unit", &self.per_unit)] {
            json.key(name);
            write_text(text.as_deref(), &mut json);
        }
        json.end_object();
        json.take()
    }

    /// Takes over the members of a PUT's body.
    pub(super) fn update(&mut self, members: &Map<String, Value>) -> Result<(), String> {
        for (name, value) in members {
            let text = match value {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                Value::Number(_) if name == "statsd_interval" => None,
                _ => return Err(format!("{name} has the wrong type")),
            };
            match &**name {
                "type" => {
                    let Some(text) = text else { continue };
                    self.kind = Type::from_name(&text).ok_or_else(|| {
                        format!("there is no type {text:?}: a metric is a gauge, count, rate or distribution")
                    })?;
                    self.kind_pinned = true;
                }
                "unit" | "per_unit" => {
                    if let Some(text) = text.as_deref().filter(|text| units::find(text).is_none()) {
                        return Err(format!("there is no unit {text:?}"));
                    }
                    let unit = text.and_then(|text| units::find(&text)).map(|unit| unit.name.to_owned());
                    *(if name == "unit" { &mut self.unit } else { &mut self.per_unit }) = unit;
                }
                "description" => self.description = text,
                "short_name" => self.short_name = text,
                "statsd_interval" => {
                    self.interval = match value {
                        Value::Null => None,
                        value => Some(value.as_i64().filter(|secs| *secs > 0).ok_or("statsd_interval is seconds")?),
                    };
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn write_text(text: Option<&str>, json: &mut JsonWriter) {
    match text {
        Some(text) => json.string(text),
        None => json.null(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_read_back() {
        let mut metadata = Metadata { interval: Some(10), kind: Type::Rate, ..Metadata::default() };
        let Ok(Value::Object(members)) =
            serde_json::from_str(r#"{"unit":"requests","per_unit":"second","type":"count"}"#)
        else {
            panic!()
        };
        metadata.update(&members).unwrap();
        assert_eq!(
            (metadata.unit.as_deref(), metadata.kind, metadata.kind_pinned),
            (Some("request"), Type::Count, true)
        );
        assert_eq!(Metadata::decode(&metadata.encode()), metadata);
        assert_eq!(Metadata::decode(b"\xff"), Metadata::default());
        let Ok(Value::Object(members)) = serde_json::from_str(r#"{"unit":"furlong"}"#) else { panic!() };
        assert!(metadata.update(&members).is_err());
    }
}
