//! Fits over the values of a group: lines, steps, smoothing, medians.

use crate::exec::exact_sum::ExactSum;
use crate::order;
use crate::time::NANOS_PER_SEC;

/// Huber's threshold, in deviations: 95 % as efficient as least squares on normal errors.
const HUBER: f64 = 1.345;
/// Median absolute deviation of a normal distribution, in standard deviations.
const MAD_OF_NORMAL: f64 = 0.6745;
/// The same of the difference of two normal values: 0.6745 · √2.
const MAD_OF_DIFFERENCES: f64 = 0.9539;
/// Rounds of reweighting at most; each is a fit of its own.
const ROUNDS: usize = 50;

pub(in crate::exec) fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let mut sum = ExactSum::ZERO;
    values.for_each(|value| sum.add(value));
    sum.round()
}

/// The middle of some values, the mean of the two middle ones; NaN of none. Sorts them.
pub(in crate::exec) fn median(values: &mut [f64]) -> f64 {
    quantile(values, 0.5)
}

/// Between the elements next to q·(n − 1) of some values; NaN of none. Sorts them.
pub(in crate::exec) fn quantile(values: &mut [f64], q: f64) -> f64 {
    order::sort_by(values, f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else { return f64::NAN };
    let at = q.clamp(0.0, 1.0) * last as f64;
    let below = at.floor() as usize;
    let (low, high) = (values[below], values[(below + 1).min(last)]);
    low + (high - low) * (at - below as f64)
}

/// The median distance from the median.
pub(in crate::exec) fn deviation(values: &[f64]) -> f64 {
    let middle = median(&mut values.to_vec());
    let mut distances: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    median(&mut distances)
}

/// A line through points, as value at the first time and slope per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::exec) struct Line {
    pub(in crate::exec) start: i64,
    pub(in crate::exec) level: f64,
    pub(in crate::exec) slope: f64,
}

impl Line {
    pub(in crate::exec) fn at(&self, time: i64) -> f64 {
        self.level + self.slope * seconds(self.start, time)
    }

    /// Least squares with weights; `None` without points of weight.
    pub(in crate::exec) fn fitted(times: &[i64], values: &[f64], weights: Option<&[f64]>) -> Option<Self> {
        let start = *times.first()?;
        let weight = |at: usize| weights.map_or(1.0, |weights| weights[at]);
        let at = || 0..values.len();
        let total = sum(at().map(weight));
        if total <= 0.0 {
            return None;
        }
        let x = |at: usize| seconds(start, times[at]);
        let mean_x = sum(at().map(|at| weight(at) * x(at))) / total;
        let mean_y = sum(at().map(|at| weight(at) * values[at])) / total;
        let spread = sum(at().map(|at| weight(at) * (x(at) - mean_x) * (x(at) - mean_x)));
        let slope = if spread > 0.0 {
            sum(at().map(|at| weight(at) * (x(at) - mean_x) * (values[at] - mean_y))) / spread
        } else {
            0.0
        };
        Some(Self { start, level: mean_y - slope * mean_x, slope })
    }
}

fn seconds(from: i64, to: i64) -> f64 {
    (to - from) as f64 / NANOS_PER_SEC as f64
}

/// The values of the fitted line at the times.
pub(super) fn line(times: &[i64], values: &[f64], robust: bool) -> Vec<f64> {
    let Some(mut line) = Line::fitted(times, values, None) else { return Vec::new() };
    if robust {
        line = huber(times, values, line);
    }
    times.iter().map(|time| line.at(*time)).collect()
}

