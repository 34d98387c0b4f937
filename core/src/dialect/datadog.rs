//! Datadog's metrics: queries, submission, listings.
//!
//! ```text
//!  GET /api/v1/query ─► parse ─► ast ─► compile ─► Plan ─► Frames ─► evaluate ─► encode
//!                                         ├ sources   names to fields, tags to series, through `forms`
//!                                         ├ metadata  types, intervals, units
//!                                         └ grid      buckets
//!  POST /api/v1/series, /api/v2/series, … ─► submit ─► WriteBatch, metadata documents
//!  datagrams ─► dogstatsd ───────────────────────────┘
//! ```
//!
//! What a query means: sources are chosen, each is aggregated over time by bucket, brought onto common times, joined by
//! group, then goes through functions and arithmetic. All of that is nodes of the plan. `error` owns every wording and
//! status.

mod ast;
mod compile;
pub mod dogstatsd;
mod encode;
mod error;
mod evaluate;
mod forms;
mod grid;
mod inquiry;
mod keys;
mod list;
mod metadata;
mod names;
mod parse;
mod points;
mod protobuf;
mod query;
mod sources;
mod submit;
mod transfer;
mod units;
mod v2;

#[cfg(test)]
mod tests;

pub use inquiry::ask;

use super::exchange::Exchange;
use super::route::{Call, Privilege, Route, Surface};

/// What the API needs to know of the installation.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where points go and come from; made when the first come.
    pub database: String,
    /// None: any that is not empty will do.
    pub api_keys: Vec<String>,
    pub app_keys: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { database: "datadog".to_owned(), api_keys: Vec::new(), app_keys: Vec::new() }
    }
}

const fn route(
    name: &'static str,
    path: &'static str,
    methods: &'static [&'static str],
    privilege: Privilege,
    open: fn(Call) -> Box<dyn Exchange>,
) -> Route {
    Route { name, path, methods, privilege, open }
}

const READ: &[&str] = &["GET", "HEAD"];

/// The paths of Datadog's API that are answered.
pub static SURFACE: Surface = Surface {
    name: "datadog",
    identify: keys::identify,
    refuse: error::refuse,
    routes: &[
        route("datadog-query", "/api/v1/query", READ, Privilege::ByContent, query::v1),
        route("datadog-series", "/api/v1/series", &["POST"], Privilege::Write, submit::v1),
        route("datadog-series-v2", "/api/v2/series", &["POST"], Privilege::Write, submit::v2),
        route(
            "datadog-distributions",
            "/api/v1/distribution_points",
            &["POST"],
            Privilege::Write,
            submit::distributions,
        ),
        route("datadog-sketches", "/api/beta/sketches", &["POST"], Privilege::Write, submit::sketches),
        route("datadog-timeseries", "/api/v2/query/timeseries", &["POST"], Privilege::ByContent, v2::timeseries),
        route("datadog-scalar", "/api/v2/query/scalar", &["POST"], Privilege::ByContent, v2::scalar),
        route("datadog-validate", "/api/v1/validate", READ, Privilege::ByContent, list::validate),
        route("datadog-metrics", "/api/v1/metrics", READ, Privilege::ByContent, list::metrics),
        route("datadog-metadata", "/api/v1/metrics/{name}", READ, Privilege::ByContent, list::metadata),
        route("datadog-put-metadata", "/api/v1/metrics/{name}", &["PUT"], Privilege::Write, list::put_metadata),
        route("datadog-export-metadata", "/api/v1/isopoint/metrics", READ, Privilege::ByContent, transfer::export),
        route("datadog-import-metadata", "/api/v1/isopoint/metrics", &["PUT"], Privilege::Write, transfer::import),
        route("datadog-search", "/api/v1/search", READ, Privilege::ByContent, list::search),
        route("datadog-host-tags", "/api/v1/tags/hosts", READ, Privilege::ByContent, list::host_tags),
        route("datadog-metrics-v2", "/api/v2/metrics", READ, Privilege::ByContent, list::metrics_v2),
        route("datadog-all-tags", "/api/v2/metrics/{name}/all-tags", READ, Privilege::ByContent, list::all_tags_v2),
        route("datadog-check-run", "/api/v1/check_run", &["POST"], Privilege::Write, list::accept),
        route("datadog-events", "/api/v1/events", &["POST"], Privilege::Write, list::accept),
        route("datadog-events-v2", "/api/v2/events", &["POST"], Privilege::Write, list::accept),
        route("datadog-intake", "/intake/", &["POST"], Privilege::Write, list::accept_quietly),
        route("datadog-agent-metadata", "/api/v1/metadata", &["POST"], Privilege::Write, list::accept_quietly),
        route("datadog-collector", "/api/v1/collector", &["POST"], Privilege::Write, list::accept_quietly),
    ],
};
