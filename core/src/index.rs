//! Which series a database has: measurement, tags, series. In memory, rebuilt from the series tables of block files.

mod measurement;

pub use measurement::MeasurementIndex;

use crate::hash::{Map, Set};
use crate::model::SeriesKey;
use crate::sorted::SortedMap;
use std::sync::Arc;

/// A series of one database, dense from 0. Never leaves the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(pub u32);

/// All series of a database. Cloned by reference into snapshots; a measurement is copied when it grows while a snapshot
/// holds it.
#[derive(Clone, Debug, Default)]
pub struct DatabaseIndex {
    measurements: SortedMap<Arc<str>, Arc<MeasurementIndex>>,
}

impl DatabaseIndex {
    pub fn measurement(&self, name: &str) -> Option<&Arc<MeasurementIndex>> {
        self.measurements.get(name)
    }

    /// By name.
    pub fn measurements(&self) -> impl DoubleEndedIterator<Item = (&Arc<str>, &Arc<MeasurementIndex>)> {
        self.measurements.iter()
    }

    pub fn series_count(&self) -> usize {
        self.measurements.values().map(|measurement| measurement.len()).sum()
    }
}

/// The index of one database and the writer's way into it: canonical key to series.
#[derive(Debug, Default)]
pub struct IndexWriter {
    index: Arc<DatabaseIndex>,
    by_key: Map<SeriesKey, SeriesId>,
    next: u32,
}

impl IndexWriter {
    /// The series of a canonical key (see [`SeriesKey`]), `None` when it is not known.
    pub fn find(&self, key: &[u8]) -> Option<SeriesId> {
        self.by_key.get(key).copied()
    }

    /// The series of a key, which is new to the index when it was not known.
    pub fn insert(&mut self, key: &SeriesKey) -> SeriesId {
        if let Some(id) = self.by_key.get(key) {
            return *id;
        }
        let id = SeriesId(self.next);
        self.next = self.next.checked_add(1).expect("fewer than 2^32 series come and go before a restart");
        self.by_key.insert(key.clone(), id);
        let index = Arc::make_mut(&mut self.index);
        let name: Arc<str> = Arc::from(&*key.measurement());
        let measurement = index.measurements.or_default(name);
        Arc::make_mut(measurement).insert(id, key.clone());
        id
    }

    /// Forgets series. Their numbers are not given again.
    pub fn remove(&mut self, series: &Set<SeriesId>) {
        let index = Arc::make_mut(&mut self.index);
        let mut gone = Vec::new();
        index.measurements.retain(|_, measurement| {
            if series.iter().any(|series| measurement.key(*series).is_some()) {
                Arc::make_mut(measurement).remove(series, |key| gone.push(key));
            }
            !measurement.is_empty()
        });
        for key in gone {
            self.by_key.remove(&key);
        }
    }

    /// Gives series of a measurement other keys, all of one measurement and none known yet; their numbers stay.
    pub fn rename(&mut self, measurement: &str, to: impl Fn(&SeriesKey) -> Option<SeriesKey>) {
        let index = Arc::make_mut(&mut self.index);
        let Some(before) = index.measurements.remove(measurement) else { return };
        let mut after = MeasurementIndex::default();
        let mut name = None;
        for (id, key) in before.by_id() {
            let renamed = to(key).unwrap_or_else(|| key.clone());
            self.by_key.remove(key);
            self.by_key.insert(renamed.clone(), *id);
            name.get_or_insert_with(|| renamed.measurement().into_owned());
            after.insert(*id, renamed);
        }
        if let Some(name) = name {
            index.measurements.insert(Arc::from(name), Arc::new(after));
        }
    }

    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// The index as it is now.
    pub fn view(&self) -> Arc<DatabaseIndex> {
        Arc::clone(&self.index)
    }
}

impl std::borrow::Borrow<[u8]> for SeriesKey {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_found_by_tags_and_come_in_key_order() {
        let mut writer = IndexWriter::default();
        for (host, dc) in [("b", "x"), ("a", "x"), ("c", "")] {
            let key = SeriesKey::new("cpu", &[("host", host), ("dc", dc)]);
            assert_eq!(writer.insert(&key), writer.insert(&key));
        }
        writer.insert(&SeriesKey::new("mem", &[]));
        let view = writer.view();
        writer.insert(&SeriesKey::new("cpu", &[("host", "later")]));
        let cpu = view.measurement("cpu").unwrap();
        let hosts: Vec<_> = cpu.series().map(|(_, key)| key.tag("host").unwrap().into_owned()).collect();
        assert_eq!(hosts, ["a", "b", "c"], "dc comes before host in a key, and no dc has no dc part");
        assert_eq!(cpu.with_tag("dc", "x").len(), 2);
        assert_eq!(cpu.with_tag("dc", "y").len(), 0);
        assert_eq!(cpu.tag_keys().collect::<Vec<_>>(), ["dc", "host"]);
        assert_eq!(cpu.tag_values("host").collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!((view.series_count(), writer.len()), (4, 5));
    }
}
