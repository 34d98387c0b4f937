//! `POST /api/ds/query`: many queries of many data sources, answered together.

mod plan;
mod request;

use super::error::{ApiError, json_headers};
use super::expr::{self, Set};
use super::frame::DataFrame;
use super::identity::{Right, with_right};
use super::outcome::{Fault, Outcome};
use super::work::Works;
use crate::dialect::errand::{ErrandError, Told};
use crate::dialect::exchange::{Exchange, Head, Turn};
use crate::dialect::json::JsonWriter;
use crate::dialect::route::Call;
use crate::exec::{Budget, QueryStats};
use crate::number::write_u64;
use crate::sorted::SortedMap;
use crate::store::{Snapshot, WriteError, Written};
use bytes::Bytes;
use plan::Plan;
pub(crate) use plan::local;
use request::Request;
use std::collections::VecDeque;

pub(crate) fn query(call: Call) -> Box<dyn Exchange> {
    let begun = with_right(&call, Right::Query).and_then(|identity| {
        let request = Request::read(&call)?;
        let mut works = Works::default();
        let plans = plan::plan(&call, &request, &identity, &mut works)?;
        Ok(Run { request, plans, works, answer: None })
    });
    match begun {
        Ok(run) => Box::new(run),
        Err(error) => error.reply(),
    }
}

/// A request being answered.
struct Run {
    request: Request,
    /// One a query.
    plans: Vec<Plan>,
    works: Works,
    /// Head and chunks still to be said.
    answer: Option<(Option<Head>, VecDeque<Bytes>)>,
}

impl Run {
    fn finish(&mut self) -> (Head, VecDeque<Bytes>) {
        match self.results() {
            Ok(results) => encode(&results),
            Err(error) => {
                let head = Head { status: error.status, headers: json_headers(), complete: true };
                (head, VecDeque::from([Bytes::from(error.body().to_bytes())]))
            }
        }
    }

    /// The result of each refId; a query may have none.
    fn results(&mut self) -> Result<SortedMap<String, Outcome>, ApiError> {
        let mut outcomes: Vec<Option<Outcome>> = Vec::new();
        for plan in std::mem::take(&mut self.plans) {
            outcomes.push(plan.outcome(&mut self.works));
        }
        let crashed = |outcome: &Option<Outcome>| {
            outcome.as_ref().and_then(|outcome| outcome.fault.as_ref()).is_some_and(|fault| fault.crash)
        };
        if self.request.one_source && outcomes.iter().any(crashed) {
            return Err(ApiError::crash());
        }
        if self.request.has_expressions {
            self.evaluate(&mut outcomes);
        }
        let mut results = SortedMap::new();
        for (query, outcome) in self.request.queries.iter().zip(outcomes) {
            if self.request.has_expressions && query.hide {
                continue;
            }
            if let Some(mut outcome) = outcome {
                for frame in &mut outcome.frames {
                    if frame.ref_id.is_empty() {
                        frame.ref_id.clone_from(&query.ref_id);
                    }
                }
                results.insert(query.ref_id.clone(), outcome);
            }
        }
        Ok(results)
    }

