//! The mutable head: chunks per series and shard, points in order of arrival.

use crate::model::Column;
use crate::time::TimeRange;

/// Points of one series in the order they arrived: one time column, and a column per field beside it.
///
/// When `ascending`, times rise strictly and the chunk reads like a block. Otherwise a reader sorts by time, keeping the
/// order of arrival within one time, and lets the later value of a field win.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    pub times: Vec<i64>,
    /// Field name and values; every column is as long as `times`.
    pub columns: Vec<(std::sync::Arc<str>, Column)>,
    pub ascending: bool,
}

impl Chunk {
    /// First and last time by value; empty for an empty chunk.
    pub fn range(&self) -> TimeRange {
        if self.ascending {
            return match (self.times.first(), self.times.last()) {
                (Some(first), Some(last)) => TimeRange::new(*first, *last),
                _ => TimeRange::EMPTY,
            };
        }
        self.times.iter().fold(TimeRange::new(i64::MAX, i64::MIN), |range, time| {
            TimeRange::new(range.min.min(*time), range.max.max(*time))
        })
    }

    pub fn column(&self, field: &str) -> Option<&Column> {
        self.columns.iter().find(|(name, _)| &**name == field).map(|(_, column)| column)
    }
}
