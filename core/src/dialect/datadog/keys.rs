//! Who may: the API key for submissions, and the application key too for reads.

use super::error::Error;
use crate::auth::{Credentials, LoginError, Principal, Rights};
use crate::dialect::form;
use crate::dialect::route::{Call, by_header, login};

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    ApiKey,
    BothKeys,
}

/// Refuses a request without the keys it needs. A header goes before the query string. Where no key is configured, any
/// that is not empty will do; with authentication on it then has to be somebody's credentials, see [`identify`].
pub(super) fn check(call: &Call, needs: Needs) -> Result<(), Error> {
    if let Principal::User(_) = call.principal {
        let rights = if needs == Needs::ApiKey { Rights::WRITE } else { Rights::READ };
        return may(call, rights, &call.config.datadog.database);
    }
    let (api, application) = (&call.config.datadog.api_keys, &call.config.datadog.app_keys);
    let known = !call.config.authentication || !api.is_empty();
    if !known || !valid(&key(call, "dd-api-key", "api_key"), api) {
        return Err(Error::forbidden());
    }
    if needs == Needs::BothKeys && !valid(&key(call, "dd-application-key", "application_key"), application) {
        return Err(Error::forbidden());
    }
    Ok(())
}

/// Whether the caller may see another database than the one that keys are for.
pub(super) fn may_read(call: &Call, database: &str) -> Result<(), Error> {
    if database == call.config.datadog.database { Ok(()) } else { may(call, Rights::READ, database) }
}

/// A database that is not there yet is an administrator's to make.
fn may(call: &Call, rights: Rights, database: &str) -> Result<(), Error> {
    let allowed = match call.snapshot.database(database) {
        Some(database) => call.principal.may(rights, database.id),
        None => rights == Rights::READ || call.principal.is_admin(),
    };
    if allowed { Ok(()) } else { Err(Error::forbidden()) }
}

/// With authentication on: a configured API key speaks for itself, and [`check`] looks at it. Anything else is somebody's
/// credentials, in the header `Authorization` or, since that is all some clients can be told, in place of the API key:
/// `user:password` or a JSON Web Token.
pub(super) fn identify(call: &Call) -> Result<Principal, LoginError> {
    let api = key(call, "dd-api-key", "api_key");
    let configured = &call.config.datadog.api_keys;
    if !configured.is_empty() && valid(&api, configured) {
        return Ok(Principal::Nobody);
    }
    if call.request.header("authorization").is_some() || api.is_empty() {
        return by_header(call);
    }
    let scheme = if api.contains(':') { "Token" } else { "Bearer" };
    login(call, &Credentials::from_header(&format!("{scheme} {api}")))
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
