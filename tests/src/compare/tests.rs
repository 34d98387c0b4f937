//! A comparison is worth what it finds.

use super::*;

fn json(body: &str) -> Answer {
    let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    Answer { status: 200, headers, body: body.into() }
}

fn rules(compare: &str) -> Rules {
    Rules::read([&Value::parse(compare).unwrap()]).unwrap()
}

#[track_caller]
fn finds(rules: &Rules, want: &Answer, got: &Answer, words: &str) {
    let why = rules.same(want, got).expect_err("a difference");
    assert!(why.contains(words), "{why}");
}

#[test]
fn status_and_headers_are_compared() {
    let want = json("{}");
    let rules = Rules::default();
    assert_eq!(rules.same(&want, &want), Ok(()));
    finds(&rules, &want, &Answer { status: 204, ..want.clone() }, "status 204, expected 200");
    finds(&rules, &want, &Answer { headers: vec![], ..want.clone() }, "Content-Type");
    let mut got = want.clone();
    got.headers.push(("x-influxdb-version".into(), "1".into()));
    finds(&rules, &want, &got, "X-Influxdb-Version is present");
    finds(&rules, &got, &want, "X-Influxdb-Version is absent");
    let mut other = got.clone();
    other.headers[1].1 = "2".into();
    assert_eq!(rules.same(&got, &other), Ok(()));
    other.headers.push(("Access-Control-Allow-Origin".into(), "*".into()));
    assert_eq!(rules.same(&got, &other), Ok(()));
    finds(&self::rules("{\"headers_also\":[\"Access-Control-Allow-Origin\"]}"), &got, &other, "Allow-Origin");
    let ignoring = self::rules("{\"headers_ignore\":[\"content-type\"]}");
    assert_eq!(ignoring.same(&want, &Answer { headers: vec![], ..want.clone() }), Ok(()));
}

#[test]
fn json_has_the_same_structure() {
    let rules = Rules::default();
    assert_eq!(rules.same(&json("{\"a\":1,\"b\":[null]}"), &json("{\"b\":[null],\n\"a\":1}\n")), Ok(()));
    for (want, got, words) in [
        ("{\"a\":1}", "{}", "$[0]: no member \"a\""),
        ("{}", "{\"a\":1}", "$[0]: a member \"a\""),
        ("{\"a\":[{\"b\":1}]}", "{\"a\":[{\"b\":2}]}", "$[0].a[0].b: 2, expected 1"),
        ("[1,2]", "[1]", "$[0]: 1 elements, expected 2"),
        ("[1]", "[1,2]", "$[0]: 2 elements, expected 1"),
        ("[null]", "[false]", "$[0][0]: false, expected null"),
        ("[\"1\"]", "[1]", "$[0][0]: 1, expected \"1\""),
        ("{}", "{}{}", "$: 2 elements, expected 1"),
        ("{}", "{", "body is not Json"),
    ] {
        finds(&rules, &json(want), &json(got), words);
    }
}

#[test]
fn numbers_are_compared_as_written() {
    let same = |want: &str, got: &str| Rules::default().same(&json(want), &json(got)).is_ok();
    // A time that is off by one has no tolerance.
    assert!(!same("[1388534400000000001]", "[1388534400000000000]"));
    assert!(same("[1388534400000000001]", "[1388534400000000001]"));
    assert!(same("[-0]", "[0]"));
    assert!(!same("[3]", "[3.0]") && same("[3.0]", "[3]"));
    assert!(same("[0.1]", "[0.10000000000000001]") && same("[1.0]", "[1.0000000009]"));
    assert!(!same("[1.0]", "[1.000000002]") && !same("[1]", "[1.000000002]") && !same("[1.5]", "[-1.5]"));
    assert!(same("[1.5e-13]", "[0.0]") && !same("[1.5e-12]", "[0.0]"));
    assert!(same("[1e+06]", "[1000000]"));
}

#[test]
fn csv_goes_cell_by_cell() {
    let csv = |body: &str| {
        let headers = vec![("Content-Type".to_owned(), "text/csv".to_owned())];
        Answer { status: 200, headers, body: body.into() }
    };
    let rules = Rules::default();
    let want = csv("name,time,v\ncpu,1,0.3\n");
    assert_eq!(rules.same(&want, &csv("name,time,v\ncpu,1,0.30000000000000004\n")), Ok(()));
    finds(&rules, &want, &csv("name,time,v\ncpu,2,0.3\n"), "$[0][1][1]: 2, expected 1");
    finds(&rules, &want, &csv("name,time\ncpu,1,0.3\n"), "$[0][0]: 2 elements, expected 3");
    finds(&rules, &want, &csv("name,time,v\n\ncpu,1,0.3\n"), "$[0]");
}

