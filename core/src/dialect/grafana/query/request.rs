//! The body of a query request, checked in Grafana's order.

use super::super::crud::sources;
use super::super::error::ApiError;
use super::super::expr::{self, Expression};
use super::super::json::Json;
use super::super::record::Record;
use super::super::sources::Name;
use super::super::times::Range;
use crate::dialect::route::Call;

/// Bytes of a body, at most.
const MAX_BODY: usize = 2 << 20;
const MAX_QUERIES: usize = 100;
const MAX_DATA_POINTS: i64 = 100_000;

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) range: Range,
    pub(crate) queries: Vec<Query>,
    /// The places of expressions, each behind those it reads.
    pub(crate) order: Vec<usize>,
    pub(crate) has_expressions: bool,
    /// All queries are of one data source.
    pub(crate) one_source: bool,
}

#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) ref_id: String,
    pub(crate) model: Json,
    /// Of an expression none.
    pub(crate) record: Option<Record>,
    pub(crate) expression: Option<Expression>,
    /// Places of the queries that an expression reads.
    pub(crate) inputs: Vec<usize>,
    pub(crate) interval_millis: i64,
    pub(crate) max_data_points: i64,
    pub(crate) hide: bool,
}

impl Request {
    pub(crate) fn read(call: &Call) -> Result<Self, ApiError> {
        if call.request.body.len() > MAX_BODY {
            return Err(ApiError::new(413, "query.tooLarge", format!("the request is larger than {MAX_BODY} bytes")));
        }
        let body = Json::parse(&call.request.body).map_err(|_| ApiError::bad_request())?;
        if !matches!(body, Json::Object(_)) {
            return Err(ApiError::bad_request());
        }
        let (from, to) = (time(&body, "from")?, time(&body, "to")?);
        let listed = match body.get("queries") {
            None => &[],
            Some(Json::List(queries)) => queries.as_slice(),
            Some(_) => return Err(ApiError::bad_request()),
        };
        if listed.iter().any(|query| !matches!(query, Json::Object(_))) {
            return Err(ApiError::bad_request());
        }
        if listed.is_empty() {
            return Err(ApiError::new(400, "query.noQueries", "No queries found"));
        }
        if listed.len() > MAX_QUERIES {
            let message = format!("{} queries, at most {MAX_QUERIES} are allowed in a request", listed.len());
            return Err(ApiError::new(400, "query.tooMany", message));
        }
        let has_expressions = listed.iter().any(|query| expr::is_expression(uid(query)));
        let mut queries: Vec<Query> = Vec::new();
        let sources = sources(&call.snapshot);
        for model in listed {
            let query = one(model, has_expressions, &|name| sources.referred(name).cloned())?;
            // Of equal refIds the last counts.
            queries.retain(|other| other.ref_id != query.ref_id);
            queries.push(query);
        }
        let records = || queries.iter().filter_map(|query| query.record.as_ref());
        if !has_expressions {
            let mut uids = queries.iter().filter_map(|query| match uid(&query.model) {
                "" => query.record.as_ref().map(|record| record.uid.as_str()),
                uid => Some(uid),
            });
            check_header(call, "x-datasource-uid", &mut uids)?;
            check_header(call, "x-plugin-id", &mut records().map(|record| record.kind.as_str()))?;
        }
        let first = records().next().map(|record| record.id);
        let one_source = !has_expressions && records().all(|record| Some(record.id) == first);
        let order = connect(&mut queries)?;
        Ok(Self { range: Range::read(&from, &to, call.request.now), queries, order, has_expressions, one_source })
    }
}

/// `from` or `to`: text, or a number of milliseconds.
fn time(body: &Json, name: &str) -> Result<String, ApiError> {
    match body.get(name) {
        None => Ok(String::new()),
        Some(Json::Text(text)) => Ok(text.clone()),
        Some(value) => value.int().map(|millis| millis.to_string()).ok_or_else(ApiError::bad_request),
    }
}

/// The uid of a query's data source, which may stand alone.
fn uid(model: &Json) -> &str {
    match model.get("datasource") {
        Some(Json::Text(uid)) => uid,
        Some(source) => source.text_of("uid"),
        None => "",
    }
}

fn one(model: &Json, with_expressions: bool, find: &dyn Fn(&Name) -> Option<Record>) -> Result<Query, ApiError> {
    let ref_id = match model.text_of("refId") {
        "" => "A",
        ref_id => ref_id,
    };
    let (interval, points) = if with_expressions { (64, 5000) } else { (1000, 100) };
    let mut query = Query {
        ref_id: ref_id.to_owned(),
        model: model.clone(),
        record: None,
        expression: None,
        inputs: Vec::new(),
        interval_millis: model.int_of("intervalMs").unwrap_or(interval),
        max_data_points: model
            .int_of("maxDataPoints")
            .filter(|points| *points > 0)
            .unwrap_or(points)
            .min(MAX_DATA_POINTS),
        hide: model.get("hide").and_then(Json::bool).unwrap_or(false),
    };
    let uid = uid(model);
    if expr::is_expression(uid) {
        let expression = Expression::read(&query.ref_id, model);
        query.expression = Some(expression.map_err(|why| ApiError::new(400, "sse.parseError", why))?);
        return Ok(query);
    }
    let name = match (uid, model.int_of("datasourceId")) {
        ("", Some(id)) if id != 0 => Name::Id(id),
        ("", _) => {
            let message = "Query does not contain a valid data source identifier";
            return Err(ApiError::new(400, "query.invalidDatasourceId", message));
        }
        (uid, _) => Name::Uid(uid.to_owned()),
    };
    query.record = Some(find(&name).ok_or_else(ApiError::not_found)?);
    Ok(query)
}

/// A header that lists what the body is for must list just that.
fn check_header(call: &Call, name: &str, wanted: &mut dyn Iterator<Item = &str>) -> Result<(), ApiError> {
    let Some(header) = call.request.header(name).filter(|header| !header.is_empty()) else { return Ok(()) };
    let mut listed: Vec<&str> = header.split(',').map(str::trim).collect();
    let mut wanted: Vec<&str> = wanted.collect();
    crate::order::sort_dedup(&mut listed);
    crate::order::sort_dedup(&mut wanted);
    if listed == wanted {
        return Ok(());
    }
    let message = "The request headers point to a different plugin than is defined in the request body";
    Err(ApiError::new(400, "query.headerMismatch", message))
}

/// Finds the inputs of expressions, and the order to evaluate them in.
fn connect(queries: &mut [Query]) -> Result<Vec<usize>, ApiError> {
    let fail = |why: String| ApiError::new(400, "sse.parseError", why);
    for at in 0..queries.len() {
        let Some(expression) = &queries[at].expression else { continue };
        let mut inputs = Vec::new();
        for input in &expression.inputs {
            let place = queries.iter().position(|query| query.ref_id == *input);
            match place {
                Some(place) if place == at => {
                    return Err(fail(format!("expression [{input}] cannot reference itself")));
                }
                Some(place) => inputs.push(place),
                None => return Err(fail(format!("unable to find dependent node '{input}'"))),
            }
        }
        queries[at].inputs = inputs;
    }
    let order = expr::order(queries.len(), &|at| queries[at].inputs.clone());
    order.map_err(|at| fail(format!("expression [{}] depends on itself", queries[at].ref_id)))
}
