//! Writing a block file.

use super::{Field, FileMeta, Footer, GROUP, magic};
use crate::codec::MAX_TEXT;
use crate::codec::checksum::crc32c;
use crate::codec::varint;
use crate::hash::Map;
use crate::model::{Column, SeriesKey, Values};
use crate::order::sort_by;
use crate::store::block::{self, MAX_ROWS};
use crate::time::TimeRange;
use crate::value::FieldType;

/// Text of one column in one block, unless a single text is longer.
const BLOCK_TEXT: usize = MAX_TEXT / 8;

/// Builds one file in memory. Equal pushes give equal bytes.
#[derive(Debug)]
pub struct BlockFileWriter {
    meta: FileMeta,
    file: Vec<u8>,
    groups: Vec<u8>,
    group_starts: Vec<u32>,
    entries: Vec<u8>,
    fields: Vec<Field>,
    measurement: Measurement,
    last_key: Vec<u8>,
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
            groups: Vec::new(),
            group_starts: Vec::new(),
            entries: Vec::new(),
            fields: Vec::new(),
            measurement: Measurement::default(),
            last_key: Vec::new(),
            series: 0,
            blocks: 0,
            rows: 0,
            values: 0,
            times: TimeRange::new(i64::MAX, i64::MIN),
        }
    }

    /// Bytes so far, for those who bound the size of a file.
    pub const fn len(&self) -> usize {
        self.file.len() + self.groups.len()
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
        assert!(self.series == 0 || key > &*self.last_key, "series are pushed in ascending order");
        assert!(times.is_sorted_by(|a, b| a < b), "times of a series ascend strictly");
        assert!(fields.iter().all(|(_, column)| column.len() == times.len()), "columns are as long as the times");
        let (Some(first), Some(last)) = (times.first(), times.last()) else { return };
        self.times.min = self.times.min.min(*first);
        self.times.max = self.times.max.max(*last);

        let columns = self.number(key, fields);
        let start = self.file.len();
        let mut after = self.meta.shard.min;
        let mut row = 0;
        while row < times.len() {
            let end = block_end(row, times.len(), &columns);
            let entry = block::encode(times, &columns, row..end, &mut self.file);
            block::write_entry(&entry, after, &mut self.entries);
            self.blocks += 1;
            self.values += entry.columns.iter().map(|column| u64::from(column.count)).sum::<u64>();
            after = entry.max_time;
            row = end;
        }
        self.rows += times.len() as u64;
        self.write_series(key, start);
    }

    pub fn finish(mut self) -> Vec<u8> {
        let index_offset = self.file.len() as u64;
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

    /// The columns that have values, with their field numbers, by number.
    fn number<'a>(&mut self, key: &[u8], fields: &[(&str, &'a Column)]) -> Vec<(u32, &'a Column)> {
        let prefix_len = memchr::memchr(0, key).map_or(0, |end| end + 1);
        let prefix = &key[..prefix_len];
        if self.measurement.prefix != prefix {
            let key = SeriesKey::from_canonical(prefix).expect("series keys are canonical");
            self.measurement =
                Measurement { name: key.measurement().into_owned(), prefix: prefix.to_vec(), numbers: Map::default() };
        }
        let Measurement { name: measurement, numbers, .. } = &mut self.measurement;
        let mut columns: Vec<_> = fields
            .iter()
            .filter(|(_, column)| column.count() > 0)
            .map(|(name, column)| {
                let field_type = column.field_type();
                let slot = usize::from(field_type.id());
                if let Some(Some(number)) = numbers.get(*name).map(|numbers| numbers[slot]) {
                    return (number, *column);
                }
                let number = self.fields.len() as u32;
                numbers.entry((*name).to_owned()).or_default()[slot] = Some(number);
                self.fields.push(Field { measurement: measurement.clone(), name: (*name).to_owned(), field_type });
                (number, *column)
            })
            .collect();
        sort_by(&mut columns, |a, b| a.0.cmp(&b.0));
        columns
    }

    /// Appends the series' record, whose columns begin at `start`.
    fn write_series(&mut self, key: &[u8], start: usize) {
        let shared = if (self.series as usize).is_multiple_of(GROUP) {
            self.group_starts.push(u32::try_from(self.groups.len()).expect("an index stays below 4 GiB"));
            varint::write(start as u64, &mut self.groups);
            0
        } else {
            key.iter().zip(&self.last_key).take_while(|(a, b)| a == b).count()
        };
        varint::write(shared as u64, &mut self.groups);
        varint::write_bytes(&key[shared..], &mut self.groups);
        varint::write((self.file.len() - start) as u64, &mut self.groups);
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
