//! Submitted series, whatever they came as, to a batch of points and what is learnt of their metrics.

use super::metadata::{Metadata, SPACE, Type};
use super::names::{self, SEPARATOR};
use super::sources::FIELD;
use super::units;
use crate::catalog::DocumentChanges;
use crate::model::WriteBatch;
use crate::sorted::SortedMap;
use crate::store::Snapshot;
use crate::store::snapshot::Policy;
use crate::time::{NANOS_PER_SEC, TimeRange};
use crate::value::{FieldType, Value};

/// A series as submitted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Submitted {
    pub(super) metric: String,
    /// As sent, hosts and devices among them.
    pub(super) tags: Vec<String>,
    pub(super) kind: Option<Type>,
    pub(super) interval: Option<i64>,
    pub(super) unit: Option<String>,
    /// Seconds and values.
    pub(super) points: Vec<(i64, f64)>,
    /// The points are values of a distribution: those of one second are all kept.
    pub(super) distribution: bool,
}

/// Points to store and what their senders say of the metrics.
#[derive(Debug, Default)]
pub(super) struct Points {
    pub(super) batch: WriteBatch,
    pub(super) metrics: SortedMap<String, Told>,
}

/// What a submission tells of a metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Told {
    kind: Option<Type>,
    interval: Option<i64>,
    unit: Option<String>,
    /// The first and last instant of its points.
    range: Option<TimeRange>,
    /// The first series of the body that names it.
    series: usize,
}

impl Points {
    /// Adds the series number `at` of a body. `seed` sets the values of distributions apart from those of other bodies:
    /// values of one second get nanoseconds of their own, so that equal ones count as often as they were sent.
    pub(super) fn add(&mut self, at: usize, series: &Submitted, seed: u64) -> Result<(), String> {
        let name = names::metric(&series.metric);
        let name = name.ok_or_else(|| format!("the metric {:?} has no letter to begin with", series.metric))?;
        let tags = stored_tags(&series.tags)?;
        let pairs = tags.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes()));
        let slot = self.batch.intern_series(&name, pairs);
        let told = self.metrics.or_insert_with(name.into_owned(), || Told { series: at, ..Told::default() });
        told.kind = if series.distribution { Some(Type::Distribution) } else { series.kind }.or(told.kind);
        told.interval = series.interval.or(told.interval);
        told.unit = series.unit.clone().or_else(|| told.unit.take());
        let field = self.batch.intern_field(self.batch.measurement_slot(slot), FIELD);
        let mut used: SortedMap<i64, i64> = SortedMap::new();
        for (secs, value) in &series.points {
            let nanos = secs.checked_mul(NANOS_PER_SEC).filter(|nanos| TimeRange::ALL.contains(*nanos));
            let mut nanos = nanos.ok_or_else(|| format!("the time {secs} is out of range"))?;
            if series.distribution {
                let first = || (seed.wrapping_add(at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24) as i64;
                let next = used.or_insert_with(*secs, first);
                nanos += next.rem_euclid(NANOS_PER_SEC);
                *next += 1;
            }
            let range = told.range.get_or_insert_with(|| TimeRange::new(nanos, nanos));
            *range = TimeRange::new(range.min.min(nanos), range.max.max(nanos));
            self.batch.begin_row(slot, nanos);
            self.batch.push_cell(field, Value::Float(*value));
        }
        Ok(())
    }

    /// Why the points cannot be stored beside what is there.
    pub(super) fn conflict(&self, policy: &Policy) -> Option<String> {
        self.metrics.iter().find_map(|(metric, told)| {
            let types = policy.field_types(metric, FIELD, told.range?);
            let other = types.into_iter().find(|field_type| *field_type != FieldType::Float)?;
            Some(format!("series {} ({metric}): its values are stored as {other}", told.series))
        })
    }

    /// The documents that what was told changes; `None` if none.
    pub(super) fn documents(&self, snapshot: &Snapshot) -> Option<DocumentChanges> {
        let space = snapshot.documents.space(SPACE);
        let mut changes = Vec::new();
        for (metric, told) in self.metrics.iter() {
            let known = space.documents.get(metric.as_str()).map(|body| Metadata::decode(body));
            let mut metadata = known.clone().unwrap_or_default();
            if let Some(kind) = told.kind.filter(|_| !metadata.kind_pinned) {
                metadata.kind = kind;
            }
            metadata.interval = told.interval.or(metadata.interval);
            if metadata.unit.is_none() {
                metadata.unit = told.unit.as_deref().and_then(units::find).map(|unit| unit.name.to_owned());
            }
            if known.unwrap_or_default() != metadata {
                changes.push((metric.clone(), Some(metadata.encode())));
            }
        }
        (!changes.is_empty()).then(|| DocumentChanges { space: SPACE.to_owned(), revision: space.revision, changes })
    }
}

/// Tags as they are stored: by key, the values of a key sorted and joined.
fn stored_tags(tags: &[String]) -> Result<Vec<(String, String)>, String> {
    let mut sorted: Vec<(String, String)> = Vec::with_capacity(tags.len());
    for tag in tags {
        let Some(tag) = names::tag(tag) else { continue };
        let (key, value) = names::split(&tag);
        if key == "time" {
            return Err("a tag cannot be called time".to_owned());
        }
        if !key.is_empty() {
            sorted.push((key.to_owned(), value.unwrap_or_default().to_owned()));
        }
    }
    crate::order::sort_few(&mut sorted);
    sorted.dedup();
    let mut stored: Vec<(String, String)> = Vec::with_capacity(sorted.len());
    for (key, value) in sorted {
        match stored.last_mut() {
            Some((last, values)) if *last == key => {
                // Alone a bare tag is the separator that now follows it.
                if values.len() != SEPARATOR.len_utf8() || !values.ends_with(SEPARATOR) {
                    values.push(SEPARATOR);
                }
                values.push_str(&value);
            }
            // A bare tag comes before all values of its key.
            _ if value.is_empty() => stored.push((key, SEPARATOR.to_string())),
            _ => stored.push((key, value)),
        }
    }
    Ok(stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_stored_by_key() {
        let tags = ["role:db", "Canary", "role:primary", "canary:x", "role:db", "bare", "env:a:b"].map(str::to_owned);
        let stored = stored_tags(&tags).unwrap();
        let stored: Vec<_> = stored.iter().map(|(key, value)| (&**key, &**value)).collect();
        assert_eq!(stored, [("bare", ","), ("canary", ",x"), ("env", "a:b"), ("role", "db,primary")]);
        assert!(stored_tags(&["time:1".to_owned()]).is_err());
    }

    #[test]
    fn values_of_a_distribution_are_all_kept() {
        let series = Submitted {
            metric: "d".to_owned(),
            points: vec![(5, 1.0), (5, 1.0), (6, 1.0)],
            distribution: true,
            ..Submitted::default()
        };
        let mut points = Points::default();
        points.add(0, &series, 7).unwrap();
        points.add(1, &series, 7).unwrap();
        let mut times: Vec<i64> = points.batch.rows.iter().map(|row| row.time).collect();
        crate::order::sort_dedup(&mut times);
        assert_eq!(times.len(), 6);
        assert_eq!(times.iter().filter(|time| **time / NANOS_PER_SEC == 5).count(), 4);
        assert_eq!(points.metrics.get("d").unwrap().kind, Some(Type::Distribution));
    }
}
