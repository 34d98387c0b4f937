//! The headers that InfluxDB puts on its answers, and its way to say no.

use super::error::RequestError;
use crate::dialect::exchange::{ApiRequest, Exchange, Reply};
use crate::dialect::json::JsonWriter;
use crate::dialect::route::{Call, Refusal};

pub(super) const JSON: &str = "application/json";
const PLAIN: &str = "text/plain; charset=utf-8";
/// Bytes of `X-Influxdb-Error`.
const MAX_ERROR_HEADER: usize = 1024;

/// A 401 asks a browser for a password, and unlike other errors has its text in the body only.
fn unauthenticated(call: &Call, error: &RequestError) -> Box<dyn Exchange> {
    let mut headers = headers(call, JSON);
    headers.push(("Www-Authenticate".to_owned(), "Basic realm=\"InfluxDB\"".to_owned()));
    Box::new(Reply::new(error.status(), headers, error_body(error)))
}

/// The headers of an answer made by a route.
pub(super) fn headers(call: &Call, content_type: &str) -> Vec<(String, String)> {
    let mut headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
    let id = request_id(&call.request);
    headers.push(("Request-Id".to_owned(), id.to_owned()));
    headers.push(("X-Request-Id".to_owned(), id.to_owned()));
    product(call, &mut headers);
    if let Some(origin) = call.request.header("origin").filter(|origin| !origin.is_empty()) {
        let fixed = [
            ("Access-Control-Allow-Methods", "DELETE, GET, OPTIONS, POST, PUT"),
            (
                "Access-Control-Allow-Headers",
                "Accept, Accept-Encoding, Authorization, Content-Length, Content-Type, X-CSRF-Token, \
                 X-HTTP-Method-Override",
            ),
            ("Access-Control-Expose-Headers", "Date, X-InfluxDB-Version, X-InfluxDB-Build"),
        ];
        headers.push(("Access-Control-Allow-Origin".to_owned(), origin.to_owned()));
        headers.extend(fixed.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    headers
}

/// An answer without a body.
pub(super) fn empty(call: &Call, status: u16) -> Box<dyn Exchange> {
    Box::new(Reply::new(status, headers(call, JSON), Vec::new()))
}

/// An error as JSON, which every route but `/query` speaks.
pub(super) fn error(call: &Call, error: &RequestError) -> Box<dyn Exchange> {
    error_with(call, error, JSON, error_body(error))
}

fn error_body(error: &RequestError) -> Vec<u8> {
    let mut json = JsonWriter::new(false);
    json.begin_object();
    json.key("error");
    json.string(&error.to_string());
    json.end_object();
    json.line_feed();
    json.take()
}

/// An error whose body is at hand.
pub(super) fn error_with(call: &Call, error: &RequestError, content_type: &str, body: Vec<u8>) -> Box<dyn Exchange> {
    let mut headers = headers(call, content_type);
    headers.push(("X-Influxdb-Error".to_owned(), error_header(&error.to_string())));
    Box::new(Reply::new(error.status(), headers, body))
}

/// What the route table refuses: Go's own pages.
pub(super) fn refuse(call: &Call, refusal: Refusal) -> Box<dyn Exchange> {
    let mut headers = vec![("Content-Type".to_owned(), PLAIN.to_owned())];
    product(call, &mut headers);
    match refusal {
        Refusal::Unauthenticated(why) => unauthenticated(call, &RequestError::Login(why)),
        // No route of this API is an administrator's: statements are.
        Refusal::Forbidden => error(call, &RequestError::NoAdministrator),
        Refusal::Body { status, why } => error(call, &RequestError::Body { status, why }),
        Refusal::UnknownPath => {
            headers.push(("X-Content-Type-Options".to_owned(), "nosniff".to_owned()));
            Box::new(Reply::new(404, headers, "404 page not found\n"))
        }
        Refusal::WrongMethod(methods) => {
            headers.push(("Allow".to_owned(), methods.join(", ")));
            Box::new(Reply::new(405, headers, "Method Not Allowed\n"))
        }
    }
}

/// `POST /api/v2/query`: Flux is not part of this program, which InfluxDB says in these words when it is switched off.
pub(super) fn flux(call: Call) -> Box<dyn Exchange> {
    let text = "Flux query service disabled. Verify flux-enabled=true in the [http] section of the InfluxDB config.\n";
    Box::new(Reply::new(403, headers(&call, PLAIN), text))
}

fn product(call: &Call, headers: &mut Vec<(String, String)>) {
    headers.push(("X-Influxdb-Version".to_owned(), call.config.influx_version.clone()));
    headers.push(("X-Influxdb-Build".to_owned(), "OSS".to_owned()));
}

fn request_id(request: &ApiRequest) -> &str {
    let given = |name| request.header(name).filter(|id| !id.is_empty());
    given("x-request-id").or_else(|| given("request-id")).unwrap_or(&request.request_id)
}

/// The message on one line and not too long, cut between characters.
fn error_header(message: &str) -> String {
    let mut end = message.len().min(MAX_ERROR_HEADER);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message[..end].replace(['\r', '\n'], " ")
}

/// A path of no API.
pub(super) fn unknown(call: Call) -> Box<dyn Exchange> {
    refuse(&call, Refusal::UnknownPath)
}
