//! What aggregates keep: a slot per bucket and, for each call, an array over the slots. Slices are folded run by run.

use super::cursor::{Lease, Rows, View};
use super::exact_sum::{ExactSum, sum_i64, sum_runs, sum_u64};
use super::fold::{self, Scalar as Ordered, count_present, first_present, last_present, runs, squeeze, squeeze_ends};
use super::load::{ColumnSummary, SumOf};
use super::table::slice_bits;
use super::task::QueryError;
use crate::model::Column;
use crate::model::column::{Bitmap, Values};
use crate::order::sort_by;
use crate::plan::{Call, Function, Scalar};
use crate::value::{FieldType, Value};
use std::cmp::Ordering;

/// The buckets of a group that have been met, each with a number of its own.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// (bucket, slot), by bucket.
    order: Vec<(i64, u32)>,
    /// Later ones met out of turn, by bucket; joined to `order` by [`settle`](Self::settle).
    late: Vec<(i64, u32)>,
    /// Where the last bucket was found in `order`.
    hint: usize,
    len: u32,
}

impl Slots {
    pub(super) fn with_room(slots: usize) -> Self {
        Self { order: Vec::with_capacity(slots), ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    /// The slot of a bucket, a new one if it was not met. Quick when buckets come in ascending order.
    #[inline]
    pub(super) fn slot(&mut self, bucket: i64) -> u32 {
        for at in [self.hint, self.hint + 1] {
            if let Some((found, slot)) = self.order.get(at)
                && *found == bucket
            {
                self.hint = at;
                return *slot;
            }
        }
        if self.late.is_empty() && self.order.last().is_none_or(|(last, _)| *last < bucket) {
            self.hint = self.order.len();
            self.order.push((bucket, self.len));
            self.len += 1;
            return self.len - 1;
        }
        self.search(bucket)
    }

    fn search(&mut self, bucket: i64) -> u32 {
        if self.late.last().is_some_and(|(last, _)| *last >= bucket) {
            if let Some((last, slot)) = self.late.last()
                && *last == bucket
            {
                return *slot;
            }
            self.settle();
        }
        match self.order.binary_search_by_key(&bucket, |(found, _)| *found) {
            Ok(at) => {
                self.hint = at;
                return self.order[at].1;
            }
            Err(_) => self.late.push((bucket, self.len)),
        }
        self.len += 1;
        self.len - 1
    }

    pub(super) fn settle(&mut self) {
        if !self.late.is_empty() {
            self.order.append(&mut self.late);
            sort_by(&mut self.order, |a, b| a.0.cmp(&b.0));
        }
        self.hint = 0;
    }

    /// (bucket, slot) by bucket. Settle first.
    pub(super) fn by_bucket(&self) -> &[(i64, u32)] {
        &self.order
    }
}

/// Rows of one run of buckets each, for all calls.
pub(super) struct Cut<'a> {
    pub(super) rows: &'a Rows<'a>,
    /// Where each run ends, from `rows.from` on.
    pub(super) ends: &'a [u32],
    /// The slot of each run; [`OUTSIDE`] for runs that lie in no bucket.
    pub(super) slots: &'a [u32],
}

pub(super) const OUTSIDE: u32 = u32::MAX;

/// The state of one call over all slots.
#[derive(Debug)]
pub(super) struct Accumulator {
    function: Function,
    argument: usize,
    /// Input columns carried from the chosen point, and what they were at each slot's.
    carried: Vec<usize>,
    carry: Vec<Vec<Option<Scalar>>>,
    state: State,
    scratch: Scratch,
}

#[derive(Debug)]
enum State {
    Count(Vec<u64>),
    /// Sum and mean of floats.
    Float(Vec<(ExactSum, u64)>),
    /// Sum and mean of integers of either kind.
    Whole(Vec<(i128, u64)>, FieldType),
    /// The least or greatest value, whenever it was.
    Extreme(Extremes),
    /// The chosen point.
    Point(Vec<Option<(i64, Scalar)>>),
    /// A column that no series has.
    Nothing,
}

#[derive(Debug)]
enum Extremes {
    Float(Vec<Option<f64>>),
    Integer(Vec<Option<i64>>),
    Unsigned(Vec<Option<u64>>),
    Boolean(Vec<Option<bool>>),
}

#[derive(Debug, Default)]
struct Scratch {
    floats: Vec<f64>,
    integers: Vec<i64>,
    unsigneds: Vec<u64>,
    booleans: Vec<bool>,
    ends: Vec<u32>,
}

impl Accumulator {
    /// `points`: which point was chosen matters, not only its value.
    pub(super) fn new(call: &Call, argument: FieldType, points: bool) -> Result<Self, QueryError> {
        let function = call.function;
        if function.result(argument).is_none() {
            return Err(QueryError::Argument { function: function.name(), field_type: argument });
        }
        let points = points || !call.carried.is_empty() || matches!(function, Function::First | Function::Last);
        let state = match (function, argument) {
            (Function::Count, _) => State::Count(Vec::new()),
            (Function::Sum | Function::Mean, FieldType::Float) => State::Float(Vec::new()),
            (Function::Sum | Function::Mean, kind) => State::Whole(Vec::new(), kind),
            _ if points => State::Point(Vec::new()),
            (_, FieldType::Float) => State::Extreme(Extremes::Float(Vec::new())),
            (_, FieldType::Integer) => State::Extreme(Extremes::Integer(Vec::new())),
            (_, FieldType::Unsigned) => State::Extreme(Extremes::Unsigned(Vec::new())),
            (_, FieldType::Boolean) => State::Extreme(Extremes::Boolean(Vec::new())),
            (_, FieldType::String) => State::Nothing,
        };
        let carried: Vec<_> = call.carried.iter().map(|(column, _)| *column).collect();
        Ok(Self { function, argument: call.argument, carried, carry: Vec::new(), state, scratch: Scratch::default() })
    }

