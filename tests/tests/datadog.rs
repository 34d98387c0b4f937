//! Datadog's API beyond what cases fix: the algorithms whose methods are ours, listings, notices, what a page takes over.

use isopoint_tests::answer::Answer;
use isopoint_tests::case::{Profile, Request};
use isopoint_tests::engines::{Core, NOW};
use isopoint_tests::json::Value;
use isopoint_tests::simdisk::Random;
use std::fmt::Write as _;

const BEGIN: i64 = 1_700_006_400;
const HOUR: i64 = 3600;

fn keyed(request: Request) -> Request {
    request.with("DD-API-KEY", "a").with("DD-APPLICATION-KEY", "b")
}

fn send(core: &mut Core, method: &str, path: &str, body: &str) -> Answer {
    let request = Request { method: method.to_owned(), ..keyed(Request::post(path, &[], body)) };
    core.exchange(&request, NOW)
}

fn get(core: &mut Core, path: &str, parameters: &[(&str, &str)]) -> Answer {
    core.exchange(&keyed(Request::get(path, parameters)), NOW)
}

fn json(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    Value::parse(&answer.text()).expect("an answer is JSON")
}

/// Submits a series of one host, a value every `step` seconds.
fn submit(core: &mut Core, metric: &str, host: &str, step: i64, values: impl IntoIterator<Item = f64>) {
    let mut points = String::new();
    for (at, value) in values.into_iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        write!(points, "{comma}[{},{value:?}]", BEGIN + at as i64 * step).unwrap();
    }
    let body = format!(r#"{{"series":[{{"metric":"{metric}","host":"{host}","points":[{points}]}}]}}"#);
    assert_eq!(send(core, "POST", "/api/v1/series", &body).status, 202);
}

fn query(core: &mut Core, (from, to): (i64, i64), query: &str) -> Vec<Value> {
    let (from, to) = (from.to_string(), to.to_string());
    let answer = get(core, "/api/v1/query", &[("from", &from), ("to", &to), ("query", query)]);
    json(&answer).get("series").and_then(Value::as_list).expect("a list").to_vec()
}

fn values(list: &Value) -> Vec<Option<f64>> {
    let value = |item: &Value| match item.as_list() {
        Some([_, value]) => value.as_f64(),
        _ => item.as_f64(),
    };
    list.as_list().unwrap_or_default().iter().map(value).collect()
}

fn points(series: &Value) -> Vec<Option<f64>> {
    values(series.get("pointlist").expect("points"))
}

fn attribute(series: &Value, name: &str) -> Value {
    series.get("attributes").and_then(|all| all.get(name)).cloned().unwrap_or(Value::Null)
}

/// Something that looks like noise and is always the same.
fn noise(at: usize) -> f64 {
    Random(at as u64).below(1000) as f64 / 1000.0
}

#[test]
fn outliers_are_those_unlike_the_rest() {
    let mut core = Core::new(Profile::Default);
    for (number, host) in ["a", "b", "c", "d"].into_iter().enumerate() {
        submit(&mut core, "m", host, 60, (0..60).map(|at| 10.0 + noise(at + 13 * number)));
    }
    submit(&mut core, "m", "far", 60, (0..60).map(|at| 60.0 + noise(at)));
    // Of the same shape on another level: unlike the rest unless levels are brought together.
    submit(&mut core, "n", "a", 60, (0..60).map(|at| 10.0 + noise(at)));
    submit(&mut core, "n", "b", 60, (0..60).map(|at| 10.1 + noise(at + 1)));
    submit(&mut core, "n", "c", 60, (0..60).map(|at| 9.9 + noise(at + 2)));
    submit(&mut core, "n", "double", 60, (0..60).map(|at| 20.0 + 2.0 * noise(at)));
    let mut out = |metric: &str, method: &str| -> Vec<String> {
        let asked = format!("outliers(avg:{metric}{{*}} by {{host}}, '{method}', 3, 50)");
        let series = query(&mut core, (BEGIN, BEGIN + HOUR), &asked);
        assert!(series.iter().all(|one| points(one).len() == 60), "all series are answered");
        let marked = series.iter().filter(|one| attribute(one, "outlier") == Value::Bool(true));
        marked.map(|one| one.get("scope").and_then(Value::as_text).expect("a scope").to_owned()).collect()
    };
    for method in ["MAD", "DBSCAN", "scaledMAD"] {
        // Scaled, the far one is one of many.
        let expected: &[&str] = if method == "scaledMAD" { &[] } else { &["host:far"] };
        assert_eq!(out("m", method), expected, "{method}");
    }
    for method in ["MAD", "DBSCAN"] {
        assert_eq!(out("n", method), ["host:double"], "{method}");
        assert_eq!(out("n", &format!("scaled{method}")), [""; 0], "scaled {method}");
    }
}

