//! The answer of an API to a check's request, as readings: of every series its last value, in the answer's own digits.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The last value of a series that is not null.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reading {
    pub labels: BTreeMap<String, String>,
    pub value: Option<f64>,
    /// As the answer prints it.
    pub text: String,
}

/// The error is why the answer is none.
pub(crate) fn readings(path: &str, status: u16, body: &[u8]) -> Result<Vec<Reading>, String> {
    let said = || String::from_utf8_lossy(&body[..body.len().min(300)]).trim().to_owned();
    if status >= 300 {
        return Err(format!("status {status}: {}", said()));
    }
    let strange = |why: serde_json::Error| format!("not an answer of {path}: {why}: {}", said());
    if path == "/query" {
        return influx(serde_json::from_slice(body).map_err(strange)?);
    }
    if path.starts_with("/api/ds/") {
        return grafana(serde_json::from_slice(body).map_err(strange)?);
    }
    if path == "/api/v1/query" {
        return datadog(serde_json::from_slice(body).map_err(strange)?);
    }
    Ok(facette(serde_json::from_slice(body).map_err(strange)?))
}

#[derive(Deserialize)]
struct Influx<'a> {
    error: Option<String>,
    #[serde(borrow, default)]
    results: Vec<InfluxResult<'a>>,
}

#[derive(Deserialize)]
struct InfluxResult<'a> {
    error: Option<String>,
    #[serde(borrow, default)]
    series: Vec<InfluxSeries<'a>>,
}

#[derive(Deserialize)]
struct InfluxSeries<'a> {
    name: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(borrow, default)]
    values: Vec<Vec<&'a RawValue>>,
}

fn influx(answer: Influx<'_>) -> Result<Vec<Reading>, String> {
    let mut readings = Vec::new();
    let errors = answer.results.iter().filter_map(|result| result.error.as_ref());
    if let Some(error) = answer.error.as_ref().or_else(|| errors.into_iter().next()) {
        return Err(error.clone());
    }
    for series in answer.results.into_iter().flat_map(|result| result.series) {
        let mut labels = series.tags;
        labels.extend(series.name.map(|name| ("measurement".to_owned(), name)));
        // The column after the time.
        readings.push(last(labels, series.values.iter().map(|row| row.get(1).copied())));
    }
    Ok(readings)
}

#[derive(Deserialize)]
struct Datadog<'a> {
    error: Option<String>,
    #[serde(borrow, default)]
    series: Vec<DatadogSeries<'a>>,
}

#[derive(Deserialize)]
struct DatadogSeries<'a> {
    expression: Option<String>,
    #[serde(default)]
    tag_set: Vec<String>,
    #[serde(borrow, default)]
    pointlist: Vec<Vec<&'a RawValue>>,
}

fn datadog(answer: Datadog<'_>) -> Result<Vec<Reading>, String> {
    if let Some(error) = answer.error.filter(|error| !error.is_empty()) {
        return Err(error);
    }
    let reading = |series: DatadogSeries<'_>| {
        let pair = |tag: &String| tag.split_once(':').map(|(key, value)| (key.to_owned(), value.to_owned()));
        let mut labels: BTreeMap<_, _> = series.tag_set.iter().filter_map(pair).collect();
        labels.extend(series.expression.map(|expression| ("expression".to_owned(), expression)));
        last(labels, series.pointlist.iter().map(|point| point.get(1).copied()))
    };
    Ok(answer.series.into_iter().map(reading).collect())
}

#[derive(Deserialize)]
struct Facette<'a> {
    #[serde(borrow, default)]
    series: Vec<FacetteSeries<'a>>,
}

#[derive(Deserialize)]
struct FacetteSeries<'a> {
    name: Option<String>,
    #[serde(borrow, default)]
    points: Vec<Vec<&'a RawValue>>,
}

fn facette(answer: Facette<'_>) -> Vec<Reading> {
    let reading = |series: FacetteSeries<'_>| {
        let labels = series.name.map(|name| ("series".to_owned(), name)).into_iter().collect();
        last(labels, series.points.iter().map(|point| point.get(1).copied()))
    };
    answer.series.into_iter().map(reading).collect()
}

#[derive(Deserialize)]
struct Grafana<'a> {
    #[serde(borrow, default)]
    results: BTreeMap<String, GrafanaResult<'a>>,
}

