//! The engine in a page: the boundary between the core and JavaScript, and nothing else.
//!
//! [`Core`] is what the npm package's Worker drives. Tasks (queries, API requests) are turned by the caller, who reads
//! byte ranges when asked; so nothing here waits, fetches or reads a clock. Columns leave as typed arrays, copied once;
//! objects carry only names, tags and counts. Failures are `Error` objects with a `code`.

mod columns;
mod error;
mod local;
mod task;
mod values;

use error::Fault;
use isopoint_core::dialect::exchange::{ApiConfig, ApiRequest};
use isopoint_core::dialect::influx::frames::FrameQuery;
use isopoint_core::dialect::influx::line_protocol::{self, Precision};
use isopoint_core::dialect::influx::{self, frames};
use isopoint_core::dialect::route;
use isopoint_core::model::WriteBatch;
use isopoint_core::sorted::SortedMap;
use isopoint_core::store::Snapshot;
use isopoint_core::sync::client::Replica;
use isopoint_core::time::Timestamp;
use js_sys::Array;
use local::Local;
use std::sync::Arc;
use task::Task;
use values::{Object, bytes_list};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

/// The engine's version, as in the workspace's `Cargo.toml`.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// One engine: local databases, replicas of a server's, and what is being answered.
#[wasm_bindgen]
pub struct Core {
    local: Local,
    replicas: SortedMap<String, Followed>,
    config: Arc<ApiConfig>,
    /// Each with the `now` of its request.
    tasks: SortedMap<u32, (Task, Timestamp)>,
    next_task: u32,
}

/// A database of the source. While a connection begins, the replica before it goes on answering.
#[derive(Default)]
struct Followed {
    live: Option<Replica>,
    staged: Option<Replica>,
}

impl Followed {
    fn newest(&mut self) -> Option<&mut Replica> {
        self.staged.as_mut().or(self.live.as_mut())
    }
}