#[test]
fn anomalies_lie_outside_a_band() {
    let mut core = Core::new(Profile::Default);
    // Four days of hours, and a spike on the last.
    let (days, spike) = (4, 85);
    let daily = |at: usize| 100.0 + 50.0 * f64::sin(at as f64 * std::f64::consts::TAU / 24.0) + noise(at);
    let value = |at: usize| if at == spike { 400.0 } else { daily(at) };
    submit(&mut core, "m", "a", HOUR, (0..days * 24).map(value));
    let window = (BEGIN + 72 * HOUR, BEGIN + 96 * HOUR);
    for algorithm in ["agile", "robust"] {
        let asked = format!("anomalies(avg:m{{*}}.rollup(avg,3600), '{algorithm}', 6)");
        let series = query(&mut core, window, &asked);
        let (found, lower, upper) =
            (points(&series[0]), values(&attribute(&series[0], "lower")), values(&attribute(&series[0], "upper")));
        assert_eq!((found.len(), lower.len(), upper.len()), (24, 24, 24), "{algorithm}: history leaves no trace");
        let outside: Vec<usize> = (0..24)
            .filter(|at| {
                let (value, low, high) = (found[*at].unwrap(), lower[*at].unwrap(), upper[*at].unwrap());
                value < low || value > high
            })
            .collect();
        assert!(outside.contains(&(spike - 72)), "{algorithm}: {outside:?}");
        assert!(outside.len() <= 3, "{algorithm}: what comes every day is expected: {outside:?}");
    }
    submit(&mut core, "flat", "a", 60, (0..120).map(|at| if at == 100 { 50.0 } else { 10.0 + noise(at) }));
    let series = query(&mut core, (BEGIN + HOUR, BEGIN + 2 * HOUR), "anomalies(avg:flat{*}.rollup(60), 'basic', 3)");
    let (found, upper) = (points(&series[0]), values(&attribute(&series[0], "upper")));
    let above: Vec<usize> = (0..found.len()).filter(|at| found[*at] > upper[*at]).collect();
    assert_eq!(above, [40], "the spike alone");
}

#[test]
fn forecasts_go_on_as_it_was() {
    let mut core = Core::new(Profile::Default);
    submit(&mut core, "line", "a", 60, (0..60).map(|at| 5.0 + 2.0 * f64::from(at)));
    let series = query(&mut core, (BEGIN, BEGIN + HOUR), "forecast(avg:line{*}.rollup(60), 'linear', 2)");
    let (found, lower) = (points(&series[0]), values(&attribute(&series[0], "lower")));
    assert_eq!(found.len(), 120, "as long again as the window");
    for (at, value) in found.iter().enumerate() {
        assert!((value.unwrap() - (5.0 + 2.0 * at as f64)).abs() < 1e-6, "{at}: {value:?}");
        assert_eq!(lower[at].is_some(), at >= 60, "only what is to come has bounds");
    }
    let pattern = |at: usize| [10.0, 20.0, 40.0, 20.0][at / 6 % 4];
    submit(&mut core, "days", "a", HOUR, (0..96).map(pattern));
    let window = (BEGIN + 72 * HOUR, BEGIN + 96 * HOUR);
    let series = query(&mut core, window, "forecast(avg:days{*}.rollup(3600), 'seasonal', 2)");
    let found = points(&series[0]);
    assert_eq!(found.len(), 48);
    for (at, value) in found.iter().enumerate() {
        assert!((value.unwrap() - pattern(72 + at)).abs() < 2.0, "{at}: {value:?}");
    }
}

/// Values of a function over an hour of a value a minute.
fn of_hour(metric: &str, query_text: &str, values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut core = Core::new(Profile::Default);
    submit(&mut core, metric, "a", 60, values.take(60));
    let series = query(&mut core, (BEGIN, BEGIN + HOUR), query_text);
    let points: Vec<f64> = points(&series[0]).into_iter().flatten().collect();
    assert_eq!(points.len(), 60, "{query_text}");
    points
}