#[derive(Deserialize)]
struct GrafanaResult<'a> {
    error: Option<String>,
    #[serde(borrow, default)]
    frames: Vec<GrafanaFrame<'a>>,
}

#[derive(Deserialize)]
struct GrafanaFrame<'a> {
    schema: GrafanaSchema,
    #[serde(borrow)]
    data: GrafanaData<'a>,
}

#[derive(Deserialize)]
struct GrafanaSchema {
    #[serde(default)]
    fields: Vec<GrafanaField>,
}

#[derive(Deserialize)]
struct GrafanaField {
    #[serde(default)]
    name: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct GrafanaData<'a> {
    #[serde(borrow, default)]
    values: Vec<Vec<&'a RawValue>>,
}

fn grafana(answer: Grafana<'_>) -> Result<Vec<Reading>, String> {
    let mut readings = Vec::new();
    for (name, result) in answer.results {
        if let Some(error) = result.error {
            return Err(format!("{name}: {error}"));
        }
        for frame in result.frames {
            for (field, values) in frame.schema.fields.into_iter().zip(frame.data.values) {
                if field.kind == "number" {
                    let mut labels = field.labels.unwrap_or_default();
                    labels.insert("refId".to_owned(), name.clone());
                    labels.insert("field".to_owned(), field.name);
                    readings.push(last(labels, values.into_iter().map(Some)));
                }
            }
        }
    }
    Ok(readings)
}

fn last<'a>(labels: BTreeMap<String, String>, values: impl Iterator<Item = Option<&'a RawValue>>) -> Reading {
    let mut found = None;
    for raw in values.flatten().map(RawValue::get) {
        if let Ok(value) = raw.parse::<f64>() {
            found = Some((value, raw));
        }
    }
    let (value, text) = found.map_or((None, "no data"), |(value, raw)| (Some(value), raw));
    Reading { labels, value, text: text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, body: &str, expected: &[(&str, &str)]) {
        let read = readings(path, 200, body.as_bytes()).unwrap();
        let shown: Vec<(String, &str)> = read
            .iter()
            .map(|reading| {
                let labels = reading.labels.iter().map(|(key, value)| format!("{key}={value}"));
                (labels.collect::<Vec<_>>().join(","), reading.text.as_str())
            })
            .collect();
        let shown: Vec<(&str, &str)> = shown.iter().map(|(labels, text)| (labels.as_str(), *text)).collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn every_api_gives_its_last_values_in_its_own_digits() {
        check(
            "/query",
            r#"{"results":[{"statement_id":0,"series":[{"name":"m","tags":{"host":"a"},"columns":["time","mean"],
               "values":[[1,90.50],[2,1e21],[3,null]]},{"name":"m","tags":{"host":"b"},"columns":["time","mean"]}]}]}"#,
            &[("host=a,measurement=m", "1e21"), ("host=b,measurement=m", "no data")],
        );
        check(
            "/api/v1/query",
            r#"{"status":"ok","series":[{"expression":"avg:x","tag_set":["host:a"],"pointlist":[[1.0,2.0],[2.0,3.0]]}]}"#,
            &[("expression=avg:x,host=a", "3.0")],
        );
        check(
            "/api/v1/series/points",
            r#"{"start":"x","series":[{"name":"cpu","points":[["t",1.5],["t",null]],"summary":{"min":1}}]}"#,
            &[("series=cpu", "1.5")],
        );
        check(
            "/api/ds/query",
            r#"{"results":{"A":{"status":200,"frames":[{"schema":{"fields":[{"name":"Time","type":"time"},
               {"name":"v","type":"number","labels":{"h":"a"}}]},"data":{"values":[[1,2],[3,4]]}}]}}}"#,
            &[("field=v,h=a,refId=A", "4")],
        );
    }

    #[test]
    fn an_error_is_no_reading() {
        let why = |path: &str, status, body: &str| readings(path, status, body.as_bytes()).unwrap_err();
        assert_eq!(why("/query", 200, r#"{"results":[{"error":"database not found: x"}]}"#), "database not found: x");
        assert!(why("/query", 401, "no").contains("401"));
        assert!(why("/query", 200, "<html>").contains("not an answer"));
        assert_eq!(why("/api/v1/query", 200, r#"{"error":"bad query"}"#), "bad query");
    }
}
