//! A block: one series over a run of time. One time column is shared by the fields, each field has a column of its own,
//! and what a query asks most (count, min, max, first, last, sum) is in the block's entry in the index.
//!
//! A block's bytes in the file are its columns end to end: the times, then the fields by field number.
//!
//! | column | bytes |
//! |---|---|
//! | times | nothing when regular (start, step and count are in the entry), else [`times`] |
//! | field | which rows have a value ([`boolean`], left out when all have), then the present values ([`codec`]) |
//!
//! The entry, in the index of the file ([`blockfile`](super::blockfile)). Lengths and counts are varints, `span` is
//! below.
//!
//! | field | bytes | present |
//! |---|---|---|
//! | rows | varint, `rows * 2 + regular` | always |
//! | start | span, first time less the last time of the series' block before (of the shard's start) | always |
//! | step | span, between neighbours; 0 for one row | regular |
//! | length | span, last time less first time | not regular |
//! | times' bytes | varint | not regular |
//! | times' CRC-32C | 4 | not regular, not small |
//! | columns | varint, number of columns | always |
//! | for each column: field | varint, field number less the number after the previous column's | |
//! | bytes | varint, `bytes * 2 + full` | |
//! | values | varint, number of present values; span, first of their times less the block's first; span, the block's last time less the last of theirs | not full |
//! | CRC-32C | 4 | not small |
//! | statistics | see [`Stats`] | not small |
//! | CRC-32C | 4, of all the block's bytes | small |
//!
//! A small block has at most [`SMALL_ROWS`] rows. It is always read whole and decoding it costs no more than reading
//! statistics would, so it has none, and one checksum: ten points of one field cost about eight bytes of entry.
//!
//! A span is a varint of up to 66 bits, `n * 4 + unit`: n nanoseconds, microseconds, milliseconds or seconds for unit 0
//! to 3, the coarsest that fits.

use std::ops::Range;

use smallvec::SmallVec;

use crate::codec::checksum::crc32c;
use crate::codec::varint::{self, Reader};
use crate::codec::{self, DecodeError, boolean, float, times};
use crate::model::{Bitmap, Column, Strings, Values};
use crate::time::TimeRange;
use crate::value::FieldType;

/// The most rows of a block.
pub const MAX_ROWS: usize = 8192;

/// The most rows of a block without statistics and with one checksum.
pub const SMALL_ROWS: usize = 64;

/// Bytes of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByteRange {
    pub offset: u64,
    pub len: u64,
}

impl ByteRange {
    pub const fn end(self) -> u64 {
        self.offset + self.len
    }
}

/// What the index knows of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockEntry {
    pub min_time: i64,
    pub max_time: i64,
    pub rows: u32,
    /// Times are this far apart; `None` when they are not regular. 0 for one row.
    pub step: Option<u64>,
    /// Empty for regular times.
    pub times: ByteRange,
    /// By field number.
    pub columns: Vec<ColumnEntry>,
    pub(super) times_checksum: u32,
    /// Of all bytes of a small block.
    pub(super) checksum: u32,
}

impl BlockEntry {
    pub const fn time_range(&self) -> TimeRange {
        TimeRange::new(self.min_time, self.max_time)
    }

    /// Whether the block is read whole and has no statistics.
    pub const fn is_small(&self) -> bool {
        self.rows as usize <= SMALL_ROWS
    }

    /// All bytes of the block.
    pub fn range(&self) -> ByteRange {
        let end = self.columns.last().map_or(self.times, |column| column.range).end();
        ByteRange { offset: self.times.offset, len: end - self.times.offset }
    }

    /// The bytes [`BlockReader::times`] needs; empty for regular times.
    pub fn times_range(&self) -> ByteRange {
        if self.is_small() && self.step.is_none() { self.range() } else { self.times }
    }

    /// The bytes [`BlockReader::column`] needs.
    pub fn column_range(&self, column: &ColumnEntry) -> ByteRange {
        if self.is_small() { self.range() } else { column.range }
    }

    /// The column of a field, when the block has one.
    pub fn column(&self, field: u32) -> Option<&ColumnEntry> {
        self.columns.binary_search_by_key(&field, |column| column.field).ok().map(|at| &self.columns[at])
    }
}

