//! How Facette's three names stand for a field of a series. By default:
//!
//! | Facette | here |
//! |---|---|
//! | origin | the database, its default retention policy |
//! | source | the value of the tag `host`; without it `-` |
//! | metric | the measurement, the values of all other tags in tag-key order, the field, joined with `.` |
//!
//! `cpu,host=web1,cpu=cpu0 idle=9` in database `kairosdb` is (`kairosdb`, `web1`, `cpu.cpu0.idle`). A [`Mapping`] may
//! say it otherwise, in the words of Facette's own InfluxDB connector. Names are looked up in the index, never just
//! split, so dots inside them do no harm. Fields of numbers count.
//!
//! Several series may get the same names. Those that differ only in tags the mapping leaves out are one: their points
//! stand side by side, by time and, of one time, by series key. Others got there by the dots in their parts; of these
//! the one of the smallest series key is meant.

use super::graph::{Members, Mistyped, Object};
use crate::index::{MeasurementIndex, SeriesId};
use crate::model::SeriesKey;
use crate::sorted::SortedSet;
use crate::store::Snapshot;
use crate::store::snapshot::{Database, Policy, Run, Shard, mask_of};
use crate::time::TimeRange;
use serde_json::Value;

/// The source of series that have none of its parts.
const NO_SOURCE: &str = "-";

/// Which parts of a series its source and its metric are made of. Tags that a series has not are passed over; the field
/// always ends the metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    source: Vec<Part>,
    metric: Vec<Part>,
    glue: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// `name`
    Measurement,
    /// `column:<tag>`
    Tag(String),
    /// `column:*`: every tag that is not named elsewhere, in tag-key order.
    OtherTags,
}

impl Default for Mapping {
    fn default() -> Self {
        Self {
            source: vec![Part::Tag("host".to_owned())],
            metric: vec![Part::Measurement, Part::OtherTags],
            glue: ".".to_owned(),
        }
    }
}

impl Mapping {
    /// `{"source": ["column:host"], "metric": ["name", "column:*"], "glue": "."}`; what is absent stays as by default.
    /// `None` when the settings make no sense.
    pub fn from_json(text: &str) -> Option<Self> {
        let Ok(Value::Object(settings)) = serde_json::from_str(text) else { return None };
        let mut settings = Members(settings);
        let default = Self::default();
        let glue = settings.string("glue").ok()?;
        Some(Self {
            source: parts(&mut settings, "source").ok()?.unwrap_or(default.source),
            metric: parts(&mut settings, "metric").ok()?.unwrap_or(default.metric),
            glue: if glue.is_empty() { default.glue } else { glue },
        })
    }

    /// The settings that make it.
    pub(super) fn to_json(&self) -> Value {
        let texts = |parts: &[Part]| {
            let text = |part: &Part| match part {
                Part::Measurement => Value::from("name"),
                Part::Tag(tag) => Value::String(["column:", tag].concat()),
                Part::OtherTags => Value::from("column:*"),
            };
            Value::Array(parts.iter().map(text).collect())
        };
        let mut settings = Object::new();
        settings.insert("source".to_owned(), texts(&self.source));
        settings.insert("metric".to_owned(), texts(&self.metric));
        settings.insert("glue".to_owned(), Value::from(self.glue.as_str()));
        Value::Object(settings)
    }

    /// Gives the values of the parts that a series has, in order; stops when `each` says so.
    fn each_value(&self, parts: &[Part], key: &SeriesKey, each: &mut dyn FnMut(&str) -> bool) {
        for part in parts {
            let goes_on = match part {
                Part::Measurement => each(&key.measurement()),
                Part::Tag(tag) => key.tag(tag).is_none_or(|value| each(&value)),
                Part::OtherTags => key.tags().all(|(tag, value)| self.names_tag(&tag) || each(&value)),
            };
            if !goes_on {
                return;
            }
        }
    }

    fn names_tag(&self, name: &str) -> bool {
        self.source.iter().chain(&self.metric).any(|part| matches!(part, Part::Tag(tag) if tag == name))
    }

    /// Appends the values of parts, with glue between.
    fn join(&self, parts: &[Part], key: &SeriesKey, out: &mut String) {
        let start = out.len();
        self.each_value(parts, key, &mut |value| {
            if out.len() > start {
                out.push_str(&self.glue);
            }
            out.push_str(value);
            true
        });
    }

    fn write_source(&self, key: &SeriesKey, out: &mut String) {
        self.join(&self.source, key, out);
        if out.is_empty() {
            out.push_str(NO_SOURCE);
        }
    }

