//! Bodies of submissions to series. Errors name the series by its place in the body.

use crate::dialect::datadog::metadata::Type;
use crate::dialect::datadog::points::Submitted;
use crate::dialect::datadog::protobuf::{Broken, Message, Wire, numbers, zigzag};
use serde_json::{Map, Value};

/// Values that one sketch is unfolded to at most.
const LARGEST_SKETCH: u64 = 1 << 20;

type Object = Map<String, Value>;

/// `{"series":[{"metric", "points":[[secs, value]], "type", "interval", "host", "device", "tags"}]}`
pub(super) fn v1(body: &[u8]) -> Result<Vec<Submitted>, String> {
    each_series(body, |members| {
        let kind = match members.get("type") {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) if name.is_empty() => None,
            Some(Value::String(name)) => Some(kind(name)?),
            Some(_) => return Err("type is no text".to_owned()),
        };
        let mut points = Vec::new();
        for point in list(members, "points")?.ok_or("points are missing")? {
            let (time, value) = pair(point)?;
            add(&mut points, time, value)?;
        }
        Ok(Submitted { kind, points, ..common(members)? })
    })
}

/// `{"series":[{"metric", "points":[{"timestamp", "value"}], "type": 0…3, "interval", "unit", "resources", "tags"}]}`
///
/// An empty body asks whether anybody is there.
pub(super) fn v2(body: &[u8]) -> Result<Vec<Submitted>, String> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    each_series(body, |members| {
        let kind = match members.get("type") {
            None | Some(Value::Null) => None,
            Some(number) => kind_of_number(number.as_i64().ok_or("type is no whole number")?)?,
        };
        let mut points = Vec::new();
        for point in list(members, "points")?.ok_or("points are missing")? {
            let Value::Object(point) = point else { return Err("a point is no object".to_owned()) };
            let time = point.get("timestamp").ok_or("a point has no timestamp")?;
            let value = point.get("value").ok_or("a point has no value")?;
            add(&mut points, time, value)?;
        }
        let mut series = Submitted { kind, points, ..common(members)? };
        for resource in list(members, "resources")?.unwrap_or_default() {
            let part = |name: &str| resource.get(name).and_then(Value::as_str);
            if let (Some(kind), Some(name)) = (part("type"), part("name")) {
                series.tags.push(format!("{kind}:{name}"));
            }
        }
        series.unit = text(members, "unit")?.filter(|unit| !unit.is_empty());
        Ok(series)
    })
}

/// `{"series":[{"metric", "points":[[secs, [value, …]], …], "host", "tags"}]}`
pub(super) fn distributions(body: &[u8]) -> Result<Vec<Submitted>, String> {
    each_series(body, |members| {
        let mut points = Vec::new();
        for point in list(members, "points")?.ok_or("points are missing")? {
            let (time, values) = pair(point)?;
            let Value::Array(values) = values else {
                return Err("a point's second part is no list of values".to_owned());
            };
            for value in values {
                add(&mut points, time, value)?;
            }
        }
        Ok(Submitted { points, distribution: true, ..common(members)? })
    })
}

fn each_series(body: &[u8], read: impl Fn(&Object) -> Result<Submitted, String>) -> Result<Vec<Submitted>, String> {
    let parsed = serde_json::from_slice(body).or_else(|why| match without_infinities(body) {
        Some(body) => serde_json::from_slice(&body),
        None => Err(why),
    });
    let body: Value = parsed.map_err(|why| format!("the body is no JSON: {why}"))?;
    let Some(Value::Array(series)) = body.get("series") else {
        return Err("the body has no list \"series\"".to_owned());
    };
    let read = |(at, series): (usize, &Value)| {
        let Value::Object(members) = series else { return Err(format!("series {at} is no object")) };
        read(members).map_err(|why| {
            let name = members.get("metric").and_then(Value::as_str).unwrap_or("without a metric");
            format!("series {at} ({name}): {why}")
        })
    };
    series.iter().enumerate().map(read).collect()
}