/// What the index knows of one field in a block.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnEntry {
    /// Place in the file's field table.
    pub field: u32,
    pub field_type: FieldType,
    /// Rows that have a value; at least one.
    pub count: u32,
    /// The time of the first value present.
    pub first_time: i64,
    pub last_time: i64,
    /// `None` in small blocks: decode them.
    pub stats: Option<Stats>,
    pub range: ByteRange,
    pub(super) checksum: u32,
}

/// Statistics of the values present in a column, at least one.
///
/// | type | bytes |
/// |---|---|
/// | float | flags (1 finite, 2 sum, 4 exponent); min, max, first, last as short doubles; exponent (zigzag varint); sum (varint n, n doubles) |
/// | integer | min (zigzag varint); max, first, last less min (varints); sum (zigzag varint of 128 bits) |
/// | unsigned | min; max, first, last less min; sum (varint of 128 bits) |
/// | boolean | `first + 2 * last`; number of true (varint) |
/// | string | nothing |
///
/// A short double is a decimal exponent and a number (zigzag varint), or 255 and 8 bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Stats {
    Float(FloatStats),
    Integer { min: i64, max: i64, first: i64, last: i64, sum: i128 },
    Unsigned { min: u64, max: u64, first: u64, last: u64, sum: u128 },
    Boolean { first: bool, last: bool, trues: u32 },
    String,
}

/// Doubles whose exact, unrounded sum is the sum of a column.
pub type Expansion = SmallVec<[f64; 2]>;

#[derive(Clone, Debug, PartialEq)]
pub struct FloatStats {
    /// Of all values but NaN; NaN when there are only those. -0.0 is below 0.0.
    pub min: f64,
    pub max: f64,
    pub first: f64,
    pub last: f64,
    /// Neither NaN nor infinite, any of them.
    pub finite: bool,
    /// The least binary exponent of the finite values other than zero (`2^e <= |value|`), -1022 for subnormal ones:
    /// every finite value is a multiple of `2^(e - 52)`. `None` when there is no such value.
    pub min_exponent: Option<i16>,
    /// `None` when not all values are finite or a partial sum is not.
    pub sum: Option<Expansion>,
}

/// Part of a file: `bytes` begin `offset` bytes into it.
#[derive(Clone, Copy, Debug)]
pub struct FileSlice<'a> {
    pub offset: u64,
    pub bytes: &'a [u8],
}

impl<'a> FileSlice<'a> {
    fn get(self, range: ByteRange) -> Result<&'a [u8], DecodeError> {
        let missing = DecodeError { what: "column outside the bytes given", offset: range.offset };
        let start =
            range.offset.checked_sub(self.offset).and_then(|start| usize::try_from(start).ok()).ok_or(missing)?;
        let len = usize::try_from(range.len).map_err(|_| missing)?;
        let end = start.checked_add(len).ok_or(missing)?;
        self.bytes.get(start..end).ok_or(missing)
    }
}

/// Decodes the columns of one block, each after checking its checksum.
#[derive(Clone, Copy, Debug)]
pub struct BlockReader<'a> {
    entry: &'a BlockEntry,
    slice: FileSlice<'a>,
    is_checked: bool,
}

impl<'a> BlockReader<'a> {
    /// `slice` holds at least the ranges [`BlockEntry::times_range`] and [`BlockEntry::column_range`] of what will be
    /// asked for; a small block is checked here, once, unless only its regular times are wanted and `slice` is empty.
    pub fn new(entry: &'a BlockEntry, slice: FileSlice<'a>) -> Result<Self, DecodeError> {
        if entry.is_small() && !slice.bytes.is_empty() {
            check(slice.get(entry.range())?, entry.checksum, entry.range().offset)?;
        }
        Ok(Self { entry, slice, is_checked: false })
    }

    /// The same for bytes whose checksums were found right before: a block read part by part is checked once.
    pub const fn checked(entry: &'a BlockEntry, slice: FileSlice<'a>) -> Self {
        Self { entry, slice, is_checked: true }
    }

