//! Exact sums of doubles: the correctly rounded sum of all values added, whatever their order, split or merge.
//!
//! [`ExactSum`] holds the *exact* sum. While two doubles can hold it, it is the pair `hi + lo`, 24 bytes with the
//! pointer; whatever a pair cannot hold goes to a boxed fixed-point number of 2,144 bits (`wide.rs`) that can hold any
//! sum. Rounding happens once, in [`round`](ExactSum::round), and gives what Python's `math.fsum` gives:
//!
//! * no value, or an exact zero (also of `-0.0` alone): `0.0`;
//! * any NaN, or both infinities: NaN; one infinity: that one;
//! * intermediate sums cannot overflow: `1e308 + 1e308 - 1e308` is `1e308`. A sum beyond the largest double is
//!   infinite, where Python raises.
//!
//! # How a slice is summed
//!
//! Values are added in plain doubles, error-free by splitting each at a common place (`Split` has the proof): six
//! additions a value, in lanes. It works when the bits of all values span less than some 80
//! binary places; that is checked as it goes, and a slice that fails is added to the wide number instead.

mod integer;
#[cfg(test)]
mod tests;
mod wide;

use smallvec::SmallVec;

use crate::fold::runs;

pub use integer::{sum_i64, sum_u64};
use wide::Wide;

/// The exact sum of any number of doubles.
#[derive(Clone, Debug, Default)]
pub struct ExactSum {
    /// `hi + lo` is exact, never rounded; neither is ever `-0.0`, NaN or infinite, nor `|hi|` above [`PAIR_MAX`].
    hi: f64,
    lo: f64,
    /// What the pair could not hold; the sum is `hi + lo + wide`.
    wide: Option<Box<Wide>>,
}

/// Above this a sum leaves the pair, so that no step of [`two_sum`] can overflow. 2^1000.
const PAIR_MAX: f64 = pow2(PAIR_EXPONENT);
const PAIR_EXPONENT: i32 = 1000;

/// Values summed in one go by [`ExactSum::add_slice`]: 16 KiB stay in the first cache between the two passes.
const CHUNK: usize = 2048;

/// An expansion: doubles whose exact sum is meant.
pub type Components = SmallVec<[f64; 2]>;

impl ExactSum {
    pub const ZERO: Self = Self { hi: 0.0, lo: 0.0, wide: None };

    pub const fn new() -> Self {
        Self::ZERO
    }

    #[inline]
    pub fn add(&mut self, value: f64) {
        let (hi, error) = two_sum(self.hi, value);
        let (lo, lost) = two_sum(self.lo, error);
        // Also false when `hi` is NaN.
        if lost == 0.0 && hi.abs() <= PAIR_MAX {
            self.hi = hi;
            self.lo = lo;
        } else {
            self.spill(value);
        }
    }

    pub fn add_slice(&mut self, values: &[f64]) {
        for chunk in values.chunks(CHUNK) {
            self.add_chunk(chunk, Bound::of(chunk));
        }
    }

    /// [`add_slice`](Self::add_slice) where a bound is known, from a block's header say. A wrong bound gives a wrong
    /// sum.
    pub fn add_bounded(&mut self, values: &[f64], bound: Bound) {
        for chunk in values.chunks(CHUNK) {
            self.add_chunk(chunk, bound);
        }
    }

    #[inline]
    pub fn merge(&mut self, other: &Self) {
        self.add(other.hi);
        self.add(other.lo);
        if let Some(wide) = &other.wide {
            self.wide_mut().merge(wide);
        }
    }

    /// The double nearest to the sum, ties to even.
    pub fn round(&self) -> f64 {
        match &self.wide {
            None => self.hi + self.lo,
            Some(wide) => self.widened(wide).round(),
        }
    }

    /// The sum as doubles, largest first, each the nearest to what the ones before it leave: equal sums have equal
    /// components, bit for bit. None for zero, nearly always one or two, at most 40 for a sum within the doubles'
    /// range; above it each is the largest double until the rest is in range. A NaN or an infinite sum is that one
    /// component.
    pub fn components(&self) -> Components {
        match &self.wide {
            None => {
                let (hi, lo) = two_sum(self.hi, self.lo);
                [hi, lo].into_iter().filter(|part| *part != 0.0).collect()
            }
            Some(wide) => self.widened(wide).components(),
        }
    }