    /// Whether a block's header says enough.
    pub(super) fn takes_summaries(&self) -> bool {
        let chosen = matches!(self.state, State::Point(_)) && matches!(self.function, Function::Min | Function::Max);
        !chosen && self.carried.is_empty()
    }

    /// The column of which it takes more than the count of values.
    pub(super) fn needs_values(&self) -> Option<usize> {
        (self.function != Function::Count).then_some(self.argument)
    }

    /// Makes room for `slots` slots, and where it has to grow for as many as are `expected`.
    pub(super) fn resize(&mut self, slots: usize, expected: usize, lease: &mut Lease) -> Result<(), QueryError> {
        fn to<T: Clone>(
            values: &mut Vec<T>,
            (slots, expected): (usize, usize),
            empty: T,
            lease: &mut Lease,
        ) -> Result<(), QueryError> {
            if values.capacity() < slots {
                let room = slots.max(values.capacity() * 2).max(expected);
                lease.grow((room - values.capacity()) * size_of::<T>())?;
                values.reserve_exact(room - values.len());
            }
            values.resize(slots, empty);
            Ok(())
        }
        let room = (slots, expected);
        match &mut self.state {
            State::Count(values) => to(values, room, 0, lease)?,
            State::Float(values) => to(values, room, (ExactSum::ZERO, 0), lease)?,
            State::Whole(values, _) => to(values, room, (0, 0), lease)?,
            State::Point(values) => to(values, room, None, lease)?,
            State::Extreme(Extremes::Float(values)) => to(values, room, None, lease)?,
            State::Extreme(Extremes::Integer(values)) => to(values, room, None, lease)?,
            State::Extreme(Extremes::Unsigned(values)) => to(values, room, None, lease)?,
            State::Extreme(Extremes::Boolean(values)) => to(values, room, None, lease)?,
            State::Nothing => {}
        }
        if !self.carried.is_empty() {
            to(&mut self.carry, room, Vec::new(), lease)?;
        }
        Ok(())
    }

    /// Forgets all slots; the room for them stays.
    pub(super) fn empty(&mut self) {
        match &mut self.state {
            State::Count(values) => values.clear(),
            State::Float(values) => values.clear(),
            State::Whole(values, _) => values.clear(),
            State::Point(values) => values.clear(),
            State::Extreme(Extremes::Float(values)) => values.clear(),
            State::Extreme(Extremes::Integer(values)) => values.clear(),
            State::Extreme(Extremes::Unsigned(values)) => values.clear(),
            State::Extreme(Extremes::Boolean(values)) => values.clear(),
            State::Nothing => {}
        }
        self.carry.clear();
    }

