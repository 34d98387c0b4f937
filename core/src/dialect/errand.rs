//! What an exchange asks of the world outside: calls to other servers, and waiting.
//!
//! A host that cannot (a page) says [`ErrandError::Unsupported`]; the exchange then answers that in its API's words.

use bytes::Bytes;
use std::fmt;
use thiserror::Error;

/// One thing to do outside.
#[derive(Debug)]
pub enum Errand {
    Http(Box<HttpCall>),
    Wait { millis: u64 },
}

/// What came of an errand.
#[derive(Clone, Debug)]
pub enum Told {
    Http(HttpReply),
    Waited,
}

/// A call to another server.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpCall {
    pub method: String,
    /// Absolute, `http` or `https`, without user information.
    pub url: String,
    /// As they go out. `Host`, `Content-Length` and transfer framing are the host's, unless `Host` is given.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// For all of it, or for the head alone when the answer is passed on as it comes.
    pub timeout_millis: u64,
    /// Redirects are followed, a few.
    pub follow: bool,
    pub tls: Tls,
}

/// How to trust the other server and what to show it. Texts are PEM.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tls {
    pub skip_verify: bool,
    pub server_name: Option<String>,
    pub ca: Option<String>,
    /// A certificate and its key.
    pub client: Option<(String, String)>,
}

/// The whole answer of another server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpReply {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

/// Why a call has no answer. The texts hold no secret: no header, no user information, no query string.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ErrandError {
    #[error("this host cannot call other servers")]
    Unsupported,
    #[error("timeout {phase} after {millis} ms")]
    Timeout { phase: &'static str, millis: u64 },
    #[error("{0}")]
    Unreachable(String),
    /// The address is one that data sources may not have.
    #[error("{0}")]
    Forbidden(String),
    #[error("unable to load TLS certificate: {0}")]
    Tls(String),
    #[error("the answer is larger than {allowed} bytes")]
    TooLarge { allowed: u64 },
    /// What the caller sends through.
    #[error("the request body is larger than {allowed} bytes")]
    BodyTooLarge { allowed: u64 },
}

// Headers and keys are secrets: neither is printed.
impl fmt::Debug for HttpCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpCall")
            .field("method", &self.method)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("skip_verify", &self.skip_verify).finish_non_exhaustive()
    }
}
