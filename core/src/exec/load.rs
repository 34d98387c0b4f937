//! One run of a series, a chunk or a block, as columns that the executor reads.

use super::bucket::NOWHERE;
use super::cursor::{Context, Io, Lease, Memory, Ticket, View, Wish};
use super::exact_sum::ExactSum;
use super::table::cast_column;
use super::task::QueryError;
use crate::codec::DecodeError;
use crate::model::Column;
use crate::order::{sort, sort_by};
use crate::plan::{Scalar, ScanField};
use crate::store::ByteRange;
use crate::store::block::{self, BlockEntry, BlockReader, ColumnEntry, FileSlice, Stats};
use crate::store::memtable::Chunk;
use crate::store::snapshot::Run;
use crate::store::tombstone::{mask_of, masked, uncut};
use crate::time::TimeRange;
use crate::value::FieldType;
use bytes::Bytes;
use isopoint_kernels::bits::VECTOR;
use std::ops::Range;
use std::sync::Arc;

/// What a block's header says of its values.
#[derive(Clone, Debug)]
pub(super) struct Summary {
    pub(super) first_time: i64,
    /// One a field of the scan; `None` if the block has no value of it.
    pub(super) columns: Vec<Option<ColumnSummary>>,
}

#[derive(Clone, Debug)]
pub(super) struct ColumnSummary {
    pub(super) count: u64,
    pub(super) first_time: i64,
    pub(super) last_time: i64,
    /// `None` where only the count is known.
    pub(super) values: Option<ValueSummary>,
}

#[derive(Clone, Debug)]
pub(super) struct ValueSummary {
    pub(super) sum: SumOf,
    pub(super) min: Scalar,
    pub(super) max: Scalar,
    pub(super) first: Scalar,
    pub(super) last: Scalar,
}

#[derive(Clone, Debug)]
pub(super) enum SumOf {
    Nothing,
    Float(ExactSum),
    Whole(i128),
}

impl ValueSummary {
    /// `None` unless the statistics say all there is to say.
    fn new(stats: &Stats, count: u32) -> Option<Self> {
        Some(match stats {
            Stats::Float(stats) => Self {
                sum: SumOf::Float(ExactSum::from_components(stats.sum.as_deref()?)),
                min: Scalar::Float(stats.min),
                max: Scalar::Float(stats.max),
                first: Scalar::Float(stats.first),
                last: Scalar::Float(stats.last),
            },
            Stats::Integer { min, max, first, last, sum } => Self {
                sum: SumOf::Whole(*sum),
                min: Scalar::Integer(*min),
                max: Scalar::Integer(*max),
                first: Scalar::Integer(*first),
                last: Scalar::Integer(*last),
            },
            Stats::Unsigned { min, max, first, last, sum } => Self {
                sum: SumOf::Whole(*sum as i128),
                min: Scalar::Unsigned(*min),
                max: Scalar::Unsigned(*max),
                first: Scalar::Unsigned(*first),
                last: Scalar::Unsigned(*last),
            },
            Stats::Boolean { first, last, trues } => Self {
                sum: SumOf::Nothing,
                min: Scalar::Boolean(*trues == count),
                max: Scalar::Boolean(*trues > 0),
                first: Scalar::Boolean(*first),
                last: Scalar::Boolean(*last),
            },
            Stats::String => return None,
        })
    }
}

/// A run not loaded yet.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) rank: usize,
    pub(super) extent: TimeRange,
    run: Run,
    /// Of a block: the place among its columns of each field of the scan.
    places: Vec<Option<usize>>,
    summary: Option<Summary>,
    /// Of a block: its bytes, asked for and come.
    ticket: Option<Ticket>,
    parts: Vec<(ByteRange, Bytes)>,
    /// Of a block of which a part was loaded: its rows not loaded yet.
    left: Option<Range<usize>>,
}

/// Columns of runs done with, to be filled again.
#[derive(Debug, Default)]
pub(super) struct Spare {
    times: Vec<i64>,
    columns: Vec<Column>,
}

