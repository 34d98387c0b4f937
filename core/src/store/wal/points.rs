//! Points as bytes, for the log and for the live tail.
//!
//! ```text
//! varint   number of rows, each:
//!     varint   series: its number. One more than any before introduces a series: bytes canonical key
//!     zigzag   time, less that of the row before (of 0)
//!     varint   shape: its number. One more than any before introduces a shape: varint number of columns, each:
//!                  varint column: its number. One more than any before introduces a column:
//!                      u8 type of cell, bytes field name
//!     cells    one for each column of the shape
//! cell     0 float     8 bytes, little-endian
//!          1 float     varint of its bits with their bytes reversed: short for whole and half numbers
//!          2 integer   zigzag           3 unsigned  varint
//!          4 string    bytes (varint length, UTF-8)     5 boolean  u8 0 or 1
//! ```
//!
//! Numbers count from 0 within one batch; `bytes` is a varint length and that many bytes. A writer chooses the kind of
//! float by a column's first value.

use crate::codec::DecodeError;
use crate::codec::varint::{self, Reader};
use crate::hash::{BuildHasher, Map};
use crate::model::{SeriesKey, WriteBatch};
use crate::value::{FieldType, Value};
use std::hash::BuildHasher as _;

const FLOAT_RAW: u8 = 0;
const FLOAT_SHORT: u8 = 1;
const INTEGER: u8 = 2;
const UNSIGNED: u8 = 3;
const STRING: u8 = 4;
const BOOLEAN: u8 = 5;

const NONE: u32 = u32::MAX;

/// Appends the points of a batch.
pub fn encode_batch(batch: &WriteBatch, out: &mut Vec<u8>) {
    PointsWriter::default().write(batch, out);
}

/// Adds the points that `bytes` hold, and nothing else, to a batch. On an error the batch may hold some of them.
pub fn decode_batch(bytes: &[u8], batch: &mut WriteBatch) -> Result<(), DecodeError> {
    let mut reader = Reader::new(bytes);
    decode(&mut reader, batch)?;
    reader.finish()
}

/// An encoder that keeps its memory from batch to batch.
#[derive(Debug, Default)]
pub struct PointsWriter {
    /// Number of each of the batch's series, `NONE` before it is introduced.
    series: Vec<u32>,
    /// Number of the column of each (field, type).
    columns: Vec<u32>,
    kinds: Vec<u8>,
    /// Columns of every shape, end to end.
    shape_columns: Vec<u32>,
    shape_ends: Vec<u32>,
    by_shape: Map<u64, u32>,
    row_columns: Vec<u32>,
}

impl PointsWriter {
    pub fn write(&mut self, batch: &WriteBatch, out: &mut Vec<u8>) {
        self.start(batch);
        varint::write(batch.rows.len() as u64, out);
        let (mut next_series, mut last_time, mut shape) = (0, 0_i64, NONE);
        for row in &batch.rows {
            let number = &mut self.series[row.series as usize];
            if *number == NONE {
                *number = next_series;
                varint::write(u64::from(next_series), out);
                varint::write_bytes(batch.series_key(row.series), out);
                next_series += 1;
            } else {
                varint::write(u64::from(*number), out);
            }
            varint::write_signed(row.time.wrapping_sub(last_time), out);
            last_time = row.time;

            let cells = batch.cells_of(row);
            self.row_columns.clear();
            self.row_columns.extend(cells.iter().map(|cell| cell.field * 5 + u32::from(cell.field_type.id())));
            if shape == NONE || self.shape(shape) != self.row_columns {
                shape = self.find_shape(batch, row.first_cell, out);
            } else {
                varint::write(u64::from(shape), out);
            }
            for (cell, column) in cells.iter().zip(self.shape(shape)) {
                match self.kinds[*column as usize] {
                    FLOAT_RAW => out.extend(cell.bits.to_le_bytes()),
                    FLOAT_SHORT => varint::write(cell.bits.swap_bytes(), out),
                    INTEGER => varint::write_signed(cell.bits as i64, out),
                    UNSIGNED => varint::write(cell.bits, out),
                    BOOLEAN => out.push(u8::from(cell.bits != 0)),
                    _ => {
                        let Value::String(text) = batch.value(cell) else { unreachable!("the column is of strings") };
                        varint::write_bytes(text.as_bytes(), out);
                    }
                }
            }
        }
    }

