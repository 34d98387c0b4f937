//! How Facette's three names stand for a field of a series:
//!
//! | Facette | here |
//! |---|---|
//! | origin | the database, its default retention policy |
//! | source | the value of the tag `host`; without it `-` |
//! | metric | the measurement, the values of all other tags in tag-key order, the field, joined with `.` |
//!
//! `cpu,host=web1,cpu=cpu0 idle=9` in database `kairosdb` is (`kairosdb`, `web1`, `cpu.cpu0.idle`). Names are looked up
//! in the index, never just split, so dots inside them do no harm. Fields of numbers count; where several get the same
//! names, the one of the smallest series key is meant.

use crate::index::{MeasurementIndex, SeriesId};
use crate::model::SeriesKey;
use crate::store::Snapshot;
use crate::store::snapshot::{Database, Policy, Run};
use crate::time::TimeRange;

const SOURCE_TAG: &str = "host";
/// The source of series without that tag.
const NO_SOURCE: &str = "-";

/// A field of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) measurement: String,
    pub(super) key: SeriesKey,
    pub(super) field: String,
}

/// What three names stand for; `None` if nothing.
pub(super) fn find(snapshot: &Snapshot, origin: &str, source: &str, metric: &str) -> Option<Target> {
    let database = snapshot.database(origin)?;
    let policy = database.policy(None)?;
    let mut found = candidates(database, policy, source, metric);
    crate::order::sort_by(&mut found, |(_, a), (_, b)| a.key.cmp(&b.key));
    found.dedup_by(|(_, a), (_, b)| a.key == b.key);
    // A field of the measurement need not be one of the series. That it is not only matters where there is a choice.
    if found.len() > 1 {
        found.retain(|(id, target)| has_field(policy, *id, &target.field));
    }
    found.into_iter().next().map(|(_, target)| target)
}

/// Every series whose names are these, with the number field that the metric ends with.
fn candidates(database: &Database, policy: &Policy, source: &str, metric: &str) -> Vec<(SeriesId, Target)> {
    let mut found = Vec::new();
    for (dot, _) in metric.match_indices('.') {
        let (measurement, rest) = (&metric[..dot], &metric[dot + 1..]);
        let Some(index) = database.index.measurement(measurement) else { continue };
        let mut add = |id: SeriesId, key: &SeriesKey| {
            let Some(field) = field(key, source, rest) else { return };
            let types = policy.field_types(measurement, field, TimeRange::ALL);
            if types.iter().any(|field_type| field_type.is_number()) {
                let (measurement, field) = (measurement.to_owned(), field.to_owned());
                found.push((id, Target { measurement, key: key.clone(), field }));
            }
        };
        let mut add_all = |ids: &[SeriesId]| {
            ids.iter().filter_map(|id| Some((*id, index.key(*id)?))).for_each(|(id, key)| add(id, key));
        };
        add_all(index.with_tag(SOURCE_TAG, source));
        if source == NO_SOURCE {
            each_without_source(index, measurement, rest, add_all);
        }
    }
    found
}

/// The series without the source tag that `rest` may name: it begins with the value of one of their tags, or there are
/// no tags. Some may come twice, and others with them.
fn each_without_source(index: &MeasurementIndex, measurement: &str, rest: &str, mut each: impl FnMut(&[SeriesId])) {
    if let Some(id) = index.find(SeriesKey::new(measurement, &[]).as_bytes()) {
        each(&[id]);
    }
    for key in index.tag_keys().filter(|key| *key != SOURCE_TAG) {
        for (dot, _) in rest.match_indices('.') {
            each(index.with_tag(key, &rest[..dot]));
        }
    }
}

/// What `rest`, a metric without its measurement, leaves for the field after the values of the series' other tags.
fn field<'a>(key: &SeriesKey, source: &str, mut rest: &'a str) -> Option<&'a str> {
    let mut own_source = None;
    for (name, value) in key.tags() {
        if name == SOURCE_TAG {
            own_source = Some(value);
        } else {
            rest = rest.strip_prefix(&*value)?.strip_prefix('.')?;
        }
    }
    (own_source.as_deref().unwrap_or(NO_SOURCE) == source && !rest.is_empty()).then_some(rest)
}

fn has_field(policy: &Policy, series: SeriesId, field: &str) -> bool {
    let runs = policy.shards.iter().filter_map(|shard| shard.runs(series).ok()).flatten();
    runs.into_iter().any(|run| match run {
        Run::Chunk(chunk) => chunk.column(field).is_some(),
        Run::Block { file, entry, .. } => {
            let fields = file.index.fields();
            let mut columns = entry.columns.iter().filter_map(|column| fields.get(column.field as usize));
            columns.any(|known| known.name == field)
        }
    })
}
