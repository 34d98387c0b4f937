use super::super::ast::{As, Condition, Scope, Tag, Unit, Width};
use super::*;

fn query(text: &str) -> Query {
    match parse(text, 100).unwrap_or_else(|error| panic!("{text}: {}", error.text)).remove(0).kind {
        Kind::Query(query) => *query,
        other => panic!("{text}: {other:?}"),
    }
}

#[track_caller]
fn refused(text: &str, part: &str) {
    let error = parse(text, 20).expect_err(text);
    assert!(error.text.starts_with("Error parsing query") && error.text.contains(part), "{text}: {}", error.text);
}

#[test]
fn queries_in_all_spellings() {
    let plain = query("system.cpu.idle{*}");
    assert_eq!((plain.aggregator, &*plain.metric, plain.scope), (None, "system.cpu.idle", Scope::All));
    let full = query("sum:m{Env:Prod , !host:a}by{Host, env, host}.as_count().rollup(sum, 60).fill(last , 5)");
    assert_eq!(full.by, ["host", "env"]);
    assert_eq!(full.modifiers.text, ".as_count().rollup(sum,60).fill(last,5)");
    assert_eq!(full.modifiers.kind, Some(As::Count));
    let Scope::Tags(tags) = &full.scope else { panic!() };
    assert_eq!(tags[0], (false, Tag { key: "env".into(), value: Some("prod".into()) }));
    assert!(tags[1].0);
    assert!(query("sum:(m{*} by {v}).weighted()").modifiers.weighted);
    assert_eq!(query("p99.9:m{*}").aggregator, Some(Aggregator::Percentile(9990)));
    assert_eq!(query("p5:m{*}").aggregator, Some(Aggregator::Percentile(500)));
    let monthly = query("sum:m{*}.rollup(sum, monthly, 2nd, 'Europe/Paris')").modifiers.rollup.unwrap();
    assert_eq!(
        monthly.width,
        Some(Width::Calendar { unit: Unit::Month { day: 2 }, zone: Some("Europe/Paris".into()) })
    );
    let weekly = query("sum:m{*}.rollup(sum,weekly,'America/New_York')").modifiers.rollup.unwrap();
    assert_eq!(
        weekly.width,
        Some(Width::Calendar { unit: Unit::Week { day: 0 }, zone: Some("America/New_York".into()) })
    );
}

#[test]
fn boolean_scopes() {
    let Scope::Boolean(condition, text) = query("avg:m{ENV:Prod  AND ( zone:a OR not zone IN (b,c*) )}").scope else {
        panic!()
    };
    assert_eq!(text, "env:prod AND ( zone:a OR not zone IN (b,c*) )");
    let Condition::All(parts) = condition else { panic!() };
    assert!(matches!(&parts[1], Condition::Either(parts) if matches!(parts[1], Condition::Not(_))));
}

#[test]
fn arithmetic_binds_as_usual() {
    let shown = |text: &str| show(&parse(text, 100).unwrap()[0]);
    assert_eq!(shown("a{*} + b{*} * 2 - 1e2"), "((a + (b * 2)) - 100)");
    assert_eq!(shown("-a{*} / (b{*} - -3)"), "((-1 * a) / (b - -3))");
    assert_eq!(parse("a{*}, top(b{*} by {h}, 5, 'mean', desc)", 100).unwrap().len(), 2);
}

fn show(expr: &Expr) -> String {
    match &expr.kind {
        Kind::Number(number) => number.to_string(),
        Kind::Query(query) => query.metric.clone(),
        Kind::Binary { op, left, right } => format!("({} {} {})", show(left), op.symbol(), show(right)),
        Kind::Call { name, .. } => format!("{name}()"),
        Kind::Measured { .. } => unreachable!("nothing is written so"),
    }
}

#[test]
fn errors_say_where_and_what() {
    refused("avg:m{*", "didn't match at '' (line 1, column 8)");
    refused("avg:m*", "Rule 'scope_expr' didn't match at '*' (line 1, column 6). Expected a scope");
    refused("avg:m{}", "scope_expr");
    refused("avg:m{*} +", "Rule 'expression'");
    refused("median:m{*}", "aggregator");
    refused("agv:m{*}", "did you mean avg?");
    refused("abs(avg:m{*}", "Expected , or )");
    refused("avg:m{a:b AND !c:d}", "cannot be mixed with ','");
    refused("avg:m{a:b OR c:d, e:f}", "cannot be mixed with ','");
    refused("avg:m{$host}", "template variable");
    refused("avg:m{a:b IN (c)}", "a tag's key alone");
    refused("avg:m{*}.rolup(sum)", "did you mean rollup?");
    refused("avg:m{*}.rollup(p95)", "takes a method");
    refused("avg:m{*} BY {host}", "Rule 'query'");
    refused("1 + 2", "needs a metric");
    refused("avg:m{*} > 5", "Rule 'query'");
    refused("avg(last_5m):avg:m{*}", "query");
    refused("avg:m{*}\n  + ?", "line 2, column 5");
    refused(&"(".repeat(50), "nested too deeply");
    refused(&format!("m{{{}a:b}}", "NOT ".repeat(50)), "nested too deeply");
    refused("", "empty");
}

/// Whatever the bytes, there is an answer.
#[test]
fn garbage_is_refused_without_harm() {
    let pieces = [
        "avg", ":", "m", "{", "*", "}", "by", "(", ")", ",", ".", "rollup", "'", "AND", "!", "a:b", " ", "1e", "é",
        "-", "/", "$", "\"", "IN", "p9", "\n", "fill", "+",
    ];
    let mut state = 7_u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text += pieces[(state >> 33) as usize % pieces.len()];
        }
        let _ = parse(&text, 8);
    }
}
