//! Random queries over random points, answered by the engine through its API and by `reference`, which is written from
//! the specification alone.

mod language;
mod random;
mod reference;

use isopoint_tests::case::{Profile, Request};
use isopoint_tests::engines::{Core, NOW};
use isopoint_tests::json::Value;
use isopoint_tests::simdisk::Random;
use random::Asked;
use reference::{Answer, Evaluator, Kind, World};
use std::collections::BTreeSet;
use std::fmt::Write as _;

const WORLDS: u64 = 50;
const QUERIES: usize = 60;
const TOLERANCE: f64 = 1e-9;

fn keyed(request: Request) -> Request {
    request.with("DD-API-KEY", "a").with("DD-APPLICATION-KEY", "b")
}

fn post(core: &mut Core, path: &str, body: String) {
    let answer = core.exchange(&keyed(Request::post(path, &[], body)), NOW);
    assert_eq!(answer.status, 202, "{}", answer.text());
}

/// Submits a world in shuffled pieces, some of them flushed.
fn submit(world: &World, random: &mut Random) -> Core {
    let mut core = Core::new(Profile::Default);
    let mut pieces: Vec<(&str, String)> = Vec::new();
    for metric in &world.metrics {
        for source in &metric.sources {
            let tag = |(key, value): &(String, Option<String>)| language::tag_text(key, value.as_deref());
            let tags: Vec<String> = source.tags.iter().map(tag).map(|tag| format!("{tag:?}")).collect();
            let cut = random.below(source.points.len() + 1);
            // Values of one second stay together: apart they would be other values.
            let cut =
                source.points[..cut].iter().rposition(|point| Some(point.0) != source.points.get(cut).map(|p| p.0));
            let (first, second) = source.points.split_at(cut.map_or(0, |last| last + 1));
            for points in [first, second] {
                let mut body = format!("{{\"series\":[{{\"metric\":\"{}\",\"tags\":[{}]", metric.name, tags.join(","));
                let kind = match metric.kind {
                    Kind::Count => "count",
                    Kind::Rate => "rate",
                    Kind::Gauge | Kind::Distribution => "gauge",
                };
                let distribution = metric.kind == Kind::Distribution;
                if !distribution {
                    write!(body, ",\"type\":\"{kind}\"").unwrap();
                }
                if let Some(interval) = metric.interval {
                    write!(body, ",\"interval\":{interval}").unwrap();
                }
                let point = |(at, value): &(i64, f64)| {
                    if distribution { format!("[{at},[{value:?}]]") } else { format!("[{at},{value:?}]") }
                };
                let points: Vec<String> = points.iter().map(point).collect();
                write!(body, ",\"points\":[{}]}}]}}", points.join(",")).unwrap();
                let path = if distribution { "/api/v1/distribution_points" } else { "/api/v1/series" };
                pieces.push((path, body));
            }
        }
    }
    while !pieces.is_empty() {
        let (path, body) = pieces.swap_remove(random.below(pieces.len()));
        post(&mut core, path, body);
        if random.percent(10) {
            core.host.flush();
        }
    }
    for metric in world.metrics.iter() {
        let Some(unit) = metric.unit else { continue };
        let path = format!("/api/v1/metrics/{}", metric.name);
        let body = format!("{{\"unit\":\"{unit}\"}}");
        let put = Request { method: "PUT".to_owned(), ..keyed(Request::post(&path, &[], body)) };
        assert_eq!(core.exchange(&put, NOW).status, 200);
    }
    core
}

