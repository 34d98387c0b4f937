//! Reading a block file's footer and index.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::{Field, FileMeta, GROUP, magic};
use crate::catalog::{Named, NewName};
use crate::codec::DecodeError;
use crate::codec::checksum::crc32c;
use crate::codec::varint::Reader;
use crate::hash::Set;
use crate::model::SeriesKey;
use crate::order::sort_by;
use crate::store::block::{self, BlockEntry};
use crate::time::TimeRange;
use crate::value::FieldType;

/// The last bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footer {
    pub index_offset: u64,
    pub index_len: u32,
    index_checksum: u32,
    pub series: u32,
    pub blocks: u32,
    pub rows: u64,
    pub values: u64,
    /// Empty when there are no rows.
    pub times: TimeRange,
    pub min_sequence: u64,
    pub max_sequence: u64,
}

impl Footer {
    /// Bytes of a footer.
    pub const LEN: usize = 84;

    /// Reads the footer from `tail`, at least the last [`LEN`](Self::LEN) bytes of a file of `file_len` bytes.
    pub fn parse(tail: &[u8], file_len: u64) -> Result<Self, DecodeError> {
        let short = DecodeError { what: "file too short", offset: 0 };
        let (_, bytes) = tail.split_last_chunk::<{ Self::LEN }>().ok_or(short)?;
        let base = file_len.checked_sub(Self::LEN as u64).ok_or(short)?;
        Self::read(bytes, base).map_err(|error| error.shifted(base))
    }

    fn read(bytes: &[u8; Self::LEN], base: u64) -> Result<Self, DecodeError> {
        const SHORT: &str = "footer cut short";
        let mut reader = Reader::new(bytes);
        let footer = Self {
            index_offset: reader.u64(SHORT)?,
            index_len: reader.u32(SHORT)?,
            index_checksum: reader.u32(SHORT)?,
            series: reader.u32(SHORT)?,
            blocks: reader.u32(SHORT)?,
            rows: reader.u64(SHORT)?,
            values: reader.u64(SHORT)?,
            times: TimeRange::new(reader.u64(SHORT)? as i64, reader.u64(SHORT)? as i64),
            min_sequence: reader.u64(SHORT)?,
            max_sequence: reader.u64(SHORT)?,
        };
        let covered = reader.offset();
        let checksum = reader.u32(SHORT)?;
        // The magic first: it tells another kind of file, or a newer one, from a broken one.
        let before = reader.clone();
        let found = reader.array::<8>(SHORT)?;
        if found[..6] != magic()[..6] {
            return Err(before.error("not a block file"));
        }
        if found != magic() {
            return Err(before.error("unknown version of block file"));
        }
        if crc32c(&bytes[..covered]) != checksum {
            return Err(DecodeError { what: "footer's checksum mismatch", offset: 0 });
        }
        if footer.index_offset < magic().len() as u64
            || footer.index_offset.checked_add(u64::from(footer.index_len)) != Some(base)
        {
            return Err(DecodeError { what: "index outside the file", offset: 0 });
        }
        Ok(footer)
    }
}

/// The index of a file: its bytes as they are, and where things are in them. Cloning shares the bytes.
///
/// Series are numbered by key order; such a number is a slot. Offsets in errors count from the start of the file.
#[derive(Clone, Debug)]
pub struct FileIndex {
    bytes: Bytes,
    footer: Footer,
    meta: FileMeta,
    fields: Vec<Field>,
    groups: Range<usize>,
    group_starts: Range<usize>,
    /// Keys and their slots in order, where some have another name than in the bytes.
    renamed: Option<Arc<[(Box<[u8]>, u32)]>>,
    fields_renamed: bool,
}

impl FileIndex {
    /// Takes the `index_len` bytes at `index_offset` and checks their checksum.
    pub fn parse(bytes: Bytes, footer: Footer) -> Result<Self, DecodeError> {
        let base = footer.index_offset;
        if bytes.len() != footer.index_len as usize {
            return Err(DecodeError { what: "index of another length", offset: base });
        }
        if crc32c(&bytes) != footer.index_checksum {
            return Err(DecodeError { what: "index's checksum mismatch", offset: base });
        }
        Self::read(bytes, footer).map_err(|error| error.shifted(base))
    }

