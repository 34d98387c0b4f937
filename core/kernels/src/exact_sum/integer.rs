//! Sums of integers, in 128 bits: exact for any slice.

/// Rows per block: each half of the values then sums to less than 2^64.
const BLOCK: usize = 1 << 16;

/// Under this many values one addition with carry each is quicker than lanes.
const SHORT: usize = 32;

#[inline]
pub fn sum_i64(values: &[i64]) -> i128 {
    if values.len() < SHORT {
        return values.iter().map(|value| i128::from(*value)).sum();
    }
    // Flipping the sign bit adds 2^63 to each value and makes all of them unsigned.
    let shifted = halves(values, |value| value as u64 ^ 1 << 63);
    shifted as i128 - ((values.len() as i128) << 63)
}

#[inline]
pub fn sum_u64(values: &[u64]) -> u128 {
    if values.len() < SHORT {
        return values.iter().map(|value| u128::from(*value)).sum();
    }
    halves(values, |value| value)
}

/// Adds the lower and the upper 32 bits apart, in 64-bit lanes.
fn halves<T: Copy>(values: &[T], unsigned: impl Fn(T) -> u64) -> u128 {
    let mut total = 0;
    for block in values.chunks(BLOCK) {
        let (mut lower, mut upper) = (0u64, 0u64);
        for &value in block {
            let value = unsigned(value);
            lower += value & u64::from(u32::MAX);
            upper += value >> 32;
        }
        total += u128::from(lower) + (u128::from(upper) << 32);
    }
    total
}