#[test]
fn a_robust_trend_passes_over_what_is_off() {
    // A line of slope 1/2, and one minute in ten far above it.
    let values = || (0..60).map(|at| 2.0 + f64::from(at) / 2.0 + if at % 10 == 7 { 80.0 } else { 0.0 });
    let off = |points: &[f64]| {
        let away = |(at, value): (usize, &f64)| (value - 2.0 - at as f64 / 2.0).abs();
        points.iter().enumerate().map(away).fold(0.0, f64::max)
    };
    let robust = of_hour("line", "robust_trend(avg:line{*}.rollup(avg, 60))", values());
    let least_squares = of_hour("line", "trend_line(avg:line{*}.rollup(avg, 60))", values());
    assert!(off(&robust) < 1.0 && off(&least_squares) > 5.0, "{} {}", off(&robust), off(&least_squares));
    let steps: Vec<f64> = robust.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.iter().all(|step| (step - steps[0]).abs() < 1e-9), "it is a line");
}

#[test]
fn a_piecewise_constant_fit_has_as_many_pieces_as_levels() {
    let level = |at: usize| [1.0, 9.0, 4.0][at / 20];
    let values = (0..60).map(|at| level(at) + noise(at) / 4.0);
    let fit = of_hour("steps", "piecewise_constant(avg:steps{*}.rollup(avg, 60))", values);
    for (at, value) in fit.iter().enumerate() {
        assert!((value - level(at)).abs() < 0.5, "{at}: {value}");
    }
    let changes = fit.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert_eq!(changes, 2, "{fit:?}");
}

#[test]
fn smoothing_makes_it_less_rough() {
    let values = || (0..60).map(|at| (at as f64 / 10.0).sin() * 5.0 + noise(at));
    let smooth = of_hour("wave", "autosmooth(avg:wave{*}.rollup(avg, 60))", values());
    let rough = |points: &[f64]| points.windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).sum::<f64>();
    let before: Vec<f64> = values().collect();
    assert!(rough(&smooth) < rough(&before) / 2.0, "{} {}", rough(&smooth), rough(&before));
}

