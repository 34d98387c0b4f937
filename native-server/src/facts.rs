//! What this process knows of itself: counters of its HTTP side, and the facts that the engine asks a host for.

use crate::drive::Lane;
use crate::host::{Host, clock};
use isopoint_core::auth::Credentials;
use isopoint_core::dialect::exchange::{ApiRequest, HostFacts, Statistic};
use isopoint_core::dialect::form;
use isopoint_core::time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counters of requests since the start, by InfluxDB's names.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    requests: AtomicU64,
    active: AtomicU64,
    nanos: AtomicU64,
    auth_failures: AtomicU64,
    client_errors: AtomicU64,
    server_errors: AtomicU64,
    pings: AtomicU64,
    statuses: AtomicU64,
    queries: AtomicU64,
    query_nanos: AtomicU64,
    query_bytes: AtomicU64,
    writes: AtomicU64,
    writes_active: AtomicU64,
    write_bytes: AtomicU64,
    write_nanos: AtomicU64,
    /// Copies for subscribers: sent, failed, and those for which a queue had no room.
    pub copies_sent: AtomicU64,
    pub copies_failed: AtomicU64,
    pub copies_dropped: AtomicU64,
    waiting_queries: AtomicU64,
    waiting_writes: AtomicU64,
    /// Requests refused to keep the rest going.
    pub shed: AtomicU64,
    pub slow_queries: AtomicU64,
    pub continuous_runs: AtomicU64,
    pub continuous_failures: AtomicU64,
}

/// A kind of request that is counted apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ping,
    Status,
    Query,
    Write,
    Other,
}

impl Kind {
    fn of(path: &str) -> Self {
        match path {
            "/ping" => Self::Ping,
            "/status" => Self::Status,
            "/query" => Self::Query,
            "/write" | "/api/v2/write" => Self::Write,
            _ => Self::Other,
        }
    }
}

impl Counters {
    pub(crate) fn begin(&self, path: &str) {
        add(&self.requests, 1);
        add(&self.active, 1);
        match Kind::of(path) {
            Kind::Ping => add(&self.pings, 1),
            Kind::Status => add(&self.statuses, 1),
            Kind::Query => add(&self.queries, 1),
            Kind::Write => {
                add(&self.writes, 1);
                add(&self.writes_active, 1);
            }
            Kind::Other => {}
        }
    }

    pub(crate) fn body(&self, path: &str, bytes: usize) {
        if Kind::of(path) == Kind::Write {
            add(&self.write_bytes, bytes as u64);
        }
    }

    pub(crate) fn sent(&self, bytes: usize) {
        add(&self.query_bytes, bytes as u64);
    }

    pub(crate) fn end(&self, path: &str, status: u16, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.active.fetch_sub(1, Ordering::Relaxed);
        add(&self.nanos, nanos);
        match Kind::of(path) {
            Kind::Query => add(&self.query_nanos, nanos),
            Kind::Write => {
                self.writes_active.fetch_sub(1, Ordering::Relaxed);
                add(&self.write_nanos, nanos);
            }
            _ => {}
        }
        match status {
            401 => add(&self.auth_failures, 1),
            400..=499 => add(&self.client_errors, 1),
            500.. => add(&self.server_errors, 1),
            _ => {}
        }
    }
}

impl Counters {
    fn lane(&self, lane: Lane) -> &AtomicU64 {
        match lane {
            Lane::Query => &self.waiting_queries,
            Lane::Write => &self.waiting_writes,
        }
    }

    /// Answers that wait for a place.
    pub(crate) fn waiting(&self, lane: Lane) -> u64 {
        read(self.lane(lane))
    }

    /// Counts one that waits until what is returned is dropped.
    pub(crate) fn wait(&self, lane: Lane) -> Waiting<'_> {
        add(self.lane(lane), 1);
        Waiting(self.lane(lane))
    }

    pub(crate) fn shed_so_far(&self) -> u64 {
        read(&self.shed)
    }

    pub(crate) fn failed_logins(&self) -> u64 {
        read(&self.auth_failures)
    }

    pub(crate) fn slow_so_far(&self) -> u64 {
        read(&self.slow_queries)
    }

    pub(crate) fn active_now(&self) -> u64 {
        read(&self.active)
    }
}