    /// The field that a metric ends with, if it is one of this series.
    fn field<'a>(&self, key: &SeriesKey, source: &str, metric: &'a str) -> Option<&'a str> {
        let mut rest = Some(metric);
        self.each_value(&self.metric, key, &mut |value| {
            rest = rest.and_then(|rest| rest.strip_prefix(value)?.strip_prefix(&*self.glue));
            rest.is_some()
        });
        let field = rest.filter(|field| !field.is_empty())?;
        let mut own = String::new();
        self.write_source(key, &mut own);
        (own == source).then_some(field)
    }

    /// Whether two series differ in nothing that the mapping looks at.
    fn is_same(&self, a: &SeriesKey, b: &SeriesKey) -> bool {
        let others = |key: &SeriesKey| -> Vec<(String, String)> {
            let tags = key.tags().filter(|(tag, _)| !self.names_tag(tag));
            tags.map(|(tag, value)| (tag.into_owned(), value.into_owned())).collect()
        };
        a.measurement() == b.measurement()
            && self.source.iter().chain(&self.metric).all(|part| match part {
                Part::Measurement => true,
                Part::Tag(tag) => a.tag(tag) == b.tag(tag),
                Part::OtherTags => others(a) == others(b),
            })
    }

    /// The one tag that is the source, if it is one.
    fn source_tag(&self) -> Option<&str> {
        match &self.source[..] {
            [Part::Tag(tag)] => Some(tag),
            _ => None,
        }
    }

    /// The measurements that a metric may be of.
    fn measurements<'a>(&self, database: &'a Database, metric: &str) -> Vec<&'a MeasurementIndex> {
        if self.metric.first() != Some(&Part::Measurement) {
            return database.index.measurements().map(|(_, index)| &**index).collect();
        }
        let ends = metric.match_indices(&*self.glue);
        ends.filter_map(|(end, _)| database.index.measurement(&metric[..end]).map(|index| &**index)).collect()
    }

    /// Hands out the series of a measurement that may have these names, and perhaps others.
    fn each_candidate<'a>(
        &self,
        index: &'a MeasurementIndex,
        source: &str,
        metric: &str,
        each: &mut dyn FnMut(SeriesId, &'a SeriesKey),
    ) {
        let Some(tag) = self.source_tag() else {
            return index.series().for_each(|(id, key)| each(id, key));
        };
        let mut each_of = |ids: &[SeriesId]| {
            ids.iter().filter_map(|id| Some((*id, index.key(*id)?))).for_each(|(id, key)| each(id, key));
        };
        each_of(index.with_tag(tag, source));
        if source != NO_SOURCE {
            return;
        }
        if *self != Self::default() {
            return index.series().filter(|(_, key)| key.tag(tag).is_none()).for_each(|(id, key)| each(id, key));
        }
        // Those without the source's tag: the metric goes on with the value of one of their tags, or they have none.
        let Some((_, key)) = index.series().next() else { return };
        let measurement = key.measurement();
        let Some(rest) = metric.strip_prefix(&*measurement).and_then(|rest| rest.strip_prefix(&*self.glue)) else {
            return;
        };
        if let Some(id) = index.find(SeriesKey::new(&measurement, &[]).as_bytes()) {
            each_of(&[id]);
        }
        for key in index.tag_keys().filter(|key| *key != tag) {
            for (end, _) in rest.match_indices(&*self.glue) {
                each_of(index.with_tag(key, &rest[..end]));
            }
        }
    }
}

/// The settings that make it.
impl std::fmt::Display for Mapping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.to_json())
    }
}

fn parts(settings: &mut Members, name: &str) -> Result<Option<Vec<Part>>, Mistyped> {
    let Some(texts) = settings.texts(name)? else { return Ok(None) };
    let part = |text: &String| match text.as_str() {
        "name" => Ok(Part::Measurement),
        "column:*" => Ok(Part::OtherTags),
        text => text.strip_prefix("column:").map(|tag| Part::Tag(tag.to_owned())).ok_or(Mistyped),
    };
    texts.iter().map(part).collect::<Result<_, _>>().map(Some)
}

/// A field of one series, or of several that are one to the mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) measurement: String,
    /// Canonical keys, ascending; at least one.
    pub(super) keys: Vec<Vec<u8>>,
    pub(super) field: String,
}

