//! What a page follows: a replica that is told the manifests of a store, one after the other, has what the store has.

use isopoint_core::store::snapshot::Snapshot;
use isopoint_core::sync::client::Replica;
use isopoint_core::sync::server::{manifest, memtable_frames};
use isopoint_core::sync::wire::{TailFrame, write_frame};
use isopoint_tests::case::{Profile, Request};
use isopoint_tests::dump::dump;
use isopoint_tests::engines::{Core, NOW};
use std::sync::Arc;

/// Tells the replica the store's manifest, gives it the parts of files it wants, and holds both against each other.
fn follow(replica: &mut Replica, core: &mut Core, after: &str) {
    let database = Arc::clone(core.host.snapshot().database("d").expect("it is there"));
    let mut bytes = Vec::new();
    write_frame(&TailFrame::Manifest(manifest(&database, core.host.store.first_memtable())), &mut bytes);
    assert!(replica.tail(&bytes).expect("whole frames").manifest);
    for _ in 0..2 {
        let wanted = replica.wants();
        let parts = wanted.iter().map(|range| core.host.read(range)).collect();
        replica.give(parts).expect("they are as they were written");
    }
    assert_eq!(replica.wants(), [], "a footer, then an index");
    memtable_frames(&database, |frame| {
        replica.tail(&frame).expect("whole frames");
    });
    let followed = Snapshot {
        databases: Arc::new(vec![replica.database().expect("a manifest is in force")]),
        documents: Arc::clone(&core.host.snapshot().documents),
    };
    let expected = core.host.dump();
    assert_eq!(dump(&followed, |range| core.host.read(range)), expected, "after {after}");
    let series = |snapshot: &Snapshot| {
        let index = &snapshot.databases[0].index;
        let all = index.measurements().flat_map(|(_, index)| index.series());
        let mut all: Vec<String> = all.map(|(_, key)| isopoint_tests::dump::series_text(key)).collect();
        all.sort();
        all
    };
    assert_eq!(series(&followed), series(&core.host.snapshot()), "after {after}");
}

#[test]
fn a_replica_follows_renames_and_deleted_fields() {
    let mut core = Core::new(Profile::Default);
    core.host.create_database("d");
    let mut replica = Replica::new("d");
    let write = |core: &mut Core, from: u64, measurement: &str| {
        let line = |at: u64| format!("{measurement},h=h{} f={at},g={at}i {at}000000000\n", at % 3);
        let lines: String = (from..from + 200).map(line).collect();
        let answer = core.exchange(&Request::post("/write", &[("db", "d")], lines), NOW);
        assert_eq!(answer.status, 204, "{}", answer.text());
    };
    write(&mut core, 0, "m");
    core.host.flush();
    write(&mut core, 200, "m");
    core.host.flush();
    follow(&mut replica, &mut core, "two files");
    for statement in [
        "RENAME FIELD f TO e FROM m",
        "RENAME TAG h TO host FROM m",
        "DELETE FIELD g FROM m WHERE time < 100s",
        "RENAME MEASUREMENT m TO n",
        "DROP FIELD g FROM n",
        "RENAME FIELD e TO f FROM n",
        "DELETE FROM n WHERE host = 'h1'",
    ] {
        let request = Request::post("/query", &[("db", "d"), ("q", statement)], "");
        let answer = core.exchange(&request, NOW).text();
        assert!(!answer.contains("error"), "{statement}: {answer}");
        follow(&mut replica, &mut core, statement);
        // Once more, with nothing new in it.
        follow(&mut replica, &mut core, statement);
    }
    write(&mut core, 400, "m");
    core.host.flush();
    follow(&mut replica, &mut core, "a file after all of them");
    core.host.compact();
    follow(&mut replica, &mut core, "a compaction");
}
