//! The Datadog cases: points to submit, one query, and the part of its answer that is fixed.

use super::{Case, Expect, Fixed, FixedBody, Isolation, Must, Prepare, Profile, Request, Step, Suite};
use super::{check_names, list_of, only, text_of};
use crate::compare::Rules;
use crate::json::Value;

const CASE: &[&str] = &[
    "id",
    "title",
    "area",
    "spec",
    "level",
    "certainty",
    "submit",
    "metadata",
    "query",
    "expect",
    "tol",
    "rebase",
    "note",
];
const TOLERANCE: f64 = 1e-9;

pub(super) fn read(name: &str, document: &Value) -> Result<Suite, String> {
    only(document, &["format", "count", "cases"])?;
    let cases = list_of(document, "cases")?.iter().map(case).collect::<Result<Vec<_>, _>>()?;
    check_names(&cases)?;
    Ok(Suite { name: name.to_owned(), profile: Profile::Default, setup: vec![], teardown: vec![], cases })
}

/// A request with keys: any will do.
fn keyed(request: Request) -> Request {
    request.with("DD-API-KEY", &"a".repeat(32)).with("DD-APPLICATION-KEY", &"b".repeat(40))
}

fn case(case: &Value) -> Result<Case, String> {
    only(case, CASE)?;
    let mut setup = Vec::new();
    for submission in case.get("submit").and_then(Value::as_list).unwrap_or_default() {
        let body = submission.get("body").ok_or("no body")?.to_string();
        let request = keyed(Request::post(&text_of(submission, "endpoint")?, &[], body));
        let must = submission.get("status").and_then(Value::as_f64).map_or(202, |status| status as u16);
        setup.push(Prepare::Send {
            request: request.with("Content-Type", "application/json"),
            must: Must::Status(must),
        });
    }
    for metadata in case.get("metadata").and_then(Value::as_list).unwrap_or_default() {
        let path = format!("/api/v1/metrics/{}", text_of(metadata, "metric")?);
        let body = metadata.get("body").ok_or("no body")?.to_string();
        let request = Request { method: "PUT".to_owned(), ..keyed(Request::post(&path, &[], body)) };
        setup.push(Prepare::Send { request, must: Must::Status(200) });
    }
    let query = case.get("query").and_then(Value::as_object).ok_or("no query")?;
    let parameter = |(name, value): &(String, Value)| {
        (name.clone(), value.as_text().map_or_else(|| value.to_string(), str::to_owned))
    };
    let parameters: Vec<(String, String)> = query.iter().map(parameter).collect();
    let mut request = keyed(Request::get("/api/v1/query", &[]));
    request.query = super::form(&parameters);
    let expect = case.get("expect").ok_or("no expectation")?;
    only(expect, &["status", "body"])?;
    let status = expect.get("status").and_then(Value::as_f64).map_or(200, |status| status as u16);
    let tolerance = case.get("tol").and_then(Value::as_f64).unwrap_or(TOLERANCE);
    let body = expect.get("body").cloned().map(|body| FixedBody::Datadog { body, tolerance });
    Ok(Case {
        name: text_of(case, "id")?,
        now: None,
        isolation: Isolation::Empty,
        setup,
        steps: vec![Step {
            request,
            rules: Rules::facette(),
            expect: Expect::Fixed(Fixed { status: Some(status), headers: vec![], body }),
            save_location_as: None,
            optional: false,
        }],
    })
}
