//! The file of checks: what is asked, when it is wrong, how often it is looked at.

use isopoint_core::time::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use toml::Spanned;

use crate::import::escape;

/// A file that shows everything; `isopoint check --help` prints it.
pub(crate) const EXAMPLE: &str = r#"[[check]]
name = "disk almost full"
database = "telegraf"
query = "SELECT last(used_percent) FROM disk WHERE time > now() - 5m GROUP BY host, path"
above = 90              # or: below = 10
for = "10m"             # it fires when it was so for this long; default 0s
every = "1m"            # default 1m
no-data = "ok"          # or "alert", or "keep" what was known; default ok
labels = { severity = "page" }
summary = "The disk is nearly full"

[[check]]
name = "load"
datadog = "avg:system.load.1{*} by {host}"
window = "5m"           # from so long ago until now; default 5m
above = 8

[[check]]
name = "a panel, as the panel asks: any path of any API"
request = "POST /api/v1/series/points"
body = '{"range": "-10m", "points": 60, "groups": [{"series": [{"origin": "telegraf", "source": "web1", "metric": "cpu.usage_idle"}]}]}'
below = 5
"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    check: Vec<Spanned<RawRule>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawRule {
    name: String,
    query: Option<String>,
    database: Option<String>,
    datadog: Option<String>,
    request: Option<String>,
    #[serde(default)]
    body: String,
    window: Option<String>,
    above: Option<f64>,
    below: Option<f64>,
    #[serde(rename = "for")]
    hold: Option<String>,
    every: Option<String>,
    no_data: Option<NoData>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    summary: Option<String>,
}

/// One check.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    pub name: String,
    pub ask: Ask,
    pub bound: Bound,
    pub hold: Duration,
    pub every: Duration,
    pub no_data: NoData,
    pub labels: BTreeMap<String, String>,
    pub summary: Option<String>,
}

/// What is asked, as a panel would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    InfluxQl { query: String, database: Option<String> },
    Datadog { query: String, window: Duration },
    Request { method: String, target: String, body: String },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    Above(f64),
    Below(f64),
}

/// What it means that a series has no value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NoData {
    #[default]
    Ok,
    Alert,
    Keep,
}

/// A request of an API: method, path, query string, content type, body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wire {
    pub method: String,
    pub path: String,
    pub query: String,
    pub content_type: Option<&'static str>,
    pub body: String,
}

/// All checks of a file. The error is a sentence with file, line and column.
pub(crate) fn load(path: &Path) -> Result<Vec<Rule>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}

pub(crate) fn parse(text: &str) -> Result<Vec<Rule>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    let mut rules: Vec<Rule> = Vec::new();
    for raw in file.check {
        let line = text[..raw.span().start].matches('\n').count() + 1;
        let rule = rule(raw.into_inner()).map_err(|why| format!("line {line}: {why}"))?;
        if rules.iter().any(|other| other.name == rule.name) {
            return Err(format!("line {line}: there are two checks named {:?}", rule.name));
        }
        rules.push(rule);
    }
    Ok(rules)
}

