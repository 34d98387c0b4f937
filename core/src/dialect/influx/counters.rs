//! What runs and how it goes: SHOW QUERIES, KILL QUERY, SHOW STATS, SHOW DIAGNOSTICS and `/debug/vars`.

use super::answer::{Chunks, Part};
use super::ast::Statement;
use super::error::StatementError;
use super::head;
use super::query::{Context, Work};
use super::show::{named, texts};
use crate::auth::Rights;
use crate::dialect::exchange::{Exchange, Reply, Statistic};
use crate::dialect::json::JsonWriter;
use crate::dialect::route::Call;
use crate::dialect::running::Kill;
use crate::model::Column;
use crate::number;
use crate::time::{NANOS_PER_MICRO, NANOS_PER_MILLI, NANOS_PER_MINUTE, NANOS_PER_SEC, write_rfc3339};
use crate::value::{FieldType, Value};

/// The work of a statement about the running server, `None` when it is about something else.
pub(super) fn compile(statement: &Statement, context: &Context<'_>) -> Result<Option<Work>, StatementError> {
    let facts = context.config.and_then(|config| config.facts.as_deref());
    Ok(Some(match statement {
        Statement::ShowQueries => show_queries(context),
        Statement::KillQuery { id, .. } => {
            match context.config.map_or(Kill::NotFound, |config| config.queries.kill(*id)) {
                Kill::Done => Work::nothing(),
                Kill::NotFound => return Err(StatementError::NoSuchQuery(*id)),
                Kill::AlreadyKilled => return Err(StatementError::Fixed("already killed")),
            }
        }
        Statement::ShowStats { module } => {
            let statistics = facts.map(|facts| facts.statistics()).unwrap_or_default();
            let wanted = |statistic: &&Statistic| module.as_deref().is_none_or(|module| module == statistic.name);
            Work::Parts { parts: statistics.iter().filter(wanted).map(statistic).collect(), chunks: Chunks::Whole }
        }
        Statement::ShowDiagnostics { module } => {
            let diagnostics = facts.map(|facts| facts.diagnostics()).unwrap_or_default();
            let wanted = diagnostics.iter().filter(|(name, _)| module.as_deref().is_none_or(|module| module == *name));
            Work::Parts { parts: wanted.map(|(name, facts)| diagnostic(name, facts)).collect(), chunks: Chunks::Whole }
        }
        _ => return Ok(None),
    }))
}

/// Every query that runs over databases the caller may read, this one among them.
fn show_queries(context: &Context<'_>) -> Work {
    let kinds = [FieldType::Integer, FieldType::String, FieldType::String, FieldType::String, FieldType::String];
    let mut values = kinds.map(Column::new);
    for query in context.config.iter().flat_map(|config| config.queries.list()) {
        let database = context.snapshot.database(&query.database);
        let may = database.is_some_and(|database| context.principal.may(Rights::READ, database.id));
        if !may && !context.principal.is_admin() {
            continue;
        }
        let age = context.now.nanos().saturating_sub(query.began.nanos()).max(0);
        let [id, text, database, duration, status] = &mut values;
        id.push(Some(Value::Integer(i64::try_from(query.id).unwrap_or(i64::MAX))));
        text.push(Some(Value::String(&query.text)));
        database.push(Some(Value::String(&query.database)));
        duration.push(Some(Value::String(&short_duration(age))));
        status.push(Some(Value::String(if query.is_killed() { "killed" } else { "running" })));
    }
    let columns = named(["qid", "query", "database", "duration", "status"]);
    Work::series(Part { columns, values: values.into(), ..Part::default() })
}

/// In the largest unit that fits, cut to whole ones, as Go prints it: `3µs`, `250ms`, `1m5s`.
fn short_duration(nanos: i64) -> String {
    if nanos >= NANOS_PER_SEC {
        let (hours, minutes) = (nanos / NANOS_PER_MINUTE / 60, nanos / NANOS_PER_MINUTE % 60);
        let seconds = nanos / NANOS_PER_SEC % 60;
        match (hours, minutes) {
            (0, 0) => format!("{seconds}s"),
            (0, _) => format!("{minutes}m{seconds}s"),
            _ => format!("{hours}h{minutes}m{seconds}s"),
        }
    } else if nanos >= NANOS_PER_MILLI {
        format!("{}ms", nanos / NANOS_PER_MILLI)
    } else if nanos >= NANOS_PER_MICRO {
        format!("{}µs", nanos / NANOS_PER_MICRO)
    } else if nanos > 0 {
        format!("{nanos}ns")
    } else {
        "0s".to_owned()
    }
}

