//! Folds of slices: least and greatest with where they are, first and last present, counts; and the [`runs`] of rows
//! that a bucket takes.
//!
//! A run-wise fold is a loop over [`runs`] around a fold of a slice:
//!
//! ```
//! # use isopoint_kernels::fold::{min, runs};
//! let (values, ends) = ([3.0, 1.0, 2.0, f64::NAN], [2, 2, 4]);
//! let least: Vec<Option<f64>> = runs(&ends).map(|rows| min(&values[rows])).collect();
//! assert_eq!(least, [Some(1.0), None, Some(2.0)]);
//! ```
//!
//! The folds know no presence: absent rows are dropped first, from values, times and run ends alike, so that the loops
//! stay plain.

mod runs;
mod scalar;

pub use runs::{Grid, bucket_runs, edge_runs, runs};
pub use scalar::Scalar;

/// The least value. NaN only if all are; `-0.0` lies under `0.0`, so that no order of rows shows. `None` of nothing.
#[inline]
pub fn min<T: Scalar>(values: &[T]) -> Option<T> {
    (!values.is_empty()).then(|| T::least(values))
}

/// The greatest value. NaN only if all are; `0.0` lies above `-0.0`. `None` of nothing.
#[inline]
pub fn max<T: Scalar>(values: &[T]) -> Option<T> {
    (!values.is_empty()).then(|| T::greatest(values))
}

/// The first row of the [least](min) value.
#[inline]
pub fn min_at<T: Scalar>(values: &[T]) -> Option<usize> {
    T::position(values, min(values)?)
}

/// The first row of the [greatest](max) value.
#[inline]
pub fn max_at<T: Scalar>(values: &[T]) -> Option<usize> {
    T::position(values, max(values)?)
}

#[inline(always)]
fn in_lanes<T: Scalar>(values: &[T], start: T, pick: impl Fn(T, T) -> T) -> T {
    // Lanes are for SIMD, which a page does not have: there each is only more code.
    const LANES: usize = if cfg!(target_family = "wasm") { 2 } else { 8 };
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut best = start;
    if !chunks.is_empty() {
        let mut lanes = [start; LANES];
        for chunk in chunks {
            for (lane, value) in lanes.iter_mut().zip(chunk) {
                *lane = pick(*value, *lane);
            }
        }
        best = lanes.into_iter().fold(best, |best, lane| pick(lane, best));
    }
    rest.iter().fold(best, |best, value| pick(*value, best))
}
