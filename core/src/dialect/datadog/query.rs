//! `GET /api/v1/query`: everything is computed, then the answer leaves in chunks. So whatever fails is still an error
//! with a status of its own.

use super::ast::{Argument, Expr, Kind};
use super::compile::{Missing, Request};
use super::encode::Answer;
use super::error::{self, Error};
use super::evaluate::{Evaluation, Progress};
use super::keys::{self, Needs};
use super::parse::parse;
use crate::dialect::exchange::{Exchange, Head, Turn};
use crate::dialect::form;
use crate::dialect::route::Call;
use crate::exec::{Budget, QueryStats};
use crate::store::{Snapshot, WriteError, Written};
use crate::time::NANOS_PER_SEC;
use bytes::Bytes;

/// Seconds beyond which there are no instants.
pub(super) const FARTHEST: i64 = 9_223_372_036;
/// Why an answer has no series.
const NOTICE: &str = "X-Isopoint-Notice";

pub(super) fn v1(call: Call) -> Box<dyn Exchange> {
    match open(&call) {
        Ok(query) => Box::new(query),
        Err(error) => error::reply(&error),
    }
}

/// The parameters of a query.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) query: String,
    /// Ours: another database than the one configured.
    pub(super) database: Option<String>,
}

impl Parameters {
    /// The last of a repeated parameter counts.
    pub(super) fn read(query: &str) -> Result<Self, Error> {
        let (mut from, mut to, mut text, mut database) = (None, None, None, None);
        for (name, value) in form::pairs(query.as_bytes()) {
            let slot = match &*name {
                "from" => &mut from,
                "to" => &mut to,
                "query" => &mut text,
                "database" => &mut database,
                _ => continue,
            };
            *slot = Some(value.into_owned());
        }
        let secs = |name: &str, value: Option<String>| -> Result<i64, Error> {
            let value = value.ok_or_else(|| Error::bad(format!("The parameter '{name}' is missing")))?;
            let secs: Option<i64> = value.trim().parse().ok();
            secs.filter(|secs| secs.checked_mul(1000).is_some()).ok_or_else(|| {
                Error::bad(format!("The parameter '{name}' must be whole seconds since the epoch, not {value:?}"))
            })
        };
        let (from, to) = (secs("from", from)?, secs("to", to)?);
        let query = text.unwrap_or_default();
        if query.trim().is_empty() {
            return Err(Error::bad("The parameter 'query' is missing"));
        }
        if from >= to {
            return Err(Error::bad(format!("The parameter 'from' ({from}) must be before 'to' ({to})")));
        }
        Ok(Self { from, to, query, database })
    }
}

struct Query {
    parameters: Parameters,
    group_by: Vec<String>,
    now_secs: i64,
    stats: QueryStats,
    state: State,
}

enum State {
    Computing(Box<Evaluation>),
    Computed(Box<Answer>),
    Sending(Box<Answer>),
    Refused(Box<dyn Exchange>),
}

fn open(call: &Call) -> Result<Query, Error> {
    keys::check(call, Needs::BothKeys)?;
    let parameters = Parameters::read(&call.request.query)?;
    let limits = &call.config.limits;
    let expressions = parse(&parameters.query, limits.parser_depth)?;
    let database = parameters.database.as_deref().unwrap_or(&call.config.datadog.database);
    keys::may_read(call, database)?;
    let request = Request {
        snapshot: &call.snapshot,
        database,
        from: parameters.from.clamp(-FARTHEST, FARTHEST),
        to: parameters.to.clamp(-FARTHEST, FARTHEST),
        interval: None,
    };
    let evaluation = Evaluation::new(&expressions, request, limits)?;
    let mut group_by = Vec::new();
    expressions.iter().for_each(|expression| collect_keys(expression, &mut group_by));
    let now_secs = call.request.now.nanos().div_euclid(NANOS_PER_SEC);
    let state = State::Computing(Box::new(evaluation));
    Ok(Query { parameters, group_by, now_secs, stats: QueryStats::default(), state })
}

