use super::super::json::Json;
use super::*;

const RANGE: Range = Range { from: 1_600_000_000_000, to: 1_600_000_300_000 };

#[track_caller]
fn check(model: &str, expected: &str) {
    let record = Record {
        kind: "influxdb".into(),
        json_data: Json::parse(b"{\"timeInterval\":\">10s\"}").unwrap(),
        ..Record::default()
    };
    let model = Json::parse(model.as_bytes()).unwrap();
    let context = Context { range: RANGE, interval_millis: 90_000 };
    let text = Statement::read(&record, &model, context).map(|statement| statement.text);
    let text = text.unwrap_or_else(|fault| fault.message);
    assert_eq!(text.replace("time >= 1600000000000ms and time <= 1600000300000ms", "T"), expected);
}

#[test]
fn models_become_statements() {
    check(
        r#"{"measurement":"cpu","policy":"long","select":[[{"type":"field","params":["v"]},{"type":"percentile","params":[95]},
           {"type":"math","params":["* 2"]},{"type":"alias","params":["p"]}],[{"type":"field","params":["*"]}]],
           "tags":[{"key":"host","value":"a\\b"},{"key":"r::tag","condition":"OR","value":"/x/"},{"key":"n","operator":"Is Not","value":"5"},
           {"key":"m","operator":">","value":"5"}],
           "groupBy":[{"type":"time","params":["auto"]},{"type":"tag","params":["host::tag"]},{"type":"fill","params":["none"]}],
           "orderByTime":"DESC","limit":"5","slimit":2,"tz":"Europe/Berlin"}"#,
        "SELECT percentile(\"v\", 95) * 2 AS \"p\", * FROM \"long\".\"cpu\" WHERE (\"host\" = 'a\\\\b' OR \"r\"::tag =~ /x/ \
         AND \"n\" != 5 AND \"m\" > 5) AND T GROUP BY time(1m), \"host\"::tag fill(none) ORDER BY time DESC limit 5 slimit 2 \
         tz('Europe/Berlin')",
    );
    check(r#"{"measurement":"/c.*/","select":[[{"type":"field","params":["v"]}]]}"#, "SELECT \"v\" FROM /c.*/ WHERE T");
    check(
        r#"{"measurement":"c","select":[[{"type":"field","params":["v"]},{"type":"x"}]]}"#,
        "missing query definition for x",
    );
    check(r#"{"rawQuery":true,"query":"$timeFilter $interval $__interval $__interval_ms"}"#, "T 1m 1m 90000");
    check(r#"{"rawQuery":true,"query":"$__interval","interval":"2h"}"#, "2h");
}

#[track_caller]
fn named(alias: &str, expected: &str) {
    let record = Record { kind: "influxdb".into(), ..Record::default() };
    let model = Json::Object(vec![
        ("alias".into(), alias.into()),
        ("rawQuery".into(), true.into()),
        ("query".into(), "q".into()),
    ]);
    let statement = Statement::read(&record, &model, Context { range: RANGE, interval_millis: 1500 }).unwrap();
    let body = r#"{"results":[{"series":[{"name":"a.b","tags":{"y":"2","x":"1"},"columns":["time","mean"],"values":[[1,null],[2,"t"]]}]}]}"#;
    let reply = crate::dialect::errand::HttpReply { status: 200, headers: vec![], body: body.into() };
    let outcome = statement.outcome(Ok(Told::Http(reply)));
    assert_eq!(outcome.frames[0].name, expected);
    assert_eq!(outcome.frames[0].fields[1].values, super::super::frame::Values::Text(vec![None, Some("t".into())]));
}

#[test]
fn aliases_name_series() {
    named("", "a.b.mean { x: 1, y: 2 }");
    named("$m [[col]] $tag_x-[[tag_y]] $1 $7 [[nope]] $", "a.b mean $tag_x-2 b $7 [[nope]] $");
    named("$measurement/$__interval [[", "a.b/1s [[");
}

#[test]
fn what_a_server_says_is_told() {
    let told = |status: u16, body: &'static str| {
        let reply = crate::dialect::errand::HttpReply { status, headers: vec![], body: body.into() };
        answer(Ok(Told::Http(reply))).map(|series| series.len()).map_err(|fault| fault.message)
    };
    assert_eq!(told(200, "{\"results\":[{\"statement_id\":0}]}"), Ok(0));
    assert_eq!(told(200, "{\"results\":[{\"error\":\"no db\"}]}"), Err("no db".to_owned()));
    assert_eq!(
        told(401, "{\"error\":\"authorization failed\"}"),
        Err("InfluxDB returned error: authorization failed".to_owned())
    );
    assert_eq!(told(503, "<html>"), Err("InfluxDB returned error: status 503".to_owned()));
    assert!(told(200, "<html>").is_err());
    assert_eq!(
        told(200, "{\"results\":[{\"series\":[{\"columns\":[\"time\",\"v\"],\"values\":[[1],3,[null,1]]}]}]}"),
        Ok(1)
    );
}
