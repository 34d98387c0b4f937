//! Groups of groups, and their rows merged by time.

use super::cursor::{Ask, ColumnDef, Context, Cursor, Header, Lease, Pace, Poll, Rows, Source, Tags, View};
use super::first_rows::FirstRows;
use super::heap::Heap;
use super::table::{Table, extend, row_bytes};
use super::task::QueryError;
use crate::order::sort_dedup;
use crate::plan::{GroupBy, Listed, Ties};
use crate::sorted::SortedMap;
use crate::value::Value;
use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;

/// Rows merged in one go.
const MERGED: usize = 4096;

/// Groups made of an input's groups, in order, and the tags they are made by.
pub(super) struct Grouping {
    pub(super) groups: Vec<Header>,
    /// Which groups of the input each joins.
    pub(super) members: Vec<Vec<u32>>,
    pub(super) tag_keys: Vec<String>,
}

impl Grouping {
    pub(super) fn new(input: &dyn Source, by: &GroupBy, reversed: bool) -> Self {
        let mut tag_keys = match by {
            GroupBy::Each | GroupBy::Listed(_) => return Self::listed(input, by, reversed),
            GroupBy::Nothing => Vec::new(),
            GroupBy::Tags(keys) => keys.clone(),
            GroupBy::AllTags => input.tag_keys(),
        };
        sort_dedup(&mut tag_keys);
        let mut found: SortedMap<(Arc<str>, Vec<String>), Vec<u32>> = SortedMap::new();
        for (at, header) in input.groups().iter().enumerate() {
            let values = tag_keys.iter().map(|key| header.tags.get(key).unwrap_or_default().into_owned());
            found.or_default((Arc::clone(&header.name), values.collect())).push(at as u32);
        }
        let (mut groups, mut members) = (Vec::with_capacity(found.len()), Vec::with_capacity(found.len()));
        for ((name, values), joined) in found {
            let first = &input.groups()[joined[0] as usize];
            let tags = Tags::Named(tag_keys.iter().cloned().zip(values).collect());
            groups.push(Header { name, tags, input: 0, columns: Arc::clone(&first.columns) });
            members.push(joined);
        }
        if reversed {
            groups.reverse();
            members.reverse();
        }
        Self { groups, members, tag_keys }
    }

    /// Groups that are said one by one, in their order.
    fn listed(input: &dyn Source, by: &GroupBy, reversed: bool) -> Self {
        let headers = input.groups();
        let (mut groups, mut members) = match by {
            GroupBy::Listed(listed) => listed_groups(headers, listed),
            _ => (headers.to_vec(), (0..headers.len() as u32).map(|at| vec![at]).collect()),
        };
        if reversed {
            groups.reverse();
            members.reverse();
        }
        Self { groups, members, tag_keys: input.tag_keys() }
    }
}

/// The headers of listed groups, and their members. A group without members has the columns of the first group.
pub(super) fn listed_groups(headers: &[Header], listed: &[Listed]) -> (Vec<Header>, Vec<Vec<u32>>) {
    let (mut groups, mut members) = (Vec::with_capacity(listed.len()), Vec::with_capacity(listed.len()));
    for group in listed {
        let there: Vec<u32> = group.members.iter().copied().filter(|at| (*at as usize) < headers.len()).collect();
        let Some(first) = headers.get(there.first().map_or(0, |at| *at as usize)) else { continue };
        groups.push(Header { tags: Tags::Named(group.tags.clone()), ..first.clone() });
        members.push(there);
    }
    (groups, members)
}

pub(super) struct GroupSource {
    pub(super) input: Arc<dyn Source>,
    pub(super) grouping: Grouping,
    pub(super) descending: bool,
    pub(super) ties: Ties,
    /// No more rows of a group than this will be asked for.
    pub(super) most_rows: Option<u64>,
}

