//! What a server must survive: it says so in the API's words or in one sentence, loses nothing and goes on.

use isopoint_tests::answer::Answer;
use isopoint_tests::case::{Body, Request};
use isopoint_tests::engines::{Engine as _, Serve, data_folder};
use isopoint_tests::http::{gzip, read_answer};
use std::fs;
use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A server with a database `d`, and in it one point.
fn serve(arguments: &[&str]) -> (TempDir, Serve) {
    let folder = data_folder();
    let mut server = Serve::start_with(folder.path(), arguments).expect("the server starts");
    assert_eq!(ask(&mut server, Request::statement("CREATE DATABASE d")).status, 200);
    assert_eq!(write(&mut server, "good v=1 1").status, 204);
    (folder, server)
}

fn ask(server: &mut Serve, request: Request) -> Answer {
    server.answer(&request, None).expect("the server lives and answers")
}

fn write(server: &mut Serve, lines: &str) -> Answer {
    ask(server, Request::post("/write", &[("db", "d")], lines))
}

fn query(server: &mut Serve, statement: &str) -> String {
    ask(server, Request::get("/query", &[("db", "d"), ("epoch", "ns"), ("q", statement)])).text()
}

const GOOD: &str = "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"good\",\"columns\":[\"time\",\"v\"],\"values\":[[1,1]]}]}]}\n";

#[track_caller]
fn still_good(server: &mut Serve) {
    assert_eq!(query(server, "SELECT v FROM good"), GOOD);
}

#[test]
fn malformed_lines_are_refused_and_the_others_kept() {
    let (_folder, mut server) = serve(&[]);
    let answer = write(&mut server, "kept v=1 1\nm v= 2\nm\n\u{0}\u{7f} v=1\nkept v=2 2");
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().contains("partial write: unable to parse 'm v= 2': missing field value"),
        "{}",
        answer.text()
    );
    assert!(query(&mut server, "SELECT v FROM kept").contains("[[1,1],[2,2]]"));
    let answer = ask(&mut server, Request::post("/write", &[("db", "d")], [b'm', 0xff, 0xfe, b' ', 0x80].as_slice()));
    assert_eq!(answer.status, 400, "{}", answer.text());
    let answer = write(&mut server, "good v=\"text\" 2");
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("field type conflict"), "{}", answer.text());
    still_good(&mut server);
}

#[test]
fn an_unknown_database_is_named() {
    let (_folder, mut server) = serve(&[]);
    let answer = ask(&mut server, Request::post("/write", &[("db", "nope")], "m v=1"));
    assert_eq!((answer.status, answer.text().as_str()), (404, "{\"error\":\"database not found: \\\"nope\\\"\"}\n"));
    let answer = ask(&mut server, Request::get("/query", &[("db", "nope"), ("q", "SELECT v FROM m")]));
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("database not found: nope"), "{}", answer.text());
    let answer = ask(&mut server, Request::get("/nothing/here", &[]));
    assert_eq!(answer.status, 404);
    still_good(&mut server);
}

