//! A compiled graph being computed, series by series, under the limits of a graph.

use super::compile::{Outline, compile};
use super::encode::Answer;
use super::error::Error;
use super::expand::Expander;
use super::library::Shelf;
use super::request::Request;
use crate::dialect::exchange::ApiConfig;
use crate::exec::{Budget, QueryStats, QueryTask, Step};
use crate::limits::{Exceeded, Limits};
use crate::model::Frame;
use crate::store::{ByteRange, Snapshot};
use bytes::Bytes;

/// The answer to a request, as far as it has come.
pub(super) struct Gathering {
    task: Box<QueryTask>,
    answer: Answer,
    limits: Limits,
    /// Raw points so far.
    raw: u64,
}

/// What a step came to.
pub(super) enum Gathered {
    Need(Vec<ByteRange>),
    Yield,
    Done(QueryStats),
}

impl Gathering {
    /// Begins over a view that has what the caller may read. Also gives origin, source and metric of the series that
    /// the catalog does not know.
    pub(super) fn new(
        mut request: Request,
        snapshot: Snapshot,
        shelf: &Shelf,
        config: &ApiConfig,
    ) -> Result<(Self, Vec<[String; 3]>), Error> {
        Expander::new(&snapshot, shelf, config).expand(&mut request.graph)?;
        let (plan, mut outline): (_, Outline) = compile(request, &snapshot, config)?;
        let unknown = std::mem::take(&mut outline.unknown);
        let limits = config.limits.clone();
        let task = Box::new(QueryTask::new(plan, snapshot, &limits)?);
        Ok((Self { task, answer: Answer::new(outline), limits, raw: 0 }, unknown))
    }

    pub(super) fn step(&mut self, budget: Budget) -> Result<Gathered, Error> {
        loop {
            match self.task.step(budget)? {
                Step::Need(ranges) => return Ok(Gathered::Need(ranges)),
                Step::Yield => return Ok(Gathered::Yield),
                Step::Frame(frame) => self.take(frame)?,
                Step::Done(stats) => return Ok(Gathered::Done(stats)),
            }
        }
    }

    pub(super) fn supply(&mut self, bytes: Vec<Bytes>) {
        self.task.supply(bytes);
    }

    /// What was gathered; the rest of this is not needed then.
    pub(super) fn into_answer(self) -> Answer {
        self.answer
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