    /// Appends the times of all rows, strictly ascending from `min_time` to `max_time`.
    pub fn times(&self, out: &mut Vec<i64>) -> Result<(), DecodeError> {
        self.times_of(0..self.entry.rows as usize, out)
    }

    /// Appends the times of some rows, strictly ascending.
    pub fn times_of(&self, rows: Range<usize>, out: &mut Vec<i64>) -> Result<(), DecodeError> {
        let BlockEntry { min_time, max_time, times: range, .. } = *self.entry;
        let count = self.entry.rows as usize;
        if let Some(step) = self.entry.step {
            let wrong = DecodeError { what: "step out of range", offset: range.offset };
            return times::push_regular(min_time, step, count, rows, out).ok_or(wrong);
        }
        let bytes = self.slice.get(range)?;
        self.check(bytes, self.entry.times_checksum, range.offset)?;
        let from = out.len();
        let (begins, ends) = (rows.start == 0, rows.end == count);
        times::decode_part(bytes, count, rows, out).map_err(|error| error.shifted(range.offset))?;
        let first = out.get(from).is_some_and(|first| if begins { *first == min_time } else { *first > min_time });
        let last = out.last().is_some_and(|last| if ends { *last == max_time } else { *last < max_time });
        if first && last {
            return Ok(());
        }
        Err(DecodeError { what: "times are not those of the index", offset: range.offset })
    }

    /// Appends a row for each time of the block. `out` is of the column's type; on error it may hold some rows.
    pub fn column(&self, column: &ColumnEntry, out: &mut Column) -> Result<(), DecodeError> {
        self.column_of(column, 0..self.entry.rows as usize, out)
    }

    /// Appends some rows of a column.
    pub fn column_of(&self, column: &ColumnEntry, rows: Range<usize>, out: &mut Column) -> Result<(), DecodeError> {
        let range = column.range;
        let bytes = self.slice.get(range)?;
        self.check(bytes, column.checksum, range.offset)?;
        if out.field_type() != column.field_type {
            return Err(DecodeError { what: "column of another type", offset: range.offset });
        }
        decode_column(bytes, self.entry.rows as usize, column.count as usize, rows, out)
            .map_err(|error| error.shifted(range.offset))
    }

    fn check(&self, bytes: &[u8], checksum: u32, offset: u64) -> Result<(), DecodeError> {
        if self.is_checked || self.entry.is_small() { Ok(()) } else { check(bytes, checksum, offset) }
    }
}

fn check(bytes: &[u8], checksum: u32, offset: u64) -> Result<(), DecodeError> {
    if crc32c(bytes) == checksum { Ok(()) } else { Err(DecodeError { what: "checksum mismatch", offset }) }
}

/// Appends `part` of `rows` rows, `count` of which have a value.
fn decode_column(
    bytes: &[u8],
    rows: usize,
    count: usize,
    part: Range<usize>,
    out: &mut Column,
) -> Result<(), DecodeError> {
    let start = out.len();
    if count == rows {
        let added = part.len();
        codec::decode_part(bytes, rows, part, &mut out.values)?;
        if let Some(map) = &mut out.present {
            map.resize(start + added, true);
        }
        return Ok(());
    }
    let mut reader = Reader::new(bytes);
    let mut present = Vec::new();
    boolean::read(&mut reader, rows, &mut present)?;
    let trues = |present: &[bool]| present.iter().filter(|present| **present).count();
    if trues(&present) != count {
        return Err(reader.error("presence is not that of the index"));
    }
    let base = reader.offset() as u64;
    let first = trues(&present[..part.start]);
    let present = &present[part];
    let dense = first..first + trues(present);
    decode_sparse(reader.rest(), count, dense, present, &mut out.values).map_err(|error| error.shifted(base))?;
    let map = out.present.get_or_insert_with(|| Bitmap::filled(true, start));
    present.iter().for_each(|present| map.push(*present));
    Ok(())
}