    /// Reads footer and index of a file that is there as a whole.
    pub fn open(file: &Bytes) -> Result<Self, DecodeError> {
        let footer = Footer::parse(file, file.len() as u64)?;
        // The footer was checked to begin where its index ends, so both are inside the file.
        let start = footer.index_offset as usize;
        Self::parse(file.slice(start..start + footer.index_len as usize), footer)
    }

    fn read(bytes: Bytes, footer: Footer) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(&bytes);
        let database = reader.text("database missing")?.to_owned();
        let retention_policy = reader.text("retention policy missing")?.to_owned();
        let min = reader.signed("shard missing")?;
        let max = min.wrapping_add_unsigned(reader.varint("shard missing")?);
        let Footer { min_sequence, max_sequence, .. } = footer;
        let meta = FileMeta { database, retention_policy, shard: TimeRange::new(min, max), min_sequence, max_sequence };
        let fields = read_fields(&mut reader)?;
        let groups_len = reader.length(reader.remaining(), "groups missing")?;
        let start = reader.offset();
        reader.take(groups_len, "groups cut short")?;
        let groups = start..reader.offset();
        reader.take((footer.series as usize).div_ceil(GROUP).saturating_mul(4), "group starts cut short")?;
        let group_starts = groups.end..reader.offset();
        reader.finish()?;
        Ok(Self { bytes, footer, meta, fields, groups, group_starts, renamed: None, fields_renamed: false })
    }

    pub const fn footer(&self) -> &Footer {
        &self.footer
    }

    pub const fn meta(&self) -> &FileMeta {
        &self.meta
    }

    /// The field table, by field number: grouped by measurement, in order of first use. A field whose name another one
    /// took, which is only done when it has no value left, has neither measurement nor name.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    pub const fn series_count(&self) -> u32 {
        self.footer.series
    }

    /// Bytes this keeps in memory, roughly; the index's own included.
    pub fn heap_bytes(&self) -> usize {
        let texts: usize = self.fields.iter().map(|field| field.measurement.len() + field.name.len()).sum();
        self.bytes.len() + self.fields.capacity() * size_of::<Field>() + texts
    }

    /// The key in a slot.
    pub fn series(&self, slot: u32) -> Result<Vec<u8>, DecodeError> {
        Ok(self.record(slot)?.0.key)
    }

    /// All keys, ascending.
    pub const fn series_keys(&self) -> SeriesKeys<'_> {
        let group = Group { index: self, reader: Reader::new(&[]), base: 0, offset: 0, key: Vec::new() };
        SeriesKeys { group, next: 0 }
    }

    /// The keys without the first so many.
    pub fn series_keys_from(&self, first: u32) -> Result<SeriesKeys<'_>, DecodeError> {
        let mut keys = self.series_keys();
        if self.renamed.is_some() {
            keys.next = first;
            return Ok(keys);
        }
        keys.next = first - first % GROUP as u32;
        while keys.next < first && keys.next()?.is_some() {}
        Ok(keys)
    }

    /// Keys in order, each with its slot, once some were [renamed](Self::rename).
    pub fn renamed_keys(&self) -> Option<&[(Box<[u8]>, u32)]> {
        self.renamed.as_deref()
    }

    /// Whether something here has another name than in the bytes.
    pub fn is_renamed(&self) -> bool {
        self.renamed.is_some() || self.fields_renamed
    }

    /// The index as the file has it.
    pub fn original(&self) -> Result<Self, DecodeError> {
        Self::read(self.bytes.clone(), self.footer.clone())
    }

    /// Gives what lies here another name. What had that name before has no point left, and none at all from now on. Whether
    /// there was something to do.
    pub fn rename(&mut self, name: &NewName) -> Result<bool, DecodeError> {
        let of_measurement = |field: &Field| field.measurement == name.measurement;
        if !self.fields.iter().any(of_measurement) {
            return Ok(false);
        }
        if name.what == Named::Field {
            let mut any = false;
            for field in self.fields.iter_mut().filter(|field| of_measurement(field)) {
                if field.name == name.to {
                    (field.measurement, field.name) = (String::new(), String::new());
                } else if field.name == name.from {
                    field.name.clone_from(&name.to);
                    any = true;
                }
            }
            self.fields_renamed |= any;
            return Ok(any);
        }
        let (mut kept, mut renamed) = (Vec::new(), Vec::new());
        let mut keys = self.series_keys();
        while let Some((slot, key)) = keys.next()? {
            let damaged = DecodeError { what: "series key not canonical", offset: u64::from(slot) };
            let canonical = SeriesKey::from_canonical(key).ok_or(damaged)?;
            match name.key(&canonical) {
                Some(key) => renamed.push((Box::from(key.as_bytes()), slot)),
                None => kept.push((Box::from(key), slot)),
            }
        }
        if renamed.is_empty() {
            return Ok(false);
        }
        let taken: Set<Box<[u8]>> = renamed.iter().map(|(key, _): &(Box<[u8]>, u32)| key.clone()).collect();
        kept.retain(|(key, _): &(Box<[u8]>, u32)| !taken.contains(key));
        kept.append(&mut renamed);
        sort_by(&mut kept, |a, b| a.0.cmp(&b.0));
        self.renamed = Some(kept.into());
        if name.what == Named::Measurement {
            for field in &mut self.fields {
                if field.measurement == name.to {
                    (field.measurement, field.name) = (String::new(), String::new());
                } else if field.measurement == name.from {
                    field.measurement.clone_from(&name.to);
                }
            }
        }
        Ok(true)
    }

    /// The slot of a key.
    pub fn find(&self, key: &[u8]) -> Result<Option<u32>, DecodeError> {
        let (slot, found) = self.seek(key)?;
        Ok(found.then_some(slot))
    }

    /// The first slot whose key is not below `key`, and whether it is that key.
    pub fn seek(&self, key: &[u8]) -> Result<(u32, bool), DecodeError> {
        let series = self.footer.series as usize;
        // The last group whose first key is not above `key`.
        let (mut low, mut high) = (0, series.div_ceil(GROUP));
        while low < high {
            let middle = low.midpoint(high);
            let mut group = self.group(middle)?;
            group.next()?;
            if &*group.key <= key { low = middle + 1 } else { high = middle }
        }
        let Some(number) = low.checked_sub(1) else { return Ok((0, false)) };
        let mut group = self.group(number)?;
        let end = ((number + 1) * GROUP).min(series);
        for slot in number * GROUP..end {
            group.next()?;
            if &*group.key >= key {
                return Ok((slot as u32, &*group.key == key));
            }
        }
        Ok((end as u32, false))
    }

    /// The blocks of a slot, by time.
    pub fn blocks(&self, slot: u32) -> Result<Blocks<'_>, DecodeError> {
        let (_, record) = self.record(slot)?;
        Ok(Blocks {
            index: self,
            reader: Reader::new(&self.bytes[record.entries.clone()]),
            base: self.footer.index_offset + record.entries.start as u64,
            before: None,
            offset: record.offset,
            end: record.end,
        })
    }

    fn group(&self, number: usize) -> Result<Group<'_>, DecodeError> {
        let outside = DecodeError { what: "group outside the index", offset: self.footer.index_offset };
        let (starts, _) = self.bytes[self.group_starts.clone()].as_chunks::<4>();
        let start = u32::from_le_bytes(*starts.get(number).ok_or(outside)?) as usize;
        let bytes = self.bytes[self.groups.clone()].get(start..).ok_or(outside)?;
        let base = self.groups.start + start;
        let mut group = Group { index: self, reader: Reader::new(bytes), base, offset: 0, key: Vec::new() };
        group.offset = group.reader.varint("group cut short").map_err(|error| group.shift(error))?;
        Ok(group)
    }

    /// The record in a slot, and the group just after it.
    fn record(&self, slot: u32) -> Result<(Group<'_>, Record), DecodeError> {
        if slot >= self.footer.series {
            return Err(DecodeError { what: "no such series", offset: self.footer.index_offset });
        }
        let mut group = self.group(slot as usize / GROUP)?;
        for _ in 0..slot as usize % GROUP {
            group.next()?;
        }
        let record = group.next()?;
        Ok((group, record))
    }
}

