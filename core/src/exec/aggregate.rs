//! Rows to one row per bucket, over all series of a group, in whatever order they come.

use super::accumulate::{Accumulator, Cut, OUTSIDE, Slots};
use super::bucket::{Buckets, NOWHERE};
use super::cursor::{Ask, ColumnDef, Context, Cursor, Header, Lease, Pace, Poll, Rows, Source, Wish};
use super::group::Grouping;
use super::lanes::{self, Lanes};
use super::table::Table;
use super::task::QueryError;
use crate::limits::Exceeded;
use crate::plan::{Bucket, Call, Function, GroupBy, ReportedTime};
use crate::time::TimeRange;
use crate::value::FieldType;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Rows of an answer made in one go.
const PAGE: usize = 8192;
/// Series opened, and their bytes asked for, ahead.
const AHEAD: usize = 64;

pub(super) struct AggregateSource {
    groups: Vec<Header>,
    members: Vec<Vec<u32>>,
    tag_keys: Vec<String>,
    shared: Arc<Shared>,
}

struct Shared {
    input: Arc<dyn Source>,
    work: Work,
    keep_empty: bool,
    /// Buckets of the group that ended last: most have about as many, so room for them is made at once.
    expected: AtomicUsize,
}

/// An `Aggregate` without its input.
pub(super) struct Work {
    /// `None`: every instant.
    pub(super) bucket: Option<Bucket>,
    pub(super) calls: Vec<Call>,
    pub(super) time: ReportedTime,
    pub(super) descending: bool,
    /// Groups of the input can be read beside each other.
    pub(super) separable: bool,
    /// No more rows of a group than this will be asked for.
    pub(super) most_rows: Option<u64>,
}

impl AggregateSource {
    pub(super) fn new(input: Arc<dyn Source>, by: &GroupBy, work: Work, reversed: bool) -> Self {
        let Grouping { mut groups, members, tag_keys } = Grouping::new(&*input, by, reversed);
        for header in &mut groups {
            header.columns = work.calls.iter().flat_map(|call| outputs(call, &header.columns)).collect();
        }
        Self {
            groups,
            members,
            tag_keys,
            shared: Arc::new(Shared { input, work, keep_empty: false, expected: AtomicUsize::new(0) }),
        }
    }

    /// All groups as one, an instant a bucket, `function` over each column.
    pub(super) fn across(
        input: Arc<dyn Source>,
        function: Function,
        name: String,
        descending: bool,
        separable: bool,
    ) -> Self {
        let members: Vec<u32> = (0..input.groups().len() as u32).collect();
        let columns = input.groups().first().map_or_else(|| Arc::from([]), |header| Arc::clone(&header.columns));
        let call = |(argument, column): (usize, &ColumnDef)| Call {
            function,
            argument,
            output: column.name.clone(),
            carried: Vec::new(),
        };
        let calls: Vec<_> = columns.iter().enumerate().map(call).collect();
        let header = Header {
            name: name.into(),
            tags: super::cursor::Tags::Named(Vec::new()),
            input: input.groups().first().map_or(0, |header| header.input),
            columns: calls.iter().flat_map(|call| outputs(call, &columns)).collect(),
        };
        let time = ReportedTime::BucketStart;
        let work = Work { bucket: None, calls, time, descending, separable, most_rows: None };
        let shared = Shared { input, work, keep_empty: true, expected: AtomicUsize::new(0) };
        Self { groups: vec![header], members: vec![members], tag_keys: Vec::new(), shared: Arc::new(shared) }
    }
}

/// The columns a call makes.
fn outputs(call: &Call, input: &[ColumnDef]) -> Vec<ColumnDef> {
    let field_type = |column: usize| input.get(column).map_or(FieldType::Float, |column| column.field_type);
    let result = call.function.result(field_type(call.argument)).unwrap_or(FieldType::Float);
    let carried = call.carried.iter().map(|(column, name)| (name, field_type(*column)));
    let all = std::iter::once((&call.output, result)).chain(carried);
    all.map(|(name, field_type)| ColumnDef { name: name.clone(), field_type }).collect()
}

impl Source for AggregateSource {
    fn groups(&self) -> &[Header] {
        &self.groups
    }

    fn tag_keys(&self) -> Vec<String> {
        self.tag_keys.clone()
    }

    fn open(&self, group: usize, _: &Ask) -> Box<dyn Cursor> {
        let shared = Arc::clone(&self.shared);
        let most_rows = shared.work.most_rows;
        let mut cursor =
            AggregateCursor::new(shared, self.members[group].clone(), Table::new(&self.groups[group].columns));
        cursor.most_rows = most_rows;
        Box::new(cursor)
    }
}