/// With more groups than this, and few rows asked for, they are read one after the other.
const MANY: usize = 16;
/// So many groups may hold whole blocks at the same time.
const FEW_GROUPS: usize = 8;
/// Few rows.
const FEW: u64 = 1 << 16;

impl Source for GroupSource {
    fn groups(&self) -> &[Header] {
        &self.grouping.groups
    }

    fn tag_keys(&self) -> Vec<String> {
        self.grouping.tag_keys.clone()
    }

    fn open(&self, group: usize, ask: &Ask) -> Box<dyn Cursor> {
        let members = &self.grouping.members[group];
        if let [only] = members[..] {
            return self.input.open(only as usize, &ask.without_wish());
        }
        if self.ties == Ties::Apart {
            return Box::new(ApartCursor {
                input: Arc::clone(&self.input),
                members: members.clone().into(),
                open: None,
            });
        }
        let columns = Arc::clone(&self.grouping.groups[group].columns);
        if let Some(most) = self.most_rows.filter(|most| (1..=FEW).contains(most) && members.len() > MANY) {
            let input = Arc::clone(&self.input);
            return Box::new(FirstRows::new(input, members.clone(), columns, most as usize, self.descending));
        }
        // All of them are read at the same time.
        let pace = if members.len() > FEW_GROUPS { Pace::Narrow } else { Pace::Growing };
        let ask = Ask { pace, ..ask.without_wish() };
        Box::new(MergeCursor {
            inputs: members.iter().map(|at| Member::new(self.input.open(*at as usize, &ask))).collect(),
            keys: vec![0; members.len()],
            order: Order { descending: self.descending, ties: self.ties.clone() },
            lacking: (0..members.len()).collect(),
            heap: None,
            chosen: Vec::new(),
            out: Table::new(&self.grouping.groups[group].columns),
            columns,
            lease: None,
        })
    }
}

/// Members one after the other.
struct ApartCursor {
    input: Arc<dyn Source>,
    /// Those to come.
    members: VecDeque<u32>,
    open: Option<Box<dyn Cursor>>,
}

impl Cursor for ApartCursor {
    fn next(&mut self, cx: &mut Context) -> Result<Poll, QueryError> {
        loop {
            let cursor = match &mut self.open {
                Some(cursor) => cursor,
                None => match self.members.pop_front() {
                    Some(member) => self.open.insert(self.input.open(member as usize, &Ask::default())),
                    None => return Ok(Poll::End),
                },
            };
            match cursor.next(cx)? {
                Poll::End => self.open = None,
                poll => return Ok(poll),
            }
        }
    }

    fn rows(&self) -> Rows<'_> {
        let none = Rows { times: &[], columns: Vec::new(), from: 0, to: 0 };
        self.open.as_ref().map_or(none, |cursor| cursor.rows())
    }
}

struct Member {
    cursor: Box<dyn Cursor>,
    /// Of the rows of its present run, the first of which has number `first` there.
    times: Vec<i64>,
    first: usize,
    /// The next one of them.
    at: usize,
    /// Whether it has one.
    there: bool,
    /// What the texts that order equal times are in all rows of the run, if they are the same in all.
    texts: Option<Vec<Option<Box<str>>>>,
    /// Its place among the members whose rows are being copied.
    place: Cell<usize>,
}

impl Member {
    const fn new(cursor: Box<dyn Cursor>) -> Self {
        Self { cursor, times: Vec::new(), first: 0, at: 0, there: false, texts: None, place: Cell::new(0) }
    }
}

/// Rows of a member's run, by their place in its times.
#[derive(Clone, Copy)]
struct Stretch {
    member: usize,
    from: usize,
    to: usize,
}

struct MergeCursor {
    inputs: Vec<Member>,
    /// Of each member where its next row lies in the order of time.
    keys: Vec<i64>,
    order: Order,
    /// Members whose next run is not here yet. None of the others' rows may leave before it is.
    lacking: VecDeque<usize>,
    /// The members that have a row; none until all were asked for their first.
    heap: Option<Heap>,
    /// What comes next, still in the members' runs.
    chosen: Vec<Stretch>,
    out: Table,
    columns: Arc<[ColumnDef]>,
    lease: Option<Lease>,
}

