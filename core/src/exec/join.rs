//! Groups side by side, a row a time.

use super::cursor::{Ask, ColumnDef, Context, Cursor, Header, Lease, Poll, Rows, Source};
use super::table::{Table, extend, row_bytes};
use super::task::QueryError;
use crate::order::sort_dedup;
use crate::sorted::SortedMap;
use std::sync::Arc;

/// Rows joined in one go.
const JOINED: usize = 4096;

pub(super) struct JoinSource {
    inputs: Vec<Arc<dyn Source>>,
    groups: Vec<Header>,
    /// Which group of each input it joins.
    members: Vec<Vec<Option<u32>>>,
    /// The columns of each input.
    columns: Vec<Arc<[ColumnDef]>>,
    descending: bool,
}

impl JoinSource {
    pub(super) fn new(inputs: Vec<Arc<dyn Source>>, descending: bool, reversed: bool) -> Self {
        let mut found: SortedMap<(usize, Arc<str>, Vec<(String, String)>), Vec<Option<u32>>> = SortedMap::new();
        for (input, source) in inputs.iter().enumerate() {
            for (at, header) in source.groups().iter().enumerate() {
                let members = found.or_default((header.input, Arc::clone(&header.name), header.tags.to_vec()));
                members.resize(inputs.len(), None);
                members[input] = Some(at as u32);
            }
        }
        let columns: Vec<Arc<[ColumnDef]>> = inputs
            .iter()
            .map(|source| source.groups().first().map_or_else(|| Arc::from([]), |first| Arc::clone(&first.columns)))
            .collect();
        let all: Arc<[ColumnDef]> = columns.iter().flat_map(|columns| columns.iter().cloned()).collect();
        let (mut groups, mut members) = (Vec::with_capacity(found.len()), Vec::with_capacity(found.len()));
        for ((input, name, tags), joined) in found {
            let tags = super::cursor::Tags::Named(tags);
            groups.push(Header { name, tags, input, columns: Arc::clone(&all) });
            members.push(joined);
        }
        if reversed {
            groups.reverse();
            members.reverse();
        }
        Self { inputs, groups, members, columns, descending }
    }
}

impl Source for JoinSource {
    fn groups(&self) -> &[Header] {
        &self.groups
    }

    fn tag_keys(&self) -> Vec<String> {
        let mut keys: Vec<_> = self.inputs.iter().flat_map(|input| input.tag_keys()).collect();
        sort_dedup(&mut keys);
        keys
    }

    fn open(&self, group: usize, _: &Ask) -> Box<dyn Cursor> {
        let sides =
            self.members[group].iter().zip(&self.inputs).zip(&self.columns).map(|((member, input), columns)| {
                let cursor = member.map(|member| input.open(member as usize, &Ask::default()));
                Side { ended: cursor.is_none(), cursor, at: 0, to: 0, columns: columns.len() }
            });
        Box::new(JoinCursor {
            sides: sides.collect(),
            descending: self.descending,
            out: Table::new(&self.groups[group].columns),
            row_bytes: row_bytes(&self.groups[group].columns),
            lease: None,
        })
    }
}

struct Side {
    cursor: Option<Box<dyn Cursor>>,
    /// The rows at hand.
    at: usize,
    to: usize,
    ended: bool,
    columns: usize,
}

struct JoinCursor {
    sides: Vec<Side>,
    descending: bool,
    out: Table,
    row_bytes: usize,
    lease: Option<Lease>,
}

impl JoinCursor {
    /// Sees that every side has a row or has ended. Otherwise says what to wait for.
    fn pull(&mut self, cx: &mut Context) -> Result<Option<Poll>, QueryError> {
        for side in &mut self.sides {
            while side.at == side.to && !side.ended {
                let Some(cursor) = &mut side.cursor else { break };
                match cursor.next(cx)? {
                    Poll::Rows => {
                        let rows = cursor.rows();
                        (side.at, side.to) = (rows.from, rows.to);
                    }
                    Poll::Summary => {}
                    Poll::End => side.ended = true,
                    wait => return Ok(Some(wait)),
                }
            }
        }
        Ok(None)
    }
}

impl Cursor for JoinCursor {
    fn prefetch(&mut self, cx: &mut Context) -> Result<(), QueryError> {
        for cursor in self.sides.iter_mut().filter_map(|side| side.cursor.as_mut()) {
            if cx.io.has_room() {
                cursor.prefetch(cx)?;
            }
        }
        Ok(())
    }

    fn next(&mut self, cx: &mut Context) -> Result<Poll, QueryError> {
        if self.lease.is_none() {
            self.lease.insert(cx.memory.lease()).grow(JOINED * self.row_bytes)?;
        }
        self.out.clear();
        while self.out.len() < JOINED {
            if let Some(wait) = self.pull(cx)? {
                return Ok(if self.out.len() > 0 { Poll::Rows } else { wait });
            }
            let heads: Vec<Option<Rows<'_>>> = self
                .sides
                .iter()
                .map(|side| side.cursor.as_ref().filter(|_| side.at < side.to).map(|cursor| cursor.rows()))
                .collect();
            let mut places: Vec<usize> = self.sides.iter().map(|side| side.at).collect();
            // Until a side's rows at hand are used up.
            let mut lacking = false;
            while !lacking && self.out.len() < JOINED {
                let mut next: Option<i64> = None;
                for (rows, at) in heads.iter().zip(&places) {
                    let time = rows.as_ref().filter(|rows| *at < rows.to).map(|rows| rows.times[*at]);
                    next = match (next, time) {
                        (Some(a), Some(b)) => Some(if self.descending { a.max(b) } else { a.min(b) }),
                        (one, other) => one.or(other),
                    };
                }
                let Some(time) = next else { break };
                self.out.times.push(time);
                let mut columns = self.out.columns.iter_mut();
                for ((rows, side), at) in heads.iter().zip(&self.sides).zip(&mut places) {
                    let here = rows.as_ref().filter(|rows| *at < rows.to && rows.times[*at] == time);
                    for view in 0..side.columns {
                        let Some(column) = columns.next() else { break };
                        match here.and_then(|rows| rows.columns.get(view)) {
                            Some(view) => extend(column, *view, *at, *at + 1),
                            None => column.push(None),
                        }
                    }
                    if let Some(rows) = here {
                        *at += 1;
                        lacking |= *at == rows.to;
                    }
                }
            }
            let none_left = heads.iter().all(Option::is_none);
            drop(heads);
            self.sides.iter_mut().zip(places).for_each(|(side, at)| side.at = at);
            if none_left {
                break;
            }
        }
        Ok(if self.out.len() > 0 { Poll::Rows } else { Poll::End })
    }

    fn rows(&self) -> Rows<'_> {
        self.out.rows()
    }
}
