//! The first rows of many series by time, when no more are wanted: one series is read at a time, so memory is that of
//! the rows and not of a block for each series.

use super::cursor::{Ask, ColumnDef, Context, Cursor, Lease, Poll, Rows, Source};
use super::table::{Table, row_bytes};
use super::task::QueryError;
use std::collections::VecDeque;
use std::sync::Arc;

/// Series opened, and their bytes asked for, ahead.
const AHEAD: usize = 16;

pub(super) struct FirstRows {
    input: Arc<dyn Source>,
    members: Vec<u32>,
    opened: usize,
    cursors: VecDeque<Box<dyn Cursor>>,
    most: usize,
    descending: bool,
    /// The first rows of the members done, and those of the one being read.
    kept: Table,
    new: Table,
    columns: Arc<[ColumnDef]>,
    lease: Option<Lease>,
    given: bool,
}

impl FirstRows {
    pub(super) fn new(
        input: Arc<dyn Source>,
        members: Vec<u32>,
        columns: Arc<[ColumnDef]>,
        most: usize,
        descending: bool,
    ) -> Self {
        let (kept, new) = (Table::new(&columns), Table::new(&columns));
        let cursors = VecDeque::new();
        Self { input, members, opened: 0, cursors, most, descending, kept, new, columns, lease: None, given: false }
    }

    fn order(&self, time: i64) -> i64 {
        if self.descending { !time } else { time }
    }

    /// Takes rows of the member at hand. False if none of its later rows can count.
    fn take(&mut self, rows: &Rows<'_>) -> bool {
        let room = self.most - self.new.len();
        let last = (self.kept.len() >= self.most).then(|| self.order(self.kept.times[self.most - 1]));
        // Of rows of one time those of the member that comes first go first: here that is the one kept, or descending
        // the new one.
        let counts = |time: &i64| match last {
            Some(last) if self.descending => self.order(*time) <= last,
            Some(last) => self.order(*time) < last,
            None => true,
        };
        let taken = rows.times().partition_point(counts).min(room);
        self.new.extend(&Rows { to: rows.from + taken, ..rows.clone() });
        taken == rows.len() && taken < room
    }

    /// Joins the member's rows to those kept.
    fn join(&mut self) {
        let (first, second) = if self.descending { (&self.new, &self.kept) } else { (&self.kept, &self.new) };
        let mut both = first.clone();
        both.extend(&second.rows());
        let mut order: Vec<u32> = (0..both.len() as u32).collect();
        let order_of = |row: u32| self.order(both.times[row as usize]);
        crate::order::sort(&mut order, &mut |a, b| order_of(a).cmp(&order_of(b)));
        order.truncate(self.most);
        self.kept.clear();
        self.kept.gather(&both.rows(), &order);
        self.new.clear();
    }
}

impl Cursor for FirstRows {
    fn prefetch(&mut self, cx: &mut Context) -> Result<(), QueryError> {
        while self.opened < self.members.len() && self.cursors.len() < AHEAD && cx.io.has_room() {
            let mut cursor = self.input.open(self.members[self.opened] as usize, &Ask::default());
            cursor.prefetch(cx)?;
            self.cursors.push_back(cursor);
            self.opened += 1;
        }
        Ok(())
    }

    fn next(&mut self, cx: &mut Context) -> Result<Poll, QueryError> {
        if self.given {
            return Ok(Poll::End);
        }
        if self.lease.is_none() {
            self.lease.insert(cx.memory.lease()).grow(self.most.saturating_mul(4 * row_bytes(&self.columns)))?;
        }
        loop {
            self.prefetch(cx)?;
            if self.cursors.is_empty() && self.opened < self.members.len() {
                self.cursors.push_back(self.input.open(self.members[self.opened] as usize, &Ask::default()));
                self.opened += 1;
            }
            let Some(mut cursor) = self.cursors.pop_front() else { break };
            let more = match cursor.next(cx)? {
                Poll::Rows => self.take(&cursor.rows()),
                Poll::End => false,
                Poll::Summary => true,
                wait => {
                    self.cursors.push_front(cursor);
                    return Ok(wait);
                }
            };
            if more {
                self.cursors.push_front(cursor);
            } else {
                self.join();
            }
        }
        self.given = true;
        Ok(if self.kept.len() > 0 { Poll::Rows } else { Poll::End })
    }

    fn rows(&self) -> Rows<'_> {
        self.kept.rows()
    }
}
