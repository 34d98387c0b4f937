//! What Grafana says when something is wrong: every wording, status and message id, in one place.

use super::json::{Json, object};
use crate::dialect::exchange::{Exchange, Reply};
use crate::dialect::route::{Call, Refusal};

/// An answer that is an error: `{"message", "messageId"?, "statusCode", "traceID"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) message: String,
    pub(crate) id: &'static str,
    /// More members: `title` and kin.
    pub(crate) extra: Vec<(&'static str, String)>,
}

impl ApiError {
    pub(crate) fn new(status: u16, id: &'static str, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), id, extra: Vec::new() }
    }

    fn plain(status: u16, message: &str) -> Self {
        Self::new(status, "", message)
    }

    pub(crate) fn reply(&self) -> Box<dyn Exchange> {
        json_reply(self.status, &self.body())
    }

    pub(crate) fn body(&self) -> Json {
        let mut body = object([("message", Json::from(self.message.as_str()))]);
        if !self.id.is_empty() {
            body.set("messageId", self.id.into());
        }
        for (name, text) in &self.extra {
            body.set(name, text.as_str().into());
        }
        body.set("statusCode", i64::from(self.status).into());
        body.set("traceID", "".into());
        body
    }

    pub(crate) fn bad_request() -> Self {
        Self::plain(400, "bad request data")
    }

    pub(crate) fn bad_id() -> Self {
        Self::plain(400, "id is invalid")
    }

    pub(crate) fn bad_uid() -> Self {
        Self::plain(400, "UID is invalid")
    }

    pub(crate) fn invalid_url() -> Self {
        Self::plain(400, "Validation error, invalid URL")
    }

    pub(crate) fn not_found() -> Self {
        Self::new(404, "datasource.notFound", "Data source not found")
    }

    pub(crate) fn not_registered() -> Self {
        Self::new(404, "plugin.notRegistered", "Plugin not registered")
    }

    pub(crate) fn not_implemented() -> Self {
        Self::new(404, "plugin.notImplemented", "Method not implemented")
    }

    /// A handler that gave up.
    pub(crate) fn crash() -> Self {
        Self {
            extra: vec![("error", "Server Error".to_owned())],
            ..Self::plain(500, "Internal Server Error - Check the Grafana server logs for the detailed error message.")
        }
    }

    pub(crate) fn secret_unreadable() -> Self {
        Self::new(500, "datasource.secretUnreadable", "a stored secret cannot be decrypted with the present key")
    }

    /// The caller's right is missing; `number` makes the id by which it is found in a log.
    pub(crate) fn denied(right: &str, number: u64) -> Self {
        Self {
            extra: vec![
                ("title", "Access denied".to_owned()),
                ("accessErrorId", format!("ACE{:010}", number % 10_000_000_000)),
            ],
            ..Self::plain(
                403,
                &format!("You'll need additional permissions to perform this action. Permissions needed: {right}"),
            )
        }
    }
}

/// A JSON answer.
pub(crate) fn json_reply(status: u16, body: &Json) -> Box<dyn Exchange> {
    Box::new(Reply::new(status, json_headers(), body.to_bytes()))
}

pub(crate) fn json_headers() -> Vec<(String, String)> {
    let fixed =
        [("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")];
    fixed.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// What the route table refuses.
pub(crate) fn refuse(call: &Call, refusal: Refusal) -> Box<dyn Exchange> {
    let error = match refusal {
        Refusal::UnknownPath => ApiError::plain(404, "Not found"),
        Refusal::WrongMethod(_) => ApiError::plain(405, "Method not allowed"),
        Refusal::Unauthenticated(error) => super::identity::refused(call, &error),
        Refusal::Forbidden => ApiError::plain(403, "Permission denied"),
        Refusal::Body { status, why } => ApiError::plain(status, &why),
    };
    error.reply()
}
