//! How many threads share a query changes no byte of its answer: none, one, two and seven, over the corpus and over
//! points laid out at random.

use isopoint_core::exec::Pool;
use isopoint_tests::case::{Profile, Request, suites};
use isopoint_tests::datagen;
use isopoint_tests::engines::{Core, NOW};
use isopoint_tests::run::run_with;
use isopoint_tests::simdisk::Random;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// So many threads, which take lanes as they come to them. Everything is worth sharing.
#[derive(Debug)]
struct Threads {
    count: usize,
    /// Lanes that were run.
    lanes: AtomicUsize,
}

static ONE: Threads = Threads { count: 1, lanes: AtomicUsize::new(0) };
static TWO: Threads = Threads { count: 2, lanes: AtomicUsize::new(0) };
static SEVEN: Threads = Threads { count: 7, lanes: AtomicUsize::new(0) };

impl Pool for Threads {
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        self.lanes.fetch_add(jobs, Ordering::Relaxed);
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..self.count.min(jobs) {
                scope.spawn(|| {
                    loop {
                        match next.fetch_add(1, Ordering::Relaxed) {
                            at if at < jobs => job(at),
                            _ => return,
                        }
                    }
                });
            }
        });
    }

    fn worth(&self) -> u64 {
        0
    }
}

#[test]
fn the_corpus_is_answered_alike() {
    for suite in suites() {
        let answers = |mut core: Core| {
            let mut answers = Vec::new();
            run_with(&suite, &mut core, &mut |case, step, answer, _| {
                answers.push((case, step.request.brief(), answer.status, answer.text()));
                Ok(())
            });
            answers
        };
        let alone = answers(Core::new(suite.profile));
        for pool in [&TWO, &SEVEN] {
            let shared = answers(Core::new(suite.profile).with_pool(pool));
            assert_eq!(alone.len(), shared.len());
            for (alone, shared) in alone.iter().zip(&shared) {
                assert_eq!(alone, shared, "{pool:?}");
            }
        }
    }
    assert!(TWO.lanes.load(Ordering::Relaxed) > 500, "{TWO:?}");
}

const STATEMENTS: &[&str] = &[
    "SELECT * FROM load GROUP BY *",
    "SELECT * FROM load",
    "SELECT usage, text FROM cpu WHERE count > 3 GROUP BY host",
    "SELECT mean(value), sum(value), min(value), max(value), count(value), first(value), last(value) FROM load",
    "SELECT mean(usage), sum(count), count(text), last(ok) FROM cpu GROUP BY host",
    "SELECT mean(value), stddev(value) FROM load WHERE time >= '2024-01-01T00:00:00Z' AND time < '2024-01-02T00:00:00Z' GROUP BY time(10m), host fill(linear)",
    "SELECT max(usage), host FROM cpu",
    "SELECT max(value) FROM load GROUP BY time(1m) ORDER BY time DESC LIMIT 3",
    "SELECT derivative(mean(usage), 1m) FROM cpu WHERE time >= '2024-01-01T00:00:00Z' AND time < '2024-01-02T00:00:00Z' GROUP BY time(1h), region",
    "SELECT top(value, host, 3) FROM load",
    "SELECT last(value) FROM load GROUP BY host ORDER BY time DESC SLIMIT 2 SOFFSET 1",
    "SELECT mean(m) FROM (SELECT max(value) AS m FROM load GROUP BY time(30m), host) GROUP BY host",
];

/// Of a day, in Datadog's language.
const QUERIES: &[&str] = &[
    "avg:load{*} by {host}",
    "sum:load{*}.rollup(max, 600), avg:cpu.usage{*} by {region}",
    "top5_mean(diff(avg:cpu.usage{*} by {host}))",
    "avg:cpu.count{*} by {host} / sum:load{*}.fill(zero)",
    "p90:cpu.usage{*} by {region}",
];

#[test]
fn random_layouts_are_answered_alike() {
    for seed in 0..4 {
        let lines = datagen::lines(6_000, &mut Random(seed));
        let answers = |mut core: Core| {
            core.host.create_database("d");
            let mut random = Random(seed);
            for lines in lines.chunks(700) {
                let answer = core.exchange(&Request::post("/write", &[("db", "d")], lines.join("\n")), NOW);
                assert_eq!(answer.status, 204, "{}", answer.text());
                match random.below(3) {
                    0 => core.host.flush(),
                    1 => core.host.compact(),
                    _ => {}
                }
            }
            let mut ask = |statement: &&str| {
                let request = Request::get("/query", &[("db", "d"), ("epoch", "ns"), ("q", statement)]);
                core.exchange(&request, NOW).text()
            };
            let mut answers: Vec<String> = STATEMENTS.iter().map(&mut ask).collect();
            for query in QUERIES {
                let (from, to) = ("1704067200", "1704153600");
                let parameters = [("database", "d"), ("from", from), ("to", to), ("query", *query)];
                let request = Request::get("/api/v1/query", &parameters);
                let keyed = request.with("DD-API-KEY", "a").with("DD-APPLICATION-KEY", "b");
                answers.push(core.exchange(&keyed, NOW).text());
            }
            answers
        };
        let alone = answers(Core::new(Profile::Default));
        assert!(alone.iter().all(|answer| answer.contains("values") || answer.contains("pointlist")), "{alone:?}");
        for (pool, rows) in [(&ONE, u64::MAX), (&TWO, u64::MAX), (&SEVEN, u64::MAX), (&SEVEN, 300)] {
            let shared = answers(Core::new(Profile::Default).with_budget(rows).with_pool(pool));
            for ((statement, alone), shared) in STATEMENTS.iter().chain(QUERIES).zip(&alone).zip(&shared) {
                assert_eq!(alone, shared, "seed {seed}, {} threads: {statement}", pool.count);
            }
        }
    }
    assert!(ONE.lanes.load(Ordering::Relaxed) > 100, "{ONE:?}");
}
