//! Up to 1,024 whole numbers as a base and small residuals: the heart of times, floats, integers and lengths.
//!
//! | field | bytes | present |
//! |---|---|---|
//! | patched | 1, the value 195 | when some residuals do not fit the width |
//! | head | 1: `order * 65 + width` | always |
//! | first | zigzag varint: number 0 | order 1 and 2 |
//! | slope | zigzag varint: number 1 less number 0 | order 2 |
//! | base | zigzag varint | always |
//! | residuals | `ceil(count * width / 8)`, see [`bits`] | always |
//! | patches | varint count, then for each: position (u16), residual (zigzag varint) | patched |
//!
//! Order 0 keeps the numbers themselves, 1 their differences, 2 the differences of the differences; what is kept less
//! `base` is the residual. The slots before the first difference hold residual 0. A patch replaces a residual (0 in
//! its slot) that would have made all the others wider: one outlier costs a few bytes. Arithmetic wraps, so every
//! 64-bit number can be written.

use super::DecodeError;
use super::bits::{self, VECTOR, width_of};
use super::varint::{self, Reader, zigzag};
use crate::order::sort_few;
use std::ops::Range;

const WIDTHS: u8 = 65;
const PATCHED: u8 = 3 * WIDTHS;

/// Numbers up to here are weighed one by one, more by a sample.
const SHORT: usize = 128;

/// Appends the bytes of each vector of `values`.
pub fn encode_all(values: impl ExactSizeIterator<Item = u64>, out: &mut Vec<u8>) {
    let mut values = values;
    with_scratch(values.len(), &mut |vector| {
        while values.len() > 0 {
            let mut filled = 0;
            for (slot, value) in vector.iter_mut().zip(values.by_ref()) {
                *slot = value;
                filled += 1;
            }
            encode(&vector[..filled], out);
        }
    });
}

/// Reads what [`encode_all`] wrote for `count` numbers, and hands them on a vector at a time.
pub fn decode_all(reader: &mut Reader<'_>, count: usize, each: &mut dyn FnMut(&[u64])) -> Result<(), DecodeError> {
    decode_part(reader, count, 0..count, each)
}

/// The same for some of the numbers: vectors before them are passed over, what comes after is not looked at.
pub fn decode_part(
    reader: &mut Reader<'_>,
    count: usize,
    part: Range<usize>,
    each: &mut dyn FnMut(&[u64]),
) -> Result<(), DecodeError> {
    with_scratch(count, &mut |vector| {
        for (len, kept) in vectors(count, part.clone()) {
            if kept.is_empty() {
                skip(reader, len)?;
            } else {
                let values = &mut vector[..len];
                decode(reader, values)?;
                each(&values[kept]);
            }
        }
        Ok(())
    })
}

/// The vectors of a column of `count` numbers up to the last of `part`: the length of each, and which of it are meant.
pub(super) fn vectors(count: usize, part: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> {
    let end = part.end.min(count);
    (0..end).step_by(VECTOR).map(move |at| {
        let len = (count - at).min(VECTOR);
        (len, part.start.saturating_sub(at).min(len)..(end - at).min(len))
    })
}

/// Passes over one vector of `count` numbers.
pub(super) fn skip(reader: &mut Reader<'_>, count: usize) -> Result<(), DecodeError> {
    let head = Head::read(reader)?;
    reader.take(bits::packed_len(count, head.width), "vector cut short")?;
    if head.patched {
        for _ in 0..reader.length(count, "too many patches")? {
            reader.u16("patch position missing")?;
            reader.signed("patch missing")?;
        }
    }
    Ok(())
}

/// What stands before the residuals.
struct Head {
    patched: bool,
    order: u8,
    width: u32,
    first: u64,
    slope: u64,
    base: u64,
}

impl Head {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let before = reader.clone();
        let mut head = reader.byte("vector head missing")?;
        let patched = head == PATCHED;
        if patched {
            head = reader.byte("vector head missing")?;
        }
        let (order, width) = (head / WIDTHS, u32::from(head % WIDTHS));
        if order > 2 {
            return Err(before.error("unknown vector head"));
        }
        let first = if order > 0 { reader.signed("vector's first number missing")? as u64 } else { 0 };
        let slope = if order > 1 { reader.signed("vector's slope missing")? as u64 } else { 0 };
        let base = reader.signed("vector base missing")? as u64;
        Ok(Self { patched, order, width, first, slope, base })
    }
}

/// Lends zeros, as many as `count` or a full vector: short series should not pay for clearing a full one each.
pub(super) fn with_scratch<R>(count: usize, body: &mut dyn FnMut(&mut [u64]) -> R) -> R {
    if count <= SHORT { body(&mut [0; SHORT][..count]) } else { body(&mut [0; VECTOR][..count.min(VECTOR)]) }
}

/// Appends one vector of at least one and at most [`VECTOR`] numbers.
pub fn encode(values: &[u64], out: &mut Vec<u8>) {
    with_scratch(values.len(), &mut |residuals| encode_in(residuals, values, out));
}

