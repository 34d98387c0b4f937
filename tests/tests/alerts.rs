//! Checks: what fires is what the panel shows, it is told once, and neither a crash nor a deaf receiver loses it.

use isopoint_tests::case::Request;
use isopoint_tests::engines::{Engine as _, Serve, data_folder, program};
use isopoint_tests::http::read_answer;
use isopoint_tests::json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A receiver of alerts, which answers with whatever status it is told to.
struct Receiver {
    address: SocketAddr,
    status: Arc<AtomicU16>,
    told: Arc<Mutex<Vec<Value>>>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let receiver = Self {
            address: listener.local_addr().expect("an address"),
            status: Arc::new(AtomicU16::new(200)),
            told: Arc::default(),
        };
        let (status, told) = (Arc::clone(&receiver.status), Arc::clone(&receiver.told));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Some(message) = receive(stream, status.load(Ordering::Relaxed)) {
                    told.lock().expect("nobody panics").push(message);
                }
            }
        });
        receiver
    }

    /// Messages that were taken, once there are so many.
    fn wait(&self, count: usize) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let told = self.told.lock().expect("nobody panics").clone();
            if told.len() >= count {
                return told;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{} messages of {count}", told.len());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The body of one request, if it was taken.
fn receive(stream: TcpStream, status: u16) -> Option<Value> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim().to_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    reader.get_mut().write_all(answer.as_bytes()).ok()?;
    let body = Value::parse(&String::from_utf8(body).ok()?).ok()?;
    (status == 200).then_some(body)
}

const CHECKS: &str = r#"
[[check]]
name = "hot"
database = "d"
query = "SELECT last(c) FROM temp GROUP BY room"
above = 30
every = "1s"
labels = { severity = "page" }
summary = "It is hot"

[[check]]
name = "of Datadog's API"
datadog = "avg:load{*} by {host}"
above = 1000
every = "1s"

[[check]]
name = "no such database"
database = "missing"
query = "SELECT last(c) FROM temp"
above = 1
every = "1s"
"#;

fn write(server: &mut Serve, lines: &str) {
    let answer = server.answer(&Request::post("/write", &[("db", "d")], lines), None).expect("it answers");
    assert_eq!(answer.status, 204, "{}", answer.text());
}

fn path<'a>(value: &'a Value, names: &[&str]) -> &'a Value {
    names.iter().fold(value, |value, name| match name.parse::<usize>() {
        Ok(at) => &value.as_list().expect("a list")[at],
        Err(_) => value.get(name).unwrap_or_else(|| panic!("no {name} in {}", value.brief())),
    })
}

#[test]
fn an_alert_is_told_once_whatever_happens() {
    let (folder, receiver) = (data_folder(), Receiver::start());
    let file = folder.path().join("checks.toml");
    std::fs::write(&file, CHECKS).expect("a file");
    let file = file.to_str().expect("a plain name").to_owned();
    let hook = format!("http://{}/hook", receiver.address);
    let flags = ["--checks", file.as_str(), "--alert-webhook", hook.as_str()];
    let data = folder.path().join("data");
    let mut server = Serve::start_with(&data, &flags).expect("it starts");
    assert_eq!(server.answer(&Request::statement("CREATE DATABASE d"), None).expect("it answers").status, 200);
    // A receiver that is deaf for a while.
    receiver.status.store(500, Ordering::Relaxed);
    write(&mut server, "temp,room=kitchen c=31.250 1\ntemp,room=cellar c=12 1");
    std::thread::sleep(Duration::from_millis(2500));
    receiver.status.store(200, Ordering::Relaxed);
    let told = receiver.wait(1);
    let message = &told[0];
    assert_eq!(path(message, &["version"]).as_text(), Some("4"));
    assert_eq!(path(message, &["status"]).as_text(), Some("firing"));
    assert_eq!(path(message, &["alerts"]).as_list().expect("a list").len(), 1);
    for (names, expected) in [
        (["alerts", "0", "labels", "alertname"], "hot"),
        (["alerts", "0", "labels", "room"], "kitchen"),
        (["alerts", "0", "labels", "severity"], "page"),
        (["alerts", "0", "annotations", "summary"], "It is hot"),
    ] {
        assert_eq!(path(message, &names).as_text(), Some(expected), "{names:?}");
    }
    // Its digits are those of the panel.
    let shown = path(message, &["alerts", "0", "annotations", "value"]).as_text().expect("a text").to_owned();
    let panel =
        Request::get("/query", &[("db", "d"), ("epoch", "ns"), ("q", "SELECT last(c) FROM temp GROUP BY room")]);
    let panel = server.answer(&panel, None).expect("it answers").text();
    assert!(panel.contains(&format!("[1,{shown}]")), "{shown} in {panel}");
    let report = server.answer(&Request::get("/isopoint/checks", &[]), None).expect("it answers").text();
    assert!(report.contains("\"state\":\"firing\"") && report.contains("database not found: missing"), "{report}");

    // It is known after a crash, and not told again.
    std::thread::sleep(Duration::from_millis(1500));
    server.kill();
    let mut server = Serve::start_with(&data, &flags).expect("it starts");
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(receiver.wait(1).len(), 1);
    write(&mut server, "temp,room=kitchen c=20 2");
    let told = receiver.wait(2);
    assert_eq!(path(&told[1], &["status"]).as_text(), Some("resolved"));
    assert_eq!(path(&told[1], &["alerts", "0", "startsAt"]), path(&told[0], &["alerts", "0", "startsAt"]));

    // Other rules, read while it runs; a wrong file leaves those in force.
    std::fs::write(&file, CHECKS.replace("above = 30", "below = 15")).expect("a file");
    server.reload();
    let told = receiver.wait(3);
    assert_eq!(path(&told[2], &["alerts", "0", "labels", "room"]).as_text(), Some("cellar"));
    std::fs::write(&file, "[[check]]\nnme = 1\n").expect("a file");
    server.reload();
    std::thread::sleep(Duration::from_millis(500));
    assert!(server.log().contains("the settings in force stay"), "{}", server.log());
}

