//! Providers: one for every database, made of it and not to be changed. There is nothing to connect and nothing to
//! refresh: the catalog is a view of the index.

use super::error::{self, Error};
use super::graph::Object;
use super::library::{List, records, shown_fields};
use super::query::Query;
use crate::dialect::exchange::Exchange;
use crate::dialect::form;
use crate::dialect::route::{Call, path_values};
use serde_json::{Value, json};

pub(super) const ONE: &str = "/api/v1/providers/{id}";
pub(super) const REFRESH: &str = "/api/v1/providers/{id}/refresh";
/// What a listed provider shows besides what other items do.
const MORE_FIELDS: [&str; 2] = ["enabled", "error"];
/// Databases do not know when they were made.
const MADE: &str = "1970-01-01T00:00:00Z";

/// Every provider, in the order of its database's creation.
pub(super) fn all(call: &Call) -> Vec<Object> {
    let mapping = call.config.facette.to_json();
    let provider = |name: &str| {
        let provider = json!({
            "id": id(name), "name": name, "description": null, "created": MADE, "modified": MADE,
            "connector": "influxdb", "settings": { "database": name, "mapping": mapping }, "filters": [],
            "refresh_interval": 0, "priority": 0, "enabled": true, "error": "",
        });
        match provider {
            Value::Object(provider) => provider,
            _ => Object::new(),
        }
    };
    call.readable().databases.iter().map(|database| provider(&database.name)).collect()
}

/// The identifier of a database's provider: always the same for one name (shaped as version 8, of an own making).
fn id(name: &str) -> String {
    super::library::named_uuid(&["provider", name])
}

fn find(pattern: &str, call: &Call) -> Option<Object> {
    let values = path_values(pattern, &call.request.path)?;
    let wanted = form::path_part(values.first()?)?;
    all(call).into_iter().find(|provider| provider.get("id").and_then(Value::as_str) == Some(&*wanted))
}

/// `GET /providers`
pub(super) fn list(call: Call) -> Box<dyn Exchange> {
    error::result(list_all(&call))
}

fn list_all(call: &Call) -> Result<Box<dyn Exchange>, Error> {
    let query = Query::new(&call.request);
    let page = query.page()?;
    let mut providers = all(call);
    let known: Vec<String> = providers.first().into_iter().flat_map(Object::keys).cloned().collect();
    let list = List::new(&query, &|name| name == "name" || known.iter().any(|known| known == name))?;
    providers.retain(|provider| list.takes(provider));
    list.sort(&mut providers);
    let shown: Vec<_> =
        providers[page.of(providers.len())].iter().map(|item| shown_fields(item, &query, &MORE_FIELDS)).collect();
    Ok(records(providers.len(), &shown))
}

/// `GET` of one.
pub(super) fn get(call: Call) -> Box<dyn Exchange> {
    let Some(provider) = find(ONE, &call) else { return error::reply(&Error::NotFound) };
    let query = Query::new(&call.request);
    let provider = match query.list("fields") {
        Some(_) => shown_fields(&provider, &query, &[]),
        None => provider,
    };
    error::json(&Value::Object(provider))
}

/// `POST` of a refresh: the catalog is never stale.
pub(super) fn refresh(call: Call) -> Box<dyn Exchange> {
    if find(REFRESH, &call).is_some() { error::empty(204) } else { error::reply(&Error::NotFound) }
}

/// Whatever would change one.
pub(super) fn refuse(_: Call) -> Box<dyn Exchange> {
    error::reply(&Error::ReadOnly)
}