impl Spare {
    pub(super) fn keep(&mut self, run: Loaded) {
        let Times::Own(times) = run.times else { return };
        self.times = times;
        self.columns.clear();
        self.columns.extend(run.columns.into_iter().filter_map(|part| match part {
            Part::Own(column) => Some(column),
            _ => None,
        }));
    }

    fn times(&mut self) -> Vec<i64> {
        let mut times = std::mem::take(&mut self.times);
        times.clear();
        times
    }

    fn column(&mut self, field_type: FieldType) -> Column {
        match self.columns.iter().position(|column| column.field_type() == field_type) {
            None => Column::new(field_type),
            Some(at) => {
                let mut column = self.columns.swap_remove(at);
                column.clear();
                column
            }
        }
    }
}

/// Which rows to load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Want {
    pub(super) range: TimeRange,
    /// At most so many of a block, a multiple of a vector.
    pub(super) rows: usize,
    pub(super) descending: bool,
}

/// Bytes a run takes while it waits, about.
pub(super) fn pending_bytes(run: &Run) -> usize {
    let columns = if let Run::Block { entry, .. } = run { entry.columns.len() } else { 0 };
    size_of::<Pending>() + columns * size_of::<ColumnEntry>()
}

impl Pending {
    /// `None` if the run has none of the fields.
    pub(super) fn new(run: Run, rank: usize, fields: &[ScanField]) -> Option<Self> {
        let mut places = Vec::new();
        let extent = match &run {
            Run::Chunk(chunk) => {
                let any = fields.iter().any(|field| chunk.column(&field.name).is_some());
                if any { chunk.range() } else { return None }
            }
            Run::Block { file, entry, masks, .. } => {
                let names = file.index.fields();
                let name = |column: &ColumnEntry| names.get(column.field as usize).map(|field| field.name.as_str());
                for field in fields {
                    let named =
                        |column: &ColumnEntry| name(column) == Some(&field.name) && mask_of(masks, column).is_some();
                    places.push(entry.columns.iter().position(named));
                }
                if places.iter().all(Option::is_none) {
                    return None;
                }
                entry.time_range()
            }
        };
        Some(Self { rank, extent, run, places, summary: None, ticket: None, parts: Vec::new(), left: None })
    }

    /// Where it begins and ends in the order of a scan.
    pub(super) fn begins(&self, descending: bool) -> i64 {
        if descending { !self.extent.max } else { self.extent.min }
    }

    pub(super) fn ends(&self, descending: bool) -> i64 {
        if descending { !self.extent.min } else { self.extent.max }
    }

    /// Lets the header stand for the block, if it says all that is wished and the block lies in one bucket.
    pub(super) fn summarise(&mut self, fields: &[ScanField], wish: &Wish) {
        let Run::Block { entry, cuts, masks, .. } = &self.run else { return };
        let bucket = wish.buckets.number(entry.min_time);
        // A block may begin before all buckets and end after them.
        if !cuts.is_empty() || bucket == NOWHERE || bucket != wish.buckets.number(entry.max_time) {
            return;
        }
        let mut columns = Vec::with_capacity(fields.len());
        for (at, (field, place)) in fields.iter().zip(&self.places).enumerate() {
            let Some(column) = place.map(|place| &entry.columns[place]) else {
                columns.push(None);
                continue;
            };
            if column.field_type != field.field_type || masks.iter().any(|(masked, _)| *masked == column.field) {
                return;
            }
            let values = column.stats.as_ref().and_then(|stats| ValueSummary::new(stats, column.count));
            if values.is_none() && wish.values_of.contains(&at) {
                return;
            }
            let (count, first_time, last_time) = (column.count.into(), column.first_time, column.last_time);
            columns.push(Some(ColumnSummary { count, first_time, last_time, values }));
        }
        self.summary = Some(Summary { first_time: entry.min_time, columns });
    }

    pub(super) const fn has_summary(&self) -> bool {
        self.summary.is_some()
    }

    pub(super) const fn take_summary(&mut self) -> Option<Summary> {
        self.summary.take()
    }

