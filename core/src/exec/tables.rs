//! Operators that need every row of every group of their inputs before they give one: all of it is gathered once, worked
//! on once, and given out group by group.

use super::cursor::{Ask, ColumnDef, Context, Cursor, Header, Lease, Poll, Rows, Source};
use super::lanes::{self, Lanes};
use super::table::{Table, row_bytes};
use super::task::QueryError;
use crate::model::Column;
use crate::model::column::{Bitmap, Values};
use crate::value::FieldType;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// What is done with the tables of all inputs, one list an input and one table a group.
pub(super) trait Work: Send + Sync {
    /// One table for each group of the answer, each with the columns of its header.
    fn run(&self, inputs: Vec<Vec<Table>>) -> Vec<Table>;
}

/// Groups opened, and their bytes asked for, ahead.
const AHEAD: usize = 64;

pub(super) struct TablesSource {
    groups: Vec<Header>,
    tag_keys: Vec<String>,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    inputs: Inputs,
    work: Box<dyn Work>,
    gathering: Gathering,
    /// Groups shared out, in their order after those of `gathering`.
    lanes: Lanes<Gathering>,
    /// The groups of the inputs do not depend on each other, so that several threads may read some each.
    separable: bool,
    /// Of the bytes that lanes took.
    leases: Vec<Lease>,
    answer: Option<Vec<Table>>,
}

type Inputs = Arc<[Arc<dyn Source>]>;

/// The tables of some groups of the inputs, on their way.
struct Gathering {
    inputs: Inputs,
    /// As (input, group); how many of them were opened, and the cursors of those not done.
    groups: Vec<(u32, u32)>,
    opened: usize,
    cursors: VecDeque<Box<dyn Cursor>>,
    ahead: usize,
    /// What there is of the group that is being gathered.
    half_done: Option<Table>,
    /// Those done, in order.
    tables: Vec<Table>,
    lease: Option<Lease>,
}

impl TablesSource {
    /// `groups` are those of the answer.
    pub(super) fn new(inputs: Vec<Arc<dyn Source>>, groups: Vec<Header>, work: Box<dyn Work>) -> Self {
        Self::sharing(inputs, groups, work, false)
    }

    /// The same; `separable` says that the groups of the inputs do not depend on each other.
    pub(super) fn sharing(
        inputs: Vec<Arc<dyn Source>>,
        groups: Vec<Header>,
        work: Box<dyn Work>,
        separable: bool,
    ) -> Self {
        let tag_keys = inputs.first().map_or_else(Vec::new, |input| input.tag_keys());
        let inputs: Inputs = inputs.into();
        let of_input = |(at, input): (usize, &Arc<dyn Source>)| {
            (0..input.groups().len() as u32).map(move |group| (at as u32, group))
        };
        let gathering = Gathering::new(Arc::clone(&inputs), inputs.iter().enumerate().flat_map(of_input).collect());
        let shared =
            Shared { inputs, work, gathering, lanes: Lanes::new(), separable, leases: Vec::new(), answer: None };
        Self { groups, tag_keys, shared: Arc::new(Mutex::new(shared)) }
    }
}

impl Source for TablesSource {
    fn groups(&self) -> &[Header] {
        &self.groups
    }

    fn tag_keys(&self) -> Vec<String> {
        self.tag_keys.clone()
    }

    fn open(&self, group: usize, _: &Ask) -> Box<dyn Cursor> {
        Box::new(TablesCursor { shared: Arc::clone(&self.shared), group, out: None })
    }
}

struct TablesCursor {
    shared: Arc<Mutex<Shared>>,
    group: usize,
    out: Option<Table>,
}

impl Cursor for TablesCursor {
    fn prefetch(&mut self, cx: &mut Context) -> Result<(), QueryError> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.answer.is_none() {
            shared.gathering.ahead = shared.gathering.ahead.max(2);
            shared.gathering.open_ahead(cx)?;
        }
        Ok(())
    }

    fn next(&mut self, cx: &mut Context) -> Result<Poll, QueryError> {
        if self.out.is_some() {
            return Ok(Poll::End);
        }
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wait) = shared.gather(cx)? {
            return Ok(wait);
        }
        let own = shared.answer.as_mut().and_then(|answer| answer.get_mut(self.group)).map(std::mem::take);
        let own = self.out.insert(own.unwrap_or_default());
        Ok(if own.len() > 0 { Poll::Rows } else { Poll::End })
    }

    fn rows(&self) -> Rows<'_> {
        self.out.as_ref().expect("pulled before").rows()
    }
}

impl Gathering {
    fn new(inputs: Inputs, groups: Vec<(u32, u32)>) -> Self {
        Self {
            inputs,
            groups,
            opened: 0,
            cursors: VecDeque::new(),
            ahead: 1,
            half_done: None,
            tables: Vec::new(),
            lease: None,
        }
    }

    fn open_ahead(&mut self, cx: &mut Context) -> Result<(), QueryError> {
        while self.cursors.len() < self.ahead {
            if !self.cursors.is_empty() && !cx.io.has_room() {
                break;
            }
            let Some((input, group)) = self.groups.get(self.opened) else { break };
            let mut cursor = self.inputs[*input as usize].open(*group as usize, &Ask::default());
            if self.ahead > 1 {
                cursor.prefetch(cx)?;
            }
            self.cursors.push_back(cursor);
            self.opened += 1;
        }
        Ok(())
    }

