//! From a running InfluxDB: a window of a shard at a time, each small enough for memory.

use super::{State, count, first_column, series};
use crate::remote::{Client, quoted};
use isopoint_core::time::parse_rfc3339;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Values in a window; one with more is halved.
const WINDOW: u64 = 200_000;
/// Bytes of line protocol in one write.
const BODY: usize = 4 << 20;

/// Whether the counts agree.
pub(super) fn copy(source: &Client, target: &Client, wanted: &[String], state: &mut State) -> Result<bool, String> {
    let mut databases = first_column(&source.run("SHOW DATABASES", None)?);
    databases.retain(|name| if wanted.is_empty() { name != "_internal" } else { wanted.contains(name) });
    if let Some(missing) = wanted.iter().find(|name| !databases.contains(name)) {
        return Err(format!("{} has no database {missing:?}", source.host()));
    }
    let shards = shards(source)?;
    let mut agreed = true;
    for database in &databases {
        for policy in policies(source, database)? {
            make(target, database, &policy)?;
            for measurement in first_column(&source.run("SHOW MEASUREMENTS", Some(database))?) {
                let from = format!("{}.{}.{}", quoted(database), quoted(&policy.name), quoted(&measurement));
                let kinds = kinds(source, database, &policy.name, &measurement)?;
                for range in shards.get(&(database.clone(), policy.name.clone())).into_iter().flatten() {
                    let place = Place { database, policy: &policy.name, measurement: &measurement, from: &from };
                    windows(source, target, &place, &kinds, *range, state)?;
                }
                let (theirs, ours) = (count(source, &from, "")?, count(target, &from, "")?);
                if theirs == 0 && ours == 0 {
                    continue;
                }
                let word = if theirs == ours { "ok" } else { "DIFFERS" };
                println!("{word:<8} {from}: {theirs} values there, {ours} here");
                agreed &= theirs == ours;
            }
        }
    }
    for (what, statement) in [("users", "SHOW USERS"), ("continuous queries", "SHOW CONTINUOUS QUERIES")] {
        let found = source.run(statement, None).map(|answer| first_column(&answer)).unwrap_or_default();
        if !found.is_empty() {
            println!("not copied, {what}: {}", found.join(", "));
        }
    }
    Ok(agreed)
}

struct Policy {
    name: String,
    duration: String,
    shard_duration: String,
    default: bool,
}

fn policies(source: &Client, database: &str) -> Result<Vec<Policy>, String> {
    let answer = source.run(&format!("SHOW RETENTION POLICIES ON {}", quoted(database)), None)?;
    let mut policies = Vec::new();
    for series in series(&answer) {
        for row in rows(series) {
            let cell = |name: &str| column(series, name).and_then(|at| row.get(at));
            let text = |name: &str| cell(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            policies.push(Policy {
                name: text("name"),
                duration: text("duration"),
                shard_duration: text("shardGroupDuration"),
                default: cell("default").and_then(Value::as_bool).unwrap_or_default(),
            });
        }
    }
    Ok(policies)
}

/// The database, if it is new, and the policy as it is there.
fn make(target: &Client, database: &str, policy: &Policy) -> Result<(), String> {
    target.run(&format!("CREATE DATABASE {}", quoted(database)), None)?;
    let duration =
        if policy.duration.trim_start_matches(['0', 'h', 'm', 's']).is_empty() { "INF" } else { &policy.duration };
    let mut options = format!("DURATION {duration} REPLICATION 1 SHARD DURATION {}", policy.shard_duration);
    if policy.default {
        options += " DEFAULT";
    }
    let known = first_column(&target.run(&format!("SHOW RETENTION POLICIES ON {}", quoted(database)), None)?);
    let verb = if known.contains(&policy.name) { "ALTER" } else { "CREATE" };
    let options = if verb == "ALTER" { options.replace("REPLICATION 1 ", "") } else { options };
    let statement = format!("{verb} RETENTION POLICY {} ON {} {options}", quoted(&policy.name), quoted(database));
    target.run(&statement, None).map(drop).map_err(|error| format!("{statement}: {error}"))
}

/// Ranges of time, in nanoseconds, by database and policy.
type Shards = BTreeMap<(String, String), Vec<(i64, i64)>>;

fn shards(source: &Client) -> Result<Shards, String> {
    let answer = source.run("SHOW SHARDS", None)?;
    let mut shards = Shards::new();
    for series in series(&answer) {
        for row in rows(series) {
            let text = |name: &str| column(series, name).and_then(|at| row.get(at)?.as_str()).unwrap_or_default();
            let time = |name: &str| {
                parse_rfc3339(text(name))
                    .map(|(nanos, _)| nanos)
                    .ok_or_else(|| format!("SHOW SHARDS: {name} is {:?}", text(name)))
            };
            let key = (text("database").to_owned(), text("retention_policy").to_owned());
            shards.entry(key).or_default().push((time("start_time")?, time("end_time")?));
        }
    }
    for ranges in shards.values_mut() {
        ranges.sort_unstable();
        ranges.dedup();
    }
    Ok(shards)
}

/// The type of every field.
fn kinds(source: &Client, database: &str, policy: &str, measurement: &str) -> Result<BTreeMap<String, String>, String> {
    let statement = format!("SHOW FIELD KEYS ON {} FROM {}.{}", quoted(database), quoted(policy), quoted(measurement));
    let answer = source.run(&statement, None)?;
    let mut kinds: BTreeMap<String, String> = BTreeMap::new();
    for row in series(&answer).flat_map(rows) {
        let text = |at: usize| row.get(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (name, kind) = (text(0), text(1));
        // Of several types a SELECT reads the first of these.
        let rank =
            |kind: &str| ["float", "integer", "unsigned", "string", "boolean"].iter().position(|known| *known == kind);
        match kinds.get(&name) {
            Some(other) if rank(other) <= rank(&kind) => {
                eprintln!("isopoint: {measurement}: field {name:?} is {other} and {kind}; only {other} is read");
            }
            _ => drop(kinds.insert(name, kind)),
        }
    }
    Ok(kinds)
}

struct Place<'a> {
    database: &'a str,
    policy: &'a str,
    measurement: &'a str,
    from: &'a str,
}

/// Copies a range, in halves when it holds much.
fn windows(
    source: &Client,
    target: &Client,
    place: &Place<'_>,
    kinds: &BTreeMap<String, String>,
    (start, end): (i64, i64),
    state: &mut State,
) -> Result<(), String> {
    let step = format!("{}\t{start}\t{end}", place.from.escape_debug());
    if state.has(&step) {
        return Ok(());
    }
    let range = format!(" WHERE time >= {start} AND time < {end}");
    let values = count(source, place.from, &range)?;
    if values > WINDOW && end - start > 1 {
        let middle = start + (end - start) / 2;
        windows(source, target, place, kinds, (start, middle), state)?;
        windows(source, target, place, kinds, (middle, end), state)?;
    } else if values > 0 {
        let answer = source.run(&format!("SELECT * FROM {}{range} GROUP BY *", place.from), None)?;
        let path = format!(
            "/write?db={}&rp={}&precision=n",
            crate::import::escape(place.database),
            crate::import::escape(place.policy)
        );
        let mut body = String::new();
        for series in series(&answer) {
            lines(series, place.measurement, kinds, &mut body, |body| {
                target.write_to(&path, std::mem::take(body).into())
            })?;
        }
        if !body.is_empty() {
            target.write_to(&path, body.into())?;
        }
    }
    state.add(step)
}

fn rows(series: &Value) -> impl Iterator<Item = &Vec<Value>> {
    series.get("values").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_array)
}

