//! Groups followed along time.

use super::bucket::Buckets;
use super::cursor::{Header, Source};
use super::exact_sum::ExactSum;
use super::pool::reached;
use super::rank::measured;
use super::table::Table;
use super::tables::{self, TablesSource, float_header};
use crate::model::column::Values;
use crate::plan::{Along, Bucket, Each, Function, Reach, Smoothing, UNTIL};
use crate::time::NANOS_PER_SEC;
use std::sync::Arc;

pub(super) mod fit;
#[cfg(test)]
mod tests;

pub(super) fn source(input: Arc<dyn Source>, along: Along) -> Arc<dyn Source> {
    let groups: Vec<Header> = input.groups().iter().map(float_header).collect();
    let until = groups.first().and_then(|header| header.columns.iter().position(|column| column.name == UNTIL));
    Arc::new(TablesSource::new(vec![input], groups, Box::new(Followed { along, until })))
}

struct Followed {
    along: Along,
    /// The column of instants, the same in all groups.
    until: Option<usize>,
}

impl tables::Work for Followed {
    fn run(&self, inputs: Vec<Vec<Table>>) -> Vec<Table> {
        let tables = inputs.into_iter().next().unwrap_or_default();
        tables.into_iter().map(|table| self.follow(table)).collect()
    }
}

impl Followed {
    fn follow(&self, mut table: Table) -> Table {
        match &self.along {
            Along::Shift(by) => {
                table.times.iter_mut().for_each(|time| *time = time.saturating_add(*by));
                if let Some(Values::Integer(until)) =
                    self.until.and_then(|at| Some(&mut table.columns.get_mut(at)?.values))
                {
                    until.iter_mut().for_each(|time| *time = time.saturating_add(*by));
                }
                let numbers = tables::first(&table);
                tables::with_first(table, numbers)
            }
            Along::Spread { bucket, first, last, reach, otherwise } => {
                spread(&table, bucket, *first, *last, *reach, *otherwise)
            }
            Along::Measured { measure, width_secs, at } => {
                let mut out = table.emptied();
                let value = measured(*measure, *width_secs, &tables::first(&table));
                if value.is_some() {
                    out.times.push(*at);
                    for (column, from) in out.columns.iter_mut().zip(&table.columns).skip(1) {
                        column.push(from.len().checked_sub(1).and_then(|last| from.get(last)));
                    }
                }
                tables::with_first(out, value.into_iter().collect())
            }
            along => {
                let numbers = numbers_along(along, &table.times, &tables::first(&table));
                tables::with_first(table, numbers)
            }
        }
    }
}

/// A row for every bucket.
fn spread(table: &Table, bucket: &Bucket, first: i64, last: i64, reach: Reach, otherwise: f64) -> Table {
    let mut out = table.emptied();
    if table.len() == 0 {
        return out;
    }
    let numbers = tables::first(table);
    let there: Vec<(i64, f64)> =
        table.times.iter().copied().zip(numbers).filter(|(_, number)| !number.is_nan()).collect();
    let buckets = Buckets::new(bucket, 0);
    let (from, to) = buckets.span(first, last);
    let (mut next, mut filled) = (0, Vec::new());
    for number in from..=to {
        let time = buckets.label(number);
        if time < first || time > last {
            continue;
        }
        while there.get(next).is_some_and(|(own, _)| *own < time) {
            next += 1;
        }
        let before = next.checked_sub(1).map(|before| there[before]);
        let value = match there.get(next) {
            Some((own, value)) if *own == time => *value,
            after => reached(time, before, after.copied(), reach),
        };
        out.times.push(time);
        filled.push(if value.is_nan() { otherwise } else { value });
    }
    for (column, from) in out.columns.iter_mut().zip(&table.columns).skip(1) {
        let value = (!from.is_empty()).then(|| from.get(0)).flatten();
        out.times.iter().for_each(|_| column.push(value));
    }
    tables::with_first(out, filled)
}

/// What becomes of values at some times; NaN is absence on both sides. Those that make rows leave values as they are.
pub(super) fn numbers_along(along: &Along, times: &[i64], values: &[f64]) -> Vec<f64> {
    if let Along::Each(each) = along {
        return values.iter().map(|value| of_each(*each, *value)).collect();
    }
    // All others see the values that are there, and put something in their places.
    let rows: Vec<u32> = (0..values.len() as u32).filter(|row| !values[*row as usize].is_nan()).collect();
    let there: Vec<f64> = rows.iter().map(|row| values[*row as usize]).collect();
    let when: Vec<i64> = rows.iter().map(|row| times[*row as usize]).collect();
    let changed = along_present(along, &when, &there);
    let mut out = vec![f64::NAN; values.len()];
    for (row, value) in rows.iter().zip(changed) {
        out[*row as usize] = if value.is_finite() { value } else { f64::NAN };
    }
    out
}

