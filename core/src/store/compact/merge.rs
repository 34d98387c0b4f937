//! Block files of one shard into one, a slice at a time: what the job of a compaction does.
//!
//! Series by series in the order of keys. A series' blocks wait in the order of their first times; the first that waits
//! is the *horizon*, and rows of decoded blocks before it are settled: of the values of one field and time that of the
//! latest file stays. A block that nothing overlaps, of which nothing is deleted and that is full enough, is copied as
//! bytes; others are gathered into full blocks. So memory holds a slice of the file, its index, and of the series at hand
//! one block of each file.

use crate::codec::DecodeError;
use crate::hash::Map;
use crate::model::Column;
use crate::order::sort_by;
use crate::store::block::{BlockEntry, BlockReader, FileSlice, MAX_ROWS};
use crate::store::blockfile::{BlockFileWriter, Field, FileIndex, FileMeta, Footer};
use crate::store::layout::ByteRange;
use crate::store::snapshot::BlockFile;
use crate::store::tombstone::{Cuts, Masks, left_of, mask_of, masked, uncut};
use crate::value::FieldType;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// A block of so many rows is worth copying as it is.
const FULL_ROWS: u32 = (MAX_ROWS / 2) as u32;
/// Gathered rows that are written, but for the last few.
const GATHERED: usize = 4 * MAX_ROWS;

pub(in crate::store) type Read<'a> = &'a mut dyn FnMut(&ByteRange) -> Result<Bytes, String>;

/// A compaction under way.
pub(in crate::store) struct Merge {
    inputs: Vec<Input>,
    writer: BlockFileWriter,
    hash: Xxh3,
    len: u64,
    /// Fields of all inputs, each once.
    fields: Vec<Field>,
    /// Bytes read in this slice.
    moved: usize,
    /// Bytes read and written after which it ends, between two series.
    slice: usize,
}

impl std::fmt::Debug for Merge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Merge").field("len", &self.len).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Input {
    file: Arc<BlockFile>,
    /// Series before the next one, in the order of keys.
    next: u32,
    /// The number among all fields of each of the file's.
    fields: Vec<u32>,
}

/// What a slice came to.
#[derive(Debug)]
pub(in crate::store) struct Slice {
    /// To be appended to the file.
    pub(in crate::store) bytes: Bytes,
    /// Bytes read and written.
    pub(in crate::store) moved: u64,
    pub(in crate::store) then: Then,
}

#[derive(Debug)]
pub(in crate::store) enum Then {
    More(Box<Merge>),
    End {
        hash: u128,
        len: u64,
        index: Box<FileIndex>,
    },
    /// Nothing is left: there is no file.
    Nothing,
}

/// A block that waits.
struct Waiting {
    input: usize,
    entry: BlockEntry,
    cuts: Cuts,
    masks: Masks,
}

/// Rows of a decoded block from `at` on.
struct Loaded {
    input: usize,
    at: usize,
    rows: Rows,
}

/// Rows, and columns by number among all fields.
#[derive(Default)]
struct Rows {
    times: Vec<i64>,
    columns: Vec<(u32, Column)>,
}

impl Merge {
    /// `files` of one shard, oldest first, at least one.
    pub(in crate::store) fn new(files: Vec<Arc<BlockFile>>, slice: usize) -> Self {
        let metas = || files.iter().map(|file| file.index.meta());
        let meta = FileMeta {
            min_sequence: metas().map(|meta| meta.min_sequence).min().unwrap_or_default(),
            max_sequence: metas().map(|meta| meta.max_sequence).max().unwrap_or_default(),
            ..metas().next().expect("there is a file").clone()
        };
        let mut fields: Vec<Field> = Vec::new();
        let mut known: Map<(String, String, u8), u32> = Map::default();
        let inputs = files.into_iter().map(|file| {
            let number = |field: &Field| {
                let key = (field.measurement.clone(), field.name.clone(), field.field_type.id());
                *known.entry(key).or_insert_with(|| {
                    fields.push(field.clone());
                    fields.len() as u32 - 1
                })
            };
            let fields = file.index.fields().iter().map(number).collect();
            Input { file, next: 0, fields }
        });
        let inputs = inputs.collect();
        Self { inputs, writer: BlockFileWriter::new(meta), hash: Xxh3::new(), len: 0, fields, moved: 0, slice }
    }

