//! InfluxQL: every function and clause beside `mean`, how long statements take to parse, and small queries over
//! connections that are kept.

use crate::engine::{Setup, query};
use crate::{Table, best_secs};
use isopoint_core::dialect::influx::params::Params;
use isopoint_core::dialect::influx::parse::parse_query;
use isopoint_core::limits::Limits;
use isopoint_tests::case::{Profile, Request};
use isopoint_tests::engines::{Serve, data_folder};
use isopoint_tests::http::Client;
use isopoint_tests::memhost::MemHost;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Of each host, a point every ten seconds.
const SETUP: Setup = Setup { every: 10, steps: 5_000 };
/// Threads with a connection of their own, and how long they ask.
const ASKING: (usize, Duration) = (8, Duration::from_secs(4));

/// Calls by minute and host, so of six values each.
const BY_MINUTE: [&str; 21] = [
    "count(usage_user)",
    "count(distinct(usage_user))",
    "distinct(usage_user)",
    "sum(usage_user)",
    "mean(usage_user)",
    "median(usage_user)",
    "mode(usage_user)",
    "stddev(usage_user)",
    "spread(usage_user)",
    "integral(usage_user)",
    "first(usage_user)",
    "last(usage_user)",
    "min(usage_user)",
    "max(usage_user)",
    "percentile(usage_user, 90)",
    "top(usage_user, 3)",
    "bottom(usage_user, 3)",
    "sample(usage_user, 3)",
    "derivative(mean(usage_user))",
    "moving_average(mean(usage_user), 5)",
    "mean(usage_user) * 2 + max(usage_user)",
];

/// Calls on every value, by host.
const ROW_BY_ROW: [&str; 38] = [
    "usage_user",
    "derivative(usage_user)",
    "non_negative_derivative(usage_user)",
    "difference(usage_user)",
    "non_negative_difference(usage_user)",
    "cumulative_sum(usage_user)",
    "moving_average(usage_user, 5)",
    "elapsed(usage_user)",
    "exponential_moving_average(usage_user, 10)",
    "double_exponential_moving_average(usage_user, 10)",
    "triple_exponential_moving_average(usage_user, 10)",
    "triple_exponential_derivative(usage_user, 10)",
    "relative_strength_index(usage_user, 10)",
    "chande_momentum_oscillator(usage_user, 10)",
    "kaufmans_efficiency_ratio(usage_user, 10)",
    "kaufmans_adaptive_moving_average(usage_user, 10)",
    "abs(usage_user)",
    "ceil(usage_user)",
    "floor(usage_user)",
    "round(usage_user)",
    "sqrt(usage_user)",
    "pow(usage_user, 2)",
    "exp(usage_user)",
    "ln(usage_user)",
    "log(usage_user, 3)",
    "log2(usage_user)",
    "log10(usage_user)",
    "sin(usage_user)",
    "cos(usage_user)",
    "tan(usage_user)",
    "asin(usage_user / 100)",
    "acos(usage_user / 100)",
    "atan(usage_user)",
    "atan2(usage_user, usage_system)",
    "usage_user + usage_system",
    "usage_user % 7",
    "usage_user::integer",
    "usage_user::integer & 7",
];

