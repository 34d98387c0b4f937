//! What a backend offers besides queries: TestData's own little API, and Prometheus's HTTP API.

use super::error::{ApiError, json_headers};
use super::health::named;
use super::identity::{Right, with_right};
use super::json::{Json, object};
use super::outgoing::{Outgoing, set_header};
use super::plugin::{Backend, backend};
use super::record::Record;
use super::{proxy, testdata};
use crate::dialect::errand::{ErrandError, Told};
use crate::dialect::exchange::{ApiRequest, Exchange, Reply, Turn};
use crate::dialect::form;
use crate::dialect::route::{Call, path_values};
use crate::exec::Budget;
use crate::store::{Snapshot, WriteError, Written};
use bytes::Bytes;

const MAX_LINES: usize = 10_000;

pub(crate) fn by_id(call: Call) -> Box<dyn Exchange> {
    resource(call, &["/api/datasources/{id}/resources", "/api/datasources/{id}/resources/{*path}"], false)
}

pub(crate) fn by_uid(call: Call) -> Box<dyn Exchange> {
    resource(call, &["/api/datasources/uid/{uid}/resources", "/api/datasources/uid/{uid}/resources/{*path}"], true)
}

fn resource(call: Call, patterns: &[&str], by_uid: bool) -> Box<dyn Exchange> {
    let found = patterns.iter().find_map(|pattern| Some((pattern, path_values(pattern, &call.request.path)?)));
    let (pattern, values) = found.map_or((patterns[0], Default::default()), |(pattern, values)| (pattern, values));
    let path = values.get(1).copied().unwrap_or_default();
    let begun = with_right(&call, Right::Query).and_then(|_| {
        let record = named(&call, pattern, by_uid, ApiError::not_found)?;
        match backend(&record.kind).ok_or_else(ApiError::not_registered)? {
            Backend::TestData => Ok(test_data(&call.request, path)),
            Backend::Prometheus => prometheus(&call, &record, path),
            Backend::Influx | Backend::Graphite => Err(ApiError::not_implemented()),
        }
    });
    begun.unwrap_or_else(|error| error.reply())
}

/// A JSON answer of a backend.
fn sandboxed() -> Vec<(String, String)> {
    let mut headers = json_headers();
    headers.push(("Content-Security-Policy".to_owned(), "sandbox".to_owned()));
    headers
}

const HELLO: &str = "Hello world from test datasource!";

fn test_data(request: &ApiRequest, path: &str) -> Box<dyn Exchange> {
    let json = |body: &Json| Reply::new(200, sandboxed(), body.to_bytes());
    let text = |text: String| {
        let mut headers = sandboxed();
        set_header(&mut headers, "Content-Type", "text/plain; charset=utf-8");
        Reply::new(200, headers, text)
    };
    Box::new(match path.trim_end_matches('/') {
        "scenarios" => json(&testdata::list()),
        "test" | "test/json" => json(&echo(request, path)),
        "stream" => text(lines(request)),
        "boom" => {
            return ApiError::new(500, "plugin.requestFailureError", "An error occurred within the plugin").reply();
        }
        _ => text(HELLO.to_owned()),
    })
}

fn echo(request: &ApiRequest, path: &str) -> Json {
    let mark = if request.query.is_empty() { "" } else { "?" };
    let mut headers: Vec<(String, Json)> = Vec::new();
    for (name, value) in &request.headers {
        // What the caller signed in with is nobody else's business.
        if !matches!(name.as_str(), "authorization" | "cookie") {
            headers.push((name.clone(), Json::List(vec![value.as_str().into()])));
        }
    }
    let body = Json::parse(&request.body).unwrap_or_default();
    let seen = object([
        ("method", request.method.as_str().into()),
        ("url", format!("/{path}{mark}{}", request.query).into()),
        ("headers", Json::Object(headers)),
        ("body", body),
    ]);
    object([("message", HELLO.into()), ("request", seen)])
}

/// `Message #1` and so on.
fn lines(request: &ApiRequest) -> String {
    let number = |name: &str, default: usize| {
        let mut pairs = form::pairs(request.query.as_bytes());
        pairs.find(|(key, _)| key == name).and_then(|(_, value)| value.parse().ok()).unwrap_or(default)
    };
    let (count, start) = (number("count", 10).min(MAX_LINES), number("start", 1).min(1 << 40));
    let as_json = form::pairs(request.query.as_bytes()).any(|(key, value)| key == "format" && value == "json");
    let line = |at: usize| {
        if as_json { format!("{{\"message\":\"Message #{at}\"}}\n") } else { format!("Message #{at}\n") }
    };
    (start..start + count).map(line).collect()
}

fn prometheus(call: &Call, record: &Record, path: &str) -> Result<Box<dyn Exchange>, ApiError> {
    let outgoing = Outgoing::of(record, &call.config)?;
    let path = if path == "version-detect" { "api/v1/status/buildinfo" } else { path };
    let Some(url) = outgoing.url.join(path) else {
        return Err(ApiError::new(400, "plugin.requestFailureError", "the path leaves the data source's"));
    };
    let mark = if call.request.query.is_empty() { "" } else { "?" };
    let mut out = outgoing.call(&call.request.method, path, "", None);
    out.url = format!("{url}{mark}{}", call.request.query);
    out.body = call.request.body.clone();
    if let Some(media) = call.request.header("content-type") {
        set_header(&mut out.headers, "content-type", media);
    }
    Ok(Box::new(Passed::new(out)))
}

/// Another server's answer, passed on whole.
pub(crate) struct Passed {
    call: Option<crate::dialect::errand::HttpCall>,
    answer: Option<Reply>,
}

impl Passed {
    pub(crate) fn new(call: crate::dialect::errand::HttpCall) -> Self {
        Self { call: Some(call), answer: None }
    }
}

impl Exchange for Passed {
    fn turn(&mut self, budget: Budget) -> Turn {
        if let Some(call) = self.call.take() {
            return Turn::Ask(vec![crate::dialect::errand::Errand::Http(Box::new(call))]);
        }
        self.answer.as_mut().map_or(Turn::Yield, |answer| answer.turn(budget))
    }

    fn supply(&mut self, _bytes: Result<Vec<Bytes>, String>) {}

    fn wrote(&mut self, _outcome: Result<Written, WriteError>, _snapshot: Snapshot) {}

    fn told(&mut self, outcomes: Vec<Result<Told, ErrandError>>) {
        self.answer = Some(match outcomes.into_iter().next() {
            Some(Ok(Told::Http(reply))) => {
                let (status, headers, replaced) = proxy::answer_head(reply.status, &reply.headers);
                Reply::new(status, headers, replaced.unwrap_or(reply.body))
            }
            Some(Err(error)) => {
                let error = proxy::failure(&error);
                Reply::new(error.status, json_headers(), error.body().to_bytes())
            }
            _ => Reply::new(502, json_headers(), "{}"),
        });
    }
}
