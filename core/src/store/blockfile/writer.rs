//! Writing a block file.

use super::{Field, FileMeta, Footer, GROUP, magic};
use crate::codec::MAX_TEXT;
use crate::codec::checksum::crc32c;
use crate::codec::varint;
use crate::hash::Map;
use crate::model::{Column, SeriesKey, Values};
use crate::order::sort_by;
use crate::store::block::{self, BlockEntry, ColumnEntry, MAX_ROWS};
use crate::time::TimeRange;
use crate::value::FieldType;

/// Text of one column in one block, unless a single text is longer.
const BLOCK_TEXT: usize = MAX_TEXT / 8;

/// Builds one file in memory. Equal pushes give equal bytes.
#[derive(Debug)]
pub struct BlockFileWriter {
    meta: FileMeta,
    /// What is not yet taken, and how much was.
    file: Vec<u8>,
    taken: u64,
    groups: Vec<u8>,
    group_starts: Vec<u32>,
    entries: Vec<u8>,
    fields: Vec<Field>,
    measurement: Measurement,
    last_key: Vec<u8>,
    /// The series at hand: its key, where its columns begin, and the last time of the block before.
    key: Vec<u8>,
    start: u64,
    after: i64,
    series: u32,
    blocks: u32,
    rows: u64,
    values: u64,
    times: TimeRange,
}

/// The measurement at hand.
#[derive(Debug, Default)]
struct Measurement {
    name: String,
    /// The bytes its series' keys begin with.
    prefix: Vec<u8>,
    /// Its fields: name to number, by type.
    numbers: Map<String, [Option<u32>; FieldType::ALL.len()]>,
}

impl BlockFileWriter {
    pub fn new(meta: FileMeta) -> Self {
        Self {
            meta,
            file: magic().to_vec(),
            taken: 0,
            groups: Vec::new(),
            group_starts: Vec::new(),
            entries: Vec::new(),
            fields: Vec::new(),
            measurement: Measurement::default(),
            last_key: Vec::new(),
            key: Vec::new(),
            start: 0,
            after: 0,
            series: 0,
            blocks: 0,
            rows: 0,
            values: 0,
            times: TimeRange::new(i64::MAX, i64::MIN),
        }
    }

    /// Bytes that are not yet [taken](Self::take).
    pub const fn len(&self) -> usize {
        self.file.len()
    }

    /// The file's next bytes, all there are so far between two series.
    pub fn take(&mut self) -> Vec<u8> {
        self.taken += self.file.len() as u64;
        std::mem::take(&mut self.file)
    }

    const fn place(&self) -> u64 {
        self.taken + self.file.len() as u64
    }

    pub const fn is_empty(&self) -> bool {
        self.series == 0
    }

    /// Adds a series, by its canonical key, with all it has in this file. Nothing is added when there are no times.
    ///
    /// # Panics
    /// When `key` is not canonical or not above the one before, `times` do not ascend strictly, or a column is not as
    /// long as `times`: such a file would answer wrongly ever after.
    pub fn push(&mut self, key: &[u8], times: &[i64], fields: &[(&str, &Column)]) {
        self.begin(key);
        self.rows(times, fields, times.len());
        self.end();
    }

    /// Begins a series, by its canonical key.
    ///
    /// # Panics
    /// As [`push`](Self::push); so do [`rows`](Self::rows) and [`copy`](Self::copy).
    pub fn begin(&mut self, key: &[u8]) {
        assert!(self.series == 0 || key > &*self.last_key, "series are pushed in ascending order");
        self.key.clear();
        self.key.extend_from_slice(key);
        self.start = self.place();
        self.after = self.meta.shard.min;
    }

    /// Adds the first `count` rows of some, later than those before, to the series at hand.
    pub fn rows(&mut self, times: &[i64], fields: &[(&str, &Column)], count: usize) {
        assert!(times.is_sorted_by(|a, b| a < b), "times of a series ascend strictly");
        assert!(fields.iter().all(|(_, column)| column.len() == times.len()), "columns are as long as the times");
        let columns: Vec<(u32, &Column)> = fields
            .iter()
            .filter(|(_, column)| column.count() > 0)
            .map(|(name, column)| (self.number(name, column.field_type()), *column))
            .collect();
        let mut columns = columns;
        sort_by(&mut columns, |a, b| a.0.cmp(&b.0));
        let mut row = 0;
        while row < count {
            let end = block_end(row, count, &columns);
            let entry = block::encode(times, &columns, row..end, &mut self.file);
            self.enter(&entry);
            row = end;
        }
    }

    /// Adds a block of another file, later than those before, as it is; `names` are those of its columns' fields. `None`,
    /// and nothing is added, when `bytes` are not all of it.
    ///
    /// # Panics
    /// When the block is small: its checksum covers the order of its columns.
    pub fn copy(&mut self, entry: &BlockEntry, bytes: &[u8], names: &[&str]) -> Option<()> {
        assert!(!entry.is_small(), "small blocks are written anew");
        let base = entry.range().offset;
        let part = |range: block::ByteRange| {
            let start = usize::try_from(range.offset.checked_sub(base)?).ok()?;
            bytes.get(start..start.checked_add(usize::try_from(range.len).ok()?)?)
        };
        let (times, _) = (part(entry.times)?, part(entry.range())?);
        let mut columns: Vec<ColumnEntry> = Vec::with_capacity(entry.columns.len());
        for (column, name) in entry.columns.iter().zip(names) {
            columns.push(ColumnEntry { field: self.number(name, column.field_type), ..column.clone() });
        }
        sort_by(&mut columns, |a, b| a.field.cmp(&b.field));
        self.file.extend_from_slice(times);
        for column in &columns {
            self.file.extend_from_slice(part(column.range)?);
        }
        self.enter(&BlockEntry { columns, ..entry.clone() });
        Some(())
    }

