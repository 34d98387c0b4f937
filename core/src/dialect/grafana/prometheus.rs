//! Prometheus data sources: steps, macros, calls, and answers as frames.

use super::errand_fault;
use super::frame::{DataFrame, Field, Labels, Meta, Times, Values};
use super::json::{Json, object};
use super::outcome::{Fault, Outcome};
use super::outgoing::Outgoing;
use super::record::Record;
use super::times::{Range, duration, go_text};
use super::url::form;
use crate::dialect::errand::{ErrandError, HttpCall, Told};
use crate::order::sort_few;

/// One call for a query; a query may need two.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expression {
    text: String,
    instant: bool,
    step: i64,
    range: Range,
    legend: String,
}

/// What a query is made with besides its model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    pub(crate) range: Range,
    pub(crate) interval_millis: i64,
    pub(crate) max_data_points: i64,
}

/// The calls of a query: a range, an instant, or both.
pub(crate) fn read(record: &Record, model: &Json, context: Context) -> Result<Vec<Expression>, Fault> {
    let expr = model.text_of("expr");
    if expr.is_empty() {
        return Err(Fault::plugin(400, "the query has no expression"));
    }
    let flag = |name: &str| model.get(name).and_then(Json::bool).unwrap_or(false);
    let scrape = duration(record.json_data.text_of("timeInterval")).filter(|scrape| *scrape > 0).unwrap_or(15_000);
    let step = step(model, scrape, context);
    let offset = model.int_of("utcOffsetSec").unwrap_or(0).saturating_mul(1000);
    let align = |at: i64| at.saturating_sub(at.saturating_add(offset).rem_euclid(step));
    let range = Range { from: align(context.range.from), to: align(context.range.to) };
    let text = macros(expr, step, scrape, context.range);
    let one = |instant: bool| Expression {
        text: text.clone(),
        instant,
        step,
        range: if instant { context.range } else { range },
        legend: model.text_of("legendFormat").to_owned(),
    };
    let mut wanted = Vec::new();
    if flag("range") || !flag("instant") {
        wanted.push(one(false));
    }
    if flag("instant") {
        wanted.push(one(true));
    }
    Ok(wanted)
}

/// The step in milliseconds: not below the minimum, friendly, and with less than 11000 points in the range.
fn step(model: &Json, scrape: i64, context: Context) -> i64 {
    let of_query = duration(model.text_of("interval")).filter(|interval| *interval > 0);
    let asked = Some(context.interval_millis).filter(|interval| *interval > 0);
    let minimum = of_query.or(asked).unwrap_or(scrape);
    let factor = model.int_of("intervalFactor").unwrap_or(1).max(1);
    let minimum = minimum.saturating_mul(factor);
    let length = context.range.length();
    let calculated = friendly(length / context.max_data_points.max(1));
    let safest = (length / 11_000).saturating_add(1);
    let safe = if length / minimum.max(1) >= 11_000 { friendly(safest) } else { 0 };
    minimum.max(calculated).max(safe).max(1)
}

/// Grafana's table of intervals that people like.
fn friendly(millis: i64) -> i64 {
    const S: i64 = 1000;
    const M: i64 = 60 * S;
    const H: i64 = 60 * M;
    const D: i64 = 24 * H;
    const TABLE: [(i64, i64); 29] = [
        (10, 1),
        (15, 10),
        (35, 20),
        (75, 50),
        (150, 100),
        (350, 200),
        (750, 500),
        (1500, S),
        (3500, 2 * S),
        (7500, 5 * S),
        (12_500, 10 * S),
        (17_500, 15 * S),
        (25_000, 20 * S),
        (45_000, 30 * S),
        (90 * S, M),
        (210 * S, 2 * M),
        (450 * S, 5 * M),
        (750 * S, 10 * M),
        (1050 * S, 15 * M),
        (25 * M, 20 * M),
        (45 * M, 30 * M),
        (90 * M, H),
        (150 * M, 2 * H),
        (270 * M, 3 * H),
        (9 * H, 6 * H),
        (D, 12 * H),
        (7 * D, D),
        (21 * D, 7 * D),
        (730 * D, 30 * D),
    ];
    TABLE.iter().find(|(below, _)| millis <= *below).map_or(365 * D, |(_, interval)| *interval)
}

