//! A graph of a year: Facette's points over 3.15 M stored ones of a series, from block files in process, and in the
//! page's module.

use crate::{Table, best_secs, cpu_secs, wasm};
use bytes::Bytes;
use isopoint_core::dialect::exchange::{ApiConfig, ApiRequest, Turn};
use isopoint_core::dialect::route;
use isopoint_core::exec::{Budget, QueryStats};
use isopoint_core::model::{SeriesKey, WriteBatch};
use isopoint_core::store::StoreConfig;
use isopoint_core::time::Timestamp;
use isopoint_core::value::Value;
use isopoint_tests::memhost::MemHost;
use isopoint_tests::simdisk::Random;
use std::sync::Arc;

/// Points of 365 days, one every ten seconds.
const POINTS: i64 = 365 * 8640;

/// What it is, `sample`, `operator`.
const GRAPHS: [(&str, u32, u32); 4] = [
    ("average, sample 400", 400, 0),
    ("average, sample 10,000", 10_000, 0),
    ("average, sample 100,000", 100_000, 0),
    ("sum of one series, sample 400", 400, 2),
];

pub(crate) fn run(table: &mut Table) {
    let mut host = load();
    for (what, sample, operator) in GRAPHS {
        let mut stats = QueryStats::default();
        let mut bytes = 0;
        let mut busy = f64::INFINITY;
        let secs = best_secs(15, || {
            let before = cpu_secs();
            (stats, bytes) = points(&mut host, sample, operator);
            busy = busy.min(cpu_secs() - before);
        });
        let headers =
            100.0 * stats.blocks_from_header as f64 / (stats.blocks_from_header + stats.blocks_decoded).max(1) as f64;
        table.row(
            format!("graph of a year of 10-s data, {what}"),
            format!("{:.1} ms CPU, {:.1} ms, {headers:.0} % headers", busy * 1e3, secs * 1e3),
            "",
        );
        assert!(bytes > 1000, "the graph is empty");
    }
    wasm::run_scripts(table, &["tests/bench/graph.mjs"]);
}

fn load() -> MemHost {
    let config = StoreConfig { flush_bytes: u64::MAX, max_memtable_bytes: u64::MAX, ..StoreConfig::default() };
    let mut host = MemHost::new(config);
    host.create_database("bench");
    let key = SeriesKey::new("cpu", &[("host", "web1")]);
    let (mut random, mut state) = (Random(7), 5000_i64);
    let mut row = 0;
    while row < POINTS {
        let mut batch = WriteBatch::new();
        let series = batch.intern_key("cpu", key.as_bytes());
        for _ in 0..8640 {
            state = (state + random.below(201) as i64 - 100).clamp(0, 10_000);
            batch.begin_row(series, (crate::START + 10 * row) * 1_000_000_000);
            batch.push_value("idle", Value::Float(state as f64 / 100.0));
            row += 1;
        }
        host.submit("bench", batch).expect("memory takes all");
    }
    host.flush();
    host
}

/// Asks for the year's points; gives what it took and the bytes of the answer.
fn points(host: &mut MemHost, sample: u32, operator: u32) -> (QueryStats, usize) {
    let series = r#"{"name":"s","origin":"bench","source":"web1","metric":"cpu.idle"}"#;
    let body = format!(
        r#"{{"graph":{{"groups":[{{"name":"g","operator":{operator},"series":[{series}]}}]}},"sample":{sample},"normalize":true,"start_time":"2016-01-01T00:00:00Z","end_time":"2016-12-31T00:00:00Z"}}"#
    );
    let request = ApiRequest {
        method: "POST".to_owned(),
        path: "/api/v1/series/points".to_owned(),
        query: String::new(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: Bytes::from(body),
        now: Timestamp::EPOCH,
        request_id: String::new(),
        entropy: [0; 32],
    };
    let mut exchange = route::open(request, host.snapshot(), &Arc::new(ApiConfig::default()));
    let mut bytes = 0;
    loop {
        match exchange.turn(Budget::UNBOUNDED) {
            Turn::Head(head) => assert_eq!(head.status, 200),
            Turn::Chunk(chunk) => bytes += chunk.len(),
            Turn::Read(ranges) => {
                let parts = ranges.iter().map(|range| host.read(range)).collect();
                exchange.supply(Ok(parts));
            }
            Turn::Done(stats) => return (stats, bytes),
            Turn::Yield => {}
            turn => panic!("points ask for {turn:?}"),
        }
    }
}
