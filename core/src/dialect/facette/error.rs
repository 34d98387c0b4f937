//! What Facette says when something is wrong: every wording and every status, in one place.

use super::encode::write_value;
use crate::dialect::exchange::{Exchange, Reply};
use crate::dialect::json::JsonWriter;
use crate::dialect::route::{Call, Refusal};
use crate::exec::QueryError;
use crate::limits::Exceeded;
use serde_json::Value;
use thiserror::Error;

/// Why a request has no other answer than `{"message": …}`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Error {
    #[error("invalid content type")]
    ContentType,
    /// Also for a range that does not parse.
    #[error("invalid request parameter")]
    Parameter,
    #[error("item not found")]
    NotFound,
    #[error("unknown reference")]
    Reference,
    #[error("invalid template data")]
    Template,
    #[error("invalid time range")]
    TimeRange,
    /// What the library says to a body that the points endpoint calls a wrong parameter.
    #[error("invalid JSON data")]
    Data,
    #[error("invalid identifier")]
    Identifier,
    #[error("invalid name")]
    Name,
    #[error("invalid alias")]
    Alias,
    #[error("invalid pattern")]
    Pattern,
    #[error("invalid filter pattern")]
    Filter,
    #[error("unknown column")]
    Column,
    #[error("empty group")]
    EmptyGroup,
    #[error("item conflict")]
    Conflict,
    #[error("read-only instance")]
    ReadOnly,
    #[error("unknown endpoint")]
    Endpoint,
    #[error(transparent)]
    Limit(#[from] Exceeded),
    /// Authentication is on, and nobody or somebody else asks.
    #[error("authentication required")]
    Unauthenticated,
    #[error("access denied")]
    Forbidden,
    /// The host could not take the body.
    #[error("{why}")]
    Body { status: u16, why: String },
    /// A damaged file, a read that failed.
    #[error("an unhandled error has occurred")]
    Unhandled,
}

impl Error {
    pub(super) const fn status(&self) -> u16 {
        match self {
            Self::ContentType => 415,
            Self::Unauthenticated => 401,
            Self::NotFound | Self::Endpoint => 404,
            Self::Conflict => 409,
            Self::Forbidden | Self::ReadOnly => 403,
            Self::Body { status, .. } => *status,
            Self::Unhandled => 500,
            _ => 400,
        }
    }
}

impl From<QueryError> for Error {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Limit(exceeded) => Self::Limit(exceeded),
            _ => Self::Unhandled,
        }
    }
}

/// The headers of every answer with a body.
pub(super) fn headers() -> Vec<(String, String)> {
    let fixed = [("Content-Type", "application/json"), ("Cache-Control", "no-cache, no-store, must-revalidate")];
    fixed.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

pub(super) fn reply(error: &Error) -> Box<dyn Exchange> {
    let mut json = JsonWriter::new(false);
    json.begin_object();
    json.key("message");
    json.string(&error.to_string());
    json.end_object();
    json.line_feed();
    Box::new(Reply::new(error.status(), headers(), json.take()))
}

/// The answer of a handler that may fail.
pub(super) fn result(result: Result<Box<dyn Exchange>, Error>) -> Box<dyn Exchange> {
    result.unwrap_or_else(|error| reply(&error))
}

/// A document that is an answer as it is.
pub(super) fn json(value: &Value) -> Box<dyn Exchange> {
    let mut body = text(value);
    body.push(b'\n');
    answer(200, Vec::new(), body)
}

/// JSON on one line.
pub(super) fn text(value: &Value) -> Vec<u8> {
    let mut json = JsonWriter::new(false);
    write_value(value, &mut json);
    json.take()
}

/// An answer of a status without a body.
pub(super) fn empty(status: u16) -> Box<dyn Exchange> {
    answer(status, Vec::new(), Vec::new())
}

/// An answer; a body is JSON on a line.
pub(super) fn answer(status: u16, mut more: Vec<(String, String)>, body: Vec<u8>) -> Box<dyn Exchange> {
    if !body.is_empty() {
        more.extend(headers());
    }
    Box::new(Reply::new(status, more, body))
}

/// What the route table refuses. What may be done on a path is asked with `OPTIONS`, on all of them alike.
pub(super) fn refuse(call: &Call, refusal: Refusal) -> Box<dyn Exchange> {
    match refusal {
        Refusal::UnknownPath => reply(&Error::Endpoint),
        Refusal::WrongMethod(mut methods) => {
            methods.push("OPTIONS");
            crate::order::sort_few(&mut methods);
            let status = if call.request.method == "OPTIONS" { 204 } else { 405 };
            answer(status, vec![("Allow".to_owned(), methods.join(", "))], Vec::new())
        }
        Refusal::Unauthenticated(_) => reply(&Error::Unauthenticated),
        Refusal::Forbidden => reply(&Error::Forbidden),
        Refusal::Body { status, why } => reply(&Error::Body { status, why }),
    }
}
