//! The buckets of a query: how wide they are and where they begin.

use super::ast::{Rollup, Unit, Width};
use super::error::Error;
use crate::plan::Bucket;
use crate::time::{self, NANOS_PER_SEC, civil_from_days, days_from_civil};

/// The widths that are chosen among, in seconds.
const LADDER: [i64; 20] = [
    1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 43_200, 86_400, 172_800, 604_800, 2_592_000,
];
/// Buckets that a window has at most when no width is asked for, and when one is.
const BUCKETS: i64 = 300;
const MOST_BUCKETS: i64 = 1500;
const DAY: i64 = 86_400;

/// The buckets of one query. Times are seconds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grid {
    /// As the answer says it.
    pub(super) interval: i64,
    /// Begin of every bucket, and the end of the last, of a calendar unit.
    edges: Option<Vec<i64>>,
    /// Buckets begin at whole multiples of the interval, moved by so much.
    moved: i64,
}

impl Grid {
    /// The width for a window of `span` seconds. `least` is what one point stands for, where the answer is amounts.
    pub(super) fn width(span: i64, asked: Option<i64>, least: i64) -> i64 {
        let step = |from: i64, buckets: i64| {
            let fits = |step: &&i64| **step >= from && span <= step.saturating_mul(buckets);
            LADDER.iter().find(fits).copied()
        };
        let most = LADDER[LADDER.len() - 1];
        match asked {
            None => step(1, BUCKETS).unwrap_or(most).max(least),
            Some(asked) if asked >= step(1, BUCKETS).unwrap_or(most) => asked,
            Some(asked) if span <= asked.saturating_mul(MOST_BUCKETS) => asked,
            Some(asked) => step(asked, MOST_BUCKETS).unwrap_or(most),
        }
    }

    /// The buckets of a rollup over `[from, to)`, which is `moved` seconds away from what the answer shows. `reach` is how
    /// far beside the window values are looked for.
    pub(super) fn new(
        rollup: Option<&Rollup>,
        (from, to): (i64, i64),
        least: i64,
        reach: i64,
        moved: i64,
    ) -> Result<Self, Error> {
        let asked = match rollup.and_then(|rollup| rollup.width.as_ref()) {
            Some(Width::Calendar { unit, zone }) => {
                let zone = Zone::named(zone.as_deref().unwrap_or("UTC"))?;
                let mut edges = calendar(*unit, &zone, from.saturating_sub(reach), to.saturating_add(reach))?;
                edges.iter_mut().for_each(|edge| *edge += moved);
                let interval = match unit {
                    Unit::Day { .. } => DAY,
                    Unit::Week { .. } => 7 * DAY,
                    Unit::Month { .. } => 30 * DAY,
                };
                return Ok(Self { interval, edges: Some(edges), moved });
            }
            Some(Width::Secs(secs)) => Some(*secs),
            None => None,
        };
        let interval = Self::width(to - from, asked, least);
        Ok(Self { interval, edges: None, moved })
    }

    /// Buckets of so many seconds.
    pub(super) fn every(secs: i64, moved: i64) -> Self {
        Self { interval: secs.max(1), edges: None, moved }
    }

    pub(super) fn bucket(&self) -> Bucket {
        match &self.edges {
            Some(edges) => Bucket::Edges(edges.iter().map(|edge| nanos(*edge)).collect()),
            None => Bucket::Every { width: nanos(self.interval), origin: nanos(self.moved.rem_euclid(self.interval)) },
        }
    }

    /// The first and the last begin of a bucket in `[from, to)` of the answer, moved as all times are here; `None` when
    /// there is none.
    pub(super) fn span(&self, from: i64, to: i64) -> Option<(i64, i64)> {
        let (from, to) = (from.saturating_add(self.moved), to.saturating_add(self.moved));
        match &self.edges {
            Some(edges) => {
                let begins = &edges[..edges.len().saturating_sub(1)];
                let inside = |edge: &&i64| **edge >= from && **edge < to;
                Some((*begins.iter().find(inside)?, *begins.iter().rfind(inside)?))
            }
            None => {
                let origin = self.moved;
                let step = self.interval;
                let first = (from - origin).div_euclid(step) + i64::from((from - origin).rem_euclid(step) > 0);
                let last = (to - 1 - origin).div_euclid(step);
                (first <= last).then_some((first * step + origin, last * step + origin))
            }
        }
    }