fn decode_sparse(
    bytes: &[u8],
    count: usize,
    dense: Range<usize>,
    present: &[bool],
    out: &mut Values,
) -> Result<(), DecodeError> {
    let found = dense.len();
    if let Values::String(out) = out {
        let mut all = Strings::default();
        codec::string::decode(bytes, count, &mut all)?;
        let mut texts = dense.map(|text| all.get(text));
        present.iter().for_each(|present| out.push(if *present { texts.next().unwrap_or_default() } else { "" }));
        return Ok(());
    }
    codec::decode_part(bytes, count, dense, out)?;
    match out {
        Values::Float(out) => spread(out, found, present, 0.0),
        Values::Integer(out) => spread(out, found, present, 0),
        Values::Unsigned(out) => spread(out, found, present, 0),
        Values::Boolean(out) => spread(out, found, present, false),
        Values::String(_) => {}
    }
    Ok(())
}

/// Moves the last `count` values apart to the rows that have one.
fn spread<T: Copy>(values: &mut Vec<T>, count: usize, present: &[bool], absent: T) {
    let start = values.len() - count;
    let mut from = values.len();
    values.resize(start + present.len(), absent);
    for (row, present) in present.iter().enumerate().rev() {
        values[start + row] = if *present {
            from -= 1;
            values[from]
        } else {
            absent
        };
    }
}

/// Appends the bytes of a block to `file` and says where they are. The block is `rows` of `times`, which ascend
/// strictly, and of `columns`, which are as long and sorted by field number; `rows` are at least one and at most
/// [`MAX_ROWS`]. A column without a value in these rows is left out.
pub(super) fn encode(times: &[i64], columns: &[(u32, &Column)], rows: Range<usize>, file: &mut Vec<u8>) -> BlockEntry {
    let times = &times[rows.clone()];
    let small = times.len() <= SMALL_ROWS;
    let start = file.len();
    let step = times::regular_step(times);
    if step.is_none() {
        times::encode(times, file);
    }
    let times_range = range_since(start, file);
    let mut entry = BlockEntry {
        min_time: times[0],
        max_time: times[times.len() - 1],
        rows: times.len() as u32,
        step,
        times: times_range,
        columns: Vec::with_capacity(columns.len()),
        times_checksum: if small || step.is_some() { 0 } else { crc32c(&file[start..]) },
        checksum: 0,
    };
    for (field, column) in columns {
        let present: Vec<bool> = rows.clone().map(|row| column.is_present(row)).collect();
        let (Some(first), Some(last)) =
            (present.iter().position(|present| *present), present.iter().rposition(|present| *present))
        else {
            continue;
        };
        let values = gather(&column.values, rows.clone(), &present);
        let start = file.len();
        if values.len() < times.len() {
            boolean::encode_iter(present.iter().copied(), file);
        }
        codec::encode(&values, file);
        entry.columns.push(ColumnEntry {
            field: *field,
            field_type: values.field_type(),
            count: values.len() as u32,
            first_time: times[first],
            last_time: times[last],
            stats: if small { None } else { Stats::of(&values) },
            range: range_since(start, file),
            checksum: if small { 0 } else { crc32c(&file[start..]) },
        });
    }
    if small {
        entry.checksum = crc32c(&file[start..]);
    }
    entry
}

fn range_since(start: usize, file: &[u8]) -> ByteRange {
    ByteRange { offset: start as u64, len: (file.len() - start) as u64 }
}

/// The values of `rows` that are present.
fn gather(values: &Values, rows: Range<usize>, present: &[bool]) -> Values {
    fn kept<T: Copy>(values: &[T], present: &[bool]) -> Vec<T> {
        values.iter().zip(present).filter(|(_, present)| **present).map(|(value, _)| *value).collect()
    }
    match values {
        Values::Float(values) => Values::Float(kept(&values[rows], present)),
        Values::Integer(values) => Values::Integer(kept(&values[rows], present)),
        Values::Unsigned(values) => Values::Unsigned(kept(&values[rows], present)),
        Values::Boolean(values) => Values::Boolean(kept(&values[rows], present)),
        Values::String(values) => {
            let mut texts = Strings::default();
            rows.zip(present).filter(|(_, present)| **present).for_each(|(row, _)| texts.push(values.get(row)));
            Values::String(texts)
        }
    }
}

