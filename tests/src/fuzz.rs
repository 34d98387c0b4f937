//! Whatever reads bytes from outside, each as a function of bytes that must come to an end without a panic, and that
//! checks what can be checked of any bytes: what was read can be written and read again, two readers agree.
//!
//! | driver | what it does |
//! |---|---|
//! | `tests/tests/fuzz.rs` | each target over its committed corpus, and for a moment over changed pieces of it: the same ones in every run |
//! | `cargo xtask fuzz` | libFuzzer, which is led by coverage, for as long as one likes (`tests/fuzz`) |
//!
//! The corpus is `tests/fuzz/corpus/<target>`, a file an input. An input that once failed stays there.

mod bytes;
pub mod mutate;
mod requests;
mod world;

use std::path::{Path, PathBuf};

/// A reader under test.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub name: &'static str,
    /// Panics when something is wrong with it.
    pub run: fn(&[u8]),
}

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// Every target, by what it reads.
pub const TARGETS: &[Target] = &[
    // Files and streams.
    target("block-file", bytes::block_file),
    target("codec-boolean", bytes::codec_boolean),
    target("codec-float", bytes::codec_float),
    target("codec-integer", bytes::codec_integer),
    target("codec-string", bytes::codec_string),
    target("codec-times", bytes::codec_times),
    target("codec-unsigned", bytes::codec_unsigned),
    target("manifest", bytes::manifest),
    target("sync-manifest", bytes::sync_manifest),
    target("sync-tail", bytes::sync_tail),
    target("wal", bytes::wal),
    // Texts.
    target("dogstatsd", bytes::dogstatsd),
    target("form", bytes::form),
    target("influxql-print", bytes::influxql_print),
    target("line-protocol", bytes::line_protocol),
    target("number", bytes::number),
    target("pattern", bytes::pattern),
    // Requests.
    target("datadog-json", requests::datadog_json),
    target("datadog-protobuf", requests::datadog_protobuf),
    target("datadog-query", requests::datadog_query),
    target("datadog-sketches", requests::datadog_sketches),
    target("facette-bulk", requests::facette_bulk),
    target("facette-pattern", requests::facette_pattern),
    target("facette-points", requests::facette_points),
    target("facette-range", requests::facette_range),
    target("facette-template", requests::facette_template),
    target("grafana-answer", requests::grafana_answer),
    target("grafana-query", requests::grafana_query),
    target("influxql", requests::influxql),
    target("msgpack", requests::msgpack),
    target("request", requests::request),
];

/// The target of a name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Where the committed inputs of all targets are.
pub fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

/// The committed inputs of a target with their names, by name.
pub fn seeds(name: &str) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut seeds = Vec::new();
    for entry in corpus().join(name).read_dir()? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        seeds.push((name, std::fs::read(&path)?));
    }
    seeds.sort();
    Ok(seeds)
}
