//! One alert of a check and a series: pending, firing, resolved. Its state is a document of the catalog, so that a
//! restart neither forgets nor repeats it.

use super::read::Reading;
use super::rules::{NoData, Rule};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Alert {
    pub check: String,
    pub labels: BTreeMap<String, String>,
    pub state: State,
    /// When the state began, in nanoseconds since 1970.
    pub since: i64,
    /// When it began to fire; 0 while it does not.
    pub fired: i64,
    /// What the panel shows, in its digits.
    pub value: String,
    /// The receiver knows of the state.
    pub told: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// Wrong, but not for long enough.
    Pending,
    Firing,
    /// Well again, which the receiver has yet to be told.
    Resolved,
}

/// By check and labels.
pub(crate) type Alerts = BTreeMap<String, Alert>;

/// Under which key an alert is kept.
pub(crate) fn key(check: &str, labels: &BTreeMap<String, String>) -> String {
    let mut key = check.to_owned();
    for (name, value) in labels {
        key += &format!("\0{name}\0{value}");
    }
    key
}

/// The alerts of a rule after an evaluation at a time, of those before it.
pub(crate) fn evaluate(rule: &Rule, readings: &[Reading], before: &Alerts, now: i64) -> Alerts {
    let mut after = Alerts::new();
    let mut seen = Vec::new();
    for reading in readings {
        let key = key(&rule.name, &reading.labels);
        let old = before.get(&key);
        let breached = match (reading.value, rule.no_data) {
            (Some(value), _) => Some(rule.is_breached(value)),
            (None, NoData::Ok) => Some(false),
            (None, NoData::Alert) => Some(true),
            (None, NoData::Keep) => None,
        };
        step(rule, &reading.labels, &reading.text, breached, old, now).map(|alert| after.insert(key.clone(), alert));
        seen.push(key);
    }
    // What had an alert and is not in the answer any more; and of a check without any series, the check itself.
    let mut missing: Vec<(String, BTreeMap<String, String>)> = before
        .iter()
        .filter(|(key, _)| !seen.contains(key))
        .map(|(key, old)| (key.clone(), old.labels.clone()))
        .collect();
    if readings.is_empty() && rule.no_data == NoData::Alert && missing.is_empty() {
        missing.push((key(&rule.name, &BTreeMap::new()), BTreeMap::new()));
    }
    for (key, labels) in missing {
        let breached = match rule.no_data {
            NoData::Ok => Some(false),
            NoData::Alert => Some(readings.is_empty() || !labels.is_empty()),
            NoData::Keep => None,
        };
        step(rule, &labels, "no data", breached, before.get(&key), now).map(|alert| after.insert(key, alert));
    }
    after
}

fn step(
    rule: &Rule,
    labels: &BTreeMap<String, String>,
    value: &str,
    breached: Option<bool>,
    old: Option<&Alert>,
    now: i64,
) -> Option<Alert> {
    let hold = i64::try_from(rule.hold.as_nanos()).unwrap_or(i64::MAX);
    let begin = |state, since, fired| Alert {
        check: rule.name.clone(),
        labels: labels.clone(),
        state,
        since,
        fired,
        value: value.to_owned(),
        told: state == State::Pending,
    };
    match (breached, old.map(|old| (old.state, old))) {
        (None, old) => old.map(|(_, old)| old.clone()),
        (Some(true), Some((State::Firing, old))) => Some(Alert { value: value.to_owned(), ..old.clone() }),
        (Some(true), Some((State::Pending, old))) if now - old.since < hold => {
            Some(Alert { value: value.to_owned(), ..old.clone() })
        }
        (Some(true), Some((State::Pending, _))) => Some(begin(State::Firing, now, now)),
        (Some(true), _) if hold == 0 => Some(begin(State::Firing, now, now)),
        (Some(true), _) => Some(begin(State::Pending, now, 0)),
        (Some(false), Some((State::Firing, old))) => Some(begin(State::Resolved, now, old.fired)),
        (Some(false), Some((State::Resolved, old))) if !old.told => Some(old.clone()),
        (Some(false), _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn rule(more: &str) -> Rule {
        let text = format!("[[check]]\nname = 'c'\nquery = 'q'\nabove = 10\n{more}");
        super::super::rules::parse(&text).unwrap().remove(0)
    }

    fn reading(value: Option<f64>) -> Vec<Reading> {
        let text = value.map_or_else(|| "no data".to_owned(), |value| value.to_string());
        vec![Reading { labels: [("host".to_owned(), "a".to_owned())].into(), value, text }]
    }

    fn state(alerts: &Alerts) -> Option<(State, bool)> {
        alerts.values().next().map(|alert| (alert.state, alert.told))
    }

    #[test]
    fn an_alert_waits_fires_once_and_resolves() {
        let rule = rule("for = '60s'");
        let mut alerts = Alerts::new();
        let mut at = |seconds: i64, value: f64, told: bool| {
            alerts = evaluate(&rule, &reading(Some(value)), &alerts, seconds * SECOND);
            let found = state(&alerts);
            alerts.values_mut().for_each(|alert| alert.told |= told);
            found
        };
        assert_eq!(at(0, 10.0, true), None);
        assert_eq!(at(10, 11.0, true), Some((State::Pending, true)));
        assert_eq!(at(20, 9.0, true), None, "it was too short");
        assert_eq!(at(30, 11.0, true), Some((State::Pending, true)));
        assert_eq!(at(89, 12.0, true), Some((State::Pending, true)));
        assert_eq!(at(90, 12.0, true), Some((State::Firing, false)));
        assert_eq!(at(100, 13.0, true), Some((State::Firing, true)), "told once");
        assert_eq!(at(110, 1.0, false), Some((State::Resolved, false)));
        assert_eq!(at(120, 1.0, true), Some((State::Resolved, false)), "kept until it is told");
        assert_eq!(at(130, 1.0, true), None);
    }

    #[test]
    fn a_missing_value_means_what_the_rule_says() {
        let firing = evaluate(&rule(""), &reading(Some(11.0)), &Alerts::new(), 0);
        assert_eq!(state(&firing), Some((State::Firing, false)));
        for (more, expected) in [
            ("no-data = 'ok'", Some((State::Resolved, false))),
            ("no-data = 'alert'", Some((State::Firing, false))),
            ("no-data = 'keep'", Some((State::Firing, false))),
        ] {
            assert_eq!(state(&evaluate(&rule(more), &reading(None), &firing, SECOND)), expected, "{more}: null");
            assert_eq!(state(&evaluate(&rule(more), &[], &firing, SECOND)), expected, "{more}: gone");
        }
        let nothing = evaluate(&rule("no-data = 'alert'"), &[], &Alerts::new(), 0);
        assert_eq!(state(&nothing), Some((State::Firing, false)), "a check without any series");
        let back = evaluate(&rule("no-data = 'alert'"), &reading(Some(1.0)), &nothing, SECOND);
        assert_eq!(state(&back), Some((State::Resolved, false)));
    }
}
