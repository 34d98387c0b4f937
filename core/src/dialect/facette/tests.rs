//! The dialect end to end, in process: requests in, bytes out, over a store whose files are a map.

use super::Mapping;
use crate::dialect::exchange::{ApiConfig, ApiRequest, Exchange, Head, Turn};
use crate::dialect::route;
use crate::exec::Budget;
use crate::limits::Limits;
use crate::store::{Action, Event, Store, StoreConfig, WriteError, WriteId, Written};
use crate::time::{Timestamp, parse_rfc3339};
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

mod grammar;
mod library;

const CASES: &str = include_str!("../../../../tests/corpus/facette/cases.json");
const SEQUENCES: &str = include_str!("../../../../tests/corpus/facette/library_cases.json");
const PATH: &str = "/api/v1/series/points";

struct Server {
    store: Store,
    files: BTreeMap<String, Vec<u8>>,
    config: Arc<ApiConfig>,
    now: Timestamp,
    /// Every write goes on to block files at once.
    flushing: bool,
    requests: u64,
}

struct Answer {
    head: Head,
    text: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

impl Server {
    fn new(now: &str, flushing: bool) -> Self {
        let store = Store::new(StoreConfig::default());
        let now = Timestamp::from_nanos(parse_rfc3339(now).unwrap().0);
        let mut server = Self { store, files: BTreeMap::new(), config: Arc::default(), now, flushing, requests: 0 };
        server.act(None);
        server
    }

    fn write(&mut self, database: &str, lines: &str) {
        self.send("POST", "/query", &format!("q=CREATE+DATABASE+{database}"), &[], "");
        assert_eq!(self.send("POST", "/write", &format!("db={database}"), &[], lines).head.status, 204);
    }

    fn points(&mut self, body: &Value) -> Answer {
        self.send("POST", PATH, "", &[("content-type", "application/json")], &body.to_string())
    }

    fn json(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        self.send(method, path, query, &[("content-type", "application/json")], &body.to_string())
    }

    fn get(&mut self, path: &str) -> Answer {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        self.send("GET", path, query, &[], "")
    }

    fn send(&mut self, method: &str, path: &str, query: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.requests += 1;
        let request = ApiRequest {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            now: self.now,
            request_id: "id-1".to_owned(),
            entropy: std::array::from_fn(|at| self.requests.to_be_bytes()[at % 8]),
        };
        let mut exchange = route::open(request, self.store.snapshot(), &self.config);
        let (mut head, mut body) = (None, Vec::new());
        loop {
            match exchange.turn(Budget::rows(3)) {
                Turn::Head(first) => assert!(head.replace(first).is_none(), "one head"),
                Turn::Chunk(bytes) => body.extend_from_slice(&bytes),
                Turn::Read(ranges) => {
                    let bytes = ranges.iter().map(|range| {
                        let (from, len) = (range.offset as usize, range.len as usize);
                        Bytes::copy_from_slice(&self.files[range.file.as_str()][from..from + len])
                    });
                    exchange.supply(Ok(bytes.collect()));
                }
                Turn::Write { database, policy, batch } => {
                    let write = self.store.write(self.now, &database, policy.as_deref(), *batch);
                    self.settle(write, &mut *exchange);
                }
                Turn::Ask(errands) => panic!("nothing outside is needed for this: {errands:?}"),
                Turn::Command(command) => {
                    let write = self.store.command(self.now, command);
                    self.settle(write, &mut *exchange);
                }
                Turn::Yield => {}
                Turn::Done(_) => {
                    return Answer { head: head.expect("a head"), text: String::from_utf8(body).unwrap() };
                }
            }
        }
    }

    fn settle(&mut self, write: WriteId, exchange: &mut dyn Exchange) {
        let outcome = self.act(Some(write)).expect("every write is acknowledged");
        if self.flushing {
            self.store.shutdown(self.now);
            self.act(None);
        }
        exchange.wrote(outcome, self.store.snapshot());
    }