fn column(series: &Value, name: &str) -> Option<usize> {
    series.get("columns")?.as_array()?.iter().position(|column| column == name)
}

/// The rows of a series as line protocol; `send` is called when there is enough.
fn lines(
    series: &Value,
    measurement: &str,
    kinds: &BTreeMap<String, String>,
    body: &mut String,
    mut send: impl FnMut(&mut String) -> Result<(), String>,
) -> Result<(), String> {
    let mut key = escaped(measurement, &[',', ' ']);
    for (name, value) in series.get("tags").and_then(Value::as_object).into_iter().flatten() {
        if let Some(value) = value.as_str().filter(|value| !value.is_empty()) {
            let _ = write!(key, ",{}={}", escaped(name, &[',', ' ', '=']), escaped(value, &[',', ' ', '=']));
        }
    }
    let columns: Vec<&str> =
        series.get("columns").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    for row in rows(series) {
        let start = body.len();
        let mut time = None;
        for (name, value) in columns.iter().zip(row) {
            let text = match (value, kinds.get(*name).map(String::as_str)) {
                (Value::Null, _) => continue,
                (time_of_row, _) if *name == "time" => {
                    time = time_of_row.as_i64();
                    continue;
                }
                (Value::String(text), _) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
                (Value::Bool(value), _) => value.to_string(),
                (number, Some("integer")) => format!("{number}i"),
                (number, Some("unsigned")) => format!("{number}u"),
                (number, _) => number.to_string(),
            };
            if body.len() == start {
                body.push_str(&key);
                body.push(' ');
            } else {
                body.push(',');
            }
            let _ = write!(body, "{}={text}", escaped(name, &[',', ' ', '=']));
        }
        match time {
            Some(time) if body.len() > start => {
                let _ = writeln!(body, " {time}");
            }
            _ => body.truncate(start),
        }
        if body.len() >= BODY {
            send(body)?;
        }
    }
    Ok(())
}

fn escaped(text: &str, special: &[char]) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if special.contains(&letter) {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_lines_with_the_types_of_their_fields() {
        let series = serde_json::json!({
            "name": "m x",
            "tags": {"a,b": "c=d", "empty": ""},
            "columns": ["time", "f", "i", "s", "t"],
            "values": [[1, 2.5, 3, "say \"hi\" \\", true], [2, null, null, null, null], [3, 1e300, null, null, false]],
        });
        let kinds = [("f", "float"), ("i", "integer"), ("s", "string"), ("t", "boolean")];
        let kinds = kinds.map(|(name, kind)| (name.to_owned(), kind.to_owned())).into();
        let mut body = String::new();
        lines(&series, "m x", &kinds, &mut body, |_| Ok(())).unwrap();
        assert_eq!(
            body,
            "m\\ x,a\\,b=c\\=d f=2.5,i=3i,s=\"say \\\"hi\\\" \\\\\",t=true 1\nm\\ x,a\\,b=c\\=d f=1e+300,t=false 3\n"
        );
    }
}
