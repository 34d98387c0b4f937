//! One million series in one measurement: written, listed, opened again. Takes half a minute and a gigabyte:
//! `cargo test --release -p isopoint-tests --test cardinality -- --ignored --nocapture`.

use isopoint_core::limits::Limits;
use isopoint_core::model::WriteBatch;
use isopoint_core::store::StoreConfig;
use isopoint_core::time::Timestamp;
use isopoint_core::value::Value;
use isopoint_tests::case::{Profile, Request};
use isopoint_tests::engines::{Core, NOW};
use isopoint_tests::waiting::say;
use std::time::{Duration, Instant};

const SERIES: usize = 1_000_000;

#[test]
#[ignore = "takes half a minute and a gigabyte"]
fn a_million_series_are_written_listed_and_opened() {
    let limits = Limits { max_series: 2 * SERIES as u64, ..Limits::default() };
    let config = StoreConfig { limits, max_memtable_bytes: 2 << 30, flush_bytes: 2 << 30, ..StoreConfig::default() };
    let mut core = Core::new(Profile::Default);
    core.host = isopoint_tests::memhost::MemHost::new(config.clone());
    core.host.now = Timestamp::from_nanos(NOW);
    core.host.create_database("d");
    let begun = Instant::now();
    for batch in 0..SERIES / 10_000 {
        let mut points = WriteBatch::new();
        for at in 0..10_000 {
            let number = batch * 10_000 + at;
            let (host, region) = (format!("host-{number:07}"), format!("region-{:03}", number % 500));
            let tags = [(&b"host"[..], host.as_bytes()), (&b"region"[..], region.as_bytes())];
            let series = points.intern_series("m", tags.into_iter());
            points.begin_row(series, NOW - 1_000_000_000);
            points.push_value("v", Value::Float(number as f64));
        }
        assert_eq!(core.host.submit("d", points).expect("it is stored").points, 10_000);
    }
    say(&format!("cardinality: written in {:?}", begun.elapsed()));
    core.host.flush();
    let ask = |core: &mut Core, statement: &str| {
        let begun = Instant::now();
        let answer = core.exchange(&Request::get("/query", &[("db", "d"), ("q", statement)]), NOW);
        say(&format!("cardinality: {:?} {statement}", begun.elapsed()));
        assert!(answer.status == 200 && !answer.text().contains("error"), "{}", answer.text());
        answer.text()
    };
    assert!(ask(&mut core, "SHOW SERIES LIMIT 2").contains("m,host=host-0000001,region=region-001"));
    assert!(ask(&mut core, "SHOW TAG VALUES WITH KEY = region LIMIT 1").contains("region-000"));
    assert!(ask(&mut core, "SELECT count(v) FROM m WHERE region = 'region-007'").contains(",2000]"));
    assert!(ask(&mut core, "SELECT sum(v) FROM m WHERE host = 'host-0999999'").contains("999999"));
    let files = std::mem::take(&mut core.host).files;
    let before = resident();
    let begun = Instant::now();
    let (host, _) = isopoint_tests::memhost::MemHost::open(config, files, Timestamp::from_nanos(NOW))
        .expect("what was written is read");
    let took = begun.elapsed();
    let bytes = resident().saturating_sub(before) / SERIES;
    say(&format!("cardinality: opened in {took:?}, about {bytes} bytes more a series, key and file index included"));
    assert_eq!(host.store.stats().series, SERIES as u64);
    assert!(took < Duration::from_secs(5), "opened in {took:?}");
}

/// Bytes of memory in use, where the system tells.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1)?.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}
