//! What the full module does beyond the reader: writes, and requests of every API.

mod exchange;
mod local;

pub(crate) use local::Local;

use crate::error::Fault;
use crate::task::Task;
use crate::values::Object;
use crate::{Core, JsValue, Timestamp};
use bytes::Bytes;
use isopoint_core::dialect::exchange::ApiRequest;
use isopoint_core::dialect::influx::line_protocol::{self, Precision};
use isopoint_core::dialect::{influx, route};
use isopoint_core::model::WriteBatch;
use js_sys::Array;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
impl Core {
    /// Stores line protocol in a local database, which is made when missing.
    pub fn write(
        &mut self,
        body: &[u8],
        database: &str,
        policy: Option<String>,
        precision: &str,
        now: i64,
    ) -> Result<JsValue, JsValue> {
        let now = Timestamp::from_nanos(now);
        let precision = Precision::from_v1_name(precision).ok_or_else(|| Fault::request("unknown precision"))?;
        let mut batch = WriteBatch::new();
        let outcome = line_protocol::parse(body, precision, now, &mut batch);
        self.local.create(database, now)?;
        let written = self.local.write(now, database, policy.as_deref(), batch).map_err(Fault::from)?;
        let refusal = written.refusal.as_ref().map(influx::refusal_text);
        let malformed = outcome.error(None);
        let answer = Object::new()
            .number("points", written.points as f64)
            .number("values", written.values as f64)
            .number("dropped", written.dropped as f64);
        Ok(match malformed.or(refusal) {
            Some(error) => answer.text("error", &error),
            None => answer,
        }
        .into())
    }

    /// Begins to answer an API request; gives the task's number.
    pub fn open(
        &mut self,
        method: String,
        path: String,
        query: String,
        headers: Array,
        body: &[u8],
        now: i64,
    ) -> Result<u32, JsValue> {
        let headers = pairs(&headers).ok_or_else(|| Fault::request("headers are pairs of texts"))?;
        // A page keeps no secrets of others; what it makes only has to differ.
        let mut entropy = [0; 32];
        entropy[..8].copy_from_slice(&u64::from(self.next_task).to_be_bytes());
        let request_id = format!("00000000-0000-1000-8000-{:012x}", self.next_task);
        let body = Bytes::copy_from_slice(body);
        let now = Timestamp::from_nanos(now);
        let request = ApiRequest { method, path, query, headers, body, now, request_id, entropy };
        let exchange = route::open(request, self.snapshot(), &self.config);
        Ok(self.begin_task(Task::new(exchange), now))
    }
}

/// The pairs of texts in a list of pairs; `None` if it holds anything else.
fn pairs(list: &Array) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    for pair in list.iter() {
        let pair = pair.dyn_into::<Array>().ok()?;
        pairs.push((pair.get(0).as_string()?, pair.get(1).as_string()?));
    }
    Some(pairs)
}
