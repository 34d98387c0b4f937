//! One run of a series, a chunk or a block, as columns that the executor reads.

use super::bucket::Buckets;
use super::cursor::{Context, Io, Lease, Memory, View};
use super::exact_sum::ExactSum;
use super::table::cast_column;
use super::task::QueryError;
use crate::model::Column;
use crate::plan::{Scalar, ScanField};
use crate::store::memtable::Chunk;
use crate::store::snapshot::Run;
use crate::time::TimeRange;
use crate::value::FieldType;
use std::sync::Arc;

/// What a block's header says of its values.
#[derive(Clone, Debug)]
pub(super) struct Summary {
    pub(super) rows: u64,
    pub(super) first_time: i64,
    pub(super) last_time: i64,
    /// One a field of the scan; `None` if the block has no value of it.
    pub(super) columns: Vec<Option<ColumnSummary>>,
}

#[derive(Clone, Debug)]
pub(super) struct ColumnSummary {
    pub(super) count: u64,
    pub(super) first_time: i64,
    pub(super) last_time: i64,
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

/// A run not loaded yet.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) rank: usize,
    pub(super) extent: TimeRange,
    run: Run,
    summary: Option<Summary>,
}

impl Pending {
    pub(super) fn new(run: Run, rank: usize) -> Self {
        let extent = match &run {
            Run::Chunk(chunk) => chunk.range(),
            Run::Block { .. } => TimeRange::EMPTY,
        };
        Self { rank, extent, run, summary: None }
    }

    /// Where it begins and ends in the order of a scan.
    pub(super) fn begins(&self, descending: bool) -> i64 {
        if descending { !self.extent.max } else { self.extent.min }
    }

    pub(super) fn ends(&self, descending: bool) -> i64 {
        if descending { !self.extent.min } else { self.extent.max }
    }

    /// Lets the header stand for the block if it can.
    pub(super) fn summarise(&mut self, _fields: &[ScanField], _buckets: &Buckets) {}

    pub(super) fn has_summary(&self) -> bool {
        self.summary.is_some()
    }

    pub(super) fn take_summary(&mut self) -> Option<Summary> {
        self.summary.take()
    }

    pub(super) fn ask(&mut self, _fields: &[ScanField], _io: &mut Io) -> Result<(), QueryError> {
        Ok(())
    }

    pub(super) fn is_ready(&self, _io: &Io) -> bool {
        true
    }

    pub(super) fn load(self, fields: &[ScanField], range: TimeRange, cx: &mut Context) -> Result<Loaded, QueryError> {
        match &self.run {
            Run::Chunk(chunk) => Loaded::chunk(chunk, fields, range, self.rank, &cx.memory),
            Run::Block { .. } => Loaded::chunk(&Arc::default(), fields, range, self.rank, &cx.memory),
        }
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
        order.sort_by_key(|row| chunk.times[*row as usize]);
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