/// Metric, tags, interval.
fn common(members: &Object) -> Result<Submitted, String> {
    let metric = text(members, "metric")?.filter(|name| !name.is_empty()).ok_or("metric is missing")?;
    let mut tags = Vec::new();
    for tag in list(members, "tags")?.unwrap_or_default() {
        tags.push(tag.as_str().ok_or("a tag is no text")?.to_owned());
    }
    for name in ["host", "device"] {
        if let Some(value) = text(members, name)?.filter(|value| !value.is_empty()) {
            tags.push(format!("{name}:{value}"));
        }
    }
    let interval = match members.get("interval") {
        None | Some(Value::Null) => None,
        Some(value) => {
            let secs =
                value.as_f64().filter(|secs| (0.0..=1e9).contains(secs)).ok_or("interval is no number of seconds")?;
            Some(secs as i64).filter(|secs| *secs > 0)
        }
    };
    Ok(Submitted { metric, tags, interval, ..Submitted::default() })
}

fn text(members: &Object, name: &str) -> Result<Option<String>, String> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("{name} is no text")),
    }
}

fn list<'a>(members: &'a Object, name: &str) -> Result<Option<&'a [Value]>, String> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(values)) => Ok(Some(values)),
        Some(_) => Err(format!("{name} is no list")),
    }
}

fn pair(point: &Value) -> Result<(&Value, &Value), String> {
    match point.as_array().map(Vec::as_slice) {
        Some([time, value]) => Ok((time, value)),
        _ => Err("a point is no pair of a time and a value".to_owned()),
    }
}

/// A body with `null` where numbers stand that JSON has not (`NaN`, `Infinity`) or that no double is, as some writers of
/// JSON make them; `None` if there are none.
fn without_infinities(body: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut left, mut changed) = (Vec::with_capacity(body.len()), body, false);
    let in_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
    while let Some(first) = left.first() {
        let end = if *first == b'"' {
            let mut escaped = false;
            let closes = |byte: &u8| {
                let closes = *byte == b'"' && !escaped;
                escaped = *byte == b'\\' && !escaped;
                closes
            };
            left[1..].iter().position(closes).map_or(left.len(), |at| at + 2)
        } else {
            left.iter().position(|byte| !in_word(byte)).map_or(left.len(), |at| at.max(1))
        };
        let (token, rest) = left.split_at(end);
        let text = std::str::from_utf8(token).unwrap_or_default();
        let number =
            text.starts_with(|c: char| c.is_ascii_digit() || c == '-') && text.parse().is_ok_and(f64::is_infinite);
        if number || matches!(text, "NaN" | "Infinity") {
            out.extend_from_slice(b"null");
            changed = true;
        } else {
            out.extend_from_slice(token);
        }
        left = rest;
    }
    changed.then_some(out)
}

/// Adds a point; one without a value is passed over.
fn add(points: &mut Vec<(i64, f64)>, time: &Value, value: &Value) -> Result<(), String> {
    let time = seconds(time)?;
    if !value.is_null() {
        points.push((time, number(value)?));
    }
    Ok(())
}

/// The second that a time is in.
fn seconds(value: &Value) -> Result<i64, String> {
    if let Some(whole) = value.as_i64() {
        return Ok(whole);
    }
    let secs = value.as_f64().filter(|secs| secs.abs() < 1e15).ok_or("a time is no number of seconds")?;
    Ok(secs.floor() as i64)
}

fn number(value: &Value) -> Result<f64, String> {
    value.as_f64().filter(|value| value.is_finite()).ok_or_else(|| format!("a value is no number: {value}"))
}

fn kind(name: &str) -> Result<Type, String> {
    Type::from_name(name)
        .filter(|kind| *kind != Type::Distribution)
        .ok_or_else(|| format!("there is no type {name:?}: a series is a gauge, count or rate"))
}

