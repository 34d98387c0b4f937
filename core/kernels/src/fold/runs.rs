//! Runs of rows, and which run of sorted times belongs to which bucket.

use std::ops::Range;

/// The rows of each run: run `i` ends before `ends[i]` and begins where the one before it ends, the first at 0. `ends`
/// never decreases; a run may be empty.
#[inline]
pub fn runs(ends: &[u32]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    ends.iter().map(move |&end| {
        let end = end as usize;
        std::mem::replace(&mut start, end)..end
    })
}

/// Buckets of one width: bucket `k` is `[k·width + offset, (k + 1)·width + offset)`, with `0 ≤ offset < width`. Every
/// instant has a bucket, and its number always fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    width: i64,
    offset: i64,
}

impl Grid {
    /// `origin` is the start of some bucket, of any number. `None` if the width is not positive.
    pub const fn new(width: i64, origin: i64) -> Option<Self> {
        if width > 0 { Some(Self { width, offset: origin.rem_euclid(width) }) } else { None }
    }

    pub const fn width(self) -> i64 {
        self.width
    }

    #[inline]
    pub const fn bucket_of(self, time: i64) -> i64 {
        // No overflow: a width of 1 has offset 0, and any other leaves room for the one below.
        let (whole, rest) = (time.div_euclid(self.width), time.rem_euclid(self.width));
        if rest < self.offset { whole - 1 } else { whole }
    }

    /// The first instant of a bucket; `None` if it is no `i64`: the bucket of the earliest instants may begin below.
    pub fn start_of(self, bucket: i64) -> Option<i64> {
        i64::try_from(self.edge(bucket.into())).ok()
    }

    /// The first instant after a bucket; `None` if it is no `i64`.
    pub fn end_of(self, bucket: i64) -> Option<i64> {
        i64::try_from(self.edge(i128::from(bucket) + 1)).ok()
    }

    fn edge(self, bucket: i128) -> i128 {
        bucket * i128::from(self.width) + i128::from(self.offset)
    }
}

/// Cuts sorted times, fewer than 2^32, into one run per bucket: the buckets' numbers and where each run ends. Both
/// vectors are cleared first. Runs are never empty; a bucket without times has none.
pub fn bucket_runs(times: &[i64], grid: Grid, buckets: &mut Vec<i64>, ends: &mut Vec<u32>) {
    buckets.clear();
    ends.clear();
    let (mut at, mut guess) = (0, 0);
    let mut bucket = 0;
    // The end of the bucket of the last run; none before the first.
    let mut last_end: Option<i64> = None;
    while let Some(&time) = times.get(at) {
        let bucket_end = match last_end.and_then(|end| end.checked_add(grid.width)) {
            // Dense times: the next bucket, without a division.
            Some(end) if time < end => {
                bucket += 1;
                Some(end)
            }
            _ => {
                bucket = grid.bucket_of(time);
                grid.end_of(bucket)
            }
        };
        let end = bucket_end.map_or(times.len(), |limit| run_end(times, at, limit, guess));
        buckets.push(bucket);
        ends.push(end as u32);
        guess = end - at;
        at = end;
        last_end = bucket_end;
    }
}

/// Cuts sorted times into runs by edges of one's own, as [`bucket_runs`] does: bucket `k` is `[edges[k], edges[k + 1])`.
/// Times before the first edge have bucket −1, those from the last edge on `edges.len() − 1`. Edges never decrease.
pub fn edge_runs(times: &[i64], edges: &[i64], buckets: &mut Vec<i64>, ends: &mut Vec<u32>) {
    buckets.clear();
    ends.clear();
    let (mut at, mut guess) = (0, 0);
    // Edges at or before the time at hand.
    let mut passed = 0;
    while let Some(&time) = times.get(at) {
        passed += edges[passed..].partition_point(|edge| *edge <= time);
        let end = edges.get(passed).map_or(times.len(), |limit| run_end(times, at, *limit, guess));
        buckets.push(passed as i64 - 1);
        ends.push(end as u32);
        guess = end - at;
        at = end;
    }
}

/// The first row after `from` whose time is not under `limit`; that of `from` is. `guess` is how long the run may be.
#[inline]
fn run_end(times: &[i64], from: usize, limit: i64, guess: usize) -> usize {
    let guessed = from + guess;
    if guess > 0 && times.get(guessed - 1).is_some_and(|time| *time < limit) {
        match times.get(guessed) {
            Some(time) if *time < limit => {}
            _ => return guessed,
        }
    }
    let (mut low, mut step) = (from, 1);
    while times.get(low + step).is_some_and(|time| *time < limit) {
        low += step;
        step *= 2;
    }
    let high = times.len().min(low + step);
    low + 1 + times[low + 1..high].partition_point(|time| *time < limit)
}
