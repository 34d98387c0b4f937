//! Requests end to end over a store in memory are the corpus's job; here is what it does not ask.

use super::ast::Scope;
use super::compile::{Compiler, Request};
use super::parse::parse;
use super::sources;
use crate::index::IndexWriter;
use crate::model::SeriesKey;
use crate::plan::explain;
use crate::store::Snapshot;
use crate::store::snapshot::{Database, Fields, Policy, Shard};
use crate::time::TimeRange;
use crate::value::FieldType;
use expect_test::{Expect, expect};
use std::sync::Arc;

/// A database `datadog` with these series and fields and no points.
fn snapshot(series: &[(&str, &[(&str, &str)])], fields: &[(&str, &str, FieldType)]) -> Snapshot {
    let mut index = IndexWriter::default();
    for (name, tags) in series {
        index.insert(&SeriesKey::new(name, tags));
    }
    let mut known = Fields::default();
    for (measurement, field, field_type) in fields {
        known.or_default((*measurement).to_owned()).insert((*field).to_owned(), *field_type);
    }
    let range = TimeRange::new(0, i64::MAX - 1);
    let shard = Shard { id: 1, range, files: Vec::new(), memtables: Vec::new(), fields: Arc::new(known) };
    let policy = Policy {
        id: 1,
        name: "autogen".to_owned(),
        duration: 0,
        shard_duration: 1,
        replication: 1,
        shards: vec![Arc::new(shard)],
    };
    let database = Database {
        id: 1,
        name: "datadog".to_owned(),
        policies: vec![Arc::new(policy)],
        default_policy: "autogen".to_owned(),
        index: index.view(),
        tombstones: Default::default(),
    };
    Snapshot { databases: Arc::new(vec![Arc::new(database)]), ..Snapshot::default() }
}

fn world() -> Snapshot {
    let series: &[(&str, &[(&str, &str)])] = &[
        ("cpu", &[("host", "a"), ("Env", "PROD")]),
        ("cpu", &[("host", "b")]),
        ("cpu.idle", &[("host", "a"), ("env", "prod")]),
        ("disk-io", &[("host", "a")]),
        ("load", &[]),
    ];
    let fields = [
        ("cpu", "idle", FieldType::Float),
        ("cpu", "up", FieldType::Boolean),
        ("cpu", "note", FieldType::String),
        ("cpu.idle", "value", FieldType::Float),
        ("disk-io", "read bytes", FieldType::Integer),
        ("load", "value", FieldType::Float),
    ];
    snapshot(series, &fields)
}

#[test]
fn names_are_found_whoever_wrote_them() {
    let world = world();
    let (database, policy) = sources::data(&world, "datadog").unwrap();
    let places = |name: &str| -> Vec<(String, String)> {
        let places = sources::places(policy, name);
        places.into_iter().map(|place| (place.measurement, place.field)).collect()
    };
    let pair = |measurement: &str, field: &str| (measurement.to_owned(), field.to_owned());
    assert_eq!(places("cpu.idle"), [pair("cpu", "idle"), pair("cpu.idle", "value")]);
    assert_eq!(places("disk_io.read_bytes"), [pair("disk-io", "read bytes")]);
    assert_eq!(places("load"), [pair("load", "value")]);
    assert_eq!(places("load.value"), [pair("load", "value")]);
    assert_eq!(places("cpu.note"), [], "texts are not seen");
    let metrics: Vec<String> = sources::metrics(database, policy).into_iter().map(|(name, _)| name).collect();
    assert_eq!(metrics, ["cpu.idle", "cpu.up", "disk_io.read_bytes", "load"]);
    let both = sources::find(database, &sources::places(policy, "cpu.idle"), &Scope::All);
    let series: Vec<usize> = both.iter().map(|source| source.series.len()).collect();
    assert_eq!(series, [2, 1], "series of equal normal tags are one source");
}

#[track_caller]
fn plan(query: &str, expected: &Expect) {
    let world = world();
    let request = Request { snapshot: &world, database: "datadog", from: 600, to: 1200, interval: None };
    let mut compiler = Compiler::new(request);
    let expressions = parse(query, 100).unwrap_or_else(|error| panic!("{}", error.text));
    let operand = compiler.expression(&expressions[0]).unwrap_or_else(|error| panic!("{}", error.text));
    let groups: String =
        operand.groups.iter().map(|group| format!("{} | {}\n", group.scope, group.expression)).collect();
    expected.assert_eq(&format!("{}\n{groups}{}", operand.label, explain(&operand.node)));
}