#[wasm_bindgen]
impl Core {
    #[wasm_bindgen(constructor)]
    #[allow(clippy::new_without_default, reason = "a constructor for JavaScript")]
    pub fn new() -> Self {
        let config = Arc::new(ApiConfig::default());
        Self {
            local: Local::new(&config.limits),
            replicas: SortedMap::new(),
            config,
            tasks: SortedMap::new(),
            next_task: 0,
        }
    }

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
        let headers = values::read_pairs(&headers).ok_or_else(|| Fault::request("headers are pairs of texts"))?;
        // A page keeps no secrets of others; what it makes only has to differ.
        let mut entropy = [0; 32];
        entropy[..8].copy_from_slice(&u64::from(self.next_task).to_be_bytes());
        let request_id = format!("00000000-0000-1000-8000-{:012x}", self.next_task);
        let body = bytes::Bytes::copy_from_slice(body);
        let now = Timestamp::from_nanos(now);
        let request = ApiRequest { method, path, query, headers, body, now, request_id, entropy };
        let exchange = route::open(request, self.snapshot(), &self.config);
        Ok(self.begin_task(Task::exchange(exchange), now))
    }

    /// Begins to run InfluxQL into columns; gives the task's number.
    pub fn query(&mut self, text: &str, database: Option<String>, now: i64) -> Result<u32, JsValue> {
        let query = self.frames(text, database, now)?;
        Ok(self.begin_task(Task::frames(query), Timestamp::from_nanos(now)))
    }

    /// The column bytes that the query's scans cover, as if no header could answer: what to hold before zooming.
    pub fn needs(&mut self, text: &str, database: Option<String>, now: i64) -> Result<Array, JsValue> {
        let ranges = self.frames(text, database, now)?.needs().map_err(|error| Fault::request(&error.to_string()))?;
        Ok(values::ranges(ranges.iter().filter(|range| !self.local.holds(range))))
    }

    /// Does the next piece of a task, of about so many rows.
    pub fn turn(&mut self, task: u32, rows: f64) -> Result<JsValue, JsValue> {
        let replicas = self.replicas_snapshot();
        let (running, now) = self.tasks.get_mut(&task).ok_or_else(|| Fault::request("no such task"))?;
        Ok(running.turn(rows as u64, &mut self.local, &replicas, *now))
    }

    /// Gives a task the bytes it asked for, in its order.
    pub fn supply(&mut self, task: u32, parts: Array) -> Result<(), JsValue> {
        let (running, _) = self.tasks.get_mut(&task).ok_or_else(|| Fault::request("no such task"))?;
        running.supply(bytes_list(&parts), &self.local);
        Ok(())
    }

    /// Tells a task that its bytes cannot be had.
    pub fn fail(&mut self, task: u32, why: String) {
        if let Some((running, _)) = self.tasks.get_mut(&task) {
            running.fail(why);
        }
    }

    /// Forgets a task, done or not.
    pub fn cancel(&mut self, task: u32) {
        self.tasks.remove(&task);
    }

    /// Prepares for a new connection to the source's tail.
    pub fn begin(&mut self, database: &str) {
        let followed = self.replicas.or_default(database.to_owned());
        followed.staged = Some(match &followed.live {
            Some(live) => live.restart(),
            None => Replica::new(database),
        });
    }

    /// Takes whole frames of the tail, up to and including the first manifest.
    pub fn tail(&mut self, database: &str, bytes: &[u8]) -> Result<JsValue, JsValue> {
        let followed = self.replicas.get_mut(database).ok_or_else(|| Fault::request("not followed"))?;
        let replica = followed.newest().ok_or_else(|| Fault::request("not followed"))?;
        let taken = replica.tail(bytes).map_err(|error| Fault::damaged(&error.to_string()))?;
        if taken.caught_up
            && let Some(staged) = followed.staged.take()
        {
            followed.live = Some(staged);
        }
        Ok(Object::new()
            .number("used", taken.used as f64)
            .number("points", taken.points as f64)
            .flag("manifest", taken.manifest)
            .flag("caughtUp", taken.caught_up)
            .into())
    }

    /// The parts of files that the newest manifest needs before it is in force.
    pub fn wants(&mut self, database: &str) -> Array {
        let wants = self.replicas.get_mut(database).and_then(Followed::newest).map(|replica| replica.wants());
        values::ranges(wants.unwrap_or_default().iter())
    }

    /// Gives what `wants` asked for, in its order.
    pub fn give(&mut self, database: &str, parts: Array) -> Result<(), JsValue> {
        let replica = self.replicas.get_mut(database).and_then(Followed::newest);
        let replica = replica.ok_or_else(|| Fault::request("not followed"))?;
        replica.give(bytes_list(&parts)).map_err(|error| Fault::damaged(&error.to_string()).into())
    }

    pub fn forget(&mut self, database: &str) {
        self.replicas.remove(database);
    }

    pub fn stats(&mut self) -> JsValue {
        let snapshot = self.snapshot();
        let databases: Vec<&str> = snapshot.databases.iter().map(|database| database.name.as_str()).collect();
        let series: usize = snapshot.databases.iter().map(|database| database.index.series_count()).sum();
        let live = || self.replicas.values().filter_map(|followed| followed.live.as_ref());
        let files: Vec<&str> = live().flat_map(Replica::files).map(|file| file.name.as_str()).collect();
        let bytes: u64 = live().flat_map(Replica::files).map(|file| file.size).sum();
        Object::new()
            .number("series", series as f64)
            .value("databases", &values::names(&databases))
            .value("files", &values::names(&files))
            .number("filesBytes", bytes as f64)
            .into()
    }
}

impl Core {
    fn frames(&mut self, text: &str, database: Option<String>, now: i64) -> Result<FrameQuery, JsValue> {
        let now = Timestamp::from_nanos(now);
        frames::open(text, database, self.snapshot(), now, &self.config.limits)
            .map_err(|error| Fault::request(&error.to_string()).into())
    }

    fn begin_task(&mut self, task: Task, now: Timestamp) -> u32 {
        let number = self.next_task;
        self.next_task = self.next_task.wrapping_add(1);
        self.tasks.insert(number, (task, now));
        number
    }

    fn replicas_snapshot(&mut self) -> Snapshot {
        let databases = self.replicas.values_mut().filter_map(|followed| followed.live.as_mut()?.database());
        Snapshot { databases: Arc::new(databases.collect()), ..Snapshot::default() }
    }

    /// Replicas first, then local databases of other names.
    fn snapshot(&mut self) -> Snapshot {
        let replicas = self.replicas_snapshot();
        values::both(&replicas, &self.local.snapshot())
    }
}