    /// Any doubles will do, not only those of [`components`](Self::components).
    pub fn from_components(components: &[f64]) -> Self {
        let mut sum = Self::ZERO;
        components.iter().for_each(|part| sum.add(*part));
        sum
    }

    /// Whether the sum is exactly zero, as it is before the first value.
    pub fn is_zero(&self) -> bool {
        match &self.wide {
            None => self.hi == -self.lo,
            Some(_) => self.round() == 0.0,
        }
    }

    /// Forgets all values; keeps no memory.
    pub fn clear(&mut self) {
        *self = Self::ZERO;
    }

    /// Bytes on the heap, for memory accounting.
    pub fn heap_bytes(&self) -> usize {
        if self.wide.is_some() { size_of::<Wide>() } else { 0 }
    }

    #[inline(never)]
    fn add_chunk(&mut self, values: &[f64], bound: Bound) {
        match Split::new(bound, values.len()).and_then(|split| split.sum::<LANES>(values)) {
            Some((hi, lo)) => {
                self.add(hi);
                self.add(lo);
            }
            None => {
                let wide = self.wide_mut();
                values.iter().for_each(|value| wide.add(*value));
            }
        }
    }

    #[cold]
    fn spill(&mut self, value: f64) {
        let (hi, lo) = (std::mem::take(&mut self.hi), std::mem::take(&mut self.lo));
        let wide = self.wide_mut();
        [hi, lo, value].into_iter().for_each(|part| wide.add(part));
    }

    fn wide_mut(&mut self) -> &mut Wide {
        self.wide.get_or_insert_default()
    }

    fn widened(&self, wide: &Wide) -> Wide {
        let mut wide = wide.clone();
        wide.add(self.hi);
        wide.add(self.lo);
        wide
    }
}

/// Equal sums, however they came about.
impl PartialEq for ExactSum {
    fn eq(&self, other: &Self) -> bool {
        self.components().iter().map(|part| part.to_bits()).eq(other.components().iter().map(|part| part.to_bits()))
    }
}

impl FromIterator<f64> for ExactSum {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut sum = Self::ZERO;
        values.into_iter().for_each(|value| sum.add(value));
        sum
    }
}

/// Of long slices. A page has no SIMD: what serves short ones serves all there.
const LANES: usize = if cfg!(target_family = "wasm") { 2 } else { 4 };

/// The exact sum of each of the [`runs`] of `values`. `bound` holds for all values, or is found. `out` gets each run's
/// number and sum in order; [`ExactSum::merge`] adds it to its bucket.
pub fn sum_runs(values: &[f64], ends: &[u32], bound: Option<Bound>, mut out: impl FnMut(usize, ExactSum)) {
    sum_each_run(values, ends, bound, &mut out);
}

fn sum_each_run(values: &[f64], ends: &[u32], bound: Option<Bound>, out: &mut dyn FnMut(usize, ExactSum)) {
    let bound = bound.unwrap_or_else(|| Bound::of(values));
    let longest = runs(ends).map(|rows| rows.len()).max().unwrap_or(0);
    let split = Split::new(bound, longest.min(CHUNK));
    for (run, rows) in runs(ends).enumerate() {
        let values = &values[rows];
        let sum = match split {
            Some(split) if values.len() <= CHUNK => match split.sum::<2>(values) {
                Some((hi, lo)) => ExactSum { hi, lo, wide: None },
                None => values.iter().copied().collect(),
            },
            _ => {
                let mut sum = ExactSum::ZERO;
                sum.add_bounded(values, bound);
                sum
            }
        };
        out(run, sum);
    }
}

/// A power of two above the magnitude of every value of a slice, NaNs apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound(i32);

impl Bound {
    pub fn of(values: &[f64]) -> Self {
        const LANES: usize = 8;
        let larger = |a: f64, b: f64| if a > b { a } else { b };
        let (chunks, rest) = values.as_chunks::<LANES>();
        let mut lanes = [0.0; LANES];
        for chunk in chunks {
            for (lane, value) in lanes.iter_mut().zip(chunk) {
                *lane = larger(value.abs(), *lane);
            }
        }
        Self::above(rest.iter().chain(&lanes).fold(0.0, |most, value| larger(value.abs(), most)))
    }

    /// From the smallest and largest value.
    pub fn of_extremes(min: f64, max: f64) -> Self {
        Self::of(&[min, max])
    }

    /// The infinite is bounded by 2^1025, which no fast path takes.
    fn above(magnitude: f64) -> Self {
        Self((magnitude.to_bits() >> 52) as i32 - 1022)
    }
}

