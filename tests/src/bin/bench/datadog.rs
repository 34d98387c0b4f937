//! Datadog: a day of a thousand sources grouped by a tag, in process and from block files; and submissions over HTTP.

use crate::{Table, best_secs, cpu_secs};
use bytes::Bytes;
use isopoint_core::dialect::exchange::{ApiConfig, ApiRequest, Turn};
use isopoint_core::dialect::route;
use isopoint_core::exec::{Budget, Pool, QueryStats};
use isopoint_core::model::{SeriesKey, WriteBatch};
use isopoint_core::store::StoreConfig;
use isopoint_core::time::Timestamp;
use isopoint_core::value::Value;
use isopoint_tests::case::{Profile, Request};
use isopoint_tests::engines::{Serve, data_folder};
use isopoint_tests::http::Client;
use isopoint_tests::memhost::MemHost;
use isopoint_tests::simdisk::Random;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

const SOURCES: usize = 1_000;
const REGIONS: usize = 10;
const DAY: i64 = 86_400;
/// Bodies, and series and points of each.
const SUBMITTED: (usize, usize, usize) = (100, 500, 10);

const QUERIES: [&str; 4] = [
    "avg:app.load{*} by {region}",
    "avg:app.load{*}",
    "sum:app.load{env:prod} by {region}.rollup(max, 600)",
    "top5_mean(avg:app.load{*} by {host})",
];

/// As many threads as the machine has, for each piece of work anew.
#[derive(Debug)]
struct Threads;

impl Pool for Threads {
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        let next = AtomicUsize::new(0);
        let work = || {
            loop {
                match next.fetch_add(1, Ordering::Relaxed) {
                    at if at < jobs => job(at),
                    _ => return,
                }
            }
        };
        let count = thread::available_parallelism().map_or(1, |count| count.get().min(jobs));
        thread::scope(|scope| (0..count).for_each(|_| drop(scope.spawn(work))));
    }
}

pub(crate) fn run(table: &mut Table) {
    // What the Agent sends, and what DogStatsD flushes.
    for step in [15, 10] {
        let mut host = load(step);
        for query in QUERIES {
            let (mut stats, mut bytes) = (QueryStats::default(), 0);
            let mut cpu = f64::INFINITY;
            for _ in 0..7 {
                let began = cpu_secs();
                (stats, bytes) = ask(&mut host, query, Budget::UNBOUNDED);
                cpu = cpu.min(cpu_secs() - began);
            }
            let shared = Budget { pool: Some(&Threads), ..Budget::UNBOUNDED };
            let secs = best_secs(7, || (stats, bytes) = ask(&mut host, query, shared));
            assert!(bytes > 1000, "the answer is empty");
            table.row(
                format!("Datadog, {SOURCES} sources × 24 h of {step} s: {query}"),
                format!(
                    "{:.1} ms; {:.1} ms on one CPU; {:.1} M points",
                    secs * 1e3,
                    cpu * 1e3,
                    stats.points as f64 / 1e6
                ),
                "",
            );
        }
    }
    submit(table);
}

fn load(step: i64) -> MemHost {
    let config = StoreConfig { flush_bytes: u64::MAX, max_memtable_bytes: u64::MAX, ..StoreConfig::default() };
    let mut host = MemHost::new(config);
    host.create_database("datadog");
    let mut random = Random(11);
    for source in 0..SOURCES {
        let (name, region) = (format!("h{source:04}"), format!("r{}", source % REGIONS));
        let env = if source % 4 == 0 { "dev" } else { "prod" };
        let key = SeriesKey::new("app.load", &[("env", env), ("host", &name), ("region", &region)]);
        let mut batch = WriteBatch::new();
        let series = batch.intern_key("app.load", key.as_bytes());
        let mut state = 5000_i64;
        for row in 0..DAY / step {
            state = (state + random.below(201) as i64 - 100).clamp(0, 10_000);
            batch.begin_row(series, (crate::START + step * row) * 1_000_000_000);
            batch.push_value("value", Value::Float(state as f64 / 100.0));
        }
        host.submit("datadog", batch).expect("memory takes all");
    }
    host.flush();
    host
}

fn ask(host: &mut MemHost, query: &str, budget: Budget) -> (QueryStats, usize) {
    let (from, to) = (crate::START.to_string(), (crate::START + DAY).to_string());
    let asked = Request::get("/api/v1/query", &[("from", &*from), ("to", &*to), ("query", query)]);
    let keys = ["dd-api-key", "dd-application-key"].map(|name| (name.to_owned(), "any".to_owned()));
    let request = ApiRequest {
        method: "GET".to_owned(),
        path: asked.path,
        query: asked.query,
        headers: keys.into(),
        body: Bytes::new(),
        now: Timestamp::EPOCH,
        request_id: String::new(),
        entropy: [0; 32],
    };
    let mut exchange = route::open(request, host.snapshot(), &Arc::new(ApiConfig::default()));
    let mut bytes = 0;
    loop {
        match exchange.turn(budget) {
            Turn::Head(head) => assert_eq!(head.status, 200),
            Turn::Chunk(chunk) => bytes += chunk.len(),
            Turn::Read(ranges) => exchange.supply(Ok(ranges.iter().map(|range| host.read(range)).collect())),
            Turn::Done(stats) => return (stats, bytes),
            Turn::Yield => {}
            turn => panic!("a query asks for {turn:?}"),
        }
    }
}

/// One connection sends bodies of JSON one after another, as an Agent does.
fn submit(table: &mut Table) {
    let (bodies, series, points) = SUBMITTED;
    let folder = data_folder();
    let server = Serve::start(folder.path(), Profile::Default).expect("the server starts");
    let mut client = Client::new(server.address());
    let mut secs = 0.0;
    for at in 0..bodies {
        let mut body = "{\"series\":[".to_owned();
        for source in 0..series {
            let comma = if source == 0 { "" } else { "," };
            let begin = format!(
                "{comma}{{\"metric\":\"app.hits\",\"type\":\"count\",\"interval\":10,\"tags\":[\"env:prod\",\"region:r{}\"],\"host\":\"h{source}\",\"points\":[",
                source % REGIONS
            );
            body.push_str(&begin);
            for point in 0..points {
                let comma = if point == 0 { "" } else { "," };
                let time = crate::START + ((at * points + point) * 10) as i64;
                write!(body, "{comma}[{time},{}]", (at + source + point) % 97).expect("texts grow");
            }
            body.push_str("]}");
        }
        body.push_str("]}");
        let request = Request::post("/api/v1/series", &[], body).with("DD-API-KEY", "any");
        // Making the body is not the server's work.
        let began = Instant::now();
        let answer = client.send(&request).expect("the server answers");
        secs += began.elapsed().as_secs_f64();
        assert_eq!(answer.status, 202, "{}", answer.text());
    }
    let all = (bodies * series * points) as f64;
    table.row(
        "Datadog, POST /api/v1/series, 1 connection, log synced",
        format!("{:.0} thousand points/s", all / secs / 1e3),
        "",
    );
    let _ = server.stop();
}