fn macros(expr: &str, step: i64, scrape: i64, range: Range) -> String {
    let seconds = range.length() / 1000;
    // The longer name first where one begins with another.
    let values = [
        ("__interval_ms", step.to_string()),
        ("__interval", prometheus_duration(step)),
        ("__rate_interval", prometheus_duration((step + scrape).max(4 * scrape))),
        ("__range_ms", range.length().to_string()),
        ("__range_s", seconds.to_string()),
        ("__range", format!("{seconds}s")),
    ];
    let mut text = expr.to_owned();
    for (name, value) in &values {
        text = text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value);
    }
    text
}

/// `90s`, `1500ms`: one unit, whole.
fn prometheus_duration(millis: i64) -> String {
    if millis % 1000 == 0 { format!("{}s", millis / 1000) } else { format!("{millis}ms") }
}

/// Seconds with three digits at most.
fn seconds(millis: i64) -> String {
    let (whole, rest) = (millis.div_euclid(1000), millis.rem_euclid(1000));
    if rest == 0 { whole.to_string() } else { format!("{whole}.{rest:03}") }
}

pub(crate) fn call(record: &Record, outgoing: &Outgoing, path: &str, parameters: &[(&str, &str)]) -> HttpCall {
    let custom = record.json_data.text_of("customQueryParameters").trim_start_matches(['?', '&']);
    if record.json_data.text_of("httpMethod").eq_ignore_ascii_case("GET") {
        let mut query = form(parameters);
        if !custom.is_empty() {
            query += &format!("&{custom}");
        }
        return outgoing.call("GET", path, &query, None);
    }
    outgoing.call("POST", path, custom, Some(form(parameters)))
}

impl Expression {
    pub(crate) fn call(&self, record: &Record, outgoing: &Outgoing) -> HttpCall {
        let (from, to) = (seconds(self.range.from), seconds(self.range.to));
        if self.instant {
            return call(record, outgoing, "api/v1/query", &[("query", &self.text), ("time", &to)]);
        }
        let step = seconds(self.step);
        let parameters = [("query", self.text.as_str()), ("start", &from), ("end", &to), ("step", &step)];
        call(record, outgoing, "api/v1/query_range", &parameters)
    }

    pub(crate) fn outcome(&self, told: Result<Told, ErrandError>) -> Outcome {
        match data(told).and_then(|data| self.frames(&data)) {
            Ok(frames) => frames.into(),
            Err(fault) => fault.into(),
        }
    }

    fn frames(&self, data: &Json) -> Result<Vec<DataFrame>, Fault> {
        let result = data.get("result").unwrap_or(&Json::Null);
        let (result_type, kind) = match data.text_of("resultType") {
            "matrix" => ("matrix", "timeseries-multi"),
            "vector" => ("vector", "numeric-multi"),
            "scalar" => ("scalar", "numeric-multi"),
            other => return Err(Fault::downstream(502, format!("unknown result type {other:?}"))),
        };
        let mut frames = Vec::new();
        if result_type == "scalar" {
            frames.push(self.series(&Json::Null, std::slice::from_ref(result)));
        } else {
            for one in result.list() {
                let metric = one.get("metric").unwrap_or(&Json::Null);
                let value = one.get("value").map(std::slice::from_ref);
                frames.push(self.series(metric, value.or(one.get("values").map(Json::list)).unwrap_or_default()));
            }
        }
        if frames.is_empty() {
            frames.push(DataFrame::default());
        }
        for frame in &mut frames {
            let custom = Some(object([("resultType", result_type.into())]));
            frame.meta = Some(Meta { kind, version: [0, 1], custom, ..Meta::default() });
        }
        if let Some(meta) = frames.first_mut().and_then(|frame| frame.meta.as_mut()) {
            meta.executed = format!("Expr: {}\nStep: {}", self.text, go_text(self.step));
        }
        Ok(frames)
    }

    fn series(&self, metric: &Json, samples: &[Json]) -> DataFrame {
        let mut labels = Labels::new();
        for (name, value) in metric.members() {
            labels.push((name.clone(), value.text().unwrap_or_default().to_owned()));
        }
        sort_few(&mut labels);
        let (mut times, mut values) = (Times::default(), Vec::new());
        for sample in samples {
            let [time, value] = sample.list() else { continue };
            let (Some(secs), Some(value)) = (time.float(), value.text().and_then(number)) else { continue };
            times.push(Some(libm::round(secs * 1000.0) as i64), 0);
            values.push(Some(value));
        }
        let mut time = Field::time("Time", times);
        if !self.instant {
            time.config.interval = Some(self.step);
        }
        let name = metric.text_of("__name__");
        let mut value = Field::new(if name.is_empty() { "Value" } else { name }, Values::Float(values));
        value.config.display_name_from_ds = self.display_name(name, &labels);
        value.labels = Some(labels);
        DataFrame::new("", vec![time, value])
    }