#[test]
fn text_is_exact_after_its_replacements() {
    let text = |body: &str| Answer { status: 200, headers: vec![], body: body.into() };
    finds(&Rules::default(), &text("shard 1"), &text("shard 2"), "expected");
    let rules = rules("{\"replace\":[[\"shard \\\\d+\",\"shard N\"]]}");
    assert_eq!(rules.same(&text("shard 1"), &text("shard 22")), Ok(()));
    finds(&rules, &text("shard 1 "), &text("shard 22"), "expected");
    finds(&self::rules("{\"body\":\"text\"}"), &json("{}"), &json("{} "), "expected");
    assert_eq!(self::rules("{\"body\":\"none\"}").same(&json("{}"), &json("?")), Ok(()));
}

#[test]
fn what_is_masked_or_unordered_does_not_matter_but_the_rest_does() {
    let answer = |values: &str, name: &str| {
        json(&format!("{{\"results\":[{{\"series\":[{{\"name\":\"{name}\",\"values\":{values}}}]}}]}}"))
    };
    let masked = rules("{\"mask\":[\"results.*.series.0.values\"]}");
    assert_eq!(masked.same(&answer("[[1]]", "a"), &answer("[[2],[3]]", "a")), Ok(()));
    finds(&masked, &answer("[[1]]", "a"), &answer("[[1]]", "b"), "name");
    let unordered = rules("{\"unordered\":[\"values\"]}");
    assert_eq!(unordered.same(&answer("[[1],[2]]", "a"), &answer("[[2],[1]]", "a")), Ok(()));
    finds(&unordered, &answer("[[1],[2]]", "a"), &answer("[[2],[2]]", "a"), "values[0][0]");
    finds(&Rules::default(), &answer("[[1],[2]]", "a"), &answer("[[2],[1]]", "a"), "values[0][0]");
}

#[test]
fn a_packed_body_is_unpacked() {
    let mut packed = json("");
    packed.headers.push(("Content-Encoding".into(), "gzip".into()));
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, b"{\"a\":1}").unwrap();
    packed.body = encoder.finish().unwrap();
    assert_eq!(Rules::default().same(&packed, &packed), Ok(()));
    let plain = Answer { body: b"{\"a\":1}".to_vec(), ..packed.clone() };
    finds(&Rules::default(), &packed, &plain, "does not unpack");
    finds(&Rules::default(), &packed, &json("{\"a\":1}"), "Content-Encoding");
}

#[test]
fn fixed_expectations_name_what_they_want() {
    let fixed = |status, header: Option<&str>, body| {
        let headers = vec![("Content-Type".to_owned(), header.map(str::to_owned))];
        Fixed { status: Some(status), headers, body }
    };
    let rules = Rules::default();
    let got = json("{\"a\":1}");
    let document = || Some(FixedBody::Json(vec![Value::parse("{\"a\":1}").unwrap()]));
    assert_eq!(rules.meets(&fixed(200, Some("application/json"), document()), &got), Ok(()));
    assert!(rules.meets(&fixed(404, Some("application/json"), document()), &got).is_err());
    assert!(rules.meets(&fixed(200, None, document()), &got).is_err());
    assert!(rules.meets(&fixed(200, Some("application/json"), Some(FixedBody::Text("{}".into()))), &got).is_err());
    assert!(rules.meets(&fixed(200, Some("application/json"), Some(FixedBody::Empty)), &got).is_err());
    assert!(rules.meets(&fixed(200, Some("application/json"), document()), &json("{\"a\":1}{}")).is_err());
}

#[test]
fn facette_points_have_exact_times_and_near_values() {
    let want = |body: &str| Fixed {
        status: Some(200),
        headers: vec![],
        body: Some(FixedBody::Json(vec![Value::parse(body).unwrap()])),
    };
    let same = |a: &str, b: &str| Rules::facette().meets(&want(a), &json(b)).is_ok();
    assert!(same("{\"points\":[[1496838488,673]]}", "{\"points\":[[1496838488,673.0000001]]}"));
    assert!(!same("{\"points\":[[1496838488,673]]}", "{\"points\":[[1496838488.5,673]]}"));
    assert!(!same("{\"points\":[[1496838488,673]]}", "{\"points\":[[1496838488,673.001]]}"));
    assert!(!same("{\"points\":[[1,null]]}", "{\"points\":[[1,0]]}"));
    assert!(same("{\"id\":\"@uuid\"}", "{\"id\":\"c5e5faf1-dda1-50b3-abcb-4a5bdae7328e\"}"));
    assert!(!same("{\"id\":\"@uuid\"}", "{\"id\":\"c5e5faf1\"}"));
    assert!(same("\"a/@time\"", "\"a/2017-06-07T12:29:08Z\"") && !same("\"@time\"", "\"2017-06-07T12:29:08.5Z\""));
}
