//! An answer is a function of the points, the request, the clock and the configuration: how the points were divided among
//! writes, flushes, compactions and restarts, and how the work was divided among turns, changes no byte.

use isopoint_core::store::StoreConfig;
use isopoint_tests::case::{Profile, Request};
use isopoint_tests::datagen;
use isopoint_tests::engines::{Core, NOW};
use isopoint_tests::simdisk::Random;

const DATABASE: &str = "d";

/// Everything that reads points or what is known of them.
const STATEMENTS: &[&str] = &[
    "SELECT * FROM load",
    "SELECT * FROM cpu ORDER BY time DESC LIMIT 100",
    "SELECT usage, text FROM cpu WHERE host = 'h1' OR region = 'r0'",
    "SELECT value FROM load WHERE value > 10 AND time >= '2024-01-01T06:00:00Z' AND time < '2024-01-01T09:00:00Z'",
    "SELECT mean(value), sum(value), min(value), max(value), count(value), first(value), last(value) FROM load",
    "SELECT mean(usage), sum(usage), sum(count) FROM cpu GROUP BY host, region",
    "SELECT count(ok), count(text), first(text), last(ok) FROM cpu GROUP BY host",
    "SELECT mean(value) FROM load WHERE time >= '2024-01-01T00:00:00Z' AND time < '2024-01-02T00:00:00Z' GROUP BY time(10m), host fill(none)",
    "SELECT sum(usage), max(count) FROM cpu WHERE time >= '2024-01-01T00:00:00Z' AND time < '2024-01-02T00:00:00Z' GROUP BY time(1h, 7m) fill(previous)",
    "SELECT mean(usage) FROM cpu WHERE time >= '2024-01-01T03:00:00Z' AND time < '2024-01-01T04:00:00Z' GROUP BY time(1m), region fill(linear)",
    "SELECT max(usage), host FROM cpu",
    "SELECT last(value) FROM load GROUP BY host ORDER BY time DESC SLIMIT 2 SOFFSET 1",
    "SHOW MEASUREMENTS",
    "SHOW SERIES",
    "SHOW TAG KEYS",
    "SHOW TAG VALUES WITH KEY IN (host, region)",
    "SHOW FIELD KEYS",
];

const DELETES: &[&str] = &[
    "DELETE FROM load WHERE host = 'h1' AND time > '2024-01-01T02:00:00Z' AND time < '2024-01-01T05:00:00Z'",
    "DELETE FROM cpu WHERE time < '2024-01-01T01:30:00Z'",
    "DROP SERIES FROM cpu WHERE host = 'h2'",
];

fn change(core: &mut Core, statement: &str) {
    let answer = core.exchange(&Request::post("/query", &[("db", DATABASE), ("q", statement)], ""), NOW);
    assert!(answer.status == 200 && !answer.text().contains("error"), "{statement}: {}", answer.text());
}

fn ask(core: &mut Core) -> Vec<String> {
    let statement = |statement: &&str| {
        let answer =
            core.exchange(&Request::get("/query", &[("db", DATABASE), ("epoch", "ns"), ("q", statement)]), NOW);
        format!("{statement}: {} {}", answer.status, answer.text())
    };
    let mut answers: Vec<String> = STATEMENTS.iter().map(statement).collect();
    let chunked = [("db", DATABASE), ("chunked", "true"), ("chunk_size", "100"), ("q", "SELECT * FROM cpu")];
    answers.push(core.exchange(&Request::get("/query", &chunked), NOW).text());
    let csv = Request::get("/query", &[("db", DATABASE), ("q", "SELECT * FROM cpu")]).with("Accept", "application/csv");
    answers.push(core.exchange(&csv, NOW).text());
    answers
}

fn write(core: &mut Core, lines: &[String]) {
    let answer = core.exchange(&Request::post("/write", &[("db", DATABASE)], lines.join("\n")), NOW);
    assert_eq!(answer.status, 204, "{}", answer.text());
}

fn begin() -> Core {
    let mut core = Core::new(Profile::Default);
    core.host.create_database(DATABASE);
    core
}

#[test]
fn the_way_points_were_stored_does_not_show() {
    for seed in 0..12 {
        let mut random = Random(seed);
        let lines = datagen::lines(3_000, &mut random);
        let mut whole = begin();
        write(&mut whole, &lines);
        // A third of the way, some is deleted; some of that is written again later.
        DELETES.iter().for_each(|statement| change(&mut whole, statement));
        write(&mut whole, &lines[..1_000]);
        let expected = ask(&mut whole);
        assert!(expected.iter().all(|answer| answer.contains("series") || answer.contains("name,")), "{expected:?}");

        // Rows of a turn: from almost none to a few.
        let mut core = begin().with_budget(1 + random.below(2_000) as u64);
        let mut rest = lines.as_slice();
        while !rest.is_empty() {
            let (some, others) = rest.split_at(rest.len().min(1 + random.below(600)));
            write(&mut core, some);
            rest = others;
            match random.below(5) {
                0 | 1 => core.host.flush(),
                2 => restart(&mut core),
                3 => core.host.compact(),
                _ => {}
            }
        }
        for statement in DELETES {
            change(&mut core, statement);
            match random.below(3) {
                0 => core.host.flush(),
                1 => core.host.compact(),
                _ => restart(&mut core),
            }
        }
        write(&mut core, &lines[..1_000]);
        for (expected, got) in expected.iter().zip(ask(&mut core)) {
            assert_eq!(*expected, got, "seed {seed}");
        }
        core.host.flush();
        core.host.compact();
        restart(&mut core);
        for (expected, got) in expected.iter().zip(ask(&mut core)) {
            assert_eq!(*expected, got, "seed {seed}, after a flush, a compaction and a restart");
        }
    }
}

fn restart(core: &mut Core) {
    let host = std::mem::take(&mut core.host);
    core.host = host.reopen(StoreConfig::default()).expect("what was written is read").0;
}
