//! `.rollup(…)` and its kin.

use super::Parser;
use crate::dialect::datadog::ast::{As, Fill, Modifiers, Rollup, Unit, Width};
use crate::dialect::datadog::error::Error;
use crate::dialect::datadog::names;
use crate::plan::{Function, ReachMethod};

const MODIFIERS: &[&str] = &["as_count", "as_rate", "rollup", "fill", "weighted"];
/// Seconds that a value reaches when nothing is said.
pub(in crate::dialect::datadog) const REACH_SECS: i64 = 300;
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

impl Parser<'_> {
    pub(super) fn modifiers(&mut self, into: &mut Modifiers) -> Result<(), Error> {
        while self.eat('.') {
            self.modifier(into)?;
        }
        Ok(())
    }

    fn modifier(&mut self, into: &mut Modifiers) -> Result<(), Error> {
        self.blanks();
        let at = self.at;
        let name = self.run(|c| c.is_ascii_alphanumeric() || c == '_');
        if !MODIFIERS.contains(&name) {
            let near = names::nearest(name, MODIFIERS.iter().copied());
            let near = near.first().map_or_else(String::new, |near| format!("; did you mean {near}?"));
            let known = MODIFIERS.join(", ");
            return Err(self.semantic(at, &format!("there is no modifier {name:?}: there are {known}{near}")));
        }
        if !self.eat('(') {
            return Err(self.failed("modifier", "Expected ("));
        }
        let written = self.raw_arguments()?;
        let arguments: Vec<&str> = written.iter().map(|text| text.trim_matches(['\'', '"'])).collect();
        let wrong = |parser: &Self, what: &str| parser.semantic(at, &format!("{name}: {what}"));
        match name {
            "as_count" | "as_rate" | "weighted" if !arguments.is_empty() => {
                return Err(wrong(self, "takes no arguments"));
            }
            "as_count" => into.kind = Some(As::Count),
            "as_rate" => into.kind = Some(As::Rate),
            "weighted" => into.weighted = true,
            "fill" => into.fill = Some(fill(&arguments).map_err(|what| wrong(self, what))?),
            _ => into.rollup = Some(rollup(&arguments).map_err(|what| wrong(self, what))?),
        }
        into.text += &format!(".{name}({})", written.join(","));
        Ok(())
    }

    /// Up to and including the closing parenthesis.
    fn raw_arguments(&mut self) -> Result<Vec<String>, Error> {
        let mut arguments = Vec::new();
        if self.eat(')') {
            return Ok(arguments);
        }
        loop {
            match self.peek() {
                Some(quote @ ('\'' | '"')) => {
                    let text = self.quoted(quote)?;
                    arguments.push(format!("{quote}{text}{quote}"));
                }
                _ => {
                    let text = self.run(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '+' | '/' | ':'));
                    if text.is_empty() {
                        return Err(self.failed("modifier_argument", "Expected an argument"));
                    }
                    arguments.push(text.to_owned());
                }
            }
            if self.eat(')') {
                return Ok(arguments);
            }
            if !self.eat(',') {
                return Err(self.failed("modifier", "Expected , or )"));
            }
        }
    }
}

fn seconds(text: &str) -> Option<i64> {
    let number: f64 = text.parse().ok()?;
    ((1.0..=1e10).contains(&number) && number.trunc() == number).then_some(number as i64)
}

fn fill(arguments: &[&str]) -> Result<Fill, &'static str> {
    let (method, limit) = match arguments {
        [method] => (*method, None),
        [method, limit] => (*method, Some(*limit)),
        _ => return Err("takes a method (linear, last, zero, null) and perhaps a limit in seconds"),
    };
    let method = match method {
        "linear" => ReachMethod::Linear,
        "last" => ReachMethod::Last,
        "zero" => ReachMethod::Zero,
        "null" => ReachMethod::None,
        _ => return Err("the method is linear, last, zero or null"),
    };
    let limit_secs = match limit {
        None => REACH_SECS,
        Some("0") => 0,
        Some(limit) => seconds(limit).ok_or("the limit is whole seconds")?,
    };
    Ok(Fill { method, limit_secs })
}

fn method(text: &str) -> Option<Function> {
    Some(match text {
        "avg" => Function::Mean,
        "sum" => Function::Sum,
        "min" => Function::Min,
        "max" => Function::Max,
        "count" => Function::Count,
        _ => return None,
    })
}

fn rollup(arguments: &[&str]) -> Result<Rollup, &'static str> {
    const USAGE: &str = "takes a method (avg, sum, min, max, count), seconds, or a method and daily, weekly or monthly with a start and a time zone";
    let (first, rest) = arguments.split_first().ok_or(USAGE)?;
    let Some(method) = method(first) else {
        return match seconds(first).filter(|_| rest.is_empty()) {
            Some(secs) => Ok(Rollup { method: None, width: Some(Width::Secs(secs)) }),
            None => Err(USAGE),
        };
    };
    let Some((width, rest)) = rest.split_first() else { return Ok(Rollup { method: Some(method), width: None }) };
    if let Some(secs) = seconds(width) {
        return if rest.is_empty() {
            Ok(Rollup { method: Some(method), width: Some(Width::Secs(secs)) })
        } else {
            Err(USAGE)
        };
    }
    let start = rest.first().copied();
    let (unit, started) = calendar(width, start).ok_or(USAGE)?;
    let zone = match &rest[usize::from(started)..] {
        [] => None,
        [zone] => Some((*zone).to_owned()),
        _ => return Err(USAGE),
    };
    Ok(Rollup { method: Some(method), width: Some(Width::Calendar { unit, zone }) })
}

/// The unit, and whether `start` said where it begins.
fn calendar(unit: &str, start: Option<&str>) -> Option<(Unit, bool)> {
    let begun = |unit: Unit| (unit, true);
    Some(match unit {
        "daily" => start.and_then(hour).map_or((Unit::Day { hour: 0 }, false), |hour| begun(Unit::Day { hour })),
        "weekly" => {
            let day = start.and_then(|day| WEEKDAYS.iter().position(|known| known.eq_ignore_ascii_case(day)));
            day.map_or((Unit::Week { day: 0 }, false), |day| begun(Unit::Week { day: day as u32 }))
        }
        "monthly" => start.and_then(day).map_or((Unit::Month { day: 1 }, false), |day| begun(Unit::Month { day })),
        _ => return None,
    })
}

/// `12am`, `6pm`.
fn hour(text: &str) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    let (number, after_noon) = match (lower.strip_suffix("am"), lower.strip_suffix("pm")) {
        (Some(number), _) => (number, 0),
        (_, Some(number)) => (number, 12),
        _ => return None,
    };
    let number: u32 = number.parse().ok().filter(|number| (1..=12).contains(number))?;
    Some(number % 12 + after_noon)
}

/// `1st`, `15th`, `28`.
fn day(text: &str) -> Option<u32> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = &text[digits.len()..];
    let day: u32 = digits.parse().ok().filter(|day| (1..=31).contains(day))?;
    matches!(suffix, "" | "st" | "nd" | "rd" | "th").then_some(day)
}
