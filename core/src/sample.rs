//! Fewer points for a graph.
//!
//! Two kinds: [`consolidate`] makes one value of each column of a graph; [`min_max`], [`m4`] and [`lttb`] choose rows
//! that are drawn in place of all. A column is an equal part of a time range ([`Columns`]), as wide as a pixel say.
//!
//! Rows without a value are left out. NaN is a value for a consolidation, as for any aggregate, but cannot be drawn:
//! choosing leaves it out, and [`lttb`] infinities as well, since no area has them as a corner. A line is so drawn
//! across a gap; whoever wants gaps shown samples each side apart.

mod lttb;
#[cfg(test)]
mod tests;

use crate::order::sort_few;
use std::borrow::Cow;

pub use lttb::lttb;

use crate::exec::exact_sum::sum_runs;
use crate::exec::fold::{edge_runs, max, max_at, min, min_at, runs};
use crate::model::column::Bitmap;
use crate::time::TimeRange;

/// What is sampled: rows in time order, equally many times and values; `present: None` means that all have a value.
#[derive(Clone, Copy, Debug)]
pub struct Points<'a> {
    pub times: &'a [i64],
    pub values: &'a [f64],
    pub present: Option<&'a Bitmap>,
}

/// What becomes of the values in one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consolidation {
    Average,
    First,
    Last,
    Max,
    Min,
    Sum,
}

/// One column's value, none if no row lies in it, at the column's first instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    pub time: i64,
    pub value: Option<f64>,
}

/// A range cut into equal columns: as equal as whole nanoseconds allow, and never more than it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    range: TimeRange,
    count: u64,
}

impl Columns {
    /// No columns for an empty range.
    pub fn new(range: TimeRange, count: usize) -> Self {
        Self { range, count: span(range).min(count as u128) as u64 }
    }

    /// The first instant of each column.
    pub fn starts(self) -> Vec<i64> {
        let span = span(self.range);
        let start = |column| (u128::from(column) * span).div_ceil(u128::from(self.count));
        // Each is inside the range, so the wrapped sum is the true one.
        (0..self.count).map(|column| self.range.min.wrapping_add(start(column) as i64)).collect()
    }

    /// Where each column's rows end, and which column it is, of the times inside the range.
    fn cut(self, starts: &[i64], times: &[i64]) -> (Vec<usize>, Vec<u32>) {
        let (mut columns, mut ends) = (Vec::new(), Vec::new());
        edge_runs(times, starts, &mut columns, &mut ends);
        (columns.into_iter().map(|column| column as usize).collect(), ends)
    }
}

/// One sample per column of the range, in order. Sums are exact and means are those over the count.
pub fn consolidate(points: Points<'_>, range: TimeRange, columns: usize, by: Consolidation) -> Vec<Sample> {
    let columns = Columns::new(range, columns);
    let starts = columns.starts();
    let mut samples: Vec<Sample> = starts.iter().map(|time| Sample { time: *time, value: None }).collect();
    if samples.is_empty() {
        return samples;
    }
    let drawn = Drawn::new(points.within(range), |_| true);
    let (numbers, ends) = columns.cut(&starts, &drawn.times);
    let values = &drawn.values[..];
    if matches!(by, Consolidation::Average | Consolidation::Sum) {
        let counts: Vec<usize> = runs(&ends).map(|rows| rows.len()).collect();
        sum_runs(values, &ends, None, |run, sum| {
            let over = if by == Consolidation::Average { counts[run] as f64 } else { 1.0 };
            samples[numbers[run]].value = Some(sum.round() / over);
        });
        return samples;
    }
    for (number, rows) in numbers.into_iter().zip(runs(&ends)) {
        let values = &values[rows];
        samples[number].value = match by {
            Consolidation::First => values.first().copied(),
            Consolidation::Last => values.last().copied(),
            Consolidation::Max => max(values),
            _ => min(values),
        };
    }
    samples
}

/// The rows of the least and the greatest value of each column, in time order: at most two a column.
pub fn min_max(points: Points<'_>, range: TimeRange, columns: usize) -> Vec<usize> {
    pick(points, range, columns, |values, picks| picks.extend([min_at(values), max_at(values)].into_iter().flatten()))
}

/// The rows of the first, least, greatest and last value of each column, in time order: at most four a column, and
/// enough to draw the very pixels that a line through all rows would (Jugel et al., 2014).
pub fn m4(points: Points<'_>, range: TimeRange, columns: usize) -> Vec<usize> {
    pick(points, range, columns, |values, picks| {
        picks.extend([Some(0), min_at(values), max_at(values), values.len().checked_sub(1)].into_iter().flatten());
    })
}

fn pick(points: Points<'_>, range: TimeRange, columns: usize, choose: impl Fn(&[f64], &mut Vec<usize>)) -> Vec<usize> {
    let columns = Columns::new(range, columns);
    let starts = columns.starts();
    if starts.is_empty() {
        return Vec::new();
    }
    let drawn = Drawn::new(points.within(range), |value| !value.is_nan());
    let (_, ends) = columns.cut(&starts, &drawn.times);
    let mut chosen = Vec::new();
    let mut picks = Vec::with_capacity(4);
    for rows in runs(&ends) {
        picks.clear();
        choose(&drawn.values[rows.clone()], &mut picks);
        sort_few(&mut picks);
        picks.dedup();
        chosen.extend(picks.iter().map(|pick| drawn.row(rows.start + pick)));
    }
    chosen
}

/// A run of the rows of [`Points`].
#[derive(Clone, Copy)]
struct Window<'a> {
    points: Points<'a>,
    /// The first row, and the one after the last.
    start: usize,
    end: usize,
}

impl<'a> Points<'a> {
    fn all(self) -> Window<'a> {
        Window { points: self, start: 0, end: self.times.len() }
    }

    fn within(self, range: TimeRange) -> Window<'a> {
        let start = self.times.partition_point(|time| *time < range.min);
        let end = self.times.partition_point(|time| *time <= range.max);
        Window { points: self, start, end: end.max(start) }
    }
}

/// The rows that count, without those that do not.
struct Drawn<'a> {
    times: Cow<'a, [i64]>,
    values: Cow<'a, [f64]>,
    /// The row of each, if some were left out.
    rows: Option<Vec<usize>>,
    start: usize,
}

impl<'a> Drawn<'a> {
    fn new(window: Window<'a>, keep: impl Fn(f64) -> bool) -> Self {
        let Window { points, start, end } = window;
        let (times, values) = (&points.times[start..end], &points.values[start..end]);
        let present = |row: usize| points.present.is_none_or(|map| map.get(start + row));
        // Without short cuts, so that the usual case is a plain loop.
        let all = points.present.is_none_or(|map| map.count_ones_in(start, end) == end - start)
            && values.iter().fold(true, |all, value| all & keep(*value));
        if all {
            return Self { times: times.into(), values: values.into(), rows: None, start };
        }
        let rows: Vec<usize> = (0..values.len()).filter(|row| present(*row) && keep(values[*row])).collect();
        Self {
            times: rows.iter().map(|row| times[*row]).collect(),
            values: rows.iter().map(|row| values[*row]).collect(),
            rows: Some(rows),
            start,
        }
    }

    fn row(&self, at: usize) -> usize {
        self.start + self.rows.as_ref().map_or(at, |rows| rows[at])
    }
}

/// Instants in a range, up to 2^64.
fn span(range: TimeRange) -> u128 {
    (i128::from(range.max) - i128::from(range.min) + 1).max(0) as u128
}
