//! What has to be done for each query, and how it becomes frames.

use super::super::error::ApiError;
use super::super::frame::{DataFrame, Field, Times, Values};
use super::super::identity::Identity;
use super::super::influxdb::{self, Series, Statement};
use super::super::json::Json;
use super::super::outcome::{Fault, Outcome};
use super::super::outgoing::Outgoing;
use super::super::plugin::{Backend, backend};
use super::super::prometheus::{self, Expression};
use super::super::record::Record;
use super::super::work::{Raw, Works, principal, question};
use super::super::{graphite, testdata};
use super::request::{Query, Request};
use crate::dialect::language;
use crate::dialect::route::Call;
use crate::model::Frame;
use crate::value::Value;

/// How a query is answered once its works are done.
pub(crate) enum Plan {
    /// Its result has no entry, or an expression makes it.
    Nothing,
    Ready(Outcome),
    /// After a wait.
    Waiting(usize, Outcome),
    /// A statement for this engine.
    Local(usize, Box<Statement>),
    /// Another language of this engine.
    Language(usize),
    Influx(usize, Box<Statement>),
    Prometheus(Vec<(usize, Expression)>),
    Graphite(usize),
}

/// A plan for each query.
pub(crate) fn plan(
    call: &Call,
    request: &Request,
    identity: &Identity,
    works: &mut Works,
) -> Result<Vec<Plan>, ApiError> {
    let mut plans = Vec::new();
    for query in &request.queries {
        let Some(record) = &query.record else {
            plans.push(Plan::Nothing);
            continue;
        };
        plans.push(match backend(&record.kind) {
            Some(backend) => {
                let planned = one(call, request, query, record, backend, identity, works);
                planned.unwrap_or_else(|fault| Plan::Ready(fault.into()))
            }
            None if request.one_source => return Err(ApiError::not_registered()),
            None => Plan::Ready(Fault::plugin(404, "Plugin not registered").into()),
        });
    }
    Ok(plans)
}

fn one(
    call: &Call,
    request: &Request,
    query: &Query,
    record: &Record,
    backend: Backend,
    identity: &Identity,
    works: &mut Works,
) -> Result<Plan, Fault> {
    let model = &query.model;
    let range = request.range;
    match backend {
        Backend::TestData => {
            let asked = testdata::Asked {
                ref_id: &query.ref_id,
                model,
                query_type: model.text_of("queryType"),
                range,
                interval_millis: query.interval_millis,
                max_data_points: query.max_data_points,
                login: &identity.login,
            };
            Ok(match testdata::answer(asked) {
                testdata::Answer::Nothing => Plan::Nothing,
                testdata::Answer::Done(outcome) => Plan::Ready(outcome),
                testdata::Answer::After { millis, outcome } => Plan::Waiting(works.wait(millis), outcome),
            })
        }
        Backend::Influx if influxdb::is_local(record, &call.config) => {
            let other = model.text_of("queryType");
            if !other.is_empty() && other != "influxql" && language::find(other).is_some() {
                let text = match model.get("query") {
                    Some(Json::Text(text)) => text.clone(),
                    Some(value) => String::from_utf8(value.to_bytes()).unwrap_or_default(),
                    None => String::new(),
                };
                let database = influxdb::database(record);
                let principal = principal(call, record)?;
                let mut question = question(call, &text, &database, &principal);
                (question.from_millis, question.to_millis) = (range.from, range.to);
                question.points = u64::try_from(query.max_data_points).unwrap_or_default();
                return Ok(Plan::Language(works.inquire(other, &question)));
            }
            let context = influxdb::Context { range, interval_millis: query.interval_millis };
            let statement = Statement::read(record, model, context)?;
            let principal = principal(call, record)?;
            let place = works.inquire("influxql", &question(call, &statement.text, &statement.database, &principal));
            Ok(Plan::Local(place, Box::new(statement)))
        }
        Backend::Influx => {
            let context = influxdb::Context { range, interval_millis: query.interval_millis };
            let statement = Statement::read(record, model, context)?;
            let outgoing = outgoing(record, call)?;
            let place = works.call(statement.call(record, &outgoing)?);
            Ok(Plan::Influx(place, Box::new(statement)))
        }
        Backend::Prometheus => {
            let (interval_millis, max_data_points) = (query.interval_millis, query.max_data_points);
            let context = prometheus::Context { range, interval_millis, max_data_points };
            let outgoing = outgoing(record, call)?;
            let mut calls = Vec::new();
            for expression in prometheus::read(record, model, context)? {
                calls.push((works.call(expression.call(record, &outgoing)), expression));
            }
            Ok(Plan::Prometheus(calls))
        }
        Backend::Graphite => {
            let outgoing = outgoing(record, call)?;
            Ok(Plan::Graphite(works.call(graphite::call(&outgoing, model, range, query.max_data_points)?)))
        }
    }
}

