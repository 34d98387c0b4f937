//! The dialect end to end, in process: requests in, bytes out, over a store whose files are a map.

mod clauses;

use super::super::exchange::{ApiConfig, ApiRequest, Exchange, Head, Turn};
use super::super::route;
use crate::exec::Budget;
use crate::store::{Action, Event, Store, StoreConfig, WriteError, WriteId, Written};
use crate::time::Timestamp;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// 2023-03-01T12:00:00Z
const NOW: Timestamp = Timestamp::from_nanos(1_677_672_000_000_000_000);

struct Server {
    store: Store,
    files: BTreeMap<String, Vec<u8>>,
    config: Arc<ApiConfig>,
    /// Every write goes on to block files at once.
    flushing: bool,
}

struct Answer {
    head: Head,
    chunks: Vec<Bytes>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8(self.chunks.concat()).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Server {
    fn new(flushing: bool) -> Self {
        let store = Store::new(StoreConfig::default());
        let mut server = Self { store, files: BTreeMap::new(), config: Arc::default(), flushing };
        server.act(None);
        server
    }

    /// With a database `d` and some points.
    fn with_points(flushing: bool) -> Self {
        let mut server = Self::new(flushing);
        server.post("/query", "q=CREATE DATABASE d", "");
        // Two writes, so that there are two files when flushing.
        let halves = [
            "m,k=a f=1,i=1i,s=\"x\",t=true 1000000000\nm,k=b f=2.5 61000000000\n# comment\nm,k=a f=4,i=7i 121000000000",
            "m,k=b f=-2,s=\"y\",t=false 181000000000\nm f=8 241000000000\nn,z=1 v=1 5",
        ];
        for half in halves {
            assert_eq!(server.post("/write", "db=d", half).head.status, 204);
        }
        server
    }

    fn get(&mut self, path: &str, query: &str) -> Answer {
        self.send("GET", path, query, &[], "")
    }

    fn post(&mut self, path: &str, query: &str, body: &str) -> Answer {
        self.send("POST", path, query, &[], body)
    }

    /// The answer to a statement, without what is the same in every answer.
    fn ask(&mut self, statement: &str) -> String {
        let encoded: String = statement.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let answer = self.get("/query", &format!("db=d&epoch=s&q={encoded}"));
        let text = answer.text();
        let result = text.strip_prefix("{\"results\":[{\"statement_id\":0").and_then(|text| text.strip_suffix("}]}\n"));
        match result {
            Some(result) => result.strip_prefix(',').unwrap_or(result).to_owned(),
            None => text,
        }
    }

    fn send(&mut self, method: &str, path: &str, query: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let request = ApiRequest {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.replace(' ', "+"),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            now: NOW,
            request_id: "id-1".to_owned(),
            entropy: [0; 32],
        };
        let mut exchange = route::open(request, self.store.snapshot(), &self.config);
        let mut head: Option<Head> = None;
        let mut chunks = Vec::new();
        loop {
            match exchange.turn(Budget::rows(1000)) {
                Turn::Head(first) => assert_eq!(head.replace(first), None, "one head"),
                Turn::Chunk(bytes) => {
                    assert!(head.is_some(), "the head comes before the first chunk");
                    chunks.push(bytes);
                }
                Turn::Read(ranges) => {
                    let bytes = ranges.iter().map(|range| {
                        let (from, len) = (range.offset as usize, range.len as usize);
                        Bytes::copy_from_slice(&self.files[range.file.as_str()][from..from + len])
                    });
                    exchange.supply(Ok(bytes.collect()));
                }
                Turn::Write { database, policy, batch } => {
                    let write = self.store.write(NOW, &database, policy.as_deref(), *batch);
                    self.settle(write, &mut *exchange);
                }
                Turn::Ask(errands) => panic!("nothing outside is needed for this: {errands:?}"),
                Turn::Command(command) => {
                    let write = self.store.command(NOW, command);
                    self.settle(write, &mut *exchange);
                }
                Turn::Yield => {}
                Turn::Done(_) => return Answer { head: head.expect("a head came"), chunks },
            }
        }
    }

    fn settle(&mut self, write: WriteId, exchange: &mut dyn Exchange) {
        let outcome = self.act(Some(write)).expect("every write is acknowledged");
        if self.flushing {
            self.store.shutdown(NOW);
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
            self.store.handle(NOW, event);
        }
        found
    }
}

/// Each statement's answer, from memory and from block files alike.
#[track_caller]
fn check(cases: &[(&str, &str)]) {
    for flushing in [false, true] {
        let mut server = Server::with_points(flushing);
        for (statement, expected) in cases {
            assert_eq!(server.ask(statement), *expected, "{statement} (flushing: {flushing})");
        }
    }
}

fn series(columns: &str, values: &str) -> String {
    format!("\"series\":[{{\"name\":\"m\",\"columns\":[{columns}],\"values\":[{values}]}}]")
}

#[test]
fn show_keeps_to_a_range_of_time() {
    let values = |rows: &str| series("\"key\",\"value\"", rows);
    check(&[
        ("SHOW TAG VALUES FROM m WITH KEY = k", &values("[\"k\",\"a\"],[\"k\",\"b\"]")),
        ("SHOW TAG VALUES FROM m WITH KEY = k WHERE time < 60s", &values("[\"k\",\"a\"]")),
        ("SHOW TAG VALUES FROM m WITH KEY = k WHERE time > 130s AND time < 200s", &values("[\"k\",\"b\"]")),
        ("SHOW TAG VALUES FROM m WITH KEY = k WHERE time > 200s", ""),
        ("SHOW SERIES FROM m WHERE time > 200s", "\"series\":[{\"columns\":[\"key\"],\"values\":[[\"m\"]]}]"),
    ]);
}

#[test]
fn single_fields_go_and_names_change() {
    for flushing in [false, true] {
        let mut server = Server::with_points(flushing);
        let change = |server: &mut Server, statement: &str| {
            let text = server.post("/query", &format!("db=d&q={statement}"), "").text();
            text.trim_end().replace("{\"results\":[{\"statement_id\":0", "").replace("}]}", "")
        };
        let values = |columns: &str, values: &str| series(columns, values);
        assert_eq!(change(&mut server, "DELETE FIELD f FROM m WHERE k = 'a' AND time > 2s"), "");
        assert_eq!(
            server.ask("SELECT f, i FROM m"),
            values("\"time\",\"f\",\"i\"", "[1,1,1],[61,2.5,null],[121,null,7],[181,-2,null],[241,8,null]")
        );
        assert_eq!(server.ask("SELECT count(f), count(i) FROM m"), values("\"time\",\"count\",\"count_1\"", "[0,4,2]"));
        assert_eq!(change(&mut server, "DROP FIELD s, t, nothing FROM m WHERE k =~ /./"), "");
        let keys = "\"series\":[{\"name\":\"m\",\"columns\":[\"fieldKey\",\"fieldType\"],\"values\":[[\"f\",\"float\"],[\"i\",\"integer\"]]}]";
        assert_eq!(server.ask("SHOW FIELD KEYS FROM m"), keys);
        assert_eq!(change(&mut server, "rename field f to \"g h\" from m"), "");
        assert_eq!(change(&mut server, "RENAME TAG k TO host FROM m"), "");
        assert_eq!(change(&mut server, "RENAME MEASUREMENT m TO p"), "");
        assert_eq!(server.ask("SELECT * FROM m"), "");
        assert_eq!(
            server.ask("SELECT mean(\"g h\") FROM p WHERE host = 'b'").replace("\"p\"", "\"m\""),
            values("\"time\",\"mean\"", "[0,0.25]")
        );
        assert!(server.ask("SHOW SERIES FROM p").contains("[[\"p\"],[\"p,host=a\"],[\"p,host=b\"]]"));
        for (statement, error) in [
            ("RENAME MEASUREMENT p TO n", "measurement n already exists"),
            ("RENAME MEASUREMENT m TO q", "measurement m not found"),
            ("RENAME FIELD f TO i FROM p", "field f not found"),
            ("RENAME FIELD \"g h\" TO i FROM p", "field i already exists"),
            ("RENAME TAG host TO time FROM p", "tag key time already exists"),
            ("RENAME TAG host TO \"\" FROM p", "invalid name"),
            ("DROP FIELD i FROM p WHERE time > 0", "DROP FIELD doesn't support time in WHERE clause"),
        ] {
            assert_eq!(change(&mut server, statement), format!(",\"error\":\"{error}\""), "{statement}");
        }
        // The old names are free, also for another type.
        assert_eq!(server.post("/write", "db=d", "m,k=a f=\"text\" 1000000000").head.status, 204);
        assert_eq!(server.ask("SELECT f FROM m"), values("\"time\",\"f\"", "[1,\"text\"]"));
    }
}

#[test]
fn continuous_queries_and_subscriptions_are_kept_and_go_with_their_database() {
    let mut server = Server::with_points(false);
    let create = "CREATE CONTINUOUS QUERY q ON d BEGIN SELECT mean(f) INTO s FROM m GROUP BY time(1m) END";
    assert_eq!(
        server.ask("CREATE SUBSCRIPTION s ON d.autogen DESTINATIONS ANY 'udp://h:1', 'http://h:2'"),
        DEPRECATED_SUB
    );
    assert!(!server.ask(create).contains("error") && !server.ask(create).contains("error"));
    let other = create.replace("mean", "max");
    assert_eq!(server.ask(&other), "\"error\":\"continuous query already exists\"");
    assert_eq!(
        server.ask("SHOW CONTINUOUS QUERIES"),
        "\"series\":[{\"name\":\"d\",\"columns\":[\"name\",\"query\"],\"values\":[[\"q\",\"CREATE CONTINUOUS QUERY q ON d BEGIN \
         SELECT mean(f) INTO d.autogen.s FROM d.autogen.m GROUP BY time(1m) END\"]]}]"
    );
    assert_eq!(
        server.ask("SHOW SUBSCRIPTIONS"),
        "\"series\":[{\"name\":\"d\",\"columns\":[\"retention_policy\",\"name\",\"mode\",\"destinations\"],\"values\":\
         [[\"autogen\",\"s\",\"ANY\",[\"udp://h:1\",\"http://h:2\"]]]}]"
    );
    server.ask("DROP DATABASE d");
    server.ask("CREATE DATABASE d");
    assert_eq!(server.ask("SHOW SUBSCRIPTIONS"), "");
    assert!(!server.ask("SHOW CONTINUOUS QUERIES").contains("values"));
}

/// What creating one by GET says.
const DEPRECATED_SUB: &str = "\"messages\":[{\"level\":\"warning\",\"text\":\"deprecated use of 'CREATE SUBSCRIPTION s ON \
    d.autogen DESTINATIONS ANY 'udp://h:1', 'http://h:2'' in a read only context, please use a POST request instead\"}]";

#[test]
fn plain_routes_answer_like_influxdb() {
    let mut server = Server::new(false);
    let ping = server.send("HEAD", "/ping", "", &[("origin", "http://a"), ("request-id", "mine")], "");
    assert_eq!((ping.head.status, ping.header("X-Influxdb-Build")), (204, Some("OSS")));
    assert_eq!(ping.header("X-Influxdb-Version"), Some("1.8.10-isopoint"));
    assert_eq!((ping.header("X-Request-Id"), ping.header("Request-Id")), (Some("mine"), Some("mine")));
    assert_eq!(ping.header("Access-Control-Allow-Origin"), Some("http://a"));
    assert_eq!(server.get("/ping", "verbose=1").text(), "{\"version\":\"1.8.10-isopoint\"}");
    assert_eq!(server.get("/health", "").head.status, 200);
    let lost = server.get("/query/", "");
    assert_eq!((lost.head.status, lost.text().as_str()), (404, "404 page not found\n"));
    assert_eq!(lost.header("Request-Id"), None);
    let wrong = server.send("DELETE", "/query", "", &[], "");
    assert_eq!((wrong.head.status, wrong.header("Allow")), (405, Some("GET, POST, OPTIONS")));
    assert_eq!(server.send("OPTIONS", "/write", "", &[], "").header("Content-Type"), None);
}

#[test]
fn a_write_says_what_it_stored() {
    let mut server = Server::with_points(false);
    let mut check = |query: &str, body: &str, status: u16, expected: &str| {
        let answer = server.post("/write", query, body);
        let error = answer.text();
        let error = error.strip_prefix("{\"error\":\"").and_then(|error| error.strip_suffix("\"}\n"));
        assert_eq!((answer.head.status, error.unwrap_or_default()), (status, expected), "{query} {body}");
        let header = answer.header("X-Influxdb-Error").map(|header| header.replace('"', "\\\""));
        assert_eq!(header.is_some(), status != 204);
        assert_eq!(header.unwrap_or_default(), expected.replace("\\n", " "));
    };
    check("db=d", "", 204, "");
    check("db=d&consistency=ONE&precision=ms", "p v=1 1", 204, "");
    check("", "p v=1", 400, "database is required");
    check("db=d&precision=us", "p v=1", 400, "invalid precision \\\"us\\\" (use n, u, ms, s, m or h)");
    check("db=d&consistency=some", "p v=1", 400, "invalid consistency level");
    check("db=no", "p v=1", 404, "database not found: \\\"no\\\"");
    check("db=d&rp=no", "p v=1", 500, "retention policy not found: no");
    check("db=d&rp=no", "p", 400, "unable to parse 'p': missing fields");
    check(
        "db=d",
        "p v=2 2\nq\nr",
        400,
        "partial write: unable to parse 'q': missing fields\\nunable to parse 'r': missing fields dropped=0",
    );
    let conflict = "partial write: field type conflict: input field \\\"f\\\" on measurement \\\"m\\\" is type integer, \
                    already exists as type float dropped=1";
    check("db=d", "m f=3i 9\nm f=3 9\nq", 400, conflict);
    let answer = server.post("/api/v2/write", "bucket=d/&precision=us", "p v=3 3");
    assert_eq!(answer.head.status, 204);
    assert_eq!(server.post("/api/v2/write", "org=o", "p v=3 3").head.status, 404);
    assert_eq!(server.ask("SELECT count(v) FROM p"), series("\"time\",\"count\"", "[0,3]").replace("\"m\"", "\"p\""));
}

#[test]
fn points_come_back_in_every_format() {
    let mut server = Server::with_points(false);
    let q = "db=d&q=SELECT f,s FROM m GROUP BY k LIMIT 1";
    let json = server.get("/query", q).text();
    let expected = "{\"results\":[{\"statement_id\":0,\"series\":[\
        {\"name\":\"m\",\"tags\":{\"k\":\"\"},\"columns\":[\"time\",\"f\",\"s\"],\"values\":[[\"1970-01-01T00:04:01Z\",8,null]]},\
        {\"name\":\"m\",\"tags\":{\"k\":\"a\"},\"columns\":[\"time\",\"f\",\"s\"],\"values\":[[\"1970-01-01T00:00:01Z\",1,\"x\"]]},\
        {\"name\":\"m\",\"tags\":{\"k\":\"b\"},\"columns\":[\"time\",\"f\",\"s\"],\"values\":[[\"1970-01-01T00:01:01Z\",2.5,null]]}]}]}\n";
    assert_eq!(json, expected);
    let csv = server.send("GET", "/query", q, &[("accept", "text/*")], "");
    assert_eq!(csv.header("Content-Type"), Some("text/csv"));
    assert_eq!(csv.text(), "name,tags,time,f,s\nm,,241000000000,8,\nm,k=a,1000000000,1,x\nm,k=b,61000000000,2.5,\n");
    let packed =
        server.send("GET", "/query", "db=d&q=SELECT f FROM m LIMIT 1", &[("accept", "application/x-msgpack")], "");
    let mut expected =
        b"\x81\xa7results\xdd\0\0\0\x01\x82\xacstatement_id\0\xa6series\xdd\0\0\0\x01\x83\xa4name\xa1m".to_vec();
    expected.extend(b"\xa7columns\x92\xa4time\xa1f\xa6values\xdd\0\0\0\x01\x92\xc7\x0c\x05\0\0\0\0\0\0\0\x01\0\0\0\0");
    expected.extend(b"\xcb\x3f\xf0\0\0\0\0\0\0");
    assert_eq!(packed.chunks.concat(), expected);
    let pretty = server.get("/query", "pretty=true&q=;").text();
    assert_eq!(pretty, "{}\n");
    let pretty = server.get("/query", "pretty=true&q=SELECT").text();
    assert_eq!(
        pretty,
        "{\n    \"error\": \"error parsing query: found EOF, expected identifier, string, number, bool at line 1, char 8\"\n}\n"
    );
}

#[test]
fn parameters_come_from_the_body_first() {
    let mut server = Server::with_points(false);
    let form = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
    let body = "q=SELECT+f+FROM+m+LIMIT+1&epoch=ms";
    let answer = server.send("POST", "/query", "db=d&q=SHOW DATABASES&epoch=h", &form, body);
    assert!(answer.text().contains("[[1000,1]]"), "{}", answer.text());
    let plain = server.send("POST", "/query", "db=d", &[("content-type", "text/plain")], body);
    assert_eq!(
        (plain.head.status, plain.text().as_str()),
        (400, "{\"error\":\"missing required parameter \\\"q\\\"\"}\n")
    );
    let bound = server.get("/query", "db=d&epoch=s&q=SELECT f FROM m WHERE f > $x&params={\"x\":3.5}");
    assert!(bound.text().contains("[[121,4],[241,8]]"), "{}", bound.text());
    let silent = server.post("/query", "q=CREATE DATABASE later&async=true", "");
    assert_eq!((silent.head.status, silent.text().as_str()), (204, ""));
    assert!(server.ask("SHOW DATABASES").contains("later"));
}

#[test]
fn statements_run_in_order_until_one_fails() {
    let mut server = Server::with_points(false);
    let mut check = |q: &str, expected: &str| {
        assert_eq!(server.get("/query", &format!("db=d&epoch=s&{q}")).text(), expected, "{q}");
    };
    let one = "\"series\":[{\"name\":\"m\",\"columns\":[\"time\",\"f\"],\"values\":[[1,1]]}]";
    check(
        "q=SELECT f FROM m LIMIT 1; SHOW TAG KEYS ON no; SELECT f FROM m",
        &format!("{{\"results\":[{{\"statement_id\":0,{one}}},{{\"statement_id\":1,\"error\":\"not executed\"}}]}}\n"),
    );
    check("q=SHOW TAG KEYS ON no", "{\"results\":[{\"statement_id\":0,\"error\":\"database not found: no\"}]}\n");
    check(
        "chunked=true&q=SHOW TAG KEYS ON no;SHOW DATABASES",
        "{\"results\":[{\"statement_id\":0,\"error\":\"database not found: no\"}]}\n{\"results\":[{\"statement_id\":0,\"error\":\"not executed\"}]}\n",
    );
    check(
        "q=SELECT FROM m",
        "{\"error\":\"error parsing query: found FROM, expected identifier, string, number, bool at line 1, char 8\"}\n",
    );
    check(
        "q=CREATE DATABASE e;SHOW MEASUREMENTS ON e",
        "{\"results\":[{\"statement_id\":0,\"messages\":[{\"level\":\"warning\",\"text\":\"deprecated use of 'CREATE DATABASE e' in a read only context, please use a POST request instead\"}]},{\"statement_id\":1}]}\n",
    );
}

#[test]
fn chunks_end_where_series_end_or_the_size_is_reached() {
    let mut server = Server::with_points(true);
    let chunked = server.get("/query", "db=d&epoch=s&chunked=true&chunk_size=2&q=SELECT f FROM m").text();
    let document = |values: &str, partial: &str, last: &str| {
        format!(
            "{{\"results\":[{{\"statement_id\":0,\"series\":[{{\"name\":\"m\",\"columns\":[\"time\",\"f\"],\"values\":[{values}]{partial}}}]{last}}}]}}\n"
        )
    };
    let partial = ",\"partial\":true";
    let expected = [
        document("[1,1],[61,2.5]", partial, partial),
        document("[121,4],[181,-2]", partial, partial),
        document("[241,8]", "", ""),
    ];
    assert_eq!(chunked, expected.concat());
    let whole = server.get("/query", "db=d&epoch=s&chunked=true&chunk_size=5&q=SELECT f FROM m").text();
    assert_eq!(whole.lines().count(), 1, "no chunk follows a full last one");
    let keys = server.get("/query", "db=d&chunked=true&q=SHOW TAG KEYS").text();
    assert_eq!((keys.lines().count(), keys.contains("partial")), (2, false));
}

#[test]
fn a_row_limit_cuts_and_says_so() {
    let mut server = Server::with_points(false);
    let mut config = ApiConfig::default();
    config.limits.max_row_limit = 3;
    server.config = Arc::new(config);
    assert_eq!(
        server.ask("SELECT f FROM m"),
        "\"series\":[{\"name\":\"m\",\"columns\":[\"time\",\"f\"],\"values\":[[1,1],[61,2.5],[121,4]],\"partial\":true}]"
    );
    assert!(!server.ask("SELECT f FROM m LIMIT 3").contains("partial"));
    let two = server.get("/query", "db=d&q=SELECT f FROM m LIMIT 3;SELECT f FROM m").text();
    assert!(!two.contains("\"statement_id\":1"), "{two}");
}

#[test]
fn long_answers_leave_in_pieces() {
    let mut server = Server::with_points(true);
    let lines: String = (0..30_000).map(|at| format!("long v={at} {at}\n")).collect();
    assert_eq!(server.post("/write", "db=d&precision=s", &lines).head.status, 204);
    let answer = server.get("/query", "db=d&q=SELECT v FROM long");
    assert!(!answer.head.complete && answer.chunks.len() > 12, "{} chunks", answer.chunks.len());
    assert!(answer.chunks.iter().all(|chunk| chunk.len() < 65 << 10));
    assert!(answer.text().ends_with("[\"1970-01-01T08:19:59Z\",29999]]}]}]}\n"));
    let packed = [("accept", "application/x-msgpack")];
    let query = "db=d&chunked=true&chunk_size=5000&q=SELECT v FROM long";
    let answer = server.send("GET", "/query", query, &packed, "");
    let (bytes, start) = (answer.chunks.concat(), b"\x81\xa7results");
    assert!(answer.chunks.len() > 1 && bytes.windows(start.len()).filter(|bytes| bytes == start).count() == 6);
}

#[test]
fn raw_points_are_selected() {
    let f = |values| series("\"time\",\"f\"", values);
    check(&[
        ("SELECT f FROM m", &f("[1,1],[61,2.5],[121,4],[181,-2],[241,8]")),
        ("SELECT f FROM m ORDER BY time DESC LIMIT 2 OFFSET 1", &f("[181,-2],[121,4]")),
        ("SELECT f FROM m OFFSET 2", &f("[121,4]")),
        ("SELECT * FROM m LIMIT 1", &series("\"time\",\"f\",\"i\",\"k\",\"s\",\"t\"", "[1,1,1,\"a\",\"x\",true]")),
        ("SELECT *::tag, i FROM m", &series("\"time\",\"k\",\"i\"", "[1,\"a\",1],[121,\"a\",7]")),
        ("SELECT k FROM m", ""),
        ("SELECT f, nope FROM m LIMIT 1", &series("\"time\",\"f\",\"nope\"", "[1,1,null]")),
        (
            "SELECT f::integer AS n, f, f FROM m WHERE f = 2.5",
            &series("\"time\",\"n\",\"f\",\"f_1\"", "[61,2,2.5,2.5]"),
        ),
        (
            "SELECT i / 2, i % 2, -f, 10 - f AS x FROM m WHERE i > 1",
            &series("\"time\",\"i\",\"i_1\",\"f\",\"x\"", "[121,3.5,1,-4,6]"),
        ),
        ("SELECT f FROM m WHERE k = '' OR k =~ /a/ AND i = 7", &f("[121,4],[241,8]")),
        ("SELECT f FROM m WHERE k != 'a' AND time > 61s", &f("[181,-2],[241,8]")),
        ("SELECT f FROM m WHERE t = false", &f("[181,-2]")),
        ("SELECT f FROM m WHERE t != false", &f("[1,1]")),
        ("SELECT f FROM m WHERE s != 'x'", &f("[181,-2]")),
        ("SELECT f FROM m WHERE k = \"a\"", ""),
        ("SELECT f FROM m WHERE i / 2 = 3", &f("[121,4]")),
        ("SELECT f FROM m WHERE time < '1970-01-01 00:01:00' OR time > '1970-01-01T00:01:00Z'", ""),
        ("SELECT f FROM m WHERE time >= now() - 12h AND f < 0", ""),
        ("SELECT f FROM m WHERE false", ""),
        ("SELECT f FROM m, m WHERE i = 7", &f("[121,4],[121,4]")),
        ("SELECT f FROM d.autogen./^m/ WHERE i = 7", &f("[121,4]")),
    ]);
}

#[test]
fn rows_of_one_time_come_as_a_heap_gives_them() {
    for flushing in [false, true] {
        let mut server = Server::with_points(flushing);
        let lines: String = [60, 120]
            .into_iter()
            .flat_map(|time| [("a", 1), ("b", 2), ("c", 3)].map(|(h, v)| format!("t,h={h} v={v} {time}\n")))
            .collect();
        assert_eq!(server.post("/write", "db=d&precision=s", &lines).head.status, 204);
        let mut check = |q: &str, expected: &str| {
            let answer = server.ask(q);
            assert!(answer.contains(&format!("\"values\":[{expected}]")), "{q}: {answer}");
        };
        // Three series do not take turns.
        check("SELECT v FROM t", "[60,1],[60,3],[60,2],[120,3],[120,2],[120,1]");
        check("SELECT v FROM t ORDER BY time DESC", "[120,3],[120,1],[120,2],[60,1],[60,2],[60,3]");
        // Texts that come first by name order them.
        check("SELECT h, v FROM t", "[60,\"a\",1],[60,\"b\",2],[60,\"c\",3],[120,\"a\",1],[120,\"b\",2],[120,\"c\",3]");
        // Two points are looked at, of which the greater one counts.
        check("SELECT first(v) FROM t", "[60,3]");
        check("SELECT first(v), h FROM t", "[60,2,\"b\"]");
        check("SELECT last(v), h FROM t", "[120,3,\"c\"]");
        // Of series that a tag puts together, the first one's point counts among equal ones.
        let lines = "u,h=a v=4,i=3 60\nu,h=b v=21,i=5 60\nu,h=b,z=1 v=21,i=1 60\n";
        assert_eq!(server.post("/write", "db=d&precision=s", lines).head.status, 204);
        let mut check = |q: &str, expected: &str| {
            let answer = server.ask(q);
            assert!(answer.contains(&format!("\"values\":[{expected}]")), "{q}: {answer}");
        };
        check("SELECT v, i FROM u", "[60,4,3],[60,21,1],[60,21,5]");
        check("SELECT top(v, h, 1), i FROM u", "[60,21,\"b\",5]");
        check("SELECT top(v, 1), i FROM u", "[60,21,1]");
        // The points of a selector are told a series at a time.
        check("SELECT v FROM (SELECT last(v) AS v FROM t WHERE time < 100s GROUP BY h)", "[60,1],[60,2],[60,3]");
    }
}

#[test]
fn pages_count_the_rows_of_each_call() {
    let range = "WHERE time >= 0s AND time < 300s GROUP BY time(1m) fill(none)";
    check(&[
        (
            &format!("SELECT count(f), count(i) FROM m {range} LIMIT 2"),
            &series("\"time\",\"count\",\"count_1\"", "[0,1,1],[60,1,null],[120,null,1]"),
        ),
        (
            &format!("SELECT count(f), count(i) FROM m {range} OFFSET 1"),
            &series("\"time\",\"count\",\"count_1\"", "[60,1,null],[120,1,1],[180,1,null],[240,1,null]"),
        ),
        (
            "SELECT max(f), s FROM m WHERE time >= 0s AND time < 180s GROUP BY time(1m) fill(7)",
            &series("\"time\",\"max\",\"s\"", "[0,1,\"x\"],[60,2.5,7],[120,4,7]"),
        ),
        (
            "SELECT stddev(f), sum(i) FROM m WHERE time >= 0s AND time < 120s GROUP BY time(1m) fill(7)",
            &series("\"time\",\"stddev\",\"sum\"", "[0,null,1],[60,null,7]"),
        ),
        ("SELECT count(x) FROM (SELECT sqrt(f) AS x FROM m)", &series("\"time\",\"count\"", "[0,5]")),
        ("SELECT x FROM (SELECT f AS x FROM m) WHERE abs(x) > 0", ""),
    ]);
}

#[test]
fn fill_looks_before_the_range_on_request() {
    let ask = |fill: &str| {
        format!("SELECT last(f) FROM m WHERE time >= 270s AND time < 330s GROUP BY time(30s) fill({fill})")
    };
    let last = |values: &str| series("\"time\",\"last\"", values);
    check(&[
        (&ask("previous"), ""),
        (&ask("previous, 1m"), &last("[270,8],[300,8]")),
        (&ask("previous, 20s"), ""),
        (&format!("{} LIMIT 1", ask("previous, 1m")), &last("[270,8]")),
        (
            "SELECT median(f) FROM m WHERE time >= 190s AND time < 260s GROUP BY time(30s) fill(previous, 10s)",
            &series("\"time\",\"median\"", "[180,-2],[210,-2],[240,8]"),
        ),
    ]);
}

#[test]
fn aggregates_report_influxdbs_times() {
    let range = "WHERE time >= 61s AND time < 241s";
    let one = |name: &str, values: &str| series(&format!("\"time\",\"{name}\""), values);
    check(&[
        ("SELECT mean(f) FROM m", &one("mean", "[0,2.7]")),
        ("SELECT max(f) FROM m", &one("max", "[241,8]")),
        ("SELECT max(f) * 2, k, i FROM m WHERE k != ''", &series("\"time\",\"max\",\"k\",\"i\"", "[121,8,\"a\",7]")),
        ("SELECT max(f), min(f) FROM m WHERE time > 1s", &series("\"time\",\"max\",\"min\"", "[1,8,-2]")),
        (
            "SELECT count(*) FROM m WHERE k = 'a'",
            &series("\"time\",\"count_f\",\"count_i\",\"count_s\",\"count_t\"", "[0,2,2,1,1]"),
        ),
        (&format!("SELECT count(f) FROM m {range} GROUP BY time(1m, 1s)"), &one("count", "[61,1],[121,1],[181,1]")),
        (
            &format!("SELECT sum(i) FROM m {range} GROUP BY time(1m) fill(0)"),
            &one("sum", "[60,0],[120,7],[180,0],[240,0]"),
        ),
        (
            &format!("SELECT mean(f) FROM m {range} GROUP BY time(30s) fill(linear) LIMIT 3"),
            &one("mean", "[60,2.5],[90,3.25],[120,4]"),
        ),
        (
            &format!("SELECT last(f) FROM m {range} GROUP BY time(1m) fill(none) ORDER BY time DESC"),
            &one("last", "[180,-2],[120,4],[60,2.5]"),
        ),
        (
            &format!("SELECT mean(f), mean(nope) FROM m {range} fill(9)"),
            &series("\"time\",\"mean\",\"mean_1\"", "[61,1.5,9]"),
        ),
        (&format!("SELECT count(i) FROM m {range} AND k = 'b' GROUP BY time(1m)"), ""),
        (
            &format!("SELECT count(f), count(i) FROM m {range} AND k = 'b' GROUP BY time(2m)"),
            &series("\"time\",\"count\",\"count_1\"", "[0,1,null],[120,1,null],[240,0,null]"),
        ),
    ]);
}

#[test]
fn what_influxdb_refuses_is_refused_in_its_words() {
    let error = |text: &str| format!("\"error\":\"{text}\"");
    check(&[
        ("SELECT f, mean(f) FROM m", &error("mixing aggregate and non-aggregate queries is not supported")),
        (
            "SELECT max(f), min(f), i FROM m",
            &error("mixing multiple selector functions with tags or fields is not supported"),
        ),
        ("SELECT f FROM m GROUP BY time(1m)", &error("GROUP BY requires at least one aggregate function")),
        ("SELECT f FROM m GROUP BY hour(1m)", &error("only time() calls allowed in dimensions")),
        ("SELECT mean() FROM m", &error("invalid number of arguments for mean, expected 1, got 0")),
        ("SELECT average(f) FROM m", &error("undefined function average()")),
        ("SELECT sum(s) FROM m", &error("unsupported sum iterator type: *query.stringInterruptIterator")),
        (
            "SELECT f * 2 + s FROM m",
            &error("type error: f::float * 2 + s::string: incompatible types: float and string"),
        ),
        ("SELECT 1 + 2 FROM m", &error("field must contain at least one variable")),
        ("SELECT time FROM m", &error("at least 1 non-time field must be queried")),
        ("SELECT f FROM m WHERE f", &error("invalid condition expression: f")),
        ("SELECT f FROM m WHERE mean(f) > 1", &error("invalid function call in condition: mean(f)")),
        ("SELECT f FROM m WHERE time != 5", &error("invalid time comparison operator: !=")),
        (
            "SELECT f FROM m WHERE time > 'x'",
            &error("invalid operation: time and *influxql.StringLiteral are not compatible"),
        ),
        ("SELECT f FROM m WHERE time > '2023-02-30'", &error("invalid timestamp string")),
        ("SELECT f FROM m WHERE time > '9999-12-01'", &error("time 9999-12-01T00:00:00Z overflows time literal")),
        ("SELECT f FROM no..m", &error("database not found: no")),
        ("SELECT f FROM no.m", &error("retention policy not found: no")),
        ("SELECT f FROM _series", &error("unable to use system source '_series': use SHOW SERIES instead")),
        ("SELECT derivative(top(f, 2)) FROM m", &error("derivative aggregate requires a GROUP BY interval")),
        (
            "SELECT top(f, 2), f, max(f) FROM m",
            &error("selector function top() cannot be combined with other functions"),
        ),
        (
            "SELECT f FROM (SELECT mean(f), f FROM m)",
            &error("mixing aggregate and non-aggregate queries is not supported"),
        ),
        ("KILL QUERY 99", &error("no such query id: 99")),
    ]);
}

#[test]
fn the_catalog_and_the_index_are_shown() {
    let none = |columns: &str, values: &str| format!("\"series\":[{{\"columns\":[{columns}],\"values\":[{values}]}}]");
    check(&[
        (
            "SHOW MEASUREMENTS WITH MEASUREMENT =~ /n/",
            "\"series\":[{\"name\":\"measurements\",\"columns\":[\"name\"],\"values\":[[\"n\"]]}]",
        ),
        ("SHOW MEASUREMENTS WHERE k != 'a'", ""),
        ("SHOW SERIES WHERE k = 'b' OR z = '1'", &none("\"key\"", "[\"m,k=b\"],[\"n,z=1\"]")),
        ("SHOW TAG KEYS FROM m", &series("\"tagKey\"", "[\"k\"]")),
        ("SHOW TAG VALUES WITH KEY IN (k) WHERE k != 'b'", &series("\"key\",\"value\"", "[\"k\",\"a\"]")),
        (
            "SHOW FIELD KEYS FROM m LIMIT 2 OFFSET 1",
            &series("\"fieldKey\",\"fieldType\"", "[\"i\",\"integer\"],[\"s\",\"string\"]"),
        ),
        ("SHOW SERIES CARDINALITY", &none("\"cardinality estimation\"", "[4]")),
        ("SHOW TAG VALUES EXACT CARDINALITY WITH KEY = k", &series("\"count\"", "[2]")),
        ("SHOW TAG KEYS WHERE f > 5", "\"error\":\"invalid tag comparison operator\""),
    ]);
    let mut server = Server::new(false);
    assert_eq!(server.ask("SHOW DATABASES"), "\"series\":[{\"name\":\"databases\",\"columns\":[\"name\"]}]");
    server.post("/query", "q=CREATE DATABASE d WITH DURATION 3d SHARD DURATION 2h NAME three", "");
    let columns = "\"name\",\"duration\",\"shardGroupDuration\",\"replicaN\",\"default\"";
    assert_eq!(server.ask("SHOW RETENTION POLICIES"), none(columns, "[\"three\",\"72h0m0s\",\"2h0m0s\",1,true]"));
    server.post("/query", "q=DROP DATABASE d", "");
    assert_eq!(server.ask("SHOW RETENTION POLICIES"), "\"error\":\"database not found: d\"");
}