fn of_each(each: Each, value: f64) -> f64 {
    let value = match each {
        Each::Abs => value.abs(),
        Each::Log2 | Each::Log10 if value <= 0.0 => f64::NAN,
        Each::Log2 => libm::log2(value),
        Each::Log10 => libm::log10(value),
        Each::Ceil => value.ceil(),
        Each::Floor => value.floor(),
        Each::Round => value.round(),
        // An absent value is the bound, as `f64::max` has it.
        Each::AtLeast(bound) => value.max(bound),
        Each::AtMost(bound) => value.min(bound),
        Each::DropBelow(bound) if value < bound => f64::NAN,
        Each::DropAbove(bound) if value > bound => f64::NAN,
        Each::DropZero if value == 0.0 => f64::NAN,
        Each::DropBelow(_) | Each::DropAbove(_) | Each::DropZero => value,
        Each::With { op, number, first: true } => op.apply(number, value),
        Each::With { op, number, first: false } => op.apply(value, number),
    };
    if value.is_finite() { value } else { f64::NAN }
}

fn secs(nanos: i64) -> f64 {
    nanos as f64 / NANOS_PER_SEC as f64
}

fn along_present(along: &Along, times: &[i64], values: &[f64]) -> Vec<f64> {
    let mut out = Vec::with_capacity(values.len());
    match along {
        Along::Change { per, rising } => {
            for (at, value) in values.iter().enumerate() {
                let changed = at.checked_sub(1).map_or(f64::NAN, |before| {
                    let change = value - values[before];
                    let over = per.map_or(1.0, |per| secs(times[at] - times[before]) / secs(per));
                    if *rising && change < 0.0 { f64::NAN } else { change / over }
                });
                out.push(changed);
            }
        }
        Along::Total => {
            let mut sum = ExactSum::ZERO;
            for value in values {
                sum.add(*value);
                out.push(sum.round());
            }
        }
        Along::Area => {
            let mut area = ExactSum::ZERO;
            for (at, value) in values.iter().enumerate() {
                if let Some(before) = at.checked_sub(1) {
                    area.add(secs(times[at] - times[before]) * value);
                }
                out.push(area.round());
            }
        }
        Along::Elapsed => {
            for at in 0..values.len() {
                out.push(at.checked_sub(1).map_or(f64::NAN, |before| secs(times[at] - times[before])));
            }
        }
        Along::Moving { width, function } => {
            let mut from = 0;
            for (at, time) in times.iter().enumerate() {
                while times[from] <= time.saturating_sub(*width) && from < at {
                    from += 1;
                }
                out.push(of_window(*function, &values[from..=at]));
            }
        }
        Along::MovingCount { count, function } => {
            for at in 0..values.len() {
                let window = &values[(at + 1).saturating_sub((*count).max(1))..=at];
                out.push(match function {
                    Smoothing::Mean => of_window(Function::Mean, window),
                    Smoothing::Median => fit::median(&mut window.to_vec()),
                });
            }
        }
        Along::Exponential { span } => {
            let alpha = 2.0 / (f64::from(*span) + 1.0);
            let mut last: Option<f64> = None;
            for value in values {
                let next = last.map_or(*value, |last| alpha * value + (1.0 - alpha) * last);
                last = Some(next);
                out.push(next);
            }
        }
        Along::Smooth => return fit::smoothed(values),
        Along::Line { robust } => return fit::line(times, values, *robust),
        Along::Steps => return fit::steps(values),
        Along::Each(_) | Along::Shift(_) | Along::Spread { .. } | Along::Measured { .. } => return values.to_vec(),
    }
    out
}

/// A function over some values, at least one.
fn of_window(function: Function, values: &[f64]) -> f64 {
    match function {
        Function::Count => values.len() as f64,
        Function::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
        Function::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Function::First => values.first().copied().unwrap_or(f64::NAN),
        Function::Last => values.last().copied().unwrap_or(f64::NAN),
        Function::Sum => fit::sum(values.iter().copied()),
        _ => fit::sum(values.iter().copied()) / values.len() as f64,
    }
}
