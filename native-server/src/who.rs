//! What a request says of its caller, as far as the log and the login limit need it. Who he is, the APIs decide.

use isopoint_core::auth::tokens::{self, Tokens};
use isopoint_core::auth::{Credentials, decode_base64};
use isopoint_core::catalog::Documents;
use isopoint_core::dialect::exchange::ApiRequest;
use isopoint_core::dialect::form;
use std::net::IpAddr;

/// The cookie of the dashboard's sessions.
pub(crate) const SESSION_COOKIE: &str = "isopoint_session";

/// Whoever a line of a log is about.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub name: String,
    pub peer: IpAddr,
    /// Of the request, by which other lines about it are found.
    pub trace: String,
}

/// What is offered to log in with, of all the places where the APIs take it.
pub(crate) fn offered(request: &ApiRequest) -> Credentials {
    let (mut user, mut password, mut key) = (None, None, None);
    for (name, value) in form::pairs(request.query.as_bytes()) {
        match &*name {
            "u" => user.get_or_insert(value),
            "p" => password.get_or_insert(value),
            "api_key" => key.get_or_insert(value),
            _ => continue,
        };
    }
    if let (Some(user), Some(password)) = (&user, &password)
        && !user.is_empty()
    {
        return Credentials::Password { user: user.clone().into_owned(), password: password.clone().into_owned() };
    }
    if let Some(header) = request.header("authorization") {
        return Credentials::from_header(header);
    }
    let key = request.header("dd-api-key").map(str::to_owned).or_else(|| key.map(|key| key.into_owned()));
    match key {
        Some(key) if key.contains(':') => Credentials::from_header(&format!("Token {key}")),
        Some(key) if !key.is_empty() => Credentials::from_header(&format!("Bearer {key}")),
        _ => Credentials::Missing,
    }
}

/// The name that is offered; right once a request was let in.
pub(crate) fn name(credentials: &Credentials, documents: &Documents) -> String {
    let token = |text: &str| {
        let known = tokens::id_of(text).and_then(|id| Tokens::of(documents).find(id));
        known.map(|token| format!("token {}", token.name))
    };
    let found = match credentials {
        Credentials::Missing => None,
        Credentials::Password { password, .. } if tokens::id_of(password).is_some() => token(password),
        Credentials::Password { user, .. } => Some(user.clone()),
        Credentials::Token(text) if tokens::id_of(text).is_some() => token(text),
        Credentials::Token(text) => claimed(text),
    };
    found.unwrap_or_else(|| "-".to_owned())
}

/// The user in a JSON Web Token.
fn claimed(token: &str) -> Option<String> {
    let claims = decode_base64(token.split('.').nth(1)?)?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    claims.get("username")?.as_str().map(str::to_owned)
}

/// The session that a browser sends along.
pub(crate) fn session_text(request: &ApiRequest) -> Option<&str> {
    session_cookie(request.header("cookie")?)
}

pub(crate) fn session_cookie(cookies: &str) -> Option<&str> {
    let mut pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == SESSION_COOKIE).map(|(_, text)| text)
}

/// The trace that a caller's request belongs to (W3C Trace Context: `00-<32 digits>-<16 digits>-<flags>`), if it is one.
pub(crate) fn trace_id(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let (_, id) = (parts.next()?, parts.next()?);
    let valid = id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit()) && id.bytes().any(|d| d != b'0');
    valid.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_wherever_credentials_are() {
        let check = |query: &str, header: Option<(&str, &str)>, expected: &str| {
            let headers = header.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
            let request = ApiRequest {
                method: "GET".into(),
                path: "/query".into(),
                query: query.into(),
                headers,
                body: bytes::Bytes::new(),
                now: isopoint_core::time::Timestamp::from_nanos(0),
                request_id: String::new(),
                entropy: [0; 32],
            };
            assert_eq!(name(&offered(&request), &Documents::default()), expected);
        };
        check("u=ann&p=x", None, "ann");
        check("", Some(("authorization", "Basic cm9vdDpvcmFjbGU=")), "root");
        check("", Some(("dd-api-key", "bob:secret")), "bob");
        // {"username":"zoe"}
        check("", Some(("authorization", "Bearer e30.eyJ1c2VybmFtZSI6InpvZSJ9.x")), "zoe");
        check("", None, "-");
    }

    #[test]
    fn cookies_and_traces_are_read_as_they_are_written() {
        assert_eq!(session_cookie("a=b; isopoint_session=isp_1; c=d"), Some("isp_1"));
        assert_eq!(session_cookie("xisopoint_session=1"), None);
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id(&format!("00-{trace}-00f067aa0ba902b7-01")), Some(trace));
        assert_eq!(trace_id("00-00000000000000000000000000000000-00f067aa0ba902b7-01"), None);
        assert_eq!(trace_id("nonsense"), None);
    }
}
