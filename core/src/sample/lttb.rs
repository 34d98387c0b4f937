//! Largest triangle, three buckets (S. Steinarsson, 2013).

use std::ops::Range;

use super::{Drawn, Points};

/// Rows that keep a line's shape: the first and the last, and from each of `n − 2` equal parts of the rows between the
/// one that spans the largest triangle with the row chosen before it and the mean of the next part; of equal triangles
/// the first. All rows when there are no more than `n`; the first only for 1, none for 0.
pub fn lttb(points: Points<'_>, n: usize) -> Vec<usize> {
    let drawn = Drawn::new(points.all(), f64::is_finite);
    let (times, values) = (&drawn.times[..], &drawn.values[..]);
    let len = values.len();
    if len <= n || n < 3 {
        let ends = [0, len.saturating_sub(1)];
        let rows = if len <= n { (0..len).collect() } else { ends[..n].to_vec() };
        return rows.into_iter().map(|at| drawn.row(at)).collect();
    }
    let curve = Curve::new(times, values);
    let parts = n - 2;
    // The first row of a part; in 64 bits, as the product may pass the 32 of a page.
    let start = |part: usize| 1 + (part as u64 * (len as u64 - 2) / parts as u64) as usize;
    let mut chosen = Vec::with_capacity(n);
    chosen.push(0);
    let mut last = 0;
    for part in 0..parts {
        let (from, to) = (start(part), start(part + 1));
        let next = to..if part + 1 < parts { start(part + 2) } else { len };
        let (mean_x, mean_y) = curve.mean(next, last);
        let (mut largest, mut pick) = (-1.0, from);
        for (row, (x, y)) in (from..to).zip(curve.points(from..to, last)) {
            // Twice the area, with the row chosen last as the origin.
            let area = (x * mean_y - mean_x * y).abs();
            if area > largest {
                (largest, pick) = (area, row);
            }
        }
        chosen.push(pick);
        last = pick;
    }
    chosen.push(len - 1);
    chosen.into_iter().map(|at| drawn.row(at)).collect()
}

/// Rows as points of a plane, scaled so that no area overflows; a scale of both axes changes no comparison.
struct Curve<'a> {
    times: &'a [i64],
    values: &'a [f64],
    halvings: u32,
    scale: f64,
}

impl<'a> Curve<'a> {
    fn new(times: &'a [i64], values: &'a [f64]) -> Self {
        /// 2^500 and 2^-600.
        const LARGE: f64 = f64::from_bits((500 + 1023) << 52);
        const SHRINK: f64 = f64::from_bits((1023 - 600) << 52);
        let large = values.iter().fold(false, |large, value| large | (value.abs() > LARGE));
        let span = times[times.len() - 1].wrapping_sub(times[0]) as u64;
        Self { times, values, halvings: u32::from(span > i64::MAX as u64), scale: if large { SHRINK } else { 1.0 } }
    }

    /// The points of some rows, with the row `origin`, which is not later, at 0.
    fn points(&self, rows: Range<usize>, origin: usize) -> impl Iterator<Item = (f64, f64)> {
        let (from, base) = (self.times[origin], self.values[origin] * self.scale);
        self.times[rows.clone()].iter().zip(&self.values[rows]).map(move |(time, value)| {
            let offset = (time.wrapping_sub(from) as u64 >> self.halvings) as i64;
            (offset as f64, value * self.scale - base)
        })
    }

    fn mean(&self, rows: Range<usize>, origin: usize) -> (f64, f64) {
        let count = rows.len() as f64;
        let (x, y) = self.points(rows, origin).fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        (x / count, y / count)
    }
}
