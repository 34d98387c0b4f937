//! JSON Web Tokens (RFC 7519) signed by HMAC: `head.claims.signature`, each base64 without padding.

use super::{Vault, decode_base64};
use crate::time::{NANOS_PER_SEC, Timestamp};
use serde_json::{Map, Value};
use thiserror::Error;

/// What is wrong with a token. The texts are those that clients of the API that invented this use know.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    #[error("token contains an invalid number of segments")]
    Segments,
    #[error("token is malformed")]
    Malformed,
    #[error("unexpected signing method: {0}")]
    Method(String),
    #[error("signature is invalid")]
    Signature,
    #[error("Token is expired")]
    Expired,
    /// Of access tokens: never made, or revoked, which is not told.
    #[error("token is not known")]
    Unknown,
    #[error("Token is not valid yet")]
    NotYet,
    #[error("token expiration required")]
    NoExpiration,
    #[error("username in token must be a string")]
    NoName,
    #[error("token must contain a username")]
    EmptyName,
}

/// The user that a token names, when its signature is right and `now` is within its time.
pub(super) fn user(token: &str, vault: &dyn Vault, now: Timestamp) -> Result<String, TokenError> {
    let mut segments = token.split('.');
    let (Some(head), Some(claims), Some(signature), None) =
        (segments.next(), segments.next(), segments.next(), segments.next())
    else {
        return Err(TokenError::Segments);
    };
    let signed = token.get(..head.len() + 1 + claims.len()).ok_or(TokenError::Malformed)?;
    let (head, claims) = (object(head)?, object(claims)?);
    let method = head.get("alg").and_then(Value::as_str).unwrap_or_default();
    let bits = match method {
        "HS256" => 256,
        "HS384" => 384,
        "HS512" => 512,
        other => return Err(TokenError::Method(other.to_owned())),
    };
    let signature = decode_base64(signature).ok_or(TokenError::Malformed)?;
    if !vault.verify_signature(bits, signed.as_bytes(), &signature) {
        return Err(TokenError::Signature);
    }
    let now = now.nanos() as f64 / NANOS_PER_SEC as f64;
    let time = |name: &str| claims.get(name).and_then(Value::as_f64);
    if time("nbf").is_some_and(|from| now < from) {
        return Err(TokenError::NotYet);
    }
    let until = time("exp").filter(|until| *until > 0.0).ok_or(TokenError::NoExpiration)?;
    if now > until {
        return Err(TokenError::Expired);
    }
    match claims.get("username") {
        Some(Value::String(name)) if name.is_empty() => Err(TokenError::EmptyName),
        Some(Value::String(name)) => Ok(name.clone()),
        _ => Err(TokenError::NoName),
    }
}

fn object(segment: &str) -> Result<Map<String, Value>, TokenError> {
    let bytes = decode_base64(segment).ok_or(TokenError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::super::tests::Plain;
    use super::*;

    /// Of `{"alg":"HS256"}` and `{"alg":"none"}`.
    const HS256: &str = "eyJhbGciOiJIUzI1NiJ9";
    const NONE: &str = "eyJhbGciOiJub25lIn0";
    const SIGNED: &str = "c2lnbmVk";

    #[track_caller]
    fn check(token: &str, expected: Result<&str, TokenError>) {
        let found = user(token, &Plain, Timestamp::from_nanos(1000 * NANOS_PER_SEC));
        assert_eq!(found, expected.map(str::to_owned), "{token}");
    }

    #[test]
    fn a_token_names_its_user_while_it_lasts() {
        // {"username":"ann","exp":2000}, {"username":"ann","exp":500}, {"username":"ann"}, {"exp":2000}
        let ann = "eyJ1c2VybmFtZSI6ImFubiIsImV4cCI6MjAwMH0";
        check(&format!("{HS256}.{ann}.{SIGNED}"), Ok("ann"));
        check(&format!("{HS256}.{ann}.c2lnbmU"), Err(TokenError::Signature));
        check(&format!("{NONE}.{ann}.{SIGNED}"), Err(TokenError::Method("none".into())));
        check(&format!("{HS256}.eyJ1c2VybmFtZSI6ImFubiIsImV4cCI6NTAwfQ.{SIGNED}"), Err(TokenError::Expired));
        check(&format!("{HS256}.eyJ1c2VybmFtZSI6ImFubiJ9.{SIGNED}"), Err(TokenError::NoExpiration));
        check(&format!("{HS256}.eyJleHAiOjIwMDB9.{SIGNED}"), Err(TokenError::NoName));
        check("a.b", Err(TokenError::Segments));
        check("a.b.c.d", Err(TokenError::Segments));
        check(&format!("{HS256}.!.{SIGNED}"), Err(TokenError::Malformed));
        check("é.é.é", Err(TokenError::Malformed));
    }
}