fn rule(raw: RawRule) -> Result<Rule, String> {
    let span = |text: Option<String>, default: u64, name: &str| match text {
        None => Ok(Duration::from_secs(default)),
        Some(text) => duration(&text).ok_or_else(|| format!("{name}: {text:?} is no duration such as 30s, 5m or 1h")),
    };
    let ask = match (raw.query, raw.datadog, raw.request) {
        (Some(query), None, None) => Ask::InfluxQl { query, database: raw.database },
        (None, Some(query), None) => Ask::Datadog { query, window: span(raw.window, 300, "window")? },
        (None, None, Some(request)) => match request.split_once(' ') {
            Some((method, target)) if target.starts_with('/') && method.bytes().all(|b| b.is_ascii_uppercase()) => {
                Ask::Request { method: method.to_owned(), target: target.to_owned(), body: raw.body }
            }
            _ => return Err(format!("request: {request:?} is not a method and a path, such as GET /query?q=…")),
        },
        _ => return Err("a check has one of query (InfluxQL), datadog and request".to_owned()),
    };
    let bound = match (raw.above, raw.below) {
        (Some(bound), None) => Bound::Above(bound),
        (None, Some(bound)) => Bound::Below(bound),
        _ => return Err("a check has one of above and below".to_owned()),
    };
    let every = span(raw.every, 60, "every")?;
    if every < Duration::from_secs(1) {
        return Err("every: at least 1s".to_owned());
    }
    let hold = span(raw.hold, 0, "for")?;
    let (no_data, labels) = (raw.no_data.unwrap_or_default(), raw.labels);
    Ok(Rule { name: raw.name, ask, bound, hold, every, no_data, labels, summary: raw.summary })
}

/// `90s`, `5m`, `1h`, `7d`, `2w`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let scale = match &text[digits..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(scale).map(Duration::from_secs)
}

impl Rule {
    /// The request that is made at a time.
    pub(crate) fn wire(&self, now: Timestamp) -> Wire {
        let get = |path: &str, query: String| Wire {
            method: "GET".into(),
            path: path.into(),
            query,
            content_type: None,
            body: String::new(),
        };
        match &self.ask {
            Ask::InfluxQl { query, database } => {
                let database = database.as_ref().map_or_else(String::new, |name| format!("db={}&", escape(name)));
                get("/query", format!("{database}epoch=ns&q={}", escape(query)))
            }
            Ask::Datadog { query, window } => {
                let to = now.nanos() / 1_000_000_000;
                let from = to - i64::try_from(window.as_secs()).unwrap_or(0);
                get("/api/v1/query", format!("from={from}&to={to}&query={}", escape(query)))
            }
            Ask::Request { method, target, body } => {
                let (path, query) = target.split_once('?').unwrap_or((target, ""));
                let content_type = (!body.is_empty()).then_some("application/json");
                Wire {
                    method: method.clone(),
                    path: path.into(),
                    query: query.into(),
                    content_type,
                    body: body.clone(),
                }
            }
        }
    }

    pub(crate) fn is_breached(&self, value: f64) -> bool {
        match self.bound {
            Bound::Above(bound) => value > bound,
            Bound::Below(bound) => value < bound,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_a_file_of_checks() {
        let rules = parse(EXAMPLE).unwrap();
        assert_eq!(rules.len(), 3);
        assert_eq!((rules[0].hold, rules[0].every), (Duration::from_secs(600), Duration::from_secs(60)));
        assert!(rules[0].is_breached(90.1) && !rules[0].is_breached(90.0) && rules[2].is_breached(4.9));
        let now = Timestamp::from_nanos(1_000_000_000_000);
        let wire = rules[0].wire(now);
        assert!(wire.path == "/query" && wire.query.starts_with("db=telegraf&epoch=ns&q=SELECT%20last"));
        assert!(rules[1].wire(now).query.starts_with("from=700&to=1000&query=avg%3A"));
        assert_eq!(rules[2].wire(now).method, "POST");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let check = |text: &str, expected: &str| {
            let why = parse(text).unwrap_err();
            assert!(why.contains(expected), "{why}");
        };
        check("[[check]]\nname = 1", "line 2");
        check("[[check]]\nname = 'a'\nnme = 2", "nme");
        check("\n\n[[check]]\nname = 'a'\nabove = 1", "line 3: a check has one of query");
        check("[[check]]\nname = 'a'\nquery = 'x'", "above and below");
        check("[[check]]\nname = 'a'\nquery = 'x'\nabove = 1\nfor = 'soon'", "for: \"soon\" is no duration");
        let one = "[[check]]\nname = 'a'\nquery = 'x'\nabove = 1\n";
        check(&format!("{one}{one}"), "line 5: there are two checks");
    }
}
