//! A small store that requests are asked of. Nothing they write is kept, so that every input stands for itself.

use crate::engines::NOW;
use crate::memhost::MemHost;
use bytes::Bytes;
use isopoint_core::dialect::errand::{Errand, HttpReply, Told};
use isopoint_core::dialect::exchange::{ApiConfig, ApiRequest, Turn};
use isopoint_core::dialect::influx::line_protocol::{Precision, parse};
use isopoint_core::dialect::route;
use isopoint_core::exec::Budget;
use isopoint_core::limits::Limits;
use isopoint_core::model::WriteBatch;
use isopoint_core::store::Written;
use isopoint_core::time::Timestamp;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::Arc;

/// What is answered of a request, until somebody who reads slowly loses patience.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// All of the body.
    pub(super) whole: bool,
}

/// A request but for what is always the same.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ask<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) media: &'a str,
    pub(super) accept: &'a str,
    pub(super) body: &'a [u8],
    /// What every other server says.
    pub(super) outside: &'a [u8],
}

struct World {
    host: MemHost,
    config: Arc<ApiConfig>,
}

/// Rows looked at in one turn, turns and bytes of an answer: some statements have answers without end.
const TURN: Budget = Budget::rows(2000);
const TURNS: usize = 500;
const BYTES: usize = 1 << 20;

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

/// Asks a request of the world.
pub(super) fn ask(ask: &Ask<'_>) -> Answer {
    WORLD.with_borrow_mut(|world| world.ask(ask, false))
}

impl World {
    fn new() -> Self {
        let limits = Limits {
            query_memory: 64 << 20,
            query_text: 64 << 10,
            max_sample: 5000,
            max_total_samples: 100_000,
            max_select_buckets: 100_000,
            ..Limits::default()
        };
        let config = ApiConfig { limits, ..ApiConfig::default() };
        let mut world = Self { host: MemHost::default(), config: Arc::new(config) };
        world.host.now = Timestamp::from_nanos(NOW);
        let secs = NOW / 1_000_000_000;
        for database in ["d", "datadog"] {
            world.host.create_database(database);
            let mut lines = String::new();
            for at in 0..200 {
                let time = secs - 10 * at;
                let host = at % 3;
                writeln!(lines, "cpu,host=h{host},cpu=c idle={}.5,user={at}i,up=true {time}000000000", at * 7 % 100)
                    .and_then(|()| writeln!(lines, "m v={at},s=\"t{host}\" {time}000000000"))
                    .and_then(|()| writeln!(lines, "system,host=h{host} load={at},value={at} {time}000000000"))
                    .expect("a String takes all");
            }
            let mut batch = WriteBatch::new();
            parse(lines.as_bytes(), Precision::Nanos, world.host.now, &mut batch);
            world.host.submit(database, batch).expect("memory takes all");
            if database == "d" {
                world.host.flush();
            }
        }
        let json = "application/json";
        for (path, body) in [
            (
                "/api/v1/library/graphs",
                r#"{"id":"11b00001-0000-4000-8000-000000000001","name":"t","template":true,"groups":[{"series":[{"name":"{{ .n }}","origin":"d","source":"{{ .host }}","metric":"cpu.c.idle"}]}],"options":{"title":"{{ .n }}"}}"#,
            ),
            (
                "/api/v1/library/graphs",
                r#"{"id":"11b00002-0000-4000-8000-000000000002","name":"i","alias":"i","link":"11b00001-0000-4000-8000-000000000001","attributes":{"host":"h1","n":1}}"#,
            ),
            (
                "/api/v1/library/sourcegroups",
                r#"{"id":"11b00003-0000-4000-8000-000000000003","name":"g","patterns":["glob:h*"]}"#,
            ),
            (
                "/api/datasources",
                r#"{"name":"here","uid":"here","type":"influxdb","access":"proxy","url":"local://","database":"d"}"#,
            ),
            (
                "/api/datasources",
                r#"{"name":"influx","uid":"influx","type":"influxdb","access":"proxy","url":"http://a.test","database":"d"}"#,
            ),
            (
                "/api/datasources",
                r#"{"name":"prometheus","uid":"prometheus","type":"prometheus","access":"proxy","url":"http://a.test"}"#,
            ),
            (
                "/api/datasources",
                r#"{"name":"graphite","uid":"graphite","type":"graphite","access":"proxy","url":"http://a.test"}"#,
            ),
            (
                "/api/datasources",
                r#"{"name":"testdata","uid":"testdata","type":"grafana-testdata-datasource","access":"proxy"}"#,
            ),
        ] {
            let ask = Ask { method: "POST", path, media: json, body: body.as_bytes(), ..Ask::default() };
            let answer = world.ask(&ask, true);
            assert!((200..300).contains(&answer.status), "{path} {body}: {}", String::from_utf8_lossy(&answer.body));
        }
        world
    }

    fn ask(&mut self, ask: &Ask<'_>, keep: bool) -> Answer {
        let headers = [
            ("content-type", ask.media),
            ("accept", ask.accept),
            ("dd-api-key", "k"),
            ("dd-application-key", "k"),
            ("host", "localhost"),
        ];
        let there = headers.into_iter().filter(|(_, value)| !value.is_empty());
        let mut entropy = [7; 32];
        entropy[..8].copy_from_slice(&(self.host.files.len() as u64).to_le_bytes());
        let request = ApiRequest {
            method: ask.method.to_owned(),
            path: ask.path.to_owned(),
            query: ask.query.to_owned(),
            headers: there.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body: Bytes::copy_from_slice(ask.body),
            now: self.host.now,
            request_id: String::new(),
            entropy,
        };
        let mut exchange = route::open(request, self.host.snapshot(), &self.config);
        let mut answer = Answer::default();
        for _ in 0..TURNS {
            match exchange.turn(TURN) {
                Turn::Head(head) => {
                    assert_eq!(answer.status, 0, "one head");
                    answer.status = head.status;
                }
                Turn::Chunk(bytes) => answer.body.extend_from_slice(&bytes),
                Turn::Read(ranges) => exchange.supply(Ok(ranges.iter().map(|range| self.host.read(range)).collect())),
                Turn::Write { database, policy, batch } => {
                    let outcome = if keep {
                        self.host.submit_to(&database, policy.as_deref(), *batch)
                    } else {
                        Ok(Written { points: batch.len() as u64, ..Written::default() })
                    };
                    exchange.wrote(outcome, self.host.snapshot());
                }
                Turn::Command(command) => {
                    let outcome = if keep { self.host.command(command) } else { Ok(Written::default()) };
                    exchange.wrote(outcome, self.host.snapshot());
                }
                Turn::Ask(errands) => {
                    let told = errands.iter().map(|errand| match errand {
                        Errand::Http(_) => Told::Http(HttpReply {
                            status: 200,
                            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
                            body: Bytes::copy_from_slice(ask.outside),
                        }),
                        Errand::Wait { .. } => Told::Waited,
                    });
                    exchange.told(told.map(Ok).collect());
                }
                Turn::Yield => {}
                Turn::Done(_) => {
                    assert!(answer.status > 0, "a head comes before the end");
                    answer.whole = true;
                    break;
                }
            }
            if answer.body.len() > BYTES {
                break;
            }
        }
        answer
    }
}

/// A text as part of a query string.
pub(super) fn encoded(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len() * 3);
    for byte in text {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(*byte));
        } else {
            write!(out, "%{byte:02X}").expect("a String takes all");
        }
    }
    out
}
