//! `POST /api/v1/series/points`: the whole graph is computed, then its answer leaves in chunks. So whatever fails is
//! still an error with a status of its own.

use super::compile::compile;
use super::encode::Answer;
use super::error::{self, Error};
use super::expand::Expander;
use super::library::Shelf;
use super::request::Request;
use crate::dialect::exchange::{Exchange, Head, Turn};
use crate::dialect::route::Call;
use crate::exec::{Budget, QueryStats, QueryTask, Step};
use crate::limits::{Exceeded, Limits};
use crate::model::Frame;
use crate::store::{Snapshot, WriteError, Written};
use bytes::Bytes;
use serde_json::Value;

pub(super) fn points(call: Call) -> Box<dyn Exchange> {
    match Points::new(call) {
        Ok(points) => Box::new(points),
        Err(error) => error::reply(&error),
    }
}

/// Bytes of the header that names unknown series: the rest is only counted.
const MAX_NAMES: usize = 2048;

/// `X-Unknown-Series` has the origin, the source and the metric of series that the catalog does not know, as JSON in
/// ASCII, as many as there is room for; `X-Unknown-Series-Count` says how many there are. Neither is there without any.
fn unknown_series(unknown: &[[String; 3]]) -> Vec<(String, String)> {
    if unknown.is_empty() {
        return Vec::new();
    }
    let mut named = String::from("[");
    for names in unknown {
        let text = error::text(&Value::from_iter(names.iter().map(String::as_str)));
        let mut ascii = String::new();
        for c in String::from_utf8_lossy(&text).chars() {
            if c.is_ascii() {
                ascii.push(c);
            } else {
                c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| ascii.push_str(&format!("\\u{unit:04x}")));
            }
        }
        if named.len() + ascii.len() > MAX_NAMES {
            break;
        }
        if named.len() > 1 {
            named.push(',');
        }
        named.push_str(&ascii);
    }
    named.push(']');
    vec![("X-Unknown-Series".to_owned(), named), ("X-Unknown-Series-Count".to_owned(), unknown.len().to_string())]
}

/// A graph being answered.
struct Points {
    answer: Answer,
    /// Headers that say which series there are none of.
    unknown: Vec<(String, String)>,
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
        let shelf = Shelf::new(&snapshot);
        let mut request = Request::read(&request, &shelf, &limits)?;
        Expander::new(&snapshot, &shelf, &config).expand(&mut request.graph)?;
        let (plan, outline) = compile(request, &snapshot, &config)?;
        let unknown = unknown_series(&outline.unknown);
        let task = QueryTask::new(plan, snapshot, &limits)?;
        let state = State::Gathering(Box::new(task));
        Ok(Self { answer: Answer::new(outline), unknown, limits, raw: 0, stats: QueryStats::default(), state })
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
                    let mut headers = error::headers();
                    headers.append(&mut self.unknown);
                    return Turn::Head(Head { status: 200, headers, complete: false });
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