    /// Does a slice.
    pub(in crate::store) fn run(mut self: Box<Self>, read: Read<'_>) -> Result<Slice, String> {
        self.moved = 0;
        let more = self.step(read)?;
        let moved = (self.moved + self.writer.len()) as u64;
        if more {
            let bytes = self.writer.take();
            self.hash.update(&bytes);
            self.len += bytes.len() as u64;
            return Ok(Slice { bytes: bytes.into(), moved, then: Then::More(self) });
        }
        if self.writer.is_empty() {
            return Ok(Slice { bytes: Bytes::new(), moved, then: Then::Nothing });
        }
        let Self { writer, mut hash, len: before, .. } = *self;
        let bytes = Bytes::from(writer.finish());
        hash.update(&bytes);
        let len = before + bytes.len() as u64;
        let footer = Footer::parse(&bytes, len).expect("it was written just now");
        let start = (footer.index_offset - before) as usize;
        let index = Bytes::copy_from_slice(&bytes[start..start + footer.index_len as usize]);
        let index = Box::new(FileIndex::parse(index, footer).expect("it was written just now"));
        Ok(Slice { bytes, moved, then: Then::End { hash: hash.digest128(), len, index } })
    }

    /// Series until the slice is full; `false` when there are no more.
    fn step(&mut self, read: Read<'_>) -> Result<bool, String> {
        let files: Vec<Arc<BlockFile>> = self.inputs.iter().map(|input| Arc::clone(&input.file)).collect();
        let damaged = |input: usize| {
            let name = files[input].name.to_string();
            move |error: DecodeError| format!("{name}: {error}")
        };
        let mut keys = Vec::with_capacity(files.len());
        for (at, file) in files.iter().enumerate() {
            keys.push(file.index.series_keys_from(self.inputs[at].next).map_err(damaged(at))?);
        }
        let mut heads: Vec<Option<(Vec<u8>, u32)>> = Vec::with_capacity(files.len());
        for (at, keys) in keys.iter_mut().enumerate() {
            let next = keys.next().map_err(damaged(at))?;
            heads.push(next.map(|(slot, key)| (key.to_vec(), slot)));
        }
        while self.moved + self.writer.len() < self.slice {
            let Some(key) = heads.iter().flatten().map(|(key, _)| key).min().cloned() else { return Ok(false) };
            let mut waiting = Vec::new();
            for at in 0..files.len() {
                let Some((_, slot)) = heads[at].as_ref().filter(|(head, _)| *head == key) else { continue };
                self.wait_for(at, *slot, &mut waiting).map_err(damaged(at))?;
                self.inputs[at].next += 1;
                let next = keys[at].next().map_err(damaged(at))?;
                match (next, &mut heads[at]) {
                    (Some((next, key)), Some((head, slot))) => {
                        head.clear();
                        head.extend_from_slice(key);
                        *slot = next;
                    }
                    (_, head) => *head = None,
                }
            }
            self.writer.begin(&key);
            self.series(waiting, read)?;
            self.writer.end();
        }
        Ok(true)
    }

    /// The blocks of a series of an input, but for those that are deleted whole.
    fn wait_for(&self, input: usize, slot: u32, waiting: &mut Vec<Waiting>) -> Result<(), DecodeError> {
        let file = &self.inputs[input].file;
        let (deleted, masks) = (file.deleted.cuts(slot), file.deleted.masks(slot));
        for entry in file.index.blocks(slot)? {
            let entry = entry?;
            if let Some(cuts) = left_of(&deleted, &masks, &entry) {
                waiting.push(Waiting { input, entry, cuts, masks: masks.clone() });
            }
        }
        Ok(())
    }

