//! Rows to one row per bucket, over all series of a group, in whatever order they come.

use super::accumulate::{Accumulator, Cut, OUTSIDE, Slots};
use super::bucket::{Buckets, NOWHERE};
use super::cursor::{ColumnDef, Context, Cursor, Header, Lease, Poll, Rows, Source, Wish};
use super::group::Grouping;
use super::table::Table;
use super::task::QueryError;
use crate::limits::Exceeded;
use crate::plan::{Bucket, Call, Function, GroupBy, ReportedTime};
use crate::value::FieldType;
use std::collections::VecDeque;
use std::sync::Arc;

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
    /// `None`: every instant.
    bucket: Option<Bucket>,
    calls: Vec<Call>,
    time: ReportedTime,
    descending: bool,
    keep_empty: bool,
}

impl AggregateSource {
    pub(super) fn new(
        input: Arc<dyn Source>,
        by: &GroupBy,
        bucket: Bucket,
        calls: Vec<Call>,
        time: ReportedTime,
        descending: bool,
        reversed: bool,
    ) -> Self {
        let Grouping { mut groups, members, tag_keys } = Grouping::new(&*input, by, reversed);
        for header in &mut groups {
            header.columns = calls.iter().flat_map(|call| outputs(call, &header.columns)).collect();
        }
        let shared = Shared { input, bucket: Some(bucket), calls, time, descending, keep_empty: false };
        Self { groups, members, tag_keys, shared: Arc::new(shared) }
    }

    /// All groups as one, an instant a bucket, `function` over each column.
    pub(super) fn across(input: Arc<dyn Source>, function: Function, name: String, descending: bool) -> Self {
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
        let shared = Shared { input, bucket: None, calls, time, descending, keep_empty: true };
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

    fn open(&self, group: usize, _: Option<&Arc<Wish>>) -> Box<dyn Cursor> {
        Box::new(AggregateCursor {
            shared: Arc::clone(&self.shared),
            members: self.members[group].clone(),
            opened: 0,
            inputs: VecDeque::new(),
            ahead: 1,
            state: None,
            out: Table::new(&self.groups[group].columns),
            given: 0,
        })
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
    /// Buckets given out.
    given: usize,
}

struct State {
    /// Its buckets are the aggregate's.
    wish: Arc<Wish>,
    /// Whether it is one.
    takes_summaries: bool,
    slots: Slots,
    accumulators: Vec<Accumulator>,
    lease: Lease,
    numbers: Vec<i64>,
    ends: Vec<u32>,
    slot_of: Vec<u32>,
}

impl State {
    fn new(shared: &Shared, columns: &[ColumnDef], cx: &Context) -> Result<Self, QueryError> {
        let buckets = match &shared.bucket {
            Some(bucket) => Buckets::new(bucket, cx.most_points),
            None => Buckets::Instants,
        };
        let accumulators = shared.calls.iter().enumerate().map(|(at, call)| {
            let field_type = columns.get(call.argument).map_or(FieldType::Float, |column| column.field_type);
            Accumulator::new(call, field_type, at == 0 && shared.time == ReportedTime::Selected)
        });
        let accumulators = accumulators.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            wish: Arc::new(Wish {
                buckets,
                values_of: accumulators.iter().filter_map(Accumulator::needs_values).collect(),
            }),
            takes_summaries: shared.bucket.is_some() && accumulators.iter().all(Accumulator::takes_summaries),
            slots: Slots::default(),
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
            accumulator.resize(self.slots.len(), &mut self.lease)?;
        }
        Ok(())
    }
}

impl AggregateCursor {
    fn state(&mut self, cx: &Context) -> Result<&mut State, QueryError> {
        if self.state.is_none() {
            let first = self.members.first().map(|member| &self.shared.input.groups()[*member as usize]);
            self.state = Some(State::new(&self.shared, first.map_or(&[], |header| &*header.columns), cx)?);
        }
        Ok(self.state.as_mut().expect("set above"))
    }

    /// Opens the next inputs, as far ahead as is worth it.
    fn open_ahead(&mut self, cx: &mut Context) -> Result<(), QueryError> {
        let state = self.state(cx)?;
        let wish = state.takes_summaries.then(|| Arc::clone(&state.wish));
        while self.opened < self.members.len() && self.inputs.len() < self.ahead {
            if !self.inputs.is_empty() && !cx.io.has_room() {
                break;
            }
            let mut input = self.shared.input.open(self.members[self.opened] as usize, wish.as_ref());
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
            self.open_ahead(cx)?;
            let Some(input) = self.inputs.front_mut() else { return Ok(None) };
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
                    self.ahead = (self.ahead * 2).min(AHEAD);
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
        let left = order.len() - self.given;
        let page = left.min(PAGE);
        let page =
            if self.shared.descending { &order[left - page..left] } else { &order[self.given..self.given + page] };
        self.given += page.len();
        let (mut numbers, mut slots): (Vec<i64>, Vec<u32>) = page.iter().copied().unzip();
        if self.shared.descending {
            numbers.reverse();
            slots.reverse();
        }
        self.out.clear();
        let selected = |slot: u32| state.accumulators.first().and_then(|first| first.time(slot));
        let label = |number: i64| state.wish.buckets.label(number);
        match self.shared.time {
            ReportedTime::BucketStart => self.out.times.extend(numbers.iter().map(|number| label(*number))),
            ReportedTime::Fixed(time) => self.out.times.resize(slots.len(), time),
            ReportedTime::Selected => {
                let times =
                    numbers.iter().zip(&slots).map(|(number, slot)| selected(*slot).unwrap_or_else(|| label(*number)));
                self.out.times.extend(times);
            }
        }
        let mut columns = self.out.columns.iter_mut();
        for (accumulator, call) in state.accumulators.iter().zip(&self.shared.calls) {
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

impl Cursor for AggregateCursor {
    fn prefetch(&mut self, cx: &mut Context) -> Result<(), QueryError> {
        self.ahead = self.ahead.max(2);
        self.open_ahead(cx)
    }

    fn next(&mut self, cx: &mut Context) -> Result<Poll, QueryError> {
        self.state(cx)?;
        if let Some(wait) = self.gather(cx)? {
            return Ok(wait);
        }
        while self.make_page() {
            if self.out.len() > 0 {
                return Ok(Poll::Rows);
            }
        }
        Ok(Poll::End)
    }

    fn rows(&self) -> Rows<'_> {
        self.out.rows()
    }
}