pub(crate) struct Waiting<'a>(&'a AtomicU64);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(crate) fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// See [`HostFacts`].
pub(crate) struct Facts {
    host: Arc<Host>,
    counters: Arc<Counters>,
    address: String,
    started: Timestamp,
}

impl Facts {
    pub(crate) fn new(host: Arc<Host>, counters: Arc<Counters>, address: String) -> Self {
        Self { host, counters, address, started: clock::now() }
    }
}

impl std::fmt::Debug for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Facts")
    }
}

impl HostFacts for Facts {
    fn started(&self) -> Timestamp {
        self.started
    }

    /// Values of flags whose name says that they are secret are left out.
    fn arguments(&self) -> Vec<String> {
        let secret =
            |flag: &str| ["secret", "password", "key", "token", "webhook"].iter().any(|word| flag.contains(word));
        let mut hide = false;
        let show = |argument: String| {
            if std::mem::take(&mut hide) {
                return "[REDACTED]".to_owned();
            }
            match argument.split_once('=') {
                Some((flag, _)) if flag.starts_with("--") && secret(flag) => format!("{flag}=[REDACTED]"),
                _ => {
                    hide = argument.starts_with("--") && secret(&argument);
                    argument
                }
            }
        };
        std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).map(show).collect()
    }

    fn resident_bytes(&self) -> u64 {
        use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, get_current_pid};
        let (Ok(mut system), Ok(pid)) = (System::new(), get_current_pid()) else { return 0 };
        let memory = ProcessRefreshKind::nothing().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, memory);
        system.process(pid).map_or(0, sysinfo::Process::memory)
    }

    fn statistics(&self) -> Vec<Statistic> {
        let (counters, store) = (&self.counters, self.host.stats());
        let mut all = vec![Statistic {
            name: "cq",
            tags: vec![],
            values: vec![
                ("queryFail", read(&counters.continuous_failures)),
                ("queryOk", read(&counters.continuous_runs)),
            ],
        }];
        for database in self.host.snapshot().databases.iter() {
            all.push(Statistic {
                name: "database",
                tags: vec![("database", database.name.clone())],
                values: vec![
                    ("numMeasurements", database.index.measurements().count() as u64),
                    ("numSeries", database.index.series_count() as u64),
                ],
            });
        }
        all.push(Statistic {
            name: "httpd",
            tags: vec![("bind", self.address.clone())],
            values: vec![
                ("authFail", read(&counters.auth_failures)),
                ("clientError", read(&counters.client_errors)),
                ("fluxQueryReq", 0),
                ("fluxQueryReqDurationNs", 0),
                ("pingReq", read(&counters.pings)),
                ("pointsWrittenDropped", store.points_dropped),
                ("pointsWrittenFail", 0),
                ("pointsWrittenOK", store.points_written),
                ("promReadReq", 0),
                ("promWriteReq", 0),
                ("queryReq", read(&counters.queries)),
                ("queryReqDurationNs", read(&counters.query_nanos)),
                ("queryRespBytes", read(&counters.query_bytes)),
                ("recoveredPanics", 0),
                ("req", read(&counters.requests)),
                ("reqActive", read(&counters.active)),
                ("reqDurationNs", read(&counters.nanos)),
                ("serverError", read(&counters.server_errors)),
                ("statusReq", read(&counters.statuses)),
                ("valuesWrittenOK", store.values_written),
                ("writeReq", read(&counters.writes)),
                ("writeReqActive", read(&counters.writes_active)),
                ("writeReqBytes", read(&counters.write_bytes)),
                ("writeReqDurationNs", read(&counters.write_nanos)),
            ],
        });
        all.push(Statistic { name: "runtime", tags: vec![], values: vec![("Sys", self.resident_bytes())] });
        all.push(Statistic {
            name: "storage",
            tags: vec![],
            values: vec![
                ("blockFileBytes", store.file_bytes),
                ("blockFiles", store.files),
                ("logBytes", store.wal_bytes),
                ("memtableBytes", store.memtable_bytes),
                ("memtablePoints", store.memtable_points),
                ("series", store.series),
                ("shards", store.shards),
            ],
        });
        all.push(Statistic {
            name: "subscriber",
            tags: vec![],
            values: vec![
                ("createFailures", 0),
                ("pointsDropped", read(&counters.copies_dropped)),
                ("writeFailures", read(&counters.copies_failed)),
                ("writes", read(&counters.copies_sent)),
            ],
        });
        all
    }

    fn diagnostics(&self) -> Vec<(&'static str, Vec<(&'static str, String)>)> {
        let unknown = || "unknown".to_owned();
        let now = clock::now();
        let time = |time: Timestamp| {
            let mut text = Vec::new();
            isopoint_core::time::write_rfc3339(time.nanos(), 0, &mut text);
            String::from_utf8(text).unwrap_or_default()
        };
        let uptime = (now.nanos() - self.started.nanos()) / isopoint_core::time::NANOS_PER_SEC;
        vec![
            (
                "build",
                vec![
                    ("Branch", unknown()),
                    ("Build Time", String::new()),
                    ("Commit", unknown()),
                    ("Version", env!("CARGO_PKG_VERSION").to_owned()),
                ],
            ),
            ("network", vec![("hostname", sysinfo::System::host_name().unwrap_or_default())]),
            (
                "runtime",
                vec![
                    ("arch", std::env::consts::ARCH.to_owned()),
                    ("cpus", std::thread::available_parallelism().map_or(1, usize::from).to_string()),
                    ("os", std::env::consts::OS.to_owned()),
                ],
            ),
            (
                "system",
                vec![
                    ("PID", std::process::id().to_string()),
                    ("currentTime", time(now)),
                    ("started", time(self.started)),
                    ("uptime", format!("{uptime}s")),
                ],
            ),
        ]
    }
}

