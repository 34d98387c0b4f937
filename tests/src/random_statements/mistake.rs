//! Statements with a mistake: valid ones of which tokens were dropped, doubled, swapped or replaced.

use super::{Seeded, select, show};

/// What else a statement may begin as.
const OTHERS: &[&str] = &[
    "CREATE DATABASE x WITH DURATION 1d REPLICATION 1 SHARD DURATION 1h NAME y",
    "CREATE RETENTION POLICY p ON nodb DURATION 1d REPLICATION 1 DEFAULT",
    "ALTER RETENTION POLICY p ON nodb DURATION 3w SHARD DURATION 1d",
    "DROP RETENTION POLICY p ON nodb",
    "CREATE CONTINUOUS QUERY c ON nodb RESAMPLE EVERY 1m FOR 1h BEGIN SELECT mean(v) INTO x FROM m GROUP BY time(5m) END",
    "DROP CONTINUOUS QUERY c ON nodb",
    "CREATE SUBSCRIPTION s ON nodb.autogen DESTINATIONS ALL 'udp://h:1'",
    "DROP SUBSCRIPTION s ON nodb.autogen",
    "GRANT READ ON nodb TO nobody",
    "REVOKE ALL PRIVILEGES FROM nobody",
    "SET PASSWORD FOR nobody = 'x'",
    "SHOW GRANTS FOR nobody",
    "DROP SHARD 999",
    "KILL QUERY 99999",
    "DELETE FROM nope WHERE time > 5 AND h = 'a'",
    "DROP SERIES FROM nope WHERE h = 'a'",
    "DROP MEASUREMENT nope",
    "SHOW RETENTION POLICIES ON fuzz",
];

/// Tokens that turn up where they do not belong.
const STRAY: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "BY",
    "time",
    "(",
    ")",
    ",",
    ";",
    "=",
    "=~",
    "!=",
    "<",
    ">=",
    "AND",
    "OR",
    "/x/",
    "'text'",
    "\"name\"",
    "5",
    "1.5",
    "-3",
    "10m",
    "1h30m",
    "*",
    "::",
    "::float",
    ".",
    "..",
    "h",
    "v",
    "fill",
    "LIMIT",
    "OFFSET",
    "ORDER",
    "DESC",
    "ASC",
    "INTO",
    "true",
    "mean",
    "mean(v)",
    "distinct",
    "top(v, 2)",
    "percentile(v)",
    "now()",
    "#",
    "$x",
    "!",
    "\"open",
    "'open",
    "/open",
    "--",
    "/*",
    "99999999999999999999",
    "1x",
    "é",
    "tz('x')",
    "fill(x)",
    "GROUP BY time(1m)",
    "derivative(v)",
    "moving_average(v, 1)",
    "count(5)",
    "time(5)",
    "key",
    "%",
    "|",
    "+",
    "-",
];

pub(super) fn mistaken(random: &mut Seeded) -> String {
    let whole = match random.below(6) {
        0 => random.pick(OTHERS).to_owned(),
        1 => show::show(random),
        2 => select::select(random, 1),
        _ => select::select(random, 0),
    };
    let mut tokens = tokens(&whole);
    for _ in 0..=random.below(2) {
        let at = random.below(tokens.len() as u64) as usize;
        match random.below(5) {
            0 => {
                tokens.remove(at);
            }
            1 => tokens.insert(at, tokens[at].clone()),
            2 => tokens[at] = random.pick(STRAY).to_owned(),
            3 => tokens.insert(at, random.pick(STRAY).to_owned()),
            _ => {
                let other = random.below(tokens.len() as u64) as usize;
                tokens.swap(at, other);
            }
        }
        if tokens.is_empty() {
            return whole;
        }
    }
    tokens.concat().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Words, numbers, quoted texts and signs, each with the blanks after it.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut quoted = None;
    let mut word = false;
    for c in text.chars() {
        let part = c.is_alphanumeric() || c == '_';
        let joined = quoted.is_some() || part && word || c == ' ';
        match tokens.last_mut() {
            Some(last) if joined => last.push(c),
            _ => tokens.push(c.to_string()),
        }
        word = part;
        match quoted {
            Some(end) if end == c => quoted = None,
            None if c == '\'' || c == '"' => quoted = Some(c),
            _ => {}
        }
    }
    tokens
}