    /// Takes in what the same call has kept of later rows; `slots` says which of its slots is which here.
    pub(super) fn merge(&mut self, mut other: Self, slots: &[(u32, u32)]) {
        fn extremes<T: Ordered>(least: bool, best: &mut [Option<T>], others: &[Option<T>], slots: &[(u32, u32)]) {
            for (from, to) in slots {
                if let Some(found) = others[*from as usize] {
                    better(least, &mut best[*to as usize], found);
                }
            }
        }
        let (function, least) = (self.function, self.function == Function::Min);
        match (&mut self.state, &mut other.state) {
            (State::Count(counts), State::Count(others)) => {
                slots.iter().for_each(|(from, to)| counts[*to as usize] += others[*from as usize]);
            }
            (State::Float(sums), State::Float(others)) => {
                for (from, to) in slots {
                    let (sum, count) = &others[*from as usize];
                    sums[*to as usize].0.merge(sum);
                    sums[*to as usize].1 += count;
                }
            }
            (State::Whole(sums, _), State::Whole(others, _)) => {
                for (from, to) in slots {
                    let (sum, count) = others[*from as usize];
                    sums[*to as usize].0 = sums[*to as usize].0.wrapping_add(sum);
                    sums[*to as usize].1 += count;
                }
            }
            (State::Extreme(Extremes::Float(best)), State::Extreme(Extremes::Float(others))) => {
                extremes(least, best, others, slots);
            }
            (State::Extreme(Extremes::Integer(best)), State::Extreme(Extremes::Integer(others))) => {
                extremes(least, best, others, slots);
            }
            (State::Extreme(Extremes::Unsigned(best)), State::Extreme(Extremes::Unsigned(others))) => {
                extremes(least, best, others, slots);
            }
            (State::Extreme(Extremes::Boolean(best)), State::Extreme(Extremes::Boolean(others))) => {
                extremes(least, best, others, slots);
            }
            (State::Point(points), State::Point(others)) => {
                for (from, to) in slots {
                    let Some((time, value)) = others[*from as usize].take() else { continue };
                    let chosen = &mut points[*to as usize];
                    if beats(function, (time, value.as_value()), chosen.as_ref()) {
                        *chosen = Some((time, value));
                        if let Some(carried) = self.carry.get_mut(*to as usize) {
                            *carried = other.carry.get_mut(*from as usize).map(std::mem::take).unwrap_or_default();
                        }
                    }
                }
            }
            _ => {}
        }
    }

    pub(super) fn fold(&mut self, cut: &Cut<'_>) {
        let Rows { from, to, .. } = *cut.rows;
        match cut.rows.columns.get(self.argument) {
            None | Some(View::Absent) => {}
            Some(View::Column(column)) => self.fold_column(cut, column, from, to),
            Some(view @ View::Constant(value)) => {
                // A tag: rare, so it is simply written out.
                let mut column = Column::new(value.field_type());
                super::table::extend(&mut column, *view, 0, to);
                self.fold_column(cut, &column, from, to);
            }
        }
    }

