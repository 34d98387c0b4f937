//! Strictly ascending times, nanoseconds.
//!
//! | encoding | id | then |
//! |---|---|---|
//! | regular | 0 | start (zigzag varint), step (varint) |
//! | vectors | 1 | start (zigzag varint), unit (varint), [`vector`]s of `(time - start) / unit` |
//!
//! The unit divides every distance, so a millisecond clock pays for milliseconds. A series that pauses and goes on is
//! its steps with one patch for each pause.

use super::varint::{self, Reader};
use super::{DecodeError, vector};
use std::ops::Range;

const REGULAR: u8 = 0;
const VECTORS: u8 = 1;

/// Appends `times`, which ascend strictly.
pub fn encode(times: &[i64], out: &mut Vec<u8>) {
    debug_assert!(times.is_sorted_by(|a, b| a < b));
    let start = times.first().copied().unwrap_or_default();
    if let Some(step) = regular_step(times) {
        out.push(REGULAR);
        varint::write_signed(start, out);
        varint::write(step, out);
        return;
    }
    let unit = common_step(times);
    out.push(VECTORS);
    varint::write_signed(start, out);
    varint::write(unit, out);
    vector::encode_all(times.iter().map(|time| time.wrapping_sub(start) as u64 / unit), out);
}

/// Appends `count` times, checked to ascend strictly from the first to the last of them.
pub fn decode(bytes: &[u8], count: usize, out: &mut Vec<i64>) -> Result<(), DecodeError> {
    decode_part(bytes, count, 0..count, out)
}

/// Appends some of `count` times, checked among themselves.
pub fn decode_part(bytes: &[u8], count: usize, part: Range<usize>, out: &mut Vec<i64>) -> Result<(), DecodeError> {
    let mut reader = Reader::new(bytes);
    let encoding = reader.byte("encoding missing")?;
    let start = reader.signed("start missing")?;
    match encoding {
        REGULAR => {
            let step = reader.varint("step missing")?;
            push_regular(start, step, count, part.clone(), out).ok_or_else(|| reader.error("step out of range"))?;
        }
        VECTORS => {
            let unit = reader.varint("unit missing")?;
            let from = out.len();
            out.reserve(part.len());
            vector::decode_part(&mut reader, count, part.clone(), &mut |words| {
                out.extend(words.iter().map(|word| start.wrapping_add(word.wrapping_mul(unit) as i64)));
            })?;
            let times = &out[from..];
            if !times.iter().zip(times.iter().skip(1)).fold(true, |ascending, (a, b)| ascending & (a < b)) {
                return Err(reader.error("times do not ascend"));
            }
        }
        _ => return Err(DecodeError { what: "unknown time encoding", offset: 0 }),
    }
    if part.end == count { reader.finish() } else { Ok(()) }
}

/// The distance of all neighbours, when it is one and the same. One time has step 0, no times have none.
pub fn regular_step(times: &[i64]) -> Option<u64> {
    match times {
        [] => None,
        [_] => Some(0),
        [first, second, ..] => {
            let step = second.wrapping_sub(*first);
            times.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == step).then_some(step as u64)
        }
    }
}

/// Appends `part` of `count` times from `start`, `step` apart. `None`, and nothing appended, when they do not ascend or
/// do not fit.
pub fn push_regular(start: i64, step: u64, count: usize, part: Range<usize>, out: &mut Vec<i64>) -> Option<()> {
    let steps = count.saturating_sub(1) as u64;
    start.checked_add_unsigned(step.checked_mul(steps)?)?;
    if step == 0 && steps > 0 {
        return None;
    }
    out.extend(
        (part.start as u64..part.end.min(count) as u64).map(|row| start.wrapping_add_unsigned(step.wrapping_mul(row))),
    );
    Some(())
}

/// The greatest number that divides every distance; at least 1.
fn common_step(times: &[i64]) -> u64 {
    let mut unit = 0;
    for pair in times.windows(2) {
        let mut rest = pair[1].wrapping_sub(pair[0]) as u64;
        if unit != 0 && rest == unit {
            continue;
        }
        while rest != 0 {
            (unit, rest) = (rest, unit % rest);
        }
        if unit == 1 {
            break;
        }
    }
    unit.max(1)
}
