//! A column of values of one type, with an optional map of which rows have one.

use crate::value::{FieldType, Value};

/// Bits, 64 to a word, lowest bit first; bits past `len` are zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bitmap {
    words: Vec<u64>,
    len: usize,
}

impl Bitmap {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn filled(value: bool, len: usize) -> Self {
        let mut map = Self { words: vec![if value { u64::MAX } else { 0 }; len.div_ceil(64)], len };
        map.trim();
        map
    }

    /// Takes words as written by [`words`](Self::words); missing words are zero.
    pub fn from_words(mut words: Vec<u64>, len: usize) -> Self {
        words.resize(len.div_ceil(64), 0);
        let mut map = Self { words, len };
        map.trim();
        map
    }

    pub fn words(&self) -> &[u64] {
        &self.words
    }

    pub const fn len(&self) -> usize {
        self.len
    }

    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn get(&self, row: usize) -> bool {
        self.words[row / 64] >> (row % 64) & 1 == 1
    }

    pub fn set(&mut self, row: usize, value: bool) {
        let mask = 1 << (row % 64);
        if value {
            self.words[row / 64] |= mask;
        } else {
            self.words[row / 64] &= !mask;
        }
    }

    pub fn push(&mut self, value: bool) {
        if self.len.is_multiple_of(64) {
            self.words.push(0);
        }
        self.len += 1;
        if value {
            self.set(self.len - 1, true);
        }
    }

    /// Makes it `len` long; new bits are `value`.
    pub fn resize(&mut self, len: usize, value: bool) {
        while self.len < len && !self.len.is_multiple_of(64) {
            self.push(value);
        }
        if self.len >= len {
            self.len = len;
            self.words.truncate(len.div_ceil(64));
        } else {
            self.words.resize(len.div_ceil(64), if value { u64::MAX } else { 0 });
            self.len = len;
        }
        self.trim();
    }

    pub fn clear(&mut self) {
        self.words.clear();
        self.len = 0;
    }

    pub fn count_ones(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Set bits in `from..to`.
    pub fn count_ones_in(&self, from: usize, to: usize) -> usize {
        if from >= to {
            return 0;
        }
        let (first, last) = (from / 64, (to - 1) / 64);
        let low = u64::MAX << (from % 64);
        let high = u64::MAX >> (63 - (to - 1) % 64);
        if first == last {
            return (self.words[first] & low & high).count_ones() as usize;
        }
        let middle: usize = self.words[first + 1..last].iter().map(|word| word.count_ones() as usize).sum();
        (self.words[first] & low).count_ones() as usize + middle + (self.words[last] & high).count_ones() as usize
    }

    fn trim(&mut self) {
        if let Some(last) = self.words.last_mut().filter(|_| !self.len.is_multiple_of(64)) {
            *last &= u64::MAX >> (64 - self.len % 64);
        }
    }
}

/// Texts of a column, end to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strings {
    ends: Vec<u32>,
    text: String,
}

impl Strings {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn get(&self, row: usize) -> &str {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        self.text.get(start as usize..self.ends[row] as usize).unwrap_or_default()
    }

    /// A column holds less than 4 GiB of text; the caller bounds blocks and frames far below that.
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(u32::try_from(self.text.len()).expect("a column's text stays below 4 GiB: batches are bounded"));
    }

    pub fn clear(&mut self) {
        self.ends.clear();
        self.text.clear();
    }

    pub fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        self.text.truncate(self.ends.last().map_or(0, |end| *end as usize));
    }

    pub fn text_len(&self) -> usize {
        self.text.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|row| self.get(row))
    }
}

/// The values of a column, one slot a row. A slot whose row has no value holds zero, false or the empty text.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    Float(Vec<f64>),
    Integer(Vec<i64>),
    Unsigned(Vec<u64>),
    Boolean(Vec<bool>),
    String(Strings),
}

impl Values {
    pub fn new(field_type: FieldType) -> Self {
        match field_type {
            FieldType::Float => Self::Float(Vec::new()),
            FieldType::Integer => Self::Integer(Vec::new()),
            FieldType::Unsigned => Self::Unsigned(Vec::new()),
            FieldType::Boolean => Self::Boolean(Vec::new()),
            FieldType::String => Self::String(Strings::default()),
        }
    }

