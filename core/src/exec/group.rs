//! Groups of groups, and their rows merged by time.

use super::cursor::{Ask, ColumnDef, Context, Cursor, Header, Lease, Pace, Poll, Rows, Source, Tags, View};
use super::first_rows::FirstRows;
use super::table::{Table, extend, row_bytes};
use super::task::QueryError;
use crate::order::sort_dedup;
use crate::plan::{GroupBy, Listed};
use crate::sorted::SortedMap;
use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
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
            GroupBy::Each | GroupBy::Listed(_) => return Self::listed(input, by),
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
            groups.push(Header { name, tags, input: first.input, columns: Arc::clone(&first.columns) });
            members.push(joined);
        }
        if reversed {
            groups.reverse();
            members.reverse();
        }
        Self { groups, members, tag_keys }
    }

    /// Groups that are said one by one, in their order.
    fn listed(input: &dyn Source, by: &GroupBy) -> Self {
        let headers = input.groups();
        let (groups, members) = match by {
            GroupBy::Listed(listed) => listed_groups(headers, listed),
            _ => (headers.to_vec(), (0..headers.len() as u32).map(|at| vec![at]).collect()),
        };
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
            chosen: Vec::new(),
            descending: self.descending,
            lacking: (0..members.len()).collect(),
            heap: BinaryHeap::new(),
            out: Table::new(&self.grouping.groups[group].columns),
            columns,
            lease: None,
        })
    }
}

struct Member {
    cursor: Box<dyn Cursor>,
    /// Of the rows of its present run, the first of which has number `first` there.
    times: Vec<i64>,
    first: usize,
    /// The next one of them.
    at: usize,
    /// Its place among the members whose rows are being copied.
    place: Cell<usize>,
}

impl Member {
    const fn new(cursor: Box<dyn Cursor>) -> Self {
        Self { cursor, times: Vec::new(), first: 0, at: 0, place: Cell::new(0) }
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
    descending: bool,
    /// Members whose next run is not here yet. None of the others' rows may leave before it is.
    lacking: VecDeque<usize>,
    /// Order of the next row of every other member: of its time, of the member.
    heap: BinaryHeap<Reverse<(i64, usize)>>,
    /// What comes next, still in the members' runs.
    chosen: Vec<Stretch>,
    out: Table,
    columns: Arc<[ColumnDef]>,
    lease: Option<Lease>,
}

impl MergeCursor {
    /// Pulls members until none lacks a run. Otherwise says what to wait for.
    fn pull_lacking(&mut self, cx: &mut Context) -> Result<Option<Poll>, QueryError> {
        while let Some(&member) = self.lacking.front() {
            match self.inputs[member].cursor.next(cx)? {
                Poll::Rows => {
                    let members = self.inputs.len();
                    let Member { cursor, times, first, at, .. } = &mut self.inputs[member];
                    let rows = cursor.rows();
                    times.clear();
                    times.extend_from_slice(rows.times());
                    (*first, *at) = (rows.from, 0);
                    self.heap.push(Reverse(place(times[0], member, members, self.descending)));
                }
                Poll::End | Poll::Summary => {}
                Poll::Need => {
                    self.prefetch(cx)?;
                    return Ok(Some(Poll::Need));
                }
                Poll::Yield => return Ok(Some(Poll::Yield)),
            }
            self.lacking.pop_front();
        }
        Ok(None)
    }
}

impl MergeCursor {
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
                let view = views[input.place.get()][at];
                if to - from == 1 {
                    column.push(view.get(input.first + from));
                } else {
                    extend(column, view, input.first + from, input.first + to);
                }
            }
        }
        self.chosen.clear();
    }
}

/// Rows of one time keep the order of their groups, reversed when descending.
fn place(time: i64, member: usize, members: usize, descending: bool) -> (i64, usize) {
    if descending { (!time, members - member) } else { (time, member) }
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
            let Some(Reverse((_, order))) = self.heap.pop() else { break };
            let members = self.inputs.len();
            let member = if self.descending { members - order } else { order };
            let Member { times, at, .. } = &mut self.inputs[member];
            let most = times.len().min(*at + left);
            let place = |row: usize| place(times[row], member, members, self.descending);
            let mut to = *at + 1;
            match self.heap.peek() {
                Some(Reverse(next)) => {
                    while to < most && place(to) < *next {
                        to += 1;
                    }
                }
                None => to = most,
            }
            if to < times.len() {
                self.heap.push(Reverse(place(to)));
            } else {
                self.lacking.push_back(member);
            }
            self.chosen.push(Stretch { member, from: *at, to });
            left -= to - *at;
            *at = to;
        }
        self.take_chosen();
        Ok(if self.out.len() > 0 { Poll::Rows } else { Poll::End })
    }

    fn rows(&self) -> Rows<'_> {
        self.out.rows()
    }
}
