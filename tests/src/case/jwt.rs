//! Bearer tokens of the cases, made when a case is read.

use super::text_of;
use crate::json::Value;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use std::time::{SystemTime, UNIX_EPOCH};

/// `{"secret", "claims"}`; an `exp` such as `"+600"` counts from now. HS256.
pub(super) fn token(spec: &Value) -> Result<String, String> {
    super::only(spec, &["secret", "claims"])?;
    let claims = spec.get("claims").and_then(Value::as_object).unwrap_or_default();
    let claims = claims.iter().map(|(name, value)| Ok((name.clone(), claim(name, value)?)));
    let claims = Value::Object(claims.collect::<Result<_, String>>()?);
    let head = URL_SAFE_NO_PAD.encode("{\"alg\":\"HS256\",\"typ\":\"JWT\"}");
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mut mac = Hmac::<Sha256>::new_from_slice(text_of(spec, "secret")?.as_bytes()).expect("any length will do");
    mac.update(signed.as_bytes());
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())))
}

fn claim(name: &str, value: &Value) -> Result<Value, String> {
    let Some(from_now) = value.as_text().filter(|_| name == "exp") else { return Ok(value.clone()) };
    let from_now: i64 = from_now.parse().map_err(|why| format!("exp {from_now:?}: {why}"))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    Ok(Value::number(now.cast_signed() + from_now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_standard() {
        // Head, claims and key of the debugger at jwt.io.
        let claims = "{\"sub\":\"1234567890\",\"name\":\"John Doe\",\"iat\":1516239022}";
        let spec = Value::parse(&format!("{{\"secret\":\"your-256-bit-secret\",\"claims\":{claims}}}")).unwrap();
        let token = token(&spec).unwrap();
        assert!(token.ends_with(".SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"), "{token}");
    }
}
