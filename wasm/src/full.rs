//! What the full module does beyond the reader: writes, and requests of every API.

mod exchange;
mod local;
mod write;

pub(crate) use local::Local;
use write::Write;

use crate::error::Fault;
use crate::task::Task;
use crate::values::{self, Object};
use crate::{Core, JsValue, Timestamp};
use bytes::Bytes;
use isopoint_core::dialect::exchange::ApiRequest;
use isopoint_core::dialect::influx::line_protocol::{self, Precision};
use isopoint_core::dialect::route;
use isopoint_core::model::WriteBatch;
use isopoint_core::store::{Action, FileName};
use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
impl Core {
    /// Begins to store line protocol in a local database, which is made when missing; gives the task's number.
    pub fn write(
        &mut self,
        body: &[u8],
        database: &str,
        policy: Option<String>,
        precision: &str,
        now: i64,
    ) -> Result<u32, JsValue> {
        let now = Timestamp::from_nanos(now);
        let precision = Precision::from_v1_name(precision).ok_or_else(|| Fault::request("unknown precision"))?;
        let mut batch = WriteBatch::new();
        let malformed = line_protocol::parse(body, precision, now, &mut batch).error(None);
        Ok(self.begin_task(Task::new(Write::new(database, policy, batch, malformed)), now))
    }

    /// Opens what the caller has kept of local databases, and from now on lets it keep what they write. `names` and
    /// `parts` are all its files, but temporary ones.
    pub fn recover(&mut self, names: Vec<String>, parts: Array, now: i64) -> Result<(), JsValue> {
        let files = names.into_iter().map(FileName::new).zip(values::bytes_list(&parts)).collect();
        self.local = Local::recover(&self.config.limits, files, Timestamp::from_nanos(now))
            .map_err(|why| Fault::damaged(&why))?;
        Ok(())
    }

    /// What the caller has to do next with its files, `undefined` when that is nothing. To be answered by `did`.
    pub fn action(&mut self, now: i64) -> JsValue {
        self.local.action(Timestamp::from_nanos(now)).map_or(JsValue::UNDEFINED, action_object)
    }

    /// How the last action went; `why` it failed, in words for a person.
    pub fn did(&mut self, why: Option<String>, now: i64) {
        self.local.did(Timestamp::from_nanos(now), why.map_or(Ok(()), Err));
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

/// `{do, file, bytes?, len?, to?}`.
fn action_object(action: &Action) -> JsValue {
    let told = |what: &str, file: &FileName| Object::new().text("do", what).text("file", file.as_str());
    let bytes = |bytes: &Bytes| Uint8Array::from(&bytes[..]);
    match action {
        Action::Append { file, bytes: part, .. } => told("append", file).value("bytes", &bytes(part)),
        Action::Sync { file, .. } => told("sync", file),
        Action::Truncate { file, len, .. } => told("truncate", file).number("len", *len as f64),
        Action::Put { file, bytes: whole, .. } => told("put", file).value("bytes", &bytes(whole)),
        Action::Rename { from, to, .. } => told("rename", from).text("to", to.as_str()),
        Action::Delete { file, .. } => told("delete", file),
        // Never given out.
        Action::Run { .. } | Action::Publish { .. } | Action::PublishDelete { .. } | Action::Ack { .. } => {
            Object::new()
        }
    }
    .into()
}
