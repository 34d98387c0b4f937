//! Grammars and bodies of the APIs, asked as a client asks: parsed, compiled, run and encoded.

use super::world::{Answer, Ask, ask, encoded};
use crate::engines::NOW;
use crate::json::Value;

const JSON: &str = "application/json";

fn post(path: &str, media: &str, body: &[u8]) -> Answer {
    ask(&Ask { method: "POST", path, media, body, ..Ask::default() })
}

fn get(path: &str, query: &str) -> Answer {
    ask(&Ask { method: "GET", path, query, ..Ask::default() })
}

/// The answer has one of these statuses; a body of it that is whole is JSON, one value or several.
#[track_caller]
fn expect(answer: &Answer, allowed: &[u16], input: &[u8]) {
    let text = String::from_utf8_lossy(&answer.body);
    let input = String::from_utf8_lossy(input);
    assert!(allowed.contains(&answer.status) || !answer.whole, "{input:?}: {} {text}", answer.status);
    if answer.whole && !text.trim().is_empty() {
        assert!(Value::parse_all(&text).is_ok(), "{input:?}: {text}");
    }
}

pub(super) fn influxql(data: &[u8]) {
    let answer = get("/query", &format!("db=d&epoch=ns&q={}", encoded(data)));
    expect(&answer, &[200, 400], data);
}

/// The answer to a statement as MessagePack is one value after the other to its end.
pub(super) fn msgpack(data: &[u8]) {
    let query = format!("db=d&q={}", encoded(data));
    let accept = "application/x-msgpack";
    let answer = ask(&Ask { method: "GET", path: "/query", query: &query, accept, ..Ask::default() });
    if answer.whole && answer.status == 200 {
        let mut rest = &answer.body[..];
        while !rest.is_empty() {
            rest = skip_value(rest, 100).expect("an answer is whole values");
        }
    }
}