    fn series(&mut self, mut waiting: Vec<Waiting>, read: Read<'_>) -> Result<(), String> {
        // Stable: blocks that begin together stay in the order of their files.
        sort_by(&mut waiting, |a, b| a.entry.min_time.cmp(&b.entry.min_time));
        let mut waiting = VecDeque::from(waiting);
        let mut loaded: Vec<Loaded> = Vec::new();
        let mut gathered = Rows::default();
        loop {
            let horizon = waiting.front().map(|block| block.entry.min_time);
            settle(&mut loaded, horizon, &mut gathered);
            if gathered.times.len() >= GATHERED {
                self.write(&mut gathered, false);
            }
            let Some(block) = waiting.pop_front() else { break };
            let alone =
                loaded.is_empty() && waiting.front().is_none_or(|next| block.entry.max_time < next.entry.min_time);
            let bytes = self.fetch(&block, read)?;
            let whole = block.cuts.is_empty() && block.masks.is_empty() && self.is_named(&block);
            if alone && whole && block.entry.rows >= FULL_ROWS {
                self.write(&mut gathered, true);
                self.copy(&block, &bytes)?;
                continue;
            }
            let rows = self.decode(&block, &bytes)?;
            // Of equal times the later file's come later.
            let at = loaded.partition_point(|other| other.input <= block.input);
            loaded.insert(at, Loaded { input: block.input, at: 0, rows });
        }
        self.write(&mut gathered, true);
        Ok(())
    }

    /// Whether each of a block's columns still has a name.
    fn is_named(&self, block: &Waiting) -> bool {
        let fields = self.inputs[block.input].file.index.fields();
        !block.entry.columns.iter().any(|column| fields[column.field as usize].name.is_empty())
    }

    fn fetch(&mut self, block: &Waiting, read: Read<'_>) -> Result<Bytes, String> {
        let range = block.entry.range();
        let file = &self.inputs[block.input].file.name;
        let len = u32::try_from(range.len).map_err(|_| format!("{file}: a block of {} bytes", range.len))?;
        self.moved += len as usize;
        if len == 0 {
            // Regular times and no column: nothing this program writes, and nothing to read.
            return Ok(Bytes::new());
        }
        read(&ByteRange { file: file.clone(), offset: range.offset, len })
    }

    fn decode(&self, block: &Waiting, bytes: &[u8]) -> Result<Rows, String> {
        let Input { file, fields, .. } = &self.inputs[block.input];
        let damaged = |error: DecodeError| format!("{}: {error}", file.name);
        let entry = &block.entry;
        let reader = BlockReader::new(entry, FileSlice { offset: entry.range().offset, bytes }).map_err(damaged)?;
        let mut rows = Rows::default();
        reader.times(&mut rows.times).map_err(damaged)?;
        let kept = (!block.cuts.is_empty()).then(|| uncut(&block.cuts, &rows.times));
        let names = file.index.fields();
        for column in entry.columns.iter().filter(|column| !names[column.field as usize].name.is_empty()) {
            let Some(hidden) = mask_of(&block.masks, column) else { continue };
            let mut decoded = Column::new(column.field_type);
            reader.column(column, &mut decoded).map_err(damaged)?;
            if !hidden.is_empty() {
                decoded = masked(&decoded, &rows.times, hidden);
            }
            if let Some(kept) = &kept {
                decoded = decoded.gather(kept);
            }
            if decoded.count() > 0 {
                rows.columns.push((fields[column.field as usize], decoded));
            }
        }
        if let Some(kept) = &kept {
            rows.times = kept.iter().map(|row| rows.times[*row as usize]).collect();
        }
        if !block.masks.is_empty() {
            rows.leave_out_empty();
        }
        Ok(rows)
    }

