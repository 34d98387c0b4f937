//! `{{names}}` in cases, and paths into answers.

use crate::json::Value;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What the names of a case stand for.
#[derive(Debug)]
pub(super) struct Variables(Vec<(String, Value)>);

impl Variables {
    /// `run` is a text of the case's own.
    pub(super) fn new(case: &str) -> Self {
        let run: String = case.chars().filter(char::is_ascii_alphanumeric).take(14).collect();
        Self(vec![("run".to_owned(), Value::Text(run))])
    }

    pub(super) fn set(&mut self, name: &str, value: Value) {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value));
    }

    /// The value with every name replaced; a text that is nothing but one takes its value as it is.
    pub(super) fn fill(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::Text(text) => self.fill_text(text)?,
            Value::List(items) => Value::List(items.iter().map(|item| self.fill(item)).collect::<Result<_, _>>()?),
            Value::Object(members) => {
                let member = |(name, value): &(String, Value)| {
                    Ok::<_, String>((to_text(&self.fill_text(name)?), self.fill(value)?))
                };
                Value::Object(members.iter().map(member).collect::<Result<_, _>>()?)
            }
            other => other.clone(),
        })
    }

    fn fill_text(&self, text: &str) -> Result<Value, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) = after.split_once("}}").ok_or_else(|| format!("{text:?} has no end"))?;
            let value = self.value(name.trim())?;
            if before.is_empty() && after.is_empty() && out.is_empty() {
                return Ok(value);
            }
            out += before;
            out += &to_text(&value);
            rest = after;
        }
        Ok(Value::Text(out + rest))
    }

    fn value(&self, name: &str) -> Result<Value, String> {
        let known = |name: &str| {
            let found = self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
            found.ok_or_else(|| format!("{name} is not set"))
        };
        match name.split_once(':') {
            Some(("b64", text)) => {
                let text = self.fill_text(&text.replace('<', "{{").replace('>', "}}"))?;
                Ok(Value::Text(STANDARD.encode(to_text(&text))))
            }
            Some(("repeat", rest)) => {
                let (text, count) = rest.split_once(':').ok_or("repeat what?")?;
                Ok(Value::Text(text.repeat(count.parse().map_err(|_| "repeat how often?")?)))
            }
            Some(("add", rest)) => {
                let (name, more) = rest.split_once(':').ok_or("add what?")?;
                let number: i64 = to_text(&known(name)?).parse().map_err(|_| format!("{name} is no number"))?;
                Ok(Value::number(number + more.parse::<i64>().map_err(|_| "add how much?")?))
            }
            Some(("str", name)) => Ok(Value::Text(to_text(&known(name)?))),
            _ => known(name),
        }
    }
}

pub(super) fn to_text(value: &Value) -> String {
    value.as_text().map_or_else(|| value.to_string(), str::to_owned)
}

/// What stands at `$.a.b[0].c` or `$.a[?name=value]`.
pub(super) fn at<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    let mut at = document;
    for part in path.trim_start_matches('$').replace('[', ".[").split('.').filter(|part| !part.is_empty()) {
        at = match part.strip_prefix('[').and_then(|part| part.strip_suffix(']')) {
            None => at.get(part)?,
            Some(place) => match place.strip_prefix('?').and_then(|test| test.split_once('=')) {
                Some((name, value)) => {
                    at.as_list()?.iter().find(|item| item.get(name).is_some_and(|found| to_text(found) == value))?
                }
                None => at.as_list()?.get(place.parse::<usize>().ok()?)?,
            },
        };
    }
    Some(at)
}
