//! What there is: metrics, hosts, tags, and what is known of a metric.

use super::ast::Scope;
use super::error::{self, Error};
use super::forms::{Forms, NormalTag};
use super::keys::{self, Needs};
use super::metadata::{Metadata, SPACE, Type};
use super::names;
use super::sources::{self, Place};
use crate::catalog::{CatalogError, Command, DocumentChanges};
use crate::dialect::exchange::{Exchange, Turn};
use crate::dialect::form;
use crate::dialect::json::JsonWriter;
use crate::dialect::route::{Call, path_values};
use crate::exec::Budget;
use crate::index::SeriesId;
use crate::sorted::{SortedMap, SortedSet};
use crate::store::snapshot::{Database, Policy, Run, mask_of};
use crate::store::{Snapshot, WriteError, Written};
use crate::time::{NANOS_PER_SEC, TimeRange};
use bytes::Bytes;
use serde_json::{Map, Value};
use std::sync::Arc;

const METRIC_PATH: &str = "/api/v1/metrics/{name}";
const HOST: &str = "host";

/// `GET /api/v1/validate`
pub(super) fn validate(call: Call) -> Box<dyn Exchange> {
    match keys::check(&call, Needs::ApiKey) {
        Ok(()) => error::json(200, "{\"valid\":true}"),
        Err(error) => error::reply(&error),
    }
}

/// What the Agent and older clients send beside points: taken, not kept.
pub(super) fn accept(call: Call) -> Box<dyn Exchange> {
    match keys::check(&call, Needs::ApiKey) {
        Ok(()) => error::json(202, "{\"status\":\"ok\"}"),
        Err(error) => error::reply(&error),
    }
}

/// The same where an empty object is expected.
pub(super) fn accept_quietly(call: Call) -> Box<dyn Exchange> {
    match keys::check(&call, Needs::ApiKey) {
        Ok(()) => error::json(200, "{}"),
        Err(error) => error::reply(&error),
    }
}

pub(super) fn answered(call: &Call, write: impl FnOnce(&mut JsonWriter) -> Result<(), Error>) -> Box<dyn Exchange> {
    let mut json = JsonWriter::new(false);
    match keys::check(call, Needs::BothKeys).and_then(|()| write(&mut json)) {
        Ok(()) => error::json(200, json.take()),
        Err(error) => error::reply(&error),
    }
}

pub(super) fn parameter(call: &Call, wanted: &str) -> Option<String> {
    let pairs = form::pairs(call.request.query.as_bytes());
    pairs.filter(|(name, _)| name == wanted).last().map(|(_, value)| value.into_owned())
}

fn texts<'a>(json: &mut JsonWriter, texts: impl Iterator<Item = &'a str>) {
    json.begin_array();
    texts.for_each(|text| json.string(text));
    json.end_array();
}

/// `GET /api/v1/metrics?from=&host=&tag_filter=`: names with points since `from`.
pub(super) fn metrics(call: Call) -> Box<dyn Exchange> {
    answered(&call, |json| {
        let from = parameter(&call, "from").unwrap_or_default();
        let secs: i64 = from.trim().parse().map_err(|_| Error::bad("The parameter 'from' must be whole seconds"))?;
        let mut wanted: Vec<String> = Vec::new();
        wanted.extend(parameter(&call, HOST).filter(|host| !host.is_empty()).map(|host| format!("{HOST}:{host}")));
        wanted.extend(parameter(&call, "tag_filter").filter(|filter| !filter.is_empty()));
        let scope = match wanted.is_empty() {
            true => Scope::All,
            false => super::parse::scope_alone(&wanted.join(","), call.config.limits.parser_depth)?,
        };
        let since = TimeRange::new(secs.saturating_mul(NANOS_PER_SEC), i64::MAX);
        let found = living(&call, &scope, Some(since));
        json.begin_object();
        json.key("metrics");
        texts(json, found.iter().map(String::as_str));
        json.key("from");
        json.string(&from);
        json.end_object();
        Ok(())
    })
}

