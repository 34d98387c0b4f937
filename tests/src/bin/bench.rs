//! `cargo xtask bench`: our figures beside a peer's, from one run on one machine.
//!
//! Nothing here passes or fails. Every figure is measured now: throughput by wall time of the best of some rounds, cost
//! of a server by its own CPU seconds, sizes in bytes. Names as arguments choose parts: parse, engine, influxql, facette, datadog,
//! ingest, wasm.

#[path = "bench/datadog.rs"]
mod datadog;
#[path = "bench/engine.rs"]
mod engine;
#[path = "bench/facette.rs"]
mod facette;
#[path = "bench/influxql.rs"]
mod influxql;
#[path = "bench/ingest.rs"]
mod ingest;
#[path = "bench/parse.rs"]
mod parse;
#[path = "bench/wasm.rs"]
mod wasm;

use isopoint_tests::simdisk::Random;
use std::fmt::Write as _;
use std::time::Instant;

type Part = (&'static str, fn(&mut Table));

const PARTS: [Part; 7] = [
    ("parse", parse::run),
    ("engine", engine::run),
    ("influxql", influxql::run),
    ("facette", facette::run),
    ("datadog", datadog::run),
    ("ingest", ingest::run),
    ("wasm", wasm::run),
];

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    let mut table = Table::default();
    for (name, run) in PARTS {
        if chosen.is_empty() || chosen.iter().any(|chosen| chosen == name) {
            eprintln!("measuring: {name}");
            run(&mut table);
        }
    }
    print!("{}", table.text());
}

/// Rows of the answer, printed once at the end.
#[derive(Default)]
struct Table {
    rows: Vec<(String, String, String)>,
}

impl Table {
    /// A figure of ours and, where a peer did the same in this run, the peer's.
    fn row(&mut self, what: impl Into<String>, ours: impl Into<String>, peer: impl Into<String>) {
        let row = (what.into(), ours.into(), peer.into());
        eprintln!("  {:<58} {:>24} {:>24}", row.0, row.1, row.2);
        self.rows.push(row);
    }

    fn text(&self) -> String {
        let mut text = format!("{:<58} {:>24} {:>24}\n", "", "isopoint", "InfluxDB 1.x");
        for (what, ours, peer) in &self.rows {
            writeln!(text, "{what:<58} {ours:>24} {peer:>24}").expect("a String takes all");
        }
        text
    }
}

/// The least wall seconds of some rounds.
fn best_secs(rounds: usize, mut round: impl FnMut()) -> f64 {
    let timed = (0..rounds).map(|_| {
        let began = Instant::now();
        round();
        began.elapsed().as_secs_f64()
    });
    timed.fold(f64::INFINITY, f64::min)
}

/// Seconds that this thread was on a processor, where the system tells: others at work do not count. Else NaN.
fn cpu_secs() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split_whitespace().next().and_then(|nanos| nanos.parse::<f64>().ok());
    nanos.map_or(f64::NAN, |nanos| nanos / 1e9)
}

/// Hosts of the data that all parts use: the shape of TSBS's cpu-only, ten tags and ten fields.
const HOSTS: usize = 100;
const FIELDS: [&str; 10] = [
    "usage_user",
    "usage_system",
    "usage_idle",
    "usage_nice",
    "usage_iowait",
    "usage_irq",
    "usage_softirq",
    "usage_steal",
    "usage_guest",
    "usage_guest_nice",
];
/// 2016-01-01, in seconds.
const START: i64 = 1_451_606_400;

/// Random walks between 0 and 100, a line a host and step.
struct Devops {
    random: Random,
    state: Vec<[i64; 10]>,
    step: i64,
    /// Seconds between two points of a host.
    every: i64,
    /// Two decimals instead of whole numbers.
    decimals: bool,
}

impl Devops {
    fn new(every: i64, decimals: bool) -> Self {
        let mut random = Random(7);
        let state = (0..HOSTS).map(|_| std::array::from_fn(|_| random.below(10_001) as i64)).collect();
        Self { random, state, step: 0, every, decimals }
    }

    /// Appends the lines of the next step of every host; gives how many.
    fn lines(&mut self, out: &mut Vec<u8>) -> usize {
        let time = START + self.step * self.every;
        self.step += 1;
        for host in 0..HOSTS {
            let mut line = format!(
                "cpu,arch=x86,datacenter=eu-central-1a,hostname=host_{host},os=Ubuntu15.10,rack={},region=eu-central-1,\
                 service={},service_environment=test,service_version=1,team=SF ",
                host % 100,
                host % 20,
            );
            for (at, field) in FIELDS.iter().enumerate() {
                let value = &mut self.state[host][at];
                *value = (*value + self.random.below(201) as i64 - 100).clamp(0, 10_000);
                let comma = if at == 0 { "" } else { "," };
                let written = match self.decimals {
                    true => write!(line, "{comma}{field}={}.{:02}", *value / 100, *value % 100),
                    false => write!(line, "{comma}{field}={}i", *value / 100),
                };
                written.expect("a String takes all");
            }
            writeln!(line, " {time}000000000").expect("a String takes all");
            out.extend_from_slice(line.as_bytes());
        }
        HOSTS
    }
}
