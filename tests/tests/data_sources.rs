//! Data sources that are real servers of others, many queries at once, the Terraform provider's calls, and secrets, which
//! nobody is told.

use isopoint_tests::case::{Profile, Request, form};
use isopoint_tests::engines::{
    Engine as _, Influxd, Prometheus, Serve, data_folder, influxd_program, program, prometheus_program, required,
};
use isopoint_tests::grafana::Upstream;
use isopoint_tests::grafana::sources::{get, listen, make, post, record, tell};
use isopoint_tests::json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

const PAGE: &str = "# TYPE known gauge\nknown{kind=\"a\"} 42.5\nknown{kind=\"b\"} NaN\nknown{kind=\"c\"} +Inf\nknown{kind=\"d\"} -Inf\n";

fn member<'a>(value: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(value, |at, name| match name.parse::<usize>() {
        Ok(place) => at.as_list().and_then(|list| list.get(place)).unwrap_or(&Value::Null),
        Err(_) => at.get(name).unwrap_or(&Value::Null),
    })
}

#[test]
fn a_real_prometheus_is_asked() {
    let found = prometheus_program();
    if !required("prometheus", found.is_some()) {
        return;
    }
    let prometheus = Prometheus::start(&found.expect("it is there"), PAGE).expect("it starts");
    let folder = data_folder();
    let mut server = Serve::start_with(folder.path(), &[]).expect("it starts");
    for method in ["GET", "POST"] {
        let url = format!("http://{}", prometheus.address());
        let more = format!(r#","jsonData":{{"httpMethod":"{method}","timeInterval":"1s"}}"#);
        let uid = make(&mut server, &record(method, "prometheus", &url, &more));
        let health = get(&mut server, &format!("/api/datasources/uid/{uid}/health"));
        assert!(health.status == 200 && health.text().contains("Successfully queried"), "{}", health.text());
        let ask = |server: &mut Serve, model: &str| {
            let query = format!(
                r#"{{"refId":"A","datasource":{{"uid":"{uid}"}},"intervalMs":1000,"maxDataPoints":100,{model}}}"#
            );
            let answer =
                post(server, "/api/ds/query", &format!(r#"{{"from":"now-5s","to":"now","queries":[{query}]}}"#));
            (answer.status, Value::parse(&answer.text()).expect("JSON"))
        };
        let (status, body) = ask(&mut server, r#""expr":"known","instant":true,"legendFormat":"is {{kind}}""#);
        assert_eq!(status, 200, "{body}");
        let frames = member(&body, &["results", "A", "frames"]);
        // Each special value is null, and its row stands under its name.
        let specials = [("a", ""), ("b", "NaN"), ("c", "Inf"), ("d", "NegInf")];
        assert_eq!(frames.as_list().map(<[_]>::len), Some(specials.len()), "{frames}");
        for (frame, (kind, special)) in frames.as_list().unwrap_or_default().iter().zip(specials) {
            assert_eq!(member(frame, &["schema", "fields", "1", "labels", "kind"]).as_text(), Some(kind));
            let shown = member(frame, &["schema", "fields", "1", "config", "displayNameFromDS"]);
            assert_eq!(shown.as_text(), Some(format!("is {kind}").as_str()), "{frame}");
            let value = member(frame, &["data", "values", "1", "0"]);
            if special.is_empty() {
                assert_eq!(value.as_f64(), Some(42.5), "{frame}");
            } else {
                assert_eq!(value, &Value::Null, "{frame}");
                assert_eq!(member(frame, &["data", "entities", "1", special]).to_string(), "[0]", "{frame}");
            }
        }
        // A range ends with a whole second, which the first sample may still lie after.
        let path = ["results", "A", "frames", "0", "data", "values", "1"];
        let has_values = |body: &Value| member(body, &path).as_list().is_some_and(|values| !values.is_empty());
        let began = Instant::now();
        let body = loop {
            let (status, body) = ask(&mut server, r#""expr":"known{kind=\"a\"}","range":true"#);
            assert_eq!(status, 200, "{body}");
            if has_values(&body) || began.elapsed() > Duration::from_secs(10) {
                break body;
            }
            thread::sleep(Duration::from_millis(100));
        };
        let values = member(&body, &path).as_list().unwrap_or_default();
        assert!(!values.is_empty() && values.iter().all(|value| value.as_f64() == Some(42.5)), "{body}");
        let (status, body) = ask(&mut server, r#""expr":"sum(","range":true"#);
        let error = member(&body, &["results", "A", "error"]).as_text().unwrap_or_default();
        assert!(status == 400 && error.contains("bad_data") && error.contains("parse error"), "{body}");
        let names = get(&mut server, &format!("/api/datasources/uid/{uid}/resources/api/v1/label/kind/values"));
        assert!(names.text().contains(r#"["a","b","c","d"]"#), "{}", names.text());
        let proxy = format!("/api/datasources/proxy/uid/{uid}/api/v1");
        let through = get(&mut server, &format!("{proxy}/query?query=known"));
        let own = format!("http://{}/api/v1/query?query=known", prometheus.address());
        assert!(through.text().contains(r#""kind":"a"},"value":["#), "{own}: {}", through.text());
        let form = Request::post(&format!("{proxy}/query"), &[], "query=known")
            .with("Content-Type", "application/x-www-form-urlencoded");
        assert_eq!(server.answer(&form, None).expect("an answer").status, 200);
        let admin = Request::post(&format!("{proxy}/admin/tsdb/snapshot"), &[], "");
        assert_eq!(server.answer(&admin, None).expect("an answer").status, 403);
    }
}

/// Query models of InfluxQL data sources.
const MODELS: &[&str] = &[
    r#""rawQuery":true,"query":"SELECT v FROM m WHERE $timeFilter GROUP BY host""#,
    r#""rawQuery":true,"query":"SELECT mean(v), max(n) FROM m WHERE $timeFilter GROUP BY time($__interval), host fill(null)""#,
    r#""rawQuery":true,"query":"SELECT v, n, s, b FROM m WHERE $timeFilter","resultFormat":"table""#,
    r#""rawQuery":true,"query":"SELECT s FROM m WHERE $timeFilter","resultFormat":"logs""#,
    r#""rawQuery":true,"query":"SELECT mean(v) FROM m WHERE $timeFilter GROUP BY host","alias":"$m of $tag_host [[col]]""#,
    r#""rawQuery":true,"query":"SHOW TAG VALUES FROM m WITH KEY = host""#,
    r#""rawQuery":true,"query":"SHOW MEASUREMENTS","resultFormat":"table""#,
    r#""rawQuery":true,"query":"SELECT v FROM nothing""#,
    r#""rawQuery":true,"query":"SELECT v FRM m""#,
    r#""rawQuery":true,"query":"SELECT v FROM m; SELECT n FROM m""#,
    r#""measurement":"m","select":[[{"type":"field","params":["v"]},{"type":"mean"}],[{"type":"field","params":["n"]},{"type":"sum"},{"type":"math","params":["* 2"]}]],"groupBy":[{"type":"time","params":["20s"]},{"type":"tag","params":["host"]},{"type":"fill","params":["0"]}],"tags":[{"key":"host","operator":"=~","value":"/a|b/"}],"orderByTime":"DESC","limit":2"#,
];

#[test]
fn a_real_influxdb_is_asked_and_answers_as_this_engine() {
    let found = influxd_program();
    if !required("influxd", found.is_some()) {
        return;
    }
    let mut influxd = Influxd::start(&found.expect("it is there"), Profile::Auth).expect("it starts");
    let first =
        influxd.answer(&Request::statement("CREATE USER boss WITH PASSWORD 'influx pass' WITH ALL PRIVILEGES"), None);
    assert_eq!(first.expect("an answer").status, 200);
    let folder = data_folder();
    let mut server = Serve::start_with(folder.path(), &[]).expect("it starts");
    let url = format!("http://{}", influxd.address());
    let credentials = r#","user":"boss","secureJsonData":{"password":"influx pass"}"#;
    let database = r#","jsonData":{"dbName":"d","httpMode":"POST"}"#;
    let remote = make(&mut server, &record("remote", "influxdb", &url, &format!("{credentials}{database}")));
    let local = make(&mut server, &record("local", "influxdb", "local://", database));
    let wrong = make(
        &mut server,
        &record("wrong", "influxdb", &url, &format!(r#","user":"boss","secureJsonData":{{"password":"x"}}{database}"#)),
    );

    // The database and the points go through the proxy.
    let proxy = format!("/api/datasources/proxy/uid/{remote}");
    let lines = "m,host=a v=1.5,n=3i,s=\"one\",b=true 1700000000000000000\n\
                 m,host=a v=2.5,n=4i,s=\"two\",b=false 1700000010123456789\n\
                 m,host=b v=-3.25,n=9007199254740991i 1700000020000000001\n\
                 m,host=c,dc=x v=1e300 1700000040000000000\nother x=1 1700000000000000000\n";
    for at in ["", &proxy] {
        let statement = Request::post(&format!("{at}/query"), &[], form(&[("q", "CREATE DATABASE d")]))
            .with("Content-Type", "application/x-www-form-urlencoded");
        assert_eq!(server.answer(&statement, None).expect("an answer").status, 200, "{at}");
        let written =
            server.answer(&Request::post(&format!("{at}/write"), &[("db", "d")], lines), None).expect("an answer");
        assert_eq!(written.status, 204, "{at}: {}", written.text());
    }
    let ask = |server: &mut Serve, uid: &str, model: &str| {
        let query =
            format!(r#"{{"refId":"A","datasource":{{"uid":"{uid}"}},"intervalMs":20000,"maxDataPoints":100,{model}}}"#);
        post(
            server,
            "/api/ds/query",
            &format!(r#"{{"from":"1700000000000","to":"1700000060000","queries":[{query}]}}"#),
        )
    };
    for model in MODELS {
        let (far, near) = (ask(&mut server, &remote, model), ask(&mut server, &local, model));
        assert_eq!((far.status, far.text()), (near.status, near.text()), "{model}");
        assert_eq!(far.status == 200, !model.contains("FRM"), "{model}: {}", far.text());
    }
    assert!(ask(&mut server, &remote, MODELS[0]).text().contains("[1700000020000],[-3.25]"));
    let health = get(&mut server, &format!("/api/datasources/uid/{remote}/health"));
    assert!(health.status == 200 && health.text().contains("2 measurements found"), "{}", health.text());
    let refused = ask(&mut server, &wrong, MODELS[0]);
    assert!(refused.status == 400 && refused.text().contains("authorization failed"), "{}", refused.text());
    assert_eq!(get(&mut server, &format!("/api/datasources/proxy/uid/{wrong}/query?q=SHOW+DATABASES")).status, 400);
}

#[test]
fn a_hundred_mixed_queries_at_once_are_answered_as_one_after_the_other() {
    let folder = data_folder();
    let mut server = Serve::start_with(folder.path(), &[]).expect("it starts");
    let upstream = Upstream::start();
    let statement = Request::statement("CREATE DATABASE d");
    assert_eq!(server.answer(&statement, None).expect("an answer").status, 200);
    let lines: String = (0..2000).map(|at| format!("m,host=h{} v={at} {}\n", at % 7, at * 1_000_000_000_i64)).collect();
    assert_eq!(server.answer(&Request::post("/write", &[("db", "d")], lines), None).expect("an answer").status, 204);
    let local = make(&mut server, &record("local", "influxdb", "local://", r#","jsonData":{"dbName":"d"}"#));
    let influx = make(&mut server, &record("influx", "influxdb", &format!("{}/influx", upstream.base), ""));
    let prometheus = make(&mut server, &record("prom", "prometheus", &format!("{}/prom", upstream.base), ""));
    let testdata = make(&mut server, &record("test", "testdata", "", ""));
    let gone = make(&mut server, &record("gone", "prometheus", "http://127.0.0.1:1", ""));
    let of = |ref_id: &str, uid: &str, model: &str| {
        format!(r#"{{"refId":"{ref_id}","datasource":{{"uid":"{uid}"}},{model}}}"#)
    };
    let raw = r#""rawQuery":true,"query":"SELECT mean(v) FROM m WHERE $timeFilter GROUP BY time(1m), host""#;
    let one_of_each = [
        of("L", &local, raw),
        of("D", &local, r#""queryType":"datadog","query":"sum:m.v{*} by {host}""#),
        of("I", &influx, raw),
        of("P", &prometheus, r#""expr":"up","range":true"#),
        of("T", &testdata, r#""scenarioId":"csv_metric_values","stringInput":"1,2,NaN""#),
        of("S", &testdata, r#""scenarioId":"slow_query","stringInput":"300ms""#),
    ];
    let expression = of("R", "__expr__", r#""type":"reduce","expression":"L","reducer":"max""#);
    let request = |queries: &[String]| format!(r#"{{"from":"0","to":"1800000","queries":[{}]}}"#, queries.join(","));
    let mut requests: Vec<String> = one_of_each.iter().map(|query| request(std::slice::from_ref(query))).collect();
    requests.push(request(&one_of_each));
    requests.push(request(&[one_of_each[0].clone(), expression]));
    requests.push(request(&[one_of_each[2].clone(), of("G", &gone, r#""expr":"up""#)]));
    let ask = |server: &mut Serve, request: &String| {
        let answer = post(server, "/api/ds/query", request);
        (answer.status, answer.text())
    };
    let expected: Vec<_> = requests.iter().map(|request| ask(&mut server, request)).collect();
    let statuses: Vec<u16> = expected.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 200, 400], "{expected:?}");
    let start = Arc::new(Barrier::new(100));
    let askers: Vec<_> = (0..100)
        .map(|number: usize| {
            let (start, mut client) = (Arc::clone(&start), server.client());
            let (request, expected) =
                (requests[number % requests.len()].clone(), expected[number % requests.len()].clone());
            thread::spawn(move || {
                let request = Request::post("/api/ds/query", &[], request).with("Content-Type", "application/json");
                start.wait();
                let answer = client.send(&request).expect("an answer");
                assert_eq!((answer.status, answer.text()), expected);
            })
        })
        .collect();
    for asker in askers {
        asker.join().expect("its answer is the same");
    }
    // The data sources of one request are asked side by side: six times a second takes no six.
    let slow: Vec<String> =
        (0..6).map(|at| of(&format!("S{at}"), &testdata, r#""scenarioId":"slow_query","stringInput":"1s""#)).collect();
    let began = Instant::now();
    assert_eq!(ask(&mut server, &request(&slow)).0, 200);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[test]
fn frames_come_as_arrow_to_whom_asks_for_it() {
    let folder = data_folder();
    let mut server = Serve::start_with(folder.path(), &[]).expect("it starts");
    let testdata = make(&mut server, &record("test", "testdata", "", ""));
    let query = |ref_id: &str, scenario: &str| {
        format!(
            r#"{{"refId":"{ref_id}","datasource":{{"uid":"{testdata}"}},"scenarioId":"{scenario}","stringInput":"1,2"}}"#
        )
    };
    let asked = format!(
        r#"{{"from":"0","to":"1000","queries":[{},{}]}}"#,
        query("A", "csv_metric_values"),
        query("B", "csv_metric_values")
    );
    let request = Request::post("/api/ds/query", &[], asked.as_str()).with("Content-Type", "application/json");
    let json = server.answer(&request, None).expect("an answer");
    assert!(json.status == 200 && json.text().starts_with("{\"results\""), "{}", json.text());
    let request = request.with("Accept", "application/vnd.apache.arrow.stream");
    let arrow = server.answer(&request, None).expect("an answer");
    let kind = arrow.header("content-type");
    assert_eq!((arrow.status, kind.as_deref()), (200, Some("application/vnd.apache.arrow.stream")));
    // A stream begins with the marker of a message and ends with that of none.
    assert!(arrow.body.starts_with(&[0xff; 4]) && arrow.body.ends_with(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]));
    let ends = arrow.body.windows(8).filter(|bytes| *bytes == [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]).count();
    assert_eq!(ends, 2, "one stream a frame");
    // What is no answer with frames stays what it is.
    let request = Request::post("/api/ds/query", &[], "{").with("Accept", "application/vnd.apache.arrow.stream");
    let refused = server.answer(&request.with("Content-Type", "application/json"), None).expect("an answer");
    assert!(refused.status == 400 && refused.text().starts_with('{'), "{}", refused.text());
}

#[test]
fn of_racing_creates_one_succeeds_and_what_was_told_survives_a_kill() {
    let folder = data_folder();
    let server = Serve::start_with(folder.path(), &[]).expect("it starts");
    let start = Arc::new(Barrier::new(12));
    let racers: Vec<_> = (0..12)
        .map(|number: usize| {
            let (start, mut client) = (Arc::clone(&start), server.client());
            thread::spawn(move || {
                // Six want one name, six one uid; all want to be the default.
                let more = r#","isDefault":true"#;
                let body = match number % 2 {
                    0 => record("one name", "x", "", more),
                    _ => record(&format!("name {number}"), "x", "", &format!(r#"{more},"uid":"one-uid""#)),
                };
                start.wait();
                client.send(&Request::post("/api/datasources", &[], body)).expect("an answer").status
            })
        })
        .collect();
    let statuses: Vec<u16> = racers.into_iter().map(|racer| racer.join().expect("no panic")).collect();
    let count = |status: u16| statuses.iter().filter(|found| **found == status).count();
    assert_eq!((count(200), count(409)), (2, 10), "{statuses:?}");
    server.kill();
    let mut server = Serve::start_with(folder.path(), &[]).expect("it starts again");
    let list = Value::parse(&get(&mut server, "/api/datasources").text()).expect("JSON");
    let all = list.as_list().unwrap_or_default();
    assert_eq!(all.len(), 2, "{list}");
    let defaults = all.iter().filter(|one| member(one, &["isDefault"]).as_bool() == Some(true));
    assert_eq!(defaults.count(), 1, "{list}");
    assert_ne!(member(&all[0], &["id"]), member(&all[1], &["id"]));
}

/// What the resource `grafana_data_source` of Terraform's provider sends, in its order: create and read, the same again
/// for a plan, update and read, delete, and the read that finds it gone.
#[test]
fn the_terraform_providers_calls_do_what_it_expects() {
    let folder = data_folder();
    let mut server = Serve::start_with(folder.path(), &["--auth", "--admin-password", "admin"]).expect("it starts");
    let mut ask = |method: &str, path: &str, body: &str| {
        let request = Request { method: method.into(), ..Request::post(path, &[], body) };
        let request = request.with("Authorization", "Basic YWRtaW46YWRtaW4=").with("Accept", "application/json");
        let answer = server.answer(&request.with("Content-Type", "application/json"), None).expect("an answer");
        (answer.status, Value::parse(&answer.text()).unwrap_or(Value::Null))
    };
    // Go leaves out what is empty or false, and always has a `jsonData`.
    let plain = r#"{"access":"proxy","jsonData":{},"name":"plain","type":"loki","url":"http://loki:3100"}"#;
    let (status, made) = ask("POST", "/api/datasources", plain);
    assert_eq!((status, member(&made, &["message"]).as_text()), (200, Some("Datasource added")), "{made}");
    assert_eq!(member(&made, &["datasource", "jsonData"]).to_string(), "{}", "a map, which the provider counts on");

    let create = r#"{"access":"proxy","basicAuth":true,"basicAuthUser":"tf","database":"d","jsonData":{"httpHeaderName1":"X-Team","httpMode":"POST","timeInterval":"10s"},"name":"tf","secureJsonData":{"basicAuthPassword":"planted","httpHeaderValue1":"planted"},"type":"influxdb","uid":"tf-uid","url":"http://influxdb:8086","user":"u"}"#;
    let (status, made) = ask("POST", "/api/datasources", create);
    assert_eq!((status, member(&made, &["datasource", "uid"]).as_text()), (200, Some("tf-uid")), "{made}");
    let uid = "/api/datasources/uid/tf-uid";
    let (status, read) = ask("GET", uid, "");
    assert_eq!(status, 200);
    for (name, wanted) in [
        ("orgId", "1"),
        ("uid", "\"tf-uid\""),
        ("name", "\"tf\""),
        ("type", "\"influxdb\""),
        ("access", "\"proxy\""),
        ("url", "\"http://influxdb:8086\""),
        ("user", "\"u\""),
        ("database", "\"d\""),
        ("basicAuth", "true"),
        ("basicAuthUser", "\"tf\""),
        ("isDefault", "false"),
        ("readOnly", "false"),
        ("version", "1"),
        ("jsonData", r#"{"httpHeaderName1":"X-Team","httpMode":"POST","timeInterval":"10s"}"#),
        ("secureJsonFields", r#"{"basicAuthPassword":true,"httpHeaderValue1":true}"#),
    ] {
        assert_eq!(member(&read, &[name]).to_string(), wanted, "{name} of {read}");
    }
    assert!(!read.to_string().contains("planted"));
    // A plan without changes reads the same again.
    assert_eq!(ask("GET", uid, ""), (200, read.clone()));

    let update = r#"{"access":"proxy","jsonData":{"httpMode":"GET"},"name":"tf renamed","secureJsonData":{"basicAuthPassword":"planted again"},"type":"influxdb","uid":"tf-uid","url":"http://influxdb:8087"}"#;
    let (status, changed) = ask("PUT", uid, update);
    assert_eq!((status, member(&changed, &["message"]).as_text()), (200, Some("Datasource updated")), "{changed}");
    let (_, read) = ask("GET", uid, "");
    for (name, wanted) in [
        ("name", "\"tf renamed\""),
        ("url", "\"http://influxdb:8087\""),
        ("user", "\"\""),
        ("database", "\"\""),
        ("basicAuth", "false"),
        ("jsonData", r#"{"httpMode":"GET"}"#),
        ("isDefault", "false"),
    ] {
        assert_eq!(member(&read, &[name]).to_string(), wanted, "{name} of {read}");
    }
    // Its lister takes those that are not read-only.
    let (_, list) = ask("GET", "/api/datasources", "");
    assert_eq!(list.as_list().map(<[_]>::len), Some(2), "{list}");
    let (status, gone) = ask("DELETE", uid, "");
    assert_eq!((status, member(&gone, &["message"]).as_text()), (200, Some("Data source deleted")), "{gone}");
    let (status, gone) = ask("GET", uid, "");
    assert_eq!((status, member(&gone, &["message"]).as_text()), (404, Some("Data source not found")), "{gone}");
    // Deleting what somebody else has deleted is no error to it, if it is 404.
    assert_eq!(ask("DELETE", uid, "").0, 404);
}

fn files_with(folder: &Path, secret: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files_with(&path, secret, found);
        } else if fs::read(&path).expect("a file").windows(secret.len()).any(|part| part == secret.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
}

/// Every secret a record may have, planted, each with the same middle.
const PLANTED: &str = "pl4nt3d";

#[test]
fn secrets_are_in_no_answer_log_file_or_backup() {
    let folder = data_folder();
    let data = folder.path().join("data");
    let mut server = Serve::start_with(&data, &["--log-level", "trace"]).expect("it starts");
    let upstream = Upstream::start();
    let secrets = format!(
        r#","basicAuth":true,"basicAuthUser":"u","user":"u","jsonData":{{"httpHeaderName1":"X-Key","timeout":1}},"secureJsonData":{{"password":"a{PLANTED}","basicAuthPassword":"b{PLANTED}","httpHeaderValue1":"c{PLANTED}","tlsCACert":"d{PLANTED}","tlsClientCert":"e{PLANTED}","tlsClientKey":"f{PLANTED}"}}"#
    );
    let tls = secrets.replace(r#""timeout":1"#, r#""tlsAuth":true,"tlsAuthWithCACert":true"#);
    let silent = listen(|stream| {
        thread::sleep(Duration::from_secs(5));
        drop(stream);
    });
    let garbage = listen(|stream| tell(stream, b"\0\xff\r\n\r\n"));
    let mut said = Vec::new();
    for (name, kind, url, more) in [
        ("echo", "x", format!("{}/echo", upstream.base), &secrets),
        ("influx", "influxdb", format!("{}/influxauth", upstream.base), &secrets),
        ("prom", "prometheus", format!("{}/promerr", upstream.base), &secrets),
        ("graphite", "graphite", upstream.base.clone(), &secrets),
        ("gone", "prometheus", "http://127.0.0.1:1".to_owned(), &secrets),
        ("silent", "prometheus", format!("http://{silent}"), &secrets),
        ("garbage", "influxdb", format!("http://{garbage}"), &secrets),
        ("certificates", "prometheus", "https://127.0.0.1:1".to_owned(), &tls),
        ("metadata", "prometheus", "http://169.254.169.254".to_owned(), &secrets),
    ] {
        let made = post(&mut server, "/api/datasources", &record(name, kind, &url, more));
        assert_eq!(made.status, 200, "{}", made.text());
        said.push(made.text());
        let document = Value::parse(&made.text()).expect("JSON");
        let uid = member(&document, &["datasource", "uid"]).as_text().expect("a uid").to_owned();
        let query = format!(
            r#"{{"from":"0","to":"1","queries":[{{"datasource":"{uid}","expr":"up","target":"x","rawQuery":true,"query":"SELECT v FROM m"}}]}}"#
        );
        said.push(post(&mut server, "/api/ds/query", &query).text());
        for path in ["", "/health", "/resources/api/v1/labels"] {
            said.push(get(&mut server, &format!("/api/datasources/uid/{uid}{path}")).text());
        }
        if name == "echo" {
            // It tells what it was sent: there, and only there, they arrive.
            assert!(
                get(&mut server, &format!("/api/datasources/proxy/uid/{uid}/a"))
                    .text()
                    .contains(&format!("c{PLANTED}"))
            );
        } else {
            said.push(get(&mut server, &format!("/api/datasources/proxy/uid/{uid}/a")).text());
        }
    }
    // What a URL carries is part of the record, but of no error.
    let uid =
        make(&mut server, &record("in the address", "prometheus", &format!("http://u:g{PLANTED}@127.0.0.1:1"), ""));
    let query = format!(r#"{{"from":"0","to":"1","queries":[{{"datasource":"{uid}","expr":"up"}}]}}"#);
    said.push(post(&mut server, "/api/ds/query", &query).text());
    said.push(get(&mut server, &format!("/api/datasources/proxy/uid/{uid}/a")).text());
    said.push(get(&mut server, &format!("/api/datasources/uid/{uid}/health")).text());
    let gone = Request { method: "DELETE".into(), ..Request::get(&format!("/api/datasources/uid/{uid}"), &[]) };
    said.push(server.answer(&gone, None).expect("an answer").text());
    for path in ["/api/datasources", "/metrics", "/debug/vars"] {
        let bad =
            format!(r#"{{"name":"bad","type":"x","access":"proxy","secureJsonData":{{"password":["h{PLANTED}"]}}}}"#);
        said.push(post(&mut server, "/api/datasources", &bad).text());
        said.push(get(&mut server, path).text());
    }
    for text in &said {
        assert!(!text.contains(PLANTED), "{text}");
    }
    let backup =
        Command::new(program()).arg("backup").arg("--data-dir").arg(&data).arg(folder.path().join("backup")).output();
    let backup = backup.expect("it runs");
    assert!(backup.status.success(), "{}", String::from_utf8_lossy(&backup.stderr));
    let log = server.log();
    assert!(log.contains("/api/ds/query"), "the log tells of requests");
    assert_eq!(log.lines().find(|line| line.contains(PLANTED)), None);
    assert_eq!(server.stop(), Ok(Some(0)));
    // The address of a record is shown, and stands in the files as it is: `g` is none of these.
    for letter in ["a", "b", "c", "d", "e", "f", "h"] {
        let mut found = Vec::new();
        files_with(folder.path(), &format!("{letter}{PLANTED}"), &mut found);
        assert_eq!(found, Vec::<String>::new(), "{letter}{PLANTED}");
    }
}
