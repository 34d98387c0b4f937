//! Points on their way in: what every dialect's write path makes and the store, the WAL and the live tail take.
//!
//! A batch is made for one database and retention policy. Names are interned per batch, so a point costs a row and a
//! cell per field and, once its series and fields are known to the batch, no allocation of its own. A batch is meant
//! to be [cleared](WriteBatch::clear) and used again.

use super::series::push_text;
use crate::hash::{BuildHasher, Map};
use crate::value::{FieldType, Value};
use std::hash::BuildHasher as _;

/// A field's value as it lies in a batch: 8 bytes of payload, or a range of the batch's text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// A slot: see [`WriteBatch::field_name`].
    pub field: u32,
    pub field_type: FieldType,
    /// Float bits, integer, unsigned, 0 or 1; for a string `offset << 32 | length` into the batch's text.
    pub bits: u64,
}

/// One point: a series, a time and a run of cells. A field named twice: the later cell wins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// A slot: see [`WriteBatch::series_key`].
    pub series: u32,
    pub time: i64,
    pub first_cell: u32,
    pub cells: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: u32,
    len: u32,
}

impl Span {
    fn of(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..(self.start + self.len) as usize]
    }
}

/// A field name of one measurement.
#[derive(Clone, Copy, Debug)]
struct FieldName {
    measurement: u32,
    name: Span,
}

#[derive(Clone, Copy, Debug)]
struct SeriesEntry {
    key: Span,
    measurement: u32,
}

/// The bytes by which a writer names a series, before escapes are undone and tags sorted.
#[derive(Clone, Copy, Debug)]
struct WireKey {
    text: Span,
    series: u32,
}

/// Columns of points to write; see the module.
#[derive(Clone, Debug, Default)]
pub struct WriteBatch {
    names: Vec<u8>,
    text: Vec<u8>,
    measurements: Vec<Span>,
    series: Vec<SeriesEntry>,
    wire_keys: Vec<WireKey>,
    fields: Vec<FieldName>,
    pub rows: Vec<Row>,
    pub cells: Vec<Cell>,
    by_key: Map<u64, u32>,
    by_wire_key: Map<u64, u32>,
    by_field: Map<u64, u32>,
    by_measurement: Map<u64, u32>,
    scratch: Vec<u8>,
    last_series: u32,
    /// The wire key that is tried first: writers go through their series in the same order again and again.
    next_wire_key: u32,
    guess: u32,
    /// Length of `text` before the point last begun.
    row_text: usize,
}

impl WriteBatch {
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the points, keeps the memory.
    pub fn clear(&mut self) {
        self.names.clear();
        self.text.clear();
        self.measurements.clear();
        self.series.clear();
        self.wire_keys.clear();
        self.fields.clear();
        self.rows.clear();
        self.cells.clear();
        self.by_key.clear();
        self.by_wire_key.clear();
        self.by_field.clear();
        self.by_measurement.clear();
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn series_count(&self) -> usize {
        self.series.len()
    }

    pub fn field_count(&self) -> usize {
        self.fields.len()
    }

    /// Canonical bytes of a series (see [`super::series`]).
    pub fn series_key(&self, series: u32) -> &[u8] {
        self.series[series as usize].key.of(&self.names)
    }

    pub fn series_measurement(&self, series: u32) -> &str {
        let measurement = self.series[series as usize].measurement;
        utf8(self.measurements[measurement as usize].of(&self.names))
    }

    pub fn field_name(&self, field: u32) -> &str {
        utf8(self.fields[field as usize].name.of(&self.names))
    }

    pub fn field_measurement(&self, field: u32) -> &str {
        let measurement = self.fields[field as usize].measurement;
        utf8(self.measurements[measurement as usize].of(&self.names))
    }

    pub fn cells_of(&self, row: &Row) -> &[Cell] {
        &self.cells[row.first_cell as usize..(row.first_cell + row.cells) as usize]
    }

    pub fn value(&self, cell: &Cell) -> Value<'_> {
        match cell.field_type {
            FieldType::Float => Value::Float(f64::from_bits(cell.bits)),
            FieldType::Integer => Value::Integer(cell.bits as i64),
            FieldType::Unsigned => Value::Unsigned(cell.bits),
            FieldType::Boolean => Value::Boolean(cell.bits != 0),
            FieldType::String => {
                let start = (cell.bits >> 32) as usize;
                Value::String(utf8(&self.text[start..start + (cell.bits as u32) as usize]))
            }
        }
    }

