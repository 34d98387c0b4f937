//! Every fuzz target over its committed corpus, and for a moment over changed pieces of it. `ISOPOINT_FUZZ_MILLIS` says
//! for how long, `ISOPOINT_FUZZ_SEED` which changes. `cargo xtask fuzz` does the same led by coverage.

use isopoint_tests::fuzz::mutate::Mutator;
use isopoint_tests::fuzz::{TARGETS, corpus, find, seeds};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn survives(name: &str) {
    let target = find(name).expect("a target of the table");
    let committed = seeds(name).expect("every target has a corpus");
    assert!(!committed.is_empty(), "every target has an input");
    let run = |input: &[u8], what: &str| {
        if catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_err() {
            let file = std::env::temp_dir().join(format!("isopoint-fuzz-{name}"));
            std::fs::write(&file, input).expect("a temporary file");
            let folder = corpus().join(name);
            panic!("{what} fails; it is {}, and belongs into {}", file.display(), folder.display());
        }
    };
    for (file, input) in &committed {
        run(input, file);
    }
    let inputs: Vec<Vec<u8>> = committed.into_iter().map(|(_, input)| input).collect();
    let mut mutator = Mutator::new(&inputs, number("ISOPOINT_FUZZ_SEED", 1));
    let (began, time) = (Instant::now(), Duration::from_millis(number("ISOPOINT_FUZZ_MILLIS", 1000)));
    while began.elapsed() < time {
        run(&mutator.next_input(), "a changed input");
    }
}

macro_rules! targets {
    ($($test:ident: $name:literal,)*) => {
        $(
            #[test]
            fn $test() {
                survives($name);
            }
        )*

        #[test]
        fn the_table_is_all_run_and_every_folder_is_a_targets() {
            let run = [$($name),*];
            for target in TARGETS {
                assert!(run.contains(&target.name), "{} is not run", target.name);
            }
            for entry in corpus().read_dir().expect("the corpus is there") {
                let folder = entry.expect("it can be read").file_name();
                assert!(run.contains(&&*folder.to_string_lossy()), "{folder:?} is no target's");
            }
        }
    };
}

targets! {
    block_file: "block-file",
    codec_boolean: "codec-boolean",
    codec_float: "codec-float",
    codec_integer: "codec-integer",
    codec_string: "codec-string",
    codec_times: "codec-times",
    codec_unsigned: "codec-unsigned",
    datadog_json: "datadog-json",
    datadog_protobuf: "datadog-protobuf",
    datadog_query: "datadog-query",
    datadog_sketches: "datadog-sketches",
    dogstatsd: "dogstatsd",
    facette_bulk: "facette-bulk",
    facette_pattern: "facette-pattern",
    facette_points: "facette-points",
    facette_range: "facette-range",
    facette_template: "facette-template",
    form: "form",
    grafana_answer: "grafana-answer",
    grafana_query: "grafana-query",
    influxql: "influxql",
    influxql_print: "influxql-print",
    line_protocol: "line-protocol",
    manifest: "manifest",
    msgpack: "msgpack",
    numbers: "number",
    pattern: "pattern",
    request: "request",
    sync_manifest: "sync-manifest",
    sync_tail: "sync-tail",
    wal: "wal",
}
