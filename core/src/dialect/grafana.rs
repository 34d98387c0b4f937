//! Grafana's data source API: records, their health, resources and proxy, and queries that answer in data frames.
//!
//! ```text
//!  /api/datasources… ─► crud ─► sources ─► DocumentChanges ─► catalog
//!                                   │
//!  /health /resources /proxy ───────┴► outgoing ─► Errand ─► host ─► other servers
//!
//!  /api/dashboards… ─► dashboards ──────────────────► catalog
//!
//!  /api/ds/query ─► query ─► testdata ───────────────┐
//!                      ├───► influxdb ─► language ─► Frames ─► DataFrame ─► expr ─► frame JSON
//!                      └───► influxdb, prometheus, graphite ─► Errand ─┘
//! ```
//!
//! `error` owns the wordings of routes, each backend those of its own; `record` says how a data source is stored.

mod base64;
mod crud;
mod dashboards;
mod error;
mod expr;
mod frame;
mod graphite;
mod health;
mod identity;
mod influxdb;
mod json;
mod meta;
mod outcome;
mod outgoing;
mod plugin;
mod prometheus;
mod provision;
pub mod proxy;
mod query;
mod record;
mod resources;
mod sources;
mod testdata;
mod times;
mod url;
mod work;

#[cfg(test)]
mod tests;

use super::errand::ErrandError;
use super::exchange::Exchange;
use super::route::{Call, Privilege, Refusal, Route, Surface};
use super::sealer::Sealer;
use crate::catalog::DocumentChanges;
use crate::store::Snapshot;
use outcome::Fault;
pub use provision::{Provisioned, provision};

/// A path below `/api` that is of no API, in Grafana's words: the others' stand further below.
fn rest(call: Call) -> Box<dyn Exchange> {
    error::refuse(&call, Refusal::UnknownPath)
}

/// A failed call in the words of a query's result.
fn errand_fault(error: &ErrandError) -> Fault {
    let status = match error {
        ErrandError::Timeout { .. } => 504,
        ErrandError::Forbidden(_) => 403,
        ErrandError::Tls(_) => 400,
        ErrandError::Unsupported => 501,
        ErrandError::BodyTooLarge { .. } => 413,
        ErrandError::Unreachable(_) | ErrandError::TooLarge { .. } => 502,
    };
    Fault::downstream(status, error.to_string())
}

/// The changes that put every stored secret under another key. The error is the name of a data source whose secrets the
/// old key does not open.
pub fn reseal(snapshot: &Snapshot, old: &dyn Sealer, new: &dyn Sealer) -> Result<DocumentChanges, String> {
    crud::sources(snapshot).reseal(old, new)
}

const ANY: &[&str] = &["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

const fn route(
    name: &'static str,
    path: &'static str,
    methods: &'static [&'static str],
    open: fn(Call) -> Box<dyn Exchange>,
) -> Route {
    Route { name, path, methods, privilege: Privilege::ByContent, open }
}

/// The paths of Grafana 11. Fixed segments stand before `{id}`, which would take them too.
pub static SURFACE: Surface = Surface {
    name: "grafana",
    identify: identity::sign_in,
    refuse: error::refuse,
    routes: &[
        Route {
            name: "grafana-health",
            path: "/api/health",
            methods: &["GET", "HEAD"],
            privilege: Privilege::Open,
            open: meta::health,
        },
        route("grafana-settings", "/api/frontend/settings", &["GET"], meta::settings),
        route("grafana-user", "/api/user", &["GET"], meta::user),
        route("grafana-user-orgs", "/api/user/orgs", &["GET"], meta::user_orgs),
        route("grafana-org", "/api/org", &["GET"], meta::org),
        route("grafana-login-ping", "/api/login/ping", &["GET"], meta::login_ping),
        route("datasources", "/api/datasources", &["GET"], crud::list),
        route("datasources-create", "/api/datasources", &["POST"], crud::create),
        route("datasources-slash", "/api/datasources/", &["GET"], crud::list),
        route("datasources-create-slash", "/api/datasources/", &["POST"], crud::create),
        route("dashboards-save", "/api/dashboards/db", &["POST"], dashboards::save),
        route("dashboard", "/api/dashboards/uid/{uid}", &["GET"], dashboards::by_uid),
        route("dashboard-delete", "/api/dashboards/uid/{uid}", &["DELETE"], dashboards::delete),
        route("dashboards-search", "/api/search", &["GET"], dashboards::search),
        route("ds-query", "/api/ds/query", &["POST"], query::query),
        route("proxy-uid", "/api/datasources/proxy/uid/{uid}", ANY, proxy::open),
        route("proxy-uid-path", "/api/datasources/proxy/uid/{uid}/{*path}", ANY, proxy::open),
        route("proxy-id", "/api/datasources/proxy/{id}", ANY, proxy::open),
        route("proxy-id-path", "/api/datasources/proxy/{id}/{*path}", ANY, proxy::open),
        route("datasource-uid-health", "/api/datasources/uid/{uid}/health", ANY, health::by_uid),
        route("datasource-uid-resources", "/api/datasources/uid/{uid}/resources", ANY, resources::by_uid),
        route("datasource-uid-resource", "/api/datasources/uid/{uid}/resources/{*path}", ANY, resources::by_uid),
        route("datasource-uid", "/api/datasources/uid/{uid}", &["GET"], crud::by_uid),
        route("datasource-uid-update", "/api/datasources/uid/{uid}", &["PUT"], crud::update_by_uid),
        route("datasource-uid-patch", "/api/datasources/uid/{uid}", &["PATCH"], crud::patch_by_uid),
        route("datasource-uid-delete", "/api/datasources/uid/{uid}", &["DELETE"], crud::delete_by_uid),
        route("datasource-name", "/api/datasources/name/{name}", &["GET"], crud::by_name),
        route("datasource-name-delete", "/api/datasources/name/{name}", &["DELETE"], crud::delete_by_name),
        route("datasource-id-of-name", "/api/datasources/id/{name}", &["GET"], crud::id_by_name),
        route("datasource-health", "/api/datasources/{id}/health", ANY, health::by_id),
        route("datasource-resources", "/api/datasources/{id}/resources", ANY, resources::by_id),
        route("datasource-resource", "/api/datasources/{id}/resources/{*path}", ANY, resources::by_id),
        route("datasource", "/api/datasources/{id}", &["GET"], crud::by_id),
        route("datasource-update", "/api/datasources/{id}", &["PUT"], crud::update_by_id),
        route("datasource-patch", "/api/datasources/{id}", &["PATCH"], crud::patch_by_id),
        route("datasource-delete", "/api/datasources/{id}", &["DELETE"], crud::delete_by_id),
        Route { privilege: Privilege::Open, ..route("api-rest", "/api/{*rest}", ANY, rest) },
    ],
};