    /// The slot of a series given its tags **sorted by key, without empty values and without repeats**.
    pub fn intern_series<'a>(
        &mut self,
        measurement: &'a str,
        tags: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
    ) -> u32 {
        let mut key = std::mem::take(&mut self.scratch);
        key.clear();
        push_key(measurement, tags, &mut key);
        let slot = self.intern_key(measurement, &key);
        self.scratch = key;
        slot
    }

    /// The slot of a series whose canonical key is at hand.
    pub fn intern_key(&mut self, measurement: &str, key: &[u8]) -> u32 {
        if let Some(last) = self.series.get(self.last_series as usize)
            && last.key.of(&self.names) == key
        {
            return self.last_series;
        }
        let mut hash = BuildHasher::default().hash_one(key);
        while let Some(slot) = self.by_key.get(&hash) {
            if self.series[*slot as usize].key.of(&self.names) == key {
                self.last_series = *slot;
                return *slot;
            }
            hash = hash.wrapping_add(1);
        }
        let measurement = self.intern_measurement(measurement);
        let key = store_name(key, &mut self.names);
        let slot = self.series.len() as u32;
        self.series.push(SeriesEntry { key, measurement });
        self.by_key.insert(hash, slot);
        self.last_series = slot;
        slot
    }

    /// The series whose [wire key](Self::remember_wire_key) `line` begins with, a blank after it; and the key's length.
    pub fn series_of_line(&mut self, line: &[u8]) -> Option<(u32, usize)> {
        let begins = |key: &WireKey, names: &[u8]| {
            let length = key.text.len as usize;
            line.get(length) == Some(&b' ') && line.starts_with(key.text.of(names))
        };
        for guess in [self.next_wire_key, self.next_wire_key.wrapping_sub(1)] {
            if let Some(key) = self.wire_keys.get(guess as usize).filter(|key| begins(key, &self.names)) {
                self.next_wire_key = guess + 1;
                return Some((key.series, key.text.len as usize));
            }
        }
        let mut end = memchr::memchr(b' ', line)?;
        while end > 0 && line[end - 1] == b'\\' {
            end += 1 + memchr::memchr(b' ', &line[end + 1..])?;
        }
        let mut hash = BuildHasher::default().hash_one(&line[..end]);
        while let Some(slot) = self.by_wire_key.get(&hash) {
            let key = self.wire_keys[*slot as usize];
            if key.text.len as usize == end && begins(&key, &self.names) {
                self.next_wire_key = *slot + 1;
                return Some((key.series, end));
            }
            hash = hash.wrapping_add(1);
        }
        None
    }

    /// Keeps the bytes by which a series is named on a wire, so that they are taken apart once. A blank in
    /// them has a backslash before it.
    pub fn remember_wire_key(&mut self, key: &[u8], series: u32) {
        let mut hash = BuildHasher::default().hash_one(key);
        while self.by_wire_key.contains_key(&hash) {
            hash = hash.wrapping_add(1);
        }
        let slot = self.wire_keys.len() as u32;
        let text = store_name(key, &mut self.names);
        self.wire_keys.push(WireKey { text, series });
        self.by_wire_key.insert(hash, slot);
        self.next_wire_key = slot + 1;
    }

    /// Begins a point of `series`; add its fields with [`push_value`](Self::push_value).
    pub fn begin_row(&mut self, series: u32, time: i64) {
        self.row_text = self.text.len();
        // Points mostly name the fields of the point before.
        if let Some(cell) = self.rows.last().and_then(|row| self.cells.get(row.first_cell as usize)) {
            self.guess = cell.field;
        }
        self.rows.push(Row { series, time, first_cell: self.cells.len() as u32, cells: 0 });
    }

    /// Adds a field to the point last begun.
    pub fn push_value(&mut self, name: &str, value: Value<'_>) {
        let series = self.rows.last().expect("begin_row comes before push_value").series;
        let field = self.intern_field(self.measurement_slot(series), name);
        self.push_cell(field, value);
    }

    /// Adds a field to the point last begun, by the slot that [`intern_field`](Self::intern_field) gave.
    #[inline]
    pub fn push_cell(&mut self, field: u32, value: Value<'_>) {
        let (field_type, bits) = match value {
            Value::Float(value) => (FieldType::Float, crate::value::canonical(value).to_bits()),
            Value::Integer(value) => (FieldType::Integer, value as u64),
            Value::Unsigned(value) => (FieldType::Unsigned, value),
            Value::Boolean(value) => (FieldType::Boolean, u64::from(value)),
            Value::String(value) => {
                let start = self.text.len() as u64;
                self.text.extend_from_slice(value.as_bytes());
                (FieldType::String, start << 32 | value.len() as u64)
            }
        };
        self.cells.push(Cell { field, field_type, bits });
        self.rows.last_mut().expect("begin_row comes before a cell").cells += 1;
    }

    /// Takes the point last begun back, with its fields. Names it brought stay known.
    pub fn abandon_row(&mut self) {
        if let Some(row) = self.rows.pop() {
            self.cells.truncate(row.first_cell as usize);
            self.text.truncate(self.row_text);
        }
    }

    /// Bytes of memory the points take, roughly.
    pub fn heap_bytes(&self) -> usize {
        self.names.len()
            + self.text.len()
            + self.rows.len() * 24
            + self.cells.len() * 16
            + self.series.len() * 32
            + self.wire_keys.len() * 24
    }

    fn intern_measurement(&mut self, name: &str) -> u32 {
        let mut hash = BuildHasher::default().hash_one(name.as_bytes());
        while let Some(slot) = self.by_measurement.get(&hash) {
            if self.measurements[*slot as usize].of(&self.names) == name.as_bytes() {
                return *slot;
            }
            hash = hash.wrapping_add(1);
        }
        let span = store_name(name.as_bytes(), &mut self.names);
        let slot = self.measurements.len() as u32;
        self.measurements.push(span);
        self.by_measurement.insert(hash, slot);
        slot
    }

    /// The slot of a series' measurement.
    pub fn measurement_slot(&self, series: u32) -> u32 {
        self.series[series as usize].measurement
    }

    /// The slot of a field of a measurement. Points of a measurement mostly name the same fields in the same order: the
    /// field after the last one found is tried before the map.
    pub fn intern_field(&mut self, measurement: u32, name: &str) -> u32 {
        if let Some(field) = self.fields.get(self.guess as usize)
            && field.measurement == measurement
            && field.name.of(&self.names) == name.as_bytes()
        {
            self.guess += 1;
            return self.guess - 1;
        }
        let mut hash = BuildHasher::default().hash_one((measurement, name.as_bytes()));
        while let Some(slot) = self.by_field.get(&hash) {
            let field = self.fields[*slot as usize];
            if field.measurement == measurement && field.name.of(&self.names) == name.as_bytes() {
                self.guess = *slot + 1;
                return *slot;
            }
            hash = hash.wrapping_add(1);
        }
        let name = store_name(name.as_bytes(), &mut self.names);
        let slot = self.fields.len() as u32;
        self.fields.push(FieldName { measurement, name });
        self.by_field.insert(hash, slot);
        self.guess = slot + 1;
        slot
    }
}

