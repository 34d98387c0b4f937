//! Buckets of rows to points or values, one bucket in memory at a time.

use super::accumulate::rank;
use super::bucket::{Buckets, NOWHERE};
use super::cursor::{ColumnDef, Lease, Rows};
use super::table::{Table, cast};
use super::task::QueryError;
use super::walk::{Walk, field_type};
use crate::hash::Map;
use crate::order::sort_by;
use crate::plan::{Reduce, Reducer, ReportedTime, Scalar};
use crate::value::{FieldType, Value};

/// See [`Reduce`].
pub(super) struct Reducing {
    reducer: Reducer,
    time: ReportedTime,
    buckets: Buckets,
    descending: bool,
    /// The columns that are kept: the argument, those carried, then those of [`Reducer::Extreme`]'s `per`.
    columns: Vec<usize>,
    carried: usize,
    /// The bucket of the rows kept.
    bucket: i64,
    kept: Table,
    row_bytes: usize,
}

impl Reducing {
    pub(super) fn new(reduce: &Reduce, input: &[ColumnDef], descending: bool) -> Self {
        let mut columns = vec![reduce.argument];
        columns.extend(reduce.carried.iter().map(|(column, _)| *column));
        if let Reducer::Extreme { per, .. } = &reduce.reducer {
            columns.extend(per);
        }
        let named = |at: &usize| ColumnDef { name: String::new(), field_type: field_type(input, *at) };
        let kept: Vec<ColumnDef> = columns.iter().map(named).collect();
        Self {
            reducer: reduce.reducer.clone(),
            time: reduce.time,
            buckets: Buckets::new(&reduce.bucket, 0),
            descending,
            columns,
            carried: reduce.carried.len(),
            bucket: NOWHERE,
            row_bytes: super::table::row_bytes(&kept),
            kept: Table::new(&kept),
        }
    }

    fn close_bucket(&mut self, out: &mut Table) {
        if self.kept.len() == 0 {
            return;
        }
        if self.descending {
            let backwards: Vec<u32> = (0..self.kept.len() as u32).rev().collect();
            let mut ascending = self.kept.emptied();
            ascending.gather(&self.kept.rows(), &backwards);
            self.kept = ascending;
        }
        let label = match self.time {
            ReportedTime::Fixed(time) => time,
            _ => self.buckets.label(self.bucket),
        };
        let found = outcome(&self.reducer, &self.kept, 1 + self.carried, self.descending);
        let rows = self.kept.rows();
        match found {
            Outcome::Value(value) => {
                out.times.push(label);
                let mut columns = out.columns.iter_mut();
                if let Some(column) = columns.next() {
                    column.push(value.as_ref().map(Scalar::as_value));
                }
                columns.for_each(|column| column.push(None));
            }
            Outcome::Points(points) => {
                let selected = self.time == ReportedTime::Selected;
                out.times.extend(points.iter().map(|row| if selected { rows.times[*row as usize] } else { label }));
                for (column, view) in out.columns.iter_mut().zip(&rows.columns) {
                    super::table::gather(column, *view, &points);
                }
            }
        }
        self.kept.clear();
    }
}

