//! Rows to rows that depend on those before them.

mod analysis;
mod holt_winters;

use super::bucket::Buckets;
use super::cursor::{Lease, Rows, View};
use super::table::{Table, cast};
use super::task::QueryError;
use super::walk::Walk;
use crate::limits::Exceeded;
use crate::plan::{Transform, Transformer};
use crate::value::{FieldType, Value, canonical};
use analysis::Analysing;
use std::collections::VecDeque;

/// See [`Transform`].
pub(super) struct Transforming {
    argument: usize,
    state: State,
}

/// Rows that Holt and Winters fit to, missing ones too: it takes as long as thousands of passes over them.
const MOST_FITTED: u64 = 10_000;

/// A number, or for `Elapsed` anything.
type Number = Value<'static>;

enum State {
    Derivative { last: Option<(i64, Number)>, unit: f64, non_negative: bool },
    Difference { last: Option<(i64, Number)>, non_negative: bool },
    CumulativeSum(Number),
    MovingAverage { window: VecDeque<Number>, sum: Number, count: usize },
    Elapsed { last: Option<i64>, unit: i64 },
    Integral(Integral),
    HoltWinters { rows: Vec<(i64, f64)>, with: crate::plan::HoltWinters },
    Analysis(Analysing),
}

impl Transforming {
    pub(super) fn new(transform: &Transform, argument: FieldType, descending: bool) -> Self {
        let zero = match argument {
            FieldType::Integer => Value::Integer(0),
            FieldType::Unsigned => Value::Unsigned(0),
            _ => Value::Float(0.0),
        };
        let state = match &transform.transformer {
            Transformer::Derivative { unit, non_negative } => {
                State::Derivative { last: None, unit: *unit as f64, non_negative: *non_negative }
            }
            Transformer::Difference { non_negative } => State::Difference { last: None, non_negative: *non_negative },
            Transformer::CumulativeSum => State::CumulativeSum(zero),
            Transformer::MovingAverage(count) => {
                let count = usize::try_from(*count).unwrap_or(usize::MAX).max(1);
                State::MovingAverage { window: VecDeque::new(), sum: zero, count }
            }
            Transformer::Elapsed { unit } => State::Elapsed { last: None, unit: (*unit).max(1) },
            Transformer::Integral { unit, bucket, start } => State::Integral(Integral {
                whole: *start,
                buckets: bucket.as_ref().map(|bucket| Buckets::new(bucket, 0)),
                unit: *unit as f64,
                descending,
                at: None,
                last: None,
                sum: 0.0,
            }),
            Transformer::HoltWinters(with) => State::HoltWinters { rows: Vec::new(), with: *with },
            Transformer::Analysis(analysis) => State::Analysis(Analysing::new(*analysis)),
        };
        Self { argument: transform.argument, state }
    }
}

