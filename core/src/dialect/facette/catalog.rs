//! The catalog: which origins, sources and metrics there are. A view of the index at the moment of the request, so that
//! nothing is ever refreshed and nothing is stale.

use super::error::{self, Error};
use super::graph::Object;
use super::library::Pattern;
use super::mapping::{self, Mapping};
use super::query::Query;
use crate::dialect::exchange::Exchange;
use crate::dialect::form;
use crate::dialect::json::JsonWriter;
use crate::dialect::route::{Call, path_values};
use crate::hash::Map;
use crate::sorted::{SortedMap, SortedSet};
use crate::store::Snapshot;
use serde_json::Value;

pub(super) const LIST: &str = "/api/v1/catalog/{kind}";
pub(super) const ENTRY: &str = "/api/v1/catalog/{kind}/{*name}";

/// The names of some origins: sources, and which metrics each has.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Numbers in `metrics`, each once.
    sources: SortedMap<String, Vec<u32>>,
    metrics: Vec<String>,
}

impl Names {
    /// The sources that are so, sorted.
    pub(super) fn sources(&self, is_so: &dyn Fn(&str) -> bool) -> Vec<String> {
        self.sources.keys().filter(|name| is_so(name)).cloned().collect()
    }

    /// The metrics that are so, of all sources or of these, sorted, each once.
    pub(super) fn metrics(&self, is_so: &dyn Fn(&str) -> bool, sources: Option<&Vec<String>>) -> Vec<String> {
        let mut found = vec![false; self.metrics.len()];
        let mut add = |metrics: &[u32]| metrics.iter().for_each(|metric| found[*metric as usize] = true);
        match sources {
            Some(sources) => sources.iter().filter_map(|name| self.sources.get(name)).for_each(|of| add(of)),
            None => self.sources.values().for_each(|of| add(of)),
        }
        let named = self.metrics.iter().zip(found).filter(|(name, found)| *found && is_so(name));
        let mut metrics: Vec<String> = named.map(|(name, _)| name.clone()).collect();
        crate::order::sort_by(&mut metrics, Ord::cmp);
        metrics
    }

    /// Every source with its metrics, both sorted.
    pub(super) fn by_source(&self) -> Vec<(&str, Vec<&str>)> {
        let mut all = Vec::with_capacity(self.sources.len());
        for (source, numbers) in self.sources.iter() {
            let mut metrics: Vec<&str> = numbers.iter().map(|number| self.metrics[*number as usize].as_str()).collect();
            crate::order::sort_by(&mut metrics, Ord::cmp);
            all.push((source.as_str(), metrics));
        }
        all
    }

    /// Pairs of a source and a metric.
    fn count(&self) -> usize {
        self.sources.values().map(Vec::len).sum()
    }
}

/// The names of one origin, or of all; of one source, or of all.
pub(super) fn names(snapshot: &Snapshot, mapping: &Mapping, origin: Option<&str>, source: Option<&str>) -> Names {
    let mut names = Names::default();
    let mut numbers: Map<String, u32> = Map::default();
    for database in snapshot.databases.iter().filter(|database| origin.is_none_or(|name| database.name == name)) {
        mapping::each(database, mapping, source, &mut |source, metric| {
            let number = match numbers.get(metric) {
                Some(number) => *number,
                None => {
                    let number = names.metrics.len() as u32;
                    names.metrics.push(metric.to_owned());
                    numbers.insert(metric.to_owned(), number);
                    number
                }
            };
            if !names.sources.contains_key(source) {
                names.sources.insert(source.to_owned(), Vec::new());
            }
            names.sources.get_mut(source).expect("it was put there just now").push(number);
        });
    }
    for metrics in names.sources.values_mut() {
        crate::order::sort_dedup(metrics);
    }
    names
}

/// Every origin that has metrics, by name.
fn origins(call: &Call) -> SortedMap<String, Names> {
    let mut origins = SortedMap::new();
    let snapshot = call.readable();
    for database in snapshot.databases.iter() {
        let names = names(&snapshot, &call.config.facette, Some(&database.name), None);
        if !names.sources.is_empty() {
            origins.insert(database.name.clone(), names);
        }
    }
    origins
}

