//! The server that data sources of the cases point at: echoes, statuses, and canned answers of InfluxDB and Prometheus.

use crate::json::Value;
use isopoint_core::dialect::form::pairs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A listening server; it ends with the process.
#[derive(Debug)]
pub struct Upstream {
    pub base: String,
    seen: Arc<Mutex<Vec<Value>>>,
}

impl Upstream {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let base = format!("http://{}", listener.local_addr().expect("it is bound"));
        let seen = Arc::<Mutex<Vec<Value>>>::default();
        let log = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                std::thread::spawn(move || serve(stream, &log));
            }
        });
        Self { base, seen }
    }

    /// The last request for a decoded path.
    pub fn last(&self, path: &str) -> Option<Value> {
        let seen = self.seen.lock().expect("no test panics with it");
        seen.iter().rev().find(|request| request.get("path").and_then(Value::as_text) == Some(path)).cloned()
    }
}

type Reply = (u16, &'static str, Vec<(&'static str, &'static str)>, Vec<u8>);

fn serve(stream: TcpStream, log: &Mutex<Vec<Value>>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        log.lock().expect("no test panics with it").push(request.clone());
        let method = request.get("method").and_then(Value::as_text).unwrap_or_default();
        let (status, media, headers, body) = route(&request);
        let mut head = format!("HTTP/1.1 {status} Told\r\nContent-Type: {media}\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        let body = if method == "HEAD" { Vec::new() } else { body };
        if reader.get_mut().write_all(&[head.as_bytes(), &body].concat()).is_err() {
            return;
        }
    }
}

fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

fn decoded(text: &str) -> String {
    // A pair's name is decoded as a form; a plus stays one in a path.
    pairs(text.replace('+', "%2B").as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Value> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut parts = line.split_whitespace();
    let (method, target) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let mut headers: Vec<(String, String)> = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let header = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let mut body = Vec::new();
    if header("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).ok()?;
            body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = header("content-length") {
        body.resize(length.parse().ok()?, 0);
        reader.read_exact(&mut body).ok()?;
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let object = |bytes: &[u8]| {
        let mut members: Vec<(String, Value)> = Vec::new();
        for (name, value) in pairs(bytes) {
            if !members.iter().any(|(known, _)| *known == *name) {
                members.push((name.into_owned(), text(value)));
            }
        }
        Value::Object(members)
    };
    let is_form = header("content-type").is_some_and(|media| media.contains("form-urlencoded"));
    let form = if is_form { object(&body) } else { Value::Object(Vec::new()) };
    Some(Value::Object(vec![
        ("method".into(), text(method)),
        ("path".into(), text(decoded(path))),
        ("rawPath".into(), text(path)),
        ("rawQuery".into(), text(query)),
        ("query".into(), object(query.as_bytes())),
        ("form".into(), form),
        ("headers".into(), Value::Object(headers.iter().map(|(name, value)| (name.clone(), text(value))).collect())),
        ("body".into(), text(String::from_utf8_lossy(&body))),
        ("bodyBytes".into(), Value::number(body.len())),
    ]))
}

const JSON: &str = "application/json";

fn json(status: u16, body: impl Into<String>) -> Reply {
    (status, JSON, Vec::new(), body.into().into_bytes())
}

fn route(request: &Value) -> Reply {
    let path = request.get("path").and_then(Value::as_text).unwrap_or_default();
    let number = |prefix: &str| path.strip_prefix(prefix).and_then(|rest| rest.parse::<u64>().ok());
    if path == "/echo" || path.starts_with("/echo/") {
        return json(200, request.to_string());
    }
    if let Some(status) = number("/status/") {
        return json(status as u16, format!("{{\"upstreamStatus\":{status}}}"));
    }
    if let Some(millis) = number("/slow/") {
        std::thread::sleep(Duration::from_millis(millis));
        return json(200, format!("{{\"slow\":{millis}}}"));
    }
    match path {
        "/setcookie" => {
            (200, JSON, vec![("Set-Cookie", "sid=upstream; Path=/"), ("X-Keep", "kept")], b"{\"ok\":true}".to_vec())
        }
        "/text" => (200, "text/plain; charset=utf-8", vec![], b"plain upstream text\n".to_vec()),
        "/big" => (200, "application/octet-stream", vec![], "0123456789abcdef".repeat(65_536).into_bytes()),
        "/gzip" => (200, JSON, vec![("Content-Encoding", "gzip")], crate::http::gzip(b"{\"zipped\":true}")),
        "/stream" => {
            (200, "text/plain", vec![], (0..5).map(|at| format!("line {at}\n")).collect::<String>().into_bytes())
        }
        "/influx/query" => influx(request),
        "/influxauth/query" => {
            let sent = request.get("headers").and_then(|headers| headers.get("authorization")?.as_text());
            if sent == Some("Basic aW5mbHV4dXNlcjppbmZsdXhwYXNz") {
                influx(request)
            } else {
                json(401, "{\"error\":\"authorization failed\"}")
            }
        }
        _ => match path.strip_prefix("/prom/api/v1/") {
            Some(endpoint) => prometheus(request, endpoint),
            None if path.starts_with("/promerr/api/v1/") => {
                json(400, "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"canned upstream parse error\"}")
            }
            None => json(404, "{\"error\":\"upstream has no such path\"}"),
        },
    }
}

fn argument(request: &Value, name: &str) -> String {
    let of = |part: &str| request.get(part).and_then(|part| part.get(name)?.as_text()).map(str::to_owned);
    of("form").or_else(|| of("query")).unwrap_or_default()
}

fn influx(request: &Value) -> Reply {
    let statement = argument(request, "q").to_lowercase();
    let has = |word: &str| statement.contains(word);
    let series = if statement.starts_with("show measurements") {
        r#"[{"name":"measurements","columns":["name"],"values":[["cpu"],["mem"],["disk"]]}]"#
    } else if statement.starts_with("show retention policies") {
        r#"[{"columns":["name","duration","shardGroupDuration","replicaN","default"],"values":[["autogen","0s","168h0m0s",1,true]]}]"#
    } else if statement.starts_with("show tag values") {
        r#"[{"name":"cpu","columns":["key","value"],"values":[["host","a"],["host","b"]]}]"#
    } else if has("syntaxerror") {
        return json(400, r#"{"error":"error parsing query: found syntaxerror, expected SELECT at line 1, char 1"}"#);
    } else if has("stmterror") {
        return json(200, r#"{"results":[{"statement_id":0,"error":"database not found: nope"}]}"#);
    } else if has("emptyseries") {
        return json(200, r#"{"results":[{"statement_id":0}]}"#);
    } else if has("multitag") {
        r#"[{"name":"multitag","tags":{"host":"a"},"columns":["time","mean"],"values":[[1600000000000,1.5],[1600000010000,null],[1600000020000,3.5]]},
            {"name":"multitag","tags":{"host":"b"},"columns":["time","mean"],"values":[[1600000000000,10],[1600000010000,20],[1600000020000,30]]}]"#
    } else if has("strings") {
        r#"[{"name":"strings","columns":["time","msg","flag"],"values":[[1600000000000,"hello",true],[1600000001000,null,false]]}]"#
    } else if has("twocols") {
        r#"[{"name":"twocols","columns":["time","a","b"],"values":[[1600000000000,1,2],[1600000001000,3,4]]}]"#
    } else {
        r#"[{"name":"cpu","columns":["time","mean"],"values":[[1600000000000,1],[1600000010000,2.5]]}]"#
    };
    json(200, format!("{{\"results\":[{{\"statement_id\":0,\"series\":{series}}}]}}"))
}

fn prometheus(request: &Value, endpoint: &str) -> Reply {
    let expr = argument(request, "query");
    let data = |data: String| json(200, format!("{{\"status\":\"success\",\"data\":{data}}}"));
    let result = |kind: &str, result: &str| data(format!("{{\"resultType\":\"{kind}\",\"result\":{result}}}"));
    match endpoint {
        "query_range" => {
            let number = |name: &str| argument(request, name).trim_end_matches('s').parse::<f64>().unwrap_or(0.0);
            let (mut at, end, step) = (number("start"), number("end"), number("step").max(0.001));
            let mut times = Vec::new();
            while at <= end + 1e-9 && times.len() < 11_000 {
                times.push(at);
                at += step;
            }
            let values = |value: &dyn Fn(usize) -> &'static str, most: usize| {
                let sample = |(at, time): (usize, &f64)| format!("[{time},\"{}\"]", value(at));
                times.iter().enumerate().take(most).map(sample).collect::<Vec<_>>().join(",")
            };
            match expr.as_str() {
                "nodata" => result("matrix", "[]"),
                "specials" => {
                    let values = values(&|at| ["1", "NaN", "+Inf", "-Inf"][at % 4], 4);
                    result("matrix", &format!("[{{\"metric\":{{\"__name__\":\"specials\"}},\"values\":[{values}]}}]"))
                }
                _ => {
                    let one = |job: &str, value: &'static str| {
                        format!(
                            "{{\"metric\":{{\"__name__\":\"up\",\"job\":\"{job}\"}},\"values\":[{}]}}",
                            values(&|_| value, 11_000)
                        )
                    };
                    result("matrix", &format!("[{},{}]", one("a", "1"), one("b", "0")))
                }
            }
        }
        "query" if matches!(expr.replace(' ', "").as_str(), "1+1" | "scalar(2)") => {
            result("scalar", "[1600000000,\"2\"]")
        }
        "query" => result("vector", "[{\"metric\":{\"__name__\":\"up\",\"job\":\"a\"},\"value\":[1600000000,\"1\"]}]"),
        "labels" => data("[\"__name__\",\"job\"]".into()),
        "series" => data("[{\"__name__\":\"up\",\"job\":\"a\"}]".into()),
        "status/buildinfo" => data("{\"version\":\"2.53.0\"}".into()),
        "metadata" => data("{}".into()),
        _ if endpoint.starts_with("label/") => data("[\"a\",\"b\"]".into()),
        _ => json(404, "{\"status\":\"error\",\"errorType\":\"not_found\",\"error\":\"no such endpoint\"}"),
    }
}