/// The names of metrics with a source in a scope that has points in a range, or any.
fn living(call: &Call, scope: &Scope, since: Option<TimeRange>) -> Vec<String> {
    let Some((database, policy)) = sources::data(&call.snapshot, &call.config.datadog.database) else {
        return Vec::new();
    };
    let lives = |place: &Place| {
        let Some(index) = database.index.measurement(&place.measurement) else { return false };
        let forms = Forms::of(index);
        let chosen = forms.chosen(scope);
        let mut series = chosen.iter().filter_map(|at| index.find(forms.key(at).as_bytes()));
        series.any(|id| since.is_none_or(|since| has_points(policy, id, &place.field, since)))
    };
    let metrics = sources::metrics(database, policy).into_iter();
    metrics.filter(|(_, places)| places.iter().any(lives)).map(|(name, _)| name).collect()
}

/// Whether a field of a series has points in blocks or chunks that meet a range.
fn has_points(policy: &Policy, series: SeriesId, field: &str, range: TimeRange) -> bool {
    let runs = policy.shards_in(range).filter_map(|shard| shard.runs(series).ok()).flatten();
    runs.into_iter().any(|run| match run {
        Run::Chunk(chunk) => chunk.range().overlaps(range) && chunk.column(field).is_some(),
        Run::Block { file, entry, masks, .. } => {
            let fields = file.index.fields();
            let columns = entry.columns.iter().filter(|column| mask_of(&masks, column).is_some());
            let mut columns = columns.filter_map(|column| fields.get(column.field as usize));
            entry.time_range().overlaps(range) && columns.any(|known| known.name == field)
        }
    })
}

/// What is known of the tags of each measurement.
fn all_forms(database: &Database) -> impl Iterator<Item = Arc<Forms>> {
    database.index.measurements().map(|(_, index)| Forms::of(index))
}

fn tag_text((key, value): &NormalTag) -> String {
    value.as_ref().map_or_else(|| key.clone(), |value| format!("{key}:{value}"))
}

/// `GET /api/v1/search?q=metrics:part`
pub(super) fn search(call: Call) -> Box<dyn Exchange> {
    answered(&call, |json| {
        let query = parameter(&call, "q").ok_or_else(|| Error::bad("The parameter 'q' is missing"))?;
        let (facet, part) = match query.split_once(':') {
            Some((facet @ ("metrics" | "hosts"), part)) => (Some(facet), part),
            _ => (None, &*query),
        };
        let (mut metrics, mut hosts) = (Vec::new(), SortedSet::new());
        if let Some((database, policy)) = sources::data(&call.snapshot, &call.config.datadog.database) {
            if facet != Some("hosts") {
                metrics.extend(sources::metrics(database, policy).into_iter().map(|(name, _)| name));
                metrics.retain(|name| name.contains(part));
            }
            if facet != Some("metrics") {
                for forms in all_forms(database) {
                    let own = forms.tags()[forms.with_key(HOST)].iter().filter_map(|(_, value)| value.as_ref());
                    hosts.extend(own.filter(|host| host.contains(part)).map(|host| (host.clone(), ())));
                }
            }
        }
        json.begin_object();
        json.key("results");
        json.begin_object();
        json.key("metrics");
        texts(json, metrics.iter().map(String::as_str));
        json.key("hosts");
        texts(json, hosts.keys().map(String::as_str));
        json.end_object();
        json.end_object();
        Ok(())
    })
}

/// `GET /api/v1/tags/hosts`: the hosts of every tag.
pub(super) fn host_tags(call: Call) -> Box<dyn Exchange> {
    answered(&call, |json| {
        let mut found: SortedMap<String, SortedSet<String>> = SortedMap::new();
        if let Some((database, _)) = sources::data(&call.snapshot, &call.config.datadog.database) {
            for forms in all_forms(database) {
                for series in 0..forms.len() {
                    let of_host = |tag: &&NormalTag| tag.0 == HOST;
                    for host in forms.tags_of(series).filter(of_host).filter_map(|(_, value)| value.as_ref()) {
                        for tag in forms.tags_of(series).filter(|tag| !of_host(tag)) {
                            found.or_default(tag_text(tag)).insert(host.clone(), ());
                        }
                    }
                }
            }
        }
        json.begin_object();
        json.key("tags");
        json.begin_object();
        for (tag, hosts) in found.iter() {
            json.key(tag);
            texts(json, hosts.keys().map(String::as_str));
        }
        json.end_object();
        json.end_object();
        Ok(())
    })
}

