//! Doubles: decimals as whole numbers where they are decimals, bit patterns where they are not.
//!
//! | encoding | id | then |
//! |---|---|---|
//! | constant | 0 | the value, 8 bytes |
//! | vectors | 1 | vectors of 1,024, the last one shorter |
//!
//! Every vector begins with a tag:
//!
//! | tag | meaning | then |
//! |---|---|---|
//! | 0 to 22 | value = number / 10^tag | a [`vector`] of numbers |
//! | 32 + (0 to 22) | the same with exceptions | the vector; varint count, then for each: position (u16), value (8 bytes) |
//! | 64 + (0 to 63) | bit pattern = number << (tag - 64) | a [`vector`] of numbers |
//!
//! A value counts as a decimal when its number is below 2^51 and the division gives back the same bits; -0.0, NaN and
//! infinities never do. All doubles keep their bits, but NaN is written as the one NaN there is.

use super::bits::VECTOR;
use super::varint::{self, Reader};
use super::{DecodeError, vector};
use crate::value::canonical;
use std::ops::Range;

const CONSTANT: u8 = 0;
const VECTORS: u8 = 1;

const EXCEPTIONS: u8 = 32;
const PATTERN: u8 = 64;

/// Powers of ten that are exact doubles.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];
/// 1.5 * 2^52: added to a number within ±2^51, it leaves that number, rounded, in the low bits of the sum.
const ROUNDER: f64 = 6_755_399_441_055_744.0;
const NUMBER_LIMIT: f64 = 2_251_799_813_685_248.0;

pub fn encode(values: &[f64], out: &mut Vec<u8>) {
    let constant = values.first().map(|first| canonical(*first).to_bits());
    if values.len() > 1 && values.iter().all(|value| Some(canonical(*value).to_bits()) == constant) {
        let start = out.len();
        out.push(VECTORS);
        encode_vector(&values[..values.len().min(VECTOR)], out);
        if values.len() > VECTOR || out.len() - start > 9 {
            out.truncate(start);
            out.push(CONSTANT);
            out.extend_from_slice(&constant.unwrap_or_default().to_le_bytes());
        }
        return;
    }
    out.push(VECTORS);
    for vector in values.chunks(VECTOR) {
        encode_vector(vector, out);
    }
}

pub fn decode(bytes: &[u8], count: usize, out: &mut Vec<f64>) -> Result<(), DecodeError> {
    decode_part(bytes, count, 0..count, out)
}

/// Appends some of `count` values.
pub fn decode_part(bytes: &[u8], count: usize, part: Range<usize>, out: &mut Vec<f64>) -> Result<(), DecodeError> {
    let mut reader = Reader::new(bytes);
    match reader.byte("encoding missing")? {
        CONSTANT => {
            let value = f64::from_bits(reader.u64("constant missing")?);
            out.resize(out.len() + part.len(), value);
        }
        VECTORS => {
            out.reserve(part.len());
            vector::with_scratch(count, &mut |numbers| {
                for (len, kept) in vector::vectors(count, part.clone()) {
                    if kept.is_empty() {
                        skip_vector(&mut reader, len)?;
                    } else {
                        decode_vector(&mut reader, &mut numbers[..len], kept, out)?;
                    }
                }
                Ok(())
            })?;
        }
        _ => return Err(DecodeError { what: "unknown float encoding", offset: 0 }),
    }
    if part.end == count { reader.finish() } else { Ok(()) }
}

fn skip_vector(reader: &mut Reader<'_>, count: usize) -> Result<(), DecodeError> {
    let tag = reader.byte("vector tag missing")?;
    vector::skip(reader, count)?;
    if tag < PATTERN && tag & EXCEPTIONS != 0 {
        let exceptions = reader.length(count, "too many exceptions")?;
        reader.take(exceptions * 10, "exception missing")?;
    }
    Ok(())
}

/// Fills `numbers` and appends the values that those `kept` stand for.
fn decode_vector(
    reader: &mut Reader<'_>,
    numbers: &mut [u64],
    kept: Range<usize>,
    out: &mut Vec<f64>,
) -> Result<(), DecodeError> {
    let before = reader.clone();
    let tag = reader.byte("vector tag missing")?;
    vector::decode(reader, numbers)?;
    let (len, first) = (numbers.len(), kept.start);
    let numbers = &numbers[kept];
    if tag >= PATTERN {
        let shift = tag - PATTERN;
        if shift > 63 {
            return Err(before.error("unknown vector tag"));
        }
        out.extend(numbers.iter().map(|number| f64::from_bits(number << shift)));
        return Ok(());
    }
    let exponent = tag & !EXCEPTIONS;
    let power = *POWERS.get(usize::from(exponent)).ok_or_else(|| before.error("unknown vector tag"))?;
    let start = out.len();
    if exponent == 0 {
        out.extend(numbers.iter().map(|number| whole(*number)));
    } else {
        out.extend(numbers.iter().map(|number| whole(*number) / power));
    }
    if tag & EXCEPTIONS != 0 {
        let exceptions = reader.length(len, "too many exceptions")?;
        for _ in 0..exceptions {
            let position = usize::from(reader.u16("exception position missing")?);
            let value = f64::from_bits(reader.u64("exception missing")?);
            if position >= len {
                return Err(reader.error("exception outside its vector"));
            }
            if let Some(slot) = position.checked_sub(first).and_then(|position| out[start..].get_mut(position)) {
                *slot = value;
            }
        }
    }
    Ok(())
}

/// The double of a number within ±2^51, in two operations that every SIMD unit has.
fn whole(number: u64) -> f64 {
    f64::from_bits(number.wrapping_add(ROUNDER.to_bits())) - ROUNDER
}

