//! What the service says of itself.

use super::error;
use super::request::RANGE;
use crate::dialect::exchange::Exchange;
use crate::dialect::route::Call;
use serde_json::json;

/// The API that is spoken, and whose engine answers.
const VERSION: &str = "0.5.1-isopoint";

/// `GET /version`. How it was built is not told.
pub(super) fn version(_: Call) -> Box<dyn Exchange> {
    error::json(&json!({
        "version": VERSION, "branch": null, "revision": null, "compiler": null, "build_date": null,
    }))
}

/// `OPTIONS` of the API's root.
pub(super) fn options(_: Call) -> Box<dyn Exchange> {
    error::json(&json!({
        "connectors": ["influxdb"], "defaults": { "time_range": RANGE }, "read_only": false,
    }))
}