    /// Asks for the bytes, once.
    pub(super) fn ask(&mut self, io: &mut Io) {
        if matches!(self.run, Run::Block { .. })
            && self.left.is_none()
            && self.ticket.is_none()
            && self.parts.is_empty()
        {
            self.ticket = Some(io.want(self.ranges()));
        }
    }

    /// The bytes of a block that the fields need; none for a chunk.
    pub(super) fn ranges(&self) -> Vec<ByteRange> {
        let Run::Block { file, entry, .. } = &self.run else { return Vec::new() };
        let columns = self.places.iter().flatten().map(|place| entry.column_range(&entry.columns[*place]));
        let mut ranges: Vec<_> = std::iter::once(entry.times_range()).chain(columns).collect();
        sort_by(&mut ranges, |a, b| a.offset.cmp(&b.offset));
        ranges.dedup();
        // Longer than any read: it comes short, and decoding says so.
        let len = |range: block::ByteRange| u32::try_from(range.len).unwrap_or(u32::MAX);
        let named =
            |range: block::ByteRange| ByteRange { file: file.name.clone(), offset: range.offset, len: len(range) };
        ranges.into_iter().filter(|range| range.len > 0).map(named).collect()
    }

    /// Whether all bytes have come.
    pub(super) fn is_ready(&mut self, io: &mut Io) -> bool {
        match (&self.run, self.ticket) {
            (Run::Chunk(_), _) => true,
            (Run::Block { .. }, _) if self.left.is_some() => true,
            (Run::Block { .. }, None) => false,
            (Run::Block { .. }, Some(ticket)) => match io.take(ticket) {
                Some(parts) => {
                    self.parts = parts;
                    true
                }
                None => false,
            },
        }
    }

    /// The rows wanted, or the first of them in the order of the scan, and what is left of them then.
    pub(super) fn load(
        mut self,
        fields: &[ScanField],
        want: Want,
        spare: &mut Spare,
        cx: &mut Context,
    ) -> Result<(Loaded, Option<Self>), QueryError> {
        let (file, entry, cuts, masks) = match &self.run {
            Run::Chunk(chunk) => return Ok((Loaded::chunk(chunk, fields, want.range, self.rank, &cx.memory)?, None)),
            Run::Block { file, entry, cuts, masks } => (file, entry, cuts, masks),
        };
        let damaged = |source| QueryError::Damaged { file: file.name.to_string(), source };
        let first = self.left.is_none();
        let left = match self.left.take() {
            Some(left) => left,
            None => {
                cx.stats.blocks_decoded += 1;
                self.rows_in(entry, want.range).map_err(damaged)?
            }
        };
        let mut columns = self.places.iter().flatten().map(|place| &entry.columns[*place]);
        // Texts are decoded as a whole in any case.
        let cuttable = !entry.is_small() && columns.all(|column| column.field_type != FieldType::String);
        let rows = if cuttable { first_of(left.clone(), want) } else { left.clone() };
        let wanted = self.places.iter().flatten().count();
        let mut lease = cx.memory.lease();
        lease.grow(rows.len() * (8 + 9 * wanted))?;
        let mut loaded = self.decode(entry, fields, rows.clone(), first, spare, lease).map_err(damaged)?;
        let ends = loaded.times().first().copied().zip(loaded.times().last().copied());
        for (at, place) in self.places.iter().enumerate().filter(|_| !masks.is_empty()) {
            let hidden = place.and_then(|place| mask_of(masks, &entry.columns[place])).unwrap_or_default();
            loaded.hide(at, hidden);
        }
        loaded.cut(cuts);
        (loaded.from, loaded.to) = trim(loaded.times(), want.range);
        let left = if want.descending { left.start..rows.start } else { rows.end..left.end };
        let Some((earliest, latest)) = ends.filter(|_| !left.is_empty()) else { return Ok((loaded, None)) };
        if want.descending {
            self.extent.max = earliest.saturating_sub(1);
        } else {
            self.extent.min = latest.saturating_add(1);
        }
        self.left = Some(left);
        Ok((loaded, Some(self)))
    }

