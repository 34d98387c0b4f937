//! Counters of the server in Prometheus's text format.

use crate::checks::Checks;
use crate::drive::Lane;
use crate::facts::Counters;
use crate::host::Host;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    /// One of a fixed list, so that a scanner cannot make series.
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: &'static str,
}

pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    seconds: Family<Route, Histogram>,
    points: Gauge,
    values: Gauge,
    memtable: Gauge,
    files: Gauge,
    file_bytes: Gauge,
    wal_bytes: Gauge,
    series: Gauge,
    poisoned: Gauge,
    /// Of the HTTP side and the checks, in the order of [`MORE`].
    more: Vec<Gauge>,
}

/// Name and what it is.
const MORE: &[(&str, &str)] = &[
    ("requests_active", "Requests being answered"),
    ("queries_waiting", "Queries that wait for a place"),
    ("writes_waiting", "Writes that wait for a place"),
    ("requests_shed", "Requests refused since the start because too many waited or bodies took too much memory"),
    ("logins_failed", "Answers with status 401 since the start"),
    ("slow_queries", "Queries slower than --slow-query since the start"),
    ("checks", "Checks of the file"),
    ("checks_failed", "Checks that could not be evaluated the last time"),
    ("alerts_firing", "Alerts that fire"),
    ("flushes", "Memtables written to files since the start"),
    ("compactions", "Compactions since the start"),
    ("log_groups", "Appends to the log since the start, each of one write or more"),
    ("pending_bytes", "Bytes of writes that wait for the log"),
];

const ROUTES: &[(&str, &str)] = &[
    ("/query", "query"),
    ("/write", "write"),
    ("/ping", "ping"),
    ("/health", "health"),
    ("/metrics", "metrics"),
    ("/api/v2/write", "write"),
    ("/api/v1/series/points", "points"),
];

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("isopoint");
        let requests = Family::<Request, Counter>::default();
        registry.register("http_requests", "Requests answered, by route and status", requests.clone());
        let seconds =
            Family::<Route, Histogram>::new_with_constructor(|| Histogram::new(exponential_buckets(0.0005, 2.0, 16)));
        registry.register_with_unit(
            "http_request",
            "Time to the head of an answer, by route",
            Unit::Seconds,
            seconds.clone(),
        );
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let points = gauge("points_written", "Points acknowledged since the start");
        let values = gauge("values_written", "Field values acknowledged since the start");
        let memtable = gauge("memtable_bytes", "Memory of points that are not in a file yet");
        let files = gauge("block_files", "Live block files");
        let file_bytes = gauge("block_file_bytes", "Bytes of live block files");
        let wal_bytes = gauge("wal_bytes", "Bytes of the log that are still needed");
        let series = gauge("series", "Series of all databases");
        let poisoned = gauge("writes_stopped", "1 when the log could not be made durable and writes are refused");
        let more = MORE.iter().map(|(name, help)| gauge(name, help)).collect();
        Self {
            registry,
            requests,
            seconds,
            points,
            values,
            memtable,
            files,
            file_bytes,
            wal_bytes,
            series,
            poisoned,
            more,
        }
    }

    pub(crate) fn request(&self, path: &str, status: u16, took: Duration) {
        let route = ROUTES
            .iter()
            .find(|(known, _)| *known == path)
            .map_or_else(|| if path.starts_with("/sync/") { "sync" } else { "other" }, |(_, route)| route);
        self.requests.get_or_create(&Request { route, status }).inc();
        self.seconds.get_or_create(&Route { route }).observe(took.as_secs_f64());
    }

    /// Every counter with its kind and what it is, a line each.
    pub(crate) fn described(&self) -> String {
        drop(self.requests.get_or_create(&Request { route: "query", status: 200 }));
        drop(self.seconds.get_or_create(&Route { route: "query" }));
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a String takes all");
        let kinds: Vec<(&str, &str)> =
            text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
        let mut lines = String::new();
        for (name, about) in text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' ')) {
            let kind = kinds.iter().find(|(other, _)| *other == name).map_or("", |(_, kind)| kind);
            lines += &format!("{name:<34} {kind:<10} {about}\n");
        }
        lines
    }

    pub(crate) fn text(&self, host: &Host, counters: &Counters, checks: &Checks) -> String {
        let stats = host.stats();
        let set = |gauge: &Gauge, value: u64| {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        set(&self.points, stats.points_written);
        set(&self.values, stats.values_written);
        set(&self.memtable, stats.memtable_bytes);
        set(&self.files, stats.files);
        set(&self.file_bytes, stats.file_bytes);
        set(&self.wal_bytes, stats.wal_bytes);
        set(&self.series, stats.series);
        set(&self.poisoned, u64::from(host.poisoned().is_some()));
        let (rules, failed, firing) = checks.counts();
        let values = [
            counters.active_now(),
            counters.waiting(Lane::Query),
            counters.waiting(Lane::Write),
            counters.shed_so_far(),
            counters.failed_logins(),
            counters.slow_so_far(),
            rules,
            failed,
            firing,
            stats.flushes,
            stats.compactions,
            stats.groups,
            stats.pending_bytes,
        ];
        self.more.iter().zip(values).for_each(|(gauge, value)| set(gauge, value));
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a String takes all");
        text
    }
}
