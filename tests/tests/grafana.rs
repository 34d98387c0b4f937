//! The Grafana cases over a socket, with the server that their data sources point at, and those without one in process;
//! published clients; data sources that are slow, huge, broken and hostile; secrets at rest.

use isopoint_tests::answer::Answer;
use isopoint_tests::case::{Profile, Request};
use isopoint_tests::engines::{Core, Engine as _, Serve, data_folder, program, required};
use isopoint_tests::grafana::{Upstream, World, cases, id, run, runs_in};
use isopoint_tests::json::Value;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const PROVISIONED: &str =
    "datasources:\n- name: provisioned\n  type: graphite\n  uid: fixed\n  url: http://127.0.0.1:1\n";

fn finish(failed: &[String], passed: usize, least: usize) {
    assert!(failed.is_empty(), "{} failed, {passed} passed:\n{}", failed.len(), failed.join("\n"));
    assert!(passed >= least, "only {passed} cases were run");
}

#[test]
fn over_a_socket() {
    let folder = data_folder();
    let provisioning = folder.path().join("sources.yaml");
    fs::write(&provisioning, PROVISIONED).unwrap();
    let provisioning = provisioning.to_str().unwrap();
    let arguments = ["--auth", "--admin-password", "admin", "--provisioning", provisioning];
    let mut server = Serve::start_with(&folder.path().join("data"), &arguments).unwrap();
    let make_viewer = Request::statement("CREATE USER viewer WITH PASSWORD 'viewer'");
    let made = server.answer(&make_viewer.with("Authorization", "Basic YWRtaW46YWRtaW4="), None).unwrap();
    assert_eq!(made.status, 200, "{}", made.text());
    let upstream = Upstream::start();
    let world = World {
        base: format!("http://{}", server.address()),
        upstream: Some(upstream.base.clone()),
        user: ["admin".into(), "admin".into()],
        viewer: Some("viewer:viewer".into()),
        token: None,
        readonly_uid: Some("fixed".into()),
    };
    let (mut failed, mut passed) = (Vec::new(), 0);
    for case in cases().iter().filter(|case| runs_in(case, &world)) {
        match run(case, &world, Some(&upstream), &mut |request| server.answer(request, None)) {
            Ok(()) => passed += 1,
            Err(why) => failed.push(format!("{}: {why}", id(case))),
        }
    }
    finish(&failed, passed, 118);
}

#[test]
fn in_process() {
    let world = World {
        base: "http://127.0.0.1:1".into(),
        upstream: None,
        user: ["admin".into(), "admin".into()],
        viewer: None,
        token: None,
        readonly_uid: None,
    };
    // Who asks is asked over a socket only; these need another server, or the clock.
    let outside = ["auth-", "-unauthenticated", "health-influx-down", "proxy-", "query-csv-relative", "local-influx"];
    let mut core = Core::new(Profile::Default);
    let (mut failed, mut passed) = (Vec::new(), 0);
    for case in cases().iter().filter(|case| runs_in(case, &world)) {
        if outside.iter().any(|part| id(case).contains(part)) || case.to_string().contains("secureJsonData") {
            continue;
        }
        match run(case, &world, None, &mut |request| core.answer(request, None)) {
            Ok(()) => passed += 1,
            Err(why) => failed.push(format!("{}: {why}", id(case))),
        }
    }
    finish(&failed, passed, 50);
}

const SECRET: &str = "influxpass";

fn post(server: &mut Serve, path: &str, body: &str) -> Answer {
    let request = Request::post(path, &[], body).with("Content-Type", "application/json");
    server.answer(&request, None).unwrap()
}

/// Makes a data source; gives its uid.
fn make(server: &mut Serve, body: &str) -> String {
    let answer = post(server, "/api/datasources", body);
    let document = Value::parse(&answer.text()).unwrap();
    let uid = document.get("datasource").and_then(|made| made.get("uid")?.as_text());
    uid.unwrap_or_else(|| panic!("{}", answer.text())).to_owned()
}

fn holds(folder: &Path, secret: &str) -> bool {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        let within = |bytes: Vec<u8>| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        if path.is_dir() { holds(&path, secret) } else { within(fs::read(&path).unwrap()) }
    })
}

#[test]
fn secrets_lie_encrypted_and_survive_another_key() {
    let folder = data_folder();
    let upstream = Upstream::start();
    let ask = |server: &mut Serve, uid: &str| {
        let path = format!("/api/datasources/proxy/uid/{uid}/query");
        server.answer(&Request::get(&path, &[("q", "SHOW MEASUREMENTS")]), None).unwrap()
    };
    let mut server = Serve::start_with(folder.path(), &[]).unwrap();
    let body = format!(
        "{{\"name\":\"i\",\"type\":\"influxdb\",\"access\":\"proxy\",\"url\":\"{}/influxauth\",\"user\":\"influxuser\",\
         \"secureJsonData\":{{\"password\":\"{SECRET}\"}}}}",
        upstream.base
    );
    let uid = make(&mut server, &body);
    assert_eq!(ask(&mut server, &uid).status, 200);
    assert_eq!(server.stop(), Ok(Some(0)));
    assert!(!holds(folder.path(), SECRET));
    let key = fs::read(folder.path().join("secrets.key")).unwrap();
    let rotated = Command::new(program()).arg("rotate-key").arg("--data-dir").arg(folder.path()).output().unwrap();
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    assert_ne!(fs::read(folder.path().join("secrets.key")).unwrap(), key);
    let mut server = Serve::start_with(folder.path(), &[]).unwrap();
    assert_eq!(ask(&mut server, &uid).status, 200);
    assert_eq!(server.stop(), Ok(Some(0)));
    // Without its key a secret is not taken for an empty one.
    fs::remove_file(folder.path().join("secrets.key")).unwrap();
    let mut server = Serve::start_with(folder.path(), &[]).unwrap();
    let answer = ask(&mut server, &uid);
    assert_eq!(answer.status, 500, "{}", answer.text());
    assert!(answer.text().contains("secretUnreadable") && !answer.text().contains(SECRET));
}

