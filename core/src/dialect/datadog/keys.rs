//! Who may: the API key for submissions, and the application key too for reads.

use super::error::Error;
use crate::dialect::form;
use crate::dialect::route::Call;

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    ApiKey,
    BothKeys,
}

/// Refuses a request without the keys it needs. A header goes before the query string. Where no key is configured, any
/// that is not empty will do.
pub(super) fn check(call: &Call, needs: Needs) -> Result<(), Error> {
    let api = &call.config.datadog.api_keys;
    if !valid(&key(call, "dd-api-key", "api_key"), api) {
        return Err(Error::forbidden());
    }
    let application = &call.config.datadog.app_keys;
    if needs == Needs::BothKeys && !valid(&key(call, "dd-application-key", "application_key"), application) {
        return Err(Error::forbidden());
    }
    Ok(())
}

fn key(call: &Call, header: &str, parameter: &str) -> String {
    if let Some(key) = call.request.header(header).filter(|key| !key.is_empty()) {
        return key.to_owned();
    }
    let pairs = form::pairs(call.request.query.as_bytes());
    pairs.filter(|(name, _)| name == parameter).last().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn valid(given: &str, known: &[String]) -> bool {
    if known.is_empty() { !given.is_empty() } else { known.iter().any(|key| same(key, given)) }
}

/// Takes as long wherever the first difference is.
fn same(a: &str, b: &str) -> bool {
    let differences = a.bytes().zip(b.bytes()).fold(0, |seen, (x, y)| seen | (x ^ y));
    a.len() == b.len() && differences == 0
}
