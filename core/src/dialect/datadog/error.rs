//! What Datadog says when something is wrong: every wording and every status, in one place.

use crate::dialect::exchange::{Exchange, Reply};
use crate::dialect::json::JsonWriter;
use crate::dialect::route::{Call, Refusal};
use crate::exec::QueryError;
use crate::store::WriteError;

/// A status and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Error {
    pub(super) status: u16,
    pub(super) text: String,
}

impl Error {
    pub(super) fn new(status: u16, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    pub(super) fn bad(text: impl Into<String>) -> Self {
        Self::new(400, text)
    }

    pub(super) fn forbidden() -> Self {
        Self::new(403, "Forbidden")
    }

    /// A query that means nothing, in the words people search for.
    pub(super) fn query(text: impl std::fmt::Display) -> Self {
        Self::bad(format!("Error parsing query: {text}"))
    }
}

impl From<QueryError> for Error {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Limit(exceeded) => Self::bad(exceeded.to_string()),
            other => Self::new(500, other.to_string()),
        }
    }
}

impl From<WriteError> for Error {
    fn from(error: WriteError) -> Self {
        let status = match error {
            WriteError::Overloaded | WriteError::Poisoned(_) => 503,
            _ => 500,
        };
        Self::new(status, error.to_string())
    }
}

pub(super) fn headers() -> Vec<(String, String)> {
    vec![("Content-Type".to_owned(), "application/json".to_owned())]
}

/// `errors` is what all clients read; the members beside it are what older ones do.
pub(super) fn reply(error: &Error) -> Box<dyn Exchange> {
    let mut json = JsonWriter::new(false);
    json.begin_object();
    json.key("status");
    json.string("error");
    json.key("code");
    json.raw(&error.status.to_string());
    json.key("errors");
    json.begin_array();
    json.string(&error.text);
    json.end_array();
    json.key("error");
    json.string(&error.text);
    json.end_object();
    Box::new(Reply::new(error.status, headers(), json.take()))
}

/// A whole answer with a body.
pub(super) fn json(status: u16, body: impl Into<bytes::Bytes>) -> Box<dyn Exchange> {
    Box::new(Reply::new(status, headers(), body))
}

/// What the route table refuses.
pub(super) fn refuse(_: &Call, refusal: Refusal) -> Box<dyn Exchange> {
    match refusal {
        Refusal::UnknownPath => reply(&Error::new(404, "Not found")),
        Refusal::WrongMethod(_) => reply(&Error::new(405, "Method Not Allowed")),
        Refusal::Unauthenticated(_) | Refusal::Forbidden => reply(&Error::forbidden()),
        Refusal::Body { status: 413, .. } => reply(&Error::new(413, "Payload too large")),
        Refusal::Body { status: 408, .. } => reply(&Error::new(408, "Timeout")),
        Refusal::Body { status, why } => reply(&Error::new(status, why)),
    }
}