impl Stats {
    /// `None` for no values.
    pub fn of(values: &Values) -> Option<Self> {
        Some(match values {
            Values::Float(values) => Self::Float(FloatStats::of(values)?),
            Values::Integer(values) => Self::Integer {
                min: *values.iter().min()?,
                max: *values.iter().max()?,
                first: *values.first()?,
                last: *values.last()?,
                sum: values.iter().map(|value| i128::from(*value)).sum(),
            },
            Values::Unsigned(values) => Self::Unsigned {
                min: *values.iter().min()?,
                max: *values.iter().max()?,
                first: *values.first()?,
                last: *values.last()?,
                sum: values.iter().map(|value| u128::from(*value)).sum(),
            },
            Values::Boolean(values) => Self::Boolean {
                first: *values.first()?,
                last: *values.last()?,
                trues: values.iter().filter(|value| **value).count() as u32,
            },
            Values::String(_) => Self::String,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Float(stats) => stats.write(out),
            Self::Integer { min, max, first, last, sum } => {
                varint::write_signed(*min, out);
                [max, first, last].into_iter().for_each(|value| varint::write(value.wrapping_sub(*min) as u64, out));
                varint::write_wide_signed(*sum, out);
            }
            Self::Unsigned { min, max, first, last, sum } => {
                varint::write(*min, out);
                [max, first, last].into_iter().for_each(|value| varint::write(value.wrapping_sub(*min), out));
                varint::write_wide(*sum, out);
            }
            Self::Boolean { first, last, trues } => {
                out.push(u8::from(*first) + 2 * u8::from(*last));
                varint::write(u64::from(*trues), out);
            }
            Self::String => {}
        }
    }

    fn read(reader: &mut Reader<'_>, field_type: FieldType, count: usize) -> Result<Self, DecodeError> {
        const SHORT: &str = "statistics cut short";
        Ok(match field_type {
            FieldType::Float => Self::Float(FloatStats::read(reader)?),
            FieldType::Integer => {
                let min = reader.signed(SHORT)?;
                let mut more = || reader.varint(SHORT).map(|more| min.wrapping_add_unsigned(more));
                Self::Integer { min, max: more()?, first: more()?, last: more()?, sum: reader.wide_signed(SHORT)? }
            }
            FieldType::Unsigned => {
                let min = reader.varint(SHORT)?;
                let mut more = || reader.varint(SHORT).map(|more| min.wrapping_add(more));
                Self::Unsigned { min, max: more()?, first: more()?, last: more()?, sum: reader.wide(SHORT)? }
            }
            FieldType::Boolean => {
                let ends = reader.byte(SHORT)?;
                let trues = reader.length(count, "more true values than values")? as u32;
                Self::Boolean { first: ends & 1 != 0, last: ends & 2 != 0, trues }
            }
            FieldType::String => Self::String,
        })
    }
}

impl FloatStats {
    const FINITE: u8 = 1;
    const SUM: u8 = 2;
    const EXPONENT: u8 = 4;

