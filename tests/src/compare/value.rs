//! The first difference between two values.

use crate::json::Value;
use regex_lite::Regex;
use std::sync::LazyLock;

/// Which numbers and texts are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Whole numbers digit for digit, and written as such; others nearly.
    AsWritten,
    /// The time of a point exactly; others nearly. `@time` and `@uuid` stand for any of theirs.
    Facette,
}

const RELATIVE: f64 = 1e-9;
const ABSOLUTE: f64 = 1e-12;

/// In words, with where it is.
pub(super) fn difference(want: &Value, got: &Value, numbers: Numbers) -> Option<String> {
    let mut path = "$".to_owned();
    find(want, got, numbers, &mut path).map(|why| format!("{path}: {why}"))
}

/// The difference; `path` then says where.
fn find(want: &Value, got: &Value, numbers: Numbers, path: &mut String) -> Option<String> {
    match (want, got) {
        (Value::Object(want), Value::Object(_)) => {
            let (here, there) = (want, got);
            if let Some((name, value)) = here.iter().find(|(name, _)| there.get(name).is_none()) {
                return Some(format!("no member {name:?}, expected {}", value.brief()));
            }
            let known = |name: &str| here.iter().any(|(key, _)| key == name);
            if let Some((name, value)) = there.as_object()?.iter().find(|(name, _)| !known(name)) {
                return Some(format!("a member {name:?} that is not expected: {}", value.brief()));
            }
            let mut members = here.iter().filter_map(|(name, want)| Some((name, want, there.get(name)?)));
            members.find_map(|(name, want, got)| deeper(want, got, numbers, path, &format!(".{name}")))
        }
        (Value::List(want), Value::List(got)) => {
            let mut pairs = want.iter().zip(got).enumerate();
            let inside = pairs.find_map(|(at, (want, got))| deeper(want, got, numbers, path, &format!("[{at}]")));
            let lengths = || format!("{} elements, expected {}", got.len(), want.len());
            inside.or_else(|| (want.len() != got.len()).then(lengths))
        }
        (Value::Number(a), Value::Number(b)) => {
            let same = match numbers {
                Numbers::AsWritten => same_as_written(a, b),
                Numbers::Facette => nearly(a, b) && (!is_point_time(path) || a.parse::<f64>() == b.parse::<f64>()),
            };
            (!same).then(|| format!("{b}, expected {a}"))
        }
        (Value::Text(a), Value::Text(b)) if numbers == Numbers::Facette && same_text(a, b) => None,
        (want, got) if want == got => None,
        (want, got) => Some(format!("{}, expected {}", got.brief(), want.brief())),
    }
}

fn deeper(want: &Value, got: &Value, numbers: Numbers, path: &mut String, step: &str) -> Option<String> {
    let length = path.len();
    path.push_str(step);
    let why = find(want, got, numbers, path);
    if why.is_none() {
        path.truncate(length);
    }
    why
}

fn same_as_written(want: &str, got: &str) -> bool {
    match (whole(want), whole(got)) {
        _ if want == got => true,
        (Some(want), Some(got)) => want == got,
        (whole, _) => nearly(want, got) && !(whole.is_some() && is_whole_with_point(got)),
    }
}

/// Sign and digits of a whole number.
fn whole(text: &str) -> Option<(bool, &str)> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let significant = digits.trim_start_matches('0');
    all_digits.then_some((negative && !significant.is_empty(), significant))
}

fn is_whole_with_point(text: &str) -> bool {
    let parts = text.split_once('.');
    parts.is_some_and(|(left, right)| whole(left).is_some() && !right.is_empty() && right.bytes().all(|b| b == b'0'))
}

fn nearly(want: &str, got: &str) -> bool {
    match (want.parse::<f64>(), got.parse::<f64>()) {
        (Ok(a), Ok(b)) => a == b || (a - b).abs() <= ABSOLUTE.max(RELATIVE * a.abs().max(b.abs())),
        _ => false,
    }
}

/// As in `$[0].series[1].points[4][0]`.
fn is_point_time(path: &str) -> bool {
    path.ends_with("][0]") && path.contains(".points[")
}

/// `want` may hold `@time`, any time in whole seconds UTC, and `@uuid`.
pub(super) fn same_text(want: &str, got: &str) -> bool {
    static TIME: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$").expect("it is fixed"));
    static UUID: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$").expect("it is fixed"));
    let placeholder = |mark: &str, pattern: &Regex| {
        let Some((before, after)) = want.split_once(mark) else { return false };
        let middle = got.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        middle.is_some_and(|middle| pattern.is_match(middle))
    };
    want == got || placeholder("@time", &TIME) || placeholder("@uuid", &UUID)
}

/// Replaces what the path names; `*` is any member or element.
pub(super) fn mask(value: &mut Value, path: &[&str]) {
    let Some((step, rest)) = path.split_first() else {
        *value = Value::Text("<masked>".into());
        return;
    };
    match value {
        Value::Object(members) => {
            let named = members.iter_mut().filter(|(name, _)| *step == "*" || name == step);
            named.for_each(|(_, value)| mask(value, rest));
        }
        Value::List(items) if *step == "*" => items.iter_mut().for_each(|item| mask(item, rest)),
        Value::List(items) => {
            if let Some(item) = step.parse().ok().and_then(|at: usize| items.get_mut(at)) {
                mask(item, rest);
            }
        }
        _ => {}
    }
}

/// Sorts the parts of an InfluxDB answer whose order is not promised.
pub(super) fn sort(document: &mut Value, series: bool, values: bool) {
    let Value::Object(members) = document else { return };
    let results = members.iter_mut().find(|(name, _)| name == "results");
    let Some((_, Value::List(results))) = results else { return };
    for result in results {
        let Value::Object(members) = result else { continue };
        let Some((_, Value::List(list))) = members.iter_mut().find(|(name, _)| name == "series") else { continue };
        for item in list.iter_mut().filter(|_| values) {
            let Value::Object(members) = item else { continue };
            if let Some((_, Value::List(rows))) = members.iter_mut().find(|(name, _)| name == "values") {
                rows.sort_by_cached_key(ToString::to_string);
            }
        }
        if series {
            let part = |item: &Value, name| item.get(name).map(ToString::to_string);
            list.sort_by_cached_key(|item| (part(item, "name"), part(item, "tags"), item.to_string()));
        }
    }
}