/// Appends a canonical key (see [`super::series`]). Texts are first written as they are: the two bytes to escape are all
/// but unheard of, and one look over the whole key is cheaper than one at every text.
fn push_key<'a>(measurement: &'a str, tags: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone, out: &mut Vec<u8>) {
    const HIGHEST_ESCAPED: u8 = 1;
    let texts = || std::iter::once(measurement.as_bytes()).chain(tags.clone().flat_map(|(name, value)| [name, value]));
    let start = out.len();
    let mut closed = 0_usize;
    for text in texts() {
        out.extend_from_slice(text);
        out.push(0);
        closed += 1;
    }
    // Counted in bytes, which vectors hold many of.
    let special = |bytes: &[u8]| bytes.iter().map(|byte| u8::from(*byte <= HIGHEST_ESCAPED)).sum::<u8>();
    if out[start..].chunks(128).map(|bytes| usize::from(special(bytes))).sum::<usize>() > closed {
        out.truncate(start);
        texts().for_each(|text| push_text(text, out));
    }
}

fn store_name(name: &[u8], names: &mut Vec<u8>) -> Span {
    let start = names.len() as u32;
    names.extend_from_slice(name);
    Span { start, len: name.len() as u32 }
}

fn utf8(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("only whole texts are stored")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_known_by_their_wire_keys() {
        let mut batch = WriteBatch::new();
        for (slot, key) in ["cpu,a=1", "cpu,a=1\\ 0", "cpu"].into_iter().enumerate() {
            assert_eq!(batch.series_of_line(format!("{key} v=1").as_bytes()), None);
            assert_eq!(batch.intern_series(key, std::iter::empty()), slot as u32);
            batch.remember_wire_key(key.as_bytes(), slot as u32);
        }
        for round in [0, 1, 2, 2, 0, 0, 2, 1, 1] {
            let key = ["cpu,a=1", "cpu,a=1\\ 0", "cpu"][round];
            let found = Some((round as u32, key.len()));
            assert_eq!(batch.series_of_line(format!("{key} v=1").as_bytes()), found);
            assert_eq!(batch.series_of_line(format!("{key},v=1").as_bytes()), None);
            assert_eq!(batch.series_of_line(key.as_bytes()), None);
        }
    }

    /// The bytes that close and escape texts of a key are escaped in it.
    #[test]
    fn keys_are_canonical() {
        let mut batch = WriteBatch::new();
        for text in ["plain", "a\u{0}b", "\u{1}"] {
            let tags = [(text.as_bytes(), &b"v"[..]), (&b"z"[..], text.as_bytes())];
            let series = batch.intern_series(text, tags.into_iter());
            let key = crate::model::SeriesKey::new(text, &[(text, "v"), ("z", text)]);
            assert_eq!(batch.series_key(series), key.as_bytes());
        }
    }

    #[test]
    fn names_are_kept_once() {
        let mut batch = WriteBatch::new();
        for time in 0..3 {
            for host in ["a", "b"] {
                let tags = [(&b"host"[..], host.as_bytes())];
                let series = batch.intern_series("cpu", tags.into_iter());
                batch.begin_row(series, time);
                batch.push_value("user", Value::Float(1.5));
                batch.push_value("note", Value::String("x"));
            }
        }
        assert_eq!((batch.len(), batch.series_count(), batch.field_count()), (6, 2, 2));
        let row = batch.rows[5];
        assert_eq!(batch.series_measurement(row.series), "cpu");
        let values: Vec<_> =
            batch.cells_of(&row).iter().map(|cell| (batch.field_name(cell.field), batch.value(cell))).collect();
        assert_eq!(values, [("user", Value::Float(1.5)), ("note", Value::String("x"))]);
        batch.abandon_row();
        assert_eq!((batch.len(), batch.cells.len(), batch.text.len()), (5, 10, 5));
    }
}
