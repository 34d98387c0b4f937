//! The three grammars under random and mutated texts: nothing panics, and what is taken holds to simple laws. Entry
//! points: `range::Instant::moved`, `template::keys`, `Pattern::of_group` and `of_filter`.

use super::super::library::Pattern;
use super::super::range::{Instant, width};
use super::super::template;
use super::Server;
use serde_json::json;

/// A small generator: the same texts in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    /// A text of parts, or a good one with a few characters put in, taken out or doubled.
    fn text(&mut self, parts: &[&str], good: &[&str]) -> String {
        if self.below(2) == 0 {
            return (0..self.below(12)).map(|_| parts[self.below(parts.len())]).collect();
        }
        let mut text: Vec<char> = good[self.below(good.len())].chars().collect();
        for _ in 0..self.below(4) {
            let at = self.below(text.len() + 1);
            match (self.below(3), at < text.len()) {
                (0, true) => drop(text.remove(at)),
                (1, true) => text.insert(at, text[at]),
                _ => parts[self.below(parts.len())].chars().rev().for_each(|c| text.insert(at, c)),
            }
        }
        text.into_iter().collect()
    }
}

const ROUNDS: usize = 30_000;

#[test]
fn ranges_move_or_are_refused() {
    let parts =
        ["-", "+", " ", "\t", "0", "1", "12", "9223372036854775807", "y", "mo", "d", "h", "m", "s", "days", "é", "w"];
    let good = ["-1h", "1y 2mo 3d 4h 5m 6s", "+ 10 minutes", "-0s", "", "2 years1month"];
    let (mut random, mut moved) = (Random(1), 0);
    let starts =
        ["2017-03-31T14:28:08.5+02:00", "1970-01-01T00:00:00Z", "2262-04-11T23:47:16Z", "1677-09-21T00:12:44-23:59"];
    let starts = starts.map(|text| Instant::parse(text).unwrap().unwrap());
    for round in 0..ROUNDS {
        let text = random.text(&parts, &good);
        let from = starts[round % starts.len()];
        let Some(to) = from.moved(&text) else { continue };
        moved += 1;
        // Its text is a time again, and there and back over fixed lengths is no way at all.
        assert!(Instant::parse(&to.to_text()).is_some(), "{text:?}");
        if let Some(nanos) = width(&text) {
            assert_eq!(to.nanos.checked_sub(from.nanos), Some(nanos), "{text:?}");
            assert_eq!(to.moved(&["-", text.trim_start_matches('+')].concat()), Some(from), "{text:?}");
        }
    }
    assert!(moved > ROUNDS / 20, "{moved}");
}

#[test]
fn templates_are_taken_whole_or_refused() {
    let parts = ["{{", "}}", "{", "}", ".", "a", "_é", "-", " ", "\n", "/*", "*/", "x", "\"", "|"];
    let good = ["{{ .a }}", "x{{- .a ._é -}} y", "{{/* c */}}", "a }} {", "{{.a}}{{.b}}"];
    let (mut random, mut keyed) = (Random(2), 0);
    for _ in 0..ROUNDS {
        let text = random.text(&parts, &good);
        match template::keys(&text) {
            Ok(keys) => {
                keyed += usize::from(!keys.is_empty());
                assert!(keys.is_sorted() && keys.iter().all(|key| text.contains(&format!(".{key}"))), "{text:?}");
                assert!(text.contains("{{") || keys.is_empty());
            }
            Err(_) => assert!(text.contains("{{"), "{text:?}"),
        }
    }
    assert!(keyed > ROUNDS / 20, "{keyed}");
}

#[test]
fn patterns_match_or_are_refused() {
    let parts = ["glob:", "regexp:", "*", "?", "[", "]", "^", "-", "\\", "a", "B", "é", "(", ")", "|", "+", "{2}", "/"];
    let good = ["glob:web*", "glob:[a-c]?", "regexp:^a+(b|é)$", "web1", "glob:\\*"];
    let mut random = Random(3);
    for _ in 0..ROUNDS {
        let text = random.text(&parts, &good);
        for pattern in [Pattern::of_group(&text), Pattern::of_filter(&text)] {
            let Ok(pattern) = pattern else {
                assert!(text.starts_with("regexp:"), "{text:?}");
                continue;
            };
            let matches = ["", "a", "web1", "aB/é", &text].map(|name| pattern.matches(name));
            if !text.starts_with("glob:") && !text.starts_with("regexp:") {
                assert_eq!((matches[4], matches[0]), (true, text.is_empty()), "{text:?}");
            }
        }
    }
}

#[test]
fn no_body_upsets_the_library() {
    let mut server = Server::new("2017-06-07T12:29:08Z", false);
    let parts = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "null",
        "\"name\"",
        "\"groups\"",
        "\"x\"",
        "1",
        "true",
        "\"series\"",
        "\"link\"",
    ];
    let good = [
        r#"{"name":"x","groups":[{"series":[{"name":"s"}]}],"template":true}"#,
        r#"{"format":1,"graphs":[{"id":"11b00001-0000-4000-8000-000000000001","name":"x"}]}"#,
        r#"{"types":["graphs"],"terms":{"name":"glob:*"}}"#,
        r#"[{"endpoint":"library/graphs","method":"POST","data":{"name":"x"}}]"#,
        r#"{"origin":"d"}"#,
    ];
    server.write("d", "m,host=a v=1 1");
    let mut random = Random(4);
    for _ in 0..2_000 {
        let body = random.text(&parts, &good);
        for path in [
            "library/graphs",
            "library/collections",
            "library/import",
            "library/search",
            "library/parse",
            "library/presets",
            "bulk",
            "series/expand",
            "series/points",
        ] {
            let answer =
                server.send("POST", &format!("/api/v1/{path}"), "", &[("content-type", "application/json")], &body);
            assert!(answer.head.status < 500, "{path} {body}: {}", answer.text);
        }
    }
    assert_eq!(server.json("DELETE", "/api/v1/library/graphs", &json!(null)).head.status, 403);
}