const CLAUSES: [(&str, &str); 25] = [
    // It fits its parameters by trying thousands of them on all rows: one host, 84 rows.
    (
        "holt_winters of one host",
        "SELECT holt_winters(mean(usage_user), 10, 4) FROM cpu WHERE hostname = 'host_7' GROUP BY time(10m)",
    ),
    ("*", "SELECT * FROM cpu WHERE hostname = 'host_7'"),
    ("WHERE a field", "SELECT mean(usage_user) FROM cpu WHERE usage_system > 50 GROUP BY time(1m), hostname"),
    (
        "WHERE a text that is no field",
        "SELECT mean(usage_user) FROM cpu WHERE nothing != 'x' GROUP BY time(1m), hostname",
    ),
    ("WHERE a tag", "SELECT mean(usage_user) FROM cpu WHERE hostname = 'host_7' GROUP BY time(1m)"),
    (
        "WHERE a tag's pattern",
        "SELECT mean(usage_user) FROM cpu WHERE hostname =~ /_[0-4]/ GROUP BY time(1m), hostname",
    ),
    ("WHERE time", "SELECT mean(usage_user) FROM cpu WHERE time < '2016-01-01T06:00:00Z' GROUP BY time(1m), hostname"),
    ("GROUP BY time alone", "SELECT mean(usage_user) FROM cpu GROUP BY time(1m)"),
    ("GROUP BY *", "SELECT mean(usage_user) FROM cpu GROUP BY time(1m), *"),
    ("GROUP BY a pattern", "SELECT mean(usage_user) FROM cpu GROUP BY time(1m), /host/"),
    ("GROUP BY time('1mo')", "SELECT mean(usage_user) FROM cpu GROUP BY time('1mo'), hostname"),
    ("GROUP BY time(1s)", "SELECT mean(usage_user) FROM cpu WHERE hostname = 'host_7' GROUP BY time(1s)"),
    ("no GROUP BY, raw", "SELECT usage_user FROM cpu"),
    ("fill(none)", "SELECT mean(usage_user) FROM cpu GROUP BY time(1m), hostname fill(none)"),
    ("fill(previous)", "SELECT mean(usage_user) FROM cpu GROUP BY time(1m), hostname fill(previous)"),
    ("fill(linear)", "SELECT mean(usage_user) FROM cpu GROUP BY time(1m), hostname fill(linear)"),
    ("fill(0)", "SELECT mean(usage_user) FROM cpu GROUP BY time(1m), hostname fill(0)"),
    ("ORDER BY time DESC", "SELECT mean(usage_user) FROM cpu GROUP BY time(1m), hostname ORDER BY time DESC"),
    ("ORDER BY value()", "SELECT mean(usage_user) FROM cpu GROUP BY time(1m), hostname ORDER BY value(\"mean\")"),
    ("LIMIT, OFFSET", "SELECT usage_user FROM cpu GROUP BY hostname LIMIT 4000 OFFSET 1000"),
    ("SLIMIT", "SELECT mean(usage_user) FROM cpu GROUP BY time(1m), hostname SLIMIT 50"),
    (
        "a subquery",
        "SELECT max(m) FROM (SELECT mean(usage_user) AS m FROM cpu GROUP BY time(1m), hostname) GROUP BY time(1h)",
    ),
    ("a subquery's rows", "SELECT mean(d) FROM (SELECT derivative(usage_user) AS d FROM cpu GROUP BY hostname)"),
    ("tz()", "SELECT mean(usage_user) FROM cpu GROUP BY time(1h), hostname tz('Europe/Berlin')"),
    (
        "several calls",
        "SELECT first(usage_user), last(usage_system), stddev(usage_idle) FROM cpu GROUP BY time(1m), hostname",
    ),
];

const STATEMENTS: [&str; 6] = [
    "SELECT mean(usage_user) FROM cpu WHERE time > now() - 1h GROUP BY time(1m)",
    "SELECT mean(\"usage_user\"), max(\"usage_system\") FROM \"db\".\"autogen\".\"cpu\" WHERE \"hostname\" =~ /^host_[0-9]+$/ \
     AND time >= 1451606400000ms AND time <= 1451692800000ms GROUP BY time(10m), \"hostname\", \"region\" fill(previous) \
     ORDER BY time DESC LIMIT 100 tz('Europe/Berlin')",
    "SELECT max(m) FROM (SELECT derivative(mean(usage_user), 10s) AS m FROM cpu WHERE region = 'eu' AND (rack = '1' OR \
     rack = '2' OR rack = '3') GROUP BY time(1m), hostname) GROUP BY time(1h)",
    "SHOW TAG VALUES ON \"db\" FROM \"cpu\" WITH KEY IN (\"hostname\", \"region\") WHERE \"rack\" = '7' LIMIT 10",
    "DELETE FROM cpu WHERE hostname = 'host_7' AND time < '2016-01-01T00:00:00Z'",
    "CREATE RETENTION POLICY \"week\" ON \"db\" DURATION 7d REPLICATION 1 SHARD DURATION 1d DEFAULT",
];

