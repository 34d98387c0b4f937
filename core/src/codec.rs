//! How columns become bytes and come back.
//!
//! Every codec is a pair of functions: `encode(&values, &mut out)` appends bytes, `decode(bytes, count, &mut out)`
//! appends values. Both are pure, give the same bytes on every platform, and lose no bit. A decoder trusts nothing: it
//! reads only inside `bytes`, allocates in proportion to `count` (which the caller bounds, [`MAX_COUNT`]) and to
//! [`MAX_TEXT`], and answers a [`DecodeError`] for bytes no encoder wrote.
//!
//! ```text
//!  times ──► start and step of each stretch ┐
//!  floats ─► decimals as whole numbers      ├─► vector: base + differences ─► bits: fixed width, 1,024 at a time
//!  integers, unsigned, lengths, codes ──────┘
//!  booleans ─► bitmap or runs               strings ─► dictionary or plain, perhaps LZ4
//! ```
//!
//! | module | first byte (encoding id) |
//! |---|---|
//! | [`times`] | 0 regular, 1 vectors |
//! | [`float`] | 0 constant, 1 vectors |
//! | [`integer`], [`unsigned`] | 0 constant, 1 vectors |
//! | [`boolean`] | 0 all false, 1 all true, 2 bitmap, 3 runs |
//! | [`string`](mod@string) | 0 plain, 1 dictionary, 2 LZ4 of either |
//!
//! Absent on purpose: Gorilla's XOR stream. Doubles that are no short decimals are bit-packed as differences of their
//! bit patterns, which is as small on noise and decodes several times faster.

pub mod boolean;
pub mod checksum;
pub mod float;
pub mod integer;
pub mod string;
pub mod times;
pub mod unsigned;
pub mod varint;
pub mod vector;

use isopoint_kernels::bits;
use std::ops::Range;
use thiserror::Error;

use crate::model::{Strings, Values};
use crate::value::FieldType;

/// The most values one column may hold; callers check a count from outside against it before they decode.
pub const MAX_COUNT: usize = 65_536;

/// The most bytes of text one string column may decode to.
pub const MAX_TEXT: usize = 64 << 20;

/// Bytes that no encoder wrote: what was wrong, and where, counted from the start of the bytes given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{what} at byte {offset}")]
pub struct DecodeError {
    pub what: &'static str,
    pub offset: u64,
}

impl DecodeError {
    /// The same error seen from bytes that begin `base` earlier.
    #[must_use]
    pub const fn shifted(self, base: u64) -> Self {
        Self { what: self.what, offset: self.offset.saturating_add(base) }
    }
}

/// Appends every slot of `values`.
pub fn encode(values: &Values, out: &mut Vec<u8>) {
    match values {
        Values::Float(values) => float::encode(values, out),
        Values::Integer(values) => integer::encode(values, out),
        Values::Unsigned(values) => unsigned::encode(values, out),
        Values::Boolean(values) => boolean::encode(values, out),
        Values::String(values) => string::encode(values, out),
    }
}

/// Appends `count` values of the type of `out`. On error `out` may hold some of them.
pub fn decode(bytes: &[u8], count: usize, out: &mut Values) -> Result<(), DecodeError> {
    decode_part(bytes, count, 0..count, out)
}

/// Appends `part` of `count` values. Of numbers only the vectors that hold some of them are unpacked, and bytes after
/// them are not looked at; truths and texts are decoded whole.
pub fn decode_part(bytes: &[u8], count: usize, part: Range<usize>, out: &mut Values) -> Result<(), DecodeError> {
    let whole = part.len() == count;
    match out {
        Values::Float(out) => float::decode_part(bytes, count, part, out),
        Values::Integer(out) => integer::decode_part(bytes, count, part, out),
        Values::Unsigned(out) => unsigned::decode_part(bytes, count, part, out),
        Values::Boolean(out) if whole => boolean::decode(bytes, count, out),
        Values::String(out) if whole => string::decode(bytes, count, out),
        Values::Boolean(out) => {
            let mut all = Vec::with_capacity(count);
            boolean::decode(bytes, count, &mut all)?;
            out.extend_from_slice(&all[part]);
            Ok(())
        }
        Values::String(out) => {
            let mut all = Strings::default();
            string::decode(bytes, count, &mut all)?;
            part.for_each(|row| out.push(all.get(row)));
            Ok(())
        }
    }
}

/// What the first byte of an encoded column says, for people.
pub const fn encoding_name(field_type: FieldType, id: u8) -> &'static str {
    match (field_type, id) {
        (FieldType::Float | FieldType::Integer | FieldType::Unsigned, 0) => "constant",
        (FieldType::Float | FieldType::Integer | FieldType::Unsigned, 1) => "vectors",
        (FieldType::Boolean, 0) => "all false",
        (FieldType::Boolean, 1) => "all true",
        (FieldType::Boolean, 2) => "bitmap",
        (FieldType::Boolean, 3) => "runs",
        (FieldType::String, 0) => "plain",
        (FieldType::String, 1) => "dictionary",
        (FieldType::String, 2) => "lz4",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests;