/// Where to split values so that both parts of up to 2^k of them add up without rounding.
///
/// Let |x| ≤ 2^M for each x. Take C = 1.5·2^q with q = M + k + 1, and u = 2^(q−52), the distance of doubles in
/// [2^q, 2^(q+1)]. Start with S = C and for each x do
///
/// ```text
/// t = S + x;  h = t − S;  l = x − h;  S = t
/// ```
///
/// 1. *h is x rounded to a multiple of u, and |h| ≤ 2^M.* S is a multiple of u. Inductively |S − C| ≤ (values so
///    far)·2^M, so S + x lies within 2^k·2^M = 2^(q−1) of C, that is in [2^q, 2^(q+1)], where t is the nearest
///    multiple of u. Then t − S is a multiple of u too, and no larger than 2^M since that is itself one (M ≥ q − 52
///    for k ≤ 51), hence a double: the subtraction is exact.
/// 2. *l is exact and |l| ≤ u/2.* |x − h| ≤ u/2 by 1. If |x| < u/2 then h = 0 and l = x. Else |l| ≤ |x|, and l is a
///    multiple of the unit of x's last place (as x is, and h, being zero or a multiple of u; where u is below that
///    unit, x is a multiple of u and l = 0): a double.
/// 3. So the sum of the h is S − C, exactly.
///
/// The l are summed in the very same way, with |l| ≤ 2^(q−53) in place of M: C' = 1.5·2^(q−52+k). The remainders of
/// that second split are not summed but or-ed together: if all are zero, the sum of the l is S' − C' exactly. They are
/// when every value is a multiple of 2^(M + 2k − 103); 2k ≤ 22 leaves 81 places under the bound. NaN makes a
/// remainder NaN, so it is seen here as well.
///
/// Lanes are summed apart. Their differences S − C are multiples of u whose sum stays below 2^(q−1) = 2^51·u in any
/// order: plain additions join them exactly. Both constants stay normal: should q fall under −1022, then −1022 is
/// taken, where u is the smallest subnormal and every remainder zero; a larger q than needed harms no step above.
#[derive(Clone, Copy, Debug)]
struct Split {
    high: f64,
    low: f64,
}

impl Split {
    /// For at most `len` values under `bound`. `None` if a sum could leave the range of a pair.
    fn new(bound: Bound, len: usize) -> Option<Self> {
        let k = len.next_power_of_two().trailing_zeros() as i32;
        let q = (bound.0 + k + 1).max(-1022);
        let q_low = (q - 52 + k).max(-1022);
        (q <= PAIR_EXPONENT).then(|| Self { high: 1.5 * pow2(q), low: 1.5 * pow2(q_low) })
    }

    /// Two doubles whose sum is that of `values`, or `None` if bits were left over.
    #[inline(always)]
    fn sum<const LANES: usize>(self, values: &[f64]) -> Option<(f64, f64)> {
        let mut high = [self.high; LANES];
        let mut low = [self.low; LANES];
        let mut left = [0u64; LANES];
        let mut step = |lane: usize, value: f64| {
            let sum = high[lane] + value;
            let rest = value - (sum - high[lane]);
            high[lane] = sum;
            let sum = low[lane] + rest;
            left[lane] |= (rest - (sum - low[lane])).to_bits();
            low[lane] = sum;
        };
        let (chunks, rest) = values.as_chunks::<LANES>();
        for chunk in chunks {
            for (lane, value) in chunk.iter().enumerate() {
                step(lane, *value);
            }
        }
        for (lane, value) in rest.iter().enumerate() {
            step(lane, *value);
        }
        let left = left.into_iter().fold(0, |all, bits| all | bits);
        // A remainder may be −0.0: the sign does not count.
        (left << 1 == 0).then(|| {
            let total = |lanes: [f64; LANES], from: f64| lanes.into_iter().fold(0.0, |sum, lane| sum + (lane - from));
            (total(high, self.high), total(low, self.low))
        })
    }
}

/// The rounded sum and what rounding took away (Knuth): exact unless it overflows, which [`PAIR_MAX`] prevents.
#[inline(always)]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}

/// 2^exponent, for the exponents of normal doubles.
const fn pow2(exponent: i32) -> f64 {
    debug_assert!(-1022 <= exponent && exponent <= 1023);
    f64::from_bits(((exponent + 1023) as u64) << 52)
}
