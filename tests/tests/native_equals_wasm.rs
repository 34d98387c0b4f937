//! The same bytes from the engine in this process and from the npm package: in Node over the whole corpus, in Chromium
//! over a part.

use isopoint_tests::answer::Answer;
use isopoint_tests::case::{Profile, Request, suites};
use isopoint_tests::engines::{Core, Engine, Wasm, required};
use isopoint_tests::json::brief;
use isopoint_tests::run::{Outcome, run_with};
use isopoint_tests::waiting::say;

/// Asks both and answers only when they agree.
struct Both {
    core: Core,
    wasm: Wasm,
    asked: usize,
}

/// Made for each request by the host.
const IDS: [&str; 2] = ["Request-Id", "X-Request-Id"];

impl Engine for Both {
    fn answer(&mut self, request: &Request, now: Option<i64>) -> Result<Answer, String> {
        self.asked += 1;
        let (native, wasm) = (self.core.answer(request, now)?, self.wasm.answer(request, now)?);
        let headers = |answer: &Answer| {
            let mut headers = answer.headers.clone();
            headers.retain(|(name, _)| !IDS.iter().any(|id| id.eq_ignore_ascii_case(name)));
            headers
        };
        let same = native.status == wasm.status && headers(&native) == headers(&wasm);
        // Which number a query has depends on those before it, and the page's engine is younger.
        let numbered = native.text().contains("\"qid\"") && wasm.text().contains("\"qid\"");
        let same = same && (numbered || native.body == wasm.body);
        let told = |answer: &Answer| format!("{} {:?} {}", answer.status, headers(answer), brief(&answer.text(), 300));
        if same {
            Ok(native)
        } else {
            Err(format!("{}: native {}, wasm {}", request.brief(), told(&native), told(&wasm)))
        }
    }

    fn empty(&mut self) -> Result<(), String> {
        self.core.empty()?;
        self.wasm.empty()
    }

    fn has_clock(&self) -> bool {
        false
    }
}

#[test]
fn node_gives_the_same_bytes() {
    if required("wasm", Wasm::is_built()) {
        let asked = compare(Wasm::in_node().expect("node runs"), "node", |_| true);
        assert!(asked > 900, "only {asked} requests were asked");
    }
}

/// Where Chromium differs from Node is the Worker and the ways in and out, so some suites are enough.
#[test]
fn chromium_gives_the_same_bytes() {
    if required("chromium", Wasm::has_chromium()) {
        let chosen = ["influx/http_query", "influx/select_basic", "influx/group_by_time", "facette/cases"];
        let asked = compare(Wasm::in_chromium().expect("Chromium runs"), "chromium", |name| chosen.contains(&name));
        assert!(asked > 200, "only {asked} requests were asked");
    }
}

/// Panics with what differs; the number of requests.
fn compare(wasm: Wasm, home: &str, chosen: impl Fn(&str) -> bool) -> usize {
    let mut both = Both { core: Core::new(Profile::Default), wasm, asked: 0 };
    let mut differences = Vec::new();
    for suite in suites().iter().filter(|suite| suite.profile == Profile::Default && chosen(&suite.name)) {
        for (case, outcome) in suite.cases.iter().zip(run_with(suite, &mut both, &mut |_, _, _, _| Ok(()))) {
            if let Outcome::Broken(why) = outcome {
                differences.push(format!("{}: {}: {why}", suite.name, case.name));
            }
        }
    }
    say(&format!("{home} equals native: {} answers, {} cases differ", both.asked, differences.len()));
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
    both.asked
}
