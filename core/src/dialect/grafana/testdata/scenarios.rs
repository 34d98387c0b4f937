//! The table of scenarios, in the order of their ids, and the short ones.

use super::super::frame::{DataFrame, Field, Meta, Values};
use super::super::json::Json;
use super::super::outcome::{Fault, Outcome};
use super::super::times::go_duration;
use super::{Answer, Answered, Asked, LONGEST_WAIT, MAX_SERIES, csv, done, labels, tables, waves};
use crate::dialect::grafana::json::object;

pub(crate) struct Scenario {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) input: &'static str,
    pub(crate) answer: fn(Asked<'_>) -> Answered,
}

const fn scenario(
    id: &'static str,
    name: &'static str,
    description: &'static str,
    input: &'static str,
    answer: fn(Asked<'_>) -> Answered,
) -> Scenario {
    Scenario { id, name, description, input, answer }
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("annotations", "Annotations", "", "", nothing),
    scenario("arrow", "Load Apache Arrow Data", "", "", nothing),
    scenario("csv_content", "CSV Content", "", "", csv::content),
    scenario("csv_file", "CSV File", "", "", nothing),
    scenario("csv_metric_values", "CSV Metric Values", "", "1,20,90,30,5,0", csv::metric_values),
    scenario("datapoints_outside_range", "Datapoints Outside Range", "", "", outside_range),
    scenario("error_with_source", "Error with source", "", "", error_with_source),
    scenario("exponential_heatmap_bucket_data", "Exponential heatmap bucket data", "", "", tables::exponential_heatmap),
    scenario("grafana_api", "Grafana API", "", "", nothing),
    scenario("linear_heatmap_bucket_data", "Linear heatmap bucket data", "", "", tables::linear_heatmap),
    scenario("live", "Grafana Live", "", "", nothing),
    scenario("logs", "Logs", "", "", tables::logs),
    scenario("no_data_points", "No Data Points", "", "", nothing),
    scenario(
        "predictable_csv_wave",
        "Predictable CSV Wave",
        "The values of a list, over and over, by absolute time",
        "",
        waves::csv_wave,
    ),
    scenario(
        "predictable_pulse",
        "Predictable Pulse",
        "On and off by absolute time, so that the same range has the same points",
        "",
        waves::pulse,
    ),
    scenario("query_meta", "Query Metadata", "", "", query_meta),
    scenario("random_walk", "Random Walk", "", "", random_walk),
    scenario("random_walk_table", "Random Walk Table", "", "", tables::random_walk_table),
    scenario("random_walk_with_error", "Random Walk (with error)", "", "", random_walk_with_error),
    scenario("server_error_500", "Conditional Error", "", "1,20,90,30,5,0", server_error),
    scenario("slow_query", "Slow Query", "", "5s", slow_query),
    scenario("steps", "Steps", "", "", nothing),
    scenario("streaming_client", "Streaming Client", "", "", nothing),
    scenario("table_static", "Table Static", "", "", tables::table_static),
];

pub(crate) fn find(id: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.id == id)
}

fn nothing(_: Asked<'_>) -> Answered {
    Ok(Answer::Nothing)
}

fn walks(asked: Asked<'_>) -> Vec<DataFrame> {
    let count = asked.model.int_of("seriesCount").unwrap_or(1).clamp(0, MAX_SERIES);
    (0..count as usize).map(|series| walk(asked, series)).collect()
}

fn walk(asked: Asked<'_>, series: usize) -> DataFrame {
    let mut random = asked.random(series);
    let number = |name: &str| asked.number(name);
    let mut walker = number("startValue").unwrap_or_else(|| random.float() * 100.0);
    let (spread, noise) = (number("spread").unwrap_or(1.0), number("noise").unwrap_or(0.0));
    let (min, max) = (number("min"), number("max"));
    let drop = number("dropPercent").unwrap_or(0.0).clamp(0.0, 100.0) / 100.0;
    let clamp = |value: f64| {
        let value = min.map_or(value, |min| value.max(min));
        max.map_or(value, |max| value.min(max))
    };
    let (mut times, mut values) = (Vec::new(), Vec::new());
    for at in asked.instants(asked.interval()) {
        let value = clamp(walker + random.float() * noise);
        walker = clamp(walker);
        if drop <= 0.0 || random.float() >= drop {
            times.push(at);
            values.push(Some(value));
        }
        walker += (random.float() - 0.5) * spread;
    }
    let mut time = Field::time("time", times);
    time.config.interval = Some(asked.interval());
    let value = Field::floats(&asked.series_name(series), values).labelled(labels(asked.text("labels"), series));
    let custom = Some(object([("customStat", Json::Int(10))]));
    let meta = Meta { kind: "timeseries-multi", custom, ..Meta::default() };
    DataFrame { meta: Some(meta), ..DataFrame::new("", vec![time, value]) }
}

fn random_walk(asked: Asked<'_>) -> Answered {
    done(walks(asked))
}

fn random_walk_with_error(asked: Asked<'_>) -> Answered {
    let fault = Fault::plugin(500, "this is an error and it can include URLs http://grafana.com/");
    Ok(Answer::Done(Outcome { frames: walks(asked), fault: Some(fault) }))
}

fn slow_query(asked: Asked<'_>) -> Answered {
    let nanos = go_duration(asked.text("stringInput").trim()).ok_or("the duration does not parse")?;
    let millis = (nanos / 1_000_000).clamp(0, LONGEST_WAIT) as u64;
    Ok(Answer::After { millis, outcome: walks(asked).into() })
}

fn outside_range(asked: Asked<'_>) -> Answered {
    let times = vec![asked.range.from.saturating_sub(3_600_000)];
    let value = Field::new("Value", Values::Float(vec![Some(10.0)]));
    done(vec![DataFrame::new(asked.series_name(0), vec![Field::time("Time", times), value])])
}

fn query_meta(asked: Asked<'_>) -> Answered {
    let text = |name: &str, text: &str| Field::new(name, Values::Text(vec![Some(text.to_owned())]));
    done(vec![DataFrame::new("", vec![text("keys", "username"), text("values", asked.login)])])
}

fn error_with_source(asked: Asked<'_>) -> Answered {
    let downstream = asked.text("errorSource") == "downstream";
    Ok(Answer::Done(Fault { downstream, ..Fault::plugin(500, "error") }.into()))
}

fn server_error(asked: Asked<'_>) -> Answered {
    if asked.text("stringInput").is_empty() {
        let fault = Fault { crash: true, ..Fault::plugin(500, "An error occurred within the plugin") };
        return Ok(Answer::Done(fault.into()));
    }
    csv::metric_values(asked)
}
