//! The mutable head: chunks per series and shard, points in order of arrival.
//!
//! The writer and snapshots share everything by `Arc`: pages of 64 series, and in them chunks. After a snapshot the
//! first append copies what it touches: one page of pointers and one chunk, which is copied only while it is short and
//! otherwise closed, and a new one begun. Without a snapshot nothing is copied.

use super::tombstone::{masked, uncut};
use crate::index::SeriesId;
use crate::model::batch::Row;
use crate::model::{Column, Values, WriteBatch};
use crate::sorted::SortedMap;
use crate::time::{TimeRange, Timestamp};
use crate::value::Value;
use smallvec::SmallVec;
use std::sync::Arc;

/// Rows after which a chunk is closed.
const CHUNK_ROWS: usize = 4096;
/// Rows up to which a chunk that a snapshot holds is copied rather than closed.
const COPIED_ROWS: usize = 128;
const PAGE: usize = 64;

/// Points of one series in the order they arrived: one time column, and a column per field beside it.
///
/// When `ascending`, times rise strictly and the chunk reads like a block. Otherwise a reader sorts by time, keeping the
/// order of arrival within one time, and lets the later value of a field win.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    pub times: Vec<i64>,
    /// Field name and values; every column is as long as `times`.
    pub columns: Vec<(Arc<str>, Column)>,
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

    /// Adds a point. A field named twice: the later value wins. Equal names are best given as the same `Arc`, and the
    /// fields in the order of the point before.
    pub fn push<'a>(&mut self, time: i64, fields: impl Iterator<Item = (&'a Arc<str>, Value<'a>)>) {
        let row = self.times.len();
        self.ascending = self.times.last().is_none_or(|last| self.ascending && *last < time);
        self.times.push(time);
        let (mut guess, mut filled) = (0, 0);
        for (name, value) in fields {
            let at = match self.columns.get(guess) {
                Some((known, _)) if Arc::ptr_eq(known, name) => guess,
                _ => self.find_or_add(name, &value, row),
            };
            let column = &mut self.columns[at].1;
            if column.len() > row {
                column.values.truncate(row);
                if let Some(present) = &mut column.present {
                    present.resize(row, false);
                }
            } else {
                filled += 1;
            }
            match (&mut column.values, value) {
                (Values::Float(values), Value::Float(value)) if column.present.is_none() => values.push(value),
                (_, value) => column.push(Some(value)),
            }
            guess = at + 1;
        }
        if filled < self.columns.len() {
            for (_, column) in self.columns.iter_mut().filter(|(_, column)| column.len() == row) {
                column.push(None);
            }
        }
    }

    /// The points without the values of some fields in a range; `None` when none has a value left.
    fn without_fields(&self, range: TimeRange, fields: &[String]) -> Option<Self> {
        let columns = self.columns.iter().map(|(name, column)| {
            let named = fields.iter().any(|field| **field == **name);
            (Arc::clone(name), if named { masked(column, &self.times, &[range]) } else { column.clone() })
        });
        let mut columns: Vec<_> = columns.filter(|(_, column)| column.count() > 0).collect();
        let has_value = |row: &u32| columns.iter().any(|(_, column)| column.get(*row as usize).is_some());
        let rows: Vec<u32> = (0..self.times.len() as u32).filter(has_value).collect();
        if rows.is_empty() {
            return None;
        }
        columns.iter_mut().for_each(|(_, column)| *column = column.gather(&rows));
        let times = rows.iter().map(|row| self.times[*row as usize]).collect();
        Some(Self { times, columns, ascending: self.ascending })
    }

    /// The points outside of a range; `None` when there are none.
    fn without(&self, range: TimeRange) -> Option<Self> {
        let rows = uncut(&[range], &self.times);
        if rows.is_empty() {
            return None;
        }
        let times = rows.iter().map(|row| self.times[*row as usize]).collect();
        let columns = self.columns.iter().map(|(name, column)| (Arc::clone(name), column.gather(&rows)));
        let columns = columns.filter(|(_, column)| column.count() > 0).collect();
        Some(Self { times, columns, ascending: self.ascending })
    }

    fn find_or_add(&mut self, name: &Arc<str>, value: &Value<'_>, rows: usize) -> usize {
        if let Some(at) = self.columns.iter().position(|(known, _)| Arc::ptr_eq(known, name) || known == name) {
            return at;
        }
        let mut column = Column::new(value.field_type());
        column.extend_absent(rows);
        self.columns.push((Arc::clone(name), column));
        self.columns.len() - 1
    }
}

