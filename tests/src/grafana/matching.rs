//! Matchers: plain values are compared, objects as subsets; an object whose names all begin with `$` is a matcher.

use super::template::to_text;
use crate::json::Value;
use regex_lite::Regex;

pub(super) fn check(wanted: &Value, got: &Value) -> Result<(), String> {
    holds(wanted, Some(got), "$")
}

pub(super) fn check_maybe(wanted: &Value, got: Option<&Value>) -> Result<(), String> {
    holds(wanted, got, "$")
}

fn holds(wanted: &Value, got: Option<&Value>, path: &str) -> Result<(), String> {
    if let Value::Object(members) = wanted
        && !members.is_empty()
        && members.iter().all(|(name, _)| name.starts_with('$'))
    {
        return members.iter().try_for_each(|(name, argument)| matcher(name, argument, wanted, got, path));
    }
    let Some(got) = got else { return Err(format!("{path} is missing, wanted {}", wanted.brief())) };
    let differs = || Err(format!("{path} is {}, wanted {}", got.brief(), wanted.brief()));
    match (wanted, got) {
        (Value::Object(members), Value::Object(_)) => {
            members.iter().try_for_each(|(name, wanted)| holds(wanted, got.get(name), &format!("{path}.{name}")))
        }
        (Value::List(items), Value::List(found)) if items.len() == found.len() => {
            let mut both = items.iter().zip(found).enumerate();
            both.try_for_each(|(at, (wanted, got))| holds(wanted, Some(got), &format!("{path}[{at}]")))
        }
        (Value::Number(_), Value::Number(_)) => {
            let (Some(a), Some(b)) = (wanted.as_f64(), got.as_f64()) else { return differs() };
            let exact = a.fract() == 0.0 && b.fract() == 0.0;
            let near = (a - b).abs() <= (1e-9 * a.abs().max(b.abs())).max(1e-12);
            if if exact { a == b } else { near } { Ok(()) } else { differs() }
        }
        (wanted, got) if wanted == got => Ok(()),
        _ => differs(),
    }
}

fn matcher(name: &str, argument: &Value, whole: &Value, got: Option<&Value>, path: &str) -> Result<(), String> {
    let said = got.map_or_else(|| "missing".to_owned(), Value::brief);
    let ensure =
        |holds: bool| if holds { Ok(()) } else { Err(format!("{path} is {said}, wanted {name} {}", argument.brief())) };
    match name {
        "$absent" => return ensure(got.is_none() == argument.as_bool().unwrap_or(true)),
        "$optional" => return got.map_or(Ok(()), |got| holds(argument, Some(got), path)),
        "$anyOf" => return ensure(list(argument).iter().any(|one| holds(one, got, path).is_ok())),
        "$not" => return ensure(holds(argument, got, path).is_err()),
        _ => {}
    }
    let Some(value) = got else { return ensure(false) };
    let number = value.as_f64();
    let than = |test: fn(f64, f64) -> bool| ensure(number.zip(argument.as_f64()).is_some_and(|(a, b)| test(a, b)));
    match name {
        "$any" | "$tol" => Ok(()),
        "$exact" => {
            holds(argument, Some(value), path)?;
            let names = |value: &Value| value.as_object().map(<[_]>::len);
            ensure(names(argument) == names(value))
        }
        "$type" => {
            let kind = kind(value);
            let is = |wanted: &Value| {
                wanted.as_text().is_some_and(|wanted| wanted == kind || wanted == "number" && kind == "integer")
            };
            ensure(is(argument) || list(argument).iter().any(is))
        }
        "$re" => {
            let pattern = Regex::new(argument.as_text().unwrap_or_default()).map_err(|why| why.to_string())?;
            ensure(value.as_text().is_some_and(|text| pattern.is_match(text)))
        }
        "$in" => ensure(list(argument).iter().any(|one| holds(one, got, path).is_ok())),
        "$gte" => than(|a, b| a >= b),
        "$lte" => than(|a, b| a <= b),
        "$gt" => than(|a, b| a > b),
        "$lt" => than(|a, b| a < b),
        "$approx" => {
            let tolerance = whole.get("$tol").and_then(Value::as_f64).unwrap_or(1e-6);
            ensure(number.zip(argument.as_f64()).is_some_and(|(a, b)| (a - b).abs() <= tolerance))
        }
        "$mod" => {
            let parts: Vec<f64> = list(argument).iter().filter_map(Value::as_f64).collect();
            ensure(
                matches!(parts.as_slice(), [by, rest] if number.is_some_and(|number| number.rem_euclid(*by) == *rest)),
            )
        }
        "$len" => {
            let len = match value {
                Value::List(items) => items.len(),
                Value::Object(members) => members.len(),
                Value::Text(text) => text.chars().count(),
                _ => return ensure(false),
            };
            holds(argument, Some(&Value::number(len)), &format!("{path}.length"))
        }
        "$contains" => match value {
            Value::Text(text) => {
                let wanted = argument.as_list().map_or_else(|| vec![argument.clone()], <[_]>::to_vec);
                ensure(wanted.iter().all(|part| text.contains(&to_text(part))))
            }
            _ => list(argument)
                .iter()
                .try_for_each(|wanted| ensure(list(value).iter().any(|item| holds(wanted, Some(item), path).is_ok()))),
        },
        "$each" => list(value).iter().try_for_each(|item| holds(argument, Some(item), path)),
        "$count" => {
            let wanted = argument.get("match").unwrap_or(&Value::Null);
            let count = list(value).iter().filter(|item| holds(wanted, Some(item), path).is_ok()).count();
            holds(argument.get("n").unwrap_or(&Value::Null), Some(&Value::number(count)), &format!("{path}.count"))
        }
        "$sortedBy" => {
            let key = argument.as_text().or_else(|| argument.get("key")?.as_text()).unwrap_or_default();
            let caseless = argument.get("ci").and_then(Value::as_bool).unwrap_or(false);
            let of = |item: &Value| item.get(key).map(to_text).unwrap_or_default();
            let keys: Vec<String> =
                list(value).iter().map(|item| if caseless { of(item).to_lowercase() } else { of(item) }).collect();
            ensure(keys.is_sorted())
        }
        "$increasing" => {
            let step = argument.as_f64().unwrap_or(0.0);
            let numbers: Vec<f64> = list(value).iter().filter_map(Value::as_f64).collect();
            ensure(
                numbers.windows(2).all(|pair| if step == 0.0 { pair[1] > pair[0] } else { pair[1] - pair[0] == step }),
            )
        }
        "$keys" => {
            let mut keys: Vec<String> =
                value.as_object().unwrap_or_default().iter().map(|(key, _)| key.clone()).collect();
            let mut wanted: Vec<String> = list(argument).iter().map(to_text).collect();
            keys.sort();
            wanted.sort();
            ensure(keys == wanted)
        }
        "$jsonText" => {
            let inner = Value::parse(value.as_text().unwrap_or_default())?;
            holds(argument, Some(&inner), &format!("{path}(json)"))
        }
        other => Err(format!("unknown matcher {other}")),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_list().unwrap_or_default()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) if value.as_f64().is_some_and(|number| number.fract() == 0.0) => "integer",
        Value::Number(_) => "number",
        Value::Text(_) => "string",
        Value::List(_) => "array",
        Value::Object(_) => "object",
    }
}