    /// The end of the bucket that holds a time.
    pub(super) fn end_of(&self, time: i64) -> i64 {
        let after = self.edges.as_ref().and_then(|edges| edges.iter().find(|edge| **edge > time).copied());
        after.unwrap_or_else(|| time - (time - self.moved).rem_euclid(self.interval) + self.interval)
    }

    /// The same buckets, `by` seconds later.
    pub(super) fn shifted(&self, by: i64) -> Self {
        let edges = self.edges.as_ref().map(|edges| edges.iter().map(|edge| edge + by).collect());
        Self { interval: self.interval, edges, moved: self.moved + by }
    }
}

/// Seconds to nanoseconds, as far as there are any.
pub(super) fn nanos(secs: i64) -> i64 {
    secs.saturating_mul(NANOS_PER_SEC)
}

/// A time zone, asked in seconds.
#[derive(Clone, Debug)]
pub(super) struct Zone(time::Zone);

impl Zone {
    pub(super) fn named(name: &str) -> Result<Self, Error> {
        let zone = time::Zone::named(name);
        zone.map(Self).ok_or_else(|| Error::query(format!("there is no time zone {name:?}")))
    }

    /// Seconds to add to UTC.
    fn offset(&self, secs: i64) -> i64 {
        self.0.offset(nanos(secs)).into()
    }

    /// The instant of a local time, the earlier one of two.
    fn instant(&self, local: i64) -> i64 {
        let nanos = self.0.to_utc(i128::from(local) * i128::from(NANOS_PER_SEC));
        nanos.div_euclid(NANOS_PER_SEC.into()) as i64
    }