/// `GET /catalog`: how many there are: origins, pairs of origin and source, series.
pub(super) fn summary(call: Call) -> Box<dyn Exchange> {
    let origins = origins(&call);
    let (mut sources, mut metrics) = (0, 0);
    for names in origins.values() {
        sources += names.sources.len();
        metrics += names.count();
    }
    let mut json = JsonWriter::new(false);
    json.begin_object();
    for (kind, count) in [("origins", origins.len()), ("sources", sources), ("metrics", metrics)] {
        json.key(kind);
        json.raw(&count.to_string());
    }
    json.end_object();
    json.line_feed();
    error::answer(200, Vec::new(), json.take())
}

/// `GET /catalog/{origins,sources,metrics}`: their names.
pub(super) fn list(call: Call) -> Box<dyn Exchange> {
    let values = path_values(LIST, &call.request.path);
    let kind = values.and_then(|values| values.first().copied()).unwrap_or_default();
    error::result(list_names(kind, &call))
}

fn list_names(kind: &str, call: &Call) -> Result<Box<dyn Exchange>, Error> {
    let query = Query::new(&call.request);
    let (origin, source) = (query.text("origin"), query.text("source"));
    let mut all: Vec<String> = match kind {
        "origins" => origins(call).keys().cloned().collect(),
        "sources" => names(&call.readable(), &call.config.facette, origin, None).sources(&|_| true),
        "metrics" => names(&call.readable(), &call.config.facette, origin, source).metrics(&|_| true, None),
        _ => return Ok(error::empty(404)),
    };
    if let Some(filter) = query.text("filter") {
        let filter = Pattern::of_group(filter).map_err(|_| Error::Filter)?;
        all.retain(|name| filter.matches(name));
    }
    let page = query.page()?.of(all.len());
    let mut json = JsonWriter::new(false);
    json.begin_array();
    all[page].iter().for_each(|name| json.string(name));
    json.end_array();
    json.line_feed();
    Ok(error::answer(200, vec![("X-Total-Records".to_owned(), all.len().to_string())], json.take()))
}

/// `GET` of one name: where it is known. Every origin has a provider of its own name.
pub(super) fn entry(call: Call) -> Box<dyn Exchange> {
    let values = path_values(ENTRY, &call.request.path).unwrap_or_default();
    let [kind, name] = values[..] else { return error::empty(404) };
    let Some(name) = form::path_part(name) else { return error::empty(404) };
    let query = Query::new(&call.request);
    let wanted = |parameter: &str, name: &str| query.text(parameter).is_none_or(|wanted| wanted == name);
    let (mut of_origins, mut of_sources) = (SortedSet::new(), SortedSet::new());
    let origins = origins(&call);
    for (origin, names) in origins.iter().filter(|(origin, _)| kind == "origins" || wanted("origin", origin)) {
        match kind {
            "origins" if **origin == *name => drop(of_origins.insert(origin.as_str(), ())),
            "sources" if names.sources.contains_key(&*name) => drop(of_origins.insert(origin.as_str(), ())),
            "metrics" => {
                let Some(number) = names.metrics.iter().position(|metric| *metric == name) else { continue };
                let has = |of: &[u32]| of.binary_search(&(number as u32)).is_ok();
                let sources = names.sources.iter().filter(|(source, of)| wanted("source", source) && has(of));
                for (source, _) in sources {
                    of_origins.insert(origin.as_str(), ());
                    of_sources.insert(source.clone(), ());
                }
            }
            _ => {}
        }
    }
    if of_origins.is_empty() {
        return error::empty(404);
    }
    let of_origins = Value::Array(of_origins.keys().map(|origin| Value::from(*origin)).collect());
    let mut answer = Object::new();
    answer.insert("name".to_owned(), Value::String(name.into_owned()));
    if kind != "origins" {
        answer.insert("origins".to_owned(), of_origins.clone());
    }
    if kind == "metrics" {
        answer.insert("sources".to_owned(), of_sources.keys().map(|source| Value::from(source.as_str())).collect());
    }
    answer.insert("providers".to_owned(), of_origins);
    error::json(&Value::Object(answer))
}