struct AggregateCursor {
    shared: Arc<Shared>,
    /// Groups of the input, how many of them were opened, and the cursors of those not done.
    members: Vec<u32>,
    opened: usize,
    inputs: VecDeque<Box<dyn Cursor>>,
    ahead: usize,
    state: Option<State>,
    out: Table,
    /// Buckets of the state given out.
    given: usize,
    /// Members shared out.
    lanes: Lanes<Self>,
    /// No more rows are wanted.
    most_rows: Option<u64>,
    /// The part of the time looked at now, what comes after it, and the buckets of the next part.
    slice: Option<TimeRange>,
    after: TimeRange,
    next_buckets: i64,
    rows_given: u64,
}

struct State {
    /// Its buckets are the aggregate's.
    wish: Arc<Wish>,
    /// Whether it is one.
    takes_summaries: bool,
    slots: Slots,
    expected: usize,
    accumulators: Vec<Accumulator>,
    lease: Lease,
    numbers: Vec<i64>,
    ends: Vec<u32>,
    slot_of: Vec<u32>,
}

impl State {
    fn new(shared: &Shared, columns: &[ColumnDef], cx: &Context) -> Result<Self, QueryError> {
        let Work { bucket, calls, time, .. } = &shared.work;
        let buckets = match bucket {
            Some(bucket) => Buckets::new(bucket, cx.most_points),
            None => Buckets::Instants,
        };
        let expected = shared.expected.load(Ordering::Relaxed);
        let accumulators = calls.iter().enumerate().map(|(at, call)| {
            let field_type = columns.get(call.argument).map_or(FieldType::Float, |column| column.field_type);
            Accumulator::new(call, field_type, at == 0 && *time == ReportedTime::Selected)
        });
        let accumulators = accumulators.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            wish: Arc::new(Wish {
                buckets,
                values_of: accumulators.iter().filter_map(Accumulator::needs_values).collect(),
            }),
            takes_summaries: bucket.is_some() && accumulators.iter().all(Accumulator::takes_summaries),
            slots: Slots::with_room(expected),
            expected,
            accumulators,
            lease: cx.memory.lease(),
            numbers: Vec::new(),
            ends: Vec::new(),
            slot_of: Vec::new(),
        })
    }

    fn fold(&mut self, rows: &Rows<'_>, allowed: u64) -> Result<(), QueryError> {
        let times = rows.times();
        if times[0] > times[times.len() - 1] {
            let backwards: Vec<u32> = (rows.from..rows.to).rev().map(|row| row as u32).collect();
            let columns = rows.columns.iter().map(|view| view.to_column(&backwards)).collect();
            let times = backwards.iter().map(|row| rows.times[*row as usize]).collect();
            return self.fold_ascending(&Table { times, columns }.rows(), allowed);
        }
        self.fold_ascending(rows, allowed)
    }

    fn fold_ascending(&mut self, rows: &Rows<'_>, allowed: u64) -> Result<(), QueryError> {
        self.wish.buckets.runs(rows.times(), &mut self.numbers, &mut self.ends);
        self.slot_of.clear();
        for number in &self.numbers {
            self.slot_of.push(if *number == NOWHERE { OUTSIDE } else { self.slots.slot(*number) });
        }
        self.make_room(allowed)?;
        let cut = Cut { rows, ends: &self.ends, slots: &self.slot_of };
        self.accumulators.iter_mut().for_each(|accumulator| accumulator.fold(&cut));
        Ok(())
    }

    fn make_room(&mut self, allowed: u64) -> Result<(), QueryError> {
        let asked = self.slots.len() as u64;
        if allowed > 0 && asked > allowed {
            return Err(Exceeded { limit: "max-select-buckets", asked, allowed }.into());
        }
        for accumulator in &mut self.accumulators {
            accumulator.resize(self.slots.len(), self.expected, &mut self.lease)?;
        }
        Ok(())
    }

    /// Forgets all buckets.
    fn empty(&mut self) {
        self.slots = Slots::default();
        self.accumulators.iter_mut().for_each(Accumulator::empty);
    }

    /// Takes in what others made of other members.
    fn merge(&mut self, mut other: Self, allowed: u64) -> Result<(), QueryError> {
        self.slots.settle();
        other.slots.settle();
        let found = other.slots.by_bucket().iter();
        let slots: Vec<(u32, u32)> = found.map(|(bucket, slot)| (*slot, self.slots.slot(*bucket))).collect();
        self.slots.settle();
        self.make_room(allowed)?;
        for (accumulator, other) in self.accumulators.iter_mut().zip(other.accumulators) {
            accumulator.merge(other, &slots);
        }
        Ok(())
    }
}

/// Buckets at most that room is made for before they are met.
const MOST_EXPECTED: usize = 4096;
/// Buckets of which every lane may have its own count.
const FEW_SLOTS: usize = 1 << 16;
/// Each part of the time that is looked at, when few rows are wanted, has this many times the buckets of the one before.
const GROWTH: i64 = 4;

