//! Liveness: `/ping`, its old name `/status`, and `/health`.

use super::head;
use crate::dialect::exchange::{Exchange, Reply};
use crate::dialect::form;
use crate::dialect::json::JsonWriter;
use crate::dialect::route::Call;

/// 204, or the version when it is asked for with `verbose`.
pub(super) fn ping(call: Call) -> Box<dyn Exchange> {
    let verbose = form::pairs(call.request.query.as_bytes())
        .find(|(name, _)| name == "verbose")
        .is_some_and(|(_, value)| !matches!(&*value, "" | "0" | "false"));
    if !verbose {
        return head::empty(&call, 204);
    }
    let mut json = JsonWriter::new(false);
    json.begin_object();
    json.key("version");
    json.string(&call.config.influx_version);
    json.end_object();
    Box::new(Reply::new(200, head::headers(&call, head::JSON), json.take()))
}

pub(super) fn status(call: Call) -> Box<dyn Exchange> {
    head::empty(&call, 204)
}

/// The preflight of a browser.
pub(super) fn options(call: Call) -> Box<dyn Exchange> {
    let mut headers = head::headers(&call, head::JSON);
    headers.retain(|(name, _)| name != "Content-Type");
    Box::new(Reply::new(200, headers, ""))
}

pub(super) fn health(call: Call) -> Box<dyn Exchange> {
    let mut json = JsonWriter::new(false);
    json.begin_object();
    json.key("checks");
    json.begin_array();
    json.end_array();
    for (key, value) in [
        ("message", "ready for queries and writes"),
        ("name", "influxdb"),
        ("status", "pass"),
        ("version", &call.config.influx_version),
    ] {
        json.key(key);
        json.string(value);
    }
    json.end_object();
    Box::new(Reply::new(200, head::headers(&call, head::JSON), json.take()))
}