    fn start(&mut self, batch: &WriteBatch) {
        self.series.clear();
        self.series.resize(batch.series_count(), NONE);
        self.columns.clear();
        self.columns.resize(batch.field_count() * 5, NONE);
        self.kinds.clear();
        self.kinds.resize(batch.field_count() * 5, 0);
        self.shape_columns.clear();
        self.shape_ends.clear();
        self.by_shape.clear();
    }

    fn shape(&self, shape: u32) -> &[u32] {
        let start = shape.checked_sub(1).map_or(0, |before| self.shape_ends[before as usize]);
        &self.shape_columns[start as usize..self.shape_ends[shape as usize] as usize]
    }

    /// Writes the number of the shape of the row at hand, with what it introduces.
    fn find_shape(&mut self, batch: &WriteBatch, first_cell: u32, out: &mut Vec<u8>) -> u32 {
        let mut hash = BuildHasher::default().hash_one(&self.row_columns);
        while let Some(shape) = self.by_shape.get(&hash) {
            if self.shape(*shape) == self.row_columns {
                varint::write(u64::from(*shape), out);
                return *shape;
            }
            hash = hash.wrapping_add(1);
        }
        let shape = self.shape_ends.len() as u32;
        varint::write(u64::from(shape), out);
        varint::write(self.row_columns.len() as u64, out);
        let mut next_column = self.columns.iter().filter(|column| **column != NONE).count() as u32;
        for (at, column) in self.row_columns.iter().enumerate() {
            let number = &mut self.columns[*column as usize];
            if *number != NONE {
                varint::write(u64::from(*number), out);
                continue;
            }
            *number = next_column;
            next_column += 1;
            let cell = batch.cells[first_cell as usize + at];
            let kind = match cell.field_type {
                FieldType::Float if cell.bits.swap_bytes() < 1 << 49 => FLOAT_SHORT,
                FieldType::Float => FLOAT_RAW,
                FieldType::Integer => INTEGER,
                FieldType::Unsigned => UNSIGNED,
                FieldType::String => STRING,
                FieldType::Boolean => BOOLEAN,
            };
            self.kinds[*column as usize] = kind;
            varint::write(u64::from(*number), out);
            out.push(kind);
            varint::write_bytes(batch.field_name(cell.field).as_bytes(), out);
        }
        self.shape_columns.extend_from_slice(&self.row_columns);
        self.shape_ends.push(self.shape_columns.len() as u32);
        self.by_shape.insert(hash, shape);
        shape
    }
}