impl AggregateCursor {
    fn new(shared: Arc<Shared>, members: Vec<u32>, out: Table) -> Self {
        Self {
            shared,
            members,
            opened: 0,
            inputs: VecDeque::new(),
            ahead: 1,
            state: None,
            out,
            given: 0,
            lanes: Lanes::new(),
            most_rows: None,
            slice: None,
            after: TimeRange::EMPTY,
            next_buckets: 0,
            rows_given: 0,
        }
    }

    /// When few rows are wanted of many buckets: looks at no more than the time of the first buckets.
    fn cut_time(&mut self) {
        let Some(most) = self.most_rows.take().and_then(|most| i64::try_from(most).ok()) else { return };
        let Some(Buckets::Every(grid)) = self.state.as_ref().map(|state| &state.wish.buckets) else { return };
        let mut all: Option<TimeRange> = None;
        for member in &self.members {
            let Some(extent) = self.shared.input.extent(*member as usize) else { return };
            if !extent.is_empty() {
                let known = all.unwrap_or(extent);
                all = Some(TimeRange::new(known.min.min(extent.min), known.max.max(extent.max)));
            }
        }
        let Some(all) = all else { return };
        let buckets = grid.bucket_of(all.max) - grid.bucket_of(all.min);
        if buckets / GROWTH > most {
            (self.most_rows, self.after, self.next_buckets) = (Some(most as u64), all, most.max(1));
            self.next_slice();
        }
    }

    /// Goes on to the next part of the time. False if there is none, or if the rows given are enough.
    fn next_slice(&mut self) -> bool {
        let Some(most) = self.most_rows else { return false };
        let Some(Buckets::Every(grid)) = self.state.as_ref().map(|state| &state.wish.buckets) else { return false };
        if self.rows_given >= most || self.after.is_empty() {
            return false;
        }
        let (after, buckets) = (self.after, self.next_buckets);
        let slice = if self.shared.work.descending {
            let first = grid.bucket_of(after.max).saturating_add(1).saturating_sub(buckets);
            TimeRange::new(grid.start_of(first).map_or(after.min, |start| start.max(after.min)), after.max)
        } else {
            let last = grid.bucket_of(after.min).saturating_sub(1).saturating_add(buckets);
            TimeRange::new(after.min, grid.end_of(last).map_or(after.max, |end| (end - 1).min(after.max)))
        };
        self.after = if self.shared.work.descending {
            TimeRange::new(after.min, slice.min.saturating_sub(1))
        } else {
            TimeRange::new(slice.max.saturating_add(1), after.max)
        };
        self.next_buckets = buckets.saturating_mul(GROWTH);
        self.slice = Some(slice);
        (self.opened, self.given) = (0, 0);
        true
    }

    /// Leaves the members not opened yet to several threads, if that is worth it.
    fn share_out(&mut self, cx: &Context) {
        let left = &self.members[self.opened..];
        let slots = self.state.as_ref().map_or(0, |state| state.slots.len());
        if !self.shared.work.separable || left.len() < 2 || slots > FEW_SLOTS || !cx.shares() {
            return;
        }
        for members in left.chunks(left.len().div_ceil(lanes::MOST)) {
            let mut lane = Self::new(Arc::clone(&self.shared), members.to_vec(), Table::default());
            lane.slice = self.slice;
            self.lanes.push(lane, cx);
        }
        self.opened = self.members.len();
    }

    /// Takes in what the lanes come to, in their order. Otherwise says what to wait for.
    fn join_lanes(&mut self, cx: &mut Context) -> Result<Option<Poll>, QueryError> {
        let mut ran = false;
        while let Some((_, outcome)) = self.lanes.front() {
            match outcome? {
                Poll::End => {
                    let other = self.lanes.pop().and_then(|lane| lane.state);
                    if let (Some(state), Some(other)) = (&mut self.state, other) {
                        state.merge(other, cx.limits.max_select_buckets)?;
                    }
                }
                wait if ran => return Ok(Some(wait)),
                _ => {
                    self.lanes.run(cx);
                    ran = true;
                }
            }
        }
        Ok(None)
    }

    fn state(&mut self, cx: &Context) -> Result<&mut State, QueryError> {
        if self.state.is_none() {
            let first = self.members.first().map(|member| &self.shared.input.groups()[*member as usize]);
            self.state = Some(State::new(&self.shared, first.map_or(&[], |header| &*header.columns), cx)?);
            self.cut_time();
        }
        Ok(self.state.as_mut().expect("set above"))
    }