/// The order of members by their next rows.
struct Order {
    descending: bool,
    ties: Ties,
}

impl Order {
    fn key(&self, time: i64) -> i64 {
        if self.descending { !time } else { time }
    }

    fn less(&self, inputs: &[Member], keys: &[i64], a: usize, b: usize) -> bool {
        match keys[a].cmp(&keys[b]) {
            Ordering::Less => true,
            Ordering::Greater => false,
            Ordering::Equal => match &self.ties {
                Ties::InOrder => (a < b) != self.descending,
                Ties::Heap { texts } => self.less_text(texts, &inputs[a], &inputs[b]),
                Ties::Apart => false,
            },
        }
    }

    fn less_text(&self, texts: &[usize], a: &Member, b: &Member) -> bool {
        if texts.is_empty() {
            return false;
        }
        if let (Some(a), Some(b)) = (&a.texts, &b.texts) {
            let first = a.iter().zip(b).find(|(one, two)| one != two || one.is_none());
            return match first {
                Some((Some(one), Some(two))) => (one < two) != self.descending,
                _ => false,
            };
        }
        let (a_rows, b_rows) = (a.cursor.rows(), b.cursor.rows());
        for column in texts {
            let one = a_rows.columns.get(*column).and_then(|view| view.get(a.first + a.at));
            let two = b_rows.columns.get(*column).and_then(|view| view.get(b.first + b.at));
            let (Some(Value::String(one)), Some(Value::String(two))) = (one, two) else { return false };
            if one != two {
                return (one < two) != self.descending;
            }
        }
        false
    }

    /// The texts that order equal times, where all rows have the same.
    fn fixed_texts(&self, rows: &Rows<'_>) -> Option<Vec<Option<Box<str>>>> {
        let Ties::Heap { texts } = &self.ties else { return None };
        let fixed = texts.iter().map(|column| match rows.columns.get(*column) {
            Some(View::Constant(Value::String(text))) => Some(Some(Box::from(*text))),
            Some(View::Column(_)) => None,
            _ => Some(None),
        });
        fixed.collect()
    }

    /// Whether rows of a member may leave one after the other without being put back, as long as they come before
    /// those of all others.
    fn may_run(&self, others: usize) -> bool {
        // Two or more others change places whenever a row leaves.
        others < 2 || self.ties == Ties::InOrder
    }
}

impl MergeCursor {
    /// Pulls members until none lacks a run. Otherwise says what to wait for.
    fn pull_lacking(&mut self, cx: &mut Context) -> Result<Option<Poll>, QueryError> {
        while let Some(&member) = self.lacking.front() {
            match self.inputs[member].cursor.next(cx)? {
                Poll::Rows => {
                    let Member { cursor, times, first, at, there, texts, .. } = &mut self.inputs[member];
                    let rows = cursor.rows();
                    times.clear();
                    times.extend_from_slice(rows.times());
                    (*first, *at, *there) = (rows.from, 0, true);
                    *texts = self.order.fixed_texts(&rows);
                    self.keys[member] = self.order.key(times[0]);
                    if let Some(heap) = &mut self.heap {
                        heap.push(member, &|a, b| self.order.less(&self.inputs, &self.keys, a, b));
                    }
                }
                Poll::End | Poll::Summary => self.inputs[member].there = false,
                Poll::Need => {
                    self.prefetch(cx)?;
                    return Ok(Some(Poll::Need));
                }
                Poll::Yield => return Ok(Some(Poll::Yield)),
            }
            self.lacking.pop_front();
        }
        if self.heap.is_none() {
            let mut first: Vec<usize> = (0..self.inputs.len()).filter(|member| self.inputs[*member].there).collect();
            if self.order.descending {
                first.reverse();
            }
            let mut heap = Heap::default();
            heap.fill(first, &|a, b| self.order.less(&self.inputs, &self.keys, a, b));
            self.heap = Some(heap);
        }
        Ok(None)
    }

