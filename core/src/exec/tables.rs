//! Operators that need every row of every group of their inputs before they give one: all of it is gathered once, worked
//! on once, and given out group by group.

use super::cursor::{Ask, ColumnDef, Context, Cursor, Header, Lease, Poll, Rows, Source};
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
    inputs: Vec<Arc<dyn Source>>,
    work: Box<dyn Work>,
    gathered: Vec<Vec<Table>>,
    /// What there is of the group that is being gathered.
    half_done: Option<Table>,
    /// Groups opened over all inputs, as (input, group), and the cursors of those not done.
    opened: (usize, usize),
    cursors: VecDeque<Box<dyn Cursor>>,
    ahead: usize,
    lease: Option<Lease>,
    answer: Option<Vec<Table>>,
}

impl TablesSource {
    /// `groups` are those of the answer.
    pub(super) fn new(inputs: Vec<Arc<dyn Source>>, groups: Vec<Header>, work: Box<dyn Work>) -> Self {
        let tag_keys = inputs.first().map_or_else(Vec::new, |input| input.tag_keys());
        let gathered = inputs.iter().map(|_| Vec::new()).collect();
        let shared = Shared {
            inputs,
            work,
            gathered,
            half_done: None,
            opened: (0, 0),
            cursors: VecDeque::new(),
            ahead: 1,
            lease: None,
            answer: None,
        };
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
            shared.ahead = shared.ahead.max(2);
            shared.open_ahead(cx)?;
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

impl Shared {
    /// Where the next group to open is, if there is one.
    fn next_group(&mut self) -> Option<(usize, usize)> {
        while let Some(input) = self.inputs.get(self.opened.0) {
            if self.opened.1 < input.groups().len() {
                return Some(self.opened);
            }
            self.opened = (self.opened.0 + 1, 0);
        }
        None
    }

    fn open_ahead(&mut self, cx: &mut Context) -> Result<(), QueryError> {
        while self.cursors.len() < self.ahead {
            if !self.cursors.is_empty() && !cx.io.has_room() {
                break;
            }
            let Some((input, group)) = self.next_group() else { break };
            let mut cursor = self.inputs[input].open(group, &Ask::default());
            if self.ahead > 1 {
                cursor.prefetch(cx)?;
            }
            self.cursors.push_back(cursor);
            self.opened.1 += 1;
        }
        Ok(())
    }

    /// Where the rows of the front cursor go: groups are done in the order they were opened in.
    fn front(&self) -> (usize, usize) {
        let input = self.gathered.iter().zip(&self.inputs).position(|(done, input)| done.len() < input.groups().len());
        let input = input.unwrap_or(0);
        (input, self.gathered[input].len())
    }

    /// Takes in all rows and does the work. Otherwise says what to wait for.
    fn gather(&mut self, cx: &mut Context) -> Result<Option<Poll>, QueryError> {
        if self.answer.is_some() {
            return Ok(None);
        }
        loop {
            self.open_ahead(cx)?;
            let (input, group) = self.front();
            let Some(cursor) = self.cursors.front_mut() else { break };
            let columns = &self.inputs[input].groups()[group].columns;
            let table = self.half_done.get_or_insert_with(|| Table::new(columns));
            match cursor.next(cx)? {
                Poll::Rows => {
                    let rows = cursor.rows();
                    self.lease.get_or_insert_with(|| cx.memory.lease()).grow(rows.len() * row_bytes(columns))?;
                    table.extend(&rows);
                }
                Poll::Summary => {}
                Poll::End => {
                    self.gathered[input].extend(self.half_done.take());
                    self.cursors.pop_front();
                }
                Poll::Need => {
                    self.ahead = (self.ahead * 2).min(AHEAD);
                    self.open_ahead(cx)?;
                    return Ok(Some(Poll::Need));
                }
                Poll::Yield => return Ok(Some(Poll::Yield)),
            }
        }
        let gathered = std::mem::take(&mut self.gathered);
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