    /// Expressions in their order. A query whose frames cannot be computed with fails, and all that need it.
    fn evaluate(&self, outcomes: &mut [Option<Outcome>]) {
        let queries = &self.request.queries;
        let mut sets: Vec<Option<Result<Set, ()>>> = vec![None; queries.len()];
        for at in &self.request.order {
            let Some(expression) = &queries[*at].expression else { continue };
            let mut failed = None;
            for place in &queries[*at].inputs {
                if sets[*place].is_none() {
                    sets[*place] = Some(read_set(&queries[*place].ref_id, &mut outcomes[*place]));
                }
                if matches!(sets[*place], Some(Err(()))) && failed.is_none() {
                    failed = Some(&queries[*place].ref_id);
                }
            }
            let ref_id = &queries[*at].ref_id;
            let result = match failed {
                Some(input) => Err(Fault::plugin(
                    400,
                    format!(
                        "[sse.dependencyError] did not execute expression [{ref_id}] due to a failure of the dependent \
                         expression or query [{input}]"
                    ),
                )),
                None => {
                    let set = |place: &usize| sets[*place].as_ref().and_then(|set| set.as_ref().ok());
                    let inputs: Vec<&Set> = queries[*at].inputs.iter().filter_map(set).collect();
                    let value = expression.evaluate(&inputs, self.request.range);
                    value.map_err(|why| {
                        Fault::plugin(400, format!("[sse.expressionError] failed to execute [{ref_id}]: {why}"))
                    })
                }
            };
            match result {
                Ok(set) => {
                    outcomes[*at] = Some(set.frames(ref_id).into());
                    sets[*at] = Some(Ok(set));
                }
                Err(fault) => {
                    outcomes[*at] = Some(fault.into());
                    sets[*at] = Some(Err(()));
                }
            }
        }
    }
}

/// The set that a query's result is; a result that is none gets the reason.
fn read_set(ref_id: &str, outcome: &mut Option<Outcome>) -> Result<Set, ()> {
    let Some(outcome) = outcome else { return Ok(Set::default()) };
    if outcome.fault.is_some() {
        return Err(());
    }
    expr::from_frames(&outcome.frames).map_err(|why| {
        outcome.fault = Some(Fault::plugin(400, format!("[sse.readDataError] [{ref_id}] got error: {why}")));
    })
}

/// Bytes of a chunk, about.
const CHUNK: usize = 64 << 10;

fn encode(results: &SortedMap<String, Outcome>) -> (Head, VecDeque<Bytes>) {
    let mut json = JsonWriter::new(false);
    let mut chunks = VecDeque::new();
    let mut status = 200;
    json.begin_object();
    json.key("results");
    json.begin_object();
    for (ref_id, outcome) in results.iter() {
        json.key(ref_id);
        json.begin_object();
        if let Some(fault) = &outcome.fault {
            status = 400;
            json.key("error");
            json.string(&fault.message);
            json.key("errorSource");
            json.string(if fault.downstream { "downstream" } else { "plugin" });
        }
        json.key("status");
        let of_result = outcome.fault.as_ref().map_or(200, |fault| fault.status);
        json.with(|out| write_u64(u64::from(of_result), out));
        if outcome.fault.is_none() || !outcome.frames.is_empty() {
            json.key("frames");
            json.begin_array();
            for frame in &outcome.frames {
                DataFrame::write(frame, &mut json);
                if json.len() > CHUNK {
                    chunks.push_back(Bytes::from(json.take()));
                }
            }
            json.end_array();
        }
        json.end_object();
    }
    json.end_object();
    json.end_object();
    chunks.push_back(Bytes::from(json.take()));
    // A long answer goes out as it stands, packed if the client likes.
    let complete = chunks.len() == 1 && chunks.front().is_none_or(|chunk| chunk.len() < 2048);
    (Head { status, headers: json_headers(), complete }, chunks)
}

impl Exchange for Run {
    fn turn(&mut self, budget: Budget) -> Turn {
        if self.answer.is_none() {
            if let Some(turn) = self.works.turn(budget) {
                return turn;
            }
            let (head, chunks) = self.finish();
            self.answer = Some((Some(head), chunks));
        }
        let Some((head, chunks)) = &mut self.answer else { return Turn::Yield };
        match (head.take(), chunks.is_empty()) {
            (Some(head), _) => Turn::Head(head),
            (None, true) => Turn::Done(QueryStats::default()),
            (None, false) => chunks.pop_front().map_or(Turn::Yield, Turn::Chunk),
        }
    }

    fn supply(&mut self, bytes: Result<Vec<Bytes>, String>) {
        self.works.supply(bytes);
    }

    fn wrote(&mut self, _outcome: Result<Written, WriteError>, _snapshot: Snapshot) {}

    fn told(&mut self, outcomes: Vec<Result<Told, ErrandError>>) {
        self.works.told(outcomes);
    }
}