    fn display_name(&self, name: &str, labels: &Labels) -> String {
        match self.legend.as_str() {
            "__auto" => String::new(),
            "" => {
                let mut text = name.to_owned();
                let mut mark = "{";
                for (label, value) in labels {
                    if label != "__name__" {
                        text += &format!("{mark}{label}={value:?}");
                        mark = ", ";
                    }
                }
                match (mark, text.is_empty()) {
                    ("{", true) => self.text.clone(),
                    ("{", false) => text,
                    _ => text + "}",
                }
            }
            legend => {
                let mut text = String::new();
                let mut rest = legend;
                while let Some((before, after)) = rest.split_once("{{") {
                    let Some((label, after)) = after.split_once("}}") else { break };
                    text += before;
                    let value = labels.iter().find(|(known, _)| known == label.trim());
                    text += value.map_or("", |(_, value)| value);
                    rest = after;
                }
                text + rest
            }
        }
    }
}

/// A sample's text.
fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        text => text.parse().ok(),
    }
}

/// `data` of an answer that says success.
pub(crate) fn data(told: Result<Told, ErrandError>) -> Result<Json, Fault> {
    let reply = match told {
        Ok(Told::Http(reply)) => reply,
        Ok(Told::Waited) => return Err(Fault::plugin(500, "no answer")),
        Err(error) => return Err(errand_fault(&error)),
    };
    let body = Json::parse(&reply.body).unwrap_or_default();
    if body.text_of("status") == "success" {
        return Ok(body.get("data").cloned().unwrap_or_default());
    }
    let status = if (200..300).contains(&reply.status) { 502 } else { reply.status };
    let message = match (body.text_of("errorType"), body.text_of("error")) {
        ("", "") => format!("status {}: not an answer of Prometheus", reply.status),
        (kind, error) => format!("{kind}: {error}"),
    };
    Err(Fault::downstream(status, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::errand::HttpReply;

    const CONTEXT: Context = Context {
        range: Range { from: 1_600_000_000_000, to: 1_600_003_600_000 },
        interval_millis: 0,
        max_data_points: 100,
    };

    fn one(model: &str) -> Expression {
        read(&Record::default(), &Json::parse(model.as_bytes()).unwrap(), CONTEXT).unwrap().remove(0)
    }

    #[test]
    fn steps_are_friendly_and_ranges_are_aligned() {
        let expression = one(r#"{"expr":"rate(x[$__rate_interval]) $__interval ${__interval_ms} $__range_s"}"#);
        assert_eq!(expression.text, "rate(x[60s]) 30s 30000 3600");
        assert_eq!((expression.step, expression.range.from % 30_000, expression.instant), (30_000, 0, false));
        assert_eq!(one(r#"{"expr":"x","interval":"2m","intervalFactor":2}"#).step, 240_000);
        assert_eq!(friendly(i64::MAX), 365 * 86_400_000);
    }

    #[test]
    fn answers_become_frames_with_what_numbers_cannot_say() {
        let body = r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"m","b":"2","a":"1"},
            "values":[[1.5,"NaN"],[2,"+Inf"],[3,"1e3"],[4],["x","1"]]}]}}"#;
        let told = |body: &'static str| Ok(Told::Http(HttpReply { status: 200, headers: vec![], body: body.into() }));
        let outcome = one(r#"{"expr":"m"}"#).outcome(told(body));
        let value = &outcome.frames[0].fields[1];
        assert_eq!((value.name.as_str(), value.config.display_name_from_ds.as_str()), ("m", "m{a=\"1\", b=\"2\"}"));
        assert_eq!(outcome.frames[0].rows(), 3);
        let expression = one(r#"{"expr":"m","legendFormat":"{{a}}-{{ c }}-{{b"}"#);
        let outcome = expression.outcome(told(body));
        assert_eq!(outcome.frames[0].fields[1].config.display_name_from_ds, "1--{{b");
        let failed = expression.outcome(told("{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"x\"}"));
        assert_eq!(failed.fault.unwrap().message, "bad_data: x");
        let empty =
            expression.outcome(told("{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]}}"));
        assert_eq!((empty.frames.len(), empty.frames[0].fields.len()), (1, 0));
    }
}