impl Walk for Reducing {
    fn rows(&mut self, rows: &Rows<'_>, out: &mut Table, lease: &mut Lease) -> Result<(), QueryError> {
        let views: Vec<_> = self
            .columns
            .iter()
            .map(|at| rows.columns.get(*at).copied().unwrap_or(super::cursor::View::Absent))
            .collect();
        let argument = views[0];
        let mut at = rows.from;
        while at < rows.to {
            let bucket = self.buckets.number(rows.times[at]);
            let mut chosen = Vec::new();
            while at < rows.to && self.buckets.number(rows.times[at]) == bucket {
                if argument.get(at).is_some() {
                    chosen.push(at as u32);
                }
                at += 1;
            }
            if bucket == NOWHERE {
                continue;
            }
            if bucket != self.bucket {
                self.close_bucket(out);
                lease.release();
                self.bucket = bucket;
            }
            lease.grow(chosen.len() * self.row_bytes)?;
            self.kept.gather(&Rows { columns: views.clone(), ..rows.clone() }, &chosen);
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Table, _: &mut Lease) -> Result<(), QueryError> {
        self.close_bucket(out);
        Ok(())
    }
}

/// What a bucket comes to: rows of it, in the order they leave, or a value.
enum Outcome {
    Points(Vec<u32>),
    Value(Option<Scalar>),
}

/// `kept` has rows, ascending; `per`: its first column of those that [`Reducer::Extreme`] tells points apart by.
fn outcome(reducer: &Reducer, kept: &Table, per: usize, descending: bool) -> Outcome {
    let values = &kept.columns[0].values;
    let value = |row: u32| values.get(row as usize);
    let number = |row: u32| match cast(value(row), FieldType::Float) {
        Some(Value::Float(value)) => value,
        _ => f64::NAN,
    };
    let rows = kept.len() as u32;
    let sorted = || {
        let mut order: Vec<u32> = (0..rows).collect();
        // Rows are in time order already, and the sort is stable.
        sort_by(&mut order, |a, b| rank(value(*a), value(*b)));
        order
    };
    let in_direction = |mut points: Vec<u32>| {
        if descending {
            points.reverse();
        }
        Outcome::Points(points)
    };
    let float = |value: f64| Outcome::Value(Some(Scalar::Float(crate::value::canonical(value))));
    match reducer {
        Reducer::Median => {
            let order = sorted();
            let upper = order[order.len() / 2];
            if order.len() % 2 == 1 {
                return float(number(upper));
            }
            let lower = order[order.len() / 2 - 1];
            let between = match (value(lower), value(upper)) {
                (Value::Integer(low), Value::Integer(high)) => high.wrapping_sub(low) as f64,
                (Value::Unsigned(low), Value::Unsigned(high)) => high.wrapping_sub(low) as f64,
                _ => number(upper) - number(lower),
            };
            float(number(lower) + between / 2.0)
        }
        Reducer::Stddev => {
            if rows < 2 {
                return float(f64::NAN);
            }
            let (mut mean, mut seen) = (0.0, 0.0);
            for row in 0..rows {
                seen += 1.0;
                mean += (number(row) - mean) / seen;
            }
            let mut variance = 0.0;
            for row in 0..rows {
                let apart = number(row) - mean;
                variance += apart * apart;
            }
            float((variance / (seen - 1.0)).sqrt())
        }
        Reducer::Mode => Outcome::Value(Some(value(mode(&sorted(), kept)).into())),
        Reducer::CountDistinct => Outcome::Value(Some(Scalar::Integer(first_of_each(&sorted(), kept).len() as i64))),
        Reducer::Distinct => {
            let mut points = first_of_each(&sorted(), kept);
            sort_by(&mut points, |a, b| {
                let times = kept.times[*a as usize].cmp(&kept.times[*b as usize]);
                times.then_with(|| rank(value(*a), value(*b)))
            });
            in_direction(points)
        }
        Reducer::Percentile(percent) => {
            let at = libm::floor(f64::from(rows) * percent / 100.0 + 0.5) - 1.0;
            let found = if at >= 0.0 { sorted().get(at as usize).copied() } else { None };
            Outcome::Points(found.into_iter().collect())
        }
        Reducer::Extreme { greatest, count, per: keys } => {
            let mut order = sorted();
            if *greatest {
                // The earlier of equal ones stays first.
                sort_by(&mut order, |a, b| rank(value(*b), value(*a)).then(a.cmp(b)));
            }
            if !keys.is_empty() {
                let mut seen: Map<Vec<String>, ()> = Map::default();
                order.retain(|row| {
                    // A tag that is missing is an empty one.
                    let text = |column: &crate::model::Column| match column.get(*row as usize) {
                        Some(Value::String(text)) => text.to_owned(),
                        _ => String::new(),
                    };
                    seen.insert(kept.columns[per..].iter().map(text).collect(), ()).is_none()
                });
            }
            order.truncate(usize::try_from(*count).unwrap_or(usize::MAX));
            sort_by(&mut order, |a, b| {
                let order = kept.times[*a as usize].cmp(&kept.times[*b as usize]);
                if descending { order.reverse() } else { order }
            });
            Outcome::Points(order)
        }
        Reducer::Sample(count) => {
            let mut order: Vec<(u64, u32)> =
                (0..rows).map(|row| (scattered(kept.times[row as usize], row), row)).collect();
            sort_by(&mut order, |a, b| a.cmp(b));
            order.truncate(usize::try_from(*count).unwrap_or(usize::MAX));
            let mut points: Vec<u32> = order.into_iter().map(|(_, row)| row).collect();
            sort_by(&mut points, |a, b| a.cmp(b));
            in_direction(points)
        }
    }
}

/// The first row of each value, of rows sorted by value.
fn first_of_each(order: &[u32], kept: &Table) -> Vec<u32> {
    let mut first: Vec<u32> = Vec::new();
    for row in order {
        let values = &kept.columns[0].values;
        let same = |last: &u32| rank(values.get(*last as usize), values.get(*row as usize)).is_eq();
        if !first.last().is_some_and(same) {
            first.push(*row);
        }
    }
    first
}

/// The first row of the most frequent value, of rows sorted by value and then by time. Of values that repeat equally
/// often it is the one met first, of truths the true one; where none repeats, the least.
fn mode(order: &[u32], kept: &Table) -> u32 {
    let values = &kept.columns[0].values;
    let time = |row: u32| kept.times[row as usize];
    let truths = values.field_type() == FieldType::Boolean;
    let (mut best, mut best_count) = (order[0], 0);
    let (mut first, mut count) = (order[0], 0);
    for row in order {
        if rank(values.get(*row as usize), values.get(first as usize)).is_ne() {
            (first, count) = (*row, 0);
        }
        count += 1;
        // False is sorted before true.
        let preferred = truths || count > 1 && time(first) < time(best);
        if count > best_count || count == best_count && preferred {
            (best, best_count) = (first, count);
        }
    }
    best
}

/// A number that tells nothing of the order of rows.
fn scattered(time: i64, row: u32) -> u64 {
    let mut bits = (time as u64) ^ u64::from(row).rotate_left(32);
    for factor in [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
        bits = (bits ^ bits >> 30).wrapping_mul(factor);
    }
    bits ^ bits >> 31
}