    fn copy(&mut self, block: &Waiting, bytes: &[u8]) -> Result<(), String> {
        let Input { file, fields, .. } = &self.inputs[block.input];
        let names =
            block.entry.columns.iter().map(|column| self.fields[fields[column.field as usize] as usize].name.as_str());
        let names: Vec<&str> = names.collect();
        self.writer.copy(&block.entry, bytes, &names).ok_or_else(|| format!("{}: a block cut short", file.name))
    }

    /// Writes gathered rows, all of them or only full blocks.
    fn write(&mut self, gathered: &mut Rows, all: bool) {
        let len = gathered.times.len();
        let rows = if all { len } else { len / MAX_ROWS * MAX_ROWS };
        if rows == 0 {
            return;
        }
        let columns: Vec<(&str, &Column)> = gathered
            .columns
            .iter()
            .map(|(field, column)| (self.fields[*field as usize].name.as_str(), column))
            .collect();
        self.writer.rows(&gathered.times, &columns, rows);
        let rest: Vec<u32> = (rows as u32..len as u32).collect();
        gathered.times.drain(..rows);
        for (_, column) in &mut gathered.columns {
            *column = column.gather(&rest);
        }
        gathered.columns.retain(|(_, column)| column.count() > 0);
    }
}

/// Moves rows before the horizon to those that are gathered.
fn settle(loaded: &mut Vec<Loaded>, horizon: Option<i64>, gathered: &mut Rows) {
    let before = |time: i64| horizon.is_none_or(|horizon| time < horizon);
    loop {
        loaded.retain(|block| block.at < block.rows.times.len());
        let Some(head) = loaded.iter().map(|block| block.rows.times[block.at]).min().filter(|head| before(*head))
        else {
            return;
        };
        if let [block] = loaded.as_mut_slice() {
            let end = block.at + block.rows.times[block.at..].partition_point(|time| before(*time));
            gathered.extend(&block.rows, block.at..end);
            block.at = end;
            continue;
        }
        gathered.times.push(head);
        let rows = gathered.times.len();
        for block in loaded.iter_mut().rev().filter(|block| block.rows.times[block.at] == head) {
            for (field, column) in &block.rows.columns {
                if let value @ Some(_) = column.get(block.at) {
                    let (_, into) = gathered.column(*field, column.field_type());
                    // The latest file comes first, and its value stays.
                    if into.len() < rows {
                        into.extend_absent(rows - 1 - into.len());
                        into.push(value);
                    }
                }
            }
            block.at += 1;
        }
        gathered.pad();
    }
}

impl Rows {
    fn column(&mut self, field: u32, field_type: FieldType) -> &mut (u32, Column) {
        let at = self.columns.iter().position(|(known, _)| *known == field).unwrap_or_else(|| {
            self.columns.push((field, Column::new(field_type)));
            self.columns.len() - 1
        });
        &mut self.columns[at]
    }

    fn extend(&mut self, rows: &Self, range: std::ops::Range<usize>) {
        let before = self.times.len();
        self.times.extend_from_slice(&rows.times[range.clone()]);
        for (field, column) in &rows.columns {
            let (_, into) = self.column(*field, column.field_type());
            into.extend_absent(before - into.len());
            range.clone().for_each(|row| into.push(column.get(row)));
        }
        self.pad();
    }

    /// Leaves out rows without any value.
    fn leave_out_empty(&mut self) {
        let has_value = |row: &u32| self.columns.iter().any(|(_, column)| column.get(*row as usize).is_some());
        let kept: Vec<u32> = (0..self.times.len() as u32).filter(has_value).collect();
        if kept.len() < self.times.len() {
            self.times = kept.iter().map(|row| self.times[*row as usize]).collect();
            self.columns.iter_mut().for_each(|(_, column)| *column = column.gather(&kept));
        }
    }

    /// Fills up columns that the last rows did not have.
    fn pad(&mut self) {
        let rows = self.times.len();
        self.columns.iter_mut().for_each(|(_, column)| column.extend_absent(rows - column.len()));
    }
}