    fn act(&mut self, awaited: Option<WriteId>) -> Option<Result<Written, WriteError>> {
        let mut found = None;
        while let Some(action) = self.store.poll_action() {
            let event = match action {
                Action::Append { id, file, bytes } => {
                    self.files.entry(file.as_str().to_owned()).or_default().extend_from_slice(&bytes);
                    Event::Done(id)
                }
                Action::Put { id, file, bytes } => {
                    self.files.insert(file.as_str().to_owned(), bytes.to_vec());
                    Event::Done(id)
                }
                Action::Delete { id, file } => {
                    self.files.remove(file.as_str());
                    Event::Done(id)
                }
                Action::Sync { id, .. } | Action::Truncate { id, .. } => Event::Done(id),
                Action::Run { id, job } => {
                    Event::JobDone(id, job.run(&mut |_| unreachable!("too few files to compact")))
                }
                Action::Rename { .. } => unreachable!("too few files to compact"),
                Action::Publish { .. } | Action::PublishDelete { .. } => continue,
                Action::Ack { write, outcome } => {
                    if Some(write) == awaited {
                        found = Some(outcome);
                    }
                    continue;
                }
            };
            self.store.handle(self.now, event);
        }
        found
    }
}

/// Equal but for numbers, of which those that are no point's time may differ a little.
fn alike(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            found.len() == expected.len()
                && expected.iter().all(|(key, expected)| found.get(key).is_some_and(|found| alike(found, expected)))
        }
        // A point: its time must be the same.
        (Value::Array(found), Value::Array(expected)) if expected.len() == 2 && found.len() == 2 => {
            let time = expected[0].is_i64() && (expected[1].is_number() || expected[1].is_null());
            let times = if time { found[0] == expected[0] } else { alike(&found[0], &expected[0]) };
            times && alike(&found[1], &expected[1])
        }
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len() && found.iter().zip(expected).all(|(found, expected)| alike(found, expected))
        }
        (Value::Number(found), Value::Number(expected)) => {
            let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
            (found - expected).abs() <= 1e-12_f64.max(1e-9 * found.abs().max(expected.abs()))
        }
        (Value::String(found), Value::String(placeholder)) if placeholder == "@uuid" => found.len() == 36,
        (Value::String(found), Value::String(placeholder)) if placeholder == "@time" => parse_rfc3339(found).is_some(),
        _ => found == expected,
    }
}

/// Sends a request of the corpus; `names` are put in for what stands as `${name}`.
fn send_step(server: &mut Server, step: &Value, names: &BTreeMap<String, String>) -> Answer {
    let fill =
        |text: &str| names.iter().fold(text.to_owned(), |text, (name, id)| text.replace(&format!("${{{name}}}"), id));
    let text = |key: &str| step[key].as_str().map(str::to_owned);
    let has_body = !step["body"].is_null();
    let body = text("body_text").or_else(|| has_body.then(|| step["body"].to_string()));
    let mut headers = Vec::new();
    match step["headers"].as_object() {
        Some(own) => {
            headers.extend(
                own.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str().unwrap().to_owned())),
            );
        }
        None if body.is_some() => headers.push(("content-type".to_owned(), "application/json".to_owned())),
        None => {}
    }
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let path = fill(step["path"].as_str().unwrap());
    let (path, query) = path.split_once('?').unwrap_or((&path, ""));
    server.send(step["method"].as_str().unwrap(), path, query, &headers, &fill(&body.unwrap_or_default()))
}

/// Whether an answer is as expected: status, the headers that are named, the body.
fn is_as(answer: &Answer, expected: &Value, names: &BTreeMap<String, String>) -> bool {
    let filled = names.iter().fold(expected.to_string(), |text, (name, id)| text.replace(&format!("${{{name}}}"), id));
    let expected: Value = serde_json::from_str(&filled).unwrap();
    let like = |found: &str, expected: &str| match expected.split_once("@uuid") {
        Some((before, after)) => found.len() == before.len() + 36 + after.len() && found.starts_with(before),
        None => found == expected,
    };
    let headers = expected["headers"].as_object().into_iter().flatten();
    let mut headers =
        headers.map(|(name, value)| answer.header(name).is_some_and(|found| like(found, value.as_str().unwrap())));
    let body = match expected.get("body") {
        None => true,
        Some(Value::Null) => answer.text.trim().is_empty(),
        Some(body) => serde_json::from_str(&answer.text).is_ok_and(|found| alike(&found, body)),
    };
    expected["status"] == answer.head.status && headers.all(|same| same) && body
}