/// `residuals` are zeros, as many as `values`.
fn encode_in(residuals: &mut [u64], values: &[u64], out: &mut Vec<u8>) {
    let (order, plan) = choose_order(values);
    let start = order.min(values.len());
    for (slot, at) in residuals.iter_mut().zip(0..).skip(start) {
        *slot = term(values, at, order);
    }
    let plan = plan.unwrap_or_else(|| Plan::of(&residuals[start..]));
    let (first, slope) = (values[0], if order > 1 { term(values, 1, 1) } else { 0 });

    let head = order as u8 * WIDTHS + plan.width as u8;
    if plan.patched {
        out.push(PATCHED);
    }
    out.push(head);
    if order > 0 {
        varint::write_signed(first as i64, out);
    }
    if order > 1 {
        varint::write_signed(slope as i64, out);
    }
    varint::write_signed(plan.base as i64, out);
    for residual in &mut residuals[start..] {
        *residual = residual.wrapping_sub(plan.base);
    }
    if !plan.patched {
        bits::pack(residuals, plan.width, out);
        return;
    }
    let mut patches = Vec::new();
    let mut patch_count = 0;
    for (position, residual) in residuals.iter_mut().enumerate() {
        if width_of(*residual) > plan.width {
            patch_count += 1;
            patches.extend_from_slice(&(position as u16).to_le_bytes());
            varint::write_signed(*residual as i64, &mut patches);
            *residual = 0;
        }
    }
    bits::pack(residuals, plan.width, out);
    varint::write(patch_count, out);
    out.append(&mut patches);
}

/// Fills `out`, at most [`VECTOR`] long, with the numbers [`encode`] wrote.
pub fn decode(reader: &mut Reader<'_>, out: &mut [u64]) -> Result<(), DecodeError> {
    let Head { patched, order, width, first, slope, base } = Head::read(reader)?;
    bits::unpack(reader.take(bits::packed_len(out.len(), width), "vector cut short")?, width, out);
    if patched {
        let patches = reader.length(out.len(), "too many patches")?;
        for _ in 0..patches {
            let position = usize::from(reader.u16("patch position missing")?);
            let residual = reader.signed("patch missing")? as u64;
            *out.get_mut(position).ok_or_else(|| reader.error("patch outside its vector"))? = residual;
        }
    }
    match order {
        0 => out.iter_mut().for_each(|number| *number = number.wrapping_add(base)),
        1 => {
            let mut number = first;
            if let Some((start, rest)) = out.split_first_mut() {
                *start = first;
                for slot in rest {
                    number = number.wrapping_add(base).wrapping_add(*slot);
                    *slot = number;
                }
            }
        }
        _ => {
            let (mut number, mut step) = (first, slope.wrapping_sub(base));
            if let Some((start, rest)) = out.split_first_mut() {
                *start = first;
                for slot in rest {
                    step = step.wrapping_add(base).wrapping_add(*slot);
                    number = number.wrapping_add(step);
                    *slot = number;
                }
            }
        }
    }
    Ok(())
}

/// What is kept at a position for an order; `at` is at least `order`.
fn term(values: &[u64], at: usize, order: usize) -> u64 {
    match order {
        0 => values[at],
        1 => values[at].wrapping_sub(values[at - 1]),
        _ => values[at].wrapping_sub(values[at - 1]).wrapping_sub(values[at - 1].wrapping_sub(values[at - 2])),
    }
}

/// The order that would take the fewest bits for a sample of the numbers. When they are few the sample is all of them,
/// and the plan made for it is the one to use.
fn choose_order(values: &[u64]) -> (usize, Option<Plan>) {
    // So wide that the sample reaches the end; odd, so that a period of a power of two does not show the same phase
    // each time.
    let step = values.len().div_ceil(SHORT + 1) | 1;
    let mut sample = [0; SHORT + 1];
    let (_, order, plan) = (0..values.len().min(3))
        .map(|order| {
            let mut len = 0;
            for (slot, at) in sample.iter_mut().zip((order..values.len()).step_by(step)) {
                *slot = term(values, at, order);
                len += 1;
            }
            let plan = Plan::of(&sample[..len]);
            // Each order adds a number to the head.
            let head = [values[0], if order > 1 { term(values, 1, 1) } else { 0 }];
            let head: usize = head[..order].iter().map(|number| signed_bits(*number)).sum();
            (plan.bits * step + head, order, plan)
        })
        .min_by_key(|(bits, _, _)| *bits)
        .expect("a vector has at least one number, so order 0 is there");
    (order, (step == 1).then_some(plan))
}

/// Bits of a zigzag varint.
const fn signed_bits(value: u64) -> usize {
    (width_of(zigzag(value as i64) | 1) as usize).div_ceil(7) * 8
}

/// How to write some numbers: less `base`, in `width` bits each, with or without patches; `bits` all told.
#[derive(Clone, Copy)]
struct Plan {
    base: u64,
    width: u32,
    patched: bool,
    bits: usize,
}