fn read_fields(reader: &mut Reader<'_>) -> Result<Vec<Field>, DecodeError> {
    // A field is three bytes at least.
    let count = reader.length(reader.remaining() / 3, "more fields than bytes")?;
    let mut fields: Vec<Field> = Vec::new();
    for _ in 0..count {
        let measurement = match (reader.text("measurement missing")?, fields.last()) {
            ("", Some(last)) => last.measurement.clone(),
            (measurement, _) => measurement.to_owned(),
        };
        let name = reader.text("field name missing")?.to_owned();
        let field_type = FieldType::from_id(reader.byte("field type missing")?);
        let field_type = field_type.ok_or_else(|| reader.error("unknown field type"))?;
        fields.push(Field { measurement, name, field_type });
    }
    Ok(fields)
}

/// A place in a group, and the key of the record before it.
#[derive(Clone, Debug)]
struct Group<'a> {
    index: &'a FileIndex,
    reader: Reader<'a>,
    /// Where the reader began, in the index.
    base: usize,
    /// Where the next series' columns begin, in the file.
    offset: u64,
    key: Vec<u8>,
}

/// One series: its entries in the index, its columns in the file.
struct Record {
    entries: Range<usize>,
    offset: u64,
    end: u64,
}

impl Group<'_> {
    /// Reads a record; its key is then in `key`.
    fn next(&mut self) -> Result<Record, DecodeError> {
        self.read().map_err(|error| self.shift(error))
    }

    const fn shift(&self, error: DecodeError) -> DecodeError {
        error.shifted(self.index.footer.index_offset + self.base as u64)
    }

    fn read(&mut self) -> Result<Record, DecodeError> {
        let reader = &mut self.reader;
        let shared = reader.length(self.key.len(), "key shares more than there is")?;
        let suffix = reader.bytes("key cut short")?;
        self.key.truncate(shared);
        self.key.extend_from_slice(suffix);
        let len = reader.varint("length of columns missing")?;
        let entries_len = reader.length(reader.remaining(), "length of entries missing")?;
        let start = self.base + reader.offset();
        reader.take(entries_len, "entries cut short")?;
        let offset = self.offset;
        let end = offset.checked_add(len).filter(|end| *end <= self.index.footer.index_offset);
        self.offset = end.ok_or_else(|| reader.error("columns outside the file"))?;
        Ok(Record { entries: start..start + entries_len, offset, end: self.offset })
    }
}

