//! Everything at once, with faults: writers, dashboards, a live tail, Datadog's and Grafana's clients, and beside them
//! `kill -9`, a full disk, clients that never finish, floods of connections, requests that are none, and a panic.
//!
//! Fifteen seconds here; `cargo xtask soak` runs ten minutes (`SOAK_SECS`). What is shown is measured in this run.

use isopoint_tests::case::Request;
use isopoint_tests::engines::{Engine as _, Serve, data_folder};
use isopoint_tests::http::Client;
use isopoint_tests::json::Value;
use isopoint_tests::waiting::say;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

const WRITERS: usize = 2;
const BATCH: i64 = 100;
/// Of the server; half of it is for points, and what it takes besides is bounded too.
const MEMORY: u64 = 256 << 20;
const FLAGS: &[&str] = &["--memory-limit", "256MiB", "--timeout", "5"];

/// What all threads share.
struct Stage {
    address: RwLock<SocketAddr>,
    over: AtomicBool,
    /// A fault is being made: latencies and refusals do not count.
    fault: AtomicBool,
    acknowledged: [AtomicI64; WRITERS],
    /// Microseconds of small queries outside the faults.
    latencies: Mutex<Vec<u64>>,
    counts: [AtomicU64; COUNTS.len()],
    /// Answers that should not be, outside the faults.
    wrong: Mutex<Vec<String>>,
}

const COUNTS: [&str; 7] = ["queries", "tail bytes", "Datadog", "Grafana", "slow clients", "floods", "malformed"];

