//! The Grafana cases over a socket, with the server that their data sources point at, and those without one in process;
//! roles and tokens; secrets at rest; queries in other languages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use isopoint_tests::answer::Answer;
use isopoint_tests::case::{FORM, Profile, Request};
use isopoint_tests::engines::{Core, Engine as _, Serve, data_folder, program};
use isopoint_tests::grafana::sources::{make, post};
use isopoint_tests::grafana::{Upstream, World, cases, id, run, runs_in};
use isopoint_tests::json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

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

#[test]
fn a_query_may_be_a_graph_of_facettes() {
    let folder = data_folder();
    let mut server = Serve::start_with(folder.path(), &[]).unwrap();
    assert_eq!(server.answer(&Request::statement("CREATE DATABASE d"), None).unwrap().status, 200);
    let point = |host: &str, value: i64, at: i64| format!("cpu,host={host} usage={value} {}\n", at * 1_000_000_000);
    let at = |second: i64| 1_700_000_000 + second;
    let lines = [point("a", 1, at(0)), point("a", 3, at(30)), point("b", 5, at(0)), point("b", 9, at(60))].concat();
    assert_eq!(server.answer(&Request::post("/write", &[("db", "d")], lines), None).unwrap().status, 204);
    let source = r#"{"name":"own","type":"influxdb","access":"proxy","url":"local://","jsonData":{"dbName":"d"}}"#;
    let uid = make(&mut server, source);
    let graph = r#"{"name":"g","groups":[{"name":"","operator":0,"consolidate":1,"series":[
        {"name":"first","source":"a","metric":"cpu.usage"},{"name":"other","source":"b","metric":"cpu.usage"}]}]}"#;
    let ask = |server: &mut Serve, query: &str| {
        let one = format!(
            r#"{{"refId":"A","datasource":{{"uid":"{uid}"}},"queryType":"facette","maxDataPoints":2,"query":{query}}}"#
        );
        post(server, "/api/ds/query", &format!(r#"{{"from":"1700000000000","to":"1700000060000","queries":[{one}]}}"#))
    };
    // Raw: the window is the request's, its end not in it; the origin is the data source's database.
    let answer = ask(&mut server, &format!(r#"{{"graph":{graph}}}"#));
    assert_eq!(answer.status, 200, "{}", answer.text());
    for part in [r#""name":"first""#, r#"[[1700000000000,1700000030000],[1,3]]"#, r#"[[1700000000000],[5]]"#] {
        assert!(answer.text().contains(part), "{part}: {}", answer.text());
    }
    // Normalised: the buckets are as many as the data points that are wanted, as Facette itself has them.
    let answer = ask(&mut server, &format!(r#"{{"graph":{graph},"normalize":true}}"#));
    let own = format!(
        r#"{{"graph":{},"normalize":true,"sample":2,"start_time":"2023-11-14T22:13:20Z","end_time":"2023-11-14T22:14:20Z"}}"#,
        graph.replace("\"source\"", "\"origin\":\"d\",\"source\"")
    );
    let points = post(&mut server, "/api/v1/series/points", &own).text();
    assert!(points.contains("[[1700000000,1],[1700000030,3]]"), "{points}");
    assert!(answer.text().contains("[[1700000000000,1700000030000],[1,3]]"), "{}", answer.text());
    assert!(answer.text().contains("[[1700000000000,1700000030000],[5,null]]"), "{}", answer.text());
    // As a text, by the name of a stored graph, and with a range of its own.
    let stored = post(
        &mut server,
        "/api/v1/library/graphs",
        &graph.replace("\"name\":\"g\"", "\"name\":\"g\",\"alias\":\"kept\""),
    );
    assert_eq!(stored.status, 201, "{}", stored.text());
    let answer = ask(
        &mut server,
        r#""{\"id\":\"kept\",\"start_time\":\"2023-11-14T22:14:20Z\",\"end_time\":\"2023-11-14T22:15:20Z\"}""#,
    );
    assert!(answer.status == 200 && answer.text().contains("[[1700000060000],[9]]"), "{}", answer.text());
    for (query, said) in [(r#"{"id":"none"}"#, "item not found"), ("7", "invalid request parameter")] {
        let answer = ask(&mut server, query);
        assert!(answer.status == 400 && answer.text().contains(said), "{}", answer.text());
    }
}

#[test]
fn roles_follow_from_rights_and_access_tokens_are_api_keys() {
    let folder = data_folder();
    let mut server = Serve::start_with(folder.path(), &["--auth", "--admin-password", "admin"]).unwrap();
    let basic = |user: &str, password: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    let admin = basic("admin", "admin");
    let mut ask = |authorization: &str, request: Request| {
        let media = if request.path == "/query" { FORM } else { "application/json" };
        let request = request.with("Content-Type", media);
        server.answer(&request.with("Authorization", authorization), None).unwrap()
    };
    for statement in [
        "CREATE DATABASE d",
        "CREATE USER viewer WITH PASSWORD 'p'",
        "CREATE USER writer WITH PASSWORD 'p'",
        "GRANT READ ON d TO viewer",
        "GRANT WRITE ON d TO writer",
    ] {
        let request = Request { headers: Vec::new(), ..Request::statement(statement) };
        assert_eq!(ask(&admin, request).status, 200, "{statement}");
    }
    let dashboard = r#"{"dashboard":{"title":"t","panels":[]},"overwrite":true}"#;
    let source = r#"{"type":"testdata","access":"proxy"}"#;
    for (user, role, dashboards, sources) in [
        (basic("viewer", "p"), "Viewer", 403, 403),
        (basic("writer", "p"), "Editor", 200, 403),
        (admin.clone(), "Admin", 200, 200),
    ] {
        let orgs = ask(&user, Request::get("/api/user/orgs", &[])).text();
        assert!(orgs.contains(&format!("\"role\":\"{role}\"")), "{orgs}");
        let saved = ask(&user, Request::post("/api/dashboards/db", &[], dashboard));
        assert_eq!(saved.status, dashboards, "{role}: {}", saved.text());
        assert_eq!(ask(&user, Request::post("/api/datasources", &[], source)).status, sources, "{role}");
        assert_eq!(ask(&user, Request::get("/api/datasources", &[])).status, 200, "{role}");
    }
    let token = |body: &str, ask: &mut dyn FnMut(&str, Request) -> Answer| {
        let made = Value::parse(&ask(&admin, Request::post("/isopoint/tokens", &[], body)).text()).unwrap();
        ["id", "token"].map(|name| made.get(name).and_then(Value::as_text).unwrap().to_owned())
    };
    let [id, text] = token(r#"{"name":"k","read":["d"]}"#, &mut ask);
    let [_, short] = token(r#"{"name":"s","read":["d"],"expires_secs":1}"#, &mut ask);
    let list = || Request::get("/api/datasources", &[]);
    for header in [format!("Bearer {text}"), basic("api_key", &text)] {
        assert_eq!(ask(&header, list()).status, 200, "{header}");
        let denied = ask(&header, Request::post("/api/datasources", &[], source));
        assert!(denied.status == 403 && denied.text().contains("datasources:create"), "{}", denied.text());
    }
    std::thread::sleep(Duration::from_millis(1100));
    let expired = ask(&format!("Bearer {short}"), list());
    assert!(expired.status == 401 && expired.text().contains("Expired API key"), "{}", expired.text());
    let revoke = Request { method: "DELETE".into(), ..Request::get(&format!("/isopoint/tokens/{id}"), &[]) };
    assert_eq!(ask(&admin, revoke).status / 100, 2);
    let revoked = ask(&format!("Bearer {text}"), list());
    assert!(revoked.status == 401 && revoked.text().contains("Invalid API key"), "{}", revoked.text());
}

#[test]
fn queries_health_and_the_proxy_find_a_data_source_by_its_former_uid() {
    let folder = data_folder();
    let mut server = Serve::start_with(folder.path(), &[]).unwrap();
    let upstream = Upstream::start();
    let record = |uid: &str| {
        format!(r#"{{"name":"p","type":"prometheus","access":"proxy","url":"{}/prom","uid":"{uid}"}}"#, upstream.base)
    };
    make(&mut server, &record("old"));
    let change = Request { method: "PUT".into(), ..Request::post("/api/datasources/uid/old", &[], record("new")) };
    assert_eq!(server.answer(&change, None).unwrap().status, 200);
    let query = r#"{"from":"0","to":"60000","queries":[{"refId":"A","datasource":{"uid":"old"},"expr":"up"}]}"#;
    let request = Request::post("/api/ds/query", &[], query).with("X-Datasource-Uid", "old");
    let answer = server.answer(&request, None).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    for (path, status) in [
        ("/api/datasources/uid/old/health", 200),
        ("/api/datasources/uid/old/resources/api/v1/labels", 200),
        ("/api/datasources/proxy/uid/old/api/v1/labels", 200),
        ("/api/datasources/uid/old", 404),
        ("/api/datasources/uid/new", 200),
    ] {
        assert_eq!(server.answer(&Request::get(path, &[]), None).unwrap().status, status, "{path}");
    }
}
