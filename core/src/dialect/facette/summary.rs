//! What is said of a series besides its points.

use crate::exec::exact_sum::ExactSum;
use crate::exec::fold::{max, min};

/// Of the values that are numbers: NaN is no value. NaN throughout if there are none.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Summary {
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) avg: f64,
    pub(super) last: f64,
    /// One for each that was asked for; none if there are no values.
    pub(super) percentiles: Vec<f64>,
}

impl Summary {
    pub(super) fn of(values: &[f64], percentiles: &[f64]) -> Self {
        let mut sum = ExactSum::new();
        let mut known: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        let last = known.last().copied().unwrap_or(f64::NAN);
        known.iter().for_each(|value| sum.add(*value));
        let avg = if known.is_empty() { f64::NAN } else { sum.round() / known.len() as f64 };
        let (min, max) = (min(&known).unwrap_or(f64::NAN), max(&known).unwrap_or(f64::NAN));
        let mut wanted = Vec::new();
        if !known.is_empty() && !percentiles.is_empty() {
            crate::order::sort_by(&mut known, f64::total_cmp);
            wanted.extend(percentiles.iter().map(|wanted| percentile(&known, *wanted)));
        }
        Self { min, max, avg, last, percentiles: wanted }
    }
}

/// Between the values on both sides of rank p/100 · (n + 1), the first value having rank 1; the nearest value where
/// there is none on one side. `sorted` is not empty.
fn percentile(sorted: &[f64], p: f64) -> f64 {
    let count = sorted.len();
    let rank = p / 100.0 * (count as f64 + 1.0);
    if rank < 1.0 {
        return sorted[0];
    }
    if rank >= count as f64 {
        return sorted[count - 1];
    }
    let at = rank as usize;
    let (below, above) = (sorted[at - 1], sorted[at]);
    // Also for infinities, whose difference is no number.
    if below == above { below } else { below + (rank - at as f64) * (above - below) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_between_ranks() {
        let values: Vec<f64> = (1..=10).map(f64::from).collect();
        let wanted = [10.0, 50.0, 90.0, 0.0, -5.0, 100.0, 200.0, 1.0, 95.0, 99.9, 1e308];
        let found = Summary::of(&values, &wanted).percentiles;
        assert_eq!(found, [1.1, 5.5, 9.9, 1.0, 1.0, 10.0, 10.0, 1.0, 10.0, 10.0, 10.0]);
        assert_eq!(Summary::of(&[7.0], &[50.0]).percentiles, [7.0]);
        assert_eq!(Summary::of(&[f64::INFINITY; 3], &[30.0]).percentiles, [f64::INFINITY]);
    }

    #[test]
    fn what_is_no_number_is_no_value() {
        let summary = Summary::of(&[f64::NAN, 3.0, -1.0, f64::NAN], &[]);
        assert_eq!((summary.min, summary.max, summary.avg, summary.last), (-1.0, 3.0, 1.0, -1.0));
        let nothing = Summary::of(&[f64::NAN], &[50.0]);
        assert!(nothing.min.is_nan() && nothing.max.is_nan() && nothing.avg.is_nan() && nothing.last.is_nan());
        assert!(nothing.percentiles.is_empty());
    }
}