#[test]
fn what_there_is_is_listed() {
    let mut core = Core::new(Profile::Default);
    submit(&mut core, "app.load", "web-1", 60, [1.0, 2.0]);
    submit(&mut core, "app.loud", "web-2", 60, [1.0]);
    let line = Request::post("/write", &[("db", "datadog")], format!("cpu,host=db usage=5 {}", BEGIN * 1_000_000_000));
    assert_eq!(core.exchange(&line, NOW).status, 204);
    let mut text = |path: &str, parameters: &[(&str, &str)]| get(&mut core, path, parameters).text();
    let from = BEGIN.to_string();
    let all = format!(r#"{{"metrics":["app.load","app.loud","cpu.usage"],"from":"{from}"}}"#);
    assert_eq!(text("/api/v1/metrics", &[("from", &from)]), all);
    let of_host = text("/api/v1/metrics", &[("from", &from), ("host", "web-2")]);
    assert!(of_host.starts_with(r#"{"metrics":["app.loud"]"#), "{of_host}");
    let later = (BEGIN + 30 * 86_400).to_string();
    assert!(text("/api/v1/metrics", &[("from", &later)]).starts_with(r#"{"metrics":[]"#));
    let found = text("/api/v1/search", &[("q", "metrics:lo")]);
    assert_eq!(found, r#"{"results":{"metrics":["app.load","app.loud"],"hosts":[]}}"#);
    let found = text("/api/v1/search", &[("q", "hosts:web")]);
    assert_eq!(found, r#"{"results":{"metrics":[],"hosts":["web-1","web-2"]}}"#);
    assert_eq!(text("/api/v1/validate", &[]), r#"{"valid":true}"#);
    let unknown = get(&mut core, "/api/v1/metrics/nothing.here", &[]);
    assert_eq!(unknown.status, 404);
    assert!(unknown.text().contains(r#""errors":["metric_name not found"]"#), "{}", unknown.text());
    let put =
        send(&mut core, "PUT", "/api/v1/metrics/app.load", r#"{"type":"rate","statsd_interval":10,"unit":"byte"}"#);
    assert_eq!(put.text(), get(&mut core, "/api/v1/metrics/app.load", &[]).text());
    assert!(
        put.text().contains(r#""type":"rate""#) && put.text().contains(r#""statsd_interval":10"#),
        "{}",
        put.text()
    );
    assert_eq!(send(&mut core, "PUT", "/api/v1/metrics/nothing.here", "{}").status, 404);
}

#[test]
fn names_come_in_pages_and_filtered() {
    let mut core = Core::new(Profile::Default);
    for (metric, host) in [("a.one", "x"), ("b.two", "y"), ("c.three", "x")] {
        submit(&mut core, metric, host, 60, [1.0]);
    }
    let spread = format!(r#"{{"series":[{{"metric":"d.spread","points":[[{BEGIN},[1,2]]]}}]}}"#);
    assert_eq!(send(&mut core, "POST", "/api/v1/distribution_points", &spread).status, 202);
    let text = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        _ => String::new(),
    };
    let mut names = |parameters: &[(&str, &str)]| -> (String, String) {
        let answer = json(&get(&mut core, "/api/v2/metrics", parameters));
        let name = |item: &Value| text(item.get("id").expect("a name"));
        let names: Vec<String> =
            answer.get("data").and_then(Value::as_list).expect("a list").iter().map(name).collect();
        let next = answer.get("meta").and_then(|meta| meta.get("pagination")?.get("next_cursor").map(text));
        (names.join(" "), next.unwrap_or_default())
    };
    let of = |names: &str, next: &str| (names.to_owned(), next.to_owned());
    assert_eq!(names(&[]), of("a.one b.two c.three d.spread", ""));
    assert_eq!(names(&[("filter[tags]", "host:x")]), of("a.one c.three", ""));
    assert_eq!(names(&[("filter[metric_type]", "distribution")]), of("d.spread", ""));
    assert_eq!(names(&[("filter[configured]", "true")]), of("", ""));
    assert_eq!(names(&[("page[size]", "2")]), of("a.one b.two", "b.two"));
    assert_eq!(names(&[("page[size]", "2"), ("page[cursor]", "b.two")]), of("c.three d.spread", ""));
    let age = (NOW / 1_000_000_000 - BEGIN).to_string();
    assert_eq!(names(&[("window[seconds]", &age)]).0, "a.one b.two c.three d.spread");
    assert_eq!(names(&[("window[seconds]", "1")]).0, "");
    assert_eq!(get(&mut core, "/api/v2/metrics", &[("page[size]", "0")]).status, 400);
}

#[test]
fn keys_stand_in_headers_or_in_the_query_string() {
    let mut core = Core::new(Profile::Default);
    let parameters = |keys: &[(&'static str, &'static str)]| -> Vec<(&'static str, &'static str)> {
        [&[("from", "1"), ("to", "2"), ("query", "avg:m{*}")][..], keys].concat()
    };
    let mut status = |keys: &[(&'static str, &'static str)]| {
        core.exchange(&Request::get("/api/v1/query", &parameters(keys)), NOW).status
    };
    assert_eq!(status(&[("api_key", "a"), ("application_key", "b")]), 200);
    assert_eq!(status(&[("api_key", "a")]), 403);
    assert_eq!(status(&[]), 403);
}

#[test]
fn nothing_is_explained() {
    let mut core = Core::new(Profile::Default);
    submit(&mut core, "app.load", "a", 60, [1.0, 2.0]);
    let mut notice = |query: &str, from: i64| {
        let (from, to) = (from.to_string(), (from + HOUR).to_string());
        let answer = get(&mut core, "/api/v1/query", &[("from", &from), ("to", &to), ("query", query)]);
        assert_eq!(answer.status, 200);
        answer.header("X-Isopoint-Notice").unwrap_or_default()
    };
    assert_eq!(notice("avg:app.laod{*}", BEGIN), "metric unknown: app.laod; near it: app.load");
    assert_eq!(notice("avg:app.load{host:b}", BEGIN), "no source of app.load matches {host:b}");
    assert_eq!(notice("avg:app.load{*}", BEGIN + 86_400), "no points in the window");
    assert!(notice("avg:app.load{*}.rollup(avg, 86400)", BEGIN + 60).starts_with("no bucket of 86400 s begins"));
    assert_eq!(notice("avg:app.load{*}", BEGIN), "");
}

#[test]
fn other_shapes_of_the_same_questions() {
    let mut core = Core::new(Profile::Default);
    submit(&mut core, "m", "a", 60, [1.0, 3.0]);
    submit(&mut core, "m", "b", 60, [5.0, 9.0]);
    let body = |kind: &str, more: &str| {
        format!(
            r#"{{"data":{{"type":"{kind}_request","attributes":{{"from":{}000,"to":{}000,{more}
            "queries":[{{"data_source":"metrics","name":"a","aggregator":"max","query":"avg:m{{*}} by {{host}}.rollup(60)"}},
                       {{"data_source":"metrics","name":"b","aggregator":"sum","query":"sum:m{{*}}.rollup(60)"}}]}}}}}}"#,
            BEGIN,
            BEGIN + HOUR
        )
    };
    let answer = send(
        &mut core,
        "POST",
        "/api/v2/query/timeseries",
        &body("timeseries", r#""formulas":[{"formula":"a / b"}],"#),
    );
    let attributes = json(&answer).get("data").and_then(|data| data.get("attributes")).cloned().unwrap();
    let lists: Vec<Vec<Option<f64>>> =
        attributes.get("values").and_then(Value::as_list).unwrap().iter().map(values).collect();
    assert_eq!(lists, [[Some(1.0 / 6.0), Some(0.25)], [Some(5.0 / 6.0), Some(0.75)]]);
    let answer = send(&mut core, "POST", "/api/v2/query/scalar", &body("scalar", ""));
    let columns = json(&answer).get("data").and_then(|data| data.get("attributes")?.get("columns")).cloned().unwrap();
    let columns: Vec<(String, String)> = columns
        .as_list()
        .unwrap()
        .iter()
        .map(|column| (column.get("name").unwrap().to_string(), column.get("values").unwrap().to_string()))
        .collect();
    let column = |name: &str, values: &str| (format!("{name:?}"), values.to_owned());
    let expected =
        [column("host", r#"[["a"],["b"],[]]"#), column("a", "[3.0,9.0,null]"), column("b", "[null,null,18.0]")];
    assert_eq!(columns, expected);
    // A formula computes with what the aggregators made of its queries: the greatest of `a`, the sum of `b`, 18.
    let formulas = r#""formulas":[{"formula":"a / b"},{"formula":"a - b * 2","limit":{"count":1,"order":"asc"}},
        {"formula":"cumsum(a)"}],"#;
    let answer = send(&mut core, "POST", "/api/v2/query/scalar", &body("scalar", formulas));
    let columns = json(&answer).get("data").and_then(|data| data.get("attributes")?.get("columns")).cloned().unwrap();
    let lists: Vec<Vec<Option<f64>>> =
        columns.as_list().unwrap()[1..].iter().map(|column| values(column.get("values").unwrap())).collect();
    let expected = [
        [Some(3.0 / 18.0), Some(9.0 / 18.0)],
        [Some(3.0 - 36.0), None],
        // Along time first, then the greatest.
        [Some(4.0), Some(14.0)],
    ];
    assert_eq!(lists, expected);
    let wrong = send(&mut core, "POST", "/api/v2/query/scalar", &body("timeseries", ""));
    assert!(wrong.status == 400 && wrong.text().contains("API input validation failed"), "{}", wrong.text());
    // A width that is too fine is made as wide as a rollup's would be.
    let long =
        body("timeseries", r#""interval":1,"#).replace(&format!("\"to\":{}000", BEGIN + HOUR), "\"to\":4000000000000");
    let long = long.replace("sum:m{*}.rollup(60)", "default_zero(sum:m{*})");
    let long = long.replace(&format!("\"from\":{BEGIN}000"), "\"from\":0");
    let times = json(&send(&mut core, "POST", "/api/v2/query/timeseries", &long));
    let times = times.get("data").and_then(|data| data.get("attributes")?.get("times")?.as_list().map(<[Value]>::len));
    assert!(times.is_some_and(|times| times > 100 && times < 3_000), "{times:?}");
}

#[test]
fn what_is_known_of_metrics_moves_as_one_document() {
    let mut from = Core::new(Profile::Default);
    submit(&mut from, "m", "a", 60, [1.0, 3.0]);
    submit(&mut from, "n", "a", 60, [1.0, 3.0]);
    let put = |core: &mut Core, name: &str, body: &str| {
        assert_eq!(send(core, "PUT", &format!("/api/v1/metrics/{name}"), body).status, 200);
    };
    put(&mut from, "m", r#"{"type":"count","unit":"byte","description":"w"}"#);
    let known = get(&mut from, "/api/v1/isopoint/metrics", &[]).text();
    let mut to = Core::new(Profile::Default);
    submit(&mut to, "n", "a", 60, [1.0, 3.0]);
    put(&mut to, "n", r#"{"unit":"second"}"#);
    assert_eq!(send(&mut to, "PUT", "/api/v1/isopoint/metrics", &known).text(), "{}");
    let metrics = |text: &str| Value::parse(text).unwrap().get("metrics").cloned();
    let taken = get(&mut to, "/api/v1/isopoint/metrics", &[]).text();
    assert_eq!(metrics(&taken), metrics(&known), "what was known before is gone");
    let revision = Value::parse(&taken).unwrap().get("revision").unwrap().to_string();
    let unchanged = get(&mut to, "/api/v1/isopoint/metrics", &[("since", &revision)]).text();
    assert_eq!(metrics(&unchanged), Some(Value::Null));
    assert_eq!(send(&mut to, "PUT", "/api/v1/isopoint/metrics", r#"{"metrics":{"a b":{}}}"#).status, 400);
    assert_eq!(send(&mut to, "PUT", "/api/v1/isopoint/metrics", "[]").status, 400);
}
