//! Unsigned integers: the bytes of [`integer`] for the same 64 bits.

use super::{DecodeError, integer};
use std::ops::Range;

pub fn encode(values: &[u64], out: &mut Vec<u8>) {
    integer::encode_words(values.iter().copied(), out);
}

pub fn decode(bytes: &[u8], count: usize, out: &mut Vec<u64>) -> Result<(), DecodeError> {
    decode_part(bytes, count, 0..count, out)
}

/// Appends some of `count` values.
pub fn decode_part(bytes: &[u8], count: usize, part: Range<usize>, out: &mut Vec<u64>) -> Result<(), DecodeError> {
    out.reserve(part.len());
    integer::decode_words(bytes, count, part, &mut |words| out.extend_from_slice(words))
}
