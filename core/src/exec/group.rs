//! Groups of groups, and their rows merged by time.

use super::cursor::{ColumnDef, Context, Cursor, Header, Lease, Poll, Rows, Source, Tags, Wish};
use super::first_rows::FirstRows;
use super::table::{Table, row_bytes};
use super::task::QueryError;
use crate::order::sort_dedup;
use crate::plan::{GroupBy, Listed};
use crate::sorted::SortedMap;
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
/// Few rows.
const FEW: u64 = 1 << 16;

impl Source for GroupSource {
    fn groups(&self) -> &[Header] {
        &self.grouping.groups
    }

    fn tag_keys(&self) -> Vec<String> {
        self.grouping.tag_keys.clone()
    }

    fn open(&self, group: usize, _: Option<&Arc<Wish>>) -> Box<dyn Cursor> {
        let members = &self.grouping.members[group];
        if let [only] = members[..] {
            return self.input.open(only as usize, None);
        }
        let columns = Arc::clone(&self.grouping.groups[group].columns);
        if let Some(most) = self.most_rows.filter(|most| (1..=FEW).contains(most) && members.len() > MANY) {
            let input = Arc::clone(&self.input);
            return Box::new(FirstRows::new(input, members.clone(), columns, most as usize, self.descending));
        }
        Box::new(MergeCursor {
            inputs: members.iter().map(|at| Member { cursor: self.input.open(*at as usize, None), at: 0 }).collect(),
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
    /// The next row of its present run.
    at: usize,
}

struct MergeCursor {
    inputs: Vec<Member>,
    descending: bool,
    /// Members whose next run is not here yet. None of the others' rows may leave before it is.
    lacking: VecDeque<usize>,
    /// Order of the next row of every other member: of its time, of the member.
    heap: BinaryHeap<Reverse<(i64, usize)>>,
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
                    let (rows, last) = (self.inputs[member].cursor.rows(), self.inputs.len());
                    let place = place(rows.times[rows.from], member, last, self.descending);
                    self.inputs[member].at = rows.from;
                    self.heap.push(Reverse(place));
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
        while self.out.len() < MERGED {
            if let Some(wait) = self.pull_lacking(cx)? {
                return Ok(if self.out.len() > 0 { Poll::Rows } else { wait });
            }
            let Some(Reverse((_, order))) = self.heap.pop() else { break };
            let members = self.inputs.len();
            let member = if self.descending { members - order } else { order };
            let input = &mut self.inputs[member];
            let mut rows = input.cursor.rows();
            let end = rows.to;
            let most = end.min(input.at + MERGED - self.out.len());
            let place = |row: usize| place(rows.times[row], member, members, self.descending);
            let mut to = input.at + 1;
            match self.heap.peek() {
                Some(Reverse(next)) => {
                    while to < most && place(to) < *next {
                        to += 1;
                    }
                }
                None => to = most,
            }
            if to < end {
                self.heap.push(Reverse(place(to)));
            } else {
                self.lacking.push_back(member);
            }
            (rows.from, rows.to) = (input.at, to);
            self.out.extend(&rows);
            input.at = to;
        }
        Ok(if self.out.len() > 0 { Poll::Rows } else { Poll::End })
    }

    fn rows(&self) -> Rows<'_> {
        self.out.rows()
    }
}