/// What three names stand for; `None` if nothing.
pub(super) fn find(snapshot: &Snapshot, mapping: &Mapping, origin: &str, source: &str, metric: &str) -> Option<Target> {
    let database = snapshot.database(origin)?;
    let policy = database.policy(None)?;
    let mut found: Vec<(SeriesId, &SeriesKey, &str)> = Vec::new();
    for index in mapping.measurements(database, metric) {
        mapping.each_candidate(index, source, metric, &mut |id, key| {
            let Some(field) = mapping.field(key, source, metric) else { return };
            let types = policy.field_types(&key.measurement(), field, TimeRange::ALL);
            if types.iter().any(|field_type| field_type.is_number()) {
                found.push((id, key, field));
            }
        });
    }
    crate::order::sort_by(&mut found, |(_, a, _), (_, b, _)| a.cmp(b));
    found.dedup_by(|(_, a, _), (_, b, _)| a == b);
    found.retain(|(id, _, field)| present(policy, *id, &[field])[0]);
    let (_, first, field) = *found.first()?;
    let same = found.iter().filter(|(_, key, of)| *of == field && mapping.is_same(first, key));
    Some(Target {
        measurement: first.measurement().into_owned(),
        keys: same.map(|(_, key, _)| key.as_bytes().to_vec()).collect(),
        field: field.to_owned(),
    })
}

/// Hands out the source and the metric of every field of numbers of a database, or of those of one source. Some may
/// come twice.
pub(super) fn each(database: &Database, mapping: &Mapping, source: Option<&str>, each: &mut dyn FnMut(&str, &str)) {
    let Some(policy) = database.policy(None) else { return };
    let tag = mapping.source_tag().zip(source.filter(|source| *source != NO_SOURCE));
    let (mut own, mut metric) = (String::new(), String::new());
    for (measurement, index) in database.index.measurements() {
        let fields = number_fields(policy, measurement);
        if fields.is_empty() {
            continue;
        }
        let mut each_series = |id: SeriesId, key: &SeriesKey| {
            own.clear();
            mapping.write_source(key, &mut own);
            if source.is_some_and(|source| source != own) {
                return;
            }
            metric.clear();
            mapping.join(&mapping.metric, key, &mut metric);
            if !metric.is_empty() {
                metric.push_str(&mapping.glue);
            }
            let stem = metric.len();
            for (field, present) in fields.iter().zip(present(policy, id, &fields)) {
                if present {
                    metric.truncate(stem);
                    metric.push_str(field);
                    each(&own, &metric);
                }
            }
        };
        match tag {
            Some((tag, source)) => {
                let ids = index.with_tag(tag, source).iter();
                ids.filter_map(|id| Some((*id, index.key(*id)?))).for_each(|(id, key)| each_series(id, key));
            }
            None => index.series().for_each(|(id, key)| each_series(id, key)),
        }
    }
}

/// The fields of a measurement that are numbers somewhere.
fn number_fields<'a>(policy: &'a Policy, measurement: &str) -> Vec<&'a str> {
    let mut fields: SortedSet<&str> = SortedSet::new();
    for shard in &policy.shards {
        for (field, field_type) in shard.fields.get(measurement).into_iter().flat_map(|fields| fields.iter()) {
            if field_type.is_number() {
                fields.insert(field, ());
            }
        }
    }
    fields.into_iter().map(|(field, ())| field).collect()
}

/// Which of these fields a series has. Newest data first: most often that has all of them.
fn present(policy: &Policy, series: SeriesId, fields: &[&str]) -> Vec<bool> {
    let mut found = vec![false; fields.len()];
    for shard in policy.shards.iter().rev() {
        present_in(shard, series, fields, &mut found);
        if found.iter().all(|found| *found) {
            break;
        }
    }
    found
}

fn present_in(shard: &Shard, series: SeriesId, fields: &[&str], found: &mut [bool]) {
    for run in shard.runs(series).unwrap_or_default() {
        for (field, found) in fields.iter().zip(&mut *found).filter(|(_, found)| !**found) {
            *found = match &run {
                Run::Chunk(chunk) => chunk.column(field).is_some(),
                Run::Block { file, entry, masks, .. } => {
                    let known = file.index.fields();
                    entry
                        .columns
                        .iter()
                        .filter(|column| mask_of(masks, column).is_some())
                        .any(|column| known.get(column.field as usize).is_some_and(|known| known.name == *field))
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_say_which_parts() {
        let text = r#"{"source":["name","column:dc"],"metric":["column:cpu","column:*"],"glue":"/"}"#;
        let mapping = Mapping::from_json(text).unwrap();
        assert_eq!(mapping.to_string(), text);
        let key = SeriesKey::new("m", &[("cpu", "0"), ("dc", "x"), ("host", "h"), ("z", "1")]);
        let mut source = String::new();
        mapping.write_source(&key, &mut source);
        assert_eq!((source.as_str(), mapping.field(&key, "m/x", "0/h/1/a/b")), ("m/x", Some("a/b")));
        assert_eq!(mapping.field(&key, "m/y", "0/h/1/a"), None);
        assert_eq!(Mapping::from_json("{}"), Some(Mapping::default()));
        for wrong in ["", "[]", r#"{"source":"host"}"#, r#"{"metric":["host"]}"#, r#"{"glue":1}"#] {
            assert_eq!(Mapping::from_json(wrong), None, "{wrong}");
        }
    }
}