    /// The rows of a block that lie in a range.
    fn rows_in(&self, entry: &BlockEntry, range: TimeRange) -> Result<Range<usize>, DecodeError> {
        let rows = entry.rows as usize;
        if range.covers(entry.time_range()) {
            return Ok(0..rows);
        }
        if let Some(step) = entry.step {
            // How many rows lie before a time.
            let before = |time: i64| match time.checked_sub(entry.min_time) {
                Some(span) if span <= 0 => 0,
                Some(span) => usize::try_from((span as u64).div_ceil(step.max(1))).unwrap_or(rows).min(rows),
                None if time > entry.min_time => rows,
                None => 0,
            };
            let end = range.max.checked_add(1).map_or(rows, before);
            return Ok(before(range.min).min(end)..end);
        }
        let mut times = Vec::with_capacity(rows);
        self.reader(entry, entry.times_range(), true)?.times(&mut times)?;
        let (from, to) = trim(&times, range);
        Ok(from..to)
    }

    fn reader<'a>(
        &'a self,
        entry: &'a BlockEntry,
        wanted: block::ByteRange,
        check: bool,
    ) -> Result<BlockReader<'a>, DecodeError> {
        let part = self.parts.iter().find(|(part, _)| part.offset == wanted.offset);
        let bytes: &[u8] = part.map_or(&[], |(_, bytes)| bytes);
        let slice = FileSlice { offset: wanted.offset, bytes };
        if check { BlockReader::new(entry, slice) } else { Ok(BlockReader::checked(entry, slice)) }
    }

    fn decode(
        &self,
        entry: &BlockEntry,
        fields: &[ScanField],
        rows: Range<usize>,
        check: bool,
        spare: &mut Spare,
        lease: Lease,
    ) -> Result<Loaded, DecodeError> {
        let mut times = spare.times();
        let mut columns = Vec::with_capacity(fields.len());
        if rows.is_empty() {
            columns.resize_with(fields.len(), || Part::Absent);
            return Ok(Loaded { rank: self.rank, from: 0, to: 0, times: Times::Own(times), columns, _lease: lease });
        }
        times.reserve(rows.len());
        self.reader(entry, entry.times_range(), check)?.times_of(rows.clone(), &mut times)?;
        for (field, place) in fields.iter().zip(&self.places) {
            let Some(column) = place.map(|place| &entry.columns[place]) else {
                columns.push(Part::Absent);
                continue;
            };
            let mut decoded = spare.column(column.field_type);
            self.reader(entry, entry.column_range(column), check)?.column_of(column, rows.clone(), &mut decoded)?;
            let same = column.field_type == field.field_type;
            columns.push(if same { Part::Own(decoded) } else { converted(&decoded, field.field_type) });
        }
        let to = times.len();
        Ok(Loaded { rank: self.rank, from: 0, to, times: Times::Own(times), columns, _lease: lease })
    }
}

/// The first of some rows of a block in the order of a scan, up to the border of a vector.
fn first_of(rows: Range<usize>, want: Want) -> Range<usize> {
    let most = want.rows.max(VECTOR);
    if want.descending {
        let end = rows.end.div_ceil(VECTOR) * VECTOR;
        rows.start.max(end.saturating_sub(most))..rows.end
    } else {
        rows.start..rows.end.min(rows.start / VECTOR * VECTOR + most)
    }
}

/// Rows `from..to` of a run, times rising strictly, columns in the order of the scan's fields and of their types.
#[derive(Debug)]
pub(super) struct Loaded {
    /// When it was written: the later run's value wins.
    pub(super) rank: usize,
    pub(super) from: usize,
    pub(super) to: usize,
    times: Times,
    columns: Vec<Part>,
    _lease: Lease,
}

#[derive(Debug)]
enum Times {
    Chunk(Arc<Chunk>),
    Own(Vec<i64>),
}

#[derive(Debug)]
enum Part {
    Absent,
    /// A column of the chunk, as it is.
    Chunk(usize),
    Own(Column),
}

impl Loaded {
    pub(super) fn times(&self) -> &[i64] {
        match &self.times {
            Times::Chunk(chunk) => &chunk.times,
            Times::Own(times) => times,
        }
    }

