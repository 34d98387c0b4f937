//! Queries as trees, and the text of them.

use std::fmt::{self, Display, Formatter};

#[derive(Clone, Debug)]
pub(super) enum Expr {
    Number(f64),
    Query(Query),
    Binary(char, Box<Self>, Box<Self>),
    Call(String, Vec<Arg>),
}

#[derive(Clone, Debug)]
pub(super) enum Arg {
    Expr(Expr),
    Text(String),
}

#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) aggregator: Option<String>,
    pub(super) metric: String,
    pub(super) scope: Scope,
    pub(super) by: Vec<String>,
    pub(super) modifiers: Vec<Modifier>,
}

#[derive(Clone, Debug)]
pub(super) enum Scope {
    All,
    /// Negated, key, pattern; a bare tag has none.
    Tags(Vec<(bool, String, Option<String>)>),
    Words(Words),
}

#[derive(Clone, Debug)]
pub(super) enum Words {
    Tag(String, Option<String>),
    In { key: String, negated: bool, patterns: Vec<String> },
    Not(Box<Self>),
    And(Vec<Self>),
    Or(Vec<Self>),
}

#[derive(Clone, Debug)]
pub(super) enum Modifier {
    AsCount,
    AsRate,
    Weighted,
    Fill(&'static str, Option<i64>),
    Rollup(Option<&'static str>, Option<Width>),
}

#[derive(Clone, Debug)]
pub(super) enum Width {
    Secs(i64),
    /// An hour of the day.
    Daily(Option<u32>, Option<&'static str>),
    /// A day of the week, Monday being 0.
    Weekly(Option<usize>, Option<&'static str>),
    /// A day of the month.
    Monthly(Option<u32>, Option<&'static str>),
}

pub(super) const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// A number as labels have it.
pub(super) fn number(number: f64) -> String {
    number.to_string()
}

pub(super) fn tag_text(key: &str, pattern: Option<&str>) -> String {
    pattern.map_or_else(|| key.to_owned(), |pattern| format!("{key}:{pattern}"))
}

impl Modifier {
    /// Without blanks, as expressions have it.
    pub(super) fn text(&self) -> String {
        let call = |name: &str, arguments: Vec<String>| format!(".{name}({})", arguments.join(","));
        match self {
            Self::AsCount => call("as_count", vec![]),
            Self::AsRate => call("as_rate", vec![]),
            Self::Weighted => call("weighted", vec![]),
            Self::Fill(method, limit) => call(
                "fill",
                [Some((*method).to_owned()), limit.map(|limit| limit.to_string())].into_iter().flatten().collect(),
            ),
            Self::Rollup(method, width) => {
                let mut arguments: Vec<String> = method.iter().map(|method| (*method).to_owned()).collect();
                let quoted = |zone: &Option<&str>| zone.map(|zone| format!("'{zone}'"));
                match width {
                    None => {}
                    Some(Width::Secs(secs)) => arguments.push(secs.to_string()),
                    Some(Width::Daily(hour, zone)) => {
                        arguments.push("daily".to_owned());
                        arguments.extend(hour.map(|hour| {
                            let half = if hour < 12 { "am" } else { "pm" };
                            format!("{}{half}", if hour % 12 == 0 { 12 } else { hour % 12 })
                        }));
                        arguments.extend(quoted(zone));
                    }
                    Some(Width::Weekly(day, zone)) => {
                        arguments.push("weekly".to_owned());
                        arguments.extend(day.map(|day| WEEKDAYS[day].to_owned()));
                        arguments.extend(quoted(zone));
                    }
                    Some(Width::Monthly(day, zone)) => {
                        arguments.push("monthly".to_owned());
                        arguments.extend(day.map(|day| day.to_string()));
                        arguments.extend(quoted(zone));
                    }
                }
                call("rollup", arguments)
            }
        }
    }
}

impl Display for Words {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let joined = |parts: &[Self], word: &str| -> String {
            let part = |part: &Self| match part {
                Self::And(_) | Self::Or(_) => format!("({part})"),
                other => other.to_string(),
            };
            parts.iter().map(part).collect::<Vec<_>>().join(word)
        };
        match self {
            Self::Tag(key, pattern) => out.write_str(&tag_text(key, pattern.as_deref())),
            Self::In { key, negated, patterns } => {
                let not = if *negated { "NOT " } else { "" };
                write!(out, "{key} {not}IN ({})", patterns.join(", "))
            }
            Self::Not(inner) => match &**inner {
                Self::And(_) | Self::Or(_) => write!(out, "NOT ({inner})"),
                inner => write!(out, "NOT {inner}"),
            },
            Self::And(parts) => out.write_str(&joined(parts, " AND ")),
            Self::Or(parts) => out.write_str(&joined(parts, " OR ")),
        }
    }
}

impl Display for Query {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        if let Some(aggregator) = &self.aggregator {
            write!(out, "{aggregator}:")?;
        }
        write!(out, "{}{{", self.metric)?;
        match &self.scope {
            Scope::All => out.write_str("*")?,
            Scope::Words(words) => write!(out, "{words}")?,
            Scope::Tags(tags) => {
                let tag = |(negated, key, pattern): &(bool, String, Option<String>)| {
                    format!("{}{}", if *negated { "!" } else { "" }, tag_text(key, pattern.as_deref()))
                };
                out.write_str(&tags.iter().map(tag).collect::<Vec<_>>().join(" , "))?;
            }
        }
        out.write_str("}")?;
        if !self.by.is_empty() {
            write!(out, " by {{{}}}", self.by.join(","))?;
        }
        self.modifiers.iter().try_for_each(|modifier| out.write_str(&modifier.text().replace(',', ", ")))
    }
}

impl Display for Expr {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(value) => out.write_str(&number(*value)),
            Self::Query(query) => write!(out, "{query}"),
            Self::Binary(op, left, right) => write!(out, "({left} {op} {right})"),
            Self::Call(name, arguments) => {
                let text = |argument: &Arg| match argument {
                    Arg::Expr(expr) => expr.to_string(),
                    Arg::Text(text) => format!("'{text}'"),
                };
                write!(out, "{name}({})", arguments.iter().map(text).collect::<Vec<_>>().join(", "))
            }
        }
    }
}
