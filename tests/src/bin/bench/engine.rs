//! Queries on one thread, in process: columns in memory, blocks to decode, block headers.

use crate::{Devops, FIELDS, Table, best_secs};
use bytes::Bytes;
use isopoint_core::dialect::influx::frames::{self, FrameTurn};
use isopoint_core::dialect::influx::line_protocol::{Precision, parse};
use isopoint_core::exec::{Budget, QueryStats};
use isopoint_core::limits::Limits;
use isopoint_core::model::WriteBatch;
use isopoint_core::store::StoreConfig;
use isopoint_core::time::Timestamp;
use isopoint_tests::memhost::MemHost;
use std::hint::black_box;

/// Points of a host.
const STEPS: usize = 20_000;

/// How much data there is.
#[derive(Clone, Copy)]
pub(crate) struct Setup {
    /// Seconds between two points of a host.
    pub every: i64,
    /// Points of a host.
    pub steps: usize,
}

const QUERIES: [(&str, &str); 4] = [
    ("mean by minute", "SELECT mean(usage_user), mean(usage_system) FROM cpu GROUP BY time(1m), hostname"),
    ("min by minute", "SELECT min(usage_user), min(usage_system) FROM cpu GROUP BY time(1m), hostname"),
    ("max by minute", "SELECT max(usage_user), max(usage_system) FROM cpu GROUP BY time(1m), hostname"),
    ("count by minute", "SELECT count(usage_user), count(usage_system) FROM cpu GROUP BY time(1m), hostname"),
];

pub(crate) fn run(table: &mut Table) {
    for every in [1, 10] {
        let setup = Setup { every, steps: STEPS };
        let mut host = setup.load();
        for (what, text) in QUERIES {
            measure(&mut host, setup, text, &format!("{what}, {every}-s data, columns in memory"), 2, table);
        }
        let values = (STEPS * crate::HOSTS * FIELDS.len()) as f64;
        host.flush();
        let bytes: usize = host.files.iter().filter(|(name, _)| name.is_block()).map(|(_, bytes)| bytes.len()).sum();
        table.row(
            format!("bytes a value in block files, two decimals, {every}-s data"),
            format!("{:.3}", bytes as f64 / values),
            "",
        );
        for (what, text) in QUERIES {
            measure(&mut host, setup, text, &format!("{what}, {every}-s data, blocks decoded"), 2, table);
        }
        let whole = "SELECT mean(usage_user), mean(usage_system) FROM cpu GROUP BY hostname";
        measure(&mut host, setup, whole, &format!("mean of everything, {every}-s data, from headers"), 2, table);
    }
}

impl Setup {
    /// In memory, all of it.
    pub(crate) fn load(self) -> MemHost {
        let config = StoreConfig { flush_bytes: u64::MAX, max_memtable_bytes: u64::MAX, ..StoreConfig::default() };
        let mut host = MemHost::new(config);
        host.create_database("bench");
        let mut devops = Devops::new(self.every, true);
        let precision = Precision::from_v1_name("ns").expect("it is one of the names");
        for _ in 0..self.steps / 50 {
            let mut body = Vec::new();
            (0..50).for_each(|_| {
                devops.lines(&mut body);
            });
            let mut batch = WriteBatch::new();
            parse(&body, precision, Timestamp::EPOCH, &mut batch);
            host.submit("bench", batch).expect("memory takes all");
        }
        host
    }
}

fn measure(host: &mut MemHost, setup: Setup, text: &str, what: &str, fields: u64, table: &mut Table) {
    let points = (STEPS * crate::HOSTS) as u64;
    let mut stats = QueryStats::default();
    let secs = best_secs(5, || stats = query(host, setup, text));
    let rate = (points * fields) as f64 / secs / 1e6;
    let how = if stats.blocks_from_header > 0 && stats.blocks_decoded == 0 { ", headers only" } else { "" };
    table.row(what, format!("{rate:.0} M values/s{how}"), "");
}

/// Runs a statement on one thread; what it gives is let go.
pub(crate) fn query(host: &mut MemHost, setup: Setup, text: &str) -> QueryStats {
    // Where the data ends: a query without an upper bound makes buckets up to now.
    let now = Timestamp::from_secs(crate::START + setup.every * setup.steps as i64).expect("it fits");
    let limits = Limits { query_memory: 4 << 30, ..Limits::default() };
    let mut query = frames::open(text, Some("bench".into()), host.snapshot(), now, &limits).expect("it parses");
    loop {
        match query.turn(Budget::UNBOUNDED) {
            FrameTurn::Frame { frame, .. } => {
                black_box(frame);
            }
            FrameTurn::Read(ranges) => {
                let parts: Vec<Bytes> = ranges.iter().map(|range| host.read(range)).collect();
                query.supply(Ok(parts));
            }
            FrameTurn::Yield => {}
            FrameTurn::Done(stats) => return stats,
            FrameTurn::Failed { error, .. } => panic!("{text}: {error}"),
            FrameTurn::Beyond => panic!("{text} is beyond the full engine"),
            FrameTurn::Command(command) => panic!("{text} asks for {command:?}"),
        }
    }
}