fn query_text(asked: &Asked) -> String {
    asked.expressions.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn ask(core: &mut Core, asked: &Asked) -> Result<Value, String> {
    let (from, to) = (asked.from.to_string(), asked.to.to_string());
    let parameters = [("from", &*from), ("to", &*to), ("query", &*query_text(asked))];
    let answer = core.exchange(&keyed(Request::get("/api/v1/query", &parameters)), NOW);
    if answer.status != 200 {
        return Err(format!("{}: {}", answer.status, answer.text()));
    }
    Value::parse(&answer.text())
}

/// What an answer has to be, as far as it is fixed.
fn expected(answers: &[Answer]) -> Vec<(usize, &Answer, &reference::Series)> {
    let numbered = answers.iter().enumerate();
    numbered.flat_map(|(query, answer)| answer.series.iter().map(move |series| (query, answer, series))).collect()
}

/// The first difference.
fn difference(answers: &[Answer], got: &Value) -> Option<String> {
    let wanted = expected(answers);
    let times: BTreeSet<i64> = wanted.iter().flat_map(|(_, _, series)| series.points.keys().copied()).collect();
    let list = got.get("series").and_then(Value::as_list)?;
    let scopes = |all: &[(usize, &Answer, &reference::Series)]| -> Vec<String> {
        all.iter().map(|(query, _, series)| format!("{query} {}", series.scope)).collect()
    };
    let found = |series: &Value| {
        let scope = series.get("scope").and_then(Value::as_text).unwrap_or_default();
        format!("{} {scope}", series.get("query_index").map(ToString::to_string).unwrap_or_default())
    };
    let found: Vec<String> = list.iter().map(found).collect();
    if found != scopes(&wanted) {
        return Some(format!("series {:?}, expected {:?}", found, scopes(&wanted)));
    }
    list.iter().zip(wanted).find_map(|(got, (query, answer, series))| {
        let text = |text: &str| Value::Text(text.to_owned());
        let tags: BTreeSet<String> = series.tags.iter().map(|(key, value)| format!("{key}:{value}")).collect();
        let members = [
            ("aggr", answer.aggregator.as_deref().map_or(Value::Null, text)),
            ("metric", text(&answer.label)),
            ("display_name", text(&answer.label)),
            ("expression", text(&series.expression)),
            ("tag_set", Value::List(tags.iter().map(|tag| text(tag)).collect())),
            ("interval", Value::number(answer.interval())),
            ("length", Value::number(times.len())),
            ("start", Value::number(times.first().unwrap_or(&0) * 1000)),
            ("end", Value::number((series.end - 1) * 1000)),
        ];
        let wrong = members.iter().find(|(name, want)| got.get(name) != Some(want));
        if let Some((name, want)) = wrong {
            let got = got.get(name).map(ToString::to_string);
            return Some(format!("{query} {}: {name} is {got:?}, expected {want}", series.scope));
        }
        let unit = got.get("unit").and_then(Value::as_list).and_then(|pair| pair.first()?.get("name")?.as_text());
        if unit != answer.unit {
            return Some(format!("{query} {}: the unit is {unit:?}, expected {:?}", series.scope, answer.unit));
        }
        let points = got.get("pointlist").and_then(Value::as_list).unwrap_or_default();
        let points: Vec<(i64, Option<f64>)> = points.iter().map(point).collect();
        let want: Vec<(i64, Option<f64>)> =
            times.iter().map(|at| (*at, series.points.get(at).copied().flatten())).collect();
        let near = |a: f64, b: f64| (a - b).abs() <= TOLERANCE * b.abs().max(1.0);
        let same = |(a, b): (&(i64, Option<f64>), &(i64, Option<f64>))| {
            a.0 == b.0 && a.1.is_some() == b.1.is_some() && a.1.zip(b.1).is_none_or(|(a, b)| near(a, b))
        };
        let wrong = points.iter().zip(&want).find(|pair| !same(*pair));
        wrong.map(|(got, want)| format!("{query} {}: the point {got:?} was expected to be {want:?}", series.scope))
    })
}

fn point(pair: &Value) -> (i64, Option<f64>) {
    let Some([at, value]) = pair.as_list() else { panic!("{pair}") };
    ((at.as_f64().expect("a time") / 1000.0) as i64, value.as_f64())
}

#[test]
fn random_queries_are_answered_as_specified() {
    let (mut filled, mut failures) = (0, Vec::new());
    for seed in 0..WORLDS {
        let mut random = Random(seed);
        let world = random::world(&mut random);
        let mut core = submit(&world, &mut random);
        for _ in 0..QUERIES {
            let asked = random::asked(&mut random);
            let evaluator = Evaluator { world: &world, from: asked.from, to: asked.to };
            let answers: Vec<Answer> = asked.expressions.iter().map(|expr| evaluator.answer(expr, 0)).collect();
            let wrong = match ask(&mut core, &asked) {
                Ok(got) => difference(&answers, &got),
                Err(why) => Some(why),
            };
            filled += usize::from(answers.iter().any(|answer| !answer.series.is_empty()));
            if let Some(wrong) = wrong {
                failures.push(format!(
                    "world {seed}, {} to {}: {}\n  {wrong}",
                    asked.from,
                    asked.to,
                    query_text(&asked)
                ));
            }
        }
    }
    let shown = failures.iter().take(12).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} queries are answered otherwise, first:\n{shown}", failures.len());
    // The test would be worth nothing if most windows were empty.
    assert!(filled as u64 * 5 > 2 * WORLDS * QUERIES as u64, "{filled} answers have series");
}
