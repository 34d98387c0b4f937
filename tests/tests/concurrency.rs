//! Queries while others write: an answer has everything that was acknowledged before it was asked, nothing that was not
//! sent before it came, and the same time is never seen to go back.

use isopoint_tests::case::Request;
use isopoint_tests::engines::{Engine as _, Serve, data_folder};
use isopoint_tests::json::Value;
use isopoint_tests::waiting::say;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const WRITERS: usize = 3;
const READERS: usize = 3;
const BATCH: i64 = 50;
const LASTS: Duration = Duration::from_secs(3);

#[test]
fn readers_see_what_was_acknowledged_while_others_write() {
    let folder = data_folder();
    let mut server = Serve::start_with(folder.path(), &["--memory-limit", "8MiB"]).expect("the server starts");
    assert_eq!(server.answer(&Request::statement("CREATE DATABASE c"), None).expect("it answers").status, 200);
    let (sent, acknowledged) = (AtomicI64::new(0), AtomicI64::new(0));
    let answers = AtomicUsize::new(0);
    let end = Instant::now() + LASTS;
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (server, sent, acknowledged) = (&server, &sent, &acknowledged);
            scope.spawn(move || {
                let mut client = server.client();
                for batch in 0.. {
                    if Instant::now() > end {
                        break;
                    }
                    let line = |at: i64| format!("m,w={writer} v=1i {}", (batch * BATCH + at) * 1_000_000);
                    let lines: Vec<String> = (0..BATCH).map(line).collect();
                    sent.fetch_add(BATCH, Ordering::SeqCst);
                    let answer = client.send(&Request::post("/write", &[("db", "c")], lines.join("\n")));
                    assert_eq!(answer.expect("it answers").status, 204);
                    acknowledged.fetch_add(BATCH, Ordering::SeqCst);
                }
            });
        }
        for reader in 0..READERS {
            let (server, sent, acknowledged, answers) = (&server, &sent, &acknowledged, &answers);
            scope.spawn(move || {
                let mut client = server.client();
                let statement =
                    ["SELECT count(v), sum(v) FROM m", "SELECT count(v), sum(v) FROM m WHERE v = 1"][reader % 2];
                let mut before = 0;
                while Instant::now() < end {
                    let promised = acknowledged.load(Ordering::SeqCst);
                    let answer = client.send(&Request::get("/query", &[("db", "c"), ("q", statement)]));
                    let answer = answer.expect("it answers");
                    let possible = sent.load(Ordering::SeqCst);
                    let [count, sum] = count_and_sum(&answer.text());
                    assert_eq!(count, sum, "{}", answer.text());
                    assert!(promised <= count && count <= possible, "{promised} <= {count} <= {possible}");
                    assert!(before <= count, "{before} points, and then {count}");
                    before = count;
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let [count, _] = count_and_sum(
        &server
            .answer(&Request::get("/query", &[("db", "c"), ("q", "SELECT count(v), sum(v) FROM m")]), None)
            .expect("it answers")
            .text(),
    );
    assert_eq!(count, acknowledged.load(Ordering::SeqCst));
    let answers = answers.load(Ordering::Relaxed);
    assert!(answers > 20, "only {answers} answers");
    say(&format!("concurrency: {count} points written, {answers} answers meanwhile"));
}

/// Of the only row; nothing at all is no points.
fn count_and_sum(text: &str) -> [i64; 2] {
    let document = Value::parse(text).expect("it is JSON");
    let row = (|| {
        let series = document.get("results")?.as_list()?.first()?.get("series")?.as_list()?.first()?;
        series.get("values")?.as_list()?.first()?.as_list()
    })();
    assert!(!text.contains("error"), "{text}");
    let cell = |at: usize| row.and_then(|row| row[at].as_f64()).unwrap_or(0.0) as i64;
    [cell(1), cell(2)]
}