/// Who asked for what while somebody watches: `/debug/requests`.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    watchers: AtomicU64,
    seen: std::sync::Mutex<std::collections::BTreeMap<String, [u64; 2]>>,
}

/// More callers than this are not told apart.
const WATCHED: usize = 10_000;

impl Watch {
    /// Counts a write or a query of somebody at an address. Whoever he says he is: it was not checked yet.
    pub(crate) fn saw(&self, request: &ApiRequest, address: std::net::IpAddr) {
        let at = match Kind::of(&request.path) {
            Kind::Write => 0,
            Kind::Query => 1,
            _ => return,
        };
        if self.watchers.load(Ordering::Relaxed) == 0 {
            return;
        }
        let user = form::pairs(request.query.as_bytes()).find(|(name, user)| name == "u" && !user.is_empty());
        let who = match (user, Credentials::from_header(request.header("authorization").unwrap_or_default())) {
            (Some((_, user)), _) => format!("{user}:{address}"),
            (None, Credentials::Password { user, .. }) => format!("{user}:{address}"),
            (None, _) => address.to_string(),
        };
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if seen.len() < WATCHED || seen.contains_key(&who) {
            seen.entry(who).or_default()[at] += 1;
        }
    }

    /// What happens from now on, for so long, as JSON.
    pub(crate) async fn watch(&self, time: Duration) -> String {
        let lock = || self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.watchers.fetch_add(1, Ordering::Relaxed) == 0 {
            lock().clear();
        }
        let before = lock().clone();
        tokio::time::sleep(time).await;
        let after = lock().clone();
        self.watchers.fetch_sub(1, Ordering::Relaxed);
        let mut answer = serde_json::Map::new();
        for (who, [writes, queries]) in after {
            let [old_writes, old_queries] = before.get(&who).copied().unwrap_or_default();
            let (writes, queries) = (writes - old_writes, queries - old_queries);
            if writes + queries > 0 {
                answer.insert(who, serde_json::json!({ "writes": writes, "queries": queries }));
            }
        }
        format!("{}\n", serde_json::Value::Object(answer))
    }
}
