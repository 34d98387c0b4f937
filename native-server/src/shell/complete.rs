//! Completion: words of the language, and names of what is there.

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

const WORDS: &[&str] = &[
    "ALL",
    "ALTER",
    "ANALYZE",
    "AND",
    "ANY",
    "AS",
    "ASC",
    "BEGIN",
    "BY",
    "CARDINALITY",
    "CONTINUOUS",
    "CREATE",
    "DATABASE",
    "DATABASES",
    "DEFAULT",
    "DELETE",
    "DESC",
    "DESTINATIONS",
    "DIAGNOSTICS",
    "DISTINCT",
    "DROP",
    "DURATION",
    "END",
    "EVERY",
    "EXACT",
    "EXPLAIN",
    "FIELD",
    "FOR",
    "FROM",
    "GRANT",
    "GRANTS",
    "GROUP",
    "GROUPS",
    "IN",
    "INF",
    "INTO",
    "KEY",
    "KEYS",
    "KILL",
    "LIMIT",
    "MEASUREMENT",
    "MEASUREMENTS",
    "NAME",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "PASSWORD",
    "POLICIES",
    "POLICY",
    "PRIVILEGES",
    "QUERIES",
    "QUERY",
    "READ",
    "RENAME",
    "REPLICATION",
    "RESAMPLE",
    "RETENTION",
    "REVOKE",
    "SELECT",
    "SERIES",
    "SET",
    "SHARD",
    "SHARDS",
    "SHOW",
    "SLIMIT",
    "SOFFSET",
    "STATS",
    "SUBSCRIPTION",
    "SUBSCRIPTIONS",
    "TAG",
    "TO",
    "USER",
    "USERS",
    "VALUES",
    "WHERE",
    "WITH",
    "WRITE",
    "bottom(",
    "count(",
    "cumulative_sum(",
    "derivative(",
    "difference(",
    "elapsed(",
    "exit",
    "fill(",
    "first(",
    "format",
    "help",
    "insert",
    "integral(",
    "last(",
    "max(",
    "mean(",
    "median(",
    "min(",
    "mode(",
    "moving_average(",
    "now()",
    "non_negative_derivative(",
    "percentile(",
    "precision",
    "sample(",
    "spread(",
    "stddev(",
    "sum(",
    "time(",
    "timing",
    "top(",
    "tz(",
    "use",
];

/// What there is to name.
#[derive(Default)]
pub(super) struct Names {
    pub(super) databases: Vec<String>,
    pub(super) measurements: Vec<String>,
    /// Of fields and tags.
    pub(super) keys: Vec<String>,
}

/// What rustyline asks for help.
pub(super) struct Prompt {
    pub(super) names: Names,
}

impl Prompt {
    pub(super) const fn new(names: Names) -> Self {
        Self { names }
    }

    /// Where the word before `at` begins, and what it may become. The word before it says which names fit.
    fn candidates(&self, line: &str, at: usize) -> (usize, Vec<String>) {
        let before = line.get(..at).unwrap_or(line);
        let start = before
            .rfind(|char: char| !is_name(char))
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        let word = &before[start..];
        let previous = before[..start].trim_end().rsplit(|char: char| !is_name(char)).next().unwrap_or_default();
        let names: Vec<&str> = match previous.to_uppercase().as_str() {
            "USE" | "ON" | "DATABASE" => self.names.databases.iter().map(String::as_str).collect(),
            "FROM" | "MEASUREMENT" | "INTO" => self.names.measurements.iter().map(String::as_str).collect(),
            _ => self.names.keys.iter().map(String::as_str).chain(WORDS.iter().copied()).collect(),
        };
        let fits = |name: &&str| {
            name.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word)) && !word.is_empty()
                || word.is_empty() && !WORDS.contains(name)
        };
        (start, names.into_iter().filter(fits).map(quoted).collect())
    }
}

fn is_name(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// A name that is no plain word needs quotes; a function keeps its parenthesis.
fn quoted(name: &str) -> String {
    let plain = name.chars().all(is_name) && !name.starts_with(|char: char| char.is_ascii_digit());
    if plain || WORDS.contains(&name) { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\\\"")) }
}

impl Completer for Prompt {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, candidates) = self.candidates(line, at);
        let pair = |text: String| Pair { display: text.clone(), replacement: text };
        Ok((start, candidates.into_iter().map(pair).collect()))
    }
}

impl Hinter for Prompt {
    type Hint = String;
}

impl Highlighter for Prompt {}

impl Validator for Prompt {}

impl Helper for Prompt {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_before_says_what_fits() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let prompt = Prompt::new(Names {
            databases: names(&["home", "weather"]),
            measurements: names(&["cpu", "cpu load"]),
            keys: names(&["selfless", "temp"]),
        });
        let check = |line: &str, start: usize, expected: &[&str]| {
            assert_eq!(prompt.candidates(line, line.len()), (start, names(expected)), "{line}");
        };
        check("sel", 0, &["selfless", "SELECT"]);
        check("use h", 4, &["home"]);
        check("use ", 4, &["home", "weather"]);
        check("SELECT mean(te", 12, &["temp"]);
        check("SELECT * FROM c", 14, &["cpu", "\"cpu load\""]);
        check("SELECT mea", 7, &["MEASUREMENT", "MEASUREMENTS", "mean("]);
    }
}
