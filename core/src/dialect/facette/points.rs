//! `POST /api/v1/series/points`: the whole graph is computed, then its answer leaves in chunks. So whatever fails is
//! still an error with a status of its own.

use super::encode::Answer;
use super::error::{self, Error};
use super::gather::{Gathered, Gathering};
use super::library::Shelf;
use super::request::Request;
use crate::dialect::exchange::{Exchange, Head, Turn};
use crate::dialect::route::Call;
use crate::exec::{Budget, QueryStats};
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
    /// Headers that say which series there are none of.
    unknown: Vec<(String, String)>,
    state: State,
}

enum State {
    Gathering(Box<Gathering>),
    /// All is gathered: the head, then chunks.
    Gathered(Answer, QueryStats),
    Sending(Answer, QueryStats),
    Refused(Box<dyn Exchange>),
    Ended,
}

impl Points {
    fn new(call: Call) -> Result<Self, Error> {
        let snapshot = call.readable();
        let Call { request, config, .. } = call;
        let shelf = Shelf::new(&snapshot);
        let request = Request::read(&request, &shelf, &config.limits)?;
        let (gathering, unknown) = Gathering::new(request, snapshot, &shelf, &config)?;
        Ok(Self { unknown: unknown_series(&unknown), state: State::Gathering(Box::new(gathering)) })
    }
}

impl Exchange for Points {
    fn turn(&mut self, budget: Budget) -> Turn {
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Gathering(mut gathering) => match gathering.step(budget) {
                    Ok(Gathered::Need(ranges)) => {
                        self.state = State::Gathering(gathering);
                        return Turn::Read(ranges);
                    }
                    Ok(Gathered::Yield) => {
                        self.state = State::Gathering(gathering);
                        return Turn::Yield;
                    }
                    Ok(Gathered::Done(stats)) => self.state = State::Gathered(gathering.into_answer(), stats),
                    Err(error) => self.state = State::Refused(error::reply(&error)),
                },
                State::Gathered(answer, stats) => {
                    self.state = State::Sending(answer, stats);
                    let mut headers = error::headers();
                    headers.append(&mut self.unknown);
                    return Turn::Head(Head { status: 200, headers, complete: false });
                }
                State::Sending(mut answer, stats) => {
                    let Some(bytes) = answer.next_chunk() else { return Turn::Done(stats) };
                    self.state = State::Sending(answer, stats);
                    return Turn::Chunk(bytes.into());
                }
                State::Refused(mut reply) => {
                    let turn = reply.turn(budget);
                    self.state = State::Refused(reply);
                    return turn;
                }
                State::Ended => return Turn::Done(QueryStats::default()),
            }
        }
    }

    fn supply(&mut self, bytes: Result<Vec<Bytes>, String>) {
        let State::Gathering(gathering) = &mut self.state else { return };
        match bytes {
            Ok(bytes) => gathering.supply(bytes),
            Err(_) => self.state = State::Refused(error::reply(&Error::Unhandled)),
        }
    }

    fn wrote(&mut self, _outcome: Result<Written, WriteError>, _snapshot: Snapshot) {}
}
