//! InfluxDB 1.x: line protocol in, InfluxQL to plans, answers in its own shapes and words.
//!
//! ```text
//!  POST /write ─► line_protocol ─► WriteBatch                      ┌► compile ─► Plan ─► Frames ─┐
//!  /query ─► params, lexer, parse ─► ast::Statement ─► query ──────┼► show ─► Parts ─────────────┼► answer ─► encode_*
//!                                                                  └► admin ─► Command ──────────┘
//! ```
//!
//! `error` owns every wording and status, `head` the headers.

pub mod ast;
pub mod frames;
pub mod lexer;
pub mod line_protocol;
pub mod params;
pub mod parse;

mod admin;
mod answer;
mod authorize;
mod compile;
mod continuous;
mod counters;
mod delete;
mod encode_csv;
mod encode_json;
mod encode_msgpack;
mod error;
mod head;
mod inquiry;
mod into;
mod ping;
mod query;
mod show;
mod subscriptions;
mod users;
mod write;

#[cfg(test)]
mod tests;

pub use continuous::{DueQuery, due};
pub use inquiry::ask;
pub use subscriptions::{Subscription, lines, subscriptions};

use super::route::{Privilege, Route, Surface};

/// Why the store refused a point, in InfluxDB's words: what stands after `partial write: `.
pub fn refusal_text(refusal: &crate::store::Refusal) -> String {
    error::refusal(refusal)
}

/// The paths of InfluxDB 1.8.
pub static SURFACE: Surface = Surface {
    name: "influx",
    identify: authorize::identify,
    refuse: head::refuse,
    routes: &[
        Route { name: "ping", path: "/ping", methods: &["GET", "HEAD"], privilege: Privilege::Open, open: ping::ping },
        Route {
            name: "status",
            path: "/status",
            methods: &["GET", "HEAD"],
            privilege: Privilege::Open,
            open: ping::status,
        },
        Route { name: "health", path: "/health", methods: &["GET"], privilege: Privilege::Open, open: ping::health },
        Route {
            name: "debug-vars",
            path: "/debug/vars",
            methods: &["GET"],
            // It names every database. InfluxDB leaves it open.
            privilege: Privilege::Admin,
            open: counters::vars,
        },
        Route {
            name: "query",
            path: "/query",
            methods: &["GET", "POST"],
            privilege: Privilege::ByContent,
            open: query::query,
        },
        Route {
            name: "query-options",
            path: "/query",
            methods: &["OPTIONS"],
            privilege: Privilege::Open,
            open: ping::options,
        },
        Route { name: "write", path: "/write", methods: &["POST"], privilege: Privilege::Write, open: write::v1 },
        Route {
            name: "write-options",
            path: "/write",
            methods: &["OPTIONS"],
            privilege: Privilege::Open,
            open: ping::options,
        },
        Route {
            name: "v2-write",
            path: "/api/v2/write",
            methods: &["POST"],
            privilege: Privilege::Write,
            open: write::v2,
        },
        Route {
            name: "v2-query",
            path: "/api/v2/query",
            methods: &["POST"],
            privilege: Privilege::Open,
            open: head::flux,
        },
        // Grafana has the rest of `/api`.
        Route {
            name: "v2-rest",
            path: "/api/v2/{*rest}",
            methods: &["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"],
            privilege: Privilege::Open,
            open: head::unknown,
        },
    ],
};
