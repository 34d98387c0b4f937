//! Instances and their templates: what an item is once its link is followed and its texts are filled in.

use super::error::Error;
use super::graph::{Graph, Object};
use super::library::{Kind, Shelf};
use super::template::Attributes;
use crate::limits::Limits;
use serde_json::Value;

/// The graph that an instance stands for: the template's groups and name, under the instance's attributes and options.
/// One level only: the link of the template is not followed.
pub(super) fn linked(graph: Graph, shelf: &Shelf) -> Result<Graph, Error> {
    if graph.link.is_empty() {
        return Ok(graph);
    }
    let template = shelf.item(Kind::Graphs, &graph.link).ok_or(Error::Reference)?;
    let mut template = read(template)?;
    template.attributes.extend(graph.attributes);
    template.options.extend(graph.options);
    Ok(template)
}

/// A stored item with its link followed and its texts filled in, as `expand` shows it.
pub(super) fn expanded(kind: Kind, item: Object, shelf: &Shelf, limits: &Limits) -> Result<Object, Error> {
    match kind {
        Kind::Graphs => expanded_graph(item, shelf, limits),
        Kind::Collections => expanded_collection(item, shelf, limits),
        Kind::SourceGroups | Kind::MetricGroups => Ok(item),
    }
}

fn expanded_graph(item: Object, shelf: &Shelf, limits: &Limits) -> Result<Object, Error> {
    let mut graph = linked(read(item.clone())?, shelf)?;
    Attributes::new(&graph.attributes, limits).fill_in(&mut graph.options, &mut graph.groups)?;
    let mut shown = followed(Kind::Graphs, item, shelf)?;
    set(&mut shown, "attributes", graph.attributes);
    set(&mut shown, "options", graph.options);
    let groups = list(&mut shown, "groups").iter_mut().zip(graph.groups);
    for (shown, group) in groups.filter_map(|(shown, group)| Some((shown.as_object_mut()?, group))) {
        let series = list(shown, "series").iter_mut().zip(group.series);
        for (shown, series) in series.filter_map(|(shown, series)| Some((shown.as_object_mut()?, series))) {
            for (member, text) in
                [("name", series.name), ("origin", series.origin), ("source", series.source), ("metric", series.metric)]
            {
                shown.insert(member.to_owned(), Value::String(text));
            }
        }
    }
    Ok(shown)
}

/// A collection with its link followed, and its title filled in if it had one to follow.
pub(super) fn linked_collection(item: Object, shelf: &Shelf, limits: &Limits) -> Result<Object, Error> {
    if !item.contains_key("link") {
        return Ok(item);
    }
    let own = |member: &str| item.get(member).and_then(Value::as_object).cloned().unwrap_or_default();
    let (attributes, options, parent) = (own("attributes"), own("options"), item.get("parent").cloned());
    let mut shown = followed(Kind::Collections, item, shelf)?;
    let merged = |member: &str, over: Object| {
        let mut merged = shown.get(member).and_then(Value::as_object).cloned().unwrap_or_default();
        merged.extend(over);
        merged
    };
    let (attributes, mut options) = (merged("attributes", attributes), merged("options", options));
    Attributes::new(&attributes, limits).fill_in(&mut options, &mut [])?;
    set(&mut shown, "attributes", attributes);
    set(&mut shown, "options", options);
    if let Some(parent) = parent {
        shown.insert("parent".to_owned(), parent);
    }
    Ok(shown)
}

/// Every entry gets the title of its graph, filled in from the graph, the collection and the entry.
fn expanded_collection(item: Object, shelf: &Shelf, limits: &Limits) -> Result<Object, Error> {
    let mut shown = linked_collection(item, shelf, limits)?;
    let attributes = shown.get("attributes").and_then(Value::as_object).cloned().unwrap_or_default();
    for entry in list(&mut shown, "entries").iter_mut().filter_map(Value::as_object_mut) {
        if let Some(title) = entry_title(entry, &attributes, shelf, limits)? {
            let options = entry.entry("options").or_insert_with(|| Value::Object(Object::new()));
            if let Value::Object(options) = options {
                options.insert("title".to_owned(), title);
            }
        }
    }
    Ok(shown)
}

fn entry_title(entry: &Object, common: &Object, shelf: &Shelf, limits: &Limits) -> Result<Option<Value>, Error> {
    let id = entry.get("graph").and_then(Value::as_str).unwrap_or_default();
    let Some(graph) = shelf.item(Kind::Graphs, id) else { return Ok(None) };
    let mut graph = read(graph)?;
    graph.attributes.extend(common.clone());
    if let Some(Value::Object(own)) = entry.get("attributes") {
        graph.attributes.extend(own.clone());
    }
    let mut graph = linked(graph, shelf)?;
    Attributes::new(&graph.attributes, limits).fill_in(&mut graph.options, &mut [])?;
    Ok(graph.options.remove("title"))
}

/// The item that `link` leads to, under the identifier of the one that has the link; the item itself without one.
fn followed(kind: Kind, item: Object, shelf: &Shelf) -> Result<Object, Error> {
    let Some(Value::String(link)) = item.get("link") else { return Ok(item) };
    let mut template = shelf.item(kind, link).ok_or(Error::Reference)?;
    if let Some(id) = item.get("id") {
        template.insert("id".to_owned(), id.clone());
    }
    template.insert("template".to_owned(), Value::Bool(false));
    Ok(template)
}

/// A graph that was checked before it was stored.
pub(super) fn read(item: Object) -> Result<Graph, Error> {
    Graph::read(item).map_err(|_| Error::Unhandled)
}

fn list<'a>(object: &'a mut Object, member: &str) -> &'a mut [Value] {
    match object.get_mut(member) {
        Some(Value::Array(list)) => list,
        _ => &mut [],
    }
}

/// An empty object is left out.
fn set(object: &mut Object, member: &str, value: Object) {
    if value.is_empty() {
        object.shift_remove(member);
    } else {
        object.insert(member.to_owned(), Value::Object(value));
    }
}
