//! `POST /library/presets`: a page for every host, made from the catalog.
//!
//! ```text
//! {"origin": "telegraf"}  ─►  a template for every measurement    (all its metrics, by source)
//!                             a collection for every source       (an entry for every template that it has metrics of)
//!                             a collection above them             (named after the origin)
//! ```
//!
//! Identifiers come from names, so that doing it again brings what is new and keeps what is there.

use super::super::catalog::names;
use super::super::error::Error;
use super::super::graph::Object;
use super::super::query::{Query, body_object};
use super::change::{change, now};
use super::item::{self, Kind};
use super::shelf::Shelf;
use super::transfer::store;
use crate::dialect::exchange::Exchange;
use crate::dialect::route::Call;
use crate::limits::Exceeded;
use crate::sorted::SortedMap;
use serde_json::{Value, json};

/// An identifier that is always the same for the same names.
pub(in crate::dialect::facette) fn named_uuid(names: &[&str]) -> String {
    item::uuid(xxhash_rust::xxh3::xxh3_128(names.join("\0").as_bytes()).to_be_bytes())
}

pub(in crate::dialect::facette) fn presets(call: Call) -> Box<dyn Exchange> {
    change(call, move |call, shelf| {
        let Call { request, config, .. } = call;
        let body = body_object(request, &config.limits, Error::Data)?;
        let Some(Value::String(origin)) = body.get("origin") else { return Err(Error::Data) };
        let names = names(&call.readable(), &config.facette, Some(origin), None);
        let Preset { mut items, entries } = Preset::new(origin, &names.by_source());
        let (asked, allowed) = (entries, config.limits.max_graph_series);
        if asked > allowed {
            return Err(Exceeded { limit: "preset-entries", asked, allowed }.into());
        }
        let now = now(request);
        for (kind, item) in &mut items {
            finish(*kind, item, &now, shelf)?;
        }
        store(&items, Query::new(request).flag("replace"), shelf)
    })
}

struct Preset {
    items: Vec<(Kind, Object)>,
    entries: u64,
}

impl Preset {
    fn new(origin: &str, by_source: &[(&str, Vec<&str>)]) -> Self {
        let mut families: SortedMap<&str, Vec<&str>> = SortedMap::new();
        let (mut pages, mut entries) = (Vec::new(), 0);
        let above = named_uuid(&["preset", origin]);
        for (source, metrics) in by_source {
            let mut own: Vec<&str> = Vec::new();
            for metric in metrics {
                let family = family(metric);
                families.or_default(family).push(metric);
                own.push(family);
            }
            crate::order::sort_dedup(&mut own);
            entries += own.len() as u64;
            let entries: Vec<Value> = own
                .iter()
                .map(|family| {
                    let graph = named_uuid(&["preset", origin, "graph", family]);
                    json!({ "graph": graph, "attributes": { "source": source } })
                })
                .collect();
            pages.push((
                Kind::Collections,
                json!({
                    "id": named_uuid(&["preset", origin, "source", source]), "name": ([origin, ".", source].concat()),
                    "entries": entries, "options": { "title": source }, "parent": above,
                }),
            ));
        }
        let mut items = vec![(
            Kind::Collections,
            json!({
                "id": above, "name": origin, "options": { "title": origin },
            }),
        )];
        for (family, mut metrics) in families {
            crate::order::sort_dedup(&mut metrics);
            let series: Vec<Value> = metrics
                .iter()
                .map(|metric| {
                    let name = metric.strip_prefix(family).and_then(|name| name.strip_prefix('.')).unwrap_or(metric);
                    json!({ "name": name, "origin": origin, "source": "{{ .source }}", "metric": metric })
                })
                .collect();
            items.push((
                Kind::Graphs,
                json!({
                    "id": named_uuid(&["preset", origin, "graph", family]), "name": ([origin, ".", family].concat()),
                    "groups": [{ "name": family, "operator": 0, "consolidate": 1, "series": series }],
                    "options": { "title": (["{{ .source }} ", family].concat()), "type": "line" }, "template": true,
                }),
            ));
        }
        items.extend(pages);
        let object = |(kind, item)| if let Value::Object(item) = item { Some((kind, item)) } else { None };
        Self { items: items.into_iter().filter_map(object).collect(), entries }
    }
}

/// What metrics that belong together begin with: all but the last part.
fn family(metric: &str) -> &str {
    metric.rsplit_once('.').map_or(metric, |(family, _)| family)
}

/// Gives an item of a preset the shape of a stored one, and a name that nobody else has.
fn finish(kind: Kind, made: &mut Object, now: &Value, shelf: &Shelf) -> Result<(), Error> {
    let mut item = item::item(kind, Object::new(), std::mem::take(made)).map_err(|_| Error::Unhandled)?;
    let (id, name) = (item::text(&item, "id").to_owned(), plain_name(item::text(&item, "name")));
    let taken = shelf.named(kind, &name).is_some_and(|owner| owner != id);
    // Names that became alike differ by their identifiers.
    let plain = name == item::text(&item, "name");
    let name = if taken || !plain { [&name, "-", &id[..8]].concat() } else { name };
    item.insert("name".to_owned(), Value::String(name));
    let created = shelf.item(kind, &id).and_then(|mut before| before.swap_remove("created"));
    item.insert("created".to_owned(), created.unwrap_or_else(|| now.clone()));
    item.insert("modified".to_owned(), now.clone());
    *made = item;
    Ok(())
}

/// A text with only those characters that a name may have.
fn plain_name(text: &str) -> String {
    let plain: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
    let plain = plain.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if plain.is_empty() { "preset".to_owned() } else { plain.to_owned() }
}
