//! Graphite data sources: `/render` and its answer.

use super::errand_fault;
use super::frame::{DataFrame, Field, Labels};
use super::json::Json;
use super::outcome::{Fault, Outcome};
use super::outgoing::Outgoing;
use super::times::Range;
use super::url::form;
use crate::dialect::errand::{ErrandError, HttpCall, Told};
use crate::order::sort_few;

/// The call of a query, in whole seconds.
pub(crate) fn call(outgoing: &Outgoing, model: &Json, range: Range, max_data_points: i64) -> Result<HttpCall, Fault> {
    let target = match model.text_of("targetFull") {
        "" => model.text_of("target"),
        full => full,
    };
    if target.is_empty() {
        return Err(Fault::plugin(400, "no query target found"));
    }
    let (from, until) = (range.from.div_euclid(1000).to_string(), range.to.div_euclid(1000).to_string());
    let points = max_data_points.max(1).to_string();
    let parameters = [
        ("target", target),
        ("from", from.as_str()),
        ("until", until.as_str()),
        ("format", "json"),
        ("maxDataPoints", points.as_str()),
    ];
    Ok(outgoing.call("POST", "render", "", Some(form(&parameters))))
}

pub(crate) fn health_call(outgoing: &Outgoing) -> HttpCall {
    let parameters = [
        ("target", "constantLine(100)"),
        ("from", "-5min"),
        ("until", "now"),
        ("format", "json"),
        ("maxDataPoints", "10"),
    ];
    outgoing.call("POST", "render", "", Some(form(&parameters)))
}

pub(crate) fn outcome(told: Result<Told, ErrandError>) -> Outcome {
    match frames(told) {
        Ok(frames) => frames.into(),
        Err(fault) => fault.into(),
    }
}

pub(crate) fn frames(told: Result<Told, ErrandError>) -> Result<Vec<DataFrame>, Fault> {
    let reply = match told {
        Ok(Told::Http(reply)) => reply,
        Ok(Told::Waited) => return Err(Fault::plugin(500, "no answer")),
        Err(error) => return Err(errand_fault(&error)),
    };
    if !(200..300).contains(&reply.status) {
        return Err(Fault::downstream(reply.status, format!("request failed, status: {}", reply.status)));
    }
    let body = Json::parse(&reply.body).map_err(|_| Fault::downstream(502, "Graphite's answer is not JSON"))?;
    let mut frames = Vec::new();
    for series in body.list() {
        let (mut times, mut values) = (Vec::new(), Vec::new());
        for point in series.get("datapoints").map(Json::list).unwrap_or_default() {
            let [value, secs] = point.list() else { continue };
            let Some(secs) = secs.int() else { continue };
            times.push(secs.saturating_mul(1000));
            values.push(value.float());
        }
        let mut labels = Labels::new();
        for (name, value) in series.get("tags").map(Json::members).unwrap_or_default() {
            let text =
                value.text().map_or_else(|| String::from_utf8(value.to_bytes()).unwrap_or_default(), str::to_owned);
            labels.push((name.clone(), text));
        }
        sort_few(&mut labels);
        let target = series.text_of("target");
        let mut value = Field::floats("value", values).labelled(labels);
        value.config.display_name_from_ds = target.to_owned();
        frames.push(DataFrame::new(target, vec![Field::time("time", times), value]));
    }
    Ok(frames)
}