    fn fold_column(&mut self, cut: &Cut<'_>, column: &Column, from: usize, to: usize) {
        let Self { state, scratch, function, .. } = self;
        match state {
            State::Nothing => {}
            State::Count(counts) => {
                for (rows, slot) in runs(cut.ends).zip(cut.slots).filter(|(_, slot)| **slot != OUTSIDE) {
                    let rows = rows.start + from..rows.end + from;
                    counts[*slot as usize] += count_present(column.present.as_ref(), rows) as u64;
                }
            }
            State::Point(points) => {
                fold_points(*function, points, (&self.carried, &mut self.carry), cut, column);
            }
            State::Float(sums) => {
                let Values::Float(values) = &column.values else { return };
                let dense = Dense::new(&values[from..to], column, cut, &mut scratch.floats, &mut scratch.ends);
                sum_runs(dense.values, dense.ends, None, |run, sum| {
                    if let Some((total, count)) = sums.get_mut(cut.slots[run] as usize) {
                        total.merge(&sum);
                        *count += u64::from(dense.len(run));
                    }
                });
            }
            State::Whole(sums, _) => {
                let mut add = |run: usize, sum: i128, count: u32| {
                    if let Some((total, counted)) = sums.get_mut(cut.slots[run] as usize) {
                        *total = total.wrapping_add(sum);
                        *counted += u64::from(count);
                    }
                };
                match &column.values {
                    Values::Integer(values) => {
                        let dense =
                            Dense::new(&values[from..to], column, cut, &mut scratch.integers, &mut scratch.ends);
                        for (run, rows) in runs(dense.ends).enumerate() {
                            add(run, sum_i64(&dense.values[rows]), dense.len(run));
                        }
                    }
                    Values::Unsigned(values) => {
                        let dense =
                            Dense::new(&values[from..to], column, cut, &mut scratch.unsigneds, &mut scratch.ends);
                        for (run, rows) in runs(dense.ends).enumerate() {
                            add(run, sum_u64(&dense.values[rows]) as i128, dense.len(run));
                        }
                    }
                    _ => {}
                }
            }
            State::Extreme(extremes) => {
                let (least, ends) = (*function == Function::Min, &mut scratch.ends);
                match (extremes, &column.values) {
                    (Extremes::Float(best), Values::Float(values)) => {
                        extreme(
                            least,
                            best,
                            &Dense::new(&values[from..to], column, cut, &mut scratch.floats, ends),
                            cut,
                        );
                    }
                    (Extremes::Integer(best), Values::Integer(values)) => {
                        extreme(
                            least,
                            best,
                            &Dense::new(&values[from..to], column, cut, &mut scratch.integers, ends),
                            cut,
                        );
                    }
                    (Extremes::Unsigned(best), Values::Unsigned(values)) => {
                        extreme(
                            least,
                            best,
                            &Dense::new(&values[from..to], column, cut, &mut scratch.unsigneds, ends),
                            cut,
                        );
                    }
                    (Extremes::Boolean(best), Values::Boolean(values)) => {
                        extreme(
                            least,
                            best,
                            &Dense::new(&values[from..to], column, cut, &mut scratch.booleans, ends),
                            cut,
                        );
                    }
                    _ => {}
                }
            }
        }
    }

    /// Takes what a block's header says instead of its values.
    pub(super) fn fold_summary(&mut self, slot: u32, columns: &[Option<ColumnSummary>]) {
        let Some(Some(summary)) = columns.get(self.argument) else { return };
        let slot = slot as usize;
        if let State::Count(counts) = &mut self.state {
            counts[slot] += summary.count;
        }
        let Some(values) = &summary.values else { return };
        match &mut self.state {
            State::Float(sums) => {
                if let SumOf::Float(sum) = &values.sum {
                    sums[slot].0.merge(sum);
                    sums[slot].1 += summary.count;
                }
            }
            State::Whole(sums, _) => {
                if let SumOf::Whole(sum) = values.sum {
                    sums[slot].0 = sums[slot].0.wrapping_add(sum);
                    sums[slot].1 += summary.count;
                }
            }
            State::Extreme(extremes) => {
                let least = self.function == Function::Min;
                match (extremes, if least { &values.min } else { &values.max }) {
                    (Extremes::Float(best), Scalar::Float(value)) => better(least, &mut best[slot], *value),
                    (Extremes::Integer(best), Scalar::Integer(value)) => better(least, &mut best[slot], *value),
                    (Extremes::Unsigned(best), Scalar::Unsigned(value)) => better(least, &mut best[slot], *value),
                    (Extremes::Boolean(best), Scalar::Boolean(value)) => better(least, &mut best[slot], *value),
                    _ => {}
                }
            }
            State::Point(points) => {
                let (time, value) = match self.function {
                    Function::First => (summary.first_time, &values.first),
                    _ => (summary.last_time, &values.last),
                };
                if beats(self.function, (time, value.as_value()), points[slot].as_ref()) {
                    points[slot] = Some((time, value.clone()));
                }
            }
            State::Count(_) | State::Nothing => {}
        }
    }

    /// Appends the results of slots, absent where no value was seen. `into` is of the result's type.
    pub(super) fn push_results(&self, slots: &[u32], into: &mut Column) {
        if let (State::Float(sums), Values::Float(values), None) = (&self.state, &mut into.values, &into.present)
            && slots.iter().all(|slot| sums[*slot as usize].1 > 0)
        {
            let mean = self.function == Function::Mean;
            values.extend(slots.iter().map(|slot| float_result(&sums[*slot as usize], mean)));
            return;
        }
        slots.iter().for_each(|slot| into.push(self.result(*slot)));
    }

