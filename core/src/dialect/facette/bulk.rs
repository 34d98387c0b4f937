//! `POST /bulk`: many requests in one, answered one after another. Answers go out as they come:
//!
//! ```text
//! [{"status":200,"headers":{"Content-Type":["application/json"]},"data":…}, …]
//! ```

use super::SURFACE;
use super::error::{self, Error};
use super::graph::{Members, Object};
use super::query::body_value;
use super::template::write_value;
use crate::dialect::exchange::{ApiRequest, Exchange, Head, Turn};
use crate::dialect::json::JsonWriter;
use crate::dialect::route::{Call, Refusal};
use crate::exec::{Budget, QueryStats};
use crate::store::{Snapshot, WriteError, Written};
use bytes::Bytes;
use serde_json::Value;

pub(super) const PATH: &str = "/api/v1/bulk";
const PREFIX: &str = "/api/v1/";

/// A request of the body.
#[derive(Debug)]
struct Entry {
    path: String,
    method: String,
    /// Encoded as a form.
    query: String,
    body: Bytes,
}

impl Entry {
    fn read(entry: Value) -> Result<Self, Error> {
        let Value::Object(entry) = entry else { return Err(Error::Parameter) };
        let mut members = Members(entry);
        // A body may be `null`, which is one.
        let body = members.0.swap_remove("data").map(|data| error::text(&data)).unwrap_or_default();
        let mut read = || {
            let (path, method) = (members.string("endpoint")?, members.string("method")?);
            Ok((path, method, members.object("params")?.unwrap_or_default()))
        };
        let (path, method, parameters) = read().map_err(|super::graph::Mistyped| Error::Parameter)?;
        let (path, own) = path.split_once('?').unwrap_or((&path, ""));
        Ok(Self {
            path: [PREFIX, path.trim_start_matches('/')].concat(),
            method: if method.is_empty() { "GET".to_owned() } else { method },
            query: query(own, &parameters),
            body: body.into(),
        })
    }
}

/// Parameters as a form; a value as Go prints it.
fn query(own: &str, parameters: &Object) -> String {
    let mut query = own.to_owned();
    for (name, value) in parameters {
        let mut text = String::new();
        write_value(value, &mut text);
        for (before, part) in [("&", name), ("=", &text)] {
            query.push_str(if query.is_empty() { "" } else { before });
            percent_encode(part, &mut query);
        }
    }
    query
}

fn percent_encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.push(char::from_digit(digit.into(), 16).expect("four bits are a digit"));
            }
        }
    }
}

pub(super) fn bulk(call: Call) -> Box<dyn Exchange> {
    match Bulk::new(call) {
        Ok(bulk) => Box::new(bulk),
        Err(error) => error::reply(&error),
    }
}

struct Bulk {
    call: Call,
    entries: std::vec::IntoIter<Entry>,
    /// Requests begun.
    number: u64,
    running: Option<Box<dyn Exchange>>,
    /// It is asked for its head alone.
    head_only: bool,
    /// The one that runs has sent a part of its body.
    has_body: bool,
    stats: QueryStats,
    next: Next,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Head,
    Opening,
    Entry,
    Nothing,
}

impl Bulk {
    fn new(call: Call) -> Result<Self, Error> {
        let body = body_value(&call.request, &call.config.limits, Error::Parameter)?;
        let Value::Array(entries) = body else { return Err(Error::Parameter) };
        let entries: Vec<Entry> = entries.into_iter().map(Entry::read).collect::<Result<_, _>>()?;
        Ok(Self {
            call,
            entries: entries.into_iter(),
            number: 0,
            running: None,
            head_only: false,
            has_body: false,
            stats: QueryStats::default(),
            next: Next::Head,
        })
    }

