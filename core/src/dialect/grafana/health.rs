//! Asking a data source whether it works.

use super::crud::sources;
use super::error::{ApiError, json_headers};
use super::identity::{Right, with_right};
use super::influxdb;
use super::json::{Json, object};
use super::outcome::Fault;
use super::outgoing::Outgoing;
use super::plugin::{Backend, backend};
use super::query::local;
use super::record::Record;
use super::sources::{Name, is_uid};
use super::url::percent_decode;
use super::work::{Raw, Works, principal, question};
use super::{graphite, prometheus};
use crate::dialect::errand::{ErrandError, HttpCall, Told};
use crate::dialect::exchange::{Exchange, Reply, Turn};
use crate::dialect::route::{Call, path_values};
use crate::exec::Budget;
use crate::store::{Snapshot, WriteError, Written};
use bytes::Bytes;

/// A check takes no longer, whatever the data source allows.
const DEADLINE_MILLIS: u64 = 10_000;

pub(crate) fn by_id(call: Call) -> Box<dyn Exchange> {
    check(call, "/api/datasources/{id}/health", false)
}

pub(crate) fn by_uid(call: Call) -> Box<dyn Exchange> {
    check(call, "/api/datasources/uid/{uid}/health", true)
}

/// The record that a path of some pattern names, as health, resources and proxy want it.
pub(crate) fn named(call: &Call, pattern: &str, by_uid: bool, missing: fn() -> ApiError) -> Result<Record, ApiError> {
    let values = path_values(pattern, &call.request.path);
    let segment = values.and_then(|values| values.first().copied()).unwrap_or_default();
    let segment = percent_decode(segment).unwrap_or_else(|| segment.to_owned());
    let name = if by_uid {
        if !is_uid(&segment) {
            return Err(ApiError::bad_uid());
        }
        Name::Uid(segment)
    } else {
        Name::Id(segment.parse().ok().filter(|id| *id != 0).ok_or_else(ApiError::bad_id)?)
    };
    sources(&call.snapshot).referred(&name).cloned().ok_or_else(missing)
}

fn check(call: Call, pattern: &str, by_uid: bool) -> Box<dyn Exchange> {
    let begun = with_right(&call, Right::Query).and_then(|_| {
        let record = named(&call, pattern, by_uid, ApiError::not_found)?;
        begin(&call, &record)
    });
    match begun {
        Ok(check) => Box::new(check),
        Err(error) => error.reply(),
    }
}

fn begin(call: &Call, record: &Record) -> Result<Check, ApiError> {
    let backend = backend(&record.kind).ok_or_else(ApiError::not_registered)?;
    let mut works = Works::default();
    let local = backend == Backend::Influx && influxdb::is_local(record, &call.config);
    let mut failed = None;
    if local {
        let database = influxdb::database(record);
        match principal(call, record) {
            Ok(principal) => {
                works.inquire("influxql", &question(call, influxdb::HEALTH_STATEMENT, &database, &principal));
            }
            Err(fault) => {
                failed = Some(Fault { message: format!("{}: error reading influxDB", fault.message), ..fault })
            }
        }
    } else if backend != Backend::TestData {
        match outgoing_call(call, record, backend) {
            Ok(mut call) => {
                call.timeout_millis = call.timeout_millis.min(DEADLINE_MILLIS);
                works.call(call);
            }
            Err(fault) => failed = Some(fault),
        }
    }
    Ok(Check { backend, works, failed, answer: None })
}

fn outgoing_call(call: &Call, record: &Record, backend: Backend) -> Result<HttpCall, Fault> {
    let outgoing = Outgoing::of(record, &call.config).map_err(|error| Fault::plugin(error.status, error.message))?;
    Ok(match backend {
        Backend::Influx => influxdb::health_call(record, &outgoing)?,
        Backend::Graphite => graphite::health_call(&outgoing),
        Backend::Prometheus | Backend::TestData => {
            prometheus::call(record, &outgoing, "api/v1/query", &[("query", "1+1"), ("time", "4")])
        }
    })
}

struct Check {
    backend: Backend,
    works: Works,
    /// What went wrong before anything was asked.
    failed: Option<Fault>,
    answer: Option<Reply>,
}

impl Check {
    /// What the check came to.
    fn message(&mut self) -> Result<String, String> {
        if self.backend == Backend::TestData {
            return Ok("Data source is working".to_owned());
        }
        if let Some(fault) = self.failed.take() {
            return Err(fault.message);
        }
        let raw = self.works.take(0);
        match (self.backend, raw) {
            (_, raw @ Raw::Frames(_)) => influxdb::health(local(raw)),
            (Backend::Influx, Raw::Told(told)) => influxdb::health(influxdb::answer(told)),
            (Backend::Graphite, Raw::Told(told)) => graphite::frames(told)
                .map(|_| "Successfully connected to Graphite".to_owned())
                .map_err(|fault| fault.message),
            (_, Raw::Told(told)) => match prometheus::data(told) {
                Ok(_) => Ok("Successfully queried the Prometheus API.".to_owned()),
                Err(fault) => {
                    Err(format!("{} - There was an error returned querying the Prometheus API.", fault.message))
                }
            },
        }
    }
}

impl Exchange for Check {
    fn turn(&mut self, budget: Budget) -> Turn {
        if self.answer.is_none() {
            if let Some(turn) = self.works.turn(budget) {
                return turn;
            }
            let (status, body) = match self.message() {
                Ok(message) => (200, said("OK", message)),
                Err(message) => (400, said("ERROR", message)),
            };
            self.answer = Some(Reply::new(status, json_headers(), body.to_bytes()));
        }
        self.answer.as_mut().map_or(Turn::Yield, |answer| answer.turn(budget))
    }

    fn supply(&mut self, bytes: Result<Vec<Bytes>, String>) {
        self.works.supply(bytes);
    }

    fn wrote(&mut self, _outcome: Result<Written, WriteError>, _snapshot: Snapshot) {}

    fn told(&mut self, outcomes: Vec<Result<Told, ErrandError>>) {
        self.works.told(outcomes);
    }
}

fn said(status: &str, message: String) -> Json {
    object([("message", message.into()), ("status", status.into())])
}
