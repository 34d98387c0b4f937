//! Submissions: a body is stored whole or not at all, and its answer comes when it can be read.

mod decode;

use super::error::{self, Error};
use super::keys::{self, Needs};
use super::points::{Points, Submitted};
use crate::catalog::{CatalogError, Command};
use crate::dialect::exchange::{Exchange, Turn};
use crate::dialect::route::Call;
use crate::exec::{Budget, QueryStats};
use crate::store::{Refusal, Snapshot, WriteError, Written};
use bytes::Bytes;

/// `POST /api/v1/series`
pub(super) fn v1(call: Call) -> Box<dyn Exchange> {
    begin(call, "{\"status\":\"ok\"}", decode::v1)
}

/// `POST /api/v2/series`: JSON or Protocol Buffers.
pub(super) fn v2(call: Call) -> Box<dyn Exchange> {
    let decode = if is_protobuf(&call) { decode::v2_protobuf } else { decode::v2 };
    begin(call, "{\"errors\":[]}", decode)
}

/// `POST /api/v1/distribution_points`
pub(super) fn distributions(call: Call) -> Box<dyn Exchange> {
    begin(call, "{\"status\":\"ok\"}", decode::distributions)
}

/// `POST /api/beta/sketches`: the Agent's distributions.
pub(super) fn sketches(call: Call) -> Box<dyn Exchange> {
    begin(call, "{}", decode::sketches)
}

fn is_protobuf(call: &Call) -> bool {
    call.request.header("content-type").is_some_and(|media| media.trim_start().starts_with("application/x-protobuf"))
}

fn begin(
    mut call: Call,
    answer: &'static str,
    decode: fn(&[u8]) -> Result<Vec<Submitted>, String>,
) -> Box<dyn Exchange> {
    // What a host can undo is undone.
    let packing = call.request.header("content-encoding").unwrap_or_default();
    if !["", "identity", "gzip", "deflate", "zstd", "zstd1"].contains(&packing) {
        return error::reply(&Error::new(415, format!("the content encoding {packing:?} is not known")));
    }
    let body = std::mem::take(&mut call.request.body);
    let points = keys::check(&call, Needs::ApiKey)
        .and_then(|()| decode(&body).and_then(|series| gather(&series, &call)).map_err(Error::bad));
    match points {
        Err(error) => error::reply(&error),
        Ok(points) if points.batch.is_empty() && points.metrics.is_empty() => error::json(202, answer),
        Ok(points) => store(&call, points, answer),
    }
}

/// Stores points, then answers.
pub(super) fn store(call: &Call, points: Points, answer: &'static str) -> Box<dyn Exchange> {
    let (snapshot, database) = (call.snapshot.clone(), call.config.datadog.database.clone());
    Box::new(Submission { database, snapshot, points, answer, state: State::Deciding })
}

fn gather(series: &[Submitted], call: &Call) -> Result<Points, String> {
    let mut points = Points::default();
    let [a, b, c, d, e, f, g, h, ..] = call.request.entropy;
    let seed = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    for (at, series) in series.iter().enumerate() {
        points.add(at, series, seed).map_err(|why| format!("series {at} ({}): {why}", series.metric))?;
    }
    Ok(points)
}

/// Points on their way: first the database, then what is learnt of the metrics, then the points.
struct Submission {
    database: String,
    snapshot: Snapshot,
    points: Points,
    answer: &'static str,
    state: State,
}

enum State {
    Deciding,
    /// A command is on its way.
    Preparing,
    Writing,
    Answering(Box<dyn Exchange>),
}

impl Submission {
    fn decide(&mut self) -> Turn {
        let Some(database) = self.snapshot.database(&self.database) else {
            self.state = State::Preparing;
            return Turn::Command(Command::CreateDatabase { name: self.database.clone(), policy: None });
        };
        if let Some(why) = database.policy(None).and_then(|policy| self.points.conflict(policy)) {
            return self.answer(error::reply(&Error::bad(why)));
        }
        if let Some(changes) = self.points.documents(&self.snapshot) {
            self.state = State::Preparing;
            return Turn::Command(Command::Documents(changes));
        }
        let batch = std::mem::take(&mut self.points.batch);
        if batch.is_empty() {
            return self.answer(error::json(202, self.answer));
        }
        self.state = State::Writing;
        Turn::Write { database: self.database.clone(), policy: None, batch: Box::new(batch) }
    }

    fn answer(&mut self, mut reply: Box<dyn Exchange>) -> Turn {
        let turn = reply.turn(Budget::UNBOUNDED);
        self.state = State::Answering(reply);
        turn
    }
}

impl Exchange for Submission {
    fn turn(&mut self, budget: Budget) -> Turn {
        match &mut self.state {
            State::Deciding => self.decide(),
            State::Preparing | State::Writing => Turn::Done(QueryStats::default()),
            State::Answering(reply) => reply.turn(budget),
        }
    }

    fn supply(&mut self, _bytes: Result<Vec<Bytes>, String>) {}

    fn wrote(&mut self, outcome: Result<Written, WriteError>, snapshot: Snapshot) {
        let preparing = matches!(self.state, State::Preparing);
        self.state = match outcome {
            Ok(_) if preparing => State::Deciding,
            // Somebody else was quicker: decide again on what is there now.
            Err(WriteError::Catalog(CatalogError::DocumentsChanged(_))) if preparing => State::Deciding,
            Ok(written) => match written.refusal {
                // What the policy no longer keeps is taken and gone.
                None | Some(Refusal::BeyondRetention) => State::Answering(error::json(202, self.answer)),
                Some(refusal) => State::Answering(error::reply(&Error::bad(refusal.to_string()))),
            },
            Err(error) => State::Answering(error::reply(&error.into())),
        };
        self.snapshot = snapshot;
    }
}