    fn open(&mut self, entry: Entry) -> Box<dyn Exchange> {
        self.number += 1;
        self.head_only = entry.method == "HEAD";
        let own = &self.call.request;
        let mut entropy = own.entropy;
        // Each request has random bytes of its own.
        let mixed = xxhash_rust::xxh3::xxh3_128_with_seed(&entropy, self.number).to_le_bytes();
        entropy.iter_mut().zip(mixed.iter().cycle()).for_each(|(byte, mixed)| *byte ^= mixed);
        let mut headers = own.headers.clone();
        headers.retain(|(name, _)| name != "content-type");
        if matches!(entry.method.as_str(), "PATCH" | "POST" | "PUT") {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        let request = ApiRequest {
            method: entry.method,
            path: entry.path,
            query: entry.query,
            headers,
            body: entry.body,
            now: own.now,
            request_id: own.request_id.clone(),
            entropy,
        };
        let Call { snapshot, config, principal, .. } = &self.call;
        let (snapshot, config, principal) = (snapshot.clone(), config.clone(), principal.clone());
        let call = Call { request, snapshot, config, principal };
        // Requests in bulk do not nest.
        let Some(pattern) = SURFACE.pattern(&call.request.path).filter(|pattern| *pattern != PATH) else {
            return error::refuse(&call, Refusal::UnknownPath);
        };
        match SURFACE.route(pattern, &call.request.method) {
            Ok(route) => (route.open)(call),
            Err(methods) => error::refuse(&call, Refusal::WrongMethod(methods)),
        }
    }

    /// What stands before the body of an answer.
    fn entry_head(&self, head: Head) -> Bytes {
        let mut json = JsonWriter::new(false);
        json.begin_object();
        json.key("status");
        json.raw(&head.status.to_string());
        json.key("headers");
        json.begin_object();
        let mut headers = head.headers;
        crate::order::sort_few(&mut headers);
        for (name, value) in headers {
            json.key(&name);
            json.begin_array();
            json.string(&value);
            json.end_array();
        }
        json.end_object();
        json.key("data");
        let mut bytes = if self.number > 1 { vec![b','] } else { Vec::new() };
        bytes.extend(json.take());
        bytes.into()
    }
}

impl Exchange for Bulk {
    fn turn(&mut self, budget: Budget) -> Turn {
        loop {
            if let Some(running) = &mut self.running {
                match running.turn(budget) {
                    Turn::Head(head) => return Turn::Chunk(self.entry_head(head)),
                    Turn::Chunk(_) if self.head_only => continue,
                    Turn::Chunk(bytes) => {
                        self.has_body |= !bytes.is_empty();
                        return Turn::Chunk(bytes);
                    }
                    Turn::Done(stats) => {
                        self.stats.add(&stats);
                        self.running = None;
                        let end: &[u8] = if std::mem::take(&mut self.has_body) { b"}" } else { b"null}" };
                        return Turn::Chunk(Bytes::from_static(end));
                    }
                    turn => return turn,
                }
            }
            match self.next {
                Next::Head => {
                    self.next = Next::Opening;
                    return Turn::Head(Head { status: 200, headers: error::headers(), complete: false });
                }
                Next::Opening => {
                    self.next = Next::Entry;
                    return Turn::Chunk(Bytes::from_static(b"["));
                }
                Next::Entry => match self.entries.next() {
                    Some(entry) => self.running = Some(self.open(entry)),
                    None => {
                        self.next = Next::Nothing;
                        return Turn::Chunk(Bytes::from_static(b"]\n"));
                    }
                },
                Next::Nothing => return Turn::Done(self.stats),
            }
        }
    }

    fn supply(&mut self, bytes: Result<Vec<Bytes>, String>) {
        if let Some(running) = &mut self.running {
            running.supply(bytes);
        }
    }

    fn wrote(&mut self, outcome: Result<Written, WriteError>, snapshot: Snapshot) {
        self.call.snapshot = snapshot.clone();
        if let Some(running) = &mut self.running {
            running.wrote(outcome, snapshot);
        }
    }
}