fn statistic(statistic: &Statistic) -> Part {
    let mut values = Vec::new();
    for (_, number) in &statistic.values {
        let mut column = Column::new(FieldType::Integer);
        column.push(Some(Value::Integer(i64::try_from(*number).unwrap_or(i64::MAX))));
        values.push(column);
    }
    Part {
        name: statistic.name.to_owned(),
        tags: statistic.tags.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
        columns: statistic.values.iter().map(|(name, _)| (*name).to_owned()).collect(),
        values,
        ..Part::default()
    }
}

fn diagnostic(name: &str, facts: &[(&'static str, String)]) -> Part {
    let mut values = Vec::new();
    for (_, text) in facts {
        let column = texts("", [""], std::iter::once([text.as_str()]));
        values.extend(column.values);
    }
    let columns = facts.iter().map(|(name, _)| (*name).to_owned()).collect();
    Part { name: name.to_owned(), columns, values, ..Part::default() }
}

/// Members of `memstats` that Telegraf's `inputs.influxdb` reads. A Rust process has one figure for them: its memory.
const HEAP: &[&str] = &["Sys", "Alloc", "TotalAlloc", "HeapAlloc", "HeapSys", "HeapInuse"];
const NO_HEAP: &[&str] = &[
    "Lookups",
    "Mallocs",
    "Frees",
    "HeapIdle",
    "HeapReleased",
    "HeapObjects",
    "NextGC",
    "LastGC",
    "PauseTotalNs",
    "NumGC",
    "GCCPUFraction",
];

/// `GET /debug/vars`
pub(super) fn vars(call: Call) -> Box<dyn Exchange> {
    let mut json = JsonWriter::new(false);
    let facts = call.config.facts.as_deref();
    json.begin_object();
    if let Some(facts) = facts {
        let (now, started) = (call.request.now, facts.started());
        json.key("system");
        json.begin_object();
        for (key, time) in [("currentTime", now), ("started", started)] {
            json.key(key);
            json.with(|out| {
                out.push(b'"');
                write_rfc3339(time.nanos(), 0, out);
                out.push(b'"');
            });
        }
        json.key("uptime");
        json.with(|out| number::write_i64((now.nanos() - started.nanos()) / NANOS_PER_SEC, out));
        json.end_object();
        json.key("cmdline");
        json.begin_array();
        facts.arguments().iter().for_each(|argument| json.string(argument));
        json.end_array();
        json.key("memstats");
        json.begin_object();
        let resident = facts.resident_bytes();
        for (names, number) in [(HEAP, resident), (NO_HEAP, 0)] {
            for name in names {
                json.key(name);
                json.with(|out| number::write_u64(number, out));
            }
        }
        json.end_object();
        for statistic in facts.statistics() {
            json.key(&key(&statistic));
            variable(&statistic, &mut json);
        }
    }
    json.end_object();
    json.line_feed();
    let mut headers = head::headers(&call, "application/json; charset=utf-8");
    headers.retain(|(name, _)| !name.ends_with("Request-Id"));
    Box::new(Reply::new(200, headers, json.take()))
}

/// `name`, or `name:tag:…` by the tags that make it one of several.
fn key(statistic: &Statistic) -> String {
    let tag = |wanted: &str| statistic.tags.iter().find(|(key, _)| *key == wanted).map(|(_, value)| value.as_str());
    let mut key = statistic.name.to_owned();
    for part in [tag("bind"), tag("database"), tag("retentionPolicy")].into_iter().flatten() {
        key.push(':');
        key.push_str(part);
    }
    key
}

fn variable(statistic: &Statistic, json: &mut JsonWriter) {
    json.begin_object();
    json.key("name");
    json.string(statistic.name);
    json.key("tags");
    json.begin_object();
    for (key, value) in &statistic.tags {
        json.key(key);
        json.string(value);
    }
    json.end_object();
    json.key("values");
    json.begin_object();
    for (name, number) in &statistic.values {
        json.key(name);
        json.with(|out| number::write_u64(*number, out));
    }
    json.end_object();
    json.end_object();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let seconds = |secs: i64| short_duration(secs * NANOS_PER_SEC);
        assert_eq!([seconds(0), seconds(65), seconds(3725)], ["0s", "1m5s", "1h2m5s"]);
        assert_eq!([short_duration(3_456), short_duration(250_999_999), short_duration(7)], ["3µs", "250ms", "7ns"]);
    }
}