    /// The next rows of one member. They leave the heap, and the member is put back unless its run is used up.
    fn take(&mut self, room: usize) -> Option<Stretch> {
        let Self { inputs, keys, order, heap, lacking, .. } = self;
        let heap = heap.as_mut()?;
        let member = heap.pop(&|a, b| order.less(inputs, keys, a, b))?;
        let (from, end) = (inputs[member].at, inputs[member].times.len());
        let most = end.min(from + room);
        let mut to = from + 1;
        if order.may_run(heap.len()) {
            let times = &inputs[member].times;
            match heap.first() {
                None => to = most,
                Some(other) => {
                    // Equal rows stop the run: who goes first is for the heap to say.
                    while to < most && order.key(times[to]) < keys[other] {
                        to += 1;
                    }
                }
            }
            if to < end {
                keys[member] = order.key(times[to]);
                inputs[member].at = to;
                heap.push(member, &|a, b| order.less(inputs, keys, a, b));
            }
        } else {
            while to < end {
                keys[member] = order.key(inputs[member].times[to]);
                inputs[member].at = to;
                heap.push(member, &|a, b| order.less(inputs, keys, a, b));
                if to == most || heap.first() != Some(member) {
                    break;
                }
                heap.pop(&|a, b| order.less(inputs, keys, a, b));
                to += 1;
            }
        }
        if to == end {
            lacking.push_back(member);
        }
        inputs[member].at = to;
        Some(Stretch { member, from, to })
    }

    /// Copies the rows chosen, column by column.
    fn take_chosen(&mut self) {
        // The members met, and the columns of each.
        let (mut met, mut views): (Vec<usize>, Vec<Vec<View<'_>>>) = (Vec::new(), Vec::new());
        for stretch in &self.chosen {
            let input = &self.inputs[stretch.member];
            if met.get(input.place.get()) != Some(&stretch.member) {
                input.place.set(met.len());
                met.push(stretch.member);
                views.push(input.cursor.rows().columns);
            }
            self.out.times.extend_from_slice(&input.times[stretch.from..stretch.to]);
        }
        for (at, column) in self.out.columns.iter_mut().enumerate() {
            for Stretch { member, from, to } in &self.chosen {
                let input = &self.inputs[*member];
                extend(column, views[input.place.get()][at], input.first + from, input.first + to);
            }
        }
        self.chosen.clear();
    }
}

impl Cursor for MergeCursor {
    fn prefetch(&mut self, cx: &mut Context) -> Result<(), QueryError> {
        for member in &self.lacking {
            if cx.io.has_room() {
                self.inputs[*member].cursor.prefetch(cx)?;
            }
        }
        Ok(())
    }

    fn next(&mut self, cx: &mut Context) -> Result<Poll, QueryError> {
        if self.lease.is_none() {
            let lease = self.lease.insert(cx.memory.lease());
            lease.grow(MERGED * row_bytes(&self.columns))?;
        }
        self.out.clear();
        let mut left = MERGED;
        while left > 0 {
            if !self.lacking.is_empty() {
                // A pull ends the run that its rows are in.
                self.take_chosen();
                if let Some(wait) = self.pull_lacking(cx)? {
                    return Ok(if self.out.len() > 0 { Poll::Rows } else { wait });
                }
            }
            let Some(stretch) = self.take(left) else { break };
            left -= stretch.to - stretch.from;
            self.chosen.push(stretch);
        }
        self.take_chosen();
        Ok(if self.out.len() > 0 { Poll::Rows } else { Poll::End })
    }

    fn rows(&self) -> Rows<'_> {
        self.out.rows()
    }
}
