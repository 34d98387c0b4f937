//! The series of one measurement, by key and by tag.

use super::SeriesId;
use crate::hash::Set;
use crate::memo::Memo;
use crate::model::SeriesKey;
use crate::sorted::SortedMap;
use smallvec::SmallVec;
use std::sync::Arc;

/// Made to be copied cheaply when it grows while a snapshot holds it: keys and names are shared.
#[derive(Clone, Debug, Default)]
pub struct MeasurementIndex {
    by_key: SortedMap<SeriesKey, SeriesId>,
    /// Ascending: ids only grow.
    by_id: Vec<(SeriesId, SeriesKey)>,
    /// Tag key, tag value, series in ascending order.
    postings: SortedMap<Arc<str>, SortedMap<Arc<str>, SmallVec<[SeriesId; 4]>>>,
    memo: Memo,
}

impl MeasurementIndex {
    pub(super) fn insert(&mut self, id: SeriesId, key: SeriesKey) {
        self.memo.clear();
        for (name, value) in key.tags() {
            let values = entry(&mut self.postings, &name);
            let series = entry(values, &value);
            debug_assert!(series.last().is_none_or(|last| *last < id), "ids only grow");
            series.push(id);
        }
        self.by_id.push((id, key.clone()));
        self.by_key.insert(key, id);
    }

    pub(super) fn remove(&mut self, series: &Set<SeriesId>, mut each: impl FnMut(SeriesKey)) {
        self.memo.clear();
        self.by_id.retain(|(id, key)| {
            let gone = series.contains(id);
            if gone {
                each(key.clone());
                self.by_key.remove(key);
            }
            !gone
        });
        self.postings.retain(|_, values| {
            values.retain(|_, ids| {
                ids.retain(|id| !series.contains(id));
                !ids.is_empty()
            });
            !values.is_empty()
        });
    }

    /// What somebody derives from these series, until others are there.
    pub fn memo(&self) -> &Memo {
        &self.memo
    }

    /// Ascending by number.
    pub(super) fn by_id(&self) -> &[(SeriesId, SeriesKey)] {
        &self.by_id
    }

    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// In the order of keys, which is the order of answers.
    pub fn series(&self) -> impl DoubleEndedIterator<Item = (SeriesId, &SeriesKey)> {
        self.by_key.iter().map(|(key, id)| (*id, key))
    }

    pub fn key(&self, series: SeriesId) -> Option<&SeriesKey> {
        let at = self.by_id.partition_point(|(id, _)| *id < series);
        self.by_id.get(at).filter(|(id, _)| *id == series).map(|(_, key)| key)
    }

    pub fn find(&self, key: &[u8]) -> Option<SeriesId> {
        self.by_key.get(key).copied()
    }

    /// Sorted.
    pub fn tag_keys(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.postings.keys().map(|key| &**key)
    }

    /// Sorted; none for a tag nobody has.
    pub fn tag_values(&self, key: &str) -> impl DoubleEndedIterator<Item = &str> {
        self.postings.get(key).into_iter().flat_map(|values| values.keys().map(|value| &**value))
    }

    /// The series with exactly this tag, ascending by id.
    pub fn with_tag(&self, key: &str, value: &str) -> &[SeriesId] {
        self.postings.get(key).and_then(|values| values.get(value)).map_or(&[], SmallVec::as_slice)
    }
}

/// The value of a name, made when it is not there; a name that is there costs no allocation.
fn entry<'a, V: Default>(map: &'a mut SortedMap<Arc<str>, V>, name: &str) -> &'a mut V {
    if !map.contains_key(name) {
        map.insert(Arc::from(name), V::default());
    }
    map.get_mut(name).expect("it was put there just now")
}
