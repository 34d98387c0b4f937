//! Work done side by side on threads that the host lends.
//!
//! A lane has all it needs for itself: its cursors, its bytes, its count of rows. Which lanes there are follows from the
//! data alone, and what they come to is taken in their order, so that nothing shows how many threads there were.

use super::cursor::{Context, Poll, Ticket};
use super::task::QueryError;
use crate::store::ByteRange;
use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Threads of a host.
pub trait Pool: Debug + Sync {
    /// Calls `job` with each number below `jobs`, each once, in any order and on any threads, and returns when all calls
    /// have returned.
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync));

    /// Rows that a query has looked at before the rest is shared out: less is done before another thread has begun.
    fn worth(&self) -> u64 {
        16_384
    }
}

/// Lanes at the same time.
pub(super) const MOST: usize = 16;

/// What a lane does.
pub(super) trait Work: Send {
    /// Goes on: to [`Poll::Rows`] when something is ready to be taken, and no further before it is.
    fn run(&mut self, cx: &mut Context) -> Result<Poll, QueryError>;
}

#[derive(Debug)]
pub(super) struct Lane<W> {
    pub(super) work: W,
    cx: Context,
    /// What the last run came to.
    outcome: Result<Poll, QueryError>,
    /// Bytes asked for in its name.
    waits: Option<(Ticket, Vec<ByteRange>)>,
}

/// Lanes in the order in which they are taken.
#[derive(Debug)]
pub(super) struct Lanes<W> {
    lanes: VecDeque<Mutex<Lane<W>>>,
}

impl<W: Work> Lanes<W> {
    pub(super) const fn new() -> Self {
        Self { lanes: VecDeque::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.lanes.len()
    }

    pub(super) fn push(&mut self, work: W, cx: &Context) {
        let lane = Lane { work, cx: cx.beside(), outcome: Ok(Poll::Yield), waits: None };
        self.lanes.push_back(Mutex::new(lane));
    }

    /// The first lane and what it came to.
    pub(super) fn front(&mut self) -> Option<(&mut W, Result<Poll, QueryError>)> {
        let lane = self.lanes.front_mut()?.get_mut().unwrap_or_else(PoisonError::into_inner);
        Some((&mut lane.work, lane.outcome.clone()))
    }

    /// What the first lane had ready was taken: it goes on in the next run.
    pub(super) fn front_taken(&mut self) {
        if let Some(lane) = self.lanes.front_mut() {
            let lane = lane.get_mut().unwrap_or_else(PoisonError::into_inner);
            if lane.outcome == Ok(Poll::Rows) {
                lane.outcome = Ok(Poll::Yield);
            }
        }
    }

    pub(super) fn pop(&mut self) -> Option<W> {
        let lane = self.lanes.pop_front()?.into_inner().unwrap_or_else(PoisonError::into_inner);
        Some(lane.work)
    }

    /// Lets all lanes go on that can, and asks for the bytes they lack.
    pub(super) fn run(&mut self, cx: &mut Context) {
        for lane in &mut self.lanes {
            lane.get_mut().unwrap_or_else(PoisonError::into_inner).receive(cx);
        }
        let job = |at: usize| {
            if let Some(lane) = self.lanes.get(at) {
                lock(lane).run();
            }
        };
        match cx.pool {
            Some(pool) => pool.run(self.lanes.len(), &job),
            None => (0..self.lanes.len()).for_each(job),
        }
        for lane in &mut self.lanes {
            lane.get_mut().unwrap_or_else(PoisonError::into_inner).report(cx);
        }
    }
}

/// A panic of a lane has ended the query that would look at it.
fn lock<W>(lane: &Mutex<Lane<W>>) -> MutexGuard<'_, Lane<W>> {
    lane.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<W: Work> Lane<W> {
    fn receive(&mut self, cx: &mut Context) {
        self.cx.budget = cx.budget;
        let Some((ticket, ranges)) = self.waits.take() else { return };
        match cx.io.take(ticket) {
            None => self.waits = Some((ticket, ranges)),
            Some(parts) => {
                // A part that did not come is found short when it is decoded.
                let part = |range: &ByteRange| parts.iter().find(|(came, _)| came == range);
                let bytes = ranges.iter().map(|range| part(range).map(|(_, bytes)| bytes.clone()).unwrap_or_default());
                self.cx.io.supply(bytes.collect());
            }
        }
    }

    fn run(&mut self) {
        if self.waits.is_none() && matches!(self.outcome, Ok(Poll::Need | Poll::Yield | Poll::Summary)) {
            self.outcome = self.work.run(&mut self.cx);
        }
    }

    fn report(&mut self, cx: &mut Context) {
        if self.outcome == Ok(Poll::Need) && self.waits.is_none() {
            // The bytes are counted where they are asked of the host.
            let ranges = self.cx.io.ask(&mut Default::default());
            self.waits = Some((cx.io.want(ranges.iter().cloned()), ranges));
        }
        cx.stats.add(&std::mem::take(&mut self.cx.stats));
    }
}
