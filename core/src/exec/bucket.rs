//! The buckets of an aggregate, resolved: numbers for times, times for numbers.

use super::fold::{Grid, bucket_runs, edge_runs};
use crate::plan::Bucket;

/// The number of times that lie in no bucket.
pub(super) const NOWHERE: i64 = i64::MIN;

#[derive(Clone, Debug)]
pub(super) enum Buckets {
    Whole,
    Every(Grid),
    /// Parts `base..base + count` of a grid, numbered from 0.
    Parts {
        grid: Grid,
        base: i64,
        count: i64,
        start: i64,
    },
    /// Parts of no length: nothing lies in them.
    Points {
        count: i64,
        start: i64,
    },
    Edges(Vec<i64>),
    /// Every instant is a bucket of its own.
    Instants,
}

impl Buckets {
    /// `most_points` is what [`Bucket::Count`] is lowered to where it asks for it.
    pub(super) fn new(bucket: &Bucket, most_points: u64) -> Self {
        match bucket {
            Bucket::Whole => Self::Whole,
            Bucket::Every { width, origin } => Grid::new(*width, *origin).map_or(Self::Whole, Self::Every),
            Bucket::Count { count, start, end, lower_to_points } => {
                let lowered = if *lower_to_points && most_points > 0 { (*count).min(most_points) } else { *count };
                let count = i64::try_from(lowered).unwrap_or(i64::MAX);
                let span = (i128::from(*end) - i128::from(*start)).max(0);
                let step = i64::try_from(span / i128::from(count.max(1))).unwrap_or(i64::MAX);
                match Grid::new(step, *start) {
                    Some(grid) => Self::Parts { grid, base: grid.bucket_of(*start), count, start: *start },
                    None => Self::Points { count, start: *start },
                }
            }
            Bucket::Edges(edges) => Self::Edges(edges.clone()),
        }
    }

    /// Cuts ascending times into runs of one bucket each: numbers and where each run ends.
    pub(super) fn runs(&self, times: &[i64], numbers: &mut Vec<i64>, ends: &mut Vec<u32>) {
        match self {
            Self::Whole | Self::Points { .. } => {
                numbers.clear();
                ends.clear();
                if !times.is_empty() {
                    numbers.push(if matches!(self, Self::Whole) { 0 } else { NOWHERE });
                    ends.push(times.len() as u32);
                }
            }
            Self::Every(grid) => bucket_runs(times, *grid, numbers, ends),
            Self::Parts { grid, base, count, .. } => {
                bucket_runs(times, *grid, numbers, ends);
                numbers.iter_mut().for_each(|number| *number = part(*number, *base, *count));
            }
            Self::Edges(edges) => {
                edge_runs(times, edges, numbers, ends);
                let last = edges.len() as i64 - 1;
                numbers.iter_mut().filter(|number| **number < 0 || **number >= last).for_each(|n| *n = NOWHERE);
            }
            Self::Instants => {
                numbers.clear();
                ends.clear();
                for (row, time) in times.iter().enumerate() {
                    if numbers.last() == Some(time) {
                        ends.pop();
                    } else {
                        numbers.push(*time);
                    }
                    ends.push(row as u32 + 1);
                }
            }
        }
    }

    /// The bucket of a time; [`NOWHERE`] if none.
    pub(super) fn number(&self, time: i64) -> i64 {
        match self {
            Self::Whole => 0,
            Self::Points { .. } => NOWHERE,
            Self::Every(grid) => grid.bucket_of(time),
            Self::Parts { grid, base, count, .. } => part(grid.bucket_of(time), *base, *count),
            Self::Edges(edges) => match edges.partition_point(|edge| *edge <= time) {
                0 => NOWHERE,
                after if after == edges.len() => NOWHERE,
                after => after as i64 - 1,
            },
            Self::Instants => time,
        }
    }

    /// The time that stands for a bucket.
    pub(super) fn label(&self, number: i64) -> i64 {
        match self {
            Self::Whole => 0,
            Self::Every(grid) => grid.start_of(number).unwrap_or(i64::MIN),
            Self::Parts { grid, start, .. } => {
                start.saturating_add(number.saturating_mul(grid.width().saturating_add(1)))
            }
            Self::Points { start, .. } => start.saturating_add(number),
            Self::Edges(edges) => {
                usize::try_from(number).ok().and_then(|at| edges.get(at)).copied().unwrap_or(i64::MAX)
            }
            Self::Instants => number,
        }
    }

    /// The bucket that a [`label`](Self::label) stands for.
    pub(super) fn of_label(&self, label: i64) -> i64 {
        match self {
            Self::Parts { grid, start, .. } => label.saturating_sub(*start) / grid.width().saturating_add(1),
            Self::Points { start, .. } => label.saturating_sub(*start),
            _ => self.number(label),
        }
    }

    /// The first and last number of the buckets that meet `first..=last`; empty when the second is below the first.
    pub(super) fn span(&self, first: i64, last: i64) -> (i64, i64) {
        match self {
            Self::Parts { grid, base, count, .. } => (
                grid.bucket_of(first).saturating_sub(*base).max(0),
                grid.bucket_of(last).saturating_sub(*base).min(count - 1),
            ),
            Self::Points { count, .. } => (0, count - 1),
            Self::Edges(edges) => {
                let at = |time| edges.partition_point(|edge| *edge <= time) as i64 - 1;
                (at(first).max(0), at(last).min(edges.len() as i64 - 2))
            }
            _ => (self.number(first), self.number(last)),
        }
    }
}

fn part(number: i64, base: i64, count: i64) -> i64 {
    match number.checked_sub(base) {
        Some(part) if (0..count).contains(&part) => part,
        _ => NOWHERE,
    }
}
