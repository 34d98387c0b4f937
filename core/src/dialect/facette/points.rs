//! `POST /api/v1/series/points`: the whole graph is computed, then its answer leaves in chunks. So whatever fails is
//! still an error with a status of its own.

use super::compile::compile;
use super::encode::Answer;
use super::error::{self, Error};
use super::request::Request;
use crate::dialect::exchange::{Exchange, Head, Turn};
use crate::dialect::route::Call;
use crate::exec::{Budget, QueryStats, QueryTask, Step};
use crate::limits::{Exceeded, Limits};
use crate::model::Frame;
use crate::store::{Snapshot, WriteError, Written};
use bytes::Bytes;

pub(super) fn points(call: Call) -> Box<dyn Exchange> {
    match Points::new(call) {
        Ok(points) => Box::new(points),
        Err(error) => error::reply(&error),
    }
}

/// A graph being answered.
struct Points {
    answer: Answer,
    limits: Limits,
    /// Raw points so far.
    raw: u64,
    stats: QueryStats,
    state: State,
}

enum State {
    Gathering(Box<QueryTask>),
    /// All is gathered: the head, then chunks.
    Gathered,
    Sending,
    Refused(Box<dyn Exchange>),
}

impl Points {
    fn new(call: Call) -> Result<Self, Error> {
        let snapshot = call.readable();
        let Call { request, config, .. } = call;
        let limits = config.limits.clone();
        let request = Request::read(&request, &limits)?;
        let (plan, outline) = compile(request, &snapshot, &limits)?;
        let task = QueryTask::new(plan, snapshot, &limits)?;
        let state = State::Gathering(Box::new(task));
        Ok(Self { answer: Answer::new(outline), limits, raw: 0, stats: QueryStats::default(), state })
    }

    fn gather(&mut self, budget: Budget) -> Result<Option<Turn>, Error> {
        let State::Gathering(task) = &mut self.state else { return Ok(None) };
        match task.step(budget)? {
            Step::Need(ranges) => return Ok(Some(Turn::Read(ranges))),
            Step::Yield => return Ok(Some(Turn::Yield)),
            Step::Frame(frame) => self.take(frame)?,
            Step::Done(stats) => {
                self.stats = stats;
                self.state = State::Gathered;
            }
        }
        Ok(None)
    }

    fn take(&mut self, frame: Frame) -> Result<(), Exceeded> {
        let rows = frame.rows() as u64;
        let Some(points) = self.answer.take(frame) else { return Ok(()) };
        self.raw += rows;
        for (limit, asked, allowed) in [
            ("series-points", points as u64, self.limits.max_sample),
            ("graph-points", self.raw, self.limits.max_total_samples),
        ] {
            if asked > allowed {
                return Err(Exceeded { limit, asked, allowed });
            }
        }
        Ok(())
    }
}

impl Exchange for Points {
    fn turn(&mut self, budget: Budget) -> Turn {
        loop {
            match &mut self.state {
                State::Gathering(_) => match self.gather(budget) {
                    Ok(Some(turn)) => return turn,
                    Ok(None) => {}
                    Err(error) => self.state = State::Refused(error::reply(&error)),
                },
                State::Gathered => {
                    self.state = State::Sending;
                    return Turn::Head(Head { status: 200, headers: error::headers(), complete: false });
                }
                State::Sending => {
                    return self.answer.next_chunk().map_or(Turn::Done(self.stats), |bytes| Turn::Chunk(bytes.into()));
                }
                State::Refused(reply) => return reply.turn(budget),
            }
        }
    }

    fn supply(&mut self, bytes: Result<Vec<Bytes>, String>) {
        let State::Gathering(task) = &mut self.state else { return };
        match bytes {
            Ok(bytes) => task.supply(bytes),
            Err(_) => self.state = State::Refused(error::reply(&Error::Unhandled)),
        }
    }

    fn wrote(&mut self, _outcome: Result<Written, WriteError>, _snapshot: Snapshot) {}
}