#[test]
fn an_oversized_body_is_refused_announced_or_not() {
    let (_folder, mut server) = serve(&["--max-body-size", "10000"]);
    let big = "m v=1\n".repeat(2_000);
    let answer = write(&mut server, &big);
    assert_eq!((answer.status, answer.text().contains("Request Entity Too Large")), (413, true), "{}", answer.text());
    // Chunks do not say how many there will be.
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(b"POST /write?db=d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    let chunk = format!("{:x}\r\n{big}\r\n0\r\n\r\n", big.len());
    let _ = stream.write_all(chunk.as_bytes());
    let (answer, _) = read_answer(&mut BufReader::new(stream), "POST").expect("an answer");
    assert_eq!(answer.status, 413, "{}", answer.text());
    assert!(!query(&mut server, "SHOW MEASUREMENTS").contains("\"m\""), "nothing of it is stored");
    still_good(&mut server);
}

#[test]
fn a_gzip_bomb_ends_at_a_limit() {
    let (_folder, mut server) = serve(&[]);
    // 400 MB of spaces in 400 kB.
    let bomb = gzip(&vec![b' '; 400_000_000]);
    let request = Request { body: Body::Plain(bomb), ..Request::post("/write", &[("db", "d")], "") };
    let answer = ask(&mut server, request.clone().with("Content-Encoding", "gzip"));
    assert_eq!(answer.status, 413, "{}", answer.text());
    let resident = resident_bytes(server.id());
    assert!(resident < 700_000_000, "{resident} bytes");
    let broken = Request { body: Body::Plain(b"no gzip at all".to_vec()), ..request };
    let answer = ask(&mut server, broken.with("Content-Encoding", "gzip"));
    assert_eq!(answer.status, 400, "{}", answer.text());
    still_good(&mut server);
}

#[test]
fn a_query_is_refused_or_answered_in_bounded_memory() {
    let (_folder, mut server) = serve(&["--memory-limit", "32MiB"]);
    for statement in [
        format!("SELECT v FROM good WHERE {}v = 1", "(".repeat(100_000)),
        format!("SELECT v FROM good WHERE v = {}1", "-".repeat(100_000)),
        format!("SELECT {}mean(v) FROM good", "mean(v)+".repeat(20_000)),
        format!("SELECT v FROM good WHERE {}v = 1", "v = 1 AND ".repeat(20_000)),
        format!("SELECT v FROM {}good{}", "(SELECT v FROM ".repeat(20_000), ")".repeat(20_000)),
    ] {
        let answer = ask(&mut server, Request { query: "db=d".into(), ..Request::statement(&statement) });
        let said = isopoint_tests::json::brief(&answer.text(), 300);
        assert!(said.contains("error") || said.contains("series"), "{said}");
    }
    // 292 years by the microsecond and by the second: more rows than anybody can hold, so they come one by one.
    for bucket in ["1u", "1s"] {
        let range = "time >= 0 AND time < '2262-01-01T00:00:00Z'";
        let statement = format!("SELECT mean(v) FROM good WHERE {range} GROUP BY time({bucket}) fill(0)");
        let target = Request::get("/query", &[("db", "d"), ("q", &statement)]).query;
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(format!("GET /query?{target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
        stream.read_exact(&mut vec![0; 2_000_000]).expect("it goes on and on");
    }
    assert!(resident_bytes(server.id()) < 200_000_000, "{} bytes", resident_bytes(server.id()));
    still_good(&mut server);
}

#[test]
fn a_slow_client_keeps_nobody_waiting_and_is_let_go() {
    let (_folder, mut server) = serve(&["--timeout", "2"]);
    let mut slow: Vec<TcpStream> = (0..64)
        .map(|at| {
            let mut stream = TcpStream::connect(server.address()).unwrap();
            let head = if at % 2 == 0 {
                "POST /write?db=d HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nm v"
            } else {
                "POST /wri"
            };
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    let began = Instant::now();
    still_good(&mut server);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    for stream in &mut slow {
        stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        let mut said = Vec::new();
        stream.read_to_end(&mut said).expect("it is answered or closed");
    }
    still_good(&mut server);
}

#[test]
fn broken_http_is_no_harm() {
    let (_folder, mut server) = serve(&[]);
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"GET\r\n\r\n",
        b"POST /write HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        &[b'A'; 2_000_000],
    ] {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }
    still_good(&mut server);
}

/// A folder as a killed server leaves it: the point is in the log only.
fn killed() -> TempDir {
    let (folder, server) = serve(&[]);
    server.kill();
    folder
}

#[test]
fn a_torn_tail_of_the_log_is_cut_off_and_nothing_before_it() {
    let folder = killed();
    let log = newest(&folder.path().join("wal"));
    let mut bytes = fs::read(&log).unwrap();
    bytes.extend([40, 0, 0, 0, 1, 2, 3]);
    fs::write(&log, &bytes).unwrap();
    let mut server = Serve::start_with(folder.path(), &[]).expect("it starts");
    still_good(&mut server);
    assert_eq!(write(&mut server, "more v=1 1").status, 204);
    server.kill();
    let mut server = Serve::start_with(folder.path(), &[]).expect("it starts again");
    still_good(&mut server);
    assert!(query(&mut server, "SELECT v FROM more").contains("[[1,1]]"));
}

/// In the last segment that cannot be told from a write that the power cut short; before it, it can.
#[test]
fn a_log_damaged_before_its_last_segment_is_not_passed_over() {
    let (folder, mut server) = serve(&[]);
    let wal = folder.path().join("wal");
    let first = newest(&wal);
    let text = "x".repeat(60_000);
    let mut at = 0;
    while newest(&wal) == first {
        let lines: Vec<String> = (at..at + 60).map(|at| format!("m s=\"{text}\" {at}")).collect();
        assert_eq!(write(&mut server, &lines.join("\n")).status, 204);
        at += 60;
    }
    server.kill();
    let mut bytes = fs::read(&first).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    fs::write(&first, &bytes).unwrap();
    refused(folder.path(), &["wal/", "damaged at byte"]);
    assert!(fs::read(&first).unwrap() == bytes, "it is left as it was, for a person to repair");
}

#[test]
fn a_damaged_block_file_is_named() {
    let (folder, server) = serve(&[]);
    assert_eq!(server.stop(), Ok(Some(0)), "a stopping server flushes");
    let block = blocks(folder.path()).pop().expect("there is a block file");
    let good = fs::read(&block).unwrap();
    // The footer is read when the server starts, the columns when a query asks for them.
    let mut bytes = good.clone();
    let end = bytes.len() - 1;
    bytes[end] ^= 0x55;
    fs::write(&block, &bytes).unwrap();
    refused(folder.path(), &[".blk"]);
    fs::write(&block, &good[..good.len() / 2]).unwrap();
    refused(folder.path(), &[".blk"]);
    fs::remove_file(&block).unwrap();
    refused(folder.path(), &[".blk", "missing"]);

    fs::write(&block, &good).unwrap();
    let mut server = Serve::start_with(folder.path(), &[]).expect("the good file is good");
    still_good(&mut server);
}

#[test]
fn a_damaged_column_fails_the_query_and_not_the_server() {
    let (folder, server) = serve(&[]);
    assert_eq!(server.stop(), Ok(Some(0)), "a stopping server flushes");
    let block = blocks(folder.path()).pop().expect("there is a block file");
    let mut bytes = fs::read(&block).unwrap();
    // Columns come first, after the magic and the version; they are read when a query asks for them.
    bytes[9] ^= 0x55;
    fs::write(&block, &bytes).unwrap();
    let mut server = Serve::start_with(folder.path(), &[]).expect("its index is good");
    let answer = query(&mut server, "SELECT v FROM good");
    assert!(answer.contains("error") && answer.contains(".blk"), "{answer}");
    assert_eq!(write(&mut server, "other v=1 1").status, 204);
    assert!(query(&mut server, "SELECT v FROM other").contains("[[1,1]]"));
}

#[test]
fn a_folder_in_use_is_left_alone() {
    let (folder, mut server) = serve(&[]);
    refused(folder.path(), &["in use by another", "--data-dir"]);
    still_good(&mut server);
}

#[test]
fn a_folder_of_a_newer_version_is_left_alone() {
    let folder = killed();
    let version = folder.path().join("VERSION");
    let written = fs::read_to_string(&version).expect("a folder says its version");
    fs::write(&version, "999\n").unwrap();
    refused(folder.path(), &["999"]);
    fs::write(&version, written).unwrap();
    still_good(&mut Serve::start_with(folder.path(), &[]).expect("it starts"));
}

/// The server ends with code 3 and one sentence that has these words.
#[track_caller]
fn refused(folder: &Path, words: &[&str]) {
    let why = Serve::start_with(folder, &[]).map(drop).expect_err("it does not start");
    assert!(why.starts_with("exit status: 3: "), "{why}");
    let sentence: Vec<&str> =
        why.lines().filter_map(|line| line.split_once("isopoint: ")).map(|(_, said)| said).collect();
    assert_eq!(sentence.len(), 1, "{why}");
    for word in words {
        assert!(sentence[0].contains(word), "no {word:?} in {sentence:?}");
    }
}

fn newest(folder: &Path) -> PathBuf {
    fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("it is readable").path()).max().expect("a file")
}

fn blocks(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("it is readable").path());
    let files = entries.flat_map(|path| if path.is_dir() { blocks(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "blk")).collect()
}

fn resident_bytes(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1_024
}
