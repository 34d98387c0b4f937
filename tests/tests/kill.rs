//! `kill -9` under load: what was acknowledged is there after the restart, and nothing that was never sent.

use isopoint_tests::case::Request;
use isopoint_tests::engines::{Engine as _, Serve, data_folder};
use isopoint_tests::json::Value;
use isopoint_tests::simdisk::Random;
use isopoint_tests::waiting::say;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const WRITERS: usize = 4;
const ROUNDS: usize = 12;
const BATCH: i64 = 40;

/// What one writer did: points below `acknowledged` are promised, those below `sent` may be there.
#[derive(Clone, Copy, Default)]
struct Progress {
    acknowledged: i64,
    sent: i64,
}

/// Of point `at`: something that a wrong place would show.
fn value(writer: usize, at: i64) -> i64 {
    at * 31 + i64::try_from(writer).expect("few")
}

#[test]
fn nothing_acknowledged_is_lost() {
    let folder = data_folder();
    // A small memory makes it flush while it is killed.
    let arguments = ["--memory-limit", "8MiB"];
    let mut random = Random(7);
    let mut progress = [Progress::default(); WRITERS];
    let mut server = Serve::start_with(folder.path(), &arguments).expect("the server starts");
    let created = server.answer(&Request::statement("CREATE DATABASE k"), None).expect("it answers");
    assert_eq!(created.status, 200);
    for round in 0..ROUNDS {
        let stop = AtomicBool::new(false);
        let pause = Duration::from_millis(30 + random.below(300) as u64);
        let before: i64 = progress.iter().map(|progress| progress.acknowledged).sum();
        thread::scope(|scope| {
            let writers: Vec<_> = progress
                .into_iter()
                .enumerate()
                .map(|(writer, progress)| {
                    let (server, stop) = (&server, &stop);
                    scope.spawn(move || write_until_killed(server, writer, progress, stop))
                })
                .collect();
            thread::sleep(pause);
            server.signal_kill();
            stop.store(true, Ordering::Relaxed);
            for (progress, writer) in progress.iter_mut().zip(writers) {
                *progress = writer.join().expect("a writer does not fail");
            }
        });
        let after: i64 = progress.iter().map(|progress| progress.acknowledged).sum();
        assert!(after > before, "round {round}: nothing was acknowledged in {pause:?}");
        server.kill();
        server = Serve::start_with(folder.path(), &arguments).unwrap_or_else(|why| panic!("round {round}: {why}"));
        for (writer, progress) in progress.iter().enumerate() {
            check(&mut server, writer, *progress, round);
        }
    }
    let total: i64 = progress.iter().map(|progress| progress.acknowledged).sum();
    say(&format!("kill -9: {ROUNDS} times, {total} points acknowledged, none lost"));
    assert_eq!(server.stop(), Ok(Some(0)));
}

fn write_until_killed(server: &Serve, writer: usize, mut progress: Progress, stop: &AtomicBool) -> Progress {
    let mut client = server.client();
    // What was sent without an answer is sent again.
    let mut at = progress.acknowledged;
    while !stop.load(Ordering::Relaxed) {
        let lines: Vec<String> =
            (at..at + BATCH).map(|at| format!("m,w={writer} v={}i {}", value(writer, at), at * 1_000)).collect();
        progress.sent = progress.sent.max(at + BATCH);
        match client.send(&Request::post("/write", &[("db", "k")], lines.join("\n"))) {
            Ok(answer) if answer.status == 204 => {
                at += BATCH;
                progress.acknowledged = at;
            }
            // Too much at once: that is said, and no promise.
            Ok(answer) if answer.status == 503 => thread::sleep(Duration::from_millis(5)),
            Ok(answer) => panic!("status {}: {}", answer.status, answer.text()),
            Err(_) => return progress,
        }
    }
    progress
}

fn check(server: &mut Serve, writer: usize, progress: Progress, round: usize) {
    let statement = format!("SELECT v FROM m WHERE w = '{writer}'");
    let answer = server.answer(&Request::get("/query", &[("db", "k"), ("epoch", "ns"), ("q", &statement)]), None);
    let answer = answer.expect("it answers");
    let document = Value::parse(&answer.text()).expect("it is JSON");
    let rows =
        (|| document.get("results")?.as_list()?.first()?.get("series")?.as_list()?.first()?.get("values")?.as_list())();
    let mut stored = BTreeMap::new();
    for row in rows.unwrap_or_default() {
        let cell = |at: usize| match &row.as_list().expect("a row")[at] {
            Value::Number(number) => number.parse::<i64>().expect("a whole number"),
            other => panic!("{other}"),
        };
        assert_eq!(stored.insert(cell(0) / 1_000, cell(1)), None, "round {round}: one point twice");
    }
    for at in 0..progress.acknowledged {
        assert_eq!(stored.remove(&at), Some(value(writer, at)), "round {round}, writer {writer}: point {at} is lost");
    }
    for (at, found) in stored {
        assert!(
            at < progress.sent && found == value(writer, at),
            "round {round}, writer {writer}: {at} was never sent"
        );
    }
}