/// One memtable's chunks of one shard.
#[derive(Clone, Debug, Default)]
pub struct FrozenMemtable {
    /// The memtable's number: they count up, and a block file that was flushed from one names it.
    pub number: u64,
    pages: Vec<Arc<Page>>,
}

type Page = Vec<SmallVec<[Arc<Chunk>; 2]>>;

impl FrozenMemtable {
    pub fn new(number: u64) -> Self {
        Self { number, pages: Vec::new() }
    }

    /// The chunks of a series, oldest first.
    pub fn chunks(&self, series: SeriesId) -> &[Arc<Chunk>] {
        let series = series.0 as usize;
        let page = self.pages.get(series / PAGE).and_then(|page| page.get(series % PAGE));
        page.map_or(&[], SmallVec::as_slice)
    }

    /// Every series that has points, ascending by id, with its chunks.
    pub fn series(&self) -> impl Iterator<Item = (SeriesId, &[Arc<Chunk>])> {
        self.pages.iter().enumerate().flat_map(|(at, page)| {
            page.iter()
                .enumerate()
                .filter(|(_, chunks)| !chunks.is_empty())
                .map(move |(slot, chunks)| (SeriesId((at * PAGE + slot) as u32), chunks.as_slice()))
        })
    }

    /// Adds whole chunks behind those a series has: for tests and replicas.
    pub fn push_chunk(&mut self, series: SeriesId, chunk: Arc<Chunk>) {
        self.slot(series).push(chunk);
    }

    /// Drops the points of a series in a range of time, or their values of some fields.
    pub fn delete(&mut self, series: SeriesId, range: TimeRange, fields: &[String]) {
        if !self.chunks(series).iter().any(|chunk| chunk.range().overlaps(range)) {
            return;
        }
        let chunks = self.slot(series);
        let kept = chunks.iter().filter_map(|chunk| match chunk.range().overlaps(range) {
            false => Some(Arc::clone(chunk)),
            true if fields.is_empty() => chunk.without(range).map(Arc::new),
            true => chunk.without_fields(range, fields).map(Arc::new),
        });
        *chunks = kept.collect();
    }

    /// Gives a field of a series another name, which none of its fields has.
    pub fn rename_field(&mut self, series: SeriesId, from: &str, to: &Arc<str>) {
        if !self.chunks(series).iter().any(|chunk| chunk.column(from).is_some()) {
            return;
        }
        for chunk in self.slot(series) {
            for (name, _) in Arc::make_mut(chunk).columns.iter_mut().filter(|(name, _)| **name == *from) {
                *name = Arc::clone(to);
            }
        }
    }

    /// The chunk to append to.
    pub fn tail(&mut self, series: SeriesId) -> &mut Chunk {
        let slot = self.slot(series);
        let open = slot.last_mut().is_some_and(|last| {
            let rows = last.times.len();
            rows < CHUNK_ROWS && (rows <= COPIED_ROWS || Arc::get_mut(last).is_some())
        });
        if !open {
            slot.push(Arc::default());
        }
        Arc::make_mut(slot.last_mut().expect("one was pushed if there was none"))
    }

    fn slot(&mut self, series: SeriesId) -> &mut SmallVec<[Arc<Chunk>; 2]> {
        let series = series.0 as usize;
        if self.pages.len() <= series / PAGE {
            self.pages.resize_with(series / PAGE + 1, Arc::default);
        }
        let page = Arc::make_mut(&mut self.pages[series / PAGE]);
        if page.len() <= series % PAGE {
            page.resize_with(series % PAGE + 1, SmallVec::new);
        }
        &mut page[series % PAGE]
    }
}

/// The points not yet in block files, by shard.
#[derive(Debug, Default)]
pub struct Memtable {
    pub number: u64,
    pub shards: SortedMap<u64, Arc<FrozenMemtable>>,
    /// Bytes of times and values, and an estimate of what a series costs.
    pub bytes: u64,
    pub points: u64,
    /// When its first point came.
    pub since: Option<Timestamp>,
}

/// Bytes counted for a series that is new to a shard of a memtable: its chunk and the heads of some columns.
const SERIES_BYTES: u64 = 256;

