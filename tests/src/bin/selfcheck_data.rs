//! Writes what `isopoint selfcheck` replays: the requests of InfluxDB's suites and the answers that InfluxDB gave, flat,
//! one JSON object a line, packed. Members: `suite`, `case` (both absent in a setup), `profile`, `empty` (drop all
//! databases first), `method`, `path`, `query`, `headers`, `body_b64`; of the answer `status`, and `content_type` and
//! `body` where the bytes are to be compared; `known` is a difference that COMPAT.md admits.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use isopoint_tests::case::{Expect, Isolation, Prepare, Profile, Request, corpus, suites};
use isopoint_tests::http::gzip;
use isopoint_tests::json::Value;

fn main() {
    let waiting = std::fs::read_to_string(corpus().join("waiting/http.json")).unwrap_or_else(|_| "{}".to_owned());
    let waiting = Value::parse(&waiting).expect("the list of waiting cases is JSON");
    let waits = |suite: &str, case: &str| {
        let names = waiting.get(suite).and_then(Value::as_list).unwrap_or_default();
        names.iter().any(|name| name.as_text() == Some(case))
    };
    let (mut out, mut cases) = (String::new(), 0);
    for suite in suites().iter().filter(|suite| suite.name.starts_with("influx") && suite.profile != Profile::Auth) {
        let profile = if suite.profile == Profile::Limits { "limits" } else { "default" };
        let mut line = |request: Option<&Request>, more: Vec<(&str, Value)>| {
            let mut object = vec![("profile".to_owned(), text(profile))];
            object.extend(request.map(members).unwrap_or_default());
            object.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
            out += &format!("{}\n", Value::Object(object));
        };
        let prepare = |steps: &[Prepare], line: &mut dyn FnMut(Option<&Request>, Vec<(&str, Value)>)| {
            for step in steps {
                if let Prepare::Send { request, .. } = step {
                    line(Some(request), vec![]);
                }
            }
        };
        line(None, vec![("empty", Value::Bool(true))]);
        prepare(&suite.setup, &mut line);
        for case in suite.cases.iter().filter(|case| case.now.is_none()) {
            match case.isolation {
                Isolation::Shared => {}
                Isolation::Fresh => prepare(&suite.setup, &mut line),
                Isolation::Empty => line(None, vec![("empty", Value::Bool(true))]),
            }
            prepare(&case.setup, &mut line);
            for step in &case.steps {
                let mut more = Vec::new();
                if let Expect::Reference(Some(answer)) = &step.expect {
                    cases += 1;
                    more.extend([("suite", text(&suite.name)), ("case", text(&case.name))]);
                    more.push(("status", Value::number(answer.status)));
                    if step.rules.is_plain() && answer.header("Content-Encoding").is_none() {
                        more.push(("content_type", text(&answer.header("Content-Type").unwrap_or_default())));
                        more.push(("body", text(&answer.text())));
                    }
                    if waits(&suite.name, &case.name) || step.optional {
                        more.push(("known", Value::Bool(true)));
                    }
                }
                line(Some(&step.request), more);
            }
        }
        prepare(&suite.teardown, &mut line);
    }
    let file = corpus().join("../../native-server/selfcheck.jsonl.gz");
    std::fs::write(&file, gzip(out.as_bytes())).expect("the repository can be written");
    println!("{cases} answers of InfluxDB, {} bytes", out.len());
}

fn members(request: &Request) -> Vec<(String, Value)> {
    let (headers, body) = request.unpacked();
    let pair = |(name, value): (String, String)| Value::List(vec![Value::Text(name), Value::Text(value)]);
    vec![
        ("method".to_owned(), text(&request.method)),
        ("path".to_owned(), text(&request.path)),
        ("query".to_owned(), text(&request.query)),
        ("headers".to_owned(), Value::List(headers.into_iter().map(pair).collect())),
        ("body_b64".to_owned(), text(&STANDARD.encode(body))),
    ]
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}