pub(super) fn decode(reader: &mut Reader<'_>, batch: &mut WriteBatch) -> Result<(), DecodeError> {
    let mut series: Vec<u32> = Vec::new();
    let mut columns: Vec<Known<'_>> = Vec::new();
    let mut shapes: Vec<Vec<usize>> = Vec::new();
    let mut time = 0_i64;
    for _ in 0..reader.length(reader.remaining(), "number of rows")? {
        let number = reader.length(series.len(), "number of a series")?;
        if number == series.len() {
            let bytes = reader.bytes("series key")?;
            let key = SeriesKey::from_canonical(bytes).ok_or_else(|| reader.error("series key not canonical"))?;
            series.push(batch.intern_key(&key.measurement(), bytes));
        }
        time = time.wrapping_add(reader.signed("time")?);
        let shape = reader.length(shapes.len(), "number of a shape")?;
        if shape == shapes.len() {
            let mut shape = Vec::new();
            for _ in 0..reader.length(reader.remaining(), "number of columns")? {
                let column = reader.length(columns.len(), "number of a column")?;
                if column == columns.len() {
                    let (kind, name) = (reader.byte("type of cell")?, reader.text("field name")?);
                    columns.push(Known { kind, name, of: None });
                }
                shape.push(column);
            }
            shapes.push(shape);
        }
        batch.begin_row(series[number], time);
        let measurement = batch.measurement_slot(series[number]);
        for column in &shapes[shape] {
            let known = &mut columns[*column];
            let field = match known.of {
                Some((of, field)) if of == measurement => field,
                _ => batch.intern_field(measurement, known.name),
            };
            known.of = Some((measurement, field));
            let value = match known.kind {
                FLOAT_RAW => Value::Float(f64::from_bits(reader.u64("float")?)),
                FLOAT_SHORT => Value::Float(f64::from_bits(reader.varint("float")?.swap_bytes())),
                INTEGER => Value::Integer(reader.signed("integer")?),
                UNSIGNED => Value::Unsigned(reader.varint("unsigned")?),
                STRING => Value::String(reader.text("string")?),
                BOOLEAN => match reader.byte("boolean")? {
                    0 => Value::Boolean(false),
                    1 => Value::Boolean(true),
                    _ => return Err(reader.error("boolean neither 0 nor 1")),
                },
                _ => return Err(reader.error("unknown type of cell")),
            };
            batch.push_cell(field, value);
        }
    }
    Ok(())
}

/// A column that was introduced.
struct Known<'a> {
    kind: u8,
    name: &'a str,
    /// The measurement of the series that last had it, and its field there, by the batch's slots.
    of: Option<(u32, u32)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> WriteBatch {
        let mut batch = WriteBatch::new();
        for time in [5, 5, i64::MAX, i64::MIN, 0, 1, 2] {
            for host in ["a", "b"] {
                let tags = [(&b"host"[..], host.as_bytes())];
                let cpu = batch.intern_series("cpu", tags.into_iter());
                batch.begin_row(cpu, time);
                batch.push_value("user", Value::Float(time as f64 / 3.0));
                batch.push_value("idle", Value::Float(0.5));
                if time == 1 {
                    batch.push_value("idle", Value::Integer(-7));
                }
                let note = batch.intern_series("note", std::iter::empty());
                batch.begin_row(note, time);
                batch.push_value("text", Value::String("wörter"));
                batch.push_value("up", Value::Boolean(time > 0));
                batch.push_value("n", Value::Unsigned(u64::MAX));
                batch.push_value("idle", Value::Float(f64::NAN));
            }
        }
        batch
    }

    fn rows(batch: &WriteBatch) -> Vec<String> {
        let row = |row| {
            let cells = batch.cells_of(row).iter();
            let cells: Vec<_> = cells.map(|cell| (batch.field_name(cell.field), batch.value(cell))).collect();
            format!("{:?} {} {cells:?}", batch.series_key(row.series), row.time)
        };
        batch.rows.iter().map(row).collect()
    }

    #[test]
    fn points_come_back() {
        let (batch, mut bytes, mut back) = (batch(), Vec::new(), WriteBatch::new());
        encode_batch(&batch, &mut bytes);
        decode_batch(&bytes, &mut back).unwrap();
        assert_eq!(rows(&back), rows(&batch));
    }

    #[test]
    fn whole_numbers_are_small() {
        let (mut batch, mut bytes) = (WriteBatch::new(), Vec::new());
        let series = batch.intern_series("cpu", std::iter::empty());
        for time in 0..1000_i64 {
            batch.begin_row(series, time);
            for field in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
                batch.push_value(field, Value::Float((time % 100) as f64));
            }
        }
        encode_batch(&batch, &mut bytes);
        assert!(bytes.len() < 1000 * 35, "{} bytes", bytes.len());
    }

    #[test]
    fn foreign_bytes_are_errors_or_points() {
        let mut bytes = Vec::new();
        encode_batch(&batch(), &mut bytes);
        for len in 0..bytes.len() {
            assert!(decode_batch(&bytes[..len], &mut WriteBatch::new()).is_err(), "cut at {len}");
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                let _either = decode_batch(&flipped, &mut WriteBatch::new());
            }
        }
    }
}