    fn of(values: &[f64]) -> Option<Self> {
        let (first, last) = (*values.first()?, *values.last()?);
        // As integers in the order of `f64::total_cmp`, NaN left out.
        let rank = |value: f64| {
            let bits = value.to_bits() as i64;
            bits ^ (bits >> 63) & i64::MAX
        };
        let (mut min, mut max) = (i64::MAX, i64::MIN);
        let (mut least, mut greatest) = (u64::MAX, 0);
        for value in values.iter().filter(|value| !value.is_nan()) {
            let (rank, exponent) = (rank(*value), value.to_bits() >> 52 & 0x7ff);
            (min, max) = (min.min(rank), max.max(rank));
            greatest = greatest.max(exponent);
            least = least.min(if *value == 0.0 || exponent == 0x7ff { u64::MAX } else { exponent.max(1) });
        }
        let value = |rank: i64| f64::from_bits((rank ^ (rank >> 63) & i64::MAX) as u64);
        let all_nan = min > max;
        let finite = greatest < 0x7ff && !values.iter().any(|value| value.is_nan());
        Some(Self {
            min: if all_nan { f64::NAN } else { value(min) },
            max: if all_nan { f64::NAN } else { value(max) },
            first,
            last,
            finite,
            min_exponent: (least < u64::MAX).then(|| least as i16 - 1023),
            sum: if finite { exact_sum(values) } else { None },
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut flags = 0;
        for (flag, set) in [
            (Self::FINITE, self.finite),
            (Self::SUM, self.sum.is_some()),
            (Self::EXPONENT, self.min_exponent.is_some()),
        ] {
            flags |= if set { flag } else { 0 };
        }
        out.push(flags);
        [self.min, self.max, self.first, self.last].into_iter().for_each(|value| float::write_short(value, out));
        if let Some(exponent) = self.min_exponent {
            varint::write_signed(i64::from(exponent), out);
        }
        if let Some(sum) = &self.sum {
            varint::write(sum.len() as u64, out);
            sum.iter().for_each(|part| out.extend_from_slice(&part.to_bits().to_le_bytes()));
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let flags = reader.byte("statistics cut short")?;
        let mut double = || float::read_short(reader);
        let (min, max, first, last) = (double()?, double()?, double()?, double()?);
        let min_exponent = if flags & Self::EXPONENT != 0 {
            let exponent = reader.signed("exponent missing")?;
            Some(i16::try_from(exponent).map_err(|_| reader.error("exponent out of range"))?)
        } else {
            None
        };
        let sum = if flags & Self::SUM != 0 {
            let parts = reader.length(MAX_PARTS, "sum of too many parts")?;
            let mut sum = Expansion::new();
            for _ in 0..parts {
                sum.push(f64::from_bits(reader.u64("sum cut short")?));
            }
            Some(sum)
        } else {
            None
        };
        Ok(Self { min, max, first, last, finite: flags & Self::FINITE != 0, min_exponent, sum })
    }
}

/// The parts of a sum do not overlap, so no more than these fit between the largest and the smallest double.
const MAX_PARTS: usize = 64;

/// The sum of finite values without rounding, as Shewchuk's expansion: parts that do not overlap, none zero, from small
/// to large. `None` when a partial sum leaves the range of doubles.
fn exact_sum(values: &[f64]) -> Option<Expansion> {
    let mut parts = Expansion::new();
    for value in values {
        let mut high = *value;
        let mut kept = 0;
        for at in 0..parts.len() {
            let part = parts[at];
            let sum = high + part;
            // Knuth's two-sum: sum + low is high + part, exactly.
            let other = sum - high;
            let low = (high - (sum - other)) + (part - other);
            high = sum;
            if low != 0.0 {
                parts[kept] = low;
                kept += 1;
            }
        }
        parts.truncate(kept);
        if high != 0.0 {
            parts.push(high);
        }
    }
    parts.iter().all(|part| part.is_finite()).then_some(parts)
}

/// Appends an entry; `after` is the last time of the block before, or the start of the shard.
pub(super) fn write_entry(entry: &BlockEntry, after: i64, out: &mut Vec<u8>) {
    let small = entry.is_small();
    varint::write(u64::from(entry.rows) * 2 + u64::from(entry.step.is_some()), out);
    write_span(entry.min_time.wrapping_sub(after) as u64, out);
    match entry.step {
        Some(step) => write_span(step, out),
        None => {
            write_span(entry.max_time.wrapping_sub(entry.min_time) as u64, out);
            varint::write(entry.times.len, out);
            if !small {
                out.extend_from_slice(&entry.times_checksum.to_le_bytes());
            }
        }
    }
    varint::write(entry.columns.len() as u64, out);
    let mut next_field = 0;
    for column in &entry.columns {
        let full = column.count == entry.rows;
        varint::write(u64::from(column.field - next_field), out);
        next_field = column.field + 1;
        varint::write(column.range.len * 2 + u64::from(full), out);
        if !full {
            varint::write(u64::from(column.count), out);
            write_span(column.first_time.wrapping_sub(entry.min_time) as u64, out);
            write_span(entry.max_time.wrapping_sub(column.last_time) as u64, out);
        }
        if !small {
            out.extend_from_slice(&column.checksum.to_le_bytes());
        }
        if let Some(stats) = &column.stats {
            stats.write(out);
        }
    }
    if small {
        out.extend_from_slice(&entry.checksum.to_le_bytes());
    }
}

/// Reads an entry whose columns begin at `offset` of the file; `types` are those of the field table.
pub(super) fn read_entry(
    reader: &mut Reader<'_>,
    after: i64,
    mut offset: u64,
    type_of: impl Fn(u32) -> Option<FieldType>,
) -> Result<BlockEntry, DecodeError> {
    let mut place = |len: u64| {
        let range = ByteRange { offset, len };
        offset = offset.checked_add(len)?;
        Some(range)
    };
    let head = reader.varint("rows missing")?;
    let rows = (head / 2) as usize;
    if head / 2 > MAX_ROWS as u64 || rows == 0 {
        return Err(reader.error("rows out of range"));
    }
    let small = rows <= SMALL_ROWS;
    let min_time = after.wrapping_add_unsigned(read_span(reader)?);
    let (step, length, times, times_checksum) = if head & 1 == 1 {
        let step = read_span(reader)?;
        let length = step.checked_mul(rows as u64 - 1).filter(|_| (step == 0) == (rows == 1));
        (Some(step), length, place(0), 0)
    } else {
        let length = read_span(reader)?;
        let times = place(reader.varint("length of times missing")?);
        (None, Some(length), times, if small { 0 } else { reader.u32("checksum missing")? })
    };
    let max_time = length.and_then(|length| min_time.checked_add_unsigned(length));
    let max_time = max_time.ok_or_else(|| reader.error("times out of range"))?;
    let times = times.ok_or_else(|| reader.error("length of times out of range"))?;
    let column_count = reader.length(reader.remaining(), "more columns than bytes")?;
    // Grown as they are read: a count from outside is no reason to take memory.
    let mut columns = Vec::new();
    let mut next_field = 0_u64;
    for _ in 0..column_count {
        let field = reader.varint("field missing")?.checked_add(next_field).and_then(|field| u32::try_from(field).ok());
        let typed = field.and_then(|field| Some((field, type_of(field)?)));
        let (field, field_type) = typed.ok_or_else(|| reader.error("field outside the table"))?;
        next_field = u64::from(field) + 1;
        let head = reader.varint("length of column missing")?;
        let range = place(head / 2).ok_or_else(|| reader.error("length of column out of range"))?;
        let (count, first_time, last_time) = if head & 1 == 1 {
            (rows, min_time, max_time)
        } else {
            let count = reader.length(rows - 1, "more values than rows")?;
            let (from, to) = (read_span(reader)?, read_span(reader)?);
            let first = min_time.checked_add_unsigned(from);
            let last = max_time.checked_sub_unsigned(to);
            let ends = first.zip(last).filter(|(first, last)| first <= last && count > 0);
            let (first, last) = ends.ok_or_else(|| reader.error("times of column out of range"))?;
            (count, first, last)
        };
        let checksum = if small { 0 } else { reader.u32("checksum missing")? };
        let stats = if small { None } else { Some(Stats::read(reader, field_type, count)?) };
        let count = count as u32;
        columns.push(ColumnEntry { field, field_type, count, first_time, last_time, stats, range, checksum });
    }
    let checksum = if small { reader.u32("checksum missing")? } else { 0 };
    Ok(BlockEntry { min_time, max_time, rows: rows as u32, step, times, columns, times_checksum, checksum })
}

const SPAN_UNITS: [u64; 4] = [1, 1_000, 1_000_000, 1_000_000_000];

fn write_span(nanos: u64, out: &mut Vec<u8>) {
    let unit = SPAN_UNITS.iter().rposition(|unit| nanos.is_multiple_of(*unit)).expect("one divides all");
    varint::write_wide(u128::from(nanos / SPAN_UNITS[unit]) << 2 | unit as u128, out);
}

fn read_span(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
    let before = reader.clone();
    let span = reader.wide("span missing")?;
    let unit = SPAN_UNITS[(span & 3) as usize];
    let nanos = u64::try_from(span >> 2).ok().and_then(|count| count.checked_mul(unit));
    nanos.ok_or_else(|| before.error("span out of range"))
}

#[cfg(test)]
mod tests;