impl Walk for Transforming {
    fn rows(&mut self, rows: &Rows<'_>, out: &mut Table, lease: &mut Lease) -> Result<(), QueryError> {
        let view = rows.columns.get(self.argument).copied().unwrap_or(View::Absent);
        match &self.state {
            State::HoltWinters { .. } => lease.grow(rows.len() * 16)?,
            State::MovingAverage { window, count, .. } if window.len() < *count => {
                lease.grow(rows.len().min(*count) * size_of::<Number>())?;
            }
            _ => {}
        }
        let Some(column) = out.columns.first_mut() else { return Ok(()) };
        for row in rows.from..rows.to {
            let Some(value) = view.get(row) else { continue };
            let value = match value {
                Value::Float(value) => Value::Float(value),
                Value::Integer(value) => Value::Integer(value),
                Value::Unsigned(value) => Value::Unsigned(value),
                Value::Boolean(_) | Value::String(_) => Value::Boolean(false),
            };
            if let Some((time, value)) = self.state.step(rows.times[row], value) {
                out.times.push(time);
                column.push(Some(value));
            }
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Table, lease: &mut Lease) -> Result<(), QueryError> {
        let Some(column) = out.columns.first_mut() else { return Ok(()) };
        let mut push = |time: i64, value: f64| {
            out.times.push(time);
            column.push(Some(Value::Float(canonical(value))));
        };
        match &mut self.state {
            State::Integral(integral) => {
                if let Some((time, value)) = integral.finish() {
                    push(time, value);
                }
            }
            State::HoltWinters { rows, with } => {
                let span = rows.first().zip(rows.last()).map_or(0, |(first, last)| last.0.abs_diff(first.0));
                let places = span / with.interval.unsigned_abs().max(1);
                if places >= MOST_FITTED {
                    let (asked, allowed) = (places.saturating_add(1), MOST_FITTED);
                    return Err(Exceeded { limit: "holt-winters-rows", asked, allowed }.into());
                }
                lease.grow(holt_winters::bytes(usize::try_from(places).unwrap_or(usize::MAX), *with))?;
                for (time, value) in holt_winters::forecast(rows, *with) {
                    push(time, value);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl State {
    fn step(&mut self, time: i64, value: Number) -> Option<(i64, Number)> {
        let float = |value: f64| Some((time, Value::Float(canonical(value))));
        match self {
            Self::Derivative { last, unit, non_negative } => {
                let (before, from) = match *last {
                    Some((before, _)) if before == time => return None,
                    Some(last) => last,
                    None => {
                        *last = Some((time, value));
                        return None;
                    }
                };
                *last = Some((time, value));
                let change = change_as_float(from, value);
                if *non_negative && change < 0.0 {
                    return None;
                }
                float(change / (time.abs_diff(before) as f64 / *unit))
            }
            Self::Difference { last, non_negative } => {
                let from = match *last {
                    Some((before, _)) if before == time => return None,
                    Some((_, from)) => from,
                    None => {
                        *last = Some((time, value));
                        return None;
                    }
                };
                *last = Some((time, value));
                if *non_negative && change_as_float(from, value) < 0.0 {
                    return None;
                }
                Some((time, minus(value, from)))
            }
            Self::CumulativeSum(sum) => {
                *sum = plus(*sum, value);
                Some((time, *sum))
            }
            Self::MovingAverage { window, sum, count } => {
                if window.len() == *count
                    && let Some(oldest) = window.pop_front()
                {
                    *sum = minus(*sum, oldest);
                }
                window.push_back(value);
                *sum = plus(*sum, value);
                if window.len() < *count {
                    return None;
                }
                float(as_float(*sum) / *count as f64)
            }
            Self::Elapsed { last, unit } => {
                let before = last.replace(time)?;
                Some((time, Value::Integer(time.wrapping_sub(before) / *unit)))
            }
            Self::Integral(integral) => {
                let told = integral.step(time, as_float(value));
                told.map(|(time, sum)| (time, Value::Float(canonical(sum))))
            }
            Self::HoltWinters { rows, .. } => {
                rows.push((time, as_float(value)));
                None
            }
            Self::Analysis(analysing) => analysing.step(as_float(value)).and_then(float),
        }
    }
}

fn as_float(value: Number) -> f64 {
    match cast(value, FieldType::Float) {
        Some(Value::Float(value)) => value,
        _ => 0.0,
    }
}

fn plus(a: Number, b: Number) -> Number {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => Value::Integer(a.wrapping_add(b)),
        (Value::Unsigned(a), Value::Unsigned(b)) => Value::Unsigned(a.wrapping_add(b)),
        (a, b) => Value::Float(canonical(as_float(a) + as_float(b))),
    }
}

fn minus(a: Number, b: Number) -> Number {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => Value::Integer(a.wrapping_sub(b)),
        (Value::Unsigned(a), Value::Unsigned(b)) => Value::Unsigned(a.wrapping_sub(b)),
        (a, b) => Value::Float(canonical(as_float(a) - as_float(b))),
    }
}

/// `to − from`; a fall of unsigned numbers is below zero.
fn change_as_float(from: Number, to: Number) -> f64 {
    match (from, to) {
        (Value::Unsigned(from), Value::Unsigned(to)) if to < from => -((from - to) as f64),
        _ => as_float(minus(to, from)),
    }
}

/// The area under the line through the points. A bucket ends where the line crosses its end; it is told when a later
/// point comes.
struct Integral {
    buckets: Option<Buckets>,
    /// The start of the one bucket that there is without any.
    whole: i64,
    unit: f64,
    descending: bool,
    /// The bucket of the sum: its number, its start, its end as walked.
    at: Option<(i64, i64, i64)>,
    last: Option<(i64, f64)>,
    sum: f64,
}

impl Integral {
    fn bucket(&self, time: i64) -> (i64, i64, i64) {
        let Some(buckets) = &self.buckets else { return (0, self.whole, self.whole) };
        let number = buckets.number(time);
        let (start, next) = (buckets.label(number), buckets.label(number.saturating_add(1)));
        (number, start, if self.descending { start } else { next })
    }

    fn step(&mut self, time: i64, value: f64) -> Option<(i64, f64)> {
        let Some((mut before, mut from)) = self.last.filter(|(before, _)| *before != time) else {
            if self.last.is_none() {
                self.at = Some(self.bucket(time));
            }
            self.last = Some((time, value));
            return None;
        };
        let mut told = None;
        if let Some((number, start, end)) = self.at
            && self.buckets.as_ref().is_some_and(|buckets| buckets.number(time) != number)
        {
            if before != end {
                let slope = (value - from) / (time.wrapping_sub(before) as f64);
                let crossing = slope * (end.wrapping_sub(before) as f64) + from;
                self.sum += 0.5 * (crossing + from) * (end.wrapping_sub(before) as f64 / self.unit);
                (before, from) = (end, crossing);
            }
            told = Some((start, self.sum));
            self.sum = 0.0;
            self.at = Some(self.bucket(time));
        }
        self.sum += 0.5 * (value + from) * (time.wrapping_sub(before) as f64 / self.unit);
        self.last = Some((time, value));
        told
    }

    /// The last bucket, unless all there is of it is its first instant.
    fn finish(&mut self) -> Option<(i64, f64)> {
        let (last, _) = self.last.take()?;
        let (_, start, end) = self.at?;
        (last != if self.descending && self.buckets.is_some() { end } else { start }).then_some((start, self.sum))
    }
}
