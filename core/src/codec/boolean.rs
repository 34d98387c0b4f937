//! Booleans, and the maps of which rows have a value.
//!
//! | encoding | id | then |
//! |---|---|---|
//! | all false | 0 | |
//! | all true | 1 | |
//! | bitmap | 2 | `ceil(count / 8)` bytes, lowest bit first |
//! | runs | 3 | varint lengths of runs, the first of false (perhaps 0 long), until `count` is reached |

use super::DecodeError;
use super::varint::{self, Reader};

const ALL_FALSE: u8 = 0;
const ALL_TRUE: u8 = 1;
const BITMAP: u8 = 2;
const RUNS: u8 = 3;

pub fn encode(values: &[bool], out: &mut Vec<u8>) {
    encode_iter(values.iter().copied(), out);
}

pub fn decode(bytes: &[u8], count: usize, out: &mut Vec<bool>) -> Result<(), DecodeError> {
    let mut reader = Reader::new(bytes);
    read(&mut reader, count, out)?;
    reader.finish()
}

pub(crate) fn encode_iter(values: impl ExactSizeIterator<Item = bool> + Clone, out: &mut Vec<u8>) {
    let trues = values.clone().filter(|value| *value).count();
    if trues == 0 || trues == values.len() {
        out.push(if trues == 0 { ALL_FALSE } else { ALL_TRUE });
        return;
    }
    let start = out.len();
    let bitmap_len = values.len().div_ceil(8);
    out.push(RUNS);
    let (mut run, mut current) = (0, false);
    for value in values.clone() {
        if value != current {
            varint::write(run, out);
            (run, current) = (0, value);
            if out.len() - start > bitmap_len {
                break;
            }
        }
        run += 1;
    }
    varint::write(run, out);
    if out.len() - start <= bitmap_len {
        return;
    }
    out.truncate(start);
    out.push(BITMAP);
    let mut bytes = vec![0_u8; bitmap_len];
    for (row, value) in values.enumerate() {
        bytes[row / 8] |= u8::from(value) << (row % 8);
    }
    out.append(&mut bytes);
}

/// Appends `count` values and stops after their last byte.
pub(crate) fn read(reader: &mut Reader<'_>, count: usize, out: &mut Vec<bool>) -> Result<(), DecodeError> {
    let before = reader.clone();
    let end = out.len() + count;
    match reader.byte("encoding missing")? {
        ALL_FALSE => out.resize(end, false),
        ALL_TRUE => out.resize(end, true),
        BITMAP => {
            let bytes = reader.take(count.div_ceil(8), "bitmap cut short")?;
            out.reserve(count);
            for byte in bytes {
                let bits: [bool; 8] = std::array::from_fn(|bit| byte >> bit & 1 == 1);
                out.extend_from_slice(&bits[..8.min(end - out.len())]);
            }
        }
        RUNS => {
            let mut value = false;
            while out.len() < end {
                let run = reader.length(end - out.len(), "run too long")?;
                if run == 0 && value {
                    return Err(reader.error("empty run"));
                }
                out.resize(out.len() + run, value);
                value = !value;
            }
        }
        _ => return Err(before.error("unknown boolean encoding")),
    }
    Ok(())
}