    /// Opens the next inputs, as far ahead as is worth it.
    fn open_ahead(&mut self, cx: &mut Context) -> Result<(), QueryError> {
        let state = self.state(cx)?;
        let wish = state.takes_summaries.then(|| Arc::clone(&state.wish));
        let ask = Ask { wish, range: self.slice, pace: Pace::Whole };
        while self.opened < self.members.len() && self.inputs.len() < self.ahead {
            if !self.inputs.is_empty() && !cx.io.has_room() {
                break;
            }
            let mut input = self.shared.input.open(self.members[self.opened] as usize, &ask);
            if self.ahead > 1 {
                input.prefetch(cx)?;
            }
            self.inputs.push_back(input);
            self.opened += 1;
        }
        Ok(())
    }

    /// Folds all rows of all inputs. Otherwise says what to wait for.
    fn gather(&mut self, cx: &mut Context) -> Result<Option<Poll>, QueryError> {
        loop {
            if self.inputs.is_empty() {
                self.share_out(cx);
            }
            self.open_ahead(cx)?;
            let Some(input) = self.inputs.front_mut() else { return self.join_lanes(cx) };
            let state = self.state.as_mut().expect("made when the first input was opened");
            let allowed = cx.limits.max_select_buckets;
            match input.next(cx)? {
                Poll::Rows => state.fold(&input.rows(), allowed)?,
                Poll::Summary => {
                    let Some(summary) = input.summary() else { continue };
                    let number = state.wish.buckets.number(summary.first_time);
                    if number != NOWHERE {
                        let slot = state.slots.slot(number);
                        state.make_room(allowed)?;
                        for accumulator in &mut state.accumulators {
                            accumulator.fold_summary(slot, &summary.columns);
                        }
                    }
                }
                Poll::End => {
                    state.slots.settle();
                    self.inputs.pop_front();
                }
                Poll::Need => {
                    // With threads at hand the next members are theirs.
                    if cx.pool.is_none() {
                        self.ahead = (self.ahead * 2).min(AHEAD);
                    }
                    self.open_ahead(cx)?;
                    return Ok(Some(Poll::Need));
                }
                Poll::Yield => return Ok(Some(Poll::Yield)),
            }
        }
    }

    /// Makes the next rows of the answer. False when there are no more.
    fn make_page(&mut self) -> bool {
        let state = self.state.as_ref().expect("made before gathering");
        let order = state.slots.by_bucket();
        self.shared.expected.store(order.len().min(MOST_EXPECTED), Ordering::Relaxed);
        let left = order.len() - self.given;
        let page = left.min(PAGE);
        let page =
            if self.shared.work.descending { &order[left - page..left] } else { &order[self.given..self.given + page] };
        self.given += page.len();
        let (mut numbers, mut slots): (Vec<i64>, Vec<u32>) = page.iter().copied().unzip();
        if self.shared.work.descending {
            numbers.reverse();
            slots.reverse();
        }
        self.out.clear();
        let selected = |slot: u32| state.accumulators.first().and_then(|first| first.time(slot));
        let label = |number: i64| state.wish.buckets.label(number);
        match self.shared.work.time {
            ReportedTime::BucketStart => self.out.times.extend(numbers.iter().map(|number| label(*number))),
            ReportedTime::Fixed(time) => self.out.times.resize(slots.len(), time),
            ReportedTime::Selected => {
                let times =
                    numbers.iter().zip(&slots).map(|(number, slot)| selected(*slot).unwrap_or_else(|| label(*number)));
                self.out.times.extend(times);
            }
        }
        let mut columns = self.out.columns.iter_mut();
        for (accumulator, call) in state.accumulators.iter().zip(&self.shared.work.calls) {
            if let Some(column) = columns.next() {
                accumulator.push_results(&slots, column);
            }
            for (at, column) in columns.by_ref().take(call.carried.len()).enumerate() {
                accumulator.push_carried(&slots, at, column);
            }
        }
        if !self.shared.keep_empty {
            self.out.drop_empty_rows();
        }
        !slots.is_empty()
    }
}

impl lanes::Work for AggregateCursor {
    fn run(&mut self, cx: &mut Context) -> Result<Poll, QueryError> {
        self.state(cx)?;
        Ok(self.gather(cx)?.unwrap_or(Poll::End))
    }
}

impl Cursor for AggregateCursor {
    fn prefetch(&mut self, cx: &mut Context) -> Result<(), QueryError> {
        self.ahead = self.ahead.max(2);
        self.open_ahead(cx)
    }

    fn next(&mut self, cx: &mut Context) -> Result<Poll, QueryError> {
        self.state(cx)?;
        loop {
            if let Some(wait) = self.gather(cx)? {
                return Ok(wait);
            }
            while self.make_page() {
                if self.out.len() > 0 {
                    self.rows_given += self.out.len() as u64;
                    return Ok(Poll::Rows);
                }
            }
            if !self.next_slice() {
                return Ok(Poll::End);
            }
            if let Some(state) = &mut self.state {
                state.empty();
            }
        }
    }

    fn rows(&self) -> Rows<'_> {
        self.out.rows()
    }
}