    /// Ends the series at hand. One without rows leaves no trace.
    pub fn end(&mut self) {
        if self.entries.is_empty() {
            return;
        }
        let key = std::mem::take(&mut self.key);
        self.write_series(&key, self.start);
        self.key = key;
    }

    /// Adds the entry of a block whose bytes are in the file.
    fn enter(&mut self, entry: &BlockEntry) {
        assert!(self.entries.is_empty() || entry.min_time > self.after, "times of a series ascend strictly");
        self.times.min = self.times.min.min(entry.min_time);
        self.times.max = self.times.max.max(entry.max_time);
        block::write_entry(entry, self.after, &mut self.entries);
        self.blocks += 1;
        self.rows += u64::from(entry.rows);
        self.values += entry.columns.iter().map(|column| u64::from(column.count)).sum::<u64>();
        self.after = entry.max_time;
    }

    /// The rest of the file.
    pub fn finish(mut self) -> Vec<u8> {
        let index_offset = self.place();
        let index = self.index();
        let mut footer = Vec::with_capacity(Footer::LEN);
        footer.extend(index_offset.to_le_bytes());
        footer.extend(u32::try_from(index.len()).expect("an index stays below 4 GiB").to_le_bytes());
        footer.extend(crc32c(&index).to_le_bytes());
        footer.extend(self.series.to_le_bytes());
        footer.extend(self.blocks.to_le_bytes());
        footer.extend(self.rows.to_le_bytes());
        footer.extend(self.values.to_le_bytes());
        footer.extend(self.times.min.to_le_bytes());
        footer.extend(self.times.max.to_le_bytes());
        footer.extend(self.meta.min_sequence.to_le_bytes());
        footer.extend(self.meta.max_sequence.to_le_bytes());
        footer.extend(crc32c(&footer).to_le_bytes());
        footer.extend(magic());
        self.file.extend(index);
        self.file.extend(footer);
        self.file
    }

    /// The number of a field of the measurement at hand.
    fn number(&mut self, name: &str, field_type: FieldType) -> u32 {
        let key = &self.key;
        let prefix_len = memchr::memchr(0, key).map_or(0, |end| end + 1);
        let prefix = &key[..prefix_len];
        if self.measurement.prefix != prefix {
            let key = SeriesKey::from_canonical(prefix).expect("series keys are canonical");
            self.measurement =
                Measurement { name: key.measurement().into_owned(), prefix: prefix.to_vec(), numbers: Map::default() };
        }
        let Measurement { name: measurement, numbers, .. } = &mut self.measurement;
        let slot = usize::from(field_type.id());
        if let Some(Some(number)) = numbers.get(name).map(|numbers| numbers[slot]) {
            return number;
        }
        let number = self.fields.len() as u32;
        numbers.entry(name.to_owned()).or_default()[slot] = Some(number);
        self.fields.push(Field { measurement: measurement.clone(), name: name.to_owned(), field_type });
        number
    }

    /// Appends the series' record, whose columns begin at `start`.
    fn write_series(&mut self, key: &[u8], start: u64) {
        let shared = if (self.series as usize).is_multiple_of(GROUP) {
            self.group_starts.push(u32::try_from(self.groups.len()).expect("an index stays below 4 GiB"));
            varint::write(start, &mut self.groups);
            0
        } else {
            key.iter().zip(&self.last_key).take_while(|(a, b)| a == b).count()
        };
        varint::write(shared as u64, &mut self.groups);
        varint::write_bytes(&key[shared..], &mut self.groups);
        varint::write(self.place() - start, &mut self.groups);
        varint::write_bytes(&self.entries, &mut self.groups);
        self.entries.clear();
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        self.series += 1;
    }

    fn index(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.groups.len() + self.group_starts.len() * 4 + 1024);
        let FileMeta { database, retention_policy, shard, .. } = &self.meta;
        varint::write_bytes(database.as_bytes(), &mut out);
        varint::write_bytes(retention_policy.as_bytes(), &mut out);
        varint::write_signed(shard.min, &mut out);
        varint::write(shard.max.wrapping_sub(shard.min) as u64, &mut out);
        varint::write(self.fields.len() as u64, &mut out);
        let mut last = "";
        for Field { measurement, name, field_type } in &self.fields {
            varint::write_bytes(if measurement == last { b"" } else { measurement.as_bytes() }, &mut out);
            varint::write_bytes(name.as_bytes(), &mut out);
            out.push(field_type.id());
            last = measurement;
        }
        varint::write_bytes(&self.groups, &mut out);
        out.extend(self.group_starts.iter().flat_map(|start| start.to_le_bytes()));
        out
    }
}

/// Where the block that begins at `row` ends.
fn block_end(row: usize, rows: usize, columns: &[(u32, &Column)]) -> usize {
    let mut end = rows.min(row + MAX_ROWS);
    for (_, column) in columns {
        let Values::String(texts) = &column.values else { continue };
        let mut text = 0;
        for at in row..end {
            text += texts.get(at).len();
            if text > BLOCK_TEXT && at > row {
                end = at;
                break;
            }
        }
    }
    end
}