/// The number that stands for `value` at an exponent, when dividing it gives back the very bits.
fn number_at(value: f64, exponent: usize) -> Option<i64> {
    let scaled = value * POWERS[exponent];
    if scaled.is_nan() || scaled.abs() >= NUMBER_LIMIT {
        return None;
    }
    let number = (scaled + ROUNDER).to_bits().wrapping_sub(ROUNDER.to_bits());
    (whole(number) / POWERS[exponent]).to_bits().eq(&value.to_bits()).then_some(number as i64)
}

/// The least exponent at which `value` is a decimal; `hint` is tried first.
fn exponent_of(value: f64, hint: usize) -> Option<usize> {
    if number_at(value, hint).is_none() {
        return (0..POWERS.len())
            .take_while(|exponent| value.abs() * POWERS[*exponent] < NUMBER_LIMIT)
            .find(|exponent| number_at(value, *exponent).is_some());
    }
    // What is a decimal with n digits is one with n + 1: walk down while that holds.
    Some((0..hint).rev().take_while(|exponent| number_at(value, *exponent).is_some()).last().unwrap_or(hint))
}

fn encode_vector(values: &[f64], out: &mut Vec<u8>) {
    let start = out.len();
    if let Some(exponent) = choose_exponent(values) {
        encode_decimals(values, exponent, out);
        // Below three eighths of the raw size patterns have nothing to win.
        if (out.len() - start) * 8 <= values.len() * 8 * 3 {
            return;
        }
    }
    let decimals = out.split_off(start);
    encode_patterns(values, out);
    if !decimals.is_empty() && decimals.len() <= out.len() - start {
        out.truncate(start);
        out.extend_from_slice(&decimals);
    }
}

/// The exponent that costs least by a sample, an exception being ten bytes and a digit 3.3 bits a value; `None` when
/// most of the sample are no decimals.
fn choose_exponent(values: &[f64]) -> Option<usize> {
    let mut needing = [0_usize; POWERS.len()];
    let (mut hint, mut size, mut misses) = (0, 0, 0);
    for value in values.iter().step_by((values.len() / 128) | 1) {
        size += 1;
        match exponent_of(*value, hint) {
            Some(exponent) => {
                needing[exponent] += 1;
                hint = exponent;
            }
            None if value.is_finite() => misses += 1,
            None => {}
        }
        if misses > 32 && misses * 2 > size {
            break;
        }
    }
    if misses * 2 > size {
        return None;
    }
    let mut covered = 0;
    (0..POWERS.len()).min_by_key(|exponent| {
        covered += needing[*exponent];
        (size - covered) * 800 + *exponent * size * 33
    })
}

fn encode_decimals(values: &[f64], exponent: usize, out: &mut Vec<u8>) {
    vector::with_scratch(values.len(), &mut |numbers| encode_decimals_in(numbers, values, exponent, out));
}

fn encode_decimals_in(numbers: &mut [u64], values: &[f64], exponent: usize, out: &mut Vec<u8>) {
    let mut exceptions = Vec::new();
    let mut exception_count = 0;
    // An exception repeats its neighbour, which costs next to nothing.
    let mut last = values.iter().find_map(|value| number_at(*value, exponent)).unwrap_or_default();
    for (position, (value, slot)) in values.iter().zip(&mut *numbers).enumerate() {
        match number_at(*value, exponent) {
            Some(number) => last = number,
            None => {
                exception_count += 1;
                exceptions.extend_from_slice(&(position as u16).to_le_bytes());
                exceptions.extend_from_slice(&canonical(*value).to_bits().to_le_bytes());
            }
        }
        *slot = last as u64;
    }
    out.push(exponent as u8 | if exceptions.is_empty() { 0 } else { EXCEPTIONS });
    vector::encode(numbers, out);
    if exception_count > 0 {
        varint::write(exception_count, out);
        out.append(&mut exceptions);
    }
}

fn encode_patterns(values: &[f64], out: &mut Vec<u8>) {
    vector::with_scratch(values.len(), &mut |numbers| encode_patterns_in(numbers, values, out));
}

fn encode_patterns_in(numbers: &mut [u64], values: &[f64], out: &mut Vec<u8>) {
    let mut all = 0;
    for (slot, value) in numbers.iter_mut().zip(values) {
        *slot = canonical(*value).to_bits();
        all |= *slot;
    }
    let shift = all.trailing_zeros().min(63);
    // An arithmetic shift: the sign stays a sign, so values around zero do not span all of the range.
    numbers.iter_mut().for_each(|number| *number = (*number as i64 >> shift) as u64);
    out.push(PATTERN + shift as u8);
    vector::encode(numbers, out);
}

/// Appends one double in few bytes: its exponent and number, or 255 and its bits.
pub(crate) fn write_short(value: f64, out: &mut Vec<u8>) {
    match exponent_of(value, 0).and_then(|exponent| Some((exponent, number_at(value, exponent)?))) {
        Some((exponent, number)) => {
            out.push(exponent as u8);
            varint::write_signed(number, out);
        }
        None => {
            out.push(u8::MAX);
            out.extend_from_slice(&canonical(value).to_bits().to_le_bytes());
        }
    }
}

/// What [`write_short`] wrote.
pub(crate) fn read_short(reader: &mut Reader<'_>) -> Result<f64, DecodeError> {
    let before = reader.clone();
    match reader.byte("double missing")? {
        u8::MAX => reader.u64("double missing").map(f64::from_bits),
        exponent => {
            let power = *POWERS.get(usize::from(exponent)).ok_or_else(|| before.error("unknown double"))?;
            Ok(whole(reader.signed("double missing")? as u64) / power)
        }
    }
}