/// The keys that expressions group by, in their order, each once.
fn collect_keys(expression: &Expr, keys: &mut Vec<String>) {
    match &expression.kind {
        Kind::Number(_) => {}
        Kind::Query(query) => {
            for key in &query.by {
                if !keys.contains(key) {
                    keys.push(key.clone());
                }
            }
        }
        Kind::Measured { of, .. } => collect_keys(of, keys),
        Kind::Binary { left, right, .. } => {
            collect_keys(left, keys);
            collect_keys(right, keys);
        }
        Kind::Call { arguments, .. } => {
            for argument in arguments {
                if let Argument::Expr(expression) = argument {
                    collect_keys(expression, keys);
                }
            }
        }
    }
}

/// Why there is nothing, for who asks; `None` if there is something.
fn notice(missing: &[Missing], empty: bool) -> Option<String> {
    let text = |missing: &Missing| match missing {
        Missing::Metric { name, near } if near.is_empty() => format!("metric unknown: {name}"),
        Missing::Metric { name, near } => format!("metric unknown: {name}; near it: {}", near.join(", ")),
        Missing::Source { name, scope } => format!("no source of {name} matches {{{scope}}}"),
        Missing::Bucket { interval } => {
            format!("no bucket of {interval} s begins in the window; a bucket belongs to the window it begins in")
        }
    };
    let mut texts: Vec<String> = missing.iter().map(text).collect();
    if texts.is_empty() && empty {
        texts.push("no points in the window".to_owned());
    }
    // A header has one line of plain characters.
    let joined = texts.join("; ").replace(|c: char| c.is_control() || !c.is_ascii(), "?");
    (!joined.is_empty()).then_some(joined)
}

impl Query {
    fn compute(&mut self, budget: Budget) -> Result<Option<Turn>, Error> {
        let State::Computing(evaluation) = &mut self.state else { return Ok(None) };
        match evaluation.step(budget)? {
            Progress::Need(ranges) => return Ok(Some(Turn::Read(ranges))),
            Progress::Yield => return Ok(Some(Turn::Yield)),
            Progress::Done(stats) => {
                self.stats = stats;
                let series = evaluation.finish();
                let outline = std::mem::replace(
                    &mut evaluation.outline,
                    super::evaluate::Outline { operands: Vec::new(), missing: Vec::new() },
                );
                let parameters = std::mem::take(&mut self.parameters);
                let keys = std::mem::take(&mut self.group_by);
                let answer = Answer::new(parameters, keys, outline, series, self.now_secs);
                self.state = State::Computed(Box::new(answer));
            }
        }
        Ok(None)
    }
}

impl Exchange for Query {
    fn turn(&mut self, budget: Budget) -> Turn {
        loop {
            match &mut self.state {
                State::Computing(_) => match self.compute(budget) {
                    Ok(Some(turn)) => return turn,
                    Ok(None) => {}
                    Err(error) => self.state = State::Refused(error::reply(&error)),
                },
                State::Computed(_) => {
                    let taken = std::mem::replace(&mut self.state, State::Refused(error::json(500, "")));
                    let State::Computed(answer) = taken else { continue };
                    let mut headers = error::headers();
                    if let Some(text) = notice(answer.missing(), answer.is_empty()) {
                        headers.push((NOTICE.to_owned(), text));
                    }
                    self.state = State::Sending(answer);
                    return Turn::Head(Head { status: 200, headers, complete: false });
                }
                State::Sending(answer) => {
                    return answer.next_chunk().map_or(Turn::Done(self.stats), |bytes| Turn::Chunk(bytes.into()));
                }
                State::Refused(reply) => return reply.turn(budget),
            }
        }
    }

    fn supply(&mut self, bytes: Result<Vec<Bytes>, String>) {
        let State::Computing(evaluation) = &mut self.state else { return };
        match bytes {
            Ok(bytes) => evaluation.supply(bytes),
            Err(why) => self.state = State::Refused(error::reply(&Error::new(500, why))),
        }
    }

    fn wrote(&mut self, _outcome: Result<Written, WriteError>, _snapshot: Snapshot) {}
}