/// 0 leaves what is known.
fn kind_of_number(number: i64) -> Result<Option<Type>, String> {
    Ok(Some(match number {
        0 => return Ok(None),
        1 => Type::Count,
        2 => Type::Rate,
        3 => Type::Gauge,
        _ => return Err(format!("there is no type {number}: a series is 1 count, 2 rate or 3 gauge")),
    }))
}

/// The Agent's series:
///
/// ```text
/// payload 1 series*     resource 1 type, 2 name     point 1 value (double), 2 timestamp (int64)
/// series  1 resource*, 2 metric, 3 tag*, 4 point*, 5 type, 6 unit, 7 source type, 8 interval, 9 metadata
/// ```
pub(super) fn v2_protobuf(body: &[u8]) -> Result<Vec<Submitted>, String> {
    payload(body, 1, |series| {
        let mut out = Submitted::default();
        let mut message = Message::new(series);
        while let Some((field, wire)) = message.field().map_err(broken)? {
            match field {
                1 => {
                    let (mut kind, mut name) = (String::new(), String::new());
                    each_field(wire, |field, wire| match field {
                        1 => kind = wire.text(),
                        2 => name = wire.text(),
                        _ => {}
                    })?;
                    if !kind.is_empty() && !name.is_empty() {
                        out.tags.push(format!("{kind}:{name}"));
                    }
                }
                2 => out.metric = wire.text(),
                3 => out.tags.push(wire.text()),
                4 => {
                    let (mut value, mut time) = (0.0, 0);
                    each_field(wire, |field, wire| match field {
                        1 => value = wire.double(),
                        2 => time = wire.integer(),
                        _ => {}
                    })?;
                    if value.is_finite() {
                        out.points.push((time, value));
                    }
                }
                5 => out.kind = kind_of_number(wire.integer())?,
                6 => out.unit = Some(wire.text()).filter(|unit| !unit.is_empty()),
                8 => out.interval = Some(wire.integer()).filter(|secs| *secs > 0),
                _ => {}
            }
        }
        Ok(out)
    })
}

/// The Agent's distributions:
///
/// ```text
/// payload 1 sketch*, 2 metadata     sketch 1 metric, 2 host, 4 tag*, 7 dogsketch*
/// dogsketch 1 ts, 2 cnt, 3 min, 4 max, 5 avg, 6 sum, 7 k (packed sint32)*, 8 n (packed uint32)*
/// ```
///
/// A sketch is unfolded to as many values as it counts: those of a bin are what the bin stands for, the least and the
/// greatest are what the sketch says they are.
pub(super) fn sketches(body: &[u8]) -> Result<Vec<Submitted>, String> {
    payload(body, 1, |sketch| {
        let mut out = Submitted { distribution: true, ..Submitted::default() };
        let mut message = Message::new(sketch);
        while let Some((field, wire)) = message.field().map_err(broken)? {
            match field {
                1 => out.metric = wire.text(),
                2 if !wire.bytes().is_empty() => out.tags.push(format!("host:{}", wire.text())),
                4 => out.tags.push(wire.text()),
                7 => unfold(wire, &mut out.points)?,
                _ => {}
            }
        }
        Ok(out)
    })
}