#[test]
fn plans() {
    plan(
        "100 - avg:load{*}.rollup(max, 60)",
        &expect![[r#"
            (100 - load)
            * | (100 - avg:load{*}.rollup(max,60))
            follow 100.0 - $0
              pool mean of [[] × 1] between 1970-01-01T00:10:00Z and 1970-01-01T00:19:00Z reach linear 300000000000ns
                aggregate [max($0) as "value"] by each every 60000000000ns
                  scan "datadog".default "load" series [[]] fields ["value"::float] from 1970-01-01T00:05:00Z to 1970-01-01T00:24:59.999999999Z
        "#]],
    );
    plan(
        "top5_max(diff(sum:cpu.idle{env:prod} by {host}.fill(null)))",
        &expect![[r#"
            top5_max(diff(cpu.idle))
            env:prod,host:a | top5_max(diff(sum:cpu.idle{env:prod,host:a}.fill(null)))
            rank 5 greatest by max
              pool sum of [["host" = "a"] × 1] between 1970-01-01T00:10:00Z and 1970-01-01T00:19:58Z reach none after change
                aggregate [mean($0) as "value"] by each every 2000000000ns
                  merge into [[] × 2]
                    union
                      scan "datadog".default "cpu" series [["Env" = "PROD", "host" = "a"]] fields ["idle"::float] from 1970-01-01T00:10:00Z to 1970-01-01T00:19:59.999999999Z
                      scan "datadog".default "cpu.idle" series [["env" = "prod", "host" = "a"]] fields ["value"::float] from 1970-01-01T00:10:00Z to 1970-01-01T00:19:59.999999999Z
        "#]],
    );
    plan(
        "p95:load{*} / hour_before(load{*})",
        &expect![[r#"
            (load / hour_before(load))
            * | (p95:load{*} / hour_before(load{*}))
            pair / [0 0]
              quantile 0.95 by [[] × 1] every 2000000000ns
                scan "datadog".default "load" series [[]] fields ["value"::float] from 1970-01-01T00:10:00Z to 1970-01-01T00:19:59.999999999Z
              follow shift 3600000000000ns
                pool mean of [[] × 1] between 1969-12-31T23:10:00Z and 1969-12-31T23:19:58Z reach linear 300000000000ns
                  aggregate [mean($0) as "value"] by each every 2000000000ns
                    scan "datadog".default "load" series [[]] fields ["value"::float] from 1969-12-31T23:05:00Z to 1969-12-31T23:24:59.999999999Z
        "#]],
    );
}

#[test]
fn wrong_calls_are_explained() {
    let world = world();
    let request = Request { snapshot: &world, database: "datadog", from: 600, to: 1200, interval: None };
    for (query, part) in [
        ("frobnicate(load{*})", "there is no function \"frobnicate\""),
        ("abss(load{*})", "did you mean abs?"),
        ("abs(load{*}, 2)", "takes 1 arguments, not 2"),
        ("abs(2) + load{*}", "needs a metric"),
        ("ewma_4(load{*})", "ewma_1, ewma_3"),
        ("top(load{*}, 0, 'mean', 'asc')", "how many"),
        ("moving_rollup(load{*}, 60, 'p99')", "the method is"),
        ("timeshift(load{*}, 1.5)", "whole seconds"),
        ("calendar_shift(load{*}, '1h', 'UTC')", "days, weeks or months"),
        ("anomalies(load{*}, 'psychic', 2)", "the algorithm is"),
        ("load{*} + 1 / 0", "no finite result"),
        ("load{*}.rollup(sum, daily, 'Mars/Olympus')", "no time zone"),
    ] {
        let expressions = parse(query, 100).unwrap_or_else(|error| panic!("{query}: {}", error.text));
        let error = Compiler::new(request).expression(&expressions[0]).expect_err(query);
        assert!(error.status == 400 && error.text.contains(part), "{query}: {}", error.text);
    }
}
