//! Sums of integers, in 128 bits: exact for any slice.

/// Rows per block: each half of the values then sums to less than 2^64.
const BLOCK: usize = 1 << 16;

pub fn sum_i64(values: &[i64]) -> i128 {
    // Flipping the sign bit adds 2^63 to each value and makes all of them unsigned.
    let shifted = halves(values, |value| value as u64 ^ 1 << 63);
    shifted as i128 - ((values.len() as i128) << 63)
}

pub fn sum_u64(values: &[u64]) -> u128 {
    halves(values, |value| value)
}

/// The sum of each run, as [`sum_runs`](super::sum_runs) takes them.
pub fn sum_i64_runs(values: &[i64], ends: &[u32], mut out: impl FnMut(usize, i128)) {
    runs(values, ends, |run, values| {
        out(run, if values.len() < SHORT { values.iter().map(|v| i128::from(*v)).sum() } else { sum_i64(values) });
    });
}

/// The sum of each run, as [`sum_runs`](super::sum_runs) takes them.
pub fn sum_u64_runs(values: &[u64], ends: &[u32], mut out: impl FnMut(usize, u128)) {
    runs(values, ends, |run, values| {
        out(run, if values.len() < SHORT { values.iter().map(|v| u128::from(*v)).sum() } else { sum_u64(values) });
    });
}

/// Under this many values one add with carry each is quicker than lanes.
const SHORT: usize = 32;

fn runs<T>(values: &[T], ends: &[u32], mut each: impl FnMut(usize, &[T])) {
    let mut start = 0;
    for (run, &end) in ends.iter().enumerate() {
        each(run, &values[start..end as usize]);
        start = end as usize;
    }
}

/// Adds the lower and the upper 32 bits apart, in 64-bit lanes.
#[inline(always)]
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
