//! Signed integers.
//!
//! | encoding | id | then |
//! |---|---|---|
//! | constant | 0 | the value, zigzag varint |
//! | vectors | 1 | [`vector`]s of 1,024, the last one shorter |

use super::varint::{self, Reader};
use super::{DecodeError, vector};
use std::ops::Range;

const CONSTANT: u8 = 0;
const VECTORS: u8 = 1;

pub fn encode(values: &[i64], out: &mut Vec<u8>) {
    encode_words(values.iter().map(|value| *value as u64), out);
}

pub fn decode(bytes: &[u8], count: usize, out: &mut Vec<i64>) -> Result<(), DecodeError> {
    decode_part(bytes, count, 0..count, out)
}

/// Appends some of `count` values.
pub fn decode_part(bytes: &[u8], count: usize, part: Range<usize>, out: &mut Vec<i64>) -> Result<(), DecodeError> {
    out.reserve(part.len());
    decode_words(bytes, count, part, &mut |words| out.extend(words.iter().map(|word| *word as i64)))
}

/// Appends 64-bit words that count as signed numbers.
pub(super) fn encode_words(words: impl ExactSizeIterator<Item = u64> + Clone, out: &mut Vec<u8>) {
    let mut rest = words.clone();
    match rest.next() {
        Some(first) if rest.all(|word| word == first) => {
            out.push(CONSTANT);
            varint::write_signed(first as i64, out);
        }
        _ => {
            out.push(VECTORS);
            vector::encode_all(words, out);
        }
    }
}

pub(super) fn decode_words(
    bytes: &[u8],
    count: usize,
    part: Range<usize>,
    each: &mut dyn FnMut(&[u64]),
) -> Result<(), DecodeError> {
    let mut reader = Reader::new(bytes);
    match reader.byte("encoding missing")? {
        CONSTANT => {
            let value = reader.signed("constant missing")?;
            let vector = [value as u64; super::bits::VECTOR];
            let mut left = part.len();
            while left > 0 {
                let values = &vector[..left.min(vector.len())];
                each(values);
                left -= values.len();
            }
        }
        VECTORS => vector::decode_part(&mut reader, count, part.clone(), each)?,
        _ => return Err(DecodeError { what: "unknown integer encoding", offset: 0 }),
    }
    if part.end == count { reader.finish() } else { Ok(()) }
}
