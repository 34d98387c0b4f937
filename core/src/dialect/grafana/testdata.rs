//! The TestData backend: scenarios that make data from nothing.
//!
//! The same request gives the same data: what is random is seeded by the range and the series' number.

mod csv;
mod scenarios;
mod tables;
mod waves;

use super::frame::{DataFrame, Labels};
use super::json::{Json, object};
use super::outcome::{Fault, Outcome};
use super::times::Range;

/// One query of a request, as a scenario needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) ref_id: &'a str,
    pub(crate) model: &'a Json,
    pub(crate) query_type: &'a str,
    pub(crate) range: Range,
    pub(crate) interval_millis: i64,
    pub(crate) max_data_points: i64,
    pub(crate) login: &'a str,
}

/// What is to be done for a query.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// Its result has no entry.
    Nothing,
    Done(Outcome),
    /// The same after a while.
    After {
        millis: u64,
        outcome: Outcome,
    },
}

/// Points of a series, at most.
pub(crate) const MAX_POINTS: usize = 10_000;
/// Series of a query, at most.
const MAX_SERIES: i64 = 100;
/// Longest wait of `slow_query`, in milliseconds.
const LONGEST_WAIT: i64 = 60_000;

pub(crate) fn answer(asked: Asked<'_>) -> Answer {
    if let Some(scenario) = scenarios::find(asked.query_type) {
        return (scenario.answer)(asked).unwrap_or_else(|why| Answer::Done(Fault::plugin(500, why).into()));
    }
    let id = asked.model.get("scenarioId").and_then(Json::text).unwrap_or("random_walk");
    // What a scenario of this member fails with is swallowed, as an unknown one is.
    scenarios::find(id).and_then(|scenario| (scenario.answer)(asked).ok()).unwrap_or(Answer::Nothing)
}

/// Every scenario by id, for the resource `scenarios`.
pub(crate) fn list() -> Json {
    let mut listed = Vec::new();
    for scenario in scenarios::SCENARIOS {
        listed.push(object([
            ("id", scenario.id.into()),
            ("name", scenario.name.into()),
            ("description", scenario.description.into()),
            ("stringInput", scenario.input.into()),
        ]));
    }
    Json::List(listed)
}

type Answered = Result<Answer, String>;

impl Asked<'_> {
    fn text(&self, name: &str) -> &str {
        self.model.text_of(name)
    }

    /// A number, also when it is sent as text.
    fn number(&self, name: &str) -> Option<f64> {
        number(self.model.get(name)?)
    }

    fn interval(&self) -> i64 {
        if self.interval_millis > 0 { self.interval_millis } else { 1000 }
    }

    /// What a series is called; from the second on with its number.
    fn series_name(&self, series: usize) -> String {
        let name = match self.text("alias") {
            "" => format!("{}-series", self.ref_id),
            alias => alias.to_owned(),
        };
        if series == 0 { name } else { format!("{name}{series}") }
    }

    /// The instants from the range's start in steps of the interval, before its end.
    fn instants(&self, step: i64) -> impl Iterator<Item = i64> {
        let Range { from, to } = self.range;
        let steps = std::iter::successors(Some(from), move |at| at.checked_add(step.max(1)));
        steps.take_while(move |at| *at < to).take(MAX_POINTS)
    }

    fn random(&self, series: usize) -> Random {
        Random((self.range.from.wrapping_add(self.range.to) as u64).wrapping_add(series as u64))
    }
}

fn number(value: &Json) -> Option<f64> {
    value.float().or_else(|| value.text()?.trim().parse().ok())
}

/// `k=v, k="v"` with or without braces. What has no `=` is passed over.
fn labels(text: &str, series: usize) -> Labels {
    let text = text.replace("$seriesIndex", &series.to_string());
    let mut labels = Labels::new();
    if text.len() < 2 {
        return labels;
    }
    let text = text.trim();
    let text = text.strip_prefix('{').unwrap_or(text);
    for pair in text.strip_suffix('}').unwrap_or(text).split(',') {
        let Some((name, value)) = pair.split_once('=') else { continue };
        let value = value.trim().trim_matches('"');
        labels.retain(|(known, _)| known != name.trim());
        labels.push((name.trim().to_owned(), value.to_owned()));
    }
    crate::order::sort_few(&mut labels);
    labels
}

fn done(frames: Vec<DataFrame>) -> Answered {
    Ok(Answer::Done(frames.into()))
}

/// Steele, Lea and Flood's SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// At least 0, below 1.
    fn float(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests;