/// The keys of a file in order, without a copy of each.
#[derive(Clone, Debug)]
pub struct SeriesKeys<'a> {
    group: Group<'a>,
    next: u32,
}

impl SeriesKeys<'_> {
    /// The next slot and its key; `None` after the last.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend its own buffer")]
    pub fn next(&mut self) -> Result<Option<(u32, &[u8])>, DecodeError> {
        if let Some(renamed) = &self.group.index.renamed {
            let found = renamed.get(self.next as usize);
            self.next += u32::from(found.is_some());
            return Ok(found.map(|(key, slot)| (*slot, &**key)));
        }
        let slot = self.next;
        if slot >= self.group.index.footer.series {
            return Ok(None);
        }
        if (slot as usize).is_multiple_of(GROUP) {
            self.group = self.group.index.group(slot as usize / GROUP)?;
        }
        self.group.next()?;
        self.next += 1;
        Ok(Some((slot, &self.group.key)))
    }
}

/// The blocks of one series by time. After an error there is nothing more.
#[derive(Clone, Debug)]
pub struct Blocks<'a> {
    index: &'a FileIndex,
    reader: Reader<'a>,
    /// Where the reader began, in the file.
    base: u64,
    /// The last time of the block before.
    before: Option<i64>,
    /// Where the next block's columns begin, and where the series' end.
    offset: u64,
    end: u64,
}

impl Blocks<'_> {
    fn read(&mut self) -> Result<BlockEntry, DecodeError> {
        let fields = &self.index.fields;
        let type_of = |field: u32| fields.get(field as usize).map(|field| field.field_type);
        let after = self.before.unwrap_or(self.index.meta.shard.min);
        let entry = block::read_entry(&mut self.reader, after, self.offset, type_of)?;
        if self.before.is_some_and(|before| entry.min_time <= before) {
            return Err(self.reader.error("blocks out of order"));
        }
        self.before = Some(entry.max_time);
        self.offset = entry.range().end();
        let done = self.reader.remaining() == 0;
        if self.offset > self.end || (done && self.offset != self.end) {
            return Err(self.reader.error("blocks do not fit the columns of their series"));
        }
        Ok(entry)
    }
}

impl Iterator for Blocks<'_> {
    type Item = Result<BlockEntry, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.remaining() == 0 {
            return None;
        }
        let entry = self.read().map_err(|error| error.shifted(self.base));
        if entry.is_err() {
            self.reader.rest();
        }
        Some(entry)
    }
}