pub(crate) fn run(table: &mut Table) {
    let mut host = SETUP.load();
    host.flush();
    let mean = rate(&mut host, "SELECT mean(usage_user) FROM cpu GROUP BY time(1m), hostname");
    let mut line = |what: String, text: &str| {
        let rate = rate(&mut host, text);
        let slower = if rate < mean { format!("mean/{:.1}", mean / rate) } else { format!("mean×{:.1}", rate / mean) };
        table.row(what, format!("{:.1} M values/s, {slower}", rate / 1e6), "");
    };
    for call in BY_MINUTE {
        line(format!("{call} by minute"), &format!("SELECT {call} FROM cpu GROUP BY time(1m), hostname"));
    }
    for call in ROW_BY_ROW {
        line(call.to_owned(), &format!("SELECT {call} FROM cpu GROUP BY hostname"));
    }
    for (what, text) in CLAUSES {
        line(what.to_owned(), text);
    }
    parsing(table);
    small_queries(table);
}

/// Rows that the engine looked at in a second, times the fields of the statement's first source.
fn rate(host: &mut MemHost, text: &str) -> f64 {
    let mut points = 0;
    let secs = best_secs(3, || {
        let stats = query(host, SETUP, text);
        points = stats.points.max(1);
    });
    points as f64 / secs
}

fn parsing(table: &mut Table) {
    const TIMES: u32 = 2_000;
    let (params, limits) = (Params::default(), Limits::default());
    for text in STATEMENTS {
        let secs = best_secs(5, || {
            for _ in 0..TIMES {
                black_box(parse_query(black_box(text), &params, &limits).expect("it parses"));
            }
        });
        let begin: String = text.chars().take(40).collect();
        table.row(
            format!("parse {begin}… ({} bytes)", text.len()),
            format!("{:.2} µs", secs / f64::from(TIMES) * 1e6),
            "",
        );
    }
}

/// The last value of one series, asked again and again by some connections at once, on the server's own machine.
fn small_queries(table: &mut Table) {
    let folder = data_folder();
    let server = Serve::start(folder.path(), Profile::Default).expect("the server starts");
    let mut client = server.client();
    let mut ask = |request: &Request| client.send(request).expect("the server answers").status;
    ask(&Request::statement("CREATE DATABASE bench"));
    let lines: String = (0..100).map(|at| format!("cpu,host=h{} v={at} {at}000000000\n", at % 10)).collect();
    assert_eq!(ask(&Request::post("/write", &[("db", "bench")], lines)), 204);
    let (threads, span) = ASKING;
    let asked: u64 = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..threads)
            .map(|at| {
                let address = server.address();
                scope.spawn(move || {
                    let mut client = Client::new(address);
                    let text = format!("SELECT last(v) FROM cpu WHERE host = 'h{at}'");
                    let request = Request::get("/query", &[("db", "bench"), ("q", &text)]);
                    let (began, mut asked) = (Instant::now(), 0);
                    while began.elapsed() < span {
                        let answer = client.send(&request).expect("the server answers");
                        assert_eq!(answer.status, 200);
                        asked += 1;
                    }
                    asked
                })
            })
            .collect();
        asking.into_iter().map(|thread| thread.join().expect("no thread panics")).sum()
    });
    let rate = asked as f64 / span.as_secs_f64();
    table.row(format!("small queries, {threads} connections, client beside it"), format!("{rate:.0} a second"), "");
    let _ = server.stop();
}
