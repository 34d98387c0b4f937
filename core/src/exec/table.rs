//! Rows that an operator owns, and copying columns in bulk.

use super::cursor::{ColumnDef, Rows, View};
use crate::model::Column;
use crate::model::column::{Bitmap, Values};
use crate::value::{FieldType, Value};

/// A time column and columns beside it.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) times: Vec<i64>,
    pub(super) columns: Vec<Column>,
}

impl Table {
    pub(super) fn new(columns: &[ColumnDef]) -> Self {
        Self { times: Vec::new(), columns: columns.iter().map(|column| Column::new(column.field_type)).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    pub(super) fn clear(&mut self) {
        self.times.clear();
        self.columns.iter_mut().for_each(Column::clear);
    }

    /// Drops the rows that have no value in any column.
    pub(super) fn drop_empty_rows(&mut self) {
        if self.columns.iter().any(|column| column.present.is_none()) {
            return;
        }
        let lives = |row: usize| self.columns.iter().any(|column| column.is_present(row));
        let chosen: Vec<u32> = (0..self.len()).filter(|row| lives(*row)).map(|row| row as u32).collect();
        if chosen.len() < self.len() {
            let mut kept = self.emptied();
            kept.gather(&self.rows(), &chosen);
            *self = kept;
        }
    }

    /// No rows of the same columns.
    pub(super) fn emptied(&self) -> Self {
        let columns = self.columns.iter().map(|column| Column::new(column.field_type())).collect();
        Self { times: Vec::new(), columns }
    }

    pub(super) fn rows(&self) -> Rows<'_> {
        let columns = self.columns.iter().map(View::Column).collect();
        Rows { times: &self.times, columns, from: 0, to: self.times.len() }
    }

    /// Appends rows. `self` has the columns of `rows`, by type.
    pub(super) fn extend(&mut self, rows: &Rows<'_>) {
        self.times.extend_from_slice(rows.times());
        for (column, view) in self.columns.iter_mut().zip(&rows.columns) {
            extend(column, *view, rows.from, rows.to);
        }
    }

    /// Appends chosen rows.
    pub(super) fn gather(&mut self, rows: &Rows<'_>, chosen: &[u32]) {
        self.times.extend(chosen.iter().map(|row| rows.times[*row as usize]));
        for (column, view) in self.columns.iter_mut().zip(&rows.columns) {
            gather(column, *view, chosen);
        }
    }

    /// Bytes of the values, about.
    pub(super) fn bytes(&self) -> usize {
        self.times.len() * 8 + self.columns.iter().map(column_bytes).sum::<usize>()
    }
}

/// Bytes a row takes, about, texts apart.
pub(super) fn row_bytes(columns: &[ColumnDef]) -> usize {
    8 + columns.len() * 9
}

fn column_bytes(column: &Column) -> usize {
    match &column.values {
        Values::String(texts) => texts.text_len() + texts.len() * 5,
        values => values.len() * 9,
    }
}

/// Appends rows `from..to` of a view of the column's own type.
pub(super) fn extend(column: &mut Column, view: View<'_>, from: usize, to: usize) {
    let rows = to - from;
    // Merges copy row by row.
    if rows == 1 {
        if let (Column { values: Values::Float(into), present: None }, View::Column(source)) = (&mut *column, view)
            && let Column { values: Values::Float(values), present: None } = source
        {
            into.push(values[from]);
        } else {
            column.push(view.get(from));
        }
        return;
    }
    let source = match view {
        View::Absent => return column.extend_absent(rows),
        View::Constant(value) => return extend_constant(column, value, rows),
        View::Column(source) => source,
    };
    match &source.present {
        None => {
            if let Some(map) = &mut column.present {
                map.resize(map.len() + rows, true);
            }
        }
        Some(present) => {
            let before = column.values.len();
            let map = column.present.get_or_insert_with(|| Bitmap::filled(true, before));
            (from..to).for_each(|row| map.push(present.get(row)));
        }
    }
    match (&mut column.values, &source.values) {
        (Values::Float(into), Values::Float(values)) => into.extend_from_slice(&values[from..to]),
        (Values::Integer(into), Values::Integer(values)) => into.extend_from_slice(&values[from..to]),
        (Values::Unsigned(into), Values::Unsigned(values)) => into.extend_from_slice(&values[from..to]),
        (Values::Boolean(into), Values::Boolean(values)) => into.extend_from_slice(&values[from..to]),
        (Values::String(into), Values::String(values)) => (from..to).for_each(|row| into.push(values.get(row))),
        (into, _) => {
            debug_assert!(false, "views have the type of their column");
            into.extend_absent(rows);
        }
    }
}

fn extend_constant(column: &mut Column, value: Value<'_>, rows: usize) {
    let len = column.len() + rows;
    if let Some(map) = &mut column.present {
        map.resize(len, true);
    }
    match (&mut column.values, value) {
        (Values::Float(into), Value::Float(value)) => into.resize(len, value),
        (Values::Integer(into), Value::Integer(value)) => into.resize(len, value),
        (Values::Unsigned(into), Value::Unsigned(value)) => into.resize(len, value),
        (Values::Boolean(into), Value::Boolean(value)) => into.resize(len, value),
        (Values::String(into), Value::String(text)) => (0..rows).for_each(|_| into.push(text)),
        (into, _) => {
            debug_assert!(false, "views have the type of their column");
            into.extend_absent(rows);
        }
    }
}

/// Appends chosen rows of a view of the column's own type.
pub(super) fn gather(column: &mut Column, view: View<'_>, chosen: &[u32]) {
    let source = match view {
        View::Column(source) if source.present.is_none() && column.present.is_none() => source,
        view => return chosen.iter().for_each(|row| column.push(view.get(*row as usize))),
    };
    fn pick<T: Copy>(into: &mut Vec<T>, values: &[T], chosen: &[u32]) {
        into.extend(chosen.iter().map(|row| values[*row as usize]));
    }
    match (&mut column.values, &source.values) {
        (Values::Float(into), Values::Float(values)) => pick(into, values, chosen),
        (Values::Integer(into), Values::Integer(values)) => pick(into, values, chosen),
        (Values::Unsigned(into), Values::Unsigned(values)) => pick(into, values, chosen),
        (Values::Boolean(into), Values::Boolean(values)) => pick(into, values, chosen),
        (into, values) => chosen.iter().for_each(|row| into.push(Some(values.get(*row as usize)))),
    }
}

/// Bits `from..to` as a map of their own.
pub(super) fn slice_bits(map: &Bitmap, from: usize, to: usize) -> Bitmap {
    let (first, shift) = (from / 64, from % 64);
    let words = map.words();
    let word = |at: usize| words.get(at).copied().unwrap_or(0);
    let cut = (0..(to - from).div_ceil(64)).map(|at| {
        let low = word(first + at) >> shift;
        if shift == 0 { low } else { low | word(first + at + 1) << (64 - shift) }
    });
    Bitmap::from_words(cut.collect(), to - from)
}

/// A number as another numeric type, toward zero; a value of the type as it is; anything else is absent.
pub(super) fn cast(value: Value<'_>, to: FieldType) -> Option<Value<'_>> {
    Some(match (value, to) {
        (value, to) if value.field_type() == to => value,
        (Value::Integer(value), FieldType::Float) => Value::Float(value as f64),
        (Value::Unsigned(value), FieldType::Float) => Value::Float(value as f64),
        (Value::Float(value), FieldType::Integer) => Value::Integer(value as i64),
        (Value::Unsigned(value), FieldType::Integer) => Value::Integer(value as i64),
        (Value::Float(value), FieldType::Unsigned) => Value::Unsigned(value as u64),
        (Value::Integer(value), FieldType::Unsigned) => Value::Unsigned(value as u64),
        _ => return None,
    })
}

/// A column as another type; see [`cast`]. `None` when no value converts.
pub(super) fn cast_column(column: &Column, to: FieldType) -> Option<Column> {
    let values = match (&column.values, to) {
        (Values::Integer(values), FieldType::Float) => Values::Float(values.iter().map(|v| *v as f64).collect()),
        (Values::Unsigned(values), FieldType::Float) => Values::Float(values.iter().map(|v| *v as f64).collect()),
        (Values::Float(values), FieldType::Integer) => Values::Integer(values.iter().map(|v| *v as i64).collect()),
        (Values::Unsigned(values), FieldType::Integer) => Values::Integer(values.iter().map(|v| *v as i64).collect()),
        (Values::Float(values), FieldType::Unsigned) => Values::Unsigned(values.iter().map(|v| *v as u64).collect()),
        (Values::Integer(values), FieldType::Unsigned) => Values::Unsigned(values.iter().map(|v| *v as u64).collect()),
        _ => return None,
    };
    Some(Column { values, present: column.present.clone() })
}
