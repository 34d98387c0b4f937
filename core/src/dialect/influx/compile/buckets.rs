//! `GROUP BY time(…)`: buckets of equal width, of local time, of the calendar.

use super::super::ast::{Select, Source};
use super::super::error::StatementError;
use super::time::interval;
use super::{Bounds, Compiler, Interval};
use crate::exec::QueryError;
use crate::extent::FULL;
use crate::plan::Bucket;
use crate::time::{NANOS_PER_SEC, Timestamp, Zone, civil_from_days, days_from_civil};

/// Buckets of a query that names no limit of its own: their edges are listed.
const MOST_EDGES: u64 = 1 << 22;

impl Compiler<'_> {
    pub(super) fn bucket(&self, bounds: Bounds) -> Result<Bucket, StatementError> {
        let Some(interval) = self.interval else { return Ok(Bucket::Whole) };
        let zone = self.zone.as_deref();
        if zone.is_none() && interval.months == 0 {
            return Ok(Bucket::Every { width: interval.width, origin: interval.offset });
        }
        if !FULL {
            return Err(QueryError::Beyond.into());
        }
        let first = bounds.min.unwrap_or_else(|| self.first_instant());
        let last = bounds.max.unwrap_or_else(|| self.context.now.nanos()).max(first);
        let allowed = match self.context.limits.max_select_buckets {
            0 => MOST_EDGES,
            allowed => allowed.saturating_add(2),
        };
        let (mut start, mut end) = window(interval, zone, first.into());
        let mut edges = self.edges_before(start, interval, zone, first)?;
        loop {
            edges.push(clamped(start));
            if end > i128::from(last) {
                edges.push(clamped(end));
                return Ok(Bucket::Edges(edges));
            }
            if edges.len() as u64 > allowed {
                return Err(StatementError::Buckets { asked: edges.len() as u64, allowed });
            }
            let next = window(interval, zone, end);
            // A clock that is put back makes a bucket longer, never one that begins before the last.
            (start, end) = (end.max(next.0), next.1.max(end + 1));
        }
    }

    /// The edges below `start` between which rows of subqueries may lie: the first bucket of a subquery begins before the
    /// range. Ascending.
    fn edges_before(
        &self,
        start: i128,
        interval: Interval,
        zone: Option<&Zone>,
        first: i64,
    ) -> Result<Vec<i64>, StatementError> {
        let mut reach = 0;
        for inner in &self.schema.subqueries {
            reach = reach.max(self.reach(inner, interval)?);
        }
        let lowest = i128::from(first) - reach;
        let (mut edges, mut edge) = (Vec::new(), start);
        while edge > lowest && reach > 0 {
            if edges.len() as u64 > MOST_EDGES {
                return Err(StatementError::Buckets { asked: edges.len() as u64, allowed: MOST_EDGES });
            }
            edge = window(interval, zone, edge - 1).0.min(edge - 1);
            edges.push(clamped(edge));
        }
        edges.reverse();
        Ok(edges)
    }

    /// How far before the range rows of a subquery may lie: its buckets and, if it has subqueries, theirs. A bucket of
    /// the calendar or of a day on which clocks are changed is up to an eighth longer than its width.
    fn reach(&self, select: &Select, outer: Interval) -> Result<i128, StatementError> {
        let own = interval(&select.dimensions, self.context.now)?.unwrap_or(outer);
        let mut inside = 0;
        for source in &select.sources {
            if let Source::Subquery(inner) = source {
                inside = inside.max(self.reach(inner, own)?);
            }
        }
        let width = i128::from(own.width);
        Ok(inside + width + width / 8)
    }

    /// Where the data begins, about.
    fn first_instant(&self) -> i64 {
        let mut first = self.context.now.nanos();
        for database in self.context.snapshot.databases.iter() {
            for shard in database.policies.iter().flat_map(|policy| &policy.shards) {
                first = first.min(shard.range.min);
            }
        }
        first
    }
}

fn clamped(nanos: i128) -> i64 {
    nanos.clamp(Timestamp::MIN.nanos().into(), Timestamp::MAX.nanos().into()) as i64
}

/// The bucket of an instant: its start and its end.
fn window(interval: Interval, zone: Option<&Zone>, time: i128) -> (i128, i128) {
    let (width, offset) = (i128::from(interval.width), i128::from(interval.offset));
    let east = |time: i128| zone.map_or(0, |zone| i128::from(zone.offset(clamped(time))) * i128::from(NANOS_PER_SEC));
    let time = time - offset;
    if interval.months > 0 {
        let month = |number: i64| {
            let local = i128::from(days_from_civil(number.div_euclid(12), number.rem_euclid(12) as u32 + 1, 1))
                * i128::from(24 * 3600 * NANOS_PER_SEC);
            zone.map_or(local, |zone| zone.to_utc(local)) + offset
        };
        let local = time + east(time);
        let (year, number, _) = civil_from_days(local.div_euclid(i128::from(24 * 3600 * NANOS_PER_SEC)) as i64);
        let months = i64::from(interval.months);
        let first = (year * 12 + i64::from(number) - 1).div_euclid(months) * months;
        return (month(first), month(first + months));
    }
    let here = east(time);
    let into = (time + here).rem_euclid(width);
    let mut start = time - into + offset;
    let moved = here - east(start);
    // A change of clocks bends buckets that are longer than it.
    if moved.abs() < width {
        start += moved;
    }
    let mut end = time + width - into + offset;
    let there = east(end);
    let moved = here - there;
    // What is skipped belongs to the next bucket, what comes twice to this one.
    if moved != 0 && moved.abs() < width && (moved > 0 || east(end + moved) == there) {
        end += moved;
    }
    (start, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_local_and_months_are_of_the_calendar() {
        let hour = 3600 * NANOS_PER_SEC;
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let day = Interval { width: 24 * hour, offset: 0, months: 0 };
        // 2023-03-26 is an hour short.
        let (start, end) = window(day, Some(&berlin), 1_679_800_000 * 1_000_000_000);
        assert_eq!((end - start) / i128::from(hour), 23);
        let minutes = Interval { width: hour / 2, offset: 0, months: 0 };
        let (start, end) = window(minutes, Some(&berlin), 1_679_792_400 * 1_000_000_000);
        assert_eq!((end - start) / i128::from(hour / 2), 1);
        let month = Interval { width: 1, offset: 0, months: 1 };
        let (start, end) = window(month, None, 1_677_628_800 * 1_000_000_000);
        assert_eq!(((end - start) / i128::from(24 * hour), start), (31, 1_677_628_800 * 1_000_000_000));
        let year = Interval { months: 12, ..month };
        let (start, end) = window(year, None, 1_677_628_800 * 1_000_000_000);
        assert_eq!(((end - start) / i128::from(24 * hour), start / 1_000_000_000), (365, 1_672_531_200));
    }
}
