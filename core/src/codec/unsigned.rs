//! Unsigned integers: the bytes of [`integer`] for the same 64 bits.

use super::varint::Reader;
use super::{DecodeError, integer};

pub fn encode(values: &[u64], out: &mut Vec<u8>) {
    integer::encode_words(values.iter().copied(), out);
}

pub fn decode(bytes: &[u8], count: usize, out: &mut Vec<u64>) -> Result<(), DecodeError> {
    let mut reader = Reader::new(bytes);
    out.reserve(count);
    integer::decode_words(&mut reader, count, &mut |words| out.extend_from_slice(words))?;
    reader.finish()
}