#[test]
fn a_file_of_checks_is_a_test_with_an_exit_code() {
    let folder = data_folder();
    let file = folder.path().join("checks.toml");
    let mut server = Serve::start_with(&folder.path().join("data"), &[]).expect("it starts");
    assert_eq!(server.answer(&Request::statement("CREATE DATABASE d"), None).expect("it answers").status, 200);
    write(&mut server, "temp,room=kitchen c=31.5 1\ntemp,room=cellar c=12 1");
    let host = format!("http://{}", server.address());
    let check = |text: &str, more: &[&str]| {
        std::fs::write(&file, text).expect("a file");
        let output = Command::new(program()).arg("check").arg(&file).args(["--host", &host]).args(more).output();
        let output = output.expect("it runs");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), said)
    };
    let influx =
        "[[check]]\nname = 'c'\ndatabase = 'd'\nquery = 'SELECT last(c) FROM temp GROUP BY room'\nfor = '1h'\n";
    let (code, said) = check(&format!("{influx}above = 30"), &[]);
    assert!(code == Some(1) && said.contains("firing  c: 31.5 measurement=temp room=kitchen"), "{said}");
    assert!(said.contains("ok      c: 12 "), "{said}");
    assert_eq!(check(&format!("{influx}above = 40"), &[]).0, Some(0));
    let nothing =
        "[[check]]\nname = 'n'\ndatabase = 'd'\nquery = 'SELECT x FROM nothing'\nabove = 1\nno-data = 'alert'";
    assert_eq!(check(nothing, &[]).0, Some(1));
    let facette = "[[check]]\nname = 'f'\nbelow = 1\nrequest = 'GET /query?db=d&q=SELECT+last(c)+FROM+temp'";
    assert_eq!(check(facette, &[]).0, Some(0));
    let (code, said) = check("[[check]]\nname = 'x'\nabove = 1", &[]);
    assert!(code == Some(2) && said.contains("line 1"), "{said}");
    assert_eq!(check(&format!("{influx}above = 30"), &["--syntax"]).0, Some(0));
    assert_eq!(check("[[check]]\nname = 'x'\nquery='SELECT v FROM m'\ndatabase = 'no'\nabove = 1", &[]).0, Some(1));
}

#[test]
fn readiness_and_traces_are_told() {
    let folder = data_folder();
    let flags = ["--log-format", "json", "--log-level", "debug"];
    let mut server = Serve::start_with(folder.path(), &flags).expect("it starts");
    let ready = server.answer(&Request::get("/ready", &[]), None).expect("it answers");
    assert!(ready.status == 200 && ready.text().contains("\"status\":\"ready\""), "{}", ready.text());
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let request = Request::get("/ping", &[]).with("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01"));
    assert_eq!(server.answer(&request, None).expect("it answers").status, 204);
    std::thread::sleep(Duration::from_millis(200));
    let log = server.log();
    for line in log.lines() {
        let line = Value::parse(line).unwrap_or_else(|why| panic!("{why}: {line}"));
        assert!(line.get("level").is_some() && line.get("timestamp").is_some());
    }
    let line = log.lines().find(|line| line.contains(trace)).unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains("\"path\":\"/ping\""), "{line}");
}

/// Many clients that never finish what they began, and one that only wants an answer.
#[test]
fn slow_clients_keep_nobody_waiting() {
    let folder = data_folder();
    let mut server = Serve::start_with(folder.path(), &["--timeout", "2"]).expect("it starts");
    let address = server.address();
    let begin = |text: &str| {
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.write_all(text.as_bytes()).expect("it is taken");
        stream
    };
    let mut slow: Vec<TcpStream> = (0..200).map(|_| begin("GET /ping HTTP/1.1\r\nHost: x")).collect();
    slow.extend(
        (0..100).map(|_| begin("POST /write?db=d HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 20000000\r\n\r\nm v=")),
    );
    let began = Instant::now();
    assert_eq!(server.answer(&Request::get("/ping", &[]), None).expect("it answers").status, 204);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    // They are let go when their time is over; one whose body did not come is told.
    let late = slow.pop().expect("one");
    late.set_read_timeout(Some(Duration::from_secs(20))).expect("a time");
    let (answer, _) = read_answer(&mut BufReader::new(late), "POST").expect("an answer");
    assert_eq!(answer.status, 408, "{}", answer.text());
    let mut head = slow.swap_remove(0);
    head.set_read_timeout(Some(Duration::from_secs(20))).expect("a time");
    let mut rest = Vec::new();
    let _ = head.read_to_end(&mut rest);
    assert!(began.elapsed() < Duration::from_secs(20));
}