/// `GET /api/v2/metrics`: all names, or those with points in the last `window[seconds]`, with a source that
/// `filter[tags]` lets through, of one `filter[metric_type]`. Nothing here is configured, so `filter[configured]=true`
/// finds none. With `page[size]` in pages, each from the name after `page[cursor]`.
pub(super) fn metrics_v2(call: Call) -> Box<dyn Exchange> {
    answered(&call, |json| {
        let text = |name: &str| parameter(&call, name).filter(|text| !text.is_empty());
        let whole = |name: &str| match text(name).map(|text| text.parse::<u32>().ok().filter(|number| *number > 0)) {
            None => Ok(None),
            Some(Some(number)) => Ok(Some(number)),
            Some(None) => Err(Error::bad(format!("The parameter '{name}' must be a whole number above 0"))),
        };
        let scope = match text("filter[tags]") {
            Some(tags) => super::parse::scope_alone(&tags, call.config.limits.parser_depth)?,
            None => Scope::All,
        };
        let now = call.request.now.nanos();
        let begin = |secs: u32| now.saturating_sub(i64::from(secs).saturating_mul(NANOS_PER_SEC));
        let since = whole("window[seconds]")?.map(|secs| TimeRange::new(begin(secs), i64::MAX));
        let distributions = match text("filter[metric_type]").as_deref() {
            None => None,
            Some("distribution") => Some(true),
            Some("non_distribution") => Some(false),
            Some(_) => return Err(Error::bad("filter[metric_type] is distribution or non_distribution")),
        };
        let (size, cursor) = (whole("page[size]")?, text("page[cursor]"));
        let mut names = living(&call, &scope, since);
        let is_distribution = |name: &str| Metadata::of(&call.snapshot, name).kind == Type::Distribution;
        names.retain(|name| distributions.is_none_or(|wanted| is_distribution(name) == wanted));
        if text("filter[configured]").as_deref() == Some("true") {
            names.clear();
        }
        let mut next = None;
        if let Some(size) = size {
            names.retain(|name| cursor.as_ref().is_none_or(|cursor| name > cursor));
            let left = names.len();
            names.truncate(size as usize);
            next = names.last().filter(|_| names.len() < left).cloned();
        }
        json.begin_object();
        json.key("data");
        json.begin_array();
        for name in &names {
            json.begin_object();
            json.key("id");
            json.string(name);
            json.key("type");
            json.string("metrics");
            json.end_object();
        }
        json.end_array();
        if let Some(size) = size {
            json.key("meta");
            json.begin_object();
            json.key("pagination");
            json.begin_object();
            for (name, value) in [("cursor", &cursor), ("next_cursor", &next)] {
                json.key(name);
                match value {
                    Some(text) => json.string(text),
                    None => json.null(),
                }
            }
            json.key("limit");
            json.raw(&size.to_string());
            json.key("type");
            json.string("cursor_limit");
            json.end_object();
            json.end_object();
        }
        json.end_object();
        Ok(())
    })
}

/// `GET /api/v2/metrics/{name}/all-tags`
pub(super) fn all_tags_v2(call: Call) -> Box<dyn Exchange> {
    answered(&call, |json| {
        let name = metric_of(&call, "/api/v2/metrics/{name}/all-tags");
        let data = sources::data(&call.snapshot, &call.config.datadog.database);
        let data = data.map(|(database, policy)| (database, sources::places(policy, &name)));
        let (database, places) = data.filter(|(_, places)| !places.is_empty()).ok_or_else(unknown_metric)?;
        let mut tags = SortedSet::new();
        for index in places.iter().filter_map(|place| database.index.measurement(&place.measurement)) {
            tags.extend(Forms::of(index).tags().iter().map(|tag| (tag_text(tag), ())));
        }
        json.begin_object();
        json.key("data");
        json.begin_object();
        for (key, text) in [("type", "metrics"), ("id", &*name)] {
            json.key(key);
            json.string(text);
        }
        json.key("attributes");
        json.begin_object();
        json.key("tags");
        texts(json, tags.keys().map(String::as_str));
        json.end_object();
        json.end_object();
        json.end_object();
        Ok(())
    })
}

