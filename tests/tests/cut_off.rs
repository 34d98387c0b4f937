//! Answers that do not come to their end: the client leaves, or the time that a request may take is over.

use isopoint_tests::case::Request;
use isopoint_tests::engines::{Engine as _, Serve, data_folder};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

/// Rows without end: 292 years by the microsecond.
const ENDLESS: &str =
    "SELECT mean(v) FROM m WHERE time >= 0 AND time < '2262-01-01T00:00:00Z' GROUP BY time(1u) fill(0)";
/// The same, of which none is to be sent before the last.
const SILENT: &str = "SELECT mean(v) FROM m WHERE time >= 0 AND time < '2262-01-01T00:00:00Z' GROUP BY time(1u) fill(0) \
                      LIMIT 1 OFFSET 4000000000000000";

fn serve(flags: &[&str]) -> (tempfile::TempDir, Serve) {
    let folder = data_folder();
    let mut server = Serve::start_with(folder.path(), flags).expect("the server starts");
    assert_eq!(server.answer(&Request::statement("CREATE DATABASE d"), None).expect("it answers").status, 200);
    let written = server.answer(&Request::post("/write", &[("db", "d")], "m v=1 1"), None);
    assert_eq!(written.expect("it answers").status, 204);
    (folder, server)
}

/// Sends a statement on a connection of its own.
fn ask(server: &Serve, statement: &str, more: &[(&str, &str)]) -> TcpStream {
    let target = Request::get("/query", &[&[("db", "d"), ("q", statement)][..], more].concat()).query;
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(format!("GET /query?{target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
    stream
}

/// Queries over `m` that run.
fn running(server: &mut Serve) -> usize {
    let answer = server.answer(&Request::statement("SHOW QUERIES"), None).expect("it answers");
    answer.text().matches("FROM m").count()
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(10), "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_query_ends_when_its_client_has_gone() {
    let (_folder, mut server) = serve(&["--timeout", "300"]);
    for statement in [ENDLESS, SILENT] {
        let mut stream = ask(&server, statement, &[("chunked", "true")]);
        if statement == ENDLESS {
            stream.read_exact(&mut vec![0; 100_000]).expect("rows come");
        }
        wait_until("it runs", || running(&mut server) == 1);
        drop(stream);
        let began = Instant::now();
        wait_until("it stops", || running(&mut server) == 0);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
}

#[test]
fn what_the_deadline_cuts_off_does_not_look_whole() {
    let (_folder, mut server) = serve(&["--timeout", "1"]);
    for more in [&[("chunked", "true")][..], &[]] {
        // One that does not read holds the answer up until the time is over.
        let mut stream = ask(&server, ENDLESS, more);
        stream.read_exact(&mut [0; 1_000]).expect("rows come");
        wait_until("it runs", || running(&mut server) == 1);
        thread::sleep(Duration::from_secs(4));
        assert_eq!(running(&mut server), 0);
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(!rest.ends_with(b"0\r\n\r\n"), "the last chunk says that all has come");
    }
    // Where there still is a way to say it, it is said.
    let mut stream = ask(&server, SILENT, &[]);
    let mut said = Vec::new();
    let began = Instant::now();
    let mut part = [0; 10_000];
    while !said.ends_with(b"0\r\n\r\n") && !String::from_utf8_lossy(&said).contains("timeout") {
        match stream.read(&mut part) {
            Ok(0) | Err(_) => break,
            Ok(len) => said.extend_from_slice(&part[..len]),
        }
    }
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("timeout"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}
