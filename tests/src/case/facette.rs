//! The Facette cases: a world of points and library items, a clock, a request and the contract of its answer.
//!
//! `cases.json` has one request a case; `library_cases.json` has sequences, each a case of many steps. Every case starts
//! from an empty engine.

use super::{Body, Case, Expect, Fixed, FixedBody, Isolation, Must, Prepare, Profile, Request, Step, Suite};
use super::{check_names, headers_of, list_of, only, text_of};
use crate::compare::Rules;
use crate::json::Value;
use isopoint_core::time::parse_rfc3339;

const CASE: &[&str] =
    &["name", "note", "tags", "now", "store", "lines", "library", "request", "expect", "expect_upstream", "diverges"];
const STEP: &[&str] = &[
    "method",
    "path",
    "headers",
    "body",
    "body_text",
    "save_location_id_as",
    "optional",
    "expect",
    "expect_upstream",
    "diverges",
];
const JSON: &str = "application/json";

pub(super) fn read(name: &str, document: &Value) -> Result<Suite, String> {
    only(document, &["format", "cases", "sequences"])?;
    let single = list_of(document, "cases")?.iter().map(case);
    let sequences = list_of(document, "sequences")?.iter().map(sequence);
    let cases = single.chain(sequences).collect::<Result<Vec<_>, _>>()?;
    check_names(&cases)?;
    Ok(Suite { name: name.to_owned(), profile: Profile::Default, setup: vec![], teardown: vec![], cases })
}

fn case(case: &Value) -> Result<Case, String> {
    only(case, CASE)?;
    let mut setup = Vec::new();
    for (database, lines) in case.get("lines").and_then(Value::as_object).unwrap_or_default() {
        let lines: Vec<&str> = lines.as_list().unwrap_or_default().iter().filter_map(Value::as_text).collect();
        if !lines.is_empty() {
            write(database, &lines.join("\n"), &mut setup);
        }
    }
    for (kind, items) in case.get("library").and_then(Value::as_object).unwrap_or_default() {
        for item in items.as_list().unwrap_or_default() {
            let path = format!("/api/v1/library/{kind}");
            let request = Request::post(&path, &[], item.to_string()).with("Content-Type", JSON);
            setup.push(Prepare::Send { request, must: Must::Status(201) });
        }
    }
    let request = case.get("request").ok_or("no request")?;
    let expect = case.get("expect").ok_or("no expectation")?;
    let bounded = |name: &str| request.get("body").and_then(|body| body.get(name)).is_some();
    // Only such a request is answered by the clock; where it is refused the clock does not matter.
    let clocked = !bounded("time") && !bounded("start_time") && status(expect)? == 200;
    Ok(Case {
        name: text_of(case, "name")?,
        now: if clocked { Some(nanos(&text_of(case, "now")?)?) } else { None },
        isolation: Isolation::Empty,
        setup,
        steps: vec![step(request, expect)?],
    })
}

fn sequence(sequence: &Value) -> Result<Case, String> {
    only(sequence, &["name", "note", "store", "steps"])?;
    let mut setup = Vec::new();
    for series in list_of(sequence, "store")? {
        let (metric, source) = (text_of(series, "metric")?, text_of(series, "source")?);
        let (measurement, field) = metric.rsplit_once('.').unwrap_or((&metric, "value"));
        let mut lines = Vec::new();
        for point in list_of(series, "points")? {
            let [Some(secs), Some(value)] = [0, 1].map(|at| point.as_list()?.get(at)?.as_f64()) else {
                return Err(format!("no point: {}", point.brief()));
            };
            lines.push(format!("{measurement},host={source} {field}={value:?} {}", (secs * 1e9).round() as i64));
        }
        write(&text_of(series, "origin")?, &lines.join("\n"), &mut setup);
    }
    let steps = list_of(sequence, "steps")?;
    let steps = steps.iter().map(|value| {
        only(value, STEP)?;
        let step = step(value, value.get("expect").ok_or("no expectation")?)?;
        let save_location_as = value.get("save_location_id_as").and_then(Value::as_text).map(str::to_owned);
        let optional = value.get("optional").and_then(Value::as_bool).unwrap_or(false);
        Ok(Step { save_location_as, optional, ..step })
    });
    Ok(Case {
        name: text_of(sequence, "name")?,
        now: None,
        isolation: Isolation::Empty,
        setup,
        steps: steps.collect::<Result<_, String>>()?,
    })
}

fn write(database: &str, lines: &str, out: &mut Vec<Prepare>) {
    let create = Request::statement(&format!("CREATE DATABASE \"{database}\""));
    out.push(Prepare::Send { request: create, must: Must::Succeed });
    let write = Request::post("/write", &[("db", database)], lines);
    out.push(Prepare::Send { request: write, must: Must::Status(204) });
}

fn step(request: &Value, expect: &Value) -> Result<Step, String> {
    only(expect, &["status", "headers", "body"])?;
    let target = text_of(request, "path")?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let body = match (request.get("body_text"), request.get("body")) {
        (Some(text), _) => Some(text.as_text().ok_or("body_text is no text")?.to_owned()),
        (None, None | Some(Value::Null)) => None,
        (None, Some(body)) => Some(body.to_string()),
    };
    let headers = match (request.get("headers"), &body) {
        (None, Some(_)) => vec![("Content-Type".to_owned(), JSON.to_owned())],
        (headers, _) => headers_of(headers)?,
    };
    let fixed = Fixed {
        status: Some(status(expect)?),
        headers: headers_of(expect.get("headers"))?.into_iter().map(|(name, value)| (name, Some(value))).collect(),
        body: match expect.get("body") {
            None => None,
            Some(Value::Null) => Some(FixedBody::Empty),
            Some(body) => Some(FixedBody::Json(vec![body.clone()])),
        },
    };
    Ok(Step {
        request: Request {
            method: text_of(request, "method")?,
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: body.map_or(Body::None, |body| Body::Plain(body.into_bytes())),
        },
        rules: Rules::facette(),
        expect: Expect::Fixed(fixed),
        save_location_as: None,
        optional: false,
    })
}

fn nanos(time: &str) -> Result<i64, String> {
    parse_rfc3339(time).map(|(nanos, _)| nanos).ok_or_else(|| format!("no time: {time:?}"))
}

fn status(expect: &Value) -> Result<u16, String> {
    expect.get("status").and_then(Value::as_f64).map(|status| status as u16).ok_or_else(|| "no status".to_owned())
}