/// A server that does with each connection as told.
fn hostile(act: fn(TcpStream)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || act(stream));
        }
    });
    base
}

fn tell(mut stream: TcpStream, answer: &[u8]) {
    let _ = stream.read(&mut [0; 65_536]);
    let _ = stream.write_all(answer);
}

#[test]
fn bad_data_sources_are_errors_of_their_queries() {
    let folder = data_folder();
    let mut server = Serve::start_with(folder.path(), &[]).unwrap();
    let cases: [(&str, fn(TcpStream), &str); 5] = [
        (
            "slow",
            |stream| {
                std::thread::sleep(Duration::from_secs(9));
                drop(stream);
            },
            "timeout while waiting for the response headers",
        ),
        (
            "huge",
            |mut stream| {
                let _ = stream.read(&mut [0; 65_536]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                let block = [b"100000\r\n".as_slice(), &[b'x'; 1 << 20], b"\r\n"].concat();
                while stream.write_all(&block).is_ok() {}
            },
            "the answer is larger than",
        ),
        ("cut", |stream| tell(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"), "the response broke off"),
        ("garbage", |stream| tell(stream, b"\0\xff\r\n\r\n"), "invalid HTTP"),
        (
            "redirect",
            |stream| tell(stream, b"HTTP/1.1 302 F\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"),
            "link-local",
        ),
    ];
    for (name, act, said) in cases {
        let body = format!(
            "{{\"name\":\"{name}\",\"type\":\"prometheus\",\"access\":\"proxy\",\"url\":\"{}\",\"jsonData\":{{\"timeout\":{}}}}}",
            hostile(act),
            if name == "slow" { 1 } else { 20 }
        );
        let uid = make(&mut server, &body);
        let query =
            format!("{{\"from\":\"0\",\"to\":\"1\",\"queries\":[{{\"datasource\":\"{uid}\",\"expr\":\"up\"}}]}}");
        let began = Instant::now();
        let answer = post(&mut server, "/api/ds/query", &query);
        assert!(answer.status == 400 && answer.text().contains(said), "{name}: {}", answer.text());
        assert!(name != "slow" || began.elapsed().as_secs() < 8, "{name}");
        let health = server.answer(&Request::get(&format!("/api/datasources/uid/{uid}/health"), &[]), None).unwrap();
        assert!(health.status == 400 && health.text().contains(said), "{name}: {}", health.text());
    }
}

#[test]
fn published_clients_work() {
    let folder = data_folder();
    let server = Serve::start_with(folder.path(), &["--auth", "--admin-password", "admin"]).unwrap();
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
    let ask = |program: &str, script: &str| {
        let base = format!("http://{}", server.address());
        let done = Command::new(program).arg(scripts.join(script)).args([&base, "admin", "admin"]).output().unwrap();
        assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
    };
    let there = |program: &str, arguments: &[&str]| {
        Command::new(program).args(arguments).output().is_ok_and(|done| done.status.success())
    };
    if required("grafana-client", there("python3", &["-c", "import grafana_client"])) {
        ask("python3", "grafana_calls.py");
    }
    // The package is beside the scripts, or beside the file that the variable names.
    if required("@grafana/data", std::env::var_os("GRAFANA_DATA_FROM").is_some()) {
        ask("node", "grafana_data.mjs");
    }
}

#[test]
fn a_query_may_be_in_datadogs_language() {
    let folder = data_folder();
    let mut server = Serve::start_with(folder.path(), &[]).unwrap();
    assert_eq!(server.answer(&Request::statement("CREATE DATABASE d"), None).unwrap().status, 200);
    let lines = "cpu,host=a usage=1 1700000000000000000\ncpu,host=b usage=3 1700000000000000000\n";
    assert_eq!(server.answer(&Request::post("/write", &[("db", "d")], lines), None).unwrap().status, 204);
    let source = r#"{"name":"own","type":"influxdb","access":"proxy","url":"local://","jsonData":{"dbName":"d"}}"#;
    let uid = make(&mut server, source);
    let mut ask = |text: &str| {
        let query = format!(r#"{{"refId":"A","datasource":{{"uid":"{uid}"}},"queryType":"datadog","query":"{text}"}}"#);
        let body = format!(r#"{{"from":"1700000000000","to":"1700000060000","queries":[{query}]}}"#);
        post(&mut server, "/api/ds/query", &body)
    };
    let answer = ask("max:cpu.usage{*} by {host}");
    assert_eq!(answer.status, 200, "{}", answer.text());
    for (host, value) in [("a", 1), ("b", 3)] {
        let labels = format!(r#""labels":{{"host":"{host}"}}"#);
        let values = format!(r#""values":[[1700000000000],[{value}]]"#);
        assert!(answer.text().contains(&labels) && answer.text().contains(&values), "{}", answer.text());
    }
    let answer = ask("max:cpu.usage{");
    assert!(answer.status == 400 && answer.text().contains("Error parsing query"), "{}", answer.text());
}
