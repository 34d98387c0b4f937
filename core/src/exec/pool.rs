//! Groups brought onto common times and joined.

use super::cursor::{Header, Source};
use super::exact_sum::ExactSum;
use super::follow;
use super::group::listed_groups;
use super::table::Table;
use super::tables::{self, TablesSource, float_column};
use crate::order;
use crate::plan::{Along, Function, Listed, Reach, ReachMethod};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

pub(super) struct Work {
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) reach: Reach,
    pub(super) change: Option<Along>,
    pub(super) function: Function,
    pub(super) every_row: bool,
}

pub(super) fn source(input: Arc<dyn Source>, listed: Vec<Listed>, work: Work, separable: bool) -> Arc<dyn Source> {
    let (groups, members) = listed_groups(input.groups(), &listed);
    let one_column = |header: Header| {
        let name = header.columns.first().map_or("value", |column| column.name.as_str());
        Header { columns: Arc::from([float_column(name)]), ..header }
    };
    let groups = groups.into_iter().map(one_column).collect();
    Arc::new(TablesSource::sharing(vec![input], groups, Box::new(Pooled { members, work }), separable))
}

struct Pooled {
    members: Vec<Vec<u32>>,
    work: Work,
}

/// Values of a group at all common times, and whether one of them is its own.
struct Aligned<'a> {
    values: Cow<'a, [f64]>,
    own: bool,
}

impl tables::Work for Pooled {
    fn run(&self, inputs: Vec<Vec<Table>>) -> Vec<Table> {
        let mut tables = inputs.into_iter().next().unwrap_or_default();
        let Work { first, last, reach, change, function, every_row } = &self.work;
        let values: Vec<Vec<f64>> = tables.iter_mut().map(tables::take_first).collect();
        let times = common_times(&tables, &values, (*first, *last), *every_row);
        let mut all: Vec<Aligned<'_>> = Vec::with_capacity(tables.len());
        for (table, values) in tables.iter().zip(&values) {
            let mut aligned = aligned(&table.times, values, &times, *reach);
            aligned.own |= *every_row && table.len() > 0;
            if let Some(along) = change {
                aligned.values = Cow::Owned(follow::numbers_along(along, &times, &aligned.values));
            }
            all.push(aligned);
        }
        let join = |members: &Vec<u32>| {
            if !members.iter().any(|member| all[*member as usize].own) {
                return Table::default();
            }
            let members: Vec<&[f64]> = members.iter().map(|at| &*all[*at as usize].values).collect();
            let joined = joined(&members, times.len(), *function, *every_row);
            Table { times: times.clone(), columns: vec![tables::column(joined)] }
        };
        self.members.iter().map(join).collect()
    }
}

/// The times in `[first, last]` at which any table has a value, or a row, ascending.
fn common_times(tables: &[Table], values: &[Vec<f64>], (first, last): (i64, i64), every_row: bool) -> Vec<i64> {
    let mut times: Vec<i64> = Vec::new();
    let mut unsorted = false;
    for (table, values) in tables.iter().zip(values) {
        // Most tables have the times of those before them: only what is new is added.
        if std::mem::take(&mut unsorted) {
            order::sort_dedup(&mut times);
        }
        let known = times.len();
        if table.times[rows_in(&table.times, first, last)] == times {
            continue;
        }
        let mut at = times.partition_point(|time| *time < table.times.first().copied().unwrap_or(0));
        for (time, value) in table.times.iter().zip(values) {
            if value.is_nan() && !every_row || *time < first || *time > last {
                continue;
            }
            while at < known && times[at] < *time {
                at += 1;
            }
            if at < known && times[at] == *time {
                continue;
            }
            unsorted |= times.last().is_some_and(|last| last > time);
            times.push(*time);
        }
    }
    if unsorted {
        order::sort_dedup(&mut times);
    }
    times
}

/// The rows of ascending times within `[first, last]`.
fn rows_in(times: &[i64], first: i64, last: i64) -> Range<usize> {
    let begin = times.partition_point(|time| *time < first);
    begin..begin + times[begin..].partition_point(|time| *time <= last)
}

fn aligned<'a>(own_times: &[i64], own: &'a [f64], times: &[i64], reach: Reach) -> Aligned<'a> {
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        return Aligned { values: Cow::Borrowed(&[]), own: false };
    };
    // Most have a value of their own at every time.
    let rows = rows_in(own_times, *first, *last);
    if own_times[rows.clone()] == *times && !own[rows.clone()].iter().any(|value| value.is_nan()) {
        return Aligned { values: Cow::Borrowed(&own[rows]), own: true };
    }
    let there: Vec<(i64, f64)> =
        own_times.iter().copied().zip(own.iter().copied()).filter(|(_, value)| !value.is_nan()).collect();
    let (mut values, mut has_own) = (Vec::with_capacity(times.len()), false);
    let mut next = 0;
    for time in times {
        while next < there.len() && there[next].0 < *time {
            next += 1;
        }
        let value = match there.get(next) {
            Some((own, value)) if own == time => {
                has_own = true;
                *value
            }
            after => reached(*time, next.checked_sub(1).map(|before| there[before]), after.copied(), reach),
        };
        values.push(value);
    }
    Aligned { values: Cow::Owned(values), own: has_own }
}

/// The value at a time between two others; NaN when neither reaches so far.
pub(super) fn reached(time: i64, before: Option<(i64, f64)>, after: Option<(i64, f64)>, reach: Reach) -> f64 {
    let Some((start, from)) = before else { return f64::NAN };
    let near = |a: i64, b: i64| b.saturating_sub(a) <= reach.limit;
    match (reach.method, after) {
        (ReachMethod::Linear, Some((end, to))) if near(start, end) => {
            let share = (time - start) as f64 / (end - start) as f64;
            from + (to - from) * share
        }
        (ReachMethod::Linear, None) | (ReachMethod::Last, _) if near(start, time) => from,
        (ReachMethod::Zero, _) if near(start, time) => 0.0,
        _ => f64::NAN,
    }
}

fn joined(members: &[&[f64]], len: usize, function: Function, counts_none: bool) -> Vec<f64> {
    let mut out = vec![f64::NAN; len];
    match function {
        Function::Count => {
            for (at, out) in out.iter_mut().enumerate() {
                let count = members.iter().filter(|values| !values[at].is_nan()).count();
                if count > 0 || counts_none {
                    *out = count as f64;
                }
            }
        }
        Function::Min | Function::Max => {
            for values in members {
                for (out, value) in out.iter_mut().zip(*values) {
                    // A comparison with NaN is false.
                    let better = if function == Function::Min { value < out } else { value > out };
                    if better || out.is_nan() {
                        *out = *value;
                    }
                }
            }
        }
        _ => {
            let (mut sums, mut counts) = (vec![ExactSum::ZERO; len], vec![0_u32; len]);
            for values in members {
                for (at, value) in values.iter().enumerate() {
                    if !value.is_nan() {
                        sums[at].add(*value);
                        counts[at] += 1;
                    }
                }
            }
            for ((out, sum), count) in out.iter_mut().zip(&sums).zip(&counts) {
                if *count > 0 {
                    let sum = sum.round();
                    let value = if function == Function::Mean { sum / f64::from(*count) } else { sum };
                    *out = if value.is_finite() { value } else { f64::NAN };
                }
            }
        }
    }
    out
}