#[test]
fn the_corpus_of_points() {
    let corpus: Value = serde_json::from_str(CASES).unwrap();
    let (mut wrong, mut passed) = (Vec::new(), 0);
    for case in corpus["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        for flushing in [false, true] {
            let mut server = Server::new(case["now"].as_str().unwrap(), flushing);
            for (database, lines) in case["lines"].as_object().unwrap() {
                let lines: Vec<_> = lines.as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
                server.write(database, &lines.join("\n"));
            }
            for (kind, items) in case["library"].as_object().unwrap() {
                for item in items.as_array().unwrap() {
                    let answer = server.json("POST", &format!("/api/v1/library/{kind}"), item);
                    assert_eq!(answer.head.status, 201, "{name}: {item}: {}", answer.text);
                }
            }
            let answer = send_step(&mut server, &case["request"], &BTreeMap::new());
            if is_as(&answer, &case["expect"], &BTreeMap::new()) {
                passed += 1;
            } else {
                wrong.push(format!("{name} (flushing: {flushing}): {} {}\n", answer.head.status, answer.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.concat());
    assert_eq!(passed, 2 * 93);
}

#[test]
fn the_corpus_of_the_library() {
    let corpus: Value = serde_json::from_str(SEQUENCES).unwrap();
    let (mut wrong, mut passed) = (Vec::new(), 0);
    for sequence in corpus["sequences"].as_array().unwrap() {
        let mut server = Server::new("2017-06-07T12:29:08Z", false);
        for series in sequence["store"].as_array().unwrap() {
            let text = |key: &str| series[key].as_str().unwrap();
            let (measurement, field) = text("metric").split_once('.').unwrap();
            for point in series["points"].as_array().unwrap() {
                let (time, value) = (point[0].as_i64().unwrap() * 1_000_000_000, &point[1]);
                server.write(text("origin"), &format!("{measurement},host={} {field}={value} {time}", text("source")));
            }
        }
        let mut names = BTreeMap::new();
        for (at, step) in sequence["steps"].as_array().unwrap().iter().enumerate() {
            let answer = send_step(&mut server, step, &names);
            if let Some(name) = step["save_location_id_as"].as_str() {
                let id = answer.header("Location").unwrap().rsplit('/').next().unwrap().to_owned();
                names.insert(name.to_owned(), id);
            }
            if is_as(&answer, &step["expect"], &names) {
                passed += 1;
            } else {
                let (name, path) = (&sequence["name"], &step["path"]);
                wrong.push(format!(
                    "{name} {at} {path}: {} {:?} {}\n",
                    answer.head.status, answer.head.headers, answer.text
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.concat());
    assert_eq!(passed, 160);
}

#[test]
fn routes_answer_like_facette() {
    let mut server = Server::new("2017-06-07T12:29:08Z", false);
    let answer = server.points(&json!({ "graph": {} }));
    assert_eq!((answer.head.status, answer.header("Content-Type")), (200, Some("application/json")));
    assert_eq!(answer.header("Cache-Control"), Some("no-cache, no-store, must-revalidate"));
    let expected = "{\"start\":\"2017-06-07T11:29:08Z\",\"end\":\"2017-06-07T12:29:08Z\",\"series\":[],\
                    \"options\":{\"title\":\"\"}}\n";
    assert_eq!(answer.text, expected);

    let options = server.send("OPTIONS", PATH, "", &[], "");
    assert_eq!((options.head.status, options.header("Allow")), (204, Some("OPTIONS, POST")));
    let wrong = server.send("GET", PATH, "", &[], "");
    assert_eq!((wrong.head.status, wrong.header("Allow"), wrong.text.as_str()), (405, Some("OPTIONS, POST"), ""));
    let slash = server.send("POST", "/api/v1/series/points/", "a=b", &[], "{}");
    assert_eq!((slash.head.status, slash.header("Location")), (308, Some("/api/v1/series/points?a=b")));
    assert_eq!(slash.text, "");
}

#[test]
fn a_body_the_host_could_not_take_is_refused_in_facettes_shape() {
    let mut server = Server::new("2017-06-07T12:29:08Z", false);
    let request = ApiRequest {
        method: "POST".to_owned(),
        path: PATH.to_owned(),
        query: String::new(),
        headers: Vec::new(),
        body: Bytes::new(),
        now: server.now,
        request_id: String::new(),
        entropy: [0; 32],
    };
    let mut refused = route::refuse_body(request, server.store.snapshot(), &server.config, 413, "too large".to_owned());
    let Turn::Head(head) = refused.turn(Budget::SLICE) else { panic!("a head first") };
    assert_eq!(head.status, 413);
    let Turn::Chunk(body) = refused.turn(Budget::SLICE) else { panic!("then a body") };
    assert_eq!(&*body, b"{\"message\":\"too large\"}\n");
}

#[track_caller]
fn refused(server: &mut Server, body: &str, expected: (u16, &str)) {
    let answer = server.send("POST", PATH, "", &[("content-type", "application/json; charset=utf-8")], body);
    let message = answer.json()["message"].as_str().map(str::to_owned);
    assert_eq!((answer.head.status, message.as_deref()), (expected.0, Some(expected.1)), "{body}");
}

#[test]
fn checks_come_in_facettes_order() {
    let mut server = Server::new("2017-06-07T12:29:08Z", false);
    let parameter = (400, "invalid request parameter");
    for body in [
        "",
        "null",
        "[]",
        "{} x",
        "{\"graph\": {}} {}",
        r#"{"graph": []}"#,
        r#"{"graph": {}, "sample": 10.0}"#,
        r#"{"graph": {}, "sample": "10"}"#,
        r#"{"graph": {}, "sample": 100001}"#,
        r#"{"graph": {}, "normalize": 1}"#,
        r#"{"graph": {}, "attributes": []}"#,
        r#"{"graph": {}, "start_time": "2017-06-07"}"#,
        r#"{"graph": {"groups": {}}}"#,
        r#"{"graph": {"groups": [{"operator": 1.0}]}}"#,
        r#"{"graph": {"groups": [{"operator": 9223372036854775808}]}}"#,
        r#"{"graph": {"groups": [{"series": [null]}]}}"#,
        r#"{"graph": {"groups": [{"series": [{"metric": 1}]}]}}"#,
        r#"{"graph": {"groups": [{"series": [{"options": "x"}]}]}}"#,
        r#"{"graph": {"created": "yesterday"}}"#,
        r#"{"graph": {"template": "yes"}}"#,
        r#"{"graph": {"description": 1}}"#,
        r#"{"id": "nope", "sample": -1}"#,
        r#"{"id": "nope", "time": ""}"#,
        r#"{"graph": null}"#,
        r#"{"graph": {}, "range": "-1w"}"#,
        r#"{"graph": {"options": {"range": "x"}}}"#,
        r#"{"graph": {}, "range": "-9999y"}"#,
    ] {
        refused(&mut server, body, parameter);
    }
    refused(&mut server, r#"{"id": "nope", "range": "zz"}"#, (404, "item not found"));
    refused(&mut server, r#"{"graph": {"link": "x", "options": {"title": "{{"}}}"#, (400, "unknown reference"));
    let template = r#"{"graph": {"options": {"title": "{{"}}, "end_time": "2017-06-07T12:29:08Z"}"#;
    refused(&mut server, template, (400, "invalid template data"));
    let range = (400, "invalid time range");
    refused(&mut server, r#"{"graph": {}, "end_time": "2017-06-07T12:29:08Z", "range": "zz"}"#, range);
    let answer = server.send("POST", PATH, "", &[], "{}");
    assert_eq!((answer.head.status, answer.json()), (415, json!({ "message": "invalid content type" })));

    for body in [
        json!({ "graph": { "groups": null, "options": { "range": "" }, "template": null }, "sample": null, "id": "" }),
        json!({ "graph": {}, "start_time": "0001-01-01T00:00:00Z", "end_time": null, "unknown": 1 }),
    ] {
        assert_eq!(server.points(&body).head.status, 200, "{body}");
    }
}

fn series(source: &str, metric: &str) -> Value {
    json!({ "name": metric, "origin": "d", "source": source, "metric": metric })
}

#[test]
fn names_are_those_of_measurements_tags_and_fields() {
    for flushing in [false, true] {
        let mut server = Server::new("1970-01-01T01:00:00Z", flushing);
        let lines = "cpu,cpu=cpu0,host=web1 idle=1,user=10i,up=true,os=\"x\" 1\ncpu,cpu=cpu1,host=web1 idle=2 1\n\
                     cpu,cpu=cpu0 idle=3 1\ncpu idle=4 1\ncpu,host=- late=5 1\n\
                     a.b,host=h x.y=6 1\na.b,host=h,z=1.5 v=7 1\n\
                     m,host=h,t=n v=8 1\nm.n,host=h v=9 1\nm.n,host=h w=10 1\nm,host=other,t=n w=11 1";
        server.write("d", lines);
        for (source, metric, expected) in [
            ("web1", "cpu.cpu0.idle", Some(1)),
            ("web1", "cpu.cpu0.user", Some(10)),
            ("web1", "cpu.cpu0.up", None),
            ("web1", "cpu.cpu0.os", None),
            ("web1", "cpu.cpu1.idle", Some(2)),
            ("web1", "cpu.cpu1.user", None),
            ("web1", "cpu.idle", None),
            ("-", "cpu.cpu0.idle", Some(3)),
            ("-", "cpu.idle", Some(4)),
            ("-", "cpu.late", Some(5)),
            ("h", "a.b.x.y", Some(6)),
            ("h", "a.b.1.5.v", Some(7)),
            ("h", "a.b.1.5", None),
            // Of two the smaller key, unless only the greater has the field.
            ("h", "m.n.v", Some(8)),
            ("h", "m.n.w", Some(10)),
            ("h", "m", None),
            ("h", "m.", None),
            ("", "m.n.v", None),
        ] {
            let body = json!({ "graph": { "groups": [{ "series": [series(source, metric)] }] } });
            let found = &server.points(&body).json()["series"][0]["points"];
            assert_eq!(*found, expected.map_or(Value::Null, |value| json!([[0, value]])), "{source} {metric}");
        }
    }
}

/// What a mapping does not look at does not tell series apart; what it looks at does, whatever dots make of it.
#[test]
fn series_that_differ_in_tags_left_out_are_one() {
    for flushing in [false, true] {
        let mut server = Server::new("1970-01-01T00:01:00Z", flushing);
        let mapping = r#"{"source":["column:host"],"metric":["name","column:core"]}"#;
        let mapping = Mapping::from_json(mapping).unwrap();
        server.config = Arc::new(ApiConfig { facette: mapping, ..ApiConfig::default() });
        server.write(
            "d",
            "cpu,host=a,rack=r2 v=20 10000000000\ncpu,host=a,rack=r1 v=1 10000000000\ncpu,host=a,rack=r1 v=2 20000000000\n\
             cpu,host=a v=3 30000000000\ncpu,host=a,rack=r3 w=4 40000000000\ncpu,host=b,rack=r1 v=5 10000000000\n\
             m,core=n,host=a,rack=r1 v=6 10000000000\nm.n,host=a,rack=r1 v=7 20000000000",
        );
        let mut ask = |source: &str, metric: &str, more: Value| {
            let mut body = json!({ "graph": { "groups": [{ "series": [series(source, metric)] }] }, "range": "-60s" });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            server.points(&body).json()["series"][0]["points"].clone()
        };
        // By time and, of one time, by series key.
        assert_eq!(ask("a", "cpu.v", json!({})), json!([[10, 1], [10, 20], [20, 2], [30, 3]]));
        assert_eq!(ask("a", "cpu.w", json!({})), json!([[40, 4]]));
        assert_eq!(ask("b", "cpu.v", json!({})), json!([[10, 5]]));
        // Two series, one name: the smaller key alone.
        assert_eq!(ask("a", "m.n.v", json!({})), json!([[10, 6]]));
        // It has four points, so four buckets of 15 s are made of it.
        let bucketed = ask("a", "cpu.v", json!({ "normalize": true }));
        assert_eq!(bucketed, json!([[0, 10.5], [15, 2], [30, 3]]));
        let found = server.get("/api/v1/catalog/metrics?source=a").json();
        assert_eq!(found, json!(["cpu.v", "cpu.w", "m.n.v"]));
    }
}

#[test]
fn a_group_of_an_unknown_operator_counts_but_is_not_shown() {
    let mut server = Server::new("1970-01-01T00:01:00Z", false);
    server.write("d", "m,host=a v=1 5000000000\nm,host=b v=2 15000000000\nm,host=b v=3 35000000000");
    let ask = |operator: i64| {
        let groups = json!([
            { "operator": operator, "name": "b", "series": [series("b", "m.v")] },
            { "series": [series("a", "m.v")] },
        ]);
        json!({ "graph": { "groups": groups }, "range": "-60s", "sample": 6, "normalize": true })
    };
    let both = server.points(&ask(2)).json();
    assert_eq!(both["series"][0]["points"], json!([[0, 2], [30, 3]]));
    let one = server.points(&ask(7)).json();
    // Two buckets are as many as the unseen series has points, and it has one in each.
    assert_eq!(one["series"].as_array().unwrap().len(), 1);
    assert_eq!(one["series"][0]["points"], json!([[0, 1], [30, null]]));
}

#[test]
fn gaps_are_filled_as_wide_as_the_group_allows() {
    let mut server = Server::new("1970-01-01T00:01:00Z", false);
    server.write(
        "d",
        "m,host=a v=1 1000000000\nm,host=a v=4 31000000000\nm,host=a v=5 41000000000\nm,host=b v=1 1\n\
                       m,host=b v=1 11000000000\nm,host=b v=1 21000000000\nm,host=b v=1 31000000000\n\
                       m,host=b v=1 41000000000\nm,host=b v=1 51000000000",
    );
    let mut ask = |options: Value| {
        let groups =
            json!([{ "options": options, "series": [series("a", "m.v")] }, { "series": [series("b", "m.v")] }]);
        let body = json!({ "graph": { "groups": groups }, "range": "-60s", "normalize": true });
        let answer = server.points(&body).json();
        answer["series"][0]["points"].as_array().unwrap().iter().map(|point| point[1].clone()).collect::<Value>()
    };
    assert_eq!(ask(json!({})), json!([1, null, null, 4, 5, null]));
    assert_eq!(ask(json!({ "fill": "29s" })), json!([1, null, null, 4, 5, null]));
    assert_eq!(ask(json!({ "fill": "31s" })), json!([1, 2, 3, 4, 5, null]));
    assert_eq!(ask(json!({ "fill": "1m", "zero_nulls": true })), json!([1, 2, 3, 4, 5, 0]));
    for none in [json!(60), json!("-1m"), json!("1mo"), json!("x"), json!(true)] {
        assert_eq!(ask(json!({ "fill": none })), json!([1, null, null, 4, 5, null]));
    }
}

#[test]
fn numbers_of_a_request_are_the_nearest_doubles() {
    let mut server = Server::new("1970-01-01T00:01:00Z", false);
    let body = r#"{"graph":{"options":{"n":[51.24817837550540,5.5155e-08,123456789.123456789,1e23,8.41e21]}}}"#;
    let answer = server.send("POST", PATH, "", &[("content-type", "application/json")], body);
    assert!(
        answer.text.contains(r#""n":[51.2481783755054,5.5155e-8,123456789.12345679,1e+23,8.41e+21]"#),
        "{}",
        answer.text
    );
}

#[test]
fn an_empty_window_and_buckets_without_length_hold_nothing() {
    let mut server = Server::new("1970-01-01T00:01:00Z", false);
    server.write("d", "m,host=a v=1 1\nm,host=a v=2 2\nm,host=a v=3 3");
    let ask = |end: &str| {
        json!({
            "graph": { "groups": [{ "operator": 2, "options": { "zero_nulls": true }, "series": [series("a", "m.v")] }] },
            "start_time": "1970-01-01T00:00:00Z", "end_time": end, "sample": 2,
        })
    };
    let points = |answer: Value| answer["series"][0]["points"].clone();
    assert_eq!(points(server.points(&ask("1970-01-01T00:00:00Z")).json()), json!([[0, 0], [0, 0]]));
    assert_eq!(points(server.points(&ask("1970-01-01T00:00:00.000000001Z")).json()), json!([[0, 0], [0, 0]]));
    assert_eq!(points(server.points(&ask("1970-01-01T00:00:00.000000004Z")).json()), json!([[0, 1], [0, 2.5]]));
}

#[test]
fn a_graph_has_limits() {
    let mut server = Server::new("1970-01-01T01:00:00Z", true);
    server.write("d", "m,host=a v=1 1\nm,host=a v=2 2\nm,host=a v=3 3\nm,host=b v=3 3");
    let limits = Limits { max_sample: 10, max_total_samples: 24, max_graph_series: 3, ..Limits::default() };
    server.config = Arc::new(ApiConfig { limits: limits.clone(), ..ApiConfig::default() });
    let graph = |sources: &[&str], sample: u64, percentiles: usize| {
        let series: Vec<_> = sources.iter().map(|source| series(source, "m.v")).collect();
        let percentiles: Vec<_> = (0..percentiles).collect();
        let graph = json!({ "groups": [{ "series": series }], "options": { "percentiles": percentiles } });
        json!({ "graph": graph, "sample": sample, "normalize": sample > 1 }).to_string()
    };
    refused(&mut server, &graph(&["a"; 4], 2, 0), (400, "graph-series limit exceeded: (4/3)"));
    refused(&mut server, &graph(&["a"; 3], 9, 0), (400, "graph-points limit exceeded: (27/24)"));
    refused(&mut server, &graph(&["a"; 3], 2, 7), (400, "graph-points limit exceeded: (27/24)"));
    let with = |max_sample, max_total_samples| {
        let limits = Limits { max_sample, max_total_samples, ..limits.clone() };
        Arc::new(ApiConfig { limits, ..ApiConfig::default() })
    };
    server.config = with(2, 24);
    refused(&mut server, &graph(&["b", "a"], 1, 0), (400, "series-points limit exceeded: (3/2)"));
    server.config = with(10, 3);
    refused(&mut server, &graph(&["b", "a"], 1, 0), (400, "graph-points limit exceeded: (4/3)"));
}

#[test]
fn long_answers_leave_in_chunks_and_options_as_they_came() {
    let mut server = Server::new("1970-01-01T01:00:00Z", true);
    let lines: Vec<_> = (0..10_000).map(|row| format!("m,host=a v={row} {row}00000000")).collect();
    server.write("d", &lines.join("\n"));
    let options = json!({ "z": [1.5, -2, 1e300, 18446744073709551615_u64, null, true, "<&>"], "a": { "b": {} } });
    let mut series = series("a", "m.v");
    series["options"] = options.clone();
    let answer = server.points(&json!({ "graph": { "groups": [{ "series": [series] }], "options": options } }));
    let json = answer.json();
    let points = json["series"][0]["points"].as_array().unwrap();
    assert_eq!((points.len(), &points[9_999]), (10_000, &json!([999, 9999])));
    assert_eq!(json["series"][0]["options"], options);
    assert_eq!(json["options"]["a"], options["a"]);
    assert_eq!(json["series"][0]["summary"], json!({ "min": 0, "max": 9999, "avg": 4999.5, "last": 9999 }));
}