fn unfold(wire: Wire<'_>, points: &mut Vec<(i64, f64)>) -> Result<(), String> {
    let (mut time, mut count, mut min, mut max) = (0, 0_i64, 0.0, 0.0);
    let (mut keys, mut counts) = (Vec::new(), Vec::new());
    let mut failed = Ok(());
    each_field(wire, |field, wire| match field {
        1 => time = wire.integer(),
        2 => count = wire.integer(),
        3 => min = wire.double(),
        4 => max = wire.double(),
        7 => failed = failed.clone().and_then(|()| numbers(wire, &mut keys)),
        8 => failed = failed.clone().and_then(|()| numbers(wire, &mut counts)),
        _ => {}
    })?;
    failed.map_err(broken)?;
    let total = counts.iter().fold(0_u64, |total, count| total.saturating_add(*count));
    if keys.len() != counts.len() || total > LARGEST_SKETCH {
        return Err(format!("a sketch has {} bins, {} counts and {total} values", keys.len(), counts.len()));
    }
    if !min.is_finite() || !max.is_finite() || count < 0 {
        return Err("a sketch's least, greatest or count is no number".to_owned());
    }
    let first = points.len();
    for (key, count) in keys.iter().zip(&counts) {
        let value = bin_value(zigzag(*key)).clamp(min.min(max), max.max(min));
        points.extend((0..*count).map(|_| (time, value)));
    }
    // Bins come in order.
    if let Some((_, least)) = points.get_mut(first) {
        *least = min;
    }
    if points.len() > first + 1
        && let Some((_, greatest)) = points.last_mut()
    {
        *greatest = max;
    }
    Ok(())
}

/// What a bin of the Agent's sketch stands for: γ^(k − bias) with γ = 1 + 2/128; 0 is zero, negative bins mirror.
fn bin_value(key: i64) -> f64 {
    const LEAST: f64 = 1e-9;
    if key == 0 {
        return 0.0;
    }
    let log_gamma = libm::log(1.0 + 2.0 / 128.0);
    let bias = 1.0 - libm::floor(libm::log(LEAST) / log_gamma);
    let size = libm::exp((key.unsigned_abs() as f64 - bias) * log_gamma);
    if key < 0 { -size } else { size }
}

/// Every message in a field of the outermost one.
fn payload(
    body: &[u8],
    wanted: u64,
    read: impl Fn(&[u8]) -> Result<Submitted, String>,
) -> Result<Vec<Submitted>, String> {
    let (mut message, mut all) = (Message::new(body), Vec::new());
    while let Some((field, wire)) = message.field().map_err(broken)? {
        if field == wanted {
            all.push(read(wire.bytes()).map_err(|why| format!("series {}: {why}", all.len()))?);
        }
    }
    Ok(all)
}

fn each_field(wire: Wire<'_>, mut each: impl FnMut(u64, Wire<'_>)) -> Result<(), String> {
    let mut message = Message::new(wire.bytes());
    while let Some((field, wire)) = message.field().map_err(broken)? {
        each(field, wire);
    }
    Ok(())
}

fn broken(why: Broken) -> String {
    why.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_none_are_passed_over() {
        let points = |body: &str| v1(body.as_bytes()).map(|all| all[0].points.clone());
        let of = |values: &str| points(&format!("{{\"series\":[{{\"metric\":\"m\",\"points\":[{values}]}}]}}"));
        assert_eq!(of("[1,null],[2.9,3]"), Ok(vec![(2, 3.0)]));
        assert_eq!(of("[1,NaN],[2,-Infinity],[3,1e999],[4,1e3]"), Ok(vec![(4, 1000.0)]));
        for wrong in ["[1,\"2\"]", "[1,true]", "[1,[2]]", "[1]", "[null,1]"] {
            assert!(of(wrong).is_err_and(|why| why.starts_with("series 0 (m): ")), "{wrong}");
        }
        let told = v1(br#"{"series":[{"metric":"NaN \" NaN","points":[[1,NaN],[2,5]]}]}"#).unwrap();
        assert_eq!((&*told[0].metric, &*told[0].points), ("NaN \" NaN", &[(2, 5.0)][..]));
        assert!(v1(b"{\"series\":[NaN").is_err());
        let values = distributions(br#"{"series":[{"metric":"m","points":[[7,[1,null,2]]]}]}"#).unwrap();
        assert_eq!(values[0].points, [(7, 1.0), (7, 2.0)]);
        assert_eq!(v2(b""), Ok(Vec::new()), "is anybody there");
    }
}