fn outgoing(record: &Record, call: &Call) -> Result<Outgoing, Fault> {
    Outgoing::of(record, &call.config).map_err(|error| Fault::plugin(error.status, error.message))
}

impl Plan {
    /// What became of the query; its works are done.
    pub(crate) fn outcome(self, works: &mut Works) -> Option<Outcome> {
        Some(match self {
            Self::Nothing => return None,
            Self::Ready(outcome) => outcome,
            Self::Waiting(place, outcome) => match works.take(place) {
                Raw::Told(Err(error)) => super::super::errand_fault(&error).into(),
                _ => outcome,
            },
            Self::Local(place, statement) => match local(works.take(place)) {
                Ok(series) => statement.frames(series).into(),
                Err(fault) => fault.into(),
            },
            Self::Language(place) => match works.take(place) {
                Raw::Frames(Ok(frames)) => frames.into_iter().flat_map(data_frames).collect::<Vec<_>>().into(),
                Raw::Frames(Err(why)) => Fault::downstream(400, why).into(),
                Raw::Told(_) => return None,
            },
            Self::Influx(place, statement) => statement.outcome(told(works.take(place))),
            Self::Graphite(place) => graphite::outcome(told(works.take(place))),
            Self::Prometheus(calls) => {
                let mut all = Outcome::default();
                for (place, expression) in calls {
                    let outcome = expression.outcome(told(works.take(place)));
                    all.frames.extend(outcome.frames);
                    all.fault = all.fault.or(outcome.fault);
                }
                all
            }
        })
    }
}

fn told(raw: Raw) -> Result<crate::dialect::errand::Told, crate::dialect::errand::ErrandError> {
    match raw {
        Raw::Told(told) => told,
        Raw::Frames(_) => Err(crate::dialect::errand::ErrandError::Unsupported),
    }
}

/// The series that this engine answered with, in the words that another InfluxDB would have for a failure.
pub(crate) fn local(raw: Raw) -> Result<Vec<Series>, Fault> {
    match raw {
        Raw::Frames(Ok(frames)) => {
            let mut series = Vec::new();
            frames.into_iter().for_each(|frame| Series::collect(frame, &mut series));
            Ok(series)
        }
        Raw::Frames(Err(why)) if why.starts_with("error parsing query") => {
            Err(Fault::downstream(400, format!("InfluxDB returned error: {why}")))
        }
        Raw::Frames(Err(why)) => Err(Fault::downstream(500, why)),
        Raw::Told(_) => Err(Fault::plugin(500, "no answer")),
    }
}

/// A frame of the engine column by column, times to the nanosecond and integers whole.
fn data_frames(frame: Frame) -> Vec<DataFrame> {
    let mut times = Times::default();
    frame.times.iter().for_each(|nanos| times.push_nanos(*nanos));
    let mut frames = Vec::new();
    for column in frame.columns {
        let rows = 0..column.column.len();
        let cells = rows.map(|row| column.column.get(row));
        let values = match column.column.values {
            crate::model::column::Values::Float(_) => Values::Float(cells.map(as_float).collect()),
            crate::model::column::Values::Integer(_) => Values::Int(
                cells.map(|cell| if let Some(Value::Integer(value)) = cell { Some(value) } else { None }).collect(),
            ),
            crate::model::column::Values::Unsigned(_) => Values::Uint(
                cells.map(|cell| if let Some(Value::Unsigned(value)) = cell { Some(value) } else { None }).collect(),
            ),
            crate::model::column::Values::Boolean(_) => Values::Bool(
                cells.map(|cell| if let Some(Value::Boolean(value)) = cell { Some(value) } else { None }).collect(),
            ),
            crate::model::column::Values::String(_) => Values::Text(
                cells
                    .map(|cell| if let Some(Value::String(text)) = cell { Some(text.to_owned()) } else { None })
                    .collect(),
            ),
        };
        let mut field = Field::new(column.name, values).nullable();
        field.labels = if frame.tags.is_empty() { None } else { Some(frame.tags.clone()) };
        let mut fields = Vec::new();
        if !times.millis.is_empty() {
            fields.push(Field::time("Time", times.clone()));
        }
        fields.push(field);
        frames.push(DataFrame::new(frame.name.clone(), fields));
    }
    frames
}

fn as_float(cell: Option<Value<'_>>) -> Option<f64> {
    if let Some(Value::Float(value)) = cell { Some(value) } else { None }
}
