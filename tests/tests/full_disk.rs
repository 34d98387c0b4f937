//! A disk without room: writes are refused with a sentence that says what to do, reads go on, and when there is room
//! again so do writes. Nothing acknowledged is lost.

use isopoint_tests::case::Request;
use isopoint_tests::engines::{Engine as _, Serve, data_folder};
use isopoint_tests::json::Value;
use isopoint_tests::waiting::say;
use std::path::Path;
use std::process::Command;

const BATCH: usize = 500;

/// Writes batches of points nobody wrote before until one is refused, and gives back its status and text.
fn write_until_refused(server: &mut Serve, acknowledged: &mut usize) -> (u16, String) {
    for _ in 0..4_000 {
        let answer = write(server, *acknowledged);
        if answer.0 != 204 {
            return answer;
        }
        *acknowledged += BATCH;
    }
    panic!("{acknowledged} points, and the disk is not full");
}

fn write(server: &mut Serve, from: usize) -> (u16, String) {
    let lines: Vec<String> = (from..from + BATCH).map(|at| format!("m v={at}i,w=\"{at:064}\" {at}")).collect();
    let answer = server.answer(&Request::post("/write", &[("db", "d")], lines.join("\n")), None);
    let answer = answer.expect("the server lives and answers");
    (answer.status, answer.text())
}

fn count(server: &mut Serve) -> usize {
    let request = Request::get("/query", &[("db", "d"), ("q", "SELECT count(v) FROM m")]);
    let text = server.answer(&request, None).expect("it answers").text();
    let document = Value::parse(&text).expect("it is JSON");
    let value = (|| {
        let series = document.get("results")?.as_list()?.first()?.get("series")?.as_list()?.first()?;
        match series.get("values")?.as_list()?.first()?.as_list()?.get(1)? {
            Value::Number(number) => number.parse().ok(),
            _ => None,
        }
    })();
    value.unwrap_or_else(|| panic!("{text}"))
}

/// The server's own words when it is refused room, and that it goes on as soon as `make_room` has made some.
fn fills_and_recovers(folder: &Path, mut server: Serve, words: &str, make_room: impl Fn(&Serve)) {
    let created = server.answer(&Request::statement("CREATE DATABASE d"), None).expect("it answers");
    assert_eq!(created.status, 200);
    let mut acknowledged = 0;
    let (status, text) = write_until_refused(&mut server, &mut acknowledged);
    assert!(status == 500 && text.contains(words) && text.contains("writes work again"), "{status} {text}");
    assert!(acknowledged > 0);
    assert_eq!(count(&mut server), acknowledged, "reads go on, and what was refused is not there");
    let health = server.answer(&Request::get("/health", &[]), None).expect("it answers");
    assert_eq!(health.status, 200, "{}", health.text());
    make_room(&server);
    for _ in 0..20 {
        assert_eq!(write(&mut server, acknowledged), (204, String::new()));
        acknowledged += BATCH;
    }
    assert_eq!(count(&mut server), acknowledged);
    server.kill();
    let mut server = Serve::start(folder, isopoint_tests::case::Profile::Default).expect("it starts again");
    assert_eq!(count(&mut server), acknowledged, "nothing acknowledged is lost");
    assert_eq!(server.stop(), Ok(Some(0)));
}

#[test]
fn a_file_limit_refuses_writes_until_it_is_lifted() {
    let folder = data_folder();
    let server = Serve::start_within(folder.path(), 1 << 20, &[]).expect("the server starts");
    fills_and_recovers(folder.path(), server, "File too large", |server| server.limit_files(None));
}

#[test]
fn a_full_disk_refuses_writes_until_there_is_room() {
    let folder = data_folder();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "isopoint"]).arg(folder.path()).status();
    if !mounted.is_ok_and(|status| status.success()) {
        say("no small disk can be mounted here: the file limit alone stands for a full disk");
        return;
    }
    let ballast = folder.path().join("ballast.tmp");
    std::fs::write(&ballast, vec![1; 1 << 20]).expect("there is room for it");
    let data = folder.path().join("data");
    let result = std::panic::catch_unwind(|| {
        let server = Serve::start_with(&data, &[]).expect("the server starts");
        fills_and_recovers(&data, server, "No space left on device", |_| {
            std::fs::remove_file(&ballast).expect("it is there");
        });
    });
    let _ = Command::new("umount").arg("-l").arg(folder.path()).status();
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn a_disk_that_takes_nothing_is_one_sentence_at_the_start() {
    let folder = data_folder();
    let refused = Serve::start_within(folder.path(), 0, &[]).expect_err("it cannot start");
    assert!(refused.contains("exit status: 3"), "{refused}");
    let said: Vec<_> = refused.lines().collect();
    assert!(
        said.len() == 1 && refused.contains("cannot write to the data folder") && refused.contains("raise the limit"),
        "{refused}"
    );
}
