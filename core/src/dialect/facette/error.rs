//! What Facette says when something is wrong: every wording and every status, in one place.

use crate::dialect::exchange::{Exchange, Reply};
use crate::dialect::json::JsonWriter;
use crate::dialect::route::{Call, Refusal};
use crate::exec::QueryError;
use crate::limits::Exceeded;
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
            Self::Forbidden => 403,
            Self::NotFound | Self::Endpoint => 404,
            Self::Parameter | Self::Reference | Self::Template | Self::TimeRange | Self::Limit(_) => 400,
            Self::Body { status, .. } => *status,
            Self::Unhandled => 500,
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

/// What the route table refuses.
pub(super) fn refuse(_: &Call, refusal: Refusal) -> Box<dyn Exchange> {
    match refusal {
        Refusal::UnknownPath => reply(&Error::Endpoint),
        Refusal::WrongMethod(mut methods) => {
            crate::order::sort_few(&mut methods);
            Box::new(Reply::new(405, vec![("Allow".to_owned(), methods.join(", "))], ""))
        }
        Refusal::Unauthenticated(_) => reply(&Error::Unauthenticated),
        Refusal::Forbidden => reply(&Error::Forbidden),
        Refusal::Body { status, why } => reply(&Error::Body { status, why }),
    }
}
