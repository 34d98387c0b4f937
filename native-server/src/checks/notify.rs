//! Tells a webhook, in the words of Alertmanager's webhook receiver (version 4), so that what takes those takes these.

use super::alert::{Alert, State};
use super::rules::Rule;
use crate::admin::rfc3339;
use crate::grafana::client::Caller;
use isopoint_core::codec::checksum::crc32c;
use isopoint_core::time::Timestamp;
use serde_json::{Map, Value, json};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

/// One message about alerts of one check.
pub(super) async fn post(caller: &Caller, webhook: &str, rule: &Rule, alerts: &[&Alert]) -> Result<(), String> {
    let body = message(rule, alerts).to_string();
    let status = caller.post_json(webhook, body, PATIENCE).await?;
    if status < 300 { Ok(()) } else { Err(format!("the webhook answered {status}")) }
}

fn message(rule: &Rule, alerts: &[&Alert]) -> Value {
    let firing = alerts.iter().any(|alert| alert.state == State::Firing);
    let mut common = Map::new();
    common.insert("alertname".into(), rule.name.clone().into());
    common.extend(rule.labels.iter().map(|(name, value)| (name.clone(), value.clone().into())));
    let mut annotations = Map::new();
    annotations.extend(rule.summary.iter().map(|summary| ("summary".to_owned(), summary.clone().into())));
    let told: Vec<Value> = alerts
        .iter()
        .map(|alert| {
            let mut labels = common.clone();
            labels.extend(alert.labels.iter().map(|(name, value)| (name.clone(), value.clone().into())));
            let mut annotations = annotations.clone();
            annotations.insert("value".into(), alert.value.clone().into());
            let time = |nanos: i64| rfc3339(Timestamp::from_nanos(nanos));
            let (status, ends) = match alert.state {
                State::Resolved => ("resolved", time(alert.since)),
                State::Firing | State::Pending => ("firing", "0001-01-01T00:00:00Z".to_owned()),
            };
            json!({
                "status": status,
                "fingerprint": format!("{:08x}", crc32c(super::alert::key(&alert.check, &alert.labels).as_bytes())),
                "labels": labels,
                "annotations": annotations,
                "startsAt": time(alert.fired),
                "endsAt": ends,
                "generatorURL": "",
            })
        })
        .collect();
    json!({
        "version": "4",
        "groupKey": format!("{{}}:{{alertname={:?}}}", rule.name),
        "truncatedAlerts": 0,
        "status": if firing { "firing" } else { "resolved" },
        "receiver": "isopoint",
        "groupLabels": { "alertname": rule.name },
        "commonLabels": common,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": told,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_alertmanagers() {
        let text = "[[check]]\nname = 'c'\nquery = 'q'\nabove = 1\nlabels = { severity = 'page' }\nsummary = 's'";
        let rule = super::super::rules::parse(text).unwrap().remove(0);
        let alert = Alert {
            check: "c".into(),
            labels: [("host".to_owned(), "a".to_owned())].into(),
            state: State::Resolved,
            since: 2_000_000_000,
            fired: 1_000_000_000,
            value: "1.50".into(),
            told: false,
        };
        let message = message(&rule, &[&alert]);
        assert_eq!((message["version"].as_str(), message["status"].as_str()), (Some("4"), Some("resolved")));
        let told = &message["alerts"][0];
        assert_eq!(told["labels"], json!({ "alertname": "c", "severity": "page", "host": "a" }));
        assert_eq!(told["annotations"], json!({ "summary": "s", "value": "1.50" }));
        assert_eq!(
            (told["startsAt"].as_str(), told["endsAt"].as_str()),
            (Some("1970-01-01T00:00:01Z"), Some("1970-01-01T00:00:02Z"))
        );
    }
}
