//! Groups of sources and metrics to the series that they stand for.

use super::catalog::{Names, names};
use super::error::{self, Error};
use super::graph::{Graph, Object, Series};
use super::library::{Kind, Pattern, Shelf, series};
use super::mapping::Mapping;
use super::query::body_value;
use crate::dialect::exchange::{ApiConfig, Exchange};
use crate::dialect::route::Call;
use crate::limits::{Exceeded, Limits};
use crate::sorted::SortedMap;
use crate::store::Snapshot;
use serde_json::Value;
use std::rc::Rc;

/// What stands before the identifier of a group where a name could be.
const GROUP_PREFIX: &str = "group:";

/// Expands series of one request; the names of an origin are gathered once.
pub(super) struct Expander<'a> {
    snapshot: &'a Snapshot,
    mapping: &'a Mapping,
    shelf: &'a Shelf,
    limits: &'a Limits,
    names: SortedMap<String, Rc<Names>>,
    /// Series made so far.
    made: u64,
}

impl<'a> Expander<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, shelf: &'a Shelf, config: &'a ApiConfig) -> Self {
        let ApiConfig { facette: mapping, limits, .. } = config;
        Self { snapshot, mapping, shelf, limits, names: SortedMap::new(), made: 0 }
    }

    /// Puts what they stand for in the place of all series of a graph. A group of the graph that is left without series
    /// goes.
    pub(super) fn expand(&mut self, graph: &mut Graph) -> Result<(), Error> {
        for group in &mut graph.groups {
            let mut all = Vec::with_capacity(group.series.len());
            for series in std::mem::take(&mut group.series) {
                all.extend(self.series(series, true)?.unwrap_or_default());
            }
            group.series = all;
        }
        graph.groups.retain(|group| !group.series.is_empty());
        Ok(())
    }

    /// What an entry stands for: all pairs of its sources and its metrics, sources first, both sorted bytewise. `None`
    /// when a group is unknown. An entry of groups gives every series a name of its own. With `existing`, a group of
    /// metrics has only those of the sources; `/series/expand` shows all that the origin has.
    fn series(&mut self, entry: Series, existing: bool) -> Result<Option<Vec<Series>>, Error> {
        let of_group = |name: &str| name.strip_prefix(GROUP_PREFIX).map(str::to_owned);
        let (source_group, metric_group) = (of_group(&entry.source), of_group(&entry.metric));
        if source_group.is_none() && metric_group.is_none() {
            self.count(1)?;
            return Ok(Some(vec![entry]));
        }
        let patterns = |kind: Kind, id: Option<String>| match id {
            Some(id) => self.shelf.item(kind, &id).map(|group| Some(patterns(&group))),
            None => Some(None),
        };
        let (Some(sources), Some(metrics)) =
            (patterns(Kind::SourceGroups, source_group), patterns(Kind::MetricGroups, metric_group))
        else {
            return Ok(None);
        };
        let names = self.names(&entry.origin);
        let sources = match sources {
            Some(patterns) => names.sources(&|name| matches(&patterns, name)),
            None => vec![entry.source.clone()],
        };
        let metrics = match metrics {
            Some(patterns) => names.metrics(&|name| matches(&patterns, name), existing.then_some(&sources)),
            None => vec![entry.metric.clone()],
        };
        self.count((sources.len() as u64).saturating_mul(metrics.len() as u64))?;
        let mut all = Vec::with_capacity(sources.len() * metrics.len());
        for source in &sources {
            for metric in &metrics {
                all.push(Series {
                    name: [source, " (", metric, ")"].concat(),
                    origin: entry.origin.clone(),
                    source: source.clone(),
                    metric: metric.clone(),
                    options: entry.options.clone(),
                });
            }
        }
        Ok(Some(all))
    }

    fn names(&mut self, origin: &str) -> Rc<Names> {
        let (snapshot, mapping) = (self.snapshot, self.mapping);
        let origins = (!origin.is_empty()).then_some(origin);
        Rc::clone(self.names.or_insert_with(origin.to_owned(), || Rc::new(names(snapshot, mapping, origins, None))))
    }

    fn count(&mut self, more: u64) -> Result<(), Error> {
        self.made = self.made.saturating_add(more);
        let (asked, allowed) = (self.made, self.limits.max_graph_series);
        if asked > allowed { Err(Exceeded { limit: "graph-series", asked, allowed }.into()) } else { Ok(()) }
    }
}

fn patterns(group: &Object) -> Vec<Pattern> {
    let texts = group.get("patterns").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    // One that does not compile was refused when the group was saved.
    texts.filter_map(|text| Pattern::of_group(text).ok()).collect()
}

fn matches(patterns: &[Pattern], name: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(name))
}

/// `POST /series/expand`
pub(super) fn expand(call: Call) -> Box<dyn Exchange> {
    error::result(expand_all(&call))
}

fn expand_all(call: &Call) -> Result<Box<dyn Exchange>, Error> {
    let limits = &call.config.limits;
    let Value::Array(entries) = body_value(&call.request, limits, Error::Data)? else { return Err(Error::Data) };
    let mut read = Vec::with_capacity(entries.len());
    for entry in entries {
        let Value::Object(entry) = entry else { return Err(Error::Data) };
        read.push(series(entry).and_then(Series::read).map_err(|_| Error::Data)?);
    }
    let shelf = Shelf::new(&call.snapshot);
    let snapshot = call.readable();
    let mut expander = Expander::new(&snapshot, &shelf, &call.config);
    let mut answer = Vec::with_capacity(read.len());
    for entry in read {
        answer.push(match expander.series(entry, false)? {
            None => Value::Null,
            Some(all) => Value::Array(all.into_iter().map(|series| Value::Object(series.into_object())).collect()),
        });
    }
    Ok(error::json(&Value::Array(answer)))
}
