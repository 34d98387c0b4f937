//! Series whose values depend on absolute time only.

use super::super::frame::{DataFrame, Field};
use super::super::json::Json;
use super::{Answered, Asked, MAX_POINTS, MAX_SERIES, done, labels, number};

/// A value, `"null"` or `"nan"`.
fn value(json: Option<&Json>) -> Option<f64> {
    match json {
        Some(Json::Text(text)) => word(text.trim()),
        Some(json) => number(json),
        None => Some(0.0),
    }
}

fn word(text: &str) -> Option<f64> {
    match text {
        "null" => None,
        "nan" => Some(f64::NAN),
        text => text.parse().ok(),
    }
}

/// Instants from the range's start, rounded down to the step.
fn instants(asked: Asked<'_>, step: i64) -> Vec<i64> {
    let start = asked.range.from.saturating_sub(asked.range.from.rem_euclid(step));
    let steps = std::iter::successors(Some(start), |at| at.checked_add(step));
    steps.take_while(|at| *at < asked.range.to).take(MAX_POINTS).collect()
}

/// Milliseconds of a step; `None` when it is none.
fn step(json: &Json) -> Option<i64> {
    let millis = number(json.get("timeStep")?)? * 1000.0;
    if (1.0..9e15).contains(&millis) { Some(millis as i64) } else { None }
}

pub(crate) fn pulse(asked: Asked<'_>) -> Answered {
    let empty = Json::Null;
    let wave = asked.model.get("pulseWave").unwrap_or(&empty);
    let (on, off) = (wave.int_of("onCount").unwrap_or(0).max(0), wave.int_of("offCount").unwrap_or(0).max(0));
    let Some(step) = step(wave) else { return done(Vec::new()) };
    let Some(period) = on.checked_add(off).and_then(|count| step.checked_mul(count)).filter(|period| *period > 0)
    else {
        return done(Vec::new());
    };
    let (high, low) = (value(wave.get("onValue")), value(wave.get("offValue")));
    let times = instants(asked, step);
    let values = times.iter().map(|at| if at.rem_euclid(period) / step < on { high } else { low });
    let value = Field::floats("Value", values.collect()).labelled(labels(asked.text("labels"), 0));
    done(vec![DataFrame::new(asked.series_name(0), vec![Field::time("Time", times), value])])
}

pub(crate) fn csv_wave(asked: Asked<'_>) -> Answered {
    let mut frames = Vec::new();
    for (at, wave) in asked.model.get("csvWave").map(Json::list).unwrap_or_default().iter().enumerate() {
        if at as i64 >= MAX_SERIES {
            break;
        }
        let list = wave.text_of("valuesCSV").trim();
        let cells: Vec<&str> = list.strip_suffix(',').unwrap_or(list).split(',').map(str::trim).collect();
        if cells.iter().any(|cell| !matches!(*cell, "null" | "nan") && cell.parse::<f64>().is_err()) {
            return Err("a value does not parse".to_owned());
        }
        let Some(step) = step(wave) else { continue };
        let Some(period) = step.checked_mul(cells.len() as i64) else { continue };
        let times = instants(asked, step);
        let values = times.iter().map(|time| word(cells[(time.rem_euclid(period) / step) as usize]));
        let name = match wave.text_of("name") {
            "" => asked.series_name(at),
            name => name.to_owned(),
        };
        let value = Field::floats("Value", values.collect()).labelled(labels(wave.text_of("labels"), at));
        frames.push(DataFrame::new(name, vec![Field::time("Time", times), value]));
    }
    done(frames)
}