    /// Leaves deleted values of a column out.
    fn hide(&mut self, at: usize, cuts: &[TimeRange]) {
        if let (Times::Own(times), Part::Own(column), false) = (&self.times, &mut self.columns[at], cuts.is_empty()) {
            *column = masked(column, times, cuts);
        }
    }

    /// Leaves deleted rows out.
    fn cut(&mut self, cuts: &[TimeRange]) {
        let Times::Own(times) = &mut self.times else { return };
        if cuts.is_empty() {
            return;
        }
        let rows = uncut(cuts, times);
        *times = rows.iter().map(|row| times[*row as usize]).collect();
        for column in &mut self.columns {
            if let Part::Own(column) = column {
                *column = column.gather(&rows);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.from >= self.to
    }

    pub(super) fn view(&self, field: usize) -> View<'_> {
        match (&self.columns[field], &self.times) {
            (Part::Own(column), _) => View::Column(column),
            (Part::Chunk(at), Times::Chunk(chunk)) => View::Column(&chunk.columns[*at].1),
            _ => View::Absent,
        }
    }

    pub(super) fn views(&self) -> Vec<View<'_>> {
        (0..self.columns.len()).map(|field| self.view(field)).collect()
    }

    /// The rows of a chunk that lie in `range`.
    pub(super) fn chunk(
        chunk: &Arc<Chunk>,
        fields: &[ScanField],
        range: TimeRange,
        rank: usize,
        memory: &Memory,
    ) -> Result<Self, QueryError> {
        let mut lease = memory.lease();
        if !chunk.ascending {
            lease.grow(chunk.times.len() * (4 + 8 + 9 * fields.len()))?;
            return Ok(Self::sorted(chunk, fields, range, rank, lease));
        }
        let (from, to) = trim(&chunk.times, range);
        let mut columns = Vec::with_capacity(fields.len());
        for field in fields {
            let found = chunk.columns.iter().position(|(name, _)| **name == *field.name);
            columns.push(match found.map(|at| (at, &chunk.columns[at].1)) {
                None => Part::Absent,
                Some((at, column)) if column.field_type() == field.field_type => Part::Chunk(at),
                Some((_, column)) => {
                    lease.grow(column.len() * 9)?;
                    converted(column, field.field_type)
                }
            });
        }
        Ok(Self { rank, from, to, times: Times::Chunk(Arc::clone(chunk)), columns, _lease: lease })
    }

    /// Sorted by time; of the values of one field and time the last to arrive stays.
    fn sorted(chunk: &Chunk, fields: &[ScanField], range: TimeRange, rank: usize, lease: Lease) -> Self {
        let inside = chunk.times.iter().enumerate().filter(|(_, time)| range.contains(**time));
        let mut order: Vec<u32> = inside.map(|(row, _)| row as u32).collect();
        sort(&mut order, &mut |a, b| chunk.times[a as usize].cmp(&chunk.times[b as usize]));
        let same = |a: &u32, b: &u32| chunk.times[*a as usize] == chunk.times[*b as usize];
        let times: Vec<i64> = order.chunk_by(same).map(|rows| chunk.times[rows[0] as usize]).collect();
        let columns = fields.iter().map(|field| {
            let Some(column) = chunk.column(&field.name) else { return Part::Absent };
            let mut settled = Column::new(column.field_type());
            for rows in order.chunk_by(same) {
                settled.push(rows.iter().rev().find_map(|row| column.get(*row as usize)));
            }
            if column.field_type() == field.field_type {
                Part::Own(settled)
            } else {
                converted(&settled, field.field_type)
            }
        });
        let columns = columns.collect();
        Self { rank, from: 0, to: times.len(), times: Times::Own(times), columns, _lease: lease }
    }
}

fn converted(column: &Column, to: FieldType) -> Part {
    cast_column(column, to).map_or(Part::Absent, Part::Own)
}

/// The rows of ascending times that lie in a range.
fn trim(times: &[i64], range: TimeRange) -> (usize, usize) {
    let from = times.partition_point(|time| *time < range.min);
    (from, from + times[from..].partition_point(|time| *time <= range.max))
}