    fn result(&self, slot: u32) -> Option<Value<'_>> {
        let slot = slot as usize;
        let mean = self.function == Function::Mean;
        match &self.state {
            State::Nothing => None,
            State::Count(counts) => {
                Some(counts[slot]).filter(|count| *count > 0).map(|count| Value::Integer(count as i64))
            }
            State::Float(sums) => (sums[slot].1 > 0).then(|| Value::Float(float_result(&sums[slot], mean))),
            State::Whole(sums, kind) => {
                let (sum, count) = sums[slot];
                (count > 0).then(|| match kind {
                    _ if mean => Value::Float(sum as f64 / count as f64),
                    FieldType::Unsigned => Value::Unsigned(sum as u64),
                    _ => Value::Integer(sum as i64),
                })
            }
            State::Extreme(Extremes::Float(best)) => best[slot].map(Value::Float),
            State::Extreme(Extremes::Integer(best)) => best[slot].map(Value::Integer),
            State::Extreme(Extremes::Unsigned(best)) => best[slot].map(Value::Unsigned),
            State::Extreme(Extremes::Boolean(best)) => best[slot].map(Value::Boolean),
            State::Point(points) => points[slot].as_ref().map(|(_, value)| value.as_value()),
        }
    }

    /// Appends what column `at` of the carried ones was at the chosen points.
    pub(super) fn push_carried(&self, slots: &[u32], at: usize, into: &mut Column) {
        for slot in slots {
            let value = self.carry.get(*slot as usize).and_then(|carried| carried.get(at));
            into.push(value.and_then(Option::as_ref).map(Scalar::as_value));
        }
    }

    /// When the chosen point of a slot was.
    pub(super) fn time(&self, slot: u32) -> Option<i64> {
        match &self.state {
            State::Point(points) => points[slot as usize].as_ref().map(|(time, _)| *time),
            _ => None,
        }
    }
}

fn float_result((sum, count): &(ExactSum, u64), mean: bool) -> f64 {
    let sum = sum.round();
    crate::value::canonical(if mean { sum / *count as f64 } else { sum })
}

/// The present values of some rows, end to end, cut into the runs of a [`Cut`].
struct Dense<'a, T> {
    values: &'a [T],
    ends: &'a [u32],
}

impl<'a, T: Copy> Dense<'a, T> {
    /// `values` are those of the cut's rows, `column` the whole column.
    fn new(values: &'a [T], column: &Column, cut: &Cut<'a>, squeezed: &'a mut Vec<T>, ends: &'a mut Vec<u32>) -> Self {
        let Some(present) = &column.present else { return Self { values, ends: cut.ends } };
        let (from, to) = (cut.rows.from, cut.rows.to);
        let cut_out: Bitmap;
        let present = if from == 0 && to == present.len() {
            present
        } else {
            cut_out = slice_bits(present, from, to);
            &cut_out
        };
        squeeze(values, present, squeezed);
        squeeze_ends(cut.ends, present, ends);
        Self { values: squeezed, ends }
    }

    fn len(&self, run: usize) -> u32 {
        self.ends[run] - if run == 0 { 0 } else { self.ends[run - 1] }
    }
}

fn extreme<T: Ordered>(least: bool, best: &mut [Option<T>], dense: &Dense<'_, T>, cut: &Cut<'_>) {
    for (rows, slot) in runs(dense.ends).zip(cut.slots) {
        let values = &dense.values[rows];
        let found = if least { fold::min(values) } else { fold::max(values) };
        if let (Some(found), Some(best)) = (found, best.get_mut(*slot as usize)) {
            better(least, best, found);
        }
    }
}

#[inline]
fn better<T: Ordered>(least: bool, best: &mut Option<T>, found: T) {
    *best = match *best {
        None => Some(found),
        Some(best) if least => fold::min(&[best, found]),
        Some(best) => fold::max(&[best, found]),
    };
}

