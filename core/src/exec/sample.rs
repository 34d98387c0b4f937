//! Fewer points for a graph, over all rows of a group.

use super::cursor::{Ask, ColumnDef, Context, Cursor, Header, Lease, Poll, Rows, Source};
use super::table::{Table, cast_column, row_bytes};
use super::task::QueryError;
use crate::model::Column;
use crate::model::column::Values;
use crate::plan::SampleMethod;
use crate::sample::{self, Consolidation, Points};
use crate::time::TimeRange;
use crate::value::{FieldType, Value};
use std::borrow::Cow;
use std::sync::Arc;

pub(super) struct SampleSource {
    input: Arc<dyn Source>,
    groups: Vec<Header>,
    method: Method,
    points: usize,
    descending: bool,
}

#[derive(Clone, Copy)]
enum Method {
    /// One value for each part of the time there is.
    Consolidate(Consolidation),
    /// Some of the rows, as they are.
    Choose(SampleMethod),
}

impl SampleSource {
    pub(super) fn new(input: Arc<dyn Source>, method: SampleMethod, points: u64, descending: bool) -> Self {
        let method = match method {
            SampleMethod::Average => Method::Consolidate(Consolidation::Average),
            SampleMethod::First => Method::Consolidate(Consolidation::First),
            SampleMethod::Last => Method::Consolidate(Consolidation::Last),
            SampleMethod::Min => Method::Consolidate(Consolidation::Min),
            SampleMethod::Max => Method::Consolidate(Consolidation::Max),
            SampleMethod::Sum => Method::Consolidate(Consolidation::Sum),
            chosen => Method::Choose(chosen),
        };
        let floats = |header: &Header| match method {
            Method::Choose(_) => header.clone(),
            Method::Consolidate(_) => {
                let float = |def: &ColumnDef| ColumnDef { field_type: FieldType::Float, ..def.clone() };
                Header { columns: header.columns.iter().map(float).collect(), ..header.clone() }
            }
        };
        let groups = input.groups().iter().map(floats).collect();
        let points = usize::try_from(points).unwrap_or(usize::MAX);
        Self { input, groups, method, points, descending }
    }
}

impl Source for SampleSource {
    fn groups(&self) -> &[Header] {
        &self.groups
    }

    fn tag_keys(&self) -> Vec<String> {
        self.input.tag_keys()
    }

    fn open(&self, group: usize, _: &Ask) -> Box<dyn Cursor> {
        Box::new(SampleCursor {
            input: self.input.open(group, &Ask::default()),
            method: self.method,
            points: self.points,
            descending: self.descending,
            all: Table::new(&self.input.groups()[group].columns),
            columns: Arc::clone(&self.groups[group].columns),
            out: Table::default(),
            lease: None,
            given: false,
        })
    }
}

struct SampleCursor {
    input: Box<dyn Cursor>,
    method: Method,
    points: usize,
    descending: bool,
    all: Table,
    columns: Arc<[ColumnDef]>,
    out: Table,
    lease: Option<Lease>,
    given: bool,
}

impl SampleCursor {
    fn sample(&self) -> Table {
        let mut all = Cow::Borrowed(&self.all);
        if self.descending {
            all = Cow::Owned(reversed(&self.all));
        }
        let out = match self.method {
            Method::Consolidate(by) => self.consolidate(&all, by),
            Method::Choose(method) => self.choose(&all, method),
        };
        if self.descending { reversed(&out) } else { out }
    }

    fn consolidate(&self, all: &Table, by: Consolidation) -> Table {
        let mut out = Table::new(&self.columns);
        let range = match (all.times.first(), all.times.last()) {
            (Some(first), Some(last)) => TimeRange::new(*first, *last),
            _ => TimeRange::EMPTY,
        };
        out.times = sample::Columns::new(range, self.points).starts();
        for (column, into) in all.columns.iter().zip(&mut out.columns) {
            match numbers(column) {
                Some(column) => {
                    for sample in sample::consolidate(points(&all.times, &column), range, self.points, by) {
                        into.push(sample.value.map(Value::Float));
                    }
                }
                None => into.extend_absent(out.times.len()),
            }
        }
        out
    }

    /// Rows chosen by the first column of numbers.
    fn choose(&self, all: &Table, method: SampleMethod) -> Table {
        if all.len() <= self.points {
            return all.clone();
        }
        let mut out = Table::new(&self.columns);
        let Some(column) = all.columns.iter().find_map(numbers) else { return out };
        let range = TimeRange::new(all.times[0], all.times[all.len() - 1]);
        let points = points(&all.times, &column);
        let rows = match method {
            SampleMethod::Lttb => sample::lttb(points, self.points),
            SampleMethod::M4 => sample::m4(points, range, self.points / 4),
            _ => sample::min_max(points, range, self.points / 2),
        };
        let chosen: Vec<u32> = rows.into_iter().map(|row| row as u32).collect();
        out.gather(&all.rows(), &chosen);
        out
    }
}

fn reversed(table: &Table) -> Table {
    let mut out = table.emptied();
    let chosen: Vec<u32> = (0..table.len() as u32).rev().collect();
    out.gather(&table.rows(), &chosen);
    out
}

/// A column as doubles; `None` for texts and booleans.
fn numbers(column: &Column) -> Option<Cow<'_, Column>> {
    match column.field_type() {
        FieldType::Float => Some(Cow::Borrowed(column)),
        _ => cast_column(column, FieldType::Float).map(Cow::Owned),
    }
}

fn points<'a>(times: &'a [i64], column: &'a Column) -> Points<'a> {
    let values: &[f64] = if let Values::Float(values) = &column.values { values } else { &[] };
    Points { times, values, present: column.present.as_ref() }
}

impl Cursor for SampleCursor {
    fn prefetch(&mut self, cx: &mut Context) -> Result<(), QueryError> {
        self.input.prefetch(cx)
    }

    fn next(&mut self, cx: &mut Context) -> Result<Poll, QueryError> {
        if self.given {
            return Ok(Poll::End);
        }
        loop {
            match self.input.next(cx)? {
                Poll::Rows => {
                    let rows = self.input.rows();
                    let bytes = rows.len() * row_bytes(&self.columns);
                    self.lease.get_or_insert_with(|| cx.memory.lease()).grow(bytes)?;
                    self.all.extend(&rows);
                }
                Poll::End => break,
                Poll::Summary => {}
                wait => return Ok(wait),
            }
        }
        self.given = true;
        self.out = self.sample();
        Ok(if self.out.len() > 0 { Poll::Rows } else { Poll::End })
    }

    fn rows(&self) -> Rows<'_> {
        self.out.rows()
    }
}