    /// Takes in all rows. Otherwise says what to wait for. Stops early, with no cursor open, when the rest is worth
    /// sharing out and `may_share`.
    fn gather(&mut self, cx: &mut Context, may_share: bool) -> Result<Option<Poll>, QueryError> {
        loop {
            // With threads at hand the next groups are theirs.
            let shares = may_share && cx.shares();
            if !shares {
                self.open_ahead(cx)?;
            }
            let Some(cursor) = self.cursors.front_mut() else { return Ok(None) };
            // Groups are done in the order they were opened in.
            let (input, group) = self.groups[self.tables.len()];
            let columns = &self.inputs[input as usize].groups()[group as usize].columns;
            let table = self.half_done.get_or_insert_with(|| Table::new(columns));
            match cursor.next(cx)? {
                Poll::Rows => {
                    let rows = cursor.rows();
                    self.lease.get_or_insert_with(|| cx.memory.lease()).grow(rows.len() * row_bytes(columns))?;
                    table.extend(&rows);
                }
                Poll::Summary => {}
                Poll::End => {
                    self.tables.extend(self.half_done.take());
                    self.cursors.pop_front();
                }
                Poll::Need => {
                    if !may_share || cx.pool.is_none() {
                        self.ahead = (self.ahead * 2).min(AHEAD);
                    }
                    if !shares {
                        self.open_ahead(cx)?;
                    }
                    return Ok(Some(Poll::Need));
                }
                Poll::Yield => return Ok(Some(Poll::Yield)),
            }
        }
    }

    /// The groups not opened yet, in as many parts as there are lanes.
    fn share_out(&mut self) -> Vec<Self> {
        let left = self.groups.split_off(self.opened);
        let size = left.len().div_ceil(lanes::MOST).max(1);
        left.chunks(size).map(|groups| Self::new(Arc::clone(&self.inputs), groups.to_vec())).collect()
    }
}

impl lanes::Work for Gathering {
    fn run(&mut self, cx: &mut Context) -> Result<Poll, QueryError> {
        Ok(self.gather(cx, false)?.unwrap_or(Poll::End))
    }
}

impl Shared {
    /// Takes in all rows and does the work. Otherwise says what to wait for.
    fn gather(&mut self, cx: &mut Context) -> Result<Option<Poll>, QueryError> {
        if self.answer.is_some() {
            return Ok(None);
        }
        if let Some(wait) = self.gathering.gather(cx, self.separable)? {
            return Ok(Some(wait));
        }
        for lane in self.gathering.share_out() {
            self.lanes.push(lane, cx);
        }
        let mut ran = false;
        while let Some((_, outcome)) = self.lanes.front() {
            match outcome? {
                Poll::End => {
                    let Some(mut lane) = self.lanes.pop() else { break };
                    self.gathering.tables.append(&mut lane.tables);
                    // The bytes are held until the work is done.
                    self.leases.extend(lane.lease.take());
                }
                wait if ran => return Ok(Some(wait)),
                _ => {
                    self.lanes.run(cx);
                    ran = true;
                }
            }
        }
        let mut tables = std::mem::take(&mut self.gathering.tables).into_iter();
        let gathered = self.inputs.iter().map(|input| tables.by_ref().take(input.groups().len()).collect()).collect();
        self.answer = Some(self.work.run(gathered));
        Ok(None)
    }
}

/// The one float column that these operators give.
pub(super) fn float_column(name: &str) -> ColumnDef {
    ColumnDef { name: name.to_owned(), field_type: FieldType::Float }
}

/// A header whose first column is a float.
pub(super) fn float_header(header: &Header) -> Header {
    let name = header.columns.first().map_or("value", |column| column.name.as_str());
    let rest = header.columns.iter().skip(1).cloned();
    Header { columns: std::iter::once(float_column(name)).chain(rest).collect(), ..header.clone() }
}

/// The numbers of a column; NaN for what is absent or no finite number.
pub(super) fn numbers(column: &Column) -> Vec<f64> {
    let mut numbers: Vec<f64> = match &column.values {
        Values::Float(values) => values.iter().map(|value| if value.is_finite() { *value } else { f64::NAN }).collect(),
        Values::Integer(values) => values.iter().map(|value| *value as f64).collect(),
        Values::Unsigned(values) => values.iter().map(|value| *value as f64).collect(),
        Values::Boolean(values) => values.iter().map(|value| f64::from(u8::from(*value))).collect(),
        Values::String(values) => vec![f64::NAN; values.len()],
    };
    if let Some(present) = &column.present {
        for (row, number) in numbers.iter_mut().enumerate() {
            if !present.get(row) {
                *number = f64::NAN;
            }
        }
    }
    numbers
}

/// A column of numbers; NaN becomes absence.
pub(super) fn column(numbers: Vec<f64>) -> Column {
    let present = numbers.iter().any(|number| number.is_nan()).then(|| {
        let mut present = Bitmap::new();
        numbers.iter().for_each(|number| present.push(!number.is_nan()));
        present
    });
    Column { values: Values::Float(numbers), present }
}

/// A table's first column as numbers, taken out of it.
pub(super) fn take_first(table: &mut Table) -> Vec<f64> {
    match table.columns.first_mut() {
        Some(Column { values: Values::Float(values), present: None })
            if values.iter().all(|value| value.is_finite()) =>
        {
            std::mem::take(values)
        }
        _ => first(table),
    }
}

/// A table's first column as numbers.
pub(super) fn first(table: &Table) -> Vec<f64> {
    table.columns.first().map_or_else(|| vec![f64::NAN; table.len()], numbers)
}

/// The same rows with other numbers in the first column.
pub(super) fn with_first(mut table: Table, numbers: Vec<f64>) -> Table {
    let new = column(numbers);
    match table.columns.first_mut() {
        Some(first) => *first = new,
        None => table.columns.push(new),
    }
    table
}
