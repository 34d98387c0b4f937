//! Whole numbers of one fixed width, packed without gaps.
//!
//! A full vector of [`VECTOR`] numbers is laid out for wide registers: 16 lanes of 64-bit words. Number `i` belongs to
//! lane `i % 16`; the 64 numbers of a lane follow each other bit by bit, lowest first, through that lane's `width`
//! words; word `j` of all lanes comes before word `j + 1`. Sixteen neighbours thus share one shift, and the plain inner
//! loops become SIMD at any width.
//!
//! A shorter run is one bit string: number `i` begins at bit `i * width`, lowest bit first.
//!
//! Either takes `ceil(count * width / 8)` bytes.

/// Numbers in a full vector.
pub const VECTOR: usize = 1024;

const LANES: usize = 16;
/// One word of each lane, in bytes.
const STRIPE: usize = LANES * 8;

/// Bits needed for `value`; none for zero.
pub const fn width_of(value: u64) -> u32 {
    64 - value.leading_zeros()
}

pub const fn packed_len(count: usize, width: u32) -> usize {
    (count * width as usize).div_ceil(8)
}

const fn mask(width: u32) -> u64 {
    if width == 0 { 0 } else { u64::MAX >> (64 - width) }
}

/// Appends `values`, each below two to the power of `width`, at most [`VECTOR`] of them. `width` is at most 64.
pub fn pack(values: &[u64], width: u32, out: &mut Vec<u8>) {
    debug_assert!(values.len() <= VECTOR && values.iter().all(|value| width_of(*value) <= width));
    if width == 0 {
        return;
    }
    match values.try_into() {
        Ok(vector) => pack_lanes(vector, width, out),
        Err(_) => pack_string(values, width, out),
    }
}

fn pack_lanes(values: &[u64; VECTOR], width: u32, out: &mut Vec<u8>) {
    let mut words = [[0_u64; LANES]; 64];
    let (rows, _) = values.as_chunks::<LANES>();
    for (row, values) in rows.iter().enumerate() {
        let (word, shift) = place(row, width);
        for (into, value) in words[word].iter_mut().zip(values) {
            *into |= value << shift;
        }
        if shift + width > 64 {
            for (into, value) in words[word + 1].iter_mut().zip(values) {
                *into |= value >> (64 - shift);
            }
        }
    }
    out.extend(words[..width as usize].iter().flatten().flat_map(|word| word.to_le_bytes()));
}

fn pack_string(values: &[u64], width: u32, out: &mut Vec<u8>) {
    let (mut pending, mut filled) = (0_u128, 0);
    for value in values {
        pending |= u128::from(*value) << filled;
        filled += width;
        if filled >= 64 {
            out.extend_from_slice(&(pending as u64).to_le_bytes());
            pending >>= 64;
            filled -= 64;
        }
    }
    out.extend_from_slice(&(pending as u64).to_le_bytes()[..filled.div_ceil(8) as usize]);
}

/// Fills `out`, at most [`VECTOR`] long, from the bytes [`pack`] wrote for as many values: `bytes` is
/// [`packed_len`] long and `width` at most 64.
pub fn unpack(bytes: &[u8], width: u32, out: &mut [u64]) {
    debug_assert!(bytes.len() == packed_len(out.len(), width) && width <= 64);
    if width == 0 {
        out.fill(0);
        return;
    }
    match out.try_into() {
        Ok(vector) => unpack_lanes(bytes, width, vector),
        Err(_) => unpack_string(bytes, width, out),
    }
}

fn unpack_lanes(bytes: &[u8], width: u32, out: &mut [u64; VECTOR]) {
    let (stripes, _) = bytes.as_chunks::<STRIPE>();
    let (rows, _) = out.as_chunks_mut::<LANES>();
    let mask = mask(width);
    for (row, out) in rows.iter_mut().enumerate() {
        let (word, shift) = place(row, width);
        let (low, _) = stripes[word].as_chunks::<8>();
        if shift + width <= 64 {
            for (out, low) in out.iter_mut().zip(low) {
                *out = u64::from_le_bytes(*low) >> shift & mask;
            }
        } else {
            let (high, _) = stripes[word + 1].as_chunks::<8>();
            for ((out, low), high) in out.iter_mut().zip(low).zip(high) {
                *out = (u64::from_le_bytes(*low) >> shift | u64::from_le_bytes(*high) << (64 - shift)) & mask;
            }
        }
    }
}

/// The word and the bit in it where a lane's number `row` begins.
const fn place(row: usize, width: u32) -> (usize, u32) {
    let bit = row as u32 * width;
    ((bit / 64) as usize, bit % 64)
}

fn unpack_string(bytes: &[u8], width: u32, out: &mut [u64]) {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let mut words = words.iter().chain(std::iter::once(&last)).map(|word| u64::from_le_bytes(*word));
    let mask = mask(width);
    let (mut pending, mut filled) = (0_u64, 0);
    for out in out {
        if filled >= width {
            *out = pending & mask;
            pending >>= width;
            filled -= width;
        } else {
            let word = words.next().unwrap_or_default();
            *out = (pending | word << filled) & mask;
            let used = width - filled;
            pending = word.checked_shr(used).unwrap_or_default();
            filled = 64 - used;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_comes_back() {
        for width in 0..=64 {
            for count in [0, 1, 2, 7, 64, 1000, 1023, 1024] {
                let values: Vec<u64> =
                    (1..=count as u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) & mask(width)).collect();
                let mut bytes = Vec::new();
                pack(&values, width, &mut bytes);
                assert_eq!(bytes.len(), packed_len(count, width), "width {width}, {count} values");
                let mut back = vec![7; count];
                unpack(&bytes, width, &mut back);
                assert_eq!(back, values, "width {width}, {count} values");
            }
        }
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let mut bytes = Vec::new();
        pack(&[1, 2, 3], 3, &mut bytes);
        assert_eq!(bytes, [0b11_010_001, 0]);
        bytes.clear();
        // Number 17 is the second of lane 1: word 0 of lane 1, bits 8 to 15.
        let mut vector = [0; VECTOR];
        vector[17] = 0xab;
        pack(&vector, 8, &mut bytes);
        assert_eq!(bytes.iter().position(|byte| *byte == 0xab), Some(8 + 1));
    }
}