impl Memtable {
    pub fn new(number: u64) -> Self {
        Self { number, ..Self::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.shards.is_empty()
    }

    /// Adds rows of one shard. `ids` and `names` are those of the batch's series and fields.
    pub fn append(&mut self, shard: u64, batch: &WriteBatch, rows: std::ops::Range<usize>, places: &Places) {
        let number = self.number;
        let shard = self.shards.or_insert_with(shard, || Arc::new(FrozenMemtable::new(number)));
        let shard = Arc::make_mut(shard);
        let rows = &batch.rows[rows];
        let order = by_series(rows, batch.series_count());
        for at in 0..rows.len() {
            let row = &rows[order.as_ref().map_or(at, |order| order[at] as usize)];
            let tail = shard.tail(places.series[row.series as usize]);
            if tail.times.is_empty() {
                self.bytes += SERIES_BYTES;
            }
            self.bytes += 8 * (u64::from(row.cells) + 1);
            let mut text = 0;
            let cells = batch.cells_of(row).iter().map(|cell| {
                let value = batch.value(cell);
                if let Value::String(string) = value {
                    text += string.len() as u64;
                }
                (&places.names[cell.field as usize], value)
            });
            tail.push(row.time, cells);
            self.bytes += text;
            self.points += 1;
        }
    }
}

/// The rows by series, those of one in their order; nothing where it is not worth it. Writers send a point of each series
/// in turn: taken in that order, each value would go to memory that was last touched a round ago.
fn by_series(rows: &[Row], series: usize) -> Option<Vec<u32>> {
    if rows.len() / 4 < series || series < 2 {
        return None;
    }
    let mut ends = vec![0_u32; series];
    rows.iter().for_each(|row| ends[row.series as usize] += 1);
    let mut before = 0;
    for end in &mut ends {
        before += std::mem::replace(end, before);
    }
    let mut order = vec![0; rows.len()];
    for (at, row) in rows.iter().enumerate() {
        let place = &mut ends[row.series as usize];
        order[*place as usize] = at as u32;
        *place += 1;
    }
    Some(order)
}

/// What a batch's own numbers mean in the store.
#[derive(Debug, Default)]
pub struct Places {
    /// By the batch's number of a series.
    pub series: Vec<SeriesId>,
    /// By the batch's number of a field.
    pub names: Vec<Arc<str>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::FieldType;

    fn push(chunk: &mut Chunk, time: i64, fields: &[(&str, i64)]) {
        let names: Vec<Arc<str>> = fields.iter().map(|(name, _)| Arc::from(*name)).collect();
        chunk.push(time, names.iter().zip(fields).map(|(name, (_, value))| (name, Value::Integer(*value))));
    }

    #[test]
    fn rows_line_up_whatever_fields_come() {
        let mut chunk = Chunk::default();
        push(&mut chunk, 1, &[("a", 10), ("b", 11)]);
        push(&mut chunk, 2, &[("b", 21)]);
        push(&mut chunk, 3, &[("c", 32), ("a", 30), ("a", 31)]);
        assert!(chunk.ascending);
        push(&mut chunk, 3, &[("a", 40)]);
        assert!(!chunk.ascending);
        assert_eq!(chunk.range(), TimeRange::new(1, 3));
        let column = |name: &str| -> Vec<Option<Value<'_>>> {
            let column = chunk.column(name).unwrap();
            assert_eq!((column.len(), column.field_type()), (4, FieldType::Integer));
            (0..4).map(|row| column.get(row)).collect()
        };
        let value = |value| Some(Value::Integer(value));
        assert_eq!(column("a"), [value(10), None, value(31), value(40)]);
        assert_eq!(column("b"), [value(11), value(21), None, None]);
        assert_eq!(column("c"), [None, None, value(32), None]);
    }

    #[test]
    fn a_snapshot_does_not_see_what_comes_later() {
        let mut live = Arc::new(FrozenMemtable::new(1));
        let mut held = Vec::new();
        for time in 0..1000 {
            push(Arc::make_mut(&mut live).tail(SeriesId(70)), time, &[("a", time)]);
            held.push(Arc::clone(&live));
        }
        for (at, held) in held.iter().enumerate() {
            let times: Vec<_> = held.chunks(SeriesId(70)).iter().flat_map(|chunk| chunk.times.clone()).collect();
            assert_eq!(times, (0..=at as i64).collect::<Vec<_>>());
        }
        let longest = live.chunks(SeriesId(70)).iter().map(|chunk| chunk.times.len()).max();
        assert_eq!(longest, Some(COPIED_ROWS + 1), "no append copied more than that");
        assert_eq!(live.chunks(SeriesId(7)).len(), 0);
        assert_eq!(live.series().map(|(id, _)| id).collect::<Vec<_>>(), [SeriesId(70)]);
    }
}