fn unknown_metric() -> Error {
    Error::new(404, "metric_name not found")
}

/// The metric that a path names.
fn metric_of(call: &Call, pattern: &str) -> String {
    let raw = path_values(pattern, &call.request.path).and_then(|values| values.first().copied()).unwrap_or_default();
    // A path is decoded as a form is, but for the plus sign.
    let form = format!("n={}", raw.replace('+', "%2B"));
    form::pairs(form.as_bytes()).next().map(|(_, name)| name.into_owned()).unwrap_or_default()
}

fn is_known(snapshot: &Snapshot, database: &str, metric: &str) -> bool {
    let places = sources::data(snapshot, database).map(|(_, policy)| sources::places(policy, metric));
    places.is_some_and(|places| !places.is_empty()) || snapshot.documents.space(SPACE).documents.contains_key(metric)
}

/// `GET /api/v1/metrics/{name}`
pub(super) fn metadata(call: Call) -> Box<dyn Exchange> {
    answered(&call, |json| {
        let name = metric_of(&call, METRIC_PATH);
        if !is_known(&call.snapshot, &call.config.datadog.database, &name) {
            return Err(unknown_metric());
        }
        let body = Metadata::of(&call.snapshot, &name).to_json();
        json.raw(&String::from_utf8_lossy(&body));
        Ok(())
    })
}

/// `PUT /api/v1/metrics/{name}`: the members given, then the whole.
pub(super) fn put_metadata(call: Call) -> Box<dyn Exchange> {
    let name = metric_of(&call, METRIC_PATH);
    let read = || -> Result<Map<String, Value>, Error> {
        keys::check(&call, Needs::BothKeys)?;
        if names::metric(&name).as_deref() != Some(&*name)
            || !is_known(&call.snapshot, &call.config.datadog.database, &name)
        {
            return Err(unknown_metric());
        }
        match serde_json::from_slice(&call.request.body) {
            Ok(Value::Object(members)) => Ok(members),
            _ => Err(Error::bad("the body is no JSON object")),
        }
    };
    match read() {
        Err(error) => error::reply(&error),
        Ok(members) => {
            Box::new(Put { name, members, snapshot: call.snapshot.clone(), known: Metadata::default(), reply: None })
        }
    }
}

struct Put {
    name: String,
    members: Map<String, Value>,
    snapshot: Snapshot,
    known: Metadata,
    reply: Option<Box<dyn Exchange>>,
}

impl Put {
    fn decide(&mut self) -> Result<Turn, Error> {
        self.known = Metadata::of(&self.snapshot, &self.name);
        self.known.update(&self.members).map_err(Error::bad)?;
        let changes = DocumentChanges {
            space: SPACE.to_owned(),
            revision: self.snapshot.documents.space(SPACE).revision,
            changes: vec![(self.name.clone(), Some(self.known.encode()))],
        };
        Ok(Turn::Command(Command::Documents(changes)))
    }
}

impl Exchange for Put {
    fn turn(&mut self, budget: Budget) -> Turn {
        if let Some(reply) = &mut self.reply {
            return reply.turn(budget);
        }
        match self.decide() {
            Ok(turn) => turn,
            Err(error) => self.reply.insert(error::reply(&error)).turn(budget),
        }
    }

    fn supply(&mut self, _bytes: Result<Vec<Bytes>, String>) {}

    fn wrote(&mut self, outcome: Result<Written, WriteError>, snapshot: Snapshot) {
        self.snapshot = snapshot;
        match outcome {
            Ok(_) => self.reply = Some(error::json(200, self.known.to_json())),
            // Decide again on what is there now.
            Err(WriteError::Catalog(CatalogError::DocumentsChanged(_))) => {}
            Err(error) => self.reply = Some(error::reply(&error.into())),
        }
    }
}
