//! Whether a Datadog answer has what a case fixes of it: objects are subsets, series are found by scope and query, their
//! points are given whole or in part.

use crate::json::Value;
use regex_lite::Regex;
use std::collections::BTreeMap;

/// The first difference. Numbers match within `tolerance` times the larger of 1 and what is expected.
pub(super) fn difference(want: &Value, got: &Value, tolerance: f64) -> Option<String> {
    find(want, got, tolerance, "$")
}

fn find(want: &Value, got: &Value, tolerance: f64, path: &str) -> Option<String> {
    if let Some(members) = want.as_object() {
        return members.iter().find_map(|(name, want)| {
            let path = format!("{path}.{name}");
            match (&**name, got.get(name)) {
                ("series", got) => series(want.as_list().unwrap_or_default(), got, tolerance, &path),
                ("errors_match", _) => errors(want, got, &path),
                (_, None) => Some(format!("{path} is missing")),
                (_, Some(got)) => find(want, got, tolerance, &path),
            }
        });
    }
    if let Some(wanted) = want.as_list() {
        let list = got.as_list().unwrap_or_default();
        if got.as_list().is_none() || list.len() != wanted.len() {
            return Some(format!("{path}: expected {}, got {}", want.brief(), got.brief()));
        }
        let pairs = wanted.iter().zip(list).enumerate();
        return pairs.into_iter().find_map(|(at, (want, got))| find(want, got, tolerance, &format!("{path}[{at}]")));
    }
    let same = match (want.as_f64(), got.as_f64()) {
        (Some(want), Some(got)) => near(want, got, tolerance),
        _ => want == got,
    };
    (!same).then(|| format!("{path}: expected {}, got {}", want.brief(), got.brief()))
}

fn near(want: f64, got: f64, tolerance: f64) -> bool {
    (want - got).abs() <= tolerance * want.abs().max(1.0)
}

fn errors(want: &Value, got: &Value, path: &str) -> Option<String> {
    let errors: Vec<&str> =
        got.get("errors").and_then(Value::as_list).unwrap_or_default().iter().filter_map(Value::as_text).collect();
    let pattern = Regex::new(want.as_text().unwrap_or_default()).expect("the case has a pattern");
    let found = !errors.is_empty() && pattern.is_match(&errors.join("\n"));
    (!found).then(|| format!("{path}: {errors:?} does not match {}", want.brief()))
}

fn series(want: &[Value], got: Option<&Value>, tolerance: f64, path: &str) -> Option<String> {
    let Some(got) = got.and_then(Value::as_list) else { return Some(format!("{path}: expected a list")) };
    if want.len() != got.len() {
        let scopes: Vec<String> = got.iter().filter_map(|got| got.get("scope")).map(Value::brief).collect();
        return Some(format!("{path}: expected {} series, got {}: {scopes:?}", want.len(), got.len()));
    }
    let mut left: Vec<&Value> = got.iter().collect();
    for (at, want) in want.iter().enumerate() {
        let named = |got: &Value| {
            ["scope", "query_index"].iter().all(|name| want.get(name).is_none_or(|want| got.get(name) == Some(want)))
        };
        let path = format!("{path}[{at}]");
        let mut first = None;
        let found = left.iter().position(|got| {
            if !named(got) {
                return false;
            }
            let difference = one(want, got, tolerance, &path);
            let same = difference.is_none();
            first = first.take().or(difference);
            same
        });
        match found {
            Some(at) => drop(left.remove(at)),
            None => return Some(first.unwrap_or_else(|| format!("{path}: no series of that scope"))),
        }
    }
    None
}

const OWN_RULES: [&str; 5] = ["points_include", "points_null_or_absent", "points_only", "tag_set", "pointlist"];

fn one(want: &Value, got: &Value, tolerance: f64, path: &str) -> Option<String> {
    let members = want.as_object().unwrap_or_default();
    for (name, want) in members.iter().filter(|(name, _)| !OWN_RULES.contains(&&**name)) {
        let path = format!("{path}.{name}");
        let difference = match got.get(name) {
            Some(got) => find(want, got, tolerance, &path),
            None => Some(format!("{path} is missing")),
        };
        if difference.is_some() {
            return difference;
        }
    }
    let sorted = |value: Option<&Value>| {
        let mut tags: Vec<String> =
            value.and_then(Value::as_list).unwrap_or_default().iter().map(Value::to_string).collect();
        tags.sort();
        tags
    };
    if want.get("tag_set").is_some() && sorted(want.get("tag_set")) != sorted(got.get("tag_set")) {
        return Some(format!("{path}.tag_set: {:?}", sorted(got.get("tag_set"))));
    }
    let (points, list) = (points(got.get("pointlist")), got.get("pointlist").and_then(Value::as_list));
    if list.is_none_or(|list| list.len() != points.len()) || points.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
        return Some(format!("{path}.pointlist: pairs with increasing times are expected"));
    }
    let same = |want: Option<f64>, got: Option<f64>| match (want, got) {
        (None, None) => true,
        (Some(want), Some(got)) => near(want, got, tolerance),
        _ => false,
    };
    if let Some(wanted) = want.get("pointlist") {
        let wanted = self::points(Some(wanted));
        let equal = wanted.len() == points.len()
            && wanted.iter().zip(&points).all(|(want, got)| want.0 == got.0 && same(want.1, got.1));
        if !equal {
            return Some(format!("{path}.pointlist: expected {wanted:?}, got {points:?}"));
        }
    }
    let have: BTreeMap<i64, Option<f64>> = points.iter().copied().collect();
    let mut named = Vec::new();
    for (time, value) in self::points(want.get("points_include")) {
        named.push(time);
        if !have.get(&time).is_some_and(|got| same(value, *got)) {
            return Some(format!("{path}: expected {value:?} at {time}, got {:?}", have.get(&time)));
        }
    }
    for time in want.get("points_null_or_absent").and_then(Value::as_list).unwrap_or_default() {
        let time = time.as_f64().unwrap_or_default() as i64;
        named.push(time);
        if have.get(&time).is_some_and(Option::is_some) {
            return Some(format!("{path}: expected no value at {time}"));
        }
    }
    if want.get("points_only").and_then(Value::as_bool) == Some(true) {
        let extra = have.iter().find(|(time, value)| value.is_some() && !named.contains(time));
        return extra.map(|extra| format!("{path}: nothing is expected at {extra:?}"));
    }
    None
}

fn points(list: Option<&Value>) -> Vec<(i64, Option<f64>)> {
    let pairs = list.and_then(Value::as_list).unwrap_or_default().iter().filter_map(Value::as_list);
    pairs.filter(|pair| pair.len() == 2).filter_map(|pair| Some((pair[0].as_f64()? as i64, pair[1].as_f64()))).collect()
}