/// Iteratively reweighted least squares with Huber's weights, until the line stays where it is.
fn huber(times: &[i64], values: &[f64], mut line: Line) -> Line {
    for _ in 0..ROUNDS {
        let misses: Vec<f64> = times.iter().zip(values).map(|(time, value)| value - line.at(*time)).collect();
        let mut sizes: Vec<f64> = misses.iter().map(|miss| miss.abs()).collect();
        let bound = HUBER * median(&mut sizes) / MAD_OF_NORMAL;
        if bound <= 0.0 {
            break;
        }
        let weights: Vec<f64> =
            misses.iter().map(|miss| if miss.abs() <= bound { 1.0 } else { bound / miss.abs() }).collect();
        let Some(next) = Line::fitted(times, values, Some(&weights)) else { break };
        let moved = (next.level - line.level).abs() + (next.slope - line.slope).abs();
        let scale = 1.0 + line.level.abs() + line.slope.abs();
        line = next;
        if moved <= 1e-12 * scale {
            break;
        }
    }
    line
}

/// Optimal partitioning: pieces whose squared errors and prices sum to the least.
pub(super) fn steps(values: &[f64]) -> Vec<f64> {
    let len = values.len();
    if len < 2 {
        return values.to_vec();
    }
    let mut changes: Vec<f64> = values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
    let sigma = median(&mut changes) / MAD_OF_DIFFERENCES;
    let price = 3.0 * sigma * sigma * libm::log(len as f64);
    // Sums up to a place, about the mean so that squares stay small.
    let mean = sum(values.iter().copied()) / len as f64;
    let (mut sums, mut squares) = (vec![0.0; len + 1], vec![0.0; len + 1]);
    for (at, value) in values.iter().enumerate() {
        let value = value - mean;
        sums[at + 1] = sums[at] + value;
        squares[at + 1] = squares[at] + value * value;
    }
    let error = |from: usize, to: usize| {
        let total: f64 = sums[to] - sums[from];
        (squares[to] - squares[from] - total * total / (to - from) as f64).max(0.0)
    };
    let (mut best, mut begins) = (vec![0.0; len + 1], vec![0; len + 1]);
    best[0] = -price;
    for to in 1..=len {
        let mut least = f64::INFINITY;
        for (from, before) in best.iter().enumerate().take(to) {
            let cost = before + error(from, to) + price;
            if cost < least {
                (least, begins[to]) = (cost, from);
            }
        }
        best[to] = least;
    }
    let (mut out, mut to) = (vec![0.0; len], len);
    while to > 0 {
        let from = begins[to];
        let level = sum(values[from..to].iter().copied()) / (to - from) as f64;
        out[from..to].fill(level);
        to = from;
    }
    out
}

/// A trailing moving mean whose length makes the least rough series that is at least as heavy-tailed as the values.
pub(super) fn smoothed(values: &[f64]) -> Vec<f64> {
    let (mut best, mut least) = (values.to_vec(), roughness(values));
    let tails = kurtosis(values);
    for window in 2..=values.len() / 10 {
        let smooth = moving_mean(values, window);
        let rough = roughness(&smooth);
        if rough < least && kurtosis(&smooth) >= tails {
            (best, least) = (smooth, rough);
        }
    }
    best
}

fn moving_mean(values: &[f64], window: usize) -> Vec<f64> {
    let (mut sum, mut out) = (0.0, Vec::with_capacity(values.len()));
    for (at, value) in values.iter().enumerate() {
        sum += value;
        if at >= window {
            sum -= values[at - window];
        }
        out.push(sum / (at + 1).min(window) as f64);
    }
    out
}

/// The standard deviation of what is between neighbours.
fn roughness(values: &[f64]) -> f64 {
    let changes: Vec<f64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
    moments(&changes).0
}

fn kurtosis(values: &[f64]) -> f64 {
    moments(values).1
}

/// Standard deviation and kurtosis; zeros where they are not defined.
fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    if values.is_empty() {
        return (0.0, 0.0);
    }
    let mean = values.iter().sum::<f64>() / count;
    let (mut second, mut fourth) = (0.0, 0.0);
    for value in values {
        let square = (value - mean) * (value - mean);
        second += square;
        fourth += square * square;
    }
    let (second, fourth) = (second / count, fourth / count);
    (second.sqrt(), if second > 0.0 { fourth / (second * second) } else { 0.0 })
}