/// What follows a value of MessagePack.
fn skip_value(bytes: &[u8], depth: u32) -> Option<&[u8]> {
    let (head, rest) = bytes.split_first()?;
    let number = |rest: &[u8], width: usize| {
        let (number, rest) = rest.split_at_checked(width)?;
        Some((number.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte)), rest.len()))
    };
    let fixed = |len: usize| rest.get(len..);
    let text = |width: usize, more: usize| {
        let (len, left) = number(rest, width)?;
        rest[rest.len() - left..].get(len + more..)
    };
    let many = |count: usize, mut rest| {
        for _ in 0..count {
            rest = skip_value(rest, depth.checked_sub(1)?)?;
        }
        Some(rest)
    };
    let many_of = |width: usize, each: usize| {
        let (count, left) = number(rest, width)?;
        many(count * each, &rest[rest.len() - left..])
    };
    match head {
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => Some(rest),
        0x80..=0x8f => many(usize::from(head & 15) * 2, rest),
        0x90..=0x9f => many(usize::from(head & 15), rest),
        0xa0..=0xbf => fixed(usize::from(head & 31)),
        0xc1 => None,
        0xc4 | 0xd9 => text(1, 0),
        0xc5 | 0xda => text(2, 0),
        0xc6 | 0xdb => text(4, 0),
        0xc7 => text(1, 1),
        0xc8 => text(2, 1),
        0xc9 => text(4, 1),
        0xcc | 0xd0 => fixed(1),
        0xcd | 0xd1 | 0xd4 => fixed(2),
        0xd5 => fixed(3),
        0xca | 0xce | 0xd2 => fixed(4),
        0xd6 => fixed(5),
        0xcb | 0xcf | 0xd3 => fixed(8),
        0xd7 => fixed(9),
        0xd8 => fixed(17),
        0xdc => many_of(2, 1),
        0xdd => many_of(4, 1),
        0xde => many_of(2, 2),
        0xdf => many_of(4, 2),
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if u32::from(c) < 32 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

pub(super) fn facette_range(data: &[u8]) {
    let text = quoted(&String::from_utf8_lossy(data));
    for time in ["2016-02-29T23:59:59.9+14:00", "1970-01-01T00:00:00Z", "2262-04-11T23:47:16Z"] {
        let body = format!(r#"{{"graph":{{"options":{{"title":""}}}},"time":"{time}","range":{text}}}"#);
        expect(&post("/api/v1/series/points", JSON, body.as_bytes()), &[200, 400], data);
    }
}

/// In all places that have templates; what is filled in and what names keys agree on what is a template.
pub(super) fn facette_template(data: &[u8]) {
    let text = quoted(&String::from_utf8_lossy(data));
    let graph = format!(
        r#"{{"groups":[{{"series":[{{"name":{text},"origin":"d","source":"h1","metric":{text}}}]}}],"options":{{"title":{text}}},"attributes":{{"a":"A","n":1e21,"l":[1,null],"o":{{"k":true}}}}}}"#
    );
    let answer = post("/api/v1/series/points", JSON, format!(r#"{{"graph":{graph}}}"#).as_bytes());
    expect(&answer, &[200, 400], data);
    let keys = post("/api/v1/library/parse", JSON, format!(r#"{{"data":{text}}}"#).as_bytes());
    // Of other data than texts without escapes the text is its JSON, which is another one.
    if text.len() == data.len() + 2 {
        assert_eq!(keys.status, answer.status, "{text}");
    }
}

/// As a group's pattern, saved and used, and as a filter.
pub(super) fn facette_pattern(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let body = format!(r#"{{"name":"x","patterns":[{}]}}"#, quoted(&text));
    let saved = post("/api/v1/library/sourcegroups", JSON, body.as_bytes());
    expect(&saved, &[201, 400], data);
    let query = format!("filter={}", encoded(text.as_bytes()));
    let found = get("/api/v1/catalog/metrics", &query);
    expect(&found, &[200, 400], data);
    if !text.is_empty() {
        assert_eq!(saved.status == 400, found.status == 400, "{text:?}");
    }
    expect(&get("/api/v1/library/graphs", &query), &[200, 400], data);
}

pub(super) fn facette_points(data: &[u8]) {
    expect(&post("/api/v1/series/points", JSON, data), &[200, 400, 404], data);
}

/// Requests in one, so that every route of the library is reached.
pub(super) fn facette_bulk(data: &[u8]) {
    expect(&post("/api/v1/bulk", JSON, data), &[200, 400], data);
}

pub(super) fn datadog_query(data: &[u8]) {
    let to = NOW / 1_000_000_000;
    let query = format!("from={}&to={to}&query={}", to - 3600, encoded(data));
    expect(&get("/api/v1/query", &query), &[200, 400, 422], data);
}

pub(super) fn datadog_json(data: &[u8]) {
    for path in ["/api/v1/series", "/api/v2/series", "/api/v1/distribution_points"] {
        expect(&post(path, JSON, data), &[200, 202, 400, 413], data);
    }
    for path in ["/api/v2/query/timeseries", "/api/v2/query/scalar"] {
        expect(&post(path, JSON, data), &[200, 400, 422], data);
    }
}

pub(super) fn datadog_protobuf(data: &[u8]) {
    expect(&post("/api/v2/series", "application/x-protobuf", data), &[200, 202, 400, 413], data);
}

pub(super) fn datadog_sketches(data: &[u8]) {
    expect(&post("/api/beta/sketches", "application/x-protobuf", data), &[200, 202, 400, 413], data);
}

pub(super) fn grafana_query(data: &[u8]) {
    let answer = post("/api/ds/query", JSON, data);
    expect(&answer, &[200, 207, 400, 403, 404, 500], data);
}

/// The bytes are what other servers answer: two InfluxDB queries of both result formats, a Prometheus and a Graphite one.
pub(super) fn grafana_answer(data: &[u8]) {
    let queries = r#"{"from":"1600000000000","to":"1600000300000","queries":[
        {"refId":"A","datasource":{"uid":"influx"},"rawQuery":true,"query":"SELECT v FROM m","resultFormat":"time_series"},
        {"refId":"B","datasource":{"uid":"influx"},"rawQuery":true,"query":"SELECT v FROM m","resultFormat":"table"},
        {"refId":"C","datasource":{"uid":"prometheus"},"expr":"up","range":true,"instant":true},
        {"refId":"D","datasource":{"uid":"graphite"},"target":"a.b"}]}"#;
    let (path, body) = ("/api/ds/query", queries.as_bytes());
    let answer = ask(&Ask { method: "POST", path, media: JSON, body, outside: data, ..Ask::default() });
    expect(&answer, &[200, 207, 400, 404, 500, 502], data);
}

/// A request as it stands: a line `METHOD PATH?QUERY MEDIA-TYPE`, then its body.
pub(super) fn request(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let line = String::from_utf8_lossy(&data[..end]);
    let mut words = line.splitn(3, ' ');
    let (method, target, media) =
        (words.next().unwrap_or_default(), words.next().unwrap_or("/"), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let body = data.get(end + 1..).unwrap_or_default();
    let answer = ask(&Ask { method, path, query, media, body, ..Ask::default() });
    assert!(answer.status < 600);
}