    /// A time whose local clock shows `shift` more than that of `secs`. Days of shorter months are cut.
    pub(super) fn shifted(&self, secs: i64, shift: Shift) -> Option<i64> {
        let local = secs + self.offset(secs);
        let (days, clock) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        let days = match shift {
            Shift::Days(by) => days.checked_add(by)?,
            Shift::Months(by) => {
                let (year, month, day) = civil_from_days(days);
                day_of_month(year * 12 + i64::from(month) - 1 + by, day)
            }
        };
        Some(self.instant(days.checked_mul(DAY)? + clock))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shift {
    Days(i64),
    Months(i64),
}

/// Days since the epoch of a day, at most the last, of a month counted from year 0.
fn day_of_month(month: i64, day: u32) -> i64 {
    let first = |month: i64| days_from_civil(month.div_euclid(12), month.rem_euclid(12) as u32 + 1, 1);
    let length = first(month + 1) - first(month);
    first(month) + (i64::from(day) - 1).min(length - 1)
}

/// Begins of units from the one that `from` is in to the one that ends after `to`.
fn calendar(unit: Unit, zone: &Zone, from: i64, to: i64) -> Result<Vec<i64>, Error> {
    const MOST_EDGES: usize = 100_000;
    let (local, until) = (from + zone.offset(from), to + zone.offset(to));
    let day = local.div_euclid(DAY);
    // 1970-01-01 was a Thursday.
    let (mut at, step): (i64, fn(i64) -> i64) = match unit {
        Unit::Day { .. } => (day - 1, |day| day + 1),
        Unit::Week { day: start } => (day - (day + 3 - i64::from(start)).rem_euclid(7) - 7, |day| day + 7),
        Unit::Month { .. } => {
            let (year, month, _) = civil_from_days(day);
            (year * 12 + i64::from(month) - 2, |month| month + 1)
        }
    };
    let mut edges = Vec::new();
    loop {
        let local = match unit {
            Unit::Day { hour } => at * DAY + i64::from(hour) * 3600,
            Unit::Week { .. } => at * DAY,
            Unit::Month { day } => day_of_month(at, day) * DAY,
        };
        edges.push(zone.instant(local));
        if local > until {
            return Ok(edges);
        }
        if edges.len() > MOST_EDGES {
            return Err(Error::query("the window has too many calendar buckets"));
        }
        at = step(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_of_the_published_table() {
        let hour = 3600;
        for (span, width) in [
            (200, 1),
            (600, 2),
            (1200, 5),
            (hour, 20),
            (4 * hour, 60),
            (24 * hour, 300),
            (48 * hour, 600),
            (7 * 24 * hour, 3600),
            (30 * 24 * hour, 14_400),
            (i64::MAX / 4, 2_592_000),
        ] {
            assert_eq!(Grid::width(span, None, 1), width, "{span}");
        }
        assert_eq!(Grid::width(60, None, 10), 10, "a point stands for ten seconds");
        assert_eq!(Grid::width(24 * hour, Some(60), 1), 60);
        assert_eq!(Grid::width(30 * 24 * hour, Some(60), 1), 1800);
        assert_eq!(Grid::width(600, Some(7), 1), 7);
        assert_eq!(Grid::width(600, Some(86_400), 1), 86_400);
    }

    #[test]
    fn buckets_begin_in_the_window() {
        let grid = |secs| {
            let rollup = Rollup { method: None, width: Some(Width::Secs(secs)) };
            Grid::new(Some(&rollup), (1, 1000), 1, 0, 0).unwrap()
        };
        assert_eq!(grid(60).span(60, 121), Some((60, 120)));
        assert_eq!(grid(60).span(61, 120), None);
        assert_eq!(grid(60).span(-61, 60), Some((-60, 0)));
        let moved = Grid { moved: -30, ..grid(60) };
        assert_eq!(moved.span(60, 121), Some((30, 90)));
        assert_eq!(moved.shifted(30).span(60, 121), Some((60, 120)));
    }

    #[test]
    fn calendar_units_begin_where_they_should() {
        let utc = Zone::named("UTC").unwrap();
        let of = |unit, from, to| calendar(unit, &utc, from, to).unwrap();
        // 2023-11-14T00:00Z is a Tuesday.
        let tuesday = 1_699_920_000;
        assert!(of(Unit::Day { hour: 6 }, tuesday, tuesday + DAY).contains(&(tuesday + 6 * 3600)));
        assert!(of(Unit::Week { day: 0 }, tuesday, tuesday + DAY).contains(&(tuesday - DAY)));
        assert!(of(Unit::Week { day: 3 }, tuesday, tuesday + DAY).contains(&(tuesday + 2 * DAY)));
        let months = of(Unit::Month { day: 31 }, tuesday, tuesday + 100 * DAY);
        let november = days_from_civil(2023, 11, 30) * DAY;
        let february = days_from_civil(2024, 2, 29) * DAY;
        assert!(months.contains(&november) && months.contains(&february));
        assert_eq!(utc.shifted(days_from_civil(2024, 3, 31) * DAY, Shift::Months(-1)), Some(february));
    }

    #[test]
    fn days_are_as_long_as_they_are_where_they_are() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let midnight = |year, month, day, ahead: i64| days_from_civil(year, month, day) * DAY - ahead * 3600;
        // Clocks go forward on 2024-03-31 and back on 2024-10-27.
        for (month, day, before, after) in [(3, 31, 1, 2), (10, 27, 2, 1)] {
            let (begin, end) = (midnight(2024, month, day, before), midnight(2024, month, day + 1, after));
            let days = calendar(Unit::Day { hour: 0 }, &berlin, begin, end).unwrap();
            assert!(days.windows(2).any(|pair| pair == [begin, end]), "{days:?}");
        }
        // 02:00 is skipped on the day clocks go forward: the bucket begins an hour later by the new clock.
        let two = calendar(Unit::Day { hour: 2 }, &berlin, midnight(2024, 3, 31, 1), midnight(2024, 3, 31, 2)).unwrap();
        assert!(two.contains(&(midnight(2024, 3, 31, 1) + 2 * 3600)), "{two:?}");
        let kolkata = Zone::named("Asia/Kolkata").unwrap();
        let days = calendar(Unit::Day { hour: 0 }, &kolkata, 0, DAY).unwrap();
        assert!(days.contains(&(DAY - 19_800)), "{days:?}");
        let noon = |day, ahead| midnight(2024, 3, day, ahead) + 12 * 3600;
        assert_eq!(berlin.shifted(noon(31, 2), Shift::Days(-1)), Some(noon(30, 1)), "noon stays noon");
        assert!(Zone::named("Mars/Olympus").is_err());
    }
}