impl Plan {
    fn of(values: &[u64]) -> Self {
        let Some(first) = values.first() else {
            return Self { base: 0, width: 0, patched: false, bits: 8 };
        };
        let (mut min, mut max) = (*first as i64, *first as i64);
        for value in values {
            min = min.min(*value as i64);
            max = max.max(*value as i64);
        }
        let width = width_of((max as u64).wrapping_sub(min as u64));
        let head = signed_bits(min as u64);
        let whole = Self { base: min as u64, width, patched: false, bits: values.len() * width as usize + head };
        // Too few numbers for a patch to pay.
        if width < 2 || values.len() < 16 { whole } else { whole.or_patched(values) }
    }

    /// The cheapest cut around the middle, what lies outside being patched, when that beats writing all of them alike.
    fn or_patched(self, values: &[u64]) -> Self {
        // About the median: that of a sample does as well.
        let mut sample = [0_i64; 64];
        let mut len = 0;
        for (slot, value) in sample.iter_mut().zip(values.iter().step_by(values.len().div_ceil(64))) {
            *slot = *value as i64;
            len += 1;
        }
        sort_few(&mut sample[..len]);
        let centre = sample[len / 2] as u64;
        // How many numbers have each reach r: -2^(r-1) <= x < 2^(r-1) from the centre, but not within half of that.
        let mut counts = [0_u32; 65];
        for value in values {
            let x = value.wrapping_sub(centre) as i64;
            counts[width_of((x ^ x >> 63) as u64) as usize + usize::from(x != 0)] += 1;
        }
        // The best reach to cut at, as if its numbers took all of its width.
        let (mut cut, mut patch_bits) = (64, 0);
        let (mut cut_bits, mut cut_patch_bits) = (usize::MAX, 0);
        for (reach, count) in counts.iter().enumerate().rev() {
            let bits = values.len() * reach + patch_bits;
            if bits < cut_bits {
                (cut, cut_bits, cut_patch_bits) = (reach, bits, patch_bits);
            }
            // A position, and a varint of the residual.
            patch_bits += *count as usize * (16 + 8 * (reach + 1).div_ceil(7));
        }
        if cut_patch_bits == 0 {
            return self;
        }
        let window = if cut == 0 { 0..=0 } else { -1_i64 << (cut - 1)..=(1_i64 << (cut - 1)).wrapping_sub(1) };
        let (mut min, mut max) = (0, 0);
        for value in values {
            let x = value.wrapping_sub(centre) as i64;
            let kept = if window.contains(&x) { x } else { 0 };
            (min, max) = (min.min(kept), max.max(kept));
        }
        let base = centre.wrapping_add(min as u64);
        let width = width_of((max as u64).wrapping_sub(min as u64));
        let head = signed_bits(base) + 24;
        let bits = values.len() * width as usize + cut_patch_bits + head;
        if bits < self.bits { Self { base, width, patched: true, bits } } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(values: &[u64]) -> usize {
        let mut bytes = Vec::new();
        encode(values, &mut bytes);
        let mut back = vec![0; values.len()];
        let mut reader = Reader::new(&bytes);
        decode(&mut reader, &mut back).unwrap();
        reader.finish().unwrap();
        assert_eq!(back, values);
        bytes.len()
    }

    #[test]
    fn shapes_take_what_they_should() {
        let line: Vec<u64> = (0..1024).map(|i| 5_000_000 + 37 * i).collect();
        assert!(round_trip(&line) <= 8);
        let parabola: Vec<u64> = (0..1024).map(|i| i * i * 3).collect();
        assert!(round_trip(&parabola) <= 6);
        let mut outlier = vec![40; 1024];
        outlier[500] = u64::MAX / 3;
        assert!(round_trip(&outlier) <= 40);
        assert_eq!(round_trip(&[7]), 2);
        round_trip(&[u64::MAX, 0, 1 << 63, (1 << 63) - 1]);
        let extremes: Vec<u64> = (0..1024).map(|i| [0, u64::MAX, 1 << 63][i % 3]).collect();
        round_trip(&extremes);
    }

    /// A plan made for the first 129 numbers was once used for up to 255.
    #[test]
    fn a_plan_made_for_a_sample_is_not_used_for_the_rest() {
        for len in 2..=VECTOR {
            let mut values = vec![7; len];
            values[len - 1] = u64::MAX / 5;
            values[len / 2] = 1 << 40;
            round_trip(&values);
        }
    }

    #[test]
    fn patches_are_chosen_and_read() {
        let mut values: Vec<u64> = (0..1000).map(|i| 100 + i % 4).collect();
        values[3] = 1 << 40;
        values[999] = 0;
        let mut bytes = Vec::new();
        encode(&values, &mut bytes);
        assert_eq!(bytes[0], PATCHED);
        assert!(round_trip(&values) < 1000 * 3 / 8);
        // The count of patches follows 250 to 375 bytes of residuals; a position beyond the vector is an error.
        let mut reader = Reader::new(&bytes);
        assert!(decode(&mut reader, &mut [0; 999]).is_err());
    }
}