impl Stage {
    fn client(&self) -> Client {
        Client::new(*self.address.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn in_fault(&self) -> bool {
        self.fault.load(Ordering::Relaxed)
    }

    fn count(&self, what: usize, more: u64) {
        self.counts[what].fetch_add(more, Ordering::Relaxed);
    }

    /// Sends until it is over; `judge` says what is wrong with an answer.
    fn repeat(
        &self,
        pause: Duration,
        make: impl Fn(u64) -> Request,
        mut judge: impl FnMut(u16, &str, Duration) -> Option<String>,
    ) {
        let mut client = self.client();
        let mut at = 0;
        while !self.is_over() {
            at += 1;
            let (before, began) = (self.in_fault(), Instant::now());
            match client.send(&make(at)) {
                Ok(answer) if !before && !self.in_fault() => {
                    if let Some(why) = judge(answer.status, &answer.text(), began.elapsed()) {
                        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).push(why);
                    }
                }
                Ok(_) => {}
                Err(_) => {
                    thread::sleep(Duration::from_millis(20));
                    client = self.client();
                }
            }
            thread::sleep(pause);
        }
    }
}

fn write_all(stage: &Stage, writer: usize) {
    let mut client = stage.client();
    while !stage.is_over() {
        let at = stage.acknowledged[writer].load(Ordering::Relaxed);
        let lines: String = (at..at + BATCH).map(|at| format!("m,w={writer} v={at}i {}\n", at * 1_000_000)).collect();
        match client.send(&Request::post("/write", &[("db", "d")], lines)) {
            Ok(answer) if answer.status == 204 => stage.acknowledged[writer].store(at + BATCH, Ordering::Relaxed),
            Ok(answer) if !stage.in_fault() && answer.status < 429 => {
                let why = format!("a write: {} {}", answer.status, answer.text());
                stage.wrong.lock().unwrap_or_else(PoisonError::into_inner).push(why);
            }
            Ok(_) => thread::sleep(Duration::from_millis(50)),
            Err(_) => {
                thread::sleep(Duration::from_millis(20));
                client = stage.client();
            }
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn dashboards(stage: &Stage) {
    let make = |at: u64| {
        let query =
            format!("SELECT mean(v) FROM m WHERE time >= {}s AND time < {}s GROUP BY time(1s)", at % 3, at % 3 + 10);
        Request::get("/query", &[("db", "d"), ("q", &query)])
    };
    stage.repeat(Duration::from_millis(20), make, |status, text, took| {
        stage.count(0, 1);
        stage.latencies.lock().unwrap_or_else(PoisonError::into_inner).push(took.as_micros() as u64);
        (status != 200 || text.contains("error")).then(|| format!("a query: {status} {text}"))
    });
}

fn tail(stage: &Stage) {
    while !stage.is_over() {
        let address = *stage.address.read().unwrap_or_else(PoisonError::into_inner);
        let Ok(mut stream) = TcpStream::connect(address) else { continue };
        let _ = stream.set_read_timeout(Some(Duration::from_millis(500)));
        let _ = stream.write_all(b"GET /sync/tail?db=d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        let mut buffer = [0; 65536];
        while !stage.is_over() {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(len) => stage.count(1, len as u64),
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                }
                Err(_) => break,
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn datadog(stage: &Stage) {
    let make = |at: u64| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let request = if at.is_multiple_of(2) {
            let body =
                format!(r#"{{"series": [{{"metric": "load", "points": [[{now}, {at}]], "tags": ["host:a"]}}]}}"#);
            Request::post("/api/v1/series", &[], body)
        } else {
            let (from, to) = ((now - 600).to_string(), now.to_string());
            Request::get("/api/v1/query", &[("query", "avg:load{*} by {host}"), ("from", &from), ("to", &to)])
        };
        request.with("DD-API-KEY", "k").with("DD-APPLICATION-KEY", "k")
    };
    stage.repeat(Duration::from_millis(50), make, |status, text, _| {
        stage.count(2, 1);
        (status >= 300).then(|| format!("Datadog: {status} {text}"))
    });
}

fn grafana(stage: &Stage) {
    let body = r#"{"from": "now-1h", "to": "now", "queries": [{"refId": "A", "datasource": {"type": "__expr__", "uid": "__expr__"}, "type": "math", "expression": "1 + 1"}]}"#;
    let make = |_| Request::post("/api/ds/query", &[], body).with("Content-Type", "application/json");
    stage.repeat(Duration::from_millis(100), make, |status, text, _| {
        stage.count(3, 1);
        (status >= 500).then(|| format!("Grafana: {status} {text}"))
    });
}

/// Heads and bodies that never end, floods, and bytes that are no requests.
fn strangers(stage: &Stage) {
    let mut slow = Vec::new();
    while !stage.is_over() {
        let address = *stage.address.read().unwrap_or_else(PoisonError::into_inner);
        let begin = |text: &[u8]| {
            let mut stream = TcpStream::connect(address).ok()?;
            stream.write_all(text).ok()?;
            Some(stream)
        };
        slow.extend((0..20).filter_map(|_| begin(b"GET /query?q=SHOW HTTP/1.1\r\nHost: 127.0.0.1\r\nX-")));
        slow.extend(
            (0..5).filter_map(|_| begin(b"POST /write?db=d HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\nm")),
        );
        stage.count(4, 25);
        if slow.len() > 400 {
            slow.drain(..200);
        }
        let flood: Vec<_> = (0..100).filter_map(|_| TcpStream::connect(address).ok()).collect();
        stage.count(5, flood.len() as u64);
        drop(flood);
        for bytes in [
            b"\x16\x03\x01\x02\x00\x01\x00".as_slice(),
            b"GET / HTTP/9.9\r\n\r\n",
            b"POST /write?db=d HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999\r\n\r\n",
            b"POST /write?db=d HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
            b"GET /query?db=d&q=SELECT+mean(((((((((((( HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            b"GET /query?db=d&q=%ff%00%zz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            // Built in for this test, in builds that are not released.
            b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Isopoint-Test-Panic: 1\r\n\r\n",
        ] {
            if let Some(mut stream) = begin(bytes) {
                let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
                let _ = stream.read(&mut [0; 1024]);
                stage.count(6, 1);
            }
        }
        thread::sleep(Duration::from_millis(200));
    }
}

fn resident(server: &Serve) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) << 10
}

fn start(folder: &std::path::Path) -> Serve {
    // Where a limit on files can be set while it runs: to the program that is a disk without room.
    Serve::start_within(folder, 1 << 40, FLAGS).expect("it starts")
}

fn counted(server: &mut Serve, writer: usize) -> i64 {
    let query = format!("SELECT count(v), max(v) FROM m WHERE w = '{writer}'");
    let answer =
        server.answer(&Request::get("/query", &[("db", "d"), ("q", &query)]), None).expect("it answers").text();
    let document = Value::parse(&answer).expect("JSON");
    let cell = (|| {
        let series = document.get("results")?.as_list()?.first()?.get("series")?.as_list()?.first()?;
        series.get("values")?.as_list()?.first()?.as_list()?.get(1)?.as_f64()
    })();
    cell.unwrap_or(0.0) as i64
}

#[test]
fn nothing_is_lost_and_nobody_waits_whatever_happens() {
    let seconds = std::env::var("SOAK_SECS").ok().and_then(|text| text.parse().ok()).unwrap_or(15_u64);
    let folder = data_folder();
    let mut server = start(folder.path());
    assert_eq!(server.answer(&Request::statement("CREATE DATABASE d"), None).expect("it answers").status, 200);
    let stage = Stage {
        address: RwLock::new(server.address()),
        over: AtomicBool::new(false),
        fault: AtomicBool::new(false),
        acknowledged: Default::default(),
        latencies: Mutex::default(),
        counts: Default::default(),
        wrong: Mutex::default(),
    };
    let (mut kills, mut full, mut recovery, mut memory) = (0, 0, Duration::ZERO, 0);
    let server = thread::scope(|scope| {
        let (stage, mut server) = (&stage, server);
        for writer in 0..WRITERS {
            scope.spawn(move || write_all(stage, writer));
        }
        for job in [dashboards, dashboards, tail, datadog, grafana, strangers] {
            scope.spawn(move || job(stage));
        }
        let began = Instant::now();
        let mut next = Duration::from_secs(4);
        while began.elapsed() < Duration::from_secs(seconds) {
            thread::sleep(Duration::from_millis(200));
            memory = memory.max(resident(&server));
            if !server.alive() {
                stage.wrong.lock().unwrap_or_else(PoisonError::into_inner).push("the server ended by itself".into());
                break;
            }
            if began.elapsed() < next {
                continue;
            }
            next += Duration::from_secs(if seconds > 60 { 20 } else { 4 });
            stage.fault.store(true, Ordering::Relaxed);
            if (kills + full) % 2 == 0 {
                kills += 1;
                server.signal_kill();
                server.kill();
                let restart = Instant::now();
                server = start(folder.path());
                recovery = recovery.max(restart.elapsed());
                *stage.address.write().unwrap_or_else(PoisonError::into_inner) = server.address();
            } else {
                full += 1;
                server.limit_files(Some(0));
                thread::sleep(Duration::from_millis(700));
                server.limit_files(None);
            }
            // Connections are made anew.
            thread::sleep(Duration::from_millis(800));
            stage.fault.store(false, Ordering::Relaxed);
        }
        stage.over.store(true, Ordering::Relaxed);
        server
    });
    // Everything acknowledged is there, also after one more crash.
    server.kill();
    let mut server = start(folder.path());
    let mut lost = 0;
    let mut acknowledged = 0;
    for writer in 0..WRITERS {
        let promised = stage.acknowledged[writer].load(Ordering::Relaxed);
        acknowledged += promised;
        lost += (promised - counted(&mut server, writer)).max(0);
    }
    let mut latencies = stage.latencies.into_inner().unwrap_or_else(PoisonError::into_inner);
    latencies.sort_unstable();
    let rank = |part: f64| latencies.get(((latencies.len() as f64 * part) as usize).min(latencies.len().max(1) - 1));
    let millis = |part: f64| rank(part).map_or(0.0, |micros| *micros as f64 / 1000.0);
    let wrong = stage.wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut table = format!("soak: {seconds} s\n");
    let mut row = |name: &str, value: String| writeln!(table, "{name:<34} {value:>12}").expect("a String takes all");
    row("points acknowledged", acknowledged.to_string());
    row("points lost", lost.to_string());
    for (name, count) in COUNTS.iter().zip(&stage.counts) {
        row(name, count.load(Ordering::Relaxed).to_string());
    }
    row("kill -9", kills.to_string());
    row("disk full", full.to_string());
    row("slowest recovery, ms", recovery.as_millis().to_string());
    row("small query p50, ms", format!("{:.1}", millis(0.5)));
    row("small query p99, ms", format!("{:.1}", millis(0.99)));
    row("largest resident memory, MiB", (memory >> 20).to_string());
    row("answers that should not be", wrong.len().to_string());
    say(&table);
    assert_eq!(lost, 0);
    assert!(wrong.is_empty(), "{:?}", &wrong[..wrong.len().min(5)]);
    assert!(acknowledged > 0 && kills > 0 && full > 0 && !latencies.is_empty());
    assert!(memory < 3 * MEMORY, "{memory} bytes");
}
