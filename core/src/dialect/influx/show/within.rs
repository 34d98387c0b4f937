//! Whether a series has points in a range of time, from what is in memory: chunks and the entries of blocks.

use crate::index::SeriesId;
use crate::store::snapshot::{Database, Run, Shard, mask_of};
use crate::time::TimeRange;

/// Exact, but for a block of irregular times that begins before the range and ends after it: it counts as having some.
/// What cannot be read does too, so that the query that reads it says what is wrong.
pub(super) fn has_points(database: &Database, series: SeriesId, range: TimeRange) -> bool {
    let mut shards = database.policies.iter().flat_map(|policy| policy.shards_in(range));
    shards.any(|shard| in_shard(shard, series, range))
}

fn in_shard(shard: &Shard, series: SeriesId, range: TimeRange) -> bool {
    let Ok(runs) = shard.runs(series) else { return true };
    runs.iter().any(|run| match run {
        Run::Chunk(chunk) => chunk.times.iter().any(|time| range.contains(*time)),
        Run::Block { entry, masks, .. } if !masks.is_empty() => {
            let left = entry.columns.iter().filter(|column| mask_of(masks, column).is_some());
            left.map(|column| TimeRange::new(column.first_time, column.last_time)).any(|extent| extent.overlaps(range))
        }
        Run::Block { entry, .. } => {
            let whole = entry.time_range();
            let begins_or_ends_inside = range.contains(whole.min) || range.contains(whole.max);
            begins_or_ends_inside || whole.covers(range) && step_inside(whole.min, entry.step, range)
        }
    })
}

/// Whether one of `first`, `first + step`, … is in the range, which begins later.
fn step_inside(first: i64, step: Option<u64>, range: TimeRange) -> bool {
    let Some(step) = step.map(i128::from).filter(|step| *step > 0) else { return true };
    let (first, min) = (i128::from(first), i128::from(range.min));
    let next = first + (min - first + step - 1).div_euclid(step) * step;
    next <= i128::from(range.max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_fall_into_a_range_or_over_it() {
        let inside = |min, max| step_inside(0, Some(10), TimeRange::new(min, max));
        assert!(inside(1, 10) && inside(10, 10) && inside(5, 25));
        assert!(!inside(1, 9) && !inside(11, 19));
        assert!(step_inside(0, None, TimeRange::new(1, 2)), "irregular times are not known");
    }
}