/// Chooses points. Times of a run need not be distinct; `carry` takes what goes with a chosen point.
fn fold_points(
    function: Function,
    points: &mut [Option<(i64, Scalar)>],
    carry: (&[usize], &mut [Vec<Option<Scalar>>]),
    cut: &Cut<'_>,
    column: &Column,
) {
    let (times, from) = (cut.rows.times, cut.rows.from);
    let present = column.present.as_ref();
    for (rows, slot) in runs(cut.ends).zip(cut.slots) {
        let rows = rows.start + from..rows.end + from;
        let Some(chosen) = points.get_mut(*slot as usize) else { continue };
        let mut consider = |row: usize| {
            let value = column.values.get(row);
            if beats(function, (times[row], value), chosen.as_ref()) {
                *chosen = Some((times[row], value.into()));
                if let Some(kept) = carry.1.get_mut(*slot as usize) {
                    let at = |column: &usize| cut.rows.columns.get(*column)?.get(row).map(Scalar::from);
                    *kept = carry.0.iter().map(at).collect();
                }
            }
        };
        match function {
            Function::First | Function::Last if times[rows.start] <= times[rows.end - 1] => {
                let first = function == Function::First;
                let pick = if first { first_present } else { last_present };
                let Some(row) = pick(present, rows.clone()) else { continue };
                // All rows of that time, should there be several.
                let same = |other: &usize| times[*other] == times[row];
                if first {
                    (row..rows.end).take_while(same).filter(|row| column.is_present(*row)).for_each(consider);
                } else {
                    (rows.start..row + 1)
                        .rev()
                        .take_while(same)
                        .filter(|row| column.is_present(*row))
                        .for_each(consider);
                }
            }
            _ => match (present, function) {
                (None, Function::Min | Function::Max) => {
                    let least = function == Function::Min;
                    fn at<T: Ordered>(least: bool, values: &[T]) -> Option<usize> {
                        if least { fold::min_at(values) } else { fold::max_at(values) }
                    }
                    let found = match &column.values {
                        Values::Float(values) => at(least, &values[rows.clone()]),
                        Values::Integer(values) => at(least, &values[rows.clone()]),
                        Values::Unsigned(values) => at(least, &values[rows.clone()]),
                        Values::Boolean(values) => at(least, &values[rows.clone()]),
                        Values::String(_) => None,
                    };
                    if let Some(found) = found {
                        // In descending rows an equal value further on is earlier.
                        let value = column.values.get(rows.start + found);
                        if times[rows.start] <= times[rows.end - 1] {
                            consider(rows.start + found);
                        } else {
                            rows.rev().filter(|row| column.values.get(*row) == value).take(1).for_each(consider);
                        }
                    }
                }
                _ => rows.filter(|row| column.is_present(*row)).for_each(consider),
            },
        }
    }
}

/// Whether a point is chosen over the one chosen so far.
fn beats(function: Function, (time, value): (i64, Value<'_>), chosen: Option<&(i64, Scalar)>) -> bool {
    let Some((best_time, best)) = chosen else { return true };
    let against = || rank(value, best.as_value());
    let boolean = matches!(value, Value::Boolean(_));
    match function {
        Function::First => match time.cmp(best_time) {
            Ordering::Equal if boolean => against().is_lt(),
            Ordering::Equal => against().is_gt(),
            order => order.is_lt(),
        },
        Function::Last => match time.cmp(best_time) {
            Ordering::Equal => against().is_gt(),
            order => order.is_gt(),
        },
        Function::Min | Function::Max => {
            let order = match (is_nan(value), is_nan(best.as_value())) {
                // A number beats NaN either way.
                (false, true) => Ordering::Less,
                (true, false) => Ordering::Greater,
                _ if function == Function::Min => against(),
                _ => against().reverse(),
            };
            order.then(time.cmp(best_time)).is_lt()
        }
        Function::Count | Function::Sum | Function::Mean => false,
    }
}

/// The order of values of one type: `-0.0` under `0.0`, NaN above all.
pub(super) fn rank(a: Value<'_>, b: Value<'_>) -> Ordering {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.total_cmp(&b),
        (Value::Integer(a), Value::Integer(b)) => a.cmp(&b),
        (Value::Unsigned(a), Value::Unsigned(b)) => a.cmp(&b),
        (Value::Boolean(a), Value::Boolean(b)) => a.cmp(&b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        _ => Ordering::Equal,
    }
}

fn is_nan(value: Value<'_>) -> bool {
    matches!(value, Value::Float(value) if value.is_nan())
}
