//! The engine in a page: the boundary between the core and JavaScript, and nothing else.
//!
//! [`Core`] is what the npm package's Worker drives. Tasks (queries, API requests) are turned by the caller, who reads
//! byte ranges when asked; so nothing here waits, fetches or reads a clock. Columns leave as typed arrays, copied once;
//! objects carry only names, tags and counts. Failures are `Error` objects with a `code`.
//!
//! Two modules are built from this crate. The `reader` is what a page loads first: replicas, and plain SELECTs over them.
//! With the feature `full` it also keeps databases of its own and answers requests of every API. What the reader's
//! exports do not reach is not linked into it, nor what `isopoint_core::extent` leaves out; a query that asks for more
//! than a reader can do says so by the turn `beyond`, or by an error of that code.

mod columns;
mod error;
#[cfg(feature = "full")]
mod full;
#[cfg(not(feature = "full"))]
mod reader;
mod task;
mod values;

use error::Fault;
#[cfg(feature = "full")]
use full::Local;
#[cfg(feature = "full")]
use isopoint_core::dialect::exchange::ApiConfig;
use isopoint_core::dialect::influx::frames::{self, FrameQuery};
use isopoint_core::limits::Limits;
use isopoint_core::sorted::SortedMap;
use isopoint_core::store::Snapshot;
use isopoint_core::sync::client::Replica;
use isopoint_core::sync::wire::{TailFrame, read_frame};
use isopoint_core::time::Timestamp;
use js_sys::Array;
#[cfg(not(feature = "full"))]
use reader::Local;
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
    limits: Limits,
    #[cfg(feature = "full")]
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
        let limits = Limits::default();
        Self {
            local: Local::new(&limits),
            replicas: SortedMap::new(),
            #[cfg(feature = "full")]
            config: Arc::new(ApiConfig { limits: limits.clone(), ..ApiConfig::default() }),
            limits,
            tasks: SortedMap::new(),
            next_task: 0,
        }
    }

    /// Begins to run InfluxQL into columns; gives the task's number.
    pub fn query(&mut self, text: &str, database: Option<String>, now: i64) -> Result<u32, JsValue> {
        let query = self.frames(text, database, now)?;
        Ok(self.begin_task(Task::new(query), Timestamp::from_nanos(now)))
    }

    /// The column bytes that the query's scans cover, as if no header could answer: what to hold before zooming.
    pub fn needs(&mut self, text: &str, database: Option<String>, now: i64) -> Result<Array, JsValue> {
        let ranges = self.frames(text, database, now)?.needs().map_err(Fault::from)?;
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

    /// The block files that the manifest at the start of a tail names.
    #[wasm_bindgen(js_name = filesOf)]
    pub fn files_of(&self, tail: &[u8]) -> Result<Array, JsValue> {
        let damaged = || Fault::damaged("the tail does not begin with a manifest");
        let frame = read_frame(tail).map_err(|error| Fault::damaged(&error.to_string()))?;
        let Some((TailFrame::Manifest(manifest), _)) = frame else { return Err(damaged().into()) };
        let shards = manifest.policies.iter().flat_map(|policy| &policy.shards);
        let files = shards.flat_map(|shard| &shard.files);
        Ok(files
            .map(|file| -> JsValue { Object::new().text("name", &file.name).number("size", file.size as f64).into() })
            .collect())
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
        frames::open(text, database, self.snapshot(), now, &self.limits).map_err(|refused| Fault::from(refused).into())
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