    pub const fn field_type(&self) -> FieldType {
        match self {
            Self::Float(_) => FieldType::Float,
            Self::Integer(_) => FieldType::Integer,
            Self::Unsigned(_) => FieldType::Unsigned,
            Self::Boolean(_) => FieldType::Boolean,
            Self::String(_) => FieldType::String,
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Float(values) => values.len(),
            Self::Integer(values) => values.len(),
            Self::Unsigned(values) => values.len(),
            Self::Boolean(values) => values.len(),
            Self::String(values) => values.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn get(&self, row: usize) -> Value<'_> {
        match self {
            Self::Float(values) => Value::Float(values[row]),
            Self::Integer(values) => Value::Integer(values[row]),
            Self::Unsigned(values) => Value::Unsigned(values[row]),
            Self::Boolean(values) => Value::Boolean(values[row]),
            Self::String(values) => Value::String(values.get(row)),
        }
    }

    /// Appends a value of this column's own type; `None` fills an absent row. Another type is a bug of the caller.
    pub fn push(&mut self, value: Option<Value<'_>>) {
        match (self, value) {
            (Self::Float(values), Some(Value::Float(value))) => values.push(value),
            (Self::Integer(values), Some(Value::Integer(value))) => values.push(value),
            (Self::Unsigned(values), Some(Value::Unsigned(value))) => values.push(value),
            (Self::Boolean(values), Some(Value::Boolean(value))) => values.push(value),
            (Self::String(values), Some(Value::String(value))) => values.push(value),
            (Self::Float(values), None) => values.push(0.0),
            (Self::Integer(values), None) => values.push(0),
            (Self::Unsigned(values), None) => values.push(0),
            (Self::Boolean(values), None) => values.push(false),
            (Self::String(values), None) => values.push(""),
            (values, Some(value)) => {
                debug_assert!(false, "a {} in a column of {}", value.field_type(), values.field_type());
                values.push(None);
            }
        }
    }

    pub fn clear(&mut self) {
        self.truncate(0);
    }

    pub fn truncate(&mut self, rows: usize) {
        match self {
            Self::Float(values) => values.truncate(rows),
            Self::Integer(values) => values.truncate(rows),
            Self::Unsigned(values) => values.truncate(rows),
            Self::Boolean(values) => values.truncate(rows),
            Self::String(values) => values.truncate(rows),
        }
    }

    /// Appends `rows` absent slots.
    pub fn extend_absent(&mut self, rows: usize) {
        match self {
            Self::Float(values) => values.resize(values.len() + rows, 0.0),
            Self::Integer(values) => values.resize(values.len() + rows, 0),
            Self::Unsigned(values) => values.resize(values.len() + rows, 0),
            Self::Boolean(values) => values.resize(values.len() + rows, false),
            Self::String(values) => (0..rows).for_each(|_| values.push("")),
        }
    }

    /// Bytes on the heap, roughly, for memory accounting.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Float(values) => values.capacity() * 8,
            Self::Integer(values) => values.capacity() * 8,
            Self::Unsigned(values) => values.capacity() * 8,
            Self::Boolean(values) => values.capacity(),
            Self::String(values) => values.ends.capacity() * 4 + values.text.capacity(),
        }
    }
}

/// Values of one type and which rows have one; `present: None` means all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub values: Values,
    pub present: Option<Bitmap>,
}

impl Column {
    pub fn new(field_type: FieldType) -> Self {
        Self { values: Values::new(field_type), present: None }
    }

    pub fn len(&self) -> usize {
        self.values.len()
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub const fn field_type(&self) -> FieldType {
        self.values.field_type()
    }

    /// Makes values that are no number absent.
    pub fn blank_nan(&mut self) {
        let Values::Float(values) = &mut self.values else { return };
        let len = values.len();
        for (row, value) in values.iter_mut().enumerate().filter(|(_, value)| value.is_nan()) {
            self.present.get_or_insert_with(|| Bitmap::filled(true, len)).set(row, false);
            *value = 0.0;
        }
    }

    pub fn is_present(&self, row: usize) -> bool {
        self.present.as_ref().is_none_or(|map| map.get(row))
    }

    pub fn get(&self, row: usize) -> Option<Value<'_>> {
        self.is_present(row).then(|| self.values.get(row))
    }

    pub fn push(&mut self, value: Option<Value<'_>>) {
        match (&mut self.present, value.is_some()) {
            (Some(map), present) => map.push(present),
            (None, true) => {}
            (absent @ None, false) => {
                let mut map = Bitmap::filled(true, self.values.len());
                map.push(false);
                *absent = Some(map);
            }
        }
        self.values.push(value);
    }

    pub fn extend_absent(&mut self, rows: usize) {
        if rows == 0 {
            return;
        }
        let len = self.values.len();
        self.present.get_or_insert_with(|| Bitmap::filled(true, len)).resize(len + rows, false);
        self.values.extend_absent(rows);
    }

    pub fn clear(&mut self) {
        self.values.clear();
        self.present = None;
    }

    /// Some of the rows, in the order given.
    pub fn gather(&self, rows: &[u32]) -> Self {
        let mut gathered = Self::new(self.field_type());
        rows.iter().for_each(|row| gathered.push(self.get(*row as usize)));
        gathered
    }

    /// Rows that have a value.
    pub fn count(&self) -> usize {
        self.present.as_ref().map_or_else(|| self.values.len(), Bitmap::count_ones)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_learns_of_absence_late() {
        let mut column = Column::new(FieldType::Integer);
        column.push(Some(Value::Integer(7)));
        assert!(column.present.is_none());
        column.push(None);
        column.extend_absent(70);
        column.push(Some(Value::Integer(8)));
        assert_eq!((column.len(), column.count()), (73, 2));
        assert_eq!(column.get(1), None);
        assert_eq!(column.get(72), Some(Value::Integer(8)));
    }

    #[test]
    fn bits_are_counted_in_ranges() {
        let mut map = Bitmap::filled(true, 200);
        map.set(64, false);
        assert_eq!(map.count_ones(), 199);
        assert_eq!((map.count_ones_in(60, 70), map.count_ones_in(3, 3), map.count_ones_in(0, 200)), (9, 0, 199));
        map.resize(65, true);
        assert_eq!((map.count_ones(), map.len()), (64, 65));
        map.resize(130, true);
        assert_eq!(map.count_ones(), 129);
    }
}
